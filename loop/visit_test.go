package loop_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// twoLoops runs caller on one loop while another, which is given to it,
// sleeps until caller has ended.
func twoLoops(
	tb testing.TB, caller func(t *loop.Task, other *loop.Loop) error, opts ...loop.Option,
) error {
	tb.Helper()
	ended := false // belongs to the other loop
	return looptest.Config{}.RunEach(tb, 2, func(task *loop.Task, i int) error {
		if i == 0 {
			other := task.Loop().Team()[1]
			w, _ := loop.NewWaker(other, func() { ended = true; other.Main().Unpark(nil) })
			defer w.Wake()
			return caller(task, other)
		}
		for !ended {
			err := loop.Park(task, "the end of the caller", loop.AbortFunc(
				func(loop.Wait) bool { return true }))
			if err != nil {
				return err
			}
		}
		return nil
	}, opts...)
}

func TestCall(t *testing.T) {
	local := loop.NewLocal("local", 0)
	err := twoLoops(t, func(task *loop.Task, other *loop.Loop) error {
		set(task, local, 7)
		value := 0
		err := loop.Call(task, other, func(t2 *loop.Task) error {
			if t2.Loop() != other || t2 == task {
				t.Error("it ran on the wrong loop")
			}
			value = get(t2, local)
			set(t2, local, 8)
			return loop.Checkpoint(t2)
		})
		want(t, "Call", err, nil)
		if value != 7 || get(task, local) != 7 {
			t.Errorf("the locals were %d there and are %d here", value, get(task, local))
		}
		err = loop.Call(task, other, failing(errKey))
		if err != errKey {
			t.Errorf("Call returned %v", err)
		}
		err = loop.Call(task, other, func(*loop.Task) error { panic(errValue) })
		if p := (*loop.PanicError)(nil); !errors.As(err, &p) || !errors.Is(err, errValue) {
			t.Errorf("Call of a panic returned %v", err)
		}
		err = loop.Call(task, other, func(*loop.Task) error { runtime.Goexit(); return nil })
		if p := (*loop.PanicError)(nil); !errors.As(err, &p) || !p.Goexit {
			t.Errorf("Call of a Goexit returned %v", err)
		}
		want(t, "no function", loop.Call(task, other, nil), loop.ErrMisuse)
		want(t, "no loop", loop.Call(task, nil, nothing), loop.ErrMisuse)
		return nil
	})
	want(t, "the run", err, nil)
}

// A call is a checkpoint, suspends the caller only, and is also one to the
// loop itself.
func TestCallLetsOthersRun(t *testing.T) {
	err := twoLoops(t, func(task *loop.Task, other *loop.Loop) error {
		for _, where := range []*loop.Loop{other, task.Loop()} {
			looptest.AssertCheckpoint(task, t, func() error {
				return loop.Call(task, where, nothing)
			})
		}
		local := loop.NewLocal("local", 0)
		err := loop.Call(task, task.Loop(), func(t2 *loop.Task) error {
			set(t2, local, 1)
			panic(errKey)
		})
		want(t, "a panic here", err, errKey)
		if get(task, local) != 0 {
			t.Error("a local came back")
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			release := make(chan struct{})
			n.Spawn(func(*loop.Task) error { close(release); return nil })
			return loop.Call(task, other, func(*loop.Task) error { <-release; return nil })
		})
	})
	want(t, "the run", err, nil)
}

