package wechatpay_test

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/money"
)

// download asks for a bill, and reads what lies at the address, with the hash that was published.
func (w *world) download(query string) (bill.Head, []bill.Row, *bill.Sums) {
	w.t.Helper()
	a := w.ask("GET", query, nil)
	address, ok := a.json["download_url"].(string)
	if !ok {
		w.t.Fatalf("%s: %d %s", query, a.status, a.body)
	}
	u, err := url.Parse(address)
	if err != nil {
		w.t.Fatal(err)
	}
	file := w.ask("GET", u.RequestURI(), nil)
	b, err := bill.Open(bytes.NewReader(file.body), bill.Options{Hash: "sha1:" + a.json["hash_value"].(string)})
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
	if !errors.Is(err, io.EOF) {
		w.t.Fatal(err)
	}
	return b.Head(), rows, b.Totals()[money.CNY]
}

// TestEveryBill reads each kind of bill of one day: what they say of its trade is the same.
func TestEveryBill(t *testing.T) {
	w := newWorld(t, nil)
	w.pay("ORDER-01", 10_000)
	w.pay("ORDER-02", 333)
	w.ask("POST", "/v3/refund/domestic/refunds", refundOf("R1", "ORDER-01", 2_500, 10_000))
	w.Advance(26 * time.Hour)
	for query, want := range map[string]struct {
		kind              bill.Kind
		layout            string
		rows              int
		payments, refunds int64
		fee               int64 // thousandths of a fen
	}{
		"/v3/bill/tradebill?bill_date=2026-03-04":                             {bill.Trade, "all", 3, 10_333, -2_500, 47_000},
		"/v3/bill/tradebill?bill_date=2026-03-04&bill_type=SUCCESS":           {bill.Trade, "success", 2, 10_333, 0, 62_000},
		"/v3/bill/tradebill?bill_date=2026-03-04&bill_type=REFUND":            {bill.Trade, "refund", 1, 0, -2_500, -15_000},
		"/v3/bill/fundflowbill?bill_date=2026-03-04":                          {bill.Fund, "", 5, 10_333, -2_500, 47_000},
		"/v3/bill/fundflowbill?bill_date=2026-03-04&account_type=BASIC":       {bill.Fund, "", 5, 10_333, -2_500, 47_000},
		"/v3/bill/fundflowbill?bill_date=2026-03-04&tar_type=GZIP":            {bill.Fund, "", 5, 10_333, -2_500, 47_000},
		"/v3/bill/tradebill?bill_date=2026-03-04&bill_type=ALL&tar_type=GZIP": {bill.Trade, "all", 3, 10_333, -2_500, 47_000},
	} {
		head, rows, sums := w.download(query)
		if head.Kind != want.kind || head.Layout != want.layout || len(rows) != want.rows {
			t.Errorf("%s: %+v with %d rows", query, head, len(rows))
		}
		if sums.Payments.Amount != want.payments || sums.Refunds.Amount != want.refunds || sums.Fee != want.fee {
			t.Errorf("%s: %+v", query, sums)
		}
	}
	for query, code := range map[string]string{
		"bill_date=2026-03-04&account_type=OPERATION": "NO_STATEMENT_EXIST",
		"bill_date=2026-03-04&account_type=SOME":      "PARAM_ERROR",
		"bill_date=2026-03-03":                        "NO_STATEMENT_EXIST",
		"bill_date=2026-03-05":                        "INVALID_REQUEST",
	} {
		if a := w.ask("GET", "/v3/bill/fundflowbill?"+query, nil); a.json["code"] != code {
			t.Errorf("%s: %d %s, want %s", query, a.status, a.body, code)
		}
	}
}
