package replica

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"reflect"
	"slices"
	"sync"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// From time to time a command names a position at which every node hashes its state, and another records the hash. Who
// folds the journal later, at a restart, for a rebuild, in fsck, hashes at the same positions: two that differ stop.

// TakeHash has every node hash its state as it is behind this command.
type TakeHash struct{}

// ReportHash records what a node found.
type ReportHash struct {
	Of    journal.Position `cbor:"1,keyasint"`
	Hash  [32]byte         `cbor:"2,keyasint"`
	Shape [8]byte          `cbor:"3,keyasint"`
}

// HashTaken says that the state was hashed as it was behind this event's command.
type HashTaken struct {
	At moongate.Time `cbor:"1,keyasint"`
}

// Hashed says what the hash was behind the event Of: [Machine.NodeHash]. It is compared by machines of one shape alone:
// a later version may keep more.
type Hashed struct {
	Of    journal.Position `cbor:"1,keyasint"`
	Hash  [32]byte         `cbor:"2,keyasint"`
	Shape [8]byte          `cbor:"3,keyasint"`
}

func (*TakeHash) CommandKind() string   { return "core.take_hash" }
func (*ReportHash) CommandKind() string { return "core.report_hash" }
func (*HashTaken) EventKind() string    { return "core.hash_taken" }
func (*Hashed) EventKind() string       { return "core.hashed" }

// Diverged is a state that is not what it was recorded to be.
type Diverged struct {
	At             journal.Position
	Found, Written [32]byte
}

func (d *Diverged) Error() string {
	return fmt.Sprintf("replica: the state behind event %d has the hash %x, and %x was recorded: memory failed, or this version folds the journal otherwise than the one that wrote it. Nothing is decided on it; keep the directory, start the version that ran before on it, and report this", d.At, d.Found, d.Written)
}

// hashes is what was found here, and what was recorded, whichever comes first.
type hashes struct {
	mu      sync.Mutex
	found   map[journal.Position][32]byte
	written map[journal.Position][32]byte
	agreed  uint64
}

// hashesKept is how many are waited for: a report comes soon, or its node stopped.
const hashesKept = 16

func (h *hashes) add(to *map[journal.Position][32]byte, at journal.Position, hash [32]byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if *to == nil {
		*to = map[journal.Position][32]byte{}
	}
	(*to)[at] = hash
	found, ok1 := h.found[at]
	written, ok2 := h.written[at]
	if ok1 && ok2 {
		delete(h.found, at)
		delete(h.written, at)
		if found != written {
			return &Diverged{at, found, written}
		}
		h.agreed++
	}
	for len(*to) > hashesKept {
		oldest := at
		for p := range *to {
			oldest = min(oldest, p)
		}
		delete(*to, oldest)
	}
	return nil
}

func (h *hashes) compared() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.agreed
}

func (c *core) takeHash(step *Step, _ *TakeHash) (journal.Position, error) {
	return step.Emit(&HashTaken{At: step.At}), nil
}

func (c *core) reportHash(step *Step, r *ReportHash) (struct{}, error) {
	if step.Caller != "" || r.Of == 0 || r.Of >= step.Next() {
		return struct{}{}, &moongate.Error{Code: moongate.Malformed, Message: "this is for the hub itself to say"}
	}
	step.Emit(&Hashed{r.Of, r.Hash, r.Shape})
	return struct{}{}, nil
}

// marked is a state that is to be hashed.
type marked struct {
	at    journal.Position
	image *image
}

// takeMarks gives what the last command left to be hashed and to be compared. The caller holds the lock, and has settled
// the command.
func (m *Machine) takeMarks() (mark *marked, written []*Hashed) {
	c := m.core
	if c.asked != 0 {
		mark = &marked{c.asked, m.freeze()}
		c.hashedAt, c.asked = c.asked, 0
	}
	written, c.written = c.written, nil
	return mark, written
}

