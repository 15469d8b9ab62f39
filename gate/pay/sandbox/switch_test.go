package sandbox_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/alipay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	alibox "github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/money"
)

// connector is what a test asks of the hub's side.
type connector interface {
	pay.Wallet
	pay.Notifier
}

// desk is a sandbox wallet, a connector to an account at it, and a shop that is notified, under one virtual clock.
type desk struct {
	*sandbox.Clock
	t       *testing.T
	box     *sandbox.Wallet
	hub     connector
	account map[string]string // as the control endpoints name it
	ack     string
	told    []string // orders, as the hub heard that they were paid
	bad     int      // notifications that the hub does not take
}

var switchKeys = sync.OnceValue(func() (list []*rsa.PrivateKey) {
	for range 6 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		list = append(list, key)
	}
	return list
})

// RoundTrip takes a notification in, as the hub does.
func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	answer := &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{}, Body: http.NoBody}
	if n, err := d.hub.Notified(r.Context(), r.Header, body); err == nil && n.Payment != nil {
		d.told = append(d.told, n.Payment.No)
		answer.StatusCode, answer.Body = http.StatusOK, io.NopCloser(strings.NewReader(d.ack))
	} else {
		d.bad++
	}
	return answer, nil
}

func openDesk(t *testing.T, kind string) *desk {
	t.Helper()
	d := &desk{Clock: sandbox.NewClock(time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)), t: t}
	next := 0
	cfg := sandbox.Config{
		Name: "Lotus Pay", BaseURL: "https://wallet.test", Now: d.Now, After: d.After, Carrier: d, Random: mathrand.NewChaCha8([32]byte{3}),
		NewKey: func() (*rsa.PrivateKey, error) { next++; return switchKeys()[next%len(switchKeys())], nil },
	}
	var err error
	if kind == "alipay" {
		w, boxErr := alibox.New(cfg)
		if boxErr != nil {
			t.Fatal(boxErr)
		}
		m, boxErr := w.AddMerchant("2021000000000001", "2088000000000001")
		if boxErr != nil {
			t.Fatal(boxErr)
		}
		d.box, d.account, d.ack = w.Wallet, map[string]string{"app_id": m.AppID}, "success"
		d.hub, err = alipay.New(alipay.Config{ // certificates, so that a new key can be learnt
			AppID: m.AppID, PID: m.PID, PrivateKey: m.PrivateKey, AppCert: m.AppCert, AlipayCert: m.AlipayCert, RootCert: m.RootCert,
			BaseURL: cfg.BaseURL, Carrier: w.InMemory(), Now: d.Now,
		})
	} else {
		w, boxErr := wechatbox.New(cfg)
		if boxErr != nil {
			t.Fatal(boxErr)
		}
		m, boxErr := w.AddMerchant("1900000109", "wx8888888888888888")
		if boxErr != nil {
			t.Fatal(boxErr)
		}
		d.box, d.account = w.Wallet, map[string]string{"mchid": m.MchID}
		d.hub, err = wechatpay.New(wechatpay.Config{
			MchID: m.MchID, AppID: m.AppID, SerialNo: m.SerialNo, PrivateKey: m.PrivateKey, APIv3Key: m.APIv3Key,
			BaseURL: cfg.BaseURL, Carrier: w.InMemory(), Now: d.Now, Random: rand.Reader,
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// control drives the wallet as anybody's test does: with HTTP, and no browser.
func (d *desk) control(what string, body map[string]any) {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "https://wallet.test/sandbox/"+what, bytes.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := d.box.InMemory().RoundTrip(r)
	if err != nil || a.StatusCode != http.StatusOK {
		d.t.Fatalf("%s %s: %v, %+v", what, text, err, a)
	}
}

func (d *desk) fault(body map[string]any) {
	d.t.Helper()
	d.control("faults", body)
}

func (d *desk) create(no string) error {
	_, err := d.hub.Create(context.Background(), pay.Order{
		No: no, Channel: pay.QR, Amount: money.Of(1_999, money.CNY), Description: "Tea", Tag: "pay_" + no, Expires: moongate.At(d.Now()) + moongate.Hour,
		NotifyURL: "https://shop.test/notify",
	})
	return err
}

func (d *desk) order(no string) {
	d.t.Helper()
	if err := d.create(no); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) approve(no string) {
	d.t.Helper()
	body := map[string]any{"out_trade_no": no}
	for k, v := range d.account {
		body[k] = v
	}
	d.control("approve", body)
}

// hears sees what the hub was told of so far.
func (d *desk) hears(bad int, nos ...string) {
	d.t.Helper()
	if !slices.Equal(d.told, nos) || d.bad != bad {
		d.t.Errorf("told of %v, and %d times badly; want %v and %d", d.told, d.bad, nos, bad)
	}
}

// TestFaultSwitches: each thing that goes wrong at wallets can be had from both sandboxes over HTTP, and is what a shop
// gets to see.
func TestFaultSwitches(t *testing.T) {
	for name, see := range map[string]func(d *desk){
		"delay": func(d *desk) {
			d.order("ORDER_1")
			d.fault(map[string]any{"kind": "delay", "op": "notify", "delay": int64(time.Minute)})
			d.approve("ORDER_1")
			d.Advance(50 * time.Second)
			d.hears(0)
			d.Advance(20 * time.Second)
			d.hears(0, "ORDER_1")
		},
		"duplicate": func(d *desk) {
			d.order("ORDER_1")
			d.fault(map[string]any{"kind": "duplicate", "op": "notify"})
			d.approve("ORDER_1")
			d.Advance(time.Hour)
			d.hears(0, "ORDER_1", "ORDER_1")
		},
		"reorder": func(d *desk) {
			d.order("ORDER_1")
			d.order("ORDER_2")
			d.fault(map[string]any{"kind": "reorder", "op": "notify", "no": "ORDER_1"})
			d.approve("ORDER_1")
			d.Advance(2 * time.Second)
			d.approve("ORDER_2")
			d.Advance(time.Minute)
			d.hears(0, "ORDER_2", "ORDER_1")
		},
		"lost notification": func(d *desk) {
			d.order("ORDER_1")
			d.fault(map[string]any{"kind": "lose", "op": "notify"})
			d.approve("ORDER_1")
			d.Advance(10 * time.Second)
			d.hears(0)
			d.Advance(time.Hour) // and it comes by the schedule
			d.hears(0, "ORDER_1")
		},
		"timeout after success": func(d *desk) {
			d.fault(map[string]any{"kind": "drop_after", "op": "create"})
			if err := d.create("ORDER_1"); pay.VerdictOf(err) != pay.Unknown {
				d.t.Fatalf("%v", err)
			}
			d.approve("ORDER_1")
			if out, err := d.hub.Query(context.Background(), "ORDER_1"); err != nil || out.State != pay.Paid {
				d.t.Errorf("%+v, %v", out, err)
			}
		},
		"wrong amount": func(d *desk) {
			d.order("ORDER_1")
			d.fault(map[string]any{"kind": "wrong_amount", "op": "query", "amount": 1})
			d.approve("ORDER_1")
			if out, err := d.hub.Query(context.Background(), "ORDER_1"); err != nil || out.Amount.Minor != 2_000 {
				d.t.Errorf("%+v, %v", out, err)
			}
			if out, err := d.hub.Query(context.Background(), "ORDER_1"); err != nil || out.Amount.Minor != 1_999 {
				d.t.Errorf("once more: %+v, %v", out, err)
			}
		},
		"rotated key": func(d *desk) {
			d.order("ORDER_1")
			d.control("rotate", map[string]any{})
			d.approve("ORDER_1")
			d.Advance(10 * time.Minute) // a hub does not fetch keys at anybody's word, and asks in the meantime
			if out, err := d.hub.Query(context.Background(), "ORDER_1"); err != nil || out.State != pay.Paid {
				d.t.Errorf("%+v, %v", out, err)
			}
			d.Advance(2 * time.Hour)
			d.hears(d.bad, "ORDER_1")
		},
		"clock skew of one delivery": func(d *desk) {
			d.order("ORDER_1")
			d.fault(map[string]any{"kind": "skew", "op": "notify", "delay": int64(20 * time.Minute)})
			d.approve("ORDER_1")
			d.Advance(10 * time.Second)
			d.hears(1)
		},
		"the wallet's clock is wrong": func(d *desk) {
			d.order("ORDER_1")
			d.control("clock", map[string]any{"ahead": "20m"})
			d.approve("ORDER_1")
			d.Advance(10 * time.Second)
			d.hears(1)
			d.control("clock", map[string]any{"ahead": "0s"})
			d.order("ORDER_2")
			d.approve("ORDER_2")
			d.Advance(10 * time.Second)
			if !slices.Contains(d.told, "ORDER_2") || d.bad != 1 {
				d.t.Errorf("once it is right again: told of %v, and %d times badly", d.told, d.bad)
			}
		},
	} {
		for _, kind := range []string{"wechatpay", "alipay"} {
			t.Run(name+"/"+kind, func(t *testing.T) { see(openDesk(t, kind)) })
		}
	}
}
