package replica

import (
	"container/heap"

	"github.com/moongate-hub/moongate"
)

// Due is a list of deadlines, earliest first, equal ones by key. It is derived: a room fills it in its fold and, after
// a restore, in Rebuild. An item may be stale; whoever takes it out checks it against the state.
type Due[K any] struct {
	h dueHeap[K]
}

// NewDue makes an empty list; less orders keys that are due at the same time.
func NewDue[K any](less func(a, b K) bool) *Due[K] { return &Due[K]{dueHeap[K]{less: less}} }

// DueByID is a list of deadlines of things with identifiers.
func DueByID() *Due[moongate.ID] {
	return NewDue(func(a, b moongate.ID) bool { return string(a[:]) < string(b[:]) })
}

// Add notes a deadline.
func (d *Due[K]) Add(at moongate.Time, k K) { heap.Push(&d.h, dueItem[K]{at, k}) }

// Next takes out the earliest item that is due at the given time, if any.
func (d *Due[K]) Next(now moongate.Time) (at moongate.Time, k K, ok bool) {
	if len(d.h.items) == 0 || d.h.items[0].at > now {
		return 0, k, false
	}
	it := heap.Pop(&d.h).(dueItem[K])
	return it.at, it.key, true
}

// Clear empties the list, for Rebuild.
func (d *Due[K]) Clear() { d.h.items = nil }

// Len counts the items, stale ones included.
func (d *Due[K]) Len() int { return len(d.h.items) }

type dueItem[K any] struct {
	at  moongate.Time
	key K
}

type dueHeap[K any] struct {
	items []dueItem[K]
	less  func(a, b K) bool
}

func (h *dueHeap[K]) Len() int { return len(h.items) }
func (h *dueHeap[K]) Less(i, j int) bool {
	if h.items[i].at != h.items[j].at {
		return h.items[i].at < h.items[j].at
	}
	return h.less(h.items[i].key, h.items[j].key)
}
func (h *dueHeap[K]) Swap(i, j int) { h.items[i], h.items[j] = h.items[j], h.items[i] }
func (h *dueHeap[K]) Push(x any)    { h.items = append(h.items, x.(dueItem[K])) }

func (h *dueHeap[K]) Pop() any {
	last := len(h.items) - 1
	it := h.items[last]
	h.items = h.items[:last]
	return it
}
