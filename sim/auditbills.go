package sim

import (
	"context"

	"github.com/moongate-hub/moongate/gate/pay/reconcile"
	"github.com/moongate-hub/moongate/ledger"
)

// bills sees that the hub has fetched every wallet's bill of every day and found no difference, and that what the bills
// come to is what stands in the ledger, to the cent.
func (s *stage) bills(ctx context.Context, r *Report, moved map[ledger.Account]int64) error {
	f := r.add("every wallet's bill of every day is what the books say, to the cent")
	theirs, fees, days := map[string]int64{}, map[string]int64{}, map[string]int{}
	for after := ""; ; {
		rows, next, err := reconcile.Bills(ctx, s.hub.Views, reconcile.BillFilter{}, after, 500)
		if err != nil {
			return err
		}
		for i := range rows {
			b := &rows[i]
			days[b.Wallet]++
			f.Looked += b.Rows
			if b.Ended == 0 || b.Matched != b.Rows || b.Differences != 0 {
				bad(f, "%s of %s: of %d rows %d agree, and %d differ", b.Wallet, b.Day, b.Rows, b.Matched, b.Differences)
			}
			for _, sum := range b.Sums {
				theirs[b.Wallet] += sum.Theirs
				// The terms round the fee of each payee, the wallet that of the order.
				if sum.Theirs != sum.Ours || sum.Untold != 0 || sum.Fee != 1000*sum.Terms+sum.Rounding {
					bad(f, "%s of %s: the bill has %d and a fee of %d/1000, our books %d and %d, and %d/1000 is rounding", b.Wallet, b.Day, sum.Theirs, sum.Fee, sum.Ours, sum.Terms, sum.Rounding)
				}
				fees[b.Wallet] += 1000 * sum.Terms
			}
		}
		if after = next; next == "" {
			break
		}
	}
	differences, _, err := reconcile.Differences(ctx, s.hub.Views, reconcile.DifferenceFilter{}, "", 100)
	if err != nil {
		return err
	}
	for _, d := range differences {
		bad(f, "%s of %s, %s: %s", d.Wallet, d.Day, d.Class, d.Facts)
	}
	for _, p := range s.world.Cast.Wallets {
		if whole := int(r.Days) - 1; days[p.Handle] < whole {
			bad(f, "%s: bills of %d days, of %d", p.Handle, days[p.Handle], whole)
		}
		held, fee := int64(0), int64(0)
		for account, net := range moved {
			switch {
			case account.Owner != p.Handle:
			case account.Purpose == ledger.Wallet:
				held += net
			case account.Purpose == ledger.Fee:
				fee += net
			}
		}
		if theirs[p.Handle] != held || fees[p.Handle] != 1000*fee {
			bad(f, "%s: its bills come to %d, and the fees of what they list to %d/1000 by our terms; the ledger says %d and %d", p.Handle, theirs[p.Handle], fees[p.Handle], held, fee)
		}
	}
	return nil
}
