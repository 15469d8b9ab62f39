package webhook

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Of names an endpoint and its owner, who alone may open an event's group "owner".
type Of struct {
	Owner   string      `cbor:"1,keyasint" json:"owner"`
	Webhook moongate.ID `cbor:"2,keyasint" json:"webhook"`
}

// Readers lists who may open a group of the event.
func (o *Of) Readers(audience string) []string {
	if audience == "owner" {
		return []string{o.Owner}
	}
	return nil
}

// Created says that there is an endpoint. Its cursor starts at this event.
type Created struct {
	Terms `audience:"owner"`
}

// Changed says what an endpoint is from now on.
type Changed struct {
	Terms `audience:"owner"`
}

// Terms is what an endpoint is.
type Terms struct {
	Of
	URL   string   `cbor:"3,keyasint" json:"url"`
	Name  string   `cbor:"4,keyasint,omitempty" json:"name,omitempty"`
	Kinds []string `cbor:"5,keyasint,omitempty" json:"kinds,omitempty"`
}

// Deleted says that an endpoint is no more.
type Deleted struct {
	Of `audience:"owner"`
}

// Rotated says that an endpoint has another secret.
type Rotated struct {
	Rotation `audience:"owner"`
}

// Rotation is what [Rotated] says.
type Rotation struct {
	Of
	Generation int `cbor:"3,keyasint" json:"generation"`
}

// Disabled says that nothing is delivered until the endpoint is enabled again.
type Disabled struct {
	Stop `audience:"owner"`
}

// Stop is what [Disabled] says.
type Stop struct {
	Of
	Reason string `cbor:"3,keyasint" json:"reason"`
	By     string `cbor:"4,keyasint,omitempty" json:"by,omitempty"` // "" for the hub itself
}

// Enabled says that an endpoint goes on where it stood.
type Enabled struct {
	Of `audience:"owner"`
}

// Progressed says how far an endpoint is. It is for the hub alone: positions would tell its owner how much happened at
// everybody else's.
type Progressed struct {
	Webhook    moongate.ID      `cbor:"1,keyasint"`
	Through    journal.Position `cbor:"2,keyasint"`
	First      uint64           `cbor:"3,keyasint,omitempty"` // number of the first delivery, within the endpoint
	Deliveries []Delivery       `cbor:"4,keyasint,omitempty"`
	Failing    bool             `cbor:"5,keyasint,omitempty"`
}

// RedeliveryAsked says that one event is sent once more. Effect: send it.
type RedeliveryAsked struct {
	Of  `audience:"owner"`
	Ask `audience:"hub"`
}

// Ask is what only the hub knows of [RedeliveryAsked].
type Ask struct {
	Event journal.Position `cbor:"1,keyasint"`
}

// Redelivered says what became of it.
type Redelivered struct {
	Webhook  moongate.ID `cbor:"1,keyasint"`
	Number   uint64      `cbor:"2,keyasint"`
	Delivery Delivery    `cbor:"3,keyasint"`
}

func (*Created) EventKind() string         { return "webhook.created" }
func (*Changed) EventKind() string         { return "webhook.changed" }
func (*Deleted) EventKind() string         { return "webhook.deleted" }
func (*Rotated) EventKind() string         { return "webhook.rotated" }
func (*Disabled) EventKind() string        { return "webhook.disabled" }
func (*Enabled) EventKind() string         { return "webhook.enabled" }
func (*Progressed) EventKind() string      { return "webhook.progressed" }
func (*RedeliveryAsked) EventKind() string { return "webhook.redelivery_asked" }
func (*Redelivered) EventKind() string     { return "webhook.redelivered" }
