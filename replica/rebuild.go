package replica

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/raft"

	"github.com/moongate-hub/moongate/journal"
)

// Replayed is what reading a journal anew came to.
type Replayed struct {
	Records  uint64
	Position journal.Position
	Index    uint64 // of the last raft entry
	Term     uint64
	Hash     [32]byte // of the rooms' state
	Hashes   uint64   // recorded ones that were compared on the way
}

// Replay folds the whole journal of a directory into a fresh machine, and touches nothing. Watch sees every event.
func Replay(dir string, m *Machine, watch func(journal.Entry) error) (*Replayed, *journal.Journal, error) {
	j, err := journal.Open(filepath.Join(dir, "journal"), m.Registry(), journal.Options{ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	r := &Replayed{}
	f := &fsm{node: &Node{machine: m, journal: j}, folded: map[uint64]uint32{}}
	err = j.Records(0, func(rec *journal.Record) error {
		r.Records++
		r.Index, r.Term = rec.Index, rec.Term
		if err := m.refold(rec); err != nil {
			return err
		}
		if watch == nil {
			return nil
		}
		pos := rec.First
		for i := range rec.Done {
			d := &rec.Done[i]
			for _, st := range d.Events {
				e, err := m.registry.Decode(st)
				if err != nil {
					return err
				}
				if err := watch(journal.Entry{Position: pos, At: d.At, Caller: d.Caller, Event: e}); err != nil {
					return err
				}
				pos++
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	f.rebuild()
	r.Position, r.Hashes = m.next-1, m.hashes.compared()
	r.Hash, err = m.Hash()
	return r, j, err
}

// Rebuild makes raft's files from the journal alone, for a directory restored from a backup: a snapshot of the state
// at the journal's end, from which raft goes on.
func Rebuild(m *Machine, opt Options) (*Replayed, error) {
	if err := opt.withDefaults(); err != nil {
		return nil, err
	}
	r, j, err := Replay(opt.Dir, m, nil)
	if err != nil {
		return nil, err
	}
	if r.Index == 0 {
		return nil, fmt.Errorf("replica: the journal in %s is empty", opt.Dir)
	}
	dir := filepath.Join(opt.Dir, "raft")
	store, err := openLogStore(dir, false, opt.Fatal)
	if err != nil {
		return nil, err
	}
	if last, err := store.LastIndex(); err != nil || last > 0 {
		return nil, errors.Join(err, fmt.Errorf("replica: %s holds raft state already", dir), store.Close())
	}
	if err := store.SetUint64([]byte("CurrentTerm"), r.Term); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, 2, opt.Log)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	conf := raft.Configuration{Servers: []raft.Server{{ID: raft.ServerID(opt.ID), Address: raft.ServerAddress(opt.ID)}}}
	_, transport := raft.NewInmemTransport(raft.ServerAddress(opt.ID))
	sink, err := snaps.Create(raft.SnapshotVersionMax, r.Index, r.Term, conf, r.Index, transport)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	m.mu.Lock()
	im := m.freeze()
	m.mu.Unlock()
	defer im.release()
	if _, err := im.write(sink, m.hub, r.Index); err != nil {
		return nil, errors.Join(err, sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	log, err := journal.OpenLog(filepath.Join(opt.Dir, "log"), j, LogSecret(opt.Secret))
	if err != nil {
		return nil, err
	}
	return r, log.Close()
}

// LogSecret derives the secret of the public log's intervals from a node's.
func LogSecret(secret []byte) [32]byte {
	return sha256.Sum256(append([]byte("moongate/log/v1"), secret...))
}
