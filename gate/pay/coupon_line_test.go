package pay_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// basketOf is a random basket that a merchant's own coupon bore a part of, paid.
type basketOf struct {
	w       *world
	r       *rapid.T
	id      moongate.ID
	lines   []crossing.Payee
	left    []int64 // of each line, as ordered
	parts   bool
	settled int64
}

// newBasket has one paid. In parts, each seller's coupon is its own.
func newBasket(w *world, r *rapid.T, order string, parts bool) *basketOf {
	b := &basketOf{w: w, r: r, parts: parts}
	whole := map[string]int64{}
	c := w.request(order)
	c.Payees = nil
	for i := range rapid.IntRange(1, 6).Draw(r, "lines") {
		seller := rapid.SampledFrom([]string{"tea-shop", "book-shop"}).Draw(r, "seller")
		y := crossing.Payee{Party: seller, Amount: rapid.Int64Range(1, rapid.SampledFrom([]int64{3, 100, 20_000}).Draw(r, "size")).Draw(r, "amount")}
		y.Freight = rapid.Int64Range(0, y.Amount/4).Draw(r, "freight")
		y.Tax = rapid.Int64Range(0, y.Amount/4).Draw(r, "tax")
		if rapid.Bool().Draw(r, "classed") {
			y.Class = fmt.Sprint("class-", i%2)
		}
		c.Payees, b.left = append(c.Payees, y), append(b.left, y.Amount)
		whole[seller] += y.Amount
	}
	b.lines = c.Payees
	total := whole["tea-shop"] + whole["book-shop"]
	c.Amount = money.Of(total, money.CNY)
	if rapid.IntRange(0, 9).Draw(r, "unnamed") == 0 && !parts {
		c.Payees, c.From, c.To = nil, "lotus-market", "tea-shop"
		b.lines, b.left = []crossing.Payee{{Party: "tea-shop", Amount: total}}, []int64{total}
	}
	b.id = w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	attempt := w.choose(b.id, "crane-pay")
	e := &pay.Evidence{State: pay.Paid, WalletRef: "t-" + order, Amount: c.Amount, PaidAt: w.now()}
	if a := w.attempt(attempt); len(a.Parts) > 1 {
		for _, id := range a.Parts {
			p, _ := w.payments.Part(id)
			owed := rapid.Int64Range(1, p.Amount).Draw(r, "owed")
			said := pay.PartPaid{Part: id, Account: p.Account, Ref: "p-" + id.String(), Amount: p.Amount, PayerTotal: owed}
			if owed != p.Amount {
				said.Settled = &owed
			}
			e.Parts = append(e.Parts, said)
			b.settled += owed
		}
	} else {
		b.settled = rapid.Int64Range(1, total).Draw(r, "settled")
	}
	e.PayerTotal = b.settled
	if b.settled != total {
		e.Settled = &b.settled
	}
	w.submit("", &pay.Told{Wallet: "crane-pay", Event: "TRANSACTION.SUCCESS", Order: attempt.String(), Payment: e})
	if p := w.payment(b.id); p.Status != pay.Succeeded || p.Coupon != total-b.settled {
		r.Fatalf("%+v", p)
	}
	return b
}

// refund gives amounts of lines back, or, unnamed, an amount. It is false where the coupon alone would bear it.
func (b *basketOf) refund(ref string, amounts []int64, named bool, fails bool) bool {
	c := &pay.Refund{Payment: b.id, Reference: ref}
	for i, n := range amounts {
		if c.Amount += n; n > 0 && named {
			c.Payees = append(c.Payees, crossing.Payee{Party: b.lines[i].Party, Class: b.lines[i].Class, Amount: n})
		}
	}
	a, err := b.w.do(replica.Request{Caller: "lotus-market", Command: c})
	if moongate.CodeOf(err) == moongate.Limit && strings.Contains(err.Error(), "coupon alone") {
		if b.w.payment(b.id).Reserved+c.Amount == b.w.payment(b.id).Amount.Minor {
			b.r.Fatalf("all that is left cannot go back: %v", err)
		}
		return false
	}
	if err != nil {
		b.r.Fatalf("%+v of %+v: %v", c, b.lines, err)
	}
	e := &pay.RefundEvidence{State: pay.RefundDone, Amount: money.Of(c.Amount, money.CNY)}
	if fails {
		e.State = pay.RefundClosed
	}
	b.w.submit("", &pay.RefundReport{Refund: a.(pay.RefundAnswer).Refund, Op: pay.OpRefund, Outcome: e})
	return !fails
}

