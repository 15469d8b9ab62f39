// Package view keeps what people search for: SQLite tables folded from the journal.
//
// A view is derived. It carries its position, is folded in batches behind the machine, and can be dropped and made
// again at any time; when a view's schema changes, Open does that by itself. Nothing waits for a view but a reader who
// asks for at least a position.
package view

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"

	"modernc.org/sqlite" // the driver "sqlite", pure Go
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// View is a set of tables that follow the journal.
type View interface {
	// Name is unique in the hub.
	Name() string
	// Schema is the DDL that makes the tables. When its text changes, all views are made anew.
	Schema() string
	// Kinds lists the events that Fold wants.
	Kinds() []string
	// Fold writes what an event changes. It gets every event once, in order, and must not depend on anything else.
	Fold(tx *Tx, e journal.Entry) error
}

// Tx is the transaction of one batch; statements are prepared once.
type Tx struct {
	ctx   context.Context // never ends: the driver watches one that may with a goroutine for each statement
	tx    *sql.Tx
	stmts map[string]*sql.Stmt
}

// Exec runs a statement.
func (t *Tx) Exec(query string, args ...any) error {
	st, ok := t.stmts[query]
	if !ok {
		var err error
		if st, err = t.tx.PrepareContext(t.ctx, query); err != nil {
			return fmt.Errorf("view: prepare %.60q: %w", query, err)
		}
		t.stmts[query] = st
	}
	if _, err := st.ExecContext(t.ctx, args...); err != nil {
		return fmt.Errorf("view: %.60q: %w", query, err)
	}
	return nil
}

// DB is what list queries read from.
type DB interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Source is where the events come from: a journal.
type Source interface {
	EntriesOf(from journal.Position, kinds map[string]bool, visit func(journal.Entry) error) error
	Durable() (journal.Position, uint64)
}

// Store is the file of views. One goroutine folds; any may read and wait.
type Store struct {
	path    string
	version string // of the schema
	views   []View
	kinds   map[string]bool
	by      map[string][]View

	mu    sync.Mutex // guards all below
	write *sql.DB
	read  *sql.DB
	at    journal.Position
	ch    chan struct{} // closed when at moves
	err   error         // of the last fold
}

// BatchEvents is how many events one transaction folds at most.
const BatchEvents = 5000

// Open opens the file, or makes it. One whose schema is not that of the views is deleted and made anew.
func Open(path string, views ...View) (*Store, error) {
	s := &Store{path: path, views: views, kinds: map[string]bool{}, by: map[string][]View{}, ch: make(chan struct{})}
	h := sha256.New()
	for _, v := range views {
		fmt.Fprintf(h, "%s\x00%s\x00", v.Name(), v.Schema())
		for _, k := range v.Kinds() {
			fmt.Fprintf(h, "%s\x00", k)
			s.kinds[k] = true
			s.by[k] = append(s.by[k], v)
		}
	}
	s.version = hex.EncodeToString(h.Sum(nil)[:16])
	fits, err := s.open()
	if err == nil && !fits {
		err = s.anew()
	}
	if err != nil {
		return nil, fmt.Errorf("view: %s: %w", path, err)
	}
	return s, nil
}

// anew deletes the file and makes an empty one. The caller holds the lock, or is the only one.
func (s *Store) anew() error {
	if err := errors.Join(s.read.Close(), s.write.Close()); err != nil {
		return err
	}
	for _, ext := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(s.path + ext); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	fits, err := s.open()
	if err == nil && !fits {
		err = errors.New("the new file is not as it was made")
	}
	return err
}

