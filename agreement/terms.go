package agreement

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/share"
)

// Terms are one version of an agreement in the form that computes: immutable, and safe to share between goroutines.
type Terms struct {
	ID   moongate.ID // of the agreement; zero for a document that is in no hub
	Doc  *Document
	Hash [32]byte

	fees     []feeRule
	books    []book // by currency
	classes  map[string]int
	listed   bool // classes are a closed list
	kinds    [4]bool
	ends     Role // who keeps what the fees leave
	rule     share.Rule
	zone     *time.Location
	hosts    []string
	volume   TierPeriod
	rounding money.Rounding
}

// feeRule is what is the same in every currency. The pool of the share rule is the last one.
type feeRule struct {
	from, to         Role
	fromEnd, toEnd   bool // the beneficiary pays, is paid
	kinds            [4]bool
	base             int   // an earlier line, or one of the constants below
	rateOf           []int // by class: index into the book's rates, or notFor
	kept             bool
	marginal, volume bool
	pool             bool
	capped           int // index of the cap of who is paid, or −1
}

const (
	baseGross = -1 - iota
	baseNet
	baseFreightExcluded
)

const notFor = -1

// book is the schedule's amounts in one currency.
type book struct {
	currency money.Currency
	lines    []bookLine
	minimum  int64
}

type bookLine struct {
	rates []rate
	steps []step // by volume
}

type rate struct {
	bps   money.BasisPoints
	fixed int64
	min   int64
	max   int64 // unlimited: maxSale
}

// step is a tier by volume: it reaches from below the last step to below its own bound.
type step struct {
	below int64
	rate
}

// maxSale bounds the amounts that the arithmetic takes, in minor units: sums of a few thousand still fit 64 bits.
const maxSale = 1 << 50

func (k Kind) index() int {
	switch k {
	case Link:
		return 0
	case Payment:
		return 1
	case Conversion:
		return 2
	case Refund:
		return 3
	}
	return -1
}

// Compile makes terms of a document that [Parse] or [Build] gave.
func Compile(d *Document) (*Terms, error) {
	if d == nil || d.canonical == nil {
		return nil, &moongate.Error{Code: moongate.Internal, Message: "the document was not checked", Hint: "get it from Parse or Build"}
	}
	t := &Terms{
		Doc: d, Hash: d.Hash(), ends: d.Scope.Beneficiary, listed: len(d.Scope.Classes) > 0, classes: map[string]int{},
		zone: zoneOf(d.Calendar), volume: d.volumePeriod(), rounding: roundings[d.Rounding],
		hosts: d.Scope.Hosts,
	}
	for _, k := range d.Scope.Kinds {
		t.kinds[k.index()] = true
	}
	for _, c := range d.allClasses() {
		t.classes[c] = len(t.classes)
	}
	for _, code := range d.Scope.Currencies {
		c, err := money.ParseCurrency(code)
		if err != nil {
			return nil, err
		}
		b := book{currency: c}
		if d.Settlement != nil {
			b.minimum = minorOf(d.Settlement.Minimum, c)
		}
		t.books = append(t.books, b)
	}
	if len(t.books) == 0 {
		t.books = []book{{}} // links alone: nothing has an amount
	}
	index := map[string]int{Gross: baseGross, "": baseGross, Net: baseNet, FreightExcluded: baseFreightExcluded}
	for i := range d.Fees {
		t.compileFee(&d.Fees[i], index)
		index[d.Fees[i].ID] = i
	}
	if d.Share != nil {
		t.compileShare(d.Share, index)
	}
	return t, nil
}

var roundings = map[Rounding]money.Rounding{"": money.HalfAway, HalfUp: money.HalfAway, Down: money.TowardZero, Up: money.AwayZero}

// allClasses lists the product classes that the document names anywhere, each once; a class's place is its index.
func (d *Document) allClasses() []string {
	var all []string
	add := func(list []string) {
		for _, c := range list {
			if !slices.Contains(all, c) {
				all = append(all, c)
			}
		}
	}
	add(d.Scope.Classes)
	for _, f := range d.Fees {
		add(f.Classes)
		if f.Tiers != nil {
			for _, s := range f.Tiers.Steps {
				add(s.Classes)
			}
		}
	}
	return all
}

