package loop_test

import (
	"errors"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// These tests are named after the scenarios that they settle. Some scenarios
// can not be written against this package, since what they warn of can not be
// expressed in it:
//
//   - S025: every function that is given code to run takes a closure, last
//     before its options, so there are no arguments to mix up.
//   - S059, S060: scopes and nurseries are entered and left by a call of a
//     function. Only iter.Pull can have them left in the wrong order, or left
//     open: pulled_test.go.

// Errors of user code; tests tell them apart by identity.
var (
	errKey   = errors.New("key")
	errValue = errors.New("value")
	errOther = errors.New("other")
)

// orders is how many seeds a test of what holds in every order is run with.
const orders = 20

// virtually runs main with a clock that jumps when nothing else can happen.
func virtually(tb testing.TB, main func(*loop.Task, *looptest.Clock) error) {
	tb.Helper()
	clock := looptest.NewAutojumpClock()
	looptest.Run(tb, func(task *loop.Task) error { return main(task, clock) }, loop.WithClock(clock))
}

// byHand runs main with a clock that main moves.
func byHand(tb testing.TB, main func(*loop.Task, *looptest.Clock) error) {
	tb.Helper()
	clock := looptest.NewClock()
	looptest.Run(tb, func(task *loop.Task) error { return main(task, clock) }, loop.WithClock(clock))
}

// want fails the test if err does not match target, or is not nil if target
// is.
func want(tb testing.TB, what string, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("%s: got %v, want %v", what, err, target)
	}
}

// wantTrue fails the test if ok is false.
func wantTrue(tb testing.TB, what string, ok bool) {
	tb.Helper()
	if !ok {
		tb.Errorf("not so: %s", what)
	}
}

// wantState fails the test unless the scope is as said.
func wantState(tb testing.TB, s *loop.Scope, called, caught bool) {
	tb.Helper()
	if s.CancelCalled() != called || s.CancelledCaught() != caught {
		tb.Errorf("%v: cancel called %v, caught %v; want %v, %v",
			s, s.CancelCalled(), s.CancelledCaught(), called, caught)
	}
}

// notes is what the tasks of a test have noted, in order.
type notes []string

func (n *notes) add(note string) { *n = append(*n, note) }

// want fails the test unless the notes are these.
func (n notes) want(tb testing.TB, all ...string) {
	tb.Helper()
	if !slices.Equal(n, all) {
		tb.Errorf("noted %q, want %q", n, all)
	}
}

// wantAnyOrder fails the test unless the notes are these, in any order.
func (n notes) wantAnyOrder(tb testing.TB, all ...string) {
	tb.Helper()
	slices.Sort(n)
	slices.Sort(all)
	if !slices.Equal(n, all) {
		tb.Errorf("noted %q, want, in any order, %q", n, all)
	}
}

// settled waits until every other task waits.
func settled(task *loop.Task, tb testing.TB) {
	tb.Helper()
	looptest.WaitAllTasksBlocked(task, tb)
}

// sleeper is a task that sleeps until it is cancelled.
func sleeper(task *loop.Task) error { return loop.SleepForever(task) }

// failing is a task that fails with err at once.
func failing(err error) func(*loop.Task) error {
	return func(*loop.Task) error { return err }
}

// reasonOf returns the Cancelled in err.
func reasonOf(tb testing.TB, err error) *loop.CancelledError {
	tb.Helper()
	var c *loop.CancelledError
	if !errors.As(err, &c) {
		tb.Fatalf("got %v, want a Cancelled", err)
	}
	return c
}

// wantText fails the test unless text contains all parts.
func wantText(tb testing.TB, text string, parts ...string) {
	tb.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			tb.Errorf("no %q in %q", part, text)
		}
	}
}

// get and set read and change the value of a local in a task.
func get[T any](task *loop.Task, local *loop.Local[T]) T { return local.From(task.Locals()) }

func set[T any](task *loop.Task, local *loop.Local[T], value T) {
	task.SetLocals(local.With(task.Locals(), value))
}

// raceEnabled reports whether the race detector watches: it makes everything
// slower, and some things quadratic.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
