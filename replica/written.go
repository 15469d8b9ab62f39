package replica

import (
	"bytes"

	"github.com/moongate-hub/moongate/journal"
)

// written is an entry's record and the memory that it stands in: events are encoded as soon as their command is decided,
// so that their own memory can serve the next. Journal and public log read the record; when the log is done the memory is
// used again.
type written struct {
	record journal.Record // whole after close
	done   []journal.Done
	events []journal.Stored
	groups []journal.Group
	bytes  bytes.Buffer
}

func newWritten() *written {
	// Not nil: a command without an event has an empty list, whoever writes it down.
	return &written{events: make([]journal.Stored, 0, 64)}
}

// writtenPool keeps some, and none that an unusual entry made large.
type writtenPool chan *written

const (
	writtenKept = 32
	writtenMost = 1 << 20
)

func (p writtenPool) get() *written {
	select {
	case w := <-p:
		return w
	default:
		return newWritten()
	}
}

func (p writtenPool) put(w *written) {
	if w.bytes.Cap() > writtenMost {
		return
	}
	w.record = journal.Record{}
	clear(w.done) // what they point to may go
	clear(w.events)
	clear(w.groups)
	w.done, w.events, w.groups = w.done[:0], w.events[:0], w.groups[:0]
	w.bytes.Reset()
	select {
	case p <- w:
	default:
	}
}

// usualBytes is what the events of a command usually have.
const usualBytes = 1024

// add writes a command down with its events. Slices of them stay good when the memory behind them grows: they keep the
// old.
func (w *written) add(r *journal.Registry, done *journal.Done, events []journal.Entry) error {
	from := len(w.events)
	for i := range events {
		st, groups, err := r.EncodeIn(events[i].Event, &w.bytes, w.groups)
		if err != nil {
			return err
		}
		w.groups, w.events = groups, append(w.events, st)
	}
	done.Events = w.events[from:len(w.events):len(w.events)]
	w.done = append(w.done, *done)
	return nil
}

// close makes the record of a raft entry, of which the first event was due at a position.
func (w *written) close(index, term uint64, sum uint32, first journal.Position) {
	w.record = journal.Record{Index: index, Term: term, Sum: sum, First: first}
	if len(w.done) > 0 {
		w.record.Done = w.done
	}
}
