package settle_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/view"
)

// instructed lists the events that have an effect: instructions to wallets.
func (g *garden) instructed() []journal.Entry {
	var all []journal.Entry
	for _, e := range g.entries() {
		if v, ok := e.Event.(*settle.Instructed); ok && v.Wallet {
			all = append(all, e)
		}
	}
	return all
}

func TestHandler(t *testing.T) {
	g := newGarden(t)
	id := g.buy("tea-shop", "crane-pay", 100_00, false)
	g.buy("ink-shop", "carp-pay", 50_00, false)
	g.passes()
	g.pay()
	g.giveBack(id, 50_00) // now the shop owes the wallet, which nobody can be told by us
	g.buy("ink-shop", "carp-pay", 1000_00, false)
	g.passes()
	if n := len(g.out()); n != 4 {
		t.Fatalf("%d instructions are out:\n%s", n, text(g.out()))
	}
	pending := map[journal.Position]string{}
	for _, p := range g.Machine.Pending(0, 0) {
		pending[p.Position] = p.Peer
	}
	orders := map[string]int{}
	answer := settle.Outcome{Paid: true, Ref: " a\x00b\u202e"}
	handler := settle.Handler(map[string]settle.Payer{"carp-pay": func(_ context.Context, o settle.Order) (settle.Outcome, error) {
		orders[o.No]++
		if len(o.No) != 30 || o.Amount.Currency != money.CNY || o.Amount.Minor <= 0 {
			t.Errorf("order %+v", o)
		}
		if answer.Said == "down" {
			return settle.Outcome{}, errors.New("connection refused")
		}
		return answer, nil
	}})
	handled := 0
	for _, e := range g.instructed() {
		v := e.Event.(*settle.Instructed)
		if _, open := g.settle.Instruction(v.ID); !open {
			continue
		}
		if pending[e.Position] != v.From {
			t.Errorf("the effect of %s waits for %q", v.ID, pending[e.Position])
		}
		answer.Said = "down"
		if c, err := handler.Handle(context.Background(), e); err == nil {
			t.Errorf("an unreachable wallet came to %+v", c)
		}
		answer = settle.Outcome{}
		if c, err := handler.Handle(context.Background(), e); err == nil {
			t.Errorf("a payment on its way came to %+v", c)
		}
		answer = settle.Outcome{Paid: true, Ref: " a\x00b\u202e"}
		c, err := handler.Handle(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		if r := c.(*settle.Report); r.Progress != settle.Paid || r.Ref != "a b" {
			t.Errorf("reported %+v", r)
		}
		if _, err := g.Do(replica.Request{Command: c, Effect: e.Position}); err != nil {
			t.Error(err)
		}
		if _, err := g.Do(replica.Request{Command: c, Effect: e.Position}); err != nil { // a second leader says the same: stale
			t.Error(err)
		}
		handled++
	}
	if handled != 3 || len(orders) != 3 {
		t.Errorf("%d instructions were handled with %d orders", handled, len(orders))
	}
	for no, n := range orders {
		if n != 3 {
			t.Errorf("order %s was sent %d times under its number", no, n)
		}
	}
	g.pay()
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

func TestHandlerWithoutPayerAndRefusal(t *testing.T) {
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 100_00, false)
	g.passes()
	events := g.instructed()
	c, err := settle.Handler(nil).Handle(context.Background(), events[0])
	if err != nil || c.(*settle.Report).Progress != settle.Manual {
		t.Errorf("%+v, %v", c, err)
	}
	refuse := func(context.Context, settle.Order) (settle.Outcome, error) { return settle.Outcome{Refused: true}, nil }
	c, err = settle.Handler(map[string]settle.Payer{"crane-pay": refuse}).Handle(context.Background(), events[1])
	if err != nil || c.(*settle.Report).Progress != settle.Returned || c.(*settle.Report).Reason == "" {
		t.Errorf("%+v, %v", c, err)
	}
	for i, e := range events {
		if i == 0 {
			c = &settle.Report{Instruction: e.Event.(*settle.Instructed).ID, Progress: settle.Manual}
		}
		if _, err := g.Do(replica.Request{Command: c, Effect: e.Position}); err != nil {
			t.Error(err)
		}
		c = &settle.Report{Instruction: events[1].Event.(*settle.Instructed).ID, Progress: settle.Returned, Reason: "no"}
	}
	g.pay()
	g.passes()
	g.pay()
	g.audit()
}

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

func TestLists(t *testing.T) {
	ctx := context.Background()
	g := newGarden(t)
	for range 3 {
		g.buy("tea-shop", "crane-pay", 100_00, true)
		g.buy("ink-shop", "carp-pay", 50_00, false)
		g.passes()
		g.pay()
	}
	g.buy("tea-shop", "crane-pay", 100_00, true)
	g.tick(g.Now + moongate.Day)
	store, err := view.Open(filepath.Join(t.TempDir(), "views.db"), g.settle.Views()...)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.CatchUp(ctx, entries{g.Local}); err != nil {
		t.Fatal(err)
	}
	windows := func(who string, agreement moongate.ID) (statuses []string, nets []int64) {
		for after := ""; ; {
			rows, next, err := settle.Windows(ctx, store, who, agreement, after, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				statuses, nets = append(statuses, r.Status), append(nets, r.Net)
				if r.Party != who {
					t.Errorf("%s is shown %q", who, r.Party)
				}
			}
			if after = next; next == "" {
				return statuses, nets
			}
		}
	}
	for _, c := range []struct {
		who      string
		of       moongate.ID
		statuses []string
		nets     []int64
	}{
		{"", moongate.ID{}, []string{"closed", "settled", "settled", "settled"}, []int64{0, 0, 0, 0}},
		{"tea-shop", g.terms, []string{"closed", "settled", "settled", "settled"}, []int64{94_40, 94_40, 94_40, 94_40}},
		{"ink-shop", moongate.ID{}, []string{"settled", "settled", "settled"}, []int64{47_20, 47_20, 47_20}},
		{"kite-shop", moongate.ID{}, nil, nil},
	} {
		statuses, nets := windows(c.who, c.of)
		if diff := cmp.Diff([]any{c.statuses, c.nets}, []any{statuses, nets}); diff != "" {
			t.Errorf("windows of %q (-want +got):\n%s", c.who, diff)
		}
	}
	count := func(f settle.PayoutFilter) (n int, sum int64) {
		for after := ""; ; {
			rows, next, err := settle.Payouts(ctx, store, f, after, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				n, sum = n+1, sum+r.Amount
			}
			if after = next; next == "" {
				return n, sum
			}
		}
	}
	for _, c := range []struct {
		filter settle.PayoutFilter
		n      int
		sum    int64
	}{
		{settle.PayoutFilter{}, 18, 3*(94_40+47_20+7_50-1_40+1_40) + 99_40},
		{settle.PayoutFilter{Party: "ink-shop"}, 3, 3 * 47_20},
		{settle.PayoutFilter{Progress: settle.Planned}, 3, 99_40},
		{settle.PayoutFilter{Party: "kite-shop"}, 0, 0},
		{settle.PayoutFilter{Other: "ink-shop"}, 3, 3 * 47_20},
		{settle.PayoutFilter{Wallet: "carp-pay", Other: "ink-shop"}, 3, 3 * 47_20},
		{settle.PayoutFilter{Wallet: "crane-pay", Other: "ink-shop"}, 0, 0},
		{settle.PayoutFilter{Wallet: "ink-shop"}, 0, 0},
		{settle.PayoutFilter{Party: "tea-shop", Other: "ink-shop"}, 0, 0},
	} {
		if n, sum := count(c.filter); n != c.n || sum != c.sum {
			t.Errorf("%+v: %d payouts of %d, want %d of %d", c.filter, n, sum, c.n, c.sum)
		}
	}
	first, _, err := settle.Windows(ctx, store, "", moongate.ID{}, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	id, err := moongate.ParseID(first[0].Window)
	if err != nil {
		t.Fatal(err)
	}
	all, next, err := settle.Standings(ctx, store, id, "", 2)
	if err != nil || len(all) != 2 || next != "lotus-market" {
		t.Errorf("%+v, %q, %v", all, next, err)
	}
	for _, cursor := range []string{"x", "1", "'; DROP TABLE settle_window"} {
		if _, _, err := settle.Payouts(ctx, store, settle.PayoutFilter{}, cursor, 1); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("cursor %q: %v", cursor, err)
		}
	}
	g.audit()
}

// Told to its wallet once more an instruction has not ended: the list counts it as left.
func TestToldAgainIsLeft(t *testing.T) {
	ctx := context.Background()
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 100_00, false)
	g.passes()
	events := g.instructed()
	left := func() (int, settle.Payout) {
		t.Helper()
		store, err := view.Open(filepath.Join(t.TempDir(), "views.db"), g.settle.Views()...)
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if _, err := store.CatchUp(ctx, entries{g.Local}); err != nil {
			t.Fatal(err)
		}
		rows, _, err := settle.Windows(ctx, store, "", moongate.ID{}, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		payouts, _, err := settle.Payouts(ctx, store, settle.PayoutFilter{Instruction: events[0].Event.(*settle.Instructed).ID}, "", 10)
		if err != nil || len(payouts) != 1 {
			t.Fatalf("%+v %v", payouts, err)
		}
		return rows[0].Left, payouts[0]
	}
	all, _ := left()
	no := events[0].Event.(*settle.Instructed).ID
	if _, err := g.Do(replica.Request{Command: &settle.Report{Instruction: no, Progress: settle.Manual, Reason: "half", Part: 2_00}, Effect: events[0].Position}); err != nil {
		t.Fatal(err)
	}
	if n, p := left(); n != all || p.Part != 2_00 || p.Progress != "manual" {
		t.Errorf("%d left of %d, %+v", n, all, p)
	}
	if _, err := g.Do(replica.Request{Caller: "keeper", Command: &settle.Report{Instruction: no, Progress: settle.Sent}}); err != nil {
		t.Fatal(err)
	}
	if n, p := left(); n != all || p.Part != 2_00 || p.Progress != "sent" {
		t.Errorf("%d left of %d, %+v", n, all, p)
	}
}

// Everybody may open its own standing, and no other.
func TestStandingsAreSecret(t *testing.T) {
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 100_00, false)
	g.passes()
	for _, e := range g.entries() {
		switch v := e.Event.(type) {
		case *settle.WindowClosed:
			if journal.Opens(v, journal.Hub, "tea-shop") || journal.Opens(v, "@tea-shop", "ink-shop") || !journal.Opens(v, "@tea-shop", "tea-shop") {
				t.Error("who may read standings is wrong")
			}
		case *settle.Instructed:
			if journal.Opens(v, "sides", "ink-shop") || !journal.Opens(v, "sides", v.To) || !journal.Opens(v, "sides", v.From) {
				t.Error("who may read instructions is wrong")
			}
		}
	}
	g.audit()
}
