package view_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/view"
)

type noted struct {
	Who  string `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint"`
}

type passed struct {
	N int64 `cbor:"1,keyasint"`
}

func (*noted) EventKind() string  { return "toy.noted" }
func (*passed) EventKind() string { return "toy.passed" }

func registry() *journal.Registry {
	r := new(journal.Registry)
	r.Add(&noted{}, &passed{})
	return r
}

// notes lists what was noted, and counts by person.
type notes struct {
	schema string
	fail   error
	seen   []journal.Position
}

const notesSchema = `
CREATE TABLE notes (position INTEGER PRIMARY KEY, who TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE people (who TEXT PRIMARY KEY, notes INTEGER NOT NULL) WITHOUT ROWID;`

func (v *notes) Name() string    { return "notes" }
func (v *notes) Schema() string  { return notesSchema + v.schema }
func (v *notes) Kinds() []string { return []string{"toy.noted"} }
func (v *notes) Fold(tx *view.Tx, e journal.Entry) error {
	if v.fail != nil {
		return v.fail
	}
	v.seen = append(v.seen, e.Position)
	n := e.Event.(*noted)
	if err := tx.Exec(`INSERT INTO notes VALUES (?, ?, ?)`, int64(e.Position), n.Who, n.Text); err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO people VALUES (?, 1) ON CONFLICT (who) DO UPDATE SET notes = notes + 1`, n.Who)
}

// A book is a journal that a test writes.
type book struct {
	t testing.TB
	*journal.Journal
	n     int
	model map[string]int // notes by person
	mu    sync.Mutex
	moved chan struct{}
}

func newBook(t testing.TB, dir string) *book {
	t.Helper()
	j, err := journal.Open(dir, registry(), journal.Options{Sync: journal.NoSync})
	if err != nil {
		t.Fatal(err)
	}
	b := &book{t: t, Journal: j, model: map[string]int{}, moved: make(chan struct{})}
	if err := j.Entries(1, func(e journal.Entry) error {
		if n, ok := e.Event.(*noted); ok {
			b.model[n.Who]++
		}
		b.n++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

// write appends events, of which every third is none that the view wants.
func (b *book) write(events int) {
	b.t.Helper()
	for events > 0 {
		last, _ := b.Last()
		r := &journal.Record{Index: last + 1, Term: 1, First: b.Next(), Done: []journal.Done{{Kind: "toy", At: moongate.Second}}}
		for ; events > 0 && len(r.Done[0].Events) < 100; events-- {
			var e journal.Event = &passed{N: int64(b.n)}
			if b.n%3 > 0 {
				n := &noted{Who: fmt.Sprint("p", b.n%7), Text: fmt.Sprint("note ", b.n)}
				b.model[n.Who]++
				e = n
			}
			st, err := registry().Encode(e, new(bytes.Buffer))
			if err != nil {
				b.t.Fatal(err)
			}
			r.Done[0].Events = append(r.Done[0].Events, st)
			b.n++
		}
		if err := b.Append(r); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := b.Sync(); err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	close(b.moved)
	b.moved = make(chan struct{})
	b.mu.Unlock()
}

func (b *book) durable() (journal.Position, <-chan struct{}) {
	at, _ := b.Durable()
	b.mu.Lock()
	defer b.mu.Unlock()
	return at, b.moved
}

func openStore(t testing.TB, path string, views ...view.View) *view.Store {
	t.Helper()
	s, err := view.Open(path, views...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func catchUp(t testing.TB, s *view.Store, b *book) {
	t.Helper()
	at, err := s.CatchUp(context.Background(), b)
	if end, _ := b.Durable(); err != nil || at != end || s.Position() != end {
		t.Fatalf("at event %d of %d: %v", at, end, err)
	}
}

// check holds the tables against what was written.
func check(t testing.TB, s *view.Store, b *book) {
	t.Helper()
	rows, err := s.QueryContext(context.Background(), `SELECT who, notes, (SELECT count(*) FROM notes WHERE who = people.who) FROM people`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	got := 0
	for rows.Next() {
		var who string
		var counted, listed int
		if err := rows.Scan(&who, &counted, &listed); err != nil {
			t.Fatal(err)
		}
		if want := b.model[who]; counted != want || listed != want {
			t.Errorf("%s: %d counted, %d listed, %d were written", who, counted, listed, want)
		}
		got++
	}
	if err := rows.Err(); err != nil || got != len(b.model) {
		t.Errorf("%d people of %d: %v", got, len(b.model), err)
	}
}

// TestViewsFollow the journal in batches and over restarts: each event once, in order, those of other kinds passed over.
func TestViewsFollow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, v := newBook(t, filepath.Join(dir, "journal")), new(notes)
	s := openStore(t, filepath.Join(dir, "views.db"), v)
	if at, err := s.CatchUp(context.Background(), b); at != 0 || err != nil {
		t.Errorf("of an empty journal: %d, %v", at, err)
	}
	for _, n := range []int{10, 1, 2*view.BatchEvents + 3, 100} { // more than a batch wants
		b.write(n)
		catchUp(t, s, b)
		check(t, s, b)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, filepath.Join(dir, "views.db"), v)
		check(t, s, b)
	}
	want := 0
	for i, at := range v.seen {
		if want++; (want-1)%3 == 0 {
			want++
		}
		if at != journal.Position(want) {
			t.Fatalf("the %dth event it saw was %d, not %d", i, at, want)
		}
	}
	if _, err := s.QueryContext(context.Background(), `DELETE FROM notes`); err == nil {
		t.Error("a reader may write")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOtherSchemaMadeAnew: a view that changed, that came or that went has all views be made again.
func TestOtherSchemaMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "views.db")
	b := newBook(t, filepath.Join(dir, "journal"))
	b.write(500)
	s := openStore(t, path, new(notes))
	catchUp(t, s, b)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, path, &notes{schema: ` CREATE INDEX by_who ON notes (who, position);`})
	if s.Position() != 0 {
		t.Errorf("with another schema the views are at event %d", s.Position())
	}
	catchUp(t, s, b)
	check(t, s, b)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := view.Open(path, &notes{schema: ` CREATE NONSENSE;`}); err == nil || !strings.Contains(err.Error(), "schema of notes") {
		t.Errorf("a schema that is none: %v", err)
	}
}

// TestDamagedFileMadeAnew: rubbish, a cut file, a page of zeros, found at start or when a batch meets it.
func TestDamagedFileMadeAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "views.db")
	b := newBook(t, filepath.Join(dir, "journal"))
	b.write(3000)
	s := openStore(t, path, new(notes))
	catchUp(t, s, b)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(whole) < 40_000 {
		t.Fatalf("a file of %d bytes is too small for this test", len(whole))
	}
	damage := map[string]func([]byte) []byte{
		"rubbish":           func([]byte) []byte { return bytes.Repeat([]byte("rubbish "), 5000) },
		"nothing":           func([]byte) []byte { return nil },
		"cut in a page":     func(w []byte) []byte { return w[:len(w)-1000] },
		"cut to a page":     func(w []byte) []byte { return w[:4096] },
		"a header of zeros": func(w []byte) []byte { clear(w[:100]); return w },
		"pages of zeros":    func(w []byte) []byte { clear(w[4096:]); return w },
		"pages of ones": func(w []byte) []byte {
			for i := 8192; i < len(w); i++ {
				w[i] = 0xff
			}
			return w
		},
	}
	for name, f := range damage {
		if err := os.WriteFile(path, f(bytes.Clone(whole)), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := view.Open(path, new(notes))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b.write(300)
		if _, err := s.CatchUp(context.Background(), b); err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			check(t, s, b)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAheadOfTheJournal: views that follow another journal, as after a restore, are made anew.
func TestAheadOfTheJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := newBook(t, filepath.Join(dir, "journal"))
	b.write(900)
	s := openStore(t, filepath.Join(dir, "views.db"), new(notes))
	catchUp(t, s, b)
	older := newBook(t, filepath.Join(dir, "older"))
	older.write(400)
	catchUp(t, s, older)
	check(t, s, older)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestWait returns when the views are there, when the reader gives up, and when folding fails.
func TestWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, v := newBook(t, filepath.Join(dir, "journal")), new(notes)
	s := openStore(t, filepath.Join(dir, "views.db"), v)
	b.write(50)
	waited := make(chan error, 1)
	go func() { waited <- s.Wait(context.Background(), 50) }()
	catchUp(t, s, b)
	if err := <-waited; err != nil {
		t.Error(err)
	}
	if err := s.Wait(context.Background(), 7); err != nil {
		t.Errorf("for what is there: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Wait(ctx, 51); moongate.CodeOf(err) != moongate.Busy || !strings.Contains(err.Error(), "at event 50 and 51") {
		t.Errorf("for what does not come: %v", err)
	}
	b.write(50)
	v.fail = errors.New("as told")
	go func() { waited <- s.Wait(context.Background(), 100) }()
	if at, err := s.CatchUp(context.Background(), b); !errors.Is(err, v.fail) || at != 50 || !strings.Contains(err.Error(), "event 53 (toy.noted)") && !strings.Contains(err.Error(), "event 51 (toy.noted)") {
		t.Errorf("at %d: %v", at, err)
	}
	if err := <-waited; !errors.Is(err, v.fail) {
		t.Errorf("who waits is told %v", err)
	}
	if s.Position() != 50 {
		t.Errorf("a batch that failed was kept, up to %d", s.Position())
	}
	v.fail = nil
	catchUp(t, s, b)
	if err := s.Wait(ctx, 101); moongate.CodeOf(err) != moongate.Busy {
		t.Errorf("when the fault is over: %v", err)
	}
	check(t, s, b)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFollowBesideReaders keeps level while the journal grows and others read; run it with -race.
func TestFollowBesideReaders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := newBook(t, filepath.Join(dir, "journal"))
	s := openStore(t, filepath.Join(dir, "views.db"), new(notes))
	ctx, cancel := context.WithCancel(context.Background())
	var others sync.WaitGroup
	others.Add(3)
	go func() {
		defer others.Done()
		if err := s.Follow(ctx, b, b.durable); err != nil {
			t.Error(err)
		}
	}()
	for range 2 {
		go func() {
			defer others.Done()
			for ctx.Err() == nil {
				var counted, listed int
				err := s.QueryRowContext(ctx, `SELECT (SELECT coalesce(sum(notes), 0) FROM people), (SELECT count(*) FROM notes)`).Scan(&counted, &listed)
				if err != nil && ctx.Err() == nil || counted != listed {
					t.Errorf("%d counted, %d listed: %v", counted, listed, err)
					return
				}
			}
		}()
	}
	for range 20 {
		b.write(100)
		at, _ := b.Durable()
		if err := s.Wait(ctx, at); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	others.Wait()
	check(t, s, b)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

const killEnv = "MOONGATE_TEST_VIEWS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		go func() { // a leash: its end is that of the parent
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
		j, err := journal.Open(filepath.Join(dir, "journal"), registry(), journal.Options{ReadOnly: true})
		var s *view.Store
		if err == nil {
			s, err = view.Open(filepath.Join(dir, "views.db"), new(notes))
		}
		if err == nil {
			fmt.Fprintln(os.Stdout, "open")
			_, err = s.CatchUp(context.Background(), j)
		}
		fmt.Fprintln(os.Stdout, "end", err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestKilledInABatch: the views go on from the last whole batch, and end as if nobody had killed them.
func TestKilledInABatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := newBook(t, filepath.Join(dir, "journal"))
	events := 100_000
	if testing.Short() {
		events = 20_000
	}
	b.write(events)
	kills := 0
	for round := 1; round < 40; round++ {
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
		buf := make([]byte, 100)
		if n, err := out.Read(buf); err != nil || string(buf[:n]) != "open\n" {
			t.Fatalf("%s %v", buf[:n], err)
		}
		timer := time.AfterFunc(time.Duration(20*round)*time.Millisecond, func() { child.Process.Kill() })
		n, _ := out.Read(buf)
		timer.Stop()
		child.Wait()
		if n > 0 {
			if got := string(buf[:n]); got != "end <nil>\n" {
				t.Fatal(got)
			}
			break
		}
		kills++
		if testing.Short() && kills == 3 {
			break
		}
	}
	s := openStore(t, filepath.Join(dir, "views.db"), new(notes))
	t.Logf("%d kills, then at event %d of %d", kills, s.Position(), b.n)
	catchUp(t, s, b)
	check(t, s, b)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if kills == 0 {
		t.Error("it was never killed")
	}
}
