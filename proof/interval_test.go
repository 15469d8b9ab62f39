package proof

import (
	"crypto/aes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	mproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
)

func interval(seed byte, n int) *Interval {
	t := NewInterval(&[32]byte{seed})
	for i := range n {
		t.Append(leafNumber(i))
	}
	return t
}

// leafNumber is a leaf like any: nobody sees its number.
func leafNumber(i int) Hash { return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i))) }

func TestEveryEventOfEverySizeProves(t *testing.T) {
	sizes := []int{crownForRoot - 1, crownForRoot, 3 * crownForRoot}
	for n := range 301 {
		if n <= 2*crownForProofs || n >= 299 || !testing.Short() {
			sizes = append(sizes, n)
		}
	}
	for _, size := range sizes {
		in := interval(1, size)
		root := in.Root()
		for n := range size {
			index, proof, err := in.Proof(uint64(n))
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckInterval(leafNumber(n), index, proof, root); err != nil {
				t.Fatalf("event %d of %d: %v", n, size, err)
			}
			if n%97 > 2 {
				continue
			}
			if err := CheckInterval(leafNumber(n+1), index, proof, root); err == nil {
				t.Fatalf("event %d of %d also proves another leaf", n, size)
			}
			if err := CheckInterval(leafNumber(n), index^1, proof, root); err == nil {
				t.Fatalf("event %d of %d also proves another place", n, size)
			}
		}
	}
}

// Somebody else's Merkle library takes the interval for what it is: an RFC 6962 tree of 2^20 leaves.
func TestOtherLibraryChecksInterval(t *testing.T) {
	in := interval(1, 50)
	root := in.Root()
	for n := range uint64(50) {
		index, hashes, err := IntervalProof(&[32]byte{1}, in.leaves, n)
		if err != nil {
			t.Fatal(err)
		}
		var raw [][]byte
		for _, h := range hashes {
			raw = append(raw, h[:])
		}
		leaf := leafNumber(int(n))
		if err := mproof.VerifyInclusion(rfc6962.DefaultHasher, index, 1<<Depth, leaf[:], raw, root[:]); err != nil {
			t.Fatalf("event %d: %v", n, err)
		}
	}
}

// The tree by its definition: every node from the two below, a blank where there is no event below.
func TestIntervalAgainstDefinition(t *testing.T) {
	in := interval(3, 40)
	at := map[uint32]Hash{}
	for n, l := range in.leaves {
		index, _, err := in.Proof(uint64(n))
		if err != nil {
			t.Fatal(err)
		}
		at[uint32(index)] = l
	}
	if len(at) != 40 {
		t.Fatalf("40 events have %d places", len(at))
	}
	nodes := at
	blanks, err := aes.NewCipher(in.seed[:])
	if err != nil {
		t.Fatal(err)
	}
	for level := 1; level <= Depth; level++ {
		above := map[uint32]Hash{}
		for i := range nodes {
			get := func(i uint32) Hash {
				if h, ok := nodes[i]; ok {
					return h
				}
				half := func(n byte) []byte {
					b := binary.BigEndian.AppendUint32([]byte{byte(level - 1)}, i)
					b = append(append(b, n), make([]byte, 10)...)
					blanks.Encrypt(b, b)
					return b
				}
				return Hash(append(half(0), half(1)...))
			}
			above[i/2] = tlog.NodeHash(get(i&^1), get(i|1))
		}
		nodes = above
	}
	if nodes[0] != in.Root() {
		t.Errorf("root = %v, by definition %v", in.Root(), nodes[0])
	}
}

// The crown is a shortcut, not another tree.
func TestBusyIntervalIsTheSameTree(t *testing.T) {
	in := interval(5, 2*crownForRoot)
	in.Root()
	if in.crown == nil {
		t.Fatal("a busy interval has no crown")
	}
	if got, want := in.Root(), in.node(Depth, 0, in.sorted); got != want {
		t.Errorf("root with crown %v, without %v", got, want)
	}
	for n := range uint64(64) {
		_, got, err := in.Proof(n)
		if err != nil {
			t.Fatal(err)
		}
		crown := in.crown
		in.crown = nil
		place, cut := in.places[n], in.sorted
		for level := Depth - 1; level >= 0; level-- {
			mine, other := split(cut, level)
			if place>>level&1 == 1 {
				mine, other = other, mine
			}
			if want := in.node(level, place>>level^1, other); got[level] != want {
				t.Fatalf("event %d, level %d: %v with crown, %v without", n, level, got[level], want)
			}
			cut = mine
		}
		in.crown = crown
	}
}

