package replay

import (
	"errors"
	"fmt"
	"io"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/sim/retail"
)

const (
	retailMerchant = "online-retail"
	retailTill     = "till"
	retailWeb      = "web"
)

// Retail replays an Online Retail workbook: every invoice a payment, every cancellation a refund of the sales it takes
// back. It reads on while it pays, and holds one chunk of invoices in memory.
func (r *Run) Retail(in *retail.Reader) (*RetailReport, error) {
	rep := &RetailReport{RefundsRefused: map[string]int64{}}
	var id moongate.ID
	var last moongate.Time
	var waiting *retail.Invoice
	for more := true; more; {
		var batch []*retail.Invoice
		for len(batch) < chunk {
			inv := waiting
			if waiting = nil; inv == nil {
				var err error
				if inv, err = in.Next(); errors.Is(err, io.EOF) {
					more = false
					break
				} else if err != nil {
					return nil, err
				}
			}
			inv.Time = max(inv.Time, last) // the till's clock goes back now and then; the hub's does not
			if len(batch) == 0 {
				if id.IsZero() {
					var err error
					if id, err = r.retailCast(inv.Time - moongate.Day); err != nil {
						return nil, err
					}
				}
				if err := r.upTo(inv.Time); err != nil {
					return nil, err
				}
			} else if !r.together(batch[0].Time, inv.Time) {
				waiting = inv
				break
			}
			last = inv.Time
			batch = append(batch, inv)
		}
		if len(batch) > 0 && !r.passed(last) {
			if err := r.trade(id, batch, rep); err != nil {
				return nil, err
			}
		}
		r.progress(in.Report().Lines, 0)
	}
	rep.Report = in.Report()
	return rep, r.finish(&rep.Totals, last)
}

func (r *Run) retailCast(start moongate.Time) (moongate.ID, error) {
	r.currency = money.GBP
	r.wallet(retailTill)
	if id, ok, err := r.furnished(); ok || err != nil {
		return id, err
	}
	if err := r.desk.register(start, party.Merchant, retailMerchant); err != nil {
		return moongate.ID{}, err
	}
	if err := r.desk.register(start, party.Wallet, retailTill); err != nil {
		return moongate.ID{}, err
	}
	if err := r.desk.register(start, party.Publisher, retailWeb); err != nil {
		return moongate.ID{}, err
	}
	doc, err := retailTerms("GBP")
	if err != nil {
		return moongate.ID{}, err
	}
	id, err := r.desk.agree(start, doc, retailMerchant, []signer{{retailMerchant, "seller"}, {retailTill, "wallet"}, {retailWeb, "publisher"}})
	if err != nil {
		return moongate.ID{}, err
	}
	return id, r.furnish(id)
}

func invoiceNo(number string, part int) string { return fmt.Sprintf("%s/%d", number, part) }

// refund is what one cancellation takes back of one sale.
type refund struct {
	invoice *retail.Invoice
	sale    string
	pence   int64
}

// trade takes a chunk of invoices through the hub: sales first, then what they or earlier ones are cancelled by.
func (r *Run) trade(agreement moongate.ID, batch []*retail.Invoice, rep *RetailReport) error {
	var sales []*sale
	var backs []*refund
	for _, inv := range batch {
		if !inv.Cancellation {
			sales = append(sales, &sale{no: invoiceNo(inv.Number, inv.Part), at: inv.Time, pence: inv.Pence})
			continue
		}
		backs = append(backs, refundsOf(inv)...)
	}
	if err := r.sell(agreement, sales, batch[0].Time); err != nil {
		return err
	}
	requests := make([]request, 0, len(backs))
	for _, b := range backs {
		var of pay.Payment
		var ok bool
		r.hub.Machine().Read(func() { of, ok = r.hub.Pay.ByOrder(retailMerchant, b.sale) })
		if !ok {
			rep.RefundsRefused[string(moongate.NotFound)]++
			continue
		}
		no := invoiceNo(b.invoice.Number, b.invoice.Part) + "/" + b.sale
		requests = append(requests, request{
			caller: retailMerchant, key: "refund/" + no, at: b.invoice.Time,
			command: &pay.Refund{Payment: of.Payment, Reference: no, Amount: b.pence, Reason: "cancelled"},
			done: func(_ any, err error) error {
				if code := moongate.CodeOf(err); code == moongate.Limit || code == moongate.Refused || code == moongate.Conflict {
					rep.RefundsRefused[string(code)]++ // the refusal stands in the journal, with its reason
					return nil
				}
				return err
			},
		})
	}
	if err := r.desk.all(requests); err != nil {
		return err
	}
	return r.drain()
}

// refundsOf adds up what a cancellation takes back, sale by sale, in the order in which they come.
func refundsOf(inv *retail.Invoice) []*refund {
	var backs []*refund
	by := map[string]*refund{}
	for i := range inv.Lines {
		for _, a := range inv.Lines[i].Against {
			no := invoiceNo(a.Invoice, a.Part)
			b := by[no]
			if b == nil {
				b = &refund{invoice: inv, sale: no}
				by[no] = b
				backs = append(backs, b)
			}
			b.pence += a.Pence
		}
	}
	return backs
}

// sale is one invoice on its way.
type sale struct {
	no      string
	at      moongate.Time
	pence   int64
	id      moongate.ID
	attempt moongate.ID
}

func (r *Run) sell(agreement moongate.ID, sales []*sale, first moongate.Time) error {
	create := make([]request, len(sales))
	for i, s := range sales {
		create[i] = request{
			caller: retailMerchant, key: "pay/" + s.no, at: s.at,
			command: &pay.Create{
				Order: s.no, From: retailWeb, To: retailMerchant, Agreement: agreement, Amount: money.Of(s.pence, money.GBP),
				Title: "Invoice " + s.no, Wallets: []string{retailTill}, Expires: first + 24*moongate.Hour,
			},
			done: func(a any, err error) error {
				if err == nil {
					s.id = a.(pay.PaymentAnswer).Payment
				}
				return err
			},
		}
	}
	if err := r.desk.all(create); err != nil {
		return err
	}
	choose := make([]request, len(sales))
	for i, s := range sales {
		choose[i] = request{
			caller: retailMerchant, key: "choose/" + s.no, at: s.at, command: &pay.ChooseWallet{Payment: s.id, Wallet: retailTill},
			done: func(a any, err error) error {
				if err == nil {
					s.attempt = a.(pay.WalletAnswer).Attempt
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
	told := make([]request, len(sales))
	for i, s := range sales {
		told[i] = request{
			key: "told/" + s.no, at: s.at,
			command: &pay.Told{
				Wallet: retailTill, Event: "RECORDED", Order: s.attempt.String(),
				Payment: &pay.Evidence{State: pay.Paid, WalletRef: s.no, Amount: money.Of(s.pence, money.GBP), PayerTotal: s.pence, PaidAt: s.at, Said: "RECORDED"},
			},
			done: func(_ any, err error) error { return err },
		}
	}
	return r.desk.all(told)
}
