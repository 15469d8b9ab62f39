package settle

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// retry is after how long a window is tried again that could not close or go on.
const retry = moongate.Hour

func unknownWindow(id moongate.ID) error {
	return &moongate.Error{Code: moongate.NotFound, Field: "window", Message: fmt.Sprintf("there is no window %s that is not settled yet", id), Hint: "list the windows"}
}

func (s *State) operator(step *replica.Step) error {
	if s.parties.IsOperator(step.Caller) {
		return nil
	}
	return &moongate.Error{Code: moongate.Forbidden, Message: "only an operator may do this", Hint: "ask the operator of the hub"}
}

func (s *State) closeNow(step *replica.Step, c *Close) (Answer, error) {
	if err := s.operator(step); err != nil {
		return Answer{}, err
	}
	w, ok := s.windows.Get(c.Window)
	switch {
	case !ok:
		return Answer{}, unknownWindow(c.Window)
	case w.Status != Open:
		return Answer{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("window %s is %s", w.ID, w.Status), Hint: "nothing is left to do"}
	}
	if err := s.close(step, &w); err != nil {
		return Answer{}, err
	}
	return s.answer(w.ID), nil
}

func (s *State) answer(id moongate.ID) Answer {
	w, ok := s.windows.Get(id)
	if !ok {
		return Answer{Window: id, Status: Settled}
	}
	return Answer{Window: id, Status: w.Status, Left: w.Left}
}

// close nets a window, moves what is to be paid to its clearing account and plans the instructions. Where it fails it
// has changed nothing.
func (s *State) close(step *replica.Step, w *Window) error {
	terms, err := s.agreements.Version(w.Agreement, w.Version)
	if err != nil {
		return err
	}
	if sum := s.sumOf(w.ID); sum != 0 {
		return &moongate.Error{Code: moongate.Internal, Message: fmt.Sprintf("the positions of window %s add up to %d, not to zero", w.ID, sum), Hint: "run fsck"}
	}
	n := s.newNetting(w, terms.MinimumPayout(w.Currency))
	plans, err := s.clear(step, w, n, func() { n.solve(s, w, terms) })
	if err != nil {
		return err
	}
	for _, p := range plans {
		p.Emit(step)
	}
	now := min(step.At, w.Until)
	e := &WindowClosed{Closing: Closing{
		Window: w.ID, Agreement: w.Agreement, Currency: w.Currency, From: w.From, Until: now,
		Due: now + terms.Doc.Settlement.Delay.Time(), Carried: n.carried,
	}}
	if step.At < w.Until {
		e.By = step.Caller
	}
	for _, p := range n.payments {
		e.Instructions = append(e.Instructions, Instruction{
			ID: step.NewID(moongate.KindInstruction), Window: w.ID, From: p.From, To: p.To, Currency: w.Currency, Amount: p.Amount,
			Wallet: p.Wallet, Progress: Planned,
		})
	}
	for _, who := range n.parties {
		if m := n.moved[who]; !m.isZero() {
			e.Moved = append(e.Moved, Moved{who, m})
		}
		p := n.positions[who]
		if p.isZero() {
			continue
		}
		e.Standings = append(e.Standings, &Standing{
			Party: who, Window: w.ID, Agreement: w.Agreement, Currency: w.Currency, From: w.From, Until: now, Due: e.Due,
			Position: p, Net: p.Net(), Carried: n.later[who],
		})
	}
	step.Emit(e)
	return nil
}

// clear plans the transfers that bring a window's positions to its clearing account. A participant whose accounts do
// not allow it is withheld, which changes the payments, so everything is planned anew.
func (s *State) clear(step *replica.Step, w *Window, n *netting, solve func()) ([]*ledger.Plan, error) {
	for again := true; again; {
		again = false
		solve()
		for _, who := range n.parties {
			legs := s.clearing(w, who, n)
			if len(legs) == 0 {
				continue
			}
			plan, err := s.books.Plan(step, ledger.Transfer{Crossing: w.ID, Legs: legs})
			switch {
			case err == nil:
				plan.Drop(step)
			case n.withheld[who]:
				return nil, fmt.Errorf("clearing of %s: %w", who, err)
			default:
				n.withheld[who], again = true, true
			}
		}
	}
	return s.clearAll(step, w, n)
}

