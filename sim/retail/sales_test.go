package retail

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
)

// TestSalesAgainstModel holds the ring against a list that is searched from its end.
func TestSalesAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 6).Draw(t, "size")
		s := newSales(size)
		var model []*sale
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := saleKey{customer: "1", stock: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "stock"), price: 125}
			now := moongate.Time(rapid.IntRange(1, 4).Draw(t, "time"))
			quantity := int64(rapid.IntRange(1, 6).Draw(t, "quantity"))
			if rapid.Bool().Draw(t, "sale") {
				line := sale{invoice: "i", part: 1, line: i, time: now, quantity: quantity, pence: key.price.Times(quantity) + 1}
				s.add(key, line)
				line.key = key
				if model = append(model, &line); len(model) > size {
					model = model[1:]
				}
				continue
			}
			want, wantFound := modelCancel(model, key, now, quantity)
			got, found := s.cancel(key, now, quantity)
			if found != wantFound {
				t.Fatalf("step %d: found %v, the model %v", i, found, wantFound)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("step %d: %s", i, diff)
			}
		}
		if len(s.latest) > size || len(s.ring) > size {
			t.Fatalf("%d keys and %d lines for a size of %d", len(s.latest), len(s.ring), size)
		}
	})
}

func modelCancel(model []*sale, key saleKey, now moongate.Time, quantity int64) (refunds []Refund, found bool) {
	var fitting []*sale
	var total int64
	for i := len(model) - 1; i >= 0; i-- {
		line := model[i]
		left := line.quantity - line.cancelled
		if line.key != key || line.time > now || left == 0 {
			continue
		}
		if left >= quantity {
			fitting, total = []*sale{line}, quantity
			break
		}
		fitting, total = append(fitting, line), total+left
	}
	if total < quantity {
		return nil, false
	}
	for _, line := range fitting {
		pieces := min(quantity, line.quantity-line.cancelled)
		if pieces == 0 {
			break
		}
		quantity -= pieces
		line.cancelled += pieces
		pence := line.pence*line.cancelled/line.quantity - line.refunded
		line.refunded += pence
		if pence > 0 {
			refunds = append(refunds, Refund{Invoice: line.invoice, Part: line.part, Line: line.line, Quantity: pieces, Pence: pence})
		}
	}
	return refunds, true
}
