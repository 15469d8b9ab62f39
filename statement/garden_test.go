package statement_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
	"github.com/moongate-hub/moongate/share"
	"github.com/moongate-hub/moongate/statement"
)

// gate is a room above crossings, as small as one can be.
type gate struct{ crossings *crossing.State }

type cross struct {
	Passage crossing.Passage `cbor:"1,keyasint"`
}

type finish struct {
	ID   moongate.ID `cbor:"1,keyasint"`
	Void bool        `cbor:"2,keyasint"`
}

func (*cross) CommandKind() string  { return "gate.cross" }
func (*finish) CommandKind() string { return "gate.finish" }

func (g *gate) cross(step *replica.Step, c *cross) (moongate.ID, error) {
	plan, err := g.crossings.Plan(step, c.Passage)
	if err != nil {
		return moongate.ID{}, err
	}
	return plan.Emit(step).ID, nil
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

type rooms struct {
	machine    *replica.Machine
	parties    *party.State
	agreements *agreement.State
	books      *ledger.State
	crossings  *crossing.State
	settle     *settle.State
	statements *statement.State
}

func newRooms() rooms {
	var r rooms
	r.parties = party.New(party.Limits{})
	r.agreements = agreement.New(r.parties, agreement.Limits{})
	r.books = ledger.New(ledger.Bounds{}, r.parties.IsOperator)
	r.crossings = crossing.New(r.parties, r.agreements, r.books, crossing.Bounds{})
	r.settle = settle.New(r.parties, r.agreements, r.books)
	r.statements = statement.New(r.parties, r.agreements, r.books, r.settle)
	r.machine = replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{}, r.parties, r.agreements, r.books, r.crossings, r.settle, r.statements)
	r.parties.Register(r.machine)
	r.agreements.Register(r.machine)
	r.books.Register(r.machine)
	r.settle.Register(r.machine)
	r.statements.Register(r.machine)
	g := &gate{r.crossings}
	replica.Handle(r.machine, g.cross)
	replica.Handle(r.machine, g.finish)
	return r
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// garden is a world with participants and one agreement.
type garden struct {
	t fataler
	*replica.Local
	rooms
	terms moongate.ID

	journal []journal.Entry // decoded so far
	decoded int             // records
}

var start = at("2026-03-10T08:00:00+08:00")

func at(text string) (t moongate.Time) {
	if err := t.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return t
}

// newGarden has the agreement three-gardens in force, with changes to its text.
func newGarden(t fataler, changes ...string) *garden {
	t.Helper()
	r := newRooms()
	g := &garden{t: t, Local: replica.NewLocal(r.machine, start), rooms: r}
	for _, p := range []struct {
		handle string
		kind   party.Kind
	}{
		{"keeper", party.Operator},
		{"lotus-market", party.Platform},
		{"willow-reads", party.Publisher},
		{"plum-notes", party.Publisher},
		{"crane-pay", party.Wallet},
		{"carp-pay", party.Wallet},
		{"tea-shop", party.Merchant},
		{"ink-shop", party.Merchant},
		{"kite-shop", party.Merchant},
		{"pavilion-store", party.Platform},
		{"tea-timer", party.App},
	} {
		key, err := party.Prove(keyOf(p.handle), p.handle)
		if err != nil {
			t.Fatal(err)
		}
		g.do("", &party.Register{Handle: p.handle, Kind: p.kind, Name: p.handle, Keys: []party.NewKey{key}})
	}
	g.terms = g.agree("three-gardens.yaml", changes, "tea-shop", "ink-shop", "kite-shop")
	return g
}

func keyOf(handle string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(handle))
	return ed25519.NewKeyFromSeed(seed[:])
}

