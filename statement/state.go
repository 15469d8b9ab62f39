package statement

import (
	"cmp"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
)

// State is the totals that private agreements let accrue, period by period, and the statements that can still be
// answered.
type State struct {
	parties    *party.State
	agreements *agreement.State
	books      *ledger.State
	settle     *settle.State

	totals     *replica.Table[totalKey, Accrued]
	waiting    *replica.Table[moongate.ID, []accrual] // of pending crossings, by transfer
	statements *replica.Table[moongate.ID, Statement]

	// Derived.
	due     *replica.Due[totalKey]
	appeals *replica.Due[moongate.ID]
}

// totalKey is one small party's total towards one host.
type totalKey struct {
	Agreement moongate.ID    `cbor:"1,keyasint"`
	From      string         `cbor:"2,keyasint"`
	To        string         `cbor:"3,keyasint"`
	Currency  money.Currency `cbor:"4,keyasint"`
}

func (k totalKey) compare(o totalKey) int {
	return cmp.Or(slices.Compare(k.Agreement[:], o.Agreement[:]), strings.Compare(k.From, o.From), strings.Compare(k.To, o.To), slices.Compare(k.Currency[:], o.Currency[:]))
}

// Accrued is what has accrued in the period that runs.
type Accrued struct {
	Since     moongate.Time `cbor:"1,keyasint"`
	Until     moongate.Time `cbor:"2,keyasint"`
	Parts     []Part        `cbor:"3,keyasint,omitempty"` // by wallet name
	Crossings int           `cbor:"4,keyasint,omitempty"`
	Retry     moongate.Time `cbor:"5,keyasint,omitempty"` // posting failed, and is tried again then
	// Late is what came in after the period had ended and before it was issued: it belongs to the next.
	Late     []Part `cbor:"6,keyasint,omitempty"`
	LateOnes int    `cbor:"7,keyasint,omitempty"`
}

// Part is what accrued at one wallet that keeps it back, or, with none, what the small party itself will owe. It may be
// negative after refunds.
type Part struct {
	Wallet string `cbor:"1,keyasint,omitempty"`
	Amount int64  `cbor:"2,keyasint"`
}

// Total is the sum of the parts.
func (a *Accrued) Total() int64 {
	sum := int64(0)
	for _, p := range a.Parts {
		sum += p.Amount
	}
	return sum
}

// plus adds to a part. The sum is in new memory.
func plus(parts []Part, wallet string, amount int64) []Part {
	parts = slices.Clone(parts)
	i, known := slices.BinarySearchFunc(parts, wallet, func(p Part, w string) int { return strings.Compare(p.Wallet, w) })
	if !known {
		parts = slices.Insert(parts, i, Part{Wallet: wallet})
	}
	parts[i].Amount += amount
	return parts
}

// accrual is one line of a crossing that accrues.
type accrual struct {
	Key    totalKey `cbor:"1,keyasint"`
	Wallet string   `cbor:"2,keyasint,omitempty"`
	Amount int64    `cbor:"3,keyasint"`
}

// Statement is an issued total that can still be answered.
type Statement struct {
	Sum    `cbor:"1,keyasint"`
	Status Status `cbor:"2,keyasint"`
}

// New makes an empty room over those below it.
func New(parties *party.State, agreements *agreement.State, books *ledger.State, settlement *settle.State) *State {
	s := &State{
		parties: parties, agreements: agreements, books: books, settle: settlement,
		totals:     replica.NewTable[totalKey, Accrued]("totals"),
		waiting:    replica.NewTable[moongate.ID, []accrual]("waiting"),
		statements: replica.NewTable[moongate.ID, Statement]("statements"),
	}
	s.Rebuild()
	return s
}

// Name is "statement".
func (s *State) Name() string { return "statement" }

// Events lists the room's events.
func (s *State) Events() []journal.Event {
	return []journal.Event{&Issued{}, &Postponed{}, &Passed{}, &Answered{}}
}

