package wechatpay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/money"
)

var refusedConnection = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

var (
	_ pay.Wallet        = (*wechatpay.Wallet)(nil)
	_ pay.RefundQuerier = (*wechatpay.Wallet)(nil)
	_ pay.Biller        = (*wechatpay.Wallet)(nil)
	_ pay.Notifier      = (*wechatpay.Wallet)(nil)
)

// TestLifeOfAnOrder follows an order from its creation to its refunds.
func TestLifeOfAnOrder(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	h, err := w.wallet.Create(ctx, w.order("ORDER-01", 1999))
	if err != nil || !strings.HasPrefix(h.QR, "https://wallet.test/") || h.URL != "" || h.Expires != moongate.At(start)+moongate.Hour {
		t.Fatalf("%+v %v", h, err)
	}
	again, err := w.wallet.Create(ctx, w.order("ORDER-01", 1999))
	if err != nil || again.QR == h.QR {
		t.Errorf("the same order again: %+v %v", again, err)
	}
	out, err := w.wallet.Query(ctx, "ORDER-01")
	if want := (pay.Outcome{No: "ORDER-01", State: pay.Awaiting, Tag: "pay_ORDER-01", Said: "NOTPAY"}); err != nil || !reflect.DeepEqual(out, want) {
		t.Errorf("before: %+v %v", out, err)
	}
	w.Advance(time.Minute)
	if err := w.sandbox.Approve(mchID, "ORDER-01"); err != nil {
		t.Fatal(err)
	}
	out, err = w.wallet.Query(ctx, "ORDER-01")
	if err != nil {
		t.Fatal(err)
	}
	want := pay.Outcome{
		No: "ORDER-01", State: pay.Paid, WalletRef: out.WalletRef, Amount: money.Of(1999, money.CNY), PayerTotal: 1999,
		PaidAt: moongate.At(start.Add(time.Minute)), Tag: "pay_ORDER-01", Said: "SUCCESS",
	}
	if diff := cmp.Diff(want, out); diff != "" || len(out.WalletRef) != 28 {
		t.Errorf("after (-want +got):\n%s", diff)
	}
	if closed, err := w.wallet.Close(ctx, "ORDER-01"); err != nil || !reflect.DeepEqual(closed, out) {
		t.Errorf("closing a paid order: %+v %v", closed, err)
	}
	w.Advance(time.Minute)
	n, err := w.wallet.Notified(ctx, w.got[0].header, w.got[0].body)
	if err != nil || n.Event != "TRANSACTION.SUCCESS" || n.ID == "" || n.At == 0 || n.Refund != nil || !reflect.DeepEqual(*n.Payment, out) {
		t.Errorf("notice %+v %v", n, err)
	}

	r := w.refund("REFUND-1", "ORDER-01", 999, 1999)
	r.OrderRef = out.WalletRef
	back, err := w.wallet.Refund(ctx, r)
	if err != nil || back.State != pay.RefundPending || back.Amount != r.Amount || back.OrderNo != "ORDER-01" || back.DoneAt != 0 {
		t.Errorf("refund: %+v %v", back, err)
	}
	w.Advance(time.Minute)
	done, err := w.wallet.QueryRefund(ctx, pay.RefundOrder{No: "REFUND-1"})
	if err != nil || done.State != pay.RefundDone || done.DoneAt == 0 || done.WalletRef != back.WalletRef {
		t.Errorf("refund query: %+v %v", done, err)
	}
	last := w.got[len(w.got)-1]
	n, err = w.wallet.Notified(ctx, last.header, last.body)
	if err != nil || n.Event != "REFUND.SUCCESS" || n.Payment != nil || *n.Refund != done {
		t.Errorf("refund notice %+v %v, want %+v", n, err, done)
	}
	if out, err = w.wallet.Query(ctx, "ORDER-01"); err != nil || out.State != pay.Paid || !out.Refunded {
		t.Errorf("a refunded order was paid all the same: %+v %v", out, err)
	}
	if v := w.sandbox.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
}

