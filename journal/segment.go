package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A segment file is a header and frames; its name is the index of its first record. Numbers are little-endian.
//
// The header is the magic line, the index of the record before the segment's first and the position of its first event
// (eight bytes each, so that a missing segment shows), and a CRC-32C of all that.
//
// A frame is a marker, the payload's length, a CRC-32C, the distance back to where the frame's group begins (four bytes
// each), and the payload: a Record in CBOR. A group is what one sync makes durable together. Behind a bad frame, a whole
// one of a later group proves that the bad one had been durable, and one of the same group does not: writes of one
// group may reach the disk in any order.
const (
	magic         = "moongate journal 1\n"
	segmentExt    = ".journal"
	segmentHeader = len(magic) + 8 + 8 + 4
	frameHeader   = 16
	maxRecord     = 64 << 20
	markEvery     = 64 << 10 // bytes between two marks of the sparse index
)

var marker = [4]byte{0x9e, 'r', 'e', 'c'}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum is the checksum of a raft entry as records keep it: CRC-32C.
func Sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// segment is one file, and where to look in it.
type segment struct {
	path  string
	first uint64 // index of its first record
	size  int64  // bytes that are header and whole, durable frames
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
	Repair string // what to do; by default the file is restored from elsewhere
}

func (d *Damage) Error() string {
	repair := d.Repair
	if repair == "" {
		repair = "restore this file from a backup or another node"
	}
	return fmt.Sprintf("%s: damaged at byte %d: %s; %s, nothing was changed", d.File, d.Offset, d.Reason, repair)
}

func appendFrame(b, payload []byte, back int64) []byte {
	start := len(b)
	b = append(b, marker[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(back))
	binary.LittleEndian.PutUint32(b[start+8:], frameSum(b[start:], payload))
	return append(b, payload...)
}

// frameSum covers length and distance too, so that a flipped length cannot pass for a shorter frame.
func frameSum(header, payload []byte) uint32 {
	sum := crc32.Checksum(header[:8], castagnoli)
	sum = crc32.Update(sum, castagnoli, header[12:frameHeader])
	return crc32.Update(sum, castagnoli, payload)
}

func segmentHead(prev uint64, first Position) []byte {
	b := append(make([]byte, 0, segmentHeader), magic...)
	b = binary.LittleEndian.AppendUint64(b, prev)
	b = binary.LittleEndian.AppendUint64(b, uint64(first))
	return binary.LittleEndian.AppendUint32(b, Sum(b))
}

// parseHead reads a segment's header: what stood before it.
func parseHead(b []byte) (prev uint64, first Position, ok bool) {
	if len(b) != segmentHeader || string(b[:len(magic)]) != magic || Sum(b[:segmentHeader-4]) != binary.LittleEndian.Uint32(b[segmentHeader-4:]) {
		return 0, 0, false
	}
	b = b[len(magic):]
	return binary.LittleEndian.Uint64(b), Position(binary.LittleEndian.Uint64(b[8:])), true
}

// frame is where a frame stands and where its group begins.
type frame struct{ offset, group int64 }

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 128<<10) }}

// frames reads a segment's frames from an offset, which is not within its header; visit gets each payload, which it
// must not keep. Without a bound (to < 0) it reads to the end of the file.
func frames(path string, from, to int64, visit func(at frame, payload []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	r := readers.Get().(*bufio.Reader)
	defer readers.Put(r)
	r.Reset(f)
	var buf []byte
	for off := from; to < 0 || off < to; {
		var h [frameHeader]byte
		n, err := io.ReadFull(r, h[:])
		if n == 0 && errors.Is(err, io.EOF) {
			if to < 0 {
				return nil
			}
			return &tornFrame{off} // the bytes were there
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return &tornFrame{off}
		}
		if err != nil {
			return fmt.Errorf("journal: read %s: %w", path, err)
		}
		size, back := binary.LittleEndian.Uint32(h[4:]), int64(binary.LittleEndian.Uint32(h[12:]))
		if [4]byte(h[:4]) != marker {
			return &badFrame{off, "no record begins here"}
		}
		if size > maxRecord || size == 0 || back > off-int64(segmentHeader) {
			return &badFrame{off, fmt.Sprintf("a record of %d bytes, %d behind the beginning of its group", size, back)}
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
		if frameSum(h[:], buf) != binary.LittleEndian.Uint32(h[8:]) {
			return &badFrame{off, "the checksum does not match"}
		}
		if err := visit(frame{off, off - back}, buf); err != nil {
			return err
		}
		off += frameHeader + int64(size)
	}
	return nil
}

// laterGroup tells whether behind a bad or torn frame stands a whole one of a later group: then what is wrong had been
// durable once. It looks for markers, as the bad frame's length says nothing.
func laterGroup(path string, bad int64) (bool, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("journal: %w", err)
	}
	for off := bad + 1; off < int64(len(b)); {
		i := bytes.Index(b[off:], marker[:])
		if i < 0 {
			return false, nil
		}
		off += int64(i)
		h := b[off:]
		if len(h) < frameHeader {
			return false, nil
		}
		size, back := int64(binary.LittleEndian.Uint32(h[4:])), int64(binary.LittleEndian.Uint32(h[12:]))
		if size == 0 || size > int64(len(h))-frameHeader || frameSum(h[:frameHeader], h[frameHeader:frameHeader+size]) != binary.LittleEndian.Uint32(h[8:]) {
			off++
			continue
		}
		if off-back > bad {
			return true, nil
		}
		off += frameHeader + size
	}
	return false, nil
}

type tornFrame struct{ offset int64 }

func (t *tornFrame) Error() string { return fmt.Sprintf("torn record at byte %d", t.offset) }

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

// SyncDir makes a new or renamed file's name durable.
func SyncDir(dir string) error { return syncDir(dir, (*os.File).Sync) }

func syncDir(dir string, sync func(*os.File) error) error {
	if runtime.GOOS == "windows" { // a directory cannot be synced there, and need not be
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer d.Close() //nolint:errcheck // read only
	if err := sync(d); err != nil {
		return fmt.Errorf("journal: sync %s: %w", dir, err)
	}
	return nil
}

// WriteFile replaces a small file: whole or not at all, and durable when it returns.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	return writeFile(path, data, mode, (*os.File).Sync)
}

func writeFile(path string, data []byte, mode os.FileMode, sync func(*os.File) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone after the rename
	if _, err = tmp.Write(data); err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil {
		err = sync(tmp)
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
	return syncDir(filepath.Dir(path), sync)
}
