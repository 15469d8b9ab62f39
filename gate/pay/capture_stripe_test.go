package pay_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/stripe"
	"github.com/moongate-hub/moongate/gate/pay/stripe/stripetest"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// cards is a world whose egret-pay is an account at Stripe, behind the connector that goes live.
type cards struct {
	*world
	account *stripetest.Account
	faults  []string // of the calls to come: "before" the account hears of one, "after" it did what was asked
}

func newCards(t tester) *cards {
	t.Helper()
	w := &world{}
	w.begin(t, pay.Limits{})
	c := &cards{world: w, account: stripetest.New(w.clock.Now)}
	c.forget()
	return c
}

// forget has another connector stand where the one before did, as after a restart: it remembers no order.
func (w *cards) forget() {
	w.t.Helper()
	link, err := stripe.New(stripe.Config{
		SecretKey: stripetest.SecretKey, WebhookSecret: stripetest.WebhookSecret, Currencies: []money.Currency{money.CNY}, Now: w.clock.Now, Carrier: roundTrip(w.travel),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.links["egret-pay"] = link
}

func (w *cards) travel(r *http.Request) (*http.Response, error) {
	how := ""
	if len(w.faults) > 0 {
		how, w.faults = w.faults[0], w.faults[1:]
	}
	if how == "before" {
		return nil, io.ErrUnexpectedEOF
	}
	answer, err := w.account.RoundTrip(r)
	if how == "after" {
		return nil, io.ErrUnexpectedEOF
	}
	return answer, err
}

// told brings the account's events to the hub.
func (w *cards) told() {
	w.t.Helper()
	for _, l := range w.account.Letters() {
		if code := w.bring(letter{pay.NotifyPath + "egret-pay", l.Header, l.Body}); code >= 300 {
			w.t.Errorf("%s was answered with %d", l.Kind, code)
		}
	}
}

// authorised has a payment of 100.00 reserved, and nobody told of it but by the account.
func (w *cards) authorised(order string) (payment, attempt moongate.ID) {
	w.t.Helper()
	payment = w.submit("lotus-market", w.manual(order)).(pay.PaymentAnswer).Payment
	attempt = w.submit("", &pay.ChooseWallet{Payment: payment, Wallet: "egret-pay", Channel: pay.Redirect}).(pay.WalletAnswer).Attempt
	w.settle()
	if w.account.Pay(attempt.String()) == nil {
		w.t.Fatal("there is no page to pay on")
	}
	w.told()
	w.stands(payment, pay.StatusAuthorised)
	return payment, attempt
}

// agrees holds the books against what the account has, order by order.
func (w *cards) agrees(payments ...moongate.ID) {
	w.t.Helper()
	all := int64(0)
	for _, id := range payments {
		p := w.payment(id)
		held, reserved := w.account.Held(p.Attempt.String())
		all += held
		want := int64(0)
		if p.Status == pay.Succeeded {
			want = p.Amount.Minor - p.Refunded
		}
		if held != want || reserved != (p.Status == pay.StatusAuthorised) {
			w.t.Errorf("payment %s is %s over %s, and the account has %d of it, reserved: %t", id, p.Status, p.Amount, held, reserved)
			w.world.tell(id)
		}
	}
	if got := w.owed("egret-pay", ledger.Wallet); got != all {
		w.t.Errorf("the books say %d, the account has %d", got, all)
	}
	for _, p := range w.books.Check() {
		w.t.Errorf("books: %+v", p)
	}
}

// From the shopper's yes to the money back: a part is taken, and of that part all goes back.
func TestStripeCaptureOfAPart(t *testing.T) {
	for _, told := range []bool{true, false} {
		t.Run(fmt.Sprint("told ", told), func(t *testing.T) {
			w := newCards(t)
			id, _ := w.authorised("1001")
			w.submit("lotus-market", &pay.TakeReserved{Payment: id, Amount: 6_000})
			w.twice = true
			w.settle()
			if told {
				w.told()
				w.told()
			}
			w.stands(id, pay.Succeeded)
			if p := w.payment(id); p.Amount.Minor != 6_000 || p.Asked != 10_000 {
				t.Errorf("%+v", p)
			}
			w.agrees(id)
			w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 6_001}, moongate.Limit, "can still be refunded")
			w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-2", Amount: 6_000})
			w.settle()
			if p := w.payment(id); p.Refunded != 6_000 {
				t.Errorf("%+v", p)
			}
			w.agrees(id)
			if open := w.troubles(); len(open) != 0 {
				t.Errorf("%+v", open)
			}
		})
	}
}

func TestStripeRelease(t *testing.T) {
	w := newCards(t)
	id, _ := w.authorised("1001")
	if _, err := w.cancel(id); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.told()
	w.stands(id, pay.Cancelled)
	w.agrees(id)
	if open := w.troubles(); len(open) != 0 {
		t.Errorf("%+v", open)
	}
}

