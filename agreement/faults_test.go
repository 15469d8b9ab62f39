package agreement_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
)

// fault is one thing wrong with an example, and what is said about it.
type fault struct {
	name     string
	file     string // three-gardens.yaml where unsaid
	old, new string // in its text
	field    string // that the fault names
	message  string // a part of what it says
	schema   bool   // the JSON Schema sees it too
}

var faults = []fault{
	{name: "format", old: "agreement/1", new: "agreement/9", field: "moongate", message: `"agreement/9" is not a format`, schema: true},
	{name: "id", old: "id: three-gardens", new: "id: Three Gardens", field: "id", message: "cannot be an agreement's id", schema: true},
	{name: "version", old: "version: 1", new: "version: 0", field: "version", message: "0 is not a version", schema: true},
	{name: "version as text", old: "version: 1", new: `version: "1"`, field: "version", message: "this is a text where a number belongs", schema: true},
	{name: "name in no language", old: "  en: Three gardens, one purchase\n  zh: 三园一单", new: "  fr: Trois jardins", field: "name", message: "neither an English nor a Chinese text", schema: true},
	{name: "missing field", old: "offer: {kind: open}", new: "", field: "offer", message: "the field is missing", schema: true},
	{name: "unknown field", old: "notice: 30d}", new: "notice: 30d, notise: 1d}", field: "valid.notise", message: "no such field", schema: true},
	{name: "unknown field with a near one", old: "min: {CNY", new: "minn: {CNY", field: "fees[1].minn", message: "did you mean min?", schema: true},
	{name: "unknown role", old: "role: wallet", new: "role: walet", field: "parties[2].role", message: "did you mean wallet?", schema: true},
	{name: "role twice", old: "{role: wallet, members: [crane-pay, carp-pay], name: Crane Pay and Carp Pay}", new: "{role: wallet, id: crane-pay}\n  - {role: wallet, id: carp-pay}", field: "parties[3].role", message: "stands in parties[2] already"},
	{name: "nobody in the role", old: "id: lotus-market, name", new: "name", field: "parties[0]", message: "it must be clear who is marketplace", schema: true},
	{name: "two ways to say who", old: "id: lotus-market", new: "id: lotus-market, open: any", field: "parties[0]", message: "2 ways are given", schema: true},
	{name: "handle", old: "id: lotus-market", new: "id: Lotus_Market", field: "parties[0].id", message: `"Lotus_Market" cannot be a handle`, schema: true},
	{name: "reserved handle", old: "id: lotus-market", new: "id: public", field: "parties[0].id", message: "reserved"},
	{name: "member twice", old: "[crane-pay, carp-pay]", new: "[crane-pay, crane-pay]", field: "parties[2].members[1]", message: "crane-pay is member 0 already", schema: true},
	{name: "offer without an open role", old: "open: merchant", new: "id: tea-house", field: "offer.kind", message: "no role that anyone may step into"},
	{name: "closed with an open role", old: "kind: open}", new: "kind: closed}", field: "offer.kind", message: "a role is open to anyone, but the offer is closed"},
	{name: "counter without what it answers", old: "kind: open}", new: "kind: counter}", field: "offer.counter", message: "must say what it answers", schema: true},
	{name: "quorum of too many", file: "small-sellers-together.yaml", old: "quorum: 5", new: "quorum: 9", field: "offer.quorum", message: "a quorum of 9 cannot be met by 8"},
	{name: "replacing itself", old: "offer: {kind: open}", new: "offer: {kind: open}\nreplaces: {version: 1, sha256: " + strings.Repeat("ab", 32) + "}", field: "replaces.version", message: "version 1 cannot replace version 1"},
	{name: "hash", old: "offer: {kind: open}", new: "offer: {kind: open}\nreplaces: {version: 1, sha256: abc}", field: "replaces.sha256", message: "not a SHA-256", schema: true},

	{name: "validity inverted", old: `until: "2029-01-01T00:00:00+08:00"`, new: `until: "2025-01-01T00:00:00+08:00"`, field: "valid.until", message: "before it begins"},
	{name: "notice longer than the agreement", file: "app-developers.yaml", old: "notice: 90d}", new: "notice: 999d}", field: "valid.notice", message: "longer than the agreement itself"},
	{name: "date without a time", old: `from: "2026-01-01T00:00:00+08:00"`, new: `from: "2026-01-01"`, field: "valid.from", message: "not RFC 3339", schema: true},
	{name: "span", old: "notice: 30d}", new: "notice: a month}", field: "valid.notice", message: `"a month" is not a span of time`, schema: true},
	{name: "calendar", old: `calendar: "+08:00"`, new: `calendar: "Asia/Shanghai"`, field: "calendar", message: "not an offset", schema: true},

	{name: "nothing may cross", old: "kinds: [link, payment, refund, conversion]", new: "kinds: []", field: "scope.kinds", message: "nothing may cross", schema: true},
	{name: "kind twice", old: "[link, payment, refund, conversion]", new: "[link, payment, refund, payment]", field: "scope.kinds[3]", message: "stands in scope.kinds[1] already", schema: true},
	{name: "refund without payment", old: "[link, payment, refund, conversion]", new: "[link, refund, conversion]", field: "scope.kinds", message: "a refund needs a payment"},
	{name: "no currency", old: "  currencies: [CNY]\n", new: "", field: "scope.currencies", message: "no currency is in scope"},
	{name: "unknown currency", old: "currencies: [CNY]", new: "currencies: [CNX]", field: "scope.currencies[0]", message: `"CNX" is not an ISO 4217 currency with an exponent`},
	{name: "currency without an exponent", old: "currencies: [CNY]", new: "currencies: [XAU]", field: "scope.currencies[0]", message: `"XAU" is not an ISO 4217 currency with an exponent`},
	{name: "host with a path", old: "[lotus.example,", new: "[lotus.example/shop,", field: "scope.hosts[0]", message: "not a host name", schema: true},
	{name: "nobody to receive", old: "  beneficiary: seller\n", new: "", field: "scope.beneficiary", message: "it is not said whose it is"},
	{name: "unknown party", old: "beneficiary: seller", new: "beneficiary: carrier", field: "scope.beneficiary", message: "nobody here is carrier"},

	{name: "rate below zero", old: "bps: 60", new: "bps: -60", field: "fees[1].bps", message: "-60 basis points is below zero", schema: true},
	{name: "rate above the whole", old: "bps: 60", new: "bps: 10001", field: "fees[1].bps", message: "above 100 %", schema: true},
	{name: "rate in percent", old: "bps: 60", new: "bps: 0.6", field: "", message: `"0.6" is not a whole number`, schema: true},
	{name: "fees above the whole", old: "bps: 60", new: "bps: 9600", field: "fees[1]", message: "add up to 101%, more than 100 %"},
	{name: "line that takes nothing", old: "    bps: 60\n    min: {CNY: \"0.01\"}\n", new: "", field: "fees[1]", message: "the line takes nothing", schema: true},
	{name: "line twice", old: "id: wallet_fee", new: "id: commission", field: "fees[1].id", message: "names an earlier line"},
	{name: "line with a base's name", old: "id: wallet_fee", new: "id: gross", field: "fees[1].id", message: "already means something else", schema: true},
	{name: "paying oneself", old: "to: wallet", new: "to: seller", field: "fees[1].to", message: "cannot pay itself"},
	{name: "paid by nobody", old: "    from: seller\n    to: wallet", new: "    from: guest\n    to: wallet", field: "fees[1].from", message: "nobody here is guest"},
	{name: "base", old: "of: freight_excluded", new: "of: grosss", field: "fees[0].of", message: `"grosss" is neither a base nor an earlier line`},
	{name: "part of another's line", old: "from: marketplace\n  to: publisher", new: "from: wallet\n  to: publisher", field: "share.of", message: "is received by marketplace"},
	{name: "fee of a refund", old: "    bps: 60", new: "    for: [refund]\n    bps: 60", field: "fees[1].for[0]", message: "a refund undoes fees", schema: true},
	{name: "least above most", old: `min: {CNY: "0.01"}`, new: `min: {CNY: "0.50"}` + "\n    max: {CNY: \"0.10\"}", field: "fees[1].min.CNY", message: "the least, 0.50 CNY, is more than the most, 0.10 CNY"},
	{name: "amount as a number", old: `min: {CNY: "0.01"}`, new: "min: {CNY: 1}", field: "fees[1].min.CNY", message: `put it in quotes: "1"`, schema: true},
	{name: "amount too fine", old: `min: {CNY: "0.01"}`, new: `min: {CNY: "0.001"}`, field: "fees[1].min.CNY", message: "finer than the 2 decimals"},
	{name: "amount in another currency", old: `min: {CNY: "0.01"}`, new: `min: {USD: "0.01"}`, field: "fees[1].min.USD", message: "not in scope"},
	{name: "amount below zero", old: `min: {CNY: "0.01"}`, new: `min: {CNY: "-0.01"}`, field: "fees[1].min.CNY", message: "below zero", schema: true},
	{name: "tiers with a gap", old: `from: {CNY: "100000.00"}`, new: `from: {CNY: "100000.01"}`, field: "fees[0].tiers.steps[1].from", message: "from 100000.00 CNY to 100000.01 CNY there is no rate"},
	{name: "tiers that overlap", old: `from: {CNY: "100000.00"}`, new: `from: {CNY: "99999.99"}`, field: "fees[0].tiers.steps[1].from", message: "begins at 99999.99 CNY, the one before ends at 100000.00 CNY"},
	{name: "tiers that end", old: `from: {CNY: "100000.00"}, bps`, new: `from: {CNY: "100000.00"}, below: {CNY: "200000.00"}, bps`, field: "fees[0].tiers.steps[1].below", message: "what lies above has no rate"},
	{name: "class in two tiers", file: "apple-us-2024.yaml", old: "[standard], bps", new: "[standard, small_business], bps", field: "fees[0].tiers.steps[1].classes", message: "small_business is in steps[0] too"},
	{name: "class without a rate", file: "apple-us-2024.yaml", old: "[small_business, subscription_second_year], bps", new: "[small_business], bps", field: "fees[0].tiers.steps", message: "product class subscription_second_year has no rate"},
	{name: "class out of scope", file: "apple-us-2024.yaml", old: "[standard], bps", new: "[standart], bps", field: "fees[0].tiers.steps[0].classes[0]", message: "did you mean standard?"},

	{name: "pool above the whole", old: "pool_bps: 4000", new: "pool_bps: 10001", field: "share.pool_bps", message: "not between 1 and 10000", schema: true},
	{
		name: "more given on than received", old: "share:\n", new: "  - {id: bonus, from: marketplace, to: publisher, of: commission, bps: 7000}\nshare:\n",
		field: "share.pool_bps", message: "more than 100 % of commission is given on: 11000 basis points",
	},
	{name: "floor above cap", old: "cap_bps: 7000", new: "cap_bps: 7000\n  floor_bps: 8000", field: "share.floor_bps", message: "the floor 8000 is above the cap 7000"},
	{name: "share floors that cannot be met", old: "cap_bps: 7000", new: "floor_bps: 6000", field: "share.floor_bps", message: "their floors add up to 12000 basis points"},
	{name: "limit for a stranger", old: "cap_bps: 7000", new: "limits: [{party: reed-press, cap_bps: 100}]", field: "share.limits[0].party", message: "no member of publisher"},
	{name: "no window", old: "window: 30d", new: "window: 0s", field: "share.window", message: "not between 1m and 180d"},
	{name: "floor that cannot be met", old: "{party: seller, bps: 9000}", new: "{party: seller, bps: 9500}", field: "guards.floors[0].bps", message: "the floor of seller cannot be met: for a payment fees take 5.6%, and 95% must stay"},
	{name: "floor of another", old: "{party: seller, bps: 9000}", new: "{party: wallet, bps: 100}", field: "guards.floors[0].party", message: "only the beneficiary can have a floor"},
	{name: "cap of the beneficiary", old: "{party: marketplace, bps: 600}", new: "{party: seller, bps: 600}", field: "guards.caps[0].party", message: "keeps what the fees leave"},

	{name: "total without a fee", file: "private-totals.yaml", old: "{of: app, to: store, level", new: "{of: store, to: app, level", field: "disclosure[0].level", message: "no fee line is paid by store to app"},
	{name: "total to several", file: "private-totals.yaml", old: "{role: store, id: pavilion-store, name: Pavilion Store}", new: "{role: store, members: [pavilion-store, lotus-market]}", field: "disclosure[0].to", message: "store is not one participant"},
	{name: "total to the wallet", old: "settlement:", new: "disclosure: [{of: seller, to: wallet, level: total_only}]\nsettlement:", field: "disclosure[0].level", message: "sees each of them"},
	{name: "reason", old: "malware", new: "malwares", field: "links.block.reasons[3]", message: "did you mean malware?", schema: true},
	{name: "block for ever", old: "longest: 30d", new: "longest: 3650d", field: "links.block.longest", message: "every block expires"},
	{name: "click that lives too long", old: "click_ttl: 10m", new: "click_ttl: 1h", field: "links.click_ttl", message: "can be passed on"},
	{name: "no settlement", file: "apple-korea.yaml", old: "settlement: {window: 30d, netting: bilateral, delay: 45d}\n", new: "", field: "settlement", message: "it is not said when it is paid"},
	{name: "settled in another currency", old: "  currency: CNY\n  netting", new: "  currency: USD\n  netting", field: "settlement.currency", message: "amounts are never exchanged"},
	{name: "source", file: "apple-korea.yaml", old: `title: "Korea: 26 % with another payment"`, new: `title: "Korea", url: "http://example.com"`, field: "sources[0].url", message: "not a web address", schema: true},
}

