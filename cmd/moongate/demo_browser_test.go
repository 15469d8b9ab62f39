//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/moongate-hub/moongate/pages/look"
)

// A shopper walks through the demonstration with a phone, in both languages: past every kind of garden, through a link that
// opens and one that is shut, to the cashier, the wallet and back.
func TestDemoInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("the browser takes a while")
	}
	b, d := look.Open(t), startDemo(t)
	d.until("Ctrl-C closes everything")
	link, shut := d.until(`a link +(http\S+)`)[1], d.until(`a shut link +(http\S+)`)[1]
	b.Window(t, 360, 740)
	b.Do(t, chromedp.Navigate(link), chromedp.WaitVisible(".price"))
	gardens := look.Ask[string](t, b, `location.origin`)
	if came := look.Ask[string](t, b, `document.body.innerText`); !strings.Contains(came, "You came through the gate, from Willow Reads") && !strings.Contains(came, "You came through the gate, from Plum Notes") {
		t.Errorf("the market does not know where the shopper comes from: %s", came)
	}
	for _, lang := range []string{"en", "zh"} {
		for _, path := range []string{"/willow-reads/", "/lotus-market/", "/lotus-market/goods/1", "/lotus-market/goods/999", "/lotus-market/orders/none", "/pavilion-store/", "/tea-timer/"} {
			b.Do(t, chromedp.Navigate(gardens+path+"?theme=dark&lang="+lang), chromedp.WaitReady("main"))
			if strings.Contains(path, "999") || strings.Contains(path, "none") {
				b.Forget() // the browser notes that it is a 404
			}
			b.Check(t, "demo-garden"+strings.ReplaceAll(strings.TrimSuffix(path, "/"), "/", "-")+"-"+lang)
		}
		b.Do(t, chromedp.Navigate(shut+"?theme=light&lang="+lang), chromedp.WaitVisible(".gate.shut"))
		b.Forget() // likewise, of the 403
		b.Check(t, "demo-shut-"+lang)
	}

	b.Do(t, chromedp.Navigate(gardens+"/lotus-market/goods/1"), chromedp.WaitVisible("button"), chromedp.Click("button"), chromedp.WaitVisible(".page-cashier .wallets"))
	b.Check(t, "demo-cashier-choosing")
	b.Do(t, chromedp.Click(`button[value="crane-pay"]`), chromedp.WaitVisible(".hand a.wallet"))
	b.Check(t, "demo-cashier-awaiting")
	b.Do(t, chromedp.Click(".hand a.wallet"), chromedp.WaitVisible(`button[value="approve"]`))
	b.Check(t, "demo-wallet")
	b.Do(t, chromedp.Click(`button[value="approve"]`), chromedp.WaitVisible("main.paid .back"))
	b.Check(t, "demo-wallet-paid")
	b.Do(t, chromedp.Click("main.paid .back"), chromedp.WaitVisible(".till.succeeded"))
	b.Check(t, "demo-cashier-paid")
	b.Do(t, chromedp.Click(".wayback a"), chromedp.WaitVisible(".card .price"))
	if said := look.Ask[string](t, b, `document.querySelector('h1').textContent`); said != "谢谢，商品即将发出" {
		t.Errorf("back at the market: %q", said)
	}
	b.Check(t, "demo-order")
}
