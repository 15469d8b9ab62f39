package reconcile_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/replica"
)

// TestBillThatAgrees: a day's bill of six sales and two refunds is the books, to the cent; nothing differs.
func TestBillThatAgrees(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	w.morning()
	got := w.take(moves)
	if got.Rows != 8 || got.Matched != 8 || got.Differences+got.Missing+got.Guessed+got.Aside != 0 || got.Ended == 0 || got.By != "keeper" || got.Day != today {
		t.Errorf("%+v", got)
	}
	sum, fee := int64(0), int64(0)
	for _, m := range moves {
		sum, fee = sum+m.amount, fee+m.fee
	}
	want := []reconcile.Sum{{Currency: [3]byte{'C', 'N', 'Y'}, Theirs: sum, Ours: sum, Fee: 1000 * fee, Terms: fee}}
	if d := cmp.Diff(want, got.Sums); d != "" {
		t.Errorf("sums (-want +got):\n%s", d)
	}
	if _, list := w.differences(); len(list) != 0 {
		t.Errorf("differences %v", list)
	}
	w.rebuilt()
}

// TestEachClassOnce changes a bill that agrees in one place each: exactly one difference is found, of the right class,
// with what either side says.
func TestEachClassOnce(t *testing.T) {
	for name, test := range map[string]struct {
		change       func(w *world, moves []*move) []*move
		class        reconcile.Class
		theirs, ours int64
		says         string
	}{
		"a row twice":          {func(_ *world, m []*move) []*move { return append(m, m[2]) }, reconcile.Duplicate, 10_002, 0, "stands in line 4 already"},
		"a row too many":       {func(w *world, m []*move) []*move { return append(m, foreign(m[0], 333)) }, reconcile.MissingOurs, 333, 0, "no payment of ours"},
		"a row too few":        {func(_ *world, m []*move) []*move { return slices.Delete(m, 3, 4) }, reconcile.MissingTheirs, 0, 10_003, "does not have it"},
		"a refund too few":     {func(_ *world, m []*move) []*move { return slices.Delete(m, 6, 7) }, reconcile.MissingTheirs, 0, -2_500, "does not have it"},
		"another amount":       {func(_ *world, m []*move) []*move { m[4].amount++; return m }, reconcile.Amount, 10_005, 10_004, "the bill settles 100.05 CNY, our books 100.04 CNY"},
		"another refund":       {func(_ *world, m []*move) []*move { m[6].amount--; return m }, reconcile.Amount, -2_501, -2_500, "settles -25.01 CNY"},
		"another fee":          {func(_ *world, m []*move) []*move { m[1].fee += 7; return m }, reconcile.Fee, 10_001, 10_001, "took a fee of 0.67 CNY, the terms say 0.60 CNY"},
		"a refund's fee":       {func(_ *world, m []*move) []*move { m[6].fee = 0; return m }, reconcile.Fee, -2_500, -2_500, "took a fee of 0.00 CNY, the terms say -0.15 CNY"},
		"a refund that failed": {func(_ *world, m []*move) []*move { m[6].state = "CLOSED"; return m }, reconcile.Status, -2_500, -2_500, "says CLOSED"},
		"an order not paid": {func(w *world, m []*move) []*move {
			return append(m, unpaid(w, m[0]))
		}, reconcile.Status, 4_444, 0, "by our books the payment is closing"},
		"another wallet's": {func(w *world, m []*move) []*move { return append(m, w.sale("carp-pay", 888)) }, reconcile.MissingOurs, 888, 0, "which is ours at carp-pay"},
		"a refund as a payment": {func(_ *world, m []*move) []*move {
			other := *m[6]
			other.amount, other.order, other.orderRef, other.fee = 2_500, other.no, other.ref, 15
			m[6] = &other
			return m
		}, reconcile.MissingOurs, 2_500, 0, "which is no payment of ours"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			moves := test.change(w, w.day())
			w.morning()
			bill := w.take(moves)
			rows, list := w.differences()
			if len(rows) != 1 && name != "a refund as a payment" {
				t.Fatalf("differences %v", list)
			}
			d := rows[0]
			if d.Class != test.class || d.Theirs != test.theirs || d.Ours != test.ours || !strings.Contains(d.Facts, test.says) {
				t.Errorf("%s: theirs %d, ours %d, %q", d.Class, d.Theirs, d.Ours, d.Facts)
			}
			if bill.Differences != int64(len(rows)) || bill.Open != int64(len(rows)) || bill.Rows != int64(len(moves)) {
				t.Errorf("%+v", bill)
			}
			gap := int64(0)
			for _, d := range rows {
				gap += d.Theirs - d.Ours
			}
			if s := bill.Sums[0]; s.Theirs-s.Ours != gap {
				t.Errorf("the bill has %d, our books %d, and the differences come to %d", s.Theirs, s.Ours, gap)
			}
			w.rebuilt()
		})
	}
}