func (d *Document) volumePeriod() TierPeriod {
	for _, f := range d.Fees {
		if f.Tiers != nil && f.Tiers.Period != "" {
			return f.Tiers.Period
		}
	}
	return Month
}

func (t *Terms) capOf(r Role) int {
	if t.Doc.Guards != nil {
		for i, g := range t.Doc.Guards.Caps {
			if g.Party == r {
				return i
			}
		}
	}
	return -1
}

func (t *Terms) newRule(from, to Role, kinds []Kind, of string, index map[string]int) feeRule {
	r := feeRule{from: from, to: to, fromEnd: from == t.ends, toEnd: to == t.ends, base: index[of], capped: t.capOf(to)}
	if len(kinds) == 0 {
		kinds = []Kind{Payment}
	}
	for _, k := range kinds {
		r.kinds[k.index()] = true
	}
	r.rateOf = make([]int, len(t.classes)+1) // the last is for a class that the document does not name
	return r
}

func (t *Terms) compileFee(f *Fee, index map[string]int) {
	r := t.newRule(f.From, f.To, f.For, f.Of, index)
	r.kept = f.OnRefund == Kept
	for i := range r.rateOf {
		if len(f.Classes) > 0 {
			r.rateOf[i] = notFor
		}
	}
	for _, c := range f.Classes {
		r.rateOf[t.classes[c]] = 0
	}
	if f.Tiers != nil {
		r.volume = f.Tiers.By == ByVolume
		r.marginal = r.volume && f.Tiers.Mode != Whole
		if !r.volume {
			t.classRates(f, r.rateOf)
		}
	}
	t.fees = append(t.fees, r)
	for i := range t.books {
		b := &t.books[i]
		own := rateOf(b.currency, f.BPS, f.Fixed, f.Min, f.Max)
		line := bookLine{rates: []rate{own}}
		if f.Tiers != nil {
			for _, s := range f.Tiers.Steps {
				step := step{below: maxSale, rate: own.with(b.currency, s)}
				if s.Below != nil {
					step.below = minorOf(s.Below, b.currency)
				}
				if r.volume {
					line.steps = append(line.steps, step)
				} else {
					line.rates = append(line.rates, step.rate)
				}
			}
		}
		b.lines = append(b.lines, line)
	}
}

// classRates points each class at its tier; rate 0 is the line's own, which stands for the rest where there is one.
func (t *Terms) classRates(f *Fee, rateOf []int) {
	if !f.hasOwnRate() {
		for i := range rateOf {
			rateOf[i] = notFor
		}
	}
	for i, s := range f.Tiers.Steps {
		for _, c := range s.Classes {
			rateOf[t.classes[c]] = i + 1
		}
	}
}

// hasOwnRate tells whether a line says what it takes outside its tiers.
func (f *Fee) hasOwnRate() bool { return f.BPS != nil || f.Fixed != nil || f.Min != nil }

func (t *Terms) compileShare(s *Share, index map[string]int) {
	r := t.newRule(s.From, s.To, s.For, s.Of, index)
	r.pool = true
	t.fees = append(t.fees, r)
	for i := range t.books {
		line := bookLine{rates: []rate{{bps: money.BasisPoints(s.Pool), max: maxSale}}}
		t.books[i].lines = append(t.books[i].lines, line)
	}
	t.rule = s.compile()
}

func (s *Share) compile() share.Rule {
	r := share.Rule{Method: share.Method(s.Rule)}
	add := func(l Limit) {
		limit := share.Limit{Party: l.Party}
		if l.Floor > 0 {
			limit.Floor = &share.Bound{Rate: money.BasisPoints(l.Floor)}
		}
		if l.Cap > 0 {
			limit.Cap = &share.Bound{Rate: money.BasisPoints(l.Cap)}
		}
		r.Limits = append(r.Limits, limit)
	}
	if s.Floor > 0 || s.Cap > 0 {
		add(Limit{Floor: s.Floor, Cap: s.Cap})
	}
	for _, l := range s.Limits {
		add(l)
	}
	return r
}

func rateOf(c money.Currency, bps *int, fixed, least, most Amounts) rate {
	r := rate{fixed: minorOf(fixed, c), min: minorOf(least, c), max: maxSale}
	if bps != nil {
		r.bps = money.BasisPoints(*bps)
	}
	if most != nil {
		r.max = minorOf(most, c)
	}
	return r
}

