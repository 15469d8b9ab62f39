package replica

import (
	"maps"
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
