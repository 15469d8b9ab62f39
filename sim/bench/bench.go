// Package bench measures the hub's hot paths, each against a limit measured in the same run: on a shared machine only
// the ratio means anything. What is measured and its limit take turns, so that whatever else the machine does falls on
// both.
package bench

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

// Result is what one benchmark came to.
type Result struct {
	Name    string `json:"name"`
	Machine string `json:"machine"`
	Cases   []Case `json:"cases"`
}

// Case is one measurement. What does not apply to it is 0.
type Case struct {
	Case      string             `json:"case"`
	Rate      float64            `json:"rate"` // count / seconds
	Unit      string             `json:"unit"`
	P50       float64            `json:"p50_ms"`
	P99       float64            `json:"p99_ms"`
	CPU       float64            `json:"cpu_us_each"` // of this process, whoever sends the requests included
	Bytes     float64            `json:"bytes_each"`
	LimitRate float64            `json:"limit_rate"`
	Ratio     float64            `json:"ratio"` // rate / limit_rate
	Target    float64            `json:"target,omitempty"`
	Count     int64              `json:"count"`
	Seconds   float64            `json:"seconds"`
	Others    float64            `json:"others,omitempty"` // share of the processors' time that other processes had
	Parts     map[string]float64 `json:"parts,omitempty"`  // shares of the processors' time for one
	Note      string             `json:"note,omitempty"`
}

// Options of a run.
type Options struct {
	Dir    string // for data; what a run writes there, it removes
	Quick  bool
	Only   string // cases whose name contains it; the others are left out
	Now    func() time.Time
	Random func([]byte)
	// Progress is told what is being measured.
	Progress func(what string)

	// For tests.
	tiny bool
	sync func(*os.File) error
}

// size is how much a run does.
type size struct {
	rounds     int           // in which a case and its limit take turns
	spell      time.Duration // of one of them
	sellers    int
	few, many  int           // submitters
	behind     int64         // crossings before a restart
	patience   time.Duration // for making them: a busy machine gets fewer
	accounts   int           // and
	payments   int           // that are made to be weighed
	connection int           // of HTTP
	lines      int           // of a bill
}

func (o *Options) size() size {
	s := size{rounds: 6, spell: 2 * time.Second, sellers: 2000, few: 64, many: 1024, behind: 1_000_000, patience: 10 * time.Minute, accounts: 200_000, payments: 50_000, connection: 32, lines: 200_000}
	switch {
	case o.tiny:
		s = size{rounds: 2, spell: 20 * time.Millisecond, sellers: 5, few: 2, many: 8, behind: 200, patience: time.Minute, accounts: 500, payments: 20, connection: 2, lines: 30}
	case o.Quick:
		s.rounds, s.spell, s.sellers, s.behind, s.patience, s.accounts, s.payments, s.lines = 3, time.Second, 500, 60_000, 5*time.Second, 20_000, 2_000, 20_000
	}
	return s
}

// temp makes a directory for a run's data, and gives what removes it.
func (o *Options) temp(name string) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(o.Dir, "moongate-bench-"+name+"-")
	return dir, func() { os.RemoveAll(dir) }, err //nolint:errcheck // only data of a bench
}

// machine describes where it ran, as far as it matters.
func machine() string {
	return fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}

// against holds a case against its limit.
func (c *Case) against(limit *measured) {
	c.LimitRate = round(limit.rate())
	if c.LimitRate > 0 {
		c.Ratio = round(c.Rate / c.LimitRate)
	}
}

// round keeps three significant digits or so: more would pretend.
func round(v float64) float64 {
	if v >= 100 {
		return float64(int64(v + 0.5))
	}
	return float64(int64(v*1000+0.5)) / 1000
}
