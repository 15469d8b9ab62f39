package console

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Home is the first page: what crosses between the gardens.
type Home struct {
	Range    string // "24h", "7d", "30d": what Flows and Totals cover
	Position uint64 // of the journal up to which the page is true
	Flows    []Flow
	Totals   Totals
	Balances []AccountLine  // the reader's own, or those of the hub for an operator
	Latest   []CrossingLine // newest first
}

func (Home) template() string { return "home" }

// Flow is what went from one garden into another.
type Flow struct {
	From, To Party
	Count    int64
	Amounts  []money.Amount // one for each currency
}

// Totals are the figures above the latest crossings.
type Totals struct {
	Crossings int64
	Refused   int64
	Unknown   int64 // payments whose outcome is being asked for
	Value     []money.Amount
}

// CrossingLine is one passage through the wall, as a row.
type CrossingLine struct {
	ID        string
	At        moongate.Time
	Kind      string // link, payment, refund, conversion, exception
	From, To  Party
	Amount    money.Amount // no currency: nothing of value moved
	State     string       // done, pending, refused, voided, expired
	Agreement string
}

// Crossings is the list.
type Crossings struct {
	Filter CrossingFilter
	Lines  []CrossingLine
	Paging Paging
}

func (Crossings) template() string { return "crossings" }

// CrossingFilter says which crossings a list shows; Parties are those the reader may choose from.
type CrossingFilter struct {
	Kind, State, From, To string
	Parties               []Option
}

// Crossing is one crossing as a story.
type Crossing struct {
	Line      CrossingLine
	Version   int    // of the agreement in force
	Payment   string // ID, empty for other kinds
	Steps     []Step
	Split     Split // no parts: nothing was shared, or the reader may not see it
	Window    string
	HasProof  bool // a receipt can be had
	Position  uint64
	Refunds   []CrossingLine
	Further   Paging // of the refunds
	RefundOf  string
	Reference string // the buyer's or the platform's own number, such as an order id
}

func (Crossing) template() string { return "crossing" }
