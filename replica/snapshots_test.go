package replica_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/raft"

	"github.com/moongate-hub/moongate/replica"
)

// snapshotsOf lists a node's snapshots, oldest first.
func snapshotsOf(t testing.TB, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "raft", "snapshots", "*-*-*"))
	if err != nil {
		t.Fatal(err)
	}
	indexOf := func(path string) (index int) {
		var term int
		if _, err := fmt.Sscanf(filepath.Base(path), "%d-%d-", &term, &index); err != nil {
			t.Fatal(err)
		}
		return index
	}
	slices.SortFunc(all, func(a, b string) int { return indexOf(a) - indexOf(b) })
	return all
}

// The newest snapshot cannot be read: raft would take the one before, or none, and go on. The node refuses to start,
// names the file and says what to do, and when that is done it is where it was.
func TestNewestSnapshotCounts(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	n, _ := open(t, opt)
	for i := range 3 {
		fill(t, n, 100+i*100, 200+i*100)
		if err := n.SnapshotKeeping(0); err != nil { // raft's log begins behind it
			t.Fatal(err)
		}
	}
	early := nodeHash(t, n)
	shut(t, n)
	bare := copyDir(t, opt.Dir) // raft's log holds nothing that the snapshot does not
	n, _ = open(t, opt)
	fill(t, n, 400, 450)
	want := map[string][32]byte{bare: early, opt.Dir: nodeHash(t, n)}
	shut(t, n)
	snaps := snapshotsOf(t, opt.Dir)
	if len(snaps) != 2 {
		t.Fatalf("raft keeps %v", snaps)
	}
	newest, older := filepath.Base(snaps[1]), filepath.Base(snaps[0])

	for name, c := range map[string]struct {
		dir  string
		harm func(dir string) error
		says []string
	}{
		"a flipped bit in its state":      {opt.Dir, flipIn(newest, "state.bin"), []string{newest, "state.bin", "CRC", "restore raft"}},
		"nothing tells what it is":        {opt.Dir, removeIn(newest, "meta.json"), []string{newest, "meta.json", "restore raft"}},
		"its state is gone":               {opt.Dir, removeIn(newest, "state.bin"), []string{newest, "state.bin", "restore raft"}},
		"it is gone":                      {opt.Dir, removeIn(newest), []string{"raft's log", "behind the newest snapshot", "restore raft"}},
		"there is no snapshot left":       {opt.Dir, removeIn(), []string{"raft's log", "0: there is none", "restore raft"}},
		"raft's log is gone":              {bare, removeIn("..", "raft.db"), []string{"raft.db", "restore raft"}},
		"it has another's name":           {opt.Dir, renameIn(older, newest), []string{newest, "restore raft"}},
		"the older one has a newer's one": {opt.Dir, renameIn(older, "9999-9999-1"), []string{"9999-9999-1", "restore raft"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt := opt
			opt.Dir = copyDir(t, c.dir)
			if err := c.harm(filepath.Join(opt.Dir, "raft", "snapshots")); err != nil {
				t.Fatal(err)
			}
			fatal := catch(&opt)
			n, _, err := tryOpen(opt)
			if err == nil {
				shut(t, n)
			}
			err = errors.Join(err, fatal.err())
			for _, says := range c.says {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("it says %v, and should say %q", err, says)
				}
			}
			if _, _, err := replica.RaftSums(filepath.Join(opt.Dir, "raft")); err == nil {
				t.Error("what reads raft's files alone finds nothing wrong")
			}
			if err := os.RemoveAll(filepath.Join(opt.Dir, "raft")); err != nil {
				t.Fatal(err)
			}
			m, _ := newMachine()
			if _, err := replica.Rebuild(m, opt); err != nil {
				t.Fatal(err)
			}
			n, _ = open(t, opt)
			if got := nodeHash(t, n); got != want[c.dir] {
				t.Error("made anew from the journal it is another state")
			}
			fill(t, n, 400, 460)
			shut(t, n)
		})
	}
}

func flipIn(name, file string) func(string) error {
	return func(dir string) error {
		path := filepath.Join(dir, name, file)
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b[len(b)/2] ^= 1
		return os.WriteFile(path, b, 0o600)
	}
}

func removeIn(name ...string) func(string) error {
	return func(dir string) error { return os.RemoveAll(filepath.Join(append([]string{dir}, name...)...)) }
}

func renameIn(from, to string) func(string) error {
	return func(dir string) error {
		if err := os.RemoveAll(filepath.Join(dir, to)); err != nil {
			return err
		}
		return os.Rename(filepath.Join(dir, from), filepath.Join(dir, to))
	}
}

// What a snapshot is has no checksum. Whatever bit of it is flipped, it is refused, or it is understood as it was but for
// what does not matter: a voter's address, and at which entry the voters were named.
func TestEveryBitOfASnapshotsMeta(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	n, _ := open(t, opt)
	fill(t, n, 0, 20)
	if err := n.Snapshot(); err != nil {
		t.Fatal(err)
	}
	shut(t, n)
	path := filepath.Join(snapshotsOf(t, opt.Dir)[0], "meta.json")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := replica.Newest(opt.Dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	blind := func(m raft.SnapshotMeta) raft.SnapshotMeta {
		m.ConfigurationIndex, m.Peers, m.Configuration.Servers = 0, nil, slices.Clone(m.Configuration.Servers)
		for i := range m.Configuration.Servers {
			m.Configuration.Servers[i].Address = ""
		}
		return m
	}
	refused := 0
	for i := range len(whole) * 8 {
		harmed := slices.Clone(whole)
		harmed[i/8] ^= 1 << (i % 8)
		if err := os.WriteFile(path, harmed, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := replica.Newest(opt.Dir, "a")
		if err != nil {
			refused++
			continue
		}
		if diff := cmp.Diff(blind(*want), blind(*got)); diff != "" {
			t.Errorf("bit %d of byte %d, %q: %s", i%8, i/8, harmed[i/8], diff)
		}
	}
	t.Logf("%d of %d refused", refused, len(whole)*8)
}
