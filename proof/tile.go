package proof

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// TileWidth is how many hashes or entries a full tile holds (C2SP tlog-tiles).
const TileWidth = 1 << tileHeight

const tileHeight = 8

// maxTileLevel is the highest level that a tree of 2^63 entries has.
const maxTileLevel = 7

// CheckpointPath is where a log publishes its signed checkpoint, below its prefix.
const CheckpointPath = "checkpoint"

// TilePath is where a tile of hashes stands: "tile/LEVEL/N", and ".p/WIDTH" behind it for a partial tile, that is for
// widths 1 to 255. N is written in groups of three digits: x001/x234/067.
func TilePath(level int, n int64, width int) string {
	return "tile/" + strconv.Itoa(level) + "/" + tileName(n, width)
}

// EntriesPath is where the bundle of entries below the n-th tile of level 0 stands: "tile/entries/N[.p/WIDTH]".
func EntriesPath(n int64, width int) string {
	return "tile/entries/" + tileName(n, width)
}

func tileName(n int64, width int) string {
	name := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		name = fmt.Sprintf("x%03d/%s", n%1000, name)
	}
	if width < TileWidth {
		name += ".p/" + strconv.Itoa(width)
	}
	return name
}

// TileID names one file of a log that holds tiles.
type TileID struct {
	Entries bool // a bundle of entries; else hashes
	Level   int  // of hashes, 0 to 7; 0 for entries
	N       int64
	Width   int // 1 to 256; 256 is a full tile
}

// Path is where the tile stands; see [TilePath] and [EntriesPath].
func (t TileID) Path() string {
	if t.Entries {
		return EntriesPath(t.N, t.Width)
	}
	return TilePath(t.Level, t.N, t.Width)
}

// ParseTilePath reads a path, as a server of tiles must, and refuses every spelling but the one that Path writes.
func ParseTilePath(path string) (TileID, error) {
	bad := refuse("path", fmt.Sprintf("%.80q is not the path of a tile", path), "like tile/0/x001/234 or tile/entries/000.p/7")
	rest, ok := strings.CutPrefix(path, "tile/")
	kind, rest, cut := strings.Cut(rest, "/")
	if !ok || !cut || len(path) > 80 {
		return TileID{}, bad
	}
	t := TileID{Width: TileWidth}
	if kind == "entries" {
		t.Entries = true
	} else if level, err := strconv.Atoi(kind); err == nil && 0 <= level && level <= maxTileLevel {
		t.Level = level
	} else {
		return TileID{}, bad
	}
	name, width, partial := strings.Cut(rest, ".p/")
	if partial {
		w, err := strconv.Atoi(width)
		if err != nil || w < 1 || w >= TileWidth {
			return TileID{}, bad
		}
		t.Width = w
	}
	n, err := strconv.ParseInt(strings.NewReplacer("x", "", "/", "").Replace(name), 10, 64)
	if err != nil || n < 0 {
		return TileID{}, bad
	}
	if t.N = n; t.Path() != path {
		return TileID{}, bad
	}
	return t, nil
}

// Tiles lists the files that a log of the given size consists of beyond those of an older size, in an order that is
// safe to write in: entries before the hashes over them. From 0 it lists the whole log.
func Tiles(older, size int64) []TileID {
	var ids []TileID
	for _, t := range tlog.NewTiles(tileHeight, older, size) {
		if t.L == 0 {
			ids = append(ids, TileID{Entries: true, N: t.N, Width: t.W})
		}
		ids = append(ids, TileID{Level: t.L, N: t.N, Width: t.W})
	}
	return ids
}

// EncodeBundle puts entries into the form of a bundle: each behind its length as two bytes, big-endian. An entry longer
// than [MaxEntry] or a bundle of more than 256 is an error.
func EncodeBundle(entries [][]byte) ([]byte, error) {
	if len(entries) > TileWidth {
		return nil, refuse("bundle", fmt.Sprintf("%d entries, a bundle holds %d", len(entries), TileWidth), "")
	}
	var b []byte
	for _, e := range entries {
		if len(e) > MaxEntry {
			return nil, refuse("bundle", fmt.Sprintf("an entry of %d bytes, the log takes %d", len(e), MaxEntry), "")
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(e)))
		b = append(b, e...)
	}
	return b, nil
}

