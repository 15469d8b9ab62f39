package crossing

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/share"
)

// exception books money that came in without terms to divide it.
func (b *builder) exception() error {
	p := &b.p
	if err := b.s.Full(); err != nil {
		return err
	}
	if p.From == p.To {
		return malformed("to", fmt.Sprintf("a crossing from %q to itself", p.From), "name two participants")
	}
	for _, who := range [3]string{p.From, p.To, p.Wallet} {
		if _, ok := b.s.parties.Lookup(who); !ok { // a suspended one too: the money is there
			return &moongate.Error{Code: moongate.NotFound, Message: fmt.Sprintf("there is no participant %.80q", who), Hint: "check the spelling"}
		}
	}
	p.Agreement, p.Payees = moongate.ID{}, nil
	b.book.Wallet, b.book.Subject = p.Wallet, p.Subject
	b.suspend(p.From, p.Amount)
	return nil
}

// suspend books money into suspense, or, negative, out of it and back.
func (b *builder) suspend(owner string, minor int64) {
	b.line(b.book.Wallet, Line{What: Held, Amount: minor})
	b.line(owner, Line{What: Suspense, Amount: minor})
	b.post(b.account(b.book.Wallet, ledger.Wallet), b.account(owner, ledger.Suspense), minor)
}

// reversible finds a crossing of which something can be taken back.
func (b *builder) reversible(id moongate.ID) (*Open, error) {
	o, ok := b.s.open.Get(id)
	conflict := func(message, hint string) error {
		return &moongate.Error{Code: moongate.Conflict, Field: "reverses", Message: message, Hint: hint}
	}
	switch {
	case !ok || o.Kind == Refund:
		return nil, conflict(fmt.Sprintf("crossing %s cannot be taken back", id), "it is unknown, a refund itself, or too long ago")
	case o.Pending:
		return nil, conflict(fmt.Sprintf("crossing %s is still pending", id), "complete it or give it up first")
	case o.Kind != Exception && b.step.At > b.s.closes(&o):
		return nil, conflict(fmt.Sprintf("crossing %s could be refunded until %s", id, b.s.closes(&o)), "agree on another way")
	case b.p.Currency != o.Currency:
		return nil, malformed("currency", fmt.Sprintf("%s of a crossing in %s", b.p.Currency, o.Currency), "use the crossing's currency")
	case b.p.Amount > o.Left():
		return nil, &moongate.Error{
			Code: moongate.Limit, Field: "amount", Message: fmt.Sprintf("%d of crossing %s, of which %d of %d is left", b.p.Amount, id, o.Left(), o.Amount),
			Hint: "refunds that are under way count",
		}
	}
	for _, standing := range b.s.scratch.plans {
		if e := standing.event; e.Reverses == id || e.Releases == id {
			return nil, conflict(fmt.Sprintf("crossing %s is taken back twice in one request", id), "use one request for each")
		}
	}
	return &o, nil
}

// inherit takes over from the crossing that a refund reverses what the refund does not say.
func (b *builder) inherit(o *Open) {
	p := &b.p
	if p.From == "" && p.To == "" {
		p.From, p.To = o.To, o.From
	}
	p.Agreement, p.Class = o.Agreement, o.Class
	b.open = o
	b.book = Book{Wallet: o.Book.Wallet, Cast: o.Book.Cast, Hidden: o.Book.Hidden, Subject: o.Book.Subject}
}