// agree brings an example into force, with changes to its text, and has shops accept its open role.
func (g *garden) agree(file string, changes []string, accepting ...string) moongate.ID {
	g.t.Helper()
	text := string(agreement.Examples()[file])
	for i := 0; i+1 < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			g.t.Fatalf("%s does not contain %q", file, changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	d, err := agreement.Parse([]byte(text))
	if err != nil {
		g.t.Fatal(err)
	}
	id := g.do("", &agreement.Propose{Document: d.Canonical()}).(agreement.Proposal).Agreement
	sign := func(role agreement.Role, who string) *agreement.Sign {
		key := keyOf(who)
		signature, err := d.SignAs(key, role, who)
		if err != nil {
			g.t.Fatal(err)
		}
		return &agreement.Sign{Agreement: id, Version: d.Version, Role: role, Party: who, Key: party.PublicKey(key.Public().(ed25519.PublicKey)).ID(), Signature: party.Signature(signature)}
	}
	for _, p := range d.Parties {
		for _, who := range append(slices.Clone(p.Members), p.ID) {
			if who != "" {
				g.do("", sign(p.Role, who))
			}
		}
	}
	for _, p := range d.Parties {
		for _, who := range accepting {
			if p.Open != "" {
				g.do("", (*agreement.Accept)(sign(p.Role, who)))
			}
		}
	}
	return id
}

func (g *garden) do(caller string, c replica.Command) any {
	g.t.Helper()
	a, err := g.Do(replica.Request{Caller: caller, Command: c})
	if err != nil {
		g.t.Fatalf("%s: %v", c.CommandKind(), err)
	}
	return a
}

func (g *garden) refuse(caller string, c replica.Command, code moongate.Code, says string) {
	g.t.Helper()
	_, err := g.Do(replica.Request{Caller: caller, Command: c})
	if moongate.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		g.t.Errorf("%s by %q: %s %v; want %s %q", c.CommandKind(), caller, moongate.CodeOf(err), err, code, says)
	}
}

// buy has somebody pay a shop through a wallet, after a visit to willow-reads where touched.
func (g *garden) buy(shop, wallet string, amount int64, touched bool) moongate.ID {
	g.t.Helper()
	return g.do("", &cross{g.purchase(shop, wallet, amount, touched)}).(moongate.ID)
}

func (g *garden) purchase(shop, wallet string, amount int64, touched bool) crossing.Passage {
	p := crossing.Passage{
		Kind: crossing.Payment, Agreement: g.terms, From: "lotus-market", To: wallet, Wallet: wallet, Currency: money.CNY, Amount: amount,
		Payees: []crossing.Payee{{Party: shop, Amount: amount}},
	}
	if touched {
		p.Touches = []share.Touch{{Party: "willow-reads", At: g.Now - moongate.Minute}}
	}
	return p
}

func (g *garden) tick(to moongate.Time) {
	g.t.Helper()
	if err := g.Tick(to); err != nil {
		g.t.Fatal(err)
	}
}

// entries decodes the journal, every record once.
func (g *garden) entries() []journal.Entry {
	g.t.Helper()
	for _, r := range g.Records[g.decoded:] {
		pos := r.First
		for _, d := range r.Done {
			for _, st := range d.Events {
				e, err := g.Machine.Registry().Decode(st)
				if err != nil {
					g.t.Fatal(err)
				}
				g.journal = append(g.journal, journal.Entry{Position: pos, At: d.At, Caller: d.Caller, Event: e})
				pos++
			}
		}
	}
	g.decoded = len(g.Records)
	return g.journal
}

// out lists the instructions that have gone out and are neither paid nor returned.
func (g *garden) out() []settle.Instruction {
	g.t.Helper()
	var all []settle.Instruction
	for _, e := range g.entries() {
		if v, ok := e.Event.(*settle.Instructed); ok {
			if i, ok := g.settle.Instruction(v.ID); ok {
				all = append(all, i)
			}
		}
	}
	return all
}

// pay has every instruction that has gone out paid.
func (g *garden) pay() {
	g.t.Helper()
	for _, i := range g.out() {
		g.do("keeper", &settle.Report{Instruction: i.ID, Progress: settle.Paid, Ref: "w-1"})
	}
}

func (g *garden) net(owner string, purpose ledger.Purpose, c money.Currency) int64 {
	return g.books.Balance(ledger.Account{Owner: owner, Currency: c, Purpose: purpose}).Net(purpose)
}

// audit asks what must hold at the end of every test.
func (g *garden) audit() {
	g.t.Helper()
	for _, p := range g.settle.Check() {
		g.t.Errorf("%s", p)
	}
	for _, p := range g.books.Check() {
		g.t.Errorf("%s: %s", p.Account, p.Message)
	}
	if err := g.Refold(newRooms().machine); err != nil {
		g.t.Fatal(err)
	}
	resumed, err := g.Resume(newRooms().machine)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, l := range []*replica.Local{g.Local, resumed} {
		for range 3 {
			if err := l.Tick(l.Now + moongate.Day); err != nil {
				g.t.Fatal(err)
			}
		}
	}
	a, err := g.Machine.NodeHash()
	if err != nil {
		g.t.Fatal(err)
	}
	if b, err := resumed.Machine.NodeHash(); err != nil || a != b {
		g.t.Fatalf("after a restart the state goes another way: %v", err)
	}
}

var _ fataler = (*testing.T)(nil)
