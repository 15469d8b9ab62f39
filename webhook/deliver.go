package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/effect"
	"github.com/moongate-hub/moongate/journal"
	"github.com/moongate-hub/moongate/replica"
)

// Options of a deliverer.
type Options struct {
	State  *State
	Read   func(func()) // the machine's
	Submit func(context.Context, replica.Request) (any, error)
	Leads  func() bool
	// Durable is how far the journal is, and a channel that is closed when it is further.
	Durable func() (journal.Position, <-chan struct{})
	// Events gives what a participant may see behind a position, oldest first; next is where to go on.
	Events func(ctx context.Context, owner string, after journal.Position, limit int) (messages []Message, next journal.Position, more bool, err error)
	// Follow has the newest events kept ready for Heard, until the function that it gives is called.
	Follow func() (leave func())
	// Heard tells of the events behind a position who may see them, and how far it got. It is not ok where too many came
	// at once.
	Heard func(after journal.Position, visit func(kind string, readers []string, public bool)) (next journal.Position, ok bool)
	// Event gives one event as a participant may see it, nil where it may not.
	Event func(owner string, at journal.Position) (*Message, error)
	// Key is an endpoint's signing key.
	Key    func(webhook moongate.ID, generation int) []byte
	Poster *Poster
	Now    func() time.Time
	// Pauses are those between the tries of one message; after the last it is laid aside. Nil: 5 s to 4 h, nine tries.
	Pauses []time.Duration
	// OnError is told of what keeps the deliverer itself from working.
	OnError func(error)
}

var usualPauses = []time.Duration{
	5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour,
}

const (
	pageSize  = 20      // messages between two reports
	lanesWide = 128     // endpoints that are posted to at once
	lanesEach = 4       // of them, one participant's
	idleStep  = 100_000 // events after which an idle endpoint's position is noted, so that a restart need not look through them
)

// Deliverer posts events to endpoints while this node leads: in order for each, many at once in all.
type Deliverer struct {
	opt    Options
	slots  chan struct{}
	owners places
	work   sync.WaitGroup

	mu    sync.Mutex // guards lanes and what is in them
	lanes map[moongate.ID]*lane
}

// lane is an endpoint at work.
type lane struct {
	running bool
	again   bool          // something may have come while it ran
	quit    chan struct{} // closed when its endpoint is deleted while it waits to try again
	at      journal.Position
	tries   int       // of the message behind at
	due     time.Time // before which it is not tried again
	done    []Delivery
}

func (l *lane) idle() bool { return !l.running && l.due.IsZero() && l.tries == 0 }

// NewDeliverer makes a deliverer; Run has it work.
func NewDeliverer(o Options) *Deliverer {
	if o.Pauses == nil {
		o.Pauses = usualPauses
	}
	return &Deliverer{opt: o, slots: make(chan struct{}, lanesWide), owners: places{width: lanesEach}, lanes: map[moongate.ID]*lane{}}
}

// Run delivers until the context ends. On a node that does not lead it waits.
func (d *Deliverer) Run(ctx context.Context) {
	defer d.work.Wait()
	var seen journal.Position
	var leave func()
	defer func() {
		if leave != nil {
			leave()
		}
	}()
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for ctx.Err() == nil {
		at, moved := d.opt.Durable()
		switch work := d.opt.Leads() && d.any(); {
		case !work && leave != nil: // another leads and moves the cursors, or there is nothing to do
			leave()
			leave = nil
			d.sweep(func(moongate.ID, *lane) bool { return true })
		case work && leave == nil:
			leave, seen = d.opt.Follow(), at
			d.wakeAll(ctx)
		case work:
			seen = d.dispatch(ctx, seen, at)
		}
		select {
		case <-ctx.Done():
		case <-moved:
		case <-t.C:
			d.sweep(func(id moongate.ID, l *lane) bool {
				_, ok := d.opt.State.Lookup(id)
				return !ok && !l.running
			})
		}
	}
}

// sweep lets go of endpoints: those that were deleted may wait to be tried again for hours.
func (d *Deliverer) sweep(gone func(moongate.ID, *lane) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opt.Read(func() {
		for id, l := range d.lanes {
			if !gone(id, l) {
				continue
			}
			if l.quit != nil {
				close(l.quit)
				l.quit = nil
			}
			delete(d.lanes, id)
		}
	})
}

// any tells whether there is an endpoint at all.
func (d *Deliverer) any() (some bool) {
	d.opt.Read(func() { some = d.opt.State.endpoints.Len() > 0 })
	return some
}

// dispatch wakes the endpoints of those who may see what came.
func (d *Deliverer) dispatch(ctx context.Context, seen, at journal.Position) journal.Position {
	owners, everybody := map[string]bool{}, false
	next, ok := d.opt.Heard(seen, func(kind string, readers []string, public bool) {
		if kind == "webhook.progressed" || kind == "webhook.redelivered" {
			return
		}
		everybody = everybody || public
		for _, r := range readers {
			owners[r] = true
		}
	})
	if !ok || everybody {
		d.wakeAll(ctx)
		if !ok {
			return at
		}
	}
	for owner := range owners {
		d.wake(ctx, owner)
	}
	d.noteIdle(ctx, next)
	return next
}

