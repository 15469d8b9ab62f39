package share_test

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/share"
)

func ExampleRule_Distribute() {
	journey := []share.Touch{{Party: "blog", At: 1}, {Party: "video", At: 2}, {Party: "blog", At: 3}, {Party: "news", At: 4}}
	rule := share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{
		{Party: "news", Cap: &share.Bound{Rate: 2000}}, // at most 20 %
	}}
	d, err := rule.Distribute(1000, journey)
	fmt.Println(d.Parts, d.Kept, err)
	// Output:
	// [{blog 400} {video 400} {news 200}] 0 <nil>
}

// path makes a journey of one touch a second; "blog/mail" is the blog's channel mail, and "blog*3" a weight of 3.
func path(steps string) []share.Touch {
	var touches []share.Touch
	for i, s := range strings.Fields(steps) {
		weight := int64(0)
		if name, w, ok := strings.Cut(s, "*"); ok {
			s = name
			fmt.Sscan(w, &weight)
		}
		party, channel, _ := strings.Cut(s, "/")
		touches = append(touches, share.Touch{Party: party, Channel: channel, At: moongate.Time(i) * moongate.Second, Weight: weight})
	}
	return touches
}

func minor(n int64) *share.Bound            { return &share.Bound{Minor: n} }
func rate(r money.BasisPoints) *share.Bound { return &share.Bound{Rate: r} }

func TestDistribute(t *testing.T) {
	for _, c := range []struct {
		name   string
		rule   share.Rule
		path   string
		total  int64
		want   string
		stayed int64
	}{
		{"last touch", share.Rule{Method: share.LastTouch}, "a b a c", 100, "a 0 b 0 c 100", 0},
		{"last touch, seen before", share.Rule{Method: share.LastTouch}, "a b a", 100, "a 100 b 0", 0},
		{"each once", share.Rule{Method: share.UniqueUniform}, "a b a a", 100, "a 50 b 50", 0},
		{"odd units go to the first", share.Rule{Method: share.UniqueUniform}, "a b c", 101, "a 34 b 34 c 33", 0},
		{"by channel", share.Rule{Method: share.UniqueUniform, Distinct: share.ByChannel}, "a/x b/x a/y a/x", 90, "a 60 b 30", 0},
		{"by party, channels aside", share.Rule{Method: share.UniqueUniform}, "a/x b/x a/y", 90, "a 45 b 45", 0},
		{"the heaviest touch counts", share.Rule{Method: share.UniqueUniform}, "a b a*3 a*2", 100, "a 75 b 25", 0},
		{"nobody touched", share.Rule{Method: share.UniqueUniform}, "", 100, "", 100},
		{"nothing to share", share.Rule{Method: share.UniqueUniform}, "a b", 0, "a 0 b 0", 0},
		{
			"a cap fills the others",
			share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{{Party: "a", Cap: minor(10)}}},
			"a b c", 100, "a 10 b 45 c 45", 0,
		},
		{
			"a floor takes from the others",
			share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{{Party: "a", Floor: rate(5000)}}},
			"a b c", 100, "a 50 b 25 c 25", 0,
		},
		{
			"a floor and a cap",
			share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{{Party: "a", Floor: minor(70)}, {Party: "b", Cap: minor(5)}}},
			"a b c", 100, "a 70 b 5 c 25", 0,
		},
		{
			"caps for all leave something",
			share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{{Cap: rate(3000)}}},
			"a b", 101, "a 30 b 30", 41,
		},
		{
			"one's own limit stands in place of the common one",
			share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{{Cap: rate(1000)}, {Party: "b"}}},
			"a b", 100, "a 10 b 90", 0,
		},
		{
			"last touch with floors for those before",
			share.Rule{Method: share.LastTouch, Limits: []share.Limit{{Floor: rate(1000)}}},
			"a b c", 100, "a 10 b 10 c 80", 0,
		},
		{
			"last touch with a cap",
			share.Rule{Method: share.LastTouch, Limits: []share.Limit{{Party: "b", Cap: minor(60)}}},
			"a b", 100, "a 0 b 60", 40,
		},
		{
			"floors of 100 % together, of an odd total",
			share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{{Floor: rate(5000)}}},
			"a b", 101, "a 51 b 50", 0,
		},
		{
			"limits of parties that did not touch do not matter",
			share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{{Party: "z", Floor: rate(10_000)}}},
			"a b", 100, "a 50 b 50", 0,
		},
		{
			"all there is",
			share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{{Party: "a", Floor: minor(math.MaxInt64 - 1)}}},
			"a b c", math.MaxInt64, fmt.Sprintf("a %d b 1 c 0", int64(math.MaxInt64-1)), 0,
		},
	} {
		d, err := c.rule.Distribute(c.total, path(c.path))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, p := range d.Parts {
			got = append(got, fmt.Sprint(p.Party, " ", p.Minor))
		}
		if s := strings.Join(got, " "); s != c.want || d.Kept != c.stayed {
			t.Errorf("%s: %s and %d kept; want %s and %d", c.name, s, d.Kept, c.want, c.stayed)
		}
	}
}

