package reconcile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/bill"
	"github.com/moongate-hub/moongate/money"
)

const (
	batchRows      = 512       // rows that are looked up at once
	batches        = 12        // on their way: reading goes on while the matching waits for a processor, and the other way round
	maxDifferences = 20_000    // of one bill: what differs in more is another wallet's, or another day's
	partBytes      = 400 << 20 // of a bill, whose rows' numbers are held in memory at once: about two million
)

// matching is one bill being held against the hub's books. Rows whose numbers fall into one part of all numbers are held at
// a time, so that memory has a bound: a larger bill is read several times.
type matching struct {
	i     *Importer
	name  *Name
	p     *period
	head  bill.Head
	part  uint64
	parts uint64

	figures Figures
	sums    map[money.Currency]*Sum
	paid    *paidIndex
	seen    map[moongate.ID]int   // rows by our number, of this part, that the index does not have
	counted [walkedMinutes]int64  // movements that rows named, by minute, where the views have them in the same
	asof    moongate.Time         // the state's time before the views were waited for
	ofDay   func() (int64, error) // how many movements the views have of the day; nil where nobody has counted
	items   []Item
	loose   []loose        // rows without a number of ours
	left    []pay.Movement // that no row of this part named
	spare   []pay.Movement // of the days beside, for loose rows alone
}

// loose is a row that bears no number of ours, with the number of our order where it says it.
type loose struct {
	line  Line
	order moongate.ID
	free  bool // it bears no number at all, or not one of a form of ours
}

// batch is rows on their way through the books.
type batch struct {
	rows  [batchRows]bill.Row
	ids   [batchRows]moongate.ID
	place [batchRows]int   // 1 + that in the index of what was paid; 0 where it has no such number
	clear [batchRows]*paid // what a row agrees with, as far as that can be told without the tables
	found [batchRows]pay.Movement
	known [batchRows]bool
	fees  [batchRows]ourFee
	told  [batchRows]bool // the terms say something of the fee
	n     int
}

// read reads the bill once, and matches the rows of one part.
func (m *matching) read(ctx context.Context, b *bill.Bill) error {
	m.seen = make(map[moongate.ID]int)
	rows := make(chan *batch, batches)
	spent := make(chan *batch, batches)
	for range batches {
		spent <- &batch{}
	}
	stop := make(chan struct{})
	defer close(stop)
	failed := make(chan error, 1)
	go func() {
		failed <- readBatches(b, rows, spent, stop)
		close(rows)
	}()
	for one := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.match(ctx, one); err != nil {
			return err
		}
		spent <- one
	}
	if err := <-failed; !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// readBatches reads a bill to its end, a batch at a time, on a processor of its own.
func readBatches(b *bill.Bill, rows chan<- *batch, spent <-chan *batch, stop <-chan struct{}) error {
	for {
		var one *batch
		select {
		case one = <-spent:
		case <-stop:
			return io.ErrClosedPipe
		}
		var err error
		for one.n = 0; one.n < batchRows && err == nil; {
			if err = b.Next(&one.rows[one.n]); err == nil {
				one.n++
			}
		}
		if one.n > 0 {
			select {
			case rows <- one:
			case <-stop:
				return io.ErrClosedPipe
			}
		}
		if err != nil {
			return err
		}
	}
}

// match judges a batch of rows.
func (m *matching) match(ctx context.Context, b *batch) error {
	m.lookUp(b)
	if err := m.refundFees(ctx, b); err != nil {
		return err
	}
	for j := range b.n {
		if err := m.row(b, j); err != nil {
			return err
		}
	}
	return nil
}

