package sandbox

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// memoryPatience is when a client in memory gives up on a delayed answer.
const memoryPatience = 5 * time.Second

// InMemory carries requests to this wallet without sockets, whatever host they name. Nothing waits, so a program under a
// virtual clock need not either: a wallet that drops the connection, or delays an answer by five seconds or more, looks
// like a timeout at once; a shorter delay has no effect.
func (w *Wallet) InMemory() http.RoundTripper { return carrier{w} }

type (
	carrier  struct{ w *Wallet }
	inMemory struct{} // context key
)

// RoundTrip implements http.RoundTripper.
func (c carrier) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(context.WithValue(r.Context(), inMemory{}, true))
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:0"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			answer, err = nil, &net.OpError{Op: "read", Net: "memory", Err: errTimeout{}}
		default:
			panic(p)
		}
	}()
	out := &memory{header: http.Header{}, status: http.StatusOK}
	c.w.ServeHTTP(out, in)
	return &http.Response{
		Status: http.StatusText(out.status), StatusCode: out.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.header, Body: io.NopCloser(&out.body), ContentLength: int64(out.body.Len()), Request: r,
	}, nil
}

// memory is an http.ResponseWriter.
type memory struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (m *memory) Header() http.Header         { return m.header }
func (m *memory) WriteHeader(status int)      { m.status = status }
func (m *memory) Write(b []byte) (int, error) { return m.body.Write(b) }

// errTimeout is what a client sees of a wallet that does not answer.
type errTimeout struct{}

func (errTimeout) Error() string   { return "no answer in time" }
func (errTimeout) Timeout() bool   { return true }
func (errTimeout) Temporary() bool { return true }

var _ net.Error = errTimeout{}
