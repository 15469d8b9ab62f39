package money_test

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

func TestRateOf(t *testing.T) {
	for _, c := range []struct {
		rate             money.BasisPoints
		minor            int64
		half, down, away int64
	}{
		{60, 5997, 36, 35, 36}, // 35.982
		{250, 20, 1, 0, 1},     // 0.5: a half goes away from zero
		{250, -20, -1, 0, -1},  // and so does the reversal
		{250, 19, 0, 0, 1},     // 0.475
		{-250, 20, -1, 0, -1},  // a discount
		{10_000, 123, 123, 123, 123},
		{20_000, 123, 246, 246, 246},
		{0, 123, 0, 0, 0},
		{10_000, math.MinInt64, math.MinInt64, math.MinInt64, math.MinInt64},
		{9_999, math.MaxInt64, 9222449699651090329, 9222449699651090329, 9222449699651090330},
	} {
		for how, want := range map[money.Rounding]int64{money.HalfAway: c.half, money.TowardZero: c.down, money.AwayZero: c.away} {
			if got, err := c.rate.Of(c.minor, how); err != nil || got != want {
				t.Errorf("%s of %d, rounding %d: %d, %v; want %d", c.rate, c.minor, how, got, err, want)
			}
		}
	}
}

func TestRateAgreesWithBigInt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := money.BasisPoints(rapid.OneOf(rapid.Int32(), rapid.Int32Range(0, 10_000)).Draw(t, "rate"))
		minor := anyInt64().Draw(t, "minor")
		how := rapid.SampledFrom([]money.Rounding{money.HalfAway, money.TowardZero, money.AwayZero}).Draw(t, "how")
		// Round the size and give the sign back, in numbers without end.
		product := new(big.Int).Mul(big.NewInt(minor), big.NewInt(int64(rate)))
		size := new(big.Int).Abs(product)
		switch how {
		case money.HalfAway:
			size.Add(size, big.NewInt(5_000))
		case money.AwayZero:
			size.Add(size, big.NewInt(9_999))
		}
		want := size.Div(size, big.NewInt(10_000))
		if product.Sign() < 0 {
			want.Neg(want)
		}
		got, err := rate.Of(minor, how)
		if !want.IsInt64() {
			if moongate.CodeOf(err) != moongate.Malformed {
				t.Fatalf("%s of %d is %s: want an error, got %d", rate, minor, want, got)
			}
			return
		}
		if err != nil || got != want.Int64() {
			t.Fatalf("%s of %d: %d, %v; want %s", rate, minor, got, err, want)
		}
	})
}

// The largest quotient there is has a remainder that rounds up: to zero, if nobody looked.
func TestRateDoesNotWrapWhenItRoundsUp(t *testing.T) {
	for _, how := range []money.Rounding{money.HalfAway, money.TowardZero, money.AwayZero} {
		if got, err := money.BasisPoints(20_002).Of(9_222_449_791_875_588_249, how); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("rounding %d: %d, %v", how, got, err)
		}
	}
}

func TestPercent(t *testing.T) {
	for text, want := range map[string]money.BasisPoints{
		"2.5%": 250, "0.6%": 60, "0.01%": 1, "100%": 10_000, "-3%": -300, "0%": 0, "12.34%": 1234, "10000%": 1_000_000,
	} {
		got, err := money.ParsePercent(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %d (%s), %v; want %d", text, got, got, err, want)
		}
	}
	for _, text := range []string{"", "%", "2.5", "2.5 %", "0.001%", "1e2%", "10000.01%", "-10001%", "NaN%", "250bp"} {
		if got, err := money.ParsePercent(text); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}
