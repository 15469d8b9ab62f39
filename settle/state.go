package settle

import (
	"cmp"
	"crypto/sha256"
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
)

// State is what is due, window by window.
type State struct {
	parties    *party.State
	agreements *agreement.State
	books      *ledger.State

	windows      *replica.Table[moongate.ID, Window]
	open         *replica.Table[openKey, moongate.ID]
	positions    *replica.Table[positionKey, Position]
	pairs        *replica.Table[pairKey, int64]
	instructions *replica.Table[moongate.ID, Instruction]
	waiting      *replica.Table[moongate.ID, passage] // pending crossings by transfer

	// Derived.
	members map[moongate.ID][]string  // of a window, in no order
	between map[moongate.ID][]pairKey // claims of a window, in no order
	due     *replica.Due[moongate.ID]

	paidOut func(instruction moongate.ID) (paid, open int64) // see Ask
}

// passage is what a crossing contributes beside its postings.
type passage struct {
	Agreement moongate.ID    `cbor:"1,keyasint"`
	Version   int            `cbor:"2,keyasint"`
	Currency  money.Currency `cbor:"3,keyasint"`
	Wallet    string         `cbor:"4,keyasint,omitempty"`
	Claims    []Claim        `cbor:"5,keyasint,omitempty"` // between two participants, where terms do not net multilaterally
	entropy   moongate.ID
}

// New makes an empty room over the participants, the agreements and the books.
func New(parties *party.State, agreements *agreement.State, books *ledger.State) *State {
	s := &State{
		parties: parties, agreements: agreements, books: books,
		windows:      replica.NewTable[moongate.ID, Window]("windows"),
		open:         replica.NewTable[openKey, moongate.ID]("open"),
		positions:    replica.NewTable[positionKey, Position]("positions"),
		pairs:        replica.NewTable[pairKey, int64]("pairs"),
		instructions: replica.NewTable[moongate.ID, Instruction]("instructions"),
		waiting:      replica.NewTable[moongate.ID, passage]("waiting"),
	}
	s.Rebuild()
	return s
}

// Name is "settle".
func (s *State) Name() string { return "settle" }

// Events lists the room's events.
func (s *State) Events() []journal.Event {
	return []journal.Event{&WindowClosed{}, &Claimed{}, &Instructed{}, &Reported{}, &WindowSettled{}, &WindowAborted{}, &Postponed{}}
}

// Tables lists the room's state.
func (s *State) Tables() []replica.Stored {
	return []replica.Stored{s.windows, s.open, s.positions, s.pairs, s.instructions, s.waiting}
}

// Listens has crossings and what they post add to windows.
func (s *State) Listens() []string {
	return []string{(&ledger.Resolved{}).EventKind(), (&crossing.Recorded{}).EventKind()}
}

// Register tells the machine which commands the room answers, and that an instruction to a wallet has an effect.
func (s *State) Register(m *replica.Machine) {
	replica.Handle(m, s.closeNow)
	replica.Handle(m, s.abort)
	replica.Handle(m, s.report)
	m.OnEvent((&Instructed{}).EventKind(), func(e journal.Event) string {
		if i, ok := e.(*Instructed); ok && i.Wallet {
			return i.From
		}
		return ""
	})
	m.OnEvent((&Reported{}).EventKind(), func(e journal.Event) string {
		if r, ok := e.(*Reported); ok && r.Progress == Sent {
			return r.From
		}
		return ""
	})
}

// Rebuild makes what is derived from the tables.
func (s *State) Rebuild() {
	s.members, s.between = map[moongate.ID][]string{}, map[moongate.ID][]pairKey{}
	s.due = replica.DueByID()
	for key := range s.positions.All() {
		s.members[key.Window] = append(s.members[key.Window], key.Party)
	}
	for key := range s.pairs.All() {
		s.between[key.Window] = append(s.between[key.Window], key)
	}
	for id, w := range s.windows.All() {
		s.index(id, &w)
	}
}

func (s *State) index(id moongate.ID, w *Window) {
	switch w.Status {
	case Open:
		s.due.Add(w.Until, id)
	case Closed:
		s.due.Add(w.Due, id)
	}
}

// Lookup gives a window that is not settled or aborted yet.
func (s *State) Lookup(id moongate.ID) (Window, bool) { return s.windows.Get(id) }

// Current gives the open window of an agreement in a currency; false where nothing has become due since the last closed.
func (s *State) Current(agreement moongate.ID, c money.Currency) (Window, bool) {
	id, ok := s.open.Get(openKey{agreement, c})
	if !ok {
		return Window{}, false
	}
	return s.windows.Get(id)
}

// Position gives a participant's position in a window that is not settled yet.
func (s *State) Position(window moongate.ID, participant string) (Position, bool) {
	return s.positions.Get(positionKey{window, participant})
}

// Ask has decisions about an instruction of a wallet's learn how much of it the wallet has paid, and how much is under way
// there, in minor units: what follows from the machine's state alone. It is called before the machine is made of the rooms.
func (s *State) Ask(paidOut func(instruction moongate.ID) (paid, open int64)) { s.paidOut = paidOut }

// progressOf is what of an instruction the payee has got, and what is on its way to it.
func (s *State) progressOf(i *Instruction) (paid, open int64) {
	if s.paidOut != nil && i.Wallet {
		paid, open = s.paidOut(i.ID)
	}
	return min(max(paid, i.Part), i.Amount), open
}

// PaidOut is what of an instruction that has not ended the payee has got by now, and what is under way to it, in minor units;
// of one that has ended, what it was said to be. Call it under the machine's Read.
func (s *State) PaidOut(instruction moongate.ID, said int64) (paid, open int64) {
	i, ok := s.instructions.Get(instruction)
	if !ok {
		return said, 0
	}
	return s.progressOf(&i)
}

// Sent tells whether an instruction is out, and its payer's to carry out: neither ended nor left to a person.
func (s *State) Sent(instruction moongate.ID) bool {
	i, ok := s.instructions.Get(instruction)
	return ok && i.Progress == Sent
}

// Instruction gives an instruction that is neither paid nor returned.
func (s *State) Instruction(id moongate.ID) (Instruction, bool) { return s.instructions.Get(id) }

// Parties lists who has a position in a window that is not settled yet, by name.
func (s *State) Parties(window moongate.ID) []string { return s.partiesOf(window) }

// partiesOf lists the participants of a window by name.
func (s *State) partiesOf(window moongate.ID) []string {
	list := slices.Clone(s.members[window])
	slices.Sort(list)
	return list
}

// pairsOf lists the claims of a window by name.
func (s *State) pairsOf(window moongate.ID) []pairKey {
	list := slices.Clone(s.between[window])
	slices.SortFunc(list, func(a, b pairKey) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
	})
	return list
}

// windowID names a window after what first became due in it, so that neither time nor count can be read from it.
func windowID(first moongate.ID) moongate.ID {
	sum := sha256.Sum256(append([]byte("moongate settlement window\n"), first[:]...))
	return moongate.NewID(moongate.KindWindow, moongate.Hub(first[1:4]), [12]byte(sum[:12]))
}
