package link_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/view"
)

// memory is a local machine's journal as a source of views.
type memory struct{ local *replica.Local }

func (m memory) Durable() (journal.Position, uint64) {
	return m.local.Machine.Position(), uint64(len(m.local.Records))
}

func (m memory) EntriesOf(from journal.Position, kinds map[string]bool, visit func(journal.Entry) error) error {
	entries, err := m.local.Entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Position >= from && kinds[e.Event.EventKind()] {
			if err := visit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func TestLists(t *testing.T) {
	w := newWorld(t, link.Limits{})
	ctx := context.Background()
	tea := w.destination("mall", "https://mall.example/tea")
	w.tick(start + moongate.Hour)
	rugs := w.destination("bazaar", "https://bazaar.example/100%25")
	code := w.link("news", tea)
	w.tick(start + 2*moongate.Hour)
	other := w.link("blog", rugs)
	r := w.recorder(0)
	for range 3 {
		res, err := w.resolve(code, link.Web)
		if err != nil {
			t.Fatal(err)
		}
		r.Click(&res, link.Web, w.Now)
	}
	block := w.block("news", link.BlockLinks{Destination: tea})
	r.Met(code, block, w.Now)
	if err := r.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	w.submit("mall", &link.Appeal{Block: block, Destination: tea, Statement: "The page belongs to our bank."})
	w.submit("watch", &link.DecideAppeal{Block: block, Grounds: "The bank confirms that it does."})
	second := w.block("news", link.BlockLinks{Host: "bazaar.example"})
	c := w.submit("news", &link.RecordClick{Link: code, Device: link.Web}).(link.ClickAnswer).Click
	sale := w.submit("mall", &link.Convert{Click: c, Reference: "order-1", Class: "tea", Amount: cny(1200), At: w.Now}).(link.ConversionAnswer)
	w.submit("blog", &link.CloseLink{Code: other})
	w.submit("bazaar", &link.CloseDestination{Destination: rugs})

	store, err := view.Open(filepath.Join(t.TempDir(), "views.db"), w.links.Views()...)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.CatchUp(ctx, memory{w.Local}); err != nil {
		t.Fatal(err)
	}

	places, next, err := link.Destinations(ctx, store, "", "", "", 1)
	if err != nil || len(places) != 1 || places[0].ID != rugs || !places[0].Closed || next == "" {
		t.Errorf("%+v %q %v", places, next, err)
	}
	places, next, err = link.Destinations(ctx, store, "", "", next, 1)
	want := []link.DestinationRow{{ID: tea, Owner: "mall", Name: "A place", Host: "mall.example", URL: "https://mall.example/tea", Since: start}}
	if diff := cmp.Diff(want, places); diff != "" || err != nil || next != "" {
		t.Errorf("%s %q %v", diff, next, err)
	}
	for _, tt := range []struct {
		owner, search string
		want          int
	}{{"mall", "", 1}, {"", "zaar", 1}, {"mall", "zaar", 0}, {"", "%", 0}, {"", "place", 2}} {
		if rows, _, err := link.Destinations(ctx, store, tt.owner, tt.search, "", 10); err != nil || len(rows) != tt.want {
			t.Errorf("%+v: %+v %v", tt, rows, err)
		}
	}

	links, _, err := link.Links(ctx, store, "mall", moongate.ID{}, "", 10)
	wantLinks := []link.LinkRow{{
		Code: code, Destination: tea, Name: "A place", Publisher: "news", Owner: "mall", Agreement: w.terms, Campaign: "spring",
		Since: start + moongate.Hour, Opened: 4, Stopped: 1,
	}}
	if diff := cmp.Diff(wantLinks, links); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
	for _, tt := range []struct {
		who  string
		to   moongate.ID
		want int
	}{{"", moongate.ID{}, 2}, {"blog", moongate.ID{}, 1}, {"blog", tea, 0}, {"watch", moongate.ID{}, 0}, {"", rugs, 1}} {
		if rows, _, err := link.Links(ctx, store, tt.who, tt.to, "", 10); err != nil || len(rows) != tt.want {
			t.Errorf("%+v: %+v %v", tt, rows, err)
		}
	}

	blocks, _, err := link.Blocks(ctx, store, link.BlockFilter{By: "news"}, "", 10)
	if err != nil || len(blocks) != 2 {
		t.Fatalf("%+v %v", blocks, err)
	}
	for _, b := range blocks {
		switch b.Block {
		case block:
			if b.How != link.Overturned || b.Ended != w.Now || b.Appellant != "mall" || b.Grounds == "" || b.Statement == "" || b.Stopped != 1 || b.Against != "mall" || b.Facts != facts {
				t.Errorf("%+v", b)
			}
		case second:
			if b.How != "" || b.Ended != 0 || b.Stage != link.Standing || b.Host != "bazaar.example" || b.Expires != w.Now+6*moongate.Day {
				t.Errorf("%+v", b)
			}
		}
	}
	for _, tt := range []struct {
		by, against string
		inForce     bool
		want        int
	}{{"", "", false, 2}, {"", "", true, 1}, {"", "mall", false, 1}, {"", "mall", true, 0}, {"blog", "", false, 0}} {
		if rows, _, err := link.Blocks(ctx, store, link.BlockFilter{By: tt.by, Against: tt.against, InForce: tt.inForce}, "", 10); err != nil || len(rows) != tt.want {
			t.Errorf("%+v: %+v %v", tt, rows, err)
		}
	}

	sales, _, err := link.Conversions(ctx, store, "mall", "", 10)
	wantSales := []link.ConversionRow{{
		ID: sale.Conversion, Publisher: "news", Link: code, Click: c.ID, Reference: "order-1", Class: "tea", Crossing: sale.Crossing,
		Amount: cny(1200), At: w.Now, Recorded: w.Now,
	}}
	if diff := cmp.Diff(wantSales, sales); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
	if rows, _, err := link.Conversions(ctx, store, "news", "", 10); err != nil || len(rows) != 0 {
		t.Errorf("a publisher reads %+v %v", rows, err)
	}
	for _, bad := range []struct {
		after string
		limit int
	}{{"", 0}, {"", 501}, {"x", 1}, {"1", 1}} {
		if _, _, err := link.Blocks(ctx, store, link.BlockFilter{}, bad.after, bad.limit); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
