package crossing

import (
	"errors"
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/share"
)

// Plan is a crossing that the terms and the books allow, to be emitted within the same command.
type Plan struct {
	state    *State
	event    *Recorded
	transfer *ledger.Plan // nil where no value moves
}

// Plan finds out whether a passage is allowed, and what it comes to. Nothing changes.
//
// Errors: malformed for a passage that cannot be. Every other error is a refusal by participants, terms or limits: a
// command that returns it leaves a [Refused] in the journal, and one that goes on in spite of it may emit what
// [State.Refusal] gives.
func (s *State) Plan(step *replica.Step, p Passage) (*Plan, error) {
	s.begin(step)
	b := s.builder(step, p)
	plan, err := b.build()
	if err == nil {
		s.scratch.plans = append(s.scratch.plans, plan)
		return plan, nil
	}
	var reason *moongate.Error
	if !errors.As(err, &reason) {
		reason = &moongate.Error{Code: moongate.Internal, Message: err.Error()}
	}
	if reason.Code == moongate.Malformed {
		return nil, reason
	}
	return nil, step.Refuse(s.Refusal(step, p, reason), reason)
}

// Refusal is the event that says that a passage was refused: for a command that finds out but does not fail.
func (s *State) Refusal(step *replica.Step, p Passage, reason *moongate.Error) *Refused {
	b := s.builder(step, p)
	if o, ok := s.open.Get(p.Reverses); ok {
		b.inherit(&o)
	}
	if t, err := s.agreements.InForce(b.p.Agreement, step.At); err == nil {
		b.terms = t
		b.hide()
	}
	return &Refused{
		Refusal: Refusal{
			ID: step.NewID(moongate.KindCrossing), At: step.At, Kind: p.Kind, Agreement: b.p.Agreement, From: b.p.From, To: b.p.To,
			Class: b.p.Class, Currency: p.Currency, Amount: p.Amount, Reverses: p.Reverses, Reason: *reason,
		},
		Hiding: Hiding{b.book.Hidden},
	}
}

// Emit records the crossing, and cannot fail. It gives the event as it stands in the journal: do not change it, and keep
// nothing of it but values and text once the command is decided, as its memory serves the next one.
func (p *Plan) Emit(step *replica.Step) *Recorded {
	s := p.state
	s.release(step, p)
	e := p.event
	if p.transfer != nil {
		p.carry(step)
	}
	e.Before = s.Head(e.Agreement)
	step.Emit(e)
	return e
}

// carry has the event carry the transfer: each posting in the side of its account's owner, for which there is room.
func (p *Plan) carry(step *replica.Step) {
	e, n := p.event, p.transfer.Len()
	if n == 0 {
		p.transfer.Drop(step) // all of it came to nothing
		return
	}
	m := p.transfer.Carry(step, &e.Places, func(i int) (int, *ledger.Posting) {
		owner, before := p.transfer.Account(i).Owner, 0
		for _, side := range e.Sides {
			if side.Party == owner {
				k := len(side.Postings)
				side.Postings = side.Postings[:k+1]
				return before + k, &side.Postings[k]
			}
			before += cap(side.Postings)
		}
		panic("crossing: a posting of somebody who has no side")
	})
	e.Transfer, e.Expires = m.ID, m.Expires
	for _, side := range e.Sides {
		side.Transfer = m.ID
	}
}

// Drop gives up a plan that will not be emitted though its command goes on.
func (p *Plan) Drop(step *replica.Step) {
	p.state.release(step, p)
	if p.transfer != nil {
		p.transfer.Drop(step)
	}
}

// Event is what the plan would record.
func (p *Plan) Event() *Recorded { return p.event }

// PlanComplete plans to complete a pending crossing: its value moves. The error is a conflict where it is not pending
// any more.
func (s *State) PlanComplete(step *replica.Step, id moongate.ID) (*ledger.Plan, error) {
	o, err := s.pending(id)
	if err != nil {
		return nil, err
	}
	return s.books.PlanPost(step, o.Book.Transfer)
}

