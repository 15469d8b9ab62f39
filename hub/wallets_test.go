package hub

import (
	"crypto/rand"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	alibox "github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
	"github.com/moongate-hub/moongate/money"
)

// TestAlipayAccount: an account is set up with a key or with certificates, each in the forms that the open platform gives
// them in; what is missing is named; and the connector reaches its wallet.
func TestAlipayAccount(t *testing.T) {
	box, err := alibox.New(sandbox.Config{Name: "Lotus Pay", BaseURL: "https://wallet.test", Now: time.Now, Random: rand.Reader, Carrier: http.DefaultTransport})
	if err != nil {
		t.Fatal(err)
	}
	m, err := box.AddMerchant("2021000000000001", "2088000000000001")
	if err != nil {
		t.Fatal(err)
	}
	public, err := m.AlipayKeyText()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	inPEM := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: sandbox.MarshalKey(m.PrivateKey)}))
	bare := WalletConfig{Name: "alipay", Kind: "alipay", BaseURL: "https://wallet.test", MerchantID: m.PID, AppID: m.AppID, SplitBPS: 3000, Products: []string{"face_to_face"}}
	keyed := bare
	keyed.PrivateKey, keyed.PublicKey = file("app.key", m.KeyText(false)+"\n", 0o600), file("alipay.pub", public+"\n", 0o644)
	certified := bare
	certified.PrivateKey = file("app.pem", inPEM, 0o600)
	certified.AppCert, certified.WalletCert, certified.RootCert = file("app.crt", m.AppCert, 0o644), file("alipay.crt", m.AlipayCert, 0o644), file("root.crt", m.RootCert, 0o644)
	for name, account := range map[string]WalletConfig{"key": keyed, "certificates": certified} {
		var faults []string
		account.check("wallets[0]", map[string]bool{}, func(field, _, format string, _ ...any) { faults = append(faults, field+" "+format) })
		all, err := Connect(&Config{Wallets: []WalletConfig{account}}, box.InMemory(), time.Now, rand.Reader)
		if err != nil || len(faults) != 0 {
			t.Fatalf("%s: %v %v", name, err, faults)
		}
		o := pay.Order{
			No: "ORDER_" + name, Channel: pay.QR, Amount: money.Of(100, money.CNY), Description: "A teapot",
			Expires: moongate.At(time.Now()) + moongate.Hour, NotifyURL: "https://hub.test/notify",
		}
		if h, err := all["alipay"].Create(t.Context(), o); err != nil || h.QR == "" || all["alipay"].Can().SplitCap != 3000 {
			t.Errorf("%s: %+v %v", name, h, err)
		}
	}
	for field, change := range map[string]func(*WalletConfig){
		"merchant_id": func(w *WalletConfig) { w.MerchantID = "" },
		"private_key": func(w *WalletConfig) { w.PrivateKey = file("open.key", inPEM, 0o644) },
		"root_cert":   func(w *WalletConfig) { w.RootCert = filepath.Join(dir, "nowhere") },
	} {
		w := certified
		change(&w)
		var faults []string
		w.check("wallets[0]", map[string]bool{}, func(field, _, _ string, _ ...any) { faults = append(faults, field) })
		if len(faults) != 1 || faults[0] != "wallets[0]."+field {
			t.Errorf("%s: %v", field, faults)
		}
	}
	for name, change := range map[string]func(*WalletConfig){
		"products":               func(w *WalletConfig) { w.Products = []string{"card"} },
		"not an RSA public key":  func(w *WalletConfig) { w.PublicKey = file("bad.pub", "x", 0o644) },
		"not an RSA private key": func(w *WalletConfig) { w.PrivateKey = file("bad.key", "x", 0o600) },
	} {
		w := keyed
		change(&w)
		if _, err := Connect(&Config{Wallets: []WalletConfig{w}}, box.InMemory(), time.Now, rand.Reader); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
