package pay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/sandbox"
	"github.com/moongate-hub/moongate/gate/pay/wechatpay"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/settle"
)

// rooms is a hub as far as payments need one.
type rooms struct {
	machine    *replica.Machine
	parties    *party.State
	agreements *agreement.State
	books      *ledger.State
	crossings  *crossing.State
	payments   *pay.State
	settlement *settle.State // where the world settles
}

func newRooms(limits pay.Limits, settles bool) rooms {
	var r rooms
	r.parties = party.New(party.Limits{})
	r.agreements = agreement.New(r.parties, agreement.Limits{})
	r.books = ledger.New(ledger.Bounds{}, r.parties.IsOperator)
	r.crossings = crossing.New(r.parties, r.agreements, r.books, crossing.Bounds{})
	r.payments = pay.New(r.parties, r.crossings, limits)
	all := []replica.Room{r.parties, r.agreements, r.books, r.crossings, r.payments}
	if settles {
		r.settlement = settle.New(r.parties, r.agreements, r.books)
		r.payments.Follow((&settle.Reported{}).EventKind())
		r.payments.Heed(r.settlement.Sent)
		r.settlement.Ask(r.payments.PaidOut)
		all = append(all, r.settlement)
	}
	r.machine = replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{}, all...)
	r.parties.Register(r.machine)
	r.agreements.Register(r.machine)
	r.books.Register(r.machine)
	r.payments.Register(r.machine)
	if settles {
		r.settlement.Register(r.machine)
	}
	return r
}

// terms: tea-shop sells at lotus-market, readers come from willow-reads, crane-pay or carp-pay carries the money.
const terms = `
moongate: agreement/1
id: two-wallets
version: 1
name: {en: A market and two wallets}
parties:
  - {role: marketplace, id: lotus-market}
  - {role: publisher, id: willow-reads}
  - {role: wallet, members: [crane-pay, carp-pay, egret-pay]}
  - {role: seller, members: [tea-shop, book-shop]}
valid: {from: "2026-01-01T00:00:00+08:00", until: "2029-01-01T00:00:00+08:00", notice: 30d}
calendar: "+08:00"
scope: {kinds: [payment, refund], currencies: [CNY], beneficiary: seller}
fees:
  - {id: commission, label: {en: Commission}, from: seller, to: marketplace, bps: 500}
  - {id: wallet_fee, label: {en: Wallet fee}, from: seller, to: wallet, bps: 60, min: {CNY: "0.01"}}
settlement: {window: 1d, netting: multilateral}
offer: {kind: closed}
`

// start is a Wednesday, 09:00 in Beijing.
var start = time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC)

const (
	hubURL = "https://hub.test"
	appID  = "wx8888888888888888"

	alipayApp, alipayPID = "2021000000000208", "2088000000000208"
)

// accounts are the hub's merchant numbers.
var accounts = map[string]string{"crane-pay": "1900000109", "carp-pay": "1900000208"}

