// Package crossing records crossings: the only way value moves.
//
// Everything that passes a wall is a crossing: who, from where, to where, under which agreement, worth how much. The
// gates differ only in how a crossing comes about; from there on one path serves all. A gate describes a [Passage];
// [State.Plan] finds the terms in force and who stands in which role, computes fees and shares, and plans the transfer
// in the ledger, or refuses and leaves a [Refused] as evidence; [Plan.Emit] writes a [Recorded].
//
// A refund gives back what the terms say of the sale as it was less the sale as it is left, line by line, so that the
// parts of any series of refunds add up to the original and never exceed it.
//
// Each party of a crossing may open its own [Side] and no other. Under an agreement that discloses totals only, what is
// owed to the host accrues in the small party's own books, and nothing of the crossing is for the host to open.
package crossing

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/share"
)

// Kind is a kind of crossing.
type Kind uint8

// Kinds of crossings. A number, once used, is never given to another kind.
const (
	Link       Kind = 1 // a reader opens something behind another wall
	Payment    Kind = 2 // money paid through a wallet, which holds it
	Refund     Kind = 3 // part or all of a payment, a conversion or an exception goes back
	Conversion Kind = 4 // a sale made elsewhere, that a link led to
	Takeback   Kind = 6 // what a wallet had paid a party of a payment comes back to the wallet, because the payment is refunded
	Exception  Kind = 5 // money that came in without terms to divide it; it stands in suspense until it is resolved
)

var kinds = [...]struct {
	name string
	as   agreement.Kind
}{
	Link: {"link", agreement.Link}, Payment: {"payment", agreement.Payment}, Refund: {"refund", agreement.Refund},
	Conversion: {"conversion", agreement.Conversion}, Exception: {name: "exception"}, Takeback: {name: "takeback"},
}

// Known tells whether there is such a kind.
func (k Kind) Known() bool { return int(k) < len(kinds) && kinds[k].name != "" }

// String is the kind's name, such as "payment".
func (k Kind) String() string {
	if k.Known() {
		return kinds[k].name
	}
	return fmt.Sprintf("kind%d", uint8(k))
}

// MarshalText writes the name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the name.
func (k *Kind) UnmarshalText(b []byte) error {
	for i := range kinds {
		if kinds[i].name != "" && kinds[i].name == string(b) {
			*k = Kind(i)
			return nil
		}
	}
	return malformed("kind", fmt.Sprintf("%.40q is no kind of crossing", b), "write link, payment, refund, conversion, exception or takeback")
}

// Passage is what a gate asks to be recorded. Amounts are minor units and not negative.
type Passage struct {
	Kind      Kind
	Agreement moongate.ID
	From, To  string // the gardens it leads from and to; both are parties of the agreement
	Class     string // of product, where a payee says none
	Currency  money.Currency
	Amount    int64
	// Payees say to whom the amount belongs before fees, and add up to it. Where none is given it is the one of From and
	// To that is the agreement's beneficiary.
	Payees  []Payee
	Wallet  string        // that holds the money of a payment or an exception
	Touches []share.Touch // the journey before, for the share rule; what the terms do not count is left out
	// Reverses is, of a refund, the crossing of which the amount goes back. Payees, where given, say from whom it is
	// taken; else it is taken from all in proportion to what is left of each.
	Reverses moongate.ID
	// ByLine says, of a refund, that Payees are one for each of those of the crossing that it reverses, in their order, with all
	// of freight and tax: nothing is taken from one of amount zero.
	ByLine bool
	// Of is, of a takeback, the payment of which the wallet had paid the one payee.
	Of moongate.ID
	// Releases is, of a payment, the exception from whose suspense the money comes in place of the wallet.
	Releases moongate.ID
	// Pending holds the value until PlanComplete or PlanVoid, at most until Expires, 0 for no limit.
	Pending bool
	Expires moongate.Time
	Subject string // the shopper's pairwise pseudonym
}

// Payee is one beneficiary's part of an amount: the part that is freight, and the part that is tax, included.
type Payee struct {
	Party   string `json:"party" cbor:"1,keyasint"`
	Class   string `json:"class,omitempty" cbor:"2,keyasint,omitempty"` // the passage's where empty
	Amount  int64  `json:"amount" cbor:"3,keyasint"`
	Freight int64  `json:"freight,omitempty" cbor:"4,keyasint,omitempty"`
	Tax     int64  `json:"tax,omitempty" cbor:"5,keyasint,omitempty"`
}

