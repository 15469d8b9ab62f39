package api

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/ledger"
	"github.com/moongate-hub/moongate/party"
)

// Account is one of a participant's accounts with its balance.
type Account struct {
	Account ledger.Account `json:"account"`
	Name    string         `json:"name" doc:"What other operations call it." example:"harbour-books/CNY/payable"`
	Balance ledger.Balance `json:"balance"`
	Net     int64          `json:"net" doc:"The posted balance in minor units, positive on the side on which the account grows."`
	Low     int64          `json:"low" doc:"What can still be counted on: less what is held against it."`
	Limits  ledger.Limits  `json:"limits"`
}

// BalanceThen is a balance at a moment.
type BalanceThen struct {
	Account string         `json:"account" example:"harbour-books/CNY/payable"`
	At      moongate.Time  `json:"at"`
	Balance ledger.Balance `json:"balance"`
	Net     int64          `json:"net"`
}

// AccountName names an account in a query.
type AccountName struct {
	Account string `query:"account" required:"true" maxLength:"256" doc:"OWNER/CURRENCY/PURPOSE, and /ID where there is one." example:"harbour-books/CNY/payable"`
}

const ledgerTag = "Ledger"

// walkTime is how long one request may walk back through an account's history.
const walkTime = 5 * time.Second

func (a *API) ledgerRoutes() {
	listNow(a, op{path: "/v1/accounts", id: "accounts", tag: ledgerTag, summary: "List accounts with their balances", detail: "In the order in which they were opened.", scope: party.LedgerRead},
		func(in *ownerInput) *PageInput { return &in.PageInput }, a.accounts)
	query(a, op{path: "/v1/accounts/balance", id: "balance", tag: ledgerTag, summary: "Read a balance", detail: "Now, or at a moment that has passed.", scope: party.LedgerRead},
		func(ctx context.Context, who Principal, in *struct {
			AccountName
			At string `query:"at" format:"date-time" doc:"Events of that very moment included; now where it is missing."`
		},
		) (BalanceThen, error) {
			return a.balance(ctx, who, in.Account, in.At)
		})
	type historyInput struct {
		AccountName
		PageInput
	}
	listNow(a, op{path: "/v1/accounts/history", id: "history", tag: ledgerTag, summary: "Read an account's history", detail: "What moved or was held on it, newest first, each with the balance that resulted.", scope: party.LedgerRead},
		func(in *historyInput) *PageInput { return &in.PageInput },
		func(ctx context.Context, who Principal, in *historyInput, after string, limit int) ([]ledger.Line, string, error) {
			book, err := a.book(who, in.Account)
			if err != nil {
				return nil, "", err
			}
			from := book.Head
			if after != "" {
				if from, err = placeOf(in.Account, after); err != nil {
					return nil, "", err
				}
			}
			lines, next, err := a.history(ctx, book.Account, from, limit)
			return lines, placeIn(in.Account, next), err
		})
	command[ledger.Balance, ledger.SetLimits](a, op{
		path: "/v1/accounts/limits", id: "set-limits", tag: ledgerTag, summary: "Give an account limits", detail: "In place of those that it has. A negative least is a net debit cap.", scope: party.OperatorScope,
		example: `{"account":{"owner":"harbour-books","currency":"CNY","purpose":"payable"},"limits":{"least":-500000}}`,
	})
}

type ownerInput struct {
	Owner string `query:"owner" maxLength:"128" doc:"For operators: whose. Otherwise the caller."`
	PageInput
}

func (a *API) accounts(_ context.Context, who Principal, in *ownerInput, after string, limit int) (rows []Account, next string, err error) {
	owner := who.Handle
	if in.Owner != "" && in.Owner != who.Handle {
		if !who.Operates() {
			return nil, "", denied("participant", in.Owner)
		}
		owner = in.Owner
	}
	from := 0
	if after != "" {
		if from, err = strconv.Atoi(after); err != nil {
			return nil, "", err
		}
	}
	var books []ledger.Book
	a.hub.Machine().Read(func() { books = a.hub.Ledger.Accounts(owner, from, limit+1) })
	if len(books) > limit {
		books, next = books[:limit], strconv.Itoa(from+limit)
	}
	for i := range books {
		b := &books[i]
		p := b.Account.Purpose
		rows = append(rows, Account{b.Account, b.Account.String(), b.Balance, b.Balance.Net(p), b.Balance.Low(p), b.Limits})
	}
	return rows, next, nil
}

// book finds an account that the caller may see.
func (a *API) book(who Principal, name string) (b ledger.Book, err error) {
	account, err := ledger.ParseAccount(name)
	if err != nil {
		return b, err
	}
	if account.Owner != who.Handle && !who.Operates() {
		return b, denied("account", name)
	}
	ok := false
	a.hub.Machine().Read(func() { b, ok = a.hub.Ledger.Lookup(account) })
	if !ok {
		return b, denied("account", name)
	}
	return b, nil
}

func (a *API) balance(ctx context.Context, who Principal, name, at string) (BalanceThen, error) {
	book, err := a.book(who, name)
	if err != nil {
		return BalanceThen{}, err
	}
	then := BalanceThen{Account: name, At: moongate.At(a.hub.Now()), Balance: book.Balance}
	if at != "" {
		if err := then.At.UnmarshalText([]byte(at)); err != nil {
			return BalanceThen{}, err
		}
		ctx, cancel := context.WithTimeout(ctx, walkTime)
		defer cancel()
		for from := book.Head; from != 0; {
			if ctx.Err() != nil {
				return BalanceThen{}, &moongate.Error{Code: moongate.Busy, Message: fmt.Sprintf("%s is too far back to be found at once", then.At), Hint: "ask for a later time, or read the account's statements"}
			}
			if then.Balance, from, err = ledger.BalanceAt(a.hub.Node.Journal().Entry, book.Account, from, then.At); err != nil {
				return BalanceThen{}, err
			}
		}
	}
	then.Net = then.Balance.Net(book.Account.Purpose)
	return then, nil
}

// history gives a full page unless the chain ends, however many of its events show nothing.
func (a *API) history(ctx context.Context, account ledger.Account, from journal.Position, limit int) (lines []ledger.Line, next journal.Position, err error) {
	ctx, cancel := context.WithTimeout(ctx, walkTime)
	defer cancel()
	for from != 0 && len(lines) < limit && ctx.Err() == nil {
		var more []ledger.Line
		more, from, err = ledger.History(a.hub.Node.Journal().Entry, account, from, limit-len(lines))
		if err != nil {
			return nil, 0, err
		}
		lines = append(lines, more...)
	}
	return lines, from, nil
}

// placeIn is a cursor for a chain, "" at its end: it has one length, whatever the position.
func placeIn(chain string, at journal.Position) string {
	if at == 0 {
		return ""
	}
	return fmt.Sprintf("%s %020d", chain, at)
}

// placeOf reads a cursor of a chain. One of another chain is as good as none.
func placeOf(chain, cursor string) (journal.Position, error) {
	of, text, _ := strings.Cut(cursor, " ")
	at, err := strconv.ParseUint(text, 10, 64)
	if of != chain || err != nil {
		return 0, &moongate.Error{Code: moongate.Malformed, Field: "after", Message: "this cursor belongs to another list", Hint: "leave it out to begin anew"}
	}
	return journal.Position(at), nil
}
