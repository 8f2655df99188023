package looptest

import (
	"slices"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
)

// momentsMax bounds the moments of one program, and so the runs of a test.
const momentsMax = 100_000

// CancelEverywhere runs main again and again, and cancels it each time at
// another moment, the first, the second, and so on, until it ends without
// coming to be cancelled. It returns how many moments there were.
//
// A moment is whenever a cancellation can come: before each turn of any task,
// and since every checkpoint ends a turn, that is at every checkpoint; and at
// each look at the clock within a turn, since a deadline may pass there.
//
// Every run is one of Run: main fails the test if it returns an error that is
// not a Cancelled, if it hangs, or if it leaves something behind. Time is
// virtual and jumps; an option for another clock is not possible.
func CancelEverywhere(
	tb testing.TB, main func(*loop.Task) error, opts ...loop.Option,
) (moments int) {
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
		in := &injector{Clock: NewAutojumpClock(), moment: moments}
		c.Run(tb, func(t *loop.Task) error {
			return loop.Scoped(t, func(s *loop.Scope) error {
				in.scope = s
				defer func() { in.scope = nil }()
				return main(t)
			})
		}, append(slices.Clip(opts), loop.WithClock(in), in.option())...)
		switch {
		case tb.Failed():
			tb.FailNow()
		case !in.done:
			return moments - 1
		}
	}
	tb.Fatalf("there are more than %d moments", momentsMax)
	return momentsMax
}

// injector cancels a scope at the nth moment. It is the clock of the loop:
// whenever that is read deadlines may expire, so nothing happens here that
// could not happen elsewhere.
type injector struct {
	*Clock
	scope   *loop.Scope
	moment  int
	moments int // so far
	done    bool
}

// Now returns the virtual time.
func (i *injector) Now() time.Time {
	i.pass()
	return i.Clock.Now()
}

func (i *injector) option() loop.Option {
	return loop.WithInstrument(&loop.Instrument{
		Name: "looptest.CancelEverywhere", BeforeTurn: func(*loop.Task) { i.pass() },
	})
}

// pass counts a moment.
func (i *injector) pass() {
	if i.scope == nil || i.done {
		return
	}
	if i.moments++; i.moments == i.moment {
		i.done = true
		_ = i.scope.Cancel("injected") // it refuses no cancellation on its loop
	}
}
