package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/share"
)

const (
	market    = "market"
	publisher = "publisher"
	wallet    = "wallet"
)

// gate is the smallest gate there can be: a command that describes a passage.
type gate struct {
	crossings *crossing.State
	books     *ledger.State
}

// buy is a payment of one seller's goods, through a wallet, after a publisher's link.
type buy struct {
	Agreement moongate.ID   `cbor:"1,keyasint"`
	Seller    string        `cbor:"2,keyasint"`
	Amount    int64         `cbor:"3,keyasint"`
	Touches   []share.Touch `cbor:"4,keyasint,omitempty"`
}

func (*buy) CommandKind() string { return "bench.buy" }

// AppendCBOR writes the command as the library would: what is measured is the core, not a gate's own encoding.
func (c *buy) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.ID(1, c.Agreement)
	w.Text(2, c.Seller)
	w.Int(3, c.Amount)
	if len(c.Touches) > 0 {
		w.Array(4, len(c.Touches), false)
		for i := range c.Touches {
			t := journal.BeginMap(w.End())
			t.Text(1, c.Touches[i].Party)
			t.Int(2, int64(c.Touches[i].At))
			t.SomeText(3, c.Touches[i].Channel)
			t.SomeInt(4, c.Touches[i].Weight)
			w.Resume(t.End())
		}
	}
	return w.End()
}

// paid is the answer.
type paid struct {
	Crossing moongate.ID `cbor:"1,keyasint"`
}

// AppendCBOR writes the answer as the library would.
func (p paid) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.ID(1, p.Crossing)
	return w.End()
}

func (g *gate) buy(step *replica.Step, c *buy) (paid, error) {
	p, err := g.crossings.Plan(step, crossing.Passage{
		Kind: crossing.Payment, Agreement: c.Agreement, From: publisher, To: market, Currency: money.CNY, Amount: c.Amount,
		Payees: []crossing.Payee{{Party: c.Seller, Amount: c.Amount}}, Wallet: wallet, Touches: c.Touches,
	})
	if err != nil {
		return paid{}, err
	}
	return paid{p.Emit(step).ID}, nil
}

// openMany opens accounts, each with a posting: the smallest thing that an account can be.
type openMany struct {
	From  int `cbor:"1,keyasint"`
	Count int `cbor:"2,keyasint"`
}

func (*openMany) CommandKind() string { return "bench.open" }

func (g *gate) openMany(step *replica.Step, c *openMany) (struct{}, error) {
	legs := make([]ledger.Leg, c.Count)
	for i := range legs {
		legs[i] = ledger.Leg{
			Debit:  ledger.Account{Owner: fmt.Sprintf("account-%07d", c.From+i), Currency: money.CNY, Purpose: ledger.Receivable},
			Credit: ledger.Account{Owner: market, Currency: money.CNY, Purpose: ledger.Payable}, Amount: 1,
		}
	}
	p, err := g.books.Plan(step, ledger.Transfer{Crossing: step.NewID(moongate.KindCrossing), Legs: legs})
	if err == nil {
		p.Emit(step)
	}
	return struct{}{}, err
}

// terms are signed by everybody in the bench: a commission, a wallet fee, and a share of the commission.
const terms = `
moongate: agreement/1
id: bench
version: 1
name: {en: Bench}
parties:
  - {role: marketplace, id: market, name: Market}
  - {role: publisher, id: publisher, name: Publisher}
  - {role: wallet, id: wallet, name: Wallet}
  - {role: seller, open: merchant, name: any seller}
valid: {from: "2020-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z", notice: 30d}
scope: {kinds: [link, payment, refund, conversion], currencies: [CNY], beneficiary: seller}
fees:
  - {id: commission, from: seller, to: marketplace, of: gross, bps: 500}
  - {id: wallet_fee, from: seller, to: wallet, of: gross, bps: 60}
share: {rule: last_touch, from: marketplace, to: publisher, pool_bps: 4000, of: commission, window: 30d}
settlement: {window: 1d, currency: CNY, netting: multilateral, delay: 1d}
offer: {kind: open}
`