// PlanVoid plans to give a pending crossing up: its value is let go. The error is a conflict where it is not pending any
// more.
func (s *State) PlanVoid(step *replica.Step, id moongate.ID) (*ledger.Plan, error) {
	o, err := s.pending(id)
	if err != nil {
		return nil, err
	}
	return s.books.PlanVoid(step, o.Book.Transfer)
}

func (s *State) pending(id moongate.ID) (Open, error) {
	o, ok := s.open.Get(id)
	if !ok || !o.Pending {
		return o, &moongate.Error{
			Code: moongate.Conflict, Field: "crossing", Message: fmt.Sprintf("crossing %s is not pending", id),
			Hint: "it was completed or given up, which is final; or there is none",
		}
	}
	return o, nil
}

func (s *State) begin(step *replica.Step) {
	if s.scratch.step != step.Number() {
		s.scratch.step = step.Number()
		clear(s.scratch.plans)
		s.scratch.plans = s.scratch.plans[:0]
	}
}

func (s *State) release(step *replica.Step, p *Plan) {
	if i := slices.Index(s.scratch.plans, p); s.scratch.step == step.Number() && i >= 0 {
		s.scratch.plans = slices.Delete(s.scratch.plans, i, i+1)
		return
	}
	panic("crossing: a plan that does not stand: emitted twice, or in another command")
}

// builder makes a plan of a passage, step by step.
type builder struct {
	s     *State
	step  *replica.Step
	p     Passage
	terms *agreement.Terms // nil of an exception
	open  *Open            // of a refund: what it reverses
	book  Book
	whole *whole // the memory of what is made of it

	// What follows is copied out in the end.
	sides []draft
	lines []draftLine
	legs  []ledger.Leg
}

// draft is a side whose lines are counted but not yet together.
type draft struct {
	party           string
	lines, postings int
}

type draftLine struct {
	Line
	side int
}

// builder gives the one there is, empty. A state decides one command at a time.
func (s *State) builder(step *replica.Step, p Passage) *builder {
	b := &s.scratch.builder
	*b = builder{s: s, step: step, p: p, sides: b.sides[:0], lines: b.lines[:0], legs: b.legs[:0]}
	return b
}

func (b *builder) build() (*Plan, error) {
	if err := b.p.check(); err != nil {
		return nil, err
	}
	b.whole = b.s.scratch.wholes.Take()
	var err error
	switch b.p.Kind {
	case Refund:
		err = b.refund()
	case Exception:
		err = b.exception()
	case Takeback:
		err = b.takeback()
	default:
		err = b.sale()
	}
	if err != nil {
		return nil, err
	}
	return b.finish()
}

// finish makes the event and plans the transfer.
func (b *builder) finish() (*Plan, error) {
	p := &b.p
	pending := p.Pending && len(b.legs) > 0 // where nothing is held, nothing is pending
	whole := b.whole
	e := &whole.event
	e.Shared = Shared{
		ID: b.step.NewID(moongate.KindCrossing), At: b.step.At, Kind: p.Kind, Agreement: p.Agreement, From: p.From, To: p.To,
		Class: p.Class, Currency: p.Currency, Amount: p.Amount, Reverses: p.Reverses, Releases: p.Releases, Pending: pending,
	}
	if b.terms != nil {
		e.Version = b.terms.Doc.Version
	}
	for _, side := range b.sides {
		if err := b.show(side.party); err != nil {
			return nil, err
		}
	}
	plan := &Plan{state: b.s, event: e} // of its own memory: one that stands no more is told from one that does
	if len(b.legs) > 0 {
		var err error
		plan.transfer, err = b.s.books.Plan(b.step, ledger.Transfer{Crossing: e.ID, Pending: p.Pending, Expires: p.Expires, Legs: b.legs})
		if err != nil {
			return nil, discreet(err)
		}
		if err := b.postings(plan.transfer); err != nil {
			return nil, err
		}
	}
	e.Book = b.book
	b.together(whole)
	return plan, nil
}

