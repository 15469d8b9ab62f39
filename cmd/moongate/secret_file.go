package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/moongate-hub/moongate"
)

// secretFile is a new file for one secret that is not there yet. The file comes first: a secret that could not be kept
// is not asked for.
type secretFile struct {
	path string
	f    *os.File
}

// newFile makes a file that only this user can read, and never writes over one.
func newFile(path string) (*secretFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, &moongate.Error{Code: moongate.Conflict, Field: path, Message: "it exists already", Hint: "nothing is written over; use another name"}
	}
	return &secretFile{path, f}, err
}

// keep writes the secret, durably.
func (s *secretFile) keep(secret string) error {
	_, err := s.f.WriteString(secret + "\n")
	return errors.Join(err, s.f.Sync())
}

// close ends the file; where something went wrong, nothing is left of it.
func (s *secretFile) close(err error) error {
	if err = errors.Join(err, s.f.Close()); err != nil {
		return errors.Join(err, os.Remove(s.path))
	}
	return nil
}

// readSecret reads a file that only this user may read.
func readSecret(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case info.IsDir():
		return nil, &moongate.Error{Code: moongate.Malformed, Field: path, Message: "it is a directory", Hint: "name the file"}
	case info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/':
		return nil, &moongate.Error{Code: moongate.Forbidden, Field: path, Message: fmt.Sprintf("other users of this machine can read it (%v)", info.Mode().Perm()), Hint: "chmod 600 " + path}
	}
	return readFile(path, most)
}

// readFile reads a file of a bounded size.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = &moongate.Error{Code: moongate.TooLarge, Field: path, Message: fmt.Sprintf("it has more than %d bytes", most), Hint: "this cannot be the file that is meant"}
	}
	return b, err
}

// pemType is what a private key in PKCS #8 (RFC 5208) is called in PEM (RFC 7468); other programs read and write it too.
const pemType = "PRIVATE KEY"

// writeKey writes a private key into a new file.
func writeKey(path string, key ed25519.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	f, err := newFile(path)
	if err != nil {
		return err
	}
	return f.close(f.keep(strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})))))
}

// readKey reads a private key.
func readKey(path string) (ed25519.PrivateKey, error) {
	b, err := readSecret(path, 4096)
	if err != nil {
		return nil, err
	}
	return parseKey(path, b)
}

func parseKey(path string, b []byte) (ed25519.PrivateKey, error) {
	bad := func(what string) error {
		return &moongate.Error{Code: moongate.Malformed, Field: path, Message: what, Hint: "make one with: moongate party keygen FILE"}
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != pemType || strings.TrimSpace(string(rest)) != "" {
		return nil, bad("it does not hold one private key in PEM")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad("the private key in it cannot be read")
	}
	key, ok := any.(ed25519.PrivateKey)
	if !ok {
		return nil, bad(fmt.Sprintf("it holds a key of another kind (%T); keys here are Ed25519", any))
	}
	return key, nil
}
