package sim

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/sim/world"
)

// wholeOrder is what the wallets of the world have agreed may be split off an order, basis points: all of it.
const wholeOrder = 10_000

// writeAccount writes the credentials of an account at a wallet where a hub's configuration names them.
func writeAccount(dir string, p world.Purse, m wechatbox.Merchant, url string) (hub.WalletConfig, error) {
	c := hub.WalletConfig{
		Name: p.Handle, Kind: "wechatpay", BaseURL: url, MerchantID: m.MchID, AppID: m.AppID, Serial: m.SerialNo,
		SplitBPS: wholeOrder, PrivateKey: filepath.Join(dir, "apiclient_key.pem"), APIKey: filepath.Join(dir, "apiv3.key"),
	}
	der, err := x509.MarshalPKCS8PrivateKey(m.PrivateKey)
	if err != nil {
		return c, fmt.Errorf("sim: key of %s: %w", p.Handle, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return c, fmt.Errorf("sim: %w", err)
	}
	for file, text := range map[string][]byte{
		c.PrivateKey: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), c.APIKey: []byte(m.APIv3Key),
	} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return c, fmt.Errorf("sim: %w", err)
		}
	}
	return c, nil
}
