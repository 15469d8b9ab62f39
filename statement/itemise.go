package statement

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/view"
)

// Request asks for one participant's lines under one agreement in one currency and month.
type Request struct {
	Party     string
	Agreement moongate.ID
	Currency  money.Currency
	Year      int
	Month     time.Month
}

// Sources is what a statement is made of: the lists to find crossings, the journal to read them, the terms for name and
// calendar (agreement.State.Last under the machine's Read).
type Sources struct {
	Lists view.DB
	Read  func(journal.Position) (journal.Entry, error)
	Terms func(moongate.ID) (*agreement.Terms, error)
}

// Itemised is one participant's statement. All amounts are minor units; positive ones came to it, negative ones went.
type Itemised struct {
	Party     string         `json:"party"`
	Agreement moongate.ID    `json:"agreement"`
	Slug      string         `json:"agreement_id"`
	Name      agreement.Text `json:"agreement_name"`
	Currency  money.Currency `json:"currency"`
	Since     moongate.Time  `json:"since"` // the month in the agreement's calendar, Until not included
	Until     moongate.Time  `json:"until"`
	Crossings int            `json:"crossings"`
	Sums      []LineSum      `json:"sums"`
	Net       int64          `json:"net"`      // of all lines that are due now
	Accrued   int64          `json:"accrued"`  // of the lines that are due as a total when their period closes
	Balance   *int64         `json:"balance"`  // of all that is owed to the party in this currency after the last line, over all agreements; null without lines
	Settled   []Settled      `json:"settled"`  // windows of this agreement that closed in the month
	Problems  []string       `json:"problems"` // lines that do not agree with the ledger; always empty unless something is broken
	Lines     []Item         `json:"lines"`
}

// LineSum adds up the lines of one sort.
type LineSum struct {
	What   crossing.What `json:"what"`
	Fee    string        `json:"fee,omitempty"`
	Lines  int           `json:"lines"`
	Amount int64         `json:"amount"`
}

// Settled is one window's part in a statement.
type Settled struct {
	Window  string        `json:"window"`
	Until   moongate.Time `json:"until"`
	Net     int64         `json:"net"`
	Carried int64         `json:"carried,omitempty"`
	Status  string        `json:"status"`
}

// Item is one line.
type Item struct {
	At       moongate.Time `json:"at"`
	Crossing moongate.ID   `json:"crossing"`
	Kind     crossing.Kind `json:"kind"`
	What     crossing.What `json:"what"`
	Fee      string        `json:"fee,omitempty"`
	Class    string        `json:"class,omitempty"`
	Other    string        `json:"other,omitempty"` // who gave or got it
	Amount   int64         `json:"amount"`
	Accrues  bool          `json:"accrues,omitempty"`
	Reverses moongate.ID   `json:"reverses,omitzero"`
	Transfer moongate.ID   `json:"transfer,omitzero"` // in the ledger, that moved it
}

// MaxLines bounds a statement that is kept in memory; [Lines] has no bound.
const MaxLines = 200_000

