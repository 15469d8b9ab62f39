package pay

import (
	"context"
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// Some wallets reserve a shopper's money first and take it later ([Capturer]). Such a payment is authorised when the wallet says
// that the money is reserved: the crossing is recorded and pending, so every party's share and every limit is held. The
// merchant captures all of it or a part, once, or gives it up; where it does neither in time, time gives it up. What the
// wallet then says ends it: captured it succeeds with what was taken, voided it is cancelled or expired, and the crossing is
// posted, replaced by one of the smaller amount, or let go.

// Capture says when money is taken.
type Capture string

// Ways to take money.
const (
	Automatic Capture = "automatic" // when the shopper pays
	Manual    Capture = "manual"    // reserved when the shopper pays, and taken when the merchant says so
)

// TakeReserved captures an authorised payment, once. What is left of it goes back to the shopper. Asked again for the same
// amount it changes nothing.
type TakeReserved struct {
	Payment moongate.ID `cbor:"1,keyasint" json:"payment"`
	Amount  int64       `cbor:"2,keyasint,omitempty" json:"amount,omitempty"` // minor units; all of it where it is missing
}

// CommandKind implements [replica.Command].
func (*TakeReserved) CommandKind() string { return "pay.capture" }

// Authorised says that a wallet has reserved the shopper's money for a payment.
type Authorised struct {
	Authorisation `audience:"merchant"`
	Chain         `audience:"hub"`
}

// Authorisation is what [Authorised] says.
type Authorisation struct {
	Try
	Outcome  *Evidence     `cbor:"5,keyasint" json:"outcome"`
	Crossing moongate.ID   `cbor:"6,keyasint" json:"crossing"` // pending until it is captured or given up
	Until    moongate.Time `cbor:"7,keyasint" json:"until"`    // then it is given up
}

// CaptureDue says that the wallet is to take what it has reserved, or a part. Effect: capture.
type CaptureDue struct {
	Taking `audience:"merchant"`
	Chain  `audience:"hub"`
}

// Taking is what [CaptureDue] says.
type Taking struct {
	Try
	Amount money.Amount `cbor:"5,keyasint" json:"amount"`
}

// EventKind implements [journal.Event].
func (*Authorised) EventKind() string { return "pay.authorised" }

// EventKind implements [journal.Event].
func (*CaptureDue) EventKind() string { return "pay.capture_due" }

// OpCapture is the call to a wallet that takes what it has reserved.
const OpCapture Op = "capture"

// reservedFor is how long a payment stays authorised, at the most. Cards hold a reservation for seven days; a day is left for
// closing it.
const reservedFor = 6 * moongate.Day

// held is for how long a payment is authorised whose money a wallet has just reserved: where the wallet says when it lets go,
// a seventh of the time is left for closing it.
func (e *Evidence) held(now moongate.Time) moongate.Time {
	if e.Until <= now {
		return reservedFor
	}
	return min(reservedFor, (e.Until-now)/7*6)
}

// reserved takes in that a wallet has reserved the money.
func (s *State) reserved(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, op Op, e *Evidence) {
	switch {
	case a.Status == AttemptReserved, a.Status == AttemptCapturing && op == OpNotice:
		return // known, or older than what was asked since
	case a.Status == AttemptCapturing:
		s.emitCapture(step, p, id, a, p.Taking) // it surely has not been taken
		return
	case a.Status == AttemptClosing:
		s.doubt(step, p, id, a, Doubt{Op: op, Outcome: e})
		return
	case p.Status != Open || p.Capture != Manual || e.Amount != p.Amount || p.Suspend != "":
		s.emitClose(step, p, id, a, WhyDoubted, "", "") // nothing was taken, and nothing is to be
		return
	}
	passage := p.passage(a.Wallet)
	passage.Pending = true
	plan, err := s.crossings.Plan(step, passage)
	if err != nil {
		s.doubt(step, p, id, a, Doubt{Op: op, Verdict: Refused, Outcome: e, Message: clip(err.Error(), 300)})
		now, _ := s.attempts.Get(id)
		s.emitClose(step, p, id, &now, WhyRefused, "", "")
		return
	}
	recorded := plan.Emit(step)
	until := step.At + e.held(step.At)
	step.Emit(&Authorised{
		Authorisation: Authorisation{Try: s.try(p, id, a), Outcome: e, Crossing: recorded.ID, Until: until},
		Chain:         Chain{s.head(p).Before, until},
	})
	s.heard(step, a.Alarm)
	s.closeOther(step, p, id)
}

// WhyRefused closes an order whose money is reserved, and must not be taken under the terms.
const WhyRefused Why = "refused"

// capture asks for reserved money to be taken.
func (s *State) capture(step *replica.Step, c *TakeReserved) (PaymentAnswer, error) {
	p, err := s.mine(step, c.Payment)
	if err != nil {
		return PaymentAnswer{}, err
	}
	amount := c.Amount
	if amount == 0 {
		amount = p.Amount.Minor
	}
	a, _ := s.attempts.Get(p.Attempt)
	answer := PaymentAnswer{p.Payment, p.stands(), p.Expires, nil}
	switch {
	case p.Capture == Manual && (p.Status == Succeeded && p.Amount.Minor == amount || p.Taking == amount):
		return answer, nil
	case p.Status != StatusAuthorised || p.Cancel || a.Status != AttemptReserved:
		return PaymentAnswer{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("the payment is %s, and its order %s", p.stands(), a.Status), Hint: "capture payments that are authorised, once"}
	case step.At >= p.Until:
		return PaymentAnswer{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("the payment could be captured until %s", p.Until), Hint: "start a new one"}
	case amount < 1 || amount > p.Amount.Minor:
		return PaymentAnswer{}, &moongate.Error{Code: moongate.Limit, Field: "amount", Message: fmt.Sprintf("%s of %s that are reserved", money.Of(amount, p.Amount.Currency), p.Amount), Hint: "capture all of it or less"}
	}
	s.emitCapture(step, &p, p.Attempt, &a, amount)
	return answer, nil
}

func (s *State) emitCapture(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, amount int64) {
	c := s.head(p)
	c.Next = step.At + patience
	step.Emit(&CaptureDue{Taking: Taking{Try: s.try(p, id, a), Amount: money.Of(amount, p.Amount.Currency)}, Chain: c})
}

// captured ends an authorised payment with what the wallet has taken.
func (s *State) captured(step *replica.Step, p *Payment, id moongate.ID, a *Attempt, op Op, e *Evidence) {
	whole := e.Amount == p.Amount && e.owed() == p.Amount
	var post *ledger.Plan
	var err error
	if whole {
		post, err = s.crossings.PlanComplete(step, p.Crossing)
	} else {
		post, err = s.crossings.PlanVoid(step, p.Crossing)
	}
	if err != nil || e.Amount.Currency != p.Amount.Currency || e.Amount.Minor > p.Amount.Minor {
		if err == nil {
			post.Emit(step) // it is planned already to let go what was reserved
		}
		s.hold(step, p, id, a, op, e, TroubleAmount, fmt.Sprintf("%s took %s of %s that were reserved%s", a.Wallet, e.Amount, p.Amount, because(err)))
		return
	}
	post.Emit(step)
	if whole {
		s.endPaid(step, p, id, a, op, e)
		s.settleCaptured(step, p, id, a.Wallet, p.Crossing, e, nil)
		return
	}
	passage := p.passage(a.Wallet)
	passage.Amount = e.owed().Minor
	var plan *crossing.Plan
	if passage.Payees, err = scaled(passage.Payees, passage.Amount); err == nil {
		plan, err = s.crossings.Plan(step, passage)
	}
	if err != nil {
		s.hold(step, p, id, a, op, e, TroubleRefused, err.Error())
		return
	}
	s.endPaid(step, p, id, a, op, e)
	recorded := plan.Emit(step)
	s.settleCaptured(step, p, id, a.Wallet, recorded.ID, e, s.linesOf(p, a, e.Amount.Minor, recorded))
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func (s *State) settleCaptured(step *replica.Step, p *Payment, id moongate.ID, wallet string, crossing moongate.ID, e *Evidence, lines []Line) {
	settled := Settlement{Of: p.Of, Status: Succeeded, Attempt: id, Wallet: wallet, Crossing: crossing, Coupon: e.Amount.Minor - e.owed().Minor}
	if e.Amount != p.Amount {
		settled.Captured = &e.Amount.Minor
	}
	step.Emit(&Settled{Settlement: settled, Division: Division{Chain: s.head(p), Lines: lines}})
	s.closeOther(step, p, id)
}

// giveUp lets go what an authorised payment holds in the books.
func (s *State) giveUp(step *replica.Step, p *Payment) {
	if plan, err := s.crossings.PlanVoid(step, p.Crossing); err == nil {
		plan.Emit(step)
	}
}

// voided ends an authorised payment of which nothing was taken, and nothing will be.
func (s *State) voided(step *replica.Step, p *Payment, a *Attempt) {
	s.giveUp(step, p)
	status := Expired
	if p.Cancel || a.Why == WhyCancelled {
		status = Cancelled
	}
	step.Emit(&Settled{Settlement: Settlement{Of: p.Of, Status: status}, Division: Division{Chain: s.head(p)}})
}

func (s *State) foldAuthorised(e journal.Entry, v *Authorised) {
	s.changeAttempt(e.Position, &v.Try, v.Next, func(a *Attempt) {
		a.Status, a.Asked, a.Tries, a.Way = AttemptReserved, 0, 0, Way{}
		if v.Outcome != nil {
			a.Ref = v.Outcome.WalletRef
		}
	})
	s.changePayment(e.Position, v.Of, func(p *Payment) {
		p.Status, p.Attempt, p.Crossing, p.Until, p.NextTo, p.NextBy, p.Ways = StatusAuthorised, v.Attempt, v.Crossing, v.Until, "", "", nil
	})
}

func (s *State) foldCaptureDue(e journal.Entry, v *CaptureDue) {
	s.changeAttempt(e.Position, &v.Try, v.Next, func(a *Attempt) {
		a.acted(e.At)
		a.Status, a.Asked = AttemptCapturing, e.At
	})
	s.changePayment(e.Position, v.Of, func(p *Payment) { p.Taking = v.Amount.Minor })
}

// acted notes when a wallet is told what becomes of the money that it has reserved: that may be days after the order, and
// silence counts from then.
func (a *Attempt) acted(at moongate.Time) {
	if a.Status == AttemptReserved {
		a.Acted = at
	}
}

// capture has a wallet take what it has reserved.
func (g *Gate) capture(ctx context.Context, t *Taking) *Report {
	report := &Report{Attempt: t.Attempt, Op: OpCapture}
	var a Attempt
	g.opt.Read(func() { a, _ = g.opt.State.Attempt(t.Attempt) })
	w, ok := g.opt.Wallets[t.Wallet].(Capturer)
	switch {
	case !ok:
		report.fail(noAccount(t.Wallet))
		return report
	case a.Status != AttemptCapturing:
		report.fail(Fail(string(OpCapture), Unknown, "the money was not to be taken any more", nil))
		return report
	case g.held():
		report.fail(quarantined(OpCapture))
		return report
	}
	out, err := w.Capture(ctx, Reservation{t.Attempt.String(), a.Ref}, t.Amount)
	if err == nil && out.No != t.Attempt.String() {
		err = Fail(string(OpCapture), Unknown, "the answer is about another order", nil)
	}
	if err != nil {
		report.fail(err)
		return report
	}
	report.Outcome = out.evidence()
	return report
}
