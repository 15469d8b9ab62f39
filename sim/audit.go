package sim

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/hub"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/proof"
	"github.com/moongate-hub/moongate/settle"
)

const maxProblems = 20

func bad(f *hub.Finding, format string, args ...any) {
	f.OK = false
	if len(f.Problems) < maxProblems {
		f.Problems = append(f.Problems, fmt.Sprintf(format, args...))
	}
}

// audit holds what the hub says against what the world, the wallets and a model ledger know, then closes the hub and
// reads everything that it wrote once more.
func (s *stage) audit(ctx context.Context) (*Report, error) {
	r := &Report{
		Seed: s.opt.Seed, Orders: s.opt.Orders, ByKind: map[string]int64{}, Payments: map[string]int64{}, Refunds: map[string]int64{},
		Exceptions: map[string]int64{}, Windows: map[string]int64{}, Faults: map[string]int{}, Amounts: map[string]Amount{},
		Days: days(s.loop.Now().Sub(beginning)),
	}
	for _, check := range []func(context.Context, *Report) error{
		s.story, s.readJournal, s.endings, s.rooms, s.receipts, s.secrecy,
	} {
		if err := check(ctx, r); err != nil {
			return nil, err
		}
	}
	hash, err := s.hub.Machine().Hash()
	if err != nil {
		return nil, err
	}
	r.StateHash = fmt.Sprintf("%x", hash)
	if err := s.hub.Publish(); err != nil {
		return nil, err
	}
	r.LogEntries = s.hub.Node.Log().Size()
	if err := s.hub.Close(); err != nil {
		return nil, err
	}
	again, err := hub.Fsck(ctx, s.config, s.secrets, s.opt.Now)
	if err != nil {
		return nil, err
	}
	r.Findings = append(r.Findings, again.Findings...)
	f := r.add("folding the journal again gives the same state")
	f.Looked = int64(again.Records)
	if again.Hash != r.StateHash {
		bad(f, "the state is %s, and %s from the journal", r.StateHash, again.Hash)
	}
	r.judge()
	return r, nil
}

// story asks the world whether everything went as its people expected.
func (s *stage) story(_ context.Context, r *Report) error {
	t := s.world.Tally()
	f := r.add("everybody in the world got what the story says")
	f.Looked = int64(t.Orders)
	for _, failure := range t.Failures {
		bad(f, "%s", failure)
	}
	if t.Orders != s.opt.Orders {
		bad(f, "%d of %d orders were made", t.Orders, s.opt.Orders)
	}
	if b := s.world.Blocked(); b == nil || !t.StoppedAfter || !t.OpenAgain {
		bad(f, "the block did not stop anybody (%v), or did not lift itself (%v)", t.StoppedAfter, t.OpenAgain)
	}
	for kind, n := range t.Faults {
		r.Faults[string(kind)] += n
	}
	r.Refused, r.LinksOpened, r.LinksBlocked, r.Payouts = int64(t.RefundsRefused), t.Opened, t.Stopped, t.Payouts
	return nil
}

