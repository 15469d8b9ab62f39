package pages

import (
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/party"
)

// hitsShown bounds what a search finds of each sort.
const hitsShown = 10

// find looks an identifier, an order number, an account or a participant up. It finds nothing that the reader could not
// open.
func (p *Pages) find(v *visit) (console.Page, error) {
	text := bound(strings.TrimSpace(v.URL.Query().Get("q")), 128)
	page := console.Find{Text: text}
	if text == "" {
		return page, nil
	}
	if id, err := moongate.ParseID(text); err == nil {
		hit, ok, err := p.findID(v, id)
		if ok {
			page.Hits = append(page.Hits, hit)
		}
		return page, err
	}
	if a, err := ledger.ParseAccount(strings.ReplaceAll(text, ":", "/")); err == nil && v.scopes.Has(party.LedgerRead) && v.sees(a.Owner) {
		var known bool
		p.hub.Machine().Read(func() { _, known = p.hub.Ledger.Lookup(a) })
		if known {
			page.Hits = append(page.Hits, console.Hit{Ref: console.Ref{Kind: "account", ID: accountName(a)}, Label: a.String()})
		}
	}
	if v.scopes.Has(party.PaymentsRead) {
		found, _, err := pay.Payments(v.Context(), p.hub.Views, pay.Filter{Merchant: v.own(), Order: text}, "", hitsShown)
		if err != nil {
			return nil, err
		}
		for i := range found {
			page.Hits = append(page.Hits, console.Hit{Ref: console.Ref{Kind: "payment", ID: found[i].ID.String()}, Label: found[i].Order, At: found[i].Created})
		}
	}
	found, _, err := party.List(v.Context(), p.hub.Views, party.Filter{Search: text}, "", hitsShown)
	for i := range found {
		r := &found[i]
		page.Hits = append(page.Hits, console.Hit{Ref: console.Ref{Kind: "participant", ID: r.Handle}, Label: inLang(v.lang, r.Name, r.NameZH), At: r.Since})
	}
	return page, err
}

// findID finds what an identifier names, if the reader may see it.
func (p *Pages) findID(v *visit, id moongate.ID) (hit console.Hit, ok bool, err error) {
	text := id.String()
	switch id.Kind() {
	case moongate.KindCrossing:
		if !v.scopes.Has(party.LedgerRead) {
			return hit, false, nil
		}
		row, err := crossing.Find(v.Context(), p.hub.Views, id, crossing.Filter{Party: v.own()})
		if moongate.CodeOf(err) == moongate.NotFound {
			return hit, false, nil
		}
		return console.Hit{Ref: console.Ref{Kind: "crossing", ID: text}, Label: p.words.Say(v.lang, "kind."+row.Kind.String()), At: row.At}, err == nil, err
	case moongate.KindPayment, moongate.KindAttempt, moongate.KindRefund:
		return p.findPayment(v, id)
	case moongate.KindAgreement:
		if !v.scopes.Has(party.AgreementsRead) {
			return hit, false, nil
		}
		terms, version, err := p.readable(v, id)
		if err != nil {
			return hit, false, nil //nolint:nilerr // it is not the reader's
		}
		return console.Hit{Ref: console.Ref{Kind: "agreement", ID: text}, Label: terms.Doc.Name.In(language(v.lang)), At: version.Proposed}, true, nil
	case moongate.KindBlock:
		p.hub.Machine().Read(func() {
			known, found := p.hub.Link.Block(id)
			hit, ok = console.Hit{Ref: console.Ref{Kind: "link", ID: text}, Label: known.Decision.Host, At: known.Decision.Since}, found
		})
		return hit, ok, nil
	case moongate.KindBill, moongate.KindDifference:
		if v.operates() {
			hit, ok = p.findBill(v, id)
		}
		return hit, ok, nil
	case moongate.KindWindow:
		if !v.scopes.Has(party.SettlementRead) {
			return hit, false, nil
		}
		page, _, ok, err := p.closedWindow(v, id)
		return console.Hit{Ref: console.Ref{Kind: "window", ID: text}, Label: page.Line.Title, At: page.Line.Closed}, ok, err
	}
	return hit, false, nil
}

// findBill finds a bill or a difference.
func (p *Pages) findBill(v *visit, id moongate.ID) (hit console.Hit, ok bool) {
	p.hub.Machine().Read(func() {
		if b, known := p.hub.Reconcile.Lookup(id); known {
			hit, ok = console.Hit{Ref: console.Ref{Kind: "bill", ID: id.String()}, Label: b.Name.Day, At: b.Began}, true
		}
		if d, known := p.hub.Reconcile.Difference(id); known {
			label := p.words.Say(v.lang, "difference."+d.Class.String())
			hit, ok = console.Hit{Ref: console.Ref{Kind: "difference", ID: id.String()}, Label: label, At: d.Opened}, true
		}
	})
	return hit, ok
}

// findPayment finds a payment by its own number, or that of an attempt or a refund.
func (p *Pages) findPayment(v *visit, id moongate.ID) (hit console.Hit, ok bool, err error) {
	if !v.scopes.Has(party.PaymentsRead) {
		return hit, false, nil
	}
	p.hub.Machine().Read(func() {
		of := id
		switch id.Kind() {
		case moongate.KindAttempt:
			a, _ := p.hub.Pay.Attempt(id)
			of = a.Payment
		case moongate.KindRefund:
			r, _ := p.hub.Pay.Refunding(id)
			of = r.Payment
		}
		known, found := p.hub.Pay.Lookup(of)
		if ok = found && v.sees(known.Merchant); ok {
			hit = console.Hit{Ref: console.Ref{Kind: "payment", ID: of.String()}, Label: known.Order, At: known.Created}
		}
	})
	return hit, ok, nil
}
