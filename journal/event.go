package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/proof"
)

// Position counts the journal's events; the first is 1, and 0 means none.
type Position uint64

// Event is something that happened: a pointer to a struct, not changed from when it is emitted until it is written down.
//
// Fields carry `cbor:"N,keyasint"` tags. A struct whose fields carry `audience:"NAME"` tags is stored as one group per
// such field: its type is a struct, or, where the name is "each", a slice of pointers to structs that implement
// [Reader] and become a group each. An event without such tags is one group for [Hub].
type Event interface{ EventKind() string }

// Audiences with a meaning of their own. Any other name is one that the event's own Readers explains.
const (
	Public = "public" // in the public log in plain, as a leaf of its own
	Hub    = "hub"    // the operator alone
)

// Readers is implemented by events that have audiences: it lists the participants of one.
type Readers interface {
	Readers(audience string) []string
}

// Reader is implemented by the elements of a field tagged audience:"each": the participant who may read the element.
type Reader interface{ Reader() string }

// Entry is an event where it stands in the journal.
type Entry struct {
	Position Position
	At       moongate.Time
	Caller   string
	Event    Event
}

// Stored is an event as it is written: leaves of the public log are hashes of these very bytes.
type Stored struct {
	_      struct{} `cbor:",toarray"`
	Kind   string
	Groups []Group
}

// Group is the fields of an event that one audience may see, in deterministic CBOR (RFC 8949, section 4.2.1).
type Group struct {
	_        struct{} `cbor:",toarray"`
	Audience string
	Data     []byte
}

// Opens tells whether a participant may read a group of an event.
func Opens(e Event, audience, participant string) bool {
	switch {
	case audience == Public:
		return true
	case participant == "":
		return false
	case audience == "@"+participant:
		return true
	}
	if r, ok := e.(Readers); ok {
		return slices.Contains(r.Readers(audience), participant)
	}
	return false
}

// Encoding is the one CBOR encoding of everything that is stored or replicated: deterministic.
var Encoding = func() cbor.UserBufferEncMode {
	o := cbor.CoreDetEncOptions()
	o.TextMarshaler = cbor.TextMarshalerNone
	m, err := o.UserBufferEncMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// Decoding is its strict counterpart: unknown fields and duplicate keys are errors, sizes are bounded. Text that is not
// UTF-8 is let through: Encoding writes it, and what is in the journal must be readable for good.
var Decoding = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		IndefLength:       cbor.IndefLengthForbidden,
		MaxArrayElements:  1 << 20,
		MaxMapPairs:       1 << 16,
		MaxNestedLevels:   24,
		UTF8:              cbor.UTF8DecodeInvalid,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// Registry maps a kind to its Go type.
type Registry struct{ shapes map[string]*shape }

type shape struct {
	typ   reflect.Type // the struct
	parts []part       // none: the whole struct is one group
}

type part struct {
	field    int
	audience string
	each     bool
}

// Add registers events by example. Two events of one kind, or a malformed event type, are programming errors and panic.
func (r *Registry) Add(events ...Event) {
	if r.shapes == nil {
		r.shapes = map[string]*shape{}
	}
	for _, e := range events {
		kind, t := e.EventKind(), reflect.TypeOf(e)
		if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
			panic(fmt.Sprintf("journal: event %s is a %v, not a pointer to a struct", kind, t))
		}
		if _, dup := r.shapes[kind]; dup {
			panic("journal: two events named " + kind)
		}
		r.shapes[kind] = shapeOf(kind, t.Elem())
	}
}

func shapeOf(kind string, t reflect.Type) *shape {
	s := &shape{typ: t}
	for i := range t.NumField() {
		f := t.Field(i)
		a, ok := f.Tag.Lookup("audience")
		if !ok {
			continue
		}
		p := part{field: i, audience: a, each: a == "each"}
		if why := s.unfit(f, p); why != "" {
			panic(fmt.Sprintf("journal: %s.%s: %s", kind, f.Name, why))
		}
		s.parts = append(s.parts, p)
	}
	if n := len(s.parts); n > 0 && n != t.NumField() {
		panic(fmt.Sprintf("journal: event %s: either every field has an audience or none", kind))
	}
	for _, p := range s.parts {
		if p.audience == Public {
			// A public act that could not be written would stop the public log, for good.
			if _, err := proof.ActEntry(kind, 0, []byte("{}")); err != nil {
				panic(fmt.Sprintf("journal: event %s has a public group: %v", kind, err))
			}
			if _, err := json.Marshal(reflect.Zero(t.Field(p.field).Type).Interface()); err != nil {
				panic(fmt.Sprintf("journal: event %s: the public group has no JSON: %v", kind, err))
			}
		}
	}
	return s
}

