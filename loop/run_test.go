package loop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS001RunReturnsResult(t *testing.T) {
	value := 0
	looptest.Run(t, func(task *loop.Task) error {
		err := loop.Checkpoint(task)
		value = 8
		return err
	})
	if value != 8 {
		t.Errorf("main did not run to its end: %d", value)
	}
	looptest.Run(t, nothing)
}

func TestS002MainErrorIsIdentical(t *testing.T) {
	if err := looptest.RunErr(t, failing(errKey)); err != errKey {
		t.Errorf("got %v", err)
	}
	err := looptest.RunErr(t, func(task *loop.Task) error {
		if err := loop.Checkpoint(task); err != nil {
			return err
		}
		return loop.Scoped(task, func(*loop.Scope) error { return errKey })
	})
	if err != errKey {
		t.Errorf("through a scope: got %v", err)
	}
}

func TestS003NestedRunRefused(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		inner := loop.Run(func(*loop.Task) error { t.Error("the inner main ran"); return nil })
		want(t, "Run inside a task", inner, loop.ErrMisuse)
		each := loop.RunEach(1, func(*loop.Task, int) error { t.Error("it ran"); return nil })
		want(t, "RunEach inside a task", each, loop.ErrMisuse)
		called := make(chan error, 1)
		task.Loop().CallSoon(func() { called <- loop.Run(nothing) })
		if err := loop.Checkpoint(task); err != nil {
			return err
		}
		want(t, "Run inside a callback", <-called, loop.ErrMisuse)
		return loop.Sleep(task, time.Microsecond)
	})
}

// Another goroutine that a task has started is not inside of it.
func TestRunBesideALoop(t *testing.T) {
	looptest.Run(t, func(*loop.Task) error {
		ended := make(chan error)
		go func() { ended <- loop.Run(failing(errKey)) }()
		if err := <-ended; err != errKey {
			t.Errorf("got %v", err)
		}
		return nil
	})
}

func TestRunRefusesNil(t *testing.T) {
	want(t, "a nil main", loop.Run(nil), loop.ErrMisuse)
	want(t, "a nil main for each", loop.RunEach(2, nil), loop.ErrMisuse)
	want(t, "a nil clock", loop.Run(nothing, loop.WithClock(nil)), loop.ErrMisuse)
	want(t, "no buffer", loop.Run(nothing, loop.WithBufferSize(0)), loop.ErrMisuse)
	want(t, "no queue", loop.Run(nothing, loop.WithEntryQueueSize(0)), loop.ErrMisuse)
	want(t, "no loops", loop.RunEach(0, func(*loop.Task, int) error { return nil }), loop.ErrMisuse)
}

// badClock fails to start, in one of two ways.
type badClock struct {
	*looptest.Clock
	panics bool
}

func (b badClock) Start() error {
	if b.panics {
		panic(errKey)
	}
	return errKey
}

func TestS019ClockStartFailure(t *testing.T) {
	for _, panics := range []bool{false, true} {
		err := looptest.RunErr(t, func(*loop.Task) error { t.Error("main ran"); return nil },
			loop.WithClock(badClock{looptest.NewClock(), panics}))
		want(t, "the kind of error", err, loop.ErrInternal)
		want(t, "the cause", err, errKey)
	}
}

// The handle of a task is all the context there is. After the run it is
// refused, and what only reads goes on reading.
func TestS020OutOfContext(t *testing.T) {
	var task *loop.Task
	looptest.Run(t, func(main *loop.Task) error { task = main; return nil })
	want(t, "Checkpoint", loop.Checkpoint(task), loop.ErrWrongTask)
	want(t, "Sleep", loop.Sleep(task, time.Second), loop.ErrWrongTask)
	want(t, "Nurse", loop.Nurse(task, func(*loop.Nursery) error { return nil }), loop.ErrWrongTask)
	want(t, "CallSoon", task.Loop().CallSoon(func() {}), loop.ErrLoopClosed)
	want(t, "SpawnSystem", task.Loop().SpawnSystem(nothing), loop.ErrLoopClosed)
	wantTrue(t, "it has ended", task.Ended())
	wantTrue(t, "it still tells the time", !task.Now().IsZero())
	if s := task.Statistics(); s.TasksLiving != 0 {
		t.Errorf("%d tasks are living", s.TasksLiving)
	}
	wantText(t, task.String(), task.Name())
}

func TestS022RootTask(t *testing.T) {
	looptest.Run(t, func(main *loop.Task) error {
		root := main.Loop().Root()
		wantTrue(t, "root has no parent", root.Parent() == nil)
		wantTrue(t, "main is main", main.Loop().Main() == main)
		wantTrue(t, "main is below root", main.Parent() == root)
		want(t, "using root", loop.Checkpoint(root), loop.ErrWrongTask)
		return loop.Nurse(main, func(n *loop.Nursery) error {
			return n.Spawn(func(child *loop.Task) error {
				return loop.Nurse(child, func(n *loop.Nursery) error {
					return n.Spawn(func(grandchild *loop.Task) error {
						top := grandchild
						for top.Parent() != nil {
							top = top.Parent()
						}
						wantTrue(t, "all ways lead up to root", top == root)
						return nil
					})
				})
			})
		})
	})
}

// Nothing of one run is left for the next.
func TestS450RunAgain(t *testing.T) {
	var loops []*loop.Loop
	for range 2 {
		looptest.Run(t, func(task *loop.Task) error {
			loops = append(loops, task.Loop())
			if s := task.Statistics(); s.Spawned != 1 || s.Timers != 0 || s.TasksLiving != 1 {
				t.Errorf("a new loop has %+v", s)
			}
			return loop.Nurse(task, func(n *loop.Nursery) error { return n.Spawn(nothing) })
		})
	}
	wantTrue(t, "each run has a loop of its own", loops[0] != loops[1])
}

func TestRunEachFailureCancelsOthers(t *testing.T) {
	var reason error
	err := looptest.Config{}.RunEach(t, 3, func(task *loop.Task, i int) error {
		if i == 1 {
			return errKey
		}
		err := loop.SleepForever(task)
		if i == 2 {
			reason = err
		}
		return err
	})
	looptest.AssertError(t, err, looptest.Group(errKey))
	if c := reasonOf(t, reason); c.Source() != loop.SourceShutdown {
		t.Errorf("cancelled by %v", c)
	}
}

func TestRunEachOption(t *testing.T) {
	err := loop.RunEach(2, func(*loop.Task, int) error { return nil },
		func(*loop.Loop) error { return errOther })
	if !errors.Is(err, errOther) {
		t.Errorf("got %v", err)
	}
}
