// Package retail reads the invoices of an online shop in the layout of the UCI "Online Retail" workbooks, saved as
// CSV, plain or packed by gzip or bzip2. Both spellings of the header are known: that of 2010–11 (InvoiceNo, StockCode,
// Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country) and that of 2009–10 (Invoice, Price, Customer ID).
//
// A till's export is never clean, so a line that cannot be used is counted under its [Reason], and every line is
// either used or refused: lines = used + Σ refused. A cancellation (invoice number C…) is used as far as the sale it
// takes back is found; see [Reader.Next].
//
// Memory is bounded whatever the file's length: one invoice of at most [MaxInvoiceLines] lines, the last
// [Options.Remember] sale lines that could still be cancelled, and some 100 bytes for each invoice seen, of which
// there may be [MaxInvoices]. The same file and options give the same invoices every time, so that an interrupted
// replay starts the file again and skips what it finds done.
//
// Times carry no zone and are read as UTC. Amounts are pence (GBP).
package retail

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/sim/table"
)

// Currency is that of all amounts.
const Currency = "GBP"

const (
	// MaxInvoiceLines is the most lines given as one invoice; a longer one comes in parts. Real ones have up to 1,114.
	MaxInvoiceLines = 10_000
	// MaxInvoices is the most invoices in one file; two years of the real shop have 53,000.
	MaxInvoices = 1 << 20
	// DefaultRemember holds more than a year of the real shop's sale lines, in some 100 MB. Half of it finds 34 of its
	// 7,183 cancelled lines less.
	DefaultRemember = 1 << 19
)

// Columns of the file, as indices into a row.
const (
	invoiceColumn = iota
	stockColumn
	descriptionColumn
	quantityColumn
	dateColumn
	priceColumn
	customerColumn
	countryColumn
)

var columns = []table.Column{
	table.Col("InvoiceNo", "Invoice"), table.Col("StockCode"), table.Col("Description"), table.Col("Quantity"),
	table.Col("InvoiceDate"), table.Col("UnitPrice", "Price"), table.Col("CustomerID", "Customer ID"), table.Col("Country"),
}

// Invoice is a run of lines with one invoice number, as far as they could be used.
type Invoice struct {
	Number       string
	Part         int // 1; higher where lines of other invoices came in between
	Cancellation bool
	Time         moongate.Time // of the first line
	Customer     string        // "" where the till had none
	Country      string
	Lines        []Line // in file order, never empty
	Pence        int64  // Σ of the lines'
}

// Line is one line of an invoice. In a cancellation, quantity and amount are what is taken back, and positive.
type Line struct {
	Number      int // in the file, the header being 1
	Stock       string
	Description string // may be empty; not markup-safe
	Quantity    int64  // at least 1
	Price       Price
	Pence       int64    // quantity × price, rounded half up; at least 1
	Against     []Refund // of a cancellation: the sales it takes back; their pence sum to the line's
}

// Refund is the part of a sale line that a cancellation takes back.
type Refund struct {
	Invoice  string
	Part     int
	Line     int // the sale line's number in the file
	Quantity int64
	Pence    int64 // at least 1
}

// Options bound a [Reader].
type Options struct {
	Remember int // sale lines kept to be cancelled; 0 is [DefaultRemember]
}

// Reader gives a file's invoices. It is not safe for concurrent use.
type Reader struct {
	table   *table.Table
	report  Report
	sales   *sales
	pending *entry // first line of the next invoice
	ended   error  // io.EOF, or what stopped the reading
	numbers map[hash]int32
	seen    map[hash]struct{}
}

type hash [16]byte

// New reads the header. The name stands in errors.
func New(name string, r io.Reader, opt Options) (*Reader, error) {
	if opt.Remember < 0 || opt.Remember > 1<<28 {
		return nil, &moongate.Error{Code: moongate.Malformed, Field: "remember", Message: fmt.Sprintf("%d sale lines cannot be kept", opt.Remember), Hint: "choose 1 to 268435456, or 0 for the default"}
	}
	if opt.Remember == 0 {
		opt.Remember = DefaultRemember
	}
	t, err := table.New(name, r, columns)
	if err != nil {
		return nil, err
	}
	return &Reader{
		table: t, report: newReport(), sales: newSales(opt.Remember),
		numbers: map[hash]int32{}, seen: map[hash]struct{}{},
	}, nil
}

// Report is the count so far. Between two calls of [Reader.Next] it may contain the first line of the next invoice in
// none of its sums but Lines; at the end lines = used + Σ refused.
func (r *Reader) Report() Report { return r.report.clone() }

// Next gives the next invoice that has a line to use; at the end the error is io.EOF. Any other error is about the
// file as a whole (damaged, too long) and repeats itself.
//
// A line of a cancellation is given when the sale is known: same customer, stock code and price, not later, with
// enough pieces not yet cancelled. The latest such sale is taken; if none alone has enough, the latest ones together.
// A refund's pence are the sale line's own, shared by pieces, so that cancelling a line whole, in however many steps,
// gives back its amount.
func (r *Reader) Next() (*Invoice, error) {
	for {
		run, err := r.run()
		if err != nil {
			return nil, err
		}
		invoice, err := r.use(run)
		if err != nil {
			r.ended = err
			return nil, err
		}
		if invoice != nil {
			return invoice, nil
		}
	}
}

