package alipay_test

import (
	"errors"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/alipay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	alibox "github.com/moongate-hub/moongate/gate/pay/sandbox/alipay"
	"github.com/moongate-hub/moongate/money"
)

var refusedConnection = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

var (
	_ pay.Wallet        = (*alipay.Wallet)(nil)
	_ pay.RefundQuerier = (*alipay.Wallet)(nil)
	_ pay.Notifier      = (*alipay.Wallet)(nil)
	_ pay.Splitter      = (*alipay.Wallet)(nil)
	_ pay.Biller        = (*alipay.Wallet)(nil)
	_ pay.Keyholder     = (*alipay.Wallet)(nil)
)

// TestLifeOfAnOrder follows an order from its creation to its refunds, with a key and with certificates.
func TestLifeOfAnOrder(t *testing.T) {
	for name, change := range map[string]func(*world){"key": func(*world) {}, "certificates": certificates} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, change)
			ctx := t.Context()
			h, err := w.wallet.Create(ctx, w.order("ORDER_01", 1999))
			if err != nil || !strings.HasPrefix(h.QR, "https://wallet.test/qr/") || h.URL != "" || h.Expires != moongate.At(start)+moongate.Hour {
				t.Fatalf("%+v %v", h, err)
			}
			again, err := w.wallet.Create(ctx, w.order("ORDER_01", 1999))
			if err != nil || again.QR == h.QR {
				t.Errorf("the same order again: %+v %v", again, err)
			}
			out, err := w.wallet.Query(ctx, "ORDER_01")
			if want := (pay.Outcome{No: "ORDER_01", State: pay.Awaiting, Said: "ACQ.TRADE_NOT_EXIST"}); err != nil || !reflect.DeepEqual(out, want) {
				t.Errorf("before anybody looked: %+v %v", out, err)
			}
			if err := w.sandbox.Visit(appID, "ORDER_01"); err != nil {
				t.Fatal(err)
			}
			out, err = w.wallet.Query(ctx, "ORDER_01")
			if want := (pay.Outcome{No: "ORDER_01", State: pay.Awaiting, Amount: money.Of(1999, money.CNY), Tag: "pay_ORDER_01", Said: "WAIT_BUYER_PAY"}); err != nil || !reflect.DeepEqual(out, want) {
				t.Errorf("before: %+v %v", out, err)
			}
			w.Advance(time.Minute)
			if err := w.sandbox.Approve(appID, "ORDER_01"); err != nil {
				t.Fatal(err)
			}
			out, err = w.wallet.Query(ctx, "ORDER_01")
			if err != nil {
				t.Fatal(err)
			}
			want := pay.Outcome{
				No: "ORDER_01", State: pay.Paid, WalletRef: out.WalletRef, Amount: money.Of(1999, money.CNY), PayerTotal: 1999,
				PaidAt: moongate.At(start.Add(time.Minute)), Tag: "pay_ORDER_01", Said: "TRADE_SUCCESS",
			}
			if diff := cmp.Diff(want, out); diff != "" || len(out.WalletRef) != 28 {
				t.Errorf("after (-want +got):\n%s", diff)
			}
			if closed, err := w.wallet.Close(ctx, "ORDER_01"); err != nil || !reflect.DeepEqual(closed, out) {
				t.Errorf("closing a paid order: %+v %v", closed, err)
			}
			w.Advance(time.Minute)
			n, err := w.wallet.Notified(ctx, nil, w.got[0])
			if err != nil || n.Event != "TRADE_SUCCESS" || n.ID == "" || n.At == 0 || n.Refund != nil || !reflect.DeepEqual(*n.Payment, out) {
				t.Errorf("notice %+v %v", n, err)
			}
			r := w.refund("REFUND_1", "ORDER_01", 999, 1999)
			r.OrderRef = out.WalletRef
			back, err := w.wallet.Refund(ctx, r)
			if err != nil || back.State != pay.RefundDone || back.Amount != r.Amount || back.OrderNo != "ORDER_01" || back.DoneAt == 0 {
				t.Errorf("refund: %+v %v", back, err)
			}
			w.Advance(time.Minute)
			for _, ask := range []func() (pay.RefundOutcome, error){
				func() (pay.RefundOutcome, error) { return w.wallet.QueryRefund(ctx, r) },
				func() (pay.RefundOutcome, error) { return w.wallet.Refund(ctx, r) }, // again: nothing moves, the query tells
			} {
				if done, err := ask(); err != nil || done.State != pay.RefundDone || done.DoneAt != back.DoneAt || done.Amount != r.Amount {
					t.Errorf("refund query: %+v %v", done, err)
				}
			}
			n, err = w.wallet.Notified(ctx, nil, w.got[1])
			if err != nil || n.Payment == nil || n.Payment.State != pay.Paid || !n.Payment.Refunded {
				t.Errorf("refund notice %+v %v", n, err)
			}
			if back, err := w.wallet.Refund(ctx, w.refund("REFUND_2", "ORDER_01", 1000, 1999)); err != nil || back.State != pay.RefundDone {
				t.Errorf("the rest: %+v %v", back, err)
			}
			if out, err = w.wallet.Query(ctx, "ORDER_01"); err != nil || out.State != pay.Paid || !out.Refunded || out.Said != "TRADE_CLOSED" {
				t.Errorf("an order that was refunded whole was paid all the same: %+v %v", out, err)
			}
			if v := w.sandbox.Violations(); len(v) != 0 {
				t.Errorf("violations %v", v)
			}
		})
	}
}

