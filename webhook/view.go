package webhook

import (
	"context"
	"fmt"
	"strconv"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/view"
)

// Views lists the room's.
func (s *State) Views() []view.View { return []view.View{Log{}} }

// Log is the newest deliveries of every endpoint.
type Log struct{}

// logKeeps is how many deliveries of an endpoint are kept.
const logKeeps = 500

// Name is the view's.
func (Log) Name() string { return "webhook" }

// Schema makes the view's table. Numbers count an endpoint's deliveries.
func (Log) Schema() string {
	return `CREATE TABLE webhook_delivery (
		webhook TEXT NOT NULL, number INTEGER NOT NULL, event INTEGER NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
		tries INTEGER NOT NULL, status INTEGER NOT NULL, error TEXT NOT NULL, again INTEGER NOT NULL,
		PRIMARY KEY (webhook, number)
	) WITHOUT ROWID`
}

// Kinds lists the events that the view folds.
func (Log) Kinds() []string {
	return []string{"webhook.progressed", "webhook.redelivered", "webhook.deleted"}
}

// Fold writes what an event changes.
func (Log) Fold(tx *view.Tx, e journal.Entry) error {
	switch v := e.Event.(type) {
	case *Progressed:
		for i, d := range v.Deliveries {
			if err := insert(tx, v.Webhook, v.First+uint64(i), &d, false); err != nil {
				return err
			}
		}
		if len(v.Deliveries) == 0 {
			return nil
		}
		return prune(tx, v.Webhook, v.First+uint64(len(v.Deliveries))-1)
	case *Redelivered:
		if err := insert(tx, v.Webhook, v.Number, &v.Delivery, true); err != nil {
			return err
		}
		return prune(tx, v.Webhook, v.Number)
	case *Deleted:
		return tx.Exec(`DELETE FROM webhook_delivery WHERE webhook = ?`, v.Webhook.String())
	}
	return nil
}

func insert(tx *view.Tx, webhook moongate.ID, number uint64, d *Delivery, again bool) error {
	return tx.Exec(`INSERT INTO webhook_delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		webhook.String(), int64(number), int64(d.Event), d.Kind, int64(d.At), d.Tries, d.Status, d.Error, again)
}

func prune(tx *view.Tx, webhook moongate.ID, newest uint64) error {
	if newest <= logKeeps {
		return nil
	}
	return tx.Exec(`DELETE FROM webhook_delivery WHERE webhook = ? AND number <= ?`, webhook.String(), int64(newest-logKeeps))
}

// Row is a delivery in a list.
type Row struct {
	Position journal.Position // of the event; what it counts is for the hub alone
	Kind     string
	At       moongate.Time
	Tries    int
	Status   int
	Error    string // empty where the message was taken
	Again    bool   // it was sent once more by request
}

// Deliveries lists an endpoint's deliveries, newest first, at most limit (1 to 500), from a cursor on.
func Deliveries(ctx context.Context, db view.DB, webhook moongate.ID, failed bool, after string, limit int) (rows []Row, next string, err error) {
	before := int64(1<<63 - 1)
	if after != "" {
		if before, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, "", &moongate.Error{Code: moongate.Malformed, Field: "after", Message: fmt.Sprintf("%.40q is no cursor", after), Hint: "pass on the one of the page before"}
		}
	}
	limit = max(1, min(limit, 500))
	found, err := db.QueryContext(ctx, `SELECT number, event, kind, at, tries, status, error, again FROM webhook_delivery
		WHERE webhook = ? AND number < ? AND (NOT ? OR error <> '') ORDER BY number DESC LIMIT ?`, webhook.String(), before, failed, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("webhook: deliveries: %w", err)
	}
	defer found.Close()
	rows = []Row{}
	last := int64(0)
	for found.Next() {
		if len(rows) == limit {
			return rows, strconv.FormatInt(last, 10), nil
		}
		var r Row
		if err := found.Scan(&last, &r.Position, &r.Kind, &r.At, &r.Tries, &r.Status, &r.Error, &r.Again); err != nil {
			return nil, "", fmt.Errorf("webhook: deliveries: %w", err)
		}
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		return nil, "", fmt.Errorf("webhook: deliveries: %w", err)
	}
	return rows, "", nil
}
