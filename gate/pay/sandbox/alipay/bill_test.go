package alipay_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
)

// day trades: two payments, a refund, a split, its return.
func (w *world) day() {
	w.t.Helper()
	w.bind(other)
	ref := w.pay("ORDER1", "100.00")
	w.pay("ORDER2", "19.99")
	w.Advance(time.Minute)
	w.refund("R1", "ORDER2", "5.00")
	w.ask(settling, object{"out_request_no": "S1", "trade_no": ref, "royalty_parameters": []object{{"trans_in": other, "amount": "30.00"}}})
	w.Advance(time.Minute)
	w.ask(refunding, object{"trade_no": ref, "out_request_no": "U1", "refund_amount": 0, "refund_royalty_parameters": []object{{"trans_out": other, "amount": "10.00"}}})
}

// download gets a bill as a merchant does: the address, then the archive.
func (w *world) download(kind, date string) []byte {
	w.t.Helper()
	a := w.ask(billQuery, object{"bill_type": kind, "bill_date": date})
	if a.code() != "10000" {
		w.t.Fatalf("%s of %s: %s", kind, date, a.body)
	}
	file := w.browse(http.MethodGet, a.get("bill_download_url"), nil)
	if file.status != http.StatusOK {
		w.t.Fatalf("download: %d %s", file.status, file.body)
	}
	return file.body
}

// unpack reads an archive of GBK files under GBK names.
func unpack(t *testing.T, packed []byte) map[string]string {
	t.Helper()
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range archive.File {
		name, err := simplifiedchinese.GBK.NewDecoder().String(f.Name)
		if err != nil || !f.NonUTF8 {
			t.Errorf("name %q: %v", f.Name, err)
		}
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		text, err := simplifiedchinese.GBK.NewDecoder().String(string(raw))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = text
	}
	return files
}

// TestTradeBill: the documented layout, and sums that hold.
func TestTradeBill(t *testing.T) {
	w := newWorld(t, nil)
	w.day()
	w.Advance(24 * time.Hour)
	files := unpack(t, w.download("trade", "2026-03-04"))
	const name = pid + "0156_20260304_业务明细"
	lines := strings.Split(files[name+".csv"], "\r\n")
	want := []string{
		"#支付宝业务明细查询",
		"#账号：[20880000000000010156]",
		"#起始日期：[2026年03月04日 00:00:00]   终止日期：[2026年03月05日 00:00:00]",
		"#-----------------------------------------业务明细列表----------------------------------------",
	}
	if len(lines) != 13 || strings.Join(lines[:4], "\n") != strings.Join(want, "\n") || !strings.HasPrefix(lines[4], "支付宝交易号,商户订单号,业务类型,") {
		t.Fatalf("%d lines:\n%s", len(lines), files[name+".csv"])
	}
	if cells := strings.Split(lines[7], ","); len(cells) != 25 || cells[1] != "ORDER2\t" || cells[2] != "退款" || cells[11] != "-5.00" || cells[21] != "R1\t" || cells[22] != "0.03" {
		t.Errorf("refund: %q", cells)
	}
	if lines[9] != "#交易合计：2笔，商家实收共119.99元，商家优惠共0.00元" || lines[10] != "#退款合计：1笔，商家实收退款共-5.00元，商家优惠退款共0.00元" {
		t.Errorf("sums:\n%s\n%s", lines[9], lines[10])
	}
	if summary := files[name+"(汇总).csv"]; !strings.HasPrefix(summary, "#支付宝业务汇总查询") || !strings.Contains(summary, "合计") {
		t.Errorf("summary:\n%s", summary)
	}
}

// TestBillsAreRead: the hub's reader of bills takes them whole, and finds in them what the wallet has in its book.
func TestBillsAreRead(t *testing.T) {
	w := newWorld(t, nil)
	w.inject(sandbox.Fault{Kind: sandbox.Coupon, Op: sandbox.OpApprove, Amount: 99})
	w.day()
	w.Advance(24 * time.Hour)
	kinds := map[string]map[bill.RowKind]int64{
		"trade":        {bill.Payment: 11999, bill.Refund: -500},
		"signcustomer": {bill.Payment: 11999, bill.Refund: -500, bill.Fee: -60 - 12 + 3, bill.Split: -3000 + 1000},
	}
	for kind, want := range kinds {
		packed := w.download(kind, "2026-03-04")
		b, err := bill.Open(bytes.NewReader(packed), bill.Options{})
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		got := map[bill.RowKind]int64{}
		var fee int64
		for {
			var row bill.Row
			err := b.Next(&row)
			if err == io.EOF { //nolint:errorlint // the reader's end
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			got[row.Kind] += row.Amount
			fee += row.Fee
		}
		for k, sum := range want {
			if got[k] != sum {
				t.Errorf("%s: %v adds up to %d, want %d", kind, k, got[k], sum)
			}
		}
	}
}

// TestDownload: the address lives for half a minute; a day's bill appears at nine, a month's on the third.
func TestDownload(t *testing.T) {
	w := newWorld(t, nil)
	w.day()
	w.Advance(24 * time.Hour)
	address := w.ask(billQuery, object{"bill_type": "trade", "bill_date": "2026-03-04"}).get("bill_download_url")
	w.Advance(29 * time.Second)
	if a := w.browse(http.MethodGet, address, nil); a.status != http.StatusOK {
		t.Errorf("within half a minute: %d", a.status)
	}
	w.Advance(2 * time.Second)
	if a := w.browse(http.MethodGet, address, nil); a.status != http.StatusForbidden {
		t.Errorf("after half a minute: %d", a.status)
	}
	if a := w.browse(http.MethodGet, "http://wallet.test/downloadBillFile.resource?token=guess", nil); a.status != http.StatusForbidden {
		t.Errorf("guessed: %d", a.status)
	}
	w.inject(sandbox.Fault{Kind: sandbox.Garbage, Op: sandbox.OpDownload})
	packed := w.download("trade", "2026-03-04")
	if _, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed))); err == nil {
		t.Error("an archive that was cut short opens")
	}
	if a := w.ask(billQuery, object{"bill_type": "trade", "bill_date": "2026-02"}); a.sub() != "isp.bill_not_exist" {
		t.Errorf("a month without trade: %s", a.body)
	}
	w.Advance(27 * 24 * time.Hour) // April the first
	if a := w.ask(billQuery, object{"bill_type": "signcustomer", "bill_date": "2026-03"}); a.sub() != "isp.bill_not_exist" {
		t.Errorf("on the first: %s", a.body)
	}
	w.Advance(2 * 24 * time.Hour)
	unpack(t, w.download("signcustomer", "2026-03"))
}
