package pay

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// Times of the room's own doing.
const (
	patience  = 2 * moongate.Minute // a call that has not been answered by then is made again
	firstLook = 30 * moongate.Second
	lookUntil = 5 * moongate.Minute // the longest pause between looks at an open order
	doubtFrom = 5 * moongate.Second
	doubtTo   = moongate.Hour       // the longest pause between looks at an unknown one
	silence   = moongate.Day        // after which a person is told
	lookPause = 3 * moongate.Second // between looks because the shopper came back
)

// backOff doubles from first to last.
func backOff(first, last moongate.Time, tries int) moongate.Time {
	for range min(tries, 40) {
		if first >= last {
			return last
		}
		first *= 2
	}
	return min(first, last)
}

// next is when to look at an attempt again about which nothing new was learnt.
func (a *Attempt) next(now moongate.Time) moongate.Time {
	if a.Status == AttemptAwaiting {
		return now + backOff(firstLook, lookUntil, a.Tries)
	}
	return now + backOff(doubtFrom, doubtTo, a.Tries)
}

func (s *State) try(p *Payment, id moongate.ID, a *Attempt) Try { return Try{p.Of, id, a.Wallet} }

// head is where a payment's chain ends now: events of the same command may have moved it.
func (s *State) head(p *Payment) Chain {
	now, _ := s.payments.Get(p.Payment)
	return Chain{Before: now.Head}
}

// emitNext opens an attempt that follows another. Where the payment's sellers do not let it, none is opened: the shopper may
// choose again.
func (s *State) emitNext(step *replica.Step, p *Payment, to WalletWay, why *Chosen, ways []WalletWay) {
	payees, err := s.payees(step, p, to.Wallet)
	if err != nil {
		return
	}
	if parts, _, err := s.parted(to.Wallet, payees, nil); err == nil {
		s.emitChosen(step, p, to, parts, why, ways)
	}
}

// emitChosen opens an attempt, with the reason for it and the ways to go on by where the hub chose.
func (s *State) emitChosen(step *replica.Step, p *Payment, to WalletWay, parts []PartOpened, why *Chosen, ways []WalletWay) moongate.ID {
	id := step.NewID(moongate.KindAttempt)
	c := s.head(p)
	c.Next = step.At + patience
	step.Emit(&AttemptOpened{Opening: Opening{Try: Try{p.Of, id, to.Wallet}, Channel: to.Channel, Chosen: why, Parts: numbered(step, id, parts)}, Ways: Ways{c, ways}})
	return id
}

func (s *State) emitQuery(step *replica.Step, p *Payment, id moongate.ID, a *Attempt) {
	c := s.head(p)
	c.Next = step.At + patience
	step.Emit(&QueryDue{Try: s.try(p, id, a), Chain: c})
}

func (s *State) emitClose(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, why Why, wallet string, channel Channel) {
	c := s.head(p)
	c.Next = step.At + patience
	step.Emit(&CloseDue{Closing: Closing{Try: s.try(p, id, a), Why: why}, Switch: Switch{Chain: c, Wallet: wallet, Channel: channel}})
}

// report takes in what a call to a wallet came to.
func (s *State) report(step *replica.Step, c *Report) (Done, error) {
	if err := fromHub(step); err != nil {
		return Done{}, err
	}
	a, ok := s.attempts.Get(c.Attempt)
	if !ok {
		return Done{}, nil // forgotten long ago: the effect is over
	}
	p, _ := s.payments.Get(a.Payment)
	switch {
	case c.Outcome != nil:
		s.learn(step, &p, c.Attempt, &a, c.Op, c.Outcome)
	case !a.Status.Live():
		if c.Handoff != nil && a.Status != AttemptPaid {
			// The order came to life after it had been given up.
			s.emitClose(step, &p, c.Attempt, &a, WhyAbsent, "", "")
		}
	case c.Handoff != nil:
		if a.Status != AttemptClosing {
			next := Chain{s.head(&p).Before, step.At + firstLook}
			step.Emit(&HandedOver{Try: s.try(&p, c.Attempt, &a), Route: Route{next, *c.Handoff}})
		}
	case c.Op == OpCreate && a.Status == AttemptOpening && (c.Verdict == Refused || c.Verdict == NotDone):
		s.end(step, &p, c.Attempt, &a, AttemptEnd{Status: AttemptFailed, By: c.Op, Code: c.Code, Message: c.Message})
	default:
		s.doubt(step, &p, c.Attempt, &a, Doubt{Op: c.Op, Verdict: c.Verdict, Code: c.Code, Message: c.Message})
	}
	return Done{}, nil
}

