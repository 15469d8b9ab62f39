package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/money"
)

// near is how far apart a row and a movement may be that are taken for the same by amount and time.
const near = moongate.Day

// walked is the time about a bill's day in which movements are looked for, by the minute.
const walkedMinutes = int((moongate.Day + 2*near) / moongate.Minute)

// count notes that a movement of that time was named.
func (m *matching) count(at moongate.Time) {
	if n := (at - m.p.from + near) / moongate.Minute; n >= 0 && int(n) < walkedMinutes {
		m.counted[n]++
	}
}

// namedWithin counts the movements that were named of a time that begins and ends with a minute.
func (m *matching) namedWithin(from, until moongate.Time) (sum int64) {
	first := m.p.from - near
	for _, n := range m.counted[(from-first)/moongate.Minute : (until-first)/moongate.Minute] {
		sum += n
	}
	return sum
}

// unnamed walks through what moved at the wallet about that day by our books, and keeps what no row of this part has
// named. A minute in which as many movements were named as there are has none, and so has the day.
func (m *matching) unnamed(ctx context.Context) error {
	from, until := m.p.from-near, m.p.until+near
	if len(m.loose) == 0 { // nothing is looked for in the days beside
		from, until = m.p.from, m.p.until
	}
	if m.parts > 1 {
		return m.walk(ctx, from, until)
	}
	count := m.ofDay
	if len(m.loose) > 0 || count == nil {
		count = func() (int64, error) { return m.movements(ctx, from, until) }
	}
	all, err := count()
	if err != nil || all == m.namedWithin(from, until) {
		return err
	}
	first := m.p.from - near
	counts, err := m.i.opt.Views.QueryContext(ctx, `SELECT (at - ?) / ?, count(*) FROM movement WHERE wallet = ? AND at >= ? AND at < ? GROUP BY 1 ORDER BY 1`,
		int64(first), int64(moongate.Minute), m.name.Wallet, int64(from), int64(until))
	if err != nil {
		return fmt.Errorf("reconcile: movements: %w", err)
	}
	defer counts.Close()
	type span struct{ from, until moongate.Time }
	var spans []span
	for counts.Next() {
		var minute int
		var n int64
		if err := counts.Scan(&minute, &n); err != nil {
			return fmt.Errorf("reconcile: movements: %w", err)
		}
		if m.counted[minute] == n {
			continue
		}
		one := span{first + moongate.Time(minute)*moongate.Minute, first + moongate.Time(minute+1)*moongate.Minute}
		if k := len(spans) - 1; k >= 0 && spans[k].until == one.from {
			spans[k].until = one.until
			continue
		}
		spans = append(spans, one)
	}
	if err := counts.Err(); err != nil {
		return fmt.Errorf("reconcile: movements: %w", err)
	}
	for _, one := range spans {
		if err := m.walk(ctx, one.from, one.until); err != nil {
			return err
		}
	}
	return nil
}

// countDay begins to count what moved on the bill's day, beside the reading: of a bill that agrees nothing else is asked
// of the views.
func (m *matching) countDay(ctx context.Context) {
	type counted struct {
		n   int64
		err error
	}
	from, until := m.p.from, m.p.until
	came := make(chan counted, 1)
	go func() {
		n, err := m.movements(ctx, from, until)
		came <- counted{n, err}
	}()
	m.ofDay = func() (int64, error) {
		c := <-came
		return c.n, c.err
	}
}

// movements counts what moved at the wallet in a time.
func (m *matching) movements(ctx context.Context, from, until moongate.Time) (n int64, err error) {
	found, err := m.i.opt.Views.QueryContext(ctx, `SELECT count(*) FROM movement WHERE wallet = ? AND at >= ? AND at < ?`, m.name.Wallet, int64(from), int64(until))
	if err != nil {
		return 0, fmt.Errorf("reconcile: movements: %w", err)
	}
	defer found.Close()
	if found.Next() {
		err = found.Scan(&n)
	}
	if err = errors.Join(err, found.Err()); err != nil {
		return 0, fmt.Errorf("reconcile: movements: %w", err)
	}
	return n, nil
}

