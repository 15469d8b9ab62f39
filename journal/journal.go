package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sort"
	"sync"

	"github.com/moongate-hub/moongate"
)

// Options of a journal.
type Options struct {
	SegmentBytes int64 // when a new segment file begins; 64 MiB unless set
	ReadOnly     bool  // for checking a copy: nothing is cut off, created or written
	// Sync makes a file's bytes durable; nil means File.Sync. Tests put faults in.
	Sync func(*os.File) error
}

// Journal is the segment files of one directory. One goroutine appends; any may read what is durable.
type Journal struct {
	dir      string
	registry *Registry
	opt      Options

	mu    sync.RWMutex // guards segs and their marks, never held across I/O
	segs  []*segment
	last  uint64   // index of the last record written, 0 for none
	term  uint64   // its term
	next  Position // of the next event written
	fence Position // the position after the last durable event
	done  uint64   // index of the last durable record

	file    *os.File
	mark    *os.File // the file "durable"
	pending []byte
	scratch []byte
	size    int64 // of the current segment, pending bytes included
	synced  int64 // of the current segment: where the group begins that the next sync makes durable
	failed  error // the first fault: nothing is written after it
}

const durableName = "durable"

func (s *segment) note(index uint64, first Position, off int64) {
	if n := len(s.marks); n == 0 || off-s.marks[n-1].offset >= markEvery {
		s.marks = append(s.marks, mark{index, first, off})
	}
}

// Last is the index and term of the last record written.
func (j *Journal) Last() (index, term uint64) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.last, j.term
}

// Next is the position of the next event to be written.
func (j *Journal) Next() Position {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.next
}

// Durable is the position of the last durable event and the index of the last durable record.
func (j *Journal) Durable() (Position, uint64) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.fence - 1, j.done
}

// Append writes a record behind the last one. It is durable after [Journal.Sync]; until then nobody can read it. After
// an error, here or in Sync, the journal takes nothing more: what the disk holds is not known, and a restart finds out.
func (j *Journal) Append(r *Record) error { return j.fail(j.append(r)) }

// fail remembers the first fault.
func (j *Journal) fail(err error) error {
	if j.failed == nil {
		j.failed = err
	}
	return err
}

func (j *Journal) append(r *Record) error {
	if err := j.usable(); err != nil {
		return err
	}
	payload, err := r.AppendCBOR(j.scratch[:0])
	if err != nil {
		return fmt.Errorf("journal: encode record %d: %w", r.Index, err)
	}
	j.scratch = payload
	if len(payload) > maxRecord {
		return fmt.Errorf("journal: record %d has %d bytes, more than %d", r.Index, len(payload), maxRecord)
	}
	if r.Index <= j.last || r.First != j.next {
		return fmt.Errorf("journal: record %d (event %d) cannot follow record %d (event %d due)", r.Index, r.First, j.last, j.next)
	}
	if j.file == nil || j.size >= j.opt.SegmentBytes {
		if err := j.rotate(r.Index); err != nil {
			return err
		}
	}
	off := j.size
	j.pending = appendFrame(j.pending, payload, off-j.synced)
	j.size += frameHeader + int64(len(payload))
	j.mu.Lock()
	j.segs[len(j.segs)-1].note(r.Index, r.First, off)
	j.last, j.term, j.next = r.Index, r.Term, r.Next()
	j.mu.Unlock()
	return nil
}

func (j *Journal) usable() error {
	switch {
	case j.failed != nil:
		return fmt.Errorf("journal: not used after a fault: %w", j.failed)
	case j.opt.ReadOnly:
		return errors.New("journal: opened for reading only")
	}
	return nil
}

