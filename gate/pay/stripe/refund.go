package stripe

import (
	"context"
	"strings"
	"time"

	sdk "github.com/stripe/stripe-go/v84"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// Refund implements pay.Wallet with POST /v1/refunds. The same number asked twice refunds once: Stripe forgets idempotency keys
// after a day, so it is asked first whether it has done it before (see once).
func (w *Wallet) Refund(ctx context.Context, r pay.RefundOrder) (pay.RefundOutcome, error) {
	switch {
	case r.No == "" || len(r.No) > 64 || r.OrderRef == "":
		return pay.RefundOutcome{}, local(opRefund, "refund %.70q of order %.40q without Stripe's number", r.No, r.OrderNo)
	case r.Amount.Minor < 1 || r.Amount.Minor > r.Total || !w.takes(r.Amount.Currency):
		return pay.RefundOutcome{}, local(opRefund, "refund of %s from an order of %s", r.Amount, money.Of(r.Total, r.Amount.Currency))
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	params := &sdk.RefundCreateParams{
		PaymentIntent: sdk.String(r.OrderRef), Amount: sdk.Int64(r.Amount.Minor),
		Metadata: map[string]string{metaRefund: r.No, metaOrder: r.OrderNo, "reason": r.Reason},
	}
	find := func() (*sdk.Refund, error) { return w.refunded(ctx, &r) }
	answer, err := once(w, opRefund, "moongate/refund/"+r.No, find, func(key string) (*sdk.Refund, error) {
		params.IdempotencyKey = sdk.String(key)
		return w.client.V1Refunds.Create(ctx, params)
	})
	if err != nil {
		return pay.RefundOutcome{}, err
	}
	return refundOutcome(opRefund, r.No, answer)
}

// QueryRefund implements pay.RefundQuerier: it looks through the refunds of the payment.
func (w *Wallet) QueryRefund(ctx context.Context, r pay.RefundOrder) (pay.RefundOutcome, error) {
	if r.OrderRef == "" {
		return pay.RefundOutcome{}, local(opQueryRefund, "order %.40q without Stripe's number", r.OrderNo)
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	found, err := w.refunded(ctx, &r)
	switch {
	case err != nil:
		return pay.RefundOutcome{}, failed(opQueryRefund, err)
	case found == nil:
		return pay.RefundOutcome{No: r.No, State: pay.RefundAbsent, Said: "not in the list"}, nil
	}
	return refundOutcome(opQueryRefund, r.No, found)
}

// refunded looks for a refund among those of its payment. It is nil where there is none under its number.
func (w *Wallet) refunded(ctx context.Context, r *pay.RefundOrder) (*sdk.Refund, error) {
	params := &sdk.RefundListParams{PaymentIntent: sdk.String(r.OrderRef)}
	params.Limit = sdk.Int64(100)
	for one, err := range w.client.V1Refunds.List(ctx, params) {
		if err != nil {
			return nil, err
		}
		if one.Metadata[metaRefund] == r.No {
			return one, nil
		}
	}
	return nil, nil
}

var refundStates = map[sdk.RefundStatus]pay.RefundState{
	sdk.RefundStatusPending: pay.RefundPending, sdk.RefundStatusRequiresAction: pay.RefundStuck, sdk.RefundStatusSucceeded: pay.RefundDone,
	sdk.RefundStatusFailed: pay.RefundClosed, sdk.RefundStatusCanceled: pay.RefundClosed,
}

func refundOutcome(op, no string, r *sdk.Refund) (pay.RefundOutcome, error) {
	currency, err := money.ParseCurrency(strings.ToUpper(string(r.Currency)))
	state, known := refundStates[r.Status]
	if err != nil || !known || r.Amount < 1 || r.ID == "" || len(r.ID) > 64 || r.Metadata[metaRefund] != no {
		return pay.RefundOutcome{}, pay.Fail(op, pay.Unknown, "Stripe's statement makes no sense: "+clip(string(r.Status)), nil)
	}
	return pay.RefundOutcome{
		No: no, OrderNo: r.Metadata[metaOrder], State: state, WalletRef: r.ID, Amount: money.Of(r.Amount, currency),
		DoneAt: moongate.At(time.Unix(r.Created, 0)), Said: clip(string(r.Status) + " " + string(r.FailureReason)),
	}, nil
}
