package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
)

// written is the records of a toy journal, kept beside it as the model.
type written []*Record

// next makes the record that would follow. Some have no command, some commands no event, and indexes have gaps, as
// raft's own entries take some.
func (w written) next(rng *rand.Rand) *Record {
	r := &Record{Index: uint64(1 + rng.IntN(3)), Term: 1, First: 1, Sum: rng.Uint32()}
	at := 1_700_000_000 * moongate.Second
	if n := len(w); n > 0 {
		last := w[n-1]
		r.Index, r.First, r.Term = r.Index+last.Index, last.Next(), last.Term+uint64(rng.IntN(20)/19)
		for _, d := range last.Done {
			at = d.At
		}
	}
	for i := range rng.IntN(4) {
		d := Done{Kind: "toy.do", Caller: "ann", At: at + moongate.Time(rng.IntN(int(moongate.Second)))}
		at = d.At
		d.Seed[0], d.Key[0] = byte(rng.Uint32()), byte(i+1)
		if rng.IntN(4) == 0 {
			d.Error = &moongate.Error{Code: moongate.Limit, Message: "no"}
		} else {
			d.Answer = []byte{0xf6}
		}
		for range rng.IntN(4) {
			var e Event = &noted{fmt.Sprint("note ", rng.Uint32())}
			switch rng.IntN(8) {
			case 0:
				e = &ruled{Rule{Title: "fees", Fee: rng.Int64N(100)}}
			case 1, 2:
				e = &sold{Sale: Sale{Buyer: "ann", Shop: "bo"}, Lines: []*line{{"cy", 7}, {"di", rng.Int64N(100)}}}
			}
			st, err := toys().Encode(e, new(bytes.Buffer))
			if err != nil {
				panic(err)
			}
			d.Events = append(d.Events, st)
		}
		r.Done = append(r.Done, d)
	}
	return r
}

func openJournal(t testing.TB, dir string, opt Options) *Journal {
	t.Helper()
	j, err := Open(dir, toys(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func readAll(j *Journal) (out written, err error) {
	err = j.Records(0, func(r *Record) error { out = append(out, r); return nil })
	return out, err
}

// differ tells how records differ, "" where they are the same to the byte.
func differ(want, got written) string {
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) {
			return fmt.Sprintf("%d records, not %d", len(got), len(want))
		}
		a, errA := want[i].AppendCBOR(nil)
		b, errB := got[i].AppendCBOR(nil)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			return fmt.Sprintf("record %d (-want +got)\n%s", want[i].Index, cmp.Diff(want[i], got[i], sameRecords))
		}
	}
	return ""
}

var sameRecords = cmp.Options{cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(Record{}, Done{}, Stored{}, Group{})}

// makeJournal writes n records, a sync after every few, and closes.
func makeJournal(t testing.TB, dir string, n int, opt Options) written {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	j := openJournal(t, dir, opt)
	var w written
	for i := range n {
		r := w.next(rng)
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
		w = append(w, r)
		if i%3 == 2 {
			if err := j.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestJournalIsAListOfRecords appends, syncs and opens again in any order, with segments of a few records, and reads
// from everywhere. What is not synced is seen by nobody.
func TestJournalIsAListOfRecords(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "j")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		opt := Options{SegmentBytes: rapid.Int64Range(100, 3000).Draw(rt, "segment bytes"), Sync: NoSync}
		rng := rand.New(rand.NewPCG(2, rapid.Uint64().Draw(rt, "seed")))
		j := openJournal(t, dir, opt)
		var w written
		synced := 0
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				for range rapid.IntRange(1, 6).Draw(rt, "how many") {
					w = append(w, w.next(rng))
					if err := j.Append(w[len(w)-1]); err != nil {
						rt.Fatal(err)
					}
				}
				_, done := j.Durable() // a rotation syncs by itself
				synced = len(w.upTo(done))
			},
			"sync": func(rt *rapid.T) {
				if err := j.Sync(); err != nil {
					rt.Fatal(err)
				}
				synced = len(w)
			},
			"reopen": func(rt *rapid.T) {
				if err := j.Close(); err != nil {
					rt.Fatal(err)
				}
				j, synced = openJournal(t, dir, opt), len(w)
			},
			"": func(rt *rapid.T) { checkReads(rt, j, w[:synced], w, rng) },
		})
		if err := j.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

func (w written) upTo(index uint64) written {
	return w[:slices.IndexFunc(append(slices.Clone(w), &Record{Index: index + 1}), func(r *Record) bool { return r.Index > index })]
}

