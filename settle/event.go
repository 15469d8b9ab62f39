package settle

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
)

// WindowClosed says that a window was netted. Each participant learns its own standing.
type WindowClosed struct {
	Closing   `audience:"hub"`
	Standings []*Standing `audience:"each"`
}

// Closing is what the hub needs of [WindowClosed].
type Closing struct {
	Window       moongate.ID    `cbor:"1,keyasint"`
	Agreement    moongate.ID    `cbor:"2,keyasint"`
	Currency     money.Currency `cbor:"3,keyasint"`
	From         moongate.Time  `cbor:"4,keyasint"`
	Until        moongate.Time  `cbor:"5,keyasint"`
	Due          moongate.Time  `cbor:"6,keyasint"`
	Instructions []Instruction  `cbor:"7,keyasint,omitempty"`
	Carried      []Claim        `cbor:"8,keyasint,omitempty"`  // not paid now
	Moved        []Moved        `cbor:"9,keyasint,omitempty"`  // what that takes out of positions, into the next window
	By           string         `cbor:"10,keyasint,omitempty"` // the operator who closed it early
}

// Moved is what of a participant's position goes into the next window.
type Moved struct {
	Party    string   `cbor:"1,keyasint"`
	Position Position `cbor:"2,keyasint"`
}

// Standing is one participant's part in a closed window. Carried is what it is to receive, or to pay, later.
type Standing struct {
	Party     string         `json:"party" cbor:"1,keyasint"`
	Window    moongate.ID    `json:"window" cbor:"2,keyasint"`
	Agreement moongate.ID    `json:"agreement" cbor:"3,keyasint"`
	Currency  money.Currency `json:"currency" cbor:"4,keyasint"`
	From      moongate.Time  `json:"from" cbor:"5,keyasint"`
	Until     moongate.Time  `json:"until" cbor:"6,keyasint"`
	Due       moongate.Time  `json:"due" cbor:"7,keyasint"`
	Position  Position       `json:"position" cbor:"8,keyasint"`
	Net       int64          `json:"net" cbor:"9,keyasint"`
	Carried   int64          `json:"carried,omitempty" cbor:"10,keyasint,omitempty"`
}

// Reader is the participant.
func (s *Standing) Reader() string { return s.Party }

// Claim is a sum that one participant owes another and that a window takes up: carried from an earlier window, or
// posted by a statement.
type Claim struct {
	From   string `json:"from" cbor:"1,keyasint"`
	To     string `json:"to" cbor:"2,keyasint"`
	Amount int64  `json:"amount" cbor:"3,keyasint"`
	Wallet bool   `json:"wallet,omitempty" cbor:"4,keyasint,omitempty"` // From is a wallet that holds the money
	Holder bool   `json:"holder,omitempty" cbor:"5,keyasint,omitempty"` // To is a wallet that has paid in advance
}

// Claimed says that a sum became due that no crossing made due: a statement's total.
type Claimed struct {
	Claiming `audience:"sides"`
}

// Claiming is what [Claimed] says.
type Claiming struct {
	Claim
	Agreement moongate.ID    `json:"agreement" cbor:"6,keyasint"`
	Version   int            `json:"version" cbor:"7,keyasint"`
	Currency  money.Currency `json:"currency" cbor:"8,keyasint"`
	Of        moongate.ID    `json:"of" cbor:"9,keyasint"` // the statement
}

// Instructed says that an instruction went out. Where a wallet pays, telling it is this event's effect.
type Instructed struct {
	Instruction `audience:"sides"`
}

// Reported says what became of an instruction. Where that is [Sent], telling the wallet once more is its effect.
type Reported struct {
	Ending `audience:"sides"`
}

// Ending is what [Reported] says.
type Ending struct {
	Instruction moongate.ID    `json:"instruction" cbor:"1,keyasint"`
	Window      moongate.ID    `json:"window" cbor:"2,keyasint"`
	From        string         `json:"from" cbor:"3,keyasint"`
	To          string         `json:"to" cbor:"4,keyasint"`
	Currency    money.Currency `json:"currency" cbor:"5,keyasint"`
	Amount      int64          `json:"amount" cbor:"6,keyasint"`
	Progress    Progress       `json:"progress" cbor:"7,keyasint"`
	Ref         string         `json:"ref,omitempty" cbor:"8,keyasint,omitempty"`    // the wallet's or bank's own number
	Reason      string         `json:"reason,omitempty" cbor:"9,keyasint,omitempty"` // of a returned one, and why it is manual
	Part        int64          `json:"part,omitempty" cbor:"10,keyasint,omitempty"`  // see [Instruction]
}

// WindowSettled says that every instruction of a window was paid or returned.
type WindowSettled struct {
	Window    moongate.ID    `cbor:"1,keyasint"`
	Agreement moongate.ID    `cbor:"2,keyasint"`
	Currency  money.Currency `cbor:"3,keyasint"`
}

// WindowAborted says that a closed window was given up. Its positions stand in the window that is open.
type WindowAborted struct {
	Window moongate.ID `cbor:"1,keyasint"`
	Reason string      `cbor:"2,keyasint"`
}

// Postponed says that a window could not close or go on, and when that is tried again. An operator should look.
type Postponed struct {
	Window moongate.ID   `cbor:"1,keyasint"`
	Until  moongate.Time `cbor:"2,keyasint"`
	Reason string        `cbor:"3,keyasint"`
}

func (*WindowClosed) EventKind() string  { return "settle.closed" }
func (*Claimed) EventKind() string       { return "settle.claimed" }
func (*Instructed) EventKind() string    { return "settle.instructed" }
func (*Reported) EventKind() string      { return "settle.reported" }
func (*WindowSettled) EventKind() string { return "settle.settled" }
func (*WindowAborted) EventKind() string { return "settle.aborted" }
func (*Postponed) EventKind() string     { return "settle.postponed" }

var (
	_ journal.Readers = (*Claimed)(nil)
	_ journal.Readers = (*Instructed)(nil)
	_ journal.Readers = (*Reported)(nil)
)

// Readers of "sides" are who pays and who is paid.
func (e *Claimed) Readers(audience string) []string { return sides(audience, e.From, e.To) }

// Readers of "sides" are who pays and who is paid.
func (e *Instructed) Readers(audience string) []string { return sides(audience, e.From, e.To) }

// Readers of "sides" are who pays and who is paid.
func (e *Reported) Readers(audience string) []string { return sides(audience, e.From, e.To) }

func sides(audience, from, to string) []string {
	if audience != "sides" {
		return nil
	}
	return []string{from, to}
}

// Became tells whose instruction it is, whether its wallet is told again, and whether it is over. The room that pays
// listens for it.
func (e *Reported) Became() (instruction moongate.ID, again, over bool) {
	return e.Instruction, e.Progress == Sent, e.Progress == Paid || e.Progress == Returned
}