// refund builds the reversal of a part of a crossing, or of all that is left of it, under the terms of that crossing.
// Those say whether payments are refunded; a conversion that was undone elsewhere is taken back in any case.
func (b *builder) refund() error {
	p := &b.p
	o, err := b.reversible(p.Reverses)
	if err != nil {
		return err
	}
	if !p.Agreement.IsZero() && p.Agreement != o.Agreement || p.Wallet != "" && p.Wallet != o.Book.Wallet {
		return malformed("reverses", fmt.Sprintf("crossing %s was under another agreement or with another wallet", p.Reverses), "leave both out")
	}
	b.inherit(o)
	if o.Kind == Exception {
		p.Payees = nil
		b.suspend(o.From, -p.Amount)
		return nil
	}
	if b.terms, err = b.s.agreements.Version(o.Agreement, o.Version); err != nil {
		return err
	}
	if o.Kind == Payment && !b.terms.Covers(agreement.Refund) {
		return refused("kind", fmt.Sprintf("%s version %d has no refunds in its scope", b.terms.Doc.ID, o.Version), "propose a version whose scope names them")
	}
	taken, err := b.takenOf(o)
	if err != nil {
		return err
	}
	if b.book.Wallet != "" {
		b.line(b.book.Wallet, Line{What: Held, Amount: -p.Amount})
	}
	b.book.Payees = taken
	for i := range taken {
		if err := b.giveBack(o, i); err != nil {
			return err
		}
	}
	return nil
}