func TestOrderOfTimesDecidesNotOrderOfList(t *testing.T) {
	rule := share.Rule{Method: share.LastTouch}
	for _, c := range []struct {
		times [3]moongate.Time
		want  string
	}{
		{[3]moongate.Time{1, 2, 3}, "c"},
		{[3]moongate.Time{3, 2, 1}, "a"},
		{[3]moongate.Time{1, 3, 2}, "b"},
		{[3]moongate.Time{2, 2, 2}, "c"}, // at the same time the later in the list is the later
		{[3]moongate.Time{-5, -9, -5}, "c"},
	} {
		d, err := rule.Distribute(100, []share.Touch{{Party: "a", At: c.times[0]}, {Party: "b", At: c.times[1]}, {Party: "c", At: c.times[2]}})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range d.Parts {
			if (p.Minor == 100) != (p.Party == c.want) {
				t.Errorf("times %d: %v; want all for %s", c.times, d.Parts, c.want)
			}
		}
	}
}

func TestDistributeRefuses(t *testing.T) {
	uniform := func(limits ...share.Limit) share.Rule {
		return share.Rule{Method: share.UniqueUniform, Limits: limits}
	}
	for _, c := range []struct {
		name  string
		rule  share.Rule
		path  []share.Touch
		total int64
		code  moongate.Code
		want  string
	}{
		{"no method", share.Rule{}, path("a"), 1, moongate.Malformed, `/method: "" is no way of sharing`},
		{"unknown distinct", share.Rule{Method: share.LastTouch, Distinct: "device"}, path("a"), 1, moongate.Malformed, `/distinct: "device"`},
		{"negative total", uniform(), path("a"), -1, moongate.Malformed, "-1 cannot be shared"},
		{"nameless touch", uniform(), []share.Touch{{Party: "a"}, {}}, 1, moongate.Malformed, "/touches/1/party: it is empty"},
		{"negative weight", uniform(), path("a b*-1"), 1, moongate.Malformed, "/touches/1/weight: -1"},
		{"huge weight", uniform(), path("a*1000001"), 1, moongate.Malformed, "/touches/0/weight: 1000001"},
		{"endless journey", uniform(), make([]share.Touch, 257), 1, moongate.TooLarge, "a journey of 257 touches"},
		{"limit twice", uniform(share.Limit{Party: "a"}, share.Limit{Party: "a"}), path("a"), 1, moongate.Malformed, `/limits/1/party: "a" has a limit already`},
		{"negative floor", uniform(share.Limit{Floor: minor(-1)}), path("a"), 1, moongate.Malformed, "/limits/0/floor/minor: -1 is negative"},
		{"cap above the whole", uniform(share.Limit{Cap: rate(10_001)}), path("a"), 1, moongate.Malformed, "/limits/0/cap/bps: 10001"},
		{"negative rate", uniform(share.Limit{Cap: rate(-1)}), path("a"), 1, moongate.Malformed, "/limits/0/cap/bps: -1"},
		{"a bound of two kinds", uniform(share.Limit{Cap: &share.Bound{Minor: 1, Rate: 1}}), path("a"), 1, moongate.Malformed, "/limits/0/cap: it gives both"},
		{"floor above cap", uniform(share.Limit{Party: "a", Floor: rate(5000), Cap: rate(4000)}), path("a"), 1, moongate.Malformed, `/limits/0: the floor 50% of "a" is above its cap 40%`},
		{"floor above cap in units", uniform(share.Limit{Party: "a", Floor: minor(50), Cap: minor(40)}), path("a"), 1, moongate.Malformed, `the floor 50 of "a" is above its cap 40`},
		{"floor above cap of this total", uniform(share.Limit{Party: "a", Floor: minor(50), Cap: rate(4000)}), path("a b"), 100, moongate.Refused, "the floor 50 of a is above its cap 40"},
		{"floor above the total", uniform(share.Limit{Party: "a", Floor: minor(50)}), path("a b"), 49, moongate.Refused, "the floor 50 of a is above the 49 to share"},
		{
			"floors that cannot be met together", uniform(share.Limit{Party: "b", Floor: rate(6000)}, share.Limit{Party: "c", Floor: minor(41)}),
			path("a b c"), 100, moongate.Refused, "the floors (b 60, c 41) add up to more than the 100 to share",
		},
	} {
		var d share.Division
		err := c.rule.Check()
		if err == nil {
			d, err = c.rule.Distribute(c.total, c.path)
		}
		if moongate.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", c.name, d, err, c.want)
		}
	}
}

