package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

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

// Vault is the file of secrets, one per subject. What is erased is gone for every reader at once; its bytes are gone
// from the disk when [Node.Compact] has returned.
type Vault struct {
	path string
	mu   sync.RWMutex // guards db, which rewrite replaces
	db   *bbolt.DB
}

// Buckets of the file: the keys, each with a checksum; the subjects whose erased keys may still have bytes on the disk;
// and one value that tells how many keys there are and the sum of their checksums, since bbolt's pages have none.
var (
	subjects = []byte("subjects")
	erased   = []byte("erased")
	totals   = []byte("totals")
)

// OpenVault opens the file, or makes it, and checks every key. A fault is a [*journal.Damage].
func OpenVault(path string) (*Vault, error) {
	v := &Vault{path: path}
	_, missing := os.Stat(path)
	if err := v.open(); err != nil {
		return nil, err
	}
	if missing != nil { // a file that was made has its name for good before a key in it counts
		if err := journal.SyncDir(filepath.Dir(path)); err != nil {
			return nil, errors.Join(err, v.Close())
		}
	}
	return v, nil
}

// openOldVault opens the vault beside a journal. A file of no bytes is a new vault, but not where there is a history.
func openOldVault(path string, j *journal.Journal) (*Vault, error) {
	info, err := os.Stat(path)
	if last, _ := j.Last(); err == nil && last > 0 && info.Size() == 0 {
		return nil, &journal.Damage{File: path, Reason: "it is empty; where no copy is left, personal fields are gone, and it may be deleted"}
	}
	return OpenVault(path)
}

