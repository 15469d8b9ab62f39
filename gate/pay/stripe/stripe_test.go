package stripe_test

import (
	"errors"
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

var usd = money.Currency{'U', 'S', 'D'}

var (
	_ pay.Wallet        = (*stripe.Wallet)(nil)
	_ pay.RefundQuerier = (*stripe.Wallet)(nil)
	_ pay.Notifier      = (*stripe.Wallet)(nil)
	_ pay.Capturer      = (*stripe.Wallet)(nil)
	_ pay.Splitter      = (*stripe.Wallet)(nil)
)

func order(no string) pay.Order {
	return pay.Order{
		No: no, Channel: pay.Redirect, Amount: money.Of(1999, usd), Description: "A teapot 茶壶", Tag: "pay_1",
		ReturnURL: "https://hub.example/pay/x/return", NotifyURL: "https://hub.example/pay/notify/stripe",
	}
}

func TestLifeOfAnOrder(t *testing.T) {
	a, w := open(t)
	ctx := t.Context()
	h, err := w.Create(ctx, order("ORDER-01"))
	if err != nil || h.URL == "" || h.Expires == 0 {
		t.Fatalf("%+v %v", h, err)
	}
	if again, err := w.Create(ctx, order("ORDER-01")); err != nil || again != h || a.Sessions() != 1 {
		t.Errorf("asked again: %+v %v, %d sessions", again, err, a.Sessions())
	}
	if out, err := w.Query(ctx, "ORDER-01"); err != nil || out.State != pay.Awaiting {
		t.Errorf("%+v %v", out, err)
	}
	a.Pay("ORDER-01")
	for _, one := range []*stripe.Wallet{w, a.connect(t)} { // and one that remembers nothing
		out, err := one.Query(ctx, "ORDER-01")
		if err != nil || out.State != pay.Paid || out.Amount != money.Of(1999, usd) || out.PayerTotal != 1999 || out.WalletRef != "pi_1" || out.Tag != "pay_1" || out.PaidAt == 0 {
			t.Errorf("%+v %v", out, err)
		}
	}
	if out, err := w.Close(ctx, "ORDER-01"); err != nil || out.State != pay.Paid {
		t.Errorf("closing what is paid: %+v %v", out, err)
	}
	r := pay.RefundOrder{No: "ref_1", OrderNo: "ORDER-01", OrderRef: "pi_1", Amount: money.Of(500, usd), Total: 1999, Reason: "dented"}
	if out, err := w.QueryRefund(ctx, r); err != nil || out.State != pay.RefundAbsent {
		t.Errorf("%+v %v", out, err)
	}
	for range 2 {
		if out, err := w.Refund(ctx, r); err != nil || out.State != pay.RefundDone || out.Amount != r.Amount || out.OrderNo != "ORDER-01" {
			t.Errorf("%+v %v", out, err)
		}
	}
	if out, err := w.QueryRefund(ctx, r); err != nil || out.State != pay.RefundDone || a.Refunds() != 1 {
		t.Errorf("%+v %v, %d refunds", out, err, a.Refunds())
	}
	r.No, r.Amount = "ref_2", money.Of(1999, usd)
	if _, err := w.Refund(ctx, r); pay.VerdictOf(err) != pay.Refused {
		t.Errorf("more than is left: %v", err)
	}
}

// An answer that is lost proves nothing; the same number does the thing once.
func TestLostAnswers(t *testing.T) {
	a, w := open(t)
	ctx := t.Context()
	a.Lose("POST /v1/checkout/sessions")
	if _, err := w.Create(ctx, order("ORDER-01")); pay.VerdictOf(err) != pay.Unknown {
		t.Fatalf("%v", err)
	}
	a.Lose("")
	if out, err := w.Query(ctx, "ORDER-01"); err != nil || out.State != pay.Awaiting {
		t.Errorf("%+v %v", out, err)
	}
	if h, err := w.Create(ctx, order("ORDER-01")); err != nil || h.URL == "" || a.Sessions() != 1 {
		t.Errorf("%+v %v, %d sessions", h, err, a.Sessions())
	}
	a.Pay("ORDER-01")
	a.Lose("POST /v1/refunds")
	r := pay.RefundOrder{No: "ref_1", OrderNo: "ORDER-01", OrderRef: "pi_1", Amount: money.Of(500, usd), Total: 1999}
	if _, err := w.Refund(ctx, r); pay.VerdictOf(err) != pay.Unknown {
		t.Fatalf("%v", err)
	}
	a.Lose("")
	if out, err := w.QueryRefund(ctx, r); err != nil || out.State != pay.RefundDone {
		t.Errorf("%+v %v", out, err)
	}
	changed := order("ORDER-01")
	changed.Amount.Minor = 1
	fresh := a.connect(t)
	if h, err := fresh.Create(ctx, changed); err == nil { // the number stands for another order
		t.Errorf("%+v", h)
	}
}

func TestAbsentAndClosed(t *testing.T) {
	_, w := open(t)
	ctx := t.Context()
	if out, err := w.Query(ctx, "NEVER-01"); err != nil || out.State != pay.Absent {
		t.Errorf("%+v %v", out, err)
	}
	if out, err := w.Close(ctx, "NEVER-01"); err != nil || out.State != pay.Absent {
		t.Errorf("%+v %v", out, err)
	}
	if _, err := w.Create(ctx, order("ORDER-01")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if out, err := w.Close(ctx, "ORDER-01"); err != nil || out.State != pay.Closed {
			t.Errorf("%+v %v", out, err)
		}
	}
	if _, err := w.Create(ctx, order("ORDER-01")); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("a closed order came back to life: %v", err)
	}
}

