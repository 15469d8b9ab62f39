package wechatpay

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

const (
	maxRefunds   = 50 // of one order
	refundWindow = 365 * 24 * time.Hour
)

// Refund states.
const (
	processing = "PROCESSING"
	abnormal   = "ABNORMAL"
)

// refund is one refund with all that is known of it.
type refund struct {
	MchID     string
	No        string // out_refund_no
	OrderNo   string
	RefundID  string
	Amount    int64
	Reason    string `json:",omitempty"`
	NotifyURL string `json:",omitempty"`
	State     string
	Becomes   string // the state it will have when it is through
	Created   time.Time
	Done      time.Time `json:",omitzero"`
	FeeBack   int64     `json:",omitempty"` // fen of the payment's fee that come back
	Owed      int64     // of the amount, what the merchant's account gives back
}

type refundRequest struct {
	SubMchID      string `json:"sub_mchid"`
	SpAppID       string `json:"sp_appid"`
	TransactionID string `json:"transaction_id"`
	OutTradeNo    string `json:"out_trade_no"`
	OutRefundNo   string `json:"out_refund_no"`
	Reason        string `json:"reason"`
	NotifyURL     string `json:"notify_url"`
	Amount        *struct {
		Refund   json.Number `json:"refund"`
		Total    json.Number `json:"total"`
		Currency string      `json:"currency"`
	} `json:"amount"`
}

// createRefund answers POST /v3/refund/domestic/refunds.
func (w *Wallet) createRefund(c call) answer {
	r, o, fault := w.takeRefund(c)
	if fault != nil {
		return answer{fault: fault}
	}
	return answer{value: r.statement(o)}
}

// takeRefund takes a refund in, or finds the one that was asked for before.
func (w *Wallet) takeRefund(c call) (*refund, *order, *refusal) {
	p, amount, total, fault := readRefund(c.body)
	if fault != nil {
		return nil, nil, fault
	}
	o := c.m.byRef[p.TransactionID]
	if p.TransactionID == "" {
		o = c.m.orders[p.OutTradeNo]
	}
	if o == nil || o.Burned || o.Sub != p.SubMchID {
		return nil, nil, refuse("RESOURCE_NOT_EXISTS", "订单不存在")
	}
	if r := c.m.refunds[p.OutRefundNo]; r != nil {
		if r.OrderNo != o.No || r.Amount != amount || o.Total != total {
			w.Violated(sandbox.RuleOtherRefund, c.m.MchID, r.No, "asked for %d fen of %s, then for %d fen of %s", r.Amount, r.OrderNo, amount, o.No)
			return nil, nil, refuse("INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试")
		}
		return r, o, nil
	}
	if fault := w.mayRefund(c.m, o, p, amount, total); fault != nil {
		return nil, nil, fault
	}
	return w.accept(c, o, p, amount), o, nil
}

func readRefund(body []byte) (p refundRequest, amount, total int64, fault *refusal) {
	if err := json.Unmarshal(body, &p); err != nil {
		return p, 0, 0, parameter("body", "", nil, "请求体不是合法的JSON")
	}
	switch {
	case !refundNo.MatchString(p.OutRefundNo):
		return p, 0, 0, parameter("body", "out_refund_no", p.OutRefundNo, "1-64个字符，只能是数字、大小写字母_-|*@")
	case p.TransactionID == "" && p.OutTradeNo == "":
		return p, 0, 0, parameter("body", "transaction_id", "", "transaction_id与out_trade_no二选一")
	case len(p.Reason) > 80:
		return p, 0, 0, parameter("body", "reason", p.Reason, "不超过80个字符")
	case p.NotifyURL != "" && !notifyURL(p.NotifyURL):
		return p, 0, 0, parameter("body", "notify_url", p.NotifyURL, "可访问的URL，不能携带参数")
	case p.Amount == nil:
		return p, 0, 0, parameter("body", "amount", nil, "此字段为必填项")
	case p.Amount.Currency != "CNY":
		return p, 0, 0, parameter("body", "amount/currency", p.Amount.Currency, "仅支持CNY")
	}
	amount, err := strconv.ParseInt(p.Amount.Refund.String(), 10, 64)
	if err != nil || amount < 1 {
		return p, 0, 0, parameter("body", "amount/refund", p.Amount.Refund, "此字段为整型，最小值1")
	}
	total, err = strconv.ParseInt(p.Amount.Total.String(), 10, 64)
	if err != nil || total < 1 {
		return p, 0, 0, parameter("body", "amount/total", p.Amount.Total, "此字段为整型，最小值1")
	}
	return p, amount, total, nil
}

// mayRefund applies the documented rules to a new refund.
func (w *Wallet) mayRefund(m *merchant, o *order, p refundRequest, amount, total int64) *refusal {
	now := w.Now()
	if o.TransactionID == "" {
		w.Violated(sandbox.RuleRefundUnpaid, m.MchID, p.OutRefundNo, "order %s is %s", o.No, o.State)
		return refuse("INVALID_REQUEST", "订单未支付，无法退款")
	}
	if total != o.Total {
		w.Violated(sandbox.RuleOtherRefund, m.MchID, p.OutRefundNo, "order %s is over %d fen, not %d", o.No, o.Total, total)
		return refuse("INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试")
	}
	if amount > o.Total-o.Refunded {
		w.Violated(sandbox.RuleOverRefund, m.MchID, p.OutRefundNo, "%d fen of %d were asked back already, then %d more", o.Refunded, o.Total, amount)
		if o.Refunded == o.Total {
			return refuse("INVALID_REQUEST", "订单已全额退款")
		}
		return refuse("INVALID_REQUEST", "申请退款金额超过订单可退金额")
	}
	if now.Sub(o.Paid) > refundWindow {
		return refuse("INVALID_REQUEST", "订单已经超过退款期限")
	}
	if len(o.RefundNos) >= maxRefunds {
		return refuse("INVALID_REQUEST", "部分退款次数超过50次")
	}
	if n := len(o.RefundNos); n > 0 && now.Sub(m.refunds[o.RefundNos[n-1]].Created) < w.Wait(refundGap) {
		return refuse("FREQUENCY_LIMITED", "同一笔订单多次退款的请求需相隔1分钟")
	}
	if _, reference, ok := strings.Cut(p.Reason, "#"); ok && reference != "" {
		for _, no := range o.RefundNos {
			if _, other, _ := strings.Cut(m.refunds[no].Reason, "#"); other == reference && m.refunds[no].State != closed {
				w.Violated(sandbox.RuleRefundTwice, m.MchID, p.OutRefundNo, "reference %q was refunded with %s already", reference, no)
			}
		}
	}
	return nil
}

