package pay

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// Row is a payment in a list.
type Row struct {
	ID        moongate.ID   `json:"id"`
	Merchant  string        `json:"merchant"`
	Order     string        `json:"order"`
	From      string        `json:"from"`
	To        string        `json:"to"`
	Agreement moongate.ID   `json:"agreement"`
	Amount    money.Amount  `json:"amount"`
	Refunded  money.Amount  `json:"refunded"`
	Status    Status        `json:"status"`
	Stage     AttemptStatus `json:"stage,omitempty"`  // of the last attempt, or the one that was paid
	Wallet    string        `json:"wallet,omitempty"` // of that attempt
	Crossing  moongate.ID   `json:"crossing,omitzero"`
	Created   moongate.Time `json:"created"`
	Expires   moongate.Time `json:"expires"`
	Ended     moongate.Time `json:"ended,omitzero"`
}

// Filter narrows a list of payments; what is zero does not.
type Filter struct {
	Merchant string
	Status   Status
	Stage    AttemptStatus // of the last attempt
	Wallet   string
	Order    string        // the merchant's number, whole
	Since    moongate.Time // created then or later
	Until    moongate.Time // created before
}

// RefundFilter narrows a list of refunds; what is zero does not.
type RefundFilter struct {
	Merchant string
	Payment  moongate.ID
	Status   RefundStatus
	Wallet   string
}

// RefundRow is a refund in a list.
type RefundRow struct {
	ID        moongate.ID   `json:"id"`
	Payment   moongate.ID   `json:"payment"`
	Merchant  string        `json:"merchant"`
	Reference string        `json:"reference,omitempty"` // none where the hub gives money back by itself
	Wallet    string        `json:"wallet"`
	Amount    money.Amount  `json:"amount"`
	Status    RefundStatus  `json:"status"`
	Exception moongate.ID   `json:"exception,omitzero"`
	Crossing  moongate.ID   `json:"crossing"`
	Message   string        `json:"message,omitempty"`
	Opened    moongate.Time `json:"opened"`
	Ended     moongate.Time `json:"ended,omitzero"`
}

// ExceptionRow is an exception in a list, open or not.
type ExceptionRow struct {
	ID       moongate.ID   `json:"id"`
	Kind     TroubleKind   `json:"kind"`
	Payment  moongate.ID   `json:"payment,omitzero"`
	Merchant string        `json:"merchant,omitempty"`
	Wallet   string        `json:"wallet,omitempty"`
	Refund   moongate.ID   `json:"refund,omitzero"`
	Amount   money.Amount  `json:"amount,omitzero"`
	Facts    string        `json:"facts"`
	Held     bool          `json:"held"` // its money stands in suspense
	Opened   moongate.Time `json:"opened"`
	Ended    moongate.Time `json:"ended,omitzero"`
	Action   Action        `json:"action,omitempty"`
	By       string        `json:"by,omitempty"`
	Note     string        `json:"note,omitempty"`
}

// ExceptionFilter narrows a list of exceptions; what is zero does not.
type ExceptionFilter struct {
	ID       moongate.ID
	Merchant string
	Kind     TroubleKind
	Wallet   string
	Payment  moongate.ID
	Open     bool          // only those that are not settled
	Settled  bool          // only those that are
	Since    moongate.Time // opened then or later
	Until    moongate.Time // opened before
	Oldest   bool          // first, as a queue is worked
}

// Each list gives up to limit rows (1 to 500), newest first where nothing else is said, from a cursor on: "" for the start, later what the call
// before gave as next, which is "" at the end. A cursor holds what the last row showed, never a position.

// Payments lists payments.
func Payments(ctx context.Context, db view.DB, f Filter, after string, limit int) ([]Row, string, error) {
	q := query{table: "payment", at: "created", columns: "id, merchant, number, source, target, agreement, currency, minor, refunded, status, stage, wallet, crossing, created, expires, ended"}
	q.is("merchant", f.Merchant)
	q.is("status", string(f.Status))
	q.is("stage", string(f.Stage))
	q.is("wallet", f.Wallet)
	q.is("number", f.Order)
	q.within(f.Since, f.Until)
	return list(ctx, db, &q, after, limit, func(r *Row) []any {
		return []any{
			text{&r.ID},
			&r.Merchant, &r.Order, &r.From, &r.To,
			text{&r.Agreement},
			text{&r.Amount.Currency},
			&r.Amount.Minor, &r.Refunded.Minor,
			&r.Status, &r.Stage, &r.Wallet,
			text{&r.Crossing},
			&r.Created, &r.Expires, &r.Ended,
		}
	}, func(r *Row) { r.Refunded.Currency = r.Amount.Currency })
}

// Refunds lists refunds.
func Refunds(ctx context.Context, db view.DB, f RefundFilter, after string, limit int) ([]RefundRow, string, error) {
	q := query{table: "refund", at: "opened", columns: "id, payment, merchant, reference, wallet, currency, minor, status, exception, crossing, message, opened, ended"}
	q.is("merchant", f.Merchant)
	q.is("payment", orNone(f.Payment))
	q.is("status", string(f.Status))
	q.is("wallet", f.Wallet)
	return list(ctx, db, &q, after, limit, func(r *RefundRow) []any {
		return []any{
			text{&r.ID},
			text{&r.Payment},
			&r.Merchant, &r.Reference, &r.Wallet,
			text{&r.Amount.Currency},
			&r.Amount.Minor, &r.Status,
			text{&r.Exception},
			text{&r.Crossing},
			&r.Message, &r.Opened, &r.Ended,
		}
	}, nil)
}

