package loop_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// S437: the value of a task is read after its end; waiting is a checkpoint.
func TestS437HandleHoldsTheResult(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		var h *loop.Handle[int]
		err := loop.Nurse(task, func(n *loop.Nursery) (err error) {
			h, err = loop.Go(n, func(task *loop.Task) (int, error) {
				return 42, loop.Sleep(task, time.Second)
			}, loop.WithTaskName("answer"))
			if err != nil {
				return err
			}
			if _, err := h.Result(); !errors.Is(err, loop.ErrMisuse) || h.Ended() {
				t.Errorf("before the end: %v, ended: %v", err, h.Ended())
			}
			if err := h.Wait(task); err != nil || clock.Elapsed() != time.Second {
				t.Errorf("Wait returned %v after %v", err, clock.Elapsed())
			}
			err = looptest.AssertCheckpoint(task, t, func() error { return h.Wait(task) })
			want(t, "Wait after the end", err, nil)
			return nil
		})
		if v, err := h.Result(); v != 42 || err != nil || h.Task().Name() != "answer" {
			t.Errorf("%s: %v, %v", h.Task().Name(), v, err)
		}
		return err
	})
}

// S437: waiting for a handle and reading its error deal with nothing: the
// nursery fails all the same.
func TestS437WaitingHandlesNoError(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var waited error
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			h, err := loop.Go(n, func(*loop.Task) (int, error) { return 1, errKey })
			if err != nil {
				return err
			}
			return loop.Shield(task, func(*loop.Scope) error {
				waited = h.Wait(task)
				v, err := h.Result()
				if v != 1 || err != errKey {
					t.Errorf("Result: %v, %v", v, err)
				}
				return nil
			})
		})
		want(t, "Wait", waited, nil)
		if g, ok := err.(*loop.Group); !ok || len(g.Unwrap()) != 1 || g.Unwrap()[0] != errKey {
			t.Errorf("the nursery returned %v", err)
		}
		return nil
	})
}

// S437: Cancel ends the task of the handle alone, even before it began.
func TestS437HandleCancelsOneTask(t *testing.T) {
	for _, begun := range []bool{false, true} {
		looptest.Run(t, func(task *loop.Task) error {
			sleep := func(task *loop.Task) (int, error) { return 7, loop.SleepForever(task) }
			return loop.Nurse(task, func(n *loop.Nursery) error {
				h, _ := loop.Go(n, sleep)
				other, _ := loop.Go(n, sleep)
				if begun {
					settled(task, t)
				}
				want(t, "Cancel", h.Cancel("one"), nil)
				want(t, "Wait", h.Wait(task), nil)
				_, err := h.Result()
				if reasonOf(t, err).Reason() != "one" || other.Ended() || n.Scope().CancelCalled() {
					t.Errorf("begun %v: %v; the other has ended: %v", begun, err, other.Ended())
				}
				want(t, "a later Cancel", h.Cancel("late"), nil)
				return n.Cancel("all")
			})
		})
	}
}

// A wait for a handle is cancelled like any other, and so is one under way
// when the task ends with its nursery.
func TestHandleWaitIsCancelled(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			h, _ := loop.Go(n, func(task *loop.Task) (int, error) { return 0, loop.Sleep(task, time.Hour) })
			err := loop.FailAfter(task, time.Second, func(*loop.Scope) error { return h.Wait(task) })
			want(t, "FailAfter", err, loop.ErrTimeout)
			err = loop.Scoped(task, func(s *loop.Scope) error {
				s.Cancel("now")
				err := h.Wait(task)
				want(t, "Wait in a cancelled scope", err, loop.Cancelled)
				return err
			})
			want(t, "Scoped", err, nil)
			for range 3 {
				n.Spawn(func(task *loop.Task) error { return h.Wait(task) })
			}
			return h.Wait(task)
		})
	})
}

// Panics and Goexit of the task are its result, and fail the nursery; a task
// that waits for itself is refused, and so is one of another loop.
func TestHandleOfAbnormalEnd(t *testing.T) {
	ends := map[string]func(){"goexit": runtime.Goexit, "panic": func() { panic("ouch") }}
	for name, end := range ends {
		looptest.Run(t, func(task *loop.Task) error {
			var h *loop.Handle[string]
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				h, _ = loop.Go(n, func(*loop.Task) (string, error) { end(); return "x", nil })
				return nil
			})
			var p, q *loop.PanicError
			v, own := h.Result()
			if !errors.As(err, &p) || !errors.As(own, &q) || p != q || v != "" {
				t.Errorf("%s: the nursery returned %v, the handle holds %q, %v", name, err, v, own)
			}
			return nil
		})
	}
}

func TestHandleMisuse(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var left *loop.Nursery
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			left = n
			_, err := loop.Go[int](n, nil)
			want(t, "a nil function", err, loop.ErrMisuse)
			var self *loop.Handle[int]
			self, _ = loop.Go(n, func(task *loop.Task) (int, error) {
				want(t, "waiting for oneself", self.Wait(task), loop.ErrMisuse)
				return 0, nil
			})
			return self.Wait(task)
		})
		h, closed := loop.Go(left, func(*loop.Task) (int, error) { return 0, nil })
		if h != nil || !errors.Is(closed, loop.ErrClosed) {
			t.Errorf("Go in a nursery that was left: %v, %v", h, closed)
		}
		return err
	})
}

// The scope of a task that was started absorbs its own cancellation as well.
func TestStartedTaskMayCancelItself(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			_, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
				if err := started(nil); err != nil {
					return err
				}
				task.Scope().Cancel("myself")
				return loop.Checkpoint(task)
			})
			return err
		})
	})
}

// S446: a handle belongs to the loop of its task.
func TestS446HandleOfAnotherLoop(t *testing.T) {
	handles, seen := make(chan *loop.Handle[int], 1), make(chan struct{})
	err := looptest.Config{}.RunEach(t, 2, func(task *loop.Task, i int) error {
		if i == 0 {
			want(t, "Wait on another loop", (<-handles).Wait(task), loop.ErrWrongTask)
			close(seen)
			return nil
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			h, err := loop.Go(n, func(task *loop.Task) (int, error) { return 0, loop.SleepForever(task) })
			if err != nil {
				return err
			}
			handles <- h
			<-seen
			return h.Cancel("seen")
		})
	})
	want(t, "the run", err, nil)
}