// ParseBundle takes a bundle apart. The entries share the bundle's memory.
func ParseBundle(b []byte) ([][]byte, error) {
	var entries [][]byte
	for len(b) > 0 {
		if len(entries) == TileWidth {
			return nil, refuse("bundle", fmt.Sprintf("%d bytes after the %dth entry", len(b), TileWidth), "")
		}
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, refuse("bundle", fmt.Sprintf("entry %d is cut off", len(entries)), "fetch it again")
		}
		n := int(binary.BigEndian.Uint16(b))
		entries = append(entries, b[2:2+n:2+n])
		b = b[2+n:]
	}
	return entries, nil
}

// CheckBundle verifies that the bundle's entries are those whose hashes the tile of level 0 holds, and gives them.
func CheckBundle(bundle, tile []byte) ([][]byte, error) {
	entries, err := ParseBundle(bundle)
	if err != nil {
		return nil, err
	}
	if len(tile) != len(entries)*tlog.HashSize {
		return nil, refuse("bundle", fmt.Sprintf("%d entries under a tile of %d bytes", len(entries), len(tile)), "")
	}
	for i, e := range entries {
		if tlog.RecordHash(e) != Hash(tile[i*tlog.HashSize:(i+1)*tlog.HashSize]) {
			return nil, refuse("bundle", fmt.Sprintf("entry %d does not have the hash that the tile says", i), "")
		}
	}
	return entries, nil
}

// ReadTile reads a file of a log by its path below the log's prefix, from a folder, an object store or a web server.
type ReadTile func(path string) ([]byte, error)

// VerifiedHashes reads the hashes of a log that somebody else keeps, and lets none through that the checkpoint's root
// does not vouch for. Use it with tlog.ProveRecord, tlog.ProveTree and tlog.TreeHash.
func VerifiedHashes(c Checkpoint, read ReadTile) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: c.Size, Hash: c.Root}, tileReader(read))
}

type tileReader ReadTile

func (tileReader) Height() int                     { return tileHeight }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		var err error
		if data[i], err = readTile(ReadTile(r), t.L, t.N, t.W); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// readTile reads the hashes of a tile. A partial tile may be gone once the full one is there, which begins alike.
func readTile(read ReadTile, level int, n int64, width int) ([]byte, error) {
	path := TilePath(level, n, width)
	b, err := read(path)
	if err != nil && width < TileWidth {
		if full, err2 := read(TilePath(level, n, TileWidth)); err2 == nil && len(full) == TileWidth*tlog.HashSize {
			return full[:width*tlog.HashSize], nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("proof: read %s: %w", path, err)
	}
	if len(b) != width*tlog.HashSize {
		return nil, refuse(path, fmt.Sprintf("%d bytes, a tile of width %d has %d", len(b), width, width*tlog.HashSize), "fetch it again")
	}
	return b, nil
}

// readEntries reads the entries under a tile of level 0, and holds them against its hashes.
func readEntries(read ReadTile, n int64, tile []byte) ([][]byte, error) {
	width := len(tile) / tlog.HashSize
	path := EntriesPath(n, width)
	b, err := read(path)
	if err != nil && width < TileWidth {
		if full, err2 := read(EntriesPath(n, TileWidth)); err2 == nil {
			if entries, err2 := ParseBundle(full); err2 == nil && len(entries) == TileWidth {
				b, err = EncodeBundle(entries[:width])
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("proof: read %s: %w", path, err)
	}
	entries, err := CheckBundle(b, tile)
	if err != nil {
		return nil, fmt.Errorf("proof: %s: %w", path, err)
	}
	return entries, nil
}
