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
	"sort"
	"strings"
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

// Later is the error of a handler whose peer is at it: there is no outcome yet, and nothing has failed. It is asked again with
// growing pauses, for as long as it takes, which is no try; and it takes no room from the effects behind it.
type Later struct {
	Why string
}

// Error says why.
func (l *Later) Error() string { return l.Why }

// HandlerFunc is a function as a Handler.
type HandlerFunc func(ctx context.Context, e journal.Entry) (replica.Command, error)

// Handle calls the function.
func (f HandlerFunc) Handle(ctx context.Context, e journal.Entry) (replica.Command, error) {
	return f(ctx, e)
}

// Options of a runner; what is zero takes the default.
type Options struct {
	// Now is the clock that pauses between tries are measured by; nil means the node's.
	Now      func() time.Time
	Width    int           // calls at once per peer; 8
	Queue    int           // effects per peer that are held here; 1,024. The others wait in the machine's state
	MaxTries int           // before an effect is buried; 16
	First    time.Duration // pause after the first failure, doubled each time; 500 ms
	Longest  time.Duration // pause; 5 min
	Timeout  time.Duration // of one call; 20 s
	// Wait tells that effects of a kind may not be begun now. They wait, which is no try.
	Wait func(kind string) bool
	// OnError is told of every failed try; for the log.
	OnError func(peer string, at journal.Position, tries int, err error)
}

// Runner works on pending effects.
type Runner struct {
	node     *replica.Node
	handlers map[string]Handler
	opt      Options

	mu      sync.Mutex
	peers   map[string]*peer
	seen    map[journal.Position]bool // queued or running
	term    int                       // goes up with every time that this node begins or ceases to lead
	elapsed time.Duration             // since the runner began to look at the clock
	looked  time.Time
	wake    chan struct{}
}

// peer is the effects of one peer that are held here, at most Options.Queue.
type peer struct {
	name    string
	waiting waiting
	later   int // of them, those whose peer is at it
	running int
	failing int              // tries in a row without success
	last    string           // error
	after   journal.Position // up to here the machine's queue was taken over
	turn    uint64           // of the machine's queue
}

// Queue is what one peer's queue looks like.
type Queue struct {
	Peer    string           `json:"peer"`
	Waiting int              `json:"waiting"` // those that run included
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
	if opt.Queue == 0 {
		opt.Queue = 1024
	}
	if opt.Now == nil {
		opt.Now = func() time.Time { return n.Clock().Go() }
	}
	return &Runner{node: n, handlers: handlers, opt: opt, peers: map[string]*peer{}, seen: map[journal.Position]bool{}, wake: make(chan struct{}, 1)}
}

