package wechatpay_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/money"
)

var (
	_ pay.PartQuerier = (*wechatpay.Wallet)(nil)
	_ pay.Splitter    = (*wechatpay.Wallet)(nil)
)

const (
	subOne = "1900000201"
	subTwo = "1900000202"
)

var channels = []pay.Channel{pay.QR, pay.Redirect, pay.InApp, pay.App}

// again makes the connector anew with another configuration.
func (w *world) again(change func(*wechatpay.Config)) {
	w.t.Helper()
	change(&w.cfg)
	var err error
	if w.wallet, err = wechatpay.New(w.cfg); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) platform() {
	w.t.Helper()
	for _, sub := range []string{subOne, subTwo} {
		if err := w.sandbox.AddSub(mchID, sub); err != nil {
			w.t.Fatal(err)
		}
	}
	w.again(func(c *wechatpay.Config) {
		c.Platform, c.SplitCap, c.Products = true, 3000, []wechatpay.Product{wechatpay.Native, wechatpay.H5, wechatpay.JSAPI, wechatpay.InApps}
	})
}

// through is an order by a channel, with what the channel needs.
func (w *world) through(o pay.Order, c pay.Channel) pay.Order {
	o.Channel = c
	switch c {
	case pay.Redirect:
		o.ClientIP = "203.0.113.7"
	case pay.InApp:
		o.Payer = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	}
	return o
}

// wallets is where the wallet's app goes when it is called with parameters; "" where it refuses them.
func (w *world) wallets(params string) string {
	w.t.Helper()
	call := map[string]string{}
	if err := json.Unmarshal([]byte(params), &call); err != nil {
		w.t.Fatal(err)
	}
	q := url.Values{}
	for name, v := range call {
		q.Set(name, v)
	}
	rec := httptest.NewRecorder()
	w.sandbox.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/sandbox/bridge?"+q.Encode(), nil))
	return rec.Header().Get("Location")
}

