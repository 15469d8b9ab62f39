package replica

import (
	"fmt"
	"iter"
	"reflect"

	"github.com/moongate-hub/moongate/journal"
)

// coded is a value that knows its encoding, both ways.
type coded[V any] interface {
	*V
	journal.Appender
	journal.Parsed
}

// Packed is a [Table] that holds its values encoded, one behind the other in pages: a half of the memory or less, nothing
// in it that the collector has to follow, and snapshots copy instead of encoding. It is for what there are millions of and
// what is seldom read again. The encoding of a value must not tell a nil slice or map from an empty one.
type Packed[K comparable, V any, P coded[V]] struct {
	places *Table[K, place]
	pages  []*packedPage[K] // by number; nil where none of its values is left
	spare  []uint32         // numbers without a page
	last   uint32           // the page that is being filled
	value  V                // of Put, which would else move to the heap each time
	buf    []byte
}

// place is where an encoded value stands.
type place struct{ page, from, size uint32 }

// packedPage is written once: what replaces a value stands elsewhere, so a frozen page needs no copy. It is given up when
// half of it is out of use.
type packedPage[K comparable] struct {
	bytes []byte
	keys  []K // of the values, in their order
	used  int // bytes
}

const packedBytes = 64 << 10

// NewPacked makes an empty table. The name stands in snapshots and must not change.
func NewPacked[K comparable, V any, P coded[V]](name string) *Packed[K, V, P] {
	return &Packed[K, V, P]{places: NewTable[K, place](name)}
}

// Get reads an entry.
func (t *Packed[K, V, P]) Get(k K) (v V, ok bool) {
	at, ok := t.places.Get(k)
	if ok {
		unpackValue(t.at(at), &v)
	}
	return v, ok
}

func (t *Packed[K, V, P]) at(p place) packedValue {
	return t.pages[p.page].bytes[p.from : p.from+p.size]
}

// unpackValue decodes what Put encoded.
func unpackValue(p packedValue, v any) {
	if err := journal.Unmarshal(p, v); err != nil {
		panic(fmt.Sprintf("replica: a packed %T cannot be read: %v", v, err)) // it is in memory, and was written here
	}
}

// Has tells whether there is an entry.
func (t *Packed[K, V, P]) Has(k K) bool { return t.places.Has(k) }

// Len is the number of entries.
func (t *Packed[K, V, P]) Len() int { return t.places.Len() }

// Put writes an entry.
func (t *Packed[K, V, P]) Put(k K, v V) {
	t.Delete(k)
	t.value = v
	t.buf = P(&t.value).AppendCBOR(t.buf[:0])
	t.put(k, t.buf)
}

// put has a new entry stand at the end of the last page.
func (t *Packed[K, V, P]) put(k K, b []byte) {
	last := t.last
	full := len(t.pages) == 0 || len(b) > cap(t.pages[last].bytes)-len(t.pages[last].bytes)
	if full {
		t.turn(max(len(b), packedBytes))
	}
	p := t.pages[t.last]
	t.places.Put(k, place{t.last, uint32(len(p.bytes)), uint32(len(b))})
	p.bytes, p.keys = append(p.bytes, b...), append(p.keys, k)
	p.used += len(b)
	if full && last != t.last {
		t.review(last)
	}
}

// turn begins a page.
func (t *Packed[K, V, P]) turn(size int) {
	p := &packedPage[K]{bytes: make([]byte, 0, size)}
	if n := len(t.spare) - 1; n >= 0 {
		t.last, t.spare = t.spare[n], t.spare[:n]
		t.pages[t.last] = p
		return
	}
	t.last, t.pages = uint32(len(t.pages)), append(t.pages, p)
}

// Delete removes an entry, if there is one.
func (t *Packed[K, V, P]) Delete(k K) {
	at, ok := t.places.Get(k)
	if !ok {
		return
	}
	t.places.Delete(k)
	t.pages[at.page].used -= int(at.size)
	if at.page != t.last {
		t.review(at.page)
	}
}

// review gives up a full page of which half is out of use: the rest moves. So no more than twice the memory is held that
// is used, and moving costs at most as much as the writing did.
func (t *Packed[K, V, P]) review(number uint32) {
	p := t.pages[number]
	if p.used > len(p.bytes)/2 {
		return
	}
	for _, k := range p.keys {
		if p.used == 0 {
			break
		}
		if at, ok := t.places.Get(k); ok && at.page == number {
			t.put(k, t.at(at))
			p.used -= int(at.size)
		}
	}
	t.pages[number], t.spare = nil, append(t.spare, number)
}

// All visits the entries in no order: see [Table.All].
func (t *Packed[K, V, P]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for k, at := range t.places.All() {
			var v V
			if unpackValue(t.at(at), &v); !yield(k, v) {
				return
			}
		}
	}
}

func (t *Packed[K, V, P]) name() string       { return t.places.title }
func (t *Packed[K, V, P]) item() reflect.Type { return reflect.TypeFor[item[K, V]]() }

func (t *Packed[K, V, P]) freeze() frozen {
	f := &frozenPacked[K]{t.places.freeze().(*frozenTable[K, place]), make([][]byte, len(t.pages))}
	for i, p := range t.pages {
		if p != nil {
			f.pages[i] = p.bytes
		}
	}
	return f
}

func (t *Packed[K, V, P]) restore(n uint64, next func(v any) error) error {
	t.places.clear()
	t.pages, t.spare, t.last = nil, nil, 0
	return refill(t.name(), n, next, t.Put, t.Len)
}

type frozenPacked[K comparable] struct {
	*frozenTable[K, place]
	pages [][]byte
}

func (f *frozenPacked[K]) each(visit func(any) error) error {
	it := new(item[K, packedValue])
	for k, at := range f.shards.all {
		it.Key, it.Value = k, f.pages[at.page][at.from:at.from+at.size]
		if err := visit(it); err != nil {
			return err
		}
	}
	return nil
}

// packedValue is a value as it is written: within an [item] it stands as what it was made of would.
type packedValue []byte

// AppendCBOR appends it as it is.
func (p *packedValue) AppendCBOR(b []byte) []byte { return append(b, *p...) }

// MarshalCBOR gives it as it is.
func (p packedValue) MarshalCBOR() ([]byte, error) { return p, nil }