// Exceptions lists exceptions.
func Exceptions(ctx context.Context, db view.DB, f ExceptionFilter, after string, limit int) ([]ExceptionRow, string, error) {
	q := query{table: "exception", at: "opened", oldest: f.Oldest, columns: "id, kind, payment, merchant, wallet, refund, currency, minor, facts, held, opened, ended, action, decider, note"}
	q.is("merchant", f.Merchant)
	q.is("id", orNone(f.ID))
	q.is("kind", string(f.Kind))
	q.is("wallet", f.Wallet)
	q.is("payment", orNone(f.Payment))
	q.within(f.Since, f.Until)
	if f.Open {
		q.where = append(q.where, "ended = 0")
	}
	if f.Settled {
		q.where = append(q.where, "ended > 0")
	}
	return list(ctx, db, &q, after, limit, func(r *ExceptionRow) []any {
		return []any{
			text{&r.ID},
			&r.Kind,
			text{&r.Payment},
			&r.Merchant, &r.Wallet,
			text{&r.Refund},
			text{&r.Amount.Currency},
			&r.Amount.Minor,
			&r.Facts, &r.Held, &r.Opened, &r.Ended, &r.Action, &r.By, &r.Note,
		}
	}, nil)
}

// query is a keyset query: only the conditions that narrow it stand in it, so that an index can serve them.
type query struct {
	table, columns, at string
	oldest             bool // first
	where              []string
	args               []any
}

// within narrows by the time that the list is sorted by; until is not included.
func (q *query) within(since, until moongate.Time) {
	if since != 0 {
		q.where, q.args = append(q.where, q.at+" >= ?"), append(q.args, int64(since))
	}
	if until != 0 {
		q.where, q.args = append(q.where, q.at+" < ?"), append(q.args, int64(until))
	}
}

func (q *query) is(column, value string) {
	if value != "" {
		q.where = append(q.where, column+" = ?")
		q.args = append(q.args, value)
	}
}

func list[R any](ctx context.Context, db view.DB, q *query, after string, limit int, columns func(*R) []any, finish func(*R)) ([]R, string, error) {
	if limit < 1 || limit > 500 {
		return nil, "", malformed("limit", fmt.Sprintf("%d rows at once", limit), "ask for 1 to 500")
	}
	where, args, behind, order := q.where, q.args, "<", " DESC"
	if q.oldest {
		behind, order = ">", ""
	}
	if after != "" {
		at, id, err := parseCursor(after)
		if err != nil {
			return nil, "", err
		}
		where = append(where, "("+q.at+", id) "+behind+" (?, ?)")
		args = append(args, at, id)
	}
	statement := "SELECT " + q.columns + ", " + q.at + ", id FROM " + q.table
	if len(where) > 0 {
		statement += " WHERE " + strings.Join(where, " AND ")
	}
	found, err := db.QueryContext(ctx, statement+" ORDER BY "+q.at+order+", id"+order+" LIMIT ?", append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("pay: list of %ss: %w", q.table, err)
	}
	defer found.Close()
	rows := []R{}
	var at int64
	var id string
	for found.Next() {
		if len(rows) == limit { // the one too many says that there is a next page
			return rows, fmt.Sprintf("%d.%s", at, id), nil
		}
		var r R
		if err := found.Scan(append(columns(&r), &at, &id)...); err != nil {
			return nil, "", fmt.Errorf("pay: list of %ss: %w", q.table, err)
		}
		if finish != nil {
			finish(&r)
		}
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		return nil, "", fmt.Errorf("pay: list of %ss: %w", q.table, err)
	}
	return rows, "", nil
}

func parseCursor(after string) (at int64, id string, err error) {
	first, id, ok := strings.Cut(after, ".")
	if at, err = strconv.ParseInt(first, 10, 64); err != nil || !ok {
		return 0, "", malformed("after", fmt.Sprintf("%.40q is not a cursor", after), "pass what the page before gave as next")
	}
	return at, id, nil
}

// text scans a column into something with a text form; an empty one leaves it as it is.
type text struct {
	to interface{ UnmarshalText([]byte) error }
}

// Scan reads the column.
func (t text) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a column holds %T, not text", v)
	}
	if s == "" {
		return nil
	}
	return t.to.UnmarshalText([]byte(s))
}

var _ sql.Scanner = text{}

// Reader reads the journal's entry at a position.
type Reader func(journal.Position) (journal.Entry, error)

// Walk visits a payment's events, newest first, from a position on its chain ([Payment].Head is the newest) until visit
// says no.
func Walk(read Reader, payment moongate.ID, from journal.Position, visit func(journal.Entry) bool) error {
	for from != 0 {
		e, err := read(from)
		if err != nil {
			return fmt.Errorf("pay: history of %s: %w", payment, err)
		}
		of, before, ok := onChain(e.Event)
		if !ok || of != payment || before >= from {
			return fmt.Errorf("pay: history of %s: event %d is not on its chain", payment, from)
		}
		if !visit(e) {
			return nil
		}
		from = before
	}
	return nil
}

// onChain gives the payment that an event is about and the event before it on that payment's chain.
func onChain(e journal.Event) (payment moongate.ID, before journal.Position, ok bool) {
	if v, ok := e.(*Created); ok {
		return v.Payment, 0, true
	}
	of, isOf := e.(interface{ payment() moongate.ID })
	link, isLink := e.(interface{ before() journal.Position })
	if !isOf || !isLink {
		return moongate.ID{}, 0, false
	}
	return of.payment(), link.before(), true
}

func (o *Of) payment() moongate.ID        { return o.Payment }
func (c *Chain) before() journal.Position { return c.Before }
