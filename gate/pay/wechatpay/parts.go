package wechatpay

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/wechatpay-apiv3/wechatpay-go/core/consts"
	"github.com/wechatpay-apiv3/wechatpay-go/services/payments"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// A platform's orders are for its sub-merchants (二级商户): for one by partner transactions, for several by a combined order
// (合单支付), whose parts are orders of their own at the wallet and are paid together or not at all. The SDK has no service for
// combined orders; its client signs and checks them all the same.

const maxParts = 50 // sub-orders of a combined order

func (w *Wallet) checkParts(o pay.Order) error {
	switch {
	case w.cfg.Platform != (len(o.Parts) > 0):
		return local(opCreate, "order has %d parts: orders of a platform have a part for each sub-merchant, other orders none", len(o.Parts))
	case len(o.Parts) > maxParts:
		return local(opCreate, "order has %d parts, more than %d", len(o.Parts), maxParts)
	case len(o.Parts) == 1 && o.Parts[0].No != o.No:
		return local(opCreate, "part %.40q: the only part has the order's number", o.Parts[0].No)
	}
	sum, seen := int64(0), map[string]bool{}
	for _, p := range o.Parts {
		switch {
		case !orderNo.MatchString(p.No) || seen[p.No] || len(o.Parts) > 1 && p.No == o.No:
			return local(opCreate, "part %.40q: 6 to 32 digits, letters or _-|*, each once", p.No)
		case !number.MatchString(p.Account):
			return local(opCreate, "part %s: %.40q is not a merchant number", p.No, p.Account)
		case p.Amount < 1 || p.Amount > maxAmount:
			return local(opCreate, "part %s of %s", p.No, money.Of(p.Amount, money.CNY))
		case len(p.Tag) > maxTag:
			return local(opCreate, "tag of part %s has %d bytes, more than %d", p.No, len(p.Tag), maxTag)
		}
		seen[p.No] = true
		sum += p.Amount
	}
	if len(o.Parts) > 0 && sum != o.Amount.Minor {
		return local(opCreate, "the parts add up to %s, the order is over %s", money.Of(sum, money.CNY), o.Amount)
	}
	return nil
}

// partner is an order for one sub-merchant.
func (w *Wallet) partner(o pay.Order) fields {
	f := w.common(o)
	f["sp_appid"], f["sp_mchid"], f["sub_mchid"] = w.cfg.AppID, w.cfg.MchID, o.Parts[0].Account
	if o.Channel == pay.InApp {
		f["payer"] = fields{"sp_openid": o.Payer}
	}
	return f
}

// combined is an order for several.
func (w *Wallet) combined(o pay.Order) fields {
	subs := make([]fields, len(o.Parts))
	for i, p := range o.Parts {
		tag := p.Tag
		if tag == "" {
			tag = o.No // the wallet wants one of every part
		}
		subs[i] = fields{
			"mchid": w.cfg.MchID, "sub_mchid": p.Account, "out_trade_no": p.No, "attach": tag, "description": o.Description,
			"amount": fields{"total_amount": p.Amount, "currency": "CNY"}, "settle_info": fields{"profit_sharing": o.Freeze},
		}
	}
	f := fields{
		"combine_appid": w.cfg.AppID, "combine_mchid": w.cfg.MchID, "combine_out_trade_no": o.No, "sub_orders": subs,
		"time_expire": o.Expires.Go().In(beijing).Format(time.RFC3339), "notify_url": o.NotifyURL,
	}
	switch o.Channel {
	case pay.InApp:
		f["combine_payer_info"] = fields{"openid": o.Payer}
	case pay.Redirect:
		f["scene_info"] = scene(o)
	}
	return f
}

// transaction is an order as the wallet gives it: of the account's own, or of a sub-merchant.
type transaction struct {
	payments.Transaction
	SpAppID  string `json:"sp_appid"`
	SpMchID  string `json:"sp_mchid"`
	SubMchID string `json:"sub_mchid"`
}

