package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

// NewPayment asks for a payment.
type NewPayment struct {
	pay.Create
	Clicks []string      `json:"clicks,omitempty" maxItems:"256" doc:"Tokens of the clicks that led the shopper here, oldest first: those who brought them get their share."`
	Payers []pay.PayerAt `json:"payers,omitempty" maxItems:"16" doc:"Who the shopper is at wallets that are paid inside their own app."`
}

// Till is a payment that was created, and where its shopper pays.
type Till struct {
	pay.PaymentAnswer
	Cashier string `json:"cashier" doc:"Send the shopper there. Whoever knows the address may pay, and see what is paid for." example:"https://hub.example.org/pay/pay_aeaqc_mfrggzdfmztwq2lknnwa.pKf2…"`
}

// Payment is where a payment stands.
type Payment struct {
	pay.Purchase
	Status   pay.Status    `json:"status"`
	Created  moongate.Time `json:"created"`
	Ended    moongate.Time `json:"ended,omitzero"`
	Refunded money.Amount  `json:"refunded"`
	Left     money.Amount  `json:"refundable" doc:"What can still be given back."`
	Crossing moongate.ID   `json:"crossing,omitzero"`
	Until    moongate.Time `json:"capture_until,omitzero" doc:"Of an authorised payment: then it is given up."`
	Attempt  *Attempt      `json:"attempt,omitempty" doc:"The last one, or the one that was paid."`
	Cashier  string        `json:"cashier,omitempty" doc:"While the shopper may pay."`
}

// Attempt is one order at one wallet.
type Attempt struct {
	ID      moongate.ID       `json:"id"`
	Wallet  string            `json:"wallet"`
	Status  pay.AttemptStatus `json:"status"`
	Opened  moongate.Time     `json:"opened"`
	Message string            `json:"message,omitempty"`
	Channel pay.Channel       `json:"channel"`
	Parts   []AttemptPart     `json:"parts,omitempty" doc:"Where sellers are sub-merchants of the hub's account at the wallet: what each is paid, by an order of its own. Refund them one by one."`
	Handoff *pay.Way          `json:"handoff,omitempty" doc:"How the shopper gets to the wallet, while the order waits: a code to show, an address to go to, or what the wallet's bridge or SDK is called with."`
}

// AttemptPart is one seller's part of an order.
type AttemptPart struct {
	pay.PartOpened
	Reserved int64 `json:"reserved" doc:"Refunded or under way, minor units."`
}

// PaymentPath names a payment.
type PaymentPath struct {
	Payment moongate.ID `path:"payment" example:"pay_aeaqc_mfrggzdfmztwq2lknnwa"`
}

const paymentTag = "Payments"

