package share

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Bounds of a split.
const (
	MaxClauses    = 64
	maxSplitBytes = 64 << 10
	maxPartyName  = 128
)

// Clause takes one part of an amount, for one party or to be kept. It says what it takes in one of four ways: a
// portion of the whole amount, which Min and Max may bound; a fixed amount; Max alone, which is as much as is there up
// to it; or the remainder, which Min may bound. Amounts are minor units of the amount's own currency; zero is unsaid.
type Clause struct {
	To        string  `json:"to,omitempty" yaml:"to,omitempty" cbor:"1,keyasint,omitempty"`
	Kept      bool    `json:"kept,omitempty" yaml:"kept,omitempty" cbor:"2,keyasint,omitempty"` // it stays where it was, in place of To
	Portion   Portion `json:"portion,omitzero" yaml:"portion,omitempty" cbor:"3,keyasint,omitzero"`
	Amount    int64   `json:"amount,omitempty" yaml:"amount,omitempty" cbor:"4,keyasint,omitempty"`
	Min       int64   `json:"min,omitempty" yaml:"min,omitempty" cbor:"5,keyasint,omitempty"`
	Max       int64   `json:"max,omitempty" yaml:"max,omitempty" cbor:"6,keyasint,omitempty"`
	Remaining bool    `json:"remaining,omitempty" yaml:"remaining,omitempty" cbor:"7,keyasint,omitempty"`
}

// Split is a checked list of clauses, ready to divide any amount. It is immutable and may be shared.
//
// Portions are of the whole amount and are rounded together by largest remainder, the rest of the amount being one of
// the portions; a single portion so rounds to the nearest minor unit, a half up. Then each clause takes its part from
// what the clauses before it left. A clause that cannot be paid whole refuses the amount: no party is silently paid
// short. Of an amount of nothing everybody gets nothing, fixed amounts and minimums included.
type Split struct {
	clauses []Clause
	weights []int64 // of the portions, in order, and of the rest where there is one; nil without portions
}

// NewSplit checks clauses and makes them ready. Where known is not nil, a party outside it is an error. Every fault is
// a malformed error that names the clause as a JSON pointer: portions above 100 %, a second remainder, a remainder that
// is not last, an unknown party, a negative number, a clause that says nothing or two things, an amount that is not
// assigned whole.
func NewSplit(clauses []Clause, known []string) (*Split, error) {
	if len(clauses) == 0 {
		return nil, malformed("", "the split has no clauses", `the shortest is [{"to":"seller","remaining":true}]`)
	}
	if len(clauses) > MaxClauses {
		return nil, &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("a split of %d clauses", len(clauses)), Hint: fmt.Sprintf("%d are read", MaxClauses)}
	}
	for i := range clauses {
		if err := clauses[i].check(fmt.Sprintf("/%d", i), i == len(clauses)-1, known); err != nil {
			return nil, err
		}
	}
	weights, err := weightsOf(clauses)
	if err != nil {
		return nil, err
	}
	return &Split{slices.Clone(clauses), weights}, nil
}

// ParseSplit reads clauses from a JSON array, strictly, and checks them as [NewSplit] does.
func ParseSplit(data []byte, known []string) (*Split, error) {
	if len(data) > maxSplitBytes {
		return nil, &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("a split of %d bytes", len(data)), Hint: fmt.Sprintf("%d are read", maxSplitBytes)}
	}
	if err := exactMembers(data); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	var clauses []Clause
	if err := d.Decode(&clauses); err != nil {
		var e *moongate.Error
		if errors.As(err, &e) {
			return nil, e
		}
		return nil, malformed("", "the split is not a JSON array of clauses: "+err.Error(), `the shortest is [{"to":"seller","remaining":true}]`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("", "something follows the split", "give one JSON array")
	}
	return NewSplit(clauses, known)
}

var members = []string{"to", "kept", "portion", "amount", "min", "max", "remaining"}

// exactMembers sees that each clause has members of a clause's only, spelled exactly, each once: encoding/json would
// take TO for to, and the last of two.
func exactMembers(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	bad := func(err error) error {
		return malformed("", "the split is not a JSON array of clauses: "+err.Error(), `the shortest is [{"to":"seller","remaining":true}]`)
	}
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return bad(fmt.Errorf("it starts with %.20q", data))
	}
	for i := 0; d.More(); i++ {
		if t, err := d.Token(); err != nil || t != json.Delim('{') {
			return bad(fmt.Errorf("clause %d is no object", i+1))
		}
		var seen []string
		for d.More() {
			t, err := d.Token()
			if err != nil {
				return bad(err)
			}
			name, _ := t.(string)
			if !slices.Contains(members, name) {
				return malformed(fmt.Sprintf("/%d", i), fmt.Sprintf("a clause has no member %.40q", name), fmt.Sprintf("the members are %q", members))
			}
			if slices.Contains(seen, name) {
				return malformed(fmt.Sprintf("/%d/%s", i, name), "it stands there twice", "leave one out")
			}
			seen = append(seen, name)
			if t, err = d.Token(); err != nil {
				return bad(err)
			}
			if _, nested := t.(json.Delim); nested || t == nil {
				return malformed(fmt.Sprintf("/%d/%s", i, name), "it is neither text nor number nor true", "see the other clauses")
			}
		}
		if _, err := d.Token(); err != nil {
			return bad(err)
		}
	}
	return nil
}

