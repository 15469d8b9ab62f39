package bill

import (
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate/money"
)

// Stripe's itemised balance report (balance_change_from_activity.itemized and its like): comma-separated values under a
// header whose columns the merchant chooses. It ends without a summary.

// stripe reads a balance report.
type stripe struct {
	names []string
	cells []string
	at    stripeColumns
}

type stripeColumns struct {
	id, created, currency, gross, fee, net, category int
	source, charge, intent, order, refund, note      int
}

func isStripe(header string) bool { return strings.Contains(header, "balance_transaction_id") }

// Columns under which a merchant's own numbers come back, for they were given as metadata.
var (
	stripeOrders  = []string{"payment_metadata[moongate_order]", "payment_metadata[order_id]", "client_reference_id"}
	stripeRefunds = []string{"refund_metadata[moongate_refund]", "refund_metadata[refund_id]"}
)

func (b *Bill) openStripe(header string) error {
	f := &stripe{}
	f.names, _ = csv(header, nil)
	at := func(of ...string) int {
		for _, name := range of {
			if i := column(f.names, name); i >= 0 {
				return i
			}
		}
		return -1
	}
	f.at = stripeColumns{
		id: at("balance_transaction_id"), created: at("created_utc"), currency: at("currency"), gross: at("gross"), fee: at("fee"), net: at("net"),
		category: at("reporting_category"), source: at("source_id"), charge: at("charge_id"), intent: at("payment_intent_id"),
		order: at(stripeOrders...), refund: at(stripeRefunds...), note: at("description"),
	}
	if err := b.needs(f.names, "the report has no column %s; choose it when you run the report", "balance_transaction_id", "created_utc", "currency", "gross", "fee", "net", "reporting_category"); err != nil {
		return err
	}
	b.head.Wallet, b.head.Kind = "stripe", Fund
	b.format = f
	return nil
}

func (f *stripe) next(b *Bill, row *Row) error {
	text, err := b.line("")
	for err == nil && strings.Trim(text, ", \t") == "" {
		text, err = b.line("")
	}
	if err != nil {
		return err
	}
	row.Line = b.lines.n
	if f.cells, err = b.record(text, f.cells); err != nil {
		return err
	}
	if len(f.cells) != len(f.names) {
		return b.bad("", "", fmt.Sprintf("%d cells where the header has %d: the file is cut short or altered", len(f.cells), len(f.names)))
	}
	c := func(at int) string {
		if at < 0 {
			return ""
		}
		return f.cells[at]
	}
	if row.Currency, err = money.ParseCurrency(strings.ToUpper(c(f.at.currency))); err != nil {
		return b.bad(f.names[f.at.currency], c(f.at.currency), "is not a currency")
	}
	if err := b.time(&row.At, f.names[f.at.created], c(f.at.created), utc); err != nil {
		return err
	}
	var fee, net int64
	for _, read := range [...]struct {
		to *int64
		at int
	}{{&row.Amount, f.at.gross}, {&fee, f.at.fee}, {&net, f.at.net}} {
		places, err := row.Currency.Exponent()
		if err != nil {
			return b.bad(f.names[f.at.currency], c(f.at.currency), "is not a currency")
		}
		text := c(read.at)
		if places == 0 {
			text = strings.TrimSuffix(text, ".00")
		}
		if err := b.number(read.to, f.names[read.at], text, places); err != nil {
			return err
		}
	}
	if rest, ok := money.Sub(row.Amount, fee); !ok || rest != net {
		return b.bad(f.names[f.at.net], c(f.at.net), fmt.Sprintf("does not hold: %s less %s", c(f.at.gross), c(f.at.fee)))
	}
	var ok bool
	if row.Fee, ok = money.Mul(fee, 1000); !ok {
		return b.bad(f.names[f.at.fee], c(f.at.fee), "does not fit 64 bits")
	}
	row.Settled, row.Type, row.Title = row.Amount, c(f.at.category), c(f.at.note)
	row.Kind = stripeKind(row.Type)
	row.OrderRef, row.Order = c(f.at.intent), c(f.at.order)
	if row.OrderRef == "" {
		row.OrderRef = c(f.at.charge)
	}
	row.Ref, row.No = c(f.at.source), c(f.at.refund)
	if row.Kind == Payment {
		row.Ref, row.No = row.OrderRef, row.Order
	}
	if row.Ref == "" {
		row.Ref = c(f.at.id)
	}
	return nil
}

// stripeKind sorts the reporting categories of balance transactions.
func stripeKind(category string) RowKind {
	switch category {
	case "charge", "payment":
		return Payment
	case "refund", "partial_capture_reversal", "charge_failure", "refund_failure":
		return Refund
	case "fee", "network_cost", "tax", "platform_earning", "platform_earning_refund":
		return Fee
	case "transfer", "transfer_reversal", "connect_collection_transfer":
		return Split
	case "dispute", "dispute_reversal":
		return Dispute
	case "payout", "payout_reversal", "topup", "topup_reversal":
		return Transfer
	}
	return Other
}
