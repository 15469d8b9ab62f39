package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/hub"
)

// boxed is what the verb prints.
type boxed struct {
	Wallets map[string]boxAccount `json:"wallets"`
	Config  string                `json:"hub_config"`
}

// startSandbox runs the verb, and gives what it prints and a way to end it.
func startSandbox(t *testing.T, args ...string) (said boxed, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(&env{ctx: ctx, out: in, err: io.Discard, in: strings.NewReader(""), now: time.Now, random: random}, append([]string{"sandbox", "--json", "--listen", "127.0.0.1:0"}, args...))
		in.Close()
	}()
	if err := json.NewDecoder(out).Decode(&said); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out)
	return said, func() int { cancel(); return <-code }
}

// Everything that is named is there, a hub's configuration takes it, and what was there before is there again.
func TestSandboxAlone(t *testing.T) {
	dir := t.TempDir()
	said, stop := startSandbox(t, "--state", dir)
	for kind, a := range said.Wallets {
		files := []string{a.PrivateKey}
		for _, f := range []string{a.Certificate, a.APIKeyFile} {
			if f != "" {
				files = append(files, f)
			}
		}
		if a.Platform != nil {
			files = append(files, a.Platform.Certificate, a.Platform.PublicKey)
			if a.Platform.Root != "" {
				files = append(files, a.Platform.Root)
			}
		}
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s: %v", kind, f, err)
			}
		}
		resp, err := http.Get(a.Status)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v", kind, err)
		}
		resp.Body.Close()
		resp, err = http.Post(a.Approve.URL, "application/json", strings.NewReader(jsonLine(a.Approve.Body)))
		if err != nil || resp.StatusCode != http.StatusConflict { // there is no order of that number
			t.Fatalf("%s: %v", kind, err)
		}
		resp.Body.Close()
	}
	a := said.Wallets["wechatpay"]
	text, err := os.ReadFile(a.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !strings.EqualFold(cert.SerialNumber.Text(16), strings.TrimLeft(a.Serial, "0")) {
		t.Errorf("the merchant's certificate: %v", err)
	}
	var fragment struct {
		Wallets []hub.WalletConfig `yaml:"wallets"`
	}
	text, err = os.ReadFile(said.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalWithOptions(text, &fragment, yaml.Strict()); err != nil || len(fragment.Wallets) != len(said.Wallets) {
		t.Fatalf("%v: %s", err, text)
	}
	if _, err := hub.Connect(&hub.Config{Wallets: fragment.Wallets}, nil, time.Now, randomness(random)); err != nil {
		t.Errorf("a hub cannot use it: %v", err)
	}
	if code := stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}

	again, stop := startSandbox(t, "--state", dir)
	defer stop()
	if b := again.Wallets["wechatpay"]; b.Serial != a.Serial || b.APIKey != a.APIKey || b.Platform.Serial != a.Platform.Serial {
		t.Errorf("keys changed: %+v, then %+v", a, b)
	}
	if a, b := said.Wallets["alipay"], again.Wallets["alipay"]; a.KeyText == "" || b.KeyText != a.KeyText || b.Platform.KeyText != a.Platform.KeyText {
		t.Errorf("keys changed: %+v, then %+v", a, b)
	}
	for kind, a := range again.Wallets {
		for _, c := range []boxControl{a.Faults, a.Rotate, a.Clock} {
			resp, err := http.Post(c.URL, "application/json", strings.NewReader(jsonLine(c.Body)))
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%s: %s: %v", kind, c.URL, err)
			}
			resp.Body.Close()
		}
		if !slices.Contains(a.FaultKinds, sandbox.Reorder) {
			t.Errorf("%s: faults %v", kind, a.FaultKinds)
		}
		if _, err := os.Stat(filepath.Join(dir, kind, "book.jsonl")); err != nil {
			t.Error(err)
		}
	}
}
