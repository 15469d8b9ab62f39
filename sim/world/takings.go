package world

import (
	"context"
	"net/url"

	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/crossing"
)

const pathCrossings = "/v1/crossings"

// Takings asks the hub, as each participant for itself, what it got by the purchases that crossed, and gave by the
// refunds: fen, by handle.
func (w *World) Takings(ctx context.Context) (map[string]int64, error) {
	got := map[string]int64{}
	for handle, m := range w.members {
		for row, err := range client.All[crossing.Row](ctx, m.hub, pathCrossings, url.Values{"limit": {"200"}}) {
			if err != nil {
				return nil, err
			}
			if row.Currency == cny && row.State == crossing.Done {
				got[handle] += row.Own
			}
		}
	}
	return got, nil
}
