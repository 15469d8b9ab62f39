package reconcile_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/view"
)

// terms: tea-shop sells at lotus-market, crane-pay or carp-pay carries the money for 0.60 %.
const terms = `
moongate: agreement/1
id: two-wallets
version: 1
name: {en: A market and two wallets}
parties:
  - {role: marketplace, id: lotus-market}
  - {role: wallet, members: [crane-pay, carp-pay]}
  - {role: seller, members: [tea-shop, book-shop]}
valid: {from: "2026-01-01T00:00:00+08:00", until: "2029-01-01T00:00:00+08:00", notice: 30d}
calendar: "+08:00"
scope: {kinds: [payment, refund], currencies: [CNY], beneficiary: seller}
fees:
  - {id: commission, label: {en: Commission}, from: seller, to: marketplace, bps: 500}
  - {id: wallet_fee, label: {en: Wallet fee}, from: seller, to: wallet, bps: 60}
settlement: {window: 1d, netting: multilateral}
offer: {kind: closed}
`

// start is a Wednesday, 09:00 in Shanghai.
var start = moongate.At(time.Date(2026, 3, 4, 1, 0, 0, 0, time.UTC))

const today = "2026-03-04"

// world is a hub as far as bills need one. Its wallets are what the tests say that they are.
type world struct {
	t          testing.TB
	now        moongate.Time
	machine    *replica.Machine
	local      *replica.Local
	parties    *party.State
	agreements *agreement.State
	crossings  *crossing.State
	payments   *pay.State
	state      *reconcile.State
	importer   *reconcile.Importer
	store      *view.Store
	wallets    map[string]pay.Wallet
	accounts   map[string]string
	terms      moongate.ID
	part       int64
	orders     int
	read       int
	entries    []journal.Entry
	between    func(replica.Command) // called before the importer's commands
	fresh      func()                // called before the views follow
}

func newWorld(t testing.TB) *world { return newWorldOf(t, 0) }

// newWorldOf is a world in which so many bytes of a bill are held in memory at once.
func newWorldOf(t testing.TB, part int64) *world {
	t.Helper()
	w := &world{t: t, part: part, now: start, wallets: map[string]pay.Wallet{}, accounts: map[string]string{}}
	w.parties = party.New(party.Limits{})
	w.agreements = agreement.New(w.parties, agreement.Limits{})
	books := ledger.New(ledger.Bounds{}, w.parties.IsOperator)
	w.crossings = crossing.New(w.parties, w.agreements, books, crossing.Bounds{})
	w.payments = pay.New(w.parties, w.crossings, pay.Limits{})
	w.state = reconcile.New(w.parties, w.crossings, w.payments, reconcile.Limits{})
	w.machine = replica.NewMachine(moongate.Hub{1, 2, 3}, replica.Limits{}, w.parties, w.agreements, books, w.crossings, w.payments, w.state)
	w.parties.Register(w.machine)
	w.agreements.Register(w.machine)
	books.Register(w.machine)
	w.payments.Register(w.machine)
	w.state.Register(w.machine)
	w.local = replica.NewLocal(w.machine, w.now)
	w.people()
	var err error
	if w.store, err = view.Open(filepath.Join(t.TempDir(), "views.db"), w.state.Views()...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, problem := range w.state.Check() {
			t.Error(problem)
		}
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.importer = reconcile.NewImporter(reconcile.ImporterOptions{
		State: w.state, Pay: w.payments, Crossings: w.crossings, Read: w.machine.Read, Now: w.machine.Now, Views: w.store,
		Wallets: w.wallets, Accounts: w.accounts, Dir: t.TempDir(),
		Submit: func(_ context.Context, r replica.Request) (any, error) {
			if w.between != nil {
				w.between(r.Command)
			}
			return w.do(r)
		},
		Fresh: func(ctx context.Context) (journal.Position, error) {
			if w.fresh != nil {
				w.fresh()
			}
			return w.store.CatchUp(ctx, w)
		}, Part: w.part,
	})
	return w
}

func keyOf(handle string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(handle))
	return ed25519.NewKeyFromSeed(seed[:])
}

