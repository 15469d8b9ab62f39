package journal

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
)

// smallDisk mounts a file system of so many kilobytes; grow gives it a megabyte.
func smallDisk(t *testing.T, size string) (dir string, grow func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a small disk needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir, func() {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=1m"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFull fills the disk at every size of it up to a few pages: the journal stops with the disk's error, and when
// there is room again, everything that was durable is there and it goes on.
func TestDiskFull(t *testing.T) {
	for _, size := range []string{"8k", "12k", "16k", "20k", "40k", "64k"} {
		t.Run(size, func(t *testing.T) {
			dir, grow := smallDisk(t, size)
			rng := rand.New(rand.NewPCG(1, 1))
			var w written
			promised := 0
			j, err := Open(dir+"/journal", toys(), Options{SegmentBytes: 6000})
			for err == nil && len(w) < 1000 {
				w = append(w, w.next(rng))
				if err = j.Append(w[len(w)-1]); err == nil {
					err = j.Sync()
				}
				if err == nil {
					promised = len(w)
				}
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("after %d records: %v", len(w), err)
			}
			if j != nil {
				if err := j.Append(w.next(rng)); !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("it goes on: %v", err)
				}
				if err := j.Close(); err != nil {
					t.Error(err)
				}
			}
			grow()
			j = openJournal(t, dir+"/journal", Options{SegmentBytes: 6000})
			got, err := readAll(j)
			if err != nil || len(got) < promised || differ(w[:len(got)], got) != "" {
				t.Fatalf("%d records of %d durable ones are left: %v", len(got), promised, err)
			}
			next := got.next(rng)
			if err := errors.Join(j.Append(next), j.Close()); err != nil {
				t.Error(err)
			}
			j = openJournal(t, dir+"/journal", Options{})
			if got2, err := readAll(j); err != nil || differ(append(got, next), got2) != "" {
				t.Errorf("after going on: %v", err)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
			t.Logf("%d of %d records were durable", promised, len(w))
		})
	}
}
