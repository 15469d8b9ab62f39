package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/moongate-hub/moongate"
)

// maxSigned bounds a file that is sent with a signature: it is held in memory, to be signed.
const maxSigned = 1 << 20

// Upload sends a file, such as a wallet's bill, and reads what the hub made of it. It is sent once, for it cannot be read
// again; the answer may take as long as the hub needs to read it. A large one needs a token: what is signed is held in
// memory, here and at the hub.
func Upload[A any](ctx context.Context, c *Client, path string, query url.Values, file io.Reader) (answer A, err error) {
	r := request{method: http.MethodPost, path: path, query: query}
	req, err := http.NewRequestWithContext(ctx, r.method, c.address(&r), io.NopCloser(file))
	if err != nil {
		return answer, &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("%.80q is not a path", path), Hint: "escape what stands in it"}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/octet-stream")
	switch {
	case c.opt.Signer != nil:
		if err := c.signUpload(req, file); err != nil {
			return answer, err
		}
	case c.opt.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.opt.Token)
	}
	unknown := &moongate.Error{Code: moongate.Unknown, Message: "the hub was not reached, or did not answer", Hint: "send the file again: what was taken in already is not taken in twice"}
	resp, err := c.patient().Do(req)
	if err != nil {
		var bad *url.Error
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return answer, fmt.Errorf("%w (%w)", unknown, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return answer, fmt.Errorf("%w (%w)", unknown, err)
	case resp.StatusCode >= 300:
		return answer, problemOf(resp, body)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return answer, fmt.Errorf("client: answer of %s %s: %w", r.method, path, err)
	}
	return answer, nil
}

// signUpload gives a request a file as its body, and signs both.
func (c *Client) signUpload(req *http.Request, file io.Reader) error {
	body, err := io.ReadAll(io.LimitReader(file, maxSigned+1))
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	if len(body) > maxSigned {
		return &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("the file has more than the %d bytes that may be sent with a signature", maxSigned), Hint: "send it with a token"}
	}
	key, err := c.Key()
	if err != nil {
		return err
	}
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	req.Header.Set("Idempotency-Key", key)
	return c.opt.Signer.Sign(req, body)
}

// patient is the client's HTTP, which waits for an answer that takes its time.
func (c *Client) patient() *http.Client {
	t, ok := c.opt.HTTP.Transport.(*http.Transport)
	if !ok {
		return c.opt.HTTP
	}
	h := *c.opt.HTTP
	t = t.Clone()
	t.ResponseHeaderTimeout = 0
	t.DisableKeepAlives = true // it is used once
	h.Transport = t
	return &h
}
