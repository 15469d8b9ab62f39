package reconcile

import (
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// Fold is the only code that changes the room's state.
func (s *State) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *replica.Ticked:
		s.forget(e.At)
		s.paid.forget(e.At)
	case *pay.AttemptEnded:
		s.paid.ended(v)
		s.news(e.At, v.Attempt)
		if v.Outcome != nil && len(v.Outcome.Parts) > 1 {
			for _, p := range v.Outcome.Parts {
				s.news(e.At, p.Part)
			}
		}
	case *pay.Settled:
		s.settled(v)
	case *pay.RefundEnded:
		s.news(e.At, v.Refund)
	case *Began:
		s.foldBegan(e, v)
	case *Found:
		s.foldFound(e, v)
	case *Taken:
		s.foldTaken(v)
	case *Reconciled:
		s.foldReconciled(e, v)
	case *Assigned:
		if d, ok := s.differences.Get(v.Difference); ok {
			d.Assignee = v.To
			s.differences.Put(v.Difference, d)
		}
	case *Moved:
		s.foldMoved(v)
	case *Ended:
		s.foldEnded(e, v)
	default:
		s.foldFetch(e)
	}
}

func (s *State) foldFetch(e journal.Entry) {
	switch v := e.Event.(type) {
	case *Scheduled:
		// One that was ended stays, so that the hub does not begin it again by itself.
		s.putCalendar(calendarKey{v.Wallet, v.Kind}, Calendar{Day: v.Day, Abroad: v.Abroad, Next: v.Next})
	case *FetchDue:
		key := calendarKey{v.Name.Wallet, v.Name.Kind}
		if c, ok := s.calendars.Get(key); ok && !v.Alone && c.Day == v.Name.Day {
			if c.Try = v.Try; c.First == 0 {
				c.First = e.At
			}
			c.Next = e.At + unheard
			s.putCalendar(key, c)
		}
	case *FetchEnded:
		key := calendarKey{v.Name.Wallet, v.Name.Kind}
		if c, ok := s.calendars.Get(key); ok && v.Day != "" {
			if c.Day != v.Day {
				c.Try, c.First = 0, 0
			}
			c.Day, c.Next = v.Day, v.Next
			s.putCalendar(key, c)
		}
	}
}

func (s *State) putCalendar(key calendarKey, c Calendar) {
	s.calendars.Put(key, c)
	if c.Next != 0 {
		s.due.Add(c.Next, dueKey{calendar: key})
	}
}

func (s *State) foldBegan(e journal.Entry, v *Began) {
	b, again := s.bills.Get(v.Bill)
	if !again {
		b = Bill{Name: v.Name, Began: e.At}
	}
	b.Published, b.Bytes, b.Figures, b.By, b.Earlier = v.Published, v.Bytes, v.Figures, v.By, v.Earlier
	b.Found, b.Stood, b.Healed, b.Gaps = 0, 0, 0, nil
	s.bills.Put(v.Bill, b)
	if !again {
		s.indexBill(v.Bill, &b)
	}
}

func (s *State) foldFound(e journal.Entry, v *Found) {
	d := Difference{Found: *v, Opened: e.At}
	if v.Standing == Settled {
		d.Forget = e.At + s.limits.Kept
	}
	s.differences.Put(v.Difference, d)
	s.indexDifference(v.Difference, &d)
	if b, ok := s.bills.Get(v.Bill); ok && v.Standing != Settled {
		b.Open++
		s.bills.Put(v.Bill, b)
	}
}

func (s *State) foldTaken(v *Taken) {
	b, ok := s.bills.Get(v.Bill)
	if !ok {
		return
	}
	b.Found += v.Found
	b.Stood += v.Stood
	b.Healed += v.Healed
	b.Gaps = slices.Clone(b.Gaps)
	for _, g := range v.Gaps {
		i, known := slices.BinarySearchFunc(b.Gaps, g.Sum.Currency, func(g Gap, c money.Currency) int { return slices.Compare(g.Sum.Currency[:], c[:]) })
		if !known {
			b.Gaps = slices.Insert(b.Gaps, i, Gap{Sum: Sum{Currency: g.Sum.Currency}})
		}
		b.Gaps[i].Sum.Theirs += g.Sum.Theirs
		b.Gaps[i].Sum.Ours += g.Sum.Ours
		b.Gaps[i].Now += g.Now
	}
	s.bills.Put(v.Bill, b)
	for _, id := range v.Again {
		if d, ok := s.differences.Get(id); ok {
			d.Seen = v.Bill
			s.differences.Put(id, d)
		}
	}
}

