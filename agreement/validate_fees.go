package agreement

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate/money"
)

func (d *Document) validateFees(r *report) {
	if len(d.Fees) > MaxFees {
		r.add("fees", "use tiers by product class", "%d fee lines are more than %d", len(d.Fees), MaxFees)
	}
	for i := range d.Fees {
		d.validateFee(r, i)
	}
	if len(r.faults) == 0 { // sums of wrong numbers say nothing
		d.validateSums(r)
	}
}

func (d *Document) validateFee(r *report, i int) {
	f := &d.Fees[i]
	field := fmt.Sprintf("fees[%d]", i)
	switch {
	case !lineForm.MatchString(f.ID):
		r.add(field+".id", "use lower-case letters, digits and _, 40 at most", "%.80q cannot name a fee line", f.ID)
	case slices.Contains([]string{Gross, Net, FreightExcluded, "pool"}, f.ID):
		r.add(field+".id", "", "%s already means something else", f.ID)
	case slices.ContainsFunc(d.Fees[:i], func(o Fee) bool { return o.ID == f.ID }):
		r.add(field+".id", "give each line its own id", "%s names an earlier line", f.ID)
	}
	r.text(field+".label", f.Label, 60, false)
	d.wantParty(r, field+".from", f.From)
	d.wantParty(r, field+".to", f.To)
	if f.From == f.To {
		r.add(field+".to", "", "%s cannot pay itself", f.To)
	}
	d.validateKinds(r, field+".for", f.For)
	d.validateClasses(r, field+".classes", f.Classes)
	d.validateBase(r, field+".of", f.Of, i, f.From, f.For)
	if f.BPS != nil {
		r.rate(field+".bps", *f.BPS)
	}
	if !f.hasOwnRate() && f.Tiers == nil {
		r.add(field, "give bps, fixed, min or tiers", "the line takes nothing")
	}
	d.validateAmounts(r, field, f.Fixed, f.Min, f.Max)
	if f.Tiers != nil {
		d.validateTiers(r, field, f)
	}
}

func (r *report) rate(field string, bps int) {
	switch {
	case bps < 0:
		r.add(field, "to pay the other way, exchange from and to", "a rate of %d basis points is below zero", bps)
	case bps > 10_000:
		r.add(field, "10000 is 100 %; 250 is 2.5 %", "a rate of %d basis points is above 100 %%", bps)
	}
}

func (d *Document) validateKinds(r *report, field string, kinds []Kind) {
	if _, given := r.lines[field]; given && len(kinds) == 0 {
		r.add(field, "leave it out for payments", "the list is empty")
	}
	unique(r, field, kinds)
	for i, k := range kinds {
		switch {
		case k == Refund:
			r.add(fmt.Sprintf("%s[%d]", field, i), "say on_refund: kept on the payment's line for a fee that stays", "a refund undoes fees; it has none of its own")
		case !slices.Contains(d.Scope.Kinds, k):
			r.add(fmt.Sprintf("%s[%d]", field, i), "add it to scope.kinds", "%s is not in scope", k)
		}
	}
	if len(kinds) == 0 && !slices.Contains(d.Scope.Kinds, Payment) {
		r.add(field, "say for: [conversion] or for: [link]", "a line is for payments unless it says otherwise, and payments are not in scope")
	}
}

func (d *Document) validateClasses(r *report, field string, classes []string) {
	if _, given := r.lines[field]; given && len(classes) == 0 {
		r.add(field, "leave it out for all classes", "the list is empty")
	}
	unique(r, field, classes)
	for i, c := range classes {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case !lineForm.MatchString(c):
			r.add(at, "use lower-case letters, digits and _, 40 at most", "%.80q cannot name a product class", c)
		case len(d.Scope.Classes) > 0 && !slices.Contains(d.Scope.Classes, c):
			hint := "the classes in scope are " + strings.Join(d.Scope.Classes, ", ")
			if near := nearest(c, d.Scope.Classes); near != "" {
				hint = "did you mean " + near + "?"
			}
			r.add(at, hint, "product class %s is not in scope", c)
		}
	}
}