// pressed has the shopper confirm on the wallet's page.
func (w *world) pressed(page string) {
	w.t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		w.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, u.Path, strings.NewReader(url.Values{"token": {u.Query().Get("token")}, "answer": {"approve"}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w.sandbox.ServeHTTP(httptest.NewRecorder(), r)
}

// TestInApps: what a page inside the wallet, and another app, call the wallet with is signed by us, and the wallet takes the
// shopper to the order; a contract that there is not is not tried.
func TestInApps(t *testing.T) {
	w := newWorld(t)
	if _, err := w.wallet.Create(t.Context(), w.through(w.order("ORDER-01", 1999), pay.InApp)); pay.VerdictOf(err) != pay.Refused || len(w.sent) != 0 {
		t.Errorf("without a contract: %v %v", err, w.sent)
	}
	w.again(func(c *wechatpay.Config) { c.Products = []wechatpay.Product{wechatpay.JSAPI, wechatpay.InApps} })
	if can := w.wallet.Can(); !slices.Equal(can.Channels, []pay.Channel{pay.InApp, pay.App}) {
		t.Errorf("%+v", can)
	}
	for no, c := range map[string]pay.Channel{"ORDER-02": pay.InApp, "ORDER-03": pay.App} {
		h, err := w.wallet.Create(t.Context(), w.through(w.order(no, 1999), c))
		if err != nil || h.QR != "" || h.URL != "" || h.Params == "" || h.Expires != moongate.At(start)+moongate.Hour {
			t.Fatalf("%s: %+v %v", c, h, err)
		}
		page := w.wallets(h.Params)
		if !strings.HasPrefix(page, "/sandbox/pay?token=wx") {
			t.Fatalf("%s: %s led to %q", c, h.Params, page)
		}
		if to := w.wallets(strings.Replace(h.Params, appID, "wx0000000000000000", 1)); to != "" {
			t.Errorf("%s: with another app it led to %q", c, to)
		}
		w.pressed(page)
		if out, err := w.wallet.Query(t.Context(), no); err != nil || out.State != pay.Paid {
			t.Errorf("%s: %+v %v", c, out, err)
		}
	}
	o := w.through(w.order("ORDER-04", 1), pay.InApp)
	o.Payer = ""
	if _, err := w.wallet.Create(t.Context(), o); pay.VerdictOf(err) != pay.Refused {
		t.Errorf("an order for nobody: %v", err)
	}
}

func (w *world) parted(no string, parts ...pay.OrderPart) pay.Order {
	o := w.order(no, 0)
	for _, p := range parts {
		o.Amount.Minor += p.Amount
	}
	o.Parts, o.Freeze = parts, true
	return o
}

// TestParts follows an order for one sub-merchant, and one for two, through every channel: payment, news, refund, split, the
// split's way back.
func TestParts(t *testing.T) {
	for name, parts := range map[string][]pay.OrderPart{
		"one": {{No: "ORDER-01", Account: subOne, Amount: 6000, Tag: "pay_1"}},
		"two": {{No: "PART-001", Account: subOne, Amount: 6000, Tag: "pay_1"}, {No: "PART-002", Account: subTwo, Amount: 4000, Tag: "pay_1"}},
	} {
		for _, c := range channels {
			t.Run(name+" "+string(c), func(t *testing.T) {
				w := newWorld(t)
				w.platform()
				w.lifeOfParts(w.through(w.parted("ORDER-01", parts...), c))
			})
		}
	}
}

func (w *world) lifeOfParts(o pay.Order) {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	if _, err := w.wallet.Create(ctx, o); err != nil {
		t.Fatal(err)
	}
	if _, err := w.wallet.Create(ctx, o); err != nil {
		t.Errorf("the same order again: %v", err)
	}
	if out, err := w.wallet.QueryParts(ctx, o.No, o.Parts); err != nil || out.State != pay.Awaiting || out.No != o.No {
		t.Errorf("before: %+v %v", out, err)
	}
	if out, err := w.wallet.QueryParts(ctx, "NEVER-ORDERED", o.Parts); err != nil || out.State != pay.Absent {
		t.Errorf("another: %+v %v", out, err)
	}
	if err := w.sandbox.Approve(mchID, o.No); err != nil {
		t.Fatal(err)
	}
	out, err := w.wallet.QueryParts(ctx, o.No, o.Parts)
	if err != nil || out.State != pay.Paid || out.Amount != o.Amount || out.PayerTotal != o.Amount.Minor || out.Settled != nil || len(out.Parts) != len(o.Parts) {
		t.Fatalf("after: %+v %v", out, err)
	}
	if closed, err := w.wallet.CloseParts(ctx, o.No, o.Parts); err != nil || !reflect.DeepEqual(closed, out) {
		t.Errorf("closing a paid order: %+v %v", closed, err)
	}
	w.Advance(time.Minute)
	n, err := w.wallet.Notified(ctx, w.got[0].header, w.got[0].body)
	if err != nil || n.Payment == nil || !reflect.DeepEqual(*n.Payment, out) {
		t.Errorf("notice %+v %v, want %+v", n.Payment, err, out)
	}
	if err := w.wallet.Admit(ctx, pay.Receiver{Account: mchID}); err != nil {
		t.Fatal(err)
	}
	for i, p := range out.Parts {
		w.lifeOfPart(p, i)
	}
	if v := w.sandbox.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
	shut := o
	shut.No = "ORDER-02"
	shut.Parts = slices.Clone(o.Parts)
	for i := range shut.Parts {
		shut.Parts[i].No = "ORDER-02" + strings.Repeat("x", i)
		if len(o.Parts) > 1 {
			shut.Parts[i].No += "y"
		}
	}
	if _, err := w.wallet.Create(ctx, shut); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if out, err := w.wallet.CloseParts(ctx, shut.No, shut.Parts); err != nil || out.State != pay.Closed {
			t.Errorf("closed: %+v %v", out, err)
		}
	}
	if out, err := w.wallet.QueryParts(ctx, shut.No, shut.Parts); err != nil || out.State != pay.Closed {
		t.Errorf("after the close: %+v %v", out, err)
	}
}

func (w *world) lifeOfPart(p pay.PartOutcome, i int) {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	is := string(rune('0' + i))
	s := pay.SplitOrder{
		No: "SPLIT-" + is, OrderNo: p.No, OrderRef: p.WalletRef, Sub: p.Account, Currency: money.CNY,
		Parts: []pay.SplitPart{{Account: mchID, Amount: p.Amount / 20, Note: "commission"}},
	}
	if out, err := w.wallet.Split(ctx, s); err != nil || out.State != pay.SplitPending {
		t.Fatalf("split: %+v %v", out, err)
	}
	w.Advance(time.Minute)
	if out, err := w.wallet.QuerySplit(ctx, s); err != nil || out.State != pay.SplitDone || out.Parts[0].State != pay.SplitDone {
		t.Errorf("split: %+v %v", out, err)
	}
	other := s
	other.No = "SPLIT-NONE"
	if out, err := w.wallet.QuerySplit(ctx, other); err != nil || out.State != pay.SplitAbsent {
		t.Errorf("no split: %+v %v", out, err)
	}
	u := pay.UnsplitOrder{No: "BACK-" + is, SplitNo: s.No, OrderRef: p.WalletRef, Sub: p.Account, Account: mchID, Amount: money.Of(10, money.CNY), Note: "refund"}
	if out, err := w.wallet.QueryUnsplit(ctx, u); err != nil || out.State != pay.SplitAbsent {
		t.Errorf("no return: %+v %v", out, err)
	}
	if out, err := w.wallet.Unsplit(ctx, u); err != nil || out.State != pay.SplitPending {
		t.Errorf("return: %+v %v", out, err)
	}
	w.Advance(time.Minute)
	if out, err := w.wallet.QueryUnsplit(ctx, u); err != nil || out.State != pay.SplitDone {
		t.Errorf("return: %+v %v", out, err)
	}
	r := w.refund("REFUND-"+is, p.No, 100, p.Amount)
	r.Sub, r.OrderRef = p.Account, p.WalletRef
	if out, err := w.wallet.QueryRefund(ctx, r); err != nil || out.State != pay.RefundAbsent {
		t.Errorf("no refund: %+v %v", out, err)
	}
	back, err := w.wallet.Refund(ctx, r)
	if err != nil || back.State != pay.RefundPending || back.Amount != r.Amount || back.OrderNo != p.No {
		t.Errorf("refund: %+v %v", back, err)
	}
	w.Advance(time.Minute)
	done, err := w.wallet.QueryRefund(ctx, r)
	if err != nil || done.State != pay.RefundDone || done.DoneAt == 0 || done.OrderNo != p.No {
		t.Errorf("refund: %+v %v", done, err)
	}
	last := w.got[len(w.got)-1]
	if n, err := w.wallet.Notified(ctx, last.header, last.body); err != nil || n.Refund == nil || *n.Refund != done {
		t.Errorf("refund notice %+v %v, want %+v", n.Refund, err, done)
	}
	release := s
	release.No, release.Parts, release.Finish = "FINISH-"+is, nil, true
	if out, err := w.wallet.Split(ctx, release); err != nil || out.State != pay.SplitPending {
		t.Errorf("release: %+v %v", out, err)
	}
	w.Advance(time.Minute)
	if out, err := w.wallet.QuerySplit(ctx, release); err != nil || out.State != pay.SplitDone {
		t.Errorf("release: %+v %v", out, err)
	}
}

// TestPartsAreChecked: what the wallet would refuse, or what is not what was ordered, is not sent or not believed.
func TestPartsAreChecked(t *testing.T) {
	w := newWorld(t)
	if _, err := w.wallet.Create(t.Context(), w.parted("ORDER-01", pay.OrderPart{No: "ORDER-01", Account: subOne, Amount: 1})); pay.VerdictOf(err) != pay.Refused {
		t.Errorf("parts at an account without sub-merchants: %v", err)
	}
	w.platform()
	two := []pay.OrderPart{{No: "PART-001", Account: subOne, Amount: 6000}, {No: "PART-002", Account: subTwo, Amount: 4000}}
	for name, change := range map[string]func(*pay.Order){
		"without parts":          func(o *pay.Order) { o.Parts = nil },
		"other sum":              func(o *pay.Order) { o.Amount.Minor++ },
		"a number twice":         func(o *pay.Order) { o.Parts[1].No = o.Parts[0].No },
		"the order's own number": func(o *pay.Order) { o.Parts[1].No = o.No },
		"one with another":       func(o *pay.Order) { o.Parts = o.Parts[:1]; o.Amount.Minor = 6000 },
		"no account":             func(o *pay.Order) { o.Parts[1].Account = "shop" },
		"nothing":                func(o *pay.Order) { o.Parts[0].Amount, o.Amount.Minor = 0, 4000 },
	} {
		o := w.parted("ORDER-01", slices.Clone(two)...)
		change(&o)
		if _, err := w.wallet.Create(t.Context(), o); pay.VerdictOf(err) != pay.Refused || len(w.sent) != 0 {
			t.Errorf("%s: %v %v", name, err, w.sent)
		}
	}
	if _, err := w.wallet.Create(t.Context(), w.parted("ORDER-01", two...)); err != nil {
		t.Fatal(err)
	}
	if err := w.sandbox.Approve(mchID, "ORDER-01"); err != nil {
		t.Fatal(err)
	}
	swapped := []pay.OrderPart{{No: "PART-001", Account: subTwo, Amount: 6000}, {No: "PART-002", Account: subOne, Amount: 4000}}
	if out, err := w.wallet.QueryParts(t.Context(), "ORDER-01", swapped); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("other accounts than were ordered: %+v %v", out, err)
	}
}

