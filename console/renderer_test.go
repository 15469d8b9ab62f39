package console

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
)

func TestEveryPageDrawsInEveryLanguage(t *testing.T) {
	r := newRenderer(t)
	for _, l := range Languages {
		for _, f := range fixtures(l) {
			t.Run(string(l)+"/"+f.name, func(t *testing.T) {
				html := render(t, r, f.draw(l), f.page)
				for _, want := range []string{`<html lang="` + l.Tag() + `">`, `<main id="main">`, "</html>"} {
					if !strings.Contains(html, want) {
						t.Errorf("no %s", want)
					}
				}
				clean(t, html)
				if l == English {
					if han := han.FindAllString(strings.ReplaceAll(html, "中文", ""), -1); len(han) > 0 {
						t.Errorf("Chinese on an English page: %q", han)
					}
				}
			})
		}
	}
}

var han = regexp.MustCompile(`\p{Han}+`)

func render(t *testing.T, r *Renderer, c PageContext, p Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Render(&b, c, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What no page may have: in its tags, whatever their attributes say, and anywhere.
var (
	values = regexp.MustCompile(`="[^"]*"`)
	inTags = map[string]*regexp.Regexp{
		"an inline style":   regexp.MustCompile(`<[^>]+\sstyle=`),
		"an inline handler": regexp.MustCompile(`<[^>]+\son[a-z]+=`),
		"an inline script":  regexp.MustCompile(`<script(?:\s[^>]*)?>[^<]`),
		"a style element":   regexp.MustCompile(`<style`),
	}
	anywhere = map[string]*regexp.Regexp{
		"a foreign file":      regexp.MustCompile(`(?:src|<link[^>]+href)="(?:https?:)?//`),
		"a script address":    regexp.MustCompile(`(?:href|action|src)="\s*(?:javascript|data|vbscript):`),
		"a refused address":   regexp.MustCompile(`ZgotmplZ`),
		"a missing value":     regexp.MustCompile(`&lt;nil&gt;|<no value>|%!`),
		"a hole in a message": regexp.MustCompile(`\{[a-z]+[?}]`),
	}
)

// clean finds what the content security policy would stop, what the escaper has refused and what nobody has filled in.
func clean(t *testing.T, html string) {
	t.Helper()
	bare := values.ReplaceAllLiteralString(html, `=""`)
	for what, pattern := range inTags {
		if found := pattern.FindString(bare); found != "" {
			t.Errorf("%s: %q", what, found)
		}
	}
	for what, pattern := range anywhere {
		if found := pattern.FindString(html); found != "" {
			t.Errorf("%s: %q", what, found)
		}
	}
}

// TestEmptyStructsDraw: a page that knows nothing yet is a page all the same.
func TestEmptyStructsDraw(t *testing.T) {
	r := newRenderer(t)
	for _, f := range fixtures(English) {
		empty := reflect.New(reflect.TypeOf(f.page)).Elem().Interface().(Page)
		var b bytes.Buffer
		if err := r.Render(&b, PageContext{}, empty); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		clean(t, b.String())
	}
}

// TestEveryTemplateHasAFixture keeps the screenshots and the tests above complete.
func TestEveryTemplateHasAFixture(t *testing.T) {
	drawn := map[string]bool{}
	for _, f := range fixtures(English) {
		drawn[f.page.template()] = true
	}
	for name := range newRenderer(t).pages[English] {
		if !drawn[name] {
			t.Errorf("no fixture draws page/%s.html", name)
		}
	}
}

// TestHostileStrings fills every string of every page with what would break out of HTML, attributes, addresses and SVG.
func TestHostileStrings(t *testing.T) {
	r := newRenderer(t)
	for _, evil := range []string{
		`"><script>alert(1)</script>' onload='alert(1) </title></template><img src=x onerror=alert(1)> {{.}}` + "\x00\xff\xfe",
		`javascript:alert(1)`, "//evil.example/x", `https://user:pw@evil.example`, "data:text/html,x",
	} {
		for _, f := range fixtures(Chinese) {
			c := f.draw(Chinese)
			c.Hub, c.Token, c.Query = evil, evil, url.Values{evil: {evil}, "after": {evil}}
			c.Viewer.Party = Party{ID: evil, Name: evil, Kind: evil}
			for _, states := range []bool{false, true} {
				html := render(t, r, c, poison(reflect.ValueOf(f.page), evil, states).Interface().(Page))
				for _, raw := range []string{"<script>alert", "<img src=x", `href="javascript:`, `href="//evil`, `action="//evil`, `href="data:`, `href="https://user`, `action="https:`} {
					if strings.Contains(html, raw) {
						t.Errorf("%s lets %q through as %q", f.name, evil, raw)
					}
				}
				clean(t, strings.ReplaceAll(html, "{{.}}", ""))
			}
		}
	}
}

// poison is a copy of a value with every string replaced. A state chooses a branch of a template, so it stays unless
// asked for.
func poison(v reflect.Value, evil string, states bool) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		out.SetString(evil)
	case reflect.Struct:
		out.Set(v)
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if field.IsExported() && (states || field.Name != "State") {
				out.Field(i).Set(poison(v.Field(i), evil, states))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(poison(v.Index(i), evil, states))
		}
	default:
		out.Set(v)
	}
	return out
}

