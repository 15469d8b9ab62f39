package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/journal"
)

// bag is a room with one of each that a room can keep.
type bag struct {
	table *Table[string, gold]
	list  *List[int64]
	cell  *Cell[gold]
}

func newBag() *bag {
	return &bag{NewTable[string, gold]("table"), NewList[int64]("list"), NewCell[gold]("cell")}
}

func (b *bag) Name() string            { return "bag" }
func (b *bag) Events() []journal.Event { return nil }
func (b *bag) Fold(journal.Entry)      {}
func (b *bag) Tables() []Stored        { return []Stored{b.table, b.list, b.cell} }

func filledMachine() *Machine {
	b := newBag()
	m := NewMachine(moongate.Hub{1, 2, 3}, Limits{}, b)
	for i := range 30 {
		b.table.Put(fmt.Sprint("key ", i), gold{N: int64(i), Tags: []string{"a", "b"}[:i%3]})
		b.list.Append(int64(i * i))
		m.core.remember([16]byte{byte(i + 1)}, Known{At: moongate.Time(i), Ref: journal.Ref{Index: uint64(i)}})
		m.core.await(journal.Position(i+1), Pending{Kind: "x", Peer: fmt.Sprint("peer ", i%3)})
	}
	b.cell.Set(gold{N: 7, By: map[string]int{"a": 1, "b": 2}})
	m.next = 99
	return m
}

func snapshotOf(t testing.TB, m *Machine) []byte {
	t.Helper()
	im := m.freeze()
	defer im.release()
	var b bytes.Buffer
	if _, err := im.write(&b, m.hub, 42); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func emptyMachine() *Machine { return NewMachine(moongate.Hub{1, 2, 3}, Limits{}, newBag()) }

// TestSnapshotComesBack into a fresh machine and into one that holds something else, with what the machine derives.
func TestSnapshotComesBack(t *testing.T) {
	m := filledMachine()
	b := snapshotOf(t, m)
	want, err := m.NodeHash()
	if err != nil {
		t.Fatal(err)
	}
	other := filledMachine()
	other.core.await(1000, Pending{Peer: "nobody"})
	other.rooms[1].(*bag).list.Append(5)
	for name, into := range map[string]*Machine{"fresh": emptyMachine(), "filled": other} {
		index, err := into.load(bytes.NewReader(b))
		if err != nil || index != 42 || into.next != 99 {
			t.Errorf("%s: index %d, next event %d, %v", name, index, into.next, err)
		}
		if got, err := into.NodeHash(); err != nil || got != want {
			t.Errorf("%s: another state (%v)", name, err)
		}
		if diff := cmp.Diff(m.Peers(), into.Peers(), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Turn" }, cmp.Ignore())); diff != "" {
			t.Errorf("%s: queues (-want +got)\n%s", name, diff)
		}
		if into.core.oldest.len() != m.core.oldest.len() || *into.core.oldest.at(3) != *m.core.oldest.at(3) {
			t.Errorf("%s: keys by age differ", name)
		}
	}
}

// TestEveryFlippedBitOfASnapshotIsNamed, and every cut, and what stands behind its end.
func TestEveryFlippedBitOfASnapshotIsNamed(t *testing.T) {
	b := snapshotOf(t, filledMachine())
	for i := range b {
		if testing.Short() && i%5 != 0 {
			continue
		}
		for bit := range 8 {
			if testing.Short() && bit != i%8 {
				continue
			}
			flip := bytes.Clone(b)
			flip[i] ^= 1 << bit
			if _, err := emptyMachine().load(bytes.NewReader(flip)); err == nil {
				t.Errorf("bit %d of byte %d passed", bit, i)
			}
		}
		if _, err := emptyMachine().load(bytes.NewReader(b[:i])); err == nil {
			t.Errorf("the first %d bytes of %d passed", i, len(b))
		}
	}
	for _, more := range []int{1, 40, 3 << 20} {
		if _, err := emptyMachine().load(bytes.NewReader(append(bytes.Clone(b), make([]byte, more)...))); err == nil {
			t.Errorf("%d bytes behind the end passed", more)
		}
	}
}

// TestSnapshotOfAnotherHub, of another version or of rooms that are not there is refused.
func TestSnapshotOfAnotherHub(t *testing.T) {
	b := snapshotOf(t, filledMachine())
	for name, c := range map[string]struct {
		m    *Machine
		says string
	}{
		"another hub":     {NewMachine(moongate.Hub{9}, Limits{}, newBag()), "hub"},
		"a room too many": {NewMachine(moongate.Hub{1, 2, 3}, Limits{}), "does not know"},
	} {
		if _, err := c.m.load(bytes.NewReader(b)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A room that is new starts empty, whatever it held.
	old := NewMachine(moongate.Hub{1, 2, 3}, Limits{})
	m := filledMachine()
	if _, err := m.load(bytes.NewReader(snapshotOf(t, old))); err != nil {
		t.Fatal(err)
	}
	if bag := m.rooms[1].(*bag); bag.table.Len() != 0 || bag.list.Len() != 0 {
		t.Error("a room that the snapshot does not know kept its tables")
	}
}

func FuzzSnapshot(f *testing.F) {
	whole := snapshotOf(f, filledMachine())
	f.Add(whole[:len(whole)-32])
	empty := snapshotOf(f, emptyMachine())
	f.Add(empty[:len(empty)-32])
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sha256.Sum256(b)
		m := emptyMachine()
		if _, err := m.load(bytes.NewReader(append(bytes.Clone(b), sum[:]...))); err != nil {
			return
		}
		if _, err := m.NodeHash(); err != nil {
			t.Fatalf("it was loaded but has no hash: %v", err)
		}
	})
}

// FuzzUnpack takes raft entries apart, with a right checksum and with any.
func FuzzUnpack(f *testing.F) {
	n := &Node{opt: Options{Clock: func() moongate.Time { return 5 }}}
	n.macs.New = func() any { return sha256.New() }
	var tickets []*ticket
	for i := range 3 {
		tickets = append(tickets, &ticket{env: envelope{Kind: "core.tick", Caller: "ann", Seed: [32]byte{byte(i)}, Body: []byte{0xa0}, Vault: []Secret{{Key: [32]byte{7}}}[:i%2]}})
		_, data, err := n.pack(tickets)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)-1])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, right := range []bool{false, true} {
			if right && len(data) >= entryHeader {
				data = bytes.Clone(data)
				binary.LittleEndian.PutUint32(data, journal.Sum(data[4:]))
			}
			id, envs, err := unpack(data)
			if err != nil {
				continue
			}
			if id != batchID(data[4:entryHeader]) {
				t.Fatal("another batch")
			}
			for _, env := range envs {
				b, err := env.appendCBOR(nil)
				if err != nil {
					t.Fatal(err)
				}
				again := new(envelope)
				if err := journal.Decoding.Unmarshal(b, again); err != nil {
					t.Fatalf("%+v was read and cannot be read again: %v", env, err)
				}
			}
		}
	})
}

