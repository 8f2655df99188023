package loop_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// startFunc is what Start runs.
type startFunc = func(*loop.Task, func(any) error) error

// ready calls started with value, and notes when the hand-over fails.
func ready(tb testing.TB, started func(any) error, value any) {
	tb.Helper()
	if err := started(value); err != nil {
		tb.Errorf("started(%v): %v", value, err)
	}
}

// service calls started with value at once and then sleeps until cancelled.
func service(tb testing.TB, value any) startFunc {
	return func(task *loop.Task, started func(any) error) error {
		ready(tb, started, value)
		return loop.SleepForever(task)
	}
}

// inNursery runs body in a nursery with a jumping clock, and returns the
// nursery's error.
func inNursery(tb testing.TB, body func(*loop.Task, *loop.Nursery, *looptest.Clock) error) error {
	tb.Helper()
	clock := looptest.NewAutojumpClock()
	return looptest.RunErr(tb, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error { return body(task, n, clock) })
	}, loop.WithClock(clock))
}

func TestS110HappyPath(t *testing.T) {
	for _, s := range []time.Duration{1, 2} {
		s *= time.Second
		virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				value, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
					if err := loop.Sleep(task, s); err != nil {
						return err
					}
					ready(t, started, s)
					return loop.Sleep(task, s)
				})
				if value != s || err != nil || clock.Elapsed() != s || len(n.Children()) != 1 {
					t.Errorf("at %v: %v, %v, %d children", clock.Elapsed(), value, err, len(n.Children()))
				}
				return nil
			})
			if clock.Elapsed() != 2*s {
				t.Errorf("the nursery closed at %v", clock.Elapsed())
			}
			return err
		})
	}
}

// S111: the function does not mind being called with nobody to tell.
func TestS111IgnoredStatus(t *testing.T) {
	nobody := func(any) error { return nil }
	looptest.Run(t, func(task *loop.Task) error {
		return loop.MoveOnAfter(task, time.Millisecond, func(*loop.Scope) error {
			return service(t, 1)(task, nobody)
		})
	})
}

func TestS112StartedTwice(t *testing.T) {
	err := inNursery(t, func(task *loop.Task, n *loop.Nursery, _ *looptest.Clock) error {
		value, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
			ready(t, started, "first")
			want(t, "the second call", started("second"), loop.ErrMisuse)
			err := loop.Checkpoint(task)
			want(t, "the third call", started("third"), loop.ErrMisuse)
			return err
		})
		if value != "first" {
			t.Errorf("the value is %v", value)
		}
		return err
	})
	looptest.AssertError(t, err, nil)
}

func TestS113FailBeforeStarted(t *testing.T) {
	err := inNursery(t, func(task *loop.Task, n *loop.Nursery, _ *looptest.Clock) error {
		wrapped := fmt.Errorf("opening: %w", errKey)
		for _, fails := range []error{errKey, wrapped} {
			value, err := loop.Start(task, n, func(*loop.Task, func(any) error) error { return fails })
			if err != fails || value != nil {
				t.Errorf("Start returned %v, %v", value, err)
			}
		}
		_, err := loop.Start(task, n, func(task *loop.Task, _ func(any) error) error {
			return loop.Nurse(task, func(n *loop.Nursery) error { return n.Spawn(failing(errKey)) })
		})
		looptest.AssertError(t, err, looptest.Group(errKey))
		_, err = loop.Start(task, n, func(*loop.Task, func(any) error) error { panic("ouch") })
		looptest.AssertError(t, err, looptest.As[*loop.PanicError](nil))
		if s := n.Statistics(); s.Children != 0 || s.Errors != 0 {
			t.Errorf("the nursery has %+v", s)
		}
		return loop.Checkpoint(task)
	})
	looptest.AssertError(t, err, nil)
}

func TestS114ExitWithoutStarted(t *testing.T) {
	err := inNursery(t, func(task *loop.Task, n *loop.Nursery, _ *looptest.Clock) error {
		_, err := loop.Start(task, n, func(*loop.Task, func(any) error) error { return nil })
		want(t, "Start", err, loop.ErrMisuse)
		wantText(t, err.Error(), "without calling started", "TestS114")
		return loop.Checkpoint(task)
	})
	looptest.AssertError(t, err, nil)
}

// underCancel runs Start in a scope that is cancelled already, and returns
// the results of Start.
func underCancel(t *testing.T, fn startFunc, caught bool) (value any, err error) {
	t.Helper()
	ran := inNursery(t, func(task *loop.Task, n *loop.Nursery, _ *looptest.Clock) error {
		var scope *loop.Scope
		rest := loop.Scoped(task, func(s *loop.Scope) error {
			scope = s
			s.Cancel("before")
			value, err = loop.Start(task, n, fn)
			return err
		})
		wantState(t, scope, true, caught)
		if s := n.Statistics(); s.Children != 0 || s.Errors != 0 {
			t.Errorf("the nursery has %+v", s)
		}
		if !errors.Is(err, loop.Cancelled) && rest != err {
			t.Errorf("the scope made %v of %v", rest, err)
		}
		return loop.Checkpoint(task)
	})
	looptest.AssertError(t, ran, nil)
	return value, err
}

