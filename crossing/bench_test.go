package crossing_test

import (
	"fmt"
	"testing"

	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// pay is many payments in one command, so that what a command costs besides is not measured.
type pay struct {
	Rounds int `cbor:"1,keyasint"`
}

func (*pay) CommandKind() string { return "gate.pay" }

// BenchmarkPayment is a payment planned, emitted and folded: terms, five postings, shares where somebody touched.
func BenchmarkPayment(b *testing.B) {
	for _, touched := range []bool{false, true} {
		b.Run(fmt.Sprintf("touched=%v", touched), func(b *testing.B) {
			g := newGarden(b, crossing.Bounds{})
			const sellers = 1000
			names := make([]string, sellers)
			for i := range names {
				names[i] = fmt.Sprintf("seller-%d", i)
				key, err := party.Prove(keyOf(names[i]), names[i])
				if err != nil {
					b.Fatal(err)
				}
				g.do(b, &party.Register{Handle: names[i], Kind: party.Merchant, Name: names[i], Keys: []party.NewKey{key}})
				g.accept(b, g.terms, agreement.Seller, names[i])
			}
			p := g.purchase()
			if !touched {
				p.Touches = nil
			}
			next := 0
			replica.Handle(g.Machine, func(step *replica.Step, c *pay) (struct{}, error) {
				b.StartTimer() // encoding the events afterwards is not what is measured
				defer b.StopTimer()
				for range c.Rounds {
					next++
					p.Payees = []crossing.Payee{{Party: names[next*7919%sellers], Amount: 10_000, Freight: 800}}
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
			for left := b.N; left > 0; left -= 200 {
				g.do(b, &pay{min(left, 200)})
				g.Records = nil
			}
		})
	}
}
