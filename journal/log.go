package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/proof"
)

// Log is the public log: a Merkle tree whose entries are the roots of intervals of the journal and the public acts in
// plain, kept as C2SP tlog-tiles files below its directory. It follows from the journal alone; what of it was lost is
// made again from there.
//
// An interval's entry, with the acts of that interval behind it, is appended when the first event of a later interval
// is durable. So the tree always stands between two intervals, and Log can begin again at any of them.
type Log struct {
	dir     string
	journal *Journal
	secret  [32]byte

	mu       sync.Mutex // guards all below; held while a tile is read or a checkpoint signed, never across a sync
	tree     *proof.Tree
	rows     []interval
	rowsFile *os.File
	saved    int // rows that are in the file
	open     *proof.Interval
	spare    *proof.Interval // the one before, for its memory
	groups   []proof.Group   // of the event at hand, for their memory
	row      interval        // of the open interval
	acts     []act           // of the open interval
	err      error           // a fault that ended the log's work
	signed   []byte          // the newest checkpoint
	cosigned *cosigned       // the newest that witnesses have signed, too; nil before

	flushing sync.Mutex // one flush at a time: it is held across syncs

	in   chan added
	done chan struct{}
	wait *sync.Cond // on mu: seen moved, or err
	seen Position   // the position after the last event taken in
}

// interval is a row of the file "intervals": where an interval's events and its entry are.
type interval struct {
	Number int64
	First  Position // of its first event
	Next   Position // after its last one
	Entry  int64    // index of its entry in the public log
	End    int64    // size of the public log behind its entry and acts
}

const rowSize = 5*8 + 4

// added is a record on its way into the log.
type added struct {
	record *Record
	taken  func()
}

type act struct {
	kind string
	json []byte
}

const (
	headName       = "head"
	rowsName       = "intervals"
	checkpointName = "checkpoint"
	newestName     = "checkpoint.newest" // as it is served; the file is checkpointName
)

