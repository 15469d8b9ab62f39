package crossing

import (
	"bytes"
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
		text := func(label string) string { return rapid.StringMatching(`[a-z0-9-]{0,30}`).Draw(t, label) }
		number := func(label string) int64 {
			return rapid.OneOf(rapid.Just(int64(0)), rapid.Int64()).Draw(t, label)
		}
		currency := rapid.SampledFrom([]money.Currency{{}, money.CNY}).Draw(t, "currency")
		kind := Kind(rapid.Byte().Draw(t, "kind"))
		shared := &Shared{
			ID: id("id"), At: moongate.Time(number("at")), Kind: kind, Agreement: id("agreement"),
			Version: int(rapid.IntRange(-3, 300).Draw(t, "version")), From: text("from"), To: text("to"), Class: text("class"),
			Currency: currency, Amount: number("amount"), Reverses: id("reverses"), Releases: id("releases"), Pending: rapid.Bool().Draw(t, "pending"),
		}
		side := &Side{
			Party: text("party"), Crossing: id("crossing"), At: moongate.Time(number("at")), Kind: kind, Agreement: id("agreement"),
			Version: shared.Version, Currency: currency, Reverses: id("reverses"), Pending: rapid.Bool().Draw(t, "pending"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "lines") {
			side.Lines = append(side.Lines, Line{
				What: What(rapid.Byte().Draw(t, "what")), Amount: number("line"), Fee: text("fee"), Other: text("other"), Class: text("class"), Accrue: rapid.Bool().Draw(t, "accrue"),
			})
		}
		for _, v := range []journal.Appender{shared, side} {
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