// clearAll plans everybody's clearing, many participants to a transfer.
func (s *State) clearAll(step *replica.Step, w *Window, n *netting) ([]*ledger.Plan, error) {
	var plans []*ledger.Plan
	var legs []ledger.Leg
	for i, who := range n.parties {
		legs = append(legs, s.clearing(w, who, n)...)
		if len(legs) == 0 || len(legs) < clearingLegs && i < len(n.parties)-1 {
			continue
		}
		plan, err := s.books.Plan(step, ledger.Transfer{Crossing: w.ID, Legs: legs})
		if err != nil {
			for _, p := range plans {
				p.Drop(step)
			}
			return nil, err
		}
		plans, legs = append(plans, plan), nil
	}
	return plans, nil
}

// clearingLegs is about how many legs one clearing transfer has.
const clearingLegs = 1000

func (s *State) clearingOf(w *Window) ledger.Account {
	return ledger.Account{Currency: w.Currency, Purpose: ledger.Clearing, Of: w.ID}
}

// clearing moves what a participant is owed, less what it owes, to the clearing account. A wallet keeps what it is owed
// out of what it holds, and holds what it is to receive.
func (s *State) clearing(w *Window, who string, n *netting) []ledger.Leg {
	account := func(purpose ledger.Purpose) ledger.Account {
		return ledger.Account{Owner: who, Currency: w.Currency, Purpose: purpose}
	}
	p, against := n.settled[who], s.clearingOf(w)
	var legs []ledger.Leg
	if n.wallets[who] {
		legs = move(legs, account(ledger.Wallet), against, n.received[who])
		against = account(ledger.Wallet)
	}
	legs = move(legs, account(ledger.Payable), against, p.Payable)
	legs = move(legs, account(ledger.Fee), against, p.Fee)
	return move(legs, against, account(ledger.Receivable), p.Receivable)
}

// move adds a leg that debits one account and credits another, the other way round for a negative amount.
func move(legs []ledger.Leg, debit, credit ledger.Account, amount int64) []ledger.Leg {
	switch {
	case amount > 0:
		return append(legs, ledger.Leg{Debit: debit, Credit: credit, Amount: amount})
	case amount < 0:
		return append(legs, ledger.Leg{Debit: credit, Credit: debit, Amount: -amount})
	}
	return legs
}

// instruct sends the instructions of a closed window, at most limit of them. It gives how many went out.
func (s *State) instruct(step *replica.Step, w *Window, limit int) (int, error) {
	sent := 0
	for ; sent < limit && w.Next+sent < len(w.Plan); sent++ {
		i, _ := s.instructions.Get(w.Plan[w.Next+sent])
		legs := []ledger.Leg{{Debit: s.clearingOf(w), Credit: s.account(&i, i.To, ledger.Instructed), Amount: i.Amount}}
		if !i.Wallet {
			legs = append(legs, ledger.Leg{Debit: s.account(&i, i.From, ledger.Receivable), Credit: s.clearingOf(w), Amount: i.Amount})
		}
		plan, err := s.books.Plan(step, ledger.Transfer{Crossing: w.ID, Legs: legs})
		if err != nil {
			return sent, err
		}
		plan.Emit(step)
		i.Progress = Sent
		step.Emit(&Instructed{i})
	}
	if w.Left == 0 && len(w.Plan) == 0 {
		s.settled(step, w)
	}
	return sent, nil
}

func (s *State) account(i *Instruction, owner string, purpose ledger.Purpose) ledger.Account {
	return ledger.Account{Owner: owner, Currency: i.Currency, Purpose: purpose}
}

func (s *State) settled(step *replica.Step, w *Window) {
	step.Emit(&WindowSettled{Window: w.ID, Agreement: w.Agreement, Currency: w.Currency})
}

// Tick closes windows and sends instructions whose time has come.
func (s *State) Tick(step *replica.Step, limit int) int {
	n := 0
	for n < limit {
		_, id, ok := s.due.Next(step.At)
		if !ok {
			break
		}
		w, found := s.windows.Get(id)
		var err error
		switch {
		case !found:
			continue
		case w.Status == Open && w.Until <= step.At:
			n++
			err = s.close(step, &w)
		case w.Status == Closed && w.Due <= step.At:
			var sent int
			sent, err = s.instruct(step, &w, limit-n)
			n += max(1, sent)
			if w, found = s.windows.Get(id); err == nil && found && w.Status == Closed {
				s.due.Add(w.Due, id) // the rest goes out with the next tick
			}
		}
		if err != nil {
			step.Emit(&Postponed{Window: id, Until: step.At + retry, Reason: err.Error()})
		}
	}
	return n
}

