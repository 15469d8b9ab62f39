// Package ledger keeps the books: double entry, in whole minor units. It mirrors what wallets hold and says who is owed
// how much of it; it holds no money.
//
// A room that moves value plans a [Transfer] first ([State.Plan]), which may refuse and changes nothing, and emits the
// plan once all of its plans stand. A transfer is posted at once, or pending until it is posted, voided or expires. The
// limits of an account count what is held. Debits equal credits in every transfer, so also in every currency, always.
//
// Each participant may read the postings on its own accounts and no others: they are groups of their own in the
// journal. What would tell one participant how busy the others are (account numbers, positions) is for the hub alone.
package ledger

import (
	"fmt"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Purpose is what an account is for.
type Purpose uint8

// Purposes. A number, once used, is never given to another purpose.
const (
	Wallet     Purpose = 1 // money that a wallet holds for the participants; the owner is the wallet
	Payable    Purpose = 2 // what is owed to the owner
	Fee        Purpose = 3 // what a wallet has earned on payments; the owner is the wallet
	Receivable Purpose = 4 // what the owner owes
	Accrual    Purpose = 5 // private agreements: what the owner will owe when the period closes, in its own books
	Clearing   Purpose = 6 // of a settlement window; the hub's; zero afterwards
	Suspense   Purpose = 7 // money that came without a crossing to explain it, until somebody resolves the exception
	Instructed Purpose = 8 // on its way to the owner: a wallet was told to pay, and has not confirmed
)

var purposes = [...]struct {
	name  string
	debit bool // grows by debits
}{
	Wallet: {"wallet", true}, Payable: {"payable", false}, Fee: {"fee", false}, Receivable: {"receivable", true},
	Accrual: {"accrual", false}, Clearing: {"clearing", false}, Suspense: {"suspense", false},
	Instructed: {"instructed", false},
}

// Known tells whether there is such a purpose.
func (p Purpose) Known() bool { return int(p) < len(purposes) && purposes[p].name != "" }

// Debit tells whether balances of this purpose grow by debits; the others grow by credits.
func (p Purpose) Debit() bool { return p.Known() && purposes[p].debit }

// String is the purpose's name, such as "payable".
func (p Purpose) String() string {
	if p.Known() {
		return purposes[p].name
	}
	return fmt.Sprintf("purpose%d", uint8(p))
}

// MarshalText writes the name.
func (p Purpose) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the name.
func (p *Purpose) UnmarshalText(b []byte) error {
	for i := range purposes {
		if name := purposes[i].name; name != "" && name == string(b) {
			*p = Purpose(i)
			return nil
		}
	}
	var names []string
	for i := range purposes {
		if purposes[i].name != "" {
			names = append(names, purposes[i].name)
		}
	}
	return &moongate.Error{
		Code: moongate.Malformed, Field: "purpose", Message: fmt.Sprintf("no account is for %.40q", b),
		Hint: "write one of " + strings.Join(names, ", "),
	}
}

// Account is where value stands: whose, in what currency, what for. Of sets accounts of one purpose apart where that
// matters: the window of a clearing account, the agreement of an accrual; mostly it is zero.
type Account struct {
	Owner    string         `json:"owner" cbor:"1,keyasint"` // a participant, or "" for the hub itself
	Currency money.Currency `json:"currency" cbor:"2,keyasint"`
	Purpose  Purpose        `json:"purpose" cbor:"3,keyasint"`
	Of       moongate.ID    `json:"of,omitzero" cbor:"4,keyasint,omitzero"`
}

// maxOwner bounds an owner's handle: its own part, the hub's, and what stands between.
const maxOwner = 128

// String is the text form: OWNER/CURRENCY/PURPOSE or OWNER/CURRENCY/PURPOSE/ID, as in "shop/CNY/payable".
func (a Account) String() string {
	s := a.Owner + "/" + a.Currency.String() + "/" + a.Purpose.String()
	if !a.Of.IsZero() {
		s += "/" + a.Of.String()
	}
	return s
}

// ParseAccount reads the text form that [Account.String] writes.
func ParseAccount(s string) (Account, error) {
	parts := strings.Split(s[:min(len(s), 2*maxOwner)], "/")
	if len(parts) != 3 && len(parts) != 4 || len(s) > 2*maxOwner {
		return Account{}, &moongate.Error{
			Code: moongate.Malformed, Field: "account", Message: fmt.Sprintf("%.80q is no account", s),
			Hint: "write OWNER/CURRENCY/PURPOSE, like shop/CNY/payable",
		}
	}
	a := Account{Owner: parts[0]}
	var err error
	if a.Currency, err = money.ParseCurrency(parts[1]); err != nil {
		return Account{}, err
	}
	if err = a.Purpose.UnmarshalText([]byte(parts[2])); err != nil {
		return Account{}, err
	}
	if len(parts) == 4 {
		if a.Of, err = moongate.ParseID(parts[3]); err != nil {
			return Account{}, err
		}
	}
	if err := a.check(); err != nil {
		return Account{}, err
	}
	return a, nil
}

// check refuses what is no account. It runs when an account is first used.
func (a Account) check() error {
	if _, err := a.Currency.Exponent(); err != nil {
		return err
	}
	if !a.Purpose.Known() {
		return &moongate.Error{Code: moongate.Malformed, Field: "purpose", Message: fmt.Sprintf("no account is for purpose %d", uint8(a.Purpose))}
	}
	bad := len(a.Owner) > maxOwner
	for i := range len(a.Owner) {
		bad = bad || a.Owner[i] <= ' ' || a.Owner[i] > '~' || a.Owner[i] == '/'
	}
	if bad {
		return &moongate.Error{
			Code: moongate.Malformed, Field: "owner", Message: fmt.Sprintf("%.40q is no participant's handle", a.Owner),
			Hint: "handles are lower-case letters, digits and hyphens",
		}
	}
	return nil
}
