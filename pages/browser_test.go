package pages_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is one Chromium with one tab, and what the tab complained about. Where there is none the test skips, and fails
// where CI is set. Pictures go to screenshots/ beside the module, which git ignores.
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
	tab, cancel := context.WithTimeout(tab, 2*time.Minute)
	t.Cleanup(cancel)
	b := &browser{Context: tab}
	if err := chromedp.Listen(tab, b.listen); err != nil {
		t.Fatal(err)
	}
	call(t, b, log.Enable, struct{}{})
	call(t, b, runtime.Enable, struct{}{})
	return b
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded: // what breaks the content security policy arrives here
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

func (b *browser) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b, steps...); err != nil {
		t.Fatal(err)
	}
}

func read[T any](t *testing.T, b *browser, step chromedp.Action[T]) T {
	t.Helper()
	answer, err := chromedp.Run(b, step)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func call[P, R any](t *testing.T, b *browser, command cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(b, command, params); err != nil {
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

// shoot looks at the page: it complains of nothing, is no wider than its window, and a picture of it is kept.
func (b *browser) shoot(t *testing.T, name string, width int64) {
	t.Helper()
	if got := read(t, b, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); got > width {
		t.Errorf("%s is %d wide in a window of %d", name, got, width)
	}
	b.quiet(t)
	folder := filepath.Join("..", "screenshots")
	png := read(t, b, chromedp.FullScreenshot(100))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "live-"+name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// An operator signs in and reads, and a shopper pays on a phone while the cashier follows by itself.
func TestInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("the browser takes a while")
	}
	b, w := openBrowser(t), open(t)
	w.settle()
	held := w.sell("ORDER-0500", 5000, "the items do not add up")
	w.pay(held)
	w.level()

	b.window(t, 1280, 860)
	b.do(t, chromedp.Navigate(w.url+"/console/crossings"), chromedp.WaitVisible("#credential"))
	b.shoot(t, "signin", 1280)
	b.do(t, chromedp.SendKeys("#credential", w.tokens["office"]+"\r"), chromedp.WaitVisible(".list"))
	if at := read(t, b, chromedp.Evaluate[string](`location.pathname`)); at != "/console/crossings" {
		t.Errorf("signing in leads to %s", at)
	}
	w.until("the log holds the crossing", func() bool { return w.as("office").get(w.addresses()["receipt"]).status == 200 })
	for _, name := range []string{
		"home", "crossings", "crossing", "receipt", "payments", "payment", "balances", "account", "windows", "window", "exceptions", "agreements",
		"agreement", "links", "participants", "participant", "statements", "statement", "health", "log",
	} {
		b.do(t, chromedp.Navigate(w.url+w.addresses()[name]+"?lang=en"), chromedp.WaitReady("#main"))
		b.shoot(t, name, 1280)
	}
	b.window(t, 360, 740)
	for _, name := range []string{"home", "crossing", "exceptions"} {
		b.do(t, chromedp.Navigate(w.url+w.addresses()[name]+"?lang=zh&theme=dark"), chromedp.WaitReady("#main"))
		b.shoot(t, name+"-phone-zh", 360)
	}

	payment := w.sell("ORDER-0600", 9900, "")
	b.do(t, chromedp.Navigate(w.hub.Payments.Address(payment)+"?lang=zh&theme=light"), chromedp.WaitVisible(".wallets"))
	b.shoot(t, "cashier-choosing", 360)
	b.do(t, chromedp.Click(`button[value="crane-pay"]`), chromedp.WaitVisible(".code"))
	b.shoot(t, "cashier-awaiting", 360)
	if to := read(t, b, chromedp.Evaluate[string](`document.querySelector(".hand a.wallet").href`)); !strings.HasPrefix(to, w.hub.Config.Wallets[0].BaseURL) {
		t.Errorf("the wallet opens at %q", to)
	}
	w.approve(payment)
	b.do(t, chromedp.WaitVisible(".till.succeeded"))
	b.shoot(t, "cashier-paid", 360)
}
