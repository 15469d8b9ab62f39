package pay

import (
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// Where sellers are sub-merchants of the account at a wallet (二级商户, 直付通), an order has a part for each of them: the wallet
// pays it into the sub-merchant's own account, frozen. One part is an order of that sub-merchant; several are paid together or
// not at all (合单支付). Each part is refunded and split by itself. Which sellers are sub-merchants their receivers say; a payment
// of others has no parts. Everything else about a payment is the same.

// PartOpened is a seller's part of an order that is opened.
type PartOpened struct {
	Part    moongate.ID `cbor:"1,keyasint" json:"part"` // its order number at the wallet; the attempt's where there is one part
	Party   string      `cbor:"2,keyasint" json:"party"`
	Account string      `cbor:"3,keyasint" json:"account"` // the sub-merchant's number at the wallet
	Amount  int64       `cbor:"4,keyasint" json:"amount"`
}

// PartPaid is what a wallet signed about one part.
type PartPaid struct {
	Part       moongate.ID `cbor:"1,keyasint" json:"part"`
	Account    string      `cbor:"2,keyasint" json:"account"`
	Ref        string      `cbor:"3,keyasint,omitempty" json:"wallet_ref,omitempty"`
	Amount     int64       `cbor:"4,keyasint" json:"amount"`
	PayerTotal int64       `cbor:"5,keyasint,omitempty" json:"payer_total,omitempty"`
	Settled    *int64      `cbor:"6,keyasint,omitempty" json:"settled,omitempty"`
}

// PartKept says how much of a part is its seller's own and the wallet's, and must not be split off to others.
type PartKept struct {
	Part moongate.ID `cbor:"1,keyasint"`
	Kept int64       `cbor:"2,keyasint"`
}

// Part is a seller's part as the state keeps it.
type Part struct {
	PartOpened `cbor:"1,keyasint"`
	Attempt    moongate.ID `cbor:"2,keyasint"`
	Ref        string      `cbor:"3,keyasint,omitempty"`
	Coupon     int64       `cbor:"4,keyasint,omitempty"` // of the amount, what the wallet does not owe
	Reserved   int64       `cbor:"5,keyasint,omitempty"` // refunded or under way
	// ReservedCash is Reserved counted in what the wallet owes.
	ReservedCash int64 `cbor:"6,keyasint,omitempty"`
}

func (p *Part) owes() int64 { return p.Amount - p.Coupon }

// cash is how much of a refund the wallet takes from the seller's money, as [Payment.cash].
func (p *Part) cash(amount int64) int64 {
	return max(part(p.Reserved+amount, p.owes(), p.Amount)-p.ReservedCash, 0)
}

func (p *PartPaid) owed() int64 {
	if p.Settled == nil || *p.Settled < 0 || *p.Settled > p.Amount {
		return p.Amount
	}
	return *p.Settled
}

// Part finds a part of an order.
func (s *State) Part(id moongate.ID) (Part, bool) { return s.parts.Get(id) }

// attemptOf is the order whose part a number is of, or the number itself.
func (s *State) attemptOf(order moongate.ID) moongate.ID {
	if p, ok := s.parts.Get(order); ok {
		return p.Attempt
	}
	return order
}

// payees are those of a payment, by its terms where it names none.
func (s *State) payees(step *replica.Step, p *Payment, wallet string) ([]crossing.Payee, error) {
	if len(p.Payees) > 0 || p.Suspend != "" {
		return p.Payees, nil
	}
	plan, err := s.crossings.Plan(step, p.passage(wallet))
	if err != nil {
		return nil, err
	}
	defer plan.Drop(step)
	return soldTo(plan), nil
}

func soldTo(plan *crossing.Plan) []crossing.Payee {
	sold := plan.Event().Book.Payees
	list := make([]crossing.Payee, len(sold))
	for i := range sold {
		list[i] = sold[i].Payee
	}
	return list
}

// numbered gives an attempt's parts their order numbers.
func numbered(step *replica.Step, attempt moongate.ID, parts []PartOpened) []PartOpened {
	for i := range parts {
		if parts[i].Part = attempt; len(parts) > 1 {
			parts[i].Part = step.NewID(moongate.KindAttempt)
		}
	}
	return parts
}

// fits tells whether what a wallet says was paid is the parts that were ordered, and what it owes for them what it owes in all. Of
// an order with one part it need say none.
func (s *State) fits(a *Attempt, e *Evidence) bool {
	if len(e.Parts) == 0 && len(a.Parts) <= 1 {
		return true
	}
	if len(e.Parts) != len(a.Parts) {
		return false
	}
	seen, owed := map[moongate.ID]bool{}, int64(0)
	for i := range e.Parts {
		said := &e.Parts[i]
		p, ok := s.parts.Get(said.Part)
		if !ok || seen[said.Part] || !slices.Contains(a.Parts, said.Part) || p.Account != said.Account || p.Amount != said.Amount {
			return false
		}
		seen[said.Part] = true
		owed += said.owed()
	}
	return len(e.Parts) == 1 || owed == e.owed().Minor
}

// scaledBy divides what the wallet owes among payees: part by part, where it says what it owes of each.
func (s *State) scaledBy(payees []crossing.Payee, a *Attempt, owed int64) ([]crossing.Payee, error) {
	_, paid, err := s.owedBy(payees, a, owed)
	return paidOnly(paid), err
}

// owedBy is scaledBy with the payees in the same order as they were ordered, and those of nothing.
func (s *State) owedBy(payees []crossing.Payee, a *Attempt, owed int64) (ordered, paid []crossing.Payee, err error) {
	if a.Outcome == nil || len(a.Outcome.Parts) <= 1 {
		paid, err = scaledAll(payees, owed)
		return payees, paid, err
	}
	for i := range a.Outcome.Parts {
		said := &a.Outcome.Parts[i]
		p, _ := s.parts.Get(said.Part)
		var own []crossing.Payee
		for _, y := range payees {
			if y.Party == p.Party {
				own = append(own, y)
			}
		}
		ordered = append(ordered, own...)
		if said.owed() != said.Amount {
			if own, err = scaledAll(own, said.owed()); err != nil {
				return nil, nil, err
			}
		}
		paid = append(paid, own...)
	}
	return ordered, paid, nil
}

// keptBy is how much of each part stays with its seller and the wallet by a crossing: what the seller gets, and the fee that the
// wallet keeps of it. The rest is for others.
func (s *State) keptBy(attempt moongate.ID, recorded *crossing.Recorded) (list []PartKept) {
	a, _ := s.attempts.Get(attempt)
	for _, id := range a.Parts {
		p, _ := s.parts.Get(id)
		list = append(list, PartKept{id, keeps(recorded, p.Party)})
	}
	return list
}

func keeps(recorded *crossing.Recorded, party string) int64 {
	sum := int64(0)
	for _, side := range recorded.Sides {
		if side.Party != party {
			continue
		}
		for _, l := range side.Lines {
			wallet := l.What == crossing.FeeLine && l.Other == recorded.Book.Wallet
			if l.What != crossing.Held && l.What != crossing.Suspense && !wallet {
				sum += l.Amount
			}
		}
	}
	return sum
}

// partOf finds the one part that a refund is about: that of the payees it names, or the only one.
func (s *State) partOf(a *Attempt, payees []crossing.Payee) (moongate.ID, *Part, error) {
	if len(a.Parts) == 1 {
		p, _ := s.parts.Get(a.Parts[0])
		return a.Parts[0], &p, nil
	}
	for _, id := range a.Parts {
		p, _ := s.parts.Get(id)
		if len(payees) == 0 || payees[0].Party != p.Party {
			continue
		}
		for _, y := range payees {
			if y.Party != p.Party {
				return id, nil, manyParts()
			}
		}
		return id, &p, nil
	}
	return moongate.ID{}, nil, manyParts()
}

func manyParts() error {
	return &moongate.Error{
		Code: moongate.Malformed, Field: "payees", Message: "the payment was paid to several sellers, each by an order of its own",
		Hint: "name in each refund what one seller gives back",
	}
}

// nextPart is the first part of an order of which something can still go back, with how much that is, as ordered and in cash.
func (s *State) nextPart(a *Attempt) (id moongate.ID, left, cash int64) {
	for _, id := range a.Parts {
		if p, ok := s.parts.Get(id); ok && p.owes() > p.ReservedCash {
			return id, p.Amount - p.Reserved, p.owes() - p.ReservedCash
		}
	}
	return moongate.ID{}, 0, 0
}

// reservePart counts a refund of a part, or takes it back.
func (s *State) reservePart(id moongate.ID, amount, cash int64) {
	if p, ok := s.parts.Get(id); ok {
		p.Reserved += amount
		p.ReservedCash += cash
		s.parts.Put(id, p)
	}
}

// foldParts keeps the parts of an order that is opened.
func (s *State) foldParts(attempt moongate.ID, list []PartOpened) (ids []moongate.ID) {
	for _, one := range list {
		s.parts.Put(one.Part, Part{PartOpened: one, Attempt: attempt})
		ids = append(ids, one.Part)
	}
	return ids
}

// foldPartsPaid notes what was paid of each part.
func (s *State) foldPartsPaid(a *Attempt, e *Evidence) {
	for _, id := range a.Parts {
		p, ok := s.parts.Get(id)
		if !ok {
			continue
		}
		p.Ref, p.Coupon = e.WalletRef, e.Amount.Minor-e.owed().Minor
		for i := range e.Parts {
			if e.Parts[i].Part == id {
				p.Ref = e.Parts[i].Ref
				if len(e.Parts) > 1 { // of one part the wallet owes what it owes in all
					p.Coupon = e.Parts[i].Amount - e.Parts[i].owed()
				}
			}
		}
		s.parts.Put(id, p)
	}
}

// evidence is what a wallet says of a part, as the journal keeps it. A number that is not one of ours fits nothing.
func (p *PartOutcome) evidence() PartPaid {
	id, _ := moongate.ParseID(p.No)
	return PartPaid{Part: id, Account: clip(p.Account, maxAccount), Ref: clip(p.WalletRef, 64), Amount: p.Amount, PayerTotal: p.PayerTotal, Settled: p.Settled}
}

// orderParts is what a wallet is told of the parts of an attempt. Call it under the machine's Read.
func (s *State) orderParts(a *Attempt) []OrderPart {
	var list []OrderPart
	for _, id := range a.Parts {
		if p, ok := s.parts.Get(id); ok {
			list = append(list, OrderPart{No: id.String(), Account: p.Account, Amount: p.Amount, Tag: a.Payment.String()})
		}
	}
	return list
}

// partMovement is what moved under a part's number.
func (s *State) partMovement(no moongate.ID) (Movement, bool) {
	x, ok := s.parts.Get(no)
	if !ok || x.Attempt == no {
		return Movement{}, false
	}
	a, ok := s.attempts.Get(x.Attempt)
	if !ok {
		return Movement{}, false
	}
	m := s.paidBy(x.Attempt, &a)
	p, _ := s.payments.Get(a.Payment)
	m.No, m.Order, m.Amount = no, no, money.Of(x.Amount, p.Amount.Currency)
	m.Whole, m.Seller, m.Crossing = m.Crossing, x.Party, moongate.ID{}
	if m.Moved {
		m.Ref, m.Settled = x.Ref, x.owes()
	}
	return m, true
}
