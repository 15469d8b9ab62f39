package pay

import (
	"context"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// What was split off an order the wallet does not give back to a shopper by itself: before money of an order goes back that is
// not there any more, its receivers' shares are returned (分账回退, 退分账), each in proportion, by largest remainder. A refund that
// needs it is recalling first, and asked for when every share is back or surely will not come: what a receiver does not give
// back the account has to have. A share that came back is owed to its receiver again, and is a crossing of its own; what the
// receiver bears of the refund the refund's crossing takes.

// Recall names a share that is to come back from its receiver.
type Recall struct {
	Recall moongate.ID  `cbor:"1,keyasint" json:"recall"` // its number at the wallet
	Split  moongate.ID  `cbor:"2,keyasint" json:"split"`
	Refund moongate.ID  `cbor:"3,keyasint" json:"refund"`
	Wallet string       `cbor:"4,keyasint" json:"wallet"`
	To     string       `cbor:"5,keyasint" json:"to"` // who got it
	Amount money.Amount `cbor:"6,keyasint" json:"amount"`
}

// Readers lists who may open a group of the event.
func (r *Recall) Readers(audience string) []string {
	if audience == "payee" {
		return []string{r.To}
	}
	return nil
}

// RecallOpened says that a share is to come back. Effect: unsplit.
type RecallOpened struct {
	Recall `audience:"payee"`
	Wait   `audience:"hub"`
}

// RecallDue says that it is asked for once more, under its number, or asked about. Effect: unsplit or query.
type RecallDue struct {
	Recall `audience:"payee"`
	Retry  `audience:"hub"`
}

// RecallMoved says where it stands: under way, back, or failed for good.
type RecallMoved struct {
	RecallStand `audience:"payee"`
	Wait        `audience:"hub"`
}

// RecallStand is what [RecallMoved] says.
type RecallStand struct {
	Recall
	Status   SplitStatus `cbor:"7,keyasint" json:"status"`
	Ref      string      `cbor:"8,keyasint,omitempty" json:"ref,omitempty"`
	Message  string      `cbor:"9,keyasint,omitempty" json:"message,omitempty"`
	Crossing moongate.ID `cbor:"10,keyasint,omitzero" json:"crossing,omitzero"`
}

// RecallReport tells what a call to a wallet about it came to.
type RecallReport struct {
	Recall  moongate.ID `cbor:"1,keyasint"`
	Op      Op          `cbor:"2,keyasint"`
	State   SplitState  `cbor:"3,keyasint,omitempty"`
	Ref     string      `cbor:"4,keyasint,omitempty"`
	Verdict Verdict     `cbor:"5,keyasint,omitempty"`
	Code    string      `cbor:"6,keyasint,omitempty"`
	Message string      `cbor:"7,keyasint,omitempty"`
}

// maxRecalls is how often shares are recalled for one refund. After that it is only asked for: a receiver that does not give
// back will not give back a minute later.
const maxRecalls = 3

// RefundRecalling is where a refund stands while shares come back for it.
const RefundRecalling RefundStatus = "recalling"

// Calls to a wallet about shares that come back.
const (
	OpUnsplit      Op = "unsplit"
	OpQueryUnsplit Op = "query_unsplit"
)

func (*RecallOpened) EventKind() string { return "pay.recall_opened" }
func (*RecallDue) EventKind() string    { return "pay.recall_due" }
func (*RecallMoved) EventKind() string  { return "pay.recall_moved" }

// CommandKind implements [replica.Command].
func (*RecallReport) CommandKind() string { return "pay.recall_report" }

// shared is what a receiver got of an order, for as long as it can be refunded.
type shared struct {
	Order   moongate.ID  `cbor:"1,keyasint"` // the attempt, or the part
	To      string       `cbor:"2,keyasint"`
	Account string       `cbor:"3,keyasint"`
	Amount  money.Amount `cbor:"4,keyasint"`
	Ref     string       `cbor:"5,keyasint,omitempty"`
	Back    int64        `cbor:"6,keyasint,omitempty"` // came back, or is on its way
}

// recalling is a share on its way back, as the state keeps it.
type recalling struct {
	Recall `cbor:"1,keyasint"`
	Status SplitStatus   `cbor:"2,keyasint"`
	Tries  int           `cbor:"3,keyasint,omitempty"`
	Asks   int           `cbor:"4,keyasint,omitempty"`
	Next   moongate.Time `cbor:"5,keyasint"`
}

// missing is how much of a refund's money was split off its order and must come back for it: what is not there any more. The
// wallet has its fee of what stays, rounded as it likes; of a sub-merchant's part that is the sub-merchant's affair.
func (s *State) missing(p *Payment, order moongate.ID, owes, reserved, cash int64) int64 {
	left := owes - reserved - cash
	if fee, ok := s.crossings.WalletFee(p.Crossing); ok && order == p.Attempt && left > 0 && len(s.sharesOf[order]) > 0 {
		left -= part(fee.Minor, left, owes) + int64(fee.Parts/2+p.Refunds+1)
	}
	for _, id := range s.sharesOf[order] {
		x, _ := s.shares.Get(id)
		left -= x.Amount.Minor - x.Back
	}
	return max(-left, 0)
}

// recallsFor finds the shares that must come back before a refund's cash can go out, of the order or of its part: none where
// what was reserved is there. Own is how much of the reserved is the refund's, which counts as cash.
func (s *State) recallsFor(step *replica.Step, b Back, of moongate.ID, own, cash int64) []Recall {
	p, _ := s.payments.Get(b.Payment)
	if own > 0 {
		p.Refunds-- // the others
	}
	order, owes, reserved := p.Attempt, p.owes(), p.ReservedCash
	if part, ok := s.parts.Get(of); ok {
		order, owes, reserved = of, part.owes(), part.ReservedCash
	}
	return s.recalls(step, b.Refund, b.Wallet, order, s.missing(&p, order, owes, reserved-own, cash))
}

func (s *State) emitRecalls(step *replica.Step, list []Recall) {
	for _, r := range list {
		step.Emit(&RecallOpened{Recall: r, Wait: Wait{Next: step.At + patience}})
	}
}

// recalls divides what must come back among those who got it.
func (s *State) recalls(step *replica.Step, refund moongate.ID, wallet string, order moongate.ID, need int64) (list []Recall) {
	var ids []moongate.ID
	var weights []int64
	sum := int64(0)
	for _, id := range ordered(s.sharesOf[order]) {
		x, _ := s.shares.Get(id)
		if out := x.Amount.Minor - x.Back; out > 0 {
			ids, weights = append(ids, id), append(weights, out)
			sum += out
		}
	}
	parts, err := money.Allocate(min(need, sum), weights)
	if err != nil {
		return nil // nobody has anything of it
	}
	for i, id := range ids {
		if x, _ := s.shares.Get(id); parts[i] > 0 {
			list = append(list, Recall{
				Recall: step.NewID(moongate.KindSplit), Split: id, Refund: refund, Wallet: wallet, To: x.To, Amount: money.Of(parts[i], x.Amount.Currency),
			})
		}
	}
	return list
}

// recallReport takes in what a call about a share came to.
func (s *State) recallReport(step *replica.Step, c *RecallReport) (Done, error) {
	if err := fromHub(step); err != nil {
		return Done{}, err
	}
	x, ok := s.recall.Get(c.Recall)
	if !ok {
		return Done{}, nil // it has ended
	}
	stand := RecallStand{Recall: x.Recall, Status: x.Status, Ref: c.Ref, Message: c.Message}
	wait := backOff(doubtFrom, doubtTo, x.Tries)
	switch {
	case c.State == SplitDone:
		stand.Status = SplitSucceeded
	case c.State == SplitClosed, c.Op == OpUnsplit && c.Verdict == Refused && x.Status == SplitAsked:
		stand.Status = SplitFailed
	case c.State == SplitPending:
		if stand.Status = SplitAccepted; x.Status != SplitAccepted {
			wait = splitLook
		}
	case c.State == SplitAbsent, c.Op == OpUnsplit && c.Verdict == NotDone && x.Status == SplitAsked:
		if stand.Status = SplitAsked; x.Asks >= maxAsked {
			stand.Status = SplitFailed
		} else {
			wait = backOff(refundAgain, doubtTo, x.Asks-1)
		}
	case c.Op == OpUnsplit:
		stand.Status, wait = SplitUncertain, doubtFrom
	}
	s.moveRecall(step, stand, wait)
	return Done{}, nil
}

// moveRecall writes where a share stands. One that is back is booked; when the last of a refund has ended the refund is asked
// for.
func (s *State) moveRecall(step *replica.Step, stand RecallStand, wait moongate.Time) {
	r, _ := s.refunds.Get(stand.Refund)
	if !stand.Status.final() {
		step.Emit(&RecallMoved{RecallStand: stand, Wait: Wait{Next: step.At + wait}})
		return
	}
	var trouble error
	if stand.Status == SplitSucceeded {
		p, _ := s.payments.Get(r.Payment)
		var plan *crossing.Plan
		plan, trouble = s.crossings.Plan(step, crossing.Passage{
			Kind: crossing.Takeback, Of: p.Crossing, Wallet: stand.Wallet, Currency: stand.Amount.Currency, Amount: stand.Amount.Minor,
			Payees: []crossing.Payee{{Party: stand.To, Amount: stand.Amount.Minor}},
		})
		if trouble == nil {
			stand.Crossing = plan.Emit(step).ID
		}
	}
	step.Emit(&RecallMoved{RecallStand: stand})
	if trouble != nil {
		s.refundTrouble(step, &r, TroubleContradiction, stand.To+" gave back "+stand.Amount.String()+", and the books do not follow: "+trouble.Error())
	}
	if r.Status == RefundRecalling && s.recallsOf[stand.Refund] == 0 {
		step.Emit(&RefundDue{Back: r.Back, Chain: Chain{s.headOf(r.Payment), step.At + patience}})
	}
}

func (s *State) lookAtRecall(step *replica.Step, x *recalling) {
	if r, ok := s.refunds.Get(x.Refund); ok && r.Alarm.IsZero() && step.At-r.Opened > 3*silence {
		s.refundTrouble(step, &r, TroubleSilent, "for three days nobody has known whether "+x.To+" gives its share back at "+x.Wallet)
	}
	step.Emit(&RecallDue{Recall: x.Recall, Retry: Retry{Ask: x.Status == SplitAsked, Next: step.At + patience}})
}

func (s *State) foldRecalls(e journal.Entry) {
	switch v := e.Event.(type) {
	case *RecallOpened:
		s.recall.Put(v.Recall.Recall, recalling{Recall: v.Recall, Status: SplitAsked, Asks: 1, Next: v.Next})
		s.recallsOf[v.Refund]++
		s.due.Add(v.Next, dueKey{dueRecall, v.Recall.Recall})
		s.giveShareBack(v.Split, v.Amount.Minor)
	case *RecallDue:
		s.changeRecall(v.Recall.Recall, v.Next, func(x *recalling) {
			if x.Tries++; v.Ask {
				x.Asks++
			}
		})
	case *RecallMoved:
		if !v.Status.final() {
			s.changeRecall(v.Recall.Recall, v.Next, func(x *recalling) {
				if x.Status != v.Status {
					x.Tries = 0
				}
				x.Status = v.Status
			})
			return
		}
		s.recall.Delete(v.Recall.Recall)
		if s.recallsOf[v.Refund]--; s.recallsOf[v.Refund] == 0 {
			delete(s.recallsOf, v.Refund)
		}
		x, _ := s.shares.Get(v.Split)
		if v.Status == SplitFailed {
			s.giveShareBack(v.Split, -v.Amount.Minor)
		} else {
			s.cameBack(x.Order, v.Amount.Minor)
		}
	}
}

func (s *State) changeRecall(id moongate.ID, next moongate.Time, f func(*recalling)) {
	x, ok := s.recall.Get(id)
	if !ok {
		return
	}
	f(&x)
	x.Next = next
	s.recall.Put(id, x)
	s.due.Add(next, dueKey{dueRecall, id})
}

func (s *State) giveShareBack(split moongate.ID, by int64) {
	if x, ok := s.shares.Get(split); ok {
		x.Back += by
		s.shares.Put(split, x)
	}
}

// foldShared keeps what a receiver got of an order.
func (s *State) foldShared(x *splitting, v *SplitMoved) {
	s.shares.Put(v.Split, shared{Order: x.Attempt, To: v.To, Account: x.Account, Amount: v.Amount, Ref: v.Ref})
	s.sharesOf[x.Attempt] = append(s.sharesOf[x.Attempt], v.Split)
}

// forgetShares drops what receivers got of an order that can no longer be refunded.
func (s *State) forgetShares(order moongate.ID) {
	for _, id := range s.sharesOf[order] {
		s.shares.Delete(id)
	}
	delete(s.sharesOf, order)
}

// rebuildRecalls makes anew what is derived. Splits are numbered by chance, so an order's are put in the order of their numbers.
func (s *State) rebuildRecalls() {
	s.sharesOf, s.recallsOf = map[moongate.ID][]moongate.ID{}, map[moongate.ID]int{}
	for id, x := range s.shares.All() {
		s.sharesOf[x.Order] = append(s.sharesOf[x.Order], id)
	}
	for id, x := range s.recall.All() {
		s.recallsOf[x.Refund]++
		s.due.Add(x.Next, dueKey{dueRecall, id})
	}
}

// ordered lists an order's shares, or its parts, in an order that does not depend on when they came to be.
func ordered(ids []moongate.ID) []moongate.ID {
	list := slices.Clone(ids)
	slices.SortFunc(list, func(a, b moongate.ID) int { return slices.Compare(a[:], b[:]) })
	return list
}

// unsplit asks for a share to come back, or about one.
func (g *Gate) unsplit(ctx context.Context, r *Recall, op Op) *RecallReport {
	report := &RecallReport{Recall: r.Recall, Op: op}
	s, ok := g.opt.Wallets[r.Wallet].(Splitter)
	u := UnsplitOrder{No: r.Recall.String(), SplitNo: r.Split.String(), Amount: r.Amount, Note: "refund " + r.Refund.String()}
	known := false
	g.opt.Read(func() {
		_, known = g.opt.State.recall.Get(r.Recall)
		x, _ := g.opt.State.shares.Get(r.Split)
		u.SplitRef, u.Account = x.Ref, x.Account
		if a, ok := g.opt.State.attempts.Get(x.Order); ok && a.Outcome != nil {
			u.OrderRef = a.Outcome.WalletRef
		}
		if p, ok := g.opt.State.parts.Get(x.Order); ok {
			u.OrderRef, u.Sub = p.Ref, p.Account
		}
	})
	switch {
	case !ok:
		report.fail(noAccount(r.Wallet))
		return report
	case !known || u.OrderRef == "":
		report.fail(Fail(string(op), Unknown, "the share was not wanted back any more", nil))
		return report
	case op == OpUnsplit && g.held():
		report.fail(quarantined(op))
		return report
	}
	call := s.Unsplit
	if op == OpQueryUnsplit {
		call = s.QueryUnsplit
	}
	out, err := call(ctx, u)
	if err == nil && out.No != u.No {
		err = Fail(string(op), Unknown, "the answer is about another share", nil)
	}
	if err != nil {
		report.fail(err)
		return report
	}
	report.State, report.Ref, report.Message = out.State, clip(out.WalletRef, 64), clip(out.Said, 200)
	return report
}

func (r *RecallReport) fail(err error) { r.Verdict, r.Code, r.Message = told(err) }
