package pay_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// newBazaar is a world with a wallet of each protocol that pays sub-merchants: crane-pay, which is Alipay's (直付通), takes one
// seller at a time; carp-pay, which is WeChat Pay's (合单支付), several. Both sellers have an account at each.
func newBazaar(t *testing.T) *world {
	t.Helper()
	w := &world{
		split: 3_000, alipay: []string{"crane-pay"}, smids: map[string]string{"tea-shop": "2088000000000201", "book-shop": "2088000000000202"},
		subs: map[string]string{"tea-shop": "1900000201", "book-shop": "1900000202"},
		wechat: func(c *wechatpay.Config) {
			c.Products = []wechatpay.Product{wechatpay.Native, wechatpay.H5, wechatpay.JSAPI, wechatpay.InApps}
		},
	}
	w.begin(t, pay.Limits{})
	t.Cleanup(w.check)
	w.sellers()
	return w
}

// offered asks for a payment as the marketplace does: through the gate.
func (w *world) offered(c *pay.Create) pay.PaymentAnswer {
	w.t.Helper()
	if err := w.gate.Offer(c); err != nil {
		w.t.Fatal(err)
	}
	return w.submit("lotus-market", c).(pay.PaymentAnswer)
}

func (w *world) twoSellers(order string, wallets ...string) *pay.Create {
	c := w.request(order)
	c.Payees = []crossing.Payee{{Party: "tea-shop", Amount: 6_000}, {Party: "book-shop", Amount: 4_000}}
	c.Wallets = wallets
	return c
}

// left checks that a wallet was left out for a reason that says something.
func left(t *testing.T, got []pay.Unfit, wallet string, why pay.UnfitWhy, says string) {
	t.Helper()
	if len(got) != 1 || got[0].Wallet != wallet || got[0].Why != why || !strings.Contains(got[0].Reason, says) {
		t.Errorf("left out: %+v; want %s for %s: %q", got, wallet, why, says)
	}
}

// A wallet that cannot pay all sellers of a basket together is not offered, and the marketplace learns why.
func TestWalletThatCannotPayTheSellersIsNotOffered(t *testing.T) {
	w := newBazaar(t)
	both := w.offered(w.twoSellers("1001"))
	left(t, both.Unfit, "crane-pay", pay.UnfitMany, "up to 1")
	p := w.payment(both.Payment)
	if !slices.Equal(p.Wallets, []string{"carp-pay"}) {
		t.Errorf("offered: %v", p.Wallets)
	}
	left(t, p.Unfit, "crane-pay", pay.UnfitMany, "this payment is for 2")
	again := w.offered(w.twoSellers("1001"))
	if again.Payment != both.Payment {
		t.Error("the order asked for again is another payment")
	}
	left(t, again.Unfit, "crane-pay", pay.UnfitMany, "up to 1")

	page := w.get(w.address(both.Payment)).Body.String()
	if strings.Contains(page, "crane-pay") || !strings.Contains(page, "carp-pay") {
		t.Errorf("the cashier offers:\n%s", page)
	}
	if rec := w.post(w.address(both.Payment), url.Values{"wallet": {"crane-pay"}}); rec.Code != http.StatusConflict {
		t.Errorf("chosen all the same: %d", rec.Code)
	}
	attempt := w.choose(both.Payment, "carp-pay")
	w.settle()
	w.approve("carp-pay", attempt)
	w.pass(10*time.Second, time.Second)
	w.stands(both.Payment, pay.Succeeded)
	if p := w.payment(both.Payment); len(p.Unfit) != 1 || p.Unfit[0] != (pay.Unfit{Wallet: "crane-pay", Why: pay.UnfitMany}) {
		t.Errorf("kept of a payment that has ended: %+v", p.Unfit)
	}
	if e, ok := w.history(both.Payment)[0].Event.(*pay.Created); !ok || len(e.Unfit) != 1 || e.Unfit[0].Reason == "" {
		t.Errorf("its first event says %+v", e)
	}

	// One seller alone both can pay.
	c := w.request("1002")
	c.Wallets = nil
	if one := w.offered(c); len(one.Unfit) != 0 || len(w.payment(one.Payment).Wallets) != 2 {
		t.Errorf("%+v", one)
	}
	w.pass(time.Hour, time.Minute)
}

