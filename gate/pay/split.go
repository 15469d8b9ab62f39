package pay

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// What a wallet holds of paid orders it pays out by splitting them (分账): settlement says how much a participant is to
// get from a wallet, and the room takes it from the oldest orders that are frozen there and still have something left. A
// payout is one instruction of a settlement window, a split is its part that comes out of one order.

// PlanPayout has a participant paid out of what a wallet holds. Asked again under the same number it goes on with what is
// still open, and changes nothing while splits are under way.
type PlanPayout struct {
	No     moongate.ID  `cbor:"1,keyasint"` // of the settlement instruction
	Wallet string       `cbor:"2,keyasint"`
	To     string       `cbor:"3,keyasint"`
	Amount money.Amount `cbor:"4,keyasint"`
	Cap    int64        `cbor:"5,keyasint"`           // what may be split off one order, basis points
	Net    bool         `cbor:"6,keyasint,omitempty"` // the wallet has taken its fee from what may be split
}

// PayoutAnswer is how a payout stands, in minor units.
type PayoutAnswer struct {
	Paid   int64  `cbor:"1,keyasint"`
	Open   int64  `cbor:"2,keyasint"`           // under way at the wallet
	Manual string `cbor:"3,keyasint,omitempty"` // why nothing can be split for it
	Failed string `cbor:"4,keyasint,omitempty"` // the wallet's reason for the last part that failed
	Waits  string `cbor:"5,keyasint,omitempty"` // for what the rest waits
}

// SplitOpened says that a part of an order is to go to a participant. Effect: split.
type SplitOpened struct {
	Share  `audience:"payee"`
	Source `audience:"hub"`
}

// Share is a participant's part of what a wallet holds.
type Share struct {
	Split       moongate.ID  `cbor:"1,keyasint" json:"split"`
	Instruction moongate.ID  `cbor:"2,keyasint" json:"instruction"`
	Wallet      string       `cbor:"3,keyasint" json:"wallet"`
	To          string       `cbor:"4,keyasint" json:"to"`
	Amount      money.Amount `cbor:"5,keyasint" json:"amount"`
}

// Readers lists who may open a group of the event.
func (s *Share) Readers(audience string) []string {
	if audience == "payee" {
		return []string{s.To}
	}
	return nil
}

// Source is what only the hub knows of a split: the order that it comes out of.
type Source struct {
	Attempt moongate.ID   `cbor:"1,keyasint"`
	Account string        `cbor:"2,keyasint"`
	Next    moongate.Time `cbor:"3,keyasint"`
	Whole   int64         `cbor:"4,keyasint"`           // of the payout, minor units
	Release bool          `cbor:"5,keyasint,omitempty"` // all that is left of a sub-merchant's part becomes its own; nothing is split
}

// SplitDue says that a split is asked for once more, under its number, or asked about. Effect: split or query.
type SplitDue struct {
	Share `audience:"payee"`
	Retry `audience:"hub"`
}

// Retry is what [SplitDue] says to the hub.
type Retry struct {
	Ask  bool          `cbor:"1,keyasint,omitempty"` // split again; else query
	Next moongate.Time `cbor:"2,keyasint"`
}

// SplitMoved says where a split stands: under way, done, or failed for good.
type SplitMoved struct {
	SplitStand `audience:"payee"`
	Wait       `audience:"hub"`
}

// SplitStand is what [SplitMoved] says.
type SplitStand struct {
	Share
	Status  SplitStatus `cbor:"6,keyasint" json:"status"`
	Ref     string      `cbor:"7,keyasint,omitempty" json:"ref,omitempty"`
	Message string      `cbor:"8,keyasint,omitempty" json:"message,omitempty"`
	Code    string      `cbor:"9,keyasint,omitempty" json:"code,omitempty"` // the wallet's own
}

// Wait is when the room looks at a split again.
type Wait struct {
	Next moongate.Time `cbor:"1,keyasint,omitempty"`
}

