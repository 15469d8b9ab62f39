// Package share divides money by rules that are written down: pure functions of numbers and names, with no clock and
// no state, whose parts add up to the whole to the minor unit.
//
// A [Rule] pays the parties that brought a sale about ([Touch]es on a journey), within floors and caps. A [Split] is an
// ordered list of clauses over one amount: portions, fixed amounts, caps, the remainder, what stays undistributed.
// Rounding is by largest remainder ([money.Allocate]) throughout.
package share

import (
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// MaxTouches bounds a journey; what is longer is refused.
const MaxTouches = 256

// maxWeight bounds a touch's weight, so that the weights of any journey add up within 64 bits.
const maxWeight = 1_000_000

// Touch is one contact on the way to a sale: a reader saw or opened something of the party's.
type Touch struct {
	Party   string        `json:"party" cbor:"1,keyasint"`
	At      moongate.Time `json:"at" cbor:"2,keyasint"`
	Channel string        `json:"channel,omitempty" cbor:"3,keyasint,omitempty"`
	// Weight is how much the touch counts in unique_uniform, where an agreement tells, say, an opened link from a seen
	// one; 0 counts as 1. Of several touches that count once, the heaviest does.
	Weight int64 `json:"weight,omitempty" cbor:"4,keyasint,omitempty"`
}

// Method is how a journey earns.
type Method string

// Methods of sharing.
const (
	// LastTouch gives everything to the party that touched last.
	LastTouch Method = "last_touch"
	// UniqueUniform gives each that touched an equal part, however often it did: the Shapley value of "the sale needed
	// all of them" (Singal, Besbes, Desir, Goyal, Iyengar: Shapley Meets Uniform, Management Science 2022).
	UniqueUniform Method = "unique_uniform"
)

// Distinct is what counts once in unique_uniform.
type Distinct string

// What counts once.
const (
	ByParty   Distinct = "party"   // each party; the rule where unsaid
	ByChannel Distinct = "channel" // each channel of each party
)

// Rule is how a total is shared among the parties of a journey.
type Rule struct {
	Method   Method   `json:"method" cbor:"1,keyasint"`
	Distinct Distinct `json:"distinct,omitempty" cbor:"2,keyasint,omitempty"`
	Limits   []Limit  `json:"limits,omitempty" cbor:"3,keyasint,omitempty"`
}

// Limit is the least and the most that a party that touched gets. An empty party means each that has no limit of its
// own.
type Limit struct {
	Party string `json:"party,omitempty" cbor:"1,keyasint,omitempty"`
	Floor *Bound `json:"floor,omitempty" cbor:"2,keyasint,omitempty"` // none where nil
	Cap   *Bound `json:"cap,omitempty" cbor:"3,keyasint,omitempty"`   // none where nil
}

// Bound is a number of minor units, or a rate of the total: one of the two. A rate is rounded down to the minor unit,
// so a cap is never exceeded, and floors that are 100 % together can be met.
type Bound struct {
	Minor int64             `json:"minor,omitempty" cbor:"1,keyasint,omitempty"`
	Rate  money.BasisPoints `json:"bps,omitempty" cbor:"2,keyasint,omitempty"`
}

// Part is what one party gets, in minor units. In a [Split], an empty party means that it stays where it was.
type Part struct {
	Party string `json:"party,omitempty" cbor:"1,keyasint,omitempty"`
	Minor int64  `json:"minor" cbor:"2,keyasint"`
}

// Division is a total divided: the parts and what is kept add up to it. Something is kept where caps leave no taker,
// or where nobody touched.
type Division struct {
	Parts []Part `json:"parts"` // in the order in which the parties first stand in the journey
	Kept  int64  `json:"kept"`
}

// Check finds faults that no journey is needed to see: an unknown method, a limit given twice, a bound that is
// negative, above 100 % or both an amount and a rate, a floor above its cap.
func (r *Rule) Check() error {
	if r.Method != LastTouch && r.Method != UniqueUniform {
		return malformed("/method", fmt.Sprintf("%.40q is no way of sharing", r.Method), "write last_touch or unique_uniform")
	}
	if r.Distinct != "" && r.Distinct != ByParty && r.Distinct != ByChannel {
		return malformed("/distinct", fmt.Sprintf("%.40q cannot be told apart", r.Distinct), "write party or channel")
	}
	seen := make(map[string]bool, len(r.Limits))
	for i, l := range r.Limits {
		field := fmt.Sprintf("/limits/%d", i)
		if seen[l.Party] {
			return malformed(field+"/party", fmt.Sprintf("%.80q has a limit already", l.Party), "give each party one limit")
		}
		seen[l.Party] = true
		if err := l.Floor.check(field + "/floor"); err != nil {
			return err
		}
		if err := l.Cap.check(field + "/cap"); err != nil {
			return err
		}
		if f, c := l.Floor, l.Cap; f != nil && c != nil && (f.Rate > c.Rate && c.Minor == 0 || f.Minor > c.Minor && c.Rate == 0) {
			return malformed(field, fmt.Sprintf("the floor %s of %.80q is above its cap %s", f, l.Party, c), "lower the floor or raise the cap")
		}
	}
	return nil
}

func (b *Bound) check(field string) error {
	switch {
	case b == nil:
		return nil
	case b.Minor != 0 && b.Rate != 0:
		return malformed(field, "it gives both minor and bps", "give one of the two")
	case b.Minor < 0:
		return malformed(field+"/minor", fmt.Sprintf("%d is negative", b.Minor), "bounds are zero or more")
	case b.Rate < 0 || b.Rate > money.Whole:
		return malformed(field+"/bps", fmt.Sprintf("%d basis points are not between 0 and 10000", b.Rate), "10000 is the whole")
	}
	return nil
}

// String is the bound as a person writes it: a percentage, or minor units.
func (b *Bound) String() string {
	if b.Rate != 0 {
		return b.Rate.String()
	}
	return fmt.Sprint(b.Minor)
}

// of is the bound for a total that is not negative.
func (b *Bound) of(total int64) int64 {
	if b.Rate == 0 {
		return max(b.Minor, 0)
	}
	minor, err := min(max(b.Rate, 0), money.Whole).Of(total, money.TowardZero)
	if err != nil { // not for a rate of at most 100 %
		return total
	}
	return minor
}

// Distribute divides a total (minor units, not negative) among the parties of a journey. Touches may come in any
// order; of those at the same time, the later in the list is the later. The parts are as the method says, in
// proportion where no limit stands in the way; a party below its floor is lifted to it and one above its cap cut to
// it, at the cost or to the gain of the others in proportion (water-filling). The rule is one that [Rule.Check] passed.
//
// Errors: malformed for a bad journey or total, refused for floors that the total does not cover; it names them.
func (r *Rule) Distribute(total int64, touches []Touch) (Division, error) {
	if total < 0 {
		return Division{}, malformed("", fmt.Sprintf("%d cannot be shared: it is negative", total), "share what came in, and take a refund back in proportion")
	}
	if len(touches) > MaxTouches {
		return Division{}, &moongate.Error{
			Code: moongate.TooLarge, Message: fmt.Sprintf("a journey of %d touches", len(touches)),
			Hint: fmt.Sprintf("leave out the oldest: %d are read", MaxTouches),
		}
	}
	if len(touches) == 0 {
		return Division{Kept: total}, nil
	}
	var few [4]claim // on the stack: most journeys are short
	claims, err := r.claims(few[:0], touches)
	if err != nil {
		return Division{}, err
	}
	if err := r.bound(claims, total); err != nil {
		return Division{}, err
	}
	d := Division{Parts: make([]Part, len(claims))}
	if d.Kept, err = fill(total, claims); err != nil {
		return Division{}, err
	}
	for i := range claims {
		d.Parts[i] = Part{claims[i].party, claims[i].part}
	}
	return d, nil
}

// claims appends the parties of a journey with their weights. It searches by scanning: journeys are short.
func (r *Rule) claims(claims []claim, touches []Touch) ([]claim, error) {
	last, lastClaim := 0, 0
	for i, t := range touches {
		switch {
		case t.Party == "":
			return nil, malformed(fmt.Sprintf("/touches/%d/party", i), "it is empty", "name the participant")
		case t.Weight < 0 || t.Weight > maxWeight:
			return nil, malformed(fmt.Sprintf("/touches/%d/weight", i), fmt.Sprintf("%d is not between 0 and %d", t.Weight, maxWeight), "use smaller weights in the same proportion")
		}
		at := slices.IndexFunc(claims, func(c claim) bool { return c.party == t.Party })
		if at < 0 {
			at = len(claims)
			claims = append(claims, claim{party: t.Party})
		}
		if t.At >= touches[last].At {
			last, lastClaim = i, at
		}
		if more := max(t.Weight, 1) - r.counted(touches[:i], t); r.Method == UniqueUniform && more > 0 {
			claims[at].weight += more
		}
	}
	if r.Method != UniqueUniform {
		claims[lastClaim].weight = 1
	}
	return claims, nil
}

// counted is the weight with which what counts once already counts after some touches.
func (r *Rule) counted(before []Touch, t Touch) int64 {
	heaviest := int64(0)
	for _, b := range before {
		if b.Party == t.Party && (r.Distinct != ByChannel || b.Channel == t.Channel) {
			heaviest = max(heaviest, b.Weight, 1)
		}
	}
	return heaviest
}

// bound sets the claims' limits for a total.
func (r *Rule) bound(claims []claim, total int64) error {
	for i := range claims {
		c := &claims[i]
		c.most = total
		l := r.limitOf(c.party)
		if l == nil {
			continue
		}
		if l.Cap != nil {
			c.most = min(total, l.Cap.of(total))
		}
		if l.Floor != nil {
			c.least = l.Floor.of(total)
		}
		if c.least > min(c.most, total) {
			limit := fmt.Sprintf("its cap %d", c.most)
			if c.most == total {
				limit = fmt.Sprintf("the %d to share", total)
			}
			return unmet(fmt.Sprintf("the floor %d of %s is above %s", c.least, c.party, limit))
		}
	}
	return nil
}

func (r *Rule) limitOf(party string) *Limit {
	var all *Limit
	for i := range r.Limits {
		switch r.Limits[i].Party {
		case party:
			return &r.Limits[i]
		case "":
			all = &r.Limits[i]
		}
	}
	return all
}

func unmet(message string) error {
	return &moongate.Error{Code: moongate.Refused, Message: message, Hint: "lower the floors or share a larger total"}
}

func malformed(field, message, hint string) error {
	return &moongate.Error{Code: moongate.Malformed, Field: field, Message: message, Hint: hint}
}
