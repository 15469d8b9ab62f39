package httpsig

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/dunglas/httpsfv"

	"github.com/moongate-hub/moongate"
)

// Tag marks signatures made by this profile, so that no other use of the same key can be taken for one.
const Tag = "moongate-v1"

// Lifetime is the longest that a signature may be valid, and how far the signer's clock may be ahead of ours.
const Lifetime = 5 * moongate.Minute

const (
	algorithm     = "ed25519"
	maxField      = 4 << 10 // bytes of Signature-Input, Signature or Content-Digest
	maxSignatures = 4       // in one message
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
	inputs, err := dictionary(h, "Signature-Input", maxSignatures)
	if err != nil {
		return nil, err
	}
	label := ""
	for _, name := range inputs.Names() {
		member, _ := inputs.Get(name)
		list, ok := member.(httpsfv.InnerList)
		if !ok {
			return nil, refuse(moongate.Malformed, "Signature-Input", "member %.40q is not a list of components", name)
		}
		if tag, _ := list.Params.Get("tag"); tag == Tag {
			if label != "" {
				return nil, refuse(moongate.Malformed, "Signature-Input", "two signatures with tag %q", Tag)
			}
			label = name
		}
	}
	if label == "" {
		return nil, refuse(moongate.Unauthenticated, "Signature-Input", "no signature with tag %q", Tag)
	}
	member, _ := inputs.Get(label)
	s, err := parseInput(member.(httpsfv.InnerList))
	if err != nil {
		return nil, err
	}
	signatures, err := dictionary(h, "Signature", maxSignatures)
	if err != nil {
		return nil, err
	}
	s.bytes, err = byteSequence(signatures, "Signature", label, ed25519.SignatureSize)
	return s, err
}

// parseInput reads the component list and parameters of one signature.
func parseInput(list httpsfv.InnerList) (*signature, error) {
	if len(list.Items) > maxComponents {
		return nil, refuse(moongate.TooLarge, "Signature-Input", "%d components; at most %d can be covered", len(list.Items), maxComponents)
	}
	s := &signature{created: -1, expires: -1}
	for _, item := range list.Items {
		name, ok := item.Value.(string)
		if !ok || len(item.Params.Names()) > 0 {
			return nil, refuse(moongate.Malformed, "Signature-Input", "component %.40v: only plain names without parameters are accepted", item.Value)
		}
		s.components = append(s.components, name)
	}
	var alg, tag string
	for _, name := range list.Params.Names() {
		value, _ := list.Params.Get(name)
		var ok bool
		switch name {
		case "created":
			s.created, ok = value.(int64)
		case "expires":
			s.expires, ok = value.(int64)
		case "nonce":
			s.nonce, ok = value.(string)
		case "keyid":
			s.keyID, ok = value.(string)
		case "alg":
			alg, ok = value.(string)
		case "tag":
			tag, ok = value.(string)
		}
		if !ok {
			return nil, refuse(moongate.Malformed, "Signature-Input", "parameter %.40q is unknown or of another type", name)
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
	params, err := httpsfv.Marshal(httpsfv.List{list})
	if err != nil {
		return nil, refuse(moongate.Malformed, "Signature-Input", "%v", err)
	}
	s.params = params
	return s, nil
}

// demand refuses a signature that covers less than the profile asks of this request.
func (s *signature) demand(m *Message, body []byte) error {
	need := []string{"@method"}
	if !slices.Contains(s.components, "@target-uri") {
		need = append(need, "@authority", "@path", "@query")
	}
	safe := m.Method == http.MethodGet || m.Method == http.MethodHead || m.Method == http.MethodOptions
	if !safe || len(body) > 0 {
		need = append(need, "content-digest")
	}
	if len(body) > 0 || len(m.Header["Content-Type"]) > 0 {
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

// checkDigest compares Content-Digest with the body. Digests by other algorithms may stand beside SHA-256.
func checkDigest(h http.Header, body []byte) error {
	digests, err := dictionary(h, "Content-Digest", maxSignatures)
	if err != nil {
		return err
	}
	got, err := byteSequence(digests, "Content-Digest", "sha-256", sha256.Size)
	if err != nil {
		return err
	}
	if want := sha256.Sum256(body); subtle.ConstantTimeCompare(got, want[:]) == 0 {
		return refuse(moongate.Unauthenticated, "Content-Digest", "the body has another SHA-256")
	}
	return nil
}

// Digest is the Content-Digest value of a body (RFC 9530, section 2).
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// dictionary parses a field as a structured dictionary (RFC 8941, section 3.2) within bounds.
func dictionary(h http.Header, field string, members int) (*httpsfv.Dictionary, error) {
	values := h[field]
	size := 0
	for _, v := range values {
		if size += len(v) + 1; size > maxField {
			return nil, refuse(moongate.TooLarge, field, "the field has more than %d bytes", maxField)
		}
	}
	if size == 0 {
		return nil, refuse(moongate.Unauthenticated, field, "the field is missing")
	}
	d, err := httpsfv.UnmarshalDictionary(values)
	if err != nil {
		return nil, refuse(moongate.Malformed, field, "not a structured dictionary: %v", err)
	}
	if n := len(d.Names()); n > members {
		return nil, refuse(moongate.TooLarge, field, "%d members; at most %d are accepted", n, members)
	}
	return d, nil
}

func byteSequence(d *httpsfv.Dictionary, field, name string, size int) ([]byte, error) {
	member, ok := d.Get(name)
	if !ok {
		return nil, refuse(moongate.Malformed, field, "no member %q", name)
	}
	item, _ := member.(httpsfv.Item)
	b, ok := item.Value.([]byte)
	if !ok || len(b) != size || len(item.Params.Names()) > 0 {
		return nil, refuse(moongate.Malformed, field, "member %q is not :base64: of %d bytes", name, size)
	}
	return b, nil
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
