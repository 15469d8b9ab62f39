package httpsig

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"

	"github.com/moongate-hub/moongate"
)

// Signer signs requests for one key.
type Signer struct {
	KeyID  string
	Key    crypto.Signer        // holds an Ed25519 key
	Now    func() moongate.Time // the wall clock
	Random io.Reader            // crypto/rand.Reader; a nonce takes 18 bytes
}

// Sign adds Content-Digest, Signature-Input and Signature to a request that is about to be sent with this body. An
// Idempotency-Key and a Content-Type must stand in the header before; a repeated request is signed anew.
func (s *Signer) Sign(r *http.Request, body []byte) error {
	m, err := MessageOf(r, r.URL.Scheme)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Digest", Digest(body))
	components := []string{"@method", "@authority", "@path", "@query", "content-digest"}
	for _, field := range []struct{ name, component string }{{"Content-Type", "content-type"}, {"Idempotency-Key", "idempotency-key"}} {
		if len(r.Header[field.name]) > 0 {
			components = append(components, field.component)
		}
	}
	input, err := s.input(components)
	if err != nil {
		return err
	}
	sig, err := parseInput(&input)
	if err != nil {
		return err
	}
	if err := sig.demand(&m, len(body) > 0); err != nil { // what we would refuse ourselves is not sent
		return err
	}
	base, err := Base(&m, components, sig.params)
	if err != nil {
		return err
	}
	raw, err := s.Key.Sign(nil, base, crypto.Hash(0))
	if err != nil {
		return fmt.Errorf("signing with key %s: %w", s.KeyID, err)
	}
	r.Header.Set("Signature-Input", "moongate="+sig.params)
	r.Header.Set("Signature", "moongate=:"+base64.StdEncoding.EncodeToString(raw)+":")
	return nil
}

func (s *Signer) input(components []string) (member, error) {
	var nonce [18]byte
	if _, err := io.ReadFull(s.Random, nonce[:]); err != nil {
		return member{}, fmt.Errorf("nonce for a signature: %w", err)
	}
	created := int64(s.Now() / moongate.Second)
	m := member{isList: true, params: []param{
		{"created", created},
		{"expires", created + int64(Lifetime/moongate.Second)},
		{"nonce", base64.RawURLEncoding.EncodeToString(nonce[:])},
		{"keyid", s.KeyID},
		{"alg", algorithm},
		{"tag", Tag},
	}}
	for _, name := range components {
		m.items = append(m.items, item{value: name})
	}
	return m, nil
}

// Transport signs every request on its way out.
type Transport struct {
	Signer *Signer
	Next   http.RoundTripper // nil is http.DefaultTransport
}

// RoundTrip signs a copy of the request, as the contract of http.RoundTripper asks, and sends it.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil && r.Body != http.NoBody {
		var err error
		body, err = io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the body to sign: %w", err)
		}
	}
	out := r.Clone(r.Context())
	if len(body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		out.ContentLength = int64(len(body))
	} else {
		out.Body, out.GetBody, out.ContentLength = nil, nil, 0
	}
	if err := t.Signer.Sign(out, body); err != nil {
		return nil, err
	}
	next := t.Next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(out)
}