func (c *Clause) check(field string, last bool, known []string) error {
	switch {
	case c.Kept && c.To != "":
		return malformed(field, fmt.Sprintf("it is both kept and for %.40q", c.To), "give one of to and kept")
	case !c.Kept && c.To == "":
		return malformed(field+"/to", "nobody is named", "name a party, or write kept: true")
	case !plain(c.To):
		return malformed(field+"/to", fmt.Sprintf("%.40q is no name of a party", c.To), "write visible ASCII letters without blanks")
	case c.To != "" && known != nil && !slices.Contains(known, c.To):
		return malformed(field+"/to", fmt.Sprintf("%q is not a party here", c.To), fmt.Sprintf("the parties are %.200q", known))
	}
	for _, n := range []struct {
		name  string
		value int64
	}{{"amount", c.Amount}, {"min", c.Min}, {"max", c.Max}} {
		if n.value < 0 {
			return malformed(field+"/"+n.name, fmt.Sprintf("%d is negative", n.value), "write minor units above zero")
		}
	}
	ways := 0
	for _, said := range []bool{!c.Portion.IsZero(), c.Amount != 0, c.Remaining} {
		if said {
			ways++
		}
	}
	switch {
	case ways > 1:
		return malformed(field, "it says more than one of portion, amount and remaining", "make it two clauses")
	case ways == 0 && c.Max == 0:
		return malformed(field, "it does not say how much", "give portion, amount, remaining, or max alone")
	case ways == 0 && c.Min != 0:
		return malformed(field+"/min", "it bounds nothing", "min goes with a portion or with remaining")
	case c.Amount != 0 && (c.Min != 0 || c.Max != 0):
		return malformed(field+"/amount", "a fixed amount takes neither min nor max", "leave the bounds out")
	case c.Remaining && c.Max != 0:
		return malformed(field+"/max", "the remainder has no most: nobody would get what is above it", "put the most into a clause before, with max alone")
	case c.Remaining && !last:
		return malformed(field+"/remaining", "clauses follow the remainder", "the remainder is one clause, the last")
	case c.Max != 0 && c.Min > c.Max:
		return malformed(field+"/min", fmt.Sprintf("%d is above max %d", c.Min, c.Max), "lower min or raise max")
	}
	if c.Portion.IsZero() {
		return nil
	}
	return c.Portion.check(field + "/portion")
}

func plain(name string) bool {
	if len(name) > maxPartyName {
		return false
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}

// weightsOf brings the portions to one denominator and sees that the whole amount is assigned.
func weightsOf(clauses []Clause) ([]int64, error) {
	den, exact := int64(1), true
	for i, c := range clauses {
		if c.Portion.IsZero() {
			exact = false
			continue
		}
		exact = exact && c.Min == 0 && c.Max == 0
		den = den / gcd(den, c.Portion.Den) * c.Portion.Den // both ≤ 10⁹: within 64 bits
		if den > maxDenominator {
			return nil, malformed(fmt.Sprintf("/%d/portion", i), fmt.Sprintf("the portions up to %s have no common denominator up to %d", c.Portion, maxDenominator), "use simpler fractions")
		}
	}
	var weights []int64
	rest := den
	for i, c := range clauses {
		if c.Portion.IsZero() {
			continue
		}
		w := c.Portion.Num * (den / c.Portion.Den) // ≤ den
		if w > rest {
			return nil, malformed(fmt.Sprintf("/%d/portion", i), "the portions add up to more than 100%", "lower one of them")
		}
		weights = append(weights, w)
		rest -= w
	}
	last := len(clauses) - 1
	switch {
	case clauses[last].Remaining:
		// whatever is left has a taker
	case !exact:
		return nil, malformed(fmt.Sprintf("/%d", last), "what the clauses leave is nobody's", "end with a clause that has remaining: true")
	case rest != 0:
		return nil, malformed(fmt.Sprintf("/%d", last), fmt.Sprintf("%d/%d of the amount is nobody's", rest, den), "end with a clause that has remaining: true")
	}
	if weights != nil && rest != 0 {
		weights = append(weights, rest)
	}
	return weights, nil
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Clauses gives a copy of the clauses.
func (s *Split) Clauses() []Clause { return slices.Clone(s.clauses) }

// Evaluate divides a total (minor units, not negative): one part per clause, in order, appended to dst. The parts add
// up to the total. With room in dst it does not allocate for up to 15 portions.
//
// Errors: malformed for a negative total; refused where a clause asks for more than is left, or the remainder is below
// its minimum. dst is then given back as it was.
func (s *Split) Evaluate(dst []Part, total int64) ([]Part, error) {
	if total < 0 {
		return dst, malformed("", fmt.Sprintf("%d cannot be split: it is negative", total), "split what came in, and take a refund back in proportion")
	}
	var few [16]int64
	portions := few[:]
	if n := len(s.weights); n > len(few) {
		portions = make([]int64, n)
	}
	if portions = portions[:len(s.weights)]; len(portions) > 0 {
		if err := money.AllocateInto(portions, total, s.weights); err != nil {
			return dst, err
		}
	}
	parts, left := dst, total
	for i := range s.clauses {
		c := &s.clauses[i]
		var asks int64
		switch {
		case c.Remaining:
			asks = max(left, c.Min)
		case c.Amount != 0:
			asks = c.Amount
		case c.Portion.IsZero():
			asks = min(left, c.Max)
		default:
			asks = min(max(portions[0], c.Min), limitOr(c.Max))
			portions = portions[1:]
		}
		if total == 0 {
			asks = 0
		}
		if asks > left {
			return dst, &moongate.Error{
				Code: moongate.Refused, Field: fmt.Sprintf("/%d", i),
				Message: fmt.Sprintf("%s asks for %d, and %d of %d is left", c.name(), asks, left, total),
				Hint:    "the amount is too small for these terms",
			}
		}
		parts = append(parts, Part{c.To, asks})
		left -= asks
	}
	return parts, nil
}

func limitOr(most int64) int64 {
	if most == 0 {
		return math.MaxInt64
	}
	return most
}

func (c *Clause) name() string {
	if c.Kept {
		return "what is kept"
	}
	return c.To
}
