package httpsig

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
)

// Tag marks signatures made by this profile, so that no other use of the same key can be taken for one.
const Tag = "moongate-v1"

// Lifetime is the longest that a signature may be valid, and how far the signer's clock may be ahead of ours.
const Lifetime = 5 * moongate.Minute

const (
	algorithm     = "ed25519"
	maxField      = 4 << 10 // bytes of Signature-Input, Signature or Content-Digest
	maxMembers    = 4       // of one of them: signatures in a message, digests of a body
	maxComponents = 24      // in one signature
	minNonce      = 16
	maxNonce      = 64
	maxKeyID      = 128
)

// signature is one signature as it stands in a message, parsed but not yet believed.
type signature struct {
	components       []string
	created, expires int64 // seconds since 1970
	nonce, keyID     string
	params           string // canonical form of the whole parameter list, components included
	bytes            []byte
}

// parseSignature finds the one signature that carries our tag.
func parseSignature(h http.Header) (*signature, error) {
	inputs, err := field(h, "Signature-Input")
	if err != nil {
		return nil, err
	}
	var ours *member
	for i := range inputs {
		m := &inputs[i]
		if !m.isList {
			return nil, refuse(moongate.Malformed, "Signature-Input", "member %.40q is not a list of components", m.name)
		}
		if m.param("tag") != Tag {
			continue
		}
		if ours != nil {
			return nil, refuse(moongate.Malformed, "Signature-Input", "two signatures with tag %q", Tag)
		}
		ours = m
	}
	if ours == nil {
		return nil, refuse(moongate.Unauthenticated, "Signature-Input", "no signature with tag %q", Tag)
	}
	s, err := parseInput(ours)
	if err != nil {
		return nil, err
	}
	signatures, err := field(h, "Signature")
	if err != nil {
		return nil, err
	}
	s.bytes, err = byteSequence(signatures, "Signature", ours.name, ed25519.SignatureSize)
	return s, err
}

// parseInput reads the component list and parameters of one signature.
func parseInput(m *member) (*signature, error) {
	if len(m.items) > maxComponents {
		return nil, refuse(moongate.TooLarge, "Signature-Input", "%d components; at most %d can be covered", len(m.items), maxComponents)
	}
	s := &signature{created: -1, expires: -1}
	for _, it := range m.items {
		name, ok := it.value.(string)
		if !ok || len(it.params) > 0 {
			return nil, refuse(moongate.Malformed, "Signature-Input", "component %.40v: only plain names without parameters are accepted", it.value)
		}
		s.components = append(s.components, name)
	}
	var alg, tag string
	for _, p := range m.params {
		var ok bool
		switch p.name {
		case "created":
			s.created, ok = p.value.(int64)
		case "expires":
			s.expires, ok = p.value.(int64)
		case "nonce":
			s.nonce, ok = p.value.(string)
		case "keyid":
			s.keyID, ok = p.value.(string)
		case "alg":
			alg, ok = p.value.(string)
		case "tag":
			tag, ok = p.value.(string)
		}
		if !ok {
			return nil, refuse(moongate.Malformed, "Signature-Input", "parameter %.40q is unknown or of another type", p.name)
		}
	}
	switch {
	case s.created < 0 || s.expires < 0 || s.expires > 1<<40:
		return nil, refuse(moongate.Malformed, "Signature-Input", "created and expires are needed, in seconds since 1970")
	case len(s.nonce) < minNonce || len(s.nonce) > maxNonce:
		return nil, refuse(moongate.Malformed, "Signature-Input", "nonce has %d characters; %d to %d are needed", len(s.nonce), minNonce, maxNonce)
	case s.keyID == "" || len(s.keyID) > maxKeyID:
		return nil, refuse(moongate.Malformed, "Signature-Input", "keyid has %d characters; 1 to %d are needed", len(s.keyID), maxKeyID)
	case alg != algorithm || tag != Tag:
		return nil, refuse(moongate.Malformed, "Signature-Input", "alg %.20q and tag %.20q; %q and %q are needed", alg, tag, algorithm, Tag)
	}
	// The base holds the parameters in canonical form, whatever blanks they came with (RFC 9421, section 2.3).
	s.params = m.String()
	return s, nil
}

