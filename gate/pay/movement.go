package pay

import (
	"cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Movement is what the hub knows of money that moved at a wallet under one of its own numbers: a payment under its
// attempt's, a refund under its own. It is what a wallet's bill is held against.
type Movement struct {
	No       moongate.ID // of the attempt, or of the refund
	Order    moongate.ID // the attempt
	Payment  moongate.ID
	Wallet   string
	Refund   bool
	Moved    bool          // for good, by the wallet's word
	Dead     bool          // surely did not move, and will not
	Status   string        // the attempt's, or the refund's
	Ref      string        // the wallet's number, once it is known
	Amount   money.Amount  // as ordered; negative for a refund
	Settled  int64         // what of it moves the merchants' money: less the merchant's own coupon
	At       moongate.Time // by the wallet's clock of a payment; when it was asked for of a refund
	Crossing moongate.ID   // zero where the money stands in suspense or nowhere, and for a part of an order
	Whole    moongate.ID   // of a part: the crossing of its order, as Crossing
	Seller   string        // of a part: who was paid
}

// Movement finds what moved, or was to move, under a number. It knows a payment for as long as the payment is kept.
func (s *State) Movement(no moongate.ID) (Movement, bool) {
	switch no.Kind() {
	case moongate.KindAttempt:
		if m, ok := s.partMovement(no); ok {
			return m, true
		}
		a, ok := s.attempts.Get(no)
		if !ok {
			return Movement{}, false
		}
		return s.paidBy(no, &a), true
	case moongate.KindRefund:
		r, ok := s.refunds.Get(no)
		if !ok {
			return Movement{}, false
		}
		m := Movement{
			No: no, Order: cmp.Or(r.Part, r.Attempt), Payment: r.Payment, Wallet: r.Wallet, Refund: true, Moved: r.Status == RefundSucceeded, Dead: r.Status == RefundFailed,
			Status: string(r.Status), Amount: money.Of(-r.Amount.Minor, r.Amount.Currency), Settled: -r.cash(), At: r.Opened, Crossing: r.Crossing,
		}
		if r.Outcome != nil {
			m.Ref = r.Outcome.WalletRef
		}
		return m, true
	}
	return Movement{}, false
}

func (s *State) paidBy(no moongate.ID, a *Attempt) Movement {
	m := Movement{No: no, Order: no, Payment: a.Payment, Wallet: a.Wallet, Moved: a.Status == AttemptPaid, Dead: !a.Status.Live() && a.Status != AttemptPaid, Status: string(a.Status), At: a.Opened}
	p, known := s.payments.Get(a.Payment)
	if known && p.Attempt == no {
		m.Crossing = p.Crossing
	}
	if a.Outcome == nil || !m.Moved {
		m.Amount = p.Amount
		return m
	}
	owed := a.Outcome.owed()
	m.Ref, m.Amount, m.Settled = a.Outcome.WalletRef, a.Outcome.Amount, owed.Minor
	if a.Outcome.PaidAt != 0 {
		m.At = a.Outcome.PaidAt
	}
	return m
}