// TestAddresses tells what a page may link to.
func TestAddresses(t *testing.T) {
	for address, want := range map[string][3]bool{ // way back, hand-off to a wallet, onward into an app
		"/console":                        {true, true, true},
		"/pay/x?y=z#a":                    {true, true, true},
		"https://bamboo.example/cart":     {true, true, true},
		"http://127.0.0.1:8080/x":         {true, true, true},
		"http://localhost/x":              {true, true, true},
		"http://[::1]:9/x":                {true, true, true},
		"http://bamboo.example/cart":      {false, false, false},
		"weixin://wxpay/bizpayurl?pr=abc": {false, true, true},
		"alipays://platformapi/startapp":  {false, true, true},
		"bamboo://item/7?x=y":             {false, false, true},
		"intent://item/7#Intent;end":      {false, false, true},
		"javascript://x/%0aalert(1)":      {false, false, false},
		"file:///etc/passwd":              {false, false, false},
		"view-source://x":                 {false, false, false},
		"javascript:alert(1)":             {false, false, false},
		"JavaScript:alert(1)":             {false, false, false},
		"data:text/html,x":                {false, false, false},
		"//evil.example":                  {false, false, false},
		"/\\evil.example":                 {false, false, false},
		"https://a:b@evil.example":        {false, false, false},
		"https://":                        {false, false, false},
		"weixin://x y":                    {false, false, false},
		"/a\nb":                           {false, false, false},
		"":                                {false, false, false},
		"relative":                        {false, false, false},
	} {
		if got := safeBack(address) != ""; got != want[0] {
			t.Errorf("safeBack(%q) lets it through: %v, want %v", address, got, want[0])
		}
		if got := safeHandoff(address) != ""; got != want[1] {
			t.Errorf("safeHandoff(%q) lets it through: %v, want %v", address, got, want[1])
		}
		if got := safeOnward(address) != ""; got != want[2] {
			t.Errorf("safeOnward(%q) lets it through: %v, want %v", address, got, want[2])
		}
	}
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"/x", "https://a.example", "weixin://a", "javascript:x", "//a", "/\t/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, a := range []string{safeBack(s), safeHandoff(s)} {
			if a == "" {
				continue
			}
			u, err := url.Parse(a)
			if err != nil {
				t.Fatal(err)
			}
			switch u.Scheme {
			case "", "https", "http", "weixin", "alipays", "alipay":
			default:
				t.Errorf("%q has passed", s)
			}
			if strings.HasPrefix(a, "//") || u.Scheme == "" && u.Host != "" {
				t.Errorf("%q leads to another host", s)
			}
		}
	})
}