func TestS115StartUnderCancel(t *testing.T) {
	value, err := underCancel(t, func(task *loop.Task, started func(any) error) error {
		want(t, "started", started("hi"), loop.Cancelled)
		want(t, "started again", started("hi"), loop.ErrMisuse)
		return loop.Checkpoint(task)
	}, true)
	if _, ok := err.(*loop.CancelledError); value != nil || !ok {
		t.Errorf("Start returned %v, %v", value, err)
	}
}

func TestS116StartUnderCancelNoCheckpoint(t *testing.T) {
	_, err := underCancel(t, func(_ *loop.Task, started func(any) error) error {
		want(t, "started", started("hi"), loop.Cancelled)
		return nil
	}, false)
	want(t, "Start", err, nil)
}

func TestS117FailAfterIneffectiveStarted(t *testing.T) {
	_, err := underCancel(t, func(_ *loop.Task, started func(any) error) error {
		want(t, "started", started("hi"), loop.Cancelled)
		return errKey
	}, false)
	if err != errKey {
		t.Errorf("Start returned %v", err)
	}
}

func TestS118StartOnClosedNursery(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var closed *loop.Nursery
		err := loop.Nurse(task, func(n *loop.Nursery) error { closed = n; return nil })
		before := task.Statistics()
		_, start := loop.Start(task, closed, func(*loop.Task, func(any) error) error {
			t.Error("it ran")
			return nil
		})
		want(t, "Start", start, loop.ErrClosed)
		after := task.Statistics()
		wantTrue(t, "at once", before.Turns == after.Turns && before.Spawned == after.Spawned)
		return err
	})
}

// startingIn runs two nurseries: a child of the first starts fn in the second,
// which else would close after one second. It returns when that closed.
func startingIn(t *testing.T, fn startFunc, result func(value any, err error)) (closed time.Duration) {
	t.Helper()
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.Nurse(task, func(n1 *loop.Nursery) error {
			err := loop.Nurse(task, func(n2 *loop.Nursery) error {
				n2.Spawn(func(task *loop.Task) error { return loop.Sleep(task, time.Second) })
				return n1.Spawn(func(task *loop.Task) error {
					result(loop.Start(task, n2, fn))
					return nil
				})
			})
			closed = clock.Elapsed()
			return err
		})
	})
	return closed
}

// S119: a start under way holds its target open, and so does the task that
// moved there.
func TestS119PendingStartHoldsTargetOpen(t *testing.T) {
	closed := startingIn(t, func(task *loop.Task, started func(any) error) error {
		if err := loop.Sleep(task, 5*time.Second); err != nil {
			return err
		}
		target := task.Target()
		wantTrue(t, "the target is open, and empty", !target.Closed() && len(target.Children()) == 0)
		ready(t, started, 7)
		return loop.Sleep(task, 2*time.Second)
	}, func(value any, err error) {
		if value != 7 || err != nil {
			t.Errorf("Start returned %v, %v", value, err)
		}
	})
	if closed != 7*time.Second {
		t.Errorf("the target closed at %v", closed)
	}
}

func TestS120PendingStartCrashReleases(t *testing.T) {
	for _, crash := range []error{errKey, nil} {
		closed := startingIn(t, func(task *loop.Task, _ func(any) error) error {
			if err := loop.Sleep(task, 7*time.Second); err != nil {
				return err
			}
			return crash
		}, func(_ any, err error) {
			if crash == nil {
				crash = loop.ErrMisuse
			}
			want(t, "Start", err, crash)
		})
		if closed != 7*time.Second {
			t.Errorf("the target closed at %v", closed)
		}
	}
}

// S121: the task that was started belongs to the nursery: its failure cancels
// that one, and not the caller of Start.
func TestS121FailAfterStarted(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(calling *loop.Nursery) error {
			err := loop.Nurse(task, func(target *loop.Nursery) error {
				calling.Spawn(func(task *loop.Task) error {
					_, err := loop.Start(task, target, func(task *loop.Task, started func(any) error) error {
						ready(t, started, nil)
						if err := loop.Checkpoint(task); err != nil {
							return err
						}
						return errKey
					})
					want(t, "Start", err, nil)
					return loop.Checkpoint(task)
				})
				return loop.SleepForever(task)
			})
			looptest.AssertError(t, err, looptest.Group(errKey))
			return nil
		})
	})
}

