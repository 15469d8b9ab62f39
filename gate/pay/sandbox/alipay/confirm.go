package alipay

import "slices"

// confirm answers alipay.trade.settle.confirm (直付通): the money of a sub-merchant's order becomes the sub-merchant's, frozen for
// splits where the request says so. Until then nothing can be split off it. The same request asked again answers the same.
func (w *Wallet) confirm(c call) answer {
	var q struct {
		OutRequestNo string `json:"out_request_no"`
		TradeNo      string `json:"trade_no"`
		Settle       *struct {
			Details []struct {
				TransIn string `json:"trans_in_type"`
				Amount  yuan   `json:"amount"`
			} `json:"settle_detail_infos"`
		} `json:"settle_info"`
		Extend struct {
			Freeze string `json:"royalty_freeze"`
		} `json:"extend_params"`
	}
	if fault := c.read(&q); fault != nil {
		return answer{fault: fault}
	}
	if q.OutRequestNo == "" || len(q.OutRequestNo) > 64 || q.Settle == nil || len(q.Settle.Details) != 1 || !q.Settle.Details[0].Amount.set {
		return answer{fault: refuse("ACQ.INVALID_PARAMETER", "")}
	}
	o := c.m.byRef[q.TradeNo]
	if o == nil {
		return answer{fault: refuse("ACQ.TRADE_NOT_EXIST", "")}
	}
	w.touch(c.m, o)
	d := q.Settle.Details[0]
	switch {
	case o.SMID == "" || !slices.Contains(c.m.Subs, o.SMID):
		return answer{fault: refuse("ACQ.SECONDARY_MERCHANT_ID_INVALID", "")}
	case o.Confirm != "" && (o.Confirm != q.OutRequestNo || d.Amount.fen != o.Total):
		return answer{fault: refuse("ACQ.ILLEGAL_SETTLE_STATE", "")}
	case o.State != success && o.Confirm == "":
		return answer{fault: refuse("ACQ.TRADE_STATUS_ERROR", "")}
	case d.TransIn != "defaultSettle" || d.Amount.fen != o.Total:
		return answer{fault: refuse("ACQ.TRADE_SETTLE_ERROR", "结算金额与订单金额不一致")}
	}
	if o.Confirm == "" {
		o.Confirm, o.Released = q.OutRequestNo, o.Released || q.Extend.Freeze != "true"
		w.Keep("Order", o)
	}
	return answer{fields: fields{"trade_no": o.TradeNo, "out_request_no": o.Confirm, "amount": d.Amount}}
}
