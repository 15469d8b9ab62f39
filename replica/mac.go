package replica

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// mac is HMAC-SHA256 under the node's secret, truncated to 128 bits, and room for what goes into it.
type mac struct {
	hash hash.Hash
	buf  []byte
}

func newMAC(secret []byte) *mac { return &mac{hash: hmac.New(sha256.New, secret)} }

// of is the code of all parts, each behind its length, and of a body where there is one.
func (m *mac) of(purpose, caller, name string, body []byte) [16]byte {
	b := m.buf[:0]
	for _, p := range [...]string{purpose, caller, name} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	m.hash.Reset()
	if body != nil {
		b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	}
	m.hash.Write(b)
	m.hash.Write(body)
	m.buf = m.hash.Sum(b[:0])
	return [16]byte(m.buf)
}
