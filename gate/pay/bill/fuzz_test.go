package bill_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/money"
)

// fuzz holds for every parser: whatever the bytes, no panic; a bill that reads whole reads the same again, and its
// totals are those of its rows.
func fuzz(f *testing.F, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		head, rows, totals, err := read(bytes.NewReader(text), bill.Options{})
		if err != nil {
			return
		}
		count, settled := int64(0), map[money.Currency]int64{}
		for _, r := range rows {
			settled[r.Currency] += r.Settled
			if r.Kind == 0 || r.Line < 2 || r.At == 0 && r.Currency.IsZero() {
				t.Errorf("row %+v", r)
			}
		}
		for c, s := range totals {
			for k := bill.Payment; k <= bill.Neutral; k++ {
				count += s.Of(k).Rows
			}
			if s.Settled != settled[c] {
				t.Errorf("%s: settled %d, the rows %d", c, s.Settled, settled[c])
			}
		}
		if count != int64(len(rows)) {
			t.Errorf("%d rows counted of %d", count, len(rows))
		}
		again, rows2, _, err := read(bytes.NewReader(text), bill.Options{})
		if err != nil || again != head || fmt.Sprint(rows) != fmt.Sprint(rows2) {
			t.Errorf("read again: %+v with %d rows, %v; before %+v with %d", again, len(rows2), err, head, len(rows))
		}
	})
}

func FuzzWeChatTrade(f *testing.F) {
	all := wechatTrade(payment("a", 100, 1), refund("b", 50, 0))
	fuzz(f, all, strings.ReplaceAll(all, "\r\n", "\n"), all[:len(all)/2], strings.Replace(all, "CNY", "USD", 1))
}

func FuzzWeChatFund(f *testing.F) { fuzz(f, fundRows, fundRows[:len(fundRows)/2]) }

func FuzzAlipay(f *testing.F) {
	fuzz(f, alipayTrade, inGBK(f, alipayTrade), alipayFund, inGBK(f, alipayFund))
}

func FuzzArchive(f *testing.F) {
	fuzz(f, string(archive(f, inGBK(f, alipayTrade), inGBK(f, alipayTradeSummary))), string(archive(f, inGBK(f, alipayFund), inGBK(f, alipayFundSummary))))
}

func FuzzStripe(f *testing.F) { fuzz(f, stripeReport) }

func FuzzPersonal(f *testing.F) {
	fuzz(f, "微信支付账单明细,,\n共1笔记录,,\n交易时间,交易类型,交易对方,商品,收/支,金额(元)\n2026-03-04 10:00:00,\"a\"\"b\",c,d,支出,¥1.00\n", "支付宝账户：x\n交易时间,交易分类,交易对方,收/支,金额\n2026-03-04 10:00:00,a,b,收入,1.00(已退款0.50)\n")
}

// long is a trade bill of many rows that is never in memory.
type long struct {
	row         []byte
	rows, wrote int
	buf         []byte
	head, tail  string
}

func newLong(rows int) *long {
	text := strings.SplitAfter(wechatTrade(payment("order-000001", 100, 1)), "\r\n")
	sums := fmt.Sprintf("`%d,`%s,`0.00,`0.00,`%s000,`%s,`0.00\r\n", rows, yuan(100*int64(rows)), yuan(int64(rows)), yuan(100*int64(rows)))
	return &long{row: []byte(text[1]), rows: rows, head: text[0], tail: text[2] + sums}
}

func (l *long) Read(p []byte) (int, error) {
	for len(l.buf) == 0 {
		switch {
		case l.head != "":
			l.buf, l.head = []byte(l.head), ""
		case l.wrote < l.rows:
			l.buf = l.row
			l.wrote++
		case l.tail != "":
			l.buf, l.tail = []byte(l.tail), ""
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, l.buf)
	l.buf = l.buf[n:]
	return n, nil
}

// TestMillionLinesInBoundedMemory reads a bill of 300 MB in less than 4 MB.
func TestMillionLinesInBoundedMemory(t *testing.T) {
	rows := 1_000_000
	if testing.Short() {
		rows = 100_000
	}
	b, err := bill.Open(newLong(rows), bill.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := uint64(0)
	var row bill.Row
	for err == nil {
		if err = b.Next(&row); b.Rows()%100_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	}
	if err != io.EOF || b.Rows() != int64(rows) { //nolint:errorlint // exactly this
		t.Fatalf("%d rows, %v", b.Rows(), err)
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
}

// BenchmarkCSV is what reading such lines costs at the least: encoding/csv of the same text.
func BenchmarkCSV(b *testing.B) {
	const rows = 10_000
	var text bytes.Buffer
	if _, err := io.Copy(&text, newLong(rows)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		r := csv.NewReader(bytes.NewReader(text.Bytes()))
		r.ReuseRecord, r.FieldsPerRecord, r.LazyQuotes = true, -1, true
		n := 0
		for {
			if _, err := r.Read(); err != nil {
				break
			}
			n++
		}
		if n != rows+3 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkNext(b *testing.B) {
	const rows = 10_000
	var text bytes.Buffer
	if _, err := io.Copy(&text, newLong(rows)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		bl, err := bill.Open(bytes.NewReader(text.Bytes()), bill.Options{})
		if err != nil {
			b.Fatal(err)
		}
		var row bill.Row
		for err == nil {
			err = bl.Next(&row)
		}
		if bl.Rows() != rows {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}
