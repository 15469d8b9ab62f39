package replica_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// fatals gathers what would have ended the process.
type fatals struct {
	mu   sync.Mutex
	errs []error
	told chan struct{}
}

func catch(opt *replica.Options) *fatals {
	f := &fatals{told: make(chan struct{}, 100)}
	opt.Fatal = func(err error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.errs = append(f.errs, err)
		f.told <- struct{}{}
	}
	return f
}

func (f *fatals) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.errs...)
}

// wait gives the fatal error when there is one.
func (f *fatals) wait(t testing.TB) error {
	t.Helper()
	select {
	case <-f.told:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was fatal")
	}
	return f.err()
}

func tryOpen(opt replica.Options) (*replica.Node, *counter, error) {
	m, c := newMachine()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	n, err := replica.Open(ctx, m, opt)
	return n, c, err
}

func shut(t testing.TB, n *replica.Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

// moving has the clock of a test's node go on by ten milliseconds at every look.
func moving(opt replica.Options) replica.Options {
	var looks atomic.Int64
	opt.Clock = func() moongate.Time {
		return 1_700_000_000*moongate.Second + moongate.Time(looks.Add(1))*10*moongate.Millisecond
	}
	return opt
}

func nodeHash(t testing.TB, n *replica.Node) [32]byte {
	t.Helper()
	h, err := n.Machine().NodeHash()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// fill submits numbered commands from several goroutines and waits for all.
func fill(t testing.TB, n *replica.Node, from, to int) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := from + w; i < to; i += 8 {
				c := &put{Purse: fmt.Sprint("p", i%7), Coins: int64(i%5 - 1), Expires: 1_700_000_100 * moongate.Second}
				_, err := n.Submit(context.Background(), replica.Request{Caller: "ann", Key: fmt.Sprint(i), Command: c})
				if code := moongate.CodeOf(err); code != "" && code != moongate.Limit {
					t.Errorf("command %d: %v", i, err)
				}
			}
		}()
	}
	wg.Wait()
}

func copyDir(t testing.TB, from string, names ...string) string {
	t.Helper()
	to := t.TempDir()
	copyInto(t, from, to, names...)
	return to
}