// TestRedirect hands the shopper over by address, with the way back in it.
func TestRedirect(t *testing.T) {
	w := newWorld(t)
	o := w.order("ORDER-01", 100)
	o.Channel, o.ClientIP, o.ReturnURL = pay.Redirect, "203.0.113.7", "https://shop.test/thanks?order=1"
	h, err := w.wallet.Create(t.Context(), o)
	if err != nil || h.QR != "" || h.Expires != moongate.At(start)+5*moongate.Minute {
		t.Fatalf("%+v %v", h, err)
	}
	u, err := url.Parse(h.URL)
	if err != nil || u.Query().Get("redirect_url") != o.ReturnURL || u.Query().Get("prepay_id") == "" {
		t.Errorf("%s: %v", h.URL, err)
	}
}

// TestAbsentAndClosed: what is not there is said to be absent, and a closed order stays closed.
func TestAbsentAndClosed(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if out, err := w.wallet.Query(ctx, "ORDER-01"); err != nil || out.State != pay.Absent {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := w.wallet.QueryRefund(ctx, pay.RefundOrder{No: "REFUND-1"}); err != nil || out.State != pay.RefundAbsent {
		t.Errorf("%+v %v", out, err)
	}
	w.create("ORDER-02", 100)
	for range 2 {
		if out, err := w.wallet.Close(ctx, "ORDER-02"); err != nil || out.State != pay.Closed {
			t.Errorf("%+v %v", out, err)
		}
	}
	if out, err := w.wallet.Query(ctx, "ORDER-02"); err != nil || out.State != pay.Closed {
		t.Errorf("%+v %v", out, err)
	}
	// Closing what was never ordered uses the number up: a late order cannot come to life behind our back.
	if out, err := w.wallet.Close(ctx, "ORDER-03"); err != nil || out.State != pay.Closed {
		t.Errorf("%+v %v", out, err)
	}
	if _, err := w.wallet.Create(ctx, w.order("ORDER-03", 100)); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("order after close: %v", err)
	}
	if out, err := w.wallet.Query(ctx, "ORDER-03"); err != nil || out.State != pay.Closed {
		t.Errorf("%+v %v", out, err)
	}
}

// calls are the five questions of the interface and the refund query, each about something that is there.
func calls(w *world) map[sandbox.Op]func() error {
	ctx := w.t.Context()
	w.paid("PAID-001", 1000)
	w.create("OPEN-001", 1000)
	return map[sandbox.Op]func() error{
		sandbox.OpCreate: func() error { _, err := w.wallet.Create(ctx, w.order("FRESH-01", 1000)); return err },
		sandbox.OpQuery:  func() error { _, err := w.wallet.Query(ctx, "PAID-001"); return err },
		sandbox.OpClose:  func() error { _, err := w.wallet.Close(ctx, "OPEN-001"); return err },
		sandbox.OpRefund: func() error { _, err := w.wallet.Refund(ctx, w.refund("REFUND-1", "PAID-001", 10, 1000)); return err },
		sandbox.OpQueryRefund: func() error {
			if _, err := w.wallet.Refund(ctx, w.refund("REFUND-1", "PAID-001", 10, 1000)); err != nil {
				w.t.Fatal(err)
			}
			_, err := w.wallet.QueryRefund(ctx, pay.RefundOrder{No: "REFUND-1"})
			return err
		},
	}
}

var ops = []sandbox.Op{sandbox.OpCreate, sandbox.OpQuery, sandbox.OpClose, sandbox.OpRefund, sandbox.OpQueryRefund}

