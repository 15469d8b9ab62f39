package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Options of a node. What is zero takes a default that suits one node on a small machine.
type Options struct {
	Dir   string // holds raft/, journal/ and, beside it, the vault
	ID    string // this node's name among the voters; "a" unless set
	Hub   moongate.Hub
	Clock func() moongate.Time // the leader's clock
	// Seed draws a request's 32 bytes of randomness. The default is crypto/rand; a replay derives them from the
	// request, so that a run that was broken off and resumed is the same run.
	Seed   func(*Request) [32]byte
	Secret []byte // keys and fingerprints are HMACs under it, the same on every node

	BatchBytes    int           // of one raft entry; 64 KiB
	InFlight      int           // raft entries not yet committed; 3
	QueueBytes    int64         // of admitted requests not yet answered; 64 MiB
	EraseEvery    time.Duration // how often the bytes of erased keys are cleared from the disk: see Compact; 1 h
	SnapshotBytes int64         // of raft log after which a snapshot is due, or as many as the last one has; 128 MiB
	TrailingBytes int64         // of raft log kept behind a snapshot; 16 MiB
	HashEvery     int64         // events after which the state is hashed, or ten times what it holds; 10,000
	TickEvery     time.Duration // how often time passes by itself; 0: only when told, and Clock is not a wall clock
	AcceptClock   bool          // an operator's consent to a wall clock that is far from the state's time
	// ClockWitness asks somebody outside what time it is, and tells whether this machine's clock agrees. It is asked at a start
	// at which the clock is far ahead: then the hub stood still, and the clock is right. nil: nobody can be asked.
	ClockWitness func(context.Context) bool
	SegmentBytes int64                // of a journal segment
	NoSync       bool                 // tests and simulations that lose nothing by a crash
	Sync         func(*os.File) error // of the journal's files; nil means File.Sync. Tests put faults in
	Skip         map[uint64][32]byte  // poisoned raft entries that an operator agreed to leave out, by SHA-256
	Fatal        func(error)          // ends the process: a fault of disk or logic that only a restart can repair
	Log          hclog.Logger
}

func (o *Options) withDefaults() error {
	if o.Dir == "" || o.Clock == nil || o.Seed == nil || o.Fatal == nil || len(o.Secret) < 16 {
		return errors.New("replica: Dir, Clock, Seed, Fatal and a Secret of 16 bytes or more are required")
	}
	def := func(p *int64, v int64) {
		if *p == 0 {
			*p = v
		}
	}
	def(&o.QueueBytes, 64<<20)
	def(&o.SnapshotBytes, 128<<20)
	def(&o.TrailingBytes, 16<<20)
	def(&o.HashEvery, 10_000)
	if o.EraseEvery == 0 {
		o.EraseEvery = time.Hour
	}
	if o.ID == "" {
		o.ID = "a"
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 64 << 10
	}
	if o.InFlight == 0 {
		o.InFlight = 3
	}
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	return nil
}

// Node is a machine behind raft, with its journal and its public log.
type Node struct {
	opt     Options
	machine *Machine
	journal *journal.Journal
	log     *journal.Log
	vault   *Vault
	raft    *raft.Raft
	store   *logStore
	fsm     *fsm

	lock    io.Closer
	queue   *waiting
	held    atomic.Int64  // bytes admitted and not answered
	keys    atomic.Int64  // idempotency keys that are known
	shares  shares        // of the memory for them
	closed  atomic.Bool   // nothing is admitted any more
	failed  atomic.Bool   // nothing is decided any more
	settled atomic.Uint64 // the term in which everything that earlier leaders committed is known to be applied
	batches atomic.Uint64
	written writtenPool // memory of records, of the goroutine that writes and of the public log
	process [8]byte     // tells this process's batches from an earlier one's
	local   sync.Map    // batch id → []*ticket
	durable *signal
	clock   clock

	life   context.Context // ends when the node is closed
	stop   context.CancelFunc
	done   sync.WaitGroup
	snap   sync.Mutex   // one snapshot at a time
	logged atomic.Int64 // bytes of raft log since the last snapshot
	items  atomic.Int64 // entries since then
	imaged atomic.Int64 // bytes of the last snapshot
	macs   sync.Pool
	// hashFrom is how many events are to pass before the state may be due to be hashed: see hashDue.
	hashFrom uint64
	hashing  atomic.Int32 // states that are being hashed, and reported
}

