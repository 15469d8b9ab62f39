package wechatpay

import (
	"encoding/json"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Refunds and splits of sub-merchants' orders (电商收付通): what the endpoints of package split and refund do, under other
// addresses and names, and with the sub-merchant in each.

func (w *Wallet) ecommerceRoutes(api func(string, sandbox.Op, func(*Wallet, call) answer)) {
	api("POST /v3/ecommerce/refunds/apply", sandbox.OpRefund, (*Wallet).applySubRefund)
	api("GET /v3/ecommerce/refunds/out-refund-no/{no}", sandbox.OpQueryRefund, (*Wallet).querySubRefund)
	api("GET /v3/ecommerce/refunds/id/{id}", sandbox.OpQueryRefund, (*Wallet).querySubRefund)
	api("POST /v3/ecommerce/profitsharing/receivers/add", OpReceiver, (*Wallet).addSubReceiver)
	api("POST /v3/ecommerce/profitsharing/receivers/delete", OpReceiver, (*Wallet).deleteReceiver)
	api("POST /v3/ecommerce/profitsharing/orders", OpSplit, (*Wallet).createSubSplit)
	api("GET /v3/ecommerce/profitsharing/orders", OpQuerySplit, (*Wallet).querySubSplit)
	api("POST /v3/ecommerce/profitsharing/finish-order", OpSplit, (*Wallet).finishSub)
	api("GET /v3/ecommerce/profitsharing/orders/{id}/amounts", OpQuerySplit, (*Wallet).unsplitAmount)
	api("POST /v3/ecommerce/profitsharing/returnorders", OpReturn, (*Wallet).createSubReturn)
	api("GET /v3/ecommerce/profitsharing/returnorders", OpQueryReturn, (*Wallet).querySubReturn)
}

// applySubRefund answers POST /v3/ecommerce/refunds/apply. Its answer has no status.
func (w *Wallet) applySubRefund(c call) answer {
	var p refundRequest
	switch {
	case json.Unmarshal(c.body, &p) != nil:
		return answer{fault: parameter("body", "", nil, "请求体不是合法的JSON")}
	case !c.m.sells(p.SubMchID):
		return answer{fault: parameter("body", "sub_mchid", p.SubMchID, "与服务商没有受理关系")}
	case p.SpAppID != c.m.AppID:
		return answer{fault: refuse("APPID_MCHID_NOT_MATCH", "")}
	}
	r, o, fault := w.takeRefund(c)
	if fault != nil {
		return answer{fault: fault}
	}
	v := r.subStatement(o)
	for _, name := range []string{"status", "success_time", "out_trade_no", "transaction_id", "channel", "user_received_account"} {
		delete(v, name)
	}
	return answer{value: v}
}

// querySubRefund answers GET /v3/ecommerce/refunds/out-refund-no/{no} and …/id/{id}.
func (w *Wallet) querySubRefund(c call) answer {
	r := c.m.refunds[c.no]
	if id := c.r.PathValue("id"); id != "" {
		r = nil
		for _, other := range c.m.refunds {
			if other.RefundID == id {
				r = other
			}
		}
	}
	if r == nil || c.sub() == "" || c.m.orders[r.OrderNo].Sub != c.sub() {
		return answer{fault: refuse("RESOURCE_NOT_EXISTS", "")}
	}
	return answer{value: r.subStatement(c.m.orders[r.OrderNo])}
}

func (r *refund) subStatement(o *order) map[string]any {
	s := r.statement(o)
	s["refund_account"] = "REFUND_SOURCE_SUB_MERCHANT"
	s["amount"] = map[string]any{
		"refund": r.Amount, "from": []any{}, "payer_refund": r.Amount - r.discount(o), "discount_refund": r.discount(o), "currency": "CNY", "advance": 0,
	}
	return s
}

// addSubReceiver answers POST /v3/ecommerce/profitsharing/receivers/add.
func (w *Wallet) addSubReceiver(c call) answer {
	a := w.addReceiver(c)
	if v, ok := a.value.(map[string]any); ok {
		delete(v, "relation_type")
	}
	return a
}

// subSplitRequest has the names that the platform's endpoints give to what [splitRequest] has.
type subSplitRequest struct {
	AppID         string `json:"appid"`
	SubMchID      string `json:"sub_mchid"`
	TransactionID string `json:"transaction_id"`
	OutOrderNo    string `json:"out_order_no"`
	Receivers     []struct {
		Type        string      `json:"type"`
		Account     string      `json:"receiver_account"`
		Amount      json.Number `json:"amount"`
		Description string      `json:"description"`
	} `json:"receivers"`
	Finish      bool   `json:"finish"`
	Description string `json:"description"`
}

// asSplit reads the request as that of the account's own orders.
func (c call) asSplit() (p subSplitRequest, own call, fault *refusal) {
	if json.Unmarshal(c.body, &p) != nil {
		return p, c, parameter("body", "", nil, "请求体不是合法的JSON")
	}
	if !c.m.sells(p.SubMchID) {
		return p, c, parameter("body", "sub_mchid", p.SubMchID, "与服务商没有受理关系")
	}
	v := map[string]any{
		"appid": c.m.AppID, "sub_mchid": p.SubMchID, "transaction_id": p.TransactionID, "out_order_no": p.OutOrderNo, "unfreeze_unsplit": p.Finish,
	}
	if p.AppID != "" {
		v["appid"] = p.AppID
	}
	var list []any
	for _, r := range p.Receivers {
		list = append(list, map[string]any{"type": r.Type, "account": r.Account, "amount": r.Amount, "description": r.Description})
	}
	v["receivers"] = list
	body, err := json.Marshal(v)
	if err != nil {
		return p, c, parameter("body", "receivers/amount", nil, "此字段为整型，最小值1")
	}
	own = c
	own.body = body
	return p, own, nil
}

// createSubSplit answers POST /v3/ecommerce/profitsharing/orders.
func (w *Wallet) createSubSplit(c call) answer {
	p, own, fault := c.asSplit()
	if fault != nil {
		return answer{fault: fault}
	}
	q, s, fault := w.readSplit(own)
	if fault == nil {
		fault = w.takeSplit(own, &q, &s)
	}
	if fault != nil {
		return answer{fault: fault}
	}
	return answer{value: s.subStatement(c.m.orders[s.OrderNo], p.SubMchID)}
}

// finishSub answers POST /v3/ecommerce/profitsharing/finish-order: it releases what is left.
func (w *Wallet) finishSub(c call) answer {
	p, own, fault := c.asSplit()
	switch {
	case fault != nil:
		return answer{fault: fault}
	case p.Description == "":
		return answer{fault: parameter("body", "description", "", "此字段为必填项")}
	case !refundNo.MatchString(p.OutOrderNo) || p.TransactionID == "":
		return answer{fault: parameter("body", "out_order_no", p.OutOrderNo, "1-64个字符，只能是数字、大小写字母_-|*@")}
	}
	q := splitRequest{SubMchID: p.SubMchID, TransactionID: p.TransactionID, OutOrderNo: p.OutOrderNo}
	s := &split{MchID: c.m.MchID, No: p.OutOrderNo, Print: fingerprint(own.body), State: processing, Finish: true}
	if fault := w.takeSplit(own, &q, &s); fault != nil {
		return answer{fault: fault}
	}
	return answer{value: map[string]any{"sub_mchid": p.SubMchID, "transaction_id": p.TransactionID, "out_order_no": s.No, "order_id": s.OrderID}}
}

func (s *split) subStatement(o *order, sub string) map[string]any {
	v := s.statement(o)
	v["sub_mchid"], v["status"] = sub, s.State
	delete(v, "state")
	for _, one := range v["receivers"].([]any) {
		r := one.(map[string]any)
		r["receiver_account"] = r["account"]
		delete(r, "account")
		delete(r, "create_time")
	}
	return v
}

// querySubSplit answers GET /v3/ecommerce/profitsharing/orders.
func (w *Wallet) querySubSplit(c call) answer {
	q := c.r.URL.Query()
	s := c.m.splits[q.Get("out_order_no")]
	if s == nil || c.sub() == "" || c.m.orders[s.OrderNo].Sub != c.sub() || c.m.orders[s.OrderNo].TransactionID != q.Get("transaction_id") {
		return answer{fault: refuse("RESOURCE_NOT_EXISTS", "记录不存在")}
	}
	return answer{value: s.subStatement(c.m.orders[s.OrderNo], c.sub())}
}

// createSubReturn answers POST /v3/ecommerce/profitsharing/returnorders.
func (w *Wallet) createSubReturn(c call) answer {
	r, s, fault := w.takeReturn(c)
	if fault != nil {
		return answer{fault: fault}
	}
	return answer{value: r.subStatement(s, c.m.orders[s.OrderNo])}
}

func (r *returned) subStatement(s *split, o *order) map[string]any {
	v := r.statement(s)
	v["sub_mchid"], v["return_no"], v["transaction_id"] = o.Sub, r.ReturnID, o.TransactionID
	delete(v, "return_id")
	return v
}

// querySubReturn answers GET /v3/ecommerce/profitsharing/returnorders.
func (w *Wallet) querySubReturn(c call) answer {
	q := c.r.URL.Query()
	r := c.m.returns[q.Get("out_return_no")]
	if r == nil || r.SplitNo != q.Get("out_order_no") || c.sub() == "" || c.m.orders[c.m.splits[r.SplitNo].OrderNo].Sub != c.sub() {
		return answer{fault: refuse("RESOURCE_NOT_EXISTS", "记录不存在")}
	}
	return answer{value: r.subStatement(c.m.splits[r.SplitNo], c.m.orders[c.m.splits[r.SplitNo].OrderNo])}
}
