package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/client"
	"github.com/moongate-hub/moongate/gate/pay/reconcile"
)

// Where the hub keeps bills, and what differs.
const (
	pathBills       = "/v1/bills"
	pathDifferences = "/v1/differences"
)

type payReconcile struct {
	File   string `arg:"" help:"The bill as the wallet made it: text, gzip or zip; - is standard input."`
	Wallet handle `required:"" help:"Whose bill it is, as it is registered at the hub." placeholder:"HANDLE"`
	Kind   string `help:"trade or fund; the bill's own unless set." placeholder:"KIND"`
	Day    string `help:"By the wallet's calendar; the bill's own unless set." placeholder:"YYYY-MM-DD"`
	Hash   string `help:"What the wallet published beside the bill, like sha1:dcd7ceb3…; the bill must have it." placeholder:"ALGORITHM:DIGEST"`
	hubFlags
}

func (v payReconcile) Run(e *env) error {
	c, err := v.connect(e)
	if err != nil {
		return err
	}
	in := e.in
	if v.File != "-" {
		f, err := os.Open(v.File)
		if err != nil {
			return &moongate.Error{Code: moongate.NotFound, Field: "file", Message: err.Error(), Hint: "check the path"}
		}
		defer f.Close() //nolint:errcheck // read only
		in = f
	}
	query := url.Values{"wallet": {string(v.Wallet)}}
	for name, value := range map[string]string{"kind": v.Kind, "day": v.Day, "hash": v.Hash} {
		if value != "" {
			query.Set(name, value)
		}
	}
	b, err := client.Upload[reconcile.BillRow](e.ctx, c, pathBills, query, in)
	if err != nil {
		return err
	}
	err = e.show(b, func(t *terminal) {
		mark := t.green("✓")
		if b.Open > 0 {
			mark = t.red("✗")
		}
		t.line("%s %s bill of %s, %s: %s", mark, b.Kind, t.bold(b.Wallet), b.Day, heaps(&b))
		billSums(t, b.Sums)
		t.line("  %s", t.dim(b.ID.String()))
		if b.Open > 0 {
			t.line("%s", t.dim("  What differs: moongate pay differences --bill "+b.ID.String()))
		}
	})
	if err == nil && b.Open > 0 {
		return errSilent
	}
	return err
}

// heaps says what became of a bill's rows.
func heaps(b *reconcile.BillRow) string {
	rows := count(b.Rows) + " rows"
	if b.Rows == 1 {
		rows = "1 row"
	}
	parts := []string{rows, count(b.Matched) + " agree"}
	for _, part := range []struct {
		n    int64
		what string
	}{
		{b.Guessed, "by amount and time alone"},
		{b.Aside, "set aside"},
		{b.Differences - b.Missing, "differ"},
		{b.Missing, "not in the bill"},
		{b.Healed, "agree since"},
		{b.Open, "to be looked at"},
	} {
		if part.n > 0 {
			parts = append(parts, count(part.n)+" "+part.what)
		}
	}
	return strings.Join(parts, ", ")
}

// billSums prints a bill's money beside the books'.
func billSums(t *terminal, sums []reconcile.Sum) {
	rows := make([][]string, 0, len(sums))
	for _, s := range sums {
		places, _ := s.Currency.Exponent()
		rows = append(rows, []string{"  " + s.Currency.String(), amount(s.Theirs, places), amount(s.Ours, places), amount(s.Aside, places), milli(s.Fee, places), amount(s.Terms, places)})
	}
	if len(rows) > 0 {
		t.table([]align{left, right, right, right, right, right}, []string{"", "bill", "books", "aside", "fee", "by terms"}, rows)
	}
}

type payDifferences struct {
	Bill     moongate.ID        `help:"Only those of this bill." placeholder:"ID"`
	Wallet   handle             `help:"Only those of this wallet." placeholder:"HANDLE"`
	Class    reconcile.Class    `help:"duplicate, missing_ours, missing_theirs, status, amount, fee or timing." placeholder:"CLASS"`
	Standing reconcile.Standing `help:"waiting, open or settled." placeholder:"WORD"`
	Assignee handle             `help:"Only those that somebody looks after." placeholder:"HANDLE"`
	pageFlags
	hubFlags
}

func (v payDifferences) Run(e *env) error {
	query := url.Values{}
	if v.Bill != (moongate.ID{}) {
		query.Set("bill", v.Bill.String())
	}
	if v.Class != 0 {
		query.Set("class", v.Class.String())
	}
	if v.Standing != 0 {
		query.Set("standing", v.Standing.String())
	}
	for name, value := range map[string]string{"wallet": string(v.Wallet), "assignee": string(v.Assignee)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	page, err := readPage[reconcile.DifferenceRow](e, v.hubFlags, v.pageFlags, pathDifferences, query)
	if err != nil {
		return err
	}
	return e.show(page, func(t *terminal) {
		for i := range page.Items {
			d := &page.Items[i]
			t.line("%s  %s  %s, %s", t.bold(d.ID.String()), d.Class, d.Wallet, d.Day)
			t.line("  %s", d.Facts)
			t.line("  %s", standing(t, d, moongate.At(e.now())))
		}
		if len(page.Items) == 0 {
			t.line("There are none.")
		}
		more(t, page.Next)
	})
}

// standing says where a difference stands, and with whom.
func standing(t *terminal, d *reconcile.DifferenceRow, now moongate.Time) string {
	text := d.Standing.String()
	if d.Standing == reconcile.Open {
		text = t.red(text) + " for " + age(now-d.Opened)
	}
	if d.Assignee != "" {
		text += ", " + d.Assignee + " looks after it"
	}
	if d.Action != "" {
		by := d.By
		if by == "" {
			by = "the hub"
		}
		text += fmt.Sprintf(", %s by %s", d.Action, by)
	}
	if d.Note != "" {
		text += ": " + d.Note
	}
	return text
}

// age is a time that passed, for people.
func age(d moongate.Time) string {
	switch {
	case d >= 2*moongate.Day:
		return fmt.Sprintf("%d days", d/moongate.Day)
	case d >= 2*moongate.Hour:
		return fmt.Sprintf("%d hours", d/moongate.Hour)
	}
	return fmt.Sprintf("%d minutes", d/moongate.Minute)
}

type paySettle struct {
	Differences []moongate.ID    `arg:"" help:"Which, as moongate pay differences lists them."`
	Action      reconcile.Action `required:"" help:"explained (both sides are right), corrected (our books are put right), at_wallet (the wallet puts it right) or written_off." placeholder:"WORD"`
	Note        string           `required:"" help:"Why, for whoever asks later." placeholder:"TEXT"`
	changeFlags
}

func (v paySettle) Run(e *env) error {
	if _, err := change[reconcile.Done](e, v.changeFlags, pathDifferences+"/resolve", &reconcile.Resolve{Differences: v.Differences, Action: v.Action, Note: v.Note}); err != nil {
		return err
	}
	return e.show(map[string]any{"differences": v.Differences, "action": v.Action, "note": v.Note}, func(t *terminal) {
		what := "difference is"
		if len(v.Differences) > 1 {
			what = "differences are"
		}
		t.line("%s %d %s settled: %s", t.green("✓"), len(v.Differences), what, v.Action)
	})
}
