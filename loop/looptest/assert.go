package looptest

import (
	"testing"

	"github.com/lion-go/lion/loop"
)

// WaitAllTasksBlocked suspends t until every other task of the loop waits for
// something. It is a checkpoint, and fails the test if it is cancelled.
func WaitAllTasksBlocked(t *loop.Task, tb testing.TB) {
	tb.Helper()
	if err := loop.WaitAllTasksBlocked(t, 0); err != nil {
		tb.Fatalf("waiting until all tasks are blocked: %v", err)
	}
}

// AssertCheckpoint runs fn and fails the test unless it was a checkpoint:
// both a cancel point and a schedule point. It returns fn's error. It
// suspends only where fn does; what other tasks do meanwhile counts too, so
// there should be none that are runnable.
func AssertCheckpoint(t *loop.Task, tb testing.TB, fn func() error) error {
	tb.Helper()
	cancel, schedule, err := points(t, fn)
	if cancel == 0 || schedule == 0 {
		tb.Errorf("%d cancel points and %d schedule points; want both", cancel, schedule)
	}
	return err
}

// AssertNoCheckpoint runs fn and fails the test if it was a cancel point or a
// schedule point, or suspended the task. It returns fn's error.
func AssertNoCheckpoint(t *loop.Task, tb testing.TB, fn func() error) error {
	tb.Helper()
	cancel, schedule, err := points(t, fn)
	if cancel != 0 || schedule != 0 {
		tb.Errorf("%d cancel points and %d schedule points; want none", cancel, schedule)
	}
	return err
}

func points(t *loop.Task, fn func() error) (cancel, schedule uint64, err error) {
	before := t.Statistics()
	err = fn()
	after := t.Statistics()
	return after.CancelPoints - before.CancelPoints, after.SchedulePoints - before.SchedulePoints, err
}
