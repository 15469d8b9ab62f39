package pages

import (
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/settle"
)

func (p *Pages) crossings(v *visit) (console.Page, error) {
	q := v.URL.Query()
	page := console.Crossings{Filter: console.CrossingFilter{Kind: q.Get("kind"), State: q.Get("state"), From: bound(q.Get("from"), 128), To: bound(q.Get("to"), 128)}}
	f := crossing.Filter{Party: v.own(), State: crossing.Stage(page.Filter.State), From: page.Filter.From, To: page.Filter.To}
	if page.Filter.Kind != "" {
		if err := f.Kind.UnmarshalText([]byte(page.Filter.Kind)); err != nil {
			return nil, err
		}
	}
	found, paging, err := rows(p, v, "crossings", func(after string, limit int) ([]crossing.Row, string, error) {
		return crossing.List(v.Context(), p.hub.Views, f, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Lines, page.Paging = p.crossingLines(v, found), paging
	page.Filter.Parties, err = p.gardens(v)
	return page, err
}

// gardensShown bounds the choice of a filter.
const gardensShown = 200

// gardens are the participants that a list can be narrowed to.
func (p *Pages) gardens(v *visit) ([]console.Option, error) {
	found, _, err := party.List(v.Context(), p.hub.Views, party.Filter{}, "", gardensShown)
	if err != nil {
		return nil, err
	}
	options := make([]console.Option, 0, len(found))
	for i := range found {
		r := &found[i]
		options = append(options, console.Option{Value: r.Handle, Label: inLang(v.lang, r.Name, r.NameZH)})
	}
	return options, nil
}

func (p *Pages) crossingLines(v *visit, found []crossing.Row) []console.CrossingLine {
	lines := make([]console.CrossingLine, 0, len(found))
	for i := range found {
		lines = append(lines, p.crossingLine(v, &found[i]))
	}
	return lines
}

func (p *Pages) crossingLine(v *visit, r *crossing.Row) console.CrossingLine {
	line := console.CrossingLine{
		ID: r.ID.String(), At: r.At, Kind: r.Kind.String(), From: p.party(r.From, v.lang), To: p.party(r.To, v.lang),
		State: string(r.State), Agreement: r.Agreement.String(),
	}
	if r.Currency.IsZero() || r.Kind == crossing.Link {
		return line
	}
	line.Amount = money.Of(r.Amount, r.Currency)
	switch {
	case r.From == "" && r.To == "": // the reader has no part in what both gardens share
		line.Amount.Minor = r.Own
	case r.Kind == crossing.Refund:
		line.Amount.Minor = -r.Amount
	}
	return line
}

func (p *Pages) crossing(v *visit) (console.Page, error) {
	id, err := moongate.ParseID(v.PathValue("id"))
	switch {
	case err != nil:
		return nil, missing("crossing")
	case id.Kind() == moongate.KindWindow: // an account's history names what moved it
		v.elsewhere = "/console/windows/" + id.String()
		return nil, nil
	case id.Kind() == moongate.KindStatement:
		v.elsewhere = "/console/statements/" + id.String()
		return nil, nil
	}
	row, err := p.findCrossing(v, id)
	if err != nil {
		return nil, err
	}
	page := console.Crossing{
		Line: p.crossingLine(v, &row), Version: row.Version, Position: v.position(uint64(row.Position)), RefundOf: row.Reverses.String(),
		HasProof: true,
	}
	e, err := p.hub.Node.Journal().Entry(row.Position)
	if err != nil {
		return nil, err
	}
	switch event := e.Event.(type) {
	case *crossing.Recorded:
		p.tellCrossing(v, &page, row, event)
		page.Split = p.split(v, event)
	case *crossing.Refused:
		page.Steps = []console.Step{{What: e.Event.EventKind(), State: "refused", At: e.At, Party: page.Line.From, Other: page.Line.To, Why: whyRefused(&event.Reason), Program: event.Reason.Message}}
	}
	if page.Window, err = p.windowOf(v, &row); err != nil {
		return nil, err
	}
	refunds, further, err := rowsBeside(p, v, "refunds", "reversals/"+id.String(), func(after string, limit int) ([]crossing.Row, string, error) {
		return crossing.List(v.Context(), p.hub.Views, crossing.Filter{Party: v.own(), Reverses: id}, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Further = further
	page.Refunds = p.crossingLines(v, refunds)
	return page, nil
}

// findCrossing finds a crossing that the reader may see.
func (p *Pages) findCrossing(v *visit, id moongate.ID) (crossing.Row, error) {
	if id.Kind() != moongate.KindCrossing {
		return crossing.Row{}, missing("crossing")
	}
	row, err := crossing.Find(v.Context(), p.hub.Views, id, crossing.Filter{Party: v.own()})
	if moongate.CodeOf(err) == moongate.NotFound {
		return row, missing("crossing")
	}
	return row, err
}

// tellCrossing tells what led to a crossing and what followed. One command decides all of it, so the events stand side
// by side in the journal.
func (p *Pages) tellCrossing(v *visit, page *console.Crossing, row crossing.Row, e *crossing.Recorded) {
	line := &page.Line
	shared := row.From != "" || row.To != ""
	for _, near := range p.around(row.Position) {
		switch event := near.Event.(type) {
		case *pay.Settled:
			if event.Crossing == e.ID && v.sees(event.Merchant) {
				page.Payment = event.Payment.String()
				p.payReference(page, event.Payment)
				p.beforePaid(v, page, event.Payment)
			}
		case *pay.RefundOpened:
			if event.Crossing == e.ID && v.sees(event.Merchant) {
				page.Payment, page.Reference = event.Payment.String(), event.Reference
				p.ofRefund(v, page, event.Payment, event.Refund)
			}
		case *link.Clicked:
			if event.Crossing == e.ID && shared {
				page.Steps = append(page.Steps, console.Step{What: near.Event.EventKind(), At: near.At, Party: line.From, Other: line.To})
			}
		case *link.Converted:
			if event.Crossing == e.ID && v.sees(event.Owner) {
				page.Reference = event.Reference
			}
			if event.Crossing == e.ID && shared {
				page.Steps = append(page.Steps, console.Step{What: near.Event.EventKind(), At: near.At, Party: line.From, Other: line.To, Amount: line.Amount})
			}
		}
	}
	recorded := console.Step{What: "crossing.recorded", At: row.At, Party: line.From, Other: line.To, Amount: line.Amount}
	if row.State == crossing.Pending {
		recorded.State = "pending"
	}
	if !shared || line.Amount.Currency.IsZero() {
		recorded.What = "ledger.transferred"
	}
	if recorded.What != "ledger.transferred" || !line.Amount.Currency.IsZero() {
		page.Steps = append(page.Steps, recorded)
	}
	slices.SortStableFunc(page.Steps, func(a, b console.Step) int { return int(a.At - b.At) })
}

// around reads the events of the same command beside one.
func (p *Pages) around(at journal.Position) []journal.Entry {
	var near []journal.Entry
	for _, at := range []journal.Position{at - 1, at + 1, at + 2} {
		if e, err := p.hub.Node.Journal().Entry(at); err == nil {
			near = append(near, e)
		}
	}
	return near
}

func (p *Pages) payReference(page *console.Crossing, payment moongate.ID) {
	p.hub.Machine().Read(func() {
		if known, ok := p.hub.Pay.Lookup(payment); ok {
			page.Reference = known.Order
		}
	})
}

// ofRefund tells what the wallet made of a refund, beside the crossing.
func (p *Pages) ofRefund(v *visit, page *console.Crossing, payment, refund moongate.ID) {
	var known pay.Payment
	var ok bool
	p.hub.Machine().Read(func() { known, ok = p.hub.Pay.Lookup(payment) })
	if !ok {
		return
	}
	_ = pay.Walk(p.hub.Node.Journal().Entry, known.Payment, known.Head, func(e journal.Entry) bool {
		if refundOf(e.Event) == refund {
			step, _ := p.payStep(v, e)
			page.Steps = append(page.Steps, step)
		}
		_, opened := e.Event.(*pay.RefundOpened)
		return !(opened && refundOf(e.Event) == refund) && len(page.Steps) < storyLength
	}) // where the newest event is not durable yet, a moment later it is
	slices.Reverse(page.Steps)
}

// refundOf is the refund that an event is about, none where it is about none.
func refundOf(e journal.Event) moongate.ID {
	switch event := e.(type) {
	case *pay.RefundOpened:
		return event.Refund
	case *pay.RefundDue:
		return event.Refund
	case *pay.RefundQueryDue:
		return event.Refund
	case *pay.RefundMoved:
		return event.Refund
	case *pay.RefundEnded:
		return event.Refund
	}
	return moongate.ID{}
}

// beforePaid puts the payment's own story before the crossing.
func (p *Pages) beforePaid(v *visit, page *console.Crossing, payment moongate.ID) {
	var known pay.Payment
	var ok bool
	p.hub.Machine().Read(func() { known, ok = p.hub.Pay.Lookup(payment) })
	if !ok {
		return
	}
	steps, _, _, err := p.payStory(v, known.Payment, known.Head)
	if err != nil {
		return
	}
	page.Steps = append(page.Steps, steps...)
}

// split says where an amount went: to an operator for all, to a participant what of its own gross went to whom.
func (p *Pages) split(v *visit, e *crossing.Recorded) console.Split {
	if e.Kind == crossing.Link || e.Kind == crossing.Exception || e.Currency.IsZero() {
		return console.Split{}
	}
	if v.operates() {
		return p.wholeSplit(v, e)
	}
	for _, side := range e.Sides {
		if side.Party == v.who.Handle {
			return p.ownSplit(v, side)
		}
	}
	return console.Split{}
}

func (p *Pages) wholeSplit(v *visit, e *crossing.Recorded) console.Split {
	var s console.Split
	sum := int64(0)
	for _, side := range e.Sides {
		var got []console.Part
		gave := int64(0)
		for _, l := range side.Lines {
			switch {
			case l.What == crossing.Held || l.What == crossing.Suspense:
			case l.Amount > 0:
				got = append(got, console.Part{Party: p.party(side.Party, v.lang), Purpose: l.What.String(), Amount: money.Of(l.Amount, e.Currency), Rule: p.feeLabel(v, e.Agreement, e.Version, l.Fee)})
			default:
				gave -= l.Amount
			}
		}
		for i := range got {
			taken := min(gave, got[i].Amount.Minor)
			got[i].Amount.Minor -= taken
			gave -= taken
			if got[i].Amount.Minor > 0 {
				s.Parts, sum = append(s.Parts, got[i]), sum+got[i].Amount.Minor
			}
		}
		if gave > 0 { // somebody gave more than it got: a refund, or a fee beside the sale; no strip can show that
			return console.Split{}
		}
	}
	if s.Whole = money.Of(e.Amount, e.Currency); sum != e.Amount {
		return console.Split{}
	}
	return s
}

func (p *Pages) ownSplit(v *visit, side *crossing.Side) console.Split {
	var s console.Split
	gross, kept := int64(0), int64(0)
	for _, l := range side.Lines {
		if l.What == crossing.Held || l.What == crossing.Suspense {
			continue
		}
		kept += l.Amount
		if l.Amount > 0 {
			gross += l.Amount
			continue
		}
		s.Parts = append(s.Parts, console.Part{Party: p.party(l.Other, v.lang), Purpose: l.What.String(), Amount: money.Of(-l.Amount, side.Currency), Rule: p.feeLabel(v, side.Agreement, side.Version, l.Fee)})
	}
	if gross <= 0 || kept < 0 {
		return console.Split{}
	}
	s.Whole = money.Of(gross, side.Currency)
	s.Parts = append([]console.Part{{Party: named(&v.who, v.lang), Purpose: "kept", Amount: money.Of(kept, side.Currency)}}, s.Parts...)
	return s
}

// feeLabel is how the agreement calls a line of its schedule.
func (p *Pages) feeLabel(v *visit, agreement moongate.ID, version int, line string) (label string) {
	if label = line; line == "" {
		return ""
	}
	p.hub.Machine().Read(func() {
		terms, err := p.hub.Agreement.Version(agreement, version)
		if err != nil {
			return
		}
		for i := range terms.Doc.Fees {
			if f := &terms.Doc.Fees[i]; f.ID == line && len(f.Label) > 0 {
				label = f.Label.In(language(v.lang))
			}
		}
	})
	return label
}

// windowOf finds the settlement window in which a crossing's claims stand, if it is the reader's.
func (p *Pages) windowOf(v *visit, r *crossing.Row) (string, error) {
	if r.Agreement.IsZero() || r.Currency.IsZero() || r.State != crossing.Done || !v.scopes.Has(party.SettlementRead) {
		return "", nil
	}
	window := ""
	p.hub.Machine().Read(func() {
		if w, ok := p.hub.Settle.Current(r.Agreement, r.Currency); ok && w.From <= r.At {
			if _, stands := p.hub.Settle.Position(w.ID, v.who.Handle); stands || v.operates() {
				window = w.ID.String()
			}
		}
	})
	if window != "" {
		return window, nil
	}
	closed, _, err := settle.Windows(v.Context(), p.hub.Views, v.own(), r.Agreement, "", pageRows)
	if err != nil {
		return "", err
	}
	for i := range closed {
		w := &closed[i]
		if w.Currency == r.Currency.String() && w.From <= r.At && r.At < w.Until && w.Status != settle.Aborted.String() {
			return w.Window, nil
		}
	}
	return "", nil
}
