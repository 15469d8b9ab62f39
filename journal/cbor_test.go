package journal

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
)

// What is appended by hand is what the library writes.
func TestAppendedRecordIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blob := rapid.SliceOfN(rapid.Byte(), 0, 300)
		r := &Record{
			Index: rapid.Uint64().Draw(t, "index"), Term: rapid.Uint64().Draw(t, "term"),
			Sum: rapid.Uint32().Draw(t, "sum"), First: Position(rapid.Uint64().Draw(t, "first")),
		}
		for range rapid.IntRange(0, 4).Draw(t, "commands") {
			d := Done{Kind: rapid.String().Draw(t, "kind"), Caller: rapid.String().Draw(t, "caller"), At: moongate.Time(rapid.Int64().Draw(t, "at"))}
			copy(d.Key[:], blob.Draw(t, "key"))
			if rapid.Bool().Draw(t, "refused") {
				d.Error = &moongate.Error{Code: moongate.Limit, Message: rapid.String().Draw(t, "message")}
			} else {
				d.Answer = blob.Draw(t, "answer")
			}
			for range rapid.IntRange(0, 3).Draw(t, "events") {
				s := Stored{Kind: rapid.String().Draw(t, "event")}
				for range rapid.IntRange(0, 3).Draw(t, "groups") {
					s.Groups = append(s.Groups, Group{Audience: rapid.String().Draw(t, "audience"), Data: blob.Draw(t, "data")})
				}
				d.Events = append(d.Events, s)
			}
			r.Done = append(r.Done, d)
		}
		want, err := Encoding.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.AppendCBOR(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("appended %x, the library writes %x (%v)", got, want, err)
		}
		if !checkRecord(t, got) {
			t.Fatalf("%x was appended and could not be parsed", got)
		}
		for range 5 { // changed, it is read as the library reads it or not at all
			bad := bytes.Clone(got)
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			checkRecord(t, bad)
		}
		checkRecord(t, got[:rapid.IntRange(0, len(got)-1).Draw(t, "cut")])
		checkRecord(t, append(got, 0))
	})
}

// checkRecord tells whether bytes could be parsed as a record; if so, the library must read the same.
func checkRecord(t interface{ Fatalf(string, ...any) }, b []byte) bool {
	var got, bounds, want Record
	parsed := parse(b, got.parse)
	events := 0
	if bounded := parse(b, func(p *Parser) { events = bounds.bounds(p) }); bounded != parsed {
		t.Fatalf("%x: parsed is %v, and bounded %v", b, parsed, bounded)
	}
	if !parsed {
		return false
	}
	if err := Decoding.Unmarshal(b, &want); err != nil {
		t.Fatalf("%x was parsed, and the library refuses it: %v", b, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%x was parsed as %+v, and the library reads %+v", b, got, want)
	}
	if events != want.Events() || bounds.Index != want.Index || bounds.First != want.First || bounds.Term != want.Term {
		t.Fatalf("%x: bounds %+v and %d events, the record is %+v", b, bounds, events, want)
	}
	return true
}

// Whatever stands in a file: the shortcut reads it as the library does, or leaves it to the library.
func FuzzParseRecord(f *testing.F) {
	for i := range uint64(20) {
		b, err := written{}.next(rand.New(rand.NewPCG(1, i))).AppendCBOR(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { checkRecord(t, b) })
}

func TestAppendedNumbersAreTheLibrarys(t *testing.T) {
	for _, v := range []int64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, math.MaxInt64, -1, -24, -25, -256, -257, math.MinInt64} {
		want, err := Encoding.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got := AppendInt(nil, v)
		if !bytes.Equal(got, want) {
			t.Errorf("%d: %x, want %x", v, got, want)
		}
		if back := int64(0); !parse(got, func(p *Parser) { back = p.Int() }) || back != v {
			t.Errorf("%x was parsed as %d", got, back)
		}
	}
}

// The parser takes what Encoding writes and nothing else, even where the library would read it.
func TestParserIsStrict(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		read func(*Parser)
	}{
		"a number that is longer than it need be": {[]byte{0x18, 23}, func(p *Parser) { p.Int() }},
		"a number beyond 64 bits":                 {[]byte{0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, func(p *Parser) { p.Int() }},
		"a number beyond its bound":               {[]byte{0x19, 1, 0}, func(p *Parser) { p.Uint(255) }},
		"a negative number":                       {[]byte{0x20}, func(p *Parser) { p.Uint(255) }},
		"an array of no fixed length":             {[]byte{0x9f, 0xff}, func(p *Parser) { p.Array() }},
		"an array longer than what follows":       {[]byte{0x82, 0}, func(p *Parser) { Items(p, func(p *Parser, n *int64) { *n = p.Int() }) }},
		"a text that is cut":                      {[]byte{0x62, 'a'}, func(p *Parser) { p.Text() }},
		"bytes of another length":                 {[]byte{0x42, 1, 2}, func(p *Parser) { p.Bytes(make([]byte, 3)) }},
		"a key twice":                             {[]byte{0xa2, 1, 0, 1, 0}, twoPairs},
		"keys out of order":                       {[]byte{0xa2, 2, 0, 1, 0}, twoPairs},
		"a key that is a text":                    {[]byte{0xa2, 0x61, 'a', 0, 1, 0}, twoPairs},
		"null for a number":                       {[]byte{0xf6}, func(p *Parser) { p.Int() }},
		"a number for a truth":                    {[]byte{1}, func(p *Parser) { p.Bool() }},
		"something behind the end":                {[]byte{1, 1}, func(p *Parser) { p.Int() }},
		"nothing":                                 {nil, func(p *Parser) { p.Int() }},
	} {
		if parse(c.b, c.read) {
			t.Errorf("%s was taken: %x", name, c.b)
		}
	}
	if !parse([]byte{0xa2, 1, 0, 2, 0}, twoPairs) {
		t.Error("two pairs in order were not taken")
	}
}

func twoPairs(p *Parser) {
	last := -1
	for range p.Map() {
		p.Key(&last)
		p.Int()
	}
}

// Texts share memory, and never their content.
func TestNamesAreWhatWasRead(t *testing.T) {
	n := &names{}
	for i := range 3 * manyNames {
		want := fmt.Sprint("name ", i%(manyNames+7))
		b := []byte(want)
		got := n.text(b)
		b[0] = 'X'
		if got != want {
			t.Fatalf("%q was read as %q", want, got)
		}
		if len(n.m) > manyNames {
			t.Fatalf("%d names are kept", len(n.m))
		}
	}
	long := strings.Repeat("x", nameLength+1)
	if n.text([]byte(long)) != long || n.m[long] != "" {
		t.Error("a long text is kept")
	}
}
