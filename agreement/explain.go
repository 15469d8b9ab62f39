package agreement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate/money"
)

// pageWidth is how wide an explanation is, in columns of a terminal.
const pageWidth = 78

// Explain says in plain words what a document says, with what a round amount becomes for each party, computed by the
// very code that computes fees. It is text for a terminal, at most 78 columns wide but for tables of many parties.
func Explain(d *Document, lang Language) (string, error) {
	t, err := Compile(d)
	if err != nil {
		return "", err
	}
	p := &page{w: wordsIn(lang), t: t, d: d}
	p.head()
	p.section(p.w.parties, p.partyLines)
	p.section(p.w.inForce, p.timeLines)
	p.section(p.w.crosses, p.scopeLines)
	p.section(p.w.costs, p.feeLines)
	p.section(p.w.shares, p.shareLines)
	if err := p.tables(); err != nil {
		return "", err
	}
	p.section(p.w.protects, p.guardLines)
	p.section(p.w.links, p.linkLines)
	p.section(p.w.settles, p.settlementLines)
	p.section(p.w.sees, p.disclosureLines)
	p.section(p.w.signs, p.offerLines)
	p.section(p.w.notes, p.noteLines)
	p.section(p.w.sources, p.sourceLines)
	p.section(p.w.fingerprint, func() { p.line("sha256 " + d.Fingerprint()) })
	return p.text.String(), nil
}

// page is an explanation being written.
type page struct {
	w    *words
	t    *Terms
	d    *Document
	text strings.Builder
}

func (p *page) head() {
	p.text.WriteString(p.d.Name.In(p.w.lang) + "\n")
	p.text.WriteString(fmt.Sprintf(p.w.headline, p.d.ID, p.d.Version, p.w.offerKinds[p.d.Offer.Kind]) + "\n")
	p.text.WriteString(strings.Repeat("═", pageWidth) + "\n")
	if s := p.d.Summary.In(p.w.lang); s != "" {
		for _, l := range wrap(s, pageWidth) {
			p.text.WriteString(l + "\n")
		}
	}
}

// section writes a heading and what stands under it; without content, neither.
func (p *page) section(heading string, write func()) {
	before := p.text.Len()
	p.text.WriteString("\n" + heading + "\n")
	filled := p.text.Len()
	write()
	if p.text.Len() == filled {
		text := p.text.String()[:before]
		p.text.Reset()
		p.text.WriteString(text)
	}
}

// line writes a sentence under a heading, or a table's row where it fits.
func (p *page) line(s string) { p.hang("  ", "  ", s) }

// hang writes a paragraph whose first line begins with one thing and the others with another.
func (p *page) hang(first, rest, s string) {
	for i, l := range wrap(s, pageWidth-cells(rest)) {
		if i > 0 {
			first = rest
		}
		p.text.WriteString(strings.TrimRight(first+l, " ") + "\n")
	}
}

// say writes the sentences that are not empty, as one paragraph.
func (p *page) say(sentences ...string) {
	sentences = slices.DeleteFunc(sentences, func(s string) bool { return s == "" })
	if len(sentences) > 0 {
		p.line(strings.Join(sentences, p.w.stop))
	}
}

