package pay_test

import (
	"container/heap"
	"time"
)

// clock is virtual: time passes when Advance says so, and what was put off runs on the way, in order.
type clock struct {
	now   time.Time
	queue events
	count int
}

type event struct {
	at  time.Time
	nth int
	run func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].nth < e[j].nth
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func (c *clock) Now() time.Time { return c.now }

func (c *clock) After(d time.Duration, run func()) {
	c.count++
	heap.Push(&c.queue, event{c.now.Add(d), c.count, run})
}

func (c *clock) Advance(d time.Duration) {
	until := c.now.Add(d)
	for len(c.queue) > 0 && !c.queue[0].at.After(until) {
		e := heap.Pop(&c.queue).(event)
		c.now = e.at
		e.run()
	}
	c.now = until
}
