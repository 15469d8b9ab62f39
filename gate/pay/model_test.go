package pay_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	wechatbox "github.com/moongate-hub/moongate/gate/pay/sandbox/wechatpay"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// TestMain keeps property tests to a few worlds unless told otherwise: each signs some hundred times. The hub that
// TestKilled kills is this program too.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		go func() { // a leash: its end is that of the parent
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(3)
		}()
		if err := serve(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		if err := flag.Set("rapid.checks", "12"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// Whatever shoppers, merchants, wallets, networks and machines do, in the end every payment is over; what the wallets
// hold for it, by their own books, is what the hub says; and nothing was divided or given back twice.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := &world{alipay: rapid.SampledFrom([][]string{nil, {"carp-pay"}, {"crane-pay", "carp-pay"}}).Draw(r, "speak Alipay")}
		if rapid.Bool().Draw(r, "platform") {
			w.subs = map[string]string{"tea-shop": "1900000201", "book-shop": "1900000202"}
		}
		if rapid.Bool().Draw(r, "split") {
			w.split = 5_000
		}
		w.begin(r, pay.Limits{})
		w.sellers()
		w.paidPlatform()
		w.live(r)
		w.heal()
		w.judge(r)
	})
}

var (
	requestFaults = []sandbox.Kind{sandbox.DropBefore, sandbox.DropAfter, sandbox.Garbage, sandbox.Unsigned, sandbox.Probe, sandbox.Skew}
	requestOps    = []sandbox.Op{wechatbox.OpSplit, wechatbox.OpReturn, wechatbox.OpQueryReturn, sandbox.OpCreate, sandbox.OpQuery, sandbox.OpClose, sandbox.OpRefund, sandbox.OpQueryRefund, wechatbox.OpCertificates}
	noticeFaults  = []sandbox.Kind{sandbox.Delay, sandbox.Duplicate, sandbox.Reorder, sandbox.Lose, sandbox.Probe, sandbox.WrongAmount}
	walletFaults  = []sandbox.Fault{{Kind: sandbox.PayClosed, Op: sandbox.OpApprove}, {Kind: sandbox.RefundAbnormal, Op: sandbox.OpRefund}, {Kind: sandbox.RefundClosed, Op: sandbox.OpRefund}, {Kind: sandbox.Coupon, Op: sandbox.OpApprove, Amount: 700}}
)

