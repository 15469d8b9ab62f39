package agreement_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/agreement"
)

// version makes one version of an agreement, in force from a day of 2026 until another; "" is open-ended.
func version(t testing.TB, n int, from, until string, more ...string) *agreement.Document {
	t.Helper()
	text := string(agreement.Examples()["private-totals.yaml"])
	text = strings.Replace(text, "version: 1", fmt.Sprintf("version: %d", n), 1)
	valid := fmt.Sprintf(`valid: {from: "2026-%sT00:00:00Z", notice: 60d`, from)
	if until != "" {
		valid += fmt.Sprintf(`, until: "2026-%sT00:00:00Z"`, until)
	}
	text = strings.Replace(text, `valid: {from: "2026-01-01T00:00:00Z", notice: 60d`, valid, 1)
	for i := 0; i+1 < len(more); i += 2 {
		text = strings.Replace(text, more[i], more[i+1], 1)
	}
	d, err := agreement.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func replaces(d *agreement.Document) string {
	return fmt.Sprintf("offer: {kind: closed}\nreplaces: {version: %d, sha256: %q}", d.Version, d.Fingerprint())
}

func TestCheckVersions(t *testing.T) {
	const offer = "offer: {kind: closed}"
	first, half := version(t, 1, "01-01", ""), version(t, 1, "01-01", "07-01")
	second := version(t, 2, "07-01", "", offer, replaces(first))
	counter := version(t, 2, "01-01", "", offer, fmt.Sprintf("offer: {kind: counter, counter: {version: 1, sha256: %q}}", first.Fingerprint()))
	for _, c := range []struct {
		name string
		docs []*agreement.Document
		want string // in the error; "" for none
	}{
		{"one", []*agreement.Document{first}, ""},
		{"one after the other", []*agreement.Document{half, version(t, 2, "07-01", "")}, ""},
		{"in any order", []*agreement.Document{version(t, 2, "07-01", ""), half}, ""},
		{"overlapping", []*agreement.Document{first, version(t, 2, "07-01", "")}, "versions overlap: version 2 is in force from 2026-07-01T00:00:00Z, version 1 until further notice"},
		{"overlapping by a day", []*agreement.Document{half, version(t, 2, "06-30", "")}, "version 1 until 2026-07-01T00:00:00Z"},
		{"replaced", []*agreement.Document{first, second}, ""},
		{"replaced twice", []*agreement.Document{first, second, version(t, 3, "09-01", "", offer, replaces(second))}, ""},
		{"the first replaced by two", []*agreement.Document{first, second, version(t, 3, "09-01", "", offer, replaces(first))}, "versions overlap: version 3"},
		{"replacing another text", []*agreement.Document{half, second}, "version 1 has the SHA-256"},
		{"answered by a counter-offer", []*agreement.Document{first, counter}, ""},
		{"one number, two texts", []*agreement.Document{first, half}, "version 1 stands for two different texts"},
		{"two agreements", []*agreement.Document{first, example(t, "apple-korea.yaml").Doc}, "is another agreement"},
	} {
		err := agreement.CheckVersions(c.docs...)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestCheckNotice(t *testing.T) {
	before := version(t, 1, "01-01", "")
	same := version(t, 2, "07-01", "", "termination_notice: 60d", "termination_notice: 61d")
	dearer := version(t, 2, "07-01", "", "bps: 600", "bps: 700")
	july := same.Valid.From
	for _, c := range []struct {
		name string
		doc  *agreement.Document
		days moongate.Time
		ok   bool
	}{
		{"sixty days before", same, 60, true},
		{"a day too late", same, 59, false},
		{"dearer, sixty days before", dearer, 60, false}, // fee changes need ninety
		{"dearer, ninety days before", dearer, 90, true},
	} {
		err := c.doc.CheckNotice(before, july-c.days*moongate.Day)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
