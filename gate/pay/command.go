package pay

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/money"
	"github.com/moongate-hub/moongate/share"
)

// Create asks for a payment. The caller is the merchant: one of From and To, in whose name the shopper pays. The
// merchant's order number stands for one payment for as long as it can be refunded, whatever else the request says.
type Create struct {
	Order     string           `cbor:"1,keyasint" json:"order"` // the merchant's number, 1 to 64 characters
	From      string           `cbor:"2,keyasint" json:"from"`
	To        string           `cbor:"3,keyasint" json:"to"`
	Agreement moongate.ID      `cbor:"4,keyasint" json:"agreement"`
	Class     string           `cbor:"5,keyasint,omitempty" json:"class,omitempty"`
	Amount    money.Amount     `cbor:"6,keyasint" json:"amount"`
	Payees    []crossing.Payee `cbor:"7,keyasint,omitempty" json:"payees,omitempty"` // add up to the amount; default by the agreement
	Title     string           `cbor:"8,keyasint" json:"title"`                      // what the shopper reads, 1 to 127 characters
	Wallets   []string         `cbor:"9,keyasint" json:"wallets,omitempty"`          // offered, in order; the gate fills in those that fit where the request names none
	ReturnURL string           `cbor:"10,keyasint,omitempty" json:"return_url,omitempty"`
	Expires   moongate.Time    `cbor:"11,keyasint,omitempty" json:"expires,omitzero"`  // 2 minutes to 24 hours from now; 30 minutes by default
	Subject   string           `cbor:"12,keyasint,omitempty" json:"subject,omitempty"` // the shopper's pairwise pseudonym
	Touches   []share.Touch    `cbor:"13,keyasint,omitempty" json:"-"`                 // from click tokens, which the gate has opened
	// Suspend says, in at most 200 characters, why nobody knows yet whose the money is: an order that does not add up.
	// It is taken in all the same, and waits in suspense under an exception until an operator divides it or gives it back.
	Suspend string  `cbor:"14,keyasint,omitempty" json:"suspend,omitempty"`
	Choose  Chooser `cbor:"15,keyasint,omitempty" json:"choose,omitempty"`  // who chooses the wallet; the shopper where it is missing
	Payers  []Payer `cbor:"16,keyasint,omitempty" json:"-"`                 // who the shopper is at wallets, enciphered by the gate
	Capture Capture `cbor:"17,keyasint,omitempty" json:"capture,omitempty"` // automatic where it is missing; manual only at wallets that can reserve
	Able    []Able  `cbor:"18,keyasint,omitempty" json:"-"`                 // what the wallets take of orders in parts, from the gate
}

// Chooser is who chooses the wallet of a payment.
type Chooser string

// Choosers. A shopper may always choose another wallet than the hub did.
const (
	ByShopper Chooser = "shopper"
	ByHub     Chooser = "hub" // by the merchant's rules and by measured success
)

// ChooseWallet sends the shopper to a wallet. While an attempt at another wallet may still be paid, that one is closed
// first: the answer then says Switching, and the new attempt follows by itself. An empty wallet only gives up the one
// chosen before.
type ChooseWallet struct {
	Payment moongate.ID `cbor:"1,keyasint" json:"payment"`
	Wallet  string      `cbor:"2,keyasint" json:"wallet"`
	Channel Channel     `cbor:"3,keyasint,omitempty" json:"channel,omitempty"` // qr by default; in_app wants to know who pays
	// Auto lets the hub choose, by the merchant's rules and by measured success, among the ways that the gate has filled in.
	Auto bool        `cbor:"4,keyasint,omitempty" json:"auto,omitempty"`
	Ways []WalletWay `cbor:"5,keyasint,omitempty" json:"-"`
	Able []Able      `cbor:"6,keyasint,omitempty" json:"-"` // what the wallets take of orders in parts, from the gate
}

// Cancel gives a payment up. Where an attempt may still be paid it is closed first; if the shopper was faster, the
// payment succeeds and can be refunded.
type Cancel struct {
	Payment moongate.ID `cbor:"1,keyasint" json:"payment"`
}

