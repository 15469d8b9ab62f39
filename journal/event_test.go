package journal

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
)

// The events of a toy: a sale with groups of fields for its parties, for each seller and for the operator, a rule that
// is a public act, and a note that is the operator's.
type sold struct {
	Sale  `audience:"parties"`
	Lines []*line `audience:"each"`
	Inner `audience:"hub"`
}

type Sale struct { // exported, as embedded structs are
	ID    moongate.ID `cbor:"1,keyasint"`
	Buyer string      `cbor:"2,keyasint"`
	Shop  string      `cbor:"3,keyasint"`
	Note  string      `cbor:"4,keyasint,omitempty"`
}

type line struct {
	Seller string `cbor:"1,keyasint"`
	Amount int64  `cbor:"2,keyasint"`
}

type Inner struct {
	Before Position          `cbor:"1,keyasint"`
	Tags   []string          `cbor:"2,keyasint,omitempty"`
	By     map[string]uint64 `cbor:"3,keyasint,omitempty"`
}

type ruled struct {
	Rule `audience:"public"`
}

type Rule struct {
	Title string `cbor:"1,keyasint" json:"title"`
	Fee   int64  `cbor:"2,keyasint" json:"fee"`
	Text  string `cbor:"3,keyasint,omitempty" json:"text,omitempty"`
}

type noted struct {
	Text string `cbor:"1,keyasint"`
}

func (*sold) EventKind() string  { return "toy.sold" }
func (*ruled) EventKind() string { return "toy.ruled" }
func (*noted) EventKind() string { return "toy.noted" }
func (l *line) Reader() string   { return l.Seller }
func (e *sold) Readers(audience string) []string {
	if audience == "parties" {
		return []string{e.Buyer, e.Shop}
	}
	return nil
}

func toys() *Registry {
	r := new(Registry)
	r.Add(&sold{}, &ruled{}, &noted{})
	return r
}

func anEvent(t *rapid.T) Event {
	name := rapid.StringMatching(`[a-z]{1,8}`)
	switch rapid.IntRange(0, 2).Draw(t, "event") {
	case 0:
		e := &sold{
			Sale:  Sale{ID: moongate.ID{2, 1, 2, 3, rapid.Byte().Draw(t, "id")}, Buyer: name.Draw(t, "buyer"), Shop: name.Draw(t, "shop"), Note: rapid.String().Draw(t, "note")},
			Inner: Inner{Before: Position(rapid.Uint64().Draw(t, "before")), Tags: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "tags"), By: rapid.MapOfN(rapid.String(), rapid.Uint64(), 1, 3).Draw(t, "by")},
		}
		for range rapid.IntRange(0, 4).Draw(t, "lines") {
			e.Lines = append(e.Lines, &line{name.Draw(t, "seller"), rapid.Int64().Draw(t, "amount")})
		}
		return e
	case 1:
		return &ruled{Rule{Title: rapid.String().Draw(t, "title"), Fee: rapid.Int64().Draw(t, "fee"), Text: rapid.String().Draw(t, "text")}}
	default:
		return &noted{rapid.String().Draw(t, "text")}
	}
}

func TestEventsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	r := toys()
	rapid.Check(t, func(t *rapid.T) {
		e := anEvent(t)
		var buf bytes.Buffer
		st, err := r.Encode(e, &buf)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Encoding.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		var read Stored
		if err := Decoding.Unmarshal(b, &read); err != nil {
			t.Fatal(err)
		}
		back, err := r.Decode(read)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, back); diff != "" {
			t.Fatalf("(-written +read)\n%s", diff)
		}
		again, err := r.Encode(back, &buf)
		if err != nil || cmp.Diff(st, again) != "" {
			t.Fatalf("encoded again it is another: %v, first %v (%v)", again, st, err)
		}
	})
}

func TestGroupsFollowAudiences(t *testing.T) {
	e := &sold{Sale: Sale{Buyer: "ann", Shop: "bo"}, Lines: []*line{{"cy", 7}, {"di", 5}, {"cy", 1}}, Inner: Inner{Before: 9}}
	var buf bytes.Buffer
	st, err := toys().Encode(e, &buf)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range st.Groups {
		got = append(got, g.Audience)
	}
	if diff := cmp.Diff([]string{"parties", "@cy", "@di", "@cy", "hub"}, got); diff != "" {
		t.Errorf("groups (-want +got)\n%s", diff)
	}
	for _, c := range []struct {
		audience, participant string
		opens                 bool
	}{
		{"parties", "ann", true},
		{"parties", "bo", true},
		{"parties", "cy", false},
		{"parties", "", false},
		{"@cy", "cy", true},
		{"@cy", "di", false},
		{"@cy", "ann", false},
		{"@", "", false},
		{"hub", "ann", false},
		{"hub", "hub", false},
		{"public", "zoe", true},
		{"public", "", true},
	} {
		if got := Opens(e, c.audience, c.participant); got != c.opens {
			t.Errorf("Opens(%q, %q) is %v", c.audience, c.participant, got)
		}
	}
	if Opens(&noted{}, "parties", "ann") {
		t.Error("an event without readers opens a group for somebody")
	}
}

