package alipay

import (
	"context"
	"unicode/utf8"

	sdk "github.com/smartwalle/alipay/v3"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

const maxReason = 80 // bytes; the wallet takes 256 characters

// refunded is a refund as alipay.trade.fastpay.refund.query gives it. One that has not gone through has no status; one that
// the wallet does not know has nothing.
type refunded struct {
	answered
	OutTradeNo   string `json:"out_trade_no"`
	OutRequestNo string `json:"out_request_no"`
	TotalAmount  string `json:"total_amount"`
	RefundAmount string `json:"refund_amount"`
	RefundStatus string `json:"refund_status"`
	GMTRefundPay string `json:"gmt_refund_pay"`
	Royaltys     []struct {
		RefundAmount string `json:"refund_amount"`
		ResultCode   string `json:"result_code"`
		TransOut     string `json:"trans_out"`
	} `json:"refund_royaltys"`
}

// Refund implements [pay.Wallet] with alipay.trade.refund. The same number asked twice refunds once. It is done where the
// wallet says that money moved (fund_change Y); otherwise, as when it moved before, only a query tells, which follows.
func (w *Wallet) Refund(ctx context.Context, r pay.RefundOrder) (pay.RefundOutcome, error) {
	if err := checkRefund(opRefund, r); err != nil {
		return pay.RefundOutcome{}, err
	}
	var a struct {
		answered
		OutTradeNo   string `json:"out_trade_no"`
		FundChange   string `json:"fund_change"`
		RefundFee    string `json:"refund_fee"` // so far, of the whole order
		GMTRefundPay string `json:"gmt_refund_pay"`
	}
	p := ofOrder("alipay.trade.refund", r).AddBizField("refund_amount", yuan(r.Amount.Minor))
	if r.Reason != "" {
		p.AddBizField("refund_reason", r.Reason)
	}
	if f, _ := w.ask(ctx, opRefund, p, &a); f != nil {
		return pay.RefundOutcome{}, f
	}
	if a.OutTradeNo != r.OrderNo {
		return pay.RefundOutcome{}, pay.Fail(opRefund, pay.Unknown, "answer speaks of another order", nil)
	}
	sofar, ok := fen(a.RefundFee)
	if at := parseTime(a.GMTRefundPay); a.FundChange == "Y" && ok && sofar >= r.Amount.Minor && at != 0 {
		return pay.RefundOutcome{No: r.No, OrderNo: r.OrderNo, State: pay.RefundDone, Amount: r.Amount, DoneAt: at, Said: "fund_change Y"}, nil
	}
	out, err := w.queryRefund(ctx, opRefund, r)
	if err == nil && out.State != pay.RefundAbsent {
		return out, nil
	}
	// Taken in, and no word of its end: later queries tell.
	return pay.RefundOutcome{No: r.No, OrderNo: r.OrderNo, State: pay.RefundPending, Amount: r.Amount, Said: "fund_change " + clip(a.FundChange)}, nil
}

// ofOrder begins a request about a refund: by the wallet's number of the order where that is known, and by ours of the
// refund.
func ofOrder(method string, r pay.RefundOrder) *sdk.Payload {
	p := sdk.NewPayload(method).AddBizField("out_request_no", r.No)
	if r.OrderRef != "" {
		return p.AddBizField("trade_no", r.OrderRef)
	}
	return p.AddBizField("out_trade_no", r.OrderNo)
}

func checkRefund(op string, r pay.RefundOrder) error {
	switch {
	case !refundNo.MatchString(r.No):
		return local(op, "refund number %.70q: 1 to 64 digits, letters, _ or -", r.No)
	case !orderNo.MatchString(r.OrderNo):
		return local(op, "order number %.70q: 6 to 64 digits, letters or _", r.OrderNo)
	case r.OrderRef != "" && !tradeNo.MatchString(r.OrderRef):
		return local(op, "trade number %.70q: 16 to 64 digits", r.OrderRef)
	case r.Amount.Currency != money.CNY:
		return local(op, "currency %q: the account takes CNY only", r.Amount.Currency)
	case op == opRefund && (r.Amount.Minor < 1 || r.Amount.Minor > r.Total || r.Total > maxAmount):
		return local(op, "refund of %s from an order of %s", r.Amount, money.Of(r.Total, money.CNY))
	case !utf8.ValidString(r.Reason) || len(r.Reason) > maxReason:
		return local(op, "reason has %d bytes, more than %d", len(r.Reason), maxReason)
	}
	return nil
}

// QueryRefund implements [pay.RefundQuerier] with alipay.trade.fastpay.refund.query.
func (w *Wallet) QueryRefund(ctx context.Context, r pay.RefundOrder) (pay.RefundOutcome, error) {
	if err := checkRefund(opQueryRefund, r); err != nil {
		return pay.RefundOutcome{}, err
	}
	return w.queryRefund(ctx, opQueryRefund, r)
}

func (w *Wallet) queryRefund(ctx context.Context, op string, r pay.RefundOrder) (pay.RefundOutcome, error) {
	var a refunded
	f, word := w.ask(ctx, op, ofOrder("alipay.trade.fastpay.refund.query", r), &a)
	out := pay.RefundOutcome{No: r.No, OrderNo: r.OrderNo}
	switch {
	case word == "ACQ.TRADE_NOT_EXIST", word == "TRADE_NOT_EXIST":
		out.State, out.Said = pay.RefundAbsent, word
		return out, nil
	case f != nil:
		return pay.RefundOutcome{}, f
	case a.OutRequestNo == "" && a.RefundStatus == "" && a.RefundAmount == "":
		out.State, out.Said = pay.RefundAbsent, "no such refund"
		return out, nil
	}
	nonsense := func(what string) (pay.RefundOutcome, error) {
		return pay.RefundOutcome{}, pay.Fail(op, pay.Unknown, "wallet's statement makes no sense: "+clip(what), nil)
	}
	amount, ok := fen(a.RefundAmount)
	switch {
	case a.OutRequestNo != r.No || a.OutTradeNo != r.OrderNo:
		return nonsense("it is about another refund")
	case !ok || amount < 1:
		return nonsense("amount " + a.RefundAmount)
	}
	out.Amount, out.Said, out.State = money.Of(amount, money.CNY), clip(a.RefundStatus), pay.RefundPending
	switch a.RefundStatus {
	case "":
		return out, nil
	case "REFUND_SUCCESS":
	default:
		return nonsense("refund_status " + a.RefundStatus)
	}
	if out.DoneAt = parseTime(a.GMTRefundPay); out.DoneAt == 0 {
		return nonsense("done, but without a time")
	}
	out.State = pay.RefundDone
	return out, nil
}
