package main

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/api"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// pathPayments is where the hub keeps payments.
const pathPayments = "/v1/payments"

type payCapture struct {
	Payment moongate.ID `arg:"" help:"The payment, which is authorised."`
	Amount  string      `help:"How much of what is reserved is taken, in the payment's currency, like 150.00; all of it unless set. The rest goes back to the shopper." placeholder:"DECIMAL"`
	changeFlags
}

func (v payCapture) Run(e *env) error {
	p, err := readPayment(e, v.hubFlags, v.Payment)
	if err != nil {
		return err
	}
	take := p.Amount
	if v.Amount != "" {
		if take, err = money.ParseDecimal(v.Amount, p.Amount.Currency); err == nil && take.Minor < 1 {
			err = &moongate.Error{Code: moongate.Malformed, Message: fmt.Sprintf("%s cannot be taken", take), Hint: "release the payment, where nothing is to be taken: moongate pay release " + v.Payment.String()}
		}
		if err != nil {
			return &moongate.Error{Code: moongate.Malformed, Field: "--amount", Message: err.Error()}
		}
	}
	answer, err := change[pay.PaymentAnswer](e, v.changeFlags, pathPayments+"/capture", &pay.TakeReserved{Payment: v.Payment, Amount: take.Minor})
	if err != nil {
		return err
	}
	out := struct {
		pay.PaymentAnswer
		Captured money.Amount `json:"captured"`
	}{answer, take}
	return e.show(out, func(t *terminal) {
		what := "is asked to take"
		if answer.Status == pay.Succeeded {
			what = "has taken"
		}
		t.line("%s %s %s %s of payment %s", t.green("✓"), walletOf(&p), what, take, v.Payment)
		if take != p.Amount {
			t.line("  Of %s that were reserved the rest goes back to the shopper.", p.Amount)
		}
		if answer.Status != pay.Succeeded {
			t.line("%s", t.dim("  The payment succeeds when the wallet says that it has the money; until then neither another amount nor a release is let in."))
		}
	})
}

type payRelease struct {
	Payment moongate.ID `arg:"" help:"The payment, which is authorised."`
	changeFlags
}

func (v payRelease) Run(e *env) error {
	p, err := readPayment(e, v.hubFlags, v.Payment)
	if err != nil {
		return err
	}
	if p.Status == pay.Open {
		return &moongate.Error{Code: moongate.Conflict, Message: "the payment is open: nothing is reserved for it yet", Hint: "release payments that are authorised; one that is open ends by itself"}
	}
	answer, err := change[pay.PaymentAnswer](e, v.changeFlags, pathPayments+"/cancel", &pay.Cancel{Payment: v.Payment})
	if err != nil {
		return err
	}
	return e.show(answer, func(t *terminal) {
		t.line("%s %s gives back the %s that were reserved for payment %s", t.green("✓"), walletOf(&p), p.Amount, v.Payment)
	})
}

func readPayment(e *env, f hubFlags, id moongate.ID) (p api.Payment, err error) {
	c, err := f.connect(e)
	if err != nil {
		return p, err
	}
	return client.Get[api.Payment](e.ctx, c, pathPayments+"/"+id.String(), nil)
}

func walletOf(p *api.Payment) string {
	if p.Attempt == nil {
		return "the wallet"
	}
	return p.Attempt.Wallet
}
