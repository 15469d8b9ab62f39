package alipay_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/alipay"
)

// TestUnsignedProvesNothing: an answer that nobody signed, or another one signed, could come from anywhere: "paid",
// "closed" and "there is no such trade" are all no answers.
func TestUnsignedProvesNothing(t *testing.T) {
	sign := func(body []byte) []byte { return body[bytes.LastIndex(body, []byte(`,"sign"`)):] }
	for name, meddle := range map[string]func([]byte) []byte{
		"without signature": func(b []byte) []byte { return append(slices.Clip(bytes.TrimSuffix(b, sign(b))), '}') },
		"another answer": func(b []byte) []byte {
			return append([]byte(`{"alipay_trade_query_response":{"code":"40004","msg":"Business Failed","sub_code":"ACQ.TRADE_NOT_EXIST"}`), sign(b)...)
		},
		"unsigned success": func([]byte) []byte {
			return []byte(`{"alipay_trade_query_response":{"code":"10000","msg":"Success","out_trade_no":"ORDER_01","trade_no":"2026030422001052864901872016","trade_status":"TRADE_SUCCESS","total_amount":"1.00","send_pay_date":"2026-03-04 10:00:00"}}`)
		},
		"an error of the gateway": func([]byte) []byte {
			return []byte(`{"error_response":{"code":"20000","msg":"x","sub_code":"isp.unknow-error"}}`)
		},
		"the value twice": func(b []byte) []byte {
			return append(append(slices.Clip(bytes.TrimSuffix(b, sign(b))), `,"alipay_trade_query_response":{"code":"10000","trade_status":"TRADE_CLOSED"}`...), sign(b)...)
		},
		"not JSON": func([]byte) []byte { return []byte("<html>") },
		"empty":    func([]byte) []byte { return nil },
		"null":     func([]byte) []byte { return []byte("null") },
		"text":     func([]byte) []byte { return []byte(`{"alipay_trade_query_response":"AAAA","sign":"AAAA"}`) },
	} {
		w := newWorld(t)
		w.opened("ORDER_01", 100)
		w.meddle = meddle
		if out, err := w.wallet.Query(t.Context(), "ORDER_01"); pay.VerdictOf(err) != pay.Unknown {
			t.Errorf("%s: %+v %v", name, out, err)
		}
	}
	w := newWorld(t)
	w.meddle = func([]byte) []byte {
		return []byte(`{"alipay_trade_precreate_response":{"code":"40002","sub_code":"isv.invalid-signature"}}`)
	}
	if _, err := w.wallet.Create(t.Context(), w.order("ORDER_01", 100)); pay.VerdictOf(err) != pay.NotDone {
		t.Errorf("turned away at the door: %v", err)
	}
}

// TestRotation: a new certificate of the wallet's is fetched by its serial and taken where the root has signed it; the old
// one is still good; and serials that a stranger makes up do not turn us into a flood.
func TestRotation(t *testing.T) {
	w := newWorld(t, certificates)
	ctx := t.Context()
	w.paid("ORDER_01", 100)
	if err := w.sandbox.RotateNow(); err != nil {
		t.Fatal(err)
	}
	w.sent = nil
	if out, err := w.wallet.Query(ctx, "ORDER_01"); err != nil || out.State != pay.Paid {
		t.Errorf("after a rotation: %+v %v", out, err)
	}
	if want := []string{"alipay.trade.query", "alipay.open.app.alipaycert.download", "alipay.trade.query"}; !slices.Equal(w.sent, want) {
		t.Errorf("sent %v", w.sent)
	}
	list, err := w.wallet.Keys(ctx)
	if err != nil || len(list) != 2 || list[0].Until == 0 {
		t.Errorf("keys %+v %v", list, err)
	}
	w.Advance(time.Minute)
	if n, err := w.wallet.Notified(ctx, nil, w.got[0]); err != nil || n.Payment == nil { // signed anew, with the new key
		t.Errorf("notice after a rotation: %+v %v", n, err)
	}
	w.sent = nil
	w.meddle = func(b []byte) []byte {
		return bytes.Replace(b, []byte(`"alipay_cert_sn":"`), []byte(`"alipay_cert_sn":"00`), 1)
	}
	for range 5 {
		if out, err := w.wallet.Query(ctx, "ORDER_01"); pay.VerdictOf(err) != pay.Unknown {
			t.Errorf("signed by nobody: %+v %v", out, err)
		}
	}
	if n := len(w.sent); n != 5 {
		t.Errorf("%d requests about serials of the wrong length", n)
	}
	w.meddle = func(b []byte) []byte {
		i := bytes.Index(b, []byte(`"alipay_cert_sn":"`)) + len(`"alipay_cert_sn":"`)
		if i > len(`"alipay_cert_sn":"`) {
			copy(b[i:], "0123456789abcdef0123456789abcdef")
		}
		return b
	}
	w.sent = nil
	for range 5 {
		if out, err := w.wallet.Query(ctx, "ORDER_01"); pay.VerdictOf(err) != pay.Unknown {
			t.Errorf("signed by a stranger: %+v %v", out, err)
		}
	}
	if n := slices.Index(w.sent, "alipay.open.app.alipaycert.download"); n < 0 || slices.Contains(w.sent[n+1:], "alipay.open.app.alipaycert.download") {
		t.Errorf("sent %v", w.sent)
	}
	// An account with a key cannot follow: its merchant must fetch the new key by hand, and nothing is believed until then.
	w = newWorld(t)
	w.paid("ORDER_01", 100)
	if err := w.sandbox.RotateNow(); err != nil {
		t.Fatal(err)
	}
	if out, err := w.wallet.Query(ctx, "ORDER_01"); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("a key that is gone: %+v %v", out, err)
	}
}