func (a *API) paymentRoutes() {
	submitAs(a, op{
		path: "/v1/payments", id: "create-payment", tag: paymentTag, summary: "Ask for a payment", scope: party.PaymentsWrite, status: http.StatusCreated, signed: true,
		detail:  "The caller is the merchant. An order number stands for one payment for as long as it can be refunded. The answer says where the shopper pays.",
		example: `{"order":"ORDER-1627","from":"tea-house","to":"harbour-books","agreement":"agr_aeaqc_mfrggzdfmztwq2lknnwa","amount":{"minor":19900,"currency":"CNY"},"title":"Tea, first flush","return_url":"https://shop.example/orders/1627"}`,
	}, a.createPayment, func(_ Principal, _ string, _ *NewPayment, answer pay.PaymentAnswer) Till {
		return Till{answer, a.hub.Payments.Address(answer.Payment)}
	})
	submit(a, op{
		path: "/v1/payments/choose-wallet", id: "choose-wallet", tag: paymentTag, summary: "Choose a wallet for the shopper", scope: party.PaymentsWrite,
		detail: "What the cashier page does when the shopper chooses. While an attempt at another wallet may still be paid, that one is closed first. On the channel `in_app` a page inside the wallet's own app pays, on `app` another app; what they call the wallet with then stands in the payment's attempt. With `auto` the hub chooses, by the caller's rules and by measured success, and says why.",
	}, a.chooseWallet)
	command[pay.Done, pay.SetRouting](a, op{
		path: "/v1/payments/routing", id: "set-routing", tag: paymentTag, summary: "Set rules by which the hub chooses a wallet", scope: party.PaymentsWrite,
		detail:  "In place of those before, for payments with `choose: hub`. The first rule that matches decides; where none does, the wallet whose attempts succeed most often.",
		example: `{"rules":[{"name":"large amounts","currency":"CNY","least":50000,"wallets":["crane-pay"],"by":"order"},{"name":"everything else","by":"rate"}]}`,
	})
	query(a, op{path: "/v1/payments/routing", id: "routing", tag: paymentTag, summary: "Read the rules by which the hub chooses a wallet", scope: party.PaymentsRead},
		func(_ context.Context, who Principal, _ *struct{}) (Routing, error) {
			out := Routing{Rules: []pay.Rule{}}
			a.hub.Machine().Read(func() {
				out.Rules = append(out.Rules, a.hub.Pay.Routing(who.Handle)...)
				if who.Operates() {
					out.Rates = a.hub.Pay.Rates(moongate.At(a.hub.Now()))
				}
			})
			return out, nil
		})
	command[pay.PaymentAnswer, pay.Cancel](a, op{
		path: "/v1/payments/cancel", id: "cancel-payment", tag: paymentTag, summary: "Give a payment up", scope: party.PaymentsWrite,
		detail: "Where an attempt may still be paid it is closed first; if the shopper was faster, the payment succeeds and can be refunded. An authorised payment is voided: what was reserved goes back to the shopper.",
	})
	command[pay.PaymentAnswer, pay.TakeReserved](a, op{
		path: "/v1/payments/capture", id: "capture-payment", tag: paymentTag, summary: "Take what a wallet has reserved", scope: party.PaymentsWrite, signed: true,
		detail:  "For payments with `capture: manual` that are `authorised`: all of it, or a part; once. What is left goes back to the shopper. The payment succeeds when the wallet says that it has taken the money.",
		example: `{"payment":"pay_aeaqc_mfrggzdfmztwq2lknnwa","amount":15000}`,
	})
	query(a, op{path: "/v1/payments/{payment}", id: "payment", tag: paymentTag, summary: "Read a payment", detail: "While it can still be paid or refunded. Unknown is an answer: the wallet is being asked.", scope: party.PaymentsRead},
		func(_ context.Context, who Principal, in *PaymentPath) (Payment, error) {
			_, p, err := a.payment(who, in.Payment)
			return p, err
		})
	type storyInput struct {
		PaymentPath
		PageInput
	}
	listNow(a, op{path: "/v1/payments/{payment}/events", id: "payment-events", tag: paymentTag, summary: "Read a payment's story", detail: "Everything that happened to it, newest first.", scope: party.PaymentsRead},
		func(in *storyInput) *PageInput { return &in.PageInput },
		func(_ context.Context, who Principal, in *storyInput, after string, limit int) ([]hub.Event, string, error) {
			return a.paymentStory(who, in.Payment, after, limit)
		})
	type listInput struct {
		Status string `query:"status" enum:"open,authorised,succeeded,held,expired,cancelled,returned"`
		Wallet string `query:"wallet" maxLength:"128"`
		Order  string `query:"order" maxLength:"64" doc:"The merchant's number, whole."`
		PageInput
	}
	list(a, op{path: "/v1/payments", id: "payments", tag: paymentTag, summary: "List payments", detail: "The caller's, newest first; for an operator all.", scope: party.PaymentsRead},
		func(in *listInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *listInput, after string, limit int) ([]pay.Row, string, error) {
			return pay.Payments(ctx, a.hub.Views, pay.Filter{Merchant: who.own(), Status: pay.Status(in.Status), Wallet: in.Wallet, Order: in.Order}, after, limit)
		})
	a.refundRoutes()
	a.exceptionRoutes()
}