// SplitReport tells what a call to a wallet about a split came to.
type SplitReport struct {
	Split   moongate.ID `cbor:"1,keyasint"`
	Op      Op          `cbor:"2,keyasint"`
	State   SplitState  `cbor:"3,keyasint,omitempty"`
	Ref     string      `cbor:"4,keyasint,omitempty"`
	Verdict Verdict     `cbor:"5,keyasint,omitempty"`
	Code    string      `cbor:"6,keyasint,omitempty"`
	Message string      `cbor:"7,keyasint,omitempty"`
}

// SplitStatus is where a split stands.
type SplitStatus string

// Statuses of a split. The last two never change.
const (
	SplitAsked     SplitStatus = "asked"
	SplitAccepted  SplitStatus = "accepted" // the wallet is at it
	SplitUncertain SplitStatus = "unknown"
	SplitSucceeded SplitStatus = "succeeded"
	SplitFailed    SplitStatus = "failed" // the money stayed
)

func (s SplitStatus) final() bool { return s == SplitSucceeded || s == SplitFailed }

// Calls to a wallet about splits.
const (
	OpSplit      Op = "split"
	OpQuerySplit Op = "query_split"
)

func (*SplitOpened) EventKind() string { return "pay.split_opened" }
func (*SplitDue) EventKind() string    { return "pay.split_due" }
func (*SplitMoved) EventKind() string  { return "pay.split_moved" }

func (*PlanPayout) CommandKind() string  { return "pay.plan_payout" }
func (*SplitReport) CommandKind() string { return "pay.split_report" }

// frozen is what is left of a paid order at its wallet.
type frozen struct {
	Wallet   string           `cbor:"1,keyasint"`
	Currency money.Currency   `cbor:"2,keyasint"`
	Whole    int64            `cbor:"3,keyasint"`
	Left     int64            `cbor:"4,keyasint"`           // neither split nor given back; less than nothing where more is to go back than is there
	Split    int64            `cbor:"5,keyasint,omitempty"` // or under way
	Since    journal.Position `cbor:"6,keyasint"`
	Until    moongate.Time    `cbor:"7,keyasint"`            // the wallet releases it by itself
	Open     int              `cbor:"8,keyasint,omitempty"`  // splits under way
	Party    string           `cbor:"9,keyasint,omitempty"`  // the seller whose part it is
	Kept     int64            `cbor:"10,keyasint,omitempty"` // of what is left, what is the seller's own and the wallet's; more than is left where others had theirs before a refund
	Balks    int              `cbor:"11,keyasint,omitempty"` // splits of it in a row that failed
	Last     moongate.Time    `cbor:"12,keyasint,omitempty"` // until then others come first, since it balked
	Aside    bool             `cbor:"13,keyasint,omitempty"` // it was not divided: it stands in suspense, and nobody is paid out of it
}

// splitting is a split as the state keeps it, while it is under way.
type splitting struct {
	Share   `cbor:"1,keyasint"`
	Source  `cbor:"2,keyasint"`
	Status  SplitStatus   `cbor:"3,keyasint"`
	Tries   int           `cbor:"4,keyasint,omitempty"`
	Asks    int           `cbor:"5,keyasint,omitempty"`
	Next    moongate.Time `cbor:"6,keyasint"`
	Message string        `cbor:"7,keyasint,omitempty"`
}

// payout is an instruction as the state keeps it.
type payout struct {
	Wallet string        `cbor:"1,keyasint"`
	To     string        `cbor:"2,keyasint"`
	Amount money.Amount  `cbor:"3,keyasint"`
	Paid   int64         `cbor:"4,keyasint,omitempty"`
	Open   int64         `cbor:"5,keyasint,omitempty"`
	Failed string        `cbor:"6,keyasint,omitempty"`
	Forget moongate.Time `cbor:"7,keyasint,omitempty"`
	Code   string        `cbor:"8,keyasint,omitempty"`  // the wallet's, with which the last part failed
	Broke  bool          `cbor:"9,keyasint,omitempty"`  // of the splits that are under way, or were with them, one failed
	Gained bool          `cbor:"10,keyasint,omitempty"` // and one succeeded
	Rounds int           `cbor:"11,keyasint,omitempty"` // of splits in a row that brought nothing
	Next   moongate.Time `cbor:"12,keyasint,omitempty"` // when the rest may be tried again
	Stuck  string        `cbor:"13,keyasint,omitempty"` // why the rest waits for a person
	Alarm  moongate.ID   `cbor:"14,keyasint,omitzero"`  // the open exception that says so
	Told   moongate.Time `cbor:"15,keyasint,omitempty"` // when settlement said that it waits no more
	Over   bool          `cbor:"16,keyasint,omitempty"` // its instruction was settled
}

