// Package olist reads an export of the Olist marketplace (São Paulo; the layout of the public "Brazilian E-Commerce"
// data set): a folder with three tables, each plain, .gz or .bz2.
//
//	olist_orders_dataset.csv           one line an order: who, when, in which state
//	olist_order_items_dataset.csv      one line a piece: seller, price, freight
//	olist_order_payments_dataset.csv   one line a payment: an order may be paid with several
//
// Reading is all or nothing: the first line that cannot be read ends it with an error that names file, line, column
// and value, before anything was done with the others. Amounts are read exactly, in centavos (BRL, two digits). The
// export's times carry no zone; they are read as Brasília standard time, UTC-3, summer too, so that every local time
// is one instant and the order of the lines is the order of the times.
package olist

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/sim/table"
)

// The files of an export.
const (
	OrdersFile   = "olist_orders_dataset.csv"
	ItemsFile    = "olist_order_items_dataset.csv"
	PaymentsFile = "olist_order_payments_dataset.csv"
)

// Currency is that of all amounts in an export.
const Currency = "BRL"

const (
	// MaxCents is the largest single amount read: a billion reais. Sums over MaxRows of them stay within an int64.
	MaxCents = 1_000_000_000_00
	// MaxRows is the most lines read of one table; the public export has about a hundred thousand.
	MaxRows = 4 << 20
)

// Order is one order with all that was bought and paid under it.
type Order struct {
	ID        string
	Customer  string
	Status    string        // as exported: delivered, shipped, canceled, unavailable, invoiced, processing, created, approved
	Purchased moongate.Time // never zero
	Approved  moongate.Time // zero: never; so are the next two
	Shipped   moongate.Time
	Delivered moongate.Time
	Items     []Item    // by number; empty for some orders
	Payments  []Payment // by sequential; empty for very few
}

// Item is one piece of an order.
type Item struct {
	Number       int // from 1
	Product      string
	Seller       string
	PriceCents   int64
	FreightCents int64
}

// Cents is price and freight.
func (i Item) Cents() int64 { return i.PriceCents + i.FreightCents }

// Payment is one of an order's payments.
type Payment struct {
	Sequential   int    // from 1; numbers may be missing in between
	Type         string // credit_card, boleto, voucher, debit_card, not_defined
	Installments int    // 0 for a few vouchers
	Cents        int64  // may be 0: an exported voucher of nothing
}

// Owed is the sum of the order's items with freight, in cents.
func (o *Order) Owed() int64 {
	var sum int64
	for _, i := range o.Items {
		sum += i.Cents()
	}
	return sum
}

// Paid is the sum of the order's payments, in cents.
func (o *Order) Paid() int64 {
	var sum int64
	for _, p := range o.Payments {
		sum += p.Cents
	}
	return sum
}

// Export is a whole export in memory, some 700 bytes an order.
type Export struct {
	Orders   []Order // by time of purchase, then by id
	Repeated int     // lines that said again, word for word, what another line of the table had said
}

var (
	orderColumns = []table.Column{
		table.Col("order_id"), table.Col("customer_id"), table.Col("order_status"), table.Col("order_purchase_timestamp"),
		table.Opt("order_approved_at"), table.Opt("order_delivered_carrier_date"), table.Opt("order_delivered_customer_date"), table.Opt("order_estimated_delivery_date"),
	}
	itemColumns = []table.Column{
		table.Col("order_id"), table.Col("order_item_id"), table.Opt("product_id"), table.Col("seller_id"), table.Opt("shipping_limit_date"), table.Col("price"), table.Col("freight_value"),
	}
	paymentColumns = []table.Column{
		table.Col("order_id"), table.Col("payment_sequential"), table.Col("payment_type"), table.Col("payment_installments"), table.Col("payment_value"),
	}
)

