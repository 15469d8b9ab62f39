package proof

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ReadEntries reads the n-th bundle of entries of a log that somebody else keeps, as far as the checkpoint reaches, and
// lets none through that the checkpoint's root does not vouch for.
func ReadEntries(c Checkpoint, read ReadTile, n int64) ([][]byte, error) {
	width := int(min(TileWidth, c.Size-n*TileWidth))
	if n < 0 || width <= 0 {
		return nil, fmt.Errorf("proof: the log of %d entries has no bundle %d", c.Size, n)
	}
	indexes := make([]int64, width)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, n*TileWidth+int64(i))
	}
	hashes, err := VerifiedHashes(c, read).ReadHashes(indexes)
	if err != nil {
		return nil, err
	}
	tile := make([]byte, 0, width*tlog.HashSize)
	for _, h := range hashes {
		tile = append(tile, h[:]...)
	}
	path := EntriesPath(n, width)
	bundle, err := read(path)
	if err != nil && width < TileWidth { // a partial bundle may be gone once the full one is there
		path = EntriesPath(n, TileWidth)
		bundle, err = read(path)
	}
	if err != nil {
		return nil, fmt.Errorf("proof: read %s: %w", path, err)
	}
	entries, err := ParseBundle(bundle)
	if err == nil && len(entries) > width {
		if bundle, err = EncodeBundle(entries[:width]); err != nil {
			return nil, err
		}
	}
	if entries, err = CheckBundle(bundle, tile); err != nil {
		return nil, fmt.Errorf("proof: %s: %w", path, err)
	}
	return entries, nil
}
