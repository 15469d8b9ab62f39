package moongate

import (
	"errors"
	"strings"
)

// Code says what kind of refusal an [Error] is. The set is small and closed; api maps each to one HTTP status.
type Code string

// Codes of refusal.
const (
	Malformed       Code = "malformed"       // the request itself is wrong; it leaves no trace
	Unauthenticated Code = "unauthenticated" // who is asking is not established
	Forbidden       Code = "forbidden"       // who is asking may not
	NotFound        Code = "not_found"       // it does not exist, or the caller may not know that it does
	Conflict        Code = "conflict"        // the thing is in a state that does not allow this
	KeyReused       Code = "key_reused"      // the idempotency key was used for another request
	Refused         Code = "refused"         // terms, policy or a wallet say no
	Limit           Code = "limit"           // an account, quota or cap would be exceeded
	TooLarge        Code = "too_large"       // the input is larger than allowed
	Busy            Code = "busy"            // no room now; try again later
	Unknown         Code = "unknown"         // the outcome is not known; retry with the same key
	Internal        Code = "internal"        // our fault
)

// Error is a refusal a person can act on: what was wrong (with the value), where, and what to do.
type Error struct {
	Code    Code   `json:"code" cbor:"1,keyasint"`
	Message string `json:"message" cbor:"2,keyasint"`
	Field   string `json:"field,omitempty" cbor:"3,keyasint,omitempty"` // JSON pointer or path of the offending field
	Hint    string `json:"hint,omitempty" cbor:"4,keyasint,omitempty"`
}

// Error is "field: message; hint".
func (e *Error) Error() string {
	var b strings.Builder
	if e.Field != "" {
		b.WriteString(e.Field)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(e.Hint)
	}
	return b.String()
}

// CodeOf gives the code of an error, [Internal] for one that is not an [*Error], and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