// foreign is a sale that the hub knows nothing of.
func foreign(like *move, amount int64) *move {
	m := *like
	m.no, m.order, m.ref, m.orderRef, m.amount, m.fee = "SHOP-77", "SHOP-77", "4299", "4299", amount, 2
	return &m
}

// unpaid is a sale of which the wallet has not told the hub.
func unpaid(w *world, like *move) *move {
	m := *like
	m.no = w.opened("crane-pay", 4_444).String()
	m.order, m.ref, m.orderRef, m.amount, m.fee = m.no, "4288", "4288", 4_444, 27
	return &m
}

// TestNearMidnight: what one day's bill is missing waits for the next one. Found there, it was a matter of timing, once;
// not found there, or if no bill comes, it is open.
func TestNearMidnight(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	w.morning()
	w.take(append(slices.Clone(moves[:2]), moves[4:]...))
	if _, list := w.differences(); !slices.Equal(list, []string{"missing_theirs waiting", "missing_theirs waiting"}) {
		t.Fatalf("differences %v", list)
	}
	next := w.sale("crane-pay", 555)
	w.morning()
	got := w.take([]*move{late(moves[2], w.now-moongate.Day), next})
	rows, list := w.differences()
	if !slices.Equal(list, []string{"timing settled other_day", "missing_theirs waiting"}) && !slices.Equal(list, []string{"missing_theirs waiting", "timing settled other_day"}) {
		t.Errorf("differences %v", list)
	}
	if got.Matched != 1 || got.Differences != 1 || got.Open != 0 {
		t.Errorf("%+v", got)
	}
	w.pass(moongate.Second) // the next day's bill has come, and one is not in it
	_, list = w.differences()
	slices.Sort(list)
	if !slices.Equal(list, []string{"missing_theirs open", "timing settled other_day"}) {
		t.Errorf("differences %v", list)
	}
	for _, r := range rows {
		if r.Class == reconcile.Timing && (r.FoundIn != got.ID || r.Note != "found in the bill of 2026-03-05") {
			t.Errorf("%+v", r)
		}
	}
}

// late is a move that the wallet books at another time.
func late(m *move, at moongate.Time) *move {
	other := *m
	other.at = at
	return &other
}

// TestMissingOpensWithoutANextBill: nobody waits for ever.
func TestMissingOpensWithoutANextBill(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	w.morning()
	w.take(moves[:7])
	w.pass(moongate.Day)
	if _, list := w.differences(); !slices.Equal(list, []string{"missing_theirs waiting"}) {
		t.Fatalf("differences %v", list)
	}
	w.pass(moongate.Day)
	if _, list := w.differences(); !slices.Equal(list, []string{"missing_theirs open"}) {
		t.Fatalf("differences %v", list)
	}
}

