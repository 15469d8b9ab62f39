package pages

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
)

// cashier draws a payment for its shopper.
func (p *Pages) cashier(w http.ResponseWriter, r *http.Request, shown pay.Page) {
	v := p.visited(w, r)
	if shown.Till == nil {
		p.show(w, v, shown.Status, problem(shown.Status, shown.Error))
		return
	}
	t := shown.Till
	page := console.Cashier{
		Payment: t.Payment.String(), State: string(t.State), Merchant: p.party(t.Merchant, v.lang), Title: t.Title, Order: t.Order,
		Amount: t.Amount, Refunded: t.Refunded, Handoff: t.Handoff, Code: t.Code, Opened: t.Opened, Until: t.Until, Paid: t.Paid,
		Auto: t.Auto, Change: t.Change, Back: t.Back,
	}
	for _, handle := range t.Wallets {
		page.Wallets = append(page.Wallets, p.wallet(handle, v.lang))
	}
	if t.Chosen != "" {
		page.Chosen = p.wallet(t.Chosen, v.lang)
	}
	if page.Handoff == "" && (strings.HasPrefix(t.Code, "https://") || strings.HasPrefix(t.Code, "http://")) {
		page.Handoff = t.Code // a code that any browser opens need not be scanned
	}
	if t.Channel == pay.InApp {
		page.Bridge, page.Handoff = t.Params, p.bridge(t)
	}
	if shown.Error != nil {
		page.Trouble = trouble(shown.Error.Code)
	}
	p.show(w, v, shown.Status, page)
}

// bridge leads to the page with which a sandbox wallet stands for its app; a real one has none.
func (p *Pages) bridge(t *pay.Till) string {
	call := map[string]string{}
	if json.Unmarshal([]byte(t.Params), &call) != nil {
		return ""
	}
	for i := range p.hub.Config.Wallets {
		if a := &p.hub.Config.Wallets[i]; a.Name == t.Chosen && a.BaseURL != "" && a.Kind == "wechatpay" {
			q := url.Values{}
			for name, v := range call {
				q.Set(name, v)
			}
			return strings.TrimSuffix(a.BaseURL, "/") + "/sandbox/bridge?" + q.Encode()
		}
	}
	return ""
}

// trouble is what a shopper is told of a choice that came to nothing: what went wrong inside is not for the shopper.
func trouble(c moongate.Code) string {
	switch c {
	case moongate.Malformed, moongate.Refused, moongate.Limit, moongate.Conflict, moongate.Unknown:
		return string(c)
	}
	return string(moongate.Busy)
}

// wallet names a wallet. Its brand is its own only where it is the real one.
func (p *Pages) wallet(handle string, lang console.Lang) console.Wallet {
	w := console.Wallet{ID: handle, Name: p.party(handle, lang).Label(), Brand: "sandbox"}
	for i := range p.hub.Config.Wallets {
		if a := &p.hub.Config.Wallets[i]; a.Name == handle && a.BaseURL == "" {
			w.Brand = a.Kind
		}
	}
	return w
}
