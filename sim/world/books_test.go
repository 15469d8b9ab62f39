package world

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBooksOfOneSaleByHand(t *testing.T) {
	b := NewBooks()
	// 199.00 of which 10.00 is freight: commission 5 % of 189.00 is 9.45, wallet fee 0.6 % of 199.00 is 1.19 (1.194),
	// the pool is 40 % of 9.45, 3.78, of which two publishers get 1.89 each.
	b.Paid("a", "lotus-market", "crane-pay", "2026-03", []string{"willow-reads", "plum-notes"}, []Part{{Seller: "old-kiln", Gross: 19900, Freight: 1000}})
	want := map[string]int64{
		"crane-pay/wallet": 19900, "crane-pay/fee": 119, "old-kiln/payable": 19900 - 945 - 119,
		"lotus-market/payable": 945 - 378, "willow-reads/payable": 189, "plum-notes/payable": 189,
	}
	if diff := cmp.Diff(want, b.Balances()); diff != "" {
		t.Errorf("balances (-want +got):\n%s", diff)
	}
	b.Back("a", 0, 19900, 1000)
	for account, left := range b.Balances() {
		if left != 0 {
			t.Errorf("%s keeps %d of a sale that was undone", account, left)
		}
	}
}

func TestBooksCapAndTier(t *testing.T) {
	b := NewBooks()
	// A sale that reaches from 90,000.00 to 110,000.00 of the month: half of it at 5 %, half at 4 %.
	b.volume[[3]string{"m", "s", "2026-03"}] = 9_000_000
	b.Paid("a", "m", "w", "2026-03", []string{"p"}, []Part{{Seller: "s", Gross: 2_000_000}})
	got := b.Balances()
	if got["s/payable"] != 2_000_000-90_000-12_000 {
		t.Errorf("the seller gets %d", got["s/payable"])
	}
	// 40 % of the commission is 360.00; one publisher gets 70 % of it at most, the market keeps the rest.
	if got["p/payable"] != 25_200 || got["m/payable"] != 90_000-25_200 {
		t.Errorf("the publisher gets %d, the market %d", got["p/payable"], got["m/payable"])
	}
}
