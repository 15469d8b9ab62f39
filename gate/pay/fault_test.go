package pay_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/ledger"
)

// shop has a shopper pay as a person would, whatever the cashier shows, and gives up after an hour of it.
func (w *world) shop(id moongate.ID, wallet string) {
	w.t.Helper()
	for range 120 {
		var till pay.Till
		w.machine.Read(func() { till, _ = w.payments.Till(id, w.now()) })
		switch till.State {
		case pay.TillChoosing, pay.TillFailed:
			w.post(w.address(id), url.Values{"wallet": {wallet}})
		case pay.TillAwaiting:
			_ = w.wallets[till.Chosen].Approve(w.account(till.Chosen), w.payment(id).Attempt.String()) // may be paid already
		case pay.TillUnknown:
		default:
			return
		}
		if w.payment(id).Status != pay.Open {
			return // held: a person is looking
		}
		w.settle()
		w.pass(30*time.Second, 5*time.Second)
	}
	w.tell(id)
	w.t.Fatal("the shopper has lost patience")
}

// Every call to a wallet fails in every way a few times, or is carried out twice: the payment succeeds all the
// same, the refund too, nothing is asked twice, and the books mirror the wallet's.
func TestEveryFaultOfEveryCall(t *testing.T) {
	kinds := []sandbox.Fault{
		{Kind: sandbox.DropBefore},
		{Kind: sandbox.DropAfter},
		{Kind: sandbox.Garbage},
		{Kind: sandbox.Unsigned},
		{Kind: sandbox.Probe},
		{Kind: sandbox.Skew, Delay: 10 * time.Minute},
		{Kind: sandbox.Refuse, Code: "SYSTEM_ERROR"},
		{Kind: sandbox.Refuse, Code: "FREQUENCY_LIMITED"},
		{Kind: sandbox.Refuse, Code: "SIGN_ERROR"},
	}
	if testing.Short() {
		kinds = kinds[:2]
	}
	ops := []sandbox.Op{wechatbox.OpCertificates, sandbox.OpCreate, sandbox.OpQuery, sandbox.OpClose, sandbox.OpRefund, sandbox.OpQueryRefund}
	for _, op := range ops {
		for _, fault := range kinds {
			for _, twice := range []bool{false, true} {
				if twice && fault.Kind != sandbox.DropAfter {
					continue // the most telling one is enough
				}
				name := fmt.Sprint(op, "/", fault.Kind, fault.Code)
				if twice {
					name += "/twice"
				}
				t.Run(name, func(t *testing.T) {
					w := newWorld(t)
					w.twice = twice
					// Without notifications everything hangs on calls.
					w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Lose, Op: sandbox.OpNotify, Times: -1})
					fault.Op, fault.Times = op, 2
					w.inject("crane-pay", fault)
					id := w.purchase("1001")
					w.choose(id, "crane-pay")
					w.settle()
					w.choose(id, "") // the shopper hesitates, so that there is something to close
					w.settle()
					w.shop(id, "crane-pay")
					w.stands(id, pay.Succeeded)
					r := w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 4_000}).(pay.RefundAnswer).Refund
					w.settle()
					w.pass(10*time.Minute, 20*time.Second)
					for _, left := range w.wallets["crane-pay"].Faults() {
						if left.Op == op && left.Times == fault.Times {
							t.Errorf("the fault did not happen: %+v", left)
						}
					}
					if got := w.refunding(r); got.Status != pay.RefundSucceeded {
						t.Errorf("refund is %s: %+v", got.Status, got)
					}
					if p := w.payment(id); p.Refunded != 4_000 || p.Reserved != 4_000 {
						t.Errorf("refunded %d, reserved %d", p.Refunded, p.Reserved)
					}
					if n := len(w.troubles()); n != 0 {
						t.Errorf("%d exceptions: %v", n, w.troubles())
					}
				})
			}
		}
	}
}