// TestForgedCertificate: whoever answers in the wallet's place can send a certificate, but none that the root has signed.
func TestForgedCertificate(t *testing.T) {
	w := newWorld(t, certificates)
	w.paid("ORDER_01", 100)
	if err := w.sandbox.RotateNow(); err != nil {
		t.Fatal(err)
	}
	w.Advance(2 * time.Second)
	block, _ := pem.Decode([]byte(w.account.AlipayCert))
	real, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, subject := range map[string]pkix.Name{"its own": {CommonName: "forger"}, "the root's name": real.Issuer, "the wallet's name": real.Subject} {
		template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: subject, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		text := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		w.meddle = func(b []byte) []byte {
			if !bytes.Contains(b, []byte("alipay_cert_content")) {
				return b
			}
			forged, err := json.Marshal(map[string]any{"alipay_open_app_alipaycert_download_response": map[string]string{"code": "10000", "alipay_cert_content": text}})
			if err != nil {
				t.Error(err)
			}
			return forged
		}
		if out, err := w.wallet.Query(t.Context(), "ORDER_01"); pay.VerdictOf(err) != pay.Unknown {
			t.Errorf("%s: %+v %v", name, out, err)
		}
		w.Advance(2 * time.Minute)
	}
	if list, err := w.wallet.Keys(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("keys %+v %v", list, err)
	}
	w.meddle = nil
	if out, err := w.wallet.Query(t.Context(), "ORDER_01"); err != nil || out.State != pay.Paid {
		t.Errorf("afterwards: %+v %v", out, err)
	}
}

// TestForgedNotice: whatever is not the wallet's own word about our account, and recent, is refused.
func TestForgedNotice(t *testing.T) {
	w := newWorld(t)
	w.paid("ORDER_01", 100)
	w.Advance(time.Minute)
	genuine := w.got[0]
	if _, err := w.wallet.Notified(t.Context(), nil, genuine); err != nil {
		t.Fatal(err)
	}
	form := func(change func(url.Values)) []byte {
		q, err := url.ParseQuery(string(genuine))
		if err != nil {
			t.Fatal(err)
		}
		change(q)
		return []byte(q.Encode())
	}
	for name, body := range map[string][]byte{
		"empty":           nil,
		"not a form":      []byte("%zz"),
		"no signature":    form(func(q url.Values) { q.Del("sign") }),
		"other amount":    form(func(q url.Values) { q.Set("total_amount", "0.01") }),
		"other order":     form(func(q url.Values) { q.Set("out_trade_no", "ORDER_02") }),
		"parameter more":  form(func(q url.Values) { q.Set("more", "1") }),
		"parameter twice": form(func(q url.Values) { q.Add("total_amount", "1.00") }),
		"other algorithm": form(func(q url.Values) { q.Set("sign_type", "RSA") }),
		"other charset":   form(func(q url.Values) { q.Set("charset", "gbk") }),
		"not base64":      form(func(q url.Values) { q.Set("sign", "*") }),
		"large":           append(slices.Clone(genuine), []byte("&x="+strings.Repeat("x", 70<<10))...),
		"many parameters": []byte("a=1" + manyParameters()),
	} {
		if n, err := w.wallet.Notified(t.Context(), nil, body); err == nil {
			t.Errorf("%s: %+v", name, n)
		}
	}
	// A certificate's serial is no part of what is signed.
	if _, err := w.wallet.Notified(t.Context(), nil, form(func(q url.Values) { q.Set("alipay_cert_sn", "00") })); err != nil {
		t.Errorf("a serial beside: %v", err)
	}
	w.Advance(27 * time.Hour)
	if n, err := w.wallet.Notified(t.Context(), nil, genuine); err == nil {
		t.Errorf("after 27 hours: %+v", n)
	}
	// Another account at the same wallet, whose notifications the same key signs.
	other := newWorld(t, func(w *world) { w.cfg.PID = "2088000000000002" })
	other.Advance(time.Minute)
	if n, err := other.wallet.Notified(t.Context(), nil, genuine); err == nil {
		t.Errorf("to another account: %+v", n)
	}
	other = newWorld(t, func(w *world) { w.cfg.AppID = "2021000000000002" })
	other.Advance(time.Minute)
	if n, err := other.wallet.Notified(t.Context(), nil, genuine); err == nil {
		t.Errorf("to another app: %+v", n)
	}
}

