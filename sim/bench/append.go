package bench

import (
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// appendLimit is the limit that a durable crossing is held against: the same number of submitters, the same bytes
// each, the same batching (whatever waits, up to 256 KiB, one batch written while the next gathers), and nothing but a
// checksum, a write and an fsync.
func appendLimit(dir string, submitters, bytesEach int, during time.Duration, now func() time.Time) (Case, error) {
	f, err := os.Create(filepath.Join(dir, "bare"))
	if err != nil {
		return Case{}, err
	}
	defer f.Close() //nolint:errcheck // thrown away
	type request struct{ done chan error }
	queue := make(chan request, 4096)
	stop := make(chan struct{})
	go func() {
		payload := make([]byte, bytesEach)
		var buf []byte
		for r := range queue {
			batch := []request{r}
			for len(batch)*bytesEach < 256<<10 {
				select {
				case r := <-queue:
					batch = append(batch, r)
					continue
				default:
				}
				break
			}
			buf = buf[:0]
			for range batch {
				buf = append(buf, payload...)
			}
			crc32.Checksum(buf, crc32.MakeTable(crc32.Castagnoli))
			_, err := f.Write(buf)
			if err == nil {
				err = f.Sync()
			}
			for _, r := range batch {
				r.done <- err
			}
		}
	}()
	var wg sync.WaitGroup
	all := make([]latencies, submitters)
	errs := make(chan error, submitters)
	cpu, began := cpuTime(), now()
	for s := range submitters {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := request{done: make(chan error, 1)}
			for {
				select {
				case <-stop:
					return
				default:
				}
				t := now()
				queue <- r
				if err := <-r.done; err != nil {
					errs <- err
					return
				}
				all[s] = append(all[s], now().Sub(t))
			}
		}()
	}
	time.Sleep(during)
	close(stop)
	wg.Wait()
	spent := now().Sub(began)
	close(queue)
	select {
	case err := <-errs:
		return Case{}, err
	default:
	}
	return summary(all, spent, cpuTime()-cpu), nil
}

// summary turns what the submitters saw into a case.
func summary(all []latencies, spent, cpu time.Duration) Case {
	var flat latencies
	for _, l := range all {
		flat = append(flat, l...)
	}
	n := float64(max(len(flat), 1))
	return Case{
		Rate: round(n / spent.Seconds()), P50: round(flat.at(0.5)), P99: round(flat.at(0.99)),
		CPU: round(float64(cpu.Microseconds()) / n),
	}
}
