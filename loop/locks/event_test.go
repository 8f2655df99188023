package locks_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS178Event(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var e locks.Event
		woken := 0
		for range 2 {
			n.Spawn(func(task *loop.Task) error {
				err := e.Wait(task)
				woken++
				return err
			})
		}
		cancelled := spawnScoped(task, n, e.Wait)
		equal(t, "before", e.Statistics(), locks.EventStatistics{TasksWaiting: 3})
		cancelled.Cancel("test")
		equal(t, "after a cancellation", e.Statistics().TasksWaiting, 2)
		looptest.AssertNoCheckpoint(task, t, func() error { e.Set(); e.Set(); return nil })
		equal(t, "set", e.Statistics(), locks.EventStatistics{Set: true})
		equal(t, "IsSet", e.IsSet(), true)
		settle(task)
		equal(t, "woken", woken, 2)
		return looptest.AssertCheckpoint(task, t, func() error { return e.Wait(task) })
	})
}
