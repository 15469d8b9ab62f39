package link

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/replica"
)

// RecorderOptions say how a recorder works. What is zero takes the default.
type RecorderOptions struct {
	Hub    moongate.Hub
	Tokens *Tokens
	Random io.Reader // names the recorder
	// Submit has a command decided, and returns when its outcome is durable.
	Submit func(context.Context, replica.Request) (any, error)
	Now    func() moongate.Time
	Every  time.Duration // how long a click waits for others; 100 ms
	Room   int           // clicks that wait at most, those under way included; 100,000
	// OnError is told of what could not be recorded; for the log.
	OnError func(error)
}

// Recorder counts clicks in memory and has them recorded in batches, in order. Until then a crash can take them: at
// most those of Every and of the batch under way, and at most Room. Their tokens bring them back with their sales.
type Recorder struct {
	opt  RecorderOptions
	wake chan struct{}

	flushing sync.Mutex    // held while a batch is under way; taken before mu
	batch    *RecordClicks // under way; sent again unchanged until its outcome is known
	mets     uint64        // batches so far that had no clicks

	mu    sync.Mutex // guards what follows; held for the time of an append
	id    uint64
	next  uint64 // number of the next click
	lines []Line
	met   map[met]*Stopped
	sent  int // lines of the batch under way
	over  uint64
	stats Stats
}

type met struct {
	link  string
	block moongate.ID
}

// uncounted is the recorder of clicks that found no room. It never records any.
const uncounted = ^uint64(0)

// Stats is what a recorder shows of its loss window.
type Stats struct {
	Waiting   int           `json:"waiting"`         // clicks that a crash would take now
	Oldest    moongate.Time `json:"oldest,omitzero"` // when the oldest of them was made
	Recorded  uint64        `json:"recorded"`        // durable
	Uncounted uint64        `json:"uncounted"`       // that found no room
	Abandoned uint64        `json:"abandoned"`       // that were turned down
	Every     time.Duration `json:"every_ns"`        // the window by time: this and one batch
	Room      int           `json:"room"`            // the window by number
}

// NewRecorder makes a recorder with a name that no other has.
func NewRecorder(opt RecorderOptions) (*Recorder, error) {
	if opt.Every == 0 {
		opt.Every = 100 * time.Millisecond
	}
	if opt.Room == 0 {
		opt.Room = 100_000
	}
	if opt.OnError == nil {
		opt.OnError = func(error) {}
	}
	r := &Recorder{opt: opt, wake: make(chan struct{}, 1), met: map[met]*Stopped{}}
	return r, r.begin()
}

// begin draws a name and starts counting at 1.
func (r *Recorder) begin() error {
	var b [8]byte
	if _, err := io.ReadFull(r.opt.Random, b[:]); err != nil {
		return fmt.Errorf("naming a recorder of clicks: %w", err)
	}
	r.id, r.next = binary.BigEndian.Uint64(b[:]), 1
	if r.id == 0 || r.id == uncounted {
		return fmt.Errorf("naming a recorder of clicks: the source of randomness gave %x", b)
	}
	return nil
}

// Click counts an opening of a resolved link and gives the click for its token.
func (r *Recorder) Click(l *Resolution, device Device, at moongate.Time) Click {
	c := l.click(moongate.ID{}, at)
	r.mu.Lock()
	if len(r.lines)+r.sent >= r.opt.Room {
		r.over++
		r.stats.Uncounted++
		c.Recorder, c.Number = uncounted, r.over
		c.ID = r.opt.Tokens.Name(r.opt.Hub, r.id, 1<<63|r.over)
		r.mu.Unlock()
		return c
	}
	c.Recorder, c.Number = r.id, r.next
	c.ID = r.opt.Tokens.Name(r.opt.Hub, r.id, r.next)
	r.next++
	r.lines = append(r.lines, Line{ID: c.ID, Link: c.Link, At: at, Device: device})
	full := len(r.lines) >= MaxBatch
	r.mu.Unlock()
	if full {
		r.hurry()
	}
	return c
}

// Met counts an opening that met a block.
func (r *Recorder) Met(code string, block moongate.ID, at moongate.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := met{code, block}
	s := r.met[k]
	if s == nil {
		if len(r.met) >= maxMet {
			return // evidence of as many is enough for one batch
		}
		s = &Stopped{Link: code, Block: block, First: at}
		r.met[k] = s
	}
	s.Count++
	s.Last = max(s.Last, at)
}

