package api_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// world is a hub that serves on loopback, with an operator and a few participants.
type world struct {
	t        *testing.T
	hub      *hub.Hub
	api      *api.API
	url      string
	operator string // token
	log      *safeBuffer
	now      func() moongate.Time
	keys     map[string]ed25519.PrivateKey
	requests int
}

// safeBuffer is the hub's log.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// open starts the world. The server may be changed before it serves.
func open(t *testing.T, change ...func(*api.API, *http.Server)) *world {
	t.Helper()
	return openWith(t, func(*hub.Options) {}, change...)
}

// openWith is open with other options of the hub.
func openWith(t *testing.T, options func(*hub.Options), change ...func(*api.API, *http.Server)) *world {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, url: "http://" + listener.Addr().String(), log: &safeBuffer{}, keys: map[string]ed25519.PrivateKey{}}
	w.now = func() moongate.Time { return moongate.At(time.Now()) }
	random := func(b []byte) { rand.Read(b) }
	config, err := hub.Init(t.TempDir(), hub.Config{Name: "hub.example", Listen: listener.Addr().String(), PublicURL: w.url, Operator: "office"}, random, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := hub.ReadSecrets(config.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	o := hub.Options{
		Config: config, Secrets: secrets, Now: time.Now, Random: random, NoSync: true,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Fatal: func(err error) { panic(err) },
	}
	options(&o)
	if w.hub, err = hub.Open(ctx, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.hub.Close() })
	if w.operator, err = w.hub.Bootstrap(ctx, "The Garden Office"); err != nil {
		t.Fatal(err)
	}
	w.api = api.New(w.hub, "test")
	server := api.Server(nil, w.hub.Log)
	for _, f := range change {
		f(w.api, server)
	}
	server.Handler = w.api.Handler()
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return w
}

// join registers a participant with a key and gives a token with the scopes.
func (w *world) join(handle string, kind party.Kind, scopes party.Scopes) (token string) {
	w.t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := party.Prove(private, handle)
	if err != nil {
		w.t.Fatal(err)
	}
	w.keys[handle] = private
	ctx := context.Background()
	if _, err := hub.Do[party.Done](ctx, w.hub, "", "", &party.Register{Handle: handle, Kind: kind, Name: handle, Keys: []party.NewKey{key}}); err != nil {
		w.t.Fatal(err)
	}
	if token, err = w.hub.IssueToken(ctx, "", handle, "test", scopes, 0); err != nil {
		w.t.Fatal(err)
	}
	return token
}

// call is one request. What is zero is left out.
type call struct {
	method, path string
	token        string // bearer
	signer       string // participant whose key signs
	key          string // idempotency key; "-" for none, "" for a fresh one
	body         any    // string: as it is; else as JSON
	header       map[string]string
	change       func(*http.Request) // after signing
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	text   string
}

func (r reply) problem(t *testing.T) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal([]byte(r.text), &p); err != nil {
		t.Fatalf("status %d is no problem+json: %q", r.status, r.text)
	}
	return p
}

func (r reply) into(t *testing.T, to any) {
	t.Helper()
	if r.status >= 300 {
		t.Fatalf("status %d: %s", r.status, r.text)
	}
	if err := json.Unmarshal([]byte(r.text), to); err != nil {
		t.Fatalf("%v: %q", err, r.text)
	}
}

func (w *world) request(c call) *http.Request {
	w.t.Helper()
	var body []byte
	switch b := c.body.(type) {
	case nil:
	case string:
		body = []byte(b)
	default:
		var err error
		if body, err = json.Marshal(b); err != nil {
			w.t.Fatal(err)
		}
	}
	if c.method == "" {
		c.method = http.MethodGet
		if body != nil {
			c.method = http.MethodPost
		}
	}
	r, err := http.NewRequest(c.method, w.url+c.path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.method != http.MethodGet && c.key != "-" {
		if w.requests++; c.key == "" {
			c.key = fmt.Sprintf("test-%d", w.requests)
		}
		r.Header.Set("Idempotency-Key", c.key)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	if c.signer != "" {
		private := w.keys[c.signer]
		s := httpsig.Signer{KeyID: party.PublicKey(private.Public().(ed25519.PublicKey)).ID(), Key: private, Now: w.now, Random: rand.Reader}
		if err := s.Sign(r, body); err != nil {
			w.t.Fatal(err)
		}
	}
	if c.change != nil {
		c.change(r)
	}
	return r
}

func (w *world) do(c call) reply {
	w.t.Helper()
	return w.send(w.request(c))
}

var transport = &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (w *world) send(r *http.Request) reply {
	w.t.Helper()
	resp, err := transport.Do(r)
	if err != nil {
		w.t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	out := reply{resp.StatusCode, resp.Header, string(text)}
	w.polite(r, out)
	return out
}

// polite checks what every answer must be.
func (w *world) polite(r *http.Request, out reply) {
	w.t.Helper()
	id := out.header.Get("Request-Id")
	if !strings.HasPrefix(id, "req_") || out.header.Get("X-Content-Type-Options") != "nosniff" {
		w.t.Errorf("%s %s: headers %v", r.Method, r.URL.Path, out.header)
	}
	if out.status < 400 {
		return
	}
	p := out.problem(w.t)
	if out.header.Get("Content-Type") != "application/problem+json" || p.Status != out.status || p.Code == "" || p.Title == "" || p.Detail == "" ||
		p.Type != "urn:moongate:"+p.Code || p.Instance != id {
		w.t.Errorf("%s %s: not a problem as it should be: %d %v %s", r.Method, r.URL.Path, out.status, out.header, out.text)
	}
}
