package world

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/money"
)

// Tally counts what happened in the world, as the world saw it.
type Tally struct {
	Orders, Approved        int
	Opened, Stopped         int // links
	Conversions             int
	RefundsAsked            int
	RefundsRefused          int // more than was left
	Payments                map[string]int
	Refunds                 map[string]int
	Exceptions              map[string]int
	Faults                  map[Trouble]int
	Gross                   map[string]int64 // fen paid, by market
	BySeller                map[string]int64
	ByWallet                map[string]int64
	ByPublisher             map[string]int   // orders that a publisher's readers made
	AppSales                map[string]int64 // cent, by app: what no store may see
	Payouts                 int
	PaidOut                 map[string]int64 // by currency
	Failures                []string
	StoppedAfter, OpenAgain bool // the blocked link was met, and opened again by itself
}

func newTally() Tally {
	return Tally{
		Payments: map[string]int{}, Refunds: map[string]int{}, Exceptions: map[string]int{}, Faults: map[Trouble]int{},
		Gross: map[string]int64{}, BySeller: map[string]int64{}, ByWallet: map[string]int64{}, ByPublisher: map[string]int{},
		AppSales: map[string]int64{}, PaidOut: map[string]int64{},
	}
}

// Tally gives what was counted so far.
func (w *World) Tally() *Tally { return &w.tally }

func (w *World) count(f func(*Tally)) { f(&w.tally) }

func (w *World) failed(err error) {
	if len(w.tally.Failures) < 100 {
		w.tally.Failures = append(w.tally.Failures, err.Error())
	}
}

// sold notes a sale.
func (w *World) sold(o *Order, wallet string) {
	w.count(func(t *Tally) {
		t.Gross[o.Market.Handle] += o.Total()
		t.ByWallet[wallet] += o.Total()
		for _, p := range o.Parts {
			t.BySeller[p.Seller] += p.Gross
		}
		for _, p := range o.Touched {
			t.ByPublisher[p]++
		}
	})
}

// Blocked is the link that a publisher keeps shut for a while.
type Blocked struct {
	Code, URL string
	By        string
	Against   string
	Good      Good
	Reason    string
	Facts     string
	Block     moongate.ID
	Expires   time.Time
}

// Blocked gives the blocked link, nil before the story began.
func (w *World) Blocked() *Blocked { return w.blocked }

// Allowed gives the link of a publisher's page that is not blocked, and what is behind it.
func (w *World) Allowed() (url string, good Good, publisher, market Garden) {
	l := w.links[0]
	for _, p := range w.Cast.Publishers {
		if p.Handle == l.publisher {
			publisher = p
		}
	}
	return l.url, l.good, publisher, l.market.Garden
}

// Begin plans a story from now on. The loop tells it.
func (w *World) Begin(ctx context.Context, orders int, p Pace) {
	w.ctx, w.pace, w.tally, w.patience = ctx, p, newTally(), 1
	// The blocked link is left out of what shoppers open on their way.
	last := w.links[len(w.links)-1]
	story := Tell(w.opt.Chance, w.Cast, w.links[:len(w.links)-1], orders, p)
	w.later(0, "blocking a link", func(ctx context.Context) error { return w.block(ctx, last, p.Span*3/4) })
	for _, at := range story.blockedAt {
		w.later(at, "opening the blocked link", w.meet)
	}
	for _, b := range story.purchases {
		w.later(b.at, fmt.Sprintf("shopper %d", b.number), w.shopper(b).begin)
	}
	for _, s := range story.sales {
		w.later(s.at, fmt.Sprintf("app sale %d", s.number), w.reader(s))
	}
	for _, c := range w.counters {
		w.office(c)
	}
	w.treasury()
	w.opt.Loop.After(p.Span+p.Returns, w.storm)
}

// office has a marketplace follow the hub, now and always.
func (w *World) office(c *counter) {
	var look func()
	look = func() {
		// A hub that is away is asked again; what it has to say is not lost.
		if err := c.follow(w.ctx); err == nil || w.ctx.Err() == nil {
			w.opt.Loop.After(w.pace.Look*time.Duration(w.patience), look)
		}
	}
	w.opt.Loop.After(w.pace.Look, look)
}

// Rest has the offices look less often: nothing new is coming.
func (w *World) Rest() { w.patience *= 100 }

