package journal

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// whole is how many records of a journal stand before its last group.
func beforeLastGroup(t *testing.T, dir string) (records int) {
	t.Helper()
	segs, err := listSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	var at []frame
	for i, s := range segs {
		if err := frames(s.path, int64(segmentHeader), -1, func(f frame, _ []byte) error {
			at = append(at, frame{f.offset, f.group + int64(i)<<40})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return slices.IndexFunc(at, func(f frame) bool { return f.group == at[len(at)-1].group })
}

// mustName wants a *Damage that names the file.
func mustName(err error, file string) error {
	var d *Damage
	if !errors.As(err, &d) || !strings.Contains(d.File, file) {
		return fmt.Errorf("%w, want damage of %s", err, file)
	}
	return nil
}

// TestEveryFlippedBitIsNamed turns every bit of a small journal over, one by one.
func TestEveryFlippedBitIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := makeJournal(t, dir, 14, Options{SegmentBytes: 900, Sync: NoSync})
	keep := beforeLastGroup(t, dir)
	files := fileBytes(t, dir)
	if len(files) < 4 || keep < 9 {
		t.Fatalf("%d files and %d records before the last group are too few for this test", len(files), keep)
	}
	for _, c := range []struct {
		name  string
		known bool // how far the journal was durable
	}{{"with the mark", true}, {"without the mark", false}} {
		flips, named, cut := 0, 0, 0
		if !c.known {
			if err := os.Remove(filepath.Join(dir, durableName)); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			path := filepath.Join(dir, name)
			if name == durableName && !c.known {
				continue
			}
			for i := range files[name] {
				for bit := range 8 {
					if testing.Short() && (bit != i%8 || !c.known && i%8 != 0) {
						continue
					}
					flips++
					err := flipped(path, int64(i), files[name][i], 1<<bit, w, keep, c.known)
					switch {
					case errors.Is(err, errCut):
						cut++
					case err != nil:
						t.Errorf("%s: bit %d of byte %d of %s: %v", c.name, bit, i, name, err)
					default:
						named++
					}
				}
			}
		}
		t.Logf("%s: %d flips, %d named, %d cut off the group that was being written", c.name, flips, named, cut)
	}
}

var errCut = errors.New("cut off as not durable")

// flipped opens the journal with one bit of a file turned over.
func flipped(path string, at int64, was, bit byte, w written, keep int, known bool) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{was ^ bit}, at); err != nil {
		return err
	}
	defer f.WriteAt([]byte{was}, at)
	j, err := Open(filepath.Dir(path), toys(), Options{ReadOnly: true})
	if err != nil {
		return mustName(err, filepath.Base(path))
	}
	if known {
		return errors.New("nothing was said")
	}
	got, err := readAll(j)
	if err != nil {
		return fmt.Errorf("found only when read: %w", err)
	}
	// Nothing says that the last group was durable: raft's log has it still.
	if len(got) < keep {
		return fmt.Errorf("only %d records are left, %d were durable", len(got), keep)
	}
	if diff := differ(w[:len(got)], got); diff != "" {
		return fmt.Errorf("other records: %s", diff)
	}
	return errCut
}

