package loop_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lion-go/lion/loop"
)

func Example() {
	ticks := func(t *loop.Task) error {
		for {
			if err := loop.Sleep(t, time.Millisecond); err != nil {
				return err // cancelled: hand it up
			}
		}
	}
	err := loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			n.Spawn(ticks)
			n.Spawn(ticks)
			if err := loop.Sleep(t, 10*time.Millisecond); err != nil {
				return err
			}
			return n.Cancel("that is enough")
		})
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleRun() {
	err := loop.Run(func(t *loop.Task) error {
		if err := loop.Sleep(t, time.Millisecond); err != nil {
			return err
		}
		return errors.New("what main returns")
	})
	fmt.Println(err)
	// Output: what main returns
}

// Tasks of one nursery end together: the first failure cancels the others,
// and every error is reported.
func ExampleNurse() {
	err := loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			n.Spawn(func(t *loop.Task) error {
				err := loop.SleepForever(t)
				fmt.Println("the sibling:", errors.Is(err, loop.Cancelled))
				return err
			})
			n.Spawn(func(t *loop.Task) error {
				if err := loop.Sleep(t, time.Millisecond); err != nil {
					return err
				}
				return errors.New("disk full")
			})
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// the sibling: true
	// 1 error:
	//   - disk full
}

// A body that takes too long is left; the scope tells.
func ExampleMoveOnAfter() {
	loop.Run(func(t *loop.Task) error {
		var scope *loop.Scope
		err := loop.MoveOnAfter(t, time.Millisecond, func(s *loop.Scope) error {
			scope = s
			return loop.SleepForever(t)
		})
		fmt.Println(err, scope.CancelledCaught())
		return nil
	})
	// Output: <nil> true
}

func ExampleFailAfter() {
	loop.Run(func(t *loop.Task) error {
		err := loop.FailAfter(t, time.Millisecond, func(*loop.Scope) error {
			return loop.SleepForever(t)
		})
		fmt.Println(err == loop.ErrTimeout, errors.Is(err, context.DeadlineExceeded))
		return nil
	})
	// Output: true true
}

// Clean-up that has to suspend needs a shield, and a limit of its own.
func ExampleShield() {
	goodbye := func(t *loop.Task) error {
		return loop.Shield(t, func(*loop.Scope) error {
			if err := loop.Sleep(t, time.Millisecond); err != nil {
				return err
			}
			fmt.Println("goodbye")
			return nil
		}, loop.WithTimeout(time.Second))
	}
	loop.Run(func(t *loop.Task) error {
		return loop.Scoped(t, func(s *loop.Scope) error {
			s.Cancel("closing time")
			defer goodbye(t)
			return loop.Checkpoint(t)
		})
	})
	// Output: goodbye
}

// A service tells when it is ready, and with what.
func ExampleStart() {
	serve := func(t *loop.Task, started func(any) error) error {
		if err := loop.Sleep(t, time.Millisecond); err != nil { // opens its port
			return err
		}
		if err := started("port 7000"); err != nil {
			return err
		}
		return loop.SleepForever(t)
	}
	err := loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			ready, err := loop.Start(t, n, serve)
			if err != nil {
				return err
			}
			fmt.Println("serving on", ready)
			return n.Cancel("the end of the example")
		})
	})
	fmt.Println(err)
	// Output:
	// serving on port 7000
	// <nil>
}

// CallSoon is how ordinary goroutines reach a loop.
func ExampleLoop_CallSoon() {
	loop.Run(func(t *loop.Task) error {
		var lot loop.ParkingLot
		l, result := t.Loop(), 0
		go func() {
			sum := 0
			for i := range 101 {
				sum += i
			}
			l.CallSoon(func() { // on the loop: no lock is needed
				result = sum
				lot.UnparkAll()
			})
		}()
		if err := lot.Park(t, "waiting for the sum"); err != nil {
			return err
		}
		fmt.Println(result)
		return nil
	})
	// Output: 5050
}
