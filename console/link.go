package console

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Block is a decision to keep a link shut. It has a reason, evidence, an end and an appeal, or it is not one.
type Block struct {
	ID       string
	Pattern  string // what is shut: a destination, a host, a path
	By       Party  // who decided
	Against  Party  // whose links are shut
	Reason   string // a category of the statements of reasons under the Digital Services Act, in small letters, or competition
	Facts    string // the decider's own words
	Evidence string // hash of the evidence
	Since    moongate.Time
	Until    moongate.Time
	State    string // blocked, appealed, lifted, lapsed
	Stopped  int64  // clicks that met it
	Appeal   string // path where it is appealed; empty: the reader may not
}

// Destination is a place in a garden that links may open.
type Destination struct {
	ID      string
	Name    string
	Owner   Party
	Host    string // web address it falls back to
	App     string // deep link, if the platform has an app
	State   string // open, blocked, suspended
	Opened  int64  // crossings
	Stopped int64
}

// Links is the page of destinations and of blocks in force.
type Links struct {
	Blocks       []Block
	Destinations []Destination
	Paging       Paging
}

func (Links) template() string { return "links" }

// Blocked is what a person meets who follows a link that is shut.
type Blocked struct {
	Block   Block
	Name    string // of the destination
	Back    string // path or URL where the person came from; empty: the browser's back
	BackTo  Party
	Address string // the web address behind the link, to copy where policy allows showing it
}

func (Blocked) template() string { return "blocked" }

// ParticipantLine is one participant, as a row.
type ParticipantLine struct {
	Party      Party
	State      string // active, suspended, left
	Since      moongate.Time
	Agreements int
	Keys       int
}

// Participants is the list.
type Participants struct {
	Kind   string // filter
	Lines  []ParticipantLine
	Paging Paging
}

func (Participants) template() string { return "participants" }

// Participant is one participant: its keys, its credentials, its agreements.
type Participant struct {
	Line        ParticipantLine
	Site        string // web address
	Keys        []Key
	Credentials []Credential
	Agreements  []AgreementLine
	Actions     []Action
}

func (Participant) template() string { return "participant" }

// Key is a public signing key.
type Key struct {
	ID      string
	Since   moongate.Time
	Until   moongate.Time
	State   string // active, rotated, revoked
	Purpose string // requests, agreements, statements
}

// Credential is an API credential; its secret is nowhere.
type Credential struct {
	ID     string
	Name   string
	Scopes []string
	Since  moongate.Time
	Used   moongate.Time
	State  string
}

// StatementLine is one statement, as a row.
type StatementLine struct {
	ID        string
	Agreement string
	Period    string // 2026-10
	From, To  Party  // who reports to whom
	Private   bool
	Total     money.Amount
	State     string // draft, issued, confirmed, disputed
	Issued    moongate.Time
}

// Statements is the list.
type Statements struct {
	Lines  []StatementLine
	Paging Paging
}

func (Statements) template() string { return "statements" }

// Statement is one statement. A private one has sums and no lines.
type Statement struct {
	Line      StatementLine
	Title     string // of the agreement
	Sums      []Sum  // by purpose; the last one of the page is Line.Total
	Items     []Item
	Paging    Paging
	Tokens    int64  // private: how many link-outs the manifest names
	Manifest  string // private: hash of the manifest
	Proof     string // private: state of the proof: checked, absent, failed
	Downloads []Option
	Actions   []Action
}

func (Statement) template() string { return "statement" }

// Sum is one line of a statement's summary.
type Sum struct {
	Purpose string
	Count   int64
	Base    money.Amount      // what the rate was applied to
	Rate    money.BasisPoints // 0: none
	Amount  money.Amount
}

// Item is one line of an itemised statement.
type Item struct {
	Crossing  string
	At        moongate.Time
	Kind      string
	Reference string
	Base      money.Amount
	Amount    money.Amount
}