// shapley is the Shapley value by its definition: over all orders in which the parties may come, what each adds. The
// game is that of a journey: the sale is made when all of its parties are there.
func shapley(parties int, total int64) []*big.Rat {
	sum := make([]*big.Rat, parties)
	for i := range sum {
		sum[i] = new(big.Rat)
	}
	order := make([]int, parties)
	for i := range order {
		order[i] = i
	}
	orders := int64(0)
	var permute func(int)
	permute = func(k int) {
		if k == parties {
			orders++
			last := order[parties-1] // who completes the journey brings all of it
			sum[last].Add(sum[last], new(big.Rat).SetInt64(total))
			return
		}
		for i := k; i < parties; i++ {
			order[k], order[i] = order[i], order[k]
			permute(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	permute(0)
	for i := range sum {
		sum[i].Quo(sum[i], new(big.Rat).SetInt64(orders))
	}
	return sum
}

func TestUniqueUniformIsShapley(t *testing.T) {
	parties := []string{"a", "b", "c", "d", "e", "f"}
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.SampledFrom(parties), 1, 12).Draw(t, "steps")
		total := rapid.Int64Range(0, 1_000_000).Draw(t, "total")
		rule := share.Rule{Method: share.UniqueUniform}
		d, err := rule.Distribute(total, path(strings.Join(steps, " ")))
		if err != nil {
			t.Fatal(err)
		}
		exact := shapley(len(d.Parts), total)
		if got, want := minors(d.Parts), roundTogether(exact, total); !slices.Equal(got, want) {
			t.Fatalf("%d; the Shapley value, rounded by largest remainder, is %d", got, want)
		}
	})
}

func minors(parts []share.Part) []int64 {
	out := make([]int64, len(parts))
	for i, p := range parts {
		out[i] = p.Minor
	}
	return out
}

