package crossing

import (
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/share"
)

// Recorded says that something passed a wall. Where value moved with it, it carries the ledger's transfer: each side has
// its own postings.
type Recorded struct {
	Shared `audience:"parties"`
	Book   `audience:"hub"`
	Sides  []*Side `audience:"each"`
}

// Shared is what the gardens on both sides may know: From and To, but not one that the terms give totals only.
type Shared struct {
	ID        moongate.ID    `json:"id" cbor:"1,keyasint"`
	At        moongate.Time  `json:"at" cbor:"2,keyasint"`
	Kind      Kind           `json:"kind" cbor:"3,keyasint"`
	Agreement moongate.ID    `json:"agreement,omitzero" cbor:"4,keyasint,omitzero"` // none for an exception
	Version   int            `json:"version,omitempty" cbor:"5,keyasint,omitempty"`
	From      string         `json:"from" cbor:"6,keyasint"`
	To        string         `json:"to" cbor:"7,keyasint"`
	Class     string         `json:"class,omitempty" cbor:"8,keyasint,omitempty"`
	Currency  money.Currency `json:"currency,omitzero" cbor:"9,keyasint,omitzero"`
	Amount    int64          `json:"amount,omitempty" cbor:"10,keyasint,omitempty"`
	Reverses  moongate.ID    `json:"reverses,omitzero" cbor:"11,keyasint,omitzero"`
	Releases  moongate.ID    `json:"releases,omitzero" cbor:"12,keyasint,omitzero"`
	Pending   bool           `json:"pending,omitempty" cbor:"13,keyasint,omitempty"`
}

// Side is one party's own view of a crossing, enough to understand it alone.
type Side struct {
	Party     string         `json:"party" cbor:"1,keyasint"`
	Crossing  moongate.ID    `json:"crossing" cbor:"2,keyasint"`
	At        moongate.Time  `json:"at" cbor:"3,keyasint"`
	Kind      Kind           `json:"kind" cbor:"4,keyasint"`
	Agreement moongate.ID    `json:"agreement,omitzero" cbor:"5,keyasint,omitzero"`
	Version   int            `json:"version,omitempty" cbor:"6,keyasint,omitempty"`
	Currency  money.Currency `json:"currency,omitzero" cbor:"7,keyasint,omitzero"`
	Lines     []Line         `json:"lines" cbor:"8,keyasint"`
	Reverses  moongate.ID    `json:"reverses,omitzero" cbor:"9,keyasint,omitzero"`
	Pending   bool           `json:"pending,omitempty" cbor:"10,keyasint,omitempty"`
	// Transfer moved the value, or holds it; Postings are what it did to the party's accounts.
	Transfer moongate.ID      `json:"transfer,omitzero" cbor:"11,keyasint,omitzero"`
	Postings []ledger.Posting `json:"postings,omitempty" cbor:"12,keyasint,omitempty"`
}

// Reader is the party.
func (s *Side) Reader() string { return s.Party }

// Line is one amount in a party's side: what it gets, or, negative, gives.
type Line struct {
	What   What   `json:"what" cbor:"1,keyasint"`
	Amount int64  `json:"amount" cbor:"2,keyasint"`
	Fee    string `json:"fee,omitempty" cbor:"3,keyasint,omitempty"`     // the line of the schedule
	Other  string `json:"other,omitempty" cbor:"4,keyasint,omitempty"`   // who gives or gets it
	Class  string `json:"class,omitempty" cbor:"5,keyasint,omitempty"`   // of product
	Accrue bool   `json:"accrues,omitempty" cbor:"6,keyasint,omitempty"` // owed when the period closes, as a total
}

// What says what a line is for.
type What uint8

// What lines are for. A number, once used, is never given to another meaning.
const (
	Goods     What = 1 // of a sale, freight left out
	Freight   What = 2
	FeeLine   What = 3
	ShareOut  What = 4 // a part of a pool
	Held      What = 5 // money that came to a wallet, or left it
	Suspense  What = 6 // money that waits for its exception to be resolved
	TakenBack What = 7 // what a party gave back to a wallet that had paid it
)

var whats = [...]string{Goods: "goods", Freight: "freight", FeeLine: "fee", ShareOut: "share", Held: "held", Suspense: "suspense", TakenBack: "taken_back"}

// String is the name, such as "freight".
func (w What) String() string {
	if int(w) < len(whats) && whats[w] != "" {
		return whats[w]
	}
	return fmt.Sprintf("what%d", uint8(w))
}

// MarshalText writes the name.
func (w What) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads the name.
func (w *What) UnmarshalText(b []byte) error {
	if i := slices.Index(whats[1:], string(b)); i >= 0 {
		*w = What(i + 1)
		return nil
	}
	return malformed("what", "no line is for that", "see the list")
}

