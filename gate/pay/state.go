package pay

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/crossing"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/party"
	"github.com/moongate-hub/moongate/replica"
	"github.com/moongate-hub/moongate/share"
)

// Status is where a payment stands.
type Status string

// Statuses of a payment. Succeeded, Expired, Cancelled and Returned never change; a Held one becomes Succeeded or
// Returned.
const (
	Open Status = "open" // the shopper may pay
	// StatusAuthorised: the wallet has reserved the money, and the merchant has not said yet that it is to be taken.
	StatusAuthorised Status = "authorised"

	Succeeded Status = "succeeded" // paid, and divided under its terms
	Held      Status = "held"      // money came that could not be divided; an exception says why
	Expired   Status = "expired"   // nobody paid in time, and every attempt is surely closed
	Cancelled Status = "cancelled" // given up by the merchant, and every attempt is surely closed
	Returned  Status = "returned"  // was held, and went back to the shopper
)

// Final tells whether the status never changes.
func (s Status) Final() bool { return s != Open && s != Held && s != StatusAuthorised }

// AttemptStatus is where an attempt stands.
type AttemptStatus string

// Statuses of an attempt. Paid never changes. Closed and failed do where a wallet takes money for what it had called
// closed, or where an order comes to life after it was given up, which is then closed again.
const (
	AttemptOpening   AttemptStatus = "opening"  // the wallet is being asked to expect it
	AttemptAwaiting  AttemptStatus = "awaiting" // the shopper may pay
	AttemptUnknown   AttemptStatus = "unknown"  // the wallet's answer is missing
	AttemptClosing   AttemptStatus = "closing"  // the wallet is being asked to close it
	AttemptPaid      AttemptStatus = "paid"
	AttemptReserved  AttemptStatus = "reserved"  // the wallet has reserved the money
	AttemptCapturing AttemptStatus = "capturing" // the wallet is being asked to take it
	AttemptClosed    AttemptStatus = "closed"    // can no longer be paid
	AttemptFailed    AttemptStatus = "failed"    // was never opened
)

// Live tells whether the attempt may still be paid, as far as we know.
func (s AttemptStatus) Live() bool {
	switch s {
	case "", AttemptPaid, AttemptClosed, AttemptFailed:
		return false
	}
	return true
}

// RefundStatus is where a refund stands.
type RefundStatus string

// Statuses of a refund. The last two never change.
const (
	RefundAsked     RefundStatus = "asked"    // the wallet is being asked, or will be again
	RefundAccepted  RefundStatus = "accepted" // the wallet is at it
	RefundUncertain RefundStatus = "unknown"  // the wallet's answer is missing
	RefundHeldUp    RefundStatus = "held_up"  // a person must act at the wallet
	RefundSucceeded RefundStatus = "succeeded"
	RefundFailed    RefundStatus = "failed" // the money stayed, and what was reserved is free again
)

// Final tells whether the status never changes.
func (s RefundStatus) Final() bool { return s == RefundSucceeded || s == RefundFailed }

// TroubleKind is why there is an exception.
type TroubleKind string

// Kinds of exceptions.
const (
	TroubleAmount        TroubleKind = "amount"        // the wallet took another amount than was asked
	TroubleUnclear       TroubleKind = "unclear"       // paid for an order that does not add up: whose it is must be found out
	TroubleRefused       TroubleKind = "refused"       // paid, but terms or limits do not let it be divided
	TroubleLate          TroubleKind = "late"          // paid after the payment had ended
	TroubleDouble        TroubleKind = "double"        // paid a second time
	TroubleStranger      TroubleKind = "stranger"      // a wallet told of an order that is not ours, or not its own
	TroubleSilent        TroubleKind = "silent"        // nobody has known for a day what became of an attempt or refund
	TroubleRefundStuck   TroubleKind = "refund_stuck"  // a refund that the wallet cannot finish alone
	TroubleContradiction TroubleKind = "contradiction" // a wallet takes back what it had said for good
	TroubleGiveBack      TroubleKind = "give_back"     // money should go back by itself, and cannot
	TroubleDispute       TroubleKind = "dispute"       // the shopper contests the payment at the wallet: somebody must answer there
	TroublePayout        TroubleKind = "payout"        // a participant got a part of a payout, and the wallet keeps refusing the rest
)

