package agreement

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
)

// Propose puts a version before its parties. The document is in canonical form ([Document.Canonical]). The caller is
// one of its named parties, or an operator for one. A first version starts an agreement; a later one names it, and so
// does a counter-offer.
type Propose struct {
	Agreement moongate.ID `cbor:"1,keyasint" json:"agreement,omitzero"`
	Document  []byte      `cbor:"2,keyasint" json:"-"`
}

// Sign binds a named party to a version. The signature is over [Document.SigningBytes]. When the last one needed is
// there, the version is agreed.
type Sign struct {
	Agreement moongate.ID     `cbor:"1,keyasint" json:"agreement"`
	Version   int             `cbor:"2,keyasint" json:"version"`
	Role      Role            `cbor:"3,keyasint" json:"role"`
	Party     string          `cbor:"4,keyasint" json:"party"`
	Key       string          `cbor:"5,keyasint" json:"key"` // id of the party's key
	Signature party.Signature `cbor:"6,keyasint" json:"signature"`
}

// Accept binds one more party to an open role of a version. It is signed like [Sign].
type Accept struct {
	Agreement moongate.ID     `cbor:"1,keyasint" json:"agreement"`
	Version   int             `cbor:"2,keyasint" json:"version"`
	Role      Role            `cbor:"3,keyasint" json:"role"`
	Party     string          `cbor:"4,keyasint" json:"party"`
	Key       string          `cbor:"5,keyasint" json:"key"`
	Signature party.Signature `cbor:"6,keyasint" json:"signature"`
}

// Withdraw takes a version back that is not agreed yet. Only who proposed it may.
type Withdraw struct {
	Agreement moongate.ID `cbor:"1,keyasint" json:"agreement"`
	Version   int         `cbor:"2,keyasint" json:"version"`
}

// Terminate gives notice. Of a party that stands alone in its role it ends the agreement, of one among several only its
// own part in it, once the notice that the terms grant has passed.
type Terminate struct {
	Agreement moongate.ID `cbor:"1,keyasint" json:"agreement"`
	Party     string      `cbor:"2,keyasint" json:"party"`
	Reason    string      `cbor:"3,keyasint" json:"reason"`
}

// Proposal is the answer to [Propose].
type Proposal struct {
	Agreement moongate.ID `cbor:"1,keyasint" json:"agreement"`
	Version   int         `cbor:"2,keyasint" json:"version"`
	SHA256    string      `cbor:"3,keyasint" json:"sha256"`
}

// Standing is the answer to [Sign], [Accept] and [Withdraw]: where the version stands now.
type Standing struct {
	Status  Status        `cbor:"1,keyasint" json:"status"`
	From    moongate.Time `cbor:"2,keyasint,omitempty" json:"from,omitzero"`
	Until   moongate.Time `cbor:"3,keyasint,omitempty" json:"until,omitzero"`
	Missing int           `cbor:"4,keyasint,omitempty" json:"missing,omitempty"` // signatures still needed
}

// Notice is the answer to [Terminate]: when the agreement, or the party's part in it, ends.
type Notice struct {
	Ends moongate.Time `cbor:"1,keyasint" json:"ends"`
}

func (*Propose) CommandKind() string   { return "agreement.propose" }
func (*Sign) CommandKind() string      { return "agreement.sign" }
func (*Accept) CommandKind() string    { return "agreement.accept" }
func (*Withdraw) CommandKind() string  { return "agreement.withdraw" }
func (*Terminate) CommandKind() string { return "agreement.terminate" }
