package settle_test

import (
	"testing"

	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
)

// pay is many payments in one command, so that what a command costs besides is not measured.
type pay struct {
	Rounds int `cbor:"1,keyasint"`
}

func (*pay) CommandKind() string { return "gate.pay" }

// shops has many more shops join the agreement.
func (g *garden) shops(n int) []string {
	g.t.Helper()
	names := make([]string, n)
	for i := range names {
		names[i] = "s" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
		key, err := party.Prove(keyOf(names[i]), names[i])
		if err != nil {
			g.t.Fatal(err)
		}
		g.do("", &party.Register{Handle: names[i], Kind: party.Merchant, Name: names[i], Keys: []party.NewKey{key}})
		g.join(names[i])
	}
	return names
}

// BenchmarkPayment is a payment planned, emitted and folded, windows included. What package crossing measures without
// them is the base to compare with.
func BenchmarkPayment(b *testing.B) {
	g := newGarden(b)
	names := g.shops(1000)
	next := 0
	replica.Handle(g.Machine, func(step *replica.Step, c *pay) (struct{}, error) {
		b.StartTimer() // encoding the events afterwards is not what is measured
		defer b.StopTimer()
		p := g.purchase("", "crane-pay", 10_000, false)
		for range c.Rounds {
			next++
			p.Payees = []crossing.Payee{{Party: names[next*7919%len(names)], Amount: 10_000, Freight: 800}}
			plan, err := g.crossings.Plan(step, p)
			if err != nil {
				return struct{}{}, err
			}
			plan.Emit(step)
		}
		return struct{}{}, nil
	})
	b.ReportAllocs()
	b.ResetTimer()
	b.StopTimer()
	for left := b.N; left > 0; left -= 10_000 {
		g.do("", &pay{min(left, 10_000)})
		g.Records = nil
	}
}

// BenchmarkClose closes a window of two thousand shops.
func BenchmarkClose(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		g := newGarden(b)
		for _, name := range g.shops(2000) {
			g.buy(name, "crane-pay", 100_00, false)
		}
		w, _ := g.settle.Current(g.terms, money.CNY)
		b.StartTimer()
		g.do("keeper", &settle.Close{Window: w.ID})
	}
}
