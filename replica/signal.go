package replica

import (
	"sync"

	"github.com/moongate-hub/moongate/journal"
)

// signal announces how far the journal is durable: a position, and the index of a record, which may have no events.
type signal struct {
	mu     sync.Mutex
	at     journal.Position
	index  uint64
	ch     chan struct{}
	closed bool
}

func newSignal(at journal.Position, index uint64) *signal {
	return &signal{at: at, index: index, ch: make(chan struct{})}
}

func (s *signal) get() (journal.Position, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.ch
}

func (s *signal) set(at journal.Position, index uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if index <= s.index || s.closed {
		return
	}
	s.at, s.index = at, index
	close(s.ch)
	s.ch = make(chan struct{})
}

func (s *signal) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.ch)
	}
}
