package pay_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

func TestCreate(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name   string
		caller string
		bend   func(*pay.Create)
		code   moongate.Code
		says   string
	}{
		{"in another's name", "tea-shop", func(*pay.Create) {}, moongate.Forbidden, "neither side"},
		{"by a stranger", "stranger", func(c *pay.Create) { c.From = "stranger" }, moongate.NotFound, "no agreement"},
		{"without a number", "", func(c *pay.Create) { c.Order = "" }, moongate.Malformed, "order"},
		{"with a number that ends blank", "", func(c *pay.Create) { c.Order = "1 " }, moongate.Malformed, "order"},
		{"with a number of two lines", "", func(c *pay.Create) { c.Order = "1\n2" }, moongate.Malformed, "order"},
		{"with a long number", "", func(c *pay.Create) { c.Order = strings.Repeat("1", 65) }, moongate.Malformed, "order"},
		{"of nothing", "", func(c *pay.Create) { c.Amount.Minor = 0 }, moongate.Malformed, "amount"},
		{"of less", "", func(c *pay.Create) { c.Amount.Minor = -1 }, moongate.Malformed, "amount"},
		{"of everything", "", func(c *pay.Create) { c.Amount.Minor = 1<<63 - 1 }, moongate.Malformed, "amount"},
		{"in no currency", "", func(c *pay.Create) { c.Amount.Currency = money.Currency{} }, moongate.Malformed, ""},
		{"in a currency outside the terms", "", func(c *pay.Create) { c.Amount.Currency, _ = money.ParseCurrency("EUR") }, moongate.Refused, ""},
		{"of parts that are not the whole", "", func(c *pay.Create) { c.Payees[0].Amount-- }, moongate.Malformed, "9999"},
		{"to somebody outside the terms", "", func(c *pay.Create) { c.Payees[0].Party = "nobody" }, moongate.NotFound, "nobody"},
		{"without terms", "", func(c *pay.Create) { c.Agreement = moongate.ID{} }, moongate.Malformed, "agreement"},
		{"without a title", "", func(c *pay.Create) { c.Title = "" }, moongate.Malformed, "title"},
		{"with a long title", "", func(c *pay.Create) { c.Title = strings.Repeat("月", 128) }, moongate.Malformed, "title"},
		{"with a title that moves the cursor", "", func(c *pay.Create) { c.Title = "a\x1b[2J" }, moongate.Malformed, "title"},
		{"without wallets", "", func(c *pay.Create) { c.Wallets = nil }, moongate.Malformed, "wallets"},
		{"with one wallet twice", "", func(c *pay.Create) { c.Wallets = []string{"crane-pay", "crane-pay"} }, moongate.Malformed, "each once"},
		{"with a shop for a wallet", "", func(c *pay.Create) { c.Wallets = []string{"tea-shop"} }, moongate.Refused, "no wallet"},
		{"with a wallet outside the terms", "", func(c *pay.Create) { c.Wallets = []string{"heron-pay"} }, moongate.Refused, "heron-pay"},
		{"for a second", "", func(c *pay.Create) { c.Expires = w.now() + moongate.Second }, moongate.Malformed, "expires"},
		{"for a week", "", func(c *pay.Create) { c.Expires = w.now() + 7*moongate.Day }, moongate.Malformed, "expires"},
		{"with a script to return to", "", func(c *pay.Create) { c.ReturnURL = "javascript:alert(1)" }, moongate.Malformed, "return_url"},
		{"with an address in the clear to return to", "", func(c *pay.Create) { c.ReturnURL = "http://shop.test/" }, moongate.Malformed, "return_url"},
		{"with a class without end", "", func(c *pay.Create) { c.Class, c.Suspend, c.Payees = strings.Repeat("x", 129), "why", nil }, moongate.Malformed, "class"},
		{"with a password to return with", "", func(c *pay.Create) { c.ReturnURL = "https://u:p@shop.test/" }, moongate.Malformed, "return_url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.request("x")
			c.bend(r)
			if c.caller == "" {
				c.caller = "lotus-market"
			}
			w.refuse(c.caller, r, c.code, c.says)
		})
	}
	id := w.purchase("1001")
	if again := w.purchase("1001"); again != id {
		t.Error("the same order made a second payment")
	}
	other := w.request("1001")
	other.Amount, other.Payees[0].Amount = money.Of(9_999, money.CNY), 9_999
	w.refuse("lotus-market", other, moongate.Conflict, "stands for a payment of 100.00 CNY")
	mixed := w.request("1002")
	mixed.Wallets = []string{"heron-pay", "carp-pay"}
	p := w.payment(w.submit("lotus-market", mixed).(pay.PaymentAnswer).Payment)
	if len(p.Wallets) != 1 || p.Wallets[0] != "carp-pay" {
		t.Errorf("offered are %v", p.Wallets)
	}
}

