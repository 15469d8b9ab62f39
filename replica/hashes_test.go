package replica_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// hashed lists the hashes that a journal records.
func hashed(t testing.TB, n *replica.Node) (all []*replica.Hashed) {
	t.Helper()
	for _, e := range events(t, n) {
		if h, ok := e.Event.(*replica.Hashed); ok {
			all = append(all, h)
		}
	}
	return all
}

// takeHashes fills a node and has its state hashed between, so many times, with snapshots in the middle.
func takeHashes(t testing.TB, n *replica.Node, times int) {
	t.Helper()
	for i := range times {
		fill(t, n, i*50, i*50+50)
		if err := n.TakeHash(context.Background()); err != nil {
			t.Fatal(err)
		}
		fill(t, n, i*50+40, i*50+50) // what follows does not wait for it, and repeats
		within(t, "no hash is recorded", func() bool { return len(hashed(t, n)) > i })
	}
}

// A recorded hash is what a restart, a rebuild and whoever folds the journal find at the same position.
func TestRecordedHashesHold(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	n, _ := open(t, opt)
	takeHashes(t, n, 3)
	want := nodeHash(t, n)
	if got := n.Machine().Compared(); got != 3 {
		t.Errorf("the node compared %d of its own hashes", got)
	}
	shut(t, n)
	n, _ = open(t, opt)
	if got := n.Machine().Compared(); got != 3 || nodeHash(t, n) != want {
		t.Errorf("the restart compared %d", got)
	}
	if err := n.Snapshot(); err != nil {
		t.Fatal(err)
	}
	takeHashes(t, n, 4) // of which three are repeated, and recorded anew
	shut(t, n)
	n, _ = open(t, opt)
	if got := n.Machine().Compared(); got != 4 {
		t.Errorf("the restart from a snapshot compared %d, of those behind it", got)
	}
	shut(t, n)
	m, _ := newMachine()
	if r, _, err := replica.Replay(opt.Dir, m, nil); err != nil || r.Hashes != 7 {
		t.Errorf("folding the journal compared %+v (%v)", r, err)
	}
	opt.Dir = without(t, opt.Dir, "raft", "log")
	m, _ = newMachine()
	if r, err := replica.Rebuild(m, opt); err != nil || r.Hashes != 7 {
		t.Errorf("rebuilding compared %+v (%v)", r, err)
	}
}

// A state that is not what it was recorded to be starts nothing. A machine of another shape has nothing to compare: a
// later version may keep more, or be told to keep it for longer.
func TestAStateThatDivergedStops(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	n, _ := open(t, opt)
	takeHashes(t, n, 2)
	at := hashed(t, n)[0].Of
	shut(t, n)
	skewed := func(limits replica.Limits) *replica.Machine {
		m, c := limited(limits)
		c.skew = 1
		return m
	}
	var d *replica.Diverged
	if _, _, err := replica.Replay(opt.Dir, skewed(replica.Limits{}), nil); !errors.As(err, &d) || d.At != at {
		t.Errorf("folded otherwise it says %v, and not that the state behind event %d is another", err, at)
	}
	fatal := catch(&opt)
	n, err := replica.Open(context.Background(), skewed(replica.Limits{}), opt)
	if err == nil {
		shut(t, n)
	}
	if err = errors.Join(err, fatal.err()); err == nil || !strings.Contains(err.Error(), "the version that ran before") {
		t.Errorf("it starts, or says %v", err)
	}
	m := skewed(replica.Limits{Basis: "something else"})
	if r, _, err := replica.Replay(opt.Dir, m, nil); err != nil || r.Hashes != 0 {
		t.Errorf("of another shape: %+v, %v", r, err)
	}
}

// The state is hashed by itself when enough has happened.
func TestTheStateIsHashedFromTimeToTime(t *testing.T) {
	t.Parallel()
	opt := moving(options(t, t.TempDir()))
	opt.TickEvery, opt.AcceptClock, opt.HashEvery = 2*time.Millisecond, true, 40
	n, _ := open(t, opt)
	within(t, "no two hashes are recorded by themselves", func() bool { return len(hashed(t, n)) >= 2 })
	shut(t, n)
	n, _ = open(t, opt)
	if n.Machine().Compared() < 2 {
		t.Error("the restart compared none")
	}
	shut(t, n)
	m, _ := newMachine()
	last := journal.Position(0)
	_, _, err := replica.Replay(opt.Dir, m, func(e journal.Entry) error {
		if _, ok := e.Event.(*replica.HashTaken); ok {
			if last != 0 && e.Position-last < 40 {
				t.Errorf("hashed at %d, and again at %d", last, e.Position)
			}
			last = e.Position
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
