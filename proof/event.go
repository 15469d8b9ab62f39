package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// PositionAudience is the audience of the group that every event has: its position in the journal, 8 bytes big-endian.
// The difference of two positions tells how much happened in between, so a receipt opens it for an auditor at most.
const PositionAudience = "#position"

// The number of an event's group hashes is a multiple of padTo: the holder of one group does not learn whether one
// seller had a part in the order or three.
const padTo = 4

// eventVersion is the first byte of an event's leaf data, so that a later rule cannot be mistaken for this one.
const eventVersion = 1

// EventLeaf commits to an event. It is the RFC 6962 leaf hash (0x00 first) of: the byte 1, the length of the kind (4
// bytes, big-endian), the kind, and then in ascending order the hashes of the groups, of the position's group, and of
// as much padding as makes their number a multiple of four. Sorted, salted hashes have no order that tells anything.
//
// The salt is Salt(seed, ordinal, Header). The groups may come in any order. The kind stands in plain: every holder of
// a receipt sees it anyway, and from all others the groups' salts hide it.
func EventLeaf(salt *[32]byte, position uint64, kind string, groups []Hash) Hash {
	var room [4 * padTo]Hash
	return leafOf(kind, eventHashes(room[:0], salt, position, groups))
}

// eventHashes appends to dst, sorted, all hashes that an event's leaf commits to.
func eventHashes(dst []Hash, salt *[32]byte, position uint64, groups []Hash) []Hash {
	dst = append(dst, groups...)
	posSalt, data := positionGroup(salt, position)
	dst = append(dst, GroupHash(&posSalt, PositionAudience, data[:]))
	for i := 0; len(dst)%padTo != 0; i++ {
		var pad [1 + 32 + 4]byte
		pad[0] = tagPadding
		copy(pad[1:], salt[:])
		binary.BigEndian.PutUint32(pad[33:], uint32(i))
		dst = append(dst, sha256.Sum256(pad[:]))
	}
	sortHashes(dst)
	return dst
}

// leafOf hashes a leaf from its sorted hashes.
func leafOf(kind string, sorted []Hash) Hash {
	buf := make([]byte, 0, 512)
	buf = append(buf, tagLeaf, eventVersion)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(kind)))
	buf = append(buf, kind...)
	for i := range sorted {
		buf = append(buf, sorted[i][:]...)
	}
	return sha256.Sum256(buf)
}

// positionGroup is salt and data of the position's group. It has a salt of its own: who is shown the position must not
// be able to tell the padding from the groups.
func positionGroup(salt *[32]byte, position uint64) (posSalt [32]byte, data [8]byte) {
	var pre [1 + 32]byte
	pre[0] = tagPosition
	copy(pre[1:], salt[:])
	binary.BigEndian.PutUint64(data[:], position)
	return sha256.Sum256(pre[:]), data
}

// sortHashes sorts in place; events have few groups, and insertion does not allocate.
func sortHashes(h []Hash) {
	if len(h) > 32 {
		slices.SortFunc(h, func(a, b Hash) int { return bytes.Compare(a[:], b[:]) })
		return
	}
	for i := 1; i < len(h); i++ {
		for j := i; j > 0 && bytes.Compare(h[j][:], h[j-1][:]) < 0; j-- {
			h[j], h[j-1] = h[j-1], h[j]
		}
	}
}

// Event is what a leaf commits to, as the journal holds it.
type Event struct {
	Position uint64
	Kind     string
	Groups   []Group
}

// Leaf is the event's leaf, with the salts that follow from its command's seed and its ordinal within the command.
func (e *Event) Leaf(seed *[32]byte, ordinal uint64) Hash {
	var room, own [4 * padTo]Hash
	header := Salt(seed, ordinal, Header)
	return leafOf(e.Kind, eventHashes(room[:0], &header, e.Position, e.groupHashes(own[:0], &header)))
}

func (e *Event) groupHashes(dst []Hash, header *[32]byte) []Hash {
	for i := range e.Groups {
		salt := groupSalt(header, i)
		dst = append(dst, GroupHash(&salt, e.Groups[i].Audience, e.Groups[i].Data))
	}
	return dst
}

// OpenGroup is a group with its salt: enough for its hash.
type OpenGroup struct {
	Audience string   `json:"audience"`
	Salt     [32]byte `json:"-"`
	Data     []byte   `json:"data"`
}

// Open splits an event for one holder: the groups whose audience it may see, with their salts and in the order of the
// event, and the hashes of all else, sorted. The position is opened where sees([PositionAudience]) is true.
func (e *Event) Open(seed *[32]byte, ordinal uint64, sees func(audience string) bool) (open []OpenGroup, closed []Hash) {
	header := Salt(seed, ordinal, Header)
	shown := make(map[Hash]bool)
	show := func(g OpenGroup) {
		open = append(open, g)
		shown[GroupHash(&g.Salt, g.Audience, g.Data)] = true
	}
	for i, g := range e.Groups {
		if sees(g.Audience) {
			show(OpenGroup{Audience: g.Audience, Salt: groupSalt(&header, i), Data: g.Data})
		}
	}
	if sees(PositionAudience) {
		posSalt, data := positionGroup(&header, e.Position)
		show(OpenGroup{Audience: PositionAudience, Salt: posSalt, Data: data[:]})
	}
	for _, h := range eventHashes(nil, &header, e.Position, e.groupHashes(nil, &header)) {
		if !shown[h] {
			closed = append(closed, h)
		}
	}
	return open, closed
}
