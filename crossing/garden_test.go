package crossing_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
)

// gate is a room above crossings, as small as one can be.
type gate struct {
	crossings *crossing.State
	books     *ledger.State
	kept      []*crossing.Recorded // which no gate may keep
}

// cross asks for passages, all or none. Where Suspend is set, money whose crossing is refused goes into suspense. Where
// Twice is set, every plan is made, dropped and made again.
type cross struct {
	Passages []crossing.Passage `cbor:"1,keyasint"`
	Suspend  bool               `cbor:"2,keyasint"`
	Twice    bool               `cbor:"3,keyasint"`
}

// finish ends a pending crossing.
type finish struct {
	ID   moongate.ID `cbor:"1,keyasint"`
	Void bool        `cbor:"2,keyasint"`
}

func (*cross) CommandKind() string  { return "gate.cross" }
func (*finish) CommandKind() string { return "gate.finish" }

func (g *gate) cross(step *replica.Step, c *cross) ([]moongate.ID, error) {
	var plans []*crossing.Plan
	var declined []*crossing.Refused
	for _, p := range c.Passages {
		plan, err := g.crossings.Plan(step, p)
		if err == nil && c.Twice {
			plan.Drop(step)
			plan, err = g.crossings.Plan(step, p)
		}
		var e *moongate.Error
		if c.Suspend && errors.As(err, &e) {
			declined = append(declined, g.crossings.Refusal(step, p, e))
			plan, err = g.crossings.Plan(step, crossing.Passage{Kind: crossing.Exception, From: p.From, To: p.To, Wallet: p.Wallet, Currency: p.Currency, Amount: p.Amount, Pending: p.Pending})
		}
		if err != nil {
			return nil, err
		}
		plans = append(plans, plan)
	}
	for _, d := range declined {
		step.Emit(d)
	}
	ids := make([]moongate.ID, len(plans))
	for i := len(plans) - 1; i >= 0; i-- { // the order of plans does not bind the order of events
		e := plans[i].Emit(step)
		ids[i], g.kept = e.ID, append(g.kept, e)
	}
	return ids, nil
}

func (g *gate) finish(step *replica.Step, c *finish) (struct{}, error) {
	end := g.crossings.PlanComplete
	if c.Void {
		end = g.crossings.PlanVoid
	}
	plan, err := end(step, c.ID)
	if err != nil {
		return struct{}{}, err
	}
	plan.Emit(step)
	return struct{}{}, nil
}

// rooms is a hub as far as crossings need one.
type rooms struct {
	machine    *replica.Machine
	parties    *party.State
	agreements *agreement.State
	books      *ledger.State
	crossings  *crossing.State
	gate       *gate
}

func newRooms(bounds crossing.Bounds) rooms {
	var r rooms
	r.parties = party.New(party.Limits{})
	r.agreements = agreement.New(r.parties, agreement.Limits{})
	r.books = ledger.New(ledger.Bounds{}, r.parties.IsOperator)
	r.crossings = crossing.New(r.parties, r.agreements, r.books, bounds)
	r.machine = replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{}, r.parties, r.agreements, r.books, r.crossings)
	r.parties.Register(r.machine)
	r.agreements.Register(r.machine)
	r.books.Register(r.machine)
	r.gate = &gate{crossings: r.crossings, books: r.books}
	replica.Handle(r.machine, r.gate.cross)
	replica.Handle(r.machine, r.gate.finish)
	return r
}

// garden is a world with participants and agreements.
type garden struct {
	*replica.Local
	rooms
	bounds crossing.Bounds
	terms  moongate.ID // of three-gardens
}

var start = mustTime("2026-03-10T08:00:00Z")

func mustTime(text string) (t moongate.Time) {
	if err := t.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return t
}

type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// newGarden has the participants of the examples and the agreement three-gardens in force. It goes on from one that was
// planted before, since signing and checking what is signed takes longer than most tests.
func newGarden(t fataler, bounds crossing.Bounds) *garden {
	t.Helper()
	planted.Do(func() { seedling = plant(t) })
	r := newRooms(bounds)
	local, err := seedling.Resume(r.machine)
	if err != nil {
		t.Fatal(err)
	}
	return &garden{Local: local, rooms: r, bounds: bounds, terms: seedling.terms}
}

var (
	planted  sync.Once
	seedling *garden
)

func plant(t fataler) *garden {
	t.Helper()
	r := newRooms(crossing.Bounds{})
	g := &garden{Local: replica.NewLocal(r.machine, start), rooms: r}
	for handle, kind := range map[string]party.Kind{
		"lotus-market": party.Platform, "willow-reads": party.Publisher, "plum-notes": party.Publisher, "crane-pay": party.Wallet,
		"carp-pay": party.Wallet, "tea-shop": party.Merchant, "ink-shop": party.Merchant, "pavilion-store": party.Platform,
		"tea-timer": party.App, "stranger": party.Merchant, "keeper": party.Operator,
	} {
		key, err := party.Prove(keyOf(handle), handle)
		if err != nil {
			t.Fatal(err)
		}
		g.do(t, &party.Register{Handle: handle, Kind: kind, Name: handle, Keys: []party.NewKey{key}})
	}
	g.terms = g.agree(t, string(agreement.Examples()["three-gardens.yaml"]), "lotus-market", "willow-reads", "plum-notes", "crane-pay", "carp-pay")
	for _, shop := range []string{"tea-shop", "ink-shop"} {
		g.accept(t, g.terms, agreement.Seller, shop)
	}
	return g
}

