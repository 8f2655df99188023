package locks_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS179LockBasics(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var l locks.Lock
		equal(t, "held at first", l.Held(), false)
		want(t, "a release of a free lock", l.Release(), loop.ErrMisuse)
		looptest.AssertNoCheckpoint(task, t, func() error { return l.AcquireNowait(task.Loop()) })
		equal(t, "statistics", l.Statistics(), locks.LockStatistics{Owner: task})
		want(t, "a second acquisition", l.Acquire(task), loop.ErrMisuse)
		want(t, "a second one without waiting", l.AcquireNowait(task.Loop()), loop.ErrMisuse)
		want(t, "one of no loop", l.AcquireNowait(nil), loop.ErrMisuse)
		equal(t, "held", l.Held(), true)
		n.Spawn(func(task *loop.Task) error {
			want(t, "the release of another's lock", l.Release(), loop.ErrMisuse)
			want(t, "AcquireNowait", l.AcquireNowait(task.Loop()), loop.ErrWouldBlock)
			return nil
		})
		settle(task)
		holder := spawnScoped(task, n, func(task *loop.Task) error {
			if err := l.Acquire(task); err != nil {
				return err
			}
			defer l.Release()
			return loop.SleepForever(task)
		})
		equal(t, "waiting", l.Statistics().TasksWaiting, 1)
		looptest.AssertNoCheckpoint(task, t, l.Release)
		want(t, "AcquireNowait after a hand-over", l.AcquireNowait(task.Loop()), loop.ErrWouldBlock)
		settle(task)
		holder.Cancel("test")
		settle(task)
		equal(t, "held after its holder was cancelled", l.Held(), false)
		err := looptest.AssertCheckpoint(task, t, func() error { return l.Acquire(task) })
		if err != nil {
			return err
		}
		return l.Release()
	})
}

func TestLockOutsideATurn(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var l locks.Lock
		var limiter = must(locks.NewCapacityLimiter(1))
		task.Loop().CallSoon(func() {
			want(t, "AcquireNowait between turns", l.AcquireNowait(task.Loop()), loop.ErrMisuse)
			want(t, "that of a limiter", limiter.AcquireNowait(task.Loop()), loop.ErrMisuse)
			want(t, "the release", limiter.Release(), loop.ErrMisuse)
		})
		settle(task)
		if err := l.Acquire(task); err != nil {
			return err
		}
		task.Loop().CallSoon(func() { want(t, "Release between turns", l.Release(), loop.ErrMisuse) })
		settle(task)
		return l.Release()
	})
}

// A cancelled scope acquires nothing, not even what is free.
func TestCancelledAcquiresNothing(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var l locks.Lock
		semaphore, limiter := must(locks.NewSemaphore(1, 1)), must(locks.NewCapacityLimiter(1))
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("test")
			want(t, "Lock", l.Acquire(task), loop.Cancelled)
			want(t, "Semaphore", semaphore.Acquire(task), loop.Cancelled)
			want(t, "CapacityLimiter", limiter.Acquire(task), loop.Cancelled)
			equal(t, "lock", l.Held(), false)
			equal(t, "semaphore", semaphore.Statistics().Value, 1)
			equal(t, "limiter", limiter.Statistics().Borrowed, 0)
			return nil
		})
	})
}

func TestS181LockOwnerEnds(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var l locks.Lock
		var leave locks.Event
		n.Spawn(func(task *loop.Task) error {
			l.AcquireNowait(task.Loop())
			return leave.Wait(task)
		}, loop.WithTaskName("forgetful"))
		settle(task)
		broken := 0
		isBroken := func(err error) {
			want(t, "Acquire", err, loop.ErrBroken)
			if err != nil && !strings.Contains(err.Error(), "forgetful") {
				t.Errorf("%v does not name the owner", err)
			}
			broken++
		}
		for range 2 {
			n.Spawn(func(task *loop.Task) error { isBroken(l.Acquire(task)); return nil })
		}
		settle(task)
		leave.Set()
		settle(task)
		isBroken(l.Acquire(task))
		isBroken(l.AcquireNowait(task.Loop()))
		equal(t, "broken", broken, 4)
		want(t, "Release", l.Release(), loop.ErrMisuse)
		if !strings.Contains(l.String(), "broken by the end of task forgetful") {
			t.Errorf("the lock is %v", &l)
		}
		return nil
	})
}

// An owner for whom nobody waits breaks the lock as well.
func TestS181LockOwnerEndsAlone(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var l locks.Lock
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(task *loop.Task) error { return l.Acquire(task) })
		})
		want(t, "Acquire", l.Acquire(task), loop.ErrBroken)
		return err
	})
}