// tail makes a journal whose last group nobody knows to be durable: the files, how many records are known, and where in
// the last segment the group begins.
func tail(t *testing.T) (files map[string][]byte, last string, w written, known int, begins int64) {
	t.Helper()
	dir := t.TempDir()
	w = makeJournal(t, dir, 12, Options{SegmentBytes: 1500, Sync: NoSync})
	mark := fileBytes(t, dir)[durableName]
	j := openJournal(t, dir, Options{Sync: NoSync})
	known, begins = len(w), j.size
	rng := rand.New(rand.NewPCG(5, 6))
	for range 4 {
		w = append(w, w.next(rng))
		if err := j.Append(w[len(w)-1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files = fileBytes(t, dir)
	last = filepath.Base(j.segs[len(j.segs)-1].path)
	files[durableName] = mark
	return files, last, w, known, begins
}

// goOn opens a journal for good, checks that it has the records, and that it can go on from there.
func goOn(t *testing.T, files map[string][]byte, want written) error {
	dir := putFiles(t, files)
	j, err := Open(dir, toys(), Options{Sync: NoSync})
	if err != nil {
		return err
	}
	want = slices.Clone(want)
	want = append(want, want.next(rand.New(rand.NewPCG(7, 8))))
	if err := j.Append(want[len(want)-1]); err != nil {
		return err
	}
	if err := j.Close(); err != nil {
		return err
	}
	j = openJournal(t, dir, Options{ReadOnly: true})
	got, err := readAll(j)
	if err != nil {
		return err
	}
	if diff := differ(want, got); diff != "" {
		return errors.New(diff)
	}
	return nil
}

// TestTornTailIsCutOff cuts the journal at every byte of the group that was being written. A cut into what is known to
// have been durable is damage.
func TestTornTailIsCutOff(t *testing.T) {
	t.Parallel()
	files, last, w, known, begins := tail(t)
	whole := files[last]
	ends := []int64{begins} // where the group's records end
	dir := putFiles(t, files)
	if err := frames(filepath.Join(dir, last), begins, -1, func(at frame, p []byte) error {
		ends = append(ends, at.offset+frameHeader+int64(len(p)))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for size := begins; size <= int64(len(whole)); size++ {
		files[last] = whole[:size]
		n := known + len(slices.DeleteFunc(slices.Clone(ends[1:]), func(e int64) bool { return e > size }))
		if testing.Short() && size%19 != 0 && !slices.ContainsFunc(ends, func(e int64) bool { return size-1 <= e && e <= size+1 }) {
			continue
		}
		if err := goOn(t, files, w[:n]); err != nil {
			t.Errorf("cut at byte %d of %d: %v", size, len(whole), err)
		}
	}
	for size := range begins {
		if testing.Short() && size%61 != 0 {
			continue
		}
		files[last] = whole[:size]
		d := putFiles(t, files)
		_, err := Open(d, toys(), Options{})
		if err := mustName(err, ""); err != nil {
			t.Errorf("cut at byte %d, where all before %d was durable: %v", size, begins, err)
		}
		if after := fileBytes(t, d); !maps.EqualFunc(files, after, bytes.Equal) {
			t.Fatalf("cut at byte %d: the damaged files were changed", size)
		}
	}
}

// TestTornTailMayHaveHoles: the frames of one group may reach the disk in any order. A hole in it is cut off, with what
// follows; but once a later group follows, the hole is damage, also where the mark is lost.
func TestTornTailMayHaveHoles(t *testing.T) {
	t.Parallel()
	files, last, w, known, begins := tail(t)
	whole := files[last]
	later := maps.Clone(files)
	dir := putFiles(t, files)
	j := openJournal(t, dir, Options{Sync: NoSync})
	longer := append(slices.Clone(w), w.next(rand.New(rand.NewPCG(9, 9))))
	if err := j.Append(longer[len(longer)-1]); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	later[last] = fileBytes(t, dir)[last]
	n := known
	if err := frames(filepath.Join(dir, last), begins, int64(len(whole)), func(at frame, p []byte) error {
		size := frameHeader + len(p)
		for _, hole := range []struct {
			name string
			make func(b []byte)
		}{
			{"a page of zeros", func(b []byte) { clear(b[:size]) }},
			{"zeros at the end", func(b []byte) { clear(b[size/2 : size]) }},
			{"zeros for a header", func(b []byte) { clear(b[:frameHeader]) }},
			{"a length too large", func(b []byte) { b[6] ^= 1 }},
			{"a length too small", func(b []byte) { b[4], b[5] = 1, 0 }},
			{"another distance", func(b []byte) { b[12] ^= 1 }},
		} {
			b := bytes.Clone(whole)
			hole.make(b[at.offset:])
			files[last] = b
			if err := goOn(t, files, w[:n]); err != nil {
				t.Errorf("%s in record %d: %v", hole.name, w[n].Index, err)
			}
			b = bytes.Clone(later[last])
			hole.make(b[at.offset:])
			for _, mark := range [][]byte{files[durableName], {}} {
				files := map[string][]byte{last: b, durableName: mark}
				for name := range later {
					if files[name] == nil {
						files[name] = later[name]
					}
				}
				_, err := Open(putFiles(t, files), toys(), Options{})
				if err := mustName(err, last); err != nil {
					t.Errorf("%s in record %d, with a later group behind: %v", hole.name, w[n].Index, err)
				}
			}
		}
		n++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if n != len(w) {
		t.Fatalf("made holes in %d records of %d", n-known, len(w)-known)
	}
}

// TestSegmentBeingMade: the process may stop anywhere between making a segment and its first record.
func TestSegmentBeingMade(t *testing.T) {
	dir := t.TempDir()
	w := makeJournal(t, dir, 10, Options{SegmentBytes: 900, Sync: NoSync})
	files := fileBytes(t, dir)
	last := w[len(w)-1]
	head := segmentHead(last.Index, last.Next())
	name := filepath.Base(segmentPath(dir, last.Index+1))
	for size := range len(head) + 1 {
		files[name] = head[:size]
		if err := goOn(t, files, w); err != nil {
			t.Errorf("%d bytes of its header: %v", size, err)
		}
	}
	files[name] = make([]byte, len(head)) // the file's size reached the disk before its bytes
	if err := goOn(t, files, w); err != nil {
		t.Errorf("a header of zeros: %v", err)
	}
	files[name] = segmentHead(last.Index+5, last.Next())
	if _, err := Open(putFiles(t, files), toys(), Options{}); mustName(err, name) != nil {
		t.Errorf("a segment that continues another journal: %v", err)
	}
}

// TestMissingFilesAreNamed takes away, renames, swaps and cuts whole files.
func TestMissingFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	w := makeJournal(t, dir, 20, Options{SegmentBytes: 700, Sync: NoSync})
	files := fileBytes(t, dir)
	var segs []string
	for name := range files {
		if name != durableName {
			segs = append(segs, name)
		}
	}
	slices.Sort(segs)
	if len(segs) < 4 {
		t.Fatalf("%d segments are too few", len(segs))
	}
	try := func(what string, change func(files map[string][]byte)) {
		t.Helper()
		for _, mark := range []bool{true, false} {
			files := maps.Clone(files)
			change(files)
			if !mark {
				delete(files, durableName)
			}
			dir := putFiles(t, files)
			j, err := Open(dir, toys(), Options{})
			if err == nil && !mark { // then only the end can be gone, and raft's log shows that
				got, err := readAll(j)
				if err != nil || differ(w[:len(got)], got) != "" || j.Close() != nil {
					t.Errorf("%s, without the mark: %v, %s", what, err, differ(w[:len(got)], got))
				}
				if !strings.Contains(what, segs[len(segs)-1]) {
					t.Errorf("%s, without the mark: nothing was said", what)
				}
				continue
			}
			if err := mustName(err, ""); err != nil {
				t.Errorf("%s (mark %v): %v", what, mark, err)
			}
			if after := fileBytes(t, dir); !maps.EqualFunc(files, after, bytes.Equal) {
				t.Errorf("%s: files were changed", what)
			}
		}
	}
	for i, name := range segs {
		try("without "+name, func(f map[string][]byte) { delete(f, name) })
		try("nothing in "+name, func(f map[string][]byte) { f[name] = nil })
		try("half of "+name, func(f map[string][]byte) { f[name] = f[name][:len(f[name])/2] })
		if i > 0 {
			try("swapped with "+name, func(f map[string][]byte) { f[name], f[segs[i-1]] = f[segs[i-1]], f[name] })
			try("twice what is in "+segs[i-1], func(f map[string][]byte) { f[name] = f[segs[i-1]] })
			try("renamed "+segs[i-1], func(f map[string][]byte) {
				f[strings.Replace(segs[i-1], "0", "1", 1)] = f[segs[i-1]]
				delete(f, segs[i-1])
			})
		}
	}
	try("a stray segment", func(f map[string][]byte) { f["7.journal"] = []byte("x") })
	all := maps.Clone(files)
	for _, name := range segs {
		delete(all, name)
	}
	if _, err := Open(putFiles(t, all), toys(), Options{}); mustName(err, "") != nil {
		t.Errorf("without any segment: %v", err)
	}
}

// TestDamageInUseIsNamed: a file that changes under an open journal.
func TestDamageInUseIsNamed(t *testing.T) {
	dir := t.TempDir()
	makeJournal(t, dir, 10, Options{Sync: NoSync})
	j := openJournal(t, dir, Options{Sync: NoSync})
	path := j.segs[0].path
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"cut":     whole[:len(whole)-10],
		"cut off": whole[:segmentHeader],
		"flipped": append(bytes.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1),
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readAll(j); mustName(err, filepath.Base(path)) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// TestFaultEndsTheJournal has the n-th sync fail, for every n: nothing is taken after it, nothing was promised that a
// restart does not find, and nothing that was promised is missing.
func TestFaultEndsTheJournal(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	for n := 0; ; n++ {
		dir := t.TempDir()
		syncs := 0
		opt := Options{SegmentBytes: 600, Sync: func(*os.File) error {
			if syncs++; syncs > n {
				return broken
			}
			return nil
		}}
		rng := rand.New(rand.NewPCG(11, 12))
		var w written
		j, err := Open(dir, toys(), opt)
		for i := 0; err == nil && i < 12; i++ {
			w = append(w, w.next(rng))
			if err = j.Append(w[i]); err == nil && i%2 == 1 {
				err = j.Sync()
			}
		}
		if err == nil {
			if n < 8 {
				t.Errorf("only %d syncs", n)
			}
			break
		}
		if !errors.Is(err, broken) {
			t.Fatalf("sync %d: %v", n, err)
		}
		promised := Position(0)
		if j != nil {
			promised, _ = j.Durable()
			if _, err := readAll(j); err != nil {
				t.Errorf("sync %d: what was durable cannot be read: %v", n, err)
			}
			before := syncs
			if err := j.Append(w.next(rng)); err == nil {
				t.Errorf("sync %d: the journal takes a record after it", n)
			}
			if err := j.Sync(); err == nil {
				t.Errorf("sync %d: the journal syncs after it", n)
			}
			if err := j.Close(); err != nil {
				t.Errorf("sync %d: close: %v", n, err)
			}
			if syncs != before {
				t.Errorf("sync %d: the disk was asked again", n)
			}
		}
		j = openJournal(t, dir, Options{SegmentBytes: 600, Sync: NoSync})
		got, err := readAll(j)
		if err != nil || differ(w[:len(got)], got) != "" {
			t.Errorf("sync %d, restarted: %v %s", n, err, differ(w[:len(got)], got))
		}
		if at, _ := j.Durable(); at < promised {
			t.Errorf("sync %d: %d events were durable, %d are left", n, promised, at)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestRestartSyncsWhatItFinds: a process that was killed may have written and not synced. What the next one finds is
// durable only when it has synced it itself.
func TestRestartSyncsWhatItFinds(t *testing.T) {
	dir := t.TempDir()
	makeJournal(t, dir, 5, Options{Sync: NoSync})
	var synced []string
	j := openJournal(t, dir, Options{Sync: func(f *os.File) error {
		synced = append(synced, filepath.Base(f.Name()))
		return nil
	}})
	if want := filepath.Base(j.segs[0].path); !slices.Contains(synced, want) || !slices.Contains(synced, filepath.Base(dir)) {
		t.Errorf("synced %q, and not %s and its directory", synced, want)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzSegment reads any bytes as a segment, and as the payload of its first frame.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	w := makeJournal(f, dir, 2, Options{Sync: NoSync})
	for name, b := range fileBytes(f, dir) {
		if name != durableName {
			f.Add(b)
			f.Add(b[:len(b)-3])
			f.Add(append(bytes.Clone(b), marker[:]...))
		}
	}
	for _, r := range w {
		b, err := r.AppendCBOR(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	dir = f.TempDir()
	file, err := os.Create(segmentPath(dir, w[0].Index))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { file.Close() })
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, appendFrame(segmentHead(0, 1), b, 0)} {
			if _, err := file.WriteAt(b, 0); err != nil { // not by truncating first: some file systems sync then
				t.Fatal(err)
			}
			if err := file.Truncate(int64(len(b))); err != nil {
				t.Fatal(err)
			}
			openAny(t, dir)
		}
	})
}

// openAny opens a journal that may be anything: it is named as damaged, or it can be read.
func openAny(t *testing.T, dir string) {
	j, err := Open(dir, toys(), Options{ReadOnly: true})
	if err != nil {
		if mustName(err, "") != nil {
			t.Fatalf("not named: %v", err)
		}
		return
	}
	if _, err := readAll(j); err != nil {
		t.Fatalf("opened, but then: %v", err)
	}
	seen := j.Next() - 1
	if err := j.Entries(1, func(Entry) error { seen--; return nil }); err == nil && seen != 0 {
		t.Fatalf("%d events are missing", seen)
	}
}
