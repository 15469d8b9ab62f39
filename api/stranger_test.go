package api_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// Why a participant was suspended, or a key revoked, is for whoever has the key: a signature that was made up tells
// nobody.
func TestWhyIsNotForStrangers(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.join("shop", party.Merchant, party.AllScopes)
	w.join("mall", party.Merchant, party.AllScopes)
	w.do(call{path: "/v1/participants/suspend", token: w.operator, body: party.Suspend{Handle: "shop", Reason: "owes for the plum wine"}}).into(t, &struct{}{})
	id := func(handle string) string { return party.PublicKey(w.keys[handle].Public().(ed25519.PublicKey)).ID() }
	w.do(call{path: "/v1/keys/revoke", token: w.operator, body: party.RevokeKey{Handle: "mall", Key: id("mall"), Reason: "lost with the plum wine"}}).into(t, &struct{}{})
	_, forger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, handle := range []string{"shop", "mall"} {
		r := w.request(call{path: "/v1/participants/shop"})
		s := httpsig.Signer{KeyID: id(handle), Key: forger, Now: w.now, Random: rand.Reader}
		if err := s.Sign(r, nil); err != nil {
			t.Fatal(err)
		}
		if got := w.send(r); got.status != 401 || !strings.Contains(got.text, "does not fit") || strings.Contains(got.text, "plum") || strings.Contains(got.text, handle) {
			t.Errorf("a forger learns of %s: %d %s", handle, got.status, got.text)
		}
	}
	if got := w.do(call{path: "/v1/participants/shop", signer: "shop"}); got.status != 403 || !strings.Contains(got.text, "plum wine") {
		t.Errorf("the shop itself: %d %s", got.status, got.text)
	}
	if got := w.do(call{path: "/v1/participants/shop", signer: "mall"}); got.status != 401 || !strings.Contains(got.text, "lost with the plum wine") {
		t.Errorf("who has the revoked key: %d %s", got.status, got.text)
	}
}

// Whoever may not use an operation has nothing of his request read, parsed or judged.
func TestOnlyCallersAreParsed(t *testing.T) {
	t.Parallel()
	w := open(t)
	narrow := w.join("narrow", party.Merchant, party.PaymentsRead)
	wild := `{"handle":` + strings.Repeat(`[`, 20)
	for name, tt := range map[string]struct {
		call
		status int
	}{
		"nobody":               {call{path: "/v1/participants", body: wild}, 401},
		"nobody, no such path": {call{path: "/v1/nothing", body: wild}, 404},
		"scope missing":        {call{path: "/v1/participants/rename", token: narrow, body: wild}, 403},
		"not signed":           {call{path: "/v1/payments", token: w.join("shop", party.Merchant, party.AllScopes), body: wild}, 401},
		"not an operator":      {call{path: "/v1/participants?colour=red", signer: "shop", body: wild}, 403},
		"no key either":        {call{path: "/v1/participants/rename", token: narrow, body: wild, key: "-"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			if got := w.do(tt.call); got.status != tt.status {
				t.Errorf("got %d %s", got.status, got.text)
			}
		})
	}
	// A body that never comes is not waited for where nobody shows who sends it.
	for name, head := range map[string]string{"none": "", "a token made up": "Authorization: Bearer mgt_x\r\n", "a signature made up": "Signature: a=:AAAA:\r\nSignature-Input: a=()\r\n"} {
		t.Run("slow body, "+name, func(t *testing.T) {
			began := time.Now()
			status, closed := w.raw(t, "POST /v1/participants/rename HTTP/1.1\r\nHost: "+w.url[len("http://"):]+"\r\n"+head+"Content-Length: 1000000\r\n\r\n{")
			if status != 401 && status != 400 || !closed || time.Since(began) > api.RequestTimeout/2 {
				t.Errorf("status %d, closed %t, after %v", status, closed, time.Since(began))
			}
		})
	}
}

