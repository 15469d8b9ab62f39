package pay_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// newPlatform is a world in which crane-pay and carp-pay pay sub-merchants: two sellers have an account there.
func newPlatform(t testing.TB, split int64) *world {
	t.Helper()
	w := &world{split: split, subs: map[string]string{"tea-shop": "1900000201", "book-shop": "1900000202"}, wechat: func(c *wechatpay.Config) {
		c.Products = []wechatpay.Product{wechatpay.Native, wechatpay.H5, wechatpay.JSAPI, wechatpay.InApps}
	}}
	w.begin(t, pay.Limits{})
	t.Cleanup(w.check)
	w.sellers()
	return w
}

// sellers registers the sub-merchants at every wallet that knows them.
func (w *world) sellers() {
	w.t.Helper()
	for _, wallet := range []string{"crane-pay", "carp-pay"} {
		subs := w.subs
		if slices.Contains(w.alipay, wallet) {
			subs = w.smids
		}
		for _, seller := range []string{"tea-shop", "book-shop"} {
			if sub := subs[seller]; sub != "" {
				w.submit(seller, &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: wallet, Participant: seller, Account: sub, Sub: true}})
			}
		}
	}
	w.settle()
}

// basket asks for a payment of 60.00 to one seller and 40.00 to another, and has an order for it at crane-pay.
func (w *world) basket(order string) (payment, attempt moongate.ID) {
	w.t.Helper()
	c := w.request(order)
	c.Payees = []crossing.Payee{{Party: "tea-shop", Amount: 6_000}, {Party: "book-shop", Amount: 4_000}}
	payment = w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	attempt = w.choose(payment, "crane-pay")
	w.settle()
	return payment, attempt
}

func (w *world) paidBasket(order string) (payment, attempt moongate.ID) {
	w.t.Helper()
	payment, attempt = w.basket(order)
	w.approve("crane-pay", attempt)
	w.pass(10*time.Second, time.Second)
	w.stands(payment, pay.Succeeded)
	return payment, attempt
}

// bySub is what each sub-merchant was paid at a wallet, less what went back.
func (w *world) bySub(wallet string) map[string]int64 {
	sums, subs := map[string]int64{}, map[string]string{}
	book := w.wallets[wallet].Book(w.account(wallet))
	for _, p := range book.Payments {
		sums[p.Sub] += p.Total
		subs[p.OutTradeNo] = p.Sub
	}
	for _, r := range book.Refunds {
		sums[subs[r.OutTradeNo]] -= r.Amount
	}
	return sums
}

// One order for one seller, one for two: each seller's money lies in its own account, and the books say the same of the whole.
func TestPaidByParts(t *testing.T) {
	w := newPlatform(t, 3_000)
	one, _ := w.paid("1001")
	two, attempt := w.paidBasket("1002")
	if got := w.bySub("crane-pay"); got["1900000201"] != 16_000 || got["1900000202"] != 4_000 {
		t.Errorf("%v", got)
	}
	for id, parts := range map[moongate.ID]int{one: 1, two: 2} {
		a := w.attempt(w.payment(id).Attempt)
		if len(a.Parts) != parts || parts == 1 && a.Parts[0] != w.payment(id).Attempt {
			t.Errorf("%+v", a)
		}
	}
	w.machine.Read(func() {
		var refs []string
		for _, id := range w.attempt2(attempt).Parts {
			p, ok := w.payments.Part(id)
			if !ok || p.Ref == "" || p.Attempt != attempt {
				t.Errorf("%+v", p)
			}
			refs = append(refs, p.Ref)
			m, ok := w.payments.Movement(id)
			if !ok || !m.Moved || m.Amount.Minor != p.Amount || m.Ref != p.Ref || m.No != id {
				t.Errorf("%+v", m)
			}
		}
		if refs[0] == refs[1] {
			t.Error("two parts have one number at the wallet")
		}
	})
	w.restart()
	if got := w.owed("crane-pay", ledger.Wallet); got != 20_000 {
		t.Errorf("the books say %d", got)
	}
}

