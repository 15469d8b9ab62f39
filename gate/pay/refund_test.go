package pay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/ledger"
)

func (w *world) refund(id moongate.ID, reference string, minor int64) moongate.ID {
	w.t.Helper()
	return w.submit("lotus-market", &pay.Refund{Payment: id, Reference: reference, Amount: minor, Reason: "a broken lid"}).(pay.RefundAnswer).Refund
}

func TestRefundGivesEveryPartBack(t *testing.T) {
	w := newWorld(t)
	id, _ := w.paid("1001")
	r := w.refund(id, "r-1", 10_000)
	if got := w.refunding(r); got.Status != pay.RefundAsked || got.Crossing.IsZero() {
		t.Errorf("%+v", got)
	}
	w.pass(time.Minute, 5*time.Second)
	for owner, purpose := range map[string]ledger.Purpose{"tea-shop": ledger.Payable, "lotus-market": ledger.Payable, "crane-pay": ledger.Wallet} {
		if got := w.owed(owner, purpose); got != 0 {
			t.Errorf("%s still has %d", owner, got)
		}
	}
	if got, want := w.kinds(id), "created attempt_opened handed_over attempt_ended settled refund_opened refund_moved refund_ended"; got != want {
		t.Errorf("history %q, want %q", got, want)
	}
	if body := w.get(w.address(id)).Body.String(); !strings.Contains(body, "refunded") || strings.Contains(body, "partly") {
		t.Error(body)
	}
	book := w.wallets["crane-pay"].Book(accounts["crane-pay"])
	if len(book.Refunds) != 1 || book.Refunds[0].OutRefundNo != r.String() {
		t.Errorf("%+v", book.Refunds)
	}
}

// However many ask at the same time, no more than was paid goes back; what fails is free again.
func TestRefundsReserve(t *testing.T) {
	w := newWorld(t)
	id, _ := w.paid("1001")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.RefundClosed, Op: sandbox.OpRefund})
	first := w.refund(id, "r-1", 6_000)
	w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-2", Amount: 6_000}, moongate.Limit, "of which 40.00 CNY can still be refunded")
	second := w.refund(id, "r-3", 4_000)
	w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-4", Amount: 1}, moongate.Limit, "0.00 CNY")
	w.pass(10*time.Minute, 10*time.Second)
	if a, b := w.refunding(first), w.refunding(second); a.Status != pay.RefundFailed || b.Status != pay.RefundSucceeded {
		t.Fatalf("%s (%s) and %s (%s)", a.Status, a.Message, b.Status, b.Message)
	}
	if p := w.payment(id); p.Reserved != 4_000 || p.Refunded != 4_000 {
		t.Errorf("reserved %d, refunded %d", p.Reserved, p.Refunded)
	}
	third := w.refund(id, "r-5", 6_000)
	w.pass(10*time.Minute, 10*time.Second)
	if got := w.refunding(third); got.Status != pay.RefundSucceeded {
		t.Errorf("%s %s", got.Status, got.Message)
	}
	if got := w.owed("crane-pay", ledger.Wallet); got != 0 {
		t.Errorf("the wallet holds %d", got)
	}
}

func TestRefundReference(t *testing.T) {
	w := newWorld(t)
	id, _ := w.paid("1001")
	other, _ := w.paid("1002")
	r := w.refund(id, "r-1", 100)
	if again := w.refund(id, "r-1", 100); again != r {
		t.Error("the same reference opened a second refund")
	}
	w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 101}, moongate.Conflict, "stands for a refund of 1.00 CNY")
	w.refuse("lotus-market", &pay.Refund{Payment: other, Reference: "r-1", Amount: 100}, moongate.Conflict, "stands for a refund")
	w.pass(time.Minute, 10*time.Second)
}

// From whom a refund is taken can be said.
func TestRefundFromOnePayee(t *testing.T) {
	w := newWorld(t)
	c := w.request("1001")
	c.Payees = []crossing.Payee{{Party: "tea-shop", Amount: 9_000}, {Party: "lotus-market", Amount: 1_000}} // gift wrapping
	id := w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	w.shop(id, "crane-pay")
	before := w.owed("tea-shop", ledger.Payable)
	w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 1_000, Payees: []crossing.Payee{{Party: "lotus-market", Amount: 1_000}}})
	w.pass(time.Minute, 10*time.Second)
	if got := w.owed("tea-shop", ledger.Payable); got != before || w.payment(id).Refunded != 1_000 {
		t.Errorf("tea-shop had %d and has %d", before, got)
	}
	w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-2", Amount: 1_000, Payees: []crossing.Payee{{Party: "lotus-market", Amount: 1_000}}}, moongate.Limit, "")
}

// The shopper's card is gone: a person must act at the wallet, and the money stays reserved until it has.
func TestRefundThatIsStuck(t *testing.T) {
	w := newWorld(t)
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.RefundAbnormal, Op: sandbox.OpRefund})
	id, _ := w.paid("1001")
	r := w.refund(id, "r-1", 10_000)
	w.pass(time.Hour, time.Minute)
	if got := w.refunding(r); got.Status != pay.RefundHeldUp {
		t.Fatalf("%s", got.Status)
	}
	x := w.trouble(pay.TroubleRefundStuck)
	w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-2", Amount: 1}, moongate.Limit, "")
	w.pass(4*24*time.Hour, 6*time.Hour)
	if got := w.refunding(r); got.Status != pay.RefundHeldUp || len(w.troubles()) != 1 {
		t.Errorf("%s, %d exceptions", got.Status, len(w.troubles()))
	}
	// It was paid by hand: the wallet says so.
	w.submit("", &pay.RefundReport{Refund: r, Op: pay.OpQueryRefund, Outcome: &pay.RefundEvidence{State: pay.RefundDone, Amount: x.Amount}})
	if got := w.refunding(r); got.Status != pay.RefundSucceeded {
		t.Errorf("%s", got.Status)
	}
	w.submit("keeper", &pay.Resolve{Exception: x.Trouble.Exception, Action: pay.Dismiss, Note: "paid by bank transfer"})
	w.bent = true // the sandbox knows no hand that pays
}

