package pay

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// A payout is tried some times, further and further apart, each time with other orders where there are any. One of which
// nothing was paid is returned soon. One of which a part was paid cannot be returned any more, and its rest is tried longer;
// then it waits for a person under an exception, until settlement says what became of its instruction: it was paid by hand, or
// is to be tried again.

// Bounds of trying the rest of a payout again.
const (
	maxRounds = 8                   // in a row that brought the participant nothing, of the rest
	maxEmpty  = 3                   // of all of it
	restFrom  = 5 * moongate.Minute // after the first; twice as long after each that follows
	restTo    = 4 * moongate.Hour
)

// round ends one round of a payout's splits, when none of them is under way any more.
func (o *payout) round(at moongate.Time) {
	if o.Open > 0 {
		return
	}
	switch {
	case !o.Broke:
	case o.Gained:
		o.Rounds, o.Next = 0, at+restFrom
	default:
		o.Next = at + backOff(restFrom, restTo, o.Rounds)
		o.Rounds++
	}
	o.Broke, o.Gained = false, false
}

// rests tells whether nothing is to be tried now, and how the payout stands.
func (o *payout) rests(now moongate.Time) (PayoutAnswer, bool) {
	a := o.answer()
	switch {
	case o.Over:
		a.Manual = "its instruction is settled"
	case o.Stuck != "":
		a.Manual = clip(o.Stuck, 300)
	case now < o.Next:
		a.Waits = clip(fmt.Sprintf("%s refused it: %s; it is tried again at %s", o.Wallet, o.refusal(), o.Next), 300)
	default:
		return a, false
	}
	return a, true
}

// hopeless tells whether nothing of it was paid, and it has been tried enough: its claim goes into another window.
func (o *payout) hopeless() bool { return o.Paid == 0 && o.Rounds >= maxEmpty }

// partly tells whether the participant got some of it and not all.
func (o *payout) partly() bool { return o.Paid > 0 && o.Paid < o.Amount.Minor }

// stuck leaves the rest of a payout to a person, where a part was paid; else settlement has all of it paid by hand.
func (s *State) stuck(step *replica.Step, no moongate.ID, o *payout, format string, args ...any) PayoutAnswer {
	a := o.manual(format, args...)
	if !o.partly() {
		return a
	}
	left := money.Of(o.Amount.Minor-o.Paid, o.Amount.Currency)
	a.Manual = clip(fmt.Sprintf("%s of %s were paid, %s are left: %s", money.Of(o.Paid, o.Amount.Currency), o.Amount, left, a.Manual), 300)
	s.unalarm(step, o) // about the tries before
	s.trouble(step, Trouble{
		Kind: TroublePayout, Wallet: o.Wallet, Amount: left, Instruction: no, PaidOut: o.Paid,
		Facts: fmt.Sprintf("payout %s to %s: %s", no, o.To, a.Manual),
	}, 0)
	return a
}

// refusal is the wallet's last word, with its code.
func (o *payout) refusal() string {
	if o.Code == "" || o.Code == o.Failed {
		return o.Failed
	}
	return o.Code + " " + o.Failed
}

// Ending is an event of settlement's that says what became of an instruction: that its wallet is told again, or that it is
// over; neither says nothing here.
type Ending interface {
	Became() (instruction moongate.ID, again, over bool)
}

// Follow has payouts learn from events of a kind, each an [Ending], what became of the instructions that they carry out.
// It is called before the machine is made of the rooms.
func (s *State) Follow(kind string) { s.follows = append(s.follows, kind) }

// Heed has payouts carry out those instructions alone which settlement has told their wallet of: not one that ended, or that
// a person pays by hand, however late the wallet's turn comes. What it says follows from the machine's state. It is called
// before the machine is made of the rooms.
func (s *State) Heed(sent func(instruction moongate.ID) bool) { s.sent = sent }

// PaidOut is what a participant has got of an instruction, and what is under way to it, in minor units.
func (s *State) PaidOut(instruction moongate.ID) (paid, open int64) {
	o, _ := s.payouts.Get(instruction)
	return o.Paid, o.Open
}

// foldEnding learns from settlement what became of a payout's instruction.
func (s *State) foldEnding(at moongate.Time, e Ending) {
	id, again, over := e.Became()
	if !again && !over {
		return
	}
	s.changePayout(at, id, func(o *payout) {
		if o.Over = over; again {
			o.Rounds, o.Next, o.Stuck = 0, 0, ""
		}
		if !o.Alarm.IsZero() {
			o.Told = at
			s.due.Add(at, dueKey{dueRest, id})
		}
	})
}

// unalarm closes the exception about a payout that does not wait for a person any more.
func (s *State) unalarm(step *replica.Step, o *payout) {
	if x, ok := s.exceptions.Get(o.Alarm); ok {
		s.settleException(step, &x, Dismiss, "", o.ended())
	}
}

// ended says why the exception about a payout is closed.
func (o *payout) ended() string {
	if o.Over {
		return "the instruction is settled"
	}
	return "the rest is tried again"
}

func (s *State) changePayout(at moongate.Time, id moongate.ID, f func(*payout)) {
	if o, ok := s.payouts.Get(id); ok {
		f(&o)
		s.keepPayout(at, id, &o)
	}
}
