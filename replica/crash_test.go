package replica_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/proof"
	"github.com/moongate-hub/moongate/replica"
)

// A test here starts this test binary once more, as a hub of its own that is then killed. What the child is to do
// stands in its environment.
const crashEnv = "MOONGATE_TEST_CRASH"

type crashOrder struct {
	Dir      string
	From, To int           // the commands to send, by number
	KillAt   int64         // the sync before which the process kills itself; 0: it does not
	After    bool          // kill behind the sync, not before
	Start    moongate.Time // of the child's clock
	Snapshot bool          // take snapshots all the time
	Erase    bool          // erase every other secret, and compact all the time
	Serve    bool          // do what the parent asks, line by line
}

func TestMain(m *testing.M) {
	if order := os.Getenv(crashEnv); order != "" {
		if !strings.Contains(order, `"Serve":true`) {
			go func() { // a leash: its end is that of the parent
				_, _ = io.Copy(io.Discard, os.Stdin)
				killSelf()
			}()
		}
		if err := crashChild(order); err != nil {
			fmt.Fprintln(os.Stdout, "error", strings.ReplaceAll(err.Error(), "\n", " "))
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// say writes a line at once: the parent must know what was acknowledged before the process is killed.
func say(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }

func killSelf() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // until the signal arrives
}

func crashOptions(dir string, start moongate.Time) replica.Options {
	began := time.Now()
	return replica.Options{
		Dir: dir, Hub: moongate.Hub{1, 2, 3}, Secret: []byte("a secret of sixteen bytes or more"),
		Clock:        func() moongate.Time { return start + moongate.Time(time.Since(began).Microseconds())*20 }, // 20 s a second
		Seed:         func(r *replica.Request) [32]byte { return sha(r.Caller, r.Key) },
		SegmentBytes: 12 << 10, TrailingBytes: 1, SnapshotBytes: 1 << 40, TickEvery: 7 * time.Millisecond, AcceptClock: true,
		Fatal: func(err error) { say("error %v", err); os.Exit(1) },
	}
}

func crashSubject(n int) moongate.ID {
	return moongate.NewID(moongate.KindSubject, moongate.Hub{1, 2, 3}, [12]byte{byte(n), byte(n >> 8), byte(n >> 16)})
}

func crashChild(text string) error {
	var order crashOrder
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		return err
	}
	opt := crashOptions(order.Dir, order.Start)
	var syncs atomic.Int64
	if order.KillAt > 0 {
		opt.Sync = func(f *os.File) error {
			at := syncs.Add(1)
			if at == order.KillAt && !order.After {
				killSelf()
			}
			err := f.Sync()
			if at == order.KillAt {
				killSelf()
			}
			return err
		}
	}
	m, counter := newMachine()
	n, err := replica.Open(context.Background(), m, opt)
	if err != nil {
		return err
	}
	say("open")
	if order.Serve {
		return serveLines(n, counter)
	}
	ctx, stop := context.WithCancel(context.Background())
	var others sync.WaitGroup
	others.Add(1)
	go func() { // publishes, and takes snapshots
		defer others.Done()
		signer := crashSigner()
		for ctx.Err() == nil {
			signed, err := n.Log().Publish(crashOrigin, signer)
			if err != nil {
				say("error %v", err)
				return
			}
			if signed != nil {
				say("signed %x", signed)
			}
			if order.Snapshot {
				if err := n.Snapshot(); err != nil && ctx.Err() == nil {
					say("error %v", err)
				}
			}
			_ = n.TakeHash(ctx)              // each restart holds what was recorded against what it folds
			time.Sleep(2 * time.Millisecond) // the cadence
		}
	}()
	var mu sync.Mutex
	var erased []int
	if order.Erase {
		others.Add(1)
		go func() {
			defer others.Done()
			for ctx.Err() == nil {
				mu.Lock()
				before := slices.Clone(erased)
				mu.Unlock()
				if err := n.Compact(); err != nil && ctx.Err() == nil {
					say("error %v", err)
				}
				for _, i := range before {
					say("cleared %d", i)
				}
				time.Sleep(time.Millisecond) // the cadence
			}
		}()
	}
	others.Add(1)
	go func() { // tells the outcomes of effects
		defer others.Done()
		for ctx.Err() == nil {
			for _, p := range m.Pending(0, 0) {
				if _, err := n.Submit(ctx, replica.Request{Command: &told{Text: "x"}, Effect: p.Position}); err == nil {
					say("told %d", p.Position)
				}
			}
			time.Sleep(time.Millisecond) // a runner's pace
		}
	}()
	var submitters sync.WaitGroup
	for w := range 6 {
		submitters.Add(1)
		go func() {
			defer submitters.Done()
			for i := order.From + w; i < order.To; i += 6 {
				r := replica.Request{Caller: "ann", Key: fmt.Sprint(i), Command: command(i)}
				if i%9 == 0 {
					r.Secrets = []replica.Secret{{Subject: crashSubject(i), Key: sha("secret", i)}}
				}
				_, err := n.Submit(ctx, r)
				if code := moongate.CodeOf(err); code == "" || code == moongate.Limit {
					say("ack %d %s", i, code)
					if order.Erase && i%18 == 0 && code == "" {
						if _, err := n.Submit(ctx, eraseRequest(i)); err == nil {
							say("erased %d", i)
							mu.Lock()
							erased = append(erased, i)
							mu.Unlock()
						}
					}
				} else {
					say("error command %d: %v", i, err)
				}
			}
		}()
	}
	submitters.Wait()
	stop()
	others.Wait()
	say("syncs %d", syncs.Load())
	return n.Close()
}

func eraseRequest(i int) replica.Request {
	return replica.Request{Key: fmt.Sprint("erase ", i), Command: &replica.Erase{Subject: crashSubject(i)}}
}

const crashOrigin = "crash.example/log"

func crashKeys() (note.Signer, note.Verifier) {
	private, public, err := note.GenerateKey(rand.NewChaCha8([32]byte{4}), crashOrigin)
	if err != nil {
		panic(err)
	}
	s, err1 := note.NewSigner(private)
	v, err2 := note.NewVerifier(public)
	if err := errors.Join(err1, err2); err != nil {
		panic(err)
	}
	return s, v
}

func crashSigner() note.Signer { s, _ := crashKeys(); return s }

// A victim is a hub that is killed again and again, and what it promised.
type victim struct {
	t      testing.TB
	dir    string
	start  moongate.Time
	next   int            // the command to send next
	acked  map[int]string // commands that were acknowledged, with the code
	signed [][]byte       // checkpoints that were published
	erased map[int]bool   // secrets whose erasure was acknowledged; true: and Compact returned
	told   int
	hashes uint64 // of the state, as it was recorded and was found again
	kills  int
}

func newVictim(t testing.TB) *victim {
	return &victim{t: t, dir: t.TempDir(), start: 1_700_000_000 * moongate.Second, acked: map[int]string{}, erased: map[int]bool{}}
}

// run starts the child and reads what it says until it ends. Kill, where given, kills it after that long; a negative
// one counts from when the hub is open.
func (v *victim) run(order crashOrder, kill time.Duration, wrap ...string) (syncs int64, finished bool) {
	v.t.Helper()
	order.Dir, order.Start = v.dir, v.start
	v.start += 30 * moongate.Second
	text, err := json.Marshal(order)
	if err != nil {
		v.t.Fatal(err)
	}
	args := append(wrap, os.Args[0], "-test.run=^$")
	child := exec.Command(args[0], args[1:]...)
	child.Env = append(os.Environ(), crashEnv+"="+string(text))
	var stderr bytes.Buffer
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := child.StdinPipe(); err != nil { // a leash
		v.t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		v.t.Fatal(err)
	}
	var timers []*time.Timer
	defer func() {
		for _, t := range timers {
			t.Stop()
		}
	}()
	killIn := func(d time.Duration) {
		timers = append(timers, time.AfterFunc(d, func() { child.Process.Kill() }))
	}
	if kill > 0 {
		killIn(kill)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "ack":
			var n int
			var code string
			fmt.Sscan(rest, &n, &code)
			v.acked[n] = code
		case "signed":
			b, err := hex.DecodeString(rest)
			if err != nil {
				v.t.Fatal(err)
			}
			v.signed = append(v.signed, b)
		case "erased", "cleared":
			var n int
			fmt.Sscan(rest, &n)
			v.erased[n] = v.erased[n] || word == "cleared"
		case "told":
			v.told++
		case "syncs":
			fmt.Sscan(rest, &syncs)
		case "open":
			if kill < 0 {
				killIn(-kill)
			}
		default:
			v.t.Errorf("the child says: %s", lines.Text())
		}
	}
	err = child.Wait()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		v.t.Fatalf("the child ended with %v: %s", err, stderr.String())
	}
	if err != nil {
		v.kills++
	}
	return syncs, err == nil
}

