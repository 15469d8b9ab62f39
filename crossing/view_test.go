package crossing_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// memory is a garden's journal as views read it.
type memory struct{ entries []journal.Entry }

func (m memory) EntriesOf(from journal.Position, kinds map[string]bool, visit func(journal.Entry) error) error {
	for _, e := range m.entries[from-1:] {
		if kinds[e.Event.EventKind()] {
			if err := visit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m memory) Durable() (journal.Position, uint64) {
	return journal.Position(len(m.entries)), 0
}

func (g *garden) views(t *testing.T) view.DB {
	t.Helper()
	store, err := view.Open(filepath.Join(t.TempDir(), "views.db"), g.crossings.Views()...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := store.CatchUp(context.Background(), memory{g.entries(t)}); err != nil {
		t.Fatal(err)
	}
	return store
}

// busy is a garden with a crossing of each sort: the newest last.
func busy(t *testing.T) (*garden, map[string]moongate.ID) {
	t.Helper()
	g := newGarden(t, crossing.Bounds{})
	ids := map[string]moongate.ID{}
	ids["payment"] = g.mustCross(t, g.purchase())
	ids["refund"] = g.mustCross(t, refund(ids["payment"], 1_000))
	pending := refund(ids["payment"], 2_000)
	pending.Pending = true
	ids["pending"] = g.mustCross(t, pending)
	ids["voided"] = g.mustCross(t, pending)
	g.do(t, &finish{ID: ids["voided"], Void: true})
	held := g.purchase()
	held.Pending, held.Expires = true, g.Now+moongate.Hour
	ids["expired"] = g.mustCross(t, held)
	if err := g.Tick(g.Now + moongate.Hour); err != nil {
		t.Fatal(err)
	}
	ids["link"] = g.mustCross(t, crossing.Passage{Kind: crossing.Link, Agreement: g.terms, From: "willow-reads", To: "lotus-market"})
	usd := g.purchase()
	usd.Currency = money.USD
	if _, err := g.cross(usd); err == nil {
		t.Fatal("a payment in USD was taken")
	}
	return g, ids
}

func line(r crossing.Row) string {
	return fmt.Sprintf("%s %s %s>%s %d back %d own %d", r.Kind, r.State, r.From, r.To, r.Amount, r.Back, r.Own)
}

func TestLists(t *testing.T) {
	g, ids := busy(t)
	db := g.views(t)
	for _, c := range []struct {
		name   string
		filter crossing.Filter
		want   []string
	}{
		{"an operator's", crossing.Filter{}, []string{
			"payment refused lotus-market>crane-pay 10000 back 0 own 0",
			"link done willow-reads>lotus-market 0 back 0 own 0",
			"payment expired lotus-market>crane-pay 10000 back 0 own 0",
			"refund voided crane-pay>lotus-market 2000 back 0 own 0",
			"refund pending crane-pay>lotus-market 2000 back 0 own 0",
			"refund done crane-pay>lotus-market 1000 back 0 own 0",
			"payment done lotus-market>crane-pay 10000 back 3000 own 0",
		}},
		{"a shop's: only its own part", crossing.Filter{Party: "tea-shop"}, []string{
			"payment expired > 0 back 0 own 9480",
			"refund voided > 0 back 0 own -1896",
			"refund pending > 0 back 0 own -1896",
			"refund done > 0 back 0 own -948",
			"payment done > 0 back 0 own 9480",
		}},
		{"a market's payments", crossing.Filter{Party: "lotus-market", Kind: crossing.Payment, State: crossing.Done}, []string{
			"payment done lotus-market>crane-pay 10000 back 3000 own 276",
		}},
		{"what the market's links bring", crossing.Filter{Party: "lotus-market", From: "willow-reads"}, []string{
			"link done willow-reads>lotus-market 0 back 0 own 0",
		}},
		{"whom a shop may not name", crossing.Filter{Party: "tea-shop", To: "crane-pay"}, nil},
		{"refunds of the payment", crossing.Filter{Reverses: ids["payment"]}, []string{
			"refund voided crane-pay>lotus-market 2000 back 0 own 0",
			"refund pending crane-pay>lotus-market 2000 back 0 own 0",
			"refund done crane-pay>lotus-market 1000 back 0 own 0",
		}},
		{"a stranger's", crossing.Filter{Party: "stranger"}, nil},
	} {
		var got []string
		cursor := ""
		for { // two at a time
			rows, next, err := crossing.List(context.Background(), db, c.filter, cursor, 2)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for _, r := range rows {
				got = append(got, line(r))
			}
			if cursor = next; next == "" {
				break
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	for _, cursor := range []string{"7", "cx_aaaaa_aaaaaaaaaaaaaaaaaaaa", strings.Repeat("x", 1000)} {
		if _, _, err := crossing.List(context.Background(), db, crossing.Filter{}, cursor, 2); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("cursor %.20q: %v", cursor, err)
		}
	}
	g.audit(t)
}

func TestFind(t *testing.T) {
	g, ids := busy(t)
	db := g.views(t)
	row, err := crossing.Find(context.Background(), db, ids["payment"], crossing.Filter{Party: "lotus-market"})
	if err != nil || row.ID != ids["payment"] || row.Amount != 10_000 || row.Wallet != "crane-pay" || row.Currency != money.CNY || row.At != start || row.Agreement != g.terms || row.Version != 1 {
		t.Errorf("%+v, %v", row, err)
	}
	if e := g.entries(t)[row.Position-1]; e.Event.(*crossing.Recorded).ID != ids["payment"] {
		t.Errorf("at position %d stands %T", row.Position, e.Event)
	}
	if _, err := crossing.Find(context.Background(), db, ids["payment"], crossing.Filter{Party: "stranger"}); moongate.CodeOf(err) != moongate.NotFound {
		t.Errorf("a stranger finds it: %v", err)
	}
	if _, err := crossing.Find(context.Background(), db, moongate.ID{}, crossing.Filter{}); moongate.CodeOf(err) != moongate.NotFound {
		t.Errorf("nothing is found: %v", err)
	}
}

// What the terms hide from the store stands in no list of the store's.
func TestPrivateList(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	quiet := g.agree(t, privateTerms(), "pavilion-store", "tea-timer")
	p := crossing.Passage{Kind: crossing.Conversion, Agreement: quiet, From: "pavilion-store", To: "tea-timer", Class: "one_time", Currency: money.EUR, Amount: 1_000}
	g.mustCross(t, p)
	p.Class = "unknown"
	if _, err := g.cross(p); err == nil {
		t.Fatal("a class out of scope was taken")
	}
	db := g.views(t)
	for party, want := range map[string]int{"pavilion-store": 0, "tea-timer": 2, "": 2} {
		rows, _, err := crossing.List(context.Background(), db, crossing.Filter{Party: party}, "", 10)
		if err != nil || len(rows) != want {
			t.Errorf("%q sees %d, %v; want %d", party, len(rows), err, want)
		}
	}
	g.audit(t)
}

func TestWalk(t *testing.T) {
	g, _ := busy(t)
	quiet := g.agree(t, privateTerms(), "pavilion-store", "tea-timer")
	g.mustCross(t, crossing.Passage{Kind: crossing.Link, Agreement: quiet, From: "pavilion-store", To: "tea-timer"})
	entries := g.entries(t)
	read := func(p journal.Position) (journal.Entry, error) { return entries[p-1], nil }
	walk := func(since moongate.Time, limit int) (kinds []string) {
		err := crossing.Walk(read, g.terms, g.crossings.Head(g.terms), since, func(_ journal.Position, r *crossing.Recorded) bool {
			kinds = append(kinds, r.Kind.String())
			return len(kinds) < limit
		})
		if err != nil {
			t.Fatal(err)
		}
		return kinds
	}
	if d := cmp.Diff([]string{"link", "payment", "refund", "refund", "refund", "payment"}, walk(0, 100)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"link"}, walk(start+1, 100)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"link", "payment"}, walk(0, 2)); d != "" {
		t.Error(d)
	}
	visit := func(journal.Position, *crossing.Recorded) bool { return true }
	if err := crossing.Walk(read, g.terms, g.crossings.Head(quiet), 0, visit); err == nil {
		t.Error("walked another agreement's chain")
	}
	gone := errors.New("segment 3 is archived")
	if err := crossing.Walk(func(journal.Position) (journal.Entry, error) { return journal.Entry{}, gone }, g.terms, 1, 0, visit); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}