// walk keeps what moved in a time and was not named.
func (m *matching) walk(ctx context.Context, from, until moongate.Time) error {
	found, err := m.i.opt.Views.QueryContext(ctx, `SELECT own FROM movement WHERE wallet = ? AND at >= ? AND at < ? ORDER BY at, own`,
		m.name.Wallet, int64(from), int64(until))
	if err != nil {
		return fmt.Errorf("reconcile: movements: %w", err)
	}
	defer found.Close()
	var list [batchRows]moongate.ID
	n := 0
	for found.Next() {
		var own []byte
		if err := found.Scan(&own); err != nil {
			return fmt.Errorf("reconcile: movements: %w", err)
		}
		if len(own) != len(list[n]) {
			return fmt.Errorf("reconcile: a movement is called %x", own)
		}
		id := moongate.ID(own)
		if !m.mine(id) || m.wasNamed(id) {
			continue
		}
		if list[n] = id; n == batchRows-1 {
			if err := m.keep(list[:n+1]); err != nil {
				return err
			}
			n = -1
		}
		n++
	}
	if err := found.Err(); err != nil {
		return fmt.Errorf("reconcile: movements: %w", err)
	}
	return m.keep(list[:n])
}

func (m *matching) wasNamed(id moongate.ID) bool {
	if one, place := m.paid.find(&id); one != nil {
		return m.paid.lines[place] != 0
	}
	return m.seen[id] != 0
}

// keep looks movements up, and keeps those that did move.
func (m *matching) keep(list []moongate.ID) error {
	var moves [batchRows]pay.Movement
	m.i.opt.Read(func() {
		for j, id := range list {
			moves[j], _ = m.i.opt.Pay.Movement(id)
		}
	})
	for j := range list {
		one := moves[j]
		switch {
		case !one.Moved || one.Wallet != m.name.Wallet:
			continue
		case m.p.has(one.At):
			m.left = append(m.left, one)
		case len(m.loose) > 0 && len(m.spare) < maxDifferences:
			m.spare = append(m.spare, one)
		}
		if len(m.left) > maxDifferences {
			return tooMany()
		}
	}
	return nil
}

// pair finds out which loose rows are movements that no row named: by the wallet's number, by our order, then by amount
// and time. What is left over on either side is missing on the other.
func (m *matching) pair() error {
	free := slices.Concat(m.left, m.spare)
	used := make([]bool, len(free))
	rest, err := m.pairNamed(free, used)
	if err != nil {
		return err
	}
	rest = m.guess(rest, free, used)
	for _, l := range rest {
		sum := m.sum(l.line.Currency)
		sum.Fee += l.line.Fee
		sum.Untold += l.line.Fee
		v := judge(m.p, &l.line, &pay.Movement{}, false, nil)
		m.loose = nil // they are counted as differences from here on
		if err := m.differs(sum, Item{Class: MissingOurs, Line: l.line, Facts: v.facts}); err != nil {
			return err
		}
	}
	m.loose = nil
	for j := range m.left {
		if used[j] {
			continue
		}
		one := &m.left[j]
		line := Line{Refund: one.Refund, Number: one.No.String(), Ref: cut(one.Ref), At: one.At, Currency: one.Amount.Currency, Ordered: one.Amount.Minor, Settled: one.Settled}
		if err := m.differs(m.sum(line.Currency), Item{Class: MissingTheirs, Line: line, No: one.No, Ours: one.Settled}); err != nil {
			return err
		}
	}
	return nil
}

