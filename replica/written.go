package replica

import (
	"bytes"

	"github.com/moongate-hub/moongate/journal"
)

// written is the records of a group of entries, and the memory that they stand in. Journal and public log read them;
// when the log is done the memory is used again: a fifth of all that a busy hub allocates.
type written struct {
	records []journal.Record
	done    []journal.Done
	events  []journal.Stored
	groups  []journal.Group
	bytes   bytes.Buffer
}

// writtenPool keeps a few, and none that an unusual group made large.
type writtenPool chan *written

const (
	writtenKept = 4
	writtenMost = 8 << 20
)

func (p writtenPool) get() *written {
	select {
	case m := <-p:
		return m
	default:
		// Not nil: a command without an event has an empty list, whoever writes it down.
		return &written{events: make([]journal.Stored, 0, 64)}
	}
}

func (p writtenPool) put(m *written) {
	if m.bytes.Cap() > writtenMost {
		return
	}
	clear(m.records) // what they point to may go
	clear(m.done)
	clear(m.events)
	clear(m.groups)
	m.records, m.done, m.events, m.groups = m.records[:0], m.done[:0], m.events[:0], m.groups[:0]
	m.bytes.Reset()
	select {
	case p <- m:
	default:
	}
}

// usualBytes is what the events of a command usually have.
const usualBytes = 1024

// encode makes the records of a group. Slices of them stay good when the memory behind them grows: they keep the old.
func (n *Node) encode(group []*applied) (*written, error) {
	m := n.written.get()
	outcomes := 0
	for _, a := range group {
		outcomes += len(a.outcomes)
	}
	m.bytes.Grow(outcomes * usualBytes)
	for _, a := range group {
		first := len(m.done)
		for i := range a.outcomes {
			o := &a.outcomes[i]
			if !o.trace {
				continue
			}
			from := len(m.events)
			for e := range o.events {
				st, groups, err := n.machine.registry.EncodeIn(o.events[e].Event, &m.bytes, m.groups)
				if err != nil {
					return nil, err
				}
				m.groups, m.events = groups, append(m.events, st)
			}
			o.done.Events = m.events[from:len(m.events):len(m.events)]
			m.done = append(m.done, o.done)
		}
		r := journal.Record{Index: a.index, Term: a.term, Sum: a.sum, First: a.first}
		if len(m.done) > first {
			r.Done = m.done[first:len(m.done):len(m.done)]
		}
		m.records = append(m.records, r)
	}
	return m, nil
}
