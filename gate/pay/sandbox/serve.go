package sandbox

import (
	"context"
	"io"
	"net/http"
	"time"
)

// Request is a request that the wire has read and authenticated.
type Request struct {
	Ops    []Op                            // what it asks for, under every name that a fault may use
	No     string                          // the order or refund it is about, for faults
	Do     func(hit Hits) Reply            // does the work; under the lock
	Refuse func(code string, _ Hits) Reply // an error of the catalogue instead; under the lock
}

// Reply is an answer before it is signed.
type Reply struct {
	Status int
	Body   []byte
	// Seal signs: it writes headers, and gives the body that goes out. A bare answer has no signature, a spoiled one a
	// wrong one. It is called without the lock.
	Seal func(h http.Header, how Signing) ([]byte, error)
}

// Signing is how an answer is signed.
type Signing int

// Ways to sign.
const (
	Signed  Signing = iota
	Bare            // not at all
	Spoiled         // wrongly, on purpose
)

// ServeHTTP implements http.Handler.
func (w *Wallet) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	closed, skew, now := w.closed, w.skew, w.Now()
	w.mu.Unlock()
	if closed {
		http.Error(rw, "sandbox wallet is closed", http.StatusInternalServerError)
		return
	}
	if skew != 0 { // who has a wrong clock says a wrong time
		rw.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	}
	w.mux.ServeHTTP(rw, r)
}

// ServeAPI lets the wire read a request, lets faults interfere, does the work, and signs the answer. read is called
// under the lock, with an error where the body is too large; a reply instead of a request turns the client away.
func (w *Wallet) ServeAPI(rw http.ResponseWriter, r *http.Request, read func(body []byte, err error) (Request, *Reply)) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	w.mu.Lock()
	q, turned := read(body, err)
	if turned != nil {
		w.mu.Unlock()
		write(rw, *turned, Signed)
		return
	}
	hit := w.Hits(q.No, q.Ops...)
	if hit[DropBefore] != nil {
		w.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	var a Reply
	if f := hit[Refuse]; f != nil {
		a = q.Refuse(f.Code, hit)
	} else {
		a = q.Do(hit)
	}
	w.mu.Unlock()

	if f := hit[Delay]; f != nil && !pause(r.Context(), f.Delay) {
		panic(http.ErrAbortHandler) // the work is done; nobody waits for the answer
	}
	switch {
	case hit[DropAfter] != nil:
		panic(http.ErrAbortHandler)
	case hit[Garbage] != nil:
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = rw.Write([]byte("<html><body>502 Bad Gateway</body></html>")) // a client that has gone is its own affair
	case hit[Unsigned] != nil:
		write(rw, a, Bare)
	case hit[Probe] != nil:
		write(rw, a, Spoiled)
	default:
		write(rw, a, Signed)
	}
}

func write(rw http.ResponseWriter, a Reply, how Signing) {
	body, err := a.Seal(rw.Header(), how)
	if err != nil {
		http.Error(rw, "answer cannot be signed", http.StatusInternalServerError)
		return
	}
	rw.WriteHeader(a.Status)
	_, _ = rw.Write(body) // a client that has gone is its own affair
}

// pause waits as a slow wallet does; false where the client gave up first. In memory nothing waits.
func pause(ctx context.Context, d time.Duration) bool {
	if ctx.Value(inMemory{}) != nil {
		return d < memoryPatience
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
