package effect_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/effect"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// bell is a room in miniature: whoever rings has a peer called, and the peer's word is noted.
type bell struct {
	heard *replica.Table[journal.Position, int]
}

type ring struct {
	Peer string `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint,omitempty"`
}

type rung struct {
	Peer string `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint,omitempty"`
}

type tell struct {
	Refuse bool `cbor:"1,keyasint,omitempty"`
}

type heard struct {
	Effect journal.Position `cbor:"1,keyasint"`
}

func (*ring) CommandKind() string { return "bell.ring" }
func (*tell) CommandKind() string { return "bell.tell" }
func (*rung) EventKind() string   { return "bell.rung" }
func (*heard) EventKind() string  { return "bell.heard" }

func (b *bell) Name() string             { return "bell" }
func (b *bell) Events() []journal.Event  { return []journal.Event{&rung{}, &heard{}} }
func (b *bell) Tables() []replica.Stored { return []replica.Stored{b.heard} }
func (b *bell) Fold(e journal.Entry) {
	if h, ok := e.Event.(*heard); ok {
		n, _ := b.heard.Get(h.Effect)
		b.heard.Put(h.Effect, n+1)
	}
}

func (b *bell) ring(step *replica.Step, c *ring) (journal.Position, error) {
	return step.Emit(&rung{Peer: c.Peer, Text: c.Text}), nil
}

func (b *bell) tell(step *replica.Step, c *tell) (struct{}, error) {
	if c.Refuse {
		return struct{}{}, &moongate.Error{Code: moongate.Conflict, Message: "as told"}
	}
	step.Emit(&heard{Effect: step.Effect})
	return struct{}{}, nil
}

func options(dir string) replica.Options {
	return replica.Options{
		Dir: dir, Hub: moongate.Hub{1, 2, 3}, Secret: []byte("a secret of sixteen bytes or more"),
		Clock: func() moongate.Time { return moongate.At(time.Now()) },
		Seed:  func(r *replica.Request) [32]byte { return sha256.Sum256(fmt.Append(nil, r.Key, r.Command)) },
		Fatal: func(err error) { panic(err) },
	}
}

func open(opt replica.Options) (*replica.Node, *bell, error) {
	b := &bell{replica.NewTable[journal.Position, int]("heard")}
	m := replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{}, b)
	replica.Handle(m, b.ring)
	replica.Handle(m, b.tell)
	m.OnEvent("bell.rung", func(e journal.Event) string { return e.(*rung).Peer })
	n, err := replica.Open(context.Background(), m, opt)
	return n, b, err
}

// A house is a node with a runner at work.
type house struct {
	t    *testing.T
	n    *replica.Node
	b    *bell
	r    *effect.Runner
	stop func()
}

