package bench

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/share"
	"github.com/moongate-hub/moongate/view"
)

// Options of a run.
type Options struct {
	Dir    string // for data; removed afterwards
	Quick  bool
	Now    func() time.Time
	Random func([]byte)
	// Progress is told what is being measured.
	Progress func(what string)
}

func (o *Options) during() time.Duration {
	if o.Quick {
		return 3 * time.Second
	}
	return 10 * time.Second
}

const (
	sellers   = 2000
	market    = "market"
	publisher = "publisher"
	wallet    = "wallet"
)

// gate is the smallest gate there can be: a command that describes a passage.
type gate struct{ crossings *crossing.State }

// buy is a payment of one seller's goods, through a wallet, after a publisher's link.
type buy struct {
	Agreement moongate.ID   `cbor:"1,keyasint"`
	Seller    string        `cbor:"2,keyasint"`
	Amount    int64         `cbor:"3,keyasint"`
	Touches   []share.Touch `cbor:"4,keyasint,omitempty"`
}

func (*buy) CommandKind() string { return "bench.buy" }

// paid is the answer.
type paid struct {
	Crossing moongate.ID `cbor:"1,keyasint"`
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
	now       func() time.Time
}

func newWorld(ctx context.Context, opt Options, dir string, extra func(*replica.Options)) (*world, error) {
	w, err := open(ctx, opt, dir, extra)
	if err != nil {
		return nil, err
	}
	return w, w.furnish(ctx)
}

