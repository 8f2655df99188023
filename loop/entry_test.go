package loop_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// Scenarios G: calls from outside.

func TestS141RunsLater(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		called := false
		if err := task.Loop().CallSoon(func() { called = true }); err != nil {
			return err
		}
		if called {
			t.Error("the call was made at once")
		}
		settle(task)
		if !called {
			t.Error("the call was not made")
		}
		return nil
	})
}

func TestS142TooLate(t *testing.T) {
	var l *loop.Loop
	looptest.Run(t, func(task *loop.Task) error { l = task.Loop(); return nil })
	if err := l.CallSoon(func() {}); !errors.Is(err, loop.ErrLoopClosed) {
		t.Errorf("CallSoon returned %v", err)
	}
	err := l.Do(context.Background(), func(*loop.Task) error { return nil })
	if !errors.Is(err, loop.ErrLoopClosed) {
		t.Errorf("Do returned %v", err)
	}
}

func TestS143S144Idempotent(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		var got []int
		put := func(i int) func() { return func() { got = append(got, i) } }
		l.CallSoon(put(1))
		for range 3 {
			l.CallSoonOnce(1, put(1))
			l.CallSoonOnce(2, put(2))
		}
		settle(task)
		if len(got) != 3 {
			t.Errorf("calls: %v", got)
		}
		got = nil
		for range 3 {
			for i := range 100 {
				l.CallSoonOnce(i, put(i))
			}
		}
		settle(task)
		for i, v := range got {
			if v != i || len(got) != 100 {
				t.Fatalf("%d calls, call %d is %d", len(got), i, v)
			}
		}
		// Once it has started, the same call can be queued again.
		runs := 0
		var again func()
		again = func() {
			if runs++; runs < 3 {
				l.CallSoonOnce("again", again)
			}
		}
		l.CallSoonOnce("again", again)
		settle(task)
		if runs != 3 {
			t.Errorf("%d runs of a call that queues itself", runs)
		}
		return nil
	})
}

func TestS145S150FIFO(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var got []int
		for i := range 1000 {
			if err := task.Loop().CallSoon(func() { got = append(got, i) }); err != nil {
				return err
			}
		}
		settle(task)
		for i, v := range got {
			if v != i {
				t.Fatalf("call %d was made as number %d", v, i)
			}
		}
		if len(got) != 1000 {
			t.Errorf("%d calls", len(got))
		}
		return nil
	})
}

func TestS146AcceptedMeansRun(t *testing.T) {
	failure := errors.New("main failed")
	called := false
	err := looptest.RunErr(t, func(task *loop.Task) error {
		task.Loop().CallSoon(func() { called = true })
		return failure
	})
	if err != failure || !called {
		t.Errorf("Run returned %v, called: %v", err, called)
	}
}

func TestS147CallbackCrash(t *testing.T) {
	second, cancelled := false, false
	cause := errors.New("callback")
	err := looptest.RunErr(t, func(task *loop.Task) error {
		task.Loop().CallSoon(func() { panic(cause) })
		task.Loop().CallSoon(func() { second = true })
		err := loop.SleepForever(task)
		cancelled = errors.Is(err, loop.Cancelled)
		return err
	})
	if !second || !cancelled {
		t.Errorf("second call made: %v, main cancelled: %v", second, cancelled)
	}
	if !errors.Is(err, loop.ErrInternal) || !errors.Is(err, cause) || errors.Is(err, loop.Cancelled) {
		t.Errorf("Run returned %v", err)
	}
}

func TestS148NoStarvation(t *testing.T) {
	rounds := 0
	var last error
	looptest.Run(t, func(task *loop.Task) error {
		var requeue func()
		requeue = func() {
			rounds++
			last = task.Loop().CallSoon(requeue)
		}
		requeue()
		for range 20 {
			if err := loop.Checkpoint(task); err != nil {
				return err
			}
		}
		return nil
	})
	if rounds < 19 || !errors.Is(last, loop.ErrLoopClosed) {
		t.Errorf("%d rounds, the last one answered %v", rounds, last)
	}
}

func TestS149ThreadStress(t *testing.T) {
	var accepted, made atomic.Int64
	var all sync.WaitGroup
	looptest.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		all.Go(func() {
			for {
				switch err := l.CallSoon(func() { made.Add(1) }); {
				case err == nil:
					accepted.Add(1)
				case errors.Is(err, loop.ErrLoopClosed):
					return
				}
			}
		})
		for progress := 0; progress < 10; {
			before := made.Load()
			if err := loop.Checkpoint(task); err != nil {
				return err
			}
			if made.Load() > before {
				progress++
			}
		}
		return nil
	})
	all.Wait()
	if accepted.Load() != made.Load() {
		t.Errorf("%d calls accepted, %d made", accepted.Load(), made.Load())
	}
}

