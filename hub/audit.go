package hub

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/statement"
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
	guards *Finding // and is within floors and caps
	final  *Finding // what has ended stays as it ended
	clear  *Finding // settlement leaves nothing on the clearing accounts
	hidden *Finding // nobody may open what the terms hide
	bills  *billAudit

	balances map[ledger.Account]ledger.Balance
	moved    map[moongate.ID]moongate.ID // transfer → what it is for: a window or a statement
	recorded map[moongate.ID]struct{}    // crossings
	periods  map[moongate.ID]struct{}    // windows and statements
	ended    map[moongate.ID]string      // payments, attempts and refunds, and how
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
		guards:   add(&Finding{Check: "no party of a crossing is left with less than its floor or gets more than its cap", Invariant: 6, OK: true}),
		final:    add(&Finding{Check: "payments, attempts and refunds that have ended stay as they ended", Invariant: 4, OK: true}),
		clear:    add(&Finding{Check: "after settlement nothing stands on a clearing account, and positions add up to zero", Invariant: 7, OK: true}),
		hidden:   add(&Finding{Check: "nobody may open a crossing, or have an account in it, that its terms hide from him", Invariant: 8, OK: true}),
		bills:    &billAudit{finding: add(&Finding{Check: "every bill that was reconciled has each row in one heap, and differs from the books by its differences", OK: true}), bills: map[moongate.ID]*countedBill{}},
		ended:    map[moongate.ID]string{},
		balances: map[ledger.Account]ledger.Balance{}, moved: map[moongate.ID]moongate.ID{}, recorded: map[moongate.ID]struct{}{},
		periods: map[moongate.ID]struct{}{},
	}
}

func (a *audit) event(e journal.Entry) {
	a.events.Looked++
	switch v := e.Event.(type) {
	case *ledger.Transferred:
		a.transfer(e, v)
		a.moved[v.ID] = v.Crossing
	case *ledger.Resolved:
		a.post(e.Position, v.Postings, func(b *ledger.Balance, p *ledger.Posting) { *b = p.Balance })
	case *crossing.Recorded:
		a.crossing(e, v)
		a.secret(e, v)
	case *pay.Settled:
		if v.Status != pay.Held { // held is the one status that a person can still end
			a.end(e, v.Payment, string(v.Status))
		}
	case *pay.AttemptEnded:
		if v.Status == pay.AttemptPaid { // a closed one can still turn out to be paid: that is an exception
			a.end(e, v.Attempt, string(v.Status))
		}
	case *pay.RefundEnded:
		a.end(e, v.Refund, string(v.Status))
	case *settle.WindowClosed:
		a.window(e, v)
		a.periods[v.Window] = struct{}{}
	case *statement.Issued:
		a.periods[v.ID] = struct{}{}
	default:
		a.bills.event(e)
	}
}

// end notes how something ended, which it does once.
func (a *audit) end(e journal.Entry, id moongate.ID, how string) {
	a.final.Looked++
	if before, ok := a.ended[id]; ok {
		a.final.bad("event %d: %s ended %s, after it had ended %s", e.Position, id, how, before)
	}
	a.ended[id] = how
}

func (a *audit) window(e journal.Entry, v *settle.WindowClosed) {
	a.clear.Looked++
	total := int64(0)
	for _, s := range v.Standings {
		total += s.Net
	}
	if total != 0 {
		a.clear.bad("event %d: the positions of window %s add up to %d", e.Position, v.Window, total)
	}
}

// secret checks that those from whom the terms hide a crossing can open nothing of it.
func (a *audit) secret(e journal.Entry, v *crossing.Recorded) {
	for _, who := range v.Hidden {
		a.hidden.Looked++
		if journal.Opens(v, "parties", who) {
			a.hidden.bad("event %d: %s may read crossing %s", e.Position, who, v.ID)
		}
		for _, s := range v.Sides {
			if s.Party == who {
				a.hidden.bad("event %d: %s has a side in crossing %s", e.Position, who, v.ID)
			}
		}
		t, _ := v.Moves()
		for _, p := range t.Postings {
			if p.Account.Owner == who {
				a.hidden.bad("event %d: crossing %s moves %s", e.Position, v.ID, p.Account)
			}
		}
	}
}

