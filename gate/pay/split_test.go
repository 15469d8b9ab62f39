package pay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// newSplittingWorld has wallets that split orders up to a part of them, and a payee with an account at one of them.
func newSplittingWorld(t testing.TB, most int64) *world {
	t.Helper()
	w := &world{split: most}
	w.begin(t, pay.Limits{})
	t.Cleanup(w.check)
	w.submit("tea-shop", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: "tea-shop", Account: "1900000999"}})
	w.settle()
	return w
}

// payOut asks until nothing is under way any more.
func (w *world) payOut(no moongate.ID, amount int64) (a pay.PayoutAnswer) {
	w.t.Helper()
	for range 100 {
		var err error
		a, err = w.gate.PayOut(w.t.(testing.TB).Context(), "crane-pay", no, "tea-shop", money.Of(amount, money.CNY))
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		if a.Open == 0 && (a.Paid == amount || a.Paid == 0) {
			return a
		}
		w.pass(10*time.Second, time.Second)
	}
	return a
}

func instruction(n byte) moongate.ID {
	return moongate.NewID(moongate.KindInstruction, moongate.Hub{1}, [12]byte{n})
}

// A payout comes out of the oldest orders; a wallet's books show just that, once.
func TestPayoutSplitsOrders(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	for i := range 3 {
		w.paid(fmt.Sprint("o-", i))
	}
	if a := w.payOut(instruction(1), 15_000); a.Paid != 15_000 || a.Manual != "" {
		t.Fatalf("%+v", a)
	}
	w.splitsAre(10_000, 5_000)
	if a := w.payOut(instruction(1), 15_000); a.Paid != 15_000 {
		t.Errorf("again: %+v", a)
	}
	w.splitsAre(10_000, 5_000)
	if a := w.payOut(instruction(2), 16_000); a.Manual == "" || a.Paid != 0 {
		t.Errorf("more than is there: %+v", a)
	}
	if a := w.payOut(instruction(3), 15_000); a.Paid != 15_000 {
		t.Errorf("the rest: %+v", a)
	}
	w.splitsAre(10_000, 5_000, 5_000, 10_000)
	if v := w.wallets["crane-pay"].Violations(); len(v) > 0 {
		t.Errorf("%+v", v)
	}
}

func (w *world) splitsAre(amounts ...int64) {
	w.t.Helper()
	got := map[int64]int{}
	for _, s := range w.wallets["crane-pay"].Book(accounts["crane-pay"]).Splits {
		got[s.Amount]++
	}
	for _, a := range amounts {
		got[a]--
	}
	for a, n := range got {
		if n != 0 {
			w.t.Errorf("%+d splits of %d", n, a)
		}
	}
}

// No more is split off an order than the wallet allows.
func TestPayoutKeepsTheCap(t *testing.T) {
	w := newSplittingWorld(t, 3_000)
	for i := range 4 {
		w.paid(fmt.Sprint("o-", i))
	}
	if a := w.payOut(instruction(1), 10_000); a.Paid != 10_000 {
		t.Fatalf("%+v", a)
	}
	w.splitsAre(3_000, 3_000, 3_000, 1_000)
}

// What went back to shoppers cannot be paid out, and what is paid out cannot go back without its being there.
func TestPayoutBesideRefunds(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	first, _ := w.paid("o-1")
	w.paid("o-2")
	w.submit("lotus-market", &pay.Refund{Payment: first, Reference: "r-1", Amount: 4_000})
	w.pass(time.Minute, time.Second)
	if a := w.payOut(instruction(1), 16_000); a.Paid != 16_000 {
		t.Fatalf("%+v", a)
	}
	w.splitsAre(6_000, 10_000)
}

func TestPayoutFaults(t *testing.T) {
	for name, f := range map[string]sandbox.Fault{
		"no answer":        {Kind: sandbox.DropAfter, Op: wechatpay.OpSplit},
		"never arrived":    {Kind: sandbox.DropBefore, Op: wechatpay.OpSplit},
		"nonsense":         {Kind: sandbox.Garbage, Op: wechatpay.OpSplit},
		"unsigned":         {Kind: sandbox.Unsigned, Op: wechatpay.OpSplit},
		"too often":        {Kind: sandbox.Refuse, Op: wechatpay.OpSplit, Code: "FREQUENCY_LIMITED"},
		"query unanswered": {Kind: sandbox.DropBefore, Op: wechatpay.OpQuerySplit, Times: 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := newSplittingWorld(t, 10_000)
			w.paid("o-1")
			w.inject("crane-pay", f)
			if a := w.payOut(instruction(1), 7_000); a.Paid != 7_000 {
				t.Fatalf("%+v", a)
			}
			w.splitsAre(7_000)
		})
	}
}