// A seller without a sub-merchant's account keeps the wallet out of its basket, at every wallet alike; one that pays sub-merchants
// alone takes nothing where nobody is one. The payment is refused only where no wallet is left, and says what is wrong with each.
func TestSellerWithoutAnAccountAtTheWallet(t *testing.T) {
	w := newBazaar(t)
	plain := func(wallet, account string) {
		w.submit("book-shop", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: wallet, Participant: "book-shop", Account: account}})
		w.settle()
	}
	plain("carp-pay", "1900000555")
	_, err := w.ask(w.twoSellers("1001"))
	for _, says := range []string{"crane-pay", "up to 1", "carp-pay", "book-shop has no sub-merchant's account"} {
		if moongate.CodeOf(err) != moongate.Refused || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want %q", err, says)
		}
	}
	_, err = w.ask(w.twoSellers("1001", "carp-pay"))
	if moongate.CodeOf(err) != moongate.Refused || !strings.Contains(err.Error(), "book-shop has no sub-merchant's account at carp-pay") {
		t.Errorf("%v", err)
	}
	plain("crane-pay", "2088000000000777")
	c := w.request("1002")
	c.Payees, c.Wallets = []crossing.Payee{{Party: "book-shop", Amount: 10_000}}, nil
	none := w.offered(c)
	left(t, none.Unfit, "carp-pay", pay.UnfitNone, "no seller of this payment is one")
	if p := w.payment(none.Payment); !slices.Equal(p.Wallets, []string{"crane-pay"}) {
		t.Errorf("%v", p.Wallets) // which takes orders for the hub's own account too
	}
	w.submit("keeper", &party.Suspend{Handle: "crane-pay", Reason: "audit"})
	c = w.request("1003")
	c.Wallets = nil
	out := w.offered(c)
	left(t, out.Unfit, "crane-pay", pay.UnfitInactive, "crane-pay")
	w.pass(time.Hour, time.Minute)
}

// Sellers' accounts change between a payment's creation and the shopper's choice: the wallet is then no longer shown, cannot be
// chosen, leaves no trace of it, and the hub chooses another.
func TestSellersAccountChangesBeforeTheChoice(t *testing.T) {
	w := newBazaar(t)
	c := w.request("1001")
	c.Wallets, c.Choose = nil, pay.ByHub
	id := w.offered(c).Payment
	// The seller is no sub-merchant at carp-pay any more, which pays only those.
	w.submit("tea-shop", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "carp-pay", Participant: "tea-shop", Account: "1900000555"}})
	w.settle()
	if page := w.get(w.address(id)).Body.String(); strings.Contains(page, "carp-pay") || !strings.Contains(page, "crane-pay") {
		t.Errorf("the cashier offers:\n%s", page)
	}
	head := w.payment(id).Head
	records := len(w.local.Records)
	for range 3 {
		if rec := w.post(w.address(id), url.Values{"wallet": {"carp-pay"}}); rec.Code != http.StatusConflict || !strings.Contains(rec.Body.String(), "sub-merchants alone") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	if w.payment(id).Head != head || len(w.local.Records) != records {
		t.Error("a shopper who presses what does not work leaves a trace")
	}
	choice := &pay.ChooseWallet{Payment: id, Wallet: "carp-pay"}
	w.gate.Fill(choice, false)
	w.refuse("lotus-market", choice, moongate.Refused, "sub-merchants alone")
	auto := &pay.ChooseWallet{Payment: id, Auto: true}
	w.gate.Fill(auto, false)
	if a := w.submit("lotus-market", auto).(pay.WalletAnswer); a.Wallet != "crane-pay" {
		t.Errorf("%+v", a)
	}
	w.settle()
	w.pass(time.Hour, time.Minute)
}

// ask asks for a payment through the gate, and may be refused.
func (w *world) ask(c *pay.Create) (any, error) {
	w.t.Helper()
	if err := w.gate.Offer(c); err != nil {
		return nil, err
	}
	return w.do(replica.Request{Caller: "lotus-market", Command: c})
}