// A cancellation crosses, and the caller waits for what is left to be done on
// the other side.
func TestCallIsCancelled(t *testing.T) {
	err := twoLoops(t, func(task *loop.Task, other *loop.Loop) error {
		cleaned := false
		err := loop.Scoped(task, func(s *loop.Scope) error {
			l := task.Loop()
			err := loop.Call(task, other, func(t2 *loop.Task) error {
				l.CallSoon(func() { s.Cancel("enough") })
				err := loop.SleepForever(t2)
				reasonOf(t, err)
				cleaned = true
				return err
			})
			if reason := reasonOf(t, err).Reason(); reason != "enough" {
				t.Errorf("the reason is %q", reason)
			}
			return err
		})
		want(t, "the scope", err, nil)
		wantTrue(t, "the other side was waited for", cleaned)
		err = loop.Scoped(task, func(s *loop.Scope) error {
			l := task.Loop()
			return loop.Call(task, other, func(t2 *loop.Task) error {
				l.CallSoon(func() { s.Cancel("too late") })
				if err := loop.SleepForever(t2); !errors.Is(err, loop.Cancelled) {
					t.Errorf("the other side got %v", err)
				}
				return errValue // it has decided otherwise
			})
		})
		want(t, "what the other side returned", err, errValue)
		err = loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("before")
			return loop.Call(task, other, func(*loop.Task) error {
				t.Error("it ran although the caller was cancelled")
				return nil
			})
		})
		want(t, "cancelled before", err, nil)
		return nil
	})
	want(t, "the run", err, nil)
}

// An interrupt of the caller crosses as a cancellation and is delivered once.
func TestCallIsInterrupted(t *testing.T) {
	err := twoLoops(t, func(task *loop.Task, other *loop.Loop) error {
		l := task.Loop()
		err := loop.Call(task, other, func(t2 *loop.Task) error {
			l.Interrupt()
			return loop.SleepForever(t2)
		})
		if err != loop.ErrInterrupt {
			t.Errorf("Call returned %v", err)
		}
		want(t, "afterwards", loop.Checkpoint(task), nil)
		return nil
	})
	want(t, "the run", err, nil)
}

// Back-pressure: with room for one, fifty calls wait for each other, and one
// that is cancelled while it waits for room does not run.
func TestCallWaitsForRoom(t *testing.T) {
	ran, held := 0, make(chan struct{})
	err := twoLoops(t, func(task *loop.Task, other *loop.Loop) error {
		running := make(chan struct{})
		other.CallSoon(func() { close(running); <-held })
		<-running
		for other.CallSoon(func() {}) == nil {
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			var first *loop.Scope
			n.Spawn(func(t2 *loop.Task) error {
				return loop.Scoped(t2, func(s *loop.Scope) error {
					first = s
					return loop.Call(t2, other, func(*loop.Task) error {
						t.Error("a call ran that was cancelled while it waited")
						return nil
					})
				})
			})
			for range 50 {
				n.Spawn(func(t2 *loop.Task) error {
					return loop.Call(t2, other, func(*loop.Task) error { ran++; return nil })
				})
			}
			settled(task, t)
			first.Cancel("enough")
			settled(task, t)
			wantTrue(t, "it gave up", first.CancelledCaught())
			if s := other.Statistics(); s.EntryRefused < 51 || s.EntryPeak != 1 {
				t.Errorf("refused %d times, at most %d waited", s.EntryRefused, s.EntryPeak)
			}
			close(held)
			return nil
		})
	}, loop.WithEntryQueueSize(1))
	want(t, "the run", err, nil)
	if ran != 50 {
		t.Errorf("%d calls ran", ran)
	}
}

// A loop that has ended answers with a name; one that ends while it is at it
// cancels the call.
func TestCallToALoopThatEnds(t *testing.T) {
	var ended *loop.Loop
	looptest.Run(t, func(task *loop.Task) error { ended = task.Loop(); return nil })
	looptest.Run(t, func(task *loop.Task) error {
		want(t, "an ended loop", loop.Call(task, ended, nothing), loop.ErrLoopClosed)
		return nil
	})
	err := looptest.Config{}.RunEach(t, 2, func(task *loop.Task, i int) error {
		if i == 1 {
			return loop.Park(task, "test", nil)
		}
		other := task.Loop().Team()[1]
		var scope *loop.Scope
		err := loop.Scoped(task, func(s *loop.Scope) error {
			scope = s
			err := loop.Call(task, other, func(t2 *loop.Task) error {
				settled(t2, t)
				other.Main().Unpark(nil)
				return loop.SleepForever(t2)
			})
			want(t, "a loop that ends", err, loop.ErrLoopClosed)
			want(t, "a loop that ends", err, loop.Cancelled)
			s.Cancel("not what ended it")
			return err
		})
		wantState(t, scope, true, false)
		return err
	})
	// The Cancelled of the other loop is not absorbed by a scope of this one.
	want(t, "the run", err, loop.ErrLoopClosed)
}

