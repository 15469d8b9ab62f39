package olist_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/sim/olist"
)

const (
	ordersHead   = "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date\n"
	itemsHead    = "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value\n"
	paymentsHead = "order_id,payment_sequential,payment_type,payment_installments,payment_value\n"

	// Two orders of one minute. The later has two sellers and is paid with two payments, one centavo short; the
	// earlier is as the tables say, not as they list it.
	orders = ordersHead +
		"o2,c2,delivered,2018-01-31 23:59:59,2018-02-01 00:10:00,,,2018-02-20 00:00:00\n" +
		"o1,c1,canceled,2018-01-31 23:59:59,,,,\n"
	items = itemsHead +
		"o2,2,p2,s2,2018-02-05 00:00:00,12,0\n" +
		"o2,1,p1,s1,2018-02-05 00:00:00,48.9,16.60\n"
	payments = paymentsHead +
		"o2,3,voucher,1,7.49\n" +
		"o2,1,credit_card,8,70\n"
)

func export(orders, items, payments string) fstest.MapFS {
	return fstest.MapFS{
		olist.OrdersFile:   {Data: []byte(orders)},
		olist.ItemsFile:    {Data: []byte(items)},
		olist.PaymentsFile: {Data: []byte(payments)},
	}
}

func TestRead(t *testing.T) {
	want := []olist.Order{
		{ID: "o1", Customer: "c1", Status: "canceled", Purchased: at("2018-02-01T02:59:59Z")},
		{
			ID: "o2", Customer: "c2", Status: "delivered", Purchased: at("2018-02-01T02:59:59Z"), Approved: at("2018-02-01T03:10:00Z"),
			Items: []olist.Item{
				{Number: 1, Product: "p1", Seller: "s1", PriceCents: 4890, FreightCents: 1660},
				{Number: 2, Product: "p2", Seller: "s2", PriceCents: 1200},
			},
			Payments: []olist.Payment{
				{Sequential: 1, Type: "credit_card", Installments: 8, Cents: 7000},
				{Sequential: 3, Type: "voucher", Installments: 1, Cents: 749},
			},
		},
	}
	report := olist.Report{
		Orders: 2, Items: 2, Payments: 2, ItemsTotalCents: 6090, FreightTotalCents: 1660, PaymentsTotalCents: 7749,
		OrdersWithoutItems: []string{"o1"}, OrdersWithoutPayment: []string{"o1"},
		MismatchCents:     map[string]int64{"o2": -1},
		MultiSellerOrders: map[string]map[string]int64{"o2": {"s1": 6550, "s2": 1200}},
	}
	dos := func(s string) string { return "\xef\xbb\xbf" + strings.ReplaceAll(s, "\n", "\r\n") }
	packed := export(orders, items, payments)
	packed[olist.ItemsFile+".gz"] = &fstest.MapFile{Data: pack(t, items)}
	delete(packed, olist.ItemsFile)
	for name, folder := range map[string]fstest.MapFS{
		"as exported":                 export(orders, items, payments),
		"with a mark and CR LF":       export(dos(orders), dos(items), dos(payments)),
		"one table packed":            packed,
		"columns that are not needed": export(cut(t, orders, 0, 1, 2, 3, 4), cut(t, items, 6, 5, 3, 2, 1, 0), payments),
	} {
		t.Run(name, func(t *testing.T) {
			x, err := olist.Read(folder)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, x.Orders); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(report, x.Report()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadTheSameLineTwice(t *testing.T) {
	twice := func(s string) string { return s + lastLine(s) }
	x, err := olist.Read(export(twice(orders), twice(items), twice(payments)))
	if err != nil {
		t.Fatal(err)
	}
	if r := x.Report(); r.Repeated != 3 || r.Orders != 2 || r.Items != 2 || r.Payments != 2 || r.PaymentsTotalCents != 7749 {
		t.Errorf("%+v", r)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct {
		name                    string
		orders, items, payments string // lines added to the tables
		code                    moongate.Code
		want                    string
	}{
		{
			name: "words for a price", items: "o1,1,p,s,2018-02-05 00:00:00,NaN,0\n", code: moongate.Malformed,
			want: `olist_order_items_dataset.csv:4:price: "NaN" is not a plain decimal number; write an amount of reais like 12.79, from 0 to a billion`,
		},
		{
			name: "a negative payment", payments: "o1,1,voucher,1,-0.01\n", code: moongate.Malformed,
			want: `olist_order_payments_dataset.csv:4:payment_value: "-0.01" is negative; write an amount of reais like 12.79, from 0 to a billion`,
		},
		{
			name: "a negative nothing", payments: "o1,1,voucher,1,-0\n", code: moongate.Malformed,
			want: `olist_order_payments_dataset.csv:4:payment_value: "-0" is negative; write an amount of reais like 12.79, from 0 to a billion`,
		},
		{
			name: "an exponent", items: "o1,1,p,s,,1e3,0\n", code: moongate.Malformed,
			want: `olist_order_items_dataset.csv:4:price: "1e3" is not a plain decimal number; write an amount of reais like 12.79, from 0 to a billion`,
		},
		{
			name: "a third digit", items: "o1,1,p,s,,1.005,0\n", code: moongate.Malformed,
			want: `olist_order_items_dataset.csv:4:price: "1.005" has too many digits after the point; write an amount of reais like 12.79, from 0 to a billion`,
		},
		{
			name: "more than there is", items: "o1,1,p,s,,1,1000000000.01\n", code: moongate.Malformed,
			want: `olist_order_items_dataset.csv:4:freight_value: "1000000000.01" is larger than any real one; write an amount of reais like 12.79, from 0 to a billion`,
		},
		{
			name: "an order twice, otherwise", orders: "o1,c9,delivered,2018-01-31 23:59:59,,,,\n", code: moongate.Conflict,
			want: `olist_orders_dataset.csv:4:order_id: "o1" stands on an earlier line with other values for this order; find out which line is right and leave that one`,
		},
		{
			name: "an item twice, otherwise", items: "o2,1,p1,s1,,48.91,16.6\n", code: moongate.Conflict,
			want: `olist_order_items_dataset.csv:4:order_id: "o2" stands on an earlier line with other values for item 1 of this order; find out which line is right and leave that one`,
		},
		{
			name: "a payment twice, otherwise", payments: "o2,1,boleto,8,70\n", code: moongate.Conflict,
			want: `olist_order_payments_dataset.csv:4:order_id: "o2" stands on an earlier line with other values for payment 1 of this order; find out which line is right and leave that one`,
		},
		{
			name: "an item of no order", items: "o3,1,p,s,,1,0\n", code: moongate.Malformed,
			want: `olist_order_items_dataset.csv:4:order_id: "o3" is an order that olist_orders_dataset.csv does not have; export the tables together`,
		},
		{
			name: "a payment of no order", payments: "o3,1,voucher,1,1\n", code: moongate.Malformed,
			want: `olist_order_payments_dataset.csv:4:order_id: "o3" is an order that olist_orders_dataset.csv does not have; export the tables together`,
		},
		{
			name: "the 13th month", orders: "o3,c,delivered,2018-13-01 00:00:00,,,,\n", code: moongate.Malformed,
			want: `olist_orders_dataset.csv:4:order_purchase_timestamp: "2018-13-01 00:00:00" is not a time between 2000 and 2099; write it like 2018-03-27 18:00:43`,
		},
		{
			name: "the far future", orders: "o3,c,delivered,9999-01-01 00:00:00,,,,\n", code: moongate.Malformed,
			want: `olist_orders_dataset.csv:4:order_purchase_timestamp: "9999-01-01 00:00:00" is not a time between 2000 and 2099; write it like 2018-03-27 18:00:43`,
		},
		{
			name: "no time of purchase", orders: "o3,c,delivered,,,,,\n", code: moongate.Malformed,
			want: `olist_orders_dataset.csv:4:order_purchase_timestamp: "" is not a time between 2000 and 2099; write it like 2018-03-27 18:00:43`,
		},
		{
			name: "an identifier with markup", orders: "<b>,c,delivered,2018-01-01 00:00:00,,,,\n", code: moongate.Malformed,
			want: `olist_orders_dataset.csv:4:order_id: "<b>" is not an identifier; identifiers are 1 to 64 letters, digits, - and _`,
		},
		{
			name: "no seller", items: "o1,1,p,,,1,0\n", code: moongate.Malformed,
			want: `olist_order_items_dataset.csv:4:seller_id: "" is not an identifier; identifiers are 1 to 64 letters, digits, - and _`,
		},
		{
			name: "item zero", items: "o1,0,p,s,,1,0\n", code: moongate.Malformed,
			want: `olist_order_items_dataset.csv:4:order_item_id: "0" is not a whole number; write one from 1 to 32767`,
		},
		{
			name: "a type in capitals", payments: "o1,1,Credit Card,1,1\n", code: moongate.Malformed,
			want: `olist_order_payments_dataset.csv:4:payment_type: "Credit Card" is not a word of this column; words are 1 to 32 lower-case letters and _, such as credit_card`,
		},
		{
			name: "a field too few", payments: "o1,1,voucher,1\n", code: moongate.Malformed,
			want: `olist_order_payments_dataset.csv:4: the line has 4 fields, the header 5; a field with a comma in it needs quotes`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, err := olist.Read(export(orders+c.orders, items+c.items, payments+c.payments))
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if x != nil {
				t.Error("an export was given in spite of the error")
			}
			if moongate.CodeOf(err) != c.code {
				t.Errorf("code %s, want %s", moongate.CodeOf(err), c.code)
			}
		})
	}
}

func TestReadMissingTable(t *testing.T) {
	folder := export(orders, items, payments)
	delete(folder, olist.PaymentsFile)
	_, err := olist.Read(folder)
	if moongate.CodeOf(err) != moongate.NotFound || !strings.Contains(err.Error(), olist.PaymentsFile) {
		t.Errorf("got %v", err)
	}
}

// TestRealOrders reads ten thousand real orders and adds them up a second way, with rationals instead of cents.
func TestRealOrders(t *testing.T) {
	dir := dataDir(t, "olist/demo-10000")
	x, err := olist.Read(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	r := x.Report()
	got := []int{r.Orders, r.Items, r.Payments, len(r.MismatchCents), len(r.MultiSellerOrders), len(r.OrdersWithoutItems), len(r.OrdersWithoutPayment), r.Repeated}
	if want := []int{10_000, 11_513, 10_415, 66, 145, 0, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("orders, items, payments, mismatches, multi-seller, without items, without payment, repeated = %v, want %v", got, want)
	}
	price, freight := column(t, dir, olist.ItemsFile, "price"), column(t, dir, olist.ItemsFile, "freight_value")
	if paid := column(t, dir, olist.PaymentsFile, "payment_value"); r.ItemsTotalCents != price || r.FreightTotalCents != freight || r.PaymentsTotalCents != paid {
		t.Errorf("items %d, freight %d, payments %d; want %d, %d, %d", r.ItemsTotalCents, r.FreightTotalCents, r.PaymentsTotalCents, price, freight, paid)
	}
	var difference int64
	for _, cents := range r.MismatchCents {
		difference += cents
	}
	if r.ItemsTotalCents+r.FreightTotalCents+difference != r.PaymentsTotalCents {
		t.Errorf("items %d + freight %d + mismatches %d ≠ payments %d", r.ItemsTotalCents, r.FreightTotalCents, difference, r.PaymentsTotalCents)
	}
	if !slices.IsSortedFunc(x.Orders, func(a, b olist.Order) int {
		return strings.Compare(a.Purchased.String()+a.ID, b.Purchased.String()+b.ID)
	}) {
		t.Error("orders are not in the order of purchase")
	}
}

func TestRealOrdersWithoutItems(t *testing.T) {
	x, err := olist.Read(os.DirFS(dataDir(t, "olist/demo-3000")))
	if err != nil {
		t.Fatal(err)
	}
	r := x.Report()
	got := []int{r.Orders, r.Items, r.Payments, len(r.OrdersWithoutItems), len(r.OrdersWithoutPayment)}
	if want := []int{3_000, 3_397, 3_170, 24, 0}; !slices.Equal(got, want) {
		t.Errorf("orders, items, payments, without items, without payment = %v, want %v", got, want)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(orders, items, payments)
	f.Add(orders, items+"o1,1,p,s,,NaN,0\n", payments)
	f.Add(orders, items, payments+"o1,1,voucher,1,99999999999999999999\n")
	f.Add("\xef\xbb\xbf"+orders, "BZh9", "\x1f\x8b")
	f.Fuzz(func(t *testing.T, orders, items, payments string) {
		x, err := olist.Read(export(orders, items, payments))
		if err != nil {
			if moongate.CodeOf(err) == moongate.Internal {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		r := x.Report()
		var owed, paid int64
		for i := range x.Orders {
			o := &x.Orders[i]
			if o.Purchased == 0 || o.ID == "" {
				t.Fatalf("order %+v", o)
			}
			for _, item := range o.Items {
				if item.PriceCents < 0 || item.FreightCents < 0 || item.Seller == "" {
					t.Fatalf("item %+v", item)
				}
			}
			owed += o.Owed()
			paid += o.Paid()
		}
		if owed != r.ItemsTotalCents+r.FreightTotalCents || paid != r.PaymentsTotalCents || len(x.Orders) != r.Orders {
			t.Fatalf("orders owe %d and paid %d, the report says %+v", owed, paid, r)
		}
	})
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

// column adds up a column of a table with the standard library alone, in cents.
func column(t *testing.T, dir, file, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at, sum := slices.Index(lines[0], name), new(big.Rat)
	for _, line := range lines[1:] {
		value, ok := new(big.Rat).SetString(line[at])
		if !ok {
			t.Fatalf("%q is no number", line[at])
		}
		sum.Add(sum, value)
	}
	sum.Mul(sum, big.NewRat(100, 1))
	if !sum.IsInt() {
		t.Fatalf("%s is no whole number of cents", sum)
	}
	return sum.Num().Int64()
}

func at(text string) (t moongate.Time) {
	if err := t.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return t
}

func pack(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// cut keeps the given columns of a table, in the given order.
func cut(t *testing.T, text string, keep ...int) string {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	for _, line := range lines {
		kept := make([]string, len(keep))
		for i, at := range keep {
			kept[i] = line[at]
		}
		if err := w.Write(kept); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	return b.String()
}

func lastLine(s string) string {
	s = strings.TrimSuffix(s, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:] + "\n"
}
