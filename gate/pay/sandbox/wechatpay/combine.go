package wechatpay

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Combined orders (合单支付): a platform's order for several sub-merchants. Each part is an order of its own, with a number, a
// payment and refunds of its own; they are paid together or not at all.

const maxParts = 50 // sub-orders of a combined order

// combined is the group that parts are paid in.
type combined struct {
	MchID, AppID, No, Kind, Print string
	Parts                         []string // out_trade_no of each
}

type combineRequest struct {
	AppID string     `json:"combine_appid"`
	MchID string     `json:"combine_mchid"`
	No    string     `json:"combine_out_trade_no"`
	Scene *sceneInfo `json:"scene_info"`
	Subs  []struct {
		MchID       string `json:"mchid"`
		SubMchID    string `json:"sub_mchid"`
		OutTradeNo  string `json:"out_trade_no"`
		Attach      string `json:"attach"`
		Description string `json:"description"`
		Amount      *struct {
			Total    json.Number `json:"total_amount"`
			Currency string      `json:"currency"`
		} `json:"amount"`
		Settle *settleInfo `json:"settle_info"`
	} `json:"sub_orders"`
	Payer *struct {
		OpenID string `json:"openid"`
	} `json:"combine_payer_info"`
	TimeExpire *string `json:"time_expire"`
	NotifyURL  string  `json:"notify_url"`
}

// combinePrepay answers POST /v3/combine-transactions/….
func (w *Wallet) combinePrepay(c call) answer {
	var p combineRequest
	if json.Unmarshal(c.body, &p) != nil {
		return answer{fault: parameter("body", "", nil, "请求体不是合法的JSON")}
	}
	orders, fault := w.readCombined(c, &p)
	if fault != nil {
		return answer{fault: fault}
	}
	print := fingerprint(c.body)
	if g := c.m.combined[p.No]; g != nil {
		if g.Print != print { // a repeat is the same in everything; each part then stands as every other
			w.Violated(sandbox.RuleOtherOrder, c.m.MchID, p.No, "ordered again with other parameters")
			return answer{fault: refuse("INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")}
		}
		if fault := w.again(c.m, c.m.orders[g.Parts[0]], g.Kind, c.m.orders[g.Parts[0]].Print); fault != nil {
			return answer{fault: fault}
		}
		return w.wayTo(c.op, c.m, g.No)
	}
	if c.m.orders[p.No] != nil || slices.ContainsFunc(orders, func(o *order) bool { return c.m.orders[o.No] != nil }) {
		w.Violated(sandbox.RuleOtherOrder, c.m.MchID, p.No, "a number was ordered before")
		return answer{fault: refuse("OUT_TRADE_NO_USED", "")}
	}
	if w.orders+len(orders) > w.cfg.Limit {
		return answer{fault: systemError}
	}
	g := &combined{MchID: c.m.MchID, AppID: c.m.AppID, No: p.No, Kind: kindOf[c.op], Print: print}
	for _, o := range orders {
		g.Parts = append(g.Parts, o.No)
		c.m.orders[o.No] = o
		w.orders++
		w.Keep("Order", o)
	}
	c.m.combined[g.No] = g
	w.Keep("Combined", g)
	return w.wayTo(c.op, c.m, g.No)
}

func (w *Wallet) readCombined(c call, p *combineRequest) (orders []*order, fault *refusal) {
	var expires time.Time
	if p.TimeExpire != nil {
		var err error
		if expires, err = time.Parse(time.RFC3339, *p.TimeExpire); err != nil {
			return nil, parameter("body", "time_expire", *p.TimeExpire, "格式为yyyy-MM-DDTHH:mm:ss+TIMEZONE")
		}
	}
	payer := ""
	if p.Payer != nil {
		payer = p.Payer.OpenID
	}
	switch {
	case p.MchID != c.m.MchID:
		return nil, parameter("body", "combine_mchid", p.MchID, "与签名的商户号不一致")
	case p.AppID != c.m.AppID:
		return nil, refuse("APPID_MCHID_NOT_MATCH", "")
	case !orderNo.MatchString(p.No):
		return nil, parameter("body", "combine_out_trade_no", p.No, "6-32个字符，只能是数字、大小写字母_-|*")
	case len(p.Subs) == 0 || len(p.Subs) > maxParts:
		return nil, parameter("body", "sub_orders", len(p.Subs), "1-50个子单")
	case c.op == OpH5 && !p.Scene.whole():
		return nil, parameter("body", "scene_info", nil, "payer_client_ip与h5_info为必填项")
	case c.op == OpJSAPI && (payer == "" || len(payer) > 128):
		return nil, parameter("body", "combine_payer_info/openid", nil, "1-128个字符")
	}
	for i := range p.Subs {
		s := &p.Subs[i]
		if s.Amount == nil {
			return nil, parameter("body", "sub_orders/amount", nil, "此字段为必填项")
		}
		total, err := strconv.ParseInt(s.Amount.Total.String(), 10, 64)
		switch {
		case s.MchID != c.m.MchID:
			return nil, parameter("body", "sub_orders/mchid", s.MchID, "与合单发起方的商户号不一致")
		case !c.m.sells(s.SubMchID):
			return nil, refuse("NO_AUTH", "服务商与二级商户没有受理关系")
		case s.Attach == "":
			return nil, parameter("body", "sub_orders/attach", "", "此字段为必填项")
		case s.OutTradeNo == p.No || slices.ContainsFunc(orders, func(o *order) bool { return o.No == s.OutTradeNo }):
			return nil, parameter("body", "sub_orders/out_trade_no", s.OutTradeNo, "子单号重复")
		case err != nil || total < 1 || total > maxTotal:
			return nil, parameter("body", "sub_orders/amount/total_amount", s.Amount.Total, "此字段为整型，最小值1")
		case s.Amount.Currency != "" && s.Amount.Currency != "CNY":
			return nil, parameter("body", "sub_orders/amount/currency", s.Amount.Currency, "仅支持CNY")
		}
		if fault := checkText(s.OutTradeNo, s.Description, s.Attach, p.NotifyURL); fault != nil {
			return nil, fault
		}
		orders = append(orders, &order{
			MchID: c.m.MchID, AppID: c.m.AppID, No: s.OutTradeNo, Kind: kindOf[c.op], Description: s.Description, Attach: s.Attach, NotifyURL: p.NotifyURL,
			Total: total, Created: w.Now(), State: notPaid, Expires: w.until(p.TimeExpire != nil, expires), Freeze: s.Settle != nil && s.Settle.ProfitSharing,
			Sub: s.SubMchID, Combine: p.No, Payer: payer,
		})
	}
	return orders, nil
}