// Return says that the shopper came back from the wallet. It proves nothing; the wallet is asked at once.
type Return struct {
	Payment moongate.ID `cbor:"1,keyasint"`
}

// Refund asks for money to go back to the shopper. The amount is reserved at once: concurrent refunds never take more
// than was paid. The merchant's reference stands for one refund.
type Refund struct {
	Payment   moongate.ID      `cbor:"1,keyasint" json:"payment"`
	Reference string           `cbor:"2,keyasint" json:"reference"`                  // the merchant's number, 1 to 64 characters
	Amount    int64            `cbor:"3,keyasint" json:"amount"`                     // minor units of the payment's currency
	Payees    []crossing.Payee `cbor:"4,keyasint,omitempty" json:"payees,omitempty"` // from whom it is taken; in proportion by default
	Reason    string           `cbor:"5,keyasint,omitempty" json:"reason,omitempty"` // the shopper reads it, at most 40 bytes
}

// Resolve ends an exception. An operator may.
type Resolve struct {
	Exception moongate.ID `cbor:"1,keyasint" json:"exception"`
	Action    Action      `cbor:"2,keyasint" json:"action"`
	Note      string      `cbor:"3,keyasint" json:"note"` // why, 1 to 500 characters
	// Payees say, where it is released, whose the money is; needed where the payment had left that open.
	Payees []crossing.Payee `cbor:"4,keyasint,omitempty" json:"payees,omitempty"`
}

// Action is what is done about an exception.
type Action string

// Actions.
const (
	GiveBack Action = "give_back" // the money goes back to the shopper
	Release  Action = "release"   // the money is divided under the terms that are in force now
	Dismiss  Action = "dismiss"   // no money hangs on it any more; the note says why
)

// Report tells what an effect came to: a call to a wallet about an attempt. Exactly one of Handoff, Outcome and Verdict
// is set.
type Report struct {
	Attempt moongate.ID `cbor:"1,keyasint"`
	Op      Op          `cbor:"2,keyasint"`
	Handoff *Way        `cbor:"3,keyasint,omitempty"`
	Outcome *Evidence   `cbor:"4,keyasint,omitempty"`
	Verdict Verdict     `cbor:"5,keyasint,omitempty"`
	Code    string      `cbor:"6,keyasint,omitempty"` // the wallet's own
	Message string      `cbor:"7,keyasint,omitempty"`
}

// Op is a call to a wallet.
type Op string

// Calls to a wallet.
const (
	OpCreate      Op = "create"
	OpQuery       Op = "query"
	OpClose       Op = "close"
	OpRefund      Op = "refund"
	OpQueryRefund Op = "query_refund"
	OpNotice      Op = "notice" // not a call: the wallet told us by itself
)

// Way is a [Handoff] as the journal keeps it.
type Way struct {
	QR      string        `cbor:"1,keyasint,omitempty" json:"qr,omitempty"`
	URL     string        `cbor:"2,keyasint,omitempty" json:"url,omitempty"`
	Expires moongate.Time `cbor:"3,keyasint" json:"expires"`
	Params  string        `cbor:"4,keyasint,omitempty" json:"params,omitempty"`
	Frozen  bool          `cbor:"5,keyasint,omitempty" json:"-"` // what is paid stays frozen there until it is split
}

// Evidence is an [Outcome] as the journal keeps it: what a wallet signed about an order.
type Evidence struct {
	State      OrderState    `cbor:"1,keyasint" json:"state"`
	WalletRef  string        `cbor:"2,keyasint,omitempty" json:"wallet_ref,omitempty"`
	Amount     money.Amount  `cbor:"3,keyasint,omitzero" json:"amount,omitzero"`
	PayerTotal int64         `cbor:"4,keyasint,omitempty" json:"payer_total,omitempty"`
	PaidAt     moongate.Time `cbor:"5,keyasint,omitempty" json:"paid_at,omitzero"`
	Said       string        `cbor:"6,keyasint,omitempty" json:"said,omitempty"`
	Settled    *int64        `cbor:"7,keyasint,omitempty" json:"settled,omitempty"` // what the wallet owes, where that is less
	Parts      []PartPaid    `cbor:"8,keyasint,omitempty" json:"parts,omitempty"`   // of an order with parts
	Until      moongate.Time `cbor:"9,keyasint,omitempty" json:"until,omitzero"`    // of what is reserved: then the wallet lets it go by itself
}

