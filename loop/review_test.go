package loop_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// What a review of the first version found.

// A task that waits in a lot or sleeps can not be woken behind its back.
func TestUnparkWakesOnlyPark(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var lot loop.ParkingLot
		return loop.Nurse(task, func(n *loop.Nursery) error {
			var parked, asleep *loop.Task
			n.Spawn(func(t2 *loop.Task) error { parked = t2; return lot.Park(t2, "test") })
			n.Spawn(func(t2 *loop.Task) error { asleep = t2; return loop.Sleep(t2, time.Hour) })
			settle(task)
			for _, other := range []*loop.Task{parked, asleep} {
				if err := other.Unpark(nil); !errors.Is(err, loop.ErrNotParked) {
					t.Errorf("Unpark of %v returned %v", other, err)
				}
			}
			if lot.UnparkOne() != parked {
				t.Error("the task was not in the lot any more")
			}
			n.Cancel("enough")
			return nil
		})
	})
}

// A Goexit in a callback, as of FailNow, ends the loop and all that wait for
// it, and then goes on.
func TestGoexitInCallback(t *testing.T) {
	var l *loop.Loop
	var cause error
	unwound := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = loop.Run(func(task *loop.Task) error {
			defer close(unwound)
			l = task.Loop()
			l.CallSoon(runtime.Goexit)
			cause = loop.SleepForever(task)
			return cause
		})
		t.Error("Run returned")
	}()
	<-ended
	<-unwound
	if !errors.Is(cause, loop.ErrInternal) {
		t.Errorf("the task was unwound with %v", cause)
	}
	err := l.Do(context.Background(), nothing)
	if !errors.Is(err, loop.ErrLoopClosed) {
		t.Errorf("Do afterwards returned %v", err)
	}
}

// A Cancelled that is carried through a shielded clean-up still belongs to
// the scope outside.
func TestCancelledThroughShield(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("test")
			err := loop.Checkpoint(task)
			return loop.Shield(task, func(*loop.Scope) error {
				return loop.Nurse(task, func(*loop.Nursery) error { return err })
			})
		})
	})
}

// A context keeps its deadline even while its task blocks the loop.
func TestContextWhileBlocking(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.MoveOnAfter(task, time.Millisecond, func(*loop.Scope) error {
			ctx := task.Context()
			<-ctx.Done()
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("the context ended with %v", ctx.Err())
			}
			return loop.Checkpoint(task)
		})
	})
}

// A checkpoint sees a deadline that passed while the task computed.
func TestS030CheckpointSeesTheDeadline(t *testing.T) {
	checks := map[string]func(*loop.Task) error{
		"Checkpoint": loop.Checkpoint,
		"Sleep(0)":   func(t *loop.Task) error { return loop.Sleep(t, 0) },
		"Yield":      loop.Yield,
	}
	for name, check := range checks {
		err := loop.Run(func(task *loop.Task) error {
			return loop.FailAfter(task, time.Millisecond, func(*loop.Scope) error {
				for began := time.Now(); time.Since(began) < 2*time.Millisecond; {
				}
				return check(task)
			})
		})
		if err != loop.ErrTimeout {
			t.Errorf("%s: Run returned %v", name, err)
		}
	}
}

// The handle of a task that has ended answers, and does not panic.
func TestHandleOfEndedTask(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var ended *loop.Task
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(t2 *loop.Task) error { ended = t2; return nil })
		})
		if _, ok := ended.Deadline(); ok || ended.Context().Err() == nil {
			t.Error("an ended task has a deadline or a live context")
		}
		return err
	})
}

func TestRunEachRefusesOneClock(t *testing.T) {
	err := loop.RunEach(2, func(*loop.Task, int) error { return nil },
		loop.WithClock(looptest.NewClock()))
	if !errors.Is(err, loop.ErrMisuse) {
		t.Errorf("RunEach returned %v", err)
	}
}

// S136: a task whose abort function failed is lost for good, whatever scope it
// has left since and whatever shield it puts up.
func TestS136ALostTaskStaysLost(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		err := loop.MoveOnAfter(task, 0, func(*loop.Scope) error {
			return loop.Park(task, "doomed", loop.AbortFunc(func(loop.Wait) bool { panic("broken") }))
		})
		want(t, "the scope", err, loop.ErrInternal)
		want(t, "a checkpoint", loop.Checkpoint(task), loop.ErrInternal)
		want(t, "a sleep behind a shield", loop.Shield(task, func(*loop.Scope) error {
			return loop.Sleep(task, time.Hour)
		}), loop.ErrInternal)
		return nil
	})
	want(t, "a task that hides it", err, loop.ErrInternal)
}

// S056: a deadline has passed when it has, even for an abort function that runs
// while deadlines of the same moment are dealt with, one after the other.
func TestS056DeadlineMovedWhileOthersExpire(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			var scopes [2]*loop.Scope
			for i := range scopes {
				n.Spawn(func(task *loop.Task) error {
					return loop.MoveOnAfter(task, time.Second, func(s *loop.Scope) error {
						scopes[i] = s
						err := loop.Park(task, "test", loop.AbortFunc(func(loop.Wait) bool {
							want(t, "SetTimeout", scopes[1-i].SetTimeout(time.Hour), nil)
							return true
						}))
						want(t, "the wait", err, loop.Cancelled)
						wantTrue(t, "it ends when its time has come", clock.Elapsed() == time.Second)
						return err
					})
				})
			}
			return nil
		})
	})
}

// The context of the outermost scope ends with the main task: goroutines that
// wait for it would wait for ever.
func TestContextOfTheMainTask(t *testing.T) {
	var outer, system context.Context
	look := func(task *loop.Task) error {
		if outer.Err() == nil {
			t.Error("the context of the main task goes on without it")
		}
		return nil
	}
	looptest.Run(t, func(task *loop.Task) error {
		outer = task.Context()
		want(t, "SpawnSystem", task.Loop().SpawnSystem(func(task *loop.Task) error {
			system = task.Context()
			_ = loop.SleepForever(task)
			return look(task)
		}), nil)
		return loop.Yield(task)
	})
	if outer.Err() == nil || system.Err() == nil {
		t.Errorf("after the run: %v, %v", outer.Err(), system.Err())
	}
	err := looptest.RunErr(t, func(task *loop.Task) error {
		outer = task.Context()
		task.Loop().CallSoon(func() { panic("broken") })
		return loop.SleepForever(task)
	})
	want(t, "a loop that breaks", err, loop.ErrInternal)
	want(t, "the context of its main task", outer.Err(), context.Canceled)
}

// The hand-over of Start may come from an abort function, in the middle of the
// cancellation of the nursery that takes the task: it is cancelled with the rest.
func TestS124HandOverFromAnAbort(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		var target *loop.Nursery
		var started func(any) error
		owner := func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				target = n
				return loop.Park(task, "test", loop.AbortFunc(func(loop.Wait) bool {
					want(t, "started", started("value"), nil)
					return true
				}))
			})
		}
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(owner)
			settled(task, t)
			n.Spawn(func(task *loop.Task) error {
				settled(task, t)
				return target.Cancel("test")
			})
			value, err := loop.Start(task, target, func(task *loop.Task, s func(any) error) error {
				started = s
				err := loop.Sleep(task, time.Hour)
				want(t, "the task that was started", err, loop.Cancelled)
				return err
			})
			wantTrue(t, "it was handed over", value == "value" && err == nil)
			return err
		})
		wantTrue(t, "at once", clock.Elapsed() == 0)
		return err
	})
}