// Notifications come late, twice, out of order, or never.
func TestNotificationFaults(t *testing.T) {
	for _, fault := range []sandbox.Fault{
		{Kind: sandbox.Delay, Delay: 4 * time.Minute},
		{Kind: sandbox.Duplicate, Times: 3},
		{Kind: sandbox.Reorder, Times: 2},
		{Kind: sandbox.Lose, Times: -1},
		{Kind: sandbox.Probe, Times: 2},
		{Kind: sandbox.Unsigned, Times: 2},
		{Kind: sandbox.Skew, Delay: 6 * time.Minute, Times: 2},
		{Kind: sandbox.WrongAmount, Amount: 1, Times: 2},
	} {
		t.Run(string(fault.Kind), func(t *testing.T) {
			w := newWorld(t)
			fault.Op = sandbox.OpNotify
			w.inject("crane-pay", fault)
			var all []moongate.ID
			for i := range 3 {
				id, attempt := w.opened(fmt.Sprint("o-", i))
				w.approve("crane-pay", attempt)
				all = append(all, id)
			}
			w.pass(10*time.Minute, 20*time.Second)
			for _, id := range all {
				w.stands(id, pay.Succeeded)
				if got := strings.Count(w.kinds(id), "settled"); got != 1 {
					t.Errorf("settled %d times: %s", got, w.kinds(id))
				}
			}
			if n := len(w.troubles()); n != 0 {
				t.Errorf("%d exceptions: %v", n, w.troubles())
			}
		})
	}
}

// The wallet took its time: the shopper pays just when the order is closed. The money goes back by itself.
func TestLatePaymentGoesBack(t *testing.T) {
	for name, stop := range map[string]func(*world, moongate.ID){
		"expired":   func(w *world, _ moongate.ID) { w.pass(31*time.Minute, time.Minute) },
		"cancelled": func(w *world, id moongate.ID) { w.submit("lotus-market", &pay.Cancel{Payment: id}); w.settle() },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id, attempt := w.opened("1001")
			w.inject("crane-pay", sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove})
			stop(w, id)
			if s := w.payment(id).Status; s != pay.Expired && s != pay.Cancelled {
				t.Fatalf("payment is %s", s)
			}
			before := w.payment(id).Status
			w.approve("crane-pay", attempt)
			w.Advance(time.Minute)
			x := w.trouble(pay.TroubleLate)
			if got := w.owed("willow-reads", ledger.Suspense); got != 10_000 {
				t.Errorf("%d stands in suspense", got)
			}
			w.pass(10*time.Minute, 10*time.Second)
			w.stands(id, before)
			if len(w.troubles()) != 0 || w.owed("willow-reads", ledger.Suspense) != 0 || w.owed("crane-pay", ledger.Wallet) != 0 {
				t.Errorf("exception %s is not over: %v", x.Trouble.Exception, w.troubles())
				w.tell(id)
			}
		})
	}
}

// The shopper pays at one wallet what was closed there, after paying at the other: the second payment goes back.
func TestDoublePaymentGoesBack(t *testing.T) {
	w := newWorld(t)
	id, first := w.opened("1001")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove})
	second := w.choose(id, "carp-pay")
	if second != first {
		t.Fatalf("the second attempt was opened before the first was closed")
	}
	w.settle()
	second = w.payment(id).Attempt
	if a := w.attempt(second); second == first || a.Wallet != "carp-pay" || a.Status != pay.AttemptAwaiting || w.attempt(first).Status != pay.AttemptClosed {
		t.Fatalf("switching: %+v, then %+v", w.attempt(first), a)
	}
	w.approve("carp-pay", second)
	w.pass(10*time.Second, time.Second)
	w.stands(id, pay.Succeeded)
	w.approve("crane-pay", first)
	w.Advance(time.Minute)
	w.trouble(pay.TroubleDouble)
	w.pass(10*time.Minute, 10*time.Second)
	w.stands(id, pay.Succeeded)
	if p := w.payment(id); p.Refunded != 0 || p.Attempt != second {
		t.Errorf("the payment took the second payment's refund for its own: %+v", p)
	}
	if len(w.troubles()) != 0 || w.owed("crane-pay", ledger.Wallet) != 0 || w.owed("carp-pay", ledger.Wallet) != 10_000 {
		t.Errorf("%v", w.troubles())
		w.tell(id)
	}
}

// Where the shopper was faster than the switch to another wallet, the first wallet's payment counts and the second
// order is never made.
func TestSwitchThatComesTooLate(t *testing.T) {
	w := newWorld(t)
	w.deaf = true
	id, first := w.opened("1001")
	w.approve("crane-pay", first)
	w.Advance(10 * time.Second)
	w.choose(id, "carp-pay")
	w.settle()
	w.stands(id, pay.Succeeded)
	if p := w.payment(id); p.Attempt != first || p.Attempts != 1 {
		t.Errorf("%+v", p)
	}
}

