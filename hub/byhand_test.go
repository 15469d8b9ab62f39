package hub_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
)

// TestByHandIsAsTheLibrary: whatever has an encoding of its own, in whatever is stored or replicated, has the library's.
// A struct that embeds such a one without its other fields in mind would show here.
func TestByHandIsAsTheLibrary(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var look func(name string, v reflect.Value)
	look = func(name string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				look(name, v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				look(name, v.Index(i))
			}
		case reflect.Struct:
			if !seen[v.Type()] {
				seen[v.Type()] = true
				checkByHand(t, name, v.Addr().Interface())
			}
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					look(name+"."+v.Type().Field(i).Name, v.Field(i))
				}
			}
		}
	}
	events := map[reflect.Type]bool{}
	for _, s := range hub.NewRooms(&hub.Config{Name: "hub.example"}).Machine().Shapes() {
		v := reflect.New(s.Type)
		number := uint64(0)
		fill(v.Elem(), &number, 0)
		if _, ok := v.Interface().(journal.Event); ok && groups(s.Type) {
			events[s.Type], seen[s.Type] = true, true // stored group by group, never as a whole
		}
		look(s.Name, v)
	}
	byHand := 0
	for typ := range seen {
		if _, ok := reflect.New(typ).Interface().(journal.Appender); ok && !events[typ] {
			byHand++
		}
	}
	if byHand < 8 {
		t.Errorf("%d types have an encoding of their own: this test sees too little", byHand)
	}
}

func groups(event reflect.Type) bool {
	for i := range event.NumField() {
		if _, ok := event.Field(i).Tag.Lookup("audience"); ok {
			return true
		}
	}
	return false
}

func checkByHand(t *testing.T, name string, v any) {
	t.Helper()
	want, err := journal.Encoding.Marshal(v)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if a, ok := v.(journal.Appender); ok {
		if got := a.AppendCBOR(nil); !bytes.Equal(got, want) {
			t.Errorf("%s: %T appends\n  %x, and the library writes\n  %x", name, v, got, want)
		}
	}
	if _, ok := v.(journal.Parsed); !ok {
		return
	}
	// A parser may leave a value to the library, and may not read it otherwise.
	back := reflect.New(reflect.TypeOf(v).Elem()).Interface()
	if err := journal.Unmarshal(want, back); err != nil || !reflect.DeepEqual(back, v) {
		t.Errorf("%s: %T parses\n  %x as\n  %+v (%v), and it was\n  %+v", name, v, want, back, err, v)
	}
}
