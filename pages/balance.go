package pages

import (
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
)

func (p *Pages) balances(v *visit) (console.Page, error) {
	at, _ := p.hub.Node.Durable()
	page := console.Balances{Position: v.position(uint64(at)), At: v.now}
	sealed := v.URL.Query().Get("after")
	after, err := p.hub.Unseal(v.who.Handle, "balances", sealed)
	if err != nil {
		return nil, err
	}
	lines, next, err := p.accountLines(v, v.own(), after, pageRows)
	if err != nil {
		return nil, err
	}
	page.Lines = lines
	page.Paging = console.Paging{Next: p.hub.Seal(v.who.Handle, "balances", next), First: sealed == ""}
	if v.operates() {
		page.Totals, err = cached(&p.cache, "totals", p.hub.Now, func() ([]money.Amount, error) { return p.totals(v) })
	}
	return page, err
}

// totalsWhole bounds the books that are summed up for a page; fsck sums up any.
const totalsWhole = 100_000

// totals adds up all accounts, currency by currency: zero, or something is wrong. Beyond a bound it tells nothing.
func (p *Pages) totals(v *visit) (sums []money.Amount, err error) {
	after, n := "", 0
	for {
		page, next, err := ledger.List(v.Context(), p.hub.Views, ledger.Filter{}, after, 500)
		if err != nil {
			return nil, err
		}
		p.hub.Machine().Read(func() {
			for i := range page {
				a := page[i].Account
				b := p.hub.Ledger.Balance(a)
				sums = plus(sums, money.Of(b.Credits-b.Debits, a.Currency))
			}
		})
		if n += len(page); n > totalsWhole {
			return nil, nil
		}
		if after = next; next == "" {
			sortAmounts(sums)
			return sums, nil
		}
	}
}

// accountLines lists an owner's accounts with their balances, or everybody's.
func (p *Pages) accountLines(v *visit, owner, after string, limit int) ([]console.AccountLine, string, error) {
	found, next, err := ledger.List(v.Context(), p.hub.Views, ledger.Filter{Owner: owner}, after, limit)
	if err != nil {
		return nil, "", err
	}
	lines := make([]console.AccountLine, 0, len(found))
	p.hub.Machine().Read(func() {
		for i := range found {
			if b, ok := p.hub.Ledger.Lookup(found[i].Account); ok {
				lines = append(lines, p.accountLine(v, &b))
			}
		}
	})
	return lines, next, nil
}

// accountLine is an account as a row; call it under the machine's Read. All accounts are shown from their owner's side,
// credit above zero, so that together they come to nothing.
func (p *Pages) accountLine(v *visit, b *ledger.Book) console.AccountLine {
	a := b.Account
	line := console.AccountLine{
		ID: accountName(a), Owner: p.partyOf(a.Owner, v.lang), Purpose: a.Purpose.String(),
		Posted:  money.Of(b.Balance.Credits-b.Balance.Debits, a.Currency),
		Pending: money.Of(b.Balance.CreditsPending-b.Balance.DebitsPending, a.Currency),
	}
	if a.Owner == "" {
		line.Owner = p.ownHub()
	}
	switch {
	case a.Purpose.Debit() && b.Limits.Most != nil:
		line.Limit = money.Of(-*b.Limits.Most, a.Currency)
	case !a.Purpose.Debit() && b.Limits.Least != nil:
		line.Limit = money.Of(*b.Limits.Least, a.Currency)
	}
	return line
}

// accountName is an account as an identifier in a path: slashes would part it.
func accountName(a ledger.Account) string { return strings.ReplaceAll(a.String(), "/", ":") }

