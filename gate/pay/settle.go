package pay

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// paid ends a live attempt with money. The money is there whatever we think of it: it is divided under its terms, or
// stands in suspense with an exception that says why.
func (s *State) paid(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, op Op, e *Evidence) {
	switch {
	case p.Status == StatusAuthorised && p.Attempt == id:
		s.captured(step, p, id, a, op, e)
	case p.Status != Open:
		s.late(step, p, id, a, op, e)
	case e.Amount != p.Amount:
		s.hold(step, p, id, a, op, e, TroubleAmount, fmt.Sprintf("%s took %s for an order of %s", a.Wallet, e.Amount, p.Amount))
	case !s.fits(a, e):
		s.hold(step, p, id, a, op, e, TroubleAmount, fmt.Sprintf("%s took the money for other parts than were ordered", a.Wallet))
	case p.Suspend != "":
		s.hold(step, p, id, a, op, e, TroubleUnclear, p.Suspend)
	default:
		passage, err := s.owed(p, a.Wallet, e)
		var plan *crossing.Plan
		if err == nil {
			plan, err = s.crossings.Plan(step, passage)
		}
		if err != nil {
			s.hold(step, p, id, a, op, e, TroubleRefused, err.Error())
			return
		}
		s.endPaid(step, p, id, a, op, e)
		recorded := plan.Emit(step)
		s.succeed(step, p, id, a.Wallet, recorded)
		s.closeOther(step, p, id)
	}
}

// owed is the crossing of a payment that was paid: of what the wallet owes for it.
func (s *State) owed(p *Payment, wallet string, e *Evidence) (crossing.Passage, error) {
	passage := p.passage(wallet)
	owed := e.owed().Minor
	if owed == p.Amount.Minor {
		return passage, nil
	}
	var err error
	passage.Amount = owed
	passage.Payees, err = s.scaledBy(passage.Payees, &Attempt{Outcome: e}, owed)
	return passage, err
}

// closeOther closes the attempt that is still open where another one was paid.
func (s *State) closeOther(step *replica.Step, p *Payment, paid moongate.ID) {
	if a, ok := s.attempts.Get(p.Attempt); ok && p.Attempt != paid && a.Status.Live() && a.Status != AttemptClosing {
		s.emitClose(step, p, p.Attempt, &a, WhySwitched, "", "")
	}
}

func (s *State) endPaid(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, op Op, e *Evidence) {
	step.Emit(&AttemptEnded{AttemptEnd: AttemptEnd{Try: s.try(p, id, a), Status: AttemptPaid, By: op, Outcome: e}, Chain: s.head(p)})
	s.heard(step, a.Alarm)
}

// succeed ends a payment whose money was divided; what the crossing does not hold of it a coupon bore.
func (s *State) succeed(step *replica.Step, p *Payment, attempt moongate.ID, wallet string, recorded *crossing.Recorded) {
	a, _ := s.attempts.Get(attempt)
	step.Emit(&Settled{
		Settlement: Settlement{Of: p.Of, Status: Succeeded, Attempt: attempt, Wallet: wallet, Crossing: recorded.ID, Coupon: p.Amount.Minor - recorded.Amount},
		Division:   Division{s.head(p), s.keptBy(attempt, recorded), s.linesOf(p, &a, p.Amount.Minor, recorded)},
	})
}

func (s *State) settle(step *replica.Step, p *Payment, status Status, attempt moongate.ID, wallet string, crossing moongate.ID) {
	step.Emit(&Settled{Settlement: Settlement{Of: p.Of, Status: status, Attempt: attempt, Wallet: wallet, Crossing: crossing}, Division: Division{Chain: s.head(p)}})
}

// hold puts money that cannot be divided into suspense. The payment waits for a person.
func (s *State) hold(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, op Op, e *Evidence, kind TroubleKind, facts string) {
	plan, why := s.suspense(step, p, a.Wallet, e.owed())
	s.endPaid(step, p, id, a, op, e)
	held := s.emitSuspense(step, plan)
	s.settle(step, p, Held, id, a.Wallet, held)
	s.closeOther(step, p, id)
	s.trouble(step, Trouble{Of: p.Of, Kind: kind, Wallet: a.Wallet, Attempt: id, Crossing: held, Amount: e.owed(), Facts: facts + why}, 0)
}

// late takes in money for an attempt that had ended, or a payment that had: it goes into suspense, and back to the
// shopper by itself.
func (s *State) late(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, op Op, e *Evidence) {
	if p.Status == Open {
		// The shopper paid an order that the wallet had called closed, and nothing else was paid: it counts.
		s.paid(step, p, id, a, op, e)
		return
	}
	kind, facts := TroubleLate, fmt.Sprintf("%s was paid %s although its order was %s and the payment %s", a.Wallet, e.Amount, a.Status, p.Status)
	if p.Status == Succeeded || p.Status == StatusAuthorised {
		kind, facts = TroubleDouble, fmt.Sprintf("%s was paid %s for a payment that was paid, or authorised, before", a.Wallet, e.Amount)
	}
	plan, why := s.suspense(step, p, a.Wallet, e.owed())
	s.endPaid(step, p, id, a, op, e)
	held := s.emitSuspense(step, plan)
	next := step.At
	if held.IsZero() {
		next = 0 // not in the books, so nothing can be taken out of them: a person must look
	}
	s.trouble(step, Trouble{Of: p.Of, Kind: kind, Wallet: a.Wallet, Attempt: id, Crossing: held, Amount: e.owed(), Facts: facts + why}, next)
}

// suspense plans to book money as an exception. Where even that is refused, the reason goes into the facts: the amount
// then stands in the exception alone.
func (s *State) suspense(step *replica.Step, p *Payment, wallet string, amount money.Amount) (*crossing.Plan, string) {
	plan, err := s.crossings.Plan(step, crossing.Passage{
		Kind: crossing.Exception, From: p.From, To: p.To, Currency: amount.Currency, Amount: amount.Minor, Wallet: wallet, Subject: p.Subject,
	})
	if err != nil {
		return nil, "; and it could not be booked: " + err.Error()
	}
	return plan, ""
}

func (s *State) emitSuspense(step *replica.Step, plan *crossing.Plan) moongate.ID {
	if plan == nil {
		return moongate.ID{}
	}
	return plan.Emit(step).ID
}