func TestLinksKeepTheRestOfTheQuery(t *testing.T) {
	v := view{PageContext: PageContext{Query: url.Values{"kind": {"link"}, "after": {"c1"}, "lang": {"zh"}}}}
	for _, test := range []struct{ name, value, want string }{
		{"after", "c2", "?after=c2&kind=link"},
		{"after", "", "?kind=link"},
		{"state", "refused", "?kind=link&state=refused"}, // a new filter begins at the first line
		{"kind", "", "?"},
		{"lang", "en", "?kind=link&lang=en"},
	} {
		if got := v.With(test.name, test.value); got != test.want {
			t.Errorf("With(%s, %s) = %s, want %s", test.name, test.value, got, test.want)
		}
	}
	long := view{PageContext: PageContext{Query: url.Values{"kind": {"link"}, "from": {strings.Repeat("x", queryBytes+1)}, "to": {"a", "b"}}}}
	if got, want := long.With("state", "open"), "?kind=link&state=open"; got != want {
		t.Errorf("a link repeats what no list asks for: %.80s, want %s", got, want)
	}
	if got, want := v.Self(), "?after=c1&kind=link"; got != want {
		t.Errorf("Self() = %s, want %s", got, want)
	}
	if diff := cmp.Diff([]Field{{Name: "kind", Value: "link"}}, v.Keep("state")); diff != "" {
		t.Errorf("Keep: %s", diff)
	}
}

// TestRoutesAreComplete: every page that a template links to has a path.
func TestRoutesAreComplete(t *testing.T) {
	text := templates(t)
	for _, m := range regexp.MustCompile(`\b(?:to|id) "([a-z]+)"`).FindAllStringSubmatch(text, -1) {
		if Routes[m[1]] == "" {
			t.Errorf("templates link to %q, which has no path", m[1])
		}
	}
	for _, kind := range vocabularies["ref"] {
		if Routes[kind] == "" {
			t.Errorf("a Ref of %q has no path", kind)
		}
	}
	mux := http.NewServeMux()
	for _, pattern := range Routes {
		mux.Handle("GET "+pattern, http.NotFoundHandler()) // panics where two patterns are in each other's way
	}
	if got := to("payment", "a/b?c"); got != "/console/payments/a%2Fb%3Fc" {
		t.Errorf("an identifier is not escaped: %s", got)
	}
}

func TestServe(t *testing.T) {
	r := newRenderer(t)
	page := Cashier{State: "awaiting", Merchant: Party{Name: "Old Kiln"}, Opened: ago(moongate.Minute), Until: noon + moongate.Minute}
	for _, test := range []struct {
		name, method, kind string
		status             int
		begins             string
	}{
		{"whole", http.MethodGet, "", http.StatusOK, "<!doctype html>"},
		{"an error", http.MethodGet, "", http.StatusGone, "<!doctype html>"},
		{"the part that changes", http.MethodGet, "partial", http.StatusOK, `<div id="live"`},
		{"head", http.MethodHead, "", http.StatusOK, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, q := httptest.NewRecorder(), httptest.NewRequest(test.method, "/pay/x", nil)
			q.Header.Set("HX-Request-Type", test.kind)
			if err := r.Serve(w, q, test.status, PageContext{Now: noon}, page); err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || !strings.HasPrefix(w.Body.String(), test.begins) || (test.begins == "") != (w.Body.Len() == 0) {
				t.Errorf("%d %.40q, want %d %q", w.Code, w.Body.String(), test.status, test.begins)
			}
			if w.Header().Get("Content-Security-Policy") != ContentSecurityPolicy {
				t.Error("no content security policy")
			}
		})
	}
	t.Run("a stricter policy stays", func(t *testing.T) {
		w := httptest.NewRecorder()
		w.Header().Set("Referrer-Policy", "no-referrer")
		if err := r.Serve(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, PageContext{}, page); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("Referrer-Policy is %q", got)
		}
	})
	t.Run("a form that leads away", func(t *testing.T) {
		w := httptest.NewRecorder()
		if err := r.Serve(w, httptest.NewRequest(http.MethodGet, "/l/x", nil), http.StatusOK, PageContext{}, Onward{Confirm: true}); err != nil {
			t.Fatal(err)
		}
		if got := w.Header().Get("Content-Security-Policy"); strings.Contains(got, "form-action") || !strings.Contains(got, "script-src 'self'") {
			t.Errorf("the policy is %q, want all but form-action", got)
		}
	})
	w := httptest.NewRecorder()
	if err := r.Serve(w, httptest.NewRequest(http.MethodGet, "/", nil), http.StatusOK, PageContext{}, Cashier{State: "awaiting", Code: strings.Repeat("x", codeBytes+1)}); err == nil {
		t.Error("a QR code of any length is drawn")
	}
	if w.Body.Len() != 0 {
		t.Error("half a page has been written")
	}
}