// ticket is a request that waits for its answer.
type ticket struct {
	request Request
	env     envelope
	size    int64
	once    atomic.Bool
	reply   func(any, error)
	node    *Node
}

func (t *ticket) answer(a any, err error) {
	if t.once.CompareAndSwap(false, true) {
		t.node.held.Add(-t.size)
		t.reply(a, err)
	}
}

// Open starts a node on its directory: it loads the newest snapshot, folds the journal to its end, has raft apply what
// is later, and returns when all of that is done and the node leads (alone) or follows.
func Open(ctx context.Context, m *Machine, opt Options) (*Node, error) {
	if err := opt.withDefaults(); err != nil {
		return nil, err
	}
	lock, err := lockDir(opt.Dir) // before anything is read: starting cuts off what is torn
	if err != nil {
		return nil, err
	}
	n := &Node{opt: opt, machine: m, lock: lock, written: make(writtenPool, writtenKept), queue: newWaiting()}
	n.macs.New = func() any { return newMAC(opt.Secret) }
	process := n.mac("process", opt.ID, fmt.Sprint(opt.Clock()), nil)
	n.process = [8]byte(process[:8])
	fail := func(err error) (*Node, error) {
		return nil, errors.Join(err, n.closeFiles())
	}
	jopt := journal.Options{SegmentBytes: opt.SegmentBytes, Sync: opt.Sync}
	if opt.NoSync {
		jopt.Sync = journal.NoSync
	}
	if n.journal, err = journal.Open(filepath.Join(opt.Dir, "journal"), m.Registry(), jopt); err != nil {
		return fail(err)
	}
	n.durable = newSignal(n.journal.Durable())
	if n.vault, err = openOldVault(filepath.Join(opt.Dir, "vault"), n.journal); err != nil {
		return fail(err)
	}
	if n.log, err = journal.OpenLog(filepath.Join(opt.Dir, "log"), n.journal, LogSecret(opt.Secret)); err != nil {
		return fail(err)
	}
	n.life, n.stop = context.WithCancel(context.Background())
	n.fsm = &fsm{node: n, written: make(chan *applied, 1<<14), folded: map[uint64]uint32{}}
	if err := n.startRaft(); err != nil {
		n.stop()
		return fail(err)
	}
	n.done.Add(2)
	go n.write()
	go n.batch(n.life)
	if err := n.ready(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.done.Add(1)
	go n.housekeep(n.life) // it submits commands, and ready looks at what was applied before any
	if opt.TickEvery > 0 {
		n.clock.agreed.Store(opt.AcceptClock)
		if err := n.clock.check(opt.Clock()); err != nil && !n.stoodStill(ctx) {
			return nil, errors.Join(err, n.Close())
		}
		n.done.Add(1)
		go n.tick(n.life)
	}
	return n, nil
}

// young is how many events a state has in which nothing can expire yet: it was just made.
const young = 16

// stoodStill tells, at a start with a clock that is far ahead, whether the clock is right and the hub was down for long:
// nothing has happened yet, or somebody outside says the same time. Its consent is for this once, as an operator's.
func (n *Node) stoodStill(ctx context.Context) bool {
	if n.opt.Clock() < moongate.Time(n.clock.state.Load()) {
		return false // the state's time is in the future: that is for an operator
	}
	at, _ := n.Durable()
	if at > young && (n.opt.ClockWitness == nil || !n.opt.ClockWitness(ctx)) {
		return false
	}
	n.clock.agreed.Store(true)
	return n.clock.check(n.opt.Clock()) == nil
}

func (n *Node) startRaft() error {
	dir := filepath.Join(n.opt.Dir, "raft")
	store, err := openLogStore(dir, n.opt.NoSync, n.fatal)
	if err != nil {
		return err
	}
	n.store = store
	snaps, err := openSnapshots(dir, n.opt.ID, n.opt.Log)
	if err != nil {
		return err
	}
	n.fsm.snaps = snaps
	have, err := snaps.List()
	if err != nil {
		return err
	}
	if len(have) == 0 {
		if err := n.fsm.foldJournal(0); err != nil {
			return err
		}
	}
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.opt.ID)
	c.Logger = n.opt.Log
	c.SnapshotThreshold = 1 << 62 // a snapshot is due by bytes: see housekeep
	c.TrailingLogs = 1 << 12
	c.MaxAppendEntries = 256
	c.BatchApplyCh = true
	// The only voter has nobody to wait for: this is how long a start takes.
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 40*time.Millisecond, 40*time.Millisecond, 20*time.Millisecond
	addr, transport := raft.NewInmemTransport(raft.ServerAddress(n.opt.ID))
	known, err := raft.HasExistingState(store, store, snaps)
	if err != nil {
		return fmt.Errorf("replica: raft state in %s: %w", dir, err)
	}
	last, _ := n.journal.Last()
	end, err := store.LastIndex()
	if err != nil {
		return fmt.Errorf("replica: raft log in %s: %w", dir, err)
	}
	held := uint64(0)
	for _, s := range have {
		held = s.Index
		n.imaged.Store(s.Size)
	}
	first, err := store.FirstIndex()
	if err != nil {
		return fmt.Errorf("replica: raft log in %s: %w", dir, err)
	}
	if err := store.begun(held); err != nil {
		return err
	}
	if first > held+1 {
		return behind(store.path, first, held)
	}
	end = max(end, held)
	if known && end == 0 && last == 0 {
		// The first start was killed between the term and the entry that names the voters: nobody was told of anything, and
		// without the entry nobody would ever lead. An empty term is what raft takes for a new disk.
		if err := store.SetUint64([]byte("CurrentTerm"), 0); err != nil {
			return fmt.Errorf("replica: raft state in %s: %w", dir, err)
		}
		known = false
	}
	if known && end < last {
		return fmt.Errorf("replica: raft ends at entry %d before the journal's %d; its files are older than the journal: %s", end, last, remake)
	}
	if !known {
		if last > 0 {
			return fmt.Errorf("replica: %s holds no raft state but the journal ends at entry %d: %s", dir, last, remake)
		}
		conf := raft.Configuration{Servers: []raft.Server{{ID: c.LocalID, Address: addr}}}
		if err := raft.BootstrapCluster(c, store, store, snaps, transport, conf); err != nil {
			return fmt.Errorf("replica: bootstrap: %w", err)
		}
	}
	n.raft, err = newRaft(c, n.fsm, store, snaps, transport)
	store.running.Store(err == nil)
	if err != nil && snaps.fault != nil {
		return snaps.fault // raft says only that it could load none
	}
	return err
}

