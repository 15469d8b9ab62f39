package reconcile

import (
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// mayKeep refuses who is neither the hub itself nor an operator.
func (s *State) mayKeep(step *replica.Step) error {
	if step.Caller == "" || s.parties.IsOperator(step.Caller) {
		return nil
	}
	return &moongate.Error{Code: moongate.Forbidden, Message: "bills are reconciled by an operator", Hint: "ask one"}
}

// begin takes in what a bill is. One that was taken in whole stands as it is; one that was not is begun anew.
func (s *State) begin(step *replica.Step, c *Begin) (Answer, error) {
	if err := s.mayKeep(step); err != nil {
		return Answer{}, err
	}
	if err := c.check(); err != nil {
		return Answer{}, err
	}
	if p, ok := s.parties.Lookup(c.Bill.Wallet); !ok || p.Kind != party.Wallet {
		return Answer{}, &moongate.Error{Code: moongate.NotFound, Field: "wallet", Message: fmt.Sprintf("there is no wallet %.80q", c.Bill.Wallet), Hint: "name it as it is registered here"}
	}
	id, known := s.names[c.Bill]
	if b, _ := s.bills.Get(id); known && b.Ended != 0 {
		return Answer{Bill: id, Done: true, Known: true, Open: b.Open}, nil
	}
	if s.open+int(c.Differences) > s.limits.Differences {
		return Answer{}, &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("%d differences are not settled, and here are %d more", s.open, c.Differences), Hint: "settle some first; if most rows differ, it is another wallet's or another day's bill"}
	}
	e := &Began{Bill: id, Name: c.Bill, Published: c.Published, Bytes: c.Bytes, Figures: c.Figures, By: step.Caller}
	if !known {
		e.Bill = step.NewID(moongate.KindBill)
		for _, other := range s.days[c.Bill.day()] {
			if b, ok := s.bills.Get(other); ok && b.Ended != 0 {
				e.Earlier = other
			}
		}
	}
	step.Emit(e)
	return Answer{Bill: e.Bill}, nil
}

func (c *Begin) check() error {
	if err := c.Bill.check(); err != nil {
		return err
	}
	if len(c.Published) > 80 || c.Bytes < 0 {
		return malformed("published", "it is no hash", "as the wallet published it, like sha1:…")
	}
	f := &c.Figures
	for _, n := range []int64{f.Rows, f.Matched, f.Guessed, f.Aside, f.Differences, f.Missing, f.Differences - f.Missing} {
		if n < 0 || n > 1<<40 {
			return malformed("figures", fmt.Sprintf("there are no %d rows", n), "count them")
		}
	}
	if f.Rows != f.Matched+f.Guessed+f.Aside+f.Differences-f.Missing {
		return malformed("figures", fmt.Sprintf("%d rows, and the heaps have %d, %d, %d and %d", f.Rows, f.Matched, f.Guessed, f.Aside, f.Differences-f.Missing), "each row is in one of them")
	}
	for i := range f.Sums {
		if err := money.Of(f.Sums[i].Theirs, f.Sums[i].Currency).Check(); err != nil {
			return err
		}
		if i > 0 && slices.Compare(f.Sums[i-1].Currency[:], f.Sums[i].Currency[:]) >= 0 {
			return malformed("sums", "currencies are not in order, or twice", "give each once")
		}
	}
	return nil
}

// taking finds a bill that is being taken in.
func (s *State) taking(step *replica.Step, id moongate.ID) (Bill, error) {
	if err := s.mayKeep(step); err != nil {
		return Bill{}, err
	}
	b, ok := s.bills.Get(id)
	if !ok {
		return b, &moongate.Error{Code: moongate.NotFound, Field: "bill", Message: fmt.Sprintf("there is no bill %s", id), Hint: "begin it"}
	}
	return b, nil
}

