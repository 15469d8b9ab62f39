package hub

import (
	"context"
	"fmt"
	"maps"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/effect"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/statement"
	"github.com/moongate-hub/moongate/view"
	"github.com/moongate-hub/moongate/webhook"
)

// Rooms are the hub's rooms in one machine, without replication.
type Rooms struct {
	Party     *party.State
	Agreement *agreement.State
	Ledger    *ledger.State
	Crossing  *crossing.State
	Link      *link.State
	Pay       *pay.State
	Reconcile *reconcile.State
	Settle    *settle.State
	Statement *statement.State
	Webhook   *webhook.State

	machine *replica.Machine
}

// newestRules are the newest rules that this program knows: see [replica.RaiseRules]. A change to what a room decides
// takes the next number, asks step.Rules() which way to go, and says here what it is about.
//
//	0  the first
const newestRules = 0

// NewRooms wires the rooms, each with those below it, in the order in which time reaches them.
func NewRooms(c *Config) *Rooms {
	r := &Rooms{Party: party.New(party.Limits{})}
	r.Agreement = agreement.New(r.Party, agreement.Limits{})
	r.Ledger = ledger.New(ledger.Bounds{}, r.Party.IsOperator)
	r.Crossing = crossing.New(r.Party, r.Agreement, r.Ledger, crossing.Bounds{Refundable: moongate.Time(c.Limits.RefundDays) * moongate.Day})
	// A hub that only this machine reaches may lead to this machine: a demonstration, a test.
	r.Link = link.New(r.Party, r.Agreement, r.Crossing, link.Limits{Loopback: c.local()})
	refundable := moongate.Time(c.Limits.RefundDays) * moongate.Day
	r.Pay = pay.New(r.Party, r.Crossing, pay.Limits{Refundable: refundable})
	r.Reconcile = reconcile.New(r.Party, r.Crossing, r.Pay, reconcile.Limits{})
	r.Settle = settle.New(r.Party, r.Agreement, r.Ledger)
	r.Pay.Follow((&settle.Reported{}).EventKind())
	r.Pay.Heed(r.Settle.Sent)
	r.Settle.Ask(r.Pay.PaidOut)
	r.Statement = statement.New(r.Party, r.Agreement, r.Ledger, r.Settle)
	r.Webhook = webhook.New(r.Party, webhook.Limits{Loopback: c.local()})
	r.machine = replica.NewMachine(c.Tag(), replica.Limits{Keys: c.Limits.Keys, Rules: newestRules, Basis: fmt.Sprint("refundable ", c.Limits.RefundDays)}, r.all()...)
	for _, one := range r.all() {
		if commands, ok := one.(interface{ Register(*replica.Machine) }); ok {
			commands.Register(r.machine)
		}
	}
	return r
}

func (r *Rooms) all() []replica.Room {
	return []replica.Room{r.Party, r.Agreement, r.Ledger, r.Crossing, r.Link, r.Pay, r.Reconcile, r.Settle, r.Statement, r.Webhook}
}

// Machine is what the rooms plug into.
func (r *Rooms) Machine() *replica.Machine { return r.machine }

// views are those of the rooms that have any.
func (r *Rooms) views() []view.View {
	var all []view.View
	for _, one := range r.all() {
		if v, ok := one.(interface{ Views() []view.View }); ok {
			all = append(all, v.Views()...)
		}
	}
	return all
}

// payers are the wallets that pay participants out of what they hold, by splitting orders.
func (h *Hub) payers() map[string]settle.Payer {
	all := maps.Clone(h.opt.Payers)
	for _, wallet := range h.Payments.Splitters() {
		if all == nil {
			all = map[string]settle.Payer{}
		}
		if all[wallet] != nil {
			continue
		}
		all[wallet] = payer(h.Payments, wallet)
	}
	return all
}

// payer has a wallet carry out settlement's instructions by splitting orders.
func payer(g *pay.Gate, wallet string) settle.Payer {
	return func(ctx context.Context, o settle.Order) (settle.Outcome, error) {
		id, err := moongate.ParseID(o.No)
		if err != nil {
			return settle.Outcome{}, err
		}
		a, err := g.PayOut(ctx, wallet, id, o.To, o.Amount)
		switch {
		case err != nil:
			return settle.Outcome{}, err
		case a.Paid == o.Amount.Minor:
			return settle.Outcome{Paid: true, Ref: o.No}, nil
		case a.Open > 0:
			return settle.Outcome{Said: fmt.Sprintf("%d of %d are paid, %d under way", a.Paid, o.Amount.Minor, a.Open)}, nil
		case a.Waits != "":
			return settle.Outcome{Said: fmt.Sprintf("%d of %d are paid; the rest waits: %s", a.Paid, o.Amount.Minor, a.Waits)}, nil
		case a.Paid == 0 && a.Failed != "":
			return settle.Outcome{Refused: true, Said: a.Failed}, nil
		case a.Paid == 0 || a.Manual != "":
			return settle.Outcome{Manual: true, Said: a.Manual, Part: a.Paid}, nil
		}
		return settle.Outcome{Said: fmt.Sprintf("%d of %d are paid; the rest waits: %s", a.Paid, o.Amount.Minor, a.Failed)}, nil
	}
}

// handlers carry out what events ask of the outside.
func (h *Hub) handlers() map[string]effect.Handler {
	all := h.Payments.Handlers()
	all[(&reconcile.FetchDue{}).EventKind()] = effect.HandlerFunc(h.Bills.Handle)
	instructed := settle.Handler(h.payers())
	all[(&settle.Instructed{}).EventKind()], all[(&settle.Reported{}).EventKind()] = instructed, instructed
	all[(&webhook.RedeliveryAsked{}).EventKind()] = h.Webhooks.Redeliver()
	return all
}
