package settle_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
)

// Whatever happens in whatever order, windows and books agree, clearing accounts end at zero, and once everybody is
// paid nothing is left but what is below the minimum.
func TestAnythingSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		netting := rapid.SampledFrom([]string{"multilateral", "bilateral", "gross"}).Draw(t, "netting")
		g := newGarden(t, "netting: multilateral", "netting: "+netting)
		shops, wallets := []string{"tea-shop", "ink-shop", "kite-shop"}, []string{"crane-pay", "carp-pay"}
		var bought, held []moongate.ID
		try := func(c replica.Command) (any, error) { return g.Do(replica.Request{Caller: "keeper", Command: c}) }
		cross := func(p crossing.Passage) (moongate.ID, bool) {
			a, err := try(&cross{p})
			if err != nil {
				return moongate.ID{}, false
			}
			return a.(moongate.ID), true
		}
		actions := map[string]func(*rapid.T){
			"buy": func(t *rapid.T) {
				p := g.purchase(rapid.SampledFrom(shops).Draw(t, "shop"), rapid.SampledFrom(wallets).Draw(t, "wallet"), rapid.Int64Range(1, 500_00).Draw(t, "amount"), rapid.Bool().Draw(t, "touched"))
				p.Pending = rapid.IntRange(0, 4).Draw(t, "pending") == 0
				if id, ok := cross(p); ok && p.Pending {
					held = append(held, id)
				} else if ok {
					bought = append(bought, id)
				}
			},
			"buy at two": func(t *rapid.T) {
				p := g.purchase("tea-shop", "carp-pay", 30_00, true)
				p.Payees = []crossing.Payee{{Party: "tea-shop", Amount: 20_00, Freight: 3_00}, {Party: "ink-shop", Amount: 10_00}}
				if id, ok := cross(p); ok {
					bought = append(bought, id)
				}
			},
			"refund": func(t *rapid.T) {
				if len(bought) > 0 {
					cross(crossing.Passage{Kind: crossing.Refund, Reverses: rapid.SampledFrom(bought).Draw(t, "of"), Currency: money.CNY, Amount: rapid.Int64Range(1, 200_00).Draw(t, "back")})
				}
			},
			"finish": func(t *rapid.T) {
				if len(held) > 0 {
					_, _ = try(&finish{ID: rapid.SampledFrom(held).Draw(t, "held"), Void: rapid.Bool().Draw(t, "void")})
				}
			},
			"exception": func(t *rapid.T) {
				e, ok := cross(crossing.Passage{Kind: crossing.Exception, From: "lotus-market", To: "crane-pay", Wallet: "crane-pay", Currency: money.CNY, Amount: 40_00})
				if ok && rapid.Bool().Draw(t, "release") {
					p := g.purchase("kite-shop", "crane-pay", 40_00, false)
					p.Releases = e
					cross(p)
				} else if ok {
					cross(crossing.Passage{Kind: crossing.Refund, Reverses: e, Currency: money.CNY, Amount: 40_00})
				}
			},
			"suspend": func(t *rapid.T) {
				shop := rapid.SampledFrom(shops).Draw(t, "shop")
				if _, err := try(&party.Suspend{Handle: shop, Reason: "an inquiry"}); err != nil {
					_, _ = try(&party.Resume{Handle: shop})
				}
			},
			"close account": func(t *rapid.T) {
				a := ledger.Account{Owner: rapid.SampledFrom(shops).Draw(t, "shop"), Currency: money.CNY, Purpose: ledger.Payable}
				_, _ = try(&ledger.SetLimits{Account: a, Limits: ledger.Limits{Closed: rapid.Bool().Draw(t, "closed")}})
			},
			"limit": func(t *rapid.T) {
				least, most := -rapid.Int64Range(0, 300_00).Draw(t, "least"), rapid.Int64Range(0, 900_00).Draw(t, "most")
				a := ledger.Account{Owner: rapid.SampledFrom(append(shops, wallets...)).Draw(t, "owner"), Currency: money.CNY, Purpose: ledger.Payable}
				if slices.Contains(wallets, a.Owner) {
					a.Purpose = ledger.Wallet
				}
				_, _ = try(&ledger.SetLimits{Account: a, Limits: ledger.Limits{Least: &least, Most: &most}})
			},
			"time": func(t *rapid.T) { g.tick(g.Now + moongate.Hour*moongate.Time(rapid.IntRange(1, 40).Draw(t, "hours"))) },
			"report": func(t *rapid.T) {
				for _, i := range g.out() {
					c := &settle.Report{Instruction: i.ID, Progress: rapid.SampledFrom([]settle.Progress{settle.Paid, settle.Returned, settle.Manual}).Draw(t, "progress"), Reason: "as drawn"}
					_, _ = try(c)
				}
			},
			"close": func(*rapid.T) {
				if w, ok := g.settle.Current(g.terms, money.CNY); ok {
					_, _ = try(&settle.Close{Window: w.ID})
				}
			},
			"abort": func(t *rapid.T) {
				for _, e := range g.entries() {
					if v, ok := e.Event.(*settle.WindowClosed); ok && rapid.IntRange(0, 3).Draw(t, "abort") == 0 {
						_, _ = try(&settle.Abort{Window: v.Window, Reason: "as drawn"})
					}
				}
			},
			"": func(t *rapid.T) { // whichever instructions are paid, nobody is ever beyond a limit
				for _, p := range g.settle.Check() {
					t.Fatal(p)
				}
				for _, p := range g.books.Check() {
					t.Fatal(p)
				}
			},
		}
		t.Repeat(actions)
		for _, shop := range shops {
			_, _ = try(&party.Resume{Handle: shop})
			_, _ = try(&ledger.SetLimits{Account: ledger.Account{Owner: shop, Currency: money.CNY, Purpose: ledger.Payable}})
		}
		for _, wallet := range wallets {
			_, _ = try(&ledger.SetLimits{Account: ledger.Account{Owner: wallet, Currency: money.CNY, Purpose: ledger.Wallet}})
		}
		for _, id := range held {
			_, _ = try(&finish{ID: id})
		}
		for range 6 {
			g.passes()
			g.pay()
		}
		for _, e := range g.entries() {
			if v, ok := e.Event.(*settle.Postponed); ok {
				t.Errorf("postponed: %s", v.Reason)
			}
		}
		for _, owner := range append(append(shops, wallets...), "lotus-market", "willow-reads") {
			for _, b := range g.books.Accounts(owner, 0, 100) {
				n := b.Balance.Net(b.Account.Purpose)
				switch b.Account.Purpose {
				case ledger.Instructed, ledger.Fee:
					if n != 0 {
						t.Errorf("%s: %d", b.Account, n)
					}
				case ledger.Payable:
					if n >= 100 || n <= -700 {
						t.Errorf("%s: %d, more than the minimum", b.Account, n)
					}
				case ledger.Receivable:
					if n >= 700 { // less than the minimum to each of the others
						t.Errorf("%s: %d, more than the minimum to everybody", b.Account, n)
					}
				}
			}
		}
		g.audit()
	})
}
