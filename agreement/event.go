package agreement

import (
	"encoding/json"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
)

// What concerns a version is for the parties it names; what a single member does, for it and for those that stand alone
// in their roles.

// Chain ties the events of one agreement together: Before is the position of the one before, 0 for the first. It is for
// the hub alone, because positions count what everybody else did in between.
type Chain struct {
	Before journal.Position `cbor:"1,keyasint"`
}

// Proposed says that a version was put before its parties.
type Proposed struct {
	Draft `audience:"parties"`
	Chain `audience:"hub"`
}

// Draft is what [Proposed] says.
type Draft struct {
	Agreement moongate.ID `cbor:"1,keyasint"`
	Version   int         `cbor:"2,keyasint"`
	Document  []byte      `cbor:"3,keyasint"` // canonical form
	SHA256    [32]byte    `cbor:"4,keyasint"`
	By        string      `cbor:"5,keyasint"`
	Named     []string    `cbor:"6,keyasint"`
}

// Signed says that a party is bound to a version: by its signature as a named party, or by accepting an open role.
type Signed struct {
	Binding `audience:"parties"`
	Chain   `audience:"hub"`
}

// Binding is what [Signed] says.
type Binding struct {
	Agreement moongate.ID     `cbor:"1,keyasint"`
	Version   int             `cbor:"2,keyasint"`
	Role      Role            `cbor:"3,keyasint"`
	Party     string          `cbor:"4,keyasint"`
	Key       string          `cbor:"5,keyasint"`
	Signature party.Signature `cbor:"6,keyasint"`
	Named     []string        `cbor:"7,keyasint"`
}

// Agreed says that a version has the signatures it needs, and from when until when it is in force; Until is 0 where it
// is open-ended. From then on it takes the place of version Replaces, 0 for none.
type Agreed struct {
	Entry `audience:"parties"`
	Chain `audience:"hub"`
}

// Entry is what [Agreed] says.
type Entry struct {
	Agreement moongate.ID   `cbor:"1,keyasint"`
	Version   int           `cbor:"2,keyasint"`
	From      moongate.Time `cbor:"3,keyasint"`
	Until     moongate.Time `cbor:"4,keyasint,omitempty"`
	Replaces  int           `cbor:"5,keyasint,omitempty"`
	Named     []string      `cbor:"6,keyasint"`
}

// Published says in public that anyone may accept these terms: the whole document, for anyone to read and hash.
type Published struct {
	Publication `audience:"public"`
}

// Publication is what [Published] says.
type Publication struct {
	Agreement moongate.ID     `cbor:"1,keyasint" json:"agreement"`
	Version   int             `cbor:"2,keyasint" json:"version"`
	From      moongate.Time   `cbor:"3,keyasint" json:"from"`
	SHA256    string          `cbor:"4,keyasint" json:"sha256"`
	Document  json.RawMessage `cbor:"5,keyasint" json:"document"`
}

// Dropped says that a version will not come into force: withdrawn, or its signatures did not come in time.
type Dropped struct {
	Drop  `audience:"parties"`
	Chain `audience:"hub"`
}

// Drop is what [Dropped] says.
type Drop struct {
	Agreement moongate.ID `cbor:"1,keyasint"`
	Version   int         `cbor:"2,keyasint"`
	Status    Status      `cbor:"3,keyasint"` // Withdrawn or Lapsed
	Named     []string    `cbor:"4,keyasint"`
}

// Left says that a member gave notice, and when its part in the agreement ends.
type Left struct {
	Leave `audience:"parties"`
	Chain `audience:"hub"`
}

// Leave is what [Left] says.
type Leave struct {
	Agreement moongate.ID   `cbor:"1,keyasint"`
	Party     string        `cbor:"2,keyasint"`
	Ends      moongate.Time `cbor:"3,keyasint"`
	Reason    string        `cbor:"4,keyasint"`
	Named     []string      `cbor:"5,keyasint"`
}

// Terminated says that a party gave notice to all, and when the agreement ends.
type Terminated struct {
	Ending `audience:"parties"`
	Chain  `audience:"hub"`
}

// Ending is what [Terminated] says.
type Ending struct {
	Agreement moongate.ID   `cbor:"1,keyasint"`
	Party     string        `cbor:"2,keyasint"`
	Ends      moongate.Time `cbor:"3,keyasint"`
	Reason    string        `cbor:"4,keyasint"`
	Named     []string      `cbor:"5,keyasint"`
}

// Discontinued says in public that an open offer ends.
type Discontinued struct {
	Discontinuation `audience:"public"`
}

// Discontinuation is what [Discontinued] says.
type Discontinuation struct {
	Agreement moongate.ID   `cbor:"1,keyasint" json:"agreement"`
	Version   int           `cbor:"2,keyasint" json:"version"`
	Ends      moongate.Time `cbor:"3,keyasint" json:"ends"`
	Reason    string        `cbor:"4,keyasint" json:"reason"`
}

func (*Proposed) EventKind() string     { return "agreement.proposed" }
func (*Signed) EventKind() string       { return "agreement.signed" }
func (*Agreed) EventKind() string       { return "agreement.agreed" }
func (*Published) EventKind() string    { return "agreement.published" }
func (*Dropped) EventKind() string      { return "agreement.dropped" }
func (*Left) EventKind() string         { return "agreement.left" }
func (*Terminated) EventKind() string   { return "agreement.terminated" }
func (*Discontinued) EventKind() string { return "agreement.discontinued" }

// Readers of "parties" are those that the version names, and who proposed it.
func (e *Proposed) Readers(audience string) []string { return readers(audience, e.Named, e.By) }

// Readers of "parties" are those that stand alone in their roles, and the one that signed.
func (e *Signed) Readers(audience string) []string { return readers(audience, e.Named, e.Party) }

// Readers of "parties" are those that the version names.
func (e *Agreed) Readers(audience string) []string { return readers(audience, e.Named) }

// Readers of "parties" are those that the version names.
func (e *Dropped) Readers(audience string) []string { return readers(audience, e.Named) }

// Readers of "parties" are those that stand alone in their roles, and the one that leaves.
func (e *Left) Readers(audience string) []string { return readers(audience, e.Named, e.Party) }

// Readers of "parties" are those that the version names.
func (e *Terminated) Readers(audience string) []string { return readers(audience, e.Named) }

func readers(audience string, named []string, more ...string) []string {
	if audience != "parties" {
		return nil
	}
	list := slices.Clone(named)
	for _, one := range more {
		if one != "" && !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}
