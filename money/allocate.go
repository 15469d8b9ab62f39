package money

import (
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/moongate-hub/moongate"
)

// Allocate divides a total among weights by largest remainder (Hamilton's method): each part is the exact share
// rounded down or up to the minor unit, those with the largest fractions up, equal fractions in order of index. The
// parts add up to the total, whatever its sign; a negative total gives exactly the negated parts of the positive one.
//
// Weights are not negative, and their sum is positive and fits 64 bits; otherwise it is an error.
func Allocate(total int64, weights []int64) ([]int64, error) {
	parts := make([]int64, len(weights))
	if err := AllocateInto(parts, total, weights); err != nil {
		return nil, err
	}
	return parts, nil
}

// fewWeights is up to how many weights AllocateInto works without allocating.
const fewWeights = 16

// AllocateInto is [Allocate] into parts, which is as long as weights and may not overlap it. After an error parts is
// untouched.
func AllocateInto(parts []int64, total int64, weights []int64) error {
	sum, err := sumOf(weights)
	if err != nil {
		return err
	}
	if len(parts) != len(weights) {
		return &moongate.Error{Code: moongate.Internal, Message: fmt.Sprintf("%d parts for %d weights", len(parts), len(weights))}
	}
	magnitude, negative := magnitudeOf(total)
	var few [fewWeights]remainder
	remainders := few[:0]
	left := magnitude
	for i, w := range weights {
		// The high word is below sum because w ≤ sum, so the division cannot overflow.
		hi, lo := bits.Mul64(magnitude, uint64(w)) // not negative: sumOf checked
		quotient, rest := bits.Div64(hi, lo, sum)
		parts[i], _ = signed(quotient, negative)
		left -= quotient
		remainders = append(remainders, remainder{rest, i})
	}
	// What is left is the sum of the fractions, so fewer than the weights that have one.
	slices.SortFunc(remainders, remainder.compare)
	for _, r := range remainders[:left] {
		if negative {
			parts[r.index]--
		} else {
			parts[r.index]++
		}
	}
	return nil
}

type remainder struct {
	rest  uint64
	index int
}

func (r remainder) compare(o remainder) int {
	switch {
	case r.rest > o.rest:
		return -1
	case r.rest < o.rest:
		return 1
	}
	return r.index - o.index
}

func sumOf(weights []int64) (uint64, error) {
	var sum int64
	for i, w := range weights {
		if w < 0 {
			return 0, badWeights(fmt.Sprintf("weight %d is %d", i+1, w), "weights are zero or more")
		}
		var ok bool
		if sum, ok = Add(sum, w); !ok {
			return 0, badWeights(fmt.Sprintf("the weights add up to more than %d", int64(math.MaxInt64)), "use smaller weights in the same proportion")
		}
	}
	if sum == 0 {
		return 0, badWeights(fmt.Sprintf("none of %d weights is above zero", len(weights)), "give at least one party a weight")
	}
	return uint64(sum), nil // a sum of numbers that are not negative
}

func badWeights(message, hint string) error {
	return &moongate.Error{Code: moongate.Malformed, Message: message, Hint: hint}
}