// taken checks that of every line no more went back than came, and never less than nothing, and that all is what the wallet gave.
func (b *basketOf) taken() (o crossing.Open) {
	o, _ = b.w.crossings.Lookup(b.w.payment(b.id).Crossing)
	sum := int64(0)
	for i, t := range o.Taken {
		y := o.Book.Payees[i]
		if sum += t.Amount; t.Amount < 0 || t.Amount > y.Amount || t.Freight < 0 || t.Freight > y.Freight || t.Tax < 0 || t.Tax > y.Tax {
			b.r.Errorf("of %+v %+v went back", y, t)
		}
	}
	p, at := b.w.payment(b.id), -1
	if sum != p.ReservedCash || sum > b.settled {
		b.r.Errorf("%d went back, and by the payment %d of %d", sum, p.ReservedCash, b.settled)
	}
	for i, l := range p.Lines {
		if l.Paid == 0 || len(p.Gone) == 0 {
			continue
		}
		if at++; at < len(o.Taken) { // never two fen off what stands for what was refunded of it
			if off := o.Taken[at].Amount*l.Ordered - l.Paid*p.Gone[i]; max(off, -off) >= 2*l.Ordered {
				b.r.Errorf("%d of %+v were refunded, and %d of it went back", p.Gone[i], l, o.Taken[at].Amount)
			}
		}
	}
	return o
}

// books are everybody's balances.
func (w *world) balances() map[string]int64 {
	all := map[string]int64{}
	for _, owner := range []string{"tea-shop", "book-shop", "lotus-market", "willow-reads", "crane-pay", ""} {
		for p := ledger.Purpose(1); p < 20; p++ {
			if n := w.owed(owner, p); n != 0 {
				all[fmt.Sprint(owner, " ", p)] = n
			}
		}
	}
	return all
}

// However a basket with the merchant's own coupon is cut into refunds, named or not, and whichever of them fail: in the end of
// every line exactly what was paid of it is given back, and every account stands as if nothing had been bought.
func TestCouponGoesBackToTheFen(t *testing.T) {
	plain, platform := newBareWorld(t, pay.Limits{}), &world{split: 3_000, subs: map[string]string{"tea-shop": "1900000201", "book-shop": "1900000202"}}
	platform.begin(t, pay.Limits{})
	platform.sellers()
	plain.bent, platform.bent = true, true
	orders := 0
	basket := func(r *rapid.T) {
		orders++
		parts := rapid.Bool().Draw(r, "parts")
		w := plain
		if parts {
			w = platform
		}
		before := w.balances()
		b := newBasket(w, r, fmt.Sprint("o-", orders), parts)
		sellers := []string{""} // of one order each seller gives back by itself, where it has parts
		if len(w.attempt(w.payment(b.id).Attempt).Parts) > 1 {
			sellers = []string{"tea-shop", "book-shop"}
		}
		for n := range rapid.IntRange(0, 12).Draw(r, "refunds") {
			seller := rapid.SampledFrom(sellers).Draw(r, "from")
			named := seller != "" || rapid.Bool().Draw(r, "named")
			fails := rapid.IntRange(0, 4).Draw(r, "fails") == 0
			amounts := make([]int64, len(b.lines))
			for i := range amounts {
				if (seller == "" || b.lines[i].Party == seller) && rapid.Bool().Draw(r, "line") && b.left[i] > 0 {
					amounts[i] = rapid.Int64Range(1, b.left[i]).Draw(r, "back")
				}
			}
			if sum(amounts) == 0 || !named && sum(amounts) == sum(b.left) {
				continue
			}
			if b.refund(fmt.Sprint("r-", orders, "-", n), amounts, named, fails) {
				if b.taken(); named {
					b.place(amounts)
				} else {
					b.split(amounts)
				}
				for i := range amounts {
					b.left[i] -= amounts[i]
				}
			}
		}
		for _, seller := range sellers {
			amounts := slices.Clone(b.left)
			for i := range amounts {
				if seller != "" && b.lines[i].Party != seller {
					amounts[i] = 0
				}
			}
			if sum(amounts) > 0 {
				b.refund(fmt.Sprint("r-", orders, "-last-", seller), amounts, seller != "" || rapid.Bool().Draw(r, "last named"), false)
			}
		}
		o := b.taken()
		for i, y := range o.Book.Payees {
			if i >= len(o.Taken) || o.Taken[i].Amount != y.Amount || o.Taken[i].Freight != y.Freight || o.Taken[i].Tax != y.Tax {
				r.Errorf("of %+v %+v went back", y, o.Taken)
			}
		}
		if p := w.payment(b.id); p.Refunded != p.Amount.Minor || p.ReservedCash != b.settled {
			r.Errorf("%+v", p)
		}
		if after := w.balances(); fmt.Sprint(after) != fmt.Sprint(before) {
			r.Errorf("before the basket %v, after all of it went back %v", before, after)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		for range 20 {
			basket(r)
		}
	})
}

