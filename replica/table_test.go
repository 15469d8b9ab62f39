package replica

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// gold is a value with what a room's values have: a slice and a map, replaced and never changed.
type gold struct {
	N    int64          `cbor:"1,keyasint"`
	Tags []string       `cbor:"2,keyasint,omitempty"`
	By   map[string]int `cbor:"3,keyasint,omitempty"`
}

// contents reads a frozen table, list or cell.
func contents[K comparable, V any](t interface{ Fatal(...any) }, f frozen) map[K]V {
	out := map[K]V{}
	err := f.each(func(v any) error {
		it := v.(*item[K, V])
		if _, twice := out[it.Key]; twice {
			return fmt.Errorf("%v stands there twice", it.Key)
		}
		out[it.Key] = it.Value
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.len() != uint64(len(out)) {
		t.Fatal("it says", f.len(), "entries and has", len(out))
	}
	return out
}

// encoded is how a frozen image is written into a snapshot; decoded gives the entries back one by one.
func encoded(t interface{ Fatal(...any) }, f frozen) [][]byte {
	var out [][]byte
	if err := f.each(func(v any) error {
		b, err := journal.Encoding.Marshal(v)
		out = append(out, b)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func decoded(items [][]byte) func(any) error {
	return func(v any) error {
		if len(items) == 0 {
			return io.ErrUnexpectedEOF
		}
		b := items[0]
		items = items[1:]
		return journal.Decoding.Unmarshal(b, v)
	}
}

func TestTableIsAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table, model := NewTable[uint16, gold]("t"), map[uint16]gold{}
		type photo struct {
			frozen frozen
			model  map[uint16]gold
		}
		var photos []photo
		key := rapid.Uint16Range(0, 300) // few enough that shards hold several and keys come again
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), gold{N: rapid.Int64().Draw(t, "n"), Tags: rapid.SliceOfN(rapid.String(), 0, 2).Draw(t, "tags")}
				table.Put(k, v)
				model[k] = v
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				table.Delete(k)
				delete(model, k)
			},
			"freeze": func(t *rapid.T) {
				if len(photos) < 4 {
					photos = append(photos, photo{table.freeze(), maps.Clone(model)})
				}
			},
			"release": func(t *rapid.T) {
				if len(photos) > 0 {
					i := rapid.IntRange(0, len(photos)-1).Draw(t, "photo")
					photos[i].frozen.release()
					photos = slices.Delete(photos, i, i+1)
				}
			},
			"restore": func(t *rapid.T) {
				if len(photos) == 0 {
					return
				}
				p := photos[rapid.IntRange(0, len(photos)-1).Draw(t, "photo")]
				if err := table.restore(p.frozen.len(), decoded(encoded(t, p.frozen))); err != nil {
					t.Fatal(err)
				}
				model = maps.Clone(p.model)
			},
			"": func(t *rapid.T) {
				k := key.Draw(t, "key")
				v, ok := table.Get(k)
				want, wantOK := model[k]
				if ok != wantOK || table.Has(k) != wantOK || cmp.Diff(want, v, sameNil) != "" {
					t.Fatalf("Get(%d) is %v %v, the map has %v %v", k, v, ok, want, wantOK)
				}
				if table.Len() != len(model) {
					t.Fatalf("Len is %d, the map's is %d", table.Len(), len(model))
				}
				if diff := cmp.Diff(model, maps.Collect(table.All()), sameNil); diff != "" {
					t.Fatalf("All differs from the map (-map +table):\n%s", diff)
				}
				for i, p := range photos {
					if diff := cmp.Diff(p.model, contents[uint16, gold](t, p.frozen), sameNil); diff != "" {
						t.Fatalf("frozen image %d changed (-then +now):\n%s", i, diff)
					}
				}
			},
		})
	})
}

