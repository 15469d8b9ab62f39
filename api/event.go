package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/proof"
)

// Bounds of reading events.
const (
	eventsPage  = 100              // events in one page, unless asked for fewer or more
	streamLimit = 30 * time.Minute // then the reader connects again, with its cursor
	streamWrite = 30 * time.Second // that a reader may take to take in what is sent
)

// Feed is a page of events, oldest first.
type Feed struct {
	Items []hub.Event `json:"items" nullable:"false"`
	Next  string      `json:"next" doc:"Cursor to go on from; the same page again later shows what came since."`
	More  bool        `json:"more" doc:"There may be more behind it already."`
}

type eventInput struct {
	After string `query:"after" maxLength:"128" doc:"Cursor of an event or a page; the beginning where it is missing."`
	Limit int    `query:"limit" default:"100" minimum:"1" maximum:"500"`
}

func (a *API) eventRoutes() {
	const tag = "Events"
	o := op{
		path: "/v1/events", id: "events", tag: tag, summary: "Read events, or follow them", scope: party.EventsRead,
		detail: "Everything that happened and that the caller may see, oldest first, each with the fields that are open to it. With `Accept: text/event-stream` the answer is a stream of server-sent events: `id` is the cursor, `event` the kind, `data` the event. It goes on behind `Last-Event-ID`.",
	}
	register(a, o, func(ctx context.Context, who Principal, in *eventInput) (Feed, error) {
		at, err := a.hub.OpenCursor(who.Handle, in.After)
		if err != nil {
			return Feed{}, err
		}
		events, next, more, err := a.hub.Events(ctx, who.reader(), at, in.Limit)
		if events == nil {
			events = []hub.Event{}
		}
		return Feed{events, a.hub.Cursor(who.Handle, next), more}, err
	}, a.streamed)
	operation := a.huma.OpenAPI().Paths[o.path].Get
	operation.Responses["200"].Content["text/event-stream"] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	query(a, op{
		path: "/v1/events/{cursor}/receipt", id: "event-receipt", tag: tag, summary: "Prove an event", scope: party.EventsRead,
		detail: "A receipt shows, with the log's public key alone, that the event is in the public log, and opens the fields that the caller may see. It is there about a second after the event.",
	}, func(_ context.Context, who Principal, in *struct {
		Cursor string `path:"cursor" maxLength:"128"`
	},
	) (receipt, error) {
		at, err := a.hub.OpenCursor(who.Handle, in.Cursor)
		if err != nil {
			return receipt{}, err
		}
		return a.receipt(at, who, denied("event", in.Cursor))
	})
}

func (p Principal) reader() hub.Reader { return hub.Reader{Handle: p.Handle, All: p.Operates()} }

// receipt is proof.Receipt in the one spelling that it has.
type receipt struct{ proof.Receipt }

// MarshalJSON writes the receipt as it is verified.
func (r receipt) MarshalJSON() ([]byte, error) { return r.Marshal() }

// receipt proves the event at a position. Who may not see it is told so before anything else is looked at.
func (a *API) receipt(at journal.Position, who Principal, no error) (receipt, error) {
	e, err := a.hub.Node.Journal().Entry(at)
	if moongate.CodeOf(err) == moongate.NotFound || err == nil && !a.hub.Opens(who.reader(), e.Event) {
		return receipt{}, no
	}
	if err != nil {
		return receipt{}, err
	}
	r, err := a.hub.Receipt(at, who.reader())
	if moongate.CodeOf(err) == moongate.Busy { // its text says where the event stands
		return receipt{}, &moongate.Error{Code: moongate.Busy, Message: "no published checkpoint holds it yet", Hint: "ask again in two seconds"}
	}
	if err != nil {
		return receipt{}, err
	}
	return receipt{*r}, nil
}

// streamed turns a request for events into a stream where it asks for one.
func (a *API) streamed(c huma.Context, next func(huma.Context)) {
	if !strings.Contains(c.Header("Accept"), "text/event-stream") {
		next(c)
		return
	}
	r, w := humago.Unwrap(c)
	who, err := principal(r.Context())
	var at journal.Position
	if err == nil {
		after := r.URL.Query().Get("after")
		if id := r.Header.Get("Last-Event-ID"); id != "" {
			after = id
		}
		at, err = a.hub.OpenCursor(who.Handle, after)
	}
	if err == nil && !a.load.enterStream(&a.Bounds, who.Handle) {
		err = &moongate.Error{Code: moongate.Busy, Message: "too many streams are open", Hint: "close some, or read pages"}
	}
	if err != nil {
		writeProblem(w, r, err)
		return
	}
	defer a.load.leaveStream(who.Handle)
	if leave, ok := r.Context().Value(leaveKey).(func()); ok {
		leave() // streams have bounds of their own
	}
	defer a.hub.Follow()()
	if err := a.stream(w, r, who, at); err != nil && r.Context().Err() == nil {
		a.hub.Log.Debug("a stream of events ended", "request", requestID(r.Context()), "error", err)
	}
}

// stream sends events as they become durable (WHATWG HTML, section 9.2); the event's id is the cursor. The pulse comes
// whatever happens, so that it tells nothing of what the reader may not see.
func (a *API) stream(w http.ResponseWriter, r *http.Request, who Principal, at journal.Position) error {
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // a proxy that gathers would hold events back
	w.WriteHeader(http.StatusOK)
	end, pulse := time.NewTimer(streamLimit), time.NewTicker(a.Bounds.Pulse)
	defer end.Stop()
	defer pulse.Stop()
	for first := true; ; first = false {
		_, moved := a.hub.Node.Durable()
		events, next, more, err := a.hub.Events(r.Context(), who.reader(), at, eventsPage)
		if err != nil {
			return err
		}
		at = next
		if len(events) > 0 || first {
			if err := a.send(w, rc, events); err != nil {
				return err
			}
		}
		if more {
			continue
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-end.C:
			return nil
		case <-moved:
		case <-pulse.C:
			// Whoever connects again need not look through it twice. It is said whether or not anything came: else its
			// absence would tell that the rest of the hub was quiet.
			if err := a.say(w, rc, []byte("id: "+a.hub.Cursor(who.Handle, at)+"\n\n")); err != nil {
				return err
			}
			if err := still(r.Context()); err != nil {
				return err // the credential was revoked, say: whoever connects again learns it
			}
		}
	}
}

func (a *API) send(w http.ResponseWriter, rc *http.ResponseController, events []hub.Event) error {
	var b bytes.Buffer
	for i := range events {
		data, err := json.Marshal(&events[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "id: %s\nevent: %s\ndata: %s\n\n", events[i].Cursor, events[i].Kind, data)
	}
	return a.say(w, rc, b.Bytes())
}

func (a *API) say(w http.ResponseWriter, rc *http.ResponseController, text []byte) error {
	if err := rc.SetWriteDeadline(a.hub.Now().Add(streamWrite)); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	return rc.Flush()
}
