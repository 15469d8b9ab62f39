package settle_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/share"
)

func touch(now moongate.Time) []share.Touch {
	return []share.Touch{{Party: "willow-reads", At: now - moongate.Minute}}
}

// Three purchases of a day, in two wallets: what each is owed, who pays whom, and that nothing is left anywhere.
func TestWindow(t *testing.T) {
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 100_00, true)
	g.buy("tea-shop", "carp-pay", 50_00, false)
	g.buy("ink-shop", "crane-pay", 20_00, false)
	w, ok := g.settle.Current(g.terms, money.CNY)
	if !ok || w.From != at("2026-03-10T00:00:00+08:00") || w.Until != at("2026-03-11T00:00:00+08:00") {
		t.Fatalf("the open window is %+v", w)
	}
	g.tick(w.Until - 1)
	if now, _ := g.settle.Lookup(w.ID); now.Status != settle.Open {
		t.Errorf("a microsecond before its end it is %s", now.Status)
	}
	g.tick(w.Until)
	want := `carp-pay 0 0 30 5000 -4970
crane-pay 0 0 72 12000 -11928
ink-shop 1888 0 0 0 1888
lotus-market 710 0 0 0 710
tea-shop 14160 0 0 0 14160
willow-reads 140 0 0 0 140
`
	if diff := cmp.Diff(want, g.standings()); diff != "" {
		t.Errorf("payable, receivable, fee, held, net (-want +got):\n%s", diff)
	}
	closed, _ := g.settle.Lookup(w.ID)
	if closed.Status != settle.Closed || closed.Due != w.Until+moongate.Day {
		t.Errorf("closed, it is %+v", closed)
	}
	clearing := ledger.Account{Currency: money.CNY, Purpose: ledger.Clearing, Of: w.ID}
	if got := g.books.Balance(clearing).Net(ledger.Clearing); got != 168_98 {
		t.Errorf("%d stand on the clearing account", got)
	}
	g.tick(closed.Due)
	if got := g.books.Balance(clearing).Net(ledger.Clearing); got != 0 {
		t.Errorf("after instructing, %d stand on the clearing account", got)
	}
	want = `carp-pay → ink-shop 1888
carp-pay → lotus-market 710
carp-pay → tea-shop 2372
crane-pay → tea-shop 11788
crane-pay → willow-reads 140
`
	if diff := cmp.Diff(want, text(g.out())); diff != "" {
		t.Errorf("instructions (-want +got):\n%s", diff)
	}
	if pending, _ := g.settle.Lookup(w.ID); pending.Status != settle.Pending || pending.Left != 5 {
		t.Errorf("pending, it is %+v", pending)
	}
	g.pay()
	if _, ok := g.settle.Lookup(w.ID); ok {
		t.Error("the settled window is still there")
	}
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

// What comes to less than the minimum waits for the next window; the wallet that holds it keeps holding it.
func TestMinimumIsCarried(t *testing.T) {
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 80, false)
	g.passes()
	if out := g.out(); len(out) != 0 {
		t.Errorf("instructed:\n%s", text(out))
	}
	w, ok := g.settle.Current(g.terms, money.CNY)
	if !ok || w.From != at("2026-03-12T00:00:00+08:00") { // carried twice
		t.Fatalf("it went into %+v", w)
	}
	// 0.80 less 4 of commission and 1 of fee; 4 for the market. Both are below 1.00.
	if p, _ := g.settle.Position(w.ID, "crane-pay"); p != (settle.Position{Held: 79}) {
		t.Errorf("crane-pay %+v", p)
	}
	g.buy("tea-shop", "crane-pay", 30_00, false)
	g.passes()
	if got, want := text(g.out()), "crane-pay → lotus-market 154\ncrane-pay → tea-shop 2907\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	g.pay()
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

