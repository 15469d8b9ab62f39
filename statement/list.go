package statement

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/view"
)

// Views gives the room's lists. [Itemise] also needs those of crossing and settle, in the same file.
func (s *State) Views() []view.View { return []view.View{list{}} }

// list keeps issued totals, and when crossings that were pending were completed.
type list struct{}

// Name is the view's.
func (list) Name() string { return "statement" }

// Schema makes the view's tables.
func (list) Schema() string {
	return `
CREATE TABLE statement_completed (crossing TEXT PRIMARY KEY, position INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE statement_issued (
	id TEXT PRIMARY KEY, agreement TEXT NOT NULL, version INTEGER NOT NULL, payer TEXT NOT NULL, payee TEXT NOT NULL, currency TEXT NOT NULL,
	since INTEGER NOT NULL, until INTEGER NOT NULL, total INTEGER NOT NULL, crossings INTEGER NOT NULL, carried INTEGER NOT NULL,
	appeal INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX statement_issued_by_payer ON statement_issued (payer, until, id);
CREATE INDEX statement_issued_by_payee ON statement_issued (payee, until, id);
CREATE INDEX statement_issued_by_time ON statement_issued (until, id);`
}

// Kinds lists the events that the view folds.
func (list) Kinds() []string {
	return []string{"statement.issued", "statement.answered", "ledger.resolved"}
}

// Fold writes what an event changes.
func (list) Fold(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *Issued:
		return tx.Exec(`INSERT INTO statement_issued VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'issued', '')`,
			v.ID.String(), v.Agreement.String(), v.Version, v.From, v.To, v.Currency.String(), int64(v.Since), int64(v.Until), v.Total, v.Crossings, v.Carried, int64(v.Appeal))
	case *Answered:
		return tx.Exec(`UPDATE statement_issued SET status = ?, reason = ? WHERE id = ?`, v.Status.String(), v.Reason, v.ID.String())
	case *ledger.Resolved:
		if v.Outcome == ledger.Posted && v.Crossing.Kind() == moongate.KindCrossing {
			return tx.Exec(`INSERT INTO statement_completed VALUES (?, ?, ?)`, v.Crossing.String(), int64(e.Position), int64(e.At))
		}
	}
	return nil
}

// Row is one issued total in a list. Crossings and Carried are for the small party alone.
type Row struct {
	ID        string        `json:"id"`
	Agreement string        `json:"agreement"`
	Version   int           `json:"version"`
	From      string        `json:"from"`
	To        string        `json:"to"`
	Currency  string        `json:"currency"`
	Since     moongate.Time `json:"since"`
	Until     moongate.Time `json:"until"`
	Total     int64         `json:"total"`
	Crossings *int          `json:"crossings,omitempty"`
	Carried   *int64        `json:"carried,omitempty"`
	Appeal    moongate.Time `json:"appeal"`
	Status    string        `json:"status"`
	Reason    string        `json:"reason,omitempty"`
}

const maxRows = 500

// List gives issued totals, newest first, at most limit of them (at most 500) after a cursor: those of which a
// participant is a side, as it may see them, or, for operators, all where participant is "".
func List(ctx context.Context, db view.DB, participant, after string, limit int) ([]Row, string, error) {
	at, id := int64(1<<63-1), ""
	if after != "" {
		number, rest, ok := strings.Cut(after, ".")
		n, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil {
			return nil, "", &moongate.Error{Code: moongate.Malformed, Field: "after", Message: fmt.Sprintf("%.40q is no cursor", after), Hint: "pass on the one of the page before"}
		}
		at, id = n, rest
	}
	limit = max(1, min(limit, maxRows))
	where, args := "(until, id) < (?, ?)", []any{at, id}
	if participant != "" {
		where, args = where+" AND (payer = ? OR payee = ?)", append(args, participant, participant)
	}
	rows, err := query(ctx, db, participant, where+" ORDER BY until DESC, id DESC LIMIT ?", append(args, limit+1)...)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(int64(rows[limit-1].Until), 10) + "." + rows[limit-1].ID
	}
	return rows, next, nil
}

