package alipay_test

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
)

// TestRestart: keys, orders, refunds, splits, movements, violations and unfinished notifications outlive the process;
// damage is named.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wallet.jsonl")
	keep := func(c *sandbox.Config) { c.State = path }
	w := newWorld(t, keep)
	w.shop.reply = func(int) (int, string) { return http.StatusInternalServerError, "" }
	w.sub("2088000000000777")
	w.bind(other)
	ref := w.pay("ORDER1", "10.00")
	w.order("ORDER2", "5.00")
	w.refund("R1", "ORDER1", "0.10")
	w.refund("R1", "ORDER1", "0.11") // a violation
	w.Advance(5 * time.Second)
	w.inject(sandbox.Fault{Kind: sandbox.RefundAbnormal, Op: sandbox.OpRefund})
	w.refund("R2", "ORDER1", "0.20") // under way
	w.ask(settling, object{"out_request_no": "S1", "trade_no": ref, "royalty_parameters": []object{{"trans_in": other, "amount": "1.00"}}})
	w.extra["notify_url"] = "https://shop.test/notify"
	merged := w.ask("alipay.trade.merge.precreate", object{"out_merge_no": "M1", "order_details": []object{with(trade("ORDER3", "1.00"), "app_id", appID), with(trade("ORDER4", "1.00"), "app_id", appID)}})
	if err := w.wallet.RotateNow(); err != nil {
		t.Fatal(err)
	}
	w.Advance(2 * time.Second)
	book := w.wallet.Book(appID)
	book.Refunds[1].State = "SUCCESS" // once it went through
	if err := w.wallet.Close(); err != nil {
		t.Fatal(err)
	}

	w2 := newWorld(t, keep)
	w2.Advance(time.Minute)
	if diff := cmp.Diff(book, w2.wallet.Book(appID)); diff != "" {
		t.Errorf("book (-before +after):\n%s", diff)
	}
	if w2.m.AppCert != w.m.AppCert || w2.m.RootCert != w.m.RootCert || !w2.m.PrivateKey.Equal(w.m.PrivateKey) || w2.m.AlipayCert == w.m.AlipayCert {
		t.Error("the merchant's credentials are not those after the rotation")
	}
	if v := w2.wallet.Violations(); len(v) != 1 || v[0].Rule != sandbox.RuleOtherRefund || v[0].Account != appID {
		t.Errorf("violations %v", v)
	}
	told := map[string]bool{}
	for _, d := range w2.shop.got {
		told[d.form.Get("out_biz_no")] = w2.told(d) == "1"
	}
	if !told[""] || !told["R1"] || !told["R2"] {
		t.Errorf("after the restart only %v was notified", told)
	}
	if page := w2.pagePay("alipay.trade.wap.merge.pay", object{"pre_order_no": merged.get("pre_order_no")}); !strings.Contains(string(page.body), "2.00") {
		t.Errorf("merged orders: %s", page.body)
	}
	if a := w2.ask(settling, object{"out_request_no": "S1", "trade_no": ref, "royalty_parameters": []object{{"trans_in": other, "amount": "1.00"}}}); a.get("settle_no") == "" {
		t.Errorf("a split of before: %s", a.body)
	}
	w2.Advance(25 * time.Hour)
	if text := unpack(t, w2.download("signcustomer", "2026-03-04"))[pid+"0156_20260304_账务明细.csv"]; !strings.Contains(text, "#支出合计：4笔") {
		t.Errorf("account of before:\n%s", text)
	}
	if err := w2.wallet.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{`{"Order":{"AppID":"1"}}`, `{"Thing":{}}`, `{"Order":{},"Refund":{}}`, `{"Root":{"Cert":"AA==","Key":"AA=="}}`} {
		if err := os.WriteFile(path, append([]byte(bad+"\n"), text...), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := alipay.New(sandbox.Config{BaseURL: "http://wallet.test", Now: time.Now, Random: mathrand.NewChaCha8([32]byte{}), State: path}); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestSameSeedSameBytes: a day of trade twice, keys included, with nothing but seeded randomness: every byte that leaves
// the wallet is the same.
func TestSameSeedSameBytes(t *testing.T) {
	day := func(seed byte) string {
		w := newWorld(t, func(c *sandbox.Config) { c.Random, c.NewKey = mathrand.NewChaCha8([32]byte{seed}), nil })
		sum := sha256.New()
		sum.Write([]byte(w.m.RootCert + w.m.AlipayCert + w.m.AppCert))
		w.day()
		sum.Write(w.query("ORDER1").body)
		w.Advance(26 * time.Hour)
		sum.Write(w.download("trade", "2026-03-04"))
		for _, d := range w.shop.got {
			sum.Write([]byte(d.form.Encode()))
		}
		if len(w.shop.got) != 3 {
			t.Errorf("%d notifications", len(w.shop.got))
		}
		return hex.EncodeToString(sum.Sum(nil))
	}
	first := day(1)
	if second := day(1); first != second {
		t.Errorf("one seed, two days: %s %s", first, second)
	}
	if other := day(2); first == other {
		t.Error("another seed, the same day")
	}
}

// TestCredentials come in the forms that clients take, and only for accounts that there may be.
func TestCredentials(t *testing.T) {
	w := newWorld(t, nil)
	if _, err := w.wallet.AddMerchant(appID, "2088000000000002"); err == nil {
		t.Error("one app of two accounts")
	}
	for _, bad := range [][2]string{{"1", pid}, {"2021000000000002", "1"}} {
		if _, err := w.wallet.AddMerchant(bad[0], bad[1]); err == nil {
			t.Errorf("app %s of %s was opened", bad[0], bad[1])
		}
	}
	if err := w.wallet.AddSub(appID, "777"); err == nil {
		t.Error("a sub-merchant that is none")
	}
	for _, pkcs1 := range []bool{true, false} {
		if text := w.m.KeyText(pkcs1); strings.ContainsAny(text, "\n-") || len(text) < 1000 {
			t.Errorf("key %q", text)
		}
	}
	if _, err := alipay.New(sandbox.Config{BaseURL: "http://wallet.test/path", Now: time.Now, Random: mathrand.NewChaCha8([32]byte{})}); err == nil {
		t.Error("a wallet below a path")
	}
	broken := func(c *sandbox.Config) { c.NewKey = func() (*rsa.PrivateKey, error) { return nil, os.ErrInvalid } }
	cfg := sandbox.Config{BaseURL: "http://wallet.test", Now: time.Now, Random: mathrand.NewChaCha8([32]byte{})}
	broken(&cfg)
	if _, err := alipay.New(cfg); err == nil {
		t.Error("a wallet without keys")
	}
}

// FuzzGateway throws parameters at the gateway, signed well: no panic, and never a paid order.
func FuzzGateway(f *testing.F) {
	for method, biz := range map[string]string{
		"alipay.trade.precreate":               `{"out_trade_no":"A1","total_amount":"1.00","subject":"x","sub_merchant":{"merchant_id":""}}`,
		"alipay.trade.create":                  `{"out_trade_no":"A2","total_amount":1,"subject":"x","buyer_id":"2088000000000009"}`,
		"alipay.trade.refund":                  `{"out_trade_no":"ORDER1","refund_amount":-1,"refund_royalty_parameters":[{}]}`,
		"alipay.trade.order.settle":            `{"out_request_no":"S","trade_no":"1","extend_params":{"royalty_finish":"true"}}`,
		"alipay.trade.settle.confirm":          `{"out_request_no":"C","trade_no":"1","settle_info":{"settle_detail_infos":[{}]}}`,
		"alipay.trade.merge.precreate":         `{"out_merge_no":"M","order_details":[{},{}]}`,
		"alipay.trade.royalty.relation.bind":   `{"out_request_no":"B","receiver_list":[{"type":"userId"}]}`,
		"alipay.trade.wap.pay":                 `{"timeout_express":"1c"}`,
		"alipay.trade.fastpay.refund.query":    `{"out_request_no":"R"}`,
		"alipay.open.app.alipaycert.download":  `{"alipay_cert_sn":""}`,
		"alipay.trade.royalty.relation.unbind": `[]`,
		billQuery:                              `{"bill_type":"trade","bill_date":"2026-13"}`,
	} {
		f.Add(method, biz, "timestamp", "2026-03-04 10:00:00")
	}
	f.Add("alipay.trade.query", "{", "app_cert_sn", "00")
	w := newWorld(f, nil)
	w.order("ORDER1", "1.00")
	f.Fuzz(func(t *testing.T, method, biz, name, value string) {
		w.t = t
		w.extra = map[string]string{name: value}
		a, err := w.post(w.parameters(method, biz))
		if err != nil || a.status == 0 {
			t.Fatalf("%s %s: %v %d", method, biz, err, a.status)
		}
		if b := w.wallet.Book(appID); len(b.Payments) != 0 {
			t.Errorf("%s %q paid an order", method, biz)
		}
	})
}
