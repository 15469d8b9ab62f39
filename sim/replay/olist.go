package replay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/sim/olist"
)

const (
	olistMarket = "olist"
	olistWeb    = "web" // where the shoppers came from: the export does not say
)

// chunk is how many payments are under way at once. It is part of what makes a replay the same each time.
const chunk = 256

// span is the time that a chunk covers at most: a payment must be paid within a day.
const span = 23 * moongate.Hour

// together tells whether two times can be of one chunk.
func (r *Run) together(first, at moongate.Time) bool {
	return at < first+span && at < r.moments.next()
}

// payment is one payment row on its way.
type payment struct {
	order   *olist.Order
	row     *olist.Payment
	at      moongate.Time
	payees  []crossing.Payee
	suspend string // why nobody can say whose the money is
	id      moongate.ID
	attempt moongate.ID
}

func (p *payment) no() string { return fmt.Sprintf("%s/%d", p.order.ID, p.row.Sequential) }

// Olist replays an export.
func (r *Run) Olist(x *olist.Export) (*OlistReport, error) {
	rep := &OlistReport{Report: x.Report()}
	if len(x.Orders) == 0 {
		return rep, r.finish(&rep.Totals, 0)
	}
	start := x.Orders[0].Purchased - moongate.Day
	id, err := r.olistCast(start, x)
	if err != nil {
		return nil, err
	}
	rows := paymentsOf(x)
	for i := 0; i < len(rows); {
		if err := r.upTo(rows[i].at); err != nil {
			return nil, err
		}
		end := i + 1
		for end < len(rows) && end-i < chunk && r.together(rows[i].at, rows[end].at) {
			end++
		}
		if r.passed(rows[end-1].at) {
			i = end
			continue // done before the run that is resumed was broken off
		}
		if err := r.pay(id, rows[i:end]); err != nil {
			return nil, err
		}
		i = end
		r.progress(int64(i), int64(len(rows)))
	}
	return rep, r.finish(&rep.Totals, rows[len(rows)-1].at)
}

// paymentsOf lists the export's payments in the order in which they are replayed, each with whose it is.
func paymentsOf(x *olist.Export) []*payment {
	var rows []*payment
	for i := range x.Orders {
		o := &x.Orders[i]
		left := duesOf(o)
		why := ""
		switch {
		case len(o.Items) == 0:
			why = "the order has no items: nobody says whose the money is"
		case o.Paid() != o.Owed():
			why = fmt.Sprintf("the order's items and freight come to %d cents and its payments to %d", o.Owed(), o.Paid())
		}
		for j := range o.Payments {
			p := &payment{order: o, row: &o.Payments[j], at: o.Purchased, suspend: why}
			if p.row.Cents == 0 {
				continue // a voucher of nothing: there is nothing to move
			}
			if why == "" {
				p.payees, left = take(left, p.row.Cents)
			}
			rows = append(rows, p)
		}
	}
	return rows
}

// duesOf is what an order owes each seller, goods and freight, in the order of the items.
func duesOf(o *olist.Order) []crossing.Payee {
	var dues []crossing.Payee
	for _, it := range o.Items {
		who := sellerHandle(it.Seller)
		i := slices.IndexFunc(dues, func(p crossing.Payee) bool { return p.Party == who })
		if i < 0 {
			i = len(dues)
			dues = append(dues, crossing.Payee{Party: who})
		}
		dues[i].Amount += it.Cents()
		dues[i].Freight += it.FreightCents
	}
	return slices.DeleteFunc(dues, func(p crossing.Payee) bool { return p.Amount == 0 })
}

// take fills one payment from what is still owed, seller by seller, goods before freight.
func take(dues []crossing.Payee, cents int64) (payees, left []crossing.Payee) {
	for _, d := range dues {
		if cents == 0 {
			left = append(left, d)
			continue
		}
		part := d
		if d.Amount > cents {
			goods := min(d.Amount-d.Freight, cents)
			part.Amount, part.Freight = cents, cents-goods
			left = append(left, crossing.Payee{Party: d.Party, Amount: d.Amount - cents, Freight: d.Freight - part.Freight})
		}
		cents -= part.Amount
		payees = append(payees, part)
	}
	return payees, left
}

