package locks_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS186Semaphore(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		s := must(locks.NewSemaphore(1, 1))
		want(t, "a release above the limit", s.Release(), loop.ErrMisuse)
		equal(t, "the value then", s.Statistics(), locks.SemaphoreStatistics{Value: 1, Limit: 1})
		if err := looptest.AssertCheckpoint(task, t, func() error { return s.Acquire(task) }); err != nil {
			return err
		}
		want(t, "AcquireNowait", s.AcquireNowait(), loop.ErrWouldBlock)
		acquired := false
		n.Spawn(func(task *loop.Task) error {
			err := s.Acquire(task)
			acquired = true
			return err
		})
		cancelled := spawnScoped(task, n, s.Acquire)
		equal(t, "waiting", s.Statistics().TasksWaiting, 2)
		cancelled.Cancel("test")
		equal(t, "waiting after a cancellation", s.Statistics().TasksWaiting, 1)
		looptest.AssertNoCheckpoint(task, t, s.Release)
		equal(t, "handed over", s.Statistics(), locks.SemaphoreStatistics{Limit: 1})
		want(t, "AcquireNowait after a hand-over", s.AcquireNowait(), loop.ErrWouldBlock)
		settle(task)
		equal(t, "acquired", acquired, true)
		return s.Release()
	})
}

func TestSemaphoreUnlimited(t *testing.T) {
	s := must(locks.NewSemaphore(0, locks.Unlimited))
	for range 3 {
		want(t, "Release", s.Release(), nil)
	}
	equal(t, "value", s.Statistics().Value, 3)
	want(t, "AcquireNowait", s.AcquireNowait(), nil)
	equal(t, "value", s.Statistics().Value, 2)
}
