package pay

import (
	"context"
	"io"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// What some wallets can do beyond [Wallet]. A connector says so in its [Capabilities], and implements the interface.

// Capturer is a wallet that can reserve a shopper's money first and take it later. That may be long after the order, so a
// reservation is named by the wallet's own number, too.
type Capturer interface {
	// Capture takes at most what was reserved, once; what is left goes back to the shopper. The answer is Paid, with the
	// amount that was taken, or what has become of the order since: Closed where nothing is reserved any more.
	Capture(ctx context.Context, r Reservation, amount money.Amount) (Outcome, error)
	// QueryReserved asks as [Wallet.Query] does.
	QueryReserved(ctx context.Context, r Reservation) (Outcome, error)
	// Release gives what was reserved back to the shopper. It answers as [Wallet.Close] does.
	Release(ctx context.Context, r Reservation) (Outcome, error)
}

// Reservation names money that a wallet has reserved for an order.
type Reservation struct {
	No  string // our number of the order
	Ref string // the wallet's; "" where it was not told
}

// Splitter is a wallet that divides what it holds of a paid order among accounts of its own (分账, 分润, transfers). As
// everywhere, our numbers are the outside idempotency keys, and every method may be repeated.
type Splitter interface {
	// Admit tells the wallet that an account may receive parts of our orders.
	Admit(ctx context.Context, r Receiver) error
	// Split pays parts of an order out. With Finish, what is left afterwards is released to the account that sold.
	Split(ctx context.Context, s SplitOrder) (SplitOutcome, error)
	// QuerySplit asks what became of a split. One that the wallet has never heard of has state SplitAbsent.
	QuerySplit(ctx context.Context, s SplitOrder) (SplitOutcome, error)
	// Unsplit takes a part back from its receiver, which a refund of split money needs first.
	Unsplit(ctx context.Context, u UnsplitOrder) (SplitOutcome, error)
	// QueryUnsplit asks what became of it.
	QueryUnsplit(ctx context.Context, u UnsplitOrder) (SplitOutcome, error)
}

// Receiver is an account at a wallet that may get parts of our orders.
type Receiver struct {
	Account string // its number at the wallet
	Person  bool   // a person's, not a merchant's
	Name    string // of the account's holder, where the wallet compares it
}

// SplitOrder asks for parts of a paid order to go to others.
type SplitOrder struct {
	No        string // our number: 1–64 of 0-9 A-Z a-z _ - | * @
	OrderNo   string // our number of the order, or of its part
	OrderRef  string // the wallet's number of it
	Sub       string // the sub-merchant whose order it is; "" for one of the account's own
	Parts     []SplitPart
	Finish    bool
	Currency  money.Currency
	NotifyURL string
}

// SplitPart is one receiver's part.
type SplitPart struct {
	Account string
	Person  bool
	Amount  int64  // minor units
	Note    string // the receiver reads it, at most 80 bytes
}

// UnsplitOrder asks for a part to come back from its receiver.
type UnsplitOrder struct {
	No       string // our number, as SplitOrder.No
	SplitNo  string // our number of the split
	SplitRef string // the wallet's
	OrderRef string // the wallet's number of the order
	Sub      string // the sub-merchant whose order it is; "" for one of the account's own
	Account  string
	Amount   money.Amount
	Note     string
}

// SplitState is what a wallet says of a split, or of one receiver's part.
type SplitState string

// Split states.
const (
	SplitPending SplitState = "pending" // accepted, on its way
	SplitDone    SplitState = "done"    // the money has moved
	SplitClosed  SplitState = "closed"  // failed for good: the money stayed
	SplitAbsent  SplitState = "absent"  // the wallet has never heard of this number
)

// SplitOutcome is a wallet's signed statement about a split or an unsplit. State is done only when every part is done or
// closed.
type SplitOutcome struct {
	No        string
	OrderRef  string
	State     SplitState
	WalletRef string
	Parts     []SplitPartOutcome
	Said      string
}

// SplitPartOutcome is what became of one receiver's part.
type SplitPartOutcome struct {
	Account string
	Amount  int64 // minor units
	State   SplitState
	Said    string // why it was closed
}

// Dispute is a wallet's statement that a shopper contests a payment.
type Dispute struct {
	No      string // the wallet's number of the dispute
	OrderNo string // ours of the order, or of the part that is contested
	State   DisputeState
	Amount  money.Amount
	Reason  string        // the wallet's own word
	Due     moongate.Time // until when evidence is taken; 0 for none
}

// DisputeState is where a dispute stands.
type DisputeState string

// Dispute states.
const (
	DisputeOpen   DisputeState = "open"   // somebody must answer it
	DisputeReview DisputeState = "review" // answered; the wallet decides
	DisputeWon    DisputeState = "won"    // the money stays
	DisputeLost   DisputeState = "lost"   // the money went back to the shopper
)

// Biller is a wallet whose books can be downloaded, day by day.
type Biller interface {
	// Bill writes a day's bill, uncompressed and as the wallet encodes it, to the spool. The day is YYYY-MM-DD by the
	// wallet's calendar. Only when it returns without error does the spool hold the bill: its hash was compared, where
	// the wallet publishes one. A bill that is not there yet is NotDone; a day without one is Refused.
	Bill(ctx context.Context, day string, kind BillKind, spool io.Writer) (BillFile, error)
}

// BillKind is what a bill lists.
type BillKind string

// Kinds of bills.
const (
	TradeBill BillKind = "trade" // orders and refunds
	FundBill  BillKind = "fund"  // every movement of the account
)

// BillFile describes a downloaded bill.
type BillFile struct {
	Bytes    int64  // as spooled
	Hash     string // algorithm and hexadecimal digest that were compared, such as "sha1:…"; "" where the wallet publishes none
	Encoding string // of the text, such as "utf-8" or "gbk"
	Archive  string // "zip" where the spool holds one; "" for plain text
}

// Keyholder is a wallet that can tell by which of its own keys it is believed, so that a rotation is seen coming.
type Keyholder interface {
	// Keys fetches what there is to fetch, and lists the wallet's keys that are accepted.
	Keys(ctx context.Context) ([]WalletKey, error)
}

// WalletKey is a key that a wallet signs with.
type WalletKey struct {
	ID    string        // serial of its certificate, or its name
	From  moongate.Time // 0 where it does not say
	Until moongate.Time // 0 where it does not end
}
