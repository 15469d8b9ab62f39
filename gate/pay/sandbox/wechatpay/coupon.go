package wechatpay

import "github.com/moongate-hub/moongate/gate/pay/sandbox"

// Coupons pay a part of an order. One that was paid for in advance (CASH, 充值型代金券) makes no difference to the merchant; one
// that was not (NOCASH, 免充值代金券) the merchant bears, and the wallet owes so much less. The sandbox issues both as faults of
// op approve: [sandbox.Coupon] the first, [sandbox.OwnCoupon] the second. What of a coupon goes with a partial refund is assumed
// to be in proportion, and what the merchant gives back rounded down so that all refunds add up to what was owed.

// redeem lets coupons pay, as far as something is left for the shopper.
func (o *order) redeem(hit sandbox.Hits) {
	for _, kind := range []sandbox.Kind{sandbox.Coupon, sandbox.OwnCoupon} {
		if f := hit[kind]; f != nil && f.Amount > 0 && f.Amount < o.Total-o.Coupon {
			o.Coupon += f.Amount
			if kind == sandbox.OwnCoupon {
				o.OwnCoupon += f.Amount
			}
		}
	}
}

// promotions lists an order's coupons; with a refund, what of each goes back with it.
func (o *order) promotions(r *refund) []any {
	list := []any{}
	for _, c := range []struct {
		kind   string
		amount int64
	}{{"CASH", o.Coupon - o.OwnCoupon}, {"NOCASH", o.OwnCoupon}} {
		if c.amount == 0 {
			continue
		}
		one := map[string]any{"promotion_id": "c" + o.TransactionID + c.kind, "scope": "GLOBAL", "type": c.kind, "amount": c.amount}
		if r == nil {
			one = map[string]any{
				"coupon_id": "c" + o.TransactionID + c.kind, "name": "沙盒代金券", "scope": "GLOBAL", "type": c.kind, "amount": c.amount, "stock_id": "1",
				"wechatpay_contribute": 0, "merchant_contribute": 0, "other_contribute": 0, "currency": "CNY",
			}
			who := "wechatpay_contribute"
			if c.kind == "NOCASH" {
				who = "merchant_contribute"
			}
			one[who] = c.amount
		} else {
			one["refund_amount"] = share(r.Amount, c.amount, o.Total)
		}
		list = append(list, one)
	}
	return list
}

// share is a·b/c rounded down.
func share(a, b, c int64) int64 { return a/c*b + a%c*b/c }