// TestEarly: a wallet that lists a sale the day before our books have it. The next day's bill is not missing it.
func TestEarly(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	w.morning()
	early := w.sale("crane-pay", 999) // before the bill of the day before is taken in
	w.take(append(moves, late(early, w.now-moongate.Day)))
	rows, list := w.differences()
	if !slices.Equal(list, []string{"timing settled other_day"}) || !strings.Contains(rows[0].Facts, "in the bill of 2026-03-04, and in our books on 2026-03-05") {
		t.Fatalf("differences %v %+v", list, rows)
	}
	w.morning()
	got := w.take(nil)
	if got.Healed != 1 || got.Differences != 0 {
		t.Errorf("%+v", got)
	}
	if _, list := w.differences(); len(list) != 1 {
		t.Errorf("differences %v", list)
	}
}

// TestGuessed: rows without a number of ours are matched by the wallet's number, by our order, then by amount and time
// within a day, where it is clear which is which.
func TestGuessed(t *testing.T) {
	anonymous := func(m *move) *move {
		other := *m
		other.no, other.order, other.ref, other.orderRef = "", "", "x"+m.ref, "x"+m.ref
		return &other
	}
	byRef := func(m *move) *move {
		other := *m
		other.no, other.order = "", ""
		return &other
	}
	w := newWorld(t)
	moves := w.day()
	w.morning()
	for name, test := range map[string]struct {
		rows                      []*move
		matched, guessed, missing int64
		list                      []string
	}{
		"the wallet's number": {append([]*move{byRef(moves[0])}, moves[1:]...), 8, 0, 0, nil},
		"amount and time":     {append([]*move{anonymous(moves[0])}, moves[1:]...), 7, 1, 0, nil},
	} {
		got := w.take(test.rows)
		if got.Matched != test.matched || got.Guessed != test.guessed || got.Missing != test.missing || got.Differences != int64(len(test.list)) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	w = newWorld(t)
	twins := []*move{w.sale("crane-pay", 100), w.sale("crane-pay", 100), w.sale("crane-pay", 100)}
	w.morning()
	// Three of the same amount, and two rows: nobody can tell which is missing.
	got := w.take([]*move{anonymous(twins[0]), anonymous(twins[1])})
	if got.Guessed != 0 || got.Differences != 5 || got.Missing != 3 {
		t.Errorf("%+v", got)
	}
}

// TestAgainChangesNothing: a bill is taken in once, whoever gives it, and however it is packed.
func TestAgainChangesNothing(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	w.morning()
	text := tradeBill(append(moves, moves[0], foreign(moves[1], 5)))
	first, err := w.give(text)
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := w.differences()
	w.submit("keeper", &reconcile.Resolve{Differences: []moongate.ID{rows[0].ID}, Action: reconcile.AtWallet, Note: "the wallet corrects it"})
	before := len(w.local.Records)
	for range 2 {
		again, err := w.give(text)
		if err != nil || again.Bill != first.Bill || !again.Known || again.Open != 1 {
			t.Errorf("again: %+v, %v", again, err)
		}
	}
	w.catchUp()
	events := 0
	for _, r := range w.local.Records[before:] {
		for _, d := range r.Done {
			events += len(d.Events)
		}
	}
	if events != 0 {
		t.Errorf("%d events came of it", events)
	}
	if list, _ := w.differences(); len(list) != 2 {
		t.Errorf("%d differences", len(list))
	}
}

// TestImporterFallsInBetween: whatever command an importer was at when it fell, giving the bill again takes it in, and
// every difference is found once.
func TestImporterFallsInBetween(t *testing.T) {
	for fall := 1; fall <= 4; fall++ {
		w := newWorld(t)
		moves := w.day()
		for i := range 450 { // three commands of differences
			moves = append(moves, foreign(moves[0], int64(1000+i)))
			moves[len(moves)-1].order = fmt.Sprint("SHOP-", i)
			moves[len(moves)-1].no = moves[len(moves)-1].order
		}
		w.morning()
		n := 0
		w.between = func(c replica.Command) {
			if n++; n == fall+1 {
				panic("fallen before " + c.CommandKind())
			}
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("nothing fell after command %d", fall)
				}
			}()
			_, _ = w.give(tradeBill(moves))
		}()
		w.between = nil
		got := w.take(moves)
		if got.Matched != 8 || got.Differences != 450 || got.Open != 450 {
			t.Errorf("after command %d: %+v", fall, got)
		}
		if rows, _ := w.differences(); len(rows) != 450 {
			t.Errorf("after command %d: %d differences", fall, len(rows))
		}
	}
}

