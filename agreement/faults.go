package agreement

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate"
)

// Faults is everything that is wrong with a document, in the order of the text. Each fault names its field, as in
// fees[1].tiers.steps[0].bps.
type Faults []*moongate.Error

// Error prints all faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, e := range f {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the faults one by one, so that errors.As finds a [*moongate.Error].
func (f Faults) Unwrap() []error {
	list := make([]error, len(f))
	for i, e := range f {
		list[i] = e
	}
	return list
}

// FaultsOf gives the list of faults in an error of this package.
func FaultsOf(err error) Faults {
	var list Faults
	if errors.As(err, &list) {
		return list
	}
	var one *moongate.Error
	if errors.As(err, &one) {
		return Faults{one}
	}
	return nil
}

// maxFaults bounds the list: after so many a reader starts over anyway.
const maxFaults = 100

// report collects faults and knows on which line each field stands.
type report struct {
	faults Faults
	lines  map[string]int
}

// add notes a fault at a field. The hint says what to do, and may be empty.
func (r *report) add(field, hint, format string, args ...any) {
	if len(r.faults) >= maxFaults {
		return
	}
	message := fmt.Sprintf(format, args...)
	if line := r.lineOf(field); line > 0 {
		message += fmt.Sprintf(" (line %d)", line)
	}
	r.faults = append(r.faults, &moongate.Error{Code: moongate.Malformed, Message: message, Field: field, Hint: hint})
}

// lineOf is the line of a field, or of the nearest one around it that stands in the text.
func (r *report) lineOf(field string) int {
	for field != "" {
		if line, ok := r.lines[field]; ok {
			return line
		}
		field = field[:max(strings.LastIndexAny(field, ".["), 0)]
	}
	return 0
}

func (r *report) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	return r.faults
}