func (w *world) attempt2(id moongate.ID) pay.Attempt { a, _ := w.payments.Attempt(id); return a }

// Each channel reaches the wallet for a basket too.
func TestPartsThroughEveryChannel(t *testing.T) {
	w := newPlatform(t, 0)
	for i, c := range []pay.Channel{pay.QR, pay.Redirect, pay.InApp, pay.App} {
		s, err := w.gate.Seal([]pay.PayerAt{{Wallet: "crane-pay", Payer: openID}})
		if err != nil {
			t.Fatal(err)
		}
		ask := w.request(fmt.Sprint("10", i))
		ask.Payees, ask.Payers = []crossing.Payee{{Party: "tea-shop", Amount: 6_000}, {Party: "book-shop", Amount: 4_000}}, s.Payers
		a, err := w.do(replica.Request{Caller: "lotus-market", Command: ask, Secrets: s.Secrets})
		s.Done()
		if err != nil {
			t.Fatal(err)
		}
		id := a.(pay.PaymentAnswer).Payment
		attempt := w.submit("lotus-market", &pay.ChooseWallet{Payment: id, Wallet: "crane-pay", Channel: c}).(pay.WalletAnswer).Attempt
		w.settle()
		if at := w.attempt(attempt); at.Status != pay.AttemptAwaiting {
			t.Errorf("%s: %+v", c, at)
		}
		w.approve("crane-pay", attempt)
		w.pass(10*time.Second, time.Second)
		w.stands(id, pay.Succeeded)
	}
}

// Refunds go seller by seller, out of each one's own order, and never over its part.
func TestPartsAreRefundedOneByOne(t *testing.T) {
	w := newPlatform(t, 3_000)
	id, _ := w.paidBasket("1001")
	back := func(ref, seller string, amount int64) *pay.Refund {
		return &pay.Refund{Payment: id, Reference: ref, Amount: amount, Payees: []crossing.Payee{{Party: seller, Amount: amount}}}
	}
	w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-0", Amount: 100}, moongate.Malformed, "several sellers")
	both := back("r-0", "tea-shop", 100)
	both.Payees = []crossing.Payee{{Party: "tea-shop", Amount: 50}, {Party: "book-shop", Amount: 50}}
	w.refuse("lotus-market", both, moongate.Malformed, "several sellers")
	w.refuse("lotus-market", back("r-1", "book-shop", 4_001), moongate.Limit, "book-shop")
	w.submit("lotus-market", back("r-2", "book-shop", 4_000))
	w.refuse("lotus-market", back("r-3", "book-shop", 1), moongate.Limit, "book-shop")
	w.submit("lotus-market", back("r-4", "tea-shop", 1_500))
	w.pass(2*time.Minute, 5*time.Second)
	if p := w.payment(id); p.Refunded != 5_500 {
		t.Errorf("%+v", p)
	}
	if got := w.bySub("crane-pay"); got["1900000201"] != 4_500 || got["1900000202"] != 0 {
		t.Errorf("%v", got)
	}
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.RefundClosed, Op: sandbox.OpRefund})
	w.submit("lotus-market", back("r-5", "tea-shop", 4_500))
	w.pass(2*time.Minute, 5*time.Second)
	w.submit("lotus-market", back("r-6", "tea-shop", 4_500)) // what failed is free again
	w.pass(2*time.Minute, 5*time.Second)
	if p := w.payment(id); p.Refunded != 10_000 {
		t.Errorf("%+v", p)
	}
}

