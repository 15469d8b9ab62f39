package pay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// finish has somebody end the splitting of an order at the wallet's own console, behind the hub's back: from then on every
// split of it is turned down.
func (w *world) finish(attempt moongate.ID) {
	w.t.Helper()
	order := pay.SplitOrder{No: "CONSOLE-" + attempt.String()[:12], OrderNo: attempt.String(), OrderRef: w.attempt(attempt).Outcome.WalletRef, Currency: money.CNY, Finish: true}
	if out, err := w.links["crane-pay"].(pay.Splitter).Split(w.t.(testing.TB).Context(), order); err != nil || out.State == pay.SplitClosed {
		w.t.Fatalf("%+v %v", out, err)
	}
}

// An order that the wallet will split no more stands in nobody's way, though it is the oldest: the next ones are there.
func TestStuckOrderStarvesNobody(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	for i := range 4 {
		_, attempt := w.paid(fmt.Sprint("o-", i))
		if i == 0 {
			w.finish(attempt)
		}
	}
	if a := w.payOutFor(instruction(1), 15_000, 3*24*time.Hour); a.Paid != 15_000 { // a part at first, and the rest from elsewhere
		t.Errorf("partly from the stuck one: %+v", a)
	}
	if a := w.payOutFor(instruction(2), 10_000, 3*24*time.Hour); a.Paid != 10_000 {
		t.Errorf("another payout: %+v", a)
	}
	if a := w.payOutFor(instruction(3), 5_000, 3*24*time.Hour); a.Paid != 5_000 {
		t.Errorf("and a third: %+v", a)
	}
	w.pass(24*time.Hour, time.Hour)
	if open := w.troubles(); len(open) > 0 {
		t.Errorf("%+v", open)
	}
	if a := w.payOutFor(instruction(4), 5_000, 3*24*time.Hour); a.Paid != 0 || a.Manual == "" && a.Failed == "" {
		t.Errorf("what only the stuck one could pay: %+v", a)
	}
}

// A payout of which nothing came is tried with other orders before its claim goes into another window.
func TestStuckOrderIsTriedFirst(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	_, stuck := w.paid("o-0")
	w.finish(stuck)
	w.paid("o-1")
	for range 2 {
		a := w.payOutFor(instruction(1), 9_000, 3*24*time.Hour)
		if a.Paid != 9_000 {
			t.Fatalf("%+v", a)
		}
	}
	w.splitsAre(9_000)
}

// payOutFor asks for a while, until the payout is paid or given up.
func (w *world) payOutFor(no moongate.ID, amount int64, long time.Duration) (a pay.PayoutAnswer) {
	w.t.Helper()
	for until := w.Now().Add(long); w.Now().Before(until); w.pass(10*time.Minute, 10*time.Minute) {
		var err error
		if a, err = w.gate.PayOut(w.t.(testing.TB).Context(), "crane-pay", no, "tea-shop", money.Of(amount, money.CNY)); err != nil {
			w.t.Fatal(err)
		}
		if a.Paid == amount || a.Manual != "" || a.Open == 0 && a.Waits == "" && a.Failed != "" {
			return a
		}
	}
	return a
}
