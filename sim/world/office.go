package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// The back office of a marketplace: it follows the hub's events and does what they call for. What it believes of a
// payment it has from the hub alone.

// told is what the office reads in events.
type told struct {
	Payment moongate.ID `json:"payment"`
	Status  string      `json:"status"`
	Wallet  string      `json:"wallet"`
	Refund  moongate.ID `json:"refund"`
	Kind    string      `json:"kind"`
}

type eventPage struct {
	Events []client.Event `json:"items"`
	Next   string         `json:"next"`
	More   bool           `json:"more"`
}

// follow reads what is new.
func (c *counter) follow(ctx context.Context) error {
	for {
		q := url.Values{"limit": {"500"}}
		if c.cursor != "" {
			q.Set("after", c.cursor)
		}
		page, err := client.Get[eventPage](ctx, c.me.hub, "/v1/events", q)
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			if !strings.HasPrefix(e.Kind, "pay.") {
				continue // other rooms' fields have names of their own
			}
			var t told
			if err := json.Unmarshal(e.Data, &t); err != nil {
				return fmt.Errorf("event %s: %w", e.Kind, err)
			}
			c.hear(e, t)
		}
		c.cursor = page.Next
		if !page.More {
			return nil
		}
	}
}

// hear acts on one event.
func (c *counter) hear(e client.Event, t told) {
	o := c.byPayment(t.Payment)
	switch {
	case o == nil:
	case e.Kind == "pay.settled":
		c.settled(e, o, t)
	case e.Kind == "pay.refund_ended":
		g, ok := c.givings[t.Refund]
		if ok && t.Status == string(pay.RefundSucceeded) {
			c.w.Books.Back(o.No, g.part, g.gross, g.freight)
		}
		c.w.count(func(y *Tally) { y.Refunds[t.Status]++ })
	case e.Kind == "pay.exception_opened":
		c.w.count(func(y *Tally) { y.Exceptions[t.Kind]++ })
	}
}

// settled notes the end of a payment, and plans what comes of it.
func (c *counter) settled(e client.Event, o *Order, t told) {
	c.w.count(func(y *Tally) { y.Payments[t.Status]++ })
	o.Status = pay.Status(t.Status)
	switch o.Status {
	case pay.Succeeded:
		month := e.At.Go().In(shanghai).Format("2006-01")
		c.w.Books.Paid(o.No, c.market.Handle, t.Wallet, month, o.Touched, o.Parts)
		c.w.sold(o, t.Wallet)
		if o.purchase == nil {
			return // somebody who is not of this world bought it
		}
		for _, g := range o.purchase.refunds {
			c.giveBack(o, g, c.w.wait(e.At, g.after))
		}
		if o.purchase.storm {
			c.w.stormed = append(c.w.stormed, o)
		}
	case pay.Expired, pay.Cancelled:
		if o.purchase != nil && o.purchase.behaviour == Late && len(o.attempts) > 0 {
			c.payLate(o)
		}
	}
}

// wait is how long from now until some time after a moment.
func (w *World) wait(from moongate.Time, after time.Duration) time.Duration {
	return max(0, from.Go().Add(after).Sub(w.opt.Loop.Now()))
}

// payLate has a shopper approve what was closed while he typed: the money is there, and nobody expects it.
func (c *counter) payLate(o *Order) {
	a := o.attempts[len(o.attempts)-1]
	wallet := c.w.opt.Wallets[a.purse.Handle]
	c.w.later(2*c.w.pace.Think, "paying "+o.No+" too late", func(context.Context) error {
		if err := wallet.Inject(sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove, No: a.number}); err != nil {
			return err
		}
		c.w.count(func(y *Tally) { y.Faults["paid after the close"]++ })
		return wallet.Approve(a.purse.Account(), a.number)
	})
}

// given is what a refund takes from whom.
type given struct {
	part           int
	gross, freight int64
}

// giveBack plans a refund of one seller's part.
func (c *counter) giveBack(o *Order, g giving, after time.Duration) {
	c.w.later(after, "refund of "+o.No, func(ctx context.Context) error {
		part := 0
		p := o.Parts[part]
		taken := given{part: part, gross: max(1, p.Gross*g.percent/100)}
		if left := p.Gross - o.asked; g.percent < 100 && taken.gross > left && left > 0 && g.percent < 60 {
			taken.gross = left
		}
		// Goods go back first; what is above them is freight.
		taken.freight = max(0, o.asked+taken.gross-(p.Gross-p.Freight)) - max(0, o.asked-(p.Gross-p.Freight))
		o.refunds++
		reference := fmt.Sprintf("%s-r%d", o.No, o.refunds)
		if o.purchase != nil {
			c.sabotage(o, reference)
		}
		answer, err := c.me.refund(ctx, &pay.Refund{
			Payment: o.Payment, Reference: reference, Amount: taken.gross, Reason: "returned",
			Payees: []crossing.Payee{{Party: p.Seller, Amount: taken.gross, Freight: taken.freight}},
		})
		switch moongate.CodeOf(err) {
		case "":
			o.asked += taken.gross
			c.givings[answer.Refund] = taken
			c.w.count(func(y *Tally) { y.RefundsAsked++ })
			return nil
		case moongate.Limit:
			c.w.count(func(y *Tally) { y.RefundsRefused++ })
			return nil
		}
		o.refunds--
		return err
	})
}

// sabotage has the wallet do to the next refund what the story says.
func (c *counter) sabotage(o *Order, _ string) {
	kind, ok := map[Trouble]sandbox.Kind{SilentBack: sandbox.DropAfter, RefundDies: sandbox.RefundClosed}[o.purchase.trouble]
	if !ok || len(o.attempts) == 0 || o.sabotaged {
		return
	}
	o.sabotaged = true
	c.w.inject(c.w.opt.Wallets[o.attempts[len(o.attempts)-1].purse.Handle], o.purchase.trouble, []sandbox.Fault{{Kind: kind, Op: sandbox.OpRefund}})
}

// cancel gives an order up.
func (c *counter) cancel(o *Order) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := client.DoAs[pay.PaymentAnswer](ctx, c.me.hub, "cancel/"+o.No, pathPayments+"/cancel", &pay.Cancel{Payment: o.Payment})
		return err
	}
}

func (c *counter) byPayment(id moongate.ID) *Order {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.payments[id]
}

func (c *counter) byCashier(address string) *Order {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cashiers[address]
}
