package crossing_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

// suspended is a garden in which 100.00 came in for a shop that had not accepted the terms.
func suspended(t *testing.T, bounds crossing.Bounds) (*garden, moongate.ID, crossing.Passage) {
	t.Helper()
	g := newGarden(t, bounds)
	p := g.purchase()
	p.Touches, p.Payees = nil, []crossing.Payee{{Party: "stranger", Amount: 10_000}}
	a, err := g.Do(replica.Request{Command: &cross{Passages: []crossing.Passage{p}, Suspend: true}})
	if err != nil {
		t.Fatal(err)
	}
	return g, a.([]moongate.ID)[0], p
}

func TestMoneyWithoutTermsWaitsInSuspense(t *testing.T) {
	g, id, p := suspended(t, crossing.Bounds{})
	r := g.recorded(t, id)
	if d := cmp.Diff("crane-pay held 10000\nlotus-market suspense 10000\n", sides(r)); d != "" {
		t.Error(d)
	}
	if r.Kind != crossing.Exception || !r.Agreement.IsZero() || r.Own("lotus-market") != 0 {
		t.Errorf("recorded %+v", r.Shared)
	}
	var reasons []string
	for _, e := range g.entries(t) {
		if v, ok := e.Event.(*crossing.Refused); ok {
			reasons = append(reasons, v.Reason.Message)
		}
	}
	if len(reasons) != 1 || !strings.Contains(reasons[0], "stranger does not stand") {
		t.Errorf("evidence of the refusal: %q", reasons)
	}
	if got := g.net("lotus-market", ledger.Suspense); got != 10_000 {
		t.Errorf("in suspense: %d", got)
	}

	// The shop accepts the terms, and the money is released: by a payment whose money does not come from the wallet.
	g.accept(t, g.terms, "seller", "stranger")
	p.Releases, p.Amount, p.Payees[0].Amount = id, 7_000, 7_000
	released := g.mustCross(t, p)
	want := `lotus-market suspense -7000
lotus-market fee 350 commission
stranger goods 7000
stranger fee -350 commission
stranger fee -42 wallet_fee
crane-pay fee 42 wallet_fee
`
	if d := cmp.Diff(want, sides(g.recorded(t, released))); d != "" {
		t.Error(d)
	}
	// The rest is given back.
	if _, err := g.cross(refund(id, 3_001)); moongate.CodeOf(err) != moongate.Limit {
		t.Errorf("more than is left in suspense: %v", err)
	}
	back := g.mustCross(t, refund(id, 3_000))
	if d := cmp.Diff("crane-pay held -3000\nlotus-market suspense -3000\n", sides(g.recorded(t, back))); d != "" {
		t.Error(d)
	}
	if w, s := g.net("crane-pay", ledger.Wallet), g.net("lotus-market", ledger.Suspense); w != 7_000 || s != 0 {
		t.Errorf("the wallet holds %d, and %d is in suspense", w, s)
	}
	// The released payment is one like others: it can be refunded from the wallet.
	g.mustCross(t, refund(released, 7_000))
	if w := g.net("crane-pay", ledger.Wallet); w != 0 {
		t.Errorf("the wallet holds %d", w)
	}
	g.audit(t)
}