// unfit says what is wrong with a field's audience.
func (s *shape) unfit(f reflect.StructField, p part) string {
	switch n := len(s.parts); {
	case !f.IsExported():
		return "a field with an audience is exported"
	case p.audience == "" || p.audience[0] == '@' || p.audience[0] == '#':
		return fmt.Sprintf("%q is not the name of an audience", p.audience)
	case p.audience == Public && slices.ContainsFunc(s.parts, func(q part) bool { return q.audience == Public }):
		return "an event is at most one public act"
	case !p.each && f.Type.Kind() != reflect.Struct:
		return "a group of fields is a struct"
	case p.each && (f.Type.Kind() != reflect.Slice || f.Type.Elem().Kind() != reflect.Pointer ||
		f.Type.Elem().Elem().Kind() != reflect.Struct || !f.Type.Elem().Implements(reflect.TypeFor[Reader]())):
		return "audience each wants a slice of pointers that implement Reader"
	case p.each && n > 0 && s.parts[n-1].each:
		return "two fields with audience each need another one between them, or nobody can tell where the first ends"
	}
	return ""
}

// Knows tells whether a kind is registered.
func (r *Registry) Knows(kind string) bool { return r.shapes[kind] != nil }

// Encode stores an event. The groups' bytes stand in the buffer, which is appended to and must not be reset while they
// are in use.
func (r *Registry) Encode(e Event, buf *bytes.Buffer) (Stored, error) {
	st, _, err := r.EncodeIn(e, buf, nil)
	return st, err
}

// EncodeIn is Encode for whoever uses the memory of groups again: the event's are appended to them.
func (r *Registry) EncodeIn(e Event, buf *bytes.Buffer, groups []Group) (Stored, []Group, error) {
	s := r.shapes[e.EventKind()]
	if s == nil {
		return Stored{}, groups, fmt.Errorf("journal: event %q is not registered", e.EventKind())
	}
	from := len(groups)
	groups, err := s.encode(e, buf, groups)
	return Stored{Kind: e.EventKind(), Groups: groups[from:len(groups):len(groups)]}, groups, err
}

func (s *shape) encode(e Event, buf *bytes.Buffer, groups []Group) ([]Group, error) {
	if len(s.parts) == 0 {
		data, err := encode(e, buf)
		return append(groups, Group{Audience: Hub, Data: data}), err
	}
	v := reflect.ValueOf(e).Elem()
	for _, p := range s.parts {
		f := v.Field(p.field)
		if !p.each {
			data, err := encode(f.Addr().Interface(), buf)
			if err != nil {
				return groups, err
			}
			groups = append(groups, Group{Audience: p.audience, Data: data})
			continue
		}
		for i := range f.Len() {
			if f.Index(i).IsNil() {
				return groups, fmt.Errorf("journal: event %s: %s[%d] is nil", e.EventKind(), s.typ.Field(p.field).Name, i)
			}
			item := f.Index(i).Interface()
			data, err := encode(item, buf)
			if err != nil {
				return groups, err
			}
			groups = append(groups, Group{Audience: "@" + item.(Reader).Reader(), Data: data})
		}
	}
	return groups, nil
}

func encode(v any, buf *bytes.Buffer) ([]byte, error) {
	from := buf.Len()
	if a, ok := v.(Appender); ok {
		buf.Write(a.AppendCBOR(buf.AvailableBuffer()))
	} else if err := Encoding.MarshalToBuffer(v, buf); err != nil {
		return nil, fmt.Errorf("journal: encode %T: %w", v, err)
	}
	return buf.Bytes()[from:buf.Len():buf.Len()], nil
}

// Decode is the way back. An unknown kind or field is an error: it was written by a newer version.
func (r *Registry) Decode(st Stored) (Event, error) {
	s := r.shapes[st.Kind]
	if s == nil {
		return nil, fmt.Errorf("journal: unknown event %q: written by a newer version of moongate?", st.Kind)
	}
	p := reflect.New(s.typ)
	fail := func(err error) (Event, error) { return nil, fmt.Errorf("journal: event %s: %w", st.Kind, err) }
	if len(s.parts) == 0 {
		if len(st.Groups) != 1 {
			return fail(fmt.Errorf("%d groups of fields instead of 1", len(st.Groups)))
		}
		if err := Unmarshal(st.Groups[0].Data, p.Interface()); err != nil {
			return fail(err)
		}
		return p.Interface().(Event), nil
	}
	groups := st.Groups
	for _, part := range s.parts {
		f := p.Elem().Field(part.field)
		if !part.each {
			if len(groups) == 0 || groups[0].Audience != part.audience {
				return fail(fmt.Errorf("the group for %q is missing", part.audience))
			}
			if err := Unmarshal(groups[0].Data, f.Addr().Interface()); err != nil {
				return fail(err)
			}
			groups = groups[1:]
			continue
		}
		for len(groups) > 0 && len(groups[0].Audience) > 0 && groups[0].Audience[0] == '@' {
			item := reflect.New(f.Type().Elem().Elem())
			if err := Unmarshal(groups[0].Data, item.Interface()); err != nil {
				return fail(err)
			}
			f.Set(reflect.Append(f, item))
			groups = groups[1:]
		}
	}
	if len(groups) > 0 {
		return fail(fmt.Errorf("a group for %q that this version does not know", groups[0].Audience))
	}
	return p.Interface().(Event), nil
}

// proofGroups appends the groups in the shape that package proof commits to.
func proofGroups(to []proof.Group, st Stored) []proof.Group {
	for _, g := range st.Groups {
		to = append(to, proof.Group{Audience: g.Audience, Data: g.Data})
	}
	return to
}
