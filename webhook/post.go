package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Timeout is how long one try may take, from looking the name up to the answer's header.
const Timeout = 10 * time.Second

// perHost is how many messages are on their way to one host at once.
const perHost = 4

// Poster sends messages to addresses that participants chose: never to one that is not public, unless the hub itself is
// on loopback. The name is looked up once, and the connection goes to the very address that was checked.
type Poster struct {
	Loopback bool
	Resolve  func(ctx context.Context, host string) ([]netip.Addr, error) // nil: the system's resolver
	TLS      *tls.Config                                                  // nil: the system's roots
	Now      func() time.Time

	once   sync.Once
	client *http.Client
	hosts  places
}

// result is what became of one try.
type result struct {
	status int
	wait   time.Duration // that the endpoint asks for
	failed string        // empty where the endpoint took the message
}

var errNotPublic = errors.New("its host has an address that is not a public one")

func (p *Poster) start() {
	if p.Resolve == nil {
		p.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	p.hosts.width = perHost
	p.client = &http.Client{
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: p.dial, TLSClientConfig: p.TLS, TLSHandshakeTimeout: Timeout, MaxResponseHeaderBytes: 16 << 10,
			MaxIdleConns: 256, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, DisableCompression: true,
		},
	}
}

// Client gives the client that messages are sent with: it connects to public hosts alone, follows no redirect, and takes
// no longer than [Timeout]. The address has to pass [CheckURL] first.
func (p *Poster) Client() *http.Client {
	p.once.Do(p.start)
	return p.client
}

// dial connects to an address of a host that was checked.
func (p *Poster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if p.Loopback && isLocal(name) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	addresses := []netip.Addr{}
	if a, err := netip.ParseAddr(name); err == nil {
		addresses = append(addresses, a)
	} else if addresses, err = p.Resolve(ctx, name); err != nil {
		return nil, err
	}
	for _, a := range addresses {
		if !Public(a) { // one would be enough for whoever decides what a name stands for
			return nil, errNotPublic
		}
	}
	err = errNotPublic
	for _, a := range addresses[:min(len(addresses), 3)] {
		var conn net.Conn
		if conn, err = (&net.Dialer{Timeout: Timeout / 2}).DialContext(ctx, network, net.JoinHostPort(a.Unmap().String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// post sends a message once.
func (p *Poster) post(ctx context.Context, address string, keys [][]byte, m *Message) result {
	client := p.Client()
	if err := CheckURL(address, p.Loopback); err != nil { // the hub may have stopped to be on loopback
		return result{failed: err.Error()}
	}
	payload, err := m.Payload()
	if err != nil {
		return result{failed: err.Error()}
	}
	fields, err := headers(keys, m, p.Now(), payload)
	if err != nil {
		return result{failed: err.Error()}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(payload))
	if err != nil {
		return result{failed: "its address is not one"}
	}
	for name, value := range fields {
		r.Header.Set(name, value)
	}
	leave, err := p.hosts.enter(ctx, r.URL.Host)
	if err != nil {
		return result{failed: "the hub stopped"}
	}
	defer leave()
	resp, err := client.Do(r)
	if err != nil {
		return result{failed: said(err)}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return result{status: resp.StatusCode}
	}
	out := result{status: resp.StatusCode, failed: fmt.Sprintf("it answered %d", resp.StatusCode)}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		out.failed += "; redirects are not followed"
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		out.wait = min(time.Duration(seconds)*time.Second, time.Hour)
	}
	return out
}

// said is what an endpoint's owner is told of a failed try: its kind, and nothing of the hub's network.
func said(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var timeout net.Error
	switch {
	case errors.Is(err, errNotPublic):
		return errNotPublic.Error()
	case errors.As(err, &dns):
		return "its host was not found"
	case errors.As(err, &certificate):
		return "its certificate does not hold"
	case errors.As(err, &alert):
		return "it refused the TLS connection"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("it did not answer within %v", Timeout)
	}
	return "it could not be reached, or hung up"
}
