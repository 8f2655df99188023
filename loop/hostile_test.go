package loop_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// What a sceptical reader has tried against this package, and what broke.

// A key may be of any type, one of those that mean something to the entry queue
// among them, but none that cannot be told from others.
func TestOnceWithStrangeKeys(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		fired, called := 0, 0
		w, err := loop.NewWaker(l, func() { fired++ })
		want(t, "NewWaker", err, nil)
		for range 3 {
			want(t, "CallSoonOnce", l.CallSoonOnce(w, func() { called++ }), nil)
			if err := loop.Yield(task); err != nil {
				return err
			}
			if err := loop.Yield(task); err != nil {
				return err
			}
		}
		if fired != 0 || called != 3 {
			t.Errorf("the key was called %d times, the function %d times", fired, called)
		}
		for _, key := range []any{[]int{1}, func() {}, [1]any{map[int]int{}}, math.NaN()} {
			want(t, "a key without a comparison", l.CallSoonOnce(key, func() {}), loop.ErrMisuse)
		}
		return nil
	})
}

// No function is a function that panics: it is refused before anything happens.
func TestNilBodies(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		_, err := loop.NewScope(nil)
		want(t, "NewScope", err, loop.ErrMisuse)
		want(t, "Nurse", loop.Nurse(task, nil), loop.ErrMisuse)
		want(t, "Scoped", loop.Scoped(task, nil), loop.ErrMisuse)
		want(t, "MoveOnAfter", loop.MoveOnAfter(task, time.Hour, nil), loop.ErrMisuse)
		want(t, "FailAt", loop.FailAt(task, task.Now(), nil), loop.ErrMisuse)
		want(t, "UntilStop", loop.UntilStop(task, nil), loop.ErrMisuse)
		s, err := loop.NewScope(task.Loop())
		want(t, "NewScope", err, nil)
		want(t, "Enter", loop.Enter(task, s, nil), loop.ErrMisuse)
		want(t, "no scope", loop.Enter(task, nil, func(*loop.Scope) error { return nil }), loop.ErrMisuse)
		want(t, "AddBreak", task.AddBreak(nil), loop.ErrMisuse)
		want(t, "Repark", new(loop.ParkingLot).Repark(nil, 1), loop.ErrMisuse)
		want(t, "Enter after that", loop.Enter(task, s, func(*loop.Scope) error { return nil }), nil)
		return nil
	})
}

// The handle of no task is that of a wrong one, wherever a task is asked for.
func TestS020NilTask(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		inside := func(*loop.Scope) error { t.Error("it runs"); return nil }
		var lot loop.ParkingLot
		for what, err := range map[string]error{
			"Checkpoint":            loop.Checkpoint(nil),
			"CheckpointIfCancelled": loop.CheckpointIfCancelled(nil),
			"ShieldedCheckpoint":    loop.ShieldedCheckpoint(nil),
			"Yield":                 loop.Yield(nil),
			"Sleep":                 loop.Sleep(nil, 1),
			"SleepUntil":            loop.SleepUntil(nil, time.Time{}),
			"SleepForever":          loop.SleepForever(nil),
			"Park":                  loop.Park(nil, "test", nil),
			"ParkingLot.Park":       lot.Park(nil, "test"),
			"Scoped":                loop.Scoped(nil, inside),
			"MoveOnAfter":           loop.MoveOnAfter(nil, 1, inside),
			"MoveOnAt":              loop.MoveOnAt(nil, time.Time{}, inside),
			"FailAfter":             loop.FailAfter(nil, 1, inside),
			"FailAt":                loop.FailAt(nil, time.Time{}, inside),
			"Shield":                loop.Shield(nil, inside),
			"UntilStop":             loop.UntilStop(nil, inside),
			"Nurse":                 loop.Nurse(nil, func(*loop.Nursery) error { return inside(nil) }),
			"Call":                  loop.Call(nil, task.Loop(), func(*loop.Task) error { return inside(nil) }),
		} {
			want(t, what, err, loop.ErrWrongTask)
		}
		return nil
	})
}

// No option is refused like no function, before anything happens.
func TestNilOptions(t *testing.T) {
	want(t, "Run", loop.Run(nothing, nil), loop.ErrMisuse)
	want(t, "RunEach", loop.RunEach(1, func(*loop.Task, int) error { return nil }, nil), loop.ErrMisuse)
	looptest.Run(t, func(task *loop.Task) error {
		inside := func(*loop.Scope) error { t.Error("it runs"); return nil }
		want(t, "Scoped", loop.Scoped(task, inside, nil), loop.ErrMisuse)
		want(t, "MoveOnAfter", loop.MoveOnAfter(task, 1, inside, nil), loop.ErrMisuse)
		want(t, "Nurse", loop.Nurse(task, func(*loop.Nursery) error { return inside(nil) }, nil), loop.ErrMisuse)
		want(t, "SpawnSystem", task.Loop().SpawnSystem(nothing, nil), loop.ErrMisuse)
		child := func(*loop.Task) error { return inside(nil) }
		value := func(task *loop.Task) (int, error) { return 0, child(task) }
		want(t, "Nursery.Spawn of none", new(loop.Nursery).Spawn(child), loop.ErrMisuse)
		_, err := loop.Go(nil, value)
		want(t, "Go in none", err, loop.ErrMisuse)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			want(t, "Spawn", n.Spawn(child, nil), loop.ErrMisuse)
			_, err := loop.Go(n, value, nil)
			want(t, "Go", err, loop.ErrMisuse)
			_, err = loop.Start(task, n, func(task *loop.Task, _ func(any) error) error { return child(task) }, nil)
			want(t, "Start", err, loop.ErrMisuse)
			return nil
		})
	})
}

