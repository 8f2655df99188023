package locks_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
)

// bench is a lock, a condition of it, and waiters that note in which order
// they came back, and how.
type bench struct {
	t      *testing.T
	lock   locks.Lock
	c      *locks.Condition
	scopes []*loop.Scope
	order  string
	errs   []error
}

func newBench(task *loop.Task, n *loop.Nursery, t *testing.T, names string) *bench {
	b := &bench{t: t}
	b.c = must(locks.NewCondition(&b.lock))
	for _, name := range names {
		b.scopes = append(b.scopes, spawnScoped(task, n, func(task *loop.Task) error {
			if err := b.lock.Acquire(task); err != nil {
				return err
			}
			err := b.c.Wait(task)
			b.errs = append(b.errs, err)
			equal(t, "the owner after Wait", b.lock.Statistics().Owner, task)
			if err == nil {
				b.order += string(name)
			}
			b.lock.Release()
			return err
		}))
	}
	return b
}

func (b *bench) waiting(what string, condition, lock int) {
	b.t.Helper()
	s := b.c.Statistics()
	equal(b.t, what+": waiting for the condition", s.TasksWaiting, condition)
	equal(b.t, what+": waiting for the lock", s.Lock.TasksWaiting, lock)
}

func TestS195ConditionNeedsItsLock(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		c := must(locks.NewCondition(new(locks.Lock)))
		want(t, "Wait", c.Wait(task), loop.ErrMisuse)
		want(t, "WaitFor", c.WaitFor(task, func() bool { return true }), loop.ErrMisuse)
		want(t, "WaitFor nothing", c.WaitFor(task, nil), loop.ErrMisuse)
		want(t, "Notify", c.Notify(1), loop.ErrMisuse)
		want(t, "NotifyAll", c.NotifyAll(), loop.ErrMisuse)
		return nil
	})
}

func TestS196ConditionNotify(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		b := newBench(task, n, t, "ABC")
		b.lock.AcquireNowait(task.Loop())
		b.waiting("before", 3, 0)
		want(t, "a negative number", b.c.Notify(-1), loop.ErrMisuse)
		looptest.AssertNoCheckpoint(task, t, func() error { return b.c.Notify(2) })
		b.waiting("two notified", 1, 2)
		var dump strings.Builder
		task.Loop().Dump(&dump)
		if !strings.Contains(dump.String(), "lock held by task "+task.Name()) {
			t.Errorf("the dump does not name the holder of the lock:\n%s", &dump)
		}
		b.lock.Release()
		b.waiting("the lock handed to the first", 1, 1)
		settle(task)
		equal(t, "order", b.order, "AB")
		b.lock.AcquireNowait(task.Loop())
		b.c.NotifyAll()
		b.waiting("the last notified", 0, 1)
		b.lock.Release()
		settle(task)
		equal(t, "order", b.order, "ABC")
		return nil
	})
}

// A is notified and cancelled before it has the lock: B is notified instead.
func TestS198NotificationNotLost(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
			b := newBench(task, n, t, "ABC")
			b.lock.AcquireNowait(task.Loop())
			b.c.Notify(1)
			b.scopes[0].Cancel("test")
			b.waiting("handed on", 1, 1)
			settle(task)
			b.waiting("A wants the lock back", 1, 2)
			b.lock.Release()
			settle(task)
			equal(t, "order", b.order, "B")
			b.scopes[2].Cancel("the end")
			return nil
		})
	})
}

// Two who were notified are cancelled at once: both hand on.
func TestS198NotificationsOfManyNotLost(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		b := newBench(task, n, t, "ABCDE")
		b.lock.AcquireNowait(task.Loop())
		b.c.Notify(2)
		for _, i := range []int{0, 2, 1} {
			b.scopes[i].Cancel("test")
		}
		b.lock.Release()
		settle(task)
		equal(t, "order", b.order, "DE")
		return nil
	})
}

// A is handed the lock and cancelled in the same step: its Wait has succeeded.
func TestS198HandOverBeatsCancel(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		b := newBench(task, n, t, "AB")
		b.lock.AcquireNowait(task.Loop())
		b.c.Notify(1)
		b.lock.Release()
		b.scopes[0].Cancel("test")
		settle(task)
		equal(t, "order", b.order, "A")
		b.scopes[1].Cancel("the end")
		return nil
	})
}

// A cancelled wait has the lock back before it returns, however long that takes.
func TestConditionCancelTakesTheLockBack(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		b := newBench(task, n, t, "AB")
		b.scopes[0].Cancel("the lock is free")
		settle(task)
		b.lock.AcquireNowait(task.Loop())
		b.scopes[1].Cancel("the lock is held")
		settle(task)
		b.waiting("waiting for the lock, shielded", 0, 1)
		b.lock.Release()
		settle(task)
		equal(t, "returned", len(b.errs), 2)
		for _, err := range b.errs {
			want(t, "Wait", err, loop.Cancelled)
		}
		equal(t, "held", b.lock.Held(), false)
		return nil
	})
}

