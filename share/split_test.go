package share_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/share"
)

func ExampleSplit() {
	split, err := share.ParseSplit([]byte(`[
		{"to": "wallet",      "portion": "0.6%", "min": 10},
		{"to": "marketplace", "portion": "5%",   "max": 5000},
		{"to": "carrier",     "amount": 800},
		{"to": "seller",      "remaining": true}
	]`), []string{"seller", "marketplace", "carrier", "wallet"})
	if err != nil {
		fmt.Println(err)
		return
	}
	parts, _ := split.Evaluate(nil, 20_000)
	fmt.Println(parts)
	_, err = split.Evaluate(nil, 500)
	fmt.Println(err)
	// Output:
	// [{wallet 120} {marketplace 1000} {carrier 800} {seller 18080}]
	// /2: carrier asks for 800, and 465 of 500 is left; the amount is too small for these terms
}

// split builds clauses that are known to be good.
func split(t testing.TB, clauses string) *share.Split {
	t.Helper()
	s, err := share.ParseSplit([]byte(clauses), nil)
	if err != nil {
		t.Fatalf("%s: %v", clauses, err)
	}
	return s
}

func TestEvaluate(t *testing.T) {
	for _, c := range []struct {
		name    string
		clauses string
		total   int64
		want    []int64
	}{
		{"thirds", `[{"to":"a","portion":"1/3"},{"to":"b","portion":"1/3"},{"to":"c","portion":"1/3"}]`, 100, []int64{34, 33, 33}},
		{"thirds by remainder", `[{"to":"a","portion":"1/3"},{"to":"b","portion":"1/3"},{"to":"c","remaining":true}]`, 100, []int64{34, 33, 33}},
		{"half goes to the portion", `[{"to":"a","portion":"2.5%"},{"to":"b","remaining":true}]`, 20, []int64{1, 19}},
		{"less than half does not", `[{"to":"a","portion":"2.5%"},{"to":"b","remaining":true}]`, 19, []int64{0, 19}},
		{"percent and fixed to one party", `[{"to":"a","portion":"2.9%"},{"to":"a","amount":30},{"to":"b","remaining":true}]`, 1000, []int64{29, 30, 941}},
		{"portions are of the whole", `[{"to":"a","amount":500},{"to":"b","portion":"50%"},{"to":"c","remaining":true}]`, 1000, []int64{500, 500, 0}},
		{"min lifts", `[{"to":"a","portion":"1%","min":10},{"to":"b","remaining":true}]`, 100, []int64{10, 90}},
		{"max cuts", `[{"to":"a","portion":"10%","max":5},{"to":"b","remaining":true}]`, 100, []int64{5, 95}},
		{"up to, less is there", `[{"to":"a","max":500},{"to":"b","remaining":true}]`, 100, []int64{100, 0}},
		{"up to, more is there", `[{"to":"a","max":30},{"to":"b","remaining":true}]`, 100, []int64{30, 70}},
		{"some is kept", `[{"to":"a","portion":"30%"},{"kept":true,"remaining":true}]`, 10, []int64{3, 7}},
		{"a portion is kept", `[{"kept":true,"portion":"30%"},{"to":"a","remaining":true}]`, 10, []int64{3, 7}},
		{"minimum of the remainder met", `[{"to":"a","portion":"50%"},{"to":"b","remaining":true,"min":50}]`, 100, []int64{50, 50}},
		{"nothing of nothing", `[{"to":"a","amount":30},{"to":"b","portion":"1%","min":5},{"to":"c","remaining":true,"min":1}]`, 0, []int64{0, 0, 0}},
		{"whole portions and a remainder", `[{"to":"a","portion":"100%","max":60},{"to":"b","remaining":true}]`, 100, []int64{60, 40}},
		{"no portion", `[{"to":"a","portion":"0%"},{"to":"b","remaining":true}]`, 100, []int64{0, 100}},
		{"all there is", `[{"to":"a","portion":"50%"},{"to":"b","portion":"50%"}]`, math.MaxInt64, []int64{1 << 62, 1<<62 - 1}},
	} {
		parts, err := split(t, c.clauses).Evaluate(nil, c.total)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []int64
		for _, p := range parts {
			got = append(got, p.Minor)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestEvaluateRefuses(t *testing.T) {
	for _, c := range []struct {
		clauses string
		total   int64
		code    moongate.Code
		want    string
	}{
		{`[{"to":"a","amount":30},{"to":"b","remaining":true}]`, 29, moongate.Refused, "/0: a asks for 30, and 29 of 29 is left"},
		{`[{"to":"a","portion":"60%"},{"to":"b","amount":50},{"to":"c","remaining":true}]`, 100, moongate.Refused, "/1: b asks for 50, and 40 of 100 is left"},
		{`[{"to":"a","portion":"60%"},{"to":"b","remaining":true,"min":41}]`, 100, moongate.Refused, "/1: b asks for 41, and 40 of 100 is left"},
		{`[{"kept":true,"portion":"1%","min":5},{"to":"b","remaining":true}]`, 4, moongate.Refused, "/0: what is kept asks for 5"},
		{`[{"to":"a","remaining":true}]`, -1, moongate.Malformed, "-1 cannot be split: it is negative"},
	} {
		before := []share.Part{{Party: "before", Minor: 7}}
		got, err := split(t, c.clauses).Evaluate(before, c.total)
		if moongate.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %d: %v; want %q", c.clauses, c.total, err, c.want)
		}
		if d := cmp.Diff(before, got); d != "" {
			t.Errorf("%s: the error left parts behind: %s", c.clauses, d)
		}
	}
}

func TestParseSplitRefuses(t *testing.T) {
	for clauses, want := range map[string]string{
		``:                                             "not a JSON array",
		`{}`:                                           "not a JSON array",
		`[1]`:                                          "clause 1 is no object",
		`[]`:                                           "no clauses",
		`[{}]`:                                         "/0/to: nobody is named",
		`[{"to":"a","remaining":true}`:                 "not a JSON array",
		`[{"to":"a","remaining":true}] 1`:              "something follows",
		`[{"TO":"a","remaining":true}]`:                `/0: a clause has no member "TO"`,
		`[{"to":"a","share":5}]`:                       `/0: a clause has no member "share"`,
		`[{"to":"a","to":"b","max":5}]`:                "/0/to: it stands there twice",
		`[{"to":null,"max":5}]`:                        "/0/to: it is neither",
		`[{"to":"a","portion":{"num":1}}]`:             "/0/portion: it is neither",
		`[{"to":"a","amount":1.5}]`:                    "not a JSON array of clauses",
		`[{"to":"a","amount":"5"}]`:                    "not a JSON array of clauses",
		`[{"to":"a","amount":1e400}]`:                  "not a JSON array of clauses",
		`[{"to":"a","remaining":"yes"}]`:               "not a JSON array of clauses",
		`[{"to":"a","kept":true,"max":5}]`:             "/0: it is both kept and for",
		`[{"to":"a b","max":5}]`:                       "/0/to: \"a b\" is no name",
		`[{"to":"甲","max":5}]`:                         "/0/to: ",
		`[{"to":"mallory","max":5}]`:                   `/0/to: "mallory" is not a party here; the parties are ["a" "b"]`,
		`[{"to":"a"}]`:                                 "/0: it does not say how much",
		`[{"to":"a","min":5}]`:                         "/0: it does not say how much",
		`[{"to":"a","min":5,"max":9}]`:                 "/0/min: it bounds nothing",
		`[{"to":"a","amount":-5}]`:                     "/0/amount: -5 is negative",
		`[{"to":"a","max":-5}]`:                        "/0/max: -5 is negative",
		`[{"to":"a","portion":"1%","min":-5}]`:         "/0/min: -5 is negative",
		`[{"to":"a","portion":"1%","min":9,"max":5}]`:  "/0/min: 9 is above max 5",
		`[{"to":"a","amount":5,"max":9}]`:              "/0/amount: a fixed amount",
		`[{"to":"a","amount":5,"portion":"1%"}]`:       "/0: it says more than one",
		`[{"to":"a","remaining":true,"portion":"1%"}]`: "/0: it says more than one",
		`[{"to":"a","remaining":true,"max":9}]`:        "/0/max: the remainder has no most",
		`[{"to":"a","remaining":true},{"to":"b","remaining":true}]`:                                           "/0/remaining: clauses follow the remainder",
		`[{"to":"a","remaining":true},{"to":"b","max":1}]`:                                                    "/0/remaining: clauses follow the remainder",
		`[{"to":"a","portion":"60%"},{"to":"b","portion":"41%"}]`:                                             "/1/portion: the portions add up to more than 100%",
		`[{"to":"a","portion":"1/3"},{"to":"b","portion":"66.66%"}]`:                                          "/1: 2/30000 of the amount is nobody's",
		`[{"to":"a","portion":"50%"}]`:                                                                        "/0: 5000/10000 of the amount is nobody's",
		`[{"to":"a","portion":"100%","max":5}]`:                                                               "/0: what the clauses leave is nobody's",
		`[{"to":"a","amount":5}]`:                                                                             "/0: what the clauses leave is nobody's",
		`[{"to":"a","portion":"101%"},{"to":"b","remaining":true}]`:                                           "more than the whole",
		`[{"to":"a","portion":"3/2"},{"to":"b","remaining":true}]`:                                            "more than the whole",
		`[{"to":"a","portion":"-1%"},{"to":"b","remaining":true}]`:                                            "is negative",
		`[{"to":"a","portion":"1/0"},{"to":"b","remaining":true}]`:                                            "denominator",
		`[{"to":"a","portion":"0.001%"},{"to":"b","remaining":true}]`:                                         `"0.001%" is not a portion`,
		`[{"to":"a","portion":"NaN"},{"to":"b","remaining":true}]`:                                            `"NaN" is not a portion`,
		`[{"to":"a","portion":""},{"to":"b","remaining":true}]`:                                               `"" is not a portion`,
		`[{"to":"a","portion":"1/99999999999999999999"},{"to":"b","max":1}]`:                                  "is not a portion",
		`[{"to":"a","portion":"1/999999937"},{"to":"b","portion":"1/999999929"},{"to":"a","remaining":true}]`: "/1/portion: the portions up to 1/999999929 have no common denominator",
	} {
		_, err := share.ParseSplit([]byte(clauses), []string{"a", "b"})
		if moongate.CodeOf(err) != moongate.Malformed || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", clauses, err, want)
		}
	}
	for name, clauses := range map[string]string{
		"bytes":   "[" + strings.Repeat(" ", 64<<10) + "]",
		"clauses": "[" + strings.Repeat(`{"to":"a","max":1},`, 64) + `{"to":"b","remaining":true}]`,
	} {
		if _, err := share.ParseSplit([]byte(clauses), nil); moongate.CodeOf(err) != moongate.TooLarge {
			t.Errorf("too many %s: %v", name, err)
		}
	}
}

func TestClausesInEveryForm(t *testing.T) {
	want := []share.Clause{
		{To: "wallet", Portion: share.Rate(60), Min: 10, Max: 5000},
		{To: "carrier", Amount: 800},
		{To: "publisher", Portion: share.Portion{Num: 1, Den: 3}},
		{Kept: true, Remaining: true},
	}
	var fromYAML []share.Clause
	err := yaml.UnmarshalWithOptions([]byte(`
- {to: wallet, portion: 0.6%, min: 10, max: 5000}
- {to: carrier, amount: 800}
- {to: publisher, portion: 1/3}
- {kept: true, remaining: true}
`), &fromYAML, yaml.Strict())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, fromYAML); d != "" {
		t.Error("YAML:", d)
	}
	s, err := share.NewSplit(want, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s.Clauses())
	if err != nil {
		t.Fatal(err)
	}
	if want := `[{"to":"wallet","portion":"0.6%","min":10,"max":5000},{"to":"carrier","amount":800},{"to":"publisher","portion":"1/3"},{"kept":true,"remaining":true}]`; string(text) != want {
		t.Errorf("JSON: %s", text)
	}
	back, err := share.ParseSplit(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, back.Clauses()); d != "" {
		t.Error("JSON:", d)
	}
	b, err := cbor.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var fromCBOR []share.Clause
	if err := cbor.Unmarshal(b, &fromCBOR); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, fromCBOR); d != "" {
		t.Error("CBOR:", d)
	}
}

