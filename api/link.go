package api

import (
	"context"
	"net/http"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

// Opening is a click that is durable, and where the reader goes on.
type Opening struct {
	Click   link.Click `json:"click"`
	Token   string     `json:"token" doc:"What the destination gets in mg_click, and hands back when a sale comes of it."`
	Address string     `json:"address" doc:"Where to send the reader, the token included." example:"https://shop.example/p/1?mg_click=…"`
}

// NewConversion reports a sale that a click led to.
type NewConversion struct {
	Token     string        `json:"token" maxLength:"512" doc:"Of the click, as the destination got it."`
	Reference string        `json:"reference" maxLength:"64" doc:"The seller's order number: it stands for one sale."`
	Class     string        `json:"class,omitempty" maxLength:"64" doc:"Of product, as the agreement's schedule calls it."`
	Amount    money.Amount  `json:"amount"`
	At        moongate.Time `json:"at" doc:"Of the sale."`
}

const linkTag = "Links"

func (a *API) linkRoutes() {
	command[link.DestinationAnswer, link.RegisterDestination](a, op{
		path: "/v1/destinations", id: "register-destination", tag: linkTag, summary: "Register a destination", scope: party.LinksWrite, status: http.StatusCreated,
		detail:  "A place that links can lead to: a web address, and at most one more per device.",
		example: `{"name":"Tea, first flush","name_zh":"明前茶","addresses":[{"device":"web","url":"https://shop.example/tea"}]}`,
	})
	command[link.Done, link.ChangeDestination](a, op{path: "/v1/destinations/change", id: "change-destination", tag: linkTag, summary: "Change where a destination leads", scope: party.LinksWrite})
	command[link.Done, link.CloseDestination](a, op{path: "/v1/destinations/close", id: "close-destination", tag: linkTag, summary: "Close a destination", scope: party.LinksWrite})
	command[link.Done, link.AllowSchemes](a, op{path: "/v1/destinations/schemes", id: "allow-schemes", tag: linkTag, summary: "Allow a participant application schemes", scope: party.OperatorScope})
	command[link.LinkAnswer, link.PlaceLink](a, op{
		path: "/v1/links", id: "place-link", tag: linkTag, summary: "Place a link", scope: party.LinksWrite, status: http.StatusCreated,
		detail: "The caller publishes it, under an agreement in which both the caller and the destination's owner stand. Readers open it at /l/CODE.",
	})
	command[link.Done, link.CloseLink](a, op{path: "/v1/links/close", id: "close-link", tag: linkTag, summary: "Close a link", scope: party.LinksWrite})
	submitAs(a, op{
		path: "/v1/links/clicks", id: "record-click", tag: linkTag, summary: "Record a click", scope: party.LinksWrite, status: http.StatusCreated,
		detail: "For a publisher that sends readers on itself. Once this is answered the click is durable, which a redirect does not promise.",
	}, func(_ context.Context, _ Principal, _ string, in *link.RecordClick) (prepared[link.ClickAnswer], error) {
		return prepared[link.ClickAnswer]{command: in}, nil
	}, func(_ Principal, _ string, in *link.RecordClick, answer link.ClickAnswer) Opening {
		o := Opening{Click: answer.Click, Token: a.hub.Tokens.Seal(&answer.Click)}
		a.hub.Machine().Read(func() {
			if where, err := a.hub.Link.Resolve(in.Link, in.Device, answer.Click.At); err == nil {
				o.Address = where.With(o.Token)
			}
		})
		return o
	})
	submit(a, op{
		path: "/v1/links/conversions", id: "convert", tag: linkTag, summary: "Report a conversion", scope: party.LinksWrite, status: http.StatusCreated, signed: true,
		detail:  "A sale that a click led to and that was paid elsewhere. The caller owns the destination. A click that was lost is recorded after all, from its token.",
		example: `{"token":"AQAB…","reference":"ORDER-1627","amount":{"minor":19900,"currency":"CNY"},"at":"2026-01-31T08:00:00Z"}`,
	}, func(_ context.Context, _ Principal, in *NewConversion) (prepared[link.ConversionAnswer], error) {
		click, err := a.hub.Tokens.Open(in.Token)
		if err != nil {
			return prepared[link.ConversionAnswer]{}, err
		}
		return prepared[link.ConversionAnswer]{command: &link.Convert{Click: click, Reference: in.Reference, Class: in.Class, Amount: in.Amount, At: in.At}}, nil
	})
	a.linkLists()
	a.blockRoutes()
}

func (a *API) linkLists() {
	type searchInput struct {
		Search string `query:"search" maxLength:"80" doc:"A part of the host or of a name."`
		PageInput
	}
	list(a, op{path: "/v1/destinations", id: "destinations", tag: linkTag, summary: "List destinations", detail: "The caller's, newest first; for an operator all.", scope: party.LinksRead},
		func(in *searchInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *searchInput, after string, limit int) ([]link.DestinationRow, string, error) {
			return link.Destinations(ctx, a.hub.Views, who.own(), in.Search, after, limit)
		})
	type linkInput struct {
		Destination string `query:"destination" maxLength:"32"`
		PageInput
	}
	list(a, op{path: "/v1/links", id: "links", tag: linkTag, summary: "List links", detail: "Those that the caller publishes, or that lead to it, with how often they were opened. Newest first.", scope: party.LinksRead},
		func(in *linkInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *linkInput, after string, limit int) ([]link.LinkRow, string, error) {
			var destination moongate.ID
			if err := destination.UnmarshalText([]byte(in.Destination)); err != nil {
				return nil, "", err
			}
			return link.Links(ctx, a.hub.Views, who.own(), destination, after, limit)
		})
	list(a, op{path: "/v1/links/conversions", id: "conversions", tag: linkTag, summary: "List conversions", detail: "The sales that the caller reported, newest first.", scope: party.LinksRead},
		func(in *PageInput) *PageInput { return in },
		func(ctx context.Context, who Principal, _ *PageInput, after string, limit int) ([]link.ConversionRow, string, error) {
			return link.Conversions(ctx, a.hub.Views, who.Handle, after, limit)
		})
}

func (a *API) blockRoutes() {
	command[link.BlockAnswer, link.BlockLinks](a, op{
		path: "/v1/blocks", id: "block-links", tag: linkTag, summary: "Block links", scope: party.LinksWrite, status: http.StatusCreated,
		detail:  "Keeps the caller's own links under an agreement shut, for a reason, until a time: a block without an end cannot be made. It is a public act, and can be appealed.",
		example: `{"agreement":"agr_aeaqc_mfrggzdfmztwq2lknnwa","host":"*.scam.example","reason":"scams_and_fraud","facts":"Forty buyers reported that nothing was ever delivered.","expires":"2026-02-28T00:00:00Z"}`,
	})
	command[link.Done, link.Lift](a, op{path: "/v1/blocks/lift", id: "lift-block", tag: linkTag, summary: "Lift a block early", scope: party.LinksWrite})
	command[link.AppealAnswer, link.Appeal](a, op{path: "/v1/blocks/appeal", id: "appeal", tag: linkTag, summary: "Appeal against a block", detail: "The owner of a destination that it shuts may, once.", scope: party.LinksWrite})
	command[link.Done, link.DecideAppeal](a, op{path: "/v1/blocks/decide", id: "decide-appeal", tag: linkTag, summary: "Decide an appeal", detail: "An operator or an observer may, but not who decided the block or owns the destination.", scope: party.LinksWrite})
	type blockInput struct {
		By      string `query:"by" maxLength:"128" doc:"Who decided."`
		Against string `query:"against" maxLength:"128" doc:"Whose destination it shuts."`
		InForce bool   `query:"in_force" doc:"Only those that have not ended."`
		PageInput
	}
	list(a, op{path: "/v1/blocks", id: "blocks", tag: linkTag, summary: "List blocks", detail: "Blocks, appeals and what became of them are public.", public: true},
		func(in *blockInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, _ Principal, in *blockInput, after string, limit int) ([]link.BlockRow, string, error) {
			return link.Blocks(ctx, a.hub.Views, link.BlockFilter{By: in.By, Against: in.Against, InForce: in.InForce}, after, limit)
		})
}

// own is the participant whose things a list shows; an operator's shows everybody's.
func (p Principal) own() string {
	if p.Operates() {
		return ""
	}
	return p.Handle
}
