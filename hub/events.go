package hub

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Event is an event as one participant may see it.
type Event struct {
	Cursor string          `json:"cursor"` // hand it back to go on behind this event
	Kind   string          `json:"kind"`
	At     moongate.Time   `json:"at"`
	Data   json.RawMessage `json:"data"`

	Position journal.Position `json:"-"`
}

var errEnough = errors.New("enough")

// Events gives the durable events behind a position that a participant may see, oldest first, limit at most; next is
// where to go on. At most scan events are looked at, so that one answer costs a bounded time: more tells that there
// are others behind.
func (h *Hub) Events(_ context.Context, reader string, after journal.Position, limit, scan int) (events []Event, next journal.Position, more bool, err error) {
	operator := h.isOperator(reader)
	next = after
	err = h.Node.Journal().Entries(after+1, func(e journal.Entry) error {
		if len(events) == limit || scan == 0 {
			more = true
			return errEnough
		}
		scan--
		next = e.Position
		data, err := h.machine.Registry().Open(e.Event, func(audience string) bool {
			return operator || journal.Opens(e.Event, audience, reader)
		})
		if err != nil || data == nil {
			return err
		}
		events = append(events, Event{Cursor: h.Cursor(reader, e.Position), Kind: e.Event.EventKind(), At: e.At, Data: data, Position: e.Position})
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return events, next, more, err
}

func (h *Hub) isOperator(reader string) (ok bool) {
	if reader != "" {
		h.machine.Read(func() { ok = h.Party.IsOperator(reader) })
	}
	return ok
}
