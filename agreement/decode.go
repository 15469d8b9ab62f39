package agreement

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/proof/jcs"
)

// Parse reads a document in YAML or JSON (UTF-8, at most [MaxBytes]) and checks it. The error is [Faults], with every
// fault that could be found, or a single [*moongate.Error] where the text itself cannot be read.
func Parse(data []byte) (*Document, error) {
	tree, err := readTree(data)
	if err != nil {
		return nil, err
	}
	if tree.kind != anObject {
		return nil, sourceFault(tree.line, fmt.Sprintf("the document is %s, not an agreement", tree.kind), "start from one of the examples: moongate agreement examples")
	}
	d := &Document{}
	r := &report{lines: map[string]int{}}
	r.decode(tree, reflect.ValueOf(d).Elem(), "")
	if len(r.faults) == 0 { // half-read terms would only bring faults that are none
		d.validate(r)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	if d.canonical, err = jcs.Canonical(tree.appendJSON(nil)); err != nil {
		return nil, err
	}
	return d, nil
}

// closed is a text type with a closed list of values.
type closed interface{ choices() []string }

var (
	closedType = reflect.TypeFor[closed]()
	textType   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// decode fills a value from the tree. It goes on after a fault, so that one reading finds them all.
func (r *report) decode(n *node, v reflect.Value, field string) {
	r.lines[field] = n.line
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok && v.Addr().Type().Implements(textType) {
		if r.want(n, aText, field) {
			r.decodeText(u, n.text, field)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		if r.want(n, anObject, field) {
			r.decodeObject(n, v, field)
		}
	case reflect.Map: // Text and Amounts: text by text
		if r.want(n, anObject, field) {
			r.decodeMap(n, v, field)
		}
	case reflect.Slice:
		if r.want(n, aList, field) {
			v.Set(reflect.MakeSlice(v.Type(), len(n.list), len(n.list)))
			for i, item := range n.list {
				r.decode(item, v.Index(i), field+"["+strconv.Itoa(i)+"]")
			}
		}
	case reflect.Int:
		if r.want(n, aNumber, field) {
			r.decodeInt(n.text, v, field)
		}
	case reflect.Bool:
		if r.want(n, aBool, field) {
			v.SetBool(n.text == "true")
		}
	default:
		if r.want(n, aText, field) {
			v.SetString(n.text)
			r.checkChoice(v, n.text, field)
		}
	}
}

func (r *report) want(n *node, kind nodeKind, field string) bool {
	if n.kind == kind {
		return true
	}
	hint := "write " + string(kind)
	if kind == aText && n.kind == aNumber {
		hint = fmt.Sprintf("put it in quotes: %q", n.text)
	}
	r.add(field, hint, "this is %s where %s belongs", n.kind, kind)
	return false
}

// maxInt bounds every whole number of the format: no rate, count or version is larger.
const maxInt = 1_000_000_000

func (r *report) decodeInt(text string, v reflect.Value, field string) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n > maxInt || n < -maxInt {
		r.add(field, "", "%s is out of range", text)
		return
	}
	v.SetInt(n)
}

func (r *report) decodeText(u encoding.TextUnmarshaler, text, field string) {
	err := u.UnmarshalText([]byte(text))
	var e *moongate.Error
	switch {
	case text == "":
		r.add(field, "give a value, or leave the field out", "the text is empty")
	case errors.As(err, &e):
		r.add(field, e.Hint, "%s", e.Message)
	case err != nil:
		r.add(field, "", "%v", err)
	}
}

func (r *report) checkChoice(v reflect.Value, text, field string) {
	if !v.Type().Implements(closedType) {
		return
	}
	c, ok := v.Interface().(closed)
	if !ok {
		return
	}
	all := c.choices()
	for _, one := range all {
		if one == text {
			return
		}
	}
	hint := "choose one of " + strings.Join(all, ", ")
	if near := nearest(text, all); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	r.add(field, hint, "%.40q is not known here", text)
}

func (r *report) decodeMap(n *node, v reflect.Value, field string) {
	v.Set(reflect.MakeMapWithSize(v.Type(), len(n.members)))
	for _, m := range n.members {
		at := join(field, m.name)
		r.lines[at] = m.value.line
		if r.want(m.value, aText, at) {
			v.SetMapIndex(reflect.ValueOf(m.name), reflect.ValueOf(m.value.text))
		}
	}
}

func (r *report) decodeObject(n *node, v reflect.Value, field string) {
	t := v.Type()
	given := map[string]*node{}
	for _, m := range n.members {
		given[m.name] = m.value
		if _, ok := fieldNamed(t, m.name); !ok {
			names := fieldNames(t)
			hint := "the fields here are " + strings.Join(names, ", ")
			if near := nearest(m.name, names); near != "" {
				hint = "did you mean " + near + "?"
			}
			at := join(field, printable(m.name))
			r.lines[at] = m.value.line
			r.add(at, hint, "no such field")
		}
	}
	for i := range t.NumField() {
		name, optional := jsonName(t.Field(i))
		if name == "" {
			continue
		}
		at := join(field, name)
		value, ok := given[name]
		switch {
		case ok:
			r.decode(value, v.Field(i), at)
		case !optional:
			r.lines[at] = n.line
			r.add(at, "", "the field is missing")
		}
	}
}

// printable keeps a hostile name from filling the screen.
func printable(name string) string {
	q := strconv.QuoteToGraphic(name)
	q = q[1 : len(q)-1]
	if len(q) > 40 {
		return strings.ToValidUTF8(q[:40], "") + "…"
	}
	return q
}

func join(field, name string) string {
	if field == "" {
		return name
	}
	return field + "." + name
}

func jsonName(f reflect.StructField) (name string, optional bool) {
	if !f.IsExported() {
		return "", false
	}
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, options == "omitempty" || options == "omitzero"
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name, _ := jsonName(t.Field(i)); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func fieldNamed(t reflect.Type, name string) (int, bool) {
	for i := range t.NumField() {
		if n, _ := jsonName(t.Field(i)); n == name && n != "" {
			return i, true
		}
	}
	return 0, false
}
