package alipay_test

import (
	"bytes"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// TestLifeOfAnOrder: it does not exist until somebody opens it, then waits, then is paid; each state in the wallet's word.
func TestLifeOfAnOrder(t *testing.T) {
	w := newWorld(t, nil)
	code := w.orderAs(with(with(trade("ORDER1", "12.30"), "body", "for <you> & me"), "passback_params", "pay_1"))
	if a := w.query("ORDER1"); a.sub() != "ACQ.TRADE_NOT_EXIST" {
		t.Errorf("before anybody looked: %s", a.body)
	}
	if page := w.browse(http.MethodGet, code, nil); !bytes.Contains(page.body, []byte("12.30")) {
		t.Errorf("page:\n%s", page.body)
	}
	a := w.query("ORDER1")
	if a.get("trade_status") != "WAIT_BUYER_PAY" || len(a.get("trade_no")) != 28 || a.get("total_amount") != "12.30" || a.get("send_pay_date") != "" {
		t.Errorf("opened: %s", a.body)
	}
	if err := w.wallet.Approve(appID, "ORDER1"); err != nil {
		t.Fatal(err)
	}
	a = w.ask(query, object{"trade_no": a.get("trade_no")})
	if a.get("trade_status") != "TRADE_SUCCESS" || a.get("out_trade_no") != "ORDER1" || a.get("buyer_pay_amount") != "12.30" || a.get("receipt_amount") != "12.30" ||
		a.get("send_pay_date") != "2026-03-04 10:00:00" || a.get("body") != "for <you> & me" || a.get("passback_params") != "pay_1" {
		t.Errorf("paid: %s", a.body)
	}
	if !a.signed {
		t.Error("the answer's bytes are not what was signed")
	}
	w.Advance(366 * 24 * time.Hour)
	if a := w.query("ORDER1"); a.get("trade_status") != "TRADE_FINISHED" {
		t.Errorf("after a year: %s", a.body)
	}
	if v := w.wallet.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
	if err := w.wallet.Visit(appID, "NEVER1"); err == nil {
		t.Error("visited an order that is not there")
	}
	if err := w.wallet.Approve("2021000000000009", "ORDER1"); err == nil {
		t.Error("approved at another account")
	}
}

// TestOrderExpires: an order closes when its time is over, opened or not, and says so where it was opened.
func TestOrderExpires(t *testing.T) {
	w := newWorld(t, nil)
	w.orderAs(with(trade("ORDER1", "1.00"), "time_expire", "2026-03-04 10:05:00"))
	w.orderAs(with(trade("ORDER2", "1.00"), "timeout_express", "5m"))
	w.orderAs(with(trade("ORDER3", "1.00"), "timeout_express", "1c"))
	for _, no := range []string{"ORDER1", "ORDER3"} {
		if err := w.wallet.Visit(appID, no); err != nil {
			t.Fatal(err)
		}
	}
	w.Advance(6 * time.Minute)
	for _, no := range []string{"ORDER1", "ORDER2"} {
		if err := w.wallet.Approve(appID, no); err == nil {
			t.Errorf("%s was paid after its time", no)
		}
	}
	if a := w.query("ORDER1"); a.get("trade_status") != "TRADE_CLOSED" {
		t.Errorf("opened: %s", a.body)
	}
	if a := w.query("ORDER2"); a.sub() != "ACQ.TRADE_NOT_EXIST" {
		t.Errorf("never opened: %s", a.body)
	}
	w.Advance(14 * time.Hour)
	if a := w.query("ORDER3"); a.get("trade_status") != "TRADE_CLOSED" {
		t.Errorf("after midnight: %s", a.body)
	}
	w.Advance(time.Minute)
	if len(w.shop.got) != 2 || w.shop.got[0].form.Get("trade_status") != "TRADE_CLOSED" || w.shop.got[0].form.Get("gmt_close") != "2026-03-04 10:05:00" {
		t.Errorf("told %v", w.shop.got)
	}
}

// TestAskedAgain: the same order asked again is the same order with a fresh code.
func TestAskedAgain(t *testing.T) {
	w := newWorld(t, nil)
	first, second := w.order("ORDER1", "1.00"), w.order("ORDER1", "1.00")
	if first == second {
		t.Error("one code for two calls")
	}
	w.browse(http.MethodGet, first, nil)
	opened := w.query("ORDER1").get("trade_no")
	w.browse(http.MethodGet, second, nil)
	if again := w.query("ORDER1").get("trade_no"); again != opened {
		t.Errorf("trade %s, then %s", opened, again)
	}
}

// TestCloseAndCancel: close wants an order that waits; cancel ends one in any state, and gives back what was paid.
func TestCloseAndCancel(t *testing.T) {
	w := newWorld(t, nil)
	for _, no := range []string{"ORDER1", "ORDER2", "ORDER3"} {
		w.order(no, "1.00")
	}
	if err := w.wallet.Visit(appID, "ORDER1"); err != nil {
		t.Fatal(err)
	}
	if a := w.ask(closing, object{"out_trade_no": "ORDER1"}); a.code() != "10000" || a.get("trade_no") == "" || !a.signed {
		t.Errorf("close: %s", a.body)
	}
	if err := w.wallet.Approve(appID, "ORDER1"); err == nil {
		t.Error("a closed order was paid")
	}
	w.inject(sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove})
	if err := w.wallet.Approve(appID, "ORDER1"); err != nil {
		t.Errorf("payment that overtakes a close: %v", err)
	}
	if a := w.ask(cancel, object{"out_trade_no": "ORDER2"}); a.get("action") != "close" || a.get("retry_flag") != "N" {
		t.Errorf("cancel of what nobody opened: %s", a.body)
	}
	if err := w.wallet.Approve(appID, "ORDER2"); err == nil {
		t.Error("a cancelled order was paid")
	}
	if err := w.wallet.Approve(appID, "ORDER3"); err != nil {
		t.Fatal(err)
	}
	if a := w.ask(cancel, object{"out_trade_no": "ORDER3"}); a.get("action") != "refund" {
		t.Errorf("cancel of what was paid: %s", a.body)
	}
	if a := w.query("ORDER3"); a.get("trade_status") != "TRADE_CLOSED" {
		t.Errorf("cancelled: %s", a.body)
	}
	if a := w.ask(cancel, object{"out_trade_no": "NEVER1"}); a.code() != "10000" || a.get("action") != "" {
		t.Errorf("cancel of nothing: %s", a.body)
	}
}