// differ judges differences by what the hub knows now, and takes in those that stand.
func (s *State) differ(step *replica.Step, c *Differ) (Answer, error) {
	b, err := s.taking(step, c.Bill)
	if err != nil {
		return Answer{}, err
	}
	if b.Ended != 0 {
		return Answer{Bill: c.Bill, Done: true, Open: b.Open}, nil // somebody else has taken it in
	}
	if len(c.Items) == 0 || len(c.Items) > maxItems {
		return Answer{}, malformed("items", fmt.Sprintf("%d differences", len(c.Items)), fmt.Sprintf("1 to %d at once", maxItems))
	}
	for i := range c.Items {
		if err := c.Items[i].check(); err != nil {
			return Answer{}, err
		}
	}
	if s.open+len(c.Items) > s.limits.Differences {
		return Answer{}, &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("%d differences are not settled", s.open), Hint: "settle some first"}
	}
	t := &Taken{Bill: c.Bill}
	p := b.Name.period()
	for i := range c.Items {
		s.take(step, p, t, &c.Items[i])
	}
	step.Emit(t)
	b, _ = s.bills.Get(c.Bill)
	return Answer{Bill: c.Bill, Open: b.Open}, nil
}

func (i *Item) check() error {
	l := &i.Line
	switch {
	case i.Class < Duplicate || i.Class > Timing:
		return malformed("class", fmt.Sprintf("there is no %s", i.Class), "use one of the classes")
	case len(l.Number) > maxNumber || len(l.Ref) > maxNumber || len(l.State) > maxNumber || len(i.Facts) > 500 || i.Parts < 0 || l.Row < 0:
		return malformed("line", "a text is too long", "cut it")
	case (i.Class == MissingTheirs) != (l.Row == 0):
		return malformed("line", fmt.Sprintf("a difference of class %s in row %d", i.Class, l.Row), "what the bill is missing has no row, everything else has one")
	case l.number() == "" && i.No.IsZero():
		return malformed("number", "it is empty", "give the wallet's number at least")
	}
	return money.Of(l.Settled, l.Currency).Check()
}

// take judges one difference, and takes it in if it stands.
func (s *State) take(step *replica.Step, p *period, t *Taken, i *Item) {
	m, known := s.pay.Movement(i.No)
	theirs := i.Line.Settled
	if i.Class == MissingTheirs {
		theirs = 0
	}
	v := s.judgeItem(p, i, &m, known)
	t.gap(i.Line.Currency, theirs, i.Ours, v.ours)
	f := &Found{
		Bill: t.Bill, Class: v.class, Line: i.Line, No: i.No, Ours: v.ours, Facts: v.facts, Standing: Open,
	}
	if known {
		f.Payment = m.Payment
	}
	if v.class == Fee {
		f.Terms, f.Parts = i.Terms, i.Parts
	}
	waited := i.Class != MissingTheirs && s.endWait(step, p, t.Bill, f)
	before, stood := s.stands(p, f)
	switch {
	case v.class == 0:
		t.Healed++
		return
	case waited && v.class == Timing:
		t.Stood++
		return
	case stood:
		t.Stood++
		t.Again = append(t.Again, before)
		return
	case v.class == MissingTheirs:
		f.Standing, f.Next = Waiting, p.until+patience
	case v.class == Timing && apart(dayOf(m.At, p.zone()), p.Day) <= 1:
		f.Standing = Settled
	}
	f.Difference = step.NewID(moongate.KindDifference)
	step.Emit(f)
	t.Found++
}

// patience is how long the next day's bill is waited for.
const patience = 36 * moongate.Hour

// judgeItem is [judge] of what the importer found, by what the hub knows now.
func (s *State) judgeItem(p *period, i *Item, m *pay.Movement, known bool) verdict {
	switch i.Class {
	case Duplicate: // only the bill shows it
		return verdict{Duplicate, 0, i.Facts}
	case MissingTheirs:
		if !known || !m.Moved || m.Wallet != p.Wallet || s.sighted(p, i.No) {
			return verdict{}
		}
		return verdict{MissingTheirs, m.Settled, fmt.Sprintf("%s moved %s under %s, and its bill of %s does not have it", p.Wallet, amount(m.Settled, m.Amount.Currency), i.No, p.Day)}
	}
	var fee *ourFee
	if i.Parts > 0 {
		fee = &ourFee{i.Terms, i.Parts}
		if now, ok := termsFee(s.crossings, m); ok && !m.Refund {
			fee = &now
		}
	}
	return judge(p, &i.Line, m, known, fee)
}