// Find gives one issued total as a participant may see it, or an operator where participant is ""; not found where it
// may not.
func Find(ctx context.Context, db view.DB, id moongate.ID, participant string) (Row, error) {
	where, args := "id = ?", []any{id.String()}
	if participant != "" {
		where, args = where+" AND (payer = ? OR payee = ?)", append(args, participant, participant)
	}
	rows, err := query(ctx, db, participant, where, args...)
	if err != nil {
		return Row{}, err
	}
	if len(rows) == 0 {
		return Row{}, &moongate.Error{Code: moongate.NotFound, Field: "statement", Message: fmt.Sprintf("there is no statement %s", id), Hint: "check the identifier"}
	}
	return rows[0], nil
}

// query reads rows; the condition is made of constants.
func query(ctx context.Context, db view.DB, participant, condition string, args ...any) ([]Row, error) {
	found, err := db.QueryContext(ctx, `SELECT id, agreement, version, payer, payee, currency, since, until, total, crossings, carried, appeal, status, reason
		FROM statement_issued WHERE `+condition, args...)
	if err != nil {
		return nil, fmt.Errorf("statement: list: %w", err)
	}
	defer found.Close()
	rows := []Row{}
	for found.Next() {
		var r Row
		var crossings int
		var carried int64
		if err := found.Scan(&r.ID, &r.Agreement, &r.Version, &r.From, &r.To, &r.Currency, &r.Since, &r.Until, &r.Total, &crossings, &carried, &r.Appeal, &r.Status, &r.Reason); err != nil {
			return nil, fmt.Errorf("statement: list: %w", err)
		}
		if participant == "" || participant == r.From {
			r.Crossings, r.Carried = &crossings, &carried
		}
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		return nil, fmt.Errorf("statement: list: %w", err)
	}
	return rows, nil
}

// Month is a month in which a participant had crossings under an agreement: what [Itemise] can be asked for.
type Month struct {
	Agreement string `json:"agreement"`
	Currency  string `json:"currency"`
	Month     string `json:"month"` // as 2026-03, by UTC
	Crossings int    `json:"crossings"`
}

// Months lists the months in which a participant had crossings, newest first, at most limit of them (at most 500) after a
// cursor, and the next one, "" at the end. Months are counted by UTC; a statement follows the agreement's calendar, so that
// a crossing near midnight may stand in its neighbour.
func Months(ctx context.Context, db view.DB, participant, after string, limit int) ([]Month, string, error) {
	var from Month
	if after != "" {
		parts := strings.Split(after, ".")
		if len(parts) != 3 {
			return nil, "", &moongate.Error{Code: moongate.Malformed, Field: "after", Message: fmt.Sprintf("%.40q is no cursor", after), Hint: "pass on the one of the page before"}
		}
		from = Month{Month: parts[0], Agreement: parts[1], Currency: parts[2]}
	}
	limit = max(1, min(limit, maxRows))
	found, err := db.QueryContext(ctx, `SELECT c.agreement, c.currency, strftime('%Y-%m', c.at / 1000000, 'unixepoch') AS month, count(*)
		FROM crossing_party p JOIN crossing c ON c.position = p.position WHERE p.party = ? AND c.state = 'done' AND c.agreement <> '' AND c.currency <> ''
		GROUP BY 1, 2, 3 HAVING ? = '' OR month < ? OR month = ? AND (c.agreement, c.currency) > (?, ?)
		ORDER BY month DESC, c.agreement, c.currency LIMIT ?`, participant, from.Month, from.Month, from.Month, from.Agreement, from.Currency, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("statement: months: %w", err)
	}
	defer found.Close()
	months := []Month{}
	for found.Next() {
		var m Month
		if err := found.Scan(&m.Agreement, &m.Currency, &m.Month, &m.Crossings); err != nil {
			return nil, "", fmt.Errorf("statement: months: %w", err)
		}
		months = append(months, m)
	}
	if err := found.Err(); err != nil {
		return nil, "", fmt.Errorf("statement: months: %w", err)
	}
	next := ""
	if len(months) > limit {
		months = months[:limit]
		last := &months[limit-1]
		next = last.Month + "." + last.Agreement + "." + last.Currency
	}
	return months, next, nil
}