// lookUp finds what the hub knows under the rows' numbers.
func (m *matching) lookUp(b *batch) {
	unclear := false
	for j := range b.n {
		row := &b.rows[j]
		b.ids[j], b.place[j], b.clear[j], b.known[j], b.told[j] = moongate.ID{}, 0, nil, false, false
		if row.Kind != bill.Payment && row.Kind != bill.Refund {
			continue
		}
		if id, err := moongate.ParseID(row.No); err == nil && (id.Kind() == moongate.KindAttempt || id.Kind() == moongate.KindRefund) && m.mine(id) {
			b.ids[j] = id
			if one, place := m.paid.find(&id); one != nil {
				b.place[j] = place + 1
				if one.agrees(m.p, row, m.hasFees()) {
					b.clear[j] = one
					continue
				}
			}
			unclear = true
		}
	}
	if !unclear {
		return
	}
	m.i.opt.Read(func() {
		for j := range b.n {
			if b.ids[j].IsZero() || b.clear[j] != nil {
				continue
			}
			b.found[j], b.known[j] = m.i.opt.Pay.Movement(b.ids[j])
			if b.known[j] && !b.found[j].Refund {
				b.fees[j], b.told[j] = m.feeOf(&b.found[j])
			}
		}
	})
}

// feeOf finds what the terms say of a payment's fee. Call it under the machine's Read.
func (m *matching) feeOf(one *pay.Movement) (ourFee, bool) {
	if !m.hasFees() || !one.Moved {
		return ourFee{}, false
	}
	return termsFee(m.i.opt.Crossings, one)
}

// termsFee is what the terms say of a payment's fee, or of the part of an order that one seller was paid.
func termsFee(crossings *crossing.State, one *pay.Movement) (ourFee, bool) {
	id := one.Crossing
	if one.Seller != "" {
		id = one.Whole
	}
	f, ok := crossings.WalletFeeOf(id, one.Seller)
	return ourFee{f.Minor, f.Parts}, ok
}

// hasFees tells whether the bill's payments and refunds say their fees: a fund-flow bill has them as movements of their
// own.
func (m *matching) hasFees() bool { return m.head.Kind == bill.Trade || m.head.Wallet == "stripe" }

// mine tells whether a number is of the part that is held now.
func (m *matching) mine(id moongate.ID) bool {
	return m.parts == 1 || binary.BigEndian.Uint64(id[8:])%m.parts == m.part
}

// row puts one row into its heap.
func (m *matching) row(b *batch, j int) error {
	row := &b.rows[j]
	if row.At < m.p.from-near || row.At >= m.p.until+near {
		return malformed("day", fmt.Sprintf("line %d is of %s, and the bill of %s", row.Line, dayOf(row.At, m.name.zone()), m.name.Day), "bills are reconciled day by day: say which day it is of, or take it apart")
	}
	sum := m.sum(row.Currency)
	switch {
	case row.Kind != bill.Payment && row.Kind != bill.Refund:
		if m.part == 0 {
			m.figures.Rows++
			m.figures.Aside++
			sum.Aside += row.Settled
			if row.Kind == bill.Fee {
				sum.Fee -= 1000 * row.Amount
				sum.Untold -= 1000 * row.Amount
			}
		}
		return nil
	case b.ids[j].IsZero():
		return m.stranger(row, sum)
	}
	m.figures.Rows++
	id := b.ids[j]
	if first := m.named(b, j); first != 0 {
		return m.differs(sum, Item{Class: Duplicate, Line: lineOf(row), No: id, Facts: fmt.Sprintf("%s stands in line %d already", row.No, first)})
	}
	var fee *ourFee
	if one := b.clear[j]; one != nil {
		if m.hasFees() && one.told {
			fee = &one.fee
		}
		m.charge(sum, row.Fee, fee)
		m.agree(sum, row.Settled, one.settled)
		return nil
	}
	if b.told[j] {
		fee = &b.fees[j]
	}
	line := lineOf(row)
	return m.settle(sum, &line, &b.found[j], b.known[j], fee)
}

// settle judges a line that names a movement, or was found to be one.
func (m *matching) settle(sum *Sum, line *Line, found *pay.Movement, known bool, fee *ourFee) error {
	v := judge(m.p, line, found, known, fee)
	switch {
	case v.class == 0 && line.dead():
		m.figures.Aside++
		sum.Aside += line.Settled
		return nil
	case v.class == 0:
		m.charge(sum, line.Fee, fee)
		m.agree(sum, line.Settled, v.ours)
		return nil
	}
	m.charge(sum, line.Fee, fee)
	item := Item{Class: v.class, Line: *line, No: found.No, Ours: v.ours, Facts: v.facts}
	if !known {
		item.No, _ = moongate.ParseID(line.Number)
	}
	if fee != nil {
		item.Terms, item.Parts = fee.minor, fee.parts
	}
	return m.differs(sum, item)
}

