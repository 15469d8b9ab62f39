package replica

import (
	"bytes"
	"io"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
)

// However many entries are forgotten, those that stay are one piece, without a gap.
func TestEntriesAreForgottenAtOneEnd(t *testing.T) {
	t.Parallel()
	const all = 5 * deletedAtOnce / 2
	for _, c := range []struct {
		name                  string
		from, to, first, last uint64
	}{
		{"the oldest", 1, all - 10, all - 9, all},
		{"as many as one transaction takes", 1, deletedAtOnce, deletedAtOnce + 1, all},
		{"one more", 1, deletedAtOnce + 1, deletedAtOnce + 2, all},
		{"the newest", 11, all, 1, 10},
		{"one", 1, 1, 2, all},
		{"all", 1, all, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := openLogStore(t.TempDir(), true, func(err error) { t.Error(err) })
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			entries := make([]*raft.Log, all)
			for i := range entries {
				entries[i] = &raft.Log{Index: uint64(i + 1), Term: 1, Data: []byte{byte(i)}}
			}
			if err := s.StoreLogs(entries); err != nil {
				t.Fatal(err)
			}
			if err := s.DeleteRange(c.from, c.to); err != nil {
				t.Fatal(err)
			}
			first, err1 := s.FirstIndex()
			last, err2 := s.LastIndex()
			if err1 != nil || err2 != nil || first != c.first || last != c.last {
				t.Fatalf("entries %d to %d are left, not %d to %d (%v, %v)", first, last, c.first, c.last, err1, err2)
			}
			for i := first; i <= last && i > 0; i++ {
				var l raft.Log
				if err := s.GetLog(i, &l); err != nil || l.Index != i {
					t.Fatalf("entry %d: %+v, %v", i, l, err)
				}
			}
		})
	}
}

// A snapshot that came to the disk in pieces is what was written; one that was given up leaves nothing.
func TestASnapshotComesToTheDiskInPieces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := openSnapshots(dir, "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, transport := raft.NewInmemTransport("a")
	voters := raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "a"}}}
	want := bytes.Repeat([]byte("0123456789abcdef"), 5*steadyBytes/2/16)
	for _, keep := range []bool{false, true} {
		sink, err := s.Create(raft.SnapshotVersionMax, 7, 1, voters, 1, transport)
		if err != nil {
			t.Fatal(err)
		}
		for b := want; len(b) > 0; b = b[min(len(b), 1<<20):] {
			if _, err := sink.Write(b[:min(len(b), 1<<20)]); err != nil {
				t.Fatal(err)
			}
		}
		end := sink.Cancel
		if keep {
			end = sink.Close
		}
		for range 2 { // raft ends what was ended
			if err := end(); err != nil {
				t.Fatal(err)
			}
		}
		have, err := s.List()
		if err != nil || (len(have) == 1) != keep {
			t.Fatalf("snapshots %v, %v", have, err)
		}
		if rest, err := filepath.Glob(filepath.Join(dir, "snapshots", "*.tmp")); err != nil || len(rest) > 0 {
			t.Errorf("unfinished: %v, %v", rest, err)
		}
		if !keep {
			continue
		}
		if err := checkSnapshot(dir, have[0].ID); err != nil {
			t.Error(err)
		}
		_, r, err := s.Open(have[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back of %d, %v", len(got), len(want), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
