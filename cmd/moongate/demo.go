package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/sim"
	"github.com/moongate-hub/moongate/sim/world"
)

type demoVerb struct {
	Once   bool          `help:"Play the story in virtual time, audit it and end: exits 0 only if every invariant holds."`
	Seed   uint64        `default:"1" help:"The same seed tells the same story."`
	Orders int           `help:"How many orders; 300 with --once, 60 without."`
	Span   time.Duration `default:"20s" help:"How long shoppers come, without --once."`
	Dir    string        `help:"Keep what the hub writes in this directory, which must not exist." placeholder:"DIR"`
	Listen string        `default:"127.0.0.1:8600" help:"Address of the hub; a free port where it is taken."`
	Leave  bool          `help:"End after the table instead of keeping the console open."`
}

func (v demoVerb) Run(e *env) error {
	if v.Once {
		return v.once(e)
	}
	return v.live(e)
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

// child is the hub as a process of its own.
type child struct {
	env    *env
	config string
	log    *os.File
	cmd    *exec.Cmd
}

func (c *child) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.cmd = exec.Command(self, "serve", "-c", c.config, "--metrics", "none", "--demo") //nolint:gosec // this program
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	return c.cmd.Start()
}

// kill is SIGKILL: the hub gets no chance to say good-bye.
func (c *child) kill() error {
	err := c.cmd.Process.Kill()
	_ = c.cmd.Wait() //nolint:errcheck // it was killed
	return err
}

func (c *child) stop() error {
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		return c.kill()
	}
	done := make(chan error, 1)
	go func() { done <- c.cmd.Wait() }()
	select {
	case <-done:
		return nil
	case <-time.After(10 * time.Second):
		return c.kill()
	}
}

