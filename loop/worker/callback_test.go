package worker_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/worker"
)

func TestS229S230Callback(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			return worker.Run(task, func(j *worker.Job) error {
				err := j.Do(func(t2 *loop.Task) error {
					wantTrue(t, "it runs as the task that waits", t2 == task && t2.Scope() == s)
					looptest.AssertCheckpoint(t2, t, func() error { return loop.Sleep(t2, time.Microsecond) })
					want(t, "Do on the loop", j.Do(func(*loop.Task) error { return nil }), loop.ErrMisuse)
					return errOther
				})
				if err != errOther {
					t.Errorf("Do returned %v", err)
				}
				err = j.Do(func(*loop.Task) error { panic(errOther) })
				if p := (*loop.PanicError)(nil); !errors.As(err, &p) || !errors.Is(err, errOther) {
					t.Errorf("a panic: %v", err)
				}
				want(t, "no function", j.Do(nil), loop.ErrMisuse)
				return nil
			})
		})
	})
	run(t, func(task *loop.Task) error {
		return worker.Run(task, func(j *worker.Job) error {
			return j.Do(func(t2 *loop.Task) error {
				wantTrue(t, "it runs as a system task", t2 != task && t2.Parent() == t2.Loop().Root())
				return nil
			})
		}, worker.AbandonOnCancel())
	})
}

// A job may call back into the loop, which may start another job, and so on.
func TestS231Recursive(t *testing.T) {
	run(t, func(task *loop.Task) error {
		var down func(task *loop.Task, depth int) (int, error)
		down = func(task *loop.Task, depth int) (int, error) {
			return worker.Value(task, func(j *worker.Job) (n int, err error) {
				if depth == 0 {
					return 1, nil
				}
				err = j.Do(func(t2 *loop.Task) (err error) {
					n, err = down(t2, depth-1)
					return err
				})
				return n + 1, err
			})
		}
		n, err := down(task, 10)
		if n != 11 {
			t.Errorf("%d jobs", n)
		}
		return err
	})
}

// What a cancelled task means for the callbacks of its job.
func TestS232HostCancelled(t *testing.T) {
	cases := []struct {
		name     string
		callback func(*loop.Task) error
		want     error
		caught   bool
	}{
		{"without a task's calls", func(*loop.Task) error { return nil }, nil, false},
		{"without a checkpoint", func(t2 *loop.Task) error { return loop.ShieldedCheckpoint(t2) }, nil, false},
		{"with a checkpoint", func(t2 *loop.Task) error { return loop.Checkpoint(t2) }, loop.Cancelled, true},
	}
	for _, c := range cases {
		run(t, func(task *loop.Task) error {
			return loop.Scoped(task, func(s *loop.Scope) error {
				defer func() {
					if s.CancelledCaught() {
						t.Errorf("%s: caught too soon", c.name)
					}
				}()
				err := worker.Run(task, func(j *worker.Job) error {
					j.Do(func(*loop.Task) error { return s.Cancel("enough") })
					return j.Do(c.callback)
				})
				want(t, c.name, err, c.want)
				return err
			})
		})
	}
	run(t, func(task *loop.Task) error { // abandoned: answered all the same
		answer := make(chan error, 1)
		err := loop.Scoped(task, func(s *loop.Scope) error {
			return worker.Run(task, func(j *worker.Job) error {
				j.Do(func(*loop.Task) error { return s.Cancel("enough") })
				for j.CheckCancelled() == nil {
					runtime.Gosched()
				}
				answer <- j.Do(func(t2 *loop.Task) error { return loop.Checkpoint(t2) })
				return nil
			}, worker.AbandonOnCancel())
		})
		want(t, "the scope", err, nil)
		want(t, "WaitIdle", worker.Of(task.Loop()).WaitIdle(task), nil)
		want(t, "a later callback", <-answer, nil)
		return nil
	})
}

