package stripe_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/stripe"
	"github.com/moongate-hub/moongate/gate/pay/stripe/stripetest"
	"github.com/moongate-hub/moongate/money"
)

// authorised has the shopper authorise an order over 19.99.
func authorised(t *testing.T, a *account, w *stripe.Wallet, no string) pay.Reservation {
	t.Helper()
	o := order(no)
	o.Hold = true
	if _, err := w.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	a.Pay(no)
	out, err := w.Query(t.Context(), no)
	if err != nil || out.State != pay.Reserved || out.Amount != o.Amount || out.WalletRef == "" || out.Until != moongate.At(a.now.Add(stripetest.Hold)) {
		t.Fatalf("%+v %v", out, err)
	}
	return pay.Reservation{No: no, Ref: out.WalletRef}
}

func TestCapture(t *testing.T) {
	a, w := open(t)
	ctx := t.Context()
	r := authorised(t, a, w, "ORDER-01")
	for _, bad := range []money.Amount{money.Of(2000, usd), money.Of(0, usd), money.Of(1999, money.CNY)} {
		if _, err := w.Capture(ctx, r, bad); pay.VerdictOf(err) != pay.Refused {
			t.Errorf("%s of what is reserved: %v", bad, err)
		}
	}
	for range 2 {
		if out, err := w.Capture(ctx, r, money.Of(1500, usd)); err != nil || out.State != pay.Paid || out.Amount != money.Of(1500, usd) || out.PayerTotal != 1500 {
			t.Errorf("%+v %v", out, err)
		}
	}
	if out, err := w.Capture(ctx, r, money.Of(100, usd)); err != nil || out.Amount != money.Of(1500, usd) {
		t.Errorf("another amount, afterwards: %+v %v", out, err)
	}
	if out, err := w.Release(ctx, r); err != nil || out.State != pay.Paid {
		t.Errorf("given up after it was taken: %+v %v", out, err)
	}
	if held, reserved := a.Held("ORDER-01"); held != 1500 || reserved {
		t.Errorf("the account has %d of it, reserved: %t", held, reserved)
	}
}

// What was turned down, or had no answer, may be asked for again: another amount too, which one idempotency key for the order
// would not let through.
func TestCaptureAgain(t *testing.T) {
	a, w := open(t)
	ctx := t.Context()
	r := authorised(t, a, w, "ORDER-01")
	a.Lose("POST /v1/payment_intents/pi_1/capture")
	if out, err := w.Capture(ctx, r, money.Of(1500, usd)); err != nil || out.State != pay.Paid { // it is asked what became of it
		t.Errorf("%+v %v", out, err)
	}
	r = authorised(t, a, w, "ORDER-02")
	a.Lose("") // nobody answers at all
	broken := a.through(t, "/capture", "")
	if _, err := broken.Capture(ctx, r, money.Of(1500, usd)); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("%v", err)
	}
	if out, err := w.Capture(ctx, r, money.Of(900, usd)); err != nil || out.Amount != money.Of(900, usd) {
		t.Errorf("%+v %v", out, err)
	}
}

