package signals_test

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/signals"
	"github.com/lion-go/lion/sys"
)

// Scenarios N: signals as a queue.

// needRaise skips where a program cannot send itself a signal.
func needRaise(t *testing.T) {
	t.Helper()
	if !sys.Catchable(sys.Hangup) {
		t.Skip("this system has no signals, only console events, which reach a whole console")
	}
}

// raise sends a signal and waits until the queue has it: the system and the
// runtime take their time.
func raise(task *loop.Task, t *testing.T, q *signals.Queue, s os.Signal) {
	t.Helper()
	before := q.Statistics()
	if err := sys.Raise(s); err != nil {
		t.Fatal(err)
	}
	for {
		now := q.Statistics()
		if now.Pending > before.Pending || now.Coalesced > before.Coalesced {
			return
		}
		if err := loop.Yield(task); err != nil {
			t.Fatal(err)
		}
	}
}

func want(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got %v, want %v", what, err, target)
	}
}

// next reads a signal that is there.
func next(task *loop.Task, t *testing.T, q *signals.Queue) os.Signal {
	t.Helper()
	s, err := q.Next(task)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestS254Basic(t *testing.T) {
	needRaise(t)
	looptest.Run(t, func(task *loop.Task) error {
		var kept *signals.Queue
		err := signals.Receive(task, []os.Signal{sys.Hangup}, func(q *signals.Queue) error {
			kept = q
			raise(task, t, q, sys.Hangup)
			if q.Pending() != 1 {
				t.Errorf("%d pending", q.Pending())
			}
			looptest.AssertCheckpoint(task, t, func() error {
				if s := next(task, t, q); s != sys.Hangup {
					t.Errorf("got %v", s)
				}
				return nil
			})
			if q.Pending() != 0 {
				t.Errorf("%d pending", q.Pending())
			}
			return nil
		})
		want(t, "Receive", err, nil)
		_, err = kept.Next(task)
		want(t, "after the end", err, loop.ErrClosed)
		return nil
	})
}

// A task that waits is woken, by a signal or by the end of Receive.
func TestNextWaits(t *testing.T) {
	needRaise(t)
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			return signals.Receive(task, []os.Signal{sys.Hangup}, func(q *signals.Queue) error {
				woken := 0
				n.Spawn(func(t2 *loop.Task) error {
					next(t2, t, q)
					woken++
					_, err := q.Next(t2)
					want(t, "Receive has ended", err, loop.ErrClosed)
					return nil
				})
				looptest.WaitAllTasksBlocked(task, t)
				if err := sys.Raise(sys.Hangup); err != nil {
					return err
				}
				for woken == 0 {
					loop.Yield(task)
				}
				looptest.WaitAllTasksBlocked(task, t)
				return nil
			})
		})
	})
}

func TestS255BadSignals(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		never := func(*signals.Queue) error { t.Error("it ran"); return nil }
		for _, sigs := range [][]os.Signal{
			nil, {nil}, {sys.Interrupt, os.Kill}, {sys.Interrupt, strange{}},
		} {
			want(t, "Receive", signals.Receive(task, sigs, never), loop.ErrMisuse)
		}
		want(t, "no function", signals.Receive(task, []os.Signal{sys.Interrupt}, nil), loop.ErrMisuse)
		twice := []os.Signal{sys.Interrupt, sys.Interrupt}
		return signals.Receive(task, twice, func(*signals.Queue) error { return nil })
	})
}

type strange struct{}

func (strange) String() string { return "strange" }
func (strange) Signal()        {}

func TestS256Coalesce(t *testing.T) {
	needRaise(t)
	looptest.Run(t, func(task *loop.Task) error {
		return signals.Receive(task, []os.Signal{sys.Hangup}, func(q *signals.Queue) error {
			for range 5 {
				raise(task, t, q, sys.Hangup)
			}
			next(task, t, q)
			if s := q.Statistics(); s.Pending != 0 || s.Received != 1 || s.Coalesced != 4 {
				t.Errorf("%+v", s)
			}
			return nil
		})
	})
}

func TestS257NoStarvation(t *testing.T) {
	needRaise(t)
	looptest.Run(t, func(task *loop.Task) error {
		both := []os.Signal{sys.Hangup, sys.Interrupt}
		return signals.Receive(task, both, func(q *signals.Queue) error {
			raise(task, t, q, sys.Hangup)
			raise(task, t, q, sys.Interrupt)
			for i := range 10 {
				got := next(task, t, q)
				if got != both[i%2] {
					t.Errorf("read %d is %v", i, got)
				}
				raise(task, t, q, got)
			}
			for range 2 {
				next(task, t, q)
			}
			return nil
		})
	})
}

func TestS258SingleReader(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return signals.Receive(task, []os.Signal{sys.Interrupt}, func(q *signals.Queue) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(t2 *loop.Task) error { _, err := q.Next(t2); return err })
				looptest.WaitAllTasksBlocked(task, t)
				_, err := q.Next(task)
				want(t, "the second reader", err, loop.ErrBusy)
				n.Cancel("enough")
				return nil
			})
		})
	})
}

