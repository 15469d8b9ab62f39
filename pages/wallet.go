package pages

import (
	"context"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
)

// wallets shows how payments fare at each wallet: an operator sees everybody's and how the hub's calls go, a merchant its
// own payments.
func (p *Pages) wallets(v *visit) (console.Page, error) {
	found, err := cached(&p.cache, "wallets/"+v.own(), p.hub.Now, func() ([]pay.WalletHealth, error) {
		return pay.Health(context.WithoutCancel(v.Context()), p.hub.Views, v.own(), v.now-moongate.Day)
	})
	if err != nil {
		return nil, err
	}
	page, at := console.Wallets{}, map[string]int{}
	line := func(handle string) *console.WalletLine {
		i, ok := at[handle]
		if !ok {
			i = len(page.Lines)
			at[handle] = i
			page.Lines = append(page.Lines, console.WalletLine{Wallet: p.party(handle, v.lang), State: "answering"})
		}
		return &page.Lines[i]
	}
	for i := range p.hub.Config.Wallets {
		c := &p.hub.Config.Wallets[i]
		l := line(c.Name)
		l.Sandbox = c.BaseURL != ""
		if v.operates() {
			l.Kind = c.Kind
		}
	}
	for i := range found {
		h := &found[i]
		l := line(h.Wallet)
		l.Tried, l.Paid, l.Failed, l.Unknown = h.Tried, h.Paid, h.Failed, h.Unknown
		l.Refunds, l.RefundsBack, l.RefundsFailed, l.RefundsStuck = h.Refunds, h.RefundsBack, h.RefundsFailed, h.RefundsStuck
		l.Exceptions, l.Oldest = h.Exceptions, h.Oldest
		if h.Unknown > 0 {
			l.State = "asking"
		}
	}
	if v.operates() {
		for _, q := range p.queues(v) {
			i, known := at[q.Peer.ID]
			if q.Kind != "wallet" || !known {
				continue
			}
			l := &page.Lines[i]
			l.Queue = q
			switch {
			case q.Dead > 0:
				l.State = "dead"
			case q.Failing > 0:
				l.State = "failing"
			}
		}
	}
	return page, nil
}
