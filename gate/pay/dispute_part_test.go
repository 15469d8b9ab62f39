package pay_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// partOf is a seller's part of an order.
func (w *world) partOf(attempt moongate.ID, seller string) (part pay.Part) {
	w.machine.Read(func() {
		for _, id := range w.attempt2(attempt).Parts {
			if p, ok := w.payments.Part(id); ok && p.Party == seller {
				part = p
			}
		}
	})
	return part
}

func backFrom(id moongate.ID, ref, seller string, amount int64) *pay.Refund {
	return &pay.Refund{Payment: id, Reference: ref, Amount: amount, Payees: []crossing.Payee{{Party: seller, Amount: amount}}}
}

// What is contested of an order for several sellers each of them bears by what is left of its part, and a part that the wallet
// names bears all of it: no refund of a part takes it a second time, and none that it does not touch is refused.
func TestDisputeOfParts(t *testing.T) {
	for _, c := range []struct {
		name, of    string
		amount      int64
		tea, book   int64 // what can still be refunded of each, of 60.00 and 30.00
		teaB, bookB int64 // what each has borne when it is lost, of its own money
	}{
		{"the whole order", "", 5_000, 6_000 - 3_333, 3_000 - 1_667, 3_333, 1_667},
		{"all that is left", "", 10_000, 0, 0, 6_000, 3_000},
		{"one part", "tea-shop", 5_000, 1_000, 3_000, 5_000, 0},
		{"more than one part", "book-shop", 5_000, 6_000, 0, 0, 3_000},
	} {
		for _, end := range []pay.DisputeState{pay.DisputeOpen, pay.DisputeWon, pay.DisputeLost} {
			t.Run(c.name+" "+string(end), func(t *testing.T) {
				w := newPlatform(t, 3_000)
				w.bent = true // the sandbox knows nothing of disputes
				id, attempt := w.paidBasket("1001")
				w.submit("lotus-market", backFrom(id, "r-1", "book-shop", 1_000))
				w.pass(2*time.Minute, 5*time.Second)
				order := attempt
				if c.of != "" {
					order = w.partOf(attempt, c.of).Part
				}
				w.dispute(order, pay.DisputeOpen, c.amount)
				w.restart()
				if end != pay.DisputeOpen {
					w.dispute(order, end, c.amount)
				}
				tea, book := c.tea, c.book
				if end == pay.DisputeWon {
					tea, book = 6_000, 3_000
				}
				if end == pay.DisputeLost {
					if got := w.owed("crane-pay", ledger.Wallet); got != 9_000-c.teaB-c.bookB || w.payment(id).Refunded != 1_000+c.teaB+c.bookB {
						t.Errorf("the books say %d: %+v", got, w.payment(id))
					}
				}
				w.refuse("lotus-market", backFrom(id, "r-2", "tea-shop", tea+1), moongate.Limit, "can still be refunded")
				w.refuse("lotus-market", backFrom(id, "r-3", "book-shop", book+1), moongate.Limit, "can still be refunded")
				for seller, left := range map[string]int64{"tea-shop": tea, "book-shop": book} {
					if left > 0 {
						w.submit("lotus-market", backFrom(id, "r-"+seller, seller, left))
					}
					if p := w.partOf(attempt, seller); p.Reserved != p.Amount {
						t.Errorf("%+v", p)
					}
				}
			})
		}
	}
}

// What is contested of a part is not paid out to anybody while nobody knows whose it is.
func TestContestedIsNotPaidOut(t *testing.T) {
	for _, c := range []struct {
		end  pay.DisputeState
		left int64
	}{{pay.DisputeOpen, 3_700}, {pay.DisputeReview, 3_700}, {pay.DisputeWon, 5_700}, {pay.DisputeLost, 3_700}} {
		t.Run(string(c.end), func(t *testing.T) {
			w := newPlatform(t, 3_000)
			w.bent = true
			w.submit("lotus-market", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: "crane-pay", Participant: "lotus-market", Account: "1900000777"}})
			w.settle()
			_, attempt := w.paidBasket("1001")
			w.paysOut(1, "lotus-market", 500)
			part := w.partOf(attempt, "tea-shop").Part
			w.dispute(part, pay.DisputeOpen, 2_000)
			w.dispute(part, c.end, 2_000)
			w.may(10, "lotus-market", 0)
			w.may(12, "tea-shop", c.left)
		})
	}
}

// basketOf pays an order for two sellers, of goods of which a seller may have sold several.
func (w *world) basketOf(r *rapid.T) (payment, attempt moongate.ID) {
	c := w.request("1001")
	c.Payees, c.Amount.Minor = nil, 0
	for _, seller := range []string{"tea-shop", "tea-shop", "book-shop"} {
		y := crossing.Payee{Party: seller, Amount: int64(rapid.IntRange(1, 5_000).Draw(r, "ordered"))}
		c.Payees = append(c.Payees, y)
		c.Amount.Minor += y.Amount
	}
	payment = w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	attempt = w.choose(payment, "crane-pay")
	w.settle()
	w.approve("crane-pay", attempt)
	w.pass(10*time.Second, time.Second)
	return payment, attempt
}

