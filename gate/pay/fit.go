package pay

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/replica"
)

// A wallet is offered for a payment only where it can take it: it is at work, the terms let the crossing be, and the sellers can
// be paid there together. One that cannot is left out when the payment is created, with the reason in the payment's first event;
// only where none is left the payment is refused. The same is asked again when a wallet is chosen, as sellers' accounts change.

// Unfit is a wallet that is not offered for a payment, and why.
type Unfit struct {
	Wallet string   `cbor:"1,keyasint" json:"wallet"`
	Why    UnfitWhy `cbor:"2,keyasint" json:"why"`
	Reason string   `cbor:"3,keyasint,omitempty" json:"reason,omitempty"` // for people; of a payment that has ended it stands in its first event alone
}

// inShort is what is kept of wallets that were not offered for a payment that has ended.
func inShort(list []Unfit) []Unfit {
	short := slices.Clone(list)
	for i := range short {
		short[i].Reason = ""
	}
	return short
}

// UnfitWhy is the kind of reason.
type UnfitWhy string

// Reasons why a wallet is not offered.
const (
	UnfitInactive UnfitWhy = "inactive"      // the wallet does not take part now
	UnfitTerms    UnfitWhy = "terms"         // the terms or their limits refuse the payment through it
	UnfitMixed    UnfitWhy = "sellers_mixed" // some sellers have a sub-merchant's account there, and others have none
	UnfitMany     UnfitWhy = "sellers_many"  // it does not pay so many sellers by one order
	UnfitNone     UnfitWhy = "sellers_none"  // it pays sub-merchants alone, and no seller is one
)

// Able is what an account at a wallet takes of orders for sub-merchants. The room does not know the wallets: the gate says it
// with each command; of a wallet that it does not name nothing is known, and nothing refused.
type Able struct {
	Wallet string `cbor:"1,keyasint"`
	Parts  int    `cbor:"2,keyasint,omitempty"` // as [Capabilities.MaxParts]
	Subs   bool   `cbor:"3,keyasint,omitempty"` // as [Capabilities.Subs]
}

// able is what the gate's accounts take.
func (g *Gate) able(wallets []string) (list []Able) {
	for _, handle := range wallets {
		if w, ok := g.opt.Wallets[handle]; ok {
			can := w.Can()
			list = append(list, Able{handle, can.MaxParts, can.Subs})
		}
	}
	return list
}

// takes gives the parts that an order for a payment has at a wallet, and the reason where the wallet cannot take it now.
func (s *State) takes(step *replica.Step, p *Payment, wallet string, able []Able) ([]PartOpened, UnfitWhy, error) {
	if err := s.walletFor(wallet, "wallet"); err != nil {
		return nil, UnfitInactive, err
	}
	plan, err := s.crossings.Plan(step, p.passage(wallet))
	if err != nil {
		return nil, UnfitTerms, err
	}
	plan.Drop(step)
	return s.parted(wallet, soldTo(plan), able)
}

// parted makes the parts of an order at a wallet, one for each seller in the order of the payees: none where no seller is a
// sub-merchant there. All are, and the wallet takes so many at once, or the reason is given why it cannot take the order.
func (s *State) parted(wallet string, payees []crossing.Payee, able []Able) ([]PartOpened, UnfitWhy, error) {
	var parts []PartOpened
	var other string
	at := map[string]int{}
	for _, y := range payees {
		r, ok := s.receivers.Get(payeeKey{wallet, y.Party})
		if !ok || !r.Sub {
			other = y.Party
			continue
		}
		i, known := at[y.Party]
		if !known {
			i = len(parts)
			at[y.Party] = i
			parts = append(parts, PartOpened{Party: y.Party, Account: r.Account})
		}
		parts[i].Amount += y.Amount
	}
	can, most := Able{}, maxOrderParts
	i := slices.IndexFunc(able, func(a Able) bool { return a.Wallet == wallet })
	if i >= 0 {
		can = able[i]
		most = min(can.Parts, most)
	}
	switch {
	case len(parts) > 0 && other != "":
		return nil, UnfitMixed, &moongate.Error{
			Code: moongate.Refused, Field: "wallet", Message: fmt.Sprintf("%s has no sub-merchant's account at %s, and others of this payment have", other, wallet),
			Hint: "register it, or pay for its goods separately",
		}
	case can.Subs && len(parts) == 0:
		return nil, UnfitNone, &moongate.Error{
			Code: moongate.Refused, Field: "wallet", Message: fmt.Sprintf("%s pays sub-merchants alone, and no seller of this payment is one there", wallet),
			Hint: "register the sellers' accounts, or offer another wallet",
		}
	case len(parts) > most:
		return nil, UnfitMany, &moongate.Error{
			Code: moongate.Refused, Field: "wallet", Message: fmt.Sprintf("%s pays up to %d sub-merchants by one order, and this payment is for %d", wallet, most, len(parts)),
			Hint: "offer another wallet, or ask for a payment of each seller's goods",
		}
	}
	return parts, "", nil
}

const maxOrderParts = 50

// rehearse gives those of the wallets offered that can take the payment now, and those that cannot; where none can, the reason.
func (s *State) rehearse(step *replica.Step, p *Payment, able []Able) (allowed []string, unfit []Unfit, err error) {
	var reasons []error
	for _, w := range p.Wallets {
		_, why, err := s.takes(step, p, w, able)
		if err == nil {
			allowed = append(allowed, w)
			continue
		}
		unfit, reasons = append(unfit, Unfit{w, why, clip(err.Error(), 300)}), append(reasons, err)
	}
	if len(allowed) == 0 {
		return nil, nil, none(unfit, reasons)
	}
	return allowed, unfit, nil
}

// none is the refusal of a payment that no wallet can take: the last one's reason, and where they cannot for several reasons, what
// each of them says.
func none(unfit []Unfit, reasons []error) error {
	last := reasons[len(reasons)-1]
	e, ok := last.(*moongate.Error) //nolint:errorlint // a wrapped one would lose what it is wrapped in
	same := true
	said := make([]string, len(unfit))
	for i := range unfit {
		same = same && unfit[i].Why == unfit[0].Why
		said[i] = unfit[i].Wallet + ": " + unfit[i].Reason
	}
	if same || !ok {
		return last
	}
	return &moongate.Error{
		Code: moongate.Refused, Field: "wallets", Message: clip("none of the wallets can take this payment: "+strings.Join(said, "; "), 1000),
		Hint: cmp.Or(e.Hint, "offer another wallet"),
	}
}

// fitting leaves out the wallets at which a payment's sellers cannot be paid together, as far as the payment says who they are.
// Call it under the machine's Read.
func (s *State) fitting(payment moongate.ID, wallets []string, able []Able) []string {
	p, _ := s.payments.Get(payment)
	if len(p.Payees) == 0 {
		return wallets
	}
	return slices.DeleteFunc(slices.Clone(wallets), func(w string) bool {
		_, _, err := s.parted(w, p.Payees, able)
		return err != nil
	})
}