func TestAssets(t *testing.T) {
	r := newRenderer(t)
	name, err := r.assets.url("moongate.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		target, method, accept string
		status                 int
		encoding               string
	}{
		{name, http.MethodGet, "", http.StatusOK, ""},
		{name, http.MethodGet, "gzip, br", http.StatusOK, "gzip"},
		{name, http.MethodHead, "", http.StatusOK, ""},
		{name, http.MethodPost, "", http.StatusMethodNotAllowed, ""},
		{AssetPath + "moongate.css", http.MethodGet, "", http.StatusNotFound, ""},
		{AssetPath + "../page/home.html", http.MethodGet, "", http.StatusNotFound, ""},
		{AssetPath, http.MethodGet, "", http.StatusNotFound, ""},
	} {
		w, q := httptest.NewRecorder(), httptest.NewRequest(test.method, test.target, nil)
		q.Header.Set("Accept-Encoding", test.accept)
		r.Assets().ServeHTTP(w, q)
		if w.Code != test.status || w.Header().Get("Content-Encoding") != test.encoding {
			t.Errorf("%s %s: %d %q, want %d %q", test.method, test.target, w.Code, w.Header().Get("Content-Encoding"), test.status, test.encoding)
		}
		if immutable := strings.Contains(w.Header().Get("Cache-Control"), "immutable"); immutable != (test.status == http.StatusOK) {
			t.Errorf("%s %s: immutable is %v", test.method, test.target, immutable)
		}
	}
	if _, err := r.assets.url("nothing.css"); err == nil {
		t.Error("an asset that is not there has an address")
	}
}

// TestVendoredFilesAreAsPublished compares them with the sums beside them.
func TestVendoredFilesAreAsPublished(t *testing.T) {
	source, err := assetFiles.ReadFile("asset/vendor/SOURCE.txt")
	if err != nil {
		t.Fatal(err)
	}
	sums := regexp.MustCompile(`(?m)^([0-9a-f]{64})  (\S+)$`).FindAllStringSubmatch(string(source), -1)
	if len(sums) != 3 {
		t.Fatalf("%d sums in SOURCE.txt, want 3", len(sums))
	}
	for _, m := range sums {
		data, err := assetFiles.ReadFile("asset/vendor/" + m[2])
		if err != nil {
			t.Error(err)
			continue
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != m[1] {
			t.Errorf("%s is %s, want %s as published", m[2], got, m[1])
		}
		if _, err := assetFiles.ReadFile("asset/vendor/" + m[2][:strings.IndexByte(m[2], '/')] + "/LICENSE"); err != nil {
			t.Errorf("%s has no licence beside it", m[2])
		}
	}
}

// TestGolden keeps the pages that money and proof depend on. UPDATE=1 writes the files anew; look at what changes.
func TestGolden(t *testing.T) {
	r := newRenderer(t)
	hashed := regexp.MustCompile(`(/assets/[A-Za-z.]+)\.[0-9a-f]{12}\.`)
	for _, l := range Languages {
		for _, f := range fixtures(l) {
			if name := f.page.template(); name != "cashier" && name != "receipt" && name != "blocked" && f.name != "crossing" && f.name != "window" {
				continue
			}
			file := filepath.Join("testdata", f.name+"."+string(l)+".html")
			got := hashed.ReplaceAllString(render(t, r, f.draw(l), f.page), "$1.HASH.")
			if os.Getenv("UPDATE") != "" {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s (-want +got); UPDATE=1 writes it anew:\n%s", file, diff)
			}
		}
	}
}

func BenchmarkRender(b *testing.B) {
	r := newRenderer(b)
	for _, f := range fixtures(English) {
		if f.name != "home" && f.name != "cashier-awaiting" && f.name != "crossings" {
			continue
		}
		for name, draw := range map[string]func(*bytes.Buffer) error{
			"whole": func(w *bytes.Buffer) error { return r.Render(w, f.draw(English), f.page) },
			"part":  func(w *bytes.Buffer) error { return r.RenderPart(w, f.draw(English), f.page) },
		} {
			b.Run(f.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				var w bytes.Buffer
				for b.Loop() {
					w.Reset()
					if err := draw(&w); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(w.Len()), "bytes/page")
			})
		}
	}
}
