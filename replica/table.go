package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"reflect"
	"sync/atomic"

	"github.com/fxamacker/cbor/v2"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// Stored is a part of a room's state that the machine can freeze, write down, hash and restore: a [Table], a [Packed], a
// [List] or a [Cell].
type Stored interface {
	name() string
	item() reflect.Type // how an entry is written
	freeze() frozen
	restore(n uint64, next func(v any) error) error
}

// frozen is a Stored as it was at one moment, readable while the live one goes on.
type frozen interface {
	len() uint64
	each(visit func(item any) error) error // the item is good until visit returns
	release()
}

// item is how a table's entry is written.
type item[K comparable, V any] struct {
	_     struct{} `cbor:",toarray"`
	Key   K
	Value V
}

// appendCBOR writes the item as journal.Encoding would, where key and value know how; it tells whether they did. It is
// for the few tables that a busy hub's snapshots consist of.
func (it *item[K, V]) appendCBOR(b []byte) ([]byte, bool) {
	v, ok := any(&it.Value).(journal.Appender)
	if !ok {
		return b, false
	}
	b = journal.AppendArray(b, 2)
	switch k := any(&it.Key).(type) {
	case *[16]byte:
		b = journal.AppendBytes(b, k[:])
	case *moongate.ID:
		b = journal.AppendBytes(b, k[:])
	default:
		return b, false
	}
	return v.AppendCBOR(b), true
}

// ParseCBOR reads what appendCBOR wrote.
func (it *item[K, V]) ParseCBOR(p *journal.Parser) {
	v, ok := any(&it.Value).(journal.Parsed)
	if n, isNil := p.Array(); !ok || n != 2 || isNil {
		p.Fail()
		return
	}
	switch k := any(&it.Key).(type) {
	case *[16]byte:
		p.Bytes(k[:])
	case *moongate.ID:
		p.ID(k)
	default:
		p.Fail()
		return
	}
	v.ParseCBOR(p)
}

const shardCount = 1024

// Table is a map whose freezing costs a constant: it is cut into shards, and a shard is copied when it is first
// written after a freeze. Values are copied in and out: a slice or a map inside a value must be replaced, never
// changed. A Table has one writer; see [Machine] for who may read.
type Table[K comparable, V any] struct {
	title  string
	spread func(K) uint64
	shards *shards[K, V]
	epoch  uint64
	frozen *atomic.Int32 // how many freezes are still being written down
	n      int
}

type shard[K comparable, V any] struct {
	epoch uint64
	m     map[K]V // nil until the first entry
}

type shards[K comparable, V any] [shardCount]shard[K, V]

// NewTable makes an empty table. The name stands in snapshots and must not change.
func NewTable[K comparable, V any](name string) *Table[K, V] {
	return &Table[K, V]{title: name, spread: spread[K](), shards: new(shards[K, V]), frozen: new(atomic.Int32)}
}

// spread says how keys fall into shards. Identifiers and codes end in bytes that nobody chose, and positions count: they
// need no hash.
func spread[K comparable]() func(K) uint64 {
	var found any
	switch any(*new(K)).(type) {
	case [16]byte:
		found = func(k [16]byte) uint64 { return binary.LittleEndian.Uint64(k[8:]) }
	case moongate.ID:
		found = func(k moongate.ID) uint64 { return binary.LittleEndian.Uint64(k[8:]) }
	case journal.Position:
		found = func(k journal.Position) uint64 { return uint64(k) }
	default:
		seed := maphash.MakeSeed()
		return func(k K) uint64 { return maphash.Comparable(seed, k) }
	}
	return found.(func(K) uint64)
}

func (t *Table[K, V]) shard(k K) uint64 { return t.spread(k) % shardCount }

// Get reads an entry.
func (t *Table[K, V]) Get(k K) (V, bool) {
	v, ok := t.shards[t.shard(k)].m[k]
	return v, ok
}

// Has tells whether there is an entry.
func (t *Table[K, V]) Has(k K) bool { _, ok := t.Get(k); return ok }

// Len is the number of entries.
func (t *Table[K, V]) Len() int { return t.n }

