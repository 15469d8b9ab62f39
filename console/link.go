package console

import (
	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// Block is a decision to keep links shut. It has a reason, evidence, an end and an appeal, or it is not one.
type Block struct {
	ID        string
	Place     string // name of the destination that is shut; empty: all that fit the pattern
	Pattern   string // what is shut: a destination's host, or a pattern of hosts
	By        Party  // who decided
	Against   Party  // whose links are shut; none: whoever stands behind the pattern
	Agreement string // that allows it; empty: an operator's, for everybody
	Reason    string // a category of the statements of reasons under the Digital Services Act, in small letters
	Facts     string // the decider's own words
	Evidence  string // hash of the evidence
	Automated bool   // no person decided
	Since     moongate.Time
	Until     moongate.Time
	AppealBy  moongate.Time
	State     string // standing, contested, upheld; expired, lifted, overturned, undecided
	Contest   Contest
	Stopped   int64  // clicks that met it
	Appeal    string // path where it is appealed; empty: the reader may not
	Actions   []Action
}

// Contest is an appeal, and what came of it.
type Contest struct {
	By        Party // none: nobody has appealed
	Statement string
	DecideBy  moongate.Time
	Grounds   string // of the decision; empty: not decided
}

// LinkLine is a link, as a row.
type LinkLine struct {
	Code      string
	Name      string // of the destination
	Publisher Party
	Owner     Party // of the destination
	Campaign  string
	State     string // open, closed, blocked
	Opened    int64
	Stopped   int64
}

// Links is the page of links and of blocks in force.
type Links struct {
	Blocks  []Block
	Further Paging // of the blocks
	Lines   []LinkLine
	Paging  Paging
}

func (Links) template() string { return "links" }

// OneBlock is a block by itself, in force or not.
type OneBlock struct{ Block Block }

func (OneBlock) template() string { return "block" }

// Destination is a place in a garden that links may open, as a row.
type Destination struct {
	ID    string
	Name  string
	Owner Party
	Host  string // web address it falls back to
	App   string // deep link, if the platform has an app
	State string // open, closed, blocked
	Since moongate.Time
}

// Destinations is the list.
type Destinations struct {
	Lines  []Destination
	Paging Paging
}

func (Destinations) template() string { return "destinations" }

// Onward is the page between a link and where it leads: to confirm, or to open an app that a browser does not open by
// itself.
type Onward struct {
	Name     string // of the destination
	Owner    Party
	From     Party // who published the link
	Host     string
	Confirm  bool   // a form that posts to this very address leads on
	Continue string // address that opens the app, checked by the link gate
	Fallback string // the same place on the web
	Back     string
}

func (Onward) template() string { return "onward" }

// leadsAway: its form is answered with a redirect into another garden, which the policy's form-action would stop.
func (o Onward) leadsAway() bool { return o.Confirm }

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
	Purses      []Purse
	Settable    []Option // wallets at which the reader may set or change an account; none: it may not
	Again       bool     // for that the reader's credential is wanted once more
	Agreements  []AgreementLine
	Further     Paging // of the agreements
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

// Purse is where a participant gets its money at a wallet.
type Purse struct {
	Wallet  Party
	Account string // its number there
	Sub     bool   // a sub-merchant's of the hub's own
	State   string // active, asking, refused
	Program string // what the wallet said
	Actions []Action
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
	Title     string // of the agreement
	Period    string // 2026-10
	From, To  Party  // who reports to whom
	Private   bool
	Total     money.Amount // of an issued total
	Crossings int64        // of an itemised statement; 0: not counted
	State     string       // draft, issued, confirmed, disputed
	Issued    moongate.Time
}

// Statements is the list: totals, which are issued once a period, and itemised statements, which are made when they are
// read and so have no total here.
type Statements struct {
	Party    string   // whose itemised statements are listed
	Parties  []Option // from whom an operator may choose
	Itemised []StatementLine
	Totals   []StatementLine
	Months   Paging // of the itemised ones
	Paging   Paging // of the totals
}

func (Statements) template() string { return "statements" }

// Statement is one statement. A private one has sums and no lines.
type Statement struct {
	Line      StatementLine
	Sums      []Sum        // by purpose; the last one of the page is Line.Total
	Accrued   money.Amount // beside Line.Total: what is due as a total when its period closes; no currency: nothing
	Balance   money.Amount // what is owed to the reader after the last line, under all agreements; no currency: no lines
	Problems  []string     // lines that do not agree with the ledger
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
	Rule    string // the line of the agreement's schedule
	Count   int64
	Amount  money.Amount
}

// Item is one line of an itemised statement.
type Item struct {
	Crossing string
	At       moongate.Time
	Kind     string
	Purpose  string
	Rule     string // the line of the agreement's schedule
	Other    Party  // who gave or got it
	Amount   money.Amount
	Accrues  bool // due as a total when its period closes
}
