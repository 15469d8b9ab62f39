package pay

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

const (
	refundLook  = 10 * moongate.Second // until the first look at a refund that the wallet has accepted
	refundLooks = 6 * moongate.Hour    // the longest pause between looks: banks take days
	refundAgain = 15 * moongate.Second // until a refund that was not done is asked for again
	maxReason   = 40                   // bytes; the refund's identifier follows
	maxAsked    = 40                   // times that a refund is asked for which is surely not done: about a day
)

// refund reserves money and asks for it to go back. The crossing is pending until the wallet has said what became of
// the refund: so concurrent refunds never take more than was paid, and a failed one gives everything free again.
func (s *State) refund(step *replica.Step, c *Refund) (RefundAnswer, error) {
	if err := c.check(); err != nil {
		return RefundAnswer{}, err
	}
	p, err := s.mine(step, c.Payment)
	if err != nil {
		return RefundAnswer{}, err
	}
	if id, ok := s.orders.Get(orderKey{Merchant: p.Merchant, Order: c.Reference, Refund: true}); ok {
		return s.repeatRefund(id, c)
	}
	if p.Status != Succeeded {
		return RefundAnswer{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("the payment is %s: there is nothing to refund", p.Status), Hint: "refund payments that succeeded"}
	}
	if p.Refunds >= maxRefunds {
		return RefundAnswer{}, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("this payment was refunded %d times", p.Refunds), Hint: "wallets take no more than that"}
	}
	if left := p.Amount.Minor - p.Reserved; c.Amount > left {
		return RefundAnswer{}, &moongate.Error{
			Code: moongate.Limit, Field: "amount", Message: fmt.Sprintf("%s of a payment of which %s can still be refunded", money.Of(c.Amount, p.Amount.Currency), money.Of(left, p.Amount.Currency)),
			Hint: "refunds that are under way count",
		}
	}
	a, _ := s.attempts.Get(p.Attempt)
	cash, seller := p.cash(c.Amount), ""
	var of moongate.ID
	if len(a.Parts) > 0 {
		var part *Part
		if of, part, err = s.partOf(&a, c.Payees); err != nil {
			return RefundAnswer{}, err
		}
		if left := part.Amount - part.Reserved; c.Amount > left {
			return RefundAnswer{}, &moongate.Error{
				Code: moongate.Limit, Field: "amount", Message: fmt.Sprintf("%s from %s, of whose part %s can still be refunded", money.Of(c.Amount, p.Amount.Currency), part.Party, money.Of(left, p.Amount.Currency)),
				Hint: "refunds that are under way count",
			}
		}
		cash, seller = part.cash(c.Amount), part.Party
	}
	if cash == 0 {
		return RefundAnswer{}, &moongate.Error{
			Code: moongate.Limit, Field: "amount", Message: fmt.Sprintf("%s would come out of the coupon alone", money.Of(c.Amount, p.Amount.Currency)),
			Hint: "give more back at once",
		}
	}
	passage, lines, err := s.reversal(&p, seller, c.Payees, c.Amount, cash)
	if err != nil {
		return RefundAnswer{}, err
	}
	plan, err := s.crossings.Plan(step, passage)
	if err != nil {
		return RefundAnswer{}, err
	}
	recorded := plan.Emit(step)
	kept := int64(0)
	if part, ok := s.parts.Get(of); ok {
		kept = -keeps(recorded, part.Party)
	}
	id := step.NewID(moongate.KindRefund)
	recalls := s.recallsFor(step, Back{p.Of, id, a.Wallet}, of, 0, cash)
	next := step.At + patience
	if len(recalls) > 0 {
		next = 0
	}
	step.Emit(&RefundOpened{
		Reversal: Reversal{Back: Back{p.Of, id, a.Wallet}, Reference: c.Reference, Amount: money.Of(c.Amount, p.Amount.Currency), Reason: c.Reason, Crossing: recorded.ID, Cash: differs(cash, c.Amount)},
		Origin:   Origin{Chain: Chain{s.head(&p).Before, next}, Attempt: p.Attempt, By: step.Caller, Part: of, Kept: kept, Recalls: len(recalls), Lines: lines},
	})
	if len(recalls) > 0 {
		s.emitRecalls(step, recalls)
		return RefundAnswer{id, RefundRecalling}, nil
	}
	return RefundAnswer{id, RefundAsked}, nil
}

// cash is what the refund takes from the merchants' money.
func (r *Reversal) cash() int64 {
	if r.Cash != nil {
		return *r.Cash
	}
	return r.Amount.Minor
}

