package hub

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
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
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
)

// Connect makes a connector for each wallet of the configuration. It does no I/O but for reading keys. A nil carrier is
// the network.
//
// While [QuarantineFile] stands in the data directory, the connectors only ask: what would change something at a wallet
// ends as unknown, and the payment gate then queries.
func Connect(c *Config, carrier http.RoundTripper, now func() time.Time, random io.Reader) (map[string]pay.Wallet, error) {
	all := map[string]pay.Wallet{}
	held := func() bool {
		_, err := os.Stat(filepath.Join(c.Data, QuarantineFile))
		return !errors.Is(err, os.ErrNotExist) // in doubt it stands
	}
	for i := range c.Wallets {
		w := &c.Wallets[i]
		account, err := w.account()
		if err != nil {
			return nil, fmt.Errorf("wallet %s: %w", w.Name, err)
		}
		account.Carrier, account.Now, account.Random = carrier, now, random
		connector, err := wechatpay.New(account)
		if err != nil {
			return nil, fmt.Errorf("wallet %s: %w", w.Name, err)
		}
		all[w.Name] = &quarantined{Wallet: connector, held: held}
	}
	return all, nil
}

// account reads what a connector needs to know.
func (w *WalletConfig) account() (wechatpay.Config, error) {
	key, err := readRSAKey(w.PrivateKey)
	if err != nil {
		return wechatpay.Config{}, err
	}
	secret, err := readSecret(w.APIKey)
	if err != nil {
		return wechatpay.Config{}, err
	}
	return wechatpay.Config{
		MchID: w.MerchantID, AppID: w.AppID, SerialNo: w.Serial, PrivateKey: key, APIv3Key: secret, BaseURL: w.BaseURL,
	}, nil
}

// readRSAKey reads a PEM file that others may not read: PKCS #8, as the merchant platform gives it, or PKCS #1.
func readRSAKey(path string) (*rsa.PrivateKey, error) {
	text, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	bad := &moongate.Error{Code: moongate.Malformed, Field: path, Message: "this is not an RSA private key in PEM", Hint: "it is apiclient_key.pem of the merchant platform"}
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, bad
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad
	}
	k, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, bad
	}
	return k, nil
}

// quarantined is a connector that only asks while it is held.
type quarantined struct {
	*wechatpay.Wallet
	held func() bool
}

func (q *quarantined) hold(op string) error {
	if q.held() {
		return pay.Fail(op, pay.Unknown, "the hub is in quarantine after a restore: it asks and does not act", nil)
	}
	return nil
}

// Create implements [pay.Wallet].
func (q *quarantined) Create(ctx context.Context, o pay.Order) (pay.Handoff, error) {
	if err := q.hold("create"); err != nil {
		return pay.Handoff{}, err
	}
	return q.Wallet.Create(ctx, o)
}

// Close implements [pay.Wallet].
func (q *quarantined) Close(ctx context.Context, no string) (pay.Outcome, error) {
	if err := q.hold("close"); err != nil {
		return pay.Outcome{}, err
	}
	return q.Wallet.Close(ctx, no)
}

// Refund implements [pay.Wallet].
func (q *quarantined) Refund(ctx context.Context, r pay.RefundOrder) (pay.RefundOutcome, error) {
	if err := q.hold("refund"); err != nil {
		return pay.RefundOutcome{}, err
	}
	return q.Wallet.Refund(ctx, r)
}

var (
	_ pay.Wallet        = (*quarantined)(nil)
	_ pay.RefundQuerier = (*quarantined)(nil)
	_ pay.Notifier      = (*quarantined)(nil)
)
