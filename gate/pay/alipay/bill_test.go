package alipay_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/alipay"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/money"
)

// TestBillEqualsBook: a day of trade through the connector; what its bill says is what the wallet has in its book, to the fen.
func TestBillEqualsBook(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	if err := w.wallet.Admit(ctx, pay.Receiver{Account: receiver}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		no := fmt.Sprintf("ORDER_%02d", i)
		total := int64(1000 + 333*i)
		w.paid(no, total)
		if i%3 == 0 {
			if out, err := w.wallet.Refund(ctx, w.refund("REFUND_"+no, no, total/(int64(i)+1), total)); err != nil || out.State != pay.RefundDone {
				t.Fatalf("%+v %v", out, err)
			}
		}
		if i%4 == 1 {
			s := pay.SplitOrder{No: "SPLIT_" + no, OrderNo: no, OrderRef: w.ref(no), Parts: []pay.SplitPart{{Account: receiver, Amount: total / 5}}, Currency: money.CNY}
			if _, err := w.wallet.Split(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		w.Advance(time.Minute)
	}
	book := w.sandbox.Book(appID)
	w.Advance(24 * time.Hour)
	var got sandbox.Book
	for _, kind := range []pay.BillKind{pay.TradeBill, pay.FundBill} {
		var spool bytes.Buffer
		file, err := w.wallet.Bill(ctx, "2026-03-04", kind, &spool)
		if err != nil || file.Bytes != int64(spool.Len()) || file.Encoding != "gbk" || file.Archive != "zip" || file.Hash != "" {
			t.Fatalf("%s: %+v %v", kind, file, err)
		}
		b, err := bill.Open(bytes.NewReader(spool.Bytes()), bill.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for {
			var row bill.Row
			err := b.Next(&row)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			switch {
			case kind == pay.TradeBill && row.Kind == bill.Payment:
				got.Payments = append(got.Payments, sandbox.Payment{OutTradeNo: row.No, TransactionID: row.Ref, Attach: row.Tag, Total: row.Amount, Fee: row.Fee / 1000, Owed: row.Settled})
			case kind == pay.TradeBill && row.Kind == bill.Refund:
				got.Refunds = append(got.Refunds, sandbox.Refunded{OutRefundNo: row.No, RefundID: row.No, OutTradeNo: row.Order, State: "SUCCESS", Amount: -row.Amount, FeeBack: -row.Fee / 1000, Owed: -row.Settled})
			case kind == pay.FundBill && row.Kind == bill.Split:
				got.Splits = append(got.Splits, sandbox.Split{No: row.Tag, OutTradeNo: row.Order, Account: receiver, State: "SUCCESS", Amount: -row.Amount})
			}
		}
	}
	for i := range book.Payments {
		book.Payments[i].Attach = "pay_" + book.Payments[i].OutTradeNo
	}
	slices.SortFunc(got.Payments, func(a, b sandbox.Payment) int { return strings.Compare(a.OutTradeNo, b.OutTradeNo) })
	slices.SortFunc(got.Refunds, func(a, b sandbox.Refunded) int { return strings.Compare(a.OutRefundNo, b.OutRefundNo) })
	if diff := cmp.Diff(book, got); diff != "" || len(book.Payments) != 20 || len(book.Refunds) != 7 || len(book.Splits) != 5 {
		t.Errorf("bill against book (-book +bill):\n%s", diff)
	}
}

// TestBillDownload: what is not there yet may come, what never was does not; a file that was cut short is none; and the
// address must be the wallet's.
func TestBillDownload(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	w.paid("ORDER_01", 100)
	ask := func(day string, kind pay.BillKind) error {
		_, err := w.wallet.Bill(ctx, day, kind, io.Discard)
		return err
	}
	verdict := func(name string, err error, want pay.Verdict) {
		t.Helper()
		if pay.VerdictOf(err) != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	verdict("no day", ask("yesterday", pay.TradeBill), pay.Refused)
	verdict("no kind", ask("2026-03-03", "some"), pay.Refused)
	verdict("today", ask("2026-03-04", pay.TradeBill), pay.NotDone)
	verdict("tomorrow", ask("2026-03-05", pay.TradeBill), pay.NotDone)
	if len(w.sent) != 1 {
		t.Errorf("asked for days that are not over: %v", w.sent)
	}
	w.Advance(15 * time.Hour)
	verdict("before nine", ask("2026-03-04", pay.TradeBill), pay.NotDone)
	verdict("a day without trade", ask("2026-03-02", pay.TradeBill), pay.Refused)
	w.Advance(8 * time.Hour)
	verdict("at nine", ask("2026-03-04", pay.TradeBill), "")
	for _, f := range []sandbox.Fault{
		{Kind: sandbox.Garbage, Op: sandbox.OpDownload},
		{Kind: sandbox.DropAfter, Op: sandbox.OpDownload},
		{Kind: sandbox.Garbage, Op: sandbox.OpBill},
		{Kind: sandbox.Unsigned, Op: sandbox.OpBill},
		{Kind: sandbox.Probe, Op: sandbox.OpBill},
		{Kind: sandbox.DropAfter, Op: sandbox.OpBill},
		{Kind: sandbox.Refuse, Op: sandbox.OpBill, Code: "isp.unknown_error"},
	} {
		w.inject(f)
		verdict(fmt.Sprintf("%s on %s", f.Kind, f.Op), ask("2026-03-04", pay.TradeBill), pay.NotDone)
		verdict(fmt.Sprintf("%s on %s, then again", f.Kind, f.Op), ask("2026-03-04", pay.TradeBill), "")
	}
	w.inject(sandbox.Fault{Kind: sandbox.Refuse, Op: sandbox.OpBill, Code: "isv.invalid_arguments"})
	verdict("arguments", ask("2026-03-04", pay.TradeBill), pay.Refused)
	if err := ask("2026-03-04", pay.TradeBill); err != nil {
		t.Error(err)
	}
	full := io.Writer(failing{})
	if _, err := w.wallet.Bill(ctx, "2026-03-04", pay.TradeBill, full); pay.VerdictOf(err) != pay.NotDone {
		t.Errorf("a spool that is full: %v", err)
	}
	// The same address, read by a connector whose wallet lives elsewhere.
	elsewhere, err := alipay.New(func() alipay.Config { c := w.cfg; c.BaseURL = "https://other.test"; return c }())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.Bill(ctx, "2026-03-04", pay.TradeBill, io.Discard); pay.VerdictOf(err) != pay.NotDone || !strings.Contains(err.Error(), "leads to") {
		t.Errorf("an address elsewhere: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// TestLocalChecks: what cannot be right is refused here, and nothing is sent.
func TestLocalChecks(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for name, change := range map[string]func(*pay.Order){
		"short number":       func(o *pay.Order) { o.No = "A" },
		"number with hyphen": func(o *pay.Order) { o.No = "ORDER-01" },
		"no channel":         func(o *pay.Order) { o.Channel = "" },
		"other channel":      func(o *pay.Order) { o.Channel = pay.App },
		"dollars":            func(o *pay.Order) { o.Amount.Currency = money.USD },
		"nothing":            func(o *pay.Order) { o.Amount.Minor = 0 },
		"too much":           func(o *pay.Order) { o.Amount.Minor = 1 << 50 },
		"no description":     func(o *pay.Order) { o.Description = "" },
		"long text":          func(o *pay.Order) { o.Description = strings.Repeat("壶", 128) },
		"not UTF-8":          func(o *pay.Order) { o.Description = "\xff" },
		"long tag":           func(o *pay.Order) { o.Tag = strings.Repeat("a", 129) },
		"past":               func(o *pay.Order) { o.Expires = 0 },
		"relative URL":       func(o *pay.Order) { o.NotifyURL = "/notify" },
		"query in URL":       func(o *pay.Order) { o.NotifyURL = "https://hub.test/?a=1" },
		"script URL":         func(o *pay.Order) { o.Channel, o.ReturnURL = pay.Redirect, "javascript:alert(1)" },
		"hold":               func(o *pay.Order) { o.Hold = true },
		"parts":              func(o *pay.Order) { o.Parts = []pay.OrderPart{{No: o.No, Account: smid, Amount: o.Amount.Minor}} },
	} {
		o := w.order("ORDER_01", 100)
		change(&o)
		if _, err := w.wallet.Create(ctx, o); pay.VerdictOf(err) != pay.Refused {
			t.Errorf("order, %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*pay.RefundOrder){
		"no number":   func(r *pay.RefundOrder) { r.No = "" },
		"odd number":  func(r *pay.RefundOrder) { r.No = "a/b" },
		"no order":    func(r *pay.RefundOrder) { r.OrderNo = "" },
		"odd ref":     func(r *pay.RefundOrder) { r.OrderRef = "1" },
		"nothing":     func(r *pay.RefundOrder) { r.Amount.Minor = 0 },
		"too much":    func(r *pay.RefundOrder) { r.Amount.Minor = 101 },
		"dollars":     func(r *pay.RefundOrder) { r.Amount.Currency = money.USD },
		"long reason": func(r *pay.RefundOrder) { r.Reason = strings.Repeat("a", 81) },
	} {
		r := w.refund("R1", "ORDER_01", 1, 100)
		change(&r)
		if _, err := w.wallet.Refund(ctx, r); pay.VerdictOf(err) != pay.Refused {
			t.Errorf("refund, %s: %v", name, err)
		}
	}
	good := pay.SplitOrder{No: "S1", OrderNo: "ORDER_01", OrderRef: "2026030422001052864901872016", Parts: []pay.SplitPart{{Account: receiver, Amount: 1}}, Currency: money.CNY}
	for name, change := range map[string]func(*pay.SplitOrder){
		"no number": func(s *pay.SplitOrder) { s.No = "" },
		"no ref":    func(s *pay.SplitOrder) { s.OrderRef = "" },
		"dollars":   func(s *pay.SplitOrder) { s.Currency = money.USD },
		"nobody":    func(s *pay.SplitOrder) { s.Parts = nil },
		"many":      func(s *pay.SplitOrder) { s.Parts = make([]pay.SplitPart, 21) },
		"nothing":   func(s *pay.SplitOrder) { s.Parts = []pay.SplitPart{{Account: receiver}} },
		"long note": func(s *pay.SplitOrder) {
			s.Parts = []pay.SplitPart{{Account: receiver, Amount: 1, Note: strings.Repeat("a", 81)}}
		},
		"no account": func(s *pay.SplitOrder) { s.Parts = []pay.SplitPart{{Account: "1", Amount: 1}} },
	} {
		s := good
		change(&s)
		if _, err := w.wallet.Split(ctx, s); pay.VerdictOf(err) != pay.Refused {
			t.Errorf("split, %s: %v", name, err)
		}
	}
	for _, no := range []string{"", "a/../b", strings.Repeat("A", 65)} {
		_, e1 := w.wallet.Query(ctx, no)
		_, e2 := w.wallet.Close(ctx, no)
		_, e3 := w.wallet.QueryRefund(ctx, pay.RefundOrder{No: no})
		_, e4 := w.wallet.Unsplit(ctx, pay.UnsplitOrder{No: no, Account: receiver})
		for _, err := range []error{e1, e2, e3, e4, w.wallet.Admit(ctx, pay.Receiver{})} {
			if pay.VerdictOf(err) != pay.Refused {
				t.Errorf("number %q: %v", no, err)
			}
		}
	}
	if len(w.sent) != 0 {
		t.Errorf("sent %v", w.sent)
	}
}
