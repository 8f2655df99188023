package locks_test

import (
	"fmt"

	"github.com/lion-go/lion/loop"
)

// A Barrier makes tasks wait for each other: when the last of them has come,
// all go on, and the barrier is ready for the next round.
type Barrier struct {
	Parties int
	waiting loop.ParkingLot
}

// Wait suspends t until as many tasks as there are parties wait. It is a
// checkpoint. A task that is cancelled meanwhile does not count.
func (b *Barrier) Wait(t *loop.Task) error {
	if b.waiting.Len() < b.Parties-1 {
		return b.waiting.Park(t, "barrier")
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	b.waiting.UnparkAll()
	return loop.ShieldedCheckpoint(t)
}

// A primitive of one's own: a barrier.
func Example_barrier() {
	err := loop.Run(func(t *loop.Task) error {
		barrier := Barrier{Parties: 3}
		arrived := 0
		return loop.Nurse(t, func(n *loop.Nursery) error {
			for range 3 {
				n.Spawn(func(t *loop.Task) error {
					arrived++
					if err := barrier.Wait(t); err != nil {
						return err
					}
					fmt.Println("all", arrived, "have come")
					return nil
				})
			}
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// all 3 have come
	// all 3 have come
	// all 3 have come
	// <nil>
}
