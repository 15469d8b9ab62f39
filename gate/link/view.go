package link

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/view"
)

// Views lists the room's.
func (s *State) Views() []view.View { return []view.View{Register{}} }

// Register is what people search: destinations, links with what each day brought, blocks, conversions. Clicks have no
// rows of their own.
type Register struct{}

// Name is the view's.
func (Register) Name() string { return "link" }

// Schema makes the view's tables. Times are microseconds, days are counted from 1970 in UTC.
func (Register) Schema() string {
	return `CREATE TABLE destination (
		id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, name_zh TEXT NOT NULL, host TEXT NOT NULL,
		url TEXT NOT NULL, since INTEGER NOT NULL, closed INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX destination_since ON destination (since, id);
	CREATE INDEX destination_owner ON destination (owner, since, id);
	CREATE TABLE link (
		code TEXT PRIMARY KEY, destination TEXT NOT NULL, publisher TEXT NOT NULL, owner TEXT NOT NULL,
		agreement TEXT NOT NULL, campaign TEXT NOT NULL, since INTEGER NOT NULL, closed INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX link_publisher ON link (publisher, since, code);
	CREATE INDEX link_owner ON link (owner, since, code);
	CREATE TABLE link_day (
		code TEXT NOT NULL, day INTEGER NOT NULL, opened INTEGER NOT NULL, stopped INTEGER NOT NULL,
		PRIMARY KEY (code, day)
	) WITHOUT ROWID;
	CREATE TABLE link_block (
		id TEXT PRIMARY KEY, decider TEXT NOT NULL, everywhere INTEGER NOT NULL, agreement TEXT NOT NULL,
		destination TEXT NOT NULL, host TEXT NOT NULL, against TEXT NOT NULL, reason TEXT NOT NULL, facts TEXT NOT NULL,
		evidence TEXT NOT NULL, automated INTEGER NOT NULL, since INTEGER NOT NULL, expires INTEGER NOT NULL,
		appeal_by INTEGER NOT NULL, stage TEXT NOT NULL, appellant TEXT NOT NULL, statement TEXT NOT NULL,
		grounds TEXT NOT NULL, ended INTEGER NOT NULL, how TEXT NOT NULL, stopped INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX link_block_since ON link_block (since, id);
	CREATE TABLE conversion (
		id TEXT PRIMARY KEY, owner TEXT NOT NULL, publisher TEXT NOT NULL, link TEXT NOT NULL, click TEXT NOT NULL,
		reference TEXT NOT NULL, class TEXT NOT NULL, crossing TEXT NOT NULL, currency TEXT NOT NULL,
		minor INTEGER NOT NULL, at INTEGER NOT NULL, recorded INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX conversion_owner ON conversion (owner, recorded, id)`
}

// Kinds lists the events that the view folds.
func (Register) Kinds() []string {
	return []string{
		"link.destination_registered", "link.destination_changed", "link.destination_closed", "link.placed", "link.closed",
		"link.blocked", "link.appealed", "link.appeal_decided", "link.unblocked", "link.clicked", "link.met_block", "link.converted",
	}
}

// Fold writes what an event changes.
func (r Register) Fold(tx *view.Tx, e journal.Entry) error {
	at := int64(e.At)
	switch v := e.Event.(type) {
	case *DestinationRegistered:
		return tx.Exec(`INSERT INTO destination VALUES (?, ?, ?, ?, ?, ?, ?, 0)`, v.Destination.String(), v.Owner, v.Name, v.NameZH, v.Host, v.Addresses[0].URL, at)
	case *DestinationChanged:
		return tx.Exec(`UPDATE destination SET name = ?, name_zh = ?, url = ? WHERE id = ?`, v.Name, v.NameZH, v.Addresses[0].URL, v.Destination.String())
	case *DestinationClosed:
		return tx.Exec(`UPDATE destination SET closed = 1 WHERE id = ?`, v.Destination.String())
	case *Placed:
		return tx.Exec(`INSERT INTO link VALUES (?, ?, ?, ?, ?, ?, ?, 0)`, v.Link, v.Destination.String(), v.Publisher, v.Owner, v.Agreement.String(), v.Campaign, at)
	case *Closed:
		return tx.Exec(`UPDATE link SET closed = 1 WHERE code = ?`, v.Link)
	case *Clicked:
		return foldClicks(tx, v.Clicks)
	case *Converted:
		return tx.Exec(`INSERT INTO conversion VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, v.Conversion.String(), v.Owner, v.Publisher, v.Link,
			v.Click.String(), v.Reference, v.Class, v.Crossing.String(), v.Amount.Currency.String(), v.Amount.Minor, int64(v.Sale.At), at)
	}
	return r.foldBlock(tx, e)
}

func (Register) foldBlock(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *Blocked:
		return tx.Exec(`INSERT INTO link_block VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', '', 0, '', 0)`, v.Block.String(), v.By, v.Everywhere,
			v.Agreement.String(), v.Destination.String(), v.Host, v.Against, v.Reason, v.Facts, v.Evidence, v.Automated, int64(v.Since),
			int64(v.Expires), int64(v.AppealBy), string(Standing))
	case *Appealed:
		return tx.Exec(`UPDATE link_block SET stage = ?, appellant = ?, statement = ? WHERE id = ?`, string(Contested), v.By, v.Statement, v.Block.String())
	case *AppealDecided:
		stage := Contested // an end follows
		if v.Upheld {
			stage = Upheld
		}
		return tx.Exec(`UPDATE link_block SET stage = ?, grounds = ? WHERE id = ?`, string(stage), v.Grounds, v.Block.String())
	case *Unblocked:
		return tx.Exec(`UPDATE link_block SET ended = ?, how = ? WHERE id = ?`, int64(e.At), string(v.How), v.Block.String())
	case *Met:
		if err := tx.Exec(`UPDATE link_block SET stopped = stopped + ? WHERE id = ?`, v.Stopped.Count, v.Stopped.Block.String()); err != nil {
			return err
		}
		return countDay(tx, v.Stopped.Link, day(v.Stopped.Last), 0, v.Stopped.Count)
	}
	return nil
}

// foldClicks adds a batch up, so that it costs a row a link.
func foldClicks(tx *view.Tx, clicks []Line) error {
	type key struct {
		code string
		day  int64
	}
	n := map[key]int64{}
	for i := range clicks {
		n[key{clicks[i].Link, day(clicks[i].At)}]++
	}
	for k, opened := range n {
		if err := countDay(tx, k.code, k.day, opened, 0); err != nil {
			return err
		}
	}
	return nil
}

func countDay(tx *view.Tx, code string, day, opened, stopped int64) error {
	return tx.Exec(`INSERT INTO link_day VALUES (?, ?, ?, ?)
		ON CONFLICT (code, day) DO UPDATE SET opened = opened + excluded.opened, stopped = stopped + excluded.stopped`, code, day, opened, stopped)
}

func day(t moongate.Time) int64 { return int64(t / moongate.Day) }
