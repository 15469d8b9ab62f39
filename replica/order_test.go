package replica_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// What must come before what, and how much of it there may be.

// A fault of raft's log or of its stable store ends the process: raft would go on as a follower, and only a restart finds
// out what the disk holds.
func TestAFaultOfRaftsStoreIsFatal(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(n *replica.Node) error{
		"the log": func(n *replica.Node) error {
			_, err := n.Submit(context.Background(), replica.Request{Caller: "ann", Key: "x", Command: &put{Purse: "p", Coins: 1}})
			return err
		},
		"the stable store": func(n *replica.Node) error { return n.Vote(7) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt := options(t, t.TempDir())
			told, over := make(chan error, 100), make(chan struct{})
			opt.Fatal = func(err error) { told <- err; <-over } // as a process that ends does not come back from it
			n, _ := open(t, opt)
			fill(t, n, 0, 20)
			if err := n.BreakStore(); err != nil {
				t.Fatal(err)
			}
			used := make(chan error, 1)
			go func() { used <- use(n) }()
			select {
			case err := <-told:
				if !strings.Contains(err.Error(), "raft.db") {
					t.Errorf("it says %v", err)
				}
			case <-time.After(time.Minute):
				t.Fatal("nobody is told of it")
			}
			if _, err := n.Submit(context.Background(), replica.Request{Command: &replica.Tick{}}); moongate.CodeOf(err) != moongate.Unknown {
				t.Errorf("after the fault it answers %v", err)
			}
			n.StopRaft()
			close(over)
			_ = n.Close() // its files are broken
			if err := <-used; err == nil || name == "the log" && moongate.CodeOf(err) != moongate.Unknown {
				t.Errorf("what the fault overtook was answered %v", err)
			}
			opt = options(t, opt.Dir)
			n, _ = open(t, opt)
			fill(t, n, 0, 30)
			shut(t, n)
		})
	}
}

// raftEntries reads raft's log of a directory that no node runs on.
func raftEntries(t testing.TB, dir string) (all []*raft.Log) {
	t.Helper()
	editRaft(t, dir, func(s *raftboltdb.BoltStore) {
		first, err1 := s.FirstIndex()
		last, err2 := s.LastIndex()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		for i := first; i <= last && i > 0; i++ {
			l := &raft.Log{}
			if err := s.GetLog(i, l); err != nil {
				t.Fatal(err)
			}
			all = append(all, l)
		}
	})
	return all
}

