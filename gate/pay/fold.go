package pay

import (
	"cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// Fold is the only code that changes the room's state.
func (s *State) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case Ending:
		s.foldEnding(e.At, v)
	case *replica.Ticked:
		s.forget(e.At)
		s.forgetSplits(e.At)
	case *Created:
		s.foldCreated(e, v)
	case *AttemptOpened:
		s.foldOpened(e, v)
	case *CreateDue:
		s.changeAttempt(e.Position, &v.Try, v.Next, func(a *Attempt) { a.Asked = e.At })
	case *HandedOver:
		s.changeAttempt(e.Position, &v.Try, v.Next, func(a *Attempt) {
			a.Status, a.Way, a.Tries, a.Asked, a.Frozen = AttemptAwaiting, v.Way, 0, 0, a.Frozen || v.Way.Frozen
		})
	case *QueryDue:
		s.changeAttempt(e.Position, &v.Try, v.Next, func(a *Attempt) { a.Tries++; a.Asked, a.Looked = e.At, e.At })
	case *CloseDue:
		s.foldClose(e, v)
	case *Doubted:
		s.changeAttempt(e.Position, &v.Try, v.Next, func(a *Attempt) {
			down := v.turnedDown(a)
			if a.Asked = 0; a.Status == AttemptOpening {
				a.Status = AttemptUnknown
			}
			if down {
				a.Status = AttemptReserved
				s.changePayment(e.Position, v.Of, func(p *Payment) { p.Taking = 0 })
			}
		})
	case *AttemptEnded:
		s.changeAttempt(e.Position, &v.Try, 0, func(a *Attempt) {
			if a.Status.Live() {
				s.foldRate(e.At, a, v.Status)
			}
			a.Status, a.Outcome, a.Message, a.Asked, a.Way = v.Status, v.Outcome, v.Message, 0, Way{}
			if v.Status == AttemptPaid && v.Outcome != nil {
				s.foldPartsPaid(a, v.Outcome)
			}
			if a.Frozen && v.Status == AttemptPaid && v.Outcome != nil {
				s.foldFrozen(e, v.Attempt, a)
			}
		})
	case *Settled:
		s.foldSettled(e, v)
	case *Authorised:
		s.foldAuthorised(e, v)
	case *CaptureDue:
		s.foldCaptureDue(e, v)
	case *RoutingSet:
		s.foldRouting(v)
	case *RecallOpened, *RecallDue, *RecallMoved:
		s.foldRecalls(e)
	case *ReceiverSet, *ReceiverStood, *ReceiverRemoved, *SplitOpened, *SplitDue, *SplitMoved:
		s.foldSplits(e)
	default:
		s.foldRefunds(e)
	}
}

func (s *State) foldRefunds(e journal.Entry) {
	switch v := e.Event.(type) {
	case *RefundOpened:
		s.foldRefundOpened(e, v)
	case *RefundDue:
		s.changeRefund(e.Position, &v.Back, v.Next, func(r *Refunding) { r.Asks++; r.Asked, r.Status = e.At, RefundAsked })
	case *RefundQueryDue:
		s.changeRefund(e.Position, &v.Back, v.Next, func(r *Refunding) { r.Tries++; r.Asked = e.At })
	case *RefundMoved:
		s.changeRefund(e.Position, &v.Back, v.Next, func(r *Refunding) {
			if r.Status != v.Status {
				r.Tries = 0
			}
			if v.Status == RefundRecalling {
				r.Recalls++
			}
			r.Status, r.Outcome, r.Message, r.Asked = v.Status, v.Outcome, v.Message, 0
		})
	case *RefundEnded:
		s.foldRefundEnded(e, v)
	case *DisputeMoved:
		s.foldDispute(e.At, v)
		s.chain(e.Position, v.Of)
	case *ExceptionOpened:
		s.foldTrouble(e, v)
	case *ExceptionResolved:
		if x, ok := s.exceptions.Get(v.Exception); ok && x.Kind == TroublePayout {
			s.changePayout(e.At, x.Instruction, func(o *payout) { o.Alarm = moongate.ID{} })
		}
		s.exceptions.Delete(v.Exception)
		if s.troubled[v.Payment]--; s.troubled[v.Payment] <= 0 {
			delete(s.troubled, v.Payment)
		}
		s.chain(e.Position, v.Of)
	}
}

