package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/statement"
)

// StatementPath names an issued total.
type StatementPath struct {
	Statement moongate.ID `path:"statement" example:"stm_aeaqc_mfrggzdfmztwq2lknnwa"`
	AtLeast
}

// MonthInput asks for a month under an agreement.
type MonthInput struct {
	Agreement string `query:"agreement" required:"true" maxLength:"40" example:"agr_aeaqc_mfrggzdfmztwq2lknnwa"`
	Currency  string `query:"currency" required:"true" pattern:"^[A-Z]{3}$" example:"CNY"`
	Month     string `query:"month" required:"true" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" patternDescription:"a month, like 2026-03" doc:"In the agreement's calendar." example:"2026-03"`
	Party     string `query:"party" maxLength:"128" doc:"For operators: whose. Otherwise the caller."`
	AtLeast
}

const statementTag = "Statements"

func (a *API) statementRoutes() {
	list(a, op{path: "/v1/statements", id: "statements", tag: statementTag, summary: "List issued totals", detail: "Under agreements that disclose totals only: what each period came to, as the caller may see it. Newest first.", scope: party.StatementsRead},
		func(in *PageInput) *PageInput { return in },
		func(ctx context.Context, who Principal, _ *PageInput, after string, limit int) ([]statement.Row, string, error) {
			return statement.List(ctx, a.hub.Views, who.own(), after, limit)
		})
	register(a, op{path: "/v1/statements/{statement}", id: "statement", tag: statementTag, summary: "Read an issued total", scope: party.StatementsRead},
		func(ctx context.Context, who Principal, in *StatementPath) (statement.Row, error) {
			if err := a.fresh(ctx, who, in.Position); err != nil {
				return statement.Row{}, err
			}
			row, err := statement.Find(ctx, a.hub.Views, in.Statement, who.own())
			if moongate.CodeOf(err) == moongate.NotFound {
				err = denied("statement", in.Statement.String())
			}
			return row, err
		})
	command[statement.Answer, statement.Confirm](a, op{path: "/v1/statements/confirm", id: "confirm-statement", tag: statementTag, summary: "Accept an issued total", detail: "The payee may.", scope: party.StatementsWrite})
	command[statement.Answer, statement.Dispute](a, op{path: "/v1/statements/dispute", id: "dispute-statement", tag: statementTag, summary: "Dispute an issued total", detail: "Either side may, while it can be appealed. The money stays where it is; the operator hears both.", scope: party.StatementsWrite})
	type monthsInput struct {
		Party string `query:"party" maxLength:"128" doc:"For operators: whose. Otherwise the caller."`
		PageInput
	}
	list(a, op{path: "/v1/statements/months", id: "months", tag: statementTag, summary: "List the months that have itemised statements", detail: "Newest first, by UTC.", scope: party.StatementsRead},
		func(in *monthsInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *monthsInput, after string, limit int) ([]statement.Month, string, error) {
			handle, err := who.as(in.Party)
			if err != nil {
				return nil, "", err
			}
			return statement.Months(ctx, a.hub.Views, handle, after, limit)
		})
	register(a, op{
		path: "/v1/statements/itemised", id: "itemised", tag: statementTag, summary: "Read an itemised statement", scope: party.StatementsRead,
		detail: "One month under one agreement, line by line, each tied to the ledger's transfer that moved it. Up to 200,000 lines; as CSV there is no bound.",
	}, func(ctx context.Context, who Principal, in *MonthInput) (*statement.Itemised, error) {
		src, r, err := a.month(ctx, who, in)
		if err != nil {
			return nil, err
		}
		return statement.Itemise(ctx, src, r)
	})
	a.statementCSV()
}

// as is the participant on whose behalf something is read: the caller, or for an operator anybody.
func (p Principal) as(handle string) (string, error) {
	if handle == "" || handle == p.Handle {
		return p.Handle, nil
	}
	if !p.Operates() {
		return "", denied("participant", handle)
	}
	return handle, nil
}

// month reads what a statement is asked for. Of an agreement that the participant has no part in, nothing is told.
func (a *API) month(ctx context.Context, who Principal, in *MonthInput) (src statement.Sources, r statement.Request, err error) {
	if r.Party, err = who.as(in.Party); err != nil {
		return src, r, err
	}
	if err := a.fresh(ctx, who, in.Position); err != nil {
		return src, r, err
	}
	if r.Agreement, err = moongate.ParseID(in.Agreement); err != nil {
		return src, r, err
	}
	if r.Currency, err = money.ParseCurrency(in.Currency); err != nil {
		return src, r, err
	}
	month, err := time.Parse("2006-01", in.Month)
	if err != nil {
		return src, r, err
	}
	r.Year, r.Month = month.Year(), month.Month()
	may := false
	a.hub.Machine().Read(func() {
		t, err := a.hub.Agreement.Last(r.Agreement)
		may = err == nil && a.hub.Agreement.MayRead(r.Agreement, t.Doc.Version, r.Party)
	})
	if !may { // it may have left since
		if may, err = a.had(ctx, r.Party, in.Agreement); err != nil {
			return src, r, err
		}
		if !may {
			return src, r, denied("agreement", in.Agreement)
		}
	}
	src = statement.Sources{Lists: a.hub.Views, Read: a.hub.Node.Journal().Entry, Terms: func(id moongate.ID) (t *agreement.Terms, err error) {
		a.hub.Machine().Read(func() { t, err = a.hub.Agreement.Last(id) })
		return t, err
	}}
	return src, r, nil
}

// had tells whether a participant ever had crossings under an agreement.
func (a *API) had(ctx context.Context, party, agreement string) (bool, error) {
	for after := ""; ; {
		months, next, err := statement.Months(ctx, a.hub.Views, party, after, 500)
		if err != nil || slices.ContainsFunc(months, func(m statement.Month) bool { return m.Agreement == agreement }) {
			return err == nil, err
		}
		if after = next; next == "" {
			return false, nil
		}
	}
}

// statementCSV streams a statement line by line.
func (a *API) statementCSV() {
	o := op{method: http.MethodGet, path: "/v1/statements/itemised.csv", id: "itemised-csv", tag: statementTag, summary: "Read an itemised statement as CSV", detail: "RFC 4180, UTF-8, with a head; written line by line, without a bound.", scope: party.StatementsRead}
	raw(a, o, "text/csv", func(w http.ResponseWriter, r *http.Request, who Principal, in *MonthInput) error {
		src, request, err := a.month(r.Context(), who, in)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
		w.Header().Set("Content-Disposition", `attachment; filename="statement-`+in.Agreement+"-"+in.Month+"-"+in.Currency+`.csv"`)
		_, err = statement.WriteCSV(r.Context(), a.patient(w), src, request)
		return err
	})
}