func (r *Recorder) hurry() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run records batches until the context ends, and then what is left.
func (r *Recorder) Run(ctx context.Context) {
	t := time.NewTicker(r.opt.Every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			r.flushed(last)
			return
		case <-t.C:
		case <-r.wake:
		}
		r.flushed(ctx)
	}
}

func (r *Recorder) flushed(ctx context.Context) {
	if err := r.Flush(ctx); err != nil && ctx.Err() == nil {
		r.opt.OnError(err)
	}
}

// Flush records all that waits, and returns when it is durable. What comes meanwhile waits for the next call: else a
// stream of clicks would be recorded in batches as small as the disk is fast. What fails for want of an answer stays and
// is sent again by the next call.
func (r *Recorder) Flush(ctx context.Context) error {
	r.flushing.Lock()
	defer r.flushing.Unlock()
	r.mu.Lock()
	until := r.next
	r.mu.Unlock()
	for mets := true; ; {
		if r.batch == nil {
			if !r.take(until, mets) {
				return nil
			}
			mets = false
		}
		if err := r.send(ctx); err != nil {
			return err
		}
	}
}

// take makes the next batch of what waits before the click with a number, and of the openings that met a block where it
// is to, and tells whether there is any.
func (r *Recorder) take(until uint64, mets bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next-uint64(len(r.lines)) >= until && (!mets || len(r.met) == 0) {
		return false
	}
	n := min(len(r.lines), MaxBatch)
	b := &RecordClicks{Recorder: r.id, First: r.next - uint64(len(r.lines)), Clicks: slices.Clone(r.lines[:n])}
	if r.lines = r.lines[n:]; len(r.lines) == 0 {
		r.lines = nil
	}
	for _, s := range r.met {
		b.Stopped = append(b.Stopped, *s)
	}
	slices.SortFunc(b.Stopped, func(x, y Stopped) int {
		if x.Link != y.Link {
			return compare(x.Link, y.Link)
		}
		return compare(string(x.Block[:]), string(y.Block[:]))
	})
	clear(r.met)
	if n == 0 {
		r.mets++
	}
	r.batch, r.sent = b, n
	return true
}

func compare(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// send submits the batch under way, again and again while the outcome is not known. A batch that is turned down is
// given up, and the recorder begins anew under another name: the clicks count as lost, and come back with their sales.
func (r *Recorder) send(ctx context.Context) error {
	b := r.batch
	request := replica.Request{Command: b}
	if len(b.Clicks) == 0 { // a number tells a batch of clicks that comes again, and costs no memory for keys
		request.Key = fmt.Sprintf("met/%x/%d", b.Recorder, r.mets)
	}
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		_, err := r.opt.Submit(ctx, request)
		switch moongate.CodeOf(err) {
		case "":
			r.settle(uint64(len(b.Clicks)), 0)
			return nil
		case moongate.Unknown, moongate.Busy:
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return fmt.Errorf("recording %d clicks: %w", len(b.Clicks), err)
			case <-timer.C:
			}
		default:
			if ctx.Err() != nil { // not an answer
				return fmt.Errorf("recording %d clicks: %w", len(b.Clicks), err)
			}
			return r.abandon(len(b.Clicks), err)
		}
	}
}

func (r *Recorder) settle(recorded, abandoned uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Recorded += recorded
	r.stats.Abandoned += abandoned
	r.batch, r.sent = nil, 0
}

// abandon gives up the batch and all clicks behind it, whose numbers cannot be recorded without it.
func (r *Recorder) abandon(n int, cause error) error {
	r.mu.Lock()
	n += len(r.lines)
	r.lines = nil
	err := r.begin()
	r.mu.Unlock()
	r.settle(0, uint64(n))
	if err != nil {
		return err
	}
	return fmt.Errorf("%d clicks were turned down, and will be recorded with their sales only: %w", n, cause)
}

// Stats shows the loss window.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Every, s.Room, s.Waiting = r.opt.Every, r.opt.Room, len(r.lines)+r.sent
	switch {
	case r.sent > 0:
		s.Oldest = r.batch.Clicks[0].At
	case len(r.lines) > 0:
		s.Oldest = r.lines[0].At
	}
	return s
}