// Put writes an entry.
func (t *Table[K, V]) Put(k K, v V) {
	m := t.own(t.shard(k))
	before := len(m)
	m[k] = v
	t.n += len(m) - before
}

// Delete removes an entry, if there is one.
func (t *Table[K, V]) Delete(k K) {
	i := t.shard(k)
	if _, ok := t.shards[i].m[k]; ok {
		delete(t.own(i), k)
		t.n--
	}
}

// All visits the entries in no order: for rebuilding what is derived, for fsck and for tests. What decides or folds
// must not let the order show.
func (t *Table[K, V]) All() iter.Seq2[K, V] {
	return t.shards.all
}

func (a *shards[K, V]) all(yield func(K, V) bool) {
	for i := range a {
		for k, v := range a[i].m {
			if !yield(k, v) {
				return
			}
		}
	}
}

// own gives the entries of a shard at which no freeze looks.
func (t *Table[K, V]) own(i uint64) map[K]V {
	s := &t.shards[i]
	switch {
	case s.m == nil:
		s.m = map[K]V{}
	case s.epoch != t.epoch && t.frozen.Load() > 0:
		s.m = maps.Clone(s.m)
	}
	s.epoch = t.epoch
	return s.m
}

func (t *Table[K, V]) name() string       { return t.title }
func (t *Table[K, V]) item() reflect.Type { return reflect.TypeFor[item[K, V]]() }

func (t *Table[K, V]) freeze() frozen {
	f := &frozenTable[K, V]{shards: *t.shards, n: t.n, live: t.frozen}
	t.epoch++
	t.frozen.Add(1)
	return f
}

func (t *Table[K, V]) restore(n uint64, next func(v any) error) error {
	t.clear()
	return refill(t.title, n, next, t.Put, t.Len)
}

func (t *Table[K, V]) clear() { t.shards, t.n = new(shards[K, V]), 0 }

// refill puts so many entries into an empty table, each of which must have a key of its own.
func refill[K comparable, V any](title string, n uint64, next func(v any) error, put func(K, V), size func() int) error {
	for range n {
		var it item[K, V]
		if err := next(&it); err != nil {
			return err
		}
		put(it.Key, it.Value)
	}
	if keys := size(); uint64(keys) != n {
		return fmt.Errorf("table %s: %d entries but %d keys", title, n, keys)
	}
	return nil
}

type frozenTable[K comparable, V any] struct {
	shards shards[K, V]
	n      int
	live   *atomic.Int32
}

func (f *frozenTable[K, V]) len() uint64 { return uint64(f.n) }

func (f *frozenTable[K, V]) each(visit func(any) error) error {
	it := new(item[K, V])
	for it.Key, it.Value = range f.shards.all {
		if err := visit(it); err != nil {
			return err
		}
	}
	return nil
}

func (f *frozenTable[K, V]) release() { f.live.Add(-1) }

const pageSize = 256

// List is a growing sequence with the same freezing as [Table]: dense, for things named by a small number.
type List[V any] struct {
	title  string
	pages  []*page[V]
	epoch  uint64
	frozen *atomic.Int32
	n      int
}

type page[V any] struct {
	epoch uint64
	v     [pageSize]V
}

// NewList makes an empty list. The name stands in snapshots and must not change.
func NewList[V any](name string) *List[V] { return &List[V]{title: name, frozen: new(atomic.Int32)} }

// Len is the number of items.
func (l *List[V]) Len() int { return l.n }

// At reads item i, which must exist.
func (l *List[V]) At(i int) V {
	if i >= l.n {
		panic(fmt.Sprintf("replica: list %s: item %d of %d", l.title, i, l.n))
	}
	return l.pages[i/pageSize].v[i%pageSize]
}

// Set replaces item i, which must exist.
func (l *List[V]) Set(i int, v V) {
	if i >= l.n {
		panic(fmt.Sprintf("replica: list %s: item %d of %d", l.title, i, l.n))
	}
	l.own(i / pageSize).v[i%pageSize] = v
}

// Append adds an item and gives its number.
func (l *List[V]) Append(v V) int {
	i := l.n
	if i%pageSize == 0 {
		l.pages = append(l.pages, &page[V]{epoch: l.epoch})
	}
	l.n++
	l.own(i / pageSize).v[i%pageSize] = v
	return i
}

