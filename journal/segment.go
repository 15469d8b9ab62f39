package journal

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A segment file is a header and frames. A frame is the payload's length and CRC-32C, four bytes each, little-endian,
// and the payload: a Record in CBOR. The file's name is the index of its first record.
const (
	magic       = "moongate journal 1\n"
	segmentExt  = ".journal"
	frameHeader = 8
	maxRecord   = 64 << 20
	markEvery   = 64 << 10 // bytes between two marks of the sparse index
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum is the checksum of a raft entry as records keep it: CRC-32C.
func Sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// segment is one file, and where to look in it.
type segment struct {
	path  string
	first uint64 // index of its first record
	size  int64  // bytes that are whole frames
	marks []mark
}

// mark says where a record begins.
type mark struct {
	index  uint64
	first  Position
	offset int64
}

// Damage is a fault in a file of the journal's: it is named and never skipped.
type Damage struct {
	File   string
	Offset int64
	Reason string
}

func (d *Damage) Error() string {
	return fmt.Sprintf("%s: damaged at byte %d: %s; restore this file from a backup or another node, nothing was changed", d.File, d.Offset, d.Reason)
}

// errTorn is a frame that was being written when the machine stopped.
var errTorn = errors.New("torn")

func appendFrame(b, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload))) //nolint:gosec // bounded by maxRecord
	b = binary.LittleEndian.AppendUint32(b, frameSum(payload))
	return append(b, payload...)
}

// frameSum covers the length too, so that a flipped length cannot pass for a shorter frame.
func frameSum(payload []byte) uint32 {
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(payload))) //nolint:gosec // bounded by maxRecord
	return crc32.Update(crc32.Checksum(n[:], castagnoli), castagnoli, payload)
}

// frames reads a segment's frames from an offset; visit gets each payload, which it must not keep.
func frames(path string, from, to int64, visit func(offset int64, payload []byte) error) error {
	f, err := os.Open(path) //nolint:gosec // our own directory
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	if from == 0 {
		from = int64(len(magic))
		head := make([]byte, len(magic))
		if _, err := io.ReadFull(f, head); err != nil || string(head) != magic {
			return &Damage{File: path, Reason: "this is not the beginning of a journal segment"}
		}
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	r := bufio.NewReaderSize(f, 256<<10)
	var buf []byte
	for off := from; to < 0 || off < to; {
		var h [frameHeader]byte
		n, err := io.ReadFull(r, h[:])
		if n == 0 && errors.Is(err, io.EOF) {
			return nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return &tornFrame{off}
		}
		if err != nil {
			return fmt.Errorf("journal: read %s: %w", path, err)
		}
		size := binary.LittleEndian.Uint32(h[:])
		if size > maxRecord || size == 0 {
			return &badFrame{off, fmt.Sprintf("a record of %d bytes", size)}
		}
		if cap(buf) < int(size) {
			buf = make([]byte, size, size*5/4)
		}
		buf = buf[:size]
		if _, err := io.ReadFull(r, buf); errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return &tornFrame{off}
		} else if err != nil {
			return fmt.Errorf("journal: read %s: %w", path, err)
		}
		if frameSum(buf) != binary.LittleEndian.Uint32(h[4:]) {
			return &badFrame{off, "the checksum does not match"}
		}
		if err := visit(off, buf); err != nil {
			return err
		}
		off += frameHeader + int64(size)
	}
	return nil
}

type tornFrame struct{ offset int64 }

func (t *tornFrame) Error() string { return fmt.Sprintf("torn record at byte %d", t.offset) }
func (t *tornFrame) Unwrap() error { return errTorn }

type badFrame struct {
	offset int64
	reason string
}

func (b *badFrame) Error() string {
	return fmt.Sprintf("bad record at byte %d: %s", b.offset, b.reason)
}

// listSegments finds the segment files of a directory, in order.
func listSegments(dir string) ([]*segment, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var segs []*segment
	for _, d := range names {
		base, ok := strings.CutSuffix(d.Name(), segmentExt)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(base, 10, 64)
		if err != nil || fmt.Sprintf("%020d", n) != base {
			return nil, &Damage{File: filepath.Join(dir, d.Name()), Reason: "a segment's name is the index of its first record in 20 digits"}
		}
		segs = append(segs, &segment{path: filepath.Join(dir, d.Name()), first: n})
	}
	slices.SortFunc(segs, func(a, b *segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return segs, nil
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%020d%s", first, segmentExt))
}

// syncDir makes a new or renamed file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // our own directory
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer d.Close() //nolint:errcheck // read only
	if err := d.Sync(); err != nil {
		return fmt.Errorf("journal: sync %s: %w", dir, err)
	}
	return nil
}

// WriteFile replaces a small file: whole or not at all, and durable when it returns.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone after the rename
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("journal: write %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}