// slowSplit follows the words of the documentation in fractions without end. It gives nil where the amount is refused.
func slowSplit(clauses []share.Clause, total int64) []int64 {
	whole := new(big.Rat).SetInt64(total)
	rest := big.NewRat(1, 1)
	var exact []*big.Rat // the exact portions, and that of the rest
	for _, c := range clauses {
		if !c.Portion.IsZero() {
			p := big.NewRat(c.Portion.Num, c.Portion.Den)
			rest.Sub(rest, p)
			exact = append(exact, p.Mul(p, whole))
		}
	}
	exact = append(exact, rest.Mul(rest, whole))
	rounded := roundTogether(exact, total)
	var parts []int64
	left := total
	for _, c := range clauses {
		var asks int64
		switch {
		case total == 0:
		case !c.Portion.IsZero():
			asks, rounded = rounded[0], rounded[1:]
			if asks < c.Min {
				asks = c.Min
			}
			if c.Max > 0 && asks > c.Max {
				asks = c.Max
			}
		case c.Amount > 0:
			asks = c.Amount
		case c.Remaining:
			asks = left
			if asks < c.Min {
				return nil
			}
		default:
			asks = min(left, c.Max)
		}
		if left -= asks; left < 0 {
			return nil
		}
		parts = append(parts, asks)
	}
	return parts
}

