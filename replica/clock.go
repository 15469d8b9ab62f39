package replica

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/moongate-hub/moongate"
)

// How far the leader's clock may be from the state's time. Behind it, time would stand still; ahead, everything would
// expire at once, and for good: a clock that jumps is more often wrong than right, so an operator has to say.
const (
	clockBehind = 2 * moongate.Second
	clockAhead  = 5 * moongate.Minute
)

// clock holds the leader's clock against the state's time.
type clock struct {
	state  atomic.Int64 // the state's time, 0 for a state that has none
	agreed atomic.Bool  // an operator knows that the clock is off; it holds until the clock is not
	fault  atomic.Pointer[moongate.Error]
}

// check tells what is wrong with a reading of the clock, nil where nothing is.
func (c *clock) check(now moongate.Time) *moongate.Error {
	state := moongate.Time(c.state.Load())
	var off string
	switch {
	case state == 0:
	case now < state-clockBehind:
		off = fmt.Sprint(duration(state-now), " behind")
	case now > state+clockAhead:
		off = fmt.Sprint(duration(now-state), " ahead of")
	}
	if off == "" {
		c.agreed.Store(false)
	}
	if off == "" || c.agreed.Load() {
		c.fault.Store(nil)
		return nil
	}
	err := &moongate.Error{
		Code: moongate.Busy, Message: fmt.Sprintf("this machine's clock says %v, which is %s the hub's time %v", now, off, state),
		Hint: "set the clock right; if it is right, since the hub stood still for long, start with --accept-clock",
	}
	c.fault.Store(err)
	return err
}

func duration(t moongate.Time) time.Duration {
	return (time.Duration(t) * time.Microsecond).Round(time.Millisecond)
}

// errClock is what those hear who ask for something while the clock is off: by how much is for the operator.
var errClock = &moongate.Error{Code: moongate.Busy, Message: "the clock of the hub's machine is off", Hint: "try again later with the same key; an operator has to look at it"}

// ClockFault says how the clock is off, nil where it is not: until it is right, or the node was started with an
// operator's consent, nothing is decided.
func (n *Node) ClockFault() *moongate.Error { return n.clock.fault.Load() }
