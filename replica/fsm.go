package replica

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"github.com/moongate-hub/moongate/journal"
)

// fsm is the node as raft sees it. Apply never waits for anything: admission bounds what is under way.
type fsm struct {
	node    *Node
	written chan *applied
	folded  map[uint64]uint32 // entries that the journal held at start, with their checksums
	last    uint64            // index of the last entry applied
	snaps   *snapshotStore
}

// applied is a decided entry on its way into the journal.
type applied struct {
	*written
	outcomes []outcome
	tickets  []*ticket // nil where the entry came from elsewhere
}

var (
	_ raft.FSM         = (*fsm)(nil)
	_ raft.BatchingFSM = (*fsm)(nil)
)

// Apply decides one raft entry.
func (f *fsm) Apply(l *raft.Log) any {
	f.apply(l)
	return nil
}

// ApplyBatch decides several.
func (f *fsm) ApplyBatch(logs []*raft.Log) []any {
	for _, l := range logs {
		f.apply(l)
	}
	return make([]any, len(logs))
}

func (f *fsm) apply(l *raft.Log) {
	if l.Type != raft.LogCommand {
		return
	}
	n := f.node
	if n.failed.Load() {
		return
	}
	n.logged.Add(int64(len(l.Data)))
	n.items.Add(1)
	sum := journal.Sum(l.Data)
	if done, ok := f.folded[l.Index]; ok {
		if done != sum {
			n.fatal(fmt.Errorf("replica: entry %d differs between raft's log (%08x) and the journal (%08x); restore both from one backup", l.Index, sum, done))
			return
		}
		delete(f.folded, l.Index)
		return
	}
	if l.Index <= f.last {
		n.fatal(fmt.Errorf("replica: entry %d was applied already, up to %d", l.Index, f.last))
		return
	}
	a := &applied{written: n.written.get()}
	first := n.machine.next
	var err error
	if hash, skip := n.opt.Skip[l.Index]; !skip || hash != sha256.Sum256(l.Data) { // what is left out leaves its record alone
		err = f.decide(l, a)
	}
	if err != nil {
		if d := (*Diverged)(nil); errors.As(err, &d) {
			n.fatal(err) // no entry is to blame
			a.abandon()
			return
		}
		n.fatal(fmt.Errorf("replica: entry %d: %w; if it can never be applied, every node may leave it out with --skip-entry %d@%x", l.Index, err, l.Index, sha256.Sum256(l.Data)))
		a.abandon()
		return
	}
	a.close(l.Index, l.Term, sum, first)
	f.last = l.Index
	n.note()
	f.written <- a
}

func (f *fsm) decide(l *raft.Log, a *applied) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	n, m := f.node, f.node.machine
	id, envs, err := f.open(l.Data, a)
	if err != nil {
		return err
	}
	n.local.Delete(id)
	a.outcomes = make([]outcome, len(envs))
	a.bytes.Grow(len(envs) * usualBytes)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, env := range envs {
		var c Command
		if a.tickets != nil {
			c = a.tickets[i].request.Command
		}
		a.outcomes[i] = m.apply(env, c, a.written)
		if a.outcomes[i].trace {
			last := len(a.done) - 1
			m.settle(&a.done[last], journal.Ref{Index: l.Index, Number: uint32(last)})
			mark, written := m.takeMarks()
			if mark != nil {
				n.done.Add(1)
				n.hashing.Add(1)
				go n.hash(mark)
			}
			if err := m.recorded(written); err != nil {
				return err
			}
		}
	}
	return nil
}

// open takes an entry apart. For one that this process packed, commands are at hand and need no decoding.
func (f *fsm) open(data []byte, a *applied) (batchID, []*envelope, error) {
	if len(data) >= entryHeader {
		id := batchID(data[4:entryHeader])
		if v, ok := f.node.local.Load(id); ok {
			a.tickets = v.([]*ticket)
			envs := make([]*envelope, len(a.tickets))
			for i, t := range a.tickets {
				envs[i] = &t.env
			}
			return id, envs, nil
		}
	}
	return unpack(data)
}

