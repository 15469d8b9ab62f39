package bill_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/money"
)

const (
	alipayHead = "#%s\r\n#账号：[20880000000000000156]\r\n#起始日期：[2026年03月04日 00:00:00]   终止日期：[2026年03月05日 00:00:00]\r\n#-----------------------------------------%s列表----------------------------------------\r\n"
	alipayEnd  = "#-----------------------------------------%s列表结束------------------------------------\r\n"
)

// alipayTrade is a day's business details: a payment with its fee, a refund that gave the fee back.
var alipayTrade = fmt.Sprintf(alipayHead, "支付宝业务明细查询", "业务明细") +
	"支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注\r\n" +
	"2026030422001400000000000001\t,order-1\t,交易\t,青瓷茶杯,2026-03-04 10:00:00,2026-03-04 10:00:30,\t,\t,\t,\t,*杨(137****2600)\t,20.00,19.00,0.00,0.00,0.00,1.00,0.00,,0.00\t,0.00,\t,-0.12,0.00,tag-1\r\n" +
	"2026030422001400000000000001\t,order-1\t,退款\t,青瓷茶杯,2026-03-04 10:00:00,2026-03-04 12:30:00,\t,\t,\t,\t,*杨(137****2600)\t,-5.00,-5.00,0.00,0.00,0.00,0.00,0.00,,0.00\t,0.00,refund-1\t,0.03,0.00,\r\n" +
	fmt.Sprintf(alipayEnd, "业务明细") +
	"#交易合计：1笔，商家实收共19.00元，商家优惠共1.00元\r\n#退款合计：1笔，商家实收退款共-5.00元，商家优惠退款共0.00元\r\n#导出时间：[2026年03月05日 05:46:49]\r\n"

// alipayFund is the same day's account details.
var alipayFund = fmt.Sprintf(alipayHead, "支付宝账务明细查询", "账务明细") +
	"账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,账户余额（元）,交易渠道,业务类型,备注\r\n" +
	"54632446537371\t,2026030422001400000000000001\t,order-1\t,青瓷茶杯\t,2026-03-04 10:00:30,*杨 (137****2600)\t,19.00,0.00,119.00,支付宝,在线支付,\r\n" +
	"54632446537372\t,2026030422001400000000000001\t,order-1\t,青瓷茶杯\t,2026-03-04 10:00:31,\t,0.00,-0.12,118.88,支付宝,收费,\r\n" +
	"54632446537373\t,2026030422001400000000000001\t,order-1\t,青瓷茶杯\t,2026-03-04 12:30:00,*杨 (137****2600)\t,0.00,-5.00,113.88,支付宝,交易退款,\r\n" +
	"54632446537374\t,2026030400000000000000000009\t,\t,\t,2026-03-04 22:00:00,\t,0.00,-100.00,13.88,支付宝,提现,\r\n" +
	fmt.Sprintf(alipayEnd, "账务明细") +
	"#支出合计：3笔，共-105.12元\r\n#收入合计：1笔，共19.00元\r\n#导出时间：[2026年03月05日 05:46:49]\r\n"

const (
	alipayTradeSummary = "#支付宝业务汇总查询\r\n#账号：[20880000000000000156]\r\n#------业务汇总列表------\r\n门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）\r\n合计\t,\t,1,1,15.00,14.00,0.00,1.00,0.00,-0.09,0.00,13.91\r\n#------业务汇总列表结束------\r\n"
	alipayFundSummary  = "#支付宝账务汇总查询\r\n类型,收入笔数,收入金额（+元）,支出笔数,支出金额（-元）,总金额（元）\r\n合计,1,19.00,3,-105.12,-86.12\r\n"
)

