package reconcile_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
)

// TestRestartedFindsTheSame: a hub that has just started has to look up in its tables what another keeps beside them, and
// a bill larger than memory is read in parts. All find the same in the same bill, whatever is wrong with it.
func TestRestartedFindsTheSame(t *testing.T) {
	for seed := range uint64(10) {
		find := func(part int64, restart bool) (string, reconcile.BillRow) {
			w := newWorldOf(t, part)
			moves := w.day()
			w.now += 14*moongate.Hour + 30*moongate.Minute // near midnight, and after it
			for i := range 5 {
				moves = append(moves, w.sale("crane-pay", 20_000+int64(i)))
				w.now += 10 * moongate.Minute
			}
			moves = append(moves, w.giveBack(moves[2], 1), unpaid(w, moves[0]))
			w.now -= 2 * moongate.Hour
			w.morning()
			if restart {
				w.state.Rebuild()
			}
			random := rand.New(rand.NewPCG(seed, 0))
			var bill []*move
			for _, m := range moves {
				one := *m
				switch random.IntN(12) {
				case 0:
					continue
				case 1:
					bill = append(bill, &one)
				case 2:
					one.amount++
				case 3:
					one.fee += 90
				case 4:
					one.state = "CLOSED"
				case 5:
					one.no, one.order = "SHOP-1", "SHOP-1"
				}
				bill = append(bill, &one)
			}
			row := w.take(bill)
			_, list := w.differences()
			slices.Sort(list)
			return fmt.Sprint(list), row
		}
		list, bill := find(0, false)
		for name, other := range map[string]func() (string, reconcile.BillRow){
			"restarted": func() (string, reconcile.BillRow) { return find(0, true) },
			"in parts":  func() (string, reconcile.BillRow) { return find(700, false) },
			"both":      func() (string, reconcile.BillRow) { return find(700, true) },
		} {
			list2, bill2 := other()
			if list2 != list {
				t.Fatalf("seed %d, %s: %s, and %s", seed, name, list, list2)
			}
			if d := cmp.Diff(bill.Sums, bill2.Sums); d != "" || bill.Matched != bill2.Matched || bill.Rows != bill2.Rows || bill.Missing != bill2.Missing || bill.Guessed != bill2.Guessed || bill.Aside != bill2.Aside {
				t.Fatalf("seed %d, %s: %+v, and %+v\n%s", seed, name, bill, bill2, d)
			}
		}
	}
}