// Read reads the export in a folder. Errors are [*moongate.Error]: NotFound for a missing file, Malformed for a line
// that cannot be read or that belongs to no order, Conflict for two lines that contradict each other under one id,
// TooLarge for more than [MaxRows] lines.
func Read(folder fs.FS) (*Export, error) {
	x := &Export{}
	byID := map[string]int{}
	texts := interner{}
	err := eachRow(folder, OrdersFile, orderColumns, func(row table.Row) error {
		f := fields{row: row, texts: texts}
		o := Order{
			ID: f.id(0), Customer: f.id(1), Status: f.word(2), Purchased: f.time(3, false),
			Approved: f.time(4, true), Shipped: f.time(5, true), Delivered: f.time(6, true),
		}
		if f.err != nil {
			return f.err
		}
		if at, ok := byID[o.ID]; ok {
			return x.again(row, "this order", sameOrder(&x.Orders[at], &o))
		}
		byID[o.ID] = len(x.Orders)
		x.Orders = append(x.Orders, o)
		return nil
	})
	if err != nil {
		return nil, err
	}
	order := func(row table.Row) (*Order, error) {
		at, ok := byID[row.Fields[0]]
		if !ok {
			return nil, row.Bad(0, "is an order that "+OrdersFile+" does not have", "export the tables together")
		}
		return &x.Orders[at], nil
	}
	err = eachRow(folder, ItemsFile, itemColumns, func(row table.Row) error {
		o, err := order(row)
		if err != nil {
			return err
		}
		f := fields{row: row, texts: texts}
		item := Item{Number: f.number(1, 1), Seller: f.id(3), PriceCents: f.cents(5), FreightCents: f.cents(6)}
		if row.Fields[2] != "" {
			item.Product = f.id(2)
		}
		if f.err != nil {
			return f.err
		}
		if i := slices.IndexFunc(o.Items, func(other Item) bool { return other.Number == item.Number }); i >= 0 {
			return x.again(row, fmt.Sprintf("item %d of this order", item.Number), o.Items[i] == item)
		}
		if len(o.Items) == maxPerOrder {
			return row.Bad(0, fmt.Sprintf("has more than %d items", maxPerOrder), "split the order")
		}
		o.Items = append(o.Items, item)
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachRow(folder, PaymentsFile, paymentColumns, func(row table.Row) error {
		o, err := order(row)
		if err != nil {
			return err
		}
		f := fields{row: row, texts: texts}
		payment := Payment{Sequential: f.number(1, 1), Type: f.word(2), Installments: f.number(3, 0), Cents: f.cents(4)}
		if f.err != nil {
			return f.err
		}
		if i := slices.IndexFunc(o.Payments, func(other Payment) bool { return other.Sequential == payment.Sequential }); i >= 0 {
			return x.again(row, fmt.Sprintf("payment %d of this order", payment.Sequential), o.Payments[i] == payment)
		}
		if len(o.Payments) == maxPerOrder {
			return row.Bad(0, fmt.Sprintf("has more than %d payments", maxPerOrder), "split the order")
		}
		o.Payments = append(o.Payments, payment)
		return nil
	})
	if err != nil {
		return nil, err
	}
	x.sort()
	return x, nil
}

// maxPerOrder bounds what one hostile order can cost; real ones have at most 29 payments.
const maxPerOrder = 1000

func (x *Export) sort() {
	slices.SortFunc(x.Orders, func(a, b Order) int {
		return cmp.Or(cmp.Compare(a.Purchased, b.Purchased), strings.Compare(a.ID, b.ID))
	})
	for i := range x.Orders {
		slices.SortFunc(x.Orders[i].Items, func(a, b Item) int { return cmp.Compare(a.Number, b.Number) })
		slices.SortFunc(x.Orders[i].Payments, func(a, b Payment) int { return cmp.Compare(a.Sequential, b.Sequential) })
	}
}

// again judges a line under an id that another line has: the same words are a repetition, others a contradiction.
func (x *Export) again(row table.Row, what string, same bool) error {
	if same {
		x.Repeated++
		return nil
	}
	bad := row.Bad(0, "stands on an earlier line with other values for "+what, "find out which line is right and leave that one")
	bad.Code = moongate.Conflict
	return bad
}

func sameOrder(a, b *Order) bool {
	return a.Customer == b.Customer && a.Status == b.Status && a.Purchased == b.Purchased &&
		a.Approved == b.Approved && a.Shipped == b.Shipped && a.Delivered == b.Delivered
}

func eachRow(folder fs.FS, name string, columns []table.Column, do func(table.Row) error) (err error) {
	t, file, err := table.Open(folder, name, columns)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for n := 0; ; n++ {
		row, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == MaxRows {
			return &moongate.Error{Code: moongate.TooLarge, Field: name, Message: fmt.Sprintf("it has more than %d lines", MaxRows), Hint: "replay it in parts, by month"}
		}
		if err := do(row); err != nil {
			return err
		}
	}
}

// fields reads a row's fields and keeps the first error.
type fields struct {
	row   table.Row
	texts interner
	err   error
}

func (f *fields) fail(column int, problem, hint string) {
	if f.err == nil {
		f.err = f.row.Bad(column, problem, hint)
	}
}

// id reads an identifier: up to 64 letters, digits, hyphens and underscores.
func (f *fields) id(column int) string {
	text := f.row.Fields[column]
	bad := strings.IndexFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_'
	})
	if text == "" || len(text) > 64 || bad >= 0 {
		f.fail(column, "is not an identifier", "identifiers are 1 to 64 letters, digits, - and _")
		return ""
	}
	return f.texts.of(text)
}

// word reads a state or a type: up to 32 lower-case letters and underscores.
func (f *fields) word(column int) string {
	text := f.row.Fields[column]
	bad := strings.IndexFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' })
	if text == "" || len(text) > 32 || bad >= 0 {
		f.fail(column, "is not a word of this column", "words are 1 to 32 lower-case letters and _, such as credit_card")
		return ""
	}
	return f.texts.of(text)
}

func (f *fields) number(column, least int) int {
	text := f.row.Fields[column]
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > math.MaxInt16 || int(n) < least {
		f.fail(column, "is not a whole number", fmt.Sprintf("write one from %d to %d", least, math.MaxInt16))
		return 0
	}
	return int(n)
}

func (f *fields) cents(column int) int64 {
	cents, problem := table.Decimal(f.row.Fields[column], 2, MaxCents)
	if problem == "" && strings.HasPrefix(f.row.Fields[column], "-") {
		problem = "is negative"
	}
	if problem != "" {
		f.fail(column, problem, "write an amount of reais like 12.79, from 0 to a billion")
		return 0
	}
	return cents
}

var (
	brasilia = time.FixedZone("UTC-3", -3*60*60)
	// A hub's clock never goes back: one order dated 9999 would carry it there for good.
	earliest = moongate.At(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	latest   = moongate.At(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC))
)

func (f *fields) time(column int, optional bool) moongate.Time {
	text := f.row.Fields[column]
	if text == "" && optional {
		return 0
	}
	at, err := time.ParseInLocation(time.DateTime, text, brasilia)
	t := moongate.At(at)
	if err != nil || len(text) != len(time.DateTime) || t < earliest || t >= latest {
		f.fail(column, "is not a time between 2000 and 2099", "write it like 2018-03-27 18:00:43")
		return 0
	}
	return t
}

// interner keeps one copy of each text, cut loose from the line it was read from: sellers and customers recur.
type interner map[string]string

func (in interner) of(s string) string {
	if kept, ok := in[s]; ok {
		return kept
	}
	s = strings.Clone(s)
	in[s] = s
	return s
}