// An order of which nobody knows what became of it is asked about as what it is, closed as a whole, and what comes too late goes
// back part by part.
func TestPartsLate(t *testing.T) {
	w := newPlatform(t, 3_000)
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropAfter, Op: sandbox.OpCreate})
	id, attempt := w.basket("1001")
	w.pass(time.Minute, time.Second)
	if a := w.attempt(attempt); a.Status != pay.AttemptAwaiting {
		t.Errorf("after the query: %+v", a)
	}
	if _, err := w.cancel(id); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute, 5*time.Second)
	w.stands(id, pay.Cancelled)
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove})
	w.approve("crane-pay", attempt)
	w.pass(10*time.Minute, 5*time.Second)
	if got := w.bySub("crane-pay"); got["1900000201"] != 0 || got["1900000202"] != 0 {
		t.Errorf("what came too late stayed there: %v", got)
	}
	if open := w.troubles(); len(open) != 0 {
		t.Errorf("%+v", open)
	}
}

// At Alipay an order for one sub-merchant (直付通) goes the same way: paid into its account, split, released, given back.
func TestPartsAtAlipay(t *testing.T) {
	w := &world{split: 3_000, alipay: []string{"crane-pay"}, smids: map[string]string{"tea-shop": "2088000000000201", "book-shop": "2088000000000202"}}
	w.begin(t, pay.Limits{})
	t.Cleanup(w.check)
	w.sellers()
	w.submit("lotus-market", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: "lotus-market", Account: "2088000000000555"}})
	w.settle()
	id, _ := w.paid("1001")
	if got := w.bySub("crane-pay"); got["2088000000000201"] != 10_000 {
		t.Errorf("%v", got)
	}
	w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 2_000})
	w.pass(2*time.Minute, 5*time.Second)
	if got := w.bySub("crane-pay"); got["2088000000000201"] != 8_000 {
		t.Errorf("after the refund: %v", got)
	}
	w.paysOut(1, "lotus-market", 400)
	w.paysOut(2, "tea-shop", 7_600)
	both, attempt := w.basket("1002") // two sellers are not paid together there
	if a := w.attempt(attempt); a.Status != pay.AttemptFailed {
		t.Errorf("%+v", a)
	}
	w.stands(both, pay.Open)
	w.pass(time.Hour, time.Minute)
}

func (w *world) paysOut(no byte, to string, amount int64) {
	w.t.Helper()
	for range 20 {
		a, err := w.gate.PayOut(w.t.(testing.TB).Context(), "crane-pay", instruction(no), to, money.Of(amount, money.CNY))
		if err != nil || a.Open == 0 && a.Paid != amount {
			w.t.Fatalf("%s: %+v %v", to, a, err)
		}
		if a.Open == 0 {
			return
		}
		w.pass(10*time.Second, time.Second)
	}
	w.t.Fatalf("%s is never paid", to)
}

// A seller without an account at the wallet is not paid beside one that has one; a wallet for sub-merchants alone takes no
// order without any.
func TestPartsOrNone(t *testing.T) {
	w := newPlatform(t, 0)
	w.submit("book-shop", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: "book-shop", Account: "1900000202"}})
	w.settle()
	c := w.request("1001")
	c.Payees = []crossing.Payee{{Party: "tea-shop", Amount: 6_000}, {Party: "book-shop", Amount: 4_000}}
	c.Wallets = []string{"crane-pay"}
	w.refuse("lotus-market", c, moongate.Refused, "sub-merchant")
	c.Payees = []crossing.Payee{{Party: "book-shop", Amount: 10_000}}
	id := w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	attempt := w.choose(id, "crane-pay")
	w.settle()
	if a := w.attempt(attempt); a.Status != pay.AttemptFailed {
		t.Errorf("%+v", a)
	}
	w.pass(time.Hour, time.Minute)
}