// The zero time is a deadline like any other that has passed.
func TestDeadlineAtTheZeroTime(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			left, ok, err := s.Timeout()
			if err != nil || !ok || left >= 0 {
				t.Errorf("timeout %v, %v, %v", left, ok, err)
			}
			wantText(t, s.String(), " ago")
			return loop.Checkpoint(task)
		}, loop.WithDeadline(time.Time{}))
	})
}

// has been moved since an earlier call; what was handed out stays as it is.
func TestContextAfterTheDeadlineMoved(t *testing.T) {
	byHand(t, func(task *loop.Task, _ *looptest.Clock) error {
		return loop.MoveOnAfter(task, time.Minute, func(s *loop.Scope) error {
			first := task.Context()
			was, _ := first.Deadline()
			want(t, "SetTimeout", s.SetTimeout(time.Hour), nil)
			second := task.Context()
			is, ok := second.Deadline()
			if !ok || is.Sub(was) != 59*time.Minute {
				t.Errorf("the deadline was %v, and is %v", was, is)
			}
			s.ClearDeadline()
			if at, ok := task.Context().Deadline(); ok {
				t.Errorf("without a deadline: %v", at)
			}
			wantTrue(t, "nothing is done", first.Err() == nil && second.Err() == nil)
			want(t, "Cancel", s.Cancel("enough"), nil)
			for _, ctx := range []context.Context{first, second, task.Context()} {
				want(t, "Cause", context.Cause(ctx), loop.Cancelled)
			}
			return nil
		})
	})
}

// A report that panics does not swallow the failure that it was to report.
func TestRestartReportPanics(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(failing(errKey))
		}, loop.WithRestart(loop.Restart{Report: func(loop.Failure) { panic(errValue) }}))
		var p *loop.PanicError
		if !errors.As(err, &p) || p.Value != errValue || !errors.Is(err, errKey) {
			t.Errorf("got %v, want the failure and the panic", err)
		}
		return nil
	})
}

// One watchdog is enough: a second would not be told of turns.
func TestTwoWatchdogs(t *testing.T) {
	dog := loop.WithWatchdog(time.Hour, func(loop.Stall) {})
	err := loop.Run(func(*loop.Task) error { return nil }, dog, dog)
	want(t, "two watchdogs", err, loop.ErrMisuse)
}

// Nurseries in tasks in nurseries, a thousand deep, end as fast as they began,
// whatever their errors would look like in print.
func TestDeeplyNestedNurseries(t *testing.T) {
	const deep = 1000
	var nest func(task *loop.Task, levels int, end func(*loop.Task) error) error
	nest = func(task *loop.Task, levels int, end func(*loop.Task) error) error {
		if levels == 0 {
			return end(task)
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(task *loop.Task) error { return nest(task, levels-1, end) })
		})
	}
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		err := loop.MoveOnAfter(task, time.Minute, func(*loop.Scope) error {
			return nest(task, deep, sleeper)
		})
		want(t, "cancelled from outside", err, nil)
		want(t, "failed inside", nest(task, deep, failing(errKey)), errKey)
		text := nest(task, 3, failing(errKey)).Error()
		if text != "1 error:\n  - 1 error:\n      - 1 error:\n          - key" {
			t.Errorf("printed as %q", text)
		}
		return nil
	})
}

// A loop that ends while it is at a Do says so. Its Cancelled is nobody's on the
// other side: a job of another loop may hand it to a scope that would absorb it.
func TestDoOnALoopThatEnds(t *testing.T) {
	answer := make(chan error, 1)
	looptest.Run(t, func(task *loop.Task) error {
		l, begun := task.Loop(), false
		go func() {
			answer <- l.Do(context.Background(), func(task *loop.Task) error {
				begun = true
				return loop.SleepForever(task)
			})
		}()
		for !begun {
			if err := loop.Yield(task); err != nil {
				return err
			}
		}
		return nil
	})
	err := <-answer
	want(t, "Do", err, loop.ErrLoopClosed)
	looptest.Run(t, func(task *loop.Task) error {
		kept := loop.Scoped(task, func(s *loop.Scope) error {
			want(t, "Cancel", s.Cancel("here"), nil)
			return err
		})
		want(t, "the error in a cancelled scope", kept, loop.ErrLoopClosed)
		return nil
	})
}
