package replica

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"sort"
	"sync"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Room is a part of the hub: its events, its state, its fold.
type Room interface {
	// Name stands in snapshots and must not change.
	Name() string
	// Events lists an example of every event of the room's, as pointers.
	Events() []journal.Event
	// Fold changes the state as an event of the room's says. It cannot fail and reads nothing but state and entry, of which
	// it keeps values and text alone: memory behind it may be used again.
	Fold(e journal.Entry)
	// Tables lists all of the room's state.
	Tables() []Stored
}

// Listener is a room that also folds events of rooms below it.
type Listener interface{ Listens() []string }

// Ticker is a room with deadlines: Tick acts on what is due at step.At, in order, at most limit items, and gives the
// number it acted on. It may emit; it must not fail.
type Ticker interface {
	Tick(step *Step, limit int) int
}

// Rebuilder is a room with something derived from its tables (a due list, an index): Rebuild makes it anew after the
// tables were restored.
type Rebuilder interface{ Rebuild() }

// Reuser is a room that uses the memory of its events again: Reuse says that a command was decided, its events are written
// down, and nobody looks at them any more.
type Reuser interface{ Reuse() }

// Machine is the hub as a deterministic state machine. One goroutine applies; others read under [Machine.Read].
type Machine struct {
	hub      moongate.Hub
	mu       sync.RWMutex
	registry journal.Registry
	rooms    []Room
	folds    map[string][]Room
	handlers map[string]*handler
	effects  map[string]func(journal.Event) string
	next     journal.Position
	steps    uint64
	step     Step            // of the command at hand: there is one at a time
	entries  []journal.Entry // memory for its events
	reusers  []Reuser
	core     *core
	hashes   hashes
	shaped   sync.Once
	digest   [8]byte // see shape
}

type handler struct {
	decode func([]byte) (Command, error)
	decide func(*Step, Command) (any, error)
	answer func([]byte) (any, error)
	takes  reflect.Type // the command's
	gives  reflect.Type // the answer's
}

// NewMachine puts rooms together, in the order in which ticks reach them.
func NewMachine(hub moongate.Hub, limits Limits, rooms ...Room) *Machine {
	m := &Machine{hub: hub, folds: map[string][]Room{}, handlers: map[string]*handler{}, effects: map[string]func(journal.Event) string{}, next: 1}
	m.core = newCore(m, limits.withDefaults())
	for _, r := range append([]Room{m.core}, rooms...) {
		m.rooms = append(m.rooms, r)
		if u, ok := r.(Reuser); ok {
			m.reusers = append(m.reusers, u)
		}
		for _, e := range r.Events() {
			m.registry.Add(e)
			m.folds[e.EventKind()] = append(m.folds[e.EventKind()], r)
		}
	}
	for _, r := range rooms {
		if l, ok := r.(Listener); ok {
			for _, kind := range l.Listens() {
				if m.folds[kind] == nil {
					panic(fmt.Sprintf("replica: room %s listens to %s, which no room emits", r.Name(), kind))
				}
				m.folds[kind] = append(m.folds[kind], r)
			}
		}
	}
	Handle(m, m.core.tick)
	Handle(m, m.core.bury)
	Handle(m, m.core.revive)
	Handle(m, m.core.erase)
	Handle(m, m.core.raiseRules)
	Handle(m, m.core.takeHash)
	Handle(m, m.core.reportHash)
	return m
}

// Handle has a room's method answer commands of one kind. C is the command's struct type.
func Handle[C any, A any, P interface {
	*C
	Command
}](m *Machine, decide func(*Step, P) (A, error)) {
	kind := P(new(C)).CommandKind()
	if m.handlers[kind] != nil {
		panic("replica: two handlers for " + kind)
	}
	m.handlers[kind] = &handler{
		decode: func(b []byte) (Command, error) {
			c := P(new(C))
			if err := journal.Unmarshal(b, c); err != nil {
				return nil, fmt.Errorf("replica: command %s: %w", kind, err)
			}
			return c, nil
		},
		decide: func(s *Step, c Command) (any, error) { return decide(s, c.(P)) },
		takes:  reflect.TypeFor[C](),
		gives:  reflect.TypeFor[A](),
		answer: func(b []byte) (any, error) {
			var a A
			err := journal.Decoding.Unmarshal(b, &a)
			return a, err
		},
	}
}

// AnswerType is the type of the answer to commands of a kind; nil where nobody answers them.
func (m *Machine) AnswerType(kind string) reflect.Type {
	if h := m.handlers[kind]; h != nil {
		return h.gives
	}
	return nil
}

// OnEvent says that events of a kind have an effect outside: the machine keeps each as pending, in the queue that peer
// names, until a command reports its outcome. An empty peer means that this event has no effect.
func (m *Machine) OnEvent(kind string, peer func(journal.Event) string) {
	if m.effects[kind] != nil {
		panic("replica: two effects of " + kind)
	}
	m.effects[kind] = peer
}

// Registry knows every event of the machine's.
func (m *Machine) Registry() *journal.Registry { return &m.registry }

