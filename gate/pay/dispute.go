package pay

import (
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// A dispute is a refund that the shopper asks his wallet for. While it is open what is contested is reserved, so that
// refunds and the dispute together never take more than was paid; a person answers it at the wallet. Lost, the money has
// gone back; won, it is free again. Of an order with parts each part bears what the wallet says of it, or its share of what is
// contested of the whole order, by largest remainder of what is left in each: in the books of its own seller, as a refund of it
// would be.

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
	Due      moongate.Time `cbor:"11,keyasint,omitempty" json:"due,omitzero"`     // until when the wallet takes an answer
	Crossing moongate.ID   `cbor:"12,keyasint,omitzero" json:"crossing,omitzero"` // unless parts of the order bear it by one each
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

	Pieces []Piece `cbor:"5,keyasint,omitempty"` // of each order that bears it
}

// Piece is what a dispute reserves of one order: of a part, or of all of an order without parts.
type Piece struct {
	Order    moongate.ID `cbor:"1,keyasint"` // the part, or the attempt
	Amount   int64       `cbor:"2,keyasint"`
	Cash     int64       `cbor:"3,keyasint"`           // of it, what the merchants' money bears
	Kept     int64       `cbor:"4,keyasint,omitempty"` // and what the part's seller and the wallet would have kept
	Crossing moongate.ID `cbor:"5,keyasint"`           // pending until the wallet has decided
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
	Pieces    []Piece       `cbor:"6,keyasint,omitempty"`
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

// crossings are those by which what is contested goes back.
func (d *Disputed) crossings() (list []moongate.ID) {
	for i := range d.Pieces {
		list = append(list, d.Pieces[i].Crossing)
	}
	if len(list) == 0 && !d.Crossing.IsZero() {
		list = append(list, d.Crossing)
	}
	return list
}

// contested takes in what a wallet says of a dispute about one of our orders, or about a part of one.
func (s *State) contested(step *replica.Step, p *Payment, order moongate.ID, wallet string, e *DisputeEvidence) {
	attempt := s.attemptOf(order)
	known, ok := s.disputes.Get(disputeKey{wallet, e.Number})
	switch {
	case !ok:
		s.openDispute(step, p, order, wallet, e)
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
func (s *State) openDispute(step *replica.Step, p *Payment, order moongate.ID, wallet string, e *DisputeEvidence) {
	attempt := s.attemptOf(order)
	c := Contest{
		Of: p.Of, Dispute: step.NewID(moongate.KindDispute), Wallet: wallet, Number: e.Number, Attempt: attempt, State: DisputeOpen, Amount: e.Amount,
		Reason: e.Reason, Due: e.Due,
	}
	facts := ""
	var d Contested
	switch {
	case p.Status != Succeeded || p.Attempt != attempt:
		facts = fmt.Sprintf("; nothing is reserved, for the payment is %s", p.Status)
	case e.Amount.Currency != p.Amount.Currency:
		facts = fmt.Sprintf("; nothing is reserved, for it was paid in %s", p.Amount.Currency)
	default:
		pieces := s.pieces(p, order, e.Amount.Minor)
		if left := sumOf(pieces); left < e.Amount.Minor {
			facts = fmt.Sprintf("; only %s of it has not gone back before", money.Of(left, p.Amount.Currency))
		}
		if e.State == DisputeWon {
			break
		}
		var err error
		if d, err = s.reserve(step, p, pieces); err != nil {
			facts += fmt.Sprintf("; only %s could be reserved: %v", money.Of(sumOf(d.Pieces), p.Amount.Currency), err)
		}
	}
	if c.Reserved = sumOf(d.Pieces); len(d.Pieces) == 1 {
		c.Crossing = d.Pieces[0].Crossing
	}
	d.Chain = s.head(p)
	step.Emit(&DisputeMoved{Contest: c, Contested: d})
	s.trouble(step, Trouble{
		Of: p.Of, Kind: TroubleDispute, Wallet: wallet, Attempt: attempt, Amount: e.Amount,
		Facts: fmt.Sprintf("the shopper contests the payment at %s, dispute %s: %s%s", wallet, e.Number, e.Reason, facts),
	}, 0)
	if e.State != DisputeOpen {
		known, _ := s.disputes.Get(disputeKey{wallet, e.Number})
		s.moveDispute(step, p, &known, e)
	}
}

func sumOf(pieces []Piece) (sum int64) {
	for i := range pieces {
		sum += pieces[i].Amount
	}
	return sum
}

// pieces divides what is contested of an order, as far as it is left: among its parts, unless it is one of them, by largest
// remainder of what is left in each.
func (s *State) pieces(p *Payment, order moongate.ID, amount int64) (list []Piece) {
	a, _ := s.attempts.Get(s.attemptOf(order))
	left := p.Amount.Minor - p.Reserved
	if len(a.Parts) == 0 {
		amount = min(amount, left)
		return []Piece{{Order: order, Amount: amount, Cash: p.cash(amount)}}
	}
	named := slices.Contains(a.Parts, order)
	weights, sum := make([]int64, len(a.Parts)), int64(0)
	for i, id := range a.Parts {
		if x, _ := s.parts.Get(id); id == order || !named {
			weights[i] = max(x.Amount-x.Reserved, 0)
			sum += weights[i]
		}
	}
	amounts, err := money.Allocate(max(min(amount, left, sum), 0), weights)
	if err != nil {
		return nil // nothing is left
	}
	for i, id := range a.Parts {
		if x, _ := s.parts.Get(id); amounts[i] > 0 {
			list = append(list, Piece{Order: id, Amount: amounts[i], Cash: x.cash(amounts[i])})
		}
	}
	return list
}

// reserve has each order bear its piece, by a crossing of its own. What cannot be reserved is left out, with the reason.
func (s *State) reserve(step *replica.Step, p *Payment, pieces []Piece) (d Contested, err error) {
	for _, x := range pieces {
		if x.Cash <= 0 {
			continue // a coupon bears it
		}
		part, ok := s.parts.Get(x.Order)
		named, wrong := s.namedOf(p, part.Party, x.Amount)
		var plan *crossing.Plan
		var taken []int64
		if wrong == nil {
			var passage crossing.Passage
			if passage, taken, wrong = s.reversal(p, part.Party, named, x.Amount, x.Cash); wrong == nil {
				plan, wrong = s.crossings.Plan(step, passage)
			}
		}
		if wrong != nil {
			err = wrong
			continue
		}
		recorded := plan.Emit(step)
		if x.Crossing = recorded.ID; ok {
			x.Kept = -keeps(recorded, part.Party)
		}
		d.Pieces = append(d.Pieces, x)
		d.Cash += x.Cash
		if d.Lines == nil {
			d.Lines = taken
			continue
		}
		for i := range taken {
			d.Lines[i] += taken[i]
		}
	}
	return d, err
}

// namedOf divides what goes back of a seller's part among all that it sold, in proportion to what is left of each. Nobody need be
// named where nobody else was paid, nor where the payment has lines.
func (s *State) namedOf(p *Payment, seller string, amount int64) (named []crossing.Payee, err error) {
	o, _ := s.crossings.Lookup(p.Crossing)
	if seller == "" || len(p.Lines) > 0 {
		return nil, nil
	}
	weights := make([]int64, len(o.Book.Payees))
	for i := range o.Book.Payees {
		y := &o.Book.Payees[i]
		if y.Party != seller {
			continue
		}
		if weights[i] = y.Amount; i < len(o.Taken) {
			weights[i] -= o.Taken[i].Amount
		}
	}
	parts, err := money.Allocate(amount, weights)
	for i := range parts {
		if y := &o.Book.Payees[i]; parts[i] > 0 {
			named = append(named, crossing.Payee{Party: y.Party, Class: y.Class, Amount: parts[i]})
		}
	}
	return named, err
}

// moveDispute takes in that a dispute went on, or ended: what was reserved goes, or is free again.
func (s *State) moveDispute(step *replica.Step, p *Payment, d *Disputed, e *DisputeEvidence) {
	facts, stays := "", moongate.ID{}
	if e.State.over() {
		plan := s.crossings.PlanVoid
		if e.State == DisputeLost {
			plan = s.crossings.PlanComplete
		}
		for _, id := range d.crossings() {
			if end, err := plan(step, id); err == nil {
				end.Emit(step)
			} else {
				facts, stays = err.Error(), id
			}
		}
	}
	c := d.Contest
	c.State, c.Due = e.State, e.Due
	if e.Reason != "" {
		c.Reason = e.Reason
	}
	step.Emit(&DisputeMoved{Contest: c, Contested: Contested{s.head(p), d.Cash, d.Lines, d.Pieces}})
	if !e.State.over() {
		return
	}
	if x, ok := s.exceptions.Get(d.Exception); ok {
		s.settleException(step, &x, Dismiss, "", map[DisputeState]string{DisputeWon: "the wallet decided for the merchant", DisputeLost: "the wallet gave the money back to the shopper"}[e.State])
	}
	if facts != "" {
		s.trouble(step, Trouble{
			Of: p.Of, Kind: TroubleContradiction, Wallet: d.Wallet, Attempt: d.Attempt, Crossing: stays, Amount: d.Amount,
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
	d.Contest, d.Cash, d.Lines, d.Pieces = v.Contest, v.Cash, v.Lines, v.Pieces
	s.disputes.Put(key, d)
	s.foldPieces(v.Pieces, before, known, v.State)
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

// foldPieces reserves each order's piece, payouts leave it from then on, or gives it free again.
func (s *State) foldPieces(pieces []Piece, before DisputeState, known bool, now DisputeState) {
	for i := range pieces {
		switch x := &pieces[i]; {
		case !known:
			s.reservePart(x.Order, x.Amount, x.Cash)
			s.thaw(x.Order, x.Cash, x.Kept)
		case before.over():
		case now == DisputeWon:
			s.reservePart(x.Order, -x.Amount, -x.Cash)
			s.thaw(x.Order, -x.Cash, -x.Kept)
		case now == DisputeLost:
			s.spent(x.Order)
		}
	}
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
