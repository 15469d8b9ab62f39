package crossing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// Views gives the room's lists.
func (s *State) Views() []view.View { return []view.View{list{}} }

// list keeps a row for each crossing, and who may see it: those who read what both gardens share, with the whole
// amount, and those who read a side of their own, with no more than what they get or give.
type list struct{}

// Name is the view's.
func (list) Name() string { return "crossing" }

// Schema makes the view's tables.
func (list) Schema() string {
	return `
CREATE TABLE crossing (
	position INTEGER PRIMARY KEY, id TEXT NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
	agreement TEXT NOT NULL, version INTEGER NOT NULL, from_party TEXT NOT NULL, to_party TEXT NOT NULL, wallet TEXT NOT NULL,
	class TEXT NOT NULL, currency TEXT NOT NULL, amount INTEGER NOT NULL, back INTEGER NOT NULL, reverses TEXT NOT NULL,
	reason TEXT NOT NULL
);
CREATE UNIQUE INDEX crossing_by_id ON crossing (id);
CREATE INDEX crossing_by_reversed ON crossing (reverses) WHERE reverses <> '';
CREATE TABLE crossing_party (
	party TEXT NOT NULL, position INTEGER NOT NULL, shared INTEGER NOT NULL, own INTEGER NOT NULL,
	PRIMARY KEY (party, position)
) WITHOUT ROWID;`
}

// Kinds lists the events that the view folds.
func (list) Kinds() []string {
	return []string{"crossing.recorded", "crossing.refused", "ledger.resolved"}
}

// Fold writes what an event changes.
func (list) Fold(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *Recorded:
		return foldRecorded(tx, e, v)
	case *Refused:
		if err := insert(tx, e.Position, &Row{
			ID: v.ID, At: v.At, Kind: v.Kind, State: Declined, Agreement: v.Agreement, From: v.From, To: v.To, Class: v.Class,
			Currency: v.Currency, Amount: v.Amount, Reverses: v.Reverses, Reason: v.Reason.Message,
		}); err != nil {
			return err
		}
		var may []reader
		for _, who := range v.Readers("parties") {
			may = append(may, reader{who, true, 0})
		}
		return admit(tx, e.Position, may)
	case *ledger.Resolved:
		if v.Crossing.Kind() == moongate.KindCrossing {
			return foldResolved(tx, v)
		}
	}
	return nil
}

func foldRecorded(tx *view.Tx, e journal.Entry, v *Recorded) error {
	state := Done
	if v.Pending {
		state = Pending
	}
	if err := insert(tx, e.Position, &Row{
		ID: v.ID, At: v.At, Kind: v.Kind, State: state, Agreement: v.Agreement, Version: v.Version, From: v.From, To: v.To,
		Wallet: v.Wallet, Class: v.Class, Currency: v.Currency, Amount: v.Amount, Reverses: v.Reverses,
	}); err != nil {
		return err
	}
	shared := v.Readers("parties")
	may := make([]reader, 0, 2+len(v.Sides))
	for _, who := range shared {
		may = append(may, reader{who, true, v.Own(who)})
	}
	for _, side := range v.Sides {
		if !slices.Contains(shared, side.Party) {
			may = append(may, reader{side.Party, false, v.Own(side.Party)})
		}
	}
	if err := admit(tx, e.Position, may); err != nil {
		return err
	}
	if v.Reverses.IsZero() {
		return nil
	}
	return tx.Exec(`UPDATE crossing SET back = back + ? WHERE id = ?`, v.Amount, v.Reverses.String())
}

func foldResolved(tx *view.Tx, v *ledger.Resolved) error {
	id, state := v.Crossing.String(), Done
	if v.Outcome != ledger.Posted {
		state = Stage(v.Outcome)
		if err := tx.Exec(`UPDATE crossing SET back = back - (SELECT amount FROM crossing WHERE id = ?)
			WHERE id = (SELECT reverses FROM crossing WHERE id = ? AND reverses <> '')`, id, id); err != nil {
			return err
		}
	}
	return tx.Exec(`UPDATE crossing SET state = ? WHERE id = ?`, string(state), id)
}

