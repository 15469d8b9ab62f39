package client

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/moongate-hub/moongate"
)

// Failure is what a hub answered instead of what was asked for. It wraps a [*moongate.Error].
type Failure struct {
	Status  int               // of HTTP
	Request string            // the request's id, to ask the operator about
	Faults  []*moongate.Error // all of them, where there are several
	err     *moongate.Error
}

// Error is the refusal's text.
func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(f.err.Error())
	for _, fault := range f.Faults {
		b.WriteString("\n  " + fault.Error())
	}
	return b.String()
}

// Unwrap gives the refusal.
func (f *Failure) Unwrap() error { return f.err }

// problemOf reads RFC 9457 problem details. What is no problem came from something between us and the hub.
func problemOf(resp *http.Response, body []byte) error {
	type fault struct {
		Field  string `json:"field"`
		Detail string `json:"detail"`
		Hint   string `json:"hint"`
	}
	var p struct {
		Code moongate.Code `json:"code"`
		fault
		Faults   []fault `json:"faults"`
		Instance string  `json:"instance"`
	}
	f := &Failure{Status: resp.StatusCode, Request: resp.Header.Get("Request-Id")}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && kind == "application/problem+json" && json.Unmarshal(body, &p) == nil && p.Code != "" {
		f.err = &moongate.Error{Code: p.Code, Message: p.Detail, Field: p.Field, Hint: p.Hint}
		for _, one := range p.Faults {
			f.Faults = append(f.Faults, &moongate.Error{Code: p.Code, Message: one.Detail, Field: one.Field, Hint: one.Hint})
		}
		return f
	}
	f.err = &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("%s, and no word of a hub", resp.Status), Hint: "check the URL, and what stands between here and the hub"}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode >= 500 {
		f.err.Code = moongate.Unknown
	}
	return f
}
