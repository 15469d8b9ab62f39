package wechatpay

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Profit sharing (分账): an order with settle_info.profit_sharing keeps its money frozen until it is split, released, or
// thirty days are over. What the merchant's balance pays of refunds is not modelled: it is taken to be enough.

// Documented waits and bounds of profit sharing.
const (
	splitTime    = 5 * time.Second     // until a split is done
	returnTime   = 5 * time.Second     // until a return is done
	frozenLife   = 30 * 24 * time.Hour // then the rest is released; scaled
	maxReceivers = 50
)

// Operations of profit sharing.
const (
	OpReceiver    sandbox.Op = "receiver"
	OpSplit       sandbox.Op = "split"
	OpQuerySplit  sandbox.Op = "query_split"
	OpReturn      sandbox.Op = "return"
	OpQueryReturn sandbox.Op = "query_return"
)

const (
	finished = "FINISHED"
	pending  = "PENDING"
	failed   = "FAILED"
)

// split is one split order.
type split struct {
	MchID     string
	No        string // out_order_no
	OrderNo   string
	OrderID   string // the wallet's number
	Print     string // of the parameters
	State     string
	Finish    bool `json:",omitempty"`
	Receivers []receiver
	Created   time.Time
	Done      time.Time `json:",omitzero"`
}

// receiver is one part of a split.
type receiver struct {
	Account     string
	Amount      int64
	Description string
	DetailID    string
	Result      string
	Becomes     string
	Returned    int64 `json:",omitempty"` // fen that came back
}

// returned is a part of a split that comes back from its receiver (分账回退).
type returned struct {
	MchID, No, SplitNo, Account, ReturnID, Description string
	Amount                                             int64
	Result                                             string
	Created                                            time.Time
	Done                                               time.Time `json:",omitzero"`
}

func (w *Wallet) splitRoutes(api func(string, sandbox.Op, func(*Wallet, call) answer)) {
	api("POST /v3/profitsharing/receivers/add", OpReceiver, (*Wallet).addReceiver)
	api("POST /v3/profitsharing/receivers/delete", OpReceiver, (*Wallet).deleteReceiver)
	api("POST /v3/profitsharing/orders", OpSplit, (*Wallet).createSplit)
	api("POST /v3/profitsharing/orders/unfreeze", OpSplit, (*Wallet).createSplit)
	api("GET /v3/profitsharing/orders/{no}", OpQuerySplit, (*Wallet).querySplit)
	api("POST /v3/profitsharing/return-orders", OpReturn, (*Wallet).createReturn)
	api("GET /v3/profitsharing/return-orders/{no}", OpQueryReturn, (*Wallet).queryReturn)
	api("GET /v3/profitsharing/transactions/{id}/amounts", OpQuerySplit, (*Wallet).unsplitAmount)
}

type receiverRequest struct {
	SubMchID     string `json:"sub_mchid"`
	AppID        string `json:"appid"`
	Type         string `json:"type"`
	Account      string `json:"account"`
	Name         string `json:"name"`
	RelationType string `json:"relation_type"`
}

func (w *Wallet) readReceiver(c call) (p receiverRequest, fault *refusal) {
	switch {
	case json.Unmarshal(c.body, &p) != nil:
		return p, parameter("body", "", nil, "请求体不是合法的JSON")
	case p.AppID != c.m.AppID:
		return p, refuse("APPID_MCHID_NOT_MATCH", "")
	case p.Type != "MERCHANT_ID":
		return p, parameter("body", "type", p.Type, "沙盒仅支持MERCHANT_ID")
	case !digits(p.Account, 8, 12):
		return p, parameter("body", "account", p.Account, "商户号")
	}
	return p, nil
}

// addReceiver answers POST /v3/profitsharing/receivers/add. Adding one that is there already is no error.
func (w *Wallet) addReceiver(c call) answer {
	p, fault := w.readReceiver(c)
	if fault == nil && p.RelationType == "" {
		fault = parameter("body", "relation_type", "", "此字段为必填项")
	}
	if fault != nil {
		return answer{fault: fault}
	}
	if !slices.Contains(c.m.receivers, p.Account) {
		c.m.receivers = append(c.m.receivers, p.Account)
		w.Keep("Receiver", savedReceiver{MchID: c.m.MchID, Account: p.Account})
	}
	return answer{value: map[string]any{"type": p.Type, "account": p.Account, "relation_type": p.RelationType}}
}

type savedReceiver struct {
	MchID, Account string
	Gone           bool `json:",omitempty"`
}

