package loop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// Scenarios F: the contract of parking, waking and aborting.

var errWake = errors.New("woken with an error")

// yes agrees to every cancellation, and counts them.
type aborts struct {
	calls int
	agree bool
	cause error
}

func (a *aborts) Abort(w loop.Wait) bool {
	a.calls++
	a.cause = w.Cause
	return a.agree
}

// parkOne spawns a task that parks, runs act with it, and returns what its
// Park returned.
func parkOne(t *loop.Task, a loop.Aborter, act func(sleeper *loop.Task) error) (error, error) {
	var sleeper *loop.Task
	var result error
	err := loop.Nurse(t, func(n *loop.Nursery) error {
		n.Spawn(func(t *loop.Task) error {
			sleeper = t
			result = loop.Park(t, "test", a)
			return nil
		})
		if err := loop.WaitAllTasksBlocked(t, 0); err != nil {
			return err
		}
		return act(sleeper)
	})
	return result, err
}

func TestS127ValueAndErrorWake(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		for _, want := range []error{nil, errWake} {
			got, err := parkOne(task, nil, func(s *loop.Task) error { return s.Unpark(want) })
			if got != want || err != nil {
				t.Errorf("Park returned %v and the nursery %v, want %v and nil", got, err, want)
			}
		}
		return nil
	})
}

func TestS128AbortRefused(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a := &aborts{}
		var after error
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			var sleeper *loop.Task
			n.Spawn(func(t2 *loop.Task) error {
				sleeper = t2
				if err := loop.Park(t2, "test", a); err != errWake {
					t.Errorf("Park returned %v, want what Unpark gave", err)
				}
				after = loop.Checkpoint(t2)
				return nil
			})
			loop.WaitAllTasksBlocked(task, 0)
			n.Cancel("refused")
			n.Cancel("again")
			return loop.Shield(task, func(*loop.Scope) error {
				loop.WaitAllTasksBlocked(task, 0)
				if sleeper.Waiting() != "test" || a.calls != 1 {
					t.Errorf("waiting %q after %d aborts, want test after 1", sleeper.Waiting(), a.calls)
				}
				return sleeper.Unpark(errWake)
			})
		})
		if !errors.Is(after, loop.Cancelled) {
			t.Errorf("the next checkpoint returned %v", after)
		}
		return err
	})
}

func TestS129SlowAbort(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			slow := loop.AbortFunc(func(w loop.Wait) bool {
				w.Task.Loop().CallSoon(func() { w.Task.Unpark(w.Cause) })
				return false
			})
			task.Loop().CallSoon(func() { s.Cancel("slowly") })
			err := loop.Park(task, "test", slow)
			if !errors.Is(err, loop.Cancelled) {
				t.Errorf("Park returned %v", err)
			}
			return err
		})
	})
}

// The cause that a slow abort kept is delivered even if a shield went up
// before.
func TestS130SlowAbortUnderShield(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(outer *loop.Scope) error {
			return loop.Scoped(task, func(inner *loop.Scope) error {
				slow := loop.AbortFunc(func(w loop.Wait) bool {
					inner.SetShield(true)
					w.Task.Loop().CallSoon(func() { w.Task.Unpark(w.Cause) })
					return false
				})
				task.Loop().CallSoon(func() { outer.Cancel("slowly") })
				if err := loop.Park(task, "test", slow); !errors.Is(err, loop.Cancelled) {
					t.Errorf("Park returned %v", err)
				}
				if err := loop.Checkpoint(task); err != nil {
					t.Errorf("a shielded checkpoint returned %v", err)
				}
				return nil
			})
		})
	})
}

func TestS131AbortInvokedOnBlock(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("before")
			a := &aborts{agree: true}
			err := loop.Park(task, "test", a)
			if a.calls != 1 || a.cause != err || !errors.Is(err, loop.Cancelled) {
				t.Errorf("%d aborts with %v, Park returned %v", a.calls, a.cause, err)
			}
			return nil
		})
	})
}

// Whoever comes first wins the wait; a cancellation that lost is seen by the
// next checkpoint, a wake-up that lost is refused.
func TestS132S133WakeAgainstCancel(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a := &aborts{agree: true}
		err := loop.Scoped(task, func(s *loop.Scope) error {
			task.Loop().CallSoon(func() {
				task.Unpark(nil)
				s.Cancel("too late for this wait")
			})
			if err := loop.Park(task, "test", a); err != nil || a.calls != 0 {
				t.Errorf("woken first: Park returned %v after %d aborts", err, a.calls)
			}
			return loop.Checkpoint(task)
		})
		if err != nil {
			t.Errorf("the scope did not absorb: %v", err)
		}
		return loop.Scoped(task, func(s *loop.Scope) error {
			task.Loop().CallSoon(func() {
				s.Cancel("first")
				if err := task.Unpark(nil); !errors.Is(err, loop.ErrNotParked) {
					t.Errorf("a wake-up that came too late returned %v", err)
				}
			})
			err := loop.Park(task, "test", a)
			if !errors.Is(err, loop.Cancelled) {
				t.Errorf("cancelled first: Park returned %v", err)
			}
			return err
		})
	})
}

