package bench

import (
	"context"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"
)

// appendLimit is the limit that a durable crossing is held against: the same number of submitters, the same bytes
// each, the same batching (whatever waits, up to 256 KiB, one batch written while the next gathers), and nothing but a
// checksum, a write and an fsync, on the same disk.
func appendLimit(ctx context.Context, dir string, submitters, bytesEach int, during time.Duration, now func() time.Time) (m measured, err error) {
	f, err := os.Create(filepath.Join(dir, "bare"))
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	const batchBytes = 256 << 10
	queue := make(chan chan error, 4096)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		payload := make([]byte, bytesEach)
		var batch []chan error
		var buf []byte
		for r := range queue {
			batch, buf = append(batch[:0], r), append(buf[:0], payload...)
			for more := true; more && len(buf) < batchBytes; {
				select {
				case r, more = <-queue:
					if more {
						batch, buf = append(batch, r), append(buf, payload...)
					}
				default:
					more = false
				}
			}
			crc32.Checksum(buf, crc32.MakeTable(crc32.Castagnoli))
			_, err := f.Write(buf)
			if err == nil {
				err = f.Sync()
			}
			for _, r := range batch {
				r <- err
			}
		}
	}()
	waits := make([]chan error, submitters)
	for i := range waits {
		waits[i] = make(chan error, 1)
	}
	m, err = spell(ctx, submitters, during, now, func(s, _ int) error {
		queue <- waits[s]
		return <-waits[s]
	})
	close(queue)
	<-ended
	return m, err
}