// people registers everybody and brings the terms into force.
func (w *world) people() {
	w.submit("", &party.Register{Handle: "keeper", Kind: party.Operator, Name: "Keeper"})
	for handle, kind := range map[string]party.Kind{"lotus-market": party.Platform, "crane-pay": party.Wallet, "carp-pay": party.Wallet, "tea-shop": party.Merchant, "book-shop": party.Merchant} {
		k, err := party.Prove(keyOf(handle), handle)
		if err != nil {
			w.t.Fatal(err)
		}
		w.submit("keeper", &party.Register{Handle: handle, Kind: kind, Name: handle, Keys: []party.NewKey{k}})
	}
	d, err := agreement.Parse([]byte(terms))
	if err != nil {
		w.t.Fatal(err)
	}
	w.terms = w.submit("lotus-market", &agreement.Propose{Document: d.Canonical()}).(agreement.Proposal).Agreement
	for _, p := range d.Parties {
		for _, who := range append(p.Members, p.ID) {
			if who == "" {
				continue
			}
			signature, err := d.SignAs(keyOf(who), p.Role, who)
			if err != nil {
				w.t.Fatal(err)
			}
			w.submit(who, &agreement.Sign{
				Agreement: w.terms, Version: 1, Role: p.Role, Party: who,
				Key: party.PublicKey(keyOf(who).Public().(ed25519.PublicKey)).ID(), Signature: party.Signature(signature),
			})
		}
	}
}

func (w *world) do(r replica.Request) (any, error) {
	w.local.Now = w.now
	return w.local.Do(r)
}

func (w *world) submit(caller string, c replica.Command) any {
	w.t.Helper()
	a, err := w.do(replica.Request{Caller: caller, Command: c})
	if err != nil {
		w.t.Fatalf("%s by %q: %v", c.CommandKind(), caller, err)
	}
	return a
}

// pass lets time pass, and deadlines come.
func (w *world) pass(d moongate.Time) {
	w.t.Helper()
	w.now += d
	for range 3 { // what one tick finds another may follow
		if err := w.local.Tick(w.now); err != nil {
			w.t.Fatal(err)
		}
	}
}

