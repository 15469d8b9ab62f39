package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/sim"
	"github.com/moongate-hub/moongate/sim/world"
)

// play is a demonstration on sockets and wall time: wallets and gardens in this process, the hub in another.
type play struct {
	verb    demoVerb
	env     *env
	t       *terminal
	dir     string
	config  *hub.Config
	secrets *hub.Secrets
	token   string // the operator's
	live    *sim.Live
	hub     *child

	killed  *world.Interrupted
	down    time.Duration
	takings map[string]int64
	report  *hub.Report // of what was written while the story was told
}

// live tells the story, shows what it came to, and leaves everything open.
func (v demoVerb) live(e *env) (err error) {
	p := &play{verb: v, env: e, t: newTerminal(e.out), dir: v.Dir}
	if e.json {
		p.t = newTerminal(e.err)
	}
	if p.verb.Orders == 0 {
		p.verb.Orders = 60
	}
	if p.dir == "" {
		if p.dir, err = os.MkdirTemp("", "moongate-demo-"); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(p.dir)) }()
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.open(e.ctx); err != nil {
		return err
	}
	if err := p.tell(e.ctx); err != nil {
		return err
	}
	if err := p.check(e.ctx); err != nil {
		return err
	}
	if err := p.show(); err != nil {
		return err
	}
	if v.Leave {
		return p.verdict()
	}
	if err := p.hub.start(); err != nil {
		return err
	}
	if err := p.hub.up(e.ctx); err != nil {
		return err
	}
	if err := p.doors(e.ctx); err != nil {
		return err
	}
	verdict := p.verdict() // of the story: closing everything at once breaks off what the gardens are doing
	return errors.Join(p.linger(e.ctx), verdict)
}

// open starts wallets, gardens and a hub, and has everybody move in.
func (p *play) open(ctx context.Context) error {
	p.say("opening", "wallets, gardens, and a hub with keys of its own")
	address, err := free(ctx, p.verb.Listen)
	if err != nil {
		return err
	}
	url := "http://" + address
	p.live, err = sim.OpenLive(ctx, sim.LiveOptions{Seed: p.verb.Seed, Dir: p.dir, Hub: url, Now: p.env.now})
	if err != nil {
		return err
	}
	p.config, err = hub.Init(p.dir, hub.Config{
		Name: "demo.example/moongate", Listen: address, PublicURL: url, Operator: "harbour-office", Wallets: p.live.Wallets,
	}, p.env.random, p.env.now())
	if err != nil {
		return err
	}
	if err := p.found(ctx); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(p.dir, "hub.log"))
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	p.hub = &child{config: filepath.Join(p.dir, "moongate.yaml"), url: url, log: log}
	if err := p.hub.start(); err != nil {
		return err
	}
	if err := p.hub.up(ctx); err != nil {
		return err
	}
	p.say("moving in", "a publisher or two, markets, sellers, a store and its apps: each with its own key, each signing its terms")
	return p.live.MoveIn(ctx, p.token)
}

// found makes the first operator.
func (p *play) found(ctx context.Context) (err error) {
	if p.secrets, err = hub.ReadSecrets(p.config.Secrets); err != nil {
		return err
	}
	h, err := hub.Open(ctx, hub.Options{Config: p.config, Secrets: p.secrets, Now: p.env.now, Random: p.env.random, Virtual: true})
	if err != nil {
		return err
	}
	if p.token, err = h.Bootstrap(ctx, "Harbour Office"); err == nil {
		_, err = hub.Do[party.Done](ctx, h, p.config.Operator, "", &party.Rename{Handle: p.config.Operator, Name: "Harbour Office", NameZH: "港务处"})
	}
	return errors.Join(err, h.Close())
}

// tell lets the shoppers come, and kills the hub when half of them have.
func (p *play) tell(ctx context.Context) error {
	p.say("shoppers", fmt.Sprintf("%d orders within %s, with everything that goes wrong at wallets", p.verb.Orders, p.verb.Span))
	pace := sim.LivePace(p.verb.Span)
	p.live.World.Begin(ctx, p.verb.Orders, pace)
	bar := p.env.progress("orders", int64(p.verb.Orders))
	defer bar.done()
	progress := func(context.Context) error {
		bar.at(min(int64(p.live.World.Tally().Orders), bar.total))
		return nil
	}
	if err := p.live.Loop.Run(ctx, p.env.now().Add(p.verb.Span/2), progress); err != nil {
		return err
	}
	bar.done()
	began := p.env.now()
	var err error
	p.killed, err = p.live.World.Interrupt(ctx, world.Interruption{
		Kill: func() error {
			began = p.env.now()
			p.say("kill -9", "the hub, in the middle of this payment")
			return p.hub.kill()
		},
		Revive: func(ctx context.Context) error {
			if err := p.hub.start(); err != nil {
				return err
			}
			err := p.hub.up(ctx)
			p.down = p.env.now().Sub(began)
			p.say("alive", "again after "+p.down.Round(10*time.Millisecond).String())
			return err
		},
		Say:  func(format string, args ...any) { p.say("", fmt.Sprintf(format, args...)) },
		Wait: p.wait,
	})
	if err != nil {
		return err
	}
	// What was begun ends: the wallets' last words, refunds, and the windows of a minute.
	rest := p.verb.Span/2 + pace.Returns + 8*time.Second
	if err := p.live.Loop.Run(ctx, p.env.now().Add(rest), progress); err != nil {
		return err
	}
	p.takings, err = p.live.World.Takings(ctx)
	return err
}

