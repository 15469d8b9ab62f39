package replica_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// model is the toy room once more, written without the core: maps, a slice, and the order of the journal. Fed with a
// node's journal it says what each command must have come to, and which events it must have left.
type model struct {
	hashes   uint64                       // recorded ones that the journal was held against
	commands map[[16]byte]replica.Command // by what the journal knows an idempotency key by
	keyOf    map[[16]byte]string
	done     map[string]int // how often a key's command was decided
	purses   map[string]purse
	total    int64
	moves    []int64
	pending  map[journal.Position]string
	answers  map[journal.Position]int
	now      moongate.Time
	next     journal.Position
}

func newModel() *model {
	return &model{
		commands: map[[16]byte]replica.Command{}, keyOf: map[[16]byte]string{}, done: map[string]int{},
		purses: map[string]purse{}, pending: map[journal.Position]string{}, answers: map[journal.Position]int{}, next: 1,
	}
}

// knows tells the model of a request, sent or not.
func (m *model) knows(opt replica.Options, caller, key string, c replica.Command) {
	h := hmac.New(sha256.New, opt.Secret)
	for _, part := range []string{"key", caller, key} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	mac := [16]byte(h.Sum(nil))
	m.commands[mac], m.keyOf[mac] = c, key
}

// record takes a record of the journal, and says where it is not what it must be.
func (m *model) record(r *journal.Record, decode func(journal.Stored) (journal.Event, error)) error {
	for i := range r.Done {
		d := &r.Done[i]
		var events []journal.Event
		for _, st := range d.Events {
			e, err := decode(st)
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		if d.At < m.now {
			return fmt.Errorf("record %d is of %v, after %v", r.Index, d.At, m.now)
		}
		m.now = d.At
		want, err := m.decide(d, events)
		if err != nil {
			return fmt.Errorf("record %d, command %d (%s): %w", r.Index, i, d.Kind, err)
		}
		var got []string
		for _, e := range events {
			got = append(got, text(e))
		}
		if !slices.Equal(want, got) {
			return fmt.Errorf("record %d, command %d (%s): events %q where %q were due", r.Index, i, d.Kind, got, want)
		}
		m.next += journal.Position(len(events))
	}
	return nil
}

// text is an event without what is drawn by chance.
func text(e journal.Event) string {
	switch v := e.(type) {
	case *putDone:
		return fmt.Sprintf("put %s %d behind %d until %d", v.Shared.Purse, v.Lines[0].Coins, v.Shared.Before, v.Shared.Expires)
	case *replica.Refused:
		return fmt.Sprintf("refused %s %s", v.Command, v.Reason.Code)
	case *asked:
		return "asked " + v.Peer
	case *heard:
		return fmt.Sprintf("heard %d", v.Effect)
	case *emptied:
		return "emptied " + v.Purse
	default:
		return e.EventKind()
	}
}

// decide is what the command must have come to, and changes the model's state.
func (m *model) decide(d *journal.Done, got []journal.Event) ([]string, error) {
	switch d.Kind {
	case "core.tick":
		return m.tick(), nil
	case "core.take_hash":
		return []string{"core.hash_taken"}, nil
	case "core.report_hash":
		return []string{"core.hashed"}, nil
	}
	if d.Kind == "purse.told" { // an outcome: of which effect, its events say
		for _, e := range got {
			if h, ok := e.(*heard); ok && m.pending[h.Effect] != "" {
				delete(m.pending, h.Effect)
				m.answers[h.Effect]++
				return []string{text(h), "core.effect_done"}, nil
			}
		}
		return nil, fmt.Errorf("an outcome of no pending effect: %v", got)
	}
	c, ok := m.commands[d.Key]
	if !ok {
		return nil, fmt.Errorf("nobody sent a command with the key %x", d.Key)
	}
	key := m.keyOf[d.Key]
	if m.done[key]++; m.done[key] > 1 {
		return nil, fmt.Errorf("the command with the key %q was decided before", key)
	}
	switch c := c.(type) {
	case *ask:
		m.pending[m.next] = c.Peer
		return []string{"asked " + c.Peer}, nil
	case *replica.Erase:
		return []string{"core.erased"}, nil
	case *put:
		p := m.purses[c.Purse]
		if p.Coins+c.Coins < 0 {
			if d.Error == nil || d.Error.Code != moongate.Limit {
				return nil, fmt.Errorf("%d coins of %d were taken: %w", -c.Coins, p.Coins, d.Error)
			}
			return []string{"refused purse.put limit"}, nil
		}
		var b balance
		if err := journal.Decoding.Unmarshal(d.Answer, &b); err != nil || b.Coins != p.Coins+c.Coins {
			return nil, fmt.Errorf("answered %d (%w), not %d", b.Coins, err, p.Coins+c.Coins)
		}
		want := fmt.Sprintf("put %s %d behind %d until %d", c.Purse, c.Coins, p.Head, c.Expires)
		m.purses[c.Purse] = purse{Coins: b.Coins, Head: m.next, Expires: c.Expires}
		m.total += c.Coins
		m.moves = append(m.moves, c.Coins)
		return []string{want}, nil
	}
	return nil, fmt.Errorf("what is %T?", c)
}

// tick empties what is due: earliest first, equal ones by name.
func (m *model) tick() []string {
	var due []string
	for name, p := range m.purses {
		if p.Expires != 0 && p.Expires <= m.now {
			due = append(due, name)
		}
	}
	slices.SortFunc(due, func(a, b string) int {
		if at, bt := m.purses[a].Expires, m.purses[b].Expires; at != bt {
			return int(at - bt)
		}
		return strings.Compare(a, b)
	})
	out := []string{"core.ticked"}
	for _, name := range due {
		m.total -= m.purses[name].Coins
		delete(m.purses, name)
		out = append(out, "emptied "+name)
	}
	return out
}

// compare holds the model's state against the node's.
func (m *model) compare(n *replica.Node, c *counter) (err error) {
	n.Machine().Read(func() {
		switch {
		case !maps.Equal(m.purses, maps.Collect(c.purses.All())):
			err = fmt.Errorf("purses %v, in the model %v", maps.Collect(c.purses.All()), m.purses)
		case m.total != c.total.Get():
			err = fmt.Errorf("%d coins, in the model %d", c.total.Get(), m.total)
		case len(m.moves) != c.moves.Len():
			err = fmt.Errorf("%d moves, in the model %d", c.moves.Len(), len(m.moves))
		case !maps.Equal(m.answers, maps.Collect(c.answers.All())):
			err = fmt.Errorf("answers %v, in the model %v", maps.Collect(c.answers.All()), m.answers)
		}
		for i, v := range m.moves {
			if err == nil && c.moves.At(i) != v {
				err = fmt.Errorf("move %d is of %d coins, in the model of %d", i, c.moves.At(i), v)
			}
		}
	})
	for _, p := range n.Machine().Pending(0, 0) {
		if err == nil && m.pending[p.Position] != p.Peer {
			err = fmt.Errorf("the effect of event %d is pending, in the model it is not", p.Position)
		}
	}
	if got := len(n.Machine().Pending(0, 0)); err == nil && got != len(m.pending) {
		err = fmt.Errorf("%d effects are pending, in the model %d", got, len(m.pending))
	}
	return err
}

// checkNode feeds the model with a node's journal, compares, and folds the journal alone into another machine.
func checkNode(t testing.TB, m *model, n *replica.Node, c *counter) error {
	t.Helper()
	for n.Hashing() { // an entry that was decided just now had asked for it, and its report changes journal and state
		time.Sleep(time.Millisecond) // between two looks
	}
	if err := n.Journal().Records(0, func(r *journal.Record) error { return m.record(r, n.Machine().Registry().Decode) }); err != nil {
		return err
	}
	if err := m.compare(n, c); err != nil {
		return err
	}
	other, _ := newMachine()
	if err := n.Journal().Records(0, func(r *journal.Record) error { return replica.Refold(other, r) }); err != nil {
		return err
	}
	m.hashes = other.Compared()
	got, err := other.NodeHash()
	if err != nil {
		return err
	}
	if want := nodeHash(t, n); got != want {
		return fmt.Errorf("the journal alone gives the state %x, the node has %x", got[:8], want[:8])
	}
	return nil
}

// command is the n-th command of a test: the same whenever it is sent.
func command(n int) replica.Command {
	if n%17 == 3 {
		return &ask{Peer: fmt.Sprint("peer ", n%3)}
	}
	c := &put{Purse: fmt.Sprint("p", n%5), Coins: int64(n%11 - 3)}
	if n%13 == 1 {
		c.Expires = 1_700_000_000*moongate.Second + moongate.Time(n)*10*moongate.Millisecond
	}
	return c
}