// Limits bound what the room keeps. What is zero takes the default.
type Limits struct {
	Payments   int           // that can still be paid or refunded; 2,000,000
	Exceptions int           // 200,000
	Refundable moongate.Time // how long a payment is kept after it succeeded; 180 days
	Unpaid     moongate.Time // how long one is kept that did not; 30 days: late news must find it
}

// Bounds of one payment.
const (
	maxWallets  = 16
	maxAttempts = 20
	maxRefunds  = 50
	maxMinor    = 1_000_000_000_000 // ten billion in a currency of two decimals
	minLife     = 2 * moongate.Minute
	maxLife     = moongate.Day
	usualLife   = 30 * moongate.Minute
)

// Payment is a payment as the state keeps it.
type Payment struct {
	Purchase `cbor:"1,keyasint"`
	Status   Status           `cbor:"2,keyasint"`
	Created  moongate.Time    `cbor:"3,keyasint"`
	Ended    moongate.Time    `cbor:"4,keyasint,omitempty"`
	Attempt  moongate.ID      `cbor:"5,keyasint,omitzero"`  // the last one, or the one that was paid
	Attempts int              `cbor:"6,keyasint,omitempty"` // so far
	Refunds  int              `cbor:"7,keyasint,omitempty"` // so far
	Reserved int64            `cbor:"8,keyasint,omitempty"` // minor units refunded or under way
	Refunded int64            `cbor:"9,keyasint,omitempty"` // minor units back with the shopper
	Crossing moongate.ID      `cbor:"10,keyasint,omitzero"`
	Cancel   bool             `cbor:"11,keyasint,omitempty"` // ends cancelled when the last attempt is closed
	NextTo   string           `cbor:"12,keyasint,omitempty"` // the wallet to go on with when the attempt is closed
	NextBy   Channel          `cbor:"13,keyasint,omitempty"`
	Touches  []share.Touch    `cbor:"14,keyasint,omitempty"`
	Subject  string           `cbor:"15,keyasint,omitempty"`
	Forget   moongate.Time    `cbor:"16,keyasint,omitempty"`
	Head     journal.Position `cbor:"17,keyasint"`
	Overdue  bool             `cbor:"18,keyasint,omitempty"` // its time was over and its attempt is being closed
	Ways     []WalletWay      `cbor:"19,keyasint,omitempty"` // to go on with by itself, where the hub chose
	Coupon   int64            `cbor:"20,keyasint,omitempty"` // of the amount, what the wallet does not owe: a coupon of the merchant's own
	// ReservedCash is Reserved counted in what the wallet owes.
	ReservedCash int64         `cbor:"21,keyasint,omitempty"`
	Payers       []Payer       `cbor:"22,keyasint,omitempty"` // while it may be paid
	Until        moongate.Time `cbor:"23,keyasint,omitempty"` // when it is given up, once it is authorised
	Taking       int64         `cbor:"24,keyasint,omitempty"` // of what is authorised, what the wallet is to take
	Asked        int64         `cbor:"25,keyasint,omitempty"` // what was asked for, where less was taken
	Lines        []Line        `cbor:"26,keyasint,omitempty"` // where Coupon is not zero
	Gone         []int64       `cbor:"27,keyasint,omitempty"` // of each line, what was refunded or is under way, as ordered
}

