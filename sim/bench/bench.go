// Package bench measures the hub's hot paths, each against a limit measured in the same run: on a shared machine only
// the ratio means anything.
package bench

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Result is what one benchmark came to.
type Result struct {
	Name    string `json:"name"`
	Machine string `json:"machine"`
	Cases   []Case `json:"cases"`
}

// Case is one measurement.
type Case struct {
	Case      string             `json:"case"`
	Rate      float64            `json:"rate"`
	Unit      string             `json:"unit"`
	P50       float64            `json:"p50_ms"`
	P99       float64            `json:"p99_ms"`
	CPU       float64            `json:"cpu_us_each"`
	Bytes     float64            `json:"bytes_each"`
	LimitRate float64            `json:"limit_rate"`
	Ratio     float64            `json:"ratio"`
	Target    float64            `json:"target,omitempty"` // the ratio that is asked for
	Note      string             `json:"note,omitempty"`
	Parts     map[string]float64 `json:"parts,omitempty"` // shares of time
}

// Machine describes where it ran, as far as it matters.
func Machine() string {
	return fmt.Sprintf("%s/%s, %d processors, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
}

// latencies gathers how long things took.
type latencies []time.Duration

func (l latencies) at(share float64) float64 {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	i := min(int(float64(len(l))*share), len(l)-1)
	return float64(l[i].Microseconds()) / 1000
}

// round keeps three significant digits or so: more would pretend.
func round(v float64) float64 {
	switch {
	case v >= 100:
		return float64(int64(v + 0.5))
	default:
		return float64(int64(v*1000+0.5)) / 1000
	}
}
