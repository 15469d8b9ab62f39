package alipay

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
)

const (
	opNotified      = "notification"
	maxNotification = 64 << 10
	maxParameters   = 100
	noticeAge       = 26 * moongate.Hour // the last delivery comes 24 hours and 24 minutes after the first
	noticeAhead     = 10 * moongate.Minute
)

// Notified implements [pay.Notifier]: it checks signature, account and age of a notification, and reads it. The wallet
// takes the seven letters success for an acknowledgement, and tells eight times in 25 hours otherwise, newly signed each
// time, with the same notify_id.
//
// A refund's notification says how much came back so far, and not of which refund how much: it is evidence about the
// order, and the refund is for a query to tell.
func (w *Wallet) Notified(ctx context.Context, _ http.Header, body []byte) (pay.Notice, error) {
	refuse := func(format string, args ...any) (pay.Notice, error) {
		return pay.Notice{}, pay.Fail(opNotified, pay.Refused, fmt.Sprintf(format, args...), nil)
	}
	p, err := form(body)
	if err != nil {
		return pay.Notice{}, pay.Fail(opNotified, pay.Refused, clip(err.Error()), err)
	}
	if p["sign_type"] != "RSA2" {
		return refuse("signature type %.40q", p["sign_type"])
	}
	if charset := p["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refuse("charset %.40q", charset)
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	if err := w.trust.verify(ctx, p["alipay_cert_sn"], content(p), p["sign"]); err != nil {
		return pay.Notice{}, pay.Fail(opNotified, pay.Refused, clip(err.Error()), err)
	}
	at, now := parseTime(p["notify_time"]), moongate.At(w.cfg.Now())
	switch {
	case p["app_id"] != w.cfg.AppID || p["seller_id"] != w.cfg.PID:
		return refuse("it is about app %.40q of account %.40q", p["app_id"], p["seller_id"])
	case p["notify_id"] == "" || len(p["notify_id"]) > 128:
		return refuse("id %.140q is missing or too long", p["notify_id"])
	case at == 0 || now-at > noticeAge || at-now > noticeAhead:
		return refuse("it was sent at %.40q", p["notify_time"])
	}
	n := pay.Notice{ID: p["notify_id"], At: at, Event: clip(p["trade_status"])}
	if p["notify_type"] != "trade_status_sync" || p["trade_status"] == "WAIT_BUYER_PAY" {
		return n, nil
	}
	tag, err := url.QueryUnescape(p["passback_params"])
	if err != nil {
		return refuse("passback_params %.140q", p["passback_params"])
	}
	t := trade{
		TradeNo: p["trade_no"], OutTradeNo: p["out_trade_no"], TradeStatus: p["trade_status"], TotalAmount: p["total_amount"],
		BuyerPayAmount: p["buyer_pay_amount"], ReceiptAmount: p["receipt_amount"], SendPayDate: p["gmt_payment"], Body: tag,
	}
	out, err := t.outcome()
	if err != nil {
		return pay.Notice{}, pay.Fail(opNotified, pay.Refused, clip(err.Error()), err)
	}
	out.Refunded = out.Refunded || p["gmt_refund"] != ""
	n.Payment = &out
	return n, nil
}

// form reads a notification's parameters, each once.
func form(body []byte) (map[string]string, error) {
	if len(body) > maxNotification {
		return nil, fmt.Errorf("body has %d bytes, more than %d", len(body), maxNotification)
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("body is no form")
	}
	p := map[string]string{}
	for name, list := range values {
		if len(list) != 1 || len(p) >= maxParameters {
			return nil, fmt.Errorf("parameter %.40q comes %d times, or there are more than %d", name, len(list), maxParameters)
		}
		p[name] = list[0]
	}
	return p, nil
}

// content is what a notification's signature covers: all that is not empty but the signature, how it was made, and by
// which certificate; sorted.
func content(p map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if p[name] != "" && name != "sign" && name != "sign_type" && name != "alipay_cert_sn" {
			parts = append(parts, name+"="+p[name])
		}
	}
	return strings.Join(parts, "&")
}
