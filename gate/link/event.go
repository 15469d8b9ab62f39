package link

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
)

// Owned names the one participant who may open an event's group "owner".
type Owned struct {
	Owner string `cbor:"1,keyasint" json:"owner"`
}

// Readers lists who may open a group of the event.
func (o *Owned) Readers(audience string) []string {
	if audience == "owner" {
		return []string{o.Owner}
	}
	return nil
}

// DestinationRegistered says that links may lead to a place.
type DestinationRegistered struct {
	Registration `audience:"owner"`
}

// DestinationChanged says what the place is from now on.
type DestinationChanged struct {
	Registration `audience:"owner"`
	Chain        `audience:"hub"`
}

// Registration is what a destination is.
type Registration struct {
	Owned
	Destination moongate.ID `cbor:"2,keyasint" json:"destination"`
	Name        string      `cbor:"3,keyasint" json:"name"`
	NameZH      string      `cbor:"4,keyasint,omitempty" json:"name_zh,omitempty"`
	Addresses   []Address   `cbor:"5,keyasint" json:"addresses"`
	Host        string      `cbor:"6,keyasint" json:"host"` // of the web address
}

// DestinationClosed says that no link leads to the place any more.
type DestinationClosed struct {
	Closing `audience:"owner"`
	Chain   `audience:"hub"`
}

// Closing is what [DestinationClosed] says.
type Closing struct {
	Owned
	Destination moongate.ID `cbor:"2,keyasint" json:"destination"`
}

// SchemesAllowed says which application schemes are a participant's.
type SchemesAllowed struct {
	Schemes `audience:"owner"`
}

// Schemes is what [SchemesAllowed] says.
type Schemes struct {
	Owned
	Schemes []string `cbor:"2,keyasint" json:"schemes"`
}

// Chain leads to the event before on the chain of a destination or a block. Positions are for the hub alone: they would
// tell how much everybody else did in between.
type Chain struct {
	Before journal.Position `cbor:"1,keyasint"`
}

// Between names the two participants who may open an event's group "parties".
type Between struct {
	Publisher string `cbor:"1,keyasint" json:"publisher"`
	Owner     string `cbor:"2,keyasint" json:"owner"`
}

// Readers lists who may open a group of the event.
func (b *Between) Readers(audience string) []string {
	switch audience {
	case "parties":
		return []string{b.Publisher, b.Owner}
	case "owner":
		return []string{b.Owner}
	}
	return nil
}

// Placed says that a publisher leads readers to a destination.
type Placed struct {
	Placement `audience:"parties"`
}

// Placement is what [Placed] says.
type Placement struct {
	Between
	Link        string      `cbor:"3,keyasint" json:"link"`
	Destination moongate.ID `cbor:"4,keyasint" json:"destination"`
	Agreement   moongate.ID `cbor:"5,keyasint" json:"agreement"`
	Campaign    string      `cbor:"6,keyasint,omitempty" json:"campaign,omitempty"`
}

// Closed says that a link does not open any more.
type Closed struct {
	Ending `audience:"parties"`
}

// Ending is what [Closed] says.
type Ending struct {
	Between
	Link string `cbor:"3,keyasint" json:"link"`
}

// Blocked says that links are kept shut. It is a public act.
type Blocked struct {
	Decision `audience:"public"`
}

// Decision is what [Blocked] says: a statement of reasons, with what the Digital Services Act's lacks (whom it is
// against, when it ends, where the evidence is).
type Decision struct {
	Block       moongate.ID   `cbor:"1,keyasint" json:"block"`
	By          string        `cbor:"2,keyasint" json:"by"`
	Everywhere  bool          `cbor:"3,keyasint,omitempty" json:"everywhere,omitempty"` // an operator's: it shuts everybody's links
	Agreement   moongate.ID   `cbor:"4,keyasint,omitempty" json:"agreement,omitzero"`
	Destination moongate.ID   `cbor:"5,keyasint,omitempty" json:"destination,omitzero"`
	Host        string        `cbor:"6,keyasint" json:"host"` // or pattern
	Against     string        `cbor:"7,keyasint,omitempty" json:"against,omitempty"`
	Reason      string        `cbor:"8,keyasint" json:"reason"`
	Facts       string        `cbor:"9,keyasint" json:"facts"`
	Evidence    string        `cbor:"10,keyasint,omitempty" json:"evidence,omitempty"`
	Automated   bool          `cbor:"11,keyasint,omitempty" json:"automated,omitempty"`
	Since       moongate.Time `cbor:"12,keyasint" json:"since"`
	Expires     moongate.Time `cbor:"13,keyasint" json:"expires"`
	AppealBy    moongate.Time `cbor:"14,keyasint" json:"appeal_by"`
	Decide      moongate.Time `cbor:"15,keyasint" json:"decide"` // microseconds within which an appeal must be decided
}

// Appealed says that a block is contested. It is a public act.
type Appealed struct {
	Contest `audience:"public"`
	Chain   `audience:"hub"`
}

// Contest is what [Appealed] says.
type Contest struct {
	Block     moongate.ID   `cbor:"1,keyasint" json:"block"`
	By        string        `cbor:"2,keyasint" json:"by"`
	Statement string        `cbor:"3,keyasint" json:"statement"`
	DecideBy  moongate.Time `cbor:"4,keyasint" json:"decide_by"`
}

// AppealDecided says what became of an appeal. It is a public act. Where the block was not upheld, an [Unblocked]
// follows.
type AppealDecided struct {
	Ruling `audience:"public"`
	Chain  `audience:"hub"`
}

