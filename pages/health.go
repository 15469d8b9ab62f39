package pages

import (
	"context"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

func (p *Pages) health(v *visit) (console.Page, error) {
	at, _ := p.hub.Node.Durable()
	_, term := p.hub.Node.Journal().Last()
	page := console.Health{Node: p.hub.Config.Name, Role: "follower", Term: term, Started: p.began, Position: uint64(at)}
	if p.hub.Node.Leads() {
		page.Role = "alone" // one node, so far
	}
	files, _, _ := p.hub.Node.Journal().Files()
	for _, f := range files {
		page.Bytes += f.Size
		page.Segments++
	}
	page.Followers = []console.Follower{{Name: "lists"}, {Name: "log", Behind: p.hub.Node.Log().Lag()}}
	if views := p.hub.Views.Position(); at > views {
		page.Followers[0].Behind = int64(at - views)
	}
	if c, _, ok := p.checkpoint(); ok {
		page.Checkpoint.Size, page.Checkpoint.At = c.Size, p.signedAt()
	}
	clicks := p.hub.Clicks.Stats()
	page.Clicks = console.Clicks{
		Waiting: clicks.Waiting, Most: clicks.Room, Longest: moongate.Time(clicks.Every.Microseconds()), Recorded: clicks.Recorded,
		Uncounted: clicks.Uncounted, Abandoned: clicks.Abandoned,
	}
	var err error
	if page.Peers, page.Paging, err = rowsBeside(p, v, "peers", "peers", part(p.queues(v))); err != nil {
		return nil, err
	}
	page.OpenWork, err = cached(&p.cache, "open", p.hub.Now, func() (int64, error) { return p.openPayments(context.WithoutCancel(v.Context())) })
	return page, err
}

// openPayments counts payments that are not in a final state, up to a bound.
func (p *Pages) openPayments(ctx context.Context) (int64, error) {
	open, err := p.countPayments(ctx, pay.Filter{Status: pay.Open})
	if err != nil {
		return 0, err
	}
	held, err := p.countPayments(ctx, pay.Filter{Status: pay.Held})
	return open + held, err
}

// buriedShown is how many buried effects of one peer can be tried again from the page.
const buriedShown = 5

// queues are what waits for each peer, and what was given up.
func (p *Pages) queues(v *visit) []console.Queue {
	var all []console.Queue
	at := map[string]int{}
	queue := func(peer string) *console.Queue {
		if i, ok := at[peer]; ok {
			return &all[i]
		}
		at[peer] = len(all)
		all = append(all, p.peer(v, peer))
		return &all[len(all)-1]
	}
	for _, q := range p.hub.Effects.Queues() {
		shown := queue(q.Peer)
		shown.Waiting, shown.Flying, shown.Failing, shown.Error = q.Waiting, q.Running, q.Failing, q.Error
		if q.Oldest != 0 {
			if e, err := p.hub.Node.Journal().Entry(q.Oldest); err == nil {
				shown.Oldest = e.At
			}
		}
	}
	for _, d := range p.hub.Machine().Buried() {
		shown := queue(d.Pending.Peer)
		if shown.Dead++; shown.Dead <= buriedShown {
			shown.Error = d.Reason
			shown.Actions = append(shown.Actions, console.Action{Word: "retry", Target: "/console/system/effects/" + strconv.FormatUint(uint64(d.Position), 10) + "/retry"})
		}
	}
	return all
}

// peer reads whom a queue's name means: "wallet:HANDLE" is asked about payments, "webhook ID" gets redeliveries, and a
// handle alone is a wallet that pays out.
func (p *Pages) peer(v *visit, name string) console.Queue {
	if handle, ok := strings.CutPrefix(name, "wallet:"); ok {
		return console.Queue{Peer: p.party(handle, v.lang), Kind: "wallet"}
	}
	if text, ok := strings.CutPrefix(name, "webhook "); ok {
		q := console.Queue{Peer: console.Party{ID: text}, Kind: "webhook"}
		if id, err := moongate.ParseID(text); err == nil {
			p.hub.Machine().Read(func() {
				if e, ok := p.hub.Webhook.Lookup(id); ok {
					q.Peer = p.partyOf(e.Owner, v.lang)
				}
			})
		}
		return q
	}
	return console.Queue{Peer: p.party(name, v.lang), Kind: "payout"}
}

// retry has a buried effect tried again.
func (p *Pages) retry(v *visit) (string, error) {
	at, err := strconv.ParseUint(v.PathValue("effect"), 10, 64)
	if err != nil {
		return "", missing("effect")
	}
	_, err = p.hub.Node.Submit(v.Context(), replica.Request{Caller: v.who.Handle, Command: &replica.Revive{Effect: journal.Position(at)}})
	return console.Routes["health"], err
}
