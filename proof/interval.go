package proof

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/moongate-hub/moongate"
)

// Shape of the tree of an interval.
const (
	// Depth of every interval's tree, empty or full: 2^24 places.
	Depth = 24
	// MaxLeaves is how many events one interval takes: half the places, so that a free one is found quickly.
	MaxLeaves = 1 << (Depth - 1)
	// IntervalLength is the time that one interval covers.
	IntervalLength = moongate.Second
)

// IntervalNumber is the number of the interval that a time falls into: the whole seconds since 1970.
func IntervalNumber(t moongate.Time) int64 {
	n := int64(t / IntervalLength)
	if t%IntervalLength < 0 {
		n--
	}
	return n
}

// IntervalSeed derives the seed of an interval from a secret that all nodes share and that no receipt shows:
// HMAC-SHA256 with the secret as key over "moongate/interval/v1" and the number (8 bytes, big-endian).
func IntervalSeed(secret *[32]byte, number int64) [32]byte {
	m := hmac.New(sha256.New, secret[:])
	m.Write([]byte("moongate/interval/v1"))
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(number)))
	return [32]byte(m.Sum(nil))
}

// Interval is the tree over the events of one interval: the RFC 6962 tree of exactly 2^24 leaves, so that anybody's
// inclusion check works on it. Each event has a place drawn at random; every other node is a blank that looks like any
// hash. So neither root, proof nor index tells whether the interval holds none, two or a million events, nor whether
// two events came one after the other. All of it follows from the seed and the leaves in order, nothing else.
//
// Append costs one draw. The hashing, (24 − log₂ n) + 2 nodes per event, is done by Root and Proof: let another
// goroutine do it for a busy interval that has ended.
type Interval struct {
	seed   [32]byte
	leaves []placed
	sorted []placed // the same by place, once Root or Proof needs it
	taken  map[uint32]struct{}
	draws  uint32
	drawn  []byte // what is left of the last draw
	buf    [sha256.Size]byte
}

type placed struct {
	place uint32
	leaf  Hash
}

// NewInterval makes an empty interval. The seed is secret, differs for every interval, and is the same on every node:
// see [IntervalSeed].
func NewInterval(seed *[32]byte) *Interval {
	return &Interval{seed: *seed, taken: make(map[uint32]struct{})}
}

// Len is the number of events so far.
func (t *Interval) Len() int { return len(t.leaves) }

// Append adds an event's leaf and gives its place, the index under which [CheckInterval] finds it. It panics beyond
// [MaxLeaves]: a caller that can come near asks Len first.
func (t *Interval) Append(leaf Hash) (index uint64) {
	if len(t.leaves) >= MaxLeaves {
		panic(fmt.Sprintf("proof: interval holds %d events and takes no more", len(t.leaves)))
	}
	place := t.draw()
	for _, used := t.taken[place]; used; _, used = t.taken[place] {
		place = t.draw()
	}
	t.taken[place] = struct{}{}
	t.leaves = append(t.leaves, placed{place, leaf})
	t.sorted = nil
	return uint64(place)
}

// draw gives the next 24 bits of the stream SHA-256(0x06 ‖ seed ‖ 0), SHA-256(0x06 ‖ seed ‖ 1), …, of which each block
// serves ten times.
func (t *Interval) draw() uint32 {
	if len(t.drawn) < 3 {
		var pre [1 + 32 + 4]byte
		pre[0] = tagPlaces
		copy(pre[1:], t.seed[:])
		binary.BigEndian.PutUint32(pre[33:], t.draws)
		t.draws++
		t.buf = sha256.Sum256(pre[:])
		t.drawn = t.buf[:30]
	}
	d := t.drawn
	t.drawn = d[3:]
	return uint32(d[0])<<16 | uint32(d[1])<<8 | uint32(d[2])
}

// Root is the root of the interval so far.
func (t *Interval) Root() Hash {
	return t.node(Depth, 0, t.byPlace())
}

