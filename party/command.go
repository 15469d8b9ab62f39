package party

import "github.com/moongate-hub/moongate"

// Register lets somebody take part. Only an operator may, or the hub itself, which so makes its first operator.
type Register struct {
	Handle string   `cbor:"1,keyasint" json:"handle"`
	Kind   Kind     `cbor:"2,keyasint" json:"kind"`
	Name   string   `cbor:"3,keyasint" json:"name"`
	NameZH string   `cbor:"4,keyasint,omitempty" json:"name_zh,omitempty"`
	Keys   []NewKey `cbor:"5,keyasint,omitempty" json:"keys,omitempty"` // at most eight
}

// Rename changes the names that people read; the handle stays.
type Rename struct {
	Handle string `cbor:"1,keyasint" json:"handle"`
	Name   string `cbor:"2,keyasint" json:"name"`
	NameZH string `cbor:"3,keyasint,omitempty" json:"name_zh,omitempty"`
}

// AddKey registers one more key, which may replace another. A participant that has had a key before shows, with a
// signature by one that is valid, that it is not a thief of credentials who asks; an operator need not.
type AddKey struct {
	Handle      string        `cbor:"1,keyasint" json:"handle"`
	Key         NewKey        `cbor:"2,keyasint" json:"key"`
	Replaces    string        `cbor:"3,keyasint,omitempty" json:"replaces,omitempty"` // id of the key that goes
	Overlap     moongate.Time `cbor:"4,keyasint,omitempty" json:"overlap,omitempty"`  // for how many microseconds both are valid
	EndorsedBy  string        `cbor:"5,keyasint,omitempty" json:"endorsed_by,omitempty"`
	Endorsement Signature     `cbor:"6,keyasint" json:"endorsement,omitzero"` // over [EndorsementStatement]
}

// RevokeKey ends a key at once. What it signed before stands.
type RevokeKey struct {
	Handle string `cbor:"1,keyasint" json:"handle"`
	Key    string `cbor:"2,keyasint" json:"key"`
	Reason string `cbor:"3,keyasint" json:"reason"`
}

// IssueCredential makes an API credential. The secret is made at the gate ([NewSecret]) and never gets here; the answer
// has the id that [FormatToken] needs beside it.
type IssueCredential struct {
	Handle  string        `cbor:"1,keyasint" json:"handle"`
	Name    string        `cbor:"2,keyasint" json:"name"`
	Scopes  Scopes        `cbor:"3,keyasint" json:"scopes"`
	Expires moongate.Time `cbor:"4,keyasint,omitempty" json:"expires,omitzero"`
	Hash    SecretHash    `cbor:"5,keyasint" json:"-"`
}

// RevokeCredential ends a credential, and the sessions that it opened.
type RevokeCredential struct {
	Handle     string      `cbor:"1,keyasint" json:"handle"`
	Credential moongate.ID `cbor:"2,keyasint" json:"credential"`
}

// Suspend stops a participant from acting: keys, credentials and sessions refuse. What it is owed stays its own.
type Suspend struct {
	Handle string `cbor:"1,keyasint" json:"handle"`
	Reason string `cbor:"2,keyasint" json:"reason"`
}

// Resume lets a suspended participant act again.
type Resume struct {
	Handle string `cbor:"1,keyasint" json:"handle"`
}

// OpenSession signs somebody in to the console, for at most [MaxSession].
type OpenSession struct {
	Credential moongate.ID   `cbor:"1,keyasint" json:"credential"`
	Expires    moongate.Time `cbor:"2,keyasint" json:"expires"`
	Hash       SecretHash    `cbor:"3,keyasint" json:"-"`
}

// CloseSession signs out.
type CloseSession struct {
	Session moongate.ID `cbor:"1,keyasint" json:"session"`
}

// UseNonce spends the nonce of a signed request, once. The caller is who signed it.
type UseNonce struct {
	Key     string        `cbor:"1,keyasint"`
	Nonce   string        `cbor:"2,keyasint"`
	Expires moongate.Time `cbor:"3,keyasint"` // when the signature does
}

// Issued is the answer that names what was made.
type Issued struct {
	ID moongate.ID `cbor:"1,keyasint" json:"id"`
}

// KeyAnswer is the answer to a registered key.
type KeyAnswer struct {
	Key string `cbor:"1,keyasint" json:"key"`
}

// Done is the answer that has nothing to say.
type Done struct{}

func (*Register) CommandKind() string         { return "party.register" }
func (*Rename) CommandKind() string           { return "party.rename" }
func (*AddKey) CommandKind() string           { return "party.add_key" }
func (*RevokeKey) CommandKind() string        { return "party.revoke_key" }
func (*IssueCredential) CommandKind() string  { return "party.issue_credential" }
func (*RevokeCredential) CommandKind() string { return "party.revoke_credential" }
func (*Suspend) CommandKind() string          { return "party.suspend" }
func (*Resume) CommandKind() string           { return "party.resume" }
func (*OpenSession) CommandKind() string      { return "party.open_session" }
func (*CloseSession) CommandKind() string     { return "party.close_session" }
func (*UseNonce) CommandKind() string         { return "party.use_nonce" }
