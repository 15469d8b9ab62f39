package alipay

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// Bounds of splitting (商家分账).
const (
	maxReceivers = 20_000 // bound to an account
	maxBinds     = 20     // in one request
	maxParts     = 20     // of one split
	settleRate   = 30     // splits of one seller within a second
)

// settle is one split with all that is known of it.
type settle struct {
	AppID    string
	TradeNo  string
	No       string // out_request_no
	SettleNo string
	Parts    []part `json:",omitempty"`
	Finish   bool   `json:",omitempty"` // what was frozen is free afterwards
	At       time.Time
}

// part is what one receiver gets.
type part struct {
	Account string
	Kind    string // userId or loginName
	Fen     int64
	Desc    string `json:",omitempty"`
	Failed  bool   `json:",omitempty"` // the receiver could not take it; the money stayed
}

// receiver is an account in a list of receivers.
type receiver struct {
	Type    string `json:"type"`
	Account string `json:"account"`
	Name    string `json:"name,omitempty"`
	Memo    string `json:"memo,omitempty"`
}

type relationRequest struct {
	Receivers []receiver `json:"receiver_list"`
	OutNo     string     `json:"out_request_no"`
	Page      any        `json:"page_num"`
	Size      any        `json:"page_size"`
}

// relation reads a request about receivers.
func relation(c call) (relationRequest, *refusal) {
	var q relationRequest
	if json.Unmarshal([]byte(c.p["biz_content"]), &q) != nil || q.OutNo == "" {
		return q, refuse("INVALID_PARAMETER", "")
	}
	return q, nil
}

func (q *relationRequest) check() *refusal {
	switch n := len(q.Receivers); {
	case n == 0:
		return refuse("RECEIVER_LIST_EMPTY", "")
	case n > maxBinds:
		return refuse("RECEIVER_LIST_OVERLOAD", "")
	}
	for _, r := range q.Receivers {
		switch {
		case r.Type != "userId" && r.Type != "loginName":
			return refuse("INVALID_RECEIVER_TYPE", "")
		case r.Account == "" || r.Type == "userId" && !userNumber.MatchString(r.Account):
			return refuse("USER_NOT_EXIST", "")
		case r.Type == "loginName" && r.Name == "":
			return refuse("USERNAME_NOT_MATCH", "")
		}
	}
	return nil
}

// bind answers alipay.trade.royalty.relation.bind. Binding again what is bound changes nothing.
func (w *Wallet) bind(c call) answer {
	q, fault := relation(c)
	if fault == nil {
		fault = q.check()
	}
	if fault == nil && len(c.m.receivers)+len(q.Receivers) > maxReceivers {
		fault = refuse("RELATION_QUANTITY_LIMIT", "")
	}
	if fault != nil {
		return answer{fault: fault}
	}
	for _, r := range q.Receivers {
		c.m.receivers[r.Account] = r.Name
		w.Keep("Receiver", savedReceiver{AppID: c.m.AppID, Account: r.Account, Name: r.Name, Bound: true})
	}
	return answer{fields: fields{"result_code": "SUCCESS"}}
}

// unbind answers alipay.trade.royalty.relation.unbind.
func (w *Wallet) unbind(c call) answer {
	q, fault := relation(c)
	if fault == nil {
		fault = q.check()
	}
	if fault != nil {
		return answer{fault: fault}
	}
	for _, r := range q.Receivers {
		delete(c.m.receivers, r.Account)
		w.Keep("Receiver", savedReceiver{AppID: c.m.AppID, Account: r.Account})
	}
	return answer{fields: fields{"result_code": "SUCCESS"}}
}

// listReceivers answers alipay.trade.royalty.relation.batchquery, a page of at most a hundred.
func (w *Wallet) listReceivers(c call) answer {
	q, fault := relation(c)
	if fault != nil {
		return answer{fault: fault}
	}
	page, size := number(q.Page, 1), min(number(q.Size, 20), 100)
	if page < 1 || size < 1 {
		return answer{fault: refuse("INVALID_PARAMETER", "")}
	}
	accounts := slices.Sorted(maps.Keys(c.m.receivers))
	list := []receiver{}
	for _, account := range accounts[min((page-1)*size, len(accounts)):min(page*size, len(accounts))] {
		kind := "loginName"
		if userNumber.MatchString(account) {
			kind = "userId"
		}
		list = append(list, receiver{Type: kind, Account: account, Name: c.m.receivers[account]})
	}
	return answer{fields: fields{
		"result_code": "SUCCESS", "receiver_list": list, "total_record_num": len(accounts), "total_page_num": (len(accounts) + size - 1) / size,
		"current_page_num": page, "current_page_size": size,
	}}
}

