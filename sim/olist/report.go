package olist

import "slices"

// Report is what an export says about itself, worked out from its lines alone: the figures a replay through the hub
// has to arrive at on its own way. Amounts are in cents.
type Report struct {
	Orders               int                         `json:"orders"`
	Items                int                         `json:"items"`
	Payments             int                         `json:"payments"`
	Repeated             int                         `json:"repeated_lines"`
	ItemsTotalCents      int64                       `json:"items_total_cents"` // prices, without freight
	FreightTotalCents    int64                       `json:"freight_total_cents"`
	PaymentsTotalCents   int64                       `json:"payments_total_cents"`
	OrdersWithoutItems   []string                    `json:"orders_without_items"`   // sorted
	OrdersWithoutPayment []string                    `json:"orders_without_payment"` // sorted
	MismatchCents        map[string]int64            `json:"mismatch_cents"`         // order: paid less owed, where both exist and differ
	MultiSellerOrders    map[string]map[string]int64 `json:"multi_seller_orders"`    // order: seller: owed, freight included
}

// Report adds the export up.
func (x *Export) Report() Report {
	r := Report{
		Orders: len(x.Orders), Repeated: x.Repeated,
		OrdersWithoutItems: []string{}, OrdersWithoutPayment: []string{},
		MismatchCents: map[string]int64{}, MultiSellerOrders: map[string]map[string]int64{},
	}
	for i := range x.Orders {
		o := &x.Orders[i]
		r.Items += len(o.Items)
		r.Payments += len(o.Payments)
		r.PaymentsTotalCents += o.Paid()
		sellers := map[string]int64{}
		for _, item := range o.Items {
			r.ItemsTotalCents += item.PriceCents
			r.FreightTotalCents += item.FreightCents
			sellers[item.Seller] += item.Cents()
		}
		if len(sellers) > 1 {
			r.MultiSellerOrders[o.ID] = sellers
		}
		if len(o.Items) == 0 {
			r.OrdersWithoutItems = append(r.OrdersWithoutItems, o.ID)
		}
		if len(o.Payments) == 0 {
			r.OrdersWithoutPayment = append(r.OrdersWithoutPayment, o.ID)
		}
		if len(o.Items) > 0 && len(o.Payments) > 0 && o.Paid() != o.Owed() {
			r.MismatchCents[o.ID] = o.Paid() - o.Owed()
		}
	}
	slices.Sort(r.OrdersWithoutItems)
	slices.Sort(r.OrdersWithoutPayment)
	return r
}