func TestReleaseRefused(t *testing.T) {
	g, id, p := suspended(t, crossing.Bounds{})
	g.accept(t, g.terms, "seller", "stranger")
	paid := g.mustCross(t, g.purchase())
	for _, c := range []struct {
		name   string
		change func(*crossing.Passage)
		code   moongate.Code
		want   string
	}{
		{"unknown", func(p *crossing.Passage) { p.Releases = moongate.ID{2, 5} }, moongate.Conflict, "cannot be taken back"},
		{"a payment", func(p *crossing.Passage) { p.Releases = paid }, moongate.Refused, "is a payment of CNY at crane-pay, not an exception"},
		{"another wallet", func(p *crossing.Passage) { p.Wallet = "carp-pay" }, moongate.Refused, "not an exception of CNY at carp-pay"},
		{"too much", func(p *crossing.Passage) { p.Amount, p.Payees[0].Amount = 10_001, 10_001 }, moongate.Limit, "of which 10000 of 10000 is left"},
	} {
		try := p
		try.Releases, try.Payees = id, []crossing.Payee{{Party: "stranger", Amount: 10_000}}
		c.change(&try)
		if _, err := g.cross(try); moongate.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
	// What a pending release takes is taken, until it is given up.
	p.Releases, p.Pending = id, true
	pending := g.mustCross(t, p)
	if _, err := g.cross(refund(id, 1)); moongate.CodeOf(err) != moongate.Limit {
		t.Errorf("refund of money that is being released: %v", err)
	}
	g.do(t, &finish{ID: pending, Void: true})
	g.mustCross(t, refund(id, 10_000))
	g.audit(t)
}

// Money in suspense is never forgotten, however old.
func TestSuspenseIsKept(t *testing.T) {
	g, id, _ := suspended(t, crossing.Bounds{Refundable: moongate.Day})
	if err := g.Tick(start + 1000*moongate.Day); err != nil {
		t.Fatal(err)
	}
	// A node that was restarted meanwhile keeps it as long as one that was not.
	fresh := newRooms(g.bounds)
	again, err := g.Resume(fresh.machine)
	if err != nil {
		t.Fatal(err)
	}
	restarted := &garden{Local: again, rooms: fresh, bounds: g.bounds, terms: g.terms}
	for _, one := range []*garden{g, restarted} {
		one.mustCross(t, refund(id, 10_000))
		if err := one.Tick(start + 1000*moongate.Day + moongate.Hour); err != nil {
			t.Fatal(err)
		}
		if _, ok := one.crossings.Lookup(id); !ok {
			t.Error("forgotten within the day")
		}
	}
	if err := g.Tick(start + 1002*moongate.Day); err != nil {
		t.Fatal(err)
	}
	if _, ok := g.crossings.Lookup(id); ok {
		t.Error("an exception that was resolved is kept")
	}
	g.audit(t)
}

func TestExceptionNeedsKnownParticipants(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	p := crossing.Passage{Kind: crossing.Exception, From: "lotus-market", To: "crane-pay", Wallet: "nobody", Currency: money.CNY, Amount: 5}
	if _, err := g.cross(p); moongate.CodeOf(err) != moongate.NotFound {
		t.Errorf("%v", err)
	}
	p.Wallet, p.To = "crane-pay", "lotus-market"
	if _, err := g.cross(p); moongate.CodeOf(err) != moongate.Malformed {
		t.Errorf("%v", err)
	}
	g.audit(t)
}

// Under an agreement that gives the store totals only, it can open nothing of a sale, and nothing of its own moves.
func TestPrivateAgreement(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	quiet := g.agree(t, privateTerms(), "pavilion-store", "tea-timer")
	p := crossing.Passage{
		Kind: crossing.Conversion, Agreement: quiet, From: "pavilion-store", To: "tea-timer", Class: "one_time",
		Currency: money.EUR, Amount: 1_000, Payees: []crossing.Payee{{Party: "tea-timer", Amount: 1_000, Tax: 160}},
	}
	before := len(g.entries(t))
	id := g.mustCross(t, p)
	r := g.recorded(t, id)
	if d := cmp.Diff("tea-timer goods 1000\ntea-timer fee -101 commission accrues\n", sides(r)); d != "" {
		t.Error(d)
	}
	g.mustCross(t, crossing.Passage{Kind: crossing.Refund, Reverses: id, Currency: money.EUR, Amount: 500})
	p.Class = "unknown"
	if _, err := g.cross(p); moongate.CodeOf(err) != moongate.Refused {
		t.Fatalf("a class out of scope: %v", err)
	}
	accrual := ledger.Account{Owner: "tea-timer", Currency: money.EUR, Purpose: ledger.Accrual, Of: quiet}
	if got := g.books.Balance(accrual).Net(ledger.Accrual); got != 50 { // 12 % of 4.20 net, of 8.40 before
		t.Errorf("accrued: %d", got)
	}
	owes := ledger.Account{Owner: "tea-timer", Currency: money.EUR, Purpose: ledger.Receivable}
	if got := g.books.Balance(owes).Net(ledger.Receivable); got != 50 {
		t.Errorf("owed: %d", got)
	}
	if books := g.books.Accounts("pavilion-store", 0, 10); len(books) != 0 {
		t.Errorf("the store has accounts: %v", books)
	}
	for _, e := range g.entries(t)[before:] {
		st, err := g.Machine.Registry().Encode(e.Event, new(bytes.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range st.Groups {
			if journal.Opens(e.Event, group.Audience, "pavilion-store") {
				t.Errorf("the store opens %q of %s", group.Audience, st.Kind)
			}
			if group.Audience == "parties" && e.Event.EventKind() == "crossing.recorded" && !journal.Opens(e.Event, group.Audience, "tea-timer") {
				t.Errorf("the app cannot open %q of %s", group.Audience, st.Kind)
			}
		}
	}
	g.audit(t)
}

// A link is no secret from who sends the reader.
func TestPrivateLinkIsSeenByBoth(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	quiet := g.agree(t, privateTerms(), "pavilion-store", "tea-timer")
	r := g.recorded(t, g.mustCross(t, crossing.Passage{Kind: crossing.Link, Agreement: quiet, From: "pavilion-store", To: "tea-timer"}))
	if !journal.Opens(r, "parties", "pavilion-store") || !journal.Opens(r, "parties", "tea-timer") {
		t.Error("a link is hidden")
	}
	g.audit(t)
}

// privateTerms is the example whose store learns totals only.
func privateTerms() string { return string(agreement.Examples()["private-totals.yaml"]) }