// readJournal adds up what crossings moved, account by account, and holds it against the model and the wallets' books.
func (s *stage) readJournal(ctx context.Context, r *Report) error {
	moved := map[ledger.Account]int64{}
	held := map[moongate.ID][]*ledger.Posting{}
	split := map[string]int64{}
	add := func(list []*ledger.Posting) {
		for _, p := range list {
			net := p.Credit - p.Debit
			if p.Account.Purpose.Debit() {
				net = -net
			}
			moved[p.Account] += net
		}
	}
	err := s.hub.Node.Journal().Entries(1, func(e journal.Entry) error {
		r.Events++
		switch v := e.Event.(type) {
		case *settle.Reported:
			if v.Progress == settle.Paid && v.Ref == v.Instruction.String() { // by the wallet's own word
				split[v.From] += v.Amount
			}
		case *ledger.Resolved:
			if list, ok := held[v.ID]; ok && v.Outcome == ledger.Posted {
				add(list)
			}
			delete(held, v.ID)
		case *crossing.Recorded:
			r.Crossings++
			r.ByKind[v.Kind.String()]++
			switch t, ok := v.Moves(); {
			case !ok:
			case v.Kind == crossing.Takeback: // of what was split off: neither shoppers nor the model see it
				split[v.Wallet] -= v.Amount
			case t.Pending:
				held[t.ID] = t.Postings
			default:
				add(t.Postings)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	f := r.add("no money is held for a transfer that never ended")
	f.Looked = int64(len(moved))
	for id := range held {
		bad(f, "transfer %s is still pending", id)
	}
	s.model(r, moved)
	s.purses(r, moved)
	s.payouts(r, split)
	return s.bills(ctx, r, moved)
}

// payouts holds what settlement says that wallets paid out by splitting orders against the wallets' own books.
func (s *stage) payouts(r *Report, split map[string]int64) {
	f := r.add("what wallets split off orders is what settlement told them to pay, to the cent")
	for _, p := range s.world.Cast.Wallets {
		sum := int64(0)
		for _, one := range s.wallets[p.Handle].Book(p.Account()).Splits {
			f.Looked++
			sum += one.Amount
			if one.State != "SUCCESS" {
				bad(f, "%s: split %s of %s is %s", p.Handle, one.No, one.OutTradeNo, one.State)
			}
		}
		if sum != split[p.Handle] {
			bad(f, "%s split %d, and was told to pay %d", p.Handle, sum, split[p.Handle])
		}
		r.Amounts["split by wallets"] = Amount{r.Amounts["split by wallets"].Minor + sum, "CNY"}
	}
}

// model compares every account with the independent books.
func (s *stage) model(r *Report, moved map[ledger.Account]int64) {
	f := r.add("every account stands where an independent model of a hundred lines says")
	want := s.world.Books.Balances()
	have := map[string]int64{}
	for account, net := range moved {
		if account.Purpose != ledger.Suspense {
			have[account.Owner+"/"+account.Purpose.String()] += net
		}
	}
	keys := map[string]bool{}
	for k := range want {
		keys[k] = true
	}
	for k := range have {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		f.Looked++
		if want[k] != have[k] {
			bad(f, "%s: %d by the model, %d in the ledger", k, want[k], have[k])
		}
	}
	total := func(purpose string) (sum int64) {
		for k, v := range have {
			if strings.HasSuffix(k, "/"+purpose) {
				sum += v
			}
		}
		return sum
	}
	sumOf := func(list ...string) (sum int64) {
		for _, handle := range list {
			sum += have[handle+"/payable"]
		}
		return sum
	}
	var markets, publishers []string
	for _, m := range s.world.Cast.Markets {
		markets = append(markets, m.Handle)
	}
	for _, p := range s.world.Cast.Publishers {
		publishers = append(publishers, p.Handle)
	}
	r.Amounts["kept after refunds"] = Amount{total("wallet"), "CNY"}
	r.Amounts["wallet fees"] = Amount{total("fee"), "CNY"}
	r.Amounts["marketplaces"] = Amount{sumOf(markets...), "CNY"}
	r.Amounts["publishers"] = Amount{sumOf(publishers...), "CNY"}
	r.Amounts["sellers"] = Amount{total("payable") - sumOf(markets...) - sumOf(publishers...), "CNY"}
	for account, net := range moved {
		if account.Purpose == ledger.Accrual {
			a := r.Amounts["accrued to the app store"]
			r.Amounts["accrued to the app store"] = Amount{a.Minor + net, account.Currency.String()}
		}
	}
}

// purses holds the ledger against what the wallets have in their own books, to the cent, and asks the strict wallets
// what was asked of them that should not have been.
func (s *stage) purses(r *Report, moved map[ledger.Account]int64) {
	books := r.add("every wallet's own book is what the ledger says, to the cent")
	strict := r.add("no wallet was asked for anything twice, or for money that was not paid")
	quiet := r.add("no wallet has anything left to tell")
	for _, p := range s.world.Cast.Wallets {
		w := s.wallets[p.Handle]
		sum := int64(0)
		book := w.Book(p.Account())
		for _, one := range book.Payments {
			sum += one.Total
			books.Looked++
		}
		for _, one := range book.Refunds {
			sum -= one.Amount
			books.Looked++
			if one.State != "SUCCESS" {
				bad(books, "%s: refund %s of %s is %s", p.Handle, one.OutRefundNo, one.OutTradeNo, one.State)
			}
		}
		have := int64(0)
		for account, net := range moved {
			if account.Owner == p.Handle && account.Purpose == ledger.Wallet {
				have += net
			}
		}
		if sum != have {
			bad(books, "%s holds %d, the ledger says %d", p.Handle, sum, have)
		}
		strict.Looked++
		for _, v := range w.Violations() {
			bad(strict, "%s: %s of %s: %s", p.Handle, v.Rule, v.No, v.Detail)
		}
		quiet.Looked++
		if n := w.Waiting(); n > 0 {
			bad(quiet, "%s: %d notifications were never acknowledged", p.Handle, n)
		}
	}
}

// endings sees that everything that began has ended.
func (s *stage) endings(ctx context.Context, r *Report) error {
	f := r.add("every payment and refund has ended for good, and nothing is unknown")
	for after := ""; ; {
		rows, next, err := pay.Payments(ctx, s.hub.Views, pay.Filter{}, after, 500)
		if err != nil {
			return err
		}
		for i := range rows {
			f.Looked++
			r.Payments[string(rows[i].Status)]++
			if !rows[i].Status.Final() {
				bad(f, "payment %s of order %s is %s", rows[i].ID, rows[i].Order, rows[i].Status)
			}
		}
		if after = next; next == "" {
			break
		}
	}
	for after := ""; ; {
		rows, next, err := pay.Refunds(ctx, s.hub.Views, pay.RefundFilter{}, after, 500)
		if err != nil {
			return err
		}
		for i := range rows {
			f.Looked++
			r.Refunds[string(rows[i].Status)]++
			if !rows[i].Status.Final() {
				bad(f, "refund %s of payment %s is %s", rows[i].ID, rows[i].Payment, rows[i].Status)
			}
		}
		if after = next; next == "" {
			break
		}
	}
	x := r.add("every exception was settled")
	for after := ""; ; {
		rows, next, err := pay.Exceptions(ctx, s.hub.Views, pay.ExceptionFilter{}, after, 500)
		if err != nil {
			return err
		}
		for i := range rows {
			x.Looked++
			r.Exceptions[string(rows[i].Kind)]++
			if rows[i].Ended == 0 {
				bad(x, "exception %s (%s): %s", rows[i].ID, rows[i].Kind, rows[i].Facts)
			}
		}
		if after = next; next == "" {
			break
		}
	}
	e := r.add("no effect is pending or was given up")
	for _, p := range s.hub.Machine().Pending(0, 0) {
		bad(e, "event %d (%s) waits for %s", p.Position, p.Kind, p.Peer)
	}
	for _, d := range s.hub.Machine().Buried() {
		bad(e, "event %d was given up: %s", d.Position, d.Dead.Reason)
	}
	return nil
}

// rooms asks the rooms what they find of themselves.
func (s *stage) rooms(_ context.Context, r *Report) error {
	books := r.add("debits are credits in every currency, and no account is beyond its limits")
	windows := r.add("windows add up to zero, and the clearing accounts are zero")
	s.hub.Machine().Read(func() {
		for _, p := range s.hub.Ledger.Check() {
			bad(books, "%s: %s", p.Account, p.Message)
		}
		for _, p := range s.hub.Settle.Check() {
			bad(windows, "%s", p)
		}
		for status, n := range s.hub.Settle.Totals().Windows {
			r.Windows[status] += int64(n)
			windows.Looked += int64(n)
		}
		for after := 0; ; {
			list := s.hub.Ledger.Accounts("", after, 1000)
			if after += len(list); len(list) == 0 {
				break
			}
			for _, b := range list {
				books.Looked++
				if p := b.Account.Purpose; (p == ledger.Clearing || p == ledger.Suspense || p == ledger.Instructed) && b.Balance.Net(p) != 0 {
					bad(windows, "%s: %d is left", b.Account, b.Balance.Net(p))
				}
			}
		}
	})
	return nil
}

// receipts fetches what each kind of participant may see, with its receipt, and verifies it as anybody could: with the
// log's public key alone.
func (s *stage) receipts(ctx context.Context, r *Report) error {
	if err := s.hub.Publish(); err != nil {
		return err
	}
	f := r.add("receipts verify under the log's public key alone")
	for _, handle := range s.world.Witnesses() {
		c := s.world.Hub(handle)
		page, err := client.Get[eventPage](ctx, c, "/v1/events", url.Values{"limit": {"200"}})
		if err != nil {
			return fmt.Errorf("events of %s: %w", handle, err)
		}
		for i := 0; i < len(page.Events); i += 1 + len(page.Events)/8 {
			b, err := c.GetBytes(ctx, "/v1/events/"+page.Events[i].Cursor+"/receipt", nil)
			if err != nil {
				return fmt.Errorf("receipt for %s of a %s: %w", handle, page.Events[i].Kind, err)
			}
			f.Looked++
			receipt, err := proof.ParseReceipt(bytes.TrimSpace(b))
			if err == nil {
				_, err = receipt.Verify(s.hub.Verifiers())
			}
			if err != nil {
				bad(f, "%s, %s: %v", handle, page.Events[i].Kind, err)
				continue
			}
			r.Receipts++
		}
	}
	return nil
}

type eventPage struct {
	Events []client.Event `json:"items"`
	Next   string         `json:"next"`
	More   bool           `json:"more"`
}

// secrecy reads all that the app store can fetch, and looks for what it must not learn.
func (s *stage) secrecy(ctx context.Context, r *Report) error {
	f := r.add("the app store sees totals, and nothing of a single sale")
	store := s.world.Cast.Store.Handle
	c := s.world.Hub(store)
	after, all := "", 0
	for {
		q := url.Values{"limit": {"500"}}
		if after != "" {
			q.Set("after", after)
		}
		page, err := client.Get[eventPage](ctx, c, "/v1/events", q)
		if err != nil {
			return err
		}
		for _, e := range page.Events {
			all++
			if e.Kind == "link.converted" || e.Kind == "crossing.recorded" && bytes.Contains(e.Data, []byte(`"conversion"`)) {
				bad(f, "%s is shown a %s: %.200s", store, e.Kind, e.Data)
			}
			for _, a := range s.world.Cast.Apps {
				if bytes.Contains(e.Data, []byte(a.Handle+"-0")) { // references of sales
					bad(f, "%s reads of sale %s in a %s", store, a.Handle, e.Kind)
				}
			}
		}
		if after = page.Next; !page.More {
			break
		}
	}
	f.Looked = int64(all)
	return nil
}
