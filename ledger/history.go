package ledger

import (
	"fmt"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Line is one event in an account's history. Its outcome is empty for a transfer when it was made, and says how a
// pending one ended. The balance is the one that resulted.
type Line struct {
	Position journal.Position `json:"-"` // a cursor; what it counts is for the hub alone
	At       moongate.Time    `json:"at"`
	Transfer moongate.ID      `json:"transfer"`
	Crossing moongate.ID      `json:"crossing,omitzero"`
	Pending  bool             `json:"pending,omitempty"`
	Outcome  Outcome          `json:"outcome,omitempty"`
	Debit    int64            `json:"debit,omitempty"`
	Credit   int64            `json:"credit,omitempty"`
	Balance  Balance          `json:"balance"`
}

// Reader reads the journal's entry at a position.
type Reader func(journal.Position) (journal.Entry, error)

// maxWalk bounds how many events one call follows, so that one request cannot walk a busy account's whole life.
const maxWalk = 10_000

// History walks an account's chain back from a position: newest first, at most limit lines, then the position to go on
// from, 0 at the end. Start at the head of the account's [Book].
func History(read Reader, a Account, from journal.Position, limit int) (lines []Line, next journal.Position, err error) {
	for range maxWalk {
		if from == 0 || len(lines) >= limit {
			break
		}
		line, before, err := step(read, a, from)
		if err != nil {
			return lines, from, err
		}
		if line != nil {
			lines = append(lines, *line)
		}
		from = before
	}
	return lines, from, nil
}

// BalanceAt walks an account's chain back to what its balance was at a moment, events of that very moment included.
// Where that is too far back for one call, next is the position to go on from; else it is 0.
func BalanceAt(read Reader, a Account, from journal.Position, at moongate.Time) (b Balance, next journal.Position, err error) {
	for range maxWalk {
		if from == 0 {
			return Balance{}, 0, nil // before the account was opened
		}
		line, before, err := step(read, a, from)
		if err != nil {
			return Balance{}, from, err
		}
		if line != nil && line.At <= at {
			return line.Balance, 0, nil
		}
		from = before
	}
	return Balance{}, from, nil
}

// step reads one event of a chain: its line, if it moved or held anything, and the position before it.
func step(read Reader, a Account, at journal.Position) (*Line, journal.Position, error) {
	e, err := read(at)
	if err != nil {
		return nil, 0, fmt.Errorf("ledger: history of %s: %w", a, err)
	}
	line := &Line{Position: at, At: e.At}
	var postings []*Posting
	var places Places
	switch v := e.Event.(type) {
	case *Opened:
		if v.Account == a {
			return nil, 0, nil
		}
	case *Limited:
		if v.Account == a && v.Before < at {
			return nil, v.Before, nil
		}
	case Mover:
		t, _ := v.Moves()
		line.Transfer, line.Crossing, line.Pending, postings, places = t.ID, t.Crossing, t.Pending, t.Postings, t.Places
	case *Resolved:
		line.Transfer, line.Crossing, line.Outcome, postings, places = v.ID, v.Crossing, v.Outcome, v.Postings, v.Places
	}
	for i, p := range postings {
		if p.Account == a && i < len(places.Before) && places.Before[i] < at {
			line.Debit, line.Credit, line.Balance = p.Debit, p.Credit, p.Balance
			return line, places.Before[i], nil
		}
	}
	return nil, 0, fmt.Errorf("ledger: history of %s: event %d is not on its chain", a, at)
}
