package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
)

// refillBatch is how many payments are looked up at once: deciding waits meanwhile.
const refillBatch = 64

// Refill has the book of what was paid in the last days know what was before the start, so that the bills that come next are
// matched as fast as those after. It does nothing where the book knows, and changes nothing of what is found in a bill.
func (i *Importer) Refill(ctx context.Context) error {
	book, s := &i.opt.State.paid, i.opt.State
	var filled bool
	var anew, n int
	var known map[paidKey][]paid
	var from moongate.Time
	i.opt.Read(func() {
		filled, anew, n, known = book.filled, book.anew, book.n, maps.Clone(book.days)
		from = moongate.Time(paidDay(i.opt.Now())-paidDays)*moongate.Day - 8*moongate.Hour
	})
	if filled {
		return nil
	}
	if _, err := i.opt.Fresh(ctx); err != nil {
		return err
	}
	seen := map[moongate.ID]bool{}
	for _, list := range known {
		for at := range list {
			seen[list[at].attempt] = true
		}
	}
	before := map[paidKey][]paid{}
	for _, wallet := range slices.Sorted(maps.Keys(i.opt.Wallets)) {
		err := i.paidSince(ctx, wallet, from, func(ids []moongate.ID) bool {
			i.opt.Read(func() {
				for _, id := range ids {
					if m, ok := s.divided(id); ok && !seen[id] {
						key, one := s.paidBy(&m)
						before[key] = append(before[key], one)
						n++
					}
				}
			})
			return n < maxPaid
		})
		if err != nil {
			return err
		}
	}
	i.opt.Read(func() {
		if book.anew == anew {
			book.merge(before, known)
		}
	})
	return nil
}

// merge takes in what was paid before the start. What was paid since is in the book already: what it had is known.
func (b *paidBook) merge(before, known map[paidKey][]paid) {
	for key, list := range before {
		since := map[moongate.ID]bool{}
		for _, one := range b.days[key][min(len(known[key]), len(b.days[key])):] {
			since[one.attempt] = true
		}
		list = slices.DeleteFunc(list, func(one paid) bool { return since[one.attempt] })
		b.days[key] = append(b.days[key], list...)
		b.n += len(list)
	}
	b.filled = true
}

// divided finds a payment that was paid and divided, by one order and at a time that the wallet said.
func (s *State) divided(id moongate.ID) (pay.Movement, bool) {
	a, ok := s.pay.Attempt(id)
	if !ok || a.Outcome == nil || a.Outcome.PaidAt == 0 || len(a.Outcome.Parts) > 1 {
		return pay.Movement{}, false
	}
	p, _ := s.pay.Lookup(a.Payment)
	m, ok := s.pay.Movement(id)
	return m, ok && m.Moved && p.Status == pay.Succeeded && p.Attempt == id && !m.Crossing.IsZero()
}

// paidSince visits the attempts that were paid at a wallet since some time, a batch at a time, until visit says no.
func (i *Importer) paidSince(ctx context.Context, wallet string, from moongate.Time, visit func([]moongate.ID) bool) error {
	found, err := i.opt.Views.QueryContext(ctx, `SELECT own FROM movement WHERE wallet = ? AND at >= ?`, wallet, int64(from))
	if err != nil {
		return fmt.Errorf("reconcile: movements: %w", err)
	}
	defer found.Close()
	batch := make([]moongate.ID, 0, refillBatch)
	for found.Next() {
		var own []byte
		if err := found.Scan(&own); err != nil {
			return fmt.Errorf("reconcile: movements: %w", err)
		}
		if len(own) != len(moongate.ID{}) {
			return fmt.Errorf("reconcile: a movement is called %x", own)
		}
		if id := moongate.ID(own); id.Kind() == moongate.KindAttempt {
			batch = append(batch, id)
		}
		if len(batch) == refillBatch {
			if !visit(batch) {
				return nil
			}
			batch = batch[:0]
		}
	}
	if err := found.Err(); err != nil {
		return fmt.Errorf("reconcile: movements: %w", err)
	}
	visit(batch)
	return nil
}
