package bill_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/money"
)

const stripeReport = "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,reporting_category,source_id,charge_id,payment_intent_id,description,payment_metadata[moongate_order],refund_metadata[moongate_refund]\r\n" +
	"txn_1,2026-03-04 10:00:00,2026-03-06 00:00:00,usd,20.00,0.88,19.12,charge,ch_1,ch_1,pi_1,\"Tea, \"\"green\"\"\nand cups\",order-1,\r\n" +
	"txn_2,2026-03-04 11:00:00,2026-03-06 00:00:00,usd,-5.00,0.00,-5.00,refund,re_1,ch_1,pi_1,REFUND,order-1,refund-1\r\n" +
	"txn_3,2026-03-04 12:00:00,2026-03-06 00:00:00,jpy,5000,150,4850,charge,ch_2,ch_2,pi_2,,order-2,\r\n" +
	"txn_4,2026-03-04 13:00:00,2026-03-06 00:00:00,usd,-14.12,0.00,-14.12,payout,po_1,,,STRIPE PAYOUT,,\r\n" +
	"txn_5,2026-03-04 14:00:00,2026-03-06 00:00:00,usd,-20.00,15.00,-35.00,dispute,dp_1,ch_1,pi_1,,order-1,\r\n"

func TestStripe(t *testing.T) {
	head, rows, totals, err := readText(stripeReport)
	if err != nil {
		t.Fatal(err)
	}
	if head.Wallet != "stripe" || head.Sealed {
		t.Errorf("%+v: a report without sums is not sealed", head)
	}
	want := bill.Row{
		Line: 4, Kind: bill.Refund, At: moongate.At(at(2026, 3, 4, 19, 0, 0).Go()), No: "refund-1", Ref: "re_1", Order: "order-1", OrderRef: "pi_1",
		Currency: money.USD, Amount: -500, Settled: -500, Type: "refund", Title: "REFUND",
	}
	if diff := cmp.Diff(want, rows[1]); diff != "" {
		t.Errorf("refund (-want +got):\n%s", diff)
	}
	if rows[0].No != "order-1" || rows[0].Ref != "pi_1" || rows[0].Fee != 88_000 || rows[0].Title != "Tea, \"green\"\nand cups" {
		t.Errorf("payment %+v", rows[0])
	}
	if s := totals[money.USD]; s.Payments.Amount != 2000 || s.Refunds.Amount != -500 || s.Transfers.Amount != -1412 || s.Disputes.Amount != -2000 || s.Fee != 1588_000 {
		t.Errorf("dollars %+v", s)
	}
	if s := totals[money.JPY]; s.Payments.Amount != 5000 || s.Fee != 150_000 {
		t.Errorf("yen %+v", s)
	}
	for name, test := range map[string]struct{ text, field, message string }{
		"a net":           {strings.Replace(stripeReport, "19.12", "19.13", 1), "line 3, net", `"19.13" does not hold: 20.00 less 0.88`},
		"a currency":      {strings.Replace(stripeReport, "usd,20.00", "xxx,20.00", 1), "line 3, currency", "is not a currency"},
		"half a cent":     {strings.Replace(stripeReport, "0.88", "0.885", 1), "line 3, fee", "at most 2 decimals"},
		"half a yen":      {strings.Replace(stripeReport, "jpy,5000", "jpy,5000.5", 1), "line 5, gross", "not a whole number"},
		"cut in a cell":   {stripeReport[:strings.Index(stripeReport, "and cups")], "line 2", "cut short"},
		"cut in a row":    {stripeReport[:strings.Index(stripeReport, ",po_1")], "line 6", "8 cells where the header has 14"},
		"a day of no one": {strings.Replace(stripeReport, "2026-03-04 12", "2026-3-4 12", 1), "line 5, created_utc", "is not a time"},
	} {
		_, _, _, err := readText(test.text)
		var e *moongate.Error
		if !errors.As(err, &e) || e.Field != test.field || !strings.Contains(e.Message, test.message) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRealPersonal: what wallets export for a person is recognised, listed, and comes with advice. Two of the samples
// have lost rows, which their own heads give away.
func TestRealPersonal(t *testing.T) {
	for name, want := range map[string]struct {
		wallet, encoding string
		income, expense  bill.Sum
		says             string
	}{
		"personal/example-wechat-records.csv": {"wechatpay", "utf-8", bill.Sum{Rows: 5, Amount: 2_849}, bill.Sum{Rows: 11, Amount: -290_453}, "counts 43 rows, here are 27"},
		"personal/example-alipay-records.csv": {"alipay", "gbk", bill.Sum{Rows: 1, Amount: 22_222_850}, bill.Sum{Rows: 5, Amount: -21_164}, "counts 66 rows, here are 10"},
		"personal/example-jd-records.csv":     {"jd", "utf-8", bill.Sum{}, bill.Sum{Rows: 16, Amount: -227_770}, ""},
		"personal/example-mt-records.csv":     {"meituan", "utf-8", bill.Sum{Rows: 6, Amount: 20_973}, bill.Sum{Rows: 23, Amount: -122_380}, ""},
	} {
		head, _, totals, err := read(bytes.NewReader(real(t, name)), bill.Options{})
		if (err == nil) != (want.says == "") || err != nil && !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: %v", name, err)
		}
		if head.Wallet != want.wallet || head.Kind != bill.Personal || head.Encoding != want.encoding || head.Advice == "" {
			t.Errorf("%s: %+v", name, head)
		}
		if s := totals[money.CNY]; s == nil || s.Income != want.income || s.Expense != want.expense || s.Payments.Rows+s.Refunds.Rows != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestPersonal(t *testing.T) {
	text := "微信支付账单明细,,,\r\n微信昵称：[测试],,,\r\n共2笔记录,,,\r\n,,,\r\n" +
		"----------------------微信支付账单明细列表--------------------,,,\r\n" +
		"交易时间,交易类型,交易对方,商品,收/支,金额(元),支付方式,当前状态,交易单号,商户单号,备注\r\n" +
		"2026-03-04 10:00:00,\"商户消费\",\"茶馆\",\"杯, \"\"青\"\"\",\"支出\",¥28.16,\"银行(1234)\",\"支付成功\",\"4200001\"\t,\"order-1\"\t,\"/\"\r\n" +
		"2026-03-04 11:00:00,微信红包,打开，点击\"多多\",/,收入,¥0.35,/,已存入零钱,1000039\t,/\t,/\r\n"
	_, rows, _, err := readText(text)
	if err != nil {
		t.Fatal(err)
	}
	want := bill.Row{
		Line: 7, Kind: bill.Expense, At: at(2026, 3, 4, 10, 0, 0), No: "order-1", Ref: "4200001", Currency: money.CNY, Amount: -2_816,
		State: "支付成功", Type: "商户消费",
	}
	if diff := cmp.Diff(want, rows[0]); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if len(rows) != 2 || rows[1].Kind != bill.Income {
		t.Errorf("%+v", rows)
	}
	if _, _, _, err := readText(text[:strings.LastIndex(text, "2026")]); err == nil || !strings.Contains(err.Error(), "counts 2 rows, here are 1") {
		t.Errorf("a row less: %v", err)
	}
}
