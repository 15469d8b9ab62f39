package crossing

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
)

// WalletFee is what a wallet keeps of a payment by the terms it was made under.
type WalletFee struct {
	Minor int64
	Parts int // payees whose fee was rounded on its own, so that the sum may be off by so many minor units less one
}

// WalletFee computes what a wallet keeps of a payment, before refunds. It is false where the payment is not kept any more,
// or its terms say nothing of the wallet's fee. Call it under the machine's Read.
func (s *State) WalletFee(id moongate.ID) (fee WalletFee, ok bool) { return s.WalletFeeOf(id, "") }

// WalletFeeOf is [State.WalletFee] of what one payee was paid, or of all for "": of a combined order a wallet takes it from each
// seller's part.
func (s *State) WalletFeeOf(id moongate.ID, payee string) (fee WalletFee, ok bool) {
	o, known := s.open.Get(id)
	if !known || o.Kind != Payment {
		return fee, false
	}
	terms, err := s.agreements.Version(o.Agreement, o.Version)
	if err != nil {
		return fee, false
	}
	b := builder{s: s, terms: terms, book: Book{Touches: o.Book.Touches}}
	var room [agreement.MaxFees + 1]agreement.Due
	for i := range o.Book.Payees {
		y := &o.Book.Payees[i]
		if y.Free || payee != "" && y.Party != payee {
			continue
		}
		dues, err := terms.Fees(room[:0], b.saleOf(o.Kind, o.Currency, y))
		if err != nil {
			return fee, false // it was made under these terms: it cannot be
		}
		part := false
		for _, d := range dues {
			if d.Pool {
				continue
			}
			switch agreement.Wallet {
			case d.To:
				fee.Minor += d.Minor
				part = true
			case d.From:
				fee.Minor -= d.Minor
				part = true
			}
		}
		if part {
			fee.Parts++
		}
	}
	return fee, fee.Parts > 0
}
