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

// Packed is a [Table] that holds its values encoded: a half of the memory or less, nothing in it that the collector has
// to follow, and snapshots copy instead of encoding. It is for what there are millions of and what is seldom read again.
// The encoding of a value must not tell a nil slice or map from an empty one.
type Packed[K comparable, V any, P coded[V]] struct {
	table *Table[K, packedValue]
	value V // of Put, which would else move to the heap each time
	buf   []byte
}

// NewPacked makes an empty table. The name stands in snapshots and must not change.
func NewPacked[K comparable, V any, P coded[V]](name string) *Packed[K, V, P] {
	return &Packed[K, V, P]{table: NewTable[K, packedValue](name)}
}

// Get reads an entry.
func (t *Packed[K, V, P]) Get(k K) (v V, ok bool) {
	b, ok := t.table.Get(k)
	if ok {
		unpackValue(b, &v)
	}
	return v, ok
}

// unpackValue decodes what Put encoded.
func unpackValue(p packedValue, v any) {
	if err := journal.Unmarshal([]byte(p), v); err != nil {
		panic(fmt.Sprintf("replica: a packed %T cannot be read: %v", v, err)) // it is in memory, and was written here
	}
}

// Has tells whether there is an entry.
func (t *Packed[K, V, P]) Has(k K) bool { return t.table.Has(k) }

// Len is the number of entries.
func (t *Packed[K, V, P]) Len() int { return t.table.Len() }

// Put writes an entry.
func (t *Packed[K, V, P]) Put(k K, v V) {
	t.value = v
	t.buf = P(&t.value).AppendCBOR(t.buf[:0])
	t.table.Put(k, packedValue(t.buf))
}

// Delete removes an entry, if there is one.
func (t *Packed[K, V, P]) Delete(k K) { t.table.Delete(k) }

// All visits the entries in no order: see [Table.All].
func (t *Packed[K, V, P]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for k, b := range t.table.All() {
			var v V
			if unpackValue(b, &v); !yield(k, v) {
				return
			}
		}
	}
}

func (t *Packed[K, V, P]) name() string       { return t.table.title }
func (t *Packed[K, V, P]) item() reflect.Type { return reflect.TypeFor[item[K, V]]() }
func (t *Packed[K, V, P]) freeze() frozen     { return t.table.freeze() }

func (t *Packed[K, V, P]) restore(n uint64, next func(v any) error) error {
	t.table.clear()
	return refill(t.table.title, n, next, t.Put, t.Len)
}

// packedValue is a value as it is written: within an [item] it stands as what it was made of would.
type packedValue string

// AppendCBOR appends it as it is.
func (p *packedValue) AppendCBOR(b []byte) []byte { return append(b, *p...) }

// MarshalCBOR gives it as it is.
func (p packedValue) MarshalCBOR() ([]byte, error) { return []byte(p), nil }