func inGBK(t testing.TB, text string) string {
	t.Helper()
	out, err := simplifiedchinese.GBK.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// archive packs files as Alipay does: named and written in GBK.
func archive(t testing.TB, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i, text := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: inGBK(t, fmt.Sprintf("20880000000000000156_20260304_业务明细_%d.csv", i)), NonUTF8: true, Method: zip.Deflate})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAlipayTrade(t *testing.T) {
	for encoding, text := range map[string]string{"utf-8": alipayTrade, "gbk": inGBK(t, alipayTrade)} {
		head, rows, totals, err := readText(text)
		if err != nil {
			t.Fatal(err)
		}
		want := bill.Head{
			Wallet: "alipay", Kind: bill.Trade, Encoding: encoding, Account: "20880000000000000156", Sealed: true,
			From: at(2026, 3, 4, 0, 0, 0), To: at(2026, 3, 5, 0, 0, 0),
		}
		if diff := cmp.Diff(want, head); diff != "" {
			t.Errorf("head (-want +got):\n%s", diff)
		}
		// The merchant gave a yuan off: the shopper's order was 20, and 19 reach the account.
		row := bill.Row{
			Line: 6, Kind: bill.Payment, At: at(2026, 3, 4, 10, 0, 30), No: "order-1", Ref: "2026030422001400000000000001", Order: "order-1",
			OrderRef: "2026030422001400000000000001", Currency: money.CNY, Amount: 2_000, Settled: 1_900, Fee: 12_000, Coupon: 100,
			Type: "交易", Tag: "tag-1", Title: "青瓷茶杯",
		}
		if diff := cmp.Diff(row, rows[0]); diff != "" {
			t.Errorf("row (-want +got):\n%s", diff)
		}
		if s := totals[money.CNY]; s.Fee != 9_000 || s.Settled != 1_400 || rows[1].Fee != -3_000 || rows[1].No != "refund-1" {
			t.Errorf("totals %+v", s)
		}
	}
}

func TestAlipayFund(t *testing.T) {
	head, rows, totals, err := readText(inGBK(t, alipayFund))
	if err != nil || head.Kind != bill.Fund || head.Encoding != "gbk" {
		t.Fatalf("%+v, %v", head, err)
	}
	var kinds []string
	for _, r := range rows {
		kinds = append(kinds, fmt.Sprintf("%s %s %d", r.Kind, r.Order, r.Amount))
	}
	if diff := cmp.Diff([]string{"payment order-1 1900", "fee order-1 -12", "refund order-1 -500", "transfer  -10000"}, kinds); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if s := totals[money.CNY]; s.Fee != 12_000 || s.Settled != 1900-12-500-10000 {
		t.Errorf("totals %+v", s)
	}
}

