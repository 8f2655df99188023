package queue_test

import (
	"errors"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// want reports an error that does not match target.
func want(tb testing.TB, what string, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("%s returned %v, not %v", what, err, target)
	}
}

// equal reports a value that is not the one expected.
func equal[T comparable](tb testing.TB, what string, got, want T) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s: %v, not %v", what, got, want)
	}
}

func settle(task *loop.Task) { loop.WaitAllTasksBlocked(task, 0) }

// inNursery runs body in a nursery of the main task.
func inNursery(t *testing.T, body func(*loop.Task, *loop.Nursery) error, opts ...loop.Option) {
	t.Helper()
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error { return body(task, n) })
	}, opts...)
}

// spawnScoped spawns fn in a scope of its own, which it returns once fn waits.
func spawnScoped(task *loop.Task, n *loop.Nursery, fn func(*loop.Task) error) *loop.Scope {
	var scope *loop.Scope
	n.Spawn(func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			scope = s
			return fn(task)
		})
	})
	settle(task)
	return scope
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// raceEnabled reports whether the race detector watches, which allocates too.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
