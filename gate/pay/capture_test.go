package pay_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// reserver is a wallet that reserves money first and takes it later, as the ones behind cards do. It answers as its account
// stands; fail makes it answer nothing, before or after it did what was asked.
type reserver struct {
	now    func() moongate.Time
	orders map[string]*reservation
	fail   []string // "before" and "after", used up one by one; "refuse" says no
	takes  map[string]int
	until  moongate.Time // when it lets go of what is reserved; 0: it does not say
}

type reservation struct {
	amount, taken, back int64
	state               pay.OrderState
	refunds             map[string]int64
}

func newReserver() *reserver {
	return &reserver{orders: map[string]*reservation{}, takes: map[string]int{}}
}

// do carries a call out, unless it fails before, and loses the answer where it fails after.
func (w *reserver) do(op string, act func() error) error {
	how := ""
	if len(w.fail) > 0 {
		how, w.fail = w.fail[0], w.fail[1:]
	}
	switch how {
	case "before":
		return pay.Fail(op, pay.Unknown, "no answer", nil)
	case "refuse":
		return pay.Fail(op, pay.Refused, "not today", nil)
	}
	if err := act(); err != nil {
		return err
	}
	if how == "after" {
		return pay.Fail(op, pay.Unknown, "no answer", nil)
	}
	return nil
}

func (w *reserver) Can() pay.Capabilities {
	return pay.Capabilities{Kind: "cards", Currencies: []money.Currency{money.CNY}, Channels: []pay.Channel{pay.QR}, MaxAmount: 1_000_000, MaxRefunds: 50, Hold: true}
}

func (w *reserver) Create(_ context.Context, o pay.Order) (h pay.Handoff, err error) {
	err = w.do("create", func() error {
		if w.orders[o.No] == nil {
			w.orders[o.No] = &reservation{amount: o.Amount.Minor, state: pay.Awaiting, refunds: map[string]int64{}}
		}
		h = pay.Handoff{QR: "card:" + o.No, Expires: o.Expires}
		return nil
	})
	return h, err
}

func (w *reserver) stands(no string) pay.Outcome {
	o := w.orders[no]
	if o == nil {
		return pay.Outcome{No: no, State: pay.Absent}
	}
	out := pay.Outcome{No: no, State: o.state, Amount: money.Of(o.amount, money.CNY), WalletRef: "c-" + no, Said: string(o.state)}
	if o.state == pay.Reserved {
		out.Until = w.until
	}
	if o.state == pay.Paid {
		out.Amount.Minor, out.PayerTotal, out.PaidAt = o.taken, o.taken, w.now()
	}
	return out
}

func (w *reserver) Query(_ context.Context, no string) (out pay.Outcome, err error) {
	err = w.do("query", func() error { out = w.stands(no); return nil })
	return out, err
}

func (w *reserver) Close(_ context.Context, no string) (out pay.Outcome, err error) {
	err = w.do("close", func() error {
		if o := w.orders[no]; o != nil && o.state != pay.Paid {
			o.state = pay.Closed
		}
		out = w.stands(no)
		return nil
	})
	return out, err
}

func (w *reserver) QueryReserved(ctx context.Context, r pay.Reservation) (pay.Outcome, error) {
	if r.Ref != "c-"+r.No {
		return pay.Outcome{}, pay.Fail("query", pay.Refused, "another reservation", nil)
	}
	return w.Query(ctx, r.No)
}

func (w *reserver) Release(ctx context.Context, r pay.Reservation) (pay.Outcome, error) {
	if r.Ref != "c-"+r.No {
		return pay.Outcome{}, pay.Fail("close", pay.Refused, "another reservation", nil)
	}
	return w.Close(ctx, r.No)
}

func (w *reserver) Capture(_ context.Context, r pay.Reservation, amount money.Amount) (out pay.Outcome, err error) {
	no := r.No
	err = w.do("capture", func() error {
		o := w.orders[no]
		if o == nil || o.state != pay.Reserved && o.state != pay.Paid || amount.Minor > o.amount {
			return pay.Fail("capture", pay.Refused, "nothing is reserved", nil)
		}
		if o.state == pay.Reserved {
			o.state, o.taken = pay.Paid, amount.Minor
			w.takes[no]++
		}
		out = w.stands(no)
		return nil
	})
	return out, err
}