func TestS233CheckCancelled(t *testing.T) {
	for _, opts := range [][]worker.Option{nil, {worker.AbandonOnCancel()}} {
		run(t, func(task *loop.Task) error {
			var kept *worker.Job
			err := loop.Scoped(task, func(outer *loop.Scope) error {
				return loop.Scoped(task, func(s *loop.Scope) error {
					err := worker.Run(task, func(j *worker.Job) error {
						kept = j
						want(t, "before", j.CheckCancelled(), nil)
						task.Loop().CallSoon(func() { outer.Cancel("enough") })
						for {
							if err := j.CheckCancelled(); err != nil {
								return err
							}
							runtime.Gosched()
						}
					}, opts...)
					want(t, "Run", err, loop.Cancelled)
					return err
				})
			})
			want(t, "the scopes", err, nil)
			want(t, "WaitIdle", worker.Of(task.Loop()).WaitIdle(task), nil)
			want(t, "after the end", kept.CheckCancelled(), loop.ErrClosed)
			want(t, "Do after the end", worker.Run(task, func(*worker.Job) error {
				return kept.Do(func(*loop.Task) error { return nil })
			}), loop.ErrClosed)
			return nil
		})
	}
}

// An interrupt reaches the job, and then the task, once.
func TestInterruptWhileAJobRuns(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		err := worker.Run(task, func(j *worker.Job) error {
			task.Loop().Interrupt()
			for j.CheckCancelled() == nil {
				runtime.Gosched()
			}
			return nil // the job decides otherwise; the task still gets it
		})
		want(t, "the job", err, nil)
		want(t, "the next checkpoint", loop.Checkpoint(task), loop.ErrInterrupt)
		return loop.Checkpoint(task)
	})
	want(t, "the run", err, nil)
}

// The callbacks of a job whose task lives are served also while the loop ends.
func TestS235CallbackDuringShutdown(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return task.Loop().SpawnSystem(func(t2 *loop.Task) error {
			return worker.Run(t2, func(j *worker.Job) error {
				for j.CheckCancelled() == nil {
					runtime.Gosched()
				}
				ran := false
				err := j.Do(func(*loop.Task) error { ran = true; return nil })
				if err != nil || !ran {
					t.Errorf("ran: %v, %v", ran, err)
				}
				return nil
			})
		})
	})
}

// Jobs and callbacks that cross each other do not deadlock.
func TestS236NoDeadlock(t *testing.T) {
	rounds := 500
	if testing.Short() {
		rounds = 50
	}
	err := looptest.Config{Limit: time.Minute}.RunEach(t, 4, func(task *loop.Task, _ int) error {
		for range rounds {
			err := worker.Run(task, func(j *worker.Job) error {
				return j.Do(func(t2 *loop.Task) error { return loop.Sleep(t2, 0) })
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	want(t, "the run", err, nil)
}

// Several goroutines of one job call back; none is forgotten when it ends.
func TestCallbacksFromManyGoroutines(t *testing.T) {
	run(t, func(task *loop.Task) error {
		calls, all := 0, sync.WaitGroup{}
		err := worker.Run(task, func(j *worker.Job) error {
			for range 20 {
				all.Go(func() {
					err := j.Do(func(t2 *loop.Task) error { calls++; return loop.Checkpoint(t2) })
					if err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			hang := func() { j.Do(func(*loop.Task) error { return nil }) } // answered, somehow
			for range 20 {
				all.Go(hang)
			}
			return nil
		})
		all.Wait()
		if calls != 20 {
			t.Errorf("%d calls", calls)
		}
		return err
	})
}

// A callback that calls Goexit ends its task, which waits for the job first.
func TestGoexitInACallback(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ended := false
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(t2 *loop.Task) error {
				return worker.Run(t2, func(j *worker.Job) error {
					err := j.Do(func(*loop.Task) error { runtime.Goexit(); return nil })
					if p := (*loop.PanicError)(nil); !errors.As(err, &p) || !p.Goexit {
						t.Errorf("Do returned %v", err)
					}
					err = j.Do(func(*loop.Task) error { return nil })
					want(t, "a later callback", err, loop.ErrBroken)
					ended = true
					return nil
				})
			})
		})
		if p := (*loop.PanicError)(nil); !errors.As(err, &p) || !p.Goexit || !ended {
			t.Errorf("the task ended with %v; the job had ended: %v", err, ended)
		}
		return nil
	})
}

// A loop that breaks leaves its jobs alone, and answers them.
func TestJobOfALoopThatBreaks(t *testing.T) {
	answers, release := make(chan error, 1), make(chan struct{})
	err := loop.RunEach(1, func(task *loop.Task, _ int) error {
		return worker.Run(task, func(j *worker.Job) error {
			task.Loop().CallSoon(func() { runtime.Goexit() })
			<-release
			answers <- j.Do(func(*loop.Task) error { return nil })
			return nil
		})
	})
	want(t, "the run", err, loop.ErrInternal)
	close(release)
	want(t, "Do", <-answers, loop.ErrLoopClosed)
}
