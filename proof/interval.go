package proof

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/moongate-hub/moongate"
)

// Shape of the tree of an interval.
const (
	// Depth of every interval's tree, empty or full: 2^20 places. Each level more costs every event a hash and a blank.
	Depth = 20
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

// Interval is the tree over the events of one interval: the RFC 6962 tree of exactly 2^20 leaves, so that anybody's
// inclusion check works on it. Each event has a place drawn at random; every other node is a blank that looks like any
// hash. So neither root, proof nor place tells whether the interval holds none, two or half a million events, nor whether
// two events came one after the other. All of it follows from the seed and the leaves in order, nothing else.
//
// Append does not hash. Root and the first Proof do: 20 − log₂ n levels of a hash and a blank for each of n events, so let
// another goroutine end a busy interval. An Interval is not safe for concurrent use.
type Interval struct {
	seed   [32]byte
	leaves []Hash
	places []uint32 // of the leaves, in their order, once Root or Proof needs them: as many as leaves
	sorted []placed // by place, along with places
	crown  []Hash   // the nodes from crownLevel up, by heap order: 1 is the root
	taken  *pages   // which places are drawn, while they are
	blanks cipher.Block
	block  [2 * aes.BlockSize]byte // the blank at hand: as a variable it would move to the heap
}

// pages has a bit for each place, in pages that are made when needed.
type pages [1 << (Depth - 12)]*[64]uint64

// An interval keeps the nodes of its upper half once they pay, so that a proof hashes one of 1,024 parts and not all:
// at the first proof, or for a busy interval when its root is asked for, which would else be hashed twice.
const (
	crownLevel     = Depth / 2
	crownForProofs = 16 // events
	crownForRoot   = 1024
)

type placed struct {
	place uint32
	leaf  Hash
}

// NewInterval makes an empty interval. The seed is secret, differs for every interval, and is the same on every node:
// see [IntervalSeed].
func NewInterval(seed *[32]byte) *Interval { return &Interval{seed: *seed} }

// keepLeaves is of how many events an interval keeps the memory when it is emptied.
const keepLeaves = 1 << 17

// Reset empties the interval for another seed. It keeps its memory, so that one busy second after the other leaves
// nothing behind.
func (t *Interval) Reset(seed *[32]byte) {
	if cap(t.leaves) > keepLeaves {
		*t = Interval{}
	}
	t.seed, t.leaves, t.blanks = *seed, t.leaves[:0], nil
	t.forget()
}

// forget drops what follows from the leaves.
func (t *Interval) forget() { t.places, t.sorted, t.crown = t.places[:0], t.sorted[:0], nil }

// Len is the number of events so far.
func (t *Interval) Len() int { return len(t.leaves) }

// Append adds an event's leaf and gives its number in the interval, from 0, by which [Interval.Proof] knows it. (Its
// place in the tree is another number.) It panics beyond [MaxLeaves]: a caller that can come near asks Len first.
func (t *Interval) Append(leaf Hash) (n uint64) {
	if len(t.leaves) >= MaxLeaves {
		panic(fmt.Sprintf("proof: interval holds %d events and takes no more", len(t.leaves)))
	}
	t.leaves = append(t.leaves, leaf)
	t.forget()
	return uint64(len(t.leaves) - 1)
}

// place draws the places. The stream is SHA-256(0x06 ‖ seed ‖ 0), SHA-256(0x06 ‖ seed ‖ 1), … of which each block gives
// ten draws: the upper 20 of 24 bits. A leaf takes the first free place that is drawn.
func (t *Interval) place() {
	if len(t.places) == len(t.leaves) {
		return
	}
	t.places, t.sorted = slices.Grow(t.places[:0], len(t.leaves)), slices.Grow(t.sorted[:0], len(t.leaves))
	if t.taken == nil {
		t.taken = new(pages)
	}
	for _, page := range t.taken {
		if page != nil {
			clear(page[:])
		}
	}
	t.draw()
	t.sort()
}

// draw gives each leaf a free place.
func (t *Interval) draw() {
	var pre [1 + 32 + 4]byte
	pre[0] = tagPlaces
	copy(pre[1:], t.seed[:])
	for block := uint32(0); ; block++ {
		if block%64 == 63 {
			runtime.Gosched() // nobody waits for a root, and a busy second's takes many milliseconds
		}
		binary.BigEndian.PutUint32(pre[33:], block)
		draws := sha256.Sum256(pre[:])
		for d := draws[:30]; len(d) > 0; d = d[3:] {
			place := (uint32(d[0])<<16 | uint32(d[1])<<8 | uint32(d[2])) >> (24 - Depth)
			page := t.taken[place>>12]
			if page == nil {
				page = new([64]uint64)
				t.taken[place>>12] = page
			}
			word, bit := &page[place>>6&63], uint64(1)<<(place&63)
			if *word&bit != 0 {
				continue
			}
			*word |= bit
			if t.places = append(t.places, place); len(t.places) == len(t.leaves) {
				return
			}
		}
	}
}

// sort puts the leaves in the order of their places. Those of a busy interval come into the parts below the nodes of
// crownLevel first, and then each part is sorted.
func (t *Interval) sort() {
	t.sorted = t.sorted[:len(t.places)]
	if len(t.places) < crownForRoot {
		for n, place := range t.places {
			t.sorted[n] = placed{place, t.leaves[n]}
		}
		sortPlaced(t.sorted)
		return
	}
	ends := make([]int, 1<<(Depth-crownLevel)+1)
	for _, place := range t.places {
		ends[place>>crownLevel+1]++
	}
	for i := range len(ends) - 1 {
		ends[i+1] += ends[i]
	}
	at := slices.Clone(ends)
	for n, place := range t.places {
		part := place >> crownLevel
		t.sorted[at[part]] = placed{place, t.leaves[n]}
		at[part]++
	}
	for i := range len(ends) - 1 {
		sortPlaced(t.sorted[ends[i]:ends[i+1]])
		if i%64 == 63 {
			runtime.Gosched()
		}
	}
}

func sortPlaced(s []placed) {
	slices.SortFunc(s, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
}

// Root is the root of the interval so far.
func (t *Interval) Root() Hash {
	t.prepare(crownForRoot)
	if t.crown == nil {
		return t.node(Depth, 0, t.sorted)
	}
	return t.crown[1]
}

// prepare draws the places, and grows the crown where there are that many events.
func (t *Interval) prepare(crownFrom int) {
	t.place()
	if t.crown == nil && len(t.leaves) >= crownFrom {
		t.crown = make([]Hash, 2<<(Depth-crownLevel))
		t.grow(1, Depth, t.sorted)
	}
}

// grow fills the crown at and below a node.
func (t *Interval) grow(heap uint32, level int, in []placed) Hash {
	index := heap - 1<<(Depth-level)
	if level == crownLevel {
		t.crown[heap] = t.node(level, index, in)
		if heap%4 == 3 {
			runtime.Gosched()
		}
	} else if len(in) == 0 {
		t.crown[heap] = t.blank(level, index) // below it there is nothing to be proved
	} else {
		left, right := split(in, level-1)
		t.crown[heap] = tlog.NodeHash(t.grow(2*heap, level-1, left), t.grow(2*heap+1, level-1, right))
	}
	return t.crown[heap]
}

// Proof is the place of the event with number n and its proof: the siblings from the leaf up, exactly Depth.
func (t *Interval) Proof(n uint64) (index uint64, proof []Hash, err error) {
	if n >= uint64(len(t.leaves)) {
		return 0, nil, fmt.Errorf("proof: interval holds %d events, and none has number %d", len(t.leaves), n)
	}
	t.prepare(crownForProofs)
	place := t.places[n]
	proof = make([]Hash, Depth)
	in := t.sorted // the leaves below the ancestor at hand
	for level := Depth - 1; level >= 0; level-- {
		mine, other := split(in, level)
		if place>>level&1 == 1 {
			mine, other = other, mine
		}
		in = mine
		sibling := place>>level ^ 1
		if t.crown != nil && level >= crownLevel {
			proof[level] = t.crown[1<<(Depth-level)+sibling]
		} else {
			proof[level] = t.node(level, sibling, other)
		}
	}
	return uint64(place), proof, nil
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

// blank is a node below which there is no event, for others a hash like any: two blocks of AES-256 with the interval's
// seed as key, over level (1 byte), index (4 bytes, big-endian), the block's number (1 byte) and ten zeros. A cipher gives
// it at a fifth of a hash's cost, and that of most nodes is their blank siblings'.
func (t *Interval) blank(level int, index uint32) Hash {
	if t.blanks == nil {
		t.blanks, _ = aes.NewCipher(t.seed[:]) // the only fault it knows is another length of the key
	}
	first, second := t.block[:aes.BlockSize], t.block[aes.BlockSize:]
	clear(t.block[:])
	first[0], second[0] = byte(level), byte(level)
	binary.BigEndian.PutUint32(first[1:], index)
	binary.BigEndian.PutUint32(second[1:], index)
	second[5] = 1
	t.blanks.Encrypt(first, first)
	t.blanks.Encrypt(second, second)
	return Hash(t.block)
}

// IntervalProof proves the leaf with number n of an interval, with the leaves in the order in which they were appended:
// its place, and exactly Depth hashes. For several proofs of one interval keep an [Interval].
func IntervalProof(seed *[32]byte, leaves []Hash, n uint64) (index uint64, proof []Hash, err error) {
	if len(leaves) > MaxLeaves {
		return 0, nil, fmt.Errorf("proof: %d leaves, an interval takes %d", len(leaves), MaxLeaves)
	}
	t := Interval{seed: *seed, leaves: leaves}
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
