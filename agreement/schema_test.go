package agreement_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/moongate-hub/moongate/agreement"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(agreement.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("agreement.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("agreement.json") // it names its dialect, 2020-12, which is checked here
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSchemaTakesWhatParseTakes(t *testing.T) {
	s := schema(t)
	for name := range agreement.Examples() {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(example(t, name).Doc.Canonical()))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of the faults that the table of faults provokes, the schema finds those that it can see.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	seen := 0
	for _, f := range faults {
		text := broken(t, f)
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			continue
		}
		if err := s.Validate(v); (err != nil) != f.schema {
			t.Errorf("%s: the schema says %v", f.name, err)
		}
		if f.schema {
			seen++
		}
	}
	if seen < 20 {
		t.Errorf("the schema found %d faults", seen)
	}
}

// Every field of the Go types is in the schema, and the other way round.
func TestSchemaNamesEveryField(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(agreement.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	defs, ok := root["$defs"].(map[string]any)
	if !ok {
		t.Fatal("no $defs")
	}
	resolve := func(v any) map[string]any {
		m, _ := v.(map[string]any)
		if ref, ok := m["$ref"].(string); ok {
			m, _ = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		}
		return m
	}
	var compare func(path string, typ reflect.Type, node map[string]any)
	compare = func(path string, typ reflect.Type, node map[string]any) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			if typ.Kind() == reflect.Slice {
				node = resolve(node["items"])
			}
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		properties, _ := node["properties"].(map[string]any)
		var fields, required []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			fields = append(fields, name)
			if options == "" {
				required = append(required, name)
			}
			compare(path+"."+name, f.Type, resolve(properties[name]))
		}
		slices.Sort(fields)
		if diff := cmp.Diff(fields, slices.Sorted(maps.Keys(properties))); diff != "" {
			t.Errorf("%s: fields differ from the schema's (-Go +schema):\n%s", path, diff)
		}
		var want []string
		list, _ := node["required"].([]any)
		for _, r := range list {
			want = append(want, r.(string))
		}
		slices.Sort(want)
		slices.Sort(required)
		if diff := cmp.Diff(required, want); diff != "" {
			t.Errorf("%s: required fields differ (-Go +schema):\n%s", path, diff)
		}
	}
	compare("", reflect.TypeFor[agreement.Document](), root)
}
