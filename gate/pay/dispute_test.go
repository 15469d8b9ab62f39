package pay_test

import (
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
)

func (w *world) dispute(attempt moongate.ID, state pay.DisputeState, amount int64) {
	w.t.Helper()
	w.submit("", &pay.Told{Wallet: "crane-pay", Event: "DISPUTE", Order: attempt.String(), Dispute: &pay.DisputeEvidence{
		Number: "dp-1", State: state, Amount: money.Of(amount, money.CNY), Reason: "not received", Due: w.now() + 7*moongate.Day,
	}})
}

func TestDisputes(t *testing.T) {
	for _, c := range []struct {
		name       string
		states     []pay.DisputeState
		back, held int64
	}{
		{"open", []pay.DisputeState{pay.DisputeOpen}, 0, 10_000},
		{"answered", []pay.DisputeState{pay.DisputeOpen, pay.DisputeReview}, 0, 10_000},
		{"won", []pay.DisputeState{pay.DisputeOpen, pay.DisputeReview, pay.DisputeWon}, 0, 10_000},
		{"lost", []pay.DisputeState{pay.DisputeOpen, pay.DisputeLost}, 10_000, 0},
		{"told twice", []pay.DisputeState{pay.DisputeOpen, pay.DisputeOpen, pay.DisputeLost, pay.DisputeLost}, 10_000, 0},
		{"only its end", []pay.DisputeState{pay.DisputeLost}, 10_000, 0},
		{"late news", []pay.DisputeState{pay.DisputeOpen, pay.DisputeLost, pay.DisputeOpen, pay.DisputeReview}, 10_000, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.bent = true // the sandbox knows nothing of it
			id, attempt := w.paid("1001")
			for _, s := range c.states {
				w.dispute(attempt, s, 10_000)
			}
			p := w.payment(id)
			if p.Refunded != c.back || w.owed("crane-pay", ledger.Wallet) != c.held {
				t.Errorf("%d back, %d held: %+v", p.Refunded, w.owed("crane-pay", ledger.Wallet), p)
			}
			last := c.states[len(c.states)-1]
			if over := p.Reserved == p.Refunded; over != (c.back > 0 || last == pay.DisputeWon) {
				t.Errorf("%d reserved", p.Reserved)
			}
			if open := w.machineExceptions(); (open > 0) != (c.back == 0 && last != pay.DisputeWon) {
				t.Errorf("%d exceptions are open", open)
			}
		})
	}
}

func (w *world) machineExceptions() (n int) {
	w.machine.Read(func() { n = w.payments.Exceptions() })
	return n
}

// Refunds and disputes together never take more than was paid, whichever comes first.
func TestRefundBesideDispute(t *testing.T) {
	w := newWorld(t)
	w.bent = true
	id, attempt := w.paid("1001")
	w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 3_000})
	w.dispute(attempt, pay.DisputeOpen, 10_000)
	w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-2", Amount: 1}, moongate.Limit, "can still be refunded")
	w.dispute(attempt, pay.DisputeWon, 10_000)
	w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-3", Amount: 7_000})
	if p := w.payment(id); p.Reserved != 10_000 {
		t.Errorf("%+v", p)
	}
}

// A wallet that changes its mind about the end of a dispute is not followed; a person must look.
func TestDisputeContradicted(t *testing.T) {
	w := newWorld(t)
	w.bent = true
	_, attempt := w.paid("1001")
	w.dispute(attempt, pay.DisputeOpen, 10_000)
	w.dispute(attempt, pay.DisputeWon, 10_000)
	w.dispute(attempt, pay.DisputeLost, 10_000)
	if x := w.trouble(pay.TroubleContradiction); x == nil {
		t.Error("nobody was told")
	}
	if got := w.owed("crane-pay", ledger.Wallet); got != 10_000 {
		t.Errorf("%d", got)
	}
}
