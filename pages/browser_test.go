package pages_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/moongate-hub/moongate/pages/look"
)

// An operator signs in and reads every page.
func TestInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("the browser takes a while")
	}
	b, w := look.Open(t), open(t)
	w.settle()
	held := w.sell("ORDER-0500", 5000, "the items do not add up")
	w.pay(held)
	w.level()

	b.Window(t, 1280, 860)
	b.Do(t, chromedp.Navigate(w.url+"/console/crossings"), chromedp.WaitVisible("#credential"))
	b.Check(t, "live-signin")
	b.Do(t, chromedp.SendKeys("#credential", w.tokens["office"]+"\r"), chromedp.WaitVisible(".list"))
	if at := look.Ask[string](t, b, `location.pathname`); at != "/console/crossings" {
		t.Errorf("signing in leads to %s", at)
	}
	officer := w.as("office") // once: nobody is signed in more than 64 times
	w.until("the log holds the crossing", func() bool { return officer.get(w.addresses()["receipt"]).status == 200 })
	for _, name := range []string{
		"home", "crossings", "crossing", "receipt", "payments", "payment", "balances", "account", "windows", "window", "exceptions", "agreements",
		"agreement", "links", "participants", "participant", "statements", "statement", "health", "log",
	} {
		b.Do(t, chromedp.Navigate(w.url+w.addresses()[name]+"?lang=en"), chromedp.WaitReady("#main"))
		b.Check(t, "live-"+name)
	}
	b.Window(t, 360, 740)
	for _, name := range []string{"home", "crossing", "exceptions"} {
		b.Do(t, chromedp.Navigate(w.url+w.addresses()[name]+"?lang=zh&theme=dark"), chromedp.WaitReady("#main"))
		b.Check(t, "live-"+name+"-phone-zh")
	}
}
