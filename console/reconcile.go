package console

import (
	"cmp"
	"fmt"
	"html/template"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// BillLine is a wallet's bill of a day, as a row.
type BillLine struct {
	ID        string
	Wallet    Party
	Kind      string // trade, fund
	Day       string // by the wallet's calendar
	State     string // level, differs; taking while it is being taken in; nothing where the wallet had no bill of the day
	Rows      int64  // matched, guessed, aside and those that differ
	Matched   int64
	Guessed   int64 // by amount and time alone
	Aside     int64 // no payment and no refund
	Differ    int64 // differences that were found, with and without a row
	Missing   int64 // of these, those without a row
	Healed    int64 // none any more when they were judged
	Open      int64 // of these, not settled
	Sums      []BillSum
	Hash      string // of the text
	Published string // what the wallet gave
	Bytes     int64
	Earlier   string // the bill whose place it takes
	By        Party  // who took it in; none: the hub by itself
	Began     moongate.Time
	Ended     moongate.Time
}

// BillSum is a bill's money in one currency.
type BillSum struct {
	Theirs   money.Amount // by the bill's payments and refunds
	Ours     money.Amount // by our books
	Gap      money.Amount // of the two
	Aside    money.Amount
	Terms    money.Amount // fees by our terms
	Fee      int64        // that the wallet took, thousandths of a minor unit
	Untold   int64        // of it, where our terms say nothing of a fee
	Rounding int64        // by which fees that agree are off
}

// FetchLine is how fetching a day's bill went, as a row.
type FetchLine struct {
	Wallet  Party
	Kind    string
	Day     string
	State   string // got, later, failed; asking while it is under way
	Bill    string
	Message string // of a program
	Tries   int
	At      moongate.Time
}

// Bills is the list of bills, how fetching them went, and where one is handed in.
type Bills struct {
	Wallet, Kind, Day string // filters
	Wallets           []Option
	Lines             []BillLine
	Paging            Paging
	Fetches           []FetchLine
	Further           Paging // of the fetches
	Newest            string // the newest day of which there may be a bill
	Open              int64  // differences that wait for somebody
}

func (Bills) template() string { return "bills" }

// Bill is one bill with what differs.
type Bill struct {
	Line   BillLine
	Lines  []DifferenceLine
	Paging Paging
}

func (Bill) template() string { return "bill" }

// DifferenceLine is one difference between a bill and our books.
type DifferenceLine struct {
	ID       string
	Class    string // duplicate, missing_ours, missing_theirs, status, amount, fee, timing
	State    string // open, waiting, settled
	Wallet   Party
	Bill     string
	Kind     string // of the bill
	Day      string
	Refund   bool
	Number   string // that the bill gives as ours
	Theirs   string // the wallet's own
	Row      int    // of the bill; 0: it has none
	At       moongate.Time
	Says     money.Amount // the bill
	Books    money.Amount // our books
	Fee      int64        // by the bill, thousandths of a minor unit
	Terms    money.Amount // the fee by our terms
	Payment  string
	Facts    string // of a program
	Opened   moongate.Time
	Ended    moongate.Time
	Assignee Party
	How      string // explained, corrected, at_wallet, written_off; healed and other_day by the hub itself
	By       Party  // none: the hub by itself
	Note     string
	FoundIn  string // the bill in which it was found after all
}

// Sentence is what is said about a difference of its class: of one that is about states, which side says that money moved.
func (d DifferenceLine) Sentence() string {
	switch {
	case d.Class != "status":
		return d.Class
	case d.Books.Minor == 0:
		return "status_theirs"
	}
	return "status_ours"
}

// Gap is by how much the bill has more than our books.
func (d DifferenceLine) Gap() money.Amount {
	if gap, err := d.Says.Sub(d.Books); err == nil {
		return gap
	}
	return money.Amount{}
}

// Differences is the queue of them.
type Differences struct {
	State, Class, Wallet, Assignee, Age, Bill string // filters
	Wallets, Assignees                        []Option
	Counts                                    []KindCount // those that stand there, by class
	Ages                                      []KindCount // the same, by age
	Lines                                     []DifferenceLine
	Paging                                    Paging
	Works                                     bool // the reader may assign and settle
}

func (Differences) template() string { return "differences" }

// Difference is one of them with its history.
type Difference struct {
	Line      DifferenceLine
	Assignees []Option
	Steps     []Step
	Works     bool
}

func (Difference) template() string { return "difference" }

// heaps lays a bill's rows side by side: those that agree, those that agree by amount and time alone, those that differ,
// and those set aside.
func heaps(b BillLine) []fared {
	return lay(b.Rows, []heap{{b.Matched, good}, {b.Guessed, wait}, {b.Differ - b.Missing, bad}, {b.Aside, idle}})
}

// fine is an amount in thousandths of a minor unit, to the last of them that is not zero.
func fine(n int64, c money.Currency) template.HTML {
	if n%1000 == 0 || c.IsZero() {
		return figure(money.Of(n/1000, c))
	}
	sign := ""
	if n < 0 {
		sign = "−"
	}
	size := magnitude(n)
	whole := money.Of(int64(size/1000), c).Figures()
	rest := strings.TrimRight(fmt.Sprintf("%03d", size%1000), "0")
	if !strings.Contains(whole, ".") {
		rest = "." + rest
	}
	return template.HTML(fmt.Sprintf(`<span class="%s">%s%s%s<small>&nbsp;%s</small></span>`, //nolint:gosec // escaped
		cmp.Or(map[bool]string{true: "money minus"}[n < 0], "money"), sign, whole, rest, template.HTMLEscapeString(c.String())))
}
