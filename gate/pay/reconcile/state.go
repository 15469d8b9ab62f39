package reconcile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// Limits bound what the room keeps. What is zero takes the default.
type Limits struct {
	Differences int           // that are not settled; 200,000
	Kept        moongate.Time // how long a settled one is remembered; 40 days
	Bills       moongate.Time // how long a bill is; 400 days
}

// Bill is a bill as the state keeps it.
type Bill struct {
	Name      Name          `cbor:"1,keyasint" json:"name"`
	Published string        `cbor:"2,keyasint,omitempty" json:"published,omitempty"`
	Bytes     int64         `cbor:"3,keyasint,omitempty" json:"bytes,omitempty"`
	Figures   Figures       `cbor:"4,keyasint" json:"figures"`
	By        string        `cbor:"5,keyasint,omitempty" json:"by,omitempty"`
	Began     moongate.Time `cbor:"6,keyasint" json:"began"`
	Ended     moongate.Time `cbor:"7,keyasint,omitempty" json:"ended,omitzero"`
	Found     int64         `cbor:"8,keyasint,omitempty" json:"found"`
	Stood     int64         `cbor:"9,keyasint,omitempty" json:"stood"`
	Healed    int64         `cbor:"10,keyasint,omitempty" json:"healed"`
	Gaps      []Gap         `cbor:"11,keyasint,omitempty" json:"-"`
	Open      int64         `cbor:"12,keyasint,omitempty" json:"open"`            // of those found, not settled yet
	Earlier   moongate.ID   `cbor:"13,keyasint,omitzero" json:"earlier,omitzero"` // another bill of the day, whose place it takes
}

// Difference is one as the state keeps it.
type Difference struct {
	Found    `cbor:"1,keyasint"`
	Opened   moongate.Time `cbor:"2,keyasint"`
	Assignee string        `cbor:"3,keyasint,omitempty"`
	Forget   moongate.Time `cbor:"4,keyasint,omitempty"` // of a settled one
	Seen     moongate.ID   `cbor:"5,keyasint,omitzero"`  // the newest bill of the day that has it, too
	Newer    moongate.ID   `cbor:"6,keyasint,omitzero"`  // the bill of the day that has it no longer
}

// Calendar is how a wallet's bills are fetched.
type Calendar struct {
	Day    string        `cbor:"1,keyasint"` // the next one; "" where none is fetched
	Abroad bool          `cbor:"2,keyasint,omitempty"`
	Next   moongate.Time `cbor:"3,keyasint"` // when it is fetched
	Try    int           `cbor:"4,keyasint,omitempty"`
	First  moongate.Time `cbor:"5,keyasint,omitempty"` // when it was first tried
}

// calendarKey is a wallet and a kind of bill.
type calendarKey struct {
	Wallet string       `cbor:"1,keyasint"`
	Kind   pay.BillKind `cbor:"2,keyasint"`
}

func (k calendarKey) compare(o calendarKey) int {
	return cmp.Or(strings.Compare(k.Wallet, o.Wallet), strings.Compare(string(k.Kind), string(o.Kind)))
}

// dueKey is something that the room looks at by itself: a difference, or else a calendar.
type dueKey struct {
	difference moongate.ID
	calendar   calendarKey
}

func (k dueKey) less(o dueKey) bool {
	return cmp.Or(slices.Compare(k.difference[:], o.difference[:]), k.calendar.compare(o.calendar)) < 0
}

// State is the bills that were taken in, and what differs.
type State struct {
	limits    Limits
	parties   *party.State
	crossings *crossing.State
	pay       *pay.State

	bills       *replica.Table[moongate.ID, Bill]
	differences *replica.Table[moongate.ID, Difference]
	calendars   *replica.Table[calendarKey, Calendar]

	// Derived from the tables.
	names   map[Name]moongate.ID
	days    map[Name][]moongate.ID        // bills by their name without a hash, in order of their identifiers
	under   map[string][]moongate.ID      // differences by number, in order of their identifiers
	waiting map[Name][]moongate.ID        // those that wait for the next day's bill, by their own bill's name without a hash
	of      map[moongate.ID][]moongate.ID // those of a bill that are not settled
	due     *replica.Due[dueKey]
	fading  *replica.Due[moongate.ID] // bills and settled differences
	open    int                       // differences that are not settled

	paid paidBook
}

// New makes an empty room over those below it.
func New(parties *party.State, crossings *crossing.State, payments *pay.State, limits Limits) *State {
	if limits.Differences == 0 {
		limits.Differences = 200_000
	}
	if limits.Kept == 0 {
		limits.Kept = 40 * moongate.Day
	}
	if limits.Bills == 0 {
		limits.Bills = 400 * moongate.Day
	}
	s := &State{
		limits: limits, parties: parties, crossings: crossings, pay: payments,
		bills:       replica.NewTable[moongate.ID, Bill]("bills"),
		differences: replica.NewTable[moongate.ID, Difference]("differences"),
		calendars:   replica.NewTable[calendarKey, Calendar]("calendars"),
	}
	s.Rebuild()
	return s
}

