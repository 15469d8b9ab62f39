package proof

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
)

func TestEntryText(t *testing.T) {
	act := func(kind string, number int64, body string) []byte {
		b, err := ActEntry(kind, number, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		text []byte
		want string
		read Entry
	}{
		{
			IntervalEntry(1767225600, Hash{1, 2, 3}),
			"moongate/interval/v1\nnumber 1767225600\nstart 2026-01-01T00:00:00Z\nroot AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
			Entry{Number: 1767225600, Start: 1767225600 * moongate.Second, Root: Hash{1, 2, 3}},
		},
		{
			IntervalEntry(0, Hash{}),
			"moongate/interval/v1\nnumber 0\nstart 1970-01-01T00:00:00Z\nroot AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
			Entry{},
		},
		{
			act("block.decided", 1767225600, `{"reason": "fraud",  "until": "2026-02-01"}`),
			"moongate/act/v1\nnumber 1767225600\nstart 2026-01-01T00:00:00Z\nkind block.decided\njson {\"reason\":\"fraud\",\"until\":\"2026-02-01\"}\n",
			Entry{Number: 1767225600, Start: 1767225600 * moongate.Second, Kind: "block.decided", JSON: []byte(`{"reason":"fraud","until":"2026-02-01"}`)},
		},
	} {
		if diff := cmp.Diff(c.want, string(c.text)); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
		got, err := ParseEntry(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		if diff := cmp.Diff(c.read, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.text, diff)
		}
	}
}

// Every interval's entry of today has the same number of bytes: its length tells nothing either.
func TestIntervalEntriesAreAlike(t *testing.T) {
	quiet := IntervalEntry(1767225600, interval(1, 0).Root())
	busy := IntervalEntry(1767225601, interval(2, 500).Root())
	if len(quiet) != len(busy) {
		t.Errorf("%d bytes for a quiet second, %d for a busy one", len(quiet), len(busy))
	}
}

func TestActEntryRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		kind   string
		number int64
		body   string
		code   moongate.Code
	}{
		"no kind":         {"", 0, `{}`, moongate.Malformed},
		"kind of lines":   {"a\nb", 0, `{}`, moongate.Malformed},
		"kind in capital": {"Block", 0, `{}`, moongate.Malformed},
		"long kind":       {strings.Repeat("k", 65), 0, `{}`, moongate.Malformed},
		"before 1970":     {"k", -1, `{}`, moongate.Malformed},
		"after 9999":      {"k", maxNumber + 1, `{}`, moongate.Malformed},
		"no JSON":         {"k", 0, ``, moongate.Malformed},
		"half JSON":       {"k", 0, `{`, moongate.Malformed},
		"two JSON":        {"k", 0, `{}{}`, moongate.Malformed},
		"too large":       {"k", 0, `"` + strings.Repeat("x", MaxEntry) + `"`, moongate.TooLarge},
	} {
		if _, err := ActEntry(c.kind, c.number, []byte(c.body)); moongate.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseEntryRefuses(t *testing.T) {
	good := string(IntervalEntry(1767225600, Hash{1}))
	for _, bad := range []string{
		"", "\n", "moongate/interval/v1\n", "moongate/interval/v2" + good[20:], good + "\n", good[:len(good)-1], good + "count 7\n",
		strings.Replace(good, "1767225600", "01767225600", 1), strings.Replace(good, "00:00Z", "00:01Z", 1),
		strings.Replace(good, "number", "Number", 1), strings.Replace(good, "1767225600", "-1", 1), strings.ReplaceAll(good, "\n", "\r\n"),
	} {
		if e, err := ParseEntry([]byte(bad)); err == nil {
			t.Errorf("%q is read as %+v", bad, e)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add(IntervalEntry(1767225600, Hash{1}))
	act, err := ActEntry("block.decided", 1767225600, []byte(`{"a":[1,"\u2028<"]}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(act)
	f.Add([]byte("moongate/act/v1\nnumber 1\nstart \nkind k\njson 1 \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEntry(b)
		if err != nil {
			return
		}
		again := IntervalEntry(e.Number, e.Root)
		if e.IsAct() {
			if again, err = ActEntry(e.Kind, e.Number, e.JSON); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%q has another spelling %q", b, again)
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte("\x00\x03one\x00\x03two\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := ParseBundle(b)
		if err != nil {
			return
		}
		if again, err := EncodeBundle(entries); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q has another spelling %q (%v)", b, again, err)
		}
	})
}

func FuzzTilePath(f *testing.F) {
	f.Add("tile/0/x001/x234/067.p/8")
	f.Add("tile/entries/000")
	f.Fuzz(func(t *testing.T, path string) {
		if id, err := ParseTilePath(path); err == nil && id.Path() != path {
			t.Errorf("%q has another spelling %q", path, id.Path())
		}
	})
}