// roundTogether rounds fractions that add up to a whole number by largest remainder.
func roundTogether(exact []*big.Rat, total int64) []int64 {
	parts := make([]int64, len(exact))
	fractions := make([]*big.Rat, len(exact))
	left := total
	for i, x := range exact {
		parts[i] = new(big.Int).Quo(x.Num(), x.Denom()).Int64()
		fractions[i] = new(big.Rat).Sub(x, new(big.Rat).SetInt64(parts[i]))
		left -= parts[i]
	}
	for ; left > 0; left-- {
		best := 0
		for i := range fractions {
			if fractions[i].Cmp(fractions[best]) > 0 {
				best = i
			}
		}
		parts[best]++
		fractions[best] = big.NewRat(-1, 1)
	}
	return parts
}

func drawClauses(t *rapid.T) []share.Clause {
	var clauses []share.Clause
	left := int64(money.Whole)
	for range rapid.IntRange(0, 5).Draw(t, "clauses") {
		c := share.Clause{To: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "to")}
		switch rapid.IntRange(0, 3).Draw(t, "way") {
		case 0:
			c.Amount = rapid.Int64Range(1, 50).Draw(t, "amount")
		case 1:
			c.Max = rapid.Int64Range(1, 50).Draw(t, "up to")
		default:
			bps := rapid.Int64Range(0, left).Draw(t, "bps")
			left -= bps
			c.Portion = share.Rate(money.BasisPoints(bps))
			if rapid.Bool().Draw(t, "has min") {
				c.Min = rapid.Int64Range(0, 20).Draw(t, "min")
			}
			if rapid.Bool().Draw(t, "has max") {
				c.Max = c.Min + rapid.Int64Range(1, 100).Draw(t, "max")
			}
		}
		clauses = append(clauses, c)
	}
	rest := share.Clause{To: "rest", Remaining: true, Min: rapid.SampledFrom([]int64{0, 0, 5}).Draw(t, "rest's min")}
	if rapid.Bool().Draw(t, "kept") {
		rest.To, rest.Kept = "", true
	}
	return append(clauses, rest)
}

