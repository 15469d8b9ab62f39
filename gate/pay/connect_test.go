package pay_test

import (
	"crypto/rsa"
	mathrand "math/rand/v2"
	"net/http"
	"slices"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/alipay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	alibox "github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
)

// connect makes the wallets and the connectors to them.
func (w *world) connect() map[string]pay.Wallet {
	w.t.Helper()
	connectors := map[string]pay.Wallet{}
	for i, name := range []string{"crane-pay", "carp-pay"} {
		next := 2 * i
		cfg := sandbox.Config{
			Name: name, BaseURL: "https://" + name + ".test", Now: w.clock.Now, After: w.After, Carrier: roundTrip(w.deliver),
			Random: mathrand.NewChaCha8([32]byte{byte(i)}),
			NewKey: func() (*rsa.PrivateKey, error) { next++; return keys()[next%len(keys())], nil }, Cap: w.split,
		}
		carrier := roundTrip(func(r *http.Request) (*http.Response, error) {
			if w.down[name] {
				return nil, errDown
			}
			return w.wallets[name].InMemory().RoundTrip(r)
		})
		dial := w.dialWeChatPay
		if slices.Contains(w.alipay, name) {
			dial = w.dialAlipay
		}
		var err error
		if w.wallets[name], connectors[name], err = dial(cfg, carrier); err != nil {
			w.t.Fatal(err)
		}
	}
	return connectors
}

func (w *world) dialWeChatPay(cfg sandbox.Config, carrier http.RoundTripper) (*sandbox.Wallet, pay.Wallet, error) {
	box, err := wechatbox.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	m, err := box.AddMerchant(accounts[cfg.Name], appID)
	if err != nil {
		return nil, nil, err
	}
	for _, sub := range w.subs {
		if err := box.AddSub(m.MchID, sub); err != nil {
			return nil, nil, err
		}
	}
	account := wechatpay.Config{
		Platform: len(w.subs) > 0,
		MchID:    m.MchID, AppID: m.AppID, SerialNo: m.SerialNo, PrivateKey: m.PrivateKey, APIv3Key: m.APIv3Key, BaseURL: cfg.BaseURL,
		SplitCap: w.split, Now: w.clock.Now, Random: mathrand.NewChaCha8([32]byte{8, cfg.Name[1]}), Carrier: carrier,
	}
	if w.wechat != nil {
		w.wechat(&account)
	}
	connector, err := wechatpay.New(account)
	return box.Wallet, connector, err
}

func (w *world) dialAlipay(cfg sandbox.Config, carrier http.RoundTripper) (*sandbox.Wallet, pay.Wallet, error) {
	box, err := alibox.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	m, err := box.AddMerchant(alipayApp, alipayPID)
	if err != nil {
		return nil, nil, err
	}
	for _, sub := range w.smids {
		if err := box.AddSub(m.AppID, sub); err != nil {
			return nil, nil, err
		}
	}
	connector, err := alipay.New(alipay.Config{
		Direct: len(w.smids) > 0,
		AppID:  m.AppID, PID: m.PID, PrivateKey: m.PrivateKey, AlipayKey: m.AlipayKey, BaseURL: cfg.BaseURL, SplitBPS: w.split, Carrier: carrier, Now: w.clock.Now,
	})
	return box.Wallet, connector, err
}

// account is what a wallet's sandbox calls the hub's account.
func (w *world) account(name string) string {
	if slices.Contains(w.alipay, name) {
		return alipayApp
	}
	return accounts[name]
}
