package settle

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/view"
)

// Views gives the room's lists.
func (s *State) Views() []view.View { return []view.View{list{}} }

// list keeps closed windows, who stood where, and instructions. What is still open is in the state alone.
type list struct{}

func (list) Name() string { return "settle" }

func (list) Schema() string {
	return `
CREATE TABLE settle_window (
	window TEXT PRIMARY KEY, agreement TEXT NOT NULL, currency TEXT NOT NULL,
	from_time INTEGER NOT NULL, until_time INTEGER NOT NULL, due INTEGER NOT NULL, closed INTEGER NOT NULL,
	status TEXT NOT NULL, instructions INTEGER NOT NULL, remaining INTEGER NOT NULL, note TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX settle_window_by_time ON settle_window (closed, window);
CREATE TABLE settle_standing (
	party TEXT NOT NULL, window TEXT NOT NULL, until_time INTEGER NOT NULL,
	payable INTEGER NOT NULL, receivable INTEGER NOT NULL, fee INTEGER NOT NULL, held INTEGER NOT NULL, net INTEGER NOT NULL, carried INTEGER NOT NULL,
	PRIMARY KEY (party, until_time, window)
) WITHOUT ROWID;
CREATE INDEX settle_standing_by_window ON settle_standing (window, party);
CREATE TABLE settle_instruction (
	id TEXT PRIMARY KEY, window TEXT NOT NULL, payer TEXT NOT NULL, payee TEXT NOT NULL, currency TEXT NOT NULL, amount INTEGER NOT NULL,
	wallet INTEGER NOT NULL, progress TEXT NOT NULL, due INTEGER NOT NULL, changed INTEGER NOT NULL, ref TEXT NOT NULL, reason TEXT NOT NULL,
	part INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX settle_instruction_by_due ON settle_instruction (due, id);
CREATE INDEX settle_instruction_by_window ON settle_instruction (window, due, id);
CREATE INDEX settle_instruction_by_payee ON settle_instruction (payee, due, id);
CREATE INDEX settle_instruction_by_payer ON settle_instruction (payer, due, id);`
}

func (list) Kinds() []string {
	return []string{"settle.closed", "settle.instructed", "settle.reported", "settle.settled", "settle.aborted", "settle.postponed"}
}

func (list) Fold(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *WindowClosed:
		return foldList(tx, e, v)
	case *Instructed:
		return tx.Exec(`UPDATE settle_instruction SET progress = 'sent', changed = ? WHERE id = ?`, int64(e.At), v.ID.String())
	case *Reported:
		part := v.Part
		if v.Progress == Paid || v.Progress == Returned {
			part = 0 // all of it, or nothing
		}
		if err := tx.Exec(`UPDATE settle_instruction SET progress = ?, changed = ?, ref = ?, reason = ?, part = ? WHERE id = ?`,
			v.Progress.String(), int64(e.At), v.Ref, v.Reason, part, v.Instruction.String()); err != nil || v.Progress == Manual || v.Progress == Sent {
			return err
		}
		return tx.Exec(`UPDATE settle_window SET status = 'pending', remaining = remaining - 1 WHERE window = ?`, v.Window.String())
	case *WindowSettled:
		return tx.Exec(`UPDATE settle_window SET status = 'settled' WHERE window = ?`, v.Window.String())
	case *WindowAborted:
		if err := tx.Exec(`DELETE FROM settle_instruction WHERE window = ?`, v.Window.String()); err != nil {
			return err
		}
		return tx.Exec(`UPDATE settle_window SET status = 'aborted', instructions = 0, remaining = 0, note = ? WHERE window = ?`, v.Reason, v.Window.String())
	case *Postponed:
		return tx.Exec(`UPDATE settle_window SET note = ? WHERE window = ?`, v.Reason, v.Window.String())
	}
	return nil
}

