package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/statement"
)

func (p *Pages) statements(v *visit) (console.Page, error) {
	whose := p.statementParty(v)
	page := console.Statements{Party: whose.Handle}
	found, paging, err := rows(p, v, "statements", func(after string, limit int) ([]statement.Row, string, error) {
		return statement.List(v.Context(), p.hub.Views, v.own(), after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	for i := range found {
		line, err := p.totalLine(v, &found[i])
		if err != nil {
			return nil, err
		}
		page.Totals = append(page.Totals, line)
	}
	if v.operates() {
		if page.Parties, err = p.gardens(v); err != nil {
			return nil, err
		}
	}
	if whose.Handle != "" {
		page.Itemised, page.Months, err = p.itemisedLines(v, &whose)
	}
	return page, err
}

// totalLine is an issued total as a row.
func (p *Pages) totalLine(v *visit, r *statement.Row) (console.StatementLine, error) {
	c, err := money.ParseCurrency(r.Currency)
	return console.StatementLine{
		ID: r.ID, Agreement: r.Agreement, Title: p.titleOf(v, r.Agreement), Period: r.Since.Go().Add(12 * time.Hour).Format("2006-01"), From: p.party(r.From, v.lang), To: p.party(r.To, v.lang),
		Private: true, Total: money.Of(r.Total, c), State: r.Status, Issued: r.Until,
	}, err
}

// itemisedLines offers an itemised statement for each agreement, currency and month in which a participant had crossings:
// they are made when they are read.
func (p *Pages) itemisedLines(v *visit, whose *party.Participant) ([]console.StatementLine, console.Paging, error) {
	found, paging, err := rowsBeside(p, v, "months", "months/"+whose.Handle, func(after string, limit int) ([]statement.Month, string, error) {
		return statement.Months(v.Context(), p.hub.Views, whose.Handle, after, limit)
	})
	if err != nil {
		return nil, paging, err
	}
	lines := make([]console.StatementLine, 0, len(found))
	for i := range found {
		m := &found[i]
		line := console.StatementLine{
			ID: m.Agreement + "." + m.Currency + "." + m.Month, Agreement: m.Agreement, Title: p.titleOf(v, m.Agreement), Period: m.Month,
			From: p.ownHub(), To: named(whose, v.lang), Crossings: int64(m.Crossings), State: "issued",
		}
		if v.operates() {
			line.ID += "." + whose.Handle
		}
		if m.Month == v.now.Go().Format("2006-01") {
			line.State = "draft"
		}
		lines = append(lines, line)
	}
	return lines, paging, nil
}

// statementParty is whose itemised statements are shown: the reader's, or, to an operator, those of the participant that
// it names; nobody's where it names none.
func (p *Pages) statementParty(v *visit) (whose party.Participant) {
	whose = v.who
	if v.operates() {
		p.hub.Machine().Read(func() { whose, _ = p.hub.Party.Lookup(v.URL.Query().Get("party")) })
	}
	return whose
}

// request reads the name of an itemised statement: AGREEMENT.CURRENCY.YEAR-MONTH, for an operator .PARTICIPANT behind.
func (p *Pages) request(v *visit) (statement.Request, error) {
	parts := strings.Split(v.PathValue("id"), ".")
	none := missing("statement")
	if len(parts) != 3 && len(parts) != 4 {
		return statement.Request{}, none
	}
	r := statement.Request{Party: v.who.Handle}
	id, err := moongate.ParseID(parts[0])
	if err != nil || id.Kind() != moongate.KindAgreement {
		return r, none
	}
	r.Agreement = id
	if r.Currency, err = money.ParseCurrency(parts[1]); err != nil {
		return r, none
	}
	month, err := time.Parse("2006-01", parts[2])
	if err != nil {
		return r, none
	}
	r.Year, r.Month = month.Year(), month.Month()
	if len(parts) == 4 {
		r.Party = parts[3]
	}
	if !v.sees(r.Party) {
		return r, none
	}
	readable := v.operates()
	p.hub.Machine().Read(func() {
		t, err := p.hub.Agreement.Last(r.Agreement)
		readable = err == nil && (readable || p.hub.Agreement.MayRead(r.Agreement, t.Doc.Version, r.Party))
	})
	if !readable {
		return r, none
	}
	return r, nil
}

func (p *Pages) sources() statement.Sources {
	return statement.Sources{
		Lists: p.hub.Views, Read: p.hub.Node.Journal().Entry,
		Terms: func(id moongate.ID) (t *agreement.Terms, err error) {
			p.hub.Machine().Read(func() { t, err = p.hub.Agreement.Last(id) })
			return t, err
		},
	}
}

func (p *Pages) statement(v *visit) (console.Page, error) {
	if id, err := moongate.ParseID(v.PathValue("id")); err == nil && id.Kind() == moongate.KindStatement {
		return p.total(v, id)
	}
	r, err := p.request(v)
	if err != nil {
		return nil, err
	}
	st, err := statement.Itemise(v.Context(), p.sources(), r)
	if err != nil {
		return nil, err
	}
	lines := "/console/statements/" + v.PathValue("id") + "/lines"
	page := console.Statement{
		Line: console.StatementLine{
			ID: v.PathValue("id"), Agreement: r.Agreement.String(), Period: fmt.Sprintf("%04d-%02d", r.Year, r.Month),
			From: p.ownHub(), To: p.party(r.Party, v.lang), Total: money.Of(st.Net, r.Currency), State: "issued", Issued: st.Until,
			Title: st.Name.In(language(v.lang)),
		},
		Problems:  st.Problems,
		Downloads: []console.Option{{Value: lines + "?format=csv", Label: "CSV"}, {Value: lines + "?format=json", Label: "JSON"}},
	}
	if v.now < st.Until {
		page.Line.State, page.Line.Issued = "draft", 0
	}
	if st.Accrued != 0 {
		page.Accrued = money.Of(st.Accrued, r.Currency)
	}
	if st.Balance != nil {
		page.Balance = money.Of(*st.Balance, r.Currency)
	}
	rule := p.rules(v, r.Agreement)
	for _, s := range st.Sums {
		page.Sums = append(page.Sums, console.Sum{Purpose: s.What.String(), Rule: rule(s.Fee), Count: int64(s.Lines), Amount: money.Of(s.Amount, r.Currency)})
	}
	items, paging, err := rows(p, v, "items", part(st.Lines))
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	for i := range items {
		l := &items[i]
		page.Items = append(page.Items, console.Item{
			Crossing: l.Crossing.String(), At: l.At, Kind: l.Kind.String(), Purpose: l.What.String(), Rule: rule(l.Fee), Other: p.party(l.Other, v.lang),
			Amount: money.Of(l.Amount, r.Currency), Accrues: l.Accrues,
		})
	}
	return page, nil
}

// rules name the lines of an agreement's schedule as its last version does, however many lines ask.
func (p *Pages) rules(v *visit, agreement moongate.ID) func(line string) string {
	labels := map[string]string{}
	p.hub.Machine().Read(func() {
		terms, err := p.hub.Agreement.Last(agreement)
		if err != nil {
			return
		}
		for i := range terms.Doc.Fees {
			if f := &terms.Doc.Fees[i]; len(f.Label) > 0 {
				labels[f.ID] = f.Label.In(language(v.lang))
			}
		}
	})
	return func(line string) string {
		if label, ok := labels[line]; ok {
			return label
		}
		return line
	}
}

// total shows an issued total to its two sides.
func (p *Pages) total(v *visit, id moongate.ID) (console.Page, error) {
	row, err := statement.Find(v.Context(), p.hub.Views, id, v.own())
	if moongate.CodeOf(err) == moongate.NotFound {
		return nil, missing("statement")
	}
	if err != nil {
		return nil, err
	}
	page := console.Statement{Proof: "absent"}
	if page.Line, err = p.totalLine(v, &row); err != nil {
		return nil, err
	}
	sum := console.Sum{Purpose: "accrual", Amount: page.Line.Total}
	if row.Crossings != nil {
		sum.Count = int64(*row.Crossings)
	}
	page.Sums = []console.Sum{sum}
	page.Downloads = []console.Option{{Value: "/console/statements/" + row.ID + "/lines?format=json", Label: "JSON"}}
	return page, nil
}

// statementFile writes a statement as a file, CSV or JSON.
func (p *Pages) statementFile(v *visit, w http.ResponseWriter) error {
	name := `attachment; filename="statement-` + strings.Map(plainName, v.PathValue("id"))
	if id, err := moongate.ParseID(v.PathValue("id")); err == nil && id.Kind() == moongate.KindStatement {
		row, err := statement.Find(v.Context(), p.hub.Views, id, v.own())
		if err != nil {
			return missing("statement")
		}
		return writeJSON(w, name, row)
	}
	r, err := p.request(v)
	if err != nil {
		return err
	}
	if v.URL.Query().Get("format") != "csv" {
		st, err := statement.Itemise(v.Context(), p.sources(), r)
		if err != nil {
			return err
		}
		return writeJSON(w, name, st)
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", name+`.csv"`)
	if _, err := statement.WriteCSV(v.Context(), hub.Patient(w, p.hub.Now), p.sources(), r); err != nil {
		p.hub.Log.Error("a statement broke off", "error", err)
		panic(http.ErrAbortHandler) // half a file must not look like a whole one
	}
	return nil
}

func plainName(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
		return r
	}
	return -1
}

func writeJSON(w http.ResponseWriter, name string, value any) error {
	b, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", name+`.json"`)
	_, _ = w.Write(append(b, '\n'))
	return nil
}
