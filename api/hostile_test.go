package api_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/party"
)

const register = `{"handle":"tea-house","kind":"merchant","name":"Tea House"}`

// Whatever is wrong with a request, the answer is a problem with a code, the field and what to do; nothing half done.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	w := open(t)
	shop := w.join("shop", party.Merchant, party.AllScopes)
	narrow := w.join("narrow", party.Merchant, party.PaymentsRead)
	w.join("office-key", party.Operator, party.OperatorScope)
	w.join("gone", party.Merchant, party.AllScopes)
	gone := w.join("gone-2", party.Merchant, party.AllScopes)
	for _, handle := range []string{"gone", "gone-2"} {
		w.do(call{path: "/v1/participants/suspend", token: w.operator, body: party.Suspend{Handle: handle, Reason: "unpaid"}}).into(t, &struct{}{})
	}
	rename := party.Rename{Handle: "shop", Name: "Shop"}
	for name, tt := range map[string]struct {
		call
		status      int
		code        moongate.Code
		field, says string
	}{
		"no credential":         {call{path: "/v1/participants/shop"}, 401, moongate.Unauthenticated, "", "credential"},
		"another scheme":        {call{path: "/v1/participants/shop", header: map[string]string{"Authorization": "Basic b3BlbjpzZXNhbWU="}}, 401, moongate.Unauthenticated, "", "Authorization"},
		"token mistyped":        {call{path: "/v1/participants/shop", token: "mgt_x"}, 401, moongate.Unauthenticated, "", "token"},
		"token unknown":         {call{path: "/v1/participants/shop", token: party.FormatToken(moongate.NewID(moongate.KindCredential, moongate.Hub{1}, [12]byte{1}), party.Secret{1})}, 401, moongate.Unauthenticated, "", "credential"},
		"suspended, bearer":     {call{path: "/v1/participants/shop", token: gone}, 403, moongate.Forbidden, "", "suspended"},
		"suspended, signed":     {call{path: "/v1/participants/shop", signer: "gone"}, 403, moongate.Forbidden, "", "suspended"},
		"scope missing":         {call{path: "/v1/participants/rename", token: narrow, body: rename}, 403, moongate.Forbidden, "", "participant:write"},
		"operators only":        {call{path: "/v1/participants", token: shop, body: register}, 403, moongate.Forbidden, "", "operator"},
		"operators only, key":   {call{path: "/v1/participants", signer: "shop", body: register}, 403, moongate.Forbidden, "", "operator"},
		"for somebody else":     {call{path: "/v1/participants/rename", token: shop, body: party.Rename{Handle: "narrow", Name: "x"}}, 403, moongate.Forbidden, "handle", "shop"},
		"more than one has":     {call{path: "/v1/credentials", token: w.must(shop, party.ParticipantEdit), body: api.NewCredential{Handle: "shop", Name: "x", Scopes: party.PaymentsWrite}}, 403, moongate.Forbidden, "scopes", "give away"},
		"no such path":          {call{path: "/v1/nothing", token: shop}, 404, moongate.NotFound, "", "nothing is here"},
		"no such method":        {call{method: "DELETE", path: "/v1/participants", token: shop}, 405, moongate.Malformed, "", "DELETE"},
		"path not clean":        {call{path: "/v1/participants/../participants/shop", token: shop}, 404, moongate.NotFound, "", "nothing is here"},
		"slashes twice":         {call{path: "//v1/participants/shop", token: shop}, 404, moongate.NotFound, "", "nothing is here"},
		"no such participant":   {call{path: "/v1/participants/nobody", token: shop}, 404, moongate.NotFound, "", "nobody"},
		"no body":               {call{method: "POST", path: "/v1/participants", token: w.operator}, 400, moongate.Malformed, "", "required"},
		"not JSON":              {call{path: "/v1/participants", token: w.operator, body: `{"handle":`}, 400, moongate.Malformed, "", "JSON"},
		"two values":            {call{path: "/v1/participants", token: w.operator, body: register + register}, 400, moongate.Malformed, "", "follows"},
		"not UTF-8 nor text":    {call{path: "/v1/participants", token: w.operator, body: "\xff\xfe"}, 400, moongate.Malformed, "", "JSON"},
		"another type of body":  {call{path: "/v1/participants", token: w.operator, body: register, header: map[string]string{"Content-Type": "text/xml"}}, 415, moongate.Malformed, "", "unknown content type"},
		"unknown field":         {call{path: "/v1/participants", token: w.operator, body: `{"handle":"a","kind":"app","name":"A","colour":"red"}`}, 400, moongate.Malformed, "colour", "unexpected"},
		"field in other case":   {call{path: "/v1/participants", token: w.operator, body: `{"Handle":"a","kind":"app","name":"A"}`}, 400, moongate.Malformed, "handle", "unexpected"},
		"field twice":           {call{path: "/v1/participants", token: w.operator, body: `{"handle":"a","handle":"b","kind":"app","name":"A"}`}, 400, moongate.Malformed, "", "twice"},
		"field missing":         {call{path: "/v1/participants", token: w.operator, body: `{"handle":"a","kind":"app"}`}, 400, moongate.Malformed, "name", "missing"},
		"wrong type":            {call{path: "/v1/participants", token: w.operator, body: `{"handle":7,"kind":"app","name":"A"}`}, 400, moongate.Malformed, "handle", "string"},
		"null":                  {call{path: "/v1/participants", token: w.operator, body: `{"handle":null,"kind":"app","name":"A"}`}, 400, moongate.Malformed, "handle", "string"},
		"not in the list":       {call{path: "/v1/participants", token: w.operator, body: `{"handle":"a","kind":"ghost","name":"A"}`}, 400, moongate.Malformed, "kind", "ghost"},
		"no time":               {call{path: "/v1/credentials", token: shop, body: `{"handle":"shop","name":"x","scopes":["payments:read"],"expires":"tomorrow"}`}, 400, moongate.Malformed, "expires", "RFC 3339"},
		"no key of 32 bytes":    {call{path: "/v1/keys", token: shop, body: `{"handle":"shop","key":{"public":"AAAA","possession":"AAAA"}}`}, 400, moongate.Malformed, "key.possession", "base64url"},
		"nested without end":    {call{path: "/v1/participants", token: w.operator, body: strings.Repeat("[", 100_000)}, 400, moongate.Malformed, "", "deep"},
		"a number without end":  {call{path: "/v1/participants", token: w.operator, body: `{"handle":1e999999999,"kind":"app","name":"A"}`}, 400, moongate.Malformed, "", ""},
		"unknown query":         {call{path: "/v1/participants?colour=red", token: shop}, 400, moongate.Malformed, "colour", "unknown"},
		"limit out of range":    {call{path: "/v1/participants?limit=100000", token: shop}, 400, moongate.Malformed, "limit", "200"},
		"cursor made up":        {call{path: "/v1/participants?after=AAAA", token: shop}, 400, moongate.Malformed, "after", "cursor"},
		"position made up":      {call{path: "/v1/participants", token: shop, header: map[string]string{"Moongate-Position": "AAAA"}}, 400, moongate.Malformed, "Moongate-Position", "position"},
		"idempotency key gone":  {call{path: "/v1/participants/rename", token: shop, body: rename, key: "-"}, 400, moongate.Malformed, "Idempotency-Key", "required"},
		"idempotency key long":  {call{path: "/v1/participants/rename", token: shop, body: rename, key: strings.Repeat("k", 129)}, 400, moongate.Malformed, "Idempotency-Key", "128"},
		"idempotency key blank": {call{path: "/v1/participants/rename", token: shop, body: rename, key: "a b"}, 400, moongate.Malformed, "Idempotency-Key", "blanks"},
		"header too large":      {call{path: "/v1/participants/shop", token: strings.Repeat("x", 4000)}, 401, moongate.Unauthenticated, "", "token"},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			got := w.do(tt.call)
			p := got.problem(t)
			if got.status != tt.status || p.Code != string(tt.code) || p.Field != tt.field || !strings.Contains(got.text, tt.says) {
				t.Errorf("got %d %s", got.status, got.text)
			}
			if p.Hint == "" {
				t.Errorf("it does not say what to do: %s", got.text)
			}
		})
	}
}

