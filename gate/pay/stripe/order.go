package stripe

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	sdk "github.com/stripe/stripe-go/v84"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// Operations, as a [pay.Failure] names them.
const (
	opCreate      = "create"
	opQuery       = "query"
	opClose       = "close"
	opCapture     = "capture"
	opRefund      = "refund"
	opQueryRefund = "query refund"
)

// Bounds of a Checkout Session.
const (
	maxAmount   = 99_999_999 // minor units; Stripe takes eight digits
	sessionLife = 24 * moongate.Hour
	shortest    = 30 * moongate.Minute
	maxListed   = 20_000 // sessions looked through for one that is not remembered
	listed      = 26 * time.Hour
)

// Keys of metadata under which Stripe keeps our numbers.
const (
	metaOrder  = "moongate_order"
	metaRefund = "moongate_refund"
	metaTag    = "moongate_tag"
	metaSplit  = "moongate_split"
)

var orderNo = regexp.MustCompile(`^[0-9A-Za-z_|*-]{6,32}$`)

// Can implements pay.Wallet.
func (w *Wallet) Can() pay.Capabilities {
	can := pay.Capabilities{
		Kind: "stripe", Currencies: w.cfg.Currencies, Channels: []pay.Channel{pay.Redirect}, MaxAmount: maxAmount, MaxRefunds: 50,
		RefundWindow: 180 * moongate.Day, MinLife: shortest, MaxLife: sessionLife, Hold: true,
	}
	if w.cfg.Transfers {
		can.SplitCap = 10_000
	}
	return can
}

