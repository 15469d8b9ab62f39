package reconcile_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/replica"
)

// TestFetching: the hub fetches bills by itself, day after day, tries again what is not there yet, and takes a day without
// a bill for one on which nothing should have moved.
func TestFetching(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	purse := &biller{text: map[string][]byte{}}
	w.wallets["crane-pay"] = purse
	w.submit("keeper", &reconcile.Schedule{Wallet: "crane-pay", Kind: pay.TradeBill, From: today})
	carry := func() (results []string) {
		t.Helper()
		for range 20 {
			pending := slices.DeleteFunc(w.machine.Pending(0, 0), func(p replica.PendingEffect) bool { return p.Peer != "bills:crane-pay" })
			if len(pending) == 0 {
				return results
			}
			w.catchUp()
			for _, p := range pending {
				c, err := w.importer.Handle(context.Background(), w.entries[p.Position-1])
				if err != nil {
					t.Fatal(err)
				}
				f := c.(*reconcile.Fetched)
				results = append(results, f.Name.Day+" "+string(f.Result))
				if _, err := w.do(replica.Request{Command: c, Effect: p.Position}); err != nil {
					t.Fatal(err)
				}
				w.pass(0)
			}
		}
		t.Fatal("it never ends")
		return nil
	}
	w.pass(moongate.Hour)
	if got := carry(); got != nil {
		t.Errorf("fetched on the day itself: %v", got)
	}
	w.morning()
	purse.err = &pay.Failure{Op: "bill", Verdict: pay.NotDone, Code: "STATEMENT_CREATING"}
	w.pass(16 * moongate.Minute)
	if got := carry(); !slices.Equal(got, []string{today + " later"}) {
		t.Errorf("not there yet: %v", got)
	}
	purse.err, purse.text["trade "+today] = nil, tradeBill(moves)
	w.pass(16 * moongate.Minute)
	if got := carry(); !slices.Equal(got, []string{today + " got"}) {
		t.Errorf("there: %v", got)
	}
	w.morning() // nothing moved on the fifth
	w.pass(moongate.Hour)
	if got := carry(); !slices.Equal(got, []string{"2026-03-05 got"}) {
		t.Errorf("a day without trade: %v", got)
	}
	gone := w.sale("crane-pay", 4_242) // on the sixth, and the wallet has no bill of it
	w.pass(2 * moongate.Day)
	if got := carry(); !slices.Equal(got, []string{"2026-03-06 got", "2026-03-07 got"}) {
		t.Errorf("two days at once: %v", got)
	}
	rows, list := w.differences()
	if !slices.Equal(list, []string{"missing_theirs open"}) || rows[0].Own.String() != gone.no {
		t.Errorf("differences %v", list)
	}
	purse.text["trade 2026-03-08"] = bytes.Replace(tradeBill([]*move{late(foreign(moves[0], 5), w.now)}), []byte("`1,"), []byte("`2,"), 1)
	w.pass(moongate.Day)
	if got := carry(); !slices.Equal(got, []string{"2026-03-08 failed"}) {
		t.Errorf("one that does not add up: %v", got)
	}
	w.submit("keeper", &reconcile.Fetch{Wallet: "crane-pay", Kind: pay.FundBill, Day: today})
	w.submit("keeper", &reconcile.Schedule{Wallet: "crane-pay", Kind: pay.TradeBill})
	if got := carry(); !slices.Equal(got, []string{today + " got"}) {
		t.Errorf("by hand: %v", got)
	}
	w.pass(3 * moongate.Day)
	if got := carry(); got != nil {
		t.Errorf("after it was ended: %v", got)
	}
	if _, err := w.store.CatchUp(context.Background(), w); err != nil {
		t.Fatal(err)
	}
	var fetches []reconcile.FetchRow
	for after := ""; ; { // page by page, one at a time
		page, next, err := reconcile.Fetches(context.Background(), w.store, "crane-pay", after, 1)
		if err != nil {
			t.Fatal(err)
		}
		fetches = append(fetches, page...)
		if after = next; next == "" {
			break
		}
	}
	var told []string
	for _, f := range fetches {
		told = append(told, fmt.Sprintf("%s %s %s %d", f.Day, f.Kind, f.Result, f.Tries))
	}
	want := []string{"2026-03-08 trade failed 1", "2026-03-07 trade got 1", "2026-03-06 trade got 1", "2026-03-05 trade got 1", "2026-03-04 fund got 1", "2026-03-04 trade got 2"}
	if d := cmp.Diff(want, told); d != "" {
		t.Errorf("fetches (-want +got):\n%s", d)
	}
	if !strings.Contains(fetches[0].Message, `"2" does not hold`) {
		t.Errorf("the failed one says %q", fetches[0].Message)
	}
}