// through gives a connector that loses requests whose paths end so before they arrive, and sends copies of the others to
// another address, where they are understood or fail the test.
func (a *account) through(t *testing.T, lost, copies string) *stripe.Wallet {
	t.Helper()
	carrier := carrierFunc(func(r *http.Request) (*http.Response, error) {
		if lost != "" && strings.HasSuffix(r.URL.Path, lost) {
			return nil, io.ErrUnexpectedEOF
		}
		body := []byte{}
		if r.Body != nil {
			body, _ = io.ReadAll(r.Body)
		}
		if copies != "" {
			c, err := http.NewRequestWithContext(r.Context(), r.Method, copies+r.URL.RequestURI(), bytes.NewReader(body))
			if err != nil {
				return nil, err
			}
			c.Header = r.Header.Clone()
			answer, err := http.DefaultClient.Do(c)
			if err != nil {
				return nil, err
			}
			said, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("%s %s %s: %d %s", r.Method, r.URL, body, answer.StatusCode, said)
			}
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		return a.RoundTrip(r)
	})
	w, err := stripe.New(stripe.Config{
		SecretKey: stripetest.SecretKey, WebhookSecret: stripetest.WebhookSecret, Currencies: []money.Currency{usd}, Carrier: carrier, Now: func() time.Time { return a.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

type carrierFunc func(*http.Request) (*http.Response, error)

func (f carrierFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Every request of a reservation's life is one that the official mock understands.
func TestOfficialMockUnderstandsReservations(t *testing.T) {
	mock := officialMock(t)
	a, _ := open(t)
	w := a.through(t, "", mock)
	ctx := t.Context()
	taken, left := authorised(t, a, w, "ORDER-01"), authorised(t, a, w, "ORDER-02")
	a.now = a.now.Add(48 * time.Hour)
	w = a.through(t, "", mock) // remembers nothing
	if out, err := w.Query(ctx, taken.No); err != nil || out.State != pay.Reserved {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := w.Capture(ctx, taken, money.Of(1500, usd)); err != nil || out.State != pay.Paid {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := w.Release(ctx, left); err != nil || out.State != pay.Closed {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := w.Refund(ctx, pay.RefundOrder{No: "ref_1", OrderNo: taken.No, OrderRef: taken.Ref, Amount: money.Of(1500, usd), Total: 1500}); err != nil || out.State != pay.RefundDone {
		t.Errorf("%+v %v", out, err)
	}
	seen := strings.Join(a.Calls(), "\n")
	for _, call := range []string{"GET /v1/payment_intents/search", "POST /v1/payment_intents/pi_1/capture", "POST /v1/payment_intents/pi_2/cancel"} {
		if !strings.Contains(seen, call) {
			t.Errorf("%s was not made:\n%s", call, seen)
		}
	}
}

func TestRelease(t *testing.T) {
	a, w := open(t)
	ctx := t.Context()
	r := authorised(t, a, w, "ORDER-01")
	a.Lose("POST /v1/payment_intents/pi_1/cancel")
	if out, err := w.Release(ctx, r); err != nil || out.State != pay.Closed {
		t.Errorf("the answer is lost, and what became of it asked: %+v %v", out, err)
	}
	a.Lose("")
	for range 2 {
		if out, err := w.Close(ctx, r.No); err != nil || out.State != pay.Closed {
			t.Errorf("%+v %v", out, err)
		}
	}
	if out, err := w.Capture(ctx, r, money.Of(1500, usd)); err != nil || out.State != pay.Closed {
		t.Errorf("taken after it was given up: %+v %v", out, err)
	}
	if held, reserved := a.Held(r.No); held != 0 || reserved {
		t.Errorf("the account has %d of it, reserved: %t", held, reserved)
	}
}

func TestReservationLapses(t *testing.T) {
	a, w := open(t)
	r := authorised(t, a, w, "ORDER-01")
	a.now = a.now.Add(stripetest.Hold)
	if out, err := w.Capture(t.Context(), r, money.Of(1500, usd)); err != nil || out.State != pay.Closed {
		t.Errorf("%+v %v", out, err)
	}
}

// A hub that was restarted finds an order of days ago, by Stripe's number where it knows it: nothing that is reserved, or was
// taken, is called absent.
func TestOldOrderAfterRestart(t *testing.T) {
	a, w := open(t)
	ctx := t.Context()
	r := authorised(t, a, w, "ORDER-01")
	if _, err := w.Create(ctx, order("ORDER-02")); err != nil {
		t.Fatal(err)
	}
	a.now = a.now.Add(5 * 24 * time.Hour)
	for range 2 {
		if out, err := a.connect(t).QueryReserved(ctx, r); err != nil || out.State != pay.Reserved {
			t.Errorf("%+v %v", out, err)
		}
		if out, err := a.connect(t).Query(ctx, r.No); err != nil || out.State != pay.Reserved || out.WalletRef != r.Ref {
			t.Errorf("%+v %v", out, err)
		}
	}
	if out, err := a.connect(t).Capture(ctx, r, money.Of(1999, usd)); err != nil || out.State != pay.Paid {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := a.connect(t).Query(ctx, r.No); err != nil || out.State != pay.Paid {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := a.connect(t).Query(ctx, "ORDER-02"); err != nil || out.State != pay.Absent { // its session expired without a payment
		t.Errorf("%+v %v", out, err)
	}
	if out, err := a.connect(t).QueryReserved(ctx, pay.Reservation{No: "ORDER-02", Ref: r.Ref}); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("another order's payment: %+v %v", out, err)
	}
}

func TestReservationIsTold(t *testing.T) {
	a, w := open(t)
	ctx := t.Context()
	told := func(want ...string) {
		t.Helper()
		got := []string{}
		for _, l := range a.Letters() {
			n, err := a.connect(t).Notified(ctx, l.Header, l.Body)
			if err != nil || n.Event != l.Kind || n.Payment == nil {
				t.Errorf("%s: %+v %v", l.Kind, n, err)
				continue
			}
			got = append(got, l.Kind+" "+n.Payment.No+" "+string(n.Payment.State))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	r := authorised(t, a, w, "ORDER-01")
	told("payment_intent.amount_capturable_updated ORDER-01 reserved", "checkout.session.completed ORDER-01 reserved")
	if _, err := w.Capture(ctx, r, money.Of(1500, usd)); err != nil {
		t.Fatal(err)
	}
	told("charge.captured ORDER-01 paid", "payment_intent.succeeded ORDER-01 paid")
	if _, err := w.Release(ctx, authorised(t, a, w, "ORDER-02")); err != nil {
		t.Fatal(err)
	}
	// What is told late says how it stands now.
	told("payment_intent.amount_capturable_updated ORDER-02 closed", "checkout.session.completed ORDER-02 closed", "payment_intent.canceled ORDER-02 closed")
	authorised(t, a, w, "ORDER-03")
	a.Letters()
	a.now = a.now.Add(stripetest.Hold)
	told("charge.expired ORDER-03 closed", "payment_intent.canceled ORDER-03 closed")
	for _, kind := range []string{"payment_intent.succeeded", "charge.captured"} { // another program's
		h, body := signed(t, kind, map[string]any{"id": "pi_9", "payment_intent": "pi_9", "metadata": map[string]string{"order": "x"}}, a.now)
		if n, err := w.Notified(ctx, h, body); err != nil || n.Payment != nil {
			t.Errorf("%s: %+v %v", kind, n, err)
		}
	}
	for _, kind := range []string{"payment_intent.created", "payment_intent.payment_failed", "charge.updated"} { // says nothing that counts
		h, body := signed(t, kind, map[string]any{"id": "pi_1", "metadata": map[string]string{"moongate_order": "ORDER-01"}}, a.now)
		if n, err := w.Notified(ctx, h, body); err != nil || n.Payment != nil {
			t.Errorf("%s: %+v %v", kind, n, err)
		}
	}
}

// Stripe forgets keys after a day. A hub that was down for longer, with a call under way whose answer it never got, makes it
// once more: it must not move the money twice.
func TestRepeatedAfterTheKeyIsForgotten(t *testing.T) {
	a, w := open(t)
	ctx := t.Context()
	if _, err := w.Create(ctx, order("ORDER-01")); err != nil {
		t.Fatal(err)
	}
	a.Pay("ORDER-01")
	refund := pay.RefundOrder{No: "ref_1", OrderNo: "ORDER-01", OrderRef: "pi_1", Amount: money.Of(500, usd), Total: 1999}
	split := pay.SplitOrder{No: "spl_1", OrderNo: "ORDER-01", OrderRef: "pi_1", Currency: usd, Parts: []pay.SplitPart{{Account: "acct_12345678", Amount: 900, Note: "payout"}}}
	back := pay.UnsplitOrder{No: "spl_2", SplitNo: "spl_1", SplitRef: "tr_1", Account: "acct_12345678", Amount: money.Of(300, usd), Note: "back"}
	for range 2 {
		if out, err := w.Refund(ctx, refund); err != nil || out.State != pay.RefundDone {
			t.Errorf("%+v %v", out, err)
		}
		if out, err := w.Split(ctx, split); err != nil || out.State != pay.SplitDone || out.WalletRef != "tr_1" {
			t.Errorf("%+v %v", out, err)
		}
		if out, err := w.Unsplit(ctx, back); err != nil || out.State != pay.SplitDone {
			t.Errorf("%+v %v", out, err)
		}
		a.now = a.now.Add(30 * time.Hour)
		w = a.connect(t)
	}
	if held, _ := a.Held("ORDER-01"); held != 1499 || a.Refunds() != 1 {
		t.Errorf("%d refunds, and the account has %d", a.Refunds(), held)
	}
	if transfers := a.Transfers(); len(transfers) != 1 || len(transfers[0]["back"].([]stripetest.Object)) != 1 {
		t.Errorf("%v", transfers)
	}
}