// sighted tells whether a movement was found in another day's bill of the same kind.
func (s *State) sighted(p *period, no moongate.ID) bool {
	for _, id := range s.under[no.String()] {
		d, _ := s.differences.Get(id)
		b, _ := s.bills.Get(d.Bill)
		if d.Line.Row > 0 && d.Class != Duplicate && b.Name.Wallet == p.Wallet && b.Name.Kind == p.Kind && b.Name.Day != p.Day {
			return true
		}
		if d.Standing == Settled && d.Class == Timing && b.Name.day() == p.day() {
			return true // it was missing here before, and found in a neighbour
		}
	}
	return false
}

// endWait settles what was missing in a neighbouring day's bill and is found in this one.
func (s *State) endWait(step *replica.Step, p *period, bill moongate.ID, f *Found) bool {
	if f.No.IsZero() {
		return false
	}
	for _, id := range s.under[f.No.String()] {
		d, _ := s.differences.Get(id)
		b, _ := s.bills.Get(d.Bill)
		if d.Class == MissingTheirs && d.Standing != Settled && b.Name.Wallet == p.Wallet && b.Name.Kind == p.Kind && b.Name.Day != p.Day {
			step.Emit(&Ended{Difference: id, Action: OtherDay, Note: "found in the bill of " + p.Day, Bill: bill, Class: Timing})
			return true
		}
	}
	return false
}

// stands finds a difference that is known: given again by an importer that began anew, or by another version of the
// bill.
func (s *State) stands(p *period, f *Found) (moongate.ID, bool) {
	for _, id := range s.under[f.under()] {
		d, _ := s.differences.Get(id)
		b, _ := s.bills.Get(d.Bill)
		if d.Class != f.Class || d.Line.Refund != f.Line.Refund || d.Line.Settled != f.Line.Settled || b.Name.day() != p.day() {
			continue
		}
		if f.Class != Duplicate || d.Bill != f.Bill || d.Line.Row == f.Line.Row {
			return id, true
		}
	}
	return moongate.ID{}, false
}

// gap adds what a difference makes the sums differ by: as the importer gave it, and as it was judged.
func (t *Taken) gap(c money.Currency, theirs, ours, now int64) {
	i, known := slices.BinarySearchFunc(t.Gaps, c, func(g Gap, c money.Currency) int { return slices.Compare(g.Sum.Currency[:], c[:]) })
	if !known {
		t.Gaps = slices.Insert(t.Gaps, i, Gap{Sum: Sum{Currency: c}})
	}
	t.Gaps[i].Sum.Theirs += theirs
	t.Gaps[i].Sum.Ours += ours
	t.Gaps[i].Now += now
}