// deleteReceiver answers POST /v3/profitsharing/receivers/delete.
func (w *Wallet) deleteReceiver(c call) answer {
	p, fault := w.readReceiver(c)
	if fault != nil {
		return answer{fault: fault}
	}
	c.m.receivers = slices.DeleteFunc(c.m.receivers, func(a string) bool { return a == p.Account })
	w.Keep("Receiver", savedReceiver{MchID: c.m.MchID, Account: p.Account, Gone: true})
	return answer{value: map[string]any{"type": p.Type, "account": p.Account}}
}

type splitRequest struct {
	SubMchID      string `json:"sub_mchid"`
	AppID         string `json:"appid"`
	TransactionID string `json:"transaction_id"`
	OutOrderNo    string `json:"out_order_no"`
	Receivers     []struct {
		Type        string      `json:"type"`
		Account     string      `json:"account"`
		Amount      json.Number `json:"amount"`
		Description string      `json:"description"`
	} `json:"receivers"`
	UnfreezeUnsplit bool `json:"unfreeze_unsplit"`
}

// createSplit answers POST /v3/profitsharing/orders and …/orders/unfreeze, which splits nothing and releases the rest.
func (w *Wallet) createSplit(c call) answer {
	p, s, fault := w.readSplit(c)
	if fault != nil {
		return answer{fault: fault}
	}
	if fault := w.takeSplit(c, &p, &s); fault != nil {
		return answer{fault: fault}
	}
	return answer{value: s.statement(c.m.orders[s.OrderNo])}
}

