package reconcile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
)

// TestRestartedFindsTheSame: a hub that has just started has to look up in its tables what another keeps beside them, and
// a bill larger than memory is read in parts. All find the same in the same bill, whatever is wrong with it.
func TestRestartedFindsTheSame(t *testing.T) {
	for seed := range uint64(10) {
		find := func(part int64, restart, refill bool) (string, reconcile.BillRow) {
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
			kept := w.state.Kept()
			if restart {
				w.state.Rebuild()
			}
			if refill {
				w.refill()
				if d := cmp.Diff(kept, w.state.Kept()); d != "" || len(kept) < 10 {
					t.Fatalf("kept before the restart (-) and after (+): %s", d)
				}
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
		list, bill := find(0, false, false)
		for name, other := range map[string]func() (string, reconcile.BillRow){
			"restarted": func() (string, reconcile.BillRow) { return find(0, true, false) },
			"refilled":  func() (string, reconcile.BillRow) { return find(0, true, true) },
			"in parts":  func() (string, reconcile.BillRow) { return find(700, false, false) },
			"both":      func() (string, reconcile.BillRow) { return find(700, true, false) },
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

// refill has the book of what was paid know what was before a restart.
func (w *world) refill() {
	w.t.Helper()
	w.wallets["crane-pay"], w.wallets["carp-pay"] = nil, nil // there are accounts there
	if err := w.importer.Refill(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// What is paid between a restart and the refill, or while that is going on, stands in the book once; a combined order, what is held
// for a person, and what is too old for a bill to come do not.
func TestRefillWhileOthersPay(t *testing.T) {
	w := newWorld(t)
	for i, seller := range []string{"tea-shop", "book-shop"} {
		w.submit(seller, &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: seller, Account: fmt.Sprint("190000020", i), Sub: true}})
	}
	w.sale("crane-pay", 1)
	w.pass(7 * moongate.Day)
	for i := range int64(200) {
		w.sale("carp-pay", 1_000+i)
	}
	w.basket(300, 200)
	unpaid(w, w.sale("carp-pay", 5_000))
	kept := w.state.Kept()
	if len(kept) != 201 {
		t.Fatalf("%d are kept", len(kept))
	}
	w.state.Rebuild()
	late := []*move{w.sale("carp-pay", 7_000)}
	between := w.opened("carp-pay", 8_000)
	w.fresh = func() { // the scan sees it, and the book has it already
		m := &move{no: between.String(), ref: "42", at: w.now, amount: 8_000}
		w.paid(between, m)
		late = append(late, m)
	}
	w.refill()
	w.fresh = nil
	if got := w.state.Kept(); len(got) != 203 || len(slices.Compact(slices.Clone(got))) != 203 {
		t.Errorf("%d are kept, once each %d", len(got), len(slices.Compact(got)))
	}
	w.refill() // nothing more to do
	w.sale("carp-pay", 9_000)
	if got := w.state.Kept(); len(got) != 204 {
		t.Errorf("%d are kept", len(got))
	}
	w.pass(7 * moongate.Day)
	if got := w.state.Kept(); len(got) != 0 {
		t.Errorf("%d are kept for ever", len(got))
	}
}
