package party

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// Whatever is done in whatever order: folding again gives the same state, what is derived equals what Rebuild makes of
// the tables, and an operator is always left.
func TestAnySequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fresh := func() (*State, *replica.Machine) {
			room := New(Limits{Participants: 6, Nonces: 16})
			m := replica.NewMachine(moongate.Hub{1}, replica.Limits{}, room)
			room.Register(m)
			return room, m
		}
		room, m := fresh()
		local := replica.NewLocal(m, 1000*moongate.Day)
		handles := []string{"a", "b", "c", "op", "op2", "x@y"}
		private := map[PublicKey]ed25519.PrivateKey{}
		for n := range byte(6) {
			k := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n + 1}, 32))
			private[PublicKey(k.Public().(ed25519.PublicKey))] = k
		}
		keyList := make([]PublicKey, 0, len(private))
		for k := range private {
			keyList = append(keyList, k)
		}
		slices.SortFunc(keyList, func(a, b PublicKey) int { return slices.Compare(a[:], b[:]) })
		anyHandle := rapid.SampledFrom(handles)
		anyKey := rapid.SampledFrom(keyList)
		anyID := func(h string, sessions bool) moongate.ID {
			held := room.of(h)
			ids := held.credentials
			if sessions {
				ids = held.sessions
			}
			if len(ids) == 0 {
				return moongate.ID{}
			}
			return ids[rapid.IntRange(0, len(ids)-1).Draw(t, "id")]
		}
		step := func(caller string, c replica.Command) {
			if _, err := local.Do(replica.Request{Caller: caller, Command: c}); moongate.CodeOf(err) == moongate.Internal {
				t.Fatalf("%s by %q: %v", c.CommandKind(), caller, err)
			}
		}
		step("", &Register{Handle: "op", Kind: Operator, Name: "Op"})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			caller, handle := rapid.SampledFrom(append(handles, "")).Draw(t, "caller"), anyHandle.Draw(t, "handle")
			key := anyKey.Draw(t, "key")
			proved, err := Prove(private[key], handle)
			if err != nil {
				t.Fatal(err)
			}
			switch rapid.IntRange(0, 10).Draw(t, "what") {
			case 0, 1:
				step(caller, &Register{Handle: handle, Kind: Kind(rapid.IntRange(1, 8).Draw(t, "kind")), Name: "n", Keys: []NewKey{proved}})
			case 2, 3:
				by := anyKey.Draw(t, "by")
				c := &AddKey{Handle: handle, Key: proved, EndorsedBy: by.ID()}
				if rapid.Bool().Draw(t, "rotate") {
					c.Replaces, c.Overlap = by.ID(), moongate.Minute
				}
				c.Endorsement = Signature(ed25519.Sign(private[by], EndorsementStatement(handle, key, c.Replaces)))
				step(caller, c)
			case 4:
				step(caller, &RevokeKey{Handle: handle, Key: key.ID(), Reason: "r"})
			case 5:
				step(caller, &IssueCredential{Handle: handle, Name: "n", Scopes: PaymentsRead, Hash: SecretHash{1}})
			case 6:
				step(caller, &RevokeCredential{Handle: handle, Credential: anyID(handle, false)})
			case 7:
				step(caller, &OpenSession{Credential: anyID(caller, false), Expires: local.Now + moongate.Hour, Hash: SecretHash{1}})
			case 8:
				step(caller, &CloseSession{Session: anyID(handle, true)})
			case 9:
				nonce := fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "nonce"))
				step(caller, &UseNonce{Key: key.ID(), Nonce: nonce, Expires: local.Now + moongate.Time(rapid.IntRange(0, 600).Draw(t, "life"))*moongate.Second})
			case 10:
				if rapid.Bool().Draw(t, "suspend") {
					step(caller, &Suspend{Handle: handle, Reason: "r"})
				} else {
					step(caller, &Resume{Handle: handle})
				}
			}
			if rapid.IntRange(0, 5).Draw(t, "tick") == 0 {
				if err := local.Tick(local.Now + moongate.Time(rapid.IntRange(1, 1200).Draw(t, "seconds"))*moongate.Second); err != nil {
					t.Fatal(err)
				}
			}
			if room.operators < 1 {
				t.Fatal("nobody is left to operate the hub")
			}
		}
		again, machine := fresh()
		if err := local.Refold(machine); err != nil {
			t.Fatal(err)
		}
		derived := func(s *State) map[string]holdings {
			out := map[string]holdings{}
			for handle, h := range s.holdings {
				if len(h.keys)+len(h.credentials)+len(h.sessions)+h.nonces > 0 {
					out[handle] = *h
				}
			}
			return out
		}
		before, operators := derived(again), again.operators
		again.Rebuild()
		less := cmpopts.SortSlices(func(a, b moongate.ID) bool { return string(a[:]) < string(b[:]) })
		if diff := cmp.Diff(before, derived(again), cmp.AllowUnexported(holdings{}), cmpopts.EquateEmpty(), less, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
			t.Fatalf("what is derived differs from what Rebuild makes:\n%s", diff)
		}
		if operators != again.operators || room.operators != operators {
			t.Fatalf("%d, %d and %d operators", room.operators, operators, again.operators)
		}
	})
}
