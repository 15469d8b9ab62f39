package hub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/proof"
	"github.com/moongate-hub/moongate/sim/world"
)

// crawler fetches everything that a participant can: every read of the API with every identifier and cursor that it
// was ever told, every page of the console and all that they link to, the stream of events, the public log. What it
// gets it notes down without what is fresh randomness: an identifier is named by the order in which it first appears,
// and anything else that is drawn or enciphered by its length.
type crawler struct {
	t       *testing.T
	network *world.Network
	heads   []string // of what the browser got for the page that it is at
	token   string
	browser *world.Browser
	names   map[string]string
	seen    map[string]bool
	ways    map[string]int // a path was asked for, with one query or another
	queue   []string
	ids     []string
	cursors []string
	paths   []string // that want an identifier or a cursor
	reads   []string // all paths that can be read, as they are documented
	writes  []string // operations of the API that change something
	opened  map[string]bool
	notes   []string
}

// fetchable is what somebody can fetch, one note each, and the paths at which there never was anything. The code is that
// of the link that there is: most codes show that they were drawn, but some have no digit.
func fetchable(t *testing.T, handler http.Handler, token, code string) (notes, shut []string) {
	t.Helper()
	network := world.NewNetwork()
	network.Handle("hub.example", handler)
	c := &crawler{
		t: t, network: network, token: token, names: map[string]string{}, seen: map[string]bool{}, ways: map[string]int{}, opened: map[string]bool{},
		browser: &world.Browser{Agent: "Mozilla/5.0 (X11; Linux x86_64)", Lang: "en"},
	}
	c.browser.Carrier = carrier(func(r *http.Request) (*http.Response, error) {
		answer, err := network.RoundTrip(r)
		if err == nil {
			var header bytes.Buffer
			err = answer.Header.Write(&header)
			c.heads = append(c.heads, header.String())
		}
		return answer, err
	})
	c.name(code)
	c.signIn()
	c.begin()
	for len(c.queue) > 0 {
		path := c.queue[0]
		c.queue = c.queue[1:]
		if strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/log/") {
			c.fetch(path)
		} else {
			c.open(path)
		}
	}
	c.stream(handler)
	for _, w := range c.writes {
		c.write(w)
	}
	for _, path := range c.reads {
		if !c.opened[path] {
			shut = append(shut, path)
		}
	}
	return c.notes, shut
}

type carrier func(*http.Request) (*http.Response, error)

func (f carrier) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (c *crawler) signIn() {
	c.t.Helper()
	p, err := c.browser.Open(c.t.Context(), "http://hub.example/console/sign-in")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range p.Forms() {
		if f.Fields.Has("credential") {
			f.Fields.Set("credential", c.token)
			if p, err = c.browser.Press(c.t.Context(), p, &f, ""); err != nil || p.Status != http.StatusOK || p.URL.Path != "/console" {
				c.t.Fatalf("signing in: %v, %d at %s", err, p.Status, p.URL)
			}
			return
		}
	}
	c.t.Fatalf("no form to sign in with: %s", p.Said())
}

