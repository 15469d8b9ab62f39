package pay

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// resolve ends an exception, or starts what ends it.
func (s *State) resolve(step *replica.Step, c *Resolve) (Done, error) {
	if !s.parties.IsOperator(step.Caller) {
		return Done{}, &moongate.Error{Code: moongate.Forbidden, Message: "exceptions are resolved by an operator", Hint: "ask one"}
	}
	if n := utf8.RuneCountInString(c.Note); n < 1 || n > 500 || !utf8.ValidString(c.Note) {
		return Done{}, malformed("note", fmt.Sprintf("it has %d characters", n), "say in 1 to 500 why")
	}
	x, ok := s.exceptions.Get(c.Exception)
	if !ok {
		return Done{}, &moongate.Error{Code: moongate.NotFound, Field: "exception", Message: fmt.Sprintf("there is no open exception %s", c.Exception), Hint: "list those that are open"}
	}
	if !x.Refunded.IsZero() {
		return Done{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("refund %s is under way for it", x.Refunded), Hint: "wait for its end"}
	}
	switch c.Action {
	case GiveBack:
		return Done{}, s.giveBack(step, &x, step.Caller, c.Note)
	case Release:
		return Done{}, s.release(step, &x, c)
	case Dismiss:
		if o, ok := s.crossings.Lookup(x.Crossing); ok && o.Left() > 0 {
			return Done{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("%s of it stands in suspense", x.Amount), Hint: "give it back or release it"}
		}
		s.settleException(step, &x, Dismiss, step.Caller, c.Note)
		return Done{}, nil
	}
	return Done{}, malformed("action", fmt.Sprintf("%.40q is no way to resolve an exception", c.Action), "give_back, release or dismiss")
}

// giveBack opens the refund of money that stands in suspense. It emits only when it cannot fail any more.
func (s *State) giveBack(step *replica.Step, x *Exception, by, note string) error {
	o, ok := s.crossings.Lookup(x.Crossing)
	if !ok || o.Left() == 0 {
		return &moongate.Error{Code: moongate.Conflict, Message: "no money of this exception stands in suspense", Hint: "dismiss it"}
	}
	// The wallet counts in what was ordered, the books in what it owes.
	amount, cash := s.expectedOf(x, o.Left()), o.Left()
	a, _ := s.attempts.Get(x.Attempt)
	of, part, owed := s.nextPart(&a)
	if !of.IsZero() {
		amount, cash = part, min(owed, o.Left())
	}
	plan, err := s.crossings.Plan(step, crossing.Passage{Kind: crossing.Refund, Reverses: x.Crossing, Currency: o.Currency, Amount: cash, Pending: true})
	if err != nil {
		return err
	}
	recorded := plan.Emit(step)
	step.Emit(&RefundOpened{
		Reversal: Reversal{
			Back:   Back{x.Of, step.NewID(moongate.KindRefund), x.Wallet},
			Amount: money.Of(amount, o.Currency), Reason: reasonOf[x.Kind], Crossing: recorded.ID, Cash: differs(cash, amount),
		},
		Origin: Origin{Chain: Chain{s.headOf(x.Payment), step.At + patience}, Attempt: x.Attempt, Exception: x.Exception, By: by, Note: note, Part: of},
	})
	return nil
}

// expectedOf is how much was ordered of money that the wallet owes: all of it, where nothing has gone back yet.
func (s *State) expectedOf(x *Exception, left int64) int64 {
	a, _ := s.attempts.Get(x.Attempt)
	if a.Outcome == nil || a.Outcome.owed().Minor != left {
		return left
	}
	return a.Outcome.Amount.Minor
}

// differs points to an amount that is another than what was ordered.
func differs(cash, amount int64) *int64 {
	if cash == amount {
		return nil
	}
	return &cash
}

// reasonOf is what the shopper reads when money goes back by itself.
var reasonOf = map[TroubleKind]string{
	TroubleLate:    "paid too late",
	TroubleDouble:  "paid twice",
	TroubleAmount:  "wrong amount",
	TroubleRefused: "order not accepted",
	TroubleUnclear: "order does not add up",
}

// release divides money that stands in suspense, under the terms that are in force now.
func (s *State) release(step *replica.Step, x *Exception, c *Resolve) error {
	p, ok := s.payments.Get(x.Payment)
	if !ok || p.Status != Held || p.Attempt != x.Attempt || x.Amount != s.expected(&p) {
		return &moongate.Error{Code: moongate.Conflict, Message: "the money does not fit the payment it came for", Hint: "give it back"}
	}
	a, _ := s.attempts.Get(x.Attempt)
	if len(a.Parts) > 0 && (len(c.Payees) > 0 || a.Outcome == nil || !s.fits(&a, a.Outcome)) {
		return &moongate.Error{Code: moongate.Conflict, Message: "the money lies in the accounts of the sellers that it was paid to", Hint: "give it back"}
	}
	payees := p.Payees
	if len(c.Payees) > 0 {
		payees = c.Payees
	}
	passage := p.division(x.Wallet, payees)
	passage.Releases, passage.Amount = x.Crossing, x.Amount.Minor
	if len(c.Payees) == 0 && x.Amount != p.Amount {
		var err error
		if passage.Payees, err = s.scaledBy(payees, &a, x.Amount.Minor); err != nil {
			return err
		}
	}
	plan, err := s.crossings.Plan(step, passage)
	if err != nil {
		return err
	}
	s.succeed(step, &p, x.Attempt, x.Wallet, plan.Emit(step))
	s.settleException(step, x, Release, step.Caller, c.Note)
	return nil
}

// expected is what the wallet should owe for a payment that is held: the order, less a coupon that it told of.
func (s *State) expected(p *Payment) money.Amount {
	a, _ := s.attempts.Get(p.Attempt)
	if a.Outcome == nil || a.Outcome.Amount != p.Amount {
		return p.Amount
	}
	return a.Outcome.owed()
}

// heard ends the exception about a silence that is over, where it is still open.
func (s *State) heard(step *replica.Step, alarm moongate.ID) {
	if x, ok := s.exceptions.Get(alarm); ok {
		s.settleException(step, &x, Dismiss, "", "the wallet has answered")
	}
}

// settleException ends an exception, and the payment that was held for it.
func (s *State) settleException(step *replica.Step, x *Exception, action Action, by, note string) {
	step.Emit(&ExceptionResolved{Remedy: Remedy{Of: x.Of, Exception: x.Exception, Action: action, By: by, Note: note}, Chain: Chain{Before: s.headOf(x.Payment)}})
	p, ok := s.payments.Get(x.Payment)
	if ok && p.Status == Held && action == GiveBack && slices.Contains([]TroubleKind{TroubleAmount, TroubleRefused, TroubleUnclear}, x.Kind) {
		s.settle(step, &p, Returned, x.Attempt, x.Wallet, moongate.ID{})
	}
}