// demand refuses a signature that covers less than the profile asks of this request.
func (s *signature) demand(m *Message, hasBody bool) error {
	need := []string{"@method"}
	if !slices.Contains(s.components, "@target-uri") {
		need = append(need, "@authority", "@path", "@query")
	}
	safe := m.Method == http.MethodGet || m.Method == http.MethodHead || m.Method == http.MethodOptions
	if !safe || hasBody {
		need = append(need, "content-digest")
	}
	if hasBody || len(m.Header["Content-Type"]) > 0 {
		need = append(need, "content-type")
	}
	if !safe || len(m.Header["Idempotency-Key"]) > 0 {
		need = append(need, "idempotency-key")
	}
	for _, name := range need {
		if !slices.Contains(s.components, name) {
			return refuse(moongate.Unauthenticated, "Signature-Input", "the signature does not cover %q", name)
		}
	}
	for _, name := range []string{"Content-Type", "Idempotency-Key", "Content-Digest"} {
		if len(m.Header[name]) > 1 { // two values read as one, or as the other: nobody should choose
			return refuse(moongate.Malformed, name, "the field came %d times", len(m.Header[name]))
		}
	}
	if len(m.Header["Content-Encoding"]) > 0 {
		return refuse(moongate.Malformed, "Content-Encoding", "a signed body travels as it is")
	}
	return nil
}

// checkTime refuses a signature that is not valid now.
func (s *signature) checkTime(now moongate.Time) error {
	created, expires := moongate.Time(s.created)*moongate.Second, moongate.Time(s.expires)*moongate.Second
	switch {
	case expires <= created || expires-created > Lifetime:
		return refuse(moongate.Unauthenticated, "Signature-Input", "the signature is valid from %s to %s; that must be up to five minutes", created, expires)
	case created > now+Lifetime:
		return refuse(moongate.Unauthenticated, "Signature-Input", "the signature is of %s, and here it is %s", created, now)
	case expires < now:
		return refuse(moongate.Unauthenticated, "Signature-Input", "the signature expired at %s, and here it is %s", expires, now)
	}
	return nil
}

// digestOf reads the SHA-256 of Content-Digest. Digests by other algorithms may stand beside it.
func digestOf(h http.Header) ([]byte, error) {
	digests, err := field(h, "Content-Digest")
	if err != nil {
		return nil, err
	}
	return byteSequence(digests, "Content-Digest", "sha-256", sha256.Size)
}

// Digest is the Content-Digest value of a body (RFC 9530, section 2).
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// field parses a header field as a dictionary, within bounds.
func field(h http.Header, name string) (dictionary, error) {
	values := h[name]
	size := 0
	for _, v := range values {
		if size += len(v) + 1; size > maxField {
			return nil, refuse(moongate.TooLarge, name, "the field has more than %d bytes", maxField)
		}
	}
	if size == 0 {
		return nil, refuse(moongate.Unauthenticated, name, "the field is missing")
	}
	d, err := parseDictionary(strings.Join(values, ","))
	if err != nil {
		return nil, refuse(moongate.Malformed, name, "not a structured dictionary: %v", err)
	}
	if len(d) > maxMembers {
		return nil, refuse(moongate.TooLarge, name, "%d members; at most %d are accepted", len(d), maxMembers)
	}
	return d, nil
}

func byteSequence(d dictionary, field, name string, size int) ([]byte, error) {
	m, ok := d.get(name)
	if !ok {
		return nil, refuse(moongate.Malformed, field, "no member %q", name)
	}
	if b, ok := m.only().([]byte); ok && len(b) == size && len(m.params) == 0 {
		return b, nil
	}
	return nil, refuse(moongate.Malformed, field, "member %q is not :base64: of %d bytes", name, size)
}

// Present tells whether a request claims to be signed. A claim that fails is an error, never a request without one.
func Present(h http.Header) bool {
	for name := range h {
		if strings.EqualFold(name, "Signature") || strings.EqualFold(name, "Signature-Input") {
			return true
		}
	}
	return false
}