// wait lets the others go on for a while.
func (p *play) wait(ctx context.Context, d time.Duration) error {
	return p.live.Loop.Run(ctx, p.env.now().Add(d), nil)
}

// check stops the hub and reads everything that it wrote, from the first byte on.
func (p *play) check(ctx context.Context) (err error) {
	if err := p.hub.stop(); err != nil {
		return err
	}
	p.report, err = hub.Fsck(ctx, p.config, p.secrets, p.env.now)
	return err
}

// verdict is an error where something does not hold.
func (p *play) verdict() error {
	if p.ok() {
		return nil
	}
	return errSilent
}

func (p *play) ok() bool {
	return p.report.OK && p.violations() == 0 && len(p.live.World.Tally().Failures) == 0
}

// violations counts what the strict wallets found: money that the hub asked for twice.
func (p *play) violations() (n int) {
	for _, w := range p.live.World.Cast.Wallets {
		n += len(p.live.Wallet(w.Handle).Violations())
	}
	return n
}

func (p *play) say(what, text string) {
	p.t.line("%s %s", p.t.dim(fmt.Sprintf("%-10s", what)), text)
}

// linger keeps the world going: offices look, wallets tell, and people may come and shop, or kill the hub.
func (p *play) linger(ctx context.Context) error {
	enter := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(p.env.in); lines.Scan(); {
			select {
			case enter <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	go p.watch(ctx, enter)
	err := p.live.Loop.Run(ctx, p.env.now().Add(7*24*time.Hour), nil)
	if errors.Is(err, context.Canceled) {
		p.t.line("")
		p.say("closing", "the hub, the wallets and the gardens")
		return nil
	}
	return err
}

// watch says so when somebody has killed the hub, and starts it again when asked to.
func (p *play) watch(ctx context.Context, enter <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-enter:
			continue
		case <-p.hub.gone():
		}
		if ctx.Err() != nil {
			return
		}
		p.t.line("")
		p.say("gone", "the hub is dead. Pay at the wallet if you like, then press Enter here to start the hub again")
		for again := false; !again; {
			select {
			case <-ctx.Done():
				return
			case <-enter:
			}
			err := p.hub.start()
			if err == nil {
				err = p.hub.up(ctx)
			}
			if again = err == nil; again {
				p.say("alive", fmt.Sprintf("the hub serves again, as process %d", p.hub.pid()))
			} else {
				p.say("", err.Error())
			}
		}
	}
}

func (p *play) close() error {
	var errs []error
	if p.hub != nil {
		errs = append(errs, p.hub.stop(), p.hub.log.Close())
	}
	if p.live != nil {
		errs = append(errs, p.live.Close())
	}
	return errors.Join(errs...)
}

// free gives an address that nobody has, the one asked for where that can be.
func free(ctx context.Context, address string) (string, error) {
	l, err := sim.Listen(ctx, address)
	if err != nil {
		return "", err
	}
	defer l.Close()
	host, port, err := net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort(host, port), err
}

// show ends the story with a table that a newcomer understands.
func (p *play) show() error {
	y := p.live.World.Tally()
	if p.env.json {
		return p.env.show(map[string]any{
			"seed": p.verb.Seed, "crossings": p.report.Crossings, "state_hash": p.report.Hash, "invariants_ok": p.ok(),
			"orders": y.Orders, "payments": y.Payments, "refunds": y.Refunds, "exceptions": y.Exceptions, "faults": y.Faults,
			"takings": p.takings, "killed": p.killed, "down_seconds": p.down.Seconds(), "violations": p.violations(),
			"failures": y.Failures, "findings": p.report.Findings, "config": p.hub.config,
		}, nil)
	}
	p.t.line("")
	p.t.line("%s", p.t.bold("Who got what"))
	p.t.table([]align{left, left, left, right, left}, []string{"", "", "of", "yuan", ""}, p.who())
	p.t.line("")
	p.t.line("%s", p.t.bold("What went wrong, and how it ended"))
	p.t.table([]align{left, left}, []string{"", ""}, p.troubles())
	p.t.line("")
	bad := 0
	for _, f := range p.report.Findings {
		if !f.OK {
			bad++
			p.t.line("%s %s", p.t.red("✗"), f.Check)
			for _, problem := range f.Problems {
				p.t.line("    %s", problem)
			}
		}
	}
	for _, f := range y.Failures {
		p.t.line("%s %s", p.t.red("✗"), f)
	}
	if bad == 0 {
		p.t.line("%s %s crossings; %d checks over everything the hub wrote, all hold: no cent is missing, none moved twice", p.t.green("✓"), count(p.report.Crossings), len(p.report.Findings))
	}
	return p.t.err
}

