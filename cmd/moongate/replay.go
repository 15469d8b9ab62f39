package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/moongate-hub/moongate"
	"github.com/moongate-hub/moongate/sim/olist"
	"github.com/moongate-hub/moongate/sim/replay"
	"github.com/moongate-hub/moongate/sim/retail"
)

type replayVerb struct {
	Format string `required:"" enum:"olist,online-retail" placeholder:"FORMAT" help:"What the orders look like: olist (a directory of CSV files) or online-retail (the UCI workbook as CSV, or .bz2)."`
	Path   string `arg:"" help:"The directory or file."`
	Data   string `help:"Directory for the hub that the orders run through; a run that was broken off goes on in it. A temporary one by default." placeholder:"DIR"`
}

// replaying runs what was opened through a hub.
type replaying func(*replay.Run) (report any, totals *replay.Totals, err error)

func (v replayVerb) Run(e *env) error {
	began := e.now()
	// The orders first: where they cannot be read, no hub is made for them.
	open := map[string]func() (replaying, io.Closer, error){"olist": v.olist, "online-retail": v.retail}[v.Format]
	run, input, err := open()
	if err != nil {
		return err
	}
	defer input.Close()
	dir := v.Data
	if dir == "" {
		tmp, err := os.MkdirTemp("", "moongate-replay-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp) //nolint:errcheck // a temporary directory
		dir = filepath.Join(tmp, "hub")
	}
	var p *progress
	r, err := replay.Open(e.ctx, replay.Options{
		Dir: dir, Format: v.Format, Now: e.now,
		Progress: func(done, total int64) {
			if p == nil {
				p = e.progress(map[string]string{"olist": "payments", "online-retail": "lines"}[v.Format], total)
			}
			p.at(done)
		},
		Fatal: func(err error) {
			fmt.Fprintln(e.err, "moongate:", err)
			os.Exit(exitFatal)
		},
	})
	if err != nil {
		return err
	}
	report, totals, err := run(r)
	if p != nil {
		p.done()
	}
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	totals.Seconds = float64(e.now().Sub(began).Milliseconds()) / 1000
	if err := e.show(report, func(t *terminal) { v.text(t, report, totals, dir) }); err != nil {
		return err
	}
	if !totals.InvariantsOK {
		return errSilent
	}
	return nil
}

func (v replayVerb) olist() (replaying, io.Closer, error) {
	x, err := olist.Read(os.DirFS(v.Path))
	if err != nil {
		return nil, nil, err
	}
	return func(r *replay.Run) (any, *replay.Totals, error) {
		rep, err := r.Olist(x)
		if err != nil {
			return nil, nil, err
		}
		return rep, &rep.Totals, nil
	}, io.NopCloser(nil), nil
}

func (v replayVerb) retail() (replaying, io.Closer, error) {
	f, err := os.Open(v.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, &moongate.Error{Code: moongate.NotFound, Message: err.Error(), Hint: "the repository has a small file of its own: sim/sample/online-retail/online_retail.csv"}
	}
	if err != nil {
		return nil, nil, err
	}
	in, err := retail.New(filepath.Base(v.Path), io.Reader(f), retail.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return func(r *replay.Run) (any, *replay.Totals, error) {
		rep, err := r.Retail(in)
		if err != nil {
			return nil, nil, err
		}
		return rep, &rep.Totals, nil
	}, f, nil
}

// text is what a person reads: what went in, what came of it, and whether the books hold.
func (v replayVerb) text(t *terminal, report any, totals *replay.Totals, dir string) {
	rows := [][]string{}
	row := func(what, value string) { rows = append(rows, []string{what, value}) }
	switch rep := report.(type) {
	case *replay.OlistReport:
		row("orders", count(int64(rep.Orders)))
		row("items", amount(rep.ItemsTotalCents, 2)+" BRL")
		row("payments", amount(rep.PaymentsTotalCents, 2)+" BRL")
		if rep.Repeated > 0 {
			row("lines that said the same again", count(int64(rep.Repeated)))
		}
		row("orders with more than one seller", count(int64(len(rep.MultiSellerOrders))))
		row("orders without items", count(int64(len(rep.OrdersWithoutItems))))
		row("orders whose payments do not add up", count(int64(len(rep.MismatchCents))))
	case *replay.RetailReport:
		row("lines", count(rep.Lines))
		row("used", count(rep.Used))
		row("sold", amount(rep.SoldPence, 2)+" GBP")
		row("given back", amount(rep.RefundedPence, 2)+" GBP")
		reasons := make([]string, 0, len(rep.Refused))
		for reason := range rep.Refused {
			reasons = append(reasons, string(reason))
		}
		slices.Sort(reasons)
		for _, reason := range reasons {
			row("not used: "+reason, count(rep.Refused[retail.Reason(reason)]))
		}
	}
	row("crossings", count(totals.Crossings))
	row("waiting as exceptions", count(int64(totals.Exceptions)))
	row("settlement windows", count(int64(totals.Windows)))
	row("events in the journal", count(int64(totals.Position)))
	row("state", totals.StateHash[:16]+"…")
	row("time", (time.Duration(totals.Seconds*1000) * time.Millisecond).Round(10*time.Millisecond).String())
	t.table([]align{left, right}, []string{v.Format, ""}, rows)
	t.line("")
	if totals.InvariantsOK {
		t.line("%s every invariant holds: debits are credits, windows add up to zero, clearing is empty", t.green("✓"))
	} else {
		for _, p := range totals.Problems {
			t.line("%s %s", t.red("✗"), p)
		}
	}
	if v.Data != "" {
		t.line("%s", t.dim("Look closer: moongate fsck -c "+filepath.Join(dir, "moongate.yaml")))
	}
}
