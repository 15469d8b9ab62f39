package alipay_test

import (
	"crypto/md5"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
)

// TestCommonParameters: what is wrong with the frame of a request is told at the door, unsigned, with the gateway's codes.
func TestCommonParameters(t *testing.T) {
	w := newWorld(t, nil)
	base := func() map[string]string {
		q := w.parameters(query, object{"out_trade_no": "ORDER1"})
		p := map[string]string{}
		for name := range q {
			p[name] = q.Get(name)
		}
		delete(p, "sign")
		return p
	}
	tests := []struct {
		name, value, code, sub string
	}{
		{"app_id", "", "40001", "isv.missing-app-id"},
		{"method", "", "40001", "isv.missing-method"},
		{"sign_type", "", "40001", "isv.missing-signature-type"},
		{"timestamp", "", "40001", "isv.missing-timestamp"},
		{"version", "", "40001", "isv.missing-version"},
		{"app_id", "2021000000000009", "40002", "isv.invalid-app-id"},
		{"method", "alipay.trade.nothing", "40002", "isv.invalid-method"},
		{"sign_type", "RSA", "40002", "isv.invalid-signature-type"},
		{"charset", "gbk", "40002", "isv.invalid-charset"},
		{"format", "XML", "40002", "isv.invalid-format"},
		{"version", "2.0", "40002", "isv.invalid-version"},
		{"timestamp", "2026-03-04T10:00:00", "40002", "isv.invalid-timestamp"},
		{"app_cert_sn", "0123456789abcdef0123456789abcdef", "40002", "isv.app-cert-not-exist"},
		{"notify_url", "not an address", "40002", "isv.invalid-parameter"},
	}
	for _, test := range tests {
		p := base()
		p[test.name] = test.value
		a, err := w.post(w.signed(p))
		if err != nil || a.status != http.StatusOK || a.code() != test.code || a.sub() != test.sub || a.get("msg") == "" || a.get("sub_msg") == "" {
			t.Errorf("%s=%q: %v %s", test.name, test.value, err, a.body)
		}
		if a.signed || strings.Contains(string(a.body), `"sign"`) {
			t.Errorf("%s=%q: signed at the door: %s", test.name, test.value, a.body)
		}
		want := "alipay_trade_query_response"
		if test.name == "method" {
			want = "error_response"
		}
		if a.under != want {
			t.Errorf("%s=%q: under %s, want %s", test.name, test.value, a.under, want)
		}
	}
}

