package console

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Cashier is the page on which a shopper pays.
type Cashier struct {
	Payment  string
	State    string // choosing, awaiting, unknown, authorised, held, late, succeeded, failed, expired, cancelled, refunded, partly_refunded
	Merchant Party
	Through  Party  // marketplace, where it is not the merchant
	Title    string // what is bought
	Order    string
	Amount   money.Amount
	Refunded money.Amount
	Wallets  []Wallet
	Chosen   Wallet
	Handoff  string // address that opens the wallet's app or page: https, http on loopback, weixin, alipays
	Code     string // what the QR code says, usually the same address
	Bridge   string // JSON with which a page inside the wallet's own app calls it (WeixinJSBridge, getBrandWCPayRequest)
	Opened   moongate.Time
	Until    moongate.Time
	Paid     moongate.Time
	Auto     bool   // the shopper may leave the choice of the wallet to the hub
	Change   bool   // another wallet may be chosen: the last one is surely closed
	Back     string // where the shopper came from
	Receipt  string // path of the receipt, when paid
	Help     string // address of the merchant's help, if any
	Trouble  string // why the last choice came to nothing: malformed, refused, limit, conflict, busy, unknown
}

func (Cashier) template() string { return "cashier" }

// Wallet is one way to pay. Brand is wechatpay, alipay, stripe or sandbox; it decides the colour of the button alone.
type Wallet struct {
	ID    string
	Name  string
	Brand string
}

// final tells whether the page has nothing more to wait for.
func (c Cashier) final() bool {
	switch c.State {
	case "choosing", "awaiting", "unknown", "authorised", "held", "late":
		return false
	}
	return true
}

// SignIn is the form of the console's door.
type SignIn struct {
	Failed bool   // the credential was not accepted
	Next   string // path to go on to
	Hint   string // command that makes a credential, for the operator of a fresh hub
}

func (SignIn) template() string { return "signin" }

// Problem is a page for what cannot be shown: the sibling, for people, of problem+json.
type Problem struct {
	Status  int // HTTP
	Error   moongate.Error
	Why     string // a word for what is wrong, of those that the pages refuse themselves; empty: the error alone tells
	Request string // identifier to quote when asking for help
	Money   bool   // the request would have moved money, so the page says what became of it
}

func (Problem) template() string { return "problem" }

// Code is the kind of refusal; an error without one is ours.
func (p Problem) Code() string {
	if p.Error.Code == "" {
		return string(moongate.Internal)
	}
	return string(p.Error.Code)
}

// Find is the answer to a search for an identifier or a reference.
type Find struct {
	Text string
	Hits []Hit
}

func (Find) template() string { return "find" }

// Hit is one thing that was found.
type Hit struct {
	Ref   Ref
	Label string
	At    moongate.Time
}
