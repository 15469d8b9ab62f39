package replica_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// wall is a node under a wall clock that a test sets.
type wall struct {
	t   *testing.T
	opt replica.Options
	now atomic.Int64
	n   *replica.Node
}

func newWall(t *testing.T, every time.Duration) *wall {
	w := &wall{t: t, opt: options(t, t.TempDir())}
	w.now.Store(int64(1_700_000_000 * moongate.Second))
	w.opt.Clock = func() moongate.Time { return moongate.Time(w.now.Load()) }
	w.opt.TickEvery = every
	w.open()
	return w
}

func (w *wall) open() {
	w.t.Helper()
	w.n, _ = open(w.t, w.opt)
}

// move sets the clock to the state's time and some more.
func (w *wall) move(by moongate.Time) {
	w.n.Machine().Read(func() { w.now.Store(int64(w.n.Machine().Now() + by)) })
}

func (w *wall) expect(what string, code moongate.Code) {
	w.t.Helper()
	_, err := do(w.n, what, &put{Purse: "p", Coins: 1})
	if moongate.CodeOf(err) != code {
		w.t.Errorf("%s: %v, want %q", what, err, code)
	}
	if fault := w.n.ClockFault(); (fault != nil) != (code == moongate.Busy) {
		w.t.Errorf("%s: the clock's fault is %v", what, fault)
	}
}

// TestClockThatIsOff: a leader whose clock is two seconds behind or five minutes ahead of the state decides nothing
// until it is right, or an operator has agreed; the agreement is for that once.
func TestClockThatIsOff(t *testing.T) {
	t.Parallel()
	w := newWall(t, time.Hour)
	w.expect("the first command sets the time", "")
	for i := range 20 { // a younger state has nothing to lose
		w.expect(fmt.Sprint("command ", i), "")
	}
	w.move(5 * moongate.Minute)
	w.expect("five minutes ahead", "")
	w.move(-2 * moongate.Second)
	w.expect("two seconds behind", "")
	before := nodeHash(t, w.n)
	for what, by := range map[string]moongate.Time{
		"more than five minutes ahead": 5*moongate.Minute + 1, "years ahead": 9000 * moongate.Day,
		"more than two seconds behind": -2*moongate.Second - 1, "a day behind": -moongate.Day,
	} {
		w.move(by)
		w.expect(what, moongate.Busy)
		if nodeHash(t, w.n) != before {
			t.Errorf("%s: the state has changed", what)
		}
		shut(t, w.n)
		n, _, err := tryOpen(w.opt)
		if err == nil {
			shut(t, n)
		}
		if err == nil || !strings.Contains(err.Error(), "clock") {
			t.Fatalf("%s: a start says %v", what, err)
		}
		var fault *moongate.Error
		if !errors.As(err, &fault) || !strings.Contains(fault.Hint, "--accept-clock") {
			t.Errorf("%s: a start says %v, and not what to do", what, err)
		}
		w.move(0)
		w.open()
		w.expect("set right after it was "+what, "")
		before = nodeHash(t, w.n)
	}

	// With an operator's consent the time jumps ahead, once.
	w.move(moongate.Hour)
	shut(t, w.n)
	w.opt.AcceptClock = true
	w.open()
	w.expect("an hour ahead, agreed", "")
	w.expect("and again, at the same time", "")
	w.move(moongate.Hour)
	w.expect("another hour ahead", moongate.Busy)
	w.move(0)
	w.expect("set right", "")

	// Behind, it stands still until the clock has caught up.
	w.move(-10 * moongate.Minute)
	shut(t, w.n)
	w.open()
	stood := moongate.Time(0)
	w.n.Machine().Read(func() { stood = w.n.Machine().Now() })
	w.expect("ten minutes behind, agreed", "")
	w.now.Add(int64(9 * moongate.Minute))
	w.expect("a minute behind", "")
	w.n.Machine().Read(func() {
		if now := w.n.Machine().Now(); now != stood {
			t.Errorf("the time went from %v to %v", stood, now)
		}
	})
	w.now.Add(int64(moongate.Minute))
	w.expect("level", "")
	w.move(-moongate.Minute)
	w.expect("behind once more", moongate.Busy)
	shut(t, w.n)
}

// TestStartAfterLong: a hub that was down for long starts by itself where somebody outside says the same time, or where
// nothing has happened in it yet; nobody outside can make a time that is in the past go on.
func TestStartAfterLong(t *testing.T) {
	t.Parallel()
	w := newWall(t, time.Hour)
	w.expect("the first command sets the time", "")
	shut(t, w.n)
	w.move(moongate.Hour)
	w.open() // nothing can expire in so young a state
	w.expect("an hour later", "")
	for i := range 20 {
		w.expect(fmt.Sprint("command ", i), "")
	}
	shut(t, w.n)
	w.move(moongate.Hour)
	says := false
	w.opt.ClockWitness = func(context.Context) bool { return says }
	if n, _, err := tryOpen(w.opt); err == nil {
		shut(t, n)
		t.Fatal("it started though the witness says another time")
	}
	says = true
	w.open()
	w.expect("an hour later, and somebody agrees", "")
	shut(t, w.n)
	w.move(-moongate.Hour)
	if n, _, err := tryOpen(w.opt); err == nil {
		shut(t, n)
		t.Fatal("it started with a time in the past")
	}
}

// TestNoTickWhileTheClockIsOff: time does not pass by itself either, and goes on when the clock is right.
func TestNoTickWhileTheClockIsOff(t *testing.T) {
	t.Parallel()
	w := newWall(t, time.Millisecond)
	if _, err := do(w.n, "", &put{Purse: "p", Coins: 1, Expires: moongate.Time(w.now.Load()) + moongate.Day}); err != nil {
		t.Fatal(err)
	}
	at := func() (at moongate.Time) {
		w.n.Machine().Read(func() { at = w.n.Machine().Now() })
		return at
	}
	before := at()
	w.now.Add(int64(2 * moongate.Day))
	eventually(t, "a tick finds the clock off", func() bool { return w.n.ClockFault() != nil })
	if at() != before {
		t.Errorf("it is %v, was %v", at(), before)
	}
	w.now.Add(int64(moongate.Second - 2*moongate.Day))
	eventually(t, "time passes again", func() bool { return at() > before })
	if w.n.ClockFault() != nil {
		t.Error("the clock is right and said to be off")
	}
	for _, e := range events(t, w.n) {
		if _, ok := e.Event.(*emptied); ok {
			t.Error("a deadline passed by a clock that was off")
		}
	}
	shut(t, w.n)
}
