package crossing

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate/journal"
)

// What is appended by hand is what the library writes, whatever the values.
func TestAppendedEncodingIsTheLibrarys(t *testing.T) {
	shareds, sides, books, opens := rapid.Make[Shared](), rapid.Make[Side](), rapid.Make[Book](), rapid.Make[Open]()
	rapid.Check(t, func(t *rapid.T) {
		shared, side, book, open := shareds.Draw(t, "shared"), sides.Draw(t, "side"), books.Draw(t, "book"), opens.Draw(t, "open")
		for _, v := range []journal.Appender{&shared, &side, &book, &open} {
			want, err := journal.Encoding.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.AppendCBOR(nil); !bytes.Equal(got, want) {
				t.Fatalf("%T: appended %x, the library writes %x", v, got, want)
			}
			checkParse(t, want, v, true)
			bad := bytes.Clone(want)
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			checkParse(t, bad, v, false)
			checkParse(t, want[:rapid.IntRange(0, len(want)-1).Draw(t, "cut")], v, false)
		}
	})
}

// checkParse holds the parser of a type against the library. What the parser takes, the library reads alike; what was
// written, the parser takes, unless it is of no use to anybody: a version or a number that is negative or has more than 31
// bits.
func checkParse(t *rapid.T, b []byte, like any, written bool) {
	fresh := func() any { return reflect.New(reflect.TypeOf(like).Elem()).Interface() }
	got, want, either := fresh(), fresh(), fresh()
	refused := journal.Decoding.Unmarshal(b, want)
	switch v := like.(type) {
	case *Shared:
		written = written && v.Version >= 0 && v.Version <= math.MaxInt32
	case *Side:
		written = written && v.Version >= 0 && v.Version <= math.MaxInt32
	case *Open:
		written = written && v.Version >= 0 && v.Version <= math.MaxInt32 && v.Refunds >= 0 && v.Refunds <= math.MaxInt32
	}
	switch parsed := journal.Parse(b, got.(journal.Parsed)); {
	case written && !parsed:
		t.Fatalf("%T: %x was written and not parsed", like, b)
	case parsed && refused != nil:
		t.Fatalf("%T: %x was parsed, and the library says %v", like, b, refused)
	case parsed && !reflect.DeepEqual(got, want):
		t.Fatalf("%T: %x was parsed as %+v, and the library reads %+v", like, b, got, want)
	}
	if err := journal.Unmarshal(b, either); (err == nil) != (refused == nil) || err == nil && !reflect.DeepEqual(either, want) {
		t.Fatalf("%T: %x is %+v, %v; the library reads %+v, %v", like, b, either, err, want, refused)
	}
}

// FuzzParse looks for bytes that the parsers of crossings read otherwise than the library does.
func FuzzParse(f *testing.F) {
	f.Add([]byte{0xa0})
	f.Add((&Shared{From: "a", To: "b", Version: 1}).AppendCBOR(nil))
	f.Add((&Side{Party: "a", Lines: []Line{{What: Goods, Amount: 1}}}).AppendCBOR(nil))
	f.Add((&Book{Wallet: "w", Payees: []Sold{{Fees: []int64{1}}}}).AppendCBOR(nil))
	f.Add((&Open{Shared: Shared{From: "a"}, Position: 1, Taken: []Sold{{Fees: []int64{1}}}}).AppendCBOR(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []journal.Parsed{new(Shared), new(Side), new(Book), new(Open)} {
			want := reflect.New(reflect.TypeOf(v).Elem()).Interface()
			err := journal.Decoding.Unmarshal(b, want)
			if journal.Parse(b, v) && (err != nil || !reflect.DeepEqual(v, want)) {
				t.Errorf("%x was parsed as %+v; the library reads %+v, %v", b, v, want, err)
			}
		}
	})
}
