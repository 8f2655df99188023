package loop_test

import (
	"errors"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS013SystemTaskRuns(t *testing.T) {
	local := loop.NewLocal("local", "default")
	looptest.Run(t, func(main *loop.Task) error {
		main.SetLocals(local.With(main.Locals(), "of the spawner"))
		var system *loop.Task
		err := main.Loop().SpawnSystem(func(task *loop.Task) error {
			system = task
			if v := local.From(task.Locals()); v != "default" {
				t.Errorf("the local of a system task is %q", v)
			}
			return loop.SleepForever(task)
		}, loop.WithTaskName("service"))
		if err != nil {
			return err
		}
		wantTrue(t, "it has not run yet", system == nil)
		settled(main, t)
		if system == nil {
			t.Fatal("the system task did not run")
		}
		for up := system; up != nil; up = up.Parent() {
			wantTrue(t, "it is not below main", up != main)
		}
		wantTrue(t, "it is below root", system.Parent() == main.Loop().Root())
		wantTrue(t, "it has its name", system.Name() == "service")
		return nil
	})
}

// wantInternal fails the test unless err is ErrInternal with, as the first
// group or leaf of its chain, cause.
func wantInternal(tb testing.TB, err, cause error) {
	tb.Helper()
	want(tb, "the kind of error", err, loop.ErrInternal)
	var g *loop.Group
	if errors.As(err, &g) {
		err = g
	}
	looptest.AssertError(tb, err, cause)
}

func TestS014SystemTaskCrash(t *testing.T) {
	var woken error
	err := looptest.RunErr(t, func(task *loop.Task) error {
		if err := task.Loop().SpawnSystem(failing(errKey)); err != nil {
			return err
		}
		woken = loop.SleepForever(task)
		return woken
	})
	want(t, "main", woken, loop.Cancelled)
	if c := reasonOf(t, woken); c.Source() != loop.SourceShutdown {
		t.Errorf("main was cancelled by %v", c)
	}
	want(t, "the kind of error", err, loop.ErrInternal)
	want(t, "the cause", err, errKey)
	wantTrue(t, "no Cancelled is left", !errors.Is(err, loop.Cancelled))
}

func TestSystemTaskPanic(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		task.Loop().SpawnSystem(func(*loop.Task) error { panic("ouch") })
		return loop.SleepForever(task)
	})
	want(t, "the kind of error", err, loop.ErrInternal)
	looptest.AssertError(t, err, looptest.As(func(p *loop.PanicError) bool { return p.Value == "ouch" }))
}

func TestS015SystemTaskCrashKeepsGroupShape(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		task.Loop().SpawnSystem(func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(failing(errKey))
				n.Spawn(failing(errValue))
				return nil
			})
		})
		return loop.SleepForever(task)
	})
	wantInternal(t, err, looptest.Group(errKey, errValue))
	if _, wrapped := err.(*loop.Group); wrapped {
		t.Errorf("ErrInternal is wrapped in a group: %v", err)
	}
}

func TestS016SystemTaskCrashStripsCancelled(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		task.Loop().SpawnSystem(func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(sleeper)
				return n.Spawn(func(task *loop.Task) error {
					want(t, "at the end of main", loop.SleepForever(task), loop.Cancelled)
					return errValue
				})
			})
		})
		return loop.Checkpoint(task)
	})
	wantInternal(t, err, looptest.Group(errValue))
	wantTrue(t, "no Cancelled is left", !errors.Is(err, loop.Cancelled))
}

// The errors of main and of a system task are both reported.
func TestSystemTaskAndMainFail(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		task.Loop().SpawnSystem(failing(errValue))
		if err := loop.SleepForever(task); !errors.Is(err, loop.Cancelled) {
			return err
		}
		return errKey
	})
	for _, cause := range []error{loop.ErrInternal, errKey, errValue} {
		want(t, "the error of Run", err, cause)
	}
}

// S017: the order of the end is main, then system tasks, then the queue. A
// system task is cancelled when main has ended, and may clean up.
func TestS017SystemTaskOutlivesMain(t *testing.T) {
	var order notes
	looptest.Run(t, func(main *loop.Task) error {
		l := main.Loop()
		l.SpawnSystem(func(task *loop.Task) error {
			err := loop.SleepForever(task)
			if c := reasonOf(t, err); c.Source() != loop.SourceShutdown {
				t.Errorf("cancelled by %v", c)
			}
			wantTrue(t, "main has ended", main.Ended())
			order.add("system")
			return loop.Shield(task, func(*loop.Scope) error {
				want(t, "the queue is open", l.CallSoon(func() { order.add("queue") }), nil)
				return nil
			})
		})
		if err := loop.Checkpoint(main); err != nil {
			return err
		}
		order.add("main")
		return nil
	})
	order.want(t, "main", "system", "queue")
}

func TestSystemTaskMisuse(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		want(t, "a nil function", task.Loop().SpawnSystem(nil), loop.ErrMisuse)
		return nil
	})
}