func editRaft(t testing.TB, dir string, edit func(*raftboltdb.BoltStore)) {
	t.Helper()
	s, err := raftboltdb.New(raftboltdb.Options{Path: filepath.Join(dir, "raft", "raft.db")})
	if err != nil {
		t.Fatal(err)
	}
	edit(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// However much waits, an entry takes 64 KiB and the command that reached over it, no more; and it does take that much.
func TestAnEntryIsBounded(t *testing.T) {
	t.Parallel()
	const count, size, bound = 1500, 2000, 64 << 10
	opt := options(t, t.TempDir())
	n, _ := open(t, opt)
	var answered sync.WaitGroup
	n.Machine().Read(func() { // nothing is applied meanwhile, so that all but the first few entries find everything waiting
		for i := range count {
			answered.Add(1)
			n.Go(replica.Request{Caller: "ann", Command: &put{Purse: fmt.Sprint(i, strings.Repeat("x", size)), Coins: 1}}, func(_ any, err error) {
				if err != nil {
					t.Errorf("command %d: %v", i, err)
				}
				answered.Done()
			})
		}
	})
	answered.Wait()
	shut(t, n)
	largest := 0
	for _, l := range raftEntries(t, opt.Dir) {
		largest = max(largest, len(l.Data))
	}
	if largest > bound+2*size || largest < bound/2 {
		t.Errorf("the largest entry has %d bytes", largest)
	}
}

// A snapshot leaves about so many bytes of log behind it as it was told, however many entries those are.
func TestTrailingLogsAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{200, 5000} {
		opt := options(t, t.TempDir())
		opt.NoSync = true
		opt.TrailingBytes = 128 << 10
		n, _ := open(t, opt)
		for i := range 3 * int(opt.TrailingBytes) / size {
			r := replica.Request{Caller: "ann", Command: &put{Purse: fmt.Sprint(i%10, strings.Repeat("x", size)), Coins: 1}}
			if _, err := n.Submit(context.Background(), r); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Snapshot(); err != nil {
			t.Fatal(err)
		}
		shut(t, n)
		kept := 0
		for _, l := range raftEntries(t, opt.Dir) {
			kept += len(l.Data)
		}
		if most := int(opt.TrailingBytes); kept > most+most/4 || kept < most/2 {
			t.Errorf("with commands of %d bytes, %d bytes of log stay, of %d", size, kept, most)
		}
	}
}

// Raft's log is held against the journal entry by entry. Where it has lost one, or has one that the journal has not, no
// start goes on from it, wherever it ends.
func TestRaftsLogIsHeldAgainstTheJournal(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	n, _ := open(t, opt)
	fill(t, n, 0, 40)
	shut(t, n)
	n, _ = open(t, opt) // so that there is an entry of raft's own in the middle
	fill(t, n, 40, 80)
	shut(t, n)
	entries := raftEntries(t, opt.Dir)
	var command, own *raft.Log
	for _, l := range entries[:len(entries)-5] {
		switch {
		case l.Type == raft.LogCommand:
			command = l
		case command != nil:
			own = l
		}
	}
	if command == nil || own == nil {
		t.Fatalf("%d entries", len(entries))
	}
	for name, c := range map[string]struct {
		put  raft.Log
		says string
	}{
		"one was lost":       {raft.Log{Index: command.Index, Term: command.Term, Type: raft.LogNoop}, fmt.Sprintf("holds entry %d, which raft's log has lost", command.Index)},
		"one came from else": {raft.Log{Index: own.Index, Term: own.Term, Type: raft.LogCommand, Data: command.Data}, fmt.Sprintf("entry %d was applied already", own.Index)},
		"one was changed":    {raft.Log{Index: command.Index, Term: command.Term, Type: raft.LogCommand, Data: append([]byte{1}, command.Data...)}, fmt.Sprintf("entry %d differs", command.Index)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt := opt
			opt.Dir = copyDir(t, opt.Dir)
			editRaft(t, opt.Dir, func(s *raftboltdb.BoltStore) {
				if err := s.StoreLog(&c.put); err != nil {
					t.Fatal(err)
				}
			})
			fatal := catch(&opt)
			n, _, err := tryOpen(opt)
			if err == nil {
				shut(t, n)
			}
			if err = errors.Join(err, fatal.err()); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v, and should say %q", err, c.says)
			}
		})
	}
}

// A snapshot of what the journal does not hold yet comes to nothing when the journal cannot be written: it would be
// ahead of it for good.
func TestASnapshotWaitsForTheJournal(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	fatal := catch(&opt)
	syncs := make(chan error)
	blocked := false
	var mu sync.Mutex
	opt.Sync = func(f *os.File) error {
		mu.Lock()
		wait := blocked
		mu.Unlock()
		if wait {
			return <-syncs
		}
		return f.Sync()
	}
	n, _ := open(t, opt)
	fill(t, n, 0, 20)
	mu.Lock()
	blocked = true
	mu.Unlock()
	before := n.Applied()
	answered := make(chan error, 1)
	n.Go(replica.Request{Caller: "ann", Key: "late", Command: &put{Purse: "late", Coins: 1}}, func(_ any, err error) { answered <- err })
	within(t, "the command is not applied", func() bool { return n.Applied() > before })
	taken := make(chan error, 1)
	go func() { taken <- n.Snapshot() }()
	var err error
	done := false
	within(t, "no snapshot is begun", func() bool {
		select {
		case err = <-taken:
			done = true
		default:
		}
		begun, globErr := filepath.Glob(filepath.Join(opt.Dir, "raft", "snapshots", "*.tmp"))
		return done || globErr == nil && len(begun) > 0
	})
	syncs <- errors.New("no space left")
	if !done {
		err = <-taken
	}
	if err == nil {
		t.Error("a snapshot was taken of what the journal does not hold")
	}
	if all := snapshotsOf(t, opt.Dir); len(all) > 0 {
		t.Errorf("there is a snapshot: %v", all)
	}
	if err := <-answered; moongate.CodeOf(err) != moongate.Unknown {
		t.Errorf("the command was answered %v", err)
	}
	if err := fatal.wait(t); !strings.Contains(err.Error(), "no space left") {
		t.Errorf("it says %v", err)
	}
	_ = n.Close()
}

// within waits for a condition.
func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) { // between two looks
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}
