package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/proof"
	"github.com/moongate-hub/moongate/replica"
)

// Published is what an operator says of a restored hub's public log: the newest checkpoint that anybody has, or that
// the log goes on under a new origin.
type Published struct {
	Checkpoint []byte
	Origin     string
	Random     func([]byte) // draws the new origin's key
}

// Released is what a hub goes on with.
type Released struct {
	Origin   string `json:"origin"`
	Verifier string `json:"verifier"`
	Entries  int64  `json:"entries"` // of the public log
}

// Release ends the quarantine of a restored hub, which must not be running. A backup may be older than what was
// published: to go on under the same origin would then contradict it. So it takes the newest checkpoint that anybody
// has, which the restored log must hold, or a new origin: a name and a key that never signed anything.
func Release(ctx context.Context, c *Config, s *Secrets, p Published) (*Released, error) {
	if err := replica.Idle(c.Data); err != nil {
		return nil, err
	}
	path := filepath.Join(c.Data, QuarantineFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, &moongate.Error{Code: moongate.Conflict, Message: c.Data + " is not in quarantine", Hint: "nothing is to be done"}
	}
	var newest *proof.Checkpoint
	if p.Checkpoint != nil {
		one, err := s.open(p.Checkpoint)
		if err != nil {
			return nil, &moongate.Error{Code: moongate.Malformed, Field: "published", Message: fmt.Sprintf("this is no checkpoint of the hub's: %v", err), Hint: "copy it from a monitor or a witness of the log, or from the lost disk's log/checkpoint"}
		}
		newest = &one
	}
	size, err := holds(c, s, newest)
	if err != nil && (p.Origin == "" || !errors.Is(err, journal.ErrBeyond)) {
		return nil, err
	}
	switch {
	case p.Origin != "":
		if err := s.renew(c.Secrets, p.Origin, p.Random); err != nil {
			return nil, err
		}
		if s, err = ReadSecrets(c.Secrets); err != nil {
			return nil, err
		}
	case newest == nil && size > 0:
		return nil, &moongate.Error{
			Code: moongate.Conflict, Message: fmt.Sprintf("the restored log has %d entries, and the world may have seen more", size),
			Hint: "give the newest checkpoint that anybody has with --published, or a new name for the log with --new-origin",
		}
	}
	r := &Released{Origin: s.Origin(), Verifier: s.Verifier, Entries: size}
	return r, errors.Join(os.Remove(path), journal.SyncDir(c.Data), context.Cause(ctx))
}

// holds makes the public log anew, and tells whether it holds a checkpoint.
func holds(c *Config, s *Secrets, newest *proof.Checkpoint) (size int64, err error) {
	j, err := journal.Open(filepath.Join(c.Data, "journal"), NewRooms(c).machine.Registry(), journal.Options{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	tmp, err := os.MkdirTemp("", "moongate-release-")
	if err != nil {
		return 0, fmt.Errorf("release: %w", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // a temporary directory
	l, err := journal.OpenLog(tmp, j, replica.LogSecret(s.Derive(nodeSecret)))
	if err != nil {
		return 0, err
	}
	if newest != nil {
		err = l.Holds(*newest)
	}
	return l.Size(), errors.Join(err, l.Close())
}

// Origin is the name that the public log is published under: the hub's, or, after a restore, another one.
func (s *Secrets) Origin() string { return s.signer.Name() }

// open verifies a checkpoint that this hub signed, now or under an earlier origin.
func (s *Secrets) open(signed []byte) (c proof.Checkpoint, err error) {
	for _, v := range s.verifiers() {
		if c, _, err = proof.OpenCheckpoint(signed, v.Name(), note.VerifierList(v)); err == nil {
			break
		}
	}
	return c, err
}

// verifiers are the public halves of the log's key and of the earlier ones.
func (s *Secrets) verifiers() []note.Verifier {
	return append([]note.Verifier{s.verifier}, s.former...)
}

const formerKeys = "log.pub.*"

// renew gives the log a new name and key. The earlier ones are kept beside them, as old receipts verify under them.
func (s *Secrets) renew(dir, origin string, random func([]byte)) error {
	if !namePattern.MatchString(origin) {
		return &moongate.Error{Code: moongate.Malformed, Field: "new-origin", Message: fmt.Sprintf("%q cannot be the name of a log", origin), Hint: "a host name that is yours, with a path: hub.example.org/moongate-2"}
	}
	for _, v := range s.verifiers() {
		if v.Name() == origin {
			return &moongate.Error{Code: moongate.Conflict, Field: "new-origin", Message: fmt.Sprintf("the log was published as %s before", origin), Hint: "choose a name that it never had"}
		}
	}
	signer, verifier, err := logKey(origin, random)
	if err != nil {
		return err
	}
	for _, name := range []string{logSecretFile, logPublicFile} {
		old := filepath.Join(dir, name)
		if err := os.Rename(old, fmt.Sprintf("%s.%08x", old, s.verifier.KeyHash())); err != nil {
			return fmt.Errorf("secrets: %w", err)
		}
	}
	return errors.Join(
		journal.WriteFile(filepath.Join(dir, logSecretFile), []byte(signer+"\n"), 0o600),
		journal.WriteFile(filepath.Join(dir, logPublicFile), []byte(verifier+"\n"), 0o600))
}

// quarantineText explains the file to who finds it.
func quarantineText(m *Manifest) []byte {
	return fmt.Appendf(nil, `Restored from a backup of %s (event %d).
Wallets are asked and not told, webhooks and checkpoints wait, until an operator has compared open payments with the
wallets and runs: moongate restore release
`, m.Made.Format(time.RFC3339), m.Position)
}

// signedUnder tells whether a verifier key is the log's, or was under an earlier origin.
func (s *Secrets) signedUnder(key string) bool {
	v, err := note.NewVerifier(key)
	return err == nil && slices.ContainsFunc(s.verifiers(), func(own note.Verifier) bool { return own.Name() == v.Name() && own.KeyHash() == v.KeyHash() })
}
