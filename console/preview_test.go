package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/pages/look"
)

// house serves every fixture at /preview/NAME, in the language and theme of the query.
func house(t *testing.T) *httptest.Server {
	t.Helper()
	r := newRenderer(t)
	mux := http.NewServeMux()
	mux.Handle("GET "+AssetPath, r.Assets())
	mux.HandleFunc("/preview/{name}", func(w http.ResponseWriter, q *http.Request) {
		lang, theme := Preferences(w, q)
		for _, f := range fixtures(lang) {
			if f.name != q.PathValue("name") {
				continue
			}
			c := f.draw(lang)
			c.Theme = theme
			if q.Method == http.MethodPost {
				if f.name == "onward-confirm" {
					http.Redirect(w, q, "http://localhost:"+q.Host[strings.LastIndexByte(q.Host, ':')+1:]+"/garden", http.StatusSeeOther)
					return
				}
				_ = q.ParseForm()
				http.Redirect(w, q, "/preview/cashier-awaiting?chosen="+q.PostForm.Get("wallet"), http.StatusSeeOther)
				return
			}
			if err := r.Serve(w, q, http.StatusOK, c, f.page); err != nil {
				t.Error(err)
			}
			return
		}
		http.NotFound(w, q)
	})
	mux.Handle("GET /favicon.ico", http.RedirectHandler(r.Icon(), http.StatusFound)) // which a browser asks for when it likes
	mux.HandleFunc("GET /garden", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>Garden</title><p id="garden">Welcome</p>`)
	})
	mux.Handle("GET /preview/cashier-awaiting-inside/return", http.RedirectHandler("/preview/cashier-paid?lang=en", http.StatusSeeOther))
	mux.Handle("GET "+Routes["windows"], http.RedirectHandler("/preview/windows", http.StatusSeeOther))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// A view is one way of looking at a page.
var views = []struct {
	name          string
	lang          Lang
	theme         Theme
	width, height int64
}{
	{"light-en", English, Light, 1280, 860},
	{"dark-zh", Chinese, Dark, 1280, 860},
	{"phone-zh", Chinese, Light, 360, 740},
	{"phone-dark-en", English, Dark, 360, 740},
}

func TestInABrowser(t *testing.T) {
	b, s := look.Open(t), house(t)
	t.Run("pages", func(t *testing.T) { lookAtPages(t, b, s) })
	t.Run("cashier by keyboard", func(t *testing.T) { payByKeyboard(t, b, s) })
	t.Run("cashier without script", func(t *testing.T) { payWithoutScript(t, b, s) })
	t.Run("cashier inside the wallet's app", func(t *testing.T) { payByBridge(t, b, s) })
	t.Run("times and charts", func(t *testing.T) { readTimesAndCharts(t, b, s) })
	t.Run("cashier follows the payment", func(t *testing.T) { followPayment(t, b) })
	t.Run("keys", func(t *testing.T) { walkByKeys(t, b, s) })
	t.Run("onward", func(t *testing.T) { goOnward(t, b, s) })
	t.Run("print", func(t *testing.T) { printStatement(t, b, s) })
	t.Run("faint words are found", func(t *testing.T) { findFaintWords(t, b, s) })
}

func lookAtPages(t *testing.T, b *look.Browser, s *httptest.Server) {
	for _, l := range views {
		t.Run(l.name, func(t *testing.T) {
			b.Window(t, l.width, l.height)
			for _, f := range fixtures(l.lang) {
				if testing.Short() && (l.name != "phone-zh" || !strings.HasSuffix(f.name, "ing")) {
					continue
				}
				if only := os.Getenv("PREVIEW"); only != "" && !strings.Contains(f.name, only) {
					continue
				}
				t.Run(f.name, func(t *testing.T) {
					address := s.URL + "/preview/" + f.name + "?" + f.query.Encode() + "&lang=" + string(l.lang) + "&theme=" + string(l.theme)
					b.Do(t, chromedp.Navigate(address), chromedp.WaitReady("#main"))
					b.Check(t, f.name+"."+l.name)
				})
			}
		})
	}
}

func payByKeyboard(t *testing.T, b *look.Browser, s *httptest.Server) {
	b.Window(t, 360, 740)
	b.Do(t, chromedp.Navigate(s.URL+"/preview/cashier-choosing?lang=en"), chromedp.WaitReady(".wallets"))
	for i, want := range []string{"Skip to the page", "WeChat Pay", "Alipay", "Sandbox wallet", "Back to Old Kiln Pottery", "Help"} {
		b.Do(t, chromedp.KeyEvent("\t"))
		if got := look.Ask[string](t, b, `document.activeElement.textContent.trim()`); got != want {
			t.Errorf("tab %d reaches %q, want %q", i+1, got, want)
		}
	}
	b.Do(t, chromedp.Focus(`button[value="alipay"]`), chromedp.KeyEvent("\r"), chromedp.WaitVisible(".code"))
	if got, want := look.Ask[string](t, b, `location.pathname + location.search`), "/preview/cashier-awaiting?chosen=alipay"; got != want {
		t.Errorf("choosing a wallet leads to %q, want %q", got, want)
	}
	b.Quiet(t)
}

// payByBridge stands in for the wallet's app, whose bridge gets what the page was given, and says that all went well.
func payByBridge(t *testing.T, b *look.Browser, s *httptest.Server) {
	b.Window(t, 360, 740)
	b.Do(t, chromedp.Navigate(s.URL+"/preview/cashier-awaiting-inside?lang=en"), chromedp.WaitReady("[data-bridge]"))
	look.Ask[int](t, b, `window.WeixinJSBridge = {invoke: function (call, params, done) {
		sessionStorage.called = call + " " + params.package + " " + params.signType;
		done({err_msg: "get_brand_wcpay_request:ok"});
	}}; 0`)
	b.Do(t, chromedp.Click("[data-bridge]"), chromedp.WaitReady(".till.succeeded"))
	if got, want := look.Ask[string](t, b, `sessionStorage.called`), "getBrandWCPayRequest prepay_id=wx201410272009395522657a690389285100 RSA"; got != want {
		t.Errorf("the bridge was called with %q, want %q", got, want)
	}
}

func payWithoutScript(t *testing.T, b *look.Browser, s *httptest.Server) {
	b.Scripts(t, false)
	defer b.Scripts(t, true)
	b.Do(t, chromedp.Navigate(s.URL+"/preview/cashier-choosing?lang=en"), chromedp.WaitReady(".wallets"))
	if got := look.Read(t, b, chromedp.Text(".left")); got != "10:52" {
		t.Errorf("the clock says %q, want what the server wrote, 10:52", got)
	}
	if got := look.Read(t, b, chromedp.AttributeValue(`meta[http-equiv="refresh"]`, "content")); got.Value != "653" {
		t.Errorf("the page refreshes itself after %q seconds, want 653, when the time to choose is over", got.Value)
	}
	b.Do(t, chromedp.Click(`button[value="weixin"]`), chromedp.WaitVisible(".code svg"))
	if got := look.Read(t, b, chromedp.AttributeValue(`meta[http-equiv="refresh"]`, "content")); got.Value != "5" {
		t.Errorf("the page that waits refreshes itself after %q seconds, want 5", got.Value)
	}
	b.Do(t, chromedp.Navigate(s.URL+"/preview/receipt?theme=light&lang=en"), chromedp.WaitReady(".copy[hidden]"))
}

func readTimesAndCharts(t *testing.T, b *look.Browser, s *httptest.Server) {
	b.Window(t, 1280, 860)
	b.Do(t, chromedp.Navigate(s.URL+"/preview/account"), chromedp.WaitVisible(".uplot canvas"))
	shown, title := look.Ask[string](t, b, `document.querySelector('td.when time').textContent`), look.Ask[string](t, b, `document.querySelector('td.when time').title`)
	if shown != "2026-11-20 11:54:00" || title != "2026-11-20 03:54:00 UTC" {
		t.Errorf("time is %q with title %q, want the reader's zone (UTC+8) and UTC", shown, title)
	}
	if n := look.Ask[int](t, b, `document.querySelectorAll('.copy:not([hidden])').length`); n == 0 {
		t.Error("nothing can be copied")
	}
	b.Quiet(t)
}

// followPayment opens the page, lets the payment succeed behind it, and waits for the page to say so.
func followPayment(t *testing.T, b *look.Browser) {
	r := newRenderer(t)
	var state atomic.Value
	state.Store("awaiting")
	mux := http.NewServeMux()
	mux.Handle("GET "+AssetPath, r.Assets())
	mux.HandleFunc("GET /pay/{id}", func(w http.ResponseWriter, q *http.Request) {
		for _, f := range publicFixtures(English, func(e, _ string) string { return e }) {
			if c, ok := f.page.(Cashier); ok && c.State == state.Load() {
				if err := r.Serve(w, q, http.StatusOK, f.draw(English), c); err != nil {
					t.Error(err)
				}
				return
			}
		}
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	b.Do(t, chromedp.Navigate(s.URL+"/pay/x"), chromedp.WaitVisible(".till.awaiting"))
	state.Store("succeeded")
	b.Do(t, chromedp.WaitVisible(".till.succeeded"))
	if look.Ask[bool](t, b, `document.querySelector('#live').hasAttribute('hx-get')`) {
		t.Error("the page goes on asking after the payment is paid")
	}
	b.Quiet(t)
}

// walkByKeys moves through the rooms and down a list without a mouse.
func walkByKeys(t *testing.T, b *look.Browser, s *httptest.Server) {
	b.Window(t, 1280, 860)
	b.Do(t, chromedp.Navigate(s.URL+"/preview/payments?lang=en"), chromedp.WaitReady(".list"), chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"))
	if got, want := look.Ask[string](t, b, `document.activeElement.getAttribute('href')`), to("payment", testID(moongate.KindPayment, 0)); got != want {
		t.Errorf("j, j, k stand on %q, want the first payment, %q", got, want)
	}
	b.Do(t, chromedp.KeyEvent("/"))
	if got := look.Ask[string](t, b, `document.activeElement.name`); got != "q" {
		t.Errorf("/ stands on %q, want the search", got)
	}
	b.Do(t, chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`), chromedp.KeyEvent("?"), chromedp.WaitVisible("dialog kbd"))
	b.Do(t, chromedp.KeyEvent("\x1b"), chromedp.KeyEvent("g"), chromedp.KeyEvent("w"), chromedp.WaitVisible("body.page-windows"))
	b.Quiet(t)
}

