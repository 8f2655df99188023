package loop_test

import (
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// An iterator that is pulled is left where its stop is called. So with iter.Pull
// alone scopes and nurseries can be left in the wrong order, or be left open
// (S057, S058, S103).

// pulledScope yields once inside a scope, and notes what leaving that returned.
func pulledScope(task *loop.Task, err *error) iter.Seq[*loop.Scope] {
	return func(yield func(*loop.Scope) bool) {
		*err = loop.Scoped(task, func(s *loop.Scope) error { yield(s); return nil })
	}
}

// pulledNursery yields once inside a nursery with a child that sleeps for an hour,
// and notes what leaving that returned.
func pulledNursery(task *loop.Task, err *error) iter.Seq[*loop.Nursery] {
	return func(yield func(*loop.Nursery) bool) {
		*err = loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error { return loop.Sleep(task, time.Hour) })
			yield(n)
			return nil
		})
	}
}

// wantInside fails the test unless the task sees a cancellation of s.
func wantInside(task *loop.Task, t *testing.T, s *loop.Scope) {
	t.Helper()
	want(t, "before the cancellation", loop.Checkpoint(task), nil)
	s.Cancel("test")
	want(t, "after the cancellation", loop.Checkpoint(task), loop.Cancelled)
}

func TestS057PulledScopeLeftBeforeAnInnerOne(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(outer *loop.Scope) error {
			var late error
			next, stop := iter.Pull(pulledScope(task, &late))
			defer stop()
			pulled, _ := next()
			return loop.Scoped(task, func(inner *loop.Scope) error {
				stop()
				want(t, "leaving a scope around another", late, loop.ErrMisuse)
				pulled.Cancel("it holds for nothing any more")
				err := loop.Scoped(task, func(*loop.Scope) error {
					inner.SetShield(true)
					outer.Cancel("test")
					want(t, "shielded", loop.Checkpoint(task), nil)
					inner.SetShield(false)
					return loop.Checkpoint(task)
				})
				want(t, "a scope further in", err, loop.Cancelled)
				return err
			})
		})
	})
}

func TestS057ScopeLeftBeforeAPulledOne(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(outer *loop.Scope) error {
			var late error
			next, stop := iter.Pull(pulledScope(task, &late))
			defer stop()
			err := loop.Scoped(task, func(*loop.Scope) error { next(); return nil })
			want(t, "leaving a scope around the pulled one", err, loop.ErrMisuse)
			stop()
			want(t, "leaving the pulled one", late, nil)
			wantInside(task, t, outer)
			return nil
		})
	})
}

func TestS057TwoPulledScopes(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(outer *loop.Scope) error {
			var first, second error
			nextA, stopA := iter.Pull(pulledScope(task, &first))
			defer stopA()
			nextA()
			nextB, stopB := iter.Pull(pulledScope(task, &second))
			defer stopB()
			b, _ := nextB()
			stopA()
			want(t, "the one around", first, loop.ErrMisuse)
			b.Cancel("test")
			want(t, "the one within", loop.Checkpoint(task), loop.Cancelled)
			stopB()
			want(t, "the one within", second, nil)
			wantInside(task, t, outer)
			return nil
		})
	})
}

func TestS058PulledNurseryLeftBeforeAnInnerOne(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		return loop.Scoped(task, func(outer *loop.Scope) error {
			var late error
			next, stop := iter.Pull(pulledNursery(task, &late))
			defer stop()
			pulled, _ := next()
			return loop.Nurse(task, func(inner *loop.Nursery) error {
				inner.Spawn(func(task *loop.Task) error {
					err := loop.Sleep(task, 100*time.Hour)
					want(t, "a child of the inner nursery", err, loop.Cancelled)
					return err
				})
				stop()
				want(t, "leaving a nursery around another", late, loop.ErrMisuse)
				wantTrue(t, "the pulled nursery is closed", pulled.Closed())
				if open := task.Nurseries(); len(open) != 1 || open[0] != inner {
					t.Errorf("%d nurseries are open", len(open))
				}
				outer.Cancel("test")
				return nil
			})
		})
	})
}

// A task that ends in a nursery of a pulled iterator fails, and its children
// are cancelled and awaited, whenever the iterator is stopped, if ever.
func TestS103TaskEndsInAPulledNursery(t *testing.T) {
	for name, end := range map[string]func() error{
		"returns": func() error { return errValue },
		"panics":  func() error { panic(errValue) },
		"exits":   func() error { defer runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
				var late error
				var stop func()
				err := loop.Nurse(task, func(n *loop.Nursery) error {
					return n.Spawn(func(task *loop.Task) error {
						var next func() (*loop.Nursery, bool)
						next, stop = iter.Pull(pulledNursery(task, &late))
						next()
						return end()
					})
				})
				want(t, "the nursery", err, loop.ErrMisuse)
				if name != "exits" {
					want(t, "the nursery", err, errValue)
				}
				if alive := len(task.Loop().Tasks()); alive != 1 || clock.Elapsed() != 0 {
					t.Errorf("%d tasks live after %v", alive, clock.Elapsed())
				}
				stop()
				want(t, "stopping the iterator at last", late, loop.ErrMisuse)
				return loop.Checkpoint(task)
			})
		})
	}
}

// The same with a scope: its timer goes as well.
func TestS103TaskEndsInAPulledScope(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		var stop func()
		var late error
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			_, err := loop.Go(n, func(task *loop.Task) (int, error) {
				var next func() (int, bool)
				next, stop = iter.Pull(func(yield func(int) bool) {
					late = loop.MoveOnAfter(task, time.Hour, func(*loop.Scope) error { yield(1); return errKey })
				})
				next()
				return 0, nil
			})
			return err
		})
		want(t, "the nursery", err, loop.ErrMisuse)
		wantTrue(t, "no deadline is left", !task.Loop().Statistics().HasDeadline)
		stop()
		want(t, "leaving the scope at last", late, loop.ErrMisuse)
		want(t, "its own error", late, errKey)
		return loop.Checkpoint(task)
	})
}

// What belongs to the loop belongs to an iterator of its tasks as well, which has a
// stack of its own when it is pulled.
func TestIteratorPulledMayCancel(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		for name, cancel := range map[string]func(*loop.Nursery, *loop.Handle[int]) error{
			"Nursery.Cancel": func(n *loop.Nursery, _ *loop.Handle[int]) error { return n.Cancel("test") },
			"Scope.Stop":     func(n *loop.Nursery, _ *loop.Handle[int]) error { return n.Scope().Stop(0, "test") },
			"Handle.Cancel":  func(_ *loop.Nursery, h *loop.Handle[int]) error { return h.Cancel("test") },
		} {
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				h, err := loop.Go(n, func(task *loop.Task) (int, error) { return 0, loop.SleepForever(task) })
				if err != nil {
					return err
				}
				next, stop := iter.Pull(func(yield func(error) bool) { yield(cancel(n, h)) })
				defer stop()
				err, _ = next()
				want(t, name, err, nil)
				if err != nil {
					n.Cancel("or else it goes on for ever")
				}
				return nil
			})
			want(t, "the nursery", err, nil)
		}
		return nil
	})
}