// level finds by its definition how far water rises in vessels with a floor, a cap and a width: it tries every way in
// which vessels can stand at the floor, at the cap or between, and takes the one that holds water.
func level(total int64, least, most, weight []int64) (exact []*big.Rat, kept int64) {
	n := len(least)
	full := int64(0)
	for i := range n {
		if weight[i] > 0 {
			full += most[i]
		} else {
			full += least[i]
		}
	}
	if full <= total {
		for i := range n {
			x := least[i]
			if weight[i] > 0 {
				x = most[i]
			}
			exact = append(exact, new(big.Rat).SetInt64(x))
		}
		return exact, total - full
	}
	for ways := range int(math.Pow(3, float64(n))) {
		state := make([]int, n)
		for i, w := 0, ways; i < n; i, w = i+1, w/3 {
			state[i] = w % 3
		}
		rest, sum := total, int64(0)
		for i := range n {
			switch state[i] {
			case 0:
				rest -= least[i]
			case 1:
				rest -= most[i]
			default:
				sum += weight[i]
			}
		}
		if rest < 0 || sum == 0 {
			continue
		}
		lambda := big.NewRat(rest, sum)
		exact, holds := make([]*big.Rat, n), true
		for i := range n {
			x := new(big.Rat).Mul(lambda, new(big.Rat).SetInt64(weight[i]))
			lo, hi := new(big.Rat).SetInt64(least[i]), new(big.Rat).SetInt64(most[i])
			switch state[i] {
			case 0:
				holds = holds && x.Cmp(lo) <= 0
				exact[i] = lo
			case 1:
				holds = holds && x.Cmp(hi) >= 0 && weight[i] > 0
				exact[i] = hi
			default:
				holds = holds && x.Cmp(lo) >= 0 && x.Cmp(hi) <= 0 && weight[i] > 0
				exact[i] = x
			}
		}
		if holds {
			return exact, 0
		}
	}
	return nil, 0
}

func TestLimitsAgreeWithWater(t *testing.T) {
	parties := []string{"a", "b", "c", "d", "e"}
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64Range(0, 1000).Draw(t, "total")
		rule := share.Rule{Method: rapid.SampledFrom([]share.Method{share.LastTouch, share.UniqueUniform}).Draw(t, "method")}
		n := rapid.IntRange(1, 5).Draw(t, "parties")
		var touches []share.Touch
		least, most, weight := make([]int64, n), make([]int64, n), make([]int64, n)
		floors := int64(0)
		for i := range n {
			touches = append(touches, share.Touch{Party: parties[i], At: moongate.Time(i), Weight: rapid.Int64Range(1, 9).Draw(t, "weight")})
			weight[i] = touches[i].Weight
			if rule.Method == share.LastTouch {
				weight[i] = 0
			}
			most[i] = rapid.OneOf(rapid.Int64Range(1, 400), rapid.Just(total+1)).Draw(t, "most")
			least[i] = rapid.Int64Range(0, min(most[i], total)).Draw(t, "least") * rapid.Int64Range(0, 1).Draw(t, "has floor")
			rule.Limits = append(rule.Limits, share.Limit{Party: parties[i], Floor: minor(least[i]), Cap: minor(most[i])})
			most[i] = min(most[i], total)
			floors += least[i]
		}
		if rule.Method == share.LastTouch {
			weight[n-1] = 1
		}
		d, err := rule.Distribute(total, touches)
		if floors > total {
			if moongate.CodeOf(err) != moongate.Refused {
				t.Fatalf("floors of %d: %v, %v", floors, d, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		exact, kept := level(total, least, most, weight)
		if exact == nil {
			t.Fatal("the model found no level")
		}
		if got, want := minors(d.Parts), roundTogether(exact, total-kept); !slices.Equal(got, want) || d.Kept != kept {
			t.Fatalf("%d and %d kept; the model says %d and %d, exactly %v", got, d.Kept, want, kept, exact)
		}
		sum := d.Kept
		for i, p := range d.Parts {
			sum += p.Minor
			if p.Minor < least[i] || p.Minor > most[i] {
				t.Fatalf("%v is outside of %d to %d", p, least[i], most[i])
			}
		}
		if sum != total {
			t.Fatalf("the parts add up to %d", sum)
		}
	})
}

// Raising a party's own floor or cap never costs it anything, more to share costs nobody anything while all count
// alike, and touching again changes nothing.
func TestDistributeIsMonotone(t *testing.T) {
	parties := []string{"a", "b", "c", "d"}
	rapid.Check(t, func(t *rapid.T) {
		steps := rapid.SliceOfN(rapid.SampledFrom(parties), 1, 6).Draw(t, "steps")
		touches := path(strings.Join(steps, " "))
		total := rapid.Int64Range(0, 500).Draw(t, "total")
		of := func(rule share.Rule, total int64, touches []share.Touch) []int64 {
			d, err := rule.Distribute(total, touches)
			if err != nil {
				t.Fatal(err)
			}
			return minors(d.Parts)
		}
		plain := share.Rule{Method: share.UniqueUniform}
		before, after := of(plain, total, touches), of(plain, total+1, touches)
		for i := range before {
			if after[i] < before[i] {
				t.Fatalf("one more to share: %d became %d", before, after)
			}
		}
		again := append(slices.Clone(touches), touches[0])
		if got := of(plain, total, again); !slices.Equal(got, before) {
			t.Fatalf("touching again: %d became %d", before, got)
		}

		limit := rapid.Int64Range(0, total).Draw(t, "limit")
		higher := rapid.Int64Range(limit, total).Draw(t, "higher")
		own := share.Limit{Party: touches[0].Party}
		others := share.Limit{Cap: minor(rapid.Int64Range(0, total+1).Draw(t, "others' cap"))}
		with := func(l share.Limit) int64 {
			return of(share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{l, others}}, total, touches)[0]
		}
		low, high := own, own
		low.Floor, high.Floor = minor(limit), minor(higher)
		if a, b := with(low), with(high); b < a {
			t.Fatalf("floor %d gives %d, floor %d gives %d", limit, a, higher, b)
		}
		low, high = own, own
		low.Cap, high.Cap = minor(limit), minor(higher)
		if a, b := with(low), with(high); b < a {
			t.Fatalf("cap %d gives %d, cap %d gives %d", limit, a, higher, b)
		}
	})
}