// Routing is how the hub chooses wallets for a merchant.
type Routing struct {
	Rules []pay.Rule `json:"rules" nullable:"false" doc:"The caller's, in order. Without any, measured success decides."`
	Rates []pay.Rate `json:"rates,omitempty" doc:"For operators: how the attempts of a day ended, by wallet and channel."`
}

// chooseWallet fills in what the wallets take, and the ways that the hub may choose among. The fingerprint is that of what was asked.
func (a *API) chooseWallet(_ context.Context, _ Principal, in *pay.ChooseWallet) (p prepared[pay.WalletAnswer], err error) {
	if p.print, err = journal.Encoding.Marshal(in); err != nil {
		return p, err
	}
	a.hub.Payments.Fill(in, in.Channel == pay.Redirect)
	p.command = in
	return p, nil
}

// createPayment fills in what the merchant left to the hub. The fingerprint of the request is that of what was asked.
func (a *API) createPayment(_ context.Context, who Principal, _ string, in *NewPayment) (p prepared[pay.PaymentAnswer], err error) {
	for i, token := range in.Clicks {
		click, err := a.hub.Tokens.Open(token)
		if err != nil {
			return p, err
		}
		if click.Owner != who.Handle {
			return p, &moongate.Error{Code: moongate.Forbidden, Field: fmt.Sprintf("clicks[%d]", i), Message: "the click led to somebody else's destination", Hint: "only the owner of the destination may use its tokens"}
		}
		in.Touches = append(in.Touches, click.Touch())
	}
	if p.print, err = in.print(); err != nil {
		return p, err
	}
	if err := a.hub.Payments.Offer(&in.Create); err != nil {
		return p, err
	}
	sealed, err := a.hub.Payments.Seal(in.Payers)
	if err != nil {
		return p, err
	}
	in.Create.Payers, p.secrets, p.done = sealed.Payers, sealed.Secrets, sealed.Done
	p.command = &in.Create
	return p, nil
}

// print is what a repeat of the request must be the same in. It is hashed, with a key, before it is kept.
func (in *NewPayment) print() ([]byte, error) {
	print, err := journal.Encoding.Marshal(&in.Create)
	if err != nil || len(in.Payers) == 0 {
		return print, err
	}
	payers, err := json.Marshal(in.Payers)
	return append(print, payers...), err
}

// payment finds a payment that the caller may see.
func (a *API) payment(who Principal, id moongate.ID) (head journal.Position, out Payment, err error) {
	now := moongate.At(a.hub.Now())
	a.hub.Machine().Read(func() {
		p, ok := a.hub.Pay.Lookup(id)
		if !ok || p.Merchant != who.Handle && !who.Operates() {
			err = denied("payment", id.String())
			return
		}
		head = p.Head
		out = Payment{
			Purchase: p.Purchase, Status: p.Status, Created: p.Created, Ended: p.Ended, Crossing: p.Crossing,
			Refunded: money.Of(p.Refunded, p.Amount.Currency), Left: money.Of(0, p.Amount.Currency),
		}
		if p.Status == pay.Succeeded {
			out.Left.Minor = p.Amount.Minor - p.Reserved
		}
		if p.Status == pay.StatusAuthorised {
			out.Until = p.Until
		}
		if p.Status == pay.Open && now < p.Expires {
			out.Cashier = a.hub.Payments.Address(id)
		}
		if t, ok := a.hub.Pay.Attempt(p.Attempt); ok {
			out.Attempt = &Attempt{ID: p.Attempt, Wallet: t.Wallet, Status: t.Status, Opened: t.Opened, Message: t.Message, Channel: t.Channel}
			for _, id := range t.Parts {
				if one, ok := a.hub.Pay.Part(id); ok {
					out.Attempt.Parts = append(out.Attempt.Parts, AttemptPart{one.PartOpened, one.Reserved})
				}
			}
			if t.Status == pay.AttemptAwaiting && now < t.Way.Expires {
				out.Attempt.Handoff = &t.Way
			}
		}
	})
	return head, out, err
}

