package link

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// DestinationRow is a destination in a list.
type DestinationRow struct {
	ID     moongate.ID   `json:"id"`
	Owner  string        `json:"owner"`
	Name   string        `json:"name"`
	NameZH string        `json:"name_zh,omitempty"`
	Host   string        `json:"host"`
	URL    string        `json:"url"`
	Since  moongate.Time `json:"since"`
	Closed bool          `json:"closed,omitempty"`
}

// LinkRow is a link in a list, with what it brought.
type LinkRow struct {
	Code        string        `json:"code"`
	Destination moongate.ID   `json:"destination"`
	Name        string        `json:"name"` // of the destination
	Publisher   string        `json:"publisher"`
	Owner       string        `json:"owner"`
	Agreement   moongate.ID   `json:"agreement"`
	Campaign    string        `json:"campaign,omitempty"`
	Since       moongate.Time `json:"since"`
	Closed      bool          `json:"closed,omitempty"`
	Opened      int64         `json:"opened"`
	Stopped     int64         `json:"stopped"`
}

// BlockRow is a block in a list, in force or not.
type BlockRow struct {
	Decision
	Stage     Stage         `json:"stage"`
	Appellant string        `json:"appellant,omitempty"`
	Statement string        `json:"statement,omitempty"`
	Grounds   string        `json:"grounds,omitempty"` // of the appeal's decision
	Ended     moongate.Time `json:"ended,omitzero"`
	How       End           `json:"how,omitempty"`
	Stopped   int64         `json:"stopped"`
}

// ConversionRow is a conversion in its owner's list.
type ConversionRow struct {
	ID        moongate.ID   `json:"id"`
	Publisher string        `json:"publisher"`
	Link      string        `json:"link"`
	Click     moongate.ID   `json:"click"`
	Reference string        `json:"reference"`
	Class     string        `json:"class,omitempty"`
	Crossing  moongate.ID   `json:"crossing"`
	Amount    money.Amount  `json:"amount"`
	At        moongate.Time `json:"at"`
	Recorded  moongate.Time `json:"recorded"`
}

// Each list gives up to limit rows (1 to 500), newest first, from a cursor on: "" for the start, later what the call
// before gave as next, which is "" at the end. A cursor holds what the last row showed, never a position.

// Destinations lists destinations; the owner and a part of a host or name narrow it.
func Destinations(ctx context.Context, db view.DB, owner, search, after string, limit int) ([]DestinationRow, string, error) {
	return list(ctx, db, after, limit, `SELECT id, owner, name, name_zh, host, url, since, closed, since, id FROM destination
		WHERE (since, id) < (?, ?) AND (? = '' OR owner = ?) AND (host LIKE ? ESCAPE '\' OR name LIKE ? ESCAPE '\' OR name_zh LIKE ? ESCAPE '\')
		ORDER BY since DESC, id DESC LIMIT ?`, []any{owner, owner, like(search), like(search), like(search)},
		func(r *DestinationRow) []any {
			return []any{text{&r.ID}, &r.Owner, &r.Name, &r.NameZH, &r.Host, &r.URL, &r.Since, &r.Closed}
		})
}

// Links lists the links that a participant publishes, or that lead to it; all where it is empty, for an operator.
func Links(ctx context.Context, db view.DB, participant string, destination moongate.ID, after string, limit int) ([]LinkRow, string, error) {
	return list(ctx, db, after, limit, `SELECT l.code, l.destination, d.name, l.publisher, l.owner, l.agreement, l.campaign, l.since, l.closed,
		(SELECT coalesce(sum(opened), 0) FROM link_day n WHERE n.code = l.code),
		(SELECT coalesce(sum(stopped), 0) FROM link_day n WHERE n.code = l.code), l.since, l.code
		FROM link l JOIN destination d ON d.id = l.destination
		WHERE (l.since, l.code) < (?, ?) AND (? = '' OR l.publisher = ? OR l.owner = ?) AND (? = '' OR l.destination = ?)
		ORDER BY l.since DESC, l.code DESC LIMIT ?`, []any{participant, participant, participant, destination.String(), destination.String()},
		func(r *LinkRow) []any {
			return []any{
				&r.Code,
				text{&r.Destination},
				&r.Name, &r.Publisher, &r.Owner,
				text{&r.Agreement},
				&r.Campaign, &r.Since, &r.Closed,
				&r.Opened, &r.Stopped,
			}
		})
}