// TestVerdictOfEveryCode: each documented code, for each call, proves what it proves and no more.
func TestVerdictOfEveryCode(t *testing.T) {
	const r, n, u, ok = pay.Refused, pay.NotDone, pay.Unknown, pay.Verdict("")
	//                            create query close refund refund query
	table := map[string][5]pay.Verdict{
		"PARAM_ERROR":           {r, r, r, r, r},
		"APPID_MCHID_NOT_MATCH": {r, r, r, r, r},
		"MCH_NOT_EXISTS":        {r, r, r, r, r},
		"NO_AUTH":               {r, r, r, r, r},
		"SIGN_ERROR":            {n, n, n, n, n},
		"FREQUENCY_LIMITED":     {n, n, n, n, n},
		"SYSTEM_ERROR":          {u, u, u, u, u},
		"BANK_ERROR":            {u, u, u, u, u},
		"INVALID_TRANSACTIONID": {u, u, u, u, u},
		"INVALID_REQUEST":       {u, u, u, u, u},
		"OUT_TRADE_NO_USED":     {u, u, u, u, u},
		"ORDERPAID":             {u, u, ok, u, u}, // a close then asks, and learns what it is
		"ORDER_CLOSED":          {u, ok, ok, u, u},
		"ORDER_NOT_EXIST":       {u, ok, ok, u, u},
		"RESOURCE_NOT_EXISTS":   {u, u, u, n, ok},
		"RULE_LIMIT":            {r, u, u, u, u},
		"TRADE_ERROR":           {r, u, ok, u, u},
		"ACCOUNT_ERROR":         {r, u, u, u, u},
		"NOT_ENOUGH":            {u, u, u, n, u},
		"USER_ACCOUNT_ABNORMAL": {u, u, u, r, u},
		"NO_STATEMENT_EXIST":    {u, u, u, u, u},
		"STATEMENT_CREATING":    {u, u, u, u, u},
	}
	for code, row := range table {
		for i, op := range ops {
			w := newWorld(t)
			call := calls(w)[op]
			w.inject(sandbox.Fault{Kind: sandbox.Refuse, Op: op, Code: code})
			err := call()
			if pay.VerdictOf(err) != row[i] {
				t.Errorf("%s on %s: %v, want %q", code, op, err, row[i])
			}
			var f *pay.Failure
			if errors.As(err, &f) && (f.Code != code || f.Status == 0) {
				t.Errorf("%s on %s: says %s %d", code, op, f.Code, f.Status)
			}
		}
	}
}

// TestVerdictOfEveryFault: what goes wrong on the way never passes for an answer.
func TestVerdictOfEveryFault(t *testing.T) {
	faults := []sandbox.Fault{
		{Kind: sandbox.DropBefore},
		{Kind: sandbox.DropAfter},
		{Kind: sandbox.Delay, Delay: time.Minute},
		{Kind: sandbox.Garbage},
		{Kind: sandbox.Unsigned},
		{Kind: sandbox.Probe},
		{Kind: sandbox.Skew, Delay: -5 * time.Minute},
		{Kind: sandbox.Skew, Delay: 5 * time.Minute},
	}
	for _, f := range faults {
		for _, op := range ops {
			w := newWorld(t)
			call := calls(w)[op]
			f.Op = op
			w.inject(f)
			if err := call(); pay.VerdictOf(err) != pay.Unknown {
				t.Errorf("%s on %s: %v", f.Kind, op, err)
			}
			if err := call(); err != nil {
				t.Errorf("%s on %s, then again: %v", f.Kind, op, err)
			}
			if v := w.sandbox.Violations(); len(v) != 0 {
				t.Errorf("%s on %s: violations %v", f.Kind, op, v)
			}
		}
	}
}

// TestUnsignedRefusalProvesNothing: an error that nobody signed could come from anywhere, so "there is no such order"
// must not free the gate to try another wallet.
func TestUnsignedRefusalProvesNothing(t *testing.T) {
	for _, meddle := range []func(*http.Response){
		func(r *http.Response) { r.Header.Del("Wechatpay-Signature") },
		func(r *http.Response) { r.Header.Set("Wechatpay-Nonce", "other") },
		func(r *http.Response) {
			r.Body = io.NopCloser(strings.NewReader(`{"code":"ORDER_NOT_EXIST","message":"no"}`))
		},
	} {
		w := newWorld(t)
		w.create("ORDER-01", 100)
		w.meddle = func(r *http.Response) *http.Response { meddle(r); return r }
		if out, err := w.wallet.Query(t.Context(), "NEVER-01"); pay.VerdictOf(err) != pay.Unknown {
			t.Errorf("%+v %v", out, err)
		}
	}
}