// validateBase checks that a part is taken of something there is: a base, or an earlier line that the payer receives.
func (d *Document) validateBase(r *report, field, of string, before int, from Role, kinds []Kind) {
	if _, given := r.lines[field]; given && of == "" {
		r.add(field, "leave it out for gross", "the base is empty")
	}
	if of == "" || of == Gross || of == Net || of == FreightExcluded {
		return
	}
	i := slices.IndexFunc(d.Fees[:min(before, len(d.Fees))], func(o Fee) bool { return o.ID == of })
	if i < 0 {
		known := []string{Gross, Net, FreightExcluded}
		for _, f := range d.Fees[:min(before, len(d.Fees))] {
			known = append(known, f.ID)
		}
		r.add(field, "write one of "+strings.Join(known, ", "), "%.40q is neither a base nor an earlier line", of)
		return
	}
	base := d.Fees[i]
	if base.To != from {
		r.add(field, "let "+string(base.To)+" pay it, or take it of gross", "%s is received by %s, so %s has nothing of it to give", of, base.To, from)
	}
	for _, k := range forKinds(kinds) {
		if !slices.Contains(forKinds(base.For), k) {
			r.add(field, "", "%s is not taken of a %s", of, k)
		}
	}
	kept := before < len(d.Fees) && d.Fees[before].OnRefund == Kept
	if base.OnRefund == Kept && !kept {
		r.add(field, "let it be kept too, or take it of another base", "%s is kept on a refund, so what is a part of it cannot be returned", of)
	}
}

func forKinds(kinds []Kind) []Kind {
	if len(kinds) == 0 {
		return []Kind{Payment}
	}
	return kinds
}

// amounts checks that there is one amount for each currency in scope, none negative.
func (r *report) amounts(field string, a Amounts, currencies []string) {
	if a == nil {
		return
	}
	for _, code := range sorted(a) {
		at := join(field, printable(code))
		c, err := money.ParseCurrency(code)
		switch {
		case err != nil || !slices.Contains(currencies, code):
			hint := "the currencies in scope are " + strings.Join(currencies, ", ")
			if near := nearest(code, currencies); near != "" {
				hint = "did you mean " + near + "?"
			}
			r.add(at, hint, "this currency is not in scope")
			continue
		}
		v, err := money.ParseDecimal(a[code], c)
		switch {
		case err != nil:
			faults := FaultsOf(err)
			r.add(at, faults[0].Hint, "%s", faults[0].Message)
		case v.Minor < 0:
			r.add(at, "to pay the other way, exchange from and to", "%s is below zero", v)
		case v.Minor > maxSale:
			r.add(at, "", "%s is more than any sale", v)
		}
	}
	for _, code := range currencies {
		if _, ok := a[code]; !ok {
			r.add(field, "give one for each currency in scope, even if it is zero", "there is no amount in %s", code)
		}
	}
}

func (d *Document) validateAmounts(r *report, field string, fixed, least, most Amounts) {
	r.amounts(field+".fixed", fixed, d.Scope.Currencies)
	r.amounts(field+".min", least, d.Scope.Currencies)
	r.amounts(field+".max", most, d.Scope.Currencies)
	for _, code := range d.Scope.Currencies {
		c, err := money.ParseCurrency(code)
		if err != nil || most == nil {
			continue
		}
		limit := minorOf(most, c)
		if m := minorOf(least, c); m > limit {
			r.add(field+".min."+code, "exchange them", "the least, %s, is more than the most, %s", money.Of(m, c), money.Of(limit, c))
		}
		if f := minorOf(fixed, c); f > limit {
			r.add(field+".fixed."+code, "raise max, or leave it out", "the fixed part, %s, alone is more than the most, %s", money.Of(f, c), money.Of(limit, c))
		}
	}
}

