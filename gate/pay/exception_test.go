package pay_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
)

// bent is a wallet that says another amount than it took, in every answer.
type bent struct {
	pay.Wallet
	by int64
}

func (b bent) Query(ctx context.Context, no string) (pay.Outcome, error) {
	out, err := b.Wallet.Query(ctx, no)
	out.Amount.Minor += b.by
	return out, err
}

// closeTill makes the tea shop's books refuse what a payment would bring.
func (w *world) closeTill(closed bool) {
	w.t.Helper()
	w.submit("keeper", &ledger.SetLimits{
		Account: ledger.Account{Owner: "tea-shop", Currency: money.CNY, Purpose: ledger.Payable}, Limits: ledger.Limits{Closed: closed},
	})
}

// Another amount than was asked is never divided. A person gives it back, in full.
func TestAnotherAmount(t *testing.T) {
	w := newWorld(t)
	w.bent = true
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Lose, Op: sandbox.OpNotify, Times: -1})
	w.links["crane-pay"] = bent{w.links["crane-pay"], -1_000}
	id, attempt := w.opened("1001")
	w.approve("crane-pay", attempt)
	w.pass(2*time.Minute, 10*time.Second)
	w.stands(id, pay.Held)
	x := w.trouble(pay.TroubleAmount)
	if !strings.Contains(x.Facts, "took 90.00 CNY for an order of 100.00 CNY") || w.owed("tea-shop", ledger.Payable) != 0 || w.owed("willow-reads", ledger.Suspense) != 9_000 {
		t.Errorf("%+v", x)
	}
	if body := w.get(w.address(id)).Body.String(); !strings.Contains(body, "held") {
		t.Error(body)
	}
	w.refuse("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.Release, Note: "let it be"}, moongate.Conflict, "does not fit")
	w.refuse("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.Dismiss, Note: "never mind"}, moongate.Conflict, "stands in suspense")
	w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.GiveBack, Note: "wrong amount"})
	w.refuse("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.GiveBack, Note: "again"}, moongate.Conflict, "under way")
	w.settle()
}

// Money that the terms or the books refuse to divide stands in suspense until a person releases it or gives it back.
func TestRefusedCrossing(t *testing.T) {
	held := func(t *testing.T) (*world, moongate.ID, *pay.ExceptionOpened) {
		w := newWorld(t)
		id, attempt := w.opened("1001")
		w.closeTill(true)
		w.approve("crane-pay", attempt)
		w.pass(10*time.Second, time.Second)
		w.stands(id, pay.Held)
		x := w.trouble(pay.TroubleRefused)
		if w.owed("willow-reads", ledger.Suspense) != 10_000 || w.owed("crane-pay", ledger.Wallet) != 10_000 {
			t.Errorf("%d in suspense", w.owed("willow-reads", ledger.Suspense))
		}
		w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r", Amount: 1}, moongate.Conflict, "held")
		if _, err := w.cancel(id); moongate.CodeOf(err) != moongate.Conflict {
			t.Errorf("cancelling what was paid: %v", err)
		}
		return w, id, x
	}
	t.Run("released", func(t *testing.T) {
		w, id, x := held(t)
		w.refuse("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.Release, Note: "try"}, moongate.Conflict, "closed")
		w.stands(id, pay.Held)
		w.closeTill(false)
		w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.Release, Note: "the shop is open again"})
		w.stands(id, pay.Succeeded)
		if w.owed("willow-reads", ledger.Suspense) != 0 || w.owed("tea-shop", ledger.Payable) != 9_440 || len(w.troubles()) != 0 {
			t.Errorf("%d in suspense, %d owed", w.owed("willow-reads", ledger.Suspense), w.owed("tea-shop", ledger.Payable))
		}
		w.refund(id, "r-1", 10_000)
		w.pass(time.Minute, 10*time.Second)
		if got := w.payment(id).Refunded; got != 10_000 {
			t.Errorf("refunded %d", got)
		}
	})
	t.Run("given back", func(t *testing.T) {
		w, id, x := held(t)
		w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.GiveBack, Note: "the shop is gone"})
		w.pass(time.Minute, 10*time.Second)
		w.stands(id, pay.Returned)
		if w.owed("willow-reads", ledger.Suspense) != 0 || w.owed("crane-pay", ledger.Wallet) != 0 || len(w.troubles()) != 0 {
			t.Errorf("%d in suspense, %v", w.owed("willow-reads", ledger.Suspense), w.troubles())
		}
		if body := w.get(w.address(id)).Body.String(); !strings.Contains(body, "refunded") {
			t.Error(body)
		}
		for _, e := range w.history(id) {
			if v, ok := e.Event.(*pay.ExceptionResolved); ok && (v.By != "keeper" || v.Note != "the shop is gone" || v.Action != pay.GiveBack) {
				t.Errorf("it was resolved by %q, saying %q: %s", v.By, v.Note, v.Action)
			}
		}
	})
	t.Run("giving back fails", func(t *testing.T) {
		w, id, x := held(t)
		w.inject("crane-pay", sandbox.Fault{Kind: sandbox.RefundClosed, Op: sandbox.OpRefund})
		w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.GiveBack, Note: "the shop is gone"})
		w.pass(time.Minute, 10*time.Second)
		w.stands(id, pay.Held)
		open := w.troubles()
		if len(open) != 2 || w.owed("willow-reads", ledger.Suspense) != 10_000 {
			t.Fatalf("%d exceptions, %d in suspense", len(open), w.owed("willow-reads", ledger.Suspense))
		}
		for at, v := range open {
			if v.Kind == pay.TroubleGiveBack {
				w.submit("keeper", &pay.Resolve{Exception: at, Action: pay.Dismiss, Note: "seen"})
			}
		}
		w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.GiveBack, Note: "once more"})
		w.pass(5*time.Minute, 10*time.Second)
		w.stands(id, pay.Returned)
	})
}