// checkReads holds every way of reading against the model.
func checkReads(t *rapid.T, j *Journal, durable, all written, rng *rand.Rand) {
	got, err := readAll(j)
	if err != nil {
		t.Fatal(err)
	}
	if diff := differ(durable, got); diff != "" {
		t.Fatal(diff)
	}
	end := Position(1)
	if n := len(durable); n > 0 {
		end = durable[n-1].Next()
	}
	if n := len(all); n > 0 {
		if index, term := j.Last(); index != all[n-1].Index || term != all[n-1].Term || j.Next() != all[n-1].Next() {
			t.Fatalf("the journal ends with record %d of term %d and goes on with event %d", index, term, j.Next())
		}
	}
	if at, _ := j.Durable(); at != end-1 {
		t.Fatalf("durable up to event %d, not %d", at, end-1)
	}
	if n := len(durable); n > 0 {
		from := uint64(rng.Int64N(int64(durable[n-1].Index) + 3))
		var some written
		if err := j.Records(from, func(r *Record) error { some = append(some, r); return nil }); err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(slices.Clone(durable), func(r *Record) bool { return r.Index < from })
		if diff := differ(want, some); diff != "" {
			t.Fatalf("from %d on: %s", from, diff)
		}
		checkEvents(t, j, durable, end, rng)
		r := durable[rng.IntN(n)]
		for i := range r.Done {
			d, err := j.Outcome(Ref{Index: r.Index, Number: uint32(i)})
			if err != nil || cmp.Diff(&r.Done[i], d, sameRecords) != "" {
				t.Fatalf("outcome %d of record %d: %v, %v", i, r.Index, d, err)
			}
		}
		for _, ref := range []Ref{{Index: r.Index, Number: uint32(len(r.Done))}, {Index: all[len(all)-1].Index + 1}, {}} {
			if d, err := j.Outcome(ref); moongate.CodeOf(err) != moongate.NotFound {
				t.Fatalf("outcome of %+v, which is not there: %v, %v", ref, d, err)
			}
		}
	}
	for _, at := range []Position{0, end, end + 7} {
		if e, err := j.Entry(at); moongate.CodeOf(err) != moongate.NotFound {
			t.Fatalf("event %d, which is not there: %+v, %v", at, e, err)
		}
	}
}

func checkEvents(t *rapid.T, j *Journal, durable written, end Position, rng *rand.Rand) {
	var want []Entry
	for _, r := range durable {
		at := r.First
		for _, d := range r.Done {
			for _, st := range d.Events {
				e, err := toys().Decode(st)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, Entry{at, d.At, d.Caller, e})
				at++
			}
		}
	}
	from := Position(rng.Int64N(int64(end) + 2))
	for name, kinds := range map[string]map[string]bool{"all": nil, "notes": {"toy.noted": true}, "none": {}} {
		var got []Entry
		if err := j.EntriesOf(from, kinds, func(e Entry) error { got = append(got, e); return nil }); err != nil {
			t.Fatal(err)
		}
		some := slices.DeleteFunc(slices.Clone(want), func(e Entry) bool {
			return e.Position < from || kinds != nil && !kinds[e.Event.EventKind()]
		})
		if len(some)+len(got) > 0 && !reflect.DeepEqual(some, got) {
			t.Fatalf("%s events from %d on (-want +got)\n%s", name, from, cmp.Diff(some, got))
		}
	}
	if len(want) > 0 {
		e := want[rng.IntN(len(want))]
		got, err := j.Entry(e.Position)
		if err != nil || cmp.Diff(e, got) != "" {
			t.Fatalf("event %d: %+v, %v", e.Position, got, err)
		}
		stop := errors.New("enough")
		seen := 0
		err = j.Entries(1, func(Entry) error { seen++; return stop })
		if !errors.Is(err, stop) || seen != 1 {
			t.Fatalf("a visitor that wants no more saw %d events and got %v", seen, err)
		}
	}
}

