package ledger_test

import (
	"fmt"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/replica"
)

// pay is a payment of four legs over many sellers, planned and emitted without an answer: what a crossing adds to it
// is measured elsewhere.
type pay struct {
	Rounds int `cbor:"1,keyasint"`
}

func (*pay) CommandKind() string { return "desk.pay" }

func BenchmarkFourLegs(b *testing.B) {
	for _, sellers := range []int{1, 100_000} {
		b.Run(fmt.Sprintf("sellers=%d", sellers), func(b *testing.B) {
			m, books := newMachine(ledger.Bounds{})
			names := make([]ledger.Account, sellers)
			for i := range names {
				names[i] = payable(fmt.Sprintf("seller-%d", i))
			}
			next := 0
			replica.Handle(m, func(step *replica.Step, c *pay) (struct{}, error) {
				b.StartTimer() // encoding the events afterwards is not what is measured
				defer b.StopTimer()
				for range c.Rounds {
					seller := names[next%sellers]
					next += 7919
					p, err := books.Plan(step, ledger.Transfer{Crossing: moongate.ID{2}, Legs: []ledger.Leg{
						{Debit: wallet("yuebao"), Credit: seller, Amount: 9_240},
						{Debit: wallet("yuebao"), Credit: payable("market"), Amount: 500},
						{Debit: wallet("yuebao"), Credit: payable("blog"), Amount: 200},
						{Debit: wallet("yuebao"), Credit: fee("yuebao"), Amount: 60},
					}})
					if err != nil {
						return struct{}{}, err
					}
					p.Emit(step)
				}
				return struct{}{}, nil
			})
			l := replica.NewLocal(m, start)
			b.ReportAllocs()
			b.StopTimer()
			for left := b.N; left > 0; left -= 200 {
				if _, err := l.Do(replica.Request{Command: &pay{min(left, 200)}}); err != nil {
					b.Fatal(err)
				}
				l.Records = nil
			}
		})
	}
}