// takeSplit takes a split in, or finds the one that was asked for before.
func (w *Wallet) takeSplit(c call, p *splitRequest, asked **split) *refusal {
	s := *asked
	o := c.m.byRef[p.TransactionID]
	if o != nil && o.Sub != p.SubMchID {
		return refuse("RESOURCE_NOT_EXISTS", "订单不存在")
	}
	if known := c.m.splits[s.No]; known != nil {
		if known.Print != s.Print {
			w.Violated(sandbox.RuleOtherSplit, c.m.MchID, s.No, "asked for again with other parameters")
			return refuse("INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
		}
		*asked = known
		return nil
	}
	if fault := w.maySplit(c, o, s); fault != nil {
		return fault
	}
	s.OrderNo, s.OrderID, s.Created = o.No, "3000"+w.Digits(24), w.Now()
	for i := range s.Receivers {
		r := &s.Receivers[i]
		r.DetailID, r.Result, r.Becomes = "3600"+w.Digits(24), pending, success
		if c.hit[sandbox.SplitClosed] != nil {
			r.Becomes = closed
		}
		o.Split += r.Amount
	}
	o.Released = o.Released || s.Finish
	c.m.splits[s.No] = s
	w.Keep("Split", s)
	w.Keep("Order", o)
	w.splitLater(s)
	return nil
}

func (w *Wallet) readSplit(c call) (p splitRequest, s *split, fault *refusal) {
	unfreeze := c.r.URL.Path == "/v3/profitsharing/orders/unfreeze"
	switch {
	case json.Unmarshal(c.body, &p) != nil:
		return p, nil, parameter("body", "", nil, "请求体不是合法的JSON")
	case !unfreeze && p.AppID != c.m.AppID:
		return p, nil, refuse("APPID_MCHID_NOT_MATCH", "")
	case !refundNo.MatchString(p.OutOrderNo):
		return p, nil, parameter("body", "out_order_no", p.OutOrderNo, "1-64个字符，只能是数字、大小写字母_-|*@")
	case p.TransactionID == "":
		return p, nil, parameter("body", "transaction_id", "", "此字段为必填项")
	case !unfreeze && (len(p.Receivers) == 0 || len(p.Receivers) > maxReceivers):
		return p, nil, parameter("body", "receivers", nil, "1-50个分账接收方")
	}
	s = &split{MchID: c.m.MchID, No: p.OutOrderNo, Print: fingerprint(c.body), State: processing, Finish: unfreeze || p.UnfreezeUnsplit}
	for _, r := range p.Receivers {
		amount, err := strconv.ParseInt(r.Amount.String(), 10, 64)
		switch {
		case r.Type != "MERCHANT_ID":
			return p, nil, parameter("body", "receivers/type", r.Type, "沙盒仅支持MERCHANT_ID")
		case err != nil || amount < 1:
			return p, nil, parameter("body", "receivers/amount", r.Amount, "此字段为整型，最小值1")
		case r.Description == "" || utf8.RuneCountInString(r.Description) > 80:
			return p, nil, parameter("body", "receivers/description", r.Description, "1-80个字符")
		}
		s.Receivers = append(s.Receivers, receiver{Account: r.Account, Amount: amount, Description: r.Description})
	}
	return p, s, nil
}

// maySplit applies the documented rules to a new split.
func (w *Wallet) maySplit(c call, o *order, s *split) *refusal {
	switch {
	case o == nil:
		return refuse("RESOURCE_NOT_EXISTS", "订单不存在")
	case !o.Freeze:
		return refuse("INVALID_REQUEST", "非分账订单不支持分账")
	case o.Released || w.Now().Sub(o.Paid) > w.Wait(frozenLife):
		return refuse("INVALID_REQUEST", "订单已分账完成或已解冻")
	}
	sum := int64(0)
	for i := range s.Receivers {
		if !slices.Contains(c.m.receivers, s.Receivers[i].Account) {
			return refuse("INVALID_REQUEST", "分账接收方与分账方没有建立分账关系")
		}
		sum += s.Receivers[i].Amount
	}
	if sum > o.owed()-o.RefundedOwed-o.Split {
		w.Violated(sandbox.RuleOverSplit, c.m.MchID, s.No, "%d fen of order %s, of which %d are split and %d given back", sum, o.No, o.Split, o.Refunded)
		return refuse("NOT_ENOUGH", "分账金额大于剩余待分金额")
	}
	if o.Split+sum > o.owed()*w.SplitCap()/10_000 {
		return refuse("RULE_LIMIT", "超出最大分账比例")
	}
	return nil
}

func (w *Wallet) splitLater(s *split) {
	mchID, no := s.MchID, s.No
	w.Later(splitTime, func() {
		w.Lock()
		defer w.Unlock()
		s := w.merchants[mchID].splits[no]
		if s.State != processing {
			return
		}
		o := w.merchants[mchID].orders[s.OrderNo]
		for i := range s.Receivers {
			r := &s.Receivers[i]
			if r.Result = r.Becomes; r.Result == closed {
				o.Split -= r.Amount
			}
		}
		s.State, s.Done = finished, w.Now()
		w.Keep("Split", s)
		w.Keep("Order", o)
	})
}

// statement is a split as the API gives it.
func (s *split) statement(o *order) map[string]any {
	list := make([]any, len(s.Receivers))
	for i := range s.Receivers {
		r := &s.Receivers[i]
		one := map[string]any{
			"type": "MERCHANT_ID", "account": r.Account, "amount": r.Amount, "description": r.Description, "detail_id": r.DetailID,
			"result": r.Result, "create_time": stamp(s.Created), "finish_time": stamp(s.Created),
		}
		if !s.Done.IsZero() {
			one["finish_time"] = stamp(s.Done)
		}
		if r.Result == closed {
			one["fail_reason"] = "ACCOUNT_ABNORMAL"
		}
		list[i] = one
	}
	return map[string]any{"transaction_id": o.TransactionID, "out_order_no": s.No, "order_id": s.OrderID, "state": s.State, "receivers": list}
}

// querySplit answers GET /v3/profitsharing/orders/{out_order_no}.
func (w *Wallet) querySplit(c call) answer {
	s := c.m.splits[c.no]
	if s == nil || c.m.orders[s.OrderNo].TransactionID != c.r.URL.Query().Get("transaction_id") || c.m.orders[s.OrderNo].Sub != c.sub() {
		return answer{fault: refuse("RESOURCE_NOT_EXISTS", "记录不存在")}
	}
	return answer{value: s.statement(c.m.orders[s.OrderNo])}
}

// unsplitAmount answers GET /v3/profitsharing/transactions/{id}/amounts.
func (w *Wallet) unsplitAmount(c call) answer {
	o := c.m.byRef[c.r.PathValue("id")]
	if o == nil {
		return answer{fault: refuse("RESOURCE_NOT_EXISTS", "订单不存在")}
	}
	left := int64(0)
	if o.Freeze && !o.Released {
		left = max(0, o.owed()-o.RefundedOwed-o.Split)
	}
	return answer{value: map[string]any{"transaction_id": o.TransactionID, "unsplit_amount": left}}
}

// createReturn answers POST /v3/profitsharing/return-orders.
func (w *Wallet) createReturn(c call) answer {
	r, s, fault := w.takeReturn(c)
	if fault != nil {
		return answer{fault: fault}
	}
	return answer{value: r.statement(s)}
}

// takeReturn takes a return in, or finds the one that was asked for before.
func (w *Wallet) takeReturn(c call) (*returned, *split, *refusal) {
	var p struct {
		SubMchID    string      `json:"sub_mchid"`
		OrderID     string      `json:"order_id"`
		OutOrderNo  string      `json:"out_order_no"`
		OutReturnNo string      `json:"out_return_no"`
		ReturnMchID string      `json:"return_mchid"`
		Amount      json.Number `json:"amount"`
		Description string      `json:"description"`
	}
	if json.Unmarshal(c.body, &p) != nil {
		return nil, nil, parameter("body", "", nil, "请求体不是合法的JSON")
	}
	amount, err := strconv.ParseInt(p.Amount.String(), 10, 64)
	switch {
	case !refundNo.MatchString(p.OutReturnNo):
		return nil, nil, parameter("body", "out_return_no", p.OutReturnNo, "1-64个字符，只能是数字、大小写字母_-|*@")
	case err != nil || amount < 1:
		return nil, nil, parameter("body", "amount", p.Amount, "此字段为整型，最小值1")
	case p.Description == "":
		return nil, nil, parameter("body", "description", "", "此字段为必填项")
	}
	s := c.m.splits[p.OutOrderNo]
	if p.OutOrderNo == "" {
		for _, no := range slices.Sorted(maps.Keys(c.m.splits)) {
			if c.m.splits[no].OrderID == p.OrderID {
				s = c.m.splits[no]
			}
		}
	}
	if s == nil || c.m.orders[s.OrderNo].Sub != p.SubMchID {
		return nil, nil, refuse("RESOURCE_NOT_EXISTS", "分账单不存在")
	}
	if r := c.m.returns[p.OutReturnNo]; r != nil {
		if r.SplitNo != s.No || r.Amount != amount || r.Account != p.ReturnMchID {
			w.Violated(sandbox.RuleOtherSplit, c.m.MchID, r.No, "return asked for again with other parameters")
			return nil, nil, refuse("INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
		}
		return r, s, nil
	}
	i := slices.IndexFunc(s.Receivers, func(r receiver) bool { return r.Account == p.ReturnMchID && r.Result == success })
	if i < 0 {
		return nil, nil, refuse("INVALID_REQUEST", "该接收方没有成功的分账")
	}
	if amount > s.Receivers[i].Amount-s.Receivers[i].Returned {
		return nil, nil, refuse("NOT_ENOUGH", "回退金额大于可回退金额")
	}
	r := &returned{
		MchID: c.m.MchID, No: p.OutReturnNo, SplitNo: s.No, Account: p.ReturnMchID, Amount: amount, Description: p.Description,
		ReturnID: "3008" + w.Digits(24), Result: processing, Created: w.Now(),
	}
	s.Receivers[i].Returned += amount
	c.m.returns[r.No] = r
	w.Keep("Return", r)
	w.Keep("Split", s)
	w.returnLater(r)
	return r, s, nil
}

func (w *Wallet) returnLater(r *returned) {
	mchID, no := r.MchID, r.No
	w.Later(returnTime, func() {
		w.Lock()
		defer w.Unlock()
		m := w.merchants[mchID]
		r := m.returns[no]
		if r.Result != processing {
			return
		}
		r.Result, r.Done = success, w.Now()
		o := m.orders[m.splits[r.SplitNo].OrderNo]
		o.Split -= r.Amount
		w.Keep("Return", r)
		w.Keep("Order", o)
	})
}

func (r *returned) statement(s *split) map[string]any {
	v := map[string]any{
		"order_id": s.OrderID, "out_order_no": s.No, "out_return_no": r.No, "return_id": r.ReturnID, "return_mchid": r.Account,
		"amount": r.Amount, "description": r.Description, "result": r.Result, "create_time": stamp(r.Created), "finish_time": stamp(r.Created),
	}
	if !r.Done.IsZero() {
		v["finish_time"] = stamp(r.Done)
	}
	return v
}

// queryReturn answers GET /v3/profitsharing/return-orders/{out_return_no}.
func (w *Wallet) queryReturn(c call) answer {
	r := c.m.returns[c.no]
	if r == nil || r.SplitNo != c.r.URL.Query().Get("out_order_no") || c.m.orders[c.m.splits[r.SplitNo].OrderNo].Sub != c.sub() {
		return answer{fault: refuse("RESOURCE_NOT_EXISTS", "记录不存在")}
	}
	return answer{value: r.statement(c.m.splits[r.SplitNo])}
}