func TestTransfers(t *testing.T) {
	a, w := open(t)
	ctx := t.Context()
	if err := w.Admit(ctx, pay.Receiver{Account: "acct_12345678"}); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"acct_12345678new", "1900000109"} {
		if err := w.Admit(ctx, pay.Receiver{Account: bad}); pay.VerdictOf(err) != pay.Refused {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := w.Create(ctx, order("ORDER-01")); err != nil {
		t.Fatal(err)
	}
	a.Pay("ORDER-01")
	s := pay.SplitOrder{No: "spl_1", OrderNo: "ORDER-01", OrderRef: "pi_1", Currency: usd, Parts: []pay.SplitPart{{Account: "acct_12345678", Amount: 900, Note: "payout"}}}
	if out, err := w.QuerySplit(ctx, s); err != nil || out.State != pay.SplitAbsent {
		t.Errorf("%+v %v", out, err)
	}
	a.Lose("POST /v1/transfers")
	if _, err := w.Split(ctx, s); pay.VerdictOf(err) != pay.Unknown {
		t.Errorf("%v", err)
	}
	a.Lose("")
	for _, call := range []func() (pay.SplitOutcome, error){
		func() (pay.SplitOutcome, error) { return w.QuerySplit(ctx, s) }, func() (pay.SplitOutcome, error) { return w.Split(ctx, s) },
	} {
		if out, err := call(); err != nil || out.State != pay.SplitDone || len(out.Parts) != 1 || out.Parts[0].State != pay.SplitDone {
			t.Errorf("%+v %v", out, err)
		}
	}
	if transfers := a.Transfers(); len(transfers) != 1 || transfers[0]["source_transaction"] != "ch_pi_1" {
		t.Errorf("%v", transfers)
	}
}

func signed(t *testing.T, kind string, object any, at time.Time) (http.Header, []byte) {
	t.Helper()
	l := stripetest.Sign("evt_1", kind, object, at)
	return l.Header, l.Body
}

func TestNotifications(t *testing.T) {
	a, w := open(t)
	ctx := t.Context()
	if _, err := w.Create(ctx, order("ORDER-01")); err != nil {
		t.Fatal(err)
	}
	h, body := signed(t, "checkout.session.completed", a.Pay("ORDER-01"), a.now)
	n, err := w.Notified(ctx, h, body)
	if err != nil || n.ID != "evt_1" || n.Payment == nil || n.Payment.State != pay.Paid || n.Payment.No != "ORDER-01" {
		t.Fatalf("%+v %v", n, err)
	}
	refund := map[string]any{"id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "status": "failed", "failure_reason": "lost_or_stolen_card", "metadata": map[string]string{"moongate_refund": "ref_1"}}
	h, body = signed(t, "refund.failed", refund, a.now)
	if n, err := w.Notified(ctx, h, body); err != nil || n.Refund == nil || n.Refund.State != pay.RefundClosed || n.Refund.No != "ref_1" {
		t.Errorf("%+v %v", n, err)
	}
	for status, want := range map[string]pay.DisputeState{"needs_response": pay.DisputeOpen, "under_review": pay.DisputeReview, "won": pay.DisputeWon, "lost": pay.DisputeLost} {
		d := map[string]any{"id": "dp_1", "object": "dispute", "amount": 1999, "currency": "usd", "status": status, "reason": "fraudulent", "payment_intent": "pi_1", "evidence_details": map[string]any{"due_by": a.now.Add(time.Hour).Unix()}}
		h, body = signed(t, "charge.dispute.updated", d, a.now)
		n, err := w.Notified(ctx, h, body)
		if err != nil || n.Dispute == nil || n.Dispute.State != want || n.Dispute.OrderNo != "ORDER-01" || n.Dispute.Due == 0 || n.Dispute.Amount != money.Of(1999, usd) {
			t.Errorf("%s: %+v %v", status, n.Dispute, err)
		}
	}
	for _, kind := range []string{"invoice.paid", "checkout.session.completed"} { // nothing of ours
		h, body = signed(t, kind, map[string]any{"id": "cs_9", "object": "checkout.session"}, a.now)
		if n, err := w.Notified(ctx, h, body); err != nil || n.Payment != nil || n.Refund != nil {
			t.Errorf("%s: %+v %v", kind, n, err)
		}
	}
}

func TestNotificationsAreChecked(t *testing.T) {
	a, w := open(t)
	good, body := signed(t, "refund.updated", map[string]any{"id": "re_1"}, a.now)
	old, oldBody := signed(t, "refund.updated", map[string]any{"id": "re_1"}, a.now.Add(-6*time.Minute))
	future, futureBody := signed(t, "refund.updated", map[string]any{"id": "re_1"}, a.now.Add(6*time.Minute))
	for name, c := range map[string]struct {
		h    http.Header
		body []byte
	}{
		"changed":   {good, append([]byte(" "), body...)},
		"unsigned":  {http.Header{}, body},
		"nonsense":  {http.Header{"Stripe-Signature": {"t=x,v1=y"}}, body},
		"old":       {old, oldBody},
		"early":     {future, futureBody},
		"too large": {good, make([]byte, 65<<10)},
		"empty":     {good, nil},
	} {
		if n, err := w.Notified(t.Context(), c.h, c.body); pay.VerdictOf(err) != pay.Refused {
			t.Errorf("%s: %+v %v", name, n, err)
		}
	}
}

func TestConfig(t *testing.T) {
	good := stripe.Config{SecretKey: "sk_test_x", WebhookSecret: "whsec_x", Currencies: []money.Currency{usd}, Now: time.Now}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*stripe.Config){
		"secret_key":     func(c *stripe.Config) { c.SecretKey = "pk_test_x" },
		"webhook_secret": func(c *stripe.Config) { c.WebhookSecret = "" },
		"currencies":     func(c *stripe.Config) { c.Currencies = []money.Currency{{'I', 'S', 'K'}} },
		"base_url":       func(c *stripe.Config) { c.BaseURL = "http://api.stripe.com" },
	} {
		c := good
		change(&c)
		e := new(moongate.Error)
		if !errors.As(c.Check(), &e) || e.Field != field || strings.Contains(c.String(), "sk_") {
			t.Errorf("%s: %v", field, c.Check())
		}
	}
}

func TestLocalChecks(t *testing.T) {
	a, w := open(t)
	for name, change := range map[string]func(*pay.Order){
		"number":   func(o *pay.Order) { o.No = "x" },
		"channel":  func(o *pay.Order) { o.Channel = pay.QR },
		"currency": func(o *pay.Order) { o.Amount.Currency = money.CNY },
		"amount":   func(o *pay.Order) { o.Amount.Minor = 0 },
		"way back": func(o *pay.Order) { o.ReturnURL = "" },
		"parts":    func(o *pay.Order) { o.Parts = []pay.OrderPart{{No: "x"}} },
	} {
		o := order("ORDER-01")
		change(&o)
		if _, err := w.Create(t.Context(), o); pay.VerdictOf(err) != pay.Refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	if calls := a.Calls(); len(calls) > 0 {
		t.Errorf("something was sent: %v", calls)
	}
}

// The official mock knows Stripe's whole interface and remembers nothing: no request of ours may be one that it refuses.
func TestOfficialMock(t *testing.T) {
	address := officialMock(t)
	w, err := stripe.New(stripe.Config{
		SecretKey: "sk_test_123", WebhookSecret: stripetest.WebhookSecret, Currencies: []money.Currency{usd}, Transfers: true, BaseURL: address, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	s := pay.SplitOrder{No: "spl_1", OrderNo: "ORDER-01", OrderRef: "pi_123", Currency: usd, Parts: []pay.SplitPart{{Account: "acct_12345678", Amount: 900, Note: "payout"}}}
	u := pay.UnsplitOrder{No: "spl_2", SplitNo: "spl_1", SplitRef: "tr_123", Account: "acct_12345678", Amount: money.Of(900, usd), Note: "back"}
	held := order("ORDER-02")
	held.Hold = true
	reservation := pay.Reservation{No: "ORDER-02", Ref: "pi_123"}
	r := pay.RefundOrder{No: "ref_1", OrderNo: "ORDER-01", OrderRef: "pi_123", Amount: money.Of(500, usd), Total: 1999, Reason: "dented"}
	for name, call := range map[string]func() error{
		"create":        func() error { _, err := w.Create(ctx, order("ORDER-01")); return err },
		"create held":   func() error { _, err := w.Create(ctx, held); return err },
		"query":         func() error { _, err := w.Query(ctx, "ORDER-01"); return err },
		"close":         func() error { _, err := w.Close(ctx, "ORDER-01"); return err },
		"refund":        func() error { _, err := w.Refund(ctx, r); return err },
		"query refund":  func() error { _, err := w.QueryRefund(ctx, r); return err },
		"query split":   func() error { _, err := w.QuerySplit(ctx, s); return err },
		"unsplit":       func() error { _, err := w.Unsplit(ctx, u); return err },
		"capture":       func() error { _, err := w.Capture(ctx, reservation, money.Of(500, usd)); return err },
		"query held":    func() error { _, err := w.QueryReserved(ctx, reservation); return err },
		"release":       func() error { _, err := w.Release(ctx, reservation); return err },
		"query unsplit": func() error { _, err := w.QueryUnsplit(ctx, u); return err },
	} {
		// Its answers are about other things, which the connector must not believe; what it must not say is that the
		// request was wrong.
		if err := call(); pay.VerdictOf(err) == pay.Refused || pay.VerdictOf(err) == pay.NotDone {
			t.Errorf("%s: %v", name, err)
		}
	}
}
