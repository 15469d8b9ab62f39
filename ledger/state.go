package ledger

import (
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// Bounds of the books. Zero is the default.
type Bounds struct {
	Accounts int // 10,000,000 by default
	Pending  int // transfers pending at a time; 1,000,000 by default
}

// State is the books: accounts by number, and what is pending.
type State struct {
	bounds   Bounds
	operator func(handle string) bool

	books   *replica.List[Book]
	pending *replica.Table[moongate.ID, Held]

	// Derived: what follows from the tables.
	numbers map[Account]uint32
	byOwner map[string][]uint32       // in the order in which the accounts were opened
	carried []string                  // kinds of other rooms' events that carry transfers
	due     *replica.Due[moongate.ID] // pending transfers that expire
	scratch scratch
}

// Book is one account as the state keeps it. Head is the last event on its chain.
type Book struct {
	Account Account          `cbor:"1,keyasint"`
	Balance Balance          `cbor:"2,keyasint"`
	Limits  Limits           `cbor:"3,keyasint"`
	Head    journal.Position `cbor:"4,keyasint"`
}

// Held is a pending transfer: what it holds on each account, on one side each.
type Held struct {
	Crossing moongate.ID   `cbor:"1,keyasint,omitzero"`
	Expires  moongate.Time `cbor:"2,keyasint,omitempty"`
	Holds    []Hold        `cbor:"3,keyasint"`
}

// Hold is what a pending transfer holds on one account.
type Hold struct {
	Number uint32 `cbor:"1,keyasint"`
	Debit  int64  `cbor:"2,keyasint,omitempty"`
	Credit int64  `cbor:"3,keyasint,omitempty"`
}

// New makes empty books. The function tells who is an operator of the hub.
func New(bounds Bounds, operator func(handle string) bool) *State {
	if bounds.Accounts == 0 {
		bounds.Accounts = 10_000_000
	}
	if bounds.Pending == 0 {
		bounds.Pending = 1_000_000
	}
	return &State{
		bounds: bounds, operator: operator,
		books:   replica.NewList[Book]("books"),
		pending: replica.NewTable[moongate.ID, Held]("pending"),
		numbers: map[Account]uint32{}, byOwner: map[string][]uint32{}, due: replica.DueByID(),
	}
}

// Name is "ledger".
func (s *State) Name() string { return "ledger" }

// Events lists the room's events.
func (s *State) Events() []journal.Event {
	return []journal.Event{&Opened{}, &Transferred{}, &Resolved{}, &Limited{}}
}

// Tables lists the room's state.
func (s *State) Tables() []replica.Stored { return []replica.Stored{s.books, s.pending} }

// Carried says that events of a kind, which another room emits, are [Mover]s.
func (s *State) Carried(kind string) { s.carried = append(s.carried, kind) }

// Listens has the books take in what other rooms' events carry.
func (s *State) Listens() []string { return s.carried }

// Register has the machine take the room's commands.
func (s *State) Register(m *replica.Machine) { replica.Handle(m, s.SetLimits) }

// Fold is the only code that changes the books.
func (s *State) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *Opened:
		s.books.Append(Book{Account: v.Account, Head: e.Position})
		s.index(v.Account, v.Number)
	case Mover:
		if t, ok := v.Moves(); ok {
			s.move(e.Position, &t)
		}
	case *Resolved:
		s.post(e.Position, v.Numbers, v.Postings)
		s.pending.Delete(v.ID)
	case *Limited:
		b := s.books.At(int(v.Number))
		b.Limits, b.Head = v.Limits, e.Position
		s.books.Set(int(v.Number), b)
	}
}

func (s *State) move(at journal.Position, t *Transferred) {
	s.post(at, t.Numbers, t.Postings)
	if !t.Pending {
		return
	}
	h := Held{Crossing: t.Crossing, Expires: t.Expires, Holds: make([]Hold, len(t.Postings))}
	for i, p := range t.Postings {
		h.Holds[i] = Hold{t.Numbers[i], p.Debit, p.Credit}
	}
	s.pending.Put(t.ID, h)
	if t.Expires != 0 {
		s.due.Add(t.Expires, t.ID)
	}
}

func (s *State) post(at journal.Position, numbers []uint32, postings []*Posting) {
	for i, p := range postings {
		n := int(numbers[i])
		b := s.books.At(n)
		b.Balance, b.Head = p.Balance, at
		s.books.Set(n, b)
	}
}

func (s *State) index(a Account, number uint32) {
	s.numbers[a] = number
	s.byOwner[a.Owner] = append(s.byOwner[a.Owner], number)
}

// Rebuild makes anew what is derived.
func (s *State) Rebuild() {
	s.due.Clear()
	for id, h := range s.pending.All() {
		if h.Expires != 0 {
			s.due.Add(h.Expires, id)
		}
	}
	clear(s.numbers)
	clear(s.byOwner)
	for i := range s.books.Len() {
		s.index(s.books.At(i).Account, uint32(i))
	}
}

// Lookup gives an account's book; false where the account was never used.
func (s *State) Lookup(a Account) (Book, bool) {
	n, ok := s.numbers[a]
	if !ok {
		return Book{}, false
	}
	return s.books.At(int(n)), true
}

// Balance gives an account's balance; one that was never used has moved nothing.
func (s *State) Balance(a Account) Balance {
	b, _ := s.Lookup(a)
	return b.Balance
}

// Accounts lists an owner's books in the order in which the accounts were opened, from the one after so many; at most
// limit of them. The hub's own are those of "".
func (s *State) Accounts(owner string, after, limit int) []Book {
	numbers := s.byOwner[owner]
	if after = max(after, 0); after >= len(numbers) || limit <= 0 {
		return nil
	}
	numbers = numbers[after:min(len(numbers), after+limit)]
	books := make([]Book, 0, len(numbers))
	for _, n := range numbers {
		books = append(books, s.books.At(int(n)))
	}
	return books
}

// Pending gives what a pending transfer holds; false where it is pending no more, or never was.
func (s *State) Pending(id moongate.ID) (Held, bool) {
	h, ok := s.pending.Get(id)
	h.Holds = slices.Clone(h.Holds)
	return h, ok
}
