package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/view"
)

// Finding is one line of a check: something that must hold, and whether it does.
type Finding struct {
	Check     string   `json:"check"`
	Invariant int      `json:"invariant,omitempty"` // its number in ARCHITECTURE.md
	OK        bool     `json:"ok"`
	Looked    int64    `json:"looked"` // how many things were looked at
	Problems  []string `json:"problems,omitempty"`
}

const maxProblems = 20

func (f *Finding) bad(format string, args ...any) {
	f.OK = false
	if len(f.Problems) < maxProblems {
		f.Problems = append(f.Problems, fmt.Sprintf(format, args...))
	}
}

// Report is what fsck found.
type Report struct {
	Hub       string           `json:"hub"`
	Position  journal.Position `json:"position"`
	Records   uint64           `json:"records"`
	Crossings int64            `json:"crossings"`
	Hash      string           `json:"state_hash"`
	Findings  []*Finding       `json:"findings"`
	OK        bool             `json:"ok"`
	Seconds   float64          `json:"seconds"`
}

// Fsck reads everything that a hub has written, from the first byte on, and checks every invariant. It writes nothing
// into the data directory, and works on a copy as on the original; the hub must not be running on it.
func Fsck(ctx context.Context, c *Config, s *Secrets, now func() time.Time) (*Report, error) {
	began := now()
	if err := replica.Idle(c.Data); err != nil {
		return nil, err
	}
	rep := &Report{Hub: c.Name, OK: true}
	add := func(f *Finding) *Finding { rep.Findings = append(rep.Findings, f); return f }
	rooms := NewRooms(c)
	whole := add(&Finding{Check: "the journal is whole: every checksum, position and index", Invariant: 5, OK: true})
	audit := newAudit(rooms, add)
	done, j, err := replica.Replay(c.Data, rooms.machine, func(e journal.Entry) error {
		whole.Looked++
		audit.event(e)
		return ctx.Err()
	})
	if err := noted(err, whole, audit.events); err != nil {
		return nil, err
	}
	if !whole.OK || !audit.events.OK { // the rest would be about another story
		rep.OK = false
		rep.Findings = slices.DeleteFunc(rep.Findings, func(f *Finding) bool { return f.OK && f != whole })
		return rep, nil
	}
	rep.Position, rep.Records, rep.Hash = done.Position, done.Records, fmt.Sprintf("%x", done.Hash)
	add(&Finding{Check: "the state is what it was recorded to be, wherever its hash was", Invariant: 5, OK: true, Looked: int64(done.Hashes)})
	audit.finish()
	rep.Crossings = int64(len(audit.recorded))
	keys := add(&Finding{Check: "no idempotency key was used twice within its window", Invariant: 3, OK: true})
	if err := checkKeys(j, keys); err != nil {
		return nil, err
	}
	entries := add(&Finding{Check: "raft's log and the journal hold the same entries", Invariant: 5, OK: true})
	if err := checkRaft(c.Data, j, entries); err != nil {
		return nil, err
	}
	public := add(&Finding{Check: "the public log follows from the journal and keeps what was published", Invariant: 5, OK: true})
	if err := checkLog(c, s, j, public); err != nil {
		return nil, err
	}
	if public.OK { // else the same would be said twice
		files := add(&Finding{Check: "the files of the public log are whole, and in step with the journal", Invariant: 5, OK: true})
		if err := checkLogFiles(c, s, j, files); err != nil {
			return nil, err
		}
	}
	vault := add(&Finding{Check: "the vault holds every key that was put into it", OK: true})
	if err := checkVault(filepath.Join(c.Data, "vault"), j, vault); err != nil {
		return nil, err
	}
	views := add(&Finding{Check: "the views are what the journal says", OK: true})
	if err := checkViews(ctx, rooms, c.Data, j, views); err != nil {
		return nil, err
	}
	for _, f := range rep.Findings {
		rep.OK = rep.OK && f.OK
	}
	rep.Seconds = float64(now().Sub(began).Milliseconds()) / 1000
	return rep, nil
}

// noted makes findings of what is wrong with the journal itself, and gives back any other error.
func noted(err error, whole, events *Finding) error {
	var damage *journal.Damage
	var unfit *replica.Unfit
	var diverged *replica.Diverged
	switch {
	case errors.As(err, &damage):
		whole.bad("%v", damage)
	case errors.As(err, &unfit):
		events.bad("%v", unfit)
	case errors.As(err, &diverged):
		events.bad("%v", diverged)
	default:
		return err
	}
	return nil
}

func checkKeys(j *journal.Journal, f *Finding) error {
	window := replica.Limits{}.Window()
	seen := map[[16]byte]int64{}
	return j.Records(0, func(r *journal.Record) error {
		for i := range r.Done {
			d := &r.Done[i]
			if d.Key == ([16]byte{}) {
				continue
			}
			f.Looked++
			if at, ok := seen[d.Key]; ok && int64(d.At)-at <= int64(window) {
				f.bad("record %d: the key of a %s was used before, at %d µs", r.Index, d.Kind, at)
			}
			seen[d.Key] = int64(d.At)
		}
		return nil
	})
}