func newHouse(t *testing.T, opt replica.Options, o effect.Options, h effect.HandlerFunc) *house {
	t.Helper()
	n, b, err := open(opt)
	if err != nil {
		t.Fatal(err)
	}
	x := &house{t: t, n: n, b: b, r: effect.NewRunner(n, map[string]effect.Handler{"bell.rung": h}, o)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { x.r.Run(ctx); close(done) }()
	x.stop = func() {
		cancel()
		<-done
	}
	return x
}

func (x *house) close() {
	x.t.Helper()
	x.stop()
	if err := x.n.Close(); err != nil {
		x.t.Error(err)
	}
}

func (x *house) ring(peer string) journal.Position {
	x.t.Helper()
	at, err := replica.Submit[journal.Position](context.Background(), x.n, replica.Request{Caller: "ann", Command: &ring{Peer: peer}})
	if err != nil {
		x.t.Fatal(err)
	}
	return at
}

func (x *house) heard(at journal.Position) (times int) {
	x.n.Machine().Read(func() { times, _ = x.b.heard.Get(at) })
	return times
}

func (x *house) eventually(what string, ok func() bool) {
	x.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			x.t.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}

func peerOf(e journal.Entry) string { return e.Event.(*rung).Peer }

// TestFailuresAreTriedAgain, after pauses that double up to the longest.
func TestFailuresAreTriedAgain(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var tries []time.Time
	told := 0
	o := effect.Options{Now: time.Now, First: 10 * time.Millisecond, Longest: 40 * time.Millisecond, OnError: func(peer string, _ journal.Position, n int, err error) {
		mu.Lock()
		defer mu.Unlock()
		if told++; peer != "w" || n != told || err.Error() != "not yet" {
			t.Errorf("told of try %d of %s: %v", n, peer, err)
		}
	}}
	x := newHouse(t, options(t.TempDir()), o, func(context.Context, journal.Entry) (replica.Command, error) {
		mu.Lock()
		defer mu.Unlock()
		if tries = append(tries, time.Now()); len(tries) < 6 {
			return nil, errors.New("not yet")
		}
		return &tell{}, nil
	})
	at := x.ring("w")
	x.eventually("it is heard", func() bool { return x.heard(at) == 1 })
	for i, least := range []int{10, 20, 40, 40, 40} {
		if pause := tries[i+1].Sub(tries[i]); pause < time.Duration(least)*time.Millisecond {
			t.Errorf("the pause before try %d was %v, less than %d ms", i+2, pause, least)
		}
	}
	if len(tries) != 6 || told != 5 {
		t.Errorf("%d tries, told of %d failures", len(tries), told)
	}
	if x.n.Machine().IsPending(at) || len(x.r.Queues()) != 0 {
		t.Errorf("it is still pending: %+v", x.r.Queues())
	}
	x.close()
}

// TestHopelessIsBuried after so many tries, with the reason, and revived by an operator. A long reason in any script
// must not keep the hub from starting again.
func TestHopelessIsBuried(t *testing.T) {
	t.Parallel()
	var helped atomic.Bool
	var calls atomic.Int64
	opt := options(t.TempDir())
	o := effect.Options{Now: time.Now, First: time.Millisecond, Longest: 2 * time.Millisecond, MaxTries: 4}
	handler := func(context.Context, journal.Entry) (replica.Command, error) {
		calls.Add(1)
		if helped.Load() {
			return &tell{}, nil
		}
		return nil, errors.New("x" + strings.Repeat("余额不足", 100))
	}
	x := newHouse(t, opt, o, handler)
	at, at2 := x.ring("w"), x.ring("w")
	x.eventually("both are buried", func() bool { return len(x.n.Machine().Buried()) == 2 })
	d := x.n.Machine().Buried()[0]
	if d.Position != at || d.Tries != 4 || !strings.Contains(d.Reason, "余额不足") || len(d.Reason) > 500 || d.Pending.Peer != "w" {
		t.Errorf("buried %+v", d)
	}
	if c := calls.Load(); c != 8 {
		t.Errorf("%d calls for two effects of four tries", c)
	}
	x.close()
	x = newHouse(t, opt, o, handler)
	if len(x.n.Machine().Buried()) != 2 {
		t.Error("after a restart they are not buried")
	}
	helped.Store(true)
	late := x.ring("w")
	x.eventually("a later one is heard", func() bool { return x.heard(late) == 1 })
	if x.heard(at) != 0 {
		t.Error("a buried one was tried")
	}
	if _, err := x.n.Submit(context.Background(), replica.Request{Command: &replica.Revive{Effect: at}}); err != nil {
		t.Fatal(err)
	}
	x.eventually("the revived one is heard", func() bool { return x.heard(at) == 1 })
	if x.heard(at2) != 0 || len(x.n.Machine().Buried()) != 1 {
		t.Error("the other one was revived too")
	}
	x.close()
}

// TestSlowPeerDelaysNobody: while every call of one peer hangs, the others' are made; and no more calls hang than the
// width.
func TestSlowPeerDelaysNobody(t *testing.T) {
	t.Parallel()
	var hanging, most atomic.Int64
	release := make(chan struct{})
	o := effect.Options{Now: time.Now, Width: 3}
	x := newHouse(t, options(t.TempDir()), o, func(ctx context.Context, e journal.Entry) (replica.Command, error) {
		if peerOf(e) == "slow" {
			if n := hanging.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer hanging.Add(-1)
			<-release
		}
		return &tell{}, nil
	})
	var slow, quick []journal.Position
	for range 20 {
		slow = append(slow, x.ring("slow"))
		quick = append(quick, x.ring("quick"))
	}
	x.eventually("the quick one's are heard", func() bool {
		return !slices.ContainsFunc(quick, func(at journal.Position) bool { return x.heard(at) == 0 })
	})
	if most.Load() != 3 {
		t.Errorf("%d calls of the slow one hang, the width is 3", most.Load())
	}
	q := x.r.Queues()
	if len(q) != 1 || q[0].Peer != "slow" || q[0].Waiting != 20 || q[0].Running != 3 || q[0].Oldest != slow[0] {
		t.Errorf("queues: %+v", q)
	}
	close(release)
	x.eventually("the slow one's are heard", func() bool {
		return !slices.ContainsFunc(slow, func(at journal.Position) bool { return x.heard(at) == 0 })
	})
	x.close()
}

// TestQueueIsBounded: of thousands of effects that wait for a dead peer the runner holds a few; when the peer is back
// all are done, each with one outcome, and those whose turn it was before are not forgotten.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	var alive atomic.Bool
	o := effect.Options{Now: time.Now, Width: 4, Queue: 16, First: 5 * time.Millisecond, Longest: 100 * time.Millisecond, MaxTries: 1 << 30}
	x := newHouse(t, options(t.TempDir()), o, func(_ context.Context, e journal.Entry) (replica.Command, error) {
		if peerOf(e) == "dead" && !alive.Load() {
			return nil, errors.New("nobody answers")
		}
		return &tell{}, nil
	})
	var all sync.WaitGroup
	const each = 300
	for i := range 2 * each {
		all.Add(1)
		x.n.Go(replica.Request{Caller: "ann", Command: &ring{Peer: []string{"dead", "well"}[i%2]}}, func(_ any, err error) {
			if err != nil {
				t.Error(err)
			}
			all.Done()
		})
	}
	all.Wait()
	most := 0
	x.eventually("the other peer's are heard", func() bool {
		most = max(most, x.r.Held())
		q := x.r.Queues()
		return len(q) == 1 && q[0].Peer == "dead"
	})
	if q := x.r.Queues(); q[0].Waiting != each || q[0].Failing == 0 || q[0].Error != "nobody answers" {
		t.Errorf("queues: %+v", q)
	}
	if most > 32 || most < 16 {
		t.Errorf("the runner held %d effects, of two peers with room for 16 each", most)
	}
	alive.Store(true)
	x.eventually("all are heard", func() bool { return len(x.r.Queues()) == 0 })
	total := 0
	x.n.Machine().Read(func() {
		for at, n := range x.b.heard.All() {
			if total++; n != 1 {
				t.Errorf("effect %d was heard %d times", at, n)
			}
		}
	})
	if total != 2*each {
		t.Errorf("%d of %d were heard", total, 2*each)
	}
	x.eventually("nothing is held any more", func() bool { return x.r.Held() == 0 })
	x.close()
}