func source(t testing.TB, f fault) string {
	t.Helper()
	file := f.file
	if file == "" {
		file = "three-gardens.yaml"
	}
	text := string(agreement.Examples()[file])
	if !strings.Contains(text, f.old) {
		t.Fatalf("%s: %s does not contain %q", f.name, file, f.old)
	}
	return strings.Replace(text, f.old, f.new, 1)
}

// broken is a faulty document as JSON.
func broken(t testing.TB, f fault) []byte {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte(source(t, f)))
	if err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	return text
}

func TestFaults(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			text := source(t, f)
			d, err := agreement.Parse([]byte(text))
			if err == nil {
				t.Fatalf("version %d of %s is taken", d.Version, d.ID)
			}
			for _, one := range agreement.FaultsOf(err) {
				if one.Code != moongate.Malformed {
					t.Errorf("code %s", one.Code)
				}
				if one.Field == f.field && strings.Contains(one.Error(), f.message) {
					return
				}
			}
			t.Errorf("want a fault at %q that says %q; the faults are\n%v", f.field, f.message, err)
		})
	}
}

// The same fault is found, with the same words but for lines, in JSON.
func TestFaultsInJSON(t *testing.T) {
	for _, f := range faults {
		if f.field == "" {
			continue
		}
		_, err := agreement.Parse(broken(t, f))
		found := false
		for _, one := range agreement.FaultsOf(err) {
			found = found || one.Field == f.field && strings.Contains(one.Error(), f.message)
		}
		if !found {
			t.Errorf("%s: %v", f.name, err)
		}
	}
}

