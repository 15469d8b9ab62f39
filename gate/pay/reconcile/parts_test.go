package reconcile_test

import (
	"fmt"
	"testing"

	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// A combined order stands in its wallet's bill by its parts, each under a number of its own: each is ours, and one that the bill
// leaves out is missed.
func TestCombinedOrderInABill(t *testing.T) {
	w := newWorld(t)
	for i, seller := range []string{"tea-shop", "lotus-market"} {
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
		Payees:  []crossing.Payee{{Party: "tea-shop", Amount: amounts[0]}, {Party: "lotus-market", Amount: amounts[1]}},
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
