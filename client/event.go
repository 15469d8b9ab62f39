package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
)

// Event is something that happened, as far as the reader may see it.
type Event struct {
	ID     string          `json:"id"`     // the same however often the reader gets it
	Cursor string          `json:"cursor"` // to go on behind it
	Kind   string          `json:"kind"`
	At     moongate.Time   `json:"at"`
	Data   json.RawMessage `json:"data"`
}

const (
	maxLine = 8 << 20          // of a stream
	silence = 45 * time.Second // after which a connection is given up: the hub says something every fifteen
)

// Events gives what happens, as it happens, from behind a cursor on ("" is the beginning). Where the connection breaks
// it is made again and goes on behind the last event. The iteration ends when the context does, or with an error that
// no new connection cures.
func (c *Client) Events(ctx context.Context, after string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		failures := 0
		for ctx.Err() == nil {
			got, stop, err := c.stream(ctx, &after, yield)
			if stop || ctx.Err() != nil {
				return
			}
			if got {
				failures = 0
			}
			if err != nil && !again(err) {
				yield(Event{}, err)
				return
			}
			if failures++; failures > c.opt.Tries {
				yield(Event{}, err)
				return
			}
			if !got && c.opt.Pause(ctx, c.backoff(failures)) != nil {
				return
			}
		}
	}
}

// stream reads one connection: whether it gave events, whether the caller wants no more.
func (c *Client) stream(ctx context.Context, after *string, yield func(Event, error) bool) (got, stop bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	r := request{method: http.MethodGet, path: "/v1/events", accept: "text/event-stream", header: http.Header{}}
	if *after != "" {
		r.header.Set("Last-Event-ID", *after)
	}
	resp, err := c.send(ctx, r)
	if err != nil {
		return false, false, err
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return false, false, r.unknown("the answer broke off", err)
		}
		return false, false, problemOf(resp, body)
	}
	err = readStream(resp.Body, func() { watch.Reset(silence) }, func(id string, data []byte) error {
		got = true
		if id != "" {
			*after = id
		}
		if data == nil { // only says how far the reader is
			return nil
		}
		var e Event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("client: event: %w", err)
		}
		if stop = !yield(e, nil); stop {
			return errStop
		}
		return nil
	})
	switch {
	case errors.Is(err, errStop):
		return got, true, nil
	case err == nil || errors.Is(err, io.EOF):
		return true, false, nil // the hub ends a stream now and then
	}
	return got, false, err
}

var errStop = errors.New("stop")

// readStream reads server-sent events (WHATWG HTML, section 9.2), of which the hub uses id, event and one line of data.
func readStream(from io.Reader, alive func(), event func(id string, data []byte) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	id, data := "", []byte(nil)
	for lines.Scan() {
		alive()
		line := lines.Text()
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "" && (data != nil || id != ""):
			if err := event(id, data); err != nil {
				return err
			}
			id, data = "", nil
		case name == "id":
			id = value
		case name == "data":
			data = append(append(data, value...), '\n')
		}
	}
	switch err := lines.Err(); {
	case err == nil:
		return io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		return &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("an event has more than %d bytes", maxLine)}
	default:
		return (&request{}).unknown("the stream broke off", err)
	}
}