func TestS122IntrospectionDuringStart(t *testing.T) {
	err := inNursery(t, func(main *loop.Task, n *loop.Nursery, _ *looptest.Clock) error {
		_, err := loop.Start(main, n, func(task *loop.Task, started func(any) error) error {
			hidden := task.Nursery()
			wantTrue(t, "before: a hidden nursery", hidden != n && hidden.Owner() == main)
			wantTrue(t, "before: the target", task.Target() == n && len(n.Children()) == 0)
			wantTrue(t, "before: the parent", task.Parent() == main)
			wantText(t, task.Name(), "TestS122IntrospectionDuringStart")
			ready(t, started, nil)
			wantTrue(t, "after: the target is home", task.Nursery() == n && n.Children()[0] == task)
			wantTrue(t, "after: no target", task.Target() == nil && len(hidden.Children()) == 0)
			return nil
		}, loop.WithTaskName(""))
		return err
	})
	looptest.AssertError(t, err, nil)
}

func TestS123NoGuestsInHiddenNursery(t *testing.T) {
	err := inNursery(t, func(task *loop.Task, n *loop.Nursery, _ *looptest.Clock) error {
		_, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
			spawn := task.Nursery().Spawn(func(*loop.Task) error { t.Error("it ran"); return nil })
			want(t, "spawning", spawn, loop.ErrMisuse)
			_, start := loop.Start(task, task.Nursery(), service(t, nil))
			want(t, "starting", start, loop.ErrMisuse)
			ready(t, started, nil)
			want(t, "spawning in the target", task.Nursery().Spawn(nothing), nil)
			return nil
		})
		return err
	})
	looptest.AssertError(t, err, nil)
}

// S124: a task being started sees the cancellation of its target too, or
// target and caller would wait for each other for ever.
func TestS124NoStartDeadlockA(t *testing.T) {
	err := inNursery(t, func(task *loop.Task, n *loop.Nursery, _ *looptest.Clock) error {
		n.Spawn(func(task *loop.Task) error {
			if err := loop.Sleep(task, time.Second); err != nil {
				return err
			}
			return errKey
		})
		return loop.Shield(task, func(*loop.Scope) error {
			_, err := loop.Start(task, n, func(task *loop.Task, _ func(any) error) error {
				err := loop.SleepForever(task) // never calls started
				want(t, "the task", err, loop.Cancelled)
				return err
			})
			want(t, "Start", err, loop.ErrClosed)
			wantTrue(t, "the caller is not cancelled", !errors.Is(err, loop.Cancelled))
			return loop.Checkpoint(task)
		})
	})
	looptest.AssertError(t, err, looptest.Group(errKey))
}

// A target that is cancelled when Start is called still lets the task run to
// its first checkpoint.
func TestStartInCancelledNursery(t *testing.T) {
	err := inNursery(t, func(task *loop.Task, n *loop.Nursery, _ *looptest.Clock) error {
		n.Cancel("before")
		return loop.Shield(task, func(*loop.Scope) error {
			ran := false
			_, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
				ran = true
				want(t, "started", started(1), loop.Cancelled)
				return loop.Checkpoint(task)
			})
			wantTrue(t, "it ran", ran)
			want(t, "Start", err, loop.ErrClosed)
			return nil
		})
	})
	looptest.AssertError(t, err, nil)
}

// S125: started tells the task that nobody takes over, so that even a
// shielded one can end, and Start with it.
func TestS125NoStartDeadlockB(t *testing.T) {
	err := inNursery(t, func(task *loop.Task, n *loop.Nursery, clock *looptest.Clock) error {
		return loop.MoveOnAfter(task, time.Second, func(*loop.Scope) error {
			value, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
				return loop.Shield(task, func(*loop.Scope) error {
					if err := loop.Sleep(task, 2*time.Second); err != nil {
						return err
					}
					if err := started("too late"); err != nil {
						return err
					}
					return loop.SleepForever(task)
				})
			})
			want(t, "Start", err, loop.Cancelled)
			if value != nil || clock.Elapsed() != 2*time.Second {
				t.Errorf("at %v: %v", clock.Elapsed(), value)
			}
			return err
		})
	})
	looptest.AssertError(t, err, nil)
}

func TestS126StartedFromOtherTask(t *testing.T) {
	err := inNursery(t, func(main *loop.Task, n *loop.Nursery, _ *looptest.Clock) error {
		var child, grandchild *loop.Task
		value, err := loop.Start(main, n, func(task *loop.Task, started func(any) error) error {
			child = task
			return loop.Nurse(task, func(n *loop.Nursery) error {
				return n.Spawn(func(task *loop.Task) error {
					grandchild = task
					if err := loop.Sleep(task, time.Second); err != nil {
						return err
					}
					ready(t, started, "on its behalf")
					return loop.Sleep(task, time.Second)
				})
			})
		})
		wantTrue(t, "the child moved", child.Nursery() == n && len(n.Children()) == 1)
		wantTrue(t, "the grandchild did not", grandchild.Parent() == child && !grandchild.Ended())
		if value != "on its behalf" {
			t.Errorf("the value is %v", value)
		}
		return err
	})
	looptest.AssertError(t, err, nil)
}
