package pay

import (
	"context"
	"net/http"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Wallet is one merchant account at one wallet. Its methods may be called at the same time.
//
// Every method is safe to repeat with the same argument: the numbers in [Order] and [RefundOrder] are the outside
// idempotency keys, and a connector adds none of its own. An error is a [*Failure]; an error of another type counts as
// [Unknown] (see [VerdictOf]).
type Wallet interface {
	// Can tells what this account supports. It does no I/O and always answers the same.
	Can() Capabilities
	// Create registers an order at the wallet and says where the shopper goes. Repeating it with the same order gives
	// a fresh Handoff for the same order. Where the wallet already knows the number in any other way (paid, closed,
	// other parameters), the failure is Unknown: query it.
	Create(ctx context.Context, o Order) (Handoff, error)
	// Query asks what became of an order, by our number. An order the wallet has never heard of is an Outcome with
	// state Absent, not an error.
	Query(ctx context.Context, no string) (Outcome, error)
	// Close asks that an order can no longer be paid. The answer is Closed (again, for a closed order), Paid where the
	// shopper was faster, Absent where the wallet says that it has never heard of the number, or Awaiting where it would
	// not close an open order: ask again.
	Close(ctx context.Context, no string) (Outcome, error)
	// Refund asks for money to go back. The usual answer is RefundPending; the result comes by notice or query.
	Refund(ctx context.Context, r RefundOrder) (RefundOutcome, error)
}

// PartQuerier is a wallet that must be told of an order's parts to find it: what it knows as a combined order, or as a
// sub-merchant's, goes under other names than an order of the account's own. An order without parts is not asked for so.
type PartQuerier interface {
	QueryParts(ctx context.Context, no string, parts []OrderPart) (Outcome, error)
	CloseParts(ctx context.Context, no string, parts []OrderPart) (Outcome, error)
}

// RefundQuerier is a wallet that can be asked what became of a refund, by our numbers of it and of its order: some wallets
// know a refund by both alone. A refund the wallet has never heard of has state RefundAbsent.
type RefundQuerier interface {
	QueryRefund(ctx context.Context, r RefundOrder) (RefundOutcome, error)
}

// Notifier is a wallet that tells us of its own accord. Notified checks that the wallet sent this, recently, and
// decrypts it. The body must be the raw bytes as received. Any error means: do not acknowledge, believe nothing.
type Notifier interface {
	Notified(ctx context.Context, header http.Header, body []byte) (Notice, error)
}

// Capabilities of one merchant account. The gate offers a wallet to a shopper only where they fit.
type Capabilities struct {
	Kind         string // wallet kind in routing, agreements and metrics, such as "wechatpay"
	Currencies   []money.Currency
	Channels     []Channel     // how a shopper can be handed over
	MaxAmount    int64         // of one order, in minor units
	MaxRefunds   int           // partial refunds of one order
	RefundWindow moongate.Time // after the payment; later refunds are refused
	MaxLife      moongate.Time // longest time an order may wait for its shopper
	MinLife      moongate.Time // shortest; a shorter one is lengthened by the wallet
	Hold         bool          // it is a [Capturer]: an order may be authorised first and captured later
	SplitCap     int64         // it is a [Splitter]: the most that may be split off an order, basis points; 0 for none
	SplitNet     bool          // it takes its fee when an order is paid, and what it took cannot be split
	MaxParts     int           // sub-merchants whose parts one order can have; 0 where it has none, 1 where orders cannot be combined
	Subs         bool          // orders are for sub-merchants alone: each has at least one part
	Ack          string        // body with which a notification is acknowledged; "" for 204 without one
}

// Channel is a way to hand a shopper over to the wallet.
type Channel string

// Channels.
const (
	QR       Channel = "qr"       // the shopper scans a code with the wallet's app
	Redirect Channel = "redirect" // the browser goes to the wallet and comes back
	InApp    Channel = "in_app"   // a page inside the wallet's own app pays through its bridge; Order.Payer says who
	App      Channel = "app"      // the merchant's app calls the wallet's app through its SDK
)

// Order asks a wallet to expect a payment.
type Order struct {
	No          string // our number: 6–32 of 0-9 A-Z a-z _ - | *; unique at this account for good
	Channel     Channel
	Amount      money.Amount
	Description string        // what the shopper reads in the wallet, 1–127 characters
	Tag         string        // our reference, at most 128 bytes; the wallet hands it back in queries, notices and bills
	Expires     moongate.Time // the shopper cannot pay afterwards
	NotifyURL   string        // where notices go; without query
	ReturnURL   string        // Redirect only: where the browser goes afterwards. It proves nothing.
	ClientIP    string        // Redirect only: the shopper's address, which some wallets compare
	Payer       string        // InApp only: the shopper's identifier at the wallet, for the app that asks
	Freeze      bool          // what is paid stays frozen until it is split or released; for a [Splitter]
	Hold        bool          // authorise only; [Capturer] takes the money, or releases it
	Parts       []OrderPart   // of a combined order; they add up to Amount. None for an order of one account
}

// OrderPart is what one sub-merchant gets of a combined order: an order of its own at the wallet, paid with the others or
// not at all.
type OrderPart struct {
	No      string // our number, as Order.No
	Account string // the sub-merchant's number at the wallet
	Amount  int64  // minor units
	Tag     string // as Order.Tag
}

// Handoff takes the shopper to the wallet. One of QR, URL and Params is set.
type Handoff struct {
	QR      string        // content of the code to show
	URL     string        // where to send the browser
	Params  string        // InApp and App: what the wallet's bridge or SDK is called with, as the wallet documents it
	Expires moongate.Time // of this handoff; creating the order again gives a new one
}

// OrderState is what a wallet says of an order.
type OrderState string

// Order states. Paid, Closed and Absent are evidence; the shopper's browser coming back is not.
const (
	Awaiting OrderState = "awaiting" // registered, not paid
	Reserved OrderState = "reserved" // authorised: the shopper's money is reserved, and not yet taken
	Paid     OrderState = "paid"     // paid; perhaps refunded since, see Outcome.Refunded
	Closed   OrderState = "closed"   // can no longer be paid
	Absent   OrderState = "absent"   // the wallet has never heard of this number
)

// Outcome is a wallet's signed statement about an order. The payer's identity at the wallet is left out on purpose: the
// hub has no use for it and would have to protect it.
type Outcome struct {
	No         string
	State      OrderState
	Refunded   bool          // the wallet holds at least one refund against it
	WalletRef  string        // the wallet's own number, once paid
	Amount     money.Amount  // what was ordered
	PayerTotal int64         // what the shopper paid, minor units; less than Amount where a coupon paid the rest
	Settled    *int64        // what the wallet owes for it, minor units, where that is less than Amount: a coupon of the merchant's own
	PaidAt     moongate.Time // by the wallet's clock
	Until      moongate.Time // of what is reserved: then the wallet lets it go by itself; 0 where it does not say
	Tag        string        // as given in the order
	Said       string        // the wallet's own word, for people
	Parts      []PartOutcome // of a combined order
}

// PartOutcome is what a wallet says of one sub-merchant's part.
type PartOutcome struct {
	No         string
	Account    string
	WalletRef  string
	Amount     int64 // minor units
	PayerTotal int64
	Settled    *int64 // as Outcome.Settled
}

// RefundOrder asks for money to go back to the shopper.
type RefundOrder struct {
	No        string       // our number: 1–64 of 0-9 A-Z a-z _ - | * @
	OrderNo   string       // our number of the order
	OrderRef  string       // the wallet's number of the order, preferred where known
	Amount    money.Amount // to refund
	Total     int64        // what the order was for, minor units; wallets compare it
	Sub       string       // the sub-merchant whose part it is; "" for an order without parts
	Reason    string       // the shopper reads it, at most 80 bytes
	NotifyURL string       // where notices about this refund go; without query
}

// RefundState is what a wallet says of a refund.
type RefundState string

// Refund states.
const (
	RefundPending RefundState = "pending" // accepted, on its way
	RefundDone    RefundState = "done"    // the money is back
	RefundClosed  RefundState = "closed"  // failed for good: the money stayed
	RefundStuck   RefundState = "stuck"   // the shopper's card cannot take it; a person must act at the wallet
	RefundAbsent  RefundState = "absent"  // the wallet has never heard of this number
)

// RefundOutcome is a wallet's signed statement about a refund.
type RefundOutcome struct {
	No        string
	OrderNo   string
	State     RefundState
	WalletRef string       // the wallet's own number
	Amount    money.Amount // being refunded
	DoneAt    moongate.Time
	Said      string
}

// Notice is a notification that passed every check. At most one of its pointers is set; all are nil for an event the
// gate has no use for, which is acknowledged and forgotten.
type Notice struct {
	ID      string // the wallet's event id: the same for every delivery of one event
	At      moongate.Time
	Event   string // the wallet's own word, such as TRANSACTION.SUCCESS
	Payment *Outcome
	Refund  *RefundOutcome
	Split   *SplitOutcome
	Dispute *Dispute
}
