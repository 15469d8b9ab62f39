package hub

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
)

// billAudit counts bills once more from the journal: each row is in one heap, and the money that bill and books differ by
// is that of the differences.
type billAudit struct {
	finding *Finding
	bills   map[moongate.ID]*countedBill
}

// countedBill is one bill while it is taken in.
type countedBill struct {
	figures              reconcile.Figures
	found, stood, healed int64
	given, listed        map[money.Currency]int64 // gaps: of all that were given, and of those that are new
}

func (a *billAudit) event(e journal.Entry) {
	switch v := e.Event.(type) {
	case *reconcile.Began:
		a.bills[v.Bill] = &countedBill{figures: v.Figures, given: map[money.Currency]int64{}, listed: map[money.Currency]int64{}}
	case *reconcile.Found:
		if b := a.bills[v.Bill]; b != nil {
			b.found++
			gap := v.Line.Settled - v.Ours
			if v.Class == reconcile.MissingTheirs {
				gap = -v.Ours
			}
			b.listed[v.Line.Currency] += gap
		}
	case *reconcile.Taken:
		if b := a.bills[v.Bill]; b != nil {
			b.stood, b.healed = b.stood+v.Stood, b.healed+v.Healed
			for _, g := range v.Gaps {
				b.given[g.Sum.Currency] += g.Sum.Theirs - g.Now
			}
		}
	case *reconcile.Reconciled:
		a.reconciled(e, v)
	}
}

func (a *billAudit) reconciled(e journal.Entry, v *reconcile.Reconciled) {
	a.finding.Looked++
	b := a.bills[v.Bill]
	if b == nil {
		a.finding.bad("event %d: bill %s ends, and never began", e.Position, v.Bill)
		return
	}
	f := &b.figures
	if rows := f.Matched + f.Guessed + f.Aside + b.found + b.stood + b.healed - f.Missing; rows != f.Rows {
		a.finding.bad("event %d: bill %s has %d rows, and its heaps %d", e.Position, v.Bill, f.Rows, rows)
	}
	if v.Found != b.found || v.Stood != b.stood || v.Healed != b.healed {
		a.finding.bad("event %d: of bill %s %d, %d and %d differences are counted, and %d, %d and %d were given", e.Position, v.Bill, v.Found, v.Stood, v.Healed, b.found, b.stood, b.healed)
	}
	for _, s := range v.Sums {
		if s.Theirs-s.Ours != b.given[s.Currency] {
			a.finding.bad("event %d: bill %s has %d, our books %d %s, and the differences come to %d", e.Position, v.Bill, s.Theirs, s.Ours, s.Currency, b.given[s.Currency])
		}
		if b.stood == 0 && b.listed[s.Currency] != b.given[s.Currency] {
			a.finding.bad("event %d: the differences of bill %s come to %d %s, and %d were given", e.Position, v.Bill, b.listed[s.Currency], s.Currency, b.given[s.Currency])
		}
	}
	delete(a.bills, v.Bill)
}
