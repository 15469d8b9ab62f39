package replica

import "github.com/moongate-hub/moongate"

// Due is a list of deadlines, earliest first, equal ones by key. It is derived: a room fills it in its fold and, after
// a restore, in Rebuild. An item may be stale; whoever takes it out checks it against the state.
type Due[K any] struct {
	items long[dueItem[K]] // a heap: each is due before the two below it. A typed one, as each crossing passes through
	less  func(a, b K) bool
}

type dueItem[K any] struct {
	at  moongate.Time
	key K
}

// NewDue makes an empty list; less orders keys that are due at the same time.
func NewDue[K any](less func(a, b K) bool) *Due[K] { return &Due[K]{less: less} }

// DueByID is a list of deadlines of things with identifiers.
func DueByID() *Due[moongate.ID] {
	return NewDue(func(a, b moongate.ID) bool { return string(a[:]) < string(b[:]) })
}

// Add notes a deadline.
func (d *Due[K]) Add(at moongate.Time, k K) {
	d.items.push(dueItem[K]{at, k})
	for i := d.items.len() - 1; i > 0; {
		above := (i - 1) / 2
		if !d.before(i, above) {
			return
		}
		d.swap(i, above)
		i = above
	}
}

// Next takes out the earliest item that is due at the given time, if any.
func (d *Due[K]) Next(now moongate.Time) (at moongate.Time, k K, ok bool) {
	if d.items.len() == 0 || d.items.at(0).at > now {
		return 0, k, false
	}
	d.swap(0, d.items.len()-1)
	first, last := d.items.pop(), d.items.len()
	for i := 0; ; {
		least := i
		for _, below := range [2]int{2*i + 1, 2*i + 2} {
			if below < last && d.before(below, least) {
				least = below
			}
		}
		if least == i {
			return first.at, first.key, true
		}
		d.swap(i, least)
		i = least
	}
}

func (d *Due[K]) before(i, j int) bool {
	a, b := d.items.at(i), d.items.at(j)
	if a.at != b.at {
		return a.at < b.at
	}
	return d.less(a.key, b.key)
}

func (d *Due[K]) swap(i, j int) {
	a, b := d.items.at(i), d.items.at(j)
	*a, *b = *b, *a
}

// Clear empties the list, for Rebuild.
func (d *Due[K]) Clear() { d.items = long[dueItem[K]]{} }

// Len counts the items, stale ones included.
func (d *Due[K]) Len() int { return d.items.len() }
