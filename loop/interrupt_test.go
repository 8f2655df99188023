package loop_test

import (
	"cmp"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
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