func sum(list []int64) (all int64) {
	for _, n := range list {
		all += n
	}
	return all
}

// split divides what a refund that names nobody gave back as the hub does: among what is left of each line.
func (b *basketOf) split(amounts []int64) {
	parts, err := money.Allocate(sum(amounts), b.left)
	if err != nil {
		b.r.Fatal(err)
	}
	copy(amounts, parts)
}

// place puts what was named where the hub does: in the first line that the name fits, and that has so much left.
func (b *basketOf) place(amounts []int64) {
	placed := make([]int64, len(amounts))
	for i, n := range amounts {
		for j, y := range b.lines {
			if n > 0 && placed[j] == 0 && y.Party == b.lines[i].Party && (b.lines[i].Class == "" || y.Class == b.lines[i].Class) && n <= b.left[j] {
				placed[j] = n
				break
			}
		}
	}
	if sum(placed) != sum(amounts) {
		b.r.Fatalf("the model places %v of %v", placed, amounts)
	}
	copy(amounts, placed)
}

// Two sellers of 50 each, of whose basket the coupon bore one fen: the second refund needs the fen that the first has left over.
func TestCouponsLastFen(t *testing.T) {
	w := newWorld(t)
	w.bent = true
	c := w.twoSellers("1001", "crane-pay")
	c.Amount, c.Payees[0].Amount, c.Payees[1].Amount = money.Of(100, money.CNY), 50, 50
	id := w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	attempt, settled := w.choose(id, "crane-pay"), int64(99)
	w.submit("", &pay.Told{Wallet: "crane-pay", Event: "TRANSACTION.SUCCESS", Order: attempt.String(), Payment: &pay.Evidence{
		State: pay.Paid, WalletRef: "t-1", Amount: c.Amount, PayerTotal: 99, Settled: &settled, PaidAt: w.now(),
	}})
	back := func(ref, seller string, amount int64, payees ...crossing.Payee) *pay.Refund {
		return &pay.Refund{Payment: id, Reference: ref, Amount: amount, Payees: append(payees, crossing.Payee{Party: seller, Amount: amount})}
	}
	w.refuse("lotus-market", back("r-0", "tea-shop", 51), moongate.Limit, "tea-shop does not have 51 left")
	w.refuse("lotus-market", back("r-0", "tea-shop", 40, crossing.Payee{Party: "book-shop", Amount: 1}), moongate.Malformed, "they give 41 back, and the amount is 40")
	w.refuse("lotus-market", back("r-0", "tea-shop", 40, crossing.Payee{Party: "book-shop", Amount: -1}), moongate.Malformed, "above zero")
	w.refuse("lotus-market", back("r-0", "willow-reads", 40), moongate.Limit, "willow-reads does not have")
	taken := func() (list []int64) {
		o, _ := w.crossings.Lookup(w.payment(id).Crossing)
		for i := range o.Taken {
			list = append(list, o.Taken[i].Amount)
		}
		return list
	}
	for i, step := range []struct {
		seller string
		want   []int64
	}{{"tea-shop", []int64{49, 0}}, {"book-shop", []int64{50, 49}}} {
		refund := w.submit("lotus-market", back(fmt.Sprint("r-", i), step.seller, 50)).(pay.RefundAnswer).Refund
		if got := taken(); !slices.Equal(got, step.want) {
			t.Errorf("after %s: %v, want %v", step.seller, got, step.want)
		}
		w.restart()
		w.submit("", &pay.RefundReport{Refund: refund, Op: pay.OpRefund, Outcome: &pay.RefundEvidence{State: pay.RefundDone, Amount: money.Of(50, money.CNY)}})
	}
	if got := w.owed("crane-pay", ledger.Wallet); got != 0 || w.payment(id).Refunded != 100 {
		t.Errorf("the wallet holds %d", got)
	}
}

