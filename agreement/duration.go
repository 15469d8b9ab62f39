package agreement

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/moongate-hub/moongate"
)

// Duration is a span of time in microseconds. Its text form is a whole number and one unit: 10m, 12h, 30d. A day is 24
// hours.
type Duration moongate.Time

var durationForm = regexp.MustCompile(`^(0|[1-9][0-9]{0,4})([smhd])$`)

var durationUnits = map[string]moongate.Time{"s": moongate.Second, "m": moongate.Minute, "h": moongate.Hour, "d": moongate.Day}

// Time is the span as a [moongate.Time] to add to another.
func (d Duration) Time() moongate.Time { return moongate.Time(d) }

// String is the shortest text form: in the largest unit that divides the span.
func (d Duration) String() string {
	n := moongate.Time(d)
	for _, u := range []string{"d", "h", "m"} {
		if unit := durationUnits[u]; n != 0 && n%unit == 0 {
			return strconv.FormatInt(int64(n/unit), 10) + u
		}
	}
	return strconv.FormatInt(int64(n/moongate.Second), 10) + "s"
}

// MarshalText writes the text form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text form.
func (d *Duration) UnmarshalText(b []byte) error {
	m := durationForm.FindSubmatch(b)
	if m == nil {
		return &moongate.Error{
			Code: moongate.Malformed, Message: fmt.Sprintf("%.20q is not a span of time", b),
			Hint: "write a whole number and a unit: 10m, 12h, 30d",
		}
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		return err
	}
	*d = Duration(moongate.Time(n) * durationUnits[string(m[2])])
	return nil
}
