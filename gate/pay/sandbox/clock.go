package sandbox

import (
	"container/heap"
	"sync"
	"time"
)

// Clock is a virtual clock for tests of and with a wallet: time passes when Advance says so, and what was put off runs
// on the way, in order. Give its Now and After to [Config].
type Clock struct {
	mu    sync.Mutex // guards what follows; not held while something runs
	now   time.Time
	queue dues
	count int
}

// due is something put off.
type due struct {
	at  time.Time
	nth int
	run func()
}

type dues []due

func (d dues) Len() int { return len(d) }
func (d dues) Less(i, j int) bool {
	return d[i].at.Before(d[j].at) || d[i].at.Equal(d[j].at) && d[i].nth < d[j].nth
}
func (d dues) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *dues) Push(x any)   { *d = append(*d, x.(due)) }
func (d *dues) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// NewClock begins at a time.
func NewClock(at time.Time) *Clock { return &Clock{now: at} }

// Now is the virtual time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// After puts something off.
func (c *Clock) After(d time.Duration, run func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	heap.Push(&c.queue, due{c.now.Add(d), c.count, run})
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	until := c.Now().Add(d)
	for {
		c.mu.Lock()
		if len(c.queue) == 0 || c.queue[0].at.After(until) {
			c.now = until
			c.mu.Unlock()
			return
		}
		next := heap.Pop(&c.queue).(due)
		c.now = next.at
		c.mu.Unlock()
		next.run()
	}
}
