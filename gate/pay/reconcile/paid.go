package reconcile

import (
	"encoding/binary"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/money"
)

// What a bill of yesterday lists is mostly payments that were paid and divided, and of such a payment nothing changes any
// more. So what a bill's row is held against is kept beside the tables as it happens, in order and without gaps, by wallet
// and day: looking it up there touches two places of memory, and looking it up in the tables of attempts, payments and
// crossings touches a dozen, far apart. It is derived, and empty after a start until it was filled again beside the work; what is
// missing the tables are asked for.

const (
	paidDays = 4       // that are kept; a bill comes on the day after
	maxPaid  = 4 << 20 // payments that are kept, of 64 bytes
)

// paid is a payment that was paid and divided.
type paid struct {
	attempt  moongate.ID
	at       moongate.Time // by the wallet's clock
	ordered  int64
	settled  int64
	fee      ourFee
	told     bool // the terms say something of the fee
	currency money.Currency
}

// paidKey is a wallet's day in Shanghai.
type paidKey struct {
	wallet string
	day    int64
}

func paidDay(at moongate.Time) int64 { return int64((at + 8*moongate.Hour) / moongate.Day) }

// paidBook is what was paid and divided, by wallet and day. Its lists only grow, so a reader may keep what it saw.
type paidBook struct {
	days   map[paidKey][]paid
	n      int
	paying moongate.ID // an attempt that ended with money, at a time that the wallet said
	filled bool        // it has what was paid before the start, too
	anew   int         // how often it was begun anew
}

// ended notes that an attempt ended with money. What becomes of it comes with the next events of the same command.
func (b *paidBook) ended(v *pay.AttemptEnded) {
	b.paying = moongate.ID{}
	if v.Status == pay.AttemptPaid && v.Outcome != nil && v.Outcome.PaidAt != 0 && len(v.Outcome.Parts) < 2 {
		b.paying = v.Attempt
	}
}

// settled keeps a payment that was divided.
func (s *State) settled(v *pay.Settled) {
	b := &s.paid
	if v.Status != pay.Succeeded || v.Attempt.IsZero() || v.Attempt != b.paying || b.n >= maxPaid {
		return
	}
	b.paying = moongate.ID{}
	if m, ok := s.pay.Movement(v.Attempt); ok && m.Moved && m.Crossing == v.Crossing {
		key, one := s.paidBy(&m)
		b.days[key] = append(b.days[key], one)
		b.n++
	}
}

func (s *State) paidBy(m *pay.Movement) (paidKey, paid) {
	one := paid{attempt: m.No, at: m.At, ordered: m.Amount.Minor, settled: m.Settled, currency: m.Amount.Currency}
	if fee, ok := s.crossings.WalletFee(m.Crossing); ok {
		one.fee, one.told = ourFee{fee.Minor, fee.Parts}, true
	}
	return paidKey{m.Wallet, paidDay(m.At)}, one
}

// forget drops the days of which no bill will come.
func (b *paidBook) forget(now moongate.Time) {
	for key, list := range b.days {
		if key.day < paidDay(now)-paidDays {
			b.n -= len(list)
			delete(b.days, key)
		}
	}
}

// paidIndex finds payments of a bill's day by their number, and notes which line named which. Numbers are random, so their
// own bytes are hash enough.
type paidIndex struct {
	lists [][]paid
	slots []uint32 // 1 + a place in the lists, taken together; 0 for none
	lines []int32  // by place, the bill's line that named it; 0 for none
}

// paidOf begins an index of what is known of a bill's day. Call it under the machine's Read.
func (s *State) paidOf(p *period) *paidIndex {
	x := &paidIndex{}
	for day := paidDay(p.from); day <= paidDay(p.until-1); day++ {
		x.lists = append(x.lists, s.paid.days[paidKey{p.Wallet, day}])
	}
	return x
}

// build puts the lists in order. It takes its time, and needs no lock.
func (x *paidIndex) build() {
	n := 0
	for _, list := range x.lists {
		n += len(list)
	}
	size := 1
	for size < 2*n {
		size *= 2
	}
	x.slots, x.lines = make([]uint32, size), make([]int32, n)
	place := uint32(0)
	for _, list := range x.lists {
		for i := range list {
			at := x.slot(&list[i].attempt)
			for x.slots[at] != 0 {
				at = (at + 1) & (len(x.slots) - 1)
			}
			place++
			x.slots[at] = place
		}
	}
}

func (x *paidIndex) slot(id *moongate.ID) int {
	return int(binary.LittleEndian.Uint64(id[8:])) & (len(x.slots) - 1)
}

// find gives a payment and its place.
func (x *paidIndex) find(id *moongate.ID) (*paid, int) {
	for at := x.slot(id); x.slots[at] != 0; at = (at + 1) & (len(x.slots) - 1) {
		place := int(x.slots[at]) - 1
		if one := x.at(place); one.attempt == *id {
			return one, place
		}
	}
	return nil, 0
}

func (x *paidIndex) at(place int) *paid {
	for _, list := range x.lists {
		if place < len(list) {
			return &list[place]
		}
		place -= len(list)
	}
	return nil
}

// agrees tells whether a row says what the hub knows, by the same rules as [judge]. Where it does not, judge finds out
// how.
func (one *paid) agrees(p *period, row *bill.Row, fees bool) bool {
	return row.Kind == bill.Payment && !dead(row.State) && row.Currency == one.currency && row.Settled == one.settled && (p.Kind != pay.TradeBill || row.Amount == one.ordered) &&
		(!fees || !one.told || one.fee.fits(row.Fee)) && p.has(one.at)
}