// What nobody captures is given back in time by the hub, or by the card where the hub was away; then the hub is told, or asks.
func TestStripeReservationExpires(t *testing.T) {
	for _, how := range []string{"hub", "told", "asked"} {
		t.Run(how, func(t *testing.T) {
			w := newCards(t)
			id, _ := w.authorised("1001")
			if until := w.payment(id).Until; until != w.now()+6*moongate.Day {
				t.Errorf("until %s", until)
			}
			w.forget()
			switch how {
			case "hub":
				w.pass(6*24*time.Hour-time.Hour, time.Hour)
				w.stands(id, pay.StatusAuthorised)
				w.pass(2*time.Hour, time.Hour)
			case "told":
				w.Advance(8 * 24 * time.Hour)
				w.told()
			case "asked":
				w.Advance(8 * 24 * time.Hour)
				w.account.Letters() // are lost
				w.pass(time.Minute, time.Second)
			}
			w.stands(id, pay.Expired)
			w.agrees(id)
			w.refuse("lotus-market", &pay.TakeReserved{Payment: id}, moongate.Conflict, "expired")
			if open := w.troubles(); len(open) != 0 {
				t.Errorf("%+v", open)
			}
		})
	}
}

// The connection breaks around the capture, and stays broken for a while: nobody knows, and then the account is asked.
func TestStripeCaptureIsDoubtful(t *testing.T) {
	for _, how := range []string{"before", "after"} {
		t.Run(how, func(t *testing.T) {
			w := newCards(t)
			id, attempt := w.authorised("1001")
			w.forget()
			w.pass(5*24*time.Hour, 6*time.Hour)            // its session is in no list any more
			w.faults = []string{"", "", how, "before"}     // found, read, captured, asked
			w.faults = append(w.faults, "before", "after") // and asked twice more
			w.submit("lotus-market", &pay.TakeReserved{Payment: id, Amount: 4_000})
			w.settle()
			if a := w.attempt(attempt); a.Status != pay.AttemptCapturing {
				t.Errorf("%+v", a)
			}
			if _, err := w.cancel(id); moongate.CodeOf(err) != moongate.Conflict {
				t.Errorf("given up while it is being taken: %v", err)
			}
			w.restart()
			w.forget()
			w.pass(5*time.Minute, time.Second)
			w.stands(id, pay.Succeeded)
			w.agrees(id)
			for _, e := range w.history(id) {
				if v, ok := e.Event.(*pay.ExceptionOpened); ok {
					t.Errorf("a person is told of a doubt of minutes: %+v", v)
				}
			}
		})
	}
}

// Whatever merchants, shoppers, events and the network do, in the end Stripe has what the books say.
func TestWhateverIsReservedAtStripe(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newCards(r)
		var payments []moongate.ID
		var letters []stripetest.Letter
		try := func(c replica.Command) { _, _ = w.do(replica.Request{Caller: "lotus-market", Command: c}) } // refusals are fine
		for n := range rapid.IntRange(5, 40).Draw(r, "length") {
			what := rapid.IntRange(0, 9).Draw(r, "what")
			if len(payments) == 0 {
				what = 0
			}
			var id moongate.ID
			if what > 0 {
				id = rapid.SampledFrom(payments).Draw(r, "payment")
			}
			switch what {
			case 0:
				if len(payments) < 3 {
					c := w.manual(fmt.Sprint("o-", len(payments)))
					c.Payees = []crossing.Payee{{Party: "tea-shop", Amount: 6_000}, {Party: "book-shop", Amount: 4_000}}
					payments = append(payments, w.submit("lotus-market", c).(pay.PaymentAnswer).Payment)
				}
			case 1:
				try(&pay.ChooseWallet{Payment: id, Wallet: "egret-pay", Channel: pay.Redirect})
			case 2, 3:
				w.settle()
				w.account.Pay(w.payment(id).Attempt.String())
			case 4, 5:
				try(&pay.TakeReserved{Payment: id, Amount: int64(rapid.IntRange(0, 10_000).Draw(r, "amount"))})
			case 6:
				try(&pay.Cancel{Payment: id})
			case 7:
				try(&pay.Refund{Payment: id, Reference: fmt.Sprint("r-", n), Amount: int64(rapid.IntRange(1, 10_000).Draw(r, "amount"))})
			case 8:
				w.faults = append(w.faults, rapid.SampledFrom([]string{"", "", "before", "after", "after"}).Draw(r, "fault"))
			case 9:
				if rapid.Bool().Draw(r, "restart") {
					w.restart()
				}
				w.forget()
			}
			if rapid.Bool().Draw(r, "effects") {
				w.settle()
			}
			letters = append(letters, w.account.Letters()...)
			if len(letters) > 0 && rapid.Bool().Draw(r, "told") { // any of them, once more or for the first time; others never
				l := rapid.SampledFrom(letters).Draw(r, "letter")
				w.bring(letter{pay.NotifyPath + "egret-pay", l.Header, l.Body})
			}
			step := time.Duration(rapid.SampledFrom([]int{0, 1, 60, 3600, 90_000}).Draw(r, "seconds")) * time.Second
			w.pass(step, max(step/4, time.Second))
		}
		w.faults = nil
		w.pass(8*24*time.Hour, 30*time.Minute)
		for _, id := range payments {
			if p := w.payment(id); !p.Status.Final() {
				r.Errorf("payment %s is still %s", id, p.Status)
				w.world.tell(id)
			}
		}
		w.agrees(payments...)
		w.alike()
		for _, call := range w.account.Calls() {
			if strings.Contains(call, "//") {
				r.Errorf("a call without a number: %s", call)
			}
		}
	})
}