// raw sends bytes, and gives the status of what comes back and whether the connection then ends.
func (w *world) raw(t *testing.T, text string) (status int, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", w.url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(api.RequestTimeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, resp.Close
}

// Who announces large bodies and sends none of them takes no room from others.
func TestAnnouncedBodies(t *testing.T) {
	t.Parallel()
	w := open(t, func(a *api.API, _ *http.Server) { a.Bounds.Bytes = 512 << 10 })
	shop := w.join("shop", party.Merchant, party.AllScopes)
	for range 50 {
		conn, err := net.Dial("tcp", w.url[len("http://"):])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/participants/rename HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: 1000000\r\n\r\n{", w.url[len("http://"):], shop)
	}
	waitFor(t, func() bool {
		var h api.Health
		w.do(call{path: "/v1/health", token: w.operator}).into(t, &h)
		return h.Requests > 50
	})
	if got := w.do(call{path: "/v1/participants/rename", token: shop, body: party.Rename{Handle: "shop", Name: "Shop"}}); got.status != 200 {
		t.Errorf("somebody else's request: %d %s", got.status, got.text)
	}
	// What does come has its bounds.
	if got := w.do(call{path: "/v1/participants/rename", token: shop, body: strings.Repeat(" ", 900<<10)}); got.status != 503 || got.problem(t).Code != string(moongate.Busy) {
		t.Errorf("more than there is room for: %d %s", got.status, got.text)
	}
}

// A cursor of one list is none of another, also where both are the reader's own.
func TestCursorsOfOtherLists(t *testing.T) {
	t.Parallel()
	e := furnish(t)
	var accounts api.Page[api.Account]
	e.do(call{path: "/v1/accounts", signer: "lotus"}).into(t, &accounts)
	next := map[string]string{}
	for _, a := range accounts.Items {
		var page struct {
			Next string `json:"next"`
		}
		e.do(call{path: "/v1/accounts/history?limit=1&account=" + a.Name, signer: "lotus"}).into(t, &page)
		if page.Next != "" {
			next[a.Name] = page.Next
		}
	}
	if len(next) == 0 || len(accounts.Items) < 2 {
		t.Fatalf("%d accounts, cursors of %v", len(accounts.Items), next)
	}
	for name, cursor := range next {
		for _, a := range accounts.Items {
			want := 400
			if a.Name == name {
				want = 200
			}
			if got := e.do(call{path: "/v1/accounts/history?account=" + a.Name + "&after=" + cursor, signer: "lotus"}); got.status != want {
				t.Errorf("a cursor of %s at %s: %d %s", name, a.Name, got.status, got.text)
			}
		}
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to this")
		}
	}
}

