package pages_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/stripe/stripetest"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

const cardTerms = `
moongate: agreement/1
id: cards
version: 1
name: {en: Cards, zh: 银行卡}
parties:
  - {role: marketplace, id: mall}
  - {role: seller, id: kiln}
  - {role: wallet, id: egret-pay}
valid: {from: %q, until: %q, notice: 30d}
scope: {kinds: [payment, refund], currencies: [CNY], beneficiary: seller}
settlement: {window: 1d, netting: multilateral}
offer: {kind: closed}
`

// cards is a world in which cards are reserved first and charged later.
type cards struct {
	*world
	account *stripetest.Account
	terms   moongate.ID
}

func openCards(t *testing.T) *cards {
	t.Helper()
	c := &cards{}
	clock := func() time.Time { return time.Now() }
	c.account = stripetest.New(func() time.Time { return clock() })
	server := httptest.NewServer(c.account)
	t.Cleanup(server.Close)
	c.world = openWith(t, func(dir string) []hub.WalletConfig {
		w := hub.WalletConfig{Name: "egret-pay", Kind: "stripe", BaseURL: server.URL, SecretKey: filepath.Join(dir, "stripe.key"), Webhook: filepath.Join(dir, "stripe.hook"), Currencies: []string{"CNY"}}
		for file, text := range map[string]string{w.SecretKey: stripetest.SecretKey, w.Webhook: stripetest.WebhookSecret} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return []hub.WalletConfig{w}
	})
	clock = c.clock
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := party.Prove(private, "egret-pay")
	if err != nil {
		t.Fatal(err)
	}
	c.keys["egret-pay"] = private
	do[party.Done](c.world, "", &party.Register{Handle: "egret-pay", Kind: party.Wallet, Name: "Egret Pay", NameZH: "鹭鸶支付", Keys: []party.NewKey{key}})
	c.settle()
	day := func(n int) string { return time.Now().UTC().AddDate(0, 0, n).Format(time.RFC3339) }
	d, err := agreement.Parse(fmt.Appendf(nil, cardTerms, day(-40), day(100)))
	if err != nil {
		t.Fatal(err)
	}
	c.terms = c.signed(d, map[agreement.Role]string{agreement.Marketplace: "mall", agreement.Seller: "kiln", agreement.Wallet: "egret-pay"})
	return c
}

// reserve has a payment of 100.00 authorised.
func (c *cards) reserve(order string) moongate.ID {
	c.t.Helper()
	create := &pay.Create{
		Order: order, From: "mall", To: "kiln", Agreement: c.terms, Amount: money.Of(10_000, money.CNY), Title: "A teapot", Wallets: []string{"egret-pay"},
		Capture: pay.Manual, ReturnURL: c.url + "/console",
	}
	id := do[pay.PaymentAnswer](c.world, "mall", create).Payment
	do[pay.WalletAnswer](c.world, "", &pay.ChooseWallet{Payment: id, Wallet: "egret-pay", Channel: pay.Redirect})
	c.until("the page to pay on is there", func() bool {
		no, ready := "", false
		c.hub.Machine().Read(func() {
			p, _ := c.hub.Pay.Lookup(id)
			a, _ := c.hub.Pay.Attempt(p.Attempt)
			no, ready = p.Attempt.String(), a.Status == pay.AttemptAwaiting
		})
		return ready && c.account.Pay(no) != nil
	})
	for _, l := range c.account.Letters() {
		r, err := http.NewRequest(http.MethodPost, c.url+pay.NotifyPath+"egret-pay", strings.NewReader(string(l.Body)))
		if err != nil {
			c.t.Fatal(err)
		}
		r.Header = l.Header
		if got := c.visitor().send(r); got.status >= 300 {
			c.t.Fatalf("%s: %d %s", l.Kind, got.status, got.body)
		}
	}
	c.stands(id, pay.StatusAuthorised)
	return id
}

func (c *cards) stands(id moongate.ID, want pay.Status) {
	c.t.Helper()
	c.until("the payment is "+string(want), func() bool {
		var p pay.Payment
		c.hub.Machine().Read(func() { p, _ = c.hub.Pay.Lookup(id) })
		return p.Status == want
	})
}

