package pay

import (
	"bytes"
	"cmp"
	"iter"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// What of paid orders still lies frozen at wallets, oldest first: payouts come out of it, and what goes back to shoppers too.

// foldFrozen notes that a paid order stays frozen at its wallet.
func (s *State) foldFrozen(e journal.Entry, id moongate.ID, a *Attempt) {
	owed := a.Outcome.owed()
	f := frozen{Wallet: a.Wallet, Currency: owed.Currency, Whole: owed.Minor, Left: owed.Minor, Since: e.Position, Until: e.At + frozenFor, Aside: true}
	if len(a.Parts) == 0 {
		s.freeze(id, &f)
	}
	for _, id := range ordered(a.Parts) { // they are frozen at once: their numbers alone say which is first, now and after a restart
		p, _ := s.parts.Get(id)
		f.Whole, f.Left, f.Party, f.Kept = p.owes(), p.owes(), p.Party, p.owes() // until it is known what others get of it
		s.freeze(id, &f)
	}
}

// divided has payouts come out of an order: what was paid does not stand in suspense any more, or never did.
func (s *State) divided(attempt moongate.ID) {
	a, _ := s.attempts.Get(attempt)
	for _, id := range append([]moongate.ID{attempt}, a.Parts...) {
		if f, ok := s.frozen.Get(id); ok {
			f.Aside = false
			s.frozen.Put(id, f)
		}
	}
}

func (s *State) freeze(id moongate.ID, f *frozen) {
	s.frozen.Put(id, *f)
	s.queue[f.Wallet] = append(s.queue[f.Wallet], id)
	s.passing.Add(f.Until, dueKey{dueFrozen, id})
}

// keep notes how much of frozen parts is their sellers' own.
func (s *State) keep(list []PartKept) {
	for _, k := range list {
		if f, ok := s.frozen.Get(k.Part); ok {
			f.Kept = min(max(k.Kept, 0), f.Left)
			s.frozen.Put(k.Part, f)
		}
	}
}

// thaw takes out of a frozen order what goes back to the shopper, or puts it back. Where a split or a release has taken it before,
// less than nothing is left until one of them has failed, or shares have come back: so each puts back just what it took, in
// whatever order they end.
func (s *State) thaw(order moongate.ID, by, kept int64) {
	if f, ok := s.frozen.Get(order); ok {
		f.Left = min(f.Left-by, f.Whole-f.Split)
		f.Kept -= kept
		s.frozen.Put(order, f)
	}
}

// cameBack notes that a share has come back for what goes back to the shopper: it fills what is missing of the order. What is
// more is with its merchant, and is not split again.
func (s *State) cameBack(order moongate.ID, share int64) {
	if f, ok := s.frozen.Get(order); ok {
		f.Split -= share
		f.Left = max(f.Left, min(f.Left+share, 0))
		s.frozen.Put(order, f)
	}
}

// spent forgets a frozen order of which nothing is left and nothing is under way: neither to receivers nor to its shopper, for a
// refund that fails puts back what it took.
func (s *State) spent(order moongate.ID) {
	if f, ok := s.frozen.Get(order); ok && f.Left <= 0 && f.Open == 0 && !s.returning(order) {
		s.unfreeze(order)
	}
}

// returning tells whether a refund of an order, or of a part, is under way, or a dispute.
func (s *State) returning(order moongate.ID) bool {
	a, _ := s.attempts.Get(s.attemptOf(order))
	for _, key := range s.ofDisputes[a.Payment] {
		d, _ := s.disputes.Get(key)
		if !d.State.over() && slices.ContainsFunc(d.Pieces, func(x Piece) bool { return x.Order == order }) {
			return true
		}
	}
	for _, id := range s.of[a.Payment] {
		if r, ok := s.refunds.Get(id); ok && !r.Status.Final() && cmp.Or(r.Part, r.Attempt) == order {
			return true
		}
	}
	return false
}

// Bounds of the time for which an order comes last that balked.
const (
	lastFrom = moongate.Day
	lastTo   = 8 * moongate.Day
)

// balked has an order of which a split failed come last for a while: it may be the order that the wallet does not split, as
// well as the receiver, and at the head of the queue it would fail everybody's payout, again and again.
func (s *State) balked(id moongate.ID, f *frozen, at moongate.Time) {
	f.Last = at + backOff(lastFrom, lastTo, f.Balks)
	if f.Balks++; f.Balks == 1 {
		s.behind[f.Wallet] = append(s.behind[f.Wallet], id)
	}
}

// unbalked has an order stand where its age places it.
func (s *State) unbalked(id moongate.ID, f *frozen) {
	if f.Balks > 0 {
		s.behind[f.Wallet] = without(s.behind[f.Wallet], id)
		f.Balks, f.Last = 0, 0
	}
}

func without(list []moongate.ID, id moongate.ID) []moongate.ID {
	if i := slices.Index(list, id); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// fairly gives a wallet's frozen orders, oldest first, and behind all others those that balked: the one that did so longest
// ago first, so that each of them has its turn.
func (s *State) fairly(wallet string, now moongate.Time) iter.Seq2[moongate.ID, frozen] {
	return func(yield func(moongate.ID, frozen) bool) {
		for _, id := range s.queue[wallet] {
			if f, ok := s.frozen.Get(id); ok && f.Last <= now && !yield(id, f) {
				return
			}
		}
		last := slices.Clone(s.behind[wallet])
		of := func(id moongate.ID) frozen { f, _ := s.frozen.Get(id); return f }
		slices.SortFunc(last, func(a, b moongate.ID) int {
			fa, fb := of(a), of(b)
			return cmp.Or(cmp.Compare(fa.Last, fb.Last), cmp.Compare(fa.Since, fb.Since), bytes.Compare(a[:], b[:]))
		})
		for _, id := range last {
			if f := of(id); f.Last > now && !yield(id, f) {
				return
			}
		}
	}
}

// unfreeze forgets a frozen order: the wallet has released it, or nothing of it is left.
func (s *State) unfreeze(id moongate.ID) {
	f, ok := s.frozen.Get(id)
	if !ok {
		return
	}
	s.unbalked(id, &f)
	s.frozen.Delete(id)
	s.queue[f.Wallet] = without(s.queue[f.Wallet], id)
}

// forgetSplits drops what is over: orders that the wallet has released by now, and payouts that ended long ago.
func (s *State) forgetSplits(now moongate.Time) {
	for n := 0; n < maxForget; {
		at, key, ok := s.passing.Next(now)
		if !ok {
			return
		}
		switch key.what {
		case dueFrozen:
			f, known := s.frozen.Get(key.id)
			if !known || f.Until != at {
				continue // stale: not every node has such an item, so it must not count
			}
			s.unfreeze(key.id)
		case duePayout:
			o, known := s.payouts.Get(key.id)
			if !known || o.Forget != at {
				continue
			}
			if o.Open > 0 || o.Paid > 0 && !o.Over { // forgotten, what was paid of it would be paid again
				s.keepPayout(now, key.id, &o)
			} else {
				s.payouts.Delete(key.id)
			}
		}
		n++
	}
}

func newPassing() *replica.Due[dueKey] { return replica.NewDue(dueKey.before) }

// rebuildSplits makes anew what is derived.
func (s *State) rebuildSplits() {
	s.queue, s.behind, s.passing = map[string][]moongate.ID{}, map[string][]moongate.ID{}, newPassing()
	since := map[moongate.ID]journal.Position{}
	for id, f := range s.frozen.All() {
		s.queue[f.Wallet] = append(s.queue[f.Wallet], id)
		since[id] = f.Since
		if f.Balks > 0 {
			s.behind[f.Wallet] = append(s.behind[f.Wallet], id)
		}
		s.passing.Add(f.Until, dueKey{dueFrozen, id})
	}
	for _, q := range s.queue {
		slices.SortFunc(q, func(a, b moongate.ID) int {
			return cmp.Or(cmp.Compare(since[a], since[b]), slices.Compare(a[:], b[:]))
		})
	}
	for id, x := range s.splits.All() {
		s.due.Add(x.Next, dueKey{dueSplit, id})
	}
	for id, o := range s.payouts.All() {
		s.passing.Add(o.Forget, dueKey{duePayout, id})
		if !o.Alarm.IsZero() && o.Told != 0 {
			s.due.Add(o.Told, dueKey{dueRest, id})
		}
	}
}
