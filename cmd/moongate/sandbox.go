package main

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/alipay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	alibox "github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/hub"
)

type sandboxVerb struct {
	Listen string `default:"127.0.0.1:8620" help:"Address of the first wallet; the others take the ports behind it. Port 0 takes free ones." placeholder:"HOST:PORT"`
	State  string `help:"Keep books and keys in this directory, and go on with those that are there. A temporary one by default." placeholder:"DIR"`
	Scale  int    `default:"1" help:"Divide every documented wait by this: 100 makes a day a quarter of an hour."`
	Split  int64  `default:"3000" help:"What may be split off an order (分账), basis points."`
}

// box is one sandbox wallet of the verb.
type box struct {
	kind  string
	named string // what shoppers read
	open  func(c sandbox.Config, dir string) (opened, error)
}

// opened is a wallet that serves, with what a foreign client needs to know.
type opened struct {
	handler http.Handler
	close   func() error
	account boxAccount
}

// boxAccount is what a client needs to reach its account. Keys and certificates are files.
type boxAccount struct {
	Kind        string            `json:"kind"`
	BaseURL     string            `json:"base_url"`
	Gateway     string            `json:"gateway,omitempty"` // where an Alipay client sends everything
	MerchantID  string            `json:"merchant_id,omitempty"`
	AppID       string            `json:"app_id"`
	Serial      string            `json:"serial,omitempty"`           // of the merchant's certificate
	PrivateKey  string            `json:"private_key"`                // PEM, PKCS #8
	KeyText     string            `json:"private_key_text,omitempty"` // the same without the lines of PEM, as Alipay's SDKs take it
	Certificate string            `json:"certificate,omitempty"`      // the merchant's, PEM
	APIKey      string            `json:"api_v3_key,omitempty"`
	APIKeyFile  string            `json:"api_v3_key_file,omitempty"`
	Platform    *boxPlatform      `json:"platform,omitempty"`
	Shopper     string            `json:"shopper_page"` // where a shopper pays; the codes and addresses of orders lead there
	Approve     boxControl        `json:"approve"`      // pays an order without a browser
	Decline     boxControl        `json:"decline"`
	Faults      boxControl        `json:"faults"` // makes the wallet misbehave; the same address with DELETE ends it
	FaultKinds  []sandbox.Kind    `json:"fault_kinds"`
	Rotate      boxControl        `json:"rotate"` // gives the wallet a new key, with which it signs at once
	Clock       boxControl        `json:"clock"`  // puts the wallet's clock off
	Status      string            `json:"status"`
	hub         *hub.WalletConfig // for a hub's configuration
}

// boxPlatform is the wallet's own keys, in both forms that accounts use.
type boxPlatform struct {
	Serial      string `json:"serial,omitempty"`
	Certificate string `json:"certificate"` // PEM; clients may fetch it instead
	Root        string `json:"root_certificate,omitempty"`
	PublicKeyID string `json:"public_key_id,omitempty"`
	PublicKey   string `json:"public_key"` // PEM
	KeyText     string `json:"public_key_text,omitempty"`
}

type boxControl struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   any    `json:"body"` // JSON, with Content-Type: application/json
}

var boxes = []box{
	{kind: "wechatpay", named: "Sandbox WeChat Pay", open: openWeChatBox},
	{kind: "alipay", named: "Sandbox Alipay", open: openAlipayBox},
}