// write puts decided entries into the journal, makes them durable and only then answers. It ends when the channel is
// closed.
func (n *Node) write() {
	defer n.done.Done()
	for first := range n.fsm.written {
		group := []*applied{first}
		for more := true; more && len(group) < 64; {
			select {
			case a, ok := <-n.fsm.written:
				if more = ok; ok {
					group = append(group, a)
				}
			default:
				more = false
			}
		}
		if err := n.writeGroup(group); err != nil {
			n.fatal(err)
			for _, a := range group {
				a.abandon()
			}
			break
		}
	}
	for a := range n.fsm.written { // after a fault
		a.abandon()
	}
}

// abandon answers those who wait for an entry that a fault overtook: a restart finds out.
func (a *applied) abandon() {
	for _, t := range a.tickets {
		t.answer(nil, unknown(errNotDurable))
	}
}

func (n *Node) writeGroup(group []*applied) error {
	// Secrets first: an entry that the journal holds is not looked at again, and appending may already sync.
	if err := n.keepSecrets(group); err != nil {
		return err
	}
	for _, a := range group {
		if err := n.journal.Append(&a.record); err != nil {
			return err
		}
	}
	if err := n.journal.Sync(); err != nil {
		return err
	}
	for _, a := range group {
		n.log.Add(&a.record, func() { n.written.put(a.written) })
	}
	if err := n.log.Err(); err != nil {
		return err
	}
	n.durable.set(n.journal.Durable())
	for _, a := range group {
		n.reply(a)
	}
	return nil
}

func (n *Node) reply(a *applied) {
	for i, t := range a.tickets {
		o := &a.outcomes[i]
		if o.same.Index == 0 {
			t.answer(o.answer, o.err)
			continue
		}
		// A repeat: the first answer stands in the journal, durable since this group or before.
		go func() {
			d, err := n.journal.Outcome(o.same)
			switch {
			case err != nil:
				t.answer(nil, unknown(err))
			case d.Error != nil:
				t.answer(nil, d.Error)
			case d.Answer == nil:
				t.answer(nil, nil)
			default:
				t.answer(n.machine.handlers[d.Kind].answer(d.Answer))
			}
		}()
	}
}

// keepSecrets stores new keys in the vault and deletes erased ones.
func (n *Node) keepSecrets(group []*applied) error {
	var changes []vaultChange
	for _, a := range group {
		for i := range a.outcomes {
			for _, s := range a.outcomes[i].secrets {
				changes = append(changes, vaultChange{secret: s})
			}
			for _, subject := range a.outcomes[i].erased {
				changes = append(changes, vaultChange{Secret{Subject: subject}, true})
			}
		}
	}
	return n.vault.change(changes)
}

// foldJournal takes the journal's records behind an index into the state.
func (f *fsm) foldJournal(after uint64) error {
	f.last = after
	m := f.node.machine
	err := f.node.journal.Records(after+1, func(r *journal.Record) error {
		f.folded[r.Index] = r.Sum
		f.last = r.Index
		return m.refold(r)
	})
	if err != nil {
		return err
	}
	f.rebuild()
	f.node.note()
	return nil
}

// note tells admission of the state's time and keys, which it asks for so often that it must not wait for the machine.
// Only the goroutine that applies calls it.
func (n *Node) note() {
	core := n.machine.core
	n.clock.state.Store(int64(core.clock.Get().Now))
	n.keys.Store(int64(core.keys.Len()))
}

func (f *fsm) rebuild() {
	for _, r := range f.node.machine.rooms {
		if b, ok := r.(Rebuilder); ok {
			b.Rebuild()
		}
	}
}

// Snapshot marks the state; Persist writes it down beside the live fold.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	m := f.node.machine
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.node.failed.Load() { // an entry may have been taken in by half
		return nil, errFailed
	}
	return &snapshot{image: m.freeze(), index: f.last, node: f.node}, nil
}

// Restore loads a snapshot and folds the journal behind it. Raft keeps an error to itself: the store is told too.
func (f *fsm) Restore(r io.ReadCloser) (err error) {
	defer r.Close()
	defer func() { f.snaps.fault = err }()
	index, err := f.node.machine.load(r)
	if err != nil {
		return fmt.Errorf("replica: snapshot %s: %w", f.snaps.opened, err)
	}
	if last, _ := f.node.journal.Last(); last < index {
		return fmt.Errorf("replica: the snapshot is of entry %d but the journal ends at %d; restore both from one backup", index, last)
	}
	return f.foldJournal(index)
}

var (
	errNotDurable = errors.New("the journal is not durable up to the snapshot")
	errFailed     = errors.New("the node has failed: its state may be wrong")
)
