package pay_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// couponed is a payment of 100.00 of which a coupon bore some. The wallet's word comes as its connector would give it.
func (w *world) couponed(order string, payer, settled int64) (payment, attempt moongate.ID) {
	w.t.Helper()
	w.bent = true // the sandbox knows nothing of it
	payment, attempt = w.opened(order)
	e := &pay.Evidence{State: pay.Paid, WalletRef: "t-" + order, Amount: money.Of(10_000, money.CNY), PayerTotal: payer, PaidAt: w.now()}
	if settled != 10_000 {
		e.Settled = &settled
	}
	w.submit("", &pay.Told{Wallet: "crane-pay", Event: "TRANSACTION.SUCCESS", Order: attempt.String(), Payment: e})
	return payment, attempt
}

// What the shopper pays is not what was ordered, and need not be what the wallet owes: the books follow what it owes.
func TestCoupons(t *testing.T) {
	for _, c := range []struct {
		name           string
		payer, settled int64
	}{
		{"the wallet's", 7_000, 10_000},
		{"the merchant's", 7_000, 7_000},
		{"both", 5_000, 8_000},
		{"for the last fen", 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			id, _ := w.couponed("1001", c.payer, c.settled)
			w.stands(id, pay.Succeeded)
			if got := w.owed("crane-pay", ledger.Wallet); got != c.settled {
				t.Errorf("the wallet holds %d in the books, and owes %d", got, c.settled)
			}
			if o, ok := w.crossings.Lookup(w.payment(id).Crossing); !ok || o.Amount != c.settled {
				t.Errorf("%+v", o)
			}
		})
	}
}

// Refunds are counted in what was ordered; all of them together take from the merchants what the wallet owed, and no
// more, however they are cut and whichever fail.
func TestCouponRefunds(t *testing.T) {
	w, orders := newBareWorld(t, pay.Limits{}), 0
	rapid.Check(t, func(r *rapid.T) {
		orders++
		before := w.owed("crane-pay", ledger.Wallet)
		settled := rapid.Int64Range(100, 9_999).Draw(r, "settled")
		id, _ := w.couponed(fmt.Sprint("o-", orders), settled, settled)
		for n := 0; n < 30; n++ {
			p := w.payment(id)
			left := p.Amount.Minor - p.Reserved
			if left == 0 {
				break
			}
			amount := rapid.Int64Range(min(left, 200), left).Draw(r, "amount")
			a, err := w.do(replica.Request{Caller: "lotus-market", Command: &pay.Refund{Payment: id, Reference: fmt.Sprint("r-", orders, "-", n), Amount: amount}})
			if moongate.CodeOf(err) == moongate.Limit {
				continue // a sliver that only the coupon would bear
			}
			if err != nil {
				r.Fatal(err)
			}
			refund := a.(pay.RefundAnswer).Refund
			e := &pay.RefundEvidence{State: pay.RefundDone, Amount: money.Of(amount, money.CNY)}
			if rapid.IntRange(0, 4).Draw(r, "fails") == 0 {
				e.State = pay.RefundClosed
			}
			w.submit("", &pay.RefundReport{Refund: refund, Op: pay.OpRefund, Outcome: e})
		}
		p := w.payment(id)
		left := w.owed("crane-pay", ledger.Wallet) - before
		if p.Refunded == p.Amount.Minor && left != 0 || left < 0 || left != settled-p.ReservedCash {
			r.Errorf("%d of %d refunded; the wallet holds %d of %d, reserved %d", p.Refunded, p.Amount.Minor, left, settled, p.ReservedCash)
		}
	})
}

// A held payment that a coupon bore part of is divided by what the wallet owes.
func TestCouponHeld(t *testing.T) {
	w := newWorld(t)
	w.bent = true
	c := w.request("1001")
	c.Payees, c.Suspend = nil, "whose it is must be found out"
	id := w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	attempt := w.choose(id, "crane-pay")
	settled := int64(6_000)
	w.submit("", &pay.Told{Wallet: "crane-pay", Event: "TRANSACTION.SUCCESS", Order: attempt.String(), Payment: &pay.Evidence{
		State: pay.Paid, WalletRef: "t-1", Amount: money.Of(10_000, money.CNY), PayerTotal: 6_000, PaidAt: w.now(), Settled: &settled,
	}})
	w.stands(id, pay.Held)
	x := w.trouble(pay.TroubleUnclear)
	if x.Amount != money.Of(6_000, money.CNY) {
		t.Errorf("%+v", x)
	}
	w.submit("keeper", &pay.Resolve{Exception: x.Exception, Action: pay.Release, Note: "found out", Payees: []crossing.Payee{{Party: "tea-shop", Amount: 6_000}}})
	w.stands(id, pay.Succeeded)
	if p := w.payment(id); p.Coupon != 4_000 || w.owed("crane-pay", ledger.Wallet) != 6_000 {
		t.Errorf("%+v", p)
	}
}

// A wallet that says what it owes for an order of one sub-merchant, and not once more for the part, means the same: all of it can
// go back, and no more than it owes lies frozen.
func TestCouponOfTheOnlyPart(t *testing.T) {
	w := newPlatform(t, 3_000)
	w.bent = true
	id, attempt := w.opened("1001")
	settled := int64(9_000)
	part := w.attempt(attempt).Parts[0]
	w.submit("", &pay.Told{Wallet: "crane-pay", Event: "TRANSACTION.SUCCESS", Order: attempt.String(), Payment: &pay.Evidence{
		State: pay.Paid, WalletRef: "t-1", Amount: money.Of(10_000, money.CNY), PayerTotal: 9_000, PaidAt: w.now(), Settled: &settled,
		Parts: []pay.PartPaid{{Part: part, Account: "1900000201", Ref: "t-1", Amount: 10_000, PayerTotal: 9_000}},
	}})
	w.stands(id, pay.Succeeded)
	if p, _ := w.payments.Part(part); p.Coupon != 1_000 {
		t.Errorf("%+v", p)
	}
	for i, amount := range []int64{3_333, 6_667} {
		refund := w.submit("lotus-market", &pay.Refund{Payment: id, Reference: fmt.Sprint("r-", i), Amount: amount}).(pay.RefundAnswer).Refund
		w.submit("", &pay.RefundReport{Refund: refund, Op: pay.OpRefund, Outcome: &pay.RefundEvidence{State: pay.RefundDone, Amount: money.Of(amount, money.CNY)}})
	}
	if got := w.owed("crane-pay", ledger.Wallet); got != 0 || w.payment(id).Refunded != 10_000 {
		t.Errorf("the wallet holds %d: %+v", got, w.payment(id))
	}
}

// What a wallet says of the parts and of the whole adds up, or a person looks at it.
func TestPartsThatOweSomethingElse(t *testing.T) {
	w := newPlatform(t, 3_000)
	w.bent = true
	id, attempt := w.basket("1001")
	e := &pay.Evidence{State: pay.Paid, WalletRef: "t-1", Amount: money.Of(10_000, money.CNY), PayerTotal: 9_000, PaidAt: w.now()}
	for i, part := range w.attempt(attempt).Parts {
		p, _ := w.payments.Part(part)
		owed := p.Amount - int64(i)*1_000
		e.Parts = append(e.Parts, pay.PartPaid{Part: part, Account: p.Account, Ref: fmt.Sprint("p-", i), Amount: p.Amount, PayerTotal: owed, Settled: &owed})
	}
	w.submit("", &pay.Report{Attempt: attempt, Op: pay.OpQuery, Outcome: e})
	w.stands(id, pay.Held)
	w.trouble(pay.TroubleAmount)
}
