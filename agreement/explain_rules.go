package agreement

import (
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate/money"
)

func (p *page) guardLines() {
	g := p.d.Guards
	if g == nil {
		return
	}
	var all []string
	for _, f := range g.Floors {
		all = append(all, fmt.Sprintf(p.w.guardFloor, p.w.role(f.Party), p.w.bps(f.BPS)))
	}
	for _, c := range g.Caps {
		all = append(all, fmt.Sprintf(p.w.guardCap, p.w.role(c.Party), p.w.bps(c.BPS)))
	}
	all = append(all, when(g.FeeChangeNotice > 0, p.w.feeNotice, p.w.span(g.FeeChangeNotice)), when(g.TerminationNotice > 0, p.w.endNotice, p.w.span(g.TerminationNotice)),
		when(g.NonDiscrimination, "%s", p.w.equal), when(g.Appeal > 0, p.w.appeal, p.w.span(g.Appeal)))
	p.say(all...)
}

func (p *page) linkLines() {
	l := p.d.Links
	if l == nil {
		return
	}
	p.say(p.w.opens[l.Open], when(l.Parity, "%s", p.w.parity), when(l.ClickTTL > 0, p.w.ttl, p.w.span(l.ClickTTL)))
	b := l.Block
	if b == nil {
		p.line(p.w.noBlock)
		return
	}
	var reasons []string
	for _, r := range b.Reasons {
		reasons = append(reasons, p.w.reasons[r])
	}
	p.say(fmt.Sprintf(p.w.block, p.w.span(b.Longest), p.w.span(b.Appeal)), fmt.Sprintf(p.w.decide, p.w.span(b.Decide)), when(b.Evidence, "%s", p.w.evidence),
		fmt.Sprintf(p.w.blockReasons, strings.Join(reasons, p.w.comma)))
}

func (p *page) settlementLines() {
	s := p.d.Settlement
	if s == nil {
		return
	}
	p.say(fmt.Sprintf(p.w.settle, p.w.span(s.Window), p.w.netting[s.Netting]), when(s.Delay > 0, p.w.delay, p.w.span(s.Delay)),
		when(nonZero(s.Minimum), p.w.minimum, p.w.amounts(s.Minimum)))
}

func (p *page) disclosureLines() {
	p.line(p.w.seesAll)
	for _, one := range p.d.Disclosure {
		if one.Level == TotalOnly {
			period, _ := p.t.Private(one.Of, one.To)
			p.line(fmt.Sprintf(p.w.seesTotal, p.w.role(one.To), p.w.role(one.Of), p.w.periods[period]))
		}
	}
}

func (p *page) offerLines() {
	o := p.d.Offer
	var how string
	switch o.Kind {
	case OfferClosed:
		how = p.w.closed
	case OfferOpen:
		how = p.w.open
	case OfferJoint:
		how = fmt.Sprintf(p.w.joint, o.Quorum, p.w.role(o.Of))
	case OfferCounter:
		how = fmt.Sprintf(p.w.counter, o.Counter.Version)
	}
	replaces := ""
	if p.d.Replaces != nil {
		replaces = fmt.Sprintf(p.w.replaces, p.d.Replaces.Version)
	}
	p.say(how, when(o.SignBy > 0, p.w.signBy, p.w.moment(o.SignBy, p.t.zone)), replaces)
}

func (p *page) sourceLines() {
	for _, s := range p.d.Sources {
		text := s.Title + " (" + p.w.sourceKinds[s.Kind]
		if s.Date != 0 {
			text += p.w.clause + p.w.moment(s.Date, p.t.zone)
		}
		text += ")"
		if s.URL != "" {
			text += " " + s.URL
		}
		p.line(text)
	}
}

// noteLines are what a reader could overlook. None of it is a fault.
func (p *page) noteLines() {
	for _, s := range p.d.Sources {
		if s.Kind == Press {
			p.line(p.w.notePress)
			break
		}
	}
	sale, ok := p.sampleSale()
	if !ok {
		return
	}
	w, err := p.t.Work(sale)
	if err != nil {
		return
	}
	amount := p.money(sale.Gross)
	for i, r := range w.Roles {
		if w.Keeps[i] < 0 {
			p.line(fmt.Sprintf(p.w.noteOutOfPocket, p.w.role(r), p.money(-w.Keeps[i]), amount))
		}
	}
	var kept int64
	for _, row := range w.Rows {
		if !row.Due.Pool && p.d.Fees[row.Due.Line].OnRefund == Kept && row.Due.From == p.t.ends {
			kept += row.Due.Minor
		}
	}
	if kept > 0 {
		p.line(fmt.Sprintf(p.w.noteKept, p.w.role(p.t.ends), p.money(kept)))
	}
	for _, one := range p.d.Disclosure {
		if one.Level == TotalOnly && p.flat(one) {
			p.line(p.w.notePrivateFlat)
		}
	}
}

// flat tells whether what one role owes another is one rate of the gross, so that the total gives the gross away.
func (p *page) flat(one Disclosure) bool {
	n, tiers := 0, false
	for _, f := range p.d.Fees {
		if f.From == one.Of && f.To == one.To {
			n++
			tiers = tiers || f.Tiers != nil || len(f.Classes) > 0 || f.Fixed != nil || f.Min != nil || f.Max != nil
		}
	}
	return n == 1 && !tiers
}

// sampleSale is the sale that the explanation computes: a round amount in the first currency and class, touched.
func (p *page) sampleSale() (Sale, bool) {
	if !p.d.moneyMoves() || len(p.d.Fees) == 0 && p.d.Share == nil {
		return Sale{}, false
	}
	c, err := money.ParseCurrency(p.d.Scope.Currencies[0])
	if err != nil {
		return Sale{}, false
	}
	s := Sale{Kind: Payment, Currency: c, Gross: sample(c), Touched: p.d.Share != nil}
	if !p.t.Covers(Payment) {
		s.Kind = Conversion
	}
	if len(p.d.Scope.Classes) > 0 {
		s.Class = p.d.Scope.Classes[0]
	}
	return s, true
}

func (p *page) money(minor int64) string {
	return money.Of(minor, p.t.books[0].currency).Display(string(p.w.lang))
}
