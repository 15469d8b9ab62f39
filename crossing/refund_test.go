package crossing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

func refund(id moongate.ID, amount int64, payees ...crossing.Payee) crossing.Passage {
	return crossing.Passage{Kind: crossing.Refund, Reverses: id, Currency: money.CNY, Amount: amount, Payees: payees}
}

func TestRefundInParts(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	id := g.mustCross(t, g.purchase())
	r := g.recorded(t, g.mustCross(t, refund(id, 3_333)))
	// Of 33.33, 2.67 are freight. 66.67 are left, 61.34 of them goods: commission 3.07, wallet 0.40, pool 1.23.
	want := `crane-pay held -3333
crane-pay fee -20 wallet_fee
tea-shop goods -3066
tea-shop freight -267
tea-shop fee 153 commission
tea-shop fee 20 wallet_fee
lotus-market fee -153 commission
lotus-market share 30
lotus-market share 31
willow-reads share -30
plum-notes share -31
`
	if d := cmp.Diff(want, sides(r)); d != "" {
		t.Error(d)
	}
	if r.From != "crane-pay" || r.To != "lotus-market" || r.Agreement != g.terms || r.Version != 1 {
		t.Errorf("the refund goes from %s to %s under %s version %d", r.From, r.To, r.Agreement, r.Version)
	}
	g.mustCross(t, refund(id, 1))
	if _, err := g.cross(refund(id, 6_667)); moongate.CodeOf(err) != moongate.Limit || !strings.Contains(err.Error(), "of which 6666 of 10000 is left") {
		t.Errorf("more than is left: %v", err)
	}
	g.mustCross(t, refund(id, 6_666))
	for _, owner := range []string{"tea-shop", "lotus-market", "willow-reads", "plum-notes", "crane-pay"} {
		for _, b := range g.books.Accounts(owner, 0, 10) {
			if n := b.Balance.Net(b.Account.Purpose); n != 0 {
				t.Errorf("after everything went back, %s is at %d", b.Account, n)
			}
		}
	}
	g.audit(t)
}

func TestRefundFromSomePayees(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	p := g.purchase()
	p.Touches = nil
	p.Payees = []crossing.Payee{
		{Party: "tea-shop", Amount: 6_000, Freight: 500, Tax: 600},
		{Party: "ink-shop", Amount: 3_000},
		{Party: "ink-shop", Class: "books", Amount: 1_000},
	}
	id := g.mustCross(t, p)
	for _, c := range []struct {
		name   string
		amount int64
		payees []crossing.Payee
		want   string // of the payees' own lines, or of the error
	}{
		{"goods of one", 1_000, []crossing.Payee{{Party: "tea-shop", Amount: 1_000}}, "tea-shop goods -1000"},
		{"freight of one", 100, []crossing.Payee{{Party: "tea-shop", Amount: 100, Freight: 100}}, "tea-shop freight -100"},
		{"by class", 1_000, []crossing.Payee{{Party: "ink-shop", Class: "books", Amount: 1_000}}, "ink-shop goods -1000"},
		{"more freight than there is", 500, []crossing.Payee{{Party: "tea-shop", Amount: 500, Freight: 500}}, "of tea-shop 4900 is left, of it freight 400 and tax"},
		{"more than there is", 3_001, []crossing.Payee{{Party: "ink-shop", Amount: 3_001}}, "ink-shop does not have 3001 left"},
		{"the class is spent", 1, []crossing.Payee{{Party: "ink-shop", Class: "books", Amount: 1}}, "ink-shop does not have 1 left"},
		{"a stranger", 1, []crossing.Payee{{Party: "stranger", Amount: 1}}, "stranger does not have 1 left"},
		{"too little freight left out", 4_900, []crossing.Payee{{Party: "tea-shop", Amount: 4_900}}, "tea-shop goods -4500 tea-shop freight -400"},
		{"the rest", 3_000, nil, "ink-shop goods -3000"},
	} {
		id, err := g.cross(refund(id, c.amount, c.payees...))
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v; want %q", c.name, err, c.want)
			}
			continue
		}
		var got []string
		for _, line := range strings.Split(sides(g.recorded(t, id)), "\n") {
			if strings.Contains(line, "goods") || strings.Contains(line, "freight") {
				got = append(got, line)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s; want %s", c.name, s, c.want)
		}
	}
	if o, _ := g.crossings.Lookup(id); o.Left() != 0 {
		t.Errorf("%d is left", o.Left())
	}
	g.audit(t)
}

