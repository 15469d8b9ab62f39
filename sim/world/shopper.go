package world

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// shopper does what one purchase says, step by step, with a browser.
type shopper struct {
	w        *World
	p        purchase
	b        *Browser
	counter  *counter
	order    *Order
	cashier  string
	number   string // of the order at the wallet
	troubled bool   // the wallet was told what to do wrong
	polls    int
}

// Bounds of one shopper.
const (
	maxTries = 60  // of one step that fails, as while the hub is away
	maxPolls = 200 // of the cashier's page
)

// errNotYet has a step tried again a little later.
var errNotYet = errors.New("not yet")

// agents are the browsers that shoppers have.
var agents = []string{
	"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
}

func (w *World) shopper(p purchase) *shopper {
	agent := agents[0]
	if p.phone {
		agent = agents[1]
	}
	return &shopper{w: w, p: p, counter: w.counters[p.market], b: &Browser{Carrier: w.opt.Carrier, Agent: agent, Lang: p.lang}}
}

// then plans the next step after some time of thought.
func (s *shopper) then(thoughts float64, what string, step func(context.Context) error) {
	s.w.later(time.Duration(thoughts*float64(s.w.pace.Think)), fmt.Sprintf("shopper %d: %s", s.p.number, what), step)
}

// later plans a step, and tries it again where it fails.
func (w *World) later(after time.Duration, what string, step func(context.Context) error) {
	tries := 0
	var attempt func()
	attempt = func() {
		err := step(w.ctx)
		if err == nil || w.ctx.Err() != nil {
			return
		}
		if tries++; tries > maxTries {
			w.failed(fmt.Errorf("%s: gave up: %w", what, err))
			return
		}
		w.opt.Loop.After(w.pace.Think/2+w.pace.Think*time.Duration(min(tries, 8))/8, attempt)
	}
	w.opt.Loop.After(after, attempt)
}

// begin opens the links that the purchase names, or the shelf.
func (s *shopper) begin(context.Context) error {
	s.read(0)
	return nil
}

// read opens the nth link, and then goes to buy.
func (s *shopper) read(n int) {
	if n == len(s.p.links) {
		s.then(1, "buying", s.buy)
		return
	}
	s.then(1, "opening a link", func(ctx context.Context) error {
		l := s.w.links[s.p.links[n]]
		p, err := s.b.Open(ctx, l.url)
		if err != nil {
			return err
		}
		switch {
		case p.Status == http.StatusForbidden:
			s.w.count(func(t *Tally) { t.Stopped++ })
		case p.Status != http.StatusOK || len(p.Hops) != 1:
			return fmt.Errorf("the link %s led to %s with status %d", l.code, p.URL.Host, p.Status)
		default:
			s.w.count(func(t *Tally) { t.Opened++ })
		}
		s.read(n + 1)
		return nil
	})
}

// buy fills the basket, and goes on to the cashier.
func (s *shopper) buy(ctx context.Context) error {
	if err := s.fill(ctx); err != nil {
		return err
	}
	if s.p.behaviour == Leaves && s.p.number%2 == 0 {
		return nil // does not even choose a wallet
	}
	s.then(1, "choosing a wallet", func(ctx context.Context) error { return s.choose(ctx, s.p.wallet) })
	return nil
}

// fill fills the basket and presses the button.
func (s *shopper) fill(ctx context.Context) error {
	address := s.w.opt.Address(s.counter.market.Handle)
	p, err := s.b.Open(ctx, address+"/goods/"+strconv.Itoa(s.p.goods[0]))
	if err != nil {
		return err
	}
	form := p.FormWith("buy")
	if form == nil {
		return fmt.Errorf("no way to buy at %s (status %d)", p.URL, p.Status)
	}
	for _, g := range s.p.goods[1:] {
		form.Fields.Add("good", strconv.Itoa(g))
	}
	if p, err = s.b.Press(ctx, p, form, "buy"); err != nil {
		return err
	}
	if s.order = s.counter.byCashier(p.URL.String()); s.order == nil {
		return fmt.Errorf("no cashier after buying: %d at %s", p.Status, p.URL)
	}
	s.cashier = p.URL.String()
	s.order.purchase = &s.p
	s.w.count(func(t *Tally) { t.Orders++ })
	return nil
}

func (s *shopper) purse(i int) Purse { return s.w.Cast.Wallets[i%len(s.w.Cast.Wallets)] }

func (s *shopper) wallet(i int) *sandbox.Wallet { return s.w.opt.Wallets[s.purse(i).Handle] }

// choose takes one of the wallets that the cashier offers.
func (s *shopper) choose(ctx context.Context, wallet int) error {
	p, err := s.b.Open(ctx, s.cashier)
	if err != nil {
		return err
	}
	form := p.FormWith(s.purse(wallet).Handle)
	if form == nil && s.polls > 0 { // the way that was waited for came after all
		return s.cross(ctx, wallet)
	}
	if form == nil {
		return fmt.Errorf("the cashier does not offer %s (status %d)", s.purse(wallet).Handle, p.Status)
	}
	if before, _ := s.p.trouble.faultsOf(); before != nil && !s.troubled {
		s.troubled = true // once: who asks anew gets through
		s.w.inject(s.wallet(wallet), s.p.trouble, before)
	}
	if p, err = s.b.Press(ctx, p, form, s.purse(wallet).Handle); err != nil {
		return err
	}
	if p.Status != http.StatusOK {
		return fmt.Errorf("choosing %s: status %d", s.purse(wallet).Handle, p.Status)
	}
	s.then(.5, "going to the wallet", func(ctx context.Context) error { return s.cross(ctx, wallet) })
	return nil
}

