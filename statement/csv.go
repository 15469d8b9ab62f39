package statement

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/moongate-hub/moongate/money"
)

// csvHead names the columns. Amounts are decimals of the currency with a hyphen-minus; times are RFC 3339 in UTC.
var csvHead = []string{"at", "crossing", "kind", "what", "fee", "class", "other", "amount", "currency", "accrues", "reverses", "transfer"}

// WriteCSV writes a statement's lines as CSV (RFC 4180, UTF-8, one head), oldest first, and gives their number. It has
// no bound on lines: they are read and written one by one.
func WriteCSV(ctx context.Context, w io.Writer, src Sources, r Request) (int, error) {
	st, err := begin(src, r)
	if err != nil {
		return 0, err
	}
	out := csv.NewWriter(w)
	if err := out.Write(csvHead); err != nil {
		return 0, fmt.Errorf("statement: write: %w", err)
	}
	n := 0
	err = visit(ctx, src, r, st, func(one *crossed) error {
		for _, i := range one.items {
			n++
			if err := out.Write(i.record(r.Currency)); err != nil {
				return fmt.Errorf("statement: write: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return n, err
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return n, fmt.Errorf("statement: write: %w", err)
	}
	return n, nil
}

func (i *Item) record(c money.Currency) []string {
	accrues := ""
	if i.Accrues {
		accrues = "yes"
	}
	return []string{
		i.At.String(), i.Crossing.String(), i.Kind.String(), i.What.String(), i.Fee, plain(i.Class), i.Other, money.Of(i.Amount, c).Decimal(),
		c.String(), accrues, i.Reverses.String(), i.Transfer.String(),
	}
}

// plain keeps a spreadsheet from taking a text for a formula.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