// dataDir finds a folder of published data: see MOONGATE_DATA in CONTRIBUTING.md.
func dataDir(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("MOONGATE_DATA")
	if root == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("MOONGATE_DATA is not set")
		}
		t.Skip("MOONGATE_DATA is not set: no real journeys to share")
	}
	return filepath.Join(root, name)
}

// Ten thousand real paths: whatever the rule, the value of their conversions is shared to the minor unit.
func TestRealJourneys(t *testing.T) {
	file, err := os.Open(filepath.Join(dataDir(t, "mta-channelattribution"), "Data.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comma = ';'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rules := []share.Rule{
		{Method: share.LastTouch},
		{Method: share.UniqueUniform},
		{Method: share.UniqueUniform, Limits: []share.Limit{{Floor: rate(500), Cap: rate(4000)}}},
	}
	var total int64
	given := make([]int64, len(rules))
	for _, row := range rows[1:] {
		journey := path(strings.ReplaceAll(strings.ReplaceAll(row[0], " ", ""), ">", " "))
		conversions, err := strconv.ParseInt(row[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		value := 1999 * conversions
		total += value
		for i, rule := range rules {
			d, err := rule.Distribute(value, journey)
			if err != nil {
				t.Fatalf("%s: %v", row[0], err)
			}
			sum := d.Kept
			for _, p := range d.Parts {
				sum += p.Minor
				given[i] += p.Minor
			}
			if sum != value {
				t.Fatalf("%s: %d shared as %v and %d kept", row[0], value, d.Parts, d.Kept)
			}
		}
	}
	if len(rows) != 10_001 || total != 1999*19_785 {
		t.Errorf("%d paths worth %d; the source says 10,000 with 19,785 conversions", len(rows)-1, total)
	}
	if d := cmp.Diff([]int64{total, total}, given[:2]); d != "" {
		t.Errorf("without limits everything is given: %s", d)
	}
	if given[2] >= total || given[2] < total/2 {
		t.Errorf("caps of 40%% keep something back on short paths only: %d of %d given", given[2], total)
	}
}

func BenchmarkDistribute(b *testing.B) {
	rule := share.Rule{Method: share.UniqueUniform, Limits: []share.Limit{{Floor: rate(500), Cap: rate(6000)}}}
	touches := path("blog video blog news")
	for total := int64(10_000); b.Loop(); total++ {
		if _, err := rule.Distribute(total, touches); err != nil {
			b.Fatal(err)
		}
	}
}