func (d *Document) validateTiers(r *report, field string, f *Fee) {
	t := f.Tiers
	at := field + ".tiers"
	if len(t.Steps) == 0 || len(t.Steps) > MaxTiers {
		r.add(at+".steps", "", "a line has 1 to %d tiers; this one has %d", MaxTiers, len(t.Steps))
	}
	for i, s := range t.Steps {
		step := fmt.Sprintf("%s.steps[%d]", at, i)
		r.rate(step+".bps", s.BPS)
		d.validateAmounts(r, step, s.Fixed, s.Min, s.Max)
		if s.Max == nil && s.Min != nil { // a tier's own min against the line's max
			d.validateAmounts(r, step, nil, s.Min, f.Max)
		}
	}
	if t.By == ByClass {
		d.validateClassTiers(r, at, f)
		return
	}
	if f.hasOwnRate() && f.BPS != nil {
		r.add(field+".bps", "let the tiers say it; they cover every volume", "a line with tiers by volume has no rate of its own")
	}
	if p := d.volumePeriod(); t.Period != "" && t.Period != p {
		r.add(at+".period", "use one period for all tiers by volume", "%s, but another line counts volume by %s", t.Period, p)
	}
	d.validateVolumeTiers(r, at, t)
}

func (d *Document) validateClassTiers(r *report, at string, f *Fee) {
	t := f.Tiers
	if t.Mode != "" {
		r.add(at+".mode", "leave it out", "only tiers by volume have a mode")
	}
	if t.Period != "" {
		r.add(at+".period", "leave it out", "only tiers by volume have a period")
	}
	in := map[string]int{}
	for i, s := range t.Steps {
		step := fmt.Sprintf("%s.steps[%d]", at, i)
		if s.From != nil || s.Below != nil {
			r.add(step, "leave from and below out, or write by: volume", "a tier by class has no volume")
		}
		if len(s.Classes) == 0 {
			r.add(step+".classes", "name the classes that this tier is for", "the tier is for no class")
		}
		d.validateClasses(r, step+".classes", s.Classes)
		for _, c := range s.Classes {
			if first, twice := in[c]; twice && first != i {
				r.add(step+".classes", "name each class in one tier", "tiers overlap: %s is in steps[%d] too", c, first)
			}
			in[c] = i
			if len(f.Classes) > 0 && !slices.Contains(f.Classes, c) {
				r.add(step+".classes", "add it to the line's classes, or leave those out", "the line is not for %s", c)
			}
		}
	}
	if f.hasOwnRate() {
		return
	}
	among := f.Classes
	if len(among) == 0 {
		among = d.Scope.Classes
	}
	for _, c := range among {
		if _, ok := in[c]; !ok {
			r.add(at+".steps", "add it to a tier, or give the line bps for the rest", "tiers leave a gap: product class %s has no rate", c)
		}
	}
	if len(among) == 0 {
		r.add(at+".steps", "give the line bps for the rest, or list the classes in scope", "tiers leave a gap: a class that they do not name has no rate")
	}
}

func (d *Document) validateVolumeTiers(r *report, at string, t *Tiers) {
	for i, s := range t.Steps {
		step := fmt.Sprintf("%s.steps[%d]", at, i)
		if s.Classes != nil {
			r.add(step+".classes", "give the line classes, and write one line for each", "a tier by volume has no classes")
		}
		if t.Mode != Whole && (s.Fixed != nil || s.Min != nil || s.Max != nil) {
			r.add(step, "give fixed, min and max to the line, or write mode: whole", "a tier that applies to a part of a sale has only a rate")
		}
		r.amounts(step+".from", s.From, d.Scope.Currencies)
		r.amounts(step+".below", s.Below, d.Scope.Currencies)
		last := i == len(t.Steps)-1
		if last && s.Below != nil {
			r.add(step+".below", "leave it out of the last tier", "tiers leave a gap: what lies above has no rate")
		}
		if !last && s.Below == nil {
			r.add(step+".below", "say below which volume it ends", "tiers overlap: this one has no end, but others follow")
		}
		for _, code := range d.Scope.Currencies {
			c, err := money.ParseCurrency(code)
			if err != nil {
				continue
			}
			var end int64
			if i > 0 {
				end = minorOf(t.Steps[i-1].Below, c)
			}
			from := minorOf(s.From, c)
			switch {
			case from > end:
				r.add(step+".from", "", "tiers leave a gap: from %s to %s there is no rate", money.Of(end, c), money.Of(from, c))
			case from < end:
				r.add(step+".from", "begin where the tier before ends", "tiers overlap: this one begins at %s, the one before ends at %s", money.Of(from, c), money.Of(end, c))
			case !last && s.Below != nil && minorOf(s.Below, c) <= from:
				r.add(step+".below", "", "the tier ends at %s, where it begins or before", money.Of(minorOf(s.Below, c), c))
			}
		}
	}
}

