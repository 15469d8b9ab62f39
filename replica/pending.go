package replica

import (
	"slices"

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
	slices.SortFunc(out, func(a, b PendingEffect) int { return compare(a.Position, b.Position) })
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
	slices.SortFunc(out, func(a, b DeadEffect) int { return compare(a.Position, b.Position) })
	return out
}

func compare(a, b journal.Position) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
