package statement_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/statement"
	"github.com/moongate-hub/moongate/view"
)

// entries gives a Local's events to a view.
type entries struct{ local *replica.Local }

func (s entries) EntriesOf(from journal.Position, kinds map[string]bool, visit func(journal.Entry) error) error {
	all, err := s.local.Entries()
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Position >= from && kinds[e.Event.EventKind()] {
			if err := visit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s entries) Durable() (journal.Position, uint64) { return s.local.Machine.Position(), 0 }

// lists folds all views that statements read.
func (g *garden) lists(t *testing.T) *view.Store {
	t.Helper()
	views := append(g.crossings.Views(), g.settle.Views()...)
	views = append(views, g.statements.Views()...)
	views = append(views, g.agreements.Views()...)
	views = append(views, g.books.Views()...)
	store, err := view.Open(filepath.Join(t.TempDir(), "views.db"), views...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if _, err := store.CatchUp(context.Background(), entries{g.Local}); err != nil {
		t.Fatal(err)
	}
	return store
}

func (g *garden) sources(t *testing.T) statement.Sources {
	all := g.entries()
	return statement.Sources{Lists: g.lists(t), Terms: g.agreements.Last, Read: func(at journal.Position) (journal.Entry, error) {
		if at == 0 || int(at) > len(all) {
			return journal.Entry{}, fmt.Errorf("no event %d", at)
		}
		return all[at-1], nil
	}}
}

// A world is what happens in a private garden besides what its host knows anyway: links that are opened at known times.
type world struct {
	t       *testing.T
	g       *garden
	private moongate.ID
}

func newWorld(t *testing.T) *world {
	g := newGarden(t)
	return &world{t, g, g.private()}
}

// visit opens a link: the manifest, the same in both worlds.
func (w *world) visit() {
	w.t.Helper()
	w.g.do("", &cross{crossing.Passage{Kind: crossing.Link, Agreement: w.private, From: "pavilion-store", To: "tea-timer"}})
}

// seen is everything that somebody can fetch about itself, with every identifier named by the order in which it
// appears, so that only fresh randomness is taken out.
func (w *world) seen(who string) string {
	w.t.Helper()
	g, ctx := w.g, context.Background()
	var b bytes.Buffer
	note := func(what string, v any, err error) {
		w.t.Helper()
		if err != nil {
			v = map[string]any{"code": moongate.CodeOf(err), "error": err.Error()}
		}
		text, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s\n", what, text)
	}
	// Its own groups of events, by kind, length and time, and what they say.
	var scratch bytes.Buffer
	for _, e := range g.entries() {
		st, err := g.Machine.Registry().Encode(e.Event, &scratch)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, group := range st.Groups {
			if journal.Opens(e.Event, group.Audience, who) {
				fmt.Fprintf(&b, "event %s %s %s %d bytes\n", e.At, st.Kind, group.Audience, len(group.Data))
			}
		}
		if v, ok := e.Event.(*statement.Issued); ok && journal.Opens(v, "sides", who) {
			note("issued", v.Sum, nil)
			if journal.Opens(v, "payer", who) {
				note("issued, own", v.Own, nil)
			}
		}
	}
	store := g.lists(w.t)
	rows, next, err := crossing.List(ctx, store, crossing.Filter{Party: who}, "", 100)
	note("crossings", rows, err)
	note("crossings, next", next, nil)
	windows, next, err := settle.Windows(ctx, store, who, moongate.ID{}, "", 1)
	note("windows", windows, err)
	note("windows, next", next, nil)
	payouts, next, err := settle.Payouts(ctx, store, settle.PayoutFilter{Party: who}, "", 1)
	note("payouts", payouts, err)
	note("payouts, next", next, nil)
	issued, next, err := statement.List(ctx, store, who, "", 1)
	note("statements", issued, err)
	note("statements, next", next, nil)
	months, _, err := statement.Months(ctx, store, who, "", 100)
	note("months", months, err)
	agreements, next, err := agreement.List(ctx, store, agreement.Filter{Party: who}, "", 1)
	note("agreements", agreements, err)
	note("agreements, next", next, nil)
	for _, month := range []int{3, 4, 5} {
		st, err := statement.Itemise(ctx, g.sources(w.t), statement.Request{Party: who, Agreement: w.private, Currency: money.EUR, Year: 2026, Month: time.Month(month)})
		note("itemised", st, err)
	}
	for _, book := range g.books.Accounts(who, 0, 100) {
		note("account", book.Account, nil)
		note("balance", book.Balance, nil)
		lines, _, err := ledger.History(func(at journal.Position) (journal.Entry, error) { return g.entries()[at-1], nil }, book.Account, book.Head, 100)
		note("history", lines, err)
	}
	// What is the other's cannot be asked for either.
	_, err = statement.Find(ctx, store, w.private, who)
	note("a statement that is none", nil, err)
	return named(b.String())
}

var identifier = regexp.MustCompile(`\b[a-z]{2,3}_[a-z2-7]{5}_[a-z2-7]{20}\b`)

// named gives identifiers names by the order in which they first appear, and takes out hashes, which come of them.
func named(text string) string {
	names := map[string]string{}
	return identifier.ReplaceAllStringFunc(text, func(id string) string {
		if names[id] == "" {
			names[id] = fmt.Sprintf("%s#%d", id[:3], len(names))
		}
		return names[id]
	})
}

// play runs a world for three months. In each of them links are opened at the same times; what is sold, when, and how
// often, differs.
func play(t *testing.T, sales func(w *world, month int)) *world {
	t.Helper()
	w := newWorld(t)
	for month := range 3 {
		w.visit()
		w.g.tick(w.g.Now + moongate.Day)
		w.visit()
		sales(w, month)
		for w.g.Now < at(fmt.Sprintf("2026-%02d-01T00:00:00Z", month+4)) {
			w.g.tick(min(w.g.Now+moongate.Day, at(fmt.Sprintf("2026-%02d-01T00:00:00Z", month+4))))
		}
	}
	for range 50 {
		w.g.tick(w.g.Now + moongate.Day)
	}
	w.g.pay()
	w.g.do("tea-timer", &agreement.Terminate{Agreement: w.private, Party: "tea-timer", Reason: "another store"}) // far into the journal
	w.g.tick(w.g.Now + 100*moongate.Day)
	return w
}

// Two worlds with the same manifest, totals and deadlines and with different sales look the same to the host.
func TestTwoWorlds(t *testing.T) {
	few := play(t, func(w *world, month int) {
		if month == 0 { // 12.00 + 12.00
			w.g.sell(w.private, "one_time", 100_00)
			w.g.sell(w.private, "subscription", 200_00)
		} // and nothing else
	})
	many := play(t, func(w *world, month int) {
		if month == 2 {
			return
		}
		w.g.Now += 5 * moongate.Hour
		for range 10 {
			w.g.sell(w.private, "tip", 7_77) // earns nothing, and must not show
		}
		for i := range 8 * (1 - month) { // 24.00 in March, nothing in April
			w.g.sell(w.private, "one_time", 25_00)
			w.g.Now += moongate.Time(i) * moongate.Minute
		}
		w.g.buy("tea-shop", "crane-pay", 100_00, true) // others go on with their lives
		w.g.Now = w.g.Now - w.g.Now%moongate.Day + 8*moongate.Hour
	})
	host := few.seen("pavilion-store")
	if diff := cmp.Diff(host, many.seen("pavilion-store")); diff != "" {
		t.Errorf("the host can tell the worlds apart (-few +many):\n%s", diff)
	}
	for _, want := range []string{`"total":2400`, `"total":0`, "settle.reported", `"purpose":"payable"`} {
		if !bytes.Contains([]byte(host), []byte(want)) {
			t.Errorf("the host does not even see %s:\n%s", want, host)
		}
	}
	// The test can fail: the small party sees the difference, and so does the host where totals differ.
	if few.seen("tea-timer") == many.seen("tea-timer") {
		t.Error("the app's own books look the same")
	}
	more := play(t, func(w *world, month int) {
		if month == 0 {
			w.g.sell(w.private, "one_time", 100_00)
			w.g.sell(w.private, "subscription", 200_17)
		}
	})
	if host == more.seen("pavilion-store") {
		t.Error("another total looks the same")
	}
	few.g.audit()
	many.g.audit()
}