func (w *world) live(r *rapid.T) {
	wallets := []string{"crane-pay", "carp-pay"}
	var payments []moongate.ID
	some := func(label string) moongate.ID { return rapid.SampledFrom(payments).Draw(r, label) }
	try := func(caller string, c replica.Command) { _, _ = w.do(replica.Request{Caller: caller, Command: c}) } // refusals are fine
	n := 0
	for range rapid.IntRange(10, 60).Draw(r, "length") {
		what := rapid.SampledFrom([]int{0, 1, 1, 1, 3, 4, 4, 4, 4, 7, 8, 9, 9, 10, 10, 11, 12, 12, 13, 14}).Draw(r, "what")
		if len(payments) == 0 {
			what = 0
		}
		wallet := rapid.SampledFrom(wallets).Draw(r, "wallet")
		switch what {
		case 0:
			if len(payments) == 4 {
				break
			}
			c := w.request(fmt.Sprint("o-", len(payments)))
			if rapid.Bool().Draw(r, "two sellers") {
				c.Payees = []crossing.Payee{{Party: "tea-shop", Amount: 6_000}, {Party: "book-shop", Amount: 4_000}}
			}
			c.Expires = w.now() + moongate.Time(rapid.IntRange(2, 60).Draw(r, "minutes"))*moongate.Minute
			if a, err := w.do(replica.Request{Caller: "lotus-market", Command: c}); err == nil {
				payments = append(payments, a.(pay.PaymentAnswer).Payment)
			}
		case 1:
			w.post(w.address(some("payment")), url.Values{"wallet": {wallet}})
		case 3:
			w.post(w.address(some("payment")), url.Values{"wallet": {""}})
		case 4: // the shopper pays the last order, or an older one
			id := some("payment")
			w.settle()
			if book := w.orders(id); len(book) > 0 {
				o := book[len(book)-1-min(len(book)-1, rapid.IntRange(0, 3).Draw(r, "older")/2)]
				_ = w.wallets[o.wallet].Approve(w.account(o.wallet), o.no)
			}
		case 7:
			w.get(w.address(some("payment")) + "/return")
		case 8:
			try("lotus-market", &pay.Cancel{Payment: some("payment")})
		case 9:
			n++
			c := &pay.Refund{Payment: some("payment"), Reference: fmt.Sprint("r-", n), Amount: int64(rapid.IntRange(1, 10_000).Draw(r, "minor"))}
			if seller := rapid.SampledFrom([]string{"", "tea-shop", "book-shop"}).Draw(r, "from"); seller != "" {
				c.Payees = []crossing.Payee{{Party: seller, Amount: c.Amount}}
			}
			try("lotus-market", c)
		case 10:
			f := sandbox.Fault{Kind: rapid.SampledFrom(requestFaults).Draw(r, "fault"), Op: rapid.SampledFrom(requestOps).Draw(r, "op"), Times: rapid.IntRange(1, 3).Draw(r, "times"), Delay: time.Hour}
			w.inject(wallet, f)
		case 11:
			w.inject(wallet, sandbox.Fault{Kind: rapid.SampledFrom(noticeFaults).Draw(r, "fault"), Op: sandbox.OpNotify, Delay: time.Minute, Amount: 1, Times: rapid.IntRange(1, 3).Draw(r, "times")})
		case 12:
			w.inject(wallet, rapid.SampledFrom(walletFaults).Draw(r, "fault"))
		case 14:
			n++
			_, _ = w.gate.PayOut(context.Background(), wallet, instruction(byte(n)), "lotus-market", money.Of(int64(rapid.IntRange(1, 2_000).Draw(r, "payout")), money.CNY))
		case 13:
			switch rapid.IntRange(0, 3).Draw(r, "of the world") {
			case 0:
				w.down[wallet] = !w.down[wallet]
			case 1:
				w.twice = !w.twice
			case 2:
				w.restart()
			case 3:
				w.closeTill(rapid.Bool().Draw(r, "closed"))
			}
		}
		if rapid.IntRange(0, 3).Draw(r, "effects") > 0 {
			w.settle()
		}
		step := time.Duration(rapid.SampledFrom([]int{0, 0, 0, 0, 1, 10, 60, 600, 3600}).Draw(r, "seconds")) * time.Second
		w.pass(step, max(step/4, time.Second))
	}
}

// paidPlatform has the market be paid out of what every wallet holds, where they split.
func (w *world) paidPlatform() {
	w.t.Helper()
	for _, wallet := range []string{"crane-pay", "carp-pay"} {
		account := "1900000777"
		if slices.Contains(w.alipay, wallet) {
			account = "2088000000000777"
		}
		w.submit("lotus-market", &pay.SetReceiver{PayeeAt: pay.PayeeAt{Wallet: wallet, Participant: "lotus-market", Account: account}})
	}
	w.settle()
}

// placed is an order that a wallet was asked to expect.
type placed struct{ wallet, no string }

// orders are those of a payment, oldest first.
func (w *world) orders(id moongate.ID) (list []placed) {
	for _, e := range w.history(id) {
		if v, ok := e.Event.(*pay.AttemptOpened); ok {
			list = append(list, placed{v.Wallet, v.Attempt.String()})
		}
	}
	return list
}

// heal ends all faults and lets four days pass.
func (w *world) heal() {
	w.t.Helper()
	for name, box := range w.wallets {
		box.Clear()
		w.down[name] = false
	}
	w.twice = false
	w.closeTill(false)
	w.pass(2*time.Hour, time.Minute)
	w.pass(4*24*time.Hour, 30*time.Minute)
}