// must issues another token with fewer scopes.
func (w *world) must(token string, scopes party.Scopes) string {
	w.t.Helper()
	var issued api.Token
	w.do(call{path: "/v1/credentials", token: token, body: api.NewCredential{Handle: "shop", Name: "less", Scopes: scopes}}).into(w.t, &issued)
	return issued.Token
}

// A signature counts for the request that it was made for, once, for a few minutes.
func TestHostileSignatures(t *testing.T) {
	t.Parallel()
	w := open(t)
	w.join("shop", party.Merchant, party.AllScopes)
	rename := func(change func(*http.Request)) call {
		return call{path: "/v1/participants/rename", signer: "shop", body: party.Rename{Handle: "shop", Name: "Shop"}, change: change}
	}
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			r.GetBody = nil
		}
	}
	for name, tt := range map[string]struct {
		call
		status int
		says   string
	}{
		"as it should be":   {rename(nil), 200, "{}"},
		"body changed":      {rename(body(`{"handle":"shop","name":"Shap"}`)), 401, "Content-Digest"},
		"digest changed":    {rename(func(r *http.Request) { r.Header.Set("Content-Digest", "sha-256=:"+strings.Repeat("A", 43)+"=:") }), 401, "does not fit"},
		"digest left out":   {rename(func(r *http.Request) { r.Header.Del("Content-Digest") }), 401, "Content-Digest"},
		"path changed":      {rename(func(r *http.Request) { r.URL.Path = "/v1/keys/revoke" }), 401, "does not fit"},
		"query added":       {rename(func(r *http.Request) { r.URL.RawQuery = "x=1" }), 401, "does not fit"},
		"key changed":       {rename(func(r *http.Request) { r.Header.Set("Idempotency-Key", "another") }), 401, "does not fit"},
		"another authority": {rename(func(r *http.Request) { r.Host = "hub.evil.example" }), 401, "not us"},
		"signature alone":   {rename(func(r *http.Request) { r.Header.Del("Signature-Input") }), 401, "missing"},
		"a bearer beside":   {rename(func(r *http.Request) { r.Header.Del("Signature"); r.Header.Set("Authorization", "Bearer "+w.operator) }), 401, "missing"},
		"compressed":        {rename(func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }), 400, "as it is"},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			if got := w.do(tt.call); got.status != tt.status || !strings.Contains(got.text, tt.says) {
				t.Errorf("got %d %s", got.status, got.text)
			}
		})
	}
	t.Run("made too early or late", func(t *testing.T) {
		w.t = t
		for _, off := range []moongate.Time{-6 * moongate.Minute, 6 * moongate.Minute} {
			w.now = func() moongate.Time { return moongate.At(time.Now()) + off }
			if got := w.do(rename(nil)); got.status != 401 || !strings.Contains(got.text, "signature") {
				t.Errorf("%v: got %d %s", off, got.status, got.text)
			}
		}
		w.now = func() moongate.Time { return moongate.At(time.Now()) }
	})
	t.Run("sent twice", func(t *testing.T) {
		w.t = t
		r := w.request(rename(nil))
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{200, 401, 401} {
			again := r.Clone(t.Context())
			again.Body = io.NopCloser(bytes.NewReader(text))
			if got := w.send(again); got.status != want || i > 0 && !strings.Contains(got.text, "received before") {
				t.Errorf("time %d: got %d %s", i, got.status, got.text)
			}
		}
	})
	t.Run("key revoked", func(t *testing.T) {
		w.t = t
		private := w.keys["shop"]
		id := party.PublicKey(private.Public().(ed25519.PublicKey)).ID()
		w.do(call{path: "/v1/keys/revoke", token: w.operator, body: party.RevokeKey{Handle: "shop", Key: id, Reason: "lost"}}).into(t, &struct{}{})
		if got := w.do(rename(nil)); got.status != 401 || !strings.Contains(got.text, "revoked") {
			t.Errorf("got %d %s", got.status, got.text)
		}
	})
}

