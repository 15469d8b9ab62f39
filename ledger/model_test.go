package ledger_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/replica"
)

// model is the ledger again, as plainly as it can be said: a list of all movements ever made, and every question
// answered by going through it from the start. It shares no code with the books.
type model struct {
	moves  []movement
	limits map[ledger.Account]ledger.Limits
}

// movement is one transfer with its legs as given, not netted.
type movement struct {
	id      moongate.ID
	legs    []leg
	status  string // held, posted, gone
	expires moongate.Time
}

// worth is the posted balance of an account, and the most that holds could take from it or bring.
func (m *model) worth(a ledger.Account) (net, out, in int64) {
	for _, mv := range m.moves {
		change := int64(0)
		for _, l := range mv.legs {
			if l.Debit == a {
				change += l.Amount
			}
			if l.Credit == a {
				change -= l.Amount
			}
		}
		if a.Purpose != ledger.Wallet && a.Purpose != ledger.Receivable {
			change = -change // grows by credits
		}
		switch {
		case mv.status == "posted":
			net += change
		case mv.status == "held" && change > 0:
			in += change
		case mv.status == "held":
			out -= change
		}
	}
	return net, out, in
}

// accepts tells whether movements can be added, one seeing the ones before it.
func (m *model) accepts(added []movement) bool {
	saved := len(m.moves)
	defer func() { m.moves = m.moves[:saved] }()
	for _, mv := range added {
		touched := map[ledger.Account]int64{}
		for _, l := range mv.legs {
			touched[l.Debit] += l.Amount
			touched[l.Credit] -= l.Amount
		}
		type worth struct{ low, high int64 }
		before := map[ledger.Account]worth{}
		for a := range touched {
			net, out, in := m.worth(a)
			before[a] = worth{net - out, net + in}
		}
		m.moves = append(m.moves, mv)
		for a, change := range touched {
			if change == 0 {
				continue
			}
			net, out, in := m.worth(a)
			l := m.limits[a]
			if l.Closed ||
				l.Least != nil && net-out < *l.Least && net-out < before[a].low ||
				l.Most != nil && net+in > *l.Most && net+in > before[a].high {
				return false
			}
		}
	}
	return true
}

func (m *model) find(id moongate.ID) *movement {
	for i := range m.moves {
		if m.moves[i].id == id {
			return &m.moves[i]
		}
	}
	return nil
}

