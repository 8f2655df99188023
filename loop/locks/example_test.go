package locks_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
)

// A lock keeps apart what would mix while its owner is suspended.
func Example() {
	err := loop.Run(func(t *loop.Task) error {
		var line locks.Lock
		return loop.Nurse(t, func(n *loop.Nursery) error {
			for range 2 {
				n.Spawn(func(t *loop.Task) error {
					if err := line.Acquire(t); err != nil {
						return err
					}
					defer line.Release()
					fmt.Print("begin ")
					if err := loop.Sleep(t, time.Millisecond); err != nil {
						return err
					}
					fmt.Println("end")
					return nil
				})
			}
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// begin end
	// begin end
	// <nil>
}

// An event tells everybody that something has happened.
func ExampleEvent() {
	err := loop.Run(func(t *loop.Task) error {
		var ready locks.Event
		return loop.Nurse(t, func(n *loop.Nursery) error {
			n.Spawn(func(t *loop.Task) error {
				if err := ready.Wait(t); err != nil {
					return err
				}
				fmt.Println("we begin")
				return nil
			})
			fmt.Println("ready")
			ready.Set()
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// ready
	// we begin
	// <nil>
}

// Tokens on behalf of connections, which outlive the task that asked.
func ExampleCapacityLimiter_AcquireFor() {
	err := loop.Run(func(t *loop.Task) error {
		open, err := locks.NewCapacityLimiter(1)
		if err != nil {
			return err
		}
		if err := open.AcquireFor(t, "connection 1"); err != nil {
			return err
		}
		fmt.Println(errors.Is(open.AcquireForNowait("connection 2"), loop.ErrWouldBlock))
		return open.ReleaseFor("connection 1")
	})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A condition waits until what a lock protects has changed.
func ExampleCondition_WaitFor() {
	err := loop.Run(func(t *loop.Task) error {
		var lock locks.Lock
		jobs := 0
		some, err := locks.NewCondition(&lock)
		if err != nil {
			return err
		}
		return loop.Nurse(t, func(n *loop.Nursery) error {
			n.Spawn(func(t *loop.Task) error {
				if err := lock.Acquire(t); err != nil {
					return err
				}
				defer lock.Release()
				if err := some.WaitFor(t, func() bool { return jobs > 0 }); err != nil {
					return err
				}
				fmt.Println("jobs:", jobs)
				return nil
			})
			if err := lock.Acquire(t); err != nil {
				return err
			}
			jobs++
			some.Notify(1)
			return lock.Release()
		})
	})
	fmt.Println(err)
	// Output:
	// jobs: 1
	// <nil>
}
