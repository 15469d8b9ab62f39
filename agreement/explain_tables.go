package agreement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate/money"
)

// tables writes what a round amount becomes: line by line, by class, beyond the first volume, and when a part of it is
// refunded.
func (p *page) tables() error {
	sale, ok := p.sampleSale()
	if !ok {
		return nil
	}
	w, err := p.t.Work(sale)
	if err != nil {
		return err
	}
	title := p.money(sale.Gross)
	if sale.Class != "" {
		title += " (" + sale.Class + ")"
	}
	first := p.w.paid
	if sale.Kind == Conversion {
		first = p.w.paidOutside
	}
	p.section(fmt.Sprintf(p.w.becomes, title), func() {
		p.table(w, first, p.w.keeps, sale.Gross)
		p.strip(w)
	})
	if err := p.classTable(sale); err != nil {
		return err
	}
	if err := p.volumeTable(sale, first); err != nil {
		return err
	}
	return p.refundTable(sale)
}

// layout is the widths of a table's columns.
type layout struct {
	label int
	parts []int
}

func (p *page) layoutOf(w Worked, labels []string) layout {
	l := layout{label: 20}
	for _, s := range labels {
		l.label = max(l.label, cells(s))
	}
	for _, r := range w.Roles {
		l.parts = append(l.parts, max(cells(p.w.role(r)), 10)+2)
	}
	return l
}

func (l layout) row(label string, parts []string) string {
	text := "  " + padRight(label, l.label)
	for i, s := range parts {
		text += padLeft(s, l.parts[i])
	}
	return strings.TrimRight(text, " ") + "\n"
}

func (l layout) ruler() string {
	n := 0
	for _, w := range l.parts {
		n += w
	}
	return "  " + strings.Repeat(" ", l.label) + "  " + strings.Repeat("─", n-2) + "\n"
}

// signed writes what a role gets or gives; nothing where it does neither.
func (p *page) signed(minor int64) string {
	if minor == 0 {
		return ""
	}
	text := money.Of(minor, p.t.books[0].currency).Figures()
	if minor > 0 {
		text = "+" + text
	}
	return text
}

func (p *page) figures(minor int64) string { return money.Of(minor, p.t.books[0].currency).Figures() }

// rowName is a line and what it takes of a sale: "Commission 5%", "Service fee ¥0.10".
func (p *page) rowName(w Worked, row WorkedRow) string {
	if row.Due.Pool {
		return p.w.poolRow + " " + p.w.bps(p.d.Share.Pool)
	}
	f := &p.d.Fees[row.Due.Line]
	name := p.lineName(row.Due.Line)
	rule := &p.t.fees[row.Due.Line]
	class, known := p.t.classes[w.Sale.Class]
	if !known {
		class = len(p.t.classes)
	}
	line := &p.t.books[0].lines[row.Due.Line]
	rate := line.rates[rule.rateOf[class]]
	if f.Tiers != nil && f.Tiers.By == ByVolume {
		for _, s := range line.steps {
			if rate = s.rate; w.Sale.Volume < s.below {
				break
			}
		}
	}
	switch {
	case rate.bps > 0 && rate.fixed > 0:
		return name + " " + rate.bps.String() + " + " + p.money(rate.fixed)
	case rate.fixed > 0:
		return name + " " + p.money(rate.fixed)
	}
	return name + " " + rate.bps.String()
}

func (p *page) table(w Worked, first, last string, gross int64) {
	labels := []string{first, last}
	for _, row := range w.Rows {
		labels = append(labels, p.rowName(w, row))
	}
	l := p.layoutOf(w, labels)
	roles, parts := make([]string, len(w.Roles)), make([]string, len(w.Roles))
	for i, r := range w.Roles {
		roles[i] = p.w.role(r)
		if r == p.t.ends {
			parts[i] = p.signed(gross)
		}
	}
	p.text.WriteString(l.row("", roles))
	p.text.WriteString(l.row(first, parts))
	for i, row := range w.Rows {
		for j, n := range row.Parts {
			parts[j] = p.signed(n)
		}
		p.text.WriteString(l.row(labels[i+2], parts))
	}
	p.text.WriteString(l.ruler())
	for i, n := range w.Keeps {
		parts[i] = p.figures(n)
	}
	p.text.WriteString(l.row(last, parts))
	if gross > 0 {
		for i, n := range w.Keeps {
			parts[i] = p.share(n, gross)
		}
		p.text.WriteString(l.row("", parts))
	}
}

// share is a part of a whole in percent: two decimals, cut.
func (p *page) share(n, of int64) string {
	if n < 0 {
		return "−" + p.share(-n, of)
	}
	hundredths := n * int64(money.Whole) / of
	return p.w.bps(int(hundredths))
}

var inks = []string{"█", "▓", "▒", "░", "▚", "▞", "▤", "▥"}

// strip draws the whole as a bar that its parts fill.
func (p *page) strip(w Worked) {
	const width = pageWidth - 4
	parts := strip(w.Keeps, width)
	if parts == nil || len(parts) > len(inks) {
		return
	}
	bar, legend := "", []string{}
	for i, n := range parts {
		bar += strings.Repeat(inks[i], int(n))
		if n > 0 {
			legend = append(legend, inks[i]+" "+p.w.role(w.Roles[i]))
		}
	}
	p.text.WriteString("\n  " + bar + "\n  " + strings.Join(legend, "   ") + "\n")
}

// classTable shows the classes whose fees differ, one a row: what each role is left with.
func (p *page) classTable(sale Sale) error {
	classes := p.d.Scope.Classes
	if len(classes) < 2 {
		return nil
	}
	tables := make([]Worked, len(classes))
	differ := false
	for i, c := range classes {
		s := sale
		s.Class = c
		w, err := p.t.Work(s)
		if err != nil {
			return err
		}
		tables[i] = w
		differ = differ || !slices.Equal(w.Keeps, tables[0].Keeps)
	}
	if !differ {
		return nil
	}
	p.section(p.w.classTable, func() {
		l := p.layoutOf(tables[0], append(slices.Clone(classes), p.w.class))
		row := make([]string, len(l.parts))
		for i, r := range tables[0].Roles {
			row[i] = p.w.role(r)
		}
		p.text.WriteString(l.row("", row))
		for i, c := range classes {
			for j, n := range tables[i].Keeps {
				row[j] = p.figures(n)
			}
			p.text.WriteString(l.row(c, row))
		}
	})
	return nil
}

// volumeTable shows the sale in the last tier by volume.
func (p *page) volumeTable(sale Sale, first string) error {
	most := int64(0)
	for _, line := range p.t.books[0].lines {
		if n := len(line.steps); n > 1 {
			most = max(most, line.steps[n-2].below)
		}
	}
	if most == 0 {
		return nil
	}
	s := sale
	s.Volume = most
	w, err := p.t.Work(s)
	if err != nil {
		return err
	}
	p.section(fmt.Sprintf(p.w.volumeTable, p.money(most), p.w.periods[p.t.volume]), func() { p.table(w, first, p.w.keeps, s.Gross) })
	return nil
}

func (p *page) refundTable(sale Sale) error {
	if !p.t.Covers(Refund) {
		return nil
	}
	after := sale
	after.Gross = sale.Gross * 6 / 10
	w, err := p.t.WorkRefund(sale, after)
	if err != nil {
		return err
	}
	p.section(fmt.Sprintf(p.w.refundTable, p.money(sale.Gross-after.Gross)), func() { p.table(w, p.w.refunded, p.w.together, after.Gross-sale.Gross) })
	return nil
}