// A refund after the shop was paid: the shop owes, and its next sales pay for it first.
func TestRefundAfterPayout(t *testing.T) {
	g := newGarden(t)
	id := g.buy("tea-shop", "crane-pay", 100_00, false)
	g.passes()
	g.pay()
	g.giveBack(id, 40_00)
	g.buy("tea-shop", "carp-pay", 10_00, false)
	g.passes()
	// Back go 37.76 from the shop, 2.00 from the market and 0.24 from the wallet; of the new sale 9.44, 0.50 and 0.06.
	want := `carp-pay 0 0 6 1000 -994
crane-pay 0 0 -24 -4000 3976
lotus-market -150 0 0 0 -150
tea-shop -2832 0 0 0 -2832
`
	if diff := cmp.Diff(want, g.standings()); diff != "" {
		t.Errorf("standings (-want +got):\n%s", diff)
	}
	want = "carp-pay → crane-pay 994\nlotus-market → crane-pay 150\ntea-shop → crane-pay 2832\n"
	if diff := cmp.Diff(want, text(g.out())); diff != "" {
		t.Errorf("instructions (-want +got):\n%s", diff)
	}
	if owes := g.net("tea-shop", ledger.Receivable, money.CNY); owes != 28_32 {
		t.Errorf("the books say that the shop owes %d", owes)
	}
	for _, i := range g.out() {
		if i.Wallet != (i.From == "carp-pay") {
			t.Errorf("%s is told by us: %v", i.From, i.Wallet)
		}
	}
	g.pay()
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

func TestSuspendedAreWithheld(t *testing.T) {
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 100_00, false)
	g.buy("ink-shop", "crane-pay", 50_00, false)
	g.do("keeper", &party.Suspend{Handle: "tea-shop", Reason: "an inquiry"})
	g.passes()
	if got, want := text(g.out()), "crane-pay → ink-shop 4720\ncrane-pay → lotus-market 750\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	g.pay()
	g.do("keeper", &party.Resume{Handle: "tea-shop"})
	g.passes()
	if got, want := text(g.out()), "crane-pay → tea-shop 9440\n"; got != want {
		t.Errorf("after it was resumed: got\n%swant\n%s", got, want)
	}
	g.pay()
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

// An account that takes no transfers does not keep the others from being paid.
func TestClosedAccountIsWithheld(t *testing.T) {
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 100_00, false)
	g.buy("ink-shop", "crane-pay", 50_00, false)
	payable := ledger.Account{Owner: "tea-shop", Currency: money.CNY, Purpose: ledger.Payable}
	g.do("keeper", &ledger.SetLimits{Account: payable, Limits: ledger.Limits{Closed: true}})
	g.passes()
	if got, want := text(g.out()), "crane-pay → ink-shop 4720\ncrane-pay → lotus-market 750\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	g.do("keeper", &ledger.SetLimits{Account: payable})
	g.passes()
	g.pay()
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

func TestReturnedInstruction(t *testing.T) {
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 100_00, false)
	g.passes()
	out := g.out()
	i := out[slices.IndexFunc(out, func(i settle.Instruction) bool { return i.To == "tea-shop" })]
	a := g.do("keeper", &settle.Report{Instruction: i.ID, Progress: settle.Returned, Reason: "the account was closed"}).(settle.Answer)
	if a.Status != settle.Pending || a.Left != 1 {
		t.Errorf("the window is %+v", a)
	}
	if got := g.net("tea-shop", ledger.Payable, money.CNY); got != 94_40 {
		t.Errorf("%d are owed to the shop again", got)
	}
	g.pay()
	g.passes()
	if got, want := text(g.out()), "crane-pay → tea-shop 9440\n"; got != want {
		t.Errorf("it went out again as\n%swant\n%s", got, want)
	}
	g.pay()
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

func TestAbort(t *testing.T) {
	for _, netting := range []string{"multilateral", "bilateral", "gross"} {
		g := newGarden(t, "netting: multilateral", "netting: "+netting)
		id := g.buy("tea-shop", "crane-pay", 100_00, true)
		g.buy("ink-shop", "carp-pay", 50, false) // below the minimum: carried when the window closes
		g.giveBack(id, 10_00)
		w, _ := g.settle.Current(g.terms, money.CNY)
		before := g.left()
		g.tick(w.Until)
		g.refuse("lotus-market", &settle.Abort{Window: w.ID, Reason: "no"}, moongate.Forbidden, "operator")
		g.refuse("keeper", &settle.Abort{Window: w.ID}, moongate.Malformed, "reason")
		g.do("keeper", &settle.Abort{Window: w.ID, Reason: "the wallet's bill is late"})
		if diff := cmp.Diff(before, g.left()); diff != "" {
			t.Errorf("%s: the books differ from before (-before +after):\n%s", netting, diff)
		}
		g.refuse("keeper", &settle.Abort{Window: w.ID, Reason: "again"}, moongate.NotFound, "no window")
		g.passes()
		if len(g.out()) == 0 {
			t.Errorf("%s: nothing went out with the next window", netting)
		}
		next, _ := g.settle.Lookup(g.out()[0].Window)
		g.refuse("keeper", &settle.Abort{Window: next.ID, Reason: "too late"}, moongate.Conflict, "is pending")
		g.pay()
		g.buy("ink-shop", "carp-pay", 50_00, false)
		g.passes()
		g.pay()
		if left := g.left(); left != "" {
			t.Errorf("%s: not at zero:\n%s", netting, left)
		}
		g.audit()
	}
}

func TestNettings(t *testing.T) {
	for netting, want := range map[string]string{
		"multilateral": "crane-pay → lotus-market 360\ncrane-pay → tea-shop 9440\ncrane-pay → willow-reads 140\n",
		"bilateral":    "crane-pay → tea-shop 9940\nlotus-market → willow-reads 140\ntea-shop → lotus-market 500\n",
		"gross":        "crane-pay → tea-shop 8946\nlotus-market → tea-shop 50\ntea-shop → lotus-market 500\nlotus-market → willow-reads 140\nwillow-reads → lotus-market 14\n",
	} {
		g := newGarden(t, "netting: multilateral", "netting: "+netting, `minimum: {CNY: "1.00"}`, `minimum: {CNY: "0.00"}`)
		id := g.buy("tea-shop", "crane-pay", 100_00, true)
		if netting == "gross" {
			g.giveBack(id, 10_00)
		}
		g.passes()
		if diff := cmp.Diff(want, text(g.out())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", netting, diff)
		}
		g.pay()
		if left := g.left(); left != "" {
			t.Errorf("%s: not at zero:\n%s", netting, left)
		}
		g.audit()
	}
}

// Value that is held counts when it moves.
func TestPendingCounts(t *testing.T) {
	g := newGarden(t)
	p := g.purchase("tea-shop", "crane-pay", 100_00, false)
	p.Pending = true
	first, second := g.do("", &cross{p}).(moongate.ID), g.do("", &cross{p}).(moongate.ID)
	if _, ok := g.settle.Current(g.terms, money.CNY); ok {
		t.Error("a held payment has become due")
	}
	g.tick(g.Now + 3*moongate.Day)
	g.do("", &finish{ID: first})
	g.do("", &finish{ID: second, Void: true})
	w, ok := g.settle.Current(g.terms, money.CNY)
	if p, _ := g.settle.Position(w.ID, "tea-shop"); !ok || p.Payable != 94_40 || w.From != at("2026-03-13T00:00:00+08:00") {
		t.Errorf("window %+v, position %+v", w, p)
	}
	g.passes()
	g.pay()
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

// Money that came in without terms is settled when its exception is resolved.
func TestReleasedExceptionCounts(t *testing.T) {
	g := newGarden(t)
	e := g.do("", &cross{crossing.Passage{Kind: crossing.Exception, From: "lotus-market", To: "crane-pay", Wallet: "crane-pay", Currency: money.CNY, Amount: 100_00}}).(moongate.ID)
	g.passes()
	if out := g.out(); len(out) != 0 {
		t.Errorf("instructed:\n%s", text(out))
	}
	p := g.purchase("tea-shop", "crane-pay", 100_00, false)
	p.Releases = e
	g.do("", &cross{p})
	g.passes()
	if got, want := text(g.out()), "crane-pay → lotus-market 500\ncrane-pay → tea-shop 9440\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	g.pay()
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

// What accrues privately is nobody's claim until a statement posts it.
func TestPrivateAccrualIsNotDue(t *testing.T) {
	g := newGarden(t)
	private := g.agree("private-totals.yaml", nil)
	g.do("", &cross{crossing.Passage{Kind: crossing.Conversion, Agreement: private, From: "pavilion-store", To: "tea-timer", Class: "one_time", Currency: money.EUR, Amount: 100_00}})
	if got := g.net("tea-timer", ledger.Receivable, money.EUR); got != 12_00 {
		t.Errorf("the app owes %d", got)
	}
	g.tick(g.Now + 31*moongate.Day)
	g.tick(g.Now + 16*moongate.Day)
	if out := g.out(); len(out) != 0 {
		t.Errorf("instructed:\n%s", text(out))
	}
	g.audit()
}

func TestCloseEarly(t *testing.T) {
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 100_00, false)
	w, _ := g.settle.Current(g.terms, money.CNY)
	g.refuse("lotus-market", &settle.Close{Window: w.ID}, moongate.Forbidden, "operator")
	a := g.do("keeper", &settle.Close{Window: w.ID}).(settle.Answer)
	if a.Status != settle.Closed || a.Left != 2 {
		t.Errorf("answer %+v", a)
	}
	g.refuse("keeper", &settle.Close{Window: w.ID}, moongate.Conflict, "is closed")
	g.refuse("keeper", &settle.Close{Window: g.terms}, moongate.NotFound, "no window")
	g.buy("tea-shop", "crane-pay", 50_00, false) // goes into the next, which ends with the day
	next, ok := g.settle.Current(g.terms, money.CNY)
	if !ok || next.ID == w.ID || next.Until != w.Until {
		t.Errorf("the next window is %+v", next)
	}
	g.passes()
	g.pay()
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

func TestWhoMayReport(t *testing.T) {
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 100_00, false)
	g.tick(g.Now + moongate.Day)
	w := g.entries()
	closed := w[len(w)-2].Event
	for _, e := range w {
		if v, ok := e.Event.(*settle.WindowClosed); ok {
			closed = v
		}
	}
	planned := closed.(*settle.WindowClosed).Instructions
	to := planned[slices.IndexFunc(planned, func(i settle.Instruction) bool { return i.To == "tea-shop" })].ID
	g.refuse("keeper", &settle.Report{Instruction: to, Progress: settle.Paid}, moongate.Conflict, "not gone out yet")
	g.tick(g.Now + moongate.Day)
	for _, c := range []struct {
		by       string
		progress settle.Progress
		reason   string
		code     moongate.Code
		says     string
	}{
		{"ink-shop", settle.Paid, "", moongate.NotFound, "no instruction"},                  // a stranger
		{"crane-pay", settle.Paid, "", moongate.Forbidden, "may not say"},                   // who should pay
		{"tea-shop", settle.Returned, "it did not come", moongate.Forbidden, "may not say"}, // only that it came
		{"keeper", settle.Returned, "", moongate.Malformed, "reason"},                       // without a reason
		{"keeper", settle.Planned, "", moongate.Malformed, "cannot be reported"},            // not an outcome
		{"keeper", settle.Returned, "a\x00b", moongate.Malformed, "do not print"},           // hostile text
		{"keeper", settle.Progress(77), "", moongate.Malformed, "77 cannot be reported"},    // unknown
	} {
		g.refuse(c.by, &settle.Report{Instruction: to, Progress: c.progress, Reason: c.reason}, c.code, c.says)
	}
	g.do("keeper", &settle.Report{Instruction: to, Progress: settle.Manual})
	if i, _ := g.settle.Instruction(to); i.Progress != settle.Manual {
		t.Errorf("it is %s", i.Progress)
	}
	g.do("tea-shop", &settle.Report{Instruction: to, Progress: settle.Paid})
	g.refuse("keeper", &settle.Report{Instruction: to, Progress: settle.Paid}, moongate.NotFound, "no instruction")
	g.pay()
	g.audit()
}

// A wallet that holds nothing on balance may still owe one participant what another owes it: claims move one by one.
func TestClaimsOfAnEmptyPositionMove(t *testing.T) {
	g := newGarden(t, "netting: multilateral", "netting: bilateral")
	g.buy("tea-shop", "carp-pay", 2, false)
	sale := g.buy("kite-shop", "carp-pay", 7, false)
	g.do("keeper", &party.Suspend{Handle: "tea-shop", Reason: "an inquiry"})
	w, _ := g.settle.Current(g.terms, money.CNY)
	g.do("keeper", &settle.Close{Window: w.ID})
	g.giveBack(sale, 2)
	w, _ = g.settle.Current(g.terms, money.CNY)
	if p, _ := g.settle.Position(w.ID, "carp-pay"); p.Net() != -7 { // 2 carried, 7 carried, less 2
		t.Errorf("carp-pay stands at %+v", p)
	}
	g.buy("ink-shop", "crane-pay", 50_00, false)
	for range 4 {
		g.tick(g.Now + moongate.Day)
	}
	g.pay()
	g.giveBack(sale, 5)
	for range 4 {
		g.tick(g.Now + moongate.Day)
	}
	for _, e := range g.entries() {
		if v, ok := e.Event.(*settle.Postponed); ok {
			t.Errorf("postponed: %s", v.Reason)
		}
	}
	g.do("keeper", &party.Resume{Handle: "tea-shop"})
	g.passes()
	g.pay()
	g.audit()
}