// live runs wallets, gardens and a hub, kills the hub in the middle of a payment, and leaves everything open.
func (v demoVerb) live(e *env) (err error) {
	dir, remove := v.Dir, func() {}
	if dir == "" {
		if dir, remove, err = sim.Temporary(); err != nil {
			return err
		}
	}
	defer remove()
	if v.Orders == 0 {
		v.Orders = 60
	}
	t := newTerminal(e.out)
	if e.json {
		t = newTerminal(e.err)
	}
	carrier := http.DefaultTransport
	t.line("%s wallets, gardens and keys", t.dim("opening"))
	l, err := sim.NewLive(e.ctx, sim.LiveOptions{Seed: v.Seed, Dir: dir, Listen: v.Listen, Now: e.now, Random: e.random})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	log, err := os.Create(filepath.Join(dir, "hub.log")) //nolint:gosec // our own directory
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // a log
	c := &child{env: e, config: l.Config, log: log}
	if err := c.start(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	up, cancel := context.WithTimeout(e.ctx, 30*time.Second)
	defer cancel()
	if err := l.Up(up, carrier); err != nil {
		return fmt.Errorf("%w; its log is %s", err, log.Name())
	}
	t.line("%s everybody registers, signs terms and places links", t.dim("moving in"))
	if err := l.World.MoveIn(e.ctx); err != nil {
		return err
	}
	t.line("%s %d orders in %s on %s", t.dim("shoppers come:"), v.Orders, v.Span, l.Hub)
	killed, err := v.story(e, t, l, c, carrier)
	if err != nil {
		return err
	}
	if e.json {
		if err := e.show(map[string]any{"tally": l.World.Tally(), "killed": killed, "violations": l.Violations(), "hub": l.Hub, "config": l.Config}, nil); err != nil {
			return err
		}
	} else {
		v.table(t, l, killed)
	}
	if v.Leave {
		return nil
	}
	if err := v.doors(e, t, l, c); err != nil {
		return err
	}
	// The world goes on: offices look, wallets tell, and shoppers may pay.
	err = l.Loop.Run(e.ctx, e.now().Add(24*time.Hour), nil)
	if errors.Is(err, context.Canceled) {
		t.line("")
		t.line("%s", t.dim("closing"))
		return nil
	}
	return err
}

// killed is what the demonstration shows of a hub that was killed.
type killed struct {
	Order  string        `json:"order"`
	Amount int64         `json:"amount"`
	Down   time.Duration `json:"down_ns"`
	Status string        `json:"status"` // of the payment afterwards
}

// story lets the shoppers come, and kills the hub when half of them have.
func (v demoVerb) story(e *env, t *terminal, l *sim.Live, c *child, carrier http.RoundTripper) (*killed, error) {
	pace := sim.LivePace(v.Span)
	l.World.Begin(e.ctx, v.Orders, pace)
	k := &killed{}
	var order *world.Order
	var failed error
	var kill func()
	kill = func() {
		if order = l.World.InFlight(); order == nil {
			l.Loop.After(pace.Think/4, kill)
			return
		}
		k.Order, k.Amount = order.No, order.Total()
		t.line("%s order %s is at the wallet; the hub is killed with SIGKILL", t.yellow("✂"), order.No)
		down := e.now()
		if failed = c.kill(); failed != nil {
			l.Loop.Stop()
			return
		}
		l.Loop.After(time.Second, func() {
			if failed = c.start(); failed == nil {
				failed = l.Up(e.ctx, carrier)
			}
			if failed != nil {
				l.Loop.Stop()
				return
			}
			k.Down = e.now().Sub(down)
			t.line("%s it is back after %s", t.green("↻"), k.Down.Round(10*time.Millisecond))
		})
	}
	l.Loop.After(v.Span/2, kill)
	p := e.progress("orders", int64(v.Orders))
	err := l.Loop.Run(e.ctx, e.now().Add(v.Span+pace.Returns+6*time.Second), func(context.Context) error {
		p.at(int64(l.World.Tally().Orders))
		return nil
	})
	p.done()
	if err = errors.Join(err, failed); err != nil {
		return nil, err
	}
	if order != nil {
		k.Status = string(order.Status)
	}
	return k, nil
}

// table is what a newcomer should understand.
func (v demoVerb) table(t *terminal, l *sim.Live, k *killed) {
	y, cast := l.World.Tally(), &l.World.Cast
	t.line("")
	t.line("%s", t.bold("What crossed the walls"))
	rows := [][]string{}
	for _, p := range cast.Publishers {
		rows = append(rows, []string{p.Name, "publisher", fmt.Sprintf("%d orders from its readers", y.ByPublisher[p.Handle])})
	}
	for _, m := range cast.Markets {
		rows = append(rows, []string{m.Name, "marketplace", "sold for ¥" + amount(y.Gross[m.Handle], 2)})
	}
	for _, p := range cast.Wallets {
		rows = append(rows, []string{p.Name, "wallet", "carried ¥" + amount(y.ByWallet[p.Handle], 2)})
	}
	sellers := keysOf(y.BySeller)
	slices.SortStableFunc(sellers, func(a, b string) int { return int(y.BySeller[b] - y.BySeller[a]) })
	for _, s := range sellers[:min(3, len(sellers))] {
		rows = append(rows, []string{s, "seller", "¥" + amount(y.BySeller[s], 2)})
	}
	if n := len(sellers); n > 3 {
		rows = append(rows, []string{fmt.Sprintf("and %d more", n-3), "sellers", ""})
	}
	for _, a := range cast.Apps {
		rows = append(rows, []string{a.Name, "app, private terms", "the store learns a monthly total, no sale"})
	}
	t.table([]align{left, left, left}, []string{"who", "", ""}, rows)
	t.line("")
	t.line("%s", t.bold("What went wrong, and how it ended"))
	rows = rows[:0]
	if k.Order != "" {
		rows = append(rows, []string{"the hub was killed while " + k.Order + " was being paid", "back after " + k.Down.Round(10*time.Millisecond).String() + "; the payment is " + k.Status})
	}
	for _, f := range keysOf(y.Faults) {
		rows = append(rows, []string{string(f), fmt.Sprintf("%d times", y.Faults[f])})
	}
	rows = append(rows, []string{"money moved twice at a wallet", fmt.Sprintf("%d times", l.Violations())})
	t.table([]align{left, left}, []string{"", ""}, rows)
	t.line("")
	t.line("%d links opened, %d stopped by a block; %d orders, %d paid; payments end as %v", y.Opened, y.Stopped, y.Orders, y.Approved, y.Payments)
	for _, f := range y.Failures {
		t.line("%s %s", t.red("✗"), f)
	}
}

// doors says where to go from here.
func (v demoVerb) doors(e *env, t *terminal, l *sim.Live, c *child) error {
	allowed, good, publisher, market := l.World.Allowed()
	blocked := l.World.Blocked()
	t.line("")
	t.line("%s", t.bold("Go and see"))
	t.line("  console          %s/console   sign in with %s", l.Hub, l.Token)
	t.line("  a link that opens: %s", allowed)
	t.line("    %s on %s leads to %q at %s; buy it and pay on the cashier page, 360 px wide first", "a page", publisher.Name, good.Name, market.Name)
	if blocked != nil {
		t.line("  a blocked link:    %s", blocked.URL)
		t.line("    %s keeps it shut: %s, until %s, when it opens by itself", blocked.By, blocked.Reason, blocked.Expires.Format(time.TimeOnly))
	}
	t.line("  the public log:    moongate log verify --url %s/log --key '%s'", l.Hub, l.LogKey)
	t.line("    a receipt verifies offline with that key; docs/design/receipts.md has a checker in Python that is not ours")
	t.line("  kill the hub:      kill -9 %d   then start it: moongate serve -c %s", c.cmd.Process.Pid, l.Config)
	t.line("")
	t.line("%s", t.dim("Ctrl-C closes everything."))
	return nil
}

func keysOf[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
