package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/webhook"
)

// WebhookSecret is an endpoint with its signing secret.
type WebhookSecret struct {
	Webhook moongate.ID `json:"webhook"`
	Secret  string      `json:"secret" doc:"Only this answer has it, and the answer to the same request again; keep it safe." example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
}

// Webhook is an endpoint.
type Webhook struct {
	webhook.Terms
	Since      moongate.Time `json:"since"`
	Disabled   string        `json:"disabled,omitempty" doc:"Why nothing is delivered; missing while it is enabled."`
	Failing    moongate.Time `json:"failing,omitzero" doc:"It has not taken a message since then."`
	Delivered  moongate.Time `json:"delivered,omitzero" doc:"When it last took one."`
	Generation int           `json:"generation" doc:"Of the secret: 1 at first, one more with every rotation."`
}

// WebhookDelivery is what became of one message.
type WebhookDelivery struct {
	Event  string        `json:"event" doc:"Its webhook-id." example:"evt_5k3n2q7w4b6c7d2e3f4g5h6i"`
	Cursor string        `json:"cursor" doc:"What a redelivery asks for."`
	Kind   string        `json:"kind" example:"pay.settled"`
	At     moongate.Time `json:"at"`
	Tries  int           `json:"tries"`
	Status int           `json:"status,omitempty" doc:"Of HTTP; missing where there was no answer." example:"200"`
	Error  string        `json:"error,omitempty" doc:"Missing where the message was taken." example:"it answered 500"`
	Again  bool          `json:"again,omitempty" doc:"It was sent once more by request."`
}

// Redelivery asks for one event to be sent once more.
type Redelivery struct {
	Webhook moongate.ID `json:"webhook"`
	Cursor  string      `json:"cursor" maxLength:"128" doc:"Of the event: from the list of deliveries, or of events."`
}

// WebhookPath names an endpoint.
type WebhookPath struct {
	Webhook moongate.ID `path:"webhook" example:"whk_aeaqc_mfrggzdfmztwq2lknnwa"`
}

const webhookTag = "Webhooks"

func (a *API) webhookRoutes() {
	submitAs(a, op{
		path: "/v1/webhooks", id: "create-webhook", tag: webhookTag, summary: "Have events posted to an address", scope: party.WebhooksWrite, status: http.StatusCreated,
		detail:  "The caller's events from now on, in order, signed by Standard Webhooks with the secret in the answer. `kinds` are like `pay.settled` or `pay.*`; none is all.",
		example: `{"url":"https://shop.example/hooks/moongate","name":"order system","kinds":["pay.*","crossing.recorded"]}`,
	}, func(_ context.Context, _ Principal, _ string, in *webhook.Create) (prepared[webhook.Answer], error) {
		return prepared[webhook.Answer]{command: in}, a.knownKinds(in.Kinds)
	}, func(_ Principal, _ string, _ *webhook.Create, answer webhook.Answer) WebhookSecret {
		return a.webhookSecret(answer)
	})
	submit(a, op{
		path: "/v1/webhooks/change", id: "change-webhook", tag: webhookTag, summary: "Change a webhook", scope: party.WebhooksWrite,
		detail: "What was not delivered yet goes to the new address.",
	}, func(_ context.Context, _ Principal, in *webhook.Change) (prepared[webhook.Done], error) {
		return prepared[webhook.Done]{command: in}, a.knownKinds(in.Kinds)
	})
	command[webhook.Done, webhook.Delete](a, op{path: "/v1/webhooks/delete", id: "delete-webhook", tag: webhookTag, summary: "Delete a webhook", scope: party.WebhooksWrite})
	submitAs(a, op{
		path: "/v1/webhooks/rotate", id: "rotate-webhook", tag: webhookTag, summary: "Give a webhook another secret", scope: party.WebhooksWrite,
		detail: "For a day messages carry signatures by both.",
	}, func(_ context.Context, _ Principal, _ string, in *webhook.Rotate) (prepared[webhook.Answer], error) {
		return prepared[webhook.Answer]{command: in}, nil
	}, func(_ Principal, _ string, _ *webhook.Rotate, answer webhook.Answer) WebhookSecret {
		return a.webhookSecret(answer)
	})
	command[webhook.Done, webhook.Disable](a, op{path: "/v1/webhooks/disable", id: "disable-webhook", tag: webhookTag, summary: "Stop a webhook", scope: party.WebhooksWrite})
	command[webhook.Done, webhook.Enable](a, op{path: "/v1/webhooks/enable", id: "enable-webhook", tag: webhookTag, summary: "Let a webhook go on where it stood", scope: party.WebhooksWrite})
	submit(a, op{
		path: "/v1/webhooks/redeliver", id: "redeliver", tag: webhookTag, summary: "Send one event once more", scope: party.WebhooksWrite, status: http.StatusAccepted,
		detail: "Whatever became of it before. The message is the same, its id too; the list of deliveries tells the outcome.",
	}, a.redelivery)
	a.webhookReads()
}

// knownKinds refuses kinds of events that this hub does not have: a mistyped one would never come.
func (a *API) knownKinds(kinds []string) error {
	for i, k := range kinds {
		if !strings.HasSuffix(k, ".*") && !a.hub.Machine().Registry().Knows(k) {
			return &moongate.Error{Code: moongate.Malformed, Field: fmt.Sprintf("kinds[%d]", i), Message: fmt.Sprintf("there is no kind of event %.60q", k), Hint: "take kinds from the list of events, or all of a room as in pay.*"}
		}
	}
	return nil
}

func (a *API) webhookSecret(answer webhook.Answer) WebhookSecret {
	return WebhookSecret{answer.Webhook, webhook.FormatSecret(a.hub.WebhookKey(answer.Webhook, answer.Generation))}
}

// redelivery makes sure that the endpoint's owner may see the event.
func (a *API) redelivery(_ context.Context, who Principal, in *Redelivery) (p prepared[webhook.Done], err error) {
	e, err := a.webhook(who, in.Webhook)
	if err != nil {
		return p, err
	}
	at, err := a.hub.OpenCursor(who.Handle, in.Cursor)
	if err != nil {
		return p, &moongate.Error{Code: moongate.Malformed, Field: "cursor", Message: "this cursor is not one of ours, or was given to somebody else", Hint: "take it from the list of deliveries or of events"}
	}
	entry, err := a.hub.Node.Journal().Entry(at)
	if moongate.CodeOf(err) == moongate.NotFound || err == nil && !a.hub.Opens(Principal{Handle: e.Owner}.reader(), entry.Event) {
		return p, denied("event", in.Cursor)
	}
	return prepared[webhook.Done]{command: &webhook.Redeliver{Webhook: in.Webhook, Event: at}}, err
}

// webhook finds an endpoint that the caller may see.
func (a *API) webhook(who Principal, id moongate.ID) (e webhook.Endpoint, err error) {
	a.hub.Machine().Read(func() {
		var ok bool
		if e, ok = a.hub.Webhook.Lookup(id); !ok || e.Owner != who.Handle && !who.Operates() {
			err = denied("webhook", id.String())
		}
	})
	return e, err
}

func shown(e *webhook.Endpoint) Webhook {
	return Webhook{e.Terms, e.Since, e.Disabled, e.Failing, e.Delivered, e.Generation}
}

func (a *API) webhookReads() {
	query(a, op{path: "/v1/webhooks", id: "webhooks", tag: webhookTag, summary: "List webhooks", detail: "The caller's, oldest first; a participant has at most 20.", scope: party.WebhooksWrite},
		func(_ context.Context, who Principal, in *struct {
			Owner string `query:"owner" maxLength:"128" doc:"For operators: whose. Otherwise the caller."`
		},
		) (Page[Webhook], error) {
			owner := who.Handle
			if in.Owner != "" && in.Owner != owner {
				if !who.Operates() {
					return Page[Webhook]{}, denied("participant", in.Owner)
				}
				owner = in.Owner
			}
			page := Page[Webhook]{Items: []Webhook{}}
			a.hub.Machine().Read(func() {
				for _, id := range a.hub.Webhook.Of(owner) {
					e, _ := a.hub.Webhook.Lookup(id)
					page.Items = append(page.Items, shown(&e))
				}
			})
			return page, nil
		})
	query(a, op{path: "/v1/webhooks/{webhook}", id: "webhook", tag: webhookTag, summary: "Read a webhook", scope: party.WebhooksWrite},
		func(_ context.Context, who Principal, in *WebhookPath) (Webhook, error) {
			e, err := a.webhook(who, in.Webhook)
			return shown(&e), err
		})
	type deliveryInput struct {
		WebhookPath
		Failed bool `query:"failed" doc:"Only those that were given up."`
		PageInput
	}
	list(a, op{path: "/v1/webhooks/{webhook}/deliveries", id: "deliveries", tag: webhookTag, summary: "List deliveries", detail: "Newest first; the last 500 are kept.", scope: party.WebhooksWrite},
		func(in *deliveryInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *deliveryInput, after string, limit int) (all []WebhookDelivery, next string, err error) {
			e, err := a.webhook(who, in.Webhook)
			if err != nil {
				return nil, "", err
			}
			rows, next, err := webhook.Deliveries(ctx, a.hub.Views, in.Webhook, in.Failed, after, limit)
			for _, r := range rows {
				all = append(all, WebhookDelivery{a.hub.EventID(e.Owner, r.Position), a.hub.Cursor(who.Handle, r.Position), r.Kind, r.At, r.Tries, r.Status, r.Error, r.Again})
			}
			return all, next, err
		})
}