func TestEvaluateAgreesWithItsDocumentation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clauses := drawClauses(t)
		total := rapid.OneOf(rapid.Int64Range(0, 200), rapid.Int64Range(0, math.MaxInt64)).Draw(t, "total")
		s, err := share.NewSplit(clauses, nil)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := s.Evaluate(nil, total)
		want := slowSplit(clauses, total)
		if want == nil {
			if moongate.CodeOf(err) != moongate.Refused {
				t.Fatalf("want a refusal, got %v, %v", parts, err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%v; want %d", err, want)
		}
		var sum int64
		for i, p := range parts {
			c := clauses[i]
			sum += p.Minor
			if p.Minor != want[i] || p.Party != c.To {
				t.Fatalf("clause %d gets %v, want %d", i, p, want[i])
			}
			if total > 0 && (p.Minor < c.Min || c.Max > 0 && p.Minor > c.Max) {
				t.Fatalf("clause %d gets %v outside of its bounds %d and %d", i, p, c.Min, c.Max)
			}
		}
		if sum != total {
			t.Fatalf("the parts add up to %d", sum)
		}
	})
}

// With one portion, more to divide is less for nobody. (With several, largest remainder may take a minor unit back:
// the Alabama paradox.)
func TestEvaluateIsMonotoneForOnePortion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := share.NewSplit([]share.Clause{
			{To: "fee", Portion: share.Rate(money.BasisPoints(rapid.Int32Range(0, 10_000).Draw(t, "bps"))), Max: rapid.Int64Range(0, 100).Draw(t, "max")},
			{To: "seller", Remaining: true},
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		total := rapid.Int64Range(0, 1000).Draw(t, "total")
		less, err1 := s.Evaluate(nil, total)
		more, err2 := s.Evaluate(nil, total+1)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		for i := range less {
			if more[i].Minor < less[i].Minor {
				t.Fatalf("%v became %v", less, more)
			}
		}
	})
}

