package sample_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moongate-hub/moongate/sim/olist"
)

// dice is SplitMix64: a few lines that give the same numbers in every Go release.
type dice uint64

func (d *dice) roll(sides int) int {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(sides))
}

// id is a name in the marketplace's spelling: 32 hexadecimal digits.
func id(kind string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "moongate sample %s %d", kind, n))
	return hex.EncodeToString(sum[:16])
}

func decimal(cents int) string {
	s := fmt.Sprintf("%d.%02d", cents/100, cents%100)
	return strings.TrimSuffix(s, "0") // the marketplace writes 48.9, and 12.0
}

const orderCount = 120

// marketplace writes the three tables. What is special about an order is decided by its number, so that a reader can
// find an example of each; prices, dates and sellers are rolled.
func marketplace() map[string]string {
	d := dice(1)
	// The first sellers have most of the trade, as on any marketplace.
	seller := func() int { return min(d.roll(14), d.roll(14), d.roll(14)) }
	var orders, items, payments []string
	day := time.Date(2025, 1, 2, 9, 0, 0, 0, time.UTC)
	for n := range orderCount {
		order := id("order", n)
		day = day.Add(time.Duration(8+d.roll(30))*time.Hour + time.Duration(d.roll(3600))*time.Second)
		status, sellers, pieces := "delivered", []int{seller()}, 1+d.roll(2)*d.roll(3)
		switch {
		case n%40 == 7:
			status, pieces = "unavailable", 0 // paid, and then there was nothing to send
		case n%30 == 11:
			status = "shipped"
		case n%9 == 4:
			sellers = append(sellers, (sellers[0]+1+d.roll(5))%14)
			if n%27 == 4 {
				sellers = append(sellers, 13)
			}
			slices.Sort(sellers)
			sellers = slices.Compact(sellers)
			pieces = max(pieces, len(sellers))
		}
		owed := 0
		for piece := range pieces {
			price, freight := 990+10*d.roll(2900)+d.roll(2)*9, 500+d.roll(2400)
			if n%15 == 6 {
				freight = 0 // the seller sends for nothing
			}
			s := sellers[piece%len(sellers)]
			items = append(items, strings.Join([]string{
				order, fmt.Sprint(piece + 1), id("product", 100*s+d.roll(6)), id("seller", s),
				day.AddDate(0, 0, 6).Format(time.DateTime), decimal(price), decimal(freight),
			}, ","))
			owed += price + freight
		}
		for i, p := range tender(&d, n, owed) {
			p.sequential = cmp.Or(p.sequential, i+1)
			payments = append(payments, fmt.Sprintf("%s,%d,%s,%d,%s", order, p.sequential, p.kind, p.installments, decimal(p.cents)))
		}
		approved, carried, delivered := day.Add(20*time.Minute), day.AddDate(0, 0, 2), day.AddDate(0, 0, 9)
		times := []string{day.Format(time.DateTime), approved.Format(time.DateTime), carried.Format(time.DateTime), delivered.Format(time.DateTime)}
		switch status {
		case "unavailable":
			times[2], times[3] = "", ""
		case "shipped":
			times[3] = ""
		}
		orders = append(orders, strings.Join(append([]string{order, id("customer", n), status}, append(times, day.AddDate(0, 0, 20).Format("2006-01-02")+" 00:00:00")...), ","))
	}
	// The tables come in no order that means anything.
	slices.Sort(orders)
	slices.Sort(items)
	slices.SortFunc(payments, func(a, b string) int { return strings.Compare(a[16:], b[16:]) })
	table := func(head string, lines []string) string { return head + "\n" + strings.Join(lines, "\n") + "\n" }
	return map[string]string{
		olist.OrdersFile:   table("order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date", orders),
		olist.ItemsFile:    table("order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value", items),
		olist.PaymentsFile: table("order_id,payment_sequential,payment_type,payment_installments,payment_value", payments),
	}
}

type payment struct {
	sequential, installments, cents int
	kind                            string
}

// tender says how order n is paid.
func tender(d *dice, n, owed int) []payment {
	card := payment{kind: "credit_card", installments: 1 + d.roll(8)}
	switch {
	case n == 50:
		return nil // never paid, sent all the same
	case n == 87:
		return []payment{{kind: "not_defined", installments: 1}} // an order of nothing, paid with nothing
	case owed == 0:
		card.cents = 4990
		return []payment{card}
	case n%20 == 9:
		card.cents = owed + 1 - 2*(n/20%2) // a centavo over or under, from rounding installments
	case n%60 == 33:
		card.cents = owed + 317 // interest that no item explains
	case n == 72:
		card.cents, card.sequential = owed, 2 // the first payment is not in the export
	case n == 95: // seven vouchers, the last one short
		vouchers := make([]payment, 7)
		for i := range vouchers {
			vouchers[i] = payment{kind: "voucher", installments: 1, cents: owed / 7}
		}
		vouchers[6].cents = owed - 6*(owed/7)
		return vouchers
	case n%10 == 3:
		voucher := payment{kind: "voucher", installments: 1, cents: 500 + d.roll(owed/2)}
		card.cents = owed - voucher.cents
		return []payment{card, voucher}
	case n%5 == 2:
		return []payment{{kind: "boleto", installments: 1, cents: owed}}
	case n%17 == 5:
		return []payment{{kind: "debit_card", installments: 1, cents: owed}}
	default:
		card.cents = owed
	}
	return []payment{card}
}

