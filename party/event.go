package party

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// The first group of every event but [NonceUsed] may be opened by the participant whom it is about. The rest is for
// nobody but the hub: hashes of secrets, and positions, which would tell how much everybody else did in between.

// Chain leads to the event before on the participant's chain.
type Chain struct {
	Before journal.Position `cbor:"1,keyasint"`
}

// About names the participant whom an event is about, and who may open the event's group "self".
type About struct {
	Handle string `cbor:"1,keyasint"`
}

// Readers lists who may open a group of the event.
func (a *About) Readers(audience string) []string {
	if audience == "self" {
		return []string{a.Handle}
	}
	return nil
}

// Registered says that a participant takes part from now on, with these keys.
type Registered struct {
	Registration `audience:"self"`
}

// Registration is what [Registered] says.
type Registration struct {
	About
	Kind   Kind        `cbor:"2,keyasint"`
	Name   string      `cbor:"3,keyasint"`
	NameZH string      `cbor:"4,keyasint,omitempty"`
	Keys   []PublicKey `cbor:"5,keyasint,omitempty"`
}

// Renamed says that the names that people read have changed.
type Renamed struct {
	Renaming `audience:"self"`
	Chain    `audience:"hub"`
}

// Renaming is what [Renamed] says.
type Renaming struct {
	About
	Name   string `cbor:"2,keyasint"`
	NameZH string `cbor:"3,keyasint,omitempty"`
}

// KeyAdded says that a key is valid from now on, and until when the one is that it replaces.
type KeyAdded struct {
	KeyAddition `audience:"self"`
	Chain       `audience:"hub"`
}

// KeyAddition is what [KeyAdded] says.
type KeyAddition struct {
	About
	Key           PublicKey     `cbor:"2,keyasint"`
	Replaces      string        `cbor:"3,keyasint,omitempty"`
	ReplacedUntil moongate.Time `cbor:"4,keyasint,omitempty"`
	EndorsedBy    string        `cbor:"5,keyasint,omitempty"`
}

// KeyRevoked says that a key is not valid any more.
type KeyRevoked struct {
	KeyRevocation `audience:"self"`
	Chain         `audience:"hub"`
}

// KeyRevocation is what [KeyRevoked] says.
type KeyRevocation struct {
	About
	Key    string `cbor:"2,keyasint"`
	Reason string `cbor:"3,keyasint"`
}

// CredentialIssued says that a credential is valid from now on.
type CredentialIssued struct {
	CredentialTerms `audience:"self"`
	Verifier        `audience:"hub"`
}

// CredentialTerms is what [CredentialIssued] says to its holder.
type CredentialTerms struct {
	About
	ID      moongate.ID   `cbor:"2,keyasint"`
	Name    string        `cbor:"3,keyasint"`
	Scopes  Scopes        `cbor:"4,keyasint"`
	Expires moongate.Time `cbor:"5,keyasint,omitempty"`
}

// Verifier is what the hub alone keeps of a secret, and the event before on the participant's chain.
type Verifier struct {
	Hash   SecretHash       `cbor:"1,keyasint"`
	Before journal.Position `cbor:"2,keyasint"`
}

// CredentialRevoked says that a credential is not valid any more, nor any session that it opened.
type CredentialRevoked struct {
	CredentialRevocation `audience:"self"`
	Chain                `audience:"hub"`
}

// CredentialRevocation is what [CredentialRevoked] says.
type CredentialRevocation struct {
	About
	ID moongate.ID `cbor:"2,keyasint"`
}

// Suspended says that a participant may not act, and why.
type Suspended struct {
	Suspension `audience:"self"`
	Chain      `audience:"hub"`
}

// Suspension is what [Suspended] says.
type Suspension struct {
	About
	Reason string `cbor:"2,keyasint"`
}

// Resumed says that a participant may act again.
type Resumed struct {
	Resumption `audience:"self"`
	Chain      `audience:"hub"`
}

// Resumption is what [Resumed] says.
type Resumption struct {
	About
}

// SessionOpened says that somebody signed in to the console.
type SessionOpened struct {
	SignIn   `audience:"self"`
	Verifier `audience:"hub"`
}

// SignIn is what [SessionOpened] says to its participant.
type SignIn struct {
	About
	ID         moongate.ID   `cbor:"2,keyasint"`
	Credential moongate.ID   `cbor:"3,keyasint"`
	Expires    moongate.Time `cbor:"4,keyasint"`
}

// SessionClosed says that somebody signed out.
type SessionClosed struct {
	SignOut `audience:"self"`
	Chain   `audience:"hub"`
}

// SignOut is what [SessionClosed] says.
type SignOut struct {
	About
	ID moongate.ID `cbor:"2,keyasint"`
}

// NonceUsed says that a signed request was seen. Mark stands for key and nonce.
type NonceUsed struct {
	Mark   [16]byte      `cbor:"1,keyasint"`
	Holder string        `cbor:"2,keyasint"`
	Until  moongate.Time `cbor:"3,keyasint"` // the state forgets it after this
}

func (*Registered) EventKind() string        { return "party.registered" }
func (*Renamed) EventKind() string           { return "party.renamed" }
func (*KeyAdded) EventKind() string          { return "party.key_added" }
func (*KeyRevoked) EventKind() string        { return "party.key_revoked" }
func (*CredentialIssued) EventKind() string  { return "party.credential_issued" }
func (*CredentialRevoked) EventKind() string { return "party.credential_revoked" }
func (*Suspended) EventKind() string         { return "party.suspended" }
func (*Resumed) EventKind() string           { return "party.resumed" }
func (*SessionOpened) EventKind() string     { return "party.session_opened" }
func (*SessionClosed) EventKind() string     { return "party.session_closed" }
func (*NonceUsed) EventKind() string         { return "party.nonce_used" }
