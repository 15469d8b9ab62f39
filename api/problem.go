package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/moongate-hub/moongate"
)

// Problem is RFC 9457 problem details. The type is a URN that ends in one of moongate's codes.
type Problem struct {
	Type     string  `json:"type" example:"urn:moongate:limit"`
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail,omitempty" doc:"What was wrong, with its value."`
	Code     string  `json:"code" enum:"malformed,unauthenticated,forbidden,not_found,conflict,key_reused,refused,limit,too_large,busy,unknown,internal"`
	Field    string  `json:"field,omitempty" doc:"Where it is wrong."`
	Hint     string  `json:"hint,omitempty" doc:"What to do about it."`
	Faults   []Fault `json:"faults,omitempty" doc:"All faults, where there are several."`
	Instance string  `json:"instance,omitempty" doc:"The request's id, for the operator's log."`
}

// Fault is one of several things that are wrong.
type Fault struct {
	Field  string `json:"field,omitempty"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

// codes maps each code to its status and title: the only place that does.
var codes = map[moongate.Code]struct {
	status int
	title  string
}{
	moongate.Malformed:       {http.StatusBadRequest, "The request is malformed"},
	moongate.Unauthenticated: {http.StatusUnauthorized, "Who is asking is not established"},
	moongate.Forbidden:       {http.StatusForbidden, "Not allowed"},
	moongate.NotFound:        {http.StatusNotFound, "Not found"},
	moongate.Conflict:        {http.StatusConflict, "The state does not allow this"},
	moongate.KeyReused:       {http.StatusUnprocessableEntity, "The idempotency key was used for another request"},
	moongate.Refused:         {http.StatusUnprocessableEntity, "Refused"},
	moongate.Limit:           {http.StatusUnprocessableEntity, "A limit would be exceeded"},
	moongate.TooLarge:        {http.StatusRequestEntityTooLarge, "Too large"},
	moongate.Busy:            {http.StatusServiceUnavailable, "No room now"},
	moongate.Unknown:         {http.StatusServiceUnavailable, "The outcome is unknown"},
	moongate.Internal:        {http.StatusInternalServerError, "Something went wrong here"},
}

// ProblemOf translates an error. What is internal keeps its cause to itself.
func ProblemOf(err error) *Problem {
	var e *moongate.Error
	if !errors.As(err, &e) {
		e = &moongate.Error{Code: moongate.Internal, Message: "the hub could not do this", Hint: "try again with the same key; the operator's log says why"}
	}
	c, ok := codes[e.Code]
	if !ok {
		c = codes[moongate.Internal]
	}
	p := &Problem{Type: "urn:moongate:" + string(e.Code), Title: c.title, Status: c.status, Code: string(e.Code), Detail: e.Message, Field: e.Field, Hint: e.Hint}
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, one := range many.Unwrap() {
			var f *moongate.Error
			if errors.As(one, &f) {
				p.Faults = append(p.Faults, Fault{f.Field, f.Message, f.Hint})
			}
		}
	}
	return p
}

// Error makes a problem an error.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus is what huma answers with.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is application/problem+json.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// huma's own findings (a missing field, a wrong type) become problems too.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		for _, err := range errs {
			var e *moongate.Error
			if errors.As(err, &e) {
				return ProblemOf(err)
			}
		}
		code := moongate.Malformed
		for c, v := range codes {
			if v.status == status && status != http.StatusUnprocessableEntity && status != http.StatusServiceUnavailable {
				code = c
			}
		}
		p := ProblemOf(&moongate.Error{Code: code, Message: msg})
		for _, err := range errs {
			var d huma.ErrorDetailer
			if errors.As(err, &d) {
				detail := d.ErrorDetail()
				value := ""
				if detail.Value != nil {
					if b, err := json.Marshal(detail.Value); err == nil && len(b) <= 80 {
						value = fmt.Sprintf(" (got %s)", b)
					}
				}
				p.Faults = append(p.Faults, Fault{Field: strings.TrimPrefix(detail.Location, "body."), Detail: detail.Message + value})
			} else if err != nil {
				p.Faults = append(p.Faults, Fault{Detail: err.Error()})
			}
		}
		if len(p.Faults) > 0 {
			p.Field, p.Detail = p.Faults[0].Field, p.Faults[0].Detail
		}
		return p
	}
}

// writeProblem answers outside huma.
func writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := ProblemOf(err)
	p.Instance = requestID(r.Context())
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="moongate"`)
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errcheck,errchkjson // the client is gone
}
