package hub

import (
	"context"
	"reflect"
	"slices"
	"sync"

	"github.com/moongate-hub/moongate/journal"
)

// feed keeps the newest durable events decoded, with who may read them, so that many readers at the head of the journal
// share the work. It runs only while somebody follows.
type feed struct {
	mu        sync.RWMutex // guards the rest; held for appending and for looking through what is kept
	kept      []fed
	first     journal.Position // of kept; what is before must be read from the journal
	followers int
	stop      context.CancelFunc
	shapes    sync.Map // reflect.Type → []audience
	scans     chan struct{}
	turns     turns // of those that are behind what is kept
}

// turns lets each reader do one thing at a time, however often it asks: who asks often does not crowd others out.
type turns struct {
	mu sync.Mutex // guards of
	of map[string]*turn
}

type turn struct {
	taken   chan struct{}
	waiting int
}

// take waits for a reader's turn.
func (t *turns) take(ctx context.Context, reader string) (leave func(), err error) {
	t.mu.Lock()
	if t.of == nil {
		t.of = map[string]*turn{}
	}
	one := t.of[reader]
	if one == nil {
		one = &turn{taken: make(chan struct{}, 1)}
		t.of[reader] = one
	}
	one.waiting++
	t.mu.Unlock()
	gone := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if one.waiting--; one.waiting == 0 {
			delete(t.of, reader)
		}
	}
	select {
	case one.taken <- struct{}{}:
		return func() { <-one.taken; gone() }, nil
	case <-ctx.Done():
		gone()
		return nil, ctx.Err()
	}
}

// fed is an event with its readers.
type fed struct {
	entry   journal.Entry
	readers []string
	public  bool
}

const (
	feedKeeps = 4096 // events
	feedScans = 2    // readers at once that are behind what is kept
)

// Follow has the newest events kept ready, until the function that it gives is called.
func (h *Hub) Follow() (leave func()) {
	f := &h.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.followers++; f.followers == 1 {
		ctx, stop := context.WithCancel(context.Background())
		f.stop, f.kept = stop, nil
		at, _ := h.Node.Durable()
		f.first = at + 1
		h.work.Add(1)
		go func() {
			defer h.work.Done()
			h.gather(ctx)
		}()
	}
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.followers--; f.followers == 0 {
			f.stop()
		}
	})
}

func (h *Hub) gather(ctx context.Context) {
	f := &h.feed
	f.mu.RLock()
	next := f.first
	f.mu.RUnlock()
	for ctx.Err() == nil && h.run.Err() == nil {
		at, moved := h.Node.Durable()
		if at >= next {
			var batch []fed
			err := h.Node.Journal().Entries(next, func(e journal.Entry) error {
				one := fed{entry: e}
				one.readers, one.public = f.readersOf(e.Event)
				batch = append(batch, one)
				next = e.Position + 1
				if len(batch) == feedKeeps || ctx.Err() != nil {
					return errEnough
				}
				return nil
			})
			f.keep(ctx, batch)
			if err == nil || len(batch) > 0 {
				continue
			}
			h.Log.Error("the feed of events", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-h.run.Done():
		case <-moved:
		}
	}
}

func (f *feed) keep(ctx context.Context, batch []fed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return // somebody else may follow already, from further on
	}
	f.kept = append(f.kept, batch...)
	if over := len(f.kept) - feedKeeps; over > 0 {
		f.kept = slices.Clone(f.kept[over:])
	}
	if len(f.kept) > 0 {
		f.first = f.kept[0].entry.Position
	}
}

// recent looks through what is kept behind a position; false where the journal has to be read.
func (f *feed) recent(after journal.Position, visit func(*fed) bool) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.followers == 0 || after+1 < f.first {
		return false
	}
	for i := max(0, int(after+1-f.first)); i < len(f.kept); i++ {
		if !visit(&f.kept[i]) {
			break
		}
	}
	return true
}

// audience is a field of an event's type, and who may read it.
type audience struct {
	field int
	name  string
}

// readersOf lists who may read a part of an event.
func (f *feed) readersOf(e journal.Event) (readers []string, public bool) {
	v := reflect.ValueOf(e).Elem()
	named, _ := e.(journal.Readers)
	for _, a := range f.shapeOf(v.Type()) {
		switch {
		case a.name == journal.Public:
			public = true
		case a.name == "each":
			items := v.Field(a.field)
			for i := range items.Len() {
				readers = append(readers, items.Index(i).Interface().(journal.Reader).Reader())
			}
		case named != nil:
			readers = append(readers, named.Readers(a.name)...)
		}
	}
	return readers, public
}

func (f *feed) shapeOf(t reflect.Type) []audience {
	if s, ok := f.shapes.Load(t); ok {
		return s.([]audience)
	}
	var shape []audience
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("audience"); name != "" && name != journal.Hub {
			shape = append(shape, audience{i, name})
		}
	}
	f.shapes.Store(t, shape)
	return shape
}

func (e *fed) opens(r Reader) bool {
	return r.All || e.public || r.Handle != "" && slices.Contains(e.readers, r.Handle)
}