// newRaft turns a panic of the store's into an error: a damaged bbolt file shows itself so.
func newRaft(c *raft.Config, f raft.FSM, store *logStore, snaps raft.SnapshotStore, t raft.Transport) (r *raft.Raft, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &journal.Damage{File: store.path, Reason: fmt.Sprint(p), Repair: remake}
		}
	}()
	if r, err = raft.NewRaft(c, f, store, store, snaps, t); err != nil {
		return nil, fmt.Errorf("replica: raft: %w", err)
	}
	return r, nil
}

// ready waits until everything committed is applied, and held against the journal.
func (n *Node) ready(ctx context.Context) error {
	t := time.NewTicker(2 * time.Millisecond)
	defer t.Stop()
	for {
		if n.raft.State() == raft.Leader {
			term := n.raft.CurrentTerm()
			if err := n.raft.Barrier(0).Error(); err == nil {
				n.settled.Store(term)
				break
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("replica: no leader: %w", context.Cause(ctx))
		case <-t.C:
		}
	}
	if n.failed.Load() {
		return errors.New("replica: the node failed while it started")
	}
	for index := range n.fsm.folded {
		return fmt.Errorf("replica: the journal holds entry %d, which raft's log has lost: %s", index, remake)
	}
	return n.awaitDurable(n.fsm.last)
}

// awaitDurable returns when the journal is durable up to a record.
func (n *Node) awaitDurable(index uint64) error {
	for {
		_, later := n.durable.get()
		if _, done := n.journal.Durable(); done >= index {
			return nil
		}
		if _, open := <-later; !open && n.durable.isClosed() {
			return errNotDurable
		}
	}
}

// fatal ends the node's work: the process is to end, and until it has nothing more is decided, written or answered.
func (n *Node) fatal(err error) {
	n.failed.Store(true)
	n.durable.close()
	n.opt.Fatal(err)
}

// Machine is the node's state; read it under [Machine.Read].
func (n *Node) Machine() *Machine { return n.machine }

// Journal is the node's journal.
func (n *Node) Journal() *journal.Journal { return n.journal }

// Log is the node's public log.
func (n *Node) Log() *journal.Log { return n.log }

// Vault holds the keys of personal fields.
func (n *Node) Vault() *Vault { return n.vault }

// Clock is the node's wall clock, which may be ahead of the machine's time.
func (n *Node) Clock() moongate.Time { return n.opt.Clock() }

// Leads tells whether this node decides.
func (n *Node) Leads() bool { return n.raft.State() == raft.Leader }

// Close stops the node: what was acknowledged is durable already, what was not is answered with "unknown".
func (n *Node) Close() error {
	n.closed.Store(true)
	n.stop()
	err := n.raft.Shutdown().Error()
	close(n.fsm.written)
	n.done.Wait()
	n.durable.close()
	n.drain()
	n.local.Range(func(_, v any) bool {
		for _, t := range v.([]*ticket) {
			t.answer(nil, unknown(context.Canceled))
		}
		return true
	})
	return errors.Join(err, n.closeFiles())
}

func (n *Node) closeFiles() error {
	var errs []error
	if n.journal != nil {
		errs = append(errs, n.journal.Close())
	}
	if n.log != nil {
		errs = append(errs, n.log.Close())
	}
	if n.vault != nil {
		errs = append(errs, n.vault.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	errs = append(errs, n.lock.Close())
	return errors.Join(errs...)
}

// Submit has a request decided, and returns when its outcome is durable. An error with code [moongate.Unknown] means
// just that: ask again with the same key.
func (n *Node) Submit(ctx context.Context, r Request) (any, error) {
	w := waiters.Get().(*waiter)
	n.Go(r, w.reply)
	select {
	case r := <-w.ch:
		waiters.Put(w)
		return r.answer, r.err
	case <-ctx.Done(): // the answer may still come: the waiter is not used again
		return nil, unknown(context.Cause(ctx))
	}
}

// waiter is what Submit waits with.
type waiter struct {
	ch    chan answered
	reply func(any, error)
}

type answered struct {
	answer any
	err    error
}

var waiters = sync.Pool{New: func() any {
	ch := make(chan answered, 1)
	return &waiter{ch, func(a any, err error) { ch <- answered{a, err} }}
}}

// Submit has a request decided and gives the answer its type.
func Submit[A any](ctx context.Context, n *Node, r Request) (A, error) {
	a, err := n.Submit(ctx, r)
	if err != nil {
		var zero A
		return zero, err
	}
	v, ok := a.(A)
	if !ok && a != nil {
		return v, fmt.Errorf("replica: %s answers with %T, not %T", r.Command.CommandKind(), a, v)
	}
	return v, nil
}

func unknown(cause error) error {
	return &moongate.Error{Code: moongate.Unknown, Message: fmt.Sprintf("the outcome is not known (%v)", cause), Hint: "send the same request again with the same key"}
}

// What one ticket counts for beside its command, and how many bytes a command may have in CBOR.
const (
	ticketBytes = 256
	maxCommand  = 4 << 20
)

// Go is Submit without waiting: reply is called once, on another goroutine unless the request is turned away at once,
// and must not block. Requests of one goroutine are decided in the order in which it calls Go.
func (n *Node) Go(r Request, reply func(any, error)) {
	kind := r.Command.CommandKind()
	if n.machine.handlers[kind] == nil {
		reply(nil, &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("no command is called %q", kind)})
		return
	}
	if n.closed.Load() || n.failed.Load() {
		reply(nil, unknown(errors.New("the node has stopped")))
		return
	}
	// Wall time is set when the batch is made, so that it does not go back within one. Virtual time is that of whoever
	// asks: how requests fall into batches must not show in the state.
	at := moongate.Time(0)
	if n.opt.TickEvery == 0 {
		at = n.opt.Clock()
	}
	t := &ticket{request: r, reply: reply, node: n}
	env := &t.env
	if err := envelop(env, &t.request, at, n.opt.Seed(&t.request), n.mac); err != nil {
		reply(nil, err)
		return
	}
	if err := admissible(env); err != nil {
		reply(nil, err)
		return
	}
	t.size = int64(len(env.Body)) + ticketBytes + 64*int64(len(env.Vault))
	limit := n.opt.QueueBytes
	if r.Effect != 0 || r.Caller == "" {
		limit *= 2 // outcomes and time have room of their own: they are what empties the queue
	}
	if n.held.Add(t.size) > limit {
		n.held.Add(-t.size)
		reply(nil, &moongate.Error{Code: moongate.Busy, Message: "too much is waiting to be decided", Hint: "try again in a second with the same key"})
		return
	}
	if r.Key != "" && r.Effect == 0 {
		if err := n.admitKey(r.Caller, env.Key); err != nil {
			n.held.Add(-t.size)
			reply(nil, err)
			return
		}
	}
	n.queue.put(t)
	if n.closed.Load() { // then nobody may be there to take it out
		n.drain()
	}
}

// admissible refuses what the journal could not hold, or not for good.
func admissible(env *envelope) error {
	switch {
	case len(env.Body) > maxCommand:
		return &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("the command %s has %d bytes, %d are taken", env.Kind, len(env.Body), maxCommand), Hint: "send it in parts"}
	case !utf8.ValidString(env.Caller) || !journal.ValidText(env.Body):
		return &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("the command %s holds text that is not UTF-8", env.Kind)}
	}
	return nil
}

