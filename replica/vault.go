package replica

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Secret is the key under which one subject's personal fields are enciphered. It travels beside a command, never in it:
// keys live in the vault, outside journal, state and hash, so that deleting one erases the person.
type Secret struct {
	_       struct{} `cbor:",toarray"`
	Subject moongate.ID
	Key     [32]byte
}

// Vault is the file of secrets, one per subject.
type Vault struct {
	path string
	mu   sync.RWMutex // guards db, which Erase replaces
	db   *bbolt.DB
}

var subjects = []byte("subjects")

const lockTimeout = 2 * time.Second

// OpenVault opens the file, or makes it.
func OpenVault(path string) (*Vault, error) {
	v := &Vault{path: path}
	return v, v.open()
}

func (v *Vault) open() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &journal.Damage{File: v.path, Reason: fmt.Sprint(p)}
		}
	}()
	db, err := bbolt.Open(v.path, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		return &journal.Damage{File: v.path, Reason: err.Error()}
	}
	v.db = db
	return db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(subjects)
		return err
	})
}

// Put stores secrets, durably. Storing one again changes nothing.
func (v *Vault) Put(secrets ...Secret) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	err := v.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(subjects)
		for _, s := range secrets {
			if err := b.Put(s.Subject[:], s.Key[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("replica: vault: %w", err)
	}
	return nil
}

// Get finds a subject's key; false means that it was erased, or never was.
func (v *Vault) Get(subject moongate.ID) (key [32]byte, ok bool, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	err = v.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(subjects).Get(subject[:]); len(b) == len(key) {
			key, ok = [32]byte(b), true
		}
		return nil
	})
	return key, ok, err
}

// Erase deletes subjects' keys and writes the file anew, so that no page of it holds them any more.
func (v *Vault) Erase(ids ...moongate.ID) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.db.Update(func(tx *bbolt.Tx) error {
		for _, id := range ids {
			if err := tx.Bucket(subjects).Delete(id[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("replica: vault: %w", err)
	}
	next := v.path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replica: vault: %w", err)
	}
	dst, err := bbolt.Open(next, 0o600, &bbolt.Options{Timeout: lockTimeout})
	if err != nil {
		return fmt.Errorf("replica: vault: %w", err)
	}
	err = bbolt.Compact(dst, v.db, 1<<20)
	if err = errors.Join(err, dst.Sync(), dst.Close()); err != nil {
		return fmt.Errorf("replica: vault: %w", err)
	}
	if err := v.db.Close(); err != nil {
		return fmt.Errorf("replica: vault: %w", err)
	}
	if err := os.Rename(next, v.path); err != nil {
		return fmt.Errorf("replica: vault: %w", err)
	}
	return v.open()
}

// Close releases the file.
func (v *Vault) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.db.Close()
}

// WriteTo writes a consistent copy of the file, for a backup.
func (v *Vault) WriteTo(w io.Writer) (n int64, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	err = v.db.View(func(tx *bbolt.Tx) error {
		n, err = tx.WriteTo(w)
		return err
	})
	return n, err
}
