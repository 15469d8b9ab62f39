package console

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// PaymentLine is one payment, as a row.
type PaymentLine struct {
	ID       string
	At       moongate.Time
	Order    string // the merchant's reference
	Merchant Party
	Wallet   Party // none yet: not chosen
	Amount   money.Amount
	State    string // open, held, succeeded, expired, cancelled, returned; more exactly awaiting, unknown, failed, …
}

// Payments is the list.
type Payments struct {
	Filter PaymentFilter
	Lines  []PaymentLine
	Paging Paging
}

// PaymentFilter says which payments a list shows; Wallets and Merchants are those the reader may choose from.
type PaymentFilter struct {
	State, Wallet, Merchant, Order string
	Since, Until                   string // days like 2026-11-20 in UTC, both included
	Wallets, Merchants             []Option
}

func (Payments) template() string { return "payments" }

// Payment is one payment's history.
type Payment struct {
	Line       PaymentLine
	Crossing   string // ID, once paid
	Refunded   money.Amount
	Refundable money.Amount
	Until      moongate.Time // the cashier page closes, while it is open
	Attempts   []Attempt
	Unfit      []Unfit // wallets that were not offered
	Refunds    []RefundLine
	Further    Paging // of the refunds
	Steps      []Step
	Story      Paging        // of the steps, from the newest back
	Reserved   money.Amount  // what was reserved, where less was captured
	HeldUntil  moongate.Time // of an authorised payment: then it is given up
	Actions    []Action
}

func (Payment) template() string { return "payment" }

// Unfit is a wallet that could not take a payment.
type Unfit struct {
	Wallet  Party
	Why     string // key of a sentence
	Program string // what a program wrote of it
}

// Attempt is one try at one wallet.
type Attempt struct {
	ID        string
	At        moongate.Time
	Wallet    Party
	State     string // opening, awaiting, unknown, closing, paid, closed, failed
	Reference string // what the wallet knows it by (out_trade_no)
	Theirs    string // the wallet's own number
	Asked     int    // how often its outcome was queried
	Next      moongate.Time
}

// RefundLine is one refund, as a row.
type RefundLine struct {
	ID        string
	At        moongate.Time
	Payment   string
	Reference string // the merchant's; empty where the hub gives money back by itself
	Exception string // that it resolves
	Merchant  Party
	Wallet    Party
	Amount    money.Amount
	State     string // asked, accepted, unknown, held_up, succeeded, failed
	Ended     moongate.Time
	Message   string // why it did not work, in the wallet's words
}

// Refunds is the list.
type Refunds struct {
	State, Wallet string // filters
	Wallets       []Option
	Lines         []RefundLine
	Paging        Paging
}

func (Refunds) template() string { return "refunds" }

// WalletLine is how payments have fared at one wallet in the last day, and how the hub's calls to it go.
type WalletLine struct {
	Wallet  Party
	State   string // answering, failing, dead, asking: how the calls go; for who does not operate, answering or asking
	Sandbox bool   // not the real one
	Kind    string // connector: wechatpay, alipay, stripe; empty: not the reader's to know
	Tried   int64
	Paid    int64
	Failed  int64
	Unknown int64 // being asked

	Refunds, RefundsBack, RefundsFailed, RefundsStuck int64

	Exceptions int64
	Oldest     moongate.Time // of the exceptions
	Queue      Queue         // no peer: not the reader's to know, or nothing waits
}

// Wallets is the health of all wallets.
type Wallets struct {
	Lines []WalletLine
}

func (Wallets) template() string { return "wallets" }
