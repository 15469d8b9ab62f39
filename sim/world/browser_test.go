package world

import (
	"net/http"
	"strings"
	"testing"
)

func TestBrowserCarriesCookiesThroughFormsAndRedirects(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /shelf", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "who", Value: "mei"})
		_, _ = w.Write([]byte(`<a class="x" href='/elsewhere'>no</a><a href="https://pay.test/go?a=1&amp;b=2">pay</a>
			<form method="post" action="/buy"><input type="hidden" name="good" value="tea &amp; cups">
			<button name="with" value="crane">Crane <b>Pay</b></button><button name="with" value="carp">Carp</button></form>`))
	})
	mux.HandleFunc("POST /buy", func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("who")
		if err != nil || c.Value != "mei" || r.FormValue("good") != "tea & cups" || r.FormValue("with") != "carp" {
			t.Errorf("buying with cookie %v and form %v", c, r.Form)
		}
		http.SetCookie(w, &http.Cookie{Name: "who", MaxAge: -1})
		http.Redirect(w, r, "/thanks", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /thanks", func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie("who"); err == nil {
			t.Error("a cookie that was taken back came again")
		}
		w.WriteHeader(http.StatusTeapot)
	})
	n := NewNetwork()
	n.Handle("shop.test", mux)
	b := &Browser{Carrier: n}
	p, err := b.Open(t.Context(), "https://shop.test/shelf")
	if err != nil {
		t.Fatal(err)
	}
	if to := p.LinkTo("https://pay.test/"); to != "https://pay.test/go?a=1&b=2" {
		t.Errorf("link %q", to)
	}
	f := p.FormWith("crane")
	if f == nil || f.Buttons[0].Text != "Crane Pay" {
		t.Fatalf("form %+v", f)
	}
	done, err := b.Press(t.Context(), p, f, "carp")
	if err != nil {
		t.Fatal(err)
	}
	if done.Status != http.StatusTeapot || done.URL.Path != "/thanks" || len(done.Hops) != 1 {
		t.Errorf("ended with %d at %s by way of %v", done.Status, done.URL, done.Hops)
	}
	if _, err := b.Press(t.Context(), p, f, "cash"); err == nil || !strings.Contains(err.Error(), "no button") {
		t.Errorf("a button that is not there: %v", err)
	}
	if _, err := b.Open(t.Context(), "https://nowhere.test/"); err == nil {
		t.Error("a host that nobody answers for was reached")
	}
}