// Tables lists the room's state.
func (s *State) Tables() []replica.Stored {
	return []replica.Stored{s.totals, s.waiting, s.statements}
}

// Listens has agreements begin totals, crossings add to them, and time forget statements that cannot be answered any more.
func (s *State) Listens() []string {
	return []string{
		(&agreement.Signed{}).EventKind(), (&agreement.Agreed{}).EventKind(),
		(&crossing.Recorded{}).EventKind(), (&ledger.Resolved{}).EventKind(), (&replica.Ticked{}).EventKind(),
	}
}

// Register tells the machine which commands the room answers.
func (s *State) Register(m *replica.Machine) {
	replica.Handle(m, s.confirm)
	replica.Handle(m, s.dispute)
}

// Rebuild makes what is derived from the tables.
func (s *State) Rebuild() {
	s.due = replica.NewDue(func(a, b totalKey) bool { return a.compare(b) < 0 })
	s.appeals = replica.DueByID()
	for key, a := range s.totals.All() {
		s.due.Add(max(a.Until, a.Retry), key)
	}
	for id, st := range s.statements.All() {
		s.appeals.Add(st.Appeal, id)
	}
}

// Lookup gives an issued statement that can still be answered.
func (s *State) Lookup(id moongate.ID) (Statement, bool) { return s.statements.Get(id) }

// Accrued gives what a small party will owe a host when the period that runs ends: for the small party alone.
func (s *State) Accrued(agreement moongate.ID, from, to string, c money.Currency) (Accrued, bool) {
	return s.totals.Get(totalKey{agreement, from, to, c})
}

// Fold changes the state as an event says.
func (s *State) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *agreement.Signed:
		if t, err := s.agreements.Version(v.Agreement, v.Version); err == nil {
			s.begin(t, v.Role, v.Party, e.At)
		}
	case *agreement.Agreed:
		if t, err := s.agreements.Version(v.Agreement, v.Version); err == nil {
			for i := range t.Doc.Parties { // those that need not sign
				if p := &t.Doc.Parties[i]; p.ID != "" {
					s.begin(t, p.Role, p.ID, e.At)
				}
			}
		}
	case *crossing.Recorded:
		s.foldCrossing(v)
	case *ledger.Resolved:
		if list, ok := s.waiting.Get(v.ID); ok {
			s.waiting.Delete(v.ID)
			if v.Outcome == ledger.Posted {
				s.accrue(list, e.At)
			}
		}
	case *Issued:
		s.foldIssued(v)
	case *Passed:
		key := totalKey{v.Agreement, v.From, v.To, v.Currency}
		if v.Ends {
			s.totals.Delete(key)
			return
		}
		a, _ := s.totals.Get(key)
		s.next(key, a)
	case *Postponed:
		key := totalKey{v.Agreement, v.From, v.To, v.Currency}
		a, _ := s.totals.Get(key)
		a.Retry = v.Retry
		s.totals.Put(key, a)
		s.due.Add(a.Retry, key)
	case *replica.Ticked:
		for {
			_, id, ok := s.appeals.Next(e.At)
			if !ok {
				return
			}
			s.statements.Delete(id)
		}
	case *Answered:
		st, _ := s.statements.Get(v.ID)
		st.Status = v.Status
		s.statements.Put(v.ID, st)
	}
}

// begin starts a participant's totals towards every host that its terms give totals only.
func (s *State) begin(t *agreement.Terms, role agreement.Role, who string, at moongate.Time) {
	for _, d := range t.Doc.Disclosure {
		if d.Of != role || d.Level != agreement.TotalOnly {
			continue
		}
		host := t.Doc.Party(d.To).ID
		period, _ := t.Private(d.Of, d.To)
		since, until := t.Period(period, max(at, t.Doc.Valid.From))
		for _, code := range t.Doc.Scope.Currencies {
			c, err := money.ParseCurrency(code)
			if err != nil {
				continue // the terms were compiled with it
			}
			key := totalKey{t.ID, who, host, c}
			if !s.totals.Has(key) {
				s.totals.Put(key, Accrued{Since: since, Until: until})
				s.due.Add(until, key)
			}
		}
	}
}

