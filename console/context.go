package console

import (
	"cmp"
	"net/url"
	"slices"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/money"
)

// PageContext is what every page needs beside its own content: who reads, in which language, and when.
type PageContext struct {
	Lang   Lang
	Theme  Theme
	Now    moongate.Time // the time the page speaks of; ages and countdowns are reckoned from it
	Query  url.Values    // of the request; links that change one parameter keep the others
	Viewer Viewer        // who has signed in; the zero Viewer is the public
	Token  string        // against forged requests; every form posts it back as "token"
	Hub    string        // name of the hub
	Notice Notice        // what stands above every page, such as quarantine
	Open   int           // exceptions that wait, shown beside their link
	Differ int           // differences that are not settled, likewise
}

// Viewer is the reader of a page.
type Viewer struct {
	Party    Party
	Operator bool     // sees the whole hub; others see their own
	Rooms    []string // that the reader's credential opens, by the names of their pages; nil: all
}

// Enters tells whether the navigation leads the reader to a page.
func (v Viewer) Enters(page string) bool { return v.Rooms == nil || slices.Contains(v.Rooms, page) }

// SignedIn tells whether the reader is known.
func (v Viewer) SignedIn() bool { return v.Party.ID != "" }

// Notice is a state of the whole hub that every reader must know.
type Notice string

// Notices. A restored hub stands in quarantine until an operator has compared it with the wallets.
const (
	NoNotice   Notice = ""
	Quarantine Notice = "quarantine"
	DemoWorld  Notice = "demo"
)

// Page is what can be drawn: one of the structs of this package, each of which is one page.
type Page interface {
	template() string // its file under page/, without ".html"
}

// Party is a participant as a page names it.
type Party struct {
	ID   string
	Name string // empty where the reader may not know it, then the ID stands alone
	Kind string // platform, wallet, merchant, publisher, app, data-holder, observer, operator
}

// Label is the name, or the ID where there is none.
func (p Party) Label() string {
	if p.Name != "" {
		return p.Name
	}
	return p.ID
}

// Ref points to another page: Kind is one of crossing, payment, account, window, agreement, receipt, statement, link,
// participant, exception.
type Ref struct {
	Kind string
	ID   string
}

// Paging is a list's place in a longer one. Cursors are opaque; an empty one means that there is nothing further.
type Paging struct {
	List  string // that the cursor is of, where a page has several: one of its parameters; empty: the page's main list
	Next  string // cursor of what follows the last line
	First bool   // this is the first page
}

// Cursor is the parameter that a link to another part of the list changes.
func (p Paging) Cursor() string { return cmp.Or(p.List, "after") }

// Short tells whether a list beside the main one is all on the page, so that there is nowhere to go.
func (p Paging) Short() bool { return p == Paging{} || p.First && p.Next == "" }

// cursors are the parameters that say where in its lists a page begins; id narrows one to a single row.
var cursors = []string{"after", "agreements", "blocks", "fetches", "id", "months", "open", "payouts", "peers", "positions", "refunds", "signatures", "story", "versions"}

// Step is one thing that happened in a story.
type Step struct {
	What    string // the event's kind, "pay.created"; with its outcome where it has several, "pay.settled.succeeded"
	State   string // decides shape and colour; empty: done
	At      moongate.Time
	Party   Party        // {party} in the sentence
	Other   Party        // {other}
	Amount  money.Amount // {amount}
	Why     string       // key of a sentence that says why; the catalogue has it
	Code    string       // of the wallet's own, beside it
	Note    string       // the words of a person, or ours in the reader's language, shown as a quotation
	Program string       // the text of a program, in English or, of a wallet, Chinese
	Ref     Ref          // where to read more
}

// Split is an amount and where all of it goes.
type Split struct {
	Whole money.Amount
	Parts []Part // sum to Whole, to the minor unit
}

// Part is one share of a split.
type Part struct {
	Party   Party
	Purpose string // goods, freight, fee, share, held, suspense, commission, wallet_fee, tax, kept, …
	Amount  money.Amount
	Rule    string // how it was reckoned, in the agreement's words; may be empty
}

// Option is one value of a filter.
type Option struct{ Value, Label string }

// Action is something the reader may do here. It asks once, saying what will happen: the catalogue's action.WORD.ask.
type Action struct {
	Word   string       // give_back, release, dismiss, refund, retry, discard, appeal, lift, …
	Target string       // path that it posts to
	Danger bool         // cannot be undone
	Note   bool         // asks for a reason, posted as "note", at most 500 characters
	Again  bool         // asks for the reader's credential once more, posted as "credential"
	Ref    bool         // asks for somebody else's number, posted as "ref"; it may be left empty
	Most   money.Amount // asks how much, no more than this, posted as "amount" in decimals; zero: does not ask
}