// TestNewsWhileABillIsTakenIn: what the hub learns between matching and deciding is no difference any more, and what it
// learns later settles the difference by itself.
func TestNewsWhileABillIsTakenIn(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	one, two := unpaid(w, moves[0]), unpaid(w, moves[0])
	id := func(m *move) moongate.ID {
		id, err := moongate.ParseID(m.no)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	w.morning()
	w.between = func(c replica.Command) {
		if _, ok := c.(*reconcile.Differ); ok {
			w.paid(id(one), one)
		}
	}
	got := w.take(append(moves, one, two))
	w.between = nil
	if got.Healed != 1 || got.Differences != 1 || got.Open != 1 || got.Sums[0].Theirs-got.Sums[0].Ours != 4_444 {
		t.Errorf("%+v", got)
	}
	w.paid(id(two), two)
	w.pass(moongate.Second)
	rows, list := w.differences()
	if !slices.Equal(list, []string{"status settled healed"}) || rows[0].By != "" {
		t.Errorf("differences %v", list)
	}
	if b := w.bill(got.ID); b.Open != 0 {
		t.Errorf("%+v", b)
	}
}

// TestNewerBillOfTheDay: a wallet makes a bill anew. What both have is one difference; what the newer one has no longer is
// settled.
func TestNewerBillOfTheDay(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	w.morning()
	first := w.take(append(slices.Clone(moves[1:]), foreign(moves[0], 5), foreign(moves[0], 6)))
	other := foreign(moves[0], 6)
	if first.Differences != 3 {
		t.Fatalf("%+v", first)
	}
	second := w.take(append(slices.Clone(moves), other))
	if second.Earlier != first.ID || second.Differences != 1 || second.Matched != 8 {
		t.Errorf("%+v", second)
	}
	w.pass(moongate.Second)
	_, list := w.differences()
	slices.Sort(list)
	if !slices.Equal(list, []string{"missing_ours open", "missing_ours settled healed", "missing_theirs settled healed"}) {
		t.Errorf("differences %v", list)
	}
}

// TestWorkOnDifferences: they are given to somebody, noted on, and settled with a reason, by an operator alone.
func TestWorkOnDifferences(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	w.morning()
	w.take(append(moves, foreign(moves[0], 5), foreign(moves[1], 6)))
	rows, _ := w.differences()
	one, two := rows[0].ID, rows[1].ID
	refuse := func(caller string, c replica.Command, code moongate.Code, says string) {
		t.Helper()
		_, err := w.do(replica.Request{Caller: caller, Command: c})
		if moongate.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
			t.Errorf("%s by %q: %v, want %s %q", c.CommandKind(), caller, err, code, says)
		}
	}
	refuse("tea-shop", &reconcile.Assign{Difference: one, To: "tea-shop"}, moongate.Forbidden, "operator")
	refuse("keeper", &reconcile.Assign{Difference: one, To: "nobody"}, moongate.NotFound, "participant")
	refuse("keeper", &reconcile.Assign{Difference: one, Note: strings.Repeat("x", 501)}, moongate.Malformed, "characters")
	w.submit("keeper", &reconcile.Assign{Difference: one, To: "keeper", Note: "the other shop uses the same account"})
	w.pass(moongate.Hour)
	w.submit("keeper", &reconcile.Assign{Difference: one, To: "tea-shop", Note: "please look"})
	refuse("keeper", &reconcile.Resolve{Differences: []moongate.ID{one}, Action: "forgotten", Note: "x"}, moongate.Malformed, "no way to settle")
	refuse("keeper", &reconcile.Resolve{Differences: []moongate.ID{one}, Action: reconcile.Healed, Note: "x"}, moongate.Malformed, "no way to settle")
	refuse("keeper", &reconcile.Resolve{Differences: []moongate.ID{one}, Action: reconcile.Explained}, moongate.Malformed, "characters")
	refuse("keeper", &reconcile.Resolve{Differences: []moongate.ID{one, one}, Action: reconcile.Explained, Note: "x"}, moongate.Malformed, "twice")
	refuse("tea-shop", &reconcile.Resolve{Differences: []moongate.ID{one}, Action: reconcile.Explained, Note: "x"}, moongate.Forbidden, "operator")
	refuse("keeper", &reconcile.Resolve{Action: reconcile.Explained, Note: "x"}, moongate.Malformed, "0 of them")
	w.submit("keeper", &reconcile.Resolve{Differences: []moongate.ID{one, two}, Action: reconcile.Explained, Note: "sold by the other shop"})
	refuse("keeper", &reconcile.Resolve{Differences: []moongate.ID{one}, Action: reconcile.Explained, Note: "x"}, moongate.Conflict, "is settled")
	refuse("keeper", &reconcile.Assign{Difference: one}, moongate.Conflict, "is settled")
	if _, list := w.differences(); !slices.Equal(list, []string{"missing_ours settled explained", "missing_ours settled explained"}) {
		t.Errorf("differences %v", list)
	}
	got, err := reconcile.FindDifference(context.Background(), w.store, one)
	if err != nil {
		t.Fatal(err)
	}
	notes := []reconcile.Note{{By: "keeper", To: "keeper", Text: "the other shop uses the same account"}, {By: "keeper", To: "tea-shop", Text: "please look"}}
	for i := range got.Notes {
		got.Notes[i].At = 0
	}
	if d := cmp.Diff(notes, got.Notes); d != "" || got.By != "keeper" || got.Note != "sold by the other shop" || got.Ended <= got.Opened || got.Assignee != "tea-shop" {
		t.Errorf("%+v %s", got, d)
	}
	if w.state.Open() != 0 {
		t.Errorf("%d are open", w.state.Open())
	}
	w.pass(41 * moongate.Day)
	w.rebuilt()
	if _, ok := w.state.Difference(one); ok {
		t.Error("a difference that was settled long ago is still kept")
	}
}

