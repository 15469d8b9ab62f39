package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moongate-hub/moongate"
)

// MaxBody is how many bytes a request may have.
const MaxBody = 1 << 20

// Bounds are what is served at once. What goes beyond is turned away at once, with 503 and Retry-After: what is under
// way goes on, and memory has a ceiling.
type Bounds struct {
	Requests    int64 // under way
	Bytes       int64 // of bodies under way
	Streams     int64 // of events
	StreamsEach int   // of one participant's

	Pulse time.Duration // between signs of life on a stream, whatever happens
}

// DefaultBounds suit a small machine.
var DefaultBounds = Bounds{Requests: 4096, Bytes: 128 << 20, Streams: 1024, StreamsEach: 16, Pulse: 15 * time.Second}

// load is what is under way.
type load struct {
	requests, bytes, streams atomic.Int64

	mu   sync.Mutex // guards each
	each map[string]int
}

func enter(n *atomic.Int64, by, most int64) bool {
	if n.Add(by) > most {
		n.Add(-by)
		return false
	}
	return true
}

func (l *load) enterStream(b *Bounds, who string) bool {
	if !enter(&l.streams, 1, b.Streams) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each[who] >= b.StreamsEach {
		l.streams.Add(-1)
		return false
	}
	if l.each == nil {
		l.each = map[string]int{}
	}
	l.each[who]++
	return true
}

func (l *load) leaveStream(who string) {
	l.streams.Add(-1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each[who]--; l.each[who] == 0 {
		delete(l.each, who)
	}
}

// Timeouts that a slow client cannot stretch: of a request's header, of its header and body together, and of taking the
// answer in. An answer that is written for longer has a time for each write: see [hub.Patient].
const (
	HeaderTimeout  = 5 * time.Second
	RequestTimeout = 20 * time.Second
	AnswerTimeout  = time.Minute
)

// Server is an http.Server with these time-outs, and a bound on its connections.
func Server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: HeaderTimeout, ReadTimeout: RequestTimeout, WriteTimeout: AnswerTimeout, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug), ConnState: NewConnections(MaxConnections()).Watch,
	}
}

// bounded lets only so many requests in.
func (a *API) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !enter(&a.load.requests, 1, a.Bounds.Requests) {
			writeProblem(w, r, &moongate.Error{Code: moongate.Busy, Message: "too many requests are under way", Hint: "send it again in a second, with the same key"})
			return
		}
		var once sync.Once
		leave := func() { once.Do(func() { a.load.requests.Add(-1) }) }
		defer leave()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), leaveKey, leave)))
	})
}

// buffered reads the body whole, within its bounds of size, time and memory, before anybody looks at it.
func (a *API) buffered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || uploads(r) {
			next.ServeHTTP(w, r)
			return
		}
		var held int64
		defer func() { a.load.bytes.Add(-held) }()
		body, err := readBody(w, r, func(n int) bool {
			if !enter(&a.load.bytes, int64(n), a.Bounds.Bytes) {
				return false
			}
			held += int64(n)
			return true
		})
		if err != nil {
			writeProblem(w, r, err)
			return
		}
		r.Body = &heldBody{Reader: bytes.NewReader(body), all: body}
		next.ServeHTTP(w, r)
	})
}

// heldBody is a body that was read whole.
type heldBody struct {
	*bytes.Reader
	all []byte
}

// Close does nothing: the body is read already.
func (*heldBody) Close() error { return nil }

func bodyOf(r *http.Request) []byte {
	if b, ok := r.Body.(*heldBody); ok {
		return b.all
	}
	return nil
}

// firstRoom is the memory that a body gets at first. It gets more as it comes: who only announces much holds nothing.
const firstRoom = 8 << 10

// readBody reads a body into memory that it claims as it needs it.
func readBody(w http.ResponseWriter, r *http.Request, claim func(int) bool) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, tooLarge()
	}
	full := &moongate.Error{Code: moongate.Busy, Message: "too many bytes are under way", Hint: "send it again in a second, with the same key"}
	room := firstRoom
	if r.ContentLength > 0 {
		room = min(room, int(r.ContentLength)+1) // one more shows the end
	}
	if !claim(room) {
		return nil, full
	}
	body := make([]byte, 0, room)
	from := http.MaxBytesReader(w, r.Body, MaxBody)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, brokenOff(err)
		case len(body) == cap(body):
			more := min(cap(body), MaxBody+1-cap(body))
			if !claim(more) {
				return nil, full
			}
			body = append(make([]byte, 0, cap(body)+more), body...)
		}
	}
}

func brokenOff(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w (%w)", &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("the body did not arrive within %v", RequestTimeout), Hint: "send it again, faster, with the same key"}, os.ErrDeadlineExceeded)
	}
	return &moongate.Error{Code: moongate.Malformed, Message: "the body did not arrive whole", Hint: "send it again with the same key"}
}

func tooLarge() error {
	return &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("the body has more than %d bytes", MaxBody), Hint: "send less at once"}
}
