package crossing

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/share"
)

// Bounds of what the room keeps. Zero is the default.
type Bounds struct {
	Open       int           // crossings that can still be refunded or are pending; 5,000,000 by default
	Refundable moongate.Time // how long a crossing can be refunded; 180 days by default
}

// State is what the next crossing needs: those that can still be refunded, volumes, and the heads of agreements' chains.
type State struct {
	bounds     Bounds
	parties    *party.State
	agreements *agreement.State
	books      *ledger.State

	open    *replica.Packed[moongate.ID, Open, *Open]
	volumes *replica.Table[volumeKey, tally]
	heads   *replica.Table[moongate.ID, journal.Position]

	// Derived from the tables.
	due        *replica.Due[moongate.ID]   // to forget
	byTransfer map[moongate.ID]moongate.ID // pending crossings by what holds their value
	scratch    scratch
}

// Open is a crossing that can still be refunded, or is pending.
type Open struct {
	Shared   `cbor:"1,keyasint"`
	Position journal.Position `cbor:"2,keyasint"`
	Book     Book             `cbor:"3,keyasint"`
	// Back is what was taken back of the amount, what pending refunds take included; Refunds are those pending.
	Back    int64 `cbor:"4,keyasint,omitempty"`
	Refunds int   `cbor:"5,keyasint,omitempty"`
	// Taken is what was taken back payee by payee, in the order of the original, what pending refunds take included.
	Taken []Sold        `cbor:"6,keyasint,omitempty"`
	Keep  moongate.Time `cbor:"7,keyasint,omitempty"` // not forgotten before, whatever its age
}

// Left is how much of the crossing can still be taken back, in minor units.
func (o *Open) Left() int64 { return o.Amount - o.Back }

type volumeKey struct {
	Agreement moongate.ID    `cbor:"1,keyasint"`
	Party     string         `cbor:"2,keyasint"`
	Currency  money.Currency `cbor:"3,keyasint"`
}

// tally is a beneficiary's volume since the beginning of a period.
type tally struct {
	Since moongate.Time `cbor:"1,keyasint"`
	Gross int64         `cbor:"2,keyasint"`
}

// New makes an empty room over the participants, the agreements and the books.
func New(parties *party.State, agreements *agreement.State, books *ledger.State, bounds Bounds) *State {
	if bounds.Open == 0 {
		bounds.Open = 5_000_000
	}
	if bounds.Refundable == 0 {
		bounds.Refundable = 180 * moongate.Day
	}
	s := &State{
		bounds: bounds, parties: parties, agreements: agreements, books: books,
		open:    replica.NewPacked[moongate.ID, Open]("open"),
		volumes: replica.NewTable[volumeKey, tally]("volumes"),
		heads:   replica.NewTable[moongate.ID, journal.Position]("heads"),
	}
	books.Carried((&Recorded{}).EventKind())
	s.Rebuild()
	return s
}

// Name is "crossing".
func (s *State) Name() string { return "crossing" }

// Events lists the room's events.
func (s *State) Events() []journal.Event { return []journal.Event{&Recorded{}, &Refused{}} }

// Tables lists the room's state.
func (s *State) Tables() []replica.Stored { return []replica.Stored{s.open, s.volumes, s.heads} }

// Listens has the end of a pending transfer end its crossing, and time forget what cannot be refunded any more.
func (s *State) Listens() []string {
	return []string{(&ledger.Resolved{}).EventKind(), (&replica.Ticked{}).EventKind()}
}

// Lookup gives a crossing that is pending or can still be refunded.
func (s *State) Lookup(id moongate.ID) (Open, bool) { return s.open.Get(id) }

// Head is the newest crossing under an agreement, 0 for none: walk back by [Book].Before.
func (s *State) Head(agreement moongate.ID) journal.Position {
	head, _ := s.heads.Get(agreement)
	return head
}

// Full tells whether new payments and conversions have to wait. Gates ask before they start something that ends in one.
func (s *State) Full() error {
	if s.open.Len() < s.bounds.Open {
		return nil
	}
	return &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("%d crossings can still be refunded, the most that are kept", s.open.Len()), Hint: "try again when some have passed their refund window"}
}

// Rebuild makes anew what is derived.
func (s *State) Rebuild() {
	s.due = replica.DueByID()
	s.byTransfer = map[moongate.ID]moongate.ID{}
	for id, o := range s.open.All() {
		s.index(id, &o)
	}
}

func (s *State) index(id moongate.ID, o *Open) {
	if o.Pending {
		s.byTransfer[o.Book.Transfer] = id
	} else {
		s.due.Add(s.closes(o), id)
	}
}

// closes is when a crossing cannot be refunded any more.
func (s *State) closes(o *Open) moongate.Time { return max(o.At+s.bounds.Refundable, o.Keep) }

