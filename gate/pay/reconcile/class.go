package reconcile

import (
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// Class is how a bill and the hub differ about one movement of money.
type Class uint8

// Classes, the gravest first: a row that differs in several ways is in the first that fits. A number, once used, is never
// given to another class.
const (
	Duplicate     Class = 1 // the bill lists it more than once
	MissingOurs   Class = 2 // the bill has it, the hub does not know it
	MissingTheirs Class = 3 // the hub knows that it moved, the bill does not have it
	Status        Class = 4 // one says that it moved, the other that it did not
	Amount        Class = 5 // both say that it moved, but not how much
	Fee           Class = 6 // the wallet's fee is not what the terms say
	Timing        Class = 7 // it stands in another day's bill than our books would have it
)

var classes = [...]string{
	Duplicate: "duplicate", MissingOurs: "missing_ours", MissingTheirs: "missing_theirs", Status: "status", Amount: "amount", Fee: "fee", Timing: "timing",
}

// String is the word.
func (c Class) String() string {
	if int(c) < len(classes) && classes[c] != "" {
		return classes[c]
	}
	return fmt.Sprintf("class%d", uint8(c))
}

// MarshalText writes the word.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the word.
func (c *Class) UnmarshalText(b []byte) error {
	for i, w := range classes {
		if w != "" && w == string(b) {
			*c = Class(i)
			return nil
		}
	}
	return malformed("class", fmt.Sprintf("%.40q is no class of differences", b), strings.TrimSpace(strings.Join(classes[:], " ")))
}

// Line is what a bill says of one movement, or, of one that it does not have, what the hub does. Amounts are minor units,
// negative where money goes back to a shopper.
type Line struct {
	Refund   bool           `cbor:"1,keyasint,omitempty" json:"refund,omitempty"`
	Number   string         `cbor:"2,keyasint,omitempty" json:"number,omitempty"` // that the bill gives as ours
	Ref      string         `cbor:"3,keyasint,omitempty" json:"ref,omitempty"`    // the wallet's own
	Row      int            `cbor:"4,keyasint,omitempty" json:"line,omitempty"`   // in the bill; 0 where it does not have it
	At       moongate.Time  `cbor:"5,keyasint" json:"at"`
	Currency money.Currency `cbor:"6,keyasint" json:"currency"`
	Ordered  int64          `cbor:"7,keyasint,omitempty" json:"ordered,omitempty"` // what was asked for, where the bill tells it from what was settled
	Settled  int64          `cbor:"8,keyasint,omitempty" json:"settled"`           // what moved the merchant's account
	Fee      int64          `cbor:"9,keyasint,omitempty" json:"fee,omitempty"`     // that the wallet took, thousandths of a minor unit
	State    string         `cbor:"10,keyasint,omitempty" json:"state,omitempty"`  // the wallet's word
}

// dead tells whether the bill says that nothing moved after all.
func (l *Line) dead() bool { return dead(l.State) }

func dead(state string) bool {
	switch state {
	case "FAIL", "FAILED", "CLOSED", "CHANGE", "REFUNDCLOSE":
		return true
	}
	return false
}

// verdict is what a line comes to.
type verdict struct {
	class Class // 0: they agree
	ours  int64 // that moved by our books, minor units
	facts string
}

// judge holds a line against what the hub knows of the same movement. It looks at money first, and at the fee and the day
// only where the money agrees. Our fee, where it is known, is given in minor units with how far rounding may take it.
func judge(name *period, l *Line, m *pay.Movement, known bool, fee *ourFee) verdict {
	what := "payment"
	if l.Refund {
		what = "refund"
	}
	switch {
	case !known:
		return verdict{MissingOurs, 0, fmt.Sprintf("%s lists a %s of %s under %q, and no %s of ours has that number", name.Wallet, what, amount(l.Settled, l.Currency), l.number(), what)}
	case m.Wallet != name.Wallet:
		return verdict{MissingOurs, 0, fmt.Sprintf("%s lists a %s of %s under %q, which is ours at %s", name.Wallet, what, amount(l.Settled, l.Currency), l.number(), m.Wallet)}
	case m.Refund != l.Refund:
		return verdict{MissingOurs, 0, fmt.Sprintf("%s lists a %s of %s under %q, which is no %s of ours", name.Wallet, what, amount(l.Settled, l.Currency), l.number(), what)}
	}
	ours := int64(0)
	if m.Moved {
		ours = m.Settled
	}
	switch {
	case l.dead() && m.Moved:
		return verdict{Status, ours, fmt.Sprintf("the bill says %s, and by our books the %s is %s", l.State, what, m.Status)}
	case l.dead():
		return verdict{} // nothing moved, as both say
	case !m.Moved:
		return verdict{Status, 0, fmt.Sprintf("the bill has %s, and by our books the %s is %s", amount(l.Settled, l.Currency), what, m.Status)}
	case l.Currency != m.Amount.Currency:
		return verdict{Amount, ours, fmt.Sprintf("the bill has %s, our books %s", amount(l.Settled, l.Currency), amount(m.Settled, m.Amount.Currency))}
	case l.Settled != m.Settled:
		return verdict{Amount, ours, fmt.Sprintf("the bill settles %s, our books %s", amount(l.Settled, l.Currency), amount(m.Settled, l.Currency))}
	case name.Kind == pay.TradeBill && l.Ordered != m.Amount.Minor:
		return verdict{Amount, ours, fmt.Sprintf("the bill has an order of %s, our books one of %s, though both settle %s", amount(l.Ordered, l.Currency), m.Amount, amount(l.Settled, l.Currency))}
	case fee != nil && !fee.fits(l.Fee):
		return verdict{Fee, ours, fmt.Sprintf("the wallet took a fee of %s%s, the terms say %s", milli(l.Fee, l.Currency), partOf(m), amount(fee.minor, l.Currency))}
	}
	if !name.has(m.At) {
		return verdict{Timing, ours, fmt.Sprintf("it stands in the bill of %s, and in our books on %s", name.Day, dayOf(m.At, name.zone()))}
	}
	return verdict{ours: ours}
}

// partOf says of whose part of an order something is.
func partOf(m *pay.Movement) string {
	if m.Seller == "" {
		return ""
	}
	return " of " + m.Seller + "'s part"
}

// ourFee is what the terms say that a wallet takes.
type ourFee struct {
	minor int64
	parts int // rounded one by one
}

// fits tells whether a fee in thousandths is ours, but for rounding: half a minor unit for each part.
func (f *ourFee) fits(thousandths int64) bool {
	gap := thousandths - 1000*f.minor
	return max(gap, -gap) <= 500*int64(f.parts)
}

func (l *Line) number() string {
	if l.Number != "" {
		return l.Number
	}
	return l.Ref
}

func amount(minor int64, c money.Currency) string { return money.Of(minor, c).String() }

// milli writes thousandths of a minor unit.
func milli(n int64, c money.Currency) string {
	if n%1000 == 0 {
		return amount(n/1000, c)
	}
	return fmt.Sprintf("%s and %d/1000", amount(n/1000, c), max(n%1000, -(n%1000)))
}

func malformed(field, message, hint string) error {
	return &moongate.Error{Code: moongate.Malformed, Field: field, Message: message, Hint: hint}
}
