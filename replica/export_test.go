package replica

import "github.com/moongate-hub/moongate/journal"

// Held is how many bytes are admitted and not answered.
func (n *Node) Held() int64 { return n.held.Load() }

// Queued is how many requests wait to be put into a raft entry.
func (n *Node) Queued() int { return len(n.queue) }

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