// CheckVault checks every key of a vault on a copy, leaves the file alone and tells how many there are.
func CheckVault(path string, j *journal.Journal) (keys uint64, err error) {
	tmp, err := os.MkdirTemp("", "moongate-vault-")
	if err != nil {
		return 0, fmt.Errorf("replica: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("replica: %w", err)
	}
	copied := filepath.Join(tmp, "vault")
	if err := os.WriteFile(copied, b, 0o600); err != nil {
		return 0, fmt.Errorf("replica: %w", err)
	}
	v, err := openOldVault(copied, j)
	var damage *journal.Damage
	if errors.As(err, &damage) {
		damage.File = path
	}
	if err != nil {
		return 0, err
	}
	err = v.db.View(func(tx *bbolt.Tx) error {
		keys = readTotals(tx).n
		return nil
	})
	return keys, errors.Join(err, v.Close())
}

func (v *Vault) open() (err error) {
	defer func() {
		if err != nil && v.db != nil {
			v.db.Close() //nolint:errcheck // the fault is told already
		}
	}()
	defer named(v.path, &err)()
	if err := removeStale(v.path + ".new"); err != nil {
		return err
	}
	if err := checkMetas(v.path); err != nil {
		return err
	}
	if v.db, err = bbolt.Open(v.path, 0o600, &bbolt.Options{Timeout: lockTimeout}); err != nil {
		return &journal.Damage{File: v.path, Reason: err.Error()}
	}
	err = v.db.View(func(tx *bbolt.Tx) error {
		if name, _ := tx.Cursor().First(); name == nil && tx.ID() <= 1 { // no transaction ever wrote
			return errNewVault
		}
		return nil
	})
	if errors.Is(err, errNewVault) {
		err = v.db.Update(func(tx *bbolt.Tx) error {
			for _, name := range [][]byte{subjects, erased, totals} {
				if _, err := tx.CreateBucket(name); err != nil {
					return fmt.Errorf("replica: vault: %w", err)
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	return v.db.View(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{subjects, erased, totals} {
			if tx.Bucket(name) == nil {
				return &journal.Damage{File: v.path, Reason: fmt.Sprintf("the bucket %q is missing", name)}
			}
		}
		want, have := readTotals(tx), vaultTotals{}
		err := tx.Bucket(subjects).ForEach(func(id, value []byte) error {
			if _, err := v.open1(id, value); err != nil {
				return err
			}
			have.add(value, 1)
			return nil
		})
		if err == nil && have != want {
			err = &journal.Damage{File: v.path, Reason: fmt.Sprintf("%d keys with checksum %08x where %d with %08x were stored", have.n, have.sum, want.n, want.sum)}
		}
		return err
	})
}

var errNewVault = errors.New("the vault is new")

func closed(s *Secret) []byte {
	return binary.LittleEndian.AppendUint32(s.Key[:], journal.Sum(append(s.Subject[:], s.Key[:]...)))
}

func (v *Vault) open1(id, value []byte) (s Secret, err error) {
	if len(id) == len(s.Subject) && len(value) == len(s.Key)+4 {
		s.Subject, s.Key = moongate.ID(id), [32]byte(value)
		if string(closed(&s)) == string(value) {
			return s, nil
		}
	}
	return s, &journal.Damage{File: v.path, Reason: fmt.Sprintf("the key of subject %x does not have its checksum", id)}
}

type vaultTotals struct {
	n   uint64
	sum uint32
}

// add counts a value in (1) or out (-1).
func (t *vaultTotals) add(value []byte, sign int64) {
	t.n += uint64(sign)
	t.sum ^= binary.LittleEndian.Uint32(value[len(value)-4:])
}

func readTotals(tx *bbolt.Tx) (t vaultTotals) {
	if b := tx.Bucket(totals).Get(subjects); len(b) == 12 {
		t.n, t.sum = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:])
	}
	return t
}

func (t *vaultTotals) write(tx *bbolt.Tx) error {
	return tx.Bucket(totals).Put(subjects, binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(nil, t.n), t.sum))
}

// vaultChange is a secret to store, or a subject's to erase.
type vaultChange struct {
	secret Secret
	erase  bool
}

// Put stores secrets, durably. A subject that has one keeps it.
func (v *Vault) Put(secrets ...Secret) error {
	changes := make([]vaultChange, len(secrets))
	for i, s := range secrets {
		changes[i].secret = s
	}
	return v.change(changes)
}

// Erase deletes subjects' keys, durably: nobody reads them any more. [Node.Compact] makes their bytes go away.
func (v *Vault) Erase(ids ...moongate.ID) error {
	changes := make([]vaultChange, len(ids))
	for i, id := range ids {
		changes[i] = vaultChange{Secret{Subject: id}, true}
	}
	return v.change(changes)
}

// change makes changes in order, all or none.
func (v *Vault) change(changes []vaultChange) error {
	if len(changes) == 0 {
		return nil
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	err := v.db.Update(func(tx *bbolt.Tx) error {
		keys, sum := tx.Bucket(subjects), readTotals(tx)
		for i := range changes {
			s := &changes[i].secret
			have := keys.Get(s.Subject[:])
			switch {
			case changes[i].erase:
				if have != nil {
					sum.add(have, -1)
				}
				// Marked in any case: a key that is on its way in raft's log leaves bytes too.
				if err := errors.Join(keys.Delete(s.Subject[:]), tx.Bucket(erased).Put(s.Subject[:], []byte{1})); err != nil {
					return err
				}
			case have == nil:
				value := closed(s)
				sum.add(value, 1)
				if err := keys.Put(s.Subject[:], value); err != nil {
					return err
				}
			}
		}
		return sum.write(tx)
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
		value := tx.Bucket(subjects).Get(subject[:])
		if value == nil {
			return nil
		}
		s, err := v.open1(subject[:], value)
		key, ok = s.Key, err == nil
		return err
	})
	return key, ok, err
}

// Erased lists the subjects whose keys were erased since [Node.Compact] ran: bytes of them may still be on the disk.
func (v *Vault) Erased() (ids []moongate.ID, err error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	err = v.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(erased).ForEach(func(id, _ []byte) error {
			ids = append(ids, moongate.ID(id))
			return nil
		})
	})
	return ids, err
}

// forget takes subjects off the list of those whose keys may have left bytes.
func (v *Vault) forget(ids []moongate.ID) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.db.Update(func(tx *bbolt.Tx) error {
		for _, id := range ids {
			if err := tx.Bucket(erased).Delete(id[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// rewrite writes the file anew, so that no free page of it holds what was erased.
func (v *Vault) rewrite() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	next := v.path + ".new"
	if err := compactInto(next, v.db, bbolt.Options{}); err != nil {
		return fmt.Errorf("replica: vault: %w", err)
	}
	if err := v.db.Close(); err != nil {
		return fmt.Errorf("replica: vault: %w", err)
	}
	if err := replaceFile(next, v.path); err != nil {
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

// WriteTo writes a consistent copy of the file, for a backup. The copy holds nothing that was erased.
func (v *Vault) WriteTo(w io.Writer) (n int64, err error) {
	if err := v.rewrite(); err != nil {
		return 0, err
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	err = v.db.View(func(tx *bbolt.Tx) error {
		n, err = tx.WriteTo(w)
		return err
	})
	return n, err
}
