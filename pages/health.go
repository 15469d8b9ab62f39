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
	views := console.ViewLag{Name: "views.db", Position: uint64(p.hub.Views.Position())}
	if uint64(at) > views.Position {
		views.Behind = int64(uint64(at) - views.Position)
	}
	page.Views = []console.ViewLag{views}
	if c, _, ok := p.checkpoint(); ok {
		page.Checkpoint.Size, page.Checkpoint.At = c.Size, p.signedAt()
	}
	clicks := p.hub.Clicks.Stats()
	page.Clicks = console.Clicks{
		Waiting: clicks.Waiting, Most: clicks.Room, Longest: moongate.Time(clicks.Every.Microseconds()), Recorded: clicks.Recorded,
		Uncounted: clicks.Uncounted, Abandoned: clicks.Abandoned,
	}
	page.Peers = p.queues(v)
	var err error
	page.OpenWork, err = cached(&p.cache, "open", p.hub.Now, func() (int64, error) { return p.openPayments(context.WithoutCancel(v.Context())) })
	return page, err
}

// openPayments counts payments that are not in a final state, up to a bound.
func (p *Pages) openPayments(ctx context.Context) (n int64, err error) {
	for _, status := range []pay.Status{pay.Open, pay.Held} {
		after := ""
		for n < lookedThrough {
			found, next, err := pay.Payments(ctx, p.hub.Views, pay.Filter{Status: status}, after, 500)
			if err != nil {
				return 0, err
			}
			n += int64(len(found))
			if after = next; next == "" {
				break
			}
		}
	}
	return n, nil
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
		kind, handle, named := strings.Cut(peer, ":")
		if !named {
			kind, handle = "wallet", peer
		}
		all = append(all, console.Queue{Peer: p.party(handle, v.lang), Kind: kind})
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

// retry has a buried effect tried again.
func (p *Pages) retry(v *visit) (string, error) {
	at, err := strconv.ParseUint(v.PathValue("effect"), 10, 64)
	if err != nil {
		return "", missing("effect")
	}
	_, err = p.hub.Node.Submit(v.Context(), replica.Request{Caller: v.who.Handle, Command: &replica.Revive{Effect: journal.Position(at)}})
	return console.Routes["health"], err
}
