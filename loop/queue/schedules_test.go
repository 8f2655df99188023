package queue_test

import (
	"errors"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
)

// S449: three tasks of four checkpoints with a lock and a queue, in every order
// in which a loop can run them. The lock has one owner at a time, and the queue
// loses, doubles and reorders nothing.
func TestS449LockAndQueueInAllSchedules(t *testing.T) {
	schedules := looptest.Schedules(t, func(task *loop.Task) error {
		var lock locks.Lock
		q := newQueue(t, 1)
		inside, last := 0, 0
		use := func(task *loop.Task) error {
			if err := loop.Checkpoint(task); err != nil {
				return err
			}
			if err := lock.Acquire(task); err != nil {
				return err
			}
			if inside++; inside != 1 {
				t.Errorf("%d tasks hold the lock", inside)
			}
			last++
			err := q.Send(task, last)
			inside--
			return errors.Join(err, lock.Release(), loop.Checkpoint(task))
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range 3 {
				if err := n.Spawn(use); err != nil {
					return err
				}
			}
			for want := 1; want <= 3; want++ {
				got, err := q.Receive(task)
				if err != nil || got != want {
					t.Errorf("received %d, %v, want %d", got, err, want)
				}
			}
			return nil
		})
	})
	if schedules < 50 {
		t.Errorf("only %d schedules", schedules)
	}
}
