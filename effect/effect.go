// Package effect carries out what events ask of the outside world: a call to a wallet, a message, a webhook.
//
// Pending effects are state: the machine keeps one for each event that a room declared with OnEvent, until a command
// reports its outcome. The [Runner] works on them, on the leader only, at least once. Effects of one peer wait in one
// queue with bounded parallelism, so that a slow wallet delays nobody else; a failure is tried again with growing
// pauses and, after many, buried where an operator sees it. What two leaders do at once is alike, because the key that
// the outside sees derives from the event.
package effect

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// Handler does what an event asks for. It is called at least once an event. The command that it returns tells the
// outcome, an unknown one included; an error means that there is no outcome yet, and the effect is tried again.
type Handler interface {
	Handle(ctx context.Context, e journal.Entry) (replica.Command, error)
}

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, e journal.Entry) (replica.Command, error)

// Handle calls the function.
func (f HandlerFunc) Handle(ctx context.Context, e journal.Entry) (replica.Command, error) {
	return f(ctx, e)
}

// Options of a runner; what is zero takes the default.
type Options struct {
	Width    int           // calls at once per peer; 8
	MaxTries int           // before an effect is buried; 16
	First    time.Duration // pause after the first failure, doubled each time; 500 ms
	Longest  time.Duration // pause; 5 min
	Timeout  time.Duration // of one call; 20 s
	// OnError is told of every failed try; for the log.
	OnError func(peer string, at journal.Position, tries int, err error)
}

// Runner works on pending effects.
type Runner struct {
	node     *replica.Node
	handlers map[string]Handler
	opt      Options

	mu    sync.Mutex
	peers map[string]*peer
	seen  map[journal.Position]bool // queued or running
	wake  chan struct{}
}

type peer struct {
	name    string
	waiting waiting
	running int
	failing int // tries in a row without success
	last    string
}

// Queue is what one peer's queue looks like.
type Queue struct {
	Peer    string           `json:"peer"`
	Waiting int              `json:"waiting"`
	Running int              `json:"running"`
	Failing int              `json:"failing"` // tries since the last success
	Oldest  journal.Position `json:"oldest,omitempty"`
	Error   string           `json:"error,omitempty"`
}

// NewRunner makes a runner with handlers by event kind.
func NewRunner(n *replica.Node, handlers map[string]Handler, opt Options) *Runner {
	if opt.Width == 0 {
		opt.Width = 8
	}
	if opt.MaxTries == 0 {
		opt.MaxTries = 16
	}
	if opt.First == 0 {
		opt.First = 500 * time.Millisecond
	}
	if opt.Longest == 0 {
		opt.Longest = 5 * time.Minute
	}
	if opt.Timeout == 0 {
		opt.Timeout = 20 * time.Second
	}
	return &Runner{node: n, handlers: handlers, opt: opt, peers: map[string]*peer{}, seen: map[journal.Position]bool{}, wake: make(chan struct{}, 1)}
}

// Run works until the context ends. On a node that does not lead it waits.
func (r *Runner) Run(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	led := false
	for ctx.Err() == nil {
		at, moved := r.node.Durable()
		switch leads := r.node.Leads(); {
		case !leads:
			led = false
			r.forget()
		case !led:
			// Everything that an earlier leader committed must be applied before its effects are looked at.
			if err := r.node.Current(ctx); err != nil {
				break
			}
			led = true
			fallthrough
		default:
			r.gather(at)
		}
		pause := r.start(ctx, &calls)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-moved:
		case <-r.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Drain works once on everything that is pending now: for virtual time. Handlers are called one after the other, in
// the events' order, and their outcomes are decided in that order. It gives the number of outcomes.
func (r *Runner) Drain(ctx context.Context) (int, error) {
	var decided sync.WaitGroup
	var failed atomic.Pointer[error]
	n := 0
	for _, p := range r.node.Machine().Pending(0, 0) {
		c, err := r.call(ctx, p.Position, p.Kind)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			if r.opt.OnError != nil {
				r.opt.OnError(p.Peer, p.Position, 1, err)
			}
			continue
		}
		n++
		decided.Add(1)
		r.node.Go(replica.Request{Command: c, Effect: p.Position}, func(_ any, err error) {
			if err != nil {
				err = fmt.Errorf("effect of event %d: %w", p.Position, err)
				failed.CompareAndSwap(nil, &err)
			}
			decided.Done()
		})
	}
	decided.Wait()
	if err := failed.Load(); err != nil {
		return n, *err
	}
	return n, ctx.Err()
}

// gather queues what is pending and not queued.
func (r *Runner) gather(upTo journal.Position) {
	for _, p := range r.node.Machine().Pending(0, upTo) {
		r.mu.Lock()
		if !r.seen[p.Position] {
			r.seen[p.Position] = true
			q := r.peers[p.Peer]
			if q == nil {
				q = &peer{name: p.Peer}
				r.peers[p.Peer] = q
			}
			heap.Push(&q.waiting, work{kind: p.Kind, at: p.Position})
		}
		r.mu.Unlock()
	}
}

func (r *Runner) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.peers {
		for _, w := range q.waiting {
			delete(r.seen, w.at)
		}
		q.waiting = nil
	}
}

