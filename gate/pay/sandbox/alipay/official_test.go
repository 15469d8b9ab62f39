package alipay_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// officialSDK is the official SDK for Node, as npm has it.
const officialSDK = "alipay-sdk@4.14.0"

// TestOfficialSDK drives the sandbox over loopback with the official SDK for Node, unchanged: its signer, its checks of
// answers and notifications, its pages and forms, with a public key and with certificates.
func TestOfficialSDK(t *testing.T) {
	if testing.Short() {
		t.Skip("fetches a package and starts a process")
	}
	node, noNode := exec.LookPath("node")
	npm, noNPM := exec.LookPath("npm")
	if noNode != nil || noNPM != nil {
		t.Skip("node and npm are not here: the official SDK for Node cannot be run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := t.TempDir()
	install := exec.CommandContext(ctx, npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline", "--prefix", dir, officialSDK)
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("%s cannot be fetched: %v\n%s", officialSDK, err, out)
	}
	script, err := os.ReadFile(filepath.Join("testdata", "official.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "official.mjs"), script, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	public, err := s.m.AlipayKeyText()
	if err != nil {
		t.Fatal(err)
	}
	box, err := json.Marshal(map[string]string{
		"base": s.url, "appId": appID, "receiver": other, "privateKey": s.m.KeyText(false), "alipayPublicKey": public,
		"appCert": s.m.AppCert, "rootCert": s.m.RootCert, "alipayCert": s.m.AlipayCert,
	})
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(ctx, node, "official.mjs", string(box))
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if v := s.wallet.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
}