func (c *Refund) check() error {
	switch {
	case !reference(c.Reference):
		return malformed("reference", fmt.Sprintf("%.80q is no reference", c.Reference), "1 to 64 printable characters without blanks at the ends")
	case c.Amount < 1 || c.Amount > maxMinor:
		return malformed("amount", fmt.Sprintf("%d cannot be refunded", c.Amount), "say how much goes back, in minor units")
	case len(c.Reason) > maxReason || !utf8.ValidString(c.Reason):
		return malformed("reason", fmt.Sprintf("it has %d bytes", len(c.Reason)), fmt.Sprintf("say it in %d: the shopper reads it in the wallet", maxReason))
	}
	return nil
}

func (s *State) repeatRefund(id moongate.ID, c *Refund) (RefundAnswer, error) {
	r, _ := s.refunds.Get(id)
	if r.Payment != c.Payment || r.Amount.Minor != c.Amount {
		return RefundAnswer{}, &moongate.Error{
			Code: moongate.Conflict, Field: "reference", Message: fmt.Sprintf("reference %.64q stands for a refund of %s already", c.Reference, r.Amount),
			Hint: "use another reference for another refund",
		}
	}
	return RefundAnswer{id, r.Status}, nil
}

// refundReport takes in what a call to a wallet about a refund came to.
func (s *State) refundReport(step *replica.Step, c *RefundReport) (Done, error) {
	if err := fromHub(step); err != nil {
		return Done{}, err
	}
	r, ok := s.refunds.Get(c.Refund)
	if !ok {
		return Done{}, nil // forgotten long ago: the effect is over
	}
	if c.Outcome != nil {
		s.learnRefund(step, c.Refund, &r, c.Op, c.Outcome)
		return Done{}, nil
	}
	if r.Status.Final() || r.Status == RefundRecalling {
		return Done{}, nil
	}
	stand := RefundStand{By: c.Op, Verdict: c.Verdict, Code: c.Code, Message: c.Message, Outcome: r.Outcome}
	switch {
	case c.Op == OpRefund && r.Status == RefundAsked && c.Verdict == Refused:
		s.failRefund(step, &r, stand)
	case c.Op == OpRefund && r.Status == RefundAsked && c.Verdict == NotDone:
		s.askAgain(step, &r, stand)
	case c.Op == OpRefund:
		stand.Status = RefundUncertain
		s.moveRefund(step, &r, stand, step.At+doubtFrom)
	default: // a query that was not answered changes nothing
		stand.Status = r.Status
		s.moveRefund(step, &r, stand, step.At+r.pause())
	}
	return Done{}, nil
}

// pause is how long to wait before the next look.
func (r *Refunding) pause() moongate.Time {
	switch r.Status {
	case RefundAccepted:
		return backOff(refundLook, refundLooks, r.Tries)
	case RefundHeldUp:
		return moongate.Day
	}
	return backOff(doubtFrom, doubtTo, r.Tries)
}

// learnRefund takes in what a wallet signed about a refund, however it reached us.
func (s *State) learnRefund(step *replica.Step, id moongate.ID, r *Refunding, op Op, e *RefundEvidence) {
	stand := RefundStand{By: op, Outcome: e}
	if r.Status.Final() {
		if (e.State == RefundDone) != (r.Status == RefundSucceeded) && e.State != RefundPending && e.State != RefundAbsent {
			s.refundTrouble(step, r, TroubleContradiction, fmt.Sprintf("%s now says %q of a refund that had %s", r.Wallet, e.Said, r.Status))
		}
		return
	}
	if e.State == RefundDone && e.Amount != r.Amount {
		if r.Status != RefundHeldUp {
			s.refundTrouble(step, r, TroubleRefundStuck, fmt.Sprintf("%s gave back %s instead of %s", r.Wallet, e.Amount, r.Amount))
		}
		stand.Status = RefundHeldUp
		s.moveRefund(step, r, stand, step.At+moongate.Day)
		return
	}
	switch e.State {
	case RefundDone:
		s.finishRefund(step, r, stand)
	case RefundClosed:
		s.failRefund(step, r, stand)
	case RefundStuck:
		if r.Status != RefundHeldUp {
			s.refundTrouble(step, r, TroubleRefundStuck, fmt.Sprintf("%s cannot pay the refund back where it came from; it waits there for a person", r.Wallet))
		}
		stand.Status = RefundHeldUp
		s.moveRefund(step, r, stand, step.At+moongate.Day)
	case RefundAbsent:
		stand.Message = r.Message
		s.askAgain(step, r, stand)
	default:
		stand.Status = RefundAccepted
		pause := r.pause()
		if r.Status != RefundAccepted {
			pause = refundLook
		}
		s.moveRefund(step, r, stand, step.At+pause)
	}
}