// What was not read goes to who owned the signal before, whether or not the
// loop had noticed it; and the owner is the inner of two.
func TestS259PassedOn(t *testing.T) {
	needRaise(t)
	looptest.Run(t, func(task *loop.Task) error {
		hup := []os.Signal{sys.Hangup}
		return signals.Receive(task, hup, func(outer *signals.Queue) error {
			inside := errors.New("inside")
			err := signals.Receive(task, hup, func(inner *signals.Queue) error {
				raise(task, t, inner, sys.Hangup)
				next(task, t, inner)
				raise(task, t, inner, sys.Hangup)
				if outer.Pending() != 0 {
					t.Error("the outer queue has it too")
				}
				return inside
			})
			if err != inside {
				t.Errorf("Receive returned %v", err)
			}
			next(task, t, outer)
			return nil
		})
	})
}

// Under CatchInterrupt the queue has SIGINT, and what it leaves is an
// interrupt after all.
func TestS259S251ReceiveUnderCatchInterrupt(t *testing.T) {
	needRaise(t)
	err := looptest.RunErr(t, func(task *loop.Task) error {
		err := signals.Receive(task, []os.Signal{sys.Interrupt}, func(q *signals.Queue) error {
			raise(task, t, q, sys.Interrupt)
			next(task, t, q)
			want(t, "the main task", loop.Checkpoint(task), nil)
			raise(task, t, q, sys.Interrupt)
			return nil
		})
		if err != nil {
			return err
		}
		return loop.SleepForever(task)
	}, loop.CatchInterrupt())
	if err != loop.ErrInterrupt {
		t.Errorf("Run returned %v", err)
	}
}

// A cancelled reader has taken nothing.
func TestNextIsCancelled(t *testing.T) {
	needRaise(t)
	looptest.Run(t, func(task *loop.Task) error {
		return signals.Receive(task, []os.Signal{sys.Hangup}, func(q *signals.Queue) error {
			raise(task, t, q, sys.Hangup)
			err := loop.Scoped(task, func(s *loop.Scope) error {
				s.Cancel("before")
				_, err := q.Next(task)
				want(t, "Next", err, loop.Cancelled)
				return err
			})
			want(t, "the scope", err, nil)
			next(task, t, q)
			return nil
		})
	})
}

// The recipe for a server: the signal stops what waits for work at once, what
// has begun has the grace, and what goes on after that is cancelled.
func TestS260GracefulStop(t *testing.T) {
	needRaise(t)
	const grace = 30 * time.Second
	clock := looptest.NewAutojumpClock()
	ended := map[string]time.Duration{}
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				return signals.Receive(t2, []os.Signal{sys.Terminate}, func(q *signals.Queue) error {
					s, err := q.Next(t2)
					if err != nil {
						return err
					}
					return n.Scope().Stop(grace, s.String())
				})
			})
			serve := func(name string, finish func(*loop.Task) error) {
				n.Spawn(func(t2 *loop.Task) error {
					loop.UntilStop(t2, func(*loop.Scope) error { return loop.SleepForever(t2) })
					err := finish(t2)
					ended[name] = clock.Elapsed()
					return err
				})
			}
			serve("idle", func(*loop.Task) error { return nil })
			serve("busy", func(t2 *loop.Task) error { return loop.Sleep(t2, 10*time.Second) })
			serve("stuck", loop.SleepForever)
			looptest.WaitAllTasksBlocked(task, t)
			return sys.Raise(sys.Terminate)
		})
	}, loop.WithClock(clock))
	if ended["idle"] != 0 || ended["busy"] != 10*time.Second || ended["stuck"] != grace {
		t.Errorf("ended: %v", ended)
	}
}

// A reader that a signal has woken, and that outlives Receive, finds the queue
// closed and nothing in it: it must not wait for ever.
func TestReaderWokenAsReceiveEnds(t *testing.T) {
	needRaise(t)
	looptest.Run(t, func(task *loop.Task) error {
		hup := []os.Signal{sys.Hangup}
		return signals.Receive(task, hup, func(outer *signals.Queue) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				err := signals.Receive(task, hup, func(inner *signals.Queue) error {
					n.Spawn(func(t2 *loop.Task) error {
						_, err := inner.Next(t2)
						want(t, "Next", err, loop.ErrClosed)
						return nil
					})
					looptest.WaitAllTasksBlocked(task, t)
					if err := sys.Raise(sys.Hangup); err != nil {
						return err
					}
					for inner.Pending() == 0 { // holds the loop, so that the reader has no turn
						runtime.Gosched()
					}
					return nil
				})
				want(t, "Receive", err, nil)
				if s := next(task, t, outer); s != sys.Hangup {
					t.Errorf("passed on: %v", s)
				}
				return nil
			})
		})
	})
}
