package bill_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/money"
)

// trade is a row of a trade bill to be written: amounts in fen, negative for a refund.
type trade struct {
	no          string
	amount, fee int64
}

func payment(no string, amount, fee int64) trade { return trade{no, amount, fee} }
func refund(no string, amount, fee int64) trade  { return trade{no, -amount, -fee} }

func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

const (
	allHeader  = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
	allSums    = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
	fundHeader = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
	fundSums   = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
)

// wechatTrade writes a trade bill as WeChat Pay does.
func wechatTrade(rows ...trade) string {
	var b strings.Builder
	b.WriteString("\ufeff" + allHeader + "\r\n")
	var paid, back, fees int64
	for i, r := range rows {
		state, refundID, refundNo, status, order, asked := "SUCCESS", "0", "0", "", r.amount, int64(0)
		if r.amount < 0 {
			state, refundID, refundNo, status, order, asked = "REFUND", fmt.Sprintf("50%026d", i), r.no, "SUCCESS", 0, -r.amount
		}
		fmt.Fprintf(&b, "`2026-03-04 10:%02d:%02d,`wx1,`1900000001,`0,`,`42%026d,`%s,`o-secret,`NATIVE,`%s,`OTHERS,`CNY,`%s,`0.00,`%s,`%s,`%s,`0.00,`,`%s,`tea, green,`tag-%d,`%s000,`0.60%%,`%s,`%s,`\r\n",
			i/60%60, i%60, i, "order-of-"+r.no, state, yuan(order), refundID, refundNo, yuan(asked), status, i, yuan(r.fee), yuan(order), yuan(asked))
		paid, back, fees = paid+order, back+asked, fees+r.fee
	}
	b.WriteString(allSums + "\r\n")
	fmt.Fprintf(&b, "`%d,`%s,`%s,`0.00,`%s000,`%s,`%s\r\n", len(rows), yuan(paid), yuan(back), yuan(fees), yuan(paid), yuan(back))
	return b.String()
}

func TestWeChatTrade(t *testing.T) {
	_, rows, totals, err := readText(wechatTrade(payment("a", 10_000, 60), refund("b", 2_500, 15)))
	if err != nil {
		t.Fatal(err)
	}
	want := bill.Row{
		Line: 3, Kind: bill.Refund, At: at(2026, 3, 4, 10, 0, 1), No: "b", Ref: "5000000000000000000000000001", Order: "order-of-b",
		OrderRef: "4200000000000000000000000001", Currency: money.CNY, Amount: -2_500, Settled: -2_500, Fee: -15_000, Rate: "0.60%",
		State: "SUCCESS", Type: "NATIVE", Tag: "tag-1", Title: "tea, green",
	}
	if diff := cmp.Diff(want, rows[1]); diff != "" {
		t.Errorf("refund (-want +got):\n%s", diff)
	}
	if s := totals[money.CNY]; s.Fee != 45_000 || s.Settled != 7_500 || s.Payments.Amount != 10_000 || s.Refunds.Amount != -2_500 {
		t.Errorf("totals %+v", s)
	}
}