func (s *State) report(step *replica.Step, c *Report) (Answer, error) {
	i, ok := s.instructions.Get(c.Instruction)
	if !ok && step.Effect != 0 {
		return Answer{}, nil // somebody has said what became of it
	}
	if !ok || step.Effect == 0 && !s.parties.IsOperator(step.Caller) && step.Caller != i.To && step.Caller != i.From {
		return Answer{}, &moongate.Error{Code: moongate.NotFound, Field: "instruction", Message: fmt.Sprintf("there is no instruction %s that is neither paid nor returned", c.Instruction), Hint: "list the instructions"}
	}
	paid, open := s.progressOf(&i)
	if step.Effect != 0 && c.Progress == Returned && paid+open > 0 {
		c = &Report{Instruction: c.Instruction, Progress: Manual, Ref: c.Ref, Reason: c.Reason, Part: paid} // it cannot be said any more
	}
	if err := s.mayReport(step, c, &i, paid, open); err != nil {
		return Answer{}, err
	}
	w, _ := s.windows.Get(i.Window)
	legs := []ledger.Leg{{Debit: s.account(&i, i.To, ledger.Instructed), Credit: s.account(&i, i.To, ledger.Payable), Amount: i.Amount}}
	if c.Progress == Paid {
		legs[0].Credit = s.account(&i, i.From, ledger.Receivable)
		if i.Wallet {
			legs[0].Credit = s.account(&i, i.From, ledger.Wallet)
		}
	}
	if c.Progress == Paid || c.Progress == Returned {
		plan, err := s.books.Plan(step, ledger.Transfer{Crossing: w.ID, Legs: legs})
		if err != nil {
			return Answer{}, err
		}
		plan.Emit(step)
	}
	part := i.Part
	if c.Progress == Manual {
		part = paid
		if step.Effect != 0 {
			part = max(part, min(c.Part, i.Amount))
		}
		if step.Effect != 0 && i.Progress == Manual && part == i.Part {
			return s.answer(w.ID), nil // a person has said so before, and why
		}
	}
	step.Emit(&Reported{Ending{
		Instruction: i.ID, Window: i.Window, From: i.From, To: i.To, Currency: i.Currency, Amount: i.Amount, Progress: c.Progress,
		Ref: c.Ref, Reason: c.Reason, Part: part,
	}})
	if w, _ = s.windows.Get(i.Window); w.Left == 0 && w.Next == len(w.Plan) {
		s.settled(step, &w)
	}
	return s.answer(w.ID), nil
}

// mayReport checks who says what: anybody may see that money has come to it, but only the wallet's own answer or an
// operator can say that a payment failed.
func (s *State) mayReport(step *replica.Step, c *Report, i *Instruction, paid, open int64) error {
	trusted := step.Effect != 0 || s.parties.IsOperator(step.Caller)
	switch {
	case c.Progress != Paid && c.Progress != Returned && c.Progress != Manual && c.Progress != Sent || c.Progress == Sent && step.Effect != 0:
		return &moongate.Error{Code: moongate.Malformed, Field: "progress", Message: fmt.Sprintf("%s cannot be reported", c.Progress), Hint: "report paid, returned or manual, or sent to have the wallet told again"}
	case c.Progress != Paid && !trusted || step.Caller == i.From && !trusted:
		return &moongate.Error{Code: moongate.Forbidden, Field: "progress", Message: fmt.Sprintf("%s may not say that an instruction is %s", step.Caller, c.Progress), Hint: "the payee confirms what it received; for everything else ask the operator"}
	case i.Progress == Planned:
		return &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("instruction %s has not gone out yet", i.ID), Hint: "wait until its window is due"}
	case c.Progress == Sent && (i.Progress != Manual || !i.Wallet):
		return &moongate.Error{Code: moongate.Conflict, Field: "progress", Message: fmt.Sprintf("instruction %s does not wait for a payment by hand from a wallet", i.ID), Hint: "only such a one is told to its wallet again"}
	case open > 0 && c.Progress != Sent && step.Effect == 0 && step.Caller != i.To:
		// Whoever would now pay by hand, or make the claim anew, pays what the wallet is paying.
		return &moongate.Error{
			Code: moongate.Conflict, Field: "progress", Message: fmt.Sprintf("%s of instruction %s are under way at %s", money.Of(open, i.Currency), i.ID, i.From),
			Hint: "wait until the wallet has said what became of them",
		}
	case c.Progress == Returned && paid+open > 0: // the claim would be made anew for all of it
		return &moongate.Error{
			Code: moongate.Conflict, Field: "progress", Message: fmt.Sprintf("%s of instruction %s were paid already, of %s", money.Of(paid, i.Currency), i.ID, money.Of(i.Amount, i.Currency)),
			Hint: "pay the rest by hand and report it paid, or report it sent to have the wallet told again",
		}
	case c.Progress == Returned && c.Reason == "":
		return &moongate.Error{Code: moongate.Malformed, Field: "reason", Message: "the reason is empty", Hint: "say why it could not be paid"}
	}
	if err := party.CheckText("ref", c.Ref, 0, 128); err != nil {
		return err
	}
	return party.CheckText("reason", c.Reason, 0, 500)
}

