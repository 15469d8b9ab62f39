package ledger_test

import (
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/replica"
)

const start = moongate.Time(1_700_000_000_000_000)

// desk is a room above the ledger, as small as one can be: its commands plan, and emit when every plan stands.
type desk struct{ books *ledger.State }

// move asks for several transfers in one command: all or none. It emits them last to first, to show that the order
// does not matter.
type move struct {
	Transfers []order `cbor:"1,keyasint"`
}

type order struct {
	Crossing moongate.ID   `cbor:"1,keyasint"`
	Pending  bool          `cbor:"2,keyasint"`
	Expires  moongate.Time `cbor:"3,keyasint"`
	Legs     []leg         `cbor:"4,keyasint"`
}

type leg struct {
	Debit  ledger.Account `cbor:"1,keyasint"`
	Credit ledger.Account `cbor:"2,keyasint"`
	Amount int64          `cbor:"3,keyasint"`
}

// finish ends a pending transfer.
type finish struct {
	ID   moongate.ID `cbor:"1,keyasint"`
	Void bool        `cbor:"2,keyasint"`
	Legs []leg       `cbor:"3,keyasint"`
}

func (*move) CommandKind() string   { return "desk.move" }
func (*finish) CommandKind() string { return "desk.finish" }

func legsOf(legs []leg) []ledger.Leg {
	var out []ledger.Leg
	for _, l := range legs {
		out = append(out, ledger.Leg(l))
	}
	return out
}

func (d *desk) move(step *replica.Step, c *move) ([]ledger.Result, error) {
	var plans []*ledger.Plan
	for _, o := range c.Transfers {
		p, err := d.books.Plan(step, ledger.Transfer{Crossing: o.Crossing, Pending: o.Pending, Expires: o.Expires, Legs: legsOf(o.Legs)})
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	results := make([]ledger.Result, len(plans))
	for i := len(plans) - 1; i >= 0; i-- {
		results[i] = plans[i].Emit(step)
	}
	return results, nil
}

func (d *desk) finish(step *replica.Step, c *finish) (ledger.Result, error) {
	var p *ledger.Plan
	var err error
	if c.Void {
		p, err = d.books.PlanVoid(step, c.ID)
	} else {
		p, err = d.books.PlanPost(step, c.ID, legsOf(c.Legs)...)
	}
	if err != nil {
		return ledger.Result{}, err
	}
	return p.Emit(step), nil
}

// office is a machine with books and a desk.
type office struct {
	*replica.Local
	books  *ledger.State
	bounds ledger.Bounds
}

func newMachine(bounds ledger.Bounds) (*replica.Machine, *ledger.State) {
	books := ledger.New(bounds, func(handle string) bool { return handle == "operator" })
	m := replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{}, books)
	books.Register(m)
	d := &desk{books}
	replica.Handle(m, d.move)
	replica.Handle(m, d.finish)
	return m, books
}

func newOffice(bounds ledger.Bounds) *office {
	m, books := newMachine(bounds)
	return &office{replica.NewLocal(m, start), books, bounds}
}

// audit asks what must hold at the end of every test.
func (o *office) audit(t fataler) {
	t.Helper()
	for _, p := range o.books.Check() {
		t.Fatalf("%s: %s", p.Account, p.Message)
	}
	fresh, _ := newMachine(o.bounds)
	if err := o.Refold(fresh); err != nil {
		t.Fatal(err)
	}
	// What is derived after a restart decides alike.
	again := o.restart(t)
	for _, l := range []*office{o, again} {
		if err := l.Tick(l.Now + 1000*moongate.Day); err != nil {
			t.Fatal(err)
		}
	}
	a, err := o.Machine.NodeHash()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := again.Machine.NodeHash(); err != nil || a != b {
		t.Fatalf("after a restart the books go another way: %v", err)
	}
}

// restart writes the state down and goes on from it.
func (o *office) restart(t fataler) *office {
	t.Helper()
	m, books := newMachine(o.bounds)
	l, err := o.Resume(m)
	if err != nil {
		t.Fatal(err)
	}
	return &office{l, books, o.bounds}
}

type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func (o *office) move(t testing.TB, orders ...order) []ledger.Result {
	t.Helper()
	a, err := o.Do(replica.Request{Command: &move{orders}})
	if err != nil {
		t.Fatal(err)
	}
	return a.([]ledger.Result)
}

func (o *office) limit(t testing.TB, a ledger.Account, l ledger.Limits) {
	t.Helper()
	if _, err := o.Do(replica.Request{Command: &ledger.SetLimits{Account: a, Limits: l}}); err != nil {
		t.Fatal(err)
	}
}

func (o *office) read(t testing.TB) ledger.Reader {
	t.Helper()
	entries, err := o.Entries()
	if err != nil {
		t.Fatal(err)
	}
	return func(p journal.Position) (journal.Entry, error) { return entries[p-1], nil }
}

func wallet(owner string) ledger.Account {
	return ledger.Account{Owner: owner, Currency: money.CNY, Purpose: ledger.Wallet}
}

func payable(owner string) ledger.Account {
	return ledger.Account{Owner: owner, Currency: money.CNY, Purpose: ledger.Payable}
}

func fee(owner string) ledger.Account {
	return ledger.Account{Owner: owner, Currency: money.CNY, Purpose: ledger.Fee}
}

func number(n int64) *int64 { return &n }
