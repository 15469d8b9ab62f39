package effect

import "time"

var began = time.Now() //nolint:forbidigo // only pauses between tries are measured from it

// monotonic is the time since the process began: for pauses, never for a decision.
func monotonic() time.Duration { return time.Since(began) }
