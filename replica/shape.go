package replica

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/moongate-hub/moongate/journal"
)

// Shape is a type whose CBOR form outlives the process: it stands in the journal, in snapshots or in raft's log. Fields
// of it may be added, with omitempty, and never change their meaning.
type Shape struct {
	Name string // as "event core.ticked", "command core.tick", "answer core.tick" or "table core.keys"
	Type reflect.Type
}

// Shapes lists every shape of the machine's rooms, by name.
func (m *Machine) Shapes() []Shape {
	var all []Shape
	for _, r := range m.rooms {
		for _, e := range r.Events() {
			all = append(all, Shape{"event " + e.EventKind(), reflect.TypeOf(e).Elem()})
		}
		for _, t := range r.Tables() {
			all = append(all, Shape{"table " + r.Name() + "." + t.name(), t.item()})
		}
	}
	for kind, h := range m.handlers {
		all = append(all, Shape{"command " + kind, h.takes}, Shape{"answer " + kind, h.gives})
	}
	all = append(all,
		Shape{"journal record", reflect.TypeFor[journal.Record]()}, Shape{"raft command", reflect.TypeFor[envelope]()},
		Shape{"snapshot header", reflect.TypeFor[snapshotHeader]()}, Shape{"snapshot title", reflect.TypeFor[tableTitle]()})
	slices.SortFunc(all, func(a, b Shape) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Mark is the state as it was at one moment. It can be looked at while the live one goes on, and is to be released.
type Mark struct{ image *image }

// Mark freezes the state, which costs a constant.
func (m *Machine) Mark() *Mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Mark{m.freeze()}
}

// Position is the last event's.
func (k *Mark) Position() journal.Position { return k.image.next - 1 }

// Hash is what [Machine.NodeHash] was.
func (k *Mark) Hash() ([32]byte, error) { return k.image.hash(0) }

// Release lets the tables write in place again.
func (k *Mark) Release() { k.image.release() }

// TableHashes are what [Machine.NodeHash] is made of: the number of entries and a hash of them, by room and table.
func (m *Machine) TableHashes() (map[string]string, error) {
	k := m.Mark()
	defer k.Release()
	all := map[string]string{}
	for _, r := range k.image.rooms {
		for _, t := range r.tables {
			name := r.name + "." + t.name
			h, err := tableHash(name, t.frozen)
			if err != nil {
				return nil, fmt.Errorf("replica: hash of %s: %w", name, err)
			}
			all[name] = fmt.Sprintf("%d %x", t.len(), h)
		}
	}
	return all, nil
}
