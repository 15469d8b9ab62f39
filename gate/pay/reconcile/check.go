package reconcile

import (
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
)

// Check finds what is wrong between bills and differences, one sentence each: a bill that was taken in whole whose heaps
// are not its rows or whose money is not that of its differences, and counts that are not what they count. Call it under
// the machine's Read.
func (s *State) Check() []string {
	var problems []string
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	open := map[moongate.ID]int64{}
	all := 0
	for id, d := range s.differences.All() {
		if d.Standing != Settled {
			open[d.Bill]++
			all++
		}
		if d.Difference != id {
			bad("difference %s calls itself %s", id, d.Difference)
		}
	}
	if all != s.open {
		bad("%d differences are not settled, and %d are counted", all, s.open)
	}
	for id, b := range s.bills.All() {
		f := &b.Figures
		if f.Rows != f.Matched+f.Guessed+f.Aside+f.Differences-f.Missing {
			bad("bill %s: %d rows, and its heaps have %d, %d, %d and %d", id, f.Rows, f.Matched, f.Guessed, f.Aside, f.Differences-f.Missing)
		}
		if got := b.Found + b.Stood + b.Healed; b.Ended != 0 && got != f.Differences {
			bad("bill %s: %d differences, and %d were judged", id, f.Differences, got)
		}
		if b.Open != open[id] {
			bad("bill %s: %d differences are open, and %d are counted", id, open[id], b.Open)
		}
	}
	slices.Sort(problems)
	return problems
}
