package wechatpay_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/money"
)

// bill downloads a bill and reads it.
func (w *world) bill(day string, kind pay.BillKind) ([]bill.Row, *bill.Sums) {
	w.t.Helper()
	var spool bytes.Buffer
	file, err := w.wallet.Bill(w.t.Context(), day, kind, &spool)
	if err != nil {
		w.t.Fatal(err)
	}
	if file.Bytes != int64(spool.Len()) {
		w.t.Errorf("file %+v, spooled %d bytes", file, spool.Len())
	}
	b, err := bill.Open(&spool, bill.Options{Hash: file.Hash})
	if err != nil {
		w.t.Fatal(err)
	}
	var rows []bill.Row
	for err == nil {
		var row bill.Row
		if err = b.Next(&row); err == nil {
			rows = append(rows, row)
		}
	}
	if h := b.Head(); !errors.Is(err, io.EOF) || h.Wallet != "wechatpay" || string(h.Kind) != string(kind) || h.Encoding != file.Encoding {
		w.t.Fatalf("%+v: %v", h, err)
	}
	return rows, b.Totals()[money.CNY]
}

// TestBillEqualsBook trades for a day in ways that a generator thinks up, with hostile names, and finds the next morning
// that the wallet's bill, read by our reader, is the wallet's own book.
func TestBillEqualsBook(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		trades := rapid.SliceOfN(rapid.Int64Range(1, 5_000_000), 1, 6).Draw(rt, "trades")
		for i, total := range trades {
			no := fmt.Sprintf("ORDER-%02d", i)
			o := w.order(no, total)
			o.Description = "x" + rapid.StringOfN(rapid.RuneFrom([]rune("茶,`\"'\r\n;x")), 0, 10, -1).Draw(rt, "name")
			if _, err := w.wallet.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			for _, kind := range []sandbox.Kind{sandbox.Coupon, sandbox.OwnCoupon} {
				if total > 3 && rapid.Bool().Draw(rt, string(kind)) {
					w.inject(sandbox.Fault{Kind: kind, Op: sandbox.OpApprove, Amount: rapid.Int64Range(1, total/3).Draw(rt, "coupon")})
				}
			}
			if err := w.sandbox.Approve(mchID, no); err != nil {
				t.Fatal(err)
			}
			left := total
			for j := range rapid.IntRange(0, 3).Draw(rt, "refunds") {
				if left == 0 {
					break
				}
				back := rapid.Int64Range(1, left).Draw(rt, "back")
				if _, err := w.wallet.Refund(t.Context(), w.refund(fmt.Sprintf("R-%d-%d", i, j), no, back, total)); err != nil {
					t.Fatal(err)
				}
				left -= back
				w.Advance(time.Minute)
			}
		}
		w.Advance(26 * time.Hour)
		book := w.sandbox.Book(mchID)
		rows, totals := w.bill("2026-03-04", pay.TradeBill)
		var got sandbox.Book
		for _, r := range rows {
			if r.Kind == bill.Payment {
				got.Payments = append(got.Payments, sandbox.Payment{OutTradeNo: r.No, TransactionID: r.Ref, Attach: r.Tag, Total: r.Amount, Fee: r.Fee / 1000, Owed: r.Settled})
			} else {
				got.Refunds = append(got.Refunds, sandbox.Refunded{OutRefundNo: r.No, RefundID: r.Ref, OutTradeNo: r.Order, State: r.State, Amount: -r.Amount, FeeBack: -r.Fee / 1000, Owed: -r.Settled})
			}
		}
		sortBook(&got)
		if diff := cmp.Diff(book, got); diff != "" {
			t.Errorf("book and bill (-book +bill):\n%s", diff)
		}
		// The flow of the account is the same day, movement by movement.
		flow, sums := w.bill("2026-03-04", pay.FundBill)
		if sums.Payments.Rows != totals.Payments.Rows || sums.Refunds.Rows != totals.Refunds.Rows || sums.Fee != totals.Fee ||
			sums.Payments.Amount+sums.Refunds.Amount != totals.Settled {
			t.Errorf("the account moved by %+v, the trade was %+v", sums, totals)
		}
		byNo := map[string]int64{}
		for _, r := range rows {
			byNo[r.Kind.String()+r.No] = r.Settled
		}
		for _, r := range flow {
			if r.Kind != bill.Fee && byNo[r.Kind.String()+r.No] != r.Amount {
				t.Errorf("%s %s moved %d, traded %d", r.Kind, r.No, r.Amount, byNo[r.Kind.String()+r.No])
			}
		}
	})
}

