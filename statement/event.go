package statement

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
)

// Issued says what a period came to, to both sides, and to the small party alone how.
type Issued struct {
	Sum `audience:"sides"`
	Own `audience:"payer"`
}

// Sum is what both sides of [Issued] may know.
type Sum struct {
	ID        moongate.ID    `json:"id" cbor:"1,keyasint"`
	Agreement moongate.ID    `json:"agreement" cbor:"2,keyasint"`
	Version   int            `json:"version" cbor:"3,keyasint"`
	From      string         `json:"from" cbor:"4,keyasint"` // who owes the total
	To        string         `json:"to" cbor:"5,keyasint"`
	Currency  money.Currency `json:"currency" cbor:"6,keyasint"`
	Since     moongate.Time  `json:"since" cbor:"7,keyasint"` // the period, Until not included
	Until     moongate.Time  `json:"until" cbor:"8,keyasint"`
	Total     int64          `json:"total" cbor:"9,keyasint"`
	Appeal    moongate.Time  `json:"appeal" cbor:"10,keyasint"` // it can be disputed until then
}

// Own is what the small party alone knows: how many crossings there were, and what of them is carried into the next
// period because it is less than nothing. The total of the lines is Total plus Carried.
type Own struct {
	Crossings int   `json:"crossings" cbor:"1,keyasint"`
	Carried   int64 `json:"carried,omitempty" cbor:"2,keyasint,omitempty"`
}

// Postponed says that a total could not be posted, and when that is tried again. An operator should look.
type Postponed struct {
	Agreement moongate.ID    `cbor:"1,keyasint"`
	From      string         `cbor:"2,keyasint"`
	To        string         `cbor:"3,keyasint"`
	Currency  money.Currency `cbor:"4,keyasint"`
	Retry     moongate.Time  `cbor:"5,keyasint"`
	Reason    string         `cbor:"6,keyasint"`
}

// Passed says that a period went by in which nothing was due: the agreement was not in force. Ends says that totals are
// not kept any longer.
type Passed struct {
	Agreement moongate.ID    `cbor:"1,keyasint"`
	From      string         `cbor:"2,keyasint"`
	To        string         `cbor:"3,keyasint"`
	Currency  money.Currency `cbor:"4,keyasint"`
	Ends      bool           `cbor:"5,keyasint,omitempty"`
}

// Answered says that a side has confirmed a statement or disputes it.
type Answered struct {
	Answering `audience:"sides"`
}

// Answering is what [Answered] says.
type Answering struct {
	ID     moongate.ID `json:"id" cbor:"1,keyasint"`
	From   string      `json:"from" cbor:"2,keyasint"`
	To     string      `json:"to" cbor:"3,keyasint"`
	By     string      `json:"by" cbor:"4,keyasint"`
	Status Status      `json:"status" cbor:"5,keyasint"`
	Reason string      `json:"reason,omitempty" cbor:"6,keyasint,omitempty"` // of a dispute
}

func (*Issued) EventKind() string    { return "statement.issued" }
func (*Postponed) EventKind() string { return "statement.postponed" }
func (*Passed) EventKind() string    { return "statement.passed" }
func (*Answered) EventKind() string  { return "statement.answered" }

var _ journal.Readers = (*Issued)(nil)

// Readers of "sides" are both sides; of "payer" the small party alone.
func (e *Issued) Readers(audience string) []string {
	switch audience {
	case "sides":
		return []string{e.From, e.To}
	case "payer":
		return []string{e.From}
	}
	return nil
}

// Readers of "sides" are both sides.
func (e *Answered) Readers(audience string) []string {
	if audience != "sides" {
		return nil
	}
	return []string{e.From, e.To}
}

// Status is where an issued statement stands.
type Status uint8

// Statuses of statements.
const (
	Standing  Status = 1 // issued; neither side has said anything
	Confirmed Status = 2 // the payee has accepted it
	Disputed  Status = 3 // a side does not accept it; the operator hears both
)

var statuses = [...]string{Standing: "issued", Confirmed: "confirmed", Disputed: "disputed"}

// String is the word.
func (s Status) String() string {
	if int(s) < len(statuses) && statuses[s] != "" {
		return statuses[s]
	}
	return fmt.Sprintf("status%d", uint8(s))
}

// MarshalText writes the word.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Status) UnmarshalText(b []byte) error {
	for i, w := range statuses {
		if w != "" && w == string(b) {
			*s = Status(i)
			return nil
		}
	}
	return &moongate.Error{Code: moongate.Malformed, Field: "status", Message: fmt.Sprintf("%.40q is no status of a statement", b), Hint: "issued, confirmed or disputed"}
}