// Bodies that cost more to read than they are worth, or that two readers would read differently.
func TestCostlyBodies(t *testing.T) {
	t.Parallel()
	w := open(t)
	shop := w.join("shop", party.Merchant, party.AllScopes)
	scopes := func(s string) call {
		return call{path: "/v1/credentials", token: shop, body: `{"handle":"shop","name":"x","scopes":` + s + `}`}
	}
	name := func(s string) call {
		return call{path: "/v1/participants/rename", token: shop, body: `{"handle":"shop","name":"` + s + `"}`}
	}
	for title, tt := range map[string]struct {
		call
		says string
	}{
		"objects for words":    {scopes(`[{},{}]`), "string"},
		"lists for words":      {scopes(`[[],[]]`), "string"},
		"a word twice":         {scopes(`["events:read","events:read"]`), "twice"},
		"a word and an object": {scopes(`["events:read",{}]`), "string"},
		"numbers without end":  {scopes(`[` + strings.Repeat("1,", 400_000) + `1]`), "values"},
		"objects without end":  {scopes(`[` + strings.Repeat("{},", 300_000) + `{}]`), "values"},
		"names without end":    {call{path: "/v1/participants/rename", token: shop, body: `{"handle":"shop","name":"S","` + strings.Repeat("x", 900_000) + `":1}`}, "unexpected"},
		"half a pair":          {name(`\ud800`), "surrogate"},
		"the other half":       {name(`a\udc00b`), "surrogate"},
		"lost text":            {name("a\ufffdb"), "surrogate"},
		"half a letter":        {name("a\xc3"), "UTF-8"},
		"a name cut in two":    {call{path: "/v1/participants/rename", token: shop, body: "{\"handle\":\"shop\",\"na\xffme\":\"S\"}"}, "UTF-8"},
		"beyond floats":        {call{path: "/v1/webhooks/redeliver", token: shop, body: `{"webhook":1e400,"cursor":"x"}`}, ""},
		"a fraction":           {call{path: "/v1/refunds", signer: "shop", body: `{"payment":"pay_aeaqc_mfrggzdfmztwq2lknnwa","reference":"R","amount":1.0}`}, "whole number"},
		"an exponent":          {call{path: "/v1/refunds", signer: "shop", body: `{"payment":"pay_aeaqc_mfrggzdfmztwq2lknnwa","reference":"R","amount":1e3}`}, "whole number"},
		"beyond 64 bits":       {call{path: "/v1/refunds", signer: "shop", body: `{"payment":"pay_aeaqc_mfrggzdfmztwq2lknnwa","reference":"R","amount":92233720368547758070}`}, ""},
		"not a number":         {call{path: "/v1/refunds", signer: "shop", body: `{"payment":"pay_aeaqc_mfrggzdfmztwq2lknnwa","reference":"R","amount":NaN}`}, "JSON"},
	} {
		t.Run(title, func(t *testing.T) {
			w.t = t
			got := w.do(tt.call)
			if got.status != 400 || got.problem(t).Code != string(moongate.Malformed) || !strings.Contains(got.text, tt.says) || strings.Contains(got.text, "Go struct") {
				t.Errorf("got %d %.600s", got.status, got.text)
			}
			if len(got.text) > 4<<10 {
				t.Errorf("an answer of %d bytes", len(got.text))
			}
		})
	}
	if strings.Contains(w.log.String(), "panic") {
		t.Error("a handler panicked")
	}
}

// Connections have a bound. Those that only wait make room for new ones; those at work go on.
func TestConnectionsHaveABound(t *testing.T) {
	t.Parallel()
	release, arrived := make(chan struct{}), make(chan struct{}, 8)
	w := open(t, func(a *api.API, s *http.Server) {
		s.ConnState = api.NewConnections(3).Watch
		a.Mux().HandleFunc("GET /v1/wait", func(rw http.ResponseWriter, _ *http.Request) {
			arrived <- struct{}{}
			<-release
			fmt.Fprint(rw, "done")
		})
	})
	get := func(conn net.Conn, path string) (status int, err error) {
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return 0, err
		}
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, w.url[len("http://"):]); err != nil {
			return 0, err
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, err
	}
	var conns []net.Conn
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", w.url[len("http://"):])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conns = append(conns, conn)
		return conn
	}
	for range 3 {
		if status, err := get(dial(), "/healthz"); status != 200 {
			t.Fatalf("%d, %v", status, err)
		}
	}
	if status, err := get(dial(), "/healthz"); status != 200 {
		t.Errorf("one more, while others are idle: %d, %v", status, err)
	}
	if status, err := get(conns[0], "/healthz"); err == nil {
		t.Errorf("the one that was idle longest is still there: %d", status)
	}
	results := make(chan error, 3)
	for _, conn := range conns[1:] {
		go func() {
			_, err := get(conn, "/v1/wait")
			results <- err
		}()
		<-arrived
	}
	if status, err := get(dial(), "/healthz"); err == nil {
		t.Errorf("one more, while all are at work: %d", status)
	}
	close(release)
	for range 3 {
		if err := <-results; err != nil {
			t.Errorf("what was at work: %v", err)
		}
	}
}

