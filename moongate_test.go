package moongate_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/moongate-hub/moongate"
)

// TestOneSpelling: what String writes is read again, and no other spelling of it is.
func TestOneSpelling(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	const letters = "abcdefghijklmnopqrstuvwxyz234567ABZ01789=_\n-é"
	for range 2000 {
		var entropy [12]byte
		for i := range entropy {
			entropy[i] = byte(random.Uint32())
		}
		id := moongate.NewID(moongate.KindPayment, moongate.Hub{byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())}, entropy)
		text := id.String()
		if got, err := moongate.ParseID(text); err != nil || got != id {
			t.Fatalf("%s: %v, %v", text, got, err)
		}
		at := random.IntN(len(text))
		other := text[:at] + string(letters[random.IntN(len(letters))]) + text[at+1:]
		if got, err := moongate.ParseID(other); err == nil && got.String() != other {
			t.Fatalf("%q is read as %s", other, got)
		}
	}
	for _, bad := range []string{"", "pay", "pay_aeaqc", "xyz_aeaqc_mfrggzdfmztwq2lknnwa", "pay_aeaqd_mfrggzdfmztwq2lknnwa", "pay_aeaqc_mfrggzdfmztwq2lknnwb", "pay_AEAQC_mfrggzdfmztwq2lknnwa", "pay_aeaqc_mfrggzdfmztwq2lknn\na", "pay_aeaqc_mfrggzdfmztwq2lknnwaa", strings.Repeat("_", 40)} {
		if id, err := moongate.ParseID(bad); moongate.CodeOf(err) != moongate.Malformed || !id.IsZero() {
			t.Errorf("%q is read as %s, %v", bad, id, err)
		}
	}
}
