package hub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Reader is on whose behalf something is read.
type Reader struct {
	Handle string
	All    bool // an operator whose credential says so: everything is opened
}

// opens tells whether the reader may open a group of an event.
func (r Reader) opens(e journal.Event, audience string) bool {
	return r.All || journal.Opens(e, audience, r.Handle)
}

// Event is an event as one participant may see it.
type Event struct {
	ID     string          `json:"id"`     // the same however often the reader gets it
	Cursor string          `json:"cursor"` // hand it back to go on behind this event
	Kind   string          `json:"kind"`
	At     moongate.Time   `json:"at"`
	Data   json.RawMessage `json:"data"`

	Position journal.Position `json:"-"`
}

var errEnough = errors.New("enough")

// scanTime is how long one call may look for a reader's events in a long journal.
const scanTime = 10 * time.Second

// Events gives the durable events behind a position that a reader may see, oldest first, limit at most; next is where
// to go on, and more tells that there may be others before the journal's end. A page is full unless the end was
// reached, or the scan took too long: how much happened at everybody else's does not show.
func (h *Hub) Events(ctx context.Context, reader Reader, after journal.Position, limit int) (events []Event, next journal.Position, more bool, err error) {
	next = after
	var found []journal.Entry
	take := func(e *fed) bool {
		if len(found) == limit {
			more = true
			return false
		}
		next = e.entry.Position
		if e.opens(reader) {
			found = append(found, e.entry)
		}
		return true
	}
	if !h.feed.recent(after, take) {
		if err := h.scan(ctx, reader.Handle, after, take, &more); err != nil {
			return nil, after, false, err
		}
	}
	for _, e := range found {
		one, err := h.Show(reader, e)
		if err != nil {
			return nil, after, false, err
		}
		if one != nil {
			events = append(events, *one)
		}
	}
	return events, next, more, nil
}

// scan reads the journal for a reader that is far behind. Only a few do so at once, and each of them once.
func (h *Hub) scan(ctx context.Context, reader string, after journal.Position, take func(*fed) bool, more *bool) error {
	ctx, cancel := context.WithTimeout(ctx, scanTime)
	defer cancel()
	busy := &moongate.Error{Code: moongate.Busy, Message: "too many readers are catching up", Hint: "ask again in a second"}
	leave, err := h.feed.turns.take(ctx, reader)
	if err != nil {
		return busy
	}
	defer leave()
	select {
	case h.feed.scans <- struct{}{}:
		defer func() { <-h.feed.scans }()
	case <-ctx.Done():
		return busy
	}
	n := 0
	err = h.Node.Journal().Entries(after+1, func(e journal.Entry) error {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			*more = true
			return errEnough
		}
		one := fed{entry: e}
		one.readers, one.public = h.feed.readersOf(e.Event)
		if !take(&one) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

var eventText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// EventID names an event towards one reader. It follows from the event, so that two nodes say the same, and tells
// nothing of its place in the journal.
func (h *Hub) EventID(reader string, at journal.Position) string {
	m := hmac.New(sha256.New, h.derivePlace("moongate/event/v1"))
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(at)))
	m.Write([]byte(reader))
	return "evt_" + strings.ToLower(eventText.EncodeToString(m.Sum(nil)[:15]))
}

// Opens tells whether a reader may see anything of an event.
func (h *Hub) Opens(reader Reader, e journal.Event) bool {
	one := fed{}
	one.readers, one.public = h.feed.readersOf(e)
	return one.opens(reader)
}

// Show gives an event as a reader may see it, nil where the reader may see nothing of it.
func (h *Hub) Show(reader Reader, e journal.Entry) (*Event, error) {
	data, err := h.machine.Registry().Open(e.Event, func(audience string) bool { return reader.opens(e.Event, audience) })
	if err != nil || data == nil {
		return nil, err
	}
	return &Event{
		ID: h.EventID(reader.Handle, e.Position), Cursor: h.Cursor(reader.Handle, e.Position), Kind: e.Event.EventKind(), At: e.At, Data: data, Position: e.Position,
	}, nil
}
