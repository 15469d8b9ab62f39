package httpsig

import (
	"crypto/ed25519"
	"net/http"
	"slices"

	"github.com/moongate-hub/moongate"
)

// Verifier checks signed requests that arrive at one place.
type Verifier struct {
	Scheme      string   // "https" or "http": what callers use to reach us
	Authorities []string // our own names as callers write them, lower case; none accepts whatever Host came
}

// Proof is what a valid signature says.
type Proof struct {
	KeyID   string
	Nonce   string        // refuse it for this key until Expires
	Created moongate.Time // by the signer's clock
	Expires moongate.Time // after this the signature is refused anyway
}

// Verify checks the signature of a request whose body has been read whole. The key function gives the public key of a
// key id, or why there is none. Errors are *moongate.Error: Malformed or TooLarge for a signature that is not one,
// Unauthenticated for one that does not hold, and whatever the key function says.
func (v *Verifier) Verify(r *http.Request, body []byte, now moongate.Time, key func(id string) (ed25519.PublicKey, error)) (Proof, error) {
	m, err := MessageOf(r, v.Scheme)
	if err != nil {
		return Proof{}, err
	}
	if len(v.Authorities) > 0 && !slices.Contains(v.Authorities, m.Authority) {
		return Proof{}, refuse(moongate.Unauthenticated, "host", "the request is for %.80q, which is not us", m.Authority)
	}
	s, err := parseSignature(r.Header)
	if err != nil {
		return Proof{}, err
	}
	if err := s.demand(&m, body); err != nil {
		return Proof{}, err
	}
	if err := s.checkTime(now); err != nil {
		return Proof{}, err
	}
	if slices.Contains(s.components, "content-digest") {
		if err := checkDigest(r.Header, body); err != nil {
			return Proof{}, err
		}
	}
	base, err := Base(&m, s.components, s.params)
	if err != nil {
		return Proof{}, err
	}
	public, err := key(s.keyID)
	if err != nil {
		return Proof{}, err
	}
	if len(public) != ed25519.PublicKeySize || !ed25519.Verify(public, base, s.bytes) {
		return Proof{}, refuse(moongate.Unauthenticated, "Signature", "the signature does not fit the request and key %.60q", s.keyID)
	}
	return Proof{
		KeyID: s.keyID, Nonce: s.nonce,
		Created: moongate.Time(s.created) * moongate.Second, Expires: moongate.Time(s.expires) * moongate.Second,
	}, nil
}
