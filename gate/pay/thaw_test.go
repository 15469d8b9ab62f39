package pay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// interleaved are all orders in which two things that each begin and end can happen: "a" and "A" are the beginning and the end of
// the one, "b" and "B" of the other.
var interleaved = []string{"aAbB", "abAB", "abBA", "bBaA", "baBA", "baAB"}

// plan has a payout planned, without a call to the wallet.
func (w *world) plan(no byte, to string, amount int64) pay.PayoutAnswer {
	w.t.Helper()
	return w.submit("", &pay.PlanPayout{No: instruction(no), Wallet: "crane-pay", To: to, Amount: money.Of(amount, money.CNY), Cap: 10_000}).(pay.PayoutAnswer)
}

// lastSplit is the split that was opened last.
func (w *world) lastSplit() moongate.ID { list := w.splitsOpened(); return list[len(list)-1] }

// endSplit and endRefund have the wallet say what became of one.
func (w *world) endSplit(id moongate.ID, done bool) {
	w.t.Helper()
	state := pay.SplitClosed
	if done {
		state = pay.SplitDone
	}
	w.submit("", &pay.SplitReport{Split: id, Op: pay.OpQuerySplit, State: state})
}

func (w *world) endRefund(id moongate.ID, done bool) {
	w.t.Helper()
	state := pay.RefundClosed
	if done {
		state = pay.RefundDone
	}
	w.submit("", &pay.RefundReport{Refund: id, Op: pay.OpQueryRefund, Outcome: &pay.RefundEvidence{State: state, Amount: w.refunding(id).Amount}})
}

// may sees that so much can be paid out to a participant, to the fen.
func (w *world) may(no byte, to string, amount int64) {
	w.t.Helper()
	if a := w.plan(no, to, amount+1); a.Open != 0 || a.Manual == "" {
		w.t.Errorf("%s is paid %d where %d are there: %+v", to, a.Open, amount, a)
	}
	if amount == 0 {
		return
	}
	if a := w.plan(no+1, to, amount); a.Open != amount {
		w.t.Errorf("%s is paid %d of %d: %+v", to, a.Open, amount, a)
	}
}

// However a part's release and a refund of it cross, what is left frozen of it is what neither took: nothing once it is released,
// and what others got of it before is never free for them again.
func TestRefundBesideRelease(t *testing.T) {
	for _, order := range interleaved {
		for ends := range 4 {
			released, refunded := ends&1 != 0, ends&2 != 0
			t.Run(fmt.Sprint(order, " released ", released, " refunded ", refunded), func(t *testing.T) {
				w := newPlatform(t, 3_000)
				w.bent = true // the wallet's word is made up
				w.submit("lotus-market", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: "lotus-market", Account: "1900000777"}})
				w.settle()
				id, _ := w.paidBasket("1001")
				w.paysOut(1, "lotus-market", 500)
				var split, refund moongate.ID
				for i, what := range order {
					switch what {
					case 'a':
						left := int64(5_700)
						if b := strings.IndexByte(order, 'b'); b < i && (refunded || strings.IndexByte(order, 'B') > i) {
							left -= 2_000
						}
						if a := w.plan(2, "tea-shop", left); a.Open != left {
							t.Fatalf("%+v", a)
						}
						split = w.lastSplit()
					case 'A':
						w.endSplit(split, released)
					case 'b':
						refund = w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 2_000, Payees: []crossing.Payee{{Party: "tea-shop", Amount: 2_000}}}).(pay.RefundAnswer).Refund
					case 'B':
						w.endRefund(refund, refunded)
					}
				}
				w.restart()
				want := int64(5_700)
				switch {
				case released:
					want = 0
				case refunded:
					want -= 2_000
				}
				w.may(10, "lotus-market", 0)
				w.may(12, "tea-shop", want)
			})
		}
	}
}

// The same of an order of one account of which a part is split off.
func TestRefundBesideSplit(t *testing.T) {
	for _, order := range interleaved {
		for ends := range 4 {
			split, refunded := ends&1 != 0, ends&2 != 0
			t.Run(fmt.Sprint(order, " split ", split, " refunded ", refunded), func(t *testing.T) {
				w := newSplittingWorld(t, 10_000)
				w.bent = true
				id, _ := w.paid("1001")
				var part, refund moongate.ID
				for _, what := range order {
					switch what {
					case 'a':
						if a := w.plan(2, "tea-shop", 4_000); a.Open != 4_000 {
							t.Fatalf("%+v", a)
						}
						part = w.lastSplit()
					case 'A':
						w.endSplit(part, split)
					case 'b':
						refund = w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 6_000}).(pay.RefundAnswer).Refund
						w.pass(0, 1)
					case 'B':
						w.endRefund(refund, refunded)
					}
				}
				want := int64(10_000)
				if split {
					want -= 4_000
				}
				if refunded {
					want -= 6_000
				}
				w.may(10, "tea-shop", want)
			})
		}
	}
}
