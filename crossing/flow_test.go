package crossing_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
)

// What flows between two gardens adds up to the list of its crossings, for everybody alike.
func TestFlowsAddUpTheList(t *testing.T) {
	g, _ := busy(t)
	db, ctx := g.views(t), context.Background()
	all, _, err := crossing.List(ctx, db, crossing.Filter{}, "", 500)
	if err != nil {
		t.Fatal(err)
	}
	times := []moongate.Time{0, g.Now + 1}
	for i := range all {
		times = append(times, all[i].At)
	}
	for _, who := range []string{"", "willow-reads", "lotus-market", "tea-shop", "crane-pay", "nobody"} {
		rows, _, err := crossing.List(ctx, db, crossing.Filter{Party: who}, "", 500)
		if err != nil {
			t.Fatal(err)
		}
		for _, since := range times {
			want := map[crossing.Flow]int64{} // amounts by flow, whose own amount is left out
			counts := map[crossing.Flow]int64{}
			for _, r := range rows {
				if r.At < since {
					continue
				}
				f := crossing.Flow{From: r.From, To: r.To, Kind: r.Kind, State: r.State, Currency: r.Currency}
				counts[f]++
				if r.From == "" && r.To == "" {
					want[f] += r.Own
				} else {
					want[f] += r.Amount
				}
			}
			flows, err := crossing.Flows(ctx, db, who, since)
			if err != nil {
				t.Fatal(err)
			}
			got, gotCounts := map[crossing.Flow]int64{}, map[crossing.Flow]int64{}
			for _, f := range flows {
				amount, count := f.Amount, f.Count
				f.Amount, f.Count = 0, 0
				got[f], gotCounts[f] = amount, count
			}
			if diff := cmp.Diff(want, got) + cmp.Diff(counts, gotCounts); diff != "" {
				t.Errorf("%q since %s: %s", who, since, diff)
			}
		}
	}
}