// checkRaft compares raft's entries, as far back as raft keeps them, with the journal's records.
func checkRaft(dir string, j *journal.Journal, f *Finding) error {
	sums, end, err := replica.RaftSums(filepath.Join(dir, "raft"))
	if errors.Is(err, os.ErrNotExist) {
		f.bad("there is no raft state in %s", dir)
		return nil
	}
	if err != nil {
		f.bad("%v", err)
		return nil
	}
	last, _ := j.Last()
	if end < last {
		f.bad("raft ends at entry %d before the journal's %d; make raft's files anew from the journal with moongate restore raft", end, last)
	}
	err = j.Records(0, func(r *journal.Record) error {
		if sum, ok := sums[r.Index]; ok {
			f.Looked++
			if sum != r.Sum {
				f.bad("entry %d: raft has %08x, the journal %08x", r.Index, sum, r.Sum)
			}
			delete(sums, r.Index)
		}
		return nil
	})
	for index := range sums {
		if index <= last {
			f.bad("entry %d is in raft's log and not in the journal", index)
		}
	}
	return err
}

// checkLog makes the public log anew in a directory of its own, and holds it against the published checkpoint and the
// files that are served.
func checkLog(c *Config, s *Secrets, j *journal.Journal, f *Finding) error {
	tmp, err := os.MkdirTemp("", "moongate-fsck-")
	if err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // a temporary directory
	dir := filepath.Join(c.Data, "log")
	signed, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("fsck: %w", err)
	}
	if signed != nil {
		if _, err := s.open(signed); err != nil {
			f.bad("the published checkpoint: %v", err)
			return nil
		}
		if err := os.WriteFile(filepath.Join(tmp, "checkpoint"), signed, 0o600); err != nil {
			return fmt.Errorf("fsck: %w", err)
		}
	}
	if err := copyCosigned(s, dir, tmp, f); err != nil || !f.OK {
		return err
	}
	if err := openLogCopy(c, s, j, tmp, f); err != nil || !f.OK {
		return err
	}
	return checkTiles(dir, tmp, f)
}

// copyCosigned puts what witnesses have cosigned beside the checkpoint, to be held against the log made anew.
func copyCosigned(s *Secrets, dir, tmp string, f *Finding) error {
	const name = "checkpoint.cosigned"
	signed, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	if _, err := s.open(signed); err != nil {
		f.bad("the cosigned checkpoint: %v", err)
		return nil
	}
	if err := os.WriteFile(filepath.Join(tmp, name), signed, 0o600); err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	return nil
}

// openLogCopy opens a copy of the public log's directory, as a start would.
func openLogCopy(c *Config, s *Secrets, j *journal.Journal, dir string, f *Finding) error {
	l, err := journal.OpenLog(dir, j, replica.LogSecret(s.Derive(nodeSecret)))
	if err != nil {
		f.bad("%s", strings.ReplaceAll(err.Error(), dir, filepath.Join(c.Data, "log")))
		return nil
	}
	f.Looked = l.Size()
	return l.Close()
}

// checkTiles holds every tile that is served against the one made anew. One that was cut when the tree was smaller is
// the beginning of it.
func checkTiles(dir, anew string, f *Finding) error {
	served, made := os.DirFS(dir), os.DirFS(anew)
	return fs.WalkDir(served, "tile", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // nothing was served yet
		}
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".new-") {
			return err
		}
		f.Looked++
		have, err := fs.ReadFile(served, name)
		if err != nil {
			return err
		}
		want, err := fs.ReadFile(made, name)
		whole, _, partial := strings.Cut(name, ".p/")
		if partial && errors.Is(err, fs.ErrNotExist) {
			want, err = readTile(made, whole)
		}
		if err != nil || !bytes.Equal(have, want[:min(len(have), len(want))]) || !partial && len(have) != len(want) {
			f.bad("%s is not what the journal gives", name)
		}
		return nil
	})
}

// readTile reads a tile, whole or as far as there is one.
func readTile(files fs.FS, name string) ([]byte, error) {
	b, err := fs.ReadFile(files, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	parts, err := fs.Glob(files, name+".p/*")
	if err != nil || len(parts) == 0 {
		return nil, fs.ErrNotExist
	}
	return fs.ReadFile(files, parts[len(parts)-1])
}

// checkLogFiles goes over the files of the public log as they are.
func checkLogFiles(c *Config, s *Secrets, j *journal.Journal, f *Finding) error {
	from := filepath.Join(c.Data, "log")
	if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
		return nil // they are made at start
	}
	tmp, err := os.MkdirTemp("", "moongate-fsck-")
	if err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // a temporary directory
	if err := os.CopyFS(filepath.Join(tmp, "log"), os.DirFS(from)); err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	return openLogCopy(c, s, j, filepath.Join(tmp, "log"), f)
}

func checkVault(path string, j *journal.Journal, f *Finding) error {
	keys, err := replica.CheckVault(path, j)
	f.Looked = int64(keys)
	var damage *journal.Damage
	switch {
	case errors.As(err, &damage):
		f.bad("%v", damage)
		return nil
	case errors.Is(err, os.ErrNotExist):
		f.bad("%s is missing: the personal fields whose keys it held are gone; restore it from a backup", path)
		return nil
	}
	return err
}

// checkViews makes the views anew and compares them, table by table, with those in the data directory.
func checkViews(ctx context.Context, rooms *Rooms, dir string, j *journal.Journal, f *Finding) error {
	path := filepath.Join(dir, "views.db")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil // they are made at start
	}
	tmp, err := os.MkdirTemp("", "moongate-fsck-")
	if err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // a temporary directory
	differences, looked, err := view.Compare(ctx, path, filepath.Join(tmp, "views.db"), j, rooms.views()...)
	f.Looked = looked
	for _, d := range differences {
		f.bad("%s", d)
	}
	if err != nil && ctx.Err() == nil { // what the journal says cannot stand in tables
		f.bad("%v", err)
		return nil
	}
	return err
}
