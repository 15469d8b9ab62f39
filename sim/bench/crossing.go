package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/view"
)

// Crossing measures durable payment crossings through the core: idempotency, agreement, split, five postings, events,
// leaves, with the journal's fsync and snapshots on, against a bare append and fsync of as many bytes as the journal
// takes for each.
func Crossing(ctx context.Context, opt Options) (*Result, error) {
	r := &Result{Name: "crossing", Machine: machine()}
	size := opt.size()
	type one struct {
		name string
		run  func(name string) (Case, error)
	}
	burst := func(submitters int, hot bool, target float64) one {
		name := fmt.Sprintf("%d submitters, spread over %d sellers", submitters, size.sellers)
		if hot {
			name = fmt.Sprintf("%d submitters, one hot account", submitters)
		}
		return one{name, func(name string) (Case, error) {
			c, err := crossingCase(ctx, opt, name, submitters, hot)
			c.Target = target
			return c, err
		}}
	}
	for _, c := range []one{
		burst(size.few, false, 0), burst(size.many, false, 0.25), burst(size.many, true, 0.25),
		{fmt.Sprintf("%d submitters, held back so that the views keep up", size.many), func(name string) (Case, error) { return sustained(ctx, opt, name) }},
	} {
		if !strings.Contains(c.name, opt.Only) {
			continue
		}
		opt.Progress(c.name)
		done, err := c.run(c.name)
		if err != nil {
			return nil, err
		}
		r.Cases = append(r.Cases, done)
	}
	if len(r.Cases) == 0 {
		return nil, noCase(opt.Only)
	}
	return r, nil
}

func noCase(only string) error {
	return &moongate.Error{Code: moongate.Malformed, Field: "--only", Message: fmt.Sprintf("no case is called %q", only), Hint: "leave it out to run them all"}
}

func crossingCase(ctx context.Context, opt Options, name string, submitters int, hot bool) (c Case, err error) {
	size := opt.size()
	dir, remove, err := opt.temp("crossing")
	if err != nil {
		return c, err
	}
	defer remove()
	w, err := newWorld(ctx, opt, filepath.Join(dir, "hub"))
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if _, err := w.load(ctx, submitters, hot, size.spell/2, nil); err != nil { // the accounts are opened, the heap grows
		return c, err
	}
	var one, limit measured
	before := w.bytes()
	for range size.rounds {
		m, err := w.load(ctx, submitters, hot, size.spell, nil)
		if err != nil {
			return c, err
		}
		one.add(m)
		m, err = appendLimit(ctx, dir, submitters, int(w.bytes()-before)/len(one.took), size.spell/2, opt.Now)
		if err != nil {
			return c, err
		}
		limit.add(m)
	}
	c = one.asCase(name, "crossings/s")
	c.Bytes = round(float64(w.bytes()-before) / float64(len(one.took)))
	c.against(&limit)
	return c, w.audit()
}

// sustained finds out at which rate the views keep up with the journal: they follow a load that is held back to their
// rate. Its limit is how fast they are made anew from the same journal while nothing else runs.
func sustained(ctx context.Context, opt Options, name string) (c Case, err error) {
	size := opt.size()
	dir, remove, err := opt.temp("sustained")
	if err != nil {
		return c, err
	}
	defer remove()
	w, err := newWorld(ctx, opt, filepath.Join(dir, "hub"))
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	path := filepath.Join(dir, "views.db")
	one, lag, level, err := w.follow(ctx, path, &size)
	if err != nil {
		return c, err
	}
	limit, all, err := w.refold(ctx, filepath.Join(dir, "anew.db"))
	if err != nil {
		return c, err
	}
	c = one.asCase(name, "crossings/s")
	c.LimitRate = round(limit)
	c.Ratio = round(c.Rate / c.LimitRate)
	onDisk, err := sizeOf(path)
	c.Bytes = round(float64(onDisk) / float64(all))
	c.Note = fmt.Sprintf("the views %d events behind at the end, and level %v later; the limit is views made anew with nothing beside; bytes are the views'", lag, level.Round(time.Millisecond))
	return c, errors.Join(err, w.audit())
}

// maxLag is how many events behind the views may be before the load waits for them.
const maxLag = 20_000

// follow has views follow a load, and tells how far behind they were at its end, and how long they took to be level.
func (w *world) follow(ctx context.Context, path string, size *size) (m measured, lag int64, level time.Duration, err error) {
	store, err := view.Open(path, w.views()...)
	if err != nil {
		return m, 0, 0, err
	}
	following, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- store.Follow(following, w.node.Journal(), w.node.Durable) }()
	behind := func() int64 {
		at, _ := w.node.Durable()
		return int64(at) - int64(store.Position())
	}
	// The first spell fills what may lag, so that the second is as fast as the views and no faster.
	for _, during := range []time.Duration{size.spell / 2, size.spell * time.Duration(size.rounds)} {
		m, err = w.load(ctx, size.many, false, during, func() {
			for behind() > maxLag && ctx.Err() == nil {
				time.Sleep(time.Millisecond)
			}
		})
		if err != nil {
			break
		}
	}
	lag = behind()
	began := w.now()
	if err == nil {
		at, _ := w.node.Durable()
		err = store.Wait(ctx, at)
	}
	level = w.now().Sub(began)
	stop()
	return m, lag, level, errors.Join(err, <-ended, store.Close())
}

// refold makes the views anew, and gives their rate and the number of crossings.
func (w *world) refold(ctx context.Context, path string) (rate float64, crossings int64, err error) {
	store, err := view.Open(path, w.views()...)
	if err != nil {
		return 0, 0, err
	}
	began := w.now()
	_, err = store.CatchUp(ctx, w.node.Journal())
	spent := w.now().Sub(began)
	if err == nil {
		err = store.QueryRowContext(ctx, `SELECT count(*) FROM crossing`).Scan(&crossings)
	}
	return float64(crossings) / spent.Seconds(), crossings, errors.Join(err, store.Close())
}

func (w *world) views() []view.View {
	var views []view.View
	for _, r := range w.rooms {
		if v, ok := r.(interface{ Views() []view.View }); ok {
			views = append(views, v.Views()...)
		}
	}
	return views
}

// sizeOf is how many bytes the files of a directory have, or one file.
func sizeOf(path string) (n int64, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}