// check opens the hub here and holds it against everything that was promised.
func (v *victim) check() {
	t := v.t
	t.Helper()
	cleared := 0
	for i, done := range v.erased {
		if done {
			cleared++
			if names := holding(t, v.dir, sha("secret", i)); len(names) > 0 {
				t.Errorf("secret %d was cleared and is in %v", i, names)
			}
		}
	}
	if len(v.erased) > 0 {
		t.Logf("%d secrets erased, %d cleared", len(v.erased), cleared)
	}
	opt := crashOptions(v.dir, v.start)
	opt.TickEvery = 0
	fatal := catch(&opt)
	n, c, err := tryOpen(opt)
	if err = errors.Join(err, fatal.err()); err != nil {
		t.Fatalf("after %d kills it does not start: %v", v.kills, err)
	}
	m := newModel()
	for i := range v.next {
		m.knows(opt, "ann", fmt.Sprint(i), command(i))
		if i%18 == 0 {
			m.knows(opt, "", eraseRequest(i).Key, eraseRequest(i).Command)
		}
	}
	if err := checkNode(t, m, n, c); err != nil {
		t.Fatalf("after %d kills: %v", v.kills, err)
	}
	v.hashes = max(v.hashes, m.hashes)
	before := nodeHash(t, n)
	for i, code := range v.acked {
		if m.done[fmt.Sprint(i)] != 1 {
			t.Errorf("the acknowledged command %d is gone", i)
		}
		if _, err := n.Submit(context.Background(), replica.Request{Caller: "ann", Key: fmt.Sprint(i), Command: command(i)}); string(moongate.CodeOf(err)) != code {
			t.Errorf("command %d, answered %q before, is answered %v when repeated", i, code, err)
		}
		if _, gone := v.erased[i]; gone {
			if _, ok, err := n.Vault().Get(crashSubject(i)); ok || err != nil {
				t.Errorf("secret %d was erased and is there (%v)", i, err)
			}
		} else if i%9 == 0 && code == "" && m.done[eraseRequest(i).Key] == 0 {
			if key, ok, err := n.Vault().Get(crashSubject(i)); err != nil || !ok || key != sha("secret", i) {
				t.Errorf("the secret that came with command %d is gone (%v)", i, err)
			}
		}
	}
	if nodeHash(t, n) != before {
		t.Error("repeated commands changed the state")
	}
	v.checkLog(n)
	if err := errors.Join(n.Close(), fatal.err()); err != nil {
		t.Fatal(err)
	}
}

