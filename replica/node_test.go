package replica_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

func open(t testing.TB, opt replica.Options) (*replica.Node, *counter) {
	t.Helper()
	m, c := newMachine()
	n, err := replica.Open(context.Background(), m, opt)
	if err != nil {
		t.Fatal(err)
	}
	return n, c
}

func TestSubmitAnswersAndRepeats(t *testing.T) {
	opt := options(t, t.TempDir())
	n, _ := open(t, opt)
	ctx := context.Background()
	do := func(key string, c *put) (balance, error) {
		return replica.Submit[balance](ctx, n, replica.Request{Caller: "alice", Key: key, Command: c})
	}
	expect := func(what string, got balance, err error, coins int64, code moongate.Code) {
		t.Helper()
		if got.Coins != coins || moongate.CodeOf(err) != code {
			t.Errorf("%s: %d coins and %v, want %d and %q", what, got.Coins, err, coins, code)
		}
	}
	b, err := do("1", &put{Purse: "p", Coins: 5})
	expect("first", b, err, 5, "")
	b, err = do("1", &put{Purse: "p", Coins: 5})
	expect("repeated", b, err, 5, "")
	b, err = do("1", &put{Purse: "p", Coins: 6})
	expect("other body", b, err, 0, moongate.KeyReused)
	b, err = do("2", &put{Purse: "p", Coins: -9})
	expect("refused", b, err, 0, moongate.Limit)
	b, err = do("3", &put{Purse: "p", Coins: 10})
	expect("more", b, err, 15, "")
	b, err = do("2", &put{Purse: "p", Coins: -9})
	expect("a refusal is repeated, though it could be granted now", b, err, 0, moongate.Limit)
	b, err = do("4", &put{Purse: "p", Fail: "malformed"})
	expect("malformed", b, err, 0, moongate.Malformed)
	b, err = do("4", &put{Purse: "p", Coins: 1})
	expect("a malformed request leaves no trace of its key", b, err, 16, "")
	at := n.Machine().Position()
	b, err = do("6", &put{Purse: "q", Coins: 1, Fail: "busy"})
	expect("no room", b, err, 0, moongate.Busy)
	if n.Machine().Position() != at {
		t.Error("what only found no room stands in the journal")
	}
	b, err = do("7", &put{Purse: "r", Coins: 100})
	expect("room", b, err, 100, "")
	b, err = do("6", &put{Purse: "q", Coins: 1, Fail: "busy"})
	expect("the same again, when there is room", b, err, 1, "")
	b, err = do("5", &put{Purse: "p", Fail: "panic"})
	expect("a panic before the first event is a refusal", b, err, 0, moongate.Internal)

	before, err := n.Machine().NodeHash()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"journal", "snapshot"} {
		if step == "snapshot" {
			if err := n.Snapshot(); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		n, _ = open(t, opt)
		after, err := n.Machine().NodeHash()
		if err != nil {
			t.Fatal(err)
		}
		if before != after {
			t.Errorf("restart from %s: another state", step)
		}
		b, err = do("3", &put{Purse: "p", Coins: 10})
		expect("repeated after restart from "+step, b, err, 15, "")
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkSubmit(b *testing.B) {
	for _, workers := range []int{64, 1024} {
		b.Run(fmt.Sprint(workers), func(b *testing.B) {
			n, _ := open(b, options(b, b.TempDir()))
			var wg sync.WaitGroup
			each := b.N/workers + 1
			b.ResetTimer()
			for w := range workers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := range each {
						_, err := n.Submit(context.Background(), replica.Request{Caller: "a", Key: fmt.Sprint(w, "-", i), Command: &put{Purse: fmt.Sprint("p", w), Coins: 1}})
						if err != nil {
							b.Error(err)
							return
						}
					}
				}()
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(each*workers)/b.Elapsed().Seconds(), "cmd/s")
			if err := n.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
