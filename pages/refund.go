package pages

import (
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
)

func (p *Pages) refunds(v *visit) (console.Page, error) {
	q := v.URL.Query()
	page := console.Refunds{State: bound(q.Get("state"), 20), Wallet: bound(q.Get("wallet"), 128), Wallets: p.walletOptions(v)}
	f := pay.RefundFilter{Merchant: v.own(), Status: pay.RefundStatus(page.State), Wallet: page.Wallet}
	found, paging, err := rows(p, v, "refunds", func(after string, limit int) ([]pay.RefundRow, string, error) {
		return pay.Refunds(v.Context(), p.hub.Views, f, after, limit)
	})
	if err != nil {
		return nil, err
	}
	page.Lines, page.Paging = p.refundLines(v, found), paging
	return page, nil
}

func (p *Pages) refundLines(v *visit, found []pay.RefundRow) []console.RefundLine {
	lines := make([]console.RefundLine, 0, len(found))
	for i := range found {
		r := &found[i]
		line := console.RefundLine{
			ID: r.ID.String(), At: r.Opened, Payment: r.Payment.String(), Reference: r.Reference, Merchant: p.party(r.Merchant, v.lang),
			Wallet: p.party(r.Wallet, v.lang), Amount: r.Amount, State: string(r.Status), Ended: r.Ended,
		}
		if r.Status != pay.RefundSucceeded {
			line.Message = r.Message
		}
		if !r.Exception.IsZero() {
			line.Exception = r.Exception.String()
		}
		lines = append(lines, line)
	}
	return lines
}
