package share

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate/money"
)

// claim is what one party may get of a total: in proportion to its weight, but at least least and at most most, where
// 0 ≤ least ≤ most ≤ total. Without weight it gets its least.
type claim struct {
	party       string
	weight      int64
	least, most int64
	stage       stage
	part        int64 // the result
}

// stage is where a claim stands while the level rises.
type stage uint8

const (
	atLeast stage = iota
	between
	atMost
)

// fill divides a total among claims and gives what no claim may take. It finds the level λ at which the parts
// clamp(λ·weight, least, most) add up to the total, as water finds its level, and rounds those between their bounds by
// largest remainder. The bounds are whole numbers, so rounding does not cross them.
func fill(total int64, claims []claim) (kept int64, err error) {
	var fixed, weight int64 // what claims at a bound hold, and the weight of those between
	for _, c := range claims {
		var ok bool
		if fixed, ok = money.Add(fixed, c.least); !ok || fixed > total {
			return 0, unmet(floorsAbove(total, claims))
		}
	}
	for _, b := range bendsOf(claims) {
		c := &claims[b.claim]
		if exceeds(fixed, weight, b.level, c.weight, total) {
			break // the level is reached before this bend
		}
		if b.from == atLeast {
			fixed, weight, c.stage = fixed-c.least, weight+c.weight, between
		} else {
			fixed, weight, c.stage = fixed+c.most, weight-c.weight, atMost
		}
	}
	rest := total - fixed
	scratch := make([]int64, 2*len(claims))
	weights, parts := scratch[:len(claims)], scratch[len(claims):]
	for i, c := range claims {
		if c.stage == between {
			weights[i] = c.weight
		}
	}
	if weight > 0 {
		if err := money.AllocateInto(parts, rest, weights); err != nil {
			return 0, err
		}
		rest = 0
	}
	for i := range claims {
		c := &claims[i]
		c.part = [...]int64{atLeast: c.least, between: parts[i], atMost: c.most}[c.stage]
	}
	return rest, nil
}

// bend is a level at which a claim leaves its floor or reaches its cap: level / the claim's weight.
type bend struct {
	claim int
	from  stage
	level int64
}

// bendsOf lists the bends from the lowest level to the highest; a claim leaves its floor before it reaches its cap.
func bendsOf(claims []claim) []bend {
	bends := make([]bend, 0, 2*len(claims))
	for i, c := range claims {
		if c.weight > 0 {
			bends = append(bends, bend{i, atLeast, c.least}, bend{i, between, c.most})
		}
	}
	slices.SortFunc(bends, func(a, b bend) int {
		// a.level / weight(a) against b.level / weight(b), crosswise.
		ahi, alo := bits.Mul64(uint64(a.level), uint64(claims[b.claim].weight)) // none is negative
		bhi, blo := bits.Mul64(uint64(b.level), uint64(claims[a.claim].weight)) // none is negative
		switch {
		case ahi != bhi:
			return order(ahi < bhi)
		case alo != blo:
			return order(alo < blo)
		case a.from != b.from:
			return order(a.from < b.from)
		}
		return a.claim - b.claim
	})
	return bends
}

func order(less bool) int {
	if less {
		return -1
	}
	return 1
}

// exceeds tells whether fixed + weight·(p/q) > total. All are below 2⁶³, so 128 bits hold both sides.
func exceeds(fixed, weight, p, q, total int64) bool {
	// weight·p > (total − fixed)·q, and fixed ≤ total holds throughout.
	lhi, llo := bits.Mul64(uint64(weight), uint64(p))      // none is negative
	rhi, rlo := bits.Mul64(uint64(total-fixed), uint64(q)) // none is negative
	return lhi > rhi || lhi == rhi && llo > rlo
}

// namedFloors is how many floors an error names.
const namedFloors = 10

// floorsAbove names the floors that a total does not cover.
func floorsAbove(total int64, claims []claim) string {
	var floors []string
	for _, c := range claims {
		if c.least > 0 {
			floors = append(floors, fmt.Sprintf("%s %d", c.party, c.least))
		}
	}
	if len(floors) > namedFloors {
		floors = append(floors[:namedFloors:namedFloors], fmt.Sprintf("and %d more", len(floors)-namedFloors))
	}
	return fmt.Sprintf("the floors (%s) add up to more than the %d to share", strings.Join(floors, ", "), total)
}
