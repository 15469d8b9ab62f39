package wechatpay_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
)

// TestErrorCodes walks through what a merchant can do wrong and the answer the documentation gives to it.
func TestErrorCodes(t *testing.T) {
	type ask struct {
		method, uri string
		body        any
	}
	prepay := func(o object) ask { return ask{"POST", "/v3/pay/transactions/native", o} }
	queryAsk := func(no string) ask {
		return ask{"GET", "/v3/pay/transactions/out-trade-no/" + no + "?mchid=" + mchID, nil}
	}
	closeAsk := func(no string) ask {
		return ask{"POST", "/v3/pay/transactions/out-trade-no/" + no + "/close", object{"mchid": mchID}}
	}
	back := func(o object) ask { return ask{"POST", "/v3/refund/domestic/refunds", o} }
	billAsk := func(q string) ask { return ask{"GET", "/v3/bill/tradebill?" + q, nil} }
	paid := func(w *world) { w.pay("ORDER-01", 100) }
	tests := []struct {
		name   string
		before func(*world)
		ask    ask
		status int
		code   string
	}{
		{"not JSON", nil, ask{"POST", "/v3/pay/transactions/native", "{"}, 400, "PARAM_ERROR"},
		{"amount as text", nil, prepay(with(native("ORDER-01", 1), "amount", object{"total": "1.5"})), 400, "PARAM_ERROR"},
		{"amount zero", nil, prepay(native("ORDER-01", 0)), 400, "PARAM_ERROR"},
		{"amount negative", nil, prepay(native("ORDER-01", -1)), 400, "PARAM_ERROR"},
		{"amount with a fraction", nil, prepay(with(native("ORDER-01", 1), "amount", object{"total": 1.5})), 400, "PARAM_ERROR"},
		{"amount beyond reason", nil, prepay(with(native("ORDER-01", 1), "amount", object{"total": 1e17})), 400, "PARAM_ERROR"},
		{"no amount", nil, prepay(with(native("ORDER-01", 1), "amount", nil)), 400, "PARAM_ERROR"},
		{"foreign currency", nil, prepay(with(native("ORDER-01", 1), "amount", object{"total": 1, "currency": "USD"})), 400, "PARAM_ERROR"},
		{"short number", nil, prepay(native("A", 1)), 400, "PARAM_ERROR"},
		{"number with a blank", nil, prepay(native("ORDER 01", 1)), 400, "PARAM_ERROR"},
		{"notify URL with query", nil, prepay(with(native("ORDER-01", 1), "notify_url", "https://shop.test/?a=1")), 400, "PARAM_ERROR"},
		{"no description", nil, prepay(with(native("ORDER-01", 1), "description", nil)), 400, "PARAM_ERROR"},
		{"long attach", nil, prepay(with(native("ORDER-01", 1), "attach", strings.Repeat("a", 129))), 400, "PARAM_ERROR"},
		{"expiry that is no time", nil, prepay(with(native("ORDER-01", 1), "time_expire", "tomorrow")), 400, "PARAM_ERROR"},
		{"another merchant's number", nil, prepay(with(native("ORDER-01", 1), "mchid", "1900000000")), 400, "PARAM_ERROR"},
		{"another app", nil, prepay(with(native("ORDER-01", 1), "appid", "wx0")), 400, "APPID_MCHID_NOT_MATCH"},
		{"h5 without scene", nil, ask{"POST", "/v3/pay/transactions/h5", native("ORDER-01", 1)}, 400, "PARAM_ERROR"},
		{"same number, other amount", func(w *world) { w.order("ORDER-01", 100) }, prepay(native("ORDER-01", 101)), 400, "INVALID_REQUEST"},
		{"same number, other channel", func(w *world) { w.order("ORDER-01", 100) }, ask{"POST", "/v3/pay/transactions/h5", with(native("ORDER-01", 100), "scene_info", object{"payer_client_ip": "203.0.113.7", "h5_info": object{"type": "Wap"}})}, 403, "OUT_TRADE_NO_USED"},
		{"order again when paid", paid, prepay(native("ORDER-01", 100)), 400, "ORDERPAID"},
		{"order again when closed", func(w *world) {
			w.order("ORDER-01", 100)
			w.ask("POST", closeAsk("ORDER-01").uri, closeAsk("ORDER-01").body)
		}, prepay(native("ORDER-01", 100)), 400, "ORDER_CLOSED"},
		{"order a number closed before", func(w *world) { w.ask("POST", closeAsk("ORDER-01").uri, closeAsk("ORDER-01").body) }, prepay(native("ORDER-01", 100)), 400, "INVALID_REQUEST"},
		{"query of nothing", nil, queryAsk("ORDER-01"), 404, "ORDER_NOT_EXIST"},
		{"query of a number closed before", func(w *world) { w.ask("POST", closeAsk("ORDER-01").uri, closeAsk("ORDER-01").body) }, queryAsk("ORDER-01"), 400, "ORDER_CLOSED"},
		{"query for another merchant", nil, ask{"GET", "/v3/pay/transactions/out-trade-no/ORDER-01?mchid=1900000000", nil}, 400, "PARAM_ERROR"},
		{"query by unknown id", nil, ask{"GET", "/v3/pay/transactions/id/4200000000?mchid=" + mchID, nil}, 404, "ORDER_NOT_EXIST"},
		{"close when paid", paid, closeAsk("ORDER-01"), 400, "ORDERPAID"},
		{"close without merchant", nil, ask{"POST", closeAsk("ORDER-01").uri, object{}}, 400, "PARAM_ERROR"},
		{"refund of nothing", nil, back(refundOf("R1", "ORDER-01", 1, 100)), 404, "RESOURCE_NOT_EXISTS"},
		{"refund of what is not paid", func(w *world) { w.order("ORDER-01", 100) }, back(refundOf("R1", "ORDER-01", 1, 100)), 400, "INVALID_REQUEST"},
		{"refund with a wrong total", paid, back(refundOf("R1", "ORDER-01", 1, 99)), 400, "INVALID_REQUEST"},
		{"refund of too much", paid, back(refundOf("R1", "ORDER-01", 101, 100)), 400, "INVALID_REQUEST"},
		{"refund of nothing left", func(w *world) {
			paid(w)
			w.ask("POST", "/v3/refund/domestic/refunds", refundOf("R0", "ORDER-01", 100, 100))
			w.Advance(time.Hour)
		}, back(refundOf("R1", "ORDER-01", 1, 100)), 400, "INVALID_REQUEST"},
		{"refund number for another amount", func(w *world) {
			paid(w)
			w.ask("POST", "/v3/refund/domestic/refunds", refundOf("R1", "ORDER-01", 10, 100))
		}, back(refundOf("R1", "ORDER-01", 11, 100)), 400, "INVALID_REQUEST"},
		{"second refund within a minute", func(w *world) {
			paid(w)
			w.ask("POST", "/v3/refund/domestic/refunds", refundOf("R0", "ORDER-01", 10, 100))
			w.Advance(59 * time.Second)
		}, back(refundOf("R1", "ORDER-01", 10, 100)), 429, "FREQUENCY_LIMITED"},
		{"refund after a year", func(w *world) { paid(w); w.Advance(366 * 24 * time.Hour) }, back(refundOf("R1", "ORDER-01", 1, 100)), 400, "INVALID_REQUEST"},
		{"refund in dollars", paid, back(with(refundOf("R1", "ORDER-01", 1, 100), "amount", object{"refund": 1, "total": 100, "currency": "USD"})), 400, "PARAM_ERROR"},
		{"refund without an order", paid, back(with(refundOf("R1", "", 1, 100), "out_trade_no", nil)), 400, "PARAM_ERROR"},
		{"query of no refund", nil, ask{"GET", "/v3/refund/domestic/refunds/R1", nil}, 404, "RESOURCE_NOT_EXISTS"},
		{"bill of no day", nil, billAsk("bill_date=yesterday"), 400, "PARAM_ERROR"},
		{"bill of today", paid, billAsk("bill_date=2026-03-04"), 400, "INVALID_REQUEST"},
		{"bill of four months ago", paid, billAsk("bill_date=2025-11-03"), 400, "INVALID_REQUEST"},
		{"bill of another kind", nil, billAsk("bill_date=2026-03-03&bill_type=SOME"), 400, "PARAM_ERROR"},
		{"bill before ten", func(w *world) { paid(w); w.Advance(24*time.Hour + 59*time.Minute) }, billAsk("bill_date=2026-03-04"), 400, "STATEMENT_CREATING"},
		{"bill of a day without trade", nil, billAsk("bill_date=2026-03-02"), 400, "NO_STATEMENT_EXIST"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			if test.before != nil {
				test.before(w)
			}
			a := w.ask(test.ask.method, test.ask.uri, test.ask.body)
			if a.status != test.status || a.json["code"] != test.code || a.json["message"] == "" {
				t.Errorf("%d %s, want %d %s", a.status, a.body, test.status, test.code)
			}
			if a.header.Get("Wechatpay-Signature") == "" {
				t.Error("a business error without a signature")
			}
		})
	}
}