// pairNamed pairs rows that bear the wallet's number of a movement, or, of a refund, our number of the order.
func (m *matching) pairNamed(free []pay.Movement, used []bool) ([]loose, error) {
	type key struct {
		refund bool
		ref    string
	}
	byRef, byOrder := map[key]int{}, map[moongate.ID][]int{}
	for j := range free {
		if free[j].Ref != "" {
			byRef[key{free[j].Refund, free[j].Ref}] = j
		}
		if free[j].Refund {
			byOrder[free[j].Order] = append(byOrder[free[j].Order], j)
		}
	}
	var rest []loose
	for _, l := range m.loose {
		j, ok := byRef[key{l.line.Refund, l.line.Ref}]
		if !ok || l.line.Ref == "" || used[j] {
			j, ok = -1, false
			for _, at := range byOrder[l.order] {
				if !ok && !used[at] && l.line.Refund && !l.order.IsZero() && free[at].Settled == l.line.Settled {
					j, ok = at, true
				}
			}
		}
		if !ok {
			rest = append(rest, l)
			continue
		}
		used[j] = true
		var fee *ourFee
		m.i.opt.Read(func() {
			if f, ok := m.feeOf(&free[j]); ok && !free[j].Refund {
				fee = &f
			}
		})
		if err := m.settle(m.sum(l.line.Currency), &l.line, &free[j], true, fee); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// guess pairs rows with movements of the same amount within a day, where it is clear which is which: as many rows as
// movements, in order of time, each within a day of its own. It gives the rows that are left over.
func (m *matching) guess(rows []loose, free []pay.Movement, used []bool) []loose {
	type key struct {
		refund   bool
		currency money.Currency
		settled  int64
	}
	moves, lines := map[key][]int{}, map[key][]int{}
	for j := range free {
		if !used[j] {
			k := key{free[j].Refund, free[j].Amount.Currency, free[j].Settled}
			moves[k] = append(moves[k], j)
		}
	}
	var keys []key
	for j := range rows {
		if l := &rows[j].line; rows[j].free {
			k := key{l.Refund, l.Currency, l.Settled}
			if lines[k] == nil {
				keys = append(keys, k)
			}
			lines[k] = append(lines[k], j)
		}
	}
	guessed := make([]bool, len(rows))
	for _, k := range keys {
		a, b := lines[k], moves[k]
		slices.SortStableFunc(a, func(x, y int) int { return cmp.Compare(rows[x].line.At, rows[y].line.At) })
		slices.SortStableFunc(b, func(x, y int) int {
			return cmp.Or(cmp.Compare(free[x].At, free[y].At), strings.Compare(string(free[x].No[:]), string(free[y].No[:])))
		})
		clear := len(a) == len(b)
		for n := 0; clear && n < len(a); n++ {
			apart := rows[a[n]].line.At - free[b[n]].At
			clear = max(apart, -apart) <= near
		}
		if !clear {
			continue
		}
		sum := m.sum(k.currency)
		for n := range a {
			guessed[a[n]], used[b[n]] = true, true
			m.figures.Guessed++
			sum.Theirs += k.settled
			sum.Ours += k.settled
			sum.Fee += rows[a[n]].line.Fee
			sum.Untold += rows[a[n]].line.Fee
		}
	}
	var rest []loose
	for j := range rows {
		if !guessed[j] {
			rest = append(rest, rows[j])
		}
	}
	return rest
}

// refundFees finds what the terms say of the fees that came back with a batch's refunds.
func (m *matching) refundFees(ctx context.Context, b *batch) error {
	if !m.hasFees() {
		return nil
	}
	var args []any
	at := map[moongate.ID]int{}
	for j := range b.n {
		if one := &b.found[j]; b.known[j] && one.Refund && !one.Crossing.IsZero() {
			at[one.Crossing] = j
			args = append(args, one.Crossing[:])
		}
	}
	if len(args) == 0 {
		return nil
	}
	found, err := m.i.opt.Views.QueryContext(ctx, `SELECT crossing, minor, parts FROM refund_fee WHERE crossing IN (?`+strings.Repeat(", ?", len(args)-1)+`)`, args...)
	if err != nil {
		return fmt.Errorf("reconcile: fees of refunds: %w", err)
	}
	defer found.Close()
	for found.Next() {
		var id []byte
		var minor int64
		var parts int
		if err := found.Scan(&id, &minor, &parts); err != nil {
			return fmt.Errorf("reconcile: fees of refunds: %w", err)
		}
		if len(id) != len(moongate.ID{}) {
			return fmt.Errorf("reconcile: a refund's crossing is called %x", id)
		}
		if j, ok := at[moongate.ID(id)]; ok && b.found[j].Moved {
			// What is given back is the difference of two fees, each of them rounded, here and at the wallet.
			b.fees[j], b.told[j] = ourFee{minor, 2 * parts}, true
		}
	}
	if err := found.Err(); err != nil {
		return fmt.Errorf("reconcile: fees of refunds: %w", err)
	}
	return nil
}