func (s *State) foldCreated(e journal.Entry, v *Created) {
	p := Payment{
		Purchase: v.Purchase, Status: Open, Created: e.At, Touches: v.Touches, Subject: v.Subject, Payers: v.Payers, Head: e.Position,
	}
	s.payments.Put(v.Payment, p)
	s.orders.Put(orderKey{Merchant: v.Merchant, Order: v.Order}, v.Payment)
	s.due.Add(v.Expires, dueKey{dueExpiry, v.Payment})
}

func (s *State) foldOpened(e journal.Entry, v *AttemptOpened) {
	s.changePayment(e.Position, v.Of, func(p *Payment) {
		p.Attempt, p.NextTo, p.NextBy, p.Ways = v.Attempt, "", "", v.To
		p.Attempts++
	})
	s.attempts.Put(v.Attempt, Attempt{
		Payment: v.Payment, Wallet: v.Wallet, Channel: v.Channel, Status: AttemptOpening, Opened: e.At, Asked: e.At, Next: v.Next,
		Parts: s.foldParts(v.Attempt, v.Parts),
	})
	s.of[v.Payment] = append(s.of[v.Payment], v.Attempt)
	s.due.Add(v.Next, dueKey{dueAttempt, v.Attempt})
}

func (s *State) foldClose(e journal.Entry, v *CloseDue) {
	s.changeAttempt(e.Position, &v.Try, v.Next, func(a *Attempt) {
		if a.Status != AttemptClosing {
			a.Tries = 0
		}
		a.Tries++
		a.acted(e.At)
		a.Status, a.Why, a.Asked, a.Looked, a.Way = AttemptClosing, v.Why, e.At, e.At, Way{}
	})
	s.changePayment(e.Position, v.Of, func(p *Payment) {
		if p.Attempt != v.Attempt {
			return // an older order that came to life late; the payment goes on without it
		}
		p.NextTo, p.NextBy = v.Switch.Wallet, v.Switch.Channel
		p.Cancel = p.Cancel || v.Why == WhyCancelled
		p.Overdue = p.Overdue || e.At >= p.Expires
	})
}

func (s *State) foldSettled(e journal.Entry, v *Settled) {
	s.keep(v.Kept)
	if v.Status == Succeeded {
		s.divided(v.Attempt)
	}
	s.changePayment(e.Position, v.Of, func(p *Payment) {
		p.Status, p.Ended, p.NextTo, p.NextBy, p.Ways, p.Coupon, p.Lines = v.Status, e.At, "", "", nil, v.Coupon, v.Lines
		if p.Taking = 0; v.Captured != nil {
			p.Asked, p.Amount.Minor = p.Amount.Minor, *v.Captured
		}
		if !v.Crossing.IsZero() {
			p.Crossing = v.Crossing
		}
		if !v.Attempt.IsZero() {
			p.Attempt = v.Attempt
		}
		if p.Status.Final() {
			p.Touches, p.Payees, p.Payers = nil, nil, nil // the crossing has them; a held one still needs them
			p.Unfit = inShort(p.Unfit)
			p.Forget = e.At + s.limits.Unpaid
			if p.Status == Succeeded {
				p.Forget = e.At + s.limits.Refundable
			}
			s.fading.Add(p.Forget, v.Payment)
		}
	})
}

