package alipay

import (
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

const (
	refundTime = 5 * time.Second // until a refund is through that was not at once
	refundGap  = 3 * time.Second // between two refunds of one order
	maxRefunds = 99              // of one order
)

// refund is one refund with all that is known of it.
type refund struct {
	AppID   string
	TradeNo string
	No      string // out_request_no
	Amount  int64
	Reason  string     `json:",omitempty"`
	Returns []returned `json:",omitempty"` // parts taken back from those they were split off to
	Created time.Time  `json:",omitzero"`
	Done    time.Time  `json:",omitzero"`  // zero while it is under way
	Lost    bool       `json:",omitempty"` // it failed, and nobody said so
	FeeBack int64      `json:",omitempty"` // fen of the payment's fee that come back
}

// returned is a part of a split that came back.
type returned struct {
	Account string
	Fen     int64
}

type refundRequest struct {
	numbers
	RefundAmount yuan   `json:"refund_amount"`
	Reason       string `json:"refund_reason"`
	OutRequestNo string `json:"out_request_no"`
	Royalty      []struct {
		RoyaltyType string `json:"royalty_type"`
		TransOut    string `json:"trans_out"`
		TransIn     string `json:"trans_in"`
		Amount      yuan   `json:"amount"`
	} `json:"refund_royalty_parameters"`
	Options []string `json:"query_options"`
}

func refundKey(tradeNo, no string) string { return tradeNo + " " + no }

// createRefund answers alipay.trade.refund. The same request asked again answers the same, with fund_change N.
func (w *Wallet) createRefund(c call) answer {
	var q refundRequest
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	o, fault := w.find(c, q.TradeNo, q.OutTradeNo)
	if fault != nil {
		return answer{fault: fault}
	}
	returns, fault := q.returns(o)
	if fault != nil {
		return answer{fault: fault}
	}
	if old := c.m.refunds[refundKey(o.TradeNo, q.OutRequestNo)]; old != nil && !old.Lost {
		if old.Amount != q.RefundAmount.fen || !slices.Equal(old.Returns, returns) {
			w.Violated(sandbox.RuleOtherRefund, c.m.AppID, old.No, "asked for %d fen of %s, then for %d fen", old.Amount, o.No, q.RefundAmount.fen)
			return answer{fault: refuse("ACQ.DISCORDANT_REPEAT_REQUEST", "")}
		}
		return answer{fields: old.answer(o, false)}
	}
	if fault := w.mayRefund(c, o, &q, returns); fault != nil {
		return answer{fault: fault}
	}
	r := &refund{No: q.OutRequestNo, Amount: q.RefundAmount.fen, Reason: q.Reason, Returns: returns}
	switch {
	case c.hit[sandbox.RefundClosed] != nil:
		r.AppID, r.TradeNo, r.Created, r.Lost = c.m.AppID, o.TradeNo, w.Now(), true
		c.m.refunds[refundKey(o.TradeNo, r.No)] = r
		w.Keep("Refund", r)
		return answer{fields: r.answer(o, false)}
	case c.hit[sandbox.RefundAbnormal] != nil:
		w.accept(c.m, o, r)
		w.finishLater(r)
		return answer{fields: r.answer(o, false)}
	}
	w.payBack(c.m, o, r)
	return answer{fields: r.answer(o, true)}
}

// returns reads what is to be taken back from those that an order was split among. Without a number of its own a refund
// goes by the order's, which is for a whole refund only.
func (q *refundRequest) returns(o *order) ([]returned, *refusal) {
	if q.OutRequestNo == "" && q.RefundAmount.fen == o.Total {
		q.OutRequestNo = o.No
	}
	least := int64(1)
	if len(q.Royalty) > 0 {
		least = 0 // only the split comes back
	}
	if !q.RefundAmount.between(least, maxTotal) || q.OutRequestNo == "" || len(q.OutRequestNo) > 64 || len(q.Reason) > 256 {
		return nil, refuse("ACQ.INVALID_PARAMETER", "")
	}
	var list []returned
	for _, r := range q.Royalty {
		if r.RoyaltyType != "" && r.RoyaltyType != "transfer" || !r.Amount.between(1, maxTotal) || r.TransOut == "" {
			return nil, refuse("ACQ.INVALID_PARAMETER", "参数无效：refund_royalty_parameters")
		}
		list = append(list, returned{Account: r.TransOut, Fen: r.Amount.fen})
	}
	return list, nil
}

// mayRefund applies the documented rules to a new refund.
func (w *Wallet) mayRefund(c call, o *order, q *refundRequest, returns []returned) *refusal {
	amount := q.RefundAmount.fen
	switch {
	case o.State == waiting || o.Paid.IsZero() && o.State != closed:
		w.Violated(sandbox.RuleRefundUnpaid, c.m.AppID, q.OutRequestNo, "order %s is %s", o.No, o.State)
		return refuse("ACQ.TRADE_STATUS_ERROR", "")
	case o.State == finished:
		return refuse("ACQ.TRADE_HAS_FINISHED", "")
	case o.Paid.IsZero():
		w.Violated(sandbox.RuleRefundUnpaid, c.m.AppID, q.OutRequestNo, "order %s is %s", o.No, o.State)
		return refuse("ACQ.TRADE_HAS_CLOSE", "")
	case amount > o.Total-o.Refunded:
		w.Violated(sandbox.RuleOverRefund, c.m.AppID, q.OutRequestNo, "%d fen of %d were asked back already, then %d more", o.Refunded, o.Total, amount)
		if o.Refunded == o.Total {
			return refuse("ACQ.TRADE_HAS_CLOSE", "")
		}
		return refuse("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "")
	case len(o.RefundNos) >= maxRefunds:
		return refuse("ACQ.TRADE_NOT_ALLOW_REFUND", "")
	}
	if n := len(o.RefundNos); n > 0 && w.Now().Sub(c.m.refunds[refundKey(o.TradeNo, o.RefundNos[n-1])].Created) < w.Wait(refundGap) {
		return refuse("isv.method-call-limited", "同一笔交易的退款至少间隔3s后发起")
	}
	if _, reference, ok := strings.Cut(q.Reason, "#"); ok && reference != "" {
		for _, no := range o.RefundNos {
			if _, other, _ := strings.Cut(c.m.refunds[refundKey(o.TradeNo, no)].Reason, "#"); other == reference {
				w.Violated(sandbox.RuleRefundTwice, c.m.AppID, q.OutRequestNo, "reference %q was refunded with %s already", reference, no)
			}
		}
	}
	return w.mayPayBack(c.m, o, amount, returns)
}

// mayPayBack tells whether the account has what is to go back, with what comes back from others.
func (w *Wallet) mayPayBack(m *merchant, o *order, amount int64, returns []returned) *refusal {
	there := m.balance() + w.feeBack(o, amount)
	held := o.parts(m)
	for _, r := range returns {
		if r.Fen > held[r.Account] {
			return refuse("ACQ.ALLOC_AMOUNT_VALIDATE_ERROR", "退分账金额超过已分账金额")
		}
		held[r.Account] -= r.Fen
		there += r.Fen
	}
	if there < amount {
		return refuse("ACQ.SELLER_BALANCE_NOT_ENOUGH", "")
	}
	return nil
}

// feeBack comes back in step: what the whole refunded so far would give back, less what came back before.
func (w *Wallet) feeBack(o *order, amount int64) int64 {
	return w.FeeShare(o.Total, o.Fee, o.Refunded+amount) - w.FeeShare(o.Total, o.Fee, o.Refunded)
}

// accept takes a refund in: its money is spoken for.
func (w *Wallet) accept(m *merchant, o *order, r *refund) {
	r.AppID, r.TradeNo, r.Created = m.AppID, o.TradeNo, w.Now()
	r.FeeBack = w.feeBack(o, r.Amount)
	o.Refunded += r.Amount
	o.RefundNos = append(slices.Clip(o.RefundNos), r.No)
	m.refunds[refundKey(o.TradeNo, r.No)] = r
	for _, back := range r.Returns {
		o.Split -= back.Fen
		w.move(m, o, "分账退回", back.Fen, r.No)
	}
	if r.Amount > 0 {
		w.move(m, o, "交易退款", -r.Amount, r.No)
		w.move(m, o, "退费", r.FeeBack, r.No)
	}
	w.Keep("Refund", r)
	w.Keep("Order", o)
}

// payBack refunds at once.
func (w *Wallet) payBack(m *merchant, o *order, r *refund) {
	w.accept(m, o, r)
	w.through(m, o, r)
}

// through ends a refund. An order of which everything went back is closed.
func (w *Wallet) through(m *merchant, o *order, r *refund) {
	r.Done = w.Now()
	if o.Refunded == o.Total {
		o.State, o.Ended = closed, r.Done
	}
	w.Keep("Refund", r)
	w.Keep("Order", o)
	if r.Amount > 0 {
		w.tell(m, o, r)
	}
}

func (w *Wallet) finishLater(r *refund) {
	appID, key := r.AppID, refundKey(r.TradeNo, r.No)
	w.Later(refundTime, func() {
		w.Lock()
		defer w.Unlock()
		m := w.merchants[appID]
		if r := m.refunds[key]; r.Done.IsZero() && !r.Lost {
			w.through(m, m.byRef[r.TradeNo], r)
		}
	})
}

// answer is a refund as alipay.trade.refund gives it.
func (r *refund) answer(o *order, changed bool) fields {
	f := fields{
		"trade_no": o.TradeNo, "out_trade_no": o.No, "buyer_logon_id": logon, "buyer_user_id": o.BuyerID,
		"fund_change": map[bool]string{true: "Y", false: "N"}[changed], "refund_fee": sandbox.Yuan(o.Refunded),
		"send_back_fee": sandbox.Yuan(r.Amount),
	}
	if !r.Done.IsZero() {
		f["gmt_refund_pay"] = stamp(r.Done)
	}
	return f
}

// queryRefund answers alipay.trade.fastpay.refund.query. A refund that has not gone through, or that there never was, has
// no refund_status.
func (w *Wallet) queryRefund(c call) answer {
	var q refundRequest
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	if q.OutRequestNo == "" {
		return answer{fault: refuse("ACQ.INVALID_PARAMETER", "参数无效：out_request_no")}
	}
	o, fault := w.find(c, q.TradeNo, q.OutTradeNo)
	if fault != nil {
		return answer{fault: fault}
	}
	r := c.m.refunds[refundKey(o.TradeNo, q.OutRequestNo)]
	if r == nil || r.Lost {
		return answer{}
	}
	f := fields{
		"trade_no": o.TradeNo, "out_trade_no": o.No, "out_request_no": r.No, "refund_reason": r.Reason, "total_amount": sandbox.Yuan(o.Total + c.hit.Bump()),
		"refund_amount": sandbox.Yuan(r.Amount), "send_back_fee": sandbox.Yuan(r.Amount),
	}
	if !r.Done.IsZero() {
		f["refund_status"] = "REFUND_SUCCESS"
		f["gmt_refund_pay"] = stamp(r.Done)
	}
	if len(r.Returns) > 0 {
		var list []fields
		for _, back := range r.Returns {
			list = append(list, fields{
				"refund_amount": sandbox.Yuan(back.Fen), "royalty_type": "transfer", "result_code": "SUCCESS", "trans_out": back.Account, "trans_in": c.m.PID,
			})
		}
		f["refund_royaltys"] = list
	}
	return answer{fields: f}
}
