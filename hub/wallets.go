package hub

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/alipay"
	"github.com/moongate-hub/moongate/gate/pay/stripe"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/money"
)

// dialer makes the connector of one kind of wallet out of an account's configuration.
type dialer struct {
	needs   []string // fields that must be set
	secrets []string // of these, those that name a file or an environment variable
	files   []string // those that name a file that anybody may read
	dial    func(*WalletConfig, outside) (pay.Wallet, error)
}

// outside is the world that connectors live in.
type outside struct {
	carrier http.RoundTripper // nil: the network
	now     func() time.Time
	random  io.Reader
}

// dialers are the kinds of wallets that this version connects.
var dialers = map[string]dialer{
	"wechatpay": {
		needs:   []string{"merchant_id", "app_id", "serial", "private_key", "api_v3_key"},
		secrets: []string{"private_key", "api_v3_key", "public_key"},
		dial:    dialWeChatPay,
	},
	"stripe": {
		needs:   []string{"secret_key", "webhook_secret", "currencies"},
		secrets: []string{"secret_key", "webhook_secret"},
		dial:    dialStripe,
	},
	"alipay": {
		needs:   []string{"merchant_id", "app_id", "private_key"},
		secrets: []string{"private_key"},
		files:   []string{"public_key", "app_cert", "wallet_cert", "root_cert"},
		dial:    dialAlipay,
	},
}

// Connect makes a connector for each wallet of the configuration. It does no I/O but for reading keys. A nil carrier is
// the network.
func Connect(c *Config, carrier http.RoundTripper, now func() time.Time, random io.Reader) (map[string]pay.Wallet, error) {
	all := map[string]pay.Wallet{}
	for i := range c.Wallets {
		w := &c.Wallets[i]
		kind, ok := dialers[w.Kind]
		if !ok {
			return nil, fmt.Errorf("wallet %s: kind %q is not connected by this version", w.Name, w.Kind)
		}
		connector, err := kind.dial(w, outside{carrier, now, random})
		if err != nil {
			return nil, fmt.Errorf("wallet %s: %w", w.Name, err)
		}
		all[w.Name] = connector
	}
	return all, nil
}

// held tells whether the hub is in quarantine. In doubt it is. A hub that runs does not get into it.
func (h *Hub) held() bool {
	if !h.restored {
		return false
	}
	_, err := os.Stat(filepath.Join(h.Config.Data, QuarantineFile))
	return !errors.Is(err, os.ErrNotExist)
}

func dialWeChatPay(w *WalletConfig, o outside) (pay.Wallet, error) {
	key, err := readPrivateKey(w.PrivateKey)
	if err != nil {
		return nil, err
	}
	secret, err := walletSecret(w.APIKey)
	if err != nil {
		return nil, err
	}
	account := wechatpay.Config{
		MchID: w.MerchantID, AppID: w.AppID, SerialNo: w.Serial, PrivateKey: key, APIv3Key: secret, BaseURL: w.BaseURL, PublicKeyID: w.PublicKeyID,
		SplitCap: w.SplitBPS, Platform: w.Platform,
		Carrier: o.carrier, Now: o.now, Random: o.random,
	}
	for _, p := range w.Products {
		account.Products = append(account.Products, wechatpay.Product(p))
	}
	if w.PublicKey != "" {
		if account.PublicKey, err = readPublicKey(w.PublicKey); err != nil {
			return nil, err
		}
	}
	return wechatpay.New(account)
}

func dialStripe(w *WalletConfig, o outside) (pay.Wallet, error) {
	account := stripe.Config{BaseURL: w.BaseURL, Transfers: w.Transfers, Carrier: o.carrier, Now: o.now}
	var err error
	if account.SecretKey, err = walletSecret(w.SecretKey); err != nil {
		return nil, err
	}
	if account.WebhookSecret, err = walletSecret(w.Webhook); err != nil {
		return nil, err
	}
	for _, code := range w.Currencies {
		c, err := money.ParseCurrency(code)
		if err != nil {
			return nil, err
		}
		account.Currencies = append(account.Currencies, c)
	}
	return stripe.New(account)
}

