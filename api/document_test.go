package api_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// openapi is the part of the document that the tests look at.
type openapi struct {
	OpenAPI string                             `json:"openapi"`
	Paths   map[string]map[string]openapiRoute `json:"paths"`
	Parts   struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`
}

type openapiRoute struct {
	ID         string                `json:"operationId"`
	Summary    string                `json:"summary"`
	Tags       []string              `json:"tags"`
	Security   []map[string][]string `json:"security"`
	Scopes     []string              `json:"x-scope"`
	Parameters []openapiParameter    `json:"parameters"`
	Body       struct {
		Content map[string]openapiMedia `json:"content"`
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]openapiMedia `json:"content"`
	} `json:"responses"`
}

type openapiParameter struct {
	Name, In string
	Required bool
}

type openapiMedia struct {
	Schema  map[string]any `json:"schema"`
	Example any            `json:"example"`
}

// The document is OpenAPI 3.1: its schemas are JSON Schema 2020-12, its examples fit them, and nothing is left unsaid.
func TestDocument(t *testing.T) {
	t.Parallel()
	w := open(t)
	got := w.do(call{path: "/openapi.json"})
	var doc openapi
	got.into(t, &doc)
	if doc.OpenAPI != "3.1.0" || len(doc.Paths) < 12 {
		t.Fatalf("OpenAPI %s with %d paths", doc.OpenAPI, len(doc.Paths))
	}
	again := w.do(call{path: "/openapi.json", header: map[string]string{"If-None-Match": got.header.Get("ETag")}})
	if again.status != 304 || again.text != "" {
		t.Errorf("the same again: %d", again.status)
	}
	var fromJSON, fromYAML any
	if err := json.Unmarshal([]byte(got.text), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(w.do(call{path: "/openapi.yaml"}).text), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain(fromJSON), plain(fromYAML)); diff != "" {
		t.Errorf("JSON and YAML differ:\n%s", diff)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("openapi.json", plain(fromJSON)); err != nil {
		t.Fatal(err)
	}
	for name := range doc.Parts.Schemas {
		if _, err := compiler.Compile("openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("schema %s: %v", name, err)
		}
		if !regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`).MatchString(name) {
			t.Errorf("schema %q is not named for people", name)
		}
	}
	ids := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, o := range methods {
			t.Run(method+" "+path, func(t *testing.T) {
				if ids[o.ID] || o.ID == "" || o.Summary == "" || len(o.Tags) != 1 || o.Security == nil {
					t.Errorf("operation %+v", o)
				}
				ids[o.ID] = true
				o.check(t, compiler, path, method)
			})
		}
	}
}

func (o openapiRoute) check(t *testing.T, compiler *jsonschema.Compiler, path, method string) {
	pointer := "openapi.json#/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(path) + "/" + method
	for _, name := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(path, -1) {
		if !slices.ContainsFunc(o.Parameters, func(p openapiParameter) bool { return p.Name == name[1] && p.In == "path" && p.Required }) {
			t.Errorf("the path's %s is not described", name[1])
		}
	}
	if method == "post" && (len(o.Scopes) != 1 || strings.HasSuffix(o.Scopes[0], ":read")) {
		t.Errorf("it changes something under the scopes %v", o.Scopes)
	}
	if method == "get" && len(o.Scopes) == 1 && strings.HasSuffix(o.Scopes[0], ":write") && o.Scopes[0] != "participant:write" && o.Scopes[0] != "webhooks:write" {
		t.Errorf("it reads under the scopes %v", o.Scopes)
	}
	if schema := o.Responses["200"].Content["application/json"].Schema; method == "get" && strings.HasSuffix(fmt.Sprint(schema["$ref"]), "Page") {
		names := []string{}
		for _, p := range o.Parameters {
			names = append(names, p.Name)
		}
		if bounded := []string{"webhooks", "credentials"}; !slices.Contains(bounded, o.ID) && (!slices.Contains(names, "after") || !slices.Contains(names, "limit")) {
			t.Errorf("a list without paging: %v", names)
		}
	}
	fits := func(at string, m openapiMedia, needed bool) {
		if m.Example == nil {
			if needed {
				t.Errorf("%s has no example", at)
			}
			return
		}
		schema, err := compiler.Compile(strings.ReplaceAll(at, "application/json", "application~1json") + "/schema")
		if err != nil {
			t.Errorf("%s: %v", at, err)
			return
		}
		if err := schema.Validate(plain(m.Example)); err != nil {
			t.Errorf("the example does not fit: %v", err)
		}
	}
	if body, ok := o.Body.Content["application/json"]; ok {
		fits(pointer+"/requestBody/content/application/json", body, true)
	}
	good := 0
	for status, r := range o.Responses {
		if m, ok := r.Content["application/json"]; ok && status < "300" {
			good++
			fits(pointer+"/responses/"+status+"/content/application/json", m, true)
		}
	}
	if good > 1 {
		t.Errorf("%d kinds of success", good)
	}
}

// plain gives numbers and maps one form, whatever decoded them.
func plain(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	out, err := jsonschema.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		panic(err)
	}
	return floats(out)
}

func floats(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			panic(err)
		}
		return f
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = floats(v[k])
		}
	}
	return v
}

// Somebody else's validator takes the document, where one is installed.
func TestDocumentWithAnotherValidator(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	python := ""
	for _, name := range []string{"python3", "python3.11"} {
		if exec.Command(name, "-c", "import openapi_spec_validator").Run() == nil {
			python = name
		}
	}
	if python == "" {
		t.Skip("the Python package openapi-spec-validator is not here")
	}
	w := open(t)
	file := filepath.Join(t.TempDir(), "openapi.json")
	if err := os.WriteFile(file, []byte(w.do(call{path: "/openapi.json"}).text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", fmt.Sprintf("import json, openapi_spec_validator as v; v.validate(json.load(open(%q)), cls=v.OpenAPIV31SpecValidator)", file)).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