// A merchant account without money refunds when it has some again: the same number is asked for until then.
func TestRefundWithoutFunds(t *testing.T) {
	w := newWorld(t)
	id, _ := w.paid("1001")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Refuse, Code: "NOT_ENOUGH", Op: sandbox.OpRefund, Times: 5})
	r := w.refund(id, "r-1", 10_000)
	w.pass(2*time.Minute, 10*time.Second)
	if got := w.refunding(r); got.Status != pay.RefundAsked || got.Message == "" {
		t.Errorf("%s %q", got.Status, got.Message)
	}
	w.pass(time.Hour, 30*time.Second)
	if got := w.refunding(r); got.Status != pay.RefundSucceeded {
		t.Errorf("%s %q", got.Status, got.Message)
	}
}

// An account that stays empty gives up after a day, and everything is free again.
func TestRefundGivenUp(t *testing.T) {
	w := newWorld(t)
	id, _ := w.paid("1001")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Refuse, Code: "NOT_ENOUGH", Op: sandbox.OpRefund, Times: -1})
	r := w.refund(id, "r-1", 10_000)
	w.pass(3*24*time.Hour, 20*time.Minute)
	got := w.refunding(r)
	if got.Status != pay.RefundFailed || !strings.Contains(got.Message, "asked for 4") {
		t.Errorf("%s %q", got.Status, got.Message)
	}
	if p := w.payment(id); p.Reserved != 0 {
		t.Errorf("%d is still reserved", p.Reserved)
	}
}

// A hundred refunds of many payments at once, as after a bad product: all end, none twice.
func TestRefundStorm(t *testing.T) {
	w := newWorld(t)
	var refunds []moongate.ID
	var paid []moongate.ID
	for i := range 20 {
		id, _ := w.paid(fmt.Sprint("o-", i))
		paid = append(paid, id)
	}
	for i, id := range paid {
		w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropAfter, Op: sandbox.OpRefund})
		w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Lose, Op: sandbox.OpNotify})
		for j := range 2 {
			refunds = append(refunds, w.refund(id, fmt.Sprint("r-", i, "-", j), 5_000))
		}
	}
	w.twice = true
	w.pass(20*time.Minute, 20*time.Second)
	for _, r := range refunds {
		if got := w.refunding(r); got.Status != pay.RefundSucceeded {
			t.Errorf("%s %q", got.Status, got.Message)
		}
	}
	if got := w.owed("crane-pay", ledger.Wallet); got != 0 {
		t.Errorf("the wallet holds %d", got)
	}
}

func TestRefundRefusals(t *testing.T) {
	w := newWorld(t)
	open, _ := w.opened("1001")
	id, _ := w.paid("1002")
	for _, c := range []struct {
		name   string
		caller string
		c      pay.Refund
		code   moongate.Code
		says   string
	}{
		{"not paid", "lotus-market", pay.Refund{Payment: open, Reference: "r", Amount: 1}, moongate.Conflict, "the payment is open"},
		{"a stranger's", "stranger", pay.Refund{Payment: id, Reference: "r", Amount: 1}, moongate.NotFound, "no payment"},
		{"none", "lotus-market", pay.Refund{Reference: "r", Amount: 1}, moongate.NotFound, "no payment"},
		{"nothing", "lotus-market", pay.Refund{Payment: id, Reference: "r"}, moongate.Malformed, "0 cannot be refunded"},
		{"less than nothing", "lotus-market", pay.Refund{Payment: id, Reference: "r", Amount: -5}, moongate.Malformed, "-5"},
		{"too much", "lotus-market", pay.Refund{Payment: id, Reference: "r", Amount: 10_001}, moongate.Limit, "100.01"},
		{"more than 64 bits", "lotus-market", pay.Refund{Payment: id, Reference: "r", Amount: 1<<63 - 1}, moongate.Malformed, ""},
		{"no reference", "lotus-market", pay.Refund{Payment: id, Amount: 1}, moongate.Malformed, "reference"},
		{"a long reference", "lotus-market", pay.Refund{Payment: id, Reference: strings.Repeat("r", 65), Amount: 1}, moongate.Malformed, "reference"},
		{"a long reason", "lotus-market", pay.Refund{Payment: id, Reference: "r", Amount: 1, Reason: strings.Repeat("x", 41)}, moongate.Malformed, "41 bytes"},
		{"others' payees", "lotus-market", pay.Refund{Payment: id, Reference: "r", Amount: 1, Payees: []crossing.Payee{{Party: "stranger", Amount: 1}}}, moongate.Limit, "stranger does not have 1"},
	} {
		t.Run(c.name, func(t *testing.T) { w.refuse(c.caller, &c.c, c.code, c.says) })
	}
	for i := range 50 {
		w.refund(id, fmt.Sprint("r-", i), 1)
	}
	w.refuse("lotus-market", &pay.Refund{Payment: id, Reference: "r-51", Amount: 1}, moongate.Limit, "50 times")
}
