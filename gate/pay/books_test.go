package pay_test

import (
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/settle"
)

// check sees at the end of every test that the books balance and mirror what the wallets hold, that nothing was asked of
// a wallet twice, and that folding the journal again gives the same state.
func (w *world) check() {
	if w.t.Failed() {
		return
	}
	for _, p := range w.books.Check() {
		w.t.Errorf("books: %+v", p)
	}
	for name, box := range w.wallets {
		if w.bent {
			continue
		}
		for _, v := range box.Violations() {
			w.t.Errorf("%s: %+v", name, v)
		}
		w.mirror(name)
	}
	w.alike()
	if err := w.local.Refold(newRooms(w.limits, w.settles).machine); err != nil {
		w.t.Error(err)
	}
}

// mirror compares the wallet's own book with the account that mirrors it.
func (w *world) mirror(name string) {
	w.t.Helper()
	book := w.wallets[name].Book(w.account(name))
	var in, out int64
	for _, p := range book.Payments {
		in += p.Owed
	}
	for _, r := range book.Refunds {
		if r.State == "SUCCESS" {
			out += r.Owed
		}
	}
	w.catchUp()
	for _, e := range w.entries {
		switch v := e.Event.(type) {
		case *crossing.Recorded: // what was paid out is settlement's to book, so what comes back of it comes on top here
			if v.Kind == crossing.Takeback && v.Wallet == name {
				in += v.Amount
			}
		case *settle.WindowClosed: // the wallet keeps its fee
			for _, s := range v.Standings {
				if s.Party == name {
					out += s.Position.Fee
				}
			}
		case *settle.Reported:
			if v.Progress == settle.Paid && v.From == name {
				out += v.Amount
			}
		}
	}
	if got := w.owed(name, ledger.Wallet); got != in-out {
		w.t.Errorf("%s holds %d after payments of %d, and refunds, payouts and fees of %d; the hub's books say %d", name, in-out, in, out, got)
	}
}
