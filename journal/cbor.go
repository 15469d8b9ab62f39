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

// AppendMap begins a map of n pairs; keys must follow in ascending order.
func AppendMap(b []byte, n int) []byte { return appendHead(b, cborMap, uint64(n)) } //nolint:gosec // a count

// AppendArray begins an array of n items.
func AppendArray(b []byte, n int) []byte { return appendHead(b, cborArray, uint64(n)) } //nolint:gosec // a count

// AppendUint appends a number that is not negative.
func AppendUint(b []byte, v uint64) []byte { return appendHead(b, cborUint, v) }

// AppendInt appends a number.
func AppendInt(b []byte, v int64) []byte {
	if v < 0 {
		return appendHead(b, cborNegInt, uint64(-1-v)) //nolint:gosec // not negative
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

// AppendID appends an identifier.
func AppendID(b []byte, id moongate.ID) []byte { return AppendBytes(b, id[:]) }

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

// AppendNull appends null, which is how a nil slice is written.
func AppendNull(b []byte) []byte { return append(b, cborNull) }
