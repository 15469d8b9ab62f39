package ledger

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// MaxLegs bounds one transfer.
const MaxLegs = 4096

// Leg moves an amount, in minor units and not negative, from the credited to the debited side of the books. Both
// accounts have one currency.
type Leg struct {
	Debit, Credit Account
	Amount        int64
}

// Transfer is value to be moved: all of its legs or none.
type Transfer struct {
	// Crossing is what the value moves for: a crossing, or the window or statement that closes crossings.
	Crossing moongate.ID
	// Pending holds the value instead of moving it: it counts against limits until it is posted, voided or expires.
	Pending bool
	Expires moongate.Time // of a pending one; 0 is never
	Legs    []Leg
}

// Result is what a transfer did: its postings, with the resulting balances. They are the journal's own: do not change
// them.
type Result struct {
	Transfer moongate.ID `json:"transfer" cbor:"1,keyasint,omitzero"` // zero where nothing had to move
	Postings []*Posting  `json:"postings,omitempty" cbor:"2,keyasint,omitempty"`
}

// Plan is a movement that has been checked and can be emitted within the same command. Until then other plans of the
// command see it as if it had happened.
type Plan struct {
	state    *State
	transfer Transfer
	ends     moongate.ID // the pending transfer that the plan resolves, or zero
	outcome  Outcome
	changes  []change
	few      [fewPostings]change
	index    map[Account]int // of changes, once they are many
}

// fewPostings is how many postings most transfers have at most: for them all memory is taken at once.
const fewPostings = 6

// change is what a plan does to one account, on one side. A plan that ends a pending transfer lets go what was held,
// and posts what debit and credit say.
type change struct {
	account                 Account
	number                  int // in the books, or noNumber
	debit, credit           int64
	debitLetGo, creditLetGo int64
}

// delta is what the change does to the balance.
func (p *Plan) delta(c *change) Balance {
	switch {
	case p.transfer.Pending:
		return Balance{DebitsPending: c.debit, CreditsPending: c.credit}
	case p.outcome == Voided || p.outcome == Expired:
		return Balance{DebitsPending: -c.debit, CreditsPending: -c.credit}
	}
	return Balance{Debits: c.debit, Credits: c.credit, DebitsPending: -c.debitLetGo, CreditsPending: -c.creditLetGo}
}

const noNumber = -1

// Plan checks a transfer against the books and the plans of the same command that stand. Legs are netted account by
// account before limits are checked; an account comes into being when it is first used. Nothing changes.
//
// Errors: malformed for legs that cannot be; limit, for an account that would go beyond its limits; conflict for a
// closed account (the field of both is the account, and the message shows figures that are for its owner); busy where the books or the pending transfers are full.
func (s *State) Plan(step *replica.Step, t Transfer) (*Plan, error) {
	switch {
	case len(t.Legs) == 0 || len(t.Legs) > MaxLegs:
		return nil, malformed("legs", fmt.Sprintf("a transfer of %d legs", len(t.Legs)), fmt.Sprintf("give between 1 and %d", MaxLegs))
	case t.Expires != 0 && !t.Pending:
		return nil, malformed("expires", "only a pending transfer expires", "leave it out")
	case t.Expires != 0 && t.Expires <= step.At:
		return nil, malformed("expires", fmt.Sprintf("%s is not in the future", t.Expires), "a transfer expires after now")
	case t.Pending && s.pending.Len() >= s.bounds.Pending:
		return nil, &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("%d transfers are pending already", s.pending.Len()), Hint: "try again when some have been posted or voided"}
	}
	s.begin(step)
	p := s.plan()
	p.transfer = t
	for i := range t.Legs {
		l := &t.Legs[i]
		if l.Amount < 0 {
			return nil, malformed(legField(i, "amount"), fmt.Sprintf("%d is negative", l.Amount), "swap debit and credit")
		}
		if l.Debit.Currency != l.Credit.Currency {
			return nil, malformed(legField(i, "credit"), fmt.Sprintf("from %s to %s", l.Credit, l.Debit), "both accounts of a leg have one currency")
		}
		if l.Amount == 0 || l.Debit == l.Credit {
			continue
		}
		d, c := p.change(l.Debit), p.change(l.Credit)
		var ok1, ok2 bool
		p.changes[d].debit, ok1 = money.Add(p.changes[d].debit, l.Amount)
		p.changes[c].credit, ok2 = money.Add(p.changes[c].credit, l.Amount)
		if !ok1 || !ok2 {
			return nil, malformed(legField(i, "amount"), "the legs of one account add up to more than 64 bits", "no real transfer is that large: check the input")
		}
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	p.transfer.Legs = nil // the caller may use the memory again
	s.scratch.plans = append(s.scratch.plans, p)
	return p, nil
}

