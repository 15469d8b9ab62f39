package money_test

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

func TestAllocate(t *testing.T) {
	for _, c := range []struct {
		total         int64
		weights, want []int64
	}{
		{100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		{-100, []int64{1, 1, 1}, []int64{-34, -33, -33}},
		{101, []int64{1, 1, 1}, []int64{34, 34, 33}},
		{0, []int64{1, 2}, []int64{0, 0}},
		{1, []int64{0, 0, 5}, []int64{0, 0, 1}},
		{1, []int64{1, 2, 1}, []int64{0, 1, 0}},       // the largest fraction, not the first
		{10, []int64{9500, 500}, []int64{10, 0}},      // 9.5 and 0.5: equal fractions go by index
		{10, []int64{500, 9500}, []int64{1, 9}},       // so the order of the parties matters
		{7, []int64{3, 0, 3, 0}, []int64{4, 0, 3, 0}}, // no weight, no part
		{math.MaxInt64, []int64{1}, []int64{math.MaxInt64}},
		{math.MinInt64, []int64{math.MaxInt64}, []int64{math.MinInt64}},
		{math.MinInt64, []int64{1, 1}, []int64{math.MinInt64 / 2, math.MinInt64 / 2}},
	} {
		got, err := money.Allocate(c.total, c.weights)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%d over %d: %s", c.total, c.weights, d)
		}
	}
}

func TestAllocateRefuses(t *testing.T) {
	for want, weights := range map[string][]int64{
		"none of 0 weights":        nil,
		"none of 2 weights":        {0, 0},
		"weight 2 is -1":           {5, -1},
		"add up to more than 9223": {math.MaxInt64, 1},
	} {
		got, err := money.Allocate(10, weights)
		if moongate.CodeOf(err) != moongate.Malformed || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %d, %v; want %q", weights, got, err, want)
		}
	}
	if err := money.AllocateInto(make([]int64, 1), 10, []int64{1, 1}); moongate.CodeOf(err) != moongate.Internal {
		t.Errorf("one part for two weights: %v", err)
	}
}

func drawWeights(t *rapid.T) []int64 {
	weight := rapid.OneOf(rapid.Int64Range(0, 10_000), rapid.Int64Range(0, math.MaxInt64/32), rapid.SampledFrom([]int64{0, 1}))
	weights := rapid.SliceOfN(weight, 1, 32).Draw(t, "weights")
	if slices.Max(weights) == 0 {
		weights[len(weights)-1] = 1
	}
	return weights
}

// slowAllocate is largest remainder by its definition, in fractions without end.
func slowAllocate(total int64, weights []int64) []int64 {
	sum := new(big.Int)
	for _, w := range weights {
		sum.Add(sum, big.NewInt(w))
	}
	parts := make([]int64, len(weights))
	fractions := make([]*big.Rat, len(weights))
	left := total
	for i, w := range weights {
		exact := new(big.Int).Mul(big.NewInt(total), big.NewInt(w))
		quotient, rest := new(big.Int).QuoRem(exact, sum, new(big.Int))
		parts[i] = quotient.Int64()
		fractions[i] = new(big.Rat).Abs(new(big.Rat).SetFrac(rest, sum))
		left -= parts[i]
	}
	for unit := int64(1); left != 0; left -= unit {
		if total < 0 {
			unit = -1
		}
		best := 0
		for i := range fractions {
			if fractions[i].Cmp(fractions[best]) > 0 {
				best = i
			}
		}
		parts[best] += unit
		fractions[best] = big.NewRat(-1, 1) // served
	}
	return parts
}

func TestAllocateAgreesWithItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total, weights := anyInt64().Draw(t, "total"), drawWeights(t)
		got, err := money.Allocate(total, weights)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(slowAllocate(total, weights), got); d != "" {
			t.Fatal(d)
		}
		var sum int64
		for _, p := range got {
			sum += p
		}
		if sum != total {
			t.Fatalf("the parts add up to %d", sum)
		}
		if total == math.MinInt64 {
			return // it has no positive to compare with
		}
		// A greater weight never gets less; nor does, of equals, the one that stands first.
		for i := range weights {
			for j := i + 1; j < len(weights); j++ {
				a, b := got[i], got[j]
				if total < 0 {
					a, b = -a, -b
				}
				if weights[i] >= weights[j] && a < b || weights[i] < weights[j] && a > b {
					t.Fatalf("weights %d and %d get %d and %d", weights[i], weights[j], got[i], got[j])
				}
			}
		}
		negated, err := money.Allocate(-total, weights)
		if err != nil {
			t.Fatal(err)
		}
		for i := range negated {
			if negated[i] != -got[i] {
				t.Fatalf("the reversal gives part %d %d, not %d", i+1, negated[i], -got[i])
			}
		}
	})
}

func TestAllocateOfFewAllocatesNothing(t *testing.T) {
	weights, parts := make([]int64, 16), make([]int64, 16)
	for i := range weights {
		weights[i] = int64(i * i)
	}
	if n := testing.AllocsPerRun(100, func() { _ = money.AllocateInto(parts, 999_983, weights) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAllocate(b *testing.B) {
	weights, parts := []int64{9240, 500, 200, 60}, make([]int64, 4)
	for total := int64(0); b.Loop(); total++ {
		if err := money.AllocateInto(parts, total, weights); err != nil {
			b.Fatal(err)
		}
	}
}