// takenOf says how much is taken from each payee of the original, and how much of it is freight and tax.
func (b *builder) takenOf(o *Open) ([]Sold, error) {
	left := make([]Payee, len(o.Book.Payees))
	weights := make([]int64, len(left))
	for i, y := range o.Book.Payees {
		left[i] = y.Payee
		if i < len(o.Taken) {
			left[i].Amount -= o.Taken[i].Amount
			left[i].Freight -= o.Taken[i].Freight
			left[i].Tax -= o.Taken[i].Tax
		}
		weights[i] = left[i].Amount
	}
	taken := make([]Sold, len(left))
	for i, y := range o.Book.Payees {
		taken[i] = Sold{Payee: Payee{Party: y.Party, Class: y.Class}, Volume: y.Volume, Free: y.Free}
	}
	if len(b.p.Payees) == 0 {
		parts, err := money.Allocate(b.p.Amount, weights)
		if err != nil {
			return nil, err
		}
		for i := range taken {
			if err := taken[i].part(left[i], parts[i]); err != nil {
				return nil, err
			}
		}
		return taken, nil
	}
	if b.p.ByLine {
		return taken, b.takeByLine(taken, left)
	}
	for i, y := range b.p.Payees {
		if err := b.takeFrom(i, taken, left, y); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

// takeByLine takes from each payee of the original what the refund says of it, in their order.
func (b *builder) takeByLine(taken []Sold, left []Payee) error {
	if len(b.p.Payees) != len(left) {
		return malformed("payees", fmt.Sprintf("%d for %d of the original", len(b.p.Payees), len(left)), "give one for each")
	}
	for i, y := range b.p.Payees {
		l, field := &left[i], fmt.Sprintf("payees/%d/amount", i)
		if y.Party != l.Party || y.Amount > l.Amount {
			return lacks(field, &y)
		}
		if y.Freight > l.Freight || y.Tax > l.Tax || l.Amount-y.Amount < l.Freight-y.Freight || l.Amount-y.Amount < l.Tax-y.Tax {
			return moreThanLeft(field, l)
		}
		taken[i].Amount, taken[i].Freight, taken[i].Tax = y.Amount, y.Freight, y.Tax
	}
	return nil
}

func lacks(field string, y *Payee) error {
	return &moongate.Error{
		Code: moongate.Limit, Field: field, Message: fmt.Sprintf("%s does not have %d left of this crossing", y.Party, y.Amount),
		Hint: "refund less, or say from whom the rest is taken",
	}
}

func moreThanLeft(field string, l *Payee) error {
	return malformed(field, fmt.Sprintf("of %s %d is left, of it freight %d and tax %d", l.Party, l.Amount, l.Freight, l.Tax), "take no more than is left of each")
}

// part takes a part of what is left, freight and tax in proportion.
func (t *Sold) part(left Payee, amount int64) error {
	t.Amount = amount
	var parts [2]int64
	if left.Freight > 0 {
		if err := money.AllocateInto(parts[:], amount, []int64{left.Amount - left.Freight, left.Freight}); err != nil {
			return err
		}
		t.Freight = parts[1]
	}
	if left.Tax > 0 {
		if err := money.AllocateInto(parts[:], amount, []int64{left.Amount - left.Tax, left.Tax}); err != nil {
			return err
		}
		t.Tax = parts[1]
	}
	return nil
}

// takeFrom takes what a refund says it takes from one payee. Tax that it does not say goes in proportion, and freight
// only so far as the goods do not cover the amount.
func (b *builder) takeFrom(at int, taken []Sold, left []Payee, y Payee) error {
	field := fmt.Sprintf("payees/%d/amount", at)
	for i := range left {
		l := &left[i]
		if l.Party != y.Party || y.Class != "" && y.Class != l.Class || y.Amount > l.Amount || taken[i].Amount > 0 {
			continue
		}
		t := &taken[i]
		if err := t.part(*l, y.Amount); err != nil {
			return err
		}
		t.Freight = max(y.Freight, y.Amount-(l.Amount-l.Freight))
		if y.Tax > 0 {
			t.Tax = y.Tax
		}
		if t.Freight > l.Freight || t.Tax > l.Tax || l.Amount-t.Amount < l.Freight-t.Freight || l.Amount-t.Amount < l.Tax-t.Tax {
			return moreThanLeft(field, l)
		}
		return nil
	}
	return lacks(field, &y)
}

// giveBack books what a refund takes from one payee, and the fees and shares that come back: what the terms say of the
// original less what they say of what is left, less what was given back before. So refunds add up, in whatever order
// they come and whichever of them fail.
func (b *builder) giveBack(o *Open, i int) error {
	t, original, touches := &b.book.Payees[i], &o.Book.Payees[i], o.Book.Touches
	if t.Amount == 0 {
		return nil
	}
	var before Sold
	if i < len(o.Taken) {
		before = o.Taken[i]
	}
	b.gross(t, -1)
	if t.Free {
		return nil
	}
	sale := agreement.Sale{
		Kind: kinds[o.Kind].as, Currency: o.Currency, Class: original.Class, Gross: original.Amount, Freight: original.Freight,
		Tax: original.Tax, Volume: original.Volume, Touched: len(touches) > 0,
	}
	rest := sale
	rest.Gross -= before.Amount + t.Amount
	rest.Freight -= before.Freight + t.Freight
	rest.Tax -= before.Tax + t.Tax
	dues, err := b.terms.Refund(nil, sale, rest)
	if err != nil {
		return err
	}
	fees, err := b.terms.Fees(nil, sale)
	if err != nil {
		return err
	}
	t.Fees = make([]int64, len(dues))
	for j, d := range dues {
		if t.Fees[j] = -d.Minor; j < len(before.Fees) {
			t.Fees[j] -= before.Fees[j]
		}
		// Guards may leave one line more of a smaller sale. But a refund costs nobody a fee: so it is, whichever of
		// several refunds fail, that none of a line but what it was comes back.
		t.Fees[j] = max(t.Fees[j], 0)
		if d.Pool {
			err = b.poolBack(d, fees[j].Minor, t, &before, touches)
		} else {
			d.Minor = -t.Fees[j]
			err = b.fee(d, t.Party, t.Class)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// poolBack takes back of a pool's shares what a smaller pool would not have given.
func (b *builder) poolBack(d agreement.Due, pool int64, t, before *Sold, touches []share.Touch) error {
	rule, _, _ := b.terms.Sharing()
	whole, err := rule.Distribute(pool, touches)
	if err != nil {
		return err
	}
	rest, err := rule.Distribute(pool+min(d.Minor, 0), touches)
	if err != nil {
		return err
	}
	from, err := b.cast(d.From, t.Party)
	if err != nil {
		return err
	}
	t.Shares = make([]share.Part, len(whole.Parts))
	for k, part := range whole.Parts {
		back := part.Minor - rest.Parts[k].Minor
		if k < len(before.Shares) {
			back -= before.Shares[k].Minor
		}
		back = max(back, 0)
		t.Shares[k] = share.Part{Party: part.Party, Minor: back}
		b.share(from, d.From, part.Party, -back, t.Class)
	}
	return nil
}