func (v sandboxVerb) Run(e *env) (err error) {
	if v.Scale < 1 || v.Split < 1 || v.Split > 10_000 {
		return &moongate.Error{Code: moongate.Malformed, Field: "--scale", Message: fmt.Sprintf("a scale of %d and a split of %d basis points", v.Scale, v.Split), Hint: "a scale is 1 or more, a split 1 to 10000"}
	}
	dir := v.State
	if dir == "" {
		if dir, err = os.MkdirTemp("", "moongate-sandbox-"); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	failed := make(chan error, len(boxes))
	accounts := map[string]boxAccount{}
	config := []*hub.WalletConfig{}
	for i, b := range boxes {
		l, err := v.listen(e.ctx, i)
		if err != nil {
			return err
		}
		own := filepath.Join(dir, b.kind)
		if err := os.MkdirAll(own, 0o700); err != nil {
			return errors.Join(fmt.Errorf("sandbox: %w", err), l.Close())
		}
		o, err := b.open(sandbox.Config{
			Name: b.named, BaseURL: "http://" + l.Addr().String(), Now: e.now, Random: randomness(e.random), Scale: v.Scale, Cap: v.Split,
			State: filepath.Join(own, "book.jsonl"),
		}, own)
		if err != nil {
			return errors.Join(err, l.Close())
		}
		s := &http.Server{Handler: o.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, IdleTimeout: time.Minute}
		go func() { failed <- s.Serve(l) }()
		defer func() { err = errors.Join(err, s.Close(), o.close()) }()
		accounts[b.kind] = o.account
		config = append(config, o.account.hub)
	}
	if err := v.show(e, dir, accounts, config); err != nil {
		return err
	}
	select {
	case <-e.ctx.Done():
		return nil
	case err := <-failed:
		return fmt.Errorf("sandbox: %w", err)
	}
}

// listen takes the port of the nth wallet.
func (v sandboxVerb) listen(ctx context.Context, n int) (net.Listener, error) {
	host, port, err := net.SplitHostPort(v.Listen)
	if err != nil {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "--listen", Message: fmt.Sprintf("%q is no address to listen on", v.Listen), Hint: "host:port, such as 127.0.0.1:8620"}
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "--listen", Message: fmt.Sprintf("%q is no port", port), Hint: "a number up to 65535"}
	}
	if number != 0 {
		number += n
	}
	return listen(ctx, "--listen", net.JoinHostPort(host, fmt.Sprint(number)))
}

// show prints what a client needs: one JSON object, or text.
func (v sandboxVerb) show(e *env, dir string, accounts map[string]boxAccount, config []*hub.WalletConfig) error {
	fragment := filepath.Join(dir, "wallets.yaml")
	text, err := yaml.Marshal(map[string]any{"wallets": config})
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	if err := os.WriteFile(fragment, text, 0o600); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	return e.show(map[string]any{"wallets": accounts, "state": dir, "hub_config": fragment}, func(t *terminal) {
		for _, b := range boxes {
			a := accounts[b.kind]
			t.line("%s %s serves on %s", t.green("✓"), t.bold(b.named), a.BaseURL)
			who := fmt.Sprintf("%s, app %s", a.MerchantID, a.AppID)
			if a.Serial != "" {
				who += ", serial " + a.Serial
			}
			t.line("  merchant   %s", who)
			t.line("  keys       %s", filepath.Dir(a.PrivateKey))
			t.line("  a shopper  %s", a.Shopper)
			t.line("  approve    curl -H 'Content-Type: application/json' -d '%s' %s", jsonLine(a.Approve.Body), a.Approve.URL)
			t.line("  status     %s", a.Status)
		}
		t.line("")
		t.line("For a hub: add the lines of %s to its configuration.", fragment)
		t.line("%s", t.dim("Play money: nothing here reaches a real wallet. Ctrl-C ends it."))
	})
}

// openWeChatBox opens the WeChat Pay sandbox, with one account.
func openWeChatBox(c sandbox.Config, dir string) (o opened, err error) {
	w, err := wechatpay.New(c)
	if err != nil {
		return o, err
	}
	m, err := w.AddMerchant("1900000109", "wx8888888888888888")
	if err != nil {
		return o, errors.Join(err, w.Close())
	}
	own, err := w.MerchantCertificate(m.MchID)
	if err != nil {
		return o, errors.Join(err, w.Close())
	}
	id, public, err := w.PublicKey()
	if err != nil {
		return o, errors.Join(err, w.Close())
	}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return o, errors.Join(err, w.Close())
	}
	serial, platform := w.Certificate()
	a := boxAccount{
		Kind: "wechatpay", BaseURL: c.BaseURL, MerchantID: m.MchID, AppID: m.AppID, Serial: m.SerialNo, APIKey: m.APIv3Key,
		Shopper: c.BaseURL + "/wxpay/bizpayurl?pr=CODE",
		Platform: &boxPlatform{
			Serial: serial, PublicKeyID: id, Certificate: filepath.Join(dir, "platform_cert.pem"), PublicKey: filepath.Join(dir, "pub_key.pem"),
		},
		PrivateKey: filepath.Join(dir, "apiclient_key.pem"), Certificate: filepath.Join(dir, "apiclient_cert.pem"), APIKeyFile: filepath.Join(dir, "apiv3.key"),
	}
	a.controls("mchid", m.MchID)
	a.hub = &hub.WalletConfig{
		Name: "wechatpay", Kind: "wechatpay", BaseURL: c.BaseURL, MerchantID: m.MchID, AppID: m.AppID, Serial: m.SerialNo, PrivateKey: a.PrivateKey,
		APIKey: a.APIKeyFile, SplitBPS: c.Cap,
	}
	err = writeFiles(map[string][]byte{
		a.PrivateKey: keyPEM(m.PrivateKey), a.Certificate: pemOf("CERTIFICATE", own), a.APIKeyFile: []byte(m.APIv3Key),
		a.Platform.Certificate: pemOf("CERTIFICATE", platform), a.Platform.PublicKey: pemOf("PUBLIC KEY", spki),
	})
	return opened{handler: w, close: w.Close, account: a}, err
}

