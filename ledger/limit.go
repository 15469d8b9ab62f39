package ledger

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// SetLimits gives an account new limits in place of those it has, and opens the account if it was never used. Only an
// operator or the hub itself may: an owner who could limit its own account could refuse the refunds it owes.
type SetLimits struct {
	Account Account `json:"account" cbor:"1,keyasint"`
	Limits  Limits  `json:"limits" cbor:"2,keyasint"`
}

// CommandKind is "ledger.set_limits".
func (*SetLimits) CommandKind() string { return "ledger.set_limits" }

// SetLimits decides, and answers the balance. It refuses limits that the balance is beyond already: no account ever is beyond its limits.
func (s *State) SetLimits(step *replica.Step, c *SetLimits) (Balance, error) {
	if err := c.Account.check(); err != nil {
		return Balance{}, err
	}
	l := &c.Limits
	if l.Least != nil && l.Most != nil && *l.Least > *l.Most {
		return Balance{}, malformed("limits", fmt.Sprintf("the least, %d, is above the most, %d", *l.Least, *l.Most), "lower the least or raise the most")
	}
	if step.Caller != "" && !s.operator(step.Caller) {
		return Balance{}, &moongate.Error{
			Code: moongate.Forbidden, Field: "account", Message: fmt.Sprintf("%s may not set the limits of %s", step.Caller, c.Account),
			Hint: "ask an operator of the hub",
		}
	}
	b, known := s.Lookup(c.Account)
	if p := c.Account.Purpose; l.Least != nil && b.Balance.Low(p) < *l.Least || l.Most != nil && b.Balance.High(p) > *l.Most {
		return Balance{}, &moongate.Error{
			Code: moongate.Conflict, Field: "limits",
			Message: fmt.Sprintf("%s stands between %d and %d, holds included, beyond these limits", c.Account, b.Balance.Low(p), b.Balance.High(p)),
			Hint:    "settle the balance first, or close the account meanwhile",
		}
	}
	if !known && s.books.Len() >= s.bounds.Accounts {
		return Balance{}, &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("the books hold %d accounts and take no more", s.books.Len()), Hint: "ask the operator for a larger bound"}
	}
	n := s.open(step, c.Account)
	step.Emit(&Limited{
		Limitation: Limitation{Account: c.Account, Limits: c.Limits, By: step.Caller},
		Place:      Place{Number: uint32(n), Before: s.books.At(n).Head},
	})
	return b.Balance, nil
}

func legField(i int, name string) string { return fmt.Sprintf("legs/%d/%s", i, name) }

func malformed(field, message, hint string) error {
	return &moongate.Error{Code: moongate.Malformed, Field: field, Message: message, Hint: hint}
}