func TestS199ConditionWaitFor(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var l locks.Lock
		c := must(locks.NewCondition(&l))
		jobs, taken := 0, 0
		for range 2 {
			n.Spawn(func(task *loop.Task) error {
				if err := l.Acquire(task); err != nil {
					return err
				}
				defer l.Release()
				if err := c.WaitFor(task, func() bool { return jobs > 0 }); err != nil {
					return err
				}
				equal(t, "held", l.Statistics().Owner, task)
				jobs, taken = jobs-1, taken+1
				return nil
			})
		}
		settle(task)
		for i := range 2 {
			l.AcquireNowait(task.Loop())
			jobs++
			c.NotifyAll() // one finds nothing and waits again
			l.Release()
			settle(task)
			equal(t, "taken", taken, i+1)
		}
		l.AcquireNowait(task.Loop())
		err := looptest.AssertCheckpoint(task, t, func() error {
			return c.WaitFor(task, func() bool { return true })
		})
		l.Release()
		return err
	})
}

// The end of an owner breaks the wait of those who could never be notified,
// and one that wants the lock back for its cancellation.
func TestConditionOwnerEnds(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var l locks.Lock
		c := must(locks.NewCondition(&l))
		var errs []error
		wait := func(task *loop.Task) error {
			if err := l.Acquire(task); err != nil {
				return err
			}
			errs = append(errs, c.Wait(task))
			want(t, "the release of a broken lock", l.Release(), loop.ErrMisuse)
			return nil
		}
		n.Spawn(wait)
		cancelled := spawnScoped(task, n, wait)
		var leave locks.Event
		n.Spawn(func(task *loop.Task) error {
			if err := l.Acquire(task); err != nil {
				return err
			}
			return leave.Wait(task)
		})
		settle(task)
		cancelled.Cancel("test")
		settle(task)
		leave.Set()
		settle(task)
		equal(t, "returned", len(errs), 2)
		both := 0
		for _, err := range errs {
			want(t, "Wait", err, loop.ErrBroken)
			if errors.Is(err, loop.Cancelled) {
				both++
			}
		}
		equal(t, "cancelled as well", both, 1)
		return nil
	})
}

// The lock passes from who waits for the condition to one who ends with it.
func TestConditionNextOwnerEnds(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var l locks.Lock
		c := must(locks.NewCondition(&l))
		var leave locks.Event
		var got error
		l.AcquireNowait(task.Loop())
		n.Spawn(func(task *loop.Task) error {
			if err := l.Acquire(task); err != nil {
				return err
			}
			got = c.Wait(task)
			return nil
		})
		settle(task)
		n.Spawn(func(task *loop.Task) error {
			if err := l.Acquire(task); err != nil {
				return err
			}
			return leave.Wait(task)
		})
		settle(task)
		l.Release()
		settle(task)
		equal(t, "waiting for the condition", c.Statistics().TasksWaiting, 1)
		leave.Set()
		settle(task)
		want(t, "Wait", got, loop.ErrBroken)
		return nil
	})
}

// Who notifies and then ends with the lock breaks the wait of who was notified.
func TestConditionNotifierEnds(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var l locks.Lock
		c := must(locks.NewCondition(&l))
		var got error
		n.Spawn(func(task *loop.Task) error {
			if err := l.Acquire(task); err != nil {
				return err
			}
			got = c.Wait(task)
			return nil
		})
		settle(task)
		n.Spawn(func(task *loop.Task) error {
			if err := l.Acquire(task); err != nil {
				return err
			}
			return c.Notify(1)
		})
		settle(task)
		want(t, "Wait", got, loop.ErrBroken)
		return nil
	})
}

// The same if the owner came to the free lock without waiting, as one that could
// have notified.
func TestConditionOwnerWithoutWaitingEnds(t *testing.T) {
	for name, acquire := range map[string]func(*loop.Task, *locks.Lock) error{
		"Acquire":       func(task *loop.Task, l *locks.Lock) error { return l.Acquire(task) },
		"AcquireNowait": func(task *loop.Task, l *locks.Lock) error { return l.AcquireNowait(task.Loop()) },
	} {
		inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
			var l locks.Lock
			c := must(locks.NewCondition(&l))
			var got error
			n.Spawn(func(task *loop.Task) error {
				if err := l.Acquire(task); err != nil {
					return err
				}
				got = c.Wait(task)
				return nil
			})
			settle(task)
			n.Spawn(func(task *loop.Task) error { return acquire(task, &l) })
			settle(task)
			want(t, name, got, loop.ErrBroken)
			if got == nil {
				n.Cancel("the waiter would wait for ever")
			}
			return nil
		})
	}
}

// And if it took the free lock back for its own cancellation.
func TestConditionCancelledOwnerEnds(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var l locks.Lock
		c := must(locks.NewCondition(&l))
		var got error
		wait := func(task *loop.Task) error {
			if err := l.Acquire(task); err != nil {
				return err
			}
			got = c.Wait(task)
			return nil // and takes the lock along
		}
		first := spawnScoped(task, n, wait)
		settle(task)
		n.Spawn(wait)
		settle(task)
		first.Cancel("test")
		settle(task)
		want(t, "the Wait of the other", got, loop.ErrBroken)
		n.Cancel("enough")
		return nil
	})
}
