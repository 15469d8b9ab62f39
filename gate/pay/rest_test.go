package pay_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/settle"
)

// newRefusingWorld has a payout of 283.20 of which a wallet has paid a part, and refuses the rest from now on.
func newRefusingWorld(t *testing.T) (w *world, no moongate.ID) {
	t.Helper()
	w = &world{split: 10_000, settles: true}
	w.begin(t, pay.Limits{})
	t.Cleanup(w.check)
	w.submit("tea-shop", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: "tea-shop", Account: "1900000999"}})
	w.settle()
	for i := range 3 {
		w.paid(fmt.Sprint("o-", i))
	}
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.SplitClosed, Op: wechatpay.OpSplit, Times: 2})
	for len(w.wallets["crane-pay"].Faults()) > 0 { // until the window has closed and the wallet was asked
		if w.pass(5*time.Second, 5*time.Second); w.Now().Sub(start) > 48*time.Hour {
			t.Fatal("the wallet was told nothing")
		}
	}
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.SplitClosed, Op: wechatpay.OpSplit, Times: -1})
	return w, w.instruction("tea-shop").ID
}

// instruction is the one of which a participant has not got all yet.
func (w *world) instruction(to string) (open settle.Instruction) {
	w.catchUp()
	for _, e := range w.entries {
		if v, ok := e.Event.(*settle.Instructed); ok && v.To == to {
			w.machine.Read(func() {
				if i, ok := w.settlement.Instruction(v.ID); ok {
					open = i
				}
			})
		}
	}
	return open
}

// splitEvents counts what the journal says about splits.
func (w *world) splitEvents() (n int) {
	w.catchUp()
	for _, e := range w.entries {
		if strings.HasPrefix(e.Event.EventKind(), "pay.split") {
			n++
		}
	}
	return n
}

// isOpen tells whether an exception is.
func (w *world) isOpen(x moongate.ID) bool { return w.troubles()[x] != nil }

// A wallet that refuses the rest of a payout for ever is asked a bounded number of times; then a person is told, once,
// what was paid, what is left, and what the wallet says.
func TestRestOfPayoutIsLeftToAPerson(t *testing.T) {
	w, no := newRefusingWorld(t)
	w.pass(2*24*time.Hour, time.Minute)
	if n := w.splitEvents(); n > 100 {
		t.Fatalf("%d events tell of splits", n)
	}
	x := w.trouble(pay.TroublePayout)
	if x.Instruction != no || x.PaidOut == 0 || x.PaidOut+x.Amount.Minor != 28_320 || !strings.Contains(x.Facts, "ACCOUNT_ABNORMAL") {
		t.Errorf("%+v", x.Trouble)
	}
	i := w.instruction("tea-shop")
	if i.Progress != settle.Manual || i.Part != x.PaidOut {
		t.Errorf("%+v", i)
	}
	events := w.splitEvents()
	w.restart()
	w.pass(35*24*time.Hour, time.Hour) // longer than a payout is kept that has ended
	if n := w.splitEvents(); n != events {
		t.Errorf("it was tried on: %d events tell of splits, %d before", n, events)
	}
	w.refuse("keeper", &settle.Report{Instruction: no, Progress: settle.Returned, Reason: "the account is closed"}, moongate.Conflict, "paid already")
	w.refuse("tea-shop", &settle.Report{Instruction: no, Progress: settle.Sent}, moongate.Forbidden, "")

	// Even now it is known what was paid of it; the orders that it could come out of are not frozen any more.
	w.submit("keeper", &settle.Report{Instruction: no, Progress: settle.Sent})
	w.pass(time.Minute, time.Second)
	if i = w.instruction("tea-shop"); i.Progress != settle.Manual || i.Part != x.PaidOut || w.isOpen(x.Exception) {
		t.Errorf("%+v", i)
	}
	if x = w.trouble(pay.TroublePayout); !strings.Contains(x.Facts, "may be split") {
		t.Errorf("%+v", x.Trouble)
	}

	// The way out by hand: all of it is paid, and the exception ends by itself.
	w.submit("keeper", &settle.Report{Instruction: no, Progress: settle.Paid, Ref: "by hand"})
	w.pass(time.Minute, time.Second)
	if n := w.owed("tea-shop", ledger.Instructed); n != 0 {
		t.Errorf("%d are still on their way", n)
	}
	if w.isOpen(x.Exception) {
		t.Error("the exception is still open")
	}
	w.refuse("keeper", &settle.Report{Instruction: no, Progress: settle.Sent}, moongate.NotFound, "")
}

// An operator may have the rest tried again: the wallet pays what is left, and no more.
func TestRestOfPayoutIsTriedAgain(t *testing.T) {
	w, no := newRefusingWorld(t)
	w.pass(24*time.Hour, time.Minute)
	x := w.trouble(pay.TroublePayout)
	// Still refused: a second exception follows the first.
	w.submit("keeper", &settle.Report{Instruction: no, Progress: settle.Sent})
	w.pass(time.Minute, time.Second)
	if w.isOpen(x.Exception) || w.instruction("tea-shop").Progress != settle.Sent {
		t.Errorf("%+v", w.instruction("tea-shop"))
	}
	w.restart()
	w.pass(24*time.Hour, time.Minute)
	again := w.trouble(pay.TroublePayout)
	if again.Exception == x.Exception || again.PaidOut != x.PaidOut || !w.isOpen(again.Exception) {
		t.Fatalf("%+v", again)
	}
	// The account is in order again.
	w.wallets["crane-pay"].Clear()
	w.submit("keeper", &settle.Report{Instruction: no, Progress: settle.Sent})
	w.pass(time.Hour, 5*time.Second)
	total := int64(0)
	for _, s := range w.wallets["crane-pay"].Book(accounts["crane-pay"]).Splits {
		total += s.Amount
	}
	if i := w.instruction("tea-shop"); !i.ID.IsZero() || total != 28_320 || w.owed("tea-shop", ledger.Instructed) != 0 || w.isOpen(again.Exception) {
		t.Errorf("%+v; the wallet has paid %d", i, total)
	}
}

// payer tells settlement how a payout stands, as the hub does.
func (w *world) payer(wallet string) settle.Payer {
	return func(ctx context.Context, o settle.Order) (out settle.Outcome, err error) {
		id, err := moongate.ParseID(o.No)
		if err != nil {
			return out, err
		}
		a, err := w.gate.PayOut(ctx, wallet, id, o.To, o.Amount)
		switch {
		case err != nil:
		case a.Paid == o.Amount.Minor:
			out.Paid = true
		case a.Open > 0 || a.Waits != "":
		case a.Paid == 0 && a.Failed != "":
			out.Refused, out.Said = true, a.Failed
		case a.Manual != "":
			out.Manual, out.Said, out.Part = true, a.Manual, a.Paid
		}
		return out, err
	}
}