// stored writes an event by hand: kind, and pairs of audience and hexadecimal CBOR.
func stored(kind string, groups ...string) Stored {
	st := Stored{Kind: kind}
	for i := 0; i < len(groups); i += 2 {
		data, err := hex.DecodeString(strings.ReplaceAll(groups[i+1], " ", ""))
		if err != nil {
			panic(err)
		}
		st.Groups = append(st.Groups, Group{Audience: groups[i], Data: data})
	}
	return st
}

func TestDecodeRefuses(t *testing.T) {
	const sale, inner = "a3 01 50 00000000000000000000000000000000 02 60 03 60", "a1 01 00"
	if _, err := toys().Decode(stored("toy.sold", "parties", sale, "hub", inner)); err != nil {
		t.Fatalf("the sound one: %v", err)
	}
	for name, c := range map[string]struct {
		st   Stored
		says string
	}{
		"an unknown kind":         {stored("toy.lost", "hub", "a0"), "newer version"},
		"an unknown field":        {stored("toy.noted", "hub", "a2 01 60 02 60"), "unknown field"},
		"a field twice":           {stored("toy.noted", "hub", "a2 01 60 01 60"), "duplicate"},
		"a field of another type": {stored("toy.noted", "hub", "a1 01 07"), "cannot unmarshal"},
		"bytes behind the fields": {stored("toy.noted", "hub", "a1 01 60 00"), "extraneous"},
		"a map left open":         {stored("toy.noted", "hub", "bf 01 60 ff"), "indefinite"},
		"fields cut off":          {stored("toy.noted", "hub", "a1 01"), "EOF"},
		"nothing":                 {stored("toy.noted", "hub", ""), "EOF"},
		"no group":                {stored("toy.noted"), "0 groups"},
		"a group too many":        {stored("toy.noted", "hub", "a1 01 60", "hub", "a1 01 60"), "2 groups"},
		"a group missing":         {stored("toy.sold", "parties", sale), `"hub" is missing`},
		"groups out of order":     {stored("toy.sold", "hub", inner, "parties", sale), `"parties" is missing`},
		"a group of a later time": {stored("toy.sold", "parties", sale, "hub", inner, "wallet", "a0"), `"wallet"`},
		"a line of a later time":  {stored("toy.sold", "parties", sale, "@cy", "a1 09 00", "hub", inner), "unknown field"},
		"fields nested too deep":  {stored("toy.noted", "hub", "a1 01"+strings.Repeat("81", 40)+"00"), "nested"},
		"a huge array promised":   {stored("toy.noted", "hub", "9b 7fffffffffffffff"), "exceeded"},
	} {
		e, err := toys().Decode(c.st)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v and error %v, which should say %q", name, e, err, c.says)
		}
	}
}

// Event types that Add must refuse: found when a room is assembled, not when the first such event is written.
type (
	value struct{}
	half  struct {
		A Sale `audience:"parties"`
		B Sale
	}
	noReader struct {
		A []*Sale `audience:"each"`
	}
	valueLines struct {
		A []line2 `audience:"each"`
	}
	line2    struct{}
	noStruct struct {
		A int64 `audience:"hub"`
	}
	neighbours struct {
		A []*line `audience:"each"`
		B []*line `audience:"each"`
	}
	unexported struct {
		a Sale `audience:"hub"`
	}
	at struct {
		A Sale `audience:"@ann"`
	}
	position struct {
		A Sale `audience:"#position"`
	}
	empty struct {
		A Sale `audience:""`
	}
	twoActs struct {
		A Rule `audience:"public"`
		B Rule `audience:"public"`
	}
	oddKind struct {
		A Rule `audience:"public"`
	}
	noJSON struct {
		A channel `audience:"public"`
	}
	channel struct{ C chan int }
)

func (value) EventKind() string       { return "v" }
func (*half) EventKind() string       { return "h" }
func (*noReader) EventKind() string   { return "n" }
func (*valueLines) EventKind() string { return "l" }
func (line2) Reader() string          { return "" }
func (*noStruct) EventKind() string   { return "s" }
func (*neighbours) EventKind() string { return "b" }
func (*unexported) EventKind() string { return "u" }
func (*at) EventKind() string         { return "a" }
func (*position) EventKind() string   { return "p" }
func (*empty) EventKind() string      { return "e" }
func (*twoActs) EventKind() string    { return "t" }
func (*oddKind) EventKind() string    { return "Odd Kind" }
func (*noJSON) EventKind() string     { return "j" }

