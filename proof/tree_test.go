package proof

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"
)

// shelf is the files of a log, as a folder or an object store would hold them.
type shelf map[string][]byte

func (s shelf) read(path string) ([]byte, error) {
	b, ok := s[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return b, nil
}

// store writes what the tree has to write.
func (s shelf) store(t testing.TB, tree *Tree) {
	t.Helper()
	files, err := tree.Flush()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if was, ok := s[f.Path]; ok && string(was) != string(f.Data) {
			t.Fatalf("%s was written with other bytes before", f.Path)
		}
		s[f.Path] = f.Data
	}
	tree.Flushed(tree.Size())
}

func entryNumber(i int) []byte { return fmt.Appendf(nil, "entry %d\n", i) }

// grown is a log of n entries with its files.
func grown(t testing.TB, n int) (*Tree, shelf) {
	t.Helper()
	files := shelf{}
	tree := NewTree(files.read)
	for i := range n {
		if _, err := tree.Append(entryNumber(i)); err != nil {
			t.Fatal(err)
		}
	}
	files.store(t, tree)
	return tree, files
}

// The leaves and roots that the Certificate Transparency implementations test against (RFC 6962 trees of 0 to 8).
func TestKnownRoots(t *testing.T) {
	leaves := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	tree := NewTree(shelf{}.read)
	for size, want := range roots {
		got, err := tree.Root(int64(size))
		if err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(got[:]) != want {
			t.Errorf("root of %d = %x, want %s", size, got, want)
		}
		if size < len(leaves) {
			data, _ := hex.DecodeString(leaves[size])
			if index, err := tree.Append(data); err != nil || index != int64(size) {
				t.Fatalf("Append = %d, %v", index, err)
			}
		}
	}
}

func TestEveryEntryOfEverySizeProves(t *testing.T) {
	const most = 300
	tree, _ := grown(t, most)
	roots := make([]Hash, most+1)
	for size := range int64(most + 1) {
		var err error
		if roots[size], err = tree.Root(size); err != nil {
			t.Fatal(err)
		}
	}
	for size := range int64(most + 1) {
		for index := range size {
			p, err := tree.Inclusion(index, size)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckRecord(p, size, roots[size], index, tlog.RecordHash(entryNumber(int(index)))); err != nil {
				t.Fatalf("entry %d of %d: %v", index, size, err)
			}
		}
		older, newer := Checkpoint{"log", size, roots[size]}, Checkpoint{"log", most, roots[most]}
		p, err := tree.Consistency(size, most)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyConsistency(older, newer, p); err != nil {
			t.Fatalf("%d to %d: %v", size, most, err)
		}
		older.Root[0] ^= 1
		if err := VerifyConsistency(older, newer, p); err == nil {
			t.Fatalf("%d to %d: another root is consistent too", size, most)
		}
	}
}

