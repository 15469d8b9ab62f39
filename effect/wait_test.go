package effect_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/effect"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// TestWaitingIsNoTry: effects that may not be begun wait, however long, and are made when they may.
func TestWaitingIsNoTry(t *testing.T) {
	t.Parallel()
	var may atomic.Bool
	var asked, calls atomic.Int64
	began := time.Now()
	o := effect.Options{
		Now: func() time.Time { return began.Add(100 * time.Since(began)) }, MaxTries: 1,
		Wait: func(kind string) bool { asked.Add(1); return kind == "bell.rung" && !may.Load() },
	}
	x := newHouse(t, options(t.TempDir()), o, func(context.Context, journal.Entry) (replica.Command, error) {
		calls.Add(1)
		return &tell{}, nil
	})
	at := x.ring("w")
	x.eventually("it is looked at again and again", func() bool { return asked.Load() > 4 })
	if calls.Load() != 0 || len(x.n.Machine().Buried()) != 0 || !x.n.Machine().IsPending(at) {
		t.Errorf("%d calls, %d buried", calls.Load(), len(x.n.Machine().Buried()))
	}
	may.Store(true)
	x.eventually("it is made", func() bool { return x.heard(at) == 1 })
	x.close()
}

// TestLaterIsNoTry: effects whose peer is at it are asked about for as long as it takes, never buried, and keep no room from
// those behind them.
func TestLaterIsNoTry(t *testing.T) {
	t.Parallel()
	var ready atomic.Bool
	var looks atomic.Int64
	o := effect.Options{
		Now: time.Now, First: time.Millisecond, Longest: 2 * time.Millisecond, MaxTries: 2, Queue: 1,
		OnError: func(_ string, _ journal.Position, _ int, err error) { t.Errorf("a failure: %v", err) },
	}
	x := newHouse(t, options(t.TempDir()), o, func(_ context.Context, e journal.Entry) (replica.Command, error) {
		if e.Event.(*rung).Text == "slow" && !ready.Load() {
			looks.Add(1)
			return nil, fmt.Errorf("wrapped: %w", &effect.Later{Why: "at it"})
		}
		return &tell{}, nil
	})
	var slow []journal.Position
	for range 3 {
		at, err := x.n.Submit(context.Background(), replica.Request{Caller: "ann", Command: &ring{Peer: "w", Text: "slow"}})
		if err != nil {
			t.Fatal(err)
		}
		slow = append(slow, at.(journal.Position))
	}
	quick := x.ring("w")
	x.eventually("the one behind is heard", func() bool { return x.heard(quick) == 1 })
	x.eventually("the others are looked at again and again", func() bool { return looks.Load() > 50 })
	if n := len(x.n.Machine().Buried()); n != 0 {
		t.Errorf("%d are buried", n)
	}
	ready.Store(true)
	for _, at := range slow {
		x.eventually("each is heard", func() bool { return x.heard(at) == 1 })
	}
	x.close()
}