func (s *State) foldCrossing(e *crossing.Recorded) {
	var list []accrual
	for _, side := range e.Sides {
		for _, l := range side.Lines {
			if l.Accrue && l.Amount != 0 {
				list = append(list, accrual{totalKey{e.Agreement, side.Party, l.Other, e.Currency}, e.Wallet, -l.Amount})
			}
		}
	}
	switch {
	case list == nil:
	case e.Pending:
		s.waiting.Put(e.Transfer, list)
	default:
		s.accrue(list, e.At)
	}
}

// accrue adds lines to the period that runs.
func (s *State) accrue(list []accrual, at moongate.Time) {
	counted := map[totalKey]bool{}
	for _, one := range list {
		a, ok := s.totals.Get(one.Key)
		if !ok {
			continue
		}
		parts, n := &a.Parts, &a.Crossings
		if at >= a.Until {
			parts, n = &a.Late, &a.LateOnes
		}
		*parts = plus(*parts, one.Wallet, one.Amount)
		if !counted[one.Key] {
			counted[one.Key] = true
			*n++
		}
		s.totals.Put(one.Key, a)
	}
}

func (s *State) foldIssued(v *Issued) {
	key := totalKey{v.Agreement, v.From, v.To, v.Currency}
	a, _ := s.totals.Get(key)
	if v.Total > 0 {
		a.Parts = nil
	}
	s.next(key, a)
	s.statements.Put(v.ID, Statement{Sum: v.Sum, Status: Standing})
	s.appeals.Add(v.Appeal, v.ID)
}

// next goes on to the period after.
func (s *State) next(key totalKey, a Accrued) {
	a.Since, a.Retry, a.Crossings = a.Until, 0, a.LateOnes
	for _, p := range a.Late {
		a.Parts = plus(a.Parts, p.Wallet, p.Amount)
	}
	a.Late, a.LateOnes = nil, 0
	a.Until = s.periodEnd(key, a.Since)
	s.totals.Put(key, a)
	s.due.Add(a.Until, key)
}

// periodEnd is the end of the period that begins at a moment, by the terms that hold then or held last.
func (s *State) periodEnd(key totalKey, since moongate.Time) moongate.Time {
	t, period := s.termsAt(key, since)
	if t == nil {
		return since + 31*moongate.Day
	}
	_, until := t.Period(period, since)
	if until <= since { // a calendar that was changed in between
		return since + 31*moongate.Day
	}
	return until
}

// termsAt finds the terms that make a total private at a time: those in force, else the last ones that did.
func (s *State) termsAt(key totalKey, at moongate.Time) (*agreement.Terms, agreement.TierPeriod) {
	if t, err := s.agreements.InForce(key.Agreement, at); err == nil {
		if p, ok := s.private(t, key, at); ok {
			return t, p
		}
	}
	for n := s.agreements.Latest(key.Agreement); n > 0; n-- {
		if t, err := s.agreements.Version(key.Agreement, n); err == nil {
			if p, ok := s.private(t, key, at); ok {
				return t, p
			}
		}
	}
	return nil, ""
}

// private tells whether terms give the host of a total that total only, whoever stands under them.
func (s *State) private(t *agreement.Terms, key totalKey, _ moongate.Time) (agreement.TierPeriod, bool) {
	for _, d := range t.Doc.Disclosure {
		of, to := t.Doc.Party(d.Of), t.Doc.Party(d.To)
		if d.Level == agreement.TotalOnly && to.ID == key.To && of.Names(key.From) {
			return t.Private(d.Of, d.To)
		}
	}
	return "", false
}