// Bounds of one crossing.
const (
	MaxPayees = 200
	maxText   = 128 // bytes of a class or a subject
)

// check finds faults that need no state to see.
func (p *Passage) check() error {
	switch {
	case !p.Kind.Known():
		return malformed("kind", fmt.Sprintf("there is no crossing of %s", p.Kind), "use one of the kinds")
	case p.Amount < 0:
		return malformed("amount", fmt.Sprintf("%d is negative", p.Amount), "money goes back by a refund")
	case (p.Amount == 0) != (p.Kind == Link):
		return malformed("amount", fmt.Sprintf("a %s of %d", p.Kind, p.Amount), "links have no amount, others have one in minor units")
	case len(p.Payees) > MaxPayees:
		return malformed("payees", fmt.Sprintf("%d payees", len(p.Payees)), fmt.Sprintf("divide it among at most %d", MaxPayees))
	case len(p.Class) > maxText || len(p.Subject) > maxText:
		return malformed("class", "class or subject is longer than 128 bytes", "shorten it")
	case len(p.Touches) > share.MaxTouches:
		return &moongate.Error{Code: moongate.TooLarge, Field: "touches", Message: fmt.Sprintf("a journey of %d touches", len(p.Touches)), Hint: fmt.Sprintf("leave out the oldest: %d are read", share.MaxTouches)}
	case p.ByLine && (p.Kind != Refund || len(p.Payees) == 0):
		return malformed("payees", "a refund by line names all payees", "give one for each of the original")
	case p.Expires != 0 && !p.Pending:
		return malformed("expires", "only a pending crossing expires", "leave it out")
	case (p.Kind == Payment || p.Kind == Exception || p.Kind == Takeback) != (p.Wallet != "") && p.Kind != Refund:
		return malformed("wallet", fmt.Sprintf("a %s with wallet %.40q", p.Kind, p.Wallet), "payments and exceptions name the wallet that holds the money, others none")
	case (p.Kind == Refund) == p.Reverses.IsZero():
		return malformed("reverses", fmt.Sprintf("a %s that reverses %q", p.Kind, p.Reverses), "a refund names the crossing it reverses, others none")
	case (p.Kind == Takeback) == p.Of.IsZero():
		return malformed("of", fmt.Sprintf("a %s of %q", p.Kind, p.Of), "a takeback names the payment, others none")
	case !p.Releases.IsZero() && p.Kind != Payment:
		return malformed("releases", fmt.Sprintf("a %s that releases an exception", p.Kind), "a payment under the right terms releases it, a refund gives it back")
	case p.Kind != Link || !p.Currency.IsZero():
		if _, err := p.Currency.Exponent(); err != nil {
			return err
		}
	}
	return p.checkPayees()
}

func (p *Passage) checkPayees() error {
	sum := int64(0)
	for i := range p.Payees {
		y := &p.Payees[i]
		if y.Party == "" {
			return malformed(fmt.Sprintf("payees/%d/party", i), "nobody is named", "name the participant")
		}
		if len(y.Class) > maxText {
			return malformed(fmt.Sprintf("payees/%d/class", i), "it is longer than 128 bytes", "shorten it")
		}
		if y.Amount < 0 || y.Freight < 0 || y.Tax < 0 || y.Freight > y.Amount || y.Tax > y.Amount {
			return malformed(fmt.Sprintf("payees/%d/amount", i), fmt.Sprintf("%d, of it freight %d and tax %d, cannot be", y.Amount, y.Freight, y.Tax), "parts are zero or more and no larger than the whole")
		}
		var ok bool
		if sum, ok = money.Add(sum, y.Amount); !ok {
			return malformed(fmt.Sprintf("payees/%d/amount", i), "the payees' amounts do not fit 64 bits", "check the input")
		}
	}
	if len(p.Payees) > 0 && sum != p.Amount {
		return malformed("payees", fmt.Sprintf("they get %d, and the amount is %d", sum, p.Amount), "the payees' amounts add up to the amount")
	}
	return nil
}

func malformed(field, message, hint string) error {
	return &moongate.Error{Code: moongate.Malformed, Field: field, Message: message, Hint: hint}
}

func refused(field, message, hint string) error {
	return &moongate.Error{Code: moongate.Refused, Field: field, Message: message, Hint: hint}
}
