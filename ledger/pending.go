package ledger

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// PlanPost plans to post a pending transfer: all that it holds, or, where legs are given, as much of it as they say;
// the rest is let go. Limits were checked when it was held.
//
// Errors: conflict where the transfer is not pending (any more) or has expired; malformed for legs that are not
// within what is held.
func (s *State) PlanPost(step *replica.Step, id moongate.ID, legs ...Leg) (*Plan, error) {
	h, err := s.held(step, id)
	if err != nil {
		return nil, err
	}
	if h.Expires != 0 && step.At >= h.Expires {
		return nil, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("transfer %s expired at %s", id, h.Expires), Hint: "make a new one"}
	}
	p := s.end(id, h, Posted)
	if len(legs) > 0 {
		if err := p.part(legs); err != nil {
			return nil, err
		}
	}
	s.scratch.plans = append(s.scratch.plans, p)
	return p, nil
}

// PlanVoid plans to let go what a pending transfer holds. The error is a conflict where it is not pending (any more).
func (s *State) PlanVoid(step *replica.Step, id moongate.ID) (*Plan, error) {
	h, err := s.held(step, id)
	if err != nil {
		return nil, err
	}
	p := s.end(id, h, Voided)
	s.scratch.plans = append(s.scratch.plans, p)
	return p, nil
}

func (s *State) held(step *replica.Step, id moongate.ID) (Held, error) {
	s.begin(step)
	h, ok := s.pending.Get(id)
	for _, p := range s.scratch.plans {
		ok = ok && p.ends != id
	}
	if !ok {
		return Held{}, &moongate.Error{
			Code: moongate.Conflict, Field: "transfer", Message: fmt.Sprintf("transfer %s is not pending", id),
			Hint: "it was posted, voided or has expired, which is final; or there is none",
		}
	}
	return h, nil
}

// end makes the plan that ends a pending transfer.
func (s *State) end(id moongate.ID, h Held, outcome Outcome) *Plan {
	p := s.plan()
	p.transfer, p.ends, p.outcome = Transfer{Crossing: h.Crossing}, id, outcome
	for _, hold := range h.Holds {
		p.changes = append(p.changes, change{
			account: s.books.At(int(hold.Number)).Account, number: int(hold.Number),
			debit: hold.Debit, credit: hold.Credit, debitLetGo: hold.Debit, creditLetGo: hold.Credit,
		})
	}
	if len(p.changes) > len(p.few) {
		p.reindex()
	}
	return p
}

// part brings the plan down to the legs.
func (p *Plan) part(legs []Leg) error {
	if len(legs) > MaxLegs {
		return malformed("legs", fmt.Sprintf("a transfer of %d legs", len(legs)), fmt.Sprintf("give at most %d", MaxLegs))
	}
	net := make([]int64, len(p.changes)) // debits less credits
	for i := range legs {
		l := &legs[i]
		if l.Amount < 0 {
			return malformed(legField(i, "amount"), fmt.Sprintf("%d is negative", l.Amount), "swap debit and credit")
		}
		d, c := p.find(l.Debit), p.find(l.Credit)
		if d < 0 || c < 0 {
			return malformed(legField(i, "debit"), fmt.Sprintf("nothing is held from %s to %s", l.Credit, l.Debit), "post only what is pending")
		}
		var ok1, ok2 bool
		net[d], ok1 = money.Add(net[d], l.Amount)
		net[c], ok2 = money.Sub(net[c], l.Amount)
		if l.Debit.Currency != l.Credit.Currency || !ok1 || !ok2 {
			return malformed(legField(i, "amount"), fmt.Sprintf("%d from %s to %s cannot be", l.Amount, l.Credit, l.Debit), "post only what is pending")
		}
	}
	for i := range p.changes {
		c := &p.changes[i]
		if net[i] > c.debit || -net[i] > c.credit {
			return malformed("legs", fmt.Sprintf("%d on %s is more than the %d held", abs(net[i]), c.account, c.debit+c.credit), "post at most what is pending")
		}
		c.debit, c.credit = max(net[i], 0), max(-net[i], 0)
	}
	return nil
}

func abs(n int64) int64 { return max(n, -n) }

// Tick lets pending transfers expire.
func (s *State) Tick(step *replica.Step, limit int) int {
	n := 0
	for n < limit {
		_, id, ok := s.due.Next(step.At)
		if !ok {
			break
		}
		h, err := s.held(step, id)
		if err != nil {
			continue // it was posted or voided in time; a node that was restored knows nothing of it, so it must not count
		}
		n++
		p := s.end(id, h, Expired)
		s.scratch.plans = append(s.scratch.plans, p)
		p.Emit(step)
	}
	return n
}
