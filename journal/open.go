package journal

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Open gives, as one JSON object, what sees allows of an event: the groups' fields side by side, and for a field with
// one group an element, the elements allowed. It is nil where nothing is.
func (r *Registry) Open(e Event, sees func(audience string) bool) (json.RawMessage, error) {
	s := r.shapes[e.EventKind()]
	if s == nil {
		return nil, fmt.Errorf("journal: event %q is not registered", e.EventKind())
	}
	if len(s.parts) == 0 {
		if !sees(Hub) {
			return nil, nil
		}
		return json.Marshal(e)
	}
	out := map[string]json.RawMessage{}
	v := reflect.ValueOf(e).Elem()
	for _, p := range s.parts {
		f, name := v.Field(p.field), s.typ.Field(p.field).Name
		if !p.each {
			if !sees(p.audience) {
				continue
			}
			b, err := json.Marshal(f.Interface())
			if err != nil {
				return nil, fmt.Errorf("journal: event %s: %w", e.EventKind(), err)
			}
			var fields map[string]json.RawMessage
			if json.Unmarshal(b, &fields) != nil {
				fields = map[string]json.RawMessage{name: b}
			}
			for k, f := range fields {
				out[k] = f
			}
			continue
		}
		var items []any
		for i := range f.Len() {
			if item := f.Index(i).Interface(); sees("@" + item.(Reader).Reader()) {
				items = append(items, item)
			}
		}
		if len(items) > 0 {
			b, err := json.Marshal(items)
			if err != nil {
				return nil, fmt.Errorf("journal: event %s: %w", e.EventKind(), err)
			}
			out[lower(name)] = b
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return json.Marshal(out)
}

func lower(name string) string {
	if name == "" || name[0] < 'A' || name[0] > 'Z' {
		return name
	}
	return string(name[0]+'a'-'A') + name[1:]
}