func FuzzParseSplit(f *testing.F) {
	for _, s := range []string{
		`[{"to":"a","remaining":true}]`,
		`[{"to":"a","portion":"1/3"},{"to":"b","portion":"66.6%","min":1,"max":9},{"kept":true,"remaining":true}]`,
		`[{"to":"a","amount":9223372036854775807},{"to":"b","remaining":true}]`,
		`[{"portion":"1/0"}]`, `[[]]`, `{`, `[{"to":"\u0000"}]`,
	} {
		f.Add(s, int64(1999))
	}
	f.Fuzz(func(t *testing.T, text string, total int64) {
		s, err := share.ParseSplit([]byte(text), nil)
		if err != nil {
			return
		}
		parts, err := s.Evaluate(nil, total)
		if err != nil {
			return
		}
		var sum int64
		for _, p := range parts {
			if p.Minor < 0 {
				t.Fatalf("%s of %d: %v", text, total, parts)
			}
			sum += p.Minor
		}
		if sum != total {
			t.Fatalf("%s of %d: parts %v add up to %d", text, total, parts, sum)
		}
	})
}

func TestEvaluateAllocatesNothing(t *testing.T) {
	s := split(t, fourClauses)
	parts := make([]share.Part, 0, 4)
	if n := testing.AllocsPerRun(100, func() { parts, _ = s.Evaluate(parts[:0], 19_990) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

const fourClauses = `[
	{"to":"wallet","portion":"0.6%","min":10},
	{"to":"marketplace","portion":"5%","max":5000},
	{"to":"publisher","portion":"2%"},
	{"to":"seller","remaining":true}
]`

func BenchmarkEvaluate(b *testing.B) {
	s := split(b, fourClauses)
	parts := make([]share.Part, 0, 4)
	var err error
	for total := int64(10_000); b.Loop(); total++ {
		if parts, err = s.Evaluate(parts[:0], total); err != nil {
			b.Fatal(err)
		}
	}
}