// wakeAll has every endpoint look for something to send.
func (d *Deliverer) wakeAll(ctx context.Context) {
	var ids []moongate.ID
	d.opt.Read(func() {
		for _, all := range d.opt.State.byOwner {
			ids = append(ids, all...)
		}
	})
	for _, id := range ids {
		d.start(ctx, id)
	}
}

func (d *Deliverer) wake(ctx context.Context, owner string) {
	var ids []moongate.ID
	d.opt.Read(func() { ids = d.opt.State.Of(owner) })
	for _, id := range ids {
		d.start(ctx, id)
	}
}

// start has an endpoint's lane run, unless it does, or waits to try again.
func (d *Deliverer) start(ctx context.Context, id moongate.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lanes[id]
	if l == nil {
		l = &lane{}
		d.lanes[id] = l
	}
	if l.running {
		l.again = true
		return
	}
	if l.due.After(d.opt.Now()) {
		return // a timer starts it
	}
	l.running = true
	d.work.Add(1)
	go func() {
		defer d.work.Done()
		d.run(ctx, id, l)
	}()
}

func (d *Deliverer) run(ctx context.Context, id moongate.ID, l *lane) {
	for {
		wait := d.drain(ctx, id, l)
		d.mu.Lock()
		if wait == 0 && l.again && ctx.Err() == nil && d.lanes[id] == l {
			l.again = false
			d.mu.Unlock()
			continue
		}
		l.running, l.again, l.due = false, false, time.Time{}
		if gone := d.gone(id); gone && d.lanes[id] == l {
			delete(d.lanes, id)
		}
		if wait > 0 && ctx.Err() == nil {
			quit := make(chan struct{})
			l.due, l.quit = d.opt.Now().Add(wait), quit
			d.work.Add(1)
			go func() {
				defer d.work.Done()
				t := time.NewTimer(wait)
				defer t.Stop()
				select {
				case <-ctx.Done():
				case <-quit:
				case <-t.C:
					d.mu.Lock()
					l.due, l.quit = time.Time{}, nil
					d.mu.Unlock()
					d.start(ctx, id)
				}
			}()
		}
		d.mu.Unlock()
		return
	}
}

// drain sends what there is, in order, until nothing is left or a try fails: then it gives the pause before the next.
func (d *Deliverer) drain(ctx context.Context, id moongate.ID, l *lane) time.Duration {
	e, ok := d.endpoint(id)
	if !ok {
		l.tries = 0
		return 0
	}
	leave, err := d.owners.enter(ctx, e.Owner)
	if err != nil {
		return 0
	}
	defer leave()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return 0
	}
	for ctx.Err() == nil && d.opt.Leads() {
		e, ok := d.endpoint(id)
		if !ok {
			l.tries = 0
			return 0
		}
		l.at = max(l.at, e.Through)
		messages, next, more, err := d.opt.Events(ctx, e.Owner, l.at, pageSize)
		if err != nil {
			d.failed(ctx, fmt.Errorf("webhook %s: %w", id, err))
			return time.Second
		}
		for i := range messages {
			if m := &messages[i]; e.Wants(m.Kind) {
				if wait := d.deliver(ctx, id, &e, l, m); wait != 0 || ctx.Err() != nil {
					return wait
				}
			}
			l.at = max(l.at, messages[i].Position)
		}
		l.at = max(l.at, next)
		if len(l.done) > 0 {
			d.report(ctx, id, l, &Progress{})
		}
		if !more {
			return 0
		}
	}
	return 0
}

func (d *Deliverer) gone(id moongate.ID) (gone bool) {
	d.opt.Read(func() { _, ok := d.opt.State.Lookup(id); gone = !ok })
	return gone
}

// endpoint reads an endpoint that may be posted to.
func (d *Deliverer) endpoint(id moongate.ID) (e Endpoint, ok bool) {
	d.opt.Read(func() {
		if e, ok = d.opt.State.Lookup(id); ok && e.Disabled == "" {
			_, err := d.opt.State.parties.Active(e.Owner)
			ok = err == nil
		} else {
			ok = false
		}
	})
	return e, ok
}

// deliver tries a message once. It gives 0 where the message is done with, else the pause before the next try.
func (d *Deliverer) deliver(ctx context.Context, id moongate.ID, e *Endpoint, l *lane, m *Message) time.Duration {
	r := d.opt.Poster.post(ctx, e.URL, d.keys(id, e), m)
	if ctx.Err() != nil {
		return 0
	}
	if l.tries++; r.failed == "" || l.tries > len(d.opt.Pauses) {
		d.note(ctx, id, e, l, m, r)
		return 0
	}
	if len(l.done) > 0 { // what was taken before this ended any failing
		d.report(ctx, id, l, &Progress{})
		e.Failing = 0
	}
	p := &Progress{Failing: true, Gone: r.status == http.StatusGone}
	if e.Failing == 0 || p.Gone {
		d.report(ctx, id, l, p)
		e.Failing = moongate.At(d.opt.Now())
	}
	return max(r.wait, spread(d.opt.Pauses[l.tries-1], id, m.Position))
}