// TestCouponsEndToEnd: what a coupon paid is no less an order; one of the merchant's own the wallet does not owe, in an order, a
// part, a notification, and the bill.
func TestCouponsEndToEnd(t *testing.T) {
	w := newWorld(t)
	w.create("ORDER-01", 10_000)
	w.inject(sandbox.Fault{Kind: sandbox.Coupon, Op: sandbox.OpApprove, Amount: 1000})
	w.inject(sandbox.Fault{Kind: sandbox.OwnCoupon, Op: sandbox.OpApprove, Amount: 2500})
	if err := w.sandbox.Approve(mchID, "ORDER-01"); err != nil {
		t.Fatal(err)
	}
	out, err := w.wallet.Query(t.Context(), "ORDER-01")
	if err != nil || out.Amount.Minor != 10_000 || out.PayerTotal != 6500 || out.Settled == nil || *out.Settled != 7500 {
		t.Errorf("%+v %v", out, err)
	}
	w.Advance(time.Minute)
	if n, err := w.wallet.Notified(t.Context(), w.got[0].header, w.got[0].body); err != nil || !reflect.DeepEqual(*n.Payment, out) {
		t.Errorf("%+v %v", n.Payment, err)
	}
	r := w.refund("REFUND-1", "ORDER-01", 3333, 10_000)
	if back, err := w.wallet.Refund(t.Context(), r); err != nil || back.Amount != r.Amount {
		t.Errorf("%+v %v", back, err)
	}
	w.Advance(26 * time.Hour)
	rows, totals := w.bill("2026-03-04", pay.TradeBill)
	if len(rows) != 2 || rows[0].Settled != 7500 || rows[0].Coupon != 3500 || rows[0].Fee != 45_000 || rows[1].Amount != -3333 || rows[1].Settled != -2499 || totals.Settled != 5001 {
		t.Errorf("%+v %+v", rows, totals)
	}

	w = newWorld(t)
	w.platform()
	o := w.parted("ORDER-02", pay.OrderPart{No: "PART-001", Account: subOne, Amount: 6000}, pay.OrderPart{No: "PART-002", Account: subTwo, Amount: 4000})
	if _, err := w.wallet.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	w.inject(sandbox.Fault{Kind: sandbox.OwnCoupon, Op: sandbox.OpApprove, Amount: 500})
	if err := w.sandbox.Approve(mchID, "ORDER-02"); err != nil {
		t.Fatal(err)
	}
	out, err = w.wallet.QueryParts(t.Context(), "ORDER-02", o.Parts)
	if err != nil || out.PayerTotal != 9000 || *out.Settled != 9000 || *out.Parts[0].Settled != 5500 || out.Parts[1].PayerTotal != 3500 {
		t.Errorf("%+v %v", out, err)
	}
}
