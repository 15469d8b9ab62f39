package settle

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
)

// Fold changes the state as an event says.
func (s *State) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *crossing.Recorded:
		s.foldCrossing(v)
	case *ledger.Resolved:
		if p, ok := s.waiting.Get(v.ID); ok {
			s.waiting.Delete(v.ID)
			if v.Outcome == ledger.Posted {
				p.entropy = v.ID
				s.take(&p, e.At, v.Postings)
			}
		}
	case *Claimed:
		p := passage{Agreement: v.Agreement, Version: v.Version, Currency: v.Currency, entropy: v.Of}
		if w := s.windowFor(&p, e.At); w != nil {
			s.claim(w, v.Claim)
		}
	case *WindowClosed:
		s.foldClosed(v, e.At)
	case *Instructed:
		s.foldInstructed(v)
	case *Reported:
		s.foldReported(v, e.At)
	case *WindowSettled:
		s.forget(v.Window)
	case *WindowAborted:
		s.foldAborted(v, e.At)
	case *Postponed:
		s.due.Add(v.Until, v.Window)
		w, _ := s.windows.Get(v.Window)
		switch w.Status {
		case Open:
			w.Until = v.Until
		case Closed:
			w.Due = v.Until
		}
		s.windows.Put(v.Window, w)
	}
}

// foldCrossing adds a crossing to its window, if it moved value.
func (s *State) foldCrossing(e *crossing.Recorded) {
	if e.Agreement.IsZero() || e.Transfer.IsZero() {
		return // money in suspense has no terms yet; nothing moved
	}
	terms, err := s.agreements.Version(e.Agreement, e.Version)
	if err != nil || terms.Doc.Settlement == nil {
		return
	}
	p := passage{Agreement: e.Agreement, Version: e.Version, Currency: e.Currency, Wallet: e.Wallet, entropy: e.ID}
	if terms.Doc.Settlement.Netting != agreement.Multilateral {
		p.Claims = claimsOf(e)
	}
	if e.Pending {
		s.waiting.Put(e.Transfer, p)
		return
	}
	if t, ok := e.Moves(); ok {
		s.take(&p, e.At, t.Postings)
	}
}

// claimsOf reads from a crossing who owes whom. A wallet owes payees what it holds; what accrues it keeps back.
func claimsOf(e *crossing.Recorded) []Claim {
	var claims []Claim
	add := func(from, to string, amount int64) {
		if amount < 0 {
			from, to, amount = to, from, -amount
		}
		if amount > 0 && from != to {
			claims = append(claims, Claim{From: from, To: to, Amount: amount})
		}
	}
	for _, side := range e.Sides {
		for _, l := range side.Lines {
			switch l.What {
			case crossing.Goods, crossing.Freight, crossing.TakenBack:
				if e.Wallet != "" {
					add(e.Wallet, side.Party, l.Amount)
				}
			case crossing.FeeLine, crossing.ShareOut:
				switch { // a fee has a line on either side, each the other's negative: the claim is read from the negative one
				case l.Accrue && e.Wallet != "":
					add(e.Wallet, side.Party, l.Amount)
				case !l.Accrue && l.Amount < 0:
					add(l.Other, side.Party, l.Amount)
				}
			}
		}
	}
	return claims
}

// take adds postings to the window that is open.
func (s *State) take(p *passage, at moongate.Time, postings []*ledger.Posting) {
	w := s.windowFor(p, at)
	if w == nil {
		return
	}
	for _, posting := range postings {
		credit := posting.Credit - posting.Debit
		owner := posting.Account.Owner
		switch posting.Account.Purpose {
		case ledger.Payable:
			s.add(w.ID, owner, Position{Payable: credit})
		case ledger.Receivable:
			s.add(w.ID, owner, Position{Receivable: -credit})
		case ledger.Fee:
			s.add(w.ID, owner, Position{Fee: credit})
		case ledger.Wallet:
			s.add(w.ID, owner, Position{Held: -credit})
		case ledger.Suspense: // released: the wallet has held it since the exception
			s.add(w.ID, p.Wallet, Position{Held: -credit})
		case ledger.Accrual: // not due yet: whoever has the money keeps it
			if p.Wallet != "" {
				s.add(w.ID, p.Wallet, Position{Held: -credit})
			} else {
				s.add(w.ID, owner, Position{Receivable: -credit})
			}
		}
	}
	for _, c := range p.Claims {
		s.pair(w.ID, c)
	}
}

// windowFor gives the window that something due now belongs to, and opens one where none is.
func (s *State) windowFor(p *passage, at moongate.Time) *Window {
	key := openKey{p.Agreement, p.Currency}
	if id, ok := s.open.Get(key); ok {
		w, _ := s.windows.Get(id) // one that is overdue, and about to be closed by a tick, still takes what comes in
		if w.Version < p.Version {
			w.Version = p.Version
			s.windows.Put(id, w)
		}
		return &w
	}
	terms, err := s.agreements.Version(p.Agreement, p.Version)
	if err != nil || terms.Doc.Settlement == nil {
		return nil
	}
	length, begin := terms.Doc.Settlement.Window.Time(), terms.Doc.Valid.From
	from := begin + (at-begin)/length*length
	w := Window{ID: windowID(p.entropy), Agreement: p.Agreement, Version: p.Version, Currency: p.Currency, From: from, Until: from + length, Status: Open}
	s.windows.Put(w.ID, w)
	s.open.Put(key, w.ID)
	s.index(w.ID, &w)
	return &w
}