// The same key and body change nothing the second time and answer the same; another body is refused.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := open(t)
	shop := w.join("shop", party.Merchant, party.AllScopes)
	issue := call{path: "/v1/credentials", token: shop, key: "k1", body: api.NewCredential{Handle: "shop", Name: "till", Scopes: party.PaymentsWrite}}
	first := w.do(issue)
	second := w.do(issue)
	if first.status != 201 || first.text != second.text || second.status != 201 {
		t.Fatalf("a repeated request answered\n%d %s, not\n%d %s", second.status, second.text, first.status, first.text)
	}
	var token api.Token
	first.into(t, &token)
	if got := w.do(call{path: "/v1/participants/shop", token: token.Token}); got.status != 200 {
		t.Errorf("the token does not work: %d %s", got.status, got.text)
	}
	issue.body = api.NewCredential{Handle: "shop", Name: "till", Scopes: party.PaymentsRead}
	if got := w.do(issue); got.status != 422 || got.problem(t).Code != string(moongate.KeyReused) {
		t.Errorf("another body under the key: %d %s", got.status, got.text)
	}
	if got := w.do(call{path: "/v1/participants/rename", token: shop, key: "k1", body: party.Rename{Handle: "shop", Name: "S"}}); got.status != 422 {
		t.Errorf("another operation under the key: %d %s", got.status, got.text)
	}
	if got := w.do(call{path: "/v1/participants/rename", token: w.operator, key: "k1", body: party.Rename{Handle: "shop", Name: "S"}}); got.status != 200 {
		t.Errorf("somebody else's key of the same name: %d %s", got.status, got.text)
	}
	refused := call{path: "/v1/keys/revoke", token: shop, key: "k2", body: party.RevokeKey{Handle: "shop", Key: "none", Reason: "x"}}
	if a, b := w.do(refused), w.do(refused); a.status != 404 || b.status != 404 || a.problem(t).Detail != b.problem(t).Detail {
		t.Errorf("a refusal, twice: %d %s, %d %s", a.status, a.text, b.status, b.text)
	}
	var credentials api.Page[party.Credential]
	w.do(call{path: "/v1/participants/shop/credentials", token: shop}).into(t, &credentials)
	if len(credentials.Items) != 2 {
		t.Errorf("%d credentials, not the first and one more: %+v", len(credentials.Items), credentials)
	}
}