// QueryParts implements [pay.PartQuerier] with GET /v3/pay/partner/transactions/out-trade-no/{no} for one part, and GET
// /v3/combine-transactions/out-trade-no/{no} for several.
func (w *Wallet) QueryParts(ctx context.Context, no string, parts []pay.OrderPart) (pay.Outcome, error) {
	if !orderNo.MatchString(no) || len(parts) == 0 {
		return pay.Outcome{}, local(opQuery, "order number %.40q with %d parts: 6 to 32 digits, letters or _-|*", no, len(parts))
	}
	ctx, cancel, err := w.begin(ctx, opQuery)
	if err != nil {
		return pay.Outcome{}, err
	}
	defer cancel()
	return w.queryParts(ctx, opQuery, no, parts)
}

func (w *Wallet) queryParts(ctx context.Context, op, no string, parts []pay.OrderPart) (out pay.Outcome, err error) {
	if len(parts) == 1 {
		var t transaction
		err = w.get(ctx, "/v3/pay/partner/transactions/out-trade-no/"+url.PathEscape(no), url.Values{"sp_mchid": {w.cfg.MchID}, "sub_mchid": {parts[0].Account}}, &t)
		if err == nil {
			if out, err = w.outcome(&t); err != nil {
				return pay.Outcome{}, err
			}
		}
	} else {
		var c combinedOrder
		err = w.get(ctx, "/v3/combine-transactions/out-trade-no/"+url.PathEscape(no), nil, &c)
		if err == nil {
			if out, err = w.together(&c); err != nil {
				return pay.Outcome{}, err
			}
		}
	}
	if err != nil {
		f, word := w.failed(ctx, op, err)
		switch word {
		case "ORDER_NOT_EXIST", "ORDERNOTEXIST":
			return pay.Outcome{No: no, State: pay.Absent, Said: word}, nil
		case "ORDER_CLOSED", "ORDERCLOSED":
			return pay.Outcome{No: no, State: pay.Closed, Said: word}, nil
		}
		return pay.Outcome{}, f
	}
	if out.No != no || !sameParts(out.Parts, parts) {
		return pay.Outcome{}, pay.Fail(op, pay.Unknown, "answer speaks of another order, or of other parts", nil)
	}
	return out, nil
}

// sameParts tells whether a statement is about the parts that were ordered.
func sameParts(said []pay.PartOutcome, ordered []pay.OrderPart) bool {
	return len(said) == len(ordered) && !slices.ContainsFunc(said, func(s pay.PartOutcome) bool {
		return !slices.ContainsFunc(ordered, func(o pay.OrderPart) bool { return o.No == s.No && o.Account == s.Account })
	})
}

// CloseParts implements [pay.PartQuerier] with POST …/close of either kind. An order that turns out to be paid is queried at
// once, so that the answer carries the evidence.
func (w *Wallet) CloseParts(ctx context.Context, no string, parts []pay.OrderPart) (pay.Outcome, error) {
	if !orderNo.MatchString(no) || len(parts) == 0 {
		return pay.Outcome{}, local(opClose, "order number %.40q with %d parts: 6 to 32 digits, letters or _-|*", no, len(parts))
	}
	ctx, cancel, err := w.begin(ctx, opClose)
	if err != nil {
		return pay.Outcome{}, err
	}
	defer cancel()
	path, body := "/v3/pay/partner/transactions/out-trade-no/", fields{"sp_mchid": w.cfg.MchID, "sub_mchid": parts[0].Account}
	if len(parts) > 1 {
		subs := make([]fields, len(parts))
		for i, p := range parts {
			subs[i] = fields{"mchid": w.cfg.MchID, "out_trade_no": p.No, "sub_mchid": p.Account}
		}
		path, body = "/v3/combine-transactions/out-trade-no/", fields{"combine_appid": w.cfg.AppID, "sub_orders": subs}
	}
	result, err := w.client.Post(ctx, consts.WechatPayAPIServer+path+url.PathEscape(no)+"/close", body)
	if err == nil {
		_ = result.Response.Body.Close() // its body was read and checked; 204 has none
		if result.Response.StatusCode != http.StatusNoContent {
			return pay.Outcome{}, pay.Fail(opClose, pay.Unknown, "the answer to a close is not 204", nil)
		}
		return pay.Outcome{No: no, State: pay.Closed, Said: "204"}, nil
	}
	f, word := w.failed(ctx, opClose, err)
	switch word {
	case "ORDER_CLOSED", "ORDERCLOSED":
		return pay.Outcome{No: no, State: pay.Closed, Said: word}, nil
	case "ORDER_NOT_EXIST", "ORDERNOTEXIST":
		return pay.Outcome{No: no, State: pay.Absent, Said: word}, nil
	case "ORDERPAID", "ORDER_PAID", "TRADE_ERROR":
		return w.queryParts(ctx, opClose, no, parts)
	}
	return pay.Outcome{}, f
}