// TestChannels hands shoppers over by phone page, by desktop page and by app, without a word to the wallet.
func TestChannels(t *testing.T) {
	for _, test := range []struct {
		products []alipay.Product
		channels []pay.Channel
		channel  pay.Channel
		method   string
	}{
		{nil, []pay.Channel{pay.QR, pay.Redirect}, pay.Redirect, "alipay.trade.wap.pay"},
		{[]alipay.Product{alipay.Page}, []pay.Channel{pay.Redirect}, pay.Redirect, "alipay.trade.page.pay"},
		{[]alipay.Product{alipay.Page, alipay.Wap}, []pay.Channel{pay.Redirect}, pay.Redirect, "alipay.trade.wap.pay"},
		{[]alipay.Product{alipay.InApps}, []pay.Channel{pay.App}, pay.App, "alipay.trade.app.pay"},
	} {
		w := newWorld(t, func(w *world) { w.cfg.Products = test.products })
		if can := w.wallet.Can(); !slices.Equal(can.Channels, test.channels) || can.Ack != "success" || can.Kind != "alipay" || can.SplitCap != 3000 {
			t.Errorf("%v: can %+v", test.products, can)
		}
		o := w.order("ORDER_01", 100)
		o.Channel, o.ReturnURL, o.Description = test.channel, "https://shop.test/thanks?order=1", "tea & cup = a/b"
		h, err := w.wallet.Create(t.Context(), o)
		if err != nil || h.QR != "" || h.Expires != o.Expires || len(w.sent) != 0 {
			t.Fatalf("%v: %+v %v, sent %v", test.products, h, err, w.sent)
		}
		address := h.URL
		if test.channel == pay.App {
			address = "https://wallet.test/gateway.do?" + h.Params
		}
		u, err := url.Parse(address)
		if err != nil || u.Query().Get("method") != test.method || u.Query().Get("timestamp") != "2026-03-04 10:00:00" {
			t.Errorf("%s: %v", address, err)
		}
		w.pressed(address)
		if out, err := w.wallet.Query(t.Context(), "ORDER_01"); err != nil || out.State != pay.Paid || out.PayerTotal != 100 || out.Settled != nil {
			t.Errorf("%v: %+v %v", test.products, out, err)
		}
	}
}

