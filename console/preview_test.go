package console

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/moongate-hub/moongate"
)

// The browser tests look at every page as a reader would. They need Chromium: where it is missing they skip, and fail
// where CI is set. Screenshots of the full run go to screenshots/ beside the module, which git ignores.

// browser is one Chromium with one tab, and what the tab complained about.
type browser struct {
	context.Context
	mu         sync.Mutex
	complaints []string
}

func openBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); name != "" && err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no Chromium; install the package chromium (and fonts-noto-cjk), or name one in CHROMIUM")
		}
		t.Skip("no Chromium found; install the package chromium (and fonts-noto-cjk), or name one in CHROMIUM")
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.NoFirstRun, chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
	)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab)
	if err := chromedp.Do(tab); err != nil { // starts the browser
		t.Fatal(err)
	}
	tab, cancel := context.WithTimeout(tab, 5*time.Minute)
	t.Cleanup(cancel)
	b := &browser{Context: tab}
	if err := chromedp.Listen(tab, b.listen); err != nil {
		t.Fatal(err)
	}
	call(t, b, log.Enable, struct{}{})
	call(t, b, runtime.Enable, struct{}{})
	call(t, b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Shanghai"})
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.complaints = append(b.complaints, fmt.Sprintf("console: %s", e.Args[0].Value))
		}
	case *log.EventEntryAdded: // what breaks the content security policy arrives here, too
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.complaints = append(b.complaints, fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	}
}

// quiet fails when the page has complained, and forgets it.
func (b *browser) quiet(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		t.Error(c)
	}
	b.complaints = nil
}

// shoot keeps a picture of the whole page, in the full run.
func (b *browser) shoot(t *testing.T, name string) {
	t.Helper()
	if testing.Short() {
		return
	}
	folder := filepath.Join("..", "screenshots")
	png := read(t, b, chromedp.FullScreenshot(100))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// forget drops complaints that are expected.
func (b *browser) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = nil
}

// do takes steps one after the other.
func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		t.Fatal(err)
	}
}

// window sets the size of the window; a narrow one is a phone.
func (b *browser) window(t *testing.T, width, height int64) {
	t.Helper()
	call(t, b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 500,
	})
}

