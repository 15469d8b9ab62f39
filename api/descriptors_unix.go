//go:build unix

package api

import (
	"math"
	"syscall"
)

// descriptors is how many files and connections this process may have open; 0 where that is not known or no bound.
func descriptors() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil || uint64(l.Cur) > math.MaxInt32 { //nolint:unconvert // it is signed on some systems
		return 0
	}
	return int(l.Cur)
}