// The payment's page lets its merchant take what is reserved, or a part, or let it go; nobody else, and not by a session that
// has been open for long.
func TestCaptureOnThePage(t *testing.T) {
	c := openCards(t)
	one, two, three := c.reserve("CARD-1"), c.reserve("CARD-2"), c.reserve("CARD-3")
	c.level()
	at := func(id moongate.ID) string { return "/console/payments/" + id.String() }
	mall := c.as("mall")
	page := mall.get(at(one))
	for _, want := range []string{at(one) + "/capture", at(one) + "/let_go", `value="100.00"`, "Can be captured until"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q: %s", want, words(page.body))
		}
	}
	if strings.Contains(page.body, "hx-get") {
		t.Error("the page renews itself beneath who fills the form in")
	}
	reader := c.with(c.issue("mall", party.PaymentsRead))
	if got := reader.get(at(one)); got.status != http.StatusOK || strings.Contains(got.body, "/capture") {
		t.Errorf("who may only read: %d %s", got.status, words(got.body))
	}
	if got := reader.post(at(one)+"/capture", url.Values{"token": {reader.get(at(one)).token(t)}, "amount": {"1.00"}}); got.status != http.StatusForbidden {
		t.Errorf("who may only read takes it: %d", got.status)
	}
	rival := c.as("rival")
	if got := rival.post(at(one)+"/capture", url.Values{"token": {rival.get("/console").token(t)}, "amount": {"1.00"}}); got.status != http.StatusNotFound {
		t.Errorf("a stranger: %d", got.status)
	}
	for _, amount := range []string{"", "0.00", "-1.00", "1.001", "a lot"} {
		if got := mall.post(at(one)+"/capture", url.Values{"token": {page.token(t)}, "amount": {amount}}); got.status != http.StatusBadRequest {
			t.Errorf("%q: %d", amount, got.status)
		}
	}
	if got := mall.post(at(one)+"/capture", url.Values{"token": {page.token(t)}, "amount": {"100.01"}}); got.status == http.StatusSeeOther {
		t.Error("more than is reserved was taken")
	}
	if got := mall.post(at(one)+"/capture", url.Values{"token": {page.token(t)}, "amount": {" 60.00 "}}); got.status != http.StatusSeeOther || got.header.Get("Location") != at(one) {
		t.Fatalf("a part: %d %s", got.status, words(got.body))
	}
	c.stands(one, pay.Succeeded)
	if got := mall.get(at(one)); !strings.Contains(got.body, "Was reserved") || strings.Contains(got.body, "/capture") {
		t.Errorf("afterwards: %s", words(got.body))
	}
	if got := mall.get(at(one) + "?lang=zh"); !strings.Contains(got.body, "原预授权金额") {
		t.Errorf("in Chinese: %s", words(got.body))
	}
	mall.get("/console?lang=en")
	if got := mall.post(at(two)+"/let_go", url.Values{"token": {page.token(t)}}); got.status != http.StatusSeeOther {
		t.Fatalf("let go: %d %s", got.status, words(got.body))
	}
	c.stands(two, pay.Cancelled)

	c.later(11 * time.Minute)
	page = mall.get(at(three))
	if !strings.Contains(page.body, `name="credential"`) {
		t.Errorf("after 11 minutes the credential is not asked for: %s", words(page.body))
	}
	form := url.Values{"token": {page.token(t)}, "amount": {"100.00"}}
	if got := mall.post(at(three)+"/capture", form); got.status != http.StatusUnauthorized {
		t.Errorf("without it: %d", got.status)
	}
	form.Set("credential", c.tokens["kiln"])
	if got := mall.post(at(three)+"/capture", form); got.status != http.StatusUnauthorized {
		t.Errorf("with somebody else's: %d", got.status)
	}
	form.Set("credential", c.tokens["mall"])
	if got := mall.post(at(three)+"/capture", form); got.status != http.StatusSeeOther {
		t.Fatalf("with it: %d %s", got.status, words(got.body))
	}
	c.stands(three, pay.Succeeded)
	for no, want := range map[moongate.ID]int64{one: 6_000, two: 0, three: 10_000} {
		var attempt string
		c.hub.Machine().Read(func() { p, _ := c.hub.Pay.Lookup(no); attempt = p.Attempt.String() })
		if held, reserved := c.account.Held(attempt); held != want || reserved {
			t.Errorf("the account has %d of %s, reserved: %t; want %d", held, no, reserved, want)
		}
	}
}
