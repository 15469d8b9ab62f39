package proof

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkLeaf is what one event with two groups costs on the way into the journal.
func BenchmarkLeaf(b *testing.B) {
	seed := [32]byte{1}
	fields := bytes.Repeat([]byte("x"), 100)
	event := Event{Kind: "crossing.paid", Groups: []Group{{"payer", fields}, {"payee", fields}}}
	salts := &seed
	var t *Interval
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%100_000 == 0 {
			t = NewInterval(&seed)
		}
		event.Position = uint64(i)
		t.Append(event.Leaf(salts, uint64(i)))
	}
}

// BenchmarkIntervalRoot is what ending an interval costs, by the number of its events.
func BenchmarkIntervalRoot(b *testing.B) {
	for _, n := range []int{0, 1, 100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			t := interval(1, n)
			for b.Loop() {
				t.forget()
				t.Root()
			}
		})
	}
}
