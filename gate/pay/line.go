package pay

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
)

// Of a payment that the merchant's own coupon bore a part of, each payee was ordered an amount and paid less: a line. A refund is
// counted in what was ordered, and takes from the merchants' money what the wallet does: so much that all that was refunded then
// stands for its part of what the wallet owed, rounded down. That is divided among the lines so that each has given back what
// stands for what was refunded of it, by largest remainder over what is left: so the last refund finds exactly what it needs,
// whatever came before and whichever failed, and of no line more is taken than it was paid.

// Line is one payee's part of such a payment.
type Line struct {
	Party   string `cbor:"1,keyasint"`
	Class   string `cbor:"2,keyasint,omitempty"`
	Ordered int64  `cbor:"3,keyasint"`
	Paid    int64  `cbor:"4,keyasint,omitempty"` // what the wallet owes of it; the crossing has no payee for a line of nothing
}

// linesOf are the lines of a payment of so much, as its crossing divided what the wallet owes for it: by what the payment had
// ordered of whom, and in proportion where it did not say. None where the wallet owes all of it.
func (s *State) linesOf(p *Payment, a *Attempt, amount int64, recorded *crossing.Recorded) []Line {
	if recorded.Amount == amount {
		return nil
	}
	paid := recorded.Book.Payees
	if lines := s.orderedLines(p, a, amount, recorded.Amount); fitsLines(lines, paid) {
		return lines
	}
	weights := make([]int64, len(paid))
	for i := range paid {
		weights[i] = paid[i].Amount
	}
	ordered, err := money.Allocate(amount, weights)
	if err != nil {
		return nil
	}
	lines := make([]Line, len(paid))
	for i := range paid {
		lines[i] = Line{paid[i].Party, paid[i].Class, ordered[i], paid[i].Amount}
	}
	return lines
}

// orderedLines divides what the wallet owes as the crossing was divided. It knows not how where less was captured than was
// authorised.
func (s *State) orderedLines(p *Payment, a *Attempt, amount, owed int64) []Line {
	if amount != p.Amount.Minor {
		return nil
	}
	ordered, paid, err := s.owedBy(p.Payees, a, owed)
	if err != nil {
		return nil
	}
	lines := make([]Line, len(ordered))
	for i := range ordered {
		lines[i] = Line{ordered[i].Party, ordered[i].Class, ordered[i].Amount, paid[i].Amount}
	}
	return lines
}

// fitsLines tells whether lines are what a crossing has divided.
func fitsLines(lines []Line, paid []crossing.Sold) bool {
	at := 0
	for i := range lines {
		if lines[i].Paid == 0 {
			continue
		}
		if at == len(paid) || paid[at].Party != lines[i].Party || paid[at].Amount != lines[i].Paid {
			return false
		}
		at++
	}
	return at > 0 && at == len(paid)
}

// reversal is the crossing by which so much of a payment goes back, and how much of each line that is, as ordered: from one seller
// alone where that is named.
func (s *State) reversal(p *Payment, seller string, named []crossing.Payee, amount, cash int64) (crossing.Passage, []int64, error) {
	passage := crossing.Passage{Kind: crossing.Refund, Reverses: p.Crossing, Currency: p.Amount.Currency, Amount: cash, Payees: slices.Clone(named), Pending: true}
	if len(p.Lines) == 0 {
		var err error
		if cash != amount { // it was paid when lines were not kept yet
			passage.Payees, err = scaled(named, cash)
		}
		return passage, nil, err
	}
	r, err := s.byLine(p, seller, named, amount, cash)
	passage.Payees, passage.ByLine = r.payees, true
	return passage, r.ordered, err
}

// lineRefund is how a refund is divided.
type lineRefund struct {
	ordered []int64          // of each line, as ordered
	payees  []crossing.Payee // of each payee of the crossing, in cash
}

// byLine divides a refund of so much, which takes so much cash, among a payment's lines, of one seller alone where that is named.
// Named say of whom how much goes back; where none is, it is in proportion to what is left of each.
func (s *State) byLine(p *Payment, seller string, named []crossing.Payee, amount, cash int64) (r lineRefund, err error) {
	if err := checkNamed(named, amount); err != nil {
		return r, err
	}
	r.ordered = make([]int64, len(p.Lines))
	said := make([]crossing.Payee, len(p.Lines))
	left := func(i int) int64 {
		if seller != "" && p.Lines[i].Party != seller {
			return 0
		}
		return p.Lines[i].Ordered - p.gone(i)
	}
	for j, y := range named {
		i := 0
		for i < len(p.Lines) && (p.Lines[i].Party != y.Party || y.Class != "" && y.Class != p.Lines[i].Class || r.ordered[i] > 0 || y.Amount > left(i)) {
			i++
		}
		if i == len(p.Lines) {
			return r, &moongate.Error{
				Code: moongate.Limit, Field: fmt.Sprintf("payees/%d/amount", j), Message: fmt.Sprintf("%s does not have %d left of this payment", y.Party, y.Amount),
				Hint: "refund less, or say from whom the rest is taken",
			}
		}
		r.ordered[i], said[i] = y.Amount, y
	}
	if len(named) == 0 {
		weights := make([]int64, len(p.Lines))
		for i := range weights {
			weights[i] = left(i)
		}
		if r.ordered, err = money.Allocate(amount, weights); err != nil {
			return r, err
		}
	}
	o, _ := s.crossings.Lookup(p.Crossing)
	list := p.shares(&o, seller, r.ordered)
	settleShares(list, cash)
	r.payees = make([]crossing.Payee, len(o.Book.Payees))
	for i := range r.payees {
		r.payees[i] = crossing.Payee{Party: o.Book.Payees[i].Party}
	}
	for _, x := range list {
		if r.payees[x.payee], err = x.payeeOf(&o, &said[x.line]); err != nil {
			return r, err
		}
	}
	return r, nil
}