// pagePay follows a page method as a browser does.
func (w *world) pagePay(method string, biz object) answered {
	w.t.Helper()
	q := w.parameters(method, biz)
	a := w.browse(http.MethodGet, "http://wallet.test/gateway.do?"+q.Encode(), nil)
	if a.status != http.StatusFound {
		return a
	}
	return w.browse(http.MethodGet, a.header.Get("Location"), nil)
}

// press submits the page's form as a browser does, and follows.
func (w *world) press(page answered, choice string) answered {
	w.t.Helper()
	_, rest, ok := strings.Cut(string(page.body), `name="token" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	if !ok {
		w.t.Fatalf("no form on the page:\n%s", page.body)
	}
	a := w.browse(http.MethodPost, "http://wallet.test/sandbox/pay", url.Values{"token": {token}, "answer": {choice}, "lang": {"en"}})
	if a.status != http.StatusSeeOther {
		w.t.Fatalf("decide: %d %s", a.status, a.body)
	}
	return w.browse(http.MethodGet, "http://wallet.test"+a.header.Get("Location"), nil)
}

// TestShopperPays by page, by phone page and by app, comes back to the shop under a signature, and sees every error.
func TestShopperPays(t *testing.T) {
	for method, product := range map[string]string{
		"alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY", "alipay.trade.wap.pay": "QUICK_WAP_WAY", "alipay.trade.app.pay": "QUICK_MSECURITY_PAY",
	} {
		w := newWorld(t, nil)
		w.extra = map[string]string{"return_url": "https://shop.test/thanks?order=1", "notify_url": "https://shop.test/notify"}
		o := with(trade("ORDER1", "1234.56"), "product_code", product)
		page := w.pagePay(method, o)
		if !bytes.Contains(page.body, []byte("1234.56")) {
			t.Fatalf("%s:\n%s", method, page.body)
		}
		if a := w.query("ORDER1"); a.get("trade_status") != "WAIT_BUYER_PAY" {
			t.Errorf("%s: opened: %s", method, a.body)
		}
		declined := w.press(page, "decline")
		if !bytes.Contains(declined.body, []byte("You chose not to pay")) || bytes.Contains(declined.body, []byte("shop.test")) {
			t.Errorf("%s: declined:\n%s", method, declined.body)
		}
		done := w.press(declined, "approve")
		_, rest, ok := strings.Cut(string(done.body), `class="back" href="`)
		back, _, _ := strings.Cut(rest, `"`)
		u, err := url.Parse(html.UnescapeString(back))
		if !ok || err != nil {
			t.Fatalf("%s: no way back:\n%s", method, done.body)
		}
		q := u.Query()
		if method == "alipay.trade.app.pay" {
			if u.String() != "https://shop.test/thanks?order=1" {
				t.Errorf("%s leads back to %s", method, u)
			}
			continue
		}
		if q.Get("out_trade_no") != "ORDER1" || q.Get("total_amount") != "1234.56" || q.Get("method") != method+".return" || q.Get("seller_id") != pid || q.Get("order") != "1" {
			t.Errorf("%s leads back to %s", method, u)
		}
		q.Del("order")
		if !good(w.m.AlipayKey, content(q, "sign_type"), q.Get("sign")) {
			t.Errorf("%s: the way back is not signed well: %s", method, u)
		}
		if a := w.pagePay(method, o); !bytes.Contains(a.body, []byte("ACQ.TRADE_HAS_SUCCESS")) || a.header.Get("Location") != "" {
			t.Errorf("%s when paid: %d %s", method, a.status, a.body)
		}
	}
	w := newWorld(t, nil)
	page := w.pagePay("alipay.trade.wap.pay", with(with(trade("ORDER1", "1.00"), "quit_url", "https://shop.test/cart"), "timeout_express", "5m"))
	if !bytes.Contains(page.body, []byte(`href="https://shop.test/cart"`)) {
		t.Errorf("who walks away is not led back:\n%s", page.body)
	}
	w.Advance(6 * time.Minute)
	if late := w.press(page, "approve"); !bytes.Contains(late.body, []byte("<h1>Expired</h1>")) {
		t.Errorf("too late:\n%s", late.body)
	}
	if a := w.browse(http.MethodGet, "http://wallet.test/cashier?token=guess", nil); a.status != http.StatusNotFound {
		t.Errorf("guessed: %d", a.status)
	}
	if a := w.browse(http.MethodGet, "http://wallet.test/gateway.do?method=alipay.trade.wap.pay", nil); !bytes.Contains(a.body, []byte("isv.missing-app-id")) {
		t.Errorf("at the door: %s", a.body)
	}
	if a := w.pagePay("alipay.trade.page.pay", trade("ORDER2", "1.00")); !bytes.Contains(a.body, []byte("ACQ.INVALID_PARAMETER")) {
		t.Errorf("without a product: %s", a.body)
	}
}

