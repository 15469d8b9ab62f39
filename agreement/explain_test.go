package agreement_test

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate/agreement"
)

var update = flag.Bool("update", false, "write the golden files")

func TestExplain(t *testing.T) {
	for name := range agreement.Examples() {
		for _, lang := range []agreement.Language{agreement.English, agreement.Chinese} {
			got, err := agreement.Explain(example(t, name).Doc, lang)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "explain", strings.TrimSuffix(name, ".yaml")+"."+string(lang)+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("%s in %s (-want +got); after checking it, go test -update:\n%s", name, lang, diff)
			}
		}
	}
}

// The table that is printed is the table that is computed: each row of fees sums to zero, and what all are left with is
// the whole.
func TestWorkedTableSums(t *testing.T) {
	for name := range agreement.Examples() {
		terms := example(t, name)
		currency := terms.Doc.Scope.Currencies[0]
		sale := agreement.Sale{Kind: agreement.Payment, Gross: 100_00, Touched: terms.Doc.Share != nil}
		if err := sale.Currency.UnmarshalText([]byte(currency)); err != nil {
			t.Fatal(err)
		}
		if !terms.Covers(agreement.Payment) {
			sale.Kind = agreement.Conversion
		}
		for _, sale.Class = range append(terms.Doc.Scope.Classes, "") {
			if sale.Class == "" && len(terms.Doc.Scope.Classes) > 0 {
				continue
			}
			w, err := terms.Work(sale)
			if err != nil {
				t.Fatal(err)
			}
			sum := int64(0)
			for _, k := range w.Keeps {
				sum += k
			}
			if sum != sale.Gross {
				t.Errorf("%s, class %q: %d of %d are left", name, sale.Class, sum, sale.Gross)
			}
			for _, row := range w.Rows {
				sum := int64(0)
				for _, p := range row.Parts {
					sum += p
				}
				if sum != 0 {
					t.Errorf("%s: row %v sums to %d", name, row, sum)
				}
			}
		}
	}
}

func TestBothLanguagesSayEverything(t *testing.T) {
	en, zh := agreement.Catalogues()
	a, b := reflect.ValueOf(en), reflect.ValueOf(zh)
	for i := range a.NumField() {
		name := a.Type().Field(i).Name
		switch f, g := a.Field(i), b.Field(i); f.Kind() {
		case reflect.String:
			if f.String() == "" || g.String() == "" && name != "stop" {
				t.Errorf("%s: %q, %q", name, f.String(), g.String())
			}
			if n, m := strings.Count(f.String(), "%"), strings.Count(g.String(), "%"); n != m {
				t.Errorf("%s takes %d values in English and %d in Chinese", name, n, m)
			}
		case reflect.Map:
			if f.Len() == 0 || f.Len() != g.Len() {
				t.Errorf("%s: %d and %d entries", name, f.Len(), g.Len())
			}
			for _, k := range f.MapKeys() {
				if !g.MapIndex(k).IsValid() || g.MapIndex(k).String() == "" {
					t.Errorf("%s: %v has no Chinese", name, k)
				}
			}
		}
	}
	for _, reason := range agreement.BlockReasons() {
		if !reflect.Indirect(a).FieldByName("reasons").MapIndex(reflect.ValueOf(reason)).IsValid() {
			t.Errorf("block reason %s has no words", reason)
		}
	}
}