// Commissions are split off each seller's own order, never off another's money, and what is a seller's is released to it when
// the others have theirs.
func TestPartsArePaidOut(t *testing.T) {
	w := newPlatform(t, 3_000)
	w.submit("lotus-market", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: "lotus-market", Account: "1900000777"}})
	w.settle()
	w.paidBasket("1001")
	out := func(no byte, to string, amount int64) (a pay.PayoutAnswer) {
		t.Helper()
		for range 20 {
			var err error
			if a, err = w.gate.PayOut(t.Context(), "crane-pay", instruction(no), to, money.Of(amount, money.CNY)); err != nil {
				t.Fatal(err)
			}
			if a.Open == 0 {
				return a
			}
			w.pass(10*time.Second, time.Second)
		}
		return a
	}
	// 5 % of 60.00 and of 40.00 are the market's, 0.6 % the wallet's, which keeps it; the rest is the sellers'.
	if a := out(1, "tea-shop", 5_700); a.Waits == "" || a.Paid != 0 {
		t.Errorf("a seller before the market: %+v", a)
	}
	if a := out(2, "lotus-market", 501); a.Manual == "" || a.Paid != 0 {
		t.Errorf("more than the market's: %+v", a)
	}
	if a := out(3, "lotus-market", 500); a.Paid != 500 {
		t.Errorf("the market: %+v", a)
	}
	w.splitsAre(300, 200)
	if a := out(1, "tea-shop", 5_700); a.Paid != 5_700 {
		t.Errorf("a seller after the market: %+v", a)
	}
	if a := out(4, "book-shop", 3_800); a.Paid != 3_800 {
		t.Errorf("the other: %+v", a)
	}
}

// What a shopper's coupon paid the wallet owes all the same, unless it is the seller's own: then it owes so much less, in the
// sandbox's books, in ours, and of what goes back.
func TestCouponsEndToEnd(t *testing.T) {
	for name, w := range map[string]*world{"of one account": newWorld(t), "of sub-merchants": newPlatform(t, 3_000)} {
		t.Run(name, func(t *testing.T) {
			id, attempt := w.basket("1001")
			w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Coupon, Op: sandbox.OpApprove, Amount: 1_000})
			w.inject("crane-pay", sandbox.Fault{Kind: sandbox.OwnCoupon, Op: sandbox.OpApprove, Amount: 999})
			w.approve("crane-pay", attempt)
			w.pass(10*time.Second, time.Second)
			w.stands(id, pay.Succeeded)
			a, p := w.attempt(attempt), w.payment(id)
			want := int64(999)
			if len(a.Parts) == 2 { // the coupon was for each
				want = 2 * 999
			}
			if p.Coupon != want || w.owed("crane-pay", ledger.Wallet) != 10_000-want || a.Outcome.PayerTotal != 10_000-want-want/999*1_000 {
				t.Errorf("%+v %+v; the books say %d", p, a.Outcome, w.owed("crane-pay", ledger.Wallet))
			}
			for i, amount := range []int64{3_333, 2_667, 4_000} {
				c := &pay.Refund{Payment: id, Reference: fmt.Sprint("r-", i), Amount: amount}
				if len(a.Parts) == 2 {
					c.Payees = []crossing.Payee{{Party: []string{"tea-shop", "tea-shop", "book-shop"}[i], Amount: amount}}
				}
				w.submit("lotus-market", c)
				w.pass(2*time.Minute, 5*time.Second)
			}
			if p := w.payment(id); p.Refunded != 10_000 || w.owed("crane-pay", ledger.Wallet) != 0 {
				t.Errorf("all went back, and the books say %d: %+v", w.owed("crane-pay", ledger.Wallet), p)
			}
		})
	}
}

// A late payment that the merchant's own coupon paid a part of goes back whole: the shopper's money, and the coupon.
func TestCouponGoesBackWhole(t *testing.T) {
	w := newWorld(t)
	id, attempt := w.opened("1001")
	if _, err := w.cancel(id); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove})
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.OwnCoupon, Op: sandbox.OpApprove, Amount: 2_500})
	w.approve("crane-pay", attempt)
	w.pass(10*time.Minute, 5*time.Second)
	book := w.wallets["crane-pay"].Book(accounts["crane-pay"])
	if len(book.Refunds) != 1 || book.Refunds[0].Amount != 10_000 || book.Refunds[0].Owed != 7_500 {
		t.Errorf("%+v", book)
	}
}
