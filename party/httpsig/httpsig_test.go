package httpsig

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
)

const start = moongate.Time(1893456000) * moongate.Second

// zeros is a source of "randomness" for tests.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))

func signer() *Signer {
	return &Signer{KeyID: "key-1", Key: testKey, Now: func() moongate.Time { return start }, Random: zeros{}}
}

func keys(id string) (ed25519.PublicKey, error) {
	if id != "key-1" {
		return nil, errors.New("no such key")
	}
	return testKey.Public().(ed25519.PublicKey), nil
}

var verifier = &Verifier{Scheme: "https", Authorities: []string{"hub.example"}}

const body = `{"amount":1200,"currency":"CNY"}`

// payment is a signed request as a server would see it.
func payment(t testing.TB) *http.Request {
	t.Helper()
	r := httptest.NewRequest("POST", "/payments?expand=lines", strings.NewReader(body))
	r.URL.Scheme, r.Host = "https", "hub.example"
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", "order-77")
	if err := signer().Sign(r, []byte(body)); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSignedRequestVerifies(t *testing.T) {
	r := payment(t)
	const want = `moongate=("@method" "@authority" "@path" "@query" "content-digest" "content-type" "idempotency-key")` +
		`;created=1893456000;expires=1893456300;nonce="AAAAAAAAAAAAAAAAAAAAAAAA";keyid="key-1";alg="ed25519";tag="moongate-v1"`
	if got := r.Header.Get("Signature-Input"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	proof, err := verifier.Verify(r, []byte(body), start+moongate.Second, keys)
	if err != nil {
		t.Fatal(err)
	}
	if (proof != Proof{KeyID: "key-1", Nonce: "AAAAAAAAAAAAAAAAAAAAAAAA", Created: start, Expires: start + Lifetime}) {
		t.Errorf("proof %+v", proof)
	}
}

// Whatever is changed after signing, the request is refused.
func TestTampered(t *testing.T) {
	replace := func(field, old, with string) func(*http.Request) {
		return func(r *http.Request) {
			before := r.Header.Get(field)
			r.Header.Set(field, strings.Replace(before, old, with, 1))
			if r.Header.Get(field) == before {
				panic("nothing to tamper with: " + before)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		tamper func(*http.Request)
		code   moongate.Code
		says   string
	}{
		{"method", func(r *http.Request) { r.Method = "PUT" }, moongate.Unauthenticated, "does not fit"},
		{"path", func(r *http.Request) { r.RequestURI = "/refunds?expand=lines" }, moongate.Unauthenticated, "does not fit"},
		{"query", func(r *http.Request) { r.RequestURI = "/payments?expand=all" }, moongate.Unauthenticated, "does not fit"},
		{"host", func(r *http.Request) { r.Host = "other.example" }, moongate.Unauthenticated, "not us"},
		{"content type", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, moongate.Unauthenticated, "does not fit"},
		{"idempotency key", func(r *http.Request) { r.Header.Set("Idempotency-Key", "order-78") }, moongate.Unauthenticated, "does not fit"},
		{"second idempotency key", func(r *http.Request) { r.Header.Add("Idempotency-Key", "order-78") }, moongate.Malformed, "2 times"},
		{"no idempotency key", func(r *http.Request) { r.Header.Del("Idempotency-Key") }, moongate.Malformed, "has none"},
		{"digest of another body", func(r *http.Request) { r.Header.Set("Content-Digest", Digest([]byte("{}"))) }, moongate.Unauthenticated, "does not fit"},
		{"digest by another hash", func(r *http.Request) { r.Header.Set("Content-Digest", "sha-512=:AA==:") }, moongate.Malformed, "sha-256"},
		{"digest missing", func(r *http.Request) { r.Header.Del("Content-Digest") }, moongate.Unauthenticated, "missing"},
		{"digest not a dictionary", func(r *http.Request) { r.Header.Set("Content-Digest", "sha-256=:=:") }, moongate.Malformed, "dictionary"},
		{"compressed", func(r *http.Request) { r.Header.Set("Content-Encoding", "gzip") }, moongate.Malformed, "as it is"},
		{"key id", replace("Signature-Input", `keyid="key-1"`, `keyid="key-2"`), moongate.Internal, "no such key"},
		{"nonce", replace("Signature-Input", `nonce="AAA`, `nonce="BBB`), moongate.Unauthenticated, "does not fit"},
		{"expires later", replace("Signature-Input", "expires=1893456300", "expires=1893456299"), moongate.Unauthenticated, "does not fit"},
		{"long life", replace("Signature-Input", "expires=1893456300", "expires=1893456301"), moongate.Unauthenticated, "five minutes"},
		{"no expiry", replace("Signature-Input", ";expires=1893456300", ""), moongate.Malformed, "expires"},
		{"expiry as text", replace("Signature-Input", "expires=1893456300", `expires="1893456300"`), moongate.Malformed, "another type"},
		{"no nonce", replace("Signature-Input", `;nonce="AAAAAAAAAAAAAAAAAAAAAAAA"`, ""), moongate.Malformed, "nonce"},
		{"another algorithm", replace("Signature-Input", `alg="ed25519"`, `alg="hmac-sha256"`), moongate.Malformed, "alg"},
		{"no algorithm", replace("Signature-Input", `;alg="ed25519"`, ""), moongate.Malformed, "alg"},
		{"another tag", replace("Signature-Input", `tag="moongate-v1"`, `tag="other"`), moongate.Unauthenticated, "no signature with tag"},
		{"unknown parameter", replace("Signature-Input", ";alg=", ";x=1;alg="), moongate.Malformed, "unknown"},
		{"query not covered", replace("Signature-Input", ` "@query"`, ""), moongate.Unauthenticated, `cover "@query"`},
		{"digest not covered", replace("Signature-Input", ` "content-digest"`, ""), moongate.Unauthenticated, `cover "content-digest"`},
		{"type not covered", replace("Signature-Input", ` "content-type"`, ""), moongate.Unauthenticated, `cover "content-type"`},
		{"key not covered", replace("Signature-Input", ` "idempotency-key"`, ""), moongate.Unauthenticated, `cover "idempotency-key"`},
		{"nothing covered", func(r *http.Request) {
			v := r.Header.Get("Signature-Input")
			r.Header.Set("Signature-Input", "moongate=()"+v[strings.Index(v, ")")+1:])
		}, moongate.Unauthenticated, `cover "@method"`},
		{"covered twice", replace("Signature-Input", `"@query"`, `"@query" "@query"`), moongate.Malformed, "twice"},
		{"component parameter", replace("Signature-Input", `"content-type"`, `"content-type";bs`), moongate.Malformed, "without parameters"},
		{"component is a token", replace("Signature-Input", `"@query"`, `query`), moongate.Malformed, "plain names"},
		{"covers the signature", replace("Signature-Input", `"@query"`, `"@query" "signature"`), moongate.Malformed, "cannot be covered"},
		{"covers what is not there", replace("Signature-Input", `"@query"`, `"@query" "x-none"`), moongate.Malformed, "has none"},
		{"not a list", func(r *http.Request) { r.Header.Set("Signature-Input", `moongate="x"`) }, moongate.Malformed, "not a list"},
		{"not a dictionary", func(r *http.Request) { r.Header.Set("Signature-Input", `moongate=(`) }, moongate.Malformed, "dictionary"},
		{"two of ours", func(r *http.Request) {
			r.Header.Set("Signature-Input", r.Header.Get("Signature-Input")+", b"+strings.TrimPrefix(r.Header.Get("Signature-Input"), "moongate"))
		}, moongate.Malformed, "two signatures"},
		{"five signatures", func(r *http.Request) {
			r.Header.Set("Signature-Input", r.Header.Get("Signature-Input")+", a=(), b=(), c=(), d=()")
		}, moongate.TooLarge, "5 members"},
		{"long field", replace("Signature-Input", `"key-1"`, `"`+strings.Repeat("k", 5000)+`"`), moongate.TooLarge, "4096 bytes"},
		{"long key id", replace("Signature-Input", `"key-1"`, `"`+strings.Repeat("k", 200)+`"`), moongate.Malformed, "keyid"},
		{"many components", replace("Signature-Input", `("@method"`, `("@method"`+strings.Repeat(` "x"`, 30)), moongate.TooLarge, "components"},
		{"signature under another label", replace("Signature", "moongate=", "other="), moongate.Malformed, `no member "moongate"`},
		{"signature cut", func(r *http.Request) { r.Header.Set("Signature", "moongate=:AAAA:") }, moongate.Malformed, "64 bytes"},
		{"no signature", func(r *http.Request) { r.Header.Del("Signature") }, moongate.Unauthenticated, "missing"},
		{"flipped bit", func(r *http.Request) {
			raw := []byte(r.Header.Get("Signature"))
			raw[20] ^= 1
			if raw[20] == ':' || raw[20] == '=' {
				raw[20] = 'A'
			}
			r.Header.Set("Signature", string(raw))
		}, "", ""},
		{"absolute target", func(r *http.Request) { r.RequestURI = "https://hub.example/payments?expand=lines" }, moongate.Malformed, "path and query"},
		{"line break in the target", func(r *http.Request) { r.RequestURI = "/payments\n\"@method\": GET" }, moongate.Malformed, "path and query"},
		{"line break in a field", func(r *http.Request) { r.Header["Content-Type"] = []string{"a\n\"@method\": GET"} }, moongate.Malformed, "printable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := payment(t)
			tt.tamper(r)
			_, err := verifier.Verify(r, []byte(body), start, keys)
			if err == nil {
				t.Fatal("accepted")
			}
			if tt.code != "" && (moongate.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("got %s: %v; want %s: %q", moongate.CodeOf(err), err, tt.code, tt.says)
			}
		})
	}
	t.Run("head before the body", func(t *testing.T) {
		head, err := verifier.VerifyHead(payment(t), start, keys)
		if err != nil {
			t.Fatal(err)
		}
		for text, ok := range map[string]bool{body: true, body + " ": false, "": false} {
			if err := head.Holds([]byte(text)); (err == nil) != ok {
				t.Errorf("body %q: %v", text, err)
			}
		}
		if err := (&Head{}).Holds([]byte("x")); moongate.CodeOf(err) != moongate.Unauthenticated {
			t.Errorf("a body that nobody signed: %v", err)
		}
	})
	t.Run("body", func(t *testing.T) {
		if _, err := verifier.Verify(payment(t), []byte(body+" "), start, keys); moongate.CodeOf(err) != moongate.Unauthenticated {
			t.Errorf("got %v", err)
		}
	})
}

func TestClock(t *testing.T) {
	for _, tt := range []struct {
		now moongate.Time
		ok  bool
	}{
		{start - Lifetime - 1, false}, // the signer's clock is more than five minutes ahead
		{start - Lifetime, true},
		{start, true},
		{start + Lifetime, true},
		{start + Lifetime + 1, false},
		{start + moongate.Day, false},
	} {
		_, err := verifier.Verify(payment(t), []byte(body), tt.now, keys)
		if (err == nil) != tt.ok || err != nil && moongate.CodeOf(err) != moongate.Unauthenticated {
			t.Errorf("signed at %s, here %s: %v", start, tt.now, err)
		}
	}
}

// Blanks that RFC 8941 allows, another label and a second signature beside ours change nothing.
func TestOtherSpellings(t *testing.T) {
	r := payment(t)
	input := strings.NewReplacer("moongate=", "x.1=", `" "`, `"   "`, `("`, `( "`, `")`, `" )`, ";keyid", "; keyid").Replace(r.Header.Get("Signature-Input"))
	r.Header["Signature-Input"] = []string{`proxy=("date");created=1`, input}
	r.Header["Signature"] = []string{"proxy=:AAAA:", strings.Replace(r.Header.Get("Signature"), "moongate=", "x.1=", 1)}
	if _, err := verifier.Verify(r, []byte(body), start, keys); err != nil {
		t.Error(err)
	}
}

func TestSignerRefusesWhatWouldBeRefused(t *testing.T) {
	for _, tt := range []struct {
		name, method, target string
		header               http.Header
		body, says           string
	}{
		{"post without a key", "POST", "https://hub.example/payments", http.Header{"Content-Type": {"application/json"}}, "{}", "idempotency-key"},
		{"body without a type", "POST", "https://hub.example/payments", http.Header{"Idempotency-Key": {"1"}}, "{}", "content-type"},
		{"another scheme", "GET", "ftp://hub.example/", http.Header{}, "", "scheme"},
		{"key with a line break", "POST", "https://hub.example/", http.Header{"Idempotency-Key": {"a\nb"}}, "", "printable"},
	} {
		r, err := http.NewRequest(tt.method, tt.target, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = tt.header
		if err := signer().Sign(r, []byte(tt.body)); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// The whole way: a client with the signing transport, a server that verifies what arrived.
func TestTransport(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = (&Verifier{Scheme: "http", Authorities: []string{r.Host}}).Verify(r, got, start, keys)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
		}
	}))
	defer srv.Close()
	client := &http.Client{Transport: &Transport{Signer: signer(), Next: srv.Client().Transport}}
	for _, tt := range []struct{ method, target, body string }{
		{"GET", "", ""},
		{"GET", "/?", ""},
		{"GET", "/a%2Fb%20c?x=%E9%97%A8&y", ""},
		{"POST", "/payments", body},
		{"DELETE", "/payments/1", ""},
	} {
		r, err := http.NewRequest(tt.method, srv.URL+tt.target, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		if tt.method != "GET" {
			r.Header.Set("Idempotency-Key", "1")
		}
		if tt.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		res, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s %s: %v", tt.method, tt.target, err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s %q: %s %s %v", tt.method, tt.target, res.Status, text, err)
		}
		if len(r.Header["Signature"]) != 0 {
			t.Error("the transport changed the caller's request")
		}
	}
}

func TestPresent(t *testing.T) {
	for field, want := range map[string]bool{"Signature": true, "Signature-Input": true, "signature": true, "Authorization": false} {
		if got := Present(http.Header{field: {""}}); got != want {
			t.Errorf("%s: %v", field, got)
		}
	}
}

// Nothing that arrives makes the verifier panic, and nothing but the true signature passes.
func FuzzVerify(f *testing.F) {
	r := payment(f)
	f.Add("/payments?expand=lines", r.Header.Get("Signature-Input"), r.Header.Get("Signature"), r.Header.Get("Content-Digest"))
	f.Add("/", `moongate=("@method";req);created=1;expires=2`, "moongate=:AA==:", "sha-256=::")
	f.Add("/?", `a=(), moongate=();tag="moongate-v1"`, "a, b;c=?1", "sha-256=:AA==:;x=1.5")
	f.Add("*", "a=-", "a=@1", `a=%"%c3%a9"`)
	f.Fuzz(func(t *testing.T, target, input, signature, digest string) {
		in := payment(t)
		true4 := [4]string{in.RequestURI, in.Header.Get("Signature-Input"), in.Header.Get("Signature"), in.Header.Get("Content-Digest")}
		in.RequestURI = target
		in.Header["Signature-Input"], in.Header["Signature"], in.Header["Content-Digest"] = []string{input}, []string{signature}, []string{digest}
		if _, err := verifier.Verify(in, []byte(body), start, keys); err == nil && target != true4[0] {
			t.Fatalf("target %q accepted with the signature of %q", target, true4[0])
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	r := payment(b)
	for b.Loop() {
		if _, err := verifier.Verify(r, []byte(body), start, keys); err != nil {
			b.Fatal(err)
		}
	}
}
