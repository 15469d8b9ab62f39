package journal

import (
	"encoding/binary"
	"math"
	"reflect"
	"sync"

	"github.com/moongate-hub/moongate"
)

// Reading the journal anew (at a start, for views, for exports) was mostly decoding by reflection. So what every
// crossing consists of is parsed by hand, as it is appended by hand: see [Appender].
//
// A parser is a shortcut and never a judge: it takes exactly what [Encoding] writes, and gives up on anything else,
// which [Decoding] then reads or refuses.

// Parsed is a group of an event that knows how to read what its AppendCBOR wrote. The group is zero before, and where
// the parser has failed it does not count.
type Parsed interface {
	ParseCBOR(p *Parser)
}

// Parser reads one value after the other. After the first thing that it does not expect it has failed, and gives zeros.
type Parser struct {
	b      []byte
	failed bool
	short  bool // it failed for want of bytes
	names  *names
}

// Unmarshal is Decoding.Unmarshal with the shortcut, where the type has one.
func Unmarshal(b []byte, v any) error {
	if p, ok := v.(Parsed); ok {
		if Parse(b, p) {
			return nil
		}
		reflect.ValueOf(v).Elem().SetZero()
	}
	return Decoding.Unmarshal(b, v)
}

// Parse tells whether b is exactly what the group's AppendCBOR writes of some value, which then stands in the group. In a
// group that could not be parsed stands anything.
func Parse(b []byte, group Parsed) bool { return parse(b, group.ParseCBOR) }

// parse tells whether all of b could be read.
func parse(b []byte, read func(*Parser)) bool {
	p := parsers.Get().(*Parser)
	p.b, p.failed, p.short = b, false, false
	read(p)
	done := !p.failed && len(p.b) == 0
	p.b = nil
	parsers.Put(p)
	return done
}

var parsers = sync.Pool{New: func() any { return &Parser{names: &names{}} }}

// names shares the memory of short texts that come again and again: handles, kinds, audiences.
type names struct{ m map[string]string }

const (
	nameLength = 64
	manyNames  = 4096
)

func (n *names) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > nameLength {
		return string(b)
	}
	if s, ok := n.m[string(b)]; ok {
		return s
	}
	if n.m == nil || len(n.m) >= manyNames {
		n.m = make(map[string]string)
	}
	s := string(b)
	n.m[s] = s
	return s
}

// Fail gives up: what was read is not what was expected.
func (p *Parser) Fail() { p.failed, p.b = true, nil }

// end gives up where the bytes end.
func (p *Parser) end() {
	p.short = !p.failed
	p.Fail()
}

// head reads the head of a value of a major type: RFC 8949, section 3, in its shortest form.
func (p *Parser) head(major byte) (n uint64) {
	switch {
	case len(p.b) == 0:
		p.end()
		return 0
	case p.b[0]&0xe0 != major:
		p.Fail()
		return 0
	}
	info := p.b[0] & 0x1f
	if info < 24 {
		p.b = p.b[1:]
		return uint64(info)
	}
	size := 1 << (info - 24)
	switch {
	case info > 27:
		p.Fail()
		return 0
	case len(p.b) < 1+size:
		p.end()
		return 0
	}
	least := uint64(24)
	switch size {
	case 1:
		n = uint64(p.b[1])
	case 2:
		n, least = uint64(binary.BigEndian.Uint16(p.b[1:])), 1<<8
	case 4:
		n, least = uint64(binary.BigEndian.Uint32(p.b[1:])), 1<<16
	default:
		n, least = binary.BigEndian.Uint64(p.b[1:]), 1<<32
	}
	if p.b = p.b[1+size:]; n < least {
		p.Fail()
		return 0
	}
	return n
}

// null tells whether the next value is null, and passes it.
func (p *Parser) null() bool {
	if len(p.b) == 0 || p.b[0] != cborNull {
		return false
	}
	p.b = p.b[1:]
	return true
}

// take gives the next n bytes, which are not the caller's to keep.
func (p *Parser) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.end()
		return nil
	}
	b := p.b[:n]
	p.b = p.b[n:]
	return b
}

// count is the number of items of an array or map: as many bytes must follow at least.
func (p *Parser) count(major byte) int {
	n := p.head(major)
	if n > uint64(len(p.b)) || n > 1<<16 {
		p.Fail()
		return 0
	}
	return int(n)
}

// Map begins a map: read as many pairs, each with Key and its value.
func (p *Parser) Map() (pairs int) { return p.count(cborMap) }

// Key reads a key of a pair, which must be greater than the one before; the first follows -1. Of one that is not known
// to the caller it says Fail.
func (p *Parser) Key(last *int) int {
	n := p.head(cborUint)
	if p.failed || n > 23 || int(n) <= *last {
		p.Fail()
		return -1
	}
	*last = int(n)
	return *last
}

// Array begins an array; one that is null has no items and is nil.
func (p *Parser) Array() (items int, isNil bool) {
	if p.null() {
		return 0, true
	}
	return p.count(cborArray), false
}

// Uint reads a number that is not negative and not above a bound.
func (p *Parser) Uint(most uint64) uint64 {
	n := p.head(cborUint)
	if n > most {
		p.Fail()
		return 0
	}
	return n
}

// Int reads a number.
func (p *Parser) Int() int64 {
	major := byte(cborUint)
	if len(p.b) > 0 && p.b[0]&0xe0 == cborNegInt {
		major = cborNegInt
	}
	n := p.head(major)
	switch {
	case n > math.MaxInt64:
		p.Fail()
		return 0
	case major == cborNegInt:
		return -1 - int64(n)
	}
	return int64(n)
}

