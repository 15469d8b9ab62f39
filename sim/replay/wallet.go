package replay

import (
	"context"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// recorded is a wallet whose payments were made long ago: it takes every order, and gives back what it is told to.
// That an order was paid is told by the replay, as a wallet's notification would.
type recorded struct {
	currency money.Currency
	clock    *Clock
}

// Can is as much as any wallet.
func (w recorded) Can() pay.Capabilities {
	return pay.Capabilities{
		Kind: "recorded", Currencies: []money.Currency{w.currency}, Channels: []pay.Channel{pay.QR}, MaxAmount: 1 << 50, MaxRefunds: 1000,
		RefundWindow: 1000 * moongate.Day, MaxLife: moongate.Day, MinLife: moongate.Minute,
	}
}

// Create hands over at once.
func (w recorded) Create(_ context.Context, o pay.Order) (pay.Handoff, error) {
	return pay.Handoff{QR: "recorded:" + o.No, Expires: o.Expires}, nil
}

// Query knows nothing that the replay does not tell by itself.
func (w recorded) Query(_ context.Context, no string) (pay.Outcome, error) {
	return pay.Outcome{No: no, State: pay.Awaiting, Said: "RECORDED"}, nil
}

// Close closes.
func (w recorded) Close(_ context.Context, no string) (pay.Outcome, error) {
	return pay.Outcome{No: no, State: pay.Closed, Said: "RECORDED"}, nil
}

// Refund gives back at once.
func (w recorded) Refund(_ context.Context, r pay.RefundOrder) (pay.RefundOutcome, error) {
	return pay.RefundOutcome{
		No: r.No, OrderNo: r.OrderNo, State: pay.RefundDone, WalletRef: "recorded-" + r.No, Amount: r.Amount,
		DoneAt: moongate.At(w.clock.Now()), Said: "RECORDED",
	}, nil
}
