package world

import (
	"context"
	"fmt"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/pay"
)

// Interruption is a hub that dies in the middle of a payment, and comes back.
type Interruption struct {
	Kill   func() error                // the hub, at once
	Revive func(context.Context) error // and return when it answers
	Say    func(format string, args ...any)
	Wait   func(context.Context, time.Duration) error
}

// Interrupted is the payment that came through.
type Interrupted struct {
	Order    string      `json:"order"`
	Wallet   string      `json:"wallet"`
	Amount   int64       `json:"amount"` // fen
	Payment  moongate.ID `json:"payment"`
	Crossing moongate.ID `json:"crossing"`
	Status   pay.Status  `json:"status"`
	// Receipt is what the marketplace can show of it to anybody.
	Receipt []byte `json:"-"`
}

// Interrupt has a shopper pay at the very time at which the hub is dead. The wallet holds the money, and tells nobody.
// It returns when the hub, alive again, says what the wallet says; and it is an error if it never does.
func (w *World) Interrupt(ctx context.Context, i Interruption) (*Interrupted, error) {
	s := w.shopper(purchase{number: 0, market: 0, goods: []int{w.links[0].good.Number}, wallet: 0, phone: true, lang: "en", behaviour: Pays})
	if _, err := s.b.Open(ctx, w.links[0].url); err != nil {
		return nil, err
	}
	if err := s.fill(ctx); err != nil {
		return nil, err
	}
	purse := s.purse(0)
	at, err := s.toWallet(ctx, purse, i.Wait)
	if err != nil {
		return nil, err
	}
	i.Say("a shopper is at the door of %s with ¥%s to pay for order %s", purse.Name, Yuan(s.order.Total()), s.order.No)
	if err := i.Kill(); err != nil {
		return nil, err
	}
	if _, err := s.press(ctx, at, "approve"); err != nil {
		return nil, err
	}
	w.count(func(t *Tally) { t.Approved++ })
	i.Say("the shopper pays: %s holds the money, and nobody is there to be told", purse.Name)
	if err := i.Wait(ctx, 700*time.Millisecond); err != nil {
		return nil, err
	}
	if err := i.Revive(ctx); err != nil {
		return nil, err
	}
	for range 200 {
		p, err := client.Get[standing](ctx, s.counter.me.hub, pathPayments+"/"+s.order.Payment.String(), nil)
		if err == nil && p.Status == pay.Succeeded {
			i.Say("the hub says what the wallet says: order %s is paid, crossing %s", s.order.No, short(p.Crossing.String()))
			done := &Interrupted{Order: s.order.No, Wallet: purse.Name, Amount: s.order.Total(), Payment: p.Payment, Crossing: p.Crossing, Status: p.Status}
			done.Receipt, err = s.receipt(ctx, p.Crossing, i.Wait)
			return done, err
		}
		if err != nil && !passing(err) {
			return nil, err
		}
		if err := i.Wait(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the hub never learned that order %s was paid at %s", s.order.No, purse.Name)
}

// receipt gets what proves a crossing to anybody, once the second in which it was made is in the public log.
func (s *shopper) receipt(ctx context.Context, crossing moongate.ID, wait func(context.Context, time.Duration) error) (r []byte, err error) {
	for range 100 {
		r, err = s.counter.me.hub.GetBytes(ctx, "/v1/crossings/"+crossing.String()+"/receipt", nil)
		if err == nil || !passing(err) {
			return r, err
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, err
}

// passing tells whether asking again may help.
func passing(err error) bool {
	code := moongate.CodeOf(err)
	return code == moongate.Unknown || code == moongate.Busy || code == moongate.NotFound // lists follow a little later
}

// toWallet takes a shopper from the cashier to the wallet's page.
func (s *shopper) toWallet(ctx context.Context, purse Purse, wait func(context.Context, time.Duration) error) (*Page, error) {
	p, err := s.b.Open(ctx, s.cashier)
	if err != nil {
		return nil, err
	}
	form := p.FormWith(purse.Handle)
	if form == nil {
		return nil, fmt.Errorf("the cashier does not offer %s", purse.Handle)
	}
	if _, err := s.b.Press(ctx, p, form, purse.Handle); err != nil {
		return nil, err
	}
	for range 100 {
		if p, err = s.b.Open(ctx, s.cashier); err != nil {
			return nil, err
		}
		if way := p.LinkTo(s.w.opt.WalletURL(purse.Handle) + "/"); way != "" {
			return s.b.Open(ctx, way)
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the cashier never showed the way to %s", purse.Handle)
}

// FreshCashier asks for a payment that nobody pays yet, for a person to pay.
func (w *World) FreshCashier(ctx context.Context, life time.Duration) (string, error) {
	c := w.counters[0]
	g := c.market.Goods[0]
	c.mu.Lock()
	o := &Order{
		No: fmt.Sprintf("%s-%06d", c.market.Handle, len(c.orders)+1), Market: c.market, Goods: []Good{g}, Parts: basket([]Good{g}), life: life,
	}
	c.orders = append(c.orders, o)
	c.mu.Unlock()
	if err := c.ask(ctx, o); err != nil {
		return "", err
	}
	return o.Cashier, nil
}

// short keeps both ends of an identifier.
func short(id string) string {
	if len(id) < 20 {
		return id
	}
	return id[:9] + "…" + id[len(id)-4:]
}