// TestAlipayArchive reads details and summary out of a zip, in whatever order they lie in it.
func TestAlipayArchive(t *testing.T) {
	for name, files := range map[string][]string{
		"details first":  {inGBK(t, alipayTrade), inGBK(t, alipayTradeSummary)},
		"summary first":  {inGBK(t, alipayTradeSummary), inGBK(t, alipayTrade)},
		"without":        {inGBK(t, alipayTrade)},
		"of the account": {inGBK(t, alipayFund), inGBK(t, alipayFundSummary)},
	} {
		head, rows, _, err := read(bytes.NewReader(archive(t, files...)), bill.Options{})
		if err != nil || head.Packed != "zip" || head.Wallet != "alipay" || len(rows) < 2 {
			t.Errorf("%s: %+v with %d rows, %v", name, head, len(rows), err)
		}
	}
	whole := archive(t, inGBK(t, alipayTrade), inGBK(t, alipayTradeSummary))
	damaged := bytes.Clone(whole)
	damaged[bytes.LastIndex(damaged, []byte("PK\x03\x04"))+200] ^= 0xff // in the packed summary
	for name, test := range map[string]struct {
		in   io.Reader
		says string
	}{
		"a summary of another day": {bytes.NewReader(archive(t, inGBK(t, alipayTrade), inGBK(t, strings.Replace(alipayTradeSummary, ",1,1,", ",2,1,", 1)))), `"2" does not hold: the details add up to 1`},
		"a sum of another day":     {bytes.NewReader(archive(t, inGBK(t, alipayFund), inGBK(t, strings.Replace(alipayFundSummary, "19.00", "19.01", 1)))), "add up to 19.00"},
		"a summary cut short":      {bytes.NewReader(archive(t, inGBK(t, alipayTrade), inGBK(t, alipayTradeSummary)[:150])), "cut short"},
		"two with details":         {bytes.NewReader(archive(t, inGBK(t, alipayTrade), inGBK(t, alipayFund))), "two files with details"},
		"a summary alone":          {bytes.NewReader(archive(t, inGBK(t, alipayTradeSummary))), "no bill that is known"},
		"cut short":                {bytes.NewReader(whole[:len(whole)-30]), "damaged or cut short"},
		"damaged":                  {bytes.NewReader(damaged), ""},
		"a stream":                 {struct{ io.Reader }{bytes.NewReader(whole)}, "from a stream"},
	} {
		_, _, _, err := read(test.in, bill.Options{})
		var e *moongate.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAlteredAlipay changes a bill in one place each.
func TestAlteredAlipay(t *testing.T) {
	line := strings.SplitAfter(alipayTrade, "\r\n")
	for name, test := range map[string]struct{ text, field, message string }{
		"a row less":        {strings.Replace(alipayTrade, line[6], "", 1), "line 9, 退款合计", `"1笔" does not hold: there are 0`},
		"an amount":         {strings.Replace(alipayTrade, ",19.00,0.00", ",19.01,0.00", 1), "line 9, 交易合计", `does not hold: the rows add up to 19.01`},
		"a discount":        {strings.Replace(alipayTrade, "商家优惠共1.00", "商家优惠共2.00", 1), "line 9, 交易合计", "add up to 1.00"},
		"no sums":           {strings.Join(line[:8], ""), "line 8", "without its 交易合计"},
		"half the sums":     {strings.Join(line[:9], ""), "line 9", "without its 退款合计"},
		"no end":            {strings.Join(line[:7], ""), "line 7", "cut short"},
		"another end":       {strings.Replace(alipayTrade, "业务明细列表结束", "账务明细列表结束", 1), "line 8", "ends with 业务明细列表结束"},
		"a refund paid in":  {strings.Replace(alipayTrade, "-5.00,-5.00", "5.00,5.00", 1), "line 7, 订单金额（元）", "is not negative"},
		"a kind":            {strings.Replace(alipayTrade, "退款\t", "换货\t", 1), "line 7, 业务类型", "neither"},
		"a cell more":       {strings.Replace(alipayTrade, "青瓷茶杯", "青瓷,茶杯", 1), "line 6", "26 cells where the header has 25"},
		"no amount":         {strings.Replace(alipayTrade, ",20.00,19.00", ",,19.00", 1), "line 6, 订单金额（元）", "empty"},
		"a time":            {strings.Replace(alipayTrade, "10:00:30", "10:60:30", 1), "line 6, 完成时间", "is not a time"},
		"a row behind":      {alipayTrade + line[5], "line 12", "stands after the list"},
		"a period":          {strings.Replace(alipayTrade, "03月05日 00", "13月05日 00", 1), "line 3", "is not a time"},
		"the account's":     {strings.Replace(alipayFund, "共19.00元", "共19.10元", 1), "line 12, 收入合计", "add up to 19.00"},
		"the account's two": {strings.Replace(alipayFund, "19.00,0.00,119.00", "19.00,-1.00,119.00", 1), "line 6, 收入金额（+元）", "no income"},
	} {
		_, _, _, err := readText(test.text)
		var e *moongate.Error
		if !errors.As(err, &e) || e.Field != test.field || !strings.Contains(err.Error(), test.message) || e.Code != moongate.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCutAlipayFailsWhole cuts a bill at every byte. Only what stands after both sums may be missing, if no character is
// cut in two.
func TestCutAlipayFailsWhole(t *testing.T) {
	text := inGBK(t, alipayTrade)
	whole := strings.Index(text, inGBK(t, "#导出时间")) - len("\r\n")
	for n := range text {
		_, rows, _, err := readText(text[:n])
		if err == nil && n < whole || err != nil && n >= whole && !strings.Contains(err.Error(), "encoding") {
			t.Fatalf("cut at byte %d of %d, sums until %d: %d rows, %v", n, len(text), whole, len(rows), err)
		}
	}
}
