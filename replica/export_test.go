package replica

import (
	"context"
	"path/filepath"

	"github.com/hashicorp/raft"

	"github.com/moongate-hub/moongate/journal"
)

// Held is how many bytes are admitted and not answered.
func (n *Node) Held() int64 { return n.held.Load() }

// Queued is how many requests wait to be put into a raft entry.
func (n *Node) Queued() int {
	n.queue.mu.Lock()
	defer n.queue.mu.Unlock()
	return n.queue.tickets.len()
}

// InFlight is how many batches are on their way through raft.
func (n *Node) InFlight() (count int) {
	n.local.Range(func(any, any) bool { count++; return true })
	return count
}

// Applied counts the raft entries with commands that were applied since the last snapshot, or the start.
func (n *Node) Applied() int64 { return n.items.Load() }

// Refold folds a record of the journal into a machine.
func Refold(m *Machine, r *journal.Record) error { return m.refold(r) }

// Due tells whether a snapshot is due after so many bytes of log.
func (n *Node) Due(logged int64) bool {
	defer n.logged.Store(n.logged.Swap(logged))
	return n.due()
}

// SnapshotKeeping takes a snapshot and keeps about so many bytes of raft's log behind it.
func (n *Node) SnapshotKeeping(trailing int64) error {
	n.snap.Lock()
	defer n.snap.Unlock()
	return n.snapshot(trailing)
}

// Newest reads which of a directory's snapshots counts.
func Newest(dir, node string) (*raft.SnapshotMeta, error) {
	s, err := openSnapshots(filepath.Join(dir, "raft"), node, nil)
	if err != nil {
		return nil, err
	}
	all, err := s.List()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// BreakStore closes the file of raft's log and stable store under it.
func (n *Node) BreakStore() error { return n.store.bolt.Close() }

// Vote writes into raft's stable store, as raft does.
func (n *Node) Vote(term uint64) error { return n.store.SetUint64([]byte("LastVoteTerm"), term) }

// StopRaft tells raft to stop, and does not wait.
func (n *Node) StopRaft() { n.raft.Shutdown() }

// Hashing tells whether a state is being hashed: a command that says the hash is still to come.
func (n *Node) Hashing() bool { return n.hashing.Load() > 0 }

// TakeHash has the state hashed now.
func (n *Node) TakeHash(ctx context.Context) error { return n.takeHash(ctx) }

// Compared counts the hashes that were recorded and found to be the same.
func (m *Machine) Compared() uint64 { return m.hashes.compared() }
