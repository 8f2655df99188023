package worker_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"weak"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/worker"
)

// Scenarios M: workers.

func TestS219RunsElsewhere(t *testing.T) {
	run(t, func(task *loop.Task) error {
		var inside bool
		v, err := worker.Value(task, func(*worker.Job) (int, error) {
			inside = loop.Inside()
			return 7, errJob
		})
		if v != 7 || err != errJob || inside || !loop.Inside() {
			t.Errorf("got %d, %v; the job ran on the loop: %v", v, err, inside)
		}
		looptest.AssertCheckpoint(task, t, func() error { return worker.Run(task, nothing) })
		want(t, "no function", worker.Run(task, nil), loop.ErrMisuse)
		_, err = worker.Value[int](task, nil)
		want(t, "no function", err, loop.ErrMisuse)
		want(t, "no limiter", worker.Run(task, nothing, worker.WithLimiter(nil)), loop.ErrMisuse)
		return nil
	})
}

// An abandoned job keeps its token until it ends, and its result is dropped.
func TestS220CancelAbandons(t *testing.T) {
	run(t, func(task *loop.Task) error {
		release, ended := make(chan struct{}), false
		limiter := worker.Of(task.Loop()).Limiter()
		var v int
		err := loop.Scoped(task, func(s *loop.Scope) (err error) {
			v, err = worker.Value(task, func(j *worker.Job) (int, error) {
				task.Loop().CallSoon(func() { s.Cancel("enough") })
				<-release
				ended = true
				return 1, errJob
			}, worker.AbandonOnCancel())
			want(t, "Value", err, loop.Cancelled)
			return err
		})
		if err != nil || v != 0 {
			t.Errorf("got %d, %v", v, err)
		}
		wantStatistics(task, t, 0, 1, 1)
		if s := limiter.Statistics(); s.Borrowed != 1 {
			t.Errorf("%d tokens lent", s.Borrowed)
		}
		close(release)
		want(t, "WaitIdle", worker.Of(task.Loop()).WaitIdle(task), nil)
		wantTrue(t, "the job went on to its end", ended)
		wantStatistics(task, t, 0, 0, 0)
		if s := limiter.Statistics(); s.Borrowed != 0 {
			t.Errorf("%d tokens lent", s.Borrowed)
		}
		return nil
	})
}

// Without that, the job is waited for and its success wins.
func TestS221CancelWaits(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				release, answered := make(chan struct{}), false
				n.Spawn(func(t2 *loop.Task) error {
					v, err := worker.Value(t2, func(*worker.Job) (int, error) { <-release; return 3, nil })
					if v != 3 || err != nil {
						t.Errorf("got %d, %v", v, err)
					}
					answered = true
					return nil
				})
				looptest.WaitAllTasksBlocked(task, t)
				s.Cancel("enough")
				for range 10 {
					loop.ShieldedCheckpoint(task)
				}
				wantTrue(t, "still waiting", !answered)
				close(release)
				return nil
			})
		})
	})
}

func TestS222CancelledBefore(t *testing.T) {
	run(t, func(task *loop.Task) error {
		for _, opts := range [][]worker.Option{nil, {worker.AbandonOnCancel()}} {
			err := loop.Scoped(task, func(s *loop.Scope) error {
				s.Cancel("before")
				return worker.Run(task, func(*worker.Job) error {
					t.Error("the job ran")
					return nil
				}, opts...)
			})
			want(t, "the scope", err, nil)
		}
		if s := worker.Of(task.Loop()).Statistics(); s.Started != 0 {
			t.Errorf("%d jobs began", s.Started)
		}
		return nil
	})
}

// A job that outlives the loop ends in silence.
func TestS223LoopEndsBeforeTheJob(t *testing.T) {
	release, answers := make(chan struct{}), make(chan error, 2)
	err := loop.Run(func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			return worker.Run(task, func(j *worker.Job) error {
				s.Cancel("refused, being on the wrong goroutine")
				task.Loop().CallSoon(func() { s.Cancel("enough") })
				<-release
				answers <- j.Do(func(*loop.Task) error { return nil })
				answers <- j.CheckCancelled()
				return errJob
			}, worker.AbandonOnCancel())
		})
	})
	want(t, "the run", err, nil)
	close(release)
	want(t, "Do after the end", <-answers, loop.ErrLoopClosed)
	want(t, "CheckCancelled after the end", <-answers, loop.Cancelled)
}