func TestAppendRefusesWhatDoesNotFollow(t *testing.T) {
	for name, r := range map[string]*Record{
		"an index again":       {Index: 1, First: 1},
		"an event again":       {Index: 2, First: 0},
		"an event left out":    {Index: 2, First: 2},
		"more than a frame is": {Index: 2, First: 1, Done: []Done{{Answer: make([]byte, maxRecord+1)}}},
	} {
		dir := t.TempDir()
		j := openJournal(t, dir, Options{Sync: NoSync})
		if err := j.Append(&Record{Index: 1, First: 1}); err != nil {
			t.Fatal(err)
		}
		if err := j.Append(r); err == nil {
			t.Errorf("%s: taken", name)
		}
		if err := j.Append(&Record{Index: 3, First: 1}); err == nil {
			t.Errorf("%s: the journal goes on after a fault", name)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestReadOnlyTouchesNothing: fsck looks at a copy, or at a journal whose hub is running.
func TestReadOnlyTouchesNothing(t *testing.T) {
	dir := t.TempDir()
	w := makeJournal(t, dir, 20, Options{SegmentBytes: 500, Sync: NoSync})
	segs, err := listSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	last := segs[len(segs)-1].path
	f, err := os.OpenFile(last, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(appendFrame(nil, []byte("cut off"), 0)[:20]); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	before := fileBytes(t, dir)
	j := openJournal(t, dir, Options{ReadOnly: true})
	got, err := readAll(j)
	if err != nil {
		t.Fatal(err)
	}
	if diff := differ(w, got); diff != "" {
		t.Error(diff)
	}
	if err := j.Append(w.next(rand.New(rand.NewPCG(0, 0)))); err == nil {
		t.Error("a journal that was opened for reading takes a record")
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, fileBytes(t, dir)); diff != "" {
		t.Error("files were changed")
	}
	if _, err := Open(filepath.Join(dir, "nothing"), toys(), Options{ReadOnly: true}); err == nil {
		t.Error("a journal that is not there opens for reading")
	}
	if _, err := os.Stat(filepath.Join(dir, "nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Error("it was made")
	}
}

// A segment that has begun and holds nothing yet hides nothing of the one before.
func TestReadersBesideASegmentThatBegins(t *testing.T) {
	j := openJournal(t, t.TempDir(), Options{Sync: NoSync})
	rng := rand.New(rand.NewPCG(5, 6))
	var w written
	for i := range 40 {
		w = append(w, w.next(rng))
		if err := j.Append(w[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
	last, _ := j.Last()
	if err := j.rotate(last + 1); err != nil {
		t.Fatal(err)
	}
	at, _ := j.Durable()
	for from := Position(1); from <= at; from++ {
		if e, err := j.Entry(from); err != nil || e.Position != from {
			t.Fatalf("event %d of %d: %d, %v", from, at, e.Position, err)
		}
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// TestReadersBesideTheWriter has several goroutines read while one writes and syncs; run it with -race.
func TestReadersBesideTheWriter(t *testing.T) {
	t.Parallel()
	j := openJournal(t, t.TempDir(), Options{SegmentBytes: 4000, Sync: NoSync})
	stop, readers := make(chan struct{}), make(chan error, 3)
	for range cap(readers) {
		go func() {
			readers <- func() error {
				for {
					select {
					case <-stop:
						return nil
					default:
					}
					at, index := j.Durable()
					seen := Position(0)
					if err := j.Entries(1, func(e Entry) error {
						if e.Position != seen+1 {
							return fmt.Errorf("event %d follows event %d", e.Position, seen)
						}
						seen++
						return nil
					}); err != nil {
						return err
					}
					if seen < at {
						return fmt.Errorf("%d events were durable with record %d, %d can be read", at, index, seen)
					}
				}
			}()
		}()
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var w written
	for i := range 600 {
		w = append(w, w.next(rng))
		if err := j.Append(w[i]); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(4) == 0 {
			if err := j.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	for range cap(readers) {
		if err := <-readers; err != nil {
			t.Error(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// TestFilesEndWhereTheySay: while the journal is written, the files of a backup end with the event and the record that
// are told with them, no later. A restore holds the one against the other.
func TestFilesEndWhereTheySay(t *testing.T) {
	t.Parallel()
	type end struct {
		bytes int64
		at    Position
	}
	ends := map[uint64]end{} // by the last record, of a journal that nobody writes meanwhile
	rng := rand.New(rand.NewPCG(5, 6))
	var w written
	for range 3000 {
		w = append(w, w.next(rng))
	}
	write := func(j *Journal, each func()) {
		for _, r := range w {
			if err := errors.Join(j.Append(r), j.Sync()); err != nil {
				t.Fatal(err)
			}
			each()
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(j *Journal) (uint64, end) {
		files, at, index := j.Files()
		e := end{at: at}
		for _, f := range files {
			e.bytes += f.Size
		}
		return index, e
	}
	opt := Options{SegmentBytes: 4000, Sync: NoSync}
	j := openJournal(t, t.TempDir(), opt)
	write(j, func() { index, e := ended(j); ends[index] = e })
	j = openJournal(t, t.TempDir(), opt)
	stop, looked := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				looked <- n
				return
			default:
			}
			// A file that was just begun holds its header and no record.
			if index, e := ended(j); index > 0 && e != ends[index] && e != (end{ends[index].bytes + int64(segmentHeader), ends[index].at}) {
				t.Errorf("the files have %d bytes and end with event %d, as they say; up to record %d it was %+v", e.bytes, e.at, index, ends[index])
			}
		}
	}()
	write(j, func() {})
	close(stop)
	if n := <-looked; n < 100 {
		t.Errorf("looked %d times: this test shows too little", n)
	}
}

// fileBytes reads all files below a directory.
func fileBytes(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		out[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// putFiles writes files into a new directory.
func putFiles(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