// TestWhatAHandlerMayDoWrong: no command, a panic, no handler at all, or hanging. Each is a failed try.
func TestWhatAHandlerMayDoWrong(t *testing.T) {
	t.Parallel()
	o := effect.Options{Now: time.Now, First: time.Millisecond, Longest: time.Millisecond, MaxTries: 2, Timeout: 20 * time.Millisecond}
	x := newHouse(t, options(t.TempDir()), o, func(ctx context.Context, e journal.Entry) (replica.Command, error) {
		switch peerOf(e) {
		case "silent":
			return nil, nil //nolint:nilnil // what is tested
		case "panics":
			panic("as told")
		case "hangs":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return &nobodys{}, nil
	})
	peers := []string{"silent", "panics", "hangs", "unknown"}
	for _, p := range peers {
		x.ring(p)
	}
	x.eventually("all are buried", func() bool { return len(x.n.Machine().Buried()) == len(peers) })
	for _, d := range x.n.Machine().Buried() {
		want := map[string]string{"silent": "no outcome", "panics": "as told", "hangs": "deadline", "unknown": "no command is called"}[d.Pending.Peer]
		if !strings.Contains(d.Reason, want) {
			t.Errorf("%s: %s", d.Pending.Peer, d.Reason)
		}
	}
	x.close()
}

type nobodys struct{}

func (*nobodys) CommandKind() string { return "nobody.knows" }

// TestRefusedOutcomeSettles the effect: the state has said no, and would again.
func TestRefusedOutcomeSettles(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	x := newHouse(t, options(t.TempDir()), effect.Options{Now: time.Now, First: time.Millisecond}, func(context.Context, journal.Entry) (replica.Command, error) {
		calls.Add(1)
		return &tell{Refuse: true}, nil
	})
	at := x.ring("w")
	x.eventually("it is settled", func() bool { return !x.n.Machine().IsPending(at) && x.r.Held() == 0 })
	if calls.Load() != 1 {
		t.Errorf("%d calls", calls.Load())
	}
	x.close()
}

// TestEffectWaitsForTheDisk: an event that may be lost has no effect yet.
func TestEffectWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	var disk sync.RWMutex
	var shut atomic.Bool
	opt := options(t.TempDir())
	opt.Sync = func(*os.File) error { disk.RLock(); defer disk.RUnlock(); return nil }
	x := newHouse(t, opt, effect.Options{Now: time.Now}, func(context.Context, journal.Entry) (replica.Command, error) {
		if shut.Load() {
			t.Error("called before the event was durable")
		}
		return &tell{}, nil
	})
	for range 5 {
		disk.Lock()
		shut.Store(true)
		answered := make(chan error, 1)
		x.n.Go(replica.Request{Caller: "ann", Command: &ring{Peer: "w"}}, func(_ any, err error) { answered <- err })
		x.eventually("it is applied", func() bool { return len(x.n.Machine().Pending(0, 0)) > 0 })
		shut.Store(false)
		disk.Unlock()
		if err := <-answered; err != nil {
			t.Error(err)
		}
		x.eventually("it is heard", func() bool { return len(x.n.Machine().Pending(0, 0)) == 0 })
	}
	x.close()
}