// Text reads a string. Short ones share their memory.
func (p *Parser) Text() string { return p.names.text(p.take(p.head(cborText))) }

// Bytes reads a byte string of exactly the length.
func (p *Parser) Bytes(to []byte) {
	n := p.head(cborBytes)
	if n != uint64(len(to)) {
		p.Fail()
		return
	}
	copy(to, p.take(n))
}

// ID reads an identifier.
func (p *Parser) ID(id *moongate.ID) { p.Bytes(id[:]) }

// Bool reads true or false.
func (p *Parser) Bool() bool {
	if b := p.take(1); len(b) == 1 && (b[0] == cborTrue || b[0] == cborFalse) {
		return b[0] == cborTrue
	}
	p.Fail()
	return false
}

// Items reads an array of values of one kind; null is nil.
func Items[T any](p *Parser, one func(*Parser, *T)) []T {
	n, isNil := p.Array()
	if isNil || p.failed {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		one(p, &list[i])
	}
	return list
}

// tuple reads the head of an array of so many items.
func (p *Parser) tuple(items int) {
	if n, isNil := p.Array(); n != items || isNil {
		p.Fail()
	}
}

// raw passes one value, whatever it is, and gives its bytes. Its depth is bounded as for [Decoding].
func (p *Parser) raw() []byte {
	from := p.b
	p.pass(0)
	if p.failed {
		return nil
	}
	return from[:len(from)-len(p.b)]
}

func (p *Parser) pass(depth int) {
	switch {
	case len(p.b) == 0:
		p.end()
		return
	case depth > 16:
		p.Fail()
		return
	}
	switch major := p.b[0] & 0xe0; major {
	case cborUint, cborNegInt:
		p.head(major)
	case cborBytes, cborText:
		p.take(p.head(major))
	case cborArray, cborMap:
		n := p.head(major)
		if n > uint64(len(p.b)) {
			p.end() // each item has a byte at least
			return
		}
		if major == cborMap {
			n *= 2
		}
		for range n {
			if p.failed {
				return
			}
			p.pass(depth + 1)
		}
	default:
		if p.b[0] != cborNull && p.b[0] != cborTrue && p.b[0] != cborFalse {
			p.Fail()
			return
		}
		p.b = p.b[1:]
	}
}

// parse reads a record. It keeps nothing of the payload.
func (r *Record) parse(p *Parser) {
	p.tuple(5)
	r.Index, r.Term = p.Uint(math.MaxUint64), p.Uint(math.MaxUint64)
	r.Sum, r.First = uint32(p.Uint(math.MaxUint32)), Position(p.Uint(math.MaxUint64))
	held := &holder{left: len(p.b)}
	r.Done = Items(p, func(p *Parser, d *Done) { d.parse(p, held) })
}

// holder gives memory for byte strings that are kept, out of one piece.
type holder struct {
	left  int
	piece []byte
}

func (h *holder) keep(b []byte) []byte {
	if cap(h.piece)-len(h.piece) < len(b) {
		h.piece = make([]byte, 0, max(h.left, len(b)))
	}
	from := len(h.piece)
	h.piece = append(h.piece, b...)
	return h.piece[from:len(h.piece):len(h.piece)]
}

func (d *Done) parse(p *Parser, held *holder) {
	p.tuple(9)
	p.Bytes(d.Key[:])
	p.Bytes(d.Print[:])
	d.Kind, d.Caller, d.At = p.Text(), p.Text(), moongate.Time(p.Int())
	p.Bytes(d.Seed[:])
	d.Answer = p.kept(held)
	p.refusal(&d.Error)
	d.Events = Items(p, func(p *Parser, s *Stored) {
		p.tuple(2)
		s.Kind = p.Text()
		s.Groups = Items(p, func(p *Parser, g *Group) {
			p.tuple(2)
			g.Audience, g.Data = p.Text(), p.kept(held)
		})
	})
}

// refusal reads an error, which is rare and left to the library; null is none.
func (p *Parser) refusal(to **moongate.Error) {
	if p.null() {
		return
	}
	*to = new(moongate.Error)
	if raw := p.raw(); !p.failed && Decoding.Unmarshal(raw, *to) != nil {
		p.Fail()
	}
}

// kept reads a byte string that outlives what is parsed; null is nil.
func (p *Parser) kept(held *holder) []byte {
	if p.null() {
		return nil
	}
	b := p.take(p.head(cborBytes))
	switch {
	case p.failed:
		return nil
	case len(b) == 0:
		return []byte{}
	}
	return held.keep(b)
}

// bounds reads of a record what the index needs, as strictly as parse and without building it.
func (r *Record) bounds(p *Parser) (events int) {
	p.tuple(5)
	r.Index, r.Term = p.Uint(math.MaxUint64), p.Uint(math.MaxUint64)
	r.Sum, r.First = uint32(p.Uint(math.MaxUint32)), Position(p.Uint(math.MaxUint64))
	done, _ := p.Array()
	var key [16]byte
	var seed [32]byte
	bytes := func() {
		if !p.null() {
			p.take(p.head(cborBytes))
		}
	}
	for range done {
		p.tuple(9)
		p.Bytes(key[:])
		p.Bytes(key[:])
		p.take(p.head(cborText))
		p.take(p.head(cborText))
		p.Int()
		p.Bytes(seed[:])
		bytes()
		var refused *moongate.Error
		p.refusal(&refused)
		n, _ := p.Array()
		events += n
		for range n {
			p.tuple(2)
			p.take(p.head(cborText))
			groups, _ := p.Array()
			for range groups {
				p.tuple(2)
				p.take(p.head(cborText))
				bytes()
			}
		}
		if p.failed {
			return 0
		}
	}
	return events
}
