package party

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/moongate-hub/moongate"
)

// Secret is the 256 random bits of a bearer token. It is shown once and kept nowhere.
type Secret [32]byte

// SecretHash is what the hub keeps of a secret: its SHA-256. A slow hash would add nothing, since there is nothing to
// guess.
type SecretHash [sha256.Size]byte

// NewSecret draws a secret.
func NewSecret(random io.Reader) (s Secret, err error) {
	if _, err = io.ReadFull(random, s[:]); err != nil {
		return s, fmt.Errorf("drawing a secret: %w", err)
	}
	return s, nil
}

// Hash is what may be stored.
func (s Secret) Hash() SecretHash { return sha256.Sum256(s[:]) }

// Matches compares in constant time.
func (h SecretHash) Matches(s Secret) bool {
	got := s.Hash()
	return subtle.ConstantTimeCompare(h[:], got[:]) == 1
}

// String hides the secret from logs; see [FormatToken].
func (Secret) String() string { return "(secret)" }

// GoString hides the secret from logs.
func (Secret) GoString() string { return "(secret)" }

// TokenPattern is a regular expression for tokens, for scanners that look for leaked ones. [ParseToken] then checks the
// checksum, so that a text that only looks like one raises no alarm.
const TokenPattern = `\bmg[ts]_[a-z2-7]{5}_[a-z2-7]{20}_[a-z2-7]{59}\b` //nolint:gosec // a pattern, not a token

// Prefixes of tokens by what they are.
const (
	credentialPrefix = "mgt"
	sessionPrefix    = "mgs"
)

var (
	tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	castTable = crc32.MakeTable(crc32.Castagnoli)
)

// FormatToken writes a bearer token: mgt_HUB_ID_SECRET for an API credential, mgs_ for a console session. The last
// part ends in a CRC-32C of all that stands before it.
func FormatToken(id moongate.ID, s Secret) string {
	prefix := credentialPrefix
	if id.Kind() == moongate.KindSession {
		prefix = sessionPrefix
	}
	_, rest, _ := strings.Cut(id.String(), "_")
	text := prefix + "_" + rest + "_" + tokenText.EncodeToString(s[:])
	return text + checksum(text)
}

func checksum(text string) string {
	return tokenText.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(text), castTable)))
}

// ParseToken reads a bearer token. The error never repeats it.
func ParseToken(token string) (id moongate.ID, s Secret, err error) {
	bad := &moongate.Error{
		Code: moongate.Unauthenticated, Message: "this is not a token of a Moongate hub, or it was mistyped",
		Hint: "copy it whole, like mgt_…; it was shown once when the credential was issued",
	}
	part := strings.Split(token, "_")
	if len(part) != 4 || len(token) > 128 || len(part[3]) != 59 {
		return id, s, bad
	}
	kind := moongate.KindCredential
	switch part[0] {
	case credentialPrefix:
	case sessionPrefix:
		kind = moongate.KindSession
	default:
		return id, s, bad
	}
	if id, err = moongate.ParseID(kind.String() + "_" + part[1] + "_" + part[2]); err != nil {
		return moongate.ID{}, s, bad
	}
	raw, err := tokenText.DecodeString(part[3][:52])
	if err != nil || len(raw) != len(s) {
		return moongate.ID{}, s, bad
	}
	if s = Secret(raw); subtle.ConstantTimeCompare([]byte(FormatToken(id, s)), []byte(token)) == 0 {
		return moongate.ID{}, Secret{}, bad
	}
	return id, s, nil
}

// Credential is what the hub knows of an API credential.
type Credential struct {
	ID      moongate.ID   `cbor:"1,keyasint" json:"id"`
	Holder  string        `cbor:"2,keyasint" json:"holder"`
	Name    string        `cbor:"3,keyasint" json:"name"` // for people: what it is used for
	Scopes  Scopes        `cbor:"4,keyasint" json:"scopes"`
	Since   moongate.Time `cbor:"5,keyasint" json:"since"`
	Expires moongate.Time `cbor:"6,keyasint,omitempty" json:"expires,omitzero"` // 0: not by itself
	Hash    SecretHash    `cbor:"7,keyasint" json:"-"`
}

// Session is somebody signed in to the console.
type Session struct {
	ID         moongate.ID   `cbor:"1,keyasint" json:"id"`
	Holder     string        `cbor:"2,keyasint" json:"holder"`
	Credential moongate.ID   `cbor:"3,keyasint" json:"credential"` // that opened it; it ends with it
	Since      moongate.Time `cbor:"4,keyasint" json:"since"`
	Expires    moongate.Time `cbor:"5,keyasint" json:"expires"`
	Hash       SecretHash    `cbor:"6,keyasint" json:"-"`
}
