package alipay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer bounds what a wallet may send. A larger answer is none.
const maxAnswer = 1 << 20

// seen is what a call notes of its answer besides what the library gives.
type seen struct {
	status int
	serial string // of the certificate that the answer says it was signed with
}

type seenKey struct{}

// transport carries the library's requests. What is not 200, too large or no JSON is no answer of the gateway's.
type transport struct{ carrier http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.carrier.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	_ = answer.Body.Close() // what was read counts
	note, _ := r.Context().Value(seenKey{}).(*seen)
	if note != nil {
		note.status = answer.StatusCode
	}
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxAnswer:
		return nil, errors.New("answer is too large")
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("answer has status %d", answer.StatusCode)
	}
	var frame struct {
		Serial string `json:"alipay_cert_sn"`
	}
	if json.Unmarshal(body, &frame) != nil {
		return nil, errors.New("answer is not JSON")
	}
	if note != nil {
		note.serial = frame.Serial
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	return answer, nil
}

func watched(ctx context.Context) (context.Context, *seen) {
	note := &seen{}
	return context.WithValue(ctx, seenKey{}, note), note
}
