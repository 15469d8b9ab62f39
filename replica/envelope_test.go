package replica

import (
	"bytes"
	"testing"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

func TestAppendedEnvelopeIsTheLibrarys(t *testing.T) {
	for _, e := range []*envelope{
		{},
		{Kind: "pay.create", Caller: "shop", At: -5, Seed: [32]byte{1}, Effect: 70000, Body: []byte{1, 2}, Vault: []Secret{{Subject: moongate.ID{13}, Key: [32]byte{9}}}},
	} {
		want, err := journal.Encoding.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.appendCBOR(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("appended %x, the library writes %x (%v)", got, want, err)
		}
	}
}