func (w *world) judge(r *rapid.T) {
	for name, box := range w.wallets {
		for _, v := range box.Violations() {
			if v.Rule != sandbox.RulePaidTwice { // a wallet that takes money for closed orders makes those by itself
				r.Errorf("%s: %+v", name, v)
			}
		}
		w.mirror(name)
	}
	held := map[moongate.ID]int64{}
	for _, x := range w.troubles() {
		var left int64
		w.machine.Read(func() {
			if o, ok := w.crossings.Lookup(x.Crossing); ok {
				left = o.Left()
			}
		})
		held[x.Payment] += left
	}
	for id := range w.ids() {
		w.judgePayment(r, id, held[id])
	}
	for _, p := range w.books.Check() {
		r.Errorf("books: %+v", p)
	}
	dir, err := os.MkdirTemp("", "pay")
	if err != nil {
		r.Fatal(err)
	}
	defer os.RemoveAll(dir)
	v := w.views(dir)
	w.compare(v)
	if err := v.Close(); err != nil {
		r.Error(err)
	}
	w.alike()
	if err := w.local.Refold(newRooms(w.limits, w.settles).machine); err != nil {
		r.Error(err)
	}
	if r.Failed() {
		for id := range w.ids() {
			w.tell(id)
		}
	}
}

func (w *world) judgePayment(r *rapid.T, id moongate.ID, held int64) {
	p := w.payment(id)
	var took int64
	for name, box := range w.wallets {
		book := box.Book(w.account(name))
		var orders []string
		for _, o := range book.Payments {
			if o.Attach == id.String() {
				took += o.Total
				orders = append(orders, o.OutTradeNo)
			}
		}
		for _, f := range book.Refunds {
			switch {
			case !slices.Contains(orders, f.OutTradeNo):
			case f.State == "SUCCESS":
				took -= f.Amount
			case f.State != "ABNORMAL": // then a person has to act at the wallet
				r.Errorf("refund %s is still %s", f.OutRefundNo, f.State)
			}
		}
	}
	want := held
	if p.Status == pay.Succeeded {
		want += p.Amount.Minor - p.Refunded
	}
	for _, e := range w.history(id) { // what is reserved for going back is still there
		if v, ok := e.Event.(*pay.RefundOpened); ok && !v.Origin.Exception.IsZero() && w.refunding(v.Refund).Status == pay.RefundHeldUp {
			want += v.Amount.Minor
		}
	}
	if took != want {
		r.Errorf("payment %s is %s: the wallets hold %d of it, the hub says %d (%d held)", id, p.Status, took, want, held)
	}
	if p.Status == pay.Open {
		r.Errorf("payment %s is still open", id)
	}
	if p.Refunded > p.Reserved || p.Reserved > p.Amount.Minor {
		r.Errorf("payment %s: %d refunded, %d reserved of %d", id, p.Refunded, p.Reserved, p.Amount.Minor)
	}
	last := pay.Open
	for _, e := range w.history(id) {
		switch v := e.Event.(type) {
		case *pay.Settled:
			if last.Final() {
				r.Errorf("payment %s was %s and became %s", id, last, v.Status)
			}
			last = v.Status
		case *pay.AttemptOpened:
			if a := w.attempt(v.Attempt); a.Status.Live() {
				r.Errorf("attempt %s is still %s", v.Attempt, a.Status)
			}
		case *pay.RefundOpened:
			if f := w.refunding(v.Refund); !f.Status.Final() && f.Status != pay.RefundHeldUp {
				r.Errorf("refund %s is still %s", v.Refund, f.Status)
			}
		}
	}
	if w.owed("willow-reads", ledger.Suspense) < 0 {
		r.Errorf("suspense is overdrawn")
	}
}