// Against tlog's own dense storage, across three levels of tiles.
func TestTreeAgainstStoredHashes(t *testing.T) {
	size := 3*256 + 7
	if !testing.Short() {
		size = 256*256 + 256 + 3
	}
	tree, files := grown(t, size)
	var stored []Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		out := make([]Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for i := range size {
		hashes, err := tlog.StoredHashes(int64(i), entryNumber(i), reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	for _, n := range []int{1, 255, 256, 257, 511, 512, 600, size - 1, size} {
		want, err := tlog.TreeHash(int64(n), reader)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tree.Root(int64(n)); err != nil || got != want {
			t.Errorf("root of %d = %v (%v), want %v", n, got, err, want)
		}
		wantProof, err := tlog.ProveRecord(int64(n), int64(n/3), reader)
		if err != nil {
			t.Fatal(err)
		}
		gotProof, err := tree.Inclusion(int64(n/3), int64(n))
		if diff := cmp.Diff([]Hash(wantProof), gotProof); err != nil || diff != "" {
			t.Errorf("proof of %d in %d: %v %s", n/3, n, err, diff)
		}
	}
	// The files are the ones that tlog would have, and no others.
	want := map[string]bool{}
	for _, id := range Tiles(0, int64(size)) {
		want[id.Path()] = true
		if id.Entries {
			continue
		}
		data, err := tlog.ReadTileData(tlog.Tile{H: 8, L: id.Level, N: id.N, W: id.Width}, reader)
		if err != nil {
			t.Fatal(err)
		}
		if string(files[id.Path()]) != string(data) {
			t.Errorf("%s differs from tlog's", id.Path())
		}
	}
	for path := range files {
		if !want[path] {
			t.Errorf("%s belongs to no log of %d entries", path, size)
		}
	}
	if len(want) != len(files) {
		t.Errorf("%d files, want %d", len(files), len(want))
	}
}

// A writer that stops anywhere and opens its log again writes the same files as one that never stopped.
func TestOpenTreeContinues(t *testing.T) {
	const size = 600
	straight, _ := grown(t, size)
	want, err := straight.Checkpoint("log")
	if err != nil {
		t.Fatal(err)
	}
	for _, stop := range []int{0, 1, 200, 255, 256, 257, 511, 512, 599, 600} {
		tree, files := grown(t, stop)
		c, err := tree.Checkpoint("log")
		if err != nil {
			t.Fatal(err)
		}
		if tree, err = OpenTree(c, files.read); err != nil {
			t.Fatalf("open at %d: %v", stop, err)
		}
		for i := stop; i < size; i++ {
			if _, err := tree.Append(entryNumber(i)); err != nil {
				t.Fatal(err)
			}
			if i%100 == 0 {
				files.store(t, tree)
			}
		}
		files.store(t, tree)
		if got, err := tree.Checkpoint("log"); err != nil || got != want {
			t.Errorf("stopped at %d: %v (%v), want %v", stop, got, err, want)
		}
		for _, id := range Tiles(0, size) {
			if _, ok := files[id.Path()]; !ok {
				t.Errorf("stopped at %d: %s is missing", stop, id.Path())
			}
		}
		if p, err := tree.Inclusion(3, size); err != nil || tlog.CheckRecord(p, size, want.Root, 3, tlog.RecordHash(entryNumber(3))) != nil {
			t.Errorf("stopped at %d: no proof of an old entry: %v", stop, err)
		}
	}
}

// A crash may leave the files of a larger log behind a smaller head, and partial tiles already cleared away.
func TestOpenTreeBehindItsFiles(t *testing.T) {
	larger, files := grown(t, 256*2+9)
	for path := range files {
		if strings.Contains(path, ".p/") {
			delete(files, path)
		}
	}
	for _, size := range []int64{1, 100, 255, 256, 300, 511, 512} {
		root, err := larger.Root(size)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := OpenTree(Checkpoint{"log", size, root}, func(path string) ([]byte, error) {
			if strings.HasPrefix(path, "tile/1/") { // of these there is no full one yet
				id, err := ParseTilePath(path)
				if err != nil {
					return nil, err
				}
				return larger.edge[1][:id.Width*tlog.HashSize], nil
			}
			return files.read(path)
		})
		if err != nil {
			t.Errorf("open at %d: %v", size, err)
			continue
		}
		for i := size; i < larger.Size(); i++ {
			if _, err := tree.Append(entryNumber(int(i))); err != nil {
				t.Fatal(err)
			}
		}
		want, _ := larger.Checkpoint("log")
		if got, err := tree.Checkpoint("log"); err != nil || got != want {
			t.Errorf("continued from %d: %v (%v), want %v", size, got, err, want)
		}
	}
}

func TestOpenTreeNoticesDamage(t *testing.T) {
	tree, files := grown(t, 300)
	c, err := tree.Checkpoint("log")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"} {
		good := files[path]
		for name, bad := range map[string][]byte{
			"flipped": append([]byte{good[0] ^ 1}, good[1:]...),
			"cut":     good[:len(good)-1],
			"missing": nil,
		} {
			files[path] = bad
			if _, err := OpenTree(c, files.read); err == nil {
				t.Errorf("%s %s: opened all the same", path, name)
			}
		}
		files[path] = good
	}
	if _, err := OpenTree(c, files.read); err != nil {
		t.Fatal(err)
	}
}

// Between the writing of files and the word that they are durable, entries may come in; nothing of them is lost.
func TestFlushedLetsGoOnlyOfWhatIsDurable(t *testing.T) {
	files := shelf{}
	tree := NewTree(files.read)
	for i := range 200 {
		if _, err := tree.Append(entryNumber(i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tree.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := 200; i < 300; i++ {
		if _, err := tree.Append(entryNumber(i)); err != nil {
			t.Fatal(err)
		}
	}
	tree.Flushed(200)
	got, err := tree.Flush()
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, f := range got {
		paths = append(paths, f.Path)
	}
	want := []string{"tile/entries/000", "tile/0/000", "tile/entries/001.p/44", "tile/0/001.p/44", "tile/1/000.p/1"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	tree.Flushed(300)
	if got, err := tree.Flush(); err != nil || len(got) != 0 {
		t.Errorf("nothing is new, yet %d files (%v)", len(got), err)
	}
}

func TestTreeRefuses(t *testing.T) {
	tree, _ := grown(t, 10)
	if _, err := tree.Append(make([]byte, MaxEntry+1)); err == nil {
		t.Error("took an entry that no bundle can hold")
	}
	if tree.Size() != 10 {
		t.Errorf("a refused entry counts: size %d", tree.Size())
	}
	for name, f := range map[string]func() error{
		"root beyond":        func() error { _, err := tree.Root(11); return err },
		"negative root":      func() error { _, err := tree.Root(-1); return err },
		"inclusion beyond":   func() error { _, err := tree.Inclusion(10, 10); return err },
		"inclusion in more":  func() error { _, err := tree.Inclusion(1, 11); return err },
		"negative inclusion": func() error { _, err := tree.Inclusion(-1, 5); return err },
		"consistency back":   func() error { _, err := tree.Consistency(6, 5); return err },
		"consistency beyond": func() error { _, err := tree.Consistency(5, 11); return err },
		"hash beyond":        func() error { _, err := tree.ReadHashes([]int64{tlog.StoredHashIndex(0, 10)}); return err },
		"hash far beyond":    func() error { _, err := tree.ReadHashes([]int64{tlog.StoredHashIndex(0, 1<<40)}); return err },
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
