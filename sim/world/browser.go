package world

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// Browser is a shopper's: it keeps cookies, follows redirects, reads links and forms. It runs no script.
type Browser struct {
	Carrier http.RoundTripper
	Agent   string // User-Agent
	Lang    string // Accept-Language
	cookies map[string]map[string]string
}

// Page is what a browser shows, and how it got there.
type Page struct {
	Status int
	URL    *url.URL
	Hops   []*url.URL // before, oldest first
	Text   string
}

const (
	maxHops = 8
	maxPage = 2 << 20
)

// Open follows an address.
func (b *Browser) Open(ctx context.Context, address string) (*Page, error) {
	return b.follow(ctx, http.MethodGet, address, nil)
}

// Press sends a form with the button of a value; "" is also a form without buttons.
func (b *Browser) Press(ctx context.Context, p *Page, f *Form, button string) (*Page, error) {
	to, err := p.URL.Parse(f.Action)
	if err != nil {
		return nil, fmt.Errorf("a form leads to %.80q: %w", f.Action, err)
	}
	fields := url.Values{}
	for name, values := range f.Fields {
		fields[name] = values
	}
	switch i := f.button(button); {
	case i >= 0:
		fields.Set(f.Buttons[i].Name, f.Buttons[i].Value)
	case button != "":
		return nil, fmt.Errorf("the page at %s has no button %q", p.URL.Path, button)
	}
	if f.Method == http.MethodGet {
		to.RawQuery = fields.Encode()
		return b.follow(ctx, http.MethodGet, to.String(), nil)
	}
	return b.follow(ctx, http.MethodPost, to.String(), fields)
}

func (b *Browser) follow(ctx context.Context, method, address string, form url.Values) (*Page, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("address %.80q: %w", address, err)
	}
	var hops []*url.URL
	for range maxHops {
		answer, text, err := b.ask(ctx, method, at, form) //nolint:bodyclose // ask has read and closed it
		if err != nil {
			return nil, err
		}
		location := answer.Header.Get("Location")
		if answer.StatusCode < 300 || answer.StatusCode > 399 || location == "" {
			return &Page{Status: answer.StatusCode, URL: at, Hops: hops, Text: text}, nil
		}
		hops = append(hops, at)
		if at, err = at.Parse(location); err != nil {
			return nil, fmt.Errorf("redirect to %.80q: %w", location, err)
		}
		if answer.StatusCode != http.StatusTemporaryRedirect && answer.StatusCode != http.StatusPermanentRedirect {
			method, form = http.MethodGet, nil
		}
	}
	return nil, errors.New("redirects lead in a circle")
}

func (b *Browser) ask(ctx context.Context, method string, to *url.URL, form url.Values) (*http.Response, string, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(ctx, method, to.String(), body)
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("User-Agent", b.Agent)
	r.Header.Set("Accept-Language", b.Lang)
	r.Header.Set("Accept", "text/html")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", to.Scheme+"://"+to.Host)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range b.cookies[to.Host] {
		r.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // a request's cookie has no attributes
	}
	answer, err := b.Carrier.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxPage))
	if err != nil {
		return nil, "", err
	}
	b.keep(to.Host, answer.Cookies())
	return answer, string(text), nil
}

// keep takes cookies. Their time of expiry is left to whoever set them: a virtual clock is not the wall's.
func (b *Browser) keep(host string, cookies []*http.Cookie) {
	for _, c := range cookies {
		if b.cookies == nil {
			b.cookies = map[string]map[string]string{}
		}
		if b.cookies[host] == nil {
			b.cookies[host] = map[string]string{}
		}
		if c.MaxAge < 0 || c.Value == "" {
			delete(b.cookies[host], c.Name)
			continue
		}
		b.cookies[host][c.Name] = c.Value
	}
}

// Said is what a person reads on the page.
func (p *Page) Said() string {
	_, text, found := strings.Cut(p.Text, "<main")
	if !found {
		text = p.Text
	}
	return strings.Join(strings.Fields(html.UnescapeString(tagPattern.ReplaceAllString("<main"+text, " "))), " ")
}

// Form is one form of a page.
type Form struct {
	Method, Action string
	Fields         url.Values
	Buttons        []Button
}

// Button sends a form with one more field.
type Button struct{ Name, Value, Text string }

func (f *Form) button(value string) int {
	for i, b := range f.Buttons {
		if b.Value == value {
			return i
		}
	}
	return -1
}

var (
	formPattern   = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	inputPattern  = regexp.MustCompile(`(?is)<input\b([^>]*)>`)
	buttonPattern = regexp.MustCompile(`(?is)<button\b([^>]*)>(.*?)</button>`)
	anchorPattern = regexp.MustCompile(`(?is)<a\b([^>]*)>`)
	tagPattern    = regexp.MustCompile(`(?s)<[^>]*>`)
	attrPattern   = regexp.MustCompile(`(?is)([a-z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?`)
)

func attributes(tag string) map[string]string {
	all := map[string]string{}
	for _, m := range attrPattern.FindAllStringSubmatch(tag, -1) {
		all[strings.ToLower(m[1])] = html.UnescapeString(m[2] + m[3] + m[4])
	}
	return all
}

// Forms reads the page's forms.
func (p *Page) Forms() []Form {
	var forms []Form
	for _, m := range formPattern.FindAllStringSubmatch(p.Text, -1) {
		a := attributes(m[1])
		f := Form{Method: strings.ToUpper(a["method"]), Action: a["action"], Fields: url.Values{}}
		if f.Method == "" {
			f.Method = http.MethodGet
		}
		for _, in := range inputPattern.FindAllStringSubmatch(m[2], -1) {
			if i := attributes(in[1]); i["name"] != "" && i["type"] != "submit" {
				f.Fields.Add(i["name"], i["value"])
			}
		}
		for _, in := range buttonPattern.FindAllStringSubmatch(m[2], -1) {
			b := attributes(in[1])
			f.Buttons = append(f.Buttons, Button{b["name"], b["value"], strings.TrimSpace(html.UnescapeString(tagPattern.ReplaceAllString(in[2], "")))})
		}
		forms = append(forms, f)
	}
	return forms
}

// FormWith finds the form that has a button with a value.
func (p *Page) FormWith(button string) *Form {
	for _, f := range p.Forms() {
		if f.button(button) >= 0 {
			return &f
		}
	}
	return nil
}

// LinkTo finds the first link that begins with a prefix.
func (p *Page) LinkTo(prefix string) string {
	for _, m := range anchorPattern.FindAllStringSubmatch(p.Text, -1) {
		if to := attributes(m[1])["href"]; strings.HasPrefix(to, prefix) {
			return to
		}
	}
	return ""
}
