package locks_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// The barrier of the example keeps the promises of the others.
func TestBarrier(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		b := Barrier{Parties: 3}
		first := spawnScoped(task, n, b.Wait)
		spawnScoped(task, n, b.Wait)
		first.Cancel("test")
		settle(task)
		equal(t, "waiting", b.waiting.Len(), 1)
		spawnScoped(task, n, b.Wait)
		equal(t, "waiting", b.waiting.Len(), 2)
		err := looptest.AssertCheckpoint(task, t, func() error { return b.Wait(task) })
		settle(task)
		equal(t, "children", n.Statistics().Children, 0)
		return err
	})
}
