package pay_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// Each test here is named after what users of another payment hub found to go wrong, and cites where they wrote it down.
// Which of the others' complaints are shown not to hold by tests elsewhere stands in docs/design/payments.md.

// juspay/hyperswitch#13182: two refunds asked for at the same moment both look at what was refunded before, and together
// give back more than was captured. Here each is asked for in every order with the other's calls to the wallet, with an
// answer lost or not; the wallet's own book decides.
func TestConcurrentRefundsExceedTheCapture(t *testing.T) {
	for mask := range 8 {
		t.Run(fmt.Sprint(mask), func(t *testing.T) {
			w := newWorld(t)
			id, _ := w.paid("1001")
			if mask&1 != 0 {
				w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropAfter, Op: sandbox.OpRefund})
			}
			w.twice = mask&2 != 0
			accepted := int64(0)
			for n := range 5 {
				if _, err := w.do(replica.Request{Caller: "lotus-market", Command: &pay.Refund{Payment: id, Reference: fmt.Sprint("r-", n), Amount: 6_000 - 1_000*int64(n)}}); err == nil {
					accepted += 6_000 - 1_000*int64(n)
				}
				if mask&4 != 0 {
					w.settle()
				}
			}
			w.pass(20*time.Minute, 20*time.Second)
			back := int64(0)
			for _, r := range w.wallets["crane-pay"].Book(accounts["crane-pay"]).Refunds {
				back += r.Amount
			}
			if accepted > 10_000 || back != accepted || w.payment(id).Refunded != back {
				t.Errorf("of 100.00 the hub accepted %d, the wallet gave back %d, and the payment says %d", accepted, back, w.payment(id).Refunded)
			}
		})
	}
}

// juspay/hyperswitch#10340: a notification with a state that is not final overwrites one that is.
func TestNonTerminalStatusOverwritesTerminal(t *testing.T) {
	w := newWorld(t)
	id, attempt := w.paid("1001")
	r := w.refund(id, "r-1", 10_000)
	w.pass(time.Minute, 5*time.Second)
	before := w.kinds(id)
	for _, op := range []pay.Op{pay.OpNotice, pay.OpQuery} {
		for _, state := range []pay.OrderState{pay.Awaiting, pay.Absent, pay.Closed} {
			w.submit("", &pay.Report{Attempt: attempt, Op: op, Outcome: &pay.Evidence{State: state, Amount: money.Of(10_000, money.CNY)}})
		}
	}
	for _, state := range []pay.RefundState{pay.RefundPending, pay.RefundStuck} {
		w.submit("", &pay.RefundReport{Refund: r, Op: pay.OpQueryRefund, Outcome: &pay.RefundEvidence{State: state, Amount: money.Of(10_000, money.CNY)}})
	}
	w.pass(time.Hour, 5*time.Minute)
	w.stands(id, pay.Succeeded)
	if got := w.refunding(r); got.Status != pay.RefundSucceeded {
		t.Errorf("the refund is %s", got.Status)
	}
	if a := w.attempt(attempt); a.Status != pay.AttemptPaid {
		t.Errorf("the attempt is %s", a.Status)
	}
	if after := w.kinds(id); strings.Count(after, "settled") != 1 || strings.Count(after, "refund_ended") != 1 || !strings.HasPrefix(after, before) {
		t.Errorf("history %q, before it was %q", after, before)
	}
	for _, x := range w.troubles() { // that the wallet contradicts itself is for a person, and changes nothing
		if x.Trouble.Kind != pay.TroubleContradiction {
			t.Errorf("%+v", x)
		}
	}
}

// juspay/hyperswitch#3751: the wallet takes the refund and its answer is lost, and its number of the refund is never
// learnt.
func TestRefundNumberLostOnGatewayTimeout(t *testing.T) {
	w := newWorld(t)
	id, _ := w.paid("1001")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropAfter, Op: sandbox.OpRefund})
	r := w.refund(id, "r-1", 4_000)
	w.pass(10*time.Minute, 10*time.Second)
	book := w.wallets["crane-pay"].Book(accounts["crane-pay"]).Refunds
	if len(book) != 1 {
		t.Fatalf("the wallet gave back %d times", len(book))
	}
	if got := w.refunding(r); got.Status != pay.RefundSucceeded || got.Outcome == nil || got.Outcome.WalletRef != book[0].RefundID {
		t.Errorf("%+v, and the wallet calls it %s", got, book[0].RefundID)
	}
}

// juspay/hyperswitch#2896 and #2908: after a timeout the wallet's number is not known, and the payment can be asked about
// under no other. Here the wallet is asked by our own; the shopper pays meanwhile, and nothing notifies the hub.
func TestNoSyncWithoutTheWalletsNumber(t *testing.T) {
	for _, alipay := range []bool{false, true} {
		t.Run(fmt.Sprint("alipay ", alipay), func(t *testing.T) {
			var speak []string
			if alipay {
				speak = []string{"crane-pay"}
			}
			w := newBareWorld(t, pay.Limits{}, speak...)
			t.Cleanup(w.check)
			w.inject("crane-pay", sandbox.Fault{Kind: sandbox.Lose, Op: sandbox.OpNotify, Times: -1})
			w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropAfter, Op: sandbox.OpCreate})
			id, attempt := w.opened("1001")
			if a := w.attempt(attempt); a.Status != pay.AttemptUnknown || a.Outcome != nil {
				t.Fatalf("after the timeout: %+v", a)
			}
			w.approve("crane-pay", attempt)
			w.pass(10*time.Minute, 10*time.Second)
			w.stands(id, pay.Succeeded)
			if a := w.attempt(attempt); a.Outcome == nil || a.Outcome.WalletRef == "" {
				t.Errorf("%+v", a)
			}
		})
	}
}