// testLimiter counts, and fails as it is told.
type testLimiter struct {
	borrowers []any
	err       error
}

func (l *testLimiter) AcquireFor(t *loop.Task, borrower any) error {
	l.borrowers = append(l.borrowers, borrower)
	return loop.Checkpoint(t)
}

func (l *testLimiter) ReleaseFor(borrower any) error {
	l.borrowers = append(l.borrowers, borrower)
	return l.err
}

func TestS225S226CustomLimiter(t *testing.T) {
	run(t, func(task *loop.Task) error {
		limiter := &testLimiter{}
		want(t, "Run", worker.Run(task, nothing, worker.WithLimiter(limiter)), nil)
		if b := limiter.borrowers; len(b) != 2 || b[0] != b[1] {
			t.Errorf("borrowers: %v", b)
		}
		limiter.err = errOther
		want(t, "Run", worker.Run(task, nothing, worker.WithLimiter(limiter)), errOther)
		err := worker.Run(task, func(*worker.Job) error { return errJob }, worker.WithLimiter(limiter))
		want(t, "the error of the job", err, errJob)
		want(t, "the error of the limiter", err, errOther)
		return nil
	})
}

// The task-locals come along, and changes stay where they are made.
func TestS228S425Locals(t *testing.T) {
	local := loop.NewLocal("local", "default")
	run(t, func(task *loop.Task) error {
		task.SetLocals(local.With(task.Locals(), "of the task"))
		var seen []string
		err := worker.Run(task, func(j *worker.Job) error {
			seen = append(seen, local.From(j.Locals()), local.From(loop.LocalsFrom(j.Context())))
			j.SetLocals(local.With(j.Locals(), "of the job"))
			j.Do(func(t2 *loop.Task) error {
				seen = append(seen, local.From(t2.Locals()))
				t2.SetLocals(local.With(t2.Locals(), "of the callback"))
				return nil
			})
			seen = append(seen, local.From(j.Locals()))
			return nil
		})
		seen = append(seen, local.From(task.Locals()))
		if fmt.Sprint(seen) != "[of the task of the task of the job of the job of the task]" {
			t.Errorf("seen: %q", seen)
		}
		return err
	})
}

func TestPanicAndGoexit(t *testing.T) {
	run(t, func(task *loop.Task) error {
		err := worker.Run(task, func(*worker.Job) error { panic(errJob) })
		var p *loop.PanicError
		if !errors.As(err, &p) || !errors.Is(err, errJob) || p.Goexit ||
			!strings.Contains(string(p.Stack), "TestPanicAndGoexit") {
			t.Errorf("a panic: %v", err)
		}
		err = worker.Run(task, func(*worker.Job) error { runtime.Goexit(); return nil })
		if !errors.As(err, &p) || !p.Goexit || !strings.Contains(p.Task, "TestPanicAndGoexit") {
			t.Errorf("a Goexit: %v", err)
		}
		return nil
	})
}

// The closure of a job and its result are given up with the job.
func TestS242NothingIsKept(t *testing.T) {
	run(t, func(task *loop.Task) error {
		type large struct{ _ [1 << 16]byte }
		var held weak.Pointer[large]
		func() {
			object := &large{}
			held = weak.Make(object)
			worker.Value(task, func(*worker.Job) (*large, error) { return object, nil })
		}()
		for range 10 {
			runtime.GC()
			loop.Yield(task)
		}
		wantTrue(t, "the job's closure was collected", held.Value() == nil)
		return nil
	})
}

// Waiting is in order, and a clogged limiter clogs nothing else.
func TestS243SeparateLimiters(t *testing.T) {
	run(t, func(task *loop.Task) error {
		slow, err := locks.NewCapacityLimiter(2)
		if err != nil {
			return err
		}
		release := make(chan struct{})
		var order []int
		return loop.Nurse(task, func(n *loop.Nursery) error {
			spawn := func(i int) {
				n.Spawn(func(t2 *loop.Task) error {
					err := worker.Run(t2, func(*worker.Job) error { <-release; return nil },
						worker.WithLimiter(slow))
					order = append(order, i)
					return err
				})
				looptest.WaitAllTasksBlocked(task, t)
			}
			for i := range 10 {
				spawn(i)
			}
			wantStatistics(task, t, 8, 2, 0)
			err := worker.Run(task, nothing) // does not wait for them
			close(release)
			return err
		})
	})
}

