package replica

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/moongate-hub/moongate/journal"
)

// logStore is raft's log and stable store. After a failed write raft would go on as a follower; here any fault ends
// the process, because only a restart finds out what the disk holds.
type logStore struct {
	path     string
	noSync   bool
	readOnly bool
	fatal    func(error)
	// running is false while the node starts.
	running atomic.Bool

	mu   sync.RWMutex // guards bolt, which rewrite replaces; held for reading across every use of it
	bolt *raftboltdb.BoltStore
}

const raftFile = "raft.db"

func openLogStore(dir string, noSync bool, fatal func(error)) (*logStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	s := &logStore{path: filepath.Join(dir, raftFile), noSync: noSync, fatal: fatal}
	if err := removeStale(s.path + ".new"); err != nil {
		return nil, err
	}
	_, missing := os.Stat(s.path)
	if err := s.open(); err != nil {
		return nil, err
	}
	if missing != nil { // a file that was made has its name for good before anything in it counts
		if err := errors.Join(journal.SyncDir(dir), journal.SyncDir(filepath.Dir(dir))); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func boltOptions() bbolt.Options {
	return bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, Timeout: lockTimeout}
}

func (s *logStore) open() (err error) {
	defer named(s.path, &err)()
	if err := checkMetas(s.path); err != nil {
		return err
	}
	opt := boltOptions()
	opt.ReadOnly = s.readOnly
	s.bolt, err = raftboltdb.New(raftboltdb.Options{Path: s.path, NoSync: s.noSync, BoltOptions: &opt})
	if errors.Is(err, berrors.ErrTimeout) {
		return inUse(filepath.Dir(s.path))
	}
	if err != nil {
		return &journal.Damage{File: s.path, Reason: err.Error(), Repair: repairOf(s.path)}
	}
	return nil
}

// rewrite writes the file anew with what it holds: deleted entries stand on in free pages, and secrets with them. Raft
// waits meanwhile. An error leaves the store closed; the process must end.
func (s *logStore) rewrite() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.bolt.Close(); err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	opt := boltOptions()
	old, err := bbolt.Open(s.path, 0o600, &opt)
	if err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	next := s.path + ".new"
	if err := errors.Join(compactInto(next, old, opt), old.Close()); err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	if err := replaceFile(next, s.path); err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	return s.open()
}

// use runs one operation, and ends the process when it fails. While the node starts, its errors stop the start instead.
func (s *logStore) use(op func(*raftboltdb.BoltStore) error) (err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	defer func() {
		if err != nil && s.running.Load() && !errors.Is(err, raft.ErrLogNotFound) && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
			s.fatal(fmt.Errorf("replica: %s: %w", s.path, err))
		}
	}()
	defer named(s.path, &err)()
	return op(s.bolt)
}

// FirstIndex, LastIndex, GetLog, StoreLog, StoreLogs and DeleteRange are raft.LogStore.
func (s *logStore) FirstIndex() (i uint64, err error) {
	err = s.use(func(b *raftboltdb.BoltStore) (err error) { i, err = b.FirstIndex(); return err })
	return i, err
}

// LastIndex is the newest entry's.
func (s *logStore) LastIndex() (i uint64, err error) {
	err = s.use(func(b *raftboltdb.BoltStore) (err error) { i, err = b.LastIndex(); return err })
	return i, err
}

// GetLog reads an entry.
func (s *logStore) GetLog(i uint64, l *raft.Log) error {
	return s.use(func(b *raftboltdb.BoltStore) error { return b.GetLog(i, l) })
}

// StoreLog appends an entry, durably.
func (s *logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs appends entries, durably.
func (s *logStore) StoreLogs(l []*raft.Log) error {
	return s.use(func(b *raftboltdb.BoltStore) error { return b.StoreLogs(l) })
}

// deletedAtOnce is how many entries one transaction forgets: new ones wait for it.
const deletedAtOnce = 256

// DeleteRange forgets entries: the oldest a few at a time, others at once, as a gap among entries would be damage.
func (s *logStore) DeleteRange(from, to uint64) error {
	first, err := s.FirstIndex()
	if err != nil {
		return err
	}
	for oldest := from == first; oldest && from+deletedAtOnce <= to; from += deletedAtOnce {
		if err := s.deleteRange(from, from+deletedAtOnce-1); err != nil {
			return err
		}
	}
	return s.deleteRange(from, to)
}

func (s *logStore) deleteRange(from, to uint64) error {
	return s.use(func(b *raftboltdb.BoltStore) error { return b.DeleteRange(from, to) })
}

// Set, Get, SetUint64 and GetUint64 are raft.StableStore.
func (s *logStore) Set(k, v []byte) error {
	return s.use(func(b *raftboltdb.BoltStore) error { return b.Set(k, v) })
}

// Get reads a value; raft knows a missing one by its error's text.
func (s *logStore) Get(k []byte) (v []byte, err error) {
	err = s.use(func(b *raftboltdb.BoltStore) (err error) { v, err = b.Get(k); return err })
	return v, err
}

// SetUint64 writes a number.
func (s *logStore) SetUint64(k []byte, v uint64) error {
	return s.use(func(b *raftboltdb.BoltStore) error { return b.SetUint64(k, v) })
}

// GetUint64 reads a number.
func (s *logStore) GetUint64(k []byte) (v uint64, err error) {
	err = s.use(func(b *raftboltdb.BoltStore) (err error) { v, err = b.GetUint64(k); return err })
	return v, err
}

// begun refuses a store that was never written to beside a snapshot: it was lost, and another one made.
func (s *logStore) begun(snapshot uint64) error {
	term, err := s.GetUint64([]byte("CurrentTerm"))
	if err != nil && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return fmt.Errorf("replica: raft state in %s: %w", s.path, err)
	}
	if term == 0 && snapshot > 0 {
		return &journal.Damage{File: s.path, Reason: "it holds nothing, though there is a snapshot", Repair: remake}
	}
	return nil
}

// Close releases the file.
func (s *logStore) Close() error { return s.bolt.Close() }

// RaftSums reads the checksums of the command entries that raft's log in a directory holds, by index, and the index at
// which raft ends, with its snapshots, of which the newest must be whole. It writes nothing. No node may be running on it.
func RaftSums(dir string) (sums map[uint64]uint32, end uint64, err error) {
	path := filepath.Join(dir, raftFile)
	if _, err := os.Stat(path); err != nil {
		return nil, 0, fmt.Errorf("replica: %w", err)
	}
	s := &logStore{path: path, readOnly: true, fatal: func(e error) { err = e }}
	if err := s.open(); err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	first, err1 := s.FirstIndex()
	last, err2 := s.LastIndex()
	name, snapshot, err3 := newestSnapshot(dir)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, 0, err
	}
	if name != "" {
		if err := checkSnapshot(dir, name); err != nil {
			return nil, 0, err
		}
	}
	if err := s.begun(snapshot); err != nil {
		return nil, 0, err
	}
	if first > snapshot+1 {
		return nil, 0, behind(path, first, snapshot)
	}
	end = max(last, snapshot)
	sums = map[uint64]uint32{}
	for i := first; i <= last && i > 0; i++ {
		var l raft.Log
		if err := s.GetLog(i, &l); err != nil {
			return nil, 0, &journal.Damage{File: path, Reason: fmt.Sprintf("entry %d: %v", i, err), Repair: remake}
		}
		if l.Type == raft.LogCommand {
			sums[i] = journal.Sum(l.Data)
		}
	}
	return sums, end, nil
}