// validateSums finds schedules that take more than there is: from the beneficiary, against its floor, and from a line
// that is given on. It adds the highest rates, class by class; fixed and least amounts are the guards' work.
func (d *Document) validateSums(r *report) {
	floor := 0
	if d.Guards != nil {
		for _, g := range d.Guards.Floors {
			if g.Party == d.Scope.Beneficiary {
				floor = g.BPS
			}
		}
	}
	classes := append(d.allClasses(), "")
	for _, k := range []Kind{Payment, Conversion} {
		if !slices.Contains(d.Scope.Kinds, k) {
			continue
		}
		for _, class := range classes {
			if class == "" && len(d.Scope.Classes) > 0 {
				continue
			}
			if !d.checkSums(r, k, class, floor) {
				return // one example is enough; the other classes tend to say the same
			}
		}
	}
}

func (d *Document) checkSums(r *report, k Kind, class string, floor int) bool {
	var hundredths []int // of a basis point of gross, by line
	paid, last := 0, ""
	givenOn := map[string]int{} // basis points of a line that its receiver pays out again
	line := func(field string, from, to Role, of string, bps int) bool {
		part := bps * 10_000
		if i := slices.IndexFunc(d.Fees, func(f Fee) bool { return f.ID == of }); i >= 0 && i < len(hundredths) {
			part = hundredths[i] * bps / 10_000
			if givenOn[of] += bps; givenOn[of] > 10_000 {
				r.add(field, "lower the rates", "more than 100 %% of %s is given on: %d basis points", of, givenOn[of])
				return false
			}
		}
		hundredths = append(hundredths, part)
		switch d.Scope.Beneficiary {
		case from:
			paid, last = paid+part, field
		case to:
			// what comes back may be cut, so it is not counted on
		}
		return true
	}
	for i := range d.Fees {
		f := &d.Fees[i]
		bps := 0
		if slices.Contains(forKinds(f.For), k) {
			bps = f.highest(class)
		}
		if !line(fmt.Sprintf("fees[%d]", i), f.From, f.To, f.Of, bps) {
			return false
		}
	}
	if s := d.Share; s != nil && slices.Contains(forKinds(s.For), k) {
		if !line("share.pool_bps", s.From, s.To, s.Of, s.Pool) {
			return false
		}
	}
	what := ""
	if class != "" {
		what = " of class " + class
	}
	percent := money.BasisPoints((paid + 9_999) / 10_000).String()
	switch {
	case paid > 10_000*10_000:
		r.add(last, "lower the rates", "for a %s%s the fees that %s pays add up to %s, more than 100 %%", k, what, d.Scope.Beneficiary, percent)
		return false
	case paid > (10_000-floor)*10_000:
		r.add("guards.floors[0].bps", "lower the floor or the rates", "the floor of %s cannot be met: for a %s%s fees take %s, and %s must stay",
			d.Scope.Beneficiary, k, what, percent, money.BasisPoints(floor).String())
		return false
	}
	return true
}

// highest is the highest rate in basis points that a line takes of a class.
func (f *Fee) highest(class string) int {
	if len(f.Classes) > 0 && !slices.Contains(f.Classes, class) {
		return 0
	}
	own := 0
	if f.BPS != nil {
		own = *f.BPS
	}
	if f.Tiers == nil {
		return own
	}
	most := 0
	for _, s := range f.Tiers.Steps {
		if f.Tiers.By == ByVolume {
			most = max(most, s.BPS)
		} else if slices.Contains(s.Classes, class) {
			return s.BPS
		}
	}
	if f.Tiers.By == ByClass {
		return own
	}
	return most
}