// Read calls f while nothing is applied. Keep it short: look up, copy, leave; iterate over views instead.
func (m *Machine) Read(f func()) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f()
}

// Now is the state's time. Call it under Read.
func (m *Machine) Now() moongate.Time { return m.core.clock.Get().Now }

// Position is the last event's. Call it under Read.
func (m *Machine) Position() journal.Position { return m.next - 1 }

func (m *Machine) fold(e journal.Entry) {
	m.next = e.Position + 1
	kind := e.Event.EventKind()
	for _, r := range m.folds[kind] {
		r.Fold(e)
	}
	if peer := m.effects[kind]; peer != nil {
		if p := peer(e.Event); p != "" {
			m.core.await(e.Position, Pending{Kind: kind, Peer: p, Since: e.At})
		}
	}
}

// envelope is a command on its way: what raft replicates.
type envelope struct {
	_      struct{} `cbor:",toarray"`
	Kind   string
	Caller string
	Key    [16]byte
	Print  [16]byte
	At     moongate.Time
	Seed   [32]byte
	Effect journal.Position
	Body   []byte
	Vault  []Secret
}

// appendCBOR writes the envelope as journal.Encoding would.
func (e *envelope) appendCBOR(b []byte) ([]byte, error) {
	b = journal.AppendArray(b, 9)
	b = journal.AppendText(b, e.Kind)
	b = journal.AppendText(b, e.Caller)
	b = journal.AppendBytes(b, e.Key[:])
	b = journal.AppendBytes(b, e.Print[:])
	b = journal.AppendInt(b, int64(e.At))
	b = journal.AppendBytes(b, e.Seed[:])
	b = journal.AppendUint(b, uint64(e.Effect))
	b = journal.AppendBytes(b, e.Body)
	if e.Vault == nil {
		return append(b, 0xf6), nil // null
	}
	vault, err := journal.Encoding.Marshal(e.Vault)
	return append(b, vault...), err
}

// outcome is what became of one envelope.
type outcome struct {
	answer  any
	err     error
	trace   bool // it stands in the journal
	same    journal.Ref
	secrets []Secret      // new ones
	erased  []moongate.ID // whose keys are to be deleted
}

var errHalfDone = errors.New("replica: a command failed after it had emitted; the node must stop")

// apply decides one command, and writes it down where it leaves a trace. The caller holds the lock.
func (m *Machine) apply(env *envelope, c Command, w *written) (out outcome) {
	now := max(m.core.clock.Get().Now, env.At)
	if known, ok := m.core.known(env.Key, now); ok {
		if known.Print != env.Print {
			out.err = &moongate.Error{Code: moongate.KeyReused, Message: "this idempotency key was used for a different request", Hint: "use a new key, or send the first request again unchanged"}
			return out
		}
		out.same = known.Ref
		return out
	}
	if env.Effect != 0 && !m.core.pending.Has(env.Effect) {
		return out // stale: somebody reported this outcome before
	}
	h := m.handlers[env.Kind]
	if h == nil {
		panic(fmt.Errorf("replica: no command is called %q: this node is older than the one that accepted it", env.Kind))
	}
	if c == nil {
		var err error
		if c, err = h.decode(env.Body); err != nil {
			panic(err) // written by a newer version: this node cannot follow
		}
	}
	m.steps++
	step := &m.step
	*step = Step{At: now, Caller: env.Caller, Effect: env.Effect, m: m, seed: &env.Seed, number: m.steps, events: m.entries[:0]}
	defer m.reuse()
	out.answer, out.err = m.decide(h, step, c)
	var done journal.Done
	if out.err != nil {
		if len(step.events) > 0 {
			panic(fmt.Errorf("%w: %s: %w", errHalfDone, env.Kind, out.err))
		}
		var e *moongate.Error
		if !errors.As(out.err, &e) {
			e = &moongate.Error{Code: moongate.Internal, Message: out.err.Error()}
			out.err = e
		}
		if e.Code == moongate.Malformed || e.Code == moongate.Busy && env.Effect == 0 {
			return out // what was full may have room when the same request comes again, with the same key
		}
		if step.refusal == nil {
			step.refusal = &Refused{Command: env.Kind, Reason: *e}
		}
		done.Error = e
		step.Emit(step.refusal)
	} else if out.answer != nil {
		b, err := journal.Marshal(out.answer)
		if err != nil {
			panic(fmt.Errorf("%w: %s: the answer %T has no encoding: %w", errHalfDone, env.Kind, out.answer, err))
		}
		done.Answer = b
	}
	if env.Effect != 0 {
		step.Emit(&EffectDone{Effect: env.Effect})
	}
	step.sealed = true
	done.Key, done.Print, done.Seed = env.Key, env.Print, env.Seed
	done.Kind, done.Caller, done.At = env.Kind, env.Caller, now
	if err := w.add(&m.registry, &done, step.events); err != nil {
		panic(fmt.Errorf("%w: %s: %w", errHalfDone, env.Kind, err))
	}
	out.trace = true
	if out.err == nil {
		out.secrets = env.Vault
	}
	for i := range step.events {
		if e, ok := step.events[i].Event.(*Erased); ok {
			out.erased = append(out.erased, e.Subject)
		}
	}
	return out
}

