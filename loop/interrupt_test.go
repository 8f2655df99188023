package loop_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// An interrupt goes to the main task at a checkpoint, whatever is around it.
func TestInterruptReachesMain(t *testing.T) {
	inside := map[string]func(*loop.Task, func() error) error{
		"plain": func(_ *loop.Task, fn func() error) error { return fn() },
		"behind a shield": func(task *loop.Task, fn func() error) error {
			return loop.Shield(task, func(*loop.Scope) error { return fn() })
		},
		"in a cancelled scope": func(task *loop.Task, fn func() error) error {
			return loop.Scoped(task, func(s *loop.Scope) error { s.Cancel("before"); return fn() })
		},
	}
	points := map[string]func(*loop.Task) error{
		"Checkpoint":   loop.Checkpoint,
		"Sleep":        func(t *loop.Task) error { return loop.Sleep(t, time.Hour) },
		"SleepForever": loop.SleepForever,
	}
	for where, inside := range inside {
		for name, point := range points {
			err := looptest.RunErr(t, func(task *loop.Task) error {
				return inside(task, func() error {
					task.Loop().Interrupt()
					loop.ShieldedCheckpoint(task)
					err := point(task)
					if err != loop.ErrInterrupt {
						t.Errorf("%s, %s: got %v", where, name, err)
					}
					if where == "plain" {
						want(t, "it is delivered once", loop.Checkpoint(task), nil)
					}
					return err
				})
			})
			if err != loop.ErrInterrupt {
				t.Errorf("%s, %s: the run ended with %v", where, name, err)
			}
		}
	}
}

// Run returns exactly ErrInterrupt if nothing else went wrong, however it is
// wrapped, and else everything.
func TestInterruptBesideOtherErrors(t *testing.T) {
	cases := []struct {
		name  string
		build func(interrupt error) error
		other error // nil: only the interrupt counts
	}{
		{"wrapped", func(i error) error { return fmt.Errorf("stopping: %w", i) }, nil},
		{"joined with itself", func(i error) error { return errors.Join(i, i) }, nil},
		{"joined", func(i error) error { return errors.Join(i, errKey) }, errKey},
		{"in a chain above a join", func(i error) error {
			return fmt.Errorf("stopping: %w", errors.Join(i, errKey))
		}, errKey},
		{"thrown", func(i error) error { panic(i) }, loop.ErrInterrupt},
	}
	for _, c := range cases {
		err := looptest.RunErr(t, func(task *loop.Task) error {
			task.Loop().Interrupt()
			return c.build(loop.SleepForever(task))
		})
		want(t, c.name, err, loop.ErrInterrupt)
		want(t, c.name, err, cmp.Or(c.other, loop.ErrInterrupt))
		if (c.other == nil) != (err == loop.ErrInterrupt) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// It wakes a main task that sleeps, from any goroutine, and no other task.
func TestInterruptWakesMain(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				settled(task, t)
				go task.Loop().Interrupt()
				err := loop.SleepForever(task)
				want(t, "a child", err, loop.Cancelled)
				return err
			})
			return loop.SleepForever(task)
		})
	})
	if err != loop.ErrInterrupt {
		t.Errorf("the run ended with %v", err)
	}
}

// A main task that never looks does not lose it.
func TestInterruptIsNotLost(t *testing.T) {
	for _, mainErr := range []error{nil, errKey} {
		err := looptest.RunErr(t, func(task *loop.Task) error {
			task.Loop().Interrupt()
			return mainErr
		})
		want(t, "the run", err, loop.ErrInterrupt)
		if mainErr == nil && err != loop.ErrInterrupt {
			t.Errorf("it is wrapped: %v", err)
		}
		if mainErr != nil {
			want(t, "the error of main", err, mainErr)
		}
	}
	looptest.Run(t, func(task *loop.Task) error {
		task.Loop().Interrupt()
		loop.ShieldedCheckpoint(task)
		want(t, "the checkpoint", loop.Checkpoint(task), loop.ErrInterrupt)
		return nil // main saw it, and decided otherwise
	})
}

// A handler takes one interrupt; the next goes to main.
func TestHandleInterrupt(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		l, handled := task.Loop(), 0
		removed := l.HandleInterrupt(func() { t.Error("a handler that was removed ran") })
		l.HandleInterrupt(func() { handled++ })
		removed()
		l.Interrupt()
		want(t, "with a handler", loop.Checkpoint(task), nil)
		if handled != 1 {
			t.Errorf("handled %d times", handled)
		}
		l.Interrupt()
		loop.ShieldedCheckpoint(task)
		return loop.Checkpoint(task)
	})
	if err != loop.ErrInterrupt {
		t.Errorf("the run ended with %v", err)
	}
}

func TestInterruptEveryLoop(t *testing.T) {
	err := looptest.Config{}.RunEach(t, 2, func(task *loop.Task, _ int) error {
		task.Loop().Interrupt()
		return loop.SleepForever(task)
	})
	if err != loop.ErrInterrupt {
		t.Errorf("the runs ended with %v", err)
	}
}

