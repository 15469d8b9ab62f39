package agreement

import (
	"fmt"
	"math/bits"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Sale is what fees are computed from: one beneficiary's part of a crossing. Amounts are minor units, not negative.
// Gross is all that was paid; Freight and Tax are the parts of it that some bases leave out. Volume is the
// beneficiary's gross in the period before this sale (see [Tiers]); it matters only where tiers go by volume.
type Sale struct {
	Kind     Kind // Payment, Conversion or Link
	Currency money.Currency
	Class    string
	Gross    int64
	Freight  int64
	Tax      int64
	Volume   int64
	Touched  bool // somebody's touch lies in the window, so that a pool is due
}

// Due is one fee: From owes To so many minor units. In what a refund gives back, the amount is negative.
type Due struct {
	Line  int // index into the document's fees; of the pool, their number
	From  Role
	To    Role
	Minor int64
	Pool  bool // the share rule divides it among members of To
}

// maxLines bounds the lines of a schedule, the pool included, so that evaluation needs no memory of its own.
const maxLines = MaxFees + 1

// Fees appends to dues what is owed for a sale, in the order of the schedule; lines that do not apply to the kind or
// class are left out, those that come to nothing are not. It allocates nothing when dues has room.
//
// Of a payment of nothing nothing is due, whatever is fixed. Lines are computed in order and then guarded: the
// beneficiary of a payment never pays more than it received, less its floor, and nobody receives above its cap; the
// line that would cross a bound is cut to what is left. The error is a [*moongate.Error]: Refused where the kind,
// currency or class is out of scope, Malformed for amounts that cannot be.
func (t *Terms) Fees(dues []Due, s Sale) ([]Due, error) {
	b, class, err := t.admit(&s)
	if err != nil {
		return dues, err
	}
	return t.fill(dues, b, &s, class), nil
}

// Refund appends what goes back when a sale is reduced from one amount to another: the fees of after less the fees of
// before, so that the parts of any series of refunds add up to the fees and never exceed them. Amounts are negative
// or zero, but where a guard was at work a unit may move between two lines. Kept lines are zero. Both sales have the
// same kind, class, currency and volume; the volume is the one at the time of the sale.
func (t *Terms) Refund(dues []Due, before, after Sale) ([]Due, error) {
	after.Kind, after.Class, after.Currency, after.Volume, after.Touched = before.Kind, before.Class, before.Currency, before.Volume, before.Touched
	b, class, err := t.admit(&before)
	if err != nil {
		return dues, err
	}
	if _, _, err := t.admit(&after); err != nil {
		return dues, err
	}
	if after.Gross > before.Gross || after.Freight > before.Freight || after.Tax > before.Tax {
		return dues, &moongate.Error{
			Code: moongate.Malformed, Field: "amount", Message: fmt.Sprintf("a refund cannot raise a sale from %d to %d", before.Gross, after.Gross),
			Hint: "book the rest as a payment of its own",
		}
	}
	first := len(dues)
	dues = t.fill(dues, b, &before, class)
	var room [maxLines]Due
	left := room[:0]
	if after.Gross > 0 { // a sale that is undone owes nothing, even what was fixed
		left = t.fill(left, b, &after, class)
	}
	for i := range dues[first:] {
		d := &dues[first+i]
		switch {
		case !d.Pool && t.fees[d.Line].kept:
			d.Minor = 0
		case i < len(left):
			d.Minor = left[i].Minor - d.Minor
		default:
			d.Minor = -d.Minor
		}
	}
	return dues, nil
}

// admit checks a sale against the scope.
func (t *Terms) admit(s *Sale) (*book, int, error) {
	if s.Kind == Refund || !t.Covers(s.Kind) {
		return nil, 0, refused("kind", "propose a version whose scope names it", "crossings of kind %q are not in the scope of %s version %d", s.Kind, t.Doc.ID, t.Doc.Version)
	}
	b := t.book(s.Currency)
	if b == nil && s.Kind == Link && s.Currency.IsZero() {
		b = &t.books[0]
	}
	if b == nil {
		return nil, 0, refused("currency", "propose a version whose scope names it", "%s is not in the scope of %s version %d", s.Currency, t.Doc.ID, t.Doc.Version)
	}
	class, known := t.classes[s.Class]
	if !known {
		if t.listed && s.Kind != Link {
			return nil, 0, refused("class", "use one of the classes in its scope", "product class %.40q is not in the scope of %s version %d", s.Class, t.Doc.ID, t.Doc.Version)
		}
		class = len(t.classes)
	}
	if s.Gross < 0 || s.Freight < 0 || s.Tax < 0 || s.Volume < 0 || s.Gross > maxSale || s.Volume > maxSale || s.Freight > s.Gross || s.Tax > s.Gross {
		return nil, 0, &moongate.Error{
			Code: moongate.Malformed, Field: "amount",
			Message: fmt.Sprintf("no sale has gross %d, of it freight %d and tax %d, after a volume of %d", s.Gross, s.Freight, s.Tax, s.Volume),
			Hint:    fmt.Sprintf("amounts are zero or more, parts no larger than the whole, and none above %d minor units", int64(maxSale)),
		}
	}
	return b, class, nil
}

func (t *Terms) fill(dues []Due, b *book, s *Sale, class int) []Due {
	var amounts [maxLines]int64 // of the lines so far: later lines may be a part of them
	guard := t.guard(s)
	kind := s.Kind.index()
	for i := range t.fees {
		r := &t.fees[i]
		if !r.kinds[kind] || r.rateOf[class] == notFor || r.pool && !s.Touched {
			continue
		}
		amount := int64(0)
		base := s.base(r.base, &amounts)
		if base > 0 || r.base < 0 && s.Kind != Payment {
			amount = t.amount(r, &b.lines[i], base, class, s)
		}
		amount = guard.cut(r, amount)
		amounts[i] = amount
		dues = append(dues, Due{Line: i, From: r.from, To: r.to, Minor: amount, Pool: r.pool})
	}
	return dues
}

func (s *Sale) base(of int, amounts *[maxLines]int64) int64 {
	switch of {
	case baseGross:
		return s.Gross
	case baseNet:
		return s.Gross - s.Tax
	case baseFreightExcluded:
		return s.Gross - s.Freight
	}
	return amounts[of]
}

func (t *Terms) amount(r *feeRule, line *bookLine, base int64, class int, s *Sale) int64 {
	rate := &line.rates[r.rateOf[class]]
	var part int64
	switch {
	case r.marginal:
		part = t.marginal(line.steps, base, s.Gross, s.Volume)
	case r.volume:
		for i := range line.steps {
			if rate = &line.steps[i].rate; s.Volume < line.steps[i].below {
				break
			}
		}
		part = t.portion(rate.bps, base)
	default:
		part = t.portion(rate.bps, base)
	}
	return max(rate.min, min(part+rate.fixed, rate.max))
}

// portion is a rate of an amount. Amounts are bounded and rates at most 100 %, so it cannot overflow.
func (t *Terms) portion(bps money.BasisPoints, of int64) int64 {
	part, err := bps.Of(of, t.rounding)
	if err != nil {
		return of
	}
	return part
}

// marginal takes each part of a sale at the rate of the tier in which its gross lies, and rounds once: of a base that
// is less than the gross, each tier gets the same proportion.
func (t *Terms) marginal(steps []step, base, gross, volume int64) int64 {
	if gross == 0 {
		return 0
	}
	var weighted uint64 // basis points × gross: at most 10⁴·2⁵⁰, which fits
	from, to := volume, volume+gross
	for i := range steps {
		upper := min(to, steps[i].below)
		if i == len(steps)-1 {
			upper = to
		}
		if upper <= from {
			continue
		}
		weighted += uint64(upper-from) * uint64(steps[i].bps)
		from = upper
	}
	hi, lo := bits.Mul64(weighted, uint64(base))
	whole := uint64(gross) * uint64(money.Whole)
	quotient, rest := bits.Div64(hi, lo, whole) // weighted ≤ whole, so the quotient is at most base
	if t.rounding == money.HalfAway && rest >= whole-rest || t.rounding == money.AwayZero && rest > 0 {
		quotient++
	}
	return int64(quotient)
}

// guards are what is left to the beneficiary's floor and to each cap while a sale's lines are computed.
type guards struct {
	open  bool  // no floor holds
	spare int64 // what the beneficiary can still pay
	room  [maxCaps]int64
}

// maxCaps bounds the caps of one document; validation holds it.
const maxCaps = 16

func (t *Terms) guard(s *Sale) guards {
	g := guards{open: s.Kind != Payment, spare: s.Gross}
	if t.Doc.Guards == nil || s.Kind == Link {
		for i := range g.room {
			g.room[i] = maxSale
		}
		return g
	}
	for _, f := range t.Doc.Guards.Floors { // validation leaves at most one: the beneficiary's
		g.open = false
		floor, err := money.BasisPoints(f.BPS).Of(s.Gross, money.AwayZero)
		if err == nil {
			g.spare -= floor
		}
	}
	for i, c := range t.Doc.Guards.Caps {
		room, err := money.BasisPoints(c.BPS).Of(s.Gross, money.TowardZero)
		if err == nil {
			g.room[i] = room
		}
	}
	return g
}

// cut brings a line within what floor and cap leave, and takes it off.
func (g *guards) cut(r *feeRule, amount int64) int64 {
	if r.capped >= 0 {
		amount = min(amount, g.room[r.capped])
	}
	if r.fromEnd && !g.open {
		amount = max(0, min(amount, g.spare))
	}
	if r.capped >= 0 {
		g.room[r.capped] -= amount
	}
	switch {
	case r.fromEnd:
		g.spare -= amount
	case r.toEnd:
		g.spare += amount
	}
	return amount
}
