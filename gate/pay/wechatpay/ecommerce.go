package wechatpay

import (
	"context"
	"net/url"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// Refunds and splits of a sub-merchant's order (电商收付通, /v3/ecommerce/…): the same as those of the account's own, under other
// addresses, other names, and with the sub-merchant in each. The SDK has no service for them.

const refundsPath = "/v3/ecommerce/refunds/"

// subRefund is a refund of a sub-merchant's order as the wallet gives it. The answer to the application has no status: what
// was accepted is under way.
type subRefund struct {
	RefundID    string `json:"refund_id"`
	OutRefundNo string `json:"out_refund_no"`
	OutTradeNo  string `json:"out_trade_no"`
	Status      string `json:"status"`
	SuccessTime string `json:"success_time"`
	Amount      struct {
		Refund   int64  `json:"refund"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

func (r *subRefund) outcome(op, no string) (pay.RefundOutcome, error) {
	out := pay.RefundOutcome{No: r.OutRefundNo, OrderNo: r.OutTradeNo, WalletRef: r.RefundID, Said: clip(r.Status), DoneAt: parseTime(r.SuccessTime)}
	if r.Amount.Currency == "" || r.Amount.Currency == "CNY" {
		out.Amount = money.Of(r.Amount.Refund, money.CNY)
	}
	return completeRefund(op, no, out)
}

func (w *Wallet) refundSub(ctx context.Context, r pay.RefundOrder) (pay.RefundOutcome, error) {
	ctx, cancel, err := w.begin(ctx, opRefund)
	if err != nil {
		return pay.RefundOutcome{}, err
	}
	defer cancel()
	body := fields{
		"sub_mchid": r.Sub, "sp_appid": w.cfg.AppID, "out_refund_no": r.No,
		"amount": fields{"refund": r.Amount.Minor, "total": r.Total, "currency": "CNY"},
	}
	for name, v := range map[string]string{"reason": r.Reason, "notify_url": r.NotifyURL, "transaction_id": r.OrderRef} {
		if v != "" {
			body[name] = v
		}
	}
	if r.OrderRef == "" {
		body["out_trade_no"] = r.OrderNo
	}
	var a subRefund
	if err := w.post(ctx, refundsPath+"apply", body, &a); err != nil {
		f, _ := w.failed(ctx, opRefund, err)
		return pay.RefundOutcome{}, f
	}
	if a.Status == "" {
		a.Status = "PROCESSING"
	}
	out, err := a.outcome(opRefund, r.No)
	if err == nil && out.OrderNo == "" {
		out.OrderNo = r.OrderNo
	}
	return out, err
}

func (w *Wallet) queryRefundSub(ctx context.Context, r pay.RefundOrder) (pay.RefundOutcome, error) {
	ctx, cancel, err := w.begin(ctx, opQueryRefund)
	if err != nil {
		return pay.RefundOutcome{}, err
	}
	defer cancel()
	var a subRefund
	if err := w.get(ctx, refundsPath+"out-refund-no/"+url.PathEscape(r.No), url.Values{"sub_mchid": {r.Sub}}, &a); err != nil {
		f, word := w.failed(ctx, opQueryRefund, err)
		if word == "RESOURCE_NOT_EXISTS" {
			return pay.RefundOutcome{No: r.No, State: pay.RefundAbsent, Said: word}, nil
		}
		return pay.RefundOutcome{}, f
	}
	return a.outcome(opQueryRefund, r.No)
}

const sharingPath = "/v3/ecommerce/profitsharing/"

// subSplit is a split of a sub-merchant's order as the wallet gives it.
type subSplit struct {
	SubMchID      string `json:"sub_mchid"`
	TransactionID string `json:"transaction_id"`
	OutOrderNo    string `json:"out_order_no"`
	OrderID       string `json:"order_id"`
	Status        string `json:"status"`
	Receivers     []struct {
		Account    string `json:"receiver_account"`
		Amount     int64  `json:"amount"`
		Result     string `json:"result"`
		FailReason string `json:"fail_reason"`
	} `json:"receivers"`
}

func (w *Wallet) admitSub(ctx context.Context, r pay.Receiver) error {
	body := fields{"appid": w.cfg.AppID, "type": "MERCHANT_ID", "account": r.Account, "relation_type": "PLATFORM"}
	if r.Name != "" {
		body["name"] = r.Name
	}
	var a struct {
		Account string `json:"account"`
	}
	if err := w.post(ctx, sharingPath+"receivers/add", body, &a); err != nil {
		f, _ := w.failed(ctx, opAdmit, err)
		return f
	}
	return nil
}

// splitSub splits with POST …/orders, or releases what is left with …/finish-order, whose answer says nothing of how far it
// is: it is queried.
func (w *Wallet) splitSub(ctx context.Context, s pay.SplitOrder) (pay.SplitOutcome, error) {
	ctx, cancel, err := w.begin(ctx, opSplit)
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	defer cancel()
	path, body := "orders", fields{"appid": w.cfg.AppID, "sub_mchid": s.Sub, "transaction_id": s.OrderRef, "out_order_no": s.No, "finish": s.Finish}
	if len(s.Parts) == 0 {
		path, body = "finish-order", fields{"sub_mchid": s.Sub, "transaction_id": s.OrderRef, "out_order_no": s.No, "description": "解冻全部剩余资金"}
	} else {
		receivers := make([]fields, len(s.Parts))
		for i, p := range s.Parts {
			receivers[i] = fields{"type": "MERCHANT_ID", "receiver_account": p.Account, "amount": p.Amount, "description": p.Note}
		}
		body["receivers"] = receivers
	}
	var a subSplit
	if err := w.post(ctx, sharingPath+path, body, &a); err != nil {
		f, _ := w.failed(ctx, opSplit, err)
		return pay.SplitOutcome{}, f
	}
	if a.Status == "" {
		a.Status = "PROCESSING"
	}
	return a.outcome(opSplit, s)
}

func (w *Wallet) querySplitSub(ctx context.Context, s pay.SplitOrder) (pay.SplitOutcome, error) {
	ctx, cancel, err := w.begin(ctx, opQuerySplit)
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	defer cancel()
	var a subSplit
	if err := w.get(ctx, sharingPath+"orders", url.Values{"sub_mchid": {s.Sub}, "transaction_id": {s.OrderRef}, "out_order_no": {s.No}}, &a); err != nil {
		f, word := w.failed(ctx, opQuerySplit, err)
		if word == "RESOURCE_NOT_EXISTS" {
			return pay.SplitOutcome{No: s.No, State: pay.SplitAbsent, Said: word}, nil
		}
		return pay.SplitOutcome{}, f
	}
	return a.outcome(opQuerySplit, s)
}

func (a *subSplit) outcome(op string, s pay.SplitOrder) (pay.SplitOutcome, error) {
	if a.SubMchID != s.Sub {
		return pay.SplitOutcome{}, pay.Fail(op, pay.Unknown, "answer speaks of another sub-merchant", nil)
	}
	told := make([]toldPart, len(a.Receivers))
	for i, r := range a.Receivers {
		told[i] = toldPart{r.Account, r.Result, r.FailReason, r.Amount}
	}
	return splitOf(op, s, pay.SplitOutcome{No: a.OutOrderNo, OrderRef: a.TransactionID, WalletRef: a.OrderID, Said: clip(a.Status)}, told)
}

// subReturn is what comes back of a split, as the wallet gives it.
type subReturn struct {
	SubMchID    string `json:"sub_mchid"`
	OutOrderNo  string `json:"out_order_no"`
	OutReturnNo string `json:"out_return_no"`
	Ref         string `json:"return_no"`
	Amount      int64  `json:"amount"`
	Result      string `json:"result"`
	FailReason  string `json:"fail_reason"`
}

func (a *subReturn) outcome(op string, u pay.UnsplitOrder) (pay.SplitOutcome, error) {
	if a.SubMchID != u.Sub {
		return pay.SplitOutcome{}, pay.Fail(op, pay.Unknown, "answer speaks of another sub-merchant", nil)
	}
	return unsplitOf(op, u, returnTold{a.OutReturnNo, a.OutOrderNo, a.Ref, a.Result, a.FailReason, a.Amount})
}

func (w *Wallet) unsplitSub(ctx context.Context, u pay.UnsplitOrder) (pay.SplitOutcome, error) {
	ctx, cancel, err := w.begin(ctx, opUnsplit)
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	defer cancel()
	var a subReturn
	err = w.post(ctx, sharingPath+"returnorders", fields{
		"sub_mchid": u.Sub, "out_order_no": u.SplitNo, "out_return_no": u.No, "return_mchid": u.Account, "amount": u.Amount.Minor, "description": u.Note,
	}, &a)
	if err != nil {
		f, _ := w.failed(ctx, opUnsplit, err)
		return pay.SplitOutcome{}, f
	}
	return a.outcome(opUnsplit, u)
}

func (w *Wallet) queryUnsplitSub(ctx context.Context, u pay.UnsplitOrder) (pay.SplitOutcome, error) {
	ctx, cancel, err := w.begin(ctx, opQueryUnsplit)
	if err != nil {
		return pay.SplitOutcome{}, err
	}
	defer cancel()
	var a subReturn
	if err := w.get(ctx, sharingPath+"returnorders", url.Values{"sub_mchid": {u.Sub}, "out_return_no": {u.No}, "out_order_no": {u.SplitNo}}, &a); err != nil {
		f, word := w.failed(ctx, opQueryUnsplit, err)
		if word == "RESOURCE_NOT_EXISTS" {
			return pay.SplitOutcome{No: u.No, State: pay.SplitAbsent, Said: word}, nil
		}
		return pay.SplitOutcome{}, f
	}
	return a.outcome(opQueryUnsplit, u)
}