// openAlipayBox opens the Alipay sandbox, with one account.
func openAlipayBox(c sandbox.Config, dir string) (o opened, err error) {
	w, err := alibox.New(c)
	if err != nil {
		return o, err
	}
	m, err := w.AddMerchant("2021000000000109", "2088000000000109")
	if err != nil {
		return o, errors.Join(err, w.Close())
	}
	public, err := m.AlipayKeyText()
	if err != nil {
		return o, errors.Join(err, w.Close())
	}
	spki, err := x509.MarshalPKIXPublicKey(m.AlipayKey)
	if err != nil {
		return o, errors.Join(err, w.Close())
	}
	a := boxAccount{
		Kind: "alipay", BaseURL: c.BaseURL, Gateway: c.BaseURL + "/gateway.do", MerchantID: m.PID, AppID: m.AppID, Shopper: c.BaseURL + "/qr/CODE",
		PrivateKey: filepath.Join(dir, "app_private_key.pem"), KeyText: m.KeyText(false), Certificate: filepath.Join(dir, "appCertPublicKey.crt"),
		Platform: &boxPlatform{
			Certificate: filepath.Join(dir, "alipayCertPublicKey_RSA2.crt"), Root: filepath.Join(dir, "alipayRootCert.crt"),
			PublicKey: filepath.Join(dir, "alipay_public_key.pem"), KeyText: public,
		},
	}
	a.controls("app_id", m.AppID)
	a.hub = &hub.WalletConfig{
		Name: "alipay", Kind: "alipay", BaseURL: c.BaseURL, MerchantID: m.PID, AppID: m.AppID, PrivateKey: a.PrivateKey, PublicKey: a.Platform.PublicKey,
		SplitBPS: c.Cap, Products: []string{string(alipay.FaceToFace), string(alipay.Wap), string(alipay.Page), string(alipay.InApps)},
	}
	err = writeFiles(map[string][]byte{
		a.PrivateKey: keyPEM(m.PrivateKey), a.Certificate: []byte(m.AppCert), a.Platform.PublicKey: pemOf("PUBLIC KEY", spki),
		a.Platform.Certificate: []byte(m.AlipayCert), a.Platform.Root: []byte(m.RootCert),
	})
	return opened{handler: w, close: w.Close, account: a}, err
}

// controls fills in how a wallet is driven without a browser.
func (a *boxAccount) controls(account, name string) {
	order := map[string]string{account: name, "out_trade_no": "NUMBER"}
	a.Approve = boxControl{http.MethodPost, a.BaseURL + "/sandbox/approve", order}
	a.Decline = boxControl{http.MethodPost, a.BaseURL + "/sandbox/decline", order}
	a.Faults = boxControl{http.MethodPost, a.BaseURL + "/sandbox/faults", map[string]string{"kind": "drop_after", "op": "create"}}
	a.FaultKinds = sandbox.Kinds()
	a.Rotate = boxControl{http.MethodPost, a.BaseURL + "/sandbox/rotate", map[string]string{}}
	a.Clock = boxControl{http.MethodPost, a.BaseURL + "/sandbox/clock", map[string]string{"ahead": "20m"}}
	a.Status = a.BaseURL + "/sandbox"
}

func keyPEM(key *rsa.PrivateKey) []byte { return pemOf("PRIVATE KEY", sandbox.MarshalKey(key)) }

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func writeFiles(files map[string][]byte) error {
	for file, text := range files {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
	}
	return nil
}

func jsonLine(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
