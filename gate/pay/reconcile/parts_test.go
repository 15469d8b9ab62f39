package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/money"
)

// A combined order stands in its wallet's bill by its parts, each under a number of its own: each is ours, and one that the bill
// leaves out is missed.
func TestCombinedOrderInABill(t *testing.T) {
	w := newWorld(t)
	for i, seller := range []string{"tea-shop", "book-shop"} {
		w.submit(seller, &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: seller, Account: fmt.Sprint("190000020", i), Sub: true}})
	}
	moves := w.basket(6_000, 4_000)
	left := w.basket(500, 300)
	w.morning()
	bill := w.take(append(moves, left[0]))
	rows, list := w.differences()
	if len(rows) != 1 || rows[0].Ours != 300 || bill.Rows != 3 {
		t.Errorf("%+v: %v", bill, list)
	}
	w.rebuilt()
}

// basket is a payment to two sellers that was paid together.
func (w *world) basket(amounts ...int64) (moves []*move) {
	w.t.Helper()
	w.orders++
	sum := amounts[0] + amounts[1]
	answer := w.submit("lotus-market", &pay.Create{
		Order: fmt.Sprint("ORDER-", w.orders), From: "lotus-market", To: "tea-shop", Agreement: w.terms, Amount: money.Of(sum, money.CNY), Title: "Tea and a book",
		Payees:  []crossing.Payee{{Party: "tea-shop", Amount: amounts[0]}, {Party: "book-shop", Amount: amounts[1]}},
		Wallets: []string{"crane-pay"},
	}).(pay.PaymentAnswer)
	attempt := w.submit("lotus-market", &pay.ChooseWallet{Payment: answer.Payment, Wallet: "crane-pay"}).(pay.WalletAnswer).Attempt
	a, _ := w.payments.Attempt(attempt)
	e := &pay.Evidence{State: pay.Paid, WalletRef: "42", Amount: money.Of(sum, money.CNY), PayerTotal: sum, PaidAt: w.now, Said: "SUCCESS"}
	for i, id := range a.Parts {
		part, _ := w.payments.Part(id)
		m := &move{no: id.String(), order: id.String(), ref: fmt.Sprintf("42%025d%d", w.orders, i), at: w.now, amount: part.Amount, fee: (part.Amount*60 + 5000) / 10_000, state: "SUCCESS"}
		m.orderRef = m.ref
		moves = append(moves, m)
		e.Parts = append(e.Parts, pay.PartPaid{Part: id, Account: part.Account, Ref: m.ref, Amount: part.Amount, PayerTotal: part.Amount})
	}
	w.submit("", &pay.Report{Attempt: attempt, Op: pay.OpQuery, Outcome: e})
	w.now++
	return moves
}

// The wallet's fee of each part is held against the terms' of what its seller was paid, as that of an order for one is: too much
// of one part and too little of another are two differences, though the sum of both is right.
func TestFeesOfPartsInABill(t *testing.T) {
	w := newWorld(t)
	for i, seller := range []string{"tea-shop", "book-shop"} {
		w.submit(seller, &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: seller, Account: fmt.Sprint("190000020", i), Sub: true}})
	}
	right := w.basket(6_000, 4_000)
	shifted := w.basket(8_000, 2_000)
	shifted[0].fee += 7
	shifted[1].fee -= 7
	free := w.basket(5_000, 5_000)
	free[1].fee = 0
	w.morning()
	bill := w.take(slices.Concat(right, shifted, free))
	rows, list := w.differences()
	if len(rows) != 3 || bill.Matched != 3 {
		t.Fatalf("%+v: %v", bill, list)
	}
	for _, want := range []struct {
		no         string
		fee, terms int64
		seller     string
	}{{shifted[0].no, 55_000, 48, "tea-shop"}, {shifted[1].no, 5_000, 12, "book-shop"}, {free[1].no, 0, 30, "book-shop"}} {
		i := slices.IndexFunc(rows, func(r reconcile.DifferenceRow) bool { return r.Number == want.no })
		if i < 0 || rows[i].Class != reconcile.Fee || rows[i].Fee != want.fee || rows[i].Terms != want.terms || rows[i].Payment.IsZero() || !strings.Contains(rows[i].Facts, want.seller+"'s part") {
			t.Errorf("%+v; want %+v", rows, want)
		}
	}
	for _, s := range bill.Sums {
		if s.Untold != 0 || s.Terms != 36+24+48+12+30+30 {
			t.Errorf("%+v", s)
		}
	}
	w.rebuilt()
}

// What came back of the fee with the refund of a part is held against the terms too.
func TestFeesOfPartsThatWentBack(t *testing.T) {
	w := newWorld(t)
	for i, seller := range []string{"tea-shop", "book-shop"} {
		w.submit(seller, &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: seller, Account: fmt.Sprint("190000020", i), Sub: true}})
	}
	moves := w.basket(6_000, 4_000)
	part, _ := moongate.ParseID(moves[0].no)
	p, _ := w.payments.Part(part)
	a, _ := w.payments.Attempt(p.Attempt)
	for i, short := range []int64{0, 5} {
		answer := w.submit("lotus-market", &pay.Refund{
			Payment: a.Payment, Reference: fmt.Sprint("RETURN-", i), Amount: 2_000, Payees: []crossing.Payee{{Party: "tea-shop", Amount: 2_000}},
		}).(pay.RefundAnswer)
		m := &move{no: answer.Refund.String(), order: moves[0].no, ref: fmt.Sprintf("50%026d", i), orderRef: moves[0].ref, at: w.now, amount: -2_000, fee: -12 + short, state: "SUCCESS"}
		w.returned(answer.Refund, m)
		moves = append(moves, m)
	}
	w.morning()
	bill := w.take(moves)
	rows, list := w.differences()
	if len(rows) != 1 || rows[0].Class != reconcile.Fee || rows[0].Number != moves[3].no || rows[0].Terms != -12 || rows[0].Fee != -7_000 {
		t.Errorf("%+v: %v %+v", bill, list, rows)
	}
}
