package main

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/moongate-hub/moongate/sim/bench"
)

type benchVerb struct {
	Name    string `arg:"" enum:"crossing,redirect,api,restart,pay" help:"What to measure: ${enum}."`
	Quick   bool   `help:"End in under 40 seconds."`
	Profile string `help:"Write a CPU profile of the run to this file, for go tool pprof." placeholder:"FILE"`
	Only    string `help:"Of crossing and pay: only the cases whose name contains this." placeholder:"TEXT"`
	Dir     string `help:"Directory for the run's data, on the disk to be measured; the system's temporary one by default." type:"existingdir"`
}

func (v benchVerb) Run(e *env) error {
	opt := bench.Options{Dir: v.Dir, Quick: v.Quick, Only: v.Only, Now: e.now, Random: e.random, Progress: func(what string) {
		fmt.Fprintf(e.err, "measuring: %s\n", what)
	}}
	if opt.Dir == "" {
		opt.Dir = os.TempDir()
	}
	if v.Profile != "" {
		f, err := os.Create(v.Profile)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // the profile is written when it stops
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	run := map[string]func(context.Context, bench.Options) (*bench.Result, error){
		"crossing": bench.Crossing, "redirect": bench.Redirect, "api": bench.API, "restart": bench.Restart, "pay": bench.Pay,
	}[v.Name]
	r, err := run(e.ctx, opt)
	if err != nil {
		return err
	}
	return e.show(r, func(t *terminal) { showBench(t, r) })
}

func showBench(t *terminal, r *bench.Result) {
	some := func(format string, v float64) string {
		if v == 0 {
			return ""
		}
		return fmt.Sprintf(format, v)
	}
	rows := make([][]string, 0, len(r.Cases))
	for _, c := range r.Cases {
		rate, limit, ratio := "", "", some("%.2f", c.Ratio)
		if c.Rate > 0 {
			rate = count(int64(c.Rate)) + " " + c.Unit
		}
		if c.LimitRate > 0 {
			limit = count(int64(c.LimitRate))
		}
		if c.Target > 0 {
			ratio += fmt.Sprintf(" (≥ %.2f)", c.Target)
		}
		rows = append(rows, []string{
			c.Case, rate, some("%.1f", c.P50), some("%.1f", c.P99), some("%.1f", c.CPU), some("%.0f", c.Bytes), limit, ratio, some("%.0f %%", 100*c.Others),
		})
	}
	t.line("%s", t.bold("bench "+r.Name)+"  "+t.dim(r.Machine))
	t.table([]align{left, right, right, right, right, right, right, right, right}, []string{"case", "rate", "p50 ms", "p99 ms", "cpu µs", "bytes", "limit", "ratio", "others"}, rows)
	for _, c := range r.Cases {
		if c.Note != "" {
			t.line("%s", t.dim(c.Case+": "+c.Note))
		}
	}
	t.line("")
	t.line("%s", t.dim("Ratios are to a limit that takes turns with the case. Absolute figures move with what other processes take of the processors (others)."))
}