// A wallet that cannot be reached leaves an attempt unknown for as long as it takes; a person is told after a day, and
// told again that it is over.
func TestSilentWallet(t *testing.T) {
	w := newWorld(t)
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropAfter, Op: sandbox.OpCreate})
	id := w.purchase("1001")
	attempt := w.choose(id, "crane-pay")
	w.settle()
	w.down["crane-pay"] = true
	if a := w.attempt(attempt); a.Status != pay.AttemptUnknown {
		t.Fatalf("attempt is %s", a.Status)
	}
	if body := w.get(w.address(id)).Body.String(); !strings.Contains(body, "unknown") {
		t.Error(body)
	}
	w.choose(id, "carp-pay") // no way around it before the first order is surely closed
	w.pass(26*time.Hour, 5*time.Minute)
	w.stands(id, pay.Open)
	if p := w.payment(id); p.Attempts != 1 {
		t.Errorf("%d attempts", p.Attempts)
	}
	calls := len(w.called)
	if calls > 60 {
		t.Errorf("the wallet was asked %d times in a day", calls)
	}
	w.trouble(pay.TroubleSilent)
	w.restart()
	w.down["crane-pay"] = false
	w.pass(2*time.Hour, 5*time.Minute)
	w.stands(id, pay.Expired)
	if n := len(w.troubles()); n != 0 {
		t.Errorf("%d exceptions: %v", n, w.troubles())
	}
}

// A payment that nobody pays expires, once the wallet has closed its order.
func TestExpiry(t *testing.T) {
	w := newWorld(t)
	untouched := w.purchase("1001")
	id, attempt := w.opened("1002")
	w.pass(29*time.Minute, 30*time.Second)
	w.stands(id, pay.Open)
	w.pass(2*time.Minute, 30*time.Second)
	w.stands(id, pay.Expired)
	w.stands(untouched, pay.Expired)
	if a := w.attempt(attempt); a.Status != pay.AttemptClosed || a.Why != pay.WhyExpired {
		t.Errorf("%+v", a)
	}
	if err := w.wallets["crane-pay"].Approve(accounts["crane-pay"], attempt.String()); err == nil {
		t.Error("the order can still be paid")
	}
	w.refuse("", &pay.ChooseWallet{Payment: id, Wallet: "carp-pay"}, moongate.Conflict, "expired")
	for _, p := range []moongate.ID{id, untouched} {
		if body := w.get(w.address(p)).Body.String(); !strings.Contains(body, "expired") {
			t.Error(body)
		}
	}
	_, err := w.cancel(id)
	if err != nil {
		t.Errorf("giving up what has expired: %v", err)
	}
}

// An order that the wallet would not have is not lost time: another wallet can be chosen at once.
func TestWalletRefuses(t *testing.T) {
	w := newWorld(t)
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Refuse, Code: "NO_AUTH", Op: sandbox.OpCreate})
	id, attempt := w.opened("1001")
	if a := w.attempt(attempt); a.Status != pay.AttemptFailed || !strings.Contains(a.Message, "wallet says") {
		t.Fatalf("%+v", a)
	}
	if body := w.get(w.address(id)).Body.String(); !strings.Contains(body, "failed") || !strings.Contains(body, "carp-pay") {
		t.Error(body)
	}
	w.shop(id, "carp-pay")
	w.stands(id, pay.Succeeded)
	if got := w.owed("carp-pay", ledger.Wallet); got != 10_000 {
		t.Errorf("carp-pay holds %d", got)
	}
}

// An order that comes to life at the wallet after it was given up is closed again.
func TestOrderThatComesToLifeLate(t *testing.T) {
	w := newWorld(t)
	id := w.purchase("1001")
	w.choose(id, "crane-pay")
	create := w.machine.Pending(0, 0)[0]
	report, err := w.gate.Handlers()[create.Kind].Handle(t.Context(), w.entry(create.Position)) // done, and not yet told
	if err != nil {
		t.Fatal(err)
	}
	attempt := w.payment(id).Attempt
	// Meanwhile the wallet said that it knows nothing of it.
	w.submit("", &pay.Report{Attempt: attempt, Op: pay.OpClose, Outcome: &pay.Evidence{State: pay.Closed}})
	if a := w.attempt(attempt); a.Status != pay.AttemptClosed {
		t.Fatalf("%+v", a)
	}
	w.submit("", report)
	if a := w.attempt(attempt); a.Status != pay.AttemptClosing {
		t.Fatalf("%+v", a)
	}
	w.pass(time.Minute, time.Second)
	if a := w.attempt(attempt); a.Status != pay.AttemptClosed {
		t.Errorf("%+v", a)
	}
	w.stands(id, pay.Open)
	w.shop(id, "crane-pay")
	w.stands(id, pay.Succeeded)
	if w.get(w.address(id)).Code != http.StatusOK {
		t.Error("the cashier is gone")
	}
}

