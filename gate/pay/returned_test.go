package pay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
)

const due = 28_320 // of three sales of 100.00, less commission and the wallet's fee

// newDueWorld has a payout of 283.20 that is out, and its wallet not told of it yet.
func newDueWorld(t tester) (w *world, no moongate.ID) {
	t.Helper()
	w = &world{split: 10_000, settles: true}
	w.begin(t, pay.Limits{})
	w.submit("tea-shop", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: "tea-shop", Account: "1900000999"}})
	w.settle()
	for i := range 3 {
		w.paid(fmt.Sprint("o-", i))
	}
	for w.instruction("tea-shop").Progress != settle.Sent {
		if w.Now().Sub(start) > 72*time.Hour {
			t.Fatal("no window has closed")
		}
		w.Advance(time.Minute)
		w.tick()
	}
	return w, w.instruction("tea-shop").ID
}

// only carries out pending effects of a kind, once each.
func (w *world) only(kind string) {
	w.t.Helper()
	for _, p := range w.machine.Pending(0, 0) {
		if p.Kind == kind {
			w.carry(p)
		}
	}
}

// gotAt is what the wallet has split off for its payee.
func (w *world) gotAt(wallet string) (sum int64) {
	for _, s := range w.wallets[wallet].Book(accounts[wallet]).Splits {
		sum += s.Amount
	}
	return sum
}

func (w *world) says(who string, no moongate.ID, p settle.Progress) error {
	c := &settle.Report{Instruction: no, Progress: p}
	if p == settle.Returned {
		c.Reason = "the account is closed"
	}
	_, err := w.do(replica.Request{Caller: who, Command: c})
	return err
}

// denied has a report refused.
func (w *world) denied(who string, no moongate.ID, p settle.Progress, says string) {
	w.t.Helper()
	if err := w.says(who, no, p); moongate.CodeOf(err) != moongate.Conflict || !strings.Contains(err.Error(), says) {
		w.t.Errorf("%s by %s: %v; want a conflict that says %q", p, who, err, says)
	}
}

func (w *world) allowed(who string, no moongate.ID, p settle.Progress) {
	w.t.Helper()
	if err := w.says(who, no, p); err != nil {
		w.t.Errorf("%s by %s: %v", p, who, err)
	}
}

// squares sees that the payee got what it was owed, once, by the wallet and by hand, and that the books say so.
func (w *world) squares(hand int64) {
	w.t.Helper()
	if got := w.gotAt("crane-pay") + hand; got != due {
		w.t.Errorf("the payee was owed %d and got %d, %d of it by hand", due, got, hand)
	}
	for _, purpose := range []ledger.Purpose{ledger.Instructed, ledger.Payable} {
		if n := w.owed("tea-shop", purpose); n != 0 {
			w.t.Errorf("%s still has %d", purpose, n)
		}
	}
	w.check()
}

// A payout that came back before its wallet was told is not paid any more, however late the wallet's turn comes: its claim is
// in the next window, and paid with that.
func TestReturnedBeforeTheWalletIsTold(t *testing.T) {
	w, no := newDueWorld(t)
	w.allowed("keeper", no, settle.Returned)
	w.settle()
	if got := w.gotAt("crane-pay"); got != 0 {
		t.Errorf("%d were paid of what came back", got)
	}
	if err := w.says("keeper", no, settle.Returned); moongate.CodeOf(err) != moongate.NotFound {
		t.Errorf("it came back twice: %v", err)
	}
	w.restart()
	w.pass(3*24*time.Hour, time.Hour)
	w.squares(0)
}

// While a part is under way, or its answer is missing, nobody says that the payout came back, is paid by hand, or was: but the
// payee, who sees what has come.
func TestReturnedWhileAPartIsUnderWay(t *testing.T) {
	for _, answer := range []string{"missing", "to come"} {
		t.Run(answer, func(t *testing.T) {
			w, no := newDueWorld(t)
			if answer == "missing" {
				w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropAfter, Op: wechatpay.OpSplit, Times: 1})
			}
			w.only("settle.instructed")
			if answer == "missing" {
				w.only("pay.split_opened")
			}
			for _, p := range []settle.Progress{settle.Returned, settle.Manual, settle.Paid} {
				w.denied("keeper", no, p, "under way")
			}
			w.denied("keeper", no, settle.Sent, "does not wait")
			if answer == "missing" {
				w.allowed("tea-shop", no, settle.Paid)
				w.pass(time.Hour, 5*time.Second)
				w.squares(0)
				return
			}
			w.pass(time.Hour, 5*time.Second)
			w.squares(0)
		})
	}
}

