package reconcile

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
)

// Begin says what a bill is and what it comes to. An operator may, and the hub itself. The importer follows with the
// differences, and ends with [Finish].
type Begin struct {
	Bill      Name   `cbor:"1,keyasint" json:"bill"`
	Published string `cbor:"2,keyasint,omitempty" json:"published,omitempty"` // the hash that the wallet gave, which the file has
	Bytes     int64  `cbor:"3,keyasint,omitempty" json:"bytes,omitempty"`
	Figures   `cbor:"4,keyasint"`
}

// Figures are a bill's rows by heap, and its money by currency. Rows = Matched + Guessed + Aside + Differences − Missing.
type Figures struct {
	Rows        int64            `cbor:"1,keyasint,omitempty" json:"rows"`
	Matched     int64            `cbor:"2,keyasint,omitempty" json:"matched"`     // by number, and they agree
	Guessed     int64            `cbor:"3,keyasint,omitempty" json:"guessed"`     // by amount and time alone
	Aside       int64            `cbor:"4,keyasint,omitempty" json:"aside"`       // no payment and no refund
	Differences int64            `cbor:"5,keyasint,omitempty" json:"differences"` // those that the importer found
	Missing     int64            `cbor:"6,keyasint,omitempty" json:"missing"`     // of these, those without a row
	Sums        []Sum            `cbor:"7,keyasint,omitempty" json:"sums" nullable:"false"`
	Position    journal.Position `cbor:"8,keyasint,omitempty" json:"-"` // what the hub knew when the rows were matched, at the least
}

// Sum is a bill's money in one currency, in minor units and signed.
type Sum struct {
	Currency money.Currency `cbor:"1,keyasint" json:"currency"`
	Theirs   int64          `cbor:"2,keyasint,omitempty" json:"theirs"`   // by the bill's payments and refunds
	Ours     int64          `cbor:"3,keyasint,omitempty" json:"ours"`     // by our books, of the same and of what the bill is missing
	Aside    int64          `cbor:"4,keyasint,omitempty" json:"aside"`    // by the rows set aside
	Fee      int64          `cbor:"5,keyasint,omitempty" json:"fee"`      // that the wallet took, thousandths of a minor unit
	Terms    int64          `cbor:"6,keyasint,omitempty" json:"terms"`    // of it, by our terms, minor units
	Untold   int64          `cbor:"7,keyasint,omitempty" json:"untold"`   // of it, where our terms say nothing of a fee, thousandths
	Rounding int64          `cbor:"8,keyasint,omitempty" json:"rounding"` // by which fees that agree are off, for the terms round each payee's, thousandths
}

// maxItems bounds the differences of one command.
const maxItems = 200

// Differ gives some of a bill's differences. They may come in any order, and be given again.
type Differ struct {
	Bill  moongate.ID `cbor:"1,keyasint"`
	Items []Item      `cbor:"2,keyasint"`
}

// Item is a difference as the importer found it.
type Item struct {
	Class Class       `cbor:"1,keyasint"`
	Line  Line        `cbor:"2,keyasint"`
	No    moongate.ID `cbor:"3,keyasint,omitzero"`  // of ours, where there is one
	Ours  int64       `cbor:"4,keyasint,omitempty"` // by our books, minor units
	Terms int64       `cbor:"5,keyasint,omitempty"` // of a fee: ours, minor units
	Parts int         `cbor:"6,keyasint,omitempty"` // of a fee: rounded one by one
	Facts string      `cbor:"7,keyasint,omitempty"` // of what only the importer sees: the other line of a duplicate
}

// Finish ends a bill. It is refused unless all of its differences came, and its money adds up.
type Finish struct {
	Bill moongate.ID `cbor:"1,keyasint"`
}

// Assign gives a difference to somebody to look after, or to nobody, with a note.
type Assign struct {
	Difference moongate.ID `cbor:"1,keyasint" json:"difference"`
	To         string      `cbor:"2,keyasint,omitempty" json:"to,omitempty"` // a participant
	Note       string      `cbor:"3,keyasint,omitempty" json:"note,omitempty"`
}

// Resolve settles differences, with one reason for all.
type Resolve struct {
	Differences []moongate.ID `cbor:"1,keyasint" json:"differences" minItems:"1" maxItems:"200"`
	Action      Action        `cbor:"2,keyasint" json:"action"`
	Note        string        `cbor:"3,keyasint" json:"note"`
}

// Action is how a difference was settled. No money moves with it: what must move in the books does so by a payment, a
// refund or an exception of its own.
type Action string

// Actions. The last two are the hub's own.
const (
	Explained  Action = "explained"   // both sides are right
	Corrected  Action = "corrected"   // our books were wrong, and are put right
	AtWallet   Action = "at_wallet"   // the wallet was wrong, and puts it right
	WrittenOff Action = "written_off" // nobody will put it right
	Healed     Action = "healed"      // what the hub has learnt since agrees
	OtherDay   Action = "other_day"   // found in a neighbouring day's bill
)

// Schedule has the hub fetch a wallet's bills by itself, day by day, from a day on; with none, no longer. An operator
// may, and the hub itself.
type Schedule struct {
	Wallet string       `cbor:"1,keyasint" json:"wallet"`
	Kind   pay.BillKind `cbor:"2,keyasint" json:"kind"`
	From   string       `cbor:"3,keyasint,omitempty" json:"from,omitempty"` // YYYY-MM-DD; "" for no longer
	Abroad bool         `cbor:"4,keyasint,omitempty" json:"utc,omitempty"`
	Keep   bool         `cbor:"5,keyasint,omitempty" json:"-"` // only where there is none yet
}

// Fetch has the hub fetch one day's bill now.
type Fetch struct {
	Wallet string       `cbor:"1,keyasint" json:"wallet"`
	Kind   pay.BillKind `cbor:"2,keyasint" json:"kind"`
	Day    string       `cbor:"3,keyasint" json:"day"`
}

// Fetched tells what came of fetching a bill.
type Fetched struct {
	Name    Name        `cbor:"1,keyasint"`
	Result  Result      `cbor:"2,keyasint"`
	Bill    moongate.ID `cbor:"3,keyasint,omitzero"`
	Message string      `cbor:"4,keyasint,omitempty"`
}

// Result is what came of fetching a bill.
type Result string

// Results.
const (
	Got    Result = "got"    // it was taken in, or had been before
	Later  Result = "later"  // it is not there yet, or the wallet cannot be reached
	Failed Result = "failed" // it is there, and cannot be used: a person must look
)

// Answer is where a bill stands after a command.
type Answer struct {
	Bill  moongate.ID `cbor:"1,keyasint" json:"bill"`
	Done  bool        `cbor:"2,keyasint,omitempty" json:"done"`
	Known bool        `cbor:"3,keyasint,omitempty" json:"known,omitempty"` // it had been taken in before: nothing changed
	Open  int64       `cbor:"4,keyasint,omitempty" json:"open"`            // of its differences
}

// Done is the answer that has nothing to say.
type Done struct{}

func (*Begin) CommandKind() string    { return "reconcile.begin" }
func (*Differ) CommandKind() string   { return "reconcile.differ" }
func (*Finish) CommandKind() string   { return "reconcile.finish" }
func (*Assign) CommandKind() string   { return "reconcile.assign" }
func (*Resolve) CommandKind() string  { return "reconcile.resolve" }
func (*Schedule) CommandKind() string { return "reconcile.schedule" }
func (*Fetch) CommandKind() string    { return "reconcile.fetch" }
func (*Fetched) CommandKind() string  { return "reconcile.fetched" }
