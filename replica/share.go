package replica

import (
	"sync"

	"github.com/moongate-hub/moongate"
)

// shares count the idempotency keys that each caller has used in the last one or two windows. They are no state: a
// restart forgets them, and only admission looks.
type shares struct {
	mu       sync.Mutex // guards the rest
	old, new map[string]int
	since    moongate.Time
}

// add counts a key, and tells how many the caller has used.
func (s *shares) add(caller string, now, window moongate.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.new == nil || now-s.since > window {
		s.old, s.new, s.since = s.new, map[string]int{}, now
	}
	s.new[caller]++
	return s.new[caller] + s.old[caller]
}

// admitKey refuses a key that there is no room for. What is known already is old work, and goes on. The last quarter of
// the memory is for those who have not used half of it themselves: nobody fills it for all.
func (n *Node) admitKey(caller string, key [16]byte) error {
	core := n.machine.core
	used := int(n.keys.Load())
	if used >= core.limits.Keys-core.limits.Keys/4 {
		known := false
		n.machine.Read(func() { known = core.keys.Has(key) })
		if known {
			return nil
		}
	}
	own := 0
	if caller != "" {
		own = n.shares.add(caller, n.opt.Clock(), core.limits.KeyWindow)
	}
	switch most := core.limits.Keys; {
	case used >= most:
		return &moongate.Error{Code: moongate.Busy, Message: "the memory for idempotency keys is full", Hint: "try again later with the same key; work under way goes on"}
	case used >= most-most/4 && own > most/2:
		return &moongate.Error{Code: moongate.Busy, Message: "the memory for idempotency keys is nearly full, and half of it holds yours", Hint: "try again later with the same key; ask the operator for a larger limit"}
	}
	return nil
}
