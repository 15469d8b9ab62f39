package ledger

import (
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Transferred says that value moved, or is held to move.
type Transferred struct {
	Movement `audience:"owners"`
	Places   `audience:"hub"`
	Postings []*Posting `audience:"each"`
}

// Mover is an event that moves value, or holds it to move: a [Transferred], or one that says what the value moves for and
// carries the transfer with it, as a crossing does.
type Mover interface {
	journal.Event
	// Moves gives the transfer, and whether the event has one. It shares the event's memory.
	Moves() (Transferred, bool)
}

// Moves gives the event.
func (e *Transferred) Moves() (Transferred, bool) { return *e, true }

// Movement is what everybody with a posting in a transfer may know of it.
type Movement struct {
	ID       moongate.ID   `json:"id" cbor:"1,keyasint"`
	Crossing moongate.ID   `json:"crossing" cbor:"2,keyasint,omitzero"`
	Pending  bool          `json:"pending,omitempty" cbor:"3,keyasint,omitempty"`
	Expires  moongate.Time `json:"expires,omitempty" cbor:"4,keyasint,omitempty"`
}

// Places says, posting by posting, where its account stands in the books, and the event before on the account's chain.
type Places struct {
	Numbers []uint32           `cbor:"1,keyasint"`
	Before  []journal.Position `cbor:"2,keyasint"`
}

// Posting is a transfer's part on one account: on one side, in minor units, and the balance that resulted.
type Posting struct {
	Account Account `json:"account" cbor:"1,keyasint"`
	Debit   int64   `json:"debit,omitempty" cbor:"2,keyasint,omitempty"`
	Credit  int64   `json:"credit,omitempty" cbor:"3,keyasint,omitempty"`
	Balance Balance `json:"balance" cbor:"4,keyasint"`
}

// Reader is the account's owner.
func (p *Posting) Reader() string { return p.Account.Owner }

// Resolved says what became of a pending transfer. Its postings say, of a posted one, what was posted, and of the
// others what was let go.
type Resolved struct {
	Resolution `audience:"owners"`
	Places     `audience:"hub"`
	Postings   []*Posting `audience:"each"`
}

// Resolution is what everybody with a posting in a transfer may know of its end.
type Resolution struct {
	ID       moongate.ID `json:"id" cbor:"1,keyasint"`
	Crossing moongate.ID `json:"crossing" cbor:"2,keyasint,omitzero"`
	Outcome  Outcome     `json:"outcome" cbor:"3,keyasint"`
}

// Outcome is how a pending transfer ends. Each is final.
type Outcome string

// Outcomes.
const (
	Posted  Outcome = "posted"
	Voided  Outcome = "voided"
	Expired Outcome = "expired"
)

// Opened says that an account was used for the first time. The chain of its events starts here.
type Opened struct {
	Opening `audience:"owner"`
	Place   `audience:"hub"`
}

// Opening is what the account's owner may know of it.
type Opening struct {
	Account Account `json:"account" cbor:"1,keyasint"`
}

// Limited says that an account has new limits.
type Limited struct {
	Limitation `audience:"owner"`
	Place      `audience:"hub"`
}

// Limitation is what the account's owner may know: the limits, and who set them.
type Limitation struct {
	Account Account `json:"account" cbor:"1,keyasint"`
	Limits  Limits  `json:"limits" cbor:"2,keyasint"`
	By      string  `json:"by,omitempty" cbor:"3,keyasint,omitempty"`
}

// Place is where an account stands in the books, and the event before on its chain.
type Place struct {
	Number uint32           `cbor:"1,keyasint"`
	Before journal.Position `cbor:"2,keyasint,omitempty"`
}

// EventKind is "ledger.opened".
func (*Opened) EventKind() string { return "ledger.opened" }

// EventKind is "ledger.transferred".
func (*Transferred) EventKind() string { return "ledger.transferred" }

// EventKind is "ledger.resolved".
func (*Resolved) EventKind() string { return "ledger.resolved" }

// EventKind is "ledger.limited".
func (*Limited) EventKind() string { return "ledger.limited" }

// Readers of "owners" are those whose accounts the transfer touches.
func (e *Transferred) Readers(audience string) []string { return ownersOf(e.Postings, audience) }

// Readers of "owners" are those whose accounts the transfer touches.
func (e *Resolved) Readers(audience string) []string { return ownersOf(e.Postings, audience) }

// Readers of "owner" is the account's owner.
func (e *Opened) Readers(audience string) []string { return ownerOf(e.Account, audience) }

// Readers of "owner" is the account's owner.
func (e *Limited) Readers(audience string) []string { return ownerOf(e.Account, audience) }

func ownerOf(a Account, audience string) []string {
	if audience != "owner" || a.Owner == "" {
		return nil
	}
	return []string{a.Owner}
}

func ownersOf(postings []*Posting, audience string) []string {
	if audience != "owners" {
		return nil
	}
	var owners []string
	for _, p := range postings {
		if o := p.Account.Owner; o != "" && !slices.Contains(owners, o) {
			owners = append(owners, o)
		}
	}
	return owners
}
