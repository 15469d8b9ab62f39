package replica

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// A packed table is a table: the same entries, the same snapshot, the same hash.
func TestPackedIsATable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		packed, table := NewPacked[[16]byte, Known]("t"), NewTable[[16]byte, Known]("t")
		byNumber, plain := NewPacked[uint16, Known]("t"), NewTable[uint16, Known]("t")
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			n := rapid.Uint16Range(0, 40).Draw(t, "key")
			k := [16]byte{15: byte(n)}
			if rapid.IntRange(0, 3).Draw(t, "what") == 0 {
				packed.Delete(k)
				table.Delete(k)
				byNumber.Delete(n)
				plain.Delete(n)
				continue
			}
			v := Known{
				Print: [16]byte{rapid.Byte().Draw(t, "print")}, At: moongate.Time(rapid.Int64().Draw(t, "at")),
				Ref: journal.Ref{Index: rapid.Uint64().Draw(t, "index"), Number: rapid.Uint32().Draw(t, "number")},
			}
			packed.Put(k, v)
			table.Put(k, v)
			byNumber.Put(n, v)
			plain.Put(n, v)
		}
		same(t, packed, table)
		same(t, byNumber, plain)
	})
}

func same[K comparable](t *rapid.T, packed *Packed[K, Known, *Known], table *Table[K, Known]) {
	if have, want := maps.Collect(packed.All()), maps.Collect(table.All()); !maps.Equal(have, want) || packed.Len() != len(want) {
		t.Fatal(have, "instead of", want)
	}
	for k, want := range table.All() {
		if v, ok := packed.Get(k); !ok || v != want || !packed.Has(k) {
			t.Fatal(k, "is", v, ok)
		}
	}
	frozen, plain := packed.freeze(), table.freeze()
	defer frozen.release()
	defer plain.release()
	a, err1 := tableHash("t", frozen)
	b, err2 := tableHash("t", plain)
	if err1 != nil || err2 != nil || a != b {
		t.Fatal("hashes differ:", a, b, err1, err2)
	}
	if packed.item() != table.item() {
		t.Fatal(packed.item(), "instead of", table.item())
	}
	// What either writes, the other reads.
	again, plainAgain := NewPacked[K, Known]("t"), NewTable[K, Known]("t")
	if err := again.restore(plain.len(), decoded(encoded(t, plain))); err != nil {
		t.Fatal(err)
	}
	if err := plainAgain.restore(frozen.len(), decoded(encoded(t, frozen))); err != nil {
		t.Fatal(err)
	}
	want := maps.Collect(table.All())
	if !maps.Equal(maps.Collect(again.All()), want) || !maps.Equal(maps.Collect(plainAgain.All()), want) {
		t.Fatal("another table came out of the snapshot")
	}
	// The short way of writing an item is the long one.
	err := frozen.each(func(v any) error {
		long, err := journal.Encoding.Marshal(v)
		if err != nil {
			return err
		}
		if short, ok := v.(*item[K, packedValue]).appendCBOR(nil); ok && string(short) != string(long) {
			t.Fatalf("%x is written as %x", long, short)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if packed.Len() > 0 {
		for k := range table.All() {
			if err := NewPacked[K, Known]("t").restore(2, twice(encoded(t, one(packed, k)))); err == nil {
				t.Fatal("a key that stands there twice was taken")
			}
			break
		}
	}
}

// one is a frozen table of one entry.
func one[K comparable](t *Packed[K, Known, *Known], k K) frozen {
	v, _ := t.Get(k)
	alone := NewPacked[K, Known]("t")
	alone.Put(k, v)
	return alone.freeze()
}

func twice(items [][]byte) func(any) error { return decoded(append(items, items...)) }

// note is a value of any length.
type note struct {
	Text string `cbor:"1,keyasint"`
}

func (n *note) AppendCBOR(b []byte) []byte {
	w := journal.BeginMap(b)
	w.Text(1, n.Text)
	return w.End()
}

func (n *note) ParseCBOR(p *journal.Parser) {
	last := -1
	for range p.Map() {
		if p.Key(&last) != 1 {
			p.Fail()
			return
		}
		n.Text = p.Text()
	}
}

// Pages come and go: nothing is lost by it, no more than twice the memory is held that is used, and what was frozen stays.
func TestPackedPages(t *testing.T) {
	t.Parallel()
	type image struct {
		frozen frozen
		want   map[uint16]string
	}
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 0))
		packed, want := NewPacked[uint16, note]("t"), map[uint16]string{}
		var images []image
		keys := []int{200, 2_000, 20_000}[seed%3]
		grow := 9 // of ten steps; in turns, so that the table empties, too
		for step := range 40_000 {
			if step%8_000 == 7_999 {
				grow = 10 - grow
				images = append(images, image{packed.freeze(), maps.Clone(want)})
			}
			k := uint16(r.IntN(keys))
			if r.IntN(10) >= grow {
				packed.Delete(k)
				delete(want, k)
				continue
			}
			size := r.IntN(300)
			if r.IntN(1_000) == 0 {
				size = r.IntN(3 * packedBytes)
			}
			text := strings.Repeat(string(rune('a'+r.IntN(26))), size)
			packed.Put(k, note{text})
			want[k] = text
		}
		have := map[uint16]string{}
		for k, v := range packed.All() {
			have[k] = v.Text
		}
		if !maps.Equal(have, want) {
			t.Fatalf("seed %d: %d entries instead of %d, or others", seed, len(have), len(want))
		}
		used, held, most := 0, 0, 0
		for i, p := range packed.pages {
			if p == nil {
				continue
			}
			inUse := 0
			for _, at := range packed.places.All() {
				if int(at.page) == i {
					inUse += int(at.size)
				}
			}
			if inUse != p.used || len(p.bytes) > cap(p.bytes) {
				t.Fatalf("seed %d: page %d counts %d bytes of %d in use", seed, i, p.used, inUse)
			}
			used, held, most = used+p.used, held+cap(p.bytes), max(most, cap(p.bytes))
		}
		// A page may end early by as much as a value that did not fit, and the last is being filled.
		if held > 2*used+2*most+len(packed.pages)*1_000 {
			t.Errorf("seed %d: %d bytes are held for %d", seed, held, used)
		}
		for i, im := range images {
			have := map[uint16]string{}
			for _, b := range encoded(t, im.frozen) {
				var it item[uint16, note]
				if err := journal.Decoding.Unmarshal(b, &it); err != nil {
					t.Fatal(err)
				}
				have[it.Key] = it.Value.Text
			}
			if im.frozen.release(); !maps.Equal(have, im.want) {
				t.Errorf("seed %d: image %d has %d entries instead of %d, or others", seed, i, len(have), len(im.want))
			}
		}
		for k := range want {
			packed.Delete(k)
		}
		if left := slices.DeleteFunc(slices.Clone(packed.pages), func(p *packedPage[uint16]) bool { return p == nil }); packed.Len() != 0 || len(left) > 1 {
			t.Errorf("seed %d: the empty table holds %d entries and %d pages", seed, packed.Len(), len(left))
		}
	}
}