// TestPaidTogether pays two sub-merchants' orders at once: both or none.
func TestPaidTogether(t *testing.T) {
	w := newWorld(t, nil)
	const sub1, sub2 = "2088000000000777", "2088000000000778"
	w.sub(sub1)
	w.sub(sub2)
	detail := func(no, amount, smid string) object {
		return object{
			"app_id": appID, "out_trade_no": no, "total_amount": amount, "subject": "A teapot", "product_code": "QUICK_WAP_WAY",
			"sub_merchant": object{"merchant_id": smid},
			"settle_info":  object{"settle_detail_infos": []object{{"trans_in_type": "defaultSettle", "amount": amount}}},
		}
	}
	w.extra["notify_url"] = "https://shop.test/notify"
	a := w.ask("alipay.trade.merge.precreate", object{"out_merge_no": "MERGE1", "timeout_express": "10m", "order_details": []object{detail("ORDER1", "1.00", sub1), detail("ORDER2", "2.50", sub2)}})
	if a.code() != "10000" || a.get("pre_order_no") == "" || len(a.fields["order_detail_results"].([]any)) != 2 {
		t.Fatalf("%s", a.body)
	}
	page := w.pagePay("alipay.trade.wap.merge.pay", object{"pre_order_no": a.get("pre_order_no")})
	if !bytes.Contains(page.body, []byte("3.50")) {
		t.Fatalf("page:\n%s", page.body)
	}
	w.press(page, "approve")
	w.Advance(time.Minute)
	for no, smid := range map[string]string{"ORDER1": sub1, "ORDER2": sub2} {
		if a := w.query(no); a.get("trade_status") != "TRADE_SUCCESS" || a.get("alipay_sub_merchant_id") != smid {
			t.Errorf("%s: %s", no, a.body)
		}
	}
	if len(w.shop.got) != 2 {
		t.Errorf("told %d times", len(w.shop.got))
	}
	if a := w.pagePay("alipay.trade.wap.merge.pay", object{"pre_order_no": a.get("pre_order_no")}); !bytes.Contains(a.body, []byte("ACQ.TRADE_HAS_SUCCESS")) {
		t.Errorf("again: %s", a.body)
	}
	if a := w.pagePay("alipay.trade.app.merge.pay", object{"pre_order_no": "1"}); !bytes.Contains(a.body, []byte("ACQ.TRADE_NOT_EXIST")) {
		t.Errorf("unknown: %s", a.body)
	}
}

