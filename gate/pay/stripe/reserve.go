package stripe

import (
	"context"
	"time"

	sdk "github.com/stripe/stripe-go/v84"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// Capture implements [pay.Capturer] with POST /v1/payment_intents/{id}/capture. A payment can be captured once, whatever the
// key of the request: so none is given, and what Stripe remembers under one, an error of its own too, stands in nobody's way.
func (w *Wallet) Capture(ctx context.Context, r pay.Reservation, amount money.Amount) (pay.Outcome, error) {
	return w.reserved(ctx, opCapture, r, func(ctx context.Context, out *pay.Outcome) error {
		if out.State != pay.Reserved || amount.Currency != out.Amount.Currency || amount.Minor < 1 || amount.Minor > out.Amount.Minor {
			return local(opCapture, "%s of an order over %s that is %s", amount, out.Amount, out.State)
		}
		_, err := w.client.V1PaymentIntents.Capture(ctx, out.WalletRef, &sdk.PaymentIntentCaptureParams{AmountToCapture: sdk.Int64(amount.Minor)})
		return err
	})
}

// QueryReserved implements [pay.Capturer].
func (w *Wallet) QueryReserved(ctx context.Context, r pay.Reservation) (pay.Outcome, error) {
	if err := checkReservation(opQuery, &r); err != nil {
		return pay.Outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	return w.query(ctx, opQuery, r)
}

// Release implements [pay.Capturer] with POST /v1/payment_intents/{id}/cancel. What is not even authorised is closed.
func (w *Wallet) Release(ctx context.Context, r pay.Reservation) (pay.Outcome, error) {
	return w.reserved(ctx, opClose, r, func(ctx context.Context, out *pay.Outcome) (err error) {
		if out.State == pay.Reserved {
			_, err = w.client.V1PaymentIntents.Cancel(ctx, out.WalletRef, &sdk.PaymentIntentCancelParams{})
		} else {
			_, err = w.client.V1CheckoutSessions.Expire(ctx, w.remembered(r.No), &sdk.CheckoutSessionExpireParams{})
		}
		return err
	})
}

// reserved changes an order that is neither paid nor closed yet. Where that is turned down somebody may have been faster, the shopper or a
// request of ours whose answer was lost: what has become of the order counts.
func (w *Wallet) reserved(ctx context.Context, op string, r pay.Reservation, act func(context.Context, *pay.Outcome) error) (pay.Outcome, error) {
	if err := checkReservation(op, &r); err != nil {
		return pay.Outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	before, err := w.query(ctx, op, r)
	if err != nil || before.State == pay.Paid || before.State == pay.Closed || before.State == pay.Absent {
		return before, err
	}
	err = act(ctx, &before)
	if err != nil {
		if after, again := w.query(ctx, op, r); again == nil && after.State != before.State {
			return after, nil
		}
		return pay.Outcome{}, failed(op, err)
	}
	return w.query(ctx, op, r)
}

func checkReservation(op string, r *pay.Reservation) error {
	if !orderNo.MatchString(r.No) || len(r.Ref) > 64 {
		return local(op, "order number %.40q: 6 to 32 digits, letters or _-|*", r.No)
	}
	return nil
}

// captureBefore is when the card lets go by itself of what is reserved, 0 where Stripe does not say.
func captureBefore(p *sdk.PaymentIntent) moongate.Time {
	if p.LatestCharge == nil || p.LatestCharge.PaymentMethodDetails == nil || p.LatestCharge.PaymentMethodDetails.Card == nil {
		return 0
	}
	if at := p.LatestCharge.PaymentMethodDetails.Card.CaptureBefore; at > 0 {
		return moongate.At(time.Unix(at, 0))
	}
	return 0
}