// checkLog holds every checkpoint that was ever published against the log as it is now.
func (v *victim) checkLog(n *replica.Node) {
	t := v.t
	t.Helper()
	signer, verifier := crashKeys()
	newest, err := n.Log().Publish(crashOrigin, signer)
	if err != nil {
		t.Fatal(err)
	}
	if newest == nil {
		if len(v.signed) > 0 {
			t.Error("the log is empty, though it was published")
		}
		return
	}
	tree, _, err := proof.OpenCheckpoint(newest, crashOrigin, note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	hashes := proof.VerifiedHashes(tree, n.Log().ReadFile)
	seen := map[int64]proof.Hash{}
	for _, signed := range v.signed {
		c, _, err := proof.OpenCheckpoint(signed, crashOrigin, note.VerifierList(verifier))
		if err != nil {
			t.Fatal(err)
		}
		if old, ok := seen[c.Size]; ok && old == c.Root {
			continue
		}
		seen[c.Size] = c.Root
		if c.Size > tree.Size {
			t.Errorf("%d entries were published, %d are there", c.Size, tree.Size)
			continue
		}
		if root, err := tlog.TreeHash(c.Size, hashes); err != nil || root != c.Root {
			t.Errorf("the published checkpoint of %d entries is contradicted (%v)", c.Size, err)
		}
	}
}

// TestKilledAtRandom kills a hub with kill -9 at random moments, its start included, many times over.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	rounds, seed := 5, uint64(time.Now().UnixNano())
	if !testing.Short() {
		rounds = 60
	}
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	v := newVictim(t)
	for round := range rounds {
		v.next += 2000 // more than it gets to
		kill := time.Duration(1+rng.IntN(300)) * time.Millisecond
		if round%3 > 0 {
			kill = -kill
		}
		v.run(crashOrder{From: v.next - 2000, To: v.next, Snapshot: rng.IntN(2) == 0, Erase: rng.IntN(2) == 0}, kill)
		if round%8 == 7 || round == rounds-1 {
			v.check()
		}
	}
	t.Logf("%d kills, %d commands and %d outcomes acknowledged, %d checkpoints published, %d hashes held", v.kills, len(v.acked), v.told, len(v.signed), v.hashes)
	if v.kills < rounds || len(v.acked) < rounds || v.hashes == 0 && !testing.Short() {
		t.Error("this test shows too little")
	}
}