// TestCoupon: a coupon of the wallet's pays a part; the merchant gets all.
func TestCoupon(t *testing.T) {
	w := newWorld(t, nil)
	w.inject(sandbox.Fault{Kind: sandbox.Coupon, Op: sandbox.OpApprove, Amount: 25})
	w.pay("ORDER1", "1.00")
	if a := w.query("ORDER1"); a.get("total_amount") != "1.00" || a.get("buyer_pay_amount") != "0.75" || a.get("receipt_amount") != "1.00" {
		t.Errorf("%s", a.body)
	}
	w.Advance(time.Minute)
	if f := w.shop.got[0].form; f.Get("buyer_pay_amount") != "0.75" || f.Get("receipt_amount") != "1.00" || !strings.Contains(f.Get("fund_bill_list"), "COUPON") {
		t.Errorf("told %v", f)
	}
}

// TestCreate makes a trade for a known buyer, which exists at once.
func TestCreate(t *testing.T) {
	w := newWorld(t, nil)
	a := w.ask("alipay.trade.create", with(trade("ORDER1", "1.00"), "buyer_id", other))
	if a.code() != "10000" || a.get("trade_no") == "" {
		t.Fatalf("%s", a.body)
	}
	if q := w.query("ORDER1"); q.get("trade_no") != a.get("trade_no") || q.get("buyer_user_id") != other {
		t.Errorf("%s", q.body)
	}
}

// TestStrictness: the wallet writes down what a careful merchant would never ask.
func TestStrictness(t *testing.T) {
	w := newWorld(t, nil)
	w.bind(other)
	for _, no := range []string{"ORDER1", "ORDER2"} {
		w.orderAs(with(trade(no, "1.00"), "passback_params", "pay_1"))
		if err := w.wallet.Approve(appID, no); err != nil {
			t.Fatal(err)
		}
	}
	w.order("ORDER3", "1.00")
	w.ask(precreate, trade("ORDER3", "2.00"))
	if err := w.wallet.Visit(appID, "ORDER3"); err != nil {
		t.Fatal(err)
	}
	refund := func(no, order, amount, reason string) {
		w.ask(refunding, object{"out_trade_no": order, "refund_amount": amount, "out_request_no": no, "refund_reason": reason})
		w.Advance(time.Minute)
	}
	ref := w.query("ORDER1").get("trade_no")
	refund("R1", "ORDER1", "0.10", "broken #ref_1")
	refund("R2", "ORDER1", "0.10", "broken #ref_1")
	refund("R3", "ORDER1", "0.10", "broken #ref_2")
	refund("R4", "ORDER1", "0.71", "")
	refund("R1", "ORDER1", "0.11", "")
	refund("R5", "ORDER3", "0.01", "")
	w.ask(settling, object{"out_request_no": "S1", "trade_no": ref, "royalty_parameters": []object{{"trans_in": other, "amount": "0.90"}}})
	w.ask(settling, object{"out_request_no": "S2", "trade_no": ref, "royalty_parameters": []object{{"trans_in": other, "amount": "0.10"}}})
	w.ask(settling, object{"out_request_no": "S2", "trade_no": ref, "royalty_parameters": []object{{"trans_in": other, "amount": "0.11"}}})
	var rules []string
	for _, v := range w.wallet.Violations() {
		rules = append(rules, v.Rule)
	}
	want := []string{
		sandbox.RulePaidTwice, sandbox.RuleOtherOrder, sandbox.RuleRefundTwice, sandbox.RuleOverRefund, sandbox.RuleOtherRefund, sandbox.RuleRefundUnpaid,
		sandbox.RuleOverSplit, sandbox.RuleOtherSplit,
	}
	if got := strings.Join(rules, " "); got != strings.Join(want, " ") {
		t.Errorf("rules %s, want %s", got, want)
	}
}

// TestBounds: a full wallet says so.
func TestBounds(t *testing.T) {
	w := newWorld(t, func(c *sandbox.Config) { c.Limit = 1 })
	w.order("ORDER1", "1.00")
	if a := w.ask(precreate, trade("ORDER2", "1.00")); a.sub() != "ACQ.SYSTEM_ERROR" {
		t.Errorf("second order of one: %s", a.body)
	}
}
