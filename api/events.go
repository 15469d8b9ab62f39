package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
)

// Bounds of one read of events.
const (
	eventsScan  = 20_000           // events looked at in one go
	eventsPage  = 200              // events in one page
	streamPause = 15 * time.Second // a comment keeps the stream alive
	streamLimit = 30 * time.Minute // then the reader connects again, with its cursor
)

// EventPage is a page of events.
type EventPage struct {
	Events []hub.Event `json:"events"`
	Next   string      `json:"next" doc:"Cursor to go on from; the same page again later shows what came since."`
	More   bool        `json:"more"`
}

func (a *API) eventRoutes() {
	a.mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, r *http.Request) {
		who, err := principal(r.Context())
		if err == nil {
			err = who.need(party.EventsRead, false)
		}
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		after := r.URL.Query().Get("after")
		if id := r.Header.Get("Last-Event-ID"); id != "" {
			after = id
		}
		at, err := a.hub.OpenCursor(who.Handle, after)
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		if r.Header.Get("Accept") == "text/event-stream" {
			a.stream(w, r, who.Handle, at)
			return
		}
		events, next, more, err := a.hub.Events(r.Context(), who.Handle, at, eventsPage, eventsScan)
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(EventPage{events, a.hub.Cursor(who.Handle, next), more}) //nolint:errcheck,errchkjson // the client is gone
	})
}

// stream sends events as they become durable (WHATWG server-sent events); the event id is the cursor.
func (a *API) stream(w http.ResponseWriter, r *http.Request, reader string, at journal.Position) {
	rc := http.NewResponseController(w)
	if err := rc.SetReadDeadline(time.Time{}); err != nil {
		writeProblem(w, r, &moongate.Error{Code: moongate.Internal, Message: "this connection cannot stream"})
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	end := time.NewTimer(streamLimit)
	defer end.Stop()
	for {
		_, moved := a.hub.Node.Durable()
		events, next, more, err := a.hub.Events(r.Context(), reader, at, eventsPage, eventsScan)
		if err != nil {
			a.hub.Log.Error("event stream", "request", requestID(r.Context()), "error", err)
			return
		}
		at = next
		for i := range events {
			if _, err := fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", events[i].Cursor, events[i].Kind, mustJSON(&events[i])); err != nil {
				return
			}
		}
		if err := rc.Flush(); err != nil {
			return
		}
		if more {
			continue
		}
		pause := time.NewTimer(streamPause)
		select {
		case <-r.Context().Done():
			pause.Stop()
			return
		case <-end.C:
			pause.Stop()
			return
		case <-moved:
			pause.Stop()
		case <-pause.C:
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil {
				return
			}
		}
	}
}

func mustJSON(e *hub.Event) []byte {
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // its data is JSON already
	}
	return b
}
