package hub_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

var update = flag.Bool("update", false, "add to the golden files what is new; nothing that stands in them is changed")

// TestShapes: what is stored or replicated keeps its meaning for good. testdata/golden/shapes.txt names every field of
// every event, command, answer and table by its number, and testdata/golden/examples.txt has bytes of each, as some
// version wrote them. Both only grow: a field is added with omitempty, under a number that was never used.
func TestShapes(t *testing.T) {
	m := hub.NewRooms(&hub.Config{Name: "hub.example"}).Machine()
	shapes := m.Shapes()
	var lines []string
	for _, s := range shapes {
		lines = append(lines, fields(s.Name, s.Type, nil)...)
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	known := golden(t, "shapes.txt")
	for _, line := range known {
		if !slices.Contains(lines, line) {
			t.Errorf("gone: %s\n  What is stored under this number would be read as something else. Give the field its number, name and type back; if only its name changed, change the line by hand.", line)
		}
	}
	grow(t, "shapes.txt", known, lines)

	// What was written by some version is read, and written again to the same bytes.
	examples := golden(t, "examples.txt")
	newest := map[string]string{}
	for _, line := range examples {
		name, text, _ := strings.Cut(line, " = ")
		newest[name] = text
		i := slices.IndexFunc(shapes, func(s replica.Shape) bool { return s.Name == name })
		if i < 0 {
			t.Errorf("gone: %s; what was stored of it could not be read", name)
			continue
		}
		want, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := decode(m.Registry(), want, reflect.New(shapes[i].Type).Interface())
		if err != nil {
			t.Errorf("%s: an example cannot be read: %v", name, err)
			continue
		}
		if got := encode(t, m.Registry(), v); !bytes.Equal(got, want) {
			t.Errorf("%s: an example is written as\n  %x, and was\n  %x\n  A field that is added is omitempty, or omitzero where it is a struct or an array.", name, got, want)
		}
	}
	var fresh []string
	for _, s := range shapes {
		v := reflect.New(s.Type)
		number := uint64(0)
		fill(v.Elem(), &number, 0)
		if text := hex.EncodeToString(encode(t, m.Registry(), v.Interface())); text != newest[s.Name] {
			fresh = append(fresh, s.Name+" = "+text)
		}
	}
	grow(t, "examples.txt", examples, append(slices.Clone(examples), fresh...))
	if len(shapes) < 200 {
		t.Errorf("%d shapes: this test sees too little", len(shapes))
	}
}

// encode writes a value as it is stored: an event in its groups.
func encode(t *testing.T, registry *journal.Registry, v any) []byte {
	t.Helper()
	if e, ok := v.(journal.Event); ok {
		st, err := registry.Encode(e, new(bytes.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		v = st
	}
	b, err := journal.Encoding.Marshal(v)
	if err != nil {
		t.Fatalf("%T: %v", v, err)
	}
	return b
}

func decode(registry *journal.Registry, b []byte, into any) (any, error) {
	if _, ok := into.(journal.Event); !ok {
		return into, journal.Decoding.Unmarshal(b, into)
	}
	var st journal.Stored
	if err := journal.Decoding.Unmarshal(b, &st); err != nil {
		return nil, err
	}
	return registry.Decode(st)
}

func golden(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "golden", name))
	if err != nil && !*update {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(b), "\n"), func(line string) bool { return line == "" })
}

// grow has a golden file hold lines, which it must, or is made to when it is told.
func grow(t *testing.T, name string, known, lines []string) {
	t.Helper()
	missing := 0
	for _, line := range lines {
		if !slices.Contains(known, line) {
			if missing++; missing <= 5 && !*update {
				t.Errorf("new in %s: %.160s", name, line)
			}
		}
	}
	if missing == 0 {
		return
	}
	if !*update {
		t.Errorf("%d lines are new. Look whether they are meant, and add them: go test ./hub -run TestShapes -update", missing)
		return
	}
	all := append(slices.Clone(known), lines...)
	if name == "shapes.txt" {
		slices.Sort(all)
	}
	seen := map[string]bool{}
	all = slices.DeleteFunc(all, func(line string) bool { again := seen[line]; seen[line] = true; return again })
	path := filepath.Join("testdata", "golden", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(all, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d lines added", name, missing)
}

// fields lists a type's fields as they are encoded: where, number or key, name and type.
func fields(path string, typ reflect.Type, above []reflect.Type) []string {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if slices.Contains(above, typ) {
		return nil // a tree: its nodes are listed already
	}
	above = append(slices.Clone(above), typ)
	switch typ.Kind() {
	case reflect.Slice, reflect.Array:
		if typ.Elem().Kind() == reflect.Uint8 {
			return nil
		}
		return fields(path+"[]", typ.Elem(), above)
	case reflect.Map:
		return append(fields(path+"[key]", typ.Key(), above), fields(path+"[value]", typ.Elem(), above)...)
	case reflect.Struct:
	default:
		return nil
	}
	var lines []string
	_, first := typ.FieldByName("_")
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Name == "_" || !f.IsExported() && !f.Anonymous {
			continue
		}
		tag := f.Tag.Get("cbor")
		key, _, _ := strings.Cut(tag, ",")
		switch {
		case key == "-":
			continue
		case f.Anonymous && key == "" && f.Tag.Get("audience") == "":
			lines = append(lines, fields(path, f.Type, above)...) // its fields are the struct's own
			continue
		case f.Tag.Get("audience") != "":
			key = "{" + f.Tag.Get("audience") + "}"
		case first:
			key = fmt.Sprint("#", i)
		case key == "":
			key = f.Name
		}
		lines = append(lines, fmt.Sprintf("%s.%s %s %s", path, key, f.Name, plain(f.Type)))
		lines = append(lines, fields(path+"."+key, f.Type, above)...)
	}
	return lines
}

// plain is a type without the names that Go gives to types.
func plain(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + plain(t.Elem())
	case reflect.Slice:
		return "[]" + plain(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), plain(t.Elem()))
	case reflect.Map:
		return "map[" + plain(t.Key()) + "]" + plain(t.Elem())
	}
	return t.Kind().String()
}

// fill gives every field a value of its own.
func fill(v reflect.Value, number *uint64, depth int) {
	*number++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*number%100 + 1))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(*number%100 + 1)
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *number))
	case reflect.Pointer:
		if depth < 12 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), number, depth+1)
		}
	case reflect.Slice:
		if depth < 12 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), number, depth+1)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), number, depth+1)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, number, depth+1)
		fill(value, number, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				fill(f, number, depth+1)
			}
		}
	}
}