func (s *State) abort(step *replica.Step, c *Abort) (Answer, error) {
	if err := party.CheckText("reason", c.Reason, 1, 500); err != nil {
		return Answer{}, err
	}
	if err := s.operator(step); err != nil {
		return Answer{}, err
	}
	w, ok := s.windows.Get(c.Window)
	switch {
	case !ok:
		return Answer{}, unknownWindow(c.Window)
	case w.Status != Closed || w.Next > 0:
		return Answer{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("window %s is %s", w.ID, w.Status), Hint: "only a closed window can be aborted, before anything is instructed"}
	}
	n := s.closedAs(&w)
	var plans []*ledger.Plan
	for _, who := range n.parties {
		legs := s.clearing(&w, who, n)
		for i := range legs {
			legs[i].Debit, legs[i].Credit = legs[i].Credit, legs[i].Debit
		}
		if len(legs) == 0 {
			continue
		}
		plan, err := s.books.Plan(step, ledger.Transfer{Crossing: w.ID, Legs: legs})
		if err != nil {
			return Answer{}, err
		}
		plans = append(plans, plan)
	}
	for _, p := range plans {
		p.Emit(step)
	}
	step.Emit(&WindowAborted{Window: w.ID, Reason: c.Reason})
	return Answer{Window: w.ID, Status: Aborted}, nil
}

// closedAs is the netting with which a window closed.
func (s *State) closedAs(w *Window) *netting {
	n := s.newNetting(w, 0)
	n.moved, n.received = map[string]Position{}, map[string]int64{}
	for _, m := range w.Moved { // it has been taken off since
		n.moved[m.Party] = m.Position
		n.positions[m.Party] = n.positions[m.Party].plus(m.Position, 1)
	}
	for _, who := range n.parties {
		n.wallets[who] = s.isWallet(who, n.positions[who])
	}
	for _, id := range w.Plan {
		i, _ := s.instructions.Get(id)
		n.received[i.To] += i.Amount
	}
	n.rest()
	return n
}

// ClaimPlan is a claim that will be added to a window.
type ClaimPlan struct {
	state *State
	event *Claimed
}

// PlanClaim plans to have a sum become due that no crossing made due: the total of a private statement, of whose
// accrual the caller plans the transfer to the payee's payable account itself. Wallet says that From is a wallet, which
// pays out of what it kept back. Nothing changes.
func (s *State) PlanClaim(_ *replica.Step, c Claiming) (*ClaimPlan, error) {
	terms, err := s.agreements.Version(c.Agreement, c.Version)
	switch {
	case err != nil:
		return nil, err
	case terms.Doc.Settlement == nil:
		return nil, &moongate.Error{Code: moongate.Refused, Field: "agreement", Message: fmt.Sprintf("%s has no settlement terms", terms.Doc.ID), Hint: "agree on some"}
	case c.Amount <= 0 || c.From == c.To:
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "amount", Message: fmt.Sprintf("%d from %s to %s is no claim", c.Amount, c.From, c.To), Hint: "turn a negative one around"}
	}
	return &ClaimPlan{s, &Claimed{c}}, nil
}

// Emit adds the claim, and cannot fail.
func (p *ClaimPlan) Emit(step *replica.Step) { step.Emit(p.event) }