// TestNobodyLooked: an order that nobody has opened waits; a close cannot reach it, and says so; an opened one closes.
func TestNobodyLooked(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for range 2 {
		if out, err := w.wallet.Query(ctx, "NEVER_01"); err != nil || out.State != pay.Awaiting {
			t.Errorf("%+v %v", out, err)
		}
		if out, err := w.wallet.Close(ctx, "NEVER_01"); err != nil || out.State != pay.Absent {
			t.Errorf("%+v %v", out, err)
		}
		w.create("NEVER_01", 100)
	}
	w.opened("ORDER_02", 100)
	if _, err := w.wallet.Create(ctx, w.order("ORDER_02", 101)); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("the number with another amount: %v", err)
	}
	for range 2 { // the second time it cannot be closed any more, and the query tells why
		if out, err := w.wallet.Close(ctx, "ORDER_02"); err != nil || out.State != pay.Closed {
			t.Errorf("%+v %v", out, err)
		}
	}
	if out, err := w.wallet.Query(ctx, "ORDER_02"); err != nil || out.State != pay.Closed {
		t.Errorf("%+v %v", out, err)
	}
	if _, err := w.wallet.Create(ctx, w.order("ORDER_02", 100)); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("order after close: %v", err)
	}
	w.Advance(2 * time.Second)
	if n, err := w.wallet.Notified(ctx, nil, w.got[0]); err != nil || n.Payment.State != pay.Closed {
		t.Errorf("notice %+v %v", n, err)
	}
	w.opened("ORDER_03", 100)
	w.Advance(2 * time.Hour)
	if out, err := w.wallet.Query(ctx, "ORDER_03"); err != nil || out.State != pay.Closed {
		t.Errorf("expired: %+v %v", out, err)
	}
}

