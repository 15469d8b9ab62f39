package replica

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"

	"github.com/moongate-hub/moongate"
)

// Seal enciphers a personal field under its subject's key: AES-256-GCM (NIST SP 800-38D) under a nonce of its own, which comes
// first. The field's name and the subject are bound to it, so that it opens nowhere else.
func (s *Secret) Seal(random io.Reader, field, plain string) ([]byte, error) {
	c, err := s.cipher()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, c.NonceSize(), c.NonceSize()+len(plain)+c.Overhead())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("replica: no randomness to seal %s with: %w", field, err)
	}
	return c.Seal(nonce, nonce, []byte(plain), s.binds(field)), nil
}

// Open deciphers what [Secret.Seal] made.
func (s *Secret) Open(field string, sealed []byte) (string, error) {
	c, err := s.cipher()
	if err != nil {
		return "", err
	}
	if len(sealed) < c.NonceSize() {
		return "", &moongate.Error{Code: moongate.Malformed, Field: field, Message: fmt.Sprintf("%d bytes are no sealed field", len(sealed))}
	}
	plain, err := c.Open(nil, sealed[:c.NonceSize()], sealed[c.NonceSize():], s.binds(field))
	if err != nil {
		return "", &moongate.Error{Code: moongate.Malformed, Field: field, Message: fmt.Sprintf("it does not open with the key of %s", s.Subject)}
	}
	return string(plain), nil
}

func (s *Secret) cipher() (cipher.AEAD, error) {
	b, err := aes.NewCipher(s.Key[:])
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	return cipher.NewGCM(b)
}

func (s *Secret) binds(field string) []byte {
	return append([]byte("moongate field v1\x00"+field+"\x00"), s.Subject[:]...)
}