func (w *reserver) Refund(_ context.Context, r pay.RefundOrder) (out pay.RefundOutcome, err error) {
	err = w.do("refund", func() error {
		o := w.orders[r.OrderNo]
		if o.refunds[r.No] == 0 {
			if o.back+r.Amount.Minor > o.taken {
				return pay.Fail("refund", pay.Refused, "more than was taken", nil)
			}
			o.refunds[r.No] = r.Amount.Minor
			o.back += r.Amount.Minor
		}
		out = pay.RefundOutcome{No: r.No, OrderNo: r.OrderNo, State: pay.RefundDone, WalletRef: "r-" + r.No, Amount: r.Amount, DoneAt: w.now()}
		return nil
	})
	return out, err
}

func (w *reserver) QueryRefund(_ context.Context, r pay.RefundOrder) (out pay.RefundOutcome, err error) {
	err = w.do("query refund", func() error {
		out = pay.RefundOutcome{No: r.No, OrderNo: r.OrderNo, State: pay.RefundAbsent}
		if n := w.orders[r.OrderNo].refunds[r.No]; n > 0 {
			out = pay.RefundOutcome{No: r.No, OrderNo: r.OrderNo, State: pay.RefundDone, WalletRef: "r-" + r.No, Amount: money.Of(n, money.CNY), DoneAt: w.now()}
		}
		return nil
	})
	return out, err
}

// agrees is the shopper's yes: the money is reserved.
func (w *reserver) agrees(no string) {
	if o := w.orders[no]; o != nil && o.state == pay.Awaiting {
		o.state = pay.Reserved
	}
}

func newReservingWorld(t tester) *world {
	t.Helper()
	w := &world{holds: newReserver()}
	w.begin(t, pay.Limits{})
	w.holds.now = w.now
	return w
}

func (w *world) manual(order string) *pay.Create {
	c := w.request(order)
	c.Capture, c.Wallets = pay.Manual, []string{"egret-pay"}
	return c
}

// authorised has a payment of 100.00 reserved at egret-pay.
func (w *world) authorised(order string) (payment, attempt moongate.ID) {
	w.t.Helper()
	payment = w.submit("lotus-market", w.manual(order)).(pay.PaymentAnswer).Payment
	attempt = w.choose(payment, "egret-pay")
	w.settle()
	w.holds.agrees(attempt.String())
	w.pass(time.Minute, 10*time.Second)
	w.stands(payment, pay.StatusAuthorised)
	return payment, attempt
}

// Reserved, the money is in nobody's account yet, and held in everybody's; captured, it is divided.
func TestAuthoriseAndCapture(t *testing.T) {
	for _, amount := range []int64{0, 10_000, 6_000, 1} {
		t.Run(fmt.Sprint(amount), func(t *testing.T) {
			w := newReservingWorld(t)
			t.Cleanup(w.check)
			id, attempt := w.authorised("1001")
			if got := w.owed("egret-pay", ledger.Wallet); got != 0 {
				t.Errorf("reserved, and posted: %d", got)
			}
			if o, ok := w.crossings.Lookup(w.payment(id).Crossing); !ok || !o.Pending || o.Amount != 10_000 {
				t.Errorf("%+v", o)
			}
			for range 2 {
				w.submit("lotus-market", &pay.TakeReserved{Payment: id, Amount: amount})
				w.settle()
			}
			w.stands(id, pay.Succeeded)
			want := amount
			if want == 0 {
				want = 10_000
			}
			p := w.payment(id)
			if p.Amount.Minor != want || w.holds.orders[attempt.String()].taken != want || w.holds.takes[attempt.String()] != 1 || w.owed("egret-pay", ledger.Wallet) != want {
				t.Errorf("%+v; the wallet took %+v, the books say %d", p, w.holds.orders[attempt.String()], w.owed("egret-pay", ledger.Wallet))
			}
			if o, ok := w.crossings.Lookup(p.Crossing); !ok || o.Pending || o.Amount != want {
				t.Errorf("%+v", o)
			}
			w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: want + 1}, moongate.Limit, "can still be refunded")
			w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-2", Amount: want})
			w.settle()
			if got := w.owed("egret-pay", ledger.Wallet); got != 0 {
				t.Errorf("all went back, and the books say %d", got)
			}
			if again := w.submit("lotus-market", w.manual("1001")).(pay.PaymentAnswer); again.Payment != id {
				t.Errorf("the same order again: %+v", again)
			}
		})
	}
}