// combinedOrder is one as the wallet gives it, in an answer and in a notification.
type combinedOrder struct {
	AppID string `json:"combine_appid"`
	MchID string `json:"combine_mchid"`
	No    string `json:"combine_out_trade_no"`
	Subs  []struct {
		MchID       string `json:"mchid"`
		SubMchID    string `json:"sub_mchid"`
		State       string `json:"trade_state"`
		Attach      string `json:"attach"`
		SuccessTime string `json:"success_time"`
		Ref         string `json:"transaction_id"`
		No          string `json:"out_trade_no"`
		Amount      struct {
			Total    int64  `json:"total_amount"`
			Currency string `json:"currency"`
			Payer    int64  `json:"payer_amount"`
		} `json:"amount"`
		Promotions []payments.PromotionDetail `json:"promotion_detail"`
	} `json:"sub_orders"`
}

// paidNotice reads a notification's order: one of its own, a sub-merchant's, or a combined one.
func (w *Wallet) paidNotice(text []byte) (pay.Outcome, error) {
	var c combinedOrder
	if err := json.Unmarshal(text, &c); err == nil && c.No != "" {
		return w.together(&c)
	}
	var t transaction
	if err := json.Unmarshal(text, &t); err != nil {
		return pay.Outcome{}, pay.Fail(opNotified, pay.Refused, "transaction is not JSON", nil)
	}
	return w.outcome(&t)
}

// together reads a combined order, and believes it only where it is about our account, and its parts stand alike: they are
// paid together or not at all.
func (w *Wallet) together(c *combinedOrder) (pay.Outcome, error) {
	nonsense := func(what string) (pay.Outcome, error) {
		return pay.Outcome{}, pay.Fail(opQuery, pay.Unknown, "wallet's statement makes no sense: "+clip(what), nil)
	}
	switch {
	case !w.cfg.Platform || c.MchID != w.cfg.MchID || c.AppID != w.cfg.AppID:
		return nonsense("it is about another account")
	case !orderNo.MatchString(c.No) || len(c.Subs) == 0 || len(c.Subs) > maxParts:
		return nonsense("order number or parts")
	}
	out := pay.Outcome{No: c.No}
	for i := range c.Subs {
		s := &c.Subs[i]
		t := transaction{SpAppID: c.AppID, SpMchID: s.MchID, SubMchID: s.SubMchID}
		t.OutTradeNo, t.TradeState, t.Attach, t.PromotionDetail = &s.No, &s.State, &s.Attach, s.Promotions
		if s.Ref != "" {
			t.TransactionId, t.SuccessTime = &s.Ref, &s.SuccessTime
		}
		if s.Amount.Total != 0 {
			t.Amount = &payments.TransactionAmount{Total: &s.Amount.Total, PayerTotal: &s.Amount.Payer}
			if s.Amount.Currency != "" {
				t.Amount.Currency = &s.Amount.Currency
			}
		}
		part, err := w.outcome(&t)
		if err != nil {
			return pay.Outcome{}, err
		}
		if i == 0 {
			out.State, out.WalletRef, out.Tag, out.Said = part.State, part.WalletRef, part.Tag, part.Said
		}
		if part.State != out.State {
			return nonsense("its parts are " + out.Said + " and " + part.Said)
		}
		out.Refunded = out.Refunded || part.Refunded
		out.PaidAt = max(out.PaidAt, part.PaidAt)
		out.Amount = money.Of(out.Amount.Minor+part.Amount.Minor, money.CNY)
		out.PayerTotal += part.PayerTotal
		out.Parts = append(out.Parts, part.Parts...)
	}
	if out.State != pay.Paid {
		out.Amount, out.PayerTotal = money.Amount{}, 0
		return out, nil
	}
	settled := int64(0)
	for _, p := range out.Parts {
		settled += owed(&p)
	}
	if settled < out.Amount.Minor {
		out.Settled = &settled
	}
	return out, nil
}

// owed is what the wallet owes for a part.
func owed(p *pay.PartOutcome) int64 {
	if p.Settled != nil {
		return *p.Settled
	}
	return p.Amount
}