// TestKilledAtEverySync has the hub kill itself before, and in another run behind, the n-th sync of any file of its
// journal and its public log, for every n.
func TestKilledAtEverySync(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	v.next = 60
	syncs, finished := v.run(crashOrder{To: 60, KillAt: 1 << 40, Snapshot: true}, 0)
	v.check()
	if !finished || syncs < 20 {
		t.Fatalf("%d syncs in a run that nobody killed", syncs)
	}
	step := int64(1)
	if testing.Short() {
		step = syncs/3 + 1
	}
	acked := 0
	for _, after := range []bool{false, true} {
		for at := int64(1); at <= syncs; at += step {
			v := newVictim(t)
			v.next = 60
			v.run(crashOrder{To: 60, KillAt: at, After: after, Snapshot: true}, 0)
			v.next = 120
			v.run(crashOrder{From: 60, To: 120, KillAt: 1 + at/2, Snapshot: true}, 0) // the restart is killed too
			v.check()
			acked += len(v.acked)
		}
	}
	t.Logf("killed at %d syncs, before and behind; %d commands acknowledged", (syncs+step-1)/step, acked)
}

// TestKilledAtSystemCalls has strace kill the hub at the n-th call that writes, syncs, renames or cuts a file, of any
// thread and any file: raft's log and the vault are among them.
func TestKilledAtSystemCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed")
	}
	calls := "write,pwrite64,fsync,fdatasync,ftruncate,renameat,renameat2,rename,unlinkat,openat"
	if out, err := exec.Command(strace, "-f", "-qq", "-e", "trace="+calls, "-e", "inject="+calls+":error=EINTR:when=60000", "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here: %v: %s", err, out)
	}
	t.Parallel()
	kills, acked := 0, 0
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for round := range 40 {
		v := newVictim(t)
		for _, call := range []string{"pwrite64", "fdatasync", "write", "fsync", "ftruncate", "renameat", "openat", "unlinkat"} {
			v.next += 100
			when := 1 + rng.IntN(1+round*2)
			v.run(crashOrder{From: v.next - 100, To: v.next, Snapshot: true}, 30*time.Second,
				strace, "-f", "-qq", "-o", filepath.Join(t.TempDir(), "trace"), "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, when))
		}
		v.check()
		kills += v.kills
		acked += len(v.acked)
	}
	t.Logf("%d kills, %d commands acknowledged", kills, acked)
	if kills < 100 {
		t.Error("this test shows too little")
	}
}

func sha(parts ...any) [32]byte { return sha256.Sum256([]byte(fmt.Sprint(parts...))) }
