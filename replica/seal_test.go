package replica

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/moongate-hub/moongate"
)

// TestSealedField: a field opens with its subject's key under its own name, and with nothing else, whichever bit is flipped.
func TestSealedField(t *testing.T) {
	s := Secret{Subject: moongate.NewID(moongate.KindSubject, moongate.Hub{1}, [12]byte{1}), Key: [32]byte{7}}
	sealed, err := s.Seal(rand.Reader, "payer", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
	if err != nil || bytes.Contains(sealed, []byte("oUpF8uMu")) {
		t.Fatalf("%x %v", sealed, err)
	}
	if again, err := s.Seal(rand.Reader, "payer", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"); err != nil || bytes.Equal(again, sealed) {
		t.Errorf("twice the same: %v", err)
	}
	if plain, err := s.Open("payer", sealed); err != nil || plain != "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" {
		t.Errorf("%q %v", plain, err)
	}
	other, stranger := s, s
	other.Key[3]++
	stranger.Subject[12]++
	for name, open := range map[string]func() (string, error){
		"another key":     func() (string, error) { return other.Open("payer", sealed) },
		"another subject": func() (string, error) { return stranger.Open("payer", sealed) },
		"another field":   func() (string, error) { return s.Open("name", sealed) },
		"cut short":       func() (string, error) { return s.Open("payer", sealed[:11]) },
	} {
		if plain, err := open(); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%s: %q %v", name, plain, err)
		}
	}
	for i := range len(sealed) * 8 {
		bent := bytes.Clone(sealed)
		bent[i/8] ^= 1 << (i % 8)
		if _, err := s.Open("payer", bent); err == nil {
			t.Fatalf("bit %d", i)
		}
	}
	if _, err := s.Seal(bytes.NewReader(nil), "payer", "x"); err == nil {
		t.Error("sealed without randomness")
	}
}
