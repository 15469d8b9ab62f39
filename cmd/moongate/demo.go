package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/sim"
)

type demoVerb struct {
	Once   bool          `help:"Play the story in virtual time, audit it and end: exits 0 only if every invariant holds."`
	Seed   uint64        `default:"1" help:"The same seed tells the same story."`
	Orders int           `help:"How many orders; 300 with --once, 60 without." placeholder:"N"`
	Span   time.Duration `default:"20s" help:"How long shoppers come, without --once."`
	Dir    string        `help:"Keep what the hub writes in this directory, which must not exist." placeholder:"DIR"`
	Listen string        `default:"127.0.0.1:8600" help:"Address of the hub; a free port where it is taken."`
	Leave  bool          `help:"End after the table instead of keeping the console open."`
}

func (v demoVerb) Run(e *env) error {
	if err := v.check(); err != nil {
		return err
	}
	if v.Once {
		return v.once(e)
	}
	return v.live(e)
}

// mostOrders is as many as a story bears in which everybody is played by one process.
const mostOrders = 100_000

// check refuses what no story can be told with, before anything is begun.
func (v demoVerb) check() error {
	if v.Orders < 0 || v.Orders > mostOrders {
		return &moongate.Error{Code: moongate.Malformed, Field: "--orders", Message: fmt.Sprintf("a story of %d orders", v.Orders), Hint: fmt.Sprintf("1 to %d", mostOrders)}
	}
	if v.Dir != "" {
		if _, err := os.Lstat(v.Dir); err == nil {
			return &moongate.Error{Code: moongate.Conflict, Field: "--dir", Message: v.Dir + " exists already", Hint: "name a directory that does not; nothing was changed"}
		}
	}
	if v.Once {
		return nil
	}
	if v.Span < time.Second || v.Span > time.Hour {
		return &moongate.Error{Code: moongate.Malformed, Field: "--span", Message: fmt.Sprintf("shoppers that come for %s", v.Span), Hint: "1s to 1h"}
	}
	host, _, err := net.SplitHostPort(v.Listen)
	ip := net.ParseIP(host)
	if err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return &moongate.Error{Code: moongate.Malformed, Field: "--listen", Message: fmt.Sprintf("%.80q is not an address of this machine alone", v.Listen), Hint: "like 127.0.0.1:8600; a demonstration is not encrypted, and everybody's keys are in it"}
	}
	return nil
}

// once plays the story in virtual time.
func (v demoVerb) once(e *env) error {
	p := e.progress("hours of the story", 0)
	o := sim.Options{
		Seed: v.Seed, Orders: v.Orders, Dir: v.Dir, Now: e.now,
		Surface:  func(h *hub.Hub) (http.Handler, error) { return surface(h, true) },
		Progress: func(done, total time.Duration) { p.total = int64(total.Hours()); p.at(int64(done.Hours())) },
	}
	r, err := sim.Once(e.ctx, o)
	p.done()
	if err != nil {
		return err
	}
	err = e.show(r, func(t *terminal) {
		rows := [][]string{}
		for _, list := range []struct {
			name string
			n    map[string]int64
		}{{"crossings", r.ByKind}, {"payments", r.Payments}, {"refunds", r.Refunds}, {"exceptions", r.Exceptions}, {"windows", r.Windows}} {
			for _, k := range keysOf(list.n) {
				rows = append(rows, []string{list.name, k, count(list.n[k])})
			}
		}
		for _, k := range keysOf(r.Faults) {
			rows = append(rows, []string{"faults", k, count(int64(r.Faults[k]))})
		}
		t.table([]align{left, left, right}, []string{"what", "", "how many"}, rows)
		t.line("")
		for _, f := range r.Findings {
			mark := t.green("✓")
			if !f.OK {
				mark = t.red("✗")
			}
			t.line("%s %s", mark, f.Check)
			for _, problem := range f.Problems {
				t.line("    %s", problem)
			}
		}
		t.line("")
		t.line("%s crossings in %.0f days that took %.1f s; state %.16s…", count(r.Crossings), r.Days, r.Seconds, r.StateHash)
	})
	if err == nil && !r.InvariantsOK {
		return errSilent
	}
	return err
}

func keysOf[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