// show refuses a side for somebody from whom the terms hide the crossing.
func (b *builder) show(party string) error {
	if slices.Contains(b.book.Hidden, party) {
		return refused("agreement", fmt.Sprintf("the terms give %s totals only, but have it pay or receive with each crossing", party), "agree on terms that keep it out of single crossings")
	}
	return nil
}

// postings counts those of each side. Whose accounts are moved without a line to say why has a side all the same.
func (b *builder) postings(p *ledger.Plan) error {
	for i := range p.Len() {
		owner := p.Account(i).Owner
		k := slices.IndexFunc(b.sides, func(d draft) bool { return d.party == owner })
		if k < 0 {
			if err := b.show(owner); err != nil {
				return err
			}
			k, b.sides = len(b.sides), append(b.sides, draft{party: owner})
		}
		b.sides[k].postings++
	}
	return nil
}

// together makes the sides of the draft, each with its lines in the order in which they were written.
func (b *builder) together(w *whole) {
	if len(b.sides) == 0 {
		return
	}
	e := &w.event
	sides, lines := sized(w.sides[:], len(b.sides)), sized(w.lines[:], len(b.lines))
	count := 0
	for i := range b.sides {
		count += b.sides[i].postings
	}
	var postings []ledger.Posting
	if count > 0 {
		postings = sized(w.postings[:], count)
		e.Places = ledger.Places{Numbers: sized(w.numbers[:], count), Before: sized(w.before[:], count)}
	}
	e.Sides = sized(w.pointers[:], len(sides))
	for i, d := range b.sides {
		sides[i] = Side{
			Party: d.party, Crossing: e.ID, At: e.At, Kind: e.Kind, Agreement: e.Agreement, Version: e.Version, Currency: e.Currency,
			Lines: lines[:0:d.lines], Reverses: e.Reverses, Pending: e.Pending,
		}
		if d.postings > 0 {
			sides[i].Postings, postings = postings[:0:d.postings], postings[d.postings:]
		}
		e.Sides[i], lines = &sides[i], lines[d.lines:]
	}
	for i := range b.lines {
		side := &sides[b.lines[i].side]
		side.Lines = append(side.Lines, b.lines[i].Line)
	}
}

// discreet keeps an account's figures out of a refusal: others than its owner read it.
func discreet(err error) error {
	var e *moongate.Error
	if !errors.As(err, &e) || e.Code != moongate.Limit {
		return err
	}
	account, parse := ledger.ParseAccount(e.Field)
	if parse != nil {
		return err
	}
	return &moongate.Error{
		Code: moongate.Limit, Field: "amount", Message: fmt.Sprintf("a limit of %s in %s does not allow it", account.Owner, account.Currency),
		Hint: "cross with less, or have its owner and the operator look at the account",
	}
}

// sale builds a link, a payment or a conversion.
func (b *builder) sale() error {
	p, s := &b.p, b.s
	var err error
	if b.terms, err = s.agreements.InForce(p.Agreement, b.step.At); err != nil {
		return err
	}
	if p.Kind != Link {
		if err := s.Full(); err != nil {
			return err
		}
	}
	b.book.Cast, b.book.Touches = b.whole.cast[:0], b.whole.touches[:0]
	if err := b.admit(); err != nil {
		return err
	}
	b.hide()
	b.touches()
	if err := b.source(); err != nil {
		return err
	}
	if p.Kind == Link && p.Currency.IsZero() {
		b.linkCurrency()
	}
	if b.book.Payees = b.whole.payees[:]; len(p.Payees) != len(b.book.Payees) {
		b.book.Payees = make([]Sold, len(p.Payees))
	}
	for i := range p.Payees {
		b.book.Payees[i] = Sold{Payee: p.Payees[i]}
		y := &b.book.Payees[i]
		if y.Class == "" {
			y.Class = p.Class
		}
		if err := b.payee(i, y); err != nil {
			return err
		}
	}
	return nil
}

