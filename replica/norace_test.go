//go:build !race

package replica_test

// raceDetector tells whether the tests run under it.
const raceDetector = false