func (s *State) add(window moongate.ID, who string, more Position) {
	if more.isZero() {
		return
	}
	key := positionKey{window, who}
	p, known := s.positions.Get(key)
	if !known {
		s.members[window] = append(s.members[window], who)
	}
	s.positions.Put(key, p.plus(more, 1))
}

func (s *State) pair(window moongate.ID, c Claim) {
	key := pairKey{window, c.From, c.To}
	n, known := s.pairs.Get(key)
	if !known {
		s.between[window] = append(s.between[window], key)
	}
	s.pairs.Put(key, n+c.Amount)
}

// claim adds a claim that stands by itself to a window.
func (s *State) claim(w *Window, c Claim) {
	from, to := c.positions()
	s.add(w.ID, c.From, from)
	s.add(w.ID, c.To, to)
	if s.pairwise(w) {
		s.pair(w.ID, c)
	}
}

// positions is what a claim does to the position of who pays and of who is paid.
func (c Claim) positions() (from, to Position) {
	from, to = Position{Receivable: c.Amount}, Position{Payable: c.Amount}
	if c.Wallet {
		from = Position{Held: c.Amount}
	}
	if c.Holder {
		to = Position{Held: -c.Amount}
	}
	return from, to
}

func (s *State) foldClosed(v *WindowClosed, at moongate.Time) {
	w, _ := s.windows.Get(v.Window)
	w.Status, w.Until, w.Due, w.Left, w.Moved = Closed, v.Until, v.Due, len(v.Instructions), v.Moved
	w.Plan = make([]moongate.ID, len(v.Instructions))
	for i, one := range v.Instructions {
		w.Plan[i] = one.ID
		s.instructions.Put(one.ID, one)
	}
	s.open.Delete(openKey{w.Agreement, w.Currency})
	s.windows.Put(w.ID, w)
	s.index(w.ID, &w)
	if len(v.Moved) == 0 {
		return
	}
	p := passage{Agreement: w.Agreement, Version: w.Version, Currency: w.Currency, entropy: w.ID}
	next := s.windowFor(&p, max(at, w.Until))
	for _, m := range v.Moved {
		s.add(next.ID, m.Party, m.Position)
		s.add(w.ID, m.Party, Position{}.plus(m.Position, -1))
	}
	if s.pairwise(&w) {
		for _, c := range v.Carried {
			s.pair(next.ID, c)
			s.pair(w.ID, Claim{From: c.From, To: c.To, Amount: -c.Amount})
		}
	}
}

// pairwise tells whether a window's terms settle claims between each two participants.
func (s *State) pairwise(w *Window) bool {
	terms, err := s.agreements.Version(w.Agreement, w.Version)
	return err == nil && terms.Doc.Settlement != nil && terms.Doc.Settlement.Netting != agreement.Multilateral
}

func (s *State) foldInstructed(v *Instructed) {
	i := v.Instruction
	i.Progress = Sent
	s.instructions.Put(i.ID, i)
	w, _ := s.windows.Get(i.Window)
	w.Next++
	if w.Moved = nil; w.Next == len(w.Plan) { // nothing that went out is undone
		w.Status = Pending
	}
	s.windows.Put(w.ID, w)
}

func (s *State) foldReported(v *Reported, at moongate.Time) {
	i, _ := s.instructions.Get(v.Instruction)
	if i.Progress, i.Part = v.Progress, v.Part; i.Progress == Manual || i.Progress == Sent {
		s.instructions.Put(i.ID, i)
		return
	}
	s.instructions.Delete(i.ID)
	w, _ := s.windows.Get(i.Window)
	w.Left--
	s.windows.Put(w.ID, w)
	if i.Progress == Returned {
		p := passage{Agreement: w.Agreement, Version: w.Version, Currency: w.Currency, entropy: i.ID}
		s.claim(s.windowFor(&p, at), Claim{From: i.From, To: i.To, Amount: i.Amount, Wallet: i.Wallet})
	}
}

// foldAborted puts the positions of a closed window back into the one that is open.
func (s *State) foldAborted(v *WindowAborted, at moongate.Time) {
	w, _ := s.windows.Get(v.Window)
	p := passage{Agreement: w.Agreement, Version: w.Version, Currency: w.Currency, entropy: chain(w.ID)}
	if next := s.windowFor(&p, max(at, w.Until)); next != nil {
		for _, who := range s.partiesOf(w.ID) {
			position, _ := s.positions.Get(positionKey{w.ID, who})
			s.add(next.ID, who, position)
		}
		for _, key := range s.pairsOf(w.ID) {
			n, _ := s.pairs.Get(key)
			s.pair(next.ID, Claim{From: key.From, To: key.To, Amount: n})
		}
	}
	for _, id := range w.Plan {
		s.instructions.Delete(id)
	}
	s.forget(w.ID)
}

// chain gives the entropy for the window that takes a window's place.
func chain(id moongate.ID) moongate.ID {
	id[15] ^= 1
	return id
}

// forget drops a window that is over; the journal has it.
func (s *State) forget(id moongate.ID) {
	for _, who := range s.members[id] {
		s.positions.Delete(positionKey{id, who})
	}
	for _, key := range s.between[id] {
		s.pairs.Delete(key)
	}
	delete(s.members, id)
	delete(s.between, id)
	s.windows.Delete(id)
}

// sumOf adds up a window's positions: always zero.
func (s *State) sumOf(window moongate.ID) int64 {
	sum := int64(0)
	for _, who := range s.members[window] {
		p, _ := s.positions.Get(positionKey{window, who})
		sum += p.Net()
	}
	return sum
}