// A loop that breaks answers the calls whose tasks have not begun.
func TestCallToALoopThatBreaks(t *testing.T) {
	var answers [2]error
	err := looptest.Config{}.RunEach(t, 2, func(task *loop.Task, i int) error {
		if i == 1 {
			return loop.SleepForever(task)
		}
		other := task.Loop().Team()[1]
		all := loop.Nurse(task, func(n *loop.Nursery) error {
			ready := make(chan struct{})
			other.CallSoon(func() { <-ready })
			for i := range answers {
				n.Spawn(func(t2 *loop.Task) error {
					answers[i] = loop.Call(t2, other, func(t3 *loop.Task) error {
						return loop.SleepForever(t3)
					})
					return nil
				})
			}
			settled(task, t)
			other.CallSoon(func() { runtime.Goexit() })
			close(ready)
			return nil
		})
		return all
	})
	want(t, "the run", err, loop.ErrInternal)
	for _, answer := range answers {
		if answer == nil {
			t.Error("a call to a broken loop returned nil")
		}
	}
}

// Two loops call each other, in both directions at once, and the calls of one
// caller arrive in order.
func TestS451S446TwoLoopsCallEachOther(t *testing.T) {
	rounds := 20_000
	if testing.Short() || raceEnabled() {
		rounds = 2_000 // the detector makes each call twenty times as dear
	}
	var ready sync.WaitGroup
	ready.Add(2)
	err := looptest.Config{Limit: time.Minute}.RunEach(t, 2, func(task *loop.Task, i int) error {
		other := task.Loop().Team()[1-i]
		got := 0
		for k := range rounds {
			err := loop.Call(task, other, func(t2 *loop.Task) error {
				got = k + 1
				return nil
			})
			if err != nil {
				return err
			}
			if got != k+1 {
				t.Errorf("call %d is number %d", k, got)
			}
		}
		return meet(task, &ready)
	})
	want(t, "the run", err, nil)
}

// meet suspends the task until all that share the group have come.
func meet(task *loop.Task, all *sync.WaitGroup) error {
	w, err := loop.NewWaker(task.Loop(), func() { task.Unpark(nil) })
	if err != nil {
		return err
	}
	all.Done()
	go func() { all.Wait(); w.Wake() }()
	return loop.Park(task, "the others", nil)
}

// Calls from outside in both directions are in order.
func TestS451SoonAcrossBothDirections(t *testing.T) {
	calls := 100_000
	if testing.Short() || raceEnabled() {
		calls = 10_000 // enough for the detector
	}
	var ready sync.WaitGroup
	ready.Add(2)
	err := looptest.Config{Limit: time.Minute}.RunEach(t, 2, func(task *loop.Task, i int) error {
		other := task.Loop().Team()[1-i]
		next := 0 // of those that the other loop sends: it belongs to that one
		for k := 0; k < calls; {
			number := k
			err := other.CallSoon(func() {
				if next != number {
					t.Errorf("call %d arrived as number %d", number, next)
				}
				next++
			})
			switch {
			case err == nil:
				k++
			case errors.Is(err, loop.ErrLoopClosed):
				return errors.New("the other loop ended too soon")
			}
			if err := loop.Checkpoint(task); err != nil {
				return err
			}
		}
		err := loop.Call(task, other, func(*loop.Task) error {
			if next != calls {
				t.Errorf("%d of %d calls arrived", next, calls)
			}
			return nil
		})
		return errors.Join(err, meet(task, &ready))
	})
	want(t, "the run", err, nil)
}

