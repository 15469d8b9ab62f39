package replica_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// gate is a disk that can be stopped: while it is shut, no sync of the journal's files returns.
type gate struct {
	mu   sync.RWMutex
	shut atomic.Bool
}

func (g *gate) sync(*os.File) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return nil
}

func (g *gate) close() {
	g.mu.Lock()
	g.shut.Store(true)
}

func (g *gate) open() {
	g.shut.Store(false)
	g.mu.Unlock()
}

func openLimited(t testing.TB, opt replica.Options, limits replica.Limits) (*replica.Node, *counter) {
	t.Helper()
	m, c := limited(limits)
	n, err := replica.Open(context.Background(), m, opt)
	if err != nil {
		t.Fatal(err)
	}
	return n, c
}

func do(n *replica.Node, key string, c replica.Command) (any, error) {
	return n.Submit(context.Background(), replica.Request{Caller: "ann", Key: key, Command: c})
}

// snapshotBegun tells whether raft has begun to write one.
func snapshotBegun(t testing.TB, dir string) bool {
	t.Helper()
	begun, err := filepath.Glob(filepath.Join(dir, "raft", "snapshots", "*.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	return len(begun) > 0
}

// eventually waits for a condition, which is asked again and again.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}

// TestNothingIsAnsweredBeforeItIsDurable: an answer, a snapshot and the durable position wait for the journal's sync.
func TestNothingIsAnsweredBeforeItIsDurable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]replica.Command{
		"an event":               &put{Purse: "p", Coins: 1},
		"an entry with no event": &put{Purse: "p", Fail: "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var disk gate
			opt := options(t, t.TempDir())
			opt.Sync = disk.sync
			n, _ := open(t, opt)
			if _, err := do(n, "0", &put{Purse: "p", Coins: 1}); err != nil {
				t.Fatal(err)
			}
			before, _ := n.Durable()
			disk.close()
			answered, snapped := make(chan error, 2), make(chan error, 1)
			early := func(what string) {
				if disk.shut.Load() {
					t.Errorf("%s before it was durable", what)
				}
			}
			applied := n.Applied()
			reply := func(_ any, err error) { early("answered"); answered <- err }
			n.Go(replica.Request{Caller: "ann", Command: c}, reply)
			n.Go(replica.Request{Caller: "ann", Key: "0", Command: &put{Purse: "p", Coins: 1}}, reply)
			eventually(t, "they are applied", func() bool { return n.Applied() > applied && n.Queued() == 0 })
			go func() {
				err := n.Snapshot()
				early("a snapshot was taken")
				snapped <- err
			}()
			if at, _ := n.Durable(); at != before {
				t.Errorf("event %d is called durable", at)
			}
			eventually(t, "the snapshot waits", func() bool { return snapshotBegun(t, opt.Dir) })
			disk.open()
			for range 2 {
				if err := <-answered; moongate.CodeOf(err) != "" && moongate.CodeOf(err) != moongate.Malformed {
					t.Error(err)
				}
			}
			select {
			case err := <-snapped:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the snapshot waits for ever")
			}
			shut(t, n)
		})
	}
}

// TestAdmissionIsByBytes: when too much waits, new work is turned away at once, while outcomes of effects and the hub's
// own commands still find room; and everything admitted is answered.
func TestAdmissionIsByBytes(t *testing.T) {
	t.Parallel()
	var disk gate
	opt := options(t, t.TempDir())
	opt.Sync, opt.QueueBytes = disk.sync, 100_000
	n, c := open(t, opt)
	asked, err := do(n, "", &ask{Peer: "w"})
	if err != nil {
		t.Fatal(err)
	}
	disk.close()
	var admitted, busy, other atomic.Int64
	var all sync.WaitGroup
	send := func(r replica.Request) {
		all.Add(1)
		n.Go(r, func(_ any, err error) {
			defer all.Done()
			switch moongate.CodeOf(err) {
			case "":
				admitted.Add(1)
			case moongate.Busy:
				busy.Add(1)
			default:
				other.Add(1)
			}
		})
	}
	for i := range 1000 {
		send(replica.Request{Caller: "ann", Key: fmt.Sprint(i), Command: &put{Purse: "p", Coins: 1}})
	}
	if b := busy.Load(); b < 500 || b > 800 { // 100,000 bytes at some 270 each
		t.Errorf("%d of 1000 requests were turned away", b)
	}
	before := busy.Load()
	for range 100 {
		send(replica.Request{Command: &replica.Tick{}})
	}
	send(replica.Request{Command: &told{Text: "yes"}, Effect: asked.(journal.Position)})
	if busy.Load() != before {
		t.Error("the hub's own commands were turned away")
	}
	for range 1000 {
		send(replica.Request{Command: &replica.Tick{}})
	}
	if busy.Load() == before {
		t.Error("the hub's own commands have no bound")
	}
	disk.open()
	all.Wait()
	if admitted.Load() < 300 || other.Load() != 0 {
		t.Errorf("%d admitted, %d answered otherwise", admitted.Load(), other.Load())
	}
	if n.Held() != 0 {
		t.Errorf("%d bytes are held though nothing waits", n.Held())
	}
	if _, err := do(n, "again", &put{Purse: "p", Coins: 1}); err != nil {
		t.Errorf("when the queue is empty again: %v", err)
	}
	n.Machine().Read(func() {
		if got, _ := c.answers.Get(asked.(journal.Position)); got != 1 {
			t.Errorf("the outcome was folded %d times", got)
		}
	})
	shut(t, n)
}