// Two worlds: whatever happens beside an event, its place is the same, its proof has the same length, and no hash in
// the proof is one that the holder could have met elsewhere: blanks cannot be told from neighbours.
func TestIntervalHidesHowMuch(t *testing.T) {
	var places []uint64
	for _, size := range []int{1, 2, 50, 2000} {
		place, proof, err := interval(1, size).Proof(0)
		if err != nil {
			t.Fatal(err)
		}
		if len(proof) != Depth {
			t.Errorf("%d events: proof of %d hashes", size, len(proof))
		}
		places = append(places, place)
	}
	if p := slices.Compact(places); len(p) != 1 {
		t.Errorf("the first event's place depends on later events: %v", p)
	}
	seen := map[Hash]string{}
	note := func(h Hash, where string) {
		if was, ok := seen[h]; ok {
			t.Errorf("%s: the hash %v was also in %s", where, h, was)
		}
		seen[h] = where
	}
	for seed := range byte(20) {
		empty := interval(seed, 0)
		note(empty.Root(), "an empty interval")
		_, proof, err := interval(seed, 1).Proof(0)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range proof {
			note(h, "a proof")
		}
	}
}

// Places are spread evenly, whatever the number of events: χ² over 64 cells, far from both tails.
func TestPlacesAreSpread(t *testing.T) {
	in := interval(7, 64_000)
	in.Root()
	var cells [64]int
	steps := 0 // upwards from one event to the next; in a random order, half of them
	for i, p := range in.places {
		cells[p>>(Depth-6)]++
		if i > 0 && p > in.places[i-1] {
			steps++
		}
	}
	chi := 0
	for _, c := range cells {
		chi += (c - 1000) * (c - 1000)
	}
	if chi /= 1000; chi < 30 || chi > 115 {
		t.Errorf("χ² = %d with 63 degrees of freedom", chi)
	}
	if steps < 31_500 || steps > 32_500 {
		t.Errorf("%d of 63,999 steps go upwards", steps)
	}
}

func TestIntervalFollowsFromItsLeavesAndSeed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "events")
		in := NewInterval(&[32]byte{1})
		var leaves []Hash
		for i := range n {
			if rapid.IntRange(0, 5).Draw(t, "look") == 0 {
				in.Root() // looking changes nothing
			}
			leaves = append(leaves, leafNumber(i))
			if got := in.Append(leafNumber(i)); got != uint64(i) {
				t.Fatalf("Append gave %d to event %d", got, i)
			}
		}
		if in.Root() != interval(1, n).Root() {
			t.Fatal("the root depends on when it is asked for")
		}
		if in.Root() == interval(2, n).Root() {
			t.Fatal("the root does not depend on the seed")
		}
		k := rapid.IntRange(0, n-1).Draw(t, "proved")
		index, proof, err := IntervalProof(&[32]byte{1}, leaves, uint64(k))
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckInterval(leafNumber(k), index, proof, in.Root()); err != nil {
			t.Fatal(err)
		}
		bad := slices.Clone(proof)
		at := rapid.IntRange(0, Depth-1).Draw(t, "level")
		bad[at][rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if err := CheckInterval(leafNumber(k), index, bad, in.Root()); err == nil {
			t.Fatal("a changed proof verifies")
		}
	})
}

func TestIntervalRefuses(t *testing.T) {
	in := interval(1, 2)
	if _, _, err := in.Proof(2); err == nil {
		t.Error("proved the third of two events")
	}
	place, proof, err := in.Proof(0)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"too short": CheckInterval(leafNumber(0), place, proof[1:], in.Root()),
		"too long":  CheckInterval(leafNumber(0), place, append(slices.Clone(proof), Hash{}), in.Root()),
		"outside":   CheckInterval(leafNumber(0), place+1<<Depth, proof, in.Root()),
		"negative":  CheckInterval(leafNumber(0), 1<<63, proof, in.Root()),
	} {
		if moongate.CodeOf(err) != moongate.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIntervalNumber(t *testing.T) {
	for at, want := range map[moongate.Time]int64{0: 0, 999_999: 0, 1_000_000: 1, -1: -1, -1_000_000: -1, -1_000_001: -2} {
		if got := IntervalNumber(at); got != want {
			t.Errorf("IntervalNumber(%d) = %d, want %d", at, got, want)
		}
	}
	if IntervalSeed(&[32]byte{1}, 1) == IntervalSeed(&[32]byte{1}, 2) || IntervalSeed(&[32]byte{1}, 1) == IntervalSeed(&[32]byte{2}, 1) {
		t.Error("two intervals share a seed")
	}
}