func (s *State) foldRefundOpened(e journal.Entry, v *RefundOpened) {
	r := Refunding{
		Reversal: v.Reversal, Status: RefundAsked, Opened: e.At, Attempt: v.Attempt, Exception: v.Origin.Exception, Asked: e.At, Next: v.Next, Asks: 1,
		Part: v.Part, Kept: v.Kept, Lines: v.Lines,
	}
	if v.Recalls > 0 {
		r.Status, r.Asks, r.Asked, r.Recalls = RefundRecalling, 0, 0, 1
	}
	if !v.Origin.Exception.IsZero() {
		r.By, r.Note = v.By, v.Note // for the exception's end
	}
	s.refunds.Put(v.Refund, r)
	if v.Next != 0 {
		s.due.Add(v.Next, dueKey{dueRefund, v.Refund})
	}
	s.thaw(cmp.Or(v.Part, v.Attempt), v.cash(), v.Kept)
	s.reservePart(v.Part, v.Amount.Minor, v.cash())
	s.of[v.Payment] = append(s.of[v.Payment], v.Refund)
	if v.Reference != "" {
		s.orders.Put(orderKey{Merchant: v.Merchant, Order: v.Reference, Refund: true}, v.Refund)
	}
	if x, ok := s.exceptions.Get(v.Origin.Exception); ok {
		x.Refunded, x.Next = v.Refund, 0
		s.exceptions.Put(v.Origin.Exception, x)
	}
	s.changePayment(e.Position, v.Of, func(p *Payment) {
		if v.Origin.Exception.IsZero() {
			p.Refunds++
			p.Reserved += v.Amount.Minor
			p.ReservedCash += v.cash()
			p.takeLines(v.Lines, 1)
		}
	})
}

func (s *State) foldRefundEnded(e journal.Entry, v *RefundEnded) {
	s.changeRefund(e.Position, &v.Back, 0, func(r *Refunding) {
		r.Status, r.Outcome, r.Message, r.Asked = v.Status, v.Outcome, v.Message, 0
		if v.Status == RefundFailed {
			s.thaw(cmp.Or(r.Part, r.Attempt), -r.cash(), -r.Kept)
			s.reservePart(r.Part, -r.Amount.Minor, -r.cash())
		}
		if x, ok := s.exceptions.Get(r.Exception); ok && v.Status == RefundFailed {
			x.Refunded = moongate.ID{}
			s.exceptions.Put(r.Exception, x)
		}
		if !r.Exception.IsZero() {
			return
		}
		s.changePayment(e.Position, v.Of, func(p *Payment) {
			if v.Status == RefundFailed {
				p.Reserved -= r.Amount.Minor
				p.ReservedCash -= r.cash()
				p.takeLines(r.Lines, -1)
			} else {
				p.Refunded += r.Amount.Minor
			}
		})
	})
	if r, ok := s.refunds.Get(v.Refund); ok {
		s.spent(cmp.Or(r.Part, r.Attempt))
	}
}

func (s *State) foldTrouble(e journal.Entry, v *ExceptionOpened) {
	s.exceptions.Put(v.Exception, Exception{Trouble: v.Trouble, Opened: e.At, Next: v.Next})
	s.troubled[v.Payment]++
	if x, ok := s.exceptions.Get(v.About); ok {
		x.Next = 0
		s.exceptions.Put(v.About, x)
	}
	if v.Next != 0 {
		s.due.Add(v.Next, dueKey{dueException, v.Exception})
	}
	if v.Kind == TroublePayout {
		s.changePayout(e.At, v.Instruction, func(o *payout) { o.Alarm, o.Stuck = v.Exception, v.Facts })
	}
	if v.Kind == TroubleDispute {
		for _, key := range s.ofDisputes[v.Payment] {
			if d, ok := s.disputes.Get(key); ok && d.Exception.IsZero() && d.Attempt == v.Attempt && d.Wallet == v.Wallet {
				d.Exception = v.Exception
				s.disputes.Put(key, d)
			}
		}
	}
	if v.Kind == TroubleSilent {
		if a, ok := s.attempts.Get(v.Attempt); ok {
			a.Alarm = v.Exception
			s.attempts.Put(v.Attempt, a)
		}
		if r, ok := s.refunds.Get(v.Refund); ok {
			r.Alarm = v.Exception
			s.refunds.Put(v.Refund, r)
		}
	}
	s.chain(e.Position, v.Of)
}

// changeAttempt changes an attempt and moves the payment's chain on.
func (s *State) changeAttempt(at journal.Position, t *Try, next moongate.Time, f func(*Attempt)) {
	a, ok := s.attempts.Get(t.Attempt)
	if !ok {
		return
	}
	f(&a)
	a.Next = next
	s.attempts.Put(t.Attempt, a)
	if next != 0 {
		s.due.Add(next, dueKey{dueAttempt, t.Attempt})
	}
	s.chain(at, t.Of)
}

