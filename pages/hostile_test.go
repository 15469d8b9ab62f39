package pages_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/pages"
)

// Where the way to somebody else's exception leads does not tell whether it waits, or is there at all.
func TestExceptionsOfOthers(t *testing.T) {
	w := open(t)
	w.settle()
	payment := w.sell("ORDER-ODD", 5000, "nobody knows whose it is")
	w.pay(payment)
	w.level()
	found, _, err := pay.Exceptions(t.Context(), w.hub.Views, pay.ExceptionFilter{Payment: payment}, "", 10)
	if err != nil || len(found) != 1 {
		t.Fatalf("exceptions %+v, %v", found, err)
	}
	id := found[0].ID
	none := id
	none[15] ^= 1
	leads := func(who string, id moongate.ID) string {
		got := w.as(who).get("/console/exceptions/" + id.String())
		return strings.ReplaceAll(got.header.Get("Location"), id.String(), "…")
	}
	if a, b := leads("rival", id), leads("rival", none); a != b {
		t.Errorf("somebody else's leads to %s, none to %s", a, b)
	}
	for who, sees := range map[string]bool{"mall": true, "office": true, "rival": false} {
		got := w.as(who).get(w.as(who).get("/console/exceptions/" + id.String()).header.Get("Location"))
		if got.status != http.StatusOK || strings.Contains(got.body, "ORDER-ODD") != sees {
			t.Errorf("%s is led to it: %v, want %v: %d %s", who, !sees, sees, got.status, words(got.body))
		}
	}
	if a, b := w.as("rival").get("/console/exceptions?id="+id.String()), w.as("rival").get("/console/exceptions?id="+none.String()); strings.ReplaceAll(words(a.body), id.String(), "…") != strings.ReplaceAll(words(b.body), none.String(), "…") {
		t.Errorf("a stranger is shown %s for somebody else's, %s for none", words(a.body), words(b.body))
	}
}

// Whatever the hub serves cannot be framed, sniffed or scripted, and tells the next site nothing.
func TestHeadersOfEverything(t *testing.T) {
	w := open(t)
	w.settle()
	open := w.sell("ORDER-OPEN", 700, "")
	cashier := strings.TrimPrefix(w.hub.Payments.Address(open), w.url)
	v := w.as("mall")
	for _, path := range []string{
		"/", "/console", "/console/crossings", "/console/nothing", "/console/payments/" + w.paid.String(), "/console/sign-in", "/console/find?q=%3Cscript%3E", "/log",
		"/log/checkpoint", "/log/tile/../../../vault", "/l/" + w.code, "/l/nothing", "/l/%3Cscript%3E", cashier, "/pay/nothing", cashier + "/return", "/docs", "/openapi.json",
		"/schemas/agreement.json", "/assets/nothing", "/nothing", "/v1/participants", "/healthz", "/pay/notify/crane-pay",
	} {
		got := v.get(path)
		csp, kind := got.header.Get("Content-Security-Policy"), got.header.Get("Content-Type")
		if got.header.Get("X-Frame-Options") != "DENY" || got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Referrer-Policy") == "" {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
		if strings.HasPrefix(kind, "text/html") && got.status != http.StatusSeeOther && got.status != http.StatusFound &&
			(!strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*")) {
			t.Errorf("%s has the policy %q", path, csp)
		}
		if strings.Contains(got.body, "<script>") || got.status >= 500 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		if at := got.header.Get("Location"); at != "" && !strings.HasPrefix(at, "/") && !strings.HasPrefix(at, "https://mall.example/tea?") {
			t.Errorf("%s leads to %s", path, at)
		}
	}
	for _, path := range []string{cashier, "/pay/nothing"} {
		if got := w.visitor().get(path); got.header.Get("Cache-Control") != "no-store" || got.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s, whose address is a key: %v", path, got.header)
		}
	}
}

// Behind TLS cookies are bound to the very host, and browsers come back by TLS alone. Whatever host a request names, no
// answer leads there.
func TestBehindTLS(t *testing.T) {
	c, err := hub.Init(t.TempDir(), hub.Config{Name: "hub.example", Listen: "127.0.0.1:8600", PublicURL: "https://hub.example", Operator: "office"}, random, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	h, err := hub.Open(ctx, hub.Options{Config: c, Secrets: secrets, Now: time.Now, Random: func(b []byte) { rand.Read(b) }, NoSync: true, Fatal: func(err error) { panic(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	token, err := h.Bootstrap(ctx, "Office")
	if err != nil {
		t.Fatal(err)
	}
	draw, err := console.New(console.Words())
	if err != nil {
		t.Fatal(err)
	}
	a := api.New(h, "test")
	pages.New(h, draw, pages.Options{}).Register(a.Mux())
	serve := func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		return w
	}
	door := serve(httptest.NewRequest(http.MethodGet, "https://evil.example/console/sign-in", nil))
	cookie := door.Header().Get("Set-Cookie")
	for _, want := range []string{"__Host-moongate-door=", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the door's cookie lacks %s: %s", want, cookie)
		}
	}
	if strings.Contains(door.Body.String(), "evil.example") || !strings.HasPrefix(door.Header().Get("Strict-Transport-Security"), "max-age=") {
		t.Errorf("%v %s", door.Header(), door.Body)
	}
	field := tokenField.FindStringSubmatch(door.Body.String())
	post := httptest.NewRequest(http.MethodPost, "https://hub.example/console/sign-in", strings.NewReader("token="+field[1]+"&credential="+token+"&next=//evil.example"))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	post.Header.Set("Sec-Fetch-Site", "same-origin")
	name, value, _ := strings.Cut(strings.SplitN(cookie, ";", 2)[0], "=")
	post.AddCookie(&http.Cookie{Name: name, Value: value})
	in := serve(post)
	if in.Code != http.StatusSeeOther || in.Header().Get("Location") != "/console" || !strings.Contains(in.Header().Get("Set-Cookie"), "__Host-moongate=") || !strings.Contains(in.Header().Get("Set-Cookie"), "Secure") {
		t.Errorf("signing in: %d %v", in.Code, in.Header())
	}
	// A session's token opens no API, and an API token no session.
	session := strings.TrimPrefix(strings.SplitN(in.Header().Get("Set-Cookie"), ";", 2)[0], "__Host-moongate=")
	api := httptest.NewRequest(http.MethodGet, "https://hub.example/v1/participants", nil)
	api.Header.Set("Authorization", "Bearer "+session)
	if got := serve(api); got.Code != http.StatusUnauthorized {
		t.Errorf("a session as a bearer token: %d", got.Code)
	}
	home := httptest.NewRequest(http.MethodGet, "https://hub.example/console", nil)
	home.AddCookie(&http.Cookie{Name: "__Host-moongate", Value: token})
	if got := serve(home); got.Code != http.StatusSeeOther {
		t.Errorf("an API token as a session: %d", got.Code)
	}
}
