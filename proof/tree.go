package proof

import (
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Tree is the public log as its writer keeps it: in memory only the right edge, at most one partial tile a level and
// one bundle of entries. Full tiles are written once and read back when an old proof needs them. It is not safe for
// concurrent use.
type Tree struct {
	read    ReadTile
	size    int64
	edge    [maxTileLevel + 1][]byte // hashes of the partial tile of each level
	entries [][]byte                 // of the partial bundle
	flushed int64                    // size up to which the files are durable
	full    []fullTile               // full tiles not yet known to be durable
}

type fullTile struct {
	File
	size int64 // of the tree that completed it
}

// File is one file of a log: what to write where, below the log's prefix.
type File struct {
	Path string
	Data []byte
}

// NewTree makes an empty log. The function reads back full tiles that Flush gave out.
func NewTree(read ReadTile) *Tree { return &Tree{read: read} }

// OpenTree continues a log that has been flushed at the checkpoint's size; files of a larger log do no harm. Its edge
// is read from the tiles and must lead to the checkpoint's root.
func OpenTree(c Checkpoint, read ReadTile) (*Tree, error) {
	t := &Tree{read: read, size: c.Size, flushed: c.Size}
	for level := range t.edge {
		n := c.Size >> (tileHeight * level)
		width := int(n % TileWidth)
		if width == 0 {
			continue
		}
		tile, err := readTile(read, level, n/TileWidth, width)
		if err != nil {
			return nil, err
		}
		tile = slices.Clone(tile) // the edge grows
		t.edge[level] = tile
		if level > 0 {
			continue
		}
		if t.entries, err = readEntries(read, n/TileWidth, tile); err != nil {
			return nil, err
		}
	}
	root, err := t.Root(c.Size)
	if err != nil {
		return nil, err
	}
	if root != c.Root {
		return nil, refuse("checkpoint.root", fmt.Sprintf("the tiles of %d entries lead to another root than the checkpoint's", c.Size),
			"the tiles are damaged or belong to another log: write them anew from the journal")
	}
	return t, nil
}

// Size is the number of entries.
func (t *Tree) Size() int64 { return t.size }

// Append adds an entry of at most [MaxEntry] bytes and gives its index. The tree keeps the entry until its bundle is
// full and flushed.
func (t *Tree) Append(entry []byte) (index int64, err error) {
	if len(entry) > MaxEntry {
		return 0, refuse("entry", fmt.Sprintf("%d bytes, the log takes %d", len(entry), MaxEntry), "")
	}
	t.entries = append(t.entries, entry)
	index = t.size
	t.size++
	t.push(0, index, tlog.RecordHash(entry))
	return index, nil
}

// push adds the n-th hash of a level, and the tile's root to the level above when that fills the tile.
func (t *Tree) push(level int, n int64, h Hash) {
	t.edge[level] = append(t.edge[level], h[:]...)
	tile := t.edge[level]
	if len(tile) < TileWidth*tlog.HashSize {
		return
	}
	t.edge[level] = nil
	if level == 0 {
		bundle, err := EncodeBundle(t.entries)
		if err != nil {
			panic(err) // Append let no entry through that does not fit
		}
		t.full = append(t.full, fullTile{File{EntriesPath(n/TileWidth, TileWidth), bundle}, t.size})
		t.entries = nil
	}
	t.full = append(t.full, fullTile{File{TilePath(level, n/TileWidth, TileWidth), tile}, t.size})
	t.push(level+1, n/TileWidth, tileRoot(tile))
}

// tileRoot is the root over the hashes of a full tile.
func tileRoot(tile []byte) Hash {
	var hashes [TileWidth]Hash
	for i := range hashes {
		hashes[i] = Hash(tile[i*tlog.HashSize:])
	}
	for n := TileWidth / 2; n > 0; n /= 2 {
		for i := range n {
			hashes[i] = tlog.NodeHash(hashes[2*i], hashes[2*i+1])
		}
	}
	return hashes[0]
}

// Flush gives the files to write before a checkpoint of the present size is published: all full tiles that are not yet
// [Tree.Flushed], and the partial ones. Writing a file again is harmless, for a path's content never changes; leaving
// one out is not.
func (t *Tree) Flush() ([]File, error) {
	if t.size == t.flushed {
		return nil, nil
	}
	files := make([]File, 0, len(t.full)+len(t.edge))
	for _, f := range t.full {
		files = append(files, f.File)
	}
	for level, tile := range t.edge {
		if len(tile) == 0 {
			continue
		}
		n, width := t.size>>(tileHeight*(level+1)), len(tile)/tlog.HashSize
		if level == 0 {
			bundle, err := EncodeBundle(t.entries)
			if err != nil {
				return nil, err
			}
			files = append(files, File{EntriesPath(n, width), bundle})
		}
		files = append(files, File{TilePath(level, n, width), slices.Clone(tile)})
	}
	return files, nil
}

// Flushed tells the tree that the files which Flush gave at the size are durable, so that it lets go of full tiles.
func (t *Tree) Flushed(size int64) {
	t.flushed = max(t.flushed, min(size, t.size))
	t.full = slices.DeleteFunc(t.full, func(f fullTile) bool { return f.size <= t.flushed })
}

// ReadHashes implements tlog.HashReader over the edge in memory and the full tiles.
func (t *Tree) ReadHashes(indexes []int64) ([]Hash, error) {
	hashes := make([]Hash, len(indexes))
	var last tlog.Tile // neighbours in a proof often share a tile
	var data []byte
	for i, index := range indexes {
		tile := tlog.TileForIndex(tileHeight, index)
		if data == nil || tile.L != last.L || tile.N != last.N {
			var err error
			if data, err = t.tile(tile); err != nil {
				return nil, err
			}
			last = tile
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("proof: hash %d lies beyond the log's %d entries", index, t.size)
		}
		h, err := tlog.HashFromTile(tile, data[:tile.W*tlog.HashSize], index)
		if err != nil {
			return nil, err
		}
		hashes[i] = h
	}
	return hashes, nil
}

// tile gives the hashes of a tile that the tree has in full, or as far as it has them.
func (t *Tree) tile(id tlog.Tile) ([]byte, error) {
	if id.L > maxTileLevel || id.N > t.size>>(tileHeight*(id.L+1)) {
		return nil, fmt.Errorf("proof: tile %s lies beyond the log's %d entries", TilePath(id.L, id.N, TileWidth), t.size)
	}
	if id.N == t.size>>(tileHeight*(id.L+1)) {
		return t.edge[id.L], nil
	}
	path := TilePath(id.L, id.N, TileWidth)
	for _, f := range t.full {
		if f.Path == path {
			return f.Data, nil
		}
	}
	return readTile(t.read, id.L, id.N, TileWidth)
}

// Root is the root over the first size entries.
func (t *Tree) Root(size int64) (Hash, error) {
	if err := t.within(size); err != nil {
		return Hash{}, err
	}
	return tlog.TreeHash(size, t)
}

// Checkpoint is the head of the log at its present size.
func (t *Tree) Checkpoint(origin string) (Checkpoint, error) {
	root, err := t.Root(t.size)
	return Checkpoint{Origin: origin, Size: t.size, Root: root}, err
}

// Inclusion proves that the entry with the index is in the log of the given size (RFC 6962, section 2.1.1).
func (t *Tree) Inclusion(index, size int64) ([]Hash, error) {
	if err := t.within(size); err != nil {
		return nil, err
	}
	return tlog.ProveRecord(size, index, t)
}

// Consistency proves that the log of the newer size begins with the log of the older (RFC 6962, section 2.1.2).
func (t *Tree) Consistency(older, newer int64) ([]Hash, error) {
	if err := t.within(newer); err != nil {
		return nil, err
	}
	if older == 0 {
		return nil, nil
	}
	return tlog.ProveTree(newer, older, t)
}

func (t *Tree) within(size int64) error {
	if size < 0 || size > t.size {
		return fmt.Errorf("proof: the log has %d entries, not %d", t.size, size)
	}
	return nil
}
