package ledger

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/money"
)

// What is appended by hand is what the library writes.
func TestAppendedEncodingIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := func(label string) (id moongate.ID) {
			if rapid.Bool().Draw(t, label) {
				copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
			}
			return id
		}
		number := func(label string) int64 {
			return rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, label)
		}
		m := &Movement{ID: id("id"), Crossing: id("crossing"), Pending: rapid.Bool().Draw(t, "pending"), Expires: moongate.Time(number("expires"))}
		p := &Places{Numbers: rapid.SliceOf(rapid.Uint32()).Draw(t, "numbers")}
		for range rapid.IntRange(0, 5).Draw(t, "before") {
			p.Before = append(p.Before, journal.Position(number("position")))
		}
		q := &Posting{
			Account: Account{Owner: rapid.StringMatching(`[a-z0-9-]{0,40}`).Draw(t, "owner"), Currency: money.CNY, Purpose: Purpose(rapid.Byte().Draw(t, "purpose")), Of: id("of")},
			Debit:   number("debit"), Credit: number("credit"),
			Balance: Balance{number("a"), number("b"), number("c"), number("d")},
		}
		for _, v := range []journal.Appender{m, p, q} {
			want, err := journal.Encoding.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.AppendCBOR(nil); !bytes.Equal(got, want) {
				t.Fatalf("%T: appended %x, the library writes %x", v, got, want)
			}
			back, read := fresh(v), fresh(v)
			if err := journal.Decoding.Unmarshal(want, read); err != nil {
				t.Fatal(err)
			}
			if !journal.Parse(want, back.(journal.Parsed)) || !reflect.DeepEqual(back, read) {
				t.Fatalf("%x was parsed as %+v, the library reads %+v", want, back, read)
			}
		}
	})
}

func fresh(v any) any { return reflect.New(reflect.TypeOf(v).Elem()).Interface() }

// FuzzParse looks for bytes that the parsers of transfers read otherwise than the library does.
func FuzzParse(f *testing.F) {
	f.Add([]byte{0xa0})
	f.Add((&Movement{ID: moongate.ID{1}, Pending: true}).AppendCBOR(nil))
	f.Add((&Places{Numbers: []uint32{1, 70000}, Before: []journal.Position{0, 1 << 40}}).AppendCBOR(nil))
	f.Add((&Posting{Account: Account{Owner: "shop", Currency: money.CNY, Purpose: Payable}, Credit: 1, Balance: Balance{Credits: 1}}).AppendCBOR(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []journal.Parsed{new(Movement), new(Places), new(Posting)} {
			want := fresh(v)
			err := journal.Decoding.Unmarshal(b, want)
			if journal.Parse(b, v) && (err != nil || !reflect.DeepEqual(v, want)) {
				t.Errorf("%x was parsed as %+v; the library reads %+v, %v", b, v, want, err)
			}
		}
	})
}
