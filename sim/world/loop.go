package world

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// Loop runs what is due, in order of time and then of planning, on the goroutine that calls [Loop.Run].
type Loop struct {
	wall func() time.Time // nil: virtual

	mu      sync.Mutex // guards what follows; never held while something runs
	now     time.Time  // virtual
	queue   plans
	planned int
	stopped bool
	poke    chan struct{}
}

// Virtual makes a loop whose clock stands still while something runs and jumps to what is due next.
func Virtual(start time.Time) *Loop { return &Loop{now: start, poke: make(chan struct{}, 1)} }

// Wall makes a loop under the clock on the wall.
func Wall(now func() time.Time) *Loop {
	return &Loop{wall: now, poke: make(chan struct{}, 1)}
}

// Now is the time.
func (l *Loop) Now() time.Time {
	if l.wall != nil {
		return l.wall()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// IsVirtual tells whose clock it is. It is for whoever drives the loop; nothing in the world may ask.
func (l *Loop) IsVirtual() bool { return l.wall == nil }

// After plans something: after a while, on the loop's goroutine. It may be called from any goroutine.
func (l *Loop) After(d time.Duration, run func()) { l.At(l.Now().Add(max(d, 0)), run) }

// At is [Loop.After] with a time.
func (l *Loop) At(at time.Time, run func()) {
	l.mu.Lock()
	l.planned++
	heap.Push(&l.queue, plan{at: at, nth: l.planned, run: run})
	l.mu.Unlock()
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

// Len counts what is planned.
func (l *Loop) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// Stop has Run return before it begins anything else.
func (l *Loop) Stop() {
	l.mu.Lock()
	l.stopped = true
	l.mu.Unlock()
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

// Run runs what is due until a time, or until stopped. Behind each thing it calls after, unless that is nil.
func (l *Loop) Run(ctx context.Context, until time.Time, after func(context.Context) error) error {
	for {
		run, pause, ok := l.next(until)
		if !ok {
			return ctx.Err()
		}
		if pause > 0 {
			if err := l.sleep(ctx, pause); err != nil {
				return err
			}
			continue
		}
		run()
		if err := ctx.Err(); err != nil {
			return err
		}
		if after != nil {
			if err := after(ctx); err != nil {
				return err
			}
		}
	}
}

// next takes out what is due, or says how long to wait for it. It is not ok when nothing is left to do until the end.
func (l *Loop) next(until time.Time) (run func(), pause time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		l.stopped = false
		return nil, 0, false
	}
	at := until
	if len(l.queue) > 0 && l.queue[0].at.Before(until) {
		at = l.queue[0].at
	}
	if l.wall != nil {
		if d := at.Sub(l.wall()); d > 0 {
			return nil, d, true
		}
	} else if at.After(l.now) {
		l.now = at
	}
	if len(l.queue) == 0 || !l.queue[0].at.Before(until) {
		return nil, 0, false
	}
	return heap.Pop(&l.queue).(plan).run, 0, true
}

func (l *Loop) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.poke:
	case <-t.C:
	}
	return nil
}

// plan is one thing to run.
type plan struct {
	at  time.Time
	nth int
	run func()
}

type plans []plan

func (p plans) Len() int { return len(p) }
func (p plans) Less(i, j int) bool {
	if !p[i].at.Equal(p[j].at) {
		return p[i].at.Before(p[j].at)
	}
	return p[i].nth < p[j].nth
}
func (p plans) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *plans) Push(x any)   { *p = append(*p, x.(plan)) }

func (p *plans) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
