package looptest

import (
	"fmt"
	"time"

	"github.com/lion-go/lion/loop"
)

// Epoch is the time at which every virtual clock starts.
var Epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// never is how long a clock that stands still takes to reach a later time.
const never = time.Duration(1<<63 - 1)

// A Clock is a virtual clock. It starts at Epoch and moves in three ways: by
// itself, at a rate; by Advance; and, if it has a threshold, by jumping to
// the next deadline once nothing else can happen. It belongs to one loop, and
// is used from its tasks and callbacks, or before and after its run.
type Clock struct {
	real      func() time.Time // the system's clock
	since     time.Time        // when, on that clock, the rate was set
	start     time.Time        // and what this clock said then
	rate      float64
	threshold time.Duration
}

var _ loop.AutojumpClock = (*Clock)(nil)

// NewClock returns a clock that stands still until the test moves it.
func NewClock() *Clock { return newClock(time.Now) }

// NewAutojumpClock returns a clock that stands still while anything can
// happen, and then jumps to the next deadline at once.
func NewAutojumpClock() *Clock {
	c := NewClock()
	c.threshold = 0
	return c
}

func newClock(real func() time.Time) *Clock {
	return &Clock{real: real, since: real(), start: Epoch, threshold: -1}
}

// Start does nothing. It is for the loop.
func (c *Clock) Start() error { return nil }

// Now returns the virtual time.
func (c *Clock) Now() time.Time {
	return c.start.Add(time.Duration(float64(c.real().Sub(c.since)) * c.rate))
}

// Elapsed returns the virtual time since Epoch.
func (c *Clock) Elapsed() time.Duration { return c.Now().Sub(Epoch) }

// Sleep returns how long, in real time, the clock takes to reach when by
// itself. It is for the loop.
func (c *Clock) Sleep(when time.Time) time.Duration {
	left := when.Sub(c.Now())
	switch {
	case left <= 0:
		return 0
	case c.rate == 0:
		return never
	}
	if real := float64(left) / c.rate; real < float64(never) {
		return time.Duration(real)
	}
	return never
}

// Advance moves the clock forward by d. A negative d is refused with
// loop.ErrMisuse.
func (c *Clock) Advance(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%w: moving a clock back by %v", loop.ErrMisuse, -d)
	}
	c.start = c.start.Add(d)
	return nil
}

// Jump moves the clock to when, unless it is later already. It is for the
// loop.
func (c *Clock) Jump(when time.Time) {
	if d := when.Sub(c.Now()); d > 0 {
		c.start = c.start.Add(d)
	}
}

// Rate returns how many virtual seconds pass in a real one.
func (c *Clock) Rate() float64 { return c.rate }

// SetRate lets rate virtual seconds pass in each real one. Zero, the default,
// stops the clock; a negative rate is refused with loop.ErrMisuse.
func (c *Clock) SetRate(rate float64) error {
	if !(rate >= 0) {
		return fmt.Errorf("%w: a clock of rate %v", loop.ErrMisuse, rate)
	}
	c.start, c.since = c.Now(), c.real()
	c.rate = rate
	return nil
}

// Threshold returns how long, in real time, all tasks must have been blocked
// before the clock jumps to the next deadline; negative: it never does.
func (c *Clock) Threshold() time.Duration { return c.threshold }

// SetThreshold changes the threshold; it takes effect at once.
func (c *Clock) SetThreshold(d time.Duration) { c.threshold = d }
