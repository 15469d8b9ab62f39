package pay_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/view"
)

// EntriesOf and Durable make a world the source of views.
func (w *world) EntriesOf(from journal.Position, kinds map[string]bool, visit func(journal.Entry) error) error {
	w.catchUp()
	for at := from; ; at++ {
		e, ok := w.entries[at]
		if !ok {
			return nil
		}
		if !kinds[e.Event.EventKind()] {
			continue
		}
		if err := visit(e); err != nil {
			return err
		}
	}
}

func (w *world) Durable() (journal.Position, uint64) {
	w.catchUp()
	return journal.Position(len(w.entries)), uint64(len(w.local.Records))
}

// views folds everything so far.
func (w *world) views(dir string) *view.Store {
	w.t.Helper()
	v, err := view.Open(filepath.Join(dir, "views.db"), w.payments.Views()...)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := v.CatchUp(context.Background(), w); err != nil {
		w.t.Fatal(err)
	}
	return v
}

// compare sees that the views say what the state says.
func (w *world) compare(v view.DB) {
	w.t.Helper()
	rows, _, err := pay.Payments(context.Background(), v, pay.Filter{}, "", 500)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(rows) != len(w.ids()) {
		w.t.Errorf("%d rows of %d payments", len(rows), len(w.ids()))
	}
	for _, r := range rows {
		p := w.payment(r.ID)
		a := w.attempt(p.Attempt)
		want := pay.Row{
			ID: p.Payment, Merchant: p.Merchant, Order: p.Order, From: p.From, To: p.To, Agreement: p.Agreement, Amount: p.Amount,
			Refunded: money.Of(p.Refunded, p.Amount.Currency), Status: p.Status, Stage: a.Status, Wallet: a.Wallet, Crossing: p.Crossing,
			Created: p.Created, Expires: p.Expires, Ended: p.Ended,
		}
		if d := cmp.Diff(want, r); d != "" {
			w.t.Error(d)
			w.tell(r.ID)
		}
	}
	refunds, _, err := pay.Refunds(context.Background(), v, pay.RefundFilter{}, "", 500)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range refunds {
		want := w.refunding(r.ID)
		if r.Status != want.Status || r.Payment != want.Payment || r.Amount != want.Amount || r.Exception != want.Exception || r.Crossing != want.Crossing || r.Reference != want.Reference {
			w.t.Errorf("%+v, want %+v", r, want)
		}
	}
	open, _, err := pay.Exceptions(context.Background(), v, pay.ExceptionFilter{Open: true}, "", 500)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(open) != len(w.troubles()) || len(open) != w.payments.Exceptions() {
		w.t.Errorf("%d exceptions are listed, %d are open, %d in the state", len(open), len(w.troubles()), w.payments.Exceptions())
	}
}