// However refunds, disputes and payouts of an order for several sellers cross, and whatever the wallet says of them: of each part
// no more is refunded and contested than was paid, nothing is split off that is not there, nor of a seller's own for others, and
// in the end what is left of each part, and no more, can go back.
func TestPartsGiveNoMoreThanWasPaid(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := &world{split: 3_000, subs: map[string]string{"tea-shop": "1900000201", "book-shop": "1900000202"}, bent: true}
		w.begin(r, pay.Limits{})
		w.sellers()
		w.paidPlatform()
		payment, attempt := w.basketOf(r)
		w.stands(payment, pay.Succeeded)
		sellers := []string{"tea-shop", "book-shop"}
		var open []func(done bool)                                                                              // what is under way, and how the wallet ends it
		if there := w.there(250, "lotus-market"); there > 0 && rapid.IntRange(0, 3).Draw(r, "commission") > 0 { // else no seller is ever paid
			before := w.splitsOpened()
			w.plan(251, "lotus-market", there)
			for _, id := range w.splitsOpened()[len(before):] {
				w.endSplit(id, true)
			}
		}
		for n := range rapid.IntRange(10, 40).Draw(r, "length") {
			amount, seller := int64(rapid.IntRange(1, 2_500).Draw(r, "amount")), rapid.SampledFrom(sellers).Draw(r, "seller")
			switch rapid.IntRange(0, 5).Draw(r, "what") {
			case 0:
				a, err := w.do(replica.Request{Caller: "lotus-market", Command: backFrom(payment, fmt.Sprint("r-", n), seller, amount)})
				if err == nil {
					open = append(open, func(done bool) {
						w.endRecalls(a.(pay.RefundAnswer).Refund, amount%3 > 0)
						w.endRefund(a.(pay.RefundAnswer).Refund, done)
					})
				}
			case 1:
				order := attempt
				if rapid.Bool().Draw(r, "one part") {
					order = w.partOf(attempt, seller).Part
				}
				tell := func(state pay.DisputeState) {
					w.submit("", &pay.Told{Wallet: "crane-pay", Event: "DISPUTE", Order: order.String(), Dispute: &pay.DisputeEvidence{Number: fmt.Sprint("dp-", n), State: state, Amount: money.Of(amount, money.CNY)}})
				}
				tell(pay.DisputeOpen)
				open = append(open, func(done bool) { tell(map[bool]pay.DisputeState{true: pay.DisputeLost, false: pay.DisputeWon}[done]) })
			case 2:
				to := rapid.SampledFrom([]string{"tea-shop", "book-shop", "lotus-market"}).Draw(r, "to")
				before := w.splitsOpened()
				if there := w.there(byte(n), to); there > 0 && rapid.Bool().Draw(r, "all of it") { // a seller gets all or nothing
					amount = there
				} else if there > 0 {
					amount = 1 + amount%there
				}
				w.plan(byte(n)+100, to, amount)
				for _, id := range w.splitsOpened()[len(before):] {
					open = append(open, func(done bool) { w.endSplit(id, done) })
				}
			default:
				if len(open) > 0 {
					at := rapid.IntRange(0, len(open)-1).Draw(r, "which")
					open[at](rapid.Bool().Draw(r, "done"))
					open = slices.Delete(open, at, at+1)
				}
			}
		}
		for _, end := range open {
			end(rapid.Bool().Draw(r, "done"))
		}
		w.judgeParts(r, attempt)
		w.restart()
		for _, seller := range sellers {
			w.backWhole(payment, attempt, seller)
		}
		for _, p := range w.books.Check() {
			r.Errorf("books: %+v", p)
		}
		w.alike()
		if err := w.local.Refold(newRooms(w.limits, w.settles).machine); err != nil {
			r.Error(err)
		}
	})
}

// there is what a participant can be paid out at crane-pay, as the hub says where more is asked for.
func (w *world) there(no byte, to string) int64 {
	w.t.Helper()
	a := w.plan(no, to, 1_000_000)
	if a.Waits != "" {
		return 0
	}
	var yuan, fen int64
	if _, err := fmt.Sscanf(a.Manual, "crane-pay holds %d.%d CNY that may be split", &yuan, &fen); err != nil {
		w.t.Fatalf("%+v: %v", a, err)
	}
	return 100*yuan + fen
}

// splitsOpened are all splits that were opened, in the order of the journal.
func (w *world) splitsOpened() (list []moongate.ID) {
	w.catchUp()
	for _, at := range slices.Sorted(maps.Keys(w.entries)) {
		if v, ok := w.entries[at].Event.(*pay.SplitOpened); ok {
			list = append(list, v.Split)
		}
	}
	return list
}

