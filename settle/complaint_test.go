package settle_test

import (
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
)

// Each test here is named after what users of another settlement hub found to go wrong, and cites where they wrote it
// down; docs/design/payments.md has the whole list.

// mojaloop/project#4115 and #510: after a window is settled a position has moved by the settled amount twice, or one
// side's has moved and the other's has not. Here each instruction is confirmed one after the other, each twice, by
// whoever may; after each step exactly what is not confirmed yet is still there.
func TestPositionPostedTwiceAfterSettlement(t *testing.T) {
	g := newGarden(t)
	g.buy("tea-shop", "crane-pay", 99_00, false)
	g.buy("ink-shop", "carp-pay", 20_00, false)
	g.passes()
	out := g.out()
	left := int64(0)
	for _, i := range out {
		left += i.Amount
	}
	instructed := func() (sum int64) {
		for _, owner := range []string{"tea-shop", "ink-shop", "lotus-market"} {
			sum += g.net(owner, ledger.Instructed, money.CNY)
		}
		return sum
	}
	if got := instructed(); got != left || left == 0 {
		t.Fatalf("%d is on its way, and instructions say %d", got, left)
	}
	for _, i := range out {
		for _, by := range []string{i.To, "keeper", "keeper"} {
			_, _ = g.Do(replica.Request{Caller: by, Command: &settle.Report{Instruction: i.ID, Progress: settle.Paid, Ref: "w-1"}}) // the second is refused or changes nothing
		}
		if left -= i.Amount; instructed() != left {
			t.Errorf("after %s got %d twice over, %d is on its way instead of %d", i.To, i.Amount, instructed(), left)
		}
	}
	if left := g.left(); left != "" {
		t.Errorf("not at zero:\n%s", left)
	}
	g.audit()
}

// mojaloop/project#4375: windows are closed by hand while transfers run, and one dollar is left in nobody's window. Here
// purchases stand half done at every close; what they come to is settled in one window, once.
func TestADollarLeftWhenWindowsCloseUnderLoad(t *testing.T) {
	g := newGarden(t)
	var held []moongate.ID
	sold := int64(0)
	for n := range 40 {
		p := g.purchase("tea-shop", []string{"crane-pay", "carp-pay"}[n%2], 50_00+int64(n), false)
		p.Pending = n%4 != 0
		id := g.do("", &cross{p}).(moongate.ID)
		sold += p.Amount
		if p.Pending {
			held = append(held, id)
		}
		if n%3 == 2 { // closes under way
			if w, ok := g.settle.Current(g.terms, money.CNY); ok {
				g.do("keeper", &settle.Close{Window: w.ID})
			}
		}
		if len(held) > 4 {
			g.do("", &finish{ID: held[0]})
			held = held[1:]
		}
	}
	for _, id := range held {
		g.do("", &finish{ID: id})
	}
	paid := int64(0)
	for range 4 {
		g.passes()
		for _, i := range g.out() {
			if i.Wallet {
				paid += i.Amount
			}
		}
		g.pay()
	}
	if left := g.left(); left != "" {
		t.Errorf("of %d sold and %d paid out something is left:\n%s", sold, paid, left)
	}
	g.audit()
}

// mojaloop/project#3482: money that is to come from one window is spent in the next, and settling only one of them leaves
// a participant beyond its cap. Here what a closed window will bring is no cover, so that any of them may be settled
// alone, in any order.
func TestSettlingOneOfSeveralWindowsBreachesTheCap(t *testing.T) {
	for name, order := range map[string][]int{"the first alone": {0, 1}, "the second alone": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			g := newGarden(t)
			old := g.buy("tea-shop", "crane-pay", 500_00, false)
			g.passes()
			g.pay()
			position := ledger.Account{Owner: "tea-shop", Currency: money.CNY, Purpose: ledger.Payable}
			floor := int64(-90_00)
			g.do("keeper", &ledger.SetLimits{Account: position, Limits: ledger.Limits{Least: &floor}})
			within := func(when string) {
				t.Helper()
				if got := g.books.Balance(position).Net(ledger.Payable); got < floor {
					t.Errorf("%s the position is %d, beyond %d", when, got, floor)
				}
			}
			var windows []settle.Window
			closing := func() {
				t.Helper()
				w, ok := g.settle.Current(g.terms, money.CNY)
				if !ok {
					t.Fatal("no window is open")
				}
				g.do("keeper", &settle.Close{Window: w.ID})
				windows = append(windows, w)
				within("after a close")
			}
			g.buy("tea-shop", "crane-pay", 10_00, false) // the first window owes the shop 9.44
			closing()
			back := int64(0) // the second: what the shop may give back is its cap, and not 9.44 more
			for range 200 {
				if _, err := g.Do(replica.Request{Command: &cross{crossing.Passage{Kind: crossing.Refund, Reverses: old, Currency: money.CNY, Amount: 1_00}}}); moongate.CodeOf(err) == moongate.Limit {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				back += 94
				within("after a refund")
			}
			if back > -floor || back < -floor-94 {
				t.Errorf("%d could be given back, with a cap of %d", back, -floor)
			}
			closing()
			for _, n := range order {
				for _, i := range g.out() {
					if i.Window == windows[n].ID {
						g.do("keeper", &settle.Report{Instruction: i.ID, Progress: settle.Paid, Ref: "w-1"})
						within("after an instruction")
					}
				}
				g.tick(g.Now + moongate.Day)
				within("after a day")
			}
			g.passes()
			g.pay()
			within("in the end")
			g.audit()
		})
	}
}
