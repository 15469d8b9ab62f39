package pay_test

import (
	"testing"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/gate/pay"
	"github.com/moongate-hub/moongate/ledger"
)

// A wallet that knows orders only once their shopper opens them cannot close one before. Shoppers who went elsewhere and
// pay the first code all the same get that money back.
func TestPaidAfterNobodyLooked(t *testing.T) {
	for name, meanwhile := range map[string]func(w *world, id moongate.ID) pay.Status{
		"paid elsewhere": func(w *world, id moongate.ID) pay.Status {
			w.choose(id, "crane-pay")
			w.settle()
			w.approve("crane-pay", w.payment(id).Attempt)
			w.pass(10*time.Second, time.Second)
			return pay.Succeeded
		},
		"cancelled": func(w *world, id moongate.ID) pay.Status {
			if _, err := w.cancel(id); err != nil {
				t.Fatal(err)
			}
			w.settle()
			return pay.Cancelled
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newBareWorld(t, pay.Limits{}, "carp-pay")
			t.Cleanup(w.check)
			id := w.purchase("1001")
			first := w.choose(id, "carp-pay")
			w.settle()
			want := meanwhile(w, id)
			w.stands(id, want)
			w.approve("carp-pay", first)
			w.pass(10*time.Minute, 10*time.Second)
			w.stands(id, want)
			book := w.wallets["carp-pay"].Book(w.account("carp-pay"))
			if len(book.Payments) != 1 || len(book.Refunds) != 1 || book.Refunds[0].Amount != 10_000 || book.Refunds[0].State != "SUCCESS" {
				t.Errorf("the wallet's book: %+v", book)
			}
			if n := w.owed("carp-pay", ledger.Wallet); n != 0 || len(w.troubles()) != 0 {
				t.Errorf("%d is left there; exceptions %v", n, w.troubles())
			}
		})
	}
}
