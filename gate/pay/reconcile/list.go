package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// BillRow is a bill in a list.
type BillRow struct {
	ID          moongate.ID   `json:"id"`
	Wallet      string        `json:"wallet"`
	Kind        pay.BillKind  `json:"kind"`
	Day         string        `json:"day"`
	Hash        string        `json:"hash,omitempty"` // none where the wallet had no bill of the day
	Published   string        `json:"published,omitempty"`
	Bytes       int64         `json:"bytes"`
	Rows        int64         `json:"rows"`
	Matched     int64         `json:"matched"`
	Guessed     int64         `json:"guessed"` // by amount and time alone
	Aside       int64         `json:"aside"`
	Differences int64         `json:"differences"`
	Missing     int64         `json:"missing"` // of these, those without a row
	Healed      int64         `json:"healed"`  // none any more when they were judged
	Open        int64         `json:"open"`    // differences of it that are not settled
	Sums        []Sum         `json:"sums" nullable:"false"`
	Earlier     moongate.ID   `json:"earlier,omitzero"` // another bill of the day, whose place it takes
	By          string        `json:"by,omitempty"`     // "" for the hub itself
	Began       moongate.Time `json:"began"`
	Ended       moongate.Time `json:"ended,omitzero"` // missing while it is being taken in

	sums string // in JSON
}

// DifferenceRow is a difference in a list.
type DifferenceRow struct {
	ID       moongate.ID    `json:"id"`
	Bill     moongate.ID    `json:"bill"`
	Wallet   string         `json:"wallet"`
	Kind     pay.BillKind   `json:"kind"`
	Day      string         `json:"day"`
	Class    Class          `json:"class"`
	Refund   bool           `json:"refund,omitempty"`
	Number   string         `json:"number,omitempty"` // that the bill gives as ours
	Ref      string         `json:"ref,omitempty"`    // the wallet's own
	Line     int            `json:"line,omitempty"`   // of the bill
	At       moongate.Time  `json:"at"`
	Currency money.Currency `json:"currency"`
	Theirs   int64          `json:"theirs"`          // minor units, by the bill
	Ours     int64          `json:"ours"`            // by our books
	Fee      int64          `json:"fee,omitempty"`   // by the bill, thousandths of a minor unit
	Terms    int64          `json:"terms,omitempty"` // a fee by our terms, minor units
	Payment  moongate.ID    `json:"payment,omitzero"`
	Own      moongate.ID    `json:"own,omitzero"` // our attempt or refund
	Facts    string         `json:"facts"`
	Standing Standing       `json:"standing"`
	Opened   moongate.Time  `json:"opened"`
	Ended    moongate.Time  `json:"ended,omitzero"`
	Assignee string         `json:"assignee,omitempty"`
	Action   Action         `json:"action,omitempty"`
	By       string         `json:"by,omitempty"` // who settled it; "" for the hub itself
	Note     string         `json:"note,omitempty"`
	FoundIn  moongate.ID    `json:"found_in,omitzero"` // the bill in which it was found after all
	Notes    []Note         `json:"notes,omitempty"`
}

// Note is what somebody noted on a difference, or to whom it was given.
type Note struct {
	At   moongate.Time `json:"at"`
	By   string        `json:"by"`
	To   string        `json:"to,omitempty"`
	Text string        `json:"text,omitempty"`
}

// FetchRow is how fetching a day's bill went.
type FetchRow struct {
	Wallet  string        `json:"wallet"`
	Kind    pay.BillKind  `json:"kind"`
	Day     string        `json:"day"`
	Result  Result        `json:"result,omitempty"` // missing while it is under way
	Bill    moongate.ID   `json:"bill,omitzero"`
	Message string        `json:"message,omitempty"`
	Tries   int           `json:"tries"`
	At      moongate.Time `json:"at"`
}

// BillFilter narrows a list of bills; what is zero does not.
type BillFilter struct {
	Wallet string
	Kind   pay.BillKind
	Day    string
}

// DifferenceFilter narrows a list of differences; what is zero does not.
type DifferenceFilter struct {
	Bill     moongate.ID
	Wallet   string
	Class    Class
	Standing Standing
	Assignee string
	Since    moongate.Time // found then or later
	Until    moongate.Time // found before
	Oldest   bool          // first, as a queue is worked
}

const billColumns = `id, wallet, kind, day, hash, published, bytes, lines, matched, guessed, aside, differences, missing, healed,
	(SELECT count(*) FROM difference d WHERE d.bill = bill.id AND d.standing <> 'settled'), sums, earlier, decider, began, ended`

// Bills lists bills, newest first, up to limit of them (1 to 500) from a cursor on: "" for the start, later what the call
// before gave as next, which is "" at the end.
func Bills(ctx context.Context, db view.DB, f BillFilter, after string, limit int) ([]BillRow, string, error) {
	q := view.Query{Columns: billColumns, Table: "bill", At: "began"}
	q.Is("wallet", f.Wallet)
	q.Is("kind", string(f.Kind))
	q.Is("day", f.Day)
	return view.List(ctx, db, &q, after, limit, billFields, (*BillRow).finish)
}

// FindBill gives one bill.
func FindBill(ctx context.Context, db view.DB, id moongate.ID) (BillRow, error) {
	q := view.Query{Columns: billColumns, Table: "bill", At: "began"}
	q.Is("id", id.String())
	rows, _, err := view.List(ctx, db, &q, "", 1, billFields, (*BillRow).finish)
	if err != nil {
		return BillRow{}, err
	}
	if len(rows) == 0 {
		return BillRow{}, &moongate.Error{Code: moongate.NotFound, Field: "bill", Message: fmt.Sprintf("there is no bill %s", id), Hint: "check the identifier"}
	}
	return rows[0], nil
}