// begin queues every read that needs nothing, and remembers those that need an identifier.
func (c *crawler) begin() {
	c.t.Helper()
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(c.ask(http.MethodGet, "/openapi.json", "").body, &document); err != nil {
		c.t.Fatal(err)
	}
	for path, operations := range document.Paths {
		if !strings.HasPrefix(path, "/v1/") {
			continue
		}
		for method := range operations {
			if method == "get" {
				c.reads = append(c.reads, path)
			} else {
				c.writes = append(c.writes, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(c.writes)
	for _, path := range console.Routes {
		c.reads = append(c.reads, path)
	}
	slices.Sort(c.reads)
	for _, path := range c.reads {
		switch {
		case strings.Contains(path, "{handle}"):
			for _, handle := range []string{"pavilion-store", "tea-timer", "bystander", "nobody"} {
				c.add(strings.Replace(path, "{handle}", handle, 1))
			}
		case strings.Contains(path, "{"):
			c.paths = append(c.paths, path)
		default:
			c.add(path)
		}
	}
	// What the questions need that have parameters: this store's accounts, months and agreements.
	for _, month := range []string{"2026-03", "2026-04", "2026-05", "2026-06"} {
		for _, path := range []string{"/v1/statements/itemised", "/v1/statements/itemised/lines", "/v1/statements/itemised.csv"} {
			c.add(path + "?agreement=AGREEMENT&currency=EUR&month=" + month)
		}
	}
	for _, purpose := range []string{"payable", "receivable", "accrual", "clearing", "instructed"} {
		for _, owner := range []string{"pavilion-store", "tea-timer"} {
			account := url.QueryEscape(owner + "/EUR/" + purpose)
			c.add("/v1/accounts/balance?account=" + account)
			c.add("/v1/accounts/history?account=" + account)
		}
	}
	c.add("/log/checkpoint")
	size := int64(0)
	if checkpoint, _, ok := strings.Cut(string(c.ask(http.MethodGet, "/log/checkpoint", "").body), "\n\n"); ok {
		parsed, err := proof.ParseCheckpoint([]byte(checkpoint + "\n"))
		if err != nil {
			c.t.Fatal(err)
		}
		size = parsed.Size
	}
	for n := range size/256 + 2 {
		for _, kind := range []string{"0", "entries"} {
			c.add(fmt.Sprintf("/log/tile/%s/%03d", kind, n))
			for _, width := range []int64{1, size%256 - 1, size % 256, size%256 + 1} {
				if width > 0 {
					c.add(fmt.Sprintf("/log/tile/%s/%03d.p/%d", kind, n, width))
				}
			}
		}
	}
}

// A page that can be asked for in many ways is asked for in so many.
const manyWays = 6

func (c *crawler) add(path string) {
	base, query, _ := strings.Cut(path, "?")
	if c.seen[path] || query != "" && !strings.Contains(query, "month=") && !strings.Contains(query, "account=") && c.ways[base] >= manyWays {
		return
	}
	c.seen[path] = true
	c.ways[base]++
	c.queue = append(c.queue, path)
}

// reply is what the hub answers.
type reply struct {
	status int
	header string
	body   []byte
}

// ask sends a request as the API's client.
func (c *crawler) ask(method, path, body string) reply {
	r := httptest.NewRequest(method, "http://hub.example"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", "key-of-"+strings.ReplaceAll(strings.Trim(path, "/"), "/", "-"))
	}
	answer, err := c.network.RoundTrip(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	var header bytes.Buffer
	b, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Header.Write(&header)); err != nil {
		c.t.Fatal(err)
	}
	return reply{answer.StatusCode, header.String(), b}
}

func (c *crawler) fetch(path string) {
	asked := path
	if strings.Contains(path, "AGREEMENT") { // the first that was heard of
		i := slices.IndexFunc(c.ids, func(id string) bool { return strings.HasPrefix(id, "agr_") })
		if i < 0 {
			c.queue = append(c.queue, path)
			return
		}
		asked = strings.Replace(path, "AGREEMENT", c.ids[i], 1)
	}
	a := c.ask(http.MethodGet, asked, "")
	if a.status == http.StatusOK {
		c.open200(asked)
	}
	body := string(a.body)
	if strings.HasPrefix(path, "/log/tile/0/") { // hashes
		body = fmt.Sprint(len(a.body), " bytes")
	}
	c.note(path, a.status, a.header, body)
	var v any
	if json.Unmarshal(a.body, &v) == nil {
		c.learn(path, v)
	}
}

// open200 notes that there is something at a path, by its documented form.
func (c *crawler) open200(path string) {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for _, read := range c.reads {
		if pattern := strings.Split(read, "/"); len(pattern) == len(parts) && !c.opened[read] {
			fits := true
			for i, p := range pattern {
				fits = fits && (p == parts[i] || strings.HasPrefix(p, "{") && !slices.Contains(c.reads, path))
			}
			c.opened[read] = fits
		}
	}
}

// write sends a command: nothing at first, and then, where something is known that it is about, what makes sense to the
// hub. Errors, what they say, and what is let through are the same in all worlds.
func (c *crawler) write(operation string) {
	method, path, _ := strings.Cut(operation, " ")
	bodies := []string{"", "{}"}
	if body := meant[path]; body != "" {
		bodies = append(bodies, strings.NewReplacer(
			"STATEMENT", c.first("stm_"), "AGREEMENT", c.first("agr_"), "DESTINATION", c.first("dst_"), "WEBHOOK", c.first("whk_"), "WINDOW", c.first("win_"),
		).Replace(body))
	}
	for _, body := range bodies {
		a := c.ask(method, path, body)
		if m := newCode.FindSubmatch(a.body); m != nil {
			c.name(string(m[1]))
		}
		c.note(operation+" "+body, a.status, a.header, string(a.body))
	}
}

// first is the first identifier of a kind that was heard of.
func (c *crawler) first(kind string) string {
	for _, id := range c.ids {
		if strings.HasPrefix(id, kind) {
			return id
		}
	}
	return ""
}

// meant are commands that the hub takes from a store.
var meant = map[string]string{
	"/v1/agreements/terminate": `{"agreement":"AGREEMENT","party":"pavilion-store","reason":"we go our own ways"}`,
	"/v1/links":                `{"destination":"DESTINATION","agreement":"AGREEMENT","campaign":"summer"}`,
	"/v1/participants/rename":  `{"handle":"pavilion-store","name":"Pavilion"}`,
	"/v1/statements/confirm":   `{"statement":"STATEMENT"}`,
	"/v1/webhooks/rotate":      `{"webhook":"WEBHOOK"}`,
}

// learn follows the identifiers and cursors of an answer.
func (c *crawler) learn(path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if text, ok := v[k].(string); ok && text != "" {
				switch {
				case k == "next":
					base, query, _ := strings.Cut(path, "?")
					q, err := url.ParseQuery(query)
					if err != nil {
						c.t.Fatal(err)
					}
					q.Set("after", text)
					c.add(base + "?" + q.Encode())
				case k == "cursor":
					c.cursor(text)
				case identifier.MatchString(text):
					c.identifier(text)
				}
			}
			c.learn(path, v[k])
		}
	case []any:
		for _, one := range v {
			c.learn(path, one)
		}
	}
}

func (c *crawler) cursor(text string) {
	if slices.Contains(c.cursors, text) || len(c.cursors) > 40 {
		return
	}
	c.cursors = append(c.cursors, text)
	for _, path := range c.paths {
		if strings.Contains(path, "{cursor}") {
			c.add(strings.Replace(path, "{cursor}", text, 1))
		}
	}
}

// identifier asks for a thing wherever such things are asked for, and two of a kind in all wrong places too.
func (c *crawler) identifier(id string) {
	if slices.Contains(c.ids, id) {
		return
	}
	c.ids = append(c.ids, id)
	kind, _, _ := strings.Cut(id, "_")
	alike := 0
	for _, other := range c.ids {
		if strings.HasPrefix(other, kind+"_") {
			alike++
		}
	}
	own := own[kind]
	for _, path := range c.paths {
		if strings.Contains(path, "{cursor}") || strings.Contains(path, "{handle}") {
			continue
		}
		if alike > 2 && (own == "" || !strings.Contains(path, own)) {
			continue
		}
		path = strings.Replace(path, "{version}", "1", 1)
		c.add(parameter.ReplaceAllString(path, id))
	}
}

// own names the parameter under which identifiers of a kind stand.
var own = map[string]string{"cx": "crossing", "agr": "agreement", "win": "window", "stm": "statement", "whk": "webhook", "dst": "destination"}

var (
	parameter  = regexp.MustCompile(`\{[a-z]+\}`)
	identifier = regexp.MustCompile(`^[a-z]{2,3}_[a-z2-7]{5}_[a-z2-7]{20}$`)
	hyperlink  = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	mailHost   = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)
	shortened  = regexp.MustCompile(`[A-Za-z0-9+/=_-]+…[A-Za-z0-9+/=_-]+`)
	drawn      = regexp.MustCompile(`\b[a-z]{2,3}_[a-z2-7]{5}_[a-z2-7]{20}\b|\bevt_[a-z2-7]{24}\b|\breq_[0-9a-f]{16}\b`)
	newCode    = regexp.MustCompile(`"code":"([a-z2-7]{10})"`)
	linkCode   = regexp.MustCompile(`\b[a-z2-7]{10}\b`)
	enciphered = regexp.MustCompile(`[A-Za-z0-9+/=_-]{22,}`)
	// Where an event stands in its second's tree is drawn, and a receipt shows it.
	places = regexp.MustCompile(`(?s)<svg class="ladder".*?</svg>|"index":[0-9]+|on the (?:left|right)`)
	// A checkpoint's file is of the wall clock.
	signedAt = regexp.MustCompile(time.Now().UTC().Format("2006-01") + `-[0-9]{2}[T ][0-9:]{8}`)
)

// open looks at a page, and follows its links.
func (c *crawler) open(path string) {
	c.heads = c.heads[:0]
	p, err := c.browser.Open(c.t.Context(), "http://hub.example"+path)
	if err != nil {
		c.t.Fatal(err)
	}
	if p.Status == http.StatusOK {
		c.open200(path)
	}
	c.note(path, p.Status, p.URL.Path+"\n"+strings.Join(c.heads, "\n"), html.UnescapeString(p.Text))
	for _, m := range hyperlink.FindAllStringSubmatch(p.Text, -1) {
		to := html.UnescapeString(m[1])
		to = strings.TrimPrefix(strings.TrimPrefix(to, "http://hub.example"), "http://127.0.0.1")
		if strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.HasPrefix(to, console.AssetPath) && !strings.Contains(to, "sign-") && !strings.HasPrefix(to, "/l/") {
			to, _, _ = strings.Cut(to, "#")
			c.add(to)
		}
	}
}

func (c *crawler) note(path string, status int, header, body string) {
	c.notes = append(c.notes, fmt.Sprintf("%s → %d %s\n%s", c.plain(path), status, c.plain(header), c.plain(body)))
}

// plain takes out what is drawn anew every time, and keeps its length.
func (c *crawler) plain(text string) string {
	text = signedAt.ReplaceAllString(places.ReplaceAllString(text, "a place that was drawn"), "the time of signing")
	text = shortened.ReplaceAllString(mailHost.ReplaceAllString(text, "the mailbox"), "<short>")
	text = drawn.ReplaceAllStringFunc(text, c.name)
	text = enciphered.ReplaceAllStringFunc(text, func(s string) string { // a path is looked at part by part
		if !strings.HasPrefix(s, "/v1/") && !strings.Contains(s, "/events/") {
			return hidden(s)
		}
		parts := strings.Split(s, "/")
		for i := range parts {
			parts[i] = hidden(parts[i])
		}
		return strings.Join(parts, "/")
	})
	return linkCode.ReplaceAllStringFunc(text, func(s string) string {
		if c.names[s] == "" && !strings.ContainsAny(s, "234567") {
			return s // a word
		}
		return c.name(s)
	})
}

// hidden is the length of what no person wrote.
func hidden(s string) string {
	if len(s) < 22 || strings.ToLower(s) == s && !strings.ContainsAny(s, "0123456789") {
		return s
	}
	return fmt.Sprintf("<%d>", len(s))
}

// name gives what was drawn a name. All of a kind have one length.
func (c *crawler) name(id string) string {
	if c.names[id] == "" {
		kind, _, _ := strings.Cut(id, "_")
		if kind == id {
			kind = "code"
		}
		c.names[id] = fmt.Sprintf("%s#%d", kind, len(c.names))
	}
	return c.names[id]
}

// stream follows the events as they are sent, until as many came as there are.
func (c *crawler) stream(handler http.Handler) {
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(c.ask(http.MethodGet, "/v1/events?limit=500", "").body, &page); err != nil {
		c.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(c.t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://hub.example/v1/events", nil)
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Accept", "text/event-stream")
	line := &line{header: http.Header{}}
	done := make(chan struct{})
	go func() { handler.ServeHTTP(line, r); close(done) }()
	for end := time.Now().Add(20 * time.Second); strings.Count(line.String(), "\ndata: ") < len(page.Items); time.Sleep(5 * time.Millisecond) { // between two looks
		if time.Now().After(end) {
			c.t.Fatalf("the stream has %d events of %d", strings.Count(line.String(), "\ndata: "), len(page.Items))
		}
	}
	stop()
	<-done
	stream := line.String()
	c.note("the stream of events", line.status, "", stream[:strings.LastIndex(stream, "\ndata: ")])
}

// line is a connection whose deadlines never come: the hub's clock is virtual.
type line struct {
	header http.Header
	status int

	mu   sync.Mutex
	text bytes.Buffer
}

func (l *line) Header() http.Header              { return l.header }
func (l *line) WriteHeader(status int)           { l.status = status }
func (l *line) Flush()                           {}
func (l *line) SetReadDeadline(time.Time) error  { return nil }
func (l *line) SetWriteDeadline(time.Time) error { return nil }

func (l *line) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *line) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
