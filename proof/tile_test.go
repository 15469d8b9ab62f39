package proof

import (
	"bytes"
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		id   TileID
		want string
	}{
		{TileID{N: 0, Width: 256}, "tile/0/000"},
		{TileID{N: 1234067, Width: 256}, "tile/0/x001/x234/067"},
		{TileID{Level: 1, N: 1234067, Width: 8}, "tile/1/x001/x234/067.p/8"},
		{TileID{Level: 7, N: 1000, Width: 255}, "tile/7/x001/000.p/255"},
		{TileID{Entries: true, N: 999, Width: 1}, "tile/entries/999.p/1"},
		{TileID{Entries: true, N: 1234067, Width: 256}, "tile/entries/x001/x234/067"},
	} {
		if got := c.id.Path(); got != c.want {
			t.Errorf("path = %s, want %s", got, c.want)
		}
		if got, err := ParseTilePath(c.want); err != nil || got != c.id {
			t.Errorf("ParseTilePath(%s) = %+v, %v", c.want, got, err)
		}
		p := uint8(c.id.Width) // 256 is 0, which is how Tessera says full
		theirs := layout.TilePath(uint64(c.id.Level), uint64(c.id.N), p)
		if c.id.Entries {
			theirs = layout.EntriesPath(uint64(c.id.N), p)
		}
		if theirs != c.want {
			t.Errorf("Tessera writes %s, we write %s", theirs, c.want)
		}
	}
	for _, bad := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/0000", "tile/00/000", "tile/8/000", "tile/-1/000",
		"tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/+1", "tile/0/x000/001",
		"tile/0/001/001", "tile/0/x001/x001", "tile/0/../000", "tile/data/000", "tile/0/000/", "/tile/0/000", "tile/0/x-01/000",
		"tile/0/x999/x999/x999/x999/x999/x999/x999/999",
	} {
		if id, err := ParseTilePath(bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, id)
		}
	}
}

func TestBundleIsTesseras(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 1, TileWidth).Draw(t, "entries")
		b, err := EncodeBundle(entries)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseBundle(b)
		if err != nil {
			t.Fatal(err)
		}
		var theirs api.EntryBundle
		if err := theirs.UnmarshalText(b); err != nil {
			t.Fatal(err)
		}
		if !equal(got, entries) || !equal(theirs.Entries, entries) {
			t.Fatal("the entries are not those that were put in")
		}
	})
}

func equal(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func TestBundleRefuses(t *testing.T) {
	if _, err := EncodeBundle(make([][]byte, TileWidth+1)); err == nil {
		t.Error("257 entries in a bundle")
	}
	if _, err := EncodeBundle([][]byte{make([]byte, MaxEntry+1)}); err == nil {
		t.Error("an entry that two bytes cannot count")
	}
	for name, b := range map[string][]byte{
		"half a length": {0}, "no entry": {0, 1}, "half an entry": {0, 2, 7}, "one too many": make([]byte, 2*TileWidth+2),
	} {
		if _, err := ParseBundle(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	tree, files := grown(t, 3)
	tile, bundle := files["tile/0/000.p/3"], files["tile/entries/000.p/3"]
	if _, err := CheckBundle(bundle, tile); err != nil {
		t.Errorf("bundle of a log of %d: %v", tree.Size(), err)
	}
	if _, err := CheckBundle(bundle, tile[32:]); err == nil {
		t.Error("a bundle under a tile of another width")
	}
	bundle[3] ^= 1
	if _, err := CheckBundle(bundle, tile); err == nil {
		t.Error("a changed entry under its old hash")
	}
}

// Tessera's client reads our log: checkpoint, tiles, bundles, inclusion and consistency.
func TestTesseraReadsOurLog(t *testing.T) {
	ctx := context.Background()
	signer, verifier := keys(t, "hub.example/log", 1)
	for _, size := range []int{1, 2, 255, 256, 257, 700} {
		tree, files := grown(t, size)
		c, err := tree.Checkpoint("hub.example/log")
		if err != nil {
			t.Fatal(err)
		}
		signed, err := c.Sign(signer)
		if err != nil {
			t.Fatal(err)
		}
		theirs, _, _, err := client.FetchCheckpoint(ctx, func(context.Context) ([]byte, error) { return signed, nil }, verifier, "hub.example/log")
		if err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		if theirs.Size != uint64(size) || Hash(theirs.Hash) != c.Root {
			t.Fatalf("size %d: Tessera reads %d %x", size, theirs.Size, theirs.Hash)
		}
		tiles := func(_ context.Context, level, index uint64, p uint8) ([]byte, error) {
			return files.read(layout.TilePath(level, index, p))
		}
		bundles := func(_ context.Context, index uint64, p uint8) ([]byte, error) {
			return files.read(layout.EntriesPath(index, p))
		}
		builder, err := client.NewProofBuilder(ctx, theirs.Size, tiles)
		if err != nil {
			t.Fatal(err)
		}
		for _, index := range []uint64{0, uint64(size) / 2, uint64(size) - 1} {
			p, err := builder.InclusionProof(ctx, index)
			if err != nil {
				t.Fatalf("entry %d of %d: %v", index, size, err)
			}
			leaf := rfc6962.DefaultHasher.HashLeaf(entryNumber(int(index)))
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, theirs.Size, leaf, p, theirs.Hash); err != nil {
				t.Fatalf("entry %d of %d: %v", index, size, err)
			}
			b, err := client.GetEntryBundle(ctx, bundles, index/TileWidth, theirs.Size)
			if err != nil {
				t.Fatalf("bundle of entry %d of %d: %v", index, size, err)
			}
			if got := b.Entries[index%TileWidth]; !bytes.Equal(got, entryNumber(int(index))) {
				t.Fatalf("entry %d of %d = %q", index, size, got)
			}
		}
		older := uint64(size+1) / 2
		p, err := builder.ConsistencyProof(ctx, older, theirs.Size)
		if err != nil {
			t.Fatal(err)
		}
		root, err := tree.Root(int64(older))
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, older, theirs.Size, p, root[:], theirs.Hash); err != nil {
			t.Fatalf("%d to %d: %v", older, size, err)
		}
	}
}

// Hashes that another keeps go through only as far as the root vouches for them.
func TestVerifiedHashes(t *testing.T) {
	tree, files := grown(t, 700)
	c, err := tree.Checkpoint("log")
	if err != nil {
		t.Fatal(err)
	}
	want, err := tree.Inclusion(5, 700)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tlog.ProveRecord(700, 5, VerifiedHashes(c, files.read))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, []Hash(got)); diff != "" {
		t.Errorf("proof (-want +got):\n%s", diff)
	}
	files["tile/0/000"][40] ^= 1
	if _, err := tlog.ProveRecord(700, 5, VerifiedHashes(c, files.read)); err == nil {
		t.Error("a changed tile went through")
	}
	files["tile/0/000"] = files["tile/0/000"][1:]
	if _, err := tlog.ProveRecord(700, 5, VerifiedHashes(c, files.read)); err == nil {
		t.Error("a short tile went through")
	}
}

// keys makes a pair from a number.
func keys(t testing.TB, name string, seed byte) (note.Signer, note.Verifier) {
	t.Helper()
	secret, public, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)), name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier
}