// who is everybody with what the purchases brought; of the sellers the largest and the smallest.
func (p *play) who() (rows [][]string) {
	y, cast := p.live.World.Tally(), &p.live.World.Cast
	add := func(g world.Garden, kind, more string) {
		rows = append(rows, []string{g.Name + " " + g.NameZH, kind, g.House, amount(p.takings[g.Handle], 2), more})
	}
	for _, g := range cast.Publishers {
		add(g, "publisher", fmt.Sprintf("its readers made %d orders", y.ByPublisher[g.Handle]))
	}
	for _, m := range cast.Markets {
		add(m.Garden, "market", "shoppers paid "+amount(y.Gross[m.Handle], 2))
	}
	for _, w := range cast.Wallets {
		add(w.Garden, "wallet", "carried "+amount(y.ByWallet[w.Handle], 2))
	}
	sellers := slices.Clone(cast.Sellers)
	slices.SortStableFunc(sellers, func(a, b *world.Seller) int { return int(p.takings[b.Handle] - p.takings[a.Handle]) })
	sellers = slices.DeleteFunc(sellers, func(s *world.Seller) bool { return p.takings[s.Handle] == 0 })
	for i, s := range sellers {
		switch {
		case i < 3 || i == len(sellers)-1:
			add(s.Garden, "seller", "")
		case i == 3:
			rows = append(rows, []string{fmt.Sprintf("… and %d more", len(sellers)-4), "sellers", "", "", ""})
		}
	}
	for _, a := range cast.Apps {
		rows = append(rows, []string{a.Name + " " + a.NameZH, "app", a.House, "", "the store learns one total a month, and no sale"})
	}
	return rows
}

func (p *play) troubles() [][]string {
	y := p.live.World.Tally()
	rows := [][]string{{
		"the hub was killed while " + p.killed.Order + " was being paid",
		fmt.Sprintf("back after %s; %s says paid, and so does the hub", p.down.Round(10*time.Millisecond), p.killed.Wallet),
	}}
	for _, f := range keysOf(y.Faults) {
		if y.Faults[f] == 0 {
			continue // it could have happened, and did not
		}
		rows = append(rows, []string{string(f), times(y.Faults[f])})
	}
	rows = append(rows, []string{"a link that its publisher keeps shut was opened", times(y.Stopped) + ", and the reader was told why"})
	for _, k := range keysOf(y.Exceptions) {
		rows = append(rows, []string{"left for a person to decide: " + k, times(y.Exceptions[k])})
	}
	return append(rows, []string{"money that moved twice at a wallet", times(p.violations())})
}

func times(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}

// Doors stay open for this long.
const (
	blockedFor = 2 * time.Hour
	payWithin  = 2 * time.Hour
)

// doors says where to go from here.
func (p *play) doors(ctx context.Context) error {
	w := p.live.World
	allowed, good, publisher, market := w.Allowed()
	blocked, err := w.Shut(ctx, blockedFor)
	if err != nil {
		return err
	}
	cashier, err := w.FreshCashier(ctx, payWithin)
	if err != nil {
		return err
	}
	receipt := filepath.Join(p.dir, "receipt.json")
	if err := os.WriteFile(receipt, p.killed.Receipt, 0o600); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	self := os.Args[0]
	t := p.t
	door := func(name, address, more string) {
		t.line("  %s  %s", t.bold(fmt.Sprintf("%-12s", name)), address)
		if more != "" {
			t.line("  %-12s  %s", "", t.dim(more))
		}
	}
	t.line("")
	t.line("%s", t.bold("Go and see"))
	door("console", p.hub.url+"/console", "sign in with the operator's token: "+p.token)
	door("a link", allowed, fmt.Sprintf("of %s: it opens %s at %s", publisher.Name, good.Name, market.Name))
	door("a shut link", blocked.URL, fmt.Sprintf("%s keeps it shut for two hours, and says why", w.Cast.NameOf(blocked.By)))
	door("a cashier", cashier, "made for a phone, 360 px wide; choose a wallet, and approve at the wallet's page")
	door("kill it", fmt.Sprintf("kill -9 %d", p.hub.pid()), "when you are at the wallet; approve there, press Enter here, and look at the cashier again")
	door("a receipt", receipt, "of the payment during which the hub was killed; check it with a program that is not ours:")
	t.line("  %-12s  python3 docs/design/check_receipt.py %s '%s'", "", receipt, p.secrets.Verifier)
	t.line("  %-12s  %s", "", t.dim("or with this one, which needs nothing of the hub but its key:"))
	t.line("  %-12s  %s log receipt %s --key '%s'", "", self, receipt, p.secrets.Verifier)
	door("the log", self+" log verify --url "+p.hub.url+"/log --key '"+p.secrets.Verifier+"'", "")
	door("reference", p.hub.url+"/docs", "")
	t.line("")
	t.line("%s", t.dim("Ctrl-C closes everything"+map[bool]string{true: " and removes it", false: "; it stays in " + p.dir}[p.verb.Dir == ""]))
	return t.err
}