// TestForcedCodes forces each code that no order of things here brings about, and every other one too.
func TestForcedCodes(t *testing.T) {
	for code, status := range map[string]int{
		"PARAM_ERROR": 400, "INVALID_REQUEST": 400, "APPID_MCHID_NOT_MATCH": 400, "MCH_NOT_EXISTS": 400, "ORDER_CLOSED": 400, "ORDERPAID": 400,
		"NO_STATEMENT_EXIST": 400, "STATEMENT_CREATING": 400, "SIGN_ERROR": 401, "NO_AUTH": 403, "OUT_TRADE_NO_USED": 403, "RULE_LIMIT": 403,
		"TRADE_ERROR": 403, "ACCOUNT_ERROR": 403, "NOT_ENOUGH": 403, "USER_ACCOUNT_ABNORMAL": 403, "ORDER_NOT_EXIST": 404, "RESOURCE_NOT_EXISTS": 404,
		"FREQUENCY_LIMITED": 429, "SYSTEM_ERROR": 500, "BANK_ERROR": 500, "INVALID_TRANSACTIONID": 500,
	} {
		t.Run(code, func(t *testing.T) {
			w := newWorld(t, nil)
			if err := w.wallet.Inject(sandbox.Fault{Kind: sandbox.Refuse, Op: wechatpay.OpNative, Code: code}); err != nil {
				t.Fatal(err)
			}
			if a := w.ask("POST", "/v3/pay/transactions/native", native("ORDER-01", 1)); a.status != status || a.json["code"] != code {
				t.Errorf("%d %s", a.status, a.body)
			}
			if a := w.query("ORDER-01"); a.status != http.StatusNotFound {
				t.Errorf("a refused order exists: %d %s", a.status, a.body)
			}
		})
	}
	w := newWorld(t, nil)
	for _, f := range []sandbox.Fault{{Kind: sandbox.Refuse, Code: "NO_SUCH"}, {Kind: "explode"}} {
		if err := w.wallet.Inject(f); err == nil {
			t.Errorf("fault %v accepted", f)
		}
	}
}

