package journal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/proof"
)

// Witnesses' signatures come some seconds after the log's own, so the newest checkpoint has none yet. The newest that has
// some stands in a file beside it, outside journal and state: it says nothing that the journal does not give again, but
// for the signatures, which the witnesses give again.

const cosignedName = "checkpoint.cosigned"

// cosignedFor is how long a cosigned checkpoint is shown in place of a newer one without cosignatures. Beyond, the witnesses
// are gone, and the log goes on without them.
const cosignedFor = moongate.Minute

// cosigned is a checkpoint with the signatures of witnesses.
type cosigned struct {
	signed []byte
	signer string // the log's name and key
	size   int64
	until  int64 // number of the last interval at which it is shown
}

// Cosigned keeps a checkpoint of this log that witnesses have cosigned, in place of an older one.
func (l *Log) Cosigned(signed []byte) error {
	l.mu.Lock()
	c, err := l.cosignedOf(signed)
	if err == nil && l.cosigned != nil && l.cosigned.signer == c.signer && l.cosigned.size > c.size {
		err = &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("a checkpoint of %d entries was cosigned, and here is one of %d", l.cosigned.size, c.size), Hint: "keep the larger one"}
	}
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(l.dir, cosignedName), signed, 0o644, l.journal.opt.Sync); err != nil {
		return err
	}
	l.mu.Lock()
	l.cosigned = c
	l.mu.Unlock()
	return nil
}

// cosignedOf places a checkpoint in the log. Call it under the lock.
func (l *Log) cosignedOf(signed []byte) (*cosigned, error) {
	c, err := proof.ReadSigned(signed)
	if err != nil {
		return nil, err
	}
	if err := l.holds(c); err != nil {
		return nil, err
	}
	of := &cosigned{signed: signed, signer: signerOf(signed), size: c.Size}
	if i := sort.Search(len(l.rows), func(i int) bool { return l.rows[i].End >= c.Size }); i < len(l.rows) {
		of.until = l.rows[i].Number + int64(cosignedFor/proof.IntervalLength)
	}
	return of, nil
}

// loadCosigned reads what witnesses had cosigned before the start.
func (l *Log) loadCosigned() error {
	path := filepath.Join(l.dir, cosignedName)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	l.cosigned, err = l.cosignedOf(b)
	if err != nil && !errors.Is(err, ErrBeyond) {
		return &Damage{File: path, Reason: err.Error()}
	}
	return err
}

// CosignedCheckpoint is the newest checkpoint that witnesses have cosigned, nil before the first, and after the log's key
// was changed.
func (l *Log) CosignedCheckpoint() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cosigned == nil || !l.ours(l.cosigned) {
		return nil
	}
	return l.cosigned.signed
}

// ours tells whether a checkpoint was signed by the key that the log has now. Call it under the lock.
func (l *Log) ours(c *cosigned) bool { return c.signer == signerOf(l.signed) }

// signerOf names the key of a checkpoint's first signature, which is the log's: its name and its hash (C2SP signed-note).
func signerOf(signed []byte) string {
	_, lines, _ := strings.Cut(string(signed), "\n\n")
	line, _, _ := strings.Cut(strings.TrimPrefix(lines, "— "), "\n")
	name, signature, _ := strings.Cut(line, " ")
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || len(raw) < 4 {
		return ""
	}
	return fmt.Sprintf("%s+%x", name, raw[:4])
}

// Head is what is shown as the log's checkpoint: the newest that witnesses have cosigned, or, where that is missing or
// more than a minute old, the newest of all.
func (l *Log) Head() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.cosigned; c != nil && l.ours(c) && len(l.rows) > 0 && l.rows[len(l.rows)-1].Number <= c.until {
		return c.signed
	}
	return l.signed
}

// best is the checkpoint under which an entry is proved: a cosigned one where it holds the entry. Call it under the lock.
func (l *Log) best(entry int64) []byte {
	if c := l.cosigned; c != nil && l.ours(c) && entry < c.size {
		return c.signed
	}
	return l.signed
}

// Consistency proves that the tree of one size begins with that of an older one.
func (l *Log) Consistency(older, size int64) ([]proof.Hash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if older == 0 {
		return nil, nil
	}
	return l.tree.Consistency(older, size)
}