// queryCombined answers GET /v3/combine-transactions/out-trade-no/{no}.
func (w *Wallet) queryCombined(c call) answer {
	g := c.m.combined[c.no]
	switch {
	case g != nil:
		return answer{value: w.combinedStatement(c.m, g)}
	case c.m.orders[c.no] != nil && c.m.orders[c.no].Burned:
		return answer{fault: refuse("ORDER_CLOSED", "")}
	}
	return answer{fault: refuse("ORDER_NOT_EXIST", "")}
}

// combinedStatement is a combined order as queries and notifications give it.
func (w *Wallet) combinedStatement(m *merchant, g *combined) map[string]any {
	subs := make([]any, len(g.Parts))
	payer := ""
	for i, no := range g.Parts {
		o := m.orders[no]
		s := map[string]any{
			"mchid": o.MchID, "sub_mchid": o.Sub, "out_trade_no": o.No, "attach": o.Attach, "trade_type": o.Kind, "trade_state": o.State,
			"amount": map[string]any{"total_amount": o.Total, "currency": "CNY", "payer_amount": 0, "payer_currency": "CNY"},
		}
		if o.TransactionID != "" {
			payer = o.OpenID
			s["transaction_id"], s["bank_type"], s["success_time"], s["promotion_detail"] = o.TransactionID, "OTHERS", stamp(o.Paid), o.promotions(nil)
			s["amount"] = map[string]any{"total_amount": o.Total, "currency": "CNY", "payer_amount": o.Total - o.Coupon, "payer_currency": "CNY"}
		}
		subs[i] = s
	}
	v := map[string]any{"combine_appid": g.AppID, "combine_mchid": g.MchID, "combine_out_trade_no": g.No, "sub_orders": subs}
	if payer != "" {
		v["combine_payer_info"] = map[string]any{"openid": payer}
	}
	return v
}

// closeCombined answers POST /v3/combine-transactions/out-trade-no/{no}/close. All parts must be named as they were ordered. A
// number that was never ordered is closed too, and used up by it, as of an order that is not combined.
func (w *Wallet) closeCombined(c call) answer {
	var p struct {
		AppID string `json:"combine_appid"`
		Subs  []struct {
			MchID      string `json:"mchid"`
			OutTradeNo string `json:"out_trade_no"`
			SubMchID   string `json:"sub_mchid"`
		} `json:"sub_orders"`
	}
	switch {
	case json.Unmarshal(c.body, &p) != nil || len(p.Subs) == 0 || len(p.Subs) > maxParts:
		return answer{fault: parameter("body", "sub_orders", len(p.Subs), "1-50个子单")}
	case p.AppID != c.m.AppID:
		return answer{fault: refuse("APPID_MCHID_NOT_MATCH", "")}
	case !orderNo.MatchString(c.no):
		return answer{fault: parameter("uri_template", "combine_out_trade_no", c.no, "6-32个字符，只能是数字、大小写字母_-|*")}
	}
	g := c.m.combined[c.no]
	if g == nil {
		if c.m.orders[c.no] == nil {
			if w.orders >= w.cfg.Limit {
				return answer{fault: systemError}
			}
			o := &order{MchID: c.m.MchID, AppID: c.m.AppID, No: c.no, Created: w.Now(), State: closed, Burned: true}
			c.m.orders[c.no] = o
			w.orders++
			w.Keep("Order", o)
		}
		return answer{}
	}
	for _, s := range p.Subs {
		o := c.m.orders[s.OutTradeNo]
		if o == nil || o.Combine != g.No || o.Sub != s.SubMchID || s.MchID != c.m.MchID {
			return answer{fault: parameter("body", "sub_orders/out_trade_no", s.OutTradeNo, "与下单时的子单不一致")}
		}
	}
	if len(p.Subs) != len(g.Parts) {
		return answer{fault: parameter("body", "sub_orders", len(p.Subs), "与下单时的子单数不一致")}
	}
	if s := c.m.orders[g.Parts[0]].State; s == success || s == refunded {
		return answer{fault: refuse("ORDERPAID", "")}
	}
	for _, no := range g.Parts {
		c.m.orders[no].State = closed
		w.Keep("Order", c.m.orders[no])
	}
	return answer{}
}