func TestAllFaultsAtOnceInOrder(t *testing.T) {
	text := string(agreement.Examples()["three-gardens.yaml"])
	for _, change := range [][2]string{{"version: 1", "version: -1"}, {"bps: 60", "bps: -60"}, {"pool_bps: 4000", "pool_bps: 0"}} {
		text = strings.Replace(text, change[0], change[1], 1)
	}
	_, err := agreement.Parse([]byte(text))
	want := `version: -1 is not a version (line 5); the first version is 1
fees[1].bps: a rate of -60 basis points is below zero (line 46); to pay the other way, exchange from and to
share.pool_bps: a pool of 0 basis points is not between 1 and 10000 (line 53); 10000 is the whole base`
	if err == nil || err.Error() != want {
		t.Errorf("faults are\n%v\nwant\n%s", err, want)
	}
	var one *moongate.Error
	if !errors.As(err, &one) || one.Field != "version" {
		t.Errorf("errors.As finds %v", one)
	}
}

// What is not even a document: refused at once, whatever its size, and with a reason.
func TestHostileText(t *testing.T) {
	n := agreement.MaxBytes
	rep := func(s string) string { return strings.Repeat(s, n/len(s)) }
	var deep, flat strings.Builder
	for i := 0; deep.Len()+i+4 < n; i++ {
		deep.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for i := 0; flat.Len() < n-16; i++ {
		fmt.Fprintf(&flat, "k%d: %d\n", i, i)
	}
	for name, text := range map[string]string{
		"empty": "", "blank": rep(" "), "newlines": rep("\n"), "comments": rep("# a\n"), "NUL": "a: \x00", "not UTF-8": "a: \xff\xfe",
		"a word": "agreement", "a list": "[1, 2]", "null": "null", "two documents": "a: 1\n---\nb: 2\n",
		"brackets": rep("["), "closed brackets": rep("[],"), "nested brackets": strings.Repeat("[", 50) + strings.Repeat("]", 50),
		"nested objects": rep("{a: "), "dashes": rep("- "), "keys": rep("? "), "commas": "[" + rep(","), "colons": rep(":"),
		"deep": deep.String(), "flat": flat.String(), "list": rep("- a\n"), "literal": "a: |\n" + rep(" x\n"), "folded": "a: >\n" + rep(" x\n\n"),
		"unfinished text": `"` + rep("a"), "escapes": `"` + rep(`\n`) + `"`, "many lines": "a: " + rep("x\n  "),
		"anchor": "a: &x {b: 1}", "alias": "a: &x {b: 1}\nc: *x", "anchors": rep("&a "), "aliases": rep("*a "),
		"billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n",
		"merge key":      "a: {b: 1}\n<<: {c: 2}", "tag": "a: !!binary aGk=", "tags": rep("!!str "), "directive": "%YAML 1.2\n---\na: 1", "directives": rep("%\n"),
		"duplicate": "id: a\nid: b", "JSON duplicate": `{"id":"a","id":"b"}`, "JSON depth": strings.Repeat(`{"a":`, 1000), "JSON null": `{"id":null}`,
		"JSON float": `{"version":1.0}`, "JSON exponent": `{"version":1e3}`, "JSON tail": `{} {}`, "JSON cut": `{"id":"a"`, "big number": "version: 99999999999999999999",
		"hexadecimal": "version: 0x10", "octal": "version: 0o17", "infinity": "version: .inf", "not a number": "version: .nan",
		"direction mark": "name: {en: \"a\u202eb\"}", "zero width": "id: a\u200bb", "control": `id: "a\u0007b"`, "surrogate": `{"id":"\ud800"}`,
		"number as a name": "1: 2", "list as a name": "? [a]\n: b",
	} {
		begin := time.Now()
		_, err := agreement.Parse([]byte(text))
		if err == nil {
			t.Errorf("%s is taken", name)
		} else if list := agreement.FaultsOf(err); len(list) == 0 || len(err.Error()) > 40_000 {
			t.Errorf("%s: %d faults in %d bytes: %.200v", name, len(list), len(err.Error()), err)
		}
		if took := time.Since(begin); took > 5*time.Second { // usually far below one; the machine may be busy
			t.Errorf("%s took %s", name, took)
		}
	}
	if _, err := agreement.Parse(make([]byte, n+1)); moongate.CodeOf(err) != moongate.TooLarge {
		t.Errorf("one byte too many: %v", err)
	}
}

func TestNearestName(t *testing.T) {
	for typo, want := range map[string]string{"parteis": "parties", "setlement": "settlement", "fee": "fees", "zzz": ""} {
		_, err := agreement.Parse([]byte(typo + ": 1"))
		hint := agreement.FaultsOf(err)[0].Hint
		if got := strings.TrimSuffix(strings.TrimPrefix(hint, "did you mean "), "?"); (want != "" && got != want) || (want == "" && !strings.HasPrefix(hint, "the fields here are")) {
			t.Errorf("%s: %s", typo, hint)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range agreement.Examples() {
		f.Add(text)
	}
	for _, one := range faults {
		f.Add([]byte(source(f, one)))
	}
	f.Add(example(f, "three-gardens.yaml").Doc.Canonical())
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := agreement.Parse(data)
		if err != nil {
			if len(agreement.FaultsOf(err)) == 0 {
				t.Fatalf("an error without a fault: %v", err)
			}
			return
		}
		again, err := agreement.Parse(d.Canonical())
		if err != nil {
			t.Fatalf("the canonical form is refused: %v", err)
		}
		if again.Hash() != d.Hash() {
			t.Fatal("the canonical form has another hash")
		}
		if _, err := agreement.Compile(d); err != nil {
			t.Fatalf("a document that was taken does not compile: %v", err)
		}
		for _, lang := range []agreement.Language{agreement.English, agreement.Chinese} {
			if _, err := agreement.Explain(d, lang); err != nil {
				t.Fatalf("a document that was taken cannot be explained: %v", err)
			}
		}
	})
}