// Itemise makes a statement, an empty one where the participant had no part in any crossing. The error is too large
// beyond [MaxLines].
func Itemise(ctx context.Context, src Sources, r Request) (*Itemised, error) {
	st, err := begin(src, r)
	if err != nil {
		return nil, err
	}
	var last *ledger.Balance
	err = visit(ctx, src, r, st, func(one *crossed) error {
		st.Crossings++
		if one.problem != "" {
			st.Problems = append(st.Problems, one.problem)
		}
		if one.balance != nil {
			last = one.balance
		}
		for _, i := range one.items {
			if len(st.Lines) >= MaxLines {
				return &moongate.Error{Code: moongate.TooLarge, Message: fmt.Sprintf("the statement has more than %d lines", MaxLines), Hint: "ask for it as CSV, which is written line by line"}
			}
			st.Lines = append(st.Lines, i)
			st.add(i)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if last != nil {
		net := last.Net(ledger.Payable)
		st.Balance = &net
	}
	slices.SortFunc(st.Sums, func(a, b LineSum) int {
		if a.What != b.What {
			return int(a.What) - int(b.What)
		}
		return strings.Compare(a.Fee, b.Fee)
	})
	return st, st.settled(ctx, src)
}

// begin finds the month by the terms.
func begin(src Sources, r Request) (*Itemised, error) {
	if r.Year < 1970 || r.Year > 9999 || r.Month < time.January || r.Month > time.December {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "month", Message: fmt.Sprintf("%d-%d is no month", r.Year, r.Month), Hint: "write it like 2026-03"}
	}
	t, err := src.Terms(r.Agreement)
	if err != nil {
		return nil, err
	}
	begins := moongate.At(time.Date(r.Year, r.Month, 1, 0, 0, 0, 0, t.Zone()))
	_, ends := t.Period(agreement.Month, begins)
	return &Itemised{
		Party: r.Party, Agreement: r.Agreement, Slug: t.Doc.ID, Name: t.Doc.Name, Currency: r.Currency, Since: begins, Until: ends,
		Sums: []LineSum{}, Settled: []Settled{}, Problems: []string{}, Lines: []Item{},
	}, nil
}

func (st *Itemised) add(i Item) {
	switch {
	case i.What == crossing.Held || i.What == crossing.Suspense: // others' money
	case i.Accrues:
		st.Accrued += i.Amount
	default:
		st.Net += i.Amount
	}
	for n := range st.Sums {
		if s := &st.Sums[n]; s.What == i.What && s.Fee == i.Fee {
			s.Lines, s.Amount = s.Lines+1, s.Amount+i.Amount
			return
		}
	}
	st.Sums = append(st.Sums, LineSum{What: i.What, Fee: i.Fee, Lines: 1, Amount: i.Amount})
}

// settled lists the windows that closed in the month.
func (st *Itemised) settled(ctx context.Context, src Sources) error {
	for after := ""; ; {
		rows, next, err := settle.Windows(ctx, src.Lists, st.Party, st.Agreement, after, 500)
		if err != nil {
			return err
		}
		for _, w := range rows {
			if w.Until <= st.Since {
				return nil
			}
			if w.Until <= st.Until && w.Currency == st.Currency.String() {
				st.Settled = append(st.Settled, Settled{Window: w.Window, Until: w.Until, Net: w.Net, Carried: w.Carried, Status: w.Status})
			}
		}
		if after = next; next == "" {
			return nil
		}
	}
}

// crossed is one crossing as the party sees it.
type crossed struct {
	items   []Item
	balance *ledger.Balance // of the party's payable account afterwards
	problem string
}

// visit reads a participant's crossings of the month, oldest first. A crossing that was pending counts when it was
// completed.
func visit(ctx context.Context, src Sources, r Request, st *Itemised, each func(*crossed) error) error {
	after := int64(0)
	for {
		page, err := page(ctx, src.Lists, r, st, after)
		if err != nil {
			return err
		}
		for _, p := range page {
			after = p.order
			one, err := read(src, r, p)
			if err != nil {
				return err
			}
			if one == nil {
				continue
			}
			if err := each(one); err != nil {
				return err
			}
		}
		if len(page) < pageRows {
			return nil
		}
	}
}

const pageRows = 1000

// place is where a crossing stands in the journal, and where its value moved: at itself, or, of one that was pending,
// at the event that completed it.
type place struct {
	order    int64
	position journal.Position
	moved    moongate.Time
	resolved journal.Position // 0 where it was never pending
}

func page(ctx context.Context, db view.DB, r Request, st *Itemised, after int64) ([]place, error) {
	rows, err := db.QueryContext(ctx, `
		SELECT c.position, c.position, c.at, 0 FROM crossing_party p JOIN crossing c ON c.position = p.position
			WHERE p.party = ? AND p.position > ? AND c.agreement = ? AND c.currency = ? AND c.at >= ? AND c.at < ? AND c.state = 'done'
			AND NOT EXISTS (SELECT 1 FROM statement_completed d WHERE d.crossing = c.id)
		UNION ALL
		SELECT d.position, c.position, d.at, d.position FROM statement_completed d JOIN crossing c ON c.id = d.crossing JOIN crossing_party p ON p.position = c.position
			WHERE p.party = ? AND d.position > ? AND c.agreement = ? AND c.currency = ? AND d.at >= ? AND d.at < ?
		ORDER BY 1 LIMIT ?`,
		r.Party, after, r.Agreement.String(), r.Currency.String(), int64(st.Since), int64(st.Until),
		r.Party, after, r.Agreement.String(), r.Currency.String(), int64(st.Since), int64(st.Until), pageRows)
	if err != nil {
		return nil, fmt.Errorf("statement: crossings of %s: %w", r.Party, err)
	}
	defer rows.Close()
	var all []place
	for rows.Next() {
		var p place
		if err := rows.Scan(&p.order, &p.position, &p.moved, &p.resolved); err != nil {
			return nil, fmt.Errorf("statement: crossings of %s: %w", r.Party, err)
		}
		all = append(all, p)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("statement: crossings of %s: %w", r.Party, err)
	}
	return all, nil
}

// read reads a crossing and the transfer that moved its value, and compares the two. It gives nil for a crossing of which
// the party has no side.
func read(src Sources, r Request, p place) (*crossed, error) {
	e, err := src.Read(p.position)
	if err != nil {
		return nil, fmt.Errorf("statement: crossing at event %d: %w", p.position, err)
	}
	c, ok := e.Event.(*crossing.Recorded)
	if !ok {
		return nil, fmt.Errorf("statement: event %d is %s, not a crossing: the lists do not fit the journal", p.position, e.Event.EventKind())
	}
	i := slices.IndexFunc(c.Sides, func(s *crossing.Side) bool { return s.Party == r.Party })
	if i < 0 {
		return nil, nil
	}
	one := &crossed{}
	want := int64(0)
	for _, l := range c.Sides[i].Lines {
		one.items = append(one.items, Item{
			At: p.moved, Crossing: c.ID, Kind: c.Kind, What: l.What, Fee: l.Fee, Class: l.Class, Other: l.Other, Amount: l.Amount,
			Accrues: l.Accrue, Reverses: c.Reverses, Transfer: c.Transfer,
		})
		want += worth(c, &l)
	}
	if c.Transfer.IsZero() {
		return one, nil
	}
	moved, _ := c.Moves()
	postings := moved.Postings
	if p.resolved != 0 { // it was pending, and moved when that ended
		end, err := src.Read(p.resolved)
		if err != nil {
			return nil, fmt.Errorf("statement: end of a transfer at event %d: %w", p.resolved, err)
		}
		if v, ok := end.Event.(*ledger.Resolved); ok && v.ID == c.Transfer {
			postings = v.Postings
		}
	}
	got := int64(0)
	for _, posting := range postings {
		if posting.Account.Owner != r.Party {
			continue
		}
		switch posting.Account.Purpose {
		case ledger.Payable, ledger.Fee, ledger.Receivable, ledger.Accrual, ledger.Suspense:
			got += posting.Credit - posting.Debit
		}
		if posting.Account.Purpose == ledger.Payable {
			one.balance = &posting.Balance
		}
	}
	if got != want {
		one.problem = fmt.Sprintf("crossing %s: the lines come to %d, the ledger's transfer %s to %d", c.ID, want, c.Transfer, got)
	}
	return one, nil
}

// worth is what a line does to what is owed to the party: nothing for money that it holds, for goods paid for elsewhere,
// and for what moves only within its own books.
func worth(c *crossing.Recorded, l *crossing.Line) int64 {
	switch {
	case l.What == crossing.Held, l.Accrue:
		return 0
	case (l.What == crossing.Goods || l.What == crossing.Freight) && c.Wallet == "":
		return 0
	}
	return l.Amount
}
