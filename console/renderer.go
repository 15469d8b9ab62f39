package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

//go:embed page/*.html
var pageFiles embed.FS

// Renderer draws pages. It is safe for concurrent use, and never changes.
type Renderer struct {
	words  *Catalogue
	assets *assets
	pages  map[Lang]map[string]*template.Template
}

// New reads the embedded pages and assets and binds them to a catalogue. It fails where a page cannot be parsed or asks
// for an asset that is not there, so a program that starts can draw every page.
func New(words *Catalogue) (*Renderer, error) {
	a, err := loadAssets()
	if err != nil {
		return nil, err
	}
	r := &Renderer{words: words, assets: a, pages: map[Lang]map[string]*template.Template{}}
	names, err := fs.Glob(pageFiles, "page/*.html")
	if err != nil {
		return nil, err
	}
	for _, lang := range Languages {
		base, err := template.New("base").Funcs(r.functions(lang)).ParseFS(pageFiles, "page/_*.html")
		if err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
		r.pages[lang] = map[string]*template.Template{}
		for _, file := range names {
			name := strings.TrimSuffix(path.Base(file), ".html")
			if strings.HasPrefix(name, "_") {
				continue
			}
			t, err := base.Clone()
			if err == nil {
				_, err = t.ParseFS(pageFiles, file)
			}
			if err != nil {
				return nil, fmt.Errorf("console: %s: %w", file, err)
			}
			r.pages[lang][name] = t
		}
	}
	return r, nil
}

// Assets serves stylesheets, scripts and images below [AssetPath], for ever cacheable.
func (r *Renderer) Assets() http.Handler { return r.assets }

// Icon is where browsers find the hub's mark, for pages that are not drawn here and name none.
func (r *Renderer) Icon() string { return AssetPath + r.assets.names["mark.svg"] }

// Render draws a whole page. Nothing is written when it fails.
func (r *Renderer) Render(w io.Writer, c PageContext, p Page) error {
	return r.draw(w, c, p, "frame")
}

// RenderPart draws only what changes while a page is open, for a request that carries "HX-Request-Type: partial". It is
// the element that asked, to be put in its own place; of a page without such a part, all of its content.
func (r *Renderer) RenderPart(w io.Writer, c PageContext, p Page) error {
	return r.draw(w, c, p, "live")
}

// Serve answers a request with a page: all of it, or the part that htmx asks for again. The status of a part is always
// 200, for what it says is on the page already.
func (r *Renderer) Serve(w http.ResponseWriter, q *http.Request, status int, c PageContext, p Page) error {
	var b bytes.Buffer
	Secure(w.Header())
	if away, ok := p.(interface{ leadsAway() bool }); ok && away.leadsAway() {
		w.Header().Set("Content-Security-Policy", strings.Replace(ContentSecurityPolicy, " form-action 'self';", "", 1))
	}
	w.Header().Set("Vary", "HX-Request-Type, Cookie, Accept-Language")
	if q.Header.Get("HX-Request-Type") == "partial" {
		if err := r.RenderPart(&b, c, p); err != nil {
			return err
		}
		status = http.StatusOK
	} else if err := r.Render(&b, c, p); err != nil {
		return err
	}
	w.WriteHeader(status)
	if q.Method != http.MethodHead {
		_, _ = b.WriteTo(w) // the reader has gone away: nothing to do
	}
	return nil
}

func (r *Renderer) draw(w io.Writer, c PageContext, p Page, block string) error {
	if _, ok := r.pages[c.Lang]; !ok {
		c.Lang = English
	}
	t, ok := r.pages[c.Lang][p.template()]
	if !ok {
		return fmt.Errorf("console: no page %q", p.template())
	}
	if block == "live" && t.Lookup("live") == nil {
		block = "content"
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, block, view{PageContext: c, P: p}); err != nil {
		return fmt.Errorf("console: page %s: %w", p.template(), err)
	}
	_, err := b.WriteTo(w)
	return err
}

// view is what a template sees: the context, the page as P, and links that depend on both.
type view struct {
	PageContext
	P Page
}

// Name is the page's own name, and Section its place in the navigation.
func (v view) Name() string { return v.P.template() }

// Section is the part of the navigation that is lit.
func (v view) Section() string { return sections[v.P.template()] }

// Themed tells whether a choice of theme is the one in force.
func (v view) Themed(choice string) bool {
	theme, _ := parseTheme(choice)
	return theme == v.Theme
}

// Self is a link to this very page, which shows the same list to whoever follows it.
func (v view) Self() string { return v.With("after", v.Query.Get("after")) }

// With is a link to this very page with one parameter of its query changed, or dropped where the value is empty. A new
// filter begins at the first line again; another part of one list leaves the others where they are.
func (v view) With(name, value string) string {
	q := bounded(v.Query)
	if !slices.Contains(cursors, name) {
		for _, c := range cursors {
			delete(q, c)
		}
	}
	delete(q, "lang")
	delete(q, "theme")
	delete(q, name)
	if value != "" {
		q[name] = []string{value}
	}
	return "?" + q.Encode()
}

// Bounds on the query that links repeat: a page does not grow with what its address carries.
const (
	queryFields = 16
	queryBytes  = 300 // of one value: a cursor is the longest
)

// bounded is a query without what no list of ours would ask for.
func bounded(query url.Values) url.Values {
	q := make(url.Values, len(query)+1)
	for name, values := range query {
		if len(values) == 1 && len(name) <= queryBytes && len(values[0]) <= queryBytes && len(query) <= queryFields {
			q[name] = values
		}
	}
	return q
}

// Keep is the query without the named parameters, as fields of a form that changes them.
func (v view) Keep(names ...string) []Field {
	return keep(bounded(v.Query), names)
}
