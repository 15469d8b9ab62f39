package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Raft's log, the vault and the lock are bbolt files. What bbolt leaves to its users, stands here.

const lockTimeout = 2 * time.Second

// checkMetas wants both of a bbolt file's meta pages whole. Where one is not, bbolt takes the other, which is of the
// transaction before: a flipped bit there would undo what was durable, without a word. (A torn write cannot be the
// reason: a meta is 64 bytes within one sector.)
func checkMetas(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil || info.Size() == 0 { // being made
		return err
	}
	const header, size, magic = 16, 64, 0xED0CDAED
	at := int64(header)
	for range 2 {
		var meta [size]byte
		if _, err := f.ReadAt(meta[:], at); err != nil {
			return &journal.Damage{File: path, Offset: at, Reason: "the file ends before its second meta page", Repair: repairOf(path)}
		}
		sum := fnv.New64a()
		sum.Write(meta[:size-8])
		if binary.NativeEndian.Uint32(meta[:]) != magic || binary.NativeEndian.Uint64(meta[size-8:]) != sum.Sum64() {
			return &journal.Damage{File: path, Offset: at, Reason: "a meta page does not have its checksum", Repair: repairOf(path)}
		}
		at += int64(binary.NativeEndian.Uint32(meta[8:])) // the page size
	}
	return nil
}

// named turns a panic of bbolt's, or a fault in the memory it maps its file to, into the file's damage: that is how a
// page shows that cannot be read. Call it, and defer the result.
func named(path string, err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			*err = &journal.Damage{File: path, Reason: fmt.Sprint(p), Repair: repairOf(path)}
		}
	}
}

// lockDir keeps a second process out of a directory. The lock is a file of its own, as the others are replaced at times.
func lockDir(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	path := filepath.Join(dir, "lock")
	open := func() (*bbolt.DB, error) {
		return bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, NoSync: true})
	}
	db, err := open()
	if err != nil && !errors.Is(err, berrors.ErrTimeout) { // it holds nothing: make it anew
		if err := removeStale(path); err != nil {
			return nil, err
		}
		db, err = open()
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, inUse(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("replica: lock %s: %w", dir, err)
	}
	return db, nil
}

// Idle refuses a directory that another process uses, and touches nothing.
func Idle(dir string) error {
	path := filepath.Join(dir, "lock")
	if _, err := os.Stat(path); err != nil {
		return nil //nolint:nilerr // nobody made it, so nobody is there
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, ReadOnly: true})
	if errors.Is(err, berrors.ErrTimeout) {
		return inUse(dir)
	}
	if err != nil {
		return nil //nolint:nilerr // it holds nothing, and whoever starts makes it anew
	}
	return db.Close()
}

func inUse(dir string) error {
	return &moongate.Error{Code: moongate.Conflict, Message: "another process uses " + dir, Hint: "stop it first, or work on a copy of a backup"}
}

// compactInto copies the live entries of a bbolt file into a new one, durably.
func compactInto(path string, src *bbolt.DB, opt bbolt.Options) error {
	if err := removeStale(path); err != nil {
		return err
	}
	opt.Timeout = lockTimeout
	dst, err := bbolt.Open(path, 0o600, &opt)
	if err != nil {
		return err
	}
	err = bbolt.Compact(dst, src, 1<<20)
	return errors.Join(err, dst.Sync(), dst.Close())
}

// removeStale removes what a process that was killed left behind.
func removeStale(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replica: %w", err)
	}
	return nil
}

// replaceFile renames a file over another, durably.
func replaceFile(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return journal.SyncDir(filepath.Dir(to))
}
