package reconcile_test

import (
	"context"
	"slices"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
)

// TestAges: differences are counted by class and by how long they wait, and listed the oldest first, page by page.
func TestAges(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	w.morning()
	bill := slices.Clone(moves)
	bill = append(bill, foreign(moves[0], 5), foreign(moves[1], 7))
	w.take(bill[1:]) // one of ours is missing, two are not ours
	count := func() (all [4]int64, classes []reconcile.Class) {
		t.Helper()
		for _, standing := range []reconcile.Standing{reconcile.Open, reconcile.Waiting} {
			found, err := reconcile.Ages(context.Background(), w.store, standing, w.now)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range found {
				classes = append(classes, a.Class)
				for i, n := range a.ByAge {
					all[i] += n
				}
			}
		}
		return all, classes
	}
	if got, classes := count(); got != [4]int64{3, 0, 0, 0} || !slices.Equal(classes, []reconcile.Class{reconcile.MissingOurs, reconcile.MissingTheirs}) {
		t.Errorf("at once: %v %v", got, classes)
	}
	w.now += 2 * moongate.Day
	if got, _ := count(); got != [4]int64{0, 3, 0, 0} {
		t.Errorf("after two days: %v", got)
	}
	var found []moongate.ID
	f := reconcile.DifferenceFilter{Oldest: true, Until: w.now}
	for after := ""; ; {
		page, next, err := reconcile.Differences(context.Background(), w.store, f, after, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page {
			found = append(found, page[i].ID)
		}
		if after = next; next == "" {
			break
		}
	}
	newest, _, err := reconcile.Differences(context.Background(), w.store, reconcile.DifferenceFilter{}, "", 10)
	if err != nil || len(newest) != 3 || len(found) != 3 {
		t.Fatalf("%v, %v, %v", found, newest, err)
	}
	for i := range newest {
		if newest[2-i].ID != found[i] {
			t.Errorf("oldest first: %v", found)
		}
	}
	if none, _, err := reconcile.Differences(context.Background(), w.store, reconcile.DifferenceFilter{Since: w.now}, "", 10); err != nil || len(none) != 0 {
		t.Errorf("since now: %v %v", none, err)
	}
}
