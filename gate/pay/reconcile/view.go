package reconcile

import (
	"encoding/json"
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/view"
)

// Views lists the room's.
func (s *State) Views() []view.View { return []view.View{Register{}} }

// Register is what people search of bills and differences, and what the importer reads: where money moved, in order of
// time, and the fees that came back with refunds.
type Register struct{}

// Name is the view's.
func (Register) Name() string { return "reconcile" }

// Schema makes the view's tables. Times are microseconds, amounts minor units, fees thousandths of one.
func (Register) Schema() string {
	return `CREATE TABLE bill (
		id TEXT PRIMARY KEY, wallet TEXT NOT NULL, kind TEXT NOT NULL, day TEXT NOT NULL, hash TEXT NOT NULL, published TEXT NOT NULL,
		bytes INTEGER NOT NULL, lines INTEGER NOT NULL, matched INTEGER NOT NULL, guessed INTEGER NOT NULL, aside INTEGER NOT NULL,
		differences INTEGER NOT NULL, missing INTEGER NOT NULL, healed INTEGER NOT NULL, sums TEXT NOT NULL, earlier TEXT NOT NULL,
		decider TEXT NOT NULL, began INTEGER NOT NULL, ended INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX bill_began ON bill (began, id);
	CREATE INDEX bill_wallet ON bill (wallet, day);
	CREATE TABLE difference (
		id TEXT PRIMARY KEY, bill TEXT NOT NULL, wallet TEXT NOT NULL, kind TEXT NOT NULL, day TEXT NOT NULL, class TEXT NOT NULL,
		refund INTEGER NOT NULL, number TEXT NOT NULL, ref TEXT NOT NULL, line INTEGER NOT NULL, at INTEGER NOT NULL, currency TEXT NOT NULL,
		theirs INTEGER NOT NULL, ours INTEGER NOT NULL, fee INTEGER NOT NULL, terms INTEGER NOT NULL, payment TEXT NOT NULL, own TEXT NOT NULL,
		facts TEXT NOT NULL, standing TEXT NOT NULL, opened INTEGER NOT NULL, ended INTEGER NOT NULL, assignee TEXT NOT NULL,
		action TEXT NOT NULL, decider TEXT NOT NULL, note TEXT NOT NULL, foundin TEXT NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX difference_opened ON difference (opened, id);
	CREATE INDEX difference_bill ON difference (bill, opened, id);
	CREATE INDEX difference_standing ON difference (standing, opened, id);
	CREATE TABLE difference_note (difference TEXT NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL, decider TEXT NOT NULL, assignee TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (difference, position)) WITHOUT ROWID;
	CREATE TABLE bill_fetch (
		wallet TEXT NOT NULL, kind TEXT NOT NULL, day TEXT NOT NULL, result TEXT NOT NULL, bill TEXT NOT NULL, message TEXT NOT NULL,
		tries INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (wallet, kind, day)
	) WITHOUT ROWID;
	CREATE TABLE movement (wallet TEXT NOT NULL, at INTEGER NOT NULL, own BLOB NOT NULL, PRIMARY KEY (wallet, at, own)) WITHOUT ROWID;
	CREATE TABLE refund_fee (crossing BLOB PRIMARY KEY, minor INTEGER NOT NULL, parts INTEGER NOT NULL) WITHOUT ROWID`
}

// Kinds lists the events that the view folds.
func (Register) Kinds() []string {
	return []string{
		"pay.attempt_ended", "pay.refund_opened", "crossing.recorded", "reconcile.began", "reconcile.found", "reconcile.taken",
		"reconcile.reconciled", "reconcile.assigned", "reconcile.moved", "reconcile.ended", "reconcile.fetch_due", "reconcile.fetch_ended",
	}
}

// Fold writes what an event changes.
func (r Register) Fold(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *pay.AttemptEnded:
		if v.Status != pay.AttemptPaid || v.Outcome == nil {
			return nil
		}
		at := v.Outcome.PaidAt
		if at == 0 {
			at = e.At
		}
		if len(v.Outcome.Parts) > 1 { // a combined order stands in bills by its parts
			for _, p := range v.Outcome.Parts {
				if err := tx.Exec(`INSERT OR IGNORE INTO movement VALUES (?, ?, ?)`, v.Wallet, int64(at), p.Part[:]); err != nil {
					return err
				}
			}
			return nil
		}
		return tx.Exec(`INSERT OR IGNORE INTO movement VALUES (?, ?, ?)`, v.Wallet, int64(at), v.Attempt[:])
	case *pay.RefundOpened:
		return tx.Exec(`INSERT OR IGNORE INTO movement VALUES (?, ?, ?)`, v.Wallet, int64(e.At), v.Refund[:])
	case *crossing.Recorded:
		if v.Kind != crossing.Refund {
			return nil
		}
		if fee, parts := walletFee(v); parts > 0 {
			return tx.Exec(`INSERT OR IGNORE INTO refund_fee VALUES (?, ?, ?)`, v.ID[:], fee, parts)
		}
		return nil
	}
	return r.foldBill(tx, e)
}

