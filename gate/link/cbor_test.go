package link_test

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate/gate/link"
	"github.com/moongate-hub/moongate/journal"
)

// What is appended by hand is what the library writes, and what is parsed by hand what it reads.
func TestClicksByHandAreTheLibrarys(t *testing.T) {
	batches, commands := rapid.Make[link.Batch](), rapid.Make[link.RecordClicks]()
	rapid.Check(t, func(t *rapid.T) {
		batch, command := batches.Draw(t, "batch"), commands.Draw(t, "command")
		for _, v := range []interface {
			journal.Appender
			journal.Parsed
		}{&batch, &command} {
			want, err := journal.Encoding.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.AppendCBOR(nil); !bytes.Equal(got, want) {
				t.Fatalf("%T: appended %x, the library writes %x", v, got, want)
			}
			if !parsesAlike(t, want, v) {
				t.Fatalf("%T: %x was not parsed", v, want)
			}
			bad := bytes.Clone(want)
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
			parsesAlike(t, bad, v)
			parsesAlike(t, want[:rapid.IntRange(0, len(want)-1).Draw(t, "cut")], v)
		}
	})
}

// parsesAlike tells whether bytes could be parsed; if so, the library must read the same.
func parsesAlike(t interface{ Fatalf(string, ...any) }, b []byte, like any) bool {
	got, want := reflect.New(reflect.TypeOf(like).Elem()).Interface(), reflect.New(reflect.TypeOf(like).Elem()).Interface()
	if !journal.Parse(b, got.(journal.Parsed)) {
		return false
	}
	if err := journal.Decoding.Unmarshal(b, want); err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%T: %x was parsed as %+v; the library reads %+v, %v", like, b, got, want, err)
	}
	return true
}

// FuzzParse looks for bytes that the parsers of clicks read otherwise than the library does.
func FuzzParse(f *testing.F) {
	f.Add([]byte{0xa0})
	f.Add((&link.Batch{Between: link.Between{Publisher: "news", Owner: "mall"}, Clicks: []link.Line{{Link: "abc", At: 1, Device: link.Web}}}).AppendCBOR(nil))
	f.Add((&link.RecordClicks{Recorder: 1, First: 2, Stopped: []link.Stopped{{Link: "abc", Count: 3}}}).AppendCBOR(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		parsesAlike(t, b, &link.Batch{})
		parsesAlike(t, b, &link.RecordClicks{})
	})
}