// Who asks for much and takes nothing in holds no place for long.
func TestReadersWhoDoNotRead(t *testing.T) {
	t.Parallel()
	w := open(t, func(a *api.API, s *http.Server) {
		a.Bounds.Requests, s.WriteTimeout = 1, 300*time.Millisecond
	})
	conn, err := net.Dial("tcp", w.url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	ask := strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: "+w.url[len("http://"):]+"\r\n\r\n", 200)
	go io.WriteString(conn, ask)
	stuck := false
	for range 5 { // answers of half a megabyte fill what the system holds for a reader
		time.Sleep(20 * time.Millisecond)
		resp, err := transport.Get(w.url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		stuck = stuck || resp.StatusCode == http.StatusServiceUnavailable
	}
	if !stuck {
		t.Skip("this system takes in more for a reader than we would send")
	}
	waitFor(t, func() bool {
		resp, err := transport.Get(w.url + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// A stream's signs of life look alike, whether the rest of the hub is busy or asleep.
func TestPulsesTellNothing(t *testing.T) {
	t.Parallel()
	w := open(t, func(a *api.API, _ *http.Server) { a.Bounds.Pulse = 40 * time.Millisecond })
	shop := w.join("shop", party.Merchant, party.EventsRead)
	rival := w.join("rival", party.Merchant, party.AllScopes)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r := w.request(call{path: "/v1/events", token: shop, header: map[string]string{"Accept": "text/event-stream"}})
	resp, err := transport.Do(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	pulses := func(n int) (shapes map[string]bool) {
		shapes = map[string]bool{}
		for n > 0 && lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ":")
			switch {
			case name == "event", name == "data":
				shapes = map[string]bool{} // the first page of its own events
			case lines.Text() != "":
				shapes[fmt.Sprintf("%s of %d", name, len(value))] = true
				n--
			}
		}
		return shapes
	}
	pulses(4)
	asleep := pulses(5)
	for i := range 5 {
		w.do(call{path: "/v1/participants/rename", token: rival, body: party.Rename{Handle: "rival", Name: fmt.Sprint("Rival ", i)}}).into(t, &struct{}{})
	}
	busy := pulses(5)
	if len(asleep) != 1 || len(busy) != 1 || fmt.Sprint(asleep) != fmt.Sprint(busy) {
		t.Errorf("asleep %v, busy %v", asleep, busy)
	}
}

// A proxy, or a transport, that sends a signed request twice does not make a client believe that it was refused.
func TestClientOutlivesRepeats(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.join("shop", party.Merchant, party.AllScopes)
	first := true
	proxy := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		pass := func() *http.Response {
			again, err := http.NewRequest(r.Method, w.url+r.URL.RequestURI(), strings.NewReader(string(body)))
			if err != nil {
				t.Error(err)
			}
			again.Header, again.Host = r.Header.Clone(), w.url[len("http://"):]
			resp, err := transport.Do(again)
			if err != nil {
				t.Error(err)
			}
			return resp
		}
		resp := pass()
		if first { // the answer is lost, and the proxy tries once more
			first = false
			resp.Body.Close()
			resp = pass()
		}
		defer resp.Body.Close()
		for name, values := range resp.Header {
			rw.Header()[name] = values
		}
		rw.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(rw, resp.Body)
	}))
	defer proxy.Close()
	private := w.keys["shop"]
	c, err := client.New(client.Options{URL: w.url, Random: rand.Reader, HTTP: &http.Client{Transport: through{proxy.URL[len("http://"):]}}, Signer: &httpsig.Signer{
		KeyID: party.PublicKey(private.Public().(ed25519.PublicKey)).ID(), Key: private, Now: w.now, Random: rand.Reader,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do[party.Done](t.Context(), c, "/v1/participants/rename", party.Rename{Handle: "shop", Name: "Shop"}); err != nil {
		t.Errorf("renaming, through a proxy that repeats: %v", err)
	}
	if first {
		t.Error("nothing went through the proxy")
	}
}

// through sends what is for one host to another.
type through struct{ host string }

func (p through) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.Host, out.URL.Host = r.URL.Host, p.host
	return http.DefaultTransport.RoundTrip(out)
}