// charge counts a line's fee.
func (m *matching) charge(sum *Sum, theirs int64, fee *ourFee) {
	sum.Fee += theirs
	if fee == nil {
		sum.Untold += theirs
		return
	}
	sum.Terms += fee.minor
	if fee.fits(theirs) {
		sum.Rounding += theirs - 1000*fee.minor
	}
}

func (m *matching) agree(sum *Sum, theirs, ours int64) {
	m.figures.Matched++
	sum.Theirs += theirs
	sum.Ours += ours
}

// named notes that a row names a movement, and gives the line that has named it before, or 0. It counts those movements
// of which the views say the same time.
func (m *matching) named(b *batch, j int) (before int) {
	line := b.rows[j].Line
	if at := b.place[j] - 1; at >= 0 {
		if before = int(m.paid.lines[at]); before == 0 {
			m.paid.lines[at] = int32(min(line, math.MaxInt32))
			m.count(m.paid.at(at).at)
		}
		return before
	}
	if before = m.seen[b.ids[j]]; before == 0 {
		m.seen[b.ids[j]] = line
		if one := &b.found[j]; b.known[j] && one.Refund && one.Wallet == m.name.Wallet && one.At < m.asof {
			m.count(one.At)
		}
	}
	return before
}

// stranger takes in a row that bears no number of ours.
func (m *matching) stranger(row *bill.Row, sum *Sum) error {
	id, err := moongate.ParseID(row.No)
	ofAnotherPart := err == nil && !m.mine(id) && (id.Kind() == moongate.KindAttempt || id.Kind() == moongate.KindRefund)
	if m.part != 0 || ofAnotherPart {
		return nil
	}
	m.figures.Rows++
	l := loose{line: lineOf(row), free: err != nil}
	if order, err := moongate.ParseID(row.Order); err == nil && row.No == "" {
		l.order = order
	}
	if l.line.dead() {
		m.figures.Aside++
		sum.Aside += row.Settled
		return nil
	}
	if len(m.loose)+len(m.items) >= maxDifferences {
		return tooMany()
	}
	m.loose = append(m.loose, l)
	return nil
}

func (m *matching) differs(sum *Sum, item Item) error {
	if len(m.loose)+len(m.items) >= maxDifferences {
		return tooMany()
	}
	if item.Class == Duplicate {
		sum.Fee += item.Line.Fee
		sum.Untold += item.Line.Fee
	}
	m.figures.Differences++
	if item.Class != MissingTheirs {
		sum.Theirs += item.Line.Settled
	} else {
		m.figures.Missing++
	}
	sum.Ours += item.Ours
	m.items = append(m.items, item)
	return nil
}

func tooMany() error {
	return &moongate.Error{
		Code: moongate.Refused, Field: "bill", Message: fmt.Sprintf("more than %d rows differ from our books", maxDifferences),
		Hint: "it looks like another wallet's or another day's bill; check what it is with moongate pay bill",
	}
}

func (m *matching) sum(c money.Currency) *Sum {
	s := m.sums[c]
	if s == nil {
		s = &Sum{Currency: c}
		m.sums[c] = s
	}
	return s
}

// total puts the sums in order.
func (m *matching) total() Figures {
	f := m.figures
	for _, s := range m.sums {
		f.Sums = append(f.Sums, *s)
	}
	slices.SortFunc(f.Sums, func(a, b Sum) int { return slices.Compare(a.Currency[:], b.Currency[:]) })
	return f
}

func lineOf(row *bill.Row) Line {
	return Line{
		Refund: row.Kind == bill.Refund, Number: cut(row.No), Ref: cut(row.Ref), Row: row.Line, At: row.At, Currency: row.Currency,
		Ordered: row.Amount, Settled: row.Settled, Fee: row.Fee, State: cut(row.State),
	}
}

// cut bounds what a bill says, at the end of a character.
func cut(s string) string {
	if len(s) <= maxNumber {
		return s
	}
	n := maxNumber
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}