func TestRefundRefused(t *testing.T) {
	g := newGarden(t, crossing.Bounds{Refundable: 10 * moongate.Day})
	id := g.mustCross(t, g.purchase())
	back := g.mustCross(t, refund(id, 1))
	usd := refund(id, 1)
	usd.Currency = money.USD
	other := refund(id, 1)
	other.Wallet = "carp-pay"
	terms := refund(id, 1)
	terms.Agreement = moongate.ID{1, 2, 3}
	for _, c := range []struct {
		name string
		p    crossing.Passage
		code moongate.Code
		want string
	}{
		{"unknown", refund(moongate.ID{2, 7}, 1), moongate.Conflict, "cannot be taken back"},
		{"of a refund", refund(back, 1), moongate.Conflict, "cannot be taken back"},
		{"another currency", usd, moongate.Malformed, "USD of a crossing in CNY"},
		{"another wallet", other, moongate.Malformed, "under another agreement or with another wallet"},
		{"another agreement", terms, moongate.Malformed, "under another agreement or with another wallet"},
	} {
		if _, err := g.cross(c.p); moongate.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
	if _, err := g.Do(replica.Request{Command: &cross{Passages: []crossing.Passage{refund(id, 1), refund(id, 1)}}}); moongate.CodeOf(err) != moongate.Conflict {
		t.Errorf("twice in one command: %v", err)
	}
	g.Now = start + 10*moongate.Day + 1
	if _, err := g.cross(refund(id, 1)); moongate.CodeOf(err) != moongate.Conflict || !strings.Contains(err.Error(), "could be refunded until") {
		t.Errorf("too late: %v", err)
	}
	g.audit(t)
}

// Terms without refunds in their scope have none.
func TestRefundOutOfScope(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	text := strings.NewReplacer("kinds: [link, payment, refund, conversion]", "kinds: [link, payment, conversion]", "id: three-gardens", "id: no-returns").Replace(string(agreement.Examples()["three-gardens.yaml"]))
	g.terms = g.agree(t, text, "lotus-market", "willow-reads", "plum-notes", "crane-pay", "carp-pay")
	g.accept(t, g.terms, agreement.Seller, "tea-shop")
	id := g.mustCross(t, g.purchase())
	if _, err := g.cross(refund(id, 1)); moongate.CodeOf(err) != moongate.Refused || !strings.Contains(err.Error(), "no-returns version 1 has no refunds") {
		t.Errorf("%v", err)
	}
	g.audit(t)
}

// A refund that is under way holds what it takes: of the crossing, and of the payee's money.
func TestPendingRefund(t *testing.T) {
	g := newGarden(t, crossing.Bounds{Refundable: 10 * moongate.Day})
	id := g.mustCross(t, g.purchase())
	pending := refund(id, 8_000)
	pending.Pending = true
	first := g.mustCross(t, pending)
	if _, err := g.cross(refund(id, 2_001)); moongate.CodeOf(err) != moongate.Limit {
		t.Errorf("two refunds exceed the crossing: %v", err)
	}
	g.do(t, &finish{ID: first, Void: true})
	second := g.mustCross(t, pending)
	// The refund window passes while the wallet has not answered: the crossing stays, and goes when it has.
	if err := g.Tick(start + 11*moongate.Day); err != nil {
		t.Fatal(err)
	}
	if o, ok := g.crossings.Lookup(id); !ok || o.Left() != 2_000 {
		t.Fatalf("the crossing is kept: %v, left %d", ok, o.Left())
	}
	g.do(t, &finish{ID: second})
	if got := g.net("crane-pay", ledger.Wallet); got != 2_000 {
		t.Errorf("the wallet holds %d", got)
	}
	if err := g.Tick(start + 13*moongate.Day); err != nil {
		t.Fatal(err)
	}
	if _, ok := g.crossings.Lookup(id); ok {
		t.Error("the crossing is kept beyond its refund window")
	}
	g.audit(t)
}

// Whatever refunds are made, fail or expire, and in whatever order: what is given back of each fee and share is never
// more than it was, the books say what the sides say, and when all went back nothing is left anywhere.
func TestRefundsAddUp(t *testing.T) {
	documents := []string{
		string(agreement.Examples()["three-gardens.yaml"]),
		strings.NewReplacer("bps: 60\n    min: {CNY: \"0.01\"}", "bps: 60\n    fixed: {CNY: \"0.30\"}\n    min: {CNY: \"1.00\"}\n    max: {CNY: \"20.00\"}",
			"cap_bps: 7000", "cap_bps: 3000\n  floor_bps: 500", "id: three-gardens", "id: other-gardens").Replace(string(agreement.Examples()["three-gardens.yaml"])),
	}
	rapid.Check(t, func(t *rapid.T) {
		g := newGarden(t, crossing.Bounds{})
		if text := rapid.SampledFrom(documents).Draw(t, "document"); text != documents[0] {
			g.terms = g.agree(t, text, "lotus-market", "willow-reads", "plum-notes", "crane-pay", "carp-pay")
			g.accept(t, g.terms, agreement.Seller, "tea-shop")
			g.accept(t, g.terms, agreement.Seller, "ink-shop")
		}
		p := g.purchase()
		p.Payees, p.Amount = nil, 0
		for range rapid.IntRange(1, 3).Draw(t, "payees") {
			y := crossing.Payee{Party: rapid.SampledFrom([]string{"tea-shop", "ink-shop", "lotus-market"}).Draw(t, "payee"), Amount: rapid.Int64Range(1, 30_000).Draw(t, "amount")}
			y.Freight = rapid.Int64Range(0, y.Amount).Draw(t, "freight")
			y.Tax = rapid.Int64Range(0, y.Amount-y.Freight).Draw(t, "tax")
			p.Payees = append(p.Payees, y)
			p.Amount += y.Amount
		}
		p.Touches = p.Touches[:rapid.IntRange(0, len(p.Touches)).Draw(t, "touches")]
		id, err := g.cross(p)
		if err != nil {
			t.Fatal(err)
		}
		var pending []moongate.ID
		for range rapid.IntRange(0, 8).Draw(t, "steps") {
			o, _ := g.crossings.Lookup(id)
			switch {
			case len(pending) > 0 && rapid.Bool().Draw(t, "end one"):
				i := rapid.IntRange(0, len(pending)-1).Draw(t, "which")
				g.do(t, &finish{ID: pending[i], Void: rapid.Bool().Draw(t, "void")})
				pending = append(pending[:i], pending[i+1:]...)
			case o.Left() > 0:
				r := refund(id, rapid.Int64Range(1, o.Left()).Draw(t, "refund"))
				r.Pending = rapid.Bool().Draw(t, "pending")
				ref := g.mustCross(t, r)
				if r.Pending {
					pending = append(pending, ref)
				}
			}
			g.bounded(t, id)
		}
		for _, ref := range pending {
			g.do(t, &finish{ID: ref, Void: rapid.Bool().Draw(t, "void")})
		}
		g.bounded(t, id)
		if o, _ := g.crossings.Lookup(id); o.Left() > 0 {
			g.mustCross(t, refund(id, o.Left()))
		}
		for _, owner := range []string{"tea-shop", "ink-shop", "lotus-market", "willow-reads", "plum-notes", "crane-pay"} {
			for _, b := range g.books.Accounts(owner, 0, 10) {
				if n := b.Balance.Net(b.Account.Purpose); n != 0 || b.Balance.Low(b.Account.Purpose) != 0 {
					t.Fatalf("after everything went back, %s is at %+v", b.Account, b.Balance)
				}
			}
		}
		g.audit(t)
	})
}

// bounded compares the journal's sides with the books, and what was given back with what it came from.
func (g *garden) bounded(t *rapid.T, id moongate.ID) {
	resolved := map[moongate.ID]ledger.Outcome{}
	var recorded []*crossing.Recorded
	for _, e := range g.entries(t) {
		switch v := e.Event.(type) {
		case *crossing.Recorded:
			recorded = append(recorded, v)
		case *ledger.Resolved:
			resolved[v.Crossing] = v.Outcome
		}
	}
	posted := map[string]int64{}   // by party, what has moved
	expected := map[string]int64{} // by party and line, what stands, refunds under way included
	var original *crossing.Recorded
	for _, r := range recorded {
		if r.ID == id {
			original = r
		}
		outcome, ended := resolved[r.ID]
		total := int64(0)
		for _, s := range r.Sides {
			for _, l := range s.Lines {
				if l.What != crossing.Held {
					total += l.Amount
					if !r.Pending || outcome == ledger.Posted {
						posted[s.Party] += l.Amount
					}
				}
				if !ended || outcome == ledger.Posted {
					expected[fmt.Sprint(s.Party, l.What, l.Fee, l.Other)] += l.Amount
				}
			}
		}
		if want := map[bool]int64{true: r.Amount, false: -r.Amount}[r.Kind != crossing.Refund]; total != want {
			t.Fatalf("the sides of a %s of %d add up to %d:\n%s", r.Kind, r.Amount, total, sides(r))
		}
	}
	for party, want := range posted {
		purpose := ledger.Payable
		if party == "crane-pay" {
			purpose = ledger.Fee
		}
		if got := g.net(party, purpose); got != want {
			t.Fatalf("%s is at %d in the books and %d by its sides", party, got, want)
		}
	}
	first := map[string]int64{}
	for _, s := range original.Sides {
		for _, l := range s.Lines {
			first[fmt.Sprint(s.Party, l.What, l.Fee, l.Other)] += l.Amount
		}
	}
	for key, stands := range expected {
		if was := first[key]; was >= 0 && (stands < 0 || stands > was) || was < 0 && (stands > 0 || stands < was) {
			t.Fatalf("%s was %d and stands at %d", key, was, stands)
		}
	}
}
