package agreement

import (
	"crypto/ed25519"
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
)

// signatureContext keeps a signature under an agreement from meaning anything else, and the other way round.
const signatureContext = "moongate agreement signature v1"

// SigningBytes is what a party signs to be bound by a document in a role: four lines, of which the last is the
// canonical form,
//
//	moongate agreement signature v1
//	ROLE
//	HANDLE
//	{"fees":…}
//
// with a line feed between them and none at the end. Role and handle are part of it, so that nobody can pass another's
// signature off as its own. None of the first three can contain a line feed.
func (d *Document) SigningBytes(role Role, who string) []byte {
	b := make([]byte, 0, len(signatureContext)+len(role)+len(who)+len(d.canonical)+3)
	b = append(b, signatureContext...)
	b = append(b, '\n')
	b = append(b, role...)
	b = append(b, '\n')
	b = append(b, who...)
	b = append(b, '\n')
	return append(b, d.canonical...)
}

// SignAs makes a party's Ed25519 signature (64 bytes).
func (d *Document) SignAs(key ed25519.PrivateKey, role Role, who string) ([]byte, error) {
	if err := d.maySign(role, who); err != nil {
		return nil, err
	}
	return ed25519.Sign(key, d.SigningBytes(role, who)), nil
}

// VerifyAs checks a party's signature. The error is Forbidden for somebody who does not stand in the role, and
// Unauthenticated for a signature that does not fit.
func (d *Document) VerifyAs(key ed25519.PublicKey, role Role, who string, signature []byte) error {
	if err := d.maySign(role, who); err != nil {
		return err
	}
	if len(key) != ed25519.PublicKeySize || len(signature) != ed25519.SignatureSize ||
		!ed25519.Verify(key, d.SigningBytes(role, who), signature) {
		return &moongate.Error{
			Code: moongate.Unauthenticated, Field: "signature",
			Message: fmt.Sprintf("the signature of %s as %s is not one of version %d of %s with this key", who, role, d.Version, d.ID),
			Hint:    fmt.Sprintf("sign the document whose SHA-256 is %s", d.Fingerprint()),
		}
	}
	return nil
}

func (d *Document) maySign(role Role, who string) error {
	if err := party.CheckHandle(who); err != nil {
		return err
	}
	if p := d.Party(role); p != nil && p.Names(who) {
		return nil
	}
	return &moongate.Error{
		Code: moongate.Forbidden, Field: "party",
		Message: fmt.Sprintf("%s is not named as %s in version %d of %s", who, role, d.Version, d.ID),
		Hint:    "sign in the role that the document gives",
	}
}

// Names tells whether a participant may stand in the role: it is the one, a member, or the role is open.
func (p *Party) Names(participant string) bool {
	if p.Open != "" || p.ID == participant {
		return true
	}
	for _, m := range p.Members {
		if m == participant {
			return true
		}
	}
	return false
}