// Fold is the only code that changes the room's state.
func (s *State) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *Recorded:
		s.record(e.Position, v)
	case *ledger.Resolved:
		if id, ok := s.byTransfer[v.ID]; ok {
			delete(s.byTransfer, v.ID)
			s.resolve(id, v.Outcome)
		}
	case *replica.Ticked:
		s.forget(e.At)
	}
}

func (s *State) record(at journal.Position, e *Recorded) {
	if !e.Agreement.IsZero() {
		s.heads.Put(e.Agreement, at)
	}
	o := Open{Shared: e.Shared, Position: at, Book: e.Book}
	o.Book.Places = ledger.Places{}
	if !o.Pending {
		s.count(&o)
	}
	for _, parent := range [2]moongate.ID{e.Reverses, e.Releases} {
		if !parent.IsZero() {
			s.take(parent, &o, 1)
		}
	}
	if o.Pending || e.Kind == Payment || e.Kind == Conversion || e.Kind == Exception {
		s.open.Put(e.ID, o)
		s.index(e.ID, &o)
	}
}

// count adds what a crossing adds to volumes.
func (s *State) count(o *Open) {
	for _, v := range o.Book.Volumes {
		key := volumeKey{o.Agreement, v.Party, o.Currency}
		t, _ := s.volumes.Get(key)
		switch {
		case t.Since == v.Since:
			t.Gross += v.Gross
		case t.Since < v.Since:
			t = tally{v.Since, v.Gross}
		default:
			continue // it was pending while its period passed
		}
		s.volumes.Put(key, t)
	}
}

// take takes a refund off its crossing, or, with sign −1, gives it back.
func (s *State) take(parent moongate.ID, refund *Open, sign int64) {
	o, ok := s.open.Get(parent)
	if !ok {
		return
	}
	o.Back += sign * refund.Amount
	switch {
	case sign < 0:
		o.Refunds--
	case refund.Pending:
		o.Refunds++
	}
	if refund.Kind == Refund {
		o.Taken = add(o.Taken, refund.Book.Payees, sign)
	}
	s.open.Put(parent, o)
}

// add adds what a refund took, payee by payee and line by line, to what was taken before. The sum is in new memory.
func add(to, more []Sold, sign int64) []Sold {
	sum := make([]Sold, len(more))
	copy(sum, to)
	for i, m := range more {
		t := &sum[i]
		t.Party, t.Class, t.Free = m.Party, m.Class, m.Free
		t.Amount += sign * m.Amount
		t.Freight += sign * m.Freight
		t.Tax += sign * m.Tax
		fees, shares := make([]int64, max(len(m.Fees), len(t.Fees))), make([]share.Part, max(len(m.Shares), len(t.Shares)))
		copy(fees, t.Fees)
		copy(shares, t.Shares)
		for j, f := range m.Fees {
			fees[j] += sign * f
		}
		for j, p := range m.Shares {
			shares[j] = share.Part{Party: p.Party, Minor: shares[j].Minor + sign*p.Minor}
		}
		t.Fees, t.Shares = fees, shares
	}
	return sum
}

// resolve ends a pending crossing.
func (s *State) resolve(id moongate.ID, outcome ledger.Outcome) {
	o, ok := s.open.Get(id)
	if !ok {
		return
	}
	for _, parent := range [2]moongate.ID{o.Reverses, o.Releases} {
		switch {
		case parent.IsZero():
		case outcome == ledger.Posted:
			if p, ok := s.open.Get(parent); ok {
				p.Refunds--
				s.open.Put(parent, p)
			}
		default:
			s.take(parent, &o, -1)
		}
	}
	if outcome != ledger.Posted || o.Kind == Refund || o.Kind == Link {
		s.open.Delete(id)
		return
	}
	o.Pending = false
	s.count(&o)
	s.open.Put(id, o)
	s.index(id, &o)
}

// maxForget bounds what one tick forgets.
const maxForget = 1000

// forget drops crossings whose refund window has passed. One with a refund under way, or with money in suspense, stays
// a day longer, as often as needed.
func (s *State) forget(now moongate.Time) {
	for n := 0; n < maxForget; {
		_, id, ok := s.due.Next(now)
		if !ok {
			return
		}
		o, ok := s.open.Get(id)
		if !ok {
			continue // a node that was restored knows nothing of it, so it must not count
		}
		n++
		switch {
		case o.Refunds > 0 || o.Kind == Exception && o.Left() > 0:
			o.Keep = now + moongate.Day
			s.open.Put(id, o)
			s.due.Add(o.Keep, id)
		default:
			s.open.Delete(id)
		}
	}
}

// Unseen is [agreement.State.Unseen], for gates that know no agreements.
func (s *State) Unseen(id moongate.ID, participant string) error {
	return s.agreements.Unseen(id, participant)
}
