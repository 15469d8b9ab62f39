package replica

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"

	"github.com/hashicorp/raft"

	"github.com/moongate-hub/moongate/journal"
)

// A snapshot is a CBOR sequence: a header; for each table a title and its entries; an end; and behind it the SHA-256
// of everything before.

type snapshotHeader struct {
	_      struct{} `cbor:",toarray"`
	Format int
	Hub    [3]byte
	Index  uint64 // of the last raft entry in it
	Next   journal.Position
	Tables int
}

type tableTitle struct {
	_     struct{} `cbor:",toarray"`
	Room  string
	Table string
	Items uint64
}

const snapshotFormat = 1

type snapshot struct {
	image *image
	index uint64
	node  *Node
}

// Persist writes the image when the journal is durable up to it.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	err := s.node.awaitDurable(s.index)
	if err == nil {
		var size int64
		size, err = s.image.write(sink, s.node.machine.hub, s.index)
		s.node.imaged.Store(size)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("replica: snapshot: %w", err), sink.Cancel())
	}
	return sink.Close()
}

// Release lets the tables write in place again.
func (s *snapshot) Release() { s.image.release() }

func (s *signal) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// write gives the number of bytes written.
func (im *image) write(w io.Writer, hub [3]byte, index uint64) (int64, error) {
	h := sha256.New()
	out := &imageWriter{to: io.MultiWriter(w, h)}
	head := snapshotHeader{Format: snapshotFormat, Hub: hub, Index: index, Next: im.next}
	for _, r := range im.rooms {
		head.Tables += len(r.tables)
	}
	if err := out.write(head); err != nil {
		return 0, err
	}
	for _, r := range im.rooms {
		for _, t := range r.tables {
			if err := out.write(tableTitle{Room: r.name, Table: t.name, Items: t.len()}); err != nil {
				return 0, err
			}
			if err := t.each(out.write); err != nil {
				return 0, fmt.Errorf("%s.%s: %w", r.name, t.name, err)
			}
		}
	}
	if err := out.flush(); err != nil {
		return 0, err
	}
	_, err := w.Write(h.Sum(nil))
	return out.n + sha256.Size, err
}

// imageWriter encodes one value behind the other. The busiest tables append themselves: see [item.appendCBOR].
type imageWriter struct {
	to      io.Writer
	buf     bytes.Buffer
	n       int64
	yielded int // length of buf when others had the processor
}

// Others have the processor after so many bytes: whoever waits for an answer should not wait for a snapshot.
const yieldBytes = 64 << 10

func (w *imageWriter) write(v any) error {
	var done bool
	if a, ok := v.(interface {
		appendCBOR(b []byte) ([]byte, bool)
	}); ok {
		var b []byte
		if b, done = a.appendCBOR(w.buf.AvailableBuffer()); done {
			w.buf.Write(b)
		}
	}
	if !done {
		if err := journal.Encoding.MarshalToBuffer(v, &w.buf); err != nil {
			return err
		}
	}
	if w.buf.Len() < 1<<20 {
		if w.buf.Len()-w.yielded >= yieldBytes {
			w.yielded = w.buf.Len()
			runtime.Gosched()
		}
		return nil
	}
	return w.flush()
}

func (w *imageWriter) flush() error {
	n, err := w.buf.WriteTo(w.to)
	w.n += n
	w.yielded = 0
	return err
}

// load replaces the state by a snapshot's, and gives the index of the last raft entry in it.
func (m *Machine) load(r io.Reader) (uint64, error) {
	h := sha256.New()
	tail := &tailReader{r: bufio.NewReaderSize(r, 64<<10), h: h}
	dec := journal.NewSequence(tail)
	var head snapshotHeader
	if err := dec.Decode(&head); err != nil {
		return 0, fmt.Errorf("the snapshot's header: %w", err)
	}
	if head.Format != snapshotFormat || head.Hub != m.hub {
		return 0, fmt.Errorf("the snapshot is of format %d and hub %x, not of %d and %x", head.Format, head.Hub, snapshotFormat, m.hub)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	tables := map[string]Stored{}
	for _, room := range m.rooms {
		for _, t := range room.Tables() {
			tables[room.Name()+"."+t.name()] = t
			if err := t.restore(0, nil); err != nil && !isCell(t) {
				return 0, err
			}
		}
	}
	for range head.Tables {
		var title tableTitle
		if err := dec.Decode(&title); err != nil {
			return 0, fmt.Errorf("a table's title: %w", err)
		}
		t := tables[title.Room+"."+title.Table]
		if t == nil {
			return 0, fmt.Errorf("the snapshot holds a table %s.%s that this version does not know", title.Room, title.Table)
		}
		if err := t.restore(title.Items, dec.Decode); err != nil {
			return 0, fmt.Errorf("table %s.%s: %w", title.Room, title.Table, err)
		}
	}
	if err := tail.verify(dec); err != nil {
		return 0, err
	}
	if err := m.core.follow(m.core.clock.Get().Rule); err != nil {
		return 0, err
	}
	m.next = head.Next
	for _, room := range m.rooms {
		if b, ok := room.(Rebuilder); ok {
			b.Rebuild()
		}
	}
	return head.Index, nil
}

// isCell tells cells apart: they have no empty form, and keep what they held.
func isCell(t Stored) bool {
	type cell interface{ cell() }
	_, ok := t.(cell)
	return ok
}

// tailReader hashes what it reads but for the last 32 bytes, which it holds back as the expected hash.
type tailReader struct {
	r    *bufio.Reader
	h    hash.Hash
	held []byte
}

func (t *tailReader) Read(p []byte) (int, error) {
	ahead, err := t.r.Peek(min(len(p)+sha256.Size, t.r.Size()))
	n := min(len(ahead)-sha256.Size, len(p))
	if n <= 0 {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.EOF
		}
		t.held = ahead
		return 0, err
	}
	copy(p, ahead[:n])
	t.h.Write(ahead[:n])
	_, err = t.r.Discard(n)
	return n, err
}

func (t *tailReader) verify(dec *journal.Sequence) error {
	var more any
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return errors.New("the snapshot goes on behind its last table")
	}
	if string(t.held) != string(t.h.Sum(nil)) {
		return errors.New("the snapshot's checksum does not match")
	}
	return nil
}
