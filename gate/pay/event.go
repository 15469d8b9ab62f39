package pay

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/share"
)

// Of names the payment an event belongs to and its merchant, who alone may open the event's group "merchant".
type Of struct {
	Merchant string      `cbor:"1,keyasint" json:"merchant"`
	Payment  moongate.ID `cbor:"2,keyasint" json:"payment"`
}

// Readers lists who may open a group of the event.
func (o *Of) Readers(audience string) []string {
	if audience == "merchant" {
		return []string{o.Merchant}
	}
	return nil
}

// Chain leads to the event before on the payment's chain, 0 for the first. Next is when the room looks at the thing
// again by itself, 0 for never. Both are for the hub alone.
type Chain struct {
	Before journal.Position `cbor:"1,keyasint,omitempty"`
	Next   moongate.Time    `cbor:"2,keyasint,omitempty"`
}

// Created says that a payment was asked for.
type Created struct {
	Purchase `audience:"merchant"`
	Journey  `audience:"hub"`
}

// Purchase is what the merchant said of a payment.
type Purchase struct {
	Of
	Order     string           `cbor:"3,keyasint" json:"order"`
	From      string           `cbor:"4,keyasint" json:"from"`
	To        string           `cbor:"5,keyasint" json:"to"`
	Agreement moongate.ID      `cbor:"6,keyasint" json:"agreement"`
	Class     string           `cbor:"7,keyasint,omitempty" json:"class,omitempty"`
	Amount    money.Amount     `cbor:"8,keyasint" json:"amount"`
	Payees    []crossing.Payee `cbor:"9,keyasint,omitempty" json:"payees,omitempty"`
	Title     string           `cbor:"10,keyasint" json:"title"`
	Wallets   []string         `cbor:"11,keyasint" json:"wallets"`
	ReturnURL string           `cbor:"12,keyasint,omitempty" json:"return_url,omitempty"`
	Expires   moongate.Time    `cbor:"13,keyasint" json:"expires"`
	Suspend   string           `cbor:"14,keyasint,omitempty" json:"suspend,omitempty"`
	Choose    Chooser          `cbor:"15,keyasint,omitempty" json:"choose,omitempty"`
	Capture   Capture          `cbor:"16,keyasint,omitempty" json:"capture,omitempty"`
	Unfit     []Unfit          `cbor:"17,keyasint,omitempty" json:"not_offered,omitempty"` // wallets that were left out, and why
}

// Journey is what only the hub knows of a payment.
type Journey struct {
	Touches []share.Touch `cbor:"1,keyasint,omitempty"`
	Subject string        `cbor:"2,keyasint,omitempty"`
	Payers  []Payer       `cbor:"3,keyasint,omitempty"`
}

// Try names an attempt: one order at one wallet. The attempt's identifier is the order number there.
type Try struct {
	Of
	Attempt moongate.ID `cbor:"3,keyasint" json:"attempt"`
	Wallet  string      `cbor:"4,keyasint" json:"wallet"`
}

// AttemptOpened says that a wallet is asked to expect the payment. Effect: create the order there.
type AttemptOpened struct {
	Opening `audience:"merchant"`
	Ways    `audience:"hub"`
}

// Opening is what [AttemptOpened] says.
type Opening struct {
	Try
	Channel Channel      `cbor:"5,keyasint" json:"channel"`
	Chosen  *Chosen      `cbor:"6,keyasint,omitempty" json:"chosen,omitempty"` // why, where the hub chose
	Parts   []PartOpened `cbor:"7,keyasint,omitempty" json:"parts,omitempty"`  // where sellers are sub-merchants there
}

// Ways is what only the hub knows of an opening: how this shopper gets to each wallet, where the hub may choose.
type Ways struct {
	Chain
	To []WalletWay `cbor:"3,keyasint,omitempty"`
}

// CreateDue says that the order is asked for once more, for a fresh way to it. Effect: create the order, the same.
type CreateDue struct {
	Try   `audience:"merchant"`
	Chain `audience:"hub"`
}

// HandedOver says how the shopper gets to the wallet.
type HandedOver struct {
	Try   `audience:"merchant"`
	Route `audience:"hub"`
}

// Route is what only the hub, and the shopper through it, knows of a handover.
type Route struct {
	Chain
	Way Way `cbor:"3,keyasint"`
}

// QueryDue says that the wallet is asked what became of the order. Effect: query.
type QueryDue struct {
	Try   `audience:"merchant"`
	Chain `audience:"hub"`
}

// CloseDue says that the order is to be closed, for a reason. Effect: close.
type CloseDue struct {
	Closing `audience:"merchant"`
	Switch  `audience:"hub"`
}

// Closing is what [CloseDue] says.
type Closing struct {
	Try
	Why Why `cbor:"5,keyasint" json:"why"`
}

// Why an attempt is closed.
type Why string