func fromHub(step *replica.Step) error {
	if step.Caller != "" {
		return &moongate.Error{Code: moongate.Forbidden, Message: "only the hub itself reports what a wallet said"}
	}
	return nil
}

// doubt notes a call without an outcome, and looks again after a pause.
func (s *State) doubt(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, d Doubt) {
	d.Try = s.try(p, id, a)
	c := s.head(p)
	switch c.Next = a.next(step.At); {
	case a.Status == AttemptOpening:
		c.Next = step.At + doubtFrom
	case a.Status == AttemptReserved, d.turnedDown(a):
		c.Next = p.Until
	}
	step.Emit(&Doubted{Doubt: d, Chain: c})
}

// turnedDown tells whether a wallet would not take what it has reserved. The merchant may try again, or give it up.
func (d *Doubt) turnedDown(a *Attempt) bool {
	return a.Status == AttemptCapturing && d.Op == OpCapture && d.Verdict == Refused
}

// told takes in a wallet's notification. One about an order that is not ours, or at another wallet, is kept as an
// exception and acknowledged: the wallet would repeat it for a day.
func (s *State) told(step *replica.Step, c *Told) (Done, error) {
	if err := fromHub(step); err != nil {
		return Done{}, err
	}
	id, ours := s.about(c)
	switch {
	case ours && c.Payment != nil:
		a, _ := s.attempts.Get(id)
		p, _ := s.payments.Get(a.Payment)
		s.learn(step, &p, id, &a, OpNotice, c.Payment)
		return Done{}, nil
	case ours && c.Dispute != nil:
		a, _ := s.attempts.Get(s.attemptOf(id))
		p, _ := s.payments.Get(a.Payment)
		s.contested(step, &p, id, c.Wallet, c.Dispute)
		return Done{}, nil
	case ours:
		r, _ := s.refunds.Get(id)
		s.learnRefund(step, id, &r, OpNotice, c.Refund)
		return Done{}, nil
	}
	if err := s.Takes(c); err != nil {
		return Done{}, err
	}
	t := Trouble{Exception: step.NewID(moongate.KindException), Kind: TroubleStranger, Wallet: c.Wallet, Facts: fmt.Sprintf("%s told of %s about %q, which is no order of ours there", c.Wallet, c.Event, c.Order)}
	switch {
	case c.Payment != nil:
		t.Amount = c.Payment.Amount
	case c.Dispute != nil:
		t.Amount = c.Dispute.Amount
	}
	step.Emit(&ExceptionOpened{Trouble: t, Handling: Handling{Number: c.Order}})
	return Done{}, nil
}

// about finds the attempt or the refund that a notification is about; a dispute may be about a part of an order.
func (s *State) about(c *Told) (id moongate.ID, ours bool) {
	id, err := moongate.ParseID(c.Order)
	switch {
	case err != nil:
	case c.Dispute != nil:
		a, ok := s.attempts.Get(s.attemptOf(id))
		return id, ok && a.Wallet == c.Wallet
	case c.Payment != nil:
		a, ok := s.attempts.Get(id)
		return id, ok && a.Wallet == c.Wallet
	case c.Refund != nil:
		r, ok := s.refunds.Get(id)
		return id, ok && r.Wallet == c.Wallet
	}
	return id, false
}

// Takes tells whether there is room for a notification now. The gate asks before it submits one: a refusal would stand
// in the journal, and answer every later delivery too.
func (s *State) Takes(c *Told) error {
	if _, ours := s.about(c); !ours && s.exceptions.Len() >= s.limits.Exceptions {
		return &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("%d exceptions are open", s.exceptions.Len()), Hint: "resolve some"}
	}
	return nil
}

// learn takes in what a wallet signed about an order, however it reached us: by notification, query or close. Races
// among the three end here: an attempt that has ended never changes, and news about it are repeats or exceptions.
func (s *State) learn(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, op Op, e *Evidence) {
	if e.State == Paid && (e.Amount != p.Amount || !s.fits(a, e)) && op == OpNotice && a.Status != AttemptPaid {
		s.disbelieve(step, p, id, a, e)
		return
	}
	if !a.Status.Live() {
		s.afterwards(step, p, id, a, op, e)
		return
	}
	switch e.State {
	case Reserved:
		s.reserved(step, p, id, a, op, e)
	case Paid:
		s.paid(step, p, id, a, op, e)
	case Closed:
		s.end(step, p, id, a, AttemptEnd{Status: AttemptClosed, By: op, Outcome: e})
	case Absent:
		if a.Status == AttemptClosing && op == OpClose {
			s.end(step, p, id, a, AttemptEnd{Status: AttemptFailed, By: op, Outcome: e, Message: "the wallet never had this order"})
			return
		}
		// The order may still be on its way there. Closing the number keeps it from coming to life.
		next, by := p.NextTo, p.NextBy
		why := a.Why
		if a.Status != AttemptClosing {
			why = WhyAbsent
		}
		s.emitClose(step, p, id, a, why, next, by)
	default:
		s.waiting(step, p, id, a, op, e)
	}
}