func TestFullRoom(t *testing.T) {
	w := newLimitedWorld(t, pay.Limits{Payments: 2})
	w.purchase("1")
	w.purchase("2")
	w.refuse("lotus-market", w.request("3"), moongate.Busy, "2 payments")
}

func TestOffer(t *testing.T) {
	w := newWorld(t)
	c := w.request("1")
	c.Wallets = nil
	if err := w.gate.Offer(c); err != nil || strings.Join(c.Wallets, " ") != "carp-pay crane-pay" {
		t.Errorf("%v %v", c.Wallets, err)
	}
	c.Wallets = []string{"heron-pay"}
	if err := w.gate.Offer(c); moongate.CodeOf(err) != moongate.Refused || !strings.Contains(err.Error(), "no account at") {
		t.Error(err)
	}
	for _, a := range []money.Amount{money.Of(1<<40, money.CNY), {Minor: 1, Currency: money.EUR}} {
		c.Wallets, c.Amount = nil, a
		if err := w.gate.Offer(c); moongate.CodeOf(err) != moongate.Refused {
			t.Errorf("%s: %v", a, err)
		}
		c.Wallets = []string{"carp-pay"}
		if err := w.gate.Offer(c); moongate.CodeOf(err) != moongate.Refused {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestChooseAndCancelRefusals(t *testing.T) {
	w := newWorld(t)
	id := w.purchase("1001")
	w.refuse("tea-shop", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay"}, moongate.NotFound, "no payment")
	w.refuse("lotus-market", &pay.ChooseWallet{Payment: id, Wallet: "heron-pay"}, moongate.Refused, "not offered")
	w.refuse("lotus-market", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay", Channel: "pigeon"}, moongate.Malformed, "pigeon")
	w.refuse("tea-shop", &pay.Cancel{Payment: id}, moongate.NotFound, "no payment")
	w.refuse("tea-shop", &pay.Return{Payment: id}, moongate.NotFound, "no payment")
	w.submit("lotus-market", &pay.Return{Payment: id}) // nothing to ask anybody
	if got := w.kinds(id); got != "created" {
		t.Error(got)
	}
	if a, err := w.cancel(id); err != nil || a.(pay.PaymentAnswer).Status != pay.Cancelled {
		t.Error(a, err)
	}
	if a, err := w.cancel(id); err != nil || a.(pay.PaymentAnswer).Status != pay.Cancelled {
		t.Error(a, err)
	}
	w.refuse("lotus-market", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay"}, moongate.Conflict, "cancelled")
	if body := w.get(w.address(id)).Body.String(); !strings.Contains(body, "cancelled") {
		t.Error(body)
	}
	paid, _ := w.paid("1002")
	if _, err := w.cancel(paid); moongate.CodeOf(err) != moongate.Conflict || !strings.Contains(err.Error(), "refund it") {
		t.Error(err)
	}
}

// The shopper changes between wallets until it is enough.
func TestManyAttempts(t *testing.T) {
	w := newWorld(t)
	id := w.purchase("1001")
	for i := range 20 {
		w.choose(id, []string{"crane-pay", "carp-pay"}[i%2])
		w.settle()
	}
	if n := w.payment(id).Attempts; n != 20 {
		t.Fatalf("%d attempts", n)
	}
	w.refuse("", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay"}, moongate.Limit, "20 times")
	if live := w.payment(id).Attempt; w.attempt(live).Status != pay.AttemptAwaiting {
		t.Error("the last attempt cannot be paid")
	}
	w.shop(id, "carp-pay")
	w.stands(id, pay.Succeeded)
}

// What does not prove to come from the wallet leaves no trace.
func TestForgedNotifications(t *testing.T) {
	w := newWorld(t)
	w.deaf = true
	id, attempt := w.opened("1001")
	w.approve("crane-pay", attempt)
	w.Advance(10 * time.Second)
	if len(w.missed) == 0 {
		t.Fatal("the wallet has not told")
	}
	genuine := w.missed[0]
	before := len(w.local.Records)
	for name, c := range map[string]struct {
		bend func(*letter)
		want int
	}{
		"at another wallet's door": {func(l *letter) { l.path = "/pay/notify/carp-pay" }, http.StatusUnauthorized},
		"at nobody's door":         {func(l *letter) { l.path = "/pay/notify/heron-pay" }, http.StatusNotFound},
		"another body":             {func(l *letter) { l.body = bytes.Replace(l.body, []byte("SUCCESS"), []byte("SUCCESZ"), 1) }, http.StatusUnauthorized},
		"no body":                  {func(l *letter) { l.body = nil }, http.StatusUnauthorized},
		"a huge body":              {func(l *letter) { l.body = bytes.Repeat([]byte("x"), 65<<10) }, http.StatusRequestEntityTooLarge},
		"no signature":             {func(l *letter) { l.header.Del("Wechatpay-Signature") }, http.StatusUnauthorized},
		"a test signature":         {func(l *letter) { l.header.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/AAAA") }, http.StatusUnauthorized},
		"an unknown certificate":   {func(l *letter) { l.header.Set("Wechatpay-Serial", strings.Repeat("A", 40)) }, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			l := letter{genuine.path, genuine.header.Clone(), bytes.Clone(genuine.body)}
			c.bend(&l)
			if got := w.bring(l); got != c.want {
				t.Errorf("answered %d, want %d", got, c.want)
			}
		})
	}
	if n := len(w.local.Records); n != before {
		t.Errorf("%d records of the journal tell of forgeries", n-before)
	}
	w.stands(id, pay.Open)
	for range 3 {
		if got := w.bring(genuine); got != http.StatusNoContent {
			t.Errorf("the genuine one is answered %d", got)
		}
	}
	w.stands(id, pay.Succeeded)
	if n := len(w.local.Records); n != before+1 {
		t.Errorf("three deliveries left %d records", n-before)
	}
	w.Advance(6 * time.Minute)
	if got := w.bring(genuine); got != http.StatusUnauthorized {
		t.Errorf("a stale one is answered %d", got)
	}
}

// A notification that cannot be stored is not acknowledged; the wallet tells again.
func TestNotificationNotStored(t *testing.T) {
	w := newLimitedWorld(t, pay.Limits{Exceptions: 1})
	w.submit("", &pay.Told{Wallet: "crane-pay", Event: "X", Order: "x", Payment: &pay.Evidence{State: pay.Paid}})
	x := w.trouble(pay.TroubleStranger).Trouble.Exception
	id, attempt := w.opened("1001")
	w.links["crane-pay"] = mislabelled{w.links["crane-pay"]} // tells of orders that are not ours
	w.open()
	w.approve("crane-pay", attempt)
	w.Advance(10 * time.Second)
	w.stands(id, pay.Open)
	if n := w.wallets["crane-pay"].Waiting(); n != 1 {
		t.Errorf("%d notifications wait for their acknowledgement", n)
	}
	w.submit("keeper", &pay.Resolve{Exception: x, Action: pay.Dismiss, Note: "not ours"})
	w.Advance(10 * time.Minute)
	if n := w.wallets["crane-pay"].Waiting(); n != 0 {
		t.Errorf("%d notifications wait for their acknowledgement", n)
	}
	w.trouble(pay.TroubleStranger)
	w.pass(time.Minute, 10*time.Second)
	w.stands(id, pay.Succeeded) // by the query
}

// mislabelled is a wallet whose notifications name another order.
type mislabelled struct{ pay.Wallet }

func (m mislabelled) Notified(ctx context.Context, h http.Header, body []byte) (pay.Notice, error) {
	n, err := m.Wallet.(pay.Notifier).Notified(ctx, h, body)
	if n.Payment != nil {
		n.Payment.No = "another-shops-order"
	}
	return n, err
}

// Addresses of the cashier cannot be guessed, and whatever is posted there is bounded.
func TestCashierAddresses(t *testing.T) {
	w := newWorld(t)
	id := w.purchase("1001")
	good := w.address(id)
	token := strings.TrimPrefix(good, pay.CashierPath)
	for name, path := range map[string]string{
		"no mac":         pay.CashierPath + id.String(),
		"an empty mac":   pay.CashierPath + id.String() + ".",
		"another mac":    pay.CashierPath + id.String() + "." + strings.Repeat("A", 22),
		"too much":       good + "A",
		"a short mac":    good[:len(good)-1],
		"another id":     pay.CashierPath + strings.Replace(token, id.String(), w.terms.String(), 1),
		"nothing":        pay.CashierPath + "x",
		"return of none": pay.CashierPath + "x/return",
	} {
		if got := w.get(path); got.Code != http.StatusNotFound || strings.Contains(got.Body.String(), "100.00") {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	for _, c := range []struct {
		name, method, body string
		want               int
	}{
		{"no wallet", http.MethodPost, "", http.StatusBadRequest},
		{"another wallet", http.MethodPost, "wallet=heron-pay", http.StatusConflict},
		{"a huge form", http.MethodPost, "wallet=" + strings.Repeat("a", 5<<10), http.StatusBadRequest},
		{"a broken form", http.MethodPost, "wallet=%zz", http.StatusBadRequest},
		{"a put", http.MethodPut, "", http.StatusMethodNotAllowed},
	} {
		r := httptest.NewRequest(c.method, good, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if got := w.browse(r); got.Code != c.want {
			t.Errorf("%s: %d, want %d", c.name, got.Code, c.want)
		}
	}
	page := w.get(good)
	for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"} {
		if got := page.Header().Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if w.payment(id).Attempts != 0 {
		t.Error("something was chosen")
	}
}

// On a phone the wallet's app is opened, with the shopper's address, which is written down nowhere.
func TestPhone(t *testing.T) {
	w := newWorld(t)
	id := w.purchase("1001")
	form := url.Values{"wallet": {"crane-pay"}}
	r := httptest.NewRequest(http.MethodPost, w.address(id), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1")
	r.RemoteAddr = "203.0.113.77:4444"
	if got := w.browse(r); got.Code != http.StatusSeeOther {
		t.Fatal(got.Code)
	}
	w.settle()
	a := w.attempt(w.payment(id).Attempt)
	if a.Channel != pay.Redirect || !strings.Contains(a.Way.URL, "/cgi-bin/mmpayweb-bin/checkmweb?") || !strings.Contains(a.Way.URL, url.QueryEscape(w.gate.Address(id)+"/return")) {
		t.Errorf("%+v", a)
	}
	for _, record := range w.local.Records {
		for _, d := range record.Done {
			for _, st := range d.Events {
				for _, g := range st.Groups {
					if bytes.Contains(g.Data, []byte("203.0.113.77")) {
						t.Error("the shopper's address is in the journal")
					}
				}
			}
		}
	}
	w.approve("crane-pay", w.payment(id).Attempt)
	w.deaf = true
	w.get(w.address(id) + "/return")
	w.settle()
	w.stands(id, pay.Succeeded)
}

// A shopper who presses everything all the time causes a few questions to the wallet and a few records, not a flood.
func TestImpatientShopper(t *testing.T) {
	w := newWorld(t)
	id, _ := w.opened("1001")
	calls, records := len(w.called), len(w.local.Records)
	for range 600 {
		w.get(w.address(id) + "/return")
		w.get(w.address(id))
		w.post(w.address(id), url.Values{"wallet": {"crane-pay"}})
		w.post(w.address(id), url.Values{"wallet": {"heron-pay"}})
		w.Advance(100 * time.Millisecond)
		w.settle()
	}
	if n := len(w.called) - calls; n > 25 {
		t.Errorf("the wallet was asked %d times", n)
	}
	if n := len(w.local.Records) - records; n > 50 {
		t.Errorf("%d records of the journal tell of it", n)
	}
}

// While an order is being closed the shopper may change his mind, but not all the time.
func TestWaveringShopper(t *testing.T) {
	w := newWorld(t)
	id, first := w.opened("1001")
	w.down["crane-pay"] = true
	w.choose(id, "carp-pay")
	w.choose(id, "carp-pay")
	w.refuse("", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay"}, moongate.Busy, "in a moment")
	w.settle()
	w.Advance(5 * time.Second)
	w.choose(id, "crane-pay")
	if p := w.payment(id); p.NextTo != "crane-pay" || p.Attempt != first {
		t.Errorf("%+v", p)
	}
	if got := strings.Count(w.kinds(id), "close_due"); got != 2 {
		t.Errorf("closed %d times: %s", got, w.kinds(id))
	}
	w.down["crane-pay"] = false
	w.pass(10*time.Minute, 10*time.Second)
	if a := w.attempt(w.payment(id).Attempt); a.Wallet != "crane-pay" || a.Status != pay.AttemptAwaiting || w.payment(id).Attempt == first {
		t.Errorf("%+v", a)
	}
	w.shop(id, "crane-pay")
	w.stands(id, pay.Succeeded)
}

// FuzzCashier: nobody without the address sees or changes anything, and nothing panics.
func FuzzCashier(f *testing.F) {
	w := newWorld(f)
	id := w.purchase("1001")
	token := strings.TrimPrefix(w.address(id), pay.CashierPath)
	for _, t := range []string{token, id.String(), id.String() + ".", token + "A", ".", "pay_.x"} {
		f.Add(t, "wallet=heron-pay")
	}
	f.Add(token, "wallet=%zz&wallet=")
	f.Fuzz(func(t *testing.T, path, form string) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := httptest.NewRequest(method, pay.CashierPath+"x", strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetPathValue("token", path)
			rec := httptest.NewRecorder()
			w.gate.Cashier(rec, r)
			if rec.Code >= 500 || (path != token) != (rec.Code == http.StatusNotFound) {
				t.Errorf("%s %q: %d", method, path, rec.Code)
			}
		}
	})
}

func TestGateOptions(t *testing.T) {
	w := newWorld(t)
	ok := pay.Options{State: w.payments, Read: w.machine.Read, Submit: nil, Now: w.now, URL: hubURL, Secret: make([]byte, 32)}
	for name, bend := range map[string]func(*pay.Options){
		"no way to submit":      func(*pay.Options) {},
		"an address with slash": func(o *pay.Options) { o.URL += "/" },
		"an address with query": func(o *pay.Options) { o.URL += "?a=b" },
		"a short secret":        func(o *pay.Options) { o.Secret = o.Secret[:31] },
		"no address":            func(o *pay.Options) { o.URL = "" },
	} {
		o := ok
		if name != "no way to submit" {
			o.Submit = submitNothing
		}
		bend(&o)
		if _, err := pay.NewGate(o); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func submitNothing(context.Context, replica.Request) (any, error) { return nil, nil }