// Given up by the merchant, or by time, what was reserved is free in the books and at the wallet.
func TestAuthorisedAndVoided(t *testing.T) {
	w := newReservingWorld(t)
	t.Cleanup(w.check)
	cancelled, one := w.authorised("1001")
	if _, err := w.cancel(cancelled); err != nil {
		t.Fatal(err)
	}
	w.settle()
	w.stands(cancelled, pay.Cancelled)
	expired, two := w.authorised("1002")
	w.pass(5*24*time.Hour, time.Hour)
	w.stands(expired, pay.StatusAuthorised)
	w.restart()
	w.pass(2*24*time.Hour, time.Hour)
	w.stands(expired, pay.Expired)
	for _, no := range []moongate.ID{one, two} {
		if o := w.holds.orders[no.String()]; o.state != pay.Closed || o.taken != 0 {
			t.Errorf("%+v", o)
		}
	}
	if got := w.owed("egret-pay", ledger.Wallet); got != 0 {
		t.Errorf("the books say %d", got)
	}
	w.refuse("lotus-market", &pay.TakeReserved{Payment: expired}, moongate.Conflict, "expired")
	if open := w.troubles(); len(open) != 0 {
		t.Errorf("%+v", open)
	}
}

// A wallet that lets go sooner than cards do is asked to, before; one that holds longer is not relied upon.
func TestReservedUntil(t *testing.T) {
	for lasts, want := range map[moongate.Time]moongate.Time{0: 6 * moongate.Day, 7 * moongate.Hour: 6 * moongate.Hour, 35 * moongate.Hour: 30 * moongate.Hour, 30 * moongate.Day: 6 * moongate.Day} {
		w := newReservingWorld(t)
		payment := w.submit("lotus-market", w.manual("1001")).(pay.PaymentAnswer).Payment
		attempt := w.choose(payment, "egret-pay")
		w.settle()
		if lasts > 0 {
			w.holds.until = w.now() + moongate.Minute + lasts
		}
		w.holds.agrees(attempt.String())
		w.pass(time.Minute, time.Minute)
		if got := w.payment(payment).Until - w.now(); got != want {
			t.Errorf("lasting %d µs it is held for %d, want %d", lasts, got, want)
		}
		w.pass(time.Duration(want)*time.Microsecond+time.Hour, time.Hour)
		w.stands(payment, pay.Expired)
		w.check()
	}
}

// A capture of which nobody knows what became of it is asked about; the wallet takes the money once.
func TestCaptureIsDoubtful(t *testing.T) {
	for _, how := range []string{"before", "after"} {
		t.Run(how, func(t *testing.T) {
			w := newReservingWorld(t)
			t.Cleanup(w.check)
			id, attempt := w.authorised("1001")
			w.holds.fail = []string{how}
			w.submit("lotus-market", &pay.TakeReserved{Payment: id, Amount: 4_000})
			w.settle()
			if a := w.attempt(attempt); a.Status != pay.AttemptCapturing {
				t.Errorf("%+v", a)
			}
			if _, err := w.cancel(id); moongate.CodeOf(err) != moongate.Conflict {
				t.Errorf("given up while it is being taken: %v", err)
			}
			w.refuse("lotus-market", &pay.TakeReserved{Payment: id, Amount: 5_000}, moongate.Conflict, "capturing")
			w.pass(time.Minute, time.Second)
			w.stands(id, pay.Succeeded)
			if w.holds.takes[attempt.String()] != 1 || w.payment(id).Amount.Minor != 4_000 {
				t.Errorf("%v %+v", w.holds.takes, w.payment(id))
			}
		})
	}
	w := newReservingWorld(t)
	t.Cleanup(w.check)
	id, attempt := w.authorised("1002")
	w.holds.fail = []string{"refuse"}
	w.submit("lotus-market", &pay.TakeReserved{Payment: id})
	w.settle()
	if a := w.attempt(attempt); a.Status != pay.AttemptReserved {
		t.Errorf("turned down: %+v", a)
	}
	w.submit("lotus-market", &pay.TakeReserved{Payment: id})
	w.settle()
	w.stands(id, pay.Succeeded)
}

// What cannot be captured is refused; a wallet that cannot reserve is not offered.
func TestCaptureIsChecked(t *testing.T) {
	w := newReservingWorld(t)
	t.Cleanup(w.check)
	c := w.manual("1001")
	c.Wallets = []string{"crane-pay"}
	if err := w.gate.Offer(c); moongate.CodeOf(err) != moongate.Refused {
		t.Errorf("reserved at a wallet that cannot: %v", err)
	}
	c.Wallets = nil
	if err := w.gate.Offer(c); err != nil || len(c.Wallets) != 1 || c.Wallets[0] != "egret-pay" {
		t.Errorf("%v %v", c.Wallets, err)
	}
	c.Capture = "sometime"
	w.refuse("lotus-market", c, moongate.Malformed, "neither automatic nor manual")
	id, _ := w.authorised("1002")
	w.refuse("stranger", &pay.TakeReserved{Payment: id}, moongate.NotFound, "no payment")
	w.refuse("lotus-market", &pay.TakeReserved{Payment: id, Amount: 10_001}, moongate.Limit, "reserved")
	w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 1}, moongate.Conflict, "authorised")
	w.pass(8*24*time.Hour, time.Hour)
}

