package proof

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSaltFollowsFromTheSeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
		ordinal := rapid.Uint64().Draw(t, "ordinal")
		group := rapid.IntRange(-1, 1<<20).Draw(t, "group")
		m := hmac.New(sha256.New, seed[:])
		m.Write(binary.BigEndian.AppendUint64(nil, ordinal))
		want := [32]byte(m.Sum(nil))
		if group != Header {
			want = sha256.Sum256(binary.BigEndian.AppendUint32(append([]byte{5}, want[:]...), uint32(group)))
		}
		if got := Salt(&seed, ordinal, group); got != want {
			t.Fatalf("Salt = %x, by its definition %x", got, want)
		}
	})
}

// The hashes of today must be those of ten years from now. They follow from the definition, written here once more.
func TestHashesAreFixed(t *testing.T) {
	seed := [32]byte{1, 2, 3}
	e := Event{Position: 7, Kind: "crossing.paid", Groups: []Group{{"payer", []byte("10.00")}, {"payee", []byte("9.40")}}}
	salts := &seed

	// The definition again, in other words.
	h := func(parts ...[]byte) []byte { s := sha256.Sum256(slices.Concat(parts...)); return s[:] }
	u32 := func(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	group := func(salt []byte, audience string, data []byte) []byte {
		return h([]byte{2}, salt, u32(len(audience)), []byte(audience), data)
	}
	header, s0, s1 := Salt(&seed, 5, -1), Salt(&seed, 5, 0), Salt(&seed, 5, 1)
	hashes := [][]byte{
		group(s0[:], "payer", []byte("10.00")),
		group(s1[:], "payee", []byte("9.40")),
		group(h([]byte{3}, header[:]), "#position", []byte{0, 0, 0, 0, 0, 0, 0, 7}),
		h([]byte{4}, header[:], u32(0)),
	}
	slices.SortFunc(hashes, slices.Compare)
	want := h([]byte{0, 1}, u32(len("crossing.paid")), []byte("crossing.paid"), slices.Concat(hashes...))
	if got := e.Leaf(salts, 5); got != Hash(want) {
		t.Errorf("leaf = %x, want %x", got, want)
	}
	const golden = "BmJ4Imz+gqdoA+XTBCy2xhiteaJOlCQR60btm0kCWik="
	if got := e.Leaf(salts, 5).String(); got != golden {
		t.Errorf("leaf = %s, was %s: receipts that were given out no longer verify", got, golden)
	}
}

func events() *rapid.Generator[Event] {
	return rapid.Custom(func(t *rapid.T) Event {
		e := Event{Position: rapid.Uint64().Draw(t, "position"), Kind: rapid.String().Draw(t, "kind")}
		for range rapid.IntRange(0, 40).Draw(t, "groups") {
			e.Groups = append(e.Groups, Group{
				Audience: rapid.SampledFrom([]string{"", "payer", "payee", "wallet", "fee"}).Draw(t, "audience"),
				Data:     rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "data"),
			})
		}
		return e
	})
}

func TestOpenLeadsToTheLeaf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := events().Draw(t, "event")
		ordinal := rapid.Uint64Range(0, 99).Draw(t, "ordinal")
		salts := &[32]byte{4}
		sees := map[string]bool{}
		for _, a := range []string{"", "payer", "payee", "wallet", "fee", PositionAudience} {
			sees[a] = rapid.Bool().Draw(t, a)
		}
		open, closed := e.Open(salts, ordinal, func(a string) bool { return sees[a] })
		r := Receipt{Kind: e.Kind, Groups: open, Closed: closed}
		if got, want := r.Leaf(), e.Leaf(salts, ordinal); got != want {
			t.Fatalf("opened leaf %v, committed %v", got, want)
		}
		var want []Group
		for _, g := range e.Groups {
			if sees[g.Audience] {
				want = append(want, g)
			}
		}
		var got []Group
		for _, g := range open {
			if g.Audience != PositionAudience {
				got = append(got, Group{g.Audience, g.Data})
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("opened groups (-want +got):\n%s", diff)
		}
		if !slices.IsSortedFunc(closed, func(a, b Hash) int { return slices.Compare(a[:], b[:]) }) {
			t.Fatal("closed hashes stand in an order that may tell something")
		}
	})
}

// One seller of an order must not learn from the receipt whether there were two more.
func TestReceiptHidesTheNumberOfGroups(t *testing.T) {
	salts := &[32]byte{4}
	seen := map[int]bool{}
	for sellers := 1; sellers <= 3; sellers++ {
		e := Event{Position: 1, Kind: "crossing.paid"}
		for i := range sellers {
			e.Groups = append(e.Groups, Group{string(rune('a' + i)), []byte("1.00")})
		}
		_, closed := e.Open(salts, 0, func(a string) bool { return a == "a" })
		seen[len(closed)] = true
	}
	if len(seen) != 1 {
		t.Errorf("numbers of closed hashes %v for one, two and three sellers, want one number", seen)
	}
}

func TestLeafBindsToEverything(t *testing.T) {
	base := func() Event {
		return Event{Position: 3, Kind: "k", Groups: []Group{{"a", []byte("x")}, {"b", []byte("y")}}}
	}
	salts, other := &[32]byte{1}, &[32]byte{2}
	b := base()
	leaves := map[Hash]string{b.Leaf(salts, 0): "itself", b.Leaf(salts, 1): "another ordinal", b.Leaf(other, 0): "another seed"}
	for name, change := range map[string]func(*Event){
		"position":               func(e *Event) { e.Position++ },
		"kind":                   func(e *Event) { e.Kind = "l" },
		"data":                   func(e *Event) { e.Groups[0].Data = []byte("z") },
		"audience":               func(e *Event) { e.Groups[0].Audience = "c" },
		"audience into data":     func(e *Event) { e.Groups[0] = Group{"", []byte("ax")} },
		"groups exchanged":       func(e *Event) { slices.Reverse(e.Groups) },
		"a group less":           func(e *Event) { e.Groups = e.Groups[:1] },
		"a group more":           func(e *Event) { e.Groups = append(e.Groups, Group{}) },
		"a group more, repeated": func(e *Event) { e.Groups = append(e.Groups, e.Groups[1]) },
	} {
		e := base()
		change(&e)
		l := e.Leaf(salts, 0)
		if was, taken := leaves[l]; taken {
			t.Errorf("%s: the same leaf as %s", name, was)
		}
		leaves[l] = name
	}
}

func TestLeafDoesNotAllocate(t *testing.T) {
	e := Event{Position: 3, Kind: "crossing.paid", Groups: []Group{{"payer", make([]byte, 200)}, {"payee", make([]byte, 200)}}}
	seed := [32]byte{1}
	if n := testing.AllocsPerRun(100, func() { e.Leaf(&seed, 1); Salt(&seed, 1, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