// Proof is the place of the n-th event appended, from 0, and its proof: the siblings from the leaf up, exactly Depth.
func (t *Interval) Proof(n int) (index uint64, proof []Hash, err error) {
	if n < 0 || n >= len(t.leaves) {
		return 0, nil, fmt.Errorf("proof: interval holds %d events, and none has number %d", len(t.leaves), n)
	}
	place := t.leaves[n].place
	proof = make([]Hash, Depth)
	in := t.byPlace() // the leaves below the ancestor at hand
	for level := Depth - 1; level >= 0; level-- {
		mine := place >> level
		left, right := split(in, level)
		if mine&1 == 0 {
			in = left
			proof[level] = t.node(level, mine^1, right)
		} else {
			in = right
			proof[level] = t.node(level, mine^1, left)
		}
	}
	return uint64(place), proof, nil
}

func (t *Interval) byPlace() []placed {
	if t.sorted == nil {
		t.sorted = slices.Clone(t.leaves)
		slices.SortFunc(t.sorted, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	}
	return t.sorted
}

// split parts the leaves below a node of level+1 into those of its left and of its right child.
func split(in []placed, level int) (left, right []placed) {
	at, _ := slices.BinarySearchFunc(in, 1, func(p placed, bit uint32) int {
		return cmp.Compare(p.place>>level&1, bit)
	})
	return in[:at], in[at:]
}

// node is the hash of a node of whose leaves in are events.
func (t *Interval) node(level int, index uint32, in []placed) Hash {
	switch len(in) {
	case 0:
		return t.blank(level, index)
	case 1:
		h := in[0].leaf
		for l := range level {
			child := in[0].place >> l
			if sibling := t.blank(l, child^1); child&1 == 0 {
				h = tlog.NodeHash(h, sibling)
			} else {
				h = tlog.NodeHash(sibling, h)
			}
		}
		return h
	}
	left, right := split(in, level-1)
	return tlog.NodeHash(t.node(level-1, 2*index, left), t.node(level-1, 2*index+1, right))
}

// blank is a node below which there is no event: SHA-256(0x05 ‖ seed ‖ level ‖ index), for others a hash like any.
func (t *Interval) blank(level int, index uint32) Hash {
	var pre [1 + 32 + 1 + 4]byte
	pre[0] = tagBlank
	copy(pre[1:], t.seed[:])
	pre[33] = byte(level)
	binary.BigEndian.PutUint32(pre[34:], index)
	return sha256.Sum256(pre[:])
}

// IntervalProof proves the n-th of the leaves of an interval, in the order in which they were appended: the place, and
// exactly Depth hashes. For several proofs of one interval keep an [Interval] and use [Interval.Proof].
func IntervalProof(seed *[32]byte, leaves []Hash, n int) (index uint64, proof []Hash, err error) {
	if len(leaves) > MaxLeaves {
		return 0, nil, fmt.Errorf("proof: %d leaves, an interval takes %d", len(leaves), MaxLeaves)
	}
	t := NewInterval(seed)
	for _, l := range leaves {
		t.Append(l)
	}
	return t.Proof(n)
}

// CheckInterval verifies that the leaf stands at the index of the interval with the root.
func CheckInterval(leaf Hash, index uint64, proof []Hash, root Hash) error {
	if index >= 1<<Depth {
		return refuse("interval.index", fmt.Sprintf("%d is outside an interval of 2^%d places", index, Depth), "")
	}
	if len(proof) != Depth {
		return refuse("interval.proof", fmt.Sprintf("%d hashes, an interval proof has %d", len(proof), Depth), "")
	}
	if err := tlog.CheckRecord(proof, 1<<Depth, root, int64(index), leaf); err != nil {
		return refuse("interval.proof", "the proof does not lead from the event to the interval's root",
			"the opened fields or the proof were changed, or belong to another event")
	}
	return nil
}

// refuse is the error for something that does not verify or does not parse.
func refuse(field, message, hint string) error {
	return &moongate.Error{Code: moongate.Malformed, Message: message, Field: field, Hint: hint}
}