// Bounds of splitting.
const (
	maxSplits  = 200                 // of one plan; what is left is planned when these have ended
	frozenFor  = 29 * moongate.Day   // wallets release what is not split after thirty
	splitLook  = 5 * moongate.Second // until the first look at a split that the wallet has accepted
	payoutKept = 30 * moongate.Day   // after its end
	maxAccount = 64
)

// planPayout divides what a participant is to get over the orders that are frozen at the wallet, oldest first.
func (s *State) planPayout(step *replica.Step, c *PlanPayout) (PayoutAnswer, error) {
	if err := fromHub(step); err != nil {
		return PayoutAnswer{}, err
	}
	o, known := s.payouts.Get(c.No)
	if known && (o.Wallet != c.Wallet || o.To != c.To || o.Amount != c.Amount) {
		return PayoutAnswer{}, &moongate.Error{Code: moongate.Conflict, Message: fmt.Sprintf("instruction %s is another payout", c.No)}
	}
	left := c.Amount.Minor - o.Paid - o.Open
	if o.Open > 0 || left <= 0 {
		return o.answer(), nil
	}
	if s.sent != nil && !s.sent(c.No) {
		return o.manual("instruction %s does not go to %s any more: it ended, or is paid by hand", c.No, c.Wallet), nil
	}
	if a, waits := o.rests(step.At); waits {
		return a, nil
	}
	if o.Rounds >= maxRounds && o.partly() {
		return s.stuck(step, c.No, &o, "%s refused it %d times in a row, the last time with: %s", c.Wallet, o.Rounds, o.refusal()), nil
	}
	account, known := s.receivers.Get(payeeKey{c.Wallet, c.To})
	plain := known && account.Admitted && !account.Sub
	parts, covered, waits := s.allocate(step, c, plain, left)
	if covered < left && len(parts) < maxSplits && waits {
		a := o.answer()
		a.Waits = "orders from which others are still to get their parts"
		return a, nil
	}
	switch short := covered < left && len(parts) < maxSplits; {
	case short && !known:
		return s.stuck(step, c.No, &o, "%s has named no account at %s", c.To, c.Wallet), nil
	case short && !account.Admitted:
		return s.stuck(step, c.No, &o, "%s does not admit the account of %s: %s", c.Wallet, c.To, account.Reason), nil
	case short:
		return s.stuck(step, c.No, &o, "%s holds %s that may be split, and %s is due", c.Wallet, money.Of(covered, c.Amount.Currency), money.Of(left, c.Amount.Currency)), nil
	}
	for _, p := range parts {
		step.Emit(&SplitOpened{
			Share:  Share{Split: step.NewID(moongate.KindSplit), Instruction: c.No, Wallet: c.Wallet, To: c.To, Amount: money.Of(p.amount, c.Amount.Currency)},
			Source: Source{Attempt: p.attempt, Account: p.account(account.Account), Next: step.At + patience, Whole: c.Amount.Minor, Release: p.own != ""},
		})
	}
	o, _ = s.payouts.Get(c.No)
	return o.answer(), nil
}

func (o *payout) answer() PayoutAnswer {
	return PayoutAnswer{Paid: o.Paid, Open: o.Open, Failed: o.Failed}
}

func (o *payout) manual(format string, args ...any) PayoutAnswer {
	a := o.answer()
	a.Manual = clip(fmt.Sprintf(format, args...), 300)
	return a
}

type portion struct {
	attempt moongate.ID
	amount  int64
	own     string // the sub-merchant's account in which it lies, where it is the participant's own
}

