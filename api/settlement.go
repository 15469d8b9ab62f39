package api

import (
	"context"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/settle"
)

// WindowPath names a settlement window.
type WindowPath struct {
	Window moongate.ID `path:"window" example:"win_aeaqc_mfrggzdfmztwq2lknnwa"`
}

// Receivers are a participant's accounts at wallets.
type Receivers struct {
	Receivers []pay.Standing `json:"receivers" nullable:"false"`
}

// Payout is how one payout stands.
type Payout struct {
	settle.Payout
	UnderWay int64 `json:"under_way,omitempty" doc:"Of the amount, what its wallet is paying at this moment, minor units."`
}

// PayoutPath names a payout.
type PayoutPath struct {
	Instruction moongate.ID `path:"instruction" example:"ins_aeaqc_mfrggzdfmztwq2lknnwa"`
}

const settlementTag = "Settlement"

func (a *API) settlementRoutes() {
	type windowInput struct {
		Agreement string `query:"agreement" maxLength:"40"`
		State     string `query:"state" enum:"open,closed" default:"closed" doc:"open: the windows that crossings still add to, which close at until."`
		PageInput
	}
	list(a, op{
		path: "/v1/settlement/windows", id: "windows", tag: settlementTag, summary: "List settlement windows", scope: party.SettlementRead,
		detail: "Closed ones, or those that are open, in which the caller has a position, with that position, newest first; for an operator all. What is open is read from the state: a page of it ends with an agreement, so that it may hold a few rows more or fewer than asked for; next tells whether more follow.",
	}, func(in *windowInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *windowInput, after string, limit int) ([]settle.WindowRow, string, error) {
			var agreement moongate.ID
			if err := agreement.UnmarshalText([]byte(in.Agreement)); err != nil {
				return nil, "", err
			}
			if in.State == settle.Open.String() {
				return a.hub.OpenWindows(ctx, who.reader(), agreement, after, limit)
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
		Wallet   string `query:"wallet" maxLength:"128" doc:"Only those that this wallet pays."`
		Other    string `query:"participant" maxLength:"128" doc:"Only those that this participant gives or gets."`
		PageInput
	}
	command[pay.Done, pay.SetReceiver](a, op{
		path: "/v1/settlement/receivers", id: "set-receiver", tag: settlementTag, summary: "Say where a participant gets its money at a wallet", scope: party.SettlementWrite, signed: true,
		detail:  "The account that the wallet pays payouts to, by splitting orders; or, with `sub_merchant`, the number of the participant's own account below the hub's (sub_mchid at WeChat Pay, smid at Alipay), into which orders for what it sells are paid. In place of the one before; what was paid already stays where it was paid. The participant itself may, and an operator. The wallet is told; the list says whether it admits the account.",
		example: `{"wallet":"crane-pay","participant":"harbour-books","account":"1900000109"}`,
	})
	command[pay.Done, pay.RemoveReceiver](a, op{
		path: "/v1/settlement/receivers/remove", id: "remove-receiver", tag: settlementTag, summary: "Take a participant's account at a wallet away", scope: party.SettlementWrite, signed: true,
		detail:  "What was paid into it is refunded, split and released there as before. The participant itself may, and an operator.",
		example: `{"wallet":"crane-pay","participant":"harbour-books"}`,
	})
	query(a, op{path: "/v1/settlement/receivers", id: "receivers", tag: settlementTag, summary: "List a participant's accounts at wallets", scope: party.SettlementRead},
		func(_ context.Context, who Principal, in *struct {
			Participant string `query:"participant" maxLength:"128" doc:"For operators: whose; the caller's where it is missing."`
		},
		) (out Receivers, err error) {
			whose := who.Handle
			if in.Participant != "" && in.Participant != who.Handle {
				if !who.Operates() {
					return out, denied("participant", in.Participant)
				}
				whose = in.Participant
			}
			out.Receivers = []pay.Standing{}
			a.hub.Machine().Read(func() { out.Receivers = append(out.Receivers, a.hub.Pay.Receivers(whose)...) })
			return out, nil
		})
	list(a, op{path: "/v1/settlement/payouts", id: "payouts", tag: settlementTag, summary: "List payouts", detail: "Instructions to pay that the caller gives or gets, latest due first; for an operator all.", scope: party.SettlementRead},
		func(in *payoutInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *payoutInput, after string, limit int) ([]settle.Payout, string, error) {
			f := settle.PayoutFilter{Party: who.own(), Wallet: in.Wallet, Other: in.Other}
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
	query(a, op{path: "/v1/settlement/payouts/{instruction}", id: "payout", tag: settlementTag, summary: "Read a payout", detail: "With what of it was paid so far, and what is under way.", scope: party.SettlementRead}, a.payout)
	command[settle.Answer, settle.Report](a, op{
		path: "/v1/settlement/payouts/report", id: "report-payout", tag: settlementTag, summary: "Say what became of a payout", scope: party.SettlementWrite, signed: true,
		detail:  "The payee confirms what it received; an operator may also say that it came back, or that a person sees to it, and has the wallet of a `manual` one told again, of what is left, by saying `sent`.",
		example: `{"instruction":"ins_aeaqc_mfrggzdfmztwq2lknnwa","progress":"paid","ref":"4200002311"}`,
	})
	command[settle.Answer, settle.Close](a, op{path: "/v1/settlement/windows/close", id: "close-window", tag: settlementTag, summary: "Close a window before its time", scope: party.OperatorScope, signed: true})
	command[settle.Answer, settle.Abort](a, op{path: "/v1/settlement/windows/abort", id: "abort-window", tag: settlementTag, summary: "Give a closed window up", detail: "Before anything was instructed.", scope: party.OperatorScope})
}

// payout finds a payout that the caller gives or gets. What has happened to it since the lists were written counts.
func (a *API) payout(ctx context.Context, who Principal, in *PayoutPath) (out Payout, err error) {
	rows, _, err := settle.Payouts(ctx, a.hub.Views, settle.PayoutFilter{Party: who.own(), Instruction: in.Instruction}, "", 1)
	if err != nil {
		return out, err
	}
	if len(rows) == 0 || in.Instruction.IsZero() {
		return out, denied("payout", in.Instruction.String())
	}
	out.Payout = rows[0]
	a.hub.Machine().Read(func() { out.Part, out.UnderWay = a.hub.Settle.PaidOut(in.Instruction, out.Part) })
	return out, nil
}
