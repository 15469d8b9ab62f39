package bench

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/moongate-hub/moongate/crossing"
)

func payeesOf(n int) []crossing.Payee { return []crossing.Payee{{Party: seller(n), Amount: 26800}} }

// Restart measures how long a node takes to serve again with many crossings behind it, how long a snapshot holds others
// up, and what an account and an open payment cost in memory.
func Restart(ctx context.Context, opt Options) (*Result, error) {
	want := int64(1_000_000)
	if opt.Quick {
		want = 60_000
	}
	dir, err := os.MkdirTemp(opt.Dir, "restart-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // only data of a bench
	data := filepath.Join(dir, "hub")
	before := heap()
	w, err := newWorld(ctx, opt, data, nil)
	if err != nil {
		return nil, err
	}
	r := &Result{Name: "restart", Machine: Machine()}
	opt.Progress(fmt.Sprintf("making %d crossings", want))
	first := w.node.Journal().Next()
	made := func() int64 { return int64(w.node.Journal().Next()-first) / 2 }
	for made() < want && ctx.Err() == nil {
		if _, err := w.load(1024, false, time.Second, nil); err != nil {
			return nil, err
		}
	}
	n := made()
	state := float64(heap()-before) / float64(n)

	opt.Progress("a snapshot under load")
	var took atomic.Int64
	done := make(chan error, 1)
	go func() {
		t := opt.Now()
		err := w.node.Snapshot()
		took.Store(int64(opt.Now().Sub(t)))
		done <- err
	}()
	during, err := w.load(64, false, 2*time.Second, nil)
	if err != nil {
		return nil, err
	}
	if err := <-done; err != nil {
		return nil, err
	}
	during.Case, during.Unit = "64 submitters while a snapshot is written", "crossings/s"
	during.Note = fmt.Sprintf("the snapshot took %v; p99 is what it held others up", time.Duration(took.Load()).Round(time.Millisecond))
	if err := w.node.Close(); err != nil {
		return nil, err
	}
	for _, from := range []string{"snapshot and journal", "journal alone"} {
		opt.Progress("starting from " + from)
		if from == "journal alone" {
			if err := os.RemoveAll(filepath.Join(data, "log")); err != nil {
				return nil, err
			}
		}
		t := opt.Now()
		again, err := open(ctx, opt, data, nil)
		if err != nil {
			return nil, err
		}
		spent := opt.Now().Sub(t)
		c := Case{Case: "start from " + from, Unit: "crossings/s", Rate: round(float64(n) / spent.Seconds()), Bytes: round(float64(again.bytes()) / float64(n))}
		c.Note = fmt.Sprintf("%v until it serves, with %d crossings behind it", spent.Round(time.Millisecond), n)
		if from == "journal alone" {
			c.Case, c.Note = "start with the public log made anew", c.Note+"; the log's tree is computed again"
		}
		if err := again.node.Close(); err != nil {
			return nil, err
		}
		if c.LimitRate, err = readLimit(data, n, opt.Now); err != nil {
			return nil, err
		}
		c.Ratio = round(c.Rate / c.LimitRate)
		r.Cases = append(r.Cases, c)
	}
	r.Cases = append(r.Cases, during, Case{
		Case: "memory for each crossing that can be refunded", Unit: "bytes", Rate: round(state),
		Note: fmt.Sprintf("heap in use after %d crossings, idempotency keys and %d accounts included", n, 3+sellers),
	})
	return r, nil
}

// readLimit is how fast the journal's bytes can be read and summed.
func readLimit(data string, n int64, now func() time.Time) (float64, error) {
	names, err := filepath.Glob(filepath.Join(data, "journal", "*.journal"))
	if err != nil {
		return 0, err
	}
	t := now()
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(crc32.New(crc32.MakeTable(crc32.Castagnoli)), f)
		if f.Close() != nil || err != nil {
			return 0, err
		}
	}
	return round(float64(n) / now().Sub(t).Seconds()), nil
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}
