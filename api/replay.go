package api

import (
	"crypto/sha256"
	"sync"

	"github.com/moongate-hub/moongate"
)

// replayed remembers signed requests of the last minutes, so that one that is sent again and again costs no entry in
// the journal each time. The machine has the last word; this may forget.
type replayed struct {
	mu       sync.Mutex // guards the rest
	old, new map[[16]byte]struct{}
	since    moongate.Time
}

const (
	replayWindow = 11 * moongate.Minute // the longest that a signature can be valid from now
	replayMost   = 100_000
)

// again tells whether a nonce was seen before, and remembers it.
func (m *replayed) again(key, nonce string, now moongate.Time) bool {
	sum := sha256.Sum256([]byte(key + "\x00" + nonce))
	mark := [16]byte(sum[:16])
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.new == nil || now-m.since > replayWindow || len(m.new) >= replayMost {
		m.old, m.new, m.since = m.new, map[[16]byte]struct{}{}, now
	}
	if _, ok := m.old[mark]; ok {
		return true
	}
	if _, ok := m.new[mark]; ok {
		return true
	}
	m.new[mark] = struct{}{}
	return false
}
