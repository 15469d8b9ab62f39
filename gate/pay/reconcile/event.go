package reconcile

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
)

// All events of the room are for the hub alone: they tell how busy a wallet is.

// Began says that a bill is being taken in, and what the importer found. Said again of the same bill, the importer began
// anew: what it had given before counts no longer, but the differences stand.
type Began struct {
	Bill      moongate.ID `cbor:"1,keyasint"`
	Name      Name        `cbor:"2,keyasint"`
	Published string      `cbor:"3,keyasint,omitempty"`
	Bytes     int64       `cbor:"4,keyasint,omitempty"`
	Figures   Figures     `cbor:"5,keyasint"`
	By        string      `cbor:"6,keyasint,omitempty"` // "" for the hub itself
	Earlier   moongate.ID `cbor:"7,keyasint,omitzero"`  // another bill of the same day, which this one takes the place of
}

// Found says that bill and books differ.
type Found struct {
	Difference moongate.ID   `cbor:"1,keyasint"`
	Bill       moongate.ID   `cbor:"2,keyasint"`
	Class      Class         `cbor:"3,keyasint"`
	Line       Line          `cbor:"4,keyasint"`
	No         moongate.ID   `cbor:"5,keyasint,omitzero"`
	Payment    moongate.ID   `cbor:"6,keyasint,omitzero"`
	Ours       int64         `cbor:"7,keyasint,omitempty"`
	Terms      int64         `cbor:"8,keyasint,omitempty"`
	Parts      int           `cbor:"9,keyasint,omitempty"`
	Facts      string        `cbor:"10,keyasint"`
	Standing   Standing      `cbor:"11,keyasint"`
	Next       moongate.Time `cbor:"12,keyasint,omitempty"` // when the room looks at it again by itself
}

// Standing is where a difference stands.
type Standing uint8

// Standings. The last never changes.
const (
	Waiting Standing = 1 // for the bill of the next day
	Open    Standing = 2 // for somebody to settle it
	Settled Standing = 3
)

var standings = [...]string{Waiting: "waiting", Open: "open", Settled: "settled"}

// String is the word.
func (s Standing) String() string {
	if int(s) < len(standings) {
		return standings[s]
	}
	return ""
}

// MarshalText writes the word.
func (s Standing) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the word.
func (s *Standing) UnmarshalText(b []byte) error {
	for i, w := range standings {
		if w != "" && w == string(b) {
			*s = Standing(i)
			return nil
		}
	}
	return malformed("standing", "no difference stands like that", "waiting, open or settled")
}

// Taken says that some of a bill's differences were given: how many of them are new, stood before, or are none any more.
type Taken struct {
	Bill   moongate.ID   `cbor:"1,keyasint"`
	Found  int64         `cbor:"2,keyasint,omitempty"`
	Stood  int64         `cbor:"3,keyasint,omitempty"`
	Healed int64         `cbor:"4,keyasint,omitempty"`
	Gaps   []Gap         `cbor:"5,keyasint,omitempty"`
	Again  []moongate.ID `cbor:"6,keyasint,omitempty"` // those that stood before
}

// Gap is by how much differences make bill and books differ in one currency.
type Gap struct {
	Sum Sum   `cbor:"1,keyasint"`           // Theirs and Ours as the importer gave them
	Now int64 `cbor:"2,keyasint,omitempty"` // ours when the room judged, minor units
}

// Reconciled says that a bill was taken in whole.
type Reconciled struct {
	Bill   moongate.ID `cbor:"1,keyasint"`
	Found  int64       `cbor:"2,keyasint,omitempty"`
	Stood  int64       `cbor:"3,keyasint,omitempty"`
	Healed int64       `cbor:"4,keyasint,omitempty"`
	Sums   []Sum       `cbor:"5,keyasint,omitempty"` // Ours as the room judged
}

// Assigned says who looks after a difference, and what was noted.
type Assigned struct {
	Difference moongate.ID `cbor:"1,keyasint"`
	To         string      `cbor:"2,keyasint,omitempty"`
	Note       string      `cbor:"3,keyasint,omitempty"`
	By         string      `cbor:"4,keyasint"`
}

// Moved says that a difference has changed without being settled: it waits no longer, or its class is another by what the
// hub has learnt.
type Moved struct {
	Difference moongate.ID   `cbor:"1,keyasint"`
	Class      Class         `cbor:"2,keyasint"`
	Ours       int64         `cbor:"3,keyasint,omitempty"`
	Facts      string        `cbor:"4,keyasint,omitempty"`
	Standing   Standing      `cbor:"5,keyasint"`
	Next       moongate.Time `cbor:"6,keyasint,omitempty"`
}

// Ended says that a difference was settled.
type Ended struct {
	Difference moongate.ID `cbor:"1,keyasint"`
	Action     Action      `cbor:"2,keyasint"`
	Note       string      `cbor:"3,keyasint,omitempty"`
	By         string      `cbor:"4,keyasint,omitempty"` // "" for the hub itself
	Bill       moongate.ID `cbor:"5,keyasint,omitzero"`  // in which it was found after all
	Class      Class       `cbor:"6,keyasint,omitempty"` // what it turned out to be, where that is another
}

// Scheduled says that the hub fetches a wallet's bills by itself from a day on, or no longer.
type Scheduled struct {
	Wallet string        `cbor:"1,keyasint"`
	Kind   pay.BillKind  `cbor:"2,keyasint"`
	Day    string        `cbor:"3,keyasint,omitempty"`
	Abroad bool          `cbor:"4,keyasint,omitempty"`
	Next   moongate.Time `cbor:"5,keyasint,omitempty"`
	By     string        `cbor:"6,keyasint,omitempty"`
}

// FetchDue says that a bill is to be fetched. Effect: fetch it.
type FetchDue struct {
	Name  Name `cbor:"1,keyasint"`
	Try   int  `cbor:"2,keyasint"`
	Alone bool `cbor:"3,keyasint,omitempty"` // asked for by somebody, whatever the schedule says
}

// FetchEnded says what came of it, and when it is tried again, or the next day's is due.
type FetchEnded struct {
	Name    Name          `cbor:"1,keyasint"`
	Result  Result        `cbor:"2,keyasint"`
	Bill    moongate.ID   `cbor:"3,keyasint,omitzero"`
	Message string        `cbor:"4,keyasint,omitempty"`
	Day     string        `cbor:"5,keyasint,omitempty"` // the next one of the schedule
	Next    moongate.Time `cbor:"6,keyasint,omitempty"`
}

func (*Began) EventKind() string      { return "reconcile.began" }
func (*Found) EventKind() string      { return "reconcile.found" }
func (*Taken) EventKind() string      { return "reconcile.taken" }
func (*Reconciled) EventKind() string { return "reconcile.reconciled" }
func (*Assigned) EventKind() string   { return "reconcile.assigned" }
func (*Moved) EventKind() string      { return "reconcile.moved" }
func (*Ended) EventKind() string      { return "reconcile.ended" }
func (*Scheduled) EventKind() string  { return "reconcile.scheduled" }
func (*FetchDue) EventKind() string   { return "reconcile.fetch_due" }
func (*FetchEnded) EventKind() string { return "reconcile.fetch_ended" }
