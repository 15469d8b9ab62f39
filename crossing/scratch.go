package crossing

import (
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/share"
)

// scratch is the plans that stand in the command being decided, and memory to build them in. It is no state: another
// command starts anew.
type scratch struct {
	step    uint64
	plans   []*Plan
	builder builder
	wholes  []*whole
	used    int // of them, by this command
}

// keptWholes is for how many crossings of one command memory is kept.
const keptWholes = 64

func (c *scratch) whole() *whole {
	if c.used == len(c.wholes) {
		if c.used == keptWholes {
			return new(whole)
		}
		c.wholes = append(c.wholes, new(whole))
	}
	c.used++
	return c.wholes[c.used-1]
}

// Reuse empties the memory of the command's events: whoever kept some of it is found out at once.
func (s *State) Reuse() {
	c := &s.scratch
	for _, w := range c.wholes[:c.used] {
		*w = whole{}
	}
	c.used = 0
}

// whole is what an event consists of: of most crossings all of it.
type whole struct {
	event    Recorded
	sides    [few]Side
	lines    [manyLines]Line
	postings [few]ledger.Posting
	pointers [few]*Side
	numbers  [few]uint32
	before   [few]journal.Position
	payees   [1]Sold
	cast     [few - 2]Part
	touches  [2]share.Touch
}

// Most crossings have at most so many sides, postings and lines.
const (
	few       = 6
	manyLines = 16
)

// sized is a list of so many, in the room given if there is enough.
func sized[T any](room []T, n int) []T {
	if n > len(room) {
		return make([]T, n)
	}
	return room[:n]
}
