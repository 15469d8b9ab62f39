package api

import (
	"context"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/settle"
)

// WindowPath names a settlement window.
type WindowPath struct {
	Window moongate.ID `path:"window" example:"win_aeaqc_mfrggzdfmztwq2lknnwa"`
}

const settlementTag = "Settlement"

func (a *API) settlementRoutes() {
	type windowInput struct {
		Agreement string `query:"agreement" maxLength:"40"`
		PageInput
	}
	list(a, op{
		path: "/v1/settlement/windows", id: "windows", tag: settlementTag, summary: "List settlement windows", scope: party.SettlementRead,
		detail: "Closed ones in which the caller has a position, with that position, newest first; for an operator all.",
	}, func(in *windowInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *windowInput, after string, limit int) ([]settle.WindowRow, string, error) {
			var agreement moongate.ID
			if err := agreement.UnmarshalText([]byte(in.Agreement)); err != nil {
				return nil, "", err
			}
			return settle.Windows(ctx, a.hub.Views, who.own(), agreement, after, limit)
		})
	type standingInput struct {
		WindowPath
		PageInput
	}
	list(a, op{path: "/v1/settlement/windows/{window}/positions", id: "positions", tag: settlementTag, summary: "List everybody's net position in a window", scope: party.OperatorScope},
		func(in *standingInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, _ Principal, in *standingInput, after string, limit int) ([]settle.WindowRow, string, error) {
			return settle.Standings(ctx, a.hub.Views, in.Window, after, limit)
		})
	type payoutInput struct {
		Window   string `query:"window" maxLength:"40"`
		Progress string `query:"progress" enum:"planned,sent,manual,paid,returned"`
		PageInput
	}
	list(a, op{path: "/v1/settlement/payouts", id: "payouts", tag: settlementTag, summary: "List payouts", detail: "Instructions to pay that the caller gives or gets, latest due first; for an operator all.", scope: party.SettlementRead},
		func(in *payoutInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *payoutInput, after string, limit int) ([]settle.Payout, string, error) {
			f := settle.PayoutFilter{Party: who.own()}
			if err := f.Window.UnmarshalText([]byte(in.Window)); err != nil {
				return nil, "", err
			}
			if in.Progress != "" {
				if err := f.Progress.UnmarshalText([]byte(in.Progress)); err != nil {
					return nil, "", err
				}
			}
			return settle.Payouts(ctx, a.hub.Views, f, after, limit)
		})
	command[settle.Answer, settle.Report](a, op{
		path: "/v1/settlement/payouts/report", id: "report-payout", tag: settlementTag, summary: "Say what became of a payout", scope: party.SettlementRead, signed: true,
		detail:  "The payee confirms what it received; an operator may also say that it came back, or that a person sees to it.",
		example: `{"instruction":"ins_aeaqc_mfrggzdfmztwq2lknnwa","progress":"paid","ref":"4200002311"}`,
	})
	command[settle.Answer, settle.Close](a, op{path: "/v1/settlement/windows/close", id: "close-window", tag: settlementTag, summary: "Close a window before its time", scope: party.OperatorScope})
	command[settle.Answer, settle.Abort](a, op{path: "/v1/settlement/windows/abort", id: "abort-window", tag: settlementTag, summary: "Give a closed window up", detail: "Before anything was instructed.", scope: party.OperatorScope})
}
