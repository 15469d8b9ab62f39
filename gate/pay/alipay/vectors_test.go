package alipay

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/smartwalle/alipay/v3"
)

// TestWycheproofRSA: SHA256withRSA signatures, among them forgeries that lax padding checks let through, as notifications
// are checked.
func TestWycheproofRSA(t *testing.T) {
	root := os.Getenv("MOONGATE_DATA")
	if root == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("MOONGATE_DATA is not set")
		}
		t.Skip("MOONGATE_DATA is not set: no published data to test with")
	}
	text, err := os.ReadFile(filepath.Join(root, "vectors/wycheproof-rsa_signature_2048_sha256_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		TestGroups []struct {
			PublicKeyPem string
			Tests        []struct {
				TCID                      int `json:"tcId"`
				Msg, Sig, Result, Comment string
			}
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, g := range file.TestGroups {
		block, _ := pem.Decode([]byte(g.PublicKeyPem))
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		tr := &trust{now: time.Now, keys: []walletKey{{key: parsed.(*rsa.PublicKey)}}}
		for _, v := range g.Tests {
			message, err1 := hex.DecodeString(v.Msg)
			signature, err2 := hex.DecodeString(v.Sig)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			ran++
			sum := sha256.Sum256(message)
			if _, good := tr.try("", sum[:], signature); good != (v.Result == "valid") && v.Result != "acceptable" {
				t.Errorf("case %d (%s, %s): good is %v", v.TCID, v.Result, v.Comment, good)
			}
		}
	}
	if ran < 200 {
		t.Errorf("only %d cases ran", ran)
	}
}

// library reads a file that the library carries: certificates as the open platform gives them out.
func library(t *testing.T, name string) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/smartwalle/alipay/v3").Output()
	if err != nil {
		t.Skipf("the library's folder cannot be found: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRealCertificates: the wallet's own root file is read, roots on other curves passed over, and numbered as every
// client numbers it; a certificate file with the one between it and the root is followed.
func TestRealCertificates(t *testing.T) {
	roots, err := certificatesIn(library(t, "alipayRootCert.crt"))
	if err != nil {
		t.Fatal(err)
	}
	var serials []string
	for _, c := range roots {
		serials = append(serials, serialOf(c))
	}
	// The value that requests to Alipay carry as alipay_root_cert_sn.
	if got := strings.Join(serials, "_"); got != "687b59193f3f462dd5336e5abf83c5d8_02941eef3187dddf3d3b83462e1dfcf6" {
		t.Errorf("root is %s", got)
	}
	chain, err := certificatesIn(library(t, "alipayPublicCert.crt"))
	if err != nil || len(chain) != 2 {
		t.Fatalf("%d certificates, %v", len(chain), err)
	}
	// The chain is of Alipay's test environment, whose root is not published: the one between stands for it.
	client, err := sdk.NewWithSigner("2021000000000001", stamper{}, false)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	tr := &trust{now: func() time.Time { return at }, client: client, certs: true, subject: chain[0].RawSubject, anchors: roots}
	if err := tr.take(chain[0]); err == nil {
		t.Error("a certificate without its root is taken")
	}
	tr.anchors = chain[1:]
	if err := tr.take(chain[0]); err != nil {
		t.Errorf("in force: %v", err)
	}
	// A merchant's own certificate is by the same signer: taken for the wallet's, it would let every merchant be the wallet.
	merchant, err := certificatesIn(library(t, "appPublicCert.crt"))
	if err != nil || len(merchant) == 0 || tr.signed(merchant[0]) != nil {
		t.Fatalf("%d certificates, %v", len(merchant), err)
	}
	at = merchant[0].NotBefore.Add(time.Hour)
	if err := tr.take(merchant[0]); err == nil {
		t.Error("a merchant's certificate is taken for the wallet's")
	}
	if err := tr.take(chain[0]); err == nil {
		t.Error("a certificate that ran out is taken")
	}
}

// FuzzNotified throws forms at the reader of notifications: no panic, and nothing is believed that the key has not signed.
func FuzzNotified(f *testing.F) {
	f.Add([]byte("sign_type=RSA2&sign=AAAA&app_id=1&notify_time=2026-03-04+10%3A00%3A00"))
	f.Add([]byte("sign_type=RSA2&sign=%zz"))
	f.Add([]byte("a=1&a=2"))
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	w := &Wallet{cfg: Config{AppID: "2021000000000001", PID: "2088000000000001", Now: func() time.Time { return time.Unix(0, 0) }, Timeout: time.Second}}
	w.trust = &trust{now: w.cfg.Now, keys: []walletKey{{key: &key.PublicKey}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		if n, err := w.Notified(t.Context(), nil, body); err == nil {
			t.Errorf("%q is believed: %+v", body, n)
		}
	})
}

// FuzzTrade throws values at the reader of orders: an outcome is whole, and its amounts are within bounds.
func FuzzTrade(f *testing.F) {
	f.Add("ORDER_01", "2026030422001052864901872016", "TRADE_SUCCESS", "1.00", "1.00", "0.00", "2026-03-04 10:00:00")
	f.Add("ORDER_01", "", "TRADE_CLOSED", "100000000.00", "", "-1", "")
	f.Fuzz(func(t *testing.T, no, ref, status, total, paid, got, at string) {
		out, err := (&trade{TradeNo: ref, OutTradeNo: no, TradeStatus: status, TotalAmount: total, BuyerPayAmount: paid, ReceiptAmount: got, SendPayDate: at}).outcome()
		if err != nil {
			return
		}
		if out.No != no || out.State == "" || out.Amount.Minor < 1 || out.Amount.Minor > maxAmount || out.PayerTotal < 0 || out.PayerTotal > out.Amount.Minor {
			t.Errorf("%+v", out)
		}
		if out.State == "paid" && (out.WalletRef == "" || out.PaidAt == 0) || out.Settled != nil && (*out.Settled < 0 || *out.Settled >= out.Amount.Minor) {
			t.Errorf("%+v", out)
		}
	})
}
