package console

import (
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate/money"
)

func TestSay(t *testing.T) {
	c, err := loadCatalogue(fstest.MapFS{"words/a.json": {Data: []byte(`{
		"plain": {"en": "Paid", "zh": "已付款"},
		"count": {"en": "{n} {n?crossing:crossings}", "zh": "{n} 笔通行"},
		"name": {"en": "back to {who}", "zh": "返回 {who} 吧"},
		"odd": {"en": "a { b {", "zh": "甲{"}
	}`)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		lang Lang
		key  string
		args []any
		want string
	}{
		{English, "plain", nil, "Paid"},
		{Chinese, "plain", nil, "已付款"},
		{English, "count", []any{"n", 1}, "1 crossing"},
		{English, "count", []any{"n", int64(12345)}, "12,345 crossings"},
		{Chinese, "count", []any{"n", uint64(2)}, "2 笔通行"},
		{Chinese, "name", []any{"who", "老窑"}, "返回老窑吧"},
		{Chinese, "name", []any{"who", "Old Kiln"}, "返回 Old Kiln 吧"},
		{English, "name", []any{"who", Party{ID: "old-kiln", Name: "Old Kiln"}}, "back to Old Kiln"},
		{English, "name", []any{"who", Party{ID: "old-kiln"}}, "back to old-kiln"},
		{English, "name", []any{"who", money.Of(-123450, money.CNY)}, "back to −1,234.50\u00a0CNY"},
		{English, "name", []any{"whom", "x"}, "back to {who}"},
		{English, "odd", nil, "a { b {"},
		{English, "missing.key", nil, "missing.key"},
	} {
		if got := c.Say(test.lang, test.key, test.args...); got != test.want {
			t.Errorf("Say(%s, %s, %v) = %q, want %q", test.lang, test.key, test.args, got, test.want)
		}
	}
}

func TestCatalogueRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no Chinese":       `{"a": {"en": "A"}}`,
		"empty Chinese":    `{"a": {"en": "A", "zh": " "}}`,
		"a third language": `{"a": {"en": "A", "zh": "甲", "fr": "A"}}`,
		"a key twice":      `{"a": {"en": "A", "zh": "甲"}, "a": {"en": "B", "zh": "乙"}}`,
		"a list":           `["a"]`,
		"half a file":      `{"a": {"en": "A", "zh": "甲"}`,
	} {
		if _, err := loadCatalogue(fstest.MapFS{"words/a.json": {Data: []byte(text)}}); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

// What a payment can be, and what its shopper is told in the end.
var (
	ofPayment = []string{
		"open", "authorised", "held", "awaiting", "unknown", "succeeded", "failed", "expired", "cancelled", "returned",
		"partly_refunded", "refunded",
	}
	ofTill = []string{"authorised", "held", "late", "succeeded", "failed", "expired", "cancelled", "partly_refunded", "refunded"}
)

// The words that pages put together from parts: prefix, words, suffix.
var families = []struct {
	prefix string
	words  []string
	suffix string
}{
	{"payment.means.", ofPayment, ""},
	{"cashier.", ofTill, ""},
	{"cashier.means.", ofTill, ""},
	{"action.", asked, ".ask"},
	{"guard.", vocabularies["guard"], ""},
	{"step.", vocabularies["step"], ""},
	{"difference.says.", sentences, ""},
	{"why.", reasons, ""},
	{"chosen.", choices, ""},
}

// TestEveryWordIsSaidAndEverySaidWordIsThere compares the catalogue with what templates, vocabularies and code ask for.
func TestEveryWordIsSaidAndEverySaidWordIsThere(t *testing.T) {
	sets := maps.Clone(vocabularies)
	sets["payment.means"] = ofPayment
	sets["state"] = slices.Sorted(maps.Keys(states))
	sets["action"] = asked
	for _, s := range []string{"exception.means", "exception.todo", "difference.todo", "rule.means", "problem.means"} {
		sets[s] = vocabularies[s[:strings.IndexByte(s, '.')]]
	}
	sets["problem.todo"] = vocabularies["problem.why"]
	said := map[string]bool{"language": true}
	for _, f := range families {
		for _, w := range f.words {
			said[f.prefix+w+f.suffix] = true
		}
	}
	used := map[string]bool{"step": true}
	key, set, empty := regexp.MustCompile(`\bt "([^"]+)"`), regexp.MustCompile(`\b(?:words?|"set") "([^"]+)"`), regexp.MustCompile(`template "empty" "([^"]+)"`)
	text := templates(t)
	for _, m := range key.FindAllStringSubmatch(text, -1) {
		said[m[1]] = true
	}
	for _, m := range empty.FindAllStringSubmatch(text, -1) {
		said["empty."+m[1]+".title"], said["empty."+m[1]+".text"] = true, true
	}
	for _, m := range set.FindAllStringSubmatch(text, -1) {
		used[m[1]] = true
	}
	for s := range used {
		if sets[s] == nil {
			t.Errorf("templates use words of %q, which is no vocabulary", s)
		}
		for _, w := range sets[s] {
			said[s+"."+w] = true
		}
	}
	for s := range sets {
		if !used[s] && s != "guard" {
			t.Errorf("no template uses the vocabulary %q", s)
		}
	}
	code, err := os.ReadFile("function.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`Say\(\w+, "([^"]+)"`).FindAllSubmatch(code, -1) {
		said[string(m[1])] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(said)), Words().Keys()); diff != "" {
		t.Errorf("words that are said (-) and words of the catalogue (+):\n%s", diff)
	}
}

func templates(t *testing.T) string {
	t.Helper()
	names, err := fs.Glob(pageFiles, "page/*.html")
	if err != nil || len(names) == 0 {
		t.Fatal("no templates", err)
	}
	var b strings.Builder
	for _, name := range names {
		text, err := pageFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}

// TestBothLanguagesFillTheSamePlaceholders finds a name that was forgotten in a translation.
func TestBothLanguagesFillTheSamePlaceholders(t *testing.T) {
	names := regexp.MustCompile(`\{(\w+)`)
	in := func(text string) []string {
		found := map[string]bool{}
		for _, m := range names.FindAllStringSubmatch(text, -1) {
			found[m[1]] = true
		}
		return slices.Sorted(maps.Keys(found))
	}
	for key, text := range Words().entries {
		if diff := cmp.Diff(in(text[English]), in(text[Chinese])); diff != "" {
			t.Errorf("%s: English (-) and Chinese (+) name different things:\n%s", key, diff)
		}
	}
}

// TestPluralsAreWhole finds an English plural with only one form.
func TestPluralsAreWhole(t *testing.T) {
	plural := regexp.MustCompile(`\{\w+\?([^}]*)\}`)
	for key, text := range Words().entries {
		for _, m := range plural.FindAllStringSubmatch(text[English], -1) {
			if forms := strings.Split(m[1], ":"); len(forms) != 2 {
				t.Errorf("%s: %q wants two forms", key, m[0])
			}
		}
	}
}

func TestVocabulariesHaveNoWordTwice(t *testing.T) {
	for set, words := range vocabularies {
		sorted := slices.Clone(words)
		sort.Strings(sorted)
		if len(slices.Compact(sorted)) != len(words) {
			t.Errorf("%s has a word twice: %v", set, words)
		}
	}
}