// With one token, jobs run in the order in which they were asked for.
func TestJobsAreServedInOrder(t *testing.T) {
	run(t, func(task *loop.Task) error {
		want(t, "SetTotal", worker.Of(task.Loop()).Limiter().SetTotal(1), nil)
		release, running := make(chan struct{}), atomic.Int32{}
		var order []int
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			for i := range 10 {
				n.Spawn(func(t2 *loop.Task) error {
					return worker.Run(t2, func(*worker.Job) error {
						if running.Add(1) != 1 {
							t.Error("two jobs run")
						}
						<-release
						order = append(order, i) // one at a time
						running.Add(-1)
						return nil
					})
				})
				looptest.WaitAllTasksBlocked(task, t)
			}
			close(release)
			return nil
		})
		if fmt.Sprint(order) != "[0 1 2 3 4 5 6 7 8 9]" {
			t.Errorf("the order was %v", order)
		}
		return err
	})
}

func TestS237Count(t *testing.T) {
	run(t, func(task *loop.Task) error {
		pool := worker.Of(task.Loop())
		return loop.Nurse(task, func(n *loop.Nursery) error {
			release := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
			idle := false
			for _, r := range release {
				n.Spawn(func(t2 *loop.Task) error {
					return worker.Run(t2, func(*worker.Job) error { <-r; return nil })
				})
			}
			looptest.WaitAllTasksBlocked(task, t)
			n.Spawn(func(t2 *loop.Task) error {
				err := pool.WaitIdle(t2)
				idle = true
				return err
			})
			for i, r := range release {
				looptest.WaitAllTasksBlocked(task, t)
				wantStatistics(task, t, 0, 2-i, 0)
				wantTrue(t, "WaitIdle still waits", !idle)
				close(r)
				for pool.Statistics().Running == 2-i {
					loop.Yield(task)
				}
			}
			looptest.WaitAllTasksBlocked(task, t)
			wantStatistics(task, t, 0, 0, 0)
			wantTrue(t, "WaitIdle has returned", idle)
			looptest.AssertCheckpoint(task, t, func() error { return pool.WaitIdle(task) })
			return nil
		})
	})
}

// The context of a job ends with a cancellation, with its cause, or with the
// job.
func TestJobContext(t *testing.T) {
	run(t, func(task *loop.Task) error {
		var ctx context.Context
		err := worker.Run(task, func(j *worker.Job) error {
			ctx = j.Context()
			_, limited := ctx.Deadline()
			wantTrue(t, "no deadline", !limited)
			return ctx.Err()
		})
		want(t, "during the job", err, nil)
		want(t, "after the job", ctx.Err(), context.Canceled)
		return loop.MoveOnAfter(task, time.Millisecond, func(s *loop.Scope) error {
			err := worker.Run(task, func(j *worker.Job) error {
				ctx := j.Context()
				_, limited := ctx.Deadline()
				wantTrue(t, "there is a deadline", limited)
				<-ctx.Done()
				return context.Cause(ctx)
			})
			want(t, "the job", err, loop.Cancelled)
			return err
		})
	})
}

// A cancellation that comes while the task waits for its token, or for its turn
// after that, keeps the job from beginning; the token is free again.
func TestCancelledBeforeTheJobBegins(t *testing.T) {
	run(t, func(task *loop.Task) error {
		limiter := worker.Of(task.Loop()).Limiter()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			want(t, "SetTotal", limiter.SetTotal(0), nil)
			s, err := loop.NewScope(task.Loop())
			want(t, "NewScope", err, nil)
			n.Spawn(func(task *loop.Task) error {
				return loop.Enter(task, s, func(*loop.Scope) error {
					began := false
					err := worker.Run(task, func(*worker.Job) error { began = true; return nil })
					want(t, "Run", err, loop.Cancelled)
					wantTrue(t, "the job has not begun", !began)
					return err
				})
			})
			looptest.WaitAllTasksBlocked(task, t)
			want(t, "SetTotal", limiter.SetTotal(1), nil) // it has its token
			want(t, "Cancel", s.Cancel("too late for the token"), nil)
			looptest.WaitAllTasksBlocked(task, t)
			wantStatistics(task, t, 0, 0, 0)
			if s := limiter.Statistics(); s.Borrowed != 0 {
				t.Errorf("%d tokens lent", s.Borrowed)
			}
			return nil
		})
	})
}
