package pay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/party"
)

func receiver(wallet, who, account string, sub bool) *pay.SetReceiver {
	return &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: wallet, Participant: who, Account: account, Sub: sub}}
}

// The number of a participant at a wallet is set, changed and removed by itself or an operator, and by nobody else.
func TestReceiversAreSetChangedAndRemoved(t *testing.T) {
	w := newPlatform(t, 3_000)
	at := func() string {
		list := ""
		w.machine.Read(func() {
			for _, r := range w.payments.Receivers("tea-shop") {
				list += fmt.Sprint(r.Wallet, " ", r.Account, " ", r.Sub, " ", r.Admitted, ";")
			}
		})
		return list
	}
	remove := &pay.RemoveReceiver{Wallet: "crane-pay", Participant: "tea-shop"}
	if got := at(); got != "carp-pay 1900000201 true true;crane-pay 1900000201 true true;" {
		t.Error(got)
	}
	w.submit("keeper", receiver("crane-pay", "tea-shop", "1900000209", true))
	w.settle()
	if got := at(); got != "carp-pay 1900000201 true true;crane-pay 1900000209 true true;" {
		t.Errorf("changed: %s", got)
	}
	w.refuse("book-shop", remove, moongate.Forbidden, "somebody else")
	w.refuse("lotus-market", receiver("crane-pay", "tea-shop", "1", true), moongate.Forbidden, "somebody else")
	w.submit("tea-shop", remove)
	if got := at(); got != "carp-pay 1900000201 true true;" {
		t.Errorf("removed: %s", got)
	}
	w.refuse("tea-shop", remove, moongate.NotFound, "no account")
	w.submit("keeper", receiver("crane-pay", "tea-shop", "1900000201", true))
	w.submit("keeper", remove) // while the wallet is still being told of it
	w.settle()
	if got := at(); got != "carp-pay 1900000201 true true;" {
		t.Errorf("removed before the wallet had answered: %s", got)
	}
	w.submit("keeper", &party.Suspend{Handle: "tea-shop", Reason: "audit"})
	w.submit("keeper", &pay.RemoveReceiver{Wallet: "carp-pay", Participant: "tea-shop"})
	w.restart()
	if got := at(); got != "" {
		t.Errorf("after a restart: %s", got)
	}
}

// What was paid stays with the number that it was paid to: an order that waits, a refund, the market's share of it, the share's
// way back and the seller's own money all go on there after the number was changed, taken away, or has become another kind.
func TestChangedNumberLeavesPaidPartsAlone(t *testing.T) {
	for name, change := range map[string]func(*world){
		"changed": func(w *world) { w.submit("keeper", receiver("crane-pay", "tea-shop", "1900000202", true)) }, // book-shop's
		"removed": func(w *world) { w.submit("keeper", &pay.RemoveReceiver{Wallet: "crane-pay", Participant: "tea-shop"}) },
		"no sub-merchant any more": func(w *world) {
			w.submit("keeper", receiver("crane-pay", "tea-shop", "1900000555", false))
		},
		"never admitted": func(w *world) {
			w.submit("keeper", receiver("crane-pay", "tea-shop", "1900000000", false))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPlatform(t, 3_000)
			w.submit("lotus-market", receiver("crane-pay", "lotus-market", "1900000777", false))
			w.settle()
			id, _ := w.paidBasket("1001")
			waiting, order := w.basket("1002")
			change(w)
			w.settle()
			w.restart()

			// The shopper pays an order that was opened before.
			w.approve("crane-pay", order)
			w.pass(10*time.Second, time.Second)
			w.stands(waiting, pay.Succeeded)
			if got := w.bySub("crane-pay"); got["1900000201"] != 12_000 || got["1900000202"] != 8_000 {
				t.Errorf("paid: %v", got)
			}
			for _, payment := range []moongate.ID{id, waiting} {
				w.machine.Read(func() {
					for i, part := range w.attempt2(w.payment(payment).Attempt).Parts {
						if p, _ := w.payments.Part(part); p.Account != fmt.Sprint("190000020", i+1) {
							t.Errorf("a part's number has become %s", p.Account)
						}
					}
				})
			}
			// The market has its share of both out, and some of it comes back for a refund.
			w.paysOut(1, "lotus-market", 1_000)
			w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 6_000, Payees: []crossing.Payee{{Party: "tea-shop", Amount: 6_000}}})
			w.pass(5*time.Minute, 5*time.Second)
			if p := w.payment(id); p.Refunded != 6_000 {
				t.Errorf("refunded: %+v", p)
			}
			if got := w.bySub("crane-pay"); got["1900000201"] != 6_000 || got["1900000202"] != 8_000 {
				t.Errorf("after the refund: %v", got)
			}
			// What is the seller's own of the other order is released where it lies.
			w.paysOut(2, "tea-shop", 5_700)
			w.paysOut(3, "book-shop", 7_600)
			if open := w.troubles(); len(open) != 0 {
				t.Errorf("%+v", open)
			}
		})
	}
}

// A new number is for what is paid from then on; a seller without one cannot be paid beside one that has one.
func TestChangedNumberCountsForNewOrders(t *testing.T) {
	w := newPlatform(t, 3_000)
	w.paid("1001")
	w.submit("tea-shop", receiver("crane-pay", "tea-shop", "1900000202", true))
	w.settle()
	w.paid("1002")
	if got := w.bySub("crane-pay"); got["1900000201"] != 10_000 || got["1900000202"] != 10_000 {
		t.Errorf("%v", got)
	}
	w.submit("tea-shop", &pay.RemoveReceiver{Wallet: "crane-pay", Participant: "tea-shop"})
	c := w.twoSellers("1003", "crane-pay")
	w.refuse("lotus-market", c, moongate.Refused, "tea-shop has no sub-merchant's account at crane-pay")
}

// A machine that was restored from a snapshot pays out of the parts of an order in the same order as one that ran on: the splits'
// numbers, and so the state, are the same on both.
func TestRestoredMachineSplitsPartsInTheSameOrder(t *testing.T) {
	w := newPlatform(t, 3_000)
	w.submit("lotus-market", receiver("crane-pay", "lotus-market", "1900000777", false))
	w.settle()
	for i := range 6 {
		w.paidBasket(fmt.Sprint("100", i))
	}
	w.restart()
	w.paysOut(1, "lotus-market", 2_900)
	w.alike()
}