func copyInto(t testing.TB, from, to string, names ...string) {
	t.Helper()
	if len(names) == 0 {
		names = []string{"."}
	}
	for _, name := range names {
		src := filepath.Join(from, name)
		err := filepath.WalkDir(src, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(from, path)
			if err != nil {
				return err
			}
			if d.IsDir() {
				return os.MkdirAll(filepath.Join(to, rel), 0o700)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(to, rel), b, 0o600)
		})
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// TestRestartFromEverything: from the journal alone, from a snapshot and the journal behind it, and from a journal that
// is behind raft's log. The state is the same each time, and the node goes on alike.
func TestRestartFromEverything(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	opt.SegmentBytes = 8 << 10
	n, _ := open(t, opt)
	fill(t, n, 0, 100)
	shut(t, n)
	early := copyDir(t, opt.Dir)
	n, _ = open(t, opt)
	fill(t, n, 100, 200)
	want := nodeHash(t, n)
	shut(t, n)
	late := copyDir(t, opt.Dir)
	n, _ = open(t, opt)
	if err := n.Snapshot(); err != nil {
		t.Fatal(err)
	}
	shut(t, n)
	snap := copyDir(t, opt.Dir)

	for name, dir := range map[string]string{
		"from journal and raft's log":       late,
		"from a snapshot of the end":        snap,
		"from a journal behind raft's log":  mix(t, late, "raft", early, "journal", "log", "vault"),
		"without the public log's files":    mix(t, late, "raft", late, "journal", "vault"),
		"without the mark of durable bytes": without(t, late, "journal/durable"),
	} {
		t.Run(name, func(t *testing.T) {
			opt := opt
			opt.Dir = dir
			n, _ := open(t, opt)
			if got := nodeHash(t, n); got != want {
				t.Errorf("another state")
			}
			if at, _ := n.Durable(); at != n.Machine().Position() {
				t.Errorf("event %d is durable, event %d is the last", at, n.Machine().Position())
			}
			fill(t, n, 190, 300) // some of them again
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
			fill(t, n, 300, 350)
			want := nodeHash(t, n)
			shut(t, n)
			n, _ = open(t, opt)
			if got := nodeHash(t, n); got != want {
				t.Error("after going on and another restart: another state")
			}
			shut(t, n)
			m, _ := newMachine()
			if _, _, err := replica.Replay(opt.Dir, m, nil); err != nil {
				t.Error(err)
			}
			if got, err := m.NodeHash(); err != nil || got != want {
				t.Errorf("the journal folded alone gives another state (%v)", err)
			}
		})
	}
}

// mix puts a directory together from several: each is followed by what to take of it.
func mix(t testing.TB, parts ...string) string {
	t.Helper()
	to := t.TempDir()
	from := ""
	for _, p := range parts {
		if filepath.IsAbs(p) {
			from = p
		} else {
			copyInto(t, from, to, p)
		}
	}
	return to
}

func without(t testing.TB, dir string, names ...string) string {
	t.Helper()
	to := copyDir(t, dir)
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestRestartRefuses what does not belong together, by name, and changes nothing.
func TestRestartRefuses(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	opt = moving(opt)
	opt.SegmentBytes = 20 << 10
	n, _ := open(t, opt)
	fill(t, n, 0, 300)
	shut(t, n)
	early := copyDir(t, opt.Dir)
	n, _ = open(t, opt)
	fill(t, n, 300, 600)
	shut(t, n)
	late := copyDir(t, opt.Dir)
	n, _ = open(t, opt)
	if err := n.Snapshot(); err != nil {
		t.Fatal(err)
	}
	shut(t, n)
	snap := copyDir(t, opt.Dir)
	opt.Dir = copyDir(t, early) // another story after the same beginning
	n, _ = open(t, opt)
	fill(t, n, 1000, 1900) // longer, too
	shut(t, n)
	other := opt.Dir
	opt.Dir = copyDir(t, early) // and a shorter one
	n, _ = open(t, opt)
	fill(t, n, 2000, 2150)
	shut(t, n)
	brief := opt.Dir

	for name, c := range map[string]struct{ dir, says string }{
		"raft's log older than the journal":      {mix(t, early, "raft", late, "journal", "log", "vault"), "older than the journal"},
		"no raft state":                          {without(t, late, "raft"), "no raft state"},
		"raft's log of another story":            {mix(t, other, "raft", late, "journal", "log", "vault"), "differs between raft's log"},
		"a journal older than the snapshot":      {mix(t, snap, "raft", early, "journal", "vault"), "but the journal ends at"},
		"no journal but a snapshot":              {without(t, snap, "journal", "log"), "but the journal ends at 0"},
		"a public log further than the journal":  {mix(t, late, "raft", "log", early, "journal", "vault"), "older than the log"},
		"a public log of another story":          {mix(t, late, "raft", "journal", "vault", brief, "log"), "another root"},
		"a vault that is no vault":               {broken(t, late, "vault"), "vault: damaged"},
		"raft's log that is no log":              {broken(t, late, "raft/raft.db"), "raft.db: damaged"},
		"a journal whose first file is missing":  {without(t, late, firstFile(t, late)), "damaged"},
		"a file of raft where a directory stood": {broken(t, late, "journal"), "journal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt := opt
			opt.Dir = c.dir
			fatal := catch(&opt)
			n, _, err := tryOpen(opt)
			if err == nil {
				shut(t, n)
			}
			if err = errors.Join(err, fatal.err()); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v, and should say %q", err, c.says)
			}
		})
	}
}

func firstFile(t testing.TB, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "journal", "*.journal"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	return filepath.Join("journal", filepath.Base(files[0]))
}

