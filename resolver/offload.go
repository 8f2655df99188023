package resolver

import (
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/worker"
)

// offload runs fn on a worker, since it may block, and waits for it. It is a
// checkpoint; a cancelled call returns at once, and what fn returns later is
// dropped. The workers' own limit is for other things than names: here the
// throttle bounds lookups, and files are read once in a while.
func offload[T any](t *loop.Task, fn func() (T, error)) (T, error) {
	return worker.Value(t, func(*worker.Job) (T, error) { return fn() },
		worker.AbandonOnCancel(), worker.WithLimiter(unlimited{}))
}

// unlimited is a limiter that has no limit.
type unlimited struct{}

// AcquireFor always has a token. It is a cancel point.
func (unlimited) AcquireFor(t *loop.Task, _ any) error { return loop.CheckpointIfCancelled(t) }

// ReleaseFor takes it back.
func (unlimited) ReleaseFor(any) error { return nil }