// walletFee is what a crossing's wallet gets of it as fees, and how many lines these are.
func walletFee(v *crossing.Recorded) (sum int64, lines int) {
	for _, side := range v.Sides {
		if v.Wallet == "" || side.Party != v.Wallet {
			continue
		}
		for _, l := range side.Lines {
			if l.What == crossing.FeeLine {
				sum += l.Amount
				lines++
			}
		}
	}
	return sum, lines
}

func (r Register) foldBill(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *Began:
		return r.foldBegan(tx, e, v)
	case *Taken:
		return tx.Exec(`UPDATE bill SET differences = differences + ?, healed = healed + ? WHERE id = ?`, v.Found+v.Stood, v.Healed, v.Bill.String())
	case *Reconciled:
		sums, err := sumsJSON(v.Sums)
		if err != nil {
			return err
		}
		return tx.Exec(`UPDATE bill SET ended = ?, sums = ? WHERE id = ?`, int64(e.At), sums, v.Bill.String())
	case *FetchDue:
		return tx.Exec(`INSERT INTO bill_fetch VALUES (?, ?, ?, '', '', '', ?, ?) ON CONFLICT (wallet, kind, day) DO UPDATE SET tries = excluded.tries, at = excluded.at`,
			v.Name.Wallet, string(v.Name.Kind), v.Name.Day, v.Try, int64(e.At))
	case *FetchEnded:
		return tx.Exec(`UPDATE bill_fetch SET result = ?, bill = ?, message = ?, at = ? WHERE wallet = ? AND kind = ? AND day = ?`,
			string(v.Result), v.Bill.String(), v.Message, int64(e.At), v.Name.Wallet, string(v.Name.Kind), v.Name.Day)
	}
	return foldDifference(tx, e)
}

func (Register) foldBegan(tx *view.Tx, e journal.Entry, v *Began) error {
	sums, err := sumsJSON(v.Figures.Sums)
	if err != nil {
		return err
	}
	f := &v.Figures
	return tx.Exec(`INSERT INTO bill VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?, ?, ?, ?, 0) ON CONFLICT (id) DO UPDATE SET
		bytes = excluded.bytes, lines = excluded.lines, matched = excluded.matched, guessed = excluded.guessed, aside = excluded.aside, differences = 0,
		missing = excluded.missing, healed = 0, sums = excluded.sums, decider = excluded.decider`,
		v.Bill.String(), v.Name.Wallet, string(v.Name.Kind), v.Name.Day, v.Name.Hash, v.Published, v.Bytes, f.Rows, f.Matched, f.Guessed, f.Aside,
		f.Missing, sums, v.Earlier.String(), v.By, int64(e.At))
}

func sumsJSON(sums []Sum) (string, error) {
	if sums == nil {
		sums = []Sum{}
	}
	b, err := json.Marshal(sums)
	if err != nil {
		return "", fmt.Errorf("reconcile: sums: %w", err)
	}
	return string(b), nil
}

func foldDifference(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *Found:
		theirs, ended, action := v.Line.Settled, moongate.Time(0), Action("")
		if v.Class == MissingTheirs {
			theirs = 0
		}
		if v.Standing == Settled {
			ended, action = e.At, OtherDay
		}
		return tx.Exec(`INSERT INTO difference SELECT ?, id, wallet, kind, day, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, '', '', '' FROM bill WHERE id = ?`,
			v.Difference.String(), v.Class.String(), v.Line.Refund, v.Line.Number, v.Line.Ref, v.Line.Row, int64(v.Line.At), v.Line.Currency.String(),
			theirs, v.Ours, v.Line.Fee, v.Terms, v.Payment.String(), v.No.String(), v.Facts, v.Standing.String(), int64(e.At), int64(ended), string(action), v.Bill.String())
	case *Assigned:
		if err := tx.Exec(`UPDATE difference SET assignee = ? WHERE id = ?`, v.To, v.Difference.String()); err != nil {
			return err
		}
		return note(tx, e, v.Difference, v.By, v.To, v.Note)
	case *Moved:
		return tx.Exec(`UPDATE difference SET class = ?, ours = ?, facts = ?, standing = ? WHERE id = ?`, v.Class.String(), v.Ours, v.Facts, v.Standing.String(), v.Difference.String())
	case *Ended:
		class := ""
		if v.Class != 0 {
			class = v.Class.String()
		}
		return tx.Exec(`UPDATE difference SET standing = ?, ended = ?, action = ?, decider = ?, note = ?, foundin = ?, class = coalesce(nullif(?, ''), class) WHERE id = ?`,
			Settled.String(), int64(e.At), string(v.Action), v.By, v.Note, v.Bill.String(), class, v.Difference.String())
	}
	return nil
}

func note(tx *view.Tx, e journal.Entry, difference moongate.ID, by, to, text string) error {
	return tx.Exec(`INSERT INTO difference_note VALUES (?, ?, ?, ?, ?, ?)`, difference.String(), int64(e.Position), int64(e.At), by, to, text)
}
