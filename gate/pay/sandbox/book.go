package sandbox

import (
	"fmt"
	"time"
)

// Book is what a wallet holds for an account, for comparing with a bill or a ledger; sorted by number.
type Book struct {
	Payments []Payment
	Refunds  []Refunded
	Splits   []Split
}

// Split is a part of an order that went to another account, or is on its way there; what came back is left out.
type Split struct {
	No, OutTradeNo, Account, State string
	Amount                         int64 // fen
}

// Payment is a paid order in a [Book].
type Payment struct {
	OutTradeNo    string
	TransactionID string // the wallet's number
	Attach        string // our reference
	Total, Fee    int64  // fen
	Owed          int64  // of the total, what the wallet owes: less coupons that the merchant bears
	Sub           string // the sub-merchant whose it is; "" for the account's own
}

// Refunded is a refund in a [Book] that moved money or still may: SUCCESS once it did, whatever the wallet calls that.
type Refunded struct {
	OutRefundNo, RefundID, OutTradeNo, State string
	Amount, FeeBack                          int64 // fen
	Owed                                     int64 // of the amount, what the merchant's account gave back
}

// Book copies an account's book.
func (w *Wallet) Book(account string) Book {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wire.Book(account)
}

// Beijing is the zone of every time that a wallet writes.
var Beijing = time.FixedZone("CST", 8*3600)

// Fee is the account's rate of an amount, rounded half up to the fen, as wallets charge it.
func (w *Wallet) Fee(fen int64) int64 { return (fen*w.cfg.FeeRate + 5000) / 10000 }

// FeeShare is how much of an order's fee goes with a part of its total. All of it goes with all.
func (w *Wallet) FeeShare(total, fee, part int64) int64 {
	if part == total {
		return fee
	}
	return min(fee, w.Fee(part))
}

// Yuan writes fen with two decimals.
func Yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }
