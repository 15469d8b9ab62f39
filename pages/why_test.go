package pages_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate/console"
	reconciling "github.com/moongate-hub/moongate/gate/pay/reconcile"
)

// source is the text of the Go files of a folder, without tests.
func source(t *testing.T, folder string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %v %v", folder, names, err)
	}
	var b strings.Builder
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

// found are the distinct first groups of an expression in a text.
func found(text, expression string) (all []string) {
	for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Every code that a room can give and a page can show has a word in both languages: the codes are read from the rooms' own
// source, so that a new one is missed here first.
func TestEveryCodeHasItsWords(t *testing.T) {
	pay, reconcile, link, root := source(t, "gate/pay"), source(t, "gate/pay/reconcile"), source(t, "gate/link"), source(t, ".")
	crossing, agreement := source(t, "crossing"), source(t, "agreement")
	constants := func(text, kind string) []string { return found(text, `(?m)^\s*\w+\s+`+kind+`\s*=\s*"([a-z_]+)"`) }
	words := console.Words()
	var classes []string
	for c := reconciling.Class(1); !strings.HasPrefix(c.String(), "class"); c++ {
		classes = append(classes, c.String())
	}
	for _, family := range []struct {
		name   string
		codes  []string
		least  int // how many there are: an expression that finds nothing proves nothing
		prefix []string
		but    []string // not shown under this key
	}{
		{"kinds of exceptions", constants(pay, "TroubleKind"), 11, []string{"exception.", "exception.means.", "exception.todo."}, nil},
		{"ways to end one", constants(pay, "Action"), 3, []string{"exception.how.", "action."}, nil},
		{"verdicts", constants(pay, "Verdict"), 3, []string{"why.verdict."}, nil},
		{"reasons not to offer a wallet", constants(pay, "UnfitWhy"), 5, []string{"why.unfit."}, nil},
		{"grounds of a choice", constants(pay, "Because"), 3, []string{"chosen.", "step.pay.attempt_opened."}, nil},
		{"states of a payment", constants(pay, "Status"), 6, []string{"state.", "payment.means."}, nil},
		{"ends of a payment", constants(pay, "Status"), 6, []string{"step.pay.settled."}, []string{"open", "authorised"}},
		{"states of an attempt", constants(pay, "AttemptStatus"), 6, []string{"state."}, nil},
		{"states of a refund", constants(pay, "RefundStatus"), 5, []string{"state."}, nil},
		{"states of a dispute", constants(pay, "DisputeState"), 4, []string{"step.pay.dispute_moved."}, nil},
		{"classes of differences", classes, 7, []string{"difference.", "difference.todo."}, nil},
		{"ways to settle one", constants(reconcile, "Action"), 6, []string{"difference.how.", "step.reconcile.ended."}, nil},
		{"results of fetching", constants(reconcile, "Result"), 3, []string{"state."}, nil},
		{"codes of errors", constants(root, "Code"), 12, []string{"problem.", "problem.means."}, nil},
		{"fields that a crossing's refusal names", append(found(crossing, `refused\("([a-z]+)`), found(crossing, `Code: moongate\.Refused, Field: "([a-z]+)`)...), 4, []string{"why.refused."}, nil},
		{"fields that the terms' refusal of a crossing names", found(section(t, agreement, "func (t *Terms) admit(", "\n}\n"), `refused\("([a-z]+)`), 2, []string{"why.refused."}, nil},
		{"fields that a link's refusal names", found(section(t, link, "func (s *State) Resolve(", "// blockOf"), `refused\("([a-z]+)`), 3, []string{"why.refused."}, nil},
	} {
		if len(family.codes) < family.least {
			t.Errorf("%s: only %v are found", family.name, family.codes)
		}
		for _, code := range family.codes {
			for _, prefix := range family.prefix {
				if !slices.Contains(family.but, code) && !words.Has(prefix+code) {
					t.Errorf("%s: nothing is said for %s%s", family.name, prefix, code)
				}
			}
		}
	}
}

// section is the part of a text between two marks.
func section(t *testing.T, text, from, until string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	part, _, end := strings.Cut(rest, until)
	if !ok || !end {
		t.Fatalf("%q is not there", from)
	}
	return part
}