// TestUnreachable: before the first byte is sent nothing can have happened; and without certificates, which every answer
// is checked with, nothing is sent.
func TestUnreachable(t *testing.T) {
	w := newWorld(t)
	w.down = true
	if _, err := w.wallet.Create(t.Context(), w.order("ORDER-01", 100)); pay.VerdictOf(err) != pay.NotDone {
		t.Errorf("no connection, no certificate: %v", err)
	}
	w.down = false
	w.inject(sandbox.Fault{Kind: sandbox.DropAfter, Op: wechatbox.OpCertificates, Times: 2})
	for range 2 {
		if _, err := w.wallet.Create(t.Context(), w.order("ORDER-01", 100)); pay.VerdictOf(err) != pay.NotDone {
			t.Errorf("no certificate: %v", err)
		}
	}
	for _, s := range w.sent {
		if s != "GET /v3/certificates" {
			t.Errorf("%s was sent", s)
		}
	}
	w.create("ORDER-01", 100)
	w.down = true
	if _, err := w.wallet.Refund(t.Context(), w.refund("R1", "ORDER-01", 1, 100)); pay.VerdictOf(err) != pay.NotDone {
		t.Errorf("no connection: %v", err)
	}
}

// TestCertificates: forged ones are not taken, a rotation is followed with one request, and serials that a stranger makes
// up do not turn us into a flood.
func TestCertificates(t *testing.T) {
	count := func(w *world) int {
		n := 0
		for _, s := range w.sent {
			if s == "GET /v3/certificates" {
				n++
			}
		}
		return n
	}
	for name, meddle := range map[string]func([]byte) []byte{
		"other key": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"ciphertext":"`), []byte(`"ciphertext":"AAAA`), 1)
		},
		"no JSON":   func([]byte) []byte { return []byte("<html>") },
		"none":      func([]byte) []byte { return []byte(`{"data":[]}`) },
		"bad nonce": func(b []byte) []byte { return bytes.Replace(b, []byte(`"nonce":"`), []byte(`"nonce":"x`), 1) },
		"unsigned":  func(b []byte) []byte { return append(b, ' ') },
	} {
		w := newWorld(t)
		w.meddle = func(r *http.Response) *http.Response {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(meddle(body)))
			return r
		}
		if _, err := w.wallet.Create(t.Context(), w.order("ORDER-01", 100)); pay.VerdictOf(err) != pay.NotDone {
			t.Errorf("%s: %v", name, err)
		}
	}

	w := newWorld(t)
	w.create("ORDER-01", 100)
	w.Advance(2 * time.Minute)
	if err := w.sandbox.RotateNow(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.wallet.Query(t.Context(), "ORDER-01"); err != nil || count(w) != 2 {
		t.Errorf("after a rotation: %v, %d fetches", err, count(w))
	}
	w.paid("ORDER-02", 100)
	w.Advance(2 * time.Minute)
	n := w.got[0]
	for range 50 {
		n.header.Set("Wechatpay-Serial", "MADE-UP")
		if _, err := w.wallet.Notified(t.Context(), n.header, n.body); err == nil {
			t.Fatal("a stranger's serial was believed")
		}
	}
	if count(w) != 3 {
		t.Errorf("fifty strangers cost %d fetches", count(w)-2)
	}
	w.Advance(13 * time.Hour)
	if _, err := w.wallet.Query(t.Context(), "ORDER-01"); err != nil || count(w) != 4 {
		t.Errorf("half a day later: %v, %d fetches", err, count(w))
	}
	w.Advance(6 * 365 * 24 * time.Hour) // the certificates have run out, and the sandbox has no new ones
	if _, err := w.wallet.Query(t.Context(), "ORDER-01"); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("with a certificate that ran out: %v", err)
	}
}

// TestStrangersBeforeTheFirstCertificate: while the wallet does not answer and there is no key to check with, whoever
// posts notifications costs one fetch in a while, waits no longer than he was given, and keeps no payment from its own.
func TestStrangersBeforeTheFirstCertificate(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	var fetches atomic.Int32
	carried := w.cfg.Carrier
	w.cfg.Carrier = roundTrip(func(r *http.Request) (*http.Response, error) {
		if n := fetches.Add(1); n == 1 {
			<-release
		}
		return nil, refusedConnection
	})
	wallet, err := wechatpay.New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	forged := http.Header{"Wechatpay-Serial": {"MADE-UP"}, "Wechatpay-Signature": {"AAAA"}, "Wechatpay-Nonce": {"n"}, "Wechatpay-Timestamp": {fmt.Sprint(w.Now().Unix())}}
	notify := func(ctx context.Context) {
		if _, err := wallet.Notified(ctx, forged, []byte("{}")); pay.VerdictOf(err) != pay.Refused {
			t.Errorf("a stranger: %v", err)
		}
	}
	first := make(chan struct{})
	go func() { defer close(first); notify(context.Background()) }()
	for fetches.Load() == 0 {
		runtime.Gosched()
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for range 20 { // they queue behind the fetch, and go when their time is over
		notify(short)
	}
	close(release)
	<-first
	for range 20 {
		notify(t.Context())
	}
	if n := fetches.Load(); n != 1 {
		t.Errorf("forty strangers cost %d fetches", n)
	}
	w.cfg.Carrier = carried
	for range 2 { // our own calls ask for themselves
		if _, err := wallet.Create(t.Context(), w.order("ORDER-01", 100)); pay.VerdictOf(err) != pay.NotDone {
			t.Errorf("a payment: %v", err)
		}
	}
	if n := fetches.Load(); n != 3 {
		t.Errorf("two payments cost %d fetches", n-1)
	}
	w.Advance(6 * time.Second)
	notify(t.Context())
	if n := fetches.Load(); n != 4 {
		t.Errorf("a stranger, later: %d fetches", n-3)
	}
}

// TestPublicKey: an account with the wallet's public key needs no certificates, asks for that key, and while it moves
// over also believes a certificate.
func TestPublicKey(t *testing.T) {
	w := newWorld(t)
	id, key, err := w.sandbox.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	byCertificate := w.wallet
	w.cfg.PublicKeyID, w.cfg.PublicKey = id, key
	if w.wallet, err = wechatpay.New(w.cfg); err != nil {
		t.Fatal(err)
	}
	asked := func() (n int) {
		for _, s := range w.sent {
			if s == "GET /v3/certificates" {
				n++
			}
		}
		return n
	}
	var serials []string
	w.meddle = func(r *http.Response) *http.Response {
		serials = append(serials, r.Header.Get("Wechatpay-Serial"))
		return r
	}
	w.paid("ORDER-01", 100)
	out, err := w.wallet.Query(t.Context(), "ORDER-01")
	if err != nil || out.State != pay.Paid || asked() != 0 {
		t.Fatalf("%+v %v, %d certificates fetched", out, err, asked())
	}
	for _, s := range serials {
		if s != id {
			t.Errorf("answer signed with %s", s)
		}
	}
	w.Advance(10 * time.Second)
	n := w.got[0]
	if _, err := w.wallet.Notified(t.Context(), n.header, n.body); err != nil || n.header.Get("Wechatpay-Serial") != id || asked() != 0 {
		t.Errorf("notification under %s: %v", n.header.Get("Wechatpay-Serial"), err)
	}
	if _, err := byCertificate.Query(t.Context(), "ORDER-01"); err != nil { // the wallet signs with a certificate again
		t.Error(err)
	}
	if _, err := byCertificate.Notified(t.Context(), n.header, n.body); err == nil {
		t.Error("who does not know the public key believes it")
	}
	before := asked()
	w.paid("ORDER-02", 100)
	if _, err := byCertificate.Query(t.Context(), "ORDER-02"); err != nil {
		t.Error(err)
	}
	w.Advance(10 * time.Second)
	n = w.got[len(w.got)-1]
	if n.header.Get("Wechatpay-Serial") == id {
		t.Fatal("the notification is not signed with a certificate")
	}
	if _, err := w.wallet.Notified(t.Context(), n.header, n.body); err != nil || asked() != before+1 {
		t.Errorf("a notification under a certificate while moving over: %v, %d fetches", err, asked()-before)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w.cfg.PublicKey = &other.PublicKey
	if w.wallet, err = wechatpay.New(w.cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := w.wallet.Query(t.Context(), "ORDER-01"); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("an answer under another key: %v", err)
	}
}

// TestNotificationsAreChecked: whatever is wrong with a notification, it is not believed, and nothing panics.
func TestNotificationsAreChecked(t *testing.T) {
	w := newWorld(t)
	w.paid("ORDER-01", 100)
	w.Advance(time.Minute)
	good := w.got[0]
	check := func(name string, change func(http.Header, []byte) (http.Header, []byte)) {
		t.Helper()
		h, b := change(good.header.Clone(), bytes.Clone(good.body))
		if n, err := w.wallet.Notified(t.Context(), h, b); err == nil {
			t.Errorf("%s: believed %+v", name, n)
		}
	}
	header := func(key, value string) func(http.Header, []byte) (http.Header, []byte) {
		return func(h http.Header, b []byte) (http.Header, []byte) { h.Set(key, value); return h, b }
	}
	for _, name := range []string{"Wechatpay-Serial", "Wechatpay-Signature", "Wechatpay-Timestamp", "Wechatpay-Nonce"} {
		check("no "+name, header(name, ""))
		check("other "+name, header(name, "1"))
	}
	check("probe", header("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+good.header.Get("Wechatpay-Signature")[19:]))
	check("other signature type", header("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3"))
	check("flipped", func(h http.Header, b []byte) (http.Header, []byte) { b[len(b)/2] ^= 1; return h, b })
	check("cut", func(h http.Header, b []byte) (http.Header, []byte) { return h, b[:len(b)-1] })
	check("empty", func(h http.Header, _ []byte) (http.Header, []byte) { return h, nil })
	check("huge", func(h http.Header, _ []byte) (http.Header, []byte) { return h, make([]byte, 1<<20) })
	w.Advance(5 * time.Minute)
	check("replayed after five minutes", func(h http.Header, b []byte) (http.Header, []byte) { return h, b })

	// Signed by the wallet, and still not about us or not whole.
	other, err := w.sandbox.AddMerchant("1900000110", appID)
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.cfg
	cfg.MchID, cfg.SerialNo, cfg.PrivateKey, cfg.APIv3Key = other.MchID, other.SerialNo, other.PrivateKey, other.APIv3Key
	neighbour, err := wechatpay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := neighbour.Create(t.Context(), w.order("ORDER-01", 7)); err != nil {
		t.Fatal(err)
	}
	if err := w.sandbox.Approve("1900000110", "ORDER-01"); err != nil {
		t.Fatal(err)
	}
	w.Advance(time.Minute)
	theirs := w.got[len(w.got)-1]
	if n, err := w.wallet.Notified(t.Context(), theirs.header, theirs.body); err == nil {
		t.Errorf("a neighbour's payment: %+v", n)
	}
	if _, err := neighbour.Notified(t.Context(), theirs.header, theirs.body); err != nil {
		t.Errorf("the neighbour's own: %v", err)
	}
}

// TestWrongAmountIsSeen: a wallet that names another total is believed to have said so; what to make of it is the gate's.
func TestWrongAmountIsSeen(t *testing.T) {
	w := newWorld(t)
	w.inject(sandbox.Fault{Kind: sandbox.WrongAmount, Op: sandbox.OpNotify, Amount: -1})
	w.paid("ORDER-01", 100)
	w.Advance(time.Minute)
	n, err := w.wallet.Notified(t.Context(), w.got[0].header, w.got[0].body)
	if err != nil || n.Payment.Amount.Minor != 99 {
		t.Errorf("%+v %v", n.Payment, err)
	}
}

// FuzzNotified: nothing that was not signed is believed, and nothing panics.
func FuzzNotified(f *testing.F) {
	f.Add("1772586000", "nonce", "SERIAL", "c2lnbmF0dXJl", []byte(`{"id":"1","resource":{}}`))
	f.Add("x", "", "", "WECHATPAY/SIGNTEST/", []byte(`null`))
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, stamp, nonce, serial, signature string, body []byte) {
		h := http.Header{"Wechatpay-Timestamp": {stamp}, "Wechatpay-Nonce": {nonce}, "Wechatpay-Serial": {serial}, "Wechatpay-Signature": {signature}}
		if n, err := w.wallet.Notified(t.Context(), h, body); err == nil {
			t.Errorf("believed %+v", n)
		}
	})
}
