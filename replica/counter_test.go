package replica_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// counter is a room in miniature: purses that coins go in and out of.
type counter struct {
	purses *replica.Table[string, purse]
	total  *replica.Cell[int64]
	moves  *replica.List[int64]
	due    *replica.Due[string]

	events []*putDone // of the command at hand, and of earlier ones: their memory is used again
	used   int

	skew int64 // a fault: what every fold puts beside

	answers *replica.Table[journal.Position, int] // how often an effect's outcome was folded: once, or something is wrong
}

type purse struct {
	Coins   int64            `cbor:"1,keyasint"`
	Head    journal.Position `cbor:"2,keyasint"`
	Expires moongate.Time    `cbor:"3,keyasint,omitempty"`
}

type put struct {
	Purse   string        `cbor:"1,keyasint"`
	Coins   int64         `cbor:"2,keyasint"`
	Expires moongate.Time `cbor:"3,keyasint,omitempty"`
	Fail    string        `cbor:"4,keyasint,omitempty"`
}

// move takes coins from one purse to another: two events, or none.
type move struct {
	From  string `cbor:"1,keyasint"`
	To    string `cbor:"2,keyasint"`
	Coins int64  `cbor:"3,keyasint"`
}

type moved struct {
	From int64 `cbor:"1,keyasint"`
	To   int64 `cbor:"2,keyasint"`
}

func (*move) CommandKind() string { return "purse.move" }

type putDone struct {
	Shared putShared  `audience:"parties"`
	Lines  []*putLine `audience:"each"`
}

type putShared struct {
	ID      moongate.ID      `cbor:"1,keyasint"`
	Purse   string           `cbor:"2,keyasint"`
	Before  journal.Position `cbor:"3,keyasint"`
	Expires moongate.Time    `cbor:"4,keyasint,omitempty"`
}

type putLine struct {
	Party string `cbor:"1,keyasint"`
	Coins int64  `cbor:"2,keyasint"`
}

type emptied struct {
	Purse string `cbor:"1,keyasint"`
}

// ask has an effect outside: the peer is asked, and what it says comes back as told.
type ask struct {
	Peer string `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint,omitempty"`
}

type asked struct {
	Peer string `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint,omitempty"`
}

type told struct {
	Text string `cbor:"1,keyasint"`
	Fail bool   `cbor:"2,keyasint,omitempty"`
}

type heard struct {
	Effect journal.Position `cbor:"1,keyasint"`
	Text   string           `cbor:"2,keyasint"`
}

func (*ask) CommandKind() string  { return "purse.ask" }
func (*told) CommandKind() string { return "purse.told" }
func (*asked) EventKind() string  { return "purse.asked" }
func (*heard) EventKind() string  { return "purse.heard" }

func (*put) CommandKind() string             { return "purse.put" }
func (*putDone) EventKind() string           { return "purse.put" }
func (*emptied) EventKind() string           { return "purse.emptied" }
func (l *putLine) Reader() string            { return l.Party }
func (e *putDone) Readers(a string) []string { return []string{e.Shared.Purse} }

func newCounter() *counter {
	return &counter{
		purses: replica.NewTable[string, purse]("purses"), total: replica.NewCell[int64]("total"), moves: replica.NewList[int64]("moves"),
		due:     replica.NewDue(func(a, b string) bool { return a < b }),
		answers: replica.NewTable[journal.Position, int]("answers"),
	}
}

func (c *counter) Name() string { return "purse" }
func (c *counter) Tables() []replica.Stored {
	return []replica.Stored{c.purses, c.total, c.moves, c.answers}
}

func (c *counter) Events() []journal.Event {
	return []journal.Event{&putDone{}, &emptied{}, &asked{}, &heard{}}
}

func (c *counter) Fold(e journal.Entry) {
	switch v := e.Event.(type) {
	case *putDone:
		p, _ := c.purses.Get(v.Shared.Purse)
		for _, l := range v.Lines {
			p.Coins += l.Coins + c.skew
			c.total.Set(c.total.Get() + l.Coins)
			c.moves.Append(l.Coins)
		}
		p.Head = e.Position
		if p.Expires = v.Shared.Expires; p.Expires != 0 {
			c.due.Add(p.Expires, v.Shared.Purse)
		}
		c.purses.Put(v.Shared.Purse, p)
	case *emptied:
		p, _ := c.purses.Get(v.Purse)
		c.total.Set(c.total.Get() - p.Coins)
		c.purses.Delete(v.Purse)
	case *heard:
		n, _ := c.answers.Get(v.Effect)
		c.answers.Put(v.Effect, n+1)
	}
}

func (c *counter) ask(step *replica.Step, cmd *ask) (journal.Position, error) {
	return step.Emit(&asked{Peer: cmd.Peer, Text: cmd.Text}), nil
}

