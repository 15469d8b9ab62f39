package ledger

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Balance is what was moved on an account since it was opened, and what is held to move, in minor units. None of the
// four is negative.
type Balance struct {
	Debits         int64 `json:"debits" cbor:"1,keyasint,omitempty"`
	Credits        int64 `json:"credits" cbor:"2,keyasint,omitempty"`
	DebitsPending  int64 `json:"debits_pending,omitempty" cbor:"3,keyasint,omitempty"`
	CreditsPending int64 `json:"credits_pending,omitempty" cbor:"4,keyasint,omitempty"`
}

// Net is the posted balance, positive on the side on which accounts of the purpose grow.
func (b Balance) Net(p Purpose) int64 {
	if p.Debit() {
		return b.Debits - b.Credits
	}
	return b.Credits - b.Debits
}

// Low is the net balance if everything that is held against it is posted and nothing that is held for it: what can
// still be counted on.
func (b Balance) Low(p Purpose) int64 {
	if p.Debit() {
		return b.Debits - b.Credits - b.CreditsPending
	}
	return b.Credits - b.Debits - b.DebitsPending
}

// High is the net balance if everything that is held for it is posted and nothing that is held against it.
func (b Balance) High(p Purpose) int64 {
	if p.Debit() {
		return b.Debits + b.DebitsPending - b.Credits
	}
	return b.Credits + b.CreditsPending - b.Debits
}

// plus is the balance after a movement, and whether every sum still fits 64 bits, holds posted.
func (b Balance) plus(d Balance) (Balance, bool) {
	debits, ok1 := money.Add(b.Debits, d.Debits)
	credits, ok2 := money.Add(b.Credits, d.Credits)
	debitsPending, ok3 := money.Add(b.DebitsPending, d.DebitsPending)
	creditsPending, ok4 := money.Add(b.CreditsPending, d.CreditsPending)
	_, ok5 := money.Add(debits, debitsPending)
	_, ok6 := money.Add(credits, creditsPending)
	return Balance{debits, credits, debitsPending, creditsPending}, ok1 && ok2 && ok3 && ok4 && ok5 && ok6
}

// Limits bound an account's net balance, holds included. A negative Least is a net debit cap: how far the account may
// be overdrawn. A closed account takes no new transfers; what is held on it can still be posted or voided.
type Limits struct {
	Least  *int64 `json:"least,omitempty" cbor:"1,keyasint,omitempty"` // no floor where nil
	Most   *int64 `json:"most,omitempty" cbor:"2,keyasint,omitempty"`  // no ceiling where nil
	Closed bool   `json:"closed,omitempty" cbor:"3,keyasint,omitempty"`
}

// admits refuses a balance beyond the limits, in an error whose field is the account, unless the movement that led to it did not worsen what is beyond.
func (l *Limits) admits(a Account, before, after Balance) error {
	p := a.Purpose
	if low := after.Low(p); l.Least != nil && low < *l.Least && low < before.Low(p) {
		return &moongate.Error{
			Code: moongate.Limit, Field: a.String(), Message: fmt.Sprintf("%s would fall to %d, below its limit of %d, holds included", a, low, *l.Least),
			Hint: "move less, wait for money to come in, or ask the operator for another limit",
		}
	}
	if high := after.High(p); l.Most != nil && high > *l.Most && high > before.High(p) {
		return &moongate.Error{
			Code: moongate.Limit, Field: a.String(), Message: fmt.Sprintf("%s would rise to %d, above its limit of %d, holds included", a, high, *l.Most),
			Hint: "move less, pay some of it out, or ask the operator for another limit",
		}
	}
	return nil
}