// note keeps what became of a message that is done with: taken, or laid aside after its last try.
func (d *Deliverer) note(ctx context.Context, id moongate.ID, e *Endpoint, l *lane, m *Message, r result) {
	if r.failed != "" && len(l.done) > 0 {
		d.report(ctx, id, l, &Progress{})
	}
	l.done = append(l.done, Delivery{Event: m.Position, Kind: m.Kind, At: moongate.At(d.opt.Now()), Tries: l.tries, Status: r.status, Error: r.failed})
	l.at, l.tries = m.Position, 0
	if r.failed != "" {
		d.report(ctx, id, l, &Progress{Failing: true})
		e.Failing = max(e.Failing, 1)
	} else if len(l.done) == maxReport {
		d.report(ctx, id, l, &Progress{})
	}
}

// report tells the machine how far an endpoint is. Where that fails, the next report tells it too.
func (d *Deliverer) report(ctx context.Context, id moongate.ID, l *lane, p *Progress) {
	p.Webhook, p.Through, p.Deliveries = id, l.at, l.done
	if _, err := d.opt.Submit(ctx, replica.Request{Command: p}); err != nil {
		d.failed(ctx, fmt.Errorf("webhook %s: %w", id, err))
		l.done = l.done[max(0, len(l.done)-maxReport/2):]
		return
	}
	l.done = nil
}

// noteIdle moves the cursors of endpoints that have had nothing to send for long.
func (d *Deliverer) noteIdle(ctx context.Context, seen journal.Position) {
	var idle []moongate.ID
	d.mu.Lock()
	for id, l := range d.lanes {
		if l.idle() && l.at+idleStep < seen {
			idle = append(idle, id)
		}
	}
	d.mu.Unlock()
	for _, id := range idle {
		e, ok := d.endpoint(id)
		if !ok {
			continue // a disabled one goes on where it stood
		}
		d.mu.Lock()
		l := d.lanes[id]
		still := l != nil && l.idle()
		if still {
			l.at = seen // all that came until now has woken whom it concerns
		}
		d.mu.Unlock()
		if !still {
			continue
		}
		if _, err := d.opt.Submit(ctx, replica.Request{Command: &Progress{Webhook: id, Through: seen, Failing: e.Failing != 0}}); err != nil {
			d.failed(ctx, fmt.Errorf("webhook %s: %w", id, err))
		}
	}
}

func (d *Deliverer) failed(ctx context.Context, err error) {
	if d.opt.OnError != nil && ctx.Err() == nil {
		d.opt.OnError(err)
	}
}

// keys are those that sign: the newest, and for a day the one before.
func (d *Deliverer) keys(id moongate.ID, e *Endpoint) [][]byte {
	keys := [][]byte{d.opt.Key(id, e.Generation)}
	if e.Rotated != 0 && moongate.At(d.opt.Now()) < e.Rotated+Overlap {
		keys = append(keys, d.opt.Key(id, e.Generation-1))
	}
	return keys
}

// spread is a pause, give or take a tenth: what failed together does not come back together.
func spread(pause time.Duration, id moongate.ID, at journal.Position) time.Duration {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(id[:], uint64(at)))
	return pause - pause/10 + pause/5*time.Duration(sum[0])/256
}

// Redeliver is the effect of [RedeliveryAsked]: the event is posted once, and what became of it is reported.
func (d *Deliverer) Redeliver() effect.Handler {
	return effect.HandlerFunc(func(ctx context.Context, entry journal.Entry) (replica.Command, error) {
		ask := entry.Event.(*RedeliveryAsked)
		out := &Outcome{Webhook: ask.Webhook, Delivery: Delivery{Event: ask.Event, Tries: 1, At: moongate.At(d.opt.Now())}}
		e, ok := d.endpoint(ask.Webhook)
		if !ok {
			out.Delivery.Error = "the webhook is disabled or was deleted"
			return out, nil
		}
		m, err := d.opt.Event(ask.Owner, ask.Event)
		if err != nil {
			return nil, err
		}
		if m == nil || strings.HasPrefix(m.Kind, "webhook.") {
			out.Delivery.Error = "the event is not one that is delivered"
			return out, nil
		}
		r := d.opt.Poster.post(ctx, e.URL, d.keys(ask.Webhook, &e), m)
		out.Delivery.Kind, out.Delivery.Status, out.Delivery.Error = m.Kind, r.status, r.failed
		return out, nil
	})
}