func billFields(r *BillRow) []any {
	return []any{
		view.Text{To: &r.ID},
		&r.Wallet, &r.Kind, &r.Day, &r.Hash, &r.Published, &r.Bytes, &r.Rows, &r.Matched, &r.Guessed, &r.Aside,
		&r.Differences, &r.Missing, &r.Healed, &r.Open, &r.sums,
		view.Text{To: &r.Earlier},
		&r.By, &r.Began, &r.Ended,
	}
}

func (r *BillRow) finish() error { return json.Unmarshal([]byte(r.sums), &r.Sums) }

const differenceColumns = `id, bill, wallet, kind, day, class, refund, number, ref, line, at, currency, theirs, ours, fee, terms, payment, own,
	facts, standing, opened, ended, assignee, action, decider, note, foundin`

// Differences lists differences like [Bills].
func Differences(ctx context.Context, db view.DB, f DifferenceFilter, after string, limit int) ([]DifferenceRow, string, error) {
	q := view.Query{Columns: differenceColumns, Table: "difference", At: "opened", Oldest: f.Oldest}
	q.Is("bill", f.Bill.String())
	q.Within(f.Since, f.Until)
	q.Is("wallet", f.Wallet)
	q.Is("assignee", f.Assignee)
	if f.Class != 0 {
		q.Is("class", f.Class.String())
	}
	if f.Standing != 0 {
		q.Is("standing", f.Standing.String())
	}
	return view.List(ctx, db, &q, after, limit, differenceFields, nil)
}

// FindDifference gives one difference with its notes, oldest first.
func FindDifference(ctx context.Context, db view.DB, id moongate.ID) (DifferenceRow, error) {
	q := view.Query{Columns: differenceColumns, Table: "difference", At: "opened"}
	q.Is("id", id.String())
	rows, _, err := view.List(ctx, db, &q, "", 1, differenceFields, nil)
	if err != nil {
		return DifferenceRow{}, err
	}
	if len(rows) == 0 {
		return DifferenceRow{}, &moongate.Error{Code: moongate.NotFound, Field: "difference", Message: fmt.Sprintf("there is no difference %s", id), Hint: "check the identifier"}
	}
	found, err := db.QueryContext(ctx, `SELECT at, decider, assignee, note FROM difference_note WHERE difference = ? ORDER BY position`, id.String())
	if err != nil {
		return DifferenceRow{}, fmt.Errorf("reconcile: notes: %w", err)
	}
	defer found.Close()
	for found.Next() {
		var n Note
		if err := found.Scan(&n.At, &n.By, &n.To, &n.Text); err != nil {
			return DifferenceRow{}, fmt.Errorf("reconcile: notes: %w", err)
		}
		rows[0].Notes = append(rows[0].Notes, n)
	}
	if err := found.Err(); err != nil {
		return DifferenceRow{}, fmt.Errorf("reconcile: notes: %w", err)
	}
	return rows[0], nil
}

func differenceFields(r *DifferenceRow) []any {
	return []any{
		view.Text{To: &r.ID},
		view.Text{To: &r.Bill},
		&r.Wallet, &r.Kind, &r.Day,
		view.Text{To: &r.Class},
		&r.Refund, &r.Number, &r.Ref, &r.Line, &r.At,
		view.Text{To: &r.Currency},
		&r.Theirs, &r.Ours, &r.Fee, &r.Terms,
		view.Text{To: &r.Payment},
		view.Text{To: &r.Own},
		&r.Facts,
		view.Text{To: &r.Standing},
		&r.Opened, &r.Ended, &r.Assignee,
		&r.Action, &r.By, &r.Note,
		view.Text{To: &r.FoundIn},
	}
}

// Fetches lists how fetching bills went like [Bills], the newest days first.
func Fetches(ctx context.Context, db view.DB, wallet, after string, limit int) ([]FetchRow, string, error) {
	if limit < 1 || limit > 500 {
		return nil, "", malformed("limit", fmt.Sprintf("%d rows at once", limit), "ask for 1 to 500")
	}
	var where []string
	var args []any
	if wallet != "" {
		where, args = append(where, "wallet = ?"), append(args, wallet)
	}
	if after != "" {
		parts := strings.SplitN(after, " ", 3)
		if len(parts) != 3 {
			return nil, "", malformed("after", fmt.Sprintf("%.40q is not a cursor", after), "pass what the page before gave as next")
		}
		where = append(where, "(day < ? OR day = ? AND (kind, wallet) > (?, ?))")
		args = append(args, parts[0], parts[0], parts[1], parts[2])
	}
	statement := "SELECT wallet, kind, day, result, bill, message, tries, at FROM bill_fetch"
	if len(where) > 0 {
		statement += " WHERE " + strings.Join(where, " AND ")
	}
	found, err := db.QueryContext(ctx, statement+" ORDER BY day DESC, kind, wallet LIMIT ?", append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("reconcile: fetches: %w", err)
	}
	defer found.Close()
	rows := []FetchRow{}
	for found.Next() {
		if len(rows) == limit {
			last := &rows[limit-1]
			return rows, last.Day + " " + string(last.Kind) + " " + last.Wallet, nil
		}
		var r FetchRow
		if err := found.Scan(&r.Wallet, &r.Kind, &r.Day, &r.Result, view.Text{To: &r.Bill}, &r.Message, &r.Tries, &r.At); err != nil {
			return nil, "", fmt.Errorf("reconcile: fetches: %w", err)
		}
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		return nil, "", fmt.Errorf("reconcile: fetches: %w", err)
	}
	return rows, "", nil
}
