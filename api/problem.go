package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/moongate-hub/moongate"
)

// Problem is RFC 9457 problem details. The type is a URN that ends in one of moongate's codes.
type Problem struct {
	Type     string  `json:"type" example:"urn:moongate:limit"`
	Title    string  `json:"title" example:"A limit would be exceeded"`
	Status   int     `json:"status" example:"422"`
	Detail   string  `json:"detail,omitempty" doc:"What was wrong, with its value."`
	Code     string  `json:"code" enum:"malformed,unauthenticated,forbidden,not_found,conflict,key_reused,refused,limit,too_large,busy,unknown,internal"`
	Field    string  `json:"field,omitempty" doc:"Where it is wrong."`
	Hint     string  `json:"hint,omitempty" doc:"What to do about it."`
	Faults   []Fault `json:"faults,omitempty" doc:"All faults, where there are several."`
	Instance string  `json:"instance,omitempty" doc:"The request's id, for the operator's log." example:"req_9f86d081884c7d65"`
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

const (
	maxFaults = 20  // listed in one problem
	maxDetail = 600 // bytes of one text
	maxField  = 120 // bytes of a field's name: an unknown one is the caller's own
)

// ProblemOf translates an error. What is internal keeps its cause to itself.
func ProblemOf(err error) *Problem {
	var e *moongate.Error
	if !errors.As(err, &e) || e.Code == moongate.Internal {
		e = &moongate.Error{Code: moongate.Internal, Message: "the hub could not do this", Hint: "try again with the same key; the operator's log says why"}
	}
	c, ok := codes[e.Code]
	if !ok {
		c, e = codes[moongate.Internal], &moongate.Error{Code: moongate.Internal, Message: "the hub could not do this"}
	}
	p := &Problem{Type: "urn:moongate:" + string(e.Code), Title: c.title, Status: c.status, Code: string(e.Code), Detail: short(e.Message), Field: cut(e.Field, maxField), Hint: e.Hint}
	if errors.Is(err, os.ErrDeadlineExceeded) && e.Code == moongate.Malformed {
		p.Status, p.Title = http.StatusRequestTimeout, "The request did not arrive in time"
	}
	var many interface{ Unwrap() []error }
	if errors.As(err, &many) {
		for _, one := range many.Unwrap() {
			var f *moongate.Error
			if errors.As(one, &f) && f.Code != moongate.Internal && len(p.Faults) < maxFaults {
				p.Faults = append(p.Faults, Fault{cut(f.Field, maxField), short(f.Message), f.Hint})
			}
		}
	}
	if len(p.Faults) == 1 {
		p.Faults = nil // it is the problem itself
	}
	return p
}

func short(s string) string { return cut(s, maxDetail) }

func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Error makes a problem an error.
func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// GetStatus is what huma answers with.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is application/problem+json.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders says how to authenticate, or when to come again.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="moongate"`)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
		h.Set("Connection", "close") // what still arrives is not waited for
	}
	return h
}

// huma's own findings (a missing field, a wrong type) become problems too. Names of fields are compared exactly: to Go,
// "Amount" and "amount" would be the same.
func init() {
	huma.ValidateStrictCasing = true
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError { return foundByHuma(status, msg, errs) }
	huma.NewErrorWithContext = func(c huma.Context, status int, msg string, errs ...error) huma.StatusError {
		p := foundByHuma(status, msg, errs)
		if c != nil {
			p.Instance = requestID(c.Context())
			for name, values := range p.GetHeaders() {
				c.SetHeader(name, values[0])
			}
		}
		return p
	}
}

func foundByHuma(status int, msg string, errs []error) *Problem {
	for _, err := range errs {
		var e *moongate.Error
		if errors.As(err, &e) {
			return ProblemOf(err)
		}
	}
	code := moongate.Malformed
	switch {
	case status == http.StatusRequestEntityTooLarge:
		code = moongate.TooLarge
	case status >= http.StatusInternalServerError:
		return ProblemOf(errors.Join(errs...))
	}
	p := ProblemOf(&moongate.Error{Code: code, Message: msg, Hint: "the reference at /docs shows every field"})
	if status == http.StatusUnsupportedMediaType {
		p.Status = status
	}
	slices.SortStableFunc(errs, func(a, b error) int { return strings.Compare(locationOf(a), locationOf(b)) }) // huma walks maps
	for _, err := range errs {
		if err == nil || len(p.Faults) == maxFaults {
			continue
		}
		var d huma.ErrorDetailer
		if !errors.As(err, &d) {
			p.Faults = append(p.Faults, Fault{Detail: short(err.Error())})
			continue
		}
		p.Faults = append(p.Faults, faultOf(d.ErrorDetail()))
	}
	if len(p.Faults) > 0 {
		p.Field, p.Detail = p.Faults[0].Field, p.Faults[0].Detail
	}
	if len(p.Faults) == 1 {
		p.Faults = nil
	}
	return p
}

// locationOf is where in the request huma found an error.
func locationOf(err error) string {
	var d huma.ErrorDetailer
	if errors.As(err, &d) {
		return d.ErrorDetail().Location
	}
	return ""
}

// faultOf says in our words what huma found: the field as the caller wrote it, and its value where that is short.
func faultOf(d *huma.ErrorDetail) Fault {
	f := Fault{Field: cut(fieldOf(d.Location), maxField), Detail: short(d.Message)}
	if rest, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
		name, _, _ := strings.Cut(rest, " ")
		f.Field, f.Detail = cut(strings.TrimPrefix(f.Field+"."+name, "."), maxField), "it is missing"
		return f
	}
	switch d.Value.(type) {
	case nil, map[string]any, []any:
		return f // an object would be shown whole
	}
	if b, err := json.Marshal(d.Value); err == nil && f.Field != "" && len(b) <= 80 {
		f.Detail += fmt.Sprintf(" (got %s)", b)
	}
	return f
}

// fieldOf shortens huma's "body.keys[0].public" and "query.limit" to what the caller wrote; the body itself is no field.
func fieldOf(location string) string {
	for _, in := range []string{"body.", "query.", "path.", "header."} {
		if rest, ok := strings.CutPrefix(location, in); ok {
			return rest
		}
	}
	return strings.TrimSuffix(location, "body")
}

// writeProblem answers outside huma.
func writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	p := ProblemOf(err)
	p.Instance = requestID(r.Context())
	write(w, p)
}

func write(w http.ResponseWriter, p *Problem) {
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone
}