func TestLists(t *testing.T) {
	w := newWorld(t)
	for i := range 7 {
		w.purchase(fmt.Sprint("o-", i))
		w.Advance(time.Second)
	}
	paid, _ := w.paid("paid")
	r := w.refund(paid, "r-1", 4_000)
	w.pass(time.Minute, 10*time.Second)
	late, attempt := w.opened("late")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.PayClosed, Op: sandbox.OpApprove})
	w.submit("lotus-market", &pay.Cancel{Payment: late})
	w.settle()
	w.approve("crane-pay", attempt)
	w.pass(10*time.Minute, 10*time.Second)
	held, attempt := w.opened("held")
	w.closeTill(true)
	w.approve("crane-pay", attempt)
	w.pass(10*time.Second, 10*time.Second)
	v := w.views(t.TempDir())
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	w.compare(v)

	list := func(f pay.Filter) []string {
		t.Helper()
		var all []string
		for after := ""; ; {
			rows, next, err := pay.Payments(t.Context(), v, f, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				all = append(all, r.Order)
			}
			if next == "" {
				return all
			}
			after = next
		}
	}
	for _, c := range []struct {
		name string
		f    pay.Filter
		want []string
	}{
		{"all", pay.Filter{}, []string{"held", "late", "paid", "o-6", "o-5", "o-4", "o-3", "o-2", "o-1", "o-0"}},
		{"a merchant's", pay.Filter{Merchant: "lotus-market", Status: pay.Succeeded}, []string{"paid"}},
		{"held", pay.Filter{Status: pay.Held}, []string{"held"}},
		{"at a wallet", pay.Filter{Wallet: "crane-pay"}, []string{"held", "late", "paid"}},
		{"by number", pay.Filter{Order: "o-3"}, []string{"o-3"}},
		{"by the last attempt", pay.Filter{Stage: pay.AttemptPaid, Status: pay.Succeeded}, []string{"paid"}},
		{"since a time", pay.Filter{Since: w.payment(late).Created}, []string{"held", "late"}},
		{"until a time", pay.Filter{Until: w.payment(paid).Created, Since: w.payment(paid).Created - 3*moongate.Second}, []string{"o-6", "o-5", "o-4"}},
		{"a stranger's", pay.Filter{Merchant: "stranger"}, nil},
	} {
		if d := cmp.Diff(c.want, list(c.f)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	refunds, _, err := pay.Refunds(t.Context(), v, pay.RefundFilter{Merchant: "lotus-market"}, "", 10)
	if err != nil || len(refunds) != 2 || refunds[1].ID != r || refunds[1].Amount.Minor != 4_000 || refunds[0].Payment != late || refunds[0].Exception.IsZero() {
		t.Errorf("%+v %v", refunds, err)
	}
	one, _, err := pay.Refunds(t.Context(), v, pay.RefundFilter{Payment: late, Status: pay.RefundSucceeded}, "", 10)
	if err != nil || len(one) != 1 || one[0].Payment != late {
		t.Errorf("%+v %v", one, err)
	}
	open, _, err := pay.Exceptions(t.Context(), v, pay.ExceptionFilter{Open: true}, "", 10)
	if err != nil || len(open) != 1 || open[0].Kind != pay.TroubleRefused || !open[0].Held || open[0].Payment != held || open[0].Amount.Minor != 10_000 {
		t.Errorf("%+v %v", open, err)
	}
	over, _, err := pay.Exceptions(t.Context(), v, pay.ExceptionFilter{Kind: pay.TroubleLate, Merchant: "lotus-market", Payment: late}, "", 10)
	if err != nil || len(over) != 1 || over[0].Action != pay.GiveBack || over[0].Ended == 0 {
		t.Errorf("%+v %v", over, err)
	}
	queue := func(f pay.ExceptionFilter) (kinds []pay.TroubleKind) {
		t.Helper()
		for after := ""; ; {
			rows, next, err := pay.Exceptions(t.Context(), v, f, after, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				kinds = append(kinds, r.Kind)
			}
			if next == "" {
				return kinds
			}
			after = next
		}
	}
	for _, c := range []struct {
		name string
		f    pay.ExceptionFilter
		want []pay.TroubleKind
	}{
		{"all, newest first", pay.ExceptionFilter{}, []pay.TroubleKind{pay.TroubleRefused, pay.TroubleLate}},
		{"all, oldest first", pay.ExceptionFilter{Oldest: true}, []pay.TroubleKind{pay.TroubleLate, pay.TroubleRefused}},
		{"settled", pay.ExceptionFilter{Settled: true}, []pay.TroubleKind{pay.TroubleLate}},
		{"at a wallet", pay.ExceptionFilter{Wallet: "crane-pay", Open: true}, []pay.TroubleKind{pay.TroubleRefused}},
		{"at another", pay.ExceptionFilter{Wallet: "carp-pay"}, nil},
		{"opened before it", pay.ExceptionFilter{Until: open[0].Opened}, []pay.TroubleKind{pay.TroubleLate}},
		{"opened then or later", pay.ExceptionFilter{Since: open[0].Opened}, []pay.TroubleKind{pay.TroubleRefused}},
	} {
		if d := cmp.Diff(c.want, queue(c.f)); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	now := open[0].Opened + 2*moongate.Day
	for _, merchant := range []string{"", "lotus-market"} {
		waiting, err := pay.Waiting(t.Context(), v, merchant, now)
		if d := cmp.Diff([]pay.Aging{{Kind: pay.TroubleRefused, ByAge: [4]int64{0, 1, 0, 0}, Oldest: open[0].Opened}}, waiting); err != nil || d != "" {
			t.Errorf("waiting for %q: %v %s", merchant, err, d)
		}
		health, err := pay.Health(t.Context(), v, merchant, 0)
		want := []pay.WalletHealth{{Wallet: "crane-pay", Tried: 3, Paid: 3, Refunds: 2, RefundsBack: 2, Exceptions: 1, Oldest: open[0].Opened}}
		if d := cmp.Diff(want, health); err != nil || d != "" {
			t.Errorf("wallets for %q: %v %s", merchant, err, d)
		}
	}
	if waiting, err := pay.Waiting(t.Context(), v, "stranger", now); err != nil || len(waiting) != 0 {
		t.Errorf("waiting for a stranger: %v %v", waiting, err)
	}
	if health, err := pay.Health(t.Context(), v, "stranger", 0); err != nil || len(health) != 0 {
		t.Errorf("wallets for a stranger: %v %v", health, err)
	}
	for _, bad := range []struct {
		after string
		limit int
	}{{"", 0}, {"", 501}, {"x", 1}, {"1", 1}, {"1;DROP TABLE payment.x", 1}} {
		if _, _, err := pay.Payments(t.Context(), v, pay.Filter{}, bad.after, bad.limit); moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// What is long over is forgotten, and its numbers are free again. What is not over stays.
func TestForgetting(t *testing.T) {
	w := newLimitedWorld(t, pay.Limits{Refundable: 10 * moongate.Day, Unpaid: 2 * moongate.Day})
	paid, _ := w.paid("paid")
	unpaid, _ := w.opened("unpaid")
	stuck, _ := w.paid("stuck")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.RefundAbnormal, Op: sandbox.OpRefund})
	w.refund(stuck, "r-1", 10)
	w.pass(time.Hour, 5*time.Minute)
	w.refund(paid, "r-2", 10)
	w.pass(3*24*time.Hour, 6*time.Hour)
	if !w.payment(unpaid).Payment.IsZero() || w.payment(paid).Payment.IsZero() {
		t.Error("the unpaid one is to be forgotten after two days, the paid one not")
	}
	w.restart()
	w.pass(8*24*time.Hour, 6*time.Hour)
	if !w.payment(paid).Payment.IsZero() || w.payment(stuck).Payment.IsZero() {
		t.Error("the paid one is to be forgotten after ten days, the one with a refund under way not")
	}
	if again := w.purchase("paid"); again == paid {
		t.Error("the number still stands for a payment that nobody knows")
	}
	if got := w.get(w.address(paid)); got.Code != 404 {
		t.Errorf("the cashier of a payment long over: %d", got.Code)
	}
	x := w.trouble(pay.TroubleRefundStuck)
	w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.Dismiss, Note: "seen"})
	w.submit("", &pay.Told{Wallet: "crane-pay", Event: "X", Order: w.payment(paid).Attempt.String(), Payment: &pay.Evidence{State: pay.Paid}})
	w.trouble(pay.TroubleStranger)
}
