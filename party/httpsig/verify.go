package httpsig

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
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

// Head is what a valid signature says of a request whose body has not been read.
type Head struct {
	Proof
	digest []byte // SHA-256 that was signed of the body; nil where none was
}

// Verify checks the signature of a request whose body has been read whole. The key function gives the public key of a
// key id, or why there is none. Errors are *moongate.Error: Malformed or TooLarge for a signature that is not one,
// Unauthenticated for one that does not hold, and whatever the key function says.
func (v *Verifier) Verify(r *http.Request, body []byte, now moongate.Time, key func(id string) (ed25519.PublicKey, error)) (Proof, error) {
	head, err := v.verify(r, len(body) > 0, now, key)
	if err == nil {
		err = head.Holds(body)
	}
	if err != nil {
		return Proof{}, err
	}
	return head.Proof, nil
}

// VerifyHead is [Verifier.Verify] before the body has been read: a stranger's need not be. What was signed of the body
// is its digest, and [Head.Holds] compares the two.
func (v *Verifier) VerifyHead(r *http.Request, now moongate.Time, key func(id string) (ed25519.PublicKey, error)) (Head, error) {
	return v.verify(r, r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody, now, key)
}

func (v *Verifier) verify(r *http.Request, hasBody bool, now moongate.Time, key func(id string) (ed25519.PublicKey, error)) (Head, error) {
	m, err := MessageOf(r, v.Scheme)
	if err != nil {
		return Head{}, err
	}
	if len(v.Authorities) > 0 && !slices.Contains(v.Authorities, m.Authority) {
		return Head{}, refuse(moongate.Unauthenticated, "host", "the request is for %.80q, which is not us", m.Authority)
	}
	s, err := parseSignature(r.Header)
	if err != nil {
		return Head{}, err
	}
	if err := s.demand(&m, hasBody); err != nil {
		return Head{}, err
	}
	if err := s.checkTime(now); err != nil {
		return Head{}, err
	}
	head := Head{Proof: Proof{
		KeyID: s.keyID, Nonce: s.nonce,
		Created: moongate.Time(s.created) * moongate.Second, Expires: moongate.Time(s.expires) * moongate.Second,
	}}
	if slices.Contains(s.components, "content-digest") {
		if head.digest, err = digestOf(r.Header); err != nil {
			return Head{}, err
		}
	}
	base, err := Base(&m, s.components, s.params)
	if err != nil {
		return Head{}, err
	}
	public, err := key(s.keyID)
	if err != nil {
		return Head{}, err
	}
	if len(public) != ed25519.PublicKeySize || !ed25519.Verify(public, base, s.bytes) {
		return Head{}, refuse(moongate.Unauthenticated, "Signature", "the signature does not fit the request and key %.60q", s.keyID)
	}
	return head, nil
}

// Holds checks that a body is the one that was signed. No body needs no digest.
func (h *Head) Holds(body []byte) error {
	if h.digest == nil {
		if len(body) == 0 {
			return nil
		}
		return refuse(moongate.Unauthenticated, "Content-Digest", "the signature does not cover the body")
	}
	if sum := sha256.Sum256(body); subtle.ConstantTimeCompare(h.digest, sum[:]) == 0 {
		return refuse(moongate.Unauthenticated, "Content-Digest", "the body has another SHA-256")
	}
	return nil
}
