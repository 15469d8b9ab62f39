package api_test

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/moongate-hub/moongate/pages/look"
)

// The reference is read as people read it: in both themes, on a desk and on a phone, without scripts and without any other
// site. Every link of its own leads somewhere, and every operation shows a request and an answer.
func TestReferenceInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("the browser takes a while")
	}
	b, w := look.Open(t), open(t)
	for _, theme := range []string{"light", "dark"} {
		look.Call(t, b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
		for name, width := range map[string]int64{"desk": 1280, "phone": 360} {
			b.Window(t, width, 800)
			b.Do(t, chromedp.Navigate(w.url+"/docs"), chromedp.WaitReady("main"))
			b.Check(t, "reference-"+name+"-"+theme)
		}
	}
	for what, query := range map[string]string{
		"links that lead nowhere":        `[...document.querySelectorAll('a[href^="#"]')].filter(a => !document.getElementById(a.getAttribute('href').slice(1))).map(a => a.outerHTML)`,
		"operations without a request":   `[...document.querySelectorAll('article')].filter(a => !a.querySelector('pre.curl')?.textContent.includes('curl')).map(a => a.id)`,
		"operations without an answer":   `[...document.querySelectorAll('article')].filter(a => a.querySelectorAll('.shows h4').length < 2 || !a.querySelector('.shows h4 + pre + h4 + *, .shows h4:last-of-type + *')).map(a => a.id)`,
		"operations that are not listed": `[...document.querySelectorAll('article')].filter(a => !document.querySelector('nav a[href="#' + a.id + '"]')).map(a => a.id)`,
		"things from elsewhere":          `performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin + '/'))`,
		"scripts":                        `[...document.scripts].map(s => s.outerHTML)`,
	} {
		if got := look.Ask[[]string](t, b, query); len(got) > 0 {
			t.Errorf("%s: %v", what, got)
		}
	}
	if n := look.Ask[int](t, b, `document.querySelectorAll('article').length`); n < 90 {
		t.Errorf("%d operations", n)
	}
	for _, file := range []string{"/openapi.json", "/openapi.yaml", "/schemas/agreement.json"} {
		if got := w.do(call{path: file}); got.status != 200 {
			t.Errorf("%s: %d", file, got.status)
		}
	}
}
