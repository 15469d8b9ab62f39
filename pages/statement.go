package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
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

// monthsShown is how many months of itemised statements a list offers for each agreement.
const monthsShown = 6

func (p *Pages) statements(v *visit) (console.Page, error) {
	page := console.Statements{}
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
		page.Lines = append(page.Lines, line)
	}
	if !paging.First {
		return page, nil
	}
	itemised, err := p.itemisedLines(v)
	page.Lines = append(itemised, page.Lines...)
	return page, err
}

// totalLine is an issued total as a row.
func (p *Pages) totalLine(v *visit, r *statement.Row) (console.StatementLine, error) {
	c, err := money.ParseCurrency(r.Currency)
	return console.StatementLine{
		ID: r.ID, Agreement: r.Agreement, Period: r.Since.Go().Add(12 * time.Hour).Format("2006-01"), From: p.party(r.From, v.lang), To: p.party(r.To, v.lang),
		Private: true, Total: money.Of(r.Total, c), State: r.Status, Issued: r.Until,
	}, err
}

// itemisedLines offers an itemised statement for each agreement, currency and month: they are made when they are read.
// An operator who names no participant is offered this month's of some.
func (p *Pages) itemisedLines(v *visit) ([]console.StatementLine, error) {
	whose := p.statementParty(v)
	found, _, err := agreement.List(v.Context(), p.hub.Views, agreement.Filter{Party: whose.Handle, Status: agreement.InForce.String()}, "", pageRows)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var lines []console.StatementLine
	for i := range found {
		r := &found[i]
		id, err := moongate.ParseID(r.Agreement)
		if err != nil || seen[r.Agreement] || r.From > v.now || len(lines) >= 2*pageRows {
			continue
		}
		seen[r.Agreement] = true
		var terms *agreement.Terms
		bound := false
		p.hub.Machine().Read(func() {
			terms, err = p.hub.Agreement.Last(id)
			bound = p.hub.Agreement.Bound(id, whose.Handle, v.now) || p.hub.Agreement.Member(id, whose.Handle, v.now)
		})
		switch {
		case err != nil:
		case bound:
			lines = append(lines, p.months(v, id, terms, &whose, r.From, monthsShown)...)
		case whose.Handle == "":
			some, _, err := agreement.Participants(v.Context(), p.hub.Views, id, r.Version, "", "", someParties)
			if err != nil {
				return nil, err
			}
			for j := range some {
				var one party.Participant
				p.hub.Machine().Read(func() { one, _ = p.hub.Party.Lookup(some[j].Party) })
				if one.Handle != "" {
					lines = append(lines, p.months(v, id, terms, &one, r.From, 1)...)
				}
			}
		}
	}
	return lines, nil
}

// someParties is how many participants of an agreement an operator is offered statements of, unasked.
const someParties = 12

// months are a participant's statements under an agreement, this month's first.
func (p *Pages) months(v *visit, id moongate.ID, terms *agreement.Terms, whose *party.Participant, from moongate.Time, most int) (lines []console.StatementLine) {
	now := v.now.Go().In(terms.Zone())
	for month := range most {
		first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, terms.Zone()).AddDate(0, -month, 0)
		end := moongate.At(first.AddDate(0, 1, 0))
		if end <= from {
			break
		}
		for _, code := range terms.Doc.Scope.Currencies {
			line := console.StatementLine{
				ID: id.String() + "." + code + "." + first.Format("2006-01"), Agreement: id.String(), Period: first.Format("2006-01"),
				From: p.ownHub(), To: named(whose, v.lang), State: "issued", Issued: end,
			}
			if v.operates() {
				line.ID += "." + whose.Handle
			}
			if month == 0 {
				line.State, line.Issued = "draft", 0
			}
			lines = append(lines, line)
		}
	}
	return lines
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
		},
		Title:     st.Name.In(language(v.lang)),
		Downloads: []console.Option{{Value: lines + "?format=csv", Label: "CSV"}, {Value: lines + "?format=json", Label: "JSON"}},
	}
	if v.now < st.Until {
		page.Line.State, page.Line.Issued = "draft", 0
	}
	for _, s := range st.Sums {
		page.Sums = append(page.Sums, console.Sum{Purpose: s.What.String(), Count: int64(s.Lines), Amount: money.Of(s.Amount, r.Currency)})
	}
	items, paging, err := rows(p, v, "items", func(after string, limit int) ([]statement.Item, string, error) {
		from, _ := strconv.Atoi(after)
		from = max(0, min(from, len(st.Lines)))
		until := min(from+limit, len(st.Lines))
		if until == len(st.Lines) {
			return st.Lines[from:], "", nil
		}
		return st.Lines[from:until], strconv.Itoa(until), nil
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	for i := range items {
		l := &items[i]
		page.Items = append(page.Items, console.Item{
			Crossing: l.Crossing.String(), At: l.At, Kind: l.Kind.String(), Reference: p.party(l.Other, v.lang).Label(), Amount: money.Of(l.Amount, r.Currency),
		})
	}
	return page, nil
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
	of, err := moongate.ParseID(row.Agreement)
	if err != nil {
		return nil, err
	}
	p.hub.Machine().Read(func() {
		if t, err := p.hub.Agreement.Version(of, row.Version); err == nil {
			page.Title = t.Doc.Name.In(language(v.lang))
		}
	})
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
