package replica_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// openWith opens a node whose program knows rules up to a version.
func openWith(t testing.TB, opt replica.Options, rules uint32) (*replica.Node, error) {
	t.Helper()
	m, _ := limited(replica.Limits{Rules: rules})
	fatal := catch(&opt)
	n, err := replica.Open(context.Background(), m, opt)
	return n, errors.Join(err, fatal.err())
}

// A program that knows new rules decides by the old ones until they are raised, and by the new ones from there on; what
// was decided before stays, however the state is made. A program that does not know them does not start.
func TestRulesAreRaised(t *testing.T) {
	t.Parallel()
	opt := options(t, t.TempDir())
	put200 := func(n *replica.Node, key string) error {
		_, err := n.Submit(context.Background(), replica.Request{Caller: "ann", Key: key, Command: &put{Purse: "p", Coins: 200}})
		return err
	}
	raise := func(n *replica.Node, key string, to uint32) moongate.Code {
		_, err := n.Submit(context.Background(), replica.Request{Caller: "office", Key: key, Command: &replica.RaiseRules{To: to}})
		return moongate.CodeOf(err)
	}
	old, err := openWith(t, opt, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := put200(old, "1"); err != nil {
		t.Error(err)
	}
	if code := raise(old, "r1", 1); code != moongate.Malformed {
		t.Errorf("rules that are not known were raised: %q", code)
	}
	shut(t, old)
	before := copyDir(t, opt.Dir)

	n, err := openWith(t, opt, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := put200(n, "2"); err != nil {
		t.Errorf("before the rules are raised: %v", err)
	}
	if code := raise(n, "r1", 1); code != "" { // it was malformed then, and left no trace
		t.Errorf("raising: %q", code)
	}
	if code := raise(n, "r2", 1); code != moongate.Conflict {
		t.Errorf("raising again: %q", code)
	}
	for range 2 {
		if err := put200(n, "3"); moongate.CodeOf(err) != moongate.Limit {
			t.Errorf("after the rules were raised: %v", err)
		}
		if err := errors.Join(put200(n, "1"), put200(n, "2")); err != nil {
			t.Errorf("what was decided before is answered otherwise: %v", err)
		}
	}
	want := nodeHash(t, n)
	shut(t, n)

	// From the journal, and from a snapshot.
	for range 2 {
		if n, err := openWith(t, opt, 0); err == nil || !strings.Contains(err.Error(), "run the version that raised them") {
			t.Errorf("a program that does not know them says %v", err)
			if n != nil {
				shut(t, n)
			}
		}
		if n, err = openWith(t, opt, 2); err != nil {
			t.Fatal(err)
		}
		if got := nodeHash(t, n); got != want {
			t.Error("another state")
		}
		var rules replica.Rules
		n.Machine().Read(func() { rules = n.Machine().Rules() })
		if (rules != replica.Rules{InForce: 1, Known: 2}) {
			t.Errorf("it decides by %+v", rules)
		}
		if err := n.SnapshotKeeping(0); err != nil {
			t.Fatal(err)
		}
		shut(t, n)
	}

	// The old journal folds to the same state with either program.
	var hashes [][32]byte
	for _, known := range []uint32{0, 1} {
		m, _ := limited(replica.Limits{Rules: known})
		if _, _, err := replica.Replay(before, m, nil); err != nil {
			t.Fatal(err)
		}
		h, err := m.NodeHash()
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, h)
	}
	if hashes[0] != hashes[1] {
		t.Error("a program that knows more rules folds the old journal otherwise")
	}
}
