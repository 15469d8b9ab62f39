package pay

import (
	"errors"
	"strconv"
	"strings"
)

// Verdict is what a failed call to a wallet proves about its effect.
type Verdict string

// Verdicts, from the most to the least that is known.
const (
	Refused Verdict = "refused"  // the wallet says no: nothing happened, and asking again gives the same
	NotDone Verdict = "not_done" // nothing happened, and the same request may succeed later
	Unknown Verdict = "unknown"  // it may have happened: ask by our own reference before doing anything else
)

// Failure is a call to a wallet that gave no outcome.
type Failure struct {
	Op      string // create, query, close, refund, refund query, certificates, bill
	Verdict Verdict
	Code    string // the wallet's own code, such as NOT_ENOUGH; empty where the wallet did not answer
	Status  int    // HTTP status; 0 where there was none
	Message string // for people; carries no secret and no signature
	Hint    string // what to look at in the account's configuration, where the answer tells; for the operator
	cause   error
}

// Fail makes a failure with its cause, which Unwrap gives back and Error does not print: transports put whole URLs and
// headers into theirs.
func Fail(op string, v Verdict, message string, cause error) *Failure {
	return &Failure{Op: op, Verdict: v, Message: message, cause: cause}
}

// Error is "op: message (status CODE): verdict".
func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(f.Op)
	b.WriteString(": ")
	b.WriteString(f.Message)
	if f.Status != 0 || f.Code != "" {
		b.WriteString(" (")
		b.WriteString(strings.TrimSpace(strconv.Itoa(f.Status) + " " + f.Code))
		b.WriteString(")")
	}
	b.WriteString(": ")
	b.WriteString(string(f.Verdict))
	return b.String()
}

// Unwrap gives the cause, nil where there is none.
func (f *Failure) Unwrap() error { return f.cause }

// VerdictOf tells what an error from a [Wallet] proves. An error that is no [*Failure] proves nothing, so it is Unknown;
// nil is the empty verdict.
func VerdictOf(err error) Verdict {
	if err == nil {
		return ""
	}
	var f *Failure
	if errors.As(err, &f) && f.Verdict != "" {
		return f.Verdict
	}
	return Unknown
}