// Whatever merchants and the network do with authorised payments, in the end the wallet has what the books say: what was
// captured, once, less what went back; and what was given up was not taken.
func TestWhateverIsAuthorised(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := newReservingWorld(r)
		var payments []moongate.ID
		try := func(c replica.Command) { _, _ = w.do(replica.Request{Caller: "lotus-market", Command: c}) } // refusals are fine
		for n := range rapid.IntRange(5, 40).Draw(r, "length") {
			what := rapid.IntRange(0, 8).Draw(r, "what")
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
				try(&pay.ChooseWallet{Payment: id, Wallet: "egret-pay"})
			case 2, 3:
				w.settle()
				w.holds.agrees(w.payment(id).Attempt.String())
			case 4, 5:
				try(&pay.TakeReserved{Payment: id, Amount: int64(rapid.IntRange(0, 10_000).Draw(r, "amount"))})
			case 6:
				try(&pay.Cancel{Payment: id})
			case 7:
				try(&pay.Refund{Payment: id, Reference: fmt.Sprint("r-", n), Amount: int64(rapid.IntRange(1, 10_000).Draw(r, "amount"))})
			case 8:
				w.holds.fail = append(w.holds.fail, rapid.SampledFrom([]string{"before", "after", "after", "refuse"}).Draw(r, "fault"))
				if rapid.IntRange(0, 3).Draw(r, "restart") == 0 {
					w.restart()
				}
			}
			if rapid.Bool().Draw(r, "effects") {
				w.settle()
			}
			step := time.Duration(rapid.SampledFrom([]int{0, 1, 60, 3600, 90_000}).Draw(r, "seconds")) * time.Second
			w.pass(step, max(step/4, time.Second))
		}
		w.holds.fail = nil
		w.pass(8*24*time.Hour, 30*time.Minute)
		held := int64(0)
		for _, o := range w.holds.orders {
			held += o.taken - o.back
			if o.state == pay.Reserved || o.state == pay.Awaiting {
				r.Errorf("%+v is still open at the wallet", o)
			}
		}
		said := int64(0)
		for _, id := range payments {
			p := w.payment(id)
			switch {
			case p.Status == pay.Succeeded:
				said += p.Amount.Minor - p.Refunded
			case !p.Status.Final():
				r.Errorf("payment %s is still %s", id, p.Status)
			}
		}
		for no, n := range w.holds.takes {
			if n != 1 {
				r.Errorf("%s was taken %d times", no, n)
			}
		}
		if got := w.owed("egret-pay", ledger.Wallet); got != held || said != held {
			r.Errorf("the wallet holds %d, the books say %d, the payments %d", held, got, said)
		}
		for _, p := range w.books.Check() {
			r.Errorf("books: %+v", p)
		}
		w.alike()
		if err := w.local.Refold(newRooms(w.limits, w.settles).machine); err != nil {
			r.Error(err)
		}
		if r.Failed() {
			for _, id := range payments {
				w.tell(id)
			}
		}
	})
}

// A wallet that took more than it had reserved: the money is held for a person, and what the authorisation had reserved in the
// books is free.
func TestTookMoreThanWasReserved(t *testing.T) {
	w := newReservingWorld(t)
	t.Cleanup(w.check)
	id, attempt := w.authorised("1001")
	reserved := w.payment(id).Crossing
	o := w.holds.orders[attempt.String()]
	o.state, o.amount, o.taken = pay.Paid, 12_000, 12_000
	w.submit("", &pay.Report{Attempt: attempt, Op: pay.OpQuery, Outcome: &pay.Evidence{State: pay.Paid, WalletRef: "c-1", Amount: money.Of(12_000, money.CNY), PaidAt: w.now()}})
	w.settle()
	w.stands(id, pay.Held)
	if o, ok := w.crossings.Lookup(reserved); ok && o.Pending {
		t.Errorf("the authorisation still holds what it reserved: %+v", o)
	}
	x := w.trouble(pay.TroubleAmount)
	w.submit("keeper", &pay.Resolve{Exception: x.Exception, Action: pay.GiveBack, Note: "too much was taken"})
	w.settle()
	w.stands(id, pay.Returned)
	if got := w.owed("egret-pay", ledger.Wallet); got != 0 || o.back != 12_000 {
		t.Errorf("the books say %d, the wallet gave %d back", got, o.back)
	}
}
