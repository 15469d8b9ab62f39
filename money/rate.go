package money

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/moongate-hub/moongate"
)

// BasisPoints is a rate in hundredths of a percent: 250 is 2.5 %.
type BasisPoints int32

// Whole is 100 %.
const Whole BasisPoints = 10_000

// Rounding says what becomes of the part of a minor unit that a rate leaves.
type Rounding uint8

// Ways of rounding. All are symmetric, so that a fee and its reversal cancel.
const (
	HalfAway   Rounding = iota // to the nearest minor unit, a half away from zero: what fee schedules mean
	TowardZero                 // never more than the exact share: caps
	AwayZero                   // never less than the exact share: floors
)

// Of is the rate of an amount in minor units, exact in 128 bits before it is rounded. A result beyond 64 bits, which
// needs a rate above 100 %, is an error.
func (r BasisPoints) Of(minor int64, how Rounding) (int64, error) {
	m, mNegative := magnitudeOf(minor)
	p, pNegative := magnitudeOf(int64(r))
	hi, lo := bits.Mul64(m, p)
	if hi >= uint64(Whole) {
		return 0, overflow("%s of %d", r, minor)
	}
	quotient, remainder := bits.Div64(hi, lo, uint64(Whole))
	if quotient > 1<<63 {
		return 0, overflow("%s of %d", r, minor) // before rounding up, which could wrap to zero
	}
	if how == HalfAway && remainder >= uint64(Whole)/2 || how == AwayZero && remainder > 0 {
		quotient++
	}
	result, ok := signed(quotient, mNegative != pNegative)
	if !ok {
		return 0, overflow("%s of %d", r, minor)
	}
	return result, nil
}

// Of is the rate of the amount, in the amount's currency; see [BasisPoints.Of].
func (a Amount) Of(r BasisPoints, how Rounding) (Amount, error) {
	minor, err := r.Of(a.Minor, how)
	return Amount{minor, a.Currency}, err
}

// String is the rate in percent, as short as it can be: "2.5%".
func (r BasisPoints) String() string {
	m, negative := magnitudeOf(int64(r))
	text := fmt.Sprintf("%d.%02d", m/100, m%100)
	text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + "%"
	if negative {
		text = "-" + text
	}
	return text
}

// ParsePercent reads a rate as [BasisPoints.String] writes it, between −10,000 % and 10,000 %: "2.5%". Finer than a
// basis point is an error.
func ParsePercent(text string) (BasisPoints, error) {
	bad := &moongate.Error{
		Code:    moongate.Malformed,
		Message: fmt.Sprintf("%.40q is not a rate in percent", text),
		Hint:    "write it like 2.5%, with at most two decimals",
	}
	number, ok := strings.CutSuffix(text, "%")
	if !ok {
		return 0, bad
	}
	a, err := ParseDecimal(number, USD) // two decimals of a percent, as two decimals of a dollar
	if err != nil || a.Minor > 100*int64(Whole) || a.Minor < -100*int64(Whole) {
		return 0, bad
	}
	return BasisPoints(a.Minor), nil
}