// usualEvents is how many events a command seldom exceeds.
const usualEvents = 64

// reuse lets go of the events of the command that was decided.
func (m *Machine) reuse() {
	clear(m.step.events)
	if m.entries = m.step.events[:0]; cap(m.entries) > usualEvents {
		m.entries = nil
	}
	for _, r := range m.reusers {
		r.Reuse()
	}
}

// decide turns a panic before the first event into a refusal; one after it stops the node.
func (m *Machine) decide(h *handler, step *Step, c Command) (a any, err error) {
	defer func() {
		if p := recover(); p != nil {
			if len(step.events) > 0 {
				panic(fmt.Errorf("%w: %v\n%s", errHalfDone, p, debug.Stack()))
			}
			a, err = nil, &moongate.Error{Code: moongate.Internal, Message: fmt.Sprintf("deciding failed: %v", p)}
		}
	}()
	return h.decide(step, c)
}

// settle notes that a command was decided: time passes and its key is known. The caller holds the lock.
func (m *Machine) settle(d *journal.Done, ref journal.Ref) {
	clock := m.core.clock.Get()
	clock.Now = d.At
	m.core.clock.Set(clock)
	if d.Key != ([16]byte{}) {
		m.core.remember(d.Key, Known{Print: d.Print, Ref: ref, At: d.At})
	}
}

// Unfit is an event of the journal that this version cannot take in: a newer one wrote it, or what was written is no
// story.
type Unfit struct {
	Record uint64
	Event  journal.Position
	Reason string
}

func (u *Unfit) Error() string {
	return fmt.Sprintf("replica: event %d (journal record %d): %s", u.Event, u.Record, u.Reason)
}

// refold takes a record of the journal back into the state, as applying its commands did. What cannot be is an [*Unfit]; a state that
// is not what it was recorded to be is [*Diverged].
func (m *Machine) refold(r *journal.Record) (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.next
	defer func() {
		if p := recover(); p != nil {
			err = &Unfit{r.Index, at, fmt.Sprintf("it cannot be folded: %v", p)}
		}
	}()
	if len(r.Done) > 0 && r.First != m.next {
		return &Unfit{r.Index, r.First, fmt.Sprintf("event %d was due", m.next)}
	}
	for i := range r.Done {
		d := &r.Done[i]
		for _, st := range d.Events {
			at = m.next
			e, err := m.registry.Decode(st)
			if err != nil {
				return &Unfit{r.Index, at, err.Error()}
			}
			m.fold(journal.Entry{Position: m.next, At: d.At, Caller: d.Caller, Event: e})
		}
		m.settle(d, journal.Ref{Index: r.Index, Number: uint32(i)})
		if err := m.refoldMarks(); err != nil {
			return err
		}
	}
	return nil
}

// Hash is the hash of the rooms' state, the same on every node that applied the same commands. It leaves out what the
// machine itself keeps (idempotency keys, pending effects): see [Machine.NodeHash].
func (m *Machine) Hash() ([32]byte, error) { return m.hash(1) }

// NodeHash is [Machine.Hash] with the machine's own state.
func (m *Machine) NodeHash() ([32]byte, error) { return m.hash(0) }

func (m *Machine) hash(from int) ([32]byte, error) {
	m.mu.Lock()
	image := m.freeze()
	m.mu.Unlock()
	defer image.release()
	return image.hash(from)
}

// image is all state as it was at one moment.
type image struct {
	next  journal.Position
	rooms []frozenRoom
}

type frozenRoom struct {
	name   string
	tables []frozenTitle
}

type frozenTitle struct {
	name string
	frozen
}

func (m *Machine) freeze() *image {
	im := &image{next: m.next}
	for _, r := range m.rooms {
		fr := frozenRoom{name: r.Name()}
		for _, t := range r.Tables() {
			fr.tables = append(fr.tables, frozenTitle{t.name(), t.freeze()})
		}
		im.rooms = append(im.rooms, fr)
	}
	return im
}

func (im *image) release() {
	for _, r := range im.rooms {
		for _, t := range r.tables {
			t.release()
		}
	}
}

func (im *image) hash(from int) ([32]byte, error) {
	var lines []string
	for _, r := range im.rooms[from:] {
		for _, t := range r.tables {
			h, err := tableHash(r.name+"."+t.name, t.frozen)
			if err != nil {
				return h, fmt.Errorf("replica: hash of %s.%s: %w", r.name, t.name, err)
			}
			lines = append(lines, fmt.Sprintf("%s.%s %d %x\n", r.name, t.name, t.len(), h))
		}
	}
	sort.Strings(lines)
	h := sha256.New()
	for _, l := range lines {
		h.Write([]byte(l))
	}
	return [32]byte(h.Sum(nil)), nil
}