// linkCurrency gives a link, which has no amount, the currency in which its terms charge for it.
func (b *builder) linkCurrency() {
	if codes := b.terms.Doc.Scope.Currencies; len(codes) > 0 {
		b.p.Currency, _ = money.ParseCurrency(codes[0]) // the terms were compiled with it
	}
}

// admit sees that everybody named may take part, and stands under the terms.
func (b *builder) admit() error {
	p, at := &b.p, b.step.At
	if p.From == p.To {
		return malformed("to", fmt.Sprintf("a crossing from %q to itself", p.From), "name two participants")
	}
	for _, who := range [2]string{p.From, p.To} {
		if err := b.s.parties.May(who); err != nil {
			return err
		}
		if _, ok := b.s.agreements.RoleOf(b.terms, who, at); !ok {
			return refused("agreement", fmt.Sprintf("%s does not stand under %s version %d", who, b.terms.Doc.ID, b.terms.Doc.Version), "have it sign or accept the agreement")
		}
	}
	if p.Wallet != "" {
		if err := b.s.parties.May(p.Wallet); err != nil {
			return err
		}
		if b.terms.Doc.Party(agreement.Wallet) != nil {
			if !b.s.agreements.Stands(b.terms, agreement.Wallet, p.Wallet, at) {
				return refused("wallet", fmt.Sprintf("%s is no wallet of %s version %d", p.Wallet, b.terms.Doc.ID, b.terms.Doc.Version), "choose another wallet")
			}
			b.book.Cast = append(b.book.Cast, Part{agreement.Wallet, p.Wallet})
		}
		b.book.Wallet = p.Wallet
	}
	b.book.Subject = p.Subject
	if len(p.Payees) > 0 {
		return nil
	}
	for _, who := range [2]string{p.To, p.From} {
		if b.s.agreements.Stands(b.terms, b.terms.Beneficiary(), who, at) {
			p.Payees = []Payee{{Party: who, Amount: p.Amount}}
			return nil
		}
	}
	if p.Kind != Link {
		return malformed("payees", fmt.Sprintf("neither %s nor %s is the %s of the agreement", p.From, p.To, b.terms.Beneficiary()), "say whose the amount is")
	}
	p.Payees = []Payee{{}} // a link may cost something though nobody is paid by a buyer
	return nil
}

// hide notes which of From and To the terms give totals only. Links are no secret from who sent the reader.
func (b *builder) hide() {
	if b.p.Kind == Link {
		return
	}
	for _, d := range b.terms.Doc.Disclosure {
		if d.Level != agreement.TotalOnly {
			continue
		}
		for _, who := range [2]string{b.p.From, b.p.To} {
			if b.s.agreements.Stands(b.terms, d.To, who, b.step.At) && !slices.Contains(b.book.Hidden, who) {
				b.book.Hidden = append(b.book.Hidden, who)
			}
		}
	}
}

// touches keeps the touches that the terms count: of members of the sharing role, within the window.
func (b *builder) touches() {
	_, window, ok := b.terms.Sharing()
	if !ok {
		return
	}
	to := b.terms.Doc.Share.To
	for _, t := range b.p.Touches {
		if t.At > b.step.At || t.At < b.step.At-window {
			continue
		}
		known := slices.ContainsFunc(b.book.Touches, func(o share.Touch) bool { return o.Party == t.Party })
		if known || b.s.agreements.Stands(b.terms, to, t.Party, b.step.At) {
			b.book.Touches = append(b.book.Touches, t)
		}
	}
}

