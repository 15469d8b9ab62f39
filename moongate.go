// Package moongate holds what every room shares: identifiers, time and error codes. It imports no other package of
// the module, and holds no rule.
package moongate

import (
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Time is microseconds since 1970-01-01 UTC. The machine knows no other clock: a command carries its time.
type Time int64

// Units of [Time].
const (
	Microsecond Time = 1
	Millisecond      = 1000 * Microsecond
	Second           = 1000 * Millisecond
	Minute           = 60 * Second
	Hour             = 60 * Minute
	Day              = 24 * Hour
)

// At converts a wall-clock time; finer parts than a microsecond are cut off.
func At(t time.Time) Time { return Time(t.UnixMicro()) }

// Go converts to a time.Time in UTC.
func (t Time) Go() time.Time { return time.UnixMicro(int64(t)).UTC() }

// String is RFC 3339 in UTC, or "never" for zero.
func (t Time) String() string {
	if t == 0 {
		return "never"
	}
	return t.Go().Format("2006-01-02T15:04:05.999999Z07:00")
}

// MarshalText writes RFC 3339 in UTC; zero is the empty string.
func (t Time) MarshalText() ([]byte, error) {
	if t == 0 {
		return nil, nil
	}
	return []byte(t.String()), nil
}

// UnmarshalText reads RFC 3339; the empty string is zero.
func (t *Time) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = 0
		return nil
	}
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return &Error{Code: Malformed, Message: fmt.Sprintf("time %q is not RFC 3339", b), Hint: "write it like 2026-01-31T08:00:00Z"}
	}
	*t = At(v)
	return nil
}

// Hub is the three-byte tag of a hub; every [ID] carries its maker's, so that two hubs never name two things alike.
type Hub [3]byte

// Kind says what an [ID] names. It is the ID's first byte and its text prefix.
type Kind byte

// Kinds of things that have identifiers. A value, once used, is never given to another kind.
const (
	KindAgreement   Kind = 1
	KindCrossing    Kind = 2
	KindPayment     Kind = 3
	KindAttempt     Kind = 4
	KindRefund      Kind = 5
	KindDestination Kind = 6
	KindClick       Kind = 7
	KindTransfer    Kind = 8
	KindWindow      Kind = 9
	KindStatement   Kind = 10
	KindWebhook     Kind = 11
	KindCredential  Kind = 12
	KindSubject     Kind = 13
	KindOffer       Kind = 14
	KindBlock       Kind = 15
	KindException   Kind = 16
	KindInstruction Kind = 17
	KindConversion  Kind = 18
	KindSession     Kind = 19
	KindDispute     Kind = 20
	KindSplit       Kind = 21
	KindBill        Kind = 22
	KindDifference  Kind = 23
)

var prefixes = [...]string{
	KindAgreement: "agr", KindCrossing: "cx", KindPayment: "pay", KindAttempt: "att", KindRefund: "ref",
	KindDestination: "dst", KindClick: "clk", KindTransfer: "trf", KindWindow: "win", KindStatement: "stm",
	KindWebhook: "whk", KindCredential: "key", KindSubject: "sub", KindOffer: "off", KindBlock: "blk",
	KindException: "exc", KindInstruction: "ins", KindConversion: "cnv", KindSession: "ses",
	KindDispute: "dsp", KindSplit: "spl", KindBill: "bil", KindDifference: "dif",
}

// String is the kind's prefix in identifiers, such as "pay".
func (k Kind) String() string {
	if int(k) < len(prefixes) && prefixes[k] != "" {
		return prefixes[k]
	}
	return fmt.Sprintf("kind%d", byte(k))
}

// Prefixes lists what identifiers begin with.
func Prefixes() []string {
	return slices.DeleteFunc(slices.Clone(prefixes[:]), func(p string) bool { return p == "" })
}

// ID names one thing for good: a byte of kind, three bytes of hub, twelve of randomness. The text form is
// PREFIX_HUB_RANDOM in lower-case base32 without padding: pay_aeaqc_mfrggzdfmztwq2lknnwa.
type ID [16]byte

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID makes an ID from its parts. The entropy must come from the command's seed, never from a clock or a counter:
// whoever sees two identifiers must not learn how much happened in between.
func NewID(k Kind, hub Hub, entropy [12]byte) ID {
	var id ID
	id[0] = byte(k)
	copy(id[1:], hub[:])
	copy(id[4:], entropy[:])
	return id
}

// Kind tells what the ID names.
func (id ID) Kind() Kind { return Kind(id[0]) }

// IsZero tells whether the ID names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// String is the text form; the zero ID is the empty string.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return id.Kind().String() + "_" + encoding.EncodeToString(id[1:4]) + "_" + encoding.EncodeToString(id[4:])
}

// MarshalText writes the text form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form; see [ParseID].
func (id *ID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*id = ID{}
		return nil
	}
	v, err := ParseID(string(b))
	if err != nil {
		return err
	}
	*id = v
	return nil
}

// ParseID reads an ID's text form and refuses every spelling but the one that String writes.
func ParseID(s string) (ID, error) {
	id, ok := parseID(s)
	if !ok {
		return ID{}, &Error{Code: Malformed, Message: fmt.Sprintf("%.40q is not an identifier", s), Hint: "copy it whole, like pay_aeaqc_mfrggzdfmztwq2lknnwa"}
	}
	return id, nil
}

// parseID allocates nothing: a bill has a million of them.
func parseID(s string) (id ID, ok bool) {
	prefix, rest, _ := strings.Cut(s, "_")
	hub, random, ok := strings.Cut(rest, "_")
	if !ok || len(hub) != 5 || len(random) != 20 {
		return ID{}, false
	}
	for k, p := range prefixes {
		if p != "" && p == prefix {
			id[0] = byte(k)
		}
	}
	return id, id[0] != 0 && unspell(id[1:4], hub) && unspell(id[4:], random)
}

// unspell reads base32 into exactly so many bytes. The last letter's bits that are over must be zero: one identifier, one
// spelling.
func unspell(to []byte, s string) bool {
	bits, held, n := uint32(0), 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z':
			c -= 'a'
		case c >= '2' && c <= '7':
			c -= '2' - 26
		default:
			return false
		}
		bits, held = bits<<5|uint32(c), held+5
		if held >= 8 && n < len(to) {
			held -= 8
			to[n] = byte(bits >> held)
			bits &= 1<<held - 1
			n++
		}
	}
	return n == len(to) && bits == 0
}