func TestListIsASlice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list, model := NewList[int64]("l"), []int64(nil)
		type photo struct {
			frozen frozen
			model  []int64
		}
		var photos []photo
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				for range rapid.IntRange(1, 100).Draw(t, "how many") { // soon more than a page
					v := rapid.Int64().Draw(t, "value")
					if i := list.Append(v); i != len(model) {
						t.Fatalf("Append gave number %d, not %d", i, len(model))
					}
					model = append(model, v)
				}
			},
			"set": func(t *rapid.T) {
				if len(model) > 0 {
					i, v := rapid.IntRange(0, len(model)-1).Draw(t, "i"), rapid.Int64().Draw(t, "value")
					list.Set(i, v)
					model[i] = v
				}
			},
			"freeze": func(*rapid.T) {
				if len(photos) < 4 {
					photos = append(photos, photo{list.freeze(), slices.Clone(model)})
				}
			},
			"release": func(t *rapid.T) {
				if len(photos) > 0 {
					i := rapid.IntRange(0, len(photos)-1).Draw(t, "photo")
					photos[i].frozen.release()
					photos = slices.Delete(photos, i, i+1)
				}
			},
			"restore": func(t *rapid.T) {
				if len(photos) > 0 {
					p := photos[rapid.IntRange(0, len(photos)-1).Draw(t, "photo")]
					if err := list.restore(p.frozen.len(), decoded(encoded(t, p.frozen))); err != nil {
						t.Fatal(err)
					}
					model = slices.Clone(p.model)
				}
			},
			"": func(t *rapid.T) {
				if list.Len() != len(model) {
					t.Fatalf("Len is %d, not %d", list.Len(), len(model))
				}
				for i, v := range model {
					if list.At(i) != v {
						t.Fatalf("item %d is %d, not %d", i, list.At(i), v)
					}
				}
				for n, p := range photos {
					got := contents[uint64, int64](t, p.frozen)
					for i, v := range p.model {
						if got[uint64(i)] != v || len(got) != len(p.model) {
							t.Fatalf("frozen image %d changed at item %d", n, i)
						}
					}
				}
			},
		})
	})
}

func TestListRefusesWhatIsNotThere(t *testing.T) {
	l := NewList[int]("l")
	l.Append(1)
	for name, f := range map[string]func(){
		"At(1)": func() { l.At(1) }, "At(-1)": func() { l.At(-1) }, "Set(1)": func() { l.Set(1, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of a list with one item did not panic", name)
				}
			}()
			f()
		}()
	}
}

func TestCellIsAVariable(t *testing.T) {
	c := NewCell[gold]("c")
	c.Set(gold{N: 1})
	before := c.freeze()
	c.Set(gold{N: 2})
	if n := c.Get().N; n != 2 {
		t.Errorf("the cell holds %d, not 2", n)
	}
	items := encoded(t, before)
	if len(items) != 1 || before.len() != 1 {
		t.Fatalf("a frozen cell has %d items", len(items))
	}
	if err := c.restore(1, decoded(items)); err != nil || c.Get().N != 1 {
		t.Errorf("restored to %d (%v), not to 1 as frozen", c.Get().N, err)
	}
	if err := c.restore(2, decoded(items)); err == nil {
		t.Error("a cell was restored from two values")
	}
}

func TestRestoreRefusesWhatNoFreezeWrote(t *testing.T) {
	one, err := journal.Encoding.Marshal(&item[uint16, int64]{Key: 1, Value: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := NewTable[uint16, int64]("t").restore(2, decoded([][]byte{one, one})); err == nil {
		t.Error("a table took one key twice")
	}
	if err := NewList[int64]("l").restore(1, decoded([][]byte{one})); err == nil {
		t.Error("a list took item 1 for its first")
	}
	if err := NewTable[uint16, int64]("t").restore(2, decoded([][]byte{one})); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a table that is cut off: %v", err)
	}
	if err := NewTable[uint16, gold]("t").restore(1, decoded([][]byte{one})); err == nil {
		t.Error("a table took a value of another type")
	}
}

// sameNil has cmp take nil and empty for the same, as state hashes do.
var sameNil = cmp.Options{
	cmp.Transformer("tags", func(v gold) any {
		return struct {
			N    int64
			Tags string
		}{v.N, fmt.Sprintf("%q", v.Tags)}
	}),
}

// TestTableHashIsOfTheContents: two tables with the same entries have one hash, whatever their histories; and every
// difference shows.
func TestTableHashIsOfTheContents(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.MapOfN(rapid.Uint32(), rapid.Int64(), 1, 200).Draw(t, "entries")
		keys := slices.Sorted(maps.Keys(entries))
		a, b := NewTable[uint32, gold]("t"), NewTable[uint32, gold]("t")
		for _, k := range keys {
			a.Put(k, gold{N: entries[k]})
		}
		for _, i := range rapid.Permutation(keys).Draw(t, "order") {
			b.Put(i+1, gold{N: 7}) // a detour
			b.Delete(i + 1)
		}
		for _, i := range rapid.Permutation(keys).Draw(t, "order") {
			b.Put(i, gold{N: entries[i], Tags: []string{}}) // empty is nil
		}
		hash := func(title string, table *Table[uint32, gold]) [32]byte {
			f := table.freeze()
			defer f.release()
			h, err := tableHash(title, f)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		want := hash("t", a)
		if got := hash("t", b); got != want {
			t.Fatalf("the same entries in another order hash to %x, not %x", got, want)
		}
		if hash("u", a) == want {
			t.Fatal("a table of another name has the same hash")
		}
		k := rapid.SampledFrom(keys).Draw(t, "key")
		b.Put(k, gold{N: entries[k] + 1})
		if hash("t", b) == want {
			t.Fatalf("another value of %d does not show in the hash", k)
		}
		b.Delete(k)
		if hash("t", b) == want {
			t.Fatalf("a missing %d does not show in the hash", k)
		}
	})
}

