package replica_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// disk is what would be left of the files below a directory if the power went now: of each what was synced, and of the
// rest any part, as drives write in any order.
type disk struct {
	dir string

	mu     sync.Mutex
	stop   chan struct{} // while not nil, no sync returns
	stuck  int           // syncs that wait for that
	synced map[string][]byte
	marks  [][]byte // what the unsynced file "durable" held, over time
	syncs  int
}

func (d *disk) sync(f *os.File) error {
	d.mu.Lock()
	stop := d.stop
	if stop != nil {
		d.stuck++
	}
	d.mu.Unlock()
	if stop != nil {
		<-stop
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncs++
	rel, err := filepath.Rel(d.dir, f.Name())
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err != nil {
		return err
	} else if !info.IsDir() {
		b, err := os.ReadFile(f.Name())
		d.synced[rel] = b
		return err
	}
	if rel == "." {
		return nil // the vault in it syncs by itself
	}
	// A directory: renamed and new files in it have their names for good, and files that are gone are gone.
	for name := range d.synced {
		if filepath.Dir(name) == rel {
			if _, err := os.Stat(filepath.Join(d.dir, name)); errors.Is(err, os.ErrNotExist) {
				delete(d.synced, name)
			}
		}
	}
	names, err := os.ReadDir(f.Name())
	for _, e := range names {
		name := filepath.Join(rel, e.Name())
		if _, ok := d.synced[name]; !ok && !e.IsDir() || strings.HasPrefix(rel, "log") && !e.IsDir() && e.Name() != "intervals" {
			b, err := os.ReadFile(filepath.Join(d.dir, name))
			if err != nil {
				return err
			}
			d.synced[name] = b // files of the log are whole before they are renamed
		}
	}
	return err
}

// lost makes another directory of what is left. Raft's log, its snapshots and the vault sync by themselves, and are
// quiet by now.
func (d *disk) lost(t testing.TB, rng *rand.Rand) string {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	to := copyDir(t, d.dir, "raft", "vault")
	now := map[string][]byte{}
	for _, part := range []string{"journal", "log"} {
		err := filepath.WalkDir(filepath.Join(d.dir, part), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			rel, err := filepath.Rel(d.dir, path)
			if err != nil {
				return err
			}
			now[rel], err = os.ReadFile(path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		b, was := now[name], d.synced[name]
		switch {
		case name == filepath.Join("journal", "durable"):
			d.marks = append(d.marks, b)
			if b = d.marks[rng.IntN(len(d.marks))]; rng.IntN(8) == 0 {
				continue
			}
		case strings.HasSuffix(name, ".journal") || filepath.Base(name) == "intervals":
			if len(was) == 0 && rng.IntN(2) == 0 {
				continue // its name had not reached the disk
			}
			rest := b[min(len(was), len(b)):]
			rest = slices.Clone(rest[:rng.IntN(len(rest)+1)])
			if len(rest) > 0 && rng.IntN(3) == 0 {
				from := rng.IntN(len(rest))
				clear(rest[from : from+rng.IntN(len(rest)-from)+1]) // a page that did not make it
			}
			b = append(slices.Clone(was), rest...)
		default: // written whole under another name, then renamed
			if rng.IntN(2) == 0 {
				if b = was; was == nil {
					continue
				}
			}
		}
		put := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(put), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(put, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, was := range d.synced { // deleted, and the deletion did not reach the disk
		if _, ok := now[name]; !ok && rng.IntN(2) == 0 && !strings.Contains(name, ".new-") {
			put := filepath.Join(to, name)
			if err := os.MkdirAll(filepath.Dir(put), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(put, was, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return to
}

// TestPowerLoss runs a hub under several submitters, with snapshots, erasures and published checkpoints, and has the
// power go off again and again. What was acknowledged is there, once; the model agrees with the journal to the last
// event; no published checkpoint is contradicted.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	runs, lives := 1, 5
	seed := uint64(time.Now().UnixNano())
	if !testing.Short() {
		runs, lives = 12, 12
	}
	if s := os.Getenv("MOONGATE_TEST_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	for run := range runs {
		t.Run(fmt.Sprint("seed ", seed+uint64(run)), func(t *testing.T) {
			t.Parallel()
			simulate(t, rand.New(rand.NewPCG(seed+uint64(run), 1)), lives)
		})
	}
}

func simulate(t *testing.T, rng *rand.Rand, lives int) {
	s := &simulation{victim: victim{t: t, dir: t.TempDir(), start: 1_700_000_000 * moongate.Second, acked: map[int]string{}}, rng: rng}
	for life := range lives {
		s.live(life)
		s.check()
	}
	t.Logf("%d lives, %d commands acknowledged, %d checkpoints published, %d syncs", lives, len(s.acked), len(s.signed), s.syncs)
	if len(s.acked) < 20*lives || len(s.signed) < lives {
		t.Error("this test shows too little")
	}
}

type simulation struct {
	victim
	rng   *rand.Rand
	again []int // commands whose outcome is not known
	syncs int
}

// live opens the hub, has it work for a while, and turns the power off.
func (s *simulation) live(life int) {
	t := s.t
	t.Helper()
	d := &disk{dir: s.dir, synced: map[string][]byte{}}
	for _, part := range []string{"journal", "log"} { // all that is there at start is on the disk
		for name, b := range readFiles(t, s.dir, part) {
			d.synced[name] = b
		}
	}
	opt := crashOptions(s.dir, s.start)
	s.start += 100 * moongate.Second
	opt.Sync = d.sync
	fatal := catch(&opt)
	n, _, err := tryOpen(opt)
	if err = errors.Join(err, fatal.err()); err != nil {
		t.Fatalf("life %d does not begin: %v", life, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var dead atomic.Bool // what is said from now on did not happen
	var mu sync.Mutex
	numbers := s.again
	s.again = nil
	for range 60 + s.rng.IntN(200) {
		numbers = append(numbers, s.next)
		s.next++
	}
	s.rng.Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	work := make(chan int, len(numbers))
	for _, i := range numbers {
		work <- i
	}
	close(work)
	var workers sync.WaitGroup
	for range 1 + s.rng.IntN(6) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := range work {
				r := replica.Request{Caller: "ann", Key: fmt.Sprint(i), Command: command(i)}
				if i%9 == 0 {
					r.Secrets = []replica.Secret{{Subject: crashSubject(i), Key: sha("secret", i)}}
				}
				_, err := n.Submit(ctx, r)
				mu.Lock()
				if code := moongate.CodeOf(err); !dead.Load() && (code == "" || code == moongate.Limit) {
					s.acked[i] = string(code)
				} else {
					s.again = append(s.again, i)
				}
				mu.Unlock()
			}
		}()
	}
	signer := crashSigner()
	events := 3 + s.rng.IntN(6)
	for range events {
		switch s.rng.IntN(3) {
		case 0:
			if err := n.Snapshot(); err != nil {
				t.Error(err)
			}
		default:
			signed, err := n.Log().Publish(crashOrigin, signer)
			if err != nil {
				t.Error(err)
			} else if signed != nil {
				s.signed = append(s.signed, signed)
			}
		}
		mark, err := os.ReadFile(filepath.Join(s.dir, "journal", "durable"))
		if err != nil {
			t.Fatal(err)
		}
		d.mu.Lock()
		d.marks = append(d.marks, mark)
		d.mu.Unlock()
		time.Sleep(time.Duration(s.rng.IntN(20)) * time.Millisecond) // the moment is drawn
	}
	d.mu.Lock()
	d.stop = make(chan struct{})
	d.mu.Unlock()
	d.quiet(n)
	dead.Store(true)
	mu.Lock() // nobody is being told at this moment
	s.victim.dir = d.lost(t, s.rng)
	mu.Unlock()
	stop()
	close(d.stop)
	workers.Wait()
	if err := errors.Join(n.Close(), fatal.err()); err != nil {
		t.Errorf("life %d: %v", life, err)
	}
	s.syncs += d.syncs
	s.kills++
}

// quiet returns when nothing moves any more: every request is applied, and where answers are due, the journal's writer
// waits for the disk. Raft's log and the vault are copied as they are, so nothing may be on its way to them.
func (d *disk) quiet(n *replica.Node) {
	for same := 0; same < 5; {
		d.mu.Lock()
		stuck := d.stuck > 0
		d.mu.Unlock()
		if n.Queued() == 0 && n.InFlight() == 0 && (stuck || n.Held() == 0) {
			same++
		} else {
			same = 0
		}
		time.Sleep(2 * time.Millisecond) // between two looks
	}
}

func readFiles(t testing.TB, dir, part string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(filepath.Join(dir, part), func(path string, e os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		out[rel], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
