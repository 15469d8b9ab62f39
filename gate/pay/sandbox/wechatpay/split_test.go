package wechatpay_test

import (
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// TestSplitLimits: only what is frozen is split, for thirty days, to receivers that were added, and three tenths of it at
// the most; what is refused moves nothing.
func TestSplitLimits(t *testing.T) {
	for name, scale := range map[string]int{"as documented": 1, "a hundred times as fast": 100} {
		t.Run(name, func(t *testing.T) { splitLimits(t, scale) })
	}
}

func splitLimits(t *testing.T, scale int) {
	w := newWorld(t, func(c *sandbox.Config) { c.Scale = scale })
	const shop = "1900000999"
	frozen := func(no string) string {
		t.Helper()
		o := native(no, 10_000)
		o["settle_info"] = object{"profit_sharing": true}
		if a := w.ask("POST", "/v3/pay/transactions/native", o); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if err := w.wallet.Approve(mchID, no); err != nil {
			t.Fatal(err)
		}
		return w.query(no).json["transaction_id"].(string)
	}
	split := func(no, ref string, amount int64, to string) answered {
		t.Helper()
		return w.ask("POST", "/v3/profitsharing/orders", object{
			"appid": appID, "transaction_id": ref, "out_order_no": no, "unfreeze_unsplit": false,
			"receivers": []object{{"type": "MERCHANT_ID", "account": to, "amount": amount, "description": "a part"}},
		})
	}
	refused := func(what string, a answered, status int, code string) {
		t.Helper()
		if a.status != status || a.json["code"] != code {
			t.Errorf("%s: %d %s, want %d %s", what, a.status, a.body, status, code)
		}
	}
	old, ref := frozen("ORDER-00"), frozen("ORDER-01")
	w.pay("ORDER-02", 10_000)
	refused("a receiver that was not added", split("S-1", ref, 100, shop), 400, "INVALID_REQUEST")
	if a := w.ask("POST", "/v3/profitsharing/receivers/add", object{"appid": appID, "type": "MERCHANT_ID", "account": shop, "relation_type": "STORE"}); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	refused("what is not frozen", split("S-2", w.query("ORDER-02").json["transaction_id"].(string), 100, shop), 400, "INVALID_REQUEST")
	refused("more than three tenths", split("S-3", ref, 3_001, shop), 403, "RULE_LIMIT")
	if a := split("S-4", ref, 2_000, shop); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	refused("more than three tenths in two", split("S-5", ref, 1_001, shop), 403, "RULE_LIMIT")
	if a := split("S-6", ref, 1_000, shop); a.status != 200 {
		t.Errorf("three tenths in two: %d %s", a.status, a.body)
	}
	w.Advance(time.Minute)
	held := int64(0)
	for _, s := range w.wallet.Book(mchID).Splits {
		held += s.Amount
	}
	if held != 3_000 {
		t.Errorf("%d was split off", held)
	}
	w.Advance(30*24*time.Hour/time.Duration(scale) - 2*time.Minute)
	if a := split("S-7", old, 1, shop); a.status != 200 {
		t.Errorf("within thirty days: %d %s", a.status, a.body)
	}
	w.Advance(2 * time.Minute)
	refused("after thirty days", split("S-8", old, 1, shop), 400, "INVALID_REQUEST")
}