// Reasons to close an attempt.
const (
	WhyExpired   Why = "expired"   // the payment's time is over
	WhyCancelled Why = "cancelled" // the merchant gave it up
	WhySwitched  Why = "switched"  // the shopper wants another wallet
	WhyAbsent    Why = "absent"    // the wallet does not know the number; closing keeps a late order from coming to life
	WhyDoubted   Why = "doubted"   // it had ended, and the wallet told of a payment with another amount
)

// Switch is what follows the close.
type Switch struct {
	Chain
	Wallet  string  `cbor:"3,keyasint,omitempty"` // the shopper's next choice
	Channel Channel `cbor:"4,keyasint,omitempty"`
}

// Doubted says that a call gave no outcome, or one that cannot be. The attempt goes on.
type Doubted struct {
	Doubt `audience:"merchant"`
	Chain `audience:"hub"`
}

// Doubt is what [Doubted] says.
type Doubt struct {
	Try
	Op      Op        `cbor:"5,keyasint" json:"op"`
	Verdict Verdict   `cbor:"6,keyasint,omitempty" json:"verdict,omitempty"`
	Code    string    `cbor:"7,keyasint,omitempty" json:"code,omitempty"`
	Message string    `cbor:"8,keyasint,omitempty" json:"message,omitempty"`
	Outcome *Evidence `cbor:"9,keyasint,omitempty" json:"outcome,omitempty"` // one that cannot be believed alone
}

// AttemptEnded says for good what became of an attempt: paid, closed or failed.
type AttemptEnded struct {
	AttemptEnd `audience:"merchant"`
	Chain      `audience:"hub"`
}

// AttemptEnd is what [AttemptEnded] says.
type AttemptEnd struct {
	Try
	Status  AttemptStatus `cbor:"5,keyasint" json:"status"`
	By      Op            `cbor:"6,keyasint" json:"by"` // how it was learnt
	Outcome *Evidence     `cbor:"7,keyasint,omitempty" json:"outcome,omitempty"`
	Code    string        `cbor:"8,keyasint,omitempty" json:"code,omitempty"`
	Message string        `cbor:"9,keyasint,omitempty" json:"message,omitempty"`
}

// Settled says what became of a payment.
type Settled struct {
	Settlement `audience:"merchant"`
	Division   `audience:"hub"`
}

// Division is what only the hub knows of it.
type Division struct {
	Chain
	Kept  []PartKept `cbor:"3,keyasint,omitempty"`
	Lines []Line     `cbor:"4,keyasint,omitempty"` // where a coupon of the merchant's own bore a part
}

// Settlement is what [Settled] says.
type Settlement struct {
	Of
	Status   Status      `cbor:"3,keyasint" json:"status"`
	Attempt  moongate.ID `cbor:"4,keyasint,omitzero" json:"attempt,omitzero"`
	Wallet   string      `cbor:"5,keyasint,omitempty" json:"wallet,omitempty"`
	Crossing moongate.ID `cbor:"6,keyasint,omitzero" json:"crossing,omitzero"`
	Coupon   int64       `cbor:"7,keyasint,omitempty" json:"coupon,omitempty"`   // of the amount, what the wallet does not owe
	Captured *int64      `cbor:"8,keyasint,omitempty" json:"captured,omitempty"` // of what was authorised, what was taken, where it is less
}

// Back names a refund.
type Back struct {
	Of
	Refund moongate.ID `cbor:"3,keyasint" json:"refund"`
	Wallet string      `cbor:"4,keyasint" json:"wallet"`
}

// RefundOpened says that money is to go back; it is reserved. Effect: refund.
type RefundOpened struct {
	Reversal `audience:"merchant"`
	Origin   `audience:"hub"`
}

// Reversal is what [RefundOpened] says.
type Reversal struct {
	Back
	Reference string       `cbor:"5,keyasint,omitempty" json:"reference,omitempty"`
	Amount    money.Amount `cbor:"6,keyasint" json:"amount"`
	Reason    string       `cbor:"7,keyasint,omitempty" json:"reason,omitempty"`
	Crossing  moongate.ID  `cbor:"8,keyasint" json:"crossing"`                 // pending until the wallet has said what became of it
	Cash      *int64       `cbor:"9,keyasint,omitempty" json:"cash,omitempty"` // of the amount, what the merchants' money bears, where a coupon bore the rest
}

// Origin is what only the hub knows of a refund.
type Origin struct {
	Chain
	Attempt   moongate.ID `cbor:"3,keyasint"`            // whose money it is
	Exception moongate.ID `cbor:"4,keyasint,omitzero"`   // that it resolves
	By        string      `cbor:"5,keyasint,omitempty"`  // who asked; "" for the hub
	Note      string      `cbor:"6,keyasint,omitempty"`  // why an operator gave it back
	Part      moongate.ID `cbor:"7,keyasint,omitzero"`   // of the order, where it has parts
	Kept      int64       `cbor:"8,keyasint,omitempty"`  // of it, what its seller and the wallet would have kept
	Recalls   int         `cbor:"9,keyasint,omitempty"`  // shares that come back first; then it is asked for
	Lines     []int64     `cbor:"10,keyasint,omitempty"` // of each line of a payment that has them, as ordered
}