// number reads a whole number that a client may have written as text.
func number(v any, unset int) int {
	switch n := v.(type) {
	case nil:
		return unset
	case float64:
		if n == float64(int(n)) && n < 1e6 {
			return int(n)
		}
	case string:
		if i, err := strconv.Atoi(n); err == nil && i < 1e6 {
			return i
		}
	}
	return 0
}

type settleRequest struct {
	OutRequestNo string `json:"out_request_no"`
	TradeNo      string `json:"trade_no"`
	Mode         string `json:"royalty_mode"`
	Parts        []struct {
		RoyaltyType  string `json:"royalty_type"`
		TransOut     string `json:"trans_out"`
		TransOutType string `json:"trans_out_type"`
		TransIn      string `json:"trans_in"`
		TransInType  string `json:"trans_in_type"`
		Amount       yuan   `json:"amount"`
		Desc         string `json:"desc"`
	} `json:"royalty_parameters"`
	Extend struct {
		Finish string `json:"royalty_finish"`
	} `json:"extend_params"`
}

// settleOrder answers alipay.trade.order.settle. The same request asked again answers the same.
func (w *Wallet) settleOrder(c call) answer {
	var q settleRequest
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	s, fault := q.settle()
	if fault != nil {
		return answer{fault: fault}
	}
	o := c.m.byRef[q.TradeNo]
	if o == nil {
		return answer{fault: refuse("ACQ.TRADE_NOT_EXIST", "")}
	}
	w.touch(c.m, o)
	if old := c.m.settles[refundKey(o.TradeNo, s.No)]; old != nil {
		if !slices.EqualFunc(old.Parts, s.Parts, samePart) || old.Finish != s.Finish {
			w.Violated(sandbox.RuleOtherSplit, c.m.AppID, s.No, "asked for %d parts, then for other ones", len(old.Parts))
			return answer{fault: refuse("ACQ.DISCORDANT_REPEAT_REQUEST", "")}
		}
		return answer{fields: fields{"trade_no": o.TradeNo, "settle_no": old.SettleNo}}
	}
	if fault := w.maySettle(c.m, o, s); fault != nil {
		return answer{fault: fault}
	}
	s.AppID, s.TradeNo, s.At = c.m.AppID, o.TradeNo, w.Now()
	s.SettleNo = s.At.In(sandbox.Beijing).Format("20060102") + "00253" + w.Digits(19)
	if len(s.Parts) > 0 {
		s.Parts[0].Failed = c.hit[sandbox.SplitClosed] != nil
	}
	for _, p := range s.Parts {
		if p.Failed {
			continue
		}
		o.Split += p.Fen
		w.move(c.m, o, "交易分账", -p.Fen, s.No)
	}
	o.SettleNos = append(slices.Clip(o.SettleNos), s.No)
	o.Released = o.Released || s.Finish
	c.m.settles[refundKey(o.TradeNo, s.No)] = s
	w.Keep("Settle", s)
	w.Keep("Order", o)
	return answer{fields: fields{"trade_no": o.TradeNo, "settle_no": s.SettleNo}}
}

func samePart(a, b part) bool {
	a.Failed, b.Failed = false, false
	return a == b
}

// settle reads a split.
func (q *settleRequest) settle() (*settle, *refusal) {
	finish := q.Extend.Finish == "true"
	if q.OutRequestNo == "" || len(q.OutRequestNo) > 64 || q.TradeNo == "" || len(q.Parts) > maxParts || len(q.Parts) == 0 && !finish {
		return nil, refuse("ACQ.INVALID_PARAMETER", "")
	}
	s := &settle{No: q.OutRequestNo, Finish: finish}
	for _, p := range q.Parts {
		switch {
		case p.RoyaltyType != "" && p.RoyaltyType != "transfer":
			return nil, refuse("ACQ.UN_SUPPORT_BIZ_TYPE", "")
		case p.TransInType != "" && p.TransInType != "userId" && p.TransInType != "loginName":
			return nil, refuse("ACQ.ROYALTY_ACCOUNT_INVALID", "")
		case !p.Amount.between(1, maxTotal):
			return nil, refuse("ACQ.INVALID_PARAMETER", "参数无效：amount")
		}
		kind := p.TransInType
		if kind == "" {
			kind = "userId"
		}
		s.Parts = append(s.Parts, part{Account: p.TransIn, Kind: kind, Fen: p.Amount.fen, Desc: p.Desc})
	}
	return s, nil
}