// Told reports a wallet's notification that passed every check. One of Payment, Refund and Dispute is set.
type Told struct {
	Wallet  string           `cbor:"1,keyasint"`
	Event   string           `cbor:"2,keyasint"` // the wallet's own word
	Order   string           `cbor:"3,keyasint"` // the number it is about, as we gave it
	Payment *Evidence        `cbor:"4,keyasint,omitempty"`
	Refund  *RefundEvidence  `cbor:"5,keyasint,omitempty"`
	Dispute *DisputeEvidence `cbor:"6,keyasint,omitempty"`
}

// RefundEvidence is a [RefundOutcome] as the journal keeps it.
type RefundEvidence struct {
	State     RefundState   `cbor:"1,keyasint" json:"state"`
	WalletRef string        `cbor:"2,keyasint,omitempty" json:"wallet_ref,omitempty"`
	Amount    money.Amount  `cbor:"3,keyasint,omitzero" json:"amount,omitzero"`
	DoneAt    moongate.Time `cbor:"4,keyasint,omitempty" json:"done_at,omitzero"`
	Said      string        `cbor:"5,keyasint,omitempty" json:"said,omitempty"`
}

// RefundReport is [Report] about a refund.
type RefundReport struct {
	Refund  moongate.ID     `cbor:"1,keyasint"`
	Op      Op              `cbor:"2,keyasint"`
	Outcome *RefundEvidence `cbor:"3,keyasint,omitempty"`
	Verdict Verdict         `cbor:"4,keyasint,omitempty"`
	Code    string          `cbor:"5,keyasint,omitempty"`
	Message string          `cbor:"6,keyasint,omitempty"`
}

// PaymentAnswer names a payment.
type PaymentAnswer struct {
	Payment moongate.ID   `cbor:"1,keyasint" json:"payment"`
	Status  Status        `cbor:"2,keyasint" json:"status"`
	Expires moongate.Time `cbor:"3,keyasint" json:"expires"`
	Unfit   []Unfit       `cbor:"4,keyasint,omitempty" json:"not_offered,omitempty"` // of a new one, the wallets left out
}

// WalletAnswer says what became of a choice.
type WalletAnswer struct {
	Attempt   moongate.ID `cbor:"1,keyasint,omitzero" json:"attempt,omitzero"`
	Switching bool        `cbor:"2,keyasint,omitempty" json:"switching,omitempty"` // the attempt before is being closed
	Wallet    string      `cbor:"3,keyasint,omitempty" json:"wallet,omitempty"`    // that the hub chose
	Chosen    *Chosen     `cbor:"4,keyasint,omitempty" json:"chosen,omitempty"`    // why
}

// RefundAnswer names a refund.
type RefundAnswer struct {
	Refund moongate.ID  `cbor:"1,keyasint" json:"refund"`
	Status RefundStatus `cbor:"2,keyasint" json:"status"`
}

// Done is the answer that has nothing to say.
type Done struct{}

func (*Create) CommandKind() string       { return "pay.create" }
func (*ChooseWallet) CommandKind() string { return "pay.choose_wallet" }
func (*Cancel) CommandKind() string       { return "pay.cancel" }
func (*Return) CommandKind() string       { return "pay.return" }
func (*Refund) CommandKind() string       { return "pay.refund" }
func (*Resolve) CommandKind() string      { return "pay.resolve" }
func (*Report) CommandKind() string       { return "pay.report" }
func (*Told) CommandKind() string         { return "pay.told" }
func (*RefundReport) CommandKind() string { return "pay.refund_report" }