func TestS182BreakerFollowsHandOver(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var l locks.Lock
		var leave [2]locks.Event
		for i := range leave {
			n.Spawn(func(task *loop.Task) error {
				if err := l.Acquire(task); err != nil {
					return err
				}
				err := leave[i].Wait(task)
				if i == 0 {
					want(t, "the first release", l.Release(), nil)
				}
				return err
			})
			settle(task)
		}
		var last error
		n.Spawn(func(task *loop.Task) error { last = l.Acquire(task); return nil })
		settle(task)
		leave[0].Set()
		settle(task)
		equal(t, "waiting after the first owner has ended", l.Statistics().TasksWaiting, 1)
		leave[1].Set()
		settle(task)
		want(t, "Acquire after the second owner has ended", last, loop.ErrBroken)
		return nil
	})
}

// A holds, B and C wait. B is cancelled before, with or after the release.
func TestS194CancelledWaiterHoldsNobodyUp(t *testing.T) {
	steps := map[string]func(b *loop.Scope, l *locks.Lock){
		"long before": nil,
		"just before": func(b *loop.Scope, l *locks.Lock) { b.Cancel("test"); l.Release() },
		"just after":  func(b *loop.Scope, l *locks.Lock) { l.Release(); b.Cancel("test") },
	}
	for name, step := range steps {
		looptest.Seeds(t, 20, func(t *testing.T) {
			inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
				var l locks.Lock
				l.AcquireNowait(task.Loop())
				var order string
				hold := func(name string) func(task *loop.Task) error {
					return func(task *loop.Task) error {
						if err := l.Acquire(task); err != nil {
							return err
						}
						defer l.Release()
						order += name
						return nil
					}
				}
				b := spawnScoped(task, n, hold("B"))
				spawnScoped(task, n, hold("C"))
				if step == nil {
					b.Cancel("test")
					settle(task)
					l.Release()
				} else {
					step(b, &l)
				}
				settle(task)
				expected := "C"
				if name == "just after" {
					expected = "BC" // B had it, and has released it
				}
				equal(t, name, order, expected)
				equal(t, "held", l.Held(), false)
				return nil
			})
		})
	}
}

// A lock that is held on another loop can not be waited for.
func TestS446LockOfAnotherLoop(t *testing.T) {
	var l locks.Lock
	held, tried := make(chan struct{}), make(chan struct{})
	err := looptest.Config{}.RunEach(t, 2, func(task *loop.Task, i int) error {
		if i == 1 {
			<-held
			defer close(tried)
			want(t, "Acquire", l.Acquire(task), loop.ErrWrongTask)
			want(t, "AcquireNowait", l.AcquireNowait(task.Loop()), loop.ErrWouldBlock)
			return nil
		}
		if err := l.Acquire(task); err != nil {
			return err
		}
		close(held)
		<-tried
		return l.Release()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Dumps say who holds the lock for which a task waits, and how many tokens of
// a limiter are lent.
func TestDumpNamesHolder(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var l locks.Lock
		equal(t, "free", l.String(), "free")
		n.Spawn(func(task *loop.Task) error {
			l.AcquireNowait(task.Loop())
			return loop.SleepForever(task)
		}, loop.WithTaskName("the holder"))
		settle(task)
		none := must(locks.NewCapacityLimiter(0))
		n.Spawn(l.Acquire)
		n.Spawn(none.Acquire)
		settle(task)
		var dump strings.Builder
		if err := task.Loop().Dump(&dump); err != nil {
			return err
		}
		for _, text := range []string{"held by task the holder", "0 of 0 tokens lent"} {
			if !strings.Contains(dump.String(), text) {
				t.Errorf("the dump does not say %q:\n%s", text, &dump)
			}
		}
		n.Cancel("enough")
		return nil
	})
}

func TestBadSizes(t *testing.T) {
	_, err := locks.NewSemaphore(-1, 3)
	want(t, "a negative semaphore", err, loop.ErrMisuse)
	_, err = locks.NewSemaphore(4, 3)
	want(t, "a semaphore above its limit", err, loop.ErrMisuse)
	limiter, err := locks.NewCapacityLimiter(-1)
	if !errors.Is(err, loop.ErrMisuse) || limiter != nil {
		t.Errorf("a negative limiter: %v, %v", limiter, err)
	}
	_, err = locks.NewCondition(nil)
	want(t, "a condition without a lock", err, loop.ErrMisuse)
}
