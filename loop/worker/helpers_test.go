package worker_test

import (
	"errors"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/worker"
)

// Errors of user code; tests tell them apart by identity.
var (
	errJob   = errors.New("job")
	errOther = errors.New("other")
)

func nothing(*worker.Job) error { return nil }

// want fails the test if err does not match target, or is not nil if target
// is.
func want(tb testing.TB, what string, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("%s: got %v, want %v", what, err, target)
	}
}

func wantTrue(tb testing.TB, what string, ok bool) {
	tb.Helper()
	if !ok {
		tb.Errorf("not so: %s", what)
	}
}

// run runs main and waits for the jobs that it abandoned.
func run(tb testing.TB, main func(*loop.Task) error, opts ...loop.Option) {
	tb.Helper()
	looptest.Run(tb, func(task *loop.Task) error {
		err := main(task)
		return errors.Join(err, worker.Of(task.Loop()).WaitIdle(task))
	}, opts...)
}

// wantStatistics fails the test unless so many jobs are in these states.
func wantStatistics(task *loop.Task, tb testing.TB, waiting, running, abandoned int) {
	tb.Helper()
	s := worker.Of(task.Loop()).Statistics()
	if s.Waiting != waiting || s.Running != running || s.Abandoned != abandoned {
		tb.Errorf("%+v; want %d waiting, %d running, %d abandoned", s, waiting, running, abandoned)
	}
}
