package alipay

import (
	"encoding/json"
	"net/url"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// maxMerged is how many orders may be paid together.
const maxMerged = 10

// merge is a group of orders that are paid together or not at all (合并支付).
type merge struct {
	AppID   string
	No      string // out_merge_no
	PreNo   string // pre_order_no
	Orders  []string
	Expires time.Time
}

// mergePrecreate answers alipay.trade.merge.precreate: it registers orders, and gives a number to pay them under.
func (w *Wallet) mergePrecreate(c call) answer {
	var q struct {
		OutMergeNo     string            `json:"out_merge_no"`
		TimeExpire     string            `json:"time_expire"`
		TimeoutExpress string            `json:"timeout_express"`
		Details        []json.RawMessage `json:"order_details"`
	}
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	if n := len(q.Details); n < 2 || n > maxMerged || !orderNo.MatchString(q.OutMergeNo) {
		return answer{fault: refuse("ACQ.INVALID_PARAMETER", "参数无效：order_details, out_merge_no")}
	}
	g := &merge{AppID: c.m.AppID, No: q.OutMergeNo, Expires: w.Now().Add(lifeUnset)}
	var results []fields
	for _, raw := range q.Details {
		var d struct {
			tradeRequest
			AppID string `json:"app_id"`
		}
		if json.Unmarshal(raw, &d) != nil {
			return answer{fault: refuse("ACQ.INVALID_PARAMETER", "")}
		}
		if d.AppID != c.m.AppID { // elsewhere each seller has an app of its own; here they are the platform's sub-merchants
			return answer{fault: refuse("ACQ.PARTNER_ERROR", "")}
		}
		d.TimeExpire, d.TimeoutExpress = q.TimeExpire, q.TimeoutExpress
		o, fault := w.register(c, "MERGE", &d.tradeRequest)
		if fault != nil {
			return answer{fault: fault}
		}
		if o.Merge != "" && o.Merge != g.No {
			return answer{fault: refuse("ACQ.CONTEXT_INCONSISTENT", "")}
		}
		o.Merge = g.No
		w.Keep("Order", o)
		g.Orders = append(g.Orders, o.No)
		if o.Expires.Before(g.Expires) {
			g.Expires = o.Expires
		}
		results = append(results, fields{"app_id": d.AppID, "out_trade_no": o.No, "success": true, "result_code": "SUCCESS"})
	}
	g.PreNo = w.Now().In(sandbox.Beijing).Format("20060102") + w.Digits(24)
	w.merges[g.PreNo] = g
	w.Keep("Merge", g)
	return answer{fields: fields{"out_merge_no": g.No, "pre_order_no": g.PreNo, "order_detail_results": results}}
}

// mergePay answers alipay.trade.wap.merge.pay and .app.merge.pay: on to the cashier, for all of a group.
func (w *Wallet) mergePay(c call) answer {
	var q struct {
		PreNo string `json:"pre_order_no"`
	}
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	g := w.merges[q.PreNo]
	if g == nil || g.AppID != c.m.AppID {
		return answer{fault: refuse("ACQ.TRADE_NOT_EXIST", "")}
	}
	for _, no := range g.Orders {
		if o := c.m.orders[no]; !o.Paid.IsZero() {
			return answer{fault: refuse("ACQ.TRADE_HAS_SUCCESS", "")}
		} else if c.p["return_url"] != "" {
			o.ReturnURL = c.p["return_url"]
		}
	}
	return answer{redirect: w.cfg.BaseURL + "/cashier?token=" + url.QueryEscape(w.handoff(c.m, g.Expires, g.Orders...))}
}