// account is where the portion goes: what is released stays in the account that it was paid into, whatever number the
// participant has by now.
func (p *portion) account(named string) string {
	if p.own != "" {
		return p.own
	}
	return named
}

// allocate takes what a participant is to get from the orders that are frozen, oldest first. Of a sub-merchant's part others
// get no more than is not its own, and only who has a plain account that the wallet admits; the sub-merchant gets its part by
// having it released, whole, when others have theirs, also where its number was changed or removed since it was paid.
func (s *State) allocate(step *replica.Step, c *PlanPayout, plain bool, need int64) (parts []portion, covered int64, waits bool) {
	for id, f := range s.fairly(c.Wallet, step.At) {
		if f.Until <= step.At || f.Aside || f.Currency != c.Amount.Currency {
			continue
		}
		take := min(f.Left-f.Kept, part(f.Whole, c.Cap, 10_000)-f.Split, need-covered)
		if c.Net && f.Party == "" && take > 0 { // a sub-merchant's wallet fee is not others' anyway
			take = min(take, f.Left-s.kept(id, &f))
		}
		own := ""
		switch f.Party {
		case c.To:
			if take = f.Left; f.Left > f.Kept || f.Open > 0 || f.Left > need-covered {
				waits = waits || f.Left > f.Kept || f.Open > 0
				continue
			}
			p, _ := s.parts.Get(id)
			own = p.Account
		default:
			if !plain {
				continue
			}
		}
		if take <= 0 {
			continue
		}
		parts, covered = append(parts, portion{id, take, own}), covered+take
		if covered == need || len(parts) == maxSplits {
			break
		}
	}
	return parts, covered, waits
}

// kept is what a wallet has taken as its fee of what is left of an order, by the terms, and at the most: the wallet rounds
// the order's fee, and what it gives back with each refund, where the terms round the fee of each payee.
func (s *State) kept(attempt moongate.ID, f *frozen) int64 {
	m, _ := s.Movement(attempt)
	fee, ok := s.crossings.WalletFee(m.Crossing)
	if !ok || f.Whole == 0 {
		return 0
	}
	p, _ := s.payments.Get(m.Payment)
	rounding := int64(fee.Parts/2 + p.Refunds)
	if p.Refunds > 0 {
		rounding++
	}
	return part(fee.Minor, f.Left+f.Split, f.Whole) + rounding
}

// splitReport takes in what a call about a split came to.
func (s *State) splitReport(step *replica.Step, c *SplitReport) (Done, error) {
	if err := fromHub(step); err != nil {
		return Done{}, err
	}
	x, ok := s.splits.Get(c.Split)
	if !ok {
		return Done{}, nil // it has ended
	}
	stand := SplitStand{Share: x.Share, Status: x.Status, Ref: c.Ref, Message: c.Message, Code: c.Code}
	wait := x.pause()
	switch {
	case c.State == SplitDone:
		stand.Status, wait = SplitSucceeded, 0
	case c.State == SplitClosed, c.Op == OpSplit && c.Verdict == Refused && x.Status == SplitAsked:
		stand.Status, wait = SplitFailed, 0
	case c.State == SplitPending:
		if stand.Status = SplitAccepted; x.Status != SplitAccepted {
			wait = splitLook
		}
	case c.State == SplitAbsent, c.Op == OpSplit && c.Verdict == NotDone && x.Status == SplitAsked:
		if stand.Status = SplitAsked; x.Asks >= maxAsked {
			stand.Status, wait = SplitFailed, 0
		} else {
			wait = backOff(refundAgain, doubtTo, x.Asks-1)
		}
	case c.Op == OpSplit:
		stand.Status, wait = SplitUncertain, doubtFrom
	}
	w := Wait{}
	if !stand.Status.final() {
		w.Next = step.At + wait
	}
	step.Emit(&SplitMoved{SplitStand: stand, Wait: w})
	return Done{}, nil
}

