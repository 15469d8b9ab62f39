package replica

import (
	"fmt"
	"iter"
	"reflect"

	"github.com/fxamacker/cbor/v2"

	"github.com/moongate-hub/moongate"
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
	table *Table[K, string]
	value V // of Put, which would else move to the heap each time
	buf   []byte
}

// NewPacked makes an empty table. The name stands in snapshots and must not change.
func NewPacked[K comparable, V any, P coded[V]](name string) *Packed[K, V, P] {
	return &Packed[K, V, P]{table: NewTable[K, string](name)}
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
func unpackValue(packed string, v any) {
	if err := journal.Unmarshal([]byte(packed), v); err != nil {
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
	t.table.Put(k, string(t.buf))
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
func (t *Packed[K, V, P]) freeze() frozen {
	return &frozenPacked[K]{t.table.freeze().(*frozenTable[K, string])}
}

func (t *Packed[K, V, P]) restore(n uint64, next func(v any) error) error {
	t.table.clear()
	for range n {
		var it item[K, V]
		if err := next(&it); err != nil {
			return err
		}
		t.Put(it.Key, it.Value)
	}
	return t.table.holds(n)
}

type frozenPacked[K comparable] struct{ *frozenTable[K, string] }

func (f *frozenPacked[K]) each(visit func(any) error) error {
	it := new(packedItem[K])
	for k, v := range f.shards.all {
		it.key, it.value = k, v
		if err := visit(it); err != nil {
			return err
		}
	}
	return nil
}

// packedItem is written as an [item] would be.
type packedItem[K comparable] struct {
	key   K
	value string
}

func (it *packedItem[K]) appendCBOR(b []byte) ([]byte, bool) {
	b = journal.AppendArray(b, 2)
	switch k := any(&it.key).(type) {
	case *[16]byte:
		b = journal.AppendBytes(b, k[:])
	case *moongate.ID:
		b = journal.AppendBytes(b, k[:])
	default:
		return b, false
	}
	return append(b, it.value...), true
}

// MarshalCBOR is for keys of other kinds, and for hashes of the state.
func (it *packedItem[K]) MarshalCBOR() ([]byte, error) {
	return journal.Encoding.Marshal([]any{it.key, cbor.RawMessage(it.value)})
}