// TestRunnerStopsWithItsNode: calls that run when the node does not lead any more are broken off.
func TestRunnerStopsWithItsNode(t *testing.T) {
	t.Parallel()
	began, broken := make(chan struct{}, 1), make(chan struct{})
	x := newHouse(t, options(t.TempDir()), effect.Options{Now: time.Now}, func(ctx context.Context, _ journal.Entry) (replica.Command, error) {
		began <- struct{}{}
		<-ctx.Done()
		close(broken)
		return nil, ctx.Err()
	})
	x.ring("w")
	<-began
	if err := x.n.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-broken:
	case <-time.After(10 * time.Second):
		t.Error("the call goes on")
	}
	x.stop()
}

// TestDrainDoesEverythingOnce, in the events' order.
func TestDrainDoesEverythingOnce(t *testing.T) {
	t.Parallel()
	n, b, err := open(options(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	var order, want []journal.Position
	r := effect.NewRunner(n, map[string]effect.Handler{"bell.rung": effect.HandlerFunc(func(_ context.Context, e journal.Entry) (replica.Command, error) {
		if order = append(order, e.Position); peerOf(e) == "p2" && len(order) < 8 {
			return nil, errors.New("not yet")
		}
		return &tell{}, nil
	})}, effect.Options{})
	for i := range 7 {
		at, err := replica.Submit[journal.Position](context.Background(), n, replica.Request{Command: &ring{Peer: fmt.Sprint("p", i%3)}})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, at)
	}
	if k, err := r.Drain(context.Background()); err != nil || k != 5 || !slices.Equal(order, want) {
		t.Errorf("%d outcomes, %v; called for %v, not %v", k, err, order, want)
	}
	if k, err := r.Drain(context.Background()); err != nil || k != 2 {
		t.Errorf("the second time: %d outcomes, %v", k, err)
	}
	if k, err := r.Drain(context.Background()); err != nil || k != 0 || b.heard.Len() != 7 {
		t.Errorf("the third time: %d outcomes, %v", k, err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

const killEnv = "MOONGATE_TEST_EFFECTS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		go func() { // a leash: its end is that of the parent
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
		if err := killChild(dir); err != nil {
			fmt.Fprintln(os.Stdout, "error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killChild rings and answers until it is killed, and says what it did.
func killChild(dir string) error {
	n, _, err := open(options(dir))
	if err != nil {
		return err
	}
	r := effect.NewRunner(n, map[string]effect.Handler{"bell.rung": effect.HandlerFunc(func(_ context.Context, e journal.Entry) (replica.Command, error) {
		fmt.Fprintln(os.Stdout, "called", e.Position)
		return &tell{}, nil
	})}, effect.Options{Now: time.Now})
	go r.Run(context.Background())
	fmt.Fprintln(os.Stdout, "open")
	for i := range 2000 {
		at, err := replica.Submit[journal.Position](context.Background(), n, replica.Request{Command: &ring{Peer: fmt.Sprint("p", i%4)}})
		if err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, "rung", at)
	}
	return nil
}

// TestAtLeastOnceAcrossKills: whatever moment the hub is killed at, every event that was acknowledged has its call at
// least once and its outcome exactly once.
func TestAtLeastOnceAcrossKills(t *testing.T) {
	t.Parallel()
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	dir := t.TempDir()
	rung, called := map[journal.Position]bool{}, map[journal.Position]int{}
	for round := range rounds {
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), killEnv+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := child.StdinPipe(); err != nil { // a leash
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			word, rest, _ := strings.Cut(lines.Text(), " ")
			var at journal.Position
			fmt.Sscan(rest, &at)
			switch word {
			case "open":
				time.AfterFunc(time.Duration(20+round*37%150)*time.Millisecond, func() { child.Process.Kill() })
			case "rung":
				rung[at] = true
			case "called":
				called[at]++
			default:
				t.Fatal(lines.Text())
			}
		}
		child.Wait()
	}
	x := newHouse(t, options(dir), effect.Options{Now: time.Now}, func(_ context.Context, e journal.Entry) (replica.Command, error) { return &tell{}, nil })
	before := len(x.n.Machine().Pending(0, 0))
	x.eventually("nothing is pending", func() bool { return len(x.n.Machine().Pending(0, 0)) == 0 })
	twice := 0
	for at := range rung {
		if n := x.heard(at); n != 1 {
			t.Errorf("effect %d was heard %d times", at, n)
		}
		if called[at] > 1 {
			twice++
		}
	}
	t.Logf("%d effects, %d called more than once, %d were left over from the last kill", len(rung), twice, before)
	if len(rung) < rounds {
		t.Error("this test shows too little")
	}
	x.close()
}