func (n *Node) mac(purpose, caller, name string, body []byte) [16]byte {
	m := n.macs.Get().(*mac)
	defer n.macs.Put(m)
	return m.of(purpose, caller, name, body)
}

// Current returns when this node knows that it still leads and that its state holds everything that was acknowledged
// before it was asked: what is read afterwards is the newest. A leader acknowledges only what it has applied itself; so
// what is left to wait for is what earlier leaders committed, once a term. (Raft's applied index would not do: it counts
// what was handed to the machine, not what the machine has taken in.)
func (n *Node) Current(ctx context.Context) error {
	follows := &moongate.Error{Code: moongate.Busy, Message: "this node does not lead", Hint: "ask the leader"}
	// Raft leaves some futures without an answer when it is shut down.
	await := func(f raft.Future) error {
		done := make(chan error, 1)
		go func() { done <- f.Error() }()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-n.life.Done():
			return follows
		case err := <-done:
			if err != nil {
				return follows
			}
			return nil
		}
	}
	if n.life.Err() != nil {
		return follows
	}
	if err := await(n.raft.VerifyLeader()); err != nil {
		return err
	}
	term := n.raft.CurrentTerm()
	if n.settled.Load() == term {
		return nil
	}
	if err := await(n.raft.Barrier(0)); err != nil {
		return err
	}
	n.settled.Store(term)
	return nil
}

// Durable is the position of the last durable event, and a channel that is closed when there is a later one.
func (n *Node) Durable() (journal.Position, <-chan struct{}) { return n.durable.get() }
