package looptest

import (
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
)

// momentsMax bounds the moments of one program, and so the runs of a test.
const momentsMax = 100_000

// CancelEverywhere runs main again and again, and cancels it each time at
// another moment: at the first at which a deadline could expire, at the
// second, and so on, until it ends without coming to be cancelled. It returns
// how many moments there were.
//
// Every run is one of Run: main fails the test if it returns an error that is
// not a Cancelled, if it hangs, or if it leaves something behind. Time is
// virtual and jumps; an option for another clock is not possible.
func CancelEverywhere(tb testing.TB, main func(*loop.Task) error, opts ...loop.Option) (moments int) {
	tb.Helper()
	return Config{}.CancelEverywhere(tb, main, opts...)
}

// CancelEverywhere is the function CancelEverywhere with the configuration c.
func (c Config) CancelEverywhere(
	tb testing.TB, main func(*loop.Task) error, opts ...loop.Option,
) (moments int) {
	tb.Helper()
	defer func() {
		if tb.Failed() {
			tb.Logf("the cancellation at moment %d does harm", moments)
		}
	}()
	for moments = 1; moments <= momentsMax; moments++ {
		clock := &injector{Clock: NewAutojumpClock(), moment: moments}
		c.Run(tb, func(t *loop.Task) error {
			return loop.Scoped(t, func(s *loop.Scope) error {
				clock.scope = s
				defer func() { clock.scope = nil }()
				return main(t)
			})
		}, append(opts, loop.WithClock(clock))...)
		switch {
		case tb.Failed():
			tb.FailNow()
		case !clock.done:
			return moments - 1
		}
	}
	tb.Fatalf("there are more than %d moments", momentsMax)
	return momentsMax
}

// injector is a clock that cancels a scope when it is read for the nth time:
// whenever the loop reads its clock deadlines may expire, so nothing happens
// here that could not happen elsewhere.
type injector struct {
	*Clock
	scope  *loop.Scope
	moment int
	reads  int
	done   bool
}

// Now returns the virtual time.
func (i *injector) Now() time.Time {
	if i.scope != nil && !i.done {
		i.reads++
		if i.reads == i.moment {
			i.done = true
			i.scope.Cancel("injected")
		}
	}
	return i.Clock.Now()
}