// open tells whether the file fits the views' schema; where there is no file it makes it.
func (s *Store) open() (fits bool, err error) {
	dsn := "file:" + (&url.URL{Path: s.path}).EscapedPath() + "?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(10000)&_pragma=cache_size(-32768)&_txlock=immediate"
	if s.write, err = sql.Open("sqlite", dsn); err != nil {
		return false, err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return false, err
	}
	s.read.SetMaxOpenConns(8)
	ctx := context.Background()
	if short, err := cutOff(s.path); short || err != nil {
		return false, err
	}
	var have string
	var at int64
	err = s.write.QueryRowContext(ctx, `SELECT version, position FROM moongate_views`).Scan(&have, &at)
	if err == nil {
		s.at = journal.Position(at)
		return have == s.version, nil
	}
	var tables int
	if err := s.write.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master`).Scan(&tables); err != nil {
		// Not a database at all: damaged, and derived. Make it again.
		return false, nil
	}
	if tables > 0 {
		return false, nil
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	for _, v := range s.views {
		if _, err := tx.ExecContext(ctx, v.Schema()); err != nil {
			return false, fmt.Errorf("schema of %s: %w", v.Name(), err)
		}
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE moongate_views (version TEXT NOT NULL, position INTEGER NOT NULL)`); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO moongate_views VALUES (?, 0)`, s.version); err != nil {
		return false, err
	}
	s.at = 0
	return true, tx.Commit()
}

// cutOff tells whether the file is shorter than its header says: SQLite would go on without what is missing. Beside a
// write-ahead log it may be, as the missing pages stand there.
func cutOff(path string) (bool, error) {
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return false, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil || info.Size() == 0 { // being made
		return false, err
	}
	var header [100]byte
	if _, err := f.ReadAt(header[:], 0); err != nil {
		return true, nil
	}
	page := int64(binary.BigEndian.Uint16(header[16:]))
	if page == 1 {
		page = 1 << 16
	}
	return info.Size() < page*int64(binary.BigEndian.Uint32(header[28:])), nil
}

// CatchUp folds everything durable that is not folded yet, and gives the position reached. A file that is damaged, or
// that follows another journal since it is ahead of this one, is made anew.
func (s *Store) CatchUp(ctx context.Context, src Source) (journal.Position, error) {
	for again := false; ; {
		at := s.Position()
		end, _ := src.Durable()
		if at == end {
			return at, nil
		}
		var err error
		if at < end {
			err = s.batch(ctx, src, at, end)
		}
		if at > end || err != nil && damaged(err) && !again {
			again = true
			s.mu.Lock()
			err = s.anew()
			s.mu.Unlock()
		}
		s.mu.Lock()
		if s.err = err; err != nil {
			s.moved()
		}
		s.mu.Unlock()
		if err != nil {
			return at, err
		}
	}
}

// damaged tells whether SQLite says that the file is not what it wrote.
func damaged(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// moved wakes those who wait. The caller holds the lock.
func (s *Store) moved() {
	close(s.ch)
	s.ch = make(chan struct{})
}

var errFull = errors.New("batch is full")

func (s *Store) batch(ctx context.Context, src Source, at, end journal.Position) error {
	s.mu.Lock()
	write := s.write
	s.mu.Unlock()
	tx, err := write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("view: %w", err)
	}
	defer tx.Rollback()
	t := &Tx{ctx: context.WithoutCancel(ctx), tx: tx, stmts: map[string]*sql.Stmt{}}
	n, next := 0, end
	err = src.EntriesOf(at+1, s.kinds, func(e journal.Entry) error {
		if n == BatchEvents || e.Position > end {
			next = e.Position - 1
			return errFull
		}
		n++
		for _, v := range s.by[e.Event.EventKind()] {
			if err := v.Fold(t, e); err != nil {
				return fmt.Errorf("view %s: event %d (%s): %w", v.Name(), e.Position, e.Event.EventKind(), err)
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFull) {
		return err
	}
	if err := t.Exec(`UPDATE moongate_views SET position = ?`, int64(next)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("view: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = next
	s.moved()
	return nil
}

// Follow keeps the views level with the journal until the context ends: durable tells where it is and gives a channel
// that is closed when it moves.
func (s *Store) Follow(ctx context.Context, src Source, durable func() (journal.Position, <-chan struct{})) error {
	for {
		_, moved := durable()
		if _, err := s.CatchUp(ctx, src); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // it was told to end
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		}
	}
}

// Position is how far the views are.
func (s *Store) Position() journal.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// Wait returns when the views have folded at least a position.
func (s *Store) Wait(ctx context.Context, at journal.Position) error {
	for {
		s.mu.Lock()
		have, moved, err := s.at, s.ch, s.err
		s.mu.Unlock()
		if have >= at {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("the views are at event %d and %d was asked for", have, at), Hint: "try again in a moment"}
		case <-moved:
		}
	}
}

// QueryContext reads.
func (s *Store) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.reader().QueryContext(ctx, query, args...)
}

// QueryRowContext reads one row.
func (s *Store) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return s.reader().QueryRowContext(ctx, query, args...)
}

func (s *Store) reader() *sql.DB {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read
}

// Close releases the file.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.read.Close(), s.write.Close())
}
