package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/moongate-hub/moongate/hub"
)

// account changes one thing of a wallet's configuration.
type account func(w *hub.WalletConfig)

// checked runs the verb on both wallets of the sandbox, the configuration changed, and gives what did not pass, by wallet and
// test, with what was said and advised.
func checked(t *testing.T, dir string, c hub.Config, change account) map[string]string {
	t.Helper()
	c.Wallets = slices.Clone(c.Wallets)
	for i := range c.Wallets {
		change(&c.Wallets[i])
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "moongate.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	code := run(&env{ctx: t.Context(), out: &out, err: &errs, in: strings.NewReader(""), now: time.Now, random: random}, []string{"wallet", "check", "-c", file, "--json"})
	var said struct {
		OK       bool            `json:"ok"`
		Findings []walletFinding `json:"findings"`
	}
	if err := json.Unmarshal([]byte(out.String()), &said); err != nil {
		t.Fatalf("exit %d: %s%s", code, out.String(), errs.String())
	}
	failed := map[string]string{}
	for _, f := range said.Findings {
		if strings.Contains(f.Said+f.Hint, "\n") {
			t.Errorf("%s %s: more than one line: %q", f.Wallet, f.Check, f.Said)
		}
		if !f.OK {
			failed[f.Wallet+" "+f.Check] = f.Said + "; " + f.Hint
		}
	}
	if said.OK != (len(failed) == 0) || said.OK != (code == 0) {
		t.Errorf("ok %v, exit %d, and %v failed", said.OK, code, failed)
	}
	return failed
}

// TestWalletCheckNamesTheFault: each thing that is wrong before going live is found by the test that is for it, and the
// advice names the field to look at.
func TestWalletCheckNamesTheFault(t *testing.T) {
	box, stop := startSandbox(t)
	defer stop()
	dir := t.TempDir()
	answer := http.StatusUnauthorized
	header := http.Header{}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(answer)
	}))
	defer front.Close()
	var c hub.Config
	text, err := os.ReadFile(box.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	c.Name, c.Data, c.Secrets, c.Listen, c.PublicURL, c.Operator = "hub.example/moongate", "data", "secrets", "127.0.0.1:0", front.URL, "operator"
	if err := hub.MakeSecrets(filepath.Join(dir, "secrets"), c.Name, random); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	other := otherKey(t, dir)
	control := func(kind string, method string, body string, of func(boxAccount) boxControl) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, of(box.Wallets[kind]).URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v %v", r.URL, resp, err)
		}
		resp.Body.Close()
	}
	both := func(method, body string, of func(boxAccount) boxControl) func() {
		return func() {
			for kind := range box.Wallets {
				control(kind, method, body, of)
			}
		}
	}
	on := func(kind string, change account) account {
		return func(w *hub.WalletConfig) {
			if w.Kind == kind {
				change(w)
			}
		}
	}
	right := func(*hub.WalletConfig) {}
	for _, one := range []struct {
		name   string
		before func()
		change account
		want   map[string]string // test that fails, and what is said of it, in part
	}{
		{"all is well", nil, right, nil},
		{"another private key", nil, func(w *hub.WalletConfig) { w.PrivateKey = other.private }, map[string]string{
			"wechatpay credentials": "private_key does not belong", "wechatpay keys": "private_key does not belong", "alipay credentials": "private_key is not that",
		}},
		{"another serial", nil, on("wechatpay", func(w *hub.WalletConfig) { w.Serial = strings.Repeat("1", 40) }), map[string]string{
			"wechatpay credentials": "serial is not that", "wechatpay keys": "serial is not that",
		}},
		{"another APIv3 key", nil, on("wechatpay", func(w *hub.WalletConfig) { w.APIKey = other.symmetric }), map[string]string{
			"wechatpay credentials": "api_v3_key is not the one", "wechatpay keys": "api_v3_key is not the one",
		}},
		{"another public key", nil, on("alipay", func(w *hub.WalletConfig) { w.PublicKey = other.public }), map[string]string{"alipay credentials": "public_key is not 支付宝公钥"}},
		{"another application", nil, on("alipay", func(w *hub.WalletConfig) { w.AppID = "2021000000000999" }), map[string]string{"alipay credentials": "app_id is no application"}},
		{"nobody there", nil, func(w *hub.WalletConfig) { w.BaseURL = "http://127.0.0.1:1" }, map[string]string{
			"wechatpay clock": "look at the network", "wechatpay credentials": "cannot be reached", "wechatpay keys": "cannot be reached", "alipay clock": "look at the network", "alipay credentials": "cannot be reached",
		}},
		{"the hub is not there", func() { answer = http.StatusNotFound }, right, map[string]string{"wechatpay callback": "is not there", "alipay callback": "is not there"}},
		{"a password in front", func() { answer, header["Www-Authenticate"] = http.StatusUnauthorized, []string{`Basic realm="x"`} }, right, map[string]string{
			"wechatpay callback": "asks for a password", "alipay callback": "asks for a password",
		}},
		{"elsewhere", func() {
			answer, header = http.StatusMovedPermanently, http.Header{"Location": {"https://other.example/"}}
		}, right, map[string]string{
			"wechatpay callback": "follow no redirect", "alipay callback": "follow no redirect",
		}},
		{"the clock", func() {
			answer, header = http.StatusUnauthorized, http.Header{}
			both(http.MethodPost, `{"ahead":"20m"}`, func(a boxAccount) boxControl { return a.Clock })()
		}, right, map[string]string{
			"wechatpay clock": "behind the wallet's", "wechatpay credentials": "set this machine's clock", "wechatpay keys": "set this machine's clock", "alipay clock": "behind the wallet's",
		}},
		{"another platform key", func() {
			both(http.MethodDelete, "", func(a boxAccount) boxControl { return a.Faults })()
			both(http.MethodPost, "{}", func(a boxAccount) boxControl { return a.Rotate })()
		}, right, map[string]string{"alipay credentials": "Alipay has a new one"}}, // WeChat Pay's certificates are fetched
	} {
		t.Run(one.name, func(t *testing.T) {
			if one.before != nil {
				one.before()
			}
			got := checked(t, dir, c, one.change)
			for test, part := range one.want {
				if !strings.Contains(got[test], part) {
					t.Errorf("%s: %q, without %q", test, got[test], part)
				}
				delete(got, test)
			}
			for test, said := range got {
				t.Errorf("%s failed, too: %s", test, said)
			}
		})
	}
}

// TestOutside: an address that no wallet can reach is known for one without asking anybody.
func TestOutside(t *testing.T) {
	for address, want := range map[string]string{
		"http://203.0.113.9":             "https alone",
		"https://127.0.0.1":              "nobody outside reaches",
		"https://10.1.2.3":               "nobody outside reaches",
		"https://[fd00::1]":              "nobody outside reaches",
		"https://100.64.0.1":             "nobody outside reaches",
		"https://203.0.113.9":            "nobody outside reaches",
		"https://1.1.1.1":                "",
		"https://[2606:4700:4700::1111]": "",
		"https://%zz.example/":           "invalid URL escape",
	} {
		if got, _ := outside(t.Context(), address); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q", address, got)
		}
	}
}

// keyFiles are of somebody else.
type keyFiles struct{ private, public, symmetric string }

func otherKey(t *testing.T, dir string) keyFiles {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return keyFiles{
		private:   write("other.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		public:    write("other.pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		symmetric: write("other.key", fmt.Appendf(nil, "%032d", 7)),
	}
}
