package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/party"
)

// The first payment of docs/api.md, as its reader would type it: every block is run, and where an answer is shown the
// last line printed must be such an answer.
func TestWalkInAPI(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: the walk in docs/api.md cannot be taken here", tool)
		}
	}
	if out, err := exec.Command("openssl", "version").Output(); err != nil || !strings.HasPrefix(string(out), "OpenSSL 3") {
		t.Skipf("%s cannot sign with Ed25519 from a terminal: the walk needs OpenSSL 3", bytes.TrimSpace(out))
	}
	page := readDoc(t, "../../docs/api.md")
	walk := section(t, page, "## A first payment")
	h := openQuay(t)

	var script strings.Builder
	var shown []any // answers, nil where none is shown
	script.WriteString("set -eu\n")
	blocks := fences(walk)
	for i, b := range blocks {
		if b.language != "sh" {
			continue
		}
		if i+1 < len(blocks) && blocks[i+1].language == "json" {
			shown = append(shown, parseJSON(t, blocks[i+1].text))
		} else {
			shown = append(shown, nil)
		}
		for _, line := range strings.Split(b.text, "\n") {
			if strings.HasPrefix(line, "export ") || strings.HasPrefix(line, "moongate demo") {
				continue // the test's own hub stands in for the demonstration's
			}
			script.WriteString(line + "\n")
		}
		script.WriteString("echo '@@@'\n")
	}
	if len(shown) < 8 {
		t.Fatalf("only %d blocks found", len(shown))
	}

	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	bash := exec.CommandContext(ctx, "bash", "-c", script.String())
	bash.Dir = t.TempDir()
	bash.Env = append(os.Environ(), "HUB="+h.url, "TOKEN="+h.token, "LOG_KEY="+h.logKey)
	var stderr strings.Builder
	bash.Stderr = &stderr
	out, err := bash.Output()
	if err != nil {
		t.Fatalf("the walk ended: %v\n%s%s", err, out, &stderr)
	}
	parts := strings.Split(string(out), "@@@\n")
	for i, want := range shown {
		if strings.Contains(parts[i], `"urn:moongate:`) {
			t.Errorf("block %d was answered with a problem:\n%s", i+1, parts[i])
		}
		if want == nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(parts[i]), "\n")
		if err := alike(want, parseJSON(t, lines[len(lines)-1])); err != nil {
			t.Errorf("block %d shows another answer: %v\n%s", i+1, err, parts[i])
		}
	}
}

// quay is a hub as the demonstration's: a wallet is connected, and an operator's token known.
type quay struct {
	url, token, logKey string
	hub                *hub.Hub
}

func openQuay(t *testing.T) quay {
	t.Helper()
	listen := func() net.Listener {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	serve := func(l net.Listener, h http.Handler) {
		s := &http.Server{Handler: h, ReadHeaderTimeout: api.HeaderTimeout}
		go s.Serve(l)
		t.Cleanup(func() { s.Close() })
	}
	atWallet, atHub := listen(), listen()
	q := quay{url: "http://" + atHub.Addr().String()}

	walletURL := "http://" + atWallet.Addr().String()
	wallet, err := wechatbox.New(sandbox.Config{Name: "Crane Pay", BaseURL: walletURL, Now: time.Now, Random: rand.Reader, Scale: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wallet.Close() })
	account, err := wallet.AddMerchant("1900000109", "wx8888888888888888")
	if err != nil {
		t.Fatal(err)
	}
	connector, err := wechatpay.New(wechatpay.Config{
		MchID: account.MchID, AppID: account.AppID, SerialNo: account.SerialNo, PrivateKey: account.PrivateKey, APIv3Key: account.APIv3Key,
		BaseURL: walletURL, Now: time.Now, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	serve(atWallet, wallet)

	config, err := hub.Init(t.TempDir(), hub.Config{Name: "hub.example", Listen: atHub.Addr().String(), PublicURL: q.url, Operator: "office"}, random, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := hub.ReadSecrets(config.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	q.logKey = secrets.Verifier
	h, err := hub.Open(t.Context(), hub.Options{
		Config: config, Secrets: secrets, Now: time.Now, Random: random, NoSync: true,
		Wallets: map[string]pay.Wallet{"crane-pay": connector}, Fatal: func(err error) { panic(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	q.hub = h
	if q.token, err = h.Bootstrap(t.Context(), "Office"); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Do[party.Done](t.Context(), h, "", "", &party.Register{Handle: "crane-pay", Kind: party.Wallet, Name: "Crane Pay"}); err != nil {
		t.Fatal(err)
	}
	handler, err := surface(h, true)
	if err != nil {
		t.Fatal(err)
	}
	serve(atHub, handler)
	return q
}

func parseJSON(t *testing.T, text string) (v any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

var ellipsis = regexp.MustCompile(`…`)

// alike tells how a document's example differs from what came: "…" in a string stands for anything.
func alike(shown, got any) error {
	switch want := shown.(type) {
	case map[string]any:
		have, ok := got.(map[string]any)
		if !ok || len(have) != len(want) {
			return fmt.Errorf("%v and not %v", got, shown)
		}
		for name := range want {
			if err := alike(want[name], have[name]); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	case []any:
		have, ok := got.([]any)
		if !ok || len(have) != len(want) {
			return fmt.Errorf("%v and not %v", got, shown)
		}
		for i := range want {
			if err := alike(want[i], have[i]); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	case string:
		pattern := "^" + ellipsis.ReplaceAllString(regexp.QuoteMeta(want), ".*") + "$"
		if have, ok := got.(string); ok && regexp.MustCompile(pattern).MatchString(have) {
			return nil
		}
	default:
		if got == shown {
			return nil
		}
	}
	return fmt.Errorf("%v and not %v", got, shown)
}
