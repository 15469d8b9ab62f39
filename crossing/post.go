package crossing

import (
	"fmt"

	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/ledger"
)

// This file says what a crossing's amounts mean in the books.
//
// A payment is money that the wallet holds (debit) and owes to the payees (credit); fees and shares move it on between
// what is owed to one and to another. Of a conversion the hub's wallets hold nothing: who owes a fee has a receivable.
// A negative amount is the same the other way round.

// gross books a payee's part of the amount.
func (b *builder) gross(y *Sold, sign int64) {
	if goods := y.Amount - y.Freight; goods != 0 {
		b.line(y.Party, Line{What: Goods, Amount: sign * goods, Class: y.Class})
	}
	if y.Freight != 0 {
		b.line(y.Party, Line{What: Freight, Amount: sign * y.Freight, Class: y.Class})
	}
	if from, ok := b.holding(); ok {
		b.post(from, b.account(y.Party, ledger.Payable), sign*y.Amount)
	}
}

// holding is the account that the amount comes from, if the hub's wallets hold it at all.
func (b *builder) holding() (ledger.Account, bool) {
	switch {
	case b.book.Wallet == "":
		return ledger.Account{}, false
	case !b.p.Releases.IsZero() && b.open != nil:
		return b.account(b.open.From, ledger.Suspense), true
	}
	return b.account(b.book.Wallet, ledger.Wallet), true
}

// fee books one line of the schedule.
func (b *builder) fee(d agreement.Due, payee, class string) error {
	if d.Minor == 0 {
		return nil
	}
	from, err := b.cast(d.From, payee)
	if err != nil {
		return err
	}
	to, err := b.cast(d.To, payee)
	if err != nil {
		return err
	}
	id := b.terms.Doc.Fees[d.Line].ID
	_, private := b.terms.Private(d.From, d.To)
	b.line(from, Line{What: FeeLine, Amount: -d.Minor, Fee: id, Other: to, Class: class, Accrue: private})
	if private {
		accrual := b.account(from, ledger.Accrual)
		accrual.Of = b.p.Agreement
		b.post(b.payer(from, d.From), accrual, d.Minor)
		return nil
	}
	b.line(to, Line{What: FeeLine, Amount: d.Minor, Fee: id, Other: from, Class: class})
	b.post(b.payer(from, d.From), b.payeeOf(to, d.To), d.Minor)
	return nil
}

// share books one part of a pool.
func (b *builder) share(from string, role agreement.Role, to string, minor int64, class string) {
	if minor == 0 {
		return
	}
	b.line(from, Line{What: ShareOut, Amount: -minor, Other: to, Class: class})
	b.line(to, Line{What: ShareOut, Amount: minor, Other: from, Class: class})
	b.post(b.payer(from, role), b.account(to, ledger.Payable), minor)
}

// payer is the account of somebody who owes a fee: taken from what it is owed where a wallet holds money, else owed.
func (b *builder) payer(party string, role agreement.Role) ledger.Account {
	switch {
	case b.book.Wallet == "":
		return b.account(party, ledger.Receivable)
	case role == agreement.Wallet:
		return b.account(party, ledger.Fee)
	}
	return b.account(party, ledger.Payable)
}

// payeeOf is the account of somebody to whom a fee is owed. A wallet keeps its fee.
func (b *builder) payeeOf(party string, role agreement.Role) ledger.Account {
	if b.book.Wallet != "" && role == agreement.Wallet {
		return b.account(party, ledger.Fee)
	}
	return b.account(party, ledger.Payable)
}

func (b *builder) account(owner string, purpose ledger.Purpose) ledger.Account {
	return ledger.Account{Owner: owner, Currency: b.p.Currency, Purpose: purpose}
}

func (b *builder) post(debit, credit ledger.Account, minor int64) {
	if minor < 0 {
		debit, credit, minor = credit, debit, -minor
	}
	if minor > 0 {
		b.legs = append(b.legs, ledger.Leg{Debit: debit, Credit: credit, Amount: minor})
	}
}

// line adds a line to a party's side.
func (b *builder) line(party string, l Line) {
	i := 0
	for i < len(b.sides) && b.sides[i].party != party {
		i++
	}
	if i == len(b.sides) {
		b.sides = append(b.sides, draft{party: party})
	}
	b.sides[i].lines++
	b.lines = append(b.lines, draftLine{l, i})
}

// cast finds who stands in a role: the payee, the wallet, the one whom the document names, or one of From and To. Who
// was found stands in the book, so that a refund finds the same.
func (b *builder) cast(role agreement.Role, payee string) (string, error) {
	if role == b.terms.Beneficiary() && payee != "" {
		return payee, nil
	}
	for _, c := range b.book.Cast {
		if c.Role == role {
			return c.Party, nil
		}
	}
	who := ""
	if p := b.terms.Doc.Party(role); p != nil {
		who = p.ID
	}
	for _, side := range [2]string{b.p.From, b.p.To} {
		if who == "" && b.s.agreements.Stands(b.terms, role, side, b.step.At) {
			who = side
		}
	}
	if who == "" {
		return "", refused("agreement", fmt.Sprintf("nobody in this crossing is the %s, who pays or receives a fee", role), "name it as from, to, wallet or payee")
	}
	b.book.Cast = append(b.book.Cast, Part{role, who})
	return who, nil
}