// Ruling is what [AppealDecided] says.
type Ruling struct {
	Block   moongate.ID `cbor:"1,keyasint" json:"block"`
	By      string      `cbor:"2,keyasint" json:"by"`
	Upheld  bool        `cbor:"3,keyasint" json:"upheld"`
	Grounds string      `cbor:"4,keyasint" json:"grounds"`
}

// Unblocked says that a block ended, and how. It is a public act.
type Unblocked struct {
	Release `audience:"public"`
	Chain   `audience:"hub"`
}

// Release is what [Unblocked] says.
type Release struct {
	Block moongate.ID `cbor:"1,keyasint" json:"block"`
	How   End         `cbor:"2,keyasint" json:"how"`
	By    string      `cbor:"3,keyasint,omitempty" json:"by,omitempty"`
	Note  string      `cbor:"4,keyasint,omitempty" json:"note,omitempty"`
}

// End is how a block ends.
type End string

// Ends of a block.
const (
	Expired    End = "expired"    // its time was over
	Lifted     End = "lifted"     // whoever decided it took it back
	Overturned End = "overturned" // on appeal
	Undecided  End = "undecided"  // nobody decided the appeal in time
)

// Clicked says that readers opened links: a batch of clicks from one publisher to one owner under one agreement, which
// is one crossing.
type Clicked struct {
	Batch `audience:"parties"`
}

// Batch is what [Clicked] says.
type Batch struct {
	Between
	Agreement moongate.ID `cbor:"3,keyasint" json:"agreement"`
	Crossing  moongate.ID `cbor:"4,keyasint" json:"crossing"`
	Clicks    []Line      `cbor:"5,keyasint" json:"clicks"`
}

// TurnedDown says that clicks were no crossing, and why: the agreement had ended meanwhile, say.
type TurnedDown struct {
	Loss `audience:"parties"`
}

// Loss is what [TurnedDown] says.
type Loss struct {
	Between
	Agreement moongate.ID    `cbor:"3,keyasint" json:"agreement"`
	Crossing  moongate.ID    `cbor:"4,keyasint" json:"crossing"` // of the refusal
	Clicks    int64          `cbor:"5,keyasint" json:"clicks"`
	Reason    moongate.Error `cbor:"6,keyasint" json:"reason"`
}

// Counted says up to which number a recorder's clicks are recorded.
type Counted struct {
	Recorder uint64 `cbor:"1,keyasint"`
	Through  uint64 `cbor:"2,keyasint"`
}

// Met says that openings of a link met a block: evidence for whoever the block is against.
type Met struct {
	Encounter `audience:"parties"`
}

// Encounter is what [Met] says.
type Encounter struct {
	Between
	Stopped Stopped `cbor:"3,keyasint" json:"stopped"`
	Reason  string  `cbor:"4,keyasint" json:"reason"`
}

// Recovered says that a click which was lost when a process stopped is recorded after all, because its conversion
// came. The publisher may not open it where it must not see single sales.
type Recovered struct {
	LostClick `audience:"finder"`
}

// LostClick is what [Recovered] says.
type LostClick struct {
	Between
	Private  bool        `cbor:"3,keyasint,omitempty" json:"private,omitempty"`
	Click    Click       `cbor:"4,keyasint" json:"click"`
	Crossing moongate.ID `cbor:"5,keyasint" json:"crossing"`
}

// Readers lists who may open the event's group.
func (l *LostClick) Readers(audience string) []string {
	switch {
	case audience != "finder":
		return nil
	case l.Private:
		return []string{l.Owner}
	}
	return []string{l.Publisher, l.Owner}
}

// Converted says that a click led to a sale. What it means for the publisher stands in the crossing.
type Converted struct {
	Sale `audience:"owner"`
}

// Sale is what [Converted] says.
type Sale struct {
	Between
	Conversion moongate.ID   `cbor:"3,keyasint" json:"conversion"`
	Crossing   moongate.ID   `cbor:"4,keyasint" json:"crossing"`
	Click      moongate.ID   `cbor:"5,keyasint" json:"click"`
	Clicked    moongate.Time `cbor:"6,keyasint" json:"clicked"`
	Link       string        `cbor:"7,keyasint" json:"link"`
	Reference  string        `cbor:"8,keyasint" json:"reference"`
	Class      string        `cbor:"9,keyasint,omitempty" json:"class,omitempty"`
	Amount     money.Amount  `cbor:"10,keyasint" json:"amount"`
	At         moongate.Time `cbor:"11,keyasint" json:"at"`
	Forget     moongate.Time `cbor:"12,keyasint" json:"-"` // when the reference may be used again
}

func (*DestinationRegistered) EventKind() string { return "link.destination_registered" }
func (*DestinationChanged) EventKind() string    { return "link.destination_changed" }
func (*DestinationClosed) EventKind() string     { return "link.destination_closed" }
func (*SchemesAllowed) EventKind() string        { return "link.schemes_allowed" }
func (*Placed) EventKind() string                { return "link.placed" }
func (*Closed) EventKind() string                { return "link.closed" }
func (*Blocked) EventKind() string               { return "link.blocked" }
func (*Appealed) EventKind() string              { return "link.appealed" }
func (*AppealDecided) EventKind() string         { return "link.appeal_decided" }
func (*Unblocked) EventKind() string             { return "link.unblocked" }
func (*Clicked) EventKind() string               { return "link.clicked" }
func (*TurnedDown) EventKind() string            { return "link.turned_down" }
func (*Counted) EventKind() string               { return "link.counted" }
func (*Met) EventKind() string                   { return "link.met_block" }
func (*Recovered) EventKind() string             { return "link.recovered" }
func (*Converted) EventKind() string             { return "link.converted" }
