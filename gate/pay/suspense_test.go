package pay_test

import (
	"testing"
	"time"

	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
)

// Money that stands in suspense is somebody's, and nobody knows whose: no payout comes out of it, though it lies at the wallet
// for longest, and it can go back to its shopper.
func TestNobodyIsPaidOutOfSuspense(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	c := w.request("o-0")
	c.Suspend, c.Payees = "the order's items add up to 90.00", nil
	held := w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	attempt := w.choose(held, "crane-pay")
	w.settle()
	w.approve("crane-pay", attempt)
	w.pass(10*time.Second, time.Second)
	w.stands(held, pay.Held)
	w.paid("o-1")
	if a := w.payOut(instruction(1), 9_440); a.Paid != 9_440 {
		t.Fatalf("%+v", a)
	}
	x := w.trouble(pay.TroubleUnclear)
	if a := w.payOutFor(instruction(2), 1_000, 3*24*time.Hour); a.Paid != 0 || a.Manual == "" {
		t.Errorf("paid out of what is nobody's: %+v", a)
	}
	w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.GiveBack, Note: "the shopper wants it back"})
	w.pass(time.Minute, time.Second)
	w.stands(held, pay.Returned)
}

// Once it is divided it is there for payouts like any other.
func TestReleasedMoneyIsPaidOut(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	c := w.request("o-0")
	c.Suspend, c.Payees = "the order's items add up to 90.00", nil
	held := w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	attempt := w.choose(held, "crane-pay")
	w.settle()
	w.approve("crane-pay", attempt)
	w.pass(10*time.Second, time.Second)
	x := w.trouble(pay.TroubleUnclear)
	w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.Release, Note: "they do add up", Payees: []crossing.Payee{{Party: "tea-shop", Amount: 10_000}}})
	w.stands(held, pay.Succeeded)
	if a := w.payOut(instruction(1), 9_440); a.Paid != 9_440 {
		t.Errorf("%+v", a)
	}
}
