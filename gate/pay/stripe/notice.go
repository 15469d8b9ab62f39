package stripe

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	sdk "github.com/stripe/stripe-go/v84"
	"github.com/stripe/stripe-go/v84/webhook"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

const (
	opNotified = "notification"
	maxNotice  = 64 << 10
	tolerance  = 5 * time.Minute
)

// Notified implements pay.Notifier: it checks signature and age of a webhook and reads what it is about. Where the
// event does not say enough, Stripe is asked.
//
// The library checks ages by the wall clock; here the time of the signature is held against the connector's.
func (w *Wallet) Notified(ctx context.Context, header http.Header, body []byte) (pay.Notice, error) {
	if len(body) > maxNotice {
		return refuse("body has %d bytes, more than %d", len(body), maxNotice)
	}
	signature := header.Get("Stripe-Signature")
	if off := w.cfg.Now().Sub(signedAt(signature)).Abs(); off > tolerance {
		return refuse("signed %s from now", off)
	}
	e, err := webhook.ConstructEventWithOptions(body, signature, w.cfg.WebhookSecret, webhook.ConstructEventOptions{IgnoreTolerance: true, IgnoreAPIVersionMismatch: true})
	if err != nil {
		return pay.Notice{}, pay.Fail(opNotified, pay.Refused, "signature or body is not Stripe's", err)
	}
	if e.ID == "" || len(e.ID) > 64 || len(e.Type) > 64 || e.Data == nil {
		return refuse("id %.70q or event %.70q is missing or too long", e.ID, e.Type)
	}
	n := pay.Notice{ID: e.ID, At: moongate.At(time.Unix(e.Created, 0)), Event: string(e.Type)}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	switch {
	case strings.HasPrefix(n.Event, "checkout.session."):
		n.Payment, err = w.sessionTold(ctx, e.Data.Raw)
	case paymentEvents[n.Event]:
		n.Payment, err = w.paymentTold(ctx, e.Data.Raw)
	case strings.HasPrefix(n.Event, "refund.") || n.Event == "charge.refund.updated":
		n.Refund, err = refundTold(e.Data.Raw)
	case strings.HasPrefix(n.Event, "charge.dispute."):
		n.Dispute, err = w.disputeTold(ctx, e.Data.Raw)
	}
	if err != nil {
		return pay.Notice{}, err
	}
	return n, nil
}

func refuse(format string, args ...any) (pay.Notice, error) {
	return pay.Notice{}, pay.Fail(opNotified, pay.Refused, fmt.Sprintf(format, args...), nil)
}

// signedAt is the time in a Stripe-Signature header, long ago where there is none.
func signedAt(header string) time.Time {
	for _, part := range strings.Split(header, ",") {
		if t, ok := strings.CutPrefix(strings.TrimSpace(part), "t="); ok {
			if n, err := strconv.ParseInt(t, 10, 64); err == nil {
				return time.Unix(n, 0)
			}
		}
	}
	return time.Time{}
}

// sessionTold asks Stripe how the session stands: the event has its payment's number alone. A session that is not ours
// gives nothing.
func (w *Wallet) sessionTold(ctx context.Context, raw []byte) (*pay.Outcome, error) {
	var s sdk.CheckoutSession
	if err := json.Unmarshal(raw, &s); err != nil || s.ID == "" {
		return nil, pay.Fail(opNotified, pay.Refused, "the session cannot be read", err)
	}
	if s.Metadata[metaOrder] == "" || s.Metadata[metaOrder] != s.ClientReferenceID {
		return nil, nil
	}
	fresh, err := w.retrieve(ctx, s.ID)
	if err != nil {
		return nil, failed(opNotified, err)
	}
	out, err := w.outcome(opNotified, fresh)
	if err != nil {
		return nil, err
	}
	w.remember(out.No, fresh.ID)
	return &out, nil
}

// paymentEvents say something of an order that its session's do not: its money is reserved, taken, or let go, perhaps by
// time alone. The others of their kind (payment_intent.created, charge.updated) say nothing that counts.
var paymentEvents = map[string]bool{
	"payment_intent.amount_capturable_updated": true, "payment_intent.succeeded": true, "payment_intent.canceled": true,
	"charge.captured": true, "charge.expired": true,
}

// paymentTold asks Stripe how the order of a payment, or of a charge, stands. Events overtake each other, and what they say
// may be over. A payment that is not ours gives nothing.
func (w *Wallet) paymentTold(ctx context.Context, raw []byte) (*pay.Outcome, error) {
	var of struct {
		ID       string            `json:"id"`
		Payment  string            `json:"payment_intent"` // of a charge
		Metadata map[string]string `json:"metadata"`
	}
	if err := json.Unmarshal(raw, &of); err != nil || of.ID == "" {
		return nil, pay.Fail(opNotified, pay.Refused, "the payment cannot be read", err)
	}
	no := of.Metadata[metaOrder]
	if !orderNo.MatchString(no) {
		return nil, nil
	}
	out, err := w.query(ctx, opNotified, pay.Reservation{No: no, Ref: cmp.Or(of.Payment, of.ID)})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func refundTold(raw []byte) (*pay.RefundOutcome, error) {
	var r sdk.Refund
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, pay.Fail(opNotified, pay.Refused, "the refund cannot be read", err)
	}
	no := r.Metadata[metaRefund]
	if no == "" {
		return nil, nil
	}
	out, err := refundOutcome(opNotified, no, &r)
	if err != nil {
		return nil, err
	}
	return &out, nil
}

var disputeStates = map[sdk.DisputeStatus]pay.DisputeState{
	sdk.DisputeStatusNeedsResponse: pay.DisputeOpen, sdk.DisputeStatusWarningNeedsResponse: pay.DisputeOpen,
	sdk.DisputeStatusUnderReview: pay.DisputeReview, sdk.DisputeStatusWarningUnderReview: pay.DisputeReview,
	sdk.DisputeStatusWon: pay.DisputeWon, sdk.DisputeStatusWarningClosed: pay.DisputeWon, sdk.DisputeStatusLost: pay.DisputeLost,
}

func (w *Wallet) disputeTold(ctx context.Context, raw []byte) (*pay.Dispute, error) {
	var d sdk.Dispute
	if err := json.Unmarshal(raw, &d); err != nil || d.ID == "" || len(d.ID) > 64 {
		return nil, pay.Fail(opNotified, pay.Refused, "the dispute cannot be read", err)
	}
	state, known := disputeStates[d.Status]
	if !known || d.PaymentIntent == nil {
		return nil, nil // one of a kind that changes nothing here
	}
	currency, err := money.ParseCurrency(strings.ToUpper(string(d.Currency)))
	if err != nil {
		return nil, pay.Fail(opNotified, pay.Refused, "the dispute's currency cannot be read", err)
	}
	p, err := w.client.V1PaymentIntents.Retrieve(ctx, d.PaymentIntent.ID, &sdk.PaymentIntentRetrieveParams{})
	if err != nil {
		return nil, failed(opNotified, err)
	}
	if p.Metadata[metaOrder] == "" {
		return nil, nil
	}
	out := &pay.Dispute{No: d.ID, OrderNo: p.Metadata[metaOrder], State: state, Amount: money.Of(d.Amount, currency), Reason: clip(string(d.Reason))}
	if d.EvidenceDetails != nil && d.EvidenceDetails.DueBy > 0 {
		out.Due = moongate.At(time.Unix(d.EvidenceDetails.DueBy, 0))
	}
	return out, nil
}