// accept takes a refund in; it is through after a moment.
func (w *Wallet) accept(c call, o *order, p refundRequest, amount int64) *refund {
	m, now := c.m, w.Now()
	r := &refund{
		MchID: m.MchID, No: p.OutRefundNo, OrderNo: o.No, Amount: amount, Reason: p.Reason, NotifyURL: p.NotifyURL,
		State: processing, Becomes: success, Created: now,
		RefundID: "5030080717" + now.In(sandbox.Beijing).Format("20060102") + w.Digits(11),
	}
	if c.hit[sandbox.RefundAbnormal] != nil {
		r.Becomes = abnormal
	}
	if c.hit[sandbox.RefundClosed] != nil {
		r.Becomes = closed
	}
	// What the merchant gives back, and the fee that comes back, go in step: what all refunded so far would make, less what the
	// refunds before made.
	r.Owed = max(share(o.Refunded+amount, o.owed(), o.Total)-o.RefundedOwed, 0)
	r.FeeBack = w.FeeShare(o.owed(), o.Fee, o.RefundedOwed+r.Owed) - w.FeeShare(o.owed(), o.Fee, o.RefundedOwed)
	o.Refunded += amount
	o.RefundedOwed += r.Owed
	o.RefundNos = append(slices.Clip(o.RefundNos), r.No)
	o.State = refunded
	m.refunds[r.No] = r
	w.Keep("Refund", r)
	w.Keep("Order", o)
	w.finishLater(r)
	return r
}

func (w *Wallet) finishLater(r *refund) {
	mchID, no := r.MchID, r.No
	w.Later(refundTime, func() { w.finishRefund(mchID, no) })
}

func (w *Wallet) finishRefund(mchID, no string) {
	w.Lock()
	defer w.Unlock()
	m := w.merchants[mchID]
	r := m.refunds[no]
	if r.State != processing {
		return
	}
	o := m.orders[r.OrderNo]
	r.State = r.Becomes
	event, summary := "REFUND.SUCCESS", "退款成功"
	switch r.State {
	case success:
		r.Done = w.Now()
	case abnormal:
		event, summary = "REFUND.ABNORMAL", "退款异常"
	case closed:
		event, summary = "REFUND.CLOSED", "退款关闭"
		o.Refunded -= r.Amount
		o.RefundedOwed -= r.Owed
		if o.Refunded == 0 {
			o.State = success
		}
		w.Keep("Order", o)
	}
	w.Keep("Refund", r)
	if r.NotifyURL == "" {
		return
	}
	resource := map[string]any{
		"mchid": m.MchID, "transaction_id": o.TransactionID, "out_trade_no": o.No, "refund_id": r.RefundID, "out_refund_no": r.No,
		"refund_status": r.State, "user_received_account": "支付用户零钱",
		"amount": map[string]any{"total": o.Total, "refund": r.Amount, "payer_total": o.Total - o.Coupon, "payer_refund": r.Amount - r.discount(o)},
	}
	if o.Sub != "" {
		delete(resource, "mchid")
		resource["sp_mchid"], resource["sub_mchid"] = m.MchID, o.Sub
	}
	if !r.Done.IsZero() {
		resource["success_time"] = stamp(r.Done)
	}
	w.notify(m, r.NotifyURL, event, summary, "refund", r.No, resource)
}

// queryRefund answers GET /v3/refund/domestic/refunds/{no}.
func (w *Wallet) queryRefund(c call) answer {
	r := c.m.refunds[c.no]
	if r == nil || c.m.orders[r.OrderNo].Sub != c.sub() {
		return answer{fault: refuse("RESOURCE_NOT_EXISTS", "")}
	}
	return answer{value: r.statement(c.m.orders[r.OrderNo])}
}

// discount is what of a refund goes back to coupons.
func (r *refund) discount(o *order) int64 { return share(r.Amount, o.Coupon, o.Total) }

// statement is a refund as the API gives it.
func (r *refund) statement(o *order) map[string]any {
	s := map[string]any{
		"refund_id": r.RefundID, "out_refund_no": r.No, "transaction_id": o.TransactionID, "out_trade_no": o.No,
		"channel": "ORIGINAL", "user_received_account": "支付用户零钱", "create_time": stamp(r.Created), "status": r.State,
		"funds_account": "UNSETTLED", "promotion_detail": o.promotions(r),
		"amount": map[string]any{
			"total": o.Total, "refund": r.Amount, "from": []any{}, "payer_total": o.Total - o.Coupon, "payer_refund": r.Amount - r.discount(o),
			"settlement_refund": r.Owed, "settlement_total": o.owed(), "discount_refund": r.discount(o), "currency": "CNY",
		},
	}
	if !r.Done.IsZero() {
		s["success_time"] = stamp(r.Done)
	}
	return s
}
