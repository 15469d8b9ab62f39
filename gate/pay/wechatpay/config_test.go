package wechatpay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/money"
)

// TestLocalChecks: what the wallet would refuse is refused here, and nothing is sent.
func TestLocalChecks(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for name, change := range map[string]func(*pay.Order){
		"short number":   func(o *pay.Order) { o.No = "A" },
		"long number":    func(o *pay.Order) { o.No = strings.Repeat("A", 33) },
		"odd number":     func(o *pay.Order) { o.No = "ORDER/../1" },
		"no channel":     func(o *pay.Order) { o.Channel = "" },
		"dollars":        func(o *pay.Order) { o.Amount.Currency = money.USD },
		"nothing":        func(o *pay.Order) { o.Amount.Minor = 0 },
		"negative":       func(o *pay.Order) { o.Amount.Minor = -1 },
		"too much":       func(o *pay.Order) { o.Amount.Minor = 1 << 50 },
		"no description": func(o *pay.Order) { o.Description = "" },
		"long text":      func(o *pay.Order) { o.Description = strings.Repeat("壶", 128) },
		"not UTF-8":      func(o *pay.Order) { o.Description = "\xff" },
		"long tag":       func(o *pay.Order) { o.Tag = strings.Repeat("a", 129) },
		"past":           func(o *pay.Order) { o.Expires = moongate.At(start) },
		"relative URL":   func(o *pay.Order) { o.NotifyURL = "/notify" },
		"query in URL":   func(o *pay.Order) { o.NotifyURL = "https://hub.test/?a=1" },
		"script URL":     func(o *pay.Order) { o.NotifyURL = "javascript:alert(1)" },
		"no address":     func(o *pay.Order) { o.Channel, o.ClientIP = pay.Redirect, "somewhere" },
	} {
		o := w.order("ORDER-01", 100)
		change(&o)
		if _, err := w.wallet.Create(ctx, o); pay.VerdictOf(err) != pay.Refused {
			t.Errorf("order, %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*pay.RefundOrder){
		"no number":   func(r *pay.RefundOrder) { r.No = "" },
		"odd number":  func(r *pay.RefundOrder) { r.No = "a/b" },
		"no order":    func(r *pay.RefundOrder) { r.OrderNo = "" },
		"nothing":     func(r *pay.RefundOrder) { r.Amount.Minor = 0 },
		"too much":    func(r *pay.RefundOrder) { r.Amount.Minor = 101 },
		"dollars":     func(r *pay.RefundOrder) { r.Amount.Currency = money.USD },
		"long reason": func(r *pay.RefundOrder) { r.Reason = strings.Repeat("a", 81) },
		"bad URL":     func(r *pay.RefundOrder) { r.NotifyURL = "hub" },
	} {
		r := w.refund("R1", "ORDER-01", 1, 100)
		change(&r)
		if _, err := w.wallet.Refund(ctx, r); pay.VerdictOf(err) != pay.Refused {
			t.Errorf("refund, %s: %v", name, err)
		}
	}
	for _, no := range []string{"", "a/../b", strings.Repeat("A", 65)} {
		_, e1 := w.wallet.Query(ctx, no)
		_, e2 := w.wallet.Close(ctx, no)
		_, e3 := w.wallet.QueryRefund(ctx, pay.RefundOrder{No: no})
		for _, err := range []error{e1, e2, e3} {
			if pay.VerdictOf(err) != pay.Refused {
				t.Errorf("number %q: %v", no, err)
			}
		}
	}
	if len(w.sent) != 0 {
		t.Errorf("sent %v", w.sent)
	}
}

// TestConfig: what is wrong is named, and secrets stay out of sight.
func TestConfig(t *testing.T) {
	w := newWorld(t)
	for field, change := range map[string]func(*wechatpay.Config){
		"mch_id":      func(c *wechatpay.Config) { c.MchID = "shop" },
		"app_id":      func(c *wechatpay.Config) { c.AppID = "" },
		"serial_no":   func(c *wechatpay.Config) { c.SerialNo = "" },
		"private_key": func(c *wechatpay.Config) { c.PrivateKey = nil },
		"apiv3_key":   func(c *wechatpay.Config) { c.APIv3Key = "short" },
		"base_url":    func(c *wechatpay.Config) { c.BaseURL = "http://wallet.example" },
		"public_key":  func(c *wechatpay.Config) { c.PublicKeyID = "PUB_KEY_ID_1" },
		"public_key_id": func(c *wechatpay.Config) {
			c.PublicKey, c.PublicKeyID = &c.PrivateKey.PublicKey, "1234"
		},
		"": func(c *wechatpay.Config) { c.Now = nil },
	} {
		cfg := w.cfg
		change(&cfg)
		_, err := wechatpay.New(cfg)
		var e *moongate.Error
		if !errors.As(err, &e) || e.Field != field || e.Code != moongate.Malformed {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, base := range []string{"ftp://wallet.test", "https://user@wallet.test", "https://wallet.test/path", "https://wallet.test?x=1", "wallet.test", "http://10.0.0.1"} {
		cfg := w.cfg
		cfg.BaseURL = base
		if _, err := wechatpay.New(cfg); err == nil {
			t.Errorf("%s accepted", base)
		}
	}
	for _, base := range []string{"", "https://wallet.test/", "http://127.0.0.1:80", "http://[::1]:80", "http://localhost"} {
		cfg := w.cfg
		cfg.BaseURL = base
		if _, err := wechatpay.New(cfg); err != nil {
			t.Errorf("%q: %v", base, err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, w.cfg); strings.Contains(text, w.cfg.APIv3Key) || !strings.Contains(text, mchID) {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}
