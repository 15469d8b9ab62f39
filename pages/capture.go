package pages

import (
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/console"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

// reservation says of a payment what is reserved and until when, and lets its merchant take it, or let it go.
func (p *Pages) reservation(v *visit, page *console.Payment, known *pay.Payment, last *pay.Attempt) {
	if known.Asked > known.Amount.Minor {
		page.Reserved = money.Of(known.Asked, known.Amount.Currency)
	}
	if known.Status != pay.StatusAuthorised || known.Cancel {
		return
	}
	page.HeldUntil = known.Until
	if last.Status != pay.AttemptReserved || v.now >= known.Until || !v.scopes.Has(party.PaymentsWrite) {
		return
	}
	at := "/console/payments/" + page.Line.ID
	page.Actions = []console.Action{
		{Word: "capture", Target: at + "/capture", Most: known.Amount, Danger: true, Again: !v.fresh()},
		{Word: "let_go", Target: at + "/let_go", Danger: true, Again: !v.fresh()},
	}
}

// capture has what is reserved for a payment taken, or a part.
func (p *Pages) capture(v *visit) (string, error) {
	id, known, err := p.paymentOf(v)
	if err != nil {
		return "", err
	}
	amount, err := money.ParseDecimal(strings.TrimSpace(v.PostForm.Get("amount")), known.Amount.Currency)
	if err != nil || amount.Minor < 1 {
		return "", notAmount
	}
	_, err = hub.Do[pay.PaymentAnswer](v.Context(), p.hub, v.who.Handle, "", &pay.TakeReserved{Payment: id, Amount: amount.Minor})
	return "/console/payments/" + id.String(), err
}

// letGo gives an authorised payment up.
func (p *Pages) letGo(v *visit) (string, error) {
	id, known, err := p.paymentOf(v)
	if err != nil {
		return "", err
	}
	if known.Status == pay.Open { // the button was on a page that showed something else
		return "", &moongate.Error{Code: moongate.Conflict, Message: "nothing is reserved for the payment yet", Hint: "load the page again"}
	}
	_, err = hub.Do[pay.PaymentAnswer](v.Context(), p.hub, v.who.Handle, "", &pay.Cancel{Payment: id})
	return "/console/payments/" + id.String(), err
}

// paymentOf is the payment of an address, where the reader may see it.
func (p *Pages) paymentOf(v *visit) (id moongate.ID, known pay.Payment, err error) {
	if id, err = idOf(v, moongate.KindPayment, "payment"); err != nil {
		return id, known, err
	}
	var ok bool
	p.hub.Machine().Read(func() { known, ok = p.hub.Pay.Lookup(id) })
	if !ok || !v.sees(known.Merchant) {
		return id, known, missing("payment")
	}
	return id, known, nil
}
