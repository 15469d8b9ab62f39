package bench

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// measured is what submitters saw in one spell, or in several.
type measured struct {
	took   []time.Duration // of each thing done
	spent  time.Duration
	cpu    time.Duration // of this process
	others time.Duration // of the others, all processors together; 0 where it is not known
}

// add puts another spell with this one.
func (m *measured) add(o measured) {
	m.took = append(m.took, o.took...)
	m.spent += o.spent
	m.cpu += o.cpu
	m.others += o.others
}

func (m *measured) count() int { return len(m.took) }

func (m *measured) rate() float64 {
	if m.spent <= 0 {
		return 0
	}
	return float64(len(m.took)) / m.spent.Seconds()
}

// at is the time that a share of all took at most, in milliseconds.
func (m *measured) at(share float64) float64 {
	if len(m.took) == 0 {
		return 0
	}
	slices.Sort(m.took)
	return float64(m.took[min(int(float64(len(m.took))*share), len(m.took)-1)].Microseconds()) / 1000
}

// each is the processor time for one, in microseconds.
func (m *measured) each() float64 {
	return float64(m.cpu.Nanoseconds()) / 1000 / float64(max(len(m.took), 1))
}

func (m *measured) asCase(name, unit string) Case {
	return Case{
		Case: name, Unit: unit, Rate: round(m.rate()), P50: round(m.at(0.5)), P99: round(m.at(0.99)), CPU: round(m.each()),
		Count: int64(len(m.took)), Seconds: m.spent.Seconds(), Others: round(shareOfMachine(m.others, m.spent)),
	}
}

// spell has submitters work at once for a while, each doing one thing after the other, and gives what they saw. The
// first that fails ends it, and all of it is an error: what is broken has no rate.
func spell(ctx context.Context, submitters int, during time.Duration, now func() time.Time, work func(submitter, i int) error) (measured, error) {
	var all sync.WaitGroup
	var stop atomic.Bool
	took := make([][]time.Duration, submitters)
	failed := make(chan error, submitters)
	cpu, busy, began := cpuTime(), busyTime(), now()
	for s := range submitters {
		all.Go(func() {
			for i := 0; !stop.Load(); i++ {
				t := now()
				if err := work(s, i); err != nil {
					failed <- err
					return
				}
				took[s] = append(took[s], now().Sub(t))
			}
		})
	}
	var err error
	timer := time.NewTimer(during)
	defer timer.Stop()
	select {
	case <-timer.C:
	case err = <-failed:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	stop.Store(true)
	all.Wait()
	m := measured{spent: now().Sub(began), cpu: cpuTime() - cpu}
	m.others = max(0, busyTime()-busy-m.cpu)
	if err == nil {
		select {
		case err = <-failed:
		default:
		}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx) // what the others met in consequence says less
	}
	m.took = slices.Concat(took...)
	return m, err
}