// TestCutBillFailsWhole cuts a real bill at every byte: unless only line ends are missing, it is not read.
func TestCutBillFailsWhole(t *testing.T) {
	text := real(t, "wechatpay-merchant/tradebill_ALL_20210128.csv")
	whole := len(bytes.TrimRight(text, "\r\n"))
	for n := range text {
		_, rows, _, err := readText(string(text[:n]))
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
	text := string(real(t, "wechatpay-merchant/tradebill_ALL_20210128.csv"))
	line := strings.SplitAfter(text, "\n")
	for name, test := range map[string]struct{ text, field, message string }{
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
		"a day":                 {strings.Replace(text, "`2021-01-28 17", "`2021-02-30 17", 1), "line 2, 交易时间", "is not a time"},
		"a currency":            {strings.Replace(text, "`CNY", "`RMB", 1), "line 2, 货币种类", `"RMB" is not a currency`},
		"a currency of none":    {strings.Replace(text, "`CNY", "`JPY", 1), "line 2, 货币种类", "two decimals"},
		"another merchant":      {strings.Replace(text, "`1601959334", "`1601959335", 1), "line 3, 商户号", "is another merchant"},
		"no summary":            {strings.Join(line[:4], ""), "line 4", "cut short"},
		"a summary cut off":     {strings.Join(line[:5], ""), "line 5", "cut short"},
		"another summary":       {strings.Replace(text, "总交易单数,应", "总交易单数,X应", 1), "line 5", "summary's header"},
		"rows after a summary":  {text + line[1], "line 7", "stands after the summary"},
		"a line without an end": {line[0] + strings.Repeat("`x,", 1<<16), "line 2", "longer than"},
		"another encoding":      {strings.Replace(text, "for testing", "\xb2\xe8", 1), "line 2", "encoding"},
	} {
		_, _, _, err := readText(test.text)
		var e *moongate.Error
		if !errors.As(err, &e) || e.Field != test.field || !strings.Contains(e.Message, test.message) || e.Code != moongate.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEverySumIsNamed: a summary with several wrong sums names each of them.
func TestEverySumIsNamed(t *testing.T) {
	text := wechatTrade(payment("a", 100, 1), payment("b", 200, 1))
	cut := strings.SplitAfter(text, "\n")
	_, _, _, err := readText(strings.Join(append(cut[:1:1], cut[2:]...), ""))
	for _, name := range []string{"总交易单数", "应结订单总金额", "手续费总金额", "订单总金额"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named: %v", name, err)
		}
	}
}

const fundRows = fundHeader + "\n" +
	"`2026-03-04 10:00:00,`4200000001,`7001,`交易,`交易,`收入,`100.00,`100.00,`system,`,`order-1\n" +
	"`2026-03-04 10:00:01,`4200000001,`7002,`交易,`扣除交易手续费,`支出,`0.60,`99.40,`system,`,`order-1\n" +
	"`2026-03-04 11:00:00,`5000000002,`4200000001,`退款,`退款,`支出,`49.70,`49.70,`1900000001API,`退款总金额50.00元;含手续费0.30元,`refund-1\n" +
	"`2026-03-04 12:00:00,`3000000003,`7003,`分账,`分账,`支出,`10.00,`39.70,`1900000001API,`,`split-1\n" +
	"`2026-03-04 23:59:59,`1000000004,`7004,`提现,`提现,`支出,`39.70,`0.00,`system,`,`\n" +
	fundSums + "\n`5,`1,`100.00,`4,`100.00\n"

func TestWeChatFund(t *testing.T) {
	head, rows, totals, err := readText(fundRows)
	if err != nil {
		t.Fatal(err)
	}
	if head.Kind != bill.Fund || head.Wallet != "wechatpay" {
		t.Errorf("%+v", head)
	}
	var kinds []string
	for _, r := range rows {
		kinds = append(kinds, r.Kind.String())
	}
	if got := strings.Join(kinds, " "); got != "payment fee refund split transfer" {
		t.Errorf("kinds: %s", got)
	}
	// The refund moved 49.70: 50.00 went back, and with it 0.30 of the fee.
	want := bill.Row{
		Line: 4, Kind: bill.Refund, At: at(2026, 3, 4, 11, 0, 0), No: "refund-1", Ref: "5000000002", Currency: money.CNY,
		Amount: -5_000, Settled: -5_000, Fee: -30_000, Type: "退款", Title: "退款",
	}
	if diff := cmp.Diff(want, rows[2]); diff != "" {
		t.Errorf("refund (-want +got):\n%s", diff)
	}
	if s := totals[money.CNY]; s.Fee != 30_000 || s.Transfers.Amount != -3_970 || s.Splits.Amount != -1_000 || s.Fees.Amount != -60 {
		t.Errorf("totals %+v", s)
	}
	if _, _, _, err := readText(strings.Replace(fundRows, "`5,`1,", "`5.0,`1.0,", 1)); err != nil {
		t.Errorf("counts with a decimal, as some bills write them: %v", err)
	}
}

// TestAlteredFund is TestAlteredBill for a fund-flow bill. A row that was taken out is the short bill that merchants
// have met.
func TestAlteredFund(t *testing.T) {
	line := strings.SplitAfter(fundRows, "\n")
	for name, test := range map[string]struct{ text, field, message string }{
		"a row less":      {strings.Replace(fundRows, line[2], "", 1), "line 7, 资金流水总笔数", `"5" does not hold: the rows add up to 4`},
		"another sum":     {strings.Replace(fundRows, "`4,`100.00", "`4,`100.01", 1), "line 8, 支出金额", "add up to 100.00"},
		"no direction":    {strings.Replace(fundRows, "`收入", "`", 1), "line 2, 收支类型", "neither"},
		"a sign":          {strings.Replace(fundRows, "`39.70,`0.00", "`-39.70,`0.00", 1), "line 6, 收支金额(元)", "negative"},
		"a balance":       {strings.Replace(fundRows, "`99.40", "`x", 1), "line 3, 账户结余(元)", "not a number"},
		"a header":        {strings.Replace(fundRows, "账户结余(元)", "结余", 1), "line 1", "header"},
		"no summary":      {strings.Join(line[:6], ""), "line 6", "cut short"},
		"a cell more":     {strings.Replace(fundRows, "`system", "`sys,`tem", 1), "line 2", "12 cells"},
		"without a tick":  {strings.Replace(fundRows, "`2026-03-04 10:00:01", "2026-03-04 10:00:01", 1), "line 3, 记账时间", "backtick"},
		"after the sums":  {fundRows + "`1\n", "line 9", "stands after"},
		"a time of night": {strings.Replace(fundRows, "23:59:59", "24:00:00", 1), "line 6, 记账时间", "is not a time"},
	} {
		_, _, _, err := readText(test.text)
		var e *moongate.Error
		if !errors.As(err, &e) || e.Field != test.field || !strings.Contains(e.Message, test.message) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSumsAreThoseOfTheRows writes bills with anything in them: they read whole, and add up to what was written.
func TestSumsAreThoseOfTheRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows []trade
		var paid, back, fees int64
		for i := range rapid.IntRange(0, 40).Draw(t, "rows") {
			amount, fee := rapid.Int64Range(1, 1e12).Draw(t, "amount"), rapid.Int64Range(0, 1e9).Draw(t, "fee")
			if rapid.Bool().Draw(t, "back") {
				rows, back, fees = append(rows, refund(fmt.Sprint(i), amount, fee)), back-amount, fees-fee
			} else {
				rows, paid, fees = append(rows, payment(fmt.Sprint(i), amount, fee)), paid+amount, fees+fee
			}
		}
		_, got, totals, err := readText(wechatTrade(rows...))
		if err != nil || len(got) != len(rows) {
			t.Fatalf("%d rows, %v", len(got), err)
		}
		if s := totals[money.CNY]; len(rows) > 0 && (s.Payments.Amount != paid || s.Refunds.Amount != back || s.Fee != 1000*fees) {
			t.Fatalf("%+v, want %d, %d and %d", s, paid, back, fees)
		}
	})
}

// TestReadingAllocatesLittle: a bill has a million lines, so a row takes its numbers alone, and no copy of its line.
func TestReadingAllocatesLittle(t *testing.T) {
	rows := make([]trade, 3_000)
	for i := range rows {
		rows[i] = payment(fmt.Sprintf("no-%d", i), 100, 1)
	}
	b, err := bill.Open(strings.NewReader(wechatTrade(rows...)), bill.Options{Brief: true})
	if err != nil {
		t.Fatal(err)
	}
	var row bill.Row
	if each := testing.AllocsPerRun(2_000, func() {
		if err := b.Next(&row); err != nil {
			t.Fatal(err)
		}
	}); each > 2 {
		t.Errorf("%v pieces of memory for a row of two numbers", each)
	}
	if row.Title != "" || row.Tag != "" || row.Type != "" || row.State != "SUCCESS" || row.No == "" || row.Ref == "" {
		t.Errorf("%+v", row)
	}
}
