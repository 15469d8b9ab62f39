package replica

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Limits bound what the machine keeps for itself.
type Limits struct {
	KeyWindow moongate.Time // how long an idempotency key is remembered; 24 hours unless set
	Keys      int           // how many at most; 4,000,000 unless set
	Due       int           // how many due items one tick handles; 1,000 unless set
	Rules     uint32        // the newest rules that the rooms know; 0: there were never others
	Basis     string        // what else the rooms' folds depend on beside events: hashes are compared where it is the same
}

// Window is how long an idempotency key is remembered.
func (l Limits) Window() moongate.Time { return l.withDefaults().KeyWindow }

func (l Limits) withDefaults() Limits {
	if l.KeyWindow == 0 {
		l.KeyWindow = moongate.Day
	}
	if l.Keys == 0 {
		l.Keys = 4_000_000
	}
	if l.Due == 0 {
		l.Due = 1000
	}
	return l
}

// Clock is the machine's time and the version of its rules.
type Clock struct {
	Now  moongate.Time `cbor:"1,keyasint"`
	Rule uint32        `cbor:"2,keyasint"`
}

// Known is an idempotency key that was used: for which request, and where its answer stands.
type Known struct {
	Print [16]byte      `cbor:"1,keyasint"`
	Ref   journal.Ref   `cbor:"2,keyasint"`
	At    moongate.Time `cbor:"3,keyasint"`
}

// AppendCBOR writes the key as journal.Encoding would: half of a snapshot's items are keys.
func (k *Known) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Bytes(1, k.Print[:])
	w.Key(2)
	b = journal.AppendArray(w.End(), 2)
	b = journal.AppendUint(b, k.Ref.Index)
	w.Resume(journal.AppendUint(b, uint64(k.Ref.Number)))
	w.Int(3, int64(k.At))
	return w.End()
}

// ParseCBOR reads what AppendCBOR writes.
func (k *Known) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		switch p.Key(&last) {
		case 1:
			p.Bytes(k.Print[:])
		case 2:
			if n, isNil := p.Array(); n != 2 || isNil {
				p.Fail()
			}
			k.Ref.Index, k.Ref.Number = p.Uint(math.MaxUint64), uint32(p.Uint(math.MaxUint32))
		case 3:
			k.At = moongate.Time(p.Int())
		default:
			p.Fail()
		}
	}
}

// Pending is an event whose effect outside is not known to have happened.
type Pending struct {
	Kind  string        `cbor:"1,keyasint"`
	Peer  string        `cbor:"2,keyasint"`
	Since moongate.Time `cbor:"3,keyasint"`
}

// Dead is an effect that was given up after many tries; an operator may revive it.
type Dead struct {
	Pending Pending       `cbor:"1,keyasint"`
	Tries   int           `cbor:"2,keyasint"`
	Reason  string        `cbor:"3,keyasint"`
	At      moongate.Time `cbor:"4,keyasint"`
}

// Refused is a command that was turned down for a reason that lies in the state.
type Refused struct {
	Command string         `cbor:"1,keyasint"`
	Reason  moongate.Error `cbor:"2,keyasint"`
}

// Ticked says that time passed. Every interval of the public log has one, so that a quiet interval looks like a busy one.
type Ticked struct {
	At moongate.Time `cbor:"1,keyasint"`
}

// EffectDone says that an effect's outcome is known.
type EffectDone struct {
	Effect journal.Position `cbor:"1,keyasint"`
}

// EffectBuried says that an effect was given up.
type EffectBuried struct {
	Effect journal.Position `cbor:"1,keyasint"`
	Tries  int              `cbor:"2,keyasint"`
	Reason string           `cbor:"3,keyasint"`
}

// EffectRevived says that an operator wants a buried effect tried again.
type EffectRevived struct {
	Effect journal.Position `cbor:"1,keyasint"`
}

// Erased says that a subject's key was deleted: the personal fields enciphered under it are gone.
type Erased struct {
	Subject moongate.ID `cbor:"1,keyasint"`
}

func (*Erased) EventKind() string        { return "core.erased" }
func (*Refused) EventKind() string       { return "core.refused" }
func (*Ticked) EventKind() string        { return "core.ticked" }
func (*EffectDone) EventKind() string    { return "core.effect_done" }
func (*EffectBuried) EventKind() string  { return "core.effect_buried" }
func (*EffectRevived) EventKind() string { return "core.effect_revived" }

// Tick lets time pass: expiries, deadlines and windows act on it.
type Tick struct{}

// Bury gives an effect up.
type Bury struct {
	Effect journal.Position `cbor:"1,keyasint"`
	Tries  int              `cbor:"2,keyasint"`
	Reason string           `cbor:"3,keyasint"`
}

// Revive has a buried effect tried again.
type Revive struct {
	Effect journal.Position `cbor:"1,keyasint"`
}

// Erase deletes a subject's key.
type Erase struct {
	Subject moongate.ID `cbor:"1,keyasint"`
}

func (*Erase) CommandKind() string  { return "core.erase" }
func (*Tick) CommandKind() string   { return "core.tick" }
func (*Bury) CommandKind() string   { return "core.bury" }
func (*Revive) CommandKind() string { return "core.revive" }

