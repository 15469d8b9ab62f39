package console

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// AgreementLine is one agreement, as a row.
type AgreementLine struct {
	ID      string
	Title   string
	Version int
	State   string // awaiting, agreed, withdrawn, lapsed; in_force and ended where the time is taken into account
	Parties []Party
	From    moongate.Time
	Until   moongate.Time // zero: until somebody gives notice
}

// Agreements is the list.
type Agreements struct {
	State  string // filter
	Lines  []AgreementLine
	Paging Paging
}

func (Agreements) template() string { return "agreements" }

// Agreement is one agreement in plain words.
type Agreement struct {
	Line       AgreementLine
	Signatures []Signature
	Signers    Paging
	Scope      []string // kinds of crossing that it covers
	Products   []string // product classes; empty: all
	Fees       []Fee
	Share      ShareRule
	Guards     []Guard
	Private    bool // total only: the host sees a sum and no line
	Settlement Terms
	NoticeDays int
	Example    Example
	Hash       string // of the canonical document, which the parties signed
	Text       string // the whole of it as a terminal prints it, in the reader's language; may stand alone
	Versions   []AgreementLine
	Further    Paging // of the versions
}

func (Agreement) template() string { return "agreement" }

// Signature is a party's consent, or its absence.
type Signature struct {
	Party Party
	Role  string        // host, guest, marketplace, seller, publisher, wallet, store, app, …
	At    moongate.Time // zero: not signed yet
	Key   string        // identifier of the key; empty: not told
}

// Fee is one line of the schedule.
type Fee struct {
	Payer, Payee Party
	Class        string       // product class, or "any"
	Above        money.Amount // monthly volume from which the line holds; no currency: from the first
	BasisPoints  money.BasisPoints
	Fixed        money.Amount
	Min, Max     money.Amount
}

// ShareRule says how the benefit is divided.
type ShareRule struct {
	Rule  string // last_touch, unique_uniform, fixed; empty: nothing is shared
	Parts []RulePart
}

// RulePart is one party's share of the benefit.
type RulePart struct {
	Party       Party
	BasisPoints money.BasisPoints
	Floor, Cap  money.Amount
}

// Guard is a promise that protects one side.
type Guard struct {
	Kind  string // cap, floor, non_discrimination, no_steering_ban, parity, notice
	Party Party
	Limit money.Amount
	Days  int
}

// Terms are the terms of settlement.
type Terms struct {
	Cycle    string // daily, weekly, monthly, immediate
	Days     int    // until money moves
	Currency money.Currency
	Through  Party
}

// Example is the schedule worked out on one purchase.
type Example struct {
	Goods   string
	Split   Split
	Present bool
}
