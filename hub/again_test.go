package hub_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// The node that took a command in decides on what it has in memory; every other one, and this one after a restart, on
// the bytes in raft's log. Both come to the same, to the last byte of the journal, in every room.
func TestDecidedAgainFromBytes(t *testing.T) {
	c, s := story(t)
	again := *c
	again.Data = t.TempDir()
	if err := os.CopyFS(filepath.Join(again.Data, "raft"), os.DirFS(filepath.Join(c.Data, "raft"))); err != nil {
		t.Fatal(err)
	}
	h, err := hub.Open(t.Context(), hub.Options{Config: &again, Secrets: s, Now: time.Now, Random: random(t), Virtual: true, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.Machine().TableHashes()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	rooms := hub.NewRooms(c)
	if _, _, err := replica.Replay(c.Data, rooms.Machine(), nil); err != nil {
		t.Fatal(err)
	}
	want, err := rooms.Machine().TableHashes()
	if err != nil {
		t.Fatal(err)
	}
	for table, hash := range want {
		if got[table] != hash {
			t.Errorf("table %s: %s, and %s from the journal", table, got[table], hash)
		}
	}
	first, second := recordsOf(t, c), recordsOf(t, &again)
	if len(first) != len(second) || len(first) == 0 {
		t.Fatalf("%d records, and %d the second time", len(first), len(second))
	}
	for i := range first {
		if !bytes.Equal(first[i], second[i]) {
			t.Fatalf("record %d of %d differs:\n%x\n%x", i, len(first), first[i], second[i])
		}
	}
}

func recordsOf(t *testing.T, c *hub.Config) (all [][]byte) {
	t.Helper()
	j, err := journal.Open(filepath.Join(c.Data, "journal"), hub.NewRooms(c).Machine().Registry(), journal.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Records(0, func(r *journal.Record) error {
		b, err := r.AppendCBOR(nil)
		all = append(all, b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// A state that was marked stands still while the rooms go on: no fold writes into what it has put into a table before.
func TestMarksStandStill(t *testing.T) {
	c, _ := story(t)
	type mark struct {
		*replica.Mark
		hash [32]byte
	}
	var marks []mark
	m := hub.NewRooms(c).Machine()
	n := 0
	_, _, err := replica.Replay(c.Data, m, func(journal.Entry) error {
		if n++; n%250 != 0 {
			return nil
		}
		k := m.Mark()
		hash, err := k.Hash()
		marks = append(marks, mark{k, hash})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[32]byte]bool{}
	for _, k := range marks {
		hash, err := k.Hash()
		if err != nil || hash != k.hash {
			t.Errorf("the state at event %d has changed since (%v)", k.Position(), err)
		}
		seen[hash] = true
		k.Release()
	}
	if len(seen) < 8 {
		t.Errorf("%d marks: this test shows too little", len(seen))
	}
}