// checkNamed sees that those from whom a refund is taken make sense, and add up to it.
func checkNamed(named []crossing.Payee, amount int64) error {
	sum := int64(0)
	for i, y := range named {
		if y.Amount < 1 || y.Amount > maxMinor || y.Freight < 0 || y.Freight > y.Amount || y.Tax < 0 || y.Tax > y.Amount {
			return malformed(fmt.Sprintf("payees/%d/amount", i), fmt.Sprintf("%d, of it freight %d and tax %d, cannot be", y.Amount, y.Freight, y.Tax), "parts are no larger than the whole, and that is above zero")
		}
		sum += y.Amount
	}
	if len(named) > 0 && sum != amount {
		return malformed("payees", fmt.Sprintf("they give %d back, and the amount is %d", sum, amount), "the payees' amounts add up to the amount")
	}
	return nil
}

// payeeOf is what is taken of a payee of the crossing. Freight and tax that were named shrink with what was named of it, what was
// not goes in proportion; and never is some of them left without the amount that they are a part of.
func (x *lineShare) payeeOf(o *crossing.Open, said *crossing.Payee) (crossing.Payee, error) {
	left := o.Book.Payees[x.payee].Payee
	if x.payee < len(o.Taken) {
		t := &o.Taken[x.payee]
		left.Amount, left.Freight, left.Tax = left.Amount-t.Amount, left.Freight-t.Freight, left.Tax-t.Tax
	}
	y := crossing.Payee{Party: left.Party, Amount: x.take}
	if x.take == 0 {
		return y, nil
	}
	portion := func(named, whole int64, goods bool) (int64, error) {
		switch n := max(x.take, said.Amount); {
		case said.Amount > 0 && (named > 0 || goods):
			named = part(named, x.take, n)
		default:
			parts, err := money.Allocate(x.take, []int64{left.Amount - whole, whole})
			if err != nil {
				return 0, err
			}
			named = parts[1]
		}
		return min(max(named, whole-(left.Amount-x.take)), whole, x.take), nil
	}
	var err error
	if y.Freight, err = portion(said.Freight, left.Freight, true); err == nil { // what is named is goods first
		y.Tax, err = portion(said.Tax, left.Tax, false)
	}
	return y, err
}

// gone is how much of a line was refunded or is under way, as ordered.
func (p *Payment) gone(i int) int64 {
	if i < len(p.Gone) {
		return p.Gone[i]
	}
	return 0
}

// takeLines counts a refund's division among a payment's lines, or takes it back.
func (p *Payment) takeLines(ordered []int64, by int64) {
	if len(ordered) == 0 || len(ordered) != len(p.Lines) {
		return
	}
	gone := make([]int64, len(p.Lines))
	for i := range gone {
		gone[i] = p.gone(i) + by*ordered[i]
	}
	p.Gone = gone
}

// lineShare is what a refund takes of one line: what should be taken is whole + rest/of, which may be less than nothing.
type lineShare struct {
	line, payee int   // among the payment's lines, and among the crossing's payees
	whole       int64 // rounded down
	rest, of    uint64
	left        int64 // cash that it has left
	take        int64
}

// shares says of each line that was paid what should be taken, so that in all it has given back what stands for what was refunded
// of it.
func (p *Payment) shares(o *crossing.Open, seller string, ordered []int64) (list []lineShare) {
	payee := -1
	for i, l := range p.Lines {
		if l.Paid == 0 {
			continue
		}
		if payee++; payee >= len(o.Book.Payees) || seller != "" && l.Party != seller {
			continue
		}
		taken := int64(0)
		if payee < len(o.Taken) {
			taken = o.Taken[payee].Amount
		}
		hi, lo := bits.Mul64(uint64(l.Paid), uint64(p.gone(i)+ordered[i])) // neither is above what was ordered
		whole, rest := bits.Div64(hi, lo, uint64(l.Ordered))
		list = append(list, lineShare{line: i, payee: payee, whole: int64(whole) - taken, rest: rest, of: uint64(l.Ordered), left: l.Paid - taken})
	}
	return list
}

// settleShares takes so much in all: of each line what should be taken, rounded down, and what is then missing or too much one by
// one where most is missing, or least.
func settleShares(list []lineShare, cash int64) {
	for i := range list {
		list[i].take = min(max(list[i].whole, 0), list[i].left)
		cash -= list[i].take
	}
	for cash != 0 {
		at := -1
		for i := range list {
			x := &list[i]
			switch {
			case cash > 0 && x.take < x.left && (at < 0 || list[at].misses(x)):
				at = i
			case cash < 0 && x.take > 0 && (at < 0 || x.misses(&list[at])):
				at = i
			}
		}
		switch {
		case at < 0:
			return // there is no more: the crossing refuses it
		case cash > 0:
			list[at].take++
			cash--
		default:
			list[at].take--
			cash++
		}
	}
}

// misses tells whether less is missing of a line than of another.
func (x *lineShare) misses(y *lineShare) bool {
	if a, b := x.whole-x.take, y.whole-y.take; a != b {
		return a < b
	}
	ahi, alo := bits.Mul64(x.rest, y.of)
	bhi, blo := bits.Mul64(y.rest, x.of)
	return ahi < bhi || ahi == bhi && alo < blo
}
