package journal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/moongate-hub/moongate"
	ours "github.com/moongate-hub/moongate/proof"
)

// cuts runs a log and collects what its directory looked like at every sync of one of its files.
func cuts(t *testing.T) (x *toyLog, states []map[string][]byte) {
	dir := t.TempDir()
	seen := map[string]bool{}
	x = newToyLog(t, dir, Options{Sync: func(f *os.File) error {
		if rel, err := filepath.Rel(filepath.Join(dir, "log"), f.Name()); err != nil || strings.HasPrefix(rel, "..") {
			return err
		}
		state := fileBytes(t, filepath.Join(dir, "log"))
		h := sha256.New()
		for _, name := range slices.Sorted(maps.Keys(state)) {
			fmt.Fprintf(h, "%s %x\n", name, sha256.Sum256(state[name]))
		}
		if key := string(h.Sum(nil)); !seen[key] {
			seen[key] = true
			states = append(states, state)
		}
		return nil
	}})
	for range 9 {
		x.pass(37)
		x.publish()
	}
	return x, states
}

// continueLog opens the log of a journal on some files, publishes and closes it.
func (x *toyLog) continueLog(files map[string][]byte, j *Journal) (map[string][]byte, error) {
	dir := putFiles(x.t, files)
	l, err := OpenLog(dir, j, logSecret)
	if err != nil {
		return nil, err
	}
	old := l.Checkpoint()
	if old == nil && files[checkpointName] != nil {
		return nil, errors.Join(errors.New("the published checkpoint is forgotten"), l.Close())
	}
	signed, err := l.Publish(origin, x.signer)
	if err := errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	c, _, err := ours.OpenCheckpoint(signed, origin, note.VerifierList(x.verify))
	if err != nil {
		return nil, err
	}
	if c.Size != int64(len(x.entries)) || !bytes.Equal(c.Root[:], root(x.entries)) {
		return nil, fmt.Errorf("it continues to %d entries and root %s, not %d and %x", c.Size, c.Root, len(x.entries), root(x.entries))
	}
	return fileBytes(x.t, dir), nil
}

// tilesOf leaves out what is not public, and partial tiles, which an interrupted run may leave more of.
func tilesOf(files map[string][]byte, size int64) map[string][]byte {
	out := map[string][]byte{}
	for _, id := range ours.Tiles(0, size) {
		out[id.Path()] = files[filepath.FromSlash(id.Path())]
	}
	return out
}

