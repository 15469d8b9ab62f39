package pay

import (
	"math/bits"
	"slices"

	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
)

// A coupon that the wallet or another house pays for makes no difference here: the wallet owes the whole order. One that
// the merchant bears (免充值券) does: the wallet owes less than the order, and only that can be divided and given back. Orders
// and refunds are counted in what was ordered, crossings in what the wallet owes.

// owed is what the wallet owes for an order that it says was paid.
func (e *Evidence) owed() money.Amount {
	if e.Settled == nil || *e.Settled < 0 || *e.Settled > e.Amount.Minor {
		return e.Amount
	}
	return money.Of(*e.Settled, e.Amount.Currency)
}

// owes is what the wallet owes for the payment in all.
func (p *Payment) owes() int64 { return p.Amount.Minor - p.Coupon }

// cash is how much of a refund, counted in what was ordered, the wallet takes from the merchants' money: so much that all
// that is refunded then stands for its part of what the wallet owed. The refunds of a payment add up to that.
func (p *Payment) cash(amount int64) int64 {
	return max(part(p.Reserved+amount, p.owes(), p.Amount.Minor)-p.ReservedCash, 0)
}

// part is a·b/c rounded down, for 0 ≤ a, b ≤ c.
func part(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(q)
}

// scaled divides less among payees than they add up to, in proportion, by largest remainder. Freight and tax shrink with
// their parts; a part of nothing is left out.
func scaled(payees []crossing.Payee, total int64) ([]crossing.Payee, error) {
	all, err := scaledAll(payees, total)
	return paidOnly(all), err
}

// scaledAll is scaled with the parts of nothing.
func scaledAll(payees []crossing.Payee, total int64) ([]crossing.Payee, error) {
	if len(payees) == 0 {
		return nil, nil
	}
	weights := make([]int64, len(payees))
	for i := range payees {
		weights[i] = payees[i].Amount
	}
	parts, err := money.Allocate(total, weights)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(payees)
	for i := range out {
		p := &out[i]
		if parts[i] == 0 {
			p.Amount, p.Freight, p.Tax = 0, 0, 0
			continue
		}
		p.Freight, p.Tax, p.Amount = part(p.Freight, parts[i], p.Amount), part(p.Tax, parts[i], p.Amount), parts[i]
	}
	return out, nil
}

// paidOnly leaves out who gets nothing.
func paidOnly(payees []crossing.Payee) []crossing.Payee {
	return slices.DeleteFunc(payees, func(p crossing.Payee) bool { return p.Amount == 0 })
}
