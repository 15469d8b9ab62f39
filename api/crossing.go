package api

import (
	"context"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/party"
)

// Passage is a crossing with the caller's own lines.
type Passage struct {
	crossing.Row
	Sides []crossing.Side `json:"sides" nullable:"false" doc:"What each party got and gave, of those that the caller may see: its own; for an operator all."`
}

// CrossingPath names a crossing.
type CrossingPath struct {
	Crossing moongate.ID `path:"crossing" example:"cx_aeaqc_mfrggzdfmztwq2lknnwa"`
}

const crossingTag = "Crossings"

func (a *API) crossingRoutes() {
	type listInput struct {
		Kind     string `query:"kind" enum:"link,payment,refund,conversion,exception"`
		State    string `query:"state" enum:"done,pending,voided,expired,refused"`
		From     string `query:"from" maxLength:"128"`
		To       string `query:"to" maxLength:"128"`
		Reverses string `query:"reverses" maxLength:"32" doc:"Refunds of this crossing."`
		Party    string `query:"party" maxLength:"128" doc:"For operators: as this participant sees it."`
		PageInput
	}
	list(a, op{path: "/v1/crossings", id: "crossings", tag: crossingTag, summary: "List crossings", detail: "Those that the caller has a part in, newest first; whoever has no part in what both gardens share sees only what is its own.", scope: party.LedgerRead},
		func(in *listInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *listInput, after string, limit int) ([]crossing.Row, string, error) {
			f := crossing.Filter{Party: who.Handle, State: crossing.Stage(in.State), From: in.From, To: in.To}
			if in.Party != "" && in.Party != who.Handle && !who.Operates() {
				return nil, "", denied("participant", in.Party)
			}
			if who.Operates() {
				f.Party = in.Party
			}
			if in.Kind != "" {
				if err := f.Kind.UnmarshalText([]byte(in.Kind)); err != nil {
					return nil, "", err
				}
			}
			if err := f.Reverses.UnmarshalText([]byte(in.Reverses)); err != nil {
				return nil, "", err
			}
			return crossing.List(ctx, a.hub.Views, f, after, limit)
		})
	type pathInput struct {
		CrossingPath
		AtLeast
	}
	register(a, op{path: "/v1/crossings/{crossing}", id: "crossing", tag: crossingTag, summary: "Read a crossing", scope: party.LedgerRead},
		func(ctx context.Context, who Principal, in *pathInput) (Passage, error) {
			row, err := a.crossing(ctx, who, in.Crossing, in.Position)
			if err != nil {
				return Passage{}, err
			}
			p := Passage{Row: row, Sides: []crossing.Side{}}
			e, err := a.hub.Node.Journal().Entry(row.Position)
			if err != nil {
				return Passage{}, err
			}
			if recorded, ok := e.Event.(*crossing.Recorded); ok {
				for _, side := range recorded.Sides {
					if side.Party == who.Handle || who.Operates() {
						p.Sides = append(p.Sides, *side)
					}
				}
			}
			return p, nil
		})
	register(a, op{
		path: "/v1/crossings/{crossing}/receipt", id: "crossing-receipt", tag: crossingTag, summary: "Prove a crossing", scope: party.LedgerRead,
		detail: "A receipt shows, with the log's public key alone, that the crossing is in the public log, and opens the fields that the caller may see. It is there about a second after the crossing.",
	}, func(ctx context.Context, who Principal, in *pathInput) (receipt, error) {
		row, err := a.crossing(ctx, who, in.Crossing, in.Position)
		if err != nil {
			return receipt{}, err
		}
		return a.receipt(row.Position, who, denied("crossing", in.Crossing.String()))
	})
}

// crossing finds a crossing that the caller may see. Whether another exists does not show.
func (a *API) crossing(ctx context.Context, who Principal, id moongate.ID, position string) (crossing.Row, error) {
	if err := a.fresh(ctx, who, position); err != nil {
		return crossing.Row{}, err
	}
	f := crossing.Filter{Party: who.Handle}
	if who.Operates() {
		f.Party = ""
	}
	row, err := crossing.Find(ctx, a.hub.Views, id, f)
	if moongate.CodeOf(err) == moongate.NotFound {
		return row, denied("crossing", id.String())
	}
	return row, err
}
