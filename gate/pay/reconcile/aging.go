package reconcile

import (
	"context"
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/view"
)

// Aging is how many differences of a class stand somewhere, by how long they have: the bounds are [pay.Ages].
type Aging struct {
	Class Class    `json:"class"`
	ByAge [4]int64 `json:"by_age"`
}

// Ages counts the differences that wait for the next day's bill, or for somebody, the gravest class first.
func Ages(ctx context.Context, db view.DB, standing Standing, now moongate.Time) ([]Aging, error) {
	rows, err := db.QueryContext(ctx, `SELECT class, sum(opened > ?1), sum(opened <= ?1 AND opened > ?2), sum(opened <= ?2 AND opened > ?3), sum(opened <= ?3)
		FROM difference WHERE standing = ?4 GROUP BY class`,
		int64(now-pay.Ages[0]), int64(now-pay.Ages[1]), int64(now-pay.Ages[2]), standing.String())
	if err != nil {
		return nil, fmt.Errorf("reconcile: ages: %w", err)
	}
	defer rows.Close()
	of := map[Class]Aging{}
	for rows.Next() {
		var a Aging
		if err := rows.Scan(view.Text{To: &a.Class}, &a.ByAge[0], &a.ByAge[1], &a.ByAge[2], &a.ByAge[3]); err != nil {
			return nil, fmt.Errorf("reconcile: ages: %w", err)
		}
		of[a.Class] = a
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reconcile: ages: %w", err)
	}
	all := []Aging{}
	for c := range Class(len(classes)) {
		if a, ok := of[c]; ok {
			all = append(all, a)
		}
	}
	return all, nil
}