// RefundDue says that the refund is asked for once more, under its number. Effect: refund, the same.
type RefundDue struct {
	Back  `audience:"merchant"`
	Chain `audience:"hub"`
}

// RefundQueryDue says that the wallet is asked what became of the refund. Effect: query refund.
type RefundQueryDue struct {
	Back  `audience:"merchant"`
	Chain `audience:"hub"`
}

// RefundMoved says where a refund stands that has not ended.
type RefundMoved struct {
	RefundStand `audience:"merchant"`
	Chain       `audience:"hub"`
}

// RefundStand is what [RefundMoved] says.
type RefundStand struct {
	Back
	Status  RefundStatus    `cbor:"5,keyasint" json:"status"`
	By      Op              `cbor:"6,keyasint" json:"by"`
	Outcome *RefundEvidence `cbor:"7,keyasint,omitempty" json:"outcome,omitempty"`
	Verdict Verdict         `cbor:"8,keyasint,omitempty" json:"verdict,omitempty"`
	Code    string          `cbor:"9,keyasint,omitempty" json:"code,omitempty"`
	Message string          `cbor:"10,keyasint,omitempty" json:"message,omitempty"`
}

// RefundEnded says for good what became of a refund: done or failed.
type RefundEnded struct {
	RefundStand `audience:"merchant"`
	Chain       `audience:"hub"`
}

// ExceptionOpened says that something came about that a person, or time, has to settle.
type ExceptionOpened struct {
	Trouble  `audience:"merchant"`
	Handling `audience:"hub"`
}

// Trouble is what [ExceptionOpened] says. Without a payment, its merchant is empty and nobody but the hub reads it.
type Trouble struct {
	Of
	Exception moongate.ID  `cbor:"3,keyasint" json:"exception"`
	Kind      TroubleKind  `cbor:"4,keyasint" json:"kind"`
	Wallet    string       `cbor:"5,keyasint,omitempty" json:"wallet,omitempty"`
	Attempt   moongate.ID  `cbor:"6,keyasint,omitzero" json:"attempt,omitzero"`
	Refund    moongate.ID  `cbor:"7,keyasint,omitzero" json:"refund,omitzero"`
	Crossing  moongate.ID  `cbor:"8,keyasint,omitzero" json:"crossing,omitzero"` // of the money in suspense
	Amount    money.Amount `cbor:"9,keyasint,omitzero" json:"amount,omitzero"`
	Facts     string       `cbor:"10,keyasint" json:"facts"`
	// Instruction is settlement's, where a payout came to nothing further. Amount is what is left of it.
	Instruction moongate.ID `cbor:"11,keyasint,omitzero" json:"instruction,omitzero"`
	PaidOut     int64       `cbor:"12,keyasint,omitempty" json:"paid_out,omitempty"` // minor units of it that the participant has
}

// Handling is what only the hub knows of an exception.
type Handling struct {
	Chain              // Next: when the money goes back by itself
	Number string      `cbor:"3,keyasint,omitempty"` // of an order that is not ours
	About  moongate.ID `cbor:"4,keyasint,omitzero"`  // the exception whose money could not go back by itself
}

// ExceptionResolved says that an exception is settled.
type ExceptionResolved struct {
	Remedy `audience:"merchant"`
	Chain  `audience:"hub"`
}

// Remedy is what [ExceptionResolved] says.
type Remedy struct {
	Of
	Exception moongate.ID `cbor:"3,keyasint" json:"exception"`
	Action    Action      `cbor:"4,keyasint" json:"action"`
	By        string      `cbor:"5,keyasint,omitempty" json:"by,omitempty"` // "" for the hub itself
	Note      string      `cbor:"6,keyasint,omitempty" json:"note,omitempty"`
}

func (*Created) EventKind() string           { return "pay.created" }
func (*AttemptOpened) EventKind() string     { return "pay.attempt_opened" }
func (*CreateDue) EventKind() string         { return "pay.create_due" }
func (*HandedOver) EventKind() string        { return "pay.handed_over" }
func (*QueryDue) EventKind() string          { return "pay.query_due" }
func (*CloseDue) EventKind() string          { return "pay.close_due" }
func (*Doubted) EventKind() string           { return "pay.doubted" }
func (*AttemptEnded) EventKind() string      { return "pay.attempt_ended" }
func (*Settled) EventKind() string           { return "pay.settled" }
func (*RefundOpened) EventKind() string      { return "pay.refund_opened" }
func (*RefundDue) EventKind() string         { return "pay.refund_due" }
func (*RefundQueryDue) EventKind() string    { return "pay.refund_query_due" }
func (*RefundMoved) EventKind() string       { return "pay.refund_moved" }
func (*RefundEnded) EventKind() string       { return "pay.refund_ended" }
func (*ExceptionOpened) EventKind() string   { return "pay.exception_opened" }
func (*ExceptionResolved) EventKind() string { return "pay.exception_resolved" }
