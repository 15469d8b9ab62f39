package crossing

import (
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/share"
)

// scratch is the plans that stand in the command being decided, and memory to build them in. It is no state: another
// command starts anew.
type scratch struct {
	step    uint64
	plans   []*Plan
	builder builder
	wholes  replica.Spare[whole]
}

// Reuse lets go of the command's events.
func (s *State) Reuse() { s.scratch.wholes.Reuse() }

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
