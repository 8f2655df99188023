package queue_test

import (
	"fmt"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/queue"
)

// Two producers and a consumer, which ends when both have.
func Example() {
	err := loop.Run(func(t *loop.Task) error {
		q, err := queue.New[int](4)
		if err != nil {
			return err
		}
		return loop.Nurse(t, func(n *loop.Nursery) error {
			for range 2 {
				s, err := q.Sender.Clone()
				if err != nil {
					return err
				}
				n.Spawn(func(t *loop.Task) error {
					defer s.Close()
					for i := range 10 {
						if err := s.Send(t, i); err != nil {
							return err
						}
					}
					return nil
				})
			}
			q.Sender.Close() // the clones keep the queue open
			sum := 0
			for item, err := range q.All(t) {
				if err != nil {
					return err
				}
				sum += item
			}
			fmt.Println("sum:", sum)
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// sum: 90
	// <nil>
}

// The supervisor of some tasks hears of their ends, many at once.
func ExampleUnboundedQueue() {
	err := loop.Run(func(t *loop.Task) error {
		var ended queue.UnboundedQueue[int]
		return loop.Nurse(t, func(n *loop.Nursery) error {
			for i := range 3 {
				n.Spawn(func(t *loop.Task) error {
					defer ended.PutNowait(i)
					return loop.Checkpoint(t)
				})
			}
			var batch []int
			for left := 3; left > 0; left -= len(batch) {
				var err error
				if batch, err = ended.GetAll(t, batch); err != nil {
					return err
				}
			}
			fmt.Println("all have ended")
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// all have ended
	// <nil>
}
