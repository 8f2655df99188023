package locks_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
)

// TestNothingAllocates counts the allocations of a task that takes turns with
// a partner who wants the same.
func TestNothingAllocates(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates too")
	}
	var lock, cLock locks.Lock
	condition := must(locks.NewCondition(&cLock))
	limiter := must(locks.NewCapacityLimiter(1))
	full := must(locks.NewSemaphore(0, locks.Unlimited))
	empty := must(locks.NewSemaphore(0, locks.Unlimited))
	hold := func(task *loop.Task, acquire func(*loop.Task) error, release func() error) error {
		if err := acquire(task); err != nil {
			return err
		}
		if err := loop.Yield(task); err != nil {
			return err
		}
		return release()
	}
	var set locks.Event
	set.Set()
	paths := []struct {
		name          string
		mine, partner func(*loop.Task) error
	}{
		{"Event", set.Wait, nil},
		{"Lock alone", func(task *loop.Task) error { lock.Acquire(task); return lock.Release() }, nil},
		{"Lock", func(task *loop.Task) error { return hold(task, lock.Acquire, lock.Release) },
			func(task *loop.Task) error { return hold(task, lock.Acquire, lock.Release) }},
		{"CapacityLimiter", func(task *loop.Task) error { return hold(task, limiter.Acquire, limiter.Release) },
			func(task *loop.Task) error { return hold(task, limiter.Acquire, limiter.Release) }},
		{"Semaphore", func(task *loop.Task) error { full.Release(); return empty.Acquire(task) },
			func(task *loop.Task) error { empty.Release(); return full.Acquire(task) }},
		{"Condition", func(task *loop.Task) error {
			cLock.Acquire(task)
			condition.Notify(1)
			condition.Wait(task)
			return cLock.Release()
		}, func(task *loop.Task) error {
			if err := cLock.Acquire(task); err != nil {
				return err
			}
			defer cLock.Release()
			condition.Notify(1)
			return condition.Wait(task)
		}},
	}
	for _, path := range paths {
		looptest.Config{Budgeted: true}.Run(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				if path.partner != nil {
					n.Spawn(func(task *loop.Task) error {
						for {
							if err := path.partner(task); err != nil {
								return err
							}
						}
					})
				}
				for range 100 {
					path.mine(task) // maps and queues grow to their size
				}
				if got := testing.AllocsPerRun(1000, func() { path.mine(task) }); got != 0 {
					t.Errorf("%s allocates %v times", path.name, got)
				}
				return n.Cancel("enough")
			})
		})
	}
}