func (p *Pages) account(v *visit) (console.Page, error) {
	a, err := ledger.ParseAccount(strings.ReplaceAll(v.PathValue("id"), ":", "/"))
	if err != nil || !v.sees(a.Owner) {
		return nil, missing("account")
	}
	var book ledger.Book
	var known bool
	page := console.Account{}
	p.hub.Machine().Read(func() {
		if book, known = p.hub.Ledger.Lookup(a); known {
			page.Line = p.accountLine(v, &book)
		}
	})
	if !known {
		return nil, missing("account")
	}
	sealed, list := v.URL.Query().Get("after"), v.who.Handle+"/"+a.String()
	from := book.Head
	if sealed != "" {
		if from, err = p.hub.OpenCursor(list, sealed); err != nil {
			return nil, err
		}
	}
	lines, next, err := p.history(a, from)
	if err != nil {
		return nil, err
	}
	page.Paging.First = sealed == ""
	if next != 0 {
		page.Paging.Next = p.hub.Cursor(list, next)
	}
	for i := range lines {
		page.Entries = append(page.Entries, p.entry(v, a, &lines[i]))
	}
	page.Series = balanceSeries(a, lines)
	return page, nil
}

// history reads an account's lines. The newest event may not be durable yet: then the history begins before it, where
// what is durable says where that is.
func (p *Pages) history(a ledger.Account, from journal.Position) ([]ledger.Line, journal.Position, error) {
	lines, next, err := ledger.History(p.hub.Node.Journal().Entry, a, from, pageRows)
	if moongate.CodeOf(err) == moongate.NotFound {
		return lines, 0, nil
	}
	return lines, next, err
}

func balanceSeries(a ledger.Account, lines []ledger.Line) console.Series {
	s := console.Series{Currency: a.Currency}
	for i := len(lines) - 1; i >= 0; i-- {
		b := lines[i].Balance
		s.Points = append(s.Points, console.Point{At: lines[i].At, Value: b.Credits - b.Debits})
	}
	if n := len(s.Points); n < 2 || s.Points[n-1].At < s.Points[0].At+moongate.Second { // a moment is no course
		s.Points = nil
	}
	return s
}

func (p *Pages) entry(v *visit, a ledger.Account, l *ledger.Line) console.Entry {
	e := console.Entry{
		ID: l.Transfer.String(), At: l.At, Purpose: a.Purpose.String(), Crossing: l.Crossing.String(),
		Amount: money.Of(l.Credit-l.Debit, a.Currency), Balance: money.Of(l.Balance.Credits-l.Balance.Debits, a.Currency), State: "posted",
	}
	switch {
	case l.Outcome != "":
		e.State = string(l.Outcome)
	case l.Pending:
		e.State = "pending"
	}
	switch l.Crossing.Kind() {
	case moongate.KindWindow:
		e.Purpose = "settlement"
		return e
	case moongate.KindStatement:
		e.Purpose = "total"
		return e
	}
	if recorded := p.recorded(v, l); recorded != nil {
		e.Purpose, e.Other = p.entryPurpose(v, a, recorded)
	}
	return e
}

// recorded is the crossing that a line of an account belongs to: the event behind the transfer, or an earlier one where
// the line ends what was pending. Nil where it cannot be read now.
func (p *Pages) recorded(v *visit, l *ledger.Line) *crossing.Recorded {
	at := l.Position + 1
	if next, err := p.hub.Node.Journal().Entry(at); err == nil {
		if r, ok := next.Event.(*crossing.Recorded); ok && r.ID == l.Crossing {
			return r
		}
	}
	row, err := crossing.Find(v.Context(), p.hub.Views, l.Crossing, crossing.Filter{})
	if err != nil {
		return nil
	}
	e, err := p.hub.Node.Journal().Entry(row.Position)
	if err != nil {
		return nil
	}
	r, _ := e.Event.(*crossing.Recorded)
	return r
}

// entryPurpose says what a crossing moved an owner's money for, and who stood on the other side, by the owner's own
// lines.
func (p *Pages) entryPurpose(v *visit, a ledger.Account, e *crossing.Recorded) (purpose string, other console.Party) {
	purpose = a.Purpose.String()
	if e.Kind == crossing.Refund {
		purpose = "refund"
	}
	for _, side := range e.Sides {
		if side.Party != a.Owner {
			continue
		}
		for i, l := range side.Lines {
			if i == 0 && e.Kind != crossing.Refund {
				purpose = l.What.String()
			}
			if l.Other != "" && l.Other != a.Owner && other.ID == "" {
				other = p.party(l.Other, v.lang)
			}
		}
	}
	return purpose, other
}