// TestLogGoesOnFromAnyCut stops a log at every sync of any of its files, with what was being written cut anywhere or
// not yet there, and has it go on: always to the same tree and the same files, which no published checkpoint
// contradicts.
func TestLogGoesOnFromAnyCut(t *testing.T) {
	t.Parallel()
	x, states := cuts(t)
	x.close()
	j := openJournal(t, filepath.Join(x.dir, "journal"), Options{Sync: NoSync})
	want := tilesOf(fileBytes(t, filepath.Join(x.dir, "log")), int64(len(x.entries)))
	if len(states) < 80 || len(want) < 5 {
		t.Fatalf("%d states and %d tiles are too few", len(states), len(want))
	}
	tried := 0
	try := func(what string, files map[string][]byte) {
		t.Helper()
		tried++
		after, err := x.continueLog(files, j)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		if got := tilesOf(after, int64(len(x.entries))); !maps.EqualFunc(want, got, bytes.Equal) {
			t.Errorf("%s: other tiles", what)
		}
	}
	for i, state := range states {
		if testing.Short() && i%9 != 0 {
			continue
		}
		try(fmt.Sprint("state ", i), state)
		// Rows behind those that the head knows were not durable: any of their bytes may be missing or wrong.
		if size := headSize(t, state); len(state[rowsName]) > size {
			cut := maps.Clone(state)
			cut[rowsName] = state[rowsName][:size+(len(state[rowsName])-size)/2]
			try(fmt.Sprintf("state %d with rows cut", i), cut)
			cut[rowsName] = append(bytes.Clone(state[rowsName][:size]), make([]byte, len(state[rowsName])-size)...)
			try(fmt.Sprintf("state %d with rows of zeros", i), cut)
		}
	}
	try("nothing but the checkpoint", map[string][]byte{checkpointName: x.signed[len(x.signed)-1]})
	try("nothing", nil)
	t.Logf("went on from %d states", tried)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// headSize is how many bytes of rows the head vouches for.
func headSize(t *testing.T, state map[string][]byte) int {
	t.Helper()
	if state[headName] == nil {
		return 0
	}
	c, err := ours.ParseCheckpoint(state[headName])
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n += rowSize {
		if n+rowSize > len(state[rowsName]) {
			return n
		}
		row := state[rowsName][n:]
		if entry := int64(row[24]) | int64(row[25])<<8; entry >= c.Size {
			return n
		}
	}
}

// TestDamagedLogIsNamed takes away, cuts and flips the files that a log needs to go on: it is named, or the log goes on
// to the same tree. Never does it go on to another.
func TestDamagedLogIsNamed(t *testing.T) {
	t.Parallel()
	x := newToyLog(t, t.TempDir(), Options{})
	for range 4 {
		x.pass(70)
		x.publish()
	}
	x.close()
	j := openJournal(t, filepath.Join(x.dir, "journal"), Options{Sync: NoSync})
	files := fileBytes(t, filepath.Join(x.dir, "log"))
	named, harmless := 0, map[string]int{}
	try := func(what, name string, b []byte) {
		t.Helper()
		changed := maps.Clone(files)
		if changed[name] = b; b == nil {
			delete(changed, name)
		}
		_, err := x.continueLog(changed, j)
		switch {
		case err == nil:
			harmless[name]++
		case strings.Contains(err.Error(), "it continues to"):
			t.Errorf("%s of %s: %v", what, name, err)
		default:
			named++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		b := files[name]
		try("absence", name, nil)
		try("emptiness", name, []byte{})
		try("half", name, b[:len(b)/2])
		try("more", name, append(bytes.Clone(b), 0))
		every := 1
		if testing.Short() {
			every = 1 + len(b)/11
		} else if len(b) > 3000 {
			every = 13
		}
		for i := 0; i < len(b); i += every {
			flip := bytes.Clone(b)
			flip[i] ^= 1 << (i % 8)
			try(fmt.Sprintf("flip at %d", i), name, flip)
		}
	}
	// Named as damage they must be: what the log would go on from.
	for _, name := range []string{headName, rowsName} {
		if n := harmless[name]; n > 1 {
			t.Errorf("%d changes of %s passed", n, name)
		}
	}
	t.Logf("%d changes named; harmless: %v", named, harmless)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// TestLogRefusesAnotherJournal: one that ends before the published checkpoint, and one that tells another story.
func TestLogRefusesAnotherJournal(t *testing.T) {
	t.Parallel()
	x := newToyLog(t, t.TempDir(), Options{})
	x.pass(20)
	early := fileBytes(t, filepath.Join(x.dir, "journal"))
	x.pass(20)
	x.publish()
	x.close()
	files := fileBytes(t, filepath.Join(x.dir, "log"))
	only := map[string][]byte{checkpointName: files[checkpointName]}
	another := newToyLog(t, t.TempDir(), Options{})
	another.rng = rand.New(rand.NewPCG(99, 99))
	another.pass(60)
	another.close()
	for _, c := range []struct {
		name    string
		journal map[string][]byte
		files   map[string][]byte
		says    string
	}{
		{"an older journal", early, only, "older than the log"},
		{"an older journal and all files", early, files, "older than the log"},
		{"no journal", nil, only, "older than the log"},
		{"no journal and all files", nil, files, "older than the log"},
		{"another journal", fileBytes(t, filepath.Join(another.dir, "journal")), only, "another root"},
		{"another journal and all files", fileBytes(t, filepath.Join(another.dir, "journal")), files, "another root"},
	} {
		j := openJournal(t, putFiles(t, c.journal), Options{Sync: NoSync})
		_, err := OpenLog(putFiles(t, c.files), j, logSecret)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, which should say %q", c.name, err, c.says)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	j := openJournal(t, putFiles(t, fileBytes(t, filepath.Join(x.dir, "journal"))), Options{Sync: NoSync})
	if _, err := OpenLog(putFiles(t, only), j, [32]byte{7}); err == nil || !strings.Contains(err.Error(), "another root") {
		t.Errorf("another secret: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// TestLogFaultIsTold: when the log cannot go on, nobody waits for it, and who publishes learns why.
func TestLogFaultIsTold(t *testing.T) {
	x := newToyLog(t, t.TempDir(), Options{})
	x.pass(3)
	last := x.w[len(x.w)-1]
	r := &Record{Index: last.Index + 1, First: last.Next(), Done: []Done{{
		At: moongate.Time(x.second+1) * moongate.Second, Events: []Stored{stored("toy.unheard", Public, "a0")},
	}}}
	if err := errors.Join(x.j.Append(r), x.j.Sync()); err != nil {
		t.Fatal(err)
	}
	for range 1 << 15 { // more than the log's own queue holds
		x.l.Add(r, nil)
	}
	if err := x.l.Wait(r.Next()); err == nil || !strings.Contains(err.Error(), "toy.unheard") {
		t.Errorf("Wait says %v", err)
	}
	if _, err := x.l.Publish(origin, x.signer); err == nil || x.l.Err() == nil {
		t.Errorf("Publish says %v, Err %v", err, x.l.Err())
	}
	if err := x.l.Close(); err == nil {
		t.Error("Close says nothing")
	}
	if err := x.j.Close(); err != nil {
		t.Error(err)
	}
}
