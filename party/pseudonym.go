package party

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/moongate-hub/moongate"
)

// Pseudonyms gives shoppers the names by which participants know them. The name is another one for every participant,
// so two of them cannot join their shoppers, and it stays the same for good (pairwise identifiers as in OpenID Connect
// Core, section 8.1). Whoever has the secret can follow a shopper everywhere: it stays at the hub's gates, outside
// journal and state.
type Pseudonyms struct{ secret [32]byte }

// NewPseudonyms needs a secret of the hub's own that is used for nothing else and never changes.
func NewPseudonyms(secret []byte) (*Pseudonyms, error) {
	if len(secret) < 32 {
		return nil, &moongate.Error{
			Code: moongate.Malformed, Field: "pseudonyms", Message: fmt.Sprintf("the secret for pseudonyms has %d bytes", len(secret)),
			Hint: "use 32 random bytes or more",
		}
	}
	return &Pseudonyms{secret: sha256.Sum256(secret)}, nil
}

// For gives a shopper's name at one participant: "sh_" and 26 characters that say nothing about the shopper (128 bits
// of HMAC-SHA256). The subject is whatever the hub itself knows the shopper by.
func (p *Pseudonyms) For(participant, subject string) string {
	mac := hmac.New(sha256.New, p.secret[:])
	mac.Write([]byte("moongate pairwise v1"))
	for _, part := range []string{participant, subject} { // with lengths, so that no two pairs read the same
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return "sh_" + tokenText.EncodeToString(mac.Sum(nil)[:16])
}
