package world

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var dawn = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func TestLoopJumpsToWhatIsDueInOrder(t *testing.T) {
	l := Virtual(dawn)
	var got []string
	note := func(s string) func() {
		return func() { got = append(got, s+" "+l.Now().Format("15:04:05")) }
	}
	l.After(time.Hour, note("late"))
	l.After(time.Second, note("first"))
	l.After(time.Second, note("second"))
	l.After(time.Minute, func() {
		note("plans more")()
		l.After(0, note("at once"))
		l.After(48*time.Hour, note("never"))
	})
	steps := 0
	if err := l.Run(t.Context(), dawn.Add(24*time.Hour), func(context.Context) error { steps++; return nil }); err != nil {
		t.Fatal(err)
	}
	want := []string{"first 00:00:01", "second 00:00:01", "plans more 00:01:00", "at once 00:01:00", "late 01:00:00"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if steps != 5 || !l.Now().Equal(dawn.Add(24*time.Hour)) || l.Len() != 1 {
		t.Errorf("%d steps, now %s, %d left", steps, l.Now(), l.Len())
	}
}

func TestLoopWaitsUnderTheWallClock(t *testing.T) {
	l := Wall(time.Now)
	ran := make(chan time.Time, 1)
	go l.After(5*time.Millisecond, func() { ran <- time.Now(); l.Stop() })
	began := time.Now()
	if err := l.Run(t.Context(), began.Add(time.Minute), nil); err != nil {
		t.Fatal(err)
	}
	if at := <-ran; at.Sub(began) < 5*time.Millisecond || time.Since(began) > 30*time.Second {
		t.Errorf("ran after %s and ended after %s", at.Sub(began), time.Since(began))
	}
}

func TestChanceIsItsSeedAndItsPurpose(t *testing.T) {
	a, b := NewChance(7).Dice("x"), NewChance(7).Dice("x")
	for range 100 {
		if x, y := a.Uint64(), b.Uint64(); x != y {
			t.Fatalf("one seed gave %d and %d", x, y)
		}
	}
	if NewChance(7).Key("x") == NewChance(7).Key("y") || NewChance(7).Key("x") == NewChance(8).Key("x") {
		t.Error("two purposes or two seeds share a key")
	}
}

func TestCastFollowsAPowerLaw(t *testing.T) {
	for seed := range uint64(20) {
		c := Settle(NewChance(seed), 36)
		if len(c.Sellers) != 36 {
			t.Fatalf("seed %d: %d sellers", seed, len(c.Sellers))
		}
		total, top := 0, 0
		for i, s := range c.Sellers {
			total += s.Weight
			if i < 7 {
				top += s.Weight
			}
		}
		if 100*top < 40*total {
			t.Errorf("seed %d: the largest fifth of the sellers are %d %% of the trade", seed, 100*top/total)
		}
		for _, m := range c.Markets {
			if len(c.SellersOf(m)) < 5 {
				t.Errorf("seed %d: %s has %d sellers", seed, m.Name, len(c.SellersOf(m)))
			}
		}
	}
}