func foldList(tx *view.Tx, e journal.Entry, v *WindowClosed) error {
	if err := tx.Exec(`INSERT INTO settle_window VALUES (?, ?, ?, ?, ?, ?, ?, 'closed', ?, ?, '')`,
		v.Window.String(), v.Agreement.String(), v.Currency.String(), int64(v.From), int64(v.Until), int64(v.Due), int64(e.At), len(v.Instructions), len(v.Instructions)); err != nil {
		return err
	}
	for _, st := range v.Standings {
		if err := tx.Exec(`INSERT INTO settle_standing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, st.Party, v.Window.String(), int64(v.Until),
			st.Position.Payable, st.Position.Receivable, st.Position.Fee, st.Position.Held, st.Net, st.Carried); err != nil {
			return err
		}
	}
	for _, i := range v.Instructions {
		if err := tx.Exec(`INSERT INTO settle_instruction VALUES (?, ?, ?, ?, ?, ?, ?, 'planned', ?, ?, '', '', 0)`,
			i.ID.String(), v.Window.String(), i.From, i.To, i.Currency.String(), i.Amount, i.Wallet, int64(v.Due), int64(e.At)); err != nil {
			return err
		}
	}
	return nil
}

// WindowRow is one window in a list. With a participant, the position is its own.
type WindowRow struct {
	Window       string        `json:"window"`
	Agreement    string        `json:"agreement"`
	Currency     string        `json:"currency"`
	From         moongate.Time `json:"from"`
	Until        moongate.Time `json:"until"`
	Due          moongate.Time `json:"due,omitzero"` // of a closed one
	Status       string        `json:"status"`
	Instructions int           `json:"instructions,omitempty"` // for operators
	Left         int           `json:"left,omitempty"`         // for operators
	Note         string        `json:"note,omitempty"`         // for operators
	Parties      int           `json:"parties,omitempty"`      // for operators: that stand in it
	Moves        int64         `json:"moves,omitempty"`        // for operators: what is left to move after netting
	Party        string        `json:"party,omitempty"`
	Position     Position      `json:"position,omitzero"`
	Net          int64         `json:"net"`
	Carried      int64         `json:"carried,omitempty"`
}

const maxRows = 500

// Windows lists closed windows, newest first, at most limit of them (at most 500) after a cursor: those in which a
// participant has a position, or, for operators, all where participant is "". Agreement narrows the list where it is
// not zero.
func Windows(ctx context.Context, db view.DB, participant string, agreement moongate.ID, after string, limit int) ([]WindowRow, string, error) {
	at, id, err := parseCursor(after)
	if err != nil {
		return nil, "", err
	}
	limit = max(1, min(limit, maxRows))
	query := `SELECT w.window, w.agreement, w.currency, w.from_time, w.until_time, w.due, w.status, w.instructions, w.remaining, w.note,
		(SELECT count(*) FROM settle_standing s WHERE s.window = w.window), (SELECT coalesce(sum(max(net, 0)), 0) FROM settle_standing s WHERE s.window = w.window),
		'', 0, 0, 0, 0, 0, 0, w.closed
		FROM settle_window w WHERE (w.closed, w.window) < (?, ?)`
	args := []any{at, id}
	if participant != "" {
		query = `SELECT w.window, w.agreement, w.currency, w.from_time, w.until_time, w.due, w.status, 0, 0, '', 0, 0, s.party, s.payable, s.receivable, s.fee, s.held, s.net, s.carried, s.until_time
		FROM settle_standing s JOIN settle_window w ON w.window = s.window WHERE s.party = ? AND (s.until_time, s.window) < (?, ?)`
		args = []any{participant, at, id}
	}
	if !agreement.IsZero() {
		query, args = query+` AND w.agreement = ?`, append(args, agreement.String())
	}
	if participant != "" {
		query += ` ORDER BY s.until_time DESC, s.window DESC LIMIT ?`
	} else {
		query += ` ORDER BY w.closed DESC, w.window DESC LIMIT ?`
	}
	rows, err := db.QueryContext(ctx, query, append(args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("settle: windows: %w", err)
	}
	defer rows.Close()
	var all []WindowRow
	var times []int64
	for rows.Next() {
		var r WindowRow
		var time int64
		if err := rows.Scan(&r.Window, &r.Agreement, &r.Currency, &r.From, &r.Until, &r.Due, &r.Status, &r.Instructions, &r.Left, &r.Note,
			&r.Parties, &r.Moves, &r.Party, &r.Position.Payable, &r.Position.Receivable, &r.Position.Fee, &r.Position.Held, &r.Net, &r.Carried, &time); err != nil {
			return nil, "", fmt.Errorf("settle: windows: %w", err)
		}
		all, times = append(all, r), append(times, time)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("settle: windows: %w", err)
	}
	next := ""
	if len(all) > limit {
		all = all[:limit]
		next = cursor(times[limit-1], all[limit-1].Window)
	}
	return all, next, nil
}

// Standings lists everybody's position in one closed window, by name, after a participant: for operators.
func Standings(ctx context.Context, db view.DB, window moongate.ID, after string, limit int) ([]WindowRow, string, error) {
	limit = max(1, min(limit, maxRows))
	rows, err := db.QueryContext(ctx, `SELECT s.party, s.payable, s.receivable, s.fee, s.held, s.net, s.carried, w.agreement, w.currency, w.from_time, w.until_time, w.due, w.status
		FROM settle_standing s JOIN settle_window w ON w.window = s.window WHERE s.window = ? AND s.party > ? ORDER BY s.party LIMIT ?`, window.String(), after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("settle: standings: %w", err)
	}
	defer rows.Close()
	var all []WindowRow
	for rows.Next() {
		r := WindowRow{Window: window.String()}
		if err := rows.Scan(&r.Party, &r.Position.Payable, &r.Position.Receivable, &r.Position.Fee, &r.Position.Held, &r.Net, &r.Carried,
			&r.Agreement, &r.Currency, &r.From, &r.Until, &r.Due, &r.Status); err != nil {
			return nil, "", fmt.Errorf("settle: standings: %w", err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("settle: standings: %w", err)
	}
	next := ""
	if len(all) > limit {
		all = all[:limit]
		next = all[limit-1].Party
	}
	return all, next, nil
}

// Sums are all positions of a closed window together.
type Sums struct {
	Parties int
	Gets    int64 // claims before netting
	Moves   int64 // what was left to pay
	Net     int64 // of all positions: zero
}

// Sum adds up the positions of a closed window, however many there are.
func Sum(ctx context.Context, db view.DB, window moongate.ID) (t Sums, err error) {
	err = db.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(max(payable, 0) + max(fee, 0) + max(-receivable, 0) + max(-held, 0)), 0),
		coalesce(sum(max(net, 0)), 0), coalesce(sum(net), 0) FROM settle_standing WHERE window = ?`, window.String()).Scan(&t.Parties, &t.Gets, &t.Moves, &t.Net)
	if err != nil {
		return t, fmt.Errorf("settle: sums: %w", err)
	}
	return t, nil
}

// PayoutFilter narrows the payout list. The zero filter lists everything, which is for operators.
type PayoutFilter struct {
	Party       string // pays or is paid: the one whose list it is
	Other       string // likewise, of the participant that it is narrowed to
	Wallet      string // that pays it
	Window      moongate.ID
	Instruction moongate.ID
	Progress    Progress
}

// Payout is one instruction in the payout list.
type Payout struct {
	Instruction string        `json:"instruction"`
	Window      string        `json:"window"`
	From        string        `json:"from"`
	To          string        `json:"to"`
	Currency    string        `json:"currency"`
	Amount      int64         `json:"amount"`
	Wallet      bool          `json:"wallet,omitempty"`
	Progress    string        `json:"progress"`
	Due         moongate.Time `json:"due"`
	Changed     moongate.Time `json:"changed"`
	Ref         string        `json:"ref,omitempty"`
	Reason      string        `json:"reason,omitempty"`
	Part        int64         `json:"part,omitempty"` // of the amount, what the payee has got so far, where that is not all
}

// Payouts lists instructions, latest due first, at most limit of them (1 to 500) after a cursor.
func Payouts(ctx context.Context, db view.DB, f PayoutFilter, after string, limit int) ([]Payout, string, error) {
	q := view.Query{Table: "settle_instruction", At: "due", Columns: "id, window, payer, payee, currency, amount, wallet, progress, due, changed, ref, reason, part"}
	for _, who := range []string{f.Party, f.Other} {
		if who != "" {
			q.Where("(payer = ? OR payee = ?)", who, who)
		}
	}
	if f.Wallet != "" {
		q.Where("payer = ? AND wallet = 1", f.Wallet)
	}
	if !f.Window.IsZero() {
		q.Is("window", f.Window.String())
	}
	if !f.Instruction.IsZero() {
		q.Is("id", f.Instruction.String())
	}
	if f.Progress != 0 {
		q.Is("progress", f.Progress.String())
	}
	return view.List(ctx, db, &q, after, limit, func(p *Payout) []any {
		return []any{&p.Instruction, &p.Window, &p.From, &p.To, &p.Currency, &p.Amount, &p.Wallet, &p.Progress, &p.Due, &p.Changed, &p.Ref, &p.Reason, &p.Part}
	}, nil)
}

// cursor says where a row stands in its list, by what the row itself shows.
func cursor(at int64, id string) string { return strconv.FormatInt(at, 10) + "." + id }

func parseCursor(text string) (at int64, id string, err error) {
	if text == "" {
		return 1<<63 - 1, "", nil
	}
	number, id, ok := strings.Cut(text, ".")
	at, err = strconv.ParseInt(number, 10, 64)
	if !ok || err != nil {
		return 0, "", &moongate.Error{Code: moongate.Malformed, Field: "after", Message: fmt.Sprintf("%.40q is no cursor", text), Hint: "pass on the one of the page before"}
	}
	return at, id, nil
}