// A waker has its place in a queue that is full, coalesces, and runs again
// when it is woken while it runs.
func TestWaker(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l, runs := task.Loop(), 0
		var w *loop.Waker
		w, err := loop.NewWaker(l, func() {
			if runs++; runs == 1 {
				w.Wake()
			}
		})
		if err != nil {
			return err
		}
		for l.CallSoon(func() {}) == nil {
		}
		for range 3 {
			want(t, "Wake", w.Wake(), nil)
		}
		settle(task)
		if runs != 2 {
			t.Errorf("%d runs", runs)
		}
		allocs := testing.AllocsPerRun(100, func() { w.Wake(); loop.Yield(task) })
		if allocs != 0 {
			t.Errorf("a wake-up allocates %v times", allocs)
		}
		_, err = loop.NewWaker(l, nil)
		want(t, "a waker without a function", err, loop.ErrMisuse)
		_, err = loop.NewWaker(nil, func() {})
		want(t, "a waker without a loop", err, loop.ErrMisuse)
		return nil
	}, loop.WithEntryQueueSize(2))
	var late *loop.Waker
	looptest.Run(t, func(task *loop.Task) (err error) {
		late, err = loop.NewWaker(task.Loop(), func() { t.Error("it ran") })
		return err
	})
	want(t, "a loop that has ended", late.Wake(), loop.ErrLoopClosed)
}

// Do takes the locals that its context carries, also over a goroutine, and
// brings none back.
func TestS425LocalsIntoDo(t *testing.T) {
	local := loop.NewLocal("local", "default")
	looptest.Run(t, func(task *loop.Task) error {
		set(task, local, "set")
		l, ctx := task.Loop(), task.Context()
		if v := local.From(loop.LocalsFrom(ctx)); v != "set" {
			t.Errorf("the context carries %q", v)
		}
		var there [2]string
		go func() {
			for i, ctx := range []context.Context{ctx, context.Background()} {
				l.Do(ctx, func(t2 *loop.Task) error {
					there[i] = get(t2, local)
					set(t2, local, "changed")
					return nil
				})
			}
			l.CallSoon(func() { task.Unpark(nil) })
		}()
		if err := loop.Park(task, "test", nil); err != nil {
			return err
		}
		if there != [2]string{"set", "default"} || get(task, local) != "set" {
			t.Errorf("seen %q, and now %q", there, get(task, local))
		}
		return nil
	})
}

// The wake protocol under stress: eight goroutines, a million calls each, none
// of them lost or out of order. Every few calls a goroutine waits for its own,
// so that the loop sleeps often.
func TestWakeStress(t *testing.T) {
	const callers = 8
	calls, limit := 1_000_000, time.Minute
	if testing.Short() || raceEnabled() {
		calls = 20_000 // what takes seconds takes minutes under the detector
	}
	var made atomic.Int64
	looptest.Config{Limit: limit}.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		var all sync.WaitGroup
		for range callers {
			all.Go(func() { stress(t, l, calls, &made) })
		}
		go func() {
			all.Wait()
			l.CallSoon(func() { task.Unpark(nil) })
		}()
		err := loop.Park(task, "test", nil)
		if s := task.Statistics(); s.EntryPeak > loop.DefaultEntryQueueSize {
			t.Errorf("%d calls waited", s.EntryPeak)
		}
		return err
	})
	if made.Load() != callers*int64(calls) {
		t.Errorf("%d of %d calls were made", made.Load(), callers*calls)
	}
}

// stress is one caller of TestWakeStress.
func stress(t *testing.T, l *loop.Loop, calls int, made *atomic.Int64) {
	const stretch = 64
	answered := make(chan struct{}, 1)
	next := 0
	for i := 0; i < calls; {
		number := i
		last := i%stretch == stretch-1
		err := l.CallSoon(func() {
			if next != number {
				t.Errorf("call %d was made as number %d", number, next)
			}
			next++
			made.Add(1)
			if last {
				answered <- struct{}{}
			}
		})
		switch {
		case errors.Is(err, loop.ErrFull):
			runtime.Gosched()
			continue
		case err != nil:
			t.Error(err)
			return
		case last:
			<-answered
		}
		i++
	}
}
