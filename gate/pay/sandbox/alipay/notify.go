package alipay

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// schedule is how long the wallet waits after each failed delivery: eight in all, in 24 hours and 24 minutes (服务器异步通知
// 页面特性).
var schedule = []time.Duration{4 * time.Minute, 10 * time.Minute, 10 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 15 * time.Hour}

// acknowledged tells whether a shop's answer ends a notification: the seven letters success, and nothing else.
func acknowledged(status int, body []byte) bool {
	return status == http.StatusOK && string(body) == "success"
}

// tell notifies of an order as it now stands (触发通知): paid, closed, refunded, finished.
func (w *Wallet) tell(m *merchant, o *order, r *refund) {
	if o.NotifyURL == "" {
		return
	}
	p := map[string]string{
		"notify_type": "trade_status_sync", "charset": "utf-8", "version": "1.0", "app_id": m.AppID, "auth_app_id": m.AppID,
		"trade_no": o.TradeNo, "out_trade_no": o.No, "buyer_id": o.BuyerID, "buyer_logon_id": logon, "seller_id": m.PID,
		"seller_email": "sel***@sandbox.com", "trade_status": o.State, "total_amount": sandbox.Yuan(o.Total), "subject": o.Subject,
		"gmt_create": stamp(o.Opened), "body": o.Body, "passback_params": o.Passback,
	}
	if !o.Paid.IsZero() {
		p["gmt_payment"] = stamp(o.Paid)
		p["receipt_amount"], p["point_amount"] = sandbox.Yuan(o.Total), "0.00"
		p["buyer_pay_amount"], p["invoice_amount"] = sandbox.Yuan(o.Total-o.Coupon), sandbox.Yuan(o.Total-o.Coupon)
		p["fund_bill_list"] = string(plain(o.funds()))
	}
	if o.State == closed || o.State == finished {
		p["gmt_close"] = stamp(o.Ended)
	}
	about := o.No
	if r != nil {
		about = r.No
		p["refund_fee"] = sandbox.Yuan(o.Refunded)
		p["gmt_refund"] = stamp(r.Done) + ".000"
		p["out_biz_no"] = r.No
	}
	w.Notify(&sandbox.Notice{ID: strings.ToLower(w.Hex(17)), Account: m.AppID, No: about, URL: o.NotifyURL}, p)
}

// plain is JSON inside a parameter, where slashes are not escaped.
func plain(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // our own strings
		return nil
	}
	return text
}

// delivery makes one try of a notification. Every try says when it was sent and is signed anew; the id stays.
func (w *Wallet) delivery(n *sandbox.Notice, hit sandbox.Hits) (sandbox.Delivery, error) {
	var p map[string]string
	if err := json.Unmarshal(n.Content, &p); err != nil {
		return sandbox.Delivery{}, err
	}
	p = maps.Clone(p)
	p["notify_id"] = n.ID
	p["notify_time"] = stamp(w.Now().Add(hit.Shift()))
	p["sign_type"] = "RSA2"
	if by := hit.Bump(); by != 0 {
		var total yuan
		if err := total.UnmarshalJSON([]byte(`"` + p["total_amount"] + `"`)); err == nil {
			p["total_amount"] = sandbox.Yuan(total.fen + by)
		}
	}
	maps.DeleteFunc(p, func(_, value string) bool { return value == "" })
	key := w.signer().key
	return sandbox.Delivery{Seal: func(h http.Header, _ []byte) ([]byte, error) {
		h.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		h.Set("User-Agent", "Mozilla/4.0")
		form := url.Values{}
		for name, value := range p {
			form.Set(name, value)
		}
		if hit[sandbox.Unsigned] != nil {
			return []byte(form.Encode()), nil
		}
		signature, err := sign(key, content(p, "sign", "sign_type"))
		if err != nil {
			return nil, err
		}
		if hit[sandbox.Probe] != nil {
			signature = spoil(signature)
		}
		form.Set("sign", signature)
		return []byte(form.Encode()), nil
	}}, nil
}
