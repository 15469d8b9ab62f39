package hub

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
)

// audit follows the journal beside the rooms, with books of its own that share no code with theirs.
type audit struct {
	rooms  *Rooms
	events *Finding // all are known
	books  *Finding // debits are credits, balances are sums
	limits *Finding // what the ledger finds of itself
	owned  *Finding // each movement has its crossing
	terms  *Finding // each crossing has its terms
	shares *Finding // what each party gets adds up

	balances map[ledger.Account]ledger.Balance
	moved    map[moongate.ID]moongate.ID // transfer → what it is for, until that is recorded
	recorded map[moongate.ID]struct{}    // crossings
}

func newAudit(r *Rooms, add func(*Finding) *Finding) *audit {
	return &audit{
		rooms:    r,
		events:   add(&Finding{Check: "every event is of a kind and shape that this version knows", Invariant: 5, OK: true}),
		books:    add(&Finding{Check: "debits are credits in every transfer, and every balance is the sum of its postings", Invariant: 1, OK: true}),
		limits:   add(&Finding{Check: "no account is beyond its limits, holds included", Invariant: 1, OK: true}),
		owned:    add(&Finding{Check: "every movement of value belongs to one crossing, window or statement", Invariant: 2, OK: true}),
		terms:    add(&Finding{Check: "every crossing stands under the version of the agreement that was in force", Invariant: 2, OK: true}),
		shares:   add(&Finding{Check: "what the parties of a crossing get adds up to its amount, fees and shares to nothing", Invariant: 6, OK: true}),
		balances: map[ledger.Account]ledger.Balance{}, moved: map[moongate.ID]moongate.ID{}, recorded: map[moongate.ID]struct{}{},
	}
}

func (a *audit) event(e journal.Entry) {
	a.events.Looked++
	switch v := e.Event.(type) {
	case *ledger.Transferred:
		a.post(e.Position, v.Postings, func(b *ledger.Balance, p *ledger.Posting) {
			if v.Pending {
				b.DebitsPending += p.Debit
				b.CreditsPending += p.Credit
			} else {
				b.Debits += p.Debit
				b.Credits += p.Credit
			}
		})
		if _, known := a.recorded[v.Crossing]; !known {
			a.moved[v.ID] = v.Crossing
		}
		a.owned.Looked++
	case *ledger.Resolved:
		a.post(e.Position, v.Postings, func(b *ledger.Balance, p *ledger.Posting) { *b = p.Balance })
	case *crossing.Recorded:
		a.crossing(e, v)
	}
}

// post holds a transfer's postings against books of our own.
func (a *audit) post(at journal.Position, postings []*ledger.Posting, apply func(*ledger.Balance, *ledger.Posting)) {
	sums := map[money.Currency][2]int64{}
	for _, p := range postings {
		a.books.Looked++
		b := a.balances[p.Account]
		apply(&b, p)
		if b != p.Balance {
			a.books.bad("event %d: %s stands at %+v, its postings add up to %+v", at, p.Account, p.Balance, b)
		}
		a.balances[p.Account] = p.Balance
		s := sums[p.Account.Currency]
		sums[p.Account.Currency] = [2]int64{s[0] + p.Debit, s[1] + p.Credit}
	}
	for c, s := range sums {
		if s[0] != s[1] {
			a.books.bad("event %d: debits of %d %s and credits of %d", at, s[0], c, s[1])
		}
	}
}

func (a *audit) crossing(e journal.Entry, v *crossing.Recorded) {
	if _, twice := a.recorded[v.ID]; twice {
		a.owned.bad("event %d: crossing %s was recorded before", e.Position, v.ID)
	}
	a.recorded[v.ID] = struct{}{}
	if !v.Transfer.IsZero() {
		if of, ok := a.moved[v.Transfer]; !ok || of != v.ID {
			a.owned.bad("event %d: crossing %s names transfer %s, which is not its own", e.Position, v.ID, v.Transfer)
		}
		delete(a.moved, v.Transfer)
	}
	a.terms.Looked++
	if v.Kind != crossing.Exception && v.Kind != crossing.Refund {
		t, err := a.rooms.Agreement.InForce(v.Agreement, v.At)
		if err != nil || t.Doc.Version != v.Version {
			a.terms.bad("event %d: crossing %s of %s under version %d of %s: %v", e.Position, v.ID, v.At, v.Version, v.Agreement, err)
		}
	}
	a.shares.Looked++
	if whole := sum(v, func(l *crossing.Line) bool {
		return l.What == crossing.Goods || l.What == crossing.Freight || l.What == crossing.Suspense
	}); v.Kind != crossing.Link && whole != signed(v) {
		a.shares.bad("event %d: what crossing %s brings its payees comes to %d, of %d", e.Position, v.ID, whole, signed(v))
	}
	// What accrues to a party that learns totals only has no other side here.
	if rest := sum(v, func(l *crossing.Line) bool {
		return (l.What == crossing.FeeLine || l.What == crossing.ShareOut) && !l.Accrue
	}); rest != 0 {
		a.shares.bad("event %d: the fees and shares of crossing %s leave %d over", e.Position, v.ID, rest)
	}
}

func sum(v *crossing.Recorded, counts func(*crossing.Line) bool) int64 {
	total := int64(0)
	for _, s := range v.Sides {
		for i := range s.Lines {
			if counts(&s.Lines[i]) {
				total += s.Lines[i].Amount
			}
		}
	}
	return total
}

func signed(v *crossing.Recorded) int64 {
	if v.Kind == crossing.Refund {
		return -v.Amount
	}
	return v.Amount
}

// end asks the rooms what they find of themselves, and what was left over.
func (a *audit) end() {
	for _, p := range a.rooms.Ledger.Check() {
		a.limits.bad("%s: %s", p.Account, p.Message)
	}
	a.limits.Looked = int64(len(a.balances))
	for account, b := range a.balances {
		if have := a.rooms.Ledger.Balance(account); have != b {
			a.books.bad("%s stands at %+v in the state, %+v in the journal", account, have, b)
		}
	}
	for id, of := range a.moved {
		if of.Kind() == moongate.KindCrossing || of.IsZero() {
			a.owned.bad("%s", fmt.Sprintf("transfer %s is for crossing %q, which was never recorded", id, of))
		}
	}
}
