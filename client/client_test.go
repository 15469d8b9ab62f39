package client_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// steady is randomness that tests can foretell.
type steady struct{}

func (steady) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

// script is a hub that answers as it is told, request by request.
type script struct {
	mu    sync.Mutex
	seen  []*http.Request
	body  []string
	steps []func(http.ResponseWriter)
	waits []time.Duration
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen, s.body = append(s.seen, r), append(s.body, string(b))
	if len(s.steps) == 0 {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	step(w)
}

// requests are those that came so far. An answer that breaks off says nothing of what its handler wrote.
func (s *script) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func say(status int, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		if status >= 400 {
			w.Header().Set("Content-Type", "application/problem+json")
		}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func hangUp(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func open(t *testing.T, s *script, change ...func(*client.Options)) *client.Client {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	o := client.Options{URL: server.URL, Token: "mgt_secret", Random: steady{}, Pause: func(_ context.Context, d time.Duration) error {
		s.waits = append(s.waits, d)
		return nil
	}}
	for _, f := range change {
		f(&o)
	}
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type answer struct {
	ID string `json:"id"`
}

// Where the outcome is not known the same request is sent again, with the same key, until it is.
func TestSameKeyUntilTheOutcomeIsKnown(t *testing.T) {
	s := &script{steps: []func(http.ResponseWriter){
		hangUp,
		say(503, `{"code":"unknown","detail":"the leader went away"}`, "Retry-After", "1"),
		say(502, `<html>`, "Content-Type", "text/html"),
		say(503, `{"code":"busy","detail":"no room"}`, "Retry-After", "3600"),
		say(201, `{"id":"pay_1"}`, "Moongate-Position", "here"),
		say(200, `{"id":"pay_1"}`),
	}}
	c := open(t, s)
	got, err := client.Do[answer](t.Context(), c, "/v1/payments", map[string]int{"amount": 5})
	if err != nil || got.ID != "pay_1" {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i, r := range s.requests() {
		if r.Header.Get("Idempotency-Key") != "000102030405060708090a0b0c0d0e0f" || s.body[i] != `{"amount":5}` || r.Header.Get("Authorization") != "Bearer mgt_secret" {
			t.Errorf("request %d: %v %s", i, r.Header, s.body[i])
		}
	}
	if want := []time.Duration{time.Second, 30 * time.Second}; len(s.waits) != 4 || s.waits[1] != want[0] || s.waits[3] != want[1] {
		t.Errorf("it waited %v: what the hub asks for is granted, within reason", s.waits)
	}
	if s.waits[0] > 150*time.Millisecond || s.waits[2] < 200*time.Millisecond {
		t.Errorf("it waited %v: pauses of its own grow", s.waits)
	}
	if _, err := client.Get[answer](t.Context(), c, "/v1/payments/pay_1", nil); err != nil || s.requests()[5].Header.Get("Moongate-Position") != "here" {
		t.Errorf("a read after a change does not ask for something as new: %v, %v", s.requests()[5].Header, err)
	}
}

// What the hub refuses is told as it is, at once.
func TestRefusals(t *testing.T) {
	s := &script{steps: []func(http.ResponseWriter){
		say(422, `{"code":"limit","detail":"too much","field":"amount","hint":"less","faults":[{"field":"a","detail":"b"},{"field":"c","detail":"d","hint":"e"}]}`, "Request-Id", "req_1"),
		say(404, `not here`, "Content-Type", "text/plain"),
		func(w http.ResponseWriter) {
			http.Redirect(w, httptest.NewRequest("GET", "/", nil), "/elsewhere", http.StatusFound)
		},
	}}
	c := open(t, s)
	_, err := client.Do[answer](t.Context(), c, "/v1/payments", struct{}{})
	var e *moongate.Error
	var f *client.Failure
	if !errors.As(err, &e) || *e != (moongate.Error{Code: moongate.Limit, Message: "too much", Field: "amount", Hint: "less"}) {
		t.Errorf("got %v", err)
	}
	if !errors.As(err, &f) || f.Status != 422 || f.Request != "req_1" || len(f.Faults) != 2 || err.Error() != "amount: too much; less\n  a: b\n  c: d; e" {
		t.Errorf("got %+v %q", f, err)
	}
	for _, want := range []moongate.Code{moongate.Malformed, moongate.Malformed} {
		if _, err := client.Get[answer](t.Context(), c, "/x", nil); moongate.CodeOf(err) != want {
			t.Errorf("got %v", err)
		}
	}
	if len(s.requests()) != 3 || len(s.waits) != 0 {
		t.Errorf("%d requests and %d pauses", len(s.requests()), len(s.waits))
	}
}

// It gives up after some tries, or when the caller does, and never tells a URL's secrets.
func TestGivingUp(t *testing.T) {
	s := &script{steps: slices.Repeat([]func(http.ResponseWriter){hangUp}, 10)}
	c := open(t, s, func(o *client.Options) { o.Tries = 3 })
	_, err := client.Get[answer](t.Context(), c, "/v1/x", url.Values{"token": {"plum"}})
	if moongate.CodeOf(err) != moongate.Unknown || len(s.requests()) != 3 || strings.Contains(fmt.Sprint(err), "plum") {
		t.Errorf("after %d requests: %v", len(s.requests()), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c = open(t, s, func(o *client.Options) {
		o.Pause = func(ctx context.Context, _ time.Duration) error { cancel(); return ctx.Err() }
	})
	if _, err := client.Do[answer](ctx, c, "/v1/x", struct{}{}); !errors.Is(err, context.Canceled) || moongate.CodeOf(err) != moongate.Unknown || len(s.requests()) != 4 {
		t.Errorf("after %d requests: %v", len(s.requests()), err)
	}
}

// Every request is signed anew, a repeated one too.
func TestSigning(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	public := party.PublicKey(private.Public().(ed25519.PublicKey))
	s := &script{steps: []func(http.ResponseWriter){hangUp, say(200, `{"id":"a"}`)}}
	n := byte(0)
	c := open(t, s, func(o *client.Options) {
		o.Token = ""
		o.Signer = &httpsig.Signer{KeyID: public.ID(), Key: private, Now: func() moongate.Time { return moongate.At(time.Now()) }, Random: readerFunc(func(p []byte) { n++; p[0] = n })}
	})
	if _, err := client.Do[answer](t.Context(), c, "/v1/payments", map[string]int{"amount": 5}); err != nil {
		t.Fatal(err)
	}
	var nonces []string
	for i, r := range s.requests() {
		r.URL.Scheme = "http"
		proof, err := (&httpsig.Verifier{Scheme: "http"}).Verify(r, []byte(s.body[i]), moongate.At(time.Now()), func(string) (ed25519.PublicKey, error) { return public[:], nil })
		if err != nil {
			t.Fatal(err)
		}
		nonces = append(nonces, proof.Nonce)
	}
	if len(nonces) != 2 || nonces[0] == nonces[1] {
		t.Errorf("nonces %v", nonces)
	}
}

type readerFunc func([]byte)

func (f readerFunc) Read(p []byte) (int, error) { clear(p); f(p); return len(p), nil }

// A list is read page by page, as far as it is wanted.
func TestPages(t *testing.T) {
	page := func(next string, ids ...string) func(http.ResponseWriter) {
		text := ""
		for _, id := range ids {
			text += `,{"id":"` + id + `"}`
		}
		return say(200, `{"items":[`+strings.TrimPrefix(text, ",")+`],"next":"`+next+`"}`)
	}
	s := &script{steps: []func(http.ResponseWriter){page("p2", "a", "b"), page("", "c"), page("p2", "a", "b"), say(400, `{"code":"malformed","detail":"x"}`)}}
	c := open(t, s)
	read := func(most int) (ids []string, last error) {
		for row, err := range client.All[answer](t.Context(), c, "/v1/x", url.Values{"limit": {"2"}}) {
			if err != nil {
				return ids, err
			}
			if ids = append(ids, row.ID); len(ids) == most {
				break
			}
		}
		return ids, nil
	}
	if ids, err := read(9); err != nil || !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("got %v, %v", ids, err)
	}
	if got := s.requests()[0].URL.RawQuery + " " + s.requests()[1].URL.RawQuery; got != "limit=2 after=p2&limit=2" {
		t.Errorf("asked for %s", got)
	}
	if ids, err := read(1); err != nil || !slices.Equal(ids, []string{"a"}) || len(s.requests()) != 3 {
		t.Errorf("got %v, %v after %d requests", ids, err, len(s.requests()))
	}
	if ids, err := read(9); moongate.CodeOf(err) != moongate.Malformed || len(ids) != 0 {
		t.Errorf("got %v, %v", ids, err)
	}
}

// A stream that breaks is taken up again behind the last event.
func TestEventsGoOn(t *testing.T) {
	stream := func(text string, then func(http.ResponseWriter)) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, text)
			w.(http.Flusher).Flush()
			if then != nil {
				then(w)
			}
		}
	}
	event := func(n int) string {
		return fmt.Sprintf("id: c%d\nevent: test\ndata: {\"id\":\"e%d\",\"cursor\":\"c%d\",\"kind\":\"test\"}\n\n", n, n, n)
	}
	s := &script{steps: []func(http.ResponseWriter){
		stream(event(1)+event(2)+"id: c3\ndata: half", hangUp),
		say(503, `{"code":"busy","detail":"x"}`),
		stream(": still here\n\nid: c5\n\n", nil),
		hangUp,
		stream(event(6), nil),
		say(401, `{"code":"unauthenticated","detail":"revoked"}`),
	}}
	c := open(t, s)
	var ids []string
	var last error
	for e, err := range c.Events(t.Context(), "c0") {
		if last = err; err == nil {
			ids = append(ids, e.ID)
		}
	}
	if !slices.Equal(ids, []string{"e1", "e2", "e6"}) || moongate.CodeOf(last) != moongate.Unauthenticated {
		t.Errorf("got %v, %v", ids, last)
	}
	var asked []string
	for _, r := range s.requests() {
		asked = append(asked, r.Header.Get("Last-Event-ID"))
	}
	if !slices.Equal(asked, []string{"c0", "c2", "c2", "c5", "c5", "c6"}) {
		t.Errorf("it went on from %v", asked)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []client.Options{{}, {URL: "hub.example"}, {URL: "ftp://x", Random: steady{}}, {URL: "https://u:p@x", Random: steady{}}, {URL: "https://x"}} {
		if _, err := client.New(o); moongate.CodeOf(err) != moongate.Malformed || strings.Contains(err.Error(), ":p@") && o.URL == "" {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