// transfer holds what an event moves against books of our own.
func (a *audit) transfer(e journal.Entry, v *ledger.Transferred) {
	a.owned.Looked++
	a.post(e.Position, v.Postings, func(b *ledger.Balance, p *ledger.Posting) {
		if v.Pending {
			b.DebitsPending += p.Debit
			b.CreditsPending += p.Credit
		} else {
			b.Debits += p.Debit
			b.Credits += p.Credit
		}
	})
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
	if t, ok := v.Moves(); ok {
		a.transfer(e, &t)
	}
	for _, side := range v.Sides {
		for i := range side.Postings {
			if p := &side.Postings[i]; p.Account.Owner != side.Party || side.Transfer != v.Transfer {
				a.owned.bad("event %d: the side of %s in crossing %s has a posting on %s by transfer %s", e.Position, side.Party, v.ID, p.Account, side.Transfer)
			}
		}
	}
	a.terms.Looked++
	if v.Kind != crossing.Exception && v.Kind != crossing.Refund && v.Kind != crossing.Takeback {
		t, err := a.rooms.Agreement.InForce(v.Agreement, v.At)
		if err != nil || t.Doc.Version != v.Version {
			a.terms.bad("event %d: crossing %s of %s under version %d of %s: %v", e.Position, v.ID, v.At, v.Version, v.Agreement, err)
		} else if t.Doc.Guards != nil && v.Kind != crossing.Link {
			a.guarded(e, v, t.Doc.Guards)
		}
	}
	a.shares.Looked++
	if whole := sum(v, func(l *crossing.Line) bool {
		return l.What == crossing.Goods || l.What == crossing.Freight || l.What == crossing.Suspense || l.What == crossing.TakenBack
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

// guarded holds what fees and shares leave to the payees, and bring to others, against the guards of the terms.
func (a *audit) guarded(e journal.Entry, v *crossing.Recorded, g *agreement.Guards) {
	kept, least := map[string]int64{}, map[string]int64{}
	most := make([]int64, len(g.Caps))
	for i := range v.Payees {
		y := &v.Payees[i]
		if y.Free {
			continue
		}
		kept[y.Party] += y.Amount
		for _, f := range g.Floors { // there is one at most, the beneficiary's
			least[y.Party] += (y.Amount*int64(f.BPS) + 9999) / 10_000
		}
		for k, c := range g.Caps {
			most[k] += y.Amount * int64(c.BPS) / 10_000
		}
	}
	got := map[string]int64{}
	for _, s := range v.Sides {
		for i := range s.Lines {
			l := &s.Lines[i]
			if l.What != crossing.FeeLine && l.What != crossing.ShareOut {
				continue
			}
			if _, payee := kept[s.Party]; payee {
				kept[s.Party] += l.Amount
			}
			if l.Amount < 0 {
				got[l.Other] -= l.Amount
			}
		}
	}
	for who, floor := range least {
		a.guards.Looked++
		if kept[who] < floor {
			a.guards.bad("event %d: crossing %s leaves %s with %d, its floor is %d", e.Position, v.ID, who, kept[who], floor)
		}
	}
	for i, c := range g.Caps {
		who, alone := "", true
		for _, part := range v.Cast {
			if part.Role == c.Party {
				who = part.Party
			}
		}
		for _, part := range v.Cast { // what it gets in another part is not this cap's
			alone = alone && (part.Role == c.Party || part.Party != who)
		}
		if who == "" || !alone {
			continue
		}
		a.guards.Looked++
		if got[who] > most[i] {
			a.guards.bad("event %d: crossing %s brings %s %d, its cap is %d", e.Position, v.ID, who, got[who], most[i])
		}
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

// finish asks the rooms what they find of themselves, and what was left over.
func (a *audit) finish() {
	for _, p := range a.rooms.Ledger.Check() {
		a.limits.bad("%s: %s", p.Account, p.Message)
	}
	a.limits.Looked = int64(len(a.balances))
	for _, p := range a.rooms.Settle.Check() {
		a.clear.bad("%s", p)
	}
	for _, p := range a.rooms.Reconcile.Check() {
		a.bills.finding.bad("%s", p)
	}
	for account, b := range a.balances {
		if have := a.rooms.Ledger.Balance(account); have != b {
			a.books.bad("%s stands at %+v in the state, %+v in the journal", account, have, b)
		}
	}
	for id, of := range a.moved {
		if _, known := a.periods[of]; !known {
			a.owned.bad("transfer %s is for %q, which was never recorded", id, of)
		}
	}
}
