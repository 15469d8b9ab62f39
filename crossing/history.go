package crossing

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Reader reads the journal's entry at a position.
type Reader func(journal.Position) (journal.Entry, error)

// Walk visits the crossings under one agreement, newest first, from a position on its chain ([State.Head] is the
// newest) back to a time, that time included, or until visit says no. Pending ones are visited as they were recorded.
func Walk(read Reader, agreement moongate.ID, from journal.Position, since moongate.Time, visit func(journal.Position, *Recorded) bool) error {
	for from != 0 {
		e, err := read(from)
		if err != nil {
			return fmt.Errorf("crossing: history of %s: %w", agreement, err)
		}
		r, ok := e.Event.(*Recorded)
		if !ok || r.Agreement != agreement || r.Before >= from {
			return fmt.Errorf("crossing: history of %s: event %d is not on its chain", agreement, from)
		}
		if r.At < since || !visit(from, r) {
			return nil
		}
		from = r.Before
	}
	return nil
}
