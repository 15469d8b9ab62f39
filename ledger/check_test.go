package ledger_test

import (
	"strings"
	"testing"

	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
)

// Folding events that no plan would emit is how books go wrong; the audit has to see each way.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	posting := func(a ledger.Account, b ledger.Balance) *ledger.Posting {
		return &ledger.Posting{Account: a, Balance: b}
	}
	moved := func(numbers []uint32, postings ...*ledger.Posting) *ledger.Transferred {
		return &ledger.Transferred{Places: ledger.Places{Numbers: numbers, Before: make([]journal.Position, len(numbers))}, Postings: postings}
	}
	w, a := wallet("w"), payable("a")
	opened := func(a ledger.Account, n uint32) *ledger.Opened {
		return &ledger.Opened{Opening: ledger.Opening{Account: a}, Place: ledger.Place{Number: n}}
	}
	good := []journal.Event{
		opened(w, 0), opened(a, 1),
		moved([]uint32{0, 1}, posting(w, ledger.Balance{Debits: 5}), posting(a, ledger.Balance{Credits: 5})),
	}
	for _, c := range []struct {
		name string
		then journal.Event
		want string
	}{
		{"all is well", nil, ""},
		{"one side only", moved([]uint32{1}, posting(a, ledger.Balance{Credits: 6})), "CNY: debits 5 and credits 6"},
		{"held by no transfer", moved([]uint32{1}, posting(a, ledger.Balance{Credits: 5, DebitsPending: 1})), "it holds 1 and 0, but the pending transfers hold 0 and 0"},
		{"negative", moved([]uint32{1}, posting(a, ledger.Balance{Credits: -5})), "a sum is negative"},
		{"below its limit", &ledger.Limited{Limitation: ledger.Limitation{Account: a, Limits: ledger.Limits{Least: number(6)}}, Place: ledger.Place{Number: 1}}, "it is at 5, holds included, below its limit of 6"},
		{"above its limit", &ledger.Limited{Limitation: ledger.Limitation{Account: a, Limits: ledger.Limits{Most: number(4)}}, Place: ledger.Place{Number: 1}}, "it is at 5, holds included, above its limit of 4"},
		{"opened twice", opened(a, 2), "it is account 1, but its name leads to 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			books := ledger.New(ledger.Bounds{}, func(string) bool { return false })
			for i, e := range append(good, c.then)[:len(good)+1] {
				if e != nil {
					books.Fold(journal.Entry{Position: journal.Position(i + 1), Event: e})
				}
			}
			var found []string
			for _, p := range books.Check() {
				found = append(found, p.Message)
			}
			if all := strings.Join(found, "\n"); (c.want == "") != (all == "") || !strings.Contains(all, c.want) {
				t.Errorf("found %q; want %q", all, c.want)
			}
		})
	}
}