func dialAlipay(w *WalletConfig, o outside) (pay.Wallet, error) {
	key, err := readPrivateKey(w.PrivateKey)
	if err != nil {
		return nil, err
	}
	account := alipay.Config{
		AppID: w.AppID, PID: w.MerchantID, PrivateKey: key, SplitBPS: w.SplitBPS, Direct: w.Direct, BaseURL: w.BaseURL, Carrier: o.carrier, Now: o.now,
	}
	for _, p := range w.Products {
		account.Products = append(account.Products, alipay.Product(p))
	}
	if w.PublicKey != "" {
		if account.AlipayKey, err = readAlipayKey(w.PublicKey); err != nil {
			return nil, err
		}
	}
	for _, c := range []struct {
		from string
		to   *string
	}{{w.AppCert, &account.AppCert}, {w.WalletCert, &account.AlipayCert}, {w.RootCert, &account.RootCert}} {
		if c.from == "" {
			continue
		}
		if *c.to, err = walletFile(c.from); err != nil {
			return nil, err
		}
	}
	return alipay.New(account)
}

// readAlipayKey reads the wallet's public key: PEM, or the base64 that the open platform shows.
func readAlipayKey(from string) (*rsa.PublicKey, error) {
	text, err := walletFile(from)
	if err != nil {
		return nil, err
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if block, _ := pem.Decode([]byte(text)); block != nil {
		der, err = block.Bytes, nil
	}
	if err == nil {
		if key, err := x509.ParsePKIXPublicKey(der); err == nil {
			if k, ok := key.(*rsa.PublicKey); ok {
				return k, nil
			}
		}
	}
	return nil, &moongate.Error{Code: moongate.Malformed, Field: from, Message: "this is not an RSA public key", Hint: "it is 支付宝公钥 of the open platform, not the application's own; as it is shown there, or in PEM"}
}

// walletFile reads a file that is no secret, or an environment variable.
func walletFile(from string) (string, error) {
	if strings.HasPrefix(from, envSecret) {
		return walletSecret(from)
	}
	const most = 64 << 10
	b, err := os.ReadFile(from)
	if err != nil {
		return "", fmt.Errorf("wallets: %w", err)
	}
	if len(b) > most {
		return "", &moongate.Error{Code: moongate.TooLarge, Field: from, Message: fmt.Sprintf("%d bytes are no key or certificate", len(b))}
	}
	return strings.TrimSpace(string(b)), nil
}

// envSecret begins a value that names an environment variable instead of a file.
const envSecret = "env:"

// walletSecret reads a secret of a wallet's account: a file that others may not read, or an environment variable.
func walletSecret(from string) (string, error) {
	name, ok := strings.CutPrefix(from, envSecret)
	if !ok {
		return readSecret(from)
	}
	text := strings.TrimSpace(os.Getenv(name))
	if text == "" {
		return "", &moongate.Error{Code: moongate.NotFound, Field: from, Message: fmt.Sprintf("the environment variable %s is not set", name), Hint: "set it before the hub starts, or name a file"}
	}
	return text, nil
}

// readPublicKey reads an RSA public key in PEM (PKIX), as a wallet's console gives it.
func readPublicKey(from string) (*rsa.PublicKey, error) {
	bad := &moongate.Error{Code: moongate.Malformed, Field: from, Message: "this is not an RSA public key in PEM", Hint: "it is the wallet's own key, not yours: pub_key.pem of the merchant platform"}
	text, err := walletSecret(from)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, bad
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, bad
	}
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, bad
	}
	return k, nil
}

// readPrivateKey reads an RSA key: PKCS #8, as merchant platforms give it, or PKCS #1; in PEM, or the base64 of it alone, as
// Alipay's tools write it.
func readPrivateKey(path string) (*rsa.PrivateKey, error) {
	text, err := walletSecret(path)
	if err != nil {
		return nil, err
	}
	bad := &moongate.Error{Code: moongate.Malformed, Field: path, Message: "this is not an RSA private key in PEM", Hint: "it is apiclient_key.pem of WeChat Pay's merchant platform, 应用私钥 of Alipay's open platform"}
	der, err := base64.StdEncoding.DecodeString(text)
	if block, rest := pem.Decode([]byte(text)); block != nil && strings.TrimSpace(string(rest)) == "" {
		der, err = block.Bytes, nil
	}
	if err != nil {
		return nil, bad
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, bad
	}
	k, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, bad
	}
	return k, nil
}