// core is the machine's own room.
type core struct {
	m       *Machine
	limits  Limits
	clock   *Cell[Clock]
	keys    *Table[[16]byte, Known]
	pending *Table[journal.Position, Pending]
	dead    *Table[journal.Position, Dead]
	oldest  long[aged]        // keys by age; derived
	queues  map[string]*queue // pending effects by peer; derived
	turns   uint64

	// Of the command that is being applied, until it is settled: see takeMarks.
	asked    journal.Position
	written  []*Hashed
	hashedAt journal.Position // the last position at which the state was hashed, as far as this process knows
}

type aged struct {
	at  moongate.Time
	key [16]byte
}

func newCore(m *Machine, l Limits) *core {
	return &core{
		m: m, limits: l,
		clock:   NewCell[Clock]("clock"),
		keys:    NewTable[[16]byte, Known]("keys"),
		pending: NewTable[journal.Position, Pending]("pending"),
		dead:    NewTable[journal.Position, Dead]("dead"),
		queues:  map[string]*queue{},
	}
}

func (c *core) Name() string { return "core" }

func (c *core) Events() []journal.Event {
	return []journal.Event{&Refused{}, &Ticked{}, &EffectDone{}, &EffectBuried{}, &EffectRevived{}, &Erased{}, &HashTaken{}, &Hashed{}, &RulesRaised{}}
}

func (c *core) Tables() []Stored { return []Stored{c.clock, c.keys, c.pending, c.dead} }

func (c *core) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *Ticked:
		c.sweep(v.At, sweptByTick)
	case *EffectDone:
		c.settled(v.Effect)
	case *EffectBuried:
		if p, ok := c.pending.Get(v.Effect); ok {
			c.settled(v.Effect)
			c.dead.Put(v.Effect, Dead{Pending: p, Tries: v.Tries, Reason: v.Reason, At: e.At})
		}
	case *RulesRaised:
		if err := c.follow(v.To); err != nil {
			panic(err) // this node cannot go on
		}
		clock := c.clock.Get()
		clock.Rule = v.To
		c.clock.Set(clock)
	case *HashTaken:
		c.asked = e.Position
	case *Hashed:
		c.written = append(c.written, v)
	case *EffectRevived:
		if d, ok := c.dead.Get(v.Effect); ok {
			c.dead.Delete(v.Effect)
			c.await(v.Effect, d.Pending)
		}
	}
}

// Rebuild orders the keys by age, and equal ones as they were used: the sweep must go the same way on every node.
func (c *core) Rebuild() {
	type used struct {
		aged
		ref journal.Ref
	}
	keys := make([]used, 0, c.keys.Len())
	for k, v := range c.keys.All() {
		keys = append(keys, used{aged{v.At, k}, v.Ref})
	}
	slices.SortFunc(keys, func(a, b used) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.ref.Index, b.ref.Index), cmp.Compare(a.ref.Number, b.ref.Number))
	})
	c.oldest = long[aged]{}
	for i := range keys {
		c.oldest.push(keys[i].aged)
	}
	c.requeue()
}

// known looks a key up; one older than the window is forgotten whether or not it was swept yet.
func (c *core) known(key [16]byte, now moongate.Time) (Known, bool) {
	if key == ([16]byte{}) {
		return Known{}, false
	}
	k, ok := c.keys.Get(key)
	if ok && k.At < now-c.limits.KeyWindow {
		return Known{}, false
	}
	return k, ok
}

func (c *core) remember(key [16]byte, k Known) {
	c.keys.Put(key, k)
	c.oldest.push(aged{k.At, key})
	c.sweep(k.At, sweptByKey)
}

// Two for one keeps the sweep ahead of the growth without a pause. Time alone sweeps too: when the memory is full, no
// new key comes to make room.
const (
	sweptByKey  = 2
	sweptByTick = 10_000
)

// sweep forgets keys that are older than the window, at most so many. A key that was used again since does not count.
func (c *core) sweep(now moongate.Time, most int) {
	for swept := 0; swept < most && c.oldest.len() > 0 && c.oldest.at(0).at < now-c.limits.KeyWindow; {
		old := c.oldest.shift()
		if v, ok := c.keys.Get(old.key); ok && v.At == old.at {
			c.keys.Delete(old.key)
			swept++
		}
	}
}

func (c *core) tick(step *Step, _ *Tick) (int, error) {
	step.Emit(&Ticked{At: step.At})
	left := c.limits.Due
	for _, r := range c.m.rooms {
		if t, ok := r.(Ticker); ok && left > 0 {
			left -= t.Tick(step, left)
		}
	}
	return c.limits.Due - left, nil
}

func (c *core) bury(step *Step, b *Bury) (struct{}, error) {
	if !c.pending.Has(b.Effect) {
		return struct{}{}, &moongate.Error{Code: moongate.NotFound, Message: "no effect is pending at this position"}
	}
	step.Emit(&EffectBuried{Effect: b.Effect, Tries: b.Tries, Reason: b.Reason})
	return struct{}{}, nil
}

func (c *core) revive(step *Step, r *Revive) (struct{}, error) {
	if !c.dead.Has(r.Effect) {
		return struct{}{}, &moongate.Error{Code: moongate.NotFound, Message: "no effect is buried at this position", Hint: "list the buried ones first"}
	}
	step.Emit(&EffectRevived{Effect: r.Effect})
	return struct{}{}, nil
}

func (c *core) erase(step *Step, e *Erase) (struct{}, error) {
	if e.Subject.Kind() != moongate.KindSubject {
		return struct{}{}, &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("%s is not a subject", e.Subject), Field: "subject"}
	}
	step.Emit(&Erased{Subject: e.Subject})
	return struct{}{}, nil
}