func keyOf(handle string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(handle))
	return ed25519.NewKeyFromSeed(seed[:])
}

func (g *garden) do(t fataler, c replica.Command) any {
	t.Helper()
	a, err := g.Do(replica.Request{Command: c})
	if err != nil {
		t.Fatalf("%s: %v", c.CommandKind(), err)
	}
	return a
}

// agree proposes a document and has everybody who is named sign it.
func (g *garden) agree(t fataler, text string, signers ...string) moongate.ID {
	t.Helper()
	d, err := agreement.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	id := g.do(t, &agreement.Propose{Document: d.Canonical()}).(agreement.Proposal).Agreement
	for _, who := range signers {
		for _, p := range d.Parties {
			if p.Open != "" || !p.Names(who) {
				continue
			}
			signature, err := d.SignAs(keyOf(who), p.Role, who)
			if err != nil {
				t.Fatal(err)
			}
			g.do(t, &agreement.Sign{Agreement: id, Version: d.Version, Role: p.Role, Party: who, Key: keyID(who), Signature: party.Signature(signature)})
		}
	}
	return id
}

func (g *garden) accept(t fataler, id moongate.ID, role agreement.Role, who string) {
	t.Helper()
	terms, err := g.agreements.InForce(id, g.Now)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := terms.Doc.SignAs(keyOf(who), role, who)
	if err != nil {
		t.Fatal(err)
	}
	g.do(t, &agreement.Accept{Agreement: id, Version: terms.Doc.Version, Role: role, Party: who, Key: keyID(who), Signature: party.Signature(signature)})
}

func keyID(who string) string {
	return party.PublicKey(keyOf(who).Public().(ed25519.PublicKey)).ID()
}

// cross asks for one passage.
func (g *garden) cross(p crossing.Passage) (moongate.ID, error) {
	a, err := g.Do(replica.Request{Command: &cross{Passages: []crossing.Passage{p}}})
	if err != nil {
		return moongate.ID{}, err
	}
	return a.([]moongate.ID)[0], nil
}

func (g *garden) mustCross(t fataler, p crossing.Passage) moongate.ID {
	t.Helper()
	id, err := g.cross(p)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// recorded finds a crossing's event.
func (g *garden) recorded(t fataler, id moongate.ID) *crossing.Recorded {
	t.Helper()
	for _, e := range g.entries(t) {
		if r, ok := e.Event.(*crossing.Recorded); ok && r.ID == id {
			return r
		}
	}
	t.Fatalf("crossing %s is not in the journal", id)
	return nil
}

func (g *garden) entries(t fataler) []journal.Entry {
	t.Helper()
	entries, err := g.Entries()
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// sides writes a crossing's lines as a table.
func sides(r *crossing.Recorded) string {
	var b strings.Builder
	for _, s := range r.Sides {
		for _, l := range s.Lines {
			fmt.Fprintf(&b, "%s %s %d", s.Party, l.What, l.Amount)
			if l.Fee != "" {
				fmt.Fprintf(&b, " %s", l.Fee)
			}
			if l.Accrue {
				b.WriteString(" accrues")
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// net is an account's posted balance.
func (g *garden) net(owner string, purpose ledger.Purpose, of ...moongate.ID) int64 {
	a := ledger.Account{Owner: owner, Currency: money.CNY, Purpose: purpose}
	if len(of) > 0 {
		a.Of = of[0]
	}
	return g.books.Balance(a).Net(purpose)
}

// audit asks what must hold at the end of every test.
func (g *garden) audit(t fataler) {
	t.Helper()
	for _, p := range g.books.Check() {
		t.Fatalf("%s: %s", p.Account, p.Message)
	}
	if err := g.Refold(newRooms(g.bounds).machine); err != nil {
		t.Fatal(err)
	}
	// What is derived after a restart decides alike.
	resumed, err := g.Resume(newRooms(g.bounds).machine)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []*replica.Local{g.Local, resumed} {
		for range 3 {
			if err := l.Tick(l.Now + 100*moongate.Day); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, err := g.Machine.NodeHash()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := resumed.Machine.NodeHash(); err != nil || a != b {
		t.Fatalf("after a restart the state goes another way: %v", err)
	}
}

// purchase is 100.00 at the tea shop, 8.00 of it freight, after a journey through both publishers.
func (g *garden) purchase() crossing.Passage {
	return crossing.Passage{
		Kind: crossing.Payment, Agreement: g.terms, From: "lotus-market", To: "crane-pay", Wallet: "crane-pay", Currency: money.CNY,
		Amount: 10_000, Payees: []crossing.Payee{{Party: "tea-shop", Amount: 10_000, Freight: 800}}, Touches: journey(g.Now), Subject: "p-1",
	}
}