// tester is what a world asks of a test, one of a property too.
type tester interface {
	Helper()
	Failed() bool
	Logf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// world is a hub whose wallets are sandboxes, without sockets, under one virtual clock. Nothing happens by itself: pass
// lets time pass, settle lets effects run.
type world struct {
	*clock
	rooms
	settles bool // windows close, and wallets are told to pay out
	t       tester
	local   *replica.Local
	shadows []*replica.Local // machines that a restart left behind: they go on as if there had been none
	limits  pay.Limits
	links   map[string]pay.Wallet // the connectors
	gate    *pay.Gate
	mux     *http.ServeMux
	wallets map[string]*sandbox.Wallet
	alipay  []string        // wallets that speak Alipay's protocol; the others speak WeChat Pay's
	down    map[string]bool // wallets that cannot be reached
	twice   bool            // every effect is carried out twice, as after the fall of a leader
	split   int64           // basis points of an order that the wallets split
	people  vault
	wechat  func(*wechatpay.Config)
	holds   *reserver         // egret-pay, where it is connected
	smids   map[string]string // and where Alipay is
	subs    map[string]string // sellers that are sub-merchants where WeChat Pay is spoken, by their numbers
	held    bool              // the hub is in quarantine
	deaf    bool              // notifications do not reach the hub; missed keeps them
	missed  []letter
	bent    bool // the wallets lie about amounts, so books cannot mirror theirs
	terms   moongate.ID
	called  []string // kinds of the effects carried out
	read    int      // records of the journal that entries holds
	entries map[journal.Position]journal.Entry
}

var keys = sync.OnceValue(func() []*rsa.PrivateKey {
	list := make([]*rsa.PrivateKey, 4)
	for i := range list {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		list[i] = key
	}
	return list
})

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func newWorld(t testing.TB) *world { return newLimitedWorld(t, pay.Limits{}) }

func newLimitedWorld(t testing.TB, limits pay.Limits) *world {
	t.Helper()
	w := newBareWorld(t, limits)
	t.Cleanup(w.check)
	return w
}

// newBareWorld has nobody check it in the end.
func newBareWorld(t tester, limits pay.Limits, speakAlipay ...string) *world {
	t.Helper()
	w := &world{alipay: speakAlipay}
	w.begin(t, limits)
	return w
}

// begin fills a world.
func (w *world) begin(t tester, limits pay.Limits) {
	t.Helper()
	w.clock, w.rooms, w.t, w.limits = sandbox.NewClock(start), newRooms(limits, w.settles), t, limits
	w.people = vault{}
	w.wallets, w.down, w.entries = map[string]*sandbox.Wallet{}, map[string]bool{}, map[journal.Position]journal.Entry{}
	w.local = replica.NewLocal(w.machine, moongate.At(start))
	w.terms = people(t, w.submit)
	w.links = w.connect()
	if w.holds != nil {
		w.links["egret-pay"] = w.holds
	}
	w.open()
}

// open puts the gate in front of the room.
func (w *world) open() {
	w.t.Helper()
	g, err := pay.NewGate(pay.Options{
		State: w.payments, Read: w.machine.Read, Wallets: w.links, URL: hubURL, Secret: []byte(strings.Repeat("s", 32)), Now: w.now, Held: func() bool { return w.held },
		Hub: moongate.Hub{1, 2, 3}, People: w.people, Random: mathrand.NewChaCha8([32]byte{9}),
		Submit: func(_ context.Context, r replica.Request) (any, error) { return w.do(r) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.gate, w.mux = g, http.NewServeMux()
	g.Register(w.mux)
}

func (w *world) now() moongate.Time { return moongate.At(w.clock.Now()) }

// do has a request decided now.
func (w *world) do(r replica.Request) (any, error) {
	for _, l := range w.shadows {
		l.Now = w.now()
		_, _ = l.Do(r) // it answers as the other does, which alike compares in the end
	}
	w.local.Now = w.now()
	a, err := w.local.Do(r)
	if err == nil {
		w.people.keep(r)
	}
	return a, err
}

// tick lets the machine's deadlines come.
func (w *world) tick() {
	w.t.Helper()
	for _, l := range append(w.shadows, w.local) {
		if err := l.Tick(w.now()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// alike sees that machines that were restored went on as those that were not.
func (w *world) alike() {
	w.t.Helper()
	want, err := w.machine.NodeHash()
	if err != nil {
		w.t.Fatal(err)
	}
	for i, l := range w.shadows {
		if got, err := l.Machine.NodeHash(); err != nil || got != want {
			w.t.Errorf("the machine that ran on before restart %d is in another state: %v", i+1, err)
		}
	}
}

func (w *world) submit(caller string, c replica.Command) any {
	w.t.Helper()
	a, err := w.do(replica.Request{Caller: caller, Command: c})
	if err != nil {
		w.t.Fatalf("%s by %q: %v", c.CommandKind(), caller, err)
	}
	return a
}

// refuse has a command fail with a code and a text.
func (w *world) refuse(caller string, c replica.Command, code moongate.Code, says string) {
	w.t.Helper()
	_, err := w.do(replica.Request{Caller: caller, Command: c})
	if moongate.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		w.t.Errorf("%s by %q: got %s %v; want %s %q", c.CommandKind(), caller, moongate.CodeOf(err), err, code, says)
	}
}

// letter is a notification that went astray.
type letter struct {
	path   string
	header http.Header
	body   []byte
}

// bring delivers a notification after all, and gives the answer's status.
func (w *world) bring(l letter) int {
	r := httptest.NewRequest(http.MethodPost, l.path, bytes.NewReader(l.body))
	r.Header = l.header.Clone()
	return w.browse(r).Code
}

var errDown = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// deliver brings a wallet's notification to the hub.
func (w *world) deliver(r *http.Request) (*http.Response, error) {
	if w.deaf {
		body, err := io.ReadAll(r.Body)
		w.missed = append(w.missed, letter{r.URL.Path, r.Header.Clone(), body})
		return nil, errors.Join(errDown, err)
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// settle carries out effects until none is pending.
func (w *world) settle() {
	w.t.Helper()
	for range 200 {
		pending := w.machine.Pending(0, 0)
		if len(pending) == 0 {
			return
		}
		moved := false
		for _, p := range pending {
			moved = w.carry(p) || moved
		}
		if !moved {
			return
		}
	}
	w.t.Fatalf("effects never end: %v", w.called[max(0, len(w.called)-20):])
}

// carry carries one effect out. It tells whether that came to an end: an instruction may still be on its way.
func (w *world) carry(p replica.PendingEffect) bool {
	w.t.Helper()
	h := w.gate.Handlers()[p.Kind]
	if h == nil && w.settles {
		payers := map[string]settle.Payer{}
		for _, wallet := range w.gate.Splitters() {
			payers[wallet] = w.payer(wallet)
		}
		c, err := settle.Handler(payers).Handle(context.Background(), w.entry(p.Position))
		if err != nil {
			return false
		}
		if _, err := w.do(replica.Request{Command: c, Effect: p.Position}); err != nil {
			w.t.Fatalf("outcome of %s: %v", p.Kind, err)
		}
		return true
	}
	if h == nil {
		w.t.Fatalf("nobody carries out %s", p.Kind)
	}
	calls := 1
	if w.twice {
		calls = 2
	}
	var c replica.Command
	for range calls {
		var err error
		if c, err = h.Handle(context.Background(), w.entry(p.Position)); err != nil {
			w.t.Fatalf("%s: %v", p.Kind, err)
		}
		w.called = append(w.called, p.Kind)
	}
	if _, err := w.do(replica.Request{Command: c, Effect: p.Position}); err != nil {
		w.t.Fatalf("outcome of %s: %v", p.Kind, err)
	}
	return true
}

// entry reads the journal.
func (w *world) entry(at journal.Position) journal.Entry {
	w.t.Helper()
	w.catchUp()
	e, ok := w.entries[at]
	if !ok {
		w.t.Fatalf("there is no event %d", at)
	}
	return e
}

func (w *world) catchUp() {
	w.t.Helper()
	for ; w.read < len(w.local.Records); w.read++ {
		at := w.local.Records[w.read].First
		for _, d := range w.local.Records[w.read].Done {
			for _, st := range d.Events {
				e, err := w.machine.Registry().Decode(st)
				if err != nil {
					w.t.Fatal(err)
				}
				w.entries[at] = journal.Entry{Position: at, At: d.At, Caller: d.Caller, Event: e}
				at++
			}
		}
	}
}

// pass lets time pass in steps: the wallets act, the hub's deadlines come, effects run.
func (w *world) pass(d, step time.Duration) {
	w.t.Helper()
	for until := w.clock.Now().Add(d); w.clock.Now().Before(until); {
		w.Advance(min(step, until.Sub(w.clock.Now())))
		w.tick()
		w.settle()
	}
}

// restart writes the state down and goes on with another machine, as after a snapshot: what is derived is made anew.
func (w *world) restart() {
	w.t.Helper()
	r := newRooms(w.limits, w.settles)
	local, err := w.local.Resume(r.machine)
	if err != nil {
		w.t.Fatal(err)
	}
	w.shadows = append(w.shadows, w.local)
	w.local, w.rooms = local, r
	w.open()
}

// request is a purchase of 100.00 at the market.
func (w *world) request(order string) *pay.Create { return request(order, w.terms) }

func request(order string, terms moongate.ID) *pay.Create {
	return &pay.Create{
		Order: order, From: "willow-reads", To: "lotus-market", Agreement: terms, Amount: money.Of(10_000, money.CNY),
		Payees: []crossing.Payee{{Party: "tea-shop", Amount: 10_000}}, Title: "A teapot 茶壶", Wallets: []string{"crane-pay", "carp-pay"},
		ReturnURL: "https://lotus.test/orders/1", Subject: "p-1",
	}
}

// purchase asks for a payment.
func (w *world) purchase(order string) moongate.ID {
	w.t.Helper()
	return w.submit("lotus-market", w.request(order)).(pay.PaymentAnswer).Payment
}

// choose sends the shopper to a wallet, and gives the attempt.
func (w *world) choose(p moongate.ID, wallet string) moongate.ID {
	w.t.Helper()
	return w.submit("", &pay.ChooseWallet{Payment: p, Wallet: wallet}).(pay.WalletAnswer).Attempt
}

// opened asks for a payment and has an order for it at crane-pay.
func (w *world) opened(order string) (payment, attempt moongate.ID) {
	w.t.Helper()
	payment = w.purchase(order)
	attempt = w.choose(payment, "crane-pay")
	w.settle()
	return payment, attempt
}

// paid has a payment of 100.00 succeed at crane-pay.
func (w *world) paid(order string) (payment, attempt moongate.ID) {
	w.t.Helper()
	payment, attempt = w.opened(order)
	w.approve("crane-pay", attempt)
	w.pass(10*time.Second, time.Second)
	w.stands(payment, pay.Succeeded)
	return payment, attempt
}

// approve has the shopper pay at the wallet.
func (w *world) approve(wallet string, attempt moongate.ID) {
	w.t.Helper()
	if err := w.wallets[wallet].Approve(w.account(wallet), attempt.String()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) inject(wallet string, f sandbox.Fault) {
	w.t.Helper()
	if err := w.wallets[wallet].Inject(f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) payment(id moongate.ID) (p pay.Payment) {
	w.machine.Read(func() { p, _ = w.payments.Lookup(id) })
	return p
}

func (w *world) attempt(id moongate.ID) (a pay.Attempt) {
	w.machine.Read(func() { a, _ = w.payments.Attempt(id) })
	return a
}

func (w *world) refunding(id moongate.ID) (r pay.Refunding) {
	w.machine.Read(func() { r, _ = w.payments.Refunding(id) })
	return r
}

// stands checks a payment's status.
func (w *world) stands(id moongate.ID, want pay.Status) {
	w.t.Helper()
	if got := w.payment(id); got.Status != want {
		w.t.Errorf("payment is %s, want %s", got.Status, want)
		w.tell(id)
	}
}

// tell logs a payment's history.
func (w *world) tell(id moongate.ID) {
	w.t.Helper()
	for _, e := range w.history(id) {
		w.t.Logf("%6d %s %s %+v", e.Position, e.At, e.Event.EventKind(), e.Event)
	}
}

// history is a payment's events, oldest first, by its chain.
func (w *world) history(id moongate.ID) []journal.Entry {
	w.t.Helper()
	w.catchUp()
	var list []journal.Entry
	err := pay.Walk(func(at journal.Position) (journal.Entry, error) {
		e, ok := w.entries[at]
		if !ok {
			return e, fmt.Errorf("no event %d", at)
		}
		return e, nil
	}, id, w.payment(id).Head, func(e journal.Entry) bool { list = append([]journal.Entry{e}, list...); return true })
	if err != nil {
		w.t.Error(err)
	}
	return list
}

// kinds is a payment's history in short.
func (w *world) kinds(id moongate.ID) string {
	w.t.Helper()
	var b strings.Builder
	for _, e := range w.history(id) {
		b.WriteString(strings.TrimPrefix(e.Event.EventKind(), "pay."))
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

// troubles are the open exceptions, as the journal has them.
func (w *world) troubles() map[moongate.ID]*pay.ExceptionOpened {
	w.t.Helper()
	w.catchUp()
	open := map[moongate.ID]*pay.ExceptionOpened{}
	for _, e := range w.entries {
		if v, ok := e.Event.(*pay.ExceptionOpened); ok {
			open[v.Trouble.Exception] = v
		}
	}
	for _, e := range w.entries {
		if v, ok := e.Event.(*pay.ExceptionResolved); ok {
			delete(open, v.Exception)
		}
	}
	return open
}

// trouble expects exactly one open exception, of a kind.
func (w *world) trouble(kind pay.TroubleKind) *pay.ExceptionOpened {
	w.t.Helper()
	open := w.troubles()
	for _, v := range open {
		if len(open) == 1 && v.Kind == kind {
			return v
		}
	}
	w.t.Fatalf("want one exception %q, got %d: %v", kind, len(open), open)
	return nil
}

func (w *world) owed(owner string, purpose ledger.Purpose) int64 {
	return w.books.Balance(ledger.Account{Owner: owner, Currency: money.CNY, Purpose: purpose}).Net(purpose)
}

// get asks for a page of the cashier as a shopper's browser does.
func (w *world) get(path string) *httptest.ResponseRecorder {
	return w.browse(httptest.NewRequest(http.MethodGet, path, nil))
}

func (w *world) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.browse(r)
}

func (w *world) browse(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	return rec
}

func (w *world) address(p moongate.ID) string { return strings.TrimPrefix(w.gate.Address(p), hubURL) }

// ids are all payments there were.
func (w *world) ids() map[moongate.ID]bool {
	w.catchUp()
	all := map[moongate.ID]bool{}
	for _, e := range w.entries {
		if v, ok := e.Event.(*pay.Created); ok {
			all[v.Payment] = true
		}
	}
	return all
}

func (w *world) cancel(id moongate.ID) (any, error) {
	return w.do(replica.Request{Caller: "lotus-market", Command: &pay.Cancel{Payment: id}})
}