// TestBillsThatAreNotUsed: of a bill that is altered, of another account or day, or no merchant's, nothing is taken in.
func TestBillsThatAreNotUsed(t *testing.T) {
	w := newWorld(t)
	moves := w.day()
	w.accounts["crane-pay"] = "1900000109"
	w.morning()
	text := string(tradeBill(moves))
	lines := strings.SplitAfter(text, "\r\n")
	before := len(w.local.Records)
	for name, test := range map[string]struct {
		text string
		src  reconcile.Source
		code moongate.Code
		says string
	}{
		"cut short":       {strings.Join(lines[:4], ""), reconcile.Source{}, moongate.Malformed, "cut short"},
		"a row less":      {strings.Replace(text, lines[3], "", 1), reconcile.Source{}, moongate.Malformed, `"8" does not hold`},
		"another hash":    {text, reconcile.Source{Published: "sha1:" + strings.Repeat("0", 40)}, moongate.Malformed, "is expected"},
		"another account": {strings.ReplaceAll(text, "1900000109", "1900000110"), reconcile.Source{}, moongate.Refused, "account 1900000110"},
		"another kind":    {text, reconcile.Source{Kind: pay.FundBill}, moongate.Malformed, "this is a trade bill"},
		"another day":     {text, reconcile.Source{Day: "2026-02-01"}, moongate.Malformed, "line 2 is of 2026-03-04"},
		"no day":          {text, reconcile.Source{Day: "today"}, moongate.Malformed, "no day"},
		"no wallet":       {text, reconcile.Source{Wallet: "tea-shop"}, moongate.NotFound, "no wallet"},
		"a letter":        {"Dear shop", reconcile.Source{}, moongate.Refused, "no bill that is known"},
		"a person's":      {"微信支付账单明细,\n共0笔记录\n交易时间,交易类型,交易对方,收/支,金额(元)\n", reconcile.Source{}, moongate.Refused, "no merchant's bill"},
		"empty, no day":   {lines[0] + lines[9] + "`0,`0.00,`0.00,`0.00,`0.00000,`0.00,`0.00\r\n", reconcile.Source{}, moongate.Malformed, "no rows"},
	} {
		src := test.src
		src.Text = strings.NewReader(test.text)
		if src.Wallet == "" {
			src.Wallet = "crane-pay"
		}
		_, err := w.importer.Import(context.Background(), "keeper", src)
		if moongate.CodeOf(err) != test.code || !strings.Contains(fmt.Sprint(err), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(w.local.Records) != before+1 { // the wallet that is none was refused by the room
		t.Errorf("%d commands were decided", len(w.local.Records)-before)
	}
	src := reconcile.Source{Wallet: "crane-pay", Text: strings.NewReader(text)}
	if _, err := w.importer.Import(context.Background(), "tea-shop", src); moongate.CodeOf(err) != moongate.Forbidden {
		t.Errorf("by somebody: %v", err)
	}
	if a, err := w.importer.Import(context.Background(), "keeper", src); err != nil || !a.Done {
		t.Errorf("as it should be, without a day: %+v, %v", a, err)
	}
}

// TestFinishWantsAll: a bill of which something is missing, or whose money does not add up, is not taken in whole.
func TestFinishWantsAll(t *testing.T) {
	w := newWorld(t)
	w.day()
	w.morning()
	name := reconcile.Name{Wallet: "crane-pay", Kind: pay.TradeBill, Day: today, Hash: "sha256:aa"}
	line := reconcile.Line{Number: "X", Row: 2, At: w.now, Currency: [3]byte{'C', 'N', 'Y'}, Settled: 5}
	begin := func(f reconcile.Figures) reconcile.Answer {
		return w.submit("keeper", &reconcile.Begin{Bill: name, Figures: f}).(reconcile.Answer)
	}
	_, err := w.do(replica.Request{Caller: "keeper", Command: &reconcile.Begin{Bill: name, Figures: reconcile.Figures{Rows: 2, Matched: 1}}})
	if moongate.CodeOf(err) != moongate.Malformed {
		t.Errorf("a row in no heap: %v", err)
	}
	sums := []reconcile.Sum{{Currency: line.Currency, Theirs: 5, Ours: 1}}
	a := begin(reconcile.Figures{Rows: 1, Differences: 1, Sums: sums})
	finish := func() error {
		_, err := w.do(replica.Request{Caller: "keeper", Command: &reconcile.Finish{Bill: a.Bill}})
		return err
	}
	if err := finish(); err == nil || !strings.Contains(err.Error(), "0 differences of 1 came") {
		t.Errorf("without its difference: %v", err)
	}
	w.submit("keeper", &reconcile.Differ{Bill: a.Bill, Items: []reconcile.Item{{Class: reconcile.MissingOurs, Line: line}}})
	if err := finish(); err == nil || !strings.Contains(err.Error(), "the bill has 5, our books 1 CNY, and the differences come to 5") {
		t.Errorf("with a gap: %v", err)
	}
	sums[0].Ours = 0
	if again := begin(reconcile.Figures{Rows: 1, Differences: 1, Sums: sums}); again.Bill != a.Bill {
		t.Errorf("begun again as %s", again.Bill)
	}
	if answer := w.submit("keeper", &reconcile.Differ{Bill: a.Bill, Items: []reconcile.Item{{Class: reconcile.MissingOurs, Line: line}}}).(reconcile.Answer); answer.Open != 1 {
		t.Errorf("%+v", answer)
	}
	if err := finish(); err != nil {
		t.Error(err)
	}
	if rows, _ := w.differences(); len(rows) != 1 {
		t.Errorf("%d differences", len(rows))
	}
}
