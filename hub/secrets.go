package hub

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
)

// Secrets are the hub's own keys: two files that only the hub's user may read.
type Secrets struct {
	main     [32]byte
	signer   note.Signer
	verifier note.Verifier
	former   []note.Verifier // of the log under earlier origins
	// Verifier is the public half of the log's key, as others' tools take it.
	Verifier string
}

const (
	mainSecretFile = "hub.key"
	logSecretFile  = "log.key"
	logPublicFile  = "log.pub"
)

// MakeSecrets draws new keys into a directory, which must not hold any.
func MakeSecrets(dir, name string, random func([]byte)) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	for _, file := range []string{mainSecretFile, logSecretFile, logPublicFile} {
		if _, err := os.Lstat(filepath.Join(dir, file)); err == nil {
			return &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("%s exists already", filepath.Join(dir, file)), Hint: "keys are never overwritten; use another directory"}
		}
	}
	var key [32]byte
	random(key[:])
	signer, verifier, err := logKey(name, random)
	if err != nil {
		return err
	}
	for file, text := range map[string]string{mainSecretFile: hex.EncodeToString(key[:]), logSecretFile: signer, logPublicFile: verifier} {
		f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("secrets: %w", err)
		}
		_, err = f.WriteString(text + "\n")
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("secrets: %w", err)
		}
	}
	return nil
}

// logKey draws a key that signs the public log.
func logKey(origin string, random func([]byte)) (signer, verifier string, err error) {
	var seed [32]byte
	random(seed[:])
	if signer, verifier, err = note.GenerateKey(bytes.NewReader(seed[:]), origin); err != nil {
		return "", "", fmt.Errorf("secrets: %w", err)
	}
	return signer, verifier, nil
}

// ReadSecrets reads the keys of a directory.
func ReadSecrets(dir string) (*Secrets, error) {
	s := &Secrets{}
	text, err := readSecret(filepath.Join(dir, mainSecretFile))
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != len(s.main) {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: filepath.Join(dir, mainSecretFile), Message: "it does not hold 64 hexadecimal digits", Hint: "restore it from a backup: no other key fits this hub's data"}
	}
	s.main = [32]byte(key)
	if text, err = readSecret(filepath.Join(dir, logSecretFile)); err != nil {
		return nil, err
	}
	if s.signer, err = note.NewSigner(text); err != nil {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: filepath.Join(dir, logSecretFile), Message: err.Error(), Hint: "restore it from a backup"}
	}
	if s.Verifier, err = readSecret(filepath.Join(dir, logPublicFile)); err != nil {
		return nil, err
	}
	if s.verifier, err = note.NewVerifier(s.Verifier); err != nil || s.verifier.Name() != s.signer.Name() || s.verifier.KeyHash() != s.signer.KeyHash() {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: filepath.Join(dir, logPublicFile), Message: "it is not the public half of " + logSecretFile, Hint: "restore both from the same backup"}
	}
	return s, s.readFormer(dir)
}

func (s *Secrets) readFormer(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, formerKeys))
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	for _, name := range names {
		text, err := readSecret(name)
		if err != nil {
			return err
		}
		v, err := note.NewVerifier(text)
		if err != nil {
			return &moongate.Error{Code: moongate.Malformed, Field: name, Message: err.Error(), Hint: "restore it from a backup: old receipts verify under it"}
		}
		s.former = append(s.former, v)
	}
	return nil
}

func readSecret(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("secrets: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		return "", &moongate.Error{Code: moongate.Forbidden, Field: path, Message: fmt.Sprintf("other users of this machine can read it (%v)", info.Mode().Perm()), Hint: "chmod 600 " + path}
	}
	if info.Size() > 4096 {
		return "", &moongate.Error{Code: moongate.TooLarge, Field: path, Message: "this is not a key"}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("secrets: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Derive gives the key for one purpose: HMAC-SHA256 under the hub's main secret.
func (s *Secrets) Derive(purpose string) []byte {
	m := hmac.New(sha256.New, s.main[:])
	m.Write([]byte(purpose))
	return m.Sum(nil)
}
