package pages

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

// differences are the queue of what bills and books do not agree on.
func (p *Pages) differences(v *visit) (console.Page, error) {
	q := v.URL.Query()
	page := console.Differences{
		State: bound(q.Get("state"), 20), Class: bound(q.Get("class"), 20), Wallet: bound(q.Get("wallet"), 128), Assignee: bound(q.Get("assignee"), 128),
		Age: bound(q.Get("age"), 20), Bill: bound(q.Get("bill"), 64), Works: v.operates(),
	}
	if page.State == "" {
		page.State = reconcile.Open.String()
	}
	f := reconcile.DifferenceFilter{Wallet: page.Wallet, Assignee: page.Assignee}
	if err := f.Standing.UnmarshalText([]byte(page.State)); err != nil {
		return nil, err
	}
	if page.Class != "" {
		if err := f.Class.UnmarshalText([]byte(page.Class)); err != nil {
			return nil, err
		}
	}
	if err := f.Bill.UnmarshalText([]byte(page.Bill)); err != nil {
		return nil, missing("bill")
	}
	var err error
	if page.Wallets, err = p.billers(v); err != nil {
		return nil, err
	}
	if page.Assignees, err = p.assignees(v); err != nil {
		return nil, err
	}
	if f.Standing != reconcile.Settled {
		f.Oldest = true
		f.Since, f.Until = aged(page.Age, v.now)
		if page.Counts, page.Ages, err = p.classesAndAges(v, f.Standing); err != nil {
			return nil, err
		}
	}
	found, paging, err := rows(p, v, "differences", func(after string, limit int) ([]reconcile.DifferenceRow, string, error) {
		return reconcile.Differences(v.Context(), p.hub.Views, f, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	for i := range found {
		page.Lines = append(page.Lines, p.differenceLine(v, &found[i]))
	}
	return page, nil
}

// assignees are those to whom differences are given: who operates the hub, and the wallets.
func (p *Pages) assignees(v *visit) ([]console.Option, error) {
	operators, _, err := party.List(v.Context(), p.hub.Views, party.Filter{Kind: party.Operator}, "", gardensShown)
	if err != nil {
		return nil, err
	}
	wallets, err := p.billers(v)
	return append(options(v, operators), wallets...), err
}

func (p *Pages) differenceLine(v *visit, r *reconcile.DifferenceRow) console.DifferenceLine {
	line := console.DifferenceLine{
		ID: r.ID.String(), Class: r.Class.String(), State: r.Standing.String(), Wallet: p.party(r.Wallet, v.lang), Bill: r.Bill.String(), Kind: string(r.Kind),
		Day: r.Day, Refund: r.Refund, Number: r.Number, Theirs: r.Ref, Row: r.Line, At: r.At, Says: money.Of(r.Theirs, r.Currency), Books: money.Of(r.Ours, r.Currency),
		Fee: r.Fee, Terms: money.Of(r.Terms, r.Currency), Facts: r.Facts, Opened: r.Opened, Ended: r.Ended, Assignee: p.party(r.Assignee, v.lang), How: string(r.Action),
		By: p.party(r.By, v.lang), Note: r.Note,
	}
	if !r.Payment.IsZero() {
		line.Payment = r.Payment.String()
	}
	if !r.FoundIn.IsZero() {
		line.FoundIn = r.FoundIn.String()
	}
	return line
}

func (p *Pages) difference(v *visit) (console.Page, error) {
	id, err := idOf(v, moongate.KindDifference, "difference")
	if err != nil {
		return nil, err
	}
	r, err := reconcile.FindDifference(v.Context(), p.hub.Views, id)
	if moongate.CodeOf(err) == moongate.NotFound {
		return nil, missing("difference")
	}
	if err != nil {
		return nil, err
	}
	page := console.Difference{Line: p.differenceLine(v, &r), Works: v.operates()}
	if page.Assignees, err = p.assignees(v); err != nil {
		return nil, err
	}
	page.Steps = []console.Step{{What: "reconcile.found", State: "exception", At: r.Opened, Party: page.Line.Wallet, Ref: console.Ref{Kind: "bill", ID: page.Line.Bill}}}
	holder := ""
	for _, n := range r.Notes {
		step := console.Step{What: "reconcile.noted", State: "noted", At: n.At, Party: p.party(n.By, v.lang), Other: p.party(n.To, v.lang), Note: n.Text}
		switch {
		case n.To != "" && n.To != holder:
			step.What = "reconcile.assigned"
		case n.To == "" && (holder != "" || n.Text == ""):
			step.What = "reconcile.returned"
		}
		holder = n.To
		page.Steps = append(page.Steps, step)
	}
	if r.Standing == reconcile.Settled {
		step := console.Step{What: "reconcile.ended." + string(r.Action), State: "settled", At: r.Ended, Party: page.Line.By}
		if r.By != "" { // what the hub notes is said already
			step.Note = r.Note
		}
		if !r.FoundIn.IsZero() {
			step.Ref = console.Ref{Kind: "bill", ID: page.Line.FoundIn}
		}
		page.Steps = append(page.Steps, step)
	}
	return page, nil
}

// assignDifference gives a difference to somebody, or to nobody, with a note.
func (p *Pages) assignDifference(v *visit) (string, error) {
	id, err := idOf(v, moongate.KindDifference, "difference")
	if err != nil {
		return "", err
	}
	_, err = hub.Do[reconcile.Done](v.Context(), p.hub, v.who.Handle, "", &reconcile.Assign{Difference: id, To: v.PostForm.Get("to"), Note: v.PostForm.Get("note")})
	return backTo(v, "/console/differences/"+id.String()), err
}

// settleDifference settles one.
func (p *Pages) settleDifference(v *visit) (string, error) {
	id, err := idOf(v, moongate.KindDifference, "difference")
	if err != nil {
		return "", err
	}
	return backTo(v, "/console/differences/"+id.String()), p.settleAll(v, id)
}

// settleDifferences settles those that were chosen, with one reason for all.
func (p *Pages) settleDifferences(v *visit) (string, error) {
	var ids []moongate.ID
	for _, text := range v.PostForm["difference"] {
		id, err := moongate.ParseID(text)
		if err != nil || id.Kind() != moongate.KindDifference {
			return "", missing("difference")
		}
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return "", unchosen
	}
	return backTo(v, console.Routes["differences"]), p.settleAll(v, ids...)
}

func (p *Pages) settleAll(v *visit, ids ...moongate.ID) error {
	_, err := hub.Do[reconcile.Done](v.Context(), p.hub, v.who.Handle, "", &reconcile.Resolve{
		Differences: ids, Action: reconcile.Action(v.PostForm.Get("how")), Note: v.PostForm.Get("note"),
	})
	return err
}

// backTo is the page that a form came from, if it says so, else another.
func backTo(v *visit, other string) string {
	if next := onward(v.PostForm.Get("next")); next != "" {
		return next
	}
	return other
}
