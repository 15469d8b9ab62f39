package pay

import (
	"context"
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/view"
)

// WalletHealth is how payments have fared at one wallet: those of a span of time, by the wallet that was last tried.
type WalletHealth struct {
	Wallet  string `json:"wallet"`
	Tried   int64  `json:"tried"`
	Paid    int64  `json:"paid"` // money came, whatever became of it later
	Failed  int64  `json:"failed"`
	Unknown int64  `json:"unknown"` // the wallet is being asked

	Refunds       int64 `json:"refunds"` // asked for
	RefundsBack   int64 `json:"refunds_back"`
	RefundsFailed int64 `json:"refunds_failed"`
	RefundsStuck  int64 `json:"refunds_stuck"` // a person must act there, or the answer is missing

	Exceptions int64         `json:"exceptions"` // that wait now, of any age
	Oldest     moongate.Time `json:"oldest,omitzero"`
}

// healthRows bounds how many of the newest payments, and of the newest refunds, are looked at.
const healthRows = 100_000

// Health tells how payments and refunds since a time have fared at each wallet, those of one merchant or of all, by the
// wallet's name.
func Health(ctx context.Context, db view.DB, merchant string, since moongate.Time) ([]WalletHealth, error) {
	rows, err := db.QueryContext(ctx, `WITH
		p AS (SELECT wallet, status, stage FROM payment WHERE created >= ?1 AND (?2 = '' OR merchant = ?2) ORDER BY created DESC LIMIT ?3),
		r AS (SELECT wallet, status FROM refund WHERE opened >= ?1 AND (?2 = '' OR merchant = ?2) ORDER BY opened DESC LIMIT ?3),
		x AS (SELECT wallet, opened FROM exception WHERE ended = 0 AND (?2 = '' OR merchant = ?2)),
		w AS (SELECT wallet FROM p UNION SELECT wallet FROM r UNION SELECT wallet FROM x)
		SELECT w.wallet, coalesce(tried, 0), coalesce(paid, 0), coalesce(failed, 0), coalesce(unsure, 0),
			coalesce(asked, 0), coalesce(back, 0), coalesce(lost, 0), coalesce(stuck, 0), coalesce(waiting, 0), coalesce(oldest, 0)
		FROM w
		LEFT JOIN (SELECT wallet, count(*) AS tried, sum(stage = 'paid') AS paid, sum(stage = 'failed') AS failed, sum(status = 'open' AND stage = 'unknown') AS unsure
			FROM p GROUP BY wallet) a ON a.wallet = w.wallet
		LEFT JOIN (SELECT wallet, count(*) AS asked, sum(status = 'succeeded') AS back, sum(status = 'failed') AS lost, sum(status IN ('held_up', 'unknown')) AS stuck
			FROM r GROUP BY wallet) b ON b.wallet = w.wallet
		LEFT JOIN (SELECT wallet, count(*) AS waiting, min(opened) AS oldest FROM x GROUP BY wallet) c ON c.wallet = w.wallet
		WHERE w.wallet <> '' ORDER BY w.wallet`, int64(since), merchant, healthRows)
	if err != nil {
		return nil, fmt.Errorf("pay: health: %w", err)
	}
	defer rows.Close()
	all := []WalletHealth{}
	for rows.Next() {
		var h WalletHealth
		if err := rows.Scan(&h.Wallet, &h.Tried, &h.Paid, &h.Failed, &h.Unknown, &h.Refunds, &h.RefundsBack, &h.RefundsFailed, &h.RefundsStuck, &h.Exceptions, &h.Oldest); err != nil {
			return nil, fmt.Errorf("pay: health: %w", err)
		}
		all = append(all, h)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("pay: health: %w", err)
	}
	return all, nil
}

// Aging is how many exceptions of a kind wait, by how long they have.
type Aging struct {
	Kind   TroubleKind `json:"kind"`
	ByAge  [4]int64    `json:"by_age"` // under a day, under three, under a week, longer
	Oldest moongate.Time
}

// Ages are the bounds of [Aging].ByAge.
var Ages = [3]moongate.Time{moongate.Day, 3 * moongate.Day, 7 * moongate.Day}

// Waiting counts the exceptions that wait, those of one merchant or of all, the most numerous kind first.
func Waiting(ctx context.Context, db view.DB, merchant string, now moongate.Time) ([]Aging, error) {
	rows, err := db.QueryContext(ctx, `SELECT kind, sum(opened > ?1), sum(opened <= ?1 AND opened > ?2), sum(opened <= ?2 AND opened > ?3), sum(opened <= ?3), min(opened)
		FROM exception WHERE ended = 0 AND (?4 = '' OR merchant = ?4) GROUP BY kind ORDER BY count(*) DESC, kind`,
		int64(now-Ages[0]), int64(now-Ages[1]), int64(now-Ages[2]), merchant)
	if err != nil {
		return nil, fmt.Errorf("pay: waiting exceptions: %w", err)
	}
	defer rows.Close()
	all := []Aging{}
	for rows.Next() {
		var a Aging
		if err := rows.Scan(&a.Kind, &a.ByAge[0], &a.ByAge[1], &a.ByAge[2], &a.ByAge[3], &a.Oldest); err != nil {
			return nil, fmt.Errorf("pay: waiting exceptions: %w", err)
		}
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("pay: waiting exceptions: %w", err)
	}
	return all, nil
}
