package stripe_test

import (
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/stripe"
	"github.com/moongate-hub/moongate/gate/pay/stripe/stripetest"
	"github.com/moongate-hub/moongate/money"
)

// move is a call that moves money under a number, and how often it has done so at the account.
type move struct {
	path string
	make func(*stripe.Wallet) error
	done func() int
}

func moves(a *account) map[string]move {
	refund := pay.RefundOrder{No: "ref_1", OrderNo: "ORDER-01", OrderRef: "pi_1", Amount: money.Of(500, usd), Total: 1999}
	split := pay.SplitOrder{No: "spl_1", OrderNo: "ORDER-01", OrderRef: "pi_1", Currency: usd, Parts: []pay.SplitPart{{Account: "acct_12345678", Amount: 400}}}
	back := pay.UnsplitOrder{No: "spl_2", SplitNo: "spl_0", SplitRef: "tr_1", Account: "acct_12345678", Amount: money.Of(100, usd)}
	return map[string]move{
		"refund":   {"POST /v1/refunds", func(w *stripe.Wallet) error { _, err := w.Refund(a.t.Context(), refund); return err }, a.Refunds},
		"transfer": {"POST /v1/transfers", func(w *stripe.Wallet) error { _, err := w.Split(a.t.Context(), split); return err }, func() int { return len(a.Transfers()) - 1 }},
		"reversal": {"POST /v1/transfers/tr_1/reversals", func(w *stripe.Wallet) error { _, err := w.Unsplit(a.t.Context(), back); return err }, func() int {
			reversals, _ := a.Transfers()[0]["back"].([]stripetest.Object)
			return len(reversals)
		}},
	}
}

// paid has an order paid and a first part of it transferred.
func paid(t *testing.T) (*account, *stripe.Wallet) {
	a, w := open(t)
	if _, err := w.Create(t.Context(), order("ORDER-01")); err != nil {
		t.Fatal(err)
	}
	a.Pay("ORDER-01")
	first := pay.SplitOrder{No: "spl_0", OrderNo: "ORDER-01", OrderRef: "pi_1", Currency: usd, Parts: []pay.SplitPart{{Account: "acct_12345678", Amount: 300}}}
	if _, err := w.Split(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	return a, w
}

// A 500 is kept under its key for a day. When what was asked is not there an hour later, it is asked for under another key,
// by a connector that was restarted too; never before.
func TestAKeptFailureHoldsNothingUpForADay(t *testing.T) {
	for _, name := range []string{"refund", "transfer", "reversal"} {
		t.Run(name, func(t *testing.T) {
			a, w := paid(t)
			m := moves(a)[name]
			a.Fall(m.path, false)
			if err := m.make(w); pay.VerdictOf(err) != pay.Unknown {
				t.Fatalf("a 500 proves something: %v", err)
			}
			a.Fall("", false)
			for range 5 { // it is kept
				a.now = a.now.Add(10 * time.Minute)
				if err := m.make(w); pay.VerdictOf(err) != pay.Unknown || m.done() != 0 {
					t.Fatalf("%v, done %d times, while it may still be put right", err, m.done())
				}
			}
			w = a.connect(t)
			if err := m.make(w); pay.VerdictOf(err) != pay.Unknown || m.done() != 0 {
				t.Fatalf("%v, done %d times, by one that has just met it", err, m.done())
			}
			a.now = a.now.Add(time.Hour)
			for range 3 {
				if err := m.make(w); err != nil || m.done() != 1 {
					t.Fatalf("%v, done %d times", err, m.done())
				}
			}
			a.now = a.now.Add(30 * time.Hour) // the keys are forgotten
			if err := m.make(a.connect(t)); err != nil || m.done() != 1 {
				t.Errorf("%v, done %d times", err, m.done())
			}
		})
	}
}

// What was done before the 500 is found, and not done again under whatever key.
func TestAFailureThatWasNone(t *testing.T) {
	for _, name := range []string{"refund", "transfer", "reversal"} {
		t.Run(name, func(t *testing.T) {
			a, w := paid(t)
			m := moves(a)[name]
			a.Fall(m.path, true)
			if err := m.make(w); pay.VerdictOf(err) != pay.Unknown || m.done() != 1 {
				t.Fatalf("%v, done %d times", err, m.done())
			}
			a.now = a.now.Add(2 * time.Hour)
			if err := m.make(w); err != nil || m.done() != 1 {
				t.Errorf("%v, done %d times", err, m.done())
			}
		})
	}
}

// Where Stripe keeps failing, the keys come to an end, each after its hour.
func TestFailuresWithoutEnd(t *testing.T) {
	a, w := paid(t)
	m := moves(a)["refund"]
	a.Fall(m.path, false)
	for range 10 {
		if err := m.make(w); pay.VerdictOf(err) != pay.Unknown {
			t.Fatalf("%v", err)
		}
		a.now = a.now.Add(time.Hour)
	}
	if n := a.Keys(); n != 2+4 { // of the order and the first part, and four of the refund
		t.Errorf("%d keys", n)
	}
}