// find gives the index of the plan's change of an account, or −1. Few are found by looking; many have an index.
func (p *Plan) find(a Account) int {
	if p.index != nil {
		if i, ok := p.index[a]; ok {
			return i
		}
		return -1
	}
	for i := range p.changes {
		if p.changes[i].account == a {
			return i
		}
	}
	return -1
}

// change finds or adds the plan's change of an account.
func (p *Plan) change(a Account) int {
	i := p.find(a)
	if i >= 0 {
		return i
	}
	n := noNumber
	if known, ok := p.state.numbers[a]; ok {
		n = int(known)
	}
	i = len(p.changes)
	p.changes = append(p.changes, change{account: a, number: n})
	if len(p.changes) > len(p.few) {
		p.reindex()
	}
	return i
}

func (p *Plan) reindex() {
	if p.index == nil {
		p.index = make(map[Account]int, 2*len(p.changes))
	}
	for i := len(p.index); i < len(p.changes); i++ {
		p.index[p.changes[i].account] = i
	}
}

// settle nets the changes and checks them.
func (p *Plan) settle() error {
	kept := p.changes[:0]
	fresh := 0
	for _, c := range p.changes {
		if c.debit >= c.credit {
			c.debit, c.credit = c.debit-c.credit, 0
		} else {
			c.debit, c.credit = 0, c.credit-c.debit
		}
		if c.debit == 0 && c.credit == 0 {
			continue
		}
		if c.number == noNumber {
			if err := c.account.check(); err != nil {
				return err
			}
			fresh++
		}
		kept = append(kept, c)
	}
	if p.changes = kept; p.index != nil {
		p.index = nil
		p.reindex()
	}
	s := p.state
	if fresh > 0 && s.books.Len()+fresh > s.bounds.Accounts {
		return &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("the books hold %d accounts and take no more", s.books.Len()), Hint: "ask the operator for a larger bound"}
	}
	for i := range p.changes {
		if err := p.check(&p.changes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) check(c *change) error {
	s := p.state
	before, limits := Balance{}, Limits{}
	if c.number != noNumber {
		b := s.books.At(c.number)
		before, limits = b.Balance, b.Limits
	}
	before, ok1 := before.plus(s.reserved(c.account))
	after, ok2 := before.plus(p.delta(c))
	if !ok1 || !ok2 {
		return &moongate.Error{Code: moongate.Limit, Field: c.account.String(), Message: fmt.Sprintf("the turnover of %s would exceed 64 bits", c.account), Hint: "check the amounts"}
	}
	if limits.Closed {
		return &moongate.Error{Code: moongate.Conflict, Field: c.account.String(), Message: fmt.Sprintf("%s is closed", c.account), Hint: "ask the operator to open it, or use another account"}
	}
	return limits.admits(c.account, before, after)
}

// Emit makes the plan happen, and cannot fail. A plan is emitted at most once, in the command it was made in. Where
// all legs came to nothing it emits no event.
func (p *Plan) Emit(step *replica.Step) Result {
	s := p.state
	s.release(step, p)
	if len(p.changes) == 0 && p.ends.IsZero() {
		return Result{}
	}
	e := newEvent(len(p.changes))
	p.fill(step, &e.Places, func(i int) (int, *Posting) { return i, e.Postings[i] })
	t := &p.transfer
	if !p.ends.IsZero() {
		step.Emit(&Resolved{Resolution: Resolution{ID: p.ends, Crossing: t.Crossing, Outcome: p.outcome}, Places: e.Places, Postings: e.Postings})
		return Result{p.ends, e.Postings}
	}
	e.Movement = Movement{ID: step.NewID(moongate.KindTransfer), Crossing: t.Crossing, Pending: t.Pending, Expires: t.Expires}
	step.Emit(e)
	return Result{e.ID, e.Postings}
}

// Len is how many postings the plan will have.
func (p *Plan) Len() int { return len(p.changes) }

// Account is the one of posting i.
func (p *Plan) Account(i int) Account { return p.changes[i].account }

// Carry makes the plan happen as Emit does, but within an event of the caller's: a [Mover], which must be emitted next.
// It writes posting i of [Plan.Len] to where at says, and its account's place under the number that at gives it; places has
// room for all.
func (p *Plan) Carry(step *replica.Step, places *Places, at func(i int) (int, *Posting)) Movement {
	p.state.release(step, p)
	p.fill(step, places, at)
	return Movement{ID: step.NewID(moongate.KindTransfer), Crossing: p.transfer.Crossing, Pending: p.transfer.Pending, Expires: p.transfer.Expires}
}

// fill opens accounts that are new, and writes down places and postings.
func (p *Plan) fill(step *replica.Step, places *Places, at func(i int) (int, *Posting)) {
	s := p.state
	for i := range p.changes {
		c := &p.changes[i]
		if c.number == noNumber {
			c.number = s.open(step, c.account)
		}
		b := s.books.At(c.number)
		after, _ := b.Balance.plus(p.delta(c))
		k, posting := at(i)
		places.Numbers[k], places.Before[k] = uint32(c.number), b.Head
		*posting = Posting{Account: c.account, Debit: c.debit, Credit: c.credit, Balance: after}
	}
}

// newEvent makes an event of so many empty postings, of few in one piece of memory.
func newEvent(n int) *Transferred {
	if n > fewPostings {
		e := &Transferred{Places: Places{Numbers: make([]uint32, n), Before: make([]journal.Position, n)}, Postings: make([]*Posting, n)}
		for i := range e.Postings {
			e.Postings[i] = new(Posting)
		}
		return e
	}
	whole := new(struct {
		event    Transferred
		numbers  [fewPostings]uint32
		before   [fewPostings]journal.Position
		pointers [fewPostings]*Posting
		postings [fewPostings]Posting
	})
	e := &whole.event
	e.Numbers, e.Before, e.Postings = whole.numbers[:n], whole.before[:n], whole.pointers[:n]
	for i := range e.Postings {
		e.Postings[i] = &whole.postings[i]
	}
	return e
}

// open gives an account its number, unless another plan of this command did.
func (s *State) open(step *replica.Step, a Account) int {
	if known, ok := s.numbers[a]; ok {
		return int(known)
	}
	n := s.books.Len()
	step.Emit(&Opened{Opening{a}, Place{Number: uint32(n)}})
	return n
}

// Drop gives up a plan that will not be emitted, so that later plans of the same command do not count it. A refused
// command need not.
func (p *Plan) Drop(step *replica.Step) { p.state.release(step, p) }

// scratch is the plans that stand in the command being decided. It is no state: another command starts anew.
type scratch struct {
	step  uint64
	plans []*Plan
	spare replica.Spare[Plan]
}

// plan gives an empty plan, for this command.
func (s *State) plan() *Plan {
	p := s.scratch.spare.Take()
	p.state, p.changes = s, p.few[:0]
	return p
}

// Reuse lets go of the command's plans.
func (s *State) Reuse() { s.scratch.spare.Reuse() }

// begin forgets the plans of another command.
func (s *State) begin(step *replica.Step) {
	if s.scratch.step != step.Number() {
		s.scratch.step = step.Number()
		clear(s.scratch.plans)
		s.scratch.plans = s.scratch.plans[:0]
	}
}

// reserved is what the standing plans will do to an account.
func (s *State) reserved(a Account) Balance {
	var sum Balance
	for _, p := range s.scratch.plans {
		if i := p.find(a); i >= 0 {
			sum, _ = sum.plus(p.delta(&p.changes[i])) // each was checked to fit
		}
	}
	return sum
}

func (s *State) release(step *replica.Step, p *Plan) {
	if s.scratch.step == step.Number() {
		for i, standing := range s.scratch.plans {
			if standing == p {
				s.scratch.plans = append(s.scratch.plans[:i], s.scratch.plans[i+1:]...)
				return
			}
		}
	}
	panic("ledger: a plan that does not stand: emitted twice, or in another command")
}
