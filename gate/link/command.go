package link

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// RegisterDestination makes a place that links can lead to. The caller owns it.
type RegisterDestination struct {
	Name      string    `cbor:"1,keyasint" json:"name"`
	NameZH    string    `cbor:"2,keyasint,omitempty" json:"name_zh,omitempty"`
	Addresses []Address `cbor:"3,keyasint" json:"addresses"` // one for the web, and at most one more per device
}

// ChangeDestination replaces what a destination is called and where it leads. Links to it lead there from now on.
type ChangeDestination struct {
	Destination moongate.ID `cbor:"1,keyasint" json:"destination"`
	Name        string      `cbor:"2,keyasint" json:"name"`
	NameZH      string      `cbor:"3,keyasint,omitempty" json:"name_zh,omitempty"`
	Addresses   []Address   `cbor:"4,keyasint" json:"addresses"`
}

// CloseDestination ends a destination. Links to it do not open any more.
type CloseDestination struct {
	Destination moongate.ID `cbor:"1,keyasint" json:"destination"`
}

// AllowSchemes says which application schemes a participant's addresses may have. Only an operator may: a scheme
// belongs to whose application registered it, which no machine here can check.
type AllowSchemes struct {
	Handle  string   `cbor:"1,keyasint" json:"handle"`
	Schemes []string `cbor:"2,keyasint" json:"schemes"` // all of them; at most 16
}

// PlaceLink makes a link that the caller, who publishes it, leads readers through, under an agreement in which both
// the caller and the destination's owner stand.
type PlaceLink struct {
	Destination moongate.ID `cbor:"1,keyasint" json:"destination"`
	Agreement   moongate.ID `cbor:"2,keyasint" json:"agreement"`
	Campaign    string      `cbor:"3,keyasint,omitempty" json:"campaign,omitempty"` // a label of the publisher's: a-z, 0-9, dots, hyphens, underscores
}

// CloseLink ends a link.
type CloseLink struct {
	Code string `cbor:"1,keyasint" json:"code"`
}

// BlockLinks keeps links shut: the caller's own, placed under the agreement, to one destination or to hosts of a
// pattern. An operator, naming no agreement, shuts everybody's.
type BlockLinks struct {
	Agreement   moongate.ID   `cbor:"1,keyasint,omitempty" json:"agreement,omitzero"`
	Destination moongate.ID   `cbor:"2,keyasint,omitempty" json:"destination,omitzero"` // this, or
	Host        string        `cbor:"3,keyasint,omitempty" json:"host,omitempty"`       // shop.example.org or *.example.org
	Reason      string        `cbor:"4,keyasint" json:"reason"`                         // see agreement.BlockReasons
	Facts       string        `cbor:"5,keyasint" json:"facts"`                          // public: 20 to 2,000 characters
	Evidence    string        `cbor:"6,keyasint,omitempty" json:"evidence,omitempty"`   // SHA-256 of what shows it, in hex
	Automated   bool          `cbor:"7,keyasint,omitempty" json:"automated,omitempty"`  // decided without a person
	Expires     moongate.Time `cbor:"8,keyasint" json:"expires"`
}

// Lift ends a block early. Whoever decided it may, and an operator.
type Lift struct {
	Block moongate.ID `cbor:"1,keyasint" json:"block"`
	Note  string      `cbor:"2,keyasint" json:"note"`
}

// Appeal contests a block. The owner of a destination that it shuts may, once.
type Appeal struct {
	Block       moongate.ID `cbor:"1,keyasint" json:"block"`
	Destination moongate.ID `cbor:"2,keyasint" json:"destination"`
	Statement   string      `cbor:"3,keyasint" json:"statement"` // public: 20 to 2,000 characters
}

// DecideAppeal answers an appeal. An operator or an observer may, but not who decided the block or owns the destination.
type DecideAppeal struct {
	Block   moongate.ID `cbor:"1,keyasint" json:"block"`
	Upheld  bool        `cbor:"2,keyasint" json:"upheld"`  // the block stays until its end
	Grounds string      `cbor:"3,keyasint" json:"grounds"` // public: 20 to 2,000 characters
}