func (l *List[V]) own(i int) *page[V] {
	p := l.pages[i]
	if p.epoch != l.epoch {
		if l.frozen.Load() > 0 {
			c := *p
			p = &c
			l.pages[i] = p
		}
		p.epoch = l.epoch
	}
	return p
}

func (l *List[V]) name() string       { return l.title }
func (l *List[V]) item() reflect.Type { return reflect.TypeFor[item[uint64, V]]() }

func (l *List[V]) freeze() frozen {
	f := &frozenList[V]{pages: append([]*page[V](nil), l.pages...), n: l.n, live: l.frozen}
	l.epoch++
	l.frozen.Add(1)
	return f
}

func (l *List[V]) restore(n uint64, next func(v any) error) error {
	l.pages, l.n = nil, 0
	for i := range n {
		var it item[uint64, V]
		if err := next(&it); err != nil {
			return err
		}
		if it.Key != i {
			return fmt.Errorf("list %s: item %d where %d was due", l.title, it.Key, i)
		}
		l.Append(it.Value)
	}
	return nil
}

type frozenList[V any] struct {
	pages []*page[V]
	n     int
	live  *atomic.Int32
}

func (f *frozenList[V]) len() uint64 { return uint64(f.n) }

func (f *frozenList[V]) each(visit func(any) error) error {
	it := new(item[uint64, V])
	for i := range f.n {
		it.Key, it.Value = uint64(i), f.pages[i/pageSize].v[i%pageSize]
		if err := visit(it); err != nil {
			return err
		}
	}
	return nil
}

func (f *frozenList[V]) release() { f.live.Add(-1) }

// Cell is a single value with the same freezing as [Table].
type Cell[V any] struct {
	title string
	v     V
}

// NewCell makes a cell that holds the zero value. The name stands in snapshots and must not change.
func NewCell[V any](name string) *Cell[V] { return &Cell[V]{title: name} }

// Get reads the value.
func (c *Cell[V]) Get() V { return c.v }

// Set replaces the value.
func (c *Cell[V]) Set(v V) { c.v = v }

func (c *Cell[V]) cell()              {}
func (c *Cell[V]) name() string       { return c.title }
func (c *Cell[V]) item() reflect.Type { return reflect.TypeFor[V]() }
func (c *Cell[V]) freeze() frozen     { return &frozenCell[V]{v: c.v} }

func (c *Cell[V]) restore(n uint64, next func(v any) error) error {
	if n != 1 {
		return fmt.Errorf("cell %s: %d values instead of 1", c.title, n)
	}
	var v V
	if err := next(&v); err != nil {
		return err
	}
	c.v = v
	return nil
}

type frozenCell[V any] struct{ v V }

func (f *frozenCell[V]) len() uint64                      { return 1 }
func (f *frozenCell[V]) each(visit func(any) error) error { return visit(&f.v) }
func (f *frozenCell[V]) release()                         {}

// hashing is [journal.Encoding] but for empty slices and maps, which count as nil ones: an event that was read back
// from the journal may have the one where the event that was emitted had the other.
var hashing = func() cbor.UserBufferEncMode {
	o := cbor.CoreDetEncOptions()
	o.TextMarshaler = cbor.TextMarshalerNone
	o.NilContainers = cbor.NilContainerAsEmpty
	m, err := o.UserBufferEncMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// tableHash is a hash of a set of entries that does not depend on their order: the sum of the entries' SHA-256 as
// 256-bit numbers. It tells honest nodes that differ apart; it is no commitment against an adversary.
func tableHash(title string, f frozen) ([32]byte, error) {
	var sum [32]byte
	var buf bytes.Buffer
	err := f.each(func(v any) error {
		buf.Reset()
		buf.WriteString(title)
		buf.WriteByte(0)
		if err := hashing.MarshalToBuffer(v, &buf); err != nil {
			return err
		}
		h := sha256.Sum256(buf.Bytes())
		carry := uint16(0)
		for i := 31; i >= 0; i-- {
			c := uint16(sum[i]) + uint16(h[i]) + carry
			sum[i], carry = byte(c), c>>8
		}
		return nil
	})
	return sum, err
}