// run collects the lines that follow each other under one invoice number.
func (r *Reader) run() ([]entry, error) {
	var run []entry
	if r.pending != nil {
		run = append(run, *r.pending)
		r.pending = nil
	}
	for r.ended == nil && len(run) < MaxInvoiceLines {
		e, err := r.line()
		if err != nil {
			r.ended = err
			break
		}
		if e == nil {
			continue
		}
		if len(run) > 0 && run[0].invoice != e.invoice {
			r.pending = e
			break
		}
		run = append(run, *e)
	}
	if len(run) == 0 {
		return nil, r.ended
	}
	return run, nil
}

// line reads the next line; nil is one that is refused by itself.
func (r *Reader) line() (*entry, error) {
	row, err := r.table.Next()
	var bad *table.RowError
	switch {
	case errors.As(err, &bad):
		r.report.line()
		r.report.refuse(Malformed, bad.Line)
		return nil, nil
	case err != nil:
		return nil, err
	}
	r.report.line()
	e, reason := parse(row)
	if reason != "" {
		r.report.refuse(reason, row.Line)
		return nil, nil
	}
	return &e, nil
}

// use makes an invoice of a run; nil when no line is left.
func (r *Reader) use(run []entry) (*Invoice, error) {
	first := &run[0]
	sum := sha256.New()
	for i := range run {
		run[i].digest(sum)
	}
	number, content := sha256.Sum256([]byte(first.invoice)), hash(sum.Sum(nil)[:16])
	if _, again := r.seen[content]; again {
		for i := range run {
			r.report.refuse(RepeatedInvoice, run[i].line)
		}
		return nil, nil
	}
	if len(r.seen) == MaxInvoices {
		return nil, &moongate.Error{
			Code: moongate.TooLarge, Field: fmt.Sprintf("%s:%d", r.table.Name(), first.line),
			Message: fmt.Sprintf("the file has more than %d invoices", MaxInvoices), Hint: "replay it in parts, by year",
		}
	}
	r.seen[content] = struct{}{}
	r.numbers[hash(number[:16])]++

	invoice := &Invoice{
		Number: strings.Clone(first.invoice), Part: int(r.numbers[hash(number[:16])]), Cancellation: first.cancels(),
		Time: first.time, Customer: first.customer, Country: first.country,
	}
	for i := range run {
		e := &run[i]
		if e.customer != invoice.Customer || e.country != invoice.Country {
			r.report.refuse(CustomerDiffers, e.line)
			continue
		}
		line, reason := r.useLine(invoice, e)
		if reason != "" {
			r.report.refuse(reason, e.line)
			continue
		}
		r.report.use(invoice.Cancellation, line.Pence)
		invoice.Lines = append(invoice.Lines, line)
		invoice.Pence += line.Pence
	}
	if len(invoice.Lines) == 0 {
		return nil, nil
	}
	r.report.invoice(invoice.Cancellation)
	return invoice, nil
}

func (r *Reader) useLine(invoice *Invoice, e *entry) (Line, Reason) {
	line := Line{Number: e.line, Stock: e.stock, Description: e.description, Quantity: e.quantity, Price: e.price, Pence: e.price.Times(e.quantity)}
	switch {
	case line.Pence == 0:
		return Line{}, AmountZero
	case line.Pence > maxPence:
		return Line{}, AmountTooLarge
	case invoice.Cancellation && e.customer == "":
		return Line{}, CancellationWithoutCustomer
	case invoice.Cancellation:
		refunds, found := r.sales.cancel(e.key(), e.time, e.quantity)
		if !found {
			return Line{}, OriginalNotFound
		}
		line.Against, line.Pence = refunds, 0
		for _, refund := range refunds {
			line.Pence += refund.Pence
		}
		if line.Pence == 0 {
			return Line{}, AmountZero
		}
	case e.customer != "":
		r.sales.add(e.key(), sale{
			invoice: invoice.Number, part: invoice.Part, line: e.line, time: e.time, quantity: e.quantity, pence: line.Pence,
		})
	}
	return line, ""
}

// digest adds all of a line but its place in the file.
func (e *entry) digest(w io.Writer) {
	var b []byte
	for _, text := range []string{e.invoice, e.stock, e.description, e.customer, e.country} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	for _, n := range []int64{int64(e.time), e.quantity, int64(e.price)} {
		b = binary.AppendVarint(b, n)
	}
	_, _ = w.Write(b) // a hash does not fail
}

// text reads what a person typed: as UTF-8, and what is not, as the ISO 8859-1 that older tills write.
func text(s string) string {
	s = strings.TrimSpace(s)
	if utf8.ValidString(s) {
		return s
	}
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}
