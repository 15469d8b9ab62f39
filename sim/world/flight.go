package world

import "github.com/moongate-hub/moongate/gate/pay"

// InFlight gives an order that a wallet has been asked to take and whose end nobody knows yet; nil for none. Ask on the
// loop's goroutine.
func (w *World) InFlight() *Order {
	for _, c := range w.counters {
		c.mu.Lock()
		orders := c.orders
		c.mu.Unlock()
		for i := len(orders) - 1; i >= 0; i-- {
			if o := orders[i]; !o.Payment.IsZero() && len(o.attempts) > 0 && (o.Status == "" || o.Status == pay.Open) {
				return o
			}
		}
	}
	return nil
}