// with is the rate with what a tier says in place of the line's own.
func (r rate) with(c money.Currency, s Tier) rate {
	r.bps = money.BasisPoints(s.BPS)
	if s.Fixed != nil {
		r.fixed = minorOf(s.Fixed, c)
	}
	if s.Min != nil {
		r.min = minorOf(s.Min, c)
	}
	if s.Max != nil {
		r.max = minorOf(s.Max, c)
	}
	return r
}

// minorOf reads an amount that validation has read before.
func minorOf(a Amounts, c money.Currency) int64 {
	text, ok := a[c.String()]
	if !ok {
		return 0
	}
	v, err := money.ParseDecimal(text, c)
	if err != nil {
		return 0
	}
	return v.Minor
}

// zoneOf reads an offset such as +08:00; it has been checked.
func zoneOf(offset string) *time.Location {
	if offset == "" || offset == "+00:00" {
		return time.UTC
	}
	hours, errH := strconv.Atoi(offset[1:3])
	minutes, errM := strconv.Atoi(offset[4:6])
	if errH != nil || errM != nil {
		return time.UTC
	}
	seconds := hours*3600 + minutes*60
	if offset[0] == '-' {
		seconds = -seconds
	}
	return time.FixedZone(offset, seconds)
}

// Zone is the offset in which the agreement's days, months and years turn.
func (t *Terms) Zone() *time.Location { return t.zone }

// PeriodStart is when the month or year (see [Tiers]) that a moment falls in began: volume counts from there.
func (t *Terms) PeriodStart(at moongate.Time) moongate.Time { return startOf(t.volume, at, t.zone) }

// Period is the month or year around a moment, in the agreement's calendar: from its beginning to the next.
func (t *Terms) Period(p TierPeriod, at moongate.Time) (from, until moongate.Time) {
	from = startOf(p, at, t.zone)
	later := 32 * moongate.Day
	if p == Year {
		later = 367 * moongate.Day
	}
	return from, startOf(p, from+later, t.zone)
}

// startOf is the beginning of the month or year around a moment.
func startOf(p TierPeriod, at moongate.Time, zone *time.Location) moongate.Time {
	local := at.Go().In(zone)
	month := local.Month()
	if p == Year {
		month = time.January
	}
	return moongate.At(time.Date(local.Year(), month, 1, 0, 0, 0, 0, zone))
}

// Beneficiary is the role to whom what a sale leaves after fees belongs; "" where no money moves.
func (t *Terms) Beneficiary() Role { return t.ends }

// Covers tells whether crossings of a kind are in scope.
func (t *Terms) Covers(k Kind) bool { i := k.index(); return i >= 0 && t.kinds[i] }

// Sharing gives the rule by which the pool is divided and how far back a touch may lie; false where nothing is shared.
// The rule must not be changed.
func (t *Terms) Sharing() (rule *share.Rule, window moongate.Time, ok bool) {
	if t.Doc.Share == nil {
		return nil, 0, false
	}
	return &t.rule, t.Doc.Share.Window.Time(), true
}

// Discloses says how much of one role's crossings another may see: [Itemised] to the parties of a crossing unless the
// document says otherwise.
func (t *Terms) Discloses(of, to Role) DisclosureLevel {
	for _, d := range t.Doc.Disclosure {
		if d.Of == of && d.To == to {
			return d.Level
		}
	}
	return Itemised
}

// Private tells whether what a role owes to another is known to that other only as a total for a period, and the
// period.
func (t *Terms) Private(of, to Role) (TierPeriod, bool) {
	for _, d := range t.Doc.Disclosure {
		if d.Of == of && d.To == to && d.Level == TotalOnly {
			if d.Period == "" {
				return Month, true
			}
			return d.Period, true
		}
	}
	return "", false
}

// MinimumPayout is the amount in minor units below which a payout waits.
func (t *Terms) MinimumPayout(c money.Currency) int64 {
	if b := t.book(c); b != nil {
		return b.minimum
	}
	return 0
}

func (t *Terms) book(c money.Currency) *book {
	for i := range t.books {
		if t.books[i].currency == c {
			return &t.books[i]
		}
	}
	return nil
}

func refused(field, hint, format string, args ...any) error {
	return &moongate.Error{Code: moongate.Refused, Field: field, Hint: hint, Message: fmt.Sprintf(format, args...)}
}