func insert(tx *view.Tx, at journal.Position, r *Row) error {
	return tx.Exec(`INSERT INTO crossing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`,
		int64(at), r.ID.String(), int64(r.At), r.Kind.String(), string(r.State), r.Agreement.String(), r.Version, r.From, r.To,
		r.Wallet, r.Class, r.Currency.String(), r.Amount, r.Reverses.String(), r.Reason)
}

// reader is who may see a crossing: what both gardens share, or its own alone.
type reader struct {
	party  string
	shared bool
	own    int64
}

// admitting has the statement that admits so many readers at once: what a statement costs by itself is more than a row.
// OR FAIL spares SQLite a copy of every page it writes, to undo half a statement with: who fails here gives up the batch.
var admitting = func() (queries [9]string) {
	for n := 1; n < len(queries); n++ {
		queries[n] = `INSERT OR FAIL INTO crossing_party VALUES (?, ?, ?, ?)` + strings.Repeat(`, (?, ?, ?, ?)`, n-1)
	}
	return queries
}()

// admit gives readers their rows.
func admit(tx *view.Tx, at journal.Position, may []reader) error {
	for some := range slices.Chunk(may, len(admitting)-1) {
		args := make([]any, 0, 4*len(some))
		for _, r := range some {
			args = append(args, r.party, int64(at), r.shared, r.own)
		}
		if err := tx.Exec(admitting[len(some)], args...); err != nil {
			return err
		}
	}
	return nil
}

// Stage is where a crossing stands.
type Stage string

// Stages. All but pending are final.
const (
	Done     Stage = "done"
	Pending  Stage = "pending"
	Voided   Stage = "voided"
	Expired  Stage = "expired"
	Declined Stage = "refused"
)

// Row is a crossing in a list. Who has no part in what both gardens share sees neither them nor the whole amount, but
// what is its own.
type Row struct {
	Position  journal.Position `json:"-"` // what it counts is for the hub alone
	ID        moongate.ID      `json:"id"`
	At        moongate.Time    `json:"at"`
	Kind      Kind             `json:"kind"`
	State     Stage            `json:"state"`
	Agreement moongate.ID      `json:"agreement,omitzero"`
	Version   int              `json:"version,omitempty"`
	From      string           `json:"from,omitempty"`
	To        string           `json:"to,omitempty"`
	Wallet    string           `json:"wallet,omitempty"`
	Class     string           `json:"class,omitempty"`
	Currency  money.Currency   `json:"currency,omitzero"`
	Amount    int64            `json:"amount,omitempty"`
	Back      int64            `json:"back,omitempty"` // what refunds have taken of the amount, or are taking
	Own       int64            `json:"own,omitempty"`  // what the reader gets by it, or, negative, gives
	Reverses  moongate.ID      `json:"reverses,omitzero"`
	Reason    string           `json:"reason,omitempty"` // of a refusal
}

// Filter narrows a list. The zero filter lists everything, which is for operators.
type Filter struct {
	Party    string // whose list it is: only what it may see
	Kind     Kind
	State    Stage
	From, To string // for a reader's own list, only among what both gardens share with it
	Reverses moongate.ID
}

// maxRows bounds one page.
const maxRows = 500

// List gives crossings, newest first, at most limit of them (at most 500), and the cursor of the next page, "" at the
// end. It reads the views and is as old as they are.
func List(ctx context.Context, db view.DB, f Filter, after string, limit int) ([]Row, string, error) {
	q := f.query()
	if after != "" {
		// The cursor is the last row's identifier: a position would count what others did.
		id, err := moongate.ParseID(after)
		if err != nil {
			return nil, "", badCursor(after)
		}
		var at int64
		err = db.QueryRowContext(ctx, `SELECT position FROM crossing WHERE id = ?`, id.String()).Scan(&at)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, "", badCursor(after)
		}
		if err != nil {
			return nil, "", fmt.Errorf("crossing: list: %w", err)
		}
		q.where("c.position < ?", at)
	}
	limit = max(1, min(limit, maxRows))
	rows, err := q.run(ctx, db, limit+1)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(rows) > limit {
		rows = rows[:limit]
		next = rows[limit-1].ID.String()
	}
	return rows, next, nil
}

