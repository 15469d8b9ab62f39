package wechatpay

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/wechatpay-apiv3/wechatpay-go/core"
	"github.com/wechatpay-apiv3/wechatpay-go/services/refunddomestic"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

const maxReason = 80 // bytes

// Refund implements pay.Wallet with POST /v3/refund/domestic/refunds, of a sub-merchant's order /v3/ecommerce/refunds/apply. The same number asked twice refunds once.
func (w *Wallet) Refund(ctx context.Context, r pay.RefundOrder) (pay.RefundOutcome, error) {
	if err := checkRefund(r); err != nil {
		return pay.RefundOutcome{}, err
	}
	if r.Sub != "" {
		return w.refundSub(ctx, r)
	}
	ctx, cancel, err := w.begin(ctx, opRefund)
	if err != nil {
		return pay.RefundOutcome{}, err
	}
	defer cancel()
	request := refunddomestic.CreateRequest{
		OutRefundNo: core.String(r.No),
		Reason:      optional(r.Reason),
		NotifyUrl:   optional(r.NotifyURL),
		Amount: &refunddomestic.AmountReq{
			Refund: core.Int64(r.Amount.Minor), Total: core.Int64(r.Total), Currency: core.String("CNY"),
		},
	}
	if r.OrderRef != "" { // the wallet prefers its own number; by ours it has been seen not to find a fresh payment
		request.TransactionId = core.String(r.OrderRef)
	} else {
		request.OutTradeNo = core.String(r.OrderNo)
	}
	service := refunddomestic.RefundsApiService{Client: w.client}
	answer, _, err := service.Create(ctx, request)
	if err != nil {
		f, _ := w.failed(ctx, opRefund, err)
		return pay.RefundOutcome{}, f
	}
	return refundOutcome(opRefund, r.No, answer)
}

func checkRefund(r pay.RefundOrder) error {
	switch {
	case !refundNo.MatchString(r.No):
		return local(opRefund, "refund number %.70q: 1 to 64 digits, letters or _-|*@", r.No)
	case !orderNo.MatchString(r.OrderNo):
		return local(opRefund, "order number %.40q: 6 to 32 digits, letters or _-|*", r.OrderNo)
	case r.Sub != "" && !number.MatchString(r.Sub):
		return local(opRefund, "sub-merchant %.40q is not a merchant number", r.Sub)
	case r.Amount.Currency != money.CNY:
		return local(opRefund, "currency %q: the account takes CNY only", r.Amount.Currency)
	case r.Amount.Minor < 1 || r.Amount.Minor > r.Total || r.Total > maxAmount:
		return local(opRefund, "refund of %s from an order of %s", r.Amount, money.Of(r.Total, money.CNY))
	case !utf8.ValidString(r.Reason) || len(r.Reason) > maxReason:
		return local(opRefund, "reason has %d bytes, more than %d", len(r.Reason), maxReason)
	case r.NotifyURL == "":
		return nil
	}
	return checkNotifyURL(opRefund, r.NotifyURL)
}

// QueryRefund implements pay.RefundQuerier with GET /v3/refund/domestic/refunds/{no}.
func (w *Wallet) QueryRefund(ctx context.Context, r pay.RefundOrder) (pay.RefundOutcome, error) {
	no := r.No
	if !refundNo.MatchString(no) {
		return pay.RefundOutcome{}, local(opQueryRefund, "refund number %.70q: 1 to 64 digits, letters or _-|*@", no)
	}
	if r.Sub != "" {
		return w.queryRefundSub(ctx, r)
	}
	ctx, cancel, err := w.begin(ctx, opQueryRefund)
	if err != nil {
		return pay.RefundOutcome{}, err
	}
	defer cancel()
	service := refunddomestic.RefundsApiService{Client: w.client}
	answer, _, err := service.QueryByOutRefundNo(ctx, refunddomestic.QueryByOutRefundNoRequest{OutRefundNo: core.String(no)})
	if err != nil {
		f, word := w.failed(ctx, opQueryRefund, err)
		if word == "RESOURCE_NOT_EXISTS" {
			return pay.RefundOutcome{No: no, State: pay.RefundAbsent, Said: word}, nil
		}
		return pay.RefundOutcome{}, f
	}
	return refundOutcome(opQueryRefund, no, answer)
}

var refundStates = map[string]pay.RefundState{
	"PROCESSING": pay.RefundPending,
	"SUCCESS":    pay.RefundDone,
	"CLOSED":     pay.RefundClosed,
	"ABNORMAL":   pay.RefundStuck,
}

func refundOutcome(op, no string, r *refunddomestic.Refund) (pay.RefundOutcome, error) {
	out := pay.RefundOutcome{
		No: value(r.OutRefundNo), OrderNo: value(r.OutTradeNo), WalletRef: value(r.RefundId), Said: clip(string(value(r.Status))),
	}
	if r.SuccessTime != nil {
		out.DoneAt = moongate.At(*r.SuccessTime)
	}
	if a := r.Amount; a != nil && (a.Currency == nil || *a.Currency == "CNY") {
		out.Amount = money.Of(value(a.Refund), money.CNY)
	}
	return completeRefund(op, no, out)
}

func completeRefund(op, no string, out pay.RefundOutcome) (pay.RefundOutcome, error) {
	nonsense := func(what string) (pay.RefundOutcome, error) {
		return pay.RefundOutcome{}, pay.Fail(op, pay.Unknown, "wallet's statement makes no sense: "+what, nil)
	}
	state, known := refundStates[out.Said]
	switch {
	case out.No != no:
		return nonsense("it is about another refund")
	case !known:
		return nonsense("status " + out.Said)
	case out.WalletRef == "" || len(out.WalletRef) > 32 || out.Amount.Minor < 1:
		return nonsense("without number or amount")
	case state == pay.RefundDone && out.DoneAt == 0:
		return nonsense("done, but without a time")
	}
	out.State = state
	return out, nil
}

func parseTime(s string) moongate.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0
	}
	return moongate.At(t)
}
