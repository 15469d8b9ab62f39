package journal

import (
	"encoding/binary"

	"github.com/moongate-hub/moongate"
)

// The profile of a busy hub showed a third of its time in encoding by reflection. So what every command passes through
// is appended by hand: the same bytes as [Encoding] writes, which a test compares.

// Major types of CBOR (RFC 8949, section 3.1).
const (
	cborUint   = 0 << 5
	cborNegInt = 1 << 5
	cborBytes  = 2 << 5
	cborText   = 3 << 5
	cborArray  = 4 << 5
	cborMap    = 5 << 5
	cborNull   = 0xf6
	cborFalse  = 0xf4
	cborTrue   = 0xf5
)

// Appender is a group of an event, or anything within one, that knows its own encoding: exactly what [Encoding] would
// write. It is for the few types that every crossing passes through.
type Appender interface {
	AppendCBOR(b []byte) []byte
}

// Marshal is Encoding.Marshal with the shortcut, where the type has one.
func Marshal(v any) ([]byte, error) {
	if a, ok := v.(Appender); ok {
		return a.AppendCBOR(make([]byte, 0, 128)), nil
	}
	return Encoding.Marshal(v)
}

func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, major|27), n)
	}
}

// Map appends a map of fewer than 24 pairs whose keys are small numbers; they must come in ascending order. The methods
// whose names begin with Some leave out what is zero, as omitempty does.
type Map struct {
	b  []byte
	at int
}

// BeginMap begins a map behind b.
func BeginMap(b []byte) Map { return Map{append(b, cborMap), len(b)} }

// End gives all bytes.
func (m *Map) End() []byte { return m.b }

// Key begins a pair, whose value the caller appends to End, and goes on with Resume.
func (m *Map) Key(key byte) {
	m.b[m.at]++
	m.b = append(m.b, cborUint|key)
}

// Resume goes on behind b, which is what End gave with a value or items appended.
func (m *Map) Resume(b []byte) { m.b = b }

// Int appends a pair.
func (m *Map) Int(key byte, v int64) {
	m.Key(key)
	m.b = AppendInt(m.b, v)
}

// SomeInt appends a pair unless it is zero.
func (m *Map) SomeInt(key byte, v int64) {
	if v != 0 {
		m.Int(key, v)
	}
}

// Uint appends a pair.
func (m *Map) Uint(key byte, v uint64) {
	m.Key(key)
	m.b = AppendUint(m.b, v)
}

// SomeUint appends a pair unless it is zero.
func (m *Map) SomeUint(key byte, v uint64) {
	if v != 0 {
		m.Uint(key, v)
	}
}

// Text appends a pair.
func (m *Map) Text(key byte, s string) {
	m.Key(key)
	m.b = AppendText(m.b, s)
}

// SomeText appends a pair unless it is empty.
func (m *Map) SomeText(key byte, s string) {
	if s != "" {
		m.Text(key, s)
	}
}

// Bytes appends a pair.
func (m *Map) Bytes(key byte, v []byte) {
	m.Key(key)
	m.b = AppendBytes(m.b, v)
}

// ID appends a pair.
func (m *Map) ID(key byte, id moongate.ID) {
	m.Key(key)
	m.b = AppendBytes(m.b, id[:])
}

// SomeID appends a pair unless it is zero.
func (m *Map) SomeID(key byte, id moongate.ID) {
	if !id.IsZero() {
		m.ID(key, id)
	}
}

// True appends a pair where it is true.
func (m *Map) True(key byte, v bool) {
	if v {
		m.Key(key)
		m.b = AppendBool(m.b, v)
	}
}

// Array begins a pair whose value is an array of n items, which the caller appends to End; a nil slice is null.
func (m *Map) Array(key byte, n int, isNil bool) {
	m.Key(key)
	if isNil {
		m.b = append(m.b, cborNull)
		return
	}
	m.b = AppendArray(m.b, n)
}

// AppendArray begins an array of n items.
func AppendArray(b []byte, n int) []byte { return appendHead(b, cborArray, uint64(n)) }

// AppendUint appends a number that is not negative.
func AppendUint(b []byte, v uint64) []byte { return appendHead(b, cborUint, v) }

// AppendInt appends a number.
func AppendInt(b []byte, v int64) []byte {
	if v < 0 {
		return appendHead(b, cborNegInt, uint64(-1-v))
	}
	return appendHead(b, cborUint, uint64(v))
}

// AppendText appends a string.
func AppendText(b []byte, s string) []byte {
	return append(appendHead(b, cborText, uint64(len(s))), s...)
}

// AppendBytes appends a byte string; nil is null.
func AppendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, cborNull)
	}
	return append(appendHead(b, cborBytes, uint64(len(v))), v...)
}

// AppendBool appends true or false.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, cborTrue)
	}
	return append(b, cborFalse)
}

// AppendCBOR appends the record.
func (r *Record) AppendCBOR(b []byte) ([]byte, error) {
	b = AppendArray(b, 5)
	b = AppendUint(b, r.Index)
	b = AppendUint(b, r.Term)
	b = AppendUint(b, uint64(r.Sum))
	b = AppendUint(b, uint64(r.First))
	if r.Done == nil {
		return append(b, cborNull), nil
	}
	b = AppendArray(b, len(r.Done))
	for i := range r.Done {
		var err error
		if b, err = r.Done[i].appendCBOR(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (d *Done) appendCBOR(b []byte) ([]byte, error) {
	b = AppendArray(b, 9)
	b = AppendBytes(b, d.Key[:])
	b = AppendBytes(b, d.Print[:])
	b = AppendText(b, d.Kind)
	b = AppendText(b, d.Caller)
	b = AppendInt(b, int64(d.At))
	b = AppendBytes(b, d.Seed[:])
	b = AppendBytes(b, d.Answer)
	if d.Error == nil {
		b = append(b, cborNull)
	} else {
		e, err := Encoding.Marshal(d.Error)
		if err != nil {
			return nil, err
		}
		b = append(b, e...)
	}
	if d.Events == nil {
		return append(b, cborNull), nil
	}
	b = AppendArray(b, len(d.Events))
	for i := range d.Events {
		b = d.Events[i].appendCBOR(b)
	}
	return b, nil
}

func (s *Stored) appendCBOR(b []byte) []byte {
	b = AppendArray(b, 2)
	b = AppendText(b, s.Kind)
	if s.Groups == nil {
		return append(b, cborNull)
	}
	b = AppendArray(b, len(s.Groups))
	for i := range s.Groups {
		b = AppendArray(b, 2)
		b = AppendText(b, s.Groups[i].Audience)
		b = AppendBytes(b, s.Groups[i].Data)
	}
	return b
}