// Name is "reconcile".
func (s *State) Name() string { return "reconcile" }

// Events lists the room's events.
func (s *State) Events() []journal.Event {
	return []journal.Event{&Began{}, &Found{}, &Taken{}, &Reconciled{}, &Assigned{}, &Moved{}, &Ended{}, &Scheduled{}, &FetchDue{}, &FetchEnded{}}
}

// Tables lists the room's state.
func (s *State) Tables() []replica.Stored {
	return []replica.Stored{s.bills, s.differences, s.calendars}
}

// Listens has news about a payment or refund settle what differs about it, and time forget what is over.
func (s *State) Listens() []string {
	return []string{(&pay.AttemptEnded{}).EventKind(), (&pay.Settled{}).EventKind(), (&pay.RefundEnded{}).EventKind(), (&replica.Ticked{}).EventKind()}
}

// Register tells the machine which commands the room answers, and that fetching a bill is an effect. It waits in a queue
// of its own: a bill takes longer than a payment may.
func (s *State) Register(m *replica.Machine) {
	replica.Handle(m, s.begin)
	replica.Handle(m, s.differ)
	replica.Handle(m, s.finish)
	replica.Handle(m, s.assign)
	replica.Handle(m, s.resolve)
	replica.Handle(m, s.schedule)
	replica.Handle(m, s.fetch)
	replica.Handle(m, s.fetched)
	m.OnEvent((&FetchDue{}).EventKind(), func(e journal.Event) string { return "bills:" + e.(*FetchDue).Name.Wallet })
}

// Lookup finds a bill.
func (s *State) Lookup(id moongate.ID) (Bill, bool) { return s.bills.Get(id) }

// ByName finds a bill by its identity.
func (s *State) ByName(n Name) (moongate.ID, bool) {
	id, ok := s.names[n]
	return id, ok
}

// Difference finds a difference: any that is not settled, and those that were in the last weeks.
func (s *State) Difference(id moongate.ID) (Difference, bool) { return s.differences.Get(id) }

// Open counts the differences that are not settled.
func (s *State) Open() int { return s.open }

// Calendar tells how a wallet's bills are fetched.
func (s *State) Calendar(wallet string, kind pay.BillKind) (Calendar, bool) {
	return s.calendars.Get(calendarKey{wallet, kind})
}

// day is a bill's name without its hash.
func (n Name) day() Name {
	n.Hash = ""
	return n
}

// under is the number by which a difference is found again.
func (f *Found) under() string {
	if !f.No.IsZero() {
		return f.No.String()
	}
	return f.Line.number()
}

// Rebuild makes anew what is derived.
func (s *State) Rebuild() {
	s.names, s.days = map[Name]moongate.ID{}, map[Name][]moongate.ID{}
	s.under, s.waiting, s.of = map[string][]moongate.ID{}, map[Name][]moongate.ID{}, map[moongate.ID][]moongate.ID{}
	s.due = replica.NewDue(dueKey.less)
	s.fading = replica.DueByID()
	s.open = 0
	s.paid = paidBook{days: map[paidKey][]paid{}, anew: s.paid.anew + 1}
	for id, b := range s.bills.All() {
		s.indexBill(id, &b)
	}
	for id, d := range s.differences.All() {
		s.indexDifference(id, &d)
	}
	for k, c := range s.calendars.All() {
		if c.Next != 0 {
			s.due.Add(c.Next, dueKey{calendar: k})
		}
	}
}

func (s *State) indexBill(id moongate.ID, b *Bill) {
	s.names[b.Name] = id
	s.days[b.Name.day()] = insert(s.days[b.Name.day()], id)
	s.fading.Add(b.Began+s.limits.Bills, id)
}

func (s *State) indexDifference(id moongate.ID, d *Difference) {
	s.under[d.under()] = insert(s.under[d.under()], id)
	if d.Standing == Settled {
		s.fading.Add(d.Forget, id)
		return
	}
	s.open++
	s.of[d.Bill] = insert(s.of[d.Bill], id)
	if d.Standing == Waiting {
		if b, ok := s.bills.Get(d.Bill); ok {
			s.waiting[b.Name.day()] = insert(s.waiting[b.Name.day()], id)
		}
	}
	if d.Next != 0 {
		s.due.Add(d.Next, dueKey{difference: id})
	}
}

// insert puts an identifier where it belongs: in what order the lists are walked decides the order of events.
func insert(list []moongate.ID, id moongate.ID) []moongate.ID {
	i, known := slices.BinarySearchFunc(list, id, func(a, b moongate.ID) int { return slices.Compare(a[:], b[:]) })
	if known {
		return list
	}
	return slices.Insert(list, i, id)
}

// drop takes an identifier out of one of the lists, and the list away with its last.
func drop[K comparable](lists map[K][]moongate.ID, k K, id moongate.ID) {
	if lists[k] = remove(lists[k], id); len(lists[k]) == 0 {
		delete(lists, k)
	}
}

func remove(list []moongate.ID, id moongate.ID) []moongate.ID {
	return slices.DeleteFunc(list, func(other moongate.ID) bool { return other == id })
}