// TestRequestSignature: the signature covers every parameter that is not empty, sign_type too, wherever it stands.
func TestRequestSignature(t *testing.T) {
	w := newWorld(t, nil)
	ask := func(change func(q map[string][]string)) answered {
		q := w.parameters(query, object{"out_trade_no": "ORDER1"})
		change(q)
		a, err := w.post(q)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := ask(func(map[string][]string) {}); a.sub() != "ACQ.TRADE_NOT_EXIST" || !a.signed {
		t.Errorf("untouched: %s", a.body)
	}
	for name, change := range map[string]func(map[string][]string){
		"missing":         func(q map[string][]string) { delete(q, "sign") },
		"not base64":      func(q map[string][]string) { q["sign"] = []string{"*"} },
		"body changed":    func(q map[string][]string) { q["biz_content"] = []string{`{"out_trade_no":"ORDER2"}`} },
		"parameter more":  func(q map[string][]string) { q["app_auth_token"] = []string{"x"} },
		"parameter less":  func(q map[string][]string) { delete(q, "format") },
		"parameter twice": func(q map[string][]string) { q["format"] = []string{"JSON", "JSON"} },
	} {
		a := ask(change)
		want := map[string]string{"missing": "isv.missing-signature", "parameter twice": "isv.suspected-attack"}[name]
		if want == "" {
			want = "isv.invalid-signature"
		}
		if a.sub() != want || a.signed {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	// As the official SDKs send it: the common parameters in the address, biz_content in the form.
	q := w.parameters(query, object{"out_trade_no": "ORDER1"})
	form := map[string][]string{"biz_content": q["biz_content"]}
	q.Del("biz_content")
	if a := w.browse(http.MethodPost, "http://wallet.test/gateway.do?"+q.Encode(), form); a.sub() != "ACQ.TRADE_NOT_EXIST" || !a.signed {
		t.Errorf("address and form: %s", a.body)
	}
	if a := ask(func(q map[string][]string) { q["more"] = []string{strings.Repeat("x", 70<<10)} }); a.sub() != "isv.invalid-parameter" {
		t.Errorf("large body: %s", a.body)
	}
}

// TestCertificates: a request with certificate serials is answered with the wallet's; the wallet's certificate of a
// serial can be fetched; a rotation changes it, and everything still hangs on the root.
func TestCertificates(t *testing.T) {
	w := newWorld(t, nil)
	sn := func(text string) (string, *x509.Certificate) {
		block, _ := pem.Decode([]byte(text))
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		sum := md5.Sum([]byte(c.Issuer.String() + c.SerialNumber.String()))
		return hex.EncodeToString(sum[:]), c
	}
	app, _ := sn(w.m.AppCert)
	root, rootCert := sn(w.m.RootCert)
	own, _ := sn(w.m.AlipayCert)
	w.extra = map[string]string{"app_cert_sn": app, "alipay_root_cert_sn": root}
	if a := w.query("ORDER1"); a.serial != own || !a.signed || a.sub() != "ACQ.TRADE_NOT_EXIST" {
		t.Errorf("serial %s, want %s: %s", a.serial, own, a.body)
	}
	w.extra["alipay_root_cert_sn"] = own
	if a := w.query("ORDER1"); a.sub() != "isv.invalid-alipay-root-cert-sn" {
		t.Errorf("other root: %s", a.body)
	}
	w.extra["alipay_root_cert_sn"] = root
	if err := w.wallet.RotateNow(); err != nil {
		t.Fatal(err)
	}
	a := w.query("ORDER1")
	if a.serial == own || a.signed {
		t.Errorf("after a rotation: %s", a.body)
	}
	got := w.ask("alipay.open.app.alipaycert.download", object{"alipay_cert_sn": a.serial})
	text, err := base64.StdEncoding.DecodeString(got.get("alipay_cert_content"))
	if err != nil {
		t.Fatalf("%s: %v", got.body, err)
	}
	fresh, cert := sn(string(text))
	if fresh != a.serial || cert.CheckSignatureFrom(rootCert) != nil {
		t.Errorf("fetched certificate %s, asked for %s", fresh, a.serial)
	}
	if a := w.ask("alipay.open.app.alipaycert.download", object{"alipay_cert_sn": "00"}); a.sub() != "isv.alipay-cert-not-exist" {
		t.Errorf("unknown serial: %s", a.body)
	}
	if m, err := w.wallet.AddMerchant(appID, pid); err != nil || m.AlipayCert == w.m.AlipayCert || m.AppCert != w.m.AppCert {
		t.Errorf("credentials after a rotation: %v", err)
	}
}

// TestForcedCodes forces every code of the catalogue, and checks the frame it stands in.
func TestForcedCodes(t *testing.T) {
	w := newWorld(t, nil)
	for _, code := range alipay.Codes() {
		if err := w.wallet.Inject(sandbox.Fault{Kind: sandbox.Refuse, Op: sandbox.OpCreate, Code: code}); err != nil {
			t.Fatal(err)
		}
		a := w.ask(precreate, trade("ORDER1", "1.00"))
		group := a.code()
		switch {
		case a.sub() != code || a.get("msg") == "" || a.get("sub_msg") == "":
			t.Errorf("%s: %s", code, a.body)
		case strings.HasPrefix(code, "ACQ.") && group != "40004",
			strings.HasPrefix(code, "isv.missing") && group != "40001",
			a.signed != (group == "40004" || group == "20000"):
			t.Errorf("%s: signed %v: %s", code, a.signed, a.body)
		}
	}
	if a := w.query("ORDER1"); a.sub() != "ACQ.TRADE_NOT_EXIST" {
		t.Errorf("a refused order exists: %s", a.body)
	}
	for _, f := range []sandbox.Fault{{Kind: sandbox.Refuse, Code: "NO_SUCH"}, {Kind: "explode"}} {
		if err := w.wallet.Inject(f); err == nil {
			t.Errorf("fault %v accepted", f)
		}
	}
}

// TestErrorCodes walks through what a merchant can do wrong and the answer the documents give to it.
func TestErrorCodes(t *testing.T) {
	type ask struct {
		method string
		biz    any
	}
	paid := func(w *world) { w.pay("ORDER1", "1.00") }
	opened := func(w *world) {
		w.order("ORDER1", "1.00")
		if err := w.wallet.Visit(appID, "ORDER1"); err != nil {
			w.t.Fatal(err)
		}
	}
	back := func(o object) ask { return ask{refunding, o} }
	refund := object{"out_trade_no": "ORDER1", "refund_amount": "0.10", "out_request_no": "R1"}
	settle := func(w *world, o object) ask {
		return ask{settling, with(o, "trade_no", w.query("ORDER1").get("trade_no"))}
	}
	part := func(to, amount string) []object { return []object{{"trans_in": to, "amount": amount}} }
	const sub = "2088000000000777"
	direct := object{"sub_merchant": object{"merchant_id": sub}, "settle_info": object{"settle_detail_infos": []object{{"trans_in_type": "defaultSettle", "amount": "1.00"}}}}
	join := func(o object, more object) object {
		for k, v := range more {
			o = with(o, k, v)
		}
		return o
	}
	tests := []struct {
		name   string
		before func(*world)
		ask    ask
		sub    string
	}{
		{"not JSON", nil, ask{precreate, "{"}, "ACQ.INVALID_PARAMETER"},
		{"two values", nil, ask{precreate, "{}{}"}, "ACQ.INVALID_PARAMETER"},
		{"amount with three decimals", nil, ask{precreate, trade("ORDER1", "1.001")}, "ACQ.INVALID_PARAMETER"},
		{"amount in words", nil, ask{precreate, trade("ORDER1", "one")}, "ACQ.INVALID_PARAMETER"},
		{"amount negative", nil, ask{precreate, trade("ORDER1", "-1.00")}, "ACQ.INVALID_PARAMETER"},
		{"amount zero", nil, ask{precreate, trade("ORDER1", "0.00")}, "ACQ.TOTAL_FEE_EXCEED"},
		{"amount beyond a hundred million", nil, ask{precreate, trade("ORDER1", "100000000.01")}, "ACQ.TOTAL_FEE_EXCEED"},
		{"no amount", nil, ask{precreate, with(trade("ORDER1", "1.00"), "total_amount", nil)}, "ACQ.INVALID_PARAMETER"},
		{"no subject", nil, ask{precreate, with(trade("ORDER1", "1.00"), "subject", nil)}, "ACQ.INVALID_PARAMETER"},
		{"subject with a slash", nil, ask{precreate, with(trade("ORDER1", "1.00"), "subject", "a/b")}, "ACQ.INVALID_PARAMETER"},
		{"number with a hyphen", nil, ask{precreate, trade("ORDER-1", "1.00")}, "ACQ.INVALID_PARAMETER"},
		{"other product", nil, ask{precreate, with(trade("ORDER1", "1.00"), "product_code", "QUICK_WAP_WAY")}, "ACQ.INVALID_PARAMETER"},
		{"other seller", nil, ask{precreate, with(trade("ORDER1", "1.00"), "seller_id", "2088000000000009")}, "ACQ.SELLER_NOT_EXIST"},
		{"expiry that is no time", nil, ask{precreate, with(trade("ORDER1", "1.00"), "time_expire", "tomorrow")}, "ACQ.INVALID_PARAMETER"},
		{"expiry in the past", nil, ask{precreate, with(trade("ORDER1", "1.00"), "time_expire", "2026-03-04 09:59:59")}, "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR"},
		{"life of sixteen days", nil, ask{precreate, with(trade("ORDER1", "1.00"), "timeout_express", "16d")}, "ACQ.INVALID_PARAMETER"},
		{"life with a fraction", nil, ask{precreate, with(trade("ORDER1", "1.00"), "timeout_express", "1.5h")}, "ACQ.INVALID_PARAMETER"},
		{"sub-merchant without number", nil, ask{precreate, with(trade("ORDER1", "1.00"), "sub_merchant", object{})}, "ACQ.SECONDARY_MERCHANT_ID_BLANK"},
		{"strange sub-merchant", nil, ask{precreate, join(trade("ORDER1", "1.00"), direct)}, "ACQ.SECONDARY_MERCHANT_ID_INVALID"},
		{"sub-merchant without settlement", func(w *world) { w.sub(sub) }, ask{precreate, with(join(trade("ORDER1", "1.00"), direct), "settle_info", nil)}, "ACQ.DEFAULT_SETTLE_RULE_NOT_EXIST"},
		{"sub-merchant, other amount", func(w *world) { w.sub(sub) }, ask{precreate, join(trade("ORDER1", "2.00"), direct)}, "ACQ.TRADE_SETTLE_ERROR"},
		{"order again, other amount", func(w *world) { w.order("ORDER1", "1.00") }, ask{precreate, trade("ORDER1", "1.01")}, "ACQ.CONTEXT_INCONSISTENT"},
		{"order again when paid", paid, ask{precreate, trade("ORDER1", "1.00")}, "ACQ.TRADE_HAS_SUCCESS"},
		{"order again when closed", func(w *world) { opened(w); w.ask(closing, object{"out_trade_no": "ORDER1"}) }, ask{precreate, trade("ORDER1", "1.00")}, "ACQ.TRADE_HAS_CLOSE"},
		{"trade without buyer", nil, ask{"alipay.trade.create", trade("ORDER1", "1.00")}, "ACQ.INVALID_PARAMETER"},
		{"trade with oneself", nil, ask{"alipay.trade.create", with(trade("ORDER1", "1.00"), "buyer_id", pid)}, "ACQ.BUYER_SELLER_EQUAL"},
		{"trade with nobody", nil, ask{"alipay.trade.create", with(trade("ORDER1", "1.00"), "buyer_id", "9")}, "ACQ.BUYER_NOT_EXIST"},
		{"query of nothing", nil, ask{query, object{"out_trade_no": "ORDER1"}}, "ACQ.TRADE_NOT_EXIST"},
		{"query before anybody looked", func(w *world) { w.order("ORDER1", "1.00") }, ask{query, object{"out_trade_no": "ORDER1"}}, "ACQ.TRADE_NOT_EXIST"},
		{"query without number", nil, ask{query, object{}}, "ACQ.INVALID_PARAMETER"},
		{"close before anybody looked", func(w *world) { w.order("ORDER1", "1.00") }, ask{closing, object{"out_trade_no": "ORDER1"}}, "ACQ.TRADE_NOT_EXIST"},
		{"close when paid", paid, ask{closing, object{"out_trade_no": "ORDER1"}}, "ACQ.TRADE_STATUS_ERROR"},
		{"close when closed", func(w *world) { opened(w); w.ask(closing, object{"out_trade_no": "ORDER1"}) }, ask{closing, object{"out_trade_no": "ORDER1"}}, "ACQ.TRADE_STATUS_ERROR"},
		{"cancel after a day", func(w *world) { paid(w); w.Advance(25 * time.Hour) }, ask{cancel, object{"out_trade_no": "ORDER1"}}, "ACQ.TRADE_CANCEL_TIME_OUT"},
		{"cancel after a refund", func(w *world) { paid(w); w.ask(refunding, refund) }, ask{cancel, object{"out_trade_no": "ORDER1"}}, "ACQ.REASON_TRADE_REFUND_FEE_ERR"},
		{"cancel when finished", func(w *world) { paid(w); w.Advance(366 * 24 * time.Hour) }, ask{cancel, object{"out_trade_no": "ORDER1"}}, "ACQ.TRADE_HAS_FINISHED"},
		{"refund of nothing", nil, back(refund), "ACQ.TRADE_NOT_EXIST"},
		{"refund of what is not paid", opened, back(refund), "ACQ.TRADE_STATUS_ERROR"},
		{"refund of what was closed", func(w *world) { opened(w); w.ask(closing, object{"out_trade_no": "ORDER1"}) }, back(refund), "ACQ.TRADE_HAS_CLOSE"},
		{"refund of too much", paid, back(with(refund, "refund_amount", "1.01")), "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"},
		{"refund of nothing left", func(w *world) { paid(w); w.ask(refunding, with(refund, "refund_amount", "1.00")); w.Advance(time.Hour) }, back(with(refund, "out_request_no", "R2")), "ACQ.TRADE_HAS_CLOSE"},
		{"refund of a part without number", paid, back(with(refund, "out_request_no", nil)), "ACQ.INVALID_PARAMETER"},
		{"refund of zero", paid, back(with(refund, "refund_amount", "0")), "ACQ.INVALID_PARAMETER"},
		{"refund number for another amount", func(w *world) { paid(w); w.ask(refunding, refund); w.Advance(time.Hour) }, back(with(refund, "refund_amount", "0.11")), "ACQ.DISCORDANT_REPEAT_REQUEST"},
		{"second refund within three seconds", func(w *world) { paid(w); w.ask(refunding, refund); w.Advance(2 * time.Second) }, back(with(refund, "out_request_no", "R2")), "isv.method-call-limited"},
		{"refund after a year", func(w *world) { paid(w); w.Advance(366 * 24 * time.Hour) }, back(refund), "ACQ.TRADE_HAS_FINISHED"},
		{"refund query without number", paid, ask{refundQuery, object{"out_trade_no": "ORDER1"}}, "ACQ.INVALID_PARAMETER"},
		{"refund query of nothing", nil, ask{refundQuery, object{"out_trade_no": "ORDER1", "out_request_no": "R1"}}, "ACQ.TRADE_NOT_EXIST"},
		{"bind nobody", nil, ask{binding, object{"out_request_no": "B1"}}, "RECEIVER_LIST_EMPTY"},
		{"bind without number", nil, ask{binding, object{"receiver_list": []object{{"type": "userId", "account": other}}}}, "INVALID_PARAMETER"},
		{"bind too many", nil, ask{binding, object{"out_request_no": "B1", "receiver_list": make([]object, 21)}}, "RECEIVER_LIST_OVERLOAD"},
		{"bind another type", nil, ask{binding, object{"out_request_no": "B1", "receiver_list": []object{{"type": "phone", "account": other}}}}, "INVALID_RECEIVER_TYPE"},
		{"bind no user", nil, ask{binding, object{"out_request_no": "B1", "receiver_list": []object{{"type": "userId", "account": "1"}}}}, "USER_NOT_EXIST"},
		{"bind a login without name", nil, ask{binding, object{"out_request_no": "B1", "receiver_list": []object{{"type": "loginName", "account": "a@b.test"}}}}, "USERNAME_NOT_MATCH"},
		{"settle of nothing", nil, ask{settling, object{"out_request_no": "S1", "trade_no": "1", "royalty_parameters": part(other, "0.10")}}, "ACQ.TRADE_NOT_EXIST"},
		{"settle without parts", paid, ask{settling, object{"out_request_no": "S1", "trade_no": "1"}}, "ACQ.INVALID_PARAMETER"},
		{"settle query of nothing", nil, ask{settleQuery, object{"out_request_no": "S1", "trade_no": "1"}}, "INVALID_PARAMETER"},
		{"merge of one", nil, ask{"alipay.trade.merge.precreate", object{"out_merge_no": "M1", "order_details": []object{with(trade("ORDER1", "1.00"), "app_id", appID)}}}, "ACQ.INVALID_PARAMETER"},
		{"merge for another app", nil, ask{"alipay.trade.merge.precreate", object{"out_merge_no": "M1", "order_details": []object{trade("ORDER1", "1.00"), trade("ORDER2", "1.00")}}}, "ACQ.PARTNER_ERROR"},
		{"bill of no day", nil, ask{billQuery, object{"bill_type": "trade", "bill_date": "yesterday"}}, "isv.invalid_arguments"},
		{"bill of today", paid, ask{billQuery, object{"bill_type": "trade", "bill_date": "2026-03-04"}}, "isv.invalid_arguments"},
		{"bill of this month", paid, ask{billQuery, object{"bill_type": "trade", "bill_date": "2026-03"}}, "isv.invalid_arguments"},
		{"bill of long ago", nil, ask{billQuery, object{"bill_type": "trade", "bill_date": "2015-12-31"}}, "isv.invalid_arguments"},
		{"bill of another kind", nil, ask{billQuery, object{"bill_type": "some", "bill_date": "2026-03-03"}}, "isv.invalid_arguments"},
		{"bill before nine", func(w *world) { paid(w); w.Advance(22*time.Hour + 59*time.Minute) }, ask{billQuery, object{"bill_type": "trade", "bill_date": "2026-03-04"}}, "isp.bill_not_exist"},
		{"bill of a day without trade", nil, ask{billQuery, object{"bill_type": "trade", "bill_date": "2026-03-02"}}, "isp.bill_not_exist"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			if test.before != nil {
				test.before(w)
			}
			a := w.ask(test.ask.method, test.ask.biz)
			if a.sub() != test.sub || a.get("sub_msg") == "" {
				t.Errorf("%s, want %s", a.body, test.sub)
			}
			if a.signed != (a.code() == "40004") {
				t.Errorf("signed %v: %s", a.signed, a.body)
			}
		})
	}
	splits := []struct {
		name   string
		before func(*world)
		parts  object
		sub    string
	}{
		{"what is not paid", func(w *world) { w.order("ORDER1", "1.00"); _ = w.wallet.Visit(appID, "ORDER1") }, object{"royalty_parameters": part(other, "0.10")}, "ACQ.TRADE_STATUS_ERROR"},
		{"to oneself", paid, object{"royalty_parameters": part(pid, "0.10")}, "ACQ.ROYALTY_ACCOUNTS_EQUAL"},
		{"to a stranger", paid, object{"royalty_parameters": part("2088000000000444", "0.10")}, "ACQ.ROYALTY_RECEIVER_INVALID"},
		{"more than three tenths", paid, object{"royalty_parameters": part(other, "0.31")}, "ACQ.ALLOC_AMOUNT_VALIDATE_ERROR"},
		{"of nothing", paid, object{"royalty_parameters": part(other, "0")}, "ACQ.INVALID_PARAMETER"},
		{"in another way", paid, object{"royalty_parameters": []object{{"trans_in": other, "amount": "0.10", "royalty_type": "replenish"}}}, "ACQ.UN_SUPPORT_BIZ_TYPE"},
		{"to a card", paid, object{"royalty_parameters": []object{{"trans_in": other, "amount": "0.10", "trans_in_type": "cardAliasNo"}}}, "ACQ.ROYALTY_ACCOUNT_INVALID"},
		{"after a whole refund", func(w *world) { paid(w); w.ask(refunding, with(refund, "refund_amount", "1.00")) }, object{"royalty_parameters": part(other, "0.10")}, "ACQ.ALLOC_REFUSE_AFTER_REFUND"},
		{"after the rest was released", func(w *world) {
			paid(w)
			w.ask(settling, settle(w, object{"out_request_no": "S0", "extend_params": object{"royalty_finish": "true"}}).biz)
		}, object{"royalty_parameters": part(other, "0.10")}, "ACQ.ILLEGAL_SETTLE_STATE"},
		{"under a number used before", func(w *world) {
			paid(w)
			w.ask(settling, settle(w, object{"out_request_no": "S1", "royalty_parameters": part(other, "0.10")}).biz)
		}, object{"royalty_parameters": part(other, "0.11")}, "ACQ.DISCORDANT_REPEAT_REQUEST"},
		{"for the thirty-first time within a second", func(w *world) {
			paid(w)
			for i := range 30 {
				w.ask(settling, settle(w, object{"out_request_no": fmt.Sprintf("S0%d", i), "royalty_parameters": part("2088000000000444", "0.01")}).biz)
			}
		}, object{"royalty_parameters": part(other, "0.01")}, "ACQ.FREQUENCY_LIMITED"},
	}
	for _, test := range splits {
		t.Run("settle "+test.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.bind(other)
			test.before(w)
			a := w.ask(settling, settle(w, with(test.parts, "out_request_no", "S1")).biz)
			if a.sub() != test.sub || !a.signed {
				t.Errorf("%s, want %s", a.body, test.sub)
			}
		})
	}
}
