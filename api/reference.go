package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page's template and style
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed page/reference.html
var referencePage string

//go:embed page/mark.svg
var referenceMark []byte

//go:embed page/reference.css
var referenceStyle []byte

// reference is the page that explains the interface: drawn here from the OpenAPI document, without scripts, so that it
// works offline and under a strict policy.
type reference struct {
	once sync.Once
	page []byte
	err  error
}

const (
	referencePolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	stylePath       = "/docs/reference."
)

func (a *API) referenceRoutes() {
	sum := sha256.Sum256(referenceStyle)
	style := stylePath + hex.EncodeToString(sum[:6]) + ".css"
	a.mux.HandleFunc("GET "+style, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		_, _ = w.Write(referenceStyle)
	})
	a.mux.HandleFunc("GET /docs/mark.svg", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		w.Header().Set("Cache-Control", "public, max-age=86400")
		_, _ = w.Write(referenceMark)
	})
	a.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		a.reference.once.Do(func() { a.reference.page, a.reference.err = a.drawReference(style) })
		if a.reference.err != nil {
			a.hub.Log.Error("the reference page", "error", a.reference.err)
			writeProblem(w, r, errFailed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", referencePolicy)
		h.Set("Cache-Control", "no-cache")
		_, _ = w.Write(a.reference.page)
	})
}

// chapter is the operations of one tag.
type chapter struct {
	Name, Anchor string
	Operations   []operationView
}

// operationView is one operation as the page shows it.
type operationView struct {
	ID, Method, Path, Summary string
	Detail                    []string
	Scopes                    []string
	Public, Signed            bool
	Parameters, Fields, Gives []fieldView
	Curl                      string
	Request, Answer           template.HTML
	Status                    int
	Kind                      string // of an answer that is not JSON
}

// fieldView is a parameter, or a member of a body.
type fieldView struct {
	Name, In, Type, Doc string
	Required            bool
	Choices             []string
}

// problemView is one code of refusal.
type problemView struct {
	Code, Title string
	Status      int
}

func (a *API) drawReference(style string) ([]byte, error) {
	t, err := template.New("reference").Funcs(template.FuncMap{"inline": inline}).Parse(referencePage)
	if err != nil {
		return nil, fmt.Errorf("api: reference: %w", err)
	}
	info := a.huma.OpenAPI().Info
	data := struct {
		Style, Hub, URL, Version, Description string
		Chapters                              []chapter
		Problems                              []problemView
	}{style, a.hub.Config.Name, strings.TrimSuffix(a.hub.Config.PublicURL, "/"), info.Version, info.Description, a.chapters(), problems()}
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return nil, fmt.Errorf("api: reference: %w", err)
	}
	return b.Bytes(), nil
}

func problems() (all []problemView) {
	for code, c := range codes {
		all = append(all, problemView{string(code), c.title, c.status})
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Status != all[j].Status {
			return all[i].Status < all[j].Status
		}
		return all[i].Code < all[j].Code
	})
	return all
}

func (a *API) chapters() (all []chapter) {
	for _, o := range a.operations() {
		i := slices.IndexFunc(all, func(c chapter) bool { return c.Name == o.Tags[0] })
		if i < 0 {
			i = len(all)
			all = append(all, chapter{Name: o.Tags[0], Anchor: "about-" + strings.ReplaceAll(strings.ToLower(o.Tags[0]), " ", "-")})
		}
		all[i].Operations = append(all[i].Operations, a.view(o))
	}
	return all
}

func (a *API) view(o *huma.Operation) operationView {
	text, _, _ := strings.Cut(o.Description, "Scope: `")
	v := operationView{ID: o.OperationID, Method: o.Method, Path: o.Path, Summary: o.Summary, Public: len(o.Security) == 0, Signed: len(o.Security) == 1}
	if text = strings.TrimSpace(text); text != "" {
		v.Detail = strings.Split(text, "\n\n")
	}
	if scopes, ok := o.Extensions["x-scope"].([]string); ok {
		v.Scopes = scopes
	}
	for _, p := range o.Parameters {
		f := fieldView{Name: p.Name, In: p.In, Required: p.Required, Doc: p.Description}
		if p.Schema != nil {
			f.Type, f.Choices = a.typeOf(p.Schema)
		}
		v.Parameters = append(v.Parameters, f)
	}
	if o.RequestBody != nil {
		if m := o.RequestBody.Content["application/json"]; m != nil {
			v.Fields = a.fields(m.Schema, "", 0)
			v.Request = coloured(m.Example)
		}
	}
	for status, r := range o.Responses {
		code, err := strconv.Atoi(status)
		if err != nil || code >= 300 {
			continue
		}
		v.Status = code
		for kind, m := range r.Content {
			if kind == "application/json" {
				v.Gives, v.Answer = a.fields(m.Schema, "", 0), coloured(m.Example)
			} else if v.Answer == "" {
				v.Kind = kind
			}
		}
	}
	if v.Answer != "" {
		v.Kind = ""
	}
	v.Curl = a.curl(o, &v)
	return v
}

