package hub_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/sim/olist"
	"github.com/moongate-hub/moongate/sim/replay"
	"github.com/moongate-hub/moongate/sim/sample"
)

// replayed is a hub that the repository's own orders ran through.
func replayed(t *testing.T) (*hub.Config, *hub.Secrets) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hub")
	r, err := replay.Open(context.Background(), replay.Options{
		Dir: dir, Format: "olist", Now: time.Now, Progress: func(int64, int64) {}, Fatal: func(err error) { t.Error(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	x, err := olist.Read(sample.Olist())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Olist(x); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := hub.ReadConfig(filepath.Join(dir, "moongate.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := hub.ReadSecrets(c.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

func fsck(t *testing.T, c *hub.Config, s *hub.Secrets) *hub.Report {
	t.Helper()
	r, err := hub.Fsck(context.Background(), c, s, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFsckFindsWhatIsWrong(t *testing.T) {
	c, s := replayed(t)
	whole := fsck(t, c, s)
	if !whole.OK {
		t.Fatalf("a hub that nobody touched: %+v", whole.Findings)
	}
	seen := map[int]bool{}
	for _, f := range whole.Findings {
		seen[f.Invariant] = true
	}
	for n := 1; n <= 8; n++ {
		if !seen[n] {
			t.Errorf("no line checks invariant %d", n)
		}
	}

	// A flipped bit in the journal, another view, another raft log: each is found.
	segments, err := filepath.Glob(filepath.Join(c.Data, "journal", "*.journal"))
	if err != nil || len(segments) == 0 {
		t.Fatal(segments, err)
	}
	flip(t, segments[0], 5000)
	if r := fsck(t, c, s); r.OK {
		t.Error("a flipped bit in the journal was not found")
	}
	flip(t, segments[0], 5000)
	for name, harm := range map[string]func(path string){
		"raft/raft.db":         func(p string) { cut(t, p) },
		"vault":                func(p string) { cut(t, p) },
		"log/head":             func(p string) { flip(t, p, 20) },
		"log/intervals":        func(p string) { flip(t, p, 3000) },
		"log/tile/entries/*/*": func(p string) { flip(t, p, 100) },
		"log/checkpoint":       func(p string) { flip(t, p, 150) },
		"views.db":             func(p string) { cut(t, p) },
	} {
		found, err := filepath.Glob(filepath.Join(c.Data, name))
		if err != nil || len(found) == 0 {
			t.Fatal(name, found, err)
		}
		before, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		harm(found[0])
		bad := 0
		for _, f := range fsck(t, c, s).Findings {
			if !f.OK {
				bad++
				if len(f.Problems) == 0 {
					t.Errorf("%s: %q does not hold, and nobody says why", name, f.Check)
				}
			}
		}
		if bad == 0 {
			t.Errorf("%s: the damage was not found", name)
		}
		if err := os.WriteFile(found[0], before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if r := fsck(t, c, s); !r.OK {
		t.Errorf("all is as it was, and something is wrong: %+v", r.Findings)
	}
	if err := os.RemoveAll(filepath.Join(c.Data, "raft", "raft.db")); err != nil {
		t.Fatal(err)
	}
	if r := fsck(t, c, s); r.OK {
		t.Error("a missing raft log was not found")
	}
}

// What a running hub writes is not whole at any moment: a check would cry wolf.
func TestFsckLeavesARunningHubAlone(t *testing.T) {
	c, s := replayed(t)
	h, err := hub.Open(context.Background(), hub.Options{Config: c, Secrets: s, Now: time.Now, Random: func(b []byte) { rand.Read(b) }, Virtual: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Fsck(context.Background(), c, s, time.Now); moongate.CodeOf(err) != moongate.Conflict {
		t.Errorf("a hub runs on it: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if r := fsck(t, c, s); !r.OK {
		t.Errorf("it has stopped: %+v", r.Findings)
	}
}

// cut leaves nothing of a file but its name.
func cut(t *testing.T, path string) {
	t.Helper()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}

// What was backed up is what is restored, event by event.
func TestBackupRestoresTheSameState(t *testing.T) {
	c, s := replayed(t)
	before := fsck(t, c, s)
	random := func(b []byte) {
		if _, err := rand.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	opt := hub.Options{Config: c, Secrets: s, Now: time.Now, Random: random, Virtual: true}
	h, err := hub.Open(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "backup")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Backup(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(c.Data); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	// A backup that is cut leaves nothing behind.
	cut := filepath.Join(t.TempDir(), "cut")
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := restore(t, opt, cut); err == nil {
		t.Error("half a backup was restored")
	}
	if _, err := os.Stat(c.Data); err == nil {
		t.Error("a failed restore left something behind")
	}
	if err := restore(t, opt, path); err != nil {
		t.Fatal(err)
	}
	if after := fsck(t, c, s); !after.OK || after.Hash != before.Hash {
		t.Errorf("restored: ok %v, state %s, was %s", after.OK, after.Hash, before.Hash)
	}
	if h, err = hub.Open(context.Background(), opt); err != nil {
		t.Fatal("a restored hub does not start:", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

func restore(t *testing.T, opt hub.Options, path string) error {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, _, err = hub.Restore(context.Background(), opt, f)
	return err
}