// finish ends a bill whose differences have all come.
func (s *State) finish(step *replica.Step, c *Finish) (Answer, error) {
	b, err := s.taking(step, c.Bill)
	if err != nil {
		return Answer{}, err
	}
	if b.Ended != 0 {
		return Answer{Bill: c.Bill, Done: true, Known: true, Open: b.Open}, nil
	}
	incomplete := func(message string) error {
		return &moongate.Error{Code: moongate.Conflict, Field: "bill", Message: message, Hint: "begin it again, and give all of it"}
	}
	if got := b.Found + b.Stood + b.Healed; got != b.Figures.Differences {
		return Answer{}, incomplete(fmt.Sprintf("%d differences of %d came", got, b.Figures.Differences))
	}
	e := &Reconciled{Bill: c.Bill, Found: b.Found, Stood: b.Stood, Healed: b.Healed, Sums: slices.Clone(b.Figures.Sums)}
	for _, g := range b.Gaps {
		if !slices.ContainsFunc(e.Sums, func(s Sum) bool { return s.Currency == g.Sum.Currency }) {
			return Answer{}, incomplete(fmt.Sprintf("differences in %s, of which the bill has no sum", g.Sum.Currency))
		}
	}
	for i := range e.Sums {
		sum := &e.Sums[i]
		var g Gap
		if at := slices.IndexFunc(b.Gaps, func(g Gap) bool { return g.Sum.Currency == sum.Currency }); at >= 0 {
			g = b.Gaps[at]
		}
		if sum.Theirs-sum.Ours != g.Sum.Theirs-g.Sum.Ours {
			return Answer{}, incomplete(fmt.Sprintf("the bill has %d, our books %d %s, and the differences come to %d", sum.Theirs, sum.Ours, sum.Currency, g.Sum.Theirs-g.Sum.Ours))
		}
		sum.Ours += g.Now - g.Sum.Ours
	}
	step.Emit(e)
	b, _ = s.bills.Get(c.Bill)
	return Answer{Bill: c.Bill, Done: true, Open: b.Open}, nil
}

// theDifference finds one that is not settled, for an operator.
func (s *State) theDifference(step *replica.Step, id moongate.ID) (Difference, error) {
	d, ok := s.differences.Get(id)
	switch {
	case !s.parties.IsOperator(step.Caller):
		return d, &moongate.Error{Code: moongate.Forbidden, Message: "differences are settled by an operator", Hint: "ask one"}
	case !ok:
		return d, &moongate.Error{Code: moongate.NotFound, Field: "difference", Message: fmt.Sprintf("there is no difference %s", id), Hint: "list those that are open"}
	case d.Standing == Settled:
		return d, &moongate.Error{Code: moongate.Conflict, Field: "difference", Message: fmt.Sprintf("difference %s is settled", id), Hint: "nothing is left to do"}
	}
	return d, nil
}

func (s *State) assign(step *replica.Step, c *Assign) (Done, error) {
	if _, err := s.theDifference(step, c.Difference); err != nil {
		return Done{}, err
	}
	if c.To != "" {
		if _, ok := s.parties.Lookup(c.To); !ok {
			return Done{}, &moongate.Error{Code: moongate.NotFound, Field: "to", Message: fmt.Sprintf("there is no participant %.80q", c.To), Hint: "check the spelling"}
		}
	}
	if err := party.CheckText("note", c.Note, 0, maxNote); err != nil {
		return Done{}, err
	}
	step.Emit(&Assigned{Difference: c.Difference, To: c.To, Note: c.Note, By: step.Caller})
	return Done{}, nil
}

const (
	maxNote    = 500
	maxNumber  = 128 // bytes of a number or a state that a bill gives
	maxResolve = 200
)

func (s *State) resolve(step *replica.Step, c *Resolve) (Done, error) {
	if len(c.Differences) == 0 || len(c.Differences) > maxResolve {
		return Done{}, malformed("differences", fmt.Sprintf("%d of them", len(c.Differences)), fmt.Sprintf("1 to %d at once", maxResolve))
	}
	if !slices.Contains([]Action{Explained, Corrected, AtWallet, WrittenOff}, c.Action) {
		return Done{}, malformed("action", fmt.Sprintf("%.40q is no way to settle a difference", c.Action), "explained, corrected, at_wallet or written_off")
	}
	if err := party.CheckText("note", c.Note, 1, maxNote); err != nil {
		return Done{}, err
	}
	for i, id := range c.Differences {
		if _, err := s.theDifference(step, id); err != nil {
			return Done{}, err
		}
		if slices.Contains(c.Differences[:i], id) {
			return Done{}, malformed("differences", fmt.Sprintf("%s is named twice", id), "name each once")
		}
	}
	for _, id := range c.Differences {
		step.Emit(&Ended{Difference: id, Action: c.Action, Note: c.Note, By: step.Caller})
	}
	return Done{}, nil
}