// OpenLog continues the public log of a journal. It takes in what the journal has beyond it, and refuses to go on when
// the result contradicts the last signed checkpoint. The secret is the same on every node and outlives all restarts:
// the intervals' blanks follow from it.
func OpenLog(dir string, j *Journal, secret [32]byte) (*Log, error) {
	l := &Log{dir: dir, journal: j, secret: secret, in: make(chan added, 1<<14), done: make(chan struct{}), seen: 1}
	l.wait = sync.NewCond(&l.mu)
	err := makeDir(dir, j.opt.Sync)
	if err != nil {
		return nil, err
	}
	if l.rowsFile, err = os.OpenFile(filepath.Join(dir, rowsName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := l.load(); err != nil {
		return nil, errors.Join(err, l.rowsFile.Close())
	}
	if err := l.checkLast(); err != nil {
		return nil, errors.Join(err, l.rowsFile.Close())
	}
	if err := j.FromPosition(l.seen, l.take); err != nil {
		return nil, errors.Join(err, l.rowsFile.Close())
	}
	if err := errors.Join(l.checkSigned(), l.loadCosigned()); err != nil {
		return nil, errors.Join(err, l.rowsFile.Close())
	}
	go l.work()
	return l, nil
}

// load finds the point up to which the files are whole: the head says it.
func (l *Log) load() error {
	head, err := os.ReadFile(filepath.Join(l.dir, headName))
	if errors.Is(err, os.ErrNotExist) {
		l.tree = proof.NewTree(l.readTile)
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	c, err := proof.ParseCheckpoint(head)
	if err == nil && c.Origin != headName {
		err = fmt.Errorf("%q is not a head", c.Origin)
	}
	if err != nil {
		return &Damage{File: filepath.Join(l.dir, headName), Reason: err.Error()}
	}
	if l.tree, err = proof.OpenTree(c, l.readTile); err != nil {
		return fmt.Errorf("journal: public log in %s: %w; to have it made anew from the journal, move all of the directory but the file %q away", l.dir, err, checkpointName)
	}
	return l.loadRows(c.Size)
}

// loadRows reads the intervals that the head's tree has. What stands behind them was being written when the process
// stopped, and is written again.
func (l *Log) loadRows(size int64) error {
	b, err := os.ReadFile(l.rowsFile.Name())
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	have, off := int64(0), 0
	for ; have < size && off+rowSize <= len(b); off += rowSize {
		row := b[off : off+rowSize]
		if Sum(row[:rowSize-4]) != binary.LittleEndian.Uint32(row[rowSize-4:]) {
			return &Damage{File: l.rowsFile.Name(), Offset: int64(off), Reason: "the checksum does not match"}
		}
		var v [5]uint64
		for i := range v {
			v[i] = binary.LittleEndian.Uint64(row[8*i:])
		}
		r := interval{Number: int64(v[0]), First: Position(v[1]), Next: Position(v[2]), Entry: int64(v[3]), End: int64(v[4])}
		if r.Entry != have || r.First != l.seen {
			return &Damage{File: l.rowsFile.Name(), Offset: int64(off), Reason: fmt.Sprintf("an interval begins with event %d and entry %d where %d and %d were due", r.First, r.Entry, l.seen, have)}
		}
		l.rows = append(l.rows, r)
		have, l.seen = r.End, r.Next
	}
	if have != size {
		return &Damage{File: l.rowsFile.Name(), Offset: int64(off), Reason: fmt.Sprintf("it tells of %d entries and the log's head of %d", have, size)}
	}
	l.saved = len(l.rows)
	return nil
}

// checkLast holds the last interval of the files against the journal: going on from another journal's log would
// contradict what was published.
func (l *Log) checkLast() error {
	if at, _ := l.journal.Durable(); l.seen > at+1 {
		return fmt.Errorf("journal: the public log in %s has events up to %d but the journal ends at %d: it is older than the log; restore a newer backup, or continue under a new log origin", l.dir, l.seen-1, at)
	}
	i := len(l.rows) - 1
	if i < 0 {
		return nil
	}
	row := l.rows[i]
	_, root, err := l.openEvent(l.seed(i, row.Number), row, row.First, func(Event, string) bool { return false })
	if err != nil {
		return err
	}
	have, err := l.tree.ReadHashes([]int64{tlog.StoredHashIndex(0, row.Entry)})
	if err != nil {
		return fmt.Errorf("journal: public log in %s: %w", l.dir, err)
	}
	if have[0] != tlog.RecordHash(proof.IntervalEntry(row.Number, root)) {
		return fmt.Errorf("journal: events %d to %d of the journal lead to another root than entry %d of the public log in %s (%w); restore both from one backup", row.First, row.Next-1, row.Entry, l.dir, errOtherRoot)
	}
	return nil
}

// checkSigned holds the tree against what the world was told.
func (l *Log) checkSigned() error {
	b, err := os.ReadFile(filepath.Join(l.dir, checkpointName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	c, err := proof.ReadSigned(b)
	if err != nil {
		return &Damage{File: filepath.Join(l.dir, checkpointName), Reason: err.Error()}
	}
	if err := l.holds(c); err != nil {
		return err
	}
	l.signed = b
	return nil
}

func (l *Log) holds(c proof.Checkpoint) error {
	if c.Size > l.tree.Size() {
		return fmt.Errorf("journal: %w: a checkpoint of %d entries was published but the journal gives %d; restore a newer backup, or continue under a new log origin", ErrBeyond, c.Size, l.tree.Size())
	}
	if root, err := l.tree.Root(c.Size); err != nil || root != c.Root {
		return fmt.Errorf("journal: the journal leads to another root than the published checkpoint of %d entries (%w); restore the journal from a backup, or continue under a new log origin", c.Size, errors.Join(err, ErrBeyond, errOtherRoot))
	}
	return nil
}

// Holds tells whether the log is one that a checkpoint was published of, then or since: an [ErrBeyond] where it is not.
func (l *Log) Holds(c proof.Checkpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.holds(c)
}

// ErrBeyond says that more, or something else, was published than the journal gives.
var ErrBeyond = errors.New("the journal is older than the log")

var errOtherRoot = errors.New("roots differ")

// Add hands durable records to the log, in order. It blocks only where the log lags far behind. Taken, if any, is called
// when the log needs the record no more; after a fault it is not.
func (l *Log) Add(r *Record, taken func()) { l.in <- added{r, taken} }

func (l *Log) work() {
	defer close(l.done)
	for a := range l.in {
		err := l.take(a.record)
		if err == nil {
			if a.taken != nil {
				a.taken()
			}
			continue
		}
		l.mu.Lock()
		l.err = err
		l.wait.Broadcast()
		l.mu.Unlock()
		for range l.in {
		}
	}
}

func (l *Log) take(r *Record) error {
	pos := r.First
	for i := range r.Done {
		d := &r.Done[i]
		number := proof.IntervalNumber(d.At)
		for ordinal, st := range d.Events {
			if pos >= l.seen {
				if err := l.event(number, pos, &d.Seed, uint64(ordinal), st); err != nil {
					return err
				}
			}
			pos++
		}
	}
	l.mu.Lock()
	l.seen = max(l.seen, pos)
	l.wait.Broadcast()
	l.mu.Unlock()
	return nil
}

// event takes in an event of the command with the seed.
func (l *Log) event(number int64, pos Position, seed *[32]byte, ordinal uint64, st Stored) error {
	if l.open != nil && (number != l.row.Number || l.open.Len() >= proof.MaxLeaves) {
		if err := l.closeInterval(); err != nil {
			return err
		}
	}
	if l.open == nil {
		blanks := l.seed(len(l.rows), number)
		if l.open, l.spare = l.spare, nil; l.open == nil {
			l.open = new(proof.Interval)
		}
		l.open.Reset(&blanks)
		l.row, l.acts = interval{Number: number, First: pos}, nil
	}
	l.groups = proofGroups(l.groups[:0], st)
	e := proof.Event{Position: uint64(pos), Kind: st.Kind, Groups: l.groups}
	l.open.Append(e.Leaf(seed, ordinal))
	l.row.Next = pos + 1
	for _, g := range st.Groups {
		if g.Audience == Public {
			b, err := l.journal.registry.publicJSON(st)
			if err != nil {
				return err
			}
			l.acts = append(l.acts, act{st.Kind, b})
		}
	}
	return nil
}

// seed is that of the i-th interval. A second so busy that it needs several intervals has a seed for each.
func (l *Log) seed(i int, number int64) [32]byte {
	part := int64(0)
	for i--; i >= 0 && l.rows[i].Number == number; i-- {
		part++
	}
	return proof.IntervalSeed(&l.secret, number+part<<40)
}

// closeInterval appends an interval's entry and its public acts. The root, which takes time for a busy interval, is
// computed outside the lock.
func (l *Log) closeInterval() error {
	root := l.open.Root()
	l.mu.Lock()
	index, err := l.tree.Append(proof.IntervalEntry(l.row.Number, root))
	for _, a := range l.acts {
		var entry []byte
		if err == nil {
			entry, err = actEntry(a, l.row.Number)
		}
		if err == nil {
			_, err = l.tree.Append(entry)
		}
	}
	if err == nil {
		l.row.Entry, l.row.End = index, l.tree.Size()
		l.rows = append(l.rows, l.row)
	}
	full := len(l.rows)-l.saved >= 4096
	l.mu.Unlock()
	l.open, l.spare = nil, l.open
	if err != nil {
		return fmt.Errorf("journal: public log: %w", err)
	}
	if full {
		_, err = l.flush()
	}
	return err
}

// actEntry is a public act in plain, or where it is too long for an entry its digest.
func actEntry(a act, number int64) ([]byte, error) {
	entry, err := proof.ActEntry(a.kind, number, a.json)
	if moongate.CodeOf(err) == moongate.TooLarge {
		digest := fmt.Sprintf(`{"sha256":"%x","bytes":%d}`, sha256.Sum256(a.json), len(a.json))
		return proof.ActEntry(a.kind, number, []byte(digest))
	}
	return entry, err
}

// flush makes the tree's files durable and notes how far they go. The order matters to a restart: the head comes after
// all that it vouches for, and before anything goes away that an older head needs.
func (l *Log) flush() (proof.Checkpoint, error) {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	files, err := l.tree.Flush()
	c, err2 := l.tree.Checkpoint(headName)
	rows := l.rows[l.saved:]
	from := int64(l.saved) * rowSize
	total := len(l.rows)
	l.mu.Unlock()
	if err = errors.Join(err, err2); err != nil || len(files) == 0 {
		return c, err
	}
	var b []byte
	for _, r := range rows {
		start := len(b)
		for _, v := range [5]uint64{uint64(r.Number), uint64(r.First), uint64(r.Next), uint64(r.Entry), uint64(r.End)} {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		b = binary.LittleEndian.AppendUint32(b, Sum(b[start:]))
	}
	if _, err := l.rowsFile.WriteAt(b, from); err != nil {
		return c, fmt.Errorf("journal: %w", err)
	}
	if err := l.journal.opt.Sync(l.rowsFile); err != nil {
		return c, fmt.Errorf("journal: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(l.dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return c, fmt.Errorf("journal: %w", err)
		}
		if err := writeFile(path, f.Data, 0o644, l.journal.opt.Sync); err != nil {
			return c, err
		}
	}
	if err := writeFile(filepath.Join(l.dir, headName), []byte(c.Text()), 0o600, l.journal.opt.Sync); err != nil {
		return c, err
	}
	for _, f := range files { // a full tile replaces its partial ones
		if err := os.RemoveAll(filepath.Join(l.dir, filepath.FromSlash(f.Path)+".p")); err != nil {
			return c, fmt.Errorf("journal: %w", err)
		}
	}
	l.mu.Lock()
	l.tree.Flushed(c.Size)
	l.saved = total
	l.mu.Unlock()
	return c, nil
}

// Publish signs the tree as it stands and makes the checkpoint public: after the files it needs, and never for a
// smaller tree. Only the leader may call it, and nobody else at the same time.
func (l *Log) Publish(origin string, signers ...note.Signer) ([]byte, error) {
	if err := l.Err(); err != nil {
		return nil, err
	}
	c, err := l.flush()
	if err != nil {
		return nil, err
	}
	if c.Size == 0 {
		return nil, nil
	}
	c.Origin = origin
	signed, err := c.Sign(signers...)
	if err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(l.dir, checkpointName), signed, 0o644, l.journal.opt.Sync); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.signed = signed
	l.mu.Unlock()
	return signed, nil
}

// Checkpoint is the newest signed checkpoint, nil before the first.
func (l *Log) Checkpoint() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.signed
}

// Err is the fault that ended the log's work, if one did.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Wait returns when the log has taken in every event before a position.
func (l *Log) Wait(before Position) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.seen < before && l.err == nil {
		l.wait.Wait()
	}
	return l.err
}

// Size is the number of entries in the tree, signed or not.
func (l *Log) Size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tree.Size()
}

// Lag is how many durable events the log has not taken in.
func (l *Log) Lag() int64 {
	at, _ := l.journal.Durable()
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(0, int64(at)+1-int64(l.seen))
}

// Close stops the log's work and makes its files durable.
func (l *Log) Close() error {
	close(l.in)
	<-l.done
	if l.err != nil {
		return errors.Join(l.err, l.rowsFile.Close())
	}
	_, err := l.flush()
	return errors.Join(err, l.rowsFile.Close())
}

// ReadFile gives a file of the log by its C2SP path: checkpoint, tile/… or tile/entries/…. The newest checkpoint of all,
// whether or not witnesses have cosigned it, is checkpoint.newest.
func (l *Log) ReadFile(path string) ([]byte, error) {
	if path == checkpointName || path == newestName {
		b := l.Head()
		if path == newestName {
			b = l.Checkpoint()
		}
		if b != nil {
			return b, nil
		}
	} else if _, err := proof.ParseTilePath(path); err == nil {
		b, err := l.readTile(path)
		if err == nil || !errors.Is(err, os.ErrNotExist) {
			return b, err
		}
	}
	return nil, &moongate.Error{Code: moongate.NotFound, Message: fmt.Sprintf("the public log has no file %.80q", path), Hint: "read the checkpoint first: it says how large the log is"}
}

func (l *Log) readTile(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(l.dir, filepath.FromSlash(path)))
}

// NoSync stands in for File.Sync where a crash may lose everything: tests and simulations.
func NoSync(*os.File) error { return nil }