// TestUnpackIsTheWayBack, and every flipped bit and cut of an entry is named.
func TestUnpackIsTheWayBack(t *testing.T) {
	n := &Node{opt: Options{Clock: func() moongate.Time { return 5 }}}
	want := []*envelope{
		{Kind: "a", Caller: "ann", Key: [16]byte{1}, Print: [16]byte{2}, Seed: [32]byte{3}, Body: []byte{0xa0}},
		{Kind: "b", Effect: 7, Body: []byte{0xa0}, At: 3, Vault: []Secret{{Subject: moongate.ID{13}, Key: [32]byte{9}}}},
	}
	_, data, err := n.pack([]*ticket{{env: *want[0]}, {env: *want[1]}})
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := unpack(data)
	if err != nil {
		t.Fatal(err)
	}
	want[0].At = 5 // a command without a time has its batch's
	for i := range want {
		a, errA := want[i].appendCBOR(nil)
		b, errB := got[i].appendCBOR(nil)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("command %d is %+v, not %+v", i, got[i], want[i])
		}
	}
	for i := range data {
		for bit := range 8 {
			flip := bytes.Clone(data)
			flip[i] ^= 1 << bit
			if _, _, err := unpack(flip); err == nil {
				t.Errorf("bit %d of byte %d passed", bit, i)
			}
		}
		if _, _, err := unpack(data[:i]); err == nil {
			t.Errorf("the first %d bytes of %d passed", i, len(data))
		}
	}
}