// Attempt is one order at one wallet, as the state keeps it.
type Attempt struct {
	Payment moongate.ID   `cbor:"1,keyasint"`
	Wallet  string        `cbor:"2,keyasint"`
	Channel Channel       `cbor:"3,keyasint"`
	Status  AttemptStatus `cbor:"4,keyasint"`
	Opened  moongate.Time `cbor:"5,keyasint"`
	Way     Way           `cbor:"6,keyasint"`
	Why     Why           `cbor:"7,keyasint,omitempty"` // it is being closed
	Tries   int           `cbor:"8,keyasint,omitempty"` // looks since something was last learnt
	Asked   moongate.Time `cbor:"9,keyasint,omitempty"` // a call is under way since then
	Next    moongate.Time `cbor:"10,keyasint,omitempty"`
	Outcome *Evidence     `cbor:"11,keyasint,omitempty"`
	Message string        `cbor:"12,keyasint,omitempty"` // why it failed
	Alarm   moongate.ID   `cbor:"13,keyasint,omitzero"`  // the exception that was opened about its silence
	Looked  moongate.Time `cbor:"14,keyasint,omitempty"` // when the wallet was last asked what became of it
	Frozen  bool          `cbor:"15,keyasint,omitempty"` // what is paid stays frozen there until it is split
	Parts   []moongate.ID `cbor:"16,keyasint,omitempty"` // where sellers are sub-merchants there
	Ref     string        `cbor:"17,keyasint,omitempty"` // the wallet's number of what it has reserved
	Acted   moongate.Time `cbor:"18,keyasint,omitempty"` // when the wallet was told to take what it has reserved, or to let it go
}

// Worth tells whether it is worth asking the wallet because the shopper has come back: not while it is being asked, nor
// right after.
func (a *Attempt) Worth(now moongate.Time) bool {
	return (a.Status == AttemptAwaiting || a.Status == AttemptUnknown) && a.Asked == 0 && now >= a.Looked+lookPause
}

// Refunding is a refund as the state keeps it.
type Refunding struct {
	Reversal  `cbor:"1,keyasint"`
	Status    RefundStatus    `cbor:"2,keyasint"`
	Opened    moongate.Time   `cbor:"3,keyasint"`
	Attempt   moongate.ID     `cbor:"4,keyasint"`
	Exception moongate.ID     `cbor:"5,keyasint,omitzero"`
	Tries     int             `cbor:"6,keyasint,omitempty"`
	Asked     moongate.Time   `cbor:"7,keyasint,omitempty"`
	Next      moongate.Time   `cbor:"8,keyasint,omitempty"`
	Outcome   *RefundEvidence `cbor:"9,keyasint,omitempty"`
	Message   string          `cbor:"10,keyasint,omitempty"`
	Alarm     moongate.ID     `cbor:"11,keyasint,omitzero"`
	Asks      int             `cbor:"12,keyasint,omitempty"` // how often the wallet was asked for it
	By        string          `cbor:"13,keyasint,omitempty"` // the operator who gave back an exception's money
	Note      string          `cbor:"14,keyasint,omitempty"` // and why
	Part      moongate.ID     `cbor:"15,keyasint,omitzero"`  // of the order, where it has parts
	Kept      int64           `cbor:"16,keyasint,omitempty"` // see [Origin]
	Lines     []int64         `cbor:"17,keyasint,omitempty"` // see [Origin]
	Recalls   int             `cbor:"18,keyasint,omitempty"` // how often shares were recalled for it
}

// Exception is an exception as the state keeps it.
type Exception struct {
	Trouble  `cbor:"1,keyasint"`
	Opened   moongate.Time `cbor:"2,keyasint"`
	Next     moongate.Time `cbor:"3,keyasint,omitempty"` // when the money goes back by itself
	Refunded moongate.ID   `cbor:"4,keyasint,omitzero"`  // the refund under way that resolves it
}

// orderKey is the business identity of a payment or, with a refund's reference, of a refund.
type orderKey struct {
	Merchant string `cbor:"1,keyasint"`
	Order    string `cbor:"2,keyasint"`
	Refund   bool   `cbor:"3,keyasint,omitempty"`
}