// TestPersistBesideFold reads frozen images on other goroutines while the one writer goes on; run it with -race.
func TestPersistBesideFold(t *testing.T) {
	t.Parallel()
	table, list := NewTable[int, gold]("t"), NewList[int]("l")
	rng := rand.New(rand.NewPCG(1, 2))
	var readers sync.WaitGroup
	sum := 0 // of the list's items
	for round := range 60 {
		for range 400 {
			k := rng.IntN(2000)
			if rng.IntN(5) == 0 {
				table.Delete(k)
			} else {
				table.Put(k, gold{N: int64(round), Tags: []string{"x"}})
			}
			if v := rng.IntN(9); list.Len() > 0 && v < 4 {
				i := rng.IntN(list.Len())
				sum += v - list.At(i)
				list.Set(i, v)
			} else {
				sum += v
				list.Append(v)
			}
		}
		ft, fl, n, want := table.freeze(), list.freeze(), table.Len(), sum
		readers.Add(1)
		go func() {
			defer readers.Done()
			defer ft.release()
			defer fl.release()
			if got := len(contents[int, gold](t, ft)); got != n {
				t.Errorf("round %d: the image has %d entries, %d were frozen", round, got, n)
			}
			got := 0
			for _, v := range contents[uint64, int](t, fl) {
				got += v
			}
			if got != want {
				t.Errorf("round %d: the list's image sums to %d, frozen were %d", round, got, want)
			}
		}()
		if round%7 == 0 {
			readers.Wait()
		}
	}
	readers.Wait()
	if table.frozen.Load() != 0 || list.frozen.Load() != 0 {
		t.Errorf("%d and %d images are not released", table.frozen.Load(), list.frozen.Load())
	}
}

// What a table's item appends by itself is what the library writes, and one that cannot says so.
func TestAppendedItemIsTheLibrarys(t *testing.T) {
	keys, known := rapid.Make[[16]byte](), rapid.Make[Known]()
	rapid.Check(t, func(t *rapid.T) {
		it := item[[16]byte, Known]{Key: keys.Draw(t, "key"), Value: known.Draw(t, "known")}
		byID := item[moongate.ID, Known]{Key: it.Key, Value: it.Value}
		want, err := journal.Encoding.Marshal(&it)
		if err != nil {
			t.Fatal(err)
		}
		before := []byte("before")
		for _, a := range []interface {
			appendCBOR(b []byte) ([]byte, bool)
		}{&it, &byID} {
			if got, ok := a.appendCBOR(before); !ok || !bytes.Equal(got[len(before):], want) {
				t.Fatalf("appended %x (%v), the library writes %x", got[len(before):], ok, want)
			}
		}
		if _, ok := (&item[uint64, Known]{Value: it.Value}).appendCBOR(nil); ok {
			t.Fatal("a number as a key has no encoding of its own here")
		}
		if _, ok := (&item[moongate.ID, Pending]{}).appendCBOR(nil); ok {
			t.Fatal("a value without an encoding of its own was written")
		}
	})
}

// However often a table is visited, each item is as it was: visitors get one after the other in the same memory.
func TestFrozenItemsAreWrittenOneByOne(t *testing.T) {
	table := NewTable[moongate.ID, Known]("keys")
	for i := range byte(200) {
		table.Put(moongate.ID{i}, Known{Print: [16]byte{i}, At: moongate.Time(i)})
	}
	f := table.freeze()
	defer f.release()
	var out bytes.Buffer
	w := &imageWriter{to: &out}
	if err := errors.Join(f.each(w.write), w.flush()); err != nil {
		t.Fatal(err)
	}
	if w.n != int64(out.Len()) {
		t.Errorf("%d bytes counted, %d written", w.n, out.Len())
	}
	again := NewTable[moongate.ID, Known]("keys")
	if err := again.restore(200, journal.NewSequence(&out).Decode); err != nil {
		t.Fatal(err)
	}
	for i := range byte(200) {
		if k, ok := again.Get(moongate.ID{i}); !ok || k.Print[0] != i || k.At != moongate.Time(i) {
			t.Errorf("item %d came back as %+v", i, k)
		}
	}
}
