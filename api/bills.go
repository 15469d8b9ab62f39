package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
)

// billsPath is where bills are uploaded to: the one body that may be large, and is not held in memory.
const billsPath = "/v1/bills"

// BillPath names a bill.
type BillPath struct {
	Bill moongate.ID `path:"bill" example:"bil_aeaqc_mfrggzdfmztwq2lknnwa"`
}

// DifferencePath names a difference.
type DifferencePath struct {
	Difference moongate.ID `path:"difference" example:"dif_aeaqc_mfrggzdfmztwq2lknnwa"`
}

const billTag = "Reconciliation"

func (a *API) billRoutes() {
	a.uploadRoute()
	command[reconcile.Done, reconcile.Fetch](a, op{
		path: "/v1/bills/fetch", id: "fetch-bill", tag: billTag, summary: "Have a bill fetched from its wallet", scope: party.OperatorScope,
		detail:  "Now, whatever the schedule says. How it went stands in the list of fetches.",
		example: `{"wallet":"crane-pay","kind":"trade","day":"2026-03-04"}`,
	})
	command[reconcile.Done, reconcile.Schedule](a, op{
		path: "/v1/bills/schedule", id: "schedule-bills", tag: billTag, summary: "Have a wallet's bills fetched every day", scope: party.OperatorScope,
		detail:  "From a day on; without `from`, no longer. The trade bills of wallets that the hub has an account at are fetched without being asked for.",
		example: `{"wallet":"crane-pay","kind":"fund","from":"2026-03-04"}`,
	})
	type fetchInput struct {
		Wallet string `query:"wallet" maxLength:"128"`
		PageInput
	}
	list(a, op{path: "/v1/bills/fetches", id: "bill-fetches", tag: billTag, summary: "Look how fetching bills went", detail: "The newest days first.", scope: party.OperatorScope},
		func(in *fetchInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, _ Principal, in *fetchInput, after string, limit int) ([]reconcile.FetchRow, string, error) {
			return reconcile.Fetches(ctx, a.hub.Views, in.Wallet, after, limit)
		})
	type listInput struct {
		Wallet string `query:"wallet" maxLength:"128"`
		Kind   string `query:"kind" enum:"trade,fund"`
		Day    string `query:"day" maxLength:"10" doc:"By the wallet's calendar." example:"2026-03-04"`
		PageInput
	}
	list(a, op{path: billsPath, id: "bills", tag: billTag, summary: "List bills", detail: "Newest first. Rows are matched, guessed, aside or differ, and add up; sums are minor units, fees thousandths of one.", scope: party.OperatorScope},
		func(in *listInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, _ Principal, in *listInput, after string, limit int) ([]reconcile.BillRow, string, error) {
			return reconcile.Bills(ctx, a.hub.Views, reconcile.BillFilter{Wallet: in.Wallet, Kind: pay.BillKind(in.Kind), Day: in.Day}, after, limit)
		})
	type oneInput struct {
		BillPath
		AtLeast
	}
	register(a, op{path: "/v1/bills/{bill}", id: "bill", tag: billTag, summary: "Read what a bill came to", scope: party.OperatorScope},
		func(ctx context.Context, who Principal, in *oneInput) (reconcile.BillRow, error) {
			if err := a.fresh(ctx, who, in.Position); err != nil {
				return reconcile.BillRow{}, err
			}
			return reconcile.FindBill(ctx, a.hub.Views, in.Bill)
		})
	a.differenceRoutes()
}

