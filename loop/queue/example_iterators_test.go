package queue_test

import (
	"fmt"
	"iter"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/queue"
)

// countdown yields the numbers from n down to 1, a pause between them.
func countdown(t *loop.Task, n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for ; n > 0; n-- {
			if !yield(n, nil) {
				return
			}
			if err := loop.Sleep(t, time.Millisecond); err != nil {
				yield(0, err)
				return
			}
		}
	}
}

// An iterator that suspends is a plain function that was given a task.
func Example_iterator() {
	err := loop.Run(func(t *loop.Task) error {
		for n, err := range countdown(t, 3) {
			if err != nil {
				return err
			}
			fmt.Println(n)
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// 3
	// 2
	// 1
	// <nil>
}

// beats yields every millisecond, by a helper task that lives while it runs.
func beats(t *loop.Task, yield func(*loop.Task, int) error) error {
	return loop.Nurse(t, func(n *loop.Nursery) error {
		var tick loop.ParkingLot
		n.Spawn(func(t *loop.Task) error {
			for {
				if err := loop.Sleep(t, time.Millisecond); err != nil {
					return err
				}
				tick.UnparkAll()
			}
		})
		for i := 0; ; i++ {
			if err := tick.Park(t, "beat"); err != nil {
				return err
			}
			if err := yield(t, i); err != nil {
				return err
			}
		}
	})
}

// What holds a nursery open across its yields runs in a task of its own.
func ExampleGenerate() {
	err := loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			for i, err := range queue.Generate(t, n, beats) {
				if err != nil {
					return err
				}
				fmt.Println("beat", i)
				if i == 2 {
					break
				}
			}
			fmt.Println("behind the loop:", n.Statistics().Children, "children")
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// beat 0
	// beat 1
	// beat 2
	// behind the loop: 0 children
	// <nil>
}