// RecordClicks counts what a recorder saw, in order and without a gap: the first number is the one after the last that
// was counted. So a single number in the state tells which clicks of a recorder are recorded.
type RecordClicks struct {
	Recorder uint64    `cbor:"1,keyasint"`
	First    uint64    `cbor:"2,keyasint"` // number of the first click, from 1
	Clicks   []Line    `cbor:"3,keyasint"`
	Stopped  []Stopped `cbor:"4,keyasint,omitempty"` // openings that met a block
}

// Line is one click of a batch.
type Line struct {
	ID     moongate.ID   `cbor:"1,keyasint" json:"id"`
	Link   string        `cbor:"2,keyasint" json:"link"`
	At     moongate.Time `cbor:"3,keyasint" json:"at"`
	Device Device        `cbor:"4,keyasint" json:"device"`
}

// Stopped counts the openings of one link that met one block.
type Stopped struct {
	Link  string        `cbor:"1,keyasint" json:"link"`
	Block moongate.ID   `cbor:"2,keyasint" json:"block"`
	Count int64         `cbor:"3,keyasint" json:"count"`
	First moongate.Time `cbor:"4,keyasint" json:"first"`
	Last  moongate.Time `cbor:"5,keyasint" json:"last"`
}

// RecordClick records one click that the caller, the link's publisher, sends a reader on with. Once it is answered,
// it is durable.
type RecordClick struct {
	Link   string `cbor:"1,keyasint" json:"link"`
	Device Device `cbor:"2,keyasint" json:"device"`
}

// Convert records a sale that a click led to and that was paid elsewhere. The caller owns the destination. The click
// comes from its token, which the gate has opened. A reference stands for one sale, whatever it is sent with.
type Convert struct {
	Click     Click         `cbor:"1,keyasint" json:"-"`
	Reference string        `cbor:"2,keyasint" json:"reference"` // the owner's order number
	Class     string        `cbor:"3,keyasint,omitempty" json:"class,omitempty"`
	Amount    money.Amount  `cbor:"4,keyasint" json:"amount"`
	At        moongate.Time `cbor:"5,keyasint" json:"at"` // of the sale
}

// DestinationAnswer names a destination.
type DestinationAnswer struct {
	Destination moongate.ID `cbor:"1,keyasint" json:"destination"`
}

// LinkAnswer names a link.
type LinkAnswer struct {
	Code string `cbor:"1,keyasint" json:"code"`
}

// BlockAnswer names a block and says until when it can be appealed.
type BlockAnswer struct {
	Block    moongate.ID   `cbor:"1,keyasint" json:"block"`
	AppealBy moongate.Time `cbor:"2,keyasint" json:"appeal_by"`
}

// AppealAnswer says until when an appeal must be decided.
type AppealAnswer struct {
	DecideBy moongate.Time `cbor:"1,keyasint" json:"decide_by"`
}

// ClickAnswer is a click that is durable; the gate makes its token and its address from it.
type ClickAnswer struct {
	Click Click `cbor:"1,keyasint" json:"click"`
}

// ConversionAnswer names a conversion and its crossing.
type ConversionAnswer struct {
	Conversion moongate.ID `cbor:"1,keyasint" json:"conversion"`
	Crossing   moongate.ID `cbor:"2,keyasint" json:"crossing"`
}

// Done is the answer that has nothing to say.
type Done struct{}

func (*RegisterDestination) CommandKind() string { return "link.register_destination" }
func (*ChangeDestination) CommandKind() string   { return "link.change_destination" }
func (*CloseDestination) CommandKind() string    { return "link.close_destination" }
func (*AllowSchemes) CommandKind() string        { return "link.allow_schemes" }
func (*PlaceLink) CommandKind() string           { return "link.place" }
func (*CloseLink) CommandKind() string           { return "link.close" }
func (*BlockLinks) CommandKind() string          { return "link.block" }
func (*Lift) CommandKind() string                { return "link.lift" }
func (*Appeal) CommandKind() string              { return "link.appeal" }
func (*DecideAppeal) CommandKind() string        { return "link.decide_appeal" }
func (*RecordClicks) CommandKind() string        { return "link.record_clicks" }
func (*RecordClick) CommandKind() string         { return "link.record_click" }
func (*Convert) CommandKind() string             { return "link.convert" }