// resolve follows references.
func (a *API) resolve(s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = a.huma.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// maxNesting is how deep the page shows members of members.
const maxNesting = 3

func (a *API) fields(s *huma.Schema, prefix string, depth int) (all []fieldView) {
	s = a.resolve(s)
	for s != nil && s.Type == huma.TypeArray {
		s = a.resolve(s.Items)
		prefix = strings.TrimSuffix(prefix, ".") + "[]."
	}
	if s == nil || s.Type != huma.TypeObject || depth == maxNesting {
		return nil
	}
	for _, name := range sortedNames(s) {
		p := s.Properties[name]
		f := fieldView{Name: prefix + name, Doc: p.Description, Required: slices.Contains(s.Required, name)}
		f.Type, f.Choices = a.typeOf(p)
		if f.Doc == "" {
			f.Doc = a.resolve(p).Description
		}
		all = append(all, f)
		all = append(all, a.fields(p, prefix+name+".", depth+1)...)
	}
	return all
}

// sortedNames puts what is required first.
func sortedNames(s *huma.Schema) []string {
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		ri, rj := slices.Contains(s.Required, names[i]), slices.Contains(s.Required, names[j])
		if ri != rj {
			return ri
		}
		return names[i] < names[j]
	})
	return names
}

// typeOf says a schema's type in a few words, and its choices.
func (a *API) typeOf(s *huma.Schema) (text string, choices []string) {
	s = a.resolve(s)
	switch {
	case s == nil:
		return "any", nil
	case s.Type == huma.TypeArray:
		text, choices = a.typeOf(s.Items)
		return "list of " + text, choices
	case len(s.Enum) > 0:
		for _, c := range s.Enum {
			choices = append(choices, fmt.Sprint(c))
		}
		return "one of", choices
	case s.Format == "date-time":
		return "time", nil
	case s.Type == huma.TypeString && strings.HasPrefix(s.Pattern, "^[a-z]{2,4}_"):
		return "identifier", nil
	case s.Type == huma.TypeString && strings.HasPrefix(s.Pattern, "^[A-Z]{3}"):
		return "currency", nil
	case s.Type == huma.TypeString && s.MaxLength != nil:
		return fmt.Sprintf("text, up to %d", *s.MaxLength), nil
	case s.Type == huma.TypeString:
		return "text", nil
	case s.Type == huma.TypeInteger && s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("integer, %d to %d", int64(*s.Minimum), int64(*s.Maximum)), nil
	case s.Type == "":
		return "any", nil
	}
	return s.Type, nil
}

// curl is a line that can be pasted into a shell.
func (a *API) curl(o *huma.Operation, v *operationView) string {
	lines := []string{"curl"}
	if o.Method != http.MethodGet {
		lines[0] += " -X " + o.Method
	}
	path := o.Path
	var query []string
	for _, p := range o.Parameters {
		switch {
		case p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", fmt.Sprint(a.sample(p.Schema, 0)))
		case p.In == "query" && p.Required:
			query = append(query, p.Name+"="+fmt.Sprint(a.sample(p.Schema, 0)))
		case p.In == "header" && p.Required:
			lines = append(lines, fmt.Sprintf("-H '%s: %v'", p.Name, a.sample(p.Schema, 0)))
		}
	}
	address := strings.TrimSuffix(a.hub.Config.PublicURL, "/") + path
	if len(query) > 0 {
		address += "?" + strings.Join(query, "&")
	}
	lines[0] += " '" + address + "'"
	switch {
	case v.Signed:
		lines = append(lines, `-H "Content-Digest: $DIGEST" -H "Signature-Input: $INPUT" -H "Signature: $SIGNATURE"`)
	case !v.Public:
		lines = append(lines, `-H "Authorization: Bearer $MOONGATE_TOKEN"`)
	}
	if o.RequestBody != nil {
		if m := o.RequestBody.Content["application/json"]; m != nil {
			if b, err := json.Marshal(m.Example); err == nil && len(b) < 700 {
				lines = append(lines, "-H 'Content-Type: application/json'", "-d '"+strings.ReplaceAll(string(b), "'", `'\''`)+"'")
			} else {
				lines = append(lines, "-H 'Content-Type: application/json'", "-d @request.json")
			}
		}
	}
	return strings.Join(lines, " \\\n  ")
}

// inline shows `code` in a text as such.
func inline(text string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(text, "`") {
		if i%2 == 1 {
			b.WriteString("<code>" + template.HTMLEscapeString(part) + "</code>")
		} else {
			b.WriteString(template.HTMLEscapeString(part))
		}
	}
	return template.HTML(b.String()) //nolint:gosec // every part was escaped
}

// coloured writes JSON with its parts marked for the style.
func coloured(v any) template.HTML {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil || v == nil {
		return ""
	}
	var b strings.Builder
	for i, line := range strings.Split(string(text), "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		indent := len(line) - len(strings.TrimLeft(line, " "))
		b.WriteString(line[:indent])
		line = line[indent:]
		if name, value, ok := strings.Cut(line, `": `); ok && strings.HasPrefix(line, `"`) {
			b.WriteString(`<b>` + template.HTMLEscapeString(name+`"`) + `</b>: `)
			line = value
		}
		switch {
		case strings.HasPrefix(line, `"`):
			b.WriteString(`<i>` + template.HTMLEscapeString(line) + `</i>`)
		default:
			b.WriteString(template.HTMLEscapeString(line))
		}
	}
	return template.HTML(b.String()) //nolint:gosec // every part was escaped
}