// broken writes rubbish over a file's beginning, or a file where a directory was.
func broken(t testing.TB, dir, name string) string {
	t.Helper()
	to := copyDir(t, dir)
	path := filepath.Join(to, name)
	b, err := os.ReadFile(path)
	if err != nil {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		b = make([]byte, 10000)
	}
	for i := range min(len(b), 9000) {
		b[i] = byte(i * 7)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestRebuildAfterRestore: a restored journal without raft's files goes on when raft's are made anew from it.
func TestRebuildAfterRestore(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	n, _ := open(t, opt)
	fill(t, n, 0, 80)
	want := nodeHash(t, n)
	shut(t, n)
	opt.Dir = without(t, opt.Dir, "raft", "log")
	m, _ := newMachine()
	r, err := replica.Rebuild(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	if r.Index == 0 || r.Position == 0 {
		t.Errorf("rebuilt %+v", r)
	}
	for range 2 {
		n, _ = open(t, opt)
		if got := nodeHash(t, n); got != want {
			t.Error("another state")
		}
		fill(t, n, 0, 80) // all of them again
		if got := nodeHash(t, n); got != want {
			t.Error("a repeated command changed the state")
		}
		fill(t, n, 80, 90)
		want = nodeHash(t, n)
		shut(t, n)
	}
	m, _ = newMachine()
	if _, err := replica.Rebuild(m, opt); err == nil {
		t.Error("raft's files were made anew over those of a hub that runs")
	}
}

// TestPoisonedEntry: one that can never be applied stops the node at every start, until an operator leaves it out by
// index and hash. What was acknowledged before and after it stays.
func TestPoisonedEntry(t *testing.T) {
	t.Parallel()
	for _, poison := range []string{"late", "late panic"} {
		t.Run(poison, func(t *testing.T) {
			t.Parallel()
			opt := options(t, t.TempDir())
			fatal := catch(&opt)
			n, _ := open(t, opt)
			fill(t, n, 0, 30)
			answered := make(chan error, 1)
			n.Go(replica.Request{Caller: "eve", Key: "x", Command: &put{Purse: "p", Fail: poison}}, func(_ any, err error) { answered <- err })
			err := fatal.wait(t)
			if _, err := n.Submit(context.Background(), replica.Request{Command: &replica.Tick{}}); moongate.CodeOf(err) != moongate.Unknown && moongate.CodeOf(err) != moongate.Busy {
				t.Errorf("after a fault the node answers %v", err)
			}
			if err := n.Snapshot(); err == nil {
				t.Error("a snapshot was taken of a state that took an entry in by half")
			}
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-answered; moongate.CodeOf(err) != moongate.Unknown {
				t.Errorf("the poisoned command was answered %v", err)
			}
			skip := regexp.MustCompile(`--skip-entry (\d+)@([0-9a-f]{64})`).FindStringSubmatch(err.Error())
			if skip == nil {
				t.Fatalf("it says %v", err)
			}
			if n, _, err := tryOpen(opt); err == nil {
				t.Error("it started again with the poisoned entry")
				shut(t, n)
			}
			index, err := strconv.ParseUint(skip[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			var hash [32]byte
			if _, err := fmt.Sscanf(skip[2], "%64x", &[]byte{}); err != nil {
				t.Fatal(err)
			}
			for i := range hash {
				b, err := strconv.ParseUint(skip[2][2*i:2*i+2], 16, 8)
				if err != nil {
					t.Fatal(err)
				}
				hash[i] = byte(b)
			}
			wrong := hash
			wrong[0] ^= 1
			opt.Skip = map[uint64][32]byte{index: wrong}
			if n, _, err := tryOpen(opt); err == nil {
				t.Error("it left an entry out whose hash is another")
				shut(t, n)
			}
			opt = options(t, opt.Dir)
			opt.Skip = map[uint64][32]byte{index: hash}
			n, _ = open(t, opt)
			fill(t, n, 0, 40) // the first thirty again
			want := nodeHash(t, n)
			shut(t, n)
			opt.Skip = nil // the journal has an empty record for it: it need not be told again
			n, c := open(t, opt)
			if got := nodeHash(t, n); got != want {
				t.Error("another state")
			}
			if c.moves.Len() == 0 {
				t.Error("nothing is left")
			}
			shut(t, n)
		})
	}
}

// TestTwoProcessesCannotShare a directory: the second is turned away before it has touched a file.
func TestTwoProcessesCannotShare(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	n, _ := open(t, opt)
	fill(t, n, 0, 10)
	if second, _, err := tryOpen(opt); err == nil || !strings.Contains(err.Error(), "another process uses") {
		t.Errorf("a second node: %v", err)
		if err == nil {
			shut(t, second)
		}
	}
	fill(t, n, 10, 20)
	shut(t, n)
	n, c := open(t, opt)
	if c.moves.Len() == 0 {
		t.Error("nothing is left")
	}
	shut(t, n)
}

// events reads the whole journal of a node.
func events(t testing.TB, n *replica.Node) (out []journal.Entry) {
	t.Helper()
	if err := n.Journal().Entries(1, func(e journal.Entry) error { out = append(out, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// A snapshot is due by bytes of log, and of a large state not before as many gathered as its last snapshot has. A
// restart remembers how many those were.
func TestSnapshotIsDueByLogAndState(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	opt.SnapshotBytes = 1 << 40 // none by itself
	n, _ := open(t, opt)
	if n.Due(opt.SnapshotBytes-1) || !n.Due(opt.SnapshotBytes) {
		t.Error("the first snapshot is due by bytes of log alone")
	}
	fill(t, n, 0, 300)
	if err := n.Snapshot(); err != nil {
		t.Fatal(err)
	}
	shut(t, n)
	var size int64
	files, err := filepath.Glob(filepath.Join(opt.Dir, "raft", "snapshots", "*", "state.bin"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size = max(size, info.Size())
	}
	opt.SnapshotBytes = size / 2
	n, _ = open(t, opt)
	if n.Due(size-1) || !n.Due(size) {
		t.Errorf("after a restart a snapshot is not due at the %d bytes that the last one has", size)
	}
	shut(t, n)
}

// A first start that was killed after raft's term and before its first entry is begun again.
func TestStartGoesOnFromHalfABeginning(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	if err := os.MkdirAll(filepath.Join(opt.Dir, "raft"), 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(opt.Dir, "raft", "raft.db")})
	if err == nil {
		err = errors.Join(store.SetUint64([]byte("CurrentTerm"), 1), store.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n, _ := open(t, opt)
		fill(t, n, 0, 10)
		shut(t, n)
	}
}
