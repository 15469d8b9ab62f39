package bench

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Restart measures how long a node takes to serve again with many crossings behind it, how long a snapshot holds others
// up, what a crossing takes on disk, and what a crossing, an account and an open payment take in memory.
func Restart(ctx context.Context, opt Options) (r *Result, err error) {
	dir, remove, err := opt.temp("restart")
	if err != nil {
		return nil, err
	}
	defer remove()
	b := &restart{opt: opt, size: opt.size(), dir: filepath.Join(dir, "hub")}
	before := heap()
	if b.world, err = newWorld(ctx, opt, b.dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.make(ctx); err != nil {
		return nil, err
	}
	b.memory(fmt.Sprintf("memory of a crossing that can be refunded, its idempotency key included, of %d", b.made), heap()-before, b.made)
	if err := b.snapshot(ctx); err != nil {
		return nil, err
	}
	if err := b.world.close(); err != nil {
		return nil, err
	}
	if err := b.disk(); err != nil {
		return nil, err
	}
	for _, from := range []string{"snapshot and journal", "snapshot and journal, with the public log made anew"} {
		if err := b.start(ctx, "start from "+from); err != nil {
			return nil, err
		}
		if err := os.RemoveAll(filepath.Join(b.dir, "log")); err != nil {
			return nil, err
		}
	}
	if err := b.weigh(ctx); err != nil {
		return nil, err
	}
	return &Result{Name: "restart", Machine: machine(), Cases: b.cases}, nil
}

type restart struct {
	*world
	opt   Options
	size  size
	dir   string
	made  int64
	cases []Case
}

// make makes the crossings.
func (b *restart) make(ctx context.Context) error {
	b.opt.Progress(fmt.Sprintf("making %d crossings", b.size.behind))
	for began := b.now(); b.made < b.size.behind && b.now().Sub(began) < b.size.patience; {
		m, err := b.load(ctx, b.size.many, false, min(time.Second, b.size.spell), nil)
		if err != nil {
			return err
		}
		b.made += int64(m.count())
	}
	return b.audit()
}

func (b *restart) memory(name string, bytes, of int64) {
	bytes = max(0, bytes) // of few things, less than what else came and went
	b.cases = append(b.cases, Case{Case: name, Unit: "bytes", Bytes: round(float64(bytes) / float64(of)), Count: of})
}

// snapshot holds a load while a snapshot is written against the same load without one.
func (b *restart) snapshot(ctx context.Context) error {
	b.opt.Progress("a snapshot under load")
	calm, err := b.load(ctx, b.size.few, false, b.size.spell, nil)
	if err != nil {
		return err
	}
	during := b.size.spell
	began := b.now()
	done := make(chan error, 1)
	var took time.Duration
	go func() {
		err := b.node.Snapshot()
		took = b.now().Sub(began)
		done <- err
	}()
	m, err := b.load(ctx, b.size.few, false, during, nil)
	if err := errors.Join(err, <-done); err != nil {
		return err
	}
	b.made += int64(calm.count() + m.count())
	c := m.asCase(fmt.Sprintf("%d submitters while a snapshot is written", b.size.few), "crossings/s")
	c.against(&calm)
	c.Note = fmt.Sprintf("the snapshot took %v; without one p99 is %.1f ms and the longest wait %.1f ms, with it %.1f and %.1f", took.Round(time.Millisecond), calm.at(0.99), calm.at(1), m.at(0.99), m.at(1))
	b.cases = append(b.cases, c)
	return b.audit()
}

// disk tells what a crossing takes in each place.
func (b *restart) disk() error {
	for _, part := range []string{"journal", "log", "raft"} {
		n, err := sizeOf(filepath.Join(b.dir, part))
		if err != nil {
			return err
		}
		b.cases = append(b.cases, Case{Case: "on disk in " + part + "/", Unit: "bytes", Bytes: round(float64(n) / float64(b.made)), Count: b.made})
	}
	return nil
}

// start opens the node, and holds it against reading the journal.
func (b *restart) start(ctx context.Context, name string) error {
	b.opt.Progress(name)
	cpu, busy, began := cpuTime(), busyTime(), b.now()
	again, err := open(ctx, b.opt, b.dir)
	if err != nil {
		return err
	}
	spent := b.now().Sub(began)
	m := measured{spent: spent, cpu: cpuTime() - cpu}
	m.others = max(0, busyTime()-busy-m.cpu)
	again.paid.Store(b.paid.Load())
	if err := errors.Join(again.audit(), again.close()); err != nil {
		return err
	}
	limit, err := readJournal(b.dir, b.opt.Now)
	if err != nil {
		return err
	}
	c := Case{
		Case: name, Unit: "crossings/s", Rate: round(float64(b.made) / spent.Seconds()), LimitRate: round(float64(b.made) / limit.Seconds()),
		CPU: round(float64(m.cpu.Microseconds()) / float64(b.made)), Count: b.made, Seconds: spent.Seconds(), Others: round(shareOfMachine(m.others, m.spent)),
		Note: fmt.Sprintf("%v until it serves; the limit is reading the journal and its checksums", spent.Round(time.Millisecond)),
	}
	c.Ratio = round(c.Rate / c.LimitRate)
	b.cases = append(b.cases, c)
	return nil
}

// readJournal is how long the journal's bytes take to be read and summed.
func readJournal(data string, now func() time.Time) (time.Duration, error) {
	names, err := filepath.Glob(filepath.Join(data, "journal", "*.journal"))
	if err != nil {
		return 0, err
	}
	began := now()
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(crc32.New(crc32.MakeTable(crc32.Castagnoli)), f)
		if err := errors.Join(err, f.Close()); err != nil {
			return 0, err
		}
	}
	return now().Sub(began), nil
}