// A large body is turned away when it says its size, and cut off where it does not.
func TestLargeBody(t *testing.T) {
	t.Parallel()
	w := open(t)
	shop := w.join("shop", party.Merchant, party.AllScopes)
	for _, says := range []bool{true, false} {
		for _, signed := range []bool{false, true} {
			c := call{path: "/v1/participants/rename", token: shop, body: `{"handle":"shop","name":"S"}`}
			if signed {
				c.token, c.signer = "", "shop"
			}
			r := w.request(c)
			zeros := &endless{left: 100 << 20}
			r.Body, r.GetBody, r.ContentLength = io.NopCloser(zeros), nil, -1
			if says {
				r.ContentLength = zeros.left
			}
			got := w.send(r)
			if p := got.problem(t); got.status != 413 || p.Code != string(moongate.TooLarge) {
				t.Errorf("size told %t, signed %t: %d %s", says, signed, got.status, got.text)
			}
			if sent := 100<<20 - zeros.left; sent > 16<<20 {
				t.Errorf("size told %t, signed %t: %d bytes were taken", says, signed, sent)
			}
		}
	}
}

// endless gives blanks.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range p[:n] {
		p[i] = ' '
	}
	e.left -= int64(n)
	return n, nil
}

// A client that dribbles is cut off.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	w := open(t, func(_ *api.API, s *http.Server) {
		s.ReadHeaderTimeout, s.ReadTimeout = 150*time.Millisecond, 300*time.Millisecond
	})
	shop := w.join("shop", party.Merchant, party.AllScopes)
	for name, text := range map[string]string{
		"header": "POST /v1/participants/rename HTTP/1.1\r\nHost: " + w.url[len("http://"):] + "\r\nX-Slow: ",
		"body": "POST /v1/participants/rename HTTP/1.1\r\nHost: " + w.url[len("http://"):] + "\r\nAuthorization: Bearer " + shop +
			"\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", w.url[len("http://"):])
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if name == "header" && err != nil {
				return // cut off without a word
			}
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusRequestTimeout || !resp.Close {
				t.Errorf("status %s, close %t", resp.Status, resp.Close)
			}
		})
	}
}