// numberPattern is how the hub numbers orders at wallets.
var numberPattern = regexp.MustCompile(`att_[a-z2-7]{5}_[a-z2-7]{20}`)

// cross follows the cashier to the wallet, as soon as it knows the way.
func (s *shopper) cross(ctx context.Context, wallet int) error {
	p, err := s.b.Open(ctx, s.cashier)
	if err != nil {
		return err
	}
	way := p.LinkTo(s.w.opt.WalletURL(s.purse(wallet).Handle) + "/")
	if way == "" {
		if s.polls++; s.polls > maxPolls {
			return fmt.Errorf("the cashier never showed the way to %s: %.200q", s.purse(wallet).Handle, p.Said())
		}
		next := s.cross
		if p.FormWith(s.purse(wallet).Handle) != nil {
			next = s.choose // the wallet never had the order, and the cashier asks anew
		}
		s.then(.5, "waiting for the wallet", func(ctx context.Context) error { return next(ctx, wallet) })
		return nil
	}
	at, err := s.b.Open(ctx, way)
	if err != nil {
		return err
	}
	if s.number = numberPattern.FindString(at.Text); s.number == "" {
		return fmt.Errorf("the wallet's page names no order (status %d)", at.Status)
	}
	s.order.attempts = append(s.order.attempts, attempt{s.purse(wallet), s.number})
	return s.decide(ctx, at, wallet)
}

// decide does at the wallet what the purchase says.
func (s *shopper) decide(ctx context.Context, at *Page, wallet int) error {
	switch s.p.behaviour {
	case Leaves:
		return nil
	case Cancels, Late: // of a late one, what follows, follows from the end of the order: see the back office
		s.then(1, "seeing the order cancelled", s.counter.cancel(s.order))
		return nil
	case Switches:
		if wallet == s.p.wallet {
			s.then(1, "changing the wallet", func(ctx context.Context) error { return s.change(ctx, wallet+1) })
			return nil
		}
	case Declines:
		p, err := s.press(ctx, at, "decline")
		if err != nil {
			return err
		}
		at = p
	case Pays:
	}
	if _, after := s.p.trouble.faultsOf(); after != nil {
		for i := range after {
			after[i].No = s.number
		}
		s.w.inject(s.wallet(wallet), s.p.trouble, after)
	}
	p, err := s.press(ctx, at, "approve")
	if err != nil {
		return err
	}
	s.w.count(func(t *Tally) { t.Approved++ })
	back := p.LinkTo(s.w.opt.Hub + pay.CashierPath)
	s.then(1, "coming back", func(ctx context.Context) error { return s.comeBack(ctx, back) })
	return nil
}

func (s *shopper) press(ctx context.Context, at *Page, answer string) (*Page, error) {
	form := at.FormWith(answer)
	if form == nil {
		return nil, fmt.Errorf("the wallet's page has no %s (status %d)", answer, at.Status)
	}
	return s.b.Press(ctx, at, form, answer)
}

// change goes back to the cashier for another wallet.
func (s *shopper) change(ctx context.Context, wallet int) error {
	p, err := s.b.Open(ctx, s.cashier)
	if err != nil {
		return err
	}
	if form := p.FormWith(s.purse(wallet).Handle); form == nil {
		other := p.FormWith("")
		if other == nil {
			s.then(.5, "waiting for another choice", func(ctx context.Context) error { return s.change(ctx, wallet) })
			return nil
		}
		if _, err := s.b.Press(ctx, p, other, ""); err != nil {
			return err
		}
		s.then(.5, "choosing again", func(ctx context.Context) error { return s.change(ctx, wallet) })
		return nil
	}
	return s.choose(ctx, wallet)
}

// comeBack goes where the wallet sends the browser, if anywhere, and looks at the order.
func (s *shopper) comeBack(ctx context.Context, back string) error {
	if back != "" {
		if _, err := s.b.Open(ctx, back); err != nil {
			return err
		}
	}
	p, err := s.b.Open(ctx, s.w.opt.Address(s.counter.market.Handle)+"/orders/"+s.order.No)
	if err != nil {
		return err
	}
	if p.Status != http.StatusOK {
		return fmt.Errorf("order %s: status %d", s.order.No, p.Status)
	}
	return nil
}

// inject has a wallet do something wrong.
func (w *World) inject(wallet *sandbox.Wallet, t Trouble, faults []sandbox.Fault) {
	for _, f := range faults {
		if err := wallet.Inject(f); err != nil {
			w.failed(err)
			return
		}
	}
	w.count(func(y *Tally) { y.Faults[t]++ })
}
