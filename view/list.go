package view

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
)

// Query is a keyset query: a list in the order of a time and, where that is equal, of an identifier. Only the conditions
// that narrow it stand in it, so that an index can serve them. The names in it are the program's own.
type Query struct {
	Table, Columns string
	At             string // the column of the time
	ID             string // the column of the identifier; "id" where empty
	Oldest         bool   // first; else the newest are

	where []string
	args  []any
}

// Where adds a condition, with its parameters.
func (q *Query) Where(condition string, args ...any) {
	q.where, q.args = append(q.where, condition), append(q.args, args...)
}

// Is wants a column to have a value; "" does not narrow.
func (q *Query) Is(column, value string) {
	if value != "" {
		q.Where(column+" = ?", value)
	}
}

// Within narrows by the time that the list is sorted by, until not included; what is zero is no bound.
func (q *Query) Within(since, until moongate.Time) {
	if since != 0 {
		q.Where(q.At+" >= ?", int64(since))
	}
	if until != 0 {
		q.Where(q.At+" < ?", int64(until))
	}
}

// List gives up to limit rows of a query (1 to 500) from a cursor on: "" for the start, later what the call before gave
// as next, which is "" at the end. A cursor holds what the last row showed, never a position. Fields says where a row's
// columns go, and finish, if any, is called when they are there.
//
// Errors: malformed for the limit and the cursor.
func List[R any](ctx context.Context, db DB, q *Query, after string, limit int, fields func(*R) []any, finish func(*R) error) (rows []R, next string, err error) {
	if limit < 1 || limit > 500 {
		return nil, "", &moongate.Error{Code: moongate.Malformed, Field: "limit", Message: fmt.Sprintf("%d rows at once", limit), Hint: "ask for 1 to 500"}
	}
	key := cmp.Or(q.ID, "id")
	where, args, beyond, order := q.where, q.args, "<", " DESC"
	if q.Oldest {
		beyond, order = ">", ""
	}
	if after != "" {
		at, id, err := ParseCursor(after)
		if err != nil {
			return nil, "", err
		}
		where, args = append(where, "("+q.At+", "+key+") "+beyond+" (?, ?)"), append(args, at, id)
	}
	statement := "SELECT " + q.Columns + ", " + q.At + ", " + key + " FROM " + q.Table
	if len(where) > 0 {
		statement += " WHERE " + strings.Join(where, " AND ")
	}
	found, err := db.QueryContext(ctx, statement+" ORDER BY "+q.At+order+", "+key+order+" LIMIT ?", append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("view: list of %ss: %w", q.Table, err)
	}
	defer found.Close()
	rows = []R{}
	var at int64
	var id string
	for found.Next() {
		if len(rows) == limit { // the one too many says that there is a next page
			return rows, fmt.Sprintf("%d.%s", at, id), nil
		}
		var r R
		err := found.Scan(append(fields(&r), &at, &id)...)
		if err == nil && finish != nil {
			err = finish(&r)
		}
		if err != nil {
			return nil, "", fmt.Errorf("view: list of %ss: %w", q.Table, err)
		}
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		return nil, "", fmt.Errorf("view: list of %ss: %w", q.Table, err)
	}
	return rows, "", nil
}

// ParseCursor reads a cursor of [List]: the time and the id of the last row.
func ParseCursor(after string) (at int64, id string, err error) {
	first, id, ok := strings.Cut(after, ".")
	if at, err = strconv.ParseInt(first, 10, 64); err != nil || !ok {
		return 0, "", &moongate.Error{Code: moongate.Malformed, Field: "after", Message: fmt.Sprintf("%.40q is not a cursor", after), Hint: "pass what the page before gave as next"}
	}
	return at, id, nil
}

// Text scans a column into something with a text form; an empty one leaves it as it is.
type Text struct {
	To interface{ UnmarshalText([]byte) error }
}

// Scan reads the column.
func (t Text) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a column holds %T, not text", v)
	}
	if s == "" {
		return nil
	}
	return t.To.UnmarshalText([]byte(s))
}

var _ sql.Scanner = Text{}
