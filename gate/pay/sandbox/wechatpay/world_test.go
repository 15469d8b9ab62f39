package wechatpay_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
)

const (
	mchID = "1900000109"
	appID = "wx8888888888888888"
)

// start is a Wednesday, 09:00 in Beijing.
var start = time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC)

// keys are made once: a sandbox that makes its own takes a moment each time.
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

// world is a sandbox under a virtual clock, with one merchant and its shop.
type world struct {
	*clock
	t      testing.TB
	wallet *wechatpay.Wallet
	m      wechatpay.Merchant
	shop   *shop
}

func newWorld(t testing.TB, change func(*sandbox.Config)) *world {
	t.Helper()
	c := sandbox.NewClock(start)
	s := &shop{clock: c, status: func(int) int { return http.StatusNoContent }}
	next := 0
	cfg := sandbox.Config{
		Name: "Lotus Pay", BaseURL: "http://wallet.test", Now: c.Now, After: c.After, Carrier: s,
		Random: mathrand.NewChaCha8([32]byte{7}),
		NewKey: func() (*rsa.PrivateKey, error) { next++; return keys()[next%len(keys())], nil },
	}
	if change != nil {
		change(&cfg)
	}
	w, err := wechatpay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m, err := w.AddMerchant(mchID, appID)
	if err != nil {
		t.Fatal(err)
	}
	return &world{clock: c, t: t, wallet: w, m: m, shop: s}
}

type clock = sandbox.Clock

// shop is where notifications arrive.
type shop struct {
	clock  *clock
	status func(try int) int // answer to the nth delivery; 0 is no answer
	got    []delivered
}

type delivered struct {
	at     time.Time
	url    string
	header http.Header
	body   []byte
}

func (s *shop) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.got = append(s.got, delivered{s.clock.Now(), r.URL.String(), r.Header, body})
	status := s.status(len(s.got))
	if status == 0 {
		return nil, http.ErrHandlerTimeout
	}
	return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}}, nil
}

// answered is what the wallet says to a request.
type answered struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

// ask sends a request, signed with the merchant's key at the virtual time.
func (w *world) ask(method, uri string, body any) answered {
	w.t.Helper()
	a, err := w.try(method, uri, body)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, uri, err)
	}
	return a
}

func (w *world) try(method, uri string, body any) (answered, error) {
	w.t.Helper()
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			w.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, "http://wallet.test"+uri, bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", authorization(w.t, w.m, w.Now(), method, uri, text))
	r.Header.Set("Content-Type", "application/json")
	return w.send(r)
}

func (w *world) send(r *http.Request) (answered, error) {
	w.t.Helper()
	resp, err := w.wallet.InMemory().RoundTrip(r)
	if err != nil {
		return answered{}, err
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answered{status: resp.StatusCode, header: resp.Header, body: got}
	_ = json.Unmarshal(got, &a.json) // pages and bills are not JSON
	return a, nil
}

func authorization(t testing.TB, m wechatpay.Merchant, at time.Time, method, uri string, body []byte) string {
	t.Helper()
	stamp := strconv.FormatInt(at.Unix(), 10)
	sum := sha256.Sum256([]byte(method + "\n" + uri + "\n" + stamp + "\nNONCE\n" + string(body) + "\n"))
	signature, err := rsa.SignPKCS1v15(nil, m.PrivateKey, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return `WECHATPAY2-SHA256-RSA2048 mchid="` + m.MchID + `",nonce_str="NONCE",timestamp="` + stamp + `",serial_no="` + m.SerialNo +
		`",signature="` + base64.StdEncoding.EncodeToString(signature) + `"`
}

type object = map[string]any

func native(no string, total int) object {
	return object{
		"appid": appID, "mchid": mchID, "description": "A teapot", "out_trade_no": no, "notify_url": "https://shop.test/notify",
		"amount": object{"total": total, "currency": "CNY"},
	}
}

func with(o object, key string, value any) object {
	changed := object{}
	for k, v := range o {
		changed[k] = v
	}
	if value == nil {
		delete(changed, key)
	} else {
		changed[key] = value
	}
	return changed
}

func (w *world) order(no string, total int) {
	w.t.Helper()
	if a := w.ask("POST", "/v3/pay/transactions/native", native(no, total)); a.status != http.StatusOK {
		w.t.Fatalf("order %s: %d %s", no, a.status, a.body)
	}
}

func (w *world) pay(no string, total int) {
	w.t.Helper()
	w.order(no, total)
	if err := w.wallet.Approve(mchID, no); err != nil {
		w.t.Fatal(err)
	}
}

func refundOf(no, order string, amount, total int) object {
	return object{
		"out_refund_no": no, "out_trade_no": order, "notify_url": "https://shop.test/refunded",
		"amount": object{"refund": amount, "total": total, "currency": "CNY"},
	}
}

func (w *world) query(no string) answered {
	w.t.Helper()
	return w.ask("GET", "/v3/pay/transactions/out-trade-no/"+no+"?mchid="+mchID, nil)
}
