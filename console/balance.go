package console

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// AccountLine is one account, as a row.
type AccountLine struct {
	ID      string
	Owner   Party
	Purpose string // payable, receivable, wallet, fee, clearing, accrual, suspense, instructed
	Posted  money.Amount
	Pending money.Amount // held by transfers that are not yet posted
	Limit   money.Amount // no currency: none
}

// Balances is every account the reader may see, sorted by owner.
type Balances struct {
	Position uint64
	At       moongate.Time
	Lines    []AccountLine
	Totals   []money.Amount // over all accounts, one for each currency: zero, or something is wrong
	Paging   Paging
}

func (Balances) template() string { return "balances" }

// Account is one account with its history, newest first.
type Account struct {
	Line    AccountLine
	At      moongate.Time // balance at a time the reader asked for; zero: now
	Series  Series        // posted balance over time
	Entries []Entry
	Paging  Paging
}

func (Account) template() string { return "account" }

// Entry is one line of an account's history.
type Entry struct {
	ID       string // of the transfer
	At       moongate.Time
	Other    Party // owner of the account on the other side
	Purpose  string
	Crossing string
	Amount   money.Amount // negative: out
	Balance  money.Amount // after it
	State    string       // pending, posted, voided, expired
}

// Series is a quantity over time. Values are minor units where Currency is set, plain counts elsewhere.
type Series struct {
	Currency money.Currency
	Points   []Point
}

// Point is one value of a series.
type Point struct {
	At    moongate.Time
	Value int64
}

// WindowLine is one settlement window, as a row.
type WindowLine struct {
	ID        string
	State     string // open, closed, pending, settled, aborted
	Agreement string
	Title     string // of the agreement
	Opened    moongate.Time
	Closed    moongate.Time
	Due       moongate.Time // money has to have moved; zero: not told
	Parties   int           // that stand in it; 0: not counted
	Net       money.Amount  // what really has to move, or the reader's own position
}

// Windows is the list of settlement windows, newest first.
type Windows struct {
	Open    []WindowLine // that crossings still add to
	Further Paging       // of the open ones
	Lines   []WindowLine // closed ones
	Paging  Paging
}

func (Windows) template() string { return "windows" }

// Window is one settlement window: what each owes or is owed, and what the wallets were told.
type Window struct {
	Line         WindowLine
	Gross        money.Amount // claims before netting; no currency: not the reader's to know
	Positions    []Position
	Paging       Paging       // of the positions
	Sum          money.Amount // of all positions: zero; no currency: not the reader's to know
	Instructions []Instruction
	Further      Paging       // of the instructions
	One          bool         // of the instructions, only the one that was asked for
	Clearing     money.Amount // of the clearing account; zero after settlement
	Steps        []Step
	Actions      []Action
}

func (Window) template() string { return "window" }

// Position is where a participant stands in a window.
type Position struct {
	Party Party
	Pays  money.Amount // before netting, not negative
	Gets  money.Amount
	Net   money.Amount // Gets − Pays
}

// Instruction is what a wallet was told to do.
type Instruction struct {
	ID        string
	From, To  Party
	Through   Party // the wallet
	Amount    money.Amount
	State     string // planned, sent, manual, paid, returned
	Reference string
	Paid      money.Amount // of one that has not ended, what the payee has so far; zero for nothing
	UnderWay  money.Amount // and what its wallet is paying now
	Actions   []Action
}

// PayoutLine is an instruction in the list across windows.
type PayoutLine struct {
	Instruction
	Window string
	Due    moongate.Time
	Note   string // why it waits or came back, in the words of a person or the wallet
}

// Payouts is the list of instructions of all windows, latest due first.
type Payouts struct {
	State, Wallet, Party string // filters
	Wallets, Parties     []Option
	Lines                []PayoutLine
	Paging               Paging
}

func (Payouts) template() string { return "payouts" }

// ExceptionLine is something that does not add up and waits for a person.
type ExceptionLine struct {
	ID      string
	Kind    string // amount, refused, late, double, stranger, silent, refund_stuck, …, mismatch, without_items, …
	Opened  moongate.Time
	State   string // open, resolved
	Subject Ref
	Subtext string // order id or another name the reader knows
	Party   Party
	Ours    money.Amount  // what the journal says
	Theirs  money.Amount  // what the other side says
	Amount  money.Amount  // the difference, or what is at stake
	Facts   string        // in the room's own words
	Until   moongate.Time // when the money goes back by itself; zero: it does not
	Actions []Action
	Ended   moongate.Time
	How     string // it was resolved: give_back, release, dismiss
	By      Party  // who did; none: the hub itself
	Note    string // why, in that person's words
}

// Exceptions is the queue, oldest first; of those that are resolved, the newest first.
type Exceptions struct {
	Kind, State, Age, Wallet string // filters; State is "" for those that wait, or resolved
	Counts                   []KindCount
	Ages                     []KindCount // of those that wait: day, three, week, older
	Wallets                  []Option
	Lines                    []ExceptionLine
	Paging                   Paging
}

func (Exceptions) template() string { return "exceptions" }

// KindCount is how many exceptions of a kind wait.
type KindCount struct {
	Kind  string
	Count int64
}