func TestBooksAgreeWithTheModel(t *testing.T) {
	accounts := []ledger.Account{
		wallet("w"), wallet("v"), payable("a"), payable("b"), payable("c"), fee("w"),
		{Owner: "a", Currency: payable("a").Currency, Purpose: ledger.Receivable},
	}
	rapid.Check(t, func(t *rapid.T) {
		o := newOffice(ledger.Bounds{})
		m := &model{limits: map[ledger.Account]ledger.Limits{}}
		account := rapid.SampledFrom(accounts)
		var ids []moongate.ID

		drawLegs := func(t *rapid.T) []leg {
			return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) leg {
				return leg{account.Draw(t, "debit"), account.Draw(t, "credit"), rapid.Int64Range(0, 60).Draw(t, "amount")}
			}), 1, 5).Draw(t, "legs")
		}
		t.Repeat(map[string]func(*rapid.T){
			"move": func(t *rapid.T) {
				var orders []order
				var added []movement
				for range rapid.IntRange(1, 3).Draw(t, "transfers") {
					or := order{Legs: drawLegs(t), Pending: rapid.Bool().Draw(t, "pending")}
					mv := movement{legs: or.Legs, status: "posted"}
					if or.Pending {
						mv.status = "held"
						if rapid.Bool().Draw(t, "expires") {
							or.Expires = o.Now + moongate.Time(rapid.IntRange(1, 5).Draw(t, "in"))*moongate.Hour
							mv.expires = or.Expires
						}
					}
					orders, added = append(orders, or), append(added, mv)
				}
				answer, err := o.Do(replica.Request{Command: &move{orders}})
				if ok := m.accepts(added); ok != (err == nil) {
					t.Fatalf("the model accepts: %v; the books say %v", ok, err)
				}
				if err != nil {
					return
				}
				for i, r := range answer.([]ledger.Result) {
					if added[i].id = r.Transfer; r.Transfer.IsZero() {
						continue // it came to nothing
					}
					m.moves = append(m.moves, added[i])
					ids = append(ids, r.Transfer)
				}
			},
			"finish": func(t *rapid.T) {
				if len(ids) == 0 {
					t.Skip("nothing was ever held")
				}
				f := &finish{ID: rapid.SampledFrom(ids).Draw(t, "id"), Void: rapid.Bool().Draw(t, "void")}
				mv := m.find(f.ID)
				_, err := o.Do(replica.Request{Command: f})
				late := mv.expires != 0 && o.Now >= mv.expires
				if ok := mv.status == "held" && (f.Void || !late); ok != (err == nil) {
					t.Fatalf("the model has it %s, late %v; the books say %v", mv.status, late, err)
				}
				if err == nil {
					mv.status = map[bool]string{true: "gone", false: "posted"}[f.Void]
				}
			},
			"limit": func(t *rapid.T) {
				a := account.Draw(t, "account")
				l := ledger.Limits{Closed: rapid.IntRange(0, 9).Draw(t, "closed") == 0}
				if rapid.Bool().Draw(t, "has least") {
					l.Least = number(rapid.Int64Range(-100, 20).Draw(t, "least"))
				}
				if rapid.Bool().Draw(t, "has most") {
					l.Most = number(rapid.Int64Range(20, 200).Draw(t, "most"))
				}
				net, out, in := m.worth(a)
				_, err := o.Do(replica.Request{Command: &ledger.SetLimits{Account: a, Limits: l}})
				if ok := (l.Least == nil || net-out >= *l.Least) && (l.Most == nil || net+in <= *l.Most); ok != (err == nil) {
					t.Fatalf("%s stands at %d, −%d, +%d; the books say %v", a, net, out, in, err)
				}
				if err == nil {
					m.limits[a] = l
				}
			},
			"wait": func(t *rapid.T) {
				if err := o.Tick(o.Now + moongate.Time(rapid.IntRange(0, 3).Draw(t, "hours"))*moongate.Hour); err != nil {
					t.Fatal(err)
				}
				for i := range m.moves {
					if mv := &m.moves[i]; mv.status == "held" && mv.expires != 0 && mv.expires <= o.Now {
						mv.status = "gone"
					}
				}
			},
			"restart": func(t *rapid.T) { o = o.restart(t) },
			"": func(t *rapid.T) {
				for _, a := range accounts {
					net, out, in := m.worth(a)
					b := o.books.Balance(a)
					if b.Net(a.Purpose) != net || b.Low(a.Purpose) != net-out || b.High(a.Purpose) != net+in {
						t.Fatalf("%s is %+v; the model says %d, −%d, +%d", a, b, net, out, in)
					}
				}
			},
		})
		o.audit(t)

		// The chain of each account leads through every transfer that touched it, newest first.
		entries, err := o.Entries()
		if err != nil {
			t.Fatal(err)
		}
		want := map[ledger.Account]int{}
		for _, e := range entries {
			switch v := e.Event.(type) {
			case *ledger.Transferred:
				for _, p := range v.Postings {
					want[p.Account]++
				}
			case *ledger.Resolved:
				for _, p := range v.Postings {
					want[p.Account]++
				}
			}
		}
		for _, owner := range []string{"w", "v", "a", "b", "c"} {
			for _, b := range o.books.Accounts(owner, 0, 100) {
				lines, next, err := ledger.History(func(p journal.Position) (journal.Entry, error) { return entries[p-1], nil }, b.Account, b.Head, 1_000_000)
				if err != nil || next != 0 || len(lines) != want[b.Account] {
					t.Fatalf("%s: %d lines of %d, %d, %v", b.Account, len(lines), want[b.Account], next, err)
				}
				if !slices.IsSortedFunc(lines, func(x, y ledger.Line) int { return int(y.Position) - int(x.Position) }) {
					t.Fatalf("%s: history is out of order", b.Account)
				}
				delete(want, b.Account)
			}
		}
		if len(want) > 0 {
			t.Fatal(fmt.Sprintf("accounts without history: %v", slices.Collect(maps.Keys(want))))
		}
	})
}
