package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/party/httpsig"
)

// Options of a client. Either a token or a signer says who asks; without either only what is public answers.
type Options struct {
	URL    string          // of the hub, such as https://hub.example.org
	Token  string          // an API credential
	Signer *httpsig.Signer // a registered key; what moves money needs one
	Random io.Reader       // idempotency keys and pauses; crypto/rand.Reader
	HTTP   *http.Client    // nil: one with time-outs, that follows no redirect
	Tries  int             // of one request; 6
	// Pause waits before another try; nil waits by the clock.
	Pause func(ctx context.Context, d time.Duration) error
}

// Client is a hub as one participant sees it. It may be used by many goroutines.
type Client struct {
	opt      Options
	base     *url.URL
	position atomic.Pointer[string] // what the newest answer to a change gave
}

// Bounds of what a client takes in.
const (
	maxAnswer = 64 << 20
	firstWait = 100 * time.Millisecond
	longWait  = 5 * time.Second
	mostWait  = 30 * time.Second // that a hub may ask for
)

// New makes a client.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.URL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil || base.RawQuery != "" {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "url", Message: fmt.Sprintf("%.80q is not the URL of a hub", o.URL), Hint: "write it like https://hub.example.org"}
	}
	if o.Random == nil {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "random", Message: "the client has no randomness", Hint: "give it crypto/rand.Reader"}
	}
	if o.HTTP == nil {
		o.HTTP = defaultHTTP()
	}
	if o.Tries == 0 {
		o.Tries = 6
	}
	if o.Pause == nil {
		o.Pause = pause
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	return &Client{opt: o, base: base}, nil
}

// defaultHTTP has a time-out for everything but the reading of a stream.
func defaultHTTP() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 30 * time.Second
	t.MaxIdleConnsPerHost = 64
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// Key draws an idempotency key.
func (c *Client) Key() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(c.opt.Random, b[:]); err != nil {
		return "", fmt.Errorf("idempotency key: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// Do has a hub do something, once: it sends a command, again with the same key where the outcome is not known.
func Do[A any](ctx context.Context, c *Client, path string, command any) (A, error) {
	key, err := c.Key()
	if err != nil {
		var none A
		return none, err
	}
	return DoAs[A](ctx, c, key, path, command)
}

// DoAs is [Do] with an idempotency key of the caller's own: one that it keeps with its order, say, so that not even a
// crash between sending and hearing the answer has it done twice.
func DoAs[A any](ctx context.Context, c *Client, key, path string, command any) (answer A, err error) {
	body, err := json.Marshal(command)
	if err != nil {
		return answer, fmt.Errorf("client: %w", err)
	}
	return answer, c.call(ctx, request{method: http.MethodPost, path: path, key: key, body: body}, &answer)
}

// Get reads something.
func Get[A any](ctx context.Context, c *Client, path string, query url.Values) (answer A, err error) {
	return answer, c.call(ctx, request{method: http.MethodGet, path: path, query: query}, &answer)
}

// GetBytes reads something as it is sent.
func (c *Client) GetBytes(ctx context.Context, path string, query url.Values) ([]byte, error) {
	var b []byte
	return b, c.call(ctx, request{method: http.MethodGet, path: path, query: query}, &b)
}

// request is one request, however often it is sent.
type request struct {
	method, path string
	query        url.Values
	key          string
	body         []byte
	accept       string
	header       http.Header
}

// call sends a request until its outcome is known, or there is no more reason to hope.
func (c *Client) call(ctx context.Context, r request, to any) error {
	for try := 1; ; try++ {
		wait, err := c.once(ctx, r, to)
		if err == nil || try == c.opt.Tries || !again(err) || ctx.Err() != nil {
			return err
		}
		if wait == 0 {
			wait = c.backoff(try)
		}
		if stop := c.opt.Pause(ctx, min(wait, mostWait)); stop != nil {
			return errors.Join(err, stop)
		}
	}
}

// again tells whether the same request may have another outcome.
//
// A signature that was received before says so too: something between us and the hub, a proxy or our own transport, has
// sent the request twice, and what became of the first nobody has heard. Signed anew, under the same key, it is told.
func again(err error) bool {
	var e *moongate.Error
	if errors.As(err, &e) && e.Code == moongate.Unauthenticated && e.Field == party.NonceField {
		return true
	}
	code := moongate.CodeOf(err)
	return code == moongate.Unknown || code == moongate.Busy
}

// backoff doubles from try to try, give or take a half, so that those who failed together do not come back together.
func (c *Client) backoff(try int) time.Duration {
	d := min(firstWait<<min(try-1, 10), longWait)
	var b [2]byte
	if _, err := io.ReadFull(c.opt.Random, b[:]); err != nil {
		return d
	}
	return d/2 + d*time.Duration(binary.BigEndian.Uint16(b[:]))/(1<<16)
}

func (c *Client) once(ctx context.Context, r request, to any) (wait time.Duration, err error) {
	resp, err := c.send(ctx, r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return 0, r.unknown("the answer broke off", err)
	case len(body) > maxAnswer:
		return 0, &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("the answer has more than %d bytes", maxAnswer), Hint: "ask for less at once"}
	case resp.StatusCode >= 300:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return time.Duration(seconds) * time.Second, problemOf(resp, body)
	}
	if at := resp.Header.Get("Moongate-Position"); at != "" {
		c.position.Store(&at)
	}
	if raw, ok := to.(*[]byte); ok {
		*raw = body
		return 0, nil
	}
	if err := json.Unmarshal(body, to); err != nil {
		return 0, fmt.Errorf("client: answer of %s %s: %w", r.method, r.path, err)
	}
	return 0, nil
}

// address is where a request goes.
func (c *Client) address(r *request) string {
	text := c.base.Scheme + "://" + c.base.Host + c.base.Path + r.path
	if len(r.query) > 0 {
		text += "?" + r.query.Encode()
	}
	return text
}

// send sends a request once. It is signed anew each time: a signature counts once.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.address(&r), bytes.NewReader(r.body))
	if err != nil {
		return nil, &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("%.80q is not a path", r.path), Hint: "escape what stands in it"}
	}
	if len(r.body) > 0 {
		req.GetBody = nil // the transport would send it again by itself, with a signature that counts once
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json")
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	if len(r.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if at := c.position.Load(); at != nil && r.method == http.MethodGet {
		req.Header.Set("Moongate-Position", *at)
	}
	switch {
	case c.opt.Signer != nil:
		if err := c.opt.Signer.Sign(req, r.body); err != nil {
			return nil, err
		}
	case c.opt.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.opt.Token)
	}
	resp, err := c.opt.HTTP.Do(req)
	if err != nil {
		var bad *url.Error
		if errors.As(err, &bad) { // its text repeats the URL, which may carry what is secret
			err = bad.Err
		}
		return nil, r.unknown("the hub was not reached, or did not answer", err)
	}
	return resp, nil
}

// unknown is an outcome that nobody told.
func (r *request) unknown(what string, cause error) error {
	hint := "send the same request again with the same key"
	if r.key == "" {
		hint = "ask again; check the URL, and whether the hub runs"
	}
	return fmt.Errorf("%w (%w)", &moongate.Error{Code: moongate.Unknown, Message: what, Hint: hint}, cause)
}
