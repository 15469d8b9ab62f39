package alipay_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/alipay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	alibox "github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
	"github.com/moongate-hub/moongate/money"
)

const (
	appID    = "2021000000000001"
	pid      = "2088000000000001"
	receiver = "2088000000000555"
	smid     = "2088000000000777"
)

// start is a Wednesday, 10:00 in Beijing.
var start = time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)

var keys = sync.OnceValue(func() []*rsa.PrivateKey {
	var list []*rsa.PrivateKey
	for range 4 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		list = append(list, key)
	}
	return list
})

// world is the connector and a sandbox wallet, without sockets, under one virtual clock.
type world struct {
	*sandbox.Clock
	t       testing.TB
	sandbox *alibox.Wallet
	wallet  *alipay.Wallet
	account alibox.Merchant
	cfg     alipay.Config
	sent    []string // method of every request
	meddle  func(body []byte) []byte
	down    bool // the wallet cannot be reached
	got     [][]byte
}

// newWorld has an account with a key; change makes another.
func newWorld(t testing.TB, change ...func(*world)) *world {
	t.Helper()
	w := &world{Clock: sandbox.NewClock(start), t: t}
	next := 0
	var err error
	w.sandbox, err = alibox.New(sandbox.Config{
		Name: "Lotus Pay", BaseURL: "https://wallet.test", Now: w.Now, After: w.After, Carrier: roundTrip(w.notified),
		Random: mathrand.NewChaCha8([32]byte{7}),
		NewKey: func() (*rsa.PrivateKey, error) { next++; return keys()[next%len(keys())], nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.sandbox.AddMerchant(appID, pid)
	if err != nil {
		t.Fatal(err)
	}
	w.account = m
	w.cfg = alipay.Config{
		AppID: m.AppID, PID: m.PID, PrivateKey: m.PrivateKey, AlipayKey: m.AlipayKey, SplitBPS: 3000,
		BaseURL: "https://wallet.test", Carrier: roundTrip(w.carry), Now: w.Now,
	}
	for _, f := range change {
		f(w)
	}
	if w.wallet, err = alipay.New(w.cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

// certificates sets an account up with certificates instead of a key.
func certificates(w *world) {
	w.cfg.AlipayKey = nil
	w.cfg.AppCert, w.cfg.AlipayCert, w.cfg.RootCert = w.account.AppCert, w.account.AlipayCert, w.account.RootCert
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// carry takes a request to the sandbox, and its answer back through whoever meddles.
func (w *world) carry(r *http.Request) (*http.Response, error) {
	if w.down {
		w.sent = append(w.sent, "")
		return nil, refusedConnection
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	w.sent = append(w.sent, form.Get("method"))
	resp, err := w.sandbox.InMemory().RoundTrip(r)
	if err == nil && w.meddle != nil {
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(w.meddle(text)))
	}
	return resp, err
}

func (w *world) notified(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.got = append(w.got, body)
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("success")), Header: http.Header{}}, nil
}

func (w *world) order(no string, fen int64) pay.Order {
	return pay.Order{
		No: no, Channel: pay.QR, Amount: money.Of(fen, money.CNY), Description: "A teapot", Tag: "pay_" + no,
		Expires: moongate.At(start) + moongate.Hour, NotifyURL: "https://hub.test/notify",
	}
}

func (w *world) create(no string, fen int64) {
	w.t.Helper()
	if _, err := w.wallet.Create(w.t.Context(), w.order(no, fen)); err != nil {
		w.t.Fatal(err)
	}
}

// opened is an order that its shopper looks at.
func (w *world) opened(no string, fen int64) {
	w.t.Helper()
	w.create(no, fen)
	if err := w.sandbox.Visit(appID, no); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) paid(no string, fen int64) {
	w.t.Helper()
	w.create(no, fen)
	if err := w.sandbox.Approve(appID, no); err != nil {
		w.t.Fatal(err)
	}
}

// ref is the wallet's number of a paid order.
func (w *world) ref(no string) string {
	w.t.Helper()
	out, err := w.wallet.Query(w.t.Context(), no)
	if err != nil || out.WalletRef == "" {
		w.t.Fatalf("%+v %v", out, err)
	}
	return out.WalletRef
}

func (w *world) refund(no, order string, fen, total int64) pay.RefundOrder {
	return pay.RefundOrder{No: no, OrderNo: order, Amount: money.Of(fen, money.CNY), Total: total, Reason: "broken #" + no, NotifyURL: "https://hub.test/refunded"}
}

func (w *world) inject(f sandbox.Fault) {
	w.t.Helper()
	if err := w.sandbox.Inject(f); err != nil {
		w.t.Fatal(err)
	}
}

// pressed has the shopper follow an address and say yes.
func (w *world) pressed(address string) {
	w.t.Helper()
	get := func(method, to string, form url.Values) *http.Response {
		r, err := http.NewRequestWithContext(w.t.Context(), method, to, strings.NewReader(form.Encode()))
		if err != nil {
			w.t.Fatal(err)
		}
		if form != nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := w.sandbox.InMemory().RoundTrip(r)
		if err != nil {
			w.t.Fatal(err)
		}
		return resp
	}
	resp := get(http.MethodGet, address, nil)
	if resp.StatusCode == http.StatusFound {
		resp = get(http.MethodGet, resp.Header.Get("Location"), nil)
	}
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), `name="token" value="`)
	token, _, _ := strings.Cut(rest, `"`)
	if !ok {
		w.t.Fatalf("no form on the page:\n%s", page)
	}
	get(http.MethodPost, "https://wallet.test/sandbox/pay", url.Values{"token": {token}, "answer": {"approve"}})
}