// source books where the amount comes from.
func (b *builder) source() error {
	p := &b.p
	switch {
	case p.Kind != Payment:
	case p.Releases.IsZero():
		b.line(p.Wallet, Line{What: Held, Amount: p.Amount})
	default:
		o, err := b.reversible(p.Releases)
		if err != nil {
			return err
		}
		if o.Kind != Exception || o.Currency != p.Currency || o.Book.Wallet != p.Wallet {
			return refused("releases", fmt.Sprintf("%s is a %s of %s at %s, not an exception of %s at %s", p.Releases, o.Kind, o.Currency, o.Book.Wallet, p.Currency, p.Wallet), "release money where it stands")
		}
		b.open = o
		b.line(o.From, Line{What: Suspense, Amount: -p.Amount})
	}
	return nil
}

// payee books one payee's part, with its fees and shares.
func (b *builder) payee(i int, y *Sold) error {
	if y.Party != "" {
		if err := b.s.parties.May(y.Party); err != nil {
			return err
		}
		if !b.s.agreements.Stands(b.terms, b.terms.Beneficiary(), y.Party, b.step.At) {
			if _, ok := b.s.agreements.RoleOf(b.terms, y.Party, b.step.At); !ok {
				return refused(fmt.Sprintf("payees/%d/party", i), fmt.Sprintf("%s does not stand under %s version %d", y.Party, b.terms.Doc.ID, b.terms.Doc.Version), "have it accept the agreement, or pay somebody who has")
			}
			y.Free = true
		}
		b.gross(y, 1)
	}
	if y.Free {
		if !b.terms.Covers(kinds[b.p.Kind].as) {
			return refused("kind", fmt.Sprintf("crossings of kind %q are not in the scope of %s version %d", b.p.Kind, b.terms.Doc.ID, b.terms.Doc.Version), "propose a version whose scope names it")
		}
		return nil
	}
	b.volume(y)
	var room [agreement.MaxFees + 1]agreement.Due
	dues, err := b.terms.Fees(room[:0], b.saleOf(b.p.Kind, b.p.Currency, y))
	if err != nil {
		return err
	}
	for _, d := range dues {
		if d.Pool {
			err = b.pool(d, y)
		} else {
			err = b.fee(d, y.Party, y.Class)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) saleOf(k Kind, c money.Currency, y *Sold) agreement.Sale {
	return agreement.Sale{
		Kind: kinds[k].as, Currency: c, Class: y.Class, Gross: y.Amount, Freight: y.Freight, Tax: y.Tax,
		Volume: y.Volume, Touched: len(b.book.Touches) > 0,
	}
}

// volume finds the payee's volume before this sale and notes what the sale adds, where tiers go by volume.
func (b *builder) volume(y *Sold) {
	if y.Party == "" || !slices.ContainsFunc(b.terms.Doc.Fees, func(f agreement.Fee) bool { return f.Tiers != nil && f.Tiers.By == agreement.ByVolume }) {
		return
	}
	since := b.terms.PeriodStart(b.step.At)
	t, _ := b.s.volumes.Get(volumeKey{b.p.Agreement, y.Party, b.p.Currency})
	if t.Since != since {
		t = tally{Since: since}
	}
	for _, standing := range b.s.scratch.plans {
		if e := standing.event; e.Agreement == b.p.Agreement && e.Currency == b.p.Currency && !e.Pending {
			t.add(e.Volumes, y.Party)
		}
	}
	t.add(b.book.Volumes, y.Party)
	y.Volume = t.Gross
	b.book.Volumes = append(b.book.Volumes, Volume{y.Party, since, y.Amount})
}

func (t *tally) add(volumes []Volume, party string) {
	for _, v := range volumes {
		if v.Party == party && v.Since == t.Since {
			t.Gross += v.Gross
		}
	}
}

// pool divides a pool among those who touched.
func (b *builder) pool(d agreement.Due, y *Sold) error {
	rule, _, _ := b.terms.Sharing()
	division, err := rule.Distribute(d.Minor, b.book.Touches)
	if err != nil {
		return err
	}
	from, err := b.cast(d.From, y.Party)
	if err != nil {
		return err
	}
	for _, part := range division.Parts {
		b.share(from, d.From, part.Party, part.Minor, y.Class)
	}
	return nil
}
