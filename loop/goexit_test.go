package loop_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// goexit is the error of a task that called runtime.Goexit.
func goexit() error {
	return looptest.As(func(p *loop.PanicError) bool { return p.Goexit && p.Value == nil })
}

func TestS107GoexitInChild(t *testing.T) {
	var record notes
	err := looptest.RunErr(t, func(task *loop.Task) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				err := loop.SleepForever(task)
				record.add("the sibling was cancelled")
				return err
			})
			settled(task, t)
			return n.Spawn(func(*loop.Task) error {
				defer record.add("deferred calls ran")
				runtime.Goexit()
				return nil
			}, loop.WithTaskName("quitter"))
		})
		var p *loop.PanicError
		wantTrue(t, "it is a PanicError", errors.As(err, &p))
		wantText(t, p.Error(), "task quitter called runtime.Goexit", "TestS107GoexitInChild")
		want(t, "the loop lives", loop.Checkpoint(task), nil)
		return err
	})
	looptest.AssertError(t, err, looptest.Group(goexit()))
	record.want(t, "deferred calls ran", "the sibling was cancelled")
}

func TestS107GoexitInMain(t *testing.T) {
	err := looptest.RunErr(t, func(*loop.Task) error { runtime.Goexit(); return nil })
	looptest.AssertError(t, err, goexit())
}

// A Goexit of the body goes on through nurseries, but not before their
// children have ended; their errors are reported with it.
func TestS107GoexitInBody(t *testing.T) {
	ended := 0
	child := func(err error) func(*loop.Task) error {
		return func(task *loop.Task) error {
			want(t, "the child", loop.SleepForever(task), loop.Cancelled)
			ended++
			return err
		}
	}
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(outer *loop.Nursery) error {
			return outer.Spawn(func(task *loop.Task) error {
				defer func() {
					if ended != 2 || len(task.Nurseries()) != 0 {
						t.Errorf("%d children had ended, %d nurseries are open", ended, len(task.Nurseries()))
					}
				}()
				loop.Nurse(task, func(n1 *loop.Nursery) error {
					n1.Spawn(child(errKey))
					return loop.Nurse(task, func(n2 *loop.Nursery) error {
						n2.Spawn(child(errValue))
						settled(task, t)
						runtime.Goexit()
						return nil
					})
				})
				t.Error("the task went on")
				return nil
			})
		})
	})
	looptest.AssertError(t, err,
		looptest.Group(looptest.Group(goexit(), looptest.Group(errKey, looptest.Group(errValue)))))
}

// A Goexit carries the errors of nurseries past the scopes around them. Those
// absorb what their cancellation caused, as they do when a body returns.
func TestS107GoexitThroughCancelledScopes(t *testing.T) {
	stubborn := func(task *loop.Task) error {
		if err := loop.SleepForever(task); !errors.Is(err, loop.Cancelled) {
			return err
		}
		return errors.Join(loop.CheckpointIfCancelled(task), errKey)
	}
	exit := func(task *loop.Task, s *loop.Scope) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(stubborn)
			settled(task, t)
			s.Cancel("test")
			runtime.Goexit()
			return nil
		})
	}
	for name, around := range map[string]func(*loop.Task, func(*loop.Scope) error) error{
		"a scope": func(task *loop.Task, fn func(*loop.Scope) error) error { return loop.Scoped(task, fn) },
		"a nursery": func(task *loop.Task, fn func(*loop.Scope) error) error {
			return loop.Nurse(task, func(n *loop.Nursery) error { return fn(n.Scope()) })
		},
		"a shield": func(task *loop.Task, fn func(*loop.Scope) error) error {
			return loop.Scoped(task, func(s *loop.Scope) error {
				return loop.Nurse(task, func(*loop.Nursery) error { return fn(s) })
			}, loop.WithShield())
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := looptest.RunErr(t, func(task *loop.Task) error {
				return around(task, func(s *loop.Scope) error { return exit(task, s) })
			})
			want(t, "what is left", err, errKey)
			var p *loop.PanicError
			wantTrue(t, "the Goexit is in it", errors.As(err, &p))
			if errors.Is(err, loop.Cancelled) {
				t.Errorf("a Cancelled is left: %v", err)
			}
		})
	}
}

// A deferred function may still suspend while a Goexit unwinds its task.
func TestGoexitMayStillSuspend(t *testing.T) {
	slept := false
	clock := looptest.NewAutojumpClock()
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(task *loop.Task) error {
				defer func() {
					want(t, "the sleep", loop.Sleep(task, time.Second), nil)
					slept = true
				}()
				return loop.Scoped(task, func(*loop.Scope) error { runtime.Goexit(); return nil })
			})
		})
	}, loop.WithClock(clock))
	looptest.AssertError(t, err, looptest.Group(goexit()))
	wantTrue(t, "it slept", slept && clock.Elapsed() == time.Second)
}

// The coroutine of a task that called Goexit is never used again, and none is
// left.
func TestManyGoexits(t *testing.T) {
	const many = 200
	counts := 0
	err := looptest.RunErr(t, func(task *loop.Task) error {
		var all error
		for range many {
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(nothing)
				return n.Spawn(func(*loop.Task) error { runtime.Goexit(); return nil })
			})
			var p *loop.PanicError
			if errors.As(err, &p) && p.Goexit {
				counts++
			} else {
				all = errors.Join(all, err)
			}
		}
		return all
	})
	if err != nil || counts != many {
		t.Errorf("%d of %d, %v", counts, many, err)
	}
}