// endRecalls has the wallet say what became of the shares that come back for a refund.
func (w *world) endRecalls(refund moongate.ID, done bool) {
	w.catchUp()
	state := pay.SplitClosed
	if done {
		state = pay.SplitDone
	}
	for _, at := range slices.Sorted(maps.Keys(w.entries)) {
		if v, ok := w.entries[at].Event.(*pay.RecallOpened); ok && v.Refund == refund {
			w.submit("", &pay.RecallReport{Recall: v.Recall.Recall, Op: pay.OpQueryUnsplit, State: state})
		}
	}
}

// judgeParts reads the journal as a model of an order's parts: what of each is going or gone to the shopper, and to receivers.
func (w *world) judgeParts(r *rapid.T, attempt moongate.ID) {
	w.catchUp()
	paid, own := map[moongate.ID]int64{}, map[moongate.ID]string{}
	for _, seller := range []string{"tea-shop", "book-shop"} {
		p := w.partOf(attempt, seller)
		paid[p.Part], own[p.Part] = p.Amount, seller
	}
	back, split, market := map[moongate.ID]int64{}, map[moongate.ID]int64{}, map[moongate.ID]int64{}
	refunds, splits, over := map[moongate.ID]*pay.RefundOpened{}, map[moongate.ID]*pay.SplitOpened{}, map[moongate.ID]bool{}
	for _, at := range slices.Sorted(maps.Keys(w.entries)) {
		switch v := w.entries[at].Event.(type) {
		case *pay.RefundOpened:
			refunds[v.Refund] = v
			back[v.Part] += v.Amount.Minor
		case *pay.RefundEnded:
			if o := refunds[v.Refund]; v.Status == pay.RefundFailed {
				back[o.Part] -= o.Amount.Minor
			}
		case *pay.DisputeMoved:
			sign := int64(0)
			if first := over[v.Dispute]; !first {
				over[v.Dispute], sign = true, 1
			} else if v.State == pay.DisputeWon {
				sign = -1
			}
			for _, x := range v.Pieces {
				back[x.Order] += sign * x.Amount
			}
		case *pay.SplitOpened:
			splits[v.Split] = v
			split[v.Attempt] += v.Amount.Minor
			if v.To != own[v.Attempt] {
				market[v.Attempt] += v.Amount.Minor
			}
			if split[v.Attempt]+back[v.Attempt] > paid[v.Attempt] {
				r.Fatalf("at %d: %d of a part of %d are split, of which %d went back", at, split[v.Attempt], paid[v.Attempt], back[v.Attempt])
			}
			if market[v.Attempt] > paid[v.Attempt]*500/10_000+2 { // each of two lots is rounded
				r.Fatalf("at %d: others get %d of a part of %d", at, market[v.Attempt], paid[v.Attempt])
			}
		case *pay.SplitMoved:
			if o := splits[v.Split]; v.Status == pay.SplitFailed {
				split[o.Attempt] -= o.Amount.Minor
				if o.To != own[o.Attempt] {
					market[o.Attempt] -= o.Amount.Minor
				}
			}
		case *pay.RecallMoved:
			if o := splits[v.Split]; v.Status == pay.SplitSucceeded {
				split[o.Attempt] -= v.Amount.Minor
				market[o.Attempt] -= v.Amount.Minor
			}
		}
		for id := range paid {
			if back[id] < 0 || back[id] > paid[id] {
				r.Fatalf("at %d: %d of a part of %d went back", at, back[id], paid[id])
			}
		}
	}
	for id, seller := range own {
		if p := w.partOf(attempt, seller); p.Reserved != back[id] || p.ReservedCash != back[id] {
			r.Errorf("%d went back: %+v", back[id], p)
		}
	}
}

// backWhole gives back all that is left of a seller's part, which is what is left of what it sold.
func (w *world) backWhole(payment, attempt moongate.ID, seller string) {
	w.t.Helper()
	part := w.partOf(attempt, seller)
	c := &pay.Refund{Payment: payment, Reference: "rest-" + seller, Amount: part.Amount - part.Reserved}
	o, _ := w.crossings.Lookup(w.payment(payment).Crossing)
	sum := int64(0)
	for i, y := range o.Book.Payees {
		if left := y.Payee; y.Party == seller {
			if i < len(o.Taken) {
				left.Amount -= o.Taken[i].Amount
			}
			if sum += left.Amount; left.Amount > 0 {
				c.Payees = append(c.Payees, left)
			}
		}
	}
	if sum != c.Amount {
		w.t.Errorf("%d are left of the part of %s, and %d of what it sold", c.Amount, seller, sum)
	}
	if sum > 0 {
		w.submit("lotus-market", c)
	}
	w.refuse("lotus-market", backFrom(payment, "more-"+seller, seller, 1), moongate.Limit, "can still be refunded")
}