func manyParameters() string {
	var b strings.Builder
	for i := range 200 {
		b.WriteString("&p" + strings.Repeat("x", i) + "=1")
	}
	return b.String()
}

// TestConfig: a wrong configuration is told by its field, and no secret shows.
func TestConfig(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	certs := newWorld(t, certificates)
	for name, test := range map[string]struct {
		field  string
		base   alipay.Config
		change func(*alipay.Config)
	}{
		"app":                      {"app_id", w.cfg, func(c *alipay.Config) { c.AppID = "1" }},
		"account":                  {"merchant_id", w.cfg, func(c *alipay.Config) { c.PID = "1900000109" }},
		"no key":                   {"private_key", w.cfg, func(c *alipay.Config) { c.PrivateKey = nil }},
		"small key":                {"private_key", w.cfg, func(c *alipay.Config) { c.PrivateKey = small }},
		"neither":                  {"public_key", w.cfg, func(c *alipay.Config) { c.AlipayKey = nil }},
		"both":                     {"public_key", certs.cfg, func(c *alipay.Config) { c.AlipayKey = w.cfg.AlipayKey }},
		"small public key":         {"public_key", w.cfg, func(c *alipay.Config) { c.AlipayKey = &small.PublicKey }},
		"own public key":           {"public_key", w.cfg, func(c *alipay.Config) { c.AlipayKey = &c.PrivateKey.PublicKey }},
		"two certificates":         {"app_cert", certs.cfg, func(c *alipay.Config) { c.RootCert = "" }},
		"no certificate":           {"alipay_cert", certs.cfg, func(c *alipay.Config) { c.AlipayCert = "x" }},
		"no root":                  {"root_cert", certs.cfg, func(c *alipay.Config) { c.RootCert = "x" }},
		"no app certificate":       {"app_cert", certs.cfg, func(c *alipay.Config) { c.AppCert = "x" }},
		"certificate of elsewhere": {"alipay_cert", certs.cfg, func(c *alipay.Config) { c.RootCert = c.AppCert }},
		"product":                  {"products", w.cfg, func(c *alipay.Config) { c.Products = []alipay.Product{"card"} }},
		"split":                    {"split_bps", w.cfg, func(c *alipay.Config) { c.SplitBPS = 10_001 }},
		"base with a path":         {"base_url", w.cfg, func(c *alipay.Config) { c.BaseURL = "https://wallet.test/gateway.do" }},
		"base in the open":         {"base_url", w.cfg, func(c *alipay.Config) { c.BaseURL = "http://wallet.test" }},
		"no clock":                 {"clock", w.cfg, func(c *alipay.Config) { c.Now = nil }},
	} {
		c := test.base
		test.change(&c)
		if _, err := alipay.New(c); err == nil || !strings.Contains(err.Error(), test.field) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, base := range []string{"", "https://wallet.test", "http://127.0.0.1:8620", "http://localhost"} {
		c := w.cfg
		c.BaseURL = base
		if _, err := alipay.New(c); err != nil {
			t.Errorf("%q: %v", base, err)
		}
	}
	if s := w.cfg.String() + w.cfg.GoString(); strings.Contains(s, w.cfg.PrivateKey.D.String()[:20]) || !strings.Contains(s, appID) {
		t.Errorf("%s", s)
	}
}
