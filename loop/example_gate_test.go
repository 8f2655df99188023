package loop_test

import (
	"fmt"

	"github.com/lion-go/lion/loop"
)

// Gate lets tasks through while it is open. It is made of a parking lot, and
// of nothing that other packages could not use.
type Gate struct {
	open    bool
	waiting loop.ParkingLot
}

// Pass suspends t until the gate is open. It is a checkpoint: it looks for a
// cancellation before anything else, and on success lets others run.
func (g *Gate) Pass(t *loop.Task) error {
	if !g.open {
		return g.waiting.Park(t, "gate") // a checkpoint by itself
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	return loop.ShieldedCheckpoint(t)
}

// Open lets everybody through who waits, first come, first served.
func (g *Gate) Open() {
	g.open = true
	g.waiting.UnparkAll()
}

// A synchronization primitive of one's own takes a parking lot and few lines.
func ExampleParkingLot() {
	err := loop.Run(func(t *loop.Task) error {
		var gate Gate
		return loop.Nurse(t, func(n *loop.Nursery) error {
			passed := 0
			for range 3 {
				n.Spawn(func(t *loop.Task) error {
					if err := gate.Pass(t); err != nil {
						return err
					}
					passed++
					return nil
				})
			}
			if err := loop.WaitAllTasksBlocked(t, 0); err != nil {
				return err
			}
			fmt.Println("before:", passed, "of", gate.waiting.Len()+passed)
			gate.Open()
			if err := loop.WaitAllTasksBlocked(t, 0); err != nil {
				return err
			}
			fmt.Println("after:", passed)
			return gate.Pass(t)
		})
	})
	fmt.Println(err)
	// Output:
	// before: 0 of 3
	// after: 3
	// <nil>
}