// More than the bounds is turned away at once, with a time to come again; what is under way goes on.
func TestShedding(t *testing.T) {
	t.Parallel()
	release, arrived := make(chan struct{}), make(chan struct{}, 8)
	w := open(t, func(a *api.API, _ *http.Server) {
		a.Bounds.Requests, a.Bounds.Bytes = 2, 1500
		a.Mux().HandleFunc("GET /v1/wait", func(rw http.ResponseWriter, _ *http.Request) {
			arrived <- struct{}{}
			<-release
			fmt.Fprint(rw, "done")
		})
	})
	shop := w.join("shop", party.Merchant, party.AllScopes)
	if got := w.do(call{path: "/v1/participants/rename", token: shop, body: `{"handle":"shop","name":"` + strings.Repeat("x", 2000) + `"}`}); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("more bytes than there is room for: %d %v %s", got.status, got.header, got.text)
	}
	results := make(chan reply, 2)
	for range 2 {
		go func() { results <- w.do(call{path: "/v1/wait"}) }()
		<-arrived
	}
	if got := w.do(call{path: "/v1/participants/shop", token: shop}); got.status != 503 || got.problem(t).Code != string(moongate.Busy) || got.header.Get("Retry-After") == "" {
		t.Errorf("one more than there is room for: %d %v %s", got.status, got.header, got.text)
	}
	close(release)
	for range 2 {
		if got := <-results; got.status != 200 || got.text != "done" {
			t.Errorf("what was under way: %d %s", got.status, got.text)
		}
	}
	if got := w.do(call{path: "/v1/participants/shop", token: shop}); got.status != 200 {
		t.Errorf("afterwards: %d %s", got.status, got.text)
	}
}

// A handler that panics tells nobody why but the operator; what had begun is cut off.
func TestPanics(t *testing.T) {
	t.Parallel()
	w := open(t, func(a *api.API, _ *http.Server) {
		a.Mux().HandleFunc("GET /v1/early", func(http.ResponseWriter, *http.Request) { panic("the plum wine of 1627") })
		a.Mux().HandleFunc("GET /v1/late", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "100")
			fmt.Fprint(rw, "half")
			panic("the plum wine of 1627")
		})
	})
	got := w.do(call{path: "/v1/early"})
	if p := got.problem(t); got.status != 500 || p.Code != string(moongate.Internal) || strings.Contains(got.text, "plum") {
		t.Errorf("got %d %s", got.status, got.text)
	}
	if !strings.Contains(w.log.String(), "plum wine") || !strings.Contains(w.log.String(), got.header.Get("Request-Id")) {
		t.Errorf("the operator's log does not say: %s", w.log)
	}
	resp, err := transport.Do(w.request(call{path: "/v1/late"}))
	if err == nil {
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
	}
	if err == nil {
		t.Error("half an answer looked whole")
	}
}

// What is secret stands in no log: not in that of refusals, of panics nor of slow requests.
func TestNoSecretsInLogs(t *testing.T) {
	t.Parallel()
	w := open(t, func(a *api.API, _ *http.Server) {
		a.Mux().HandleFunc("GET /v1/secret/{token}", func(http.ResponseWriter, *http.Request) { panic("failed") })
	})
	shop := w.join("shop", party.Merchant, party.AllScopes)
	w.do(call{path: "/v1/secret/" + shop, token: shop})
	w.do(call{path: "/v1/participants/rename?token=" + shop, token: shop, body: `{"handle":"shop"}`})
	w.do(call{path: "/v1/participants/rename", token: shop[:len(shop)-1] + "a", body: `{"handle":"shop"}`})
	w.do(call{path: "/v1/nothing/" + shop, header: map[string]string{"Authorization": "Token " + shop}})
	for _, secret := range []string{shop, strings.Split(shop, "_")[3][:40], w.operator} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("%.12s… stands in the log:\n%s", secret, w.log)
		}
	}
}

// Several faults stand in one order, whichever way a map is walked: the same request is answered with the same bytes.
func TestFaultsStandInOrder(t *testing.T) {
	t.Parallel()
	w := open(t)
	shop := w.join("shop", party.Merchant, party.AllScopes)
	for range 30 {
		got := w.do(call{path: "/v1/participants/rename", token: shop, body: `{"f":1,"e":1,"d":1,"c":1,"b":1,"a":1}`}).problem(t)
		var fields []string
		for _, f := range got.Faults {
			fields = append(fields, f.Field)
		}
		if strings.Join(fields, " ") != "handle name a b c d e f" {
			t.Fatalf("the faults are in the order %v", fields)
		}
	}
}
