package wechatpay_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/money"
)

func readBill(text []byte) (rows []wechatpay.TradeRow, totals wechatpay.Totals, err error) {
	b, err := wechatpay.ReadTradeBill(bytes.NewReader(text))
	if err != nil {
		return nil, totals, err
	}
	for {
		row, err := b.Next()
		if errors.Is(err, io.EOF) {
			return rows, b.Totals(), nil
		}
		if err != nil {
			if _, again := b.Next(); !errors.Is(again, err) {
				return nil, totals, fmt.Errorf("after %w, Next says %w", err, again)
			}
			return nil, totals, err
		}
		rows = append(rows, row)
	}
}

func realBill(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(dataDir(t, "bills/wechatpay-merchant/"+name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRealBills reads bills that WeChat Pay made in 2021; the hash of the first is the one its API gave.
func TestRealBills(t *testing.T) {
	text := realBill(t, "tradebill_ALL_20210128.csv")
	if sum := sha1.Sum(text); hex.EncodeToString(sum[:]) != "dcd7ceb3d382a1181798368bb15d8437de46c00f" {
		t.Fatalf("another file: %x", sum)
	}
	rows, totals, err := readBill(text)
	if err != nil {
		t.Fatal(err)
	}
	first := wechatpay.TradeRow{
		Line: 2, At: moongate.At(time.Date(2021, 1, 28, 9, 7, 11, 0, time.UTC)), AppID: "wx81be3101902f7cb2", MchID: "1601959334", SubMchID: "0",
		TransactionID: "4200000925202101284997714292", OutTradeNo: "S20210128170702357723", TradeType: "NATIVE", State: "SUCCESS", Bank: "OTHERS",
		Currency: money.CNY, Settlement: 1, RefundID: "0", OutRefundNo: "0", Product: "for testing", Attach: "cipher code", Rate: "1.00%", Order: 1,
	}
	if diff := cmp.Diff(first, rows[0]); diff != "" {
		t.Errorf("first row (-want +got):\n%s", diff)
	}
	if want := (wechatpay.Totals{Rows: 3, Settlement: 3, Order: 3}); totals != want {
		t.Errorf("totals %+v", totals)
	}
	rows, totals, err = readBill(realBill(t, "tradebill_REFUND_20210201.csv"))
	if err != nil || len(rows) != 2 || totals.Refund != 2 || totals.RefundAsked != 2 || rows[0].OutRefundNo != "S20210201143320649393" ||
		rows[0].DoneAt-rows[0].AskedAt != 3*moongate.Second || rows[1].Attach != "" {
		t.Errorf("refunds: %v %+v %+v", err, totals, rows)
	}
	rows, totals, err = readBill(realBill(t, "tradebill_SUCCESS_20210201.csv"))
	if err != nil || len(rows) != 1 || totals.Order != 1 || rows[0].OutTradeNo != "S20210201143829466741" {
		t.Errorf("payments: %v %+v %+v", err, totals, rows)
	}
}

// TestCutBillFailsWhole cuts a real bill at every byte: unless only line ends are missing, it is not read.
func TestCutBillFailsWhole(t *testing.T) {
	text := realBill(t, "tradebill_ALL_20210128.csv")
	whole := len(bytes.TrimRight(text, "\r\n"))
	for n := range text {
		rows, _, err := readBill(text[:n])
		if n < whole && err == nil {
			// The last figure may lose decimals that were zero: 0.00 and 0.0 are the same sum.
			if tail := text[n:whole]; len(bytes.Trim(tail, "0.")) > 0 {
				t.Fatalf("cut at byte %d of %d: read %d rows as if whole", n, len(text), len(rows))
			}
		}
		if n >= whole && err != nil {
			t.Errorf("without its last line end: %v", err)
		}
	}
}

// TestAlteredBill changes a real bill in one place each; the error names line, column and value.
func TestAlteredBill(t *testing.T) {
	text := string(realBill(t, "tradebill_ALL_20210128.csv"))
	line := strings.SplitAfter(text, "\n")
	for name, test := range map[string]struct{ text, field, message string }{
		"empty":                 {"", "line 0", "empty"},
		"header only":           {line[0], "line 1", "cut short"},
		"another header":        {strings.Replace(text, "手续费", "Fee", 1), "line 1", `"手续费"`},
		"a column more":         {strings.Replace(text, "费率备注", "费率备注,extra", 1), "line 1", `column 28 is "extra"`},
		"a column less":         {strings.Replace(text, ",费率备注", "", 1), "line 1", `"费率备注"`},
		"a row less":            {strings.Replace(text, line[2], "", 1), "line 5, 总交易单数", `"3" does not hold: the rows add up to 2`},
		"a row more":            {strings.Replace(text, line[2], line[2]+line[2], 1), "line 7, 总交易单数", "add up to 4"},
		"a cell less":           {strings.Replace(text, ",`NATIVE", "", 1), "line 2", "26 cells where the header has 27"},
		"a cell more":           {strings.Replace(text, "`for testing", "`for,`testing", 1), "line 2", "28 cells"},
		"no backtick":           {strings.Replace(text, "`2021-01-28 17", "2021-01-28 17", 1), "line 2, 交易时间", "backtick"},
		"an amount":             {strings.Replace(text, "`CNY,`0.01", "`CNY,`0.02", 1), "line 6, 应结订单总金额", `"0.03" does not hold: the rows add up to 0.04`},
		"an amount in words":    {strings.Replace(text, "`CNY,`0.01", "`CNY,`one", 1), "line 2, 应结订单金额", `"one" is not a number`},
		"not a number":          {strings.Replace(text, "`CNY,`0.01", "`CNY,`NaN", 1), "line 2, 应结订单金额", "NaN"},
		"an exponent":           {strings.Replace(text, "`CNY,`0.01", "`CNY,`1e9", 1), "line 2, 应结订单金额", "1e9"},
		"a third of a fen":      {strings.Replace(text, "`CNY,`0.01", "`CNY,`0.013", 1), "line 2, 应结订单金额", "at most 2 decimals"},
		"a huge amount":         {strings.Replace(text, "`CNY,`0.01", "`CNY,`99999999999999999999", 1), "line 2, 应结订单金额", "not a number"},
		"a fee":                 {strings.Replace(text, "`0.00000,`1.00%", "`0.00001,`1.00%", 1), "line 6, 手续费总金额", "add up to 0.00001"},
		"a time":                {strings.Replace(text, "17:07:11", "25:07:11", 1), "line 2, 交易时间", "is not a time"},
		"a currency":            {strings.Replace(text, "`CNY", "`RMB", 1), "line 2, 货币种类", `"RMB" is not a currency`},
		"no summary":            {strings.Join(line[:4], ""), "line 4", "cut short"},
		"a summary cut off":     {strings.Join(line[:5], ""), "line 5", "cut short"},
		"another summary":       {strings.Replace(text, "总交易单数,应", "总交易单数,X应", 1), "line 5", "summary's header"},
		"rows after a summary":  {text + line[1], "line 7", "stands after the summary"},
		"a line without an end": {line[0] + strings.Repeat("`x,", 1<<16), "line 2", "longer than"},
	} {
		_, _, err := readBill([]byte(test.text))
		var e *moongate.Error
		if !errors.As(err, &e) || e.Field != test.field || !strings.Contains(e.Message, test.message) || e.Code != moongate.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// bill downloads a bill and reads it.
func (w *world) bill(day string, kind wechatpay.BillKind) ([]wechatpay.TradeRow, wechatpay.Totals) {
	w.t.Helper()
	var spool bytes.Buffer
	file, err := w.wallet.TradeBill(w.t.Context(), day, kind, &spool)
	if err != nil {
		w.t.Fatal(err)
	}
	if file.Bytes != int64(spool.Len()) || len(file.SHA1) != 40 {
		w.t.Errorf("file %+v, spooled %d bytes", file, spool.Len())
	}
	rows, totals, err := readBill(spool.Bytes())
	if err != nil {
		w.t.Fatal(err)
	}
	return rows, totals
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
		rows, totals := w.bill("2026-03-04", wechatpay.BillAll)
		var got sandbox.Book
		for _, r := range rows {
			if r.State == "SUCCESS" {
				got.Payments = append(got.Payments, sandbox.Payment{OutTradeNo: r.OutTradeNo, TransactionID: r.TransactionID, Attach: r.Attach, Total: r.Order, Fee: r.FeeMilli / 1000})
			} else {
				got.Refunds = append(got.Refunds, sandbox.Refunded{OutRefundNo: r.OutRefundNo, RefundID: r.RefundID, OutTradeNo: r.OutTradeNo, State: r.RefundStatus, Amount: r.Refund, FeeBack: -r.FeeMilli / 1000})
			}
		}
		sortBook(&got)
		if diff := cmp.Diff(book, got); diff != "" {
			t.Errorf("book and bill (-book +bill):\n%s", diff)
		}
		payments, _ := w.bill("2026-03-04", wechatpay.BillSuccess)
		if len(payments) != len(book.Payments) {
			t.Errorf("%d payments, %d in the book", len(payments), len(book.Payments))
		}
		if len(book.Refunds) > 0 {
			if refunds, sum := w.bill("2026-03-04", wechatpay.BillRefund); len(refunds) != len(book.Refunds) || sum.Refund != totals.Refund {
				t.Errorf("%d refunds of %d fen; %d in the book of %d", len(refunds), sum.Refund, len(book.Refunds), totals.Refund)
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
		_, err := w.wallet.TradeBill(t.Context(), day, wechatpay.BillAll, io.Discard)
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
	if _, err := w.wallet.TradeBill(t.Context(), "2026-03-03", "SOME", io.Discard); pay.VerdictOf(err) != pay.Refused {
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
		w.inject(f)
		if err := try("2026-03-04"); pay.VerdictOf(err) != pay.NotDone {
			t.Errorf("%s on %s: %v", f.Kind, f.Op, err)
		}
	}
	if rows, totals := w.bill("2026-03-04", wechatpay.BillAll); len(rows) != 1 || totals.Order != 1999 || totals.FeeMilli != 12_000 {
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
	if _, err := lured.TradeBill(t.Context(), "2026-03-05", wechatpay.BillAll, io.Discard); err == nil || !strings.Contains(err.Error(), "evil.test") {
		t.Errorf("a bill elsewhere: %v", err)
	}
	if last := w.sent[len(w.sent)-1]; last != "/v3/bill/tradebill" {
		t.Errorf("followed to %s", last)
	}
}

// FuzzTradeBill: whatever the bytes, no panic; and a bill that reads whole reads the same again.
func FuzzTradeBill(f *testing.F) {
	const head = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,商品名称,商户数据包,手续费,费率,订单金额,费率备注\n"
	const summary = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n"
	f.Add([]byte(head + "`2021-02-01 14:38:45,`wx,`1,`0,`,`42,`S1,`o,`NATIVE,`SUCCESS,`OTHERS,`CNY,`0.01,`0.00,`x,`,`0.00000,`1.00%,`0.01,`\n" + summary + "`1,`0.01,`0.00,`0.00,`0.00000,`0.01,`0.00\n"))
	f.Add([]byte("\ufeff" + head + summary + "`0,`0,`0,`0,`0,`0,`0"))
	f.Add([]byte("`"))
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, totals, err := readBill(text)
		if err != nil {
			var e *moongate.Error
			if !errors.As(err, &e) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		again, same, err := readBill(text)
		if err != nil || len(again) != len(rows) || same != totals || totals.Rows != int64(len(rows)) {
			t.Errorf("read again: %d rows, %v", len(again), err)
		}
	})
}

func BenchmarkTradeBill(b *testing.B) {
	const head = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,商品名称,商户数据包,手续费,费率,订单金额,费率备注\n"
	const row = "`2021-02-01 14:38:45,`wx81be3101902f7cb2,`1601959334,`0,`,`4200000922202102014836880592,`S20210201143829466741,`ofyak5lCyFIsihOYEX0Zx9smR0g0,`NATIVE,`SUCCESS,`OTHERS,`CNY,`0.01,`0.00,`for testing,`cipher code,`0.00000,`1.00%,`0.01,`\n"
	const n = 10_000
	text := head + strings.Repeat(row, n) + "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n" + fmt.Sprintf("`%d,`100.00,`0.00,`0.00,`0.00000,`100.00,`0.00\n", n)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		bill, err := wechatpay.ReadTradeBill(strings.NewReader(text))
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err = bill.Next(); err != nil {
				break
			}
		}
		if !errors.Is(err, io.EOF) {
			b.Fatal(err)
		}
	}
}
