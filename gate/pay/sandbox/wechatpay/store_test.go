package wechatpay_test

import (
	"crypto/sha256"
	"encoding/hex"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
)

// TestRestart: keys, orders, refunds, violations and unfinished notifications outlive the process; a line torn by its
// end is dropped, damage elsewhere is named.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wallet.jsonl")
	keep := func(c *sandbox.Config) { c.State = path }
	w := newWorld(t, keep)
	w.shop.status = func(int) int { return http.StatusInternalServerError }
	w.pay("ORDER-01", 1000)
	w.order("ORDER-02", 500)
	w.ask("POST", "/v3/refund/domestic/refunds", refundOf("R1", "ORDER-01", 10, 1000))
	w.ask("POST", "/v3/refund/domestic/refunds", refundOf("R1", "ORDER-01", 11, 1000)) // a violation
	w.Advance(2 * time.Second)
	book := w.wallet.Book(mchID)
	id, key, err := w.wallet.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.wallet.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err := w.try("GET", "/v3/certificates", nil); err != nil || a.status != http.StatusInternalServerError {
		t.Errorf("a closed wallet: %v %d", err, a.status)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"Order":{"No":"TOR`); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	w2 := newWorld(t, keep)
	if diff := cmp.Diff(book, w2.wallet.Book(mchID)); diff != "" {
		t.Errorf("book (-before +after):\n%s", diff)
	}
	if w2.m.SerialNo != w.m.SerialNo || w2.m.APIv3Key != w.m.APIv3Key || !w2.m.PrivateKey.Equal(w.m.PrivateKey) {
		t.Error("the merchant's credentials changed")
	}
	if id2, key2, err := w2.wallet.PublicKey(); err != nil || id2 != id || !key2.Equal(key) {
		t.Errorf("the public key changed: %v", err)
	}
	if v := w2.wallet.Violations(); len(v) != 1 || v[0].Rule != sandbox.RuleOtherRefund {
		t.Errorf("violations %v", v)
	}
	w2.Advance(time.Minute)
	events := map[string]bool{}
	for _, d := range w2.shop.got {
		_, event, _ := w2.open(d)
		events[event] = true
	}
	if !events["TRANSACTION.SUCCESS"] || !events["REFUND.SUCCESS"] {
		t.Errorf("after the restart only %v was notified", events)
	}
	if a := w2.query("ORDER-02"); a.json["trade_state"] != "NOTPAY" {
		t.Errorf("open order: %s", a.body)
	}
	if err := w2.wallet.Close(); err != nil {
		t.Fatal(err)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	lines[2] = strings.Replace(lines[2], "ORDER", "\x00RDER", 1)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := wechatpay.New(sandbox.Config{BaseURL: "http://wallet.test", Now: time.Now, Random: mathrand.NewChaCha8([32]byte{}), State: path}); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("damaged file: %v", err)
	}
}

// TestSameSeedSameBytes: a day of trade twice, keys included, with nothing but seeded randomness: every byte that leaves
// the wallet is the same.
func TestSameSeedSameBytes(t *testing.T) {
	day := func(seed byte) string {
		w := newWorld(t, func(c *sandbox.Config) {
			c.Random, c.NewKey = mathrand.NewChaCha8([32]byte{seed}), nil
		})
		sum := sha256.New()
		hash := func(a answered) {
			sum.Write(a.body)
			sum.Write([]byte(a.header.Get("Wechatpay-Signature")))
		}
		hash(w.ask("GET", "/v3/certificates", nil))
		w.pay("ORDER-01", 1999)
		hash(w.query("ORDER-01"))
		hash(w.ask("POST", "/v3/refund/domestic/refunds", refundOf("R1", "ORDER-01", 10, 1999)))
		w.Advance(26 * time.Hour)
		hash(w.ask("GET", "/v3/bill/tradebill?bill_date=2026-03-04", nil))
		for _, d := range w.shop.got {
			hash(answered{body: d.body, header: d.header})
		}
		if len(w.shop.got) != 2 {
			t.Errorf("%d notifications", len(w.shop.got))
		}
		return hex.EncodeToString(sum.Sum(nil))
	}
	first := day(1)
	if second := day(1); first != second {
		t.Errorf("one seed, two days: %s %s", first, second)
	}
	if other := day(2); first == other {
		t.Error("another seed, the same day")
	}
}

// FuzzRequests throws bodies and headers at the endpoints: no panic, and never a paid order.
func FuzzRequests(f *testing.F) {
	f.Add("/v3/pay/transactions/native", `{"amount":{"total":1}}`, `WECHATPAY2-SHA256-RSA2048 mchid="1"`)
	f.Add("/v3/refund/domestic/refunds", `{"out_refund_no":"R1","amount":{"refund":-1}}`, "")
	f.Add("/v3/pay/transactions/out-trade-no/ORDER-01/close", `{"mchid":"1900000109"}`, `WECHATPAY2-SHA256-RSA2048 a="`)
	f.Add("/sandbox/pay", "token=x&answer=approve", "")
	f.Add("/sandbox/faults", `{"kind":"delay"}`, "")
	w := newWorld(f, nil)
	w.order("ORDER-01", 100)
	f.Fuzz(func(t *testing.T, path, body, header string) {
		w.t = t
		w.wallet.Clear()
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://wallet.test"+path, strings.NewReader(body))
		if err != nil {
			t.Skip("not a request")
		}
		r.Header.Set("Authorization", header)
		if _, err := w.send(r); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(path, "/v3/") {
			if a, err := w.try("POST", r.URL.RequestURI(), body); err == nil && a.status == 0 {
				t.Errorf("%s: no status", path)
			}
		}
		if b := w.wallet.Book(mchID); len(b.Payments) != 0 {
			t.Errorf("POST %s %q paid an order", path, body)
		}
	})
}