// EntriesOf and Durable make a world the source of views.
func (w *world) EntriesOf(from journal.Position, kinds map[string]bool, visit func(journal.Entry) error) error {
	w.catchUp()
	for _, e := range w.entries[min(int(from)-1, len(w.entries)):] {
		if kinds[e.Event.EventKind()] {
			if err := visit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) Durable() (journal.Position, uint64) {
	w.catchUp()
	return journal.Position(len(w.entries)), uint64(len(w.local.Records))
}

func (w *world) catchUp() {
	w.t.Helper()
	for ; w.read < len(w.local.Records); w.read++ {
		for _, d := range w.local.Records[w.read].Done {
			for _, st := range d.Events {
				e, err := w.machine.Registry().Decode(st)
				if err != nil {
					w.t.Fatal(err)
				}
				w.entries = append(w.entries, journal.Entry{Position: journal.Position(len(w.entries) + 1), At: d.At, Caller: d.Caller, Event: e})
			}
		}
	}
}

// move is a movement of money as a wallet knows it, and so as its bill would list it.
type move struct {
	no, order, ref, orderRef string
	at                       moongate.Time
	amount, fee              int64 // fen; negative for a refund
	state                    string
}

func (m *move) refund() bool { return m.amount < 0 }

// opened begins a payment at a wallet.
func (w *world) opened(wallet string, amount int64) moongate.ID {
	w.t.Helper()
	w.orders++
	answer := w.submit("lotus-market", &pay.Create{
		Order: fmt.Sprint("ORDER-", w.orders), From: "lotus-market", To: "tea-shop", Agreement: w.terms, Amount: money.Of(amount, money.CNY), Title: "Tea",
		Payees: []crossing.Payee{{Party: "tea-shop", Amount: amount}}, Wallets: []string{wallet},
	}).(pay.PaymentAnswer)
	return w.submit("lotus-market", &pay.ChooseWallet{Payment: answer.Payment, Wallet: wallet}).(pay.WalletAnswer).Attempt
}

// paid has the wallet say that an attempt was paid.
func (w *world) paid(attempt moongate.ID, m *move) {
	w.t.Helper()
	w.submit("", &pay.Report{Attempt: attempt, Op: pay.OpQuery, Outcome: &pay.Evidence{
		State: pay.Paid, WalletRef: m.ref, Amount: money.Of(m.amount, money.CNY), PayerTotal: m.amount, PaidAt: m.at, Said: "SUCCESS",
	}})
}

// sale is a payment that a wallet carried, and told of.
func (w *world) sale(wallet string, amount int64) *move {
	w.t.Helper()
	attempt := w.opened(wallet, amount)
	m := &move{no: attempt.String(), order: attempt.String(), ref: fmt.Sprintf("42%026d", w.orders), at: w.now, amount: amount, fee: (amount*60 + 5000) / 10_000, state: "SUCCESS"}
	m.orderRef = m.ref
	w.paid(attempt, m)
	w.now += moongate.Second
	return m
}

// asked begins a refund of part of a sale.
func (w *world) asked(of *move, amount int64) (moongate.ID, *move) {
	w.t.Helper()
	w.orders++
	id, err := moongate.ParseID(of.no)
	if err != nil {
		w.t.Fatal(err)
	}
	a, _ := w.payments.Attempt(id)
	answer := w.submit("lotus-market", &pay.Refund{Payment: a.Payment, Reference: fmt.Sprint("RETURN-", w.orders), Amount: amount}).(pay.RefundAnswer)
	m := &move{
		no: answer.Refund.String(), order: of.no, ref: fmt.Sprintf("50%026d", w.orders), orderRef: of.ref, at: w.now, amount: -amount,
		fee: -(amount*60 + 5000) / 10_000, state: "SUCCESS",
	}
	return answer.Refund, m
}

// returned has the wallet say that a refund is through.
func (w *world) returned(id moongate.ID, m *move) {
	w.t.Helper()
	w.submit("", &pay.RefundReport{Refund: id, Op: pay.OpQueryRefund, Outcome: &pay.RefundEvidence{
		State: pay.RefundDone, WalletRef: m.ref, Amount: money.Of(-m.amount, money.CNY), DoneAt: m.at, Said: "SUCCESS",
	}})
	w.now += moongate.Second
}

// giveBack is a refund that a wallet has done.
func (w *world) giveBack(of *move, amount int64) *move {
	w.t.Helper()
	id, m := w.asked(of, amount)
	w.returned(id, m)
	return m
}

// day is a morning's trade at crane-pay: what its bill should list.
func (w *world) day() []*move {
	w.t.Helper()
	var all []*move
	for i := range 6 {
		all = append(all, w.sale("crane-pay", 10_000+int64(i)))
	}
	all = append(all, w.giveBack(all[0], 2_500), w.giveBack(all[1], 10_001))
	w.sale("carp-pay", 777) // another wallet's is no concern of this bill
	return all
}

// tradeBill writes WeChat Pay's bill of moves.
func tradeBill(moves []*move) []byte {
	var b bytes.Buffer
	b.WriteString("\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n")
	var paid, back, fees int64
	for _, m := range moves {
		state, ref, no, status, order, asked := m.state, "0", "0", "", m.amount, int64(0)
		if m.refund() {
			state, ref, no, status, order, asked = "REFUND", m.ref, m.no, m.state, 0, -m.amount
		}
		fmt.Fprintf(&b, "`%s,`wx1,`1900000109,`0,`,`%s,`%s,`o,`NATIVE,`%s,`OTHERS,`CNY,`%s,`0.00,`%s,`%s,`%s,`0.00,`ORIGINAL,`%s,`tea,`tag,`%s000,`0.60%%,`%s,`%s,`\r\n",
			clock(m.at), m.orderRef, m.order, state, yuan(order), ref, no, yuan(asked), status, yuan(m.fee), yuan(order), yuan(asked))
		paid, back, fees = paid+order, back+asked, fees+m.fee
	}
	b.WriteString("总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n")
	fmt.Fprintf(&b, "`%d,`%s,`%s,`0.00,`%s000,`%s,`%s\r\n", len(moves), yuan(paid), yuan(back), yuan(fees), yuan(paid), yuan(back))
	return b.Bytes()
}

func clock(at moongate.Time) string { return (at + 8*moongate.Hour).Go().Format(time.DateTime) }

func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

// give has the keeper take a bill in.
func (w *world) give(text []byte) (reconcile.Answer, error) {
	return w.importer.Import(context.Background(), "keeper", reconcile.Source{Wallet: "crane-pay", Day: (w.now + 8*moongate.Hour - moongate.Day).Go().Format(time.DateOnly), Text: bytes.NewReader(text)})
}

// take is give of a bill that is fine, the next morning.
func (w *world) take(moves []*move) reconcile.BillRow {
	w.t.Helper()
	a, err := w.give(tradeBill(moves))
	if err != nil {
		w.t.Fatal(err)
	}
	if !a.Done {
		w.t.Fatalf("%+v", a)
	}
	return w.bill(a.Bill)
}

// morning is ten o'clock of the next day.
func (w *world) morning() {
	w.t.Helper()
	local := w.now + 8*moongate.Hour
	w.pass(local - local%moongate.Day + moongate.Day + 10*moongate.Hour - local)
}

func (w *world) bill(id moongate.ID) reconcile.BillRow {
	w.t.Helper()
	if _, err := w.store.CatchUp(context.Background(), w); err != nil {
		w.t.Fatal(err)
	}
	r, err := reconcile.FindBill(context.Background(), w.store, id)
	if err != nil {
		w.t.Fatal(err)
	}
	b, ok := w.state.Lookup(id)
	if !ok || b.Figures.Rows != r.Rows || b.Found+b.Stood != r.Differences || b.Healed != r.Healed || b.Open != r.Open {
		w.t.Errorf("the state has %+v, the list %+v", b, r)
	}
	return r
}

// differences lists them, oldest first, with class, standing and action as one text.
func (w *world) differences() (rows []reconcile.DifferenceRow, text []string) {
	w.t.Helper()
	if _, err := w.store.CatchUp(context.Background(), w); err != nil {
		w.t.Fatal(err)
	}
	rows, next, err := reconcile.Differences(context.Background(), w.store, reconcile.DifferenceFilter{}, "", 500)
	if err != nil || next != "" {
		w.t.Fatal(err)
	}
	slices.Reverse(rows)
	for _, r := range rows {
		d, ok := w.state.Difference(r.ID)
		if !ok || d.Class != r.Class || d.Standing != r.Standing || d.Ours != r.Ours || d.Assignee != r.Assignee {
			w.t.Errorf("the state has %+v, the list %+v", d, r)
		}
		one := fmt.Sprintf("%s %s", r.Class, r.Standing)
		if r.Action != "" {
			one += " " + string(r.Action)
		}
		text = append(text, one)
	}
	return rows, text
}

// rebuilt sees that what is derived is the same when it is made anew.
func (w *world) rebuilt() {
	w.t.Helper()
	before, err := w.machine.Hash()
	if err != nil {
		w.t.Fatal(err)
	}
	open := w.state.Open()
	w.state.Rebuild()
	after, err := w.machine.Hash()
	if err != nil || before != after || open != w.state.Open() {
		w.t.Errorf("rebuilt: %d open of %d, %v", w.state.Open(), open, err)
	}
}

// biller is a wallet of which only the bills matter.
type biller struct {
	pay.Wallet
	text map[string][]byte
	err  error
}

func (b *biller) Bill(_ context.Context, day string, kind pay.BillKind, spool io.Writer) (pay.BillFile, error) {
	if b.err != nil {
		return pay.BillFile{}, b.err
	}
	text, ok := b.text[string(kind)+" "+day]
	if !ok {
		return pay.BillFile{}, &pay.Failure{Op: "bill", Verdict: pay.Refused, Code: "NO_STATEMENT_EXIST", Message: "账单文件不存在"}
	}
	n, err := spool.Write(text)
	return pay.BillFile{Bytes: int64(n), Hash: fmt.Sprintf("sha256:%x", sha256.Sum256(text)), Encoding: "utf-8"}, err
}

var _ pay.Biller = (*biller)(nil)