// read takes one step that answers.
func read[T any](t *testing.T, b *browser, step chromedp.Action[T]) T {
	t.Helper()
	answer, err := chromedp.Run(b, step)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// ask evaluates an expression in the page.
func ask[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	return read(t, b, chromedp.Evaluate[T](expression))
}

func call[P, R any](t *testing.T, b *browser, command cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(b, command, params); err != nil {
		t.Fatal(err)
	}
}

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
	mux.HandleFunc("GET /garden", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>Garden</title><p id="garden">Welcome</p>`)
	})
	mux.Handle("GET "+Routes["windows"], http.RedirectHandler("/preview/windows", http.StatusSeeOther))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// look is one way of looking at a page.
type look struct {
	name          string
	lang          Lang
	theme         Theme
	width, height int64
}

var looks = []look{
	{"light-en", English, Light, 1280, 860},
	{"dark-zh", Chinese, Dark, 1280, 860},
	{"phone-zh", Chinese, Light, 360, 740},
	{"phone-dark-en", English, Dark, 360, 740},
}

// faint finds words whose contrast with what is behind them is below 4.5 : 1 (WCAG 2.2, 1.4.3), wherever they stand.
const faint = `(() => {
	const channel = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
	const light = c => .2126 * channel(c[0]) + .7152 * channel(c[1]) + .0722 * channel(c[2]);
	const parse = s => { const m = s.match(/[\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
	const over = (a, b) => a.slice(0, 3).map((v, i) => v * a[3] + b[i] * (1 - a[3]));
	const behind = el => {
		const layers = [];
		for (; el; el = el.parentElement) {
			const c = parse(getComputedStyle(el).backgroundColor);
			if (c[3]) layers.push(c);
			if (c[3] === 1) break;
		}
		return layers.reverse().reduce((base, c) => over(c, base), [255, 255, 255]);
	};
	const bad = [];
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const el = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
		if (!text || !el.checkVisibility() || el.closest('title, .unseen, .skip, script, template')) continue;
		const style = getComputedStyle(el), svg = el.closest('svg');
		const ink = parse(svg ? style.fill : style.color), ground = behind(svg ? svg.parentElement : el);
		const a = light(over(ink, ground)), b = light(ground);
		const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
		if (ratio < 4.5) bad.push(text.slice(0, 40) + ' ' + ratio.toFixed(2));
	}
	return bad;
})()`

// wide finds what makes the page scroll sideways in a window of a width; a phone's own idea of it grows with the page.
const wide = `(() => document.documentElement.scrollWidth <= %[1]d ? [] :
	[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > %[1]d + 1 && !e.closest('.scroll, .tabs'))
	.slice(0, 4).map(e => e.tagName + '.' + (e.className.baseVal ?? e.className) + ' ' + Math.round(e.getBoundingClientRect().right)))()`

func TestInABrowser(t *testing.T) {
	b, s := openBrowser(t), house(t)
	t.Run("pages", func(t *testing.T) { lookAtPages(t, b, s) })
	t.Run("cashier by keyboard", func(t *testing.T) { payByKeyboard(t, b, s) })
	t.Run("cashier without script", func(t *testing.T) { payWithoutScript(t, b, s) })
	t.Run("times and charts", func(t *testing.T) { readTimesAndCharts(t, b, s) })
	t.Run("cashier follows the payment", func(t *testing.T) { followPayment(t, b) })
	t.Run("keys", func(t *testing.T) { walkByKeys(t, b, s) })
	t.Run("onward", func(t *testing.T) { goOnward(t, b, s) })
	t.Run("print", func(t *testing.T) { printStatement(t, b, s) })
	t.Run("faint words are found", func(t *testing.T) { findFaintWords(t, b, s) })
}

func lookAtPages(t *testing.T, b *browser, s *httptest.Server) {
	for _, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			b.window(t, l.width, l.height)
			for _, f := range fixtures(l.lang) {
				if testing.Short() && (l.name != "phone-zh" || !strings.HasSuffix(f.name, "ing")) {
					continue
				}
				if only := os.Getenv("PREVIEW"); only != "" && !strings.Contains(f.name, only) {
					continue
				}
				t.Run(f.name, func(t *testing.T) {
					address := s.URL + "/preview/" + f.name + "?" + f.query.Encode() + "&lang=" + string(l.lang) + "&theme=" + string(l.theme)
					b.do(t, chromedp.Navigate(address), chromedp.WaitReady("#main"))
					for _, p := range ask[[]string](t, b, faint) {
						t.Errorf("contrast below 4.5: %s", p)
					}
					for _, w := range ask[[]string](t, b, fmt.Sprintf(wide, l.width)) {
						t.Errorf("wider than the window: %s", w)
					}
					b.quiet(t)
					b.shoot(t, f.name+"."+l.name)
				})
			}
		})
	}
}

func payByKeyboard(t *testing.T, b *browser, s *httptest.Server) {
	b.window(t, 360, 740)
	b.do(t, chromedp.Navigate(s.URL+"/preview/cashier-choosing?lang=en"), chromedp.WaitReady(".wallets"))
	for i, want := range []string{"Skip to the page", "WeChat Pay", "Alipay", "Sandbox wallet", "Back to Old Kiln Pottery", "Help"} {
		b.do(t, chromedp.KeyEvent("\t"))
		if got := ask[string](t, b, `document.activeElement.textContent.trim()`); got != want {
			t.Errorf("tab %d reaches %q, want %q", i+1, got, want)
		}
	}
	b.do(t, chromedp.Focus(`button[value="alipay"]`), chromedp.KeyEvent("\r"), chromedp.WaitVisible(".code"))
	if got, want := ask[string](t, b, `location.pathname + location.search`), "/preview/cashier-awaiting?chosen=alipay"; got != want {
		t.Errorf("choosing a wallet leads to %q, want %q", got, want)
	}
	b.quiet(t)
}

func payWithoutScript(t *testing.T, b *browser, s *httptest.Server) {
	call(t, b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	defer call(t, b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{})
	b.do(t, chromedp.Navigate(s.URL+"/preview/cashier-choosing?lang=en"), chromedp.WaitReady(".wallets"))
	if got := read(t, b, chromedp.Text(".left")); got != "10:52" {
		t.Errorf("the clock says %q, want what the server wrote, 10:52", got)
	}
	if got := read(t, b, chromedp.AttributeValue(`meta[http-equiv="refresh"]`, "content")); got.Value != "653" {
		t.Errorf("the page refreshes itself after %q seconds, want 653, when the time to choose is over", got.Value)
	}
	b.do(t, chromedp.Click(`button[value="weixin"]`), chromedp.WaitVisible(".code svg"))
	if got := read(t, b, chromedp.AttributeValue(`meta[http-equiv="refresh"]`, "content")); got.Value != "5" {
		t.Errorf("the page that waits refreshes itself after %q seconds, want 5", got.Value)
	}
	b.do(t, chromedp.Navigate(s.URL+"/preview/receipt?theme=light&lang=en"), chromedp.WaitReady(".copy[hidden]"))
}

func readTimesAndCharts(t *testing.T, b *browser, s *httptest.Server) {
	b.window(t, 1280, 860)
	b.do(t, chromedp.Navigate(s.URL+"/preview/account"), chromedp.WaitVisible(".uplot canvas"))
	shown, title := ask[string](t, b, `document.querySelector('td.when time').textContent`), ask[string](t, b, `document.querySelector('td.when time').title`)
	if shown != "2026-11-20 11:54:00" || title != "2026-11-20 03:54:00 UTC" {
		t.Errorf("time is %q with title %q, want the reader's zone (UTC+8) and UTC", shown, title)
	}
	if n := ask[int](t, b, `document.querySelectorAll('.copy:not([hidden])').length`); n == 0 {
		t.Error("nothing can be copied")
	}
	b.quiet(t)
}

// followPayment opens the page, lets the payment succeed behind it, and waits for the page to say so.
func followPayment(t *testing.T, b *browser) {
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
	b.do(t, chromedp.Navigate(s.URL+"/pay/x"), chromedp.WaitVisible(".till.awaiting"))
	state.Store("succeeded")
	b.do(t, chromedp.WaitVisible(".till.succeeded"))
	if ask[bool](t, b, `document.querySelector('#live').hasAttribute('hx-get')`) {
		t.Error("the page goes on asking after the payment is paid")
	}
	b.quiet(t)
}

// walkByKeys moves through the rooms and down a list without a mouse.
func walkByKeys(t *testing.T, b *browser, s *httptest.Server) {
	b.window(t, 1280, 860)
	b.do(t, chromedp.Navigate(s.URL+"/preview/payments?lang=en"), chromedp.WaitReady(".list"), chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"))
	if got, want := ask[string](t, b, `document.activeElement.getAttribute('href')`), to("payment", testID(moongate.KindPayment, 0)); got != want {
		t.Errorf("j, j, k stand on %q, want the first payment, %q", got, want)
	}
	b.do(t, chromedp.KeyEvent("/"))
	if got := ask[string](t, b, `document.activeElement.name`); got != "q" {
		t.Errorf("/ stands on %q, want the search", got)
	}
	b.do(t, chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`), chromedp.KeyEvent("?"), chromedp.WaitVisible("dialog kbd"))
	b.do(t, chromedp.KeyEvent("\x1b"), chromedp.KeyEvent("g"), chromedp.KeyEvent("w"), chromedp.WaitVisible("body.page-windows"))
	b.quiet(t)
}

// goOnward confirms a link, which is answered with a redirect into another garden: another origin.
func goOnward(t *testing.T, b *browser, s *httptest.Server) {
	b.do(t, chromedp.Navigate(s.URL+"/preview/onward-confirm?lang=en&theme=light"), chromedp.WaitVisible("form.onward button"),
		chromedp.Click("form.onward button"), chromedp.WaitVisible("#garden"))
	if got := ask[string](t, b, `location.hostname`); got != "localhost" {
		t.Errorf("the form leads to %q, want the garden behind the link", got)
	}
	b.forget() // of the garden, which has no icon
}

// printStatement looks at a statement as paper shows it: no navigation, and readable words in both themes.
func printStatement(t *testing.T, b *browser, s *httptest.Server) {
	call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	defer call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	b.window(t, 794, 1123) // A4 at 96 dots an inch
	for _, name := range []string{"statement", "receipt"} {
		b.do(t, chromedp.Navigate(s.URL+"/preview/"+name+"?lang=en&theme=dark"), chromedp.WaitReady("#main"))
		if got := ask[string](t, b, `getComputedStyle(document.body).backgroundColor + ' ' + document.querySelector('.side').checkVisibility()`); got != "rgb(255, 255, 255) false" {
			t.Errorf("%s on paper: %s, want white and without navigation", name, got)
		}
		b.shoot(t, name+".print")
	}
	b.quiet(t)
}

// findFaintWords makes sure that the measure of the pages above finds something.
func findFaintWords(t *testing.T, b *browser, s *httptest.Server) {
	b.do(t, chromedp.Navigate(s.URL+"/preview/signin?theme=light"), chromedp.WaitReady("h1"),
		chromedp.Evaluate[chromedp.Void](`document.querySelector('h1').style.color = '#999'`))
	if got := ask[[]string](t, b, faint); len(got) != 1 {
		t.Errorf("grey on paper: found %q, want the heading alone", got)
	}
	b.forget()
}
