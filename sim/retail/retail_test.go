package retail_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/sim/retail"
)

const (
	head     = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
	headII   = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
	sold     = "536365,85123A,\"HEART, WHITE\",6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"
	soldToo  = "536365,71053,LANTERN,6,2010-12-01 08:26:00,3.39,17850,United Kingdom\n"
	returned = "C536366,85123A,\"HEART, WHITE\",-2,2010-12-02 10:00:00,2.55,17850,United Kingdom\n"
)

func TestNext(t *testing.T) {
	want := []retail.Invoice{
		{
			Number: "536365", Part: 1, Time: at("2010-12-01T08:26:00Z"), Customer: "17850", Country: "United Kingdom", Pence: 3564,
			Lines: []retail.Line{
				{Number: 2, Stock: "85123A", Description: "HEART, WHITE", Quantity: 6, Price: 25500, Pence: 1530},
				{Number: 3, Stock: "71053", Description: "LANTERN", Quantity: 6, Price: 33900, Pence: 2034},
			},
		},
		{
			Number: "C536366", Part: 1, Cancellation: true, Time: at("2010-12-02T10:00:00Z"), Customer: "17850", Country: "United Kingdom", Pence: 510,
			Lines: []retail.Line{{
				Number: 4, Stock: "85123A", Description: "HEART, WHITE", Quantity: 2, Price: 25500, Pence: 510,
				Against: []retail.Refund{{Invoice: "536365", Part: 1, Line: 2, Quantity: 2, Pence: 510}},
			}},
		},
	}
	month := strings.NewReplacer("2010-12-01 08:26:00", "12/1/2010 8:26", "2010-12-02 10:00:00", "12/2/2010 10:00", "17850", "17850.0")
	for name, in := range map[string]string{
		"2010–11":         head + sold + soldToo + returned,
		"2009–10":         headII + sold + soldToo + returned,
		"a spreadsheet's": "\xef\xbb\xbf" + strings.ReplaceAll(month.Replace(headII+sold+soldToo+returned), "\n", "\r\n"),
		"small letters":   head + sold + soldToo + strings.Replace(returned, "C536366", " c536366", 1),
	} {
		t.Run(name, func(t *testing.T) {
			invoices, report := readAll(t, in)
			if diff := cmp.Diff(want, invoices); diff != "" {
				t.Error(diff)
			}
			wantReport := retail.Report{
				Lines: 3, Used: 3, Refused: map[retail.Reason]int64{}, FirstLine: map[retail.Reason]int{},
				Sales: 1, Cancellations: 1, SoldPence: 3564, RefundedPence: 510,
			}
			if diff := cmp.Diff(wantReport, report); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefusedLines(t *testing.T) {
	for _, c := range []struct {
		line string
		want retail.Reason
	}{
		{"536370,1,too,few", retail.Malformed},
		{"536370,22,\"open,1,2010-12-01 09:00:00,1.00,1,UK", retail.Malformed},
		{"536370,22," + strings.Repeat("x", 70_000) + ",1,2010-12-01 09:00:00,1.00,1,UK", retail.Malformed},
		{",22,x,1,2010-12-01 09:00:00,1.00,1,UK", retail.InvoiceMalformed},
		{"B536370,22,x,1,2010-12-01 09:00:00,1.00,1,UK", retail.InvoiceMalformed},
		{"C,22,x,1,2010-12-01 09:00:00,1.00,1,UK", retail.InvoiceMalformed},
		{"5363701234567,22,x,1,2010-12-01 09:00:00,1.00,1,UK", retail.InvoiceMalformed},
		{"A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,United Kingdom", retail.AdjustBadDebt},
		{"A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.06,,United Kingdom", retail.AdjustBadDebt},
		{"536370,,x,1,2010-12-01 09:00:00,1.00,1,UK", retail.StockMalformed},
		{"536370,22\t3,x,1,2010-12-01 09:00:00,1.00,1,UK", retail.StockMalformed},
		{"536370,22,x,1,2010-12-01 09:00:00,1.00,Smith,UK", retail.CustomerMalformed},
		{"536370,22,x,1,2010-12-01 09:00:00,1.00,1," + strings.Repeat("k", 65), retail.CustomerMalformed},
		{"536370,22,x,1,yesterday,1.00,1,UK", retail.DateMalformed},
		{"536370,22,x,1,13/1/2010 9:00,1.00,1,UK", retail.DateMalformed},
		{"536370,22,x,1,9999-01-01 00:00:00,1.00,1,UK", retail.DateMalformed},
		{"536370,22,x,1.5,2010-12-01 09:00:00,1.00,1,UK", retail.QuantityMalformed},
		{"536370,22,x,NaN,2010-12-01 09:00:00,1.00,1,UK", retail.QuantityMalformed},
		{"536370,22,x,10000001,2010-12-01 09:00:00,1.00,1,UK", retail.QuantityMalformed},
		{"536370,22,x,0,2010-12-01 09:00:00,1.00,1,UK", retail.QuantityZero},
		{"C536370,22,x,1,2010-12-01 09:00:00,1.00,1,UK", retail.CancellationPositive},
		{"536589,21777,,-10,2010-12-01 16:50:00,0.0,,United Kingdom", retail.StockAdjustment},
		{"536370,22,x,1,2010-12-01 09:00:00,NaN,1,UK", retail.PriceMalformed},
		{"536370,22,x,1,2010-12-01 09:00:00,1e3,1,UK", retail.PriceMalformed},
		{"536370,22,x,1,2010-12-01 09:00:00,99999999999999999999,1,UK", retail.PriceMalformed},
		{"536370,22,x,1,2010-12-01 09:00:00,0.0,1,UK", retail.PriceZero},
		{"536370,22,x,1,2010-12-01 09:00:00,-1,1,UK", retail.PriceNegative},
		{"550193,PADS,PADS TO MATCH ALL CUSHIONS,1,2011-04-15 09:27:00,0.001,13952,United Kingdom", retail.AmountZero},
		{"536370,22,x,10000000,2010-12-01 09:00:00,10000000,1,UK", retail.AmountTooLarge},
		{"C536370,22,x,-1,2010-12-01 09:00:00,1.00,,UK", retail.CancellationWithoutCustomer},
		{"C536370,22,x,-1,2010-12-01 09:00:00,1.00,1,UK", retail.OriginalNotFound},
		{"536365,22,x,1,2010-12-01 09:00:00,1.00,12346,United Kingdom", retail.CustomerDiffers},
		{"536365,22,x,1,2010-12-01 09:00:00,1.00,17850,France", retail.CustomerDiffers},
	} {
		t.Run(fmt.Sprintf("%s/%.30s", c.want, c.line), func(t *testing.T) {
			_, report := readAll(t, head+sold+c.line+"\n"+strings.ReplaceAll(soldToo, "536365", "536399"))
			want := retail.Report{
				Lines: 3, Used: 2, Refused: map[retail.Reason]int64{c.want: 1}, FirstLine: map[retail.Reason]int{c.want: 3},
				Sales: 2, SoldPence: 3564,
			}
			if diff := cmp.Diff(want, report); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCancellations(t *testing.T) {
	sale := func(invoice, quantity, date, price string) string {
		return fmt.Sprintf("%s,22,x,%s,%s,%s,1,UK\n", invoice, quantity, date, price)
	}
	for _, c := range []struct{ name, in, want string }{
		{
			"the latest sale that has enough",
			sale("1", "6", "2011-01-01 09:00:00", "1.00") + sale("2", "6", "2011-01-02 09:00:00", "1.00") + sale("3", "2", "2011-01-03 09:00:00", "1.00") + sale("C4", "-5", "2011-01-04 09:00:00", "1.00"),
			"C4: 5 pieces of 2 for 500",
		},
		{
			"the latest sales together where none has enough",
			sale("1", "6", "2011-01-01 09:00:00", "1.00") + sale("2", "6", "2011-01-02 09:00:00", "1.00") + sale("3", "2", "2011-01-03 09:00:00", "1.00") + sale("C4", "-7", "2011-01-04 09:00:00", "1.00"),
			"C4: 2 pieces of 3 for 200, 5 pieces of 2 for 500",
		},
		{
			"not more than was sold, and then nothing at all",
			sale("1", "6", "2011-01-01 09:00:00", "1.00") + sale("C2", "-4", "2011-01-02 09:00:00", "1.00") + sale("C3", "-3", "2011-01-03 09:00:00", "1.00") + sale("C4", "-2", "2011-01-04 09:00:00", "1.00"),
			"C2: 4 pieces of 1 for 400; C4: 2 pieces of 1 for 200; original_not_found 1",
		},
		{
			"not at another price",
			sale("1", "6", "2011-01-01 09:00:00", "1.00") + sale("C2", "-4", "2011-01-02 09:00:00", "1.01"),
			"original_not_found 1",
		},
		{
			"not a sale of a later time",
			sale("1", "6", "2011-01-03 09:00:00", "1.00") + sale("C2", "-4", "2011-01-02 09:00:00", "1.00"),
			"original_not_found 1",
		},
		{
			"not a sale further down",
			sale("C2", "-4", "2011-01-02 09:00:00", "1.00") + sale("1", "6", "2011-01-02 09:00:00", "1.00"),
			"original_not_found 1",
		},
		{
			"a line of odd pence is given back whole, in steps", // 3 × 0.1250 = 37.5, rounded up to 38
			sale("1", "3", "2011-01-01 09:00:00", "0.125") + sale("C2", "-1", "2011-01-02 09:00:00", "0.125") + sale("C3", "-1", "2011-01-02 09:00:00", "0.125") + sale("C4", "-1", "2011-01-02 09:00:00", "0.125"),
			"C2: 1 pieces of 1 for 12; C3: 1 pieces of 1 for 13; C4: 1 pieces of 1 for 13",
		},
		{
			"a refund of no pence is none", // 2 × 0.006 is a penny: the first piece back is worth half of it, rounded down
			sale("1", "2", "2011-01-01 09:00:00", "0.006") + sale("C2", "-1", "2011-01-02 09:00:00", "0.006") + sale("C3", "-1", "2011-01-02 09:00:00", "0.006"),
			"C3: 1 pieces of 1 for 1; amount_zero 1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			invoices, report := readAll(t, head+c.in)
			var got []string
			for _, invoice := range invoices {
				for _, line := range invoice.Lines {
					var refunds []string
					for _, r := range line.Against {
						refunds = append(refunds, fmt.Sprintf("%d pieces of %s for %d", r.Quantity, r.Invoice, r.Pence))
					}
					if invoice.Cancellation {
						got = append(got, invoice.Number+": "+strings.Join(refunds, ", "))
					}
				}
			}
			for reason, n := range report.Refused {
				got = append(got, fmt.Sprintf("%s %d", reason, n))
			}
			if diff := cmp.Diff(c.want, strings.Join(got, "; ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRemember(t *testing.T) {
	var in strings.Builder
	in.WriteString(head)
	for i := range 4 {
		fmt.Fprintf(&in, "%d,%d,x,1,2011-01-01 09:00:00,1.00,1,UK\n", i, i)
	}
	for i := range 4 {
		fmt.Fprintf(&in, "C1%d,%d,x,-1,2011-01-02 09:00:00,1.00,1,UK\n", i, i)
	}
	r, err := retail.New("sales.csv", strings.NewReader(in.String()), retail.Options{Remember: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := drain(r); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if report := r.Report(); report.Cancellations != 3 || report.Refused[retail.OriginalNotFound] != 1 {
		t.Errorf("three sales are remembered, the report says %+v", report)
	}
	if _, err := retail.New("sales.csv", strings.NewReader(head), retail.Options{Remember: -1}); moongate.CodeOf(err) != moongate.Malformed {
		t.Errorf("a negative number to remember: %v", err)
	}
}

// TestInterrupted: the real file has an invoice with another's lines in between, and the two sheets of the second
// workbook overlap by nine days.
func TestInterrupted(t *testing.T) {
	between := strings.ReplaceAll(sold, "536365", "536300")
	invoices, report := readAll(t, head+sold+between+soldToo+sold+between)
	var got []string
	for _, invoice := range invoices {
		got = append(got, fmt.Sprintf("%s part %d: %d", invoice.Number, invoice.Part, len(invoice.Lines)))
	}
	// Lines 4 and 5 are one run, so another part; line 6 says again what line 3 said.
	if diff := cmp.Diff([]string{"536365 part 1: 1", "536300 part 1: 1", "536365 part 2: 2"}, got); diff != "" {
		t.Error(diff)
	}
	if report.Refused[retail.RepeatedInvoice] != 1 || report.Used != 4 {
		t.Errorf("%+v", report)
	}
}

func TestLongInvoiceComesInParts(t *testing.T) {
	var in strings.Builder
	in.WriteString(head)
	for i := range retail.MaxInvoiceLines + 5 {
		fmt.Fprintf(&in, "1,%d,x,1,2011-01-01 09:00:00,1.00,1,UK\n", i)
	}
	invoices, _ := readAll(t, in.String())
	if len(invoices) != 2 || len(invoices[0].Lines) != retail.MaxInvoiceLines || len(invoices[1].Lines) != 5 || invoices[1].Part != 2 {
		t.Errorf("%d invoices", len(invoices))
	}
}

func TestLatin1(t *testing.T) {
	invoices, _ := readAll(t, head+"1,22,\"\xa310 voucher\",1,2011-01-01 09:00:00,1.00,1,UK\n2,22,\"£10 voucher\",1,2011-01-01 09:00:00,1.00,1,UK\n")
	if len(invoices) != 2 || invoices[0].Lines[0].Description != "£10 voucher" || invoices[1].Lines[0].Description != "£10 voucher" {
		t.Errorf("%+v", invoices)
	}
}

func TestBrokenFile(t *testing.T) {
	r, err := retail.New("sales.csv", io.MultiReader(strings.NewReader(head+sold+soldToo), brokenReader{}), retail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	invoices, err := drain(r)
	want := "sales.csv:4: the file cannot be read on: the disk is gone; it is cut short or damaged; fetch it again"
	if len(invoices) != 1 || err == nil || err.Error() != want {
		t.Errorf("got %d invoices and %v, want 1 and %s", len(invoices), err, want)
	}
	if _, again := r.Next(); again == nil || again.Error() != want {
		t.Errorf("then %v", again)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

// TestRealInvoices reads a year of a real shop and adds it up a second way.
func TestRealInvoices(t *testing.T) {
	if testing.Short() {
		t.Skip("half a million lines")
	}
	f, err := os.Open(filepath.Join(dataDir(t, "online-retail-cc0"), "online_retail_2010-2011.csv.bz2"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := retail.New("online_retail_2010-2011.csv.bz2", f, retail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var lines, parts int64
	remaining := map[string]int64{} // pence of each sale line that are not refunded
	var last int
	for {
		invoice, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if invoice.Part > 1 {
			parts++
		}
		var pence int64
		for _, line := range invoice.Lines {
			if line.Number <= last {
				t.Fatalf("line %d after line %d", line.Number, last)
			}
			last = line.Number
			lines++
			pence += line.Pence
			var refunded int64
			for _, refund := range line.Against {
				refunded += refund.Pence
				key := refund.Invoice + "/" + strconv.Itoa(refund.Line)
				if remaining[key] -= refund.Pence; remaining[key] < 0 {
					t.Fatalf("line %d refunds more of %s than it was sold for", line.Number, key)
				}
			}
			if invoice.Cancellation {
				if refunded != line.Pence {
					t.Fatalf("line %d takes back %d pence, its refunds %d", line.Number, line.Pence, refunded)
				}
			} else {
				remaining[invoice.Number+"/"+strconv.Itoa(line.Number)] = line.Pence
			}
		}
		if pence != invoice.Pence {
			t.Fatalf("invoice %s has %d pence, its lines %d", invoice.Number, invoice.Pence, pence)
		}
	}
	var left int64
	for _, pence := range remaining {
		left += pence
	}
	want := retail.Report{
		Lines: 541_909, Used: 537_282,
		Refused: map[retail.Reason]int64{
			retail.AdjustBadDebt: 3, retail.StockAdjustment: 1_336, retail.PriceZero: 1_179, retail.AmountZero: 4,
			retail.CancellationWithoutCustomer: 383, retail.OriginalNotFound: 1_722,
		},
		FirstLine: map[retail.Reason]int{
			retail.AdjustBadDebt: 299_984, retail.StockAdjustment: 2_408, retail.PriceZero: 624, retail.AmountZero: 157_197,
			retail.CancellationWithoutCustomer: 11_504, retail.OriginalNotFound: 143,
		},
		Sales: 19_960, Cancellations: 3_010, SoldPence: 1_065_562_248, RefundedPence: 45_937_655,
	}
	report := r.Report()
	if diff := cmp.Diff(want, report); diff != "" {
		t.Error(diff)
	}
	if lines != report.Used || parts != 1 || left != report.SoldPence-report.RefundedPence {
		t.Errorf("%d lines, %d later parts, %d pence left; the report says %+v", lines, parts, left, report)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(head + sold + soldToo + returned))
	f.Add([]byte(headII + "A563185,B,Adjust bad debt,1,2011-08-12 14:50:00,11062.06,,UK\n" + sold + sold))
	f.Add([]byte(head + sold + "536365,22,\"open,1,NaN,1e9,1,UK\n" + returned + returned + returned + returned))
	f.Add([]byte("BZh91AY&SY"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := retail.New("f", bytes.NewReader(in), retail.Options{Remember: 4})
		if err != nil {
			return
		}
		invoices, err := drain(r)
		report := r.Report()
		var used, sold, refunded int64
		for _, invoice := range invoices {
			if len(invoice.Lines) == 0 || invoice.Part < 1 {
				t.Fatalf("%+v", invoice)
			}
			for _, line := range invoice.Lines {
				used++
				if line.Quantity < 1 || line.Pence < 1 || invoice.Cancellation != (len(line.Against) > 0) {
					t.Fatalf("%+v", line)
				}
			}
			if invoice.Cancellation {
				refunded += invoice.Pence
			} else {
				sold += invoice.Pence
			}
		}
		if used != report.Used || sold != report.SoldPence || refunded != report.RefundedPence || refunded > sold {
			t.Fatalf("invoices say %d used, %d sold, %d refunded; the report %+v", used, sold, refunded, report)
		}
		if !errors.Is(err, io.EOF) {
			return // broken off: the last run may be in no sum
		}
		sum := report.Used
		for _, n := range report.Refused {
			sum += n
		}
		if sum != report.Lines {
			t.Fatalf("lines %d ≠ used + Σ refused %d", report.Lines, sum)
		}
	})
}

func readAll(t *testing.T, in string) ([]retail.Invoice, retail.Report) {
	t.Helper()
	r, err := retail.New("sales.csv", strings.NewReader(in), retail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	invoices, err := drain(r)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	report := r.Report()
	sum := report.Used
	for _, n := range report.Refused {
		sum += n
	}
	if sum != report.Lines {
		t.Errorf("lines %d ≠ used + Σ refused %d", report.Lines, sum)
	}
	return invoices, report
}

// drain reads to the end, whose error it gives.
func drain(r *retail.Reader) ([]retail.Invoice, error) {
	var invoices []retail.Invoice
	for {
		invoice, err := r.Next()
		if err != nil {
			return invoices, err
		}
		invoices = append(invoices, *invoice)
	}
}

func dataDir(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("MOONGATE_DATA")
	switch {
	case root != "":
		return filepath.Join(root, filepath.FromSlash(name))
	case os.Getenv("CI") != "":
		t.Fatal("MOONGATE_DATA is not set; it names the folder that holds " + name)
	default:
		t.Skip("MOONGATE_DATA is not set; it names the folder that holds " + name)
	}
	return ""
}

func at(text string) (t moongate.Time) {
	if err := t.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return t
}
