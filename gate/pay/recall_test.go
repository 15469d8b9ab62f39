package pay_test

import (
	"slices"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/money"
)

// takenBack is what crossings say that a party gave back.
func (w *world) takenBack(party string) (sum int64) {
	w.catchUp()
	for _, e := range w.entries {
		if c, ok := e.Event.(*crossing.Recorded); ok && c.Kind == crossing.Takeback {
			sum += c.Own(party)
		}
	}
	return sum
}

// sharesLeft is what receivers hold of orders, by the wallet's book.
func (w *world) sharesLeft(wallet string) (sum int64) {
	for _, s := range w.wallets[wallet].Book(w.account(wallet)).Splits {
		sum += s.Amount
	}
	return sum
}

// Money that was split off comes back from its receivers before it goes back to the shopper, no more of it than is needed, and is
// owed to them again.
func TestSharesComeBackBeforeARefund(t *testing.T) {
	for name, speaks := range map[string][]string{"WeChat Pay": nil, "Alipay": {"crane-pay"}} {
		t.Run(name, func(t *testing.T) {
			w := &world{split: 8_000, alipay: speaks}
			w.begin(t, pay.Limits{})
			t.Cleanup(w.check)
			accounts := map[string]string{"tea-shop": "1900000999", "lotus-market": "1900000777"}
			if speaks != nil {
				accounts = map[string]string{"tea-shop": "2088000000000999", "lotus-market": "2088000000000777"}
			}
			for party, account := range accounts {
				w.submit(party, &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: party, Account: account}})
			}
			w.settle()
			id, _ := w.paid("1001")
			w.paysOut(1, "tea-shop", 6_000)
			w.paysOut(2, "lotus-market", 2_000)
			// 20.00 are left there: 15.00 go back without anybody's share, and 5.00 of the next 25.00.
			w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 1_500})
			w.pass(2*time.Minute, 5*time.Second)
			if w.sharesLeft("crane-pay") != 8_000 || w.payment(id).Refunded != 1_500 {
				t.Errorf("shares came back that were not needed: %d", w.sharesLeft("crane-pay"))
			}
			a := w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-2", Amount: 2_500}).(pay.RefundAnswer)
			if a.Status != pay.RefundRecalling {
				t.Errorf("%+v", a)
			}
			w.called = nil
			w.pass(4*time.Minute, 5*time.Second)
			first, then := slices.Index(w.called, "pay.recall_opened"), slices.Index(w.called, "pay.refund_due")
			if first < 0 || then < first {
				t.Errorf("in this order: %v", w.called)
			}
			tea, market := w.takenBack("tea-shop"), w.takenBack("lotus-market")
			// The wallet's fee of what stays comes on top of 20.00: 0.36, and its rounding.
			if got := tea + market; w.payment(id).Refunded != 4_000 || w.sharesLeft("crane-pay") != 8_000-got || got < 2_036 || got > 2_040 || max(tea-3*market, 3*market-tea) > 3 {
				t.Errorf("%+v; %d left, %d and %d came back", w.payment(id), w.sharesLeft("crane-pay"), tea, market)
			}
			w.restart()
			w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-3", Amount: 6_000})
			w.pass(4*time.Minute, 5*time.Second)
			if w.payment(id).Refunded != 10_000 || w.sharesLeft("crane-pay") != 0 {
				t.Errorf("%+v; %d left", w.payment(id), w.sharesLeft("crane-pay"))
			}
		})
	}
}

// Whatever the wallet does not answer on the way, each share comes back once and the refund goes out once.
func TestRecallIsDoubtful(t *testing.T) {
	for _, kind := range []sandbox.Kind{sandbox.DropBefore, sandbox.DropAfter, sandbox.Garbage, sandbox.Unsigned} {
		for _, op := range []sandbox.Op{wechatpay.OpReturn, wechatpay.OpQueryReturn, sandbox.OpRefund} {
			t.Run(string(kind)+" "+string(op), func(t *testing.T) {
				w := newSplittingWorld(t, 10_000)
				id, _ := w.paid("1001")
				w.payOut(instruction(1), 10_000)
				w.inject("crane-pay", sandbox.Fault{Kind: kind, Op: op, Times: 2})
				w.twice = true
				w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 4_000})
				w.pass(30*time.Minute, 5*time.Second)
				if w.payment(id).Refunded != 4_000 || w.sharesLeft("crane-pay") != 5_963 || w.takenBack("tea-shop") != 4_037 { // the wallet has its fee of the rest
					t.Errorf("%+v; %d left", w.payment(id).Refunded, w.sharesLeft("crane-pay"))
				}
			})
		}
	}
}

