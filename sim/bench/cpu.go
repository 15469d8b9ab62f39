package bench

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"time"
)

// busyTime is what all processors of the machine have worked since it started, for whatever process. It is read from
// /proc/stat (proc(5)); where there is none it is 0.
func busyTime() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	f := bytes.Fields(line)
	if len(f) < 9 || string(f[0]) != "cpu" {
		return 0
	}
	const tick = time.Second / 100 // USER_HZ, on every architecture that Go runs on
	sum := time.Duration(0)
	for _, i := range [...]int{1, 2, 3, 6, 7, 8} { // user, nice, system, irq, softirq, steal: all but idle and waiting
		n, err := strconv.ParseInt(string(f[i]), 10, 64)
		if err != nil {
			return 0
		}
		sum += time.Duration(n) * tick
	}
	return sum
}

// shareOfMachine is processor time as a share of what all processors had in a time.
func shareOfMachine(cpu, spent time.Duration) float64 {
	if spent <= 0 {
		return 0
	}
	return min(1, float64(cpu)/float64(spent)/float64(runtime.NumCPU())) // the ticks are coarse
}
