package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// tick lets time pass while this node leads.
func (n *Node) tick(ctx context.Context) {
	defer n.done.Done()
	t := time.NewTicker(n.opt.TickEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if n.Leads() {
			// Whatever goes wrong shows elsewhere, and the next tick does what this one would have done.
			_, _ = n.Submit(ctx, Request{Command: &Tick{}})
		}
	}
}

// housekeep takes a snapshot when enough log has gathered, and has the state hashed from time to time.
func (n *Node) housekeep(ctx context.Context) {
	defer n.done.Done()
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	erase := time.NewTicker(n.opt.EraseEvery)
	defer erase.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-erase.C:
			if err := n.Compact(); err != nil && ctx.Err() == nil {
				n.opt.Log.Error("compact", "error", err)
			}
		case <-t.C:
		}
		if n.due() {
			if err := n.Snapshot(); err != nil && ctx.Err() == nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
				n.opt.Log.Error("snapshot", "error", err)
			}
		}
		if n.opt.TickEvery > 0 && n.Leads() && n.hashDue() {
			_ = n.takeHash(ctx) // the next look does what this one would have done
		}
	}
}

// due tells whether a snapshot is: when so much log has gathered, and at least as much as the last snapshot was large.
// So all snapshots together write no more than the log does, however large the state is, and a start reads no more of
// the log than of the snapshot.
func (n *Node) due() bool { return n.logged.Load() >= max(n.opt.SnapshotBytes, n.imaged.Load()) }

// Snapshot writes the state down now, and lets raft forget the log before it.
func (n *Node) Snapshot() error {
	n.snap.Lock()
	defer n.snap.Unlock()
	return n.snapshot(n.opt.TrailingBytes)
}

// snapshot keeps about so many bytes of log behind it. The caller holds the lock.
func (n *Node) snapshot(trailing int64) error {
	bytes, items := n.logged.Load(), n.items.Load()
	if items > 0 || trailing == 0 {
		c := n.raft.ReloadableConfig()
		c.TrailingLogs = 0
		if trailing > 0 {
			c.TrailingLogs = uint64(max(16, trailing/max(1, bytes/items)))
		}
		if err := n.raft.ReloadConfig(c); err != nil {
			return fmt.Errorf("replica: %w", err)
		}
	}
	if err := n.raft.Snapshot().Error(); err != nil {
		return fmt.Errorf("replica: snapshot: %w", err)
	}
	n.logged.Add(-bytes)
	n.items.Add(-items)
	return nil
}

// Compact clears what was erased from the disk. A key that [Erase] took out of the vault still stands in raft's log, as
// part of the command that brought it, and in free pages of raft's and the vault's files. When Compact has returned, no
// file of this node holds a key that was erased before it was called: it takes a snapshot, lets raft forget all of the
// log before it, and writes both files anew. Without an erasure since the last time it does nothing.
func (n *Node) Compact() error {
	n.snap.Lock()
	defer n.snap.Unlock()
	ids, err := n.vault.Erased()
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := n.snapshot(0); err != nil {
		return err
	}
	if err := n.store.rewrite(); err != nil {
		n.fatal(err)
		return err
	}
	if err := n.vault.rewrite(); err != nil {
		n.fatal(err)
		return err
	}
	return n.vault.forget(ids)
}
