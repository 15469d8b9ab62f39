package replica

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"github.com/moongate-hub/moongate/journal"
)

// logStore is raft's log and stable store. After a failed write raft would go on as a follower; here any fault ends
// the process, because only a restart finds out what the disk holds.
type logStore struct {
	bolt  *raftboltdb.BoltStore
	path  string
	fatal func(error)
}

func openLogStore(dir string, noSync bool, fatal func(error)) (s *logStore, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	path := filepath.Join(dir, "raft.db")
	defer func() {
		if p := recover(); p != nil { // bbolt panics on a page it cannot read
			s, err = nil, &journal.Damage{File: path, Reason: fmt.Sprint(p)}
		}
	}()
	bolt, err := raftboltdb.New(raftboltdb.Options{
		Path: path, NoSync: noSync,
		BoltOptions: &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, Timeout: lockTimeout},
	})
	if errors.Is(err, bbolt.ErrTimeout) {
		return nil, fmt.Errorf("replica: another process uses %s; stop it first", dir)
	}
	if err != nil {
		return nil, &journal.Damage{File: path, Reason: err.Error()}
	}
	return &logStore{bolt: bolt, path: path, fatal: fatal}, nil
}

// lockDir keeps a second process out of a directory. The lock is a file of its own, as the others are replaced at times.
func lockDir(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	db, err := bbolt.Open(filepath.Join(dir, "lock"), 0o600, &bbolt.Options{Timeout: lockTimeout, NoSync: true})
	if errors.Is(err, bbolt.ErrTimeout) {
		return nil, fmt.Errorf("replica: another process uses %s; stop it first", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("replica: lock %s: %w", dir, err)
	}
	return db, nil
}

func (s *logStore) strict(err error) error {
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) && !errors.Is(err, raftboltdb.ErrKeyNotFound) {
		s.fatal(fmt.Errorf("replica: %s: %w", s.path, err))
	}
	return err
}

// FirstIndex, LastIndex, GetLog, StoreLog, StoreLogs and DeleteRange are raft.LogStore.
func (s *logStore) FirstIndex() (uint64, error) {
	i, err := s.bolt.FirstIndex()
	return i, s.strict(err)
}

// LastIndex is the newest entry's.
func (s *logStore) LastIndex() (uint64, error) { i, err := s.bolt.LastIndex(); return i, s.strict(err) }

// GetLog reads an entry.
func (s *logStore) GetLog(i uint64, l *raft.Log) error { return s.strict(s.bolt.GetLog(i, l)) }

// StoreLog appends an entry, durably.
func (s *logStore) StoreLog(l *raft.Log) error { return s.strict(s.bolt.StoreLog(l)) }

// StoreLogs appends entries, durably.
func (s *logStore) StoreLogs(l []*raft.Log) error { return s.strict(s.bolt.StoreLogs(l)) }

// DeleteRange forgets entries.
func (s *logStore) DeleteRange(a, b uint64) error { return s.strict(s.bolt.DeleteRange(a, b)) }

// Set, Get, SetUint64 and GetUint64 are raft.StableStore.
func (s *logStore) Set(k, v []byte) error { return s.strict(s.bolt.Set(k, v)) }

// Get reads a value; raft knows a missing one by its error's text.
func (s *logStore) Get(k []byte) ([]byte, error) { v, err := s.bolt.Get(k); return v, s.strict(err) }

// SetUint64 writes a number.
func (s *logStore) SetUint64(k []byte, v uint64) error { return s.strict(s.bolt.SetUint64(k, v)) }

// GetUint64 reads a number.
func (s *logStore) GetUint64(k []byte) (uint64, error) {
	v, err := s.bolt.GetUint64(k)
	return v, s.strict(err)
}

// Close releases the file.
func (s *logStore) Close() error { return s.bolt.Close() }

// RaftSums reads the checksums of the command entries that raft's log in a directory holds, by index. No node may be
// running on it.
func RaftSums(dir string) (sums map[uint64]uint32, err error) {
	path := filepath.Join(dir, "raft.db")
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	s, err := openLogStore(dir, false, func(e error) { err = e })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	first, err1 := s.FirstIndex()
	last, err2 := s.LastIndex()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	sums = map[uint64]uint32{}
	for i := first; i <= last && i > 0; i++ {
		var l raft.Log
		if err := s.GetLog(i, &l); err != nil {
			return nil, &journal.Damage{File: path, Reason: fmt.Sprintf("entry %d: %v", i, err)}
		}
		if l.Type == raft.LogCommand {
			sums[i] = journal.Sum(l.Data)
		}
	}
	return sums, nil
}