// paymentStory gives events of a payment, newest first, from one on its chain.
func (a *API) paymentStory(who Principal, id moongate.ID, after string, limit int) (events []hub.Event, next string, err error) {
	from, _, err := a.payment(who, id)
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		if from, err = placeOf(id.String(), after); err != nil {
			return nil, "", err
		}
	}
	var failed error
	err = pay.Walk(a.hub.Node.Journal().Entry, id, from, func(e journal.Entry) bool {
		if len(events) == limit {
			next = placeIn(id.String(), e.Position)
			return false
		}
		var one *hub.Event
		if one, failed = a.hub.Show(who.reader(), e); failed != nil {
			return false
		}
		if one != nil {
			events = append(events, *one)
		}
		return true
	})
	return events, next, errors.Join(err, failed)
}

func (a *API) refundRoutes() {
	command[pay.RefundAnswer, pay.Refund](a, op{
		path: "/v1/refunds", id: "refund", tag: paymentTag, summary: "Give money back", scope: party.RefundsWrite, status: http.StatusCreated, signed: true,
		detail:  "The amount, in minor units, is reserved at once: concurrent refunds never take more than was paid. The reference stands for one refund.",
		example: `{"payment":"pay_aeaqc_mfrggzdfmztwq2lknnwa","reference":"RETURN-12","amount":9900,"reason":"came too late"}`,
	})
	type listInput struct {
		Payment string `query:"payment" maxLength:"40"`
		Status  string `query:"status" enum:"recalling,asked,accepted,unknown,held_up,succeeded,failed"`
		PageInput
	}
	list(a, op{path: "/v1/refunds", id: "refunds", tag: paymentTag, summary: "List refunds", detail: "The caller's, newest first; for an operator all.", scope: party.PaymentsRead},
		func(in *listInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *listInput, after string, limit int) ([]pay.RefundRow, string, error) {
			var payment moongate.ID
			if err := payment.UnmarshalText([]byte(in.Payment)); err != nil {
				return nil, "", err
			}
			return pay.Refunds(ctx, a.hub.Views, pay.RefundFilter{Merchant: who.own(), Payment: payment, Status: pay.RefundStatus(in.Status)}, after, limit)
		})
}

func (a *API) exceptionRoutes() {
	command[pay.Done, pay.Resolve](a, op{
		path: "/v1/exceptions/resolve", id: "resolve-exception", tag: paymentTag, summary: "Resolve an exception", scope: party.OperatorScope, signed: true,
		detail:  "`give_back` sends the money back to the shopper, `release` divides it under the terms in force now, `dismiss` says why nothing hangs on it any more.",
		example: `{"exception":"exc_aeaqc_mfrggzdfmztwq2lknnwa","action":"give_back","note":"the order was cancelled before the money came"}`,
	})
	type listInput struct {
		Kind    string `query:"kind" enum:"amount,unclear,refused,late,double,stranger,silent,refund_stuck,contradiction,give_back,dispute,payout"`
		Payment string `query:"payment" maxLength:"40"`
		Open    bool   `query:"open" doc:"Only those that wait."`
		PageInput
	}
	list(a, op{path: "/v1/exceptions", id: "exceptions", tag: paymentTag, summary: "List exceptions", detail: "What a person, or time, has to settle: the caller's, newest first; for an operator all.", scope: party.PaymentsRead},
		func(in *listInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *listInput, after string, limit int) ([]pay.ExceptionRow, string, error) {
			f := pay.ExceptionFilter{Merchant: who.own(), Kind: pay.TroubleKind(in.Kind), Open: in.Open}
			if err := f.Payment.UnmarshalText([]byte(in.Payment)); err != nil {
				return nil, "", err
			}
			return pay.Exceptions(ctx, a.hub.Views, f, after, limit)
		})
}
