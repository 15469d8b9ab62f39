package pay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// auto asks for a payment whose wallet the hub chooses, and has it choose.
func (w *world) auto(order string, amount int64) (payment moongate.ID, answer pay.WalletAnswer) {
	w.t.Helper()
	c := w.request(order)
	c.Choose, c.Amount, c.Payees = pay.ByHub, money.Of(amount, money.CNY), nil
	c.Payees = request(order, w.terms).Payees
	c.Payees[0].Amount = amount
	payment = w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	choice := &pay.ChooseWallet{Payment: payment, Auto: true}
	w.gate.Fill(choice, false)
	answer = w.submit("", choice).(pay.WalletAnswer)
	w.settle()
	return payment, answer
}

func TestRulesChoose(t *testing.T) {
	w := newWorld(t)
	w.submit("lotus-market", &pay.SetRouting{Rules: []pay.Rule{
		{Name: "large", Currency: money.CNY, Least: 50_000, Wallets: []string{"carp-pay", "crane-pay"}, By: pay.ByOrder},
		{Name: "small", Wallets: []string{"crane-pay"}, By: pay.ByOrder},
	}})
	for _, c := range []struct {
		amount       int64
		wallet, rule string
	}{{50_000, "carp-pay", "large"}, {49_999, "crane-pay", "small"}} {
		id, a := w.auto(fmt.Sprint("o-", c.amount), c.amount)
		if a.Wallet != c.wallet || a.Chosen == nil || a.Chosen.Rule != c.rule || a.Chosen.Because != pay.BecauseOrder {
			t.Errorf("%d: %+v %+v", c.amount, a, a.Chosen)
		}
		if e, ok := w.history(id)[1].Event.(*pay.AttemptOpened); !ok || e.Chosen.Rule != c.rule {
			t.Errorf("the reason is not in the journal: %+v", e)
		}
	}
}

// The hub chooses only where the merchant lets it; a merchant may ask for it in its own name at any time.
func TestShopperChooses(t *testing.T) {
	w := newWorld(t)
	id := w.purchase("1001")
	choice := &pay.ChooseWallet{Payment: id, Auto: true}
	w.gate.Fill(choice, false)
	w.refuse("", choice, moongate.Refused, "the shopper chooses")
	if a := w.submit("lotus-market", choice).(pay.WalletAnswer); a.Wallet == "" {
		t.Errorf("%+v", a)
	}
}

// The wallet whose attempts are paid is preferred, and one that was bad once gets another chance.
func TestMeasuredSuccessChooses(t *testing.T) {
	w := newWorld(t)
	for i := range 60 { // crane-pay's shoppers pay, carp-pay's let the time pass
		w.paid(fmt.Sprint("good-", i))
		if i < 10 {
			w.choose(w.purchase(fmt.Sprint("bad-", i)), "carp-pay")
		}
	}
	w.pass(40*time.Minute, 10*time.Second)
	to := map[string]int{}
	for i := range 64 {
		_, a := w.auto(fmt.Sprint("auto-", i), 10_000)
		to[a.Wallet]++
		if (a.Wallet == "crane-pay") != (a.Chosen.Because == pay.BecauseRate) || a.Wallet == "crane-pay" && a.Chosen.Percent != 100 {
			t.Errorf("%+v %+v", a, a.Chosen)
		}
	}
	if to["carp-pay"] == 0 || to["carp-pay"] > 16 {
		t.Errorf("chosen: %v", to)
	}
	w.pass(25*time.Hour, 10*time.Minute) // a day later nothing is known any more
	var rates []pay.Rate
	w.machine.Read(func() { rates = w.payments.Rates(w.now()) })
	for _, r := range rates {
		if r.Ended != 0 {
			t.Errorf("after a day: %+v", r)
		}
	}
}

// A wallet that surely does not have the order is passed over by itself; one that may have it is not.
func TestFailOver(t *testing.T) {
	w := newWorld(t)
	w.submit("lotus-market", &pay.SetRouting{Rules: []pay.Rule{{Name: "in order", Wallets: []string{"crane-pay", "carp-pay"}, By: pay.ByOrder}}})
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Refuse, Op: sandbox.OpCreate, Code: "NO_AUTH"})
	id, _ := w.auto("1001", 10_000)
	a := w.attempt(w.payment(id).Attempt)
	if a.Wallet != "carp-pay" || a.Status != pay.AttemptAwaiting {
		t.Fatalf("%+v\n%s", a, w.kinds(id))
	}
	for _, e := range w.history(id) {
		if v, ok := e.Event.(*pay.AttemptOpened); ok && v.Attempt == w.payment(id).Attempt && v.Chosen.Instead != "crane-pay" {
			t.Errorf("%+v", v.Chosen)
		}
	}

	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropAfter, Op: sandbox.OpCreate})
	unknown, _ := w.auto("1002", 10_000)
	if a := w.attempt(w.payment(unknown).Attempt); a.Wallet != "crane-pay" || a.Status != pay.AttemptUnknown {
		t.Errorf("%+v", a)
	}
	again := &pay.ChooseWallet{Payment: unknown, Auto: true}
	w.gate.Fill(again, false)
	if got := w.submit("", again).(pay.WalletAnswer); got.Attempt != w.payment(unknown).Attempt {
		t.Errorf("another attempt was opened while one is unknown: %+v", got)
	}
	w.pass(time.Minute, time.Second)
	if n := strings.Count(w.kinds(unknown), "attempt_opened"); n != 1 {
		t.Errorf("%d attempts: %s", n, w.kinds(unknown))
	}

	for _, wallet := range []string{"crane-pay", "carp-pay"} {
		w.inject(wallet, sandbox.Fault{Kind: sandbox.Refuse, Op: sandbox.OpCreate, Code: "NO_AUTH"})
	}
	none, _ := w.auto("1003", 10_000)
	if a := w.attempt(w.payment(none).Attempt); a.Status != pay.AttemptFailed {
		t.Errorf("%+v", a)
	}
}

func TestRoutingIsChecked(t *testing.T) {
	w := newWorld(t)
	good := pay.Rule{Name: "a", By: pay.ByRate}
	for name, change := range map[string]func(*pay.Rule){
		"rules/0/name":      func(r *pay.Rule) { r.Name = "" },
		"rules/0/by":        func(r *pay.Rule) { r.By = "luck" },
		"rules/0/most":      func(r *pay.Rule) { r.Least, r.Most, r.Currency = 2, 1, money.CNY },
		"rules/0/currency":  func(r *pay.Rule) { r.Least = 1 },
		"rules/0/wallets":   func(r *pay.Rule) { r.Wallets = []string{"crane-pay", "crane-pay"} },
		"rules/0/wallets/0": func(r *pay.Rule) { r.Wallets = []string{"tea-shop"} },
	} {
		r := good
		change(&r)
		_, err := w.do(replica.Request{Caller: "lotus-market", Command: &pay.SetRouting{Rules: []pay.Rule{r}}})
		if e := new(moongate.Error); !errors.As(err, &e) || e.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.submit("lotus-market", &pay.SetRouting{Rules: []pay.Rule{good}})
	w.submit("lotus-market", &pay.SetRouting{})
	w.machine.Read(func() {
		if len(w.payments.Routing("lotus-market")) != 0 {
			t.Error("the rules are there still")
		}
	})
}