// askAgain asks for a refund once more that the wallet surely has not done, under the same number, after a pause that
// grows. After about a day of it the refund has failed. Where the order was being split when the refund was opened, its
// money is gone, and the shares that are there now come back first.
func (s *State) askAgain(step *replica.Step, r *Refunding, stand RefundStand) {
	if r.Asks >= maxAsked {
		stand.Message = strings.TrimSpace(fmt.Sprintf("asked for %d times; %s", r.Asks, stand.Message))
		s.failRefund(step, r, stand)
		return
	}
	if r.Exception.IsZero() && r.Recalls < maxRecalls {
		if recalls := s.recallsFor(step, r.Back, r.Part, r.cash(), r.cash()); len(recalls) > 0 {
			stand.Status = RefundRecalling
			s.moveRefund(step, r, stand, 0)
			s.emitRecalls(step, recalls)
			return
		}
	}
	stand.Status = RefundAsked
	s.moveRefund(step, r, stand, step.At+backOff(refundAgain, doubtTo, r.Asks-1))
}

// headOf is the end of a payment's chain.
func (s *State) headOf(payment moongate.ID) journal.Position {
	p, _ := s.payments.Get(payment)
	return p.Head
}

func (s *State) moveRefund(step *replica.Step, r *Refunding, stand RefundStand, next moongate.Time) {
	stand.Back = r.Back
	step.Emit(&RefundMoved{RefundStand: stand, Chain: Chain{s.headOf(r.Payment), next}})
}

// finishRefund completes the crossing: the money is back with the shopper.
func (s *State) finishRefund(step *replica.Step, r *Refunding, stand RefundStand) {
	plan, err := s.crossings.PlanComplete(step, r.Crossing)
	stand.Status = RefundSucceeded
	s.endRefund(step, r, stand, plan, err)
	x, ok := s.exceptions.Get(r.Exception)
	if !ok {
		return
	}
	if o, ok := s.crossings.Lookup(x.Crossing); ok && o.Left() > 0 {
		// There are other parts of the order: one after the other goes back.
		if err := s.giveBack(step, &x, r.By, r.Note); err != nil {
			s.refundTrouble(step, r, TroubleGiveBack, fmt.Sprintf("the rest of the money of exception %s could not go back: %v", x.Trouble.Exception, err))
		}
		return
	}
	s.settleException(step, &x, GiveBack, r.By, cmp.Or(r.Note, "the wallet has given it back"))
}

// failRefund gives the crossing up: the money stayed, and can be refunded again.
func (s *State) failRefund(step *replica.Step, r *Refunding, stand RefundStand) {
	plan, err := s.crossings.PlanVoid(step, r.Crossing)
	stand.Status = RefundFailed
	s.endRefund(step, r, stand, plan, err)
	if x, ok := s.exceptions.Get(r.Exception); ok {
		s.refundTrouble(step, r, TroubleGiveBack, fmt.Sprintf("money of exception %s could not go back: %s", x.Trouble.Exception, stand.why()))
	}
}

func (st *RefundStand) why() string {
	if st.Outcome != nil && st.Message == "" {
		return st.Outcome.Said
	}
	return st.Message
}

// endRefund writes the end. Where the books do not follow, which would be a fault of ours, the end stands all the same
// and an exception tells of it: the wallet has done what it has done.
func (s *State) endRefund(step *replica.Step, r *Refunding, stand RefundStand, plan *ledger.Plan, err error) {
	stand.Back = r.Back
	if err == nil {
		plan.Emit(step)
	}
	step.Emit(&RefundEnded{RefundStand: stand, Chain: Chain{Before: s.headOf(r.Payment)}})
	s.heard(step, r.Alarm)
	if err != nil {
		s.refundTrouble(step, r, TroubleContradiction, fmt.Sprintf("the refund has %s, and the books do not follow: %v", stand.Status, err))
	}
}

func (s *State) refundTrouble(step *replica.Step, r *Refunding, kind TroubleKind, facts string) {
	s.trouble(step, Trouble{Of: r.Of, Kind: kind, Wallet: r.Wallet, Refund: r.Refund, Amount: r.Amount, Facts: facts}, 0)
}
