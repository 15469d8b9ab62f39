package statement

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
)

// Confirm has the payee accept a statement.
type Confirm struct {
	Statement moongate.ID `cbor:"1,keyasint" json:"statement"`
}

// Dispute has a side refuse a statement, while it can be appealed. The money stays where it is; the operator hears both.
type Dispute struct {
	Statement moongate.ID `cbor:"1,keyasint" json:"statement"`
	Reason    string      `cbor:"2,keyasint" json:"reason"`
}

func (*Confirm) CommandKind() string { return "statement.confirm" }
func (*Dispute) CommandKind() string { return "statement.dispute" }

// Answer is where a statement stands after a command.
type Answer struct {
	Status Status `cbor:"1,keyasint" json:"status"`
}

const (
	retry      = moongate.Hour
	appealSpan = 90 * moongate.Day // where the terms say nothing
)

// Tick issues the totals of periods that are over.
func (s *State) Tick(step *replica.Step, limit int) int {
	n := 0
	for n < limit {
		at, key, ok := s.due.Next(step.At)
		if !ok {
			break
		}
		a, found := s.totals.Get(key)
		if !found || max(a.Until, a.Retry) != at {
			continue // stale
		}
		n++
		s.finish(step, key, &a)
	}
	return n
}

// finish ends a period: issues its total, or passes over a period in which the agreement was not in force.
func (s *State) finish(step *replica.Step, key totalKey, a *Accrued) {
	last := a.Until - 1
	t, _ := s.termsAt(key, last)
	held := t != nil && (s.agreements.Member(key.Agreement, key.From, last) || s.agreements.Member(key.Agreement, key.From, max(a.Since, t.Doc.Valid.From)))
	if !held && a.Total() == 0 && a.Crossings == 0 {
		ends := !s.agreements.Bound(key.Agreement, key.From, a.Until) && !s.agreements.Waits(key.Agreement, key.From)
		step.Emit(&Passed{Agreement: key.Agreement, From: key.From, To: key.To, Currency: key.Currency, Ends: ends})
		return
	}
	if err := s.issue(step, key, a, t); err != nil {
		step.Emit(&Postponed{Agreement: key.Agreement, From: key.From, To: key.To, Currency: key.Currency, Retry: step.At + retry, Reason: err.Error()})
	}
}

// issue posts a total and says so. Where it fails nothing has changed.
func (s *State) issue(step *replica.Step, key totalKey, a *Accrued, t *agreement.Terms) error {
	if t == nil {
		return fmt.Errorf("no terms of %s make a total of %s for %s", key.Agreement, key.From, key.To)
	}
	e := &Issued{Sum: Sum{
		ID: step.NewID(moongate.KindStatement), Agreement: key.Agreement, Version: t.Doc.Version, From: key.From, To: key.To,
		Currency: key.Currency, Since: a.Since, Until: a.Until, Total: a.Total(), Appeal: a.Until + appealOf(t),
	}, Own: Own{Crossings: a.Crossings}}
	if e.Total <= 0 {
		e.Total, e.Carried = 0, e.Total
		step.Emit(e)
		return nil
	}
	accrual := ledger.Account{Owner: key.From, Currency: key.Currency, Purpose: ledger.Accrual, Of: key.Agreement}
	payable := ledger.Account{Owner: key.To, Currency: key.Currency, Purpose: ledger.Payable}
	posting, err := s.books.Plan(step, ledger.Transfer{Crossing: e.ID, Legs: []ledger.Leg{{Debit: accrual, Credit: payable, Amount: e.Total}}})
	if err != nil {
		return err
	}
	var claims []*settle.ClaimPlan
	for _, c := range claimsOf(key, a.Parts) {
		plan, err := s.settle.PlanClaim(step, settle.Claiming{Claim: c, Agreement: key.Agreement, Version: e.Version, Currency: key.Currency, Of: e.ID})
		if err != nil {
			posting.Drop(step)
			return err
		}
		claims = append(claims, plan)
	}
	posting.Emit(step)
	for _, c := range claims {
		c.Emit(step)
	}
	step.Emit(e)
	return nil
}

// claimsOf says who pays a total: each wallet what it kept back, and the small party what none did. Who gave back more
// than it had is paid by the others first.
func claimsOf(key totalKey, parts []Part) []settle.Claim {
	type side struct {
		who    string
		wallet bool
		left   int64
	}
	var payers, short []side
	for _, p := range parts {
		one := side{who: p.Wallet, wallet: p.Wallet != "", left: p.Amount}
		if !one.wallet {
			one.who = key.From
		}
		switch {
		case one.left > 0:
			payers = append(payers, one)
		case one.left < 0:
			one.left = -one.left
			short = append(short, one)
		}
	}
	var claims []settle.Claim
	for _, p := range payers {
		for i := range short {
			if amount := min(p.left, short[i].left); amount > 0 {
				claims = append(claims, settle.Claim{From: p.who, To: short[i].who, Amount: amount, Wallet: p.wallet, Holder: short[i].wallet})
				p.left, short[i].left = p.left-amount, short[i].left-amount
			}
		}
		if p.left > 0 {
			claims = append(claims, settle.Claim{From: p.who, To: key.To, Amount: p.left, Wallet: p.wallet})
		}
	}
	return claims
}

func appealOf(t *agreement.Terms) moongate.Time {
	if g := t.Doc.Guards; g != nil && g.Appeal > 0 {
		return g.Appeal.Time()
	}
	return appealSpan
}

func (s *State) confirm(step *replica.Step, c *Confirm) (Answer, error) {
	st, err := s.answerable(step, c.Statement)
	if err != nil {
		return Answer{}, err
	}
	if step.Caller == st.From {
		return Answer{}, &moongate.Error{Code: moongate.Forbidden, Message: fmt.Sprintf("%s owes the total; the payee confirms it", step.Caller), Hint: "dispute it if it is wrong"}
	}
	if st.Status == Confirmed {
		return Answer{}, &moongate.Error{Code: moongate.Conflict, Message: "the statement is confirmed", Hint: "nothing is left to do"}
	}
	return s.answered(step, &st, Confirmed, "")
}

func (s *State) dispute(step *replica.Step, c *Dispute) (Answer, error) {
	if err := party.CheckText("reason", c.Reason, 1, 1000); err != nil {
		return Answer{}, err
	}
	st, err := s.answerable(step, c.Statement)
	if err != nil {
		return Answer{}, err
	}
	if st.Status != Standing {
		return Answer{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("the statement is %s", st.Status), Hint: "ask the operator"}
	}
	return s.answered(step, &st, Disputed, c.Reason)
}

// answerable finds a statement for one of its sides, or an operator.
func (s *State) answerable(step *replica.Step, id moongate.ID) (Statement, error) {
	st, ok := s.statements.Get(id)
	if !ok || step.At >= st.Appeal || step.Caller != st.From && step.Caller != st.To && !s.parties.IsOperator(step.Caller) {
		return st, &moongate.Error{Code: moongate.NotFound, Field: "statement", Message: fmt.Sprintf("there is no statement %s that can be answered", id), Hint: "its time to appeal may be over"}
	}
	if !s.parties.IsOperator(step.Caller) {
		if _, err := s.parties.Active(step.Caller); err != nil {
			return st, err
		}
	}
	return st, nil
}

func (s *State) answered(step *replica.Step, st *Statement, status Status, reason string) (Answer, error) {
	step.Emit(&Answered{Answering{ID: st.ID, From: st.From, To: st.To, By: step.Caller, Status: status, Reason: reason}})
	return Answer{Status: status}, nil
}
