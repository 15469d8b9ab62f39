package webhook

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Create makes an endpoint of the caller's.
type Create struct {
	URL   string   `cbor:"1,keyasint" json:"url"`
	Name  string   `cbor:"2,keyasint,omitempty" json:"name,omitempty"`  // for people
	Kinds []string `cbor:"3,keyasint,omitempty" json:"kinds,omitempty"` // of events, like pay.settled or pay.*; none is all
}

// Change replaces what an endpoint is. What was not delivered yet goes to the new address.
type Change struct {
	Webhook moongate.ID `cbor:"1,keyasint" json:"webhook"`
	URL     string      `cbor:"2,keyasint" json:"url"`
	Name    string      `cbor:"3,keyasint,omitempty" json:"name,omitempty"`
	Kinds   []string    `cbor:"4,keyasint,omitempty" json:"kinds,omitempty"`
}

// Delete ends an endpoint.
type Delete struct {
	Webhook moongate.ID `cbor:"1,keyasint" json:"webhook"`
}

// Rotate gives an endpoint another secret. For a day messages carry signatures by both.
type Rotate struct {
	Webhook moongate.ID `cbor:"1,keyasint" json:"webhook"`
}

// Disable stops an endpoint until it is enabled again.
type Disable struct {
	Webhook moongate.ID `cbor:"1,keyasint" json:"webhook"`
	Reason  string      `cbor:"2,keyasint" json:"reason"`
}

// Enable lets an endpoint go on where it stood.
type Enable struct {
	Webhook moongate.ID `cbor:"1,keyasint" json:"webhook"`
}

// Redeliver has one event sent once more, whatever became of it before. The gate has made sure that its owner may see it.
type Redeliver struct {
	Webhook moongate.ID      `cbor:"1,keyasint" json:"webhook"`
	Event   journal.Position `cbor:"2,keyasint" json:"-"`
}

// Progress tells how far an endpoint is. Only the hub itself may.
type Progress struct {
	Webhook    moongate.ID      `cbor:"1,keyasint"`
	Through    journal.Position `cbor:"2,keyasint"`           // everything up to here is done with
	Deliveries []Delivery       `cbor:"3,keyasint,omitempty"` // since the last report, in order
	Failing    bool             `cbor:"4,keyasint,omitempty"` // the newest try failed
	Gone       bool             `cbor:"5,keyasint,omitempty"` // the endpoint answered that it wants no more
}

// Delivery is what became of one message.
type Delivery struct {
	Event  journal.Position `cbor:"1,keyasint"`
	Kind   string           `cbor:"2,keyasint"`
	At     moongate.Time    `cbor:"3,keyasint"`           // of the last try
	Tries  int              `cbor:"4,keyasint"`           //
	Status int              `cbor:"5,keyasint,omitempty"` // of HTTP; 0 where there was no answer
	Error  string           `cbor:"6,keyasint,omitempty"` // empty where it was delivered
}

// Outcome tells what became of a redelivery.
type Outcome struct {
	Webhook  moongate.ID `cbor:"1,keyasint"`
	Delivery Delivery    `cbor:"2,keyasint"`
}

// Answer names an endpoint, and how often its secret was made anew.
type Answer struct {
	Webhook    moongate.ID `cbor:"1,keyasint" json:"webhook"`
	Generation int         `cbor:"2,keyasint" json:"-"`
}

// Done is the answer that has nothing to say.
type Done struct{}

func (*Create) CommandKind() string    { return "webhook.create" }
func (*Change) CommandKind() string    { return "webhook.change" }
func (*Delete) CommandKind() string    { return "webhook.delete" }
func (*Rotate) CommandKind() string    { return "webhook.rotate" }
func (*Disable) CommandKind() string   { return "webhook.disable" }
func (*Enable) CommandKind() string    { return "webhook.enable" }
func (*Redeliver) CommandKind() string { return "webhook.redeliver" }
func (*Progress) CommandKind() string  { return "webhook.progress" }
func (*Outcome) CommandKind() string   { return "webhook.outcome" }
