package agreement

import (
	"slices"

	"github.com/moongate-hub/moongate/money"
)

// Worked is a sale computed by the terms, as a table: what it becomes for each role. Every row sums to zero but the
// first, which sums to the gross, and so does Keeps.
type Worked struct {
	Sale  Sale
	Roles []Role
	Rows  []WorkedRow
	Keeps []int64 // by role
}

// WorkedRow is one fee: what each role gets, or gives where negative.
type WorkedRow struct {
	Due   Due
	Parts []int64
}

// Work computes a sale as a table.
func (t *Terms) Work(s Sale) (Worked, error) {
	dues, err := t.Fees(nil, s)
	if err != nil {
		return Worked{}, err
	}
	return t.table(s, s.Gross, dues), nil
}

// WorkRefund computes what goes back when a sale is reduced, as a table whose keeps are negative.
func (t *Terms) WorkRefund(before, after Sale) (Worked, error) {
	dues, err := t.Refund(nil, before, after)
	if err != nil {
		return Worked{}, err
	}
	return t.table(before, after.Gross-before.Gross, dues), nil
}

func (t *Terms) table(s Sale, gross int64, dues []Due) Worked {
	w := Worked{Sale: s, Roles: t.payingRoles()}
	w.Keeps = make([]int64, len(w.Roles))
	if i := slices.Index(w.Roles, t.ends); i >= 0 {
		w.Keeps[i] = gross
	}
	for _, d := range dues {
		row := WorkedRow{Due: d, Parts: make([]int64, len(w.Roles))}
		row.Parts[slices.Index(w.Roles, d.From)] = -d.Minor
		row.Parts[slices.Index(w.Roles, d.To)] = d.Minor
		for i, p := range row.Parts {
			w.Keeps[i] += p
		}
		w.Rows = append(w.Rows, row)
	}
	return w
}

// payingRoles are the beneficiary and all that pay or are paid, in the order of the document.
func (t *Terms) payingRoles() []Role {
	roles := []Role{}
	if t.ends != "" {
		roles = append(roles, t.ends)
	}
	for i := range t.Doc.Parties {
		r := t.Doc.Parties[i].Role
		pays := slices.ContainsFunc(t.fees, func(f feeRule) bool { return f.from == r || f.to == r })
		if pays && !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	return roles
}

// round sample amounts: a hundred of the major unit, or ten thousand where there is no minor one.
func sample(c money.Currency) int64 {
	exponent, err := c.Exponent()
	if err != nil || exponent == 0 {
		return 10_000
	}
	n := int64(100)
	for range exponent {
		n *= 10
	}
	return n
}

// strip divides a number of cells among amounts, at least one for each that is not zero. It gives nil where an amount
// is negative or all are zero.
func strip(amounts []int64, n int64) []int64 {
	weights := slices.Clone(amounts)
	some := int64(0)
	for _, a := range amounts {
		if a < 0 {
			return nil
		}
		if a > 0 {
			some++
		}
	}
	parts, err := money.Allocate(n-some, weights)
	if err != nil {
		return nil
	}
	for i, a := range amounts {
		if a > 0 {
			parts[i]++
		}
	}
	return parts
}
