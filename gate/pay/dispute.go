package pay

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// A dispute is a refund that the shopper asks his wallet for. While it is open what is contested is reserved, so that
// refunds and the dispute together never take more than was paid; a person answers it at the wallet. Lost, the money has
// gone back; won, it is free again.

// Contest is what [DisputeMoved] says.
type Contest struct {
	Of
	Dispute  moongate.ID   `cbor:"3,keyasint" json:"dispute"`
	Wallet   string        `cbor:"4,keyasint" json:"wallet"`
	Number   string        `cbor:"5,keyasint" json:"number"` // the wallet's
	Attempt  moongate.ID   `cbor:"6,keyasint" json:"attempt"`
	State    DisputeState  `cbor:"7,keyasint" json:"state"`
	Amount   money.Amount  `cbor:"8,keyasint" json:"amount"`             // contested
	Reserved int64         `cbor:"9,keyasint,omitempty" json:"reserved"` // of it, what had not gone back before, minor units
	Reason   string        `cbor:"10,keyasint,omitempty" json:"reason,omitempty"`
	Due      moongate.Time `cbor:"11,keyasint,omitempty" json:"due,omitzero"` // until when the wallet takes an answer
	Crossing moongate.ID   `cbor:"12,keyasint,omitzero" json:"crossing,omitzero"`
}

// DisputeMoved says where a dispute stands.
type DisputeMoved struct {
	Contest   `audience:"merchant"`
	Contested `audience:"hub"`
}

// Contested is what only the hub knows of a dispute.
type Contested struct {
	Chain
	Cash  int64   `cbor:"3,keyasint,omitempty"` // of what is reserved, what the merchants' money bears
	Lines []int64 `cbor:"4,keyasint,omitempty"` // of each line of a payment that has them, as ordered
}

// EventKind implements [journal.Event].
func (*DisputeMoved) EventKind() string { return "pay.dispute_moved" }

// DisputeEvidence is a [Dispute] as the journal keeps it.
type DisputeEvidence struct {
	Number string        `cbor:"1,keyasint" json:"number"`
	State  DisputeState  `cbor:"2,keyasint" json:"state"`
	Amount money.Amount  `cbor:"3,keyasint" json:"amount"`
	Reason string        `cbor:"4,keyasint,omitempty" json:"reason,omitempty"`
	Due    moongate.Time `cbor:"5,keyasint,omitempty" json:"due,omitzero"`
}

// Disputed is a dispute as the state keeps it.
type Disputed struct {
	Contest   `cbor:"1,keyasint"`
	Opened    moongate.Time `cbor:"2,keyasint"`
	Cash      int64         `cbor:"3,keyasint,omitempty"`
	Exception moongate.ID   `cbor:"4,keyasint,omitzero"` // in which a person sees it
	Lines     []int64       `cbor:"5,keyasint,omitempty"`
}

// disputeKey is the wallet's name for a dispute.
type disputeKey struct {
	Wallet string `cbor:"1,keyasint"`
	Number string `cbor:"2,keyasint"`
}

func (d *Dispute) evidence() *DisputeEvidence {
	return &DisputeEvidence{Number: clip(d.No, 64), State: d.State, Amount: d.Amount, Reason: clip(d.Reason, 200), Due: d.Due}
}

// over tells whether the state never changes.
func (d DisputeState) over() bool { return d == DisputeWon || d == DisputeLost }

// contested takes in what a wallet says of a dispute about one of our orders.
func (s *State) contested(step *replica.Step, p *Payment, attempt moongate.ID, wallet string, e *DisputeEvidence) {
	known, ok := s.disputes.Get(disputeKey{wallet, e.Number})
	switch {
	case !ok:
		s.openDispute(step, p, attempt, wallet, e)
	case known.State == e.State && known.Due == e.Due:
	case known.State.over():
		if e.State.over() && e.State != known.State {
			s.trouble(step, Trouble{
				Of: p.Of, Kind: TroubleContradiction, Wallet: wallet, Attempt: attempt, Amount: e.Amount,
				Facts: fmt.Sprintf("%s said that dispute %s was %s, and now says %s", wallet, e.Number, known.State, e.State),
			}, 0)
		}
	default:
		s.moveDispute(step, p, &known, e)
	}
}

