package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/moongate-hub/moongate"
)

// MaxEntry is how many bytes an entry of the public log may have; C2SP tlog-tiles gives its length two bytes.
const MaxEntry = 1<<16 - 1

const (
	intervalHeader = "moongate/interval/v1\n"
	actHeader      = "moongate/act/v1\n"
	maxKind        = 64
	maxNumber      = 253402300799 // 9999-12-31T23:59:59Z
)

// Entry is one leaf of the public log, as [ParseEntry] reads it: the root of an interval, or a public act.
type Entry struct {
	Number int64         // the interval: whole seconds since 1970
	Start  moongate.Time // the interval's beginning
	Root   Hash          // of the interval; zero for an act
	Kind   string        // of the act; "" for an interval
	JSON   []byte        // of the act
}

// IsAct tells a public act from an interval.
func (e *Entry) IsAct() bool { return e.Kind != "" }

// IntervalEntry is the entry that commits to all events of an interval. Write one for every interval that ends, also
// for one without events: a log that skipped quiet seconds would count the others. The text is
//
//	moongate/interval/v1
//	number 1767225600
//	start 2026-01-01T00:00:00Z
//	root jjlc8b12QNSYZt5LnrMfEYSCcmYaCKGg5ZE63C92e9k=
func IntervalEntry(number int64, root Hash) []byte {
	return []byte(intervalHeader + preamble(number) + "root " + root.String() + "\n")
}

// ActEntry is the entry of a public act: a kind such as "terms.published", the interval in which it happened, and one
// JSON value in plain. An act has no position: two of them would tell how much happened in between. The text is
//
//	moongate/act/v1
//	number 1767225600
//	start 2026-01-01T00:00:00Z
//	kind terms.published
//	json {"agreement":"agr_…"}
//
// The JSON is written in compact form. An entry above [MaxEntry] is refused: publish the document's hash instead.
func ActEntry(kind string, number int64, body []byte) ([]byte, error) {
	if !validKind(kind) {
		return nil, refuse("kind", fmt.Sprintf("%.80q is not the kind of a public act", kind),
			"lower-case letters, digits, '.', '_' and '-', like terms.published")
	}
	if number < 0 || number > maxNumber {
		return nil, refuse("number", fmt.Sprintf("%d is not the number of an interval", number), "whole seconds since 1970")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		return nil, refuse("json", fmt.Sprintf("the body of %s is not JSON: %v", kind, err), "")
	}
	text := []byte(actHeader + preamble(number) + "kind " + kind + "\njson ")
	text = append(append(text, compact.Bytes()...), '\n')
	if len(text) > MaxEntry {
		return nil, &moongate.Error{
			Code: moongate.TooLarge, Field: "json",
			Message: fmt.Sprintf("the entry of %s has %d bytes, the public log takes %d", kind, len(text), MaxEntry),
			Hint:    "publish the document's hash and keep the document beside the log",
		}
	}
	return text, nil
}

func preamble(number int64) string {
	return "number " + strconv.FormatInt(number, 10) + "\nstart " + start(number) + "\n"
}

// start is when an interval begins. Number 0 is written in full: to [moongate.Time] it would be "never".
func start(number int64) string {
	return (moongate.Time(number) * IntervalLength).Go().Format("2006-01-02T15:04:05Z")
}

func validKind(kind string) bool {
	for _, c := range []byte(kind) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return kind != "" && len(kind) <= maxKind
}

// ParseEntry reads an entry, and refuses every text but the one that [IntervalEntry] or [ActEntry] writes.
func ParseEntry(b []byte) (Entry, error) {
	var e Entry
	bad := refuse("entry", fmt.Sprintf("%.60q is not an entry of the public log", b),
		"it is spelled as IntervalEntry or ActEntry writes it, first line moongate/interval/v1 or moongate/act/v1")
	if len(b) > MaxEntry {
		return e, bad
	}
	rest, isInterval := bytes.CutPrefix(b, []byte(intervalHeader))
	if !isInterval {
		var isAct bool
		if rest, isAct = bytes.CutPrefix(b, []byte(actHeader)); !isAct {
			return e, bad
		}
	}
	number, rest, ok := line(rest, "number ")
	if !ok {
		return e, bad
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > maxNumber {
		return e, bad
	}
	e.Number, e.Start = n, moongate.Time(n)*IntervalLength
	if _, rest, ok = line(rest, "start "); !ok {
		return e, bad
	}
	var again []byte
	if isInterval {
		root, _, ok := line(rest, "root ")
		if !ok {
			return e, bad
		}
		if e.Root, err = tlog.ParseHash(root); err != nil {
			return e, bad
		}
		again = IntervalEntry(n, e.Root)
	} else {
		kind, rest, ok := line(rest, "kind ")
		if !ok {
			return e, bad
		}
		body, _, ok := line(rest, "json ")
		if !ok {
			return e, bad
		}
		e.Kind, e.JSON = kind, []byte(body)
		if again, err = ActEntry(kind, n, e.JSON); err != nil {
			return e, err
		}
	}
	if !bytes.Equal(again, b) {
		return e, bad
	}
	return e, nil
}

// line takes the first line off, which must begin with the prefix.
func line(b []byte, prefix string) (value string, rest []byte, ok bool) {
	first, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok {
		return "", nil, false
	}
	v, ok := bytes.CutPrefix(first, []byte(prefix))
	return string(v), rest, ok
}
