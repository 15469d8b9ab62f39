package world

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Network carries HTTP requests to handlers by host, on the caller's goroutine: no socket, no waiting, nothing that two
// runs could do differently. It is an http.RoundTripper.
type Network struct{ hosts map[string]http.RoundTripper }

// NewNetwork makes one that reaches nobody yet.
func NewNetwork() *Network { return &Network{hosts: map[string]http.RoundTripper{}} }

// Handle has a handler answer for a host (with its port, where URLs name one).
func (n *Network) Handle(host string, h http.Handler) { n.hosts[host] = handled{h} }

// Carry has a transport answer for a host.
func (n *Network) Carry(host string, t http.RoundTripper) { n.hosts[host] = t }

// Cut takes a host off the network: it cannot be reached until it is handled again.
func (n *Network) Cut(host string) { delete(n.hosts, host) }

// RoundTrip implements http.RoundTripper.
func (n *Network) RoundTrip(r *http.Request) (*http.Response, error) {
	t := n.hosts[r.URL.Host]
	if t == nil {
		return nil, &net.OpError{Op: "dial", Net: "memory", Err: fmt.Errorf("nobody answers at %s", r.URL.Host)}
	}
	return t.RoundTrip(r)
}

// handled carries requests to one handler.
type handled struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (h handled) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	var body []byte
	if r.Body != nil {
		body, err = io.ReadAll(r.Body)
		if closeErr := r.Body.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(r.Context()) // a server ends a request's context when it has answered
	defer cancel()
	in := r.Clone(ctx)
	in.RequestURI, in.RemoteAddr, in.Proto, in.ProtoMajor, in.ProtoMinor = r.URL.RequestURI(), "127.0.0.1:1", "HTTP/1.1", 1, 1
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.URL.Scheme, in.URL.Host = "", "" // as a server reads it
	in.Body, in.ContentLength = http.NoBody, int64(len(body))
	if len(body) > 0 {
		in.Body = io.NopCloser(bytes.NewReader(body))
	}
	out := &reply{header: http.Header{}}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			answer, err = nil, &net.OpError{Op: "read", Net: "memory", Err: io.ErrUnexpectedEOF}
		default:
			panic(p)
		}
	}()
	h.handler.ServeHTTP(out, in)
	out.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: fmt.Sprintf("%d %s", out.status, http.StatusText(out.status)), StatusCode: out.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: out.sent,
		Body: io.NopCloser(&out.body), ContentLength: int64(out.body.Len()), Request: r,
	}, nil
}

// reply is an http.ResponseWriter that keeps what is written. Deadlines mean nothing where nothing waits.
type reply struct {
	header, sent http.Header
	status       int
	body         bytes.Buffer
}

func (w *reply) Header() http.Header { return w.header }

func (w *reply) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *reply) Write(b []byte) (int, error) {
	if w.status == 0 {
		if w.header.Get("Content-Type") == "" {
			w.header.Set("Content-Type", http.DetectContentType(b))
		}
		w.WriteHeader(http.StatusOK)
	}
	return w.body.Write(b)
}

// Flush, and the deadlines that an http.ResponseController sets.
func (w *reply) Flush()                           {}
func (w *reply) SetReadDeadline(time.Time) error  { return nil }
func (w *reply) SetWriteDeadline(time.Time) error { return nil }