// An order that does not add up is paid into suspense; a person says whose the money is.
func TestSuspendedPayment(t *testing.T) {
	w := newWorld(t)
	c := w.request("1001")
	c.Suspend = "the order's items add up to 90.00"
	w.refuse("lotus-market", c, moongate.Malformed, "whose the money is")
	c.Payees = nil
	id := w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	w.shop(id, "carp-pay")
	x := w.trouble(pay.TroubleUnclear)
	w.stands(id, pay.Held)
	w.submit("keeper", &pay.Resolve{
		Exception: x.Trouble.Exception, Action: pay.Release, Note: "the shop sent the right bill",
		Payees: []crossing.Payee{{Party: "tea-shop", Amount: 10_000}},
	})
	w.stands(id, pay.Succeeded)
	if got := w.owed("tea-shop", ledger.Payable); got != 9_440 {
		t.Errorf("tea-shop is owed %d", got)
	}
}

// A wallet tells of an order that is not ours there: kept for a person, and acknowledged, for it would tell for a day.
func TestStrangersOrder(t *testing.T) {
	w := newWorld(t)
	_, attempt := w.opened("1001")
	for name, c := range map[string]*pay.Told{
		"not ours":           {Wallet: "crane-pay", Event: "TRANSACTION.SUCCESS", Order: "somebody-else-1", Payment: &pay.Evidence{State: pay.Paid, Amount: money.Of(5, money.CNY)}},
		"at another wallet":  {Wallet: "carp-pay", Event: "TRANSACTION.SUCCESS", Order: attempt.String(), Payment: &pay.Evidence{State: pay.Paid, Amount: money.Of(10_000, money.CNY)}},
		"a refund of no one": {Wallet: "crane-pay", Event: "REFUND.SUCCESS", Order: attempt.String(), Refund: &pay.RefundEvidence{State: pay.RefundDone}},
	} {
		t.Run(name, func(t *testing.T) {
			w.submit("", c)
			x := w.trouble(pay.TroubleStranger)
			for _, who := range []string{"lotus-market", "tea-shop", "crane-pay"} {
				if journal.Opens(x, "merchant", who) {
					t.Errorf("%s may read it", who)
				}
			}
			w.refuse("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.GiveBack, Note: "away with it"}, moongate.Conflict, "no money")
			w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.Dismiss, Note: "another shop of the same account"})
		})
	}
	w.stands(w.attempt(attempt).Payment, pay.Open)
}

// What a wallet said for good stays; that it takes it back is an exception.
func TestContradictions(t *testing.T) {
	w := newWorld(t)
	id, attempt := w.paid("1001")
	w.submit("", &pay.Report{Attempt: attempt, Op: pay.OpQuery, Outcome: &pay.Evidence{State: pay.Closed, Said: "CLOSED"}})
	x := w.trouble(pay.TroubleContradiction)
	w.stands(id, pay.Succeeded)
	w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.Dismiss, Note: "asked them by telephone"})
	r := w.refund(id, "r-1", 100)
	w.pass(time.Minute, 10*time.Second)
	w.submit("", &pay.RefundReport{Refund: r, Op: pay.OpQueryRefund, Outcome: &pay.RefundEvidence{State: pay.RefundClosed, Said: "CLOSED"}})
	w.trouble(pay.TroubleContradiction)
	if got := w.refunding(r); got.Status != pay.RefundSucceeded {
		t.Errorf("refund is %s", got.Status)
	}
	// Stale news are no contradiction.
	n := len(w.troubles())
	w.submit("", &pay.RefundReport{Refund: r, Op: pay.OpQueryRefund, Outcome: &pay.RefundEvidence{State: pay.RefundPending}})
	w.submit("", &pay.Report{Attempt: attempt, Op: pay.OpCreate, Verdict: pay.Refused})
	if len(w.troubles()) != n || w.payment(id).Status != pay.Succeeded {
		t.Error("stale news changed something")
	}
}

