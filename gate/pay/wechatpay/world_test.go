package wechatpay_test

import (
	"crypto/rand"
	"crypto/rsa"
	"flag"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/money"
)

const (
	mchID = "1900000109"
	appID = "wx8888888888888888"
)

// start is a Wednesday, 09:00 in Beijing.
var start = time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC)

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
	*clock
	t       testing.TB
	sandbox *wechatbox.Wallet
	wallet  *wechatpay.Wallet
	cfg     wechatpay.Config
	sent    []string // method and path of every request
	meddle  func(*http.Response) *http.Response
	down    bool // the wallet cannot be reached
	got     []delivered
}

type delivered struct {
	header http.Header
	body   []byte
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{clock: sandbox.NewClock(start), t: t}
	next := 0
	var err error
	w.sandbox, err = wechatbox.New(sandbox.Config{
		Name: "Lotus Pay", BaseURL: "https://wallet.test", Now: w.Now, After: w.After, Carrier: roundTrip(w.notified),
		Random: mathrand.NewChaCha8([32]byte{7}),
		NewKey: func() (*rsa.PrivateKey, error) { next++; return keys()[next%len(keys())], nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.sandbox.AddMerchant(mchID, appID)
	if err != nil {
		t.Fatal(err)
	}
	w.cfg = wechatpay.Config{
		MchID: m.MchID, AppID: m.AppID, SerialNo: m.SerialNo, PrivateKey: m.PrivateKey, APIv3Key: m.APIv3Key,
		BaseURL: "https://wallet.test", Carrier: roundTrip(w.carry), Now: w.Now, Random: mathrand.NewChaCha8([32]byte{8}),
	}
	if w.wallet, err = wechatpay.New(w.cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// carry takes a request to the sandbox, and its answer back through whoever meddles.
func (w *world) carry(r *http.Request) (*http.Response, error) {
	w.sent = append(w.sent, r.Method+" "+r.URL.Path)
	if w.down {
		return nil, refusedConnection
	}
	resp, err := w.sandbox.InMemory().RoundTrip(r)
	if err == nil && w.meddle != nil {
		resp = w.meddle(resp)
	}
	return resp, err
}

func (w *world) notified(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.got = append(w.got, delivered{r.Header, body})
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Header: http.Header{}}, nil
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

func (w *world) paid(no string, fen int64) {
	w.t.Helper()
	w.create(no, fen)
	if err := w.sandbox.Approve(mchID, no); err != nil {
		w.t.Fatal(err)
	}
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

type clock = sandbox.Clock

// TestMain keeps the days that property tests trade through to fifteen: each costs some fifty RSA signatures.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("rapid.checks", "15"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