// The shop's wares, with prices in ten-thousandths of a pound: one has half pennies.
var wares = []struct {
	stock, name string
	price       int
}{
	{"10101", "WATERING CAN, COPPER", 125000},
	{"10102", "WATERING CAN, TIN", 64500},
	{"10205", "TWINE, 100 YARDS", 12500},
	{"10206A", "PLANT LABELS, SLATE", 8500},
	{"10206B", "PLANT LABELS, \"OLD OAK\"", 9500},
	{"10310", "SEED PACKET, POPPY", 1950},
	{"10311", "SEED PACKET, FOXGLOVE", 1950},
	{"10312", "SEED PACKET, SINGLE", 125},
	{"10440", "LANTERN, MOON GATE", 89500},
	{"10441", "CANDLE FOR LANTERN", 4250},
	{"10550", "STEPPING STONE", 37500},
	{"POST", "POSTAGE", 180000},
}

// shop writes one shop's invoices, some 300 lines.
func shop() string {
	d := dice(2)
	var b strings.Builder
	b.WriteString("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n")
	now := time.Date(2025, 1, 6, 9, 30, 0, 0, time.UTC)
	write := func(invoice string, ware, quantity int, customer string) {
		w := wares[ware]
		price := strings.TrimRight(fmt.Sprintf("%d.%04d", w.price/10000, w.price%10000), "0")
		name := w.name
		if strings.ContainsAny(name, `",`) {
			name = `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		}
		country := "United Kingdom"
		if strings.HasSuffix(customer, "7") {
			country = "France"
		}
		fmt.Fprintf(&b, "%s,%s,%s,%d,%s,%s,%s,%s\n", invoice, w.stock, name, quantity, now.Format(time.DateTime), strings.TrimSuffix(price, "."), customer, country)
	}
	raw := func(line string) { fmt.Fprintln(&b, strings.ReplaceAll(line, "NOW", now.Format(time.DateTime))) }
	type sold struct {
		ware, quantity int
		customer       string
	}
	var past []sold
	for n := range 56 {
		invoice := 700100 + n
		now = now.Add(time.Duration(5+d.roll(40)) * time.Hour)
		switch n {
		case 0: // bought last year, before the file begins
			write(fmt.Sprint("C", invoice), 8, -1, "20007")
			continue
		case 12, 24, 36, 48: // found, whole
			s := past[len(past)-1-d.roll(9)]
			write(fmt.Sprint("C", invoice), s.ware, -s.quantity, s.customer)
			continue
		case 15: // half pennies: bought by 7, given back in steps
			write(fmt.Sprint(invoice), 7, 7, "20019")
			continue
		case 18:
			write(fmt.Sprint("C", invoice), 7, -3, "20019")
			continue
		case 19:
			write(fmt.Sprint("C", invoice), 7, -4, "20019")
			continue
		case 27: // two sales, given back together
			write(fmt.Sprint(invoice), 10, 4, "20021")
			continue
		case 28:
			write(fmt.Sprint(invoice), 10, 3, "20021")
			continue
		case 30:
			write(fmt.Sprint("C", invoice), 10, -5, "20021")
			continue
		case 31: // more than is left of them
			write(fmt.Sprint("C", invoice), 10, -3, "20021")
			continue
		case 33: // nobody to look for the sale under
			write(fmt.Sprint("C", invoice), 1, -1, "")
			continue
		case 40:
			raw(fmt.Sprintf("%d,10441,,-24,NOW,0,,United Kingdom", invoice)) // broken in the store room
			continue
		case 41:
			raw(fmt.Sprintf("A%d,B,Adjust bad debt,1,NOW,210.5,,United Kingdom", invoice))
			continue
		case 42:
			raw(fmt.Sprintf("A%d,B,Adjust bad debt,1,NOW,-210.5,,United Kingdom", invoice))
			continue
		}
		customer := fmt.Sprint(20000 + d.roll(18))
		if n%8 == 5 {
			customer = "" // a walk-in
		}
		lines := 3 + d.roll(9)
		for line := range lines {
			ware, quantity := d.roll(len(wares)-1), 1+d.roll(6)*d.roll(5)
			write(fmt.Sprint(invoice), ware, quantity, customer)
			if customer != "" && wares[ware].price%100 == 0 {
				past = append(past, sold{ware, quantity, customer})
			}
			if n == 44 && line == 1 { // two tills at once: another invoice comes in between
				s := past[3]
				write(fmt.Sprint("C", invoice+100), s.ware, -s.quantity, s.customer)
			}
		}
		switch n {
		case 9:
			raw(fmt.Sprintf("%d,10310,\"SEED PACKET, POPPY\",1,NOW,0,%s,United Kingdom", invoice, customer)) // a gift
		case 21:
			raw(fmt.Sprintf("%d,10310,SEED PACKET, POPPY,1,NOW,0.195,%s,United Kingdom", invoice, customer)) // its comma wants quotes
		case 29:
			raw(fmt.Sprintf("%d,PADS,SAMPLE,1,NOW,0.001,%s,United Kingdom", invoice, customer))
		}
		if d.roll(3) == 0 {
			write(fmt.Sprint(invoice), 11, 1, customer)
		}
	}
	return b.String()
}