// What a shopper contests is divided among the lines too, and is free again of each when the merchant has won.
func TestCouponUnderDispute(t *testing.T) {
	w := newWorld(t)
	w.bent = true
	c := w.twoSellers("1001", "crane-pay")
	id := w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	attempt, settled := w.choose(id, "crane-pay"), int64(6_667)
	w.submit("", &pay.Told{Wallet: "crane-pay", Event: "TRANSACTION.SUCCESS", Order: attempt.String(), Payment: &pay.Evidence{
		State: pay.Paid, WalletRef: "t-1", Amount: c.Amount, PayerTotal: settled, Settled: &settled, PaidAt: w.now(),
	}})
	contest := func(no string, amount int64, state pay.DisputeState) {
		w.submit("", &pay.Told{Wallet: "crane-pay", Event: "dispute", Order: attempt.String(), Dispute: &pay.DisputeEvidence{
			Number: no, State: state, Amount: money.Of(amount, money.CNY), Reason: "not as described",
		}})
	}
	contest("d-1", 5_001, pay.DisputeOpen)
	if p := w.payment(id); len(p.Gone) != 2 || sum(p.Gone) != 5_001 {
		t.Errorf("%+v", p.Gone)
	}
	w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-0", Amount: 4_000, Payees: []crossing.Payee{{Party: "book-shop", Amount: 4_000}}}, moongate.Limit, "book-shop does not have 4000 left")
	contest("d-1", 5_001, pay.DisputeWon)
	if p := w.payment(id); sum(p.Gone) != 0 {
		t.Errorf("%+v", p.Gone)
	}
	contest("d-2", 1_000, pay.DisputeOpen)
	contest("d-2", 1_000, pay.DisputeLost)
	p := w.payment(id)
	for i, l := range p.Lines {
		refund := w.submit("lotus-market", &pay.Refund{
			Payment: id, Reference: fmt.Sprint("r-", i+1), Amount: l.Ordered - p.Gone[i], Payees: []crossing.Payee{{Party: l.Party, Amount: l.Ordered - p.Gone[i]}},
		}).(pay.RefundAnswer).Refund
		w.submit("", &pay.RefundReport{Refund: refund, Op: pay.OpRefund, Outcome: &pay.RefundEvidence{State: pay.RefundDone, Amount: money.Of(l.Ordered-p.Gone[i], money.CNY)}})
	}
	if got := w.owed("crane-pay", ledger.Wallet); got != 0 || w.payment(id).Refunded != 10_000 {
		t.Errorf("the wallet holds %d of %+v", got, w.payment(id))
	}
}
