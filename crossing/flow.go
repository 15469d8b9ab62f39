package crossing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// Flow sums crossings between two gardens that stand alike. Without a part in what both gardens share, the reader sees
// neither: From and To are empty, and the amount is its own.
type Flow struct {
	From, To string
	Kind     Kind
	State    Stage
	Currency money.Currency // none where nothing of value moved
	Count    int64
	Amount   int64
}

// Flows sums what was recorded since a time, as a participant may see it; all of it where participant is "", which is
// for operators. It reads the views and is as old as they are.
func Flows(ctx context.Context, db view.DB, participant string, since moongate.Time) ([]Flow, error) {
	from, err := firstSince(ctx, db, since)
	if err != nil {
		return nil, fmt.Errorf("crossing: flows: %w", err)
	}
	query, args := `SELECT from_party, to_party, kind, state, currency, count(*), sum(amount) FROM crossing
		WHERE position >= ? AND at >= ? GROUP BY 1, 2, 3, 4, 5`, []any{from, int64(since)}
	if participant != "" {
		query, args = `SELECT CASE WHEN p.shared THEN c.from_party ELSE '' END, CASE WHEN p.shared THEN c.to_party ELSE '' END,
			c.kind, c.state, c.currency, count(*), sum(CASE WHEN p.shared THEN c.amount ELSE p.own END)
			FROM crossing_party p JOIN crossing c ON c.position = p.position
			WHERE p.party = ? AND p.position >= ? AND c.at >= ? GROUP BY 1, 2, 3, 4, 5`, []any{participant, from, int64(since)}
	}
	found, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("crossing: flows: %w", err)
	}
	defer found.Close()
	var all []Flow
	for found.Next() {
		var f Flow
		var kind, currency string
		err := found.Scan(&f.From, &f.To, &kind, &f.State, &currency, &f.Count, &f.Amount)
		err = errors.Join(err, f.Kind.UnmarshalText([]byte(kind)))
		if currency != "" {
			err = errors.Join(err, f.Currency.UnmarshalText([]byte(currency)))
		}
		if err != nil {
			return nil, fmt.Errorf("crossing: flows: %w", err)
		}
		all = append(all, f)
	}
	return all, found.Err()
}

// firstSince finds by halving the first position at which a crossing is not older than a time: positions and times grow
// together.
func firstSince(ctx context.Context, db view.DB, since moongate.Time) (int64, error) {
	var low, high int64
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(position), 0) + 1 FROM crossing`).Scan(&high); err != nil {
		return 0, err
	}
	for low < high {
		middle := low + (high-low)/2
		var position, at int64
		err := db.QueryRowContext(ctx, `SELECT position, at FROM crossing WHERE position >= ? ORDER BY position LIMIT 1`, middle).Scan(&position, &at)
		switch {
		case errors.Is(err, sql.ErrNoRows) || err == nil && at >= int64(since):
			high = middle
		case err != nil:
			return 0, err
		default:
			low = position + 1
		}
	}
	return low, nil
}
