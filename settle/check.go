package settle

import (
	"fmt"
	"slices"

	"github.com/moongate-hub/moongate/ledger"
)

// Check finds what is wrong between windows and books, one sentence each: positions that do not add up to zero, money
// left on the clearing account of a window whose instructions are all out, and instructions that the books do not know.
// Call it under the machine's Read.
func (s *State) Check() []string {
	var problems []string
	for id, w := range s.windows.All() {
		if sum := s.sumOf(id); sum != 0 {
			problems = append(problems, fmt.Sprintf("window %s: positions add up to %d, not to zero", id, sum))
		}
		clearing := s.books.Balance(s.clearingOf(&w)).Net(ledger.Clearing)
		want := int64(0)
		for _, i := range w.Plan[min(w.Next, len(w.Plan)):] {
			if one, ok := s.instructions.Get(i); ok && one.Wallet {
				want += one.Amount
			}
		}
		if w.Status != Open && clearing != want {
			problems = append(problems, fmt.Sprintf("window %s: %d on the clearing account, where %d is still to go out", id, clearing, want))
		}
	}
	owed := map[ledger.Account]int64{}
	for _, i := range s.instructions.All() {
		if i.Progress != Planned {
			owed[ledger.Account{Owner: i.To, Currency: i.Currency, Purpose: ledger.Instructed}] += i.Amount
		}
	}
	for account, want := range owed {
		if got := s.books.Balance(account).Net(ledger.Instructed); got != want {
			problems = append(problems, fmt.Sprintf("%s: %d in the books, %d by instructions", account, got, want))
		}
	}
	for after := 0; ; {
		books := s.books.Accounts("", after, 1000)
		for _, b := range books {
			if _, unsettled := s.windows.Get(b.Account.Of); b.Account.Purpose == ledger.Clearing && !unsettled && b.Balance.Net(ledger.Clearing) != 0 {
				problems = append(problems, fmt.Sprintf("window %s is over, but %d stands on its clearing account", b.Account.Of, b.Balance.Net(ledger.Clearing)))
			}
		}
		if after += len(books); len(books) == 0 {
			break
		}
	}
	slices.Sort(problems)
	return problems
}

// Totals counts what is not settled yet.
type Totals struct {
	Windows      map[string]int `json:"windows"`      // by status
	Instructions map[string]int `json:"instructions"` // by progress
}

// Totals counts windows and instructions. Call it under the machine's Read.
func (s *State) Totals() Totals {
	t := Totals{Windows: map[string]int{}, Instructions: map[string]int{}}
	for _, w := range s.windows.All() {
		t.Windows[w.Status.String()]++
	}
	for _, i := range s.instructions.All() {
		t.Instructions[i.Progress.String()]++
	}
	return t
}