// Run works until the context ends. On a node that does not lead it waits; calls that run when the node ceases to lead
// are broken off.
func (r *Runner) Run(ctx context.Context) {
	var calls sync.WaitGroup
	defer calls.Wait()
	var lead *leading
	defer func() { lead.resign() }()
	for ctx.Err() == nil {
		at, moved := r.node.Durable()
		pause := time.Second
		switch leads := r.node.Leads(); {
		case !leads && lead != nil:
			lead.resign()
			lead = nil
			r.forget()
		case leads && lead == nil:
			// Everything that an earlier leader committed must be applied before its effects are looked at.
			if r.node.Current(ctx) == nil {
				lead = newLeading(ctx)
				r.forget()
			}
		}
		if lead != nil {
			r.gather(at)
			pause = r.start(lead.ctx, &calls)
		}
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
		if r.opt.Wait != nil && r.opt.Wait(p.Kind) {
			continue
		}
		c, err := r.call(ctx, p.Position, p.Kind)
		if ctx.Err() != nil {
			break
		}
		var later *Later
		if errors.As(err, &later) {
			continue
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

// leading is a time in which this node leads.
type leading struct {
	ctx  context.Context
	stop context.CancelFunc
}

func newLeading(parent context.Context) *leading {
	l := new(leading)
	l.ctx, l.stop = context.WithCancel(parent)
	return l
}

func (l *leading) resign() {
	if l != nil {
		l.stop()
	}
}

// gather takes over from the machine's queues what is durable, in order and as far as there is room.
func (r *Runner) gather(upTo journal.Position) {
	m := r.node.Machine()
	for _, p := range m.Peers() {
		r.mu.Lock()
		q := r.peers[p.Name]
		if q == nil {
			q = &peer{name: p.Name}
			r.peers[p.Name] = q
		}
		if q.turn != p.Turn {
			q.turn, q.after = p.Turn, 0
		}
		room, after := r.opt.Queue-(len(q.waiting)-q.later)-q.running, q.after
		r.mu.Unlock()
		for room > 0 && upTo > 0 {
			list := m.PendingOf(p.Name, after, upTo, room)
			if len(list) == 0 {
				break
			}
			r.mu.Lock()
			for _, e := range list {
				after = e.Position
				if !r.seen[after] {
					r.seen[after] = true
					room--
					heap.Push(&q.waiting, work{kind: e.Kind, at: after, term: r.term})
				}
			}
			q.after = after
			r.mu.Unlock()
		}
	}
}

// forget lets go of what waits, and has all be gathered again: at the beginning and the end of leading.
func (r *Runner) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.term++
	for _, q := range r.peers {
		for _, w := range q.waiting {
			delete(r.seen, w.at)
		}
		q.waiting, q.later, q.after = nil, 0, 0
	}
}

// now is the time since the runner began, by its clock. A clock that is set back or far ahead moves it little.
func (r *Runner) now() time.Duration {
	at := r.opt.Now()
	if !r.looked.IsZero() {
		r.elapsed += min(max(at.Sub(r.looked), 0), 10*time.Second)
	}
	r.looked = at
	return r.elapsed
}

// start begins every call that is due and has room, and gives the time until the next is due.
func (r *Runner) start(ctx context.Context, calls *sync.WaitGroup) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	pause := time.Second
	now := r.now()
	for name, q := range r.peers {
		if len(q.waiting)+q.running == 0 {
			delete(r.peers, name) // where the machine has more for it, gather makes it again
			continue
		}
		for len(q.waiting) > 0 && q.running < r.opt.Width {
			if wait := q.waiting[0].due - now; wait > 0 {
				pause = min(pause, wait)
				break
			}
			w := heap.Pop(&q.waiting).(work)
			if w.looks > 0 {
				q.later--
			}
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
	switch {
	case w.term != r.term: // another time of leading has begun: it gathers what is left
		delete(r.seen, w.at)
		q.after = 0
	case again:
		if w.looks > 0 {
			q.later++
		}
		heap.Push(&q.waiting, w)
	default:
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
	m := r.node.Machine()
	if !m.IsPending(w.at) {
		return false
	}
	if r.opt.Wait != nil && r.opt.Wait(w.kind) {
		r.mu.Lock()
		w.due = r.now() + time.Second
		r.mu.Unlock()
		return true
	}
	c, err := r.call(ctx, w.at, w.kind)
	if err == nil {
		_, err = r.node.Submit(ctx, replica.Request{Command: c, Effect: w.at})
	}
	if ctx.Err() != nil {
		return true
	}
	var later *Later
	if errors.As(err, &later) {
		r.mu.Lock()
		w.looks++
		w.due = r.now() + min(r.opt.First<<min(w.looks-1, 20), r.opt.Longest)
		r.mu.Unlock()
		return true
	}
	settled := err == nil || !m.IsPending(w.at) // an outcome that the state refuses settles the effect too
	r.mu.Lock()
	if settled {
		q.failing, q.last = 0, ""
	} else {
		w.tries++
		q.failing++
		q.last = err.Error()
		w.due = r.now() + min(r.opt.First<<min(w.tries-1, 20), r.opt.Longest)
	}
	r.mu.Unlock()
	if err != nil && r.opt.OnError != nil {
		r.opt.OnError(q.name, w.at, w.tries, err)
	}
	if settled || w.tries < r.opt.MaxTries {
		return !settled
	}
	reason := err.Error()
	reason = strings.ToValidUTF8(reason[:min(len(reason), 500)], "")
	_, err = r.node.Submit(ctx, replica.Request{Command: &replica.Bury{Effect: w.at, Tries: w.tries, Reason: reason}})
	return err != nil && m.IsPending(w.at)
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

// Queues shows the queue of every peer for whom effects wait, by name.
func (r *Runner) Queues() []Queue {
	m := r.node.Machine()
	peers := m.Peers()
	out := make([]Queue, 0, len(peers))
	for _, p := range peers {
		s := Queue{Peer: p.Name, Waiting: p.Waiting}
		if first := m.PendingOf(p.Name, 0, 0, 1); len(first) > 0 {
			s.Oldest = first[0].Position
		}
		r.mu.Lock()
		if q := r.peers[p.Name]; q != nil {
			s.Running, s.Failing, s.Error = q.running, q.failing, q.last
		}
		r.mu.Unlock()
		out = append(out, s)
	}
	return out
}

// work is one pending effect in a queue.
type work struct {
	kind  string
	at    journal.Position
	due   time.Duration
	tries int
	looks int // that came to nothing yet
	term  int // in which it was gathered
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