// calls are the questions of the interface, each about something that is there.
func calls(w *world) map[sandbox.Op]func() error {
	ctx := w.t.Context()
	w.paid("PAID_001", 1000)
	w.opened("OPEN_001", 1000)
	refund := w.refund("REFUND_1", "PAID_001", 10, 1000)
	split := pay.SplitOrder{No: "SPLIT_1", OrderNo: "PAID_001", OrderRef: w.ref("PAID_001"), Parts: []pay.SplitPart{{Account: receiver, Amount: 100}}, Currency: money.CNY}
	must := func(err error) {
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.paid("PAID_002", 1000)
	earlier := w.refund("REFUND_0", "PAID_002", 10, 1000)
	_, err := w.wallet.Refund(ctx, earlier)
	must(err)
	return map[sandbox.Op]func() error{
		sandbox.OpCreate:      func() error { _, err := w.wallet.Create(ctx, w.order("FRESH_01", 1000)); return err },
		sandbox.OpQuery:       func() error { _, err := w.wallet.Query(ctx, "PAID_001"); return err },
		sandbox.OpClose:       func() error { _, err := w.wallet.Close(ctx, "OPEN_001"); return err },
		sandbox.OpRefund:      func() error { _, err := w.wallet.Refund(ctx, refund); return err },
		sandbox.OpQueryRefund: func() error { _, err := w.wallet.QueryRefund(ctx, earlier); return err },
		alibox.OpReceiver:     func() error { return w.wallet.Admit(ctx, pay.Receiver{Account: receiver}) },
		alibox.OpSplit: func() error {
			must(w.wallet.Admit(ctx, pay.Receiver{Account: receiver}))
			_, err := w.wallet.Split(ctx, split)
			return err
		},
		alibox.OpQuerySplit: func() error {
			must(w.wallet.Admit(ctx, pay.Receiver{Account: receiver}))
			_, err := w.wallet.Split(ctx, split)
			must(err)
			_, err = w.wallet.QuerySplit(ctx, split)
			return err
		},
	}
}

var ops = []sandbox.Op{sandbox.OpCreate, sandbox.OpQuery, sandbox.OpClose, sandbox.OpRefund, sandbox.OpQueryRefund, alibox.OpReceiver, alibox.OpSplit, alibox.OpQuerySplit}

// TestVerdictOfEveryCode: each code of the catalogue, for each call, proves what it proves and no more. What the table does
// not name is unknown.
func TestVerdictOfEveryCode(t *testing.T) {
	const r, n, ok = pay.Refused, pay.NotDone, pay.Verdict("")
	type row map[sandbox.Op]pay.Verdict
	all := func(v pay.Verdict) row {
		m := row{}
		for _, op := range ops {
			m[op] = v
		}
		return m
	}
	table := map[string]row{
		"ACQ.INVALID_PARAMETER": with(all(r), alibox.OpQuerySplit, ok), "ACQ.ILLEGAL_ARGUMENT": all(r), "ACQ.ACCESS_FORBIDDEN": all(r),
		"ACQ.PARTNER_ERROR": all(r), "ACQ.UN_SUPPORT_BIZ_TYPE": all(r),
		"ACQ.TRADE_NOT_EXIST":                       {sandbox.OpQuery: ok, sandbox.OpClose: ok, sandbox.OpRefund: n, sandbox.OpQueryRefund: ok, alibox.OpSplit: n},
		"TRADE_NOT_EXIST":                           {sandbox.OpQueryRefund: ok},
		"ACQ.TRADE_STATUS_ERROR":                    {sandbox.OpClose: ok}, // it then asks, and learns what it is
		"ACQ.REASON_TRADE_STATUS_INVALID":           {sandbox.OpClose: ok},
		"ACQ.REASON_ILLEGAL_STATUS":                 {sandbox.OpClose: ok},
		"INVALID_PARAMETER":                         {alibox.OpReceiver: r, alibox.OpQuerySplit: ok},
		"ACQ.SELLER_BALANCE_NOT_ENOUGH":             {sandbox.OpRefund: n},
		"ACQ.REASON_TRADE_BEEN_FREEZEN":             {sandbox.OpRefund: n},
		"ACQ.TRADE_HAS_FINISHED":                    {sandbox.OpRefund: r},
		"ACQ.TRADE_NOT_ALLOW_REFUND":                {sandbox.OpRefund: r},
		"ACQ.NOT_ALLOW_PARTIAL_REFUND":              {sandbox.OpRefund: r},
		"ACQ.ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND": {sandbox.OpRefund: r},
		"ACQ.BUYER_ERROR":                           {sandbox.OpRefund: r},
		"ACQ.CURRENCY_NOT_SUPPORT":                  {sandbox.OpRefund: r},
		"ACQ.USER_NOT_MATCH_ERR":                    {sandbox.OpRefund: r},
		"ACQ.BUYER_NOT_EXIST":                       {sandbox.OpCreate: r, sandbox.OpRefund: r},
		"ACQ.BUYER_ENABLE_STATUS_FORBID":            {sandbox.OpCreate: r, sandbox.OpRefund: r},
		"ACQ.FREQUENCY_LIMITED":                     {alibox.OpSplit: n},
		"ACQ.TXN_RESULT_ACCOUNT_BALANCE_NOT_ENOUGH": {alibox.OpSplit: n},
		"ACQ.ROYALTY_RECEIVER_INVALID":              {alibox.OpSplit: n},
		"ACQ.ALLOC_REFUSE_BEFORE_SETTLE":            {alibox.OpSplit: n},
		"ACQ.USER_ACCOUNT_HAD_FREEZEN":              {alibox.OpSplit: n},
		"ACQ.ALLOC_REFUSE_AFTER_REFUND":             {alibox.OpSplit: r},
		"ACQ.NOT_SUPPORT_ROYALTY":                   {alibox.OpSplit: r},
	}
	for _, code := range strings.Fields("ACCOUNTS_EQUAL ACCOUNT_INVALID ACCOUNT_NOT_EXIST ACCOUNT_NAME_NOT_MATCH RECEIVER_ACCOUNT_NOT_EXIST RECEIVER_ACCOUNT_NOT_CERTIFY RECEIVER_ACCOUNT_NO_BALANCE") {
		table["ACQ.ROYALTY_"+code] = row{alibox.OpSplit: r}
	}
	for _, code := range strings.Fields("RELATION_QUANTITY_LIMIT PRODUCT_UNSIGN USER_NOT_EXIST INVALID_RECEIVER_TYPE USERNAME_NOT_MATCH RECEIVER_ACCOUNT_NOT_CERTIFY RECEIVER_ACCOUNT_NO_BALANCE RECEIVER_ACCOUNT_STATE_INVALID") {
		table[code] = row{alibox.OpReceiver: r}
	}
	for _, code := range strings.Fields(`EXIST_FORBIDDEN_WORD TOTAL_FEE_EXCEED BUYER_SELLER_EQUAL BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR
		BEYOND_PAY_RESTRICTION BEYOND_PER_RECEIPT_RESTRICTION BEYOND_PER_RECEIPT_DAY_RESTRICTION BEYOND_PER_RECEIPT_SINGLE_RESTRICTION
		MERCHANT_PERM_RECEIPT_SUSPEND_LIMIT MERCHANT_PERM_RECEIPT_SINGLE_LIMIT MERCHANT_PERM_RECEIPT_DAY_LIMIT MERCHANT_STATUS_NOT_NORMAL
		SELLER_BEEN_BLOCKED SELLER_NOT_EXIST ERROR_BUYER_CERTIFY_LEVEL_LIMIT INVALID_STORE_ID INVALID_RECEIVE_ACCOUNT NOW_TIME_AFTER_EXPIRE_TIME_ERROR
		SUB_GOODS_SIZE_MAX_COUNT RISK_MERCHANT_IP_NOT_EXIST DEFAULT_SETTLE_RULE_NOT_EXIST SECONDARY_MERCHANT_ID_BLANK SECONDARY_MERCHANT_ID_INVALID
		SECONDARY_MERCHANT_STATUS_ERROR SECONDARY_MERCHANT_NOT_MATCH SECONDARY_MERCHANT_ALIPAY_ACCOUNT_INVALID SECONDARY_MERCHANT_ISV_PUNISH_INDIRECT
		TRADE_SETTLE_ERROR`) {
		table["ACQ."+code] = row{sandbox.OpCreate: r}
	}
	for _, code := range alibox.Codes() {
		verdicts := table[code]
		if group, _, _ := strings.Cut(code, "."); group == "isv" && code != "isv.invalid_arguments" || group == "aop" && code != "aop.unknow-error" {
			verdicts = all(n) // at the door, unsigned
			if strings.HasPrefix(code, "aop.") {
				verdicts = nil
			}
		}
		delete(table, code)
		w := newWorld(t)
		questions := calls(w)
		for _, op := range ops {
			w.sandbox.Clear()
			w.inject(sandbox.Fault{Kind: sandbox.Refuse, Op: op, Code: code})
			judge(t, code, op, questions[op](), verdicts)
		}
	}
	if len(table) != 0 {
		t.Errorf("codes that the wallet does not know: %v", table)
	}
}

func judge(t *testing.T, code string, op sandbox.Op, err error, verdicts map[sandbox.Op]pay.Verdict) {
	t.Helper()
	want, named := verdicts[op]
	if !named {
		want = pay.Unknown
	}
	if pay.VerdictOf(err) != want {
		t.Errorf("%s on %s: %v, want %q", code, op, err, want)
	}
	var f *pay.Failure
	if errors.As(err, &f) && (f.Code != code || f.Status == 0) {
		t.Errorf("%s on %s: says %s %d", code, op, f.Code, f.Status)
	}
}

func with(m map[sandbox.Op]pay.Verdict, op sandbox.Op, v pay.Verdict) map[sandbox.Op]pay.Verdict {
	m[op] = v
	return m
}

// TestVerdictOfEveryFault: what goes wrong on the way never passes for an answer, and asking again does nothing twice.
func TestVerdictOfEveryFault(t *testing.T) {
	faults := []sandbox.Fault{
		{Kind: sandbox.DropBefore}, {Kind: sandbox.DropAfter}, {Kind: sandbox.Delay, Delay: time.Minute}, {Kind: sandbox.Garbage}, {Kind: sandbox.Unsigned}, {Kind: sandbox.Probe},
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
		w := newWorld(t)
		w.paid("PAID_001", 1000)
		r := w.refund("REFUND_1", "PAID_001", 10, 1000)
		if _, err := w.wallet.Refund(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		f.Op = sandbox.OpQueryRefund
		w.inject(f)
		if out, err := w.wallet.Refund(t.Context(), r); err != nil || out.State != pay.RefundPending {
			t.Errorf("a refund whose query fails with %s is on its way: %+v %v", f.Kind, out, err)
		}
	}
}

// TestWrongAmount: a wallet that names another amount is taken at its word, and the gate compares.
func TestWrongAmount(t *testing.T) {
	w := newWorld(t)
	w.inject(sandbox.Fault{Kind: sandbox.WrongAmount, Op: sandbox.OpNotify, Amount: -1})
	w.paid("ORDER_01", 100)
	w.Advance(time.Minute)
	if n, err := w.wallet.Notified(t.Context(), nil, w.got[0]); err == nil {
		t.Errorf("less was ordered than the merchant got: %+v", n.Payment)
	}
	w.inject(sandbox.Fault{Kind: sandbox.WrongAmount, Op: sandbox.OpQuery, Amount: 1})
	if out, err := w.wallet.Query(t.Context(), "ORDER_01"); err != nil || out.Amount != money.Of(101, money.CNY) {
		t.Errorf("%+v %v", out, err)
	}
}

// TestCoupon: what the shopper paid less, the wallet or another house bore; what the merchant got less, it did itself.
func TestCoupon(t *testing.T) {
	w := newWorld(t)
	w.inject(sandbox.Fault{Kind: sandbox.Coupon, Op: sandbox.OpApprove, Amount: 25})
	w.paid("ORDER_01", 100)
	if out, err := w.wallet.Query(t.Context(), "ORDER_01"); err != nil || out.PayerTotal != 75 || out.Settled != nil {
		t.Errorf("%+v %v", out, err)
	}
}

// TestRefundIsDoubtful: fund_change N alone is no refund; a query tells, at once or later.
func TestRefundIsDoubtful(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.paid("ORDER_01", 100)
	r := w.refund("REFUND_1", "ORDER_01", 10, 100)
	if out, err := w.wallet.QueryRefund(ctx, r); err != nil || out.State != pay.RefundAbsent {
		t.Errorf("before: %+v %v", out, err)
	}
	w.inject(sandbox.Fault{Kind: sandbox.RefundClosed, Op: sandbox.OpRefund})
	if out, err := w.wallet.Refund(ctx, r); err != nil || out.State != pay.RefundPending || out.Amount != r.Amount {
		t.Errorf("one that fails: %+v %v", out, err)
	}
	w.Advance(time.Minute)
	if out, err := w.wallet.QueryRefund(ctx, r); err != nil || out.State != pay.RefundAbsent {
		t.Errorf("one that failed: %+v %v", out, err)
	}
	w.inject(sandbox.Fault{Kind: sandbox.RefundAbnormal, Op: sandbox.OpRefund})
	if out, err := w.wallet.Refund(ctx, r); err != nil || out.State != pay.RefundPending {
		t.Errorf("one under way: %+v %v", out, err)
	}
	if out, err := w.wallet.QueryRefund(ctx, r); err != nil || out.State != pay.RefundPending || out.Amount != r.Amount {
		t.Errorf("one under way, asked: %+v %v", out, err)
	}
	w.Advance(time.Minute)
	if out, err := w.wallet.QueryRefund(ctx, r); err != nil || out.State != pay.RefundDone || out.DoneAt == 0 {
		t.Errorf("one that went through: %+v %v", out, err)
	}
}

// TestSplit divides an order, takes a part back, and releases the rest.
func TestSplit(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	o := w.order("ORDER_01", 10000)
	o.Freeze = true
	if _, err := w.wallet.Create(ctx, o); err != nil {
		t.Fatal(err)
	}
	if err := w.sandbox.Approve(appID, "ORDER_01"); err != nil {
		t.Fatal(err)
	}
	ref := w.ref("ORDER_01")
	s := pay.SplitOrder{No: "SPLIT_1", OrderNo: "ORDER_01", OrderRef: ref, Parts: []pay.SplitPart{{Account: receiver, Amount: 2000, Note: "commission"}}, Currency: money.CNY}
	if out, err := w.wallet.QuerySplit(ctx, s); err != nil || out.State != pay.SplitAbsent {
		t.Errorf("before: %+v %v", out, err)
	}
	if _, err := w.wallet.Split(ctx, s); pay.VerdictOf(err) != pay.NotDone {
		t.Errorf("to a receiver that was not admitted: %v", err)
	}
	for range 2 {
		if err := w.wallet.Admit(ctx, pay.Receiver{Account: receiver}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if out, err := w.wallet.Split(ctx, s); err != nil || out.State != pay.SplitPending || out.WalletRef == "" {
			t.Fatalf("split: %+v %v", out, err)
		}
	}
	out, err := w.wallet.QuerySplit(ctx, s)
	if want := []pay.SplitPartOutcome{{Account: receiver, Amount: 2000, State: pay.SplitDone, Said: " "}}; err != nil || out.State != pay.SplitDone || !slices.Equal(out.Parts, want) {
		t.Errorf("%+v %v", out, err)
	}
	over := s
	over.No, over.Parts = "SPLIT_2", []pay.SplitPart{{Account: receiver, Amount: 1001}}
	if _, err := w.wallet.Split(ctx, over); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("more than three tenths: %v", err)
	}
	u := pay.UnsplitOrder{No: "BACK_1", SplitNo: "SPLIT_1", OrderRef: ref, Account: receiver, Amount: money.Of(500, money.CNY)}
	if out, err := w.wallet.QueryUnsplit(ctx, u); err != nil || out.State != pay.SplitAbsent {
		t.Errorf("before: %+v %v", out, err)
	}
	for range 2 {
		if out, err := w.wallet.Unsplit(ctx, u); err != nil || out.State != pay.SplitPending {
			t.Errorf("taking back: %+v %v", out, err)
		}
	}
	if out, err := w.wallet.QueryUnsplit(ctx, u); err != nil || out.State != pay.SplitDone || out.Parts[0].Amount != 500 {
		t.Errorf("taken back: %+v %v", out, err)
	}
	w.inject(sandbox.Fault{Kind: sandbox.SplitClosed, Op: alibox.OpSplit})
	failing := s
	failing.No = "SPLIT_3"
	failing.Parts = []pay.SplitPart{{Account: receiver, Amount: 100}}
	if _, err := w.wallet.Split(ctx, failing); err != nil {
		t.Fatal(err)
	}
	if out, err := w.wallet.QuerySplit(ctx, failing); err != nil || out.State != pay.SplitDone || out.Parts[0].State != pay.SplitClosed || out.Parts[0].Said == "" {
		t.Errorf("a part that failed: %+v %v", out, err)
	}
	release := pay.SplitOrder{No: "FREE_1", OrderNo: "ORDER_01", OrderRef: ref, Finish: true, Currency: money.CNY}
	if _, err := w.wallet.Split(ctx, release); err != nil {
		t.Errorf("releasing: %v", err)
	}
	if out, err := w.wallet.QuerySplit(ctx, release); err != nil || out.State != pay.SplitDone {
		t.Errorf("released: %+v %v", out, err)
	}
	if v := w.sandbox.Violations(); len(v) != 1 || v[0].Rule != sandbox.RuleOverSplit {
		t.Errorf("violations %v", v)
	}
}

// TestSubMerchant orders for a sub-merchant of the platform's, settles to it, splits off a commission and releases the rest.
func TestSubMerchant(t *testing.T) {
	w := newWorld(t, func(w *world) { w.cfg.Direct, w.cfg.SplitBPS = true, 3000 })
	if err := w.sandbox.AddSub(appID, smid); err != nil {
		t.Fatal(err)
	}
	o := w.order("ORDER_01", 100)
	o.Parts = []pay.OrderPart{{No: "ORDER_01", Account: smid, Amount: 100}}
	if w.wallet.Can().MaxParts != 1 {
		t.Errorf("can %+v", w.wallet.Can())
	}
	if _, err := w.wallet.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := w.sandbox.Approve(appID, "ORDER_01"); err != nil {
		t.Fatal(err)
	}
	out, err := w.wallet.Query(t.Context(), "ORDER_01")
	if want := []pay.PartOutcome{{No: "ORDER_01", Account: smid, WalletRef: out.WalletRef, Amount: 100, PayerTotal: 100}}; err != nil || !slices.Equal(out.Parts, want) {
		t.Errorf("%+v %v", out, err)
	}
	if err := w.wallet.Admit(t.Context(), pay.Receiver{Account: "2088000000000555"}); err != nil {
		t.Fatal(err)
	}
	s := pay.SplitOrder{
		No: "SPLIT_1", OrderNo: "ORDER_01", OrderRef: out.WalletRef, Currency: money.CNY, Parts: []pay.SplitPart{{Account: "2088000000000555", Amount: 5, Note: "commission"}},
	}
	if _, err := w.wallet.Split(t.Context(), s); pay.VerdictOf(err) != pay.NotDone {
		t.Errorf("split before it was settled: %v", err)
	}
	s.Sub = "2088000000000778"
	if _, err := w.wallet.Split(t.Context(), s); pay.VerdictOf(err) != pay.Refused {
		t.Errorf("split of another sub-merchant's order: %v", err)
	}
	s.Sub = smid
	for range 2 {
		if _, err := w.wallet.Split(t.Context(), s); err != nil {
			t.Errorf("split: %v", err)
		}
	}
	if out, err := w.wallet.QuerySplit(t.Context(), s); err != nil || out.State != pay.SplitDone {
		t.Errorf("split: %+v %v", out, err)
	}
	release := pay.SplitOrder{No: "FREE_1", OrderNo: "ORDER_01", OrderRef: out.WalletRef, Sub: smid, Finish: true, Currency: money.CNY}
	if _, err := w.wallet.Split(t.Context(), release); err != nil {
		t.Errorf("release: %v", err)
	}
	if out, err := w.wallet.QuerySplit(t.Context(), release); err != nil || out.State != pay.SplitDone {
		t.Errorf("release: %+v %v", out, err)
	}
	stranger := w.order("ORDER_02", 100)
	stranger.Parts = []pay.OrderPart{{No: "ORDER_02", Account: "2088000000000778", Amount: 100}}
	if _, err := w.wallet.Create(t.Context(), stranger); pay.VerdictOf(err) != pay.Refused {
		t.Errorf("a strange sub-merchant: %v", err)
	}
}

// TestUnreachable: before the first byte is sent nothing can have happened.
func TestUnreachable(t *testing.T) {
	w := newWorld(t)
	w.down = true
	if _, err := w.wallet.Create(t.Context(), w.order("ORDER_01", 100)); pay.VerdictOf(err) != pay.NotDone {
		t.Errorf("no connection: %v", err)
	}
}
