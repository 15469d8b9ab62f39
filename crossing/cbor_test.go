package crossing

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate/journal"
)

// A crossing in a snapshot is what the library writes.
func TestAppendedItemIsTheLibrarys(t *testing.T) {
	opens := rapid.Make[Open]()
	rapid.Check(t, func(t *rapid.T) {
		o := opens.Draw(t, "open")
		want, err := journal.Encoding.Marshal(&o)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.AppendItem(nil); !bytes.Equal(got, want) {
			t.Fatalf("appended %x, the library writes %x", got, want)
		}
	})
}

// What is appended by hand is what the library writes, whatever the values.
func TestAppendedEncodingIsTheLibrarys(t *testing.T) {
	shareds, sides, books := rapid.Make[Shared](), rapid.Make[Side](), rapid.Make[Book]()
	rapid.Check(t, func(t *rapid.T) {
		shared, side, book := shareds.Draw(t, "shared"), sides.Draw(t, "side"), books.Draw(t, "book")
		for _, v := range []journal.Appender{&shared, &side, &book} {
			want, err := journal.Encoding.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.AppendCBOR(nil); !bytes.Equal(got, want) {
				t.Fatalf("%T: appended %x, the library writes %x", v, got, want)
			}
		}
	})
}