// start begins every call that is due and has room, and gives the time until the next is due.
func (r *Runner) start(ctx context.Context, calls *sync.WaitGroup) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	pause := time.Second
	now := monotonic()
	for _, q := range r.peers {
		for len(q.waiting) > 0 && q.running < r.opt.Width {
			if wait := q.waiting[0].due - now; wait > 0 {
				pause = min(pause, wait)
				break
			}
			w := heap.Pop(&q.waiting).(work)
			q.running++
			calls.Add(1)
			go func() {
				defer calls.Done()
				r.work(ctx, q, w)
			}()
		}
	}
	return pause
}

func (r *Runner) work(ctx context.Context, q *peer, w work) {
	again := r.try(ctx, q, &w)
	r.mu.Lock()
	q.running--
	if again {
		heap.Push(&q.waiting, w)
	} else {
		delete(r.seen, w.at)
	}
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// try makes one call and tells whether to try again.
func (r *Runner) try(ctx context.Context, q *peer, w *work) bool {
	if !r.node.Machine().IsPending(w.at) {
		return false
	}
	c, err := r.call(ctx, w.at, w.kind)
	if err == nil {
		_, err = r.node.Submit(ctx, replica.Request{Command: c, Effect: w.at})
	}
	if ctx.Err() != nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		q.failing, q.last = 0, ""
		return false
	}
	w.tries++
	q.failing++
	q.last = err.Error()
	if r.opt.OnError != nil {
		r.opt.OnError(q.name, w.at, w.tries, err)
	}
	if w.tries >= r.opt.MaxTries {
		reason := err.Error()
		go func() {
			// If this fails the effect stays pending, and is gathered again.
			_, _ = r.node.Submit(ctx, replica.Request{Command: &replica.Bury{Effect: w.at, Tries: w.tries, Reason: reason[:min(len(reason), 500)]}}) //nolint:errcheck // see above
		}()
		return false
	}
	w.due = monotonic() + min(r.opt.First<<min(w.tries-1, 20), r.opt.Longest)
	return true
}

func (r *Runner) call(ctx context.Context, at journal.Position, kind string) (c replica.Command, err error) {
	h := r.handlers[kind]
	if h == nil {
		return nil, fmt.Errorf("no handler for the effect of %s", kind)
	}
	e, err := r.node.Journal().Entry(at)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, fmt.Errorf("handling the effect of %s: %v", kind, p)
		}
	}()
	c, err = h.Handle(ctx, e)
	if err == nil && c == nil {
		err = errors.New("the handler told no outcome")
	}
	return c, err
}

// Queues shows every peer's queue, by name.
func (r *Runner) Queues() []Queue {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Queue, 0, len(r.peers))
	for _, q := range r.peers {
		s := Queue{Peer: q.name, Waiting: len(q.waiting), Running: q.running, Failing: q.failing, Error: q.last}
		for _, w := range q.waiting {
			if s.Oldest == 0 || w.at < s.Oldest {
				s.Oldest = w.at
			}
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Queue) int {
		if a.Peer < b.Peer {
			return -1
		}
		return 1
	})
	return out
}

// work is one pending effect in a queue.
type work struct {
	kind  string
	at    journal.Position
	due   time.Duration
	tries int
}

type waiting []work

func (w waiting) Len() int { return len(w) }
func (w waiting) Less(i, j int) bool {
	if w[i].due != w[j].due {
		return w[i].due < w[j].due
	}
	return w[i].at < w[j].at
}
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w *waiting) Push(x any)   { *w = append(*w, x.(work)) }

func (w *waiting) Pop() any {
	last := len(*w) - 1
	x := (*w)[last]
	*w = (*w)[:last]
	return x
}

var (
	_ heap.Interface = (*waiting)(nil)
	_ sort.Interface = waiting(nil)
)
