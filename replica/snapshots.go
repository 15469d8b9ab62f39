package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/moongate-hub/moongate/journal"
)

// snapshotStore is raft's store of snapshots, of which only the newest counts. Raft would pass over one that it cannot
// read and take the one before, or none, without a word: here that is a fault, which is named.
type snapshotStore struct {
	*raft.FileSnapshotStore
	dir    string
	node   raft.ServerID
	opened string // the file that was opened last
	fault  error  // what was wrong when the newest was opened or loaded
}

// What raft calls the files of a snapshot.
const (
	metaFile  = "meta.json"
	stateFile = "state.bin"
)

func openSnapshots(dir, node string, log hclog.Logger) (*snapshotStore, error) {
	s, err := raft.NewFileSnapshotStoreWithLogger(dir, 2, log)
	if err != nil {
		return nil, fmt.Errorf("replica: snapshots in %s: %w", dir, err)
	}
	return &snapshotStore{FileSnapshotStore: s, dir: dir, node: raft.ServerID(node)}, nil
}

// Create begins a snapshot.
func (s *snapshotStore) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, ci uint64, t raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.FileSnapshotStore.Create(v, index, term, c, ci, t)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "snapshots", sink.ID()+".tmp", stateFile), os.O_RDWR, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("replica: %w", err), sink.Cancel())
	}
	return &steadySink{SnapshotSink: sink, file: f}, nil
}

// steadySink brings a snapshot to the disk while it is written. At its end alone, a sync of all of it holds up those of
// raft's log and of the journal, and so everybody who waits for an answer.
type steadySink struct {
	raft.SnapshotSink
	file   *os.File // the same one
	behind int      // bytes written since its last sync
}

// steadyBytes is how much of a snapshot is brought to the disk at once.
const steadyBytes = 4 << 20

func (s *steadySink) Write(p []byte) (int, error) {
	n, err := s.SnapshotSink.Write(p)
	if s.behind += n; err == nil && s.behind >= steadyBytes {
		s.behind, err = 0, s.file.Sync()
	}
	return n, err
}

// Close lets go of the file before its directory gets another name, which Windows wants. Raft closes what was closed.
func (s *steadySink) Close() error { return errors.Join(s.letGo(), s.SnapshotSink.Close()) }

// Cancel gives the snapshot up.
func (s *steadySink) Cancel() error { return errors.Join(s.letGo(), s.SnapshotSink.Cancel()) }

func (s *steadySink) letGo() error {
	if err := s.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// List is the newest snapshot, or nothing where there is none.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	name, _, err := newestSnapshot(s.dir)
	if err != nil || name == "" {
		return nil, err
	}
	meta, err := readMeta(s.dir, name)
	if err == nil && !slices.ContainsFunc(meta.Configuration.Servers, func(v raft.Server) bool { return v.ID == s.node && v.Suffrage == raft.Voter }) {
		err = fmt.Errorf("it does not name this node, %s, among the voters", s.node)
	}
	if err != nil {
		return nil, unreadable(s.dir, name, metaFile, err)
	}
	return []*raft.SnapshotMeta{&meta.SnapshotMeta}, nil
}

// Open reads a snapshot, behind its checksum.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.opened = filepath.Join(s.dir, "snapshots", id, stateFile)
	meta, r, err := s.FileSnapshotStore.Open(id)
	if err != nil {
		s.fault = unreadable(s.dir, id, stateFile, err)
		return nil, nil, s.fault
	}
	return meta, r, nil
}

// remake is what to do about raft's files: everything in them that was acknowledged is in the journal too.
const remake = "make raft's files anew from the journal with moongate restore raft"

// unreadable names what is wrong with the newest snapshot.
func unreadable(dir, name, file string, reason error) error {
	return &journal.Damage{File: filepath.Join(dir, "snapshots", name, file), Reason: fmt.Sprintf("the newest snapshot cannot be read: %v", reason), Repair: remake}
}

// newestSnapshot is the name of the newest of raft's snapshots, and the entry at which it was taken, by the names of
// their directories: raft's own store would write into it to see whether it may.
func newestSnapshot(dir string) (name string, newest uint64, err error) {
	entries, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", 0, fmt.Errorf("replica: %w", err)
	}
	var at [3]uint64 // term, index, time: raft's own order
	for _, e := range entries {
		var its [3]uint64
		n, err := fmt.Sscanf(e.Name(), "%d-%d-%d", &its[0], &its[1], &its[2])
		if err != nil || n != 3 || strings.HasSuffix(e.Name(), ".tmp") { // unfinished
			continue
		}
		if name == "" || its[0] > at[0] || its[0] == at[0] && (its[1] > at[1] || its[1] == at[1] && its[2] > at[2]) {
			name, at = e.Name(), its
		}
	}
	return name, at[1], nil
}

// snapshotMeta is what raft writes beside a snapshot's state. It has no checksum of its own.
type snapshotMeta struct {
	raft.SnapshotMeta
	CRC []byte
}

// readMeta reads what a snapshot is, and holds it against its directory's name and the size of its state.
func readMeta(dir, name string) (*snapshotMeta, error) {
	b, err := os.ReadFile(filepath.Join(dir, "snapshots", name, metaFile))
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	m := &snapshotMeta{}
	if err := dec.Decode(m); err != nil {
		return nil, err
	}
	state, err := os.Stat(filepath.Join(dir, "snapshots", name, stateFile))
	if err != nil {
		return nil, err
	}
	if m.Version != raft.SnapshotVersionMax || m.ID != name || !strings.HasPrefix(name, fmt.Sprintf("%d-%d-", m.Term, m.Index)) || m.ConfigurationIndex > m.Index || m.Size != state.Size() {
		return nil, errors.New("it describes another snapshot")
	}
	return m, nil
}

// checkSnapshot holds a snapshot against its checksum, and writes nothing.
func checkSnapshot(dir, name string) error {
	meta, err := readMeta(dir, name)
	if err != nil {
		return unreadable(dir, name, metaFile, err)
	}
	f, err := os.Open(filepath.Join(dir, "snapshots", name, stateFile))
	if err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	defer f.Close() //nolint:errcheck // read only
	sum := crc64.New(crc64.MakeTable(crc64.ECMA))
	if _, err := io.Copy(sum, f); err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	if !bytes.Equal(sum.Sum(nil), meta.CRC) {
		return unreadable(dir, name, stateFile, errors.New("its checksum does not match"))
	}
	return nil
}

// behind says that raft's log begins later than the newest snapshot ends.
func behind(path string, first, snapshot uint64) error {
	return &journal.Damage{File: path, Reason: fmt.Sprintf("raft's log begins at entry %d, behind the newest snapshot, which is of entry %d (0: there is none)", first, snapshot), Repair: remake}
}

// repairOf tells what to do about one of the files that bbolt keeps.
func repairOf(path string) string {
	if filepath.Base(path) == raftFile {
		return remake
	}
	return ""
}
