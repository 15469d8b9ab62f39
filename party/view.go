package party

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/view"
)

// Views lists the room's.
func (s *State) Views() []view.View { return []view.View{Directory{}} }

// Directory is the list of participants that people search.
type Directory struct{}

// Name is the view's.
func (Directory) Name() string { return "participants" }

// Schema makes the view's table.
func (Directory) Schema() string {
	return `CREATE TABLE participant (
		handle    TEXT PRIMARY KEY,
		kind      TEXT NOT NULL,
		name      TEXT NOT NULL,
		name_zh   TEXT NOT NULL,
		since     INTEGER NOT NULL,
		suspended TEXT NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX participant_since ON participant (since, handle)`
}

// Kinds lists the events that the view folds.
func (Directory) Kinds() []string {
	return []string{"party.registered", "party.renamed", "party.suspended", "party.resumed"}
}

// Fold writes what an event changes.
func (Directory) Fold(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *Registered:
		return tx.Exec(`INSERT INTO participant VALUES (?, ?, ?, ?, ?, '')`, v.Handle, v.Kind.String(), v.Name, v.NameZH, int64(e.At))
	case *Renamed:
		return tx.Exec(`UPDATE participant SET name = ?, name_zh = ? WHERE handle = ?`, v.Name, v.NameZH, v.Handle)
	case *Suspended:
		return tx.Exec(`UPDATE participant SET suspended = ? WHERE handle = ?`, v.Reason, v.Handle)
	case *Resumed:
		return tx.Exec(`UPDATE participant SET suspended = '' WHERE handle = ?`, v.Handle)
	}
	return nil
}

// Filter narrows a list of participants; what is zero does not.
type Filter struct {
	Kind   Kind
	Search string // a part of the handle or of a name
}

// Row is a participant in a list.
type Row struct {
	Handle    string        `json:"handle"`
	Kind      Kind          `json:"kind"`
	Name      string        `json:"name"`
	NameZH    string        `json:"name_zh,omitempty"`
	Since     moongate.Time `json:"since"`
	Suspended string        `json:"suspended,omitempty"`
}

// List gives up to limit participants (1 to 500), newest first, from a cursor on: "" for the start, later what the call
// before gave as next, which is "" at the end.
func List(ctx context.Context, db view.DB, f Filter, after string, limit int) (rows []Row, next string, err error) {
	if limit < 1 || limit > 500 {
		return nil, "", &moongate.Error{Code: moongate.Malformed, Field: "limit", Message: fmt.Sprintf("%d rows at once", limit), Hint: "ask for 1 to 500"}
	}
	// The cursor holds what the last row showed, and no position: that would tell how much happened in between.
	since, handle := int64(1<<63-1), ""
	if after != "" {
		text, rest, ok := strings.Cut(after, ".")
		if since, err = strconv.ParseInt(text, 10, 64); err != nil || !ok {
			return nil, "", &moongate.Error{Code: moongate.Malformed, Field: "after", Message: fmt.Sprintf("%.40q is not a cursor", after), Hint: "pass what the page before gave as next"}
		}
		handle = rest
	}
	kind := ""
	if f.Kind != 0 {
		kind = f.Kind.String()
	}
	pattern := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(f.Search) + "%"
	found, err := db.QueryContext(ctx, `SELECT handle, kind, name, name_zh, since, suspended FROM participant
		WHERE (since, handle) < (?, ?) AND (? = '' OR kind = ?) AND (handle LIKE ? ESCAPE '\' OR name LIKE ? ESCAPE '\' OR name_zh LIKE ? ESCAPE '\')
		ORDER BY since DESC, handle DESC LIMIT ?`, since, handle, kind, kind, pattern, pattern, pattern, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list of participants: %w", err)
	}
	defer found.Close()
	rows = []Row{}
	for found.Next() {
		if len(rows) == limit { // the one too many says that there is a next page
			last := rows[limit-1]
			return rows, fmt.Sprintf("%d.%s", int64(last.Since), last.Handle), nil
		}
		var r Row
		var kind string
		if err := found.Scan(&r.Handle, &kind, &r.Name, &r.NameZH, &r.Since, &r.Suspended); err != nil {
			return nil, "", fmt.Errorf("list of participants: %w", err)
		}
		if r.Kind, err = ParseKind(kind); err != nil {
			return nil, "", err
		}
		rows = append(rows, r)
	}
	return rows, "", found.Err()
}