// State is what the next decision about payments needs. Its reads are called under the machine's Read.
type State struct {
	limits    Limits
	parties   *party.State
	crossings *crossing.State

	payments   *replica.Table[moongate.ID, Payment]
	attempts   *replica.Table[moongate.ID, Attempt]
	refunds    *replica.Table[moongate.ID, Refunding]
	exceptions *replica.Table[moongate.ID, Exception]
	orders     *replica.Table[orderKey, moongate.ID]
	routing    *replica.Table[string, Routing]
	rates      *replica.Table[rateKey, rates]
	disputes   *replica.Table[disputeKey, Disputed]
	receivers  *replica.Table[payeeKey, Standing]
	frozen     *replica.Table[moongate.ID, frozen]
	splits     *replica.Table[moongate.ID, splitting]
	payouts    *replica.Table[moongate.ID, payout]
	parts      *replica.Table[moongate.ID, Part]
	shares     *replica.Table[moongate.ID, shared]
	recall     *replica.Table[moongate.ID, recalling]

	// Derived from the tables.
	due      *replica.Due[dueKey]
	fading   *replica.Due[moongate.ID]     // payments to forget
	passing  *replica.Due[dueKey]          // frozen orders and payouts to forget
	of       map[moongate.ID][]moongate.ID // attempts and refunds of a payment
	troubled map[moongate.ID]int           // open exceptions of a payment

	ofDisputes map[moongate.ID][]disputeKey  // of a payment
	sharesOf   map[moongate.ID][]moongate.ID // of an order, what receivers got
	recallsOf  map[moongate.ID]int           // of a refund, shares on their way back
	queue      map[string][]moongate.ID      // attempts whose money is frozen at a wallet, oldest first
	behind     map[string][]moongate.ID      // those of them of which the last split failed, in no order

	follows []string               // kinds of events that are an [Ending]
	sent    func(moongate.ID) bool // see Heed
}

// New makes an empty room over those below it.
func New(parties *party.State, crossings *crossing.State, limits Limits) *State {
	if limits.Payments == 0 {
		limits.Payments = 2_000_000
	}
	if limits.Exceptions == 0 {
		limits.Exceptions = 200_000
	}
	if limits.Refundable == 0 {
		limits.Refundable = 180 * moongate.Day
	}
	if limits.Unpaid == 0 {
		limits.Unpaid = 30 * moongate.Day
	}
	s := &State{
		limits: limits, parties: parties, crossings: crossings,
		payments:   replica.NewTable[moongate.ID, Payment]("payments"),
		attempts:   replica.NewTable[moongate.ID, Attempt]("attempts"),
		refunds:    replica.NewTable[moongate.ID, Refunding]("refunds"),
		exceptions: replica.NewTable[moongate.ID, Exception]("exceptions"),
		orders:     replica.NewTable[orderKey, moongate.ID]("orders"),
		routing:    replica.NewTable[string, Routing]("routing"),
		rates:      replica.NewTable[rateKey, rates]("rates"),
		disputes:   replica.NewTable[disputeKey, Disputed]("disputes"),
		receivers:  replica.NewTable[payeeKey, Standing]("receivers"),
		frozen:     replica.NewTable[moongate.ID, frozen]("frozen"),
		splits:     replica.NewTable[moongate.ID, splitting]("splits"),
		payouts:    replica.NewTable[moongate.ID, payout]("payouts"),
		parts:      replica.NewTable[moongate.ID, Part]("parts"),
		shares:     replica.NewTable[moongate.ID, shared]("shares"),
		recall:     replica.NewTable[moongate.ID, recalling]("recalls"),
	}
	s.Rebuild()
	return s
}

// Name is "pay".
func (s *State) Name() string { return "pay" }

// Events lists the room's events.
func (s *State) Events() []journal.Event {
	return []journal.Event{
		&Created{}, &AttemptOpened{}, &CreateDue{}, &HandedOver{}, &QueryDue{}, &CloseDue{}, &Doubted{}, &AttemptEnded{}, &Settled{},
		&RefundOpened{}, &RefundDue{}, &RefundQueryDue{}, &RefundMoved{}, &RefundEnded{}, &ExceptionOpened{}, &ExceptionResolved{}, &RoutingSet{}, &DisputeMoved{}, &ReceiverSet{}, &ReceiverStood{},
		&SplitOpened{}, &SplitDue{}, &SplitMoved{}, &Authorised{}, &CaptureDue{}, &RecallOpened{}, &RecallDue{}, &RecallMoved{}, &ReceiverRemoved{},
	}
}

