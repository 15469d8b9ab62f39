package pages

import (
	"sort"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/settle"
)

func (p *Pages) windows(v *visit) (console.Page, error) {
	page := console.Windows{}
	var err error
	if page.Open, page.Further, err = p.openWindows(v); err != nil {
		return nil, err
	}
	found, paging, err := rows(p, v, "windows", func(after string, limit int) ([]settle.WindowRow, string, error) {
		return settle.Windows(v.Context(), p.hub.Views, v.own(), moongate.ID{}, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Paging = paging
	for i := range found {
		line, err := p.closedLine(v, &found[i])
		if err != nil {
			return nil, err
		}
		page.Lines = append(page.Lines, line)
	}
	return page, nil
}

// closedLine is a closed window as a row, with the reader's own position where it is the reader's list.
func (p *Pages) closedLine(v *visit, r *settle.WindowRow) (console.WindowLine, error) {
	c, err := money.ParseCurrency(r.Currency)
	if err != nil {
		return console.WindowLine{}, err
	}
	line := console.WindowLine{
		ID: r.Window, State: r.Status, Agreement: r.Agreement, Title: p.titleOf(v, r.Agreement), Opened: r.From, Closed: r.Until, Due: r.Due,
		Parties: r.Parties, Net: money.Of(r.Moves, c),
	}
	if r.Party != "" {
		line.Net = money.Of(r.Position.Net(), c)
	}
	return line, nil
}

// titleOf is an agreement's name in the reader's language, its identifier where the agreement has none.
func (p *Pages) titleOf(v *visit, agreement string) (title string) {
	title = agreement
	id, err := moongate.ParseID(agreement)
	if err != nil {
		return title
	}
	p.hub.Machine().Read(func() {
		if terms, err := p.hub.Agreement.Last(id); err == nil {
			title = terms.Doc.Name.In(language(v.lang))
		}
	})
	return title
}

// openWindows lists the windows that crossings still add to: those in which the reader has a position, or all.
func (p *Pages) openWindows(v *visit) ([]console.WindowLine, console.Paging, error) {
	found, paging, err := rowsBeside(p, v, "open", "open", func(after string, limit int) ([]settle.WindowRow, string, error) {
		return p.hub.OpenWindows(v.Context(), v.reader(), moongate.ID{}, after, limit)
	})
	if err != nil {
		return nil, paging, err
	}
	lines := make([]console.WindowLine, 0, len(found))
	for i := range found {
		r := &found[i]
		line := console.WindowLine{ID: r.Window, State: r.Status, Agreement: r.Agreement, Title: p.titleOf(v, r.Agreement), Opened: r.From}
		if r.Party != "" {
			c, err := money.ParseCurrency(r.Currency)
			if err != nil {
				return nil, paging, err
			}
			line.Net = money.Of(r.Net, c)
		}
		lines = append(lines, line)
	}
	return lines, paging, nil
}

func (p *Pages) window(v *visit) (console.Page, error) {
	id, err := idOf(v, moongate.KindWindow, "window")
	if err != nil {
		return nil, err
	}
	page, currency, closed, err := p.closedWindow(v, id)
	if err != nil {
		return nil, err
	}
	if !closed {
		return p.openWindow(v, id)
	}
	if v.operates() {
		p.hub.Machine().Read(func() {
			b := p.hub.Ledger.Balance(ledger.Account{Currency: currency, Purpose: ledger.Clearing, Of: id})
			page.Clearing = money.Of(b.Credits-b.Debits, currency)
		})
	}
	f := settle.PayoutFilter{Party: v.own(), Window: id}
	if one := v.URL.Query().Get("id"); one != "" {
		if f.Instruction, err = moongate.ParseID(one); err != nil {
			return nil, missing("payout")
		}
		page.One = true
	}
	payouts, further, err := rowsBeside(p, v, "payouts", "payouts/"+id.String(), func(after string, limit int) ([]settle.Payout, string, error) {
		return settle.Payouts(v.Context(), p.hub.Views, f, after, limit)
	})
	if err != nil {
		return nil, err
	}
	if page.One && len(payouts) == 0 {
		return nil, missing("payout")
	}
	page.Further = further
	closing := console.Step{What: "settle.closed", At: page.Line.Closed, Amount: page.Line.Net}
	if !v.operates() {
		closing.What = "settle.closed.own"
	}
	page.Steps = []console.Step{{What: "settle.opened", At: page.Line.Opened}, closing}
	for i := range payouts {
		instruction, err := p.instruction(v, &payouts[i])
		if err != nil {
			return nil, err
		}
		p.standsNow(v, &instruction, id.String())
		page.Instructions = append(page.Instructions, instruction)
		if i < stepsShown {
			page.Steps = append(page.Steps, instructionStep(&payouts[i], &instruction))
		}
	}
	sort.SliceStable(page.Steps, func(i, j int) bool { return page.Steps[i].At < page.Steps[j].At })
	if v.operates() && !page.One && page.Line.State == settle.Settled.String() { // the last report, which an operator sees, settles it
		page.Steps = append(page.Steps, console.Step{What: "settle.settled", At: page.Steps[len(page.Steps)-1].At})
	}
	return page, nil
}

const stepsShown = 40

// closedWindow finds a closed window and the standings in it that the reader may see.
func (p *Pages) closedWindow(v *visit, id moongate.ID) (page console.Window, c money.Currency, ok bool, err error) {
	var found []settle.WindowRow
	if v.operates() {
		found, page.Paging, err = rowsBeside(p, v, "positions", "positions/"+id.String(), func(after string, limit int) ([]settle.WindowRow, string, error) {
			return settle.Standings(v.Context(), p.hub.Views, id, after, limit)
		})
	} else {
		page.Paging.First = true
		found, _, err = settle.Standings(v.Context(), p.hub.Views, id, justBefore(v.who.Handle), 1)
		if len(found) == 1 && found[0].Party != v.who.Handle {
			found = nil
		}
	}
	if err != nil || len(found) == 0 {
		return page, c, false, err
	}
	if c, err = money.ParseCurrency(found[0].Currency); err != nil {
		return page, c, false, err
	}
	w := &found[0]
	page.Line = console.WindowLine{
		ID: id.String(), State: w.Status, Agreement: w.Agreement, Title: p.titleOf(v, w.Agreement), Opened: w.From, Closed: w.Until, Due: w.Due,
	}
	for i := range found {
		page.Positions = append(page.Positions, p.standing(v, found[i].Party, &found[i].Position, c))
	}
	page.Line.Net = page.Positions[0].Net
	if v.operates() {
		all, err := settle.Sum(v.Context(), p.hub.Views, id)
		if err != nil {
			return page, c, false, err
		}
		page.Line.Parties, page.Line.Net, page.Gross, page.Sum = all.Parties, money.Of(all.Moves, c), money.Of(all.Gets, c), money.Of(all.Net, c)
	}
	return page, c, true, nil
}

// justBefore is a text that sorts right before a handle: no other handle lies between.
func justBefore(handle string) string {
	last := len(handle) - 1
	return handle[:last] + string(rune(handle[last]-1)) + "~~~~"
}

func (p *Pages) standing(v *visit, handle string, at *settle.Position, c money.Currency) console.Position {
	return standingOf(p.party(handle, v.lang), at, c)
}

// standingOf has claims on both sides above zero: where refunds outweigh what a participant was owed, it owes them.
func standingOf(who console.Party, at *settle.Position, c money.Currency) console.Position {
	pays, gets := int64(0), int64(0)
	for _, claim := range []int64{at.Payable, at.Fee, -at.Receivable, -at.Held} {
		if claim > 0 {
			gets += claim
		} else {
			pays -= claim
		}
	}
	return console.Position{Party: who, Pays: money.Of(pays, c), Gets: money.Of(gets, c), Net: money.Of(at.Net(), c)}
}

// openWindow shows a window that is not closed yet, to those who stand in it.
func (p *Pages) openWindow(v *visit, id moongate.ID) (console.Page, error) {
	var w settle.Window
	var position settle.Position
	var known, stands bool
	p.hub.Machine().Read(func() {
		if w, known = p.hub.Settle.Lookup(id); known {
			position, stands = p.hub.Settle.Position(id, v.who.Handle)
		}
	})
	if !known || !stands && !v.operates() {
		return nil, missing("window")
	}
	var err error
	page := console.Window{
		Line:  console.WindowLine{ID: id.String(), State: w.Status.String(), Agreement: w.Agreement.String(), Title: p.titleOf(v, w.Agreement.String()), Opened: w.From},
		Steps: []console.Step{{What: "settle.opened", At: w.From}},
	}
	if stands {
		at := p.standing(v, v.who.Handle, &position, w.Currency)
		page.Positions, page.Line.Net = []console.Position{at}, at.Net
	}
	if v.operates() {
		if page.Positions, page.Paging, page.Sum, err = p.openPositions(v, &w); err != nil {
			return nil, err
		}
	}
	if v.operates() && w.Status == settle.Open {
		page.Clearing = money.Of(0, w.Currency)
		page.Actions = []console.Action{{Word: "close_window", Target: "/console/windows/" + id.String() + "/close_window", Danger: true, Again: !v.fresh()}}
	}
	return page, nil
}

// openPositions are where those stand who have claims in an open window, and the sum of all, zero.
func (p *Pages) openPositions(v *visit, w *settle.Window) (all []console.Position, paging console.Paging, sum money.Amount, err error) {
	var handles []string
	at := map[string]settle.Position{}
	sum = money.Of(0, w.Currency)
	p.hub.Machine().Read(func() {
		handles = p.hub.Settle.Parties(w.ID)
		for _, handle := range handles {
			at[handle], _ = p.hub.Settle.Position(w.ID, handle)
		}
	})
	for _, handle := range handles {
		position := at[handle]
		if sum, err = sum.Add(money.Of(position.Net(), w.Currency)); err != nil {
			return nil, paging, sum, err
		}
	}
	shown, paging, err := rowsBeside(p, v, "positions", "positions/"+w.ID.String(), func(after string, limit int) ([]string, string, error) {
		rest := handles[sort.Search(len(handles), func(i int) bool { return handles[i] > after }):] // a cursor is a name, as of a closed window
		if len(rest) <= limit {
			return rest, "", nil
		}
		return rest[:limit], rest[limit-1], nil
	})
	for _, handle := range shown {
		position := at[handle]
		all = append(all, p.standing(v, handle, &position, w.Currency))
	}
	return all, paging, sum, err
}

func (p *Pages) instruction(v *visit, r *settle.Payout) (console.Instruction, error) {
	c, err := money.ParseCurrency(r.Currency)
	if err != nil {
		return console.Instruction{}, err
	}
	i := console.Instruction{
		ID: r.Instruction, From: p.party(r.From, v.lang), To: p.party(r.To, v.lang), Amount: money.Of(r.Amount, c), State: r.Progress, Reference: r.Ref,
	}
	if r.Wallet {
		i.Through = i.From
	}
	return i, nil
}

func instructionStep(r *settle.Payout, i *console.Instruction) console.Step {
	step := console.Step{What: "settle.reported." + r.Progress, State: r.Progress, At: r.Changed, Party: i.From, Other: i.To, Amount: i.Amount, Note: r.Reason}
	if r.Progress == settle.Planned.String() || r.Progress == settle.Sent.String() {
		step.What = "settle.instructed"
	}
	return step
}

// closeWindow closes a window before its time.
func (p *Pages) closeWindow(v *visit) (string, error) {
	id, err := idOf(v, moongate.KindWindow, "window")
	if err != nil {
		return "", err
	}
	_, err = hub.Do[settle.Answer](v.Context(), p.hub, v.who.Handle, "", &settle.Close{Window: id})
	return "/console/windows/" + id.String(), err
}