// when gives a sentence where a condition holds.
func when(holds bool, format string, args ...any) string {
	if !holds {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func (p *page) partyLines() {
	width := 0
	for _, party := range p.d.Parties {
		width = max(width, cells(p.w.role(party.Role)))
	}
	for i := range p.d.Parties {
		party := &p.d.Parties[i]
		first := "  " + padRight(p.w.role(party.Role), width) + "  "
		p.hang(first, strings.Repeat(" ", cells(first)), p.who(party))
	}
}

func (p *page) who(party *Party) string {
	var text string
	var more []string
	switch {
	case party.Open != "":
		text = fmt.Sprintf(p.w.openParty, p.w.openTo[party.Open])
		if l := party.Limits; l != nil {
			if l.Most > 0 {
				more = append(more, fmt.Sprintf(p.w.most, l.Most))
			}
			if l.Until > 0 {
				more = append(more, fmt.Sprintf(p.w.acceptUntil, p.w.moment(l.Until, p.t.zone)))
			}
		}
	case party.ID != "":
		text = party.ID
		if party.Name != "" {
			text = party.Name + " (" + party.ID + ")"
		}
	default:
		text = strings.Join(party.Members, p.w.comma)
		if len(party.Members) > 12 {
			text = strings.Join(party.Members[:12], p.w.comma) + " …"
		}
		if party.Name != "" {
			text = party.Name + " (" + text + ")"
		}
		more = append(more, fmt.Sprintf(p.w.members, len(party.Members)), p.w.oneOf)
	}
	if party.Signs == SignsNever {
		more = append(more, p.w.unsigned)
	}
	return strings.Join(append([]string{text}, more...), p.w.semicolon)
}

func (p *page) timeLines() {
	v := p.d.Valid
	from := p.w.moment(v.From, p.t.zone)
	span := fmt.Sprintf(p.w.from, from)
	if v.Until != 0 {
		span = fmt.Sprintf(p.w.fromUntil, from, p.w.moment(v.Until, p.t.zone))
	}
	p.say(span, when(v.Notice > 0, p.w.notice, p.w.span(v.Notice)), when(p.d.Calendar != "", p.w.zone, p.d.Calendar))
}

func (p *page) scopeLines() {
	s := p.d.Scope
	var kinds []string
	for _, k := range s.Kinds {
		kinds = append(kinds, p.w.kinds[k])
	}
	list := p.w.list(kinds)
	if p.w.lang == English {
		list = strings.ToUpper(list[:1]) + list[1:] + "."
	} else {
		list += "。"
	}
	classes := p.w.allClasses
	if len(s.Classes) > 0 {
		classes = fmt.Sprintf(p.w.inClasses, strings.Join(s.Classes, p.w.comma))
	}
	p.say(list, when(len(s.Currencies) > 0, p.w.inCurrencies, p.w.list(s.Currencies)), when(p.d.moneyMoves(), "%s", classes))
	p.say(when(len(s.Hosts) > 0, p.w.toHosts, strings.Join(s.Hosts, p.w.comma)), when(s.Beneficiary != "", p.w.belongs, p.w.role(s.Beneficiary)))
}

func (p *page) feeLines() {
	if !p.d.moneyMoves() && len(p.d.Fees) == 0 {
		return
	}
	if len(p.d.Fees) == 0 {
		p.line(p.w.noFees)
		return
	}
	for i := range p.d.Fees {
		f := &p.d.Fees[i]
		first := fmt.Sprintf("  %d  ", i+1)
		p.hang(first, "     ", p.lineName(i)+p.w.colon+p.feeSentence(f))
		p.tierLines(f)
	}
	how := p.d.Rounding
	if how == "" {
		how = HalfUp
	}
	p.line(p.w.roundings[how])
}

// lineName is a fee line as people call it.
func (p *page) lineName(i int) string {
	if i >= len(p.d.Fees) {
		return p.w.poolRow
	}
	if s := p.d.Fees[i].Label.In(p.w.lang); s != "" {
		return s
	}
	return p.d.Fees[i].ID
}

// base writes a part of something: "5% of what the buyer pays".
func (p *page) base(rate, of string) string {
	if of == "" {
		of = Gross
	}
	if s := p.w.bases[of]; s != "" {
		return fmt.Sprintf(s, rate)
	}
	name := of
	for i, f := range p.d.Fees {
		if f.ID == of {
			name = p.lineName(i)
		}
	}
	return fmt.Sprintf(p.w.part, rate, name)
}

func (p *page) feeSentence(f *Fee) string {
	var what string
	switch {
	case f.Tiers != nil && f.Tiers.By == ByVolume:
		period := f.Tiers.Period
		if period == "" {
			period = Month
		}
		mode := f.Tiers.Mode
		if mode == "" {
			mode = Marginal
		}
		rates := []string{}
		for _, s := range f.Tiers.Steps {
			rates = append(rates, p.w.bps(s.BPS))
		}
		what = p.base(strings.Join(rates, p.w.or), f.Of) + p.w.clause + fmt.Sprintf(p.w.byVolume[mode], p.w.role(p.d.Scope.Beneficiary), p.w.periods[period])
	case f.Tiers != nil:
		what = p.base(p.tierRange(f), f.Of) + p.w.noRate
	default:
		what = p.price(f.BPS, f.Of, f.Fixed)
	}
	what += when(nonZero(f.Min), p.w.atLeast, p.w.amounts(f.Min)) + when(f.Max != nil, p.w.atMost, p.w.amounts(f.Max))
	sentence := fmt.Sprintf(p.w.pays, p.w.role(f.From), p.w.role(f.To), what)
	var kinds []string
	for _, k := range f.For {
		kinds = append(kinds, p.w.kinds[k])
	}
	more := []string{sentence}
	for _, s := range []string{
		when(len(f.Classes) > 0, p.w.onlyFor, p.w.list(f.Classes)), when(len(kinds) > 0 && len(p.d.Scope.Kinds) > 1, p.w.onKind, p.w.list(kinds)),
		when(f.OnRefund == Kept, "%s", p.w.kept),
	} {
		if s != "" {
			more = append(more, s)
		}
	}
	return strings.Join(more, p.w.stop)
}

// price writes a rate with a fixed part.
func (p *page) price(bps *int, of string, fixed Amounts) string {
	switch {
	case bps != nil && *bps > 0:
		return p.base(p.w.bps(*bps), of) + when(nonZero(fixed), p.w.plus, p.w.amounts(fixed))
	case nonZero(fixed):
		return fmt.Sprintf(p.w.fixed, p.w.amounts(fixed))
	}
	return p.w.takesNothing
}

func (p *page) tierRange(f *Fee) string {
	least, most := f.Tiers.Steps[0].BPS, f.Tiers.Steps[0].BPS
	for _, s := range f.Tiers.Steps {
		least, most = min(least, s.BPS), max(most, s.BPS)
	}
	if f.BPS != nil {
		least, most = min(least, *f.BPS), max(most, *f.BPS)
	}
	if least == most {
		return p.w.bps(least)
	}
	return p.w.bps(least) + "–" + p.w.bps(most)
}

func (p *page) tierLines(f *Fee) {
	if f.Tiers == nil {
		return
	}
	var names, prices []string
	for _, s := range f.Tiers.Steps {
		name := strings.Join(s.Classes, p.w.comma)
		if f.Tiers.By == ByVolume {
			switch {
			case s.Below == nil:
				name = fmt.Sprintf(p.w.above, p.w.amounts(s.From))
			case !nonZero(s.From):
				name = fmt.Sprintf(p.w.below, p.w.amounts(s.Below))
			default:
				name = fmt.Sprintf(p.w.fromTo, p.w.amounts(s.From), p.w.amounts(s.Below))
			}
		}
		names = append(names, name)
		prices = append(prices, p.tierPrice(f, s))
	}
	if f.Tiers.By == ByClass && f.hasOwnRate() {
		names = append(names, p.w.rest)
		own := Tier{Fixed: f.Fixed}
		if f.BPS != nil {
			own.BPS = *f.BPS
		}
		prices = append(prices, p.tierPrice(f, own))
	}
	width := 0
	for _, n := range names {
		width = max(width, min(cells(n), 46))
	}
	for i, n := range names {
		lines := wrap(n, 46)
		for j, l := range lines {
			price := ""
			if j == 0 {
				price = prices[i]
			}
			p.text.WriteString(strings.TrimRight("       "+padRight(l, width)+"  "+price, " ") + "\n")
		}
	}
}

func (p *page) tierPrice(f *Fee, s Tier) string {
	fixed := s.Fixed
	if fixed == nil {
		fixed = f.Fixed
	}
	return p.w.bps(s.BPS) + when(nonZero(fixed), p.w.plus, p.w.amounts(fixed)) +
		when(nonZero(s.Min), p.w.atLeast, p.w.amounts(s.Min)) + when(s.Max != nil, p.w.atMost, p.w.amounts(s.Max))
}

func (p *page) shareLines() {
	s := p.d.Share
	if s == nil {
		return
	}
	p.say(fmt.Sprintf(p.w.pool, p.w.role(s.From), p.base(p.w.bps(s.Pool), s.Of), p.w.role(s.To)), p.w.rules[s.Rule],
		fmt.Sprintf(p.w.window, p.w.span(s.Window)), when(s.Floor > 0, p.w.floor, p.w.bps(s.Floor)), when(s.Cap > 0, p.w.cap, p.w.bps(s.Cap)))
	for _, l := range s.Limits {
		most := l.Cap
		if most == 0 {
			most = int(money.Whole)
		}
		p.line(fmt.Sprintf(p.w.ownLimit, l.Party, p.w.bps(l.Floor), p.w.bps(most)))
	}
}