// open puts the rooms behind a node.
func open(ctx context.Context, opt Options, dir string, extra func(*replica.Options)) (*world, error) {
	w := &world{now: opt.Now}
	parties := party.New(party.Limits{})
	agreements := agreement.New(parties, agreement.Limits{})
	w.ledger = ledger.New(ledger.Bounds{}, parties.IsOperator)
	crossings := crossing.New(parties, agreements, w.ledger, crossing.Bounds{})
	w.rooms = []replica.Room{parties, agreements, w.ledger, crossings}
	w.machine = replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{Keys: 50_000_000}, w.rooms...)
	parties.Register(w.machine)
	agreements.Register(w.machine)
	w.ledger.Register(w.machine)
	g := &gate{crossings}
	replica.Handle(w.machine, g.buy)
	var drawn atomic.Uint64
	var base [32]byte
	opt.Random(base[:])
	o := replica.Options{
		Dir: dir, Hub: moongate.Hub{1, 2, 3}, Secret: make([]byte, 32), QueueBytes: 256 << 20,
		Clock: func() moongate.Time { return moongate.At(opt.Now()) },
		// As fast as a generator of random numbers for each processor: a counter under a secret.
		Seed: func(*replica.Request) [32]byte {
			s := base
			binary.BigEndian.PutUint64(s[:], drawn.Add(1))
			return s
		},
		TickEvery: time.Second,
		Fatal:     func(err error) { fmt.Fprintln(os.Stderr, "bench:", err); os.Exit(1) }, //nolint:forbidigo // a benchmark of a broken node measures nothing
	}
	if extra != nil {
		extra(&o)
	}
	var err error
	w.node, err = replica.Open(ctx, w.machine, o)
	return w, err
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
	for i := range sellers {
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
	for i := range sellers {
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

// load pays from many submitters at once, and gives what they saw.
func (w *world) load(submitters int, hot bool, during time.Duration, hold func()) (Case, error) {
	var wg sync.WaitGroup
	all := make([]latencies, submitters)
	var stop atomic.Bool
	var failed atomic.Pointer[error]
	touches := []share.Touch{{Party: publisher, At: moongate.At(w.now())}}
	cpu, began := cpuTime(), w.now()
	for s := range submitters {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var b [8]byte
			for i := 0; !stop.Load(); i++ {
				n := s*7919 + i*104729
				if hot {
					n = 0
				}
				binary.BigEndian.PutUint64(b[:], uint64(i))
				if hold != nil {
					hold()
				}
				t := w.now()
				_, err := w.node.Submit(context.Background(), replica.Request{
					Caller: market, Key: fmt.Sprintf("%d/%d/%d", began.UnixNano(), s, i),
					Command: &buy{Agreement: w.agreement, Seller: seller(n % sellers), Amount: 10_000 + int64(i%977), Touches: touches},
				})
				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				all[s] = append(all[s], w.now().Sub(t))
			}
		}()
	}
	time.Sleep(during)
	stop.Store(true)
	spent := w.now().Sub(began)
	wg.Wait()
	if e := failed.Load(); e != nil {
		return Case{}, *e
	}
	return summary(all, spent, cpuTime()-cpu), nil
}

// Crossing measures durable payment crossings through the core: idempotency, agreement, split, four postings, events,
// leaves, with the journal's fsync and snapshots on, against a bare append and fsync of as many bytes.
func Crossing(ctx context.Context, opt Options) (*Result, error) {
	r := &Result{Name: "crossing", Machine: Machine()}
	for _, c := range []struct {
		submitters int
		hot        bool
		target     float64
	}{{64, false, 0}, {1024, false, 0.25}, {1024, true, 0.25}} {
		name := fmt.Sprintf("%d submitters, spread over %d sellers", c.submitters, sellers)
		if c.hot {
			name = fmt.Sprintf("%d submitters, one hot account", c.submitters)
		}
		opt.Progress(name)
		one, err := crossingCase(ctx, opt, c.submitters, c.hot)
		if err != nil {
			return nil, err
		}
		one.Case, one.Target, one.Unit = name, c.target, "crossings/s"
		r.Cases = append(r.Cases, one)
	}
	opt.Progress("sustained, with the views level")
	s, err := sustained(ctx, opt)
	if err != nil {
		return nil, err
	}
	r.Cases = append(r.Cases, s)
	return r, nil
}

func crossingCase(ctx context.Context, opt Options, submitters int, hot bool) (Case, error) {
	dir, err := os.MkdirTemp(opt.Dir, "crossing-")
	if err != nil {
		return Case{}, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only data of a bench
	w, err := newWorld(ctx, opt, filepath.Join(dir, "hub"), nil)
	if err != nil {
		return Case{}, err
	}
	if _, err := w.load(submitters, hot, time.Second, nil); err != nil { // warm up
		return Case{}, err
	}
	before := w.bytes()
	positions := w.node.Journal().Next()
	one, err := w.load(submitters, hot, opt.during(), nil)
	if err != nil {
		return Case{}, err
	}
	crossings := float64(w.node.Journal().Next()-positions) / 2 // a transfer and the crossing each
	one.Bytes = round(float64(w.bytes()-before) / crossings)
	if err := w.node.Close(); err != nil {
		return Case{}, err
	}
	limit, err := appendLimit(dir, submitters, int(one.Bytes), opt.during()/2, opt.Now)
	if err != nil {
		return Case{}, err
	}
	one.LimitRate, one.Ratio = limit.Rate, round(one.Rate/limit.Rate)
	return one, nil
}

func (w *world) bytes() int64 {
	n := int64(0)
	files, _, _ := w.node.Journal().Files()
	for _, f := range files {
		n += f.Size
	}
	return n
}

// sustained finds out at which rate the views keep up with the journal: they follow a load that is as fast as they
// are, and are level with it at the end.
func sustained(ctx context.Context, opt Options) (Case, error) {
	dir, err := os.MkdirTemp(opt.Dir, "sustained-")
	if err != nil {
		return Case{}, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only data of a bench
	w, err := newWorld(ctx, opt, filepath.Join(dir, "hub"), nil)
	if err != nil {
		return Case{}, err
	}
	var views []view.View
	for _, r := range w.rooms {
		if v, ok := r.(interface{ Views() []view.View }); ok {
			views = append(views, v.Views()...)
		}
	}
	store, err := view.Open(filepath.Join(dir, "views.db"), views...)
	if err != nil {
		return Case{}, err
	}
	follow, stop := context.WithCancel(ctx)
	level := make(chan error, 1)
	go func() { level <- store.Follow(follow, w.node.Journal(), w.node.Durable) }()
	lag := func() int64 {
		at, _ := w.node.Durable()
		return int64(at) - int64(store.Position())
	}
	c, err := w.load(1024, false, opt.during(), func() {
		for lag() > maxLag {
			time.Sleep(time.Millisecond)
		}
	})
	stop()
	if err = errors.Join(err, <-level); err != nil {
		return Case{}, err
	}
	c.Case, c.Unit = "1024 submitters, held back so that the views keep up", "crossings/s"
	c.Note = fmt.Sprintf("the views never more than %d events behind; %d at the end", maxLag, lag())
	return c, errors.Join(store.Close(), w.node.Close())
}

// maxLag is how many events behind the views may be before the load waits for them.
const maxLag = 20_000