func sellerHandle(id string) string { return "seller-" + strings.ToLower(id[:min(len(id), 33)]) }

func walletHandle(kind string) string { return strings.ReplaceAll(kind, "_", "-") }

// olistCast registers everybody and has them sign.
func (r *Run) olistCast(start moongate.Time, x *olist.Export) (moongate.ID, error) {
	sellers, wallets := map[string]bool{}, map[string]bool{}
	for i := range x.Orders {
		for _, it := range x.Orders[i].Items {
			sellers[sellerHandle(it.Seller)] = true
		}
		for _, p := range x.Orders[i].Payments {
			wallets[walletHandle(p.Type)] = true
		}
	}
	names := sorted(wallets)
	r.currency = money.BRL
	for _, w := range names {
		r.wallet(w)
	}
	if id, ok, err := r.furnished(); ok || err != nil {
		return id, err
	}
	if err := r.desk.register(start, party.Platform, olistMarket); err != nil {
		return moongate.ID{}, err
	}
	if err := r.desk.register(start, party.Publisher, olistWeb); err != nil {
		return moongate.ID{}, err
	}
	if err := r.desk.register(start, party.Wallet, names...); err != nil {
		return moongate.ID{}, err
	}
	if err := r.desk.register(start, party.Merchant, sorted(sellers)...); err != nil {
		return moongate.ID{}, err
	}
	doc, err := olistTerms(olist.Currency, names)
	if err != nil {
		return moongate.ID{}, err
	}
	id, err := r.desk.agree(start, doc, olistMarket, append([]signer{{olistMarket, "marketplace"}, {olistWeb, "publisher"}}, each("wallet", names...)...))
	if err != nil {
		return moongate.ID{}, err
	}
	if err := r.desk.accept(start, id, doc, "seller", sorted(sellers)...); err != nil {
		return moongate.ID{}, err
	}
	return id, r.furnish(id)
}

// pay takes a chunk of payments through their lives: asked for, sent to the wallet, paid.
func (r *Run) pay(agreement moongate.ID, rows []*payment) error {
	create := make([]request, len(rows))
	for i, p := range rows {
		create[i] = request{
			caller: olistMarket, key: "pay/" + p.no(), at: p.at,
			command: &pay.Create{
				Order: p.no(), From: olistWeb, To: olistMarket, Agreement: agreement, Amount: money.Of(p.row.Cents, money.BRL),
				Payees: p.payees, Suspend: p.suspend, Title: "Order " + p.order.ID[:min(8, len(p.order.ID))],
				Wallets: []string{walletHandle(p.row.Type)}, Expires: rows[0].at + 24*moongate.Hour,
			},
			done: func(a any, err error) error {
				if err == nil {
					p.id = a.(pay.PaymentAnswer).Payment
				}
				return err
			},
		}
	}
	if err := r.desk.all(create); err != nil {
		return err
	}
	choose := make([]request, len(rows))
	for i, p := range rows {
		choose[i] = request{
			caller: olistMarket, key: "choose/" + p.no(), at: p.at, command: &pay.ChooseWallet{Payment: p.id, Wallet: walletHandle(p.row.Type)},
			done: func(a any, err error) error {
				if err == nil {
					p.attempt = a.(pay.WalletAnswer).Attempt
				}
				return err
			},
		}
	}
	if err := r.desk.all(choose); err != nil {
		return err
	}
	if err := r.drain(); err != nil {
		return err
	}
	told := make([]request, len(rows))
	for i, p := range rows {
		amount := money.Of(p.row.Cents, money.BRL)
		told[i] = request{
			key: "told/" + p.no(), at: p.at,
			command: &pay.Told{
				Wallet: walletHandle(p.row.Type), Event: "RECORDED", Order: p.attempt.String(),
				Payment: &pay.Evidence{State: pay.Paid, WalletRef: p.no(), Amount: amount, PayerTotal: amount.Minor, PaidAt: p.at, Said: "RECORDED"},
			},
			done: func(_ any, err error) error { return err },
		}
	}
	return r.desk.all(told)
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.SortFunc(names, cmp.Compare)
	return names
}