// BlockFilter narrows a list of blocks; what is zero does not.
type BlockFilter struct {
	ID      moongate.ID
	By      string // who decided
	Against string // whose destination is shut
	InForce bool
}

// Blocks lists blocks, which are public.
func Blocks(ctx context.Context, db view.DB, f BlockFilter, after string, limit int) ([]BlockRow, string, error) {
	return list(ctx, db, after, limit, `SELECT id, decider, everywhere, agreement, destination, host, against, reason, facts, evidence, automated,
		since, expires, appeal_by, stage, appellant, statement, grounds, ended, how, stopped, since, id FROM link_block
		WHERE (since, id) < (?, ?) AND (? = '' OR decider = ?) AND (? = '' OR against = ?) AND (NOT ? OR ended = 0) AND (? = '' OR id = ?)
		ORDER BY since DESC, id DESC LIMIT ?`, []any{f.By, f.By, f.Against, f.Against, f.InForce, f.ID.String(), f.ID.String()},
		func(r *BlockRow) []any {
			return []any{
				text{&r.Block},
				&r.By, &r.Everywhere,
				text{&r.Agreement},
				text{&r.Destination},
				&r.Host, &r.Against, &r.Reason, &r.Facts, &r.Evidence,
				&r.Automated, &r.Since, &r.Expires, &r.AppealBy, &r.Stage, &r.Appellant, &r.Statement, &r.Grounds, &r.Ended, &r.How, &r.Stopped,
			}
		})
}

// Conversions lists the sales that an owner reported. They are nobody else's to see.
func Conversions(ctx context.Context, db view.DB, owner, after string, limit int) ([]ConversionRow, string, error) {
	return list(ctx, db, after, limit, `SELECT id, publisher, link, click, reference, class, crossing, currency, minor, at, recorded, recorded, id FROM conversion
		WHERE (recorded, id) < (?, ?) AND owner = ? ORDER BY recorded DESC, id DESC LIMIT ?`, []any{owner},
		func(r *ConversionRow) []any {
			return []any{
				text{&r.ID},
				&r.Publisher, &r.Link,
				text{&r.Click},
				&r.Reference, &r.Class,
				text{&r.Crossing},
				text{&r.Amount.Currency},
				&r.Amount.Minor,
				&r.At, &r.Recorded,
			}
		})
}

// list runs a keyset query, whose first two parameters are the cursor, whose last is the limit, and whose last two
// columns are the next cursor.
func list[R any](ctx context.Context, db view.DB, after string, limit int, query string, args []any, columns func(*R) []any) ([]R, string, error) {
	if limit < 1 || limit > 500 {
		return nil, "", malformed("limit", "%d rows at once", "ask for 1 to 500", limit)
	}
	at, id, err := parseCursor(after)
	if err != nil {
		return nil, "", err
	}
	found, err := db.QueryContext(ctx, query, append(append([]any{at, id}, args...), limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("links: list: %w", err)
	}
	defer found.Close()
	rows := []R{}
	for found.Next() {
		if len(rows) == limit { // the one too many says that there is a next page
			return rows, fmt.Sprintf("%d.%s", at, id), nil
		}
		var r R
		if err := found.Scan(append(columns(&r), &at, &id)...); err != nil {
			return nil, "", fmt.Errorf("links: list: %w", err)
		}
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		return nil, "", fmt.Errorf("links: list: %w", err)
	}
	return rows, "", nil
}

func parseCursor(after string) (at int64, id string, err error) {
	if after == "" {
		return 1<<63 - 1, "", nil
	}
	return view.ParseCursor(after)
}

// like is a pattern that finds a text anywhere.
func like(search string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(search) + "%"
}

// text scans a column into something with a text form.
type text struct {
	to interface{ UnmarshalText([]byte) error }
}

// Scan reads the column.
func (t text) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("a column holds %T, not text", v)
	}
	return t.to.UnmarshalText([]byte(s))
}

var _ sql.Scanner = text{}