func TestInterruptAfterTheEnd(t *testing.T) {
	var l *loop.Loop
	looptest.Run(t, func(task *loop.Task) error { l = task.Loop(); return nil })
	want(t, "interrupting", l.Interrupt(), loop.ErrLoopClosed)
}

// One that comes before the main task exists is not lost.
func TestS247VeryEarly(t *testing.T) {
	early := func(l *loop.Loop) error { return l.Interrupt() }
	err := looptest.RunErr(t, func(task *loop.Task) error { return loop.Checkpoint(task) }, early)
	if err != loop.ErrInterrupt {
		t.Errorf("the run ended with %v", err)
	}
	err = looptest.RunErr(t, nothing, early)
	if err != loop.ErrInterrupt {
		t.Errorf("the run of a main task that does not look ended with %v", err)
	}
}

// Only a checkpoint delivers it; a cancel point is enough.
func TestS248S249S253OnlyAtCheckpoints(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		task.Loop().Interrupt()
		for range 3 {
			want(t, "a shielded checkpoint", loop.ShieldedCheckpoint(task), nil)
		}
		want(t, "a cancel point", loop.CheckpointIfCancelled(task), loop.ErrInterrupt)
		want(t, "the next one", loop.CheckpointIfCancelled(task), nil)
		return nil
	})
}

// A wait that cannot be aborted keeps it pending; one whose abort is slow, and
// wakes the task itself later, delivers it once.
func TestS249PendingWhileUnabortable(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		l.CallSoon(func() { l.Interrupt() })
		l.CallSoon(func() { l.CallSoon(func() { l.CallSoon(func() { task.Unpark(nil) }) }) })
		want(t, "a wait without an abort function", loop.Park(task, "test", nil), nil)
		want(t, "the next checkpoint", loop.Checkpoint(task), loop.ErrInterrupt)

		aborts := 0
		slow := loop.AbortFunc(func(w loop.Wait) bool {
			aborts++
			l.CallSoon(func() { w.Task.Unpark(w.Cause) })
			return false
		})
		l.Interrupt()
		want(t, "a slow abort", loop.Park(task, "test", slow), loop.ErrInterrupt)
		want(t, "afterwards", loop.Checkpoint(task), nil)
		if aborts != 1 {
			t.Errorf("%d aborts", aborts)
		}
		return nil
	})
}

// It goes before the Cancelled of a scope, which stays.
func TestS250BeatsACancelledScope(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("before")
			want(t, "first", loop.Checkpoint(task), loop.Cancelled)
			task.Loop().Interrupt()
			loop.ShieldedCheckpoint(task)
			want(t, "interrupted", loop.Checkpoint(task), loop.ErrInterrupt)
			err := loop.Checkpoint(task)
			want(t, "then again", err, loop.Cancelled)
			return err
		})
	})
}

// A channel that the program has given to signal.Notify, before or during the
// run, is left alone; and so is a signal that it ignores.
func TestS251GoodNeighbour(t *testing.T) {
	if !sys.Catchable(sys.Hangup) {
		t.Skip("this system has no signals, only console events, which reach a whole console")
	}
	mine := make(chan os.Signal, 2)
	signal.Notify(mine, sys.Interrupt)
	defer signal.Stop(mine)
	err := looptest.RunErr(t, func(task *loop.Task) error {
		if err := sys.Raise(sys.Interrupt); err != nil {
			return err
		}
		return loop.SleepForever(task)
	}, loop.CatchInterrupt())
	if err != loop.ErrInterrupt {
		t.Errorf("the run ended with %v", err)
	}
	<-mine
	if err := sys.Raise(sys.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-mine
}

// Two runs that catch interrupts at the same time both get one.
func TestInterruptsAreShared(t *testing.T) {
	if !sys.Catchable(sys.Hangup) {
		t.Skip("this system has no signals, only console events, which reach a whole console")
	}
	var all sync.WaitGroup
	all.Add(2)
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			ended <- loop.Run(func(task *loop.Task) error {
				all.Done()
				return loop.SleepForever(task)
			}, loop.CatchInterrupt())
		}()
	}
	all.Wait()
	if err := sys.Raise(sys.Interrupt); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; err != loop.ErrInterrupt {
			t.Errorf("a run ended with %v", err)
		}
	}
}

func TestTakeSignalsMisuse(t *testing.T) {
	ignore := func(os.Signal) {}
	for _, sigs := range [][]os.Signal{nil, {nil}, {os.Kill}} {
		_, err := loop.TakeSignals(ignore, sigs...)
		want(t, "signals that cannot be", err, loop.ErrMisuse)
	}
	_, err := loop.TakeSignals(nil, sys.Interrupt)
	want(t, "no function", err, loop.ErrMisuse)
	giveBack, err := loop.TakeSignals(ignore, sys.Interrupt, sys.Interrupt)
	want(t, "twice the same", err, nil)
	want(t, "giving back", giveBack(func() []os.Signal { return []os.Signal{sys.Terminate} }), loop.ErrMisuse)
	want(t, "giving back again", giveBack(nil), loop.ErrClosed)
}
