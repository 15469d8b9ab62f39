package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
)

type backupVerb struct {
	configFlag
	File string `arg:"" help:"File to write; it must not exist."`
}

// Run works on a hub that is not running; a running one is asked over its API.
func (v backupVerb) Run(e *env) error {
	c, s, err := v.read()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(v.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &moongate.Error{Code: moongate.Conflict, Message: v.File + " exists already", Hint: "backups are never overwritten; use another name"}
	}
	if err != nil {
		return err
	}
	m, err := v.write(e, c, s, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(v.File))
	}
	return e.show(m, func(t *terminal) {
		t.line("%s %s: hub %s up to event %s, %d files", t.green("✓"), v.File, m.Hub, count(int64(m.Position)), len(m.Files))
		t.line("  The keys in %s are not in it: keep them elsewhere, the backup cannot be used without them.", c.Secrets)
	})
}

func (v backupVerb) write(e *env, c *hub.Config, s *hub.Secrets, f *os.File) (*hub.Manifest, error) {
	h, err := hub.Open(e.ctx, hub.Options{Config: c, Secrets: s, Now: e.now, Random: e.random, Virtual: true})
	if err != nil {
		return nil, err
	}
	m, err := h.Backup(f)
	return m, errors.Join(err, f.Sync(), h.Close())
}

type restoreVerb struct {
	From    restoreFrom    `cmd:"" help:"Make the data directory of a configuration from a backup."`
	Release restoreRelease `cmd:"" help:"End the quarantine that a restored hub starts in."`
	Raft    restoreRaft    `cmd:"" help:"Make raft's log and snapshot anew from the journal, where they are damaged or lost."`
}

type restoreFrom struct {
	configFlag
	File string `arg:"" type:"existingfile" help:"The backup."`
}

func (v restoreFrom) Run(e *env) error {
	c, s, err := v.read()
	if err != nil {
		return err
	}
	f, err := os.Open(v.File)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	m, done, err := hub.Restore(e.ctx, hub.Options{Config: c, Secrets: s, Now: e.now, Random: e.random}, f)
	if err != nil {
		return err
	}
	out := map[string]any{"hub": m.Hub, "position": m.Position, "made": m.Made, "state_hash": fmt.Sprintf("%x", done.Hash), "data": c.Data, "quarantine": true}
	return e.show(out, func(t *terminal) {
		t.line("%s %s holds hub %s up to event %s", t.green("✓"), c.Data, m.Hub, count(int64(m.Position)))
		t.line("  It starts in quarantine: wallets are asked, and nothing is sent to them, until you have compared")
		t.line("  open payments with the wallets and run: moongate restore release -c %s", v.Config)
	})
}

type restoreRelease struct {
	configFlag
	Published string `type:"existingfile" xor:"log" help:"The newest checkpoint of the public log that anybody has: a monitor, a witness, the lost disk." placeholder:"FILE"`
	NewOrigin string `xor:"log" help:"A new name for the public log, where the world has seen more of it than the backup holds, or nobody knows." placeholder:"NAME"`
}

func (v restoreRelease) Run(e *env) error {
	c, s, err := v.read()
	if err != nil {
		return err
	}
	p := hub.Published{Origin: v.NewOrigin, Random: e.random}
	if v.Published != "" {
		if p.Checkpoint, err = os.ReadFile(v.Published); err != nil {
			return err
		}
	}
	r, err := hub.Release(e.ctx, c, s, p)
	if errors.Is(err, journal.ErrBeyond) {
		return &moongate.Error{Code: moongate.Conflict, Message: err.Error(), Hint: "restore a newer backup, or go on under another name: moongate restore release --new-origin NAME"}
	}
	if err != nil {
		return err
	}
	return e.show(r, func(t *terminal) {
		t.line("%s the quarantine has ended; start the hub for it to send", t.green("✓"))
		t.line("  Its public log goes on at %s entries as %s, under the key %s", count(r.Entries), r.Origin, r.Verifier)
	})
}

type restoreRaft struct{ configFlag }

func (v restoreRaft) Run(e *env) error {
	c, s, err := v.read()
	if err != nil {
		return err
	}
	old, done, err := hub.RebuildRaft(hub.Options{Config: c, Secrets: s, Now: e.now, Random: e.random})
	if err != nil {
		return err
	}
	out := map[string]any{"position": done.Position, "state_hash": fmt.Sprintf("%x", done.Hash), "old": old}
	return e.show(out, func(t *terminal) {
		t.line("%s raft's files were made anew from the journal, up to event %s", t.green("✓"), count(int64(done.Position)))
		if old != "" {
			t.line("  The old ones are in %s: remove it once moongate fsck holds.", old)
		}
	})
}
