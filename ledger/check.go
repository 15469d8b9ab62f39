package ledger

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/moongate-hub/moongate/money"
)

// Problem is an invariant of the books that does not hold.
type Problem struct {
	Account Account `json:"account,omitzero"`
	Message string  `json:"message"`
}

// Check audits the books: in every currency debits equal credits, posted and pending; no account is beyond its limits,
// holds included; what accounts hold is what the pending transfers say; numbers and accounts name each other. It
// visits everything: for fsck, what-if and tests, not for a request.
func (s *State) Check() []Problem {
	var problems []Problem
	sums := map[money.Currency]*[4]sum{}
	held := make(map[uint32]Balance, s.pending.Len())
	for _, h := range s.pending.All() {
		for _, hold := range h.Holds {
			held[hold.Number], _ = held[hold.Number].plus(Balance{DebitsPending: hold.Debit, CreditsPending: hold.Credit})
		}
	}
	for i := range s.books.Len() {
		b := s.books.At(i)
		say := func(format string, args ...any) {
			problems = append(problems, Problem{b.Account, fmt.Sprintf(format, args...)})
		}
		n := uint32(i)
		if known, ok := s.numbers[b.Account]; !ok || known != n {
			say("it is account %d, but its name leads to %d", n, known)
		}
		v := b.Balance
		if min(v.Debits, v.Credits, v.DebitsPending, v.CreditsPending) < 0 {
			say("a sum is negative: %+v", v)
		}
		if h := held[n]; h.DebitsPending != v.DebitsPending || h.CreditsPending != v.CreditsPending {
			say("it holds %d and %d, but the pending transfers hold %d and %d", v.DebitsPending, v.CreditsPending, h.DebitsPending, h.CreditsPending)
		}
		if low := v.Low(b.Account.Purpose); b.Limits.Least != nil && low < *b.Limits.Least {
			say("it is at %d, holds included, below its limit of %d", low, *b.Limits.Least)
		}
		if high := v.High(b.Account.Purpose); b.Limits.Most != nil && high > *b.Limits.Most {
			say("it is at %d, holds included, above its limit of %d", high, *b.Limits.Most)
		}
		t := sums[b.Account.Currency]
		if t == nil {
			t = new([4]sum)
			sums[b.Account.Currency] = t
		}
		for j, x := range [4]int64{v.Debits, v.Credits, v.DebitsPending, v.CreditsPending} {
			t[j].add(x)
		}
	}
	if n := len(s.numbers); n != s.books.Len() {
		problems = append(problems, Problem{Message: fmt.Sprintf("%d names lead to %d accounts", n, s.books.Len())})
	}
	for _, c := range sortedCurrencies(sums) {
		if t := sums[c]; t[0] != t[1] || t[2] != t[3] {
			problems = append(problems, Problem{Message: fmt.Sprintf("%s: debits %s and credits %s, pending %s and %s, do not balance", c, t[0], t[1], t[2], t[3])})
		}
	}
	return problems
}

// sum is a count of minor units in 128 bits: a sum over many accounts may exceed 64.
type sum struct{ hi, lo uint64 }

func (s *sum) add(x int64) {
	var carry uint64
	s.lo, carry = bits.Add64(s.lo, uint64(x), 0) // negative sums are a problem of their own
	s.hi += carry
}

// String is the sum; beyond 64 bits, in hexadecimal.
func (s sum) String() string {
	if s.hi == 0 {
		return fmt.Sprint(s.lo)
	}
	return fmt.Sprintf("%#x%016x", s.hi, s.lo)
}

func sortedCurrencies[V any](m map[money.Currency]V) []money.Currency {
	list := make([]money.Currency, 0, len(m))
	for c := range m {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b money.Currency) int { return slices.Compare(a[:], b[:]) })
	return list
}