// TestSignatureIsRequired: whatever is wrong with the merchant's signature is 401 SIGN_ERROR, itself unsigned.
func TestSignatureIsRequired(t *testing.T) {
	w := newWorld(t, nil)
	uri := "/v3/pay/transactions/out-trade-no/ORDER-01?mchid=" + mchID
	good := authorization(t, w.m, w.Now(), "GET", uri, nil)
	tests := map[string]string{
		"missing":           "",
		"other scheme":      strings.Replace(good, "WECHATPAY2-SHA256-RSA2048", "Bearer", 1),
		"parameter missing": strings.Replace(good, `nonce_str="NONCE",`, "", 1),
		"parameter twice":   good + `,mchid="1900000109"`,
		"parameter more":    good + `,more="1"`,
		"unquoted":          strings.ReplaceAll(good, `"`, ""),
		"other merchant":    strings.Replace(good, mchID, "1900000000", 1),
		"other serial":      strings.Replace(good, w.m.SerialNo, "00", 1),
		"other nonce":       strings.Replace(good, "NONCE", "OTHER", 1),
		"not base64":        strings.Replace(good, `signature="`, `signature="*`, 1),
		"six minutes old":   authorization(t, w.m, w.Now().Add(-6*time.Minute), "GET", uri, nil),
		"six minutes ahead": authorization(t, w.m, w.Now().Add(6*time.Minute), "GET", uri, nil),
		"other path":        authorization(t, w.m, w.Now(), "GET", "/v3/certificates", nil),
		"other method":      authorization(t, w.m, w.Now(), "POST", uri, nil),
		"other body":        authorization(t, w.m, w.Now(), "GET", uri, []byte("x")),
	}
	for name, header := range tests {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://wallet.test"+uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", header)
		a, err := w.send(r)
		if err != nil {
			t.Fatal(err)
		}
		if a.status != http.StatusUnauthorized || a.json["code"] != "SIGN_ERROR" || a.header.Get("Wechatpay-Signature") != "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	// The documented detail lets a merchant see what was signed, with the body cut off.
	body := []byte(`{"appid":"wx","mchid":"1"}`)
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://wallet.test/v3/pay/transactions/native", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization(t, w.m, w.Now(), "POST", "/v3/pay/transactions/h5", body))
	a, err := w.send(r)
	if err != nil {
		t.Fatal(err)
	}
	detail := a.json["detail"].(object)
	information := detail["sign_information"].(object)
	want := fmt.Sprintf("POST\n/v3/pay/transactions/native\n%d\nNONCE\n{\"appid\"\n", w.Now().Unix())
	if detail["location"] != "authorization" || detail["field"] != "signature" || information["truncated_sign_message"] != want {
		t.Errorf("detail %v, want the message %q", detail, want)
	}
}

// TestOrderIsRepeatable: the same order asked again is the same order with a fresh code; what it may not change, it
// does not; and a time limit is held.
func TestOrderIsRepeatable(t *testing.T) {
	w := newWorld(t, nil)
	o := with(native("ORDER-01", 100), "time_expire", start.Add(time.Second).Format(time.RFC3339))
	first := w.ask("POST", "/v3/pay/transactions/native", o)
	second := w.ask("POST", "/v3/pay/transactions/native", o)
	if first.status != 200 || second.status != 200 || first.json["code_url"] == second.json["code_url"] {
		t.Errorf("%s then %s", first.body, second.body)
	}
	if a := w.query("ORDER-01"); a.json["trade_state"] != "NOTPAY" || a.json["transaction_id"] != nil {
		t.Errorf("open order: %s", a.body)
	}
	w.Advance(59 * time.Second) // a life shorter than a minute is lengthened to a minute
	if err := w.wallet.Approve(mchID, "ORDER-01"); err != nil {
		t.Errorf("within the minute: %v", err)
	}
	w.ask("POST", "/v3/pay/transactions/native", with(native("ORDER-02", 100), "time_expire", w.Now().Add(2*time.Minute).Format(time.RFC3339)))
	w.Advance(3 * time.Minute)
	if err := w.wallet.Approve(mchID, "ORDER-02"); err == nil {
		t.Error("paid after its time")
	}
	if a := w.query("ORDER-02"); a.json["trade_state"] != "NOTPAY" {
		t.Errorf("an expired order stays open until it is closed: %s", a.body)
	}
	for range 2 {
		if a := w.ask("POST", "/v3/pay/transactions/out-trade-no/ORDER-02/close", object{"mchid": mchID}); a.status != http.StatusNoContent || a.header.Get("Wechatpay-Signature") == "" || len(a.body) != 0 {
			t.Errorf("close: %d %s", a.status, a.body)
		}
	}
	if err := w.wallet.Approve(mchID, "NEVER-01"); err == nil {
		t.Error("approved an order that is not there")
	}
}

// TestRefundsAddUp refunds in parts until nothing is left; the fee comes back in step and to the fen.
func TestRefundsAddUp(t *testing.T) {
	w := newWorld(t, nil)
	w.pay("ORDER-01", 1999) // fee 11.994 fen, charged as 12
	var back int64
	for i, amount := range []int{1, 998, 1000} {
		no := fmt.Sprintf("R%d", i)
		if a := w.ask("POST", "/v3/refund/domestic/refunds", refundOf(no, "ORDER-01", amount, 1999)); a.json["status"] != "PROCESSING" {
			t.Fatalf("%s: %s", no, a.body)
		}
		again := w.ask("POST", "/v3/refund/domestic/refunds", refundOf(no, "ORDER-01", amount, 1999))
		w.Advance(time.Minute)
		done := w.ask("GET", "/v3/refund/domestic/refunds/"+no, nil)
		if done.json["status"] != "SUCCESS" || done.json["refund_id"] != again.json["refund_id"] || done.json["success_time"] == nil {
			t.Errorf("%s: %s", no, done.body)
		}
	}
	b := w.wallet.Book(mchID)
	for _, r := range b.Refunds {
		back += r.FeeBack
	}
	if len(b.Payments) != 1 || b.Payments[0].Fee != 12 || back != 12 {
		t.Errorf("fee %v, of which %d came back", b.Payments, back)
	}
	if a := w.query("ORDER-01"); a.json["trade_state"] != "REFUND" {
		t.Errorf("after refunds: %s", a.body)
	}
	if v := w.wallet.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
}

// TestStrictness: the wallet writes down what a careful merchant would never ask.
func TestStrictness(t *testing.T) {
	w := newWorld(t, nil)
	ask := func(body object) { w.ask("POST", "/v3/refund/domestic/refunds", body); w.Advance(2 * time.Minute) }
	for _, no := range []string{"ORDER-01", "ORDER-02"} {
		w.ask("POST", "/v3/pay/transactions/native", with(native(no, 100), "attach", "pay_1"))
		if err := w.wallet.Approve(mchID, no); err != nil {
			t.Fatal(err)
		}
	}
	w.order("ORDER-02X", 100)
	w.ask("POST", "/v3/pay/transactions/native", native("ORDER-02X", 200))
	ask(with(refundOf("R1", "ORDER-01", 10, 100), "reason", "broken #ref_1"))
	ask(with(refundOf("R2", "ORDER-01", 10, 100), "reason", "broken #ref_1"))
	ask(with(refundOf("R3", "ORDER-01", 10, 100), "reason", "broken #ref_2"))
	ask(refundOf("R4", "ORDER-01", 71, 100))
	ask(refundOf("R1", "ORDER-01", 11, 100))
	ask(refundOf("R5", "ORDER-02X", 1, 100))
	var rules []string
	for _, v := range w.wallet.Violations() {
		rules = append(rules, v.Rule)
	}
	want := []string{sandbox.RulePaidTwice, sandbox.RuleOtherOrder, sandbox.RuleRefundTwice, sandbox.RuleOverRefund, sandbox.RuleOtherRefund, sandbox.RuleRefundUnpaid}
	if fmt.Sprint(rules) != fmt.Sprint(want) {
		t.Errorf("rules %v, want %v", rules, want)
	}
}

// TestBounds: a full wallet says so, and a large body is turned away.
func TestBounds(t *testing.T) {
	w := newWorld(t, func(c *sandbox.Config) { c.Limit = 1 })
	w.order("ORDER-01", 1)
	if a := w.ask("POST", "/v3/pay/transactions/native", native("ORDER-02", 1)); a.status != 500 {
		t.Errorf("second order of one: %d %s", a.status, a.body)
	}
	if a := w.ask("POST", "/v3/pay/transactions/out-trade-no/ORDER-02/close", object{"mchid": mchID}); a.status != 500 {
		t.Errorf("tombstone beyond the limit: %d %s", a.status, a.body)
	}
	if a := w.ask("POST", "/v3/pay/transactions/native", with(native("ORDER-01", 1), "detail", strings.Repeat("x", 70<<10))); a.status != 400 {
		t.Errorf("large body: %d %s", a.status, a.body)
	}
}