// interledger/rafiki#3141: what was quoted expires between its acceptance and its execution, and is executed all the same.
// Here nobody carries effects out until the payment's time is over: the wallet must not get an order that can be paid.
func TestExpiredQuoteProcessed(t *testing.T) {
	w := newWorld(t)
	id := w.purchase("1001")
	attempt := w.choose(id, "crane-pay")
	w.Advance(31 * time.Minute)
	w.settle()
	if err := w.wallets["crane-pay"].Approve(accounts["crane-pay"], attempt.String()); err == nil {
		t.Error("an order was made at the wallet after the payment's time was over, and could be paid")
	}
	w.pass(10*time.Minute, 10*time.Second)
	w.stands(id, pay.Expired)
	if got := w.owed("crane-pay", ledger.Wallet); got != 0 {
		t.Errorf("the wallet holds %d", got)
	}
}

// killbill/killbill#338: who looks after unknown transactions and who tries again compete, and the shopper pays twice.
// Here every call is made twice, as by two leaders, while the shopper and the hub choose again.
func TestRetryCompetesWithTheJanitor(t *testing.T) {
	w := newWorld(t)
	w.twice = true
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropAfter, Op: sandbox.OpCreate})
	id, attempt := w.opened("1001")
	for range 3 {
		again := &pay.ChooseWallet{Payment: id, Auto: true}
		w.gate.Fill(again, false)
		if got := w.submit("", again).(pay.WalletAnswer); got.Attempt != attempt {
			t.Fatalf("a second attempt while the first is unknown: %+v", got)
		}
	}
	w.choose(id, "carp-pay") // waits until the first is surely closed
	w.settle()
	second := w.payment(id).Attempt
	for wallet, number := range map[string]string{"crane-pay": attempt.String(), "carp-pay": second.String()} {
		_ = w.wallets[wallet].Approve(w.account(wallet), number) // the shopper tries to pay both
	}
	w.pass(40*time.Minute, 10*time.Second)
	paid := 0
	for name, wallet := range w.wallets {
		paid += len(wallet.Book(w.account(name)).Payments)
	}
	if settled := strings.Count(w.kinds(id), "settled"); paid != 1 || settled != 1 {
		t.Errorf("paid %d times, settled %d times: %s", paid, settled, w.kinds(id))
	}
}

// killbill/killbill#1832: that an attempt failed is found out by asking, not by the answer to the attempt, and then nobody
// tries again. Here the connection breaks before the wallet has the order; only a query tells that there is none.
func TestNoRetryWhereAQueryFindsTheFailure(t *testing.T) {
	w := newWorld(t)
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropBefore, Op: sandbox.OpCreate})
	id, attempt := w.opened("1001")
	if a := w.attempt(attempt); a.Status != pay.AttemptUnknown {
		t.Fatalf("%+v", a)
	}
	w.pass(5*time.Minute, 5*time.Second)
	if a := w.attempt(w.payment(id).Attempt); a.Status == pay.AttemptUnknown {
		t.Fatalf("after five minutes: %+v\n%s", a, w.kinds(id))
	}
	w.shop(id, "crane-pay")
	w.stands(id, pay.Succeeded)
	if n := len(w.wallets["crane-pay"].Book(accounts["crane-pay"]).Payments); n != 1 {
		t.Errorf("paid %d times", n)
	}
}

// juspay/hyperswitch#11474: how a refund is to be divided is dropped where what the wallet said of the split is not known
// yet, and the wallet takes it from whom it likes. Here the refund is asked for while the split is under way, its answer
// lost: it comes from the payee that it names, and from nobody else.
func TestSplitRefundDataDropped(t *testing.T) {
	w := newSplittingWorld(t, 10_000)
	c := w.request("1001")
	c.Payees[0].Amount = 9_000
	c.Payees = append(slices.Clone(c.Payees), c.Payees[0])
	c.Payees[1].Party, c.Payees[1].Amount = "lotus-market", 1_000
	id := w.submit("lotus-market", c).(pay.PaymentAnswer).Payment
	w.shop(id, "crane-pay")
	w.inject("crane-pay", sandbox.Fault{Kind: sandbox.DropAfter, Op: "split"})
	if _, err := w.gate.PayOut(t.Context(), "crane-pay", instruction(1), "tea-shop", money.Of(5_000, money.CNY)); err != nil {
		t.Fatal(err)
	}
	shop, market := w.owed("tea-shop", ledger.Payable), w.owed("lotus-market", ledger.Payable)
	back := slices.Clone(c.Payees[1:])
	w.submit("lotus-market", &pay.Refund{Payment: id, Reference: "r-1", Amount: 1_000, Payees: back})
	w.pass(10*time.Minute, 10*time.Second)
	if w.owed("tea-shop", ledger.Payable) != shop || w.owed("lotus-market", ledger.Payable) >= market || w.payment(id).Refunded != 1_000 {
		t.Errorf("tea-shop had %d and has %d, lotus-market %d and %d", shop, w.owed("tea-shop", ledger.Payable), market, w.owed("lotus-market", ledger.Payable))
	}
}

// TestComplaintsHaveTheirTests: the list of complaints in docs/design/payments.md names no test that is not there.
func TestComplaintsHaveTheirTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/design/payments.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(text), "\n## What users of other hubs complained of\n")
	list, _, _ = strings.Cut(list, "\n## ")
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(list, -1)
	if !ok || len(named) < 15 {
		t.Fatalf("only %d tests are named", len(named))
	}
	var source strings.Builder
	for _, folder := range []string{".", "../../webhook", "../../settle", "../../ledger"} {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
	}
	for _, name := range named {
		if !strings.Contains(source.String(), "\nfunc "+name[1]+"(") {
			t.Errorf("%s is named and not there", name[1])
		}
	}
}
