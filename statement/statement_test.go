package statement_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/statement"
)

// private brings the private agreement into force, with changes to its text.
func (g *garden) private(changes ...string) moongate.ID {
	g.t.Helper()
	return g.agree("private-totals.yaml", changes)
}

// sell books a sale made elsewhere by the app under the private agreement.
func (g *garden) sell(private moongate.ID, class string, amount int64) moongate.ID {
	g.t.Helper()
	return g.do("", &cross{crossing.Passage{
		Kind: crossing.Conversion, Agreement: private, From: "pavilion-store", To: "tea-timer", Class: class, Currency: money.EUR, Amount: amount,
	}}).(moongate.ID)
}

// issued writes the statements so far: period, total, crossings, carried.
func (g *garden) issued() string {
	g.t.Helper()
	var b strings.Builder
	for _, e := range g.entries() {
		if v, ok := e.Event.(*statement.Issued); ok {
			fmt.Fprintf(&b, "%s %s→%s %d of %d", v.Since.String()[:10], v.From, v.To, v.Total, v.Crossings)
			if v.Carried != 0 {
				fmt.Fprintf(&b, " carried %d", v.Carried)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func TestTotalIsPostedOncePerPeriod(t *testing.T) {
	g := newGarden(t)
	private := g.private()
	g.sell(private, "one_time", 100_00)    // 12.00
	g.sell(private, "subscription", 50_00) // 3.00
	g.sell(private, "tip", 5_00)           // nothing
	a, ok := g.statements.Accrued(private, "tea-timer", "pavilion-store", money.EUR)
	if !ok || a.Total() != 15_00 || a.Since != at("2026-03-01T00:00:00Z") || a.Until != at("2026-04-01T00:00:00Z") {
		t.Errorf("accrued %+v", a)
	}
	if got := g.net("pavilion-store", ledger.Payable, money.EUR); got != 0 {
		t.Errorf("the store's account shows %d before the period ends", got)
	}
	g.tick(at("2026-04-01T00:00:00Z"))
	g.tick(at("2026-06-01T00:00:00Z")) // months without a sale are issued too
	want := "2026-03-01 tea-timer→pavilion-store 1500 of 2\n2026-04-01 tea-timer→pavilion-store 0 of 0\n2026-05-01 tea-timer→pavilion-store 0 of 0\n"
	if diff := cmp.Diff(want, g.issued()); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
	if got := g.net("pavilion-store", ledger.Payable, money.EUR) + g.net("pavilion-store", ledger.Instructed, money.EUR); got != 15_00 {
		t.Errorf("the store is owed %d", got)
	}
	g.tick(at("2026-07-01T00:00:00Z"))
	out := g.out()
	if len(out) != 1 || out[0].From != "tea-timer" || out[0].To != "pavilion-store" || out[0].Amount != 15_00 || out[0].Wallet {
		t.Fatalf("instructions %+v", out)
	}
	g.pay()
	for _, who := range []string{"tea-timer", "pavilion-store"} {
		for _, b := range g.books.Accounts(who, 0, 100) {
			if n := b.Balance.Net(b.Account.Purpose); n != 0 {
				t.Errorf("%s: %d", b.Account, n)
			}
		}
	}
	g.audit()
}

// More refunds than sales: the period is issued as nothing, and the next one pays for it.
func TestNegativePeriodIsCarried(t *testing.T) {
	g := newGarden(t)
	private := g.private("kinds: [link, conversion]", "kinds: [link, payment, conversion, refund]", "for: [conversion]", "for: [payment, conversion]")
	sale := g.sell(private, "one_time", 100_00)
	g.tick(at("2026-04-02T00:00:00Z"))
	g.do("", &cross{crossing.Passage{Kind: crossing.Refund, Reverses: sale, Currency: money.EUR, Amount: 100_00}})
	g.tick(at("2026-05-02T00:00:00Z"))
	g.sell(private, "one_time", 300_00)
	g.tick(at("2026-06-02T00:00:00Z"))
	want := `2026-03-01 tea-timer→pavilion-store 1200 of 1
2026-04-01 tea-timer→pavilion-store 0 of 1 carried -1200
2026-05-01 tea-timer→pavilion-store 2400 of 1
`
	if diff := cmp.Diff(want, g.issued()); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
	g.audit()
}

// Fees that wallets keep back: the wallets pay the total, and one that gave back more than it had is paid by the other.
func TestWalletsPayWhatTheyKept(t *testing.T) {
	g := newGarden(t, "settlement:", "disclosure: [{of: seller, to: marketplace, level: total_only}]\nsettlement:",
		"share:\n  rule: unique_uniform\n  from: marketplace\n  to: publisher\n  pool_bps: 4000\n  of: commission\n  cap_bps: 7000\n  window: 30d\n", "")
	buy := func(wallet string, amount int64) moongate.ID {
		p := g.purchase("tea-shop", wallet, amount, false)
		p.From, p.To = "tea-shop", wallet
		return g.do("", &cross{p}).(moongate.ID)
	}
	first := buy("crane-pay", 100_00)
	g.tick(at("2026-04-01T00:00:00+08:00"))                                                                        // 5.00
	buy("carp-pay", 300_00)                                                                                        // 15.00
	g.do("", &cross{crossing.Passage{Kind: crossing.Refund, Reverses: first, Currency: money.CNY, Amount: 60_00}}) // −3.00
	g.tick(at("2026-05-01T00:00:00+08:00"))
	for range 8 {
		g.tick(g.Now + moongate.Day)
		g.pay()
	}
	for _, want := range []string{"2026-02-28 tea-shop→lotus-market 500 of 1\n", "2026-03-31 tea-shop→lotus-market 1200 of 2\n", "2026-02-28 kite-shop→lotus-market 0 of 0\n"} {
		if got := g.issued(); !strings.Contains(got, want) {
			t.Errorf("statements\n%swant\n%s", got, want)
		}
	}
	paid := map[string]int64{}
	for _, e := range g.entries() {
		if v, ok := e.Event.(*settle.Instructed); ok && v.To == "lotus-market" {
			paid[v.From] += v.Amount
		}
	}
	if paid["crane-pay"]+paid["carp-pay"] != 17_00 || len(paid) > 2 {
		t.Errorf("the market was paid %v", paid)
	}
	for _, who := range []string{"tea-shop", "lotus-market", "crane-pay", "carp-pay"} {
		for _, b := range g.books.Accounts(who, 0, 100) {
			if n := b.Balance.Net(b.Account.Purpose); n != 0 {
				t.Errorf("%s: %d", b.Account, n)
			}
		}
	}
	g.audit()
}

// A sale that comes in after midnight and before the tick belongs to the month in which it was made.
func TestLateSaleBelongsToItsMonth(t *testing.T) {
	g := newGarden(t)
	private := g.private()
	g.sell(private, "one_time", 100_00)
	g.Now = at("2026-04-01T00:00:01Z")
	g.sell(private, "one_time", 200_00)
	g.tick(at("2026-05-01T00:00:00Z"))
	want := "2026-03-01 tea-timer→pavilion-store 1200 of 1\n2026-04-01 tea-timer→pavilion-store 2400 of 1\n"
	if diff := cmp.Diff(want, g.issued()); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
	g.audit()
}

// Statements end with the agreement, after the last period in which it was in force.
func TestStatementsEnd(t *testing.T) {
	g := newGarden(t)
	private := g.private()
	g.do("tea-timer", &agreement.Terminate{Agreement: private, Party: "tea-timer", Reason: "another store"}) // ends on 9 May
	g.tick(at("2026-12-01T00:00:00Z"))
	want := "2026-03-01 tea-timer→pavilion-store 0 of 0\n2026-04-01 tea-timer→pavilion-store 0 of 0\n2026-05-01 tea-timer→pavilion-store 0 of 0\n"
	if diff := cmp.Diff(want, g.issued()); diff != "" {
		t.Errorf("statements (-want +got):\n%s", diff)
	}
	if _, ok := g.statements.Accrued(private, "tea-timer", "pavilion-store", money.EUR); ok {
		t.Error("totals are still kept")
	}
	g.audit()
}

// A total that cannot be posted waits, and is posted whole.
func TestPostponed(t *testing.T) {
	g := newGarden(t)
	private := g.private()
	g.sell(private, "one_time", 100_00)
	payable := ledger.Account{Owner: "pavilion-store", Currency: money.EUR, Purpose: ledger.Payable}
	g.do("keeper", &ledger.SetLimits{Account: payable, Limits: ledger.Limits{Closed: true}})
	g.tick(at("2026-04-01T00:00:00Z"))
	if got := g.issued(); got != "" {
		t.Errorf("issued to a closed account:\n%s", got)
	}
	g.do("keeper", &ledger.SetLimits{Account: payable})
	g.tick(at("2026-04-01T02:00:00Z"))
	if got, want := g.issued(), "2026-03-01 tea-timer→pavilion-store 1200 of 1\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	g.audit()
}

func TestAnswers(t *testing.T) {
	g := newGarden(t)
	private := g.private()
	g.sell(private, "one_time", 100_00)
	g.tick(at("2026-05-01T00:00:00Z"))
	var ids []moongate.ID
	for _, e := range g.entries() {
		if v, ok := e.Event.(*statement.Issued); ok {
			ids = append(ids, v.ID)
		}
	}
	g.refuse("tea-shop", &statement.Confirm{Statement: ids[0]}, moongate.NotFound, "no statement")
	g.refuse("tea-timer", &statement.Confirm{Statement: ids[1]}, moongate.Forbidden, "the payee confirms it")
	g.refuse("tea-timer", &statement.Dispute{Statement: ids[1]}, moongate.Malformed, "0 characters")
	g.refuse("pavilion-store", &statement.Confirm{Statement: ids[0]}, moongate.NotFound, "no statement") // the 30 days to appeal are over
	if a := g.do("pavilion-store", &statement.Confirm{Statement: ids[1]}).(statement.Answer); a.Status != statement.Confirmed {
		t.Errorf("it is %s", a.Status)
	}
	g.refuse("pavilion-store", &statement.Confirm{Statement: ids[1]}, moongate.Conflict, "is confirmed")
	g.refuse("tea-timer", &statement.Dispute{Statement: ids[1], Reason: "too late"}, moongate.Conflict, "is confirmed")
	g.tick(at("2026-06-01T00:00:00Z"))
	var last moongate.ID
	for _, e := range g.entries() {
		if v, ok := e.Event.(*statement.Issued); ok {
			last = v.ID
		}
	}
	if a := g.do("tea-timer", &statement.Dispute{Statement: last, Reason: "a sale is missing"}).(statement.Answer); a.Status != statement.Disputed {
		t.Errorf("it is %s", a.Status)
	}
	g.audit()
}