// goOnward confirms a link, which is answered with a redirect into another garden: another origin.
func goOnward(t *testing.T, b *look.Browser, s *httptest.Server) {
	b.Do(t, chromedp.Navigate(s.URL+"/preview/onward-confirm?lang=en&theme=light"), chromedp.WaitVisible("form.onward button"),
		chromedp.Click("form.onward button"), chromedp.WaitVisible("#garden"))
	if got := look.Ask[string](t, b, `location.hostname`); got != "localhost" {
		t.Errorf("the form leads to %q, want the garden behind the link", got)
	}
	b.Forget() // of the garden, which has no icon
}

// printStatement looks at a statement as paper shows it: no navigation, and readable words in both themes.
func printStatement(t *testing.T, b *look.Browser, s *httptest.Server) {
	look.Call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	defer look.Call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	b.Window(t, 794, 1123) // A4 at 96 dots an inch
	for _, name := range []string{"statement", "receipt"} {
		b.Do(t, chromedp.Navigate(s.URL+"/preview/"+name+"?lang=en&theme=dark"), chromedp.WaitReady("#main"))
		if got := look.Ask[string](t, b, `getComputedStyle(document.body).backgroundColor + ' ' + document.querySelector('.side').checkVisibility()`); got != "rgb(255, 255, 255) false" {
			t.Errorf("%s on paper: %s, want white and without navigation", name, got)
		}
		b.Shoot(t, name+".print")
	}
	b.Quiet(t)
}

// findFaintWords makes sure that the measure of the pages above finds something.
func findFaintWords(t *testing.T, b *look.Browser, s *httptest.Server) {
	b.Do(t, chromedp.Navigate(s.URL+"/preview/signin?theme=light"), chromedp.WaitReady("h1"),
		chromedp.Evaluate[chromedp.Void](`document.querySelector('h1').style.color = '#999'`))
	if got := look.Ask[[]string](t, b, look.Faint); len(got) != 1 {
		t.Errorf("grey on paper: found %q, want the heading alone", got)
	}
	b.Forget()
}
