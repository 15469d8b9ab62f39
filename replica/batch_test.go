package replica

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
)

// Who was admitted first is taken first, and nobody is left behind however the taking and the coming meet.
func TestWaiting(t *testing.T) {
	t.Parallel()
	const from, each = 8, 5_000
	w := newWaiting()
	var all sync.WaitGroup
	for source := range int64(from) {
		all.Go(func() {
			for i := range int64(each) {
				w.put(&ticket{size: 1 + (i+source)%7, env: envelope{At: moongate.Time(source<<32 | i)}})
			}
		})
	}
	r := rand.New(rand.NewPCG(1, 1))
	next := [from]int64{}
	for taken := 0; taken < from*each; {
		select {
		case <-w.some:
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d were taken, and nobody says that there are more", taken, from*each)
		}
		most := 1 + r.Int64N(200)
		tickets := w.take(most)
		for i, k := range tickets {
			if most <= 0 {
				t.Fatalf("%d tickets more than were asked for", len(tickets)-i)
			}
			most -= k.size
			source, i := int64(k.env.At)>>32, int64(k.env.At)&math.MaxUint32
			if next[source] != i {
				t.Fatalf("source %d: %d was taken where %d was due", source, i, next[source])
			}
			next[source]++
		}
		taken += len(tickets)
	}
	all.Wait()
	if left := w.take(math.MaxInt64); len(left) != 0 {
		t.Fatalf("%d are left", len(left))
	}
}