func (s *State) changeRefund(at journal.Position, b *Back, next moongate.Time, f func(*Refunding)) {
	r, ok := s.refunds.Get(b.Refund)
	if !ok {
		return
	}
	f(&r)
	r.Next = next
	s.refunds.Put(b.Refund, r)
	if next != 0 {
		s.due.Add(next, dueKey{dueRefund, b.Refund})
	}
	s.chain(at, b.Of)
}

func (s *State) changePayment(at journal.Position, of Of, f func(*Payment)) {
	p, ok := s.payments.Get(of.Payment)
	if !ok {
		return
	}
	f(&p)
	p.Head = at
	s.payments.Put(of.Payment, p)
}

// chain moves the head of a payment's chain.
func (s *State) chain(at journal.Position, of Of) { s.changePayment(at, of, func(*Payment) {}) }

// Rebuild makes anew what is derived.
func (s *State) Rebuild() {
	s.due = replica.NewDue(dueKey.before)
	s.fading = replica.DueByID()
	s.of, s.troubled, s.ofDisputes = map[moongate.ID][]moongate.ID{}, map[moongate.ID]int{}, map[moongate.ID][]disputeKey{}
	for key, d := range s.disputes.All() {
		s.ofDisputes[d.Payment] = append(s.ofDisputes[d.Payment], key)
	}
	s.rebuildSplits()
	s.rebuildRecalls()
	for id, p := range s.payments.All() {
		if p.Status == Open && !p.Overdue {
			s.due.Add(p.Expires, dueKey{dueExpiry, id})
		}
		if p.Forget != 0 {
			s.fading.Add(p.Forget, id)
		}
	}
	for id, a := range s.attempts.All() {
		s.of[a.Payment] = append(s.of[a.Payment], id)
		if a.Next != 0 {
			s.due.Add(a.Next, dueKey{dueAttempt, id})
		}
	}
	for id, r := range s.refunds.All() {
		s.of[r.Payment] = append(s.of[r.Payment], id)
		if r.Next != 0 {
			s.due.Add(r.Next, dueKey{dueRefund, id})
		}
	}
	for id, x := range s.exceptions.All() {
		s.troubled[x.Payment]++
		if x.Next != 0 {
			s.due.Add(x.Next, dueKey{dueException, id})
		}
	}
}

// maxForget bounds what one tick forgets.
const maxForget = 1000

// forget drops payments that are over and can no longer be refunded, with all that belongs to them. One with a refund
// under way or an open exception stays a day longer, as often as needed.
func (s *State) forget(now moongate.Time) {
	for n := 0; n < maxForget; {
		at, key, ok := s.fading.Next(now)
		if !ok {
			return
		}
		p, ok := s.payments.Get(key)
		if !ok || p.Forget != at {
			continue // stale: not every node has such an item, so it must not count
		}
		n++
		if s.busy(key) {
			p.Forget = now + moongate.Day
			s.payments.Put(key, p)
			s.fading.Add(p.Forget, key)
			continue
		}
		for _, id := range s.of[key] {
			if r, ok := s.refunds.Get(id); ok && r.Reference != "" {
				s.orders.Delete(orderKey{Merchant: r.Merchant, Order: r.Reference, Refund: true})
			}
			s.refunds.Delete(id)
			if a, ok := s.attempts.Get(id); ok {
				for _, part := range a.Parts {
					s.parts.Delete(part)
					s.forgetShares(part)
				}
				s.forgetShares(id)
			}
			s.attempts.Delete(id)
		}
		for _, d := range s.ofDisputes[key] {
			s.disputes.Delete(d)
		}
		delete(s.ofDisputes, key)
		delete(s.of, key)
		s.orders.Delete(orderKey{Merchant: p.Merchant, Order: p.Order})
		s.payments.Delete(key)
	}
}

// busy tells whether something about a payment is not over.
func (s *State) busy(id moongate.ID) bool {
	for _, of := range s.of[id] {
		if a, ok := s.attempts.Get(of); ok && a.Status.Live() {
			return true
		}
		if r, ok := s.refunds.Get(of); ok && !r.Status.Final() {
			return true
		}
	}
	for _, key := range s.ofDisputes[id] {
		if d, ok := s.disputes.Get(key); ok && !d.State.over() {
			return true
		}
	}
	return s.troubled[id] > 0
}