func TestResolveRefusals(t *testing.T) {
	w := newWorld(t)
	w.submit("", &pay.Told{Wallet: "crane-pay", Event: "X", Order: "x", Payment: &pay.Evidence{State: pay.Paid}})
	x := w.trouble(pay.TroubleStranger).Trouble.Exception
	for _, c := range []struct {
		name, caller string
		c            pay.Resolve
		code         moongate.Code
	}{
		{"by a merchant", "lotus-market", pay.Resolve{Exception: x, Action: pay.Dismiss, Note: "mine"}, moongate.Forbidden},
		{"without a reason", "keeper", pay.Resolve{Exception: x, Action: pay.Dismiss}, moongate.Malformed},
		{"with a novel", "keeper", pay.Resolve{Exception: x, Action: pay.Dismiss, Note: strings.Repeat("月", 501)}, moongate.Malformed},
		{"somehow", "keeper", pay.Resolve{Exception: x, Action: "burn", Note: "n"}, moongate.Malformed},
		{"of nothing", "keeper", pay.Resolve{Exception: w.terms, Action: pay.Dismiss, Note: "n"}, moongate.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) { w.refuse(c.caller, &c.c, c.code, "") })
	}
}

// Only the hub itself reports what a wallet said.
func TestReportsComeFromTheHub(t *testing.T) {
	w := newWorld(t)
	id, attempt := w.opened("1001")
	for _, who := range []string{"lotus-market", "crane-pay", "keeper"} {
		w.refuse(who, &pay.Report{Attempt: attempt, Op: pay.OpQuery, Outcome: &pay.Evidence{State: pay.Paid, Amount: money.Of(10_000, money.CNY)}}, moongate.Forbidden, "hub itself")
		w.refuse(who, &pay.Told{Wallet: "crane-pay", Order: attempt.String(), Payment: &pay.Evidence{State: pay.Paid, Amount: money.Of(10_000, money.CNY)}}, moongate.Forbidden, "hub itself")
		w.refuse(who, &pay.RefundReport{}, moongate.Forbidden, "hub itself")
	}
	w.stands(id, pay.Open)
}

// The journal shows a payment to its merchant and to nobody else; where the hub looks next, to nobody.
func TestWhoReadsWhat(t *testing.T) {
	w := newWorld(t)
	id, _ := w.paid("1001")
	w.refund(id, "r-1", 100)
	w.pass(time.Minute, 10*time.Second)
	w.catchUp()
	n := 0
	for _, e := range w.entries {
		if !strings.HasPrefix(e.Event.EventKind(), "pay.") {
			continue
		}
		n++
		for _, who := range []string{"lotus-market", "willow-reads", "tea-shop", "crane-pay", "stranger", "keeper", ""} {
			if got := journal.Opens(e.Event, "merchant", who); got != (who == "lotus-market") {
				t.Errorf("%s: %q reads it: %v", e.Event.EventKind(), who, got)
			}
			if journal.Opens(e.Event, "hub", who) {
				t.Errorf("%s: %q reads what is the hub's", e.Event.EventKind(), who)
			}
		}
		st, err := w.machine.Registry().Encode(e.Event, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range st.Groups {
			if g.Audience != "merchant" && g.Audience != "hub" {
				t.Errorf("%s has a group for %q", e.Event.EventKind(), g.Audience)
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d events", n)
	}
}

// A suspended wallet takes no new orders; one that is open is seen to its end.
func TestSuspendedWallet(t *testing.T) {
	w := newWorld(t)
	id, attempt := w.opened("1001")
	w.submit("keeper", &party.Suspend{Handle: "crane-pay", Reason: "audit"})
	w.approve("crane-pay", attempt)
	w.pass(time.Minute, 10*time.Second)
	if s := w.payment(id).Status; s != pay.Succeeded && s != pay.Held {
		t.Errorf("payment is %s", s)
	}
	other := w.purchase("1002")
	w.refuse("", &pay.ChooseWallet{Payment: other, Wallet: "crane-pay"}, moongate.Refused, "crane-pay")
}