// Create implements pay.Wallet with POST /v1/checkout/sessions. An order that is there already gives its session again.
func (w *Wallet) Create(ctx context.Context, o pay.Order) (pay.Handoff, error) {
	if err := w.checkOrder(&o); err != nil {
		return pay.Handoff{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	if id := w.remembered(o.No); id != "" {
		s, err := w.retrieve(ctx, id)
		if err != nil {
			return pay.Handoff{}, failed(opCreate, err)
		}
		return w.handoff(s)
	}
	meta := map[string]string{metaOrder: o.No, metaTag: o.Tag}
	params := &sdk.CheckoutSessionCreateParams{
		Mode: sdk.String("payment"), ClientReferenceID: sdk.String(o.No), Metadata: meta, SuccessURL: sdk.String(o.ReturnURL), CancelURL: sdk.String(o.ReturnURL),
		LineItems: []*sdk.CheckoutSessionCreateLineItemParams{{
			Quantity: sdk.Int64(1),
			PriceData: &sdk.CheckoutSessionCreateLineItemPriceDataParams{
				Currency: sdk.String(strings.ToLower(o.Amount.Currency.String())), UnitAmount: sdk.Int64(o.Amount.Minor),
				ProductData: &sdk.CheckoutSessionCreateLineItemPriceDataProductDataParams{Name: sdk.String(o.Description)},
			},
		}},
		PaymentIntentData: &sdk.CheckoutSessionCreatePaymentIntentDataParams{Metadata: meta, TransferGroup: sdk.String(o.No)},
	}
	if o.Hold {
		params.PaymentIntentData.CaptureMethod = sdk.String("manual")
	}
	// A session lives for at least half an hour. One that must end sooner is expired by Close.
	params.IdempotencyKey = sdk.String("moongate/create/" + o.No)
	s, err := w.client.V1CheckoutSessions.Create(ctx, params)
	var refused *sdk.Error
	if errors.As(err, &refused) && refused.Type == sdk.ErrorTypeIdempotency {
		if s, err = w.find(ctx, o.No); err == nil && s == nil {
			return pay.Handoff{}, pay.Fail(opCreate, pay.Unknown, "the number was used, and its session is not in the list", nil)
		}
	}
	if err != nil {
		return pay.Handoff{}, failed(opCreate, err)
	}
	if s.ClientReferenceID != o.No {
		return pay.Handoff{}, pay.Fail(opCreate, pay.Unknown, "the answer is about another order", nil)
	}
	w.remember(o.No, s.ID)
	return w.handoff(s)
}

func (w *Wallet) handoff(s *sdk.CheckoutSession) (pay.Handoff, error) {
	if s.Status != sdk.CheckoutSessionStatusOpen || s.URL == "" {
		return pay.Handoff{}, pay.Fail(opCreate, pay.Unknown, fmt.Sprintf("the session is %s", clip(string(s.Status))), nil)
	}
	return pay.Handoff{URL: s.URL, Expires: moongate.At(time.Unix(s.ExpiresAt, 0))}, nil
}

func (w *Wallet) checkOrder(o *pay.Order) error {
	switch {
	case !orderNo.MatchString(o.No):
		return local(opCreate, "order number %.40q: 6 to 32 digits, letters or _-|*", o.No)
	case o.Channel != pay.Redirect:
		return local(opCreate, "channel %q: shoppers are sent to Stripe's page", o.Channel)
	case !w.takes(o.Amount.Currency):
		return local(opCreate, "currency %s: the account does not take it", o.Amount.Currency)
	case o.Amount.Minor < 1 || o.Amount.Minor > maxAmount:
		return local(opCreate, "amount of %s", o.Amount)
	case !utf8.ValidString(o.Description) || o.Description == "" || utf8.RuneCountInString(o.Description) > 127:
		return local(opCreate, "description of %d characters: 1 to 127", utf8.RuneCountInString(o.Description))
	case len(o.Tag) > 128 || o.ReturnURL == "":
		return local(opCreate, "tag of %d bytes, way back %.80q", len(o.Tag), o.ReturnURL)
	case len(o.Parts) > 0:
		return local(opCreate, "orders are not combined here")
	}
	return nil
}

func (w *Wallet) takes(c money.Currency) bool {
	for _, one := range w.cfg.Currencies {
		if one == c {
			return true
		}
	}
	return false
}

func (w *Wallet) retrieve(ctx context.Context, id string) (*sdk.CheckoutSession, error) {
	params := &sdk.CheckoutSessionRetrieveParams{}
	params.AddExpand("payment_intent.latest_charge") // which says until when a reservation lasts
	return w.client.V1CheckoutSessions.Retrieve(ctx, id, params)
}

// find looks for an order's session: the one remembered, or the one in the list of the last day, or that of a payment which
// the search knows. The search lags, but what is not in the list was paid, if ever, within the day after it began: long
// enough ago. It is nil where the list was read to its end and neither has it.
func (w *Wallet) find(ctx context.Context, no string) (*sdk.CheckoutSession, error) {
	if id := w.remembered(no); id != "" {
		return w.retrieve(ctx, id)
	}
	since := w.cfg.Now().Add(-listed).Unix()
	params := &sdk.CheckoutSessionListParams{CreatedRange: &sdk.RangeQueryParams{GreaterThanOrEqual: since}}
	params.Limit = sdk.Int64(100)
	n := 0
	for s, err := range w.client.V1CheckoutSessions.List(ctx, params) {
		if err != nil {
			return nil, err
		}
		if s.ClientReferenceID == no {
			w.remember(no, s.ID)
			return w.retrieve(ctx, s.ID)
		}
		if n++; n >= maxListed {
			break
		}
	}
	search := &sdk.PaymentIntentSearchParams{SearchParams: sdk.SearchParams{Query: fmt.Sprintf("metadata['%s']:'%s'", metaOrder, no)}}
	for p, err := range w.client.V1PaymentIntents.Search(ctx, search) {
		if err != nil {
			return nil, err
		}
		if p.Metadata[metaOrder] == no {
			return w.ofPayment(ctx, no, p.ID)
		}
	}
	if n >= maxListed {
		return nil, pay.Fail(opQuery, pay.Unknown, fmt.Sprintf("it is not among the last %d sessions, and there are more", n), nil)
	}
	return nil, nil
}

// ofPayment finds an order's session by Stripe's number of its payment.
func (w *Wallet) ofPayment(ctx context.Context, no, payment string) (*sdk.CheckoutSession, error) {
	if id := w.remembered(no); id != "" {
		return w.retrieve(ctx, id)
	}
	params := &sdk.CheckoutSessionListParams{PaymentIntent: sdk.String(payment)}
	for s, err := range w.client.V1CheckoutSessions.List(ctx, params) {
		if err != nil {
			return nil, err
		}
		if s.ClientReferenceID == no {
			w.remember(no, s.ID)
			return w.retrieve(ctx, s.ID)
		}
	}
	return nil, pay.Fail(opQuery, pay.Unknown, "Stripe knows the order's payment, and not its session", nil)
}

// Query implements pay.Wallet.
func (w *Wallet) Query(ctx context.Context, no string) (pay.Outcome, error) {
	if !orderNo.MatchString(no) {
		return pay.Outcome{}, local(opQuery, "order number %.40q: 6 to 32 digits, letters or _-|*", no)
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	return w.query(ctx, opQuery, pay.Reservation{No: no})
}

func (w *Wallet) query(ctx context.Context, op string, r pay.Reservation) (pay.Outcome, error) {
	var s *sdk.CheckoutSession
	var err error
	if r.Ref != "" {
		s, err = w.ofPayment(ctx, r.No, r.Ref)
	} else {
		s, err = w.find(ctx, r.No)
	}
	switch {
	case err != nil:
		return pay.Outcome{}, failed(op, err)
	case s == nil:
		return pay.Outcome{No: r.No, State: pay.Absent, Said: "neither in the list nor found"}, nil
	}
	return w.outcome(op, s)
}

// Close implements pay.Wallet with POST /v1/checkout/sessions/{id}/expire, and by cancelling what was only authorised.
func (w *Wallet) Close(ctx context.Context, no string) (pay.Outcome, error) {
	return w.Release(ctx, pay.Reservation{No: no})
}

// outcome reads a session with its payment, and believes it only where it is whole.
func (w *Wallet) outcome(op string, s *sdk.CheckoutSession) (pay.Outcome, error) {
	nonsense := func(what string) (pay.Outcome, error) {
		return pay.Outcome{}, pay.Fail(op, pay.Unknown, "Stripe's statement makes no sense: "+what, nil)
	}
	currency, err := money.ParseCurrency(strings.ToUpper(string(s.Currency)))
	if err != nil || !orderNo.MatchString(s.ClientReferenceID) || s.AmountTotal < 1 {
		return nonsense("order number, amount or currency")
	}
	out := pay.Outcome{
		No: s.ClientReferenceID, Amount: money.Of(s.AmountTotal, currency), Tag: s.Metadata[metaTag],
		Said: clip(string(s.Status) + " " + string(s.PaymentStatus)),
	}
	p := s.PaymentIntent
	if p != nil {
		out.WalletRef = p.ID
		out.Said = clip(out.Said + " " + string(p.Status))
	}
	switch {
	case s.Status == sdk.CheckoutSessionStatusExpired:
		out.State = pay.Closed
	case s.Status == sdk.CheckoutSessionStatusOpen:
		out.State = pay.Awaiting
	case s.Status != sdk.CheckoutSessionStatusComplete || p == nil || out.WalletRef == "" || len(out.WalletRef) > 64:
		return nonsense("status " + out.Said)
	case p.Status == sdk.PaymentIntentStatusRequiresCapture:
		out.State, out.Until = pay.Reserved, captureBefore(p)
	case p.Status == sdk.PaymentIntentStatusCanceled:
		out.State = pay.Closed
	case p.Status == sdk.PaymentIntentStatusSucceeded && p.AmountReceived > 0:
		out.State, out.PayerTotal, out.PaidAt = pay.Paid, p.AmountReceived, moongate.At(time.Unix(max(p.Created, s.Created), 0))
		out.Amount.Minor = p.AmountReceived // of a capture it may be less than was ordered
	case p.Status == sdk.PaymentIntentStatusProcessing:
		out.State = pay.Awaiting
	default:
		return nonsense("status " + out.Said)
	}
	return out, nil
}

func local(op, format string, args ...any) error {
	return pay.Fail(op, pay.Refused, fmt.Sprintf(format, args...), nil)
}

// clip bounds text from outside before it goes into a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}
