package pay

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// dueKey is something that the room looks at by itself.
type dueKey struct {
	what due
	id   moongate.ID
}

func (a dueKey) before(b dueKey) bool {
	if a.what != b.what {
		return a.what < b.what
	}
	return string(a.id[:]) < string(b.id[:])
}

type due uint8

const (
	dueExpiry due = iota + 1
	dueAttempt
	dueRefund
	dueException
	dueSplit
	dueFrozen
	duePayout
	dueRecall
	dueRest
)

// Tick looks at what is due. An item that is stale (its thing has moved on since) does not count: not every node has
// it.
func (s *State) Tick(step *replica.Step, limit int) int {
	n := 0
	for n < limit {
		at, key, ok := s.due.Next(step.At)
		if !ok {
			break
		}
		if s.lookAt(step, at, key) {
			n++
		}
	}
	return n
}

// lookAt acts on one due item and tells whether there was anything to do.
func (s *State) lookAt(step *replica.Step, at moongate.Time, key dueKey) bool {
	switch key.what {
	case dueExpiry:
		p, ok := s.payments.Get(key.id)
		if !ok || p.Status != Open || p.Overdue || p.Expires != at {
			return false
		}
		s.expire(step, &p)
	case dueAttempt:
		a, ok := s.attempts.Get(key.id)
		if !ok || a.Next != at || !a.Status.Live() {
			return false
		}
		s.lookAtAttempt(step, key.id, &a)
	case dueRefund:
		r, ok := s.refunds.Get(key.id)
		if !ok || r.Next != at || r.Status.Final() {
			return false
		}
		s.lookAtRefund(step, &r)
	case dueException:
		x, ok := s.exceptions.Get(key.id)
		if !ok || x.Next != at {
			return false
		}
		s.lookAtException(step, &x)
	case dueRecall:
		x, ok := s.recall.Get(key.id)
		if !ok || x.Next != at {
			return false
		}
		s.lookAtRecall(step, &x)
	case dueRest:
		o, ok := s.payouts.Get(key.id)
		if !ok || o.Told != at || o.Alarm.IsZero() {
			return false
		}
		s.unalarm(step, &o)
	case dueSplit:
		x, ok := s.splits.Get(key.id)
		if !ok || x.Next != at {
			return false
		}
		s.lookAtSplit(step, &x)
	}
	return true
}

// expire ends a payment whose time is over: at once where nothing can be paid any more, else when the attempt is closed.
func (s *State) expire(step *replica.Step, p *Payment) {
	a, ok := s.attempts.Get(p.Attempt)
	switch {
	case !ok || !a.Status.Live():
		s.settle(step, p, Expired, moongate.ID{}, "", moongate.ID{})
	case a.Status != AttemptClosing:
		s.emitClose(step, p, p.Attempt, &a, WhyExpired, "", "")
	default:
		// It is being closed already; what follows the close sees that the time is over.
		s.emitClose(step, p, p.Attempt, &a, a.Why, "", "")
	}
}

// lookAtAttempt asks the wallet again what became of an order. Unknown ends on evidence, never on a clock: after a day
// a person is told, and the asking goes on.
func (s *State) lookAtAttempt(step *replica.Step, id moongate.ID, a *Attempt) {
	p, _ := s.payments.Get(a.Payment)
	if a.Status != AttemptAwaiting && a.Status != AttemptReserved && a.Alarm.IsZero() && step.At-max(a.Opened, a.Acted) > silence {
		s.trouble(step, Trouble{
			Of: p.Of, Kind: TroubleSilent, Wallet: a.Wallet, Attempt: id, Amount: p.Amount,
			Facts: fmt.Sprintf("for a day nobody has known what became of the order at %s", a.Wallet),
		}, 0)
		*a, _ = s.attempts.Get(id)
	}
	switch {
	case a.Status == AttemptClosing:
		s.emitClose(step, &p, id, a, a.Why, p.NextTo, p.NextBy)
	case a.Status == AttemptCapturing:
		s.emitQuery(step, &p, id, a)
	case p.Status != Open || step.At >= p.Expires:
		s.emitClose(step, &p, id, a, WhyExpired, "", "")
	default:
		s.emitQuery(step, &p, id, a)
	}
}

func (s *State) lookAtRefund(step *replica.Step, r *Refunding) {
	if r.Status != RefundHeldUp && r.Alarm.IsZero() && step.At-r.Opened > 3*silence {
		s.refundTrouble(step, r, TroubleSilent, fmt.Sprintf("for three days %s has not finished the refund", r.Wallet))
	}
	c := Chain{s.headOf(r.Payment), step.At + patience}
	if r.Status == RefundAsked {
		step.Emit(&RefundDue{Back: r.Back, Chain: c})
		return
	}
	step.Emit(&RefundQueryDue{Back: r.Back, Chain: c})
}

// lookAtException gives money back that came too late. Where that is refused a person must see to it.
func (s *State) lookAtException(step *replica.Step, x *Exception) {
	if err := s.giveBack(step, x, "", ""); err != nil {
		step.Emit(&ExceptionOpened{
			Trouble: Trouble{
				Of: x.Of, Exception: step.NewID(moongate.KindException), Kind: TroubleGiveBack, Wallet: x.Wallet, Attempt: x.Attempt, Amount: x.Amount,
				Facts: fmt.Sprintf("money of exception %s should go back by itself: %v", x.Exception, err),
			},
			Handling: Handling{Chain: Chain{Before: s.headOf(x.Payment)}, About: x.Exception},
		})
	}
}