// pause is how long to wait before the next look.
func (x *splitting) pause() moongate.Time {
	if x.Status == SplitAccepted {
		return backOff(splitLook, doubtTo, x.Tries)
	}
	return backOff(doubtFrom, doubtTo, x.Tries)
}

func (s *State) lookAtSplit(step *replica.Step, x *splitting) {
	step.Emit(&SplitDue{Share: x.Share, Retry: Retry{Ask: x.Status == SplitAsked, Next: step.At + patience}})
}

func (s *State) foldSplits(e journal.Entry) {
	switch v := e.Event.(type) {
	case *ReceiverSet, *ReceiverStood, *ReceiverRemoved:
		s.foldReceivers(e)
	case *SplitOpened:
		s.foldSplitOpened(e.At, v)
	case *SplitDue:
		s.changeSplit(v.Split, v.Next, func(x *splitting) {
			if x.Tries++; v.Ask {
				x.Asks++
			}
		})
	case *SplitMoved:
		s.foldSplitMoved(e.At, v)
	}
}

func (s *State) foldSplitOpened(at moongate.Time, v *SplitOpened) {
	s.splits.Put(v.Split, splitting{Share: v.Share, Source: v.Source, Status: SplitAsked, Asks: 1, Next: v.Next})
	s.due.Add(v.Next, dueKey{dueSplit, v.Split})
	if f, ok := s.frozen.Get(v.Attempt); ok {
		f.Left -= v.Amount.Minor
		f.Open++
		if v.Release {
			f.Kept -= v.Amount.Minor
		} else {
			f.Split += v.Amount.Minor
		}
		s.frozen.Put(v.Attempt, f)
	}
	o, _ := s.payouts.Get(v.Instruction)
	o.Wallet, o.To, o.Amount = v.Wallet, v.To, money.Of(v.Whole, v.Amount.Currency)
	o.Open += v.Amount.Minor
	s.keepPayout(at, v.Instruction, &o)
}

// keepPayout puts a payout back, to be forgotten some time after it last moved.
func (s *State) keepPayout(at moongate.Time, id moongate.ID, o *payout) {
	o.Forget = at + payoutKept
	s.payouts.Put(id, *o)
	s.passing.Add(o.Forget, dueKey{duePayout, id})
}

func (s *State) foldSplitMoved(at moongate.Time, v *SplitMoved) {
	x, ok := s.splits.Get(v.Split)
	if !ok {
		return
	}
	if !v.Status.final() {
		s.changeSplit(v.Split, v.Next, func(x *splitting) {
			if x.Status != v.Status {
				x.Tries = 0
			}
			x.Status, x.Message = v.Status, v.Message
		})
		return
	}
	s.splits.Delete(v.Split)
	o, _ := s.payouts.Get(v.Instruction)
	f, frozen := s.frozen.Get(x.Attempt)
	o.Open -= v.Amount.Minor
	f.Open--
	if v.Status == SplitSucceeded {
		if !x.Release {
			s.foldShared(&x, v)
		}
		o.Paid, o.Gained = o.Paid+v.Amount.Minor, true
		s.unbalked(x.Attempt, &f)
	} else {
		o.Failed, o.Code, o.Broke = v.Message, v.Code, true
		if frozen {
			s.balked(x.Attempt, &f, at)
		}
		f.Left += v.Amount.Minor
		if x.Release {
			f.Kept += v.Amount.Minor
		} else {
			f.Split -= v.Amount.Minor
		}
	}
	o.round(at)
	switch {
	case !frozen:
	case x.Release && v.Status == SplitSucceeded:
		s.unfreeze(x.Attempt) // whole: what does not go back to a shopper after all is the seller's own by now
	default:
		s.frozen.Put(x.Attempt, f)
		s.spent(x.Attempt)
	}
	s.keepPayout(at, v.Instruction, &o)
}

func (s *State) changeSplit(id moongate.ID, next moongate.Time, f func(*splitting)) {
	x, ok := s.splits.Get(id)
	if !ok {
		return
	}
	f(&x)
	x.Next = next
	s.splits.Put(id, x)
	s.due.Add(next, dueKey{dueSplit, id})
}