// A receiver that cannot give its share back does not stop the refund: it is asked for all the same. What did not come back can
// be recalled later.
func TestShareThatDoesNotComeBack(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	id, _ := w.paid("1001")
	w.payOut(instruction(1), 10_000)
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Refuse, Op: wechatpay.OpReturn, Code: "NO_AUTH"})
	w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 4_000})
	w.pass(4*time.Minute, 5*time.Second)
	if w.payment(id).Refunded != 4_000 || w.sharesLeft("crane-pay") != 10_000 || w.takenBack("tea-shop") != 0 {
		t.Errorf("%+v; %d left", w.payment(id), w.sharesLeft("crane-pay"))
	}
}

// A commission that was split off a seller's own order comes back for a refund of that order, and no other's does.
func TestCommissionComesBack(t *testing.T) {
	w := newPlatform(t, 3_000)
	w.submit("lotus-market", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: "lotus-market", Account: "1900000777"}})
	w.settle()
	id, _ := w.paidBasket("1001")
	w.paysOut(1, "lotus-market", 500)
	w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 6_000, Payees: []crossing.Payee{{Party: "tea-shop", Amount: 6_000}}})
	w.pass(4*time.Minute, 5*time.Second)
	if w.payment(id).Refunded != 6_000 || w.takenBack("lotus-market") != 300 {
		t.Errorf("%+v; %d came back", w.payment(id), w.takenBack("lotus-market"))
	}
	w.splitsAre(200)
	if got := w.bySub("crane-pay"); got["1900000201"] != 0 || got["1900000202"] != 4_000 {
		t.Errorf("%v", got)
	}
}

// A refund that is asked for while its order is being split finds the money gone, and nobody's share to take back yet. When the
// shares are there they come back for it, and it goes out.
func TestRefundMeetsASplitUnderWay(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	id, _ := w.paid("1001")
	if a, err := w.gate.PayOut(t.Context(), "crane-pay", instruction(1), "tea-shop", money.Of(10_000, money.CNY)); err != nil || a.Open == 0 {
		t.Fatalf("%+v %v", a, err)
	}
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Refuse, Op: sandbox.OpRefund, Code: "NOT_ENOUGH", Times: 3})
	a := w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 4_000}).(pay.RefundAnswer)
	if a.Status != pay.RefundAsked {
		t.Fatalf("%+v: the split had ended", a)
	}
	w.pass(time.Hour, 5*time.Second)
	if w.payment(id).Refunded != 4_000 || w.sharesLeft("crane-pay") != 5_963 || w.takenBack("tea-shop") != 4_037 {
		t.Errorf("%+v; %d left, %d came back", w.payment(id).Refunded, w.sharesLeft("crane-pay"), w.takenBack("tea-shop"))
	}
	w.restart()
	w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-2", Amount: 6_000})
	w.pass(4*time.Minute, 5*time.Second)
	if w.payment(id).Refunded != 10_000 || w.sharesLeft("crane-pay") != 0 {
		t.Errorf("%+v; %d left", w.payment(id), w.sharesLeft("crane-pay"))
	}
}

// A receiver that gives nothing back is not asked for ever: the refund goes on being asked for, for a day.
func TestRefundIsNotRecalledForEver(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	id, _ := w.paid("1001")
	w.payOut(instruction(1), 10_000)
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Refuse, Op: wechatpay.OpReturn, Code: "NO_AUTH", Times: -1})
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Refuse, Op: sandbox.OpRefund, Code: "NOT_ENOUGH", Times: -1})
	w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 4_000})
	w.called = nil
	w.pass(3*time.Hour, 10*time.Second)
	recalls := 0
	for _, kind := range w.called {
		if kind == "pay.recall_opened" {
			recalls++
		}
	}
	if recalls > 3 || w.payment(id).Refunded != 0 || w.payment(id).Reserved != 4_000 {
		t.Errorf("%d recalls; %+v", recalls, w.payment(id))
	}
}
