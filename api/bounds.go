package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
}

// DefaultBounds suit a small machine.
var DefaultBounds = Bounds{Requests: 4096, Bytes: 128 << 20, Streams: 1024, StreamsEach: 16}

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

// Timeouts that a slow client cannot stretch: of a request's header, and of its header and body together.
const (
	HeaderTimeout  = 5 * time.Second
	RequestTimeout = 20 * time.Second
)

// Server is an http.Server with these time-outs.
func Server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: HeaderTimeout, ReadTimeout: RequestTimeout, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
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
		if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		size := r.ContentLength
		if size < 0 {
			size = MaxBody // it does not say
		}
		if size > MaxBody {
			writeProblem(w, r, tooLarge())
			return
		}
		if !enter(&a.load.bytes, size, a.Bounds.Bytes) {
			writeProblem(w, r, &moongate.Error{Code: moongate.Busy, Message: "too many bytes are under way", Hint: "send it again in a second, with the same key"})
			return
		}
		defer a.load.bytes.Add(-size)
		body, err := readBody(w, r, size)
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

func readBody(w http.ResponseWriter, r *http.Request, size int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(size, 64<<10)))
	_, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, MaxBody))
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return b.Bytes(), nil
	case errors.As(err, &large):
		return nil, tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("%w (%w)", &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("the body did not arrive within %v", RequestTimeout), Hint: "send it again, faster, with the same key"}, os.ErrDeadlineExceeded)
	}
	return nil, &moongate.Error{Code: moongate.Malformed, Message: "the body did not arrive whole", Hint: "send it again with the same key"}
}

func tooLarge() error {
	return &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("the body has more than %d bytes", MaxBody), Hint: "send less at once"}
}