// openDispute reserves what is contested, as far as it has not gone back already.
func (s *State) openDispute(step *replica.Step, p *Payment, attempt moongate.ID, wallet string, e *DisputeEvidence) {
	c := Contest{
		Of: p.Of, Dispute: step.NewID(moongate.KindDispute), Wallet: wallet, Number: e.Number, Attempt: attempt, State: e.State, Amount: e.Amount,
		Reason: e.Reason, Due: e.Due,
	}
	facts, cash := "", int64(0)
	var lines []int64
	switch {
	case p.Status != Succeeded || p.Attempt != attempt:
		facts = fmt.Sprintf("; nothing is reserved, for the payment is %s", p.Status)
	case e.Amount.Currency != p.Amount.Currency:
		facts = fmt.Sprintf("; nothing is reserved, for it was paid in %s", p.Amount.Currency)
	default:
		c.Reserved = min(e.Amount.Minor, p.Amount.Minor-p.Reserved)
		cash = p.cash(c.Reserved)
		if c.Reserved < e.Amount.Minor {
			facts = fmt.Sprintf("; only %s of it has not gone back before", money.Of(c.Reserved, p.Amount.Currency))
		}
	}
	if cash > 0 && e.State != DisputeWon {
		passage, taken, err := s.reversal(p, "", nil, c.Reserved, cash)
		var plan *crossing.Plan
		if err == nil {
			plan, err = s.crossings.Plan(step, passage)
		}
		if err != nil {
			c.Reserved, cash, facts = 0, 0, facts+"; nothing could be reserved: "+err.Error()
		} else {
			c.Crossing, lines = plan.Emit(step).ID, taken
		}
	} else {
		c.Reserved, cash = 0, 0
	}
	c.State = DisputeOpen
	step.Emit(&DisputeMoved{Contest: c, Contested: Contested{s.head(p), cash, lines}})
	s.trouble(step, Trouble{
		Of: p.Of, Kind: TroubleDispute, Wallet: wallet, Attempt: attempt, Amount: e.Amount,
		Facts: fmt.Sprintf("the shopper contests the payment at %s, dispute %s: %s%s", wallet, e.Number, e.Reason, facts),
	}, 0)
	if e.State != DisputeOpen {
		known, _ := s.disputes.Get(disputeKey{wallet, e.Number})
		s.moveDispute(step, p, &known, e)
	}
}

// moveDispute takes in that a dispute went on, or ended: what was reserved goes, or is free again.
func (s *State) moveDispute(step *replica.Step, p *Payment, d *Disputed, e *DisputeEvidence) {
	facts := ""
	if e.State.over() && !d.Crossing.IsZero() {
		plan := s.crossings.PlanVoid
		if e.State == DisputeLost {
			plan = s.crossings.PlanComplete
		}
		if end, err := plan(step, d.Crossing); err == nil {
			end.Emit(step)
		} else {
			facts = err.Error()
		}
	}
	c := d.Contest
	c.State, c.Due = e.State, e.Due
	if e.Reason != "" {
		c.Reason = e.Reason
	}
	step.Emit(&DisputeMoved{Contest: c, Contested: Contested{s.head(p), d.Cash, d.Lines}})
	if !e.State.over() {
		return
	}
	if x, ok := s.exceptions.Get(d.Exception); ok {
		s.settleException(step, &x, Dismiss, "", map[DisputeState]string{DisputeWon: "the wallet decided for the merchant", DisputeLost: "the wallet gave the money back to the shopper"}[e.State])
	}
	if facts != "" {
		s.trouble(step, Trouble{
			Of: p.Of, Kind: TroubleContradiction, Wallet: d.Wallet, Attempt: d.Attempt, Crossing: d.Crossing, Amount: d.Amount,
			Facts: fmt.Sprintf("dispute %s was %s, and the books do not follow: %s", d.Number, e.State, facts),
		}, 0)
	}
}

func (s *State) foldDispute(at moongate.Time, v *DisputeMoved) {
	key := disputeKey{v.Wallet, v.Number}
	d, known := s.disputes.Get(key)
	if !known {
		d.Opened = at
		s.ofDisputes[v.Payment] = append(s.ofDisputes[v.Payment], key)
	}
	before := d.State
	d.Contest, d.Cash, d.Lines = v.Contest, v.Cash, v.Lines
	s.disputes.Put(key, d)
	p, ok := s.payments.Get(v.Payment)
	if !ok {
		return
	}
	switch {
	case !known:
		p.Reserved += v.Reserved
		p.ReservedCash += v.Cash
		p.takeLines(v.Lines, 1)
	case before.over():
	case v.State == DisputeWon:
		p.Reserved -= v.Reserved
		p.ReservedCash -= v.Cash
		p.takeLines(v.Lines, -1)
	case v.State == DisputeLost:
		p.Refunded += v.Reserved
	}
	s.payments.Put(v.Payment, p)
}

// Disputes lists a payment's disputes. Call it under the machine's Read.
func (s *State) Disputes(payment moongate.ID) (list []Disputed) {
	for _, key := range s.ofDisputes[payment] {
		if d, ok := s.disputes.Get(key); ok {
			list = append(list, d)
		}
	}
	return list
}