// maySettle applies the documented rules to a new split.
func (w *Wallet) maySettle(m *merchant, o *order, s *settle) *refusal {
	now := w.Now()
	m.called = slices.DeleteFunc(m.called, func(t time.Time) bool { return now.Sub(t) >= time.Second })
	switch {
	case len(m.called) >= settleRate:
		return refuse("ACQ.FREQUENCY_LIMITED", "")
	case o.State == closed && o.Refunded > 0:
		return refuse("ACQ.ALLOC_REFUSE_AFTER_REFUND", "")
	case o.State != success:
		return refuse("ACQ.TRADE_STATUS_ERROR", "")
	case o.SMID != "" && o.Confirm == "":
		return refuse("ACQ.ALLOC_REFUSE_BEFORE_SETTLE", "")
	case o.Released:
		return refuse("ACQ.ILLEGAL_SETTLE_STATE", "")
	}
	m.called = append(m.called, now)
	sum := int64(0)
	for _, p := range s.Parts {
		sum += p.Fen
		switch _, bound := m.receivers[p.Account]; {
		case p.Account == m.PID:
			return refuse("ACQ.ROYALTY_ACCOUNTS_EQUAL", "")
		case !bound:
			return refuse("ACQ.ROYALTY_RECEIVER_INVALID", "")
		}
	}
	switch {
	case sum+o.Split > o.Total*w.SplitCap()/10000, sum+o.Split+o.Refunded+o.feeKept(m) > o.Total:
		w.Violated(sandbox.RuleOverSplit, m.AppID, s.No, "%d fen of %d were split off already, then %d more", o.Split, o.Total, sum)
		return refuse("ACQ.ALLOC_AMOUNT_VALIDATE_ERROR", "")
	case sum > m.balance():
		return refuse("ACQ.TXN_RESULT_ACCOUNT_BALANCE_NOT_ENOUGH", "")
	}
	return nil
}

// feeKept is what of an order's fee did not go back with its refunds.
func (o *order) feeKept(m *merchant) int64 {
	kept := o.Fee
	for _, no := range o.RefundNos {
		kept -= m.refunds[refundKey(o.TradeNo, no)].FeeBack
	}
	return kept
}

// parts is what each receiver holds of an order.
func (o *order) parts(m *merchant) map[string]int64 {
	held := map[string]int64{}
	for _, no := range o.SettleNos {
		for _, p := range m.settles[refundKey(o.TradeNo, no)].Parts {
			if !p.Failed {
				held[p.Account] += p.Fen
			}
		}
	}
	for _, no := range o.RefundNos {
		for _, r := range m.refunds[refundKey(o.TradeNo, no)].Returns {
			held[r.Account] -= r.Fen
		}
	}
	return held
}

// querySettle answers alipay.trade.order.settle.query.
func (w *Wallet) querySettle(c call) answer {
	var q struct {
		SettleNo     string `json:"settle_no"`
		OutRequestNo string `json:"out_request_no"`
		TradeNo      string `json:"trade_no"`
	}
	if fault := c.read(&q); fault != nil {
		return answer{fault: refuse("INVALID_PARAMETER", "")}
	}
	s := c.m.settles[refundKey(q.TradeNo, q.OutRequestNo)]
	if q.SettleNo != "" {
		s = nil
		for _, other := range c.m.settles {
			if other.SettleNo == q.SettleNo {
				s = other
			}
		}
	}
	if s == nil {
		return answer{fault: refuse("INVALID_PARAMETER", "")}
	}
	list := []fields{}
	for i, p := range s.Parts {
		f := fields{
			"operation_type": "transfer", "execute_dt": stamp(s.At), "trans_out": c.m.PID, "trans_out_type": "userId", "trans_in": p.Account,
			"trans_in_type": p.Kind, "amount": sandbox.Yuan(p.Fen), "state": "SUCCESS", "detail_id": s.SettleNo + strconv.Itoa(i),
		}
		if p.Failed {
			f["state"], f["error_code"], f["error_desc"] = "FAIL", "TXN_RESULT_ACCOUNT_STATUS_NOT_VALID", "收入方账户状态异常"
		}
		list = append(list, f)
	}
	return answer{fields: fields{"out_request_no": s.No, "operation_dt": stamp(s.At), "royalty_detail_list": list}}
}
