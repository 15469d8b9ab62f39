package wechatpay

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

const (
	opNotified      = "notification"
	maxNotification = 64 << 10
)

// Notified implements pay.Notifier: it checks signature and age, decrypts and reads a notification. The wallet waits
// five seconds for 200 or 204 and repeats fifteen times in a day, newly signed each time, with the same id.
//
// The SDK's own handler is not used: it reads the wall clock, and a signed body without a resource makes it panic.
func (w *Wallet) Notified(ctx context.Context, header http.Header, body []byte) (pay.Notice, error) {
	refuse := func(format string, args ...any) (pay.Notice, error) {
		return pay.Notice{}, pay.Fail(opNotified, pay.Refused, fmt.Sprintf(format, args...), nil)
	}
	if len(body) > maxNotification {
		return refuse("body has %d bytes, more than %d", len(body), maxNotification)
	}
	if kind := header.Get("Wechatpay-Signature-Type"); kind != "" && kind != "WECHATPAY2-SHA256-RSA2048" {
		return refuse("signature type %.40q", kind)
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	if err := w.trust.verify(ctx, header, body); err != nil {
		return pay.Notice{}, pay.Fail(opNotified, pay.Refused, clip(err.Error()), err)
	}
	var n struct {
		ID         string `json:"id"`
		CreateTime string `json:"create_time"`
		EventType  string `json:"event_type"`
		Resource   sealed `json:"resource"`
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return refuse("body is not JSON")
	}
	if n.ID == "" || len(n.ID) > 64 || len(n.EventType) > 64 {
		return refuse("id %.70q or event %.70q is missing or too long", n.ID, n.EventType)
	}
	text, err := n.Resource.open(w.cfg.APIv3Key)
	if err != nil {
		return pay.Notice{}, pay.Fail(opNotified, pay.Refused, clip(err.Error()), err)
	}
	notice := pay.Notice{ID: n.ID, At: parseTime(n.CreateTime), Event: n.EventType}
	switch {
	case n.EventType == "TRANSACTION.SUCCESS":
		out, err := w.paidNotice(text)
		if err != nil {
			return pay.Notice{}, pay.Fail(opNotified, pay.Refused, err.Error(), err)
		}
		notice.Payment = &out
	case strings.HasPrefix(n.EventType, "REFUND."):
		out, err := w.refundNotified(text)
		if err != nil {
			return pay.Notice{}, pay.Fail(opNotified, pay.Refused, err.Error(), err)
		}
		notice.Refund = &out
	}
	return notice, nil
}

// refundNotified reads the resource of REFUND.SUCCESS, REFUND.ABNORMAL and REFUND.CLOSED, which names its fields a
// little differently from a query's answer and has no currency.
func (w *Wallet) refundNotified(text []byte) (pay.RefundOutcome, error) {
	var r struct {
		MchID       string `json:"mchid"`
		SpMchID     string `json:"sp_mchid"` // of a platform's
		OutTradeNo  string `json:"out_trade_no"`
		OutRefundNo string `json:"out_refund_no"`
		RefundID    string `json:"refund_id"`
		Status      string `json:"refund_status"`
		SuccessTime string `json:"success_time"`
		Amount      struct {
			Refund int64 `json:"refund"`
		} `json:"amount"`
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return pay.RefundOutcome{}, fmt.Errorf("refund is not JSON")
	}
	if cmp.Or(r.SpMchID, r.MchID) != w.cfg.MchID || !refundNo.MatchString(r.OutRefundNo) {
		return pay.RefundOutcome{}, fmt.Errorf("refund is about another account")
	}
	return completeRefund(opNotified, r.OutRefundNo, pay.RefundOutcome{
		No: r.OutRefundNo, OrderNo: r.OutTradeNo, WalletRef: r.RefundID, Said: clip(r.Status),
		Amount: money.Of(r.Amount.Refund, money.CNY), DoneAt: parseTime(r.SuccessTime),
	})
}