// recorded compares what was written with what was found here. Machines of another shape have nothing to compare.
func (m *Machine) recorded(written []*Hashed) error {
	for _, v := range written {
		if v.Shape != m.shape() {
			continue
		}
		if err := m.hashes.add(&m.hashes.written, v.Of, v.Hash); err != nil {
			return err
		}
	}
	return nil
}

// hashed hashes a marked state.
func (m *Machine) hashed(mark *marked) (hash [32]byte, err error) {
	defer mark.image.release()
	if hash, err = mark.image.hash(0); err != nil {
		return hash, err
	}
	return hash, m.hashes.add(&m.hashes.found, mark.at, hash)
}

// refoldMarks hashes and compares while the journal is folded.
func (m *Machine) refoldMarks() error {
	mark, written := m.takeMarks()
	if mark != nil {
		if _, err := m.hashed(mark); err != nil {
			return err
		}
	}
	return m.recorded(written)
}

// shape is a digest of what a state consists of, and of what its fold depends on beside events.
func (m *Machine) shape() [8]byte {
	m.shaped.Do(func() {
		h := sha256.New()
		fmt.Fprintf(h, "%d %q\n", m.core.limits.KeyWindow, m.core.limits.Basis)
		for _, r := range m.rooms {
			for _, t := range r.Tables() {
				fmt.Fprintf(h, "%s.%s ", r.Name(), t.name())
				describe(h, t.item(), nil)
				fmt.Fprintln(h)
			}
		}
		m.digest = [8]byte(h.Sum(nil))
	})
	return m.digest
}

// describe writes a type down as far as its encoding shows it.
func describe(w io.Writer, t reflect.Type, within []reflect.Type) {
	if slices.Contains(within, t) {
		fmt.Fprint(w, t.Name())
		return
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Struct:
		fmt.Fprint(w, "{")
		for i := range t.NumField() {
			f := t.Field(i)
			fmt.Fprintf(w, "%s %q ", f.Name, f.Tag.Get("cbor"))
			describe(w, f.Type, within)
			fmt.Fprint(w, ";")
		}
		fmt.Fprint(w, "}")
	case reflect.Array, reflect.Slice, reflect.Pointer:
		fmt.Fprintf(w, "%s ", t.Kind())
		describe(w, t.Elem(), within)
	case reflect.Map:
		fmt.Fprint(w, "map ")
		describe(w, t.Key(), within)
		fmt.Fprint(w, " ")
		describe(w, t.Elem(), within)
	default:
		fmt.Fprint(w, t.Kind())
	}
}

// hash hashes a marked state beside the live one, and has it recorded where this node leads.
func (n *Node) hash(mark *marked) {
	defer n.done.Done()
	defer n.hashing.Add(-1)
	hash, err := n.machine.hashed(mark)
	if err != nil {
		n.fatal(err)
		return
	}
	if n.Leads() {
		// Without an answer there is nothing to compare with, and the next time is another.
		_, _ = n.Submit(n.life, Request{Command: &ReportHash{Of: mark.at, Hash: hash, Shape: n.machine.shape()}})
	}
}

// How many events stand for one thing of the state that is hashed: so whoever folds the journal anew spends little on
// hashing, and so does who decides.
const hashSpacing = 10

// hashDue tells whether the state is to be hashed: when so much happened since the last time, and much more than the
// state holds. Only one goroutine asks.
func (n *Node) hashDue() bool {
	m := n.machine
	m.mu.Lock()
	since := uint64(m.next - m.core.hashedAt)
	if since < max(uint64(n.opt.HashEvery), n.hashFrom) {
		m.mu.Unlock()
		return false
	}
	im := m.freeze()
	m.mu.Unlock()
	defer im.release()
	items := uint64(0)
	for _, r := range im.rooms {
		for _, t := range r.tables {
			items += t.len()
		}
	}
	n.hashFrom = hashSpacing * items
	return since >= n.hashFrom
}

// takeHash has the state hashed now.
func (n *Node) takeHash(ctx context.Context) error {
	_, err := n.Submit(ctx, Request{Command: &TakeHash{}})
	return err
}