// disbelieve takes in a notification of another amount than was asked. It is not believed alone: the wallet is asked, and
// what it answers counts. Of an order that had ended it is asked by closing it once more.
func (s *State) disbelieve(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, e *Evidence) {
	s.doubt(step, p, id, a, Doubt{Op: OpNotice, Outcome: e, Message: fmt.Sprintf("told of %s for an order of %s", e.Amount, p.Amount)})
	now, _ := s.attempts.Get(id)
	switch {
	case now.Status == AttemptClosing: // it is being asked
	case now.Status.Live():
		s.emitQuery(step, p, id, &now)
	default:
		s.emitClose(step, p, id, &now, WhyDoubted, "", "")
	}
}

// waiting takes in that an order is open at the wallet.
func (s *State) waiting(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, op Op, e *Evidence) {
	if a.Status == AttemptUnknown || a.Status == AttemptOpening {
		// It is there, but we never saw the way to it: the same order again gives one.
		step.Emit(&CreateDue{Try: s.try(p, id, a), Chain: Chain{s.head(p).Before, step.At + patience}})
		return
	}
	s.doubt(step, p, id, a, Doubt{Op: op, Outcome: e})
}

// afterwards judges news about an attempt that has ended.
func (s *State) afterwards(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, op Op, e *Evidence) {
	if e.State == Paid && a.Status != AttemptPaid {
		s.late(step, p, id, a, op, e)
		return
	}
	if e.State == Reserved && a.Status != AttemptPaid {
		s.emitClose(step, p, id, a, WhyDoubted, "", "") // what is reserved for an order that had ended is let go
		return
	}
	if a.Status == AttemptPaid && e.State != Paid {
		s.trouble(step, Trouble{
			Of: p.Of, Kind: TroubleContradiction, Wallet: a.Wallet, Attempt: id,
			Facts: fmt.Sprintf("%s said that the order was paid, and now says %q", a.Wallet, e.Said),
		}, 0)
	}
}

// end ends an attempt that was not paid, and goes on with the payment: to the shopper's next choice, or to its own end.
func (s *State) end(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, end AttemptEnd) {
	end.Try = s.try(p, id, a)
	step.Emit(&AttemptEnded{AttemptEnd: end, Chain: s.head(p)})
	s.heard(step, a.Alarm)
	if p.Status == StatusAuthorised && p.Attempt == id {
		s.voided(step, p, a)
	}
	if p.Status != Open || p.Attempt != id {
		return
	}
	switch {
	case p.Cancel:
		step.Emit(&Settled{Settlement: Settlement{Of: p.Of, Status: Cancelled}, Division: Division{Chain: s.head(p)}})
	case step.At >= p.Expires:
		step.Emit(&Settled{Settlement: Settlement{Of: p.Of, Status: Expired}, Division: Division{Chain: s.head(p)}})
	case p.NextTo != "" && p.Attempts < maxAttempts:
		s.emitNext(step, p, WalletWay{p.NextTo, p.NextBy}, nil, nil)
	case len(p.Ways) > 0 && end.Status == AttemptFailed && p.Attempts < maxAttempts:
		// The wallet surely does not have the order, and the hub was to choose: the next one is tried.
		if to, why, ok := s.pick(step, p, p.Ways); ok {
			why.Instead = a.Wallet
			s.emitNext(step, p, to, why, p.Ways)
		}
	}
}

// trouble opens an exception. There are never more of these than payments and refunds.
func (s *State) trouble(step *replica.Step, t Trouble, next moongate.Time) moongate.ID {
	t.Exception = step.NewID(moongate.KindException)
	c := Chain{Next: next}
	if p, ok := s.payments.Get(t.Payment); ok {
		c.Before = p.Head
	}
	step.Emit(&ExceptionOpened{Trouble: t, Handling: Handling{Chain: c}})
	return t.Exception
}
