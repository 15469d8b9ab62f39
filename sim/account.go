package sim

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	alibox "github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/sim/world"
)

// wholeOrder is what the wallets of the world have agreed may be split off an order, basis points: all of it.
const wholeOrder = 10_000

// openPurse opens a wallet of the world with the hub's account there, whose credentials are written where the hub's
// configuration names them.
func openPurse(dir string, p world.Purse, c sandbox.Config) (*sandbox.Wallet, hub.WalletConfig, error) {
	c.Name, c.Cap = p.Name, wholeOrder
	open := openWechat
	if p.Kind == "alipay" {
		open = openAlipay
	}
	w, files, account, err := open(p, c)
	if err != nil {
		return nil, account, err
	}
	account.Name, account.Kind, account.BaseURL, account.SplitBPS = p.Handle, p.Kind, c.BaseURL, wholeOrder
	if err := writeSecrets(dir, files); err != nil {
		return nil, account, errors.Join(err, w.Close())
	}
	for _, file := range []*string{&account.PrivateKey, &account.APIKey, &account.PublicKey} {
		if *file != "" {
			*file = filepath.Join(dir, *file)
		}
	}
	return w, account, nil
}

func openWechat(p world.Purse, c sandbox.Config) (*sandbox.Wallet, map[string][]byte, hub.WalletConfig, error) {
	a := hub.WalletConfig{PrivateKey: "apiclient_key.pem", APIKey: "apiv3.key"}
	w, err := wechatbox.New(c)
	if err != nil {
		return nil, nil, a, err
	}
	m, err := w.AddMerchant(p.MerchantID, p.AppID)
	if err != nil {
		return nil, nil, a, errors.Join(err, w.Close())
	}
	a.MerchantID, a.AppID, a.Serial = m.MchID, m.AppID, m.SerialNo
	key, err := privatePEM(m.PrivateKey)
	if err != nil {
		return nil, nil, a, errors.Join(err, w.Close())
	}
	return w.Wallet, map[string][]byte{a.PrivateKey: key, a.APIKey: []byte(m.APIv3Key)}, a, nil
}

func openAlipay(p world.Purse, c sandbox.Config) (*sandbox.Wallet, map[string][]byte, hub.WalletConfig, error) {
	a := hub.WalletConfig{PrivateKey: "app_private_key.pem", PublicKey: "alipay_public_key.pem"}
	w, err := alibox.New(c)
	if err != nil {
		return nil, nil, a, err
	}
	m, err := w.AddMerchant(p.AppID, p.MerchantID)
	if err != nil {
		return nil, nil, a, errors.Join(err, w.Close())
	}
	a.MerchantID, a.AppID = m.PID, m.AppID
	key, err := privatePEM(m.PrivateKey)
	if err != nil {
		return nil, nil, a, errors.Join(err, w.Close())
	}
	public, err := x509.MarshalPKIXPublicKey(m.AlipayKey)
	if err != nil {
		return nil, nil, a, errors.Join(fmt.Errorf("sim: key of %s: %w", p.Handle, err), w.Close())
	}
	return w.Wallet, map[string][]byte{a.PrivateKey: key, a.PublicKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})}, a, nil
}

func privatePEM(key *rsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("sim: a merchant's key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func writeSecrets(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			return fmt.Errorf("sim: %w", err)
		}
	}
	return nil
}
