package party

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"github.com/moongate-hub/moongate"
)

// PublicKey is an Ed25519 public key; its text form is unpadded base64url, like "x" in a JWK (RFC 8037).
type PublicKey [ed25519.PublicKeySize]byte

// Signature is an Ed25519 signature; its text form is unpadded base64url.
type Signature [ed25519.SignatureSize]byte

// ID is the key's thumbprint by RFC 7638: 43 characters of base64url. It is the "keyid" of signed requests.
func (k PublicKey) ID() string {
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + k.String() + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Verify checks a signature (RFC 8032, section 5.1.7).
func (k PublicKey) Verify(message []byte, s Signature) bool {
	return ed25519.Verify(k[:], message, s[:])
}

// String is the text form.
func (k PublicKey) String() string { return base64.RawURLEncoding.EncodeToString(k[:]) }

// MarshalText writes the text form.
func (k PublicKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the text form.
func (k *PublicKey) UnmarshalText(b []byte) error { return unmarshal(k[:], b, "public key") }

// String is the text form.
func (s Signature) String() string { return base64.RawURLEncoding.EncodeToString(s[:]) }

// MarshalText writes the text form.
func (s Signature) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text form.
func (s *Signature) UnmarshalText(b []byte) error { return unmarshal(s[:], b, "signature") }

func unmarshal(to, text []byte, what string) error {
	enc := base64.RawURLEncoding.Strict()
	if len(text) == enc.EncodedLen(len(to)) {
		if n, err := enc.Decode(to, text); err == nil && n == len(to) {
			return nil
		}
	}
	return &moongate.Error{
		Code: moongate.Malformed, Message: fmt.Sprintf("%.100q is no Ed25519 %s", text, what),
		Hint: fmt.Sprintf("write %d bytes as unpadded base64url", len(to)),
	}
}

// Key is a public key and whose it is.
type Key struct {
	Public  PublicKey     `cbor:"1,keyasint" json:"public"`
	Holder  string        `cbor:"2,keyasint" json:"holder"`
	Since   moongate.Time `cbor:"3,keyasint" json:"since"`
	Until   moongate.Time `cbor:"4,keyasint,omitempty" json:"until,omitzero"` // rotated or revoked: not valid from here on
	Revoked string        `cbor:"5,keyasint,omitempty" json:"revoked,omitempty"`
}

// ValidAt tells whether a signature made at that time counts.
func (k *Key) ValidAt(t moongate.Time) bool { return t >= k.Since && (k.Until == 0 || t < k.Until) }

// NewKey is a key that somebody wants registered, with a signature by the key itself: nobody can claim another's key.
type NewKey struct {
	Public     PublicKey `cbor:"1,keyasint" json:"public"`
	Possession Signature `cbor:"2,keyasint" json:"possession"` // over [PossessionStatement]
}

// Prove makes a private Ed25519 key ready to be registered for a participant.
func Prove(private crypto.Signer, handle string) (NewKey, error) {
	public, ok := private.Public().(ed25519.PublicKey)
	if !ok {
		return NewKey{}, fmt.Errorf("key of type %T: only Ed25519 keys are registered", private)
	}
	k := NewKey{Public: PublicKey(public)}
	raw, err := private.Sign(nil, PossessionStatement(handle, k.Public), crypto.Hash(0))
	if err != nil {
		return NewKey{}, fmt.Errorf("proving possession of key %s: %w", k.Public.ID(), err)
	}
	k.Possession = Signature(raw)
	return k, nil
}

// PossessionStatement is what a new key signs.
func PossessionStatement(handle string, key PublicKey) []byte {
	return fmt.Appendf(nil, "moongate key possession v1\nparticipant: %s\nkey: %s\n", handle, key)
}

// EndorsementStatement is what a participant's valid key signs to let a new one in. The key that the new one replaces
// is named by its id, or not at all.
func EndorsementStatement(handle string, key PublicKey, replaces string) []byte {
	return fmt.Appendf(nil, "moongate key endorsement v1\nparticipant: %s\nkey: %s\nreplaces: %s\n", handle, key, replaces)
}

func (k *NewKey) check(handle string) error {
	bad := func(what string) error {
		return &moongate.Error{
			Code: moongate.Malformed, Field: "key", Message: fmt.Sprintf("key %s: %s", k.Public.ID(), what),
			Hint: "register an Ed25519 key with a signature by itself over the possession statement for this handle",
		}
	}
	if weak(k.Public) {
		return bad("it is one of the points for which anybody can sign anything")
	}
	if !k.Public.Verify(PossessionStatement(handle, k.Public), k.Possession) {
		return bad("the proof of possession does not hold")
	}
	return nil
}

// weak tells whether a key is a point of small order. The signatures of such a key bind nobody: they hold for any
// message. The points are listed by their y coordinate, whose top bit (the sign of x) is ignored; two of them are
// spellings that RFC 8032 rules out but verifiers accept.
func weak(k PublicKey) bool {
	k[31] &= 0x7f
	for _, y := range smallOrder {
		if k == y {
			return true
		}
	}
	return false
}

var smallOrder = func() (points []PublicKey) {
	for _, s := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000", // order 4
		"0100000000000000000000000000000000000000000000000000000000000000", // order 1
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 4, y = p
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 1, y = p+1
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			panic(err)
		}
		points = append(points, PublicKey(b))
	}
	return points
}()