func TestS134S135WakeOfWhatIsNotParked(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		if err := task.Unpark(nil); !errors.Is(err, loop.ErrNotParked) {
			t.Errorf("waking the running task returned %v", err)
		}
		runs := 0
		var ended *loop.Task
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				ended = t2
				err := loop.Park(t2, "test", nil)
				runs++
				return err
			})
			loop.WaitAllTasksBlocked(task, 0)
			if err := ended.Unpark(nil); err != nil {
				return err
			}
			if err := ended.Unpark(errWake); !errors.Is(err, loop.ErrNotParked) {
				t.Errorf("the second wake-up returned %v", err)
			}
			return nil
		})
		if runs != 1 {
			t.Errorf("the task ran %d times after its wait", runs)
		}
		if err := ended.Unpark(nil); !errors.Is(err, loop.ErrNotParked) {
			t.Errorf("waking a task that has ended returned %v", err)
		}
		return err
	})
}

// An abort function that panics costs its task, and nobody else.
func TestS136BrokenAbort(t *testing.T) {
	sibling := false
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				return loop.Park(t2, "doomed", loop.AbortFunc(func(loop.Wait) bool {
					panic("the abort function is broken")
				}))
			}, loop.WithTaskName("victim"))
			n.Spawn(func(t2 *loop.Task) error {
				err := loop.SleepForever(t2)
				sibling = errors.Is(err, loop.Cancelled)
				return err
			})
			loop.WaitAllTasksBlocked(task, 0)
			n.Cancel("now")
			return nil
		})
	})
	var p *loop.PanicError
	if !errors.Is(err, loop.ErrInternal) || !errors.As(err, &p) || p.Task != "victim" {
		t.Errorf("Run returned %v", err)
	}
	if !sibling {
		t.Error("the sibling was not cancelled")
	}
}

func TestS137LabelCleared(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var sleeper *loop.Task
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error { sleeper = t2; return loop.Park(t2, "label", nil) })
			loop.WaitAllTasksBlocked(task, 0)
			if sleeper.Waiting() != "label" {
				t.Errorf("waiting for %q", sleeper.Waiting())
			}
			sleeper.Unpark(nil)
			if sleeper.Waiting() != "" {
				t.Errorf("woken, but waiting for %q", sleeper.Waiting())
			}
			return nil
		})
	})
}

func TestS138SleepForeverWoken(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		task.Loop().CallSoon(func() { task.Unpark(nil) })
		if err := loop.SleepForever(task); !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("SleepForever returned %v", err)
		}
		return nil
	})
}

// An abort runs on behalf of who cancels: nobody, if a deadline did. It can
// not use the task that it takes off its wait.
func TestS139AbortContext(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var used error
		a := loop.AbortFunc(func(w loop.Wait) bool {
			used = loop.Checkpoint(w.Task)
			return true
		})
		err := loop.MoveOnAfter(task, time.Second, func(*loop.Scope) error {
			return loop.Park(task, "test", a)
		})
		if !errors.Is(used, loop.ErrWrongTask) {
			t.Errorf("a checkpoint inside an abort function returned %v", used)
		}
		return err
	}, loop.WithClock(looptest.NewAutojumpClock()))
}

// A wrong handle parks nobody.
func TestParkWithWrongTask(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(*loop.Task) error {
				if err := loop.Park(task, "test", nil); !errors.Is(err, loop.ErrWrongTask) {
					t.Errorf("Park returned %v", err)
				}
				return nil
			})
		})
	})
}

// Parking, waking and aborting allocate nothing.
func TestParkAllocatesNothing(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var lot loop.ParkingLot
		stop := false
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				for !stop {
					lot.UnparkOne()
					if err := loop.Checkpoint(t2); err != nil {
						return err
					}
				}
				return nil
			})
			allocs := testing.AllocsPerRun(1000, func() { lot.Park(task, "test") })
			stop = true
			if allocs != 0 {
				t.Errorf("%v allocations for a park and a wake-up", allocs)
			}
			return nil
		})
	})
}
