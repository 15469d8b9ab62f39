package crossing

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/ledger"
)

// takeback books that a party gave back to the wallet what the wallet had paid it of a payment (分账回退, 退分账), because money of
// that payment goes back to the shopper: the wallet holds it again, and owes it to the party. The refund itself takes from
// the party what it has to bear. It is under the payment's terms, whichever are in force now.
func (b *builder) takeback() error {
	p := &b.p
	o, ok := b.s.open.Get(p.Of)
	switch {
	case !ok || o.Kind != Payment:
		return &moongate.Error{Code: moongate.Conflict, Field: "of", Message: fmt.Sprintf("%s is no payment that is kept", p.Of), Hint: "parts come back while their payment can be refunded"}
	case len(p.Payees) != 1:
		return malformed("payees", fmt.Sprintf("%d parties give it back", len(p.Payees)), "name the one")
	case p.Currency != o.Currency || p.Wallet != o.Book.Wallet:
		return malformed("wallet", "it comes back in another currency or at another wallet", "name those of the payment")
	}
	var err error
	if b.terms, err = b.s.agreements.Version(o.Agreement, o.Version); err != nil {
		return err
	}
	p.Agreement, p.From, p.To = o.Agreement, o.From, o.To
	b.book = Book{Wallet: o.Book.Wallet, Hidden: o.Book.Hidden, Subject: o.Book.Subject}
	who := p.Payees[0].Party
	b.line(p.Wallet, Line{What: Held, Amount: p.Amount})
	b.line(who, Line{What: TakenBack, Amount: p.Amount, Other: p.Wallet})
	b.post(b.account(p.Wallet, ledger.Wallet), b.account(who, ledger.Payable), p.Amount)
	return nil
}