// Of a payout that was partly paid the claim is not made anew, whether its rest waits, is with a person, or is told again.
func TestReturnedAfterAPartWasPaid(t *testing.T) {
	w, no := newRefusingWorld(t)
	for {
		if paid, open := w.payments.PaidOut(no); paid > 0 && open == 0 && w.instruction("tea-shop").Progress == settle.Sent {
			break
		}
		if w.pass(time.Second, time.Second); w.Now().Sub(start) > 96*time.Hour {
			t.Fatal("no part was paid")
		}
	}
	paid, _ := w.payments.PaidOut(no)
	w.denied("keeper", no, settle.Returned, "paid already")
	w.allowed("keeper", no, settle.Manual)
	if i := w.instruction("tea-shop"); i.Part != paid {
		t.Errorf("%d were paid, and settlement says %+v", paid, i)
	}
	w.denied("keeper", no, settle.Returned, "paid already")
	events := w.splitEvents()
	w.restart()
	w.pass(24*time.Hour, time.Hour)
	if n := w.splitEvents(); n != events {
		t.Errorf("the wallet was asked for what is paid by hand: %d events, %d before", n, events)
	}
	w.wallets["crane-pay"].Clear()
	w.allowed("keeper", no, settle.Sent)
	w.denied("keeper", no, settle.Returned, "paid already")
	w.pass(6*time.Hour, 10*time.Second)
	w.squares(0)
}

// All of it was split and settlement has not heard of it yet.
func TestReturnedAfterAllWasPaid(t *testing.T) {
	w, no := newDueWorld(t)
	w.only("settle.instructed")
	for range 100 {
		for _, p := range w.machine.Pending(0, 0) {
			if p.Kind != "settle.instructed" {
				w.carry(p)
			}
		}
		if paid, open := w.payments.PaidOut(no); paid == due && open == 0 {
			break
		}
		w.Advance(5 * time.Second)
		w.tick()
	}
	w.denied("keeper", no, settle.Returned, "paid already")
	// What was paid is remembered for as long as it takes settlement to hear of it.
	for range 40 {
		w.Advance(24 * time.Hour)
		w.tick()
	}
	w.restart()
	w.settle()
	w.squares(0)
}

// A person pays what is left by hand, and the wallet nothing any more.
func TestPaidByHand(t *testing.T) {
	w, no := newDueWorld(t)
	w.allowed("keeper", no, settle.Manual)
	w.settle() // its turn comes after that
	w.pass(time.Hour, time.Minute)
	if got := w.gotAt("crane-pay"); got != 0 {
		t.Errorf("the wallet paid %d of what is paid by hand", got)
	}
	w.allowed("keeper", no, settle.Paid)
	w.pass(24*time.Hour, time.Hour)
	w.squares(due)
}

// Whatever wallets answer and whatever operators and payees say in between, the payee gets what it is owed, once.
func TestWhateverBecomesOfPayouts(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w, _ := newDueWorld(r)
		hand := int64(0)
		for range rapid.IntRange(1, 25).Draw(r, "length") {
			i := w.instruction("tea-shop")
			no := i.ID
			if no.IsZero() {
				w.pass(26*time.Hour, time.Hour)
				continue
			}
			paid, open := w.payments.PaidOut(no)
			switch rapid.IntRange(0, 7).Draw(r, "what") {
			case 0:
				kind := rapid.SampledFrom([]sandbox.Kind{sandbox.SplitClosed, sandbox.DropAfter, sandbox.DropBefore}).Draw(r, "fault")
				w.inject("crane-pay", sandbox.Fault{Kind: kind, Op: wechatpay.OpSplit, Times: rapid.IntRange(1, 4).Draw(r, "times")})
			case 1, 2:
				_ = w.says("keeper", no, settle.Returned)
			case 3:
				_ = w.says("keeper", no, settle.Manual)
			case 4:
				_ = w.says("keeper", no, settle.Sent)
			case 5: // a person who looks first, pays what is left
				if i.Progress == settle.Manual && w.says("keeper", no, settle.Paid) == nil {
					hand += i.Amount - paid
				}
			case 6:
				if paid+open == i.Amount && open == 0 {
					_ = w.says("tea-shop", no, settle.Paid)
				}
			case 7:
				w.restart()
			}
			switch rapid.IntRange(0, 3).Draw(r, "then") {
			case 0:
				w.only(rapid.SampledFrom([]string{"settle.instructed", "settle.reported", "pay.split_opened", "pay.split_due"}).Draw(r, "effects"))
			case 1:
				w.settle()
			case 2:
				w.pass(time.Duration(rapid.SampledFrom([]int{1, 20, 600, 20_000}).Draw(r, "seconds"))*time.Second, 10*time.Minute)
			}
		}
		w.wallets["crane-pay"].Clear()
		for range 20 {
			if i := w.instruction("tea-shop"); i.Progress == settle.Manual {
				if paid, _ := w.payments.PaidOut(i.ID); w.says("keeper", i.ID, settle.Paid) == nil {
					hand += i.Amount - paid
				}
			}
			w.pass(6*time.Hour, 15*time.Minute)
		}
		w.squares(hand)
	})
}