// Book is what the hub needs: to refund, to count volumes, to walk an agreement's crossings.
type Book struct {
	Before   journal.Position `cbor:"1,keyasint,omitempty"` // of the same agreement
	Transfer moongate.ID      `cbor:"2,keyasint,omitzero"`
	Wallet   string           `cbor:"3,keyasint,omitempty"`
	Payees   []Sold           `cbor:"4,keyasint,omitempty"` // of a refund: what is taken back of each
	Cast     []Part           `cbor:"5,keyasint,omitempty"`
	Touches  []share.Touch    `cbor:"6,keyasint,omitempty"` // those that counted
	Hidden   []string         `cbor:"7,keyasint,omitempty"` // who may know nothing of it
	Volumes  []Volume         `cbor:"8,keyasint,omitempty"` // what it adds, where tiers go by volume
	Subject  string           `cbor:"9,keyasint,omitempty"`
	Expires  moongate.Time    `cbor:"10,keyasint,omitempty"` // of a pending one; 0 is never
	// Places are of the accounts of all postings, side by side and in the sides' order. What is kept of a crossing
	// leaves them out.
	Places ledger.Places `cbor:"11,keyasint,omitzero"`
}

// Sold is one payee's part. Of a refund, Fees and Shares are what is given back of each, in the order of the terms.
type Sold struct {
	Payee
	Volume int64        `cbor:"6,keyasint,omitempty"` // before the sale, where tiers go by volume
	Free   bool         `cbor:"7,keyasint,omitempty"` // not the beneficiary: it pays no fees
	Fees   []int64      `cbor:"8,keyasint,omitempty"`
	Shares []share.Part `cbor:"9,keyasint,omitempty"`
}

// Part is who stood in a role.
type Part struct {
	Role  agreement.Role `cbor:"1,keyasint"`
	Party string         `cbor:"2,keyasint"`
}

// Volume is a beneficiary's gross in a period.
type Volume struct {
	Party string        `cbor:"1,keyasint"`
	Since moongate.Time `cbor:"2,keyasint"`
	Gross int64         `cbor:"3,keyasint"`
}

// Refused says that something may not pass, and why. It has an identifier so that it can be pointed at.
type Refused struct {
	Refusal `audience:"parties"`
	Hiding  `audience:"hub"`
}

// Refusal is what the gardens on both sides may know of it.
type Refusal struct {
	ID        moongate.ID    `json:"id" cbor:"1,keyasint"`
	At        moongate.Time  `json:"at" cbor:"2,keyasint"`
	Kind      Kind           `json:"kind" cbor:"3,keyasint"`
	Agreement moongate.ID    `json:"agreement,omitzero" cbor:"4,keyasint,omitzero"`
	From      string         `json:"from" cbor:"5,keyasint"`
	To        string         `json:"to" cbor:"6,keyasint"`
	Class     string         `json:"class,omitempty" cbor:"7,keyasint,omitempty"`
	Currency  money.Currency `json:"currency,omitzero" cbor:"8,keyasint,omitzero"`
	Amount    int64          `json:"amount,omitempty" cbor:"9,keyasint,omitempty"`
	Reverses  moongate.ID    `json:"reverses,omitzero" cbor:"10,keyasint,omitzero"`
	Reason    moongate.Error `json:"reason" cbor:"11,keyasint"`
}

// Hiding is what only the hub knows of a refusal.
type Hiding struct {
	Hidden []string `cbor:"1,keyasint,omitempty"`
}

// Own is what a party gets by the crossing, or, negative, gives: the sum of its lines, without money that a wallet holds
// for others or that waits in suspense.
func (e *Recorded) Own(party string) int64 {
	sum := int64(0)
	for _, side := range e.Sides {
		if side.Party != party {
			continue
		}
		for _, l := range side.Lines {
			if l.What != Held && l.What != Suspense {
				sum += l.Amount
			}
		}
	}
	return sum
}

// Moves gives the transfer that moved the crossing's value, if any did.
func (e *Recorded) Moves() (t ledger.Transferred, ok bool) {
	if len(e.Places.Numbers) == 0 {
		return t, false
	}
	t.Movement = ledger.Movement{ID: e.Transfer, Crossing: e.ID, Pending: e.Pending, Expires: e.Expires}
	t.Places = e.Places
	t.Postings = make([]*ledger.Posting, 0, len(e.Places.Numbers))
	for _, side := range e.Sides {
		for i := range side.Postings {
			t.Postings = append(t.Postings, &side.Postings[i])
		}
	}
	return t, true
}

// EventKind is "crossing.recorded".
func (*Recorded) EventKind() string { return "crossing.recorded" }

// EventKind is "crossing.refused".
func (*Refused) EventKind() string { return "crossing.refused" }

// Readers of "parties" are From and To, without those the terms hide it from.
func (e *Recorded) Readers(audience string) []string {
	return readers(audience, e.From, e.To, e.Hidden)
}

// Readers of "parties" are From and To, without those the terms hide it from.
func (e *Refused) Readers(audience string) []string {
	return readers(audience, e.From, e.To, e.Hidden)
}

func readers(audience, from, to string, hidden []string) []string {
	if audience != "parties" {
		return nil
	}
	list := make([]string, 0, 2)
	for _, p := range [2]string{from, to} {
		if p != "" && !slices.Contains(hidden, p) && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}
