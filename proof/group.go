package proof

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// Group is the stored bytes of those fields of one event that one audience may see.
type Group struct {
	Audience string
	Data     []byte
}

// Header is the group number of the salt that hides an event's position and the number of its groups: the one to pass
// to [Salt] for [EventLeaf].
const Header = -1

// Salt derives the salt of a group. That of [Header] is HMAC-SHA256 (RFC 2104) with the command's seed as key over the
// event's ordinal within the command (8 bytes, big-endian). It is never shown, and the others follow from it: SHA-256 of
// 0x05, the header's salt (32 bytes) and the group's number (4 bytes, big-endian). Who knows one salt learns nothing of
// another, so a receipt can give away its own.
func Salt(seed *[32]byte, ordinal uint64, group int) [32]byte {
	inner, outer := innerPad, outerPad
	subtle.XORBytes(inner[:], inner[:], seed[:])
	subtle.XORBytes(outer[:], outer[:], seed[:])
	binary.BigEndian.PutUint64(inner[64:], ordinal)
	sum := sha256.Sum256(inner[:])
	copy(outer[64:], sum[:])
	header := sha256.Sum256(outer[:])
	if group == Header {
		return header
	}
	return groupSalt(&header, group)
}

func groupSalt(header *[32]byte, group int) [32]byte {
	var pre [1 + 32 + 4]byte
	pre[0] = tagSalt
	copy(pre[1:], header[:])
	binary.BigEndian.PutUint32(pre[33:], uint32(group))
	return sha256.Sum256(pre[:])
}

// The pads of HMAC, with room for what is hashed behind them.
var (
	innerPad = [64 + 8]byte(append(bytes.Repeat([]byte{0x36}, 64), make([]byte, 8)...))
	outerPad = [64 + 32]byte(append(bytes.Repeat([]byte{0x5c}, 64), make([]byte, 32)...))
)

// GroupHash commits to a group: SHA-256 of 0x02, the salt (32 bytes), the length of the audience (4 bytes, big-endian),
// the audience, and the data to the end. It hides both as long as the salt is secret, and binds to both for good.
func GroupHash(salt *[32]byte, audience string, data []byte) Hash {
	buf := make([]byte, 0, 512) // on the stack; a larger group moves to the heap
	buf = append(buf, tagGroup)
	buf = append(buf, salt[:]...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(audience)))
	buf = append(buf, audience...)
	buf = append(buf, data...)
	return sha256.Sum256(buf)
}