func (a *API) differenceRoutes() {
	type listInput struct {
		Bill     string `query:"bill" maxLength:"40"`
		Wallet   string `query:"wallet" maxLength:"128"`
		Class    string `query:"class" enum:"duplicate,missing_ours,missing_theirs,status,amount,fee,timing"`
		Standing string `query:"standing" enum:"waiting,open,settled"`
		Assignee string `query:"assignee" maxLength:"128"`
		PageInput
	}
	list(a, op{path: "/v1/differences", id: "differences", tag: billTag, summary: "List differences between bills and books", detail: "Newest first, with what either side says. What is missing in a bill waits for the next day's.", scope: party.OperatorScope},
		func(in *listInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, _ Principal, in *listInput, after string, limit int) ([]reconcile.DifferenceRow, string, error) {
			f := reconcile.DifferenceFilter{Wallet: in.Wallet, Assignee: in.Assignee}
			err := f.Bill.UnmarshalText([]byte(in.Bill))
			if in.Class != "" {
				err = errors.Join(err, f.Class.UnmarshalText([]byte(in.Class)))
			}
			if in.Standing != "" {
				err = errors.Join(err, f.Standing.UnmarshalText([]byte(in.Standing)))
			}
			if err != nil {
				return nil, "", err
			}
			return reconcile.Differences(ctx, a.hub.Views, f, after, limit)
		})
	type oneInput struct {
		DifferencePath
		AtLeast
	}
	register(a, op{path: "/v1/differences/{difference}", id: "difference", tag: billTag, summary: "Read a difference with its notes", scope: party.OperatorScope},
		func(ctx context.Context, who Principal, in *oneInput) (reconcile.DifferenceRow, error) {
			if err := a.fresh(ctx, who, in.Position); err != nil {
				return reconcile.DifferenceRow{}, err
			}
			return reconcile.FindDifference(ctx, a.hub.Views, in.Difference)
		})
	command[reconcile.Done, reconcile.Assign](a, op{
		path: "/v1/differences/assign", id: "assign-difference", tag: billTag, summary: "Give a difference to somebody, or note something on it", scope: party.OperatorScope,
		example: `{"difference":"dif_aeaqc_mfrggzdfmztwq2lknnwa","to":"operator","note":"asked the wallet, ticket 4711"}`,
	})
	command[reconcile.Done, reconcile.Resolve](a, op{
		path: "/v1/differences/resolve", id: "resolve-differences", tag: billTag, summary: "Settle differences", scope: party.OperatorScope,
		detail:  "With one reason for all: `explained`, `corrected` (our books were wrong), `at_wallet` (the wallet puts it right) or `written_off`. No money moves by it.",
		example: `{"differences":["dif_aeaqc_mfrggzdfmztwq2lknnwa"],"action":"explained","note":"sold by the other shop on this account"}`,
	})
}

// uploadRoute takes a bill in that somebody has.
func (a *API) uploadRoute() {
	type input struct {
		Wallet string `query:"wallet" required:"true" minLength:"1" maxLength:"128" doc:"Whose bill it is, as it is registered here." example:"crane-pay"`
		Day    string `query:"day" maxLength:"10" doc:"By the wallet's calendar; where it is missing, the bill's own." example:"2026-03-04"`
		Kind   string `query:"kind" enum:"trade,fund" doc:"Where it is missing, the bill's own."`
		Hash   string `query:"hash" maxLength:"80" doc:"What the wallet published beside the bill, like sha1:…; the bill must have it."`
	}
	raw(a, op{
		method: http.MethodPost, path: billsPath, id: "upload-bill", tag: billTag, summary: "Take in a bill", scope: party.OperatorScope, upload: "application/octet-stream",
		detail: "The file as the wallet made it: text, gzip or zip, up to 1 GiB. It is read whole, held against the books, and answered with what it came to; " +
			"one that is altered or cut short is refused whole. Taken in twice it changes nothing, so no idempotency key is needed. A bill of more than 1 MiB is sent with a bearer credential.",
	}, "application/json", func(w http.ResponseWriter, r *http.Request, who Principal, in *input) error {
		row, err := a.hub.TakeBill(r.Context(), w, http.MaxBytesReader(w, r.Body, hub.MaxBill), who.Handle, reconcile.Source{
			Wallet: in.Wallet, Kind: pay.BillKind(in.Kind), Day: in.Day, Published: in.Hash,
		})
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_ = http.NewResponseController(w).SetWriteDeadline(a.hub.Now().Add(AnswerTimeout)) // a connection that has none is in memory
		return json.NewEncoder(w).Encode(row)
	})
}

// uploads tells whether a request brings a bill that is not to be held in memory. What is signed is: its body must be
// compared with what was signed before anything is done with it.
func uploads(r *http.Request) bool {
	c, _ := r.Context().Value(callerKey).(caller)
	return r.Method == http.MethodPost && r.URL.Path == billsPath && c.head == nil
}
