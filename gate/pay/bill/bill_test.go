package bill_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/money"
)

// read reads a bill whole. After an error Next must give it again.
func read(r io.Reader, o bill.Options) (bill.Head, []bill.Row, bill.Totals, error) {
	b, err := bill.Open(r, o)
	if err != nil {
		return bill.Head{}, nil, nil, err
	}
	var rows []bill.Row
	for {
		var row bill.Row
		err := b.Next(&row)
		if err == nil {
			rows = append(rows, row)
			continue
		}
		if again := b.Next(&row); !errors.Is(again, err) {
			return b.Head(), nil, nil, fmt.Errorf("after %w, Next says %w", err, again)
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		if n := b.Rows(); n != int64(len(rows)) && err == nil {
			err = fmt.Errorf("%d rows, and %d were given", n, len(rows))
		}
		return b.Head(), rows, b.Totals(), err
	}
}

func readText(text string) (bill.Head, []bill.Row, bill.Totals, error) {
	return read(strings.NewReader(text), bill.Options{})
}

// real is a wallet's own file, which is too much another's to keep here.
func real(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("MOONGATE_DATA")
	if dir == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("MOONGATE_DATA is not set, and this is CI")
		}
		t.Skip("set MOONGATE_DATA to the folder with public data sets")
	}
	text, err := os.ReadFile(filepath.Join(dir, "bills", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func at(y, mo, d, h, mi, s int) moongate.Time {
	return moongate.At(time.Date(y, time.Month(mo), d, h, mi, s, 0, time.FixedZone("", 8*3600)))
}

// TestRealBills reads what the wallets made themselves: the kind, how many rows, and what they come to.
func TestRealBills(t *testing.T) {
	for name, want := range map[string]struct {
		wallet, layout, encoding, account string
		kind                              bill.Kind
		rows                              int
		payments, refunds                 bill.Sum
	}{
		"wechatpay-merchant/tradebill_ALL_20210128.csv":              {"wechatpay", "all", "utf-8", "1601959334", bill.Trade, 3, bill.Sum{Rows: 3, Amount: 3}, bill.Sum{}},
		"wechatpay-merchant/tradebill_SUCCESS_20210201.csv":          {"wechatpay", "success", "utf-8", "1601959334", bill.Trade, 1, bill.Sum{Rows: 1, Amount: 1}, bill.Sum{}},
		"wechatpay-merchant/tradebill_REFUND_20210201.csv":           {"wechatpay", "refund", "utf-8", "1601959334", bill.Trade, 2, bill.Sum{}, bill.Sum{Rows: 2, Amount: -2}},
		"alipay-merchant-format/alipay_business_detail_20190916.csv": {"alipay", "", "utf-8", "20880211096256330156", bill.Trade, 10, bill.Sum{Rows: 6, Amount: 6}, bill.Sum{Rows: 4, Amount: -4}},
	} {
		head, rows, totals, err := read(bytes.NewReader(real(t, name)), bill.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if head.Wallet != want.wallet || head.Layout != want.layout || head.Kind != want.kind || head.Encoding != want.encoding || head.Account != want.account || !head.Sealed || len(rows) != want.rows {
			t.Errorf("%s: %+v with %d rows", name, head, len(rows))
		}
		if s := totals[money.CNY]; len(totals) != 1 || s.Payments != want.payments || s.Refunds != want.refunds || s.Settled != want.payments.Amount+want.refunds.Amount {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestRealRows looks at one row of each real bill, field by field. The hash is the one that WeChat Pay's API gave.
func TestRealRows(t *testing.T) {
	text := real(t, "wechatpay-merchant/tradebill_ALL_20210128.csv")
	digest := sha256.New()
	_, rows, _, err := read(bytes.NewReader(text), bill.Options{Hash: "sha1:dcd7ceb3d382a1181798368bb15d8437de46c00f", Digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(text); !bytes.Equal(digest.Sum(nil), want[:]) {
		t.Errorf("digest %x, want %x", digest.Sum(nil), want)
	}
	payment := bill.Row{
		Line: 2, Kind: bill.Payment, At: at(2021, 1, 28, 17, 7, 11), No: "S20210128170702357723", Ref: "4200000925202101284997714292",
		Order: "S20210128170702357723", OrderRef: "4200000925202101284997714292", Currency: money.CNY, Amount: 1, Settled: 1, Rate: "1.00%",
		State: "SUCCESS", Type: "NATIVE", Tag: "cipher code", Title: "for testing",
	}
	if diff := cmp.Diff(payment, rows[0]); diff != "" {
		t.Errorf("payment (-want +got):\n%s", diff)
	}
	_, rows, _, err = read(bytes.NewReader(real(t, "wechatpay-merchant/tradebill_REFUND_20210201.csv")), bill.Options{})
	if err != nil {
		t.Fatal(err)
	}
	refund := bill.Row{
		Line: 2, Kind: bill.Refund, At: at(2021, 2, 1, 14, 33, 21), Done: at(2021, 2, 1, 14, 33, 24), No: "S20210201143320649393",
		Ref: "50300807172021020106006664916", Order: "S20210124161554311546", OrderRef: "4200000844202101245866928772", Currency: money.CNY,
		Amount: -1, Settled: -1, Rate: "1.00%", State: "SUCCESS", Type: "NATIVE", Tag: "cipher code", Title: "for testing",
	}
	if diff := cmp.Diff(refund, rows[0]); diff != "" {
		t.Errorf("refund (-want +got):\n%s", diff)
	}
	head, rows, _, err := read(bytes.NewReader(real(t, "alipay-merchant-format/alipay_business_detail_20190916.csv")), bill.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if head.From != at(2019, 9, 16, 0, 0, 0) || head.To-head.From != moongate.Day {
		t.Errorf("period %s to %s", head.From, head.To)
	}
	refund = bill.Row{
		Line: 7, Kind: bill.Refund, At: at(2019, 9, 16, 10, 56, 48), No: "re_test_1568602607356", Order: "service_1568601259302",
		OrderRef: "2019091622001458860515315453", Currency: money.CNY, Amount: -1, Settled: -1, Type: "退款", Title: "下单测试",
	}
	if diff := cmp.Diff(refund, rows[1]); diff != "" {
		t.Errorf("Alipay's refund (-want +got):\n%s", diff)
	}
}

// TestHash: a bill with another hash than the wallet published is not used, though its own sums hold.
func TestHash(t *testing.T) {
	text := wechatTrade(payment("order-1", 1999, 12), payment("order-2", 100, 1))
	sum1, sum256 := sha1.Sum([]byte(text)), sha256.Sum256([]byte(text))
	for hash, want := range map[string]string{
		"sha1:" + hex.EncodeToString(sum1[:]):                                                         "",
		"sha256:" + hex.EncodeToString(sum256[:]):                                                     "",
		"SHA1:" + strings.ToUpper(hex.EncodeToString(sum1[:])):                                        "",
		"sha1:" + strings.Repeat("00", 20):                                                            "is expected",
		"sha256:" + hex.EncodeToString(sum1[:]):                                                       "is no digest",
		"md5:d41d8cd98f00b204e9800998ecf8427e":                                                        "is no digest",
		hex.EncodeToString(sum1[:]):                                                                   "is no digest",
		"sha1:" + strings.Replace(hex.EncodeToString(sum1[:]), hex.EncodeToString(sum1[:1]), "zz", 1): "is no digest",
	} {
		_, _, _, err := read(strings.NewReader(text), bill.Options{Hash: hash})
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || moongate.CodeOf(err) != moongate.Malformed) {
			t.Errorf("%s: %v", hash, err)
		}
	}
	var packed bytes.Buffer // the hash is of the text, however it is packed
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	head, rows, _, err := read(&packed, bill.Options{Hash: "sha1:" + hex.EncodeToString(sum1[:])})
	if err != nil || head.Packed != "gzip" || len(rows) != 2 {
		t.Errorf("packed: %+v with %d rows, %v", head, len(rows), err)
	}
}

// TestNoBill: what is no bill is refused with what to do about it.
func TestNoBill(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		code moongate.Code
		says string
	}{
		"nothing":             {"", moongate.Malformed, "empty"},
		"a letter":            {"Dear shop,\nplease find …\n", moongate.Refused, "no bill that is known"},
		"a picture":           {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", moongate.Refused, "no bill"},
		"UTF-16":              {"\xff\xfe\xa4\x4e", moongate.Refused, "UTF-16"},
		"gzip cut short":      {"\x1f\x8b\x08", moongate.Malformed, "not gzip"},
		"a zip cut short":     {"PK\x03\x04\x14\x00", moongate.Malformed, "damaged or cut short"},
		"the summary alone":   {"#支付宝业务汇总查询\n#账号：[2088]\n门店编号\n", moongate.Refused, "the summary alone"},
		"comments alone":      {"# a\n# b\n", moongate.Malformed, "cut short"},
		"a table of somebody": {"#支付宝业务明细查询\nid,name\n1,x\n", moongate.Malformed, "no column 支付宝交易号"},
		"a report":            {"balance_transaction_id,created_utc,currency\n", moongate.Malformed, "no column gross"},
		"an endless line":     {strings.Repeat("交易时间,", 1<<16), moongate.Malformed, "longer than"},
	} {
		_, _, _, err := readText(test.text)
		if moongate.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