func (j *Journal) rotate(first uint64) error {
	if j.file != nil {
		if err := j.sync(); err != nil {
			return err
		}
		if err := j.file.Close(); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	path := segmentPath(j.dir, first)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.file = f
	if _, err := f.Write(segmentHead(j.last, j.next)); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := j.opt.Sync(f); err != nil {
		return fmt.Errorf("journal: sync: %w", err)
	}
	if err := syncDir(j.dir, j.opt.Sync); err != nil {
		return err
	}
	j.mu.Lock()
	j.segs = append(j.segs, &segment{path: path, first: first, size: int64(segmentHeader)})
	j.mu.Unlock()
	j.size, j.synced = int64(segmentHeader), int64(segmentHeader)
	return nil
}

// Sync makes everything appended durable and readable.
func (j *Journal) Sync() error { return j.fail(j.sync()) }

func (j *Journal) sync() error {
	if err := j.usable(); err != nil {
		return err
	}
	if j.file == nil || j.done == j.last {
		return nil
	}
	if _, err := j.file.Write(j.pending); err != nil {
		return fmt.Errorf("journal: write: %w", err)
	}
	j.pending = j.pending[:0]
	if err := j.opt.Sync(j.file); err != nil {
		return fmt.Errorf("journal: sync: %w", err)
	}
	j.synced = j.size
	j.mu.Lock()
	j.segs[len(j.segs)-1].size = j.size
	j.done, j.fence = j.last, j.next
	done := j.done
	j.mu.Unlock()
	return j.writeDurable(done)
}

// Close syncs and closes the files. After a fault it only closes them.
func (j *Journal) Close() error {
	if j.opt.ReadOnly {
		return nil
	}
	var err error
	if j.failed == nil {
		err = j.Sync()
	}
	if j.file != nil {
		err = errors.Join(err, j.file.Close())
	}
	return errors.Join(err, j.mark.Close())
}

// The file "durable" says up to which record the journal is known to be durable: with it, a damaged record can be told
// from one that was being written. It is not synced itself; an older number is harmless.
func (j *Journal) writeDurable(index uint64) error {
	b := binary.LittleEndian.AppendUint64(nil, index)
	b = binary.LittleEndian.AppendUint32(b, Sum(b))
	if _, err := j.mark.WriteAt(b, 0); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

func readDurable(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(b) == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("journal: %w", err)
	}
	if len(b) != 12 || Sum(b[:8]) != binary.LittleEndian.Uint32(b[8:]) {
		return 0, &Damage{File: path, Reason: "the checksum does not match. It only tells a torn record from a damaged one: after `moongate fsck` finds the journal whole, delete it"}
	}
	return binary.LittleEndian.Uint64(b), nil
}

// Records visits the durable records from an index on. The record is the visitor's to keep. The visit stops at the
// visitor's first error, which Records gives back.
func (j *Journal) Records(from uint64, visit func(*Record) error) error {
	return j.visit(func(m mark) bool { return m.index > from }, func(r *Record) error {
		if r.Index < from {
			return nil
		}
		return visit(r)
	})
}

// FromPosition visits the durable records from the one that holds a position on.
func (j *Journal) FromPosition(from Position, visit func(*Record) error) error {
	return j.visit(func(m mark) bool { return m.first > from }, func(r *Record) error {
		if r.Next() <= from {
			return nil
		}
		return visit(r)
	})
}

// visit reads from the last mark before the first one that is beyond.
func (j *Journal) visit(beyond func(mark) bool, visit func(*Record) error) error {
	j.mu.RLock()
	segs := make([]segment, len(j.segs))
	for i, s := range j.segs {
		segs[i] = *s
	}
	done := j.done
	j.mu.RUnlock()
	// A segment without a mark has just begun: whatever comes into it is beyond all that can be asked for.
	start := sort.Search(len(segs), func(i int) bool { return len(segs[i].marks) == 0 || beyond(segs[i].marks[0]) })
	start = max(start-1, 0)
	for i, s := range segs[start:] {
		from := int64(segmentHeader)
		if i == 0 {
			if k := sort.Search(len(s.marks), func(i int) bool { return beyond(s.marks[i]) }); k > 0 {
				from = s.marks[k-1].offset
			}
		}
		err := frames(s.path, from, s.size, func(at frame, payload []byte) error {
			r, err := decodeRecord(payload)
			if err != nil {
				return &Damage{File: s.path, Offset: at.offset, Reason: err.Error()}
			}
			if r.Index > done {
				return errStop
			}
			return visit(r)
		})
		var bad *badFrame
		var torn *tornFrame
		switch {
		case errors.Is(err, errStop):
			return nil
		case errors.As(err, &bad):
			return &Damage{File: s.path, Offset: bad.offset, Reason: bad.reason}
		case errors.As(err, &torn):
			return &Damage{File: s.path, Offset: torn.offset, Reason: "the file was cut while it was in use"}
		case err != nil:
			return err
		}
	}
	return nil
}

var errStop = errors.New("stop")

// Entries visits the durable events from a position on, decoded.
func (j *Journal) Entries(from Position, visit func(Entry) error) error {
	return j.EntriesOf(from, nil, visit)
}

// EntriesOf is Entries for some kinds only; the others are not decoded. Nil means all.
func (j *Journal) EntriesOf(from Position, kinds map[string]bool, visit func(Entry) error) error {
	return j.FromPosition(from, func(r *Record) error {
		pos := r.First
		for i := range r.Done {
			d := &r.Done[i]
			for _, st := range d.Events {
				if pos >= from && (kinds == nil || kinds[st.Kind]) {
					e, err := j.registry.Decode(st)
					if err != nil {
						return err
					}
					if err := visit(Entry{Position: pos, At: d.At, Caller: d.Caller, Event: e}); err != nil {
						return err
					}
				}
				pos++
			}
		}
		return nil
	})
}

// Entry reads one event. What is not there, or not durable yet, is [moongate.NotFound].
func (j *Journal) Entry(pos Position) (Entry, error) {
	var found Entry
	err := j.Entries(pos, func(e Entry) error { found = e; return errStop })
	if err != nil && !errors.Is(err, errStop) {
		return Entry{}, err
	}
	if found.Position != pos || pos == 0 {
		return Entry{}, &moongate.Error{Code: moongate.NotFound, Message: fmt.Sprintf("the journal has no event %d", pos)}
	}
	return found, nil
}

// Outcome reads what became of one command.
func (j *Journal) Outcome(ref Ref) (*Done, error) {
	var found *Done
	err := j.Records(ref.Index, func(r *Record) error {
		if r.Index == ref.Index && int(ref.Number) < len(r.Done) {
			found = &r.Done[ref.Number]
		}
		return errStop
	})
	if err != nil && !errors.Is(err, errStop) {
		return nil, err
	}
	if found == nil {
		return nil, &moongate.Error{Code: moongate.NotFound, Message: fmt.Sprintf("the journal has no command %d of record %d", ref.Number, ref.Index)}
	}
	return found, nil
}

// File is a segment file and how many of its bytes are durable.
type File struct {
	Path string
	Size int64
}

// Files lists the segment files as far as they are durable, and the position and index of the last event and record in
// them: what a backup copies, and says of itself, while the journal goes on.
func (j *Journal) Files() (files []File, at Position, index uint64) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	files = make([]File, 0, len(j.segs))
	for _, s := range j.segs {
		files = append(files, File{Path: s.path, Size: s.size})
	}
	return files, j.fence - 1, j.done
}