// While the shopper looks at the second wallet's code, the first wallet takes money for an order that it had called
// closed. That counts, and the second order is closed.
func TestClosedOrderThatWasPaidFirst(t *testing.T) {
	w := newWorld(t)
	id, first := w.opened("1001")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove})
	w.choose(id, "carp-pay")
	w.settle()
	second := w.payment(id).Attempt
	w.approve("crane-pay", first)
	w.pass(10*time.Second, time.Second)
	w.stands(id, pay.Succeeded)
	if p, a := w.payment(id), w.attempt(second); p.Attempt != first || a.Status != pay.AttemptClosed {
		t.Errorf("paid is %s; the other attempt is %s", p.Attempt, a.Status)
	}
	if err := w.wallets["carp-pay"].Approve(accounts["carp-pay"], second.String()); err == nil {
		t.Error("the second order can still be paid")
	}
}

// A late payment of which the wallet tells another amount is asked about before any of it is booked.
func TestLatePaymentOfAnotherAmount(t *testing.T) {
	w := newWorld(t)
	id, attempt := w.opened("1001")
	w.submit("lotus-market", &pay.Cancel{Payment: id})
	w.settle()
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove})
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.WrongAmount, Op: sandbox.OpNotify, Amount: 1, Times: -1})
	w.approve("crane-pay", attempt)
	w.Advance(10 * time.Second)
	if a := w.attempt(attempt); a.Status != pay.AttemptClosing || a.Why != pay.WhyDoubted {
		t.Errorf("%+v", a)
	}
	w.pass(10*time.Minute, 10*time.Second)
	w.stands(id, pay.Cancelled)
	if len(w.troubles()) != 0 || w.owed("crane-pay", ledger.Wallet) != 0 {
		t.Errorf("%v", w.troubles())
		w.tell(id)
	}
}

// An order that nobody wants any more when its turn comes is not placed.
func TestOrderThatIsNotWantedAnyMore(t *testing.T) {
	w := newWorld(t)
	id := w.purchase("1001")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropBefore, Op: sandbox.OpCreate}) // a trap
	attempt := w.choose(id, "crane-pay")
	w.choose(id, "")
	w.settle()
	if a := w.attempt(attempt); a.Status.Live() {
		t.Errorf("attempt is %s", a.Status)
	}
	if len(w.wallets["crane-pay"].Faults()) != 1 {
		t.Error("the order was placed")
	}
	w.shop(id, "crane-pay")
	w.stands(id, pay.Succeeded)
}

// A hub that was restored from a backup asks wallets and tells them nothing: what had been paid is found, what had not is
// neither ordered, closed nor given back until an operator lets it go.
func TestQuarantine(t *testing.T) {
	w := newWorld(t)
	returned, _ := w.paid("1002")
	paid, attempt := w.opened("1001")
	w.deaf = true
	w.approve("crane-pay", attempt)
	w.held, w.missed = true, nil
	books := w.wallets["crane-pay"].Book(accounts["crane-pay"])
	w.submit("lotus-market", &pay.Refund{Payment: returned, Reference: "r-1", Amount: 10_000})
	fresh := w.purchase("1003")
	w.choose(fresh, "carp-pay")
	w.pass(5*time.Minute, 5*time.Second)
	w.stands(paid, pay.Succeeded)
	w.stands(fresh, pay.Open)
	now := w.wallets["crane-pay"].Book(accounts["crane-pay"])
	if len(now.Refunds) != len(books.Refunds) || w.wallets["carp-pay"].Status().Orders != 0 {
		t.Errorf("a wallet was told to do something: %+v", now)
	}
	w.held, w.deaf = false, false
	w.pass(30*time.Minute, 5*time.Second)
	if p := w.payment(returned); p.Refunded != 10_000 {
		t.Errorf("what was asked back in quarantine never went: %+v", p)
	}
}