// storm gives back what the story's storm wants, all at once.
func (w *World) storm() {
	w.count(func(t *Tally) { t.Faults["refund storm"] += len(w.stormed) })
	for _, o := range w.stormed {
		for _, c := range w.counters {
			if c.market == o.Market {
				c.giveBack(o, giving{percent: 100}, 0)
				if o.purchase.number%3 == 0 { // and once more, which must be refused
					c.giveBack(o, giving{percent: 100}, 0)
				}
			}
		}
	}
	w.stormed = nil
}

// Shut has another publisher keep another link shut, for whoever wants to meet a block.
func (w *World) Shut(ctx context.Context, long time.Duration) (*Blocked, error) {
	for _, l := range w.links {
		if w.blocked == nil || l.publisher != w.blocked.By && l.good.Number > 1 {
			return w.shut(ctx, l, long)
		}
	}
	return nil, errNotYet
}

// block has the publisher of a link keep it shut, and sees that the block lifts itself.
func (w *World) block(ctx context.Context, l placed, long time.Duration) error {
	b, err := w.shut(ctx, l, long)
	if err != nil {
		return err
	}
	w.blocked = b
	w.later(long+2*w.pace.Think, "opening what is not blocked any more", func(ctx context.Context) error {
		b := &Browser{Carrier: w.opt.Carrier, Agent: agents[0], Lang: "en"}
		p, err := b.Open(ctx, l.url)
		if err != nil {
			return err
		}
		if p.Status != http.StatusOK {
			return fmt.Errorf("%w: the block should have lifted itself, but the link answers %d", errNotYet, p.Status)
		}
		w.count(func(t *Tally) { t.Opened++; t.OpenAgain = true })
		return nil
	})
	return nil
}

func (w *World) shut(ctx context.Context, l placed, long time.Duration) (*Blocked, error) {
	facts := "Readers wrote that what arrives is not what was shown; the seller was asked and did not answer."
	evidence := sha256.Sum256([]byte(facts))
	expires := w.opt.Loop.Now().Add(long)
	answer, err := client.DoAs[link.BlockAnswer](ctx, w.members[l.publisher].hub, "block/"+l.code, pathBlocks, &link.BlockLinks{
		Agreement: w.agreementOf(l.market), Destination: l.destination, Reason: "scams_and_fraud", Facts: facts,
		Evidence: hex.EncodeToString(evidence[:]), Expires: moongate.At(expires),
	})
	if err != nil {
		return nil, err
	}
	return &Blocked{
		Code: l.code, URL: l.url, By: l.publisher, Against: l.market.Handle, Good: l.good, Reason: "scams_and_fraud", Facts: facts,
		Block: answer.Block, Expires: expires,
	}, nil
}

// meet opens the blocked link, as somebody does who found it on an old page.
func (w *World) meet(ctx context.Context) error {
	if w.blocked == nil {
		return errNotYet
	}
	b := &Browser{Carrier: w.opt.Carrier, Agent: agents[1], Lang: "en"}
	p, err := b.Open(ctx, w.blocked.URL)
	if err != nil {
		return err
	}
	if p.Status != http.StatusForbidden {
		return fmt.Errorf("a blocked link answered %d", p.Status)
	}
	w.count(func(t *Tally) { t.Stopped++; t.StoppedAfter = true })
	return nil
}

// reader comes from the store to an app's own site, and buys something there a little later.
func (w *World) reader(s appSale) func(context.Context) error {
	app := w.Cast.Apps[s.app]
	return func(ctx context.Context) error {
		b := &Browser{Carrier: w.opt.Carrier, Agent: agents[1], Lang: "zh"}
		p, err := b.Open(ctx, w.appLinks[s.app].url)
		if err != nil {
			return err
		}
		token := p.URL.Query().Get(clickParameter)
		if p.Status != http.StatusOK || token == "" {
			return fmt.Errorf("the link to %s led to %s with status %d", app.Handle, p.URL, p.Status)
		}
		w.count(func(t *Tally) { t.Opened++ })
		w.later(s.after, fmt.Sprintf("app sale %d", s.number), func(ctx context.Context) error {
			_, err := w.members[app.Handle].convert(ctx, conversion{
				Token: token, Reference: fmt.Sprintf("%s-%05d", app.Handle, s.number), Class: s.class,
				Amount: money.Amount{Minor: s.amount, Currency: eur}, At: w.now(),
			})
			if err != nil {
				return err
			}
			w.Books.Converted(app.Handle, s.class, s.amount)
			w.count(func(t *Tally) { t.Conversions++; t.AppSales[app.Handle] += s.amount })
			return nil
		})
		return nil
	}
}