// Tables lists the room's state.
func (s *State) Tables() []replica.Stored {
	return []replica.Stored{s.payments, s.attempts, s.refunds, s.exceptions, s.orders, s.routing, s.rates, s.disputes, s.receivers, s.frozen, s.splits, s.payouts, s.parts, s.shares, s.recall}
}

// Listens has time forget what is over.
func (s *State) Listens() []string {
	return append([]string{(&replica.Ticked{}).EventKind()}, s.follows...)
}

// Register tells the machine which commands the room answers, and which of its events ask something of a wallet: each
// waits in the queue of that wallet.
func (s *State) Register(m *replica.Machine) {
	replica.Handle(m, s.create)
	replica.Handle(m, s.choose)
	replica.Handle(m, s.setRouting)
	replica.Handle(m, s.cancel)
	replica.Handle(m, s.comeBack)
	replica.Handle(m, s.refund)
	replica.Handle(m, s.resolve)
	replica.Handle(m, s.report)
	replica.Handle(m, s.told)
	replica.Handle(m, s.refundReport)
	replica.Handle(m, s.setReceiver)
	replica.Handle(m, s.removeReceiver)
	replica.Handle(m, s.admitted)
	replica.Handle(m, s.planPayout)
	replica.Handle(m, s.splitReport)
	replica.Handle(m, s.capture)
	replica.Handle(m, s.recallReport)
	for kind, wallet := range effects {
		m.OnEvent(kind, func(e journal.Event) string { return "wallet:" + wallet(e) })
	}
}

// effects lists the events that ask something of a wallet, with the wallet that they ask.
var effects = map[string]func(journal.Event) string{
	(&AttemptOpened{}).EventKind():  func(e journal.Event) string { return e.(*AttemptOpened).Wallet },
	(&CreateDue{}).EventKind():      func(e journal.Event) string { return e.(*CreateDue).Wallet },
	(&QueryDue{}).EventKind():       func(e journal.Event) string { return e.(*QueryDue).Try.Wallet },
	(&CloseDue{}).EventKind():       func(e journal.Event) string { return e.(*CloseDue).Try.Wallet },
	(&RefundOpened{}).EventKind():   func(e journal.Event) string { return e.(*RefundOpened).Wallet },
	(&RefundDue{}).EventKind():      func(e journal.Event) string { return e.(*RefundDue).Wallet },
	(&RefundQueryDue{}).EventKind(): func(e journal.Event) string { return e.(*RefundQueryDue).Wallet },
	(&ReceiverSet{}).EventKind():    func(e journal.Event) string { return e.(*ReceiverSet).Wallet },
	(&RecallOpened{}).EventKind():   func(e journal.Event) string { return e.(*RecallOpened).Wallet },
	(&RecallDue{}).EventKind():      func(e journal.Event) string { return e.(*RecallDue).Wallet },
	(&CaptureDue{}).EventKind():     func(e journal.Event) string { return e.(*CaptureDue).Wallet },
	(&SplitOpened{}).EventKind():    func(e journal.Event) string { return e.(*SplitOpened).Wallet },
	(&SplitDue{}).EventKind():       func(e journal.Event) string { return e.(*SplitDue).Wallet },
}

// Lookup finds a payment.
func (s *State) Lookup(id moongate.ID) (Payment, bool) { return s.payments.Get(id) }

// Attempt finds an attempt.
func (s *State) Attempt(id moongate.ID) (Attempt, bool) { return s.attempts.Get(id) }

// Refunding finds a refund.
func (s *State) Refunding(id moongate.ID) (Refunding, bool) { return s.refunds.Get(id) }

// Exception finds an open exception.
func (s *State) Exception(id moongate.ID) (Exception, bool) { return s.exceptions.Get(id) }

// Exceptions counts those that are open.
func (s *State) Exceptions() int { return s.exceptions.Len() }

// ByOrder finds a merchant's payment by its own number.
func (s *State) ByOrder(merchant, order string) (Payment, bool) {
	id, ok := s.orders.Get(orderKey{Merchant: merchant, Order: order})
	if !ok {
		return Payment{}, false
	}
	return s.payments.Get(id)
}
