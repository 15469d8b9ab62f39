package replica

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Command is what somebody wants: a pointer to a struct with `cbor:"N,keyasint"` tags. An unknown field stops the
// decoding, so a field added later is omitempty.
type Command interface{ CommandKind() string }

// Step is one command being applied: when, for whom, and where its events go. It is the only thing beside state and
// command that deciding may read.
type Step struct {
	At     moongate.Time    // never earlier than any time before it
	Caller string           // the authenticated participant; "" for the hub itself
	Effect journal.Position // the event whose effect this command is the outcome of, or 0

	m       *Machine
	seed    *[32]byte
	drawn   uint32
	number  uint64
	events  []journal.Entry
	refusal journal.Event
	sealed  bool
}

// Emit records an event and folds it into the state at once. After the first Emit a command can no longer be refused:
// check first, emit last. The event must not be changed before the command is decided, nor share memory with anything that
// will be; then it is written down, and its memory may serve another: see [Reuser].
func (s *Step) Emit(e journal.Event) journal.Position {
	if s.sealed {
		panic("replica: Emit after the command was decided")
	}
	entry := journal.Entry{Position: s.Next(), At: s.At, Caller: s.Caller, Event: e}
	s.events = append(s.events, entry)
	s.m.fold(entry)
	return entry.Position
}

// Next is the position that the next emitted event will have. Chains need it: an event names the one before it, and
// the fold moves the head.
func (s *Step) Next() journal.Position { return s.m.next }

// Refuse refuses the command with a reason that depends on state, and has the given event stand in the journal for it.
// Return its result. Without it, any refusal is recorded as a [Refused], but for one that is malformed and one that only
// found no room ([moongate.Busy]): they leave no trace.
func (s *Step) Refuse(e journal.Event, reason *moongate.Error) error {
	s.refusal = e
	return reason
}

// Number tells commands apart within one run of the process: for scratch space that must not outlive a command.
func (s *Step) Number() uint64 { return s.number }

// Hub is the tag of the hub that applies the command.
func (s *Step) Hub() moongate.Hub { return s.m.hub }

// NewID draws an identifier from the command's seed.
func (s *Step) NewID(k moongate.Kind) moongate.ID {
	r := s.Random()
	return moongate.NewID(k, s.m.hub, [12]byte(r[:12]))
}

// Random draws 32 bytes from the command's seed: the same bytes whenever the command is applied again.
func (s *Step) Random() [32]byte {
	s.drawn++
	var b [37]byte
	copy(b[:], s.seed[:])
	b[32] = 'r'
	binary.BigEndian.PutUint32(b[33:], s.drawn)
	return sha256.Sum256(b[:])
}
