package journal

import (
	"bytes"
	"math"
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
	})
}

func TestAppendedNumbersAreTheLibrarys(t *testing.T) {
	for _, v := range []int64{0, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, math.MaxInt64, -1, -24, -25, -256, -257, math.MinInt64} {
		want, err := Encoding.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := AppendInt(nil, v); !bytes.Equal(got, want) {
			t.Errorf("%d: %x, want %x", v, got, want)
		}
	}
}
