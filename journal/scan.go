package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Open reads a journal's directory, which it creates where it is missing, and checks every checksum. What was being
// written when the process or the machine stopped is cut off: its entries are still in raft's log, and nobody was told
// of them. Any other fault is a [*Damage], and then no file was changed.
func Open(dir string, registry *Registry, opt Options) (*Journal, error) {
	if opt.SegmentBytes == 0 {
		opt.SegmentBytes = 64 << 20
	}
	if opt.Sync == nil {
		opt.Sync = (*os.File).Sync
	}
	if !opt.ReadOnly {
		if err := makeDir(dir, opt.Sync); err != nil {
			return nil, err
		}
	}
	j := &Journal{dir: dir, registry: registry, opt: opt, next: 1, fence: 1}
	segs, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	durable, err := readDurable(filepath.Join(dir, durableName))
	if err != nil {
		return nil, err
	}
	var tail int64 // of the last segment: what is behind was not known to be durable
	for i, s := range segs {
		if tail, err = j.scan(s, i == len(segs)-1, durable); err != nil {
			return nil, err
		}
		j.segs = append(j.segs, s)
	}
	if j.last < durable {
		return nil, &Damage{File: dir, Reason: fmt.Sprintf("the journal was durable up to record %d but ends at %d: a file is missing or was cut", durable, j.last)}
	}
	var empty string
	if n := len(j.segs); n > 0 && len(j.segs[n-1].marks) == 0 { // the process stopped when it had just begun the file
		empty = j.segs[n-1].path
		j.segs = j.segs[:n-1]
	}
	j.done, j.fence = j.last, j.next
	if opt.ReadOnly {
		return j, nil
	}
	if empty != "" {
		if err := os.Remove(empty); err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
		tail = 0
	}
	if err := j.continueAt(tail); err != nil {
		return nil, err
	}
	return j, nil
}

// continueAt opens the files for writing and makes durable what was found: the process before this one may have been
// killed between writing and syncing.
func (j *Journal) continueAt(tail int64) (err error) {
	if j.mark, err = os.OpenFile(filepath.Join(j.dir, durableName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	n := len(j.segs)
	if n == 0 {
		return nil
	}
	s := j.segs[n-1]
	if err := settle(s.path, tail, s.size, j.opt.Sync); err != nil {
		return errors.Join(err, j.mark.Close())
	}
	if err := syncDir(j.dir, j.opt.Sync); err != nil {
		return errors.Join(err, j.mark.Close())
	}
	if j.file, err = os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return errors.Join(fmt.Errorf("journal: %w", err), j.mark.Close())
	}
	j.size, j.synced = s.size, s.size
	return j.writeDurable(j.done)
}

// settle cuts a file to its size and makes it durable from an offset on. The bytes are written again, as a sync that
// failed may have left them in memory alone, marked as clean.
func settle(path string, from, size int64, sync func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer f.Close() //nolint:errcheck // synced below
	if err := f.Truncate(size); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if from > 0 && from < size {
		b := make([]byte, size-from)
		if _, err := f.ReadAt(b, from); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if _, err := f.WriteAt(b, from); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	if err := sync(f); err != nil {
		return fmt.Errorf("journal: sync: %w", err)
	}
	return nil
}

// scan checks a segment and notes where its records are. It gives the offset behind the last record that is known to
// have been durable, for the last segment.
func (j *Journal) scan(s *segment, isLast bool, durable uint64) (tail int64, err error) {
	head, more, err := readHead(s.path)
	if err != nil {
		return 0, err
	}
	prev, first, ok := parseHead(head)
	switch {
	case !ok && isLast && !more:
		return 0, nil // it was being made when the machine stopped, and holds nothing
	case !ok:
		return 0, &Damage{File: s.path, Reason: "this is not the beginning of a journal segment"}
	case prev != j.last || first != j.next:
		return 0, &Damage{File: s.path, Reason: fmt.Sprintf("the file continues record %d (next event %d) but the one before it ends with record %d (next event %d): a file is missing or was cut", prev, first, j.last, j.next)}
	}
	s.size = int64(segmentHeader)
	tail = s.size
	err = frames(s.path, s.size, -1, func(at frame, payload []byte) error {
		index, first, next, term, err := recordBounds(payload)
		switch {
		case err != nil:
			return &Damage{File: s.path, Offset: at.offset, Reason: err.Error()}
		case len(s.marks) == 0 && index != s.first:
			return &Damage{File: s.path, Offset: at.offset, Reason: fmt.Sprintf("the file is named for record %d but begins with %d", s.first, index)}
		case index <= j.last:
			return &Damage{File: s.path, Offset: at.offset, Reason: fmt.Sprintf("record %d follows record %d", index, j.last)}
		case first != j.next:
			return &Damage{File: s.path, Offset: at.offset, Reason: fmt.Sprintf("record %d begins with event %d where %d was due", index, first, j.next)}
		}
		s.note(index, first, at.offset)
		j.last, j.next, j.term = index, next, term
		s.size = at.offset + frameHeader + int64(len(payload))
		if index <= durable {
			tail = s.size
		}
		return nil
	})
	var torn *tornFrame
	var bad *badFrame
	var at int64
	var reason string
	switch {
	case err == nil:
		return tail, nil
	case errors.As(err, &torn):
		at, reason = torn.offset, "the file ends in the middle of a record"
	case errors.As(err, &bad):
		at, reason = bad.offset, bad.reason
	default:
		return 0, err
	}
	if !isLast || j.last < durable {
		return 0, &Damage{File: s.path, Offset: at, Reason: reason}
	}
	later, err := laterGroup(s.path, at)
	if err != nil {
		return 0, err
	}
	if later {
		return 0, &Damage{File: s.path, Offset: at, Reason: reason + ", and a later one follows"}
	}
	return tail, nil
}

// readHead reads a segment's header, and tells whether something stands behind it.
func readHead(path string) (head []byte, more bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, fmt.Errorf("journal: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	head = make([]byte, segmentHeader+1)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, false, fmt.Errorf("journal: read %s: %w", path, err)
	}
	return head[:min(n, segmentHeader)], n > segmentHeader, nil
}

// makeDir makes a directory whose name is durable.
func makeDir(dir string, sync func(*os.File) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return syncDir(filepath.Dir(dir), sync)
}

// recordBounds reads what the index needs of a record.
func recordBounds(payload []byte) (index uint64, first, next Position, term uint64, err error) {
	var r Record
	events := 0
	if parse(payload, func(p *Parser) { events = r.bounds(p) }) {
		return r.Index, r.First, r.First + Position(events), r.Term, nil
	}
	if r, err := decodeRecord(payload); err != nil {
		return 0, 0, 0, 0, fmt.Errorf("not a record: %w", err)
	} else {
		return r.Index, r.First, r.Next(), r.Term, nil
	}
}
