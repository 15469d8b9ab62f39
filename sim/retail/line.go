package retail

import (
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/sim/table"
)

// Price is that of one piece, in ten-thousandths of a pound: the shop has prices of a tenth of a penny.
type Price int64

const (
	pricePlaces = 4
	pence       = 100 // prices in a penny
	maxPrice    = 10_000_000 * 100 * pence
	maxQuantity = 10_000_000 // with maxPrice, a product that fits an int64
	maxPence    = 10_000_000 * 100
)

// Times is quantity × price in pence, rounded half up (a half penny is a penny). Quantity is not negative.
func (p Price) Times(quantity int64) int64 { return (int64(p)*quantity + pence/2) / pence }

// entry is one line as read. Its texts hold on to the line's memory.
type entry struct {
	line                        int
	invoice, stock, description string
	customer, country           string
	time                        moongate.Time
	quantity                    int64 // positive, of a cancellation too
	price                       Price // positive
}

func (e *entry) cancels() bool { return e.invoice[0] == 'C' }

// key is what a cancellation has in common with its sale.
func (e *entry) key() saleKey { return saleKey{customer: e.customer, stock: e.stock, price: e.price} }

// parse reads a line's fields. What is wrong first, in the order of the reasons, is the reason given.
func parse(row table.Row) (entry, Reason) {
	e := entry{line: row.Line, description: text(row.Fields[descriptionColumn])}
	var kind byte
	if e.invoice, kind = invoiceNumber(row.Fields[invoiceColumn]); e.invoice == "" {
		return e, InvoiceMalformed
	}
	if kind == 'A' {
		return e, AdjustBadDebt
	}
	if e.stock = strings.TrimSpace(row.Fields[stockColumn]); e.stock == "" || len(e.stock) > 32 || !printable(e.stock) {
		return e, StockMalformed
	}
	var ok bool
	if e.customer, ok = customerNumber(row.Fields[customerColumn]); !ok {
		return e, CustomerMalformed
	}
	if e.country = text(row.Fields[countryColumn]); len(e.country) > 64 {
		return e, CustomerMalformed
	}
	if e.time, ok = invoiceTime(row.Fields[dateColumn]); !ok {
		return e, DateMalformed
	}
	quantity, problem := table.Decimal(row.Fields[quantityColumn], 0, maxQuantity)
	switch {
	case problem != "":
		return e, QuantityMalformed
	case quantity == 0:
		return e, QuantityZero
	case kind == 'C' && quantity > 0:
		return e, CancellationPositive
	case kind != 'C' && quantity < 0:
		return e, StockAdjustment
	}
	e.quantity = max(quantity, -quantity)
	price, problem := table.Decimal(row.Fields[priceColumn], pricePlaces, maxPrice)
	switch {
	case problem != "":
		return e, PriceMalformed
	case price == 0:
		return e, PriceZero
	case price < 0:
		return e, PriceNegative
	}
	e.price = Price(price)
	return e, ""
}

// invoiceNumber reads up to 12 digits, with a letter before them for what is not a sale; kind is that letter, or 0.
func invoiceNumber(s string) (number string, kind byte) {
	s = strings.ToUpper(strings.TrimSpace(s))
	digits := s
	if s != "" && s[0] >= 'A' && s[0] <= 'Z' {
		kind, digits = s[0], s[1:]
	}
	if kind != 0 && kind != 'A' && kind != 'C' || !isNumber(digits, 12) {
		return "", 0
	}
	return s, kind
}

// customerNumber reads up to 12 digits, or nothing. Spreadsheets write 13085.0 where a column has gaps.
func customerNumber(s string) (string, bool) {
	s = strings.TrimSuffix(strings.TrimSpace(s), ".0")
	return s, s == "" || isNumber(s, 12)
}

func isNumber(s string, most int) bool {
	return s != "" && len(s) <= most && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

var (
	// 2010-12-01 08:26:00 is how the workbooks are mostly saved; 12/1/2010 8:26 (month first) is how a spreadsheet
	// with American settings, and the most copied CSV of the data, has it.
	layouts = []string{time.DateTime, "2006-01-02 15:04", "1/2/2006 15:04"}
	// A hub's clock never goes back: one invoice dated 9999 would carry it there for good.
	earliest = moongate.At(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	latest   = moongate.At(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
)

func invoiceTime(s string) (moongate.Time, bool) {
	for _, layout := range layouts {
		at, err := time.Parse(layout, s)
		if t := moongate.At(at); err == nil && len(s) <= len(time.DateTime) && t >= earliest && t < latest {
			return t, true
		}
	}
	return 0, false
}