// world is a node with the rooms that a crossing needs.
type world struct {
	node      *replica.Node
	machine   *replica.Machine
	rooms     []replica.Room
	agreement moongate.ID
	ledger    *ledger.State
	sellers   int
	now       func() time.Time

	paid   atomic.Int64 // what was acknowledged, in minor units
	once   sync.Once
	broken atomic.Pointer[error] // a fault that ended the node
	closed error
}

// newWorld opens a node in which everybody is registered and has signed.
func newWorld(ctx context.Context, opt Options, dir string) (*world, error) {
	w, err := open(ctx, opt, dir)
	if err != nil {
		return nil, err
	}
	if err := w.furnish(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// snapshotBytes is less than a hub's default, so that even a short run has snapshots in it.
const snapshotBytes = 64 << 20

// open puts the rooms behind a node.
func open(ctx context.Context, opt Options, dir string) (*world, error) {
	w := &world{now: opt.Now, sellers: opt.size().sellers}
	parties := party.New(party.Limits{})
	agreements := agreement.New(parties, agreement.Limits{})
	w.ledger = ledger.New(ledger.Bounds{}, parties.IsOperator)
	crossings := crossing.New(parties, agreements, w.ledger, crossing.Bounds{})
	w.rooms = []replica.Room{parties, agreements, w.ledger, crossings}
	w.machine = replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{Keys: 50_000_000}, w.rooms...)
	parties.Register(w.machine)
	agreements.Register(w.machine)
	w.ledger.Register(w.machine)
	g := &gate{crossings, w.ledger}
	replica.Handle(w.machine, g.buy)
	replica.Handle(w.machine, g.openMany)
	var drawn atomic.Uint64
	var base [32]byte
	opt.Random(base[:])
	var err error
	w.node, err = replica.Open(ctx, w.machine, replica.Options{
		Dir: dir, Hub: moongate.Hub{1, 2, 3}, Secret: make([]byte, 32),
		Clock: func() moongate.Time { return moongate.At(opt.Now()) },
		// As fast as a generator of random numbers for each processor: a counter under a secret.
		Seed: func(*replica.Request) [32]byte {
			s := base
			binary.BigEndian.PutUint64(s[:], drawn.Add(1))
			return s
		},
		TickEvery: time.Second, SnapshotBytes: snapshotBytes, Sync: opt.sync,
		Fatal: func(err error) {
			w.broken.CompareAndSwap(nil, &err)
			go w.close() //nolint:errcheck // the fault is told; closing answers everybody who waits
		},
	})
	return w, err
}

// close ends the node, and gives the fault that did if there was one.
func (w *world) close() error {
	w.once.Do(func() { w.closed = w.node.Close() })
	return w.fault(context.Background(), w.closed)
}

// fault is what lies behind an error that somebody met: the fault that ended the node, or that the run was broken off.
func (w *world) fault(ctx context.Context, err error) error {
	if e := w.broken.Load(); e != nil {
		return fmt.Errorf("bench: the hub broke: %w", *e)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func seller(i int) string { return fmt.Sprintf("seller-%04d", i) }

func key(handle string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("bench/" + handle))
	return ed25519.NewKeyFromSeed(seed[:])
}

// furnish registers everybody and has them sign.
func (w *world) furnish(ctx context.Context) error {
	var all sync.WaitGroup
	var first atomic.Pointer[error]
	submit := func(r replica.Request) {
		all.Add(1)
		w.node.Go(r, func(_ any, err error) {
			if err != nil {
				first.CompareAndSwap(nil, &err)
			}
			all.Done()
		})
	}
	wait := func() error {
		all.Wait()
		if e := first.Load(); e != nil {
			return *e
		}
		return nil
	}
	register := func(kind party.Kind, handle string) {
		k, err := party.Prove(key(handle), handle)
		if err != nil {
			first.CompareAndSwap(nil, &err)
			return
		}
		submit(replica.Request{Command: &party.Register{Handle: handle, Kind: kind, Name: handle, Keys: []party.NewKey{k}}})
	}
	register(party.Platform, market)
	register(party.Publisher, publisher)
	register(party.Wallet, wallet)
	for i := range w.sellers {
		register(party.Merchant, seller(i))
	}
	if err := wait(); err != nil {
		return err
	}
	doc, err := agreement.Parse([]byte(terms))
	if err != nil {
		return err
	}
	p, err := replica.Submit[agreement.Proposal](ctx, w.node, replica.Request{Caller: market, Command: &agreement.Propose{Document: doc.Canonical()}})
	if err != nil {
		return err
	}
	w.agreement = p.Agreement
	for _, s := range []struct {
		who  string
		role agreement.Role
	}{{market, "marketplace"}, {publisher, "publisher"}, {wallet, "wallet"}} {
		sig, err := doc.SignAs(key(s.who), s.role, s.who)
		if err != nil {
			return err
		}
		submit(replica.Request{Caller: s.who, Command: &agreement.Sign{Agreement: p.Agreement, Version: 1, Role: s.role, Party: s.who, Key: keyID(s.who), Signature: party.Signature(sig)}})
	}
	if err := wait(); err != nil {
		return err
	}
	for i := range w.sellers {
		who := seller(i)
		sig, err := doc.SignAs(key(who), "seller", who)
		if err != nil {
			return err
		}
		submit(replica.Request{Caller: who, Command: &agreement.Accept{Agreement: p.Agreement, Version: 1, Role: "seller", Party: who, Key: keyID(who), Signature: party.Signature(sig)}})
	}
	return wait()
}

func keyID(handle string) string {
	return party.PublicKey(key(handle).Public().(ed25519.PublicKey)).ID()
}

// load pays from many submitters at once, and gives what they saw. Hold, if any, is called before each.
func (w *world) load(ctx context.Context, submitters int, hot bool, during time.Duration, hold func()) (measured, error) {
	touches := []share.Touch{{Party: publisher, At: moongate.At(w.now())}}
	began := strconv.FormatInt(w.now().UnixNano(), 36)
	names := make([]string, w.sellers)
	for i := range names {
		names[i] = seller(i)
	}
	type submitter struct {
		key    string // of its requests, but for their number
		ch     chan error
		answer func(any, error)
	}
	all := make([]submitter, submitters)
	for i := range all {
		ch := make(chan error, 1)
		all[i] = submitter{began + "/" + strconv.Itoa(i) + "/", ch, func(_ any, err error) { ch <- err }}
	}
	m, err := spell(ctx, submitters, during, w.now, func(s, i int) error {
		n := (s*7919 + i*104729) % w.sellers
		if hot {
			n = 0
		}
		if hold != nil {
			hold()
		}
		c := &buy{Agreement: w.agreement, Seller: names[n], Amount: 10_000 + int64(i%977), Touches: touches}
		w.node.Go(replica.Request{Caller: market, Key: all[s].key + strconv.Itoa(i), Command: c}, all[s].answer)
		err := <-all[s].ch // the node answers everybody, at the latest when it is closed
		if err == nil {
			w.paid.Add(c.Amount)
		}
		return err
	})
	return m, w.fault(ctx, err)
}

// audit holds the books against what was acknowledged: a rate of crossings that are not in them would be none.
func (w *world) audit() error {
	var have int64
	w.machine.Read(func() {
		have = w.ledger.Balance(ledger.Account{Owner: wallet, Currency: money.CNY, Purpose: ledger.Wallet}).Debits
	})
	if want := w.paid.Load(); have != want {
		return fmt.Errorf("bench: crossings of %d were acknowledged, and the wallet's account holds %d", want, have)
	}
	return nil
}

// bytes is how much of the journal is durable.
func (w *world) bytes() int64 {
	n := int64(0)
	files, _, _ := w.node.Journal().Files()
	for _, f := range files {
		n += f.Size
	}
	return n
}
