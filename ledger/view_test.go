package ledger_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// memory is a journal as views read it.
type memory []journal.Entry

func (m memory) EntriesOf(from journal.Position, kinds map[string]bool, visit func(journal.Entry) error) error {
	for _, e := range m[from-1:] {
		if kinds[e.Event.EventKind()] {
			if err := visit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m memory) Durable() (journal.Position, uint64) {
	return journal.Position(len(m)), 0
}

func TestList(t *testing.T) {
	o := newOffice(ledger.Bounds{})
	o.move(t, payment(0))
	clearing := ledger.Account{Currency: money.CNY, Purpose: ledger.Clearing, Of: moongate.NewID(moongate.KindWindow, moongate.Hub{1}, [12]byte{7})}
	o.Now = start + moongate.Hour
	o.move(t, order{Legs: []leg{{payable("shop"), clearing, 1}, {ledger.Account{Owner: "w", Currency: money.JPY, Purpose: ledger.Wallet}, ledger.Account{Owner: "shop", Currency: money.JPY, Purpose: ledger.Payable}, 5}}})
	entries, err := o.Entries()
	if err != nil {
		t.Fatal(err)
	}
	store, err := view.Open(filepath.Join(t.TempDir(), "views.db"), o.books.Views()...)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ctx := context.Background()
	if _, err := store.CatchUp(ctx, memory(entries)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		filter ledger.Filter
		want   []string
	}{
		{"all", ledger.Filter{}, []string{
			clearing.String(), "market/CNY/payable", "shop/CNY/payable", "shop/JPY/payable", "w/JPY/wallet", "yuebao/CNY/fee", "yuebao/CNY/wallet",
		}},
		{"one owner's", ledger.Filter{Owner: "shop"}, []string{"shop/CNY/payable", "shop/JPY/payable"}},
		{"one currency's", ledger.Filter{Owner: "shop", Currency: money.JPY}, []string{"shop/JPY/payable"}},
		{"for one purpose", ledger.Filter{Purpose: ledger.Wallet}, []string{"w/JPY/wallet", "yuebao/CNY/wallet"}},
		{"of one window", ledger.Filter{Of: clearing.Of}, []string{clearing.String()}},
		{"nobody's", ledger.Filter{Owner: "nobody"}, nil},
	} {
		var got []string
		for cursor, more := "", true; more; {
			page, next, err := ledger.List(ctx, store, c.filter, cursor, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				got = append(got, r.Account.String())
				if b, ok := o.books.Lookup(r.Account); !ok || b.Account != r.Account {
					t.Errorf("%s is not in the books", r.Account)
				}
				if want := map[bool]moongate.Time{true: start, false: start + moongate.Hour}[r.Account.Currency == money.CNY && r.Account.Purpose != ledger.Clearing]; r.Opened != want {
					t.Errorf("%s was opened at %s", r.Account, r.Opened)
				}
			}
			cursor, more = next, next != ""
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	if _, _, err := ledger.List(ctx, store, ledger.Filter{}, "x", 2); moongate.CodeOf(err) != moongate.Malformed {
		t.Errorf("a bad cursor: %v", err)
	}
	o.audit(t)
}
