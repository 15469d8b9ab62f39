// Package look has tests look at pages in a real browser, as a reader would: it drives Chromium, keeps pictures, and
// finds what no picture shows (contrast, names, order, words in the wrong language).
//
// Where Chromium is missing a test skips and says so; where CI is set it fails. Pictures go to the folder that
// MOONGATE_SCREENSHOTS names, else to screenshots/ beside the module, which git ignores.
package look

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

// Browser is one Chromium with one tab, and what the tab has complained about.
type Browser struct {
	context.Context
	width      int64
	mu         sync.Mutex
	complaints []string
}

// phone is what a browser on one calls itself: pages that hand over to an app look for the word Mobile.
const phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"

// patience bounds a whole test.
const patience = 8 * time.Minute

// Open starts a browser that ends with the test. Its reader lives in Shanghai, so that a time in UTC shows.
func Open(t testing.TB) *Browser {
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
	tab, cancel := context.WithTimeout(tab, patience)
	t.Cleanup(cancel)
	b := &Browser{Context: tab}
	if err := chromedp.Listen(tab, b.listen); err != nil {
		t.Fatal(err)
	}
	Call(t, b, log.Enable, struct{}{})
	Call(t, b, runtime.Enable, struct{}{})
	Call(t, b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Shanghai"})
	b.Window(t, 1280, 860)
	return b
}

func (b *Browser) listen(event any) {
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

// Quiet fails when the page has complained, and forgets it.
func (b *Browser) Quiet(t testing.TB) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.complaints {
		t.Error(c)
	}
	b.complaints = nil
}

// Forget drops complaints that are expected.
func (b *Browser) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = nil
}

// moment bounds one step.
const moment = 40 * time.Second

// Do takes steps one after the other. A step that comes to nothing leaves a picture of what stood there instead.
func (b *Browser) Do(t testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	for _, step := range steps {
		ctx, cancel := context.WithTimeout(b, moment)
		err := chromedp.Do(ctx, step)
		cancel()
		if err != nil {
			b.Shoot(t, "failed-"+strings.Map(plain, t.Name()))
			t.Fatalf("%v; the page says: %.600q", err, Ask[string](t, b, `location.href + "\n" + document.body.innerText`))
		}
	}
}

// plain keeps of a test's name what a file's may have.
func plain(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// Window sets the size of the window. A narrow one is a phone, and the browser says so.
func (b *Browser) Window(t testing.TB, width, height int64) {
	t.Helper()
	b.width = width
	Call(t, b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 500,
	})
	agent := emulation.SetUserAgentOverrideParams{}
	if width < 500 {
		agent.UserAgent = phone
	}
	Call(t, b, emulation.SetUserAgentOverride, agent)
}

// Scripts turns scripts on or off.
func (b *Browser) Scripts(t testing.TB, on bool) {
	t.Helper()
	Call(t, b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
}

// Shoot keeps a picture of the whole page.
func (b *Browser) Shoot(t testing.TB, name string) {
	t.Helper()
	folder := os.Getenv("MOONGATE_SCREENSHOTS")
	if folder == "" {
		folder = filepath.Join(root(t), "screenshots")
	}
	png := Read(t, b, chromedp.FullScreenshot(100))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

// root is the module's folder, above the one in which a test runs.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			t.Fatal("this test does not run inside the module")
		}
		dir = above
	}
}

// Read takes one step that answers.
func Read[T any](t testing.TB, b *Browser, step chromedp.Action[T]) T {
	t.Helper()
	answer, err := chromedp.Run(b, step)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Ask evaluates an expression in the page.
func Ask[T any](t testing.TB, b *Browser, expression string) T {
	t.Helper()
	return Read(t, b, chromedp.Evaluate[T](expression))
}

// Call sends the browser a command of its protocol.
func Call[P, R any](t testing.TB, b *Browser, command cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(b, command, params); err != nil {
		t.Fatal(err)
	}
}
