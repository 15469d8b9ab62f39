package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// Views gives the room's list of accounts. It has a row for each account, written when the account is opened: balances
// are the state's ([State.Lookup]), and an account's history is a walk through the journal ([History]).
func (s *State) Views() []view.View { return []view.View{list{}} }

type list struct{}

// Name is the view's.
func (list) Name() string { return "ledger" }

// Schema makes the view's table.
func (list) Schema() string {
	return `
CREATE TABLE ledger_account (
	account TEXT PRIMARY KEY, owner TEXT NOT NULL, currency TEXT NOT NULL, purpose TEXT NOT NULL, of_id TEXT NOT NULL,
	opened INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX ledger_account_by_purpose ON ledger_account (purpose, currency, account);`
}

// Kinds lists the events that the view folds.
func (list) Kinds() []string { return []string{"ledger.opened"} }

// Fold writes what an event changes.
func (list) Fold(tx *view.Tx, e journal.Entry) error {
	if v, ok := e.Event.(*Opened); ok {
		a := v.Account
		return tx.Exec(`INSERT INTO ledger_account VALUES (?, ?, ?, ?, ?, ?)`, a.String(), a.Owner, a.Currency.String(), a.Purpose.String(), a.Of.String(), int64(e.At))
	}
	return nil
}

// Row is an account in a list.
type Row struct {
	Account Account       `json:"account"`
	Opened  moongate.Time `json:"opened"`
}

// Filter narrows a list; what is zero does not.
type Filter struct {
	Owner    string
	Currency money.Currency
	Purpose  Purpose
	Of       moongate.ID
}

// maxRows bounds one page.
const maxRows = 500

// List gives accounts in the order of their text form, so by owner, at most limit of them (at most 500), and the cursor
// of the next page, "" at the end. It reads the views and is as old as they are.
func List(ctx context.Context, db view.DB, f Filter, after string, limit int) (page []Row, next string, err error) {
	where, args := []string{"account > ?"}, []any{after}
	for _, c := range []struct{ column, value string }{
		{"owner", f.Owner}, {"currency", f.Currency.String()}, {"of_id", f.Of.String()},
	} {
		if c.value != "" {
			where, args = append(where, c.column+" = ?"), append(args, c.value)
		}
	}
	if f.Purpose != 0 {
		where, args = append(where, "purpose = ?"), append(args, f.Purpose.String())
	}
	if after != "" {
		if _, err := ParseAccount(after); err != nil {
			return nil, "", malformed("after", fmt.Sprintf("%.40q is no cursor", after), "pass on the one of the page before")
		}
	}
	limit = max(1, min(limit, maxRows))
	rows, err := db.QueryContext(ctx, `SELECT account, opened FROM ledger_account WHERE `+strings.Join(where, " AND ")+
		` ORDER BY account LIMIT ?`, append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("ledger: list: %w", err)
	}
	defer rows.Close()
	page = []Row{}
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, "", fmt.Errorf("ledger: list: %w", err)
		}
		if len(page) == limit { // the one too many says that there is a next page
			return page, page[limit-1].Account.String(), nil
		}
		page = append(page, r)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("ledger: list: %w", err)
	}
	return page, "", nil
}

func scan(rows *sql.Rows) (Row, error) {
	var r Row
	var text string
	err := rows.Scan(&text, &r.Opened)
	account, parse := ParseAccount(text)
	r.Account = account
	return r, errors.Join(err, parse)
}
