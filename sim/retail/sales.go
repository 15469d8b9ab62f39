package retail

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
)

// sales remembers the last sale lines that could still be cancelled: a ring of a fixed number and, for each key, its
// latest line, from which the lines of that key are linked backwards. A link that points before the ring's oldest line
// has ended there, so forgetting a line costs at most the key whose latest it was.
type sales struct {
	size   int64
	ring   []sale // grows to size; line n lies at n % size
	added  int64  // lines ever added
	latest map[saleKey]int64
}

type saleKey struct {
	customer, stock string
	price           Price
}

type sale struct {
	key       saleKey
	before    int64 // the key's line before this one; -1: none
	invoice   string
	part      int
	line      int
	time      moongate.Time
	quantity  int64
	pence     int64
	cancelled int64 // pieces taken back
	refunded  int64 // pence given back
}

func newSales(size int) *sales {
	return &sales{size: int64(size), latest: map[saleKey]int64{}}
}

func (s *sales) at(n int64) *sale { return &s.ring[n%s.size] }

// known tells whether line n is still in the ring.
func (s *sales) known(n int64) bool { return n >= 0 && n >= s.added-int64(len(s.ring)) }

func (s *sales) add(key saleKey, line sale) {
	line.before = -1
	if n, ok := s.latest[key]; ok {
		line.before, line.key = n, s.at(n).key
	} else {
		line.key = saleKey{customer: strings.Clone(key.customer), stock: strings.Clone(key.stock), price: key.price}
	}
	if int64(len(s.ring)) < s.size {
		s.ring = append(s.ring, line)
	} else {
		oldest := s.at(s.added)
		if s.latest[oldest.key] == s.added-s.size {
			delete(s.latest, oldest.key)
		}
		*oldest = line
	}
	s.latest[line.key] = s.added
	s.added++
}

// cancel takes pieces back from the latest line that alone has enough, else from the latest ones together. It gives
// nothing, and changes nothing, when there are not enough. Refunds of no pence are left out.
func (s *sales) cancel(key saleKey, now moongate.Time, quantity int64) (refunds []Refund, found bool) {
	var from []int64
	var enough int64
	n, ok := s.latest[key]
	for ; ok && s.known(n); n = s.at(n).before {
		line := s.at(n)
		left := line.quantity - line.cancelled
		if left == 0 || line.time > now {
			continue
		}
		if left >= quantity {
			from, enough = []int64{n}, quantity
			break
		}
		if enough < quantity {
			from = append(from, n)
			enough += left
		}
	}
	if enough < quantity {
		return nil, false
	}
	for _, n := range from {
		refund := s.at(n).takeBack(quantity)
		quantity -= refund.Quantity
		refunds = append(refunds, refund)
	}
	return slices.DeleteFunc(refunds, func(r Refund) bool { return r.Pence == 0 }), true
}

// takeBack cancels up to the given pieces. What has been refunded is always the cancelled share of the line's amount,
// rounded down, so a line cancelled whole, in however many steps, is refunded whole and never more.
func (s *sale) takeBack(quantity int64) Refund {
	quantity = min(quantity, s.quantity-s.cancelled)
	s.cancelled += quantity
	high, low := bits.Mul64(uint64(s.pence), uint64(s.cancelled))
	share, _ := bits.Div64(high, low, uint64(s.quantity)) // fits: cancelled ≤ quantity
	pence := int64(share) - s.refunded
	s.refunded += pence
	return Refund{Invoice: s.invoice, Part: s.part, Line: s.line, Quantity: quantity, Pence: pence}
}