// foldReconciled ends a bill. What was missing the day before has waited for this one: it is looked at. So is what an
// earlier bill of the day had and this one has no longer.
func (s *State) foldReconciled(e journal.Entry, v *Reconciled) {
	b, ok := s.bills.Get(v.Bill)
	if !ok {
		return
	}
	b.Ended, b.Figures.Sums, b.Gaps = e.At, v.Sums, nil
	s.bills.Put(v.Bill, b)
	before := b.Name.day()
	before.Day = nextDay(before.Day, -1)
	for _, id := range s.waiting[before] {
		if d, ok := s.differences.Get(id); ok && d.Standing == Waiting {
			s.lookAt(e.At, id, &d)
		}
	}
	for _, id := range s.of[b.Earlier] {
		if d, ok := s.differences.Get(id); ok && d.Seen != v.Bill {
			d.Newer = v.Bill
			s.lookAt(e.At, id, &d)
		}
	}
}

// news has a difference looked at about whose payment or refund something was learnt.
func (s *State) news(at moongate.Time, no moongate.ID) {
	if s.open == 0 {
		return
	}
	for _, id := range s.under[no.String()] {
		if d, ok := s.differences.Get(id); ok && d.Standing == Open {
			s.lookAt(at, id, &d)
		}
	}
}

func (s *State) lookAt(at moongate.Time, id moongate.ID, d *Difference) {
	d.Next = at
	s.differences.Put(id, *d)
	s.due.Add(at, dueKey{difference: id})
}

func (s *State) foldMoved(v *Moved) {
	d, ok := s.differences.Get(v.Difference)
	if !ok {
		return
	}
	if d.Standing == Waiting && v.Standing != Waiting {
		s.waitsNoMore(v.Difference, &d)
	}
	d.Class, d.Ours, d.Facts, d.Standing, d.Next = v.Class, v.Ours, v.Facts, v.Standing, v.Next
	s.differences.Put(v.Difference, d)
	if d.Next != 0 {
		s.due.Add(d.Next, dueKey{difference: v.Difference})
	}
}

func (s *State) waitsNoMore(id moongate.ID, d *Difference) {
	if b, ok := s.bills.Get(d.Bill); ok {
		drop(s.waiting, b.Name.day(), id)
	}
}

func (s *State) foldEnded(e journal.Entry, v *Ended) {
	d, ok := s.differences.Get(v.Difference)
	if !ok || d.Standing == Settled {
		return
	}
	if d.Standing == Waiting {
		s.waitsNoMore(v.Difference, &d)
	}
	d.Standing, d.Next, d.Forget = Settled, 0, e.At+s.limits.Kept
	if v.Class != 0 {
		d.Class = v.Class
	}
	s.differences.Put(v.Difference, d)
	s.fading.Add(d.Forget, v.Difference)
	s.open--
	drop(s.of, d.Bill, v.Difference)
	if b, ok := s.bills.Get(d.Bill); ok {
		b.Open--
		s.bills.Put(d.Bill, b)
	}
}

// maxForget bounds what one tick forgets.
const maxForget = 1000

// forget drops bills and settled differences that are long past. Their events stay in the journal.
func (s *State) forget(now moongate.Time) {
	for n := 0; n < maxForget; {
		at, id, ok := s.fading.Next(now)
		if !ok {
			return
		}
		if d, ok := s.differences.Get(id); ok && d.Forget == at {
			n++
			s.differences.Delete(id)
			drop(s.under, d.under(), id)
			continue
		}
		b, ok := s.bills.Get(id)
		if !ok || b.Began+s.limits.Bills != at {
			continue
		}
		n++
		s.bills.Delete(id)
		delete(s.names, b.Name)
		drop(s.days, b.Name.day(), id)
	}
}
