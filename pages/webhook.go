package pages

import (
	"cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/webhook"
)

// webhooks lists the reader's own; an operator reads everybody's, or those of the one it chooses.
func (p *Pages) webhooks(v *visit) (console.Page, error) {
	page := console.Webhooks{}
	var err error
	if v.operates() {
		if page.Parties, err = p.gardens(v); err != nil {
			return nil, err
		}
		page.Party = bound(v.URL.Query().Get("party"), 128)
	}
	page.Lines, page.Paging, err = rows(p, v, "webhooks", func(after string, limit int) (lines []console.WebhookLine, next string, err error) {
		if !v.operates() || page.Party != "" {
			return p.webhooksOf(v, cmp.Or(page.Party, v.who.Handle)), "", nil
		}
		for looked := 0; looked < lookedThrough && len(lines) < limit; looked += ownersAtOnce {
			owners, more, err := party.List(v.Context(), p.hub.Views, party.Filter{}, after, ownersAtOnce)
			if err != nil {
				return nil, "", err
			}
			for i := range owners {
				lines = append(lines, p.webhooksOf(v, owners[i].Handle)...)
			}
			if after = more; after == "" {
				break
			}
		}
		return lines, after, nil
	})
	return page, err
}

// ownersAtOnce is how many participants are asked for their webhooks before the page is looked at: each has at most 20.
const ownersAtOnce = 10

// webhooksOf are a participant's.
func (p *Pages) webhooksOf(v *visit, owner string) (lines []console.WebhookLine) {
	p.hub.Machine().Read(func() {
		for _, id := range p.hub.Webhook.Of(owner) {
			if e, ok := p.hub.Webhook.Lookup(id); ok {
				lines = append(lines, p.webhookLine(v, id, &e))
			}
		}
	})
	return lines
}

// webhookLine is an endpoint as a row; call it under the machine's Read.
func (p *Pages) webhookLine(v *visit, id moongate.ID, e *webhook.Endpoint) console.WebhookLine {
	line := console.WebhookLine{
		ID: id.String(), Name: e.Name, URL: e.URL, Owner: p.partyOf(e.Owner, v.lang), Kinds: e.Kinds, State: "delivering",
		Since: e.Since, Delivered: e.Delivered, Failing: e.Failing, Reason: e.Disabled,
	}
	switch {
	case e.Disabled != "":
		line.State = "disabled"
	case e.Failing != 0:
		line.State = "failing"
	}
	return line
}

// endpoint finds an endpoint that the reader may see.
func (p *Pages) endpoint(v *visit) (id moongate.ID, e webhook.Endpoint, err error) {
	if id, err = idOf(v, moongate.KindWebhook, "webhook"); err != nil {
		return id, e, err
	}
	var ok bool
	p.hub.Machine().Read(func() { e, ok = p.hub.Webhook.Lookup(id) })
	if !ok || !v.sees(e.Owner) {
		return id, e, missing("webhook")
	}
	return id, e, nil
}

func (p *Pages) webhook(v *visit) (console.Page, error) {
	id, e, err := p.endpoint(v)
	if err != nil {
		return nil, err
	}
	page := console.Webhook{Failed: v.URL.Query().Get("failed") != ""}
	p.hub.Machine().Read(func() { page.Line = p.webhookLine(v, id, &e) })
	found, paging, err := rows(p, v, "deliveries/"+id.String(), func(after string, limit int) ([]webhook.Row, string, error) {
		return webhook.Deliveries(v.Context(), p.hub.Views, id, page.Failed, after, limit)
	})
	if err != nil {
		return nil, err
	}
	target := "/console/webhooks/" + id.String()
	page.Paging = paging
	for i := range found {
		r := &found[i]
		line := console.DeliveryLine{Message: p.hub.EventID(e.Owner, r.Position), Kind: r.Kind, At: r.At, Tries: r.Tries, Status: r.Status, Error: r.Error, Again: r.Again}
		if e.Disabled == "" {
			line.Actions = []console.Action{{Word: "redeliver", Target: target + "/events/" + p.hub.Cursor(v.who.Handle, r.Position) + "/redeliver"}}
		}
		page.Deliveries = append(page.Deliveries, line)
	}
	if e.Disabled == "" {
		page.Actions = append(page.Actions, console.Action{Word: "disable", Target: target + "/disable", Note: true})
	} else {
		page.Actions = append(page.Actions, console.Action{Word: "enable", Target: target + "/enable"})
	}
	page.Actions = append(page.Actions, console.Action{Word: "remove", Target: target + "/remove", Danger: true})
	return page, nil
}

// redeliver has one message sent once more, if the endpoint's owner may see what it tells of.
func (p *Pages) redeliver(v *visit) (string, error) {
	id, e, err := p.endpoint(v)
	if err != nil {
		return "", err
	}
	at, err := p.hub.OpenCursor(v.who.Handle, v.PathValue("event"))
	if err != nil {
		return "", missing("message")
	}
	entry, err := p.hub.Node.Journal().Entry(at)
	if err != nil || !p.hub.Opens(hub.Reader{Handle: e.Owner}, entry.Event) {
		return "", missing("message")
	}
	_, err = hub.Do[webhook.Done](v.Context(), p.hub, v.who.Handle, "", &webhook.Redeliver{Webhook: id, Event: at})
	return "/console/webhooks/" + id.String(), err
}

// steer stops an endpoint, lets it go on, or deletes it.
func (p *Pages) steer(v *visit) (string, error) {
	id, _, err := p.endpoint(v)
	if err != nil {
		return "", err
	}
	here := "/console/webhooks/" + id.String()
	switch v.PathValue("action") {
	case "disable":
		_, err = hub.Do[webhook.Done](v.Context(), p.hub, v.who.Handle, "", &webhook.Disable{Webhook: id, Reason: v.PostForm.Get("note")})
	case "enable":
		_, err = hub.Do[webhook.Done](v.Context(), p.hub, v.who.Handle, "", &webhook.Enable{Webhook: id})
	case "remove":
		_, err = hub.Do[webhook.Done](v.Context(), p.hub, v.who.Handle, "", &webhook.Delete{Webhook: id})
		here = console.Routes["webhooks"]
	default:
		err = missing("action")
	}
	return here, err
}