// A callback that fails while the loop is ending is as loud as any.
func TestS151LateCrash(t *testing.T) {
	cause := errors.New("late")
	next := false
	err := looptest.RunErr(t, func(task *loop.Task) error {
		l := task.Loop()
		return l.SpawnSystem(func(t2 *loop.Task) error {
			err := loop.SleepForever(t2)
			l.CallSoon(func() { panic(cause) })
			l.CallSoon(func() { next = true })
			return err
		})
	})
	if !errors.Is(err, loop.ErrInternal) || !errors.Is(err, cause) || !next {
		t.Errorf("Run returned %v, the next call was made: %v", err, next)
	}
}

func TestS152LoopIdentity(t *testing.T) {
	var loops [2]*loop.Loop
	for i := range loops {
		looptest.Run(t, func(task *loop.Task) error {
			loops[i] = task.Loop()
			if task.Loop() != loops[i] {
				t.Error("the loop of a task changed")
			}
			return nil
		})
	}
	if loops[0] == loops[1] {
		t.Error("two runs had the same loop")
	}
}

// A loop that sleeps in the poller is woken, whoever calls.
func TestS153SleepingLoopWakes(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { l.CallSoon(func() { task.Unpark(nil) }) })
			if err := loop.Park(task, "test", nil); err != nil {
				return err
			}
		}
		all.Wait()
		return nil
	})
}

func TestEntryQueueIsBounded(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		for range 3 {
			if err := l.CallSoon(func() {}); err != nil {
				return err
			}
		}
		if err := l.CallSoon(func() {}); !errors.Is(err, loop.ErrFull) {
			t.Errorf("a full queue answered %v", err)
		}
		settle(task)
		return l.CallSoon(func() {})
	}, loop.WithEntryQueueSize(3))
	for _, opt := range []loop.Option{loop.WithEntryQueueSize(0), loop.WithBufferSize(-1)} {
		if err := loop.Run(nothing, opt); !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("a senseless option returned %v", err)
		}
	}
}

func TestCallSoonRefusesNil(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		if err := task.Loop().CallSoon(nil); !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("CallSoon returned %v", err)
		}
		if err := task.Loop().CallSoonOnce(nil, func() {}); !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("CallSoonOnce returned %v", err)
		}
		return nil
	})
}

// do makes calls of Do on a goroutine of its own while the loop runs.
func do(tb testing.TB, fn func(l *loop.Loop), opts ...loop.Option) {
	looptest.Run(tb, func(task *loop.Task) error {
		l := task.Loop()
		go func() {
			fn(l)
			l.CallSoon(func() { task.Unpark(nil) })
		}()
		return loop.Park(task, "test", nil)
	}, opts...)
}

func TestDo(t *testing.T) {
	failure := errors.New("failed")
	do(t, func(l *loop.Loop) {
		background := context.Background()
		if err := l.Do(background, func(t2 *loop.Task) error { return loop.Checkpoint(t2) }); err != nil {
			t.Errorf("Do returned %v", err)
		}
		if err := l.Do(background, func(*loop.Task) error { return failure }); err != failure {
			t.Errorf("Do returned %v", err)
		}
		err := l.Do(background, func(*loop.Task) error { panic(failure) })
		if p := (*loop.PanicError)(nil); !errors.As(err, &p) || !errors.Is(err, failure) {
			t.Errorf("Do of a panic returned %v", err)
		}
		if err := l.Do(background, nil); !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("Do of nil returned %v", err)
		}
	})
}

func TestDoIsCancelledByItsContext(t *testing.T) {
	cause := errors.New("enough")
	do(t, func(l *loop.Loop) {
		ctx, cancel := context.WithCancelCause(context.Background())
		err := l.Do(ctx, func(t2 *loop.Task) error {
			cancel(cause)
			return loop.SleepForever(t2)
		})
		if err != cause {
			t.Errorf("Do returned %v", err)
		}
		if err := l.Do(ctx, nothing); err != cause {
			t.Errorf("Do with a context that is done returned %v", err)
		}
	})
}

func TestDoWaitsForRoom(t *testing.T) {
	do(t, func(l *loop.Loop) {
		var all sync.WaitGroup
		var ran atomic.Int64
		for range 50 {
			all.Go(func() {
				err := l.Do(context.Background(), func(t2 *loop.Task) error {
					ran.Add(1)
					return loop.Checkpoint(t2)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if ran.Load() != 50 {
			t.Errorf("%d of 50 calls ran", ran.Load())
		}
	}, loop.WithEntryQueueSize(1))
}

func TestDoInsideATask(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		err := task.Loop().Do(context.Background(), nothing)
		if !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("Do inside a task returned %v", err)
		}
		return nil
	})
}

// Do that is under way when the main task ends is cancelled and answered.
func TestS234DoWhileMainEnds(t *testing.T) {
	answer := make(chan error, 1)
	looptest.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		go func() {
			answer <- l.Do(context.Background(), func(t2 *loop.Task) error {
				task.Unpark(nil)
				return loop.SleepForever(t2)
			})
		}()
		return loop.Park(task, "test", nil)
	})
	select {
	case err := <-answer:
		if !errors.Is(err, loop.Cancelled) {
			t.Errorf("Do returned %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Do did not return")
	}
}