// A part that fails leaves the money where it was; another payout may take it.
func TestPayoutPartFails(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	w.paid("o-1")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.SplitClosed, Op: wechatpay.OpSplit})
	if a := w.payOut(instruction(1), 7_000); a.Paid != 0 || a.Failed != "ACCOUNT_ABNORMAL" {
		t.Fatalf("%+v", a)
	}
	if a := w.payOut(instruction(2), 7_000); a.Paid != 7_000 {
		t.Fatalf("%+v", a)
	}
	w.splitsAre(7_000)
}

// Of a payout that was partly paid the rest is tried again: it cannot be returned any more.
func TestPayoutPartlyFails(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	w.paid("o-1")
	w.paid("o-2")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.SplitClosed, Op: wechatpay.OpSplit})
	if a := w.payOut(instruction(1), 15_000); a.Paid != 15_000 {
		t.Fatalf("%+v", a)
	}
	w.splitsAre(5_000, 5_000, 5_000) // what had failed comes last
}

func TestReceivers(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	at := pay.PayeeAt{Wallet: "crane-pay", Participant: "tea-shop", Account: "1900000998"}
	w.refuse("lotus-market", &pay.SetReceiver{PayeeAt: at}, moongate.Forbidden, "somebody else")
	w.submit("keeper", &pay.SetReceiver{PayeeAt: at})
	w.machine.Read(func() {
		if r := w.payments.Receivers("tea-shop"); len(r) != 1 || r[0].Admitted || r[0].Account != at.Account {
			t.Errorf("%+v", r)
		}
	})
	w.settle()
	w.machine.Read(func() {
		if r := w.payments.Receivers("tea-shop"); len(r) != 1 || !r[0].Admitted {
			t.Errorf("%+v", r)
		}
	})
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Refuse, Op: wechatpay.OpReceiver, Code: "NO_AUTH"})
	at.Account = "1900000997"
	w.submit("tea-shop", &pay.SetReceiver{PayeeAt: at})
	w.settle()
	w.paid("o-1")
	if a := w.payOut(instruction(1), 100); a.Manual == "" {
		t.Errorf("%+v", a)
	}
	if _, err := w.do(replica.Request{Caller: "tea-shop", Command: &pay.PlanPayout{No: instruction(2), Wallet: "crane-pay", To: "tea-shop", Amount: money.Of(1, money.CNY), Cap: 10_000}}); moongate.CodeOf(err) != moongate.Forbidden {
		t.Errorf("a participant paid itself out: %v", err)
	}
}

// What is frozen is released by the wallet after a month, and is not paid out any more.
func TestFrozenForAMonth(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	w.paid("o-1")
	w.pass(30*24*time.Hour, time.Hour)
	if a := w.payOut(instruction(1), 100); a.Manual == "" || a.Paid != 0 {
		t.Errorf("%+v", a)
	}
}

// A wallet that takes its fee when an order is paid does not hold it any more: what is split leaves it out, and what came
// back of it with a refund counts.
func TestPayoutLeavesTheFee(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	first, _ := w.paid("o-1")
	w.paid("o-2")
	w.submit("lotus-market", &pay.Refund{Payment: first, Reference: "r-1", Amount: 4_000})
	w.pass(time.Minute, time.Second)
	plan := func(n byte, amount int64) pay.PayoutAnswer {
		return w.submit("", &pay.PlanPayout{No: instruction(n), Wallet: "crane-pay", To: "tea-shop", Amount: money.Of(amount, money.CNY), Cap: 10_000, Net: true}).(pay.PayoutAnswer)
	}
	// 6,000 of the first, less 36 and two that rounding may take; 10,000 less 60 of the second.
	if a := plan(1, 5_962+9_940+1); a.Manual == "" || a.Open != 0 {
		t.Errorf("more than is there without the fees: %+v", a)
	}
	if a := plan(2, 5_962+9_940); a.Open != 5_962+9_940 {
		t.Errorf("all that is there: %+v", a)
	}
	w.pass(time.Minute, time.Second)
	w.splitsAre(5_962, 9_940)
}
