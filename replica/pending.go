package replica

import (
	"cmp"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate/journal"
)

// PendingEffect is an effect whose outcome is not known, with the event that asks for it.
type PendingEffect struct {
	Position journal.Position
	Pending
}

// DeadEffect is an effect that was given up.
type DeadEffect struct {
	Position journal.Position
	Dead
}

// Pending lists the effects that wait behind a position, up to another (0: no bound), in order.
func (m *Machine) Pending(after, upTo journal.Position) []PendingEffect {
	var out []PendingEffect
	m.Read(func() {
		if m.core.pending.Len() == 0 {
			return
		}
		for at, p := range m.core.pending.All() {
			if at > after && (upTo == 0 || at <= upTo) {
				out = append(out, PendingEffect{at, p})
			}
		}
	})
	slices.SortFunc(out, func(a, b PendingEffect) int { return cmp.Compare(a.Position, b.Position) })
	return out
}

// IsPending tells whether an effect still waits for its outcome.
func (m *Machine) IsPending(at journal.Position) (ok bool) {
	m.Read(func() { ok = m.core.pending.Has(at) })
	return ok
}

// Buried lists the effects that were given up, in order.
func (m *Machine) Buried() []DeadEffect {
	var out []DeadEffect
	m.Read(func() {
		for at, d := range m.core.dead.All() {
			out = append(out, DeadEffect{at, d})
		}
	})
	slices.SortFunc(out, func(a, b DeadEffect) int { return cmp.Compare(a.Position, b.Position) })
	return out
}

// queue is the positions of a peer's pending effects, in order. Some may be settled already.
type queue struct {
	at      []journal.Position
	settled int
	turn    uint64 // another one when the queue was made anew or an effect came back in front of others
}

// await notes a pending effect.
func (c *core) await(at journal.Position, p Pending) {
	c.pending.Put(at, p)
	q := c.queue(p.Peer)
	if n := len(q.at); n == 0 || q.at[n-1] < at {
		q.at = append(q.at, at)
		return
	}
	c.turns++
	q.turn = c.turns
	if i, found := slices.BinarySearch(q.at, at); found {
		q.settled-- // it was, and had not been swept
	} else {
		q.at = slices.Insert(q.at, i, at)
	}
}

func (c *core) queue(peer string) *queue {
	q := c.queues[peer]
	if q == nil {
		c.turns++
		q = &queue{turn: c.turns}
		c.queues[peer] = q
	}
	return q
}

// settled forgets a pending effect.
func (c *core) settled(at journal.Position) {
	p, ok := c.pending.Get(at)
	if !ok {
		return
	}
	c.pending.Delete(at)
	q := c.queues[p.Peer]
	q.settled++
	switch {
	case q.settled == len(q.at):
		delete(c.queues, p.Peer)
	case q.settled > 64 && q.settled > len(q.at)/2:
		q.at = slices.DeleteFunc(q.at, func(at journal.Position) bool { return !c.pending.Has(at) })
		q.settled = 0
	}
}

// requeue makes the queues anew from the state.
func (c *core) requeue() {
	clear(c.queues)
	for at, p := range c.pending.All() {
		q := c.queue(p.Peer)
		q.at = append(q.at, at)
	}
	for _, q := range c.queues {
		slices.Sort(q.at)
	}
}

// Peer is one of those for whom effects wait.
type Peer struct {
	Name    string
	Waiting int
	Turn    uint64 // another one: effects may have come back in front of others, start again from the first
}

// Peers lists the peers, by name.
func (m *Machine) Peers() []Peer {
	var out []Peer
	m.Read(func() {
		for name, q := range m.core.queues {
			out = append(out, Peer{name, len(q.at) - q.settled, q.turn})
		}
	})
	slices.SortFunc(out, func(a, b Peer) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// PendingOf lists a peer's effects that wait behind a position, up to another (0: no bound) and at most limit, in order.
func (m *Machine) PendingOf(peer string, after, upTo journal.Position, limit int) []PendingEffect {
	var out []PendingEffect
	m.Read(func() {
		q := m.core.queues[peer]
		if q == nil {
			return
		}
		from, found := slices.BinarySearch(q.at, after)
		if found {
			from++
		}
		for _, at := range q.at[from:] {
			if upTo != 0 && at > upTo || len(out) == limit {
				break
			}
			if p, ok := m.core.pending.Get(at); ok {
				out = append(out, PendingEffect{at, p})
			}
		}
	})
	return out
}