func sortBook(b *sandbox.Book) {
	less := func(swap func(i, j int), before func(i, j int) bool, n int) {
		for i := range n {
			for j := i; j > 0 && before(j, j-1); j-- {
				swap(j, j-1)
			}
		}
	}
	p, r := b.Payments, b.Refunds
	less(func(i, j int) { p[i], p[j] = p[j], p[i] }, func(i, j int) bool { return p[i].OutTradeNo < p[j].OutTradeNo }, len(p))
	less(func(i, j int) { r[i], r[j] = r[j], r[i] }, func(i, j int) bool { return r[i].OutRefundNo < r[j].OutRefundNo }, len(r))
}

// TestBillDownload: when there is none yet, when the file is not what was published, and when it lies elsewhere.
func TestBillDownload(t *testing.T) {
	w := newWorld(t)
	w.paid("ORDER-01", 1999)
	try := func(day string) error {
		_, err := w.wallet.Bill(t.Context(), day, pay.TradeBill, io.Discard)
		_, flow := w.wallet.Bill(t.Context(), day, pay.FundBill, io.Discard)
		if pay.VerdictOf(err) != pay.VerdictOf(flow) {
			t.Errorf("the bills of one day: %v; %v", err, flow)
		}
		return err
	}
	code := func(err error) string {
		var f *pay.Failure
		errors.As(err, &f)
		return f.Code
	}
	if err := try("2026-03-03"); pay.VerdictOf(err) != pay.NotDone || code(err) != "STATEMENT_CREATING" {
		t.Errorf("at nine in the morning: %v", err)
	}
	w.Advance(time.Hour)
	if err := try("2026-03-03"); pay.VerdictOf(err) != pay.Refused || code(err) != "NO_STATEMENT_EXIST" {
		t.Errorf("a day without trade: %v", err)
	}
	if err := try("2026-03-04"); pay.VerdictOf(err) != pay.Refused || code(err) != "INVALID_REQUEST" {
		t.Errorf("today: %v", err)
	}
	if err := try("yesterday"); pay.VerdictOf(err) != pay.Refused {
		t.Errorf("no day: %v", err)
	}
	if _, err := w.wallet.Bill(t.Context(), "2026-03-03", "SOME", io.Discard); pay.VerdictOf(err) != pay.Refused {
		t.Errorf("no kind: %v", err)
	}
	w.Advance(25 * time.Hour)
	for _, f := range []sandbox.Fault{
		{Kind: sandbox.Garbage, Op: sandbox.OpDownload},
		{Kind: sandbox.DropAfter, Op: sandbox.OpDownload},
		{Kind: sandbox.Garbage, Op: sandbox.OpBill},
		{Kind: sandbox.Unsigned, Op: sandbox.OpBill},
		{Kind: sandbox.DropAfter, Op: sandbox.OpBill},
	} {
		f.Times = 2 // both kinds of bills
		w.inject(f)
		if err := try("2026-03-04"); pay.VerdictOf(err) != pay.NotDone {
			t.Errorf("%s on %s: %v", f.Kind, f.Op, err)
		}
	}
	if rows, totals := w.bill("2026-03-04", pay.TradeBill); len(rows) != 1 || totals.Payments.Amount != 1999 || totals.Fee != 12_000 {
		t.Errorf("%+v %+v", rows, totals)
	}

	// Our signature must not follow a download address out of the wallet, even one that the wallet itself has signed.
	w.sent = nil
	elsewhere, err := wechatbox.New(sandbox.Config{BaseURL: "https://evil.test", Now: w.Now, After: w.After, Random: w.cfg.Random, NewKey: nil})
	if err != nil {
		t.Fatal(err)
	}
	m, err := elsewhere.AddMerchant(mchID, appID)
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.cfg
	cfg.SerialNo, cfg.PrivateKey, cfg.APIv3Key = m.SerialNo, m.PrivateKey, m.APIv3Key
	cfg.Carrier = roundTrip(func(r *http.Request) (*http.Response, error) {
		w.sent = append(w.sent, r.URL.Path)
		return elsewhere.InMemory().RoundTrip(r)
	})
	lured, err := wechatpay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	o := w.order("ORDER-01", 100)
	o.Expires += 30 * moongate.Hour
	if _, err := lured.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := elsewhere.Approve(mchID, "ORDER-01"); err != nil {
		t.Fatal(err)
	}
	w.Advance(26 * time.Hour)
	if _, err := lured.Bill(t.Context(), "2026-03-05", pay.TradeBill, io.Discard); err == nil || !strings.Contains(err.Error(), "evil.test") {
		t.Errorf("a bill elsewhere: %v", err)
	}
	if last := w.sent[len(w.sent)-1]; last != "/v3/bill/tradebill" {
		t.Errorf("followed to %s", last)
	}
}