// Find gives one crossing, as the filter's party may see it; not found where it may not.
func Find(ctx context.Context, db view.DB, id moongate.ID, f Filter) (Row, error) {
	q := f.query()
	q.where("c.id = ?", id.String())
	rows, err := q.run(ctx, db, 1)
	if err != nil {
		return Row{}, err
	}
	if len(rows) == 0 {
		return Row{}, &moongate.Error{Code: moongate.NotFound, Field: "crossing", Message: fmt.Sprintf("there is no crossing %s", id), Hint: "check the identifier"}
	}
	return rows[0], nil
}

func badCursor(after string) error {
	return malformed("after", fmt.Sprintf("%.40q is no cursor", after), "pass on the one of the page before")
}

// query is a list being put together; its conditions are constants.
type query struct {
	party      bool
	conditions []string
	args       []any
}

func (f Filter) query() *query {
	q := &query{party: f.Party != ""}
	if q.party {
		q.where("p.party = ?", f.Party)
	}
	if f.Kind != 0 {
		q.where("c.kind = ?", f.Kind.String())
	}
	if f.State != "" {
		q.where("c.state = ?", string(f.State))
	}
	for column, value := range map[string]string{"c.from_party": f.From, "c.to_party": f.To} {
		if value != "" {
			q.where(column+" = ?", value)
			if q.party {
				q.where("p.shared = ?", true)
			}
		}
	}
	if !f.Reverses.IsZero() {
		q.where("c.reverses = ?", f.Reverses.String())
	}
	return q
}

func (q *query) where(condition string, arg any) {
	q.conditions, q.args = append(q.conditions, condition), append(q.args, arg)
}

func (q *query) run(ctx context.Context, db view.DB, limit int) ([]Row, error) {
	from, order := `crossing c`, `c.position`
	columns := `1, 0`
	if q.party {
		from, order, columns = `crossing_party p JOIN crossing c ON c.position = p.position`, `p.position`, `p.shared, p.own`
	}
	where := ""
	if len(q.conditions) > 0 {
		where = ` WHERE ` + strings.Join(q.conditions, ` AND `)
	}
	found, err := db.QueryContext(ctx, `SELECT c.position, c.id, c.at, c.kind, c.state, c.agreement, c.version, c.from_party, c.to_party,
		c.wallet, c.class, c.currency, c.amount, c.back, c.reverses, c.reason, `+columns+` FROM `+from+where+
		` ORDER BY `+order+` DESC LIMIT ?`, append(q.args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("crossing: list: %w", err)
	}
	defer found.Close()
	rows := []Row{}
	for found.Next() {
		r, err := scan(found)
		if err != nil {
			return nil, fmt.Errorf("crossing: list: %w", err)
		}
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		return nil, fmt.Errorf("crossing: list: %w", err)
	}
	return rows, nil
}

func scan(rows *sql.Rows) (Row, error) {
	var r Row
	var id, kind, agreement, currency, reverses string
	var shared bool
	if err := rows.Scan(&r.Position, &id, &r.At, &kind, &r.State, &agreement, &r.Version, &r.From, &r.To, &r.Wallet, &r.Class,
		&currency, &r.Amount, &r.Back, &reverses, &r.Reason, &shared, &r.Own); err != nil {
		return r, err
	}
	err := errors.Join(r.ID.UnmarshalText([]byte(id)), r.Kind.UnmarshalText([]byte(kind)), r.Agreement.UnmarshalText([]byte(agreement)), r.Reverses.UnmarshalText([]byte(reverses)))
	if currency != "" {
		err = errors.Join(err, r.Currency.UnmarshalText([]byte(currency)))
	}
	if !shared {
		r.From, r.To, r.Wallet, r.Class, r.Amount, r.Back, r.Reason = "", "", "", "", 0, 0, ""
	}
	return r, err
}
