package resolver

import (
	"context"

	"github.com/lion-go/lion/loop"
)

// offload runs fn on a goroutine of its own, since it may block, and waits for
// it. It is a checkpoint; a cancelled call returns at once, and what fn
// returns later is dropped. Its callers bound how many there are: the throttle
// for lookups, one at a time for the files.
func offload[T any](t *loop.Task, label string, fn func() (T, error)) (T, error) {
	var none T
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	left := false
	l := t.Loop()
	go func() {
		value, err := fn()
		done <- result{value, err}
		// A loop that has ended wants nothing any more; one whose queue is full
		// is made to listen.
		wake := func() {
			if !left {
				_ = t.Unpark(nil) // it is parked: nothing else wakes it
			}
		}
		if l.CallSoon(wake) == loop.ErrFull {
			_ = l.Do(context.Background(), func(*loop.Task) error { wake(); return nil })
		}
	}()
	err := loop.Park(t, label, loop.AbortFunc(func(loop.Wait) bool { left = true; return true }))
	if err != nil {
		return none, err
	}
	r := <-done
	return r.value, r.err
}