// TestUnfitCommandsAreTurnedAway before they are replicated: too large, not UTF-8, unknown.
func TestUnfitCommandsAreTurnedAway(t *testing.T) {
	t.Parallel()
	n, _ := open(t, options(t, t.TempDir()))
	before := n.Applied()
	for name, c := range map[string]struct {
		request replica.Request
		code    moongate.Code
	}{
		"too large":          {replica.Request{Command: &ask{Peer: "w", Text: strings.Repeat("x", 5<<20)}}, moongate.TooLarge},
		"text cut in two":    {replica.Request{Command: &ask{Peer: "w", Text: "付款"[:4]}}, moongate.Malformed},
		"a caller cut":       {replica.Request{Caller: "\xff", Command: &ask{Peer: "w"}}, moongate.Malformed},
		"an unknown command": {replica.Request{Command: &nobodys{}}, moongate.Malformed},
	} {
		if _, err := n.Submit(context.Background(), c.request); moongate.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := n.Submit(context.Background(), replica.Request{Command: &ask{Peer: "w", Text: strings.Repeat("x", 3<<20)}}); err != nil {
		t.Errorf("a large one: %v", err)
	}
	if got := n.Applied(); got != before+1 {
		t.Errorf("%d entries were replicated", got-before)
	}
	shut(t, n)
}

type nobodys struct{}

func (*nobodys) CommandKind() string { return "nobody.knows" }

// TestRepeatsInOneBatch: the same request several times in one raft entry is applied once, and each gets the answer;
// another request under its key is refused.
func TestRepeatsInOneBatch(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	opt.InFlight = 1
	n, c := open(t, opt)
	type answer struct {
		a   any
		err error
	}
	got := make(chan answer, 20)
	reply := func(a any, err error) { got <- answer{a, err} }
	n.Machine().Read(func() { // nothing is applied meanwhile, so all that follows the first is one batch
		n.Go(replica.Request{Caller: "ann", Key: "first", Command: &put{Purse: "q", Coins: 1}}, reply)
		eventually(t, "the first is a batch of its own", func() bool { return n.Queued() == 0 })
		for range 5 {
			n.Go(replica.Request{Caller: "ann", Key: "k", Command: &put{Purse: "p", Coins: 7}}, reply)
		}
		n.Go(replica.Request{Caller: "ann", Key: "k", Command: &put{Purse: "p", Coins: 8}}, reply)
		n.Go(replica.Request{Caller: "bob", Key: "k", Command: &put{Purse: "p", Coins: 8}}, reply)
	})
	counts := map[string]int{}
	for range 8 {
		a := <-got
		counts[fmt.Sprint(a.a, moongate.CodeOf(a.err))]++
	}
	if counts["{1}"] != 1 || counts["{7}"] != 5 || counts["<nil>key_reused"] != 1 || counts["{15}"] != 1 {
		t.Errorf("answers: %v", counts)
	}
	if c.moves.Len() != 3 {
		t.Errorf("applied %d times", c.moves.Len())
	}
	if n.Applied() > 4 {
		t.Errorf("%d entries: they were not in one batch", n.Applied())
	}
	shut(t, n)
}

// TestKeyWindow: an idempotency key is remembered for the window and then free, over restarts too; and when the memory
// is full, new keys wait while work under way goes on.
func TestKeyWindow(t *testing.T) {
	t.Parallel()
	limits := replica.Limits{KeyWindow: 10 * moongate.Second, Keys: 8}
	opt := options(t, t.TempDir())
	var now atomic.Int64
	now.Store(int64(1_700_000_000 * moongate.Second))
	opt.Clock = func() moongate.Time { return moongate.Time(now.Load()) }
	n, _ := openLimited(t, opt, limits)
	expect := func(key string, coins int64, code moongate.Code) {
		t.Helper()
		if _, err := do(n, key, &put{Purse: "p", Coins: coins}); moongate.CodeOf(err) != code {
			t.Errorf("key %s for %d coins: %v, want %q", key, coins, err, code)
		}
	}
	expect("a", 1, "")
	expect("a", 2, moongate.KeyReused)
	now.Add(int64(9 * moongate.Second))
	expect("a", 2, moongate.KeyReused)
	shut(t, n)
	n, _ = openLimited(t, opt, limits)
	expect("a", 2, moongate.KeyReused)
	now.Add(int64(2 * moongate.Second))
	expect("a", 3, "") // the window is over
	expect("a", 3, "")
	expect("a", 4, moongate.KeyReused)
	for i := range 5 {
		expect(fmt.Sprint("b", i), 1, "")
	}
	for _, who := range []string{"bob", "carol"} {
		if _, err := n.Submit(context.Background(), replica.Request{Caller: who, Key: "x", Command: &put{Purse: "p", Coins: 1}}); err != nil {
			t.Errorf("%s: %v", who, err)
		}
	}
	expect("c", 1, moongate.Busy)
	expect("b1", 1, "")                 // what is known is answered
	expect("b1", 2, moongate.KeyReused) // as it always was
	expect("", 1, "")                   // without a key there is nothing to remember
	asked, err := do(n, "", &ask{Peer: "w"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Submit(context.Background(), replica.Request{Key: "outcome", Command: &told{Text: "x"}, Effect: asked.(journal.Position)}); err != nil {
		t.Errorf("an outcome waits for the memory of keys: %v", err)
	}
	if err := n.Snapshot(); err != nil {
		t.Fatal(err)
	}
	want := nodeHash(t, n)
	shut(t, n)
	n, _ = openLimited(t, opt, limits)
	if nodeHash(t, n) != want {
		t.Error("after the restart: another state")
	}
	expect("c", 1, moongate.Busy)
	now.Add(int64(20 * moongate.Second))
	if _, err := n.Submit(context.Background(), replica.Request{Command: &replica.Tick{}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "old keys make room", func() bool {
		_, err := do(n, "c", &put{Purse: "p", Coins: 1})
		return err == nil
	})
	shut(t, n)
}

// TestNobodyFillsTheMemoryOfKeys: who has used half of it gets none of its last quarter; everybody else does.
func TestNobodyFillsTheMemoryOfKeys(t *testing.T) {
	t.Parallel()
	n, _ := openLimited(t, options(t, t.TempDir()), replica.Limits{Keys: 16})
	as := func(caller, key string) moongate.Code {
		_, err := n.Submit(context.Background(), replica.Request{Caller: caller, Key: key, Command: &put{Purse: "p", Coins: 1}})
		return moongate.CodeOf(err)
	}
	for i := range 12 {
		if code := as("greedy", fmt.Sprint(i)); code != "" {
			t.Fatalf("key %d: %s", i, code)
		}
	}
	if code := as("greedy", "12"); code != moongate.Busy {
		t.Errorf("of the last quarter: %q", code)
	}
	if code := as("greedy", "3"); code != "" {
		t.Errorf("a repeat: %q", code)
	}
	for i := range 4 {
		if code := as(fmt.Sprint("modest ", i), "0"); code != "" {
			t.Errorf("somebody else's key: %q", code)
		}
	}
	if code := as("modest 5", "0"); code != moongate.Busy {
		t.Errorf("beyond all there is: %q", code)
	}
	if code := as("modest 2", "0"); code != "" {
		t.Errorf("a repeat, when it is full: %q", code)
	}
	shut(t, n)
}

// TestStaleOutcomeIsDropped: an effect's outcome counts once, whoever reports it how often; after a restart too.
func TestStaleOutcomeIsDropped(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	n, c := open(t, opt)
	a, err := do(n, "", &ask{Peer: "w"})
	if err != nil {
		t.Fatal(err)
	}
	at := a.(journal.Position)
	if !n.Machine().IsPending(at) {
		t.Fatal("the effect is not pending")
	}
	tell := func(c *told) (any, error) {
		return n.Submit(context.Background(), replica.Request{Command: c, Effect: at})
	}
	if _, err := tell(&told{Text: "first"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for range 3 {
			if a, err := tell(&told{Text: "again"}); a != nil || err != nil {
				t.Errorf("a stale outcome is answered %v, %v", a, err)
			}
		}
		outcomes := 0
		for _, e := range events(t, n) {
			if h, ok := e.Event.(*heard); ok {
				if outcomes++; h.Effect != at || h.Text != "first" {
					t.Errorf("heard %+v", h)
				}
			}
		}
		if k, _ := c.answers.Get(at); k != 1 || outcomes != 1 || n.Machine().IsPending(at) {
			t.Errorf("folded %d times, %d events", k, outcomes)
		}
		shut(t, n)
		n, c = open(t, opt)
	}
	// An outcome that is refused for its state settles the effect too: asking again would get the same answer.
	a, err = do(n, "", &ask{Peer: "w"})
	if err != nil {
		t.Fatal(err)
	}
	at = a.(journal.Position)
	if _, err := tell(&told{Fail: true}); moongate.CodeOf(err) != moongate.Conflict {
		t.Errorf("%v", err)
	}
	if n.Machine().IsPending(at) {
		t.Error("the effect is still pending")
	}
	shut(t, n)
}

// TestTimeNeverGoesBack: the leader's clock may jump; the state's does not, and neither do the events'.
func TestTimeNeverGoesBack(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	var now atomic.Int64
	opt.Clock = func() moongate.Time { return moongate.Time(now.Load()) }
	n, _ := open(t, opt)
	start := 1_700_000_000 * moongate.Second
	for i, at := range []moongate.Time{start, start + 5*moongate.Second, start - moongate.Hour, start + 1, start + 6*moongate.Second, start} {
		now.Store(int64(at))
		if _, err := do(n, fmt.Sprint(i), &put{Purse: "p", Coins: 1}); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			shut(t, n)
			n, _ = open(t, opt)
		}
	}
	last := moongate.Time(0)
	for _, e := range events(t, n) {
		if e.At < last {
			t.Errorf("event %d is of %v, after one of %v", e.Position, e.At, last)
		}
		last = e.At
	}
	n.Machine().Read(func() {
		if got := n.Machine().Now(); got != start+6*moongate.Second || last != got {
			t.Errorf("it is %v, the last event is of %v", got, last)
		}
	})
	shut(t, n)
}

// TestDeadlinesPassByTicks, at most so many a tick, in order, and again after a restart from a snapshot.
func TestDeadlinesPassByTicks(t *testing.T) {
	t.Parallel()
	limits := replica.Limits{Due: 3}
	opt := options(t, t.TempDir())
	start := 1_700_000_000 * moongate.Second
	var now atomic.Int64
	now.Store(int64(start))
	opt.Clock = func() moongate.Time { return moongate.Time(now.Load()) }
	n, _ := openLimited(t, opt, limits)
	for i := range 10 {
		if _, err := do(n, fmt.Sprint(i), &put{Purse: fmt.Sprint("p", 9-i), Coins: 1, Expires: start + moongate.Time(1+i%5)*moongate.Second}); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Snapshot(); err != nil {
		t.Fatal(err)
	}
	shut(t, n)
	n, c := openLimited(t, opt, limits)
	now.Store(int64(start + 10*moongate.Second))
	for _, want := range []int{3, 3, 3, 1, 0} {
		got, err := replica.Submit[int](context.Background(), n, replica.Request{Command: &replica.Tick{}})
		if err != nil || got != want {
			t.Errorf("a tick handled %d, %v, want %d", got, err, want)
		}
	}
	var order []string
	for _, e := range events(t, n) {
		if v, ok := e.Event.(*emptied); ok {
			order = append(order, v.Purse)
		}
	}
	if got := strings.Join(order, " "); got != "p4 p9 p3 p8 p2 p7 p1 p6 p0 p5" {
		t.Errorf("they passed in the order %s", got)
	}
	if c.total.Get() != 0 || c.purses.Len() != 0 {
		t.Errorf("%d coins in %d purses are left", c.total.Get(), c.purses.Len())
	}
	shut(t, n)
}
