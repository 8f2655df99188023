package queue_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/queue"
)

// TestNothingAllocates counts the allocations of a task that passes items to a
// partner and back.
func TestNothingAllocates(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates too")
	}
	for _, size := range []int{0, 1, 64} {
		looptest.Config{Budgeted: true}.Run(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				to, from := newQueue(t, size), newQueue(t, size)
				n.Spawn(func(task *loop.Task) error {
					for item, err := range to.All(task) {
						if err != nil {
							return err
						}
						if err := from.Send(task, item); err != nil {
							return err
						}
					}
					return nil
				})
				there := func() {
					to.Send(task, 1)
					from.Receive(task)
				}
				if got := testing.AllocsPerRun(1000, there); got != 0 {
					t.Errorf("there and back through queues of %d allocates %v times", size, got)
				}
				var u queue.UnboundedQueue[int]
				var batch []int
				unbounded := func() {
					u.PutNowait(1)
					batch, _ = u.GetAll(task, batch)
				}
				unbounded() // both pieces of memory
				if got := testing.AllocsPerRun(1000, unbounded); got != 0 {
					t.Errorf("the unbounded queue allocates %v times", got)
				}
				to.Sender.Close()
				return nil
			})
		})
	}
}