func TestAddRefuses(t *testing.T) {
	for _, c := range []struct {
		event Event
		says  string
	}{
		{value{}, "not a pointer to a struct"},
		{&half{}, "either every field"},
		{&noReader{}, "implement Reader"},
		{&valueLines{}, "slice of pointers"},
		{&noStruct{}, "is a struct"},
		{&neighbours{}, "between them"},
		{&unexported{a: Sale{}}, "exported"},
		{&at{}, "not the name"},
		{&position{}, "not the name"},
		{&empty{}, "not the name"},
		{&twoActs{}, "at most one public act"},
		{&oddKind{}, "not the kind of a public act"},
		{&noJSON{}, "no JSON"},
		{&noted{}, "two events named"},
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, c.says) {
					t.Errorf("%T: %s; it should say %q", c.event, p, c.says)
				}
			}()
			toys().Add(c.event)
		}()
	}
}

func TestEncodeRefuses(t *testing.T) {
	var buf bytes.Buffer
	if _, err := new(Registry).Encode(&noted{}, &buf); err == nil {
		t.Error("an event that is not registered was stored")
	}
	if _, err := toys().Encode(&sold{Lines: []*line{nil}}, &buf); err == nil {
		t.Error("an event with a nil line was stored")
	}
}

// TestAnyTextComesBack: what Encoding wrote must be readable for good, even a string that somebody cut in the middle of
// a letter.
func TestAnyTextComesBack(t *testing.T) {
	cut := "付款失败"[:4]
	var buf bytes.Buffer
	st, err := toys().Encode(&noted{cut}, &buf)
	if err != nil {
		t.Fatal(err)
	}
	e, err := toys().Decode(st)
	if err != nil || e.(*noted).Text != cut {
		t.Errorf("%v, %v", e, err)
	}
}

func TestValidText(t *testing.T) {
	t.Parallel()
	type leaf struct {
		S string            `cbor:"1,keyasint"`
		B []byte            `cbor:"2,keyasint"`
		M map[string]string `cbor:"3,keyasint"`
		L []string          `cbor:"4,keyasint,omitempty"`
		T any               `cbor:"5,keyasint"`
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.Rune(), 0, 300, -1), rapid.SampledFrom([]string{"\xff", "a\xc3", "\xed\xa0\x80"}))
		v := leaf{
			S: text.Draw(t, "s"), B: rapid.SliceOf(rapid.Byte()).Draw(t, "b"), M: rapid.MapOfN(text, text, 0, 4).Draw(t, "m"),
			L: rapid.SliceOfN(text, 0, 30).Draw(t, "l"), T: cbor.Tag{Number: 99, Content: text.Draw(t, "tagged")},
		}
		b, err := Encoding.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		want := utf8.ValidString(v.S) && utf8.ValidString(v.T.(cbor.Tag).Content.(string))
		for k, m := range v.M {
			want = want && utf8.ValidString(k) && utf8.ValidString(m)
		}
		for _, l := range v.L {
			want = want && utf8.ValidString(l)
		}
		if got := ValidText(b); got != want {
			t.Fatalf("%v for %+v", got, v)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if ValidText(b[:cut]) {
			t.Fatalf("the first %d of %d bytes are taken for whole", cut, len(b))
		}
	})
	for _, b := range [][]byte{{}, {0x5f, 0xff}, {0x7f, 0xff}, {0x9f, 0xff}, {0xbf, 0xff}, {0x1c}, {0x9b, 255, 255, 255, 255, 255, 255, 255, 255}, {0xbb, 127, 255, 255, 255, 255, 255, 255, 255}, {0x00, 0x00}} {
		if ValidText(b) {
			t.Errorf("% x is taken", b)
		}
	}
}

func FuzzDecode(f *testing.F) {
	r := toys()
	for _, e := range []Event{
		&sold{Sale: Sale{Buyer: "ann", Shop: "bo"}, Lines: []*line{{"cy", 7}}, Inner: Inner{Tags: []string{"x"}, By: map[string]uint64{"a": 1}}},
		&ruled{Rule{Title: "fees", Fee: 30}}, &noted{"hello"},
	} {
		var buf bytes.Buffer
		st, err := r.Encode(e, &buf)
		if err != nil {
			f.Fatal(err)
		}
		b, err := Encoding.Marshal(st)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ValidText(b)
		var st Stored
		if Decoding.Unmarshal(b, &st) != nil {
			return
		}
		e, err := r.Decode(st)
		if err != nil {
			return
		}
		// What is understood is an event like any: it can be written and read again, and is the same.
		var buf bytes.Buffer
		again, err := r.Encode(e, &buf)
		if err != nil {
			t.Fatalf("%+v was read but cannot be written: %v", e, err)
		}
		e2, err := r.Decode(again)
		if err != nil || cmp.Diff(e, e2, cmpopts.EquateEmpty()) != "" {
			t.Fatalf("%+v written and read is %+v (%v)", e, e2, err)
		}
	})
}
