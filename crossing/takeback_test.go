package crossing_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
)

// TestTakeback: what a wallet had paid out comes back to it: it holds it again, and owes it to whom it came from. The payment's
// own amounts do not change, and its refunds neither.
func TestTakeback(t *testing.T) {
	g := newGarden(t, crossing.Bounds{})
	id := g.mustCross(t, g.purchase())
	held, owed := g.net("crane-pay", ledger.Wallet), g.net("lotus-market", ledger.Payable)
	back := crossing.Passage{
		Kind: crossing.Takeback, Of: id, Wallet: "crane-pay", Currency: money.CNY, Amount: 120, Payees: []crossing.Payee{{Party: "lotus-market", Amount: 120}},
	}
	r := g.recorded(t, g.mustCross(t, back))
	if d := cmp.Diff("crane-pay held 120\nlotus-market taken_back 120\n", sides(r)); d != "" {
		t.Error(d)
	}
	if r.Agreement != g.terms || r.Version != 1 || r.From != "lotus-market" || r.Own("lotus-market") != 120 {
		t.Errorf("%+v", r)
	}
	if g.net("crane-pay", ledger.Wallet) != held+120 || g.net("lotus-market", ledger.Payable) != owed+120 {
		t.Errorf("the wallet holds %d after %d, the market is owed %d after %d", g.net("crane-pay", ledger.Wallet), held, g.net("lotus-market", ledger.Payable), owed)
	}
	g.mustCross(t, refund(id, 10_000)) // all of the payment can still go back
	for name, change := range map[string]func(*crossing.Passage){
		"of nothing":        func(p *crossing.Passage) { p.Of = moongate.ID{} },
		"of a stranger":     func(p *crossing.Passage) { p.Of = g.terms },
		"at another wallet": func(p *crossing.Passage) { p.Wallet = "carp-pay" },
		"from nobody":       func(p *crossing.Passage) { p.Payees = nil },
		"from two": func(p *crossing.Passage) {
			p.Payees = []crossing.Payee{{Party: "tea-shop", Amount: 60}, {Party: "ink-shop", Amount: 60}}
		},
		"in dollars": func(p *crossing.Passage) { p.Currency = money.USD },
	} {
		bad := back
		change(&bad)
		if _, err := g.cross(bad); err == nil {
			t.Errorf("%s: recorded", name)
		}
	}
	g.audit(t)
}