func (c *counter) told(step *replica.Step, cmd *told) (bool, error) {
	if cmd.Fail {
		return false, &moongate.Error{Code: moongate.Conflict, Message: "as told"}
	}
	step.Emit(&heard{Effect: step.Effect, Text: cmd.Text})
	return true, nil
}

func (c *counter) Rebuild() {
	c.due.Clear()
	for name, p := range c.purses.All() {
		if p.Expires != 0 {
			c.due.Add(p.Expires, name)
		}
	}
}

func (c *counter) Tick(step *replica.Step, limit int) int {
	acted := 0
	for acted < limit {
		at, name, ok := c.due.Next(step.At)
		if !ok {
			break
		}
		if p, ok := c.purses.Get(name); ok && p.Expires == at {
			step.Emit(&emptied{Purse: name})
			acted++
		}
	}
	return acted
}

type balance struct {
	Coins int64 `cbor:"1,keyasint"`
}

func (c *counter) put(step *replica.Step, cmd *put) (balance, error) {
	p, _ := c.purses.Get(cmd.Purse)
	if step.Rules() >= 1 && cmd.Coins > 100 { // rules 1: no more than a hundred at once
		return balance{}, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("%d coins at once", cmd.Coins)}
	}
	switch {
	case cmd.Fail == "panic":
		panic("as told")
	case cmd.Fail == "busy" && c.total.Get() < 100:
		return balance{}, &moongate.Error{Code: moongate.Busy, Message: "fewer than 100 coins"}
	case cmd.Fail == "malformed":
		return balance{}, &moongate.Error{Code: moongate.Malformed, Message: "as told"}
	case cmd.Fail == "late":
		step.Emit(&emptied{Purse: cmd.Purse})
		return balance{}, errors.New("too late to fail")
	case cmd.Fail == "late panic":
		step.Emit(&emptied{Purse: cmd.Purse})
		panic("too late to panic")
	case p.Coins+cmd.Coins < 0:
		return balance{}, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("the purse %s holds %d", cmd.Purse, p.Coins)}
	}
	c.emit(step, putShared{ID: step.NewID(moongate.KindTransfer), Purse: cmd.Purse, Before: p.Head, Expires: cmd.Expires}, cmd.Coins)
	return balance{Coins: p.Coins + cmd.Coins}, nil
}

// emit records coins that were put, in memory that an earlier command left.
func (c *counter) emit(step *replica.Step, shared putShared, coins int64) {
	if c.used == len(c.events) {
		c.events = append(c.events, &putDone{Lines: []*putLine{{}}})
	}
	e := c.events[c.used]
	c.used++
	e.Shared, *e.Lines[0] = shared, putLine{shared.Purse, coins}
	step.Emit(e)
}

// Reuse spoils what nobody may look at any more.
func (c *counter) Reuse() {
	for _, e := range c.events[:c.used] {
		e.Shared, *e.Lines[0] = putShared{Purse: "spoilt"}, putLine{"spoilt", -1}
	}
	c.used = 0
}

func (c *counter) move(step *replica.Step, cmd *move) (moved, error) {
	from, _ := c.purses.Get(cmd.From)
	to, _ := c.purses.Get(cmd.To)
	if from.Coins < cmd.Coins {
		return moved{}, &moongate.Error{Code: moongate.Limit, Message: fmt.Sprintf("the purse %s holds %d", cmd.From, from.Coins)}
	}
	for _, l := range []putLine{{cmd.From, -cmd.Coins}, {cmd.To, cmd.Coins}} {
		c.emit(step, putShared{ID: step.NewID(moongate.KindTransfer), Purse: l.Party}, l.Coins)
	}
	return moved{from.Coins - cmd.Coins, to.Coins + cmd.Coins}, nil
}

func newMachine() (*replica.Machine, *counter) { return limited(replica.Limits{}) }

func limited(limits replica.Limits) (*replica.Machine, *counter) {
	c := newCounter()
	m := replica.NewMachine(moongate.Hub{1, 2, 3}, limits, c)
	replica.Handle(m, c.put)
	replica.Handle(m, c.ask)
	replica.Handle(m, c.move)
	replica.Handle(m, c.told)
	m.OnEvent("purse.asked", func(e journal.Event) string { return e.(*asked).Peer })
	return m, c
}

// options are those of a test's node: virtual time that stands still unless told, and no chance.
func options(t testing.TB, dir string) replica.Options {
	return replica.Options{
		Dir: dir, Hub: moongate.Hub{1, 2, 3}, Secret: []byte("a secret of sixteen bytes or more"),
		Clock: func() moongate.Time { return 1_700_000_000 * moongate.Second },
		Seed: func(r *replica.Request) [32]byte {
			return sha256.Sum256(fmt.Append(nil, r.Caller, r.Key, r.Command))
		},
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
	}
}
